"""印着的参考范围像目录里哪一项的、像用哪个单位的：名称、单位分不清的几项由它分辨。"""

from collections.abc import Callable
from decimal import Decimal
from math import log
from typing import TypeVar

from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value, intervals_of
from health_assistant.lab_report.units import fold_unit

CLEARLY_NEARER = 1.5
"""印着的范围与另一个同名指标的相近到这个倍数以上，才当作那一个。"""
UNLIKE = log(CLEARLY_NEARER)
"""`range_distance` 到了它，印着的范围就不像这一项的。"""
_MISPRINTED, _ALIKE = 200, 10
_MISPRINTED_GRAMS = 50
"""以克计的胆红素少见，范围差到几十倍就是单位印错了：0.2-1.2 g/L 是 mg/dL 的。"""
_T = TypeVar("_T")


def range_distance(analyte: Analyte, unit: str, printed: ReferenceRange | None) -> float | None:
    """以 unit 计的范围与目录里这一项的相差几倍（取对数），各种人的范围里最近的；比不了为 None。"""
    intervals = [interval for interval in intervals_of(printed) if not interval.is_titre]
    usual = (*analyte.intervals, *(group.range for group in analyte.groups))
    gaps = [_gap(interval, other, analyte, unit) for interval in intervals for other in usual]
    return min((gap for gap in gaps if gap is not None), default=None)


def _gap(printed: Interval, usual: Interval, analyte: Analyte, unit: str) -> float | None:
    """两边都有界的比中点，否则比共有的一边。"""
    low, high = analyte.bounds(printed, unit or analyte.unit)
    if None not in (low, high, usual.low, usual.high):
        pairs = [(low + high, usual.low + usual.high)]
    else:
        pairs = [(high, usual.high), (low, usual.low)]
    own, other = next((pair for pair in pairs if all(pair)), (None, None))
    return abs(log(own / other)) if own and other and min(own, other) > 0 else None


def nearest(gaps: list[tuple[float, _T]]) -> _T | None:
    """（相差多少，谁）若干对里，差不到一倍、别的都明显更远的那一个；看不出的为 None。"""
    ranked = sorted(gaps, key=lambda pair: pair[0])
    if not ranked or ranked[0][0] > log(2):
        return None
    is_alone = len(ranked) == 1 or ranked[1][0] - ranked[0][0] > log(CLEARLY_NEARER)
    return ranked[0][1] if is_alone else None


def implied_unit(analyte: Analyte, interval: ReferenceRange | None) -> str:
    """没有印单位时，从印着的范围看这一项用的是哪个单位（压积 0.40-0.50 是 L/L）；看不出为空串。"""
    # 换算的倍数相同的（g/dL 与 g%）是一回事
    units = {analyte.convert(Decimal(1), unit): unit for unit in (*reversed(analyte.conversions), analyte.unit)}
    in_units = [(range_distance(analyte, unit, interval), unit) for unit in units.values()]
    gaps = [(gap, unit) for gap, unit in in_units if gap is not None]
    is_near = any(gap < log(2) for gap, _ in gaps)  # 正好差一倍的不算
    return (nearest(gaps) if is_near else None) or ""


def misprinted_unit(analyte: Analyte, unit: str, interval: ReferenceRange | None, value: Value | None) -> str:
    """印着的 unit 与范围差了几百倍（血小板 150-450 /μL），范围像用的是哪个单位；不是这样的为空串。

    差十倍、几十倍的也许是范围少读了一位、丢了小数点，不算；结果不像与范围同一个单位的（8000 /μL 对 150-450）也不算。
    """
    if not unit or not isinstance(interval, Interval) or not interval.is_bounded or not isinstance(value, Interval):
        return ""
    is_alike = value.is_point and interval.low <= value.low * _ALIKE and value.low <= interval.high * _ALIKE
    gap = range_distance(analyte, unit, interval)
    is_grams = analyte.code in ("TBIL", "DBIL") and fold_unit(unit) == "g/l"
    is_alike = is_alike or is_grams and value.is_point and value.low > interval.high  # 400 g/L 对 3-21
    if not is_alike or gap is None or gap <= log(_MISPRINTED_GRAMS if is_grams else _MISPRINTED):
        return ""
    own_gap = range_distance(analyte, analyte.unit, interval) if is_grams else None
    is_own = own_gap is not None and own_gap < log(2)  # 3-21 也像别的单位的儿童范围
    return implied_unit(analyte, interval) or (analyte.unit if is_own else "")


def can_count_times(
    span: Interval, usual: Interval | None, to_usual: Callable[[Decimal | None], Decimal | None]
) -> bool:
    """印着的范围 span 能不能用来算倍数：与目录的 usual 同一端相差不到 3 倍；目录没有的，只好信它。

    to_usual 把印着的数换成目录的单位，换不了为 None。单位不是这一项的（U/L 的胆红素）而上限正像目录的：
    单位印错了，照目录的算。
    """
    if usual is None:
        return True
    if span.high and usual.high and to_usual(span.high) is None:
        return not Decimal(1) / 3 < span.high / usual.high < 3
    ends = ((to_usual(span.low), usual.low), (to_usual(span.high), usual.high))
    return all(not other or bound is None or Decimal(1) / 3 < bound / other < 3 for bound, other in ends)
