"""读者的各个部件：单元格、表头与栏、行、箭头与横线、摆正；整张图在 test_reading_pages.py 与阶段 7 的测试里读。"""

from pathlib import Path

import numpy as np
import pytest
from lab_report.text_boxes import grid, page
from PIL import Image, ImageDraw

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.reading.cells import classify, says_normal, split_cells, split_mark
from health_assistant.lab_report.reading.glyphs import find_signs
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.misreadings import repair_letters, repair_unit
from health_assistant.lab_report.reading.names import split_name
from health_assistant.lab_report.reading.origin import read_origin
from health_assistant.lab_report.reading.page_head import is_lab_report, read_head, several_people
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.reading.text import TextBox

CASES = load_yaml(Path(__file__).with_name("cells.yaml"))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("4.84", "number"), ("-3.1", "number"), ("3.5-9.5", "range"), ("-3-3", "range"), ("<0.01", "bound"),
        (">5.31", "bound"), ("阴性(-)", "term"), ("2+", "term"), ("10^9/L", "unit"), ("×10~9/L", "unit"),
        ("mmol/L", "unit"), ("%", "unit"), ("↑", "mark"), ("LL!", "mark"), ("偏高", "mark"), ("黄色", "text"),
        ("白细胞计数", "text"), ("微白蛋白/尿肌酐", "text"), ("毫摩尔/升", "unit"), ("个/高倍视野", "unit"),
        ("1000/Cumm", "unit"), ("thou/cumm", "unit"), ("mm/hr", "unit"), ("毫克/24小时", "unit"),
        ("男130-175女115-150", "range"),
    ],
)  # fmt: skip
def test_kinds_of_cells(text, kind):
    assert classify(text) == kind


@pytest.mark.parametrize("case", CASES["名称与代号"])
def test_names_and_codes(case):
    text, parts = case.split(" -> ")
    assert split_name(text) == tuple(parts.split(" | "))


def test_marks_and_units():
    texts = (
        "5.66↑",
        "5.66",
        "6.8H",
        "98 L",
        "↑12",
        "H 6.8",
        "阳性(+)↑",
        "阳性。↑",
        "+异常",
        "血红蛋白↓",
        "6.6 H*",
        "8 CL*",
    )
    assert [split_mark(text) for text in texts] == [
        ("5.66", "↑"), ("5.66", None), ("6.8", "H"), ("98", "L"), ("12", "↑"), ("6.8", "H"), ("阳性(+)", "↑"),
        ("阳性。", "↑"), ("+", "异常"), ("血红蛋白", "↓"), ("6.6", "H*"), ("8", "CL*"),
    ]  # fmt: skip
    assert [says_normal(text) for text in ("N", "Normal", "未见异常", "n")] == [True, True, True, False]  # n 是 fl
    units = [repair_unit(unit) for unit in ("10~9/L", "×109/L", "1012/L", "umol/1", "g/L")]
    assert units == ["10^9/L", "×10^9/L", "10^12/L", "umol/L", "g/L"]
    names = [repair_letters(name) for name in ("总lgE", "HC03-(c)", "s02(c)", "肺炎支原体抗体lgM", "Large", "Algae")]
    assert names == ["总IgE", "HCO3-(c)", "sO2(c)", "肺炎支原体抗体IgM", "Large", "Algae"]
    # 指数没有认出来的凭目录补，目录不认得的照原样
    assert repair_unit("x10/L", lambda: find_analyte("血小板计数", "PLT", "")) == "x10^9/L"
    assert repair_unit("10%/L") == "10%/L"


@pytest.mark.parametrize("case", CASES["粘在一起的几格"])
def test_cells_run_together_are_split(case):
    text, cells = case.split(" -> ")
    found = split_cells(TextBox(text, 1.0, 0, 0, 100, 20, 10, 0, 100))
    assert [f"{cell.kind} {cell.text}" for cell in found] == cells.split(" | ")
    assert all(left.box.end <= right.box.start + 1e-6 for left, right in zip(found, found[1:], strict=False))


def test_a_long_paragraph_in_one_box_is_cut_short_and_nothing_of_it_is_lost():
    text = "本报告仅对所检标本负责 " * 60 + "血清钾 6.9 mmol/L"
    cells = split_cells(TextBox(text, 1.0, 0, 0, 100, 20, 10, 0, 100))
    assert [cell.text for cell in cells[-2:]] == ["6.9", "mmol/L"]
    assert "".join(cell.text for cell in cells).replace(" ", "") == text.replace(" ", "")


def boxes_of(*lines: str) -> list[TextBox]:
    """竖线分开的几列，每列宽 200 像素，空格子没有文字框。"""
    return grid([part.strip() for part in line.split("|")] for line in lines)


def found(*lines: str) -> list[Row]:
    return [row for table in find_tables(group_lines(boxes_of(*lines))) for row in find_rows(table)]


def test_a_blank_result_is_not_filled_with_the_previous_one():
    (row,) = found("项目|结果|上次结果|参考范围", "血红蛋白||130|115-150")
    assert row_text(row)[2] == ""


