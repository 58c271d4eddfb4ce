"""手机上的卡片：名称一行，结果、单位、范围在它下面，旁边有 `正常` 一类的小字。"""

from dataclasses import replace

import pytest
from lab_report.text_boxes import at_lines, box

from health_assistant.lab_report.reading.arrangement import arrange
from health_assistant.lab_report.reading.headless import doubt_odd_places
from health_assistant.lab_report.reading.labelled_cards import lay_out_cards
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import count_unread, find_rows
from health_assistant.lab_report.reading.tables import find_tables

THYROTROPIN = ("促甲状腺激素", "3.11 mIU/L", "参考范围:0.05-3.30")
TRIGLYCERIDE = ("甘油三酯", "3.12 mmol/L", "参考范围:0-4.50")
GLUCOSE = ("空腹血糖", "4.62 mmol/L", "参考范围:<5.10")


def rows_of(*lines: tuple[float, dict[float, str]]) -> list[Row]:
    return [row for table in find_tables(at_lines(*lines)) for row in find_rows(table)]


def values_of(row: Row) -> list[str]:
    return [box.text for box in (row.name, row.result, row.unit, *row.limits) if box]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("word", ["正常", "未见异常", "达标", "偏高"])
def test_a_word_beside_the_value_takes_no_range_away(word, place):
    lines: list[tuple[float, dict[float, str]]] = []
    for at, card in enumerate((THYROTROPIN, TRIGLYCERIDE, GLUCOSE)):
        lines += [
            (4 * at + down, {50: text} | ({800: word} if down == place else {})) for down, text in enumerate(card)
        ]
    assert [values_of(row) for row in rows_of(*lines)] == [
        ["促甲状腺激素", "3.11", "mIU/L", "0.05-3.30"],
        ["甘油三酯", "3.12", "mmol/L", "0-4.50"],
        ["空腹血糖", "4.62", "mmol/L", "<5.10"],
    ]


def over_range(name: str, value: str, limits: str, top: float, unit: str = "") -> list[tuple[float, dict[float, str]]]:
    """手机上：结果在右上，参考区间在它下面，换了行的单位再下面；名称对着这几行的正中。"""
    lines = [(top, {720: value}), (top + 0.5, {600: f"参考区间:{limits}"})]
    lines += [(top + 1.3, {740: unit})] if unit else []
    return sorted([*lines, (top + (0.65 if unit else 0.25), {50: name})], key=lambda line: line[0])


def test_an_unknown_name_cut_off_by_a_seam_is_doubted():
    cards = [("甲胎蛋白", "1.14", "0.00~20.00"), ("tm", "4.0", "0~24"), ("癌胚抗原", "6.54", "0.00~10.00")]
    lines = [line for at, card in enumerate(cards) for line in over_range(*card, 4.0 * at)]
    boxes = [one for line in at_lines(*lines) for one in line]
    cut = [replace(one, y1=one.y0 + 0.6 * one.height) if one.text == "tm" else one for one in boxes]
    doubts = {row.name.text: row.doubt for rows in arrange(cut).rows_of for row in rows}
    assert doubts.pop("tm") and doubts == {"甲胎蛋白": None, "癌胚抗原": None}


SODIUM = ("钠", "118.0", "mmol/L", "137-147", "偏低")
CALCIUM = ("总钙(Ca)", "2.21", "mmol/L", "2.11-2.52", "正常")
UREA = ("尿素", "27.40", "mmol/L", "3.1-8.0", "↑")
Page = list[tuple[float, dict[float, str]]]


def printed(*lines: tuple[float, dict[float, str]]) -> list[tuple[str, ...]]:
    """各行的名称、代号、结果、单位、范围与标记。"""
    boxes = [one for line in at_lines(*lines) for one in line]
    rows = [row for rows in arrange(boxes).rows_of for row in rows]
    return [(*row_text(row), row.mark.text if row.mark else "") for row in rows]


READ = [
    ("钠", "", "118.0", "mmol/L", "137-147", "偏低"),
    ("总钙", "Ca", "2.21", "mmol/L", "2.11-2.52", "正常"),
    ("尿素", "", "27.40", "mmol/L", "3.1-8.0", "↑"),
]


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("form", ["{}|{}", "{}:|{}", "{}:{}"])
@pytest.mark.parametrize("name_word", ["项目名称", ""])
def test_a_card_with_one_field_a_line_is_one_row(name_word, form, count):
    lines: Page = [(0, {50: "报告详情"})]
    for at, (name, value, unit, limits, mark) in enumerate((SODIUM, CALCIUM, UREA)[:count]):
        fields = [("检验结果", value), ("结果单位", unit), ("参考范围", limits), ("异常提示", mark)]
        texts = (
            [form.format(*field) for field in [(name_word, name), *fields]]
            if name_word
            else [name, *(form.format(*field) for field in fields)]
        )
        lines += [
            (2 + 7 * at + down, dict(zip((50, 400), text.split("|"), strict=False))) for down, text in enumerate(texts)
        ]
    assert printed(*lines) == READ[:count]


def test_a_card_whose_name_was_lost_lends_no_name():
    """词与格之间少了一行名称：别的卡片的名称不会挪过来。"""
    words = {100: "结果", 400: "单位", 700: "参考值"}
    lines = at_lines(
        (0, {20: "钠"}), (1.5, words), (2.5, {100: "118.0", 400: "mmol/L", 700: "137-147"}),
        (6, words), (7, {100: "6.9", 400: "mmol/L", 700: "3.5-5.3"}),
    )  # fmt: skip
    assert lay_out_cards(lines) is lines


