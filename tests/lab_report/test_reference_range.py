"""参考范围与结果：写法多样，判断精确，有疑问就是 unknown。"""

import re
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.interval import Interval, PartitionedInterval, compare
from health_assistant.lab_report.person import parse_age
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reference_range import attached_unit, parse_range, parse_result

RANGES = load_yaml(Path(__file__).with_name("ranges.yaml"))
COMPARISONS = sum(load_yaml(Path(__file__).with_name("comparisons.yaml")).values(), [])
NUMBERS = st.decimals(min_value=-1000, max_value=1000, places=2)
PIECES = st.sampled_from(
    [
        *("3.5", "9.5", "0", "12", "1,000", "1.2E+3", "×10^3", "1:40", "05", ".", "①", "-", "--", "~", "～", "—", "至"),
        *("<", "≤", ">=", "＞", "小于", "以下", "+", "++", "2+", "±", "(-)", "(", ")", "[", "】", ",", "/"),
        *("男", "女:", "M:", "0-3岁", ">60岁", "成人", "儿童", "卵泡期", "绝经后", "正常:", "参考范围：", "Ref:"),
        *("阴性", "阳性", "弱阳性", "有反应性", "待确证", "黄色", "清", "型", "mmol/L", "10^9/L", "×10⁹/L", "%"),
        *("\u3000", "\u0338", " ", ";", ":", "或", "到"),
    ]
)
RANGE_LIKE = st.lists(PIECES, max_size=9).map("".join)


def limits(low: str | None, high: str | None, **fields) -> Interval:
    return Interval(low and Decimal(low), high and Decimal(high), **fields)


def interval(written: str) -> Interval | None:
    """ranges.yaml 里的写法：`[3.5, 9.5)`、`阴性 (, 1)`、`1:(, 40)`；看不懂的为 None。"""
    if written == "看不懂":
        return None
    word, titre, left, low, high, right = re.fullmatch(r"(?:(\w+) )?(1:)?([\[(])(.*), (.*)([\])])", written).groups()
    opened = {"low_open": bool(low) and left == "(", "high_open": bool(high) and right == ")"}
    return limits(low or None, high or None, word=word, is_titre=bool(titre), **opened)


@pytest.mark.parametrize(("text", "written"), [(text, each) for each, texts in RANGES.items() for text in texts])
def test_printed_ranges(text, written):
    assert parse_range(text) == interval(written)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        *((text, "阴性") for text in ("阴性", "阴性(-)", "阴性（－）", "阴", "-", "(-)")),
        *((text, "阴性") for text in ("未检出", "Negative", "NEG", "无", "未见")),
        *((text, "弱阳性") for text in ("弱阳性", "±", "(±)", "+-", "弱阳性(+)", "Trace")),
        *((text, "阳性") for text in ("阳性", "阳", "POS", "Positive")),
        *((text, "1+") for text in ("+", "1+", "+1", "(+)", "阳性(+)", "＋")),
        *((text, "2+") for text in ("++", "2+", "+2", "阳性(++)", "阳性(2+)")),
        *((text, "正常") for text in ("正常", "Normal", "未见异常")),
        *((text, "透明") for text in ("清", "透明", "清亮")),
        *(("黄色、淡黄", "黄色/淡黄"), ("阴性或弱阳性", "阴性/弱阳性")),
        *(("-~±", "阴性/弱阳性"), ("-~1+", "阴性/弱阳性/1+")),
    ],
)
def test_qualitative_ranges(text, words):
    assert str(parse_range(text)) == words


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *(("4.84", "4.84"), ("+3.0", "3"), ("-2.5", "-2.5"), ("1,234.5", "1234.5")),
        *(("4.84 mmol/L", "4.84"), ("12/HP", "12"), ("6.1×10^9/L", "6.1"), ("4.2 10^3/ul", "4.2")),
        *(("1.5×10^4", "15000"), ("1.0E+3", "1000"), ("1.5x10^4IU/mL", "15000")),
    ],
)
def test_numeric_results(text, value):
    assert parse_result(text) == limits(value, value)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-----", "———", "**", "4.8.4", "见备注3", "1l.2", "1Z.1", "12l", "4.8S"),
        *("6.1109/L", "12 5", "007", "3.5-9.5"),
        *("阴性(+)", "1.2×103", "1.5×10^4/mL", "4.84H", "10²³⁴⁵", "5²"),
    ],
)
def test_results_that_are_none(text):
    assert parse_result(text) is None


