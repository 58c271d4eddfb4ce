"""一行读数自己露出的破绽：丢了的小数点、当成数字的箭头、对不上的单位。文字识别常错在这些地方。

印着的标记与判断一致时，数值离谱也是真的；只有没有标记佐证时才怀疑小数点。
"""

import re
from dataclasses import replace
from decimal import Decimal

from health_assistant.lab_report.catalogue import Analyte, Direction
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value, compare
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.range_likeness import UNLIKE, range_distance
from health_assistant.lab_report.reference_range import parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, UNREAD_MARK, Flag, PrintedRow
from health_assistant.lab_report.severity import is_impossible, load_severity
from health_assistant.lab_report.units import dimension_of, fold_unit

_NEARLY_NONE = 20
"""常见范围的下限不到上限的这么多分之一，就近于没有下限：嗜酸性粒细胞的 0.02 印成 0.002 差不了多少。"""
_MOST_BELOW = -5
_PERCENTAGE = re.compile("百分[比数率]|percentage", re.IGNORECASE)
_IN_POWERS = re.compile(r"\d\s*(?:[×xX*]\s*10\s*\^?|[eE]\s*\+?)\s*\d")
_LIKE = 4
"""印着的范围两端与目录的都差不到四分之一，才正像这一项的。只在单位不像时用。"""
_NOT_ITS_OWN = "单位与参考范围都不像这一项的，名称可能认错了"
_OTHER_KINDS = {"AT3": ("活性", "浓度"), "CER": ("活性",), "GH": ("活性",), "PT": ("百分比",)}
"""这几项也真有用别的一类单位的（凝血酶原活动度、抗凝血酶的国际单位），换不成目录的。"""
_TENFOLD_IN_NEWBORNS = {"TBIL", "IBIL", "TSH"}
"""新生儿头几天的黄疸、促甲状腺激素正常也有成人的十倍：印着 0-221 不是读漏了小数点。"""


def value_doubt(
    observed: Observation,
    interval: ReferenceRange | None,
    flag: Flag,
    has_agreeing_flag: bool,
    others_have_flags: bool,
    others_are_finer: bool,
) -> str | None:
    """数本身可能读错的理由；没有破绽时为 None。`interval` 是判断用的范围，`flag` 是与它比出来的。

    `has_agreeing_flag`：印着的标记说得通；`others_have_flags`：同一张报告的别的行印着箭头一类的标记；
    `others_are_finer`：别的行的小数也比范围多一位（见 `is_finer`），或整张单子不印标记（见 `is_plainly_out`），
    末位的 1 就是这张单子的印法。
    """
    row, result, analyte = observed.row, observed.value, observed.analyte
    has_agreeing_flag &= row.mark != UNREAD_MARK  # 没有认出的标记也可能朝另一边
    is_odd = analyte is not None and is_impossible(result, observed.unit, analyte)
    says_side = has_agreeing_flag and not re.fullmatch(r"[*#※★☆◆!]+", row.mark or "")  # 只说异常的，也不知道朝哪一边
    if is_odd and not says_side and not misprints_unit(result, interval, observed.unit, analyte):
        return "这样的数值几乎不可能，可能读漏了小数点"
    if not isinstance(result, Interval) or not isinstance(interval, Interval):
        return None
    if _is_misplaced_power(observed, interval):
        return "不能确定结果里的 10 的几次方是数还是单位"
    if interval.low is not None and interval.low >= 0 and result.low is not None and result.low < 0:
        return "参考范围没有负数而结果是负数，可能多读了一横"
    if has_agreeing_flag:
        return None
    reaches_far = analyte is not None and analyte.code in load_severity().wide
    # 病毒载量：只有上限，两边都写着 10 的几次方，没有丢小数点的余地
    is_load = not interval.low and all(map(_IN_POWERS.search, (row.result, row.reference_range)))
    reaches_far |= flag == "high" and is_load
    if _lost_decimal_point(result, interval) and not reaches_far:
        return "结果与参考范围相差十倍以上而没有标记，可能读漏了小数点"
    if row.mark or row.copied or flag not in ABNORMAL_FLAGS:
        return None
    if not others_are_finer and _has_extra_one(row.result, row.reference_range):
        return "小数比参考范围多一位，末位的 1 可能是箭头"
    if others_have_flags and _may_contain_arrow(row.result, result, interval):
        return "超出参考范围而没有标记，数里的 1 可能是箭头"
    return None


