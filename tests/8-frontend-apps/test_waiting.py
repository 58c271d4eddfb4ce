"""等：现在在做什么、几秒了、真的上传进度、取消；断线、排队、出错以后不用重新选照片。"""

import re
from threading import Event

import pytest
from web_app import ADVISE, ANALYZE, HIGH, MIXED, NORMAL, SAMPLE, answer
from web_steps import DONE, FAILED, choose, is_inside, open_answer, press, read, reply_with

pytestmark = pytest.mark.browser


def start_waiting(page, url: str) -> None:
    """开始分析，服务器永远不答。"""
    page.route(ANALYZE, lambda route: None)
    page.goto(url)
    with page.expect_request(ANALYZE):
        page.click("#example-button")


def refuse_with(page, status: int, code: str, message: str, **headers: str) -> None:
    body = {"error": message, "code": code, "request_id": "1"}
    page.route(ANALYZE, lambda route: route.fulfill(status=status, json=body, headers=headers))


def fail_on_the_example(page, url: str) -> None:
    """打开网页，分析示例，等错误显示出来。"""
    page.goto(url)
    press(page, "#example-button", FAILED)


def current_step(page) -> str:
    return page.inner_text("#progress li[aria-current=step]")


def test_steps_follow_the_events_and_the_rows_do_not_wait_for_the_advice(page, service):
    """行是跟着 report 事件出来的，不等建议写完。"""
    accepted, report, *rest = (block + "\n\n" for block in answer(MIXED).split("\n\n")[:-1])
    may_report, may_end = Event(), Event()
    service.script = [accepted, may_report, report, may_end, *rest]
    page.goto(service.url)
    page.click("#example-button")
    page.wait_for_function("() => document.querySelector('#progress-text').textContent.includes('正在读')")
    assert current_step(page) == "识别"
    may_report.set()
    page.wait_for_selector(".row")
    assert current_step(page) == "建议"
    assert "正在写" in page.inner_text("#advice")
    may_end.set()
    page.wait_for_selector(DONE)
    page.wait_for_selector("#progress", state="hidden")


def test_the_upload_shows_real_progress(page, service):
    """网速 40 KB/s：进度条走在 0 和 1 之间。"""
    page.goto(service.url)
    page.set_input_files("#album-input", SAMPLE.OUTPUT)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    network.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": 40_000})
    page.click("#read-button")
    page.wait_for_function("() => (({ value }) => value > 0 && value < 1)(document.querySelector('#upload-progress'))")
    assert current_step(page) == "上传"
    network.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": -1})
    page.wait_for_selector(DONE)


def test_cancel_stops_the_request(page, report_server):
    start_waiting(page, report_server)
    with page.expect_event("requestfailed"):
        page.click("#cancel-button")
    page.wait_for_selector("#start:not([hidden])")
    assert page.locator("#progress").is_hidden()
    assert page.locator("#error").is_hidden()


def test_going_back_on_the_phone_cancels_and_stays_on_the_page(phone, report_server):
    start_waiting(phone, report_server)
    with phone.expect_event("requestfailed"):
        phone.evaluate("history.back()")
    assert phone.locator("#start").is_visible()


def test_a_long_wait_is_said(page_alone, report_server):
    page = page_alone
    page.clock.install()
    start_waiting(page, report_server)
    page.clock.run_for(20_000)  # 真的时间也在走，留出余地
    assert "比平时久" not in page.inner_text("#progress-text")
    page.clock.run_for(12_000)
    assert "比平时久" in page.inner_text("#progress-text")
    assert re.fullmatch(r"[34]\d 秒", page.inner_text("#elapsed"))


def test_a_second_photo_replaces_the_first(page, report_server):
    start_waiting(page, report_server)
    with page.expect_event("requestfailed"):
        page.set_input_files("#camera-input", SAMPLE.OUTPUT)
    reply_with(page, answer([NORMAL]))
    read(page)
    assert page.locator("#error").is_hidden()
    assert page.locator(".row").count() == 1


