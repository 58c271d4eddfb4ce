"""这个请求要哪种语言，和用它说出来的报告。判断、日志总是中文；哪里也不存、不缓存某种语言的回答，所以不会串给别人。"""

import re
from contextlib import AbstractContextManager
from typing import Any

from flask import Request

from health_assistant.lab_report.assessment import Assessment
from health_assistant.lab_report.language import LANGUAGES, Language, load_english, say_range, speaking, translate


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
            if tracked := row["tracked"]:
                tracked["name"] = names.get(tracked["analyte"], tracked["name"])
    return content
