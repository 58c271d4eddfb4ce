"""一张判断过的报告里有哪几件事要说：每个异常、每个组合，它的说明、怎么办、什么时候要马上就医。话都是人写在表里的。"""

import re
from dataclasses import dataclass, field

from health_assistant.lab_report.assessment import report_rows
from health_assistant.lab_report.catalogue import Analyte, Direction
from health_assistant.lab_report.patterns import Match, ReportRow, find_patterns
from health_assistant.lab_report.person import Person, person_of
from health_assistant.lab_report.reference_range import Interval, parse_result
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    FLAG_ARROWS,
    FLAG_WORDS,
    SEVERITIES,
    SEVERITY_WORDS,
    LabItem,
    LabReport,
    Severity,
    escape_markdown,
)
from health_assistant.lab_report.severity import at_least, special_specimen, told, worst

_GO: dict[Severity, str] = {
    "marked": "几天内去看{where}。",
    "severe": "今天就去看{where}，挂不上号就去急诊。",
    "grave": "不要等复查，尽快就医。",
}


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

    def defer(self) -> None:
        """今天就要看医生的时候，小事不展开，也不另说“过几周再查”。"""
        self.do = "这一次看医生时一起说。"
        self.lines = [*self.lines[:1], self.do]


@dataclass
class Findings:
    """一张报告里要说的，由重到轻。"""

    subjects: list[Subject]
    harmless: list[ReportRow]
    strange: list[LabItem]
    rows: list[ReportRow]


def find_subjects(report: LabReport) -> Findings:
    """判断过的报告 -> 要说的事。组合解释了的行不再单独说，除非它自己明显异常。"""
    person = person_of(report)
    rows = report_rows(report)
    indicators = {id(item): analyte for item, analyte in rows}
    matches = find_patterns(person, rows, report.report_type)
    explained = {id(item) for match in matches for item in match.items}
    abnormal = [row for row in rows if row[0].flag in ABNORMAL_FLAGS or row[0].severity]
    subjects = [_about_pattern(match, indicators, person) for match in matches]
    harmless, strange = [], []
    for item, analyte in abnormal:
        if id(item) in explained:
            continue
        if analyte is None and (specimen := special_specimen(item.report_type or report.report_type, item.name)):
            title = f"{value_text(item)} {verdict(item)}"
            lines = [f"参考范围：{range_text(item)}", specimen.say]
            subjects.append(Subject("specimen", title, item.severity, specimen.department, specimen.say, lines=lines))
        elif analyte is None:
            strange.append(item)
        elif item.severity is None and analyte.is_harmless(item.flag):
            harmless.append((item, analyte))
        else:
            subjects.append(_about(item, analyte, person))
    if report.when in ("now", "today"):
        for one in subjects:
            if not at_least(one.severity, "marked"):
                one.defer()
    subjects.sort(key=lambda one: SEVERITIES.index(one.severity) if one.severity else -1, reverse=True)
    return Findings(subjects, harmless, strange, rows)


# ---- 每一件事 ----


def _about_pattern(match: Match, indicators: dict[int, Analyte | None], person: Person) -> Subject:
    pattern, own = match.pattern, match.severity
    # 里面明显以上的行总有自己的话；比组合更急的，先说那一行，组合里“过几周再查”的话就不说
    marked = [
        _about(item, analyte, person)
        for item in match.items
        if at_least(item.severity, "marked") and (analyte := indicators[id(item)])
    ]
    heavier = [one for one in marked if own is None or not at_least(own, one.severity)]
    heaviest = worst([own, *(one.severity for one in marked)])
    action = _without_waiting(pattern.action) if heavier else pattern.action
    own_words = [one.do if one in heavier else one.say for one in marked]
    why = f"常见于{pattern.common}，不能据此确诊。{pattern.says or ''}"
    warnings = [f"**{one.title}**：{words}" for one, words in zip(marked, own_words, strict=True) if words]
    items = [item for item in match.items if item.flag in ABNORMAL_FLAGS] or match.items
    lines = ["；".join(map(with_range, match.items)), f"这几项放在一起，{why}"]
    lines += [*warnings, *([f"怎么办：{action}"] if action else [])]
    return Subject(
        id=pattern.id,
        title=f"{pattern.title}（{name_some(items)}）",
        severity=heaviest,
        department=heavier[0].department if heavier else pattern.department,
        why=why,
        warning=f"其中 {heavier[0].title}。{heavier[0].say or why}" if heavier else "",
        do=(heavier[0].do if heavier else "") + action,
        watch=pattern.red_flag or next((one.watch for one in marked if one.watch), ""),
        first_aid=[text for one in marked for text in one.first_aid],
        lines=lines,
    )


