"""状态页在真的浏览器里：数据出来了，手机上不横着滚，模型说的什么都只是字；CSP 拦下任何东西都算失败。"""

import json

import pytest
from fake_upstreams import FakeUpstream
from model_servers import serving
from reverse_proxies import ReverseProxy

pytestmark = pytest.mark.browser
EVIL = "<img src=x onerror=alert(1)><script>alert(2)</script>"
ANSWER = {
    "engines": {"vision": EVIL, "verified_by": "embedded-report-reader", "advice": "x"},
    "timings_ms": {"total": 1200},
    "notices": [EVIL],
    "report": {"items": [{"name": EVIL}]},
    "exchanges": [{"upstream": "vision", "model": EVIL, "ms": 900, "request": {"messages": [EVIL]}, "response": EVIL}],
}


def open_status(page, server: str):
    page.goto(f"{server}/status")
    page.wait_for_selector("#flow li")
    return page


@pytest.fixture
def status(page, report_server):
    return open_status(page, report_server)


def test_the_numbers_come_and_follow_the_server(page_alone, report_server):
    page_alone.clock.install()
    status = open_status(page_alone, report_server)
    assert status.locator("#flow li").count() == 3
    assert "embedded-report-reader" in status.inner_text("#flow")
    assert status.locator("#numbers dd").count() == 6
    before = status.inner_text("#freshness")
    status.clock.fast_forward("00:06")  # 每 5 秒更新
    status.locator("#freshness").filter(has_not_text=before).wait_for()


@pytest.mark.parametrize("size", [(320, 568), (390, 844), (1440, 900)])
def test_nothing_scrolls_sideways(status, size):
    status.set_viewport_size({"width": size[0], "height": size[1]})
    assert status.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_a_model_says_is_only_text(status):
    status.route("**/analyze_medical_report?trace=1", lambda route: route.fulfill(json=ANSWER))
    status.set_input_files("#photo", {"name": "a.png", "mimeType": "image/png", "buffer": b"x"})
    status.click("#try button")
    status.wait_for_selector("#outcome details")
    assert EVIL in status.inner_text("#outcome")
    assert status.locator("#outcome img, #outcome script").count() == 0
    assert json.dumps(EVIL) in status.locator("#outcome pre").first.text_content()


def test_a_photo_that_cannot_be_read_says_why(status):
    # 真的 422 浏览器自己会在控制台记一笔，那里有东西算失败
    problem = {"error": "看不清。", "code": "report_unreadable", "request_id": "0123"}
    status.route("**/analyze_medical_report?trace=1", lambda route: route.fulfill(json=problem))
    status.set_input_files("#photo", {"name": "a.png", "mimeType": "image/png", "buffer": b"x"})
    status.click("#try button")
    assert status.inner_text("#outcome .failed") == "看不清。（report_unreadable，请求号 0123）"


def test_it_works_below_a_path_of_a_reverse_proxy(page, report_server, photo):
    with ReverseProxy(report_server, "/tools/health") as proxy:
        status = open_status(page, proxy.url.rstrip("/"))
        assert "embedded-report-reader" in status.inner_text("#flow")
        assert status.evaluate("getComputedStyle(document.querySelector('#numbers')).display") == "grid"
        status.set_input_files("#photo", {"name": "a.png", "mimeType": "image/png", "buffer": photo})
        status.click("#try button")
        status.wait_for_selector("#outcome details", timeout=60_000)
    assert not [path for path in proxy.seen if not path.startswith("/tools/health/")]


def test_fields_an_upstream_refuses_are_said(page, make_client):
    with FakeUpstream(lambda body: "x", ["picky"]) as fake:
        fake.refused = {
            "response_format": "response_format is not supported",
            "max_tokens": "use max_completion_tokens",
        }
        client = make_client(advisor=fake)
        with serving(client.application) as server:
            row = {"name": "钾", "code": "K", "result": "6.0", "unit": "mmol/L", "reference_range": "3.5-5.3"}
            client.post("/advice", json={"report": {"items": [row]}})
            open_status(page, server.root)
            said = page.inner_text("#flow")
    assert "不接受 response_format、max_tokens（改用 max_completion_tokens）" in said
