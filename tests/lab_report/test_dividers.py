"""用 `|`、`│` 画的表：竖线不是格子里的字，认成 1、I、[ 的也不是。"""

from dataclasses import replace

from lab_report.text_boxes import box, grid

from health_assistant.lab_report.reading.arrangement import arrange
from health_assistant.lab_report.reading.dividers import without_dividers
from health_assistant.lab_report.reading.row import row_text
from health_assistant.lab_report.reading.text import TextBox

HEAD = ["Test", "|Code", "|Result", "|Flag", "|Unit", "|Range"]


def rows_of(boxes: list[TextBox]) -> list[tuple[str, ...]]:
    rows = [row for rows in arrange(boxes).rows_of for row in rows]
    return [(*row_text(row), row.mark.text if row.mark else "") for row in rows]


def test_dividers_are_no_characters_of_a_cell():
    lines = [
        ["|GLUCOSE", "|GLU", "|512", "|H", "|mg/dL", "|70-110"],
        ["│SODIUM", "│NA", "│148", "IH", "[mmol/L", "│135-145"],
        ["|CALCIUM", "|CA", "|8.1", "IL", "1%", "|8.4-10.2|"],
        ["|ALBUMIN", "IALB", "|4.0", "1", "|g/dL", "|3.5-5.0|"],
    ]
    assert rows_of(without_dividers(grid([HEAD, *lines]))) == [
        ("GLUCOSE", "GLU", "512", "mg/dL", "70-110", "H"),
        ("SODIUM", "NA", "148", "mmol/L", "135-145", "H"),
        ("CALCIUM", "CA", "8.1", "%", "8.4-10.2", "L"),
        ("ALBUMIN", "ALB", "4.0", "g/dL", "3.5-5.0", ""),
    ]


def test_cells_joined_by_a_divider_are_two_cells():
    found = without_dividers(grid([["|GLUCOSE |GLU", "|512|H|mg/dL", "|70-110"]]))
    assert [one.text for one in found] == ["GLUCOSE", "GLU", "512", "H", "mg/dL", "70-110"]


def test_a_first_digit_that_may_be_the_divider_is_doubted():
    """`|31` 与 `131` 认出来一样。"""
    boxes = without_dividers(grid([HEAD, ["|HGB", "", "131"], ["|HCT", "", "|40.1"], ["|PLT", "", "|111"]]))
    scores = {one.text: one.score for one in boxes}
    assert scores["131"] < 0.8 < min(scores["40.1"], scores["111"])


def test_a_number_under_a_divider_keeps_its_first_digit():
    """同一页下面的说明是用 `|` 画的，结果恰在竖线底下：118 不能成 18；文字层的 1 不是竖线。"""
    lines = [["LDL", "", "118"], ["HGB", "", "131"], ["|Low", "", "|<100"], ["|High", "", "|<70"]]
    boxes = grid([HEAD[:1], *lines])
    seen = {one.text: one.score for one in without_dividers(boxes)}
    assert seen["118"] < 0.8 and seen["131"] < 0.8
    printed = without_dividers([replace(one, is_printed=True) for one in boxes])
    assert [one.score > 0.8 for one in printed if one.text in ("118", "131")] == [True, True]


def test_a_divider_behind_a_cell_is_no_character_of_it():
    lines = [
        ["血红蛋白|", "131|", "g/L|", "130-175|"],
        ["血小板|", "81", "10^9/L|", "125-350|"],
        ["钾|", "4.0|", "mmol/L|", ""],
    ]
    boxes = [
        box(text, 250 + 200 * at - box(text, 0, 0).end, 100 + 40 * down)
        for down, line in enumerate([["项目|", "结果|", "单位|", "参考范围|"], *lines])
        for at, text in enumerate(line)
        if text
    ]
    found = without_dividers(boxes)
    assert rows_of(found)[:2] == [
        ("血红蛋白", "", "131", "g/L", "130-175", ""),
        ("血小板", "", "81", "10^9/L", "125-350", ""),
    ]
    scores = {one.text: one.score for one in found}
    assert scores["81"] < 0.8 < scores["131"]  # `8|` 与 `81` 认出来一样


def test_a_message_between_systems_is_a_table():
    """HL7 与 ASTM：一行一项；竖线认成的 1、折到下一行的范围没有把握，说这一页是谁的几行不要。"""
    lines = [
        ["MSH|^~\\&|LIS|HOSP"],
        ["0BX|1|NM|2823-3^Potassium||6.9|mmol/L|3.5-5.1|HH|||F"],
        ["OBX|2|NM|777-3^血小板^LN|18|10*9/L|125-350|LL|1|F"],
        ["0BX|3|NM|K2^^L|1|139|mmol/L|136-145|N|I|F"],
        ["R|4|^^^CREA|88|umol/L|57-97||F||||2025"],
        ["0BX|5|NM|2160-0^ALT||23|U/L|9-5"],
    ]
    found = without_dividers(grid(lines))
    assert [[box.text for box in found if box.line == 100 + 40 * at] for at in range(1, 6)] == [
        ["Potassium", "6.9", "mmol/L", "3.5-5.1", "HH"],
        ["血小板", "18", "10*9/L", "125-350", "LL"],
        ["K2", "139", "mmol/L", "136-145"],
        ["CREA", "88", "umol/L", "57-97"],
        ["ALT", "23", "U/L", "9-5"],
    ]
    assert {box.text for box in found if box.score < 0.8} == {"18", "23"}
    assert rows_of(grid([["2823-3^Potassium", "6.9", "mmol/L", "3.5-5.1", "HH"]]))[0][0] == "Potassium"


def test_a_page_without_dividers_is_left_alone():
    boxes = grid([["白细胞", "12.6|", "↑"], ["IgG", "11.2", "1"], ["血小板", "131", "IU/L"]])
    assert without_dividers(boxes) is boxes


def test_a_table_of_notes_drawn_under_the_printed_results_is_no_result():
    """文字层里用竖线、横线画的各档说明；结果表自己就是画的、照片上认的，不能当说明去掉。"""
    results = [["Test", "Result", "Unit", "Range"], ["LDL", "118", "mg/dL", "<100"], ["HDL", "55", "mg/dL", ">50"]]
    notes = [["|------|", "------|"], ["| RISK", "| LDL-C", "| NON HDL"], ["| Low", "| <100", "| <130"]]
    boxes = [replace(one, is_printed=True) for one in grid([*results, *notes, *notes])]
    assert [row[:5] for row in rows_of(without_dividers(boxes))] == [
        ("LDL", "", "118", "mg/dL", "<100"),
        ("HDL", "", "55", "mg/dL", ">50"),
    ]
    drawn = [["|" + text for text in line] for line in results]
    boxes = [replace(one, is_printed=True) for one in grid([*drawn, ["|-------|"]])]
    assert [row[2] for row in rows_of(without_dividers(boxes))] == ["118", "55"]
    plain = [results[0], ["|-------|"], *drawn[1:]]  # 表头没有竖线，下面就是画的结果
    boxes = [replace(one, is_printed=True) for one in grid(plain)]
    assert [row[2] for row in rows_of(without_dividers(boxes))] == ["118", "55"]
    assert "RISK" in " ".join(one.text for one in without_dividers(grid([*results, *notes])))
