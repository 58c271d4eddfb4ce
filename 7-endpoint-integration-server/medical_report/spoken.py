"""说出来：请求要哪种语言，用它说的报告，由各行组成的 Markdown 表格，Markdown -> 清洗过的 HTML。

判断、日志总是中文；哪里也不存、不缓存某种语言的回答，所以不会串给别人。
"""

import re
from contextlib import AbstractContextManager
from typing import Any

import nh3
import pyromark
from flask import Request

from health_assistant.lab_report.assessment import Assessment
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.language import (
    LANGUAGES,
    Language,
    load_english,
    say,
    say_range,
    speaking,
    translate,
    with_english_name,
)
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    DISCLAIMER,
    FLAG_ARROWS,
    FLAG_WORDS,
    TRIAGE_WORDS,
    WHEN_WORDS,
    escape_markdown,
)
from health_assistant.lab_report.subjects import verdict

_TAGS = {"h3", "h4", "p", "ul", "ol", "li", "strong", "em", "br", "hr"}
_cleaner = nh3.Cleaner(tags=_TAGS, attributes={})


def to_html(markdown: str) -> str:
    """Markdown -> HTML，只留下白名单里的标签，不留任何属性与链接。"""
    return _cleaner.clean(pyromark.html(markdown))


def describe(report: Assessment) -> str:
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


def _row(item: Finding) -> str:
    limits = item.applied_range
    if item.range_source == "catalogue":
        limits = say("{limits}（常见范围）", limits=say_range(limits))
    is_abnormal = item.flag in ABNORMAL_FLAGS
    judged = verdict(item) if is_abnormal else f"{FLAG_ARROWS[item.flag]} {say(FLAG_WORDS[item.flag])}".strip()
    cells = (with_english_name(item.name), item.result, item.unit, limits, judged)
    return f"| {' | '.join(map(escape_markdown, cells))} |"


# ---- 哪种语言 ----


def asked_language(request: Request) -> Language:
    """Accept-Language 里最想要的、这里会说的一种（en-GB 算 en）；没有写、看不懂、都不会说的是中文。"""
    for tag, quality in request.accept_languages:  # 最想要的在先
        primary = tag.lower().split("-")[0]
        for language in LANGUAGES:
            if language == primary and quality > 0:
                return language
    return "zh"


def speaking_about(report: Assessment, language: Language) -> AbstractContextManager[None]:
    """里面说的话用这种语言；说英文时，单子上印的中文名称旁边写目录里的英文名。"""
    names: dict[str, str] = {}
    if language == "en":
        english = load_english().names
        for row in report.items:
            printed = row.name or row.code
            if row.analyte and row.analyte.code in english and re.search("[一-鿿]", printed):
                names[printed] = english[row.analyte.code]
    return speaking(language, names)


def report_json(report: Assessment, language: Language) -> dict[str, Any]:
    """报告的 JSON，程序自己的话用这种语言；印着的字照旧。"""
    content = report.model_dump(mode="json")
    if language == "zh":
        return content
    names = load_english().names
    with speaking_about(report, language):
        for field in ("notices", "doubts"):
            content[field] = [translate(words) for words in content[field]]
        for row in content["items"]:
            for field in ("note", "doubt", "other_reading"):
                row[field] = row[field] and translate(row[field])
            if row["range_source"] == "catalogue":
                row["applied_range"] = say_range(row["applied_range"])
            tracked = row["tracked"]
            if tracked:
                tracked["name"] = names.get(tracked["analyte"], tracked["name"])
    return content
