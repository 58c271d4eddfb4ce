"""读错的、拿不准的，人照着原件改：高低、分级、建议都由服务器重新来；没有人核对过的疑问不会因此消失。"""

import json

import pytest
from web_app import ADVISE, CALCIUM, CRITICAL, EXAMPLE, HIGH, NORMAL, TROPONIN, UNPRINTED, example_rows
from web_steps import DONE, correct, go_home, open_result, save

from health_assistant.lab_report.report import Evidence

pytestmark = pytest.mark.browser


def wait_until_corrected(page) -> None:
    page.wait_for_function("() => document.querySelector('#done-words').textContent.includes('重新判断')")


def test_a_corrected_value_is_judged_anew(page, report_server):
    open_result(page, report_server, [NORMAL, HIGH])
    correct(page, "总胆固醇", result="4.3", mark="")
    wait_until_corrected(page)
    assert page.inner_text("#summary") == "本次 2 项，没有看到异常"
    assert page.inner_text("#tier") == "未见异常"
    row = page.locator(".row[data-name=总胆固醇]")
    assert row.get_attribute("data-flag") == "normal"
    assert "人工核对" in row.inner_text()
    assert "人工核对" not in page.inner_text(".row[data-name=尿素]")
    assert "其中 1 项由您人工核对" in page.inner_text("#engines")
    assert "总胆固醇" not in page.inner_text("#advice")


def test_a_corrected_value_can_be_critical_and_then_leads(page, report_server):
    open_result(page, report_server, [NORMAL, CRITICAL.model_copy(update={"result": "4.1", "mark": None})])
    correct(page, "钾", result="7.1")
    wait_until_corrected(page)
    assert page.inner_text("#tier") == "尽快急诊"
    assert page.inner_text("#notices").startswith("尽快就医：钾 7.1")


def test_a_critical_value_nobody_is_sure_of_leads_as_loudly(page, report_server):
    open_result(page, report_server, [NORMAL, CRITICAL.model_copy(update={"mark": "↓"})])
    assert page.inner_text("#tier") == "尽快急诊"
    assert page.inner_text("#notices").startswith("请马上核对原件：钾 7.1")
    assert page.get_attribute("#notices", "data-critical") == "true"


@pytest.mark.parametrize(
    ("browser_page", "language", "alarm", "today"),
    [
        ("page", "zh", "请马上核对原件：肌钙蛋白I", "今天就去"),
        ("english_page", "en", "Check the original at once: two readers read Troponin I (肌钙蛋白I)", "Go today"),
    ],
)
def test_correcting_a_row_keeps_the_alarm_of_another(request, report_server, browser_page, language, alarm, today):
    """肌钙蛋白I 的警报里也有“钙”字：人核对的是钙，它不能跟着消失。"""
    page = request.getfixturevalue(browser_page)
    seen = [CALCIUM, TROPONIN.model_copy(update={"result": "5.20"})]
    open_result(page, report_server, [CALCIUM, TROPONIN], other=seen, language=language)
    page.locator("#rows summary").click()
    for name, is_kept in (("钙", True), ("肌钙蛋白I", False)):
        assert page.inner_text("#notices").startswith(alarm)
        correct(page, name)  # 照原件看过，没有错
        page.wait_for_selector(f".row[data-name={name}] .tag:not(.ask)", state="attached")
        assert page.inner_text("#notices").startswith(alarm) == is_kept
        assert page.inner_text("#tier-words").startswith(today) == is_kept


ZH = "请马上核对原件：{} 两个读者读得不一样，其中一个读成 {}；如果它没有读错，就达到了危急值，要尽快就医。"
EN = "Check the original at once: two readers read {} differently, one of them as {}; if that one is correct, more."


@pytest.mark.parametrize(
    ("rows", "index", "doubts", "gone"),
    [
        # 名称里含着它的
        ([("钙", None), ("降钙素原", "120 ng/mL")], 0, [ZH.format("降钙素原", "120 ng/mL")], []),
        ([("钙", None), ("降钙素原", "120 ng/mL")], 1, [ZH.format("降钙素原", "120 ng/mL")], [0]),
        ([("钾", None), ("血钾", "7.9")], 0, [EN.format("Potassium (血钾)", "7.9")], []),
        ([("钾", None), ("离子 (钾)", "7.9")], 0, [EN.format("离子 (钾)", "7.9")], []),
        ([("钾", "7.9"), ("血钾", None)], 0, [EN.format("Potassium (钾)", "7.9")], [0]),
        ([("Potassium", "7.9")], 0, [EN.format("Potassium", "7.9")], [0]),
        # 同名的两行：看另一个读成什么；一字不差的，一行只去一句
        ([("钾", "7.9"), ("钾", "2.0")], 1, [ZH.format("钾", "7.9"), ZH.format("钾", "2.0")], [1]),
        ([("钾", "7.9"), ("钾", None)], 1, [ZH.format("钾", "7.9")], []),
        ([("钾", "7.9"), ("钾", "7.9")], 1, [ZH.format("钾", "7.9")] * 2, [0]),
        # 不是说一行的
        ([("钾", "7.9")], 0, ["第 2 页没有读成：钾。", "请马上核对原件：钾。"], []),
    ],
)
def test_only_the_alarm_of_the_corrected_row_goes(page, report_server, rows, index, doubts, gone):
    items = [{"name": name, "other_reading": reading} for name, reading in rows]
    page.goto(report_server)
    left = page.evaluate(
        "async ([report, index]) => (await import('/js/api.js')).correctRow(report, index, {}).doubts",
        [{"items": items, "doubts": doubts}, index],
    )
    assert left == [words for at, words in enumerate(doubts) if at not in gone]


