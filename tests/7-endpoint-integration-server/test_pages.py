"""一份报告的几页、PDF、长截图：一起传上来，读成一份。"""

import io
import json

import pytest
from fake_upstreams import numbered_report, photo_of
from hostile_files import BLANK, drawing, encode
from hostile_pdfs import HOSTILE_PDFS, many_pages
from medical_report import analysis
from medical_report.analysis import NOT_VERIFIED, VISION_FAILED
from pdf_files import MINERALS, jpeg, picture, scanned_pdf, text_pdf
from PIL import Image
from report_servers import events

from health_assistant.lab_report.reading import pdf

BLOOD = [("白细胞计数", "WBC", "6.10", "10^9/L", "3.5-9.5"), ("血小板计数", "PLT", "160", "10^9/L", "125-350")]
SALTS = [("钾", "K", "4.1", "mmol/L", "3.5-5.3"), ("钠", "Na", "140", "mmol/L", "137-147")]
KIDNEY = [("尿素", "UREA", "5.1", "mmol/L", "2.6-7.5"), ("肌酐", "CREA", "60", "μmol/L", "41-73")]
NOTHING = encode("PNG", drawing())


@pytest.fixture
def client(make_client):
    return make_client()


def send(client, *files: bytes, stream: bool = False):
    images = [(io.BytesIO(data), f"{at}.png") for at, data in enumerate(files)]
    headers = {"Accept": "text/event-stream"} if stream else {}
    return client.post("/analyze_medical_report", data={"image": images}, headers=headers)


def rows(body: dict) -> list[tuple]:
    return [(item["name"], item["result"], item["page"]) for item in body["report"]["items"]]


def expected(*pages: list[tuple]) -> list[tuple]:
    return [(row[0], row[2], number) for number, page in enumerate(pages, 1) for row in page]


def test_photos_and_a_pdf_become_one_report(client):
    files = jpeg(picture(BLOOD, "血细胞分析")), jpeg(picture(SALTS).rotate(180)), scanned_pdf(picture(KIDNEY))
    answer = send(client, *files, stream=True)
    told = events(answer.get_data())
    assert [name for name, _ in told if name != "advice"] == ["accepted", "page", "page", "page", "report", "done"]
    pages = [data for name, data in told if name == "page"]
    assert [(one["page"], one["pages"], one["file"], one["problem"]) for one in pages] == [
        (1, 3, 1, None), (2, 3, 2, None), (3, 3, 3, None),
    ]  # fmt: skip
    assert [bool(one["preview"]) for one in pages] == [False, False, True]
    body = told[-1][1]
    assert rows(body) == expected(BLOOD, SALTS, KIDNEY)
    assert (body["triage"], body["notices"], body["report"]["doubts"]) == ("none", [], [])


def test_a_pdf_with_a_text_layer_whatever_it_is_called(client):
    body = send(client, text_pdf(MINERALS)).json  # 名字是 0.png
    assert [item["result"] for item in body["report"]["items"]] == [row[1] for row in MINERALS]
    assert [item["flag"] for item in body["report"]["items"]].count("high") == 1


@pytest.mark.slow
def test_a_page_that_cannot_be_read_is_said_and_forbids_nothing_found(client):
    body = send(client, jpeg(picture(SALTS)), NOTHING, jpeg(picture(KIDNEY))).json
    assert rows(body) == [*expected(SALTS), *[(name, result, 3) for name, _, result, _, _ in KIDNEY]]
    assert body["triage"] == "routine"
    assert body["notices"][0].startswith("第 2 页没有读成：没有看清文字")
    assert "第 2 页没有读成" in body["analysis_result"]
    corrected = {name: body["report"][name] for name in ("report_type", "sex", "age", "doubts")}
    items = [{**item, "doubt": None} for item in body["report"]["items"]]
    again = client.post("/advice", json={"report": corrected | {"items": items}}).json
    assert (again["triage"], again["notices"][0]) == ("routine", body["notices"][0])
    assert [item["page"] for item in again["report"]["items"]] == [1, 1, 3, 3]


def test_a_page_too_many_rows_in_is_said_not_judged(client, monkeypatch):
    monkeypatch.setattr(analysis, "MAX_REPORT_ROWS", 3)
    body = send(client, jpeg(picture(BLOOD, "血细胞分析")), jpeg(picture(SALTS))).json
    assert rows(body) == expected(BLOOD)
    assert body["notices"][0] == "第 2 页没有读成：各页合起来超过 3 行。请分几次读。"
    monkeypatch.setattr(analysis, "MAX_REPORT_ROWS", 1)
    answer = send(client, jpeg(picture(SALTS)))
    assert (answer.status_code, answer.json["code"]) == (413, "too_many_pages")


