"""判断：印着的范围优先，矛盾与不清都是 unknown，危急值领先，分级按规则。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import LabReport, PrintedRow, ReadReport, ReadRow


def row(name="白细胞计数", result="6.0", unit="10^9/L", limits="3.5-9.5", mark=None, code="") -> PrintedRow:
    return PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark)


POTASSIUM = {"name": "钾", "unit": "mmol/L", "limits": "3.5-5.3"}


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
    doubtful = ReadRow.of(row(result="12"), confidence=0.99, doubt="这一行有两个数")
    item = only(assess(ReadReport(items=[doubtful])))
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
    assert any("用的是常见的范围" in notice for notice in report.notices)


def test_catalogue_range_needs_the_same_unit_and_the_right_people():
    assert only(judge(row(result="12", limits="", unit="个/HP"))).flag == "unknown"
    assert only(judge(row(result="12", limits="", unit=""))).flag == "unknown"
    # 孩子有自己的范围；年龄看不懂的没有范围
    assert only(judge(row(result="11", limits=""), age="3岁")).flag == "normal"
    assert only(judge(row(result="11", limits=""), age="4?岁")).flag == "unknown"


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


def test_nothing_is_critical_by_the_table_for_an_unknown_item():
    assert not only(judge(row("某指标", "6.9", "mmol/L", "3.5-5.3"))).critical


@pytest.mark.parametrize(
    ("name", "result", "unit", "limits"),
    [("钾", "7.0", "mmol/L", "3.5-7.3"), ("血小板计数", "15", "10^9/L", "12-350"), ("血红蛋白", "45", "g/L", "11-150")],
)
def test_a_range_that_swallows_a_grave_value_is_doubted_and_the_alarm_stays(name, result, unit, limits):
    report = judge(row(name, result, unit, limits))
    assert (only(report).flag, only(report).critical, report.triage) == ("unknown", False, "urgent")
    assert report.notices[0].startswith(f"请马上核对原件：{name} {result}") and "危急值" in report.notices[0]


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


@pytest.mark.parametrize("age", ["3岁", "17岁", "4?岁", "9月"])
def test_a_child_or_a_person_of_unclear_age_is_as_urgent_as_an_adult(age):
    report = judge(row(**POTASSIUM, result="7.2"), age=age)
    assert only(report).critical and report.triage == "urgent"


def test_a_newborn_has_limits_of_its_own():
    assert judge(row("血红蛋白", "202", "g/L", "145-200"), age="1天").triage == "routine"
    assert judge(row("总胆红素", "380", "μmol/L", "0-221"), age="3天").triage == "urgent"
    assert judge(row("总胆红素", "160", "μmol/L", "0-205"), age="18小时").triage == "urgent"


def test_urine_is_never_critical():
    assert not only(judge(row("钾", "120", "mmol/L", "25-100"), report_type="24小时尿电解质")).critical


@pytest.mark.parametrize("title", ["电解质", "检验报告单", "糖尿病检查", "血常规+生化+尿常规"])
def test_critical_needs_no_printed_range(title):
    report = judge(row("钾", "7.1", "mmol/L", ""), report_type=title)
    assert (report.triage, only(report).critical) == ("urgent", True)


@pytest.mark.parametrize(("result", "unit"), [("", "g/L"), ("4.5", "个/HP")])
def test_what_cannot_be_checked_for_critical_is_said_and_never_mild(result, unit):
    report = judge(row(), row(), row(), row("血红蛋白", result, unit, "11.5-15"))
    assert report.triage == "soon"
    assert result or report.notices[0].startswith("没能核对 血红蛋白")


def test_children_never_get_adult_ranges():
    hemoglobin = row("血红蛋白", "110", "g/L", "")
    assert only(judge(hemoglobin, sex="女")).flag == "low"
    assert only(judge(hemoglobin, sex="女", age="1.5岁")).flag == "normal"
    assert only(judge(hemoglobin, sex="女", report_type="儿童血常规")).flag == "unknown"


def test_lost_decimal_points_are_suspected():
    assert only(judge(row("总胆红素", "150", "μmol/L", "0-2.1"))).flag == "unknown"
    assert only(judge(row("钾", "42", "mmol/L", "3.5-5.3"))).flag == "unknown"
    assert only(judge(row("血红蛋白", "1350", "g/L", "130-175"))).flag == "unknown"
    # 这些项目真会到上限的几十倍
    assert only(judge(row("C反应蛋白", "120", "mg/L", "0-8.0"))).flag == "high"
    assert only(judge(row("总胆红素", "350", "μmol/L", "0-26.0"))).flag == "high"
    assert only(judge(row("钾", "42", "mmol/L", "3.5-5.3", mark="↑"))).flag == "high"
    assert only(judge(row(result="6.0", limits="35-95"))).flag == "unknown"


@pytest.mark.parametrize(
    ("result", "unit", "limits"),
    [
        ("6.0", "g/L", "3.5-9.5mmol/L"),
        ("6.0mmol/L", "g/L", "3.5-9.5"),
        ("-6.0", "g/L", "3.5-9.5"),
        ("6.1×10^3", "10^3/μL", "3.5-9.5"),
        ("6.1×10^3", "", "3.5-9.5"),
        ("10²", "U/L", "9-50"),
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
    # 有把握数的读者看得见像素，也不是每个箭头都认得出
    assert judge(marked, suspect).items[1].flag == flag


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
    rows = [ReadRow.of(one, confidence=score) for one, score in zip(rows, (0.99, 0.99, 0.5), strict=True)]
    assert [item.flag for item in assess(ReadReport(items=rows)).items] == ["normal", "normal", "unknown"]


def test_a_range_for_one_sex_decides_nothing_for_an_unknown_one():
    assert only(judge(row("血红蛋白", "120", "g/L", "男130-175"))).flag == "unknown"


def test_triage_follows_the_gravest_row():
    slight, clear = row(result="9.8"), row(result="15")
    assert judge(row(), row()).triage == "none"
    assert judge(row(), slight).triage == "routine"
    assert (judge(row(), clear).triage, judge(row(), clear).when) == ("soon", "weeks")
    # 小事再多也是小事
    assert judge(slight, slight, slight).triage == "routine"
    assert judge(row(), row(), row(limits="", unit="")).triage == "routine"
    assert judge(row(limits="", unit="")).triage == "soon"
    # 百分之几的偏离也可能要紧
    assert judge(row("钠", "128", "mmol/L", "137-147")).triage == "soon"


@pytest.mark.parametrize(
    ("result", "severity", "triage", "when"),
    [
        ("5.4", "slight", "routine", None), ("5.6", "moderate", "soon", "weeks"), ("5.9", "marked", "soon", "days"),
        ("6.1", "severe", "soon", "today"), ("6.9", "grave", "urgent", "now"),
    ],
)  # fmt: skip
def test_the_severity_decides_where_and_when(result, severity, triage, when):
    report = judge(row(**POTASSIUM, result=result, mark="↑"))
    assert (only(report).severity, report.triage, report.when) == (severity, triage, when)


@pytest.mark.parametrize(
    ("name", "result", "unit", "limits"),
    [
        ("艾滋病病毒抗体", "1.05", "S/CO", "0-1"), ("丙肝抗体", "1.05", "S/CO", "0-1"),
        ("肌钙蛋白I", "28.1", "ng/L", "0-26.2"),
        ("人绒毛膜促性腺激素", "5.4", "mIU/mL", "0-5"),
    ],
)  # fmt: skip
def test_a_cutoff_is_never_slightly_passed(name, result, unit, limits):
    assert only(judge(row(name, result, unit, limits))).severity not in (None, "slight")


def test_a_doubled_arrow_is_a_degree_where_the_table_knows_the_item():
    assert judge(row("丙氨酸氨基转移酶", "110", "U/L", "9-50", mark="↑↑")).triage == "soon"
    assert judge(row("某指标", "99", "g/L", "1-2", mark="↑↑")).triage == "urgent"


def test_neutrophils_are_derived_where_only_the_share_is_printed():
    report = judge(row(result="1.4"), row("中性粒细胞百分比", "20.1", "%", "40-75"))
    assert report.triage == "urgent" and "0.28" in report.notices[0]


def test_an_adult_range_on_the_paper_of_a_child_or_a_pregnant_woman_is_seen_through():
    child = judge(row("肌酐", "92", "μmol/L", "57-97"), sex="男", age="4岁")
    assert (only(child).flag, child.triage) == ("unknown", "soon")
    pregnant = judge(row("葡萄糖", "5.3", "mmol/L", "3.9-6.1"), sex="女", age="30岁", report_type="生化 孕25周")
    assert (only(pregnant).flag, pregnant.triage) == ("unknown", "soon")
    calm = judge(row("碱性磷酸酶", "300", "U/L", "45-125", mark="↑"), sex="男", age="9岁")
    assert (only(calm).flag, only(calm).severity) == ("high", "slight")


@pytest.mark.parametrize("report_type", ["血常规 孕28周", "产科门诊 血常规"])
def test_pregnancy_is_noticed_and_said(report_type):
    assert any("怀孕" in notice for notice in judge(row(), report_type=report_type, sex="女", age="30岁").notices)
    assert not any("怀孕" in notice for notice in judge(row(), report_type="妇产科 不孕门诊", sex="女").notices)


def test_a_report_can_be_judged_again():
    first = judge(row(result="12"))
    first.items[0].result = "6.0"
    assert only(assess(ReadReport.model_validate(first.model_dump()))).flag == "normal"


def test_descriptive_rows_alarm_nobody():
    report = judge(row("ABO血型", "A型", "", ""), row("RH血型", "阳性", "", ""))
    assert {item.flag for item in report.items} == {"unknown"}
    assert report.triage == "routine"


@pytest.mark.parametrize(
    ("name", "unit"), [("皮质醇(服药后)", "nmol/L"), ("胰岛素(餐后2小时)", "mIU/L"), ("凝血酶原时间(%)", "s")]
)
def test_unusual_conditions_are_not_compared_with_the_catalogue(name, unit):
    assert only(judge(row(name, "9.0", unit, ""))).flag == "unknown"


def test_glucose_after_a_meal_has_its_own_range():
    after = row("葡萄糖(餐后2小时)", "7.5", "mmol/L", "")
    assert only(judge(after)).flag == "normal"
    assert judge(row("餐后2小时血糖", "33", "mmol/L", "<7.8")).triage == "urgent"


@pytest.mark.parametrize(
    ("item", "person", "triage", "when"),
    [
        # 没有印范围、性别也不知道，几倍上限照目录里宽的那一条
        (row("谷丙转氨酶", "4500", "U/L", "", code="ALT"), {}, "urgent", "now"),
        # 印着的范围多半读错了
        (row("肌酸激酶", "65000", "U/L", "50-3100", "↑", "CK"), {}, "urgent", "now"),
        (row("血红蛋白", "68", "g/L", "15-150", code="HGB"), {}, "soon", "today"),
        (row("钠", "124", "mmol/L", "107-147", code="Na"), {}, "soon", "today"),
        (row("血小板", "15", "10^9/L", "12-350", code="PLT"), {}, "urgent", "now"),
        # 范围像是另一个单位的（万/μL、μmol/L）：今天就看清
        (row("血小板", "15", "10^9/L", "12-35", code="PLT"), {}, "soon", "today"),
        (row("肌酐", "75", "mg/dL", "57-97", code="CREA"), {}, "soon", "today"),
        (row("D-二聚体", "30", "mg/L FEU", "0-0.0", "↑", "D-D"), {}, "soon", "today"),
        # 新生儿没有自己的那一条的，用大人的
        (row("APTT", "150", "s", "25-37", code="APTT"), {"age": "5天"}, "urgent", "now"),
        # 测不出、测不下去
        (row("葡萄糖", "HI", "mmol/L", "3.9-6.1", code="GLU"), {}, "urgent", "now"),
        (row("凝血酶原时间", "不凝", "s", "11-14", code="PT"), {}, "soon", "today"),
        # 标记与结果粘在一起
        (row("钾", "7.1↑", "mmol/L", "3.5-5.3", code="K"), {}, "urgent", "now"),
        (row("钾", "1.8(危急)", "mmol/L", "3.5-5.3", code="K"), {}, "urgent", "now"),
        (row("钾", "7·1", "mmol/L", "3.5-5.3", code="K"), {}, "urgent", "now"),
        # 报告名是尿，范围是血的
        (row("钾", "7.1", "mmol/L", "3.5-5.3", "↑", "K"), {"report_type": "尿常规"}, "urgent", "now"),
        # 只有缩写、没有单位，范围说出了单位
        (row("", "4.5", "", "13-17.5", code="HGB"), {}, "urgent", "now"),
        (row("", "8.5", "", "0-0.04", code="cTnI"), {}, "urgent", "now"),
        (row("白细胞计数", "1500", "10^6/L", ""), {"report_type": "脑脊液"}, "urgent", "now"),
        (row("白细胞计数", "12", "10^6/L", ""), {"report_type": "脑脊液"}, "soon", "today"),
        (row("疟原虫", "检出间日疟原虫", "", "未检出"), {}, "urgent", "now"),
        # 认得的项目有自己的分级，两个箭头不加重；比例不当作百分数
        (row("平均血小板体积", "13.5", "fL", "9-13", "HH", "MPV"), {}, "routine", None),
        (row("氧饱和度", "0.97", "", "0.95-0.99", code="SaO2"), {}, "none", None),
    ],
)
def test_an_unclear_range_unit_or_specimen_hides_no_emergency(item, person, triage, when):
    report = judge(item, **{"sex": None, "age": "45岁"} | person)
    assert (report.triage, report.when) == (triage, when)


def test_a_doubt_does_not_make_a_row_less_grave():
    doubtful = ReadRow.of(row("艾滋病病毒抗体", "阳性", "", "阴性"), doubt="这一行有两个数")
    assert assess(ReadReport(items=[doubtful], age="45岁")).when == "days"


def test_few_neutrophils_are_found_when_their_share_is_a_fraction():
    share = row("中性粒细胞百分比", "0.05", "", "0.40-0.75", "↓", "NEUT%")
    assert judge(row(result="2.1"), share, age="45岁").triage == "urgent"
