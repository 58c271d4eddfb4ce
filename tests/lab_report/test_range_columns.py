"""参考范围不止一列的表：下限与上限、几群人、几档、另有警戒的一列。哪一列是这个人的参考范围说不准的，不用。"""

from dataclasses import replace
from pathlib import Path

import pytest
from lab_report.text_boxes import headed, page

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.interval import compare
from health_assistant.lab_report.reading.row import row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reference_range import parse_range, parse_result

CASES = load_yaml(Path(__file__).with_name("cells.yaml"))
AT = (50, 300, 420, 560, 720, 880)


def read(*lines: str) -> list[tuple[str, str, str | None]]:
    """每一行是竖线隔开的各格；各项的结果、范围与起疑的原因。"""
    table = headed(page(*(dict(zip(AT, line.split(" | "), strict=False)) for line in lines)))
    return [(row_text(row)[2], row_text(row)[4], row.doubt) for row in find_rows(table)]


@pytest.mark.parametrize("case", CASES["哪一列是范围"])
def test_the_column_that_is_the_range(case):
    printed, found = case.split(" -> ")
    head, line = printed.split("; ")
    assert read(head, *[line] * 3) == [(*found.split(" | "), None)] * 3


def test_a_faint_result_right_of_the_range_is_no_number_of_a_graph():
    head, line = {50: "Drug", 300: "Therapeutic range", 700: "Result"}, {50: "Digoxin", 300: "0.8-2.0", 700: "3.6"}
    lines = [[replace(box, score=0.5) if box.text == "3.6" else box for box in boxes] for boxes in page(head, line)]
    (row,) = find_rows(headed(lines))
    assert row.result and row.result.text == "3.6"


@pytest.mark.parametrize(("age", "flag"), [(40, "high"), (60, "high"), (79, "normal")])
def test_bands_of_age_in_english(age, flag):
    limits = parse_range("<50y: <450; 50-75y: <900; >75y: <1800")
    assert limits and compare(parse_result("1500"), limits, "男", age) == flag


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("Test | Result | Units | Zone A | Zone B", "Potassium | 5.9 | mmol/L | 2.8 | 6.2"),
        ("Test | Result | Units | Zone A | Zone B", "Potassium | 5.9 | mmol/L | 2.8-6.2 | 3.5-5.3"),
        ("Test | Result | Units | Low | Normal | High", "Potassium | 5.9 | mmol/L | <3.5 | 3.5-5.3 | >5.3"),
    ],
)
def test_numbers_in_columns_nobody_knows_raise_a_doubt(head, line):
    for _, limits, doubt in read(head, *[line] * 3):
        assert doubt or parse_range(limits) is None and limits
