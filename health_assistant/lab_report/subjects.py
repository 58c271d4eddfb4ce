"""一张判断过的报告里有哪几件事要说：每个异常、每个组合，它的说明、怎么办、什么时候要马上就医。话都是人写在表里的。"""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from health_assistant.lab_report.assessment import EARLIER, Assessment
from health_assistant.lab_report.catalogue import Direction
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.language import (
    join_names,
    join_sentences,
    say,
    say_range,
    translate,
    with_english_name,
)
from health_assistant.lab_report.patterns import Match
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    FLAG_ARROWS,
    FLAG_WORDS,
    SEVERITY_WORDS,
    LabItem,
    Severity,
    at_least,
    escape_markdown,
    rank,
    worst,
)
from health_assistant.lab_report.severity import grade_value, measured_as, special_specimen, told

_GO: dict[Severity, str] = {
    "marked": "几天内去看{where}。",
    "severe": "今天就去看{where}，挂不上号就去急诊。",
    "grave": "不要等复查，尽快就医。",
}
_TOGETHER = "这一次看医生时一起说。"
_REFERRED = "这一次看医生时一起说，问要不要看{where}。"
_SAYS_LATER = re.compile(r"(?:^|[：，；]|请|要)(?:今天|当天|这几天|几天内|一周内|\d–\d [天周]内)")
"""一句话自己说的时候，比“现在就去”晚；“发热的今天就去”那样有条件的不是。"""


@dataclass
class Subject:
    """一件要说的事：一项异常，或几项放在一起。文字都是目录里的，从照片上来的已经转义。"""

    id: str
    title: str
    severity: Severity | None
    department: str
    why: str
    do: str = ""
    say: str = ""
    """分级表为它写的一句，不说什么时候去。"""
    watch: str = ""
    first_aid: list[str] = field(default_factory=list)
    warning: str = ""
    """组合里比组合更急的那一行；有照片上的字，从不给建议模型。"""
    lines: list[str] = field(default_factory=list)
    """展开以后的各条。"""


@dataclass
class Subjects:
    """一张报告里要说的，由重到轻；没有大碍的偏离、目录里没有的异常各在一处。"""

    report: Assessment
    each: list[Subject]
    harmless: list[Finding]
    strange: list[Finding]
    unscaled: list[Finding]
    """血型这样本来不分高低的行。"""
    unjudged: list[Finding]
    """别的没有判断的行。"""


def find_subjects(report: Assessment) -> Subjects:
    """判断过的报告 -> 要说的事。组合解释了的行不再单独说，除非它自己明显异常。"""
    explained = {id(finding) for match in report.matches for finding in match.findings}
    is_now = report.when == "now"
    subjects = [_about_pattern(match, report.person, is_now) for match in report.matches]
    harmless, strange = [], []
    for finding in report.items:
        analyte = finding.analyte
        if id(finding) in explained or not (finding.flag in ABNORMAL_FLAGS or finding.severity):
            continue
        if analyte and finding.severity is None and analyte.is_harmless(finding.flag):
            harmless.append(finding)
            continue
        subject = _about(finding, report.person, is_now) if analyte else _about_unlisted(finding, report)
        if subject:
            subjects.append(subject)
        else:
            strange.append(finding)
    for subject in subjects:
        # 今天就要看医生的时候，小事不展开，也不另说“过几周再查”
        if report.when in ("now", "today") and not at_least(subject.severity, "marked"):
            subject.do = say(_TOGETHER)
            subject.lines = [*subject.lines[:1], subject.do]
    subjects.sort(key=lambda subject: rank(subject.severity), reverse=True)
    unknown = [finding for finding in report.items if finding.flag == "unknown" and not finding.severity]
    unscaled = [finding for finding in unknown if finding.analyte and not finding.analyte.meanings]
    unjudged = [row for row in unknown if (not row.analyte or row.analyte.meanings) and row.note != EARLIER]
    return Subjects(report, subjects, harmless, strange, unscaled, unjudged)


