"""一行印着什么，判断成什么：rows.yaml 里的一条条，写法见它的开头。"""

import re
from pathlib import Path

import pytest

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.report import PrintedRow, ReadReport, ReadRow

TABLE = load_yaml(Path(__file__).with_name("rows.yaml"))
CASES = [
    pytest.param(case, id=f"{group}-{at}") for group, cases in TABLE.items() for at, case in enumerate(cases, start=1)
]


def row(text: str) -> PrintedRow:
    """`名称[代号] | 结果 | 单位 | 参考范围 | 标记` -> 一行；后面没有写的空着。"""
    label, result, unit, limits, mark = (text.split(" | ") + [""] * 4)[:5]
    name, code = re.fullmatch(r"(.*?)(?:\[([^\]]+)\])?", label).groups()
    fields = {"result": result.strip(), "unit": unit.strip(), "reference_range": limits.strip()}
    return PrintedRow(name=name, code=code or "", mark=mark or None, **fields)


def judge(case: dict) -> Assessment:
    rows = [row(text) for text in case.get("rows") or [case["row"]]]
    evidence = {
        "confidence": case.get("confidence", 0.99),
        "doubt": case.get("doubt"),
        "copied": case.get("copied", False),
    }
    items = [ReadRow.of(printed, **evidence) for printed in rows]
    printed = {"report_type": case.get("title", ""), "sex": case.get("sex"), "age": case.get("age")}
    return assess(ReadReport(items=items, **printed))


def outcome(report: Assessment, finding: Finding) -> dict:
    """期望里能写的各项，判断成了什么。"""
    return {
        "flag": finding.flag, "severity": finding.severity, "critical": finding.critical,
        "source": finding.range_source, "applied": finding.applied_range,
        "code": finding.analyte and finding.analyte.code, "alarm": bool(finding.alarm),
        "triage": report.triage, "when": report.when,
    }  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_row_is_judged_so(case):
    report = judge(case)
    finding = next(one for one in report.items if one.name == case.get("of", one.name))
    for what, found in outcome(report, finding).items():
        if what in case:
            wanted = case[what] if isinstance(case[what], list) else [case[what]]
            assert found in wanted, (what, finding.note, report.notices)
    if "tracked" in case:
        found = finding.tracked
        assert case["tracked"] == ([found.analyte, found.unit, found.value, found.low, found.high] if found else [])
    assert "flags" not in case or [one.flag for one in report.items] == case["flags"]
    said = "\n".join(report.notices)
    assert case.get("note", "") in (finding.note or "")
    assert said.startswith(case.get("first", ""))
    assert case.get("says", "") in said
    assert "silent" not in case or case["silent"] not in said


def test_how_much_varies_anyway_comes_with_the_row():
    """Fraser 2001：2.77 × √(CVi² + (CVi/2)²)；钾的 CVi 是 4.1%；地高辛没有这样的数。"""
    changes = [
        judge({"row": text}).items[0].tracked.change_percent for text in ("钾 | 4.2 | mmol/L", "地高辛 | 1.1 | ng/mL")
    ]
    assert changes == [12.7, None]
