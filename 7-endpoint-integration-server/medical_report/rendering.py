"""结果的文字：由各行组成的 Markdown 表格，由草稿组成的建议，以及 Markdown -> 清洗过的 HTML。"""

from collections.abc import Iterator

import nh3
from cmarkgfm import markdown_to_html_with_extensions

from health_assistant.lab_report.advice import (
    opening_sections,
    range_text,
    report_rows,
    section,
    unjudged_sections,
    value_text,
    warning_signs,
)
from health_assistant.lab_report.patterns import ReportRow, find_patterns
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    DISCLAIMER,
    FLAG_ARROWS,
    FLAG_WORDS,
    TRIAGE_WORDS,
    LabItem,
    LabReport,
    escape_markdown,
)
from medical_report.advice_request import Draft

_TAGS = {"h3", "h4", "p", "ul", "ol", "li", "strong", "em", "table", "thead", "tbody", "tr", "th", "td", "br", "hr"}
_cleaner = nh3.Cleaner(tags=_TAGS, attributes={})


def to_html(markdown: str) -> str:
    """Markdown -> HTML，只留下白名单里的标签，不留任何属性与链接。"""
    return _cleaner.clean(markdown_to_html_with_extensions(markdown, extensions=["table"]))


def describe(report: LabReport) -> str:
    """读到了什么、判断如何，Markdown。"""
    abnormal = sum(item.flag in ABNORMAL_FLAGS for item in report.items)
    unknown = sum(item.flag == "unknown" for item in report.items)
    head = f"### {escape_markdown(report.report_type) or '化验单'}：{TRIAGE_WORDS[report.triage]}"
    count = f"共 {len(report.items)} 项，异常 {abnormal} 项，未判断 {unknown} 项。"
    notices = "\n".join(f"- **{escape_markdown(notice)}**" for notice in report.notices)
    rows = "\n".join(_row(item) for item in report.items)
    table = f"| 项目 | 结果 | 单位 | 参考范围 | 判断 |\n|---|---|---|---|---|\n{rows}"
    return "\n\n".join(part for part in (head, notices, count, table, DISCLAIMER) if part)


def advice_from_draft(draft: Draft, report: LabReport) -> Iterator[str]:
    """通过了检查的草稿 -> 建议，一段一段的 Markdown。

    危急值、分级、每一项的结果与高低、没有判断的项目由代码写；草稿只给每一项的说明、接下来怎么做，和多添几条就医的情况。
    """
    rows = report_rows(report)
    matches = find_patterns(report, rows)
    abnormal = [row for row in rows if row[0].flag in ABNORMAL_FLAGS]
    meanings = {item.name: escape_markdown(item.meaning) for item in draft.items}
    yield from opening_sections(report, matches)
    if abnormal:
        yield section("异常的项目", (_explained(row, meanings) for row in abnormal))
    yield section("接下来怎么做", map(escape_markdown, draft.next_steps))
    yield from unjudged_sections(rows)
    if signs := warning_signs(report, matches, abnormal) + [escape_markdown(sign) for sign in draft.warning_signs]:
        yield section("什么时候要马上就医", signs)


def _explained(row: ReportRow, meanings: dict[str, str]) -> str:
    """一个异常项目；草稿没有说明的，用目录的。"""
    item, indicator = row
    meaning = "请问开单的医生。"
    if indicator:
        meaning = meanings.get(indicator.name) or indicator.meanings.get(indicator.direction(item.flag), meaning)
    return f"**{value_text(item)}（参考 {range_text(item)}）{_verdict(item)}**：{meaning}"


def _verdict(item: LabItem) -> str:
    return f"{FLAG_ARROWS[item.flag]} {FLAG_WORDS[item.flag]}".strip() + ("（危急值）" if item.critical else "")


def _row(item: LabItem) -> str:
    source = "（常见范围）" if item.range_source == "catalogue" else ""
    cells = (item.name, item.result, item.unit, item.applied_range + source, _verdict(item))
    return f"| {' | '.join(map(escape_markdown, cells))} |"
