"""视觉模型与内置读者对照：一样的才下判断，不一样的两边都给人看，多的、少的都说出来。"""

import pytest
from medical_report.verification import DIFFERENT, ONLY_EMBEDDED, ONLY_VISION, assess_verified

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.joining import join_pages
from health_assistant.lab_report.report import LabReport, PrintedField, Reading, ReadRow

HGB = "血红蛋白 HGB 104 g/L 115-150"
PLT = "血小板计数 PLT 250 10^9/L 125-350"
WBC = "白细胞计数 WBC 6.1 10^9/L 3.5-9.5"
POTASSIUM = "钾 K 4.2 mmol/L 3.5-5.3"


def reading(*rows: str, engine: str = "vl", confidence: float | None = None, **head) -> Reading:
    """每行是“名称 代号 结果 单位 范围 [标记]”；没有的写 _。"""
    rows_read = []
    for at, row in enumerate(rows):
        name, code, result, unit, limits, *mark = ("" if part == "_" else part for part in row.split())
        boxes = {"row": (0, 10 * at, 100, 10 * at + 8)} if confidence else {}
        rows_read.append(
            ReadRow(
                name=name, code=code, result=result, unit=unit, reference_range=limits,
                mark=mark[0] if mark else None, confidence=confidence, boxes=boxes,
            )
        )  # fmt: skip
    return Reading(items=rows_read, engine=engine, **head)


def verified(vision: Reading, *ours: str, **head) -> LabReport:
    return assess_verified(vision, reading(*ours, engine="embedded", confidence=0.97, **head))


def test_rows_read_alike_are_judged_and_take_the_embedded_boxes_and_confidence():
    hgb, plt = verified(reading(HGB, PLT), HGB, PLT).items
    assert (hgb.flag, plt.flag) == ("low", "normal")
    assert (hgb.verified, hgb.other_reading, hgb.note) == (True, None, None)
    assert (hgb.confidence, plt.boxes) == (0.97, {"row": (0, 10, 100, 18)})


@pytest.mark.parametrize(
    ("ours", "other"),
    [
        ("血红蛋白 HGB 140 g/L 115-150", "140 g/L（115-150）"),
        ("血红蛋白 HGB 104 g/dL 115-150", "104 g/dL（115-150）"),
        ("血红蛋白 HGB 104 g/L 115-160", "104 g/L（115-160）"),
        ("血红蛋白 HGB 104 g/L _", "104 g/L"),
        ("血红蛋白 HGB _ g/L 115-150", "（空） g/L（115-150）"),
    ],
    ids=["结果", "单位", "范围", "没有范围", "没有结果"],
)
def test_rows_read_differently_are_not_judged_and_show_both(ours, other):
    (item,) = verified(reading(HGB), ours).items
    assert (item.flag, item.critical, item.verified) == ("unknown", False, False)
    assert (item.note, item.other_reading, item.result) == (DIFFERENT, other, "104")


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("血红蛋白 HGB 104.0 g/L 115--150", "血红蛋白 HGB 104 g/L 115～150"),
        ("白细胞计数 WBC 6.1 ×10^9/L 3.5-9.5", "白细胞 WBC 6.10 10*9/L 3.50-9.50"),
        ("血红蛋白 HGB 104 _ 115-150", "血红蛋白 HGB 104 g/L 115-150"),
        ("尿蛋白 PRO 阴性(-) _ 阴性", "尿蛋白 PRO 阴性 _ 阴性(-)"),
    ],
    ids=["零与横线", "单位的写法", "一边没读到单位", "定性"],
)
def test_other_spellings_of_the_same_thing_are_alike(theirs, ours):
    (item,) = verified(reading(theirs), ours).items
    assert item.verified is True
    assert item.unit == reading(ours).items[0].unit


def test_a_mark_only_one_reader_saw_still_speaks():
    (item,) = verified(reading("血红蛋白 HGB 120 g/L 115-150"), "血红蛋白 HGB 120 g/L 115-150 ↓").items
    assert item.flag == "unknown"
    assert "↓" in item.note


