"""ReadReport -> LabReport：高低、轻重、危急值、分级与要先说的话，全部由规则得出。

印着的范围优先；没有印的才用目录里这一群人的范围，并且注明。有疑问的一律 unknown，并说明疑在哪里。
读数的疑问从不让警报消失：一个值如果没有读错就是危急的，不论别的有什么疑问，都要说。
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Literal

from health_assistant.lab_report.alarms import alarm_order, derive_neutrophils, grade, raise_alarm
from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.consistency import find_conflicts, measure
from health_assistant.lab_report.judgement import Row, judge, mark_says, unglue
from health_assistant.lab_report.matching import find_indicator
from health_assistant.lab_report.patterns import Match, ReportRow, find_patterns
from health_assistant.lab_report.person import Person, person_of
from health_assistant.lab_report.plausibility import comma_doubts
from health_assistant.lab_report.reference_range import QualitativeResult, attached_unit, parse_result
from health_assistant.lab_report.report import (
    TRIAGE_OF,
    WHEN_OF,
    LabItem,
    LabReport,
    ReadItem,
    ReadReport,
    RowEvidence,
    Severity,
)
from health_assistant.lab_report.severity import grade_value, worst


def assess(report: ReadReport, evidence: Sequence[RowEvidence] | None = None, doubts: Sequence[str] = ()) -> LabReport:
    """给每一行下判断、分轻重，再给整张报告分级。evidence 与 report.items 一一对应，没有就不传。

    doubts 是整张报告的疑问（有一页没有读成），照样说出来；有它就不是未见异常。
    """
    person = person_of(report)
    proofs = evidence or [RowEvidence()] * len(report.items)
    titles = [proof.report_type or report.report_type for proof in proofs]
    reads = [unglue(read) for read in report.items]
    marked = {at for at, read in enumerate(reads) if mark_says(read)}
    proofs = [
        proof.model_copy(update={"doubt": proof.doubt or doubt})
        for proof, doubt in zip(proofs, comma_doubts(reads), strict=True)
    ]
    rows = [
        judge(read, proof, find_for(read, titles[at], person), person, bool(marked - {at}))
        for at, (read, proof) in enumerate(zip(reads, proofs, strict=True))
    ]
    _doubt_conflicting_rows(rows)
    for row, proof, title in zip(rows, proofs, titles, strict=True):
        row.item.page, row.item.report_type = proof.page, proof.report_type
        grade(row, person, title)
        raise_alarm(row, person)
    derive_neutrophils(rows, person)
    items = [row.item for row in rows]
    matches = find_patterns(person, [(row.item, row.analyte) for row in rows], report.report_type)
    _lower_explained(matches)
    severity = worst([*map(_row_severity, rows), *(match.severity for match in matches), _overall(rows)])
    alarms = sorted((row for row in rows if row.alarm), key=alarm_order)
    return LabReport(
        report_type=report.report_type,
        sex=report.sex,
        age=report.age,
        items=items,
        triage=_triage(rows, severity or ("slight" if doubts else None)),
        when=WHEN_OF.get(severity),
        notices=[*(row.alarm for row in alarms), *doubts, *_general_notices(items, person, report.age)],
        doubts=list(doubts),
    )


def find_for(read: ReadItem, report_type: str, person: Person) -> Analyte | None:
    """这一行在目录里的指标，参考范围与话是对这个人的；目录不认识的为 None。"""
    unit = read.unit or attached_unit(read.result)
    found = find_indicator(read.name, read.code, unit, report_type, read.reference_range)
    return found and found.for_person(person)


def report_rows(report: LabReport) -> list[ReportRow]:
    """判断过的报告的每一行，和它在目录里的指标。"""
    person = person_of(report)
    return [(item, find_for(item, item.report_type or report.report_type, person)) for item in report.items]


def possible_grave(read: ReadItem, report_type: str, person: Person) -> bool:
    """这一行的数，如果没有读错，是不是危急的；用来看两个读者读得不一样时另一个读数。"""
    analyte = find_for(read, report_type, person)
    if analyte is None:
        return False
    severity, _ = grade_value(parse_result(read.result), read.unit or analyte.unit, analyte, person)
    return severity == "grave"


def severity_of(report: LabReport) -> Severity | None:
    """判断过的报告整个有多要紧；none 为 None。"""
    by_when = {when: severity for severity, when in WHEN_OF.items()}
    return by_when.get(report.when, "slight" if report.triage == "routine" else None)


def raise_to(report: LabReport, severity: Severity) -> None:
    """至少按这一级分级；已经更急的不变。"""
    if worst([severity, severity_of(report)]) == severity:
        report.triage, report.when = TRIAGE_OF[severity], WHEN_OF.get(severity)


def _doubt_conflicting_rows(rows: list[Row]) -> None:
    """行与行对不上的，都改为不作判断。本来就没有把握的行不作证。"""
    by_code: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        is_judged = row.item.flag != "unknown" or row.item.range_source == "none"
        if row.analyte and not row.doubts_value and is_judged and not row.may_be_fraction:
            by_code[row.analyte.code].append(row)
    once = {code: same[0] for code, same in by_code.items() if len(same) == 1}
    measured = {code: measure(row.item.result, row.unit, row.analyte) for code, row in once.items()}
    for code, note in find_conflicts({code: number for code, number in measured.items() if number}).items():
        once[code].doubt(note)


# ---- 整张报告 ----


def _lower_explained(matches: list[Match]) -> None:
    """只由“没有大碍”的组合解释的行，降到组合说的那样；明显以上的从不降。"""
    raised = {id(item) for match in matches if not match.lowers for item in match.items}
    for match in matches:
        for item in match.items if match.lowers else ():
            if id(item) not in raised and item.severity == "moderate":
                item.severity = "slight" if match.pattern.severity == "slight" else None


def _row_severity(row: Row) -> Severity | None:
    return worst([row.item.severity, row.floor])


def _overall(rows: list[Row]) -> Severity | None:
    """没有判断的行里印着标记的，或没有判断的占了多半：不能当作没有事。"""
    unknown = [row for row in rows if row.item.flag == "unknown"]
    open_questions = sum(not _is_descriptive(row.item) and not _looks_usual(row) for row in unknown)
    is_marked = any(row.item.mark for row in unknown)
    return "moderate" if not rows or open_questions * 2 > len(rows) or is_marked else None


def _triage(rows: list[Row], severity: Severity | None) -> Literal["none", "routine", "soon", "urgent"]:
    """由最重的一级定；每一行都正常才是 none，没有大碍的偏离与没有判断的行使它是 routine。"""
    if severity:
        return TRIAGE_OF[severity]
    return "none" if all(row.item.flag == "normal" for row in rows) else "routine"


def _is_descriptive(item: LabItem) -> bool:
    """血型、颜色这样没有范围的文字结果，本来就不判断高低。"""
    return item.range_source == "none" and isinstance(parse_result(item.result), QualitativeResult)


def _looks_usual(row: Row) -> bool:
    """印着的范围没有读懂，而数在目录里这个人的常见范围之内：没有判断，但也不用为它去看医生。"""
    if row.doubts_value or not row.analyte or not row.analyte.is_authoritative or row.item.severity or row.floor:
        return False
    result = row.converted()
    return bool(result) and any(result.inside(limits) for limits in row.analyte.intervals)


def _general_notices(items: list[LabItem], person: Person, age: str | None) -> list[str]:
    notices = []
    if unknown := [item.name for item in items if item.flag == "unknown"]:
        notices.append(f"有 {len(unknown)} 项没有判断高低，请核对原件：{'、'.join(unknown)}。")
    if borrowed := [item.name for item in items if item.range_source == "catalogue"]:
        notices.append(f"有 {len(borrowed)} 项没有印参考范围，用的是常见的范围：{'、'.join(borrowed)}。")
    if person.pregnant:
        notices.append("报告单上写着怀孕：孕期许多项目的范围与平时不同，请让产科医生一起看。")
    elif person.age_unclear:
        notices.append(f"没有看懂年龄“{age}”，按年龄分的范围没有用；请核对原件。")
    return notices
