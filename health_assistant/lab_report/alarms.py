"""一行有多要紧，和关于它要放在最前面的话。疑问从不让警报消失：一个值如果没有读错就是危急的，不论别的有什么疑问，都要说。"""

import re
from decimal import Decimal

from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.judgement import Row, is_general_range, plain_mark
from health_assistant.lab_report.matching import implied_unit
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.reference_range import Interval, QualitativeResult, compare
from health_assistant.lab_report.report import ABNORMAL_FLAGS, LabItem, Severity
from health_assistant.lab_report.severity import (
    Way,
    at_least,
    can_be_grave,
    grade_deviation,
    grade_value,
    span_of,
    special_specimen,
    told,
    worst,
)

HURRY = "尽快就医"
CHECK = "请马上核对原件"
_CRITICAL_MARK = re.compile(r"危|!!|CRIT|PANIC|警")
_OFF_THE_SCALE = re.compile(r"hi|lo|不凝|未凝|测不出|无法(检|测)|超出|溢出|[<>]+$", re.IGNORECASE)
_DOUBLED_MARK = re.compile(r"HH|LL|↑↑|↓↓")
"""有的医院表示危急，有的只表示超出得多。"""


def grade(row: Row, person: Person, report_type: str) -> None:
    """有把握的异常行有多要紧；没有印范围而目录认得的，只看数值自己。"""
    item, analyte = row.item, row.analyte
    if item.flag in ABNORMAL_FLAGS:
        item.severity = grade_deviation(row.result, row.limits, item.flag, row.unit, analyte, person)
        if analyte and (own := _severity_for_person(row, person)):
            item.severity = worst([item.severity, own])
        if analyte and analyte.is_harmless(item.flag) and not at_least(item.severity, "marked"):
            item.severity = None
        elif not at_least(item.severity, "severe") and _is_usual_for(row, person):
            item.severity = "slight"
            item.note = "印着的是一般成人的范围；按这个人的年龄或孕期，这个值并不少见"
    elif item.flag == "unknown" and item.range_source == "none" and analyte and not row.doubts_value:
        severity, way = grade_value(row.result, row.unit, analyte, person)
        item.severity = severity if way != "abnormal" or severity == "grave" else None
    if analyte is None and (specimen := special_specimen(report_type, item.name)):
        item.severity = specimen.weigh(item.severity, item.result)
        if item.flag == "unknown" and specimen.severity == "grave":
            row.floor = "severe"  # 脑脊液这样的标本，没有范围可比的也要今天问
    is_sure = item.flag in ABNORMAL_FLAGS or not isinstance(row.result, Interval) or not row.lacks_unit
    item.critical = item.severity == "grave" and is_sure
    if item.flag in ABNORMAL_FLAGS and _DOUBLED_MARK.search(plain_mark(item)):
        item.severity = worst([item.severity, None if row.analyte else "grave"])


def _severity_for_person(row: Row, person: Person) -> Severity | None:
    """孩子、孕妇的单子上印着一般成人的范围：按他那一群的范围又有多要紧。"""
    analyte, result = row.analyte, row.converted()
    if (
        not (person.pregnant or person.is_minor)
        or not result
        or not analyte.is_authoritative
        or not is_general_range(row)
    ):
        return None
    if compare(result, analyte.reference, person.sex, person.age_years) != row.item.flag:
        return None
    return grade_deviation(result, analyte.reference, row.item.flag, analyte.unit, analyte, person)


def _is_usual_for(row: Row, person: Person) -> bool:
    """印着的是一般成人的范围，而目录里这个人那一群的范围容得下这个值。"""
    analyte = row.analyte
    if not analyte or row.item.range_source != "printed" or not analyte.is_authoritative:
        return False
    if not any(group.fits(person) for group in analyte.groups) or not (result := row.converted()):
        return False
    return compare(result, analyte.reference, person.sex, person.age_years) == "normal"


def raise_alarm(row: Row, person: Person) -> None:
    """关于这一行要放在最前面的话，写在 row.alarm；没有可说的不写。"""
    item, value = row.item, _value(row.item)
    possible, way = _possible_severity(row, person)
    marked = bool(_CRITICAL_MARK.search(plain_mark(item)))
    doubled = bool(_DOUBLED_MARK.search(plain_mark(item))) and not row.analyte
    if item.critical:
        reached = "达到危急值" if row.analyte and isinstance(row.result, Interval) else "要马上处理"
        row.alarm = (
            f"{HURRY}：{value} {reached}。请现在就去急诊，或马上联系开单的医生，带上这张报告单。"
            "危急值的界限各医院标准不同，以本院为准；长期透析、抗凝、化疗的人按自己医生给的界限。"
        )
    elif (marked or doubled) and item.flag in ABNORMAL_FLAGS:
        item.severity = "grave"
        row.alarm = f"{HURRY}：{value} 印着危急标记 {item.mark}。请现在就联系开单的医生或去急诊，带上这张报告单。"
    elif possible == "grave" and _fits_another_unit(row):
        row.floor = "severe"
        why = "没有读到单位" if row.lacks_unit else "单位与参考范围对不上"
        row.alarm = (
            f"{CHECK}：{value} {why}；单位若是 {row.unit or row.analyte.unit}，就要马上就医。请看清原件上的单位。"
        )
    elif possible == "grave":
        row.floor = "severe" if row.doubts_value else "grave"
        row.alarm = f"{CHECK}：{value} 这一行没有把握；如果没有读错，就达到了危急值，要尽快就医。"
        row.alarm += "".join(told(row.analyte.code, way, person, what) or "" for what in ("first_aid", "say"))
    elif possible == "severe" and not at_least(item.severity, "severe"):
        row.floor = "severe"
        row.alarm = f"{CHECK}：{value} 这一行没有把握；如果没有读错，今天就要看医生。"
        row.alarm += told(row.analyte.code, way, person, "say") or ""
    elif marked or (_DOUBLED_MARK.search(plain_mark(item)) and item.flag == "unknown"):
        row.floor = "severe"
        row.alarm = f"{CHECK}：{value} 印着危急标记 {item.mark}，这一行没有把握；如果没有读错，要尽快就医。"
    elif _is_unchecked(row, person) and _OFF_THE_SCALE.match(item.result.strip()):
        row.floor = "severe"
        row.alarm = f"{CHECK}：{value}，不是一个数，可能高得、低得测不出；请今天就问出报告的检验科或医生。"
    elif _is_unchecked(row, person):
        row.floor = "marked"
        row.alarm = f"没能核对 {value} 是否达到危急值：没读出结果或单位对不上。请对照原件，这几天问医生。"
    elif item.flag == "unknown" and possible:
        row.floor = possible  # 疑问不让它变得不要紧


