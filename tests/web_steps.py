"""网页测试共用的：人在网页上走的几步，等到看得见下一步才算走完。"""

from web_app import ANALYZE, SAMPLE, answer

from health_assistant.lab_report.report import PrintedRow

DONE, SAVED, FAILED = "#engines:not(:empty)", "#save-button:disabled", "#error:not([hidden])"
LISTED = "#people .page-tools"
"""首页上存着的各条列出来了；没有存着的，也画这一处，只是藏着。"""


def wait_until_installed(page) -> None:
    """等 service worker 装好；sw.js 里有一个文件取不到就永远装不好，所以至多等 20 秒，到时说出来。"""
    page.evaluate(
        """Promise.race([
            navigator.serviceWorker.ready.then(() => true),
            new Promise((_, fail) => setTimeout(fail, 20000, new Error("service worker 20 秒没有装好"))),
        ])"""
    )


def reply_with(page, body: str, endpoint: str = ANALYZE) -> None:
    """从此这样答；以前拦着的、说好怎样答的，都不算了。"""
    page.route(endpoint, lambda route: route.fulfill(body=body, content_type="text/event-stream"))


def open_home(page, url: str) -> None:
    """打开网页，等存着的列出来：在这以前读的，网页还不知道是谁的。"""
    page.goto(url)
    page.wait_for_selector(LISTED, state="attached")


def go_home(page, button: str = "#result .restart") -> None:
    """回首页，等存着的重新列出来：以前列的还在，看着像已经列好了。"""
    before = page.query_selector(LISTED)
    page.click(button)
    page.wait_for_function("before => !before.isConnected", arg=before)


def press(page, button: str, until: str = DONE) -> None:
    """按一下，等到看得见 until。"""
    page.locator(button).click()
    page.wait_for_selector(until)


def open_answer(page, url: str, body: str, until: str = DONE) -> None:
    """打开网页，点示例，直接得到这个回答，等到 until 出现。"""
    open_home(page, url)
    reply_with(page, body)  # 打开以后才拦：拦着时每个文件都要绕一圈
    press(page, "#example-button", until)


def open_result(page, url: str, items: list[PrintedRow], **answer_options) -> None:
    """打开网页，点示例，直接得到这些行的结果。"""
    open_answer(page, url, answer(items, **answer_options))


def choose(page, count: int = 1) -> None:
    """选 count 张照片（不是示例），等到看得见。"""
    page.set_input_files("#album-input", [SAMPLE.OUTPUT] * count)
    page.wait_for_selector("#check:not([hidden])")
    if count > 1:
        page.wait_for_function(f"() => document.querySelectorAll('#page-list li').length === {count}")


def read(page) -> None:
    """选好了，识别，等结果。"""
    press(page, "#read-button")


def read_photo(page) -> None:
    """选一张照片，识别，等结果。"""
    choose(page)
    read(page)


def save(page) -> None:
    """存下眼前的结果。"""
    press(page, "#save-button", SAVED)


def keep(page, url: str, *reports: list[PrintedRow]) -> None:
    """存下这几份，回到首页。"""
    for items in reports:
        open_result(page, url, items)
        save(page)
        page.unroute(ANALYZE)
    page.goto(url)
    page.wait_for_selector(".record")


def correct(page, name: str, **fields: str) -> None:
    """改正一行的这几格，按“按原件重新判断”。"""
    row = page.locator(f".row[data-name={name}]")
    if row.locator(".row-head").get_attribute("aria-expanded") == "false":
        row.locator(".row-head").click()
    row.locator(".row-tools .link").first.click()
    for field, value in fields.items():
        if field == "mark":
            row.locator("[name=mark]").select_option(value)
        else:
            row.locator(f"[name={field}]").fill(value)
    row.locator(".correct .primary").click()


def add_person(page, name: str, sex: str = "", year: str = "") -> None:
    page.get_by_role("button", name="加一个人").click()
    fill_in_person(page, name, sex, year)


def fill_in_person(page, name: str, sex: str = "", year: str = "") -> None:
    page.fill("#people [name=name]", name)
    page.select_option("#people [name=sex]", sex)
    page.fill("#people [name=birthYear]", year)
    page.get_by_role("button", name="存好").click()
    page.locator("#people .chip[aria-pressed=true]", has_text=name).wait_for()


def check_with_axe(page) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def is_inside(page, selector: str) -> bool:
    """整个元素都在眼前的一屏里。"""
    box, view = page.locator(selector).bounding_box(), page.viewport_size
    return (
        box is not None
        and box["x"] >= 0
        and box["y"] >= 0
        and (box["x"] + box["width"] <= view["width"] and box["y"] + box["height"] <= view["height"])
    )