# ---- 每一件事 ----


def _about_unlisted(finding: Finding, report: Assessment) -> Subject | None:
    """目录里没有、分级表里写着的：别的标本、毒物、传染病，量出来的数（血压）；没有写、没有到哪一级的为 None。"""
    title, name = finding.report_type or report.report_type, finding.name or finding.code
    specimen = special_specimen(title, name, finding.value, finding.flag, finding.with_unit)
    measured = [
        line
        for line in measured_as(finding.name, report.person)
        if line.say and line.weigh(finding.result, finding.unit) == finding.severity
    ]
    if finding.severity is None or not (specimen or measured):
        return None
    kind = "specimen" if specimen else "measured"
    told_words, where = specimen.told_to(report.person) if specimen else (measured[-1].say, measured[-1].department)
    words = say(_unless_later(told_words, finding.severity, report.when == "now") or _TOGETHER)
    headline = f"{value_text(finding)} {verdict(finding)}"
    lines = [say("参考范围：{limits}", limits=range_text(finding))] if specimen else []
    where = say(_for_child(where, report.person))
    return Subject(kind, headline, finding.severity, where, words, lines=[*lines, words])


def _for_child(where: str, person: Person) -> str:
    """孩子看儿科；本来就是儿科、急诊，或只有那里能看的（眼、产科、召回的中心）照旧。"""
    if not person.is_minor or re.search("儿|急诊|产|妇|眼|骨|移植|中心", where):
        return where
    return "新生儿科" if person.is_newborn else "儿科"


def _unless_later(text: str, severity: Severity | None, is_now: bool) -> str:
    """现在就要去的报告上，轻一些的事自己说着“今天就去”“几天内去”的话不说：两个时间放在一起，人会照晚的那个做。"""
    return "" if is_now and severity != "grave" and _SAYS_LATER.search(text) else text


def _about_pattern(match: Match, person: Person, is_now: bool) -> Subject:
    pattern, own = match.pattern, match.severity
    # 里面明显以上的行总有自己的话；比组合更急的，先说那一行，组合里“过几周再查”的话就不说
    marked = [
        _about(finding, person, is_now)
        for finding in match.findings
        if at_least(finding.severity, "marked") and finding.analyte
    ]
    heavier = [subject for subject in marked if own is None or not at_least(own, subject.severity)]
    heavier.sort(key=lambda subject: rank(subject.severity), reverse=True)  # 开头只说一行，说最重的
    heaviest = worst([own, *(subject.severity for subject in marked)])
    # 重出两级的（几周内看的组合里一行今天就要去），组合里平常的办法（多吃瘦肉）也不说
    is_usual = at_least(heaviest, "severe") and rank(heaviest) - rank(own) > 1
    action = "" if is_usual else _without_waiting(pattern.action) if heavier else pattern.action
    action = say(_unless_later(action, own, is_now))
    own_words = [subject.do if subject in heavier else subject.say for subject in marked]
    usual = say("常见于{common}，不能据此确诊。", common=say(pattern.common))
    why = join_sentences(usual, say(pattern.says or ""))
    warnings = [
        say("**{title}**：{words}", title=subject.title, words=words)
        for subject, words in zip(marked, own_words, strict=True)
        if words
    ]
    abnormal = [subject for subject in match.findings if subject.flag in ABNORMAL_FLAGS] or match.findings
    lines = [say("；").join(map(with_range, match.findings)), say("这几项放在一起，{why}", why=why)]
    lines += [*warnings, *([say("怎么办：{do}", do=action)] if action else [])]
    return Subject(
        id=pattern.id,
        title=say("{title}（{items}）", title=say(pattern.title), items=name_some(abnormal)),
        severity=heaviest,
        department=heavier[0].department if heavier else say(pattern.department),
        why=why,
        warning=say("其中 {title}。{words}", title=heavier[0].title, words=heavier[0].say or why) if heavier else "",
        do=action,  # 更急的那一行的话，开头已经说了
        watch=next((subject.watch for subject in heavier if subject.severity == "grave" and subject.watch), "")
        or say(pattern.red_flag or "")
        or next((subject.watch for subject in marked if subject.watch), ""),
        first_aid=[text for subject in marked for text in subject.first_aid],
        lines=lines,
    )


