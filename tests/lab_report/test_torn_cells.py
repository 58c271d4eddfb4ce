"""认字时撕开、粘住的格子：范围的一横、名称与结果、挨着数的箭头，各回到自己的一格。文字框与墨迹是造的。"""

from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from lab_report.text_boxes import at_lines, box, page, spread
from PIL import Image, ImageDraw

from health_assistant.lab_report.reading import cells
from health_assistant.lab_report.reading.arrows import COLOURED_MAYBE, MAYBE_ARROW
from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.ocr import TextReader
from health_assistant.lab_report.reading.read_row import Surroundings, read_row
from health_assistant.lab_report.reading.recognition import _without_stacks, read_texts
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.small_marks import plain_start, settle_values
from health_assistant.lab_report.reading.tables import _cut_glued_value, find_tables
from health_assistant.lab_report.reading.text import TextBox, cut_at
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.rendering.drawing import load_font
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
        ("0.21", "0.26-0.90", "↓", "result", ("↓", True), True),  # 箭头另印了一个
        ("0.21", "0.26-0.90", None, "result", ("↓", True), False),
        ("0.21", "0.26-0.90", "↑", "result", ("↓", True), False),
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


@pytest.mark.parametrize(
    ("result", "start", "mark", "others", "is_sure"),
    [
        ("11.3", 200, None, [None, None], True),  # 别的异常的行都没有标记
        ("1", 200, None, ["L", "H"], True),  # 这张单子用字母说
        ("11.3", 200, None, ["↓", None], False),
        ("11.3", 200, None, [None], False),  # 只有一行，看不出来
        ("11.3", 180, None, [None, None], False),  # 比别的靠左：竖线
    ],
)
def test_a_1_is_a_digit_in_a_table_that_prints_no_arrows(result, start, mark, others, is_sure):
    low = [
        Row(name=(name := box("钾", 10, y)), anchor=name, result=box("2.9", 200, y), limits=[box("3.5-5.3", 300, y)])
        for y in range(100, 100 + 50 * len(others), 50)
    ]
    doubted = replace(box(result, start, 300), score=MAYBE_ARROW["↓", False])
    row = Row(name=None, anchor=doubted, result=doubted, limits=[box("13.0-17.0", 300, 300)])
    marks = {id(one): other for one, other in zip(low, others, strict=True)}
    found = plain_start([*low, row], lambda one: marks.get(id(one)))
    settle_values(row, np.full((400, 400), 255, np.uint8), mark, start=found)
    assert (row.result.score >= MIN_CONFIDENCE) == is_sure


@pytest.mark.parametrize(
    ("score", "marked", "is_sure"),
    [
        (MAYBE_ARROW["↓", False], None, True),
        (COLOURED_MAYBE["↓", False], None, False),  # 人用红笔写的 ↓59
        (MAYBE_ARROW["↓", False], ("1800", None), False),  # 没有印范围的一行有箭头
        (MAYBE_ARROW["↓", False], ("4.1", "3.5-5.3"), False),  # 在范围以内的一行有箭头
    ],
)
def test_a_1_is_not_settled_where_it_has_its_own_colour_or_any_row_has_an_arrow(score, marked, is_sure):
    cells = [("2.9", "3.5-5.3"), ("2.9", "3.5-5.3"), *([marked] if marked else []), ("159", "130-175")]
    rows = []
    for at, (result, limits) in enumerate(cells):
        name, value = box("钾", 10, 50 * at + 50), box(result, 200, 50 * at + 50)
        ranges = [box(limits, 300, 50 * at + 50)] if limits else []
        rows.append(Row(name=name, anchor=name, result=value, limits=ranges))
    rows[-1].result = replace(rows[-1].result, score=score)
    found = plain_start(rows, lambda row: "↑" if marked and row is rows[2] else None)
    if score in COLOURED_MAYBE.values():
        found = 200.0  # 另有一个黑色的 1，表里又没有箭头
    rows[-1].limits = [box("160-175", 300, 400)]  # 59 也不在范围以内：不靠左端说不准
    settle_values(rows[-1], np.full((500, 400), 255, np.uint8), None, start=found)
    assert (rows[-1].result.score >= MIN_CONFIDENCE) == is_sure


