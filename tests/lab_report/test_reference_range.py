"""参考范围与结果：写法多样，判断精确，有疑问就是 unknown。"""

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


@pytest.mark.parametrize(
    "text",
    [
        *(
            "3.5-9.5",
            "3.5--9.5",
            "3.5---9.5",
            "3.5~9.5",
            "3.5～9.5",
            "3.5…9.5",
            "3.5→9.5",
            "3.5 thru 9.5",
            "3.5–9.5",
            "3.5—9.5",
            "3.5——9.5",
            "3.5−9.5",
        ),
        *("3.5至9.5", "3.5到9.5", "3.5 to 9.5", " 3.5 - 9.5 ", "３．５－９．５", "3.50-9.50", "+3.5-+9.5"),
        *("(3.5-9.5)", "[3.5-9.5]", "（3.5-9.5）", "【3.5-9.5】", "(3.5-9.5", "参考范围:3.5-9.5", "参考范围：3.5～9.5"),
        *("参考区间 3.5-9.5", "正常:3.5-9.5", "正常值3.5-9.5"),
        *("Ref:3.5-9.5", "Ref. Range: 3.5-9.5", "【参考值：3.5-9.5】"),
        *("3.5-9.5 10^9/L", "3.5-9.5×10^9/L", "3.5-9.5×10⁹/L", "3.5-9.5 109/L", "3.5-9.5×10~9/L", "3.5-9.5*10^9/L"),
        *(
            "N:3.5-9.5",
            "N.V. 3.5-9.5",
            "Normal values: 3.5-9.5",
            "正常值范围：3.5-9.5",
            "Biological Ref. Interval 3.5-9.5",
        ),
        *(
            "有效血药浓度3.5-9.5",
            "Therapeutic range: 3.5-9.5",
            "3.5-9.5;",
            "*3.5-9.5",
            "3.5-9.5 mg/L（FEU）",
            "(3.5)-(9.5)",
        ),
        *("[3.5:9.5]", "≥3.5且≤9.5", ">=3.5 & <=9.5", "≥3.5 ≤9.5", "3.5≤K≤9.5", "下限3.5 上限9.5", "L 3.5 H 9.5"),
        *("from 3.5 to 9.5", "Between 3.5 and 9.5 mmol/L", "3.5-9.5 x 10e9/L", "3.5×10^9-9.5×10^9/L"),
        *("3.5-9.5(10^9/L)", "(3.5-9.5)mmol/L", "3.5%-9.5%", "3.5g/L-9.5g/L", "3.5-9.5 umol/1", "3.5-9.5s/co"),
    ],
)
def test_ranges_with_two_sides(text):
    assert parse_range(text) == limits("3.5", "9.5")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<0.01", limits(None, "0.01", high_open=True)),
        ("＜5.2mmol/L", limits(None, "5.2", high_open=True)),
        ("正常:<5.2", limits(None, "5.2", high_open=True)),
        ("小于5", limits(None, "5", high_open=True)),
        ("≤5", limits(None, "5")),
        ("<=5", limits(None, "5")),
        ("不大于5", limits(None, "5")),
        ("Upto 5", limits(None, "5")),
        ("Less than 5.7 %", limits(None, "5.7", high_open=True)),
        ("Greater than or equal to 60", limits("60", None)),
        ("Desirable: Less than 200, Borderline: 200-239, High: Above 240", limits(None, "200", high_open=True)),
        ("Clover 5", None),
        ("Healthy: 3-5", limits("3", "5")),
        ("Normal,3-5", limits("3", "5")),
        ("0.5以下", limits(None, "0.5")),
        ("阴性(<1.0)", limits(None, "1.0", high_open=True, word="阴性")),
        ("阴性>1", limits("1", None, low_open=True, word="阴性")),
        ("3,6-10,0", limits("3.6", "10.0")),
        ("0,270-4,200", limits("0.270", "4.200")),
        ("<1.00×10^2", limits(None, "100", high_open=True)),
        ("合适范围:<5.20 边缘升高:5.20~6.19 升高:≥6.20", limits(None, "5.20", high_open=True)),
        ("正常<30,微量白蛋白尿30-300,大量白蛋白尿>300", limits(None, "30", high_open=True)),
        ("理想:<2.60,合适:<3.40,升高:≥4.10", limits(None, "3.40", high_open=True)),
        ("降低:<1.00", limits("1.00", None)),
        ("(0.15,0.45)", limits("0.15", "0.45")),
        ("[0,8]", limits("0", "8")),
        ("升高:≥6.20", limits(None, "6.20", high_open=True)),
        ("Desirable: <200, Borderline: 200-239, High: >=240", limits(None, "200", high_open=True)),
        ("< 200 Desirable", limits(None, "200", high_open=True)),
        ("0.5 - 3.0 Desirable/Low Risk", limits("0.5", "3.0")),
        ("170 Desirable", None),
        ("> 3.00 High", None),
        ("缺乏<20;不足20-30;充足30-100", limits("30", "100")),
        ("<20 缺乏 20-30 不足 >30 充足", limits("30", None, low_open=True)),
        ("缺乏：<12 ng/mL 不足：12-20 ng/mL 适宜：20-50 ng/mL 过量：>50 ng/mL", limits("20", "50")),
        ("Deficient <20; Insufficient 20-29; Sufficient 30-100", limits("30", "100")),
        ("Normal <5.7, Prediabetes 5.7-6.4, Diabetes >=6.5", limits(None, "5.7", high_open=True)),
        ("降低<1.00 合适1.00-1.50 理想>1.50", limits("1.00", None)),
        ("理想<2.6 边缘2.6-3.4 合适3.4-4", None),
        ("G1≥90;G2 60-89;G3 30-59", None),
        ("Deficient <20; Sufficient >30; Toxic >150", limits("30", "150", low_open=True)),
        ("正常<10 正常>100", None),
        ("0-10 具有保护力", None),
        ("孕3周5-50;孕4周5-426", None),
        ("11-14.5秒；以INR为准", limits("11", "14.5")),
        ("3.5-5.3（见备注）", limits("3.5", "5.3")),
        ("3.5-5.3；以上见第2页", None),
        ("200 - 239 Borderline High", None),
        ("Non-diabetic: < 5.7", limits(None, "5.7", high_open=True)),
        ("< 1.00 Low Risk; 1.00-3.00 Average", None),
        (">1.04", limits("1.04", None, low_open=True)),
        ("≥1.030", limits("1.03", None)),
        (">=1.030", limits("1.03", None)),
        ("大于等于3", limits("3", None)),
        ("大于3", limits("3", None, low_open=True)),
        ("5以上", limits("5", None)),
        *((text, limits(None, "5.2")) for text in ("max 5.2", "5.2 or less", "5.2 max.", "上限5.2")),
        ("min 3.5", limits("3.5", None)),
        ("≥60 mL/min/1.73m²", limits("60", None)),
        *((text, limits("150000", "400000")) for text in ("150 000 - 400 000", "150 000–400 000 /µL")),
        ("4-10 100", None),
        ("<100 pg/mL（排除心衰）", limits(None, "100", high_open=True)),
        ("cut-off: <1.0", limits(None, "1.0", high_open=True)),
        *(
            (text, limits(None, "1", high_open=True, word="阴性"))
            for text in (
                "阴性:<1 阳性:≥1",
                "<1 阴性;1-2 灰区;>2 阳性",
                "Negative <1; Equivocal 1-2; Positive >2",
                "≥1为阳性",
            )
        ),
        ("Nonimmune <10; Immune >=10", None),
        *((text, limits(None, "0.35", high_open=True)) for text in ("0级:<0.35", "<0.35 IU/mL (Class 0)")),
        ("低风险 <1:270", limits(None, "270", high_open=True, is_titre=True)),
        ("高风险≥1:270", limits(None, "270", high_open=True, is_titre=True)),
        *(
            (text, None)
            for text in ("H 5.3", "[1:40]", "S/CO≥1", "临界值 5.3", "Target <7.0", "±1.0", "4.5±", "0-10 min")
        ),
        ("-3-3", limits("-3", "3")),
        *((text, limits("-3.0", "3.0")) for text in ("(-3.0)-3.0", "(-3.0)~(+3.0)", "(-3.0)-3.0mmol/L")),
        ("(-5)-(-3)", limits("-5", "-3")),
        ("-3.0~+3.0", limits("-3", "3")),
        ("-3.0--+3.0", limits("-3", "3")),
        ("-5~-3", limits("-5", "-3")),
        ("0.0~-12.0", limits("0.0", "12.0")),
        *((f"0.12--0.80{unit}", limits("0.12", "0.80")) for unit in (".10^9/L", "10^9", ",mS/cm", "HPF")),
        ("<-3", limits(None, "-3", high_open=True)),
        ("0-1", limits("0", "1")),
        ("0-0", limits("0", "0")),
        ("1,000-2,000", limits("1000", "2000")),
        ("0-1,000,000.5", limits("0", "1000000.5")),
        ("1.2×10^3-2×10^3", limits("1200", "2000")),
        ("1.2×10³-2×10³", limits("1200", "2000")),
        ("0-5×10^2", limits("0", "500")),
        ("<1.0E+03", limits(None, "1000", high_open=True)),
        ("<1:40", limits(None, "40", high_open=True, is_titre=True)),
        ("<1：80", limits(None, "80", high_open=True, is_titre=True)),
        ("1:20-1:80", limits("20", "80", is_titre=True)),
    ],
)
def test_other_numeric_ranges(text, expected):
    assert parse_range(text) == expected


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
    "text",
    [
        *("", "-----", "   ", "见备注3", "5.0-3.0", "9.5-3.5", "3.5-", "-9.5", "a1-b2", "1-2-3", "3..5-9", "35-9.5-1"),
        *("3.5----9.5", "3.5-9.", "3-.5.9", "05-10", "3.5-9,5"),
        *("4.84", "1:40", "1:20-80", "3。5-9", "3.5 9.5"),
        # 有两种读法：负号还是两横，指数管一边还是两边，109 是单位还是数
        *("-5--3", "1.1-2.5×10^3", "3.5-9.5109/L", "3.5-9.5×10^9", "3.5g/L-9.5mg/L"),
        *("①1-50", "5²-60", "½-1", "阴性(+)", "0-1+", "l.5-9", "3.5-9.S", "１：", "参考范围:", "<", "3.5-9.5,500"),
        *("男130-175,3-5", "3-5,男130-175", "男女3-5", "男130-", "0-1岁5-910-12岁6-8", "9" * 10000, "1E+99999999999"),
    ],
)
def test_what_is_not_understood_is_none(text):
    assert parse_range(text) is None


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
