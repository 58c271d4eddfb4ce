"""看结果：一句话在先，危急值在最前，异常有箭头有字，正常的折起来；行与照片互相找得到；建议里的东西不会运行。"""

import re
from pathlib import Path

import pytest
from PIL import Image
from sample_report import row_middle
from web_app import (
    CONTRADICTED,
    CRITICAL,
    EXAMPLE,
    HIGH,
    MIXED,
    NORMAL,
    SAMPLE,
    UNKNOWN_RANGE,
    UNPRINTED,
    answer,
    example_rows,
)
from web_steps import DONE, FAILED, open_answer, open_result, press, read, reply_with

from health_assistant.lab_report.report import DISCLAIMER, Evidence

pytestmark = pytest.mark.browser

WORDS = {"↑": "↑ 偏高", "↓": "↓ 偏低"}
ABNORMAL = ".row:is([data-flag=high], [data-flag=low], [data-flag=abnormal])"
DEGREES = ("严重超出", "明显超出", "", "轻微超出")
READING_MS = 60_000


def shown_rows(page, rows: str = ABNORMAL) -> list[tuple[str, str]]:
    return [(row.get_attribute("data-name"), row.locator(".flag").inner_text()) for row in page.locator(rows).all()]


@pytest.fixture(scope="module")
def example(shared_page, report_server):
    """示例化验单，真的识别一次。"""
    shared_page.goto(report_server)
    shared_page.click("#example-button")
    shared_page.wait_for_selector(DONE, timeout=READING_MS)
    return shared_page


def test_example_shows_exactly_the_abnormal_rows_and_the_rest_folded(example):
    expected = [(name, WORDS[mark]) for name, _, _, mark, _, _ in SAMPLE.ROWS if mark]
    # 重的在前
    assert sorted(shown_rows(example)) == sorted(expected)
    degrees = [
        DEGREES.index(row.inner_text().partition("，")[2]) for row in example.locator(f"{ABNORMAL} .range").all()
    ]
    assert degrees == sorted(degrees) and len(set(degrees)) > 1
    assert example.inner_text("#summary") == f"本次 {len(SAMPLE.ROWS)} 项，{len(expected)} 项异常"
    assert not example.locator(".row[data-flag=normal]").first.is_visible()
    assert example.inner_text("#rows summary") == f"正常 {len(SAMPLE.ROWS) - len(expected)} 项"


def test_every_row_shows_what_is_printed(example):
    example.locator("#rows details").evaluate("details => { details.open = true; }")
    shown = {
        row.get_attribute("data-name"): tuple(
            row.locator(part).inner_text().partition("，")[0] for part in (".code", ".number", ".unit", ".range")
        )
        for row in example.locator(".row").all()
    }
    assert shown == {
        name: (code, result, unit, f"参考 {printed}") for name, code, result, _, unit, printed in SAMPLE.ROWS
    }
    example.locator("#rows details").evaluate("details => { details.open = false; }")


def test_example_says_how_serious_who_answered_and_that_it_may_be_wrong(example):
    assert example.inner_text("#tier") == "近期门诊"
    assert "血红蛋白" in example.inner_text("#advice")
    assert re.search(r"读图：\S+。建议：\S+。.*自动生成", example.inner_text("#engines"))
    assert "AI 生成，仅供参考" in example.inner_text(".result-head")
    assert DISCLAIMER in example.inner_text(".trust")
    assert "不保存" in example.inner_text(".trust")


def test_pointing_at_a_row_circles_it_on_the_photo(example):
    number = next(i for i, row in enumerate(SAMPLE.ROWS, start=1) if row[0] == "血红蛋白")
    example.locator(".row[data-name=血红蛋白]").hover()
    photo, box = example.locator("#photo").bounding_box(), example.locator(".box[data-active]").bounding_box()
    middle = (box["y"] + box["height"] / 2 - photo["y"]) / photo["height"] * Image.open(SAMPLE.OUTPUT).height
    assert abs(middle - row_middle(number)) < 12
    assert box["width"] > photo["width"] * 0.6


