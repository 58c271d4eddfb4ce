"""请建议模型写草稿：只给代码判断的结论，从不给单子上的原文；它只写说明，数、高低与分级由代码写进建议。

单子上可能印着对模型说的话。名称、单位用目录里的写法，结果与范围只在看得懂时给，并由解析后的数重新写出；
目录里没有的项目只报个数。
"""

from typing import Annotated

from pydantic import BaseModel, Field, ValidationError

from health_assistant.lab_report.advice import report_rows
from health_assistant.lab_report.catalogue import Indicator, fold_unit
from health_assistant.lab_report.patterns import ReportRow, find_patterns
from health_assistant.lab_report.reference_range import ByGroup, Interval, Terms, parse_age, parse_range, parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, FLAG_WORDS, TRIAGE_WORDS, LabItem, LabReport
from health_assistant.lab_report.vl import find_object

Sentence = Annotated[str, Field(min_length=4, max_length=200)]


class DraftItem(BaseModel):
    name: str
    meaning: str = Field(min_length=8, max_length=300)


class Draft(BaseModel):
    """建议模型写的草稿；没有写的异常项目由目录说明。"""

    items: list[DraftItem] = Field(max_length=60)
    next_steps: list[Sentence] = Field(min_length=1, max_length=8)
    warning_signs: list[Sentence] = Field([], max_length=8)


DRAFT_FORMAT = {"type": "json_schema", "json_schema": {"name": "advice_draft", "schema": Draft.model_json_schema()}}
_KNOWN_WORDS = {"阴性", "弱阳性", "阳性", "正常", "透明"}

_INSTRUCTIONS = """你是一位谨慎的全科医生，给没有医学背景的人解释化验单。高低与分级已经由程序判断并写好，你只补充说明。
只输出一个 JSON 对象：
{"items": [{"name": 异常项目名, "meaning": 一两句话}], "next_steps": [一条一句], "warning_signs": [一条一句]}
- items 每个异常项目一个，name 照抄；没有异常项目就是空的。meaning 说它是什么、常见的原因，只说这一项，不提别的项目。
- next_steps 写二到六条：挂什么科、多久复查、饮食和作息。可以建议再查什么，但那一条里不写高低。
- warning_signs 写一到四条：出现什么情况要马上就医。
- 除了时间（如 1-2 周、3 个月），不写任何数字、用量、次数。用简体中文，不写序号、Markdown、链接。
- 给你“偏高”的，不写“偏低”“降低”“减少”；“偏低”的反过来。不写“正常”“不用担心”“不用就医”“先观察”。
- 不写药名，不劝人用药、停药、吃补剂；不下诊断，只说“常见于”。"""


def advice_messages(report: LabReport) -> list[dict]:
    """问建议模型的消息。"""
    return [
        {"role": "system", "content": _INSTRUCTIONS},
        {"role": "user", "content": describe_findings(report)},
    ]


def parse_draft(answer: str) -> Draft | None:
    """回答 -> 草稿；代码块、前后的话不要。不是约定的 JSON，或太多、太长，则为 None。"""
    try:
        return Draft.model_validate(find_object(answer))
    except ValidationError:
        return None


def known_rows(report: LabReport) -> list[ReportRow]:
    """目录认得的行。"""
    return [(item, indicator) for item, indicator in report_rows(report) if indicator]


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