def test_a_dead_server_then_retry_with_the_same_photo(page, report_server):
    page.goto(report_server)
    page.route(ANALYZE, lambda route: route.abort())
    page.set_input_files("#album-input", SAMPLE.OUTPUT)
    press(page, "#read-button", FAILED)
    assert page.inner_text("#error-message") == "连不上服务器。"
    assert "不用重新选" in page.inner_text("#error-hint")
    assert is_inside(page, "#retry-button")
    reply_with(page, answer([NORMAL]))
    press(page, "#retry-button")
    assert page.locator("#error").is_hidden()
    assert page.inner_text("#tier") == "未见异常"


def test_a_lost_connection_is_tried_again_when_it_is_back(page, report_server):
    page.goto(report_server)
    choose(page)
    page.context.set_offline(True)
    page.wait_for_selector("#offline:not([hidden])")
    press(page, "#read-button", FAILED)
    assert "连上网以后会自动再试" in page.inner_text("#error-hint")
    reply_with(page, answer([NORMAL]))
    page.context.set_offline(False)
    page.wait_for_selector(DONE)
    assert page.locator("#offline").is_hidden()


@pytest.mark.parametrize(("end", "title"), [("accepted", "没有读成"), ("advice", "结果出来了，建议没有写完")])
def test_a_stream_that_breaks_off(page, report_server, end, title):
    open_answer(page, report_server, answer([HIGH], end), FAILED)
    assert page.inner_text("#error-title") == title
    assert page.locator(".row").count() == (1 if end == "advice" else 0)
    assert ("没有写完" in page.inner_text("#advice")) if end == "advice" else page.locator("#result").is_hidden()
    assert page.locator("#progress").is_hidden()


@pytest.mark.parametrize(
    ("code", "message", "hint"),
    [
        ("not_a_lab_report", "没有找到检验项目。", "影像报告"),
        ("other_paper", "这是处方，不是化验单。", "只读化验单"),
        ("unsupported_language", "这是一张日文的单子，还不会读。", "请直接就医"),
    ],
)
def test_an_error_event_is_shown_in_the_servers_words(page, report_server, code, message, hint):
    error = f'event: error\ndata: {{"code": "{code}", "error": "{message}"}}\n\n'
    open_answer(page, report_server, answer([HIGH], "accepted") + error, FAILED)
    assert page.inner_text("#error-message") == message
    assert hint in page.inner_text("#error-hint")
    # 这一张本身不行：再试也一样，给的是换一份
    assert page.locator("#error .button:visible").all_inner_texts() == ["换一份"]
    assert page.evaluate("document.activeElement.id") == "other-button"


def test_a_busy_server_says_how_long_to_wait(page, report_server):
    refuse_with(page, 429, "too_busy", "现在用的人多。", **{"Retry-After": "12"})
    fail_on_the_example(page, report_server)
    assert page.inner_text("#error-message") == "现在用的人多。"
    assert "请过 12 秒再试" in page.inner_text("#error-hint")


def test_a_service_with_a_key_asks_for_it_and_sends_it(page, report_server):
    refuse_with(page, 401, "key_needed", "请在请求头里写密钥。")
    fail_on_the_example(page, report_server)
    assert page.locator("#key-form").is_visible()
    assert page.inner_text("#error-message") == "这个服务要访问口令。"
    reply_with(page, answer([NORMAL]))
    page.keyboard.type("tongue-depressor")
    with page.expect_request(ANALYZE) as sent:
        page.keyboard.press("Enter")
    assert sent.value.headers["x-api-key"] == "tongue-depressor"
    page.wait_for_selector(DONE)
    with page.expect_request(ADVISE) as corrected:
        page.locator(".row-head").first.click()
        page.click("text=读错了，改正")
        page.click("text=按原件重新判断")
    assert corrected.value.headers["x-api-key"] == "tongue-depressor"
    assert page.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0


def test_what_needs_the_whole_result_is_not_offered_before_it_is_there(page, report_server):
    """建议没有写完就断了：打印得了已经有的，没有得存、分享，也不说别的原因。"""
    open_answer(page, report_server, answer([HIGH], end="advice"), FAILED)
    assert page.locator(".after .button:visible").all_inner_texts() == ["打印或存成 PDF", "再看一张"]
    assert page.locator("#owner").is_hidden()
    reply_with(page, answer([HIGH]))
    press(page, "#retry-button")
    assert page.locator("#save-button").is_visible()
