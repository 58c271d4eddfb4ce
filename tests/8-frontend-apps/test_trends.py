"""几份报告放在一起看：结果里的“上次”，趋势一页的图与表。一个虚构的人，三份报告，两家医院。"""

import json

import pytest
from web_app import answer
from web_steps import DONE, check_with_axe, open_result, press, read_photo, reply_with, save, wait_until_installed

from health_assistant.lab_report.report import PrintedRow

pytestmark = pytest.mark.browser


def row(name: str, result: str, unit: str, printed_range: str) -> PrintedRow:
    return PrintedRow(name=name, result=result, unit=unit, reference_range=printed_range)


# 总胆固醇印作三个名称、两种单位；胰岛素的两种单位不能准确换算；C 反应蛋白有一次不是单独一个数；某项目录不认识
REPORTS = [
    (
        {"collected": "2026-03-02T08:10", "performer": "甲医院"},
        [
            row("总胆固醇", "6.3", "mmol/L", "<5.2"),
            row("胰岛素", "9.1", "μIU/mL", "2.6-24.9"),
            row("C反应蛋白", "<0.5", "mg/L", "0-8"),
            row("某项", "12", "U/L", "0-40"),
        ],
    ),
    (
        {"reported": "2026-06-15", "performer": "乙医院"},
        [
            row("胆固醇", "238", "mg/dL", "120-200"),
            row("胰岛素", "63", "pmol/L", "17.8-173"),
            row("C反应蛋白", "12", "mg/L", "0-5"),
            row("某项", "13", "U/L", "0-40"),
        ],
    ),
    (
        {"collected": "2026-11-20T07:50", "performer": "甲医院"},
        [
            row("Total Cholesterol", "5.8", "mmol/L", "<5.2"),
            row("胰岛素", "8.4", "μIU/mL", "2.6-24.9"),
            row("C反应蛋白", "9.5", "mg/L", "0-8"),
            row("某项", "50", "U/L", "0-40"),
        ],
    ),
]


def keep(page, url: str, reports: list) -> None:
    """用网页自己的函数存下几份结果，再打开网页。"""
    events = (answer(items, origin=origin).rpartition("data: ")[2] for origin, items in reports)
    records = [{"savedAt": at, **json.loads(event)} for at, event in enumerate(events, start=1)]
    page.goto(url)
    page.evaluate(
        """async ([module, records]) => {
            const { saveResult } = await import(module);
            for (const record of records) await saveResult(record);
        }""",
        [f"{url}/js/storage.js", records],
    )
    page.goto(url)
    page.wait_for_selector("#history:not([hidden])")


def open_trends(page) -> None:
    press(page, "#trends-button", "#trends:not([hidden])")


def track(page, name: str):
    return page.get_by_role("region", name=name, exact=True)


def previous(page, name: str) -> str:
    return page.inner_text(f".row[data-name='{name}'] .previous")


def test_beside_each_abnormal_row_what_it_was_last_time(page, report_server):
    keep(page, report_server, REPORTS[:2])
    origin, items = REPORTS[2]
    reply_with(page, answer(items, origin=origin))
    read_photo(page)
    assert previous(page, "Total Cholesterol") == "上次 238 mg/dL（2026 年 6 月 15 日），换算后相差约 −0.4 mmol/L"
    assert previous(page, "C反应蛋白") == "上次 12 mg/L（2026 年 6 月 15 日），相差 −2.5 mg/L"
    assert page.locator(".row[data-name=某项] .previous").count() == 0  # 目录不认识的不连
    assert page.locator(".row[data-name=胰岛素] .previous").count() == 0
    page.click("#rows summary")
    page.click(".row[data-name=胰岛素] .row-head")
    assert previous(page, "胰岛素") == "上次 63 pmol/L（2026 年 6 月 15 日）"  # 单位换不成，不说差多少
    words = page.inner_text("#rows")
    assert "是好是坏，请医生看" in words
    assert not any(judging in page.inner_text(".previous >> nth=0") for judging in ("升", "降", "↑", "↓"))


def read_one_row(page, result: str, unit: str, **origin: str) -> str:
    """读一张只有总胆固醇的，再回到首页；结果里与上次比的话。origin 里空的是没有印。"""
    origin = {name: value for name, value in origin.items() if value}
    reply_with(page, answer([row("总胆固醇", result, unit, "<5.2")], origin=origin))
    read_photo(page)
    if page.locator("#rows summary").count():
        page.click("#rows summary")
        page.click(".row[data-name=总胆固醇] .row-head")
    said = previous(page, "总胆固醇")
    press(page, "#result .restart", "#start:not([hidden])")
    return said


