"""请建议模型从目录里写好的话中挑几句放在最前：它只答编号，一个字也不由它写，所以说不错、也说不坏。

只给它代码判断的结论，从不给单子上的原文：单子上可能印着对模型说的话。名称、单位用目录里的写法，结果与范围只在看得懂时给，
并由解析后的数重新写出；目录里没有的项目只报个数。
"""

from pydantic import BaseModel, Field, ValidationError

from health_assistant.lab_report.assessment import Assessment
from health_assistant.lab_report.interval import PartitionedInterval, ReferenceRange
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.report import ABNORMAL_FLAGS, FLAG_WORDS, SEVERITY_WORDS, TRIAGE_WORDS
from health_assistant.lab_report.units import fold_unit
from health_assistant.lab_report.vl_protocol import find_object

MAX_CHOSEN = 5
"""最多挑几句：再多，手机上一屏放不下。"""


class Choice(BaseModel):
    """建议模型的回答：挑了哪几句，按先后。"""

    chosen: list[str] = Field(max_length=MAX_CHOSEN)


_KNOWN_WORDS = {"阴性", "弱阳性", "阳性", "正常", "透明"}

_INSTRUCTIONS = f"""你是一位谨慎的全科医生，给没有医学背景的人解释化验单。高低、轻重与分级已经由程序判断并写好。
下面给你程序的结论，和已经写好的话，每句前面是编号。请挑出对这个人最有用的一到 {MAX_CHOSEN} 句，最要紧的在先。
只输出一个 JSON 对象，只写编号，不写别的字：{{"chosen": ["编号", "编号"]}}"""


def advice_messages(report: Assessment, offered: dict[str, str]) -> list[dict]:
    """问建议模型的消息；offered 是 `choices` 给的编号与话。"""
    sentences = "\n".join(f"{choice}：{text}" for choice, text in offered.items())
    return [
        {"role": "system", "content": _INSTRUCTIONS},
        {"role": "user", "content": f"{describe_findings(report)}\n\n可以挑的话：\n{sentences}"},
    ]


def choice_format(offered: dict[str, str], least: int = 1) -> dict:
    """`response_format`：编号只能是给出的那些，至少挑 least 句。"""
    schema = Choice.model_json_schema()
    schema["properties"]["chosen"] |= {"items": {"type": "string", "enum": list(offered)}, "minItems": least}
    return {"type": "json_schema", "json_schema": {"name": "advice_choice", "schema": schema}}


def parse_choice(answer: str, offered: dict[str, str], least: int = 1) -> list[str] | None:
    """回答 -> 挑的编号；代码块、前后的话、多出的字段不要。

    不是约定的 JSON、不到 least 句、太多、有不认识的编号，则为 None。
    """
    try:
        chosen = Choice.model_validate(find_object(answer)).chosen
    except ValidationError:
        return None
    return chosen if len(chosen) >= least and set(chosen) <= offered.keys() else None


def describe_findings(report: Assessment) -> str:
    """代码判断的结论，一行一项。"""
    known = [finding for finding in report.items if finding.analyte]
    lines = [f"分级：{TRIAGE_WORDS[report.triage]}", *_describe_person(report), "异常的项目："]
    lines += [describe_row(finding) for finding in known if finding.flag in ABNORMAL_FLAGS] or ["没有"]
    for title, flag in (("没有判断的项目", "unknown"), ("正常的项目", "normal")):
        names = "、".join(finding.analyte.name for finding in known if finding.flag == flag)
        lines.append(f"{title}：{names or '没有'}")
    others = len(report.items) - len(known)
    if others:
        lines.append(f"另有 {others} 项不认识，不要提。")
    patterns = [match.pattern for match in report.matches]
    lines += [f"一起看：{pattern.title}，常见于{pattern.common}。{pattern.action}" for pattern in patterns]
    return "\n".join(lines)


def describe_row(finding: Finding) -> str:
    """一个异常项目：目录里的名称、判断、由解析后的数写出的结果与范围。"""
    analyte = finding.analyte
    printed = fold_unit(finding.unit)
    unit = next((unit for unit in analyte.spelled_units if unit and fold_unit(unit) == printed), "")
    result, interval = _plain(finding.value), _plain(finding.interval)
    severity = f"，{SEVERITY_WORDS[finding.severity]}" if finding.severity else ""
    parts = [
        f"- {analyte.name}：{FLAG_WORDS[finding.flag]}{severity}",
        f"结果 {result.removeprefix('=')} {unit}".strip() if result else "",
        f"参考 {interval}" if interval else "",
    ]
    return "，".join(part for part in parts if part)


def _plain(parsed: ReferenceRange | None) -> str:
    """数与范围照写；定性词只写认得的，别的可能是单子上的任何话。"""
    if isinstance(parsed, PartitionedInterval):
        return "" if any(isinstance(interval, QualitativeResult) for _, interval in parsed.groups) else str(parsed)
    if isinstance(parsed, QualitativeResult) and not set(parsed.words) <= _KNOWN_WORDS:
        return ""
    return str(parsed) if parsed else ""


def _describe_person(report: Assessment) -> list[str]:
    person = report.person
    years = person.age_years
    age = f"{years:.0f} 岁" if years is not None and years >= 1 else ""
    parts = [report.sex or "", age, "孕妇" if person.pregnant else ""]
    return [f"本人：{'，'.join(part for part in parts if part)}"] if any(parts) else []