def test_opposite_marks_are_a_disagreement():
    (item,) = verified(reading(f"{HGB} H"), f"{HGB} ↓").items
    assert (item.flag, item.note) == ("unknown", DIFFERENT)


def test_what_the_embedded_reader_left_unread_is_said_and_is_not_called_normal():
    ours = reading(HGB.replace("104", "130"), engine="embedded", confidence=0.97)
    ours.notices = ["这一页还有影像报告（超声）的内容，没有读。"]
    joined, _ = join_pages([(1, ours)])
    report = assess_verified(reading(HGB.replace("104", "130")), joined)
    assert ours.notices[0] in report.notices
    assert report.triage == "routine"


def test_a_row_only_the_model_read_may_be_invented():
    hgb, potassium = verified(reading(HGB, "钾 K 8.9 mmol/L 3.5-5.3"), HGB).items
    assert hgb.flag == "low"
    assert (potassium.flag, potassium.critical, potassium.verified) == ("unknown", False, False)
    assert potassium.note == ONLY_VISION


def test_a_row_only_the_embedded_reader_read_is_put_in_its_place():
    report = verified(reading(WBC, PLT, POTASSIUM), WBC, HGB, PLT, POTASSIUM)
    assert [item.code for item in report.items] == ["WBC", "HGB", "PLT", "K"]
    hgb = report.items[1]
    assert (hgb.flag, hgb.verified, hgb.note, hgb.confidence) == ("unknown", False, ONLY_EMBEDDED, 0.97)
    assert verified(reading(PLT), HGB, PLT).items[0].code == "HGB"


def test_triage_follows_from_the_final_rows():
    assert verified(reading(WBC, PLT), WBC, PLT).triage == "none"
    # 有一行没有判断，至多是居家观察；另一个读者读到的要紧，就要近期看医生
    assert verified(reading(WBC, PLT), WBC, "血小板计数 PLT 251 10^9/L 125-350").triage == "routine"
    assert verified(reading(WBC, PLT), WBC, "血小板计数 PLT 25 10^9/L 125-350").triage == "soon"
    assert verified(reading(WBC, PLT), WBC, "血小板计数 PLT 251 10^9/L 125-350 ↓").triage == "soon"
    assert verified(reading(WBC, PLT), WBC, "血小板计数 PLT 90 10^9/L 125-350").triage == "soon"


def test_a_critical_value_both_read_is_said_first():
    report = verified(reading("钾 K 6.8 mmol/L 3.5-5.3", sex="男"), "钾 K 6.8 mmol/L 3.5-5.3", sex="女")
    assert report.items[0].critical
    assert (report.triage, report.notices[0][:4]) == ("urgent", "尽快就医")


@pytest.mark.parametrize(("theirs", "ours"), [("6.8", "4.8"), ("4.8", "6.8")], ids=["视觉模型读到", "内置读者读到"])
def test_a_critical_value_only_one_read_is_not_asserted_but_said(theirs, ours):
    report = verified(reading(f"钾 K {theirs} mmol/L 3.5-5.3"), f"钾 K {ours} mmol/L 3.5-5.3")
    assert not report.items[0].critical
    assert report.triage == "soon"
    assert report.notices[0].startswith("请马上核对原件")
    assert "6.8" in report.notices[0]


def test_what_is_critical_by_multiples_of_the_printed_limit_is_said_too():
    child = {"report_type": "生化", "sex": "男", "age": "5岁"}
    report = verified(reading("肌酐 CREA 40 μmol/L 20-60", **child), "肌酐 CREA 400 μmol/L 20-60", **child)
    assert report.notices[0].startswith("请马上核对原件：肌酐") and "达到了危急值" in report.notices[0]


@pytest.mark.parametrize("name", ["尿钾 _", "尿钾 K", "血糖 K", "尿钾 U-K", "钾(上次) K"])
@pytest.mark.parametrize("code", ["K", "_"])
def test_a_row_under_the_name_of_another_test_is_doubted_and_weighed_as_the_graver(name, code):
    named = f"{name} 6.9 mmol/L 3.5-5.3"
    report = verified(reading(named), f"钾 {code} 6.9 mmol/L 3.5-5.3")
    assert not any(item.critical or item.verified for item in report.items)
    assert report.triage in ("soon", "urgent")
    assert any(notice.startswith("请马上核对原件") and "钾 6.9" in notice for notice in report.notices)
    assert not any(notice.startswith("尽快就医") for notice in report.notices)


