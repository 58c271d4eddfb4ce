"""横着排的表（一列是一个项目）转成一行一个项目；平常的表一格也不动。文字框是造的。"""

import pytest
from lab_report.text_boxes import box, grid

from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.row import row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.reading.transposed import turn_transposed

BY_DATE = [
    ["检验日期", "钾 mmol/L", "钠 mmol/L", "肌酐 μmol/L"],
    ["2026-05-01 08:10", "3.2", "138", "88"],
    ["2026-05-03 08:15", "3.6", "139", "132↑"],
    ["参考范围", "3.5-5.3", "137-147", "57-97"],
]
BANDS = [
    ["谷丙转氨酶", "谷草转氨酶", "总胆红素"],
    ["85", "30", "15.2"],
    ["U/L", "U/L", "μmol/L"],
    ["9-50", "15-40", "0-26"],
    ["尿素", "肌酐", "尿酸"],
    ["5.2", "130", "500"],
    ["mmol/L", "μmol/L", "μmol/L"],
    ["3.1-8.0", "57-97", "208-428"],
]
ONE_DAY = [
    ["检验日期", "钾 mmol/L", "钠 mmol/L", "肌酐 μmol/L"],
    ["2026-05-01 08:10", "3.2", "138", "88"],
    ["2026-05-03 08:15", "7.2", "139", "132"],
    ["2026-05-03 20:40", "4.1", "140", "120"],
    ["参考范围", "3.5-5.3", "137-147", "57-97"],
]
LOAD = [
    [" ", "葡萄糖 (mmol/L)", " ", "胰岛素(μIU/mL)", " "],
    ["采血时间"],
    [" ", "结果", "参考值", "结果", "参考值"],
    ["空腹", "5.1", "3.9-6.1", "18.9", "2.6-24.9"],
    ["120分钟", "11.6", "3.9-7.8", "148.3", "15.0-80.0"],
]
CURVE = [
    ["时间", "葡萄糖 mmol/L", "胰岛素 mU/L", "C肽 ng/mL"],
    ["空腹", "5.1", "8.0", "1.9"],
    ["1h", "8.5", "60", "8.0"],
    ["参考范围", "3.9-6.1", "2.6-24.9", "1.1-4.4"],
]
TWO_UNDATED = [["项目", "钾", "钠", "氯"], ["甲", "3.2", "138", "100"], ["乙", "3.6", "139", "101"]]
UPRIGHT = [["白细胞", "红细胞", "血小板"], ["项目", "结果", "单位"], ["钾", "4.1", "mmol/L"], ["钠", "139", "mmol/L"]]


def lines_of(texts):
    return group_lines(grid(texts, 240))


def rows_of(lines):
    return [row for table in find_tables(turn_transposed(lines)) for row in find_rows(table)]


@pytest.mark.parametrize(
    ("texts", "rows"),
    [
        (BY_DATE, ["钾 3.6 mmol/L 3.5-5.3", "钠 139 mmol/L 137-147", "肌酐 132 μmol/L 57-97"]),
        (BANDS, ["谷丙转氨酶 85 U/L 9-50", "谷草转氨酶 30 U/L 15-40", "总胆红素 15.2 μmol/L 0-26",
                 "尿素 5.2 mmol/L 3.1-8.0", "肌酐 130 μmol/L 57-97", "尿酸 500 μmol/L 208-428"]),
        (ONE_DAY, [f"{name}({clock}) {value}" for clock, values in (
                       ("08:15", ("7.2 mmol/L 3.5-5.3", "139 mmol/L 137-147", "132 μmol/L 57-97")),
                       ("20:40", ("4.1 mmol/L 3.5-5.3", "140 mmol/L 137-147", "120 μmol/L 57-97")))
                   for name, value in zip(("钾", "钠", "肌酐"), values, strict=True)]),
        (LOAD, ["葡萄糖(空腹) 5.1 mmol/L 3.9-6.1", "葡萄糖(120分钟) 11.6 mmol/L 3.9-7.8",
                "胰岛素(空腹) 18.9 μIU/mL 2.6-24.9", "胰岛素(120分钟) 148.3 μIU/mL 15.0-80.0"]),
        # 共用的范围是空腹的，服糖后的不能照它看；1h 不是代号 LH
        (CURVE, ["葡萄糖(空腹) 5.1 mmol/L 3.9-6.1", "胰岛素(空腹) 8.0 mU/L 2.6-24.9", "C肽(空腹) 1.9 ng/mL 1.1-4.4",
                 "葡萄糖(1小时) 8.5 mmol/L ", "胰岛素(1小时) 60 mU/L ", "C肽(1小时) 8.0 ng/mL "]),
    ],
)  # fmt: skip
def test_a_table_with_a_column_for_each_test_is_read(texts, rows):
    found = rows_of(lines_of([["东川医院检验报告单"], *texts, ["检验者：某甲", "审核者：某乙"]]))
    assert [" ".join((row_text(row)[0], *row_text(row)[2:])) for row in found] == rows
    assert not any(row.doubt for row in found)


def test_a_value_missing_on_the_newest_day_is_not_taken_from_the_day_before():
    lines = lines_of(BY_DATE)
    lines[2] = [one for one in lines[2] if one.text != "139"]
    sodium = next(row for row in rows_of(lines) if row.name.text == "钠")
    assert sodium.result is None


def test_arrows_in_boxes_of_their_own_do_not_make_a_line_too_long():
    lines = lines_of(BY_DATE)
    lines[2][1:] = [part for one in lines[2][1:] for part in (one, box("↑", one.end + 8, 180))]
    assert [row_text(row)[2] for row in rows_of(lines)] == ["3.6", "139", "132"]


def test_a_first_name_that_was_not_recognised_is_still_a_row():
    lines = lines_of([["项目", "钟", "钠", "氯", "肌酐"], ["结果", "7.9", "138", "100", "88"]])
    assert [row_text(row)[0] for row in rows_of(lines)] == ["钟", "钠", "氯", "肌酐"]


def test_names_of_one_character_near_each_other_are_two_names():
    texts = [["项目", "钾", "钠", "氯"], ["结果", "6.9", "141", "108"], ["单位", *["mmol/L"] * 3]]
    found = rows_of(group_lines(grid(texts, 90)))
    assert [row_text(row)[0::2][:2] for row in found] == [("钾", "6.9"), ("钠", "141"), ("氯", "108")]


@pytest.mark.parametrize("scale", [["0 100 200", "0 100 200", "0 10 20"], ["0", "200", "0", "200", "0", "20"]])
def test_the_scales_of_histograms_are_no_results(scale):
    lines = lines_of([["WBC", "RBC", "PLT"], scale])
    assert turn_transposed(lines) is lines


def test_two_lines_of_numbers_without_dates_are_doubted():
    assert all(row.doubt for row in rows_of(lines_of(TWO_UNDATED)))


def test_an_ordinary_table_is_left_alone():
    lines = lines_of(UPRIGHT)
    assert turn_transposed(lines) is lines