def misprints_unit(result: Value | None, interval: ReferenceRange | None, unit: str, analyte: Analyte) -> bool:
    """140 mmol/L 的血红蛋白对 130-175，39.2 L/L 的压积对 42-49：照印着的单位谁也不会有，照常用的单位正常或只差一点。"""
    if not isinstance(result, Interval) or not isinstance(interval, Interval) or interval.high is None:
        return False
    both = (result, Interval(interval.high, interval.high))
    is_unreal = all(is_impossible(end, unit, analyte) and not is_impossible(end, analyte.unit, analyte) for end in both)
    # 范围自己也读错了的（130-170 读成 30-170），50 不能当作正常
    is_usual = any(
        _is_near(interval.low, usual.low, 4) and _is_near(interval.high, usual.high, 4)
        for usual in (*analyte.known_intervals, *analyte.general_intervals)
    )
    is_slightly_out = _is_near(result.low, interval.low) or _is_near(result.high, interval.high)
    return is_unreal and is_usual and (result.inside(interval) or is_slightly_out)


def misread_doubt(observed: Observation, interval: ReferenceRange, is_newborn: bool = False) -> str | None:
    """单位或参考范围可能读错的理由；没有破绽时为 None。"""
    if _units_conflict(observed):
        return "结果或参考范围上的单位与单位一栏不符"
    if (
        isinstance(interval, Interval)
        and interval.is_bounded
        and exponent(interval.high) <= exponent(interval.low) - 2 < -2
    ):
        return "参考范围两端的小数差了两位，末尾可能粘着别的字"  # 1.003-1.030 后面的序号 26
    if isinstance(interval, Interval) and _has_blank_low(interval, observed):
        return "参考范围里的一横可能是空着的下限，不是负号"
    unit, analyte = observed.power_unit or observed.row.unit, observed.analyte
    if not observed.unit and analyte and analyte.unit == "%":
        unit = "%"  # 没有印单位的百分数，只会是百分数或小数
    is_percentage = unit in ("", "%") and _PERCENTAGE.search(observed.row.name)
    if is_percentage and isinstance(interval, Interval) and interval.high and interval.high > 100:
        return "百分数的参考范围到了 100 以上，可能读漏了小数点"
    is_far = analyte and analyte.same_unit(unit) and is_far_from_known(interval, analyte, unit)
    is_far = is_far and not (is_newborn and analyte.code in _TENFOLD_IN_NEWBORNS)
    if is_far and not is_fraction(interval, analyte, unit):
        return "印着的参考范围与常见的相差几倍，可能读错了小数点"
    return None


def _has_blank_low(interval: Interval, observed: Observation) -> bool:
    """`< - 55`：结果不是负数，范围却只有一头、那一头是负数；骨密度的 T 值 `≥-1.0`、碱剩余没有 `_MOST_BELOW` 这样大。"""
    value = observed.value
    if interval.is_bounded or not (isinstance(value, Interval) and value.low is not None and value.low >= 0):
        return False
    return interval.high is not None and interval.high < 0 or interval.low is not None and interval.low <= _MOST_BELOW


def name_doubt(observed: Observation, flag: Flag) -> str | None:
    """单位不是这一项的，参考范围也不像它的：名称多半认错了，或是旁边一行的；没有破绽时为 None。

    单位是另一类的量（肌酐 23 U/L 9-50），范围两端要正像成人的，才是单位印错；flag 是与印着的范围比出来的。
    同一类的只看正常的，范围用这一项的哪个单位像都行；钾也有用 mg/dL 的，不算。
    """
    row, kind = observed.row, dimension_of(observed.row.unit)
    if not kind:
        return None
    is_named = len(row.name) > 3 or re.search("[一-鿿]{2}", row.name)  # 单凭代号不算：CT、K 也是别的时间
    analyte = observed.analyte or (find_analyte(row.name, "", "") if is_named else None)
    if analyte is None or analyte.knows_unit(row.unit) or kind in _OTHER_KINDS.get(analyte.code, ()):
        return None
    own_units, interval = (analyte.unit, *analyte.conversions), observed.interval
    kinds = {*map(dimension_of, analyte.spelled_units)} - {"", "视野"}
    shares = {"百分比"} if "浓度" in kinds else set()  # 蛋白电泳里占总量的百分之几
    if kinds and kind not in {*kinds, *shares, "视野"}:
        is_like = isinstance(interval, Interval) and any(
            is_general_range(interval, analyte, unit, _LIKE) for unit in own_units
        )
        has_none = kind == "百分比" and not analyte.general_intervals  # 没有可比的：RDW-SD 的 fL 常印成 %
        return None if is_like or has_none else _NOT_ITS_OWN
    if flag != "normal" or observed.analyte is None or fold_unit(row.unit) == "mg/dl":
        return None
    gaps = [range_distance(analyte, unit, interval) for unit in own_units]
    return _NOT_ITS_OWN if min((gap for gap in gaps if gap is not None), default=0.0) > UNLIKE else None