def test_when_no_page_can_be_read_the_first_reason_is_given(client):
    answer = send(client, NOTHING, NOTHING)
    assert (answer.status_code, answer.json["code"]) == BLANK


@pytest.mark.parametrize(
    ("files", "status", "code", "words", "number"),
    [
        ([b"", NOTHING], 400, "empty_image", "第 1 个文件", 1),
        ([NOTHING, b"text"], 415, "unsupported_format", "第 2 个文件", 2),
        ([NOTHING, HOSTILE_PDFS["PDF：加密"][0]], 422, "pdf_encrypted", "第 2 个文件", 2),
        ([b"text"], 415, "unsupported_format", "这不是", None),
        ([NOTHING] * 21, 413, "too_many_pages", "20 页", None),
        ([NOTHING, many_pages(20)], 413, "too_many_pages", "20 页", None),
    ],
    ids=["空的", "不是图", "加密", "只有一个", "二十一张", "一张加二十页"],
)
def test_a_bad_file_among_several_is_named(client, files, status, code, words, number):
    answer = send(client, *files)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert words in answer.json["error"]
    assert answer.json.get("file") == number


def test_a_pdf_that_had_to_be_stopped_is_not_tried_page_by_page(client, monkeypatch):
    asked = []

    def stopped(data: bytes, index: int):
        asked.append(index)
        raise pdf.problem("too_heavy")

    monkeypatch.setattr(pdf, "render_page", stopped)
    answer = send(client, many_pages(8))
    assert (answer.status_code, answer.json["code"]) == (422, "pdf_too_heavy")
    assert asked == [0]


# ---- 视觉模型 ----


def shown(body: dict) -> list[tuple]:
    return [(item["code"], item["result"], item["page"], item["verified"]) for item in body["report"]["items"]]


def test_a_model_is_asked_page_by_page_and_verified_page_by_page(make_client, vision):
    files = photo_of(numbered_report(37), 37), jpeg(picture(SALTS))
    answers = iter([numbered_report(37).model_dump_json(), salts_as_read()])
    vision.answer = lambda body: next(answers)
    body = send(make_client(vision), *files).json
    assert len(vision.requests) == 2
    assert body["engines"]["verified_by"] == "embedded-report-reader"
    assert {(page, verified) for _, _, page, verified in shown(body)} == {(1, True), (2, True)}
    assert len(shown(body)) == 6


@pytest.mark.slow
def test_a_page_the_model_did_not_answer_is_read_by_the_embedded_reader_and_said(make_client, vision):
    answers = iter([salts_as_read(), "看不清这张图片"])
    vision.answer = lambda body: next(answers, "看不清这张图片")
    body = send(make_client(vision), jpeg(picture(SALTS)), jpeg(picture(KIDNEY))).json
    assert rows(body) == expected(SALTS, KIDNEY)
    assert {(page, verified) for _, _, page, verified in shown(body)} == {(1, True), (2, None)}
    assert f"第 2 页：{VISION_FAILED}" in body["notices"]


def test_pdf_pages_are_drawn_for_the_model(make_client, vision):
    vision.answer = lambda body: salts_as_read()
    body = send(make_client(vision, verify=False), scanned_pdf(picture(SALTS), picture(SALTS))).json
    assert len(vision.requests) == 2
    assert all("data:image/jpeg;base64," in json.dumps(request) for request in vision.requests)
    assert rows(body) == expected(SALTS)
    assert NOT_VERIFIED not in body["notices"]


def test_a_long_screenshot_is_cut_for_the_model(make_client, vision):
    screen = Image.new("RGB", (600, 3000), "white")
    screen.paste(picture(SALTS).resize((600, 400)))
    answers = iter([salts_as_read()])
    vision.answer = lambda body: next(answers, '{"items": []}')
    body = send(make_client(vision, verify=False), encode("PNG", screen)).json
    assert len(vision.requests) in (3, 4)
    assert rows(body) == expected(SALTS)


def salts_as_read() -> str:
    names = ("name", "code", "result", "unit", "reference_range")
    items = [dict(zip(names, row, strict=True)) for row in SALTS]
    return json.dumps({"report_type": "生化", "sex": "女", "age": "34岁", "items": items})