def test_two_panels_without_a_header_never_mix():
    rows = found("血小板计数||125-350|肌酐|700|41-73", "钾||3.5-5.3|尿素|6.0|2.6-7.5")
    assert sorted(row_text(row)[0::2] for row in rows) == [
        ("尿素", "6.0", "2.6-7.5"), ("肌酐", "700", "41-73"), ("血小板计数", "", "125-350"), ("钾", "", "3.5-5.3"),
    ]  # fmt: skip
    (mixed,) = found("某甲|1.2|3-5|某乙的范围|6-9") or [None]
    assert mixed is None or mixed.doubt


def test_the_head_gives_title_sex_and_age():
    lines = ("某医院生化检验报告单", "姓名：某某|性 别：女|年龄：30岁", "检验项目：肝功能")
    assert read_head(group_lines(boxes_of(*lines))) == {"report_type": "肝功能", "sex": "女", "age": "30岁"}
    lines = ("Name: X|Sex: Male|Age: 46", "Age/Sex : 29 Years MALE", "Age 29 Male", "Age: 29 Y|By: Dr. M Khan")
    assert [read_head(group_lines(boxes_of(line)))["sex"] for line in lines] == ["男", "男", "男", None]
    assert read_head(group_lines(boxes_of("陈某某 男 56岁")))["age"] == "56岁"


def test_an_age_printed_under_its_label_is_read_and_the_next_label_is_none():
    head = read_head(page({50: "Age/Sex :", 400: "Registration Date:"}, {50: "23 (Y) / M", 400: "17-Sep-2023 18:52"}))
    assert (head["sex"], head["age"]) == ("男", "23")


def test_an_english_urine_sheet_says_so_in_its_table_and_a_sheet_with_blood_on_it_does_not():
    urine = ("Test|Result|Ref. Range", "URINE EXAMINATION", "pH|6.0|4.7-7.5")
    titles = {
        read_head(group_lines(boxes_of(*urine, *last)))["report_type"] for last in ((), ("Dr. Khan MD, Haematology",))
    }
    assert titles == {"URINE EXAMINATION"}
    for blood in ("Hemogram, Whole Blood", "Potassium|6.9|3.5-5.1"):
        assert read_head(group_lines(boxes_of(*urine, blood)))["report_type"] == ""


@pytest.mark.parametrize(
    "said", ["Urine chemistry", "Specimen: Urine, random", "Sample type: Spot urine", "Source: URINE"]
)
def test_a_head_that_names_urine_makes_creatinine_that_of_urine(said):
    """没有印范围时按血的比，正常的尿肌酐就成了危急值。"""
    lines = group_lines(boxes_of("Lab Report", f"Sex: M|{said}", "Test|Result|Units", "Creatinine|9800|umol/L"))
    assert "urin" in read_head(lines, read_origin(lines))["report_type"].lower()
    both = group_lines(boxes_of("Lab Report", "Specimen: Urine, serum", "Test|Result|Units", "Creatinine|98|umol/L"))
    assert read_head(both, read_origin(both))["report_type"] == ""


@pytest.mark.parametrize(
    ("line", "age"),
    [
        *(
            (f"年龄：{age}|床号：3", age)
            for age in ("45岁", "1岁6月", "3岁2月5天", "20周", "12天", "7日龄", "半岁", "1岁半", "1.5岁")
        ),
        *((f"年龄：{age}|床号：3", age) for age in ("新生儿", "四十五岁", "36小时", "18M", "3Y2M", "0岁", "65")),
        *(("年龄：|1岁6月|性别：|男", "1岁6月"), ("年龄:3 岁 2 月", "3岁2月"), ("年 龄 56 岁", "56岁")),
        *(
            ("Age: 6 years  Sex: F", "6 years"),
            ("Age/Sex: 52 Y / Male", "52Y"),
            ("Age: 3 mos", "3 mos"),
            ("Age: 46", "46"),
        ),
        *(("性别/年龄：女/34岁", "34岁"), ("Sex/Age: F/34", "34"), ("日龄：5", "5天"), ("月龄：6", "6个月")),
        *(("胎龄：38周|年龄：2天", "2天"), ("姓名：李某之子|新生儿|男", "新生儿"), ("陈某某 男 1岁6个月", "1岁6个月")),
        # 看不懂的照抄，好知道印过
        *(("年龄：4?岁|科别：内科", "4?岁"), ("年龄 O岁", "O岁")),
        *(("年龄：|性别：男", None), ("年龄：-|性别：男", None), ("年龄>50岁：1-2", None), ("年龄18-60岁", None)),
    ],
)
def test_the_age_is_read_whole(line, age):
    assert read_head(group_lines(boxes_of("检验项目：血常规", line)))["age"] == age


