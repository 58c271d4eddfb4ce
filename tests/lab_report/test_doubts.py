"""看上去读好了、其实不可信的行：被切掉的、比不得高低的、写法有两种意思的。文字框是造的，不经文字识别。"""

import numpy as np
import pytest
from lab_report.text_boxes import box

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.reader import read_boxes
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.report import LabItem, PrintedField, PrintedRow, Reading, ReadReport, ReadRow

PAPER = 1000


def read(
    *lines: dict[float, str],
    title: str = "检验报告单",
    has_ink_at_edge: bool = False,
    undetected: tuple[tuple[float, int, int, int], ...] = (),
    notices: list[str] | None = None,
) -> list[LabItem]:
    """undetected 是画着而没有找到的墨迹：左端、第几行、宽、高；读的时候的提示放进 notices。"""
    boxes = [box(title, 300, 40)]
    boxes += [box(text, x, 100 + 50 * at) for at, line in enumerate(lines) for x, text in sorted(line.items())]
    quads = np.array([[[b.x0, b.y0], [b.x1, b.y0], [b.x1, b.y1], [b.x0, b.y1]] for b in boxes], np.float32)
    pixels = np.full((PAPER, PAPER, 3), 255, np.uint8)
    for one in boxes:  # 字：一道黑
        pixels[int(one.line) - 3 : int(one.line) + 3, int(one.x0) + 8 : int(one.x1) - 8 * (not has_ink_at_edge)] = 0
    for x, at, width, height in undetected:
        top = 100 + 50 * at - height // 2
        pixels[top : top + height, int(x) : int(x) + width] = 0
    page = Page(pixels, quads, np.eye(3))
    reading = read_boxes(page, boxes)
    if notices is not None:
        notices += reading.notices
    return assess(reading).items


def judged(*rows: tuple[str, ...], **report) -> list[str]:
    """一行是名称、结果、范围，也许还有标记。"""
    fields = ("name", "result", "reference_range", "mark")
    items = [ReadRow(**dict(zip(fields, row, strict=False)), confidence=0.99) for row in rows]
    return [item.flag for item in assess(Reading(items=items, **report)).items]


def test_a_last_1_beyond_the_decimals_of_the_range_is_a_digit_on_a_sheet_that_marks_nothing():
    red, volume = ("红细胞", "4.41", "4.5-5.5"), ("某某体积", "81.7", "83-101")
    assert judged(red, volume) == ["low", "low"]
    assert judged(red, ("某某体积", "84.7", "83-101")) == ["unknown", "normal"]
    # 另一个也可能带着箭头的，不作证
    assert judged(red, ("某某体积", "5.661", "1.15-4.50")) == ["unknown", "unknown"]


ALIKE = [(f"某某指标{at}", "4.2", "3.5-9.5") for at in range(6)]
MARKED = [("钾", "5.9", "3.5-5.3", "↑"), ("氯", "98.0", "99.0-110.0", "↓")]


@pytest.mark.parametrize(
    ("row", "others", "flag"),
    [
        (("单核细胞百分比", "22", "3.0-10.0"), ALIKE, "unknown"),  # 是 2.2：偏低
        (("单核细胞百分比", "22", "3.0-10.0", "↑"), ALIKE, "high"),
        (("单核细胞百分比", "5", "3.0-10.0"), ALIKE, "normal"),
        (("单核细胞百分比", "22", "3.0-10.0"), [(f"整数{at}", "4", "3.5-9.5") for at in "甲乙"] + ALIKE, "high"),
        (("红细胞", "250", "4.30-5.80", "?"), [], "unknown"),  # 没有认出的标记不是偏高的佐证
        (("红细胞", "250", "4.30-5.80", "↑"), [], "high"),
    ],
)  # fmt: skip
def test_a_result_without_the_decimals_that_all_others_have_is_doubted(row, others, flag):
    assert judged(row, *others, *MARKED)[0] == flag


@pytest.mark.parametrize(("result", "flag"), [("2301", "unknown"), ("2302", "high"), ("251", "high")])
def test_a_whole_number_may_end_in_an_arrow_where_other_rows_have_marks(result, flag):
    assert judged(("碱性磷酸酶", result, "35-100"), ("总蛋白", "58", "65-85", "↓")) == [flag, "low"]


def test_a_titre_is_no_risk():
    assert judged(("抗核抗体", "1:320", "<1:100"), ("抗核抗体", "1:40", "<1:100")) == ["high", "normal"]


def test_commas_between_numbers_are_no_decimal_commas():
    rows = [("甲", "1.87", "(2.5,4.5)"), ("乙", "1,286", "≤1400.0"), ("丙", "30", "50岁以下≤450,50~75岁≤900")]
    assert judged(*rows) == ["low", "normal", "normal"]
    assert judged(("甲", "5,31", "0,270-4,200"), ("乙", "2,500", "0,270-4,200")) == ["high", "unknown"]