def test_a_healthy_row_renamed_is_not_asserted_to_be_grave():
    report = verified(reading("离子钙 Ca 2.31 mmol/L 2.11-2.52"), "钙 Ca 2.31 mmol/L 2.11-2.52")
    assert (report.items[0].flag, report.items[0].verified) == ("unknown", False)
    assert report.items[0].other_reading == "钙 2.31 mmol/L（2.11-2.52）"
    assert not any(notice.startswith("尽快就医") for notice in report.notices)


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("血清钾 K 4.2 mmol/L 3.5-5.3", "钾 K 4.2 mmol/L 3.5-5.3"),
        ("丙氨酸氨基转移酶 ALT 23 U/L 9-50", "丙氨酸氨基转移 ALT 23 U/L 9-50"),
        ("血红蛋白 _ 130 g/L 115-150", "血红蛋白HGB _ 130 g/L 115-150"),
    ],
)
def test_other_spellings_of_one_name_stay_verified(theirs, ours):
    (item,) = verified(reading(theirs), ours).items
    assert (item.flag, item.verified) == ("normal", True)


def test_a_critical_value_in_a_row_the_model_left_out_is_said():
    report = verified(reading(HGB), HGB, "钾 K 6.8 mmol/L 3.5-5.3")
    assert any(notice.startswith("请马上核对原件：钾 6.8") for notice in report.notices)


@pytest.mark.parametrize(
    ("theirs", "ours", "sex", "age"),
    [
        ({"sex": "男"}, {"sex": "女"}, None, None),
        ({"sex": "男"}, {}, "男", None),
        ({}, {"sex": "女", "age": "35岁"}, "女", "35岁"),
        ({"age": "38岁"}, {"age": "80岁"}, None, "38岁 或 80岁"),
        ({"age": "35"}, {"age": "35岁"}, None, "35岁"),
    ],
)
def test_sex_and_age_read_differently_are_not_used(theirs, ours, sex, age):
    row = "血红蛋白 HGB 125 g/L 男:130-175,女:115-150"
    report = verified(reading(row, **theirs), row, **ours)
    assert (report.sex, report.age) == (sex, age)
    sexes_differ = theirs == {"sex": "男"} and ours == {"sex": "女"}
    assert any("读出的性别不一样" in notice for notice in report.notices) == sexes_differ
    assert any("没有看懂年龄" in notice for notice in report.notices) == ("或" in (age or ""))
    assert report.items[0].flag == {"男": "low", "女": "normal", None: "unknown"}[sex]


@pytest.mark.parametrize(("theirs", "ours"), [("8岁", "80岁"), ("80岁", "8岁"), ("8岁", "岁")])
def test_a_person_one_reader_takes_for_a_child_is_not_judged_as_an_adult(theirs, ours):
    rows = ("钾 K 6.8 mmol/L 3.5-5.3", "白细胞计数 WBC 12 10^9/L _", "碱性磷酸酶 ALP 200 U/L 0-17岁:50-350,成人:45-125")
    report = verified(reading(*rows, age=theirs), *rows, age=ours)
    potassium, white_cells, by_age = report.items
    assert report.age == f"{theirs} 或 {ours}"
    assert any("没有看懂年龄" in notice for notice in report.notices)
    # 这样的血钾，不论是孩子还是大人都危急
    assert (potassium.flag, potassium.critical) == ("high", True)
    assert report.notices[0].startswith("尽快就医：钾 6.8")
    assert (white_cells.flag, white_cells.range_source) == ("unknown", "none")
    assert by_age.flag == "unknown"
    assert report.triage == "urgent"


@pytest.mark.parametrize(("age", "kept"), [("3天", "3天 或 没有印"), ("45岁", "45岁")])
def test_a_childs_age_only_the_model_read_does_not_quiet_an_alarm(age, kept):
    row = "钾 K 6.9 mmol/L 3.5-5.3"
    report = verified(reading(row, age=age), row)
    assert (report.age, report.triage) == (kept, "urgent")
    assert report.notices[0].startswith("尽快就医：钾 6.9")