def name_some(findings: list[Finding], most: int = 2) -> str:
    """前几项的名称与结果；多的只说有几项。"""
    named = join_names([value_text(finding) for finding in findings[:most]])
    return say("{items} 等 {count} 项", items=named, count=len(findings)) if len(findings) > most else named


_SAYS_WHEN = re.compile(r"复查|重抽|今天|[这两]几?天|[一两几\d]周")
_WAITS = re.compile(r"(\d|几) ?(天内|周|个月|年)|体检|不急|不用急|以后每|下次|这几天|这周|近期|不用.{0,2}(处理|治)")


def _without_waiting(text: str) -> str:
    """去掉说“过几周、几个月再查”的分句：有更急的事时，它们说的是另一回事。"""
    parts = [part for part in re.split("[；。]", text) if part]
    kept = [part for part in parts if not _WAITS.search(part)]
    return "；".join(kept) + "。" if kept else ""


_VISIT_SOON = re.compile(r"(?:两周|几周|一两周)内[^；。]*?(?:看|就诊|去)")
_KEEP_SAYING = re.compile("今天|当天|这几天|这周|马上|停|不要中断|空腹|复查|大便")


def _about(finding: Finding, person: Person, is_now: bool) -> Subject:
    """目录认得的一项。"""
    analyte = finding.analyte
    way = (
        analyte.direction(finding.flag) if finding.flag in ABNORMAL_FLAGS else _side(finding, person) or finding.leaning
    )
    graded = finding.flag if finding.flag in ABNORMAL_FLAGS else way
    said, first_aid = told(analyte.code, graded, person, finding.value)
    said, first_aid = say(_unless_later(said, finding.severity, is_now)), say(first_aid)
    meaning = say(analyte.meanings.get(way, "目录里没有这个方向的说明，请问开单的医生。"))
    where = (way == "high" and analyte.department_high) or analyte.department
    department, advice = say(_for_child(where, person)), analyte.advice.get(way, "")
    if at_least(finding.severity, "marked"):
        is_together = is_now and finding.severity != "grave"
        do = join_sentences(say(_REFERRED if is_together else _GO[finding.severity], where=department), said)
    elif finding.is_usual:  # 一般的办法（少喝酒、查叶酸）说的是别人
        do = say("不用为它单独处理，下次看医生时给医生看一眼。")
    else:
        do = say(advice)
        # 一般的办法叫人一两周内就看医生，又没有别的要说（有不舒服的早去、停掉什么）：
        # 成人只超出一点的，先复查，与开头的“居家观察”一致
        calls_too_soon = _VISIT_SOON.match(advice) and not _KEEP_SAYING.search(advice)
        if finding.severity == "slight" and calls_too_soon and not (person.is_minor or person.pregnant):
            do = say("没有不适的，1–3 个月内复查一次；再查还这样的看{where}。", where=department)
        elif finding.severity == "slight" and not _SAYS_WHEN.search(advice):
            do = join_sentences(do, say("没有不适的，1–3 个月内复查一次。"))
    is_urgent = at_least(finding.severity, "severe")
    lines = [
        say("参考范围：{limits}", limits=range_text(finding)),
        say("它量的是：{measures}", measures=say(analyte.measures)),
    ]
    if finding.note:
        lines.append(say("{note}。", note=escape_markdown(translate(finding.note))))
    lines.append(say("这说明：{why}" if way == "abnormal" else "常见的原因：{why}", why=meaning))
    lines.append(say("怎么办：{do}" if at_least(finding.severity, "marked") else "可以怎么做：{do}", do=do))
    return Subject(
        id=analyte.code,
        title=f"{value_text(finding)} {verdict(finding)}",
        severity=finding.severity,
        department=department,
        why=meaning,
        do=do,
        say=said if at_least(finding.severity, "marked") else "",
        watch="" if finding.is_usual else say(analyte.red_flags.get(way, "")),
        first_aid=[first_aid] if is_urgent and first_aid else [],
        lines=lines if do else lines[:-1],
    )


