"""手抖连点两下：一个请求、一个结果；第二下落在刚换上来的东西上，不算按了它。返回、刷新、切到别的标签页也一样。"""

import time
from threading import Event

import pytest
from web_app import ANALYZE, HIGH, NORMAL, SAMPLE, answer
from web_steps import DONE, FAILED, choose, keep, open_result, press, read, reply_with

pytestmark = pytest.mark.browser
SLOW = pytest.mark.slow
GAP_MS = 60
STEPS = [
    ("work", "back"), ("work", "reload"),
    pytest.param("check", "reload", marks=SLOW), pytest.param("result", "back", marks=SLOW),
]  # fmt: skip


COUNT_TAPS = """() => {
    window.taps = 0;
    window.countTap ??= () => { window.taps += 1; };
    addEventListener("click", window.countTap, true);
}"""


def tap_twice(page, selector: str, gap_ms: int = GAP_MS) -> None:
    """在按钮的中间连点两下，不管第一下以后那里换成了什么。

    按下的时刻写在事件里：机器再忙，网页看到的两下也正好差 gap_ms。
    """
    page.locator(selector).scroll_into_view_if_needed()
    box = page.locator(selector).bounding_box()
    middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    page.evaluate(COUNT_TAPS)
    session, at = page.context.new_cdp_session(page), time.time()
    for seconds in (at, at + gap_ms / 1000):
        for kind, points in (("touchStart", [middle]), ("touchEnd", [])):
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points, "timestamp": seconds})
        page.wait_for_timeout(gap_ms)


def wait_for_both(page) -> None:
    """两下都按到了按钮，网页都收到了。"""
    page.wait_for_function("() => window.taps === 2")


@pytest.mark.parametrize("gap_ms", [GAP_MS, *(pytest.param(gap_ms, marks=SLOW) for gap_ms in (0, 120))])
def test_two_taps_start_one_analysis(phone, service, gap_ms):
    """示例、开始识别、重试：各一个请求，到得了结果。"""
    phone.goto(service.url)
    tap_twice(phone, "#example-button", gap_ms)
    phone.wait_for_selector(DONE)
    assert len(service.bodies) == 1
    phone.wait_for_timeout(400)  # 没有人看到结果以后这么快就点
    tap_twice(phone, "#result .restart", gap_ms)
    phone.wait_for_selector("#start:not([hidden])")
    choose(phone)
    tap_twice(phone, "#read-button", gap_ms)
    phone.wait_for_selector(DONE)
    assert len(service.bodies) == 2
    phone.route(ANALYZE, lambda route: route.abort())
    phone.locator("#result .restart").tap()
    choose(phone)
    phone.tap("#read-button")
    phone.wait_for_selector(FAILED)
    phone.unroute(ANALYZE)
    tap_twice(phone, "#retry-button", gap_ms)
    phone.wait_for_selector(DONE)
    assert len(service.bodies) == 3
    assert phone.locator("#error").is_hidden()


def test_two_taps_on_cancel_and_choose_again_only_go_home(phone, service):
    may_end = Event()
    service.script = [may_end, answer([NORMAL])]
    phone.goto(service.url)
    phone.tap("#example-button")
    phone.wait_for_selector("#photo-pane:not([hidden])", state="attached")  # 照片一出来，按钮就挪了地方
    tap_twice(phone, "#cancel-button")
    may_end.set()
    phone.wait_for_selector("#start:not([hidden])")
    choose(phone)
    tap_twice(phone, "#back-button")
    phone.wait_for_selector("#start:not([hidden])")
    assert phone.locator("#error").is_hidden()


def test_two_taps_take_one_page_away(phone, service):
    phone.goto(service.url)
    choose(phone, 3)
    tap_twice(phone, "#remove-button")
    phone.wait_for_function("() => document.querySelector('#page-words').textContent.includes('还有')")
    phone.wait_for_timeout(200)
    assert phone.locator("#page-list li").count() == 2


def test_two_taps_delete_one_record(phone, report_server):
    phone.once("dialog", lambda dialog: dialog.accept())  # 又问一次的，不点“确定”就不删
    keep(phone, report_server, [HIGH], [NORMAL])
    tap_twice(phone, "#history-list li:first-child .chip")
    phone.wait_for_function("() => document.querySelectorAll('#history-list li').length < 2")
    phone.wait_for_timeout(200)
    assert phone.locator("#history-list li").count() == 1


