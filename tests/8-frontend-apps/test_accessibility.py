"""axe 在每一屏、两种主题上找不到问题；读屏软件与键盘用得了。"""

import pytest
from web_app import ANALYZE, EXAMPLE, MIXED, answer, sse
from web_steps import FAILED, check_with_axe, choose, go_home, open_home, open_result, press, read, reply_with, save

pytestmark = pytest.mark.browser


@pytest.fixture(params=["light", pytest.param("dark", marks=pytest.mark.slow)])
def themed(page_without_csp, request):
    # axe 的脚本是测试塞进页面的，CSP 会拦
    page_without_csp.emulate_media(color_scheme=request.param, reduced_motion="reduce")
    return page_without_csp


def test_axe_finds_nothing_on_any_screen(themed, report_server):
    page = themed
    open_home(page, report_server)
    check_with_axe(page)

    choose(page, 2)
    check_with_axe(page)
    page.set_input_files("#more-input", {"name": "报告.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7"})
    page.wait_for_selector("#no-preview:not([hidden])")
    check_with_axe(page)

    page.route(ANALYZE, lambda route: None)
    press(page, "#read-button", "#progress:not([hidden])")
    check_with_axe(page)
    page.click("#cancel-button")

    page.route(ANALYZE, lambda route: route.fulfill(status=401, json={"error": "要口令", "code": "unauthorized"}))
    press(page, "#example-button", FAILED)
    check_with_axe(page)
    page.locator("#error .restart").click()

    told = [{"page": at, "pages": 2, "file": at, "problem": None, "preview": None} for at in (1, 2)]
    reply_with(page, "".join(sse("page", one) for one in told) + answer(MIXED))
    choose(page, 2)
    read(page)
    page.wait_for_selector("#photo-pages:not([hidden])")
    page.click("#rows summary")
    page.locator(".row[data-name=钾] .row-head").click()
    page.locator(".row[data-name=氯]").get_by_text("核对，改正").click()
    save(page)
    check_with_axe(page)
    go_home(page)
    page.click("#backup summary")
    check_with_axe(page)
    page.get_by_role("button", name="加一个人").click()
    check_with_axe(page)


def test_axe_finds_nothing_on_a_phone_in_large_text(phone_without_csp, report_server):
    page = phone_without_csp
    page.emulate_media(reduced_motion="reduce")
    page.goto(report_server)
    page.click("#text-button")
    check_with_axe(page)
    open_result(page, report_server, EXAMPLE)
    page.locator(".row-head").first.tap()
    check_with_axe(page)


def test_the_result_is_announced_in_order(page, report_server):
    """读屏软件从上往下听到的：标题、危急值、一句话、异常、没有判断的、正常、建议。"""
    open_result(page, report_server, MIXED)
    order = page.locator("#result").aria_snapshot()
    parts = ["血细胞分析", "尽快就医：钾 7.1", "本次 8 项", "钾 K ↑ 偏高", "氯 Cl ? 未判断", "正常 2 项", "是什么意思"]
    places = [order.find(part) for part in parts]
    assert -1 not in places, dict(zip(parts, places, strict=True))
    assert places == sorted(places)


def test_touch_targets_are_big_enough(phone, report_server):
    open_result(phone, report_server, MIXED)
    sizes = phone.evaluate(
        """() => [...document.querySelectorAll("button, summary, label.button")]
            .filter((node) => node.checkVisibility())
            .map((node) => [node.textContent, node.getBoundingClientRect().height])"""
    )
    assert [size for size in sizes if size[1] < 44] == []
