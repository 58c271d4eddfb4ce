"""认字时撕开、粘住的格子：范围的一横、名称与结果、挨着数的箭头，各回到自己的一格。文字框与墨迹是造的。"""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from lab_report.text_boxes import at_lines, box, headed, page, spread

from health_assistant.lab_report.reading import cells
from health_assistant.lab_report.reading.arrows import MAYBE_ARROW
from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.read_row import Surroundings, read_row
from health_assistant.lab_report.reading.recognition import _without_stacks
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import count_unread, find_rows
from health_assistant.lab_report.reading.small_marks import settle_values
from health_assistant.lab_report.reading.tables import Columns, _cut_glued_value, find_tables
from health_assistant.lab_report.reading.text import cut_at
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.report import MIN_CONFIDENCE


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


@pytest.mark.parametrize(
    ("printed", "name"),
    [
        ("17 酮体", "酮体"),
        ("10类酵母细胞数量", "类酵母细胞数量"),
        ("25-羟基维生素D", "25-羟基维生素D"),
        ("C反应蛋白", "C反应蛋白"),
    ],
)
def test_a_serial_glued_to_a_name_that_has_its_own_code_is_no_part_of_it(printed, name):
    row = Row(name=box(printed, 50, 100), anchor=box(printed, 50, 100), code=box("KET", 300, 100))
    assert row_text(row)[:2] == (name, "KET")


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
    ("result", "limits", "mark", "doubted", "way", "is_sure"),
    [
        ("12.4", "0-10", "↑", "result", ("↑", False), True),
        ("12.4", "0-10", None, "result", ("↑", False), False),  # 表格的竖线
        ("0.11", "0.05-0.5", None, "result", ("↑", True), True),
        ("13.1", "7.0-11.0", None, "result", ("↓", False), False),  # ↓3.1
        ("13.1", "7.0-11.0", None, "result", ("↑", False), False),
        ("13.1", "7.0-11.0", "↑", "result", ("↑", False), True),  # ↑3.1 谁也不会印
        ("139", "110-150", None, "result", ("↑", False), True),
        ("139", "110-150", None, "result", ("↓", False), False),  # ↓39
        ("139", "110-150", "?", "result", ("↑", False), False),  # 别的行没有标记：|39
        ("1301", "110-150", None, "result", ("↑", True), False),
        ("12.9", "11.5-14.5", None, "range", ("↑", False), True),
        ("0.7", "10.8-4", "↓", "range", ("↓", False), False),  # ↓0.8-4
        ("1", "0-3", None, "result", ("↑", False), False),
    ],
)
def test_a_1_that_may_be_an_arrow_is_a_digit_if_the_rest_needs_no_arrow(result, limits, mark, doubted, way, is_sure):
    cells = {"result": box(result, 200, 100), "range": box(limits, 300, 100)}
    cells[doubted] = replace(cells[doubted], score=MAYBE_ARROW[way])
    row = Row(name=None, anchor=cells["result"], result=cells["result"], limits=[cells["range"]])
    settle_values(row, np.full((200, 400), 255, np.uint8), mark, has_marks=mark != "?")
    assert (min(row.result.score, row.limits[0].score) >= MIN_CONFIDENCE) == is_sure


def test_a_plus_minus_behind_a_number_may_be_an_arrow_and_is_no_second_result():
    head = {50: "检验项目", 300: "结果", 450: "参考范围", 650: "单位"}
    plain = {50: "钾", 300: "4.1", 450: "3.5-5.3", 650: "mmol/L"}
    rows = find_rows(headed(page(head, plain, {50: "淋巴细胞百分比", 300: "9.1 ± %", 450: "20-50"}, plain)))
    assert (rows[1].result.text, rows[1].doubt, [box.text for box in rows[1].maybe_arrows]) == ("9.1", None, ["±"])


