"""有表头的表，格子归到哪一列、哪一行：折行的、粘住的、没有印全的。文字框是造的，不经文字识别。"""

from pathlib import Path

import pytest
import yaml
from lab_report.text_boxes import at_lines, headed, page, placed

from health_assistant.lab_report.reading.misreadings import repair_signs
from health_assistant.lab_report.reading.row import repair_number, row_text
from health_assistant.lab_report.reading.rows import count_unread, find_rows
from health_assistant.lab_report.reading.tables import find_tables

CASES = yaml.safe_load(Path(__file__).with_name("cells.yaml").read_text("utf-8"))
HEAD = {50: "检验项目", 300: "结果", 450: "参考范围", 650: "单位"}
PLAIN = {50: "钾", 300: "4.1", 450: "3.5-5.3", 650: "mmol/L"}


def read_one(*lines: dict[float, str]) -> list[tuple[str, ...]]:
    table = headed(page(*lines))
    return [(*row_text(row)[:1], *row_text(row)[2:]) for row in find_rows(table)]


def test_a_head_of_two_lines_is_one_head():
    head = {50: "检验项目", 300: "结果", 450: "单位", 640: "参考范围", 800: "标志"}
    rows = read_one(
        head, {600: "下限", 700: "上限"}, {50: "凝血酶原时间", 300: "28.6", 450: "秒", 600: "9.4", 700: "12.5"}
    )
    assert rows == [("凝血酶原时间", "28.6", "秒", "9.4-12.5")]


def test_the_second_line_of_a_head_over_items_of_two_lines_is_no_subhead():
    head = [{50: "检验项目", 300: "结果"}, {50: "参考范围", 300: "单位"}]
    lines = page(*head, {50: "钾", 300: "7.2"}, {50: "3.5-5.3", 300: "mmol/L"})
    rows = [row_text(row) for table in find_tables(lines) for row in find_rows(table)]
    assert rows == [("钾", "", "7.2", "mmol/L", "3.5-5.3")]


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


def test_a_title_that_is_the_test_below_it_is_no_row():
    assert read_one(HEAD, PLAIN, {50: "空腹血糖"}, PLAIN | {50: "葡萄糖(FPG)"}, PLAIN | {50: "尿素"}) == [
        ("钾", "4.1", "mmol/L", "3.5-5.3"),
        ("葡萄糖", "4.1", "mmol/L", "3.5-5.3"),
        ("尿素", "4.1", "mmol/L", "3.5-5.3"),
    ]


@pytest.mark.parametrize("case", CASES["表里的一行"])
def test_cells_that_run_together(case):
    line, row = case.split(" -> ")
    assert read_one(HEAD, PLAIN, placed(line), PLAIN)[1] == tuple(row.split(" | "))


def test_two_blocks_whose_text_runs_together_are_cut_at_the_divider():
    head = {
        50: "检验项目",
        250: "结果",
        330: "参考范围",
        480: "单位检验项目",
        800: "结果",
        880: "参考范围",
        1010: "单位",
    }
    lines = [
        {50: "白细胞计数", 250: "3.86", 330: "4.00~10.00 10^9/L红细胞压积", 800: "35.2", 880: "42.0~49.0", 1010: "%"},
        {50: "淋巴细胞计数", 250: "1.48", 330: "1.00~3.30", 480: "10^9/L平均血红蛋白",
         800: "28.0", 880: "27.0~33.0", 1010: "pg"},
    ]  # fmt: skip
    rows = [[row_text(row)[0] for row in find_rows(table)] for table in find_tables(page(head, *lines)) if table.lines]
    assert rows == [["白细胞计数", "淋巴细胞计数"], ["红细胞压积", "平均血红蛋白"]]


def test_marks_printed_before_the_code_are_marks():
    head = {50: "英文", 200: "项目", 400: "结果", 600: "参考值"}
    lines = [{20: "*", 50: "COL", 200: "颜色", 400: "黑色", 600: "黄褐色"}, {20: "H", 50: "RBC", 200: "红细胞",
             400: "2-4", 600: "0-1"}, {20: "3", 50: "WBC", 200: "白细胞", 400: "0-1", 600: "0-3"}]  # fmt: skip
    rows = find_rows(headed(page(head, *lines)))
    assert [(*row_text(row)[:3], row.mark and row.mark.text) for row in rows] == [
        ("颜色", "COL", "黑色", "*"), ("红细胞", "RBC", "2-4", "H"), ("白细胞", "WBC", "0-1", None),
    ]  # fmt: skip


