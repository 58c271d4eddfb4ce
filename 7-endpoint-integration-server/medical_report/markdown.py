"""结果的文字：由各行组成的 Markdown 表格，以及 Markdown -> 清洗过的 HTML。"""

import nh3
import pyromark

from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    DISCLAIMER,
    FLAG_ARROWS,
    FLAG_WORDS,
    TRIAGE_WORDS,
    WHEN_WORDS,
    LabItem,
    LabReport,
    escape_markdown,
)
from health_assistant.lab_report.subjects import verdict

_TAGS = {"h3", "h4", "p", "ul", "ol", "li", "strong", "em", "br", "hr"}
_cleaner = nh3.Cleaner(tags=_TAGS, attributes={})


def to_html(markdown: str) -> str:
    """Markdown -> HTML，只留下白名单里的标签，不留任何属性与链接。"""
    return _cleaner.clean(pyromark.html(markdown))


def describe(report: LabReport) -> str:
    """读到了什么、判断如何，Markdown。"""
    abnormal = sum(item.flag in ABNORMAL_FLAGS for item in report.items)
    unknown = sum(item.flag == "unknown" for item in report.items)
    when = f"（{WHEN_WORDS[report.when]}）" if report.when else ""
    head = f"### {escape_markdown(report.report_type) or '化验单'}：{TRIAGE_WORDS[report.triage]}{when}"
    count = f"共 {len(report.items)} 项，异常 {abnormal} 项，未判断 {unknown} 项。"
    notices = "\n".join(f"- **{escape_markdown(notice)}**" for notice in report.notices)
    rows = "\n".join(_row(item) for item in report.items)
    table = f"| 项目 | 结果 | 单位 | 参考范围 | 判断 |\n|---|---|---|---|---|\n{rows}"
    return "\n\n".join(part for part in (head, notices, count, table, DISCLAIMER) if part)


def _row(item: LabItem) -> str:
    source = "（常见范围）" if item.range_source == "catalogue" else ""
    cells = (item.name, item.result, item.unit, item.applied_range + source, _judgement(item))
    return f"| {' | '.join(map(escape_markdown, cells))} |"


def _judgement(item: LabItem) -> str:
    return verdict(item) if item.flag in ABNORMAL_FLAGS else f"{FLAG_ARROWS[item.flag]} {FLAG_WORDS[item.flag]}".strip()