def test_the_one_thing_to_do_is_shown_and_the_rest_folded(example):
    advice = example.locator("#advice")
    assert re.match(r"近期门诊：(今天|几天内|几周内)", advice.locator("h3").first.inner_text())
    fold = advice.locator("details")
    assert fold.count() == 1 and not fold.evaluate("node => node.open")
    assert advice.locator("h3").first.is_visible() and not fold.locator("h3").first.is_visible()
    assert "几" in example.inner_text("#tier-words") or "今天" in example.inner_text("#tier-words")
    fold.locator("summary").click()
    assert fold.locator("h3").first.is_visible()
    fold.locator("summary").click()


def test_nothing_is_stored_and_nobody_else_is_asked(example, report_server):
    assert example.evaluate("localStorage.length + sessionStorage.length + document.cookie.length") == 0
    assert example.evaluate("indexedDB.databases().then((all) => Promise.all(all.map(({ name }) => name)))") == [
        "health-assistant"
    ]
    assert example.locator("#history-list li").count() == 0
    asked = example.evaluate("performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin)")
    assert set(asked) == {report_server}


# ---- 各种结果怎么显示：判断是真的代码写的，只是不经过识别 ----


@pytest.fixture(scope="module")
def mixed(shared_page, report_server):
    page = shared_page.context.new_page()
    open_result(page, report_server, MIXED)
    return page


def test_critical_rows_and_notices_come_first(mixed):
    assert mixed.inner_text("#tier") == "尽快急诊"
    notices = mixed.locator("#notices")
    assert notices.get_attribute("role") == "alert"
    assert notices.locator("p").first.inner_text().startswith("尽快就医：钾 7.1")
    assert notices.bounding_box()["y"] < mixed.locator("#headline").bounding_box()["y"]
    assert shown_rows(mixed) == [
        ("钾", "↑ 偏高"), ("总胆固醇", "↑ 偏高"), ("尿蛋白", "! 异常"), ("高密度脂蛋白胆固醇", "↓ 偏低"),
    ]  # fmt: skip
    assert "达到危急值" in mixed.inner_text(".row[data-name=钾]")


def test_what_the_hospital_marked_critical_stands_first_and_says_so(page, report_server):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    marked = CRITICAL.model_copy(update={"result": "5.6", "mark": "危急↑"})
    open_result(page, report_server, [HIGH, marked])
    assert page.inner_text(".row[data-name=钾] .critical") == "印着危急标记，请尽快就医。"
    assert [name for name, _ in shown_rows(page)] == ["钾", "总胆固醇"]
    page.click("#copy-button")
    page.wait_for_selector("#done-words:has-text('已经复制')")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    rows = [line.split()[0] for line in lines if line.startswith(("钾 ", "总胆固醇 "))]
    assert rows == ["钾", "总胆固醇"]
    with page.expect_download() as saved:
        page.click("#csv-button")
    assert '"印着危急标记"' in Path(saved.value.path()).read_text("utf-8-sig")


def test_unjudged_rows_say_why_and_show_the_photo(mixed):
    assert mixed.inner_text("#summary") == "本次 8 项，4 项异常，2 项请核对原件"
    row = mixed.locator(".row[data-name=氯]")
    assert row.locator(".flag").inner_text() == "? 未判断"
    assert row.locator(".tag").inner_text() == "请核对原件"
    assert "与数值和参考范围不符" in row.locator(".note").inner_text()
    assert row.locator(".crop canvas").is_visible()
    assert row.locator(".bar").count() == 0
    assert mixed.inner_text(".row[data-name=某项] .range") == "未印参考范围"


def test_rows_two_readers_disagree_on_show_both(page, report_server):
    disagreed = answer([HIGH, NORMAL]).replace(
        '"verified": null, "other_reading": null', '"verified": false, "other_reading": "8.3 mmol/L"'
    )
    open_answer(page, report_server, disagreed)
    row = page.locator(".row[data-name=总胆固醇]")
    assert "另一个程序读成 8.3 mmol/L" in row.inner_text()
    assert "请核对原件" in row.inner_text()


def test_catalogue_range_is_marked(mixed):
    mixed.click("#rows summary")
    assert "目录范围" in mixed.inner_text(".row[data-name=钠] .range")
    assert "目录范围" not in mixed.inner_text(".row[data-name=尿素] .range")