def test_the_corrected_row_keeps_its_place_on_the_photo(page, report_server):
    open_result(page, report_server, EXAMPLE)
    correct(page, "红细胞分布宽度CV", result="13.2", mark="")
    wait_until_corrected(page)
    row = page.locator(".row[data-name=红细胞分布宽度CV]")
    assert row.get_attribute("data-flag") == "normal"
    assert row.locator(".crop canvas").is_visible()
    assert page.locator(".box").count() == len(EXAMPLE)


def test_a_doubtful_row_nobody_checked_stays_unjudged(page, report_server):
    """重新判断时服务器看不到照片：没有把握的尿素不能因为改了别的一行就变成“正常”。"""
    rows = [Evidence(confidence=0.4, boxes=row.boxes) for row in example_rows(2)] + example_rows(3)[2:]
    open_result(page, report_server, [NORMAL, UNPRINTED, HIGH], rows=rows)
    with page.expect_request(ADVISE) as request:
        correct(page, "总胆固醇", result="4.3", mark="")
    wait_until_corrected(page)
    urea, sodium, cholesterol = json.loads(request.value.post_data)["report"]["items"]
    assert (urea["result"], cholesterol["result"]) == ("5.1", "4.3")
    assert (urea["corrected"], cholesterol["corrected"]) == (False, True)
    assert "字迹不清" in urea["doubt"] and "字迹不清" in sodium["doubt"] and cholesterol["doubt"] is None
    row = page.locator(".row[data-name=尿素]")
    assert row.get_attribute("data-flag") == "unknown"
    assert row.locator(".number").inner_text() == "5.1"
    assert "字迹不清" in row.inner_text()
    assert page.inner_text("#tier") != "未见异常"
    correct(page, "尿素")  # 照原件看过，没有错
    page.wait_for_selector(".row[data-name=尿素][data-flag=normal]")
    correct(page, "钠")
    page.wait_for_selector(".row[data-name=钠][data-flag=normal]")
    assert page.inner_text("#tier") == "未见异常"


def test_a_failed_correction_says_so_and_keeps_what_was_typed(page, report_server):
    open_result(page, report_server, [NORMAL, HIGH])
    page.route(ADVISE, lambda route: route.abort())
    correct(page, "总胆固醇", result="4.3")
    row = page.locator(".row[data-name=总胆固醇]")
    row.locator(".problem:not(:empty)").wait_for()
    assert row.locator(".problem").inner_text() == "没有改成：连不上服务器。"
    assert row.locator("[name=result]").input_value() == "4.3"
    assert row.get_attribute("data-flag") == "high"
    row.get_by_text("不改了").click()
    assert row.locator("form").count() == 0
    page.unroute(ADVISE)
    correct(page, "总胆固醇", result="4.3")
    page.wait_for_selector(f"{DONE}:has-text('其中 1 项')")


def test_the_time_and_hospital_can_be_filled_in_and_are_kept(page, report_server):
    open_result(page, report_server, [NORMAL])
    page.click("#origin button")
    page.fill("#origin [name=collected]", "2026-11-26T07:10")
    page.fill("#origin [name=performer]", "仁和医院")
    page.click("#origin button.primary")
    assert page.inner_text("#origin").startswith("采样 2026 年 11 月 26 日 07:10 · 仁和医院")
    save(page)
    go_home(page)
    assert "2026年11月26日" in page.inner_text("#history-list").replace(" ", "")
    page.click("#history-list button >> nth=0")
    assert "仁和医院" in page.inner_text("#origin")


def focused(page) -> str:
    return page.evaluate("document.activeElement.name || document.activeElement.innerText")


def test_the_keyboard_stays_where_it_was_when_a_form_opens_or_closes(page, report_server):
    """按过的按钮不见了，焦点不能掉回网页开头。"""
    open_result(page, report_server, [HIGH], origin={"collected": "2026-03-02T08:10"})
    page.focus(".row-head")
    page.keyboard.press("Enter")
    for opener, first in ((".row-tools .link", "result"), ("#origin .link", "collected")):
        words = page.inner_text(f"{opener} >> nth=0")
        page.focus(f"{opener} >> nth=0")
        page.keyboard.press("Enter")
        assert focused(page) == first
        page.focus("form.correct:visible button:not(.primary)")
        page.keyboard.press("Enter")
        assert focused(page) == words
    page.focus("#save-button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#save-button:disabled")
    page.wait_for_function("document.activeElement.id === 'print-button'")
