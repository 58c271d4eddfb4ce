"""别的医院的单子上见过的排法：名称与代号上下两行、脚注号、印章压着数……"""

import re

import numpy as np
import pytest
from lab_report.text_boxes import at_lines, box, grid, headed, page
from PIL import Image, ImageDraw

from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.interval import PartitionedInterval
from health_assistant.lab_report.reading.glyphs import count_raised
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.misreadings import repair_letters
from health_assistant.lab_report.reading.other_papers import refusal
from health_assistant.lab_report.reading.page_head import read_head
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.rendering.drawing import load_font
from health_assistant.lab_report.report import PrintedRow, ReadReport


def names_and_results(*lines) -> list[tuple[str, str, str]]:
    return [row_text(row)[:3] for row in find_rows(headed(at_lines(*lines)))]


def test_a_chinese_name_under_its_code_is_not_the_name_of_the_next_row():
    """POCT 的单子：代号与结果一行，中文名称在代号下面，离下一项的代号也不远。"""
    head = {50: "检验项目", 400: "结果", 600: "单位", 800: "参考值"}
    for gap in (0.4, 0.5):
        lines = [(0, head)]
        for at, (code, name, value, limits) in enumerate(
            [("cTnT", "血清肌钙蛋白T", "0.862", "0-0.014"), ("MYO", "肌红蛋白", "61.4", "28-72"),
             ("D-D", "D-二聚体", "0.31", "0-0.5"), ("LAC", "乳酸", "4.4", "0.5-2.2")]
        ):  # fmt: skip
            lines += [(1 + at, {50: code, 400: value, 600: "ng/mL", 800: limits}), (1 + at + gap, {50: name})]
        assert names_and_results(*lines) == [
            ("血清肌钙蛋白T", "cTnT", "0.862"), ("肌红蛋白", "MYO", "61.4"),
            ("D-二聚体", "D-D", "0.31"), ("乳酸", "LAC", "4.4"),
        ]  # fmt: skip


def test_a_section_under_a_row_known_by_its_code_is_not_its_name():
    head = {50: "项目", 400: "结果", 800: "参考值"}
    lines = [(0, head), (1, {50: "pH", 400: "7.40", 800: "7.35-7.45"}), (2, {50: "pO2", 400: "90", 800: "80-100"}),
             (3, {50: "电解质"}), (4, {50: "K+", 400: "4.0", 800: "3.5-5.3"}),
             (5, {50: "Na+", 400: "140", 800: "137-147"})]  # fmt: skip
    assert [result for _, _, result in names_and_results(*lines)] == ["7.40", "90", "4.0", "140"]
    assert "电解质" not in {name for name, _, _ in names_and_results(*lines)}


def test_a_worded_result_above_a_code_with_its_own_result_takes_nothing_from_it():
    head = {50: "项目", 400: "结果", 800: "参考值"}
    lines = [(0, head), (1, {50: "抗核抗体", 400: "1:1280", 800: "<1:100"}), (2, {50: "核型", 400: "均质型"}),
             (3, {50: "ASO", 400: "1:400", 800: "<1:200"})]  # fmt: skip
    assert [result for _, _, result in names_and_results(*lines)] == ["1:1280", "均质型", "1:400"]


def seated(head: dict[float, str], *lines: dict[float, str]) -> list[Row]:
    return find_rows(headed(page(head, *lines)))


def rows_under(head: dict[float, str], *lines: dict[float, str]) -> list[tuple[str, ...]]:
    return [row_text(row) for row in seated(head, *lines)]


@pytest.mark.parametrize("words", [("参考值(男)", "参考值(女)"), ("参考范围 女", "参考范围 男"), ("Male", "Female")])
def test_ranges_of_men_and_women_in_two_columns_are_one_range_by_sex(words):
    words = [f"Ref. range {word}" if word.isascii() else word for word in words]
    head = {50: "项目", 250: "结果", 400: "单位", 550: words[0], 800: words[1]}
    rows = rows_under(
        head,
        {50: "血红蛋白", 250: "128", 400: "g/L", 550: "130-175", 800: "115-150"},
        {50: "肌酐", 250: "88", 400: "μmol/L", 550: "57-111", 800: "41-81"},
    )
    for (*_, limits), high in zip(rows, ("150", "81"), strict=True):
        parsed = parse_range(limits)
        assert isinstance(parsed, PartitionedInterval), limits
        left, right = limits.split(",")
        assert left.endswith(("175", "111")) and right.endswith(high)
        assert re.search("男|Male", left if words[0] in ("参考值(男)", "Ref. range Male") else right)