def test_dot_lies_on_the_right_side_of_the_range(mixed):
    for name, side in (("钾", 1), ("总胆固醇", 1), ("高密度脂蛋白胆固醇", -1)):
        row = mixed.locator(f".row[data-name={name}]")
        zone, dot = row.locator(".zone").bounding_box(), row.locator(".dot").bounding_box()
        middle = dot["x"] + dot["width"] / 2
        assert middle > zone["x"] + zone["width"] if side > 0 else middle < zone["x"], name


def test_a_row_leads_to_what_is_said_of_it_and_has_no_link_where_nothing_is_said(page, report_server):
    """钠不是低钠盐；氯正常，建议里没有一句说它。"""
    potassium, sodium = CRITICAL, UNPRINTED.model_copy(update={"result": "131", "reference_range": "137-147"})
    chloride = CONTRADICTED.model_copy(update={"mark": None})
    open_result(page, report_server, [potassium, sodium, chloride, UNKNOWN_RANGE])
    assert "低钠盐" in page.inner_text("#advice")
    for name, title in (("钠", "钠 131"), ("钾", "钾 7.1"), ("某项", "某项 12")):
        row = page.locator(f".row[data-name={name}]")
        if row.locator(".more").is_hidden():
            row.locator(".row-head").click()
        row.get_by_text("看这一项的说明").click()
        assert page.evaluate("document.activeElement.textContent").startswith(title)
    page.click("#rows summary")
    row = page.locator(".row[data-name=氯]")
    row.locator(".row-head").click()
    assert row.get_by_text("读错了，改正").is_visible() and not row.get_by_text("看这一项的说明").count()


def test_where_no_row_was_judged_nothing_is_said_to_be_normal(page, report_server):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_result(page, report_server, [UNKNOWN_RANGE, UNKNOWN_RANGE.model_copy(update={"name": "另一项"})])
    assert page.inner_text("#summary") == "本次 2 项，没能判断，2 项请核对原件"
    press(page, "#copy-button", "#done-words:has-text('已经复制')")
    for words in (page.inner_text("#result"), page.evaluate("navigator.clipboard.readText()")):
        assert "没能判断" in words and "没有看到异常" not in words and "不用急" not in words


def test_touching_a_row_leads_to_the_photo_and_the_advice_and_touching_the_photo_to_the_row(phone, report_server):
    open_result(phone, report_server, EXAMPLE)
    row = phone.locator(".row[data-name=血红蛋白]")
    row.locator(".row-head").tap()
    row.locator(".row-head[aria-expanded=true]").wait_for()
    assert row.locator(".crop canvas").is_visible()
    row.get_by_text("看这一项的说明").tap()
    phone.wait_for_function("() => document.activeElement.matches('#advice *')")
    assert "血红蛋白" in phone.evaluate("document.activeElement.textContent")
    row.get_by_text("在整张照片上看").tap()
    phone.wait_for_function(
        "() => { const { top, bottom } = document.querySelector('.box[data-active]').getBoundingClientRect();"
        " return top >= 0 && bottom <= innerHeight; }"
    )
    row.locator(".row-head").tap()
    row.locator(".crop").wait_for(state="hidden")

    # 反过来：点照片上的一行，打开它，折起来的也打开
    photo = phone.locator("#boxes")
    photo.scroll_into_view_if_needed()
    box, number = photo.bounding_box(), 9  # 单核细胞绝对值，正常，折起来的
    x, y = box["x"] + box["width"] / 2, row_middle(number) / Image.open(SAMPLE.OUTPUT).height * box["height"]
    phone.touchscreen.tap(x, box["y"] + y)
    row = phone.locator(f".row[data-name='{SAMPLE.ROWS[number - 1][0]}']")
    row.locator(".crop canvas").wait_for()
    assert row.locator(".row-head").evaluate("head => head === document.activeElement")


