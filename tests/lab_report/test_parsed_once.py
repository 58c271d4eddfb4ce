"""一行从纸到建议：一格只解析一次，一行在目录里只查一次。数的是真的调用，没有缓存挡在前面。"""

import sys
from collections import Counter
from pathlib import Path

import pytest
from outcome_sheets import compose_advice
from PIL import Image

from health_assistant.lab_report import matching, reading, reference_range
from health_assistant.lab_report.advice import choices
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.reading import cells
from health_assistant.lab_report.report import PrintedRow, Reading, ReadReport, ReadRow
from health_assistant.lab_report.severity import load_severity
from health_assistant.lab_report.stated_specimen import with_stated_specimens

SHEET = Path(__file__).parents[2] / "8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png"
COUNTED = {
    "parse_range": reference_range, "parse_result": reference_range, "kind_of": cells, "find_analyte": matching,
}  # fmt: skip


@pytest.fixture
def calls(monkeypatch) -> dict[str, Counter]:
    """函数名 -> 各个第一参数（一格的文字）各调用了几次。"""
    load_severity()  # 表里的词读表时解析，不算
    counts: dict[str, Counter] = {name: Counter() for name in COUNTED}
    for name, home in COUNTED.items():
        original = getattr(home, name)
        assert not hasattr(original, "cache_info"), f"{name} 前面有缓存"

        def counted(*args, name=name, original=original, **options):
            counts[name][args[0]] += 1
            return original(*args, **options)

        ours = [module for path, module in list(sys.modules.items()) if path.startswith("health_assistant.")]
        for module in [module for module in ours if getattr(module, name, None) is original]:
            monkeypatch.setattr(module, name, counted)
    return counts


def test_a_cell_is_parsed_once_and_a_row_looked_up_once(calls, reader, monkeypatch):
    printed: list[str] = []
    group_lines = reading.arrangement.group_lines

    def grouped(boxes):
        printed.extend(box.text for box in boxes)
        return group_lines(boxes)

    monkeypatch.setattr(reading.arrangement, "group_lines", grouped)
    read = reader.read(Image.open(SHEET))
    assert len(read.items) == 22
    for name in ("parse_range", "parse_result", "kind_of"):
        often = (calls[name] - Counter(printed)).most_common(5)
        assert calls[name].total() <= 1.1 * len(printed), f"{name} 每格不止一次，分开试的只是少数：{often}"
    assert not calls["find_analyte"], "读的时候不用知道是目录里的哪一项"

    for counter in calls.values():
        counter.clear()
    report = assess(read)
    compose_advice(report, list(choices(report))[:1])
    assert {name: counter.total() for name, counter in calls.items()} == {
        "parse_range": 22, "parse_result": 22, "kind_of": 0, "find_analyte": 22,
    }  # fmt: skip


def test_a_page_that_does_not_say_its_specimen_is_parsed_once_too(calls):
    """报告名没有说标本的一页，各行先照没有说的看，再投票是不是尿的：只多一次“若是尿的”。"""
    rows = [
        PrintedRow(name="葡萄糖", result="5.1", unit="mmol/L", reference_range="3.9-6.1"),
        PrintedRow(name="钾", result="4.2", unit="mmol/L", reference_range="3.5-5.3"),
    ]
    assert assess(ReadReport(report_type="检验报告单", items=rows)).triage == "none"
    assert {name: counter.total() for name, counter in calls.items()} == {
        "parse_range": 2, "parse_result": 2, "kind_of": 0, "find_analyte": 4,
    }  # fmt: skip


class Names(str):
    """记下被看过几次的名称。"""

    seen = 0

    def strip(self, characters=None):
        Names.seen += 1
        return super().strip(characters)


def test_the_rows_of_a_page_are_searched_for_its_specimen_once(monkeypatch):
    monkeypatch.setattr(Names, "seen", 0)
    report = Reading(items=[ReadRow(name="项目", result="4", page=1 + at % 4) for at in range(200)])
    for row in report.items:
        row.name = Names(row.name)
    with_stated_specimens(report)
    assert Names.seen == 200


def test_rows_are_told_apart_without_comparing_their_fields(monkeypatch):
    def compared(one, other):
        raise AssertionError("逐字段比了")

    now = ReadRow(name="钾", code="K", result="4.2", unit="mmol/L", reference_range="3.5-5.3")
    rows = [now, now.model_copy(update={"name": "钾(上次)"}), now.model_copy(update={"code": "Na", "doubt": "不清"})]
    monkeypatch.setattr(Finding, "__eq__", compared)
    report = assess(ReadReport(items=rows))
    assert [finding.flag for finding in report.items] == ["normal", "unknown", "unknown"]