HEAD = {50: "检验项目", 400: "结果", 600: "单位", 850: "参考范围"}


def test_ranges_cut_by_the_edge_of_the_paper_are_doubted():
    """范围的末尾都切在同一处：`13.5-17.5` 只剩 `13.5-17`，看上去仍是个范围。"""
    ranges = {"指标甲": "4.4-7", "指标乙": "8.6-10", "指标丙": "13.5-17"}
    lines = [{50: name, 400: "6.1", 600: "g/L", 950 - 11 * len(limits): limits} for name, limits in ranges.items()]
    assert {item.flag for item in read(HEAD, *lines)} == {"unknown"}
    whole = {"指标甲": "4.4-7.0", "指标乙": "5.6-10.0", "指标丙": "3.5-17"}
    lines = [{50: name, 400: "6.1", 600: "g/L", 950 - 11 * len(limits): limits} for name, limits in whole.items()]
    assert "unknown" not in {item.flag for item in read(HEAD, *lines)}


def test_a_range_that_touches_the_edge_of_the_photo_is_doubted():
    """框比字大一圈：框碰到边而字没有碰到的，是截图的边留得窄。"""
    line = {50: "某指标", 400: "6.1", 600: "g/L"}
    at_edge = {**line, PAPER - 11 * 7: "3.5-9.5"}
    assert [item.flag for item in read(HEAD, at_edge, has_ink_at_edge=True)] == ["unknown"]
    assert [item.flag for item in read(HEAD, at_edge)] == ["normal"]
    assert [item.flag for item in read(HEAD, {**line, 850: "3.5-9.5"}, has_ink_at_edge=True)] == ["normal"]


@pytest.mark.parametrize("left", ["3.5-", "3.5-9", "3.5-9.", "3.", "9.0--5"])
def test_half_a_range_at_the_edge_is_no_range_and_a_printed_mark_still_counts(left):
    """`3.5-9.5` 拍到 `3.5-9` 为止：不与半截比；印着标记的听它的，没有的不判断。离边远的照旧。"""
    at, line = PAPER - 11 * len(left) - 4, {50: "某指标", 400: "9.9", 600: "g/L"}
    items = read(HEAD, {**line, at: left}, {**line, 400: "9.9 H", at: left})
    assert [(item.reference_range, item.flag) for item in items] == [(left + "…", "unknown"), (left + "…", "high")]
    assert [item.flag for item in read(HEAD, {**line, at - 100: "3.5-9"})] == ["high"]


@pytest.mark.parametrize(
    "result",
    [
        "7.2", "↑7.2", "7.2↑", "*7.2", "H 7.2", "7.2▲", "7.2 ↑危急值", "7.2(已复查)", "7.2，已复查", "7.2 复核",
        "↑7.2（已复查）", "7.2↑已复查",
    ],
)  # fmt: skip
def test_a_mark_or_a_remark_beside_a_number_does_not_hide_it(result):
    row = PrintedRow(name="钾", code="K", result=result, unit="mmol/L", reference_range="3.5-5.3")
    seen = assess(ReadReport(report_type="生化", items=[row])).items[0]
    assert (seen.flag, seen.critical, seen.result) == ("high", True, "7.2")


def test_ink_under_the_heading_of_marks_that_was_not_read_forbids_normal():
    head = {50: "项目", 300: "结果", 450: "提示", 600: "参考范围"}
    lines = [head, {50: "甲", 300: "5.1", 600: "3.5-9.5"}, {50: "乙", 300: "8.1", 600: "3.5-7.5"},
             {50: "丙", 300: "6.1", 600: "3.5-9.5"}]  # fmt: skip
    marked = read(*lines, undetected=((460, 1, 8, 14), (460, 2, 8, 14), (460, 3, 14, 2)))
    assert [item.flag for item in marked] == ["unknown", "high", "normal"]


def test_a_dash_on_a_strip_that_prints_plus_signs_is_negative():
    strip = [{50: "GLU", 300: "+-"}, {50: "BIL"}, {50: "SG", 300: "1.015"}, {50: "PRO", 300: "2+"}]
    dash = ((305, 1, 10, 3),)
    assert [item.result for item in read(*strip, title="尿液分析仪", undetected=dash)] == ["+-", "-", "1.015", "2+"]
    no_signs = [{50: "GLU", 300: "5.1", 450: "mmol/L"}, {50: "BIL"}, {50: "SG", 300: "1.015"}]
    assert [item.result for item in read(*no_signs, title="尿液分析仪", undetected=dash)] == ["5.1", "", "1.015"]


