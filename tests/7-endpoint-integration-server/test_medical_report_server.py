"""阶段 7 的服务：真的进程，真的 HTTP。好的照片有好的回答，坏的上传得到说得清的错误，什么都不落盘。"""

import io
import json

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from pdf_files import MINERALS, text_pdf
from PIL import Image
from report_servers import events, upload
from stage_scripts import run, run_well

from health_assistant.images import encoded

CLIENT = "7-endpoint-integration-server/test_client.py"
SALT = {"name": "钾", "result": "4.1"}


def jpeg(size=(800, 600)) -> bytes:
    return encoded(Image.effect_noise(size, 60).convert("RGB"), "JPEG", quality=95)


@pytest.fixture(scope="module")
def read_events(report_server, photo):
    response = upload(report_server, photo, stream=True)
    assert response.headers["Content-Type"].startswith("text/event-stream")
    return events(response.content)


# ---- 好的照片 ----


def test_events_come_in_order_and_end_with_the_whole_answer(read_events):
    names = [name for name, _ in read_events]
    assert names[:2] == ["accepted", "report"]
    assert set(names[2:-1]) == {"advice"}
    assert names[-1] == "done"
    report, done = read_events[1][1], read_events[-1][1]
    assert done["report"] == report
    assert done["advice_html"] == "".join(data["advice_html"] for name, data in read_events if name == "advice")
    assert done["request_id"] == read_events[0][1]["request_id"]


def test_the_answer_keeps_the_contract(read_events, photo):
    done = read_events[-1][1]
    assert list(done) == [
        "request_id", "analysis_result", "health_recommendations", "advice_html", "report",
        "triage", "notices", "engines", "timings_ms", "disclaimer",
    ]  # fmt: skip
    assert done["engines"] == {"vision": "embedded-report-reader", "advice": "embedded-health-advisor"}
    assert "血红蛋白" in done["health_recommendations"]
    assert "不能代替医生" in done["disclaimer"]
    assert {item["page"] for item in done["report"]["items"]} == {1}
    item = next(item for item in done["report"]["items"] if item["name"] == "血红蛋白")
    assert (item["flag"], item["result"], item["range_source"]) == ("low", "107", "printed")
    assert item["confidence"] > 0.8
    x0, y0, x1, y1 = item["boxes"]["row"]
    width, height = Image.open(io.BytesIO(photo)).size
    assert 0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height


def test_json_without_asking_for_a_stream(report_server, read_events, photo):
    answer = upload(report_server, photo)
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json()["report"] == read_events[1][1]


def test_corrected_rows_are_judged_anew(report_server, read_events):
    report = read_events[1][1]
    item = next(item for item in report["items"] if item["name"] == "血红蛋白")
    corrected = {**item, "result": "130", "mark": None, "flag": "high"}
    rows = [corrected if one is item else one for one in report["items"]]
    answer = requests.post(f"{report_server}/advice", json={"report": {**report, "items": rows}}, timeout=30).json()
    again = next(item for item in answer["report"]["items"] if item["name"] == "血红蛋白")
    assert again["flag"] == "normal"
    assert answer["engines"]["vision"] == "人工核对"
    assert "血红蛋白 130" not in answer["health_recommendations"]


def test_a_read_report_leaves_as_fhir(report_server, read_events):
    """判断重新做：传来的 flag 不算数；各格的位置跟着去。"""
    report = read_events[1][1]
    claimed = {**report, "items": [{**item, "flag": "normal", "critical": False} for item in report["items"]]}
    answer = requests.post(f"{report_server}/fhir", json={"report": claimed}, timeout=30)
    assert answer.headers["Content-Type"] == "application/fhir+json"
    assert answer.headers["Cache-Control"] == "no-store"
    bundle = Bundle.model_validate(answer.json())
    rows = [entry.resource for entry in bundle.entry if entry.resource.get_resource_type() == "Observation"]
    low = next(row for row in rows if row.code.text.startswith("血红蛋白"))
    assert (low.code.coding[0].code, low.interpretation[0].coding[0].code) == ("718-7", "L")
    assert (float(low.valueQuantity.value), low.valueQuantity.code) == (107, "g/L")
    places = [one.resource for one in bundle.entry if one.resource.get_resource_type() == "Provenance"]
    assert len(places) == len(rows) == len(report["items"])
    assert all("xywh=pixel:" in one.entity[0].what.identifier.value for one in places)


