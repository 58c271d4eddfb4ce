"""英文的网页：一个新来的人走一遍，除了单子上印的，一个汉字也没有；换语言，和换不成的时候。"""

import json
import re

import pytest
from conftest import DESKTOP
from medical_report import create_app
from medical_report.settings import Settings
from web_app import ANALYZE, APP, MIXED, SAMPLE
from web_steps import (
    DONE,
    FAILED,
    check_with_axe,
    choose,
    go_home,
    open_home,
    open_result,
    press,
    read_photo,
    reply_with,
    save,
)

from health_assistant.lab_report.report import PrintedRow

pytestmark = pytest.mark.browser

ORIGIN = {
    "collected": {"value": "2026-03-02T08:30"},
    "performer": {"value": "向阳医院"},
    "specimen": {"value": "血清"},
}
TEXTS = """() => {
    const texts = [document.title];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const { data, parentElement } = walker.currentNode;
        if (!parentElement.closest("noscript, script, #language-button")) texts.push(data);
    }
    for (const name of ["aria-label", "placeholder", "title", "alt"]) {
        for (const node of document.querySelectorAll(`[${name}]`)) texts.push(node.getAttribute(name));
    }
    return texts;
}"""


def chinese_left(page, items: list[PrintedRow] = MIXED) -> list[str]:
    """页面上（藏着的也算）不是单子上印着的中文。"""
    printed = {text for row in items for text in row.printed().values() if text}
    printed |= {"血细胞分析", "妈妈", *(field["value"] for field in ORIGIN.values())}
    left = []
    for text in page.evaluate(TEXTS):
        for one in sorted(printed, key=len, reverse=True):
            text = text.replace(one, "")
        # 拆成一段一段的：印着的一个名称里，中文的部分各是一段
        if re.search("[一-鿿，。；：（）、]", text) and text not in "".join(printed):
            left.append(text)
    return left


@pytest.fixture(scope="module")
def client():
    return create_app(Settings(rate_limit="100000/minute")).test_client()


def english_answer(client, items: list[PrintedRow] = MIXED, day: str = "2026-03-02") -> str:
    """真的服务用英文答的 SSE，只是各行不经过识别。"""
    origin = ORIGIN | {"collected": {"value": f"{day}T08:30"}}
    report = {"report_type": "血细胞分析", "sex": "女", "age": "34岁", "origin": origin}
    report["items"] = [row.printed() for row in items]
    headers = {"Accept": "text/event-stream", "Accept-Language": "en"}
    sent = client.post("/advice", data=json.dumps({"report": report}), headers=headers, buffered=True)
    return "event: accepted\ndata: {}\n\n" + sent.get_data(as_text=True)


def test_a_newcomer_walks_through_in_english(english_page, report_server, client):
    page = english_page
    open_home(page, report_server)
    assert chinese_left(page) == []

    # 选一张照片，看一眼，读的时候出错
    choose(page, 2)
    assert chinese_left(page) == [] and page.inner_text("#read-button") == "Read 2 pages"
    page.route(ANALYZE, lambda route: route.fulfill(status=503, body="", headers={"Retry-After": "30"}))
    press(page, "#read-button", FAILED)
    assert chinese_left(page) == []
    assert page.inner_text("#error-hint").endswith("Please try again in 30 seconds.")
    page.locator("#error .restart").click()

    # 两份不同日子的结果，都留下
    for day, value in (("2026-01-05", "7.0"), ("2026-03-02", "7.1")):
        rows = [row.model_copy(update={"result": value}) if row.code == "K" else row for row in MIXED]
        reply_with(page, english_answer(client, rows, day))
        with page.expect_request(ANALYZE) as sent:
            read_photo(page)
        assert sent.value.headers["accept-language"] == "en"
        assert chinese_left(page, rows) == []
        save(page)
        if day == "2026-01-05":
            go_home(page)
    assert page.get_attribute("#notices", "data-critical") == "true"
    assert page.inner_text("#notices p >> nth=0").startswith("Seek medical care now: Potassium (钾) 7.1 mmol/L")
    assert page.inner_text("#tier") == "Emergency care now"
    assert page.inner_text(".row[data-name=钾] .name").startswith("Potassium (钾)")
    assert page.locator(".row[data-name=钾] .name [lang=zh-CN]").inner_text() == "钾"
    assert page.inner_text("#origin").startswith("Collected 2 March 2026 08:30")

    # 一行改正：交回去的也是英文的
    page.locator(".row[data-name=氯]").get_by_text("Check and correct").click()
    assert chinese_left(page) == []
    page.locator(".row[data-name=氯] [name=mark]").select_option("")
    page.get_by_role("button", name="Judge again by the original").click()
    page.wait_for_selector(".row[data-name=氯][data-flag=normal]")
    assert chinese_left(page) == []

    # 导出，和带走的文字
    for button, name in (("#csv-button", "lab-report.csv"), ("#fhir-button", "lab-report.fhir.json")):
        with page.expect_download() as saved:
            page.click(button)
        assert saved.value.suggested_filename == name
    page.click("#copy-button")
    go_home(page)
    assert chinese_left(page) == []
    press(page, "#trends-button", "#trends:not([hidden])")
    assert "Potassium" in page.inner_text("#trend-list") and chinese_left(page) == []
    go_home(page, "#trends .restart")

    # 一个人；导出全部；都删掉
    page.get_by_role("button", name="Add a person").click()
    assert chinese_left(page) == []
    page.fill("#people [name=name]", "妈妈")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("button", name="妈妈", exact=True).wait_for()
    assert chinese_left(page) == []
    page.click("#backup summary")
    with page.expect_download() as saved:
        page.locator("#export-form button").click()
    assert saved.value.suggested_filename.startswith("health-assistant-")
    page.wait_for_selector("#backup-words:not(:empty)")
    assert chinese_left(page) == []


