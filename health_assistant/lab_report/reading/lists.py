"""用逗号、分号隔开的单子（`K,6.9,mmol/L,3.5-5.3,↑`），一行写着几项的聊天（`K6.9，Na128`）：排成平常的表，一项一行。"""

import re
from dataclasses import replace
from itertools import pairwise

from health_assistant.lab_report.reading.card_grid import Card, as_table
from health_assistant.lab_report.reading.cells import Cell, classify, split_cells
from health_assistant.lab_report.reading.header_words import words_in
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import Line, TextBox, join_boxes, part_of

_SEPARATOR = re.compile(r"\s*[,，;；、\t]\s*")
_BETWEEN_ITEMS = re.compile(r"\s*(?:[，;；、\t]|,(?!\d)|(?<=[^\d]),|(?<=\.\d),|(?<=\.\d\d),)\s*")
"""名称与数连着写的一行里，两个数字之间的逗号也许是千分位。"""
_MIN_ITEMS = 2
_ROLES = {"number": "result", "bound": "result", "term": "result", "unit": "unit", "range": "range", "mark": "mark"}


def lay_out_lists(lines: list[Line]) -> list[Line]:
    """lines 是一页的各行；有两项以上是这样写的，换成一张表，那几行的文字不再另看；不然原样返回。"""
    items_of = [_items(line) for line in lines]
    items = [item for line in items_of for item in line]
    if len(items) < _MIN_ITEMS:
        return lines
    heads = [
        line
        for line in lines
        if len(pieces := [piece for box in line for piece in _cut(box)]) > 1
        and all(any(words_in(piece)) for piece in pieces)
    ]
    used = [box for line, own in zip(lines, items_of, strict=True) if own or line in heads for box in line]
    return as_table(items, lines, used)


def _cut(box: TextBox) -> Line:
    """一段在逗号、分号处断开；名称后面就是逗号的（`K,6.9`）都断开，别的不断开两个数字之间的：也许是小数点、千分位。"""
    first = box.text[: match.start()] if (match := _SEPARATOR.search(box.text)) else ""
    separator = _SEPARATOR if is_known(first) and classify(first) in ("text", "unit") else _BETWEEN_ITEMS
    edges = [0, *(at for match in separator.finditer(box.text) for at in match.span()), len(box.text)]
    pieces = [part_of(box, *ends) for ends in list(pairwise(edges))[::2]]
    return [piece for piece in pieces if piece.text]


def _items(line: Line) -> list[Card]:
    """这一行里的各项；不是这样写的一行为空。名称与数在同一段里的才是，说明里的界限（`血糖≥7.0`）不是结果。"""
    first = _cut(line[0])
    if len(first) < _MIN_ITEMS:
        return []
    if not {"number", "bound", "term"} & {cell.kind for piece in first for cell in split_cells(piece)}:
        return []
    pieces = [piece for box in line for piece in _cut(box)]
    items: list[Card] = []
    others = 0
    for piece, then in zip(pieces, [*pieces[1:], None], strict=True):
        cells = split_cells(piece)
        is_name = is_known(piece.text) and (piece.kind == "text" or bool(then) and then.kind == "number")
        if items and "result" not in items[-1] and is_name:
            items[-1].setdefault("code", piece)
        elif is_name:
            items.append({"name": piece})
        elif _is_name_and_value(cells):
            items.append({"name": cells[0].box})
            _add(items[-1], cells[1:])
        elif items and "text" not in {cell.kind for cell in cells}:
            _add(items[-1], cells)
        else:
            others += 1
    is_whole = all("result" in item for item in items) and others <= len(items)
    has_more = len(items) >= _MIN_ITEMS or any({"unit", "range"} & item.keys() for item in items)
    named = [item | {"name": replace(item["name"], is_label=True)} for item in items]
    return named if is_whole and has_more else []


def _is_name_and_value(cells: list[Cell]) -> bool:
    kinds = [cell.kind for cell in cells]
    is_value = kinds[1:2] in (["number"], ["term"]) or kinds[1:2] == ["bound"] and cells[1].text[0] in "<＜"
    return kinds[:1] in (["text"], ["unit"]) and is_value and "text" not in kinds[1:] and is_known(cells[0].text)


def _add(item: Card, cells: list[Cell]) -> None:
    for cell in cells:
        role = _ROLES[cell.kind]
        if role == "result" and cell.kind == "bound" and "result" in item:
            role = "range"
        item[role] = join_boxes(item[role], cell.box, " ") if role in item else cell.box