def test_a_second_arrow_makes_the_one_glued_to_the_number_doubtful():
    """添上 1 小数就与范围的一样多，它是数字；不一样多的，不知道它是什么。"""
    name, number, glued, own = (
        box(text, start, 100) for text, start in (("比值", 10), ("0.2", 100), ("↓", 134), ("↓", 250))
    )
    pixels = np.full((200, 400, 3), 255, np.uint8)
    cases = ((0.27, "0.26-0.90", "0.21", False), (0.27, "0.2-0.9", "0.2", True), (0.9, "0.26-0.90", "0.2", False))
    for score, limits, result, is_doubted in cases:
        row = Row(name=name, anchor=name, result=number, limits=[box(limits, 300, 100)])
        for arrow in (replace(glued, score=score), own):
            row.add_mark(arrow)
        page = Page(pixels, np.zeros((0, 4, 2), np.float32), np.eye(3))
        boxes = [name, number, glued, own]
        read = read_row(row, Surroundings(page, pixels[:, :, 0], boxes, Columns({}), None, False, ""))
        assert (read.result, bool(read.doubt)) == (result, is_doubted)


@pytest.mark.parametrize(("written", "number"), [("5.1 ", ["5.1"]), ("5.1 + ", ["5.1", "+"])])
def test_a_box_full_of_numbers_is_split_without_parsing_every_part_of_it(written, number):
    with mock.patch.object(cells, "parse_range", wraps=cells.parse_range) as parse:
        found = cells.split_cells(box("血糖 " + written * 400, 10, 100))
    assert " ".join(cell.text for cell in found) == " ".join(["血糖", *number * 400])
    assert parse.call_count < 20 * len(found)


def test_cards_with_a_labelled_range_are_rows_whatever_their_names():
    card = [{50: "某某化酶"}, {600: "163"}, {50: "参考值:110--215U/mL"}]
    tiers = [{50: "总胆固醇"}, {50: "参考值:适宜<5.20mmol/L 增高", 600: "6.43"}, {50: "5.20-6.20 很高 >6.20"}]
    table = find_tables(page({50: "肌酐"}, {600: "100"}, {50: "参考值:62--115μmol/L"}, *card, *tiers))[0]
    rows = find_rows(table)
    assert [row_text(row)[0::2] for row in rows] == [
        ("肌酐", "100", "62--115"), ("某某化酶", "163", "110--215"), ("总胆固醇", "6.43", "适宜<5.20,增高,5.20-6.20"),
    ]  # fmt: skip
    assert [row.doubt for row in rows] == [None] * 3