def _side(finding: Finding, person: Person) -> Direction | None:
    """没有范围可比、只由数值自己分级的行，在哪一边：分级表说的那边，表里没有的看比常见范围的中点高还是低。"""
    analyte = finding.analyte
    _, way = grade_value(finding.value, finding.compared_unit or analyte.unit, analyte, person)
    if way:
        return way
    usual = next((interval for interval in analyte.known_intervals if interval.is_bounded), None)
    result = finding.value
    if usual is None or not isinstance(result, Interval) or result.low is None:
        return None
    value = analyte.convert(result.low, finding.unit or analyte.unit)
    return None if value is None else "high" if value * 2 > usual.low + usual.high else "low"


# ---- 一行的文字 ----


def is_a_little_out(finding: Finding) -> bool:
    """数真的只超出一点（不到界限的一半），或是这个年龄、孕期常有的；查出了酒精、抗体不是。"""
    if finding.is_usual:
        return not finding.is_treated
    value, interval = finding.value, finding.interval
    if not (finding.analyte and isinstance(value, Interval) and isinstance(interval, Interval)):
        return False
    reached, limit = (value.low, interval.high) if finding.flag == "high" else (value.high, interval.low)
    return bool(reached and limit) and Decimal(2) / 3 <= reached / limit <= Decimal(3) / 2


def value_text(row: LabItem) -> str:
    """名称、结果、单位，转义过的；说英文时名称旁边有目录里的英文名。"""
    return escape_markdown(f"{with_english_name(row.name or row.code)} {row.result} {row.unit}".strip())


def verdict(row: LabItem) -> str:
    """箭头、轻重与高低，如 “↑ 明显偏高”；危急值、印着危急标记的写明。"""
    words = say(FLAG_WORDS[row.flag]) if row.flag in ABNORMAL_FLAGS else ""
    degree = say(SEVERITY_WORDS[row.severity]) if row.severity else ""
    if row.flag == "unknown" and degree:
        is_number = bool(re.match(r"[<>≤≥＜＞约]?\s*\d", row.result.strip()))
        words = say("{degree}超出常见范围", degree=degree) if is_number else say(FLAG_WORDS["abnormal"])
    if row.critical:
        words = say("{words}（危急值）", words=words)
    elif row.severity == "grave" and row.flag in ABNORMAL_FLAGS:
        words = say("{words}（印着危急标记）", words=words)
    elif row.severity == "slight" and isinstance(row, Finding) and not is_a_little_out(row):
        pass  # 不急，可高得不少：治疗本来要它到这个数，打疫苗留下的抗体
    elif row.severity in ("slight", "marked", "severe") and row.flag in ("high", "low"):
        words = say("{degree}{way}", degree=degree, way=words)
    arrow = f"{FLAG_ARROWS[row.flag]} " if row.flag in ("high", "low") else ""
    return f"{arrow}{words}"


def range_text(row: LabItem) -> str:
    """判断用的范围，转义过的；借用目录的注明。"""
    if row.range_source == "catalogue":
        return say("{limits}，常见范围，报告单上没有印", limits=escape_markdown(say_range(row.applied_range)))
    return escape_markdown(row.applied_range or say("没有印"))


def with_range(row: LabItem) -> str:
    """结果、方向与判断用的范围，转义过的。"""
    word = FLAG_ARROWS[row.flag] if row.flag in ("high", "low") else say(FLAG_WORDS[row.flag])
    return say("{value} {word}（参考 {limits}）", value=value_text(row), word=word, limits=range_text(row))
