"""文字框 -> 视觉行 -> 表 -> 一行行检验项目；纸弯得各列错开了的，对齐以后再排一遍。"""

from dataclasses import dataclass, replace

from health_assistant.lab_report.reading.apart_ranges import seat_apart_ranges
from health_assistant.lab_report.reading.card_grid import turn_card_grid
from health_assistant.lab_report.reading.labelled_cards import lay_out_cards
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.lists import lay_out_lists
from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.shifted_columns import align_columns, is_shifted
from health_assistant.lab_report.reading.tables import Table, find_tables
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.transposed import turn_transposed


@dataclass(frozen=True)
class Arrangement:
    """一页的文字怎样成行、成表。"""

    boxes: list[TextBox]
    lines: list[list[TextBox]]
    """页面上的各行，从上到下。"""
    is_turned: bool
    """有横着排的表、卡片转了过来：转过来的表里，旁边不是像素上的旁边。"""
    tables: list[Table]
    rows_of: list[list[Row]]
    """各张表里的检验项目，与 `tables` 一一对应。"""


def arrange(boxes: list[TextBox]) -> Arrangement:
    """boxes 是一页的文字框；照次序对齐以后还有错开的、少了格的，照没有对齐的：中间的各行已经起疑。"""
    first = _arrange(boxes)
    shifted = next((rows for rows in first.rows_of if is_shifted(rows)), None)
    aligned, top = (shifted and align_columns(boxes, shifted)) or ([], 0.0)
    # 表头弯得更厉害，拼不成一行的，不要表头再试
    for part in (aligned, [box for box in aligned if box.line > top]):
        again = _arrange(part)
        if aligned and not any(map(is_shifted, again.rows_of)) and _count_whole(again) >= _count_whole(first):
            return replace(again, boxes=aligned, lines=first.lines)
    return first


def _count_whole(arrangement: Arrangement) -> int:
    """名称、结果、范围都有的有几行。"""
    return sum(bool(row.name and row.result and row.limits) for rows in arrangement.rows_of for row in rows)


def _arrange(boxes: list[TextBox]) -> Arrangement:
    lines = group_lines(boxes)
    seated = seat_apart_ranges(lines)
    turned = turn_transposed(lay_out_cards(turn_card_grid(lay_out_lists(seated))))
    is_turned = turned is not seated
    tables = find_tables(turned)
    if turned is not lines:
        boxes = [box for line in turned for box in line]
    return Arrangement(boxes, lines, is_turned, tables, [find_rows(table) for table in tables])
