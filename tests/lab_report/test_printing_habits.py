"""整张单子的印法：结果前面的一横，用冒号连着的范围，没有名称的分档说明。文字框是造的。"""

import pytest
from lab_report.text_boxes import page

from health_assistant.lab_report.reading.printing_habits import without_habits


def texts(lines: list[dict[float, str]]) -> list[str]:
    return [one.text for one in without_habits([one for line in page(*lines) for one in line])]


def test_a_dash_before_each_result_is_no_result():
    lines = [{50: "Glucose", 300: "- Absent"}, {50: "Protein", 300: "- Trace"}, {50: "Blood", 300: "-Present ++"}]
    assert texts(lines) == ["Glucose", "Absent", "Protein", "Trace", "Blood", "Present ++"]


@pytest.mark.parametrize("values", [["-2.5", "-1.0", "-3.1"], ["-", "-", "-"], ["- Absent", "- Trace", "2.5"]])
def test_negative_numbers_lone_dashes_and_one_or_two_of_them_stay(values):
    lines = [{50: "碱剩余", 300: value} for value in values]
    assert texts(lines)[1::2] == values


def test_ranges_of_a_whole_column_joined_by_colons_are_ranges():
    ranges = ["4.7:6", "13.5:18", "78:99", "140:440", "1:8"]
    assert texts([{300: one} for one in ranges]) == ["4.7-6", "13.5-18", "78-99", "140-440", "1-8"]


@pytest.mark.parametrize(
    "column", [["08:30", "09:15", "10:40", "11:05"], ["1:320", "阴性", "1:80", "阴性"], ["6:4.7"] * 5]
)
def test_clocks_titres_and_upside_down_pairs_stay(column):
    assert texts([{300: one} for one in column]) == column


def test_a_one_character_result_beside_its_range_is_no_badge():
    lines = [
        {50: name, 300: text[0], 340: text} for name, text in (("颜色", "黄色"), ("透明度", "清亮"), ("蛋白", "阴性"))
    ]
    assert texts(lines)[1::3] == ["黄", "清", "阴"]


@pytest.mark.parametrize(
    "column",
    [{"高密度脂蛋白胆固醇", "高敏肌钙蛋白I", "高敏C反应蛋白"}, {"尿素", "尿酸", "尿素氮"}],
    ids=["标记", "标本"],
)
def test_a_column_of_marks_or_specimens_is_no_badge(column):
    names = sorted(column)
    assert texts([{50: name[0], 90: name} for name in names])[::2] == [name[0] for name in names]