@pytest.mark.parametrize("title", ["胸水生化", "脑脊液生化", "尿液分析"])
def test_a_title_only_the_model_read_does_not_silence_an_alarm(title):
    row = "钾 K 6.9 mmol/L 3.5-5.3"
    report = verified(reading(row, report_type=title), row)
    assert report.triage in ("soon", "urgent") and report.when in ("today", "now")
    assert report.notices[0].startswith(("尽快就医：钾", "请马上核对原件：钾"))


@pytest.mark.parametrize(
    ("ours", "flag"),
    [("某指标 X 12 g/L _ ↑", "high"), ("某指标 X 12 g/L _", "unknown"), ("某指标 X 12 g/L _ *", "unknown")],
)
def test_a_mark_only_the_vision_model_saw_decides_nothing(ours, flag):
    (item,) = verified(reading("某指标 X 12 g/L _ ↑"), ours).items
    assert (item.mark, item.flag, item.verified) == ("↑", flag, True)


def origin_of(theirs: dict[str, str], ours: dict[str, str]) -> dict[str, str]:
    as_read = [{field: PrintedField(value=value) for field, value in values.items()} for values in (theirs, ours)]
    report = verified(reading(HGB, origin=as_read[0]), HGB, origin=as_read[1])
    return {field: one.value for field, one in report.origin.items()}


@pytest.mark.parametrize(
    ("theirs", "ours", "both"),
    [
        ({"collected": "2024-11-26T08:30"}, {"collected": "2024-11-26T08:30"}, {"collected": "2024-11-26T08:30"}),
        ({"collected": "2024-11-26T08:30"}, {"collected": "2024-11-25T08:30"}, {}),
        ({"collected": "2024-11-26T08:30"}, {"collected": "2024-11-26"}, {"collected": "2024-11-26"}),
        ({"performer": "仁和医院"}, {"performer": "仁和医院（东院区）"}, {"performer": "仁和医院（东院区）"}),
        ({"performer": "仁和医院"}, {"performer": "仁爱医院"}, {}),
        ({"specimen": "静脉血"}, {"specimen": "全血"}, {"specimen": "全血"}),
        ({"specimen": "尿液"}, {"specimen": "全血"}, {}),
        ({"specimen": "血清"}, {"received": "2024-11-26"}, {"specimen": "血清", "received": "2024-11-26"}),
        ({"collected": "2024-11-26"}, {"reported": "2024-11-20"}, {}),
    ],
)
def test_when_and_where_are_kept_only_where_the_two_readers_agree(theirs, ours, both):
    assert origin_of(theirs, ours) == both


def test_the_same_row_printed_twice_is_paired_twice():
    report = verified(reading(PLT, PLT), PLT, PLT)
    assert [item.verified for item in report.items] == [True, True]


def test_what_may_be_critical_is_still_said_after_another_row_is_corrected():
    """网页把整张的疑问交回来：改正别的行、导出的时候，另一个读者读到的危急值还在。"""
    first = verified(reading(POTASSIUM, HGB), "钾 K 7.9 mmol/L 3.5-5.3", HGB)
    rows = [ReadRow.of(row, doubt=row.note) for row in first.items]
    again = assess(Reading(items=rows, notices=first.doubts))
    for report in (first, again):
        assert (report.triage, report.when) == ("soon", "today")
        assert any(notice.startswith("请马上核对原件：钾") for notice in report.notices)


def test_a_culture_is_of_blood_when_the_embedded_reader_saw_that_specimen():
    """采自哪里只有内置读者读；报告名只写着细菌培养。"""
    row, head = "细菌鉴定 _ 大肠埃希菌 _ _", {"report_type": "细菌培养"}
    for specimen, severity in (("静脉血", "grave"), ("尿", "marked")):
        report = verified(reading(row, **head), row, origin={"specimen": PrintedField(value=specimen)}, **head)
        assert report.items[0].severity == severity
