"""结果的文字：由各行组成的 Markdown 表格，以及 Markdown -> 清洗过的 HTML。"""

import nh3
import pyromark

from health_assistant.lab_report.language import say, say_range, translate, with_english_name
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
    triage = say(TRIAGE_WORDS[report.triage])
    tier = say("{triage}（{when}）", triage=triage, when=say(WHEN_WORDS[report.when])) if report.when else triage
    title = escape_markdown(report.report_type) or say("化验单")
    head = f"### {say('{item}：{words}', item=title, words=tier)}"
    count = say(
        "共 {count} 项，异常 {abnormal} 项，未判断 {unknown} 项。",
        count=len(report.items), abnormal=abnormal, unknown=unknown,
    )  # fmt: skip
    notices = "\n".join(f"- **{escape_markdown(translate(notice))}**" for notice in report.notices)
    rows = "\n".join(_row(item) for item in report.items)
    columns = " | ".join(map(say, ("项目", "结果", "单位", "参考范围", "判断")))
    table = f"| {columns} |\n|---|---|---|---|---|\n{rows}"
    return "\n\n".join(part for part in (head, notices, count, table, say(DISCLAIMER)) if part)


def _row(item: LabItem) -> str:
    limits = item.applied_range
    if item.range_source == "catalogue":
        limits = say("{limits}（常见范围）", limits=say_range(limits))
    cells = (with_english_name(item.name), item.result, item.unit, limits, _judgement(item))
    return f"| {' | '.join(map(escape_markdown, cells))} |"


def _judgement(item: LabItem) -> str:
    return (
        verdict(item)
        if item.flag in ABNORMAL_FLAGS
        else f"{FLAG_ARROWS[item.flag]} {say(FLAG_WORDS[item.flag])}".strip()
    )