def _units_conflict(observed: Observation) -> bool:
    """粘在结果、范围上的单位与单位一栏，凡印了的都应当相同（或都是目录认识的同一单位）。"""
    units = {fold_unit(unit) for unit in (observed.row.unit, observed.value_unit, observed.interval_unit)} - {""}
    analyte = observed.analyte
    return len(units) > 1 and not (analyte and all(analyte.same_unit(unit) for unit in units))


# ---- 印着的范围像不像目录的；`unit` 是印着的范围的单位，没有把握的目录范围不作证 ----


def is_far_from_known(interval: ReferenceRange, analyte: Analyte, unit: str) -> bool:
    """以 unit 计的范围 interval 的一端与目录里各种人的都相差 8 倍以上：同一单位、两边都有界时不会有这样的差别。

    目录里只有上限的，只看大出 8 倍以上的（甘油三酯 0-17）：小的也许是另一种方法，也许是大人的（甲胎蛋白）。
    """
    if not (isinstance(interval, Interval) and analyte.same_unit(unit)):
        return False
    highs = [usual.high for usual in analyte.known_intervals if usual.low is None and usual.high]
    if highs and not interval.low and interval.high:
        return interval.high > 8 * max(highs)
    known = [usual for usual in analyte.known_intervals if usual.is_bounded]
    if not (interval.is_bounded and known):
        return False
    tenth = replace(interval, low=interval.low / 10, high=interval.high / 10)
    if interval.low and is_general_range(tenth, analyte, unit):
        return True  # 41.0-73.0 读成 410-730，只比老人的大七倍
    return all(
        _is_times_off(interval.low, usual.low)
        and not (interval.low < usual.low and usual.low * _NEARLY_NONE < usual.high)
        or _is_times_off(interval.high, usual.high)
        for usual in known
    )


def _is_times_off(printed: Decimal | None, usual: Decimal | None) -> bool:
    return bool(printed and usual) and not Decimal("0.125") < printed / usual < 8


def is_unlike_known(interval: Interval, analyte: Analyte, unit: str, way: Direction) -> bool:
    """范围在这一边的界限，与目录里的都差四分之一以上，或者差出一个范围的宽度（钠窄，107 不像 137）。"""
    low, high = analyte.bounds(interval, unit)
    bound = high if way == "high" else low
    return bound is None or all(_is_quarter_off(bound, usual, way) for usual in analyte.known_intervals)


def _is_quarter_off(bound: Decimal, usual: Interval, way: Direction) -> bool:
    usual_bound = usual.high if way == "high" else usual.low
    if usual_bound is None:
        return True
    width = usual.high - usual.low if usual.is_bounded else abs(usual_bound)
    return abs(bound - usual_bound) > min(abs(usual_bound) / 4, width)


def is_general_range(interval: Interval, analyte: Analyte, unit: str, part: int = 10) -> bool:
    """以 unit 计的范围 interval 就是一般成人的：两端各差不到 part 分之一。"""
    low, high = analyte.bounds(interval, unit)
    return any(
        _is_near(low, usual.low, part) and _is_near(high, usual.high, part) for usual in analyte.general_intervals
    )


def _is_near(printed: Decimal | None, usual: Decimal | None, part: int = 10) -> bool:
    """相差不到 usual 的几（`part`）分之一。"""
    if printed is None or usual is None:
        return not printed and not usual
    return abs(printed - usual) <= abs(usual) / part


