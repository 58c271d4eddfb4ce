"""看像素：三种大小、大字、深色，各屏没有重叠、没有左右滚动，要紧的东西在眼前。"""

import json

import pytest
from web_app import ANALYZE, CRITICAL, EXAMPLE, MIXED, NORMAL, answer
from web_steps import choose, go_home, is_inside, open_answer, open_home, open_result, press, reply_with, save

pytestmark = pytest.mark.browser

SIZES = {"320x568": (320, 568), "390x844": (390, 844), "1440x900": (1440, 900)}
OVERLAPS = """() => {
    const seen = [...document.querySelectorAll(
        "button, label.button, h1, h2, h3, input, select, .tag, .flag, .number, .name, .range, .limit, .note, "
        + ".critical, #summary, #tier, #notices p, .steps li, #progress-text, #elapsed, .lead, .privacy, .record span")]
        .filter((node) => node.checkVisibility() && !node.matches(".handle, .file"));
    const box = (node) => node.getBoundingClientRect();
    const overlap = (a, b) => Math.min(
        Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
    return seen.flatMap((one, i) => seen.slice(i + 1)
        .filter((other) => !one.contains(other) && !other.contains(one) && overlap(box(one), box(other)) > 2)
        .map((other) => `“${one.textContent}” 压着 “${other.textContent}”`));
}"""
CUT_OFF = """() => [...document.querySelectorAll("button, .flag, .tag, #summary, .name, .range, h1, h2")]
    .filter((node) => node.checkVisibility() && node.scrollWidth > node.clientWidth + 1 && node.clientWidth > 0
        && getComputedStyle(node).display !== "inline")
    .map((node) => node.textContent)"""

TOO_WIDE = """() => [...document.querySelectorAll("body *")]
    .filter((node) => node.checkVisibility() && !node.closest("#page-list, .sr-only") && !node.matches(".file, .handle")
        && node.getBoundingClientRect().right > screen.width + 1)
    .map((node) => node.tagName + "#" + node.id + "." + node.className)"""


def resize(page, size: str) -> None:
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")  # 照片跟着缩


def check(page, *seen: str) -> None:
    """这一屏在每种大小里都没有横着滚、压着、切掉的；seen 都在眼前。"""
    for size, (width, _) in SIZES.items():
        resize(page, size)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, size
        assert page.evaluate(OVERLAPS) == [], size
        assert page.evaluate(CUT_OFF) == [], size
        for part in seen:
            assert is_inside(page, part), (size, part)


@pytest.mark.parametrize("text", ["normal", pytest.param("large", marks=pytest.mark.slow)])
def test_every_screen_fits(page, report_server, text):
    """一趟走完：开始、看一眼、等、结果、改正、记录。"""
    page.add_init_script(f"localStorage.setItem('text', '{text}')")
    open_home(page, report_server)
    check(page, ".album", "#example-button")

    choose(page)
    check(page, "#check-canvas", "#turn-button", "#read-button", "[data-corner='0 1']", "[data-corner='2 3']")

    page.route(ANALYZE, lambda route: None)
    press(page, "#read-button", "#progress:not([hidden])")
    check(page, "#cancel-button", "#progress-text")
    page.click("#cancel-button")

    page.route("**/health", lambda route: route.fulfill(json={"status": "ok", "asking": True}))
    reply_with(page, answer(MIXED, origin={"performer": "向阳街道社区卫生服务中心"}))
    press(page, "#example-button", "#ask:not([hidden])")
    check(page, "#notices p:first-child")
    page.click("#rows summary")
    row = page.locator(".row[data-name=氯]")
    row.get_by_text("核对，改正").click()
    page.get_by_role("button", name="改采样时间").click()
    check(page)
    save(page)
    assert page.locator("#owner-select").is_visible()
    check(page)
    go_home(page)
    page.click("#backup summary")
    check(page)
    page.get_by_role("button", name="加一个人").click()
    check(page)