def name_some(items: list[LabItem], most: int = 2) -> str:
    """前几项的名称与结果；多的只说有几项。"""
    return "、".join(map(value_text, items[:most])) + (f" 等 {len(items)} 项" if len(items) > most else "")


_WAITS = re.compile(r"(\d|几) ?(天内|周|个月|年)|体检|不急|不用急|以后每|下次|这几天|这周|近期")


def _without_waiting(text: str) -> str:
    """去掉说“过几周、几个月再查”的分句：有更急的事时，它们说的是另一回事。"""
    parts = [part for part in re.split("[；。]", text) if part]
    kept = [part for part in parts if not _WAITS.search(part)]
    return "；".join(kept) + "。" if kept else ""


def _about(item: LabItem, analyte: Analyte, person: Person) -> Subject:
    way = analyte.direction(item.flag) if item.flag in ABNORMAL_FLAGS else _side(item, analyte)
    graded = item.flag if item.flag in ABNORMAL_FLAGS else way
    said = told(analyte.code, graded, person, "say")
    first_aid = told(analyte.code, graded, person, "first_aid")
    meaning = analyte.meanings.get(way, "目录里没有这个方向的说明，请问开单的医生。")
    if at_least(item.severity, "marked"):
        do = _GO[item.severity].format(where=analyte.department) + (said or "")
    else:
        do = analyte.advice.get(way, "")
    if item.severity == "slight" and "复查" not in do and "重抽" not in do:
        do += "没有不适的，1–3 个月内复查一次。"
    is_urgent = at_least(item.severity, "severe")
    lines = [f"参考范围：{range_text(item)}", f"它量的是：{analyte.measures}"]
    if item.note:
        lines.append(escape_markdown(item.note) + "。")
    lines.append(f"{'这说明' if way == 'abnormal' else '常见的原因'}：{meaning}")
    lines.append(f"怎么办：{do}" if at_least(item.severity, "marked") else f"可以怎么做：{do}")
    return Subject(
        id=analyte.code,
        title=f"{value_text(item)} {verdict(item)}",
        severity=item.severity,
        department=analyte.department,
        why=meaning,
        do=do,
        say=said or "",
        watch=analyte.red_flags.get(way, ""),
        first_aid=[first_aid] if is_urgent and first_aid else [],
        lines=lines if do else lines[:-1],
    )


def _side(item: LabItem, analyte: Analyte) -> Direction | None:
    """没有范围可比、只由数值自己分级的行，在哪一边：比常见范围的中点高还是低。"""
    usual = next((one for one in analyte.known_intervals if one.is_bounded), None)
    result = parse_result(item.result)
    if usual is None or not isinstance(result, Interval) or result.low is None:
        return None
    value = analyte.convert(result.low, item.unit or analyte.unit)
    return None if value is None else "high" if value * 2 > usual.low + usual.high else "low"


# ---- 一行的文字 ----


def value_text(item: LabItem) -> str:
    """名称、结果、单位，转义过的。"""
    return escape_markdown(f"{item.name or item.code} {item.result} {item.unit}".strip())


def verdict(item: LabItem) -> str:
    """箭头、轻重与高低，如 “↑ 明显偏高”；危急的写明。"""
    words = FLAG_WORDS[item.flag] if item.flag in ABNORMAL_FLAGS else ""
    if item.flag == "unknown" and item.severity:
        words = f"{SEVERITY_WORDS[item.severity]}超出常见范围"
    if item.critical:
        words += "（危急值）"
    elif item.severity in ("slight", "marked", "severe") and item.flag in ("high", "low"):
        words = SEVERITY_WORDS[item.severity] + words
    arrow = f"{FLAG_ARROWS[item.flag]} " if item.flag in ("high", "low") else ""
    return f"{arrow}{words}"


def range_text(item: LabItem) -> str:
    """判断用的范围，转义过的；借用目录的注明。"""
    borrowed = "，常见范围，报告单上没有印" if item.range_source == "catalogue" else ""
    return escape_markdown(item.applied_range or "没有印") + borrowed


def with_range(item: LabItem) -> str:
    word = FLAG_ARROWS[item.flag] if item.flag in ("high", "low") else FLAG_WORDS[item.flag]
    return f"{value_text(item)} {word}（参考 {range_text(item)}）"