@pytest.mark.parametrize(("score", "is_doubted"), [(0.27, True), (0.9, False)])
def test_a_second_arrow_makes_the_one_glued_to_the_number_doubtful(score, is_doubted):
    """挨着数的一个不够像箭头，也许是末一位 1。"""
    name, number, glued, own = (
        box(text, start, 100) for text, start in (("比值", 10), ("0.2", 100), ("↓", 134), ("↓", 250))
    )
    row = Row(name=name, anchor=name, result=number, limits=[box("0.2-0.9", 300, 100)])
    for arrow in (replace(glued, score=score), own):
        row.add_mark(arrow)
    pixels = np.full((200, 400, 3), 255, np.uint8)
    page = Page(pixels, np.zeros((0, 4, 2), np.float32), np.eye(3))
    boxes = [name, number, glued, own]
    read = read_row(row, Surroundings(page, pixels[:, :, 0], boxes, Columns({}), None, False, ""))
    assert (read.result, bool(read.doubt)) == ("0.2", is_doubted)


@pytest.mark.parametrize(("arrow", "is_doubted"), [("↑", False), ("", True)])
def test_a_lone_1_is_a_number_when_an_arrow_is_printed_beside_it(arrow, is_doubted):
    name, number, limits = box("结晶", 10, 100), box("1", 120, 100), box("0-0.3", 300, 100)
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).text((220, 100), arrow, "black", load_font("dejavu_sans", 26), anchor="mm")
    page = Page(np.array(picture), np.zeros((0, 4, 2), np.float32), np.eye(3))
    row = Row(name=name, anchor=name, result=number, limits=[limits])
    read = read_row(row, Surroundings(page, page.gray(), [name, number, limits], Columns({}), None, False, ""))
    assert (read.result, read.mark, bool(read.doubt)) == ("1", arrow or None, is_doubted)


@pytest.mark.parametrize(("width", "is_doubted"), [(24, False), (36, True)])
def test_a_plus_too_wide_for_itself_may_be_plus_minus(width, is_doubted):
    name, limits = box("酮体", 10, 100), box("neg", 300, 100)
    sign = replace(box("十", 120, 100), x1=120 + width, y0=88, y1=113)
    row = Row(name=name, anchor=name, result=sign, limits=[limits])
    page = Page(np.full((200, 400, 3), 255, np.uint8), np.zeros((0, 4, 2), np.float32), np.eye(3))
    read = read_row(row, Surroundings(page, page.gray(), [name, sign, limits], Columns({}), None, False, ""))
    assert (read.result, bool(read.doubt)) == ("+", is_doubted)


def test_a_plus_seen_only_in_the_pixels_is_the_result():
    name, limits = box("亚硝酸盐", 10, 100), box("阴性", 300, 100)
    picture = Image.new("RGB", (400, 200), "white")
    ImageDraw.Draw(picture).text((200, 100), "+", "black", load_font("dejavu_sans", 26), anchor="mm")
    page = Page(np.array(picture), np.zeros((0, 4, 2), np.float32), np.eye(3))
    columns = Columns({"name": (10, 50, 90), "result": (180, 200, 220), "range": (300, 330, 360)})
    row = Row(name=name, anchor=name, limits=[limits])
    read = read_row(row, Surroundings(page, page.gray(), [name, limits], columns, None, True, ""))
    assert (read.result, read.doubt) == ("+", None)


@pytest.mark.parametrize(("written", "number"), [("5.1 ", ["5.1"]), ("5.1 + ", ["5.1", "+"])])
def test_a_box_full_of_numbers_is_split_without_parsing_every_part_of_it(written, number):
    with mock.patch.object(cells, "parse_range", wraps=cells.parse_range) as parse:
        found = cells.split_cells(box("血糖 " + written * 400, 10, 100))
    assert " ".join(cell.text for cell in found) == " ".join(["血糖", *number * 400])
    assert parse.call_count < 20 * len(found)