def test_a_name_wrapped_around_its_value_keeps_both_halves_and_its_row():
    """长名称印成两行，结果与它们的正中对齐：上半截离上一项也近，字母的下半截（IgM）不是代号。"""
    head = {50: "检验项目", 400: "缩写", 600: "结果", 800: "参考范围"}
    lines = at_lines(
        (0, head),
        (1, {50: "乙型肝炎病毒e抗原定量", 400: "HBeAg", 600: "0.29", 800: "0.00-1.00"}),
        (1.7, {50: "乙型肝炎病毒核心抗体定"}),
        (2, {400: "HBcAb", 600: "8.77", 800: "0.00-1.00"}),
        (2.3, {50: "量"}),
        (3, {50: "乙型肝炎病毒前S1抗原", 400: "PreS1-Ag", 600: "阳性", 800: "阴性"}),
        (3.7, {50: "乙型肝炎病毒核心抗体"}),
        (4, {400: "HBcAb-IgM", 600: "阴性", 800: "阴性"}),
        (4.3, {50: "IgM"}),
        (4.7, {50: "雄烯二酮"}),
        (5, {600: "1.94", 800: "0.30-3.30"}),
        (5.3, {50: "Androstenedione"}),
        (6, {50: "丙型肝炎病毒抗体", 400: "Anti-HCV", 600: "阴性", 800: "阴性"}),
    )
    assert [(row_text(row)[0], row_text(row)[2]) for row in find_rows(headed(lines))] == [
        ("乙型肝炎病毒e抗原定量", "0.29"), ("乙型肝炎病毒核心抗体定量", "8.77"), ("乙型肝炎病毒前S1抗原", "阳性"),
        ("乙型肝炎病毒核心抗体IgM", "阴性"), ("雄烯二酮", "1.94"), ("丙型肝炎病毒抗体", "阴性"),
    ]  # fmt: skip


ENGLISH_HEAD = {50: "Test Name", 400: "Results", 600: "Units", 800: "Bio. Ref. Interval"}


def test_titles_and_methods_between_the_rows_of_an_english_sheet_are_neither_rows_nor_names():
    """小标题带着数、与下面的项目同名，名称下面整个括起来的方法：都不是项目，也不并进名称。"""
    lines = at_lines(
        (0, ENGLISH_HEAD),
        (1, {50: "Health Plan", 190: "- 3"}),
        (2, {50: "Uric Acid", 400: "4.00", 600: "mg/dL", 800: "2.60 - 6.00"}),
        (2.5, {50: "(Uricase)", 800: "Gout: < 5.0"}),
        (3, {50: "Packed Cell Volume (PCV)", 400: "45.0", 600: "%", 800: "40.0 - 50.0"}),
        (3.5, {50: "(Calculated)"}),
        (4, {50: "WBC COUNT"}),
        (5, {50: "Total WBC Count", 400: "9000", 600: "/cumm", 800: "4000 - 11000"}),
        (6, {50: "Eosinophils", 400: "07", 600: "%", 800: "01 - 06"}),
        (7, {50: "Eosinophils", 400: "0.07", 600: "10^9/L", 800: "01 - 06"}),
    )
    read = [(row_text(row)[0], *row_text(row)[2:]) for row in find_rows(headed(lines))]
    assert [one for one in read if one[0] != "Uric Acid"] == [
        ("Packed Cell Volume (PCV)", "45.0", "%", "40.0 - 50.0"),
        ("Total WBC Count", "9000", "/cumm", "4000 - 11000"),
        ("Eosinophils", "7", "%", "1 - 6"),
        ("Eosinophils", "0.07", "10^9/L", "01 - 06"),  # 不是百分数，也可能是丢了小数点的 0.1-0.6
    ]
    assert [one[:2] for one in read if one[0] == "Uric Acid"] == [("Uric Acid", "4.00")]


@pytest.mark.parametrize(("limits", "is_sure"), [("206 - 678", True), ("< 678", False)])
def test_a_tier_of_deficiency_below_a_whole_range_raises_no_doubt(limits, is_sure):
    lines = at_lines(
        (0, ENGLISH_HEAD),
        (1, {50: "Uric Acid", 400: "4.00", 600: "mg/dL", 800: "2.60 - 6.00"}),
        (2, {50: "Vitamin B12", 400: "795", 600: "ng/L", 800: limits}),
        (2.6, {50: "(ECLIA)", 800: "Deficiency: < 150"}),
        (3.6, {50: "Ferritin", 400: "90", 600: "ng/mL", 800: "13 - 150"}),
    )
    (row,) = [row for row in find_rows(headed(lines)) if row.name.text == "Vitamin B12"]
    assert (row_text(row)[4] == limits, row.doubt is None) == (is_sure, is_sure)


