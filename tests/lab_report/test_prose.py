"""英文单子的说明、签名落在表的各列里：不是项目。文字框是造的。"""

from dataclasses import replace
from pathlib import Path

import pytest
from lab_report.text_boxes import headed, page

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.reading.page_head import is_lab_report
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables

LINES = load_yaml(Path(__file__).with_name("prose.yaml"))
HEAD = {50: "Test Name", 400: "Results", 800: "Units", 1000: "Bio. Ref. Interval"}
SODIUM = {50: "Sodium", 400: "140.00", 800: "mEq/L", 1000: "136.00 - 145.00"}
CHLORIDE = {50: "Chloride", 400: "101.00", 800: "mEq/L", 1000: "98.00 - 107.00"}


def names(*lines: dict[float, str]) -> list[str]:
    printed = [[replace(box, is_printed=True) for box in line] for line in page(HEAD, SODIUM, *lines)]
    return [row.name.text for row in find_rows(headed(printed))]


@pytest.mark.parametrize("line", LINES["不是项目"])
@pytest.mark.parametrize("last", [[], [CHLORIDE]])
def test_notes_and_signatures_in_the_columns_of_a_table_are_no_items(line, last):
    assert names(line, *last) == ["Sodium", *(["Chloride"] if last else [])]


@pytest.mark.parametrize("line", LINES["是项目"])
def test_worded_results_and_numbers_in_a_table_of_bars_stay_items(line):
    assert names(line, CHLORIDE) == ["Sodium", line[50], "Chloride"]


def test_the_heading_of_the_test_below_it_is_no_item():
    below = {50: "Glucose Fasting", 400: "90.00", 800: "mg/dL", 1000: "70 - 100"}
    assert names({50: "GLUCOSE, FASTING (F), PLASMA"}, {50: "(GOD POD)"}, below) == ["Sodium", "Glucose Fasting"]


def test_a_table_of_what_high_and_low_may_mean_is_no_result():
    causes = [
        {184: "High", 559: "Low"},
        {40: "MCV", 184: "Macrocytic anemia, liver disease", 559: "Microcytic anemia"},
        {40: "WBC", 184: "Acute stress, infection", 559: "Sepsis, marrow hypoplasia"},
        {40: "Platelets", 184: "Risk of thrombosis", 559: "Risk of bleeding"},
        {40: "DMLT, Lab Incharge", 456: "Page 1 of", 575: "2", 805: "Pathologist"},
    ]
    tables = find_tables(page(HEAD, SODIUM, CHLORIDE, *causes))
    assert [row.name.text for table in tables for row in find_rows(table)] == ["Sodium", "Chloride"]


def test_an_address_with_a_postcode_is_no_item():
    address = [{1000: "8, West Avenue Road, Punjabi Bagh, Delhi -"}, {1000: "110026"}]
    tables = find_tables(page(*address, HEAD, SODIUM, CHLORIDE))
    assert [row.name.text for table in tables for row in find_rows(table)] == ["Sodium", "Chloride"]


@pytest.mark.parametrize(
    ("said", "is_report"), [("NO SAMPLE", True), ("Sample Not Received", True), ("see below", False)]
)
def test_tests_without_a_sample_do_not_outnumber_the_results(said, is_report):
    lines = page(
        {50: "TEST", 400: "OBSERVED VALUE", 800: "REFERENCE RANGE"},
        {50: "FASTING BLOOD SUGAR", 400: "73", 800: "70 - 110 mg/dl"},
        *[{50: name, 400: said} for name in ("Urine Sugar", "Urine Ketone", "Urine Sugar", "Urine Ketone")],
        {50: "BLOOD SUGAR P P", 400: "92", 800: "80 - 140 mg/dl"},
    )
    assert is_lab_report(lines, [row for table in find_tables(lines) for row in find_rows(table)]) is is_report