def test_a_change_is_named_only_beyond_what_varies_anyway(page, report_server):
    keep(page, report_server, REPORTS[:1])
    for result, hospital, words in (
        ("9.0", "甲医院", "比上次高 ↑，超过平常的波动（±16%）"),
        ("5.2", "甲医院", "比上次低 ↓，超过平常的波动（±16%）"),
        ("6.9", "甲医院", None),  # 在波动之内
        ("9.0", "乙医院", None),  # 别的医院，方法可能不同
        ("9.0", "", None),
    ):
        said = read_one_row(page, result, "mmol/L", collected="2026-07-01T08:00", performer=hospital)
        assert said.endswith(f" mmol/L，{words}" if words else " mmol/L"), (result, hospital)
        assert said.startswith("上次 6.3 mmol/L")


def test_nothing_is_earlier_than_a_report_without_a_date(page, report_server):
    keep(page, report_server, REPORTS[:2])
    reply_with(page, answer(REPORTS[2][1]))
    read_photo(page)
    assert page.locator(".previous").count() == 0
    page.get_by_role("button", name="填上采样时间、医院").click()
    page.fill("[name=collected]", "2026-06-01T08:00")
    page.get_by_role("button", name="填好了").click()
    assert previous(page, "Total Cholesterol") == "上次 6.3 mmol/L（2026 年 3 月 2 日），相差 −0.5 mmol/L"


def test_a_report_is_never_its_own_last_time(page, report_server):
    """存下以后把日子改晚：比的还是更早的那一份；读回时并排留下的另一个样子也是它自己。"""
    keep(page, report_server, [REPORTS[0], REPORTS[2]])
    page.evaluate(
        """async (module) => {
            const { allResults, saveResult } = await import(module);
            const [last] = await allResults();
            await saveResult({ ...last, savedAt: last.savedAt + 1, copyOf: last.savedAt });
        }""",
        f"{report_server}/js/storage.js",
    )
    page.reload()
    page.locator(".record").nth(2).wait_for()
    for record in range(2):
        page.locator(".record").nth(record).click()
        page.wait_for_selector(DONE)
        page.get_by_role("button", name="改采样时间").click()
        page.fill("[name=collected]", "2026-11-21T07:50")
        page.get_by_role("button", name="填好了").click()
        assert previous(page, "Total Cholesterol").startswith("上次 6.3 mmol/L（2026 年 3 月 2 日）")
        page.locator("#result .restart").click()
    open_trends(page)
    assert track(page, "总胆固醇").locator(".chart-dot").count() == 2


def test_no_difference_is_said_in_words(page, report_server):
    keep(page, report_server, REPORTS[:1])
    for result, unit, words in (
        ("6.3", "mmol/L", "没有变化"),
        ("6.30", "mmol/L", "没有变化"),
        ("243.6", "mg/dL", "换算后差不多一样"),
    ):
        said = read_one_row(page, result, unit, collected="2026-07-01", performer="甲医院")
        assert said == f"上次 6.3 mmol/L（2026 年 3 月 2 日），{words}"


def test_the_example_is_nobodys(page, report_server):
    """示例不与存下的比，存了也不算进趋势里。"""
    keep(page, report_server, REPORTS[:1])
    open_result(page, report_server, REPORTS[2][1], origin=REPORTS[2][0])
    assert page.locator(".previous").count() == 0
    save(page)
    page.locator("#result .restart").click()
    page.get_by_text("示例：血细胞分析").wait_for()
    open_trends(page)
    assert page.locator(".track").count() == 0