@pytest.mark.parametrize(
    ("heads", "sex", "age", "said"),
    [
        (["姓名:李某|性别:女|年龄:33岁", "姓名:王某|性别:男|年龄:71岁"], None, "33岁 或 71岁",
         "性别（女、男）、年龄（33岁、71岁）"),
        (["姓名:李某 性别:女 年龄:33岁|姓名:王某 性别:男 年龄:71岁"], None, "33岁 或 71岁", "性别（女、男）、年龄"),
        (["Name: DOE, A|Sex: M|Age: 46 y", "Name: ROE, B|Sex: M|Age: 3 y"], "男", "46y 或 3y", "不同的年龄（46y、3y）"),
        (["姓名:李某|性别:女|年龄:33岁", "姓名:王小明|性别:女|年龄:33岁"], "女", "33岁", "不同的姓名"),
        (["姓名:李某|性别:女|年龄:3月", "姓名:李某|性别:女|年龄:3个月"], "女", "3月", ""),
        (["姓名:李某某|性别:女|年龄:33岁", "检验者姓名:王大明", "年龄:0-14岁 3.5-9.5"], "女", "33岁", ""),
    ],
)  # fmt: skip
def test_the_sex_and_age_of_one_person_are_not_those_of_another_on_the_page(heads, sex, age, said):
    lines = group_lines(boxes_of(heads[0], "项目|结果|单位|参考范围", "钾|4.1|mmol/L|3.5-5.3", *heads[1:]))
    head = read_head(lines)
    assert (head["sex"], head["age"]) == (sex, age)
    words = " ".join(several_people(lines))
    assert said in words and bool(said) == bool(words)


def test_names_and_values_of_the_head_on_two_lines():
    head = read_head(group_lines(boxes_of("姓名|性别|年龄|科别", "张三|女|34岁|内科")))
    assert (head["sex"], head["age"]) == ("女", "34岁")


@pytest.mark.parametrize(
    ("lines", "report_type"),
    [
        (("姓名：某某|女|28岁|孕28周",), "血常规 孕28周"),
        (("女|28岁|科室：产科门诊|床号：3",), "血常规 产科"),
        (("女|28岁|科室：妇产科|临床诊断：孕32+3周 妊娠期糖尿病",), "血常规 孕32周"),
        (("孕周：28+3|科别：内科",), "血常规 孕28周"),
        (("诊断：妊娠合并尿路感染",), "血常规 孕妇"),
        # 不是孕妇的
        (("女|28岁|科室：妇产科|诊断：早孕？",), "血常规"),
        (("孕周：0|科别：内科",), "血常规"),
        (("科别：产科|诊断：产后出血",), "血常规"),
        (("男|2天|科室：产科",), "血常规"),
        # 项目名与参考范围里的字不算
        (("项目|结果|单位|参考范围", "孕酮|1.2|ng/mL|妊娠12周 5-20", "妊娠试验|阴性"), "血常规"),
        # 没有印年龄的孩子
        (("科别：新生儿科|床号：2",), "血常规 新生儿科"),
        (("科别：儿科|年龄：3岁",), "血常规"),
    ],
)
def test_the_head_says_whether_it_is_about_a_pregnant_woman_or_a_child(lines, report_type):
    assert read_head(group_lines(boxes_of("检验项目：血常规", *lines)))["report_type"] == report_type


@pytest.mark.parametrize(
    ("lines", "accepted"),
    [
        (("项目|结果|参考范围", "白细胞计数|6.1|3.5-9.5"), True),
        (("检验报告单", "项目|结果|参考范围", "某罕见指标|6.1|3.5-9.5"), True),
        (("项目|单价|金额", "血常规|25.00|25.00", "铁蛋白|40|40"), False),
        (("科目|成绩", "语文|95", "数学|88"), False),
        (("检验报告单", "项目|结果|参考范围", "白细胞计数||3.5-9.5", "血红蛋白||115-150"), False),
        (("采样要求", "项目|标本量", "铁蛋白|3 mL"), False),
    ],
)
def test_what_is_a_lab_report(lines, accepted):
    grouped = group_lines(boxes_of(*lines))
    assert is_lab_report(grouped, [row for table in find_tables(grouped) for row in find_rows(table)]) is accepted


def drawn(shape: str) -> np.ndarray:
    image = Image.new("L", (60, 60), 250)
    draw = ImageDraw.Draw(image)
    if shape == "|":
        draw.line([(30, 12), (30, 44)], fill=20, width=3)
    if shape in ("-", "+", "↓"):
        draw.line([(22, 30), (38, 30)], fill=20, width=3)
    if shape in ("+", "↓"):
        draw.line([(30, 22), (30, 38 if shape == "+" else 56)], fill=20, width=3)
    if shape == "*":
        draw.line([(22, 22), (38, 38)], fill=20, width=3)
        draw.line([(22, 38), (38, 22)], fill=20, width=3)
        draw.line([(22, 30), (38, 30)], fill=20, width=3)
        draw.line([(30, 22), (30, 38)], fill=20, width=3)
    return np.asarray(image)


@pytest.mark.parametrize(("shape", "dash"), [("-", "-"), ("+", "+"), ("|", ""), ("↓", ""), ("*", ""), (" ", "")])
def test_lone_signs_are_seen(shape, dash):
    assert find_signs(drawn(shape), (0, 0, 60, 60), text_height=34) == dash