RANGES = {
    "分几档印成几行的": (
        [
            (1, {450: "合适范围:<5.20"}),
            (1.6, {50: "总胆固醇", 300: "7.21", 450: "边缘升高:5.20~6.19", 750: "mmol/L"}),
            (2.2, {450: "升高:≥6.20"}),
            (4, {450: "理想范围:<2.60"}),
            (4.6, {50: "低密度脂蛋白", 300: "5.03", 450: "合适范围:<3.40", 750: "mmol/L"}),
            (5.2, {450: "升高:≥4.10"}),
        ],
        [("合适范围:<5.20,边缘升高:5.20~6.19,升高:≥6.20", True), ("理想范围:<2.60,合适范围:<3.40,升高:≥4.10", True)],
    ),
    # 头一行与名称齐：末一行离下一项更近，也是上一项的；看不懂的一行使那一项起疑
    "挂在名称下面的": (
        [
            (1, {50: "促黄体生成素", 300: "8.1", 450: "卵泡期1.80-11.78"}),
            (1.7, {450: "黄体期0.56-14.00"}),
            (2.4, {450: "绝经期5.16-61.99"}),
            (3.1, {50: "雌二醇", 300: "54", 450: "卵泡期21-251"}),
            (3.8, {450: "黄体期21-312"}),
            (4.5, {450: "绝经期<10-28"}),
            (5.2, {50: "泌乳素", 300: "41.7", 450: "5.18-26.53"}),
        ],
        [
            ("卵泡期1.80-11.78,黄体期0.56-14.00,绝经期5.16-61.99", True),
            ("卵泡期21-251,黄体期21-312,绝经期<10-28", False),
            ("5.18-26.53", True),
        ],
    ),
    "与名称下面的代号、英文名同一行的": (
        [
            (1, {50: "促卵泡生成素", 300: "6.84", 450: "卵泡期 3.03-8.08"}),
            (1.7, {50: "Follicle Stimulating Hormone (FSH)", 450: "排卵期 2.55-16.69"}),
            (2.6, {450: "黄体期 1.38-5.47"}),
            (5, {50: "尿酸", 300: "402", 450: "男208-428"}),
            (5.8, {50: "UA", 450: "女155-357"}),
            (8, {450: "理想<2.60"}),
            (8.8, {50: "低密度脂蛋白", 300: "3.62", 450: "合适<3.40"}),
            (9.5, {50: "LDL-C", 450: "升高≥4.10"}),
        ],
        [
            ("卵泡期 3.03-8.08,排卵期 2.55-16.69,黄体期 1.38-5.47", True),
            ("男208-428,女155-357", True),
            ("理想<2.60,合适<3.40,升高≥4.10", True),
        ],
    ),
    "下一项的不接上来": (
        [
            (1, {450: "合适:<3.40"}),
            (1.6, {50: "低密度脂蛋白", 300: "2.48"}),
            (2.2, {450: "升高:≥4.10"}),
            (2.8, {450: "合适:<4.10"}),
            (3.4, {50: "非高密度脂蛋白", 300: "4.54"}),
            (4, {450: "升高:≥4.90"}),
        ],
        [("合适:<3.40,升高:≥4.10", True), ("合适:<4.10,升高:≥4.90", True)],
    ),
}


@pytest.mark.parametrize(("lines", "ranges"), RANGES.values(), ids=RANGES.keys())
def test_a_range_printed_on_several_lines_is_one_range_of_its_row(lines, ranges):
    table = headed(at_lines((0, HEAD), *lines))
    rows = find_rows(table)
    assert [row_text(row)[0] for row in rows] == [cells[50] for _, cells in lines if 300 in cells]
    assert [(row_text(row)[4], row.doubt is None) for row in rows] == ranges
    assert count_unread(table, rows) == 0


def test_a_section_is_no_item_even_with_the_name_of_one():
    lines = [{50: "C肽"}, {50: "空腹C肽", 300: "3.05", 450: "1.10-4.40"}, {50: "比值"},
             {50: "CD4/CD8", 300: "0.24", 450: "0.71-2.78"}]  # fmt: skip
    rows = find_rows(headed(page(HEAD, PLAIN, *lines, PLAIN)))
    assert [row_text(row)[0] for row in rows] == ["钾", "空腹C肽", "CD4/CD8", "钾"]


def test_known_names_without_a_result_are_rows_on_a_strip_without_a_header():
    """尿条上单独一横认不出来：那几项也要在，未判断。"""
    lines = [{50: "BLD"}, {50: "LEU", 250: "2+"}, {50: "NIT"}, {50: "URO", 250: "Normal"}, {50: "pH", 250: "6.0"},
             {50: "KET"}, {50: "操作者：03"}]  # fmt: skip
    rows = [row for table in find_tables(page(*lines)) for row in find_rows(table)]
    assert [(row_text(row)[0], row_text(row)[2]) for row in rows] == [
        ("BLD", ""), ("LEU", "2+"), ("NIT", ""), ("URO", "Normal"), ("pH", "6.0"), ("KET", ""),
    ]  # fmt: skip


def test_a_range_below_the_name_belongs_to_it_where_no_column_is_for_ranges():
    head = {50: "Test Name", 400: "Value", 600: "Units"}
    lines = at_lines(
        (0, head),
        (1, {50: "Vitamin B12", 400: "814.7", 600: "pg/mL"}),
        (1.7, {50: "Bio. Ref. Interval. :-"}),
        (2.4, {60: "211-911"}),
        (3.1, {50: "Please correlate with the history."}),
    )
    assert [(row_text(row)[0], row_text(row)[4]) for row in find_rows(headed(lines))] == [("Vitamin B12", "211-911")]


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
