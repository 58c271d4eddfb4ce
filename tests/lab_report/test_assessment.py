"""判断：印着的范围优先，矛盾与不清都是 unknown，危急值领先，分级按规则。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import LabReport, ReadItem, ReadReport, RowEvidence


def row(name="白细胞计数", result="6.0", unit="10^9/L", limits="3.5-9.5", mark=None, code="") -> ReadItem:
    return ReadItem(name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark)


POTASSIUM = {"name": "钾", "unit": "mmol/L", "limits": "3.5-5.3"}


def judge(*rows: ReadItem, confidence=0.99, **person) -> LabReport:
    proofs = [RowEvidence(confidence=confidence) for _ in rows]
    return assess(ReadReport(items=list(rows), **person), proofs)


def only(report: LabReport):
    (item,) = report.items
    return item


@pytest.mark.parametrize(("result", "flag"), [("6.0", "normal"), ("9.6", "high"), ("3.4", "low")])
def test_printed_range_decides(result, flag):
    item = only(judge(row(result=result)))
    assert (item.flag, item.range_source, item.note) == (flag, "printed", None)
    assert (item.scale.value, item.scale.low, item.scale.high) == (float(result), 3.5, 9.5)


def test_printed_range_wins_over_the_catalogue():
    assert only(judge(row(result="10.5", limits="4-11"))).flag == "normal"


@pytest.mark.parametrize("mark", ["↑", "↓", "H", "*", "H↑", "(L)", "▲", "危急", "?", "见注"])
def test_a_mark_that_contradicts_or_says_nothing_known_makes_it_unknown(mark):
    report = judge(row(mark=mark))
    assert only(report).flag == "unknown"
    assert mark in only(report).note
    assert report.triage == "soon"


def test_a_mark_that_agrees_changes_nothing_and_a_missing_one_neither():
    assert only(judge(row(result="12", mark="↑"))).flag == "high"
    assert only(judge(row(result="12"))).flag == "high"
    assert only(judge(row("尿蛋白", "2+", "", "阴性", mark="↑"))).flag == "abnormal"


def test_a_mark_alone_never_decides():
    item = only(judge(row("某指标", "12", "", "", mark="↑")))
    assert (item.flag, item.range_source) == ("unknown", "none")
    assert "↑" in item.note


def test_a_reader_in_doubt_is_believed():
    proof = RowEvidence(confidence=0.99, doubt="这一行有两个数")
    item = only(assess(ReadReport(items=[row(result="12")]), [proof]))
    assert (item.flag, item.note) == ("unknown", "这一行有两个数")


def test_low_confidence_is_unknown():
    item = only(judge(row(result="12"), confidence=0.5))
    assert item.flag == "unknown"
    assert "没有把握" in item.note


@pytest.mark.parametrize("result", ["", "-----"])
def test_no_result_is_unknown(result):
    assert only(judge(row(result=result))).note == "没有印结果，或没有读出来"


def test_catalogue_range_only_where_none_is_printed_and_marked_so():
    report = judge(row(result="12", limits=""))
    assert (only(report).flag, only(report).range_source) == ("high", "catalogue")
    assert only(report).applied_range == "3.5-9.5"
    assert any("常见的成人范围" in notice for notice in report.notices)


def test_catalogue_range_needs_the_same_unit_and_an_adult():
    assert only(judge(row(result="12", limits="", unit="个/HP"))).flag == "unknown"
    assert only(judge(row(result="12", limits="", unit=""))).flag == "unknown"
    assert only(judge(row(result="12", limits=""), age="3岁")).flag == "unknown"


def test_catalogue_range_by_sex():
    hemoglobin = row("血红蛋白", "120", "g/L", "")
    assert only(judge(hemoglobin, sex="男")).flag == "low"
    assert only(judge(hemoglobin, sex="女")).flag == "normal"
    assert only(judge(hemoglobin)).flag == "unknown"


def test_other_specimens_never_use_blood_ranges():
    glucose = row("葡萄糖", "2.0", "mmol/L", "")
    assert only(judge(glucose, report_type="脑脊液生化")).flag == "unknown"


@pytest.mark.parametrize("result", ["6.9", ">8.0", "2.0"])
def test_critical_values_lead(result):
    report = judge(row(), row(**POTASSIUM, result=result))
    assert report.items[1].critical
    assert report.triage == "urgent"
    assert report.notices[0].startswith("尽快就医：钾")


def test_critical_needs_a_certain_reading():
    report = judge(row(**POTASSIUM, result="6.9"), confidence=0.5)
    assert not only(report).critical
    assert report.notices[0].startswith("请马上核对原件：钾 6.9")
    assert report.triage == "soon"


def test_critical_needs_the_unit_of_the_catalogue():
    assert not only(judge(row("血红蛋白", "12.0", "g/dL", "11.5-15"))).critical
    assert not only(judge(row("血红蛋白", "9.0", "", "11.5-15"))).critical
    assert only(judge(row("血红蛋白", "45", "", "115-150"))).critical


def test_critical_in_another_unit_is_converted():
    report = judge(row("血红蛋白", "4.5", "g/dL", "11.5-15"))
    assert (only(report).critical, report.triage) == (True, "urgent")


def test_critical_notice_says_that_hospitals_differ():
    assert "各医院标准不同，以本院为准" in judge(row(**POTASSIUM, result="6.9")).notices[0]


def test_nothing_is_critical_by_the_table_for_an_unknown_item_or_inside_the_printed_range():
    assert not only(judge(row("某指标", "6.9", "mmol/L", "3.5-5.3"))).critical
    assert not only(judge(row(**POTASSIUM | {"limits": "3.5-7.0"}, result="6.9"))).critical


@pytest.mark.parametrize("mark", ["危", "危急值", "HH", "↑↑", "!!", "H危"])
def test_a_printed_critical_mark_leads_whether_the_item_is_known_or_not(mark):
    report = judge(row(), row("某指标", "99", "g/L", "1-2", mark=mark))
    assert report.notices[0].startswith("尽快就医：某指标 99 g/L 印着危急标记")
    assert (report.triage, report.items[1].critical) == ("urgent", False)


@pytest.mark.parametrize("mark", ["LL", "危", "!!"])
def test_a_critical_mark_on_a_doubtful_row_asks_to_check(mark):
    report = judge(row("某指标", "1.5", "g/L", "1-2", mark=mark))
    assert report.notices[0].startswith("请马上核对原件：某指标")
    assert (report.triage, only(report).flag) == ("soon", "unknown")


def test_critical_of_adults_is_not_asserted_for_children():
    report = judge(row(**POTASSIUM, result="6.9"), age="10天")
    assert not only(report).critical
    assert "要由医生判断" in report.notices[0]
    assert report.triage == "soon"


def test_urine_is_never_critical():
    assert not only(judge(row("钾", "120", "mmol/L", "25-100"), report_type="24小时尿电解质")).critical


def test_critical_without_a_printed_range_is_asserted_only_for_blood():
    potassium = row("钾", "7.1", "mmol/L", "")
    assert judge(potassium, report_type="电解质").triage == "urgent"
    unsure = judge(potassium, report_type="检验报告单")
    assert (unsure.triage, only(unsure).critical) == ("soon", False)
    assert unsure.notices[0].startswith("请马上核对原件")


@pytest.mark.parametrize(("result", "unit"), [("", "g/L"), ("4.5", "个/HP")])
def test_what_cannot_be_checked_for_critical_is_said_and_never_mild(result, unit):
    report = judge(row(), row(), row(), row("血红蛋白", result, unit, "11.5-15"))
    assert report.notices[0].startswith("没能核对 血红蛋白")
    assert report.triage == "soon"


def test_children_never_get_adult_ranges():
    hemoglobin = row("血红蛋白", "110", "g/L", "")
    assert only(judge(hemoglobin, sex="女")).flag == "low"
    assert only(judge(hemoglobin, sex="女", age="3岁")).flag == "unknown"
    assert only(judge(hemoglobin, sex="女", report_type="儿童血常规")).flag == "unknown"


def test_lost_decimal_points_are_suspected():
    assert only(judge(row("总胆红素", "150", "μmol/L", "0-210"))).flag == "unknown"
    assert only(judge(row(result="484"))).flag == "unknown"
    assert only(judge(row(result="484", mark="↑"))).flag == "high"
    assert only(judge(row(result="6.0", limits="35-95"))).flag == "unknown"


@pytest.mark.parametrize(
    ("result", "unit", "limits"),
    [
        ("6.0", "g/L", "3.5-9.5mmol/L"),
        ("6.0mmol/L", "g/L", "3.5-9.5"),
        ("-6.0", "g/L", "3.5-9.5"),
        ("6.1×10^3", "10^3/μL", "3.5-9.5"),
        ("6.1×10^3", "", "3.5-9.5"),
        ("1,015", "", "1.003-1.030"),
        ("2.5", "", "30-400"),
        ("150", "", "0.5-2.0"),
    ],
)
def test_what_gives_a_misreading_away_is_unknown(result, unit, limits):
    assert only(judge(row("某指标", result, unit, limits))).flag == "unknown"


@pytest.mark.parametrize(
    ("result", "limits", "mark"),
    [
        ("-6.0", "-3-3", "↓"),
        ("2.5", "30-400", "↓"),
        ("1.5×10^4", "<500", None),
        ("150", "0.5-2.0", "↑"),
        ("55", "3.5-9.5", None),
    ],
)
def test_true_extremes_are_judged(result, limits, mark):
    assert only(judge(row("某指标", result, "", limits, mark=mark))).flag in ("high", "low")


# 去掉 1 之后剩下的也超出范围，才可能是箭头：14.2 去掉 1 是正常的 4.2
@pytest.mark.parametrize(
    ("result", "flag"), [("13.2", "unknown"), ("9.661", "unknown"), ("14.2", "high"), ("27.1", "high")]
)
def test_an_arrow_read_as_a_digit_is_suspected_where_the_report_prints_arrows(result, flag):
    suspect, marked = row("某指标", result, "", "3.5-9.5"), row("另一项", "99", "", "1-2", mark="↑")
    assert judge(marked, suspect, confidence=None).items[1].flag == flag
    assert judge(row("另一项", "99", "", "1-2"), suspect, confidence=None).items[1].flag == "high"
    # 有把握数的读者看得见像素，自己查过
    assert judge(marked, suspect).items[1].flag == "high"


def test_rows_that_do_not_add_up_are_unknown():
    report = judge(
        row("总蛋白", "70.0", "g/L", "65-85"),
        row("白蛋白", "45.0", "g/L", "40-55"),
        row("球蛋白", "35.0", "g/L", "20-40"),
        row("钾", "4.0", "mmol/L", "3.5-5.3"),
    )
    assert [item.flag for item in report.items] == ["unknown"] * 3 + ["normal"]
    assert report.items[0].note == "与“总蛋白 = 白蛋白 + 球蛋白”对不上，可能有一处读错"
    assert report.triage != "none"


def test_a_row_already_in_doubt_does_not_bear_witness():
    rows = [
        row("总蛋白", "70", "g/L", "65-85"),
        row("白蛋白", "45", "g/L", "40-55"),
        row("球蛋白", "35", "g/L", "20-40"),
    ]
    proofs = [RowEvidence(confidence=score) for score in (0.99, 0.99, 0.5)]
    assert [item.flag for item in assess(ReadReport(items=rows), proofs).items] == ["normal", "normal", "unknown"]


def test_a_range_for_one_sex_decides_nothing_for_an_unknown_one():
    assert only(judge(row("血红蛋白", "120", "g/L", "男130-175"))).flag == "unknown"


def test_triage():
    slight, clear = row(result="9.8"), row(result="15")
    assert judge(row(), row()).triage == "none"
    assert judge(row(), slight).triage == "routine"
    assert judge(row(), clear).triage == "soon"
    assert judge(slight, slight, slight).triage == "soon"
    assert judge(row(), row(), row(limits="", unit="")).triage == "routine"
    assert judge(row(limits="", unit="")).triage == "soon"
    # 百分之几的偏离也可能要紧：看的是范围的宽度
    assert judge(row("钠", "128", "mmol/L", "137-147")).triage == "soon"


def test_a_report_can_be_judged_again():
    first = judge(row(result="12"))
    first.items[0].result = "6.0"
    assert only(assess(ReadReport.model_validate(first.model_dump()))).flag == "normal"


def test_descriptive_rows_alarm_nobody():
    report = judge(row("ABO血型", "A型", "", ""), row("RH血型", "阳性", "", ""))
    assert {item.flag for item in report.items} == {"unknown"}
    assert report.triage == "routine"


@pytest.mark.parametrize(
    ("name", "unit"), [("葡萄糖(餐后2小时)", "mmol/L"), ("尿蛋白", "g/24h"), ("凝血酶原时间(%)", "s")]
)
def test_unusual_conditions_are_not_compared_with_the_catalogue(name, unit):
    assert only(judge(row(name, "9.0", unit, ""))).flag == "unknown"