def test_the_switch_is_remembered(page, report_server):
    page.goto(report_server)
    title = page.inner_text("#start-title")
    press(page, "#language-button", "html[lang=en][data-ready]")
    page.reload()
    page.wait_for_selector("html[lang=en][data-ready]")
    assert (page.inner_text("#language-button"), chinese_left(page)) == ("中文", [])
    press(page, "#language-button", "html[lang=zh-CN][data-ready]")
    assert page.inner_text("#start-title") == title


@pytest.mark.slow
def test_the_browser_is_asked_first(browser, report_server):
    for locale, language in (("fr-FR", "en"), ("zh-TW", "zh-CN")):
        with browser.new_context(**DESKTOP | {"locale": locale}) as context:
            page = context.new_page()
            page.goto(report_server)
            assert page.evaluate("document.documentElement.lang") == language


@pytest.mark.slow
def test_what_was_kept_in_chinese_stays_readable_and_says_so(page, report_server):
    open_result(page, report_server, MIXED)
    save(page)
    assert page.inner_text("#made-in") == ""
    go_home(page)
    press(page, "#language-button", "html[lang=en][data-ready]")
    press(page, ".record")
    assert page.inner_text("#made-in") == "This result was written in another language and is shown as it was kept."
    assert page.get_attribute("#notices", "data-critical") == "true"
    assert page.locator("#notices [lang=zh-CN]").first.inner_text().startswith("尽快就医")
    assert "↑ high" in page.inner_text("#rows")


@pytest.mark.slow
def test_no_chinese_flashes_by_and_nothing_stays_hidden(browser, report_server):
    with browser.new_context(**DESKTOP | {"locale": "en-US"}) as context:
        page = context.new_page()
        page.route("**/js/main.js", lambda route: route.abort())  # 脚本没有跑成
        page.goto(report_server, wait_until="commit")
        page.wait_for_selector("#start-title", state="attached")
        visible = "() => getComputedStyle(document.body).visibility === 'visible'"
        assert not page.evaluate(visible)
        page.wait_for_function(visible)


@pytest.mark.slow
def test_without_the_english_file_the_page_speaks_chinese(browser, report_server):
    with browser.new_context(**DESKTOP | {"locale": "en-US"}) as context:
        page = context.new_page()
        page.route("**/js/en.js", lambda route: route.abort())
        open_result(page, report_server, MIXED)
        page.wait_for_selector("html[lang=zh-CN][data-ready]")
        assert page.inner_text("#tier") == "尽快急诊"


@pytest.mark.slow
def test_axe_finds_nothing_in_english(page_without_csp, report_server, client):
    page = page_without_csp
    page.emulate_media(reduced_motion="reduce")
    page.add_init_script("localStorage.setItem('language', 'en')")
    page.goto(report_server)
    check_with_axe(page)
    choose(page)
    check_with_axe(page)
    page.click("#back-button")
    for day in ("2026-01-05", "2026-03-02"):
        reply_with(page, english_answer(client, MIXED, day))
        read_photo(page)
        save(page)
        page.click("#rows summary")
        check_with_axe(page)
        go_home(page)
    check_with_axe(page)
    page.click("#trends-button")
    check_with_axe(page)


@pytest.mark.slow
def test_the_bundled_example_is_read_for_real_and_fits(english_page, report_server):
    """真的识别一次，几种宽度都没有横着溢出的，印着的字以外没有中文。"""
    page = english_page
    page.goto(report_server)
    page.click("#example-button")
    page.wait_for_selector(DONE, timeout=60_000)
    assert page.locator("#language-button").is_hidden()  # 换语言要重开网页，会丢了结果
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    page.locator(".row .row-head").first.click()
    for width in (1280, 820, 390, 320):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    printed = "".join(f"{name}{code}{unit}" for name, code, _, _, unit, _ in SAMPLE.ROWS)
    printed += page.inner_text("#result-title") + page.inner_text("#origin")
    left = [text for text in re.findall("[一-鿿]+", " ".join(page.evaluate(TEXTS))) if text not in printed]
    assert left == []


def test_nothing_is_left_out_of_the_english_file():
    """en.js 里有而网页里已经没有的，是改了中文、忘了英文。"""
    english = json.loads(re.sub(r",\s*}\s*;?\s*$", "}", (APP / "js/en.js").read_text("utf-8").split("default", 1)[1]))
    code = "".join(file.read_text("utf-8") for file in APP.rglob("*.js") if file.name != "en.js")
    code += (APP / "index.html").read_text("utf-8")
    parts = [(key, re.split(r"\{\d\}", key)) for key in english]
    assert [key for key, texts in parts if not all(text in code for text in texts)] == []