@pytest.mark.parametrize("turns", [1, pytest.param(2, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_a_photo_taken_sideways_is_shown_upright(page, report_server, turns, tmp_path):
    """服务器的坐标是转着的照片上的；显示时转正，圈对地方。"""
    upright = Image.open(SAMPLE.OUTPUT).convert("RGB")
    turned = upright.rotate(-90 * turns, expand=True)
    turned.save(tmp_path / "turned.png")
    width, height = upright.size

    def turn(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
        x0, y0, x1, y1 = box
        return {
            1: (height - y1, x0, height - y0, x1),
            2: (width - x1, height - y1, width - x0, height - y0),
            3: (y0, width - x1, y1, width - x0),
        }[turns]

    rows = [Evidence(boxes={"row": turn(row.boxes["row"])}) for row in example_rows(len(EXAMPLE))]
    reply_with(page, answer(EXAMPLE, rows=rows))
    page.goto(report_server)
    page.set_input_files("#album-input", tmp_path / "turned.png")
    read(page)
    # 建议写完时，照片也许还在转
    is_upright = (
        "([width, height]) => { const { photo } = window; return photo.width === width && photo.height === height; }"
    )
    page.wait_for_function(is_upright, arg=[width, height])
    page.locator(".row[data-name=血红蛋白] .row-head").click()
    photo, box = page.locator("#photo").bounding_box(), page.locator(".box[data-active]").bounding_box()
    middle = (box["y"] + box["height"] / 2 - photo["y"]) / photo["height"] * height
    assert abs(middle - row_middle(13)) < 12
    crop = page.locator(".row[data-name=血红蛋白] .crop canvas").evaluate("({ width, height }) => width / height")
    assert crop > 5


HOSTILE = (
    "<h3 onclick='window.ran=1'>血脂</h3><script>window.ran=1</script><img src=x onerror='window.ran=1'>"
    "<svg onload='window.ran=1'><animate onbegin='window.ran=1'/></svg>"
    "<iframe srcdoc='<script>parent.ran=1</script>'></iframe>"
    "<a href='javascript:window.ran=1'>点这里</a>"
    "<form action='https://evil.example'><input name=a autofocus onfocus='window.ran=1'></form>"
    "<style>body{display:none}</style><p style='position:fixed;inset:0'>少吃油</p><base href='https://evil.example/'>"
    "<math><mtext><table><mglyph><style><!--</style>"
    "<img title='--&gt;&lt;img src=1 onerror=window.ran=1&gt;'>"
)


def test_hostile_advice_never_runs(page_without_csp, report_server):
    """建议模型写了坏东西，服务器又没有净化，连 CSP 也没有：只剩下字。"""
    page, asked = page_without_csp, []
    page.on("request", lambda request: asked.append(request.url))
    open_result(page, report_server, [HIGH], html=HOSTILE)
    advice = page.locator("#advice")
    assert "少吃油" in advice.inner_text()
    assert "点这里" in advice.inner_text()
    page.wait_for_timeout(300)
    assert page.evaluate("window.ran") is None
    assert page.locator("#result").is_visible()
    assert set(advice.evaluate("node => [...node.querySelectorAll('*')].map(({ tagName }) => tagName)")) <= {
        "H3", "P", "TABLE", "TBODY", "TR", "TD",
    }  # fmt: skip
    assert advice.evaluate("node => [...node.querySelectorAll('*')].flatMap((one) => [...one.attributes]).length") == 0
    assert all(url.startswith((report_server, "blob:")) for url in asked)


def test_hostile_text_on_the_report_is_only_text(page, report_server):
    hostile = NORMAL.model_copy(
        update={"name": "<img src=x onerror=window.ran=1>", "result": "<b>9</b>", "unit": "<i>"}
    )
    open_result(page, report_server, [hostile, CONTRADICTED])
    assert page.locator(".row .number").first.inner_text() == "<b>9</b>"
    assert page.evaluate("window.ran") is None


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
    page.keyboard.press("Tab")  # 改时间、医院
    page.keyboard.press("Tab")
    assert page.locator(".box[data-active]").is_visible()
    page.keyboard.press("Enter")
    assert page.locator(".row[data-name=总胆固醇] .crop canvas").is_visible()


def test_start_over_leaves_nothing_of_the_last_report(page, report_server):
    open_result(page, report_server, MIXED)
    page.locator("#result .restart").click()
    assert page.locator("#start").is_visible()
    assert page.locator("#result").is_hidden()
    assert page.locator("#photo").evaluate("({ width }) => width") == 0
    assert page.locator(".row").count() == 0


def test_a_critical_value_leads_even_when_the_advice_never_comes(page, report_server):
    open_answer(page, report_server, answer([NORMAL, CRITICAL], "report"), FAILED)
    assert page.inner_text("#notices").startswith("尽快就医：钾 7.1")
    assert page.inner_text("#tier") == "尽快急诊"
