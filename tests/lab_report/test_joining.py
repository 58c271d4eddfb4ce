"""几页合成一份：重复的行、对不上的行、不是同一个人、没有读成的页。"""

import pytest
from outcome_sheets import compose_advice

from health_assistant.lab_report.assessment import assess, raise_to
from health_assistant.lab_report.joining import join_pages
from health_assistant.lab_report.report import LabReport, PrintedField, Reading, ReadRow

POTASSIUM = ("钾", "4.1", "mmol/L", "3.5-5.3")
SODIUM = ("钠", "140", "mmol/L", "137-147")
UREA = ("尿素", "5.1", "mmol/L", "2.6-7.5")


def page(*rows: tuple, title: str = "生化", sex: str | None = "女", age: str | None = "34岁") -> Reading:
    names = ("name", "result", "unit", "reference_range", "mark")
    items = [
        ReadRow(**dict(zip(names, row, strict=False)), confidence=0.99, boxes={"row": (0, at, 9, at + 1)})
        for at, row in enumerate(rows)
    ]
    return Reading(report_type=title, sex=sex, age=age, items=items, engine="读者")


def judge(*pages: Reading, doubts: tuple[str, ...] = ()) -> LabReport:
    joined, floor = join_pages(list(enumerate(pages, 1)))
    joined.notices = [*doubts, *joined.notices]
    report = assess(joined)
    raise_to(report, floor)
    return report


def test_rows_follow_each_other_and_say_their_page():
    report = judge(page(POTASSIUM), page(SODIUM, title=""), page(UREA))
    assert [(item.name, item.page, item.flag) for item in report.items] == [
        ("钾", 1, "normal"), ("钠", 2, "normal"), ("尿素", 3, "normal"),
    ]  # fmt: skip
    assert (report.report_type, report.sex, report.age, report.triage) == ("生化", "女", "34岁", "none")
    assert report.doubts == []


def test_a_single_page_is_left_as_it_is():
    reading = page(POTASSIUM, POTASSIUM)
    assert join_pages([(1, reading)]) == (reading, None)


@pytest.mark.parametrize(
    "again",
    [POTASSIUM, ("钾", "4.10", "mmol/L", "3.5-5.3"), ("钾", "4.1", "", "3.5-5.3"), ("血清钾", "4.1", "mmol/L", "")],
    ids=["一样", "写法不同", "少了单位", "别名，少了范围"],
)
def test_a_row_photographed_twice_is_one_row(again):
    report = judge(page(POTASSIUM, SODIUM), page(again, UREA))
    assert [(item.flag, item.unit) for item in report.items] == [("normal", "mmol/L")] * 3


def test_of_two_equal_readings_the_sure_one_is_kept():
    unsure, sure = page(POTASSIUM), page(POTASSIUM)
    unsure.items[0].confidence = 0.3
    report = judge(unsure, sure)
    assert [(item.page, item.flag) for item in report.items] == [(2, "normal")]


@pytest.mark.parametrize(
    "again",
    [("钾", "4.7", "mmol/L", "3.5-5.3"), ("钾", "4.1", "mmol/L", "4.5-5.3"), ("钾", "4.1", "g/L", "3.5-5.3")],
    ids=["结果", "范围", "单位"],
)
def test_a_row_read_differently_is_not_judged_and_says_why(again):
    report = judge(page(POTASSIUM, SODIUM), page(again))
    potassium, sodium = report.items
    assert (potassium.flag, sodium.flag) == ("unknown", "normal")
    assert "读得不一样" in potassium.note and "第 2 页" in potassium.note and "4." in potassium.note
    assert report.triage == "routine"
    assert any("钾" in doubt for doubt in report.doubts)


def test_marks_that_contradict_are_a_disagreement():
    report = judge(page((*POTASSIUM, "↑")), page((*POTASSIUM, "↓")))
    assert [item.flag for item in report.items] == ["unknown"]


@pytest.mark.parametrize("order", [1, -1])
@pytest.mark.parametrize("grave", [("钾", "7.1", "mmol/L", "3.5-5.3"), ("钾", "7.1", "", "")], ids=["整行", "只有数"])
def test_a_disagreement_never_silences_an_alarm(grave, order):
    report = judge(*[page(grave), page(POTASSIUM)][::order])
    assert [(item.result, item.flag) for item in report.items] == [("7.1", "unknown")]
    assert report.notices[0].startswith("请马上核对原件：钾 7.1")
    assert (report.triage, report.when) == ("soon", "today")


