"""认字时撕开、粘住的格子：范围的一横、名称与结果、挨着数的箭头，各回到自己的一格。文字框与墨迹是造的。"""

from dataclasses import replace

import numpy as np
import pytest
from lab_report.text_boxes import at_lines, box, headed, page

from health_assistant.lab_report.judgement import MIN_CONFIDENCE
from health_assistant.lab_report.reading.arrows import MAYBE_ARROW
from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.page import Page
from health_assistant.lab_report.reading.reader import _read_row
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.small_marks import settle_values
from health_assistant.lab_report.reading.tables import Columns, _cut_glued_value, find_tables
from health_assistant.lab_report.reading.text import cut_at


def test_the_serial_of_the_next_block_goes_with_its_name():
    whole = box("4.00~10.00 10^9/L14红细胞压积", 450, 100)
    assert [part.text for part in cut_at(whole, 660)] == ["4.00~10.00 10^9/L", "14红细胞压积"]


def test_a_known_name_with_a_number_behind_it_is_cut_at_the_column_of_results():
    glued = Cell("text", box("fPSA/tPSA比值 0.30", 100, 100))
    assert [cell.text for cell in _cut_glued_value(glued, box("结果", 290, 100))] == ["fPSA/tPSA比值", "0.30"]


def test_a_faint_l_in_the_column_of_marks_says_low():
    row = Row(name=None, anchor=box("白细胞", 50, 100))
    row.add_mark(box("l.", 300, 100))
    assert row.mark.text == "L"


def test_the_dash_between_two_halves_of_a_range_is_seen_in_the_pixels():
    for ink in (255, 0):
        gray = np.full((200, 400), 255, np.uint8)
        gray[98:101, 150:160] = ink
        row = Row(name=box("血红蛋白", 10, 100), anchor=box("血红蛋白", 10, 100))
        row.add_limits(box("120", 100, 100))
        row.add_limits(box("160", 180, 100))
        settle_values(row, gray, None)
        assert ([one.text for one in row.limits], row.doubt is None) == (
            (["120", "160"], False) if ink else (["120-160"], True)
        )


@pytest.mark.parametrize(
    ("result", "limits", "mark", "doubted", "is_sure"),
    [
        ("12.4", "0-10", "↑", "result", True),
        ("12.4", "0-10", None, "result", False),  # 表格的竖线
        ("0.11", "0.05-0.5", None, "result", True),
        ("13.1", "7.0-11.0", None, "result", False),  # ↓3.1
        ("12.9", "11.5-14.5", None, "range", True),
        ("0.7", "10.8-4", "↓", "range", False),  # ↓0.8-4
        ("1", "0-3", None, "result", False),
    ],
)
def test_a_1_that_may_be_an_arrow_is_a_digit_if_the_rest_needs_no_arrow(result, limits, mark, doubted, is_sure):
    cells = {"result": box(result, 200, 100), "range": box(limits, 300, 100)}
    cells[doubted] = replace(cells[doubted], score=MAYBE_ARROW)
    row = Row(name=None, anchor=cells["result"], result=cells["result"], limits=[cells["range"]])
    settle_values(row, np.full((200, 400), 255, np.uint8), mark)
    assert (min(row.result.score, row.limits[0].score) >= MIN_CONFIDENCE) == is_sure


def test_a_plus_minus_behind_a_number_may_be_an_arrow_and_is_no_second_result():
    head = {50: "检验项目", 300: "结果", 450: "参考范围", 650: "单位"}
    plain = {50: "钾", 300: "4.1", 450: "3.5-5.3", 650: "mmol/L"}
    rows = find_rows(headed(page(head, plain, {50: "淋巴细胞百分比", 300: "9.1 ± %", 450: "20-50"}, plain)))
    assert (rows[1].result.text, rows[1].doubt, [box.text for box in rows[1].maybe_arrows]) == ("9.1", None, ["±"])


def test_a_second_arrow_makes_the_one_glued_to_the_number_doubtful():
    name, number, glued, own = (
        box(text, start, 100) for text, start in (("比值", 10), ("0.2", 100), ("↓", 134), ("↓", 250))
    )
    pixels = np.full((200, 400, 3), 255, np.uint8)
    for score, is_doubted in ((0.27, True), (0.9, False)):
        row = Row(name=name, anchor=name, result=number, limits=[box("0.26-0.90", 300, 100)])
        for arrow in (replace(glued, score=score), own):
            row.add_mark(arrow)
        page = Page(pixels, np.zeros((0, 4, 2), np.float32), np.eye(3))
        read = _read_row(row, Columns({}), pixels[:, :, 0], [name, number, glued, own], page, None, False, "")
        assert bool(read.doubt) == is_doubted


def test_cards_with_a_labelled_range_are_rows_whatever_their_names():
    card = [{50: "某某化酶"}, {600: "163"}, {50: "参考值:110--215U/mL"}]
    tiers = [{50: "总胆固醇"}, {50: "参考值:适宜<5.20mmol/L 增高", 600: "6.43"}, {50: "5.20-6.20 很高 >6.20"}]
    table = find_tables(page({50: "肌酐"}, {600: "100"}, {50: "参考值:62--115μmol/L"}, *card, *tiers))[0]
    rows = find_rows(table)
    assert [row_text(row)[0::2] for row in rows] == [
        ("肌酐", "100", "62--115"), ("某某化酶", "163", "110--215"), ("总胆固醇", "6.43", "适宜<5.20,增高,5.20-6.20"),
    ]  # fmt: skip
    assert [row.doubt for row in rows] == [None] * 3


def test_a_method_below_a_known_name_is_no_name_of_the_result_beside_it():
    head = {50: "Test Name", 500: "Result", 650: "Reference Interval", 850: "Unit"}
    values = {500: "0.9", 650: "0.2-1.3", 850: "mg/dL"}
    lines = [(0, head), (1, {50: "BILIRUBIN, TOTAL- SERUM"}), (1.5, {50: "Vanadate Oxidation-endpoint:"} | values),
             (3, {50: "UREA"} | values), (3.5, {50: "SERUM", 650: "Males:"})]  # fmt: skip
    rows = find_rows(headed(at_lines(*lines)))
    assert [row_text(row)[::2] for row in rows][:2] == [
        ("BILIRUBIN, TOTAL- SERUM", "0.9", "0.2-1.3"), ("UREA", "0.9", "0.2-1.3"),
    ]  # fmt: skip
    assert len(rows) == 2


def test_the_name_of_an_antibody_keeps_what_it_is_against():
    row = Row(name=box("抗U1RNP", 50, 100), anchor=box("抗U1RNP", 50, 100), result=box("66(+)", 300, 100))
    assert row_text(row)[:2] == ("抗U1RNP", "U1RNP")
