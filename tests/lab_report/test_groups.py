"""参考范围按性别、年龄、生理期、采样的条件分开印的：印在范围前面、后面，说不清是哪一群时不判断。"""

import pytest

from health_assistant.lab_report.interval import compare
from health_assistant.lab_report.reference_range import parse_range, parse_result


@pytest.mark.parametrize(("sex", "flag"), [("男", "low"), ("女", "normal"), (None, "unknown")])
@pytest.mark.parametrize(
    "text",
    [
        *("[男:130-175]@[女:115-150]", "[男:130-175][女:115-150]", "男130-175/女115-150", "M:130-175 F:115-150"),
        *("男性：130-175 女性：115-150", "男 130～175；女 115～150"),
        *("Male:130-175,Female:115-150", "男:>=130 女:>=115"),
        *("130-175(男)115-150(女)", "130-175(M), 115-150(F)", "♂130-175 ♀115-150", "成年男性130-175；成年女性115-150"),
        *("参考范围：男130-175，女115-150", "男(130-175) 女(115-150)", "男性130-175g/L,女性115-150g/L"),
    ],
)
def test_ranges_by_sex(text, sex, flag):
    assert compare(parse_result("120"), parse_range(text), sex) == flag


@pytest.mark.parametrize(
    ("text", "groups"),
    [
        ("空腹:3.9-6.1 餐后2h:<7.8", ["空腹", "餐后2h"]),
        ("Fasting: 70-100 PP: <140", ["空腹", "餐后"]),
        ("5-25 (am) 2-14 (pm)", ["上午", "下午"]),
        ("7:00-10:00 6.2-19.4 16:00-20:00 2.3-11.9", ["7:00-10:00", "16:00-20:00"]),
        ("上午8-10时 5-25", ["上午8-10时"]),
        ("立位 4-38 卧位 1-23", ["立位", "卧位"]),
        ("5-10(谷) 30-40(峰)", ["谷", "峰"]),
        ("<60岁 3.5-5.3 ≥60岁 3.7-5.5", ["<60岁", ">=60岁"]),
        ("Follicular 3.5-12.5; Luteal 1.7-7.7; Postmenopausal 25-135", ["卵泡期", "黄体期", "绝经后"]),
        ("足月儿:<205;早产儿:<255", ["足月儿", "早产儿"]),
        ("3.5-5.3 (Adult)", ["成人"]),
        ("child:110-140; adult,M: 130-175", ["儿童", "成人男"]),
        ("3-5,男130-175", None),
        ("10:30", None),
    ],
)
def test_groups_of_ages_phases_and_conditions(text, groups):
    parsed = parse_range(text)
    assert groups == (parsed and [who for who, _ in parsed.groups])


def test_conditions_decide_only_where_all_agree():
    limits = parse_range("空腹:3.9-6.1 餐后2h:<7.8")
    assert [compare(parse_result(value), limits) for value in ("5", "7", "9")] == ["normal", "unknown", "high"]


def test_sex_does_not_matter_where_both_ranges_agree():
    assert compare(parse_result("90"), parse_range("男130-175 女115-150")) == "low"


def test_half_a_range_by_sex_decides_only_for_that_sex():
    assert compare(parse_result("120"), parse_range("男130-175")) == "unknown"
    assert compare(parse_result("120"), parse_range("男130-175"), "女") == "unknown"
    assert compare(parse_result("120"), parse_range("男130-175"), "男") == "low"


PHASES = "卵泡期3.5-12.5 排卵期4.7-21.5 黄体期1.7-7.7 绝经期25.8-134.8"


@pytest.mark.parametrize(("value", "flag"), [("1.0", "low"), ("200", "high"), ("5", "unknown")])
def test_phases_decide_only_where_all_agree(value, flag):
    assert compare(parse_result(value), parse_range(PHASES), "女", 40) == flag
    assert compare(parse_result(value), parse_range(PHASES), "男", 40) == "unknown"


def test_phases_of_women_beside_men():
    text = parse_range("男:1.5-12.4 女:卵泡期3.5-12.5 黄体期1.7-7.7")
    assert [who for who, _ in text.groups] == ["男", "女卵泡期", "黄体期"]
    assert compare(parse_result("12.45"), text, "男") == "high"
    assert compare(parse_result("12.45"), text, "女") == "unknown"
