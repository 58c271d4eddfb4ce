"""ReadReport -> LabReport：高低、轻重、危急值、分级与要先说的话，全部由规则得出。

印着的范围优先；没有印的才用目录里这一群人的范围，并且注明。有疑问的一律 unknown，并说明疑在哪里。
读数的疑问从不让警报消失：一个值如果没有读错就是危急的，不论别的有什么疑问，都要说。
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from typing import Literal

from pydantic import Field, InstanceOf

from health_assistant.lab_report.alarms import CHECK, alarm_order, grade, is_marked_critical, raise_alarm
from health_assistant.lab_report.consistency import find_conflicts, measure, shifted_doubts
from health_assistant.lab_report.decimal_points import point_doubts
from health_assistant.lab_report.derived import weigh_together
from health_assistant.lab_report.interval import Interval, PartitionedInterval, intervals_of
from health_assistant.lab_report.judgement import Finding, Others, judge
from health_assistant.lab_report.marks import flag_says
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.patterns import Match, find_patterns, stated
from health_assistant.lab_report.person import Person, person_of
from health_assistant.lab_report.plausibility import is_finer, is_plainly_out
from health_assistant.lab_report.printed_text import SIMPLIFIED
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.report import (
    TRIAGE_OF,
    WHEN_OF,
    LabReport,
    PrintedRow,
    Reading,
    ReadReport,
    ReadRow,
    Severity,
    at_least,
    rank,
    translated,
    worst,
)
from health_assistant.lab_report.severity import is_measured, load_severity, measured_as
from health_assistant.lab_report.sheet_observation import observe_all
from health_assistant.lab_report.specimen import is_earlier
from health_assistant.lab_report.stated_specimen import with_stated_specimens
from health_assistant.lab_report.treatment import BELOW_TARGET, ask_prescriber, settle_treated
from health_assistant.lab_report.unlisted import says_found


class Assessment(LabReport):
    """判断完毕的化验单：给人看的字段（`LabReport`），加上写建议要用的，不进 JSON。"""

    items: list[Finding]  # type: ignore[assignment]  # pydantic 允许子类的字段更窄
    person: InstanceOf[Person] = Field(exclude=True)
    matches: list[InstanceOf[Match]] = Field(exclude=True)
    """成立的组合，重的在前。"""


_SAYS_LATER = re.compile("(?:如果(?:没有读错|是)，今天就要看医生|请今天就问出报告的检验科或医生|这几天问医生)。")
_FEVER = re.compile(r"(?<![不退])(?:发热(?!已?退)|发烧|高热|寒战|体温\s*3[89])")
_WITH_FEVER = (("low", ("WBC", "NEUT#", "PLT")), ("high", ("FT3", "FT4")))
EARLIER = "这是上次的结果，这次又查了，以这次的为准"


def assess(report: ReadReport) -> Assessment:
    """给每一行下判断、分轻重，再给整张报告分级。report 是 `Reading` 时，各行的把握与疑问也算。

    `Reading.notices` 是整张报告的疑问（有一页没有读成），照样说出来；有它就不是未见异常。
    印着繁体字的，规则看的是简体，给人看的照原样。
    """
    # 一、印着什么：每一行只解析这一次，标本没有说的由各行猜
    printed = report
    report = with_stated_specimens(translated(printed, SIMPLIFIED))
    reading = report if isinstance(report, Reading) else Reading(items=[])
    doubts, person, title = reading.notices, person_of(report), report.report_type
    observations, guessed = observe_all(report, person)

    # 二、一行一行的高低；别的行看得出的（串了列、是上次的、和别的行对不上），也在这里
    items = _judge_all(observations, person, title)
    findings = _set_earlier_aside(items)
    _doubt_conflicting_rows(findings)

    # 三、各行有多要紧；由两行算出来的在后，要等两行都分过
    for finding in findings:
        grade(finding, person, title)
        raise_alarm(finding, person, title)
    hurt_by_drugs = settle_treated(findings, title)
    weigh_together(findings, person)

    # 四、几项放在一起看：成立的组合，和没有把握的数如果没有读错才成立的；组合说没有大碍的，到这时才降
    matches = find_patterns(person, findings, title)
    possible = _grave_if_right(findings, person, title) - {match.pattern.title for match in matches}
    _lower_explained(matches)

    # 五、整张取最重的一级
    each = [severity for finding in findings for severity in (finding.severity, finding.floor)]
    # 两个读者里有一个读到危急值的（见阶段 7 的 verification），核对之前今天就要问
    unchecked: Severity | None = "severe" if possible or any(doubt.startswith(CHECK) for doubt in doubts) else None
    severity = worst([*each, *(match.severity for match in matches), _overall(findings, person), unchecked])
    is_acute = _vitals_and_labs(findings, person) or _has_neutropenic_fever(findings, person, title)
    severity = "grave" if is_acute else severity

    # 六、要先说的话，警报在最前面
    ask_prescriber(hurt_by_drugs, severity)
    alarms = sorted((finding for finding in findings if finding.alarm), key=alarm_order)
    notices = [
        *(finding.alarm for finding in alarms),
        *(f"{CHECK}：{name}，其中有的数没有把握；如果没有读错，要尽快就医。" for name in sorted(possible)),
        *doubts,
        *guessed,
        *_general_notices(findings, person, report.age, severity, is_acute),
    ]
    if severity == "grave":  # 现在就要去的，不另说一个晚一些的时间
        notices = [_SAYS_LATER.sub("一起给医生看。", notice) for notice in notices]
    for item, row in zip(items, printed.items, strict=True):
        for simple, text in ((item.name, row.name), (item.result, row.result)):
            notices = [_as_printed(notice, simple, text) for notice in notices]
        item.show_as_printed(row)
    origin = printed.origin if isinstance(printed, Reading) else {}
    return Assessment(
        report_type=printed.report_type, sex=report.sex, age=printed.age, origin=origin, told=reading.told,
        items=items, triage=_triage(findings, severity or ("slight" if doubts else None)), when=WHEN_OF.get(severity),
        notices=notices, doubts=list(doubts), person=person, matches=matches,
    )  # fmt: skip


def _as_printed(notice: str, simple: str, printed: str) -> str:
    """要说的话里，单独写着的名称、结果（`尽快就医：钾 6.9`）照印着的繁体写；`高钾` 里的不动。"""
    if printed.translate(SIMPLIFIED) != simple or printed == simple:
        return notice
    return re.sub(rf"(?<![一-鿿]){re.escape(simple)}(?![一-鿿])", lambda _: printed, notice)


def _judge_all(observations: list[Observation], person: Person, report_type: str) -> list[Finding]:
    """各行的高低，每一行都连同别的行说的（见 `Others`）。"""
    places = range(len(observations))
    flagged = {at for at in places if flag_says(observations[at].row)}
    finer = {at for at in places if is_finer(observations[at].row) or not flagged and is_plainly_out(observations[at])}
    doubts = shifted_doubts(observations, report_type) or point_doubts(observations)
    others = [Others(bool(flagged - {at}), bool(finer - {at}), doubts[at]) for at in places]
    return [judge(observed, person, other) for observed, other in zip(observations, others, strict=True)]


def severity_of(report: LabReport) -> Severity | None:
    """判断过的报告整个有多要紧；none 为 None。"""
    by_when = {when: severity for severity, when in WHEN_OF.items()}
    return by_when.get(report.when, "slight" if report.triage == "routine" else None)


def severity_if_right(
    rows: Iterable[PrintedRow], head: dict[str, str | None], counts_unread: bool = False
) -> Severity | None:
    """另一个读者、另一张照片读到的 rows 如果没有读错，有多要紧；读得不一样，至多说到今天就去（severe）。

    head 是报告名、性别、年龄。没有读出结果、没能核对危急值的（floor 不到 severe），counts_unread 时才算：
    多半是那一张照片拍糊了。
    """
    report = assess(ReadReport(items=[ReadRow.of(row) for row in rows], **head))
    floors = [finding.floor for finding in report.items if counts_unread or at_least(finding.floor, "severe")]
    severities = [finding.severity for finding in report.items]
    severity = worst([*severities, *floors, *(match.severity for match in report.matches)])
    return min(severity, "severe", key=rank) if severity else None


def raise_to(report: LabReport, severity: Severity | None) -> None:
    """至少按这一级分级；已经更急的不变，None 是没有这样的一级。"""
    if severity and worst([severity, severity_of(report)]) == severity:
        report.triage, report.when = TRIAGE_OF[severity], WHEN_OF.get(severity)


def _set_earlier_aside(findings: list[Finding]) -> list[Finding]:
    """这一次的各行。写着“上次”的数，这一次也抽了而且判断得了，就只列出来，不作判断；别的照旧判断（阳性过的也要紧）。"""
    known = [finding for finding in findings if finding.analyte and isinstance(finding.value, Interval)]
    read = {row.analyte.code for row in known if not is_earlier(row.name) and row.flag != "unknown"}
    aside = {id(row): row for row in known if is_earlier(row.name) and row.analyte.code in read}
    for finding in aside.values():
        finding.withhold(EARLIER)
    return [finding for finding in findings if id(finding) not in aside]


def _grave_if_right(findings: list[Finding], person: Person, report_type: str) -> set[str]:
    """没有把握的数如果没有读错，就成立的危急组合的名称。"""
    unknown = [finding for finding in findings if finding.flag == "unknown" and isinstance(finding.value, Interval)]
    doubted = {id(finding): finding for finding in unknown if finding.doubts_value}
    if not doubted:
        return set()
    taken = [finding for finding in findings if id(finding) not in doubted]
    for finding in doubted.values():
        row = finding.observation.row.model_copy(update={"doubt": None, "confidence": None})
        taken.append(judge(replace(finding.observation, row=row), person))
        grade(taken[-1], person, report_type)
    return {match.pattern.title for match in find_patterns(person, taken, report_type) if match.severity == "grave"}


def _doubt_conflicting_rows(findings: list[Finding]) -> None:
    """行与行对不上的，都改为不作判断。本来就没有把握的行不作证。"""
    by_code: defaultdict[str, list[Finding]] = defaultdict(list)
    for finding in findings:
        if not finding.analyte or finding.doubts_value:
            continue
        is_judged = finding.flag != "unknown" or finding.range_source == "none"
        if is_judged and not finding.may_be_fraction and not finding.has_garbled_unit:
            by_code[finding.analyte.code].append(finding)
    once = {code: same[0] for code, same in by_code.items() if len(same) == 1}
    measured = {code: measure(finding.value, finding.compared_unit, finding.analyte) for code, finding in once.items()}
    for code, note in find_conflicts({code: number for code, number in measured.items() if number}).items():
        if not (code == "INR" and _is_inr_confirmed(once)):
            once[code].withhold(note)


def _is_inr_confirmed(once: dict[str, Finding]) -> bool:
    """PT 说 INR 读错了，别的却说没有：印着危急的标记，或由 PT 算出的活动度也低。"""
    activity = once.get("PTA")
    return is_marked_critical(once["INR"]) or activity is not None and activity.flag == "low"


# ---- 整张报告 ----


def _lower_explained(matches: list[Match]) -> None:
    """只由“没有大碍”的组合解释的行，降到组合说的那样；明显以上的从不降。"""
    raised = {id(finding) for match in matches if not match.lowers for finding in match.findings}
    for match in matches:
        for finding in match.findings if match.lowers else ():
            if id(finding) not in raised and finding.severity == "moderate":
                finding.severity = "slight" if match.pattern.severity == "slight" else None


def _overall(findings: list[Finding], person: Person) -> Severity | None:
    """没有判断的行里印着标记、写着找到了什么的，或没有判断的占了多半：不能当作没有事；新生儿的不等几周。"""
    unknown = [finding for finding in findings if finding.flag == "unknown"]
    # 血型、颜色这样没有范围的文字结果，本来就不判断高低
    asking = [row for row in unknown if row.range_source != "none" or not isinstance(row.value, QualitativeResult)]
    open_questions = sum(not (_looks_usual(row) or _is_usual_karyotype(row, person)) for row in asking)
    # 本身没有坏处的（尿结晶）、不分高低的（Rh(D) 的 +），印着标记也不要紧
    sided = [finding for finding in unknown if not _has_no_sides(finding)]
    is_flagged = any(row.mark and not (row.analyte and row.analyte.is_harmless("abnormal")) for row in sided)
    is_flagged |= any(says_found(row.name, row.result) and not (row.severity or row.floor) for row in sided)
    is_open = not findings or open_questions * 2 > len(findings) or is_flagged
    return ("marked" if person.is_newborn else "moderate") if is_open else None


def _vitals_and_labs(findings: list[Finding], person: Person) -> bool:
    """脉搏、血压低这样的体征（NEWS2 一项 3 分），与到了今天就要看的化验合起来：现在就去。

    高热（39.1℃ 起，只有 2 分）只与这几样一起才算：粒细胞缺乏发热、登革热的血小板、甲状腺危象（凭记忆）。
    """
    labs = [row for row in findings if at_least(row.severity, "severe") and not is_measured(row.name)]
    vitals = [
        finding.severity
        for finding in findings
        if finding.analyte is None
        and any(line.weigh(finding.result, finding.unit) for line in measured_as(finding.name, person) if line.is_acute)
    ]
    if not at_least(worst(vitals), "severe"):
        labs = [
            row
            for row in labs
            if row.analyte and any(row.flag == way and row.analyte.code in codes for way, codes in _WITH_FEVER)
        ]
    return bool(worst(vitals) and labs)


def _has_neutropenic_fever(findings: list[Finding], person: Person, report_type: str) -> bool:
    """写着发热，中性粒细胞又不到 1.0：粒细胞缺乏发热（NCCN；用抗甲状腺药的同样），现在就去。

    孩子感冒时也会少，不算；写着化疗、白血病的孩子算。
    """
    few = [row for row in findings if row.analyte and row.analyte.code == "NEUT#" and row.flag == "low"]
    is_few = any(at_least(row.severity, "marked") for row in few)
    said = stated(findings, report_type)
    is_prone = not person.is_minor or bool(re.search("化疗|白血病", said))
    return is_few and is_prone and bool(_FEVER.search(said))


def _triage(findings: list[Finding], severity: Severity | None) -> Literal["none", "routine", "soon", "urgent"]:
    """由最重的一级定；每一行都正常才是 none，没有大碍的偏离与没有判断的行使它是 routine。"""
    if severity:
        return TRIAGE_OF[severity]
    return "none" if all(finding.flag == "normal" for finding in findings) else "routine"


def _is_usual_karyotype(finding: Finding, person: Person) -> bool:
    """染色体 46,XX、46,XY，与印着的性别一样：寻常的核型，不分高低。"""
    usual = {"女": "XX", "男": "XY"}.get(person.sex or "")
    is_named = re.search("核型|染色体|karyotype", finding.name, re.IGNORECASE)
    return bool(usual and is_named and re.fullmatch(rf"46[,，]\s*{usual}(\[\d+\])?", finding.result.strip()))


def _has_no_sides(finding: Finding) -> bool:
    """血型、身高这样本来就不分高低的。"""
    no_sides = finding.analyte is not None and not finding.analyte.meanings
    return not finding.doubts_value and (no_sides or is_measured(finding.name))


def _looks_usual(finding: Finding) -> bool:
    """印着的范围没有读懂，而数在目录里这个人的常见范围之内，或是没有到哪一级的血压、身高：没有判断，但也不用为它去看医生。"""
    analyte = finding.analyte
    if finding.is_treated:
        return True
    if is_measured(finding.name) and not finding.severity and not finding.floor:
        return not finding.doubts_value or finding.value is None  # `128/80` 不是一个数
    if finding.doubts_value or not analyte or finding.severity or finding.floor:
        return bool(finding.severity) and not finding.doubts_value  # 由数自己看出有多要紧，已经算进去了
    # 分了卵泡期、绝经后而不知是哪一期的：在哪一期的范围里都不算问题
    printed, result = finding.observation.interval, finding.value
    if isinstance(printed, PartitionedInterval) and isinstance(result, Interval):
        return any(map(result.inside, intervals_of(printed)))
    result = finding.converted() if analyte.code not in load_severity().cutoffs else None
    return bool(result) and any(result.inside(usual) for usual in analyte.intervals)


def _general_notices(
    findings: list[Finding], person: Person, age: str | None, severity: Severity | None, is_acute: bool
) -> list[str]:
    notices = []
    # 由数自己看出有多要紧的，不说没有判断
    unknown = [
        finding.name
        for finding in findings
        if finding.flag == "unknown" and not (finding.severity or finding.is_treated or _has_no_sides(finding))
    ]
    if unknown:
        notices.append(f"有 {len(unknown)} 项没有判断高低，请核对原件：{'、'.join(unknown)}。")
    if severity != "grave" and any(row.floor == "severe" and not (row.analyte or row.alarm) for row in findings):
        notices.append("这种检查要紧，而单子上没有印参考范围，程序看不出正不正常：请今天就问开单的医生。")
    if is_acute:
        notices.append("体征与化验放在一起看，可能是急症：请现在就去急诊。")
    if severity != "grave" and any(finding.note == BELOW_TARGET for finding in findings):
        notices.append(f"INR：{BELOW_TARGET}。")
    borrowed = [finding.name for finding in findings if finding.range_source == "catalogue"]
    if borrowed:
        notices.append(f"有 {len(borrowed)} 项没有印参考范围，用的是常见的范围：{'、'.join(borrowed)}。")
    if person.pregnant:
        notices.append("报告单上写着怀孕：孕期许多项目的范围与平时不同，请让产科医生一起看。")
    elif person.age_unclear or " 或 " in (age or ""):
        notices.append(f"没有看懂年龄“{age}”，按年龄分的范围没有用；请核对原件。")
    return notices