@pytest.mark.parametrize("case", COMPARISONS)
def test_compare(case):
    printed, flag = case.split(" -> ")
    result, limits, age = (printed.split(" | ") + [None])[:3]
    assert compare(parse_result(result), parse_range(limits), None, parse_age(age)) == flag


@pytest.mark.parametrize(
    ("text", "unit"), [("<5.2mmol/L", "mmol/L"), ("3.5-9.5 109/L", "109/L"), ("5.6", ""), ("阴性", ""), ("3%", "%")]
)
def test_attached_unit(text, unit):
    assert attached_unit(text) == unit


@given(st.text(max_size=30) | RANGE_LIKE)
@example("9" * 10000)
@example("1E+99")
@example("小 于̸1")
@example("0阳")
def test_parsing_never_raises_and_what_it_gives_can_be_written_and_read_again(text):
    normalize(text), parse_age(text), attached_unit(text)
    for parse in (parse_range, parse_result):
        parsed = parse(text)
        if parsed is not None:
            assert parse(str(parsed)) == parsed


def test_long_texts_are_given_up():
    """回溯得越来越慢的正则，在这里停不下来。"""
    for text in (
        "9" * 10000,
        "1" * 10**6,
        "男0-" * 50,
        "(" * 200,
        "1,111" * 40,
        "0-3岁" * 40,
        "参考值:" * 40,
        "- " * 10**5,
        "111 " * 10**5,
    ):
        parse_result(text)
        assert (parse_range(text), attached_unit(text)) == (None, "")


@given(NUMBERS, NUMBERS, NUMBERS)
def test_agrees_with_plain_comparison(value, one, other):
    low, high = min(one, other), max(one, other)
    exact = Fraction(str(value))
    expected = "low" if exact < Fraction(str(low)) else "high" if exact > Fraction(str(high)) else "normal"
    assert compare(parse_result(str(value)), parse_range(f"{low}~{high}")) == expected


ENDS = st.sampled_from(["<", "≤", ">", "≥"])


@given(ENDS, NUMBERS, ENDS, NUMBERS)
def test_bounds_agree_with_an_oracle(result_sign, result_end, sign, end):
    """逐点看：把数轴上所有会改变归属的点都试一遍。"""
    result, reference = ((sign, Fraction(str(number))) for sign, number in ((result_sign, result_end), (sign, end)))
    step = Fraction(1, 1000)
    points = [
        base + shift
        for base in (result[1], reference[1], Fraction(-9999), Fraction(9999))
        for shift in (-step, 0, step)
    ]
    possible = [point for point in points if _holds(point, *result)]
    where = {"normal" if _holds(p, *reference) else "high" if sign in "<≤" else "low" for p in possible}
    expected = where.pop() if len(where) == 1 else "unknown"
    assert compare(parse_result(f"{result_sign}{result_end}"), parse_range(f"{sign}{end}")) == expected


def _holds(point: Fraction, sign: str, end: Fraction) -> bool:
    return {"<": point < end, "≤": point <= end, ">": point > end, "≥": point >= end}[sign]


def test_exact_decimals():
    assert parse_range("0.1-0.3") == Interval(Decimal("0.1"), Decimal("0.3"))
    assert parse_result("0.30") == Interval(Decimal("0.3"), Decimal("0.3"))
    assert parse_result("(-)") == QualitativeResult(("阴性",))
    assert parse_range("男1-2女3-4") == PartitionedInterval((("男", limits("1", "2")), ("女", limits("3", "4"))))


def test_a_mean_and_a_deviation_are_one_and_two_of_it_on_both_sides():
    spans = (("均值±1倍", limits("3.5", "5.5")), ("均值±2倍", limits("2.5", "6.5")))
    assert parse_range("4.5±1.0") == PartitionedInterval(spans)