@pytest.mark.parametrize("heads", [("定量结果", "定性结果"), ("定性结果", "检测结果"), ("定性", "定量")])
def test_a_column_of_words_beside_one_of_numbers_is_no_second_result(heads):
    values = {"定量结果": "1.32", "检测结果": "1.32", "定量": "1.32", "定性结果": "阳性", "定性": "阳性"}
    head = {50: "检验项目", 300: heads[0], 450: heads[1], 600: "参考范围"}
    line = {50: "巨细胞病毒抗体IgM", 300: values[heads[0]], 450: values[heads[1]], 600: "<0.70"}
    (row,) = find_rows(headed(at_lines((0, head), (1, line))))
    assert (row.result.text, row.doubt) == ("1.32", None)


def test_a_text_result_in_the_last_line_does_not_vanish_and_a_name_below_is_no_row():
    head = {50: "参数", 300: "检测值", 450: "单位", 600: "参考值"}
    lines = [
        {50: "精液量", 300: "2.1", 450: "mL", 600: "≥1.5"}, {50: "液化时间", 300: "45", 450: "min", 600: "≤60"},
        {50: "pH", 300: "7.4", 600: "≥7.2"}, {50: "凝集", 300: "无", 600: "无"}, {50: "气味", 300: "腥味"},
    ]  # fmt: skip
    assert [row[0] for row in rows_under(head, *lines, {50: "主检", 420: "安宁"})] == [
        "精液量", "液化时间", "pH", "凝集", "气味",
    ]  # fmt: skip


def test_the_legend_of_classes_is_no_row_and_its_unit_no_second_result():
    head = {50: "过敏原", 300: "浓度", 450: "单位", 600: "级别", 750: "参考值"}
    rows = find_rows(headed(at_lines(
        (0, head),
        (1, {50: "狗毛", 300: "0.35", 450: "1U/mL", 600: "1", 750: "<0.35"}),
        (2, {50: "牛奶", 300: "2.44", 450: "IU/mL", 600: "2", 750: "<0.35"}),
        (3, {50: "级别", 200: "0", 300: "1", 450: "2", 600: "3", 750: "4"}),
        (4, {50: "浓度", 200: "<0.35", 300: "0.35-0.7", 450: "0.7-3.5", 600: "3.5-17.5", 750: "17.5-50"}),
        (5, {50: "程度", 200: "无", 300: "低", 450: "增加", 600: "显著增加", 750: "高"}),
        (6, {50: "海鲜", 300: "0.50", 450: "IU/mL", 600: "1", 750: "<0.35"}),
    )))  # fmt: skip
    assert [(row.name.text, row.result.text, row.unit.text, row.doubt) for row in rows] == [
        ("狗毛", "0.35", "IU/mL", None), ("牛奶", "2.44", "IU/mL", None), ("海鲜", "0.50", "IU/mL", None),
    ]  # fmt: skip


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


def test_a_code_column_without_a_heading_is_no_result():
    """自助机的小票：代号一列没有表头，阴性只印一横，文字识别读不到。"""
    rows = rows_under(
        {50: "项目", 500: "结果", 700: "参考值"},
        {50: "尿蛋白", 300: "PRO", 700: "阴性"},
        {50: "酮体", 300: "KET", 700: "阴性"},
        {50: "隐血", 300: "BLD", 500: "2+", 700: "阴性"},
        {50: "尿胆原", 300: "UBG", 500: "Normal", 700: "Normal"},
    )
    assert [row[:3] for row in rows] == [
        ("尿蛋白", "PRO", ""), ("酮体", "KET", ""), ("隐血", "BLD", "2+"), ("尿胆原", "UBG", "Normal"),
    ]  # fmt: skip
    # 真是结果的字母不当作代号
    blood = rows_under(
        {50: "项目", 500: "结果", 700: "参考值"}, {50: "ABO血型", 490: "B"}, {50: "血糖", 500: "5", 700: "4-6"}
    )
    assert blood[0][:3] == ("ABO血型", "", "B")


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


def test_names_with_a_colon_before_their_value():
    """荧光仪的小票：`名称: 数 单位 箭头`，下一行括号里是参考值。"""
    rows = headless_rows(
        "样本号: 0007", "性别:男|年龄:61",
        "cTnI: 2.31 ng/mL ↑", "(参考值: <0.1 ng/mL)", "CK-MB: 38.6 ng/mL ↑", "（参考值：<5 ng/mL）",
        "NT-proBNP: 184 pg/mL", "(参考值: <300 pg/mL)", "某比值: 8.1 ↑ % [5.0-7.0]", "检测者: 12",
    )  # fmt: skip
    assert [(row_text(row)[0], row_text(row)[2], row_text(row)[4], row.doubt) for row in rows] == [
        ("cTnI", "2.31", "<0.1", None), ("CK-MB", "38.6", "<5", None), ("NT-proBNP", "184", "<300", None),
        ("某比值", "8.1", "[5.0-7.0]", None),
    ]  # fmt: skip


