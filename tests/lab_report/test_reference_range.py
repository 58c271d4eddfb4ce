"""参考范围与结果：写法多样，判断精确，有疑问就是 unknown。"""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health_assistant.lab_report.reference_range import Interval, Terms, compare, parse_age, parse_range, parse_result

NUMBERS = st.decimals(min_value=-1000, max_value=1000, places=2)


@pytest.mark.parametrize(
    ("result", "limits", "flag"),
    [
        ("4.84", "3.5-9.5", "normal"),
        ("9.5", "3.5-9.5", "normal"),
        ("9.50", "3.5～9.5", "normal"),
        ("9.51", "3.5—9.5", "high"),
        ("3.49", "3.5—9.5", "low"),
        ("-4.1", "-3-3", "low"),
        ("-2.9", "-3-3", "normal"),
        ("5.31", ">5.31", "low"),
        ("5.32", "＞5.31", "normal"),
        ("5", "≤5", "normal"),
        ("5", "<5", "high"),
        ("5", "0-5mg/L", "normal"),
        ("3.3umol/L", "0-17", "normal"),
        ("6.1×10^9/L", "3.5-9.5×10^9/L", "normal"),
        ("12/HP", "0-5/HP", "high"),
        ("<0.01", "0-0.5", "normal"),
        ("<0.5", "0-0.1", "unknown"),
        ("<0.01", "0.27-4.2", "low"),
        (">1000", "0-5", "high"),
        (">=1.030", "1.01-1.03", "unknown"),
        ("阴性(-)", "阴性", "normal"),
        ("-", "阴性(-)", "normal"),
        ("2+", "阴性", "abnormal"),
        ("弱阳性", "阴性", "abnormal"),
        ("±", "阴性", "abnormal"),
        ("弱阳性", "阴性或弱阳性", "normal"),
        ("阳性/阴性", "阴性", "unknown"),
        ("黄色", "黄色", "normal"),
        ("黄色", "淡黄色或黄色", "normal"),
        ("棕色", "黄色", "unknown"),
        ("5.2", "阴性", "unknown"),
        ("阴性", "0-5", "unknown"),
    ],
)
def test_compare(result, limits, flag):
    assert compare(parse_result(result), parse_range(limits)) == flag


@pytest.mark.parametrize(
    ("sex", "flag"), [("男", "low"), ("女", "normal"), (None, "unknown")]
)
def test_ranges_by_sex(sex, flag):
    assert compare(parse_result("120"), parse_range("[男:130-175]@[女:115-150]"), sex) == flag


def test_sex_does_not_matter_where_both_ranges_agree():
    assert compare(parse_result("90"), parse_range("男130-175 女115-150")) == "low"


def test_ranges_by_age():
    limits = parse_range("成人3.4-17.1,新生儿5-200")
    assert compare(parse_result("30"), limits, None, 40) == "high"
    assert compare(parse_result("30"), limits) == "unknown"


@pytest.mark.parametrize("text", ["", "-----", "   ", "见备注3", "5.0-3.0", "3.5-", "3.5--9.5", "a1-b2", "1-2-3"])
def test_what_is_not_understood_is_none(text):
    assert parse_range(text) is None


@pytest.mark.parametrize("text", ["", "-----", "**", "4.8.4", "见备注3", "1l.2", "1Z.1", "12l", "4.8S"])
def test_results_that_are_none(text):
    assert parse_result(text) is None


@given(st.text(max_size=30))
def test_parsing_never_raises(text):
    parse_range(text), parse_result(text), parse_age(text)


@given(NUMBERS, NUMBERS, NUMBERS)
def test_agrees_with_plain_comparison(value, one, other):
    low, high = min(one, other), max(one, other)
    expected = "low" if value < low else "high" if value > high else "normal"
    assert compare(parse_result(str(value)), parse_range(f"{low}-{high}")) == expected


def test_exact_decimals():
    assert parse_range("0.1-0.3") == Interval(Decimal("0.1"), Decimal("0.3"))
    assert parse_result("0.30") == Interval(Decimal("0.3"), Decimal("0.3"))
    assert parse_result("(-)") == Terms(("阴性",))


@pytest.mark.parametrize(("text", "years"), [("45岁", 45), ("6月", 0.5), ("3", 3), (None, None), ("成人", None)])
def test_age(text, years):
    assert parse_age(text) == years