@pytest.mark.parametrize(
    ("names", "is_cut"),
    [(("钠", "氯", "钙"), True), (("肝", "功", "能"), False), (("钾", "氯"), True), (("有", "无"), True)],
)
def test_names_of_one_character_found_as_one_box_are_cut_at_the_rows_beside(names, is_cut):
    class Recognizer:
        def recognize(self, image: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
            return [(names[round(quad[:, 1].mean() / 40) - 1], 0.99) for quad in quads]

    def quad(x: float, y: float, width: float, height: float) -> list[list[float]]:
        top, bottom = y - height / 2, y + height / 2
        return [[x, top], [x + width, top], [x + width, bottom], [x, bottom]]

    rows = range(1, len(names) + 1)
    codes, results = ([quad(x, 40 * row, 50, 30) for row in rows] for x in (300, 500))
    stack = quad(50, 20 * (len(names) + 1), 30, 40 * len(names) - 10)
    quads = np.array([stack, *codes, *results], np.float32)
    read = [("2", 0.4), *[("Na", 0.99)] * len(names), *[("139.0", 0.99)] * len(names)]
    sheet = Page(np.full((200, 700, 3), 255, np.uint8), quads, np.eye(3))
    texts = _without_stacks(sheet, read, Recognizer())
    assert len(texts) == len(sheet.quads)
    if is_cut:
        assert [one[0] for one in texts] == ["", *["Na"] * len(names), *["139.0"] * len(names), *names]
        assert sheet.quads[-len(names) :, :, 1].mean(axis=1).tolist() == [40 * row for row in rows]
    else:
        assert texts == read


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


def test_the_name_of_an_antibody_keeps_what_it_is_against():
    row = Row(name=box("抗U1RNP", 50, 100), anchor=box("抗U1RNP", 50, 100), result=box("66(+)", 300, 100))
    assert row_text(row)[:2] == ("抗U1RNP", "U1RNP")


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


def test_a_thin_last_digit_is_not_cut_off_as_a_footnote():
    """拍得淡的细体 2.32：一种看法说末一个 2 是上标，另一种说不是；少读一位不行，只是没有把握。"""
    pixels = np.asarray(Image.open(Path(__file__).with_name("pixel_pages") / "thin-2.32.png").convert("RGB"))[
        4:-4, 4:-4
    ]
    height, width = pixels.shape[:2]
    quads = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    ((text, score),) = read_texts(Page(pixels, quads, np.eye(3)), TextReader(2))
    assert text == "2.32" and score < MIN_CONFIDENCE


_DIGIT = 12.0


def _printed(text: str, start: float, line: int) -> TextBox:
    """字一样宽（汉字两个）的一段。"""
    wide = _DIGIT * sum(2 if ord(letter) > 0x2E80 else 1 for letter in text)
    return replace(box(text, start, line * 40), start=start, end=start + wide, x0=start, x1=start + wide)


def _doubts(results: list[tuple[str, str, str]], left: float | None) -> list[bool]:
    """各行（名称、读到的数、印着的数）起疑没有；left 是数的左端，None 是靠右印的。名称与数认成了一段。"""
    heads = {50: "项目", 300: "结果", 500: "单位", 640: "参考范围"}
    lines = [[_printed(word, at, 0) for at, word in heads.items()]]
    for line, (name, read_as, true) in enumerate(results, 1):
        end = 380 if left is None else left + _DIGIT * len(true)
        glued = replace(_printed(name + read_as, 100, line), end=end, x1=end)
        lines.append([glued, _printed("g/L", 500, line), _printed(f"{10 + line}.0-80.0", 640, line)])
    rows = [row for table in find_tables(lines) for row in find_rows(table)]
    assert [row.result.text for row in rows] == [read_as for _, read_as, _ in results]
    return [row.doubt is not None for row in rows]


_WHOLE = [
    ("总蛋白(TP)", "70.1", "70.1"),
    ("白蛋白(ALB)", "46.7", "46.7"),
    ("前白蛋白(PA)", "32", "32"),
    ("转铁蛋白(TRF)", "2.1", "2.1"),
]


@pytest.mark.parametrize(
    ("name", "read_as", "true", "is_doubted"),
    [
        ("球蛋白(GLB)", "23.4", "23.4", False),
        ("球蛋白(GLB)", "3.4", "23.4", True),
        ("球蛋白(GLB)", "34", "23.4", True),
        ("球蛋白(GLB)", "123.4", "23.4", True),
        ("球蛋白(GLB)", "103.4", "103.4", False),
    ],
)
def test_a_number_printed_over_by_its_name_is_doubted_where_a_digit_is_missing_or_too_many(
    name, read_as, true, is_doubted
):
    assert _doubts([*_WHOLE, (name, read_as, true)], left=320.0) == [False] * 4 + [is_doubted]


def test_numbers_printed_flush_right_are_doubted_where_a_name_is_cut_by_them():
    rows = [*_WHOLE, ("球蛋白(GLB)", "103.4", "103.4"), ("纤维蛋白原(FIB)", "4.2", "4.2")]
    assert _doubts(rows, left=None) == [False] * 6
    assert _doubts([*rows, ("血红蛋白(HG", "150.0", "150.0")], left=None)[-1]
