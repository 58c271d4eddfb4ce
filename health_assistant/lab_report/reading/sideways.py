"""横着排的表：一列是一个项目，名称在上，各次的数、单位、范围在下。转成一行一个项目，后面照平常的表读。"""

import re
from dataclasses import replace
from functools import partial
from itertools import pairwise, takewhile

from health_assistant.lab_report.reading.cells import classify, is_known, part_of, split_cells
from health_assistant.lab_report.reading.row import NOT_AN_ITEM
from health_assistant.lab_report.reading.text import TextBox

_SIDE_BY_SIDE = 3
"""一行里有这么多认得的项目、下面一行里有这么多数，才是横着排的表。"""
_HEADS = {"range": "参考范围", "bound": "参考范围", "unit": "单位", "number": "结果", "term": "结果"}
_CLOCK = re.compile(r"(?<=\d)\s*\d\d:\d\d(:\d\d)?$")
_VALUE = re.compile(r"[\d.,<>≤≥~^*↑↓+ -]+")
"""只有数的一格：平常的表每一行都有，不必再看别的格。"""
_NAME_AND_UNIT = re.compile(r"(.+?)[\s(]+([^()]+)\)?")

Line = list[TextBox]


def turn_sideways(lines: list[Line]) -> list[Line]:
    """横着排的表转过来，别的行不动，只挪到下面；没有这样的表时原样返回 lines。

    转的是 line、start、end，像素里的位置还是原来的。
    """
    turned: list[Line] = []
    found, shift, at = False, 0.0, 0
    while at < len(lines):
        names = _names(lines[at], lines[at + 1 : at + 2])
        below = list(takewhile(partial(_is_under, names=names), lines[at + 1 :])) if names else []
        counts = [sum(_kind(box) in ("number", "term") for box in line) for line in below]
        if max(counts, default=0) >= _SIDE_BY_SIDE:
            turned += _turn(names, below, lines[at][0].line + shift)
            found, shift, at = True, turned[-1][0].line - below[-1][0].line, at + len(below)
        else:
            turned.append([replace(box, line=box.line + shift) for box in lines[at]])
        at += 1
    return turned if found else lines


def _kind(box: TextBox) -> str:
    """打头的一格是什么；箭头后面的数是数。"""
    return next((cell.kind for cell in split_cells(box) if cell.kind != "mark"), "mark")


def _parts(name: TextBox) -> Line:
    """名称，和连在后面的单位（`钾 mmol/L`、`血红蛋白(g/L)`）。"""
    found = _NAME_AND_UNIT.fullmatch(name.text)
    has_unit = found and classify(found[2]) == "unit"
    return [part_of(name, *found.span(at)) for at in (1, 2)] if has_unit else [name]


def _names(line: Line, below: list[Line]) -> Line:
    """只有名称的一行，从第一个认得的名称起；它左边不认得的，下面一行（below）是数、单位、范围的，也是名称。不是的为空。"""
    if len(line) < _SIDE_BY_SIDE or any(_VALUE.fullmatch(box.text) for box in line):
        return []
    known = [is_known(_parts(box)[0].text) for box in line]
    others = [_kind(box) for box, is_name in zip(line, known, strict=True) if not is_name]
    if sum(known) < _SIDE_BY_SIDE or not {*others} <= {"text"}:
        return []
    first = known.index(True)
    values = [box for under in below for box in under if _kind(box) in _HEADS]
    while first and _heads_one_of(values, line[first - 1]):
        first -= 1
    return line[first:]


def _heads_one_of(values: Line, name: TextBox) -> bool:
    """name 下面正有 values 里的一格；日期、序号不是项目。"""
    is_item = not NOT_AN_ITEM.search(name.text)
    return is_item and any(value.start < name.end and name.start < value.end for value in values)


def _is_under(line: Line, names: Line) -> bool:
    """名称下面的一行：格子多半是数、单位、范围，没有别的名称；一项一个数，直方图的刻度不是。"""
    cells = [box for box in line if box.end > names[0].start]
    kinds = [kind for kind in map(_kind, cells) if kind != "mark"]  # 箭头常常自成一格
    values = [kind in _HEADS for kind in kinds]
    is_scale = any(sum(cell.kind == "number" for cell in split_cells(box)) > 1 for box in cells)
    if is_scale or len(kinds) > len(names) or any(is_known(_parts(box)[0].text) for box in line):
        return False
    return sum(values) * 2 > len(values)


def _turn(names: Line, below: list[Line], top: float) -> list[Line]:
    """表头一行，和每个名称一行；top 是表头的 line。"""
    width = 2 * max(right.start - left.start for left, right in pairwise(names))
    head, rows = [_moved(names[0], 0.0, "项目")], [[_moved(_parts(name)[0], 0.0)] for name in names]
    for at, line in enumerate(below, start=1):
        labels = [_CLOCK.sub("", box.text) for box in line if box.end <= names[0].start]
        cells = line[len(labels) :]
        kinds = [_kind(box) for box in cells]
        label = next((one for one in labels if re.search(r"\d", one)), "".join(labels))
        head.append(_moved(cells[0], at * width, label or _HEADS[max(_HEADS, key=kinds.count)]))
        for box in cells:
            distances = [abs(name.middle - box.middle) for name in names]
            column = distances.index(min(distances))
            rows[column].append(_moved(box, at * width + max(0.0, box.start - names[column].start)))
    last = (len(below) + 1) * width
    units = [[_moved(unit, last) for unit in _parts(name)[1:]] for name in names]
    if any(units):
        head.append(_moved(names[0], last, "单位"))
    lines = [head, *(row + unit for row, unit in zip(rows, units, strict=True))]
    return [[replace(box, line=top + 2 * names[0].height * at) for box in line] for at, line in enumerate(lines)]


def _moved(box: TextBox, start: float, text: str = "") -> TextBox:
    return replace(box, text=text or box.text, start=start, end=start + box.end - box.start)
