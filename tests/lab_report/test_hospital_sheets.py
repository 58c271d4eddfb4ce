"""别的医院的单子上见过的排法：名称与代号上下两行、脚注号、印章压着数……"""

import numpy as np
import pytest
from lab_report.text_boxes import at_lines, box, grid, headed, page
from PIL import Image, ImageDraw

from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.reading.glyphs import count_raised
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.misreadings import repair_letters
from health_assistant.lab_report.reading.other_papers import refusal
from health_assistant.lab_report.reading.page_head import read_head
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.rendering.drawing import load_font
from health_assistant.lab_report.report import PrintedRow, ReadReport


def seated(head: dict[float, str], *lines: dict[float, str]) -> list[Row]:
    return find_rows(headed(page(head, *lines)))


def rows_under(head: dict[float, str], *lines: dict[float, str]) -> list[tuple[str, ...]]:
    return [row_text(row) for row in seated(head, *lines)]


@pytest.mark.parametrize("value", ["2.00", "4.15", "14.2", "386"])
@pytest.mark.parametrize("note", ["1)", "2)"])
@pytest.mark.parametrize("font", ["noto_sans", "noto_serif"])
def test_a_footnote_in_brackets_is_seen_above_the_number(value, note, font):
    """右上角的小字 `1)` 末尾有两个字高出底线，下面有没有表格的横线都一样；一样大的半个括号一个也没有。"""
    counted = []
    for size, top, rule in ((16, 6, 0), (16, 6, 2), (30, 8, 0)):
        image = Image.new("RGB", (220, 46), "white")
        drawing = ImageDraw.Draw(image)
        drawing.text((10, 8), value, fill="black", font=load_font(font, 30), anchor="lt")
        end = drawing.textlength(value, font=load_font(font, 30))
        drawing.text((13 + end, top), note, fill="black", font=load_font(font, size), anchor="lt")
        if rule:
            drawing.line((0, 42, 220, 42), "black", rule)
        counted.append(count_raised(np.asarray(image), len(value + note))[0])
    assert counted == [2, 2, 0]


@pytest.mark.parametrize(
    ("lines", "code", "said"),
    [
        ([["微生物检验报告单"], ["检验结果:培养5天无细菌生长"]], "other_paper", "细菌培养"),
        ([["骨髓细胞学检查报告"], ["粒系增生，红系增生"], ["诊断意见:增生性贫血"]], "other_paper", "骨髓"),
        ([["产前筛查报告单"], ["21-三体综合征", "1:215", "高风险"]], "other_paper", "产前筛查"),
        ([["东川医院检验报告单"], ["请到窗口取报告"]], "not_a_lab_report", "没有找到检验项目"),
    ],
)
def test_why_there_is_nothing_to_read(lines, code, said):
    boxes = [[box(text, 50 + 220 * at, 100 + 40 * down) for at, text in enumerate(line)]
             for down, line in enumerate(lines)]  # fmt: skip
    error = refusal(boxes)
    assert error.code == code and said in str(error)


@pytest.mark.parametrize(
    ("read", "meant"),
    [("抗链球菌溶血素0", "抗链球菌溶血素O"), ("血清al微球蛋白", "血清α1微球蛋白"), ("a1-酸性糖蛋白", "α1-酸性糖蛋白")],
)
def test_letters_of_a_name_that_are_read_as_digits(read, meant):
    assert repair_letters(read) == meant


@pytest.mark.parametrize("footer", [
    {50: "检测人员:李某", 250: "22"},
    {50: "为互认项目", 250: "10", 550: "核收:2026-11-01 07:33"},
])  # fmt: skip
def test_names_and_times_of_a_footer_are_no_rows(footer):
    head = {50: "项目", 250: "结果", 400: "单位", 550: "参考值"}
    plain = {50: "钾", 250: "4.1", 400: "mmol/L", 550: "3.5-5.3"}
    assert [row[0] for row in rows_under(head, plain, plain, footer)] == ["钾", "钾"]


@pytest.mark.parametrize("limits", ["<1:40", "8:00:171-536 16:00:64-327"])
def test_titres_and_hours_in_a_range_are_no_footer(limits):
    head = {50: "项目", 350: "结果", 500: "参考值"}
    plain = {50: "钾", 350: "4.1", 500: "3.5-5.3"}
    assert rows_under(head, plain, plain, {50: "未列的项目甲", 350: "1:80", 500: limits})[-1][0] == "未列的项目甲"