def test_the_name_of_a_group_before_the_name_of_a_test_is_kept_with_it():
    rows = headless_rows("早幼粒细胞|3.0|0.4-3.9", "系统|某幼红细胞|14.5|5.2-17.5", "中幼红细胞|17.0|2.6-10.7")
    assert [row.name.text for row in rows] == ["早幼粒细胞", "系统 某幼红细胞", "中幼红细胞"]


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


def test_the_code_under_the_value_belongs_to_the_name_above_it():
    """手机上名称、结果、代号各占一行。"""
    head = {50: "项目", 400: "结果", 700: "参考值"}
    lines = [(0, head)]
    for at, (name, value, limits, code) in enumerate(
        [("游离T3", "4.61", "3.10-6.80", "FT3"), ("促甲状腺素", "18.720", "0.270-4.200", "TSH")]
    ):
        top = 2 + 3 * at
        lines += [(top, {50: name}), (top + 0.6, {400: value, 700: limits}), (top + 1.2, {50: code})]
    assert names_and_results(*lines) == [("游离T3", "FT3", "4.61"), ("促甲状腺素", "TSH", "18.720")]


def test_a_range_in_words_beside_one_in_numbers_is_no_second_range():
    head = {50: "项目名称", 300: "定性", 450: "定量", 600: "定性参考", 800: "定量参考"}
    line = {50: "乙肝表面抗原", 300: "阳性(+)", 450: "2856.40", 600: "阴性", 800: "0.00-0.05"}
    (row,) = find_rows(headed(at_lines((0, head), (1, line))))
    assert (row.result.text, [box.text for box in row.limits], row.doubt) == ("2856.40", ["0.00-0.05"], None)


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


def test_labels_of_drug_levels_are_no_part_of_name_and_range():
    """血药浓度：`监测项目：丙戊酸 34.2 μg/mL`，下一行是 `有效浓度范围：50.0-100.0 μg/mL`。"""
    lines = [(at, line) for k, (name, value) in enumerate([("万古霉素谷浓度", "28.64"), ("丙戊酸", "34.2")])
             for at, line in ((3 * k, {50: f"监测项目:{name}", 500: value, 650: "mg/L"}),
                              (3 * k + 1, {50: "有效浓度范围:50.0-100.0 mg/L"}))]  # fmt: skip
    found = [row_text(row) for table in find_tables(at_lines(*lines)) for row in find_rows(table)]
    assert [(name, result, limits) for name, _, result, _, limits in found] == [
        ("万古霉素谷浓度", "28.64", "50.0-100.0"), ("丙戊酸", "34.2", "50.0-100.0"),
    ]  # fmt: skip


def test_a_mark_under_a_heading_that_is_not_known_is_a_mark():
    head = {50: "檢驗項目", 300: "結果", 500: "註記欄", 700: "參考值"}
    rows = seated(head, {50: "肌酸酐", 300: "2.3", 500: "高", 700: "0.7-1.3"}, {50: "尿素氮", 300: "14", 700: "7-20"})
    assert [row.mark and row.mark.text for row in rows] == ["高", None]


def test_a_risk_in_numbers_is_read_beside_the_verdict_in_words():
    head = {50: "筛查项目", 400: "风险值", 600: "截断值", 800: "筛查结果"}
    (row,) = seated(head, {50: "21-三体综合征风险值", 400: "1:86", 600: "<1:270", 800: "高风险"})
    assert (row.result.text, row.limits[0].text, row.doubt) == ("1:86", "<1:270", None)


def test_an_explanation_or_a_stamp_beside_a_word_is_no_second_result():
    head = {50: "检测项目", 300: "检测结果", 500: "参考值", 800: "结果解释"}
    (row,) = seated(head, {50: "CYP2C19*3", 300: "GG", 500: "GG", 800: "野生型"})
    assert (row.result.text, row.doubt) == ("GG", None)
    (row,) = seated(
        {50: "检测项目", 300: "结果", 600: "参考值"}, {50: "交叉配血", 300: "相合", 370: "已复核", 600: "相合"}
    )
    assert (row.result.text, row.doubt) == ("相合", None)


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


def test_the_two_ends_of_a_scale_are_the_range():
    """体检应用：范围条底下 `偏低 0.27 正常 4.20 偏高`。"""
    lines = [line for at, (name, value) in enumerate([("促甲状腺激素", "2.14"), ("游离T3", "4.86")])
             for line in ((3 * at, {50: name, 700: value, 850: "mIU/L"}),
                          (3 * at + 1, {150: "偏低", 350: "0.27", 500: "正常", 650: "4.20", 850: "偏高"}))]  # fmt: skip
    rows = [row for table in find_tables(at_lines(*lines)) for row in find_rows(table)]
    assert [(row.result.text, row.limits[0].text, row.mark) for row in rows] == [
        ("2.14", "0.27-4.20", None), ("4.86", "0.27-4.20", None),
    ]  # fmt: skip