def test_a_corrected_row_and_an_open_doubt_leave_as_what_they_are(report_server):
    """没有印范围的行，读的人的疑问照旧；没有印参考范围不是疑问。"""
    rows = [
        {"name": "钾", "result": "4.10", "unit": "mmol/L", "corrected": True},
        {"name": "某甲", "result": "5.1", "doubt": "字迹不清，读数没有把握"},
        {"name": "某乙", "result": "5.1", "doubt": None, "note": "没有印参考范围"},
    ]
    answer = requests.post(f"{report_server}/fhir", json={"report": {"items": rows}}, timeout=30)
    assert '"value": 4.10,' in answer.text
    found = [entry["resource"] for entry in answer.json()["entry"]]
    observations = [one for one in found if one["resourceType"] == "Observation"]
    assert ["valueQuantity" in one for one in observations] == [True, False, True]
    agents = [one["agent"][0]["type"]["text"] for one in found if one["resourceType"] == "Provenance"]
    assert agents == ["人工改正", "软件识别", "软件识别"]


def test_a_time_that_is_no_time_is_refused(report_server):
    report = {"items": [{"name": "钾", "result": "4.1"}], "origin": {"collected": {"value": "昨天"}}}
    for value in ("昨天", "2026-W48-4", "20261126", "2026-02-30", ""):
        report["origin"]["collected"]["value"] = value
        answer = requests.post(f"{report_server}/fhir", json={"report": report}, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_report")
    report["origin"]["collected"]["value"] = "2026-11-26T07:10"
    again = requests.post(f"{report_server}/advice", json={"report": report}, timeout=30).json()
    assert again["report"]["origin"]["collected"]["value"] == "2026-11-26T07:10"


def test_text_from_the_paper_is_never_html(report_server):
    evil = {"name": "<script>alert(1)</script>", "result": "9", "reference_range": "1-2", "unit": "[x](javascript:1)"}
    answer = requests.post(f"{report_server}/advice", json={"report": {"items": [evil]}}, timeout=30).json()
    assert "<script" not in answer["advice_html"]
    assert "<a" not in answer["advice_html"]
    assert "&lt;script&gt;" in answer["advice_html"]


@pytest.mark.parametrize(
    ("sent", "said", "english"),
    [
        ("{", "整个请求体 不是 JSON", "the whole body is not JSON"),
        ({}, "report 没有写", "report is missing"),
        ({"report": 5}, "report 要写成对象", "report must be an object"),
        ({"report": {"items": []}}, "report.items 至少 1 个", "report.items needs at least 1 entries"),
        ({"report": {"items": [SALT] * 301}}, "一页最多 300 行", "at most 300 rows a page"),
        ({"report": {"items": [SALT] * 301 + [{**SALT, "page": 2}]}}, "一页最多 300 行", "at most 300 rows a page"),
        (
            {"report": {"items": [{**SALT, "page": 1 + at % 20} for at in range(1501)]}},
            "report.items 至多 1500 个",
            "report.items has more than 1500",
        ),
        ({"report": {"items": [{**SALT, "result": 4}]}}, "items.0.result 要写成字符串", "must be a string"),
        ({"report": {"items": [{**SALT, "name": "钾" * 201}]}}, "items.0.name 至多 200 个字", "more than 200"),
        ({"report": {"items": [{**SALT, "page": "两"}]}}, "items.0.page 要写成整数", "must be a whole number"),
        ({"report": {"items": [{**SALT, "page": 0}]}}, "items.0.page 至少是 1", "must be at least 1"),
        ({"report": {"items": [SALT], "sex": "x"}}, "report.sex 只能是 '男'、'女'", "report.sex must be one of"),
        ({"report": {"items": [SALT], "origin": {"collected": {"value": "昨天"}}}}, "要写成 2026-11-26", "2026-11-26"),
        ({"report": {"items": [SALT], "origin": {"reported": {"value": "2026-02-30"}}}}, "没有 2026-02-30", "no time"),
    ],
)
def test_what_is_not_the_expected_json_is_told_what_was_expected(report_server, sent, said, english):
    body = sent if isinstance(sent, str) else json.dumps(sent)
    for language, words in (("zh", said), ("en", english)):
        answer = requests.post(f"{report_server}/advice", data=body, headers={"Accept-Language": language}, timeout=30)
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_report")
        assert words in answer.json()["error"], answer.json()["error"]


def test_a_form_with_too_many_fields_is_not_called_too_large(report_server, photo):
    answer = upload(report_server, photo, form={f"field{number}": "1" for number in range(2000)})
    assert (answer.status_code, answer.json()["code"]) == (413, "form_too_large")
    assert "字段太多" in answer.json()["error"] and "缩小" not in answer.json()["error"]


def test_client_script_writes_the_result_and_does_not_ask_twice(report_server, photo, tmp_path):
    (tmp_path / "report.png").write_bytes(photo)
    ask = [tmp_path, CLIENT, tmp_path / "report.png", "--server", report_server]
    assert "↓ 偏低" in run_well(*ask)
    folder = tmp_path / "7-endpoint-integration-server"
    assert {file.name for file in folder.iterdir()} == {"result.json", "analysis.md", "advice.md", "finished.json"}
    assert "问过了" in run_well(*ask)


@pytest.mark.slow
def test_client_script_sends_several_files_as_one_report(report_server, photo, tmp_path):
    (tmp_path / "一.png").write_bytes(photo)
    (tmp_path / "二.pdf").write_bytes(text_pdf(MINERALS))
    said = run_well(tmp_path, CLIENT, tmp_path / "一.png", tmp_path / "二.pdf", "--server", report_server)
    assert "第 2 页（共 2 页）读完了" in said
    assert "血红蛋白" in said and "Potassium" in said


def test_client_script_says_when_there_is_no_server(photo, tmp_path):
    (tmp_path / "report.png").write_bytes(photo)
    done = run(tmp_path, CLIENT, tmp_path / "report.png", "--server", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "bash run.sh app" in done.stderr


# ---- 坏的上传：更多的在 test_upload.py ----


@pytest.mark.parametrize(
    ("data", "field", "status", "code"),
    [
        (jpeg(), "photo", 400, "missing_image"),
        (b"\xff\xd8" + b"\0" * 21 * 1024 * 1024, "image", 413, "image_too_large"),
    ],
    ids=["没有 image 字段", "太大的文件"],
)
def test_uploads_that_are_no_photo_get_a_chinese_error(report_server, data, field, status, code):
    answer = upload(report_server, data, field)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert any("一" <= char <= "鿿" for char in answer.json()["error"])


def test_errors_after_the_stream_has_begun_are_events(report_server):
    *_, (name, body) = events(upload(report_server, jpeg()[:20_000], stream=True).content)
    assert (name, body["code"]) == ("error", "broken_image")


def test_a_busy_port_is_said_plainly(report_server, tmp_path):
    port = report_server.rsplit(":", 1)[1]
    done = run(tmp_path, "7-endpoint-integration-server/medical_report_server.py", "--port", port)
    assert done.returncode == 2
    assert f"127.0.0.1:{port} 不能用" in done.stderr


# ---- 网页与隐私 ----