@pytest.mark.parametrize(("names", "is_cut"), [(("钠", "氯", "钙"), True), (("肝", "功", "能"), False)])
def test_names_of_one_character_found_as_one_box_are_cut_at_the_rows_beside(names, is_cut):
    class Recognizer:
        def recognize(self, image: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
            return [(names[round(quad[:, 1].mean() / 40) - 1], 0.99) for quad in quads]

    def quad(x: float, y: float, width: float, height: float) -> list[list[float]]:
        top, bottom = y - height / 2, y + height / 2
        return [[x, top], [x + width, top], [x + width, bottom], [x, bottom]]

    codes = [quad(300, 40 * row, 40, 30) for row in (1, 2, 3)]
    results = [quad(500, 40 * row, 60, 30) for row in (1, 2, 3)]
    quads = np.array([quad(50, 80, 30, 110), *codes, *results], np.float32)
    read = [("2", 0.4), *[("Na", 0.99)] * 3, *[("139.0", 0.99)] * 3]
    sheet = Page(np.full((200, 700, 3), 255, np.uint8), quads, np.eye(3))
    texts = _without_stacks(sheet, read, Recognizer())
    assert len(texts) == len(sheet.quads)
    if is_cut:
        assert [one[0] for one in texts] == ["", *["Na"] * 3, *["139.0"] * 3, *names]
        assert sheet.quads[-3:, :, 1].mean(axis=1).tolist() == [40, 80, 120]
    else:
        assert texts == read


def test_results_printed_above_their_names_do_not_go_to_the_row_before():
    def values(at: float, name: str, result: str, limits: str) -> list[tuple[float, dict[float, str]]]:
        return [(at, {600: result}), (at + 0.3, {50: name}), (at + 0.6, {500: f"参考区间:{limits}"})]

    lines = [*values(1, "肌酐", "100", "62~115umol/L"), *values(4, "某某化酶", "16.3", "11~21U/L")]
    rows = find_rows(find_tables(at_lines(*lines, *values(7, "钾", "4.1", "3.5~5.3mmol/L")))[0])
    read = [row_text(row)[0::2] for row in rows]
    assert read == [("肌酐", "100", "62~115"), ("某某化酶", "16.3", "11~21"), ("钾", "4.1", "3.5~5.3")]
    assert [row.doubt for row in rows] == [None] * 3


def test_a_result_between_its_name_and_the_next_one_stays_with_its_own():
    names = {50: "肌酐", 500: "参考区间:62~115umol/L"}, {50: "钾", 500: "参考区间:3.5~5.3mmol/L"}
    lines = [(1, names[0]), (1.6, {600: "100"}), (2.4, names[1]), (3, {600: "4.1"})]
    rows = find_rows(find_tables(at_lines(*lines))[0])
    assert [row_text(row)[0::2] for row in rows] == [("肌酐", "100", "62~115"), ("钾", "4.1", "3.5~5.3")]


def test_an_arrow_that_makes_the_result_tall_or_stands_by_the_unit_is_its_mark():
    def card(at: float, name: str, *values: dict[float, str]) -> list[tuple[float, dict[float, str]]]:
        return [(at, {50: name, 300: values[0][300], 500: "45-190"}), *((at + 1, one) for one in values[1:])]

    lines = at_lines(*card(1, "肌酸激酶", {300: "61"}, {300: "U/L"}), *card(4, "乳酸脱氢酶", {300: "88"}, {300: "U/L"}))
    tall = [replace(one, y0=one.y0 - 16, y1=one.y1 + 16) for one in (box("260", 300, 380), box("↑", 345, 380))]
    rest = [[box("淀粉酶", 50, 380), *tall, box("45-190", 500, 380)]]
    rows = find_rows(find_tables([*lines, *rest, *at_lines(*card(10, "脂肪酶", {300: "250"}, {300: "U/L↑"}))])[0])
    assert [(row.result.text, row.mark and row.mark.text, row.doubt) for row in rows] == [
        ("61", None, None), ("88", None, None), ("260", "↑", None), ("250", "↑", None),
    ]  # fmt: skip


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


@pytest.mark.parametrize("drop", [0.65, 0.85])
def test_results_half_a_line_below_their_names_are_doubted(drop):
    values = (("110", "g/L", "130-175"), ("5.9", "10^9/L", "3.5-9.5"), ("210", "10^9/L", "125-350"))
    lines = [(0, {50: "项目", 400: "结果", 600: "单位", 750: "参考范围"})]
    lines += [(at, {50: name}) for at, name in enumerate(("血红蛋白", "白细胞计数", "血小板计数"), 1)]
    # 最后一行的结果已经够不着名称：照片弯了，越往下错得越少
    shifts = (1 + drop, 2 + drop, 3.6)
    lines += [(at, dict(zip((400, 600, 750), row, strict=True))) for at, row in zip(shifts, values, strict=True)]
    rows = find_rows(headed(at_lines(*sorted(lines, key=lambda line: line[0]))))
    assert [row_text(row)[2] for row in rows] == ["", "110", "5.9", "210"]
    assert all(row.doubt for row in rows[1:])


def test_a_name_of_a_card_goes_on_in_brackets_below_its_result():
    lines = at_lines(
        (0.0, {680: "阳性"}),
        (0.6, {50: "结核杆菌T细胞免疫反应", 560: "参考区间:阴性"}),
        (3.0, {50: "结核杆菌r干扰素释放实验", 600: "0.004"}),
        (3.9, {50: "(TB1-N)", 560: "参考区间:<0.350"}),
        (6.0, {50: "结核杆菌r干扰素释放实验", 600: "0.566", 700: "↑"}),
        (6.9, {50: "(TB2-N)", 560: "参考区间:<0.350"}),
        (9.0, {50: "淋巴细胞培养+干扰素(基础", 600: "0.041"}),
        (9.9, {50: "水平N)", 560: "参考区间·<8.000"}),
    )
    rows = find_rows(find_tables(lines)[0])
    read = [(row.name.text, row.result.text, row.limits[0].text) for row in rows]
    assert read == [
        ("结核杆菌T细胞免疫反应", "阳性", "阴性"),
        ("结核杆菌r干扰素释放实验(TB1-N)", "0.004", "<0.350"),
        ("结核杆菌r干扰素释放实验(TB2-N)", "0.566", "<0.350"),
        ("淋巴细胞培养+干扰素(基础水平N)", "0.041", "<8.000"),
    ]


def test_a_serial_that_goes_on_without_a_row_is_said_to_be_unread():
    head = {50: "检验项目", 300: "结果", 450: "参考范围"}
    row = ["细菌", "真菌", "管型", "结晶"]
    lines = [{50: f"{at}{name}", 300: "0.5", 450: "0-1"} for at, name in enumerate(row, 21)]
    notes = [{50: "1本报告仅对标本负责"}, {50: "2如有疑问请联系"}]
    for lost, unread in (({50: "25红细胞形态信息非均一性红细胞?"}, 1), ({50: "30红细胞形态"}, 0)):
        table = headed(page(head, *lines, lost, *notes))
        assert count_unread(table, find_rows(table)) == unread


def test_a_footer_is_no_rest_of_a_name_whose_bracket_is_open():
    head = {50: "项目", 300: "结果", 450: "单位", 600: "参考范围"}
    row = {50: "血清钾测定(离", 300: "7.12", 450: "mmol/L", 600: "3.50-5.30"}
    footer = {50: "检验者:李某", 300: "审核者:王某"}
    lines = page(head, {50: "肌酐", 300: "77", 450: "umol/L", 600: "57-97"}, row, footer)
    assert [row.name.text for row in find_rows(headed(lines))] == ["肌酐", "血清钾测定(离"]


@pytest.mark.parametrize("dash", ["--", "-", "～", "至"])
def test_the_ends_of_a_range_and_the_dash_between_them_are_one_cell(dash):
    line = spread("血红蛋白", "156", "120", gap=200)
    line += [box(dash, line[-1].end + 14, 100)]
    line += [box("160", line[-1].end + 14, 100), box("g/L", line[-1].end + 200, 100)]
    (joined,) = group_lines(line)
    assert [one.text for one in joined] == ["血红蛋白", "156", f"120{dash}160", "g/L"]


def test_a_dash_far_from_the_numbers_beside_it_is_a_cell_of_its_own():
    (line,) = group_lines(spread("血红蛋白", "156", "-", "120", "g/L"))
    assert [one.text for one in line] == ["血红蛋白", "156", "-", "120", "g/L"]


def test_of_three_numbers_in_the_column_of_results_none_is_lost():
    row = Row(name=box("血红蛋白", 10, 100), anchor=box("血红蛋白", 10, 100))
    for number in ("156", "120", "160"):
        row.set_result(box(number, 200, 100))
    assert row.result.text == "156 120 160"
    assert row.doubt


def test_a_row_of_three_numbers_without_a_head_shows_them_all():
    """范围印成一条横条两头的数，没有一横：哪个是结果说不准，不能只剩下上限。"""
    lines = page(*({50: name, 250: value, 350: "%", 450: low, 520: high} for name, value, low, high in (
        ("Lenfosit %", "13.7", "20.0", "47.0"), ("MCV", "82.9", "80", "94"), ("MCH", "29.4", "27", "30"),
    )))  # fmt: skip
    rows = [row for table in find_tables(lines) for row in find_rows(table)]
    shown = [(row.result.text, bool(row.doubt)) for row in rows]
    assert shown == [("13.7 20.0 47.0", True), ("82.9 80 94", True), ("29.4 27 30", True)]
