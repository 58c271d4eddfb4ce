"""一张张化验单，与一位细心的医生会怎么说：分级、轻重、必须说与不能说的话。

由没有看过规则的人写（tests/lab_report/outcomes/*.jsonl）；格式：title、sex、age、rows，与 triage（可接受的几个）、
when、flags、severity、must_say（每组至少说一个）、must_not_say、why。
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from health_assistant.lab_report.advice import advice_sections
from health_assistant.lab_report.assessment import Assessment
from health_assistant.lab_report.report import TRIAGE_WORDS, PrintedRow, ReadReport

FOLDER = Path(__file__).parent / "lab_report" / "outcomes"
SAME_IN_ALL = re.compile("就诊时告诉医生：最近的不适、正在用的药、以前的病和检查结果。(女性还有是否怀孕。)?")
"""每份要看医生的建议都有的一句，不算说到了什么。"""

TIERS = tuple(TRIAGE_WORDS)
"""由缓到急。"""


def compose_advice(report: Assessment, chosen: Sequence[str] = ()) -> str:
    """整份建议，Markdown。"""
    return "\n\n".join(advice_sections(report, chosen))


def load_sheets() -> list[dict]:
    return [
        json.loads(line) for file in sorted(FOLDER.glob("*.jsonl")) for line in file.read_text("utf-8").splitlines()
    ]


def read_sheet(sheet: dict) -> ReadReport:
    items = [
        PrintedRow(
            name=row["name"], code=row.get("code") or "", result=row["result"], unit=row.get("unit") or "",
            reference_range=row.get("range") or "", mark=row.get("mark") or None,
        )
        for row in sheet["rows"]
    ]  # fmt: skip
    return ReadReport(report_type=sheet["title"], sex=sheet.get("sex"), age=sheet.get("age"), items=items)


def said_about(report: Assessment) -> str:
    """提示与建议的全文，去掉 Markdown 的符号。"""
    text = "\n".join(report.notices) + "\n" + compose_advice(report)
    return SAME_IN_ALL.sub("", re.sub(r"[*_#\\]", "", text))


def many(value) -> list[str]:
    return value if isinstance(value, list) else [value]


def problems(sheet: dict, report: Assessment) -> list[tuple[str, str]]:
    """report 不合 sheet 的地方，(种类, 说明)：under、over、when、flag、severity、missing、said。"""
    text, found = said_about(report), []
    wanted = many(sheet["triage"])
    if report.triage not in wanted:
        is_under = TIERS.index(report.triage) < min(map(TIERS.index, wanted))
        found.append(("under" if is_under else "over", f"{report.triage}，应为 {'/'.join(wanted)}"))
    elif "when" in sheet and report.when and report.when not in many(sheet["when"]):
        found.append(("when", f"{report.when}，应为 {'/'.join(many(sheet['when']))}"))
    items = {}
    for row, item in zip(sheet["rows"], report.items, strict=True):
        items.setdefault(row.get("code") or row["name"], item)
    for code, flags in sheet.get("flags", {}).items():
        if code in items and items[code].flag not in many(flags):
            found.append(("flag", f"{code} {items[code].flag}（{items[code].note}），应为 {flags}"))
    for code, severities in sheet.get("severity", {}).items():
        if code in items and items[code].severity not in many(severities):
            found.append(("severity", f"{code} {items[code].severity}，应为 {severities}"))
    found += [
        ("missing", "/".join(many(group)))
        for group in sheet.get("must_say", [])
        if not any(one in text for one in many(group))
    ]
    found += [("said", words) for words in sheet.get("must_not_say", []) if words in text]
    return found