def test_a_plus_before_a_number_may_say_that_it_is_high():
    (row, _) = headless_rows("WBC|+|12.4|10^9/L", "PLT|201|10^9/L")
    assert row.result.text == "12.4" or row.doubt


def headless_rows(*lines: str) -> list[Row]:
    """没有表头的一页；竖线分开的是隔开的几段。"""
    boxes = group_lines(grid((line.split("|") for line in lines), 220))
    return [row for table in find_tables(boxes) for row in find_rows(table)]


def strip_report(*head: str) -> Assessment:
    """尿条的小票：加号后面是约合多少，没有范围。"""
    lines = ("*BLD|+3 200 Ery/uL", "LEU|Neg", "BIL|Neg", "*PRO|+1 0.3 g/L", "pH|6.0", "NIT|Neg", "SG|1.020")
    texts = [[box(text, 50, 20)] for text in head]
    rows = [row_text(row) for row in headless_rows(*lines)]
    read = [PrintedRow(name=n, code=c, result=r, unit=u, reference_range=limits) for n, c, r, u, limits in rows]
    return assess(ReadReport(report_type=read_head(texts)["report_type"], sex=None, age=None, items=read))


@pytest.mark.parametrize("head", [(), ("URINE ANALYZER",), ("尿液分析仪", "No.0023")])
def test_a_urine_strip_is_known_and_its_ph_is_no_emergency(head):
    report = strip_report(*head)
    assert {item.name: item.flag for item in report.items} == {
        "BLD": "abnormal", "LEU": "normal", "BIL": "normal", "PRO": "abnormal", "pH": "normal",
        "NIT": "normal", "SG": "normal",
    }  # fmt: skip
    assert report.triage != "urgent"


def test_a_mark_left_of_the_name_without_a_heading_is_of_its_row():
    head = {90: "项目", 400: "结果", 700: "参考范围"}
    marked = {20: "↑", 90: "癌胚抗原", 400: "38.61", 700: "≤5.0"}
    lines = at_lines((0, head), (1, {90: "甲胎蛋白", 400: "1.9", 700: "≤7.0"}), (2, marked))
    assert [row.mark and row.mark.text for row in find_rows(headed(lines))] == [None, "↑"]


def test_pairs_of_type_and_result_side_by_side_are_panels():
    """HPV 分型的格子：一行三对“型别、结果”。"""
    head = {x: word for at in range(3) for x, word in ((50 + 300 * at, "型别"), (200 + 300 * at, "结果"))}
    lines = [(0, head)] + [
        (1 + at, {x: text for k in range(3) for x, text in ((50 + 300 * k, f"HPV{at}{k}1"), (200 + 300 * k, "阴性"))})
        for at in range(3)
    ]
    names = [row_text(row)[0] for table in find_tables(at_lines(*lines)) for row in find_rows(table)]
    assert sorted(names) == sorted(f"HPV{at}{k}1" for at in range(3) for k in range(3))


def test_a_mark_under_a_heading_that_is_not_known_is_a_mark():
    head = {50: "检验项目", 300: "结果", 500: "注记栏", 700: "参考值"}
    rows = seated(head, {50: "肌酸酐", 300: "2.3", 500: "高", 700: "0.7-1.3"}, {50: "尿素氮", 300: "14", 700: "7-20"})
    assert [row.mark and row.mark.text for row in rows] == ["高", None]


@pytest.mark.parametrize(
    "head", [[], [{50: "项目", 250: "代号", 400: "结果", 550: "提示", 650: "参考范围", 800: "单位"}]]
)
def test_a_star_that_pushes_the_name_to_the_right_says_nothing_about_the_result(head):
    """`★自费增项`、互认项目。"""
    starred = {50: "★", 66: "胃泌素17", 250: "G-17", 400: "1.20", 650: "0-15.0", 800: "pmol/L"}
    plain = {50: "肌酐", 250: "CREA", 400: "68.00", 650: "57-97", 800: "umol/L"}
    rows = [row for table in find_tables(page(*head, starred, plain, starred, plain)) for row in find_rows(table)]
    assert [(row.name.text, row.mark and row.mark.text) for row in rows] == [
        ("胃泌素17", None), ("肌酐", None), ("胃泌素17", None), ("肌酐", None),
    ]  # fmt: skip
