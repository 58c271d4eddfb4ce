"""判断：印着的范围优先，矛盾与不清都是 unknown，危急值领先，分级按规则。"""

import pytest

from health_assistant.lab_report.alarms import CHECK
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import LabReport, PrintedField, PrintedRow, Reading, ReadReport, ReadRow


def row(name="白细胞计数", result="6.0", unit="10^9/L", limits="3.5-9.5", mark=None, code="") -> PrintedRow:
    return PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark)


def judge(*rows: PrintedRow, confidence=0.99, **person) -> LabReport:
    return assess(ReadReport(items=[ReadRow.of(one, confidence=confidence) for one in rows], **person))


def only(report: LabReport):
    (item,) = report.items
    return item


@pytest.mark.parametrize(("result", "flag"), [("6.0", "normal"), ("9.6", "high"), ("3.4", "low")])
def test_printed_range_decides(result, flag):
    item = only(judge(row(result=result)))
    assert (item.flag, item.range_source, item.note) == (flag, "printed", None)
    assert (item.scale.value, item.scale.low, item.scale.high) == (float(result), 3.5, 9.5)


# 去掉 1 之后剩下的也超出范围，才可能是箭头：14.2 去掉 1 是正常的 4.2
@pytest.mark.parametrize(
    ("result", "flag"), [("13.2", "unknown"), ("9.661", "unknown"), ("14.2", "high"), ("27.1", "high")]
)
def test_an_arrow_read_as_a_digit_is_suspected_where_the_report_prints_arrows(result, flag):
    suspect, marked = row("某指标", result, "", "3.5-9.5"), row("另一项", "99", "", "1-2", mark="↑")
    assert judge(marked, suspect, confidence=None).items[1].flag == flag
    assert judge(row("另一项", "99", "", "1-2"), suspect, confidence=None).items[1].flag == "high"
    # 有把握数的读者看得见像素，也不是每个箭头都认得出
    assert judge(marked, suspect).items[1].flag == flag


def test_a_row_already_in_doubt_does_not_bear_witness():
    rows = [
        row("总蛋白", "70", "g/L", "65-85"),
        row("白蛋白", "45", "g/L", "40-55"),
        row("球蛋白", "35", "g/L", "20-40"),
    ]
    rows = [ReadRow.of(one, confidence=score) for one, score in zip(rows, (0.99, 0.99, 0.5), strict=True)]
    assert [item.flag for item in assess(ReadReport(items=rows)).items] == ["normal", "normal", "unknown"]


def test_a_report_can_be_judged_again():
    first = judge(row(result="12"))
    first.items[0].result = "6.0"
    assert only(assess(ReadReport.model_validate(first.model_dump()))).flag == "normal"


@pytest.mark.parametrize(
    ("specimen", "name", "result", "unit", "limits", "when"),
    [
        ("尿", "肌钙蛋白I", "5", "ng/mL", "<0.04", "now"),
        ("粪便", "凝血酶原时间", "60", "s", "11-14", "now"),
        ("尿", "钾", "7.0", "mmol/L", "", "today"),
        ("尿", "钾", "40", "mmol/L", "", "weeks"),
        ("尿", "钾", "7.0", "mmol/L", "25-125", None),
        ("尿", "钠", "100", "mmol/L", "", "weeks"),
    ],
)
def test_the_specimen_in_the_letterhead_silences_no_alarm(specimen, name, result, unit, limits, when):
    """尿里从不测的仍是血的；尿里少见、血里危急的钾请人今天核对。"""
    item = ReadRow(name=name, result=result, unit=unit, reference_range=limits, confidence=0.99)
    report = assess(Reading(items=[item], origin={"specimen": PrintedField(value=specimen)}))
    assert report.when == when, report.notices
    assert when != "today" or report.notices[0].startswith(CHECK)


@pytest.mark.parametrize(
    ("collected", "result", "when"),
    [
        ("2026-11-02T16:00", "72", "weeks"),
        ("2026-11-02T08:10", "72", "today"),
        ("2026-11-02", "72", "today"),
        ("2026-11-02T16:00", "30", "today"),  # 下午也太少
    ],
)
def test_the_hour_in_the_letterhead_says_which_limits_hold_for_cortisol(collected, result, when):
    """下午四点的皮质醇本来就低，早晨的范围用不上。"""
    item = ReadRow(name="皮质醇", result=result, unit="nmol/L", reference_range="171-536", confidence=0.99)
    report = assess(Reading(report_type="激素", items=[item], origin={"collected": PrintedField(value=collected)}))
    assert report.when == when, report.notices


@pytest.mark.parametrize("name", ["皮质醇(8AM)", "皮质醇（上午）", "皮质醇（8点）"])
def test_the_hour_of_the_row_stands_above_that_in_the_letterhead(name):
    item = ReadRow(name=name, result="72", unit="nmol/L", reference_range="171-536", confidence=0.99)
    origin = {"collected": PrintedField(value="2026-11-02T16:00")}
    assert assess(Reading(report_type="激素", items=[item], origin=origin)).when == "today"


def test_an_hour_in_the_letterhead_is_not_that_of_two_draws():
    names = ("皮质醇", "皮质醇 第二次")
    items = [
        ReadRow(name=name, result="72", unit="nmol/L", reference_range="171-536", confidence=0.99) for name in names
    ]
    origin = {"collected": PrintedField(value="2026-11-02T16:00")}
    assert assess(Reading(report_type="激素", items=items, origin=origin)).when == "today"


def test_the_specimen_of_one_page_is_not_that_of_another_after_json():
    """第二页页眉的“尿液”，经过接口的 JSON 以后，也不把第一页的血当作尿。"""
    rows = [ReadRow(name="钾", result="7.0", unit="mmol/L", confidence=0.99, page=page) for page in (1, 2)]
    read = Reading(items=rows, origin={"specimen": PrintedField(value="尿液", page=2)})
    again = assess(Reading.model_validate(read.model_dump(mode="json")))
    assert [item.severity for item in again.items] == ["grave", None]
    assert [item.severity for item in assess(read).items] == ["grave", None]


def test_a_nameless_row_like_glucose_names_no_later_time_on_a_sheet_that_is_urgent_now():
    potassium = row("钾", "7.5", "mmol/L", "3.5-5.3")
    glucose = row("（名称没有读出）", "20.0", "mmol/L", "3.9-6.1")
    assert any("如果是，今天就要看医生。" in notice for notice in assess(ReadReport(items=[glucose])).notices)
    report = assess(ReadReport(items=[potassium, glucose]))
    assert report.when == "now"
    assert any("像是空腹血糖；一起给医生看。" in notice for notice in report.notices)
    assert not any("今天" in notice for notice in report.notices)


def test_a_sheet_in_traditional_characters_is_judged_in_simplified_ones_and_shown_as_printed():
    report = judge(row("墨汁染色", "陽性", "", "陰性"), report_type="腦脊液檢查", age="5歲")
    item = only(report)
    assert (item.name, item.result, item.applied_range, item.severity) == ("墨汁染色", "陽性", "陰性", "grave")
    assert (report.report_type, report.age) == ("腦脊液檢查", "5歲")
    assert report.notices[0].startswith("尽快就医：墨汁染色 陽性 ")
