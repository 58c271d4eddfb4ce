"""请建议模型写建议：只给代码判断的结论，从不给单子上的原文。

单子上可能印着对模型说的话。名称、单位用目录里的写法，结果与范围只在看得懂时给，并由解析后的数重新写出；
目录里没有的项目只报个数。
"""

from health_assistant.lab_report.catalogue import Indicator, find_indicator, fold_unit
from health_assistant.lab_report.patterns import ReportRow, find_patterns
from health_assistant.lab_report.reference_range import ByGroup, Interval, Terms, parse_age, parse_range, parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, FLAG_WORDS, TRIAGE_WORDS, LabItem, LabReport

HEADINGS = ("结论", "异常项目", "接下来怎么做", "什么时候要马上就医")
_KNOWN_WORDS = {"阴性", "弱阳性", "阳性", "正常", "透明"}

_INSTRUCTIONS = f"""你是一位谨慎的全科医生，给没有医学背景的人解释化验单。高低与分级已经由程序判断，你只解释，不改判。
用中文写 Markdown，400 到 800 字，恰好这四个标题：{"、".join(f"### {heading}" for heading in HEADINGS)}。
- “结论”的第一句要有给你的分级的原词；分级是“{TRIAGE_WORDS["urgent"]}”时，第一句就请人马上就医。别的分级的词不要写。
- “异常项目”逐项说：是什么、常见的原因、是不是要紧。只写给你的项目，名称照抄，高低照给你的写，不写没有给你的数。
- “接下来怎么做”：挂什么科、多久复查、饮食和作息。可以建议再查什么，但不要猜结果。
- 没有判断的项目不要说高低或正常，请人核对原件。
- 不写药名、剂量、用量，不劝人用药、停药；不下诊断，不说“一切正常”“不用就医”。不写链接、表格、代码。"""


def advice_messages(report: LabReport) -> list[dict]:
    """问建议模型的消息。"""
    return [
        {"role": "system", "content": _INSTRUCTIONS},
        {"role": "user", "content": describe_findings(report)},
    ]


def known_rows(report: LabReport) -> list[ReportRow]:
    """目录认得的行。"""
    found = ((item, find_indicator(item.name, item.code, item.unit, report.report_type)) for item in report.items)
    return [(item, indicator) for item, indicator in found if indicator]


def describe_findings(report: LabReport) -> str:
    """代码判断的结论，一行一项。"""
    rows = known_rows(report)
    lines = [f"分级：{TRIAGE_WORDS[report.triage]}", *_person(report), "异常的项目："]
    lines += [describe_row(*row) for row in rows if row[0].flag in ABNORMAL_FLAGS] or ["没有"]
    for title, flag in (("没有判断的项目", "unknown"), ("正常的项目", "normal")):
        names = "、".join(indicator.name for item, indicator in rows if item.flag == flag)
        lines.append(f"{title}：{names or '没有'}")
    if others := len(report.items) - len(rows):
        lines.append(f"另有 {others} 项不认识，不要提。")
    matches = find_patterns(report, rows)
    lines += [f"一起看：{one.pattern.title}，常见于{one.pattern.common}。{one.pattern.action}" for one in matches]
    return "\n".join(lines)


def describe_row(item: LabItem, indicator: Indicator) -> str:
    """一个异常项目：目录里的名称、判断、由解析后的数写出的结果与范围。"""
    units = (indicator.unit, *indicator.other_units, *indicator.conversions, *indicator.more_units)
    unit = next((one for one in units if one and fold_unit(one) == fold_unit(item.unit)), "")
    result, limits = _plain(parse_result(item.result)), _plain(parse_range(item.applied_range))
    parts = [
        f"- {indicator.name}：{FLAG_WORDS[item.flag]}" + ("，达到危急值" if item.critical else ""),
        f"结果 {result.removeprefix('=')} {unit}".strip() if result else "",
        f"参考 {limits}" if limits else "",
    ]
    return "，".join(part for part in parts if part)


def _plain(parsed: Interval | Terms | ByGroup | None) -> str:
    """数与范围照写；定性词只写认得的，别的可能是单子上的任何话。"""
    if isinstance(parsed, ByGroup):
        return "" if any(isinstance(limits, Terms) for _, limits in parsed.groups) else str(parsed)
    if isinstance(parsed, Terms) and not set(parsed.words) <= _KNOWN_WORDS:
        return ""
    return str(parsed) if parsed else ""


def _person(report: LabReport) -> list[str]:
    years = parse_age(report.age)
    parts = [report.sex or "", f"{years:.0f} 岁" if years is not None and years >= 1 else ""]
    return [f"本人：{'，'.join(part for part in parts if part)}"] if any(parts) else []