def derive_neutrophils(rows: list[Row], person: Person) -> None:
    """只印了百分比的，由白细胞算出中性粒细胞有多少：少到危险的照样要说。"""
    by_code = {row.analyte.code: row for row in rows if row.analyte}
    count, share = by_code.get("WBC"), by_code.get("NEUT%")
    if "NEUT#" in by_code or not count or not share or count.doubts_value or share.doubts_value:
        return
    cells, percent = count.converted(), share.converted()
    if not (cells and percent and cells.is_point and percent.is_point):
        return
    value = (cells.low * percent.low / 100).quantize(Decimal("0.01"))
    neutrophils = next(one for one in load_catalogue() if one.code == "NEUT#").for_person(person)
    severity, way = grade_value(Interval(value, value), neutrophils.unit, neutrophils, person)
    if way == "low" and at_least(severity, "severe"):
        share.floor = severity
        share.alarm = (
            f"{HURRY if severity == 'grave' else CHECK}：由白细胞和中性粒细胞百分比算出，中性粒细胞只有约 "
            f"{value} 10^9/L，容易感染。发热（38℃ 以上）要马上去急诊；没有发热的今天就去血液内科或急诊。"
        )


def _possible_severity(row: Row, person: Person) -> tuple[Severity | None, Way | None]:
    """不论有什么疑问，如果数没有读错，它自己有多要紧、在哪一边（单位没有印的当作目录的）。已经断言了的不算。

    “几倍上限”照印着的范围算；没有印、没有读懂、与目录的相差太多的，照目录的算。
    """
    item, analyte = row.item, row.analyte
    if not analyte or item.severity == "grave":
        return None, None
    span, usual = span_of(row.limits), span_of(analyte.reference or analyte.general)
    believes = span is not None and _is_believable(span, usual, row)
    if believes:
        graded = grade_value(row.result, row.unit or analyte.unit, analyte, person, span)
    else:
        own = row.converted() if row.unit else row.result
        graded = grade_value(own or row.result, analyte.unit, analyte, person, usual)
    severity, way = graded
    doubtful = row.lacks_unit or (span and not believes)
    says = severity == "grave" or item.flag == "unknown" or (item.flag in ABNORMAL_FLAGS and doubtful)
    return (severity, way) if says else (None, None)


def _is_believable(span: Interval, usual: Interval | None, row: Row) -> bool:
    """印着的范围能不能用来算倍数：与目录的同一端相差不到 3 倍；目录没有的，只好信它。"""
    if usual is None:
        return True
    pairs = [(row.to_usual(one), other) for one, other in ((span.low, usual.low), (span.high, usual.high)) if other]
    return all(one is None or Decimal(1) / 3 < one / other < 3 for one, other in pairs)


def _fits_another_unit(row: Row) -> bool:
    """换成这一项的另一个单位，数正好在常见范围里：没印单位的 12.8 多半是 g/dL。印了单位的，范围也要是另一个单位的。"""
    analyte, result = row.analyte, row.result
    if not analyte or not isinstance(result, Interval) or not result.is_point:
        return False
    units = [*analyte.conversions]
    if not row.lacks_unit:
        limits = row.limits
        is_whole = isinstance(limits, Interval) and limits.is_bounded and limits.low > 0  # 只有一端的，看不出单位
        implied = implied_unit(analyte, row.item.reference_range) if is_whole else ""
        units = [implied] if implied and row.to_usual(Decimal(1)) != analyte.convert(Decimal(1), implied) else []
    values = [analyte.convert(result.low, unit) for unit in units]
    known = analyte.known_intervals
    return any(Interval(value, value).inside(limits) for value in values if value is not None for limits in known)


def _is_unchecked(row: Row, person: Person) -> bool:
    """可能危急的指标，没有读出数值，或异常得多而单位不能与表比。"""
    item, analyte = row.item, row.analyte
    if not analyte or not can_be_grave(analyte, person):
        return False
    if row.result is None or (
        isinstance(row.result, QualitativeResult) and analyte.intervals and not row.result.is_graded
    ):
        return True
    if item.flag not in ABNORMAL_FLAGS or not isinstance(row.result, Interval):
        return False
    return analyte.convert(Decimal(1), row.unit) is None and item.severity != "slight"


def _value(item: LabItem) -> str:
    unit = "" if item.unit and item.unit in item.result else item.unit
    return " ".join(part for part in (item.name or item.code, item.result, unit) if part)


def alarm_order(row: Row) -> int:
    """断言的危急值在先，其次是可能的，没能核对的在后。"""
    return [HURRY, CHECK].index(head) if (head := row.alarm.split("：")[0]) in (HURRY, CHECK) else 2
