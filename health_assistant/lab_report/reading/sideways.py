"""横着排的表：一列是一个项目，名称在上，各次的数、单位、范围在下。转成一行一个项目，后面照平常的表读。"""

import re
from dataclasses import replace
from itertools import pairwise, takewhile

from health_assistant.lab_report.reading.cells import classify, is_known, part_of, split_cells
from health_assistant.lab_report.reading.text import TextBox

_SIDE_BY_SIDE = 3
"""一行里有这么多认得的项目、下面一行里有这么多数，才是横着排的表。"""
_HEADS = {"range": "参考范围", "bound": "参考范围", "unit": "单位", "number": "结果", "term": "结果"}
_CLOCK = re.compile(r"(?<=\d)\s*\d\d:\d\d(:\d\d)?$")
_NAME_AND_UNIT = re.compile(r"(.+?)[\s(]+([^()]+)\)?")

Line = list[TextBox]


def turn_sideways(lines: list[Line]) -> list[Line]:
    """横着排的表转过来，别的行不动，只挪到下面；没有这样的表时原样返回 lines。

    转的是 line、start、end，像素里的位置还是原来的。
    """
    turned: list[Line] = []
    found, shift, at = False, 0.0, 0
    while at < len(lines):
        names = _names(lines[at])
        below = list(takewhile(lambda line, names=names: _is_under(line, names), lines[at + 1 :])) if names else []
        if any(_count(line) >= _SIDE_BY_SIDE for line in below):
            table = _turn(names, below, lines[at][0].line + shift)
            turned += table
            found, shift = True, table[-1][0].line - below[-1][0].line
        else:
            below = []
            turned.append([replace(box, line=box.line + shift) for box in lines[at]])
        at += 1 + len(below)
    return turned if found else lines


def _kind(box: TextBox) -> str:
    """打头的一格是什么；箭头后面的数是数。"""
    return next((cell.kind for cell in split_cells(box) if cell.kind != "mark"), "mark")


def _count(line: Line) -> int:
    return sum(_kind(box) in ("number", "term") for box in line)


def _parts(name: TextBox) -> Line:
    """名称，和连在后面的单位（`钾 mmol/L`、`血红蛋白(g/L)`）。"""
    found = _NAME_AND_UNIT.fullmatch(name.text)
    if not found or classify(found[2]) != "unit":
        return [name]
    return [part_of(name, *found.span(1)), part_of(name, *found.span(2))]


def _has_known_name(box: TextBox) -> bool:
    return is_known(_parts(box)[0].text)


def _names(line: Line) -> Line:
    """只有名称的一行，从第一个认得的名称起；不是的为空。"""
    known = [_has_known_name(box) for box in line]
    if sum(known) < _SIDE_BY_SIDE or any(_kind(box) != "text" for box in line if not _has_known_name(box)):
        return []
    return line[known.index(True) :]


def _is_under(line: Line, names: Line) -> bool:
    """名称下面的一行：格子多半是数、单位、范围，没有别的名称。"""
    kinds = [_kind(box) for box in line if box.end > names[0].start]
    return not any(map(_has_known_name, line)) and sum(kind in _HEADS for kind in kinds) * 2 > len(kinds)


def _turn(names: Line, below: list[Line], top: float) -> list[Line]:
    """表头一行，和每个名称一行；top 是表头的 line。"""
    height = names[0].height
    width = 2 * max(right.start - left.start for left, right in pairwise(names))
    parts = [_parts(name) for name in names]
    head, rows = [_moved(names[0], 0.0, top, "项目")], [[_moved(name, 0.0, top, name.text)] for name, *_ in parts]
    for at, line in enumerate(below, start=1):
        labels = [box for box in line if box.end <= names[0].start]
        cells = line[len(labels) :]
        dates = [_CLOCK.sub("", box.text) for box in labels]
        kinds = [_kind(box) for box in cells]
        text = next((one for one in dates if re.search(r"\d", one)), "".join(dates))
        head.append(_moved(cells[0], at * width, top, text or _HEADS[max(_HEADS, key=kinds.count)]))
        for box in cells:
            column = min(range(len(names)), key=lambda one, box=box: abs(names[one].middle - box.middle))
            rows[column].append(_moved(box, at * width + max(0.0, box.start - names[column].start), top, box.text))
    last = (len(below) + 1) * width
    for row, (_, *units) in zip(rows, parts, strict=True):
        row.extend(_moved(unit, last, top, unit.text) for unit in units)
    if max(map(len, parts)) > 1:
        head.append(_moved(names[0], last, top, "单位"))
    return [head, *([replace(box, line=top + 2 * height * at) for box in row] for at, row in enumerate(rows, start=1))]


def _moved(box: TextBox, start: float, line: float, text: str) -> TextBox:
    return replace(box, text=text, start=start, end=start + box.end - box.start, line=line)
