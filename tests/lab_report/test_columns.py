"""有表头的表，格子归到哪一列、哪一行：折行的、粘住的、没有印全的。文字框是造的，不经文字识别。"""

from pathlib import Path

import pytest
from lab_report.text_boxes import headed, page, placed

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.reading.misreadings import repair_signs
from health_assistant.lab_report.reading.row import repair_number, row_text
from health_assistant.lab_report.reading.rows import count_unread, find_rows
from health_assistant.lab_report.reading.tables import find_tables

CASES = load_yaml(Path(__file__).with_name("cells.yaml"))
HEAD = {50: "检验项目", 300: "结果", 450: "参考范围", 650: "单位"}
PLAIN = {50: "钾", 300: "4.1", 450: "3.5-5.3", 650: "mmol/L"}


def read_one(*lines: dict[float, str]) -> list[tuple[str, ...]]:
    table = headed(page(*lines))
    return [(*row_text(row)[:1], *row_text(row)[2:]) for row in find_rows(table)]


@pytest.mark.parametrize("last", [[], [PLAIN]])
@pytest.mark.parametrize(
    "finding", [("外周血涂片", "可见原始细胞30%，建议骨穿"), ("形态描述", "可见原始细胞30%"), ("微丝蚴", "找到")]
)
def test_a_finding_with_advice_behind_it_is_a_row(finding, last):
    rows = read_one(HEAD, PLAIN, {50: finding[0], 300: finding[1]}, *last)
    assert rows[1][:2] == finding


def test_a_range_whose_end_is_left_out_stays_as_printed():
    """`0-40` 印成 `0-4...`：省去的是数，不能当 0-4。"""
    assert read_one(HEAD, PLAIN | {450: "0-4..."})[0][3] == "0-4..."


@pytest.mark.parametrize("case", CASES["表里的一行"])
def test_cells_that_run_together(case):
    line, row = case.split(" -> ")
    assert read_one(HEAD, PLAIN, placed(line), PLAIN)[1] == tuple(row.split(" | "))


def test_full_width_signs_and_all_dashes_are_read_as_plain_ones():
    assert repair_signs("（3．5—9．5）％") == "(3.5-9.5)%" and repair_signs("3.62×10⁵") == "3.62×10^5"
    assert repair_signs("91.20 f1") == "91.20 fl"


def test_an_id_the_bar_of_a_phone_and_the_oxygen_given_are_no_items():
    others = [{50: name, 250: "78", 450: "%"} for name in ("FIO2", "5G", "WLAN", "■II")]
    lines = [
        {50: "ID 20077", 250: "体温 37.0"},
        *others,
        {50: "pH", 250: "7.183"},
        {50: "sO2(c)", 250: "77.8", 450: "%"},
    ]
    rows = [row for table in find_tables(page(*lines)) for row in find_rows(table)]
    assert [row_text(row)[0] for row in rows] == ["pH", "sO2(c)"]


@pytest.mark.parametrize("footer", CASES["表尾不是行"])
def test_footers_are_not_rows(footer):
    assert [row[0] for row in read_one(HEAD, PLAIN, PLAIN, placed(footer))] == ["钾", "钾"]


def test_a_line_in_the_table_that_was_not_read_is_counted():
    table = headed(page(HEAD, PLAIN, {300: "5.1"}, PLAIN))
    rows = find_rows(table)
    assert len(rows) == 2
    assert count_unread(table, rows) == 1
    table = headed(page(HEAD, PLAIN, {50: "肝功能"}, PLAIN, {50: "检验者：李四", 300: "88"}))
    assert count_unread(table, find_rows(table)) == 0


@pytest.mark.parametrize(
    ("result", "limits", "expected"),
    [
        *(
            ("OH", "<1", "0H"),
            ("O.5", "0.2-0.8", "0.5"),
            ("1O", "3.5-9.5", "10"),
            ("O↓", "0.4-8", "0↓"),
            ("O", "", "O"),
            ("O", "A/B/O/AB", "O"),
        ),
        *(("2:11", "3.50-5.50", "2.11"), ("1:80", "3.5-5.5", "1:80"), ("2:11", "阴性", "2:11")),
    ],
)
def test_the_letter_o_is_a_zero_and_a_colon_a_point_only_beside_a_numeric_range(result, limits, expected):
    assert repair_number(result, limits) == expected
