"""网页：真的浏览器打开真的服务。慢的两次识别各做一次；页面怎么显示各种结果，用拦下来的回答试。"""

import importlib.util
import io
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import DISCLAIMER, ReadItem, ReadReport, RowEvidence

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parent.parent.parent
APP = ROOT / "8-frontend-apps/HealthAssistantWebApp"
REAL_REPORTS = ROOT.parent / "shared/data/reports"
ENDPOINT = "**/analyze_medical_report"
DONE = "#engines:not(:empty)"
READING_MS = 60_000


def load_sample():
    spec = importlib.util.spec_from_file_location("make_sample_report", ROOT / "8-frontend-apps/make_sample_report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SAMPLE = load_sample()
WORDS = {"↑": "↑ 偏高", "↓": "↓ 偏低"}


def shown_rows(page, flags: str) -> list[tuple[str, str]]:
    rows = page.locator(flags).all()
    return [(row.get_attribute("data-name"), row.locator(".flag").inner_text()) for row in rows]


ABNORMAL = ".row:is([data-flag=high], [data-flag=low], [data-flag=abnormal])"


def fits(page) -> bool:
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


# ---- 示例化验单，真的识别一次 ----


@pytest.fixture(scope="module")
def example(shared_page, report_server):
    shared_page.goto(report_server)
    shared_page.click("#example-button")
    shared_page.wait_for_selector(DONE, timeout=READING_MS)
    return shared_page


def test_example_shows_exactly_the_abnormal_rows(example):
    expected = [(name, WORDS[mark]) for name, _, _, mark, _, _ in SAMPLE.ROWS if mark]
    assert shown_rows(example, ABNORMAL) == expected
    assert example.inner_text("#summary") == f"共 {len(SAMPLE.ROWS)} 项，异常 {len(expected)} 项"


def test_every_row_shows_what_is_printed(example):
    example.locator("#rows details").evaluate("details => details.open = true")
    shown = {
        row.get_attribute("data-name"): tuple(
            row.locator(part).inner_text() for part in (".code", ".number", ".unit", ".range")
        )
        for row in example.locator(".row").all()
    }
    assert shown == {
        name: (code, result, unit, f"参考范围 {printed}") for name, code, result, _, unit, printed in SAMPLE.ROWS
    }
    example.locator("#rows details").evaluate("details => details.open = false")


def test_example_says_how_serious_who_answered_and_that_it_may_be_wrong(example):
    assert example.locator("#triage h2").inner_text() == "近期门诊"
    assert "血红蛋白" in example.inner_text("#advice")
    assert re.search(r"读图：\S+。建议：\S+。.*自动生成", example.inner_text("#engines"))
    assert example.inner_text("#disclaimer") == f"AI 生成，仅供参考。{DISCLAIMER}"
    assert example.locator("#progress").is_hidden()


def test_pointing_at_a_row_circles_it_on_the_photo(example):
    number = next(i for i, row in enumerate(SAMPLE.ROWS, start=1) if row[0] == "血红蛋白")
    example.locator(".row[data-name=血红蛋白]").hover()
    photo, box = example.locator("#photo").bounding_box(), example.locator("#highlight").bounding_box()
    middle = (box["y"] + box["height"] / 2 - photo["y"]) / photo["height"] * Image.open(SAMPLE.OUTPUT).height
    assert abs(middle - SAMPLE.row_middle(number)) < SAMPLE.ROW_HEIGHT / 4
    assert box["width"] > photo["width"] * 0.6


@pytest.mark.parametrize("width", [320, 390, 768, 960, 1280])
def test_no_horizontal_scrolling(example, width):
    example.set_viewport_size({"width": width, "height": 800})
    assert fits(example)


def test_nothing_is_stored(example):
    assert example.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


# ---- 真的照片 ----


@pytest.mark.skipif(not REAL_REPORTS.is_dir(), reason="没有真实化验单照片（../shared/data/reports）")
def test_real_photo_shows_exactly_the_abnormal_rows(page, report_server):
    lines = (REAL_REPORTS / "truth.jsonl").read_text("utf-8").splitlines()
    truth = next(one for one in map(json.loads, lines) if one["file"] == "photo-04.jpg")
    words = {"H": "↑ 偏高", "L": "↓ 偏低"}
    page.goto(report_server)
    page.set_input_files("#album-input", REAL_REPORTS / truth["file"])
    page.wait_for_selector(DONE, timeout=READING_MS)
    expected = [(item["name"], words[item["flag"]]) for item in truth["items"] if item["flag"] in words]
    assert shown_rows(page, ABNORMAL) == expected


# ---- 各种结果怎么显示：回答是真的判断代码写的，只是不经过识别 ----


def answer(items: list[ReadItem], end: str = "done") -> str:
    """一次完整的 SSE 回答；end 之后的事件不发。"""
    rows = [RowEvidence(boxes={"row": (80, 100 + 40 * i, 1160, 130 + 40 * i)}) for i in range(len(items))]
    report = assess(ReadReport(report_type="生化", sex="女", age="34岁", items=items), rows).model_dump()
    advice = {"advice_html": "<p>多喝水</p>"}
    engines = {"vision": "读者甲", "advice": "顾问乙"}
    events = {
        "accepted": {"request_id": "1"},
        "report": report,
        "advice": advice,
        "done": {**advice, "report": report, "engines": engines, "disclaimer": DISCLAIMER},
    }
    names = list(events)[: list(events).index(end) + 1]
    return "".join(f"event: {name}\ndata: {json.dumps(events[name], ensure_ascii=False)}\n\n" for name in names)


def reply_with(page, body: str) -> None:
    page.route(ENDPOINT, lambda route: route.fulfill(body=body, content_type="text/event-stream"))


NORMAL = ReadItem(name="尿素", code="UREA", result="5.1", unit="mmol/L", reference_range="2.6-7.5")
HIGH = ReadItem(name="总胆固醇", code="TC", result="6.3", unit="mmol/L", reference_range="<5.2", mark="↑")
LOW = ReadItem(name="高密度脂蛋白胆固醇", code="HDL-C", result="0.8", unit="mmol/L", reference_range=">1.04")
POSITIVE = ReadItem(name="尿蛋白", code="PRO", result="2+", reference_range="阴性")
CRITICAL = ReadItem(name="钾", code="K", result="7.1", unit="mmol/L", reference_range="3.5-5.3", mark="↑")
UNPRINTED = ReadItem(name="钠", code="Na", result="140", unit="mmol/L")
CONTRADICTED = ReadItem(name="氯", code="Cl", result="103", unit="mmol/L", reference_range="99-110", mark="↑")
UNKNOWN_RANGE = ReadItem(name="某项", code="XYZ", result="12", unit="U/L")


@pytest.fixture
def mixed(page, report_server):
    reply_with(page, answer([NORMAL, HIGH, LOW, POSITIVE, CRITICAL, UNPRINTED, CONTRADICTED, UNKNOWN_RANGE]))
    page.goto(report_server)
    page.click("#example-button")
    page.wait_for_selector(DONE)
    return page


def test_critical_rows_and_notices_come_first(mixed):
    assert mixed.locator("#triage h2").inner_text() == "尽快急诊"
    notices = mixed.get_by_role("alert").filter(has_text="尽快就医")
    assert notices.locator("p").first.inner_text().startswith("尽快就医：钾 7.1")
    assert shown_rows(mixed, ABNORMAL) == [
        ("钾", "↑ 偏高"),
        ("总胆固醇", "↑ 偏高"),
        ("高密度脂蛋白胆固醇", "↓ 偏低"),
        ("尿蛋白", "! 异常"),
    ]
    assert "达到危急值" in mixed.inner_text(".row[data-name=钾]")


def test_unjudged_rows_say_why_and_show_the_photo(mixed):
    assert mixed.inner_text("#summary") == "共 8 项，异常 4 项，未判断 2 项"
    row = mixed.locator(".row[data-name=氯]")
    assert row.locator(".flag").inner_text() == "? 未判断"
    assert "与数值和参考范围不符" in row.locator(".note").inner_text()
    assert row.locator(".crop canvas").is_visible()
    assert row.locator(".bar").count() == 0
    assert mixed.inner_text(".row[data-name=某项] .range") == "未印参考范围"


def test_catalogue_range_is_marked(mixed):
    mixed.click("#rows summary")
    assert "目录范围" in mixed.inner_text(".row[data-name=钠] .range")
    assert "目录范围" not in mixed.inner_text(".row[data-name=尿素] .range")


@pytest.mark.parametrize(("name", "side"), [("钾", 1), ("总胆固醇", 1), ("高密度脂蛋白胆固醇", -1)])
def test_dot_lies_on_the_right_side_of_the_range(mixed, name, side):
    row = mixed.locator(f".row[data-name={name}]")
    zone, dot = row.locator(".zone").bounding_box(), row.locator(".dot").bounding_box()
    middle = dot["x"] + dot["width"] / 2
    assert middle > zone["x"] + zone["width"] if side > 0 else middle < zone["x"]


def test_keyboard_alone_reaches_the_result(page, report_server):
    reply_with(page, answer([NORMAL, HIGH]))
    page.goto(report_server)
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "example-button":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    assert page.evaluate("document.activeElement.id") == "result-title"
    page.keyboard.press("Tab")
    assert page.locator("#highlight").is_visible()
    page.keyboard.press("Enter")
    assert page.locator(".row[data-name=总胆固醇] .crop canvas").is_visible()


def test_start_over_leaves_nothing_of_the_last_report(mixed):
    mixed.locator("#result .restart").click()
    assert mixed.locator("#start").is_visible()
    assert mixed.locator("#result").is_hidden()
    assert mixed.locator("#photo").get_attribute("src") is None


def test_printing_keeps_the_result_and_drops_the_rest(mixed):
    mixed.emulate_media(media="print")
    assert mixed.locator("#triage").is_visible()
    assert mixed.locator("#disclaimer").is_visible()
    assert mixed.locator("#preview").is_hidden()
    assert mixed.locator("#print-button").is_hidden()


# ---- 出错、取消、换一张 ----


def test_a_file_that_is_no_image_is_explained_and_can_be_resent(page, report_server):
    page.goto(report_server)
    text = {"name": "笔记.txt", "mimeType": "text/plain", "buffer": "不是照片".encode()}
    with page.expect_response(ENDPOINT) as refused:
        page.set_input_files("#album-input", text)
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error-message") == refused.value.json()["error"]
    assert "JPEG" in page.inner_text("#error-hint")
    with page.expect_response(ENDPOINT) as resent:
        page.click("#retry-button")
    assert resent.value.status == refused.value.status
    page.wait_for_selector("#error:not([hidden])")
    page.locator("#error .restart").click()
    assert page.locator("#start").is_visible()


def test_network_failure_then_retry(page, report_server):
    page.goto(report_server)
    page.route(ENDPOINT, lambda route: route.abort())
    page.click("#example-button")
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error-message") == "连不上服务器。"
    page.unroute(ENDPOINT)
    reply_with(page, answer([NORMAL]))
    page.click("#retry-button")
    page.wait_for_selector(DONE)
    assert page.locator("#error").is_hidden()
    assert page.inner_text("#triage h2") == "未见异常"


@pytest.mark.parametrize(("end", "title"), [("accepted", "没有读成"), ("advice", "结果出来了，建议没有写完")])
def test_a_stream_that_breaks_off(page, report_server, end, title):
    reply_with(page, answer([HIGH], end))
    page.goto(report_server)
    page.click("#example-button")
    page.wait_for_selector("#error:not([hidden])")
    assert page.inner_text("#error-title") == title
    assert page.locator(".row").count() == (1 if end == "advice" else 0)
    assert page.locator("#progress").is_hidden()


def test_cancel_stops_the_request(page, report_server):
    page.route(ENDPOINT, lambda route: None)  # 永远不答
    page.goto(report_server)
    with page.expect_request(ENDPOINT):
        page.click("#example-button")
    with page.expect_event("requestfailed"):
        page.click("#cancel-button")
    assert page.locator("#start").is_visible()
    assert page.locator("#progress").is_hidden()
    assert page.locator("#error").is_hidden()


def test_a_long_wait_is_said(page, report_server):
    page.clock.install()
    page.route(ENDPOINT, lambda route: None)
    page.goto(report_server)
    with page.expect_request(ENDPOINT):
        page.click("#example-button")
    page.clock.run_for(29_000)
    assert "比平时久" not in page.inner_text("#progress-text")
    page.clock.run_for(3_000)
    assert "比平时久" in page.inner_text("#progress-text")
    assert re.fullmatch(r"3\d 秒", page.inner_text("#elapsed"))


def test_a_second_photo_replaces_the_first(page, report_server):
    replies = [lambda route: None, lambda route: route.fulfill(body=answer([NORMAL]), content_type="text/event-stream")]
    page.route(ENDPOINT, lambda route: replies.pop(0)(route))
    page.goto(report_server)
    with page.expect_request(ENDPOINT):
        page.set_input_files("#album-input", SAMPLE.OUTPUT)
    with page.expect_event("requestfailed"):
        page.set_input_files("#camera-input", SAMPLE.OUTPUT)
    page.wait_for_selector(DONE)
    assert page.locator("#error").is_hidden()
    assert page.locator(".row").count() == 1


# ---- 上传前的处理 ----


def test_a_huge_phone_photo_is_shrunk_upright(page, report_server):
    exif = Image.Exif()
    exif[0x0112] = 6  # 手机竖着拍：像素横着存，要转 90 度
    photo = io.BytesIO()
    Image.effect_noise((4000, 2000), 90).save(photo, "JPEG", quality=95, exif=exif)
    assert len(photo.getvalue()) > 4 * 1024 * 1024
    reply_with(page, answer([NORMAL]))
    page.goto(report_server)
    page.set_input_files("#album-input", {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo.getvalue()})
    page.wait_for_selector(DONE)
    size = page.locator("#photo").evaluate("photo => [photo.naturalWidth, photo.naturalHeight]")
    assert size == [1500, 3000]


def test_server_html_enters_the_page_in_one_place_only():
    scripts = "".join(path.read_text("utf-8") for path in APP.glob("js/*.js"))
    assert len(re.findall(r"\.innerHTML\b", scripts)) == 1
    assert not re.search(r"insertAdjacentHTML|outerHTML|document\.write|localStorage|sessionStorage", scripts)