def test_an_arrow_that_the_pixels_do_not_show_still_forbids_normal():
    head = {50: "项目", 300: "结果", 450: "提示", 600: "参考范围"}
    rows = [{50: "甲", 300: "5.1", 450: "↑", 600: "3.5-9.5"}, {50: "乙", 300: "112", 450: "↑", 600: "83-108"}]
    assert [item.flag for item in read(head, *rows)] == ["unknown", "high"]


def test_a_dash_is_the_range_beside_pluses():
    head = {50: "项目", 300: "结果", 600: "参考范围"}
    rows = [{50: "酮体", 300: "3+"}, {50: "蛋白质", 300: "阴性", 600: "阴性"}]
    items = read(head, *rows, title="尿液分析", undetected=((620, 1, 10, 3),))
    assert [(item.reference_range, item.flag) for item in items] == [("-", "abnormal"), ("阴性", "normal")]


@pytest.mark.parametrize(
    ("rows", "flags"),
    [
        ((("补体C3", ".42", ".90-1.80"), ("补体C4", ".06", ".10-.40")), ["low", "low"]),
        ((("钾", ".4", "3.5-5.3"), ("钠", "140", "137-147")), ["unknown", "normal"]),
        ((("补体C3", ".42", ".90-1.80"), ("补体C4", "0.16", "0.10-0.40")), ["unknown", "normal"]),
    ],
)
def test_a_point_without_a_digit_before_it_is_believed_where_the_sheet_prints_it_so(rows, flags):
    assert judged(*rows) == flags


def test_the_specimen_in_the_letterhead_tells_urine_from_blood():
    origin = {"specimen": PrintedField(value="尿液")}
    assert judged(("酸碱度", "5.0"), origin=origin) == ["normal"]
    assert judged(("酸碱度", "5.0")) == ["unknown"]


def test_a_last_1_is_believed_where_other_rows_have_finer_numbers_too():
    rows = [("甲胎蛋白", "1.93", "≤7.0"), ("癌胚抗原", "38.61", "≤5.0")]
    assert judged(*rows) == ["normal", "high"]
    assert judged(("甲胎蛋白", "1.9", "≤7.0"), ("癌胚抗原", "38.61", "≤5.0")) == ["normal", "unknown"]


def test_a_1_before_the_point_is_no_arrow():
    assert judged(("比重", "1.035", "1.003-1.030"), ("总蛋白", "58", "65-85", "↓")) == ["high", "low"]


@pytest.mark.parametrize(
    ("count", "mark", "flag"), [("1.02", None, "unknown"), ("1.02", "L", "low"), ("0.15", None, "low")]
)
def test_a_row_that_the_sheet_does_not_mark_is_not_abnormal_by_the_catalogue_alone(count, mark, flag):
    """指尖血的小票：没有范围，只在异常的旁边印 H、L。很低的照样说。"""
    rows = [("白细胞计数", "12.8", "H"), ("淋巴细胞绝对值", count, mark)]
    items = [ReadRow(name=a, result=b, unit="10^9/L", mark=printed, confidence=0.99) for a, b, printed in rows]
    found = assess(Reading(report_type="血常规", age="30岁", items=items)).items
    assert [item.flag for item in found] == ["high", flag]


def test_a_plus_minus_is_abnormal_though_only_other_rows_are_marked():
    assert judged(("尿蛋白", "+-"), ("尿胆原", "3+", "", "*"), report_type="尿液分析")[0] == "abnormal"


@pytest.mark.parametrize("has_dash", [True, False])
def test_an_unknown_name_beside_a_lone_dash_is_counted_and_a_title_between_the_items_is_not(has_dash):
    head, potassium = {50: "项目", 300: "结果", 500: "参考范围"}, {50: "钾", 300: "4.0", 500: "3.5-5.3"}
    notices: list[str] = []
    lines = head, potassium, {50: "某某碱"}, potassium | {50: "钠", 300: "140", 500: "137-147"}
    read(*lines, undetected=((306, 2, 10, 3),) if has_dash else (), notices=notices)
    assert any("没有读成" in notice for notice in notices) == has_dash


def test_bars_beside_the_serials_do_not_hide_a_dash_that_is_drawn():
    head = {20: "序号", 120: "项目", 620: "结果", 900: "参考范围"}
    names = ["|1|尿蛋白", "|2|葡萄糖", "|3|酮体", "|4|亚硝酸盐"]
    rows = [{20: name, 900: "阴性"} | ({620: "阳性"} if at else {}) for at, name in enumerate(names)]
    items = read(head, *rows, title="尿液分析", undetected=((630, 1, 10, 3),))
    assert [(item.name, item.result) for item in items][:2] == [("尿蛋白", "-"), ("葡萄糖", "阳性")]
