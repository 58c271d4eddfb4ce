"""与别的报告里同一项怎样比：各家印的名称、单位、范围不同，目录认得的才连得起来，不认识的从不按名称去猜。"""

from decimal import Decimal

from health_assistant.lab_report.interval import Interval, ReferenceRange
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.report import Tracked
from health_assistant.lab_report.severity import load_severity
from health_assistant.lab_report.units import fold_unit


def track(observed: Observation, unit: str, printed_range: ReferenceRange | None) -> Tracked | None:
    """这一行在目录里是哪一项，连同能比的数；目录不认识的为 None。

    `unit` 是比较用的单位（见 `Finding.compared_unit`）；`printed_range` 是印着的、对这个人的范围，没有印的不借目录的。
    """
    analyte, result = observed.analyte, observed.value
    if analyte is None:
        return None
    tracked = Tracked(analyte=analyte.code, name=analyte.name, unit=analyte.unit)
    if not isinstance(result, Interval) or not result.is_point or result.is_titre:
        return tracked
    if analyte.unit and not observed.unit:
        return tracked  # 单位没有印，从范围猜来的不够拿来比
    factor = None if fold_unit(unit) in map(fold_unit, analyte.rough_conversions) else analyte.convert(Decimal(1), unit)
    if factor is None:
        tracked.unit, factor = fold_unit(unit), Decimal(1)
    tracked.value = _converted(result.low, factor)
    variation = load_severity().variation.get(analyte.code)
    if variation:
        tracked.change_percent = round(float(100 * variation.change_value), 1)
    if isinstance(printed_range, Interval) and not printed_range.is_titre:
        tracked.low, tracked.high = (_converted(end, factor) for end in (printed_range.low, printed_range.high))
    return tracked


def _converted(number: Decimal | None, factor: Decimal) -> str | None:
    """换算，只留印着的那么细：238 mg/dL 是 6.15 mmol/L，写成 6.1546 就比单子上的还准了。"""
    if number is None:
        return None
    if factor == 1:
        return format(number, "f")
    step = Decimal(1).scaleb(exponent(number)) * factor
    return format((number * factor).quantize(Decimal(1).scaleb(step.adjusted())), "f")