def test_the_head_of_a_table_is_no_card():
    lines = at_lines(
        (0, {20: "电解质"}), (1, {100: "结果", 400: "单位", 700: "参考值"}),
        (2, {20: "钠", 100: "140", 400: "mmol/L", 700: "137-147"}),
        (3, {20: "钾", 100: "4.1", 400: "mmol/L", 700: "3.5-5.3"}),
    )  # fmt: skip
    assert lay_out_cards(lines) is lines


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("short", ["钾", "K", "Mg"])
@pytest.mark.parametrize("form", ["{}: {} {} ({})", "{}:{} {}({})", "{}={} {} ({})", "{} {} {} ({})"])
def test_a_typed_line_is_a_row_however_short_its_name(form, short, first):
    rows = [("肌酐", "388", "umol/L", "57-97"), ("尿素", "7.1", "mmol/L", "3.1-8.0")]
    rows.insert(2 * first, (short, "6.9", "mmol/L", "3.5-5.3"))
    lines: Page = [(at, {50: form.format(*row)}) for at, row in enumerate(rows)]
    read = [
        ((name or code), result, unit, limits.strip("()")) for name, code, result, unit, limits, _ in printed(*lines)
    ]
    assert read == rows


@pytest.mark.parametrize("first", [0, 1])
def test_a_whole_line_whose_name_is_no_word_is_counted_as_unread_wherever_it_stands(first):
    texts = ["肌酐: 388 umol/L (57-97)", "尿素: 7.1 mmol/L (3.1-8.0)"]
    texts.insert(2 * first, "数 13 % (10-15)")
    (table,) = find_tables(at_lines(*((at, {50: text}) for at, text in enumerate(texts))))
    rows = find_rows(table)
    assert (len(rows), count_unread(table, rows)) == (2, 1)


def test_a_value_found_in_one_piece_with_a_tall_arrow_says_nothing_of_the_size_of_the_others():
    def card(at: int, name: str, result: str, height: int, mark: str) -> Row:
        value = replace(box(result, 800, 100 + 100 * at), y0=0, y1=height)
        row = Row(name=box(name, 50, 100 + 100 * at), anchor=box(name, 50, 100 + 100 * at), result=value)
        row.mark = replace(box(mark, 900, 100 + 100 * at), y0=0, y1=height) if mark else None
        return row

    stretched = [card(at, name, "2.1", 40, "↓") for at, name in enumerate(("白细胞", "红细胞", "淋巴细胞"))]
    plain = [card(3, "血小板", "7", 18, ""), card(4, "血红蛋白", "79", 24, "")]
    doubt_odd_places([*stretched, *plain])
    assert [row.doubt for row in [*stretched, *plain]] == [None] * 5
    odd = card(5, "钾", "7.1", 60, "")
    doubt_odd_places([*stretched, *plain, odd])
    assert odd.doubt


@pytest.mark.parametrize(("value", "limits"), [("Value :", "Range : {}"), ("结果:", "参考范围:{}")])
def test_cards_side_by_side_with_a_word_before_each_field_are_read_one_by_one(value, limits):
    """名称不认得、没有范围、旁边印着组名的也一样；值的字大，比词高一点。"""
    cards = [("GGTP", "24", "<38"), ("Leucocyte", "5.00", "4.0-10.0"), ("总胆红素", "5.00", "0.3-1.2"),
             ("Urine Ketone", "Negative", ""), ("T4", "0.70", "5.01-12.45")]  # fmt: skip
    boxes = [box("GLUCOSE", 50, 180)]
    for at, (name, result, interval) in enumerate(cards):
        x, y = 250 + 250 * (at % 3), 100 + 160 * (at // 3)
        boxes += [box(name, x, y), box(value, x, y + 40), box(result, x + 90, y + 36)]
        boxes += [box(limits.format(interval), x, y + 70)] if interval else []
    found = arrange(boxes)
    rows = [row_text(row) for rows in found.rows_of for row in rows]
    assert [(row[0], row[2], row[4]) for row in rows] == cards


def test_a_range_under_a_name_of_two_lines_belongs_to_it_and_carries_its_unit():
    """手机上 `项目名称 … 结果/单位` 下面一项三行，结果对着名称的正中；名称折成两行的，结果对着下半行。"""
    names = {1: "前白蛋白", 2.93: "丙氨酸氨基转移酶", 4.86: "碱性磷酸酶", 9.36: "总蛋白"}
    usual = [
        (line + down, cells)
        for line, name in names.items()
        for down, cells in ((0, {50: name}), (0.32, {658: "319"}), (0.7, {50: "参考值:200--430mg/L"}))
    ]
    folded = [
        (6.79, {50: "天门冬氨酸氨基转移酶线粒体同"}),
        (7.42, {50: "工酶", 680: "2"}),
        (8.15, {50: "参考值:1--15IU/L"}),
    ]
    lines = sorted([(0, {50: "项目名称", 600: "结果/单位"}), *usual, *folded], key=lambda line: line[0])
    rows = [row_text(row) for row in rows_of(*lines)]
    usual_row = ("319", "mg/L", "200--430")
    assert [row[2:] for row in rows] == [usual_row] * 3 + [("2", "IU/L", "1--15"), usual_row]
    assert rows[3][0] == "天门冬氨酸氨基转移酶线粒体同工酶"