def test_with_text_twice_as_large_every_screen_fits_and_the_photo_can_be_seen(phone, report_server):
    """系统里把字调到 200% 的小手机：不用横着滚，看一眼时照片还看得见，危急的一句从第一屏的上半就开始。"""
    phone.set_viewport_size({"width": 360, "height": 640})
    phone.context.new_cdp_session(phone).send("Page.setFontSizes", {"fontSizes": {"standard": 32}})
    for language in ("zh", "en"):
        open_home(phone, report_server)
        phone.evaluate(f"localStorage.setItem('language', '{language}')")
        open_home(phone, report_server)
        assert phone.evaluate(TOO_WIDE) == [], language
        choose(phone, 3)
        assert phone.evaluate(TOO_WIDE) == [], language
        photo = phone.locator("#check-canvas").bounding_box()
        assert min(photo["width"], photo["height"]) > 100, language
        open_answer(phone, report_server, answer([CRITICAL, NORMAL], origin={"performer": "向阳街道社区卫生服务中心"}))
        assert phone.evaluate(TOO_WIDE) == [], language
        assert phone.locator("#notices strong").bounding_box()["y"] < 320, language


def test_the_first_look_has_the_one_line_the_tier_and_an_abnormal_row(page, report_server):
    open_result(page, report_server, EXAMPLE)
    for size in SIZES:
        resize(page, size)
        for part in ("#summary", "#tier", ".row[data-name=血红蛋白] .row-head"):
            assert is_inside(page, part), (size, part)


@pytest.mark.parametrize(
    ("browser_page", "language"), [("page", "zh"), ("english_page", "en"), ("page", "en"), ("english_page", "zh")]
)
def test_a_grave_value_nobody_is_sure_of_comes_first(request, report_server, browser_page, language):
    """也许危急的（糊成 69 的钾）与危急的一样最先看到；存下时是另一种语言写的也认得。不说没有看到异常。"""
    page = request.getfixturevalue(browser_page)
    blurred = CRITICAL.model_copy(update={"result": "69", "mark": None})
    open_result(page, report_server, [NORMAL, blurred], language=language)
    alarm = "请马上核对原件：" if language == "zh" else "Check the original at once:"
    assert page.inner_text("#notices strong").startswith(alarm)
    assert page.get_attribute("#notices", "data-critical") == "true"
    for size in ({"width": 390, "height": 844}, {"width": 1280, "height": 800}):
        page.set_viewport_size(size)
        assert is_inside(page, "#notices p:first-child"), size
        assert page.locator("#notices").bounding_box()["y"] < page.locator("#headline").bounding_box()["y"], size
    calm, urgent = (
        ("没有看到异常", "有的也许要紧") if browser_page == "page" else ("none looks abnormal", "may be serious")
    )
    assert calm not in page.inner_text("#headline") and urgent in page.inner_text("#summary")


def test_an_alarm_comes_before_other_notices(page, report_server):
    """不论服务器按什么次序说：急诊的在先，核对的其次。"""
    said = ["没能核对 钠。", "请马上核对原件：钾。", "尽快就医：钾。", "第 2 页没有读成。"]
    body = answer([NORMAL]).replace('"notices": []', f'"notices": {json.dumps(said, ensure_ascii=False)}')
    open_answer(page, report_server, body)
    assert page.locator("#notices p").all_inner_texts() == [said[2], said[1], said[0], said[3]]


def test_on_a_desktop_photo_and_result_are_side_by_side(page, report_server):
    page.set_viewport_size({"width": 1440, "height": 900})
    open_result(page, report_server, EXAMPLE)
    photo, result = page.locator("#photo").bounding_box(), page.locator("#result").bounding_box()
    assert photo["x"] + photo["width"] <= result["x"]
    page.mouse.wheel(0, 1500)
    page.wait_for_function("() => scrollY > 500")
    assert is_inside(page, "#photo")  # 结果往下看，照片还在


def test_large_text_is_larger_and_remembered(phone, report_server):
    phone.goto(report_server)
    before = phone.locator(".lead").evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
    phone.click("#text-button")
    phone.reload()
    after = phone.locator(".lead").evaluate("node => parseFloat(getComputedStyle(node).fontSize)")
    assert after > before * 1.2
    assert phone.get_attribute("#text-button", "aria-pressed") == "true"


def test_dark_follows_the_system_until_chosen_by_hand(phone, report_server):
    def brightness() -> int:
        colour = phone.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))

    phone.emulate_media(color_scheme="dark")
    phone.goto(report_server)
    assert brightness() < 150
    phone.emulate_media(color_scheme="light")
    assert brightness() > 600
    phone.click("#theme-button")
    assert brightness() < 150
    phone.reload()
    assert brightness() < 150


def test_reduced_motion_stops_every_animation(page, report_server):
    page.emulate_media(reduced_motion="reduce")
    page.route(ANALYZE, lambda route: None)
    page.goto(report_server)
    press(page, "#example-button", "#progress:not([hidden])")
    assert page.evaluate("document.getAnimations().length") == 0