def test_two_taps_share_and_print_once(phone, report_server):
    phone.add_init_script(
        """window.shared = window.printed = 0;
        navigator.share = () => new Promise((resolve, reject) => {
            if (window.shared++) reject(new DOMException("sharing", "InvalidStateError"));
        });
        window.print = () => { window.printed++; };"""
    )
    open_result(phone, report_server, [HIGH])
    for button in ("#share-button", "#print-button"):
        tap_twice(phone, button)
        wait_for_both(phone)
    assert phone.evaluate("[shared, printed]") == [1, 1]
    assert "复制" not in phone.inner_text("#done-words")


def test_a_quick_second_turn_and_a_move_still_count(phone, service):
    phone.goto(service.url)
    choose(phone, 3)
    before = phone.evaluate("document.querySelector('#check-canvas').width")
    tap_twice(phone, "#turn-button")
    wait_for_both(phone)
    assert phone.evaluate("document.querySelector('#check-canvas').width") == before
    tap_twice(phone, "#later-button")
    wait_for_both(phone)
    assert "第 3 页" in phone.inner_text("#page-words")


# ---- 返回、刷新、切走 ----


def at_step(page, service, step: str) -> None:
    """走到一步：看一眼、等、结果。"""
    page.goto(service.url)
    choose(page)
    if step == "check":
        return
    press(page, "#read-button", "#progress:not([hidden])" if step == "work" else DONE)


@pytest.mark.parametrize(("step", "way"), STEPS)
def test_back_and_reload_lead_home_and_the_next_try_works(phone, service, step, way):
    may_end = Event()
    service.script = [may_end, answer([HIGH])]
    if step != "work":
        may_end.set()
    at_step(phone, service, step)
    while step == "work" and not service.bodies:
        phone.wait_for_timeout(50)  # 请求到了服务器，再走开
    before = len(service.bodies)
    phone.evaluate("history.back()") if way == "back" else phone.reload()
    phone.wait_for_selector("#start:not([hidden])")
    may_end.set()
    assert phone.locator("#reopened").is_visible() == (way == "reload"), "刷新以后照片没有了，要说"
    assert phone.locator("#error").is_hidden()
    choose(phone)
    assert phone.locator("#reopened").is_hidden()
    read(phone)
    assert len(service.bodies) == before + 1
    phone.evaluate("history.back()")
    phone.wait_for_selector("#start:not([hidden])")
    phone.reload()
    assert phone.locator("#reopened").is_hidden()


@SLOW
def test_back_forward_and_back_again_stay_home_and_nothing_is_said(phone, service):
    at_step(phone, service, "result")
    for way in ("back", "forward", "back"):
        phone.evaluate(f"history.{way}()")
        phone.wait_for_timeout(100)
        phone.wait_for_selector("#start:not([hidden])")
    phone.reload()
    assert phone.locator("#reopened").is_hidden()
    at_step(phone, service, "result")
    phone.locator("#result .restart").tap()
    phone.reload()
    assert phone.locator("#reopened").is_hidden()


def test_another_tab_in_front_while_analysing(phone, service):
    may_end = Event()
    service.script = [may_end, answer([HIGH])]
    at_step(phone, service, "work")
    other = phone.context.new_page()
    other.goto("about:blank")
    other.bring_to_front()
    may_end.set()
    phone.bring_to_front()
    other.close()
    phone.wait_for_selector(DONE)
    assert len(service.bodies) == 1


def test_choosing_again_while_the_first_photos_are_still_opening(phone, service):
    """第一次选的几张解得慢，解完了也不混进第二次选的里。"""
    phone.add_init_script(
        """const open = window.createImageBitmap;
        window.createImageBitmap = async (...args) => {
            if (args[0].name?.startsWith("slow")) await new Promise((resolve) => setTimeout(resolve, 300));
            return open.call(window, ...args);
        };"""
    )
    phone.goto(service.url)
    photo = SAMPLE.OUTPUT.read_bytes()
    slow = [{"name": f"slow-{n}.png", "mimeType": "image/png", "buffer": photo} for n in range(3)]
    phone.set_input_files("#album-input", slow)
    phone.wait_for_timeout(50)
    choose(phone)
    phone.wait_for_timeout(1200)
    assert phone.locator("#page-list li").count() == 1
    reply_with(phone, answer([NORMAL]))
    read(phone)
