"""ReadReport -> LabReport：高低、危急值、分级与要先说的话，全部由规则得出。

印着的范围优先；没有印的才用目录的成人范围，并且注明。有疑问的一律 unknown，并说明疑在哪里。
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

from health_assistant.lab_report.catalogue import Indicator, find_indicator
from health_assistant.lab_report.consistency import find_conflicts, measure
from health_assistant.lab_report.patterns import TIERS, ReportRow, find_patterns
from health_assistant.lab_report.plausibility import misread_doubt
from health_assistant.lab_report.reference_range import (
    ADULT_AGE_YEARS,
    ByGroup,
    Interval,
    ReferenceRange,
    Terms,
    compare,
    parse_age,
    parse_range,
    parse_result,
)
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    Flag,
    LabItem,
    LabReport,
    RangeSource,
    ReadItem,
    ReadReport,
    RowEvidence,
    Scale,
    Triage,
)

MIN_CONFIDENCE = 0.8
"""识别把握低于它的行不作判断。"""
SLIGHT_DEVIATION = Decimal("0.1")
"""超出的部分不到参考范围宽度的十分之一，算轻微；个体波动与测量误差常有这么大。"""
MAX_SLIGHT_ITEMS = 2

_MARK_FLAGS: dict[str, tuple[Flag, ...]] = {
    "↑H高": ("high", "abnormal"),
    "↓L低": ("low", "abnormal"),
    "*★▲!异危阳": ABNORMAL_FLAGS,
}
_CRITICAL_MARK = re.compile(r"危|HH|LL|↑↑|↓↓|!!")
_HURRY = "尽快就医"
_BLOOD_REPORT = re.compile(r"血|生化|电解质|肝功|肾功|凝|心肌|离子")


def assess(report: ReadReport, evidence: Sequence[RowEvidence] | None = None) -> LabReport:
    """给每一行下判断，再给整张报告分级。evidence 与 report.items 一一对应，没有就不传。"""
    age_years = _age_years(report)
    proofs = evidence or [RowEvidence()] * len(report.items)
    indicators = [find_indicator(read.name, read.code, read.unit, report.report_type) for read in report.items]
    marked = {at for at, read in enumerate(report.items) if _mark_says(read)}
    items = [
        _assess_item(read, proof, indicator, report.sex, age_years, others_have_marks=bool(marked - {at}))
        for at, (read, proof, indicator) in enumerate(zip(report.items, proofs, indicators, strict=True))
    ]
    rows = list(zip(items, indicators, strict=True))
    _doubt_conflicting_rows(rows, proofs)
    is_blood = bool(_BLOOD_REPORT.search(report.report_type))
    alarms = [alarm for item, one in rows if (alarm := _alarm(item, one, age_years, is_blood))]
    assessed = LabReport(
        report_type=report.report_type,
        sex=report.sex,
        age=report.age,
        items=items,
        triage=_triage(rows, alarms),
        # 确定的危急值在先
        notices=sorted(alarms, key=lambda text: not text.startswith(_HURRY)) + _general_notices(items),
    )
    # 几项放在一起可以比单看更急，如尿糖与酮体
    matches = find_patterns(assessed, rows)
    assessed.triage = max([assessed.triage, *(match.pattern.tier for match in matches)], key=TIERS.index)
    return assessed


def _assess_item(
    read: ReadItem,
    proof: RowEvidence,
    indicator: Indicator | None,
    sex: str | None,
    age_years: float | None,
    others_have_marks: bool,
) -> LabItem:
    result = parse_result(read.result)
    limits, source = _applicable_range(read, indicator, age_years)
    if isinstance(limits, ByGroup) and len(fitting := limits.for_person(sex, age_years)) == 1:
        limits = fitting[0]
    flag: Flag = compare(result, limits, sex, age_years) if result and limits else "unknown"
    # 有把握数的读者看得见像素，自己查过箭头
    doubt = _doubt(read, proof, result, limits, flag, indicator, others_have_marks and proof.confidence is None)
    return LabItem(
        # 只取读到的字段：传进来的也可能是判断过的行
        **{name: getattr(read, name) for name in ReadItem.model_fields},
        flag="unknown" if doubt else flag,
        range_source=source,
        applied_range=_range_text(read, limits, source),
        note=doubt,
        scale=_scale(result, limits),
        confidence=proof.confidence,
        boxes=proof.boxes,
    )


def _age_years(report: ReadReport) -> float | None:
    """年龄；没有印而报告名说是儿童的，算作未成年。"""
    years = parse_age(report.age)
    is_pediatric = re.search(r"儿童|新生儿|小儿|婴", report.report_type)
    return 0.0 if years is None and is_pediatric else years


def _value(item: LabItem) -> str:
    return f"{item.name} {item.result} {item.unit}".strip()


def _applicable_range(
    read: ReadItem, indicator: Indicator | None, age_years: float | None
) -> tuple[ReferenceRange | None, RangeSource]:
    """印着的范围；没有印、目录又有把握时是目录的成人范围。"""
    printed = parse_range(read.reference_range)
    if printed or re.search(r"[^\s\-—*/]", read.reference_range):
        return printed, "printed"
    is_minor = age_years is not None and age_years < ADULT_AGE_YEARS
    if indicator and indicator.decides and indicator.same_unit(read.unit) and not is_minor:
        return indicator.reference, "catalogue"
    return None, "none"


def _doubt(
    read: ReadItem,
    proof: RowEvidence,
    result: Interval | Terms | None,
    limits: ReferenceRange | None,
    flag: Flag,
    indicator: Indicator | None,
    others_have_marks: bool,
) -> str | None:
    """这一行为什么不能下判断；没有疑问时为 None。"""
    mark_says = _mark_says(read)
    if proof.doubt:
        return proof.doubt
    if result is None:
        return "没有印结果，或没有读出来" if not re.search(r"\w", read.result) else "看不懂结果的写法"
    if proof.confidence is not None and proof.confidence < MIN_CONFIDENCE:
        return "字迹不清，读数没有把握"
    if limits is None:
        printed_mark = f"；报告单上印着标记 {read.mark}" if read.mark else ""
        if read.reference_range.strip(" -—*/"):
            return "看不懂参考范围的写法" + printed_mark
        return ("没有印参考范围" if isinstance(result, Interval) else "文字结果，没有印参考范围") + printed_mark
    if flag == "unknown":
        return "结果与参考范围不能确定地比较"
    if _plain_mark(read) and not mark_says:
        return f"看不懂报告单上的标记 {read.mark}"
    if not all(flag in said for said in mark_says):
        return f"报告单上印着标记 {read.mark}，与数值和参考范围不符，可能有一处读错了"
    return misread_doubt(read, limits, flag, indicator, bool(mark_says), others_have_marks)


def _plain_mark(read: ReadItem) -> str:
    return re.sub(r"[\s()（）\[\]]", "", read.mark or "").upper()


def _mark_says(read: ReadItem) -> list[tuple[Flag, ...]]:
    """印着的标记各个符号容许的判断。"""
    return [said for characters, said in _MARK_FLAGS.items() if set(_plain_mark(read)) & set(characters)]


def _doubt_conflicting_rows(rows: list[ReportRow], proofs: Sequence[RowEvidence]) -> None:
    """行与行对不上的，都改为不作判断。本来就没有把握的行不作证。"""
    by_code: defaultdict[str, list[ReportRow]] = defaultdict(list)
    for (item, indicator), proof in zip(rows, proofs, strict=True):
        is_sure = proof.doubt is None and (proof.confidence is None or proof.confidence >= MIN_CONFIDENCE)
        if indicator and is_sure and (item.flag != "unknown" or item.range_source == "none"):
            by_code[indicator.code].append((item, indicator))
    printed_once = {code: same[0] for code, same in by_code.items() if len(same) == 1}
    measured = {code: measure(item.result, item.unit, one) for code, (item, one) in printed_once.items()}
    for code, note in find_conflicts({code: number for code, number in measured.items() if number}).items():
        printed_once[code][0].flag, printed_once[code][0].note = "unknown", note


def reaches_critical(result_text: str, unit: str, indicator: Indicator) -> Literal["high", "low"] | None:
    """数值达到目录危急值的哪一边；没有达到、不是数、没有危急值或单位换不了则为 None。"""
    result = parse_result(result_text)
    if not isinstance(result, Interval) or result.is_titre or indicator.critical is None:
        return None
    low, high = (None if bound is None else indicator.convert(bound, unit) for bound in (result.low, result.high))
    limits = indicator.critical
    if high is not None and limits.low is not None and high <= limits.low:
        return "low"
    return "high" if low is not None and limits.high is not None and low >= limits.high else None


def _alarm(item: LabItem, indicator: Indicator | None, age_years: float | None, is_blood: bool) -> str | None:
    """关于危急值要放在最前面的话；没有可说的为 None。"""
    if indicator and indicator.critical:
        unit = item.unit or (indicator.unit if _same_scale(item, indicator) else "")
        side = reaches_critical(item.result, unit, indicator)
        if side and item.flag in (side, "abnormal", "unknown"):
            return _judge_critical(item, age_years, is_blood)
    if _CRITICAL_MARK.search(_plain_mark(item)):
        marked = f"{_value(item)} 印着危急标记 {item.mark}"
        if item.flag in ABNORMAL_FLAGS:
            return f"{_HURRY}：{marked}。请现在就联系开单的医生或去急诊，带上这张报告单。"
        return f"请马上核对原件：{marked}，这一行没有把握；如果没有读错，要尽快就医。"
    if indicator and indicator.critical and _critical_unchecked(item, indicator):
        return f"没能核对 {_value(item)} 是否达到危急值：没读出结果或单位对不上。请对照原件，尽快问医生。"
    return None


def _critical_unchecked(item: LabItem, indicator: Indicator) -> bool:
    """有危急值的指标，没有读出数值，或异常而不能与目录比。"""
    if not isinstance(parse_result(item.result), Interval):
        return True
    is_comparable = indicator.convert(Decimal(1), item.unit) is not None if item.unit else _same_scale(item, indicator)
    return item.flag in ABNORMAL_FLAGS and not is_comparable


def _same_scale(item: LabItem, indicator: Indicator) -> bool:
    """没有读到单位时，印着的范围要与目录的是一个量级，才当作目录的单位。"""
    printed, usual = parse_range(item.reference_range), indicator.typical
    if not (isinstance(printed, Interval) and usual):
        return False
    pairs = [(printed.low, usual.low), (printed.high, usual.high)]
    known = [(one, other) for one, other in pairs if one and other]
    return bool(known) and all(Decimal("0.5") < one / other < 2 for one, other in known)


def _judge_critical(item: LabItem, age_years: float | None, is_blood: bool) -> str:
    """记下危急值，返回要放在最前面的话。读数有疑问、或未成年人，不下断言，但同样要说。"""
    value = _value(item)
    if age_years is not None and age_years < ADULT_AGE_YEARS:
        return f"请尽快问医生：{value} 达到成人的危急值；未成年人的标准不同，要由医生判断。"
    if item.flag == "unknown":
        return f"请马上核对原件：{value} 这一行没有把握；如果没有读错，就达到了危急值，要尽快就医。"
    if item.range_source != "printed" and not is_blood:
        return f"请马上核对原件：如果 {value} 是血液的结果（不是尿液等），就达到了危急值，要尽快就医。"
    item.critical = True
    return (
        f"{_HURRY}：{value} 达到危急值。请现在就去急诊，或马上联系开单的医生，带上这张报告单。"
        "危急值的界限各医院标准不同，以本院为准。"
    )


def _triage(rows: list[ReportRow], alarms: list[str]) -> Triage:
    """urgent：有确定的危急值或危急标记。none：每一行都正常。routine：至多两项轻微超出，而且多数行有判断。其余 soon。

    本身不是问题的异常（如乙肝表面抗体阳性）不算超出，但也不算正常。
    """
    if any(alarm.startswith(_HURRY) for alarm in alarms):
        return "urgent"
    if rows and all(item.flag == "normal" for item, _ in rows):
        return "none"
    unknown = [item for item, _ in rows if item.flag == "unknown"]
    abnormal = [item for item, one in rows if item.flag in ABNORMAL_FLAGS and not (one and one.is_harmless(item.flag))]
    is_mild = len(abnormal) <= MAX_SLIGHT_ITEMS and all(map(is_slight, abnormal))
    mostly_judged = sum(not _is_descriptive(item) for item in unknown) * 2 <= len(rows)
    no_marked_doubt = not any(item.mark for item in unknown)
    return "routine" if rows and is_mild and mostly_judged and no_marked_doubt and not alarms else "soon"


def _is_descriptive(item: LabItem) -> bool:
    """血型、颜色这样没有范围的文字结果，本来就不判断高低。"""
    return item.range_source == "none" and isinstance(parse_result(item.result), Terms)


def is_slight(item: LabItem) -> bool:
    """超出两边都有界的范围，而超出的部分不到范围宽度的十分之一。"""
    result, limits = parse_result(item.result), parse_range(item.applied_range)
    if not (isinstance(result, Interval) and isinstance(limits, Interval) and result.is_point and limits.is_bounded):
        return False
    excess = max(result.high - limits.high, limits.low - result.low)
    return excess <= SLIGHT_DEVIATION * (limits.high - limits.low)


def _general_notices(items: list[LabItem]) -> list[str]:
    notices = []
    if unknown := [item.name for item in items if item.flag == "unknown"]:
        notices.append(f"有 {len(unknown)} 项没有判断高低，请核对原件：{'、'.join(unknown)}。")
    if borrowed := [item.name for item in items if item.range_source == "catalogue"]:
        notices.append(f"有 {len(borrowed)} 项没有印参考范围，用的是常见的成人范围：{'、'.join(borrowed)}。")
    return notices


def _range_text(read: ReadItem, limits: ReferenceRange | None, source: RangeSource) -> str:
    is_chosen = limits != parse_range(read.reference_range)
    return str(limits) if limits and (source == "catalogue" or is_chosen) else read.reference_range


def _scale(result: Interval | Terms | None, limits: ReferenceRange | None) -> Scale | None:
    """画范围条用的数；只有单个数值对单个区间才画。"""
    if not (isinstance(result, Interval) and isinstance(limits, Interval) and result.is_point):
        return None
    low, high = (None if bound is None else float(bound) for bound in (limits.low, limits.high))
    return Scale(value=float(result.low), low=low, high=high)