def is_fraction(interval: ReferenceRange | None, analyte: Analyte, unit: str) -> bool:
    """单位印着 %，数却是小数：范围 0.2-0.4 就是 20%-40%。"""
    if fold_unit(unit) != "%" or not (isinstance(interval, Interval) and interval.is_bounded and interval.high <= 1):
        return False
    as_percent = replace(interval, low=interval.low * 100, high=interval.high * 100)
    return is_far_from_known(interval, analyte, unit) and not is_far_from_known(as_percent, analyte, unit)


def _is_misplaced_power(observed: Observation, interval: Interval) -> bool:
    """`6.1×10^3` 对 `3.5-9.5`：多半是 6.1 与单位 10^3/μL 印在了一起；`10²` 对 `9-50`，2 多半是脚注号。"""
    row = observed.row
    if "10^" not in normalize(row.result) or observed.value_unit or "10^" in normalize(row.reference_range):
        return False
    is_bare = normalize(row.result).startswith("10^")
    return is_bare or "10" in row.unit or (not row.unit and bool(interval.low))


def _lost_decimal_point(result: Interval, interval: Interval) -> bool:
    """没有小数点的一方比有小数点的一方大十倍以上。"""
    if not result.is_bounded:
        return False
    if interval.high and exponent(result.low) >= 0 > exponent(interval.high):
        return result.low > 10 * interval.high > 0
    if interval.is_bounded and interval.low and exponent(interval.low) >= 0 > exponent(result.high):
        return 0 < 10 * result.high < interval.low
    return False


def is_finer(row: PrintedRow) -> bool:
    """小数比范围多一位，末位不是 1（也许是箭头）。"""
    return not row.result.strip().endswith("1") and _has_extra_one(row.result.strip()[:-1] + "1", row.reference_range)


def is_plainly_out(observed: Observation) -> bool:
    """超出印着的范围，没有标记，数里也没有可能是箭头的 1：一张没有标记的单子上有这样的一行，就是不印标记的。"""
    row, result, interval = observed.row, observed.value, observed.interval
    if row.mark or not (isinstance(result, Interval) and isinstance(interval, Interval)):
        return False
    if compare(result, interval) not in ABNORMAL_FLAGS:
        return False
    return not (_has_extra_one(row.result, row.reference_range) or _may_contain_arrow(row.result, result, interval))


def _has_extra_one(result: str, limits: str) -> bool:
    """比范围多一位小数，末位是 1：`6.65↑` 读成 6.651。"""
    places = [len(digits) for digits in re.findall(r"\d\.(\d+)", limits)]
    decimals = re.fullmatch(r"\d+\.(\d+)1", result.strip())
    return bool(decimals and places) and len(decimals[1]) == max(places)


def _may_contain_arrow(text: str, result: Interval, interval: Interval) -> bool:
    """去掉头上或尾上的 1（↑ 也读作 4），剩下的也超出范围：`↓3.2` 读成 13.2，`5.66↑` 读成 5.661。

    剩下的正常、而多一个 1 就大出四倍以上（`|25.4` 读成 125.4）也可疑：没有标记与正常更合。
    """
    text = text.strip()
    leftovers = [(text[0], text[1:])] if re.match(r"[14][^.]", text) else []
    leftovers += [(text[-1], text[:-1])] if text.endswith(("1", "4")) and "." in text else []
    bare = parse_result(text[:-1]) if re.fullmatch(r"\d+1", text) else None
    if bare and compare(bare, interval) == "high":
        return True  # `130↑` 读成 1301
    values = [(arrow, parse_result(left)) for arrow, left in leftovers] if result.is_point else []
    points = [(arrow, value) for arrow, value in values if isinstance(value, Interval) and value.is_point]
    own = compare(result, interval)
    flags = [(arrow, compare(value, interval), 4 * value.low <= result.low) for arrow, value in points]
    return any(
        flag in ABNORMAL_FLAGS and not (arrow == "4" and flag == own == "low")  # 像 4 的是 ↑，偏低的旁边不会有
        or (flag == "normal" and is_far)
        for arrow, flag, is_far in flags
    )  # fmt: skip