def test_what_was_not_read_on_a_second_photo_is_no_alarm():
    report = judge(page(POTASSIUM, SODIUM, UREA), page(("钾", "", "mmol/L", "3.5-5.3")))
    assert ([item.flag for item in report.items], report.triage) == (["unknown", "normal", "normal"], "routine")


def test_a_third_photo_does_not_settle_a_disagreement():
    other = ("钾", "4.7", "mmol/L", "3.5-5.3")
    assert [item.flag for item in judge(page(POTASSIUM), page(other), page(POTASSIUM)).items] == ["unknown"]
    assert [item.flag for item in judge(page(POTASSIUM), page(other), page(other)).items] == ["unknown"]


def test_blood_and_urine_are_different_tests():
    blood = ("葡萄糖", "5.1", "mmol/L", "3.9-6.1")
    report = judge(page(blood), page(("葡萄糖", "阴性", "", "阴性"), title="尿液分析"))
    assert [(item.flag, item.report_type) for item in report.items] == [("normal", "生化"), ("normal", "尿液分析")]
    assert report.triage == "none"
    assert "尿" not in compose_advice(report)


def test_each_page_is_matched_under_its_own_title():
    """尿里的白细胞 12 与血里的白细胞 6：混在一起就成了白血病。"""
    urine = page(("白细胞", "12", "/μL", "0-28"), title="尿液分析")
    blood = page(("白细胞", "6.1", "10^9/L", "3.5-9.5"), title="血细胞分析")
    for pages in ((urine, blood), (blood, urine)):
        assert {item.flag for item in judge(*pages).items} == {"normal"}


def test_different_persons_are_said_and_not_used():
    report = judge(page(POTASSIUM), page(SODIUM, sex="男", age="61岁"))
    assert report.sex is None
    assert report.triage == "routine"
    assert any("性别不一样" in doubt for doubt in report.doubts)
    assert any("年龄不一样" in doubt for doubt in report.doubts)
    assert "61岁" in report.age and "34岁" in report.age


def test_two_ages_that_are_both_of_adults_are_an_adult():
    """46 岁还是 40 岁说不准，但不是孩子：不说给孩子的话。"""
    low = ("钠", "109", "mmol/L", "137-147")
    report = judge(page(low, age="46岁"), page(POTASSIUM, age="40岁"))
    assert any("年龄不一样" in doubt for doubt in report.doubts)
    assert "大量吃盐" in compose_advice(report) and "孩子" not in compose_advice(report)


def test_the_same_age_written_differently_is_one_person():
    report = judge(page(POTASSIUM), page(SODIUM, sex=None, age="34"))
    assert (report.sex, report.age, report.doubts) == ("女", "34岁", [])


def test_a_page_not_read_forbids_nothing_found():
    report = judge(page(POTASSIUM), doubts=("第 2 页没有读成：看不清。",))
    assert report.triage == "routine"
    assert report.notices[0] == report.doubts[0] == "第 2 页没有读成：看不清。"
    assert "没有读全" in compose_advice(report)
    assert "都在参考范围内" not in compose_advice(report)


def test_what_the_letterheads_say_alike_is_kept():
    """采样时间各页一样的留下；不一样的不要：不知道哪一行是哪一份的。"""
    first, second = page(("钾", "4.1")), page(("钠", "140"))
    hospital = PrintedField(value="仁和医院", box=(1, 2, 3, 4))
    first.origin = {"performer": hospital, "collected": PrintedField(value="2026-11-26T07:10")}
    second.origin = {"performer": hospital, "collected": PrintedField(value="2026-11-27T07:10")}
    joined, _ = join_pages([(1, first), (2, second)])
    assert joined.origin == {"performer": hospital}
    assert join_pages([(3, second)])[0].origin["collected"].page == 3
    second.origin = {"reported": PrintedField(value="2026-01-02")}  # 报告比采样早：是两份单子
    assert join_pages([(1, first), (2, second)])[0].origin == {"performer": hospital}