def test_one_line_for_one_analyte_printed_under_three_names(page, report_server):
    keep(page, report_server, [*reversed(REPORTS), ({}, REPORTS[0][1])])
    open_trends(page)
    names = page.locator(".track h2").all_inner_texts()
    assert names == ["总胆固醇", "C反应蛋白", "空腹胰岛素"]  # 最近一次异常的在前；目录不认识的不在
    assert "有 1 份没有采样、报告的时间" in page.inner_text("#trend-notes")

    cholesterol = track(page, "总胆固醇")
    assert "单子上印作：总胆固醇、胆固醇、Total Cholesterol" in cholesterol.inner_text()
    label = cholesterol.get_by_role("img").get_attribute("aria-label")
    assert label.startswith("总胆固醇，mmol/L：2026 年 3 月 2 日 6.3，偏高；2026 年 6 月 15 日 6.15，偏高；")
    assert cholesterol.locator(".chart-dot").count() == cholesterol.locator(".chart-band").count() == 3
    tops, bottoms = (
        [
            float(band.get_attribute("y")) + float(band.get_attribute("height")) * end
            for band in cholesterol.locator(".chart-band").all()
        ]
        for end in (0, 1)
    )
    assert tops[0] == tops[2] and bottoms[1] < bottoms[0]  # 乙医院的范围有下限
    cholesterol.locator("summary").click()
    cells = [line.split("\t") for line in cholesterol.get_by_role("table").inner_text().splitlines()]
    assert cells == [
        ["日期", "结果", "单位", "印着的范围", "判断", "医院"],
        ["2026-03-02", "6.3", "mmol/L", "<5.2", "↑偏高", "甲医院"],
        ["2026-06-15", "238（换算 6.15 mmol/L）", "mg/dL", "120-200", "↑偏高", "乙医院"],
        ["2026-11-20", "5.8", "mmol/L", "<5.2", "↑偏高", "甲医院"],
    ]


def test_what_is_not_a_number_and_what_cannot_be_converted_is_not_drawn(page, report_server):
    keep(page, report_server, REPORTS)
    open_trends(page)
    insulin, protein = track(page, "空腹胰岛素"), track(page, "C反应蛋白")
    assert insulin.locator(".chart-dot").count() == 2
    assert "不能准确换算" in insulin.inner_text()
    assert protein.locator(".chart-dot").count() == 2
    assert "有 1 次没有判断，或不是单独一个数" in protein.inner_text()
    for card, printed in ((insulin, "63\tpmol/L"), (protein, "<0.5\tmg/L")):
        card.locator("summary").click()
        assert printed in card.get_by_role("table").inner_text()


@pytest.mark.parametrize("scheme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_on_the_trends(page_without_csp, report_server, scheme):
    page = page_without_csp
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    keep(page, report_server, REPORTS)
    open_trends(page)
    page.locator(".track summary").first.click()
    check_with_axe(page)


@pytest.mark.slow
def test_offline_and_on_a_phone_the_trends_are_drawn_from_what_is_kept_and_fit(installed_page, report_server):
    page = installed_page
    page.set_viewport_size({"width": 390, "height": 844})
    keep(page, report_server, REPORTS)
    wait_until_installed(page)
    page.click("#text-button")
    page.context.set_offline(True)
    page.reload()
    page.wait_for_selector("#history:not([hidden])")
    open_trends(page)
    assert track(page, "总胆固醇").locator(".chart-dot").count() == 3
    for summary in page.locator(".track summary").all():
        summary.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.go_back()
    page.wait_for_selector("#start:not([hidden])")


@pytest.mark.slow
def test_two_rows_of_one_analyte_last_time_leave_no_last_time(page, report_server):
    origin, items = REPORTS[1]
    keep(page, report_server, [REPORTS[0], (origin, [*items, row("总胆固醇", "7.0", "mmol/L", "<5.2")])])
    reply_with(page, answer(REPORTS[2][1], origin=REPORTS[2][0]))
    read_photo(page)
    assert page.locator(".row[data-name='Total Cholesterol'] .previous").count() == 0
    assert previous(page, "C反应蛋白").startswith("上次 12 mg/L")


@pytest.mark.slow
def test_rows_kept_by_an_earlier_version_are_not_guessed_at(page, report_server):
    keep(page, report_server, REPORTS[:2])
    page.evaluate(
        """async (module) => {
            const { allResults, saveResult } = await import(module);
            for (const record of await allResults()) {
                for (const item of record.report.items) delete item.tracked;
                await saveResult(record);
            }
        }""",
        f"{report_server}/js/storage.js",
    )
    page.reload()
    page.wait_for_selector("#history:not([hidden])")
    open_trends(page)
    assert page.locator(".track").count() == 0
    assert "有 2 份里有从前的版本存的行" in page.inner_text("#trend-notes")
    open_result(page, report_server, REPORTS[2][1], origin=REPORTS[2][0])
    assert page.locator(".previous").count() == 0
