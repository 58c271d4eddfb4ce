"""横着排的表：名称在上，各次的数、单位、范围在下。转成一行一个项目，后面照平常的表读。

一个名称下面可以是一列，也可以是结果、范围几列；同一天的几次各成一行，名称后面写着是哪一次（`钾(08:10)`），一次也不丢。
"""

import re
from dataclasses import replace
from functools import partial
from itertools import pairwise, takewhile
from math import inf

from health_assistant.lab_report.reading.cells import classify, split_cells
from health_assistant.lab_report.reading.header import find_header, panel_edges
from health_assistant.lab_report.reading.header_dates import newest_of
from health_assistant.lab_report.reading.items import NOT_AN_ITEM
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import Line, TextBox, part_of

_SIDE_BY_SIDE = 3
"""一行里有这么多认得的项目、下面一行里有这么多数，才是横着排的表。"""
_COLUMNS = ("result", "range", "unit", "mark")
_HEADS = {"range": "参考范围", "bound": "参考范围", "unit": "单位", "number": "结果", "term": "结果"}
_MOMENT = re.compile(
    r"\s*(\d\d:\d\d(:\d\d)?|空腹|([早午晚]?餐|服?糖|用?药)[前后].*|\d+(\.\d)?\s*(分钟?|小时|min|h|['′]))$",
    re.IGNORECASE,
)
"""一天里的哪一次：钟点，或空腹、服糖后多久。"""
_AFTER_LOAD = re.compile(r"[1-9]\d*(\.\d)?(分钟|小时)|[餐糖]后.*")
_VALUE = re.compile(r"[\d.,<>≤≥~^*↑↓+ -]+")
"""只有数的一格：平常的表每一行都有，不必再看别的格。"""
_NAME_AND_UNIT = re.compile(r"(.+?)[\s(]+([^()]+)\)?")


def turn_transposed(lines: list[Line]) -> list[Line]:
    """横着排的表转过来，别的行不动，只挪到下面；没有这样的表时原样返回 lines。

    转的是 line、start、end，像素里的位置还是原来的。
    """
    turned: list[Line] = []
    is_turned, shift, at = False, 0.0, 0
    while at < len(lines):
        rows, used = _grid(lines[at:])
        names = [] if rows else _names(lines[at], lines[at + 1 : at + 2])
        below = list(takewhile(partial(_is_under, names=names), lines[at + 1 :])) if names else []
        counts = [sum(_kind(box) in ("number", "term") for box in line) for line in below]
        if max(counts, default=0) >= _SIDE_BY_SIDE:
            rows, used = _turn(names, below), 1 + len(below)
        if rows:
            top, height = lines[at][0].line + shift, 2 * lines[at][0].height
            turned += [[replace(box, line=top + height * down) for box in row] for down, row in enumerate(rows)]
            is_turned, shift, at = True, turned[-1][0].line - lines[at + used - 1][0].line, at + used
        else:
            turned.append([replace(box, line=box.line + shift) for box in lines[at]])
            at += 1
    return turned if is_turned else lines


def _kind(box: TextBox) -> str:
    """打头的一格是什么；箭头后面的数是数。"""
    return next((cell.kind for cell in split_cells(box) if cell.kind != "mark"), "mark")


def _parts(name: TextBox) -> Line:
    """名称，和连在后面的单位（`钾 mmol/L`、`血红蛋白(g/L)`）。"""
    parts = _NAME_AND_UNIT.fullmatch(name.text)
    has_unit = parts and classify(parts[2]) == "unit"
    return [part_of(name, *parts.span(at)) for at in (1, 2)] if has_unit else [name]


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


def _grid(lines: list[Line]) -> tuple[list[Line], int]:
    """头一行是几个名称，再下一两行是各名称的结果、范围几列，左边是哪一次：转好的各行，与用去几行；不是的为空。"""
    names = [box for box in lines[0] if is_known(_parts(box)[0].text)]
    headers: list[dict[str, TextBox]] = []
    down = 0
    while len(names) > 1 and not headers and down < min(2, len(lines) - 1):
        down += 1
        headers = find_header(lines[down])
    columns = [[box for role, box in header.items() if role.split()[0] in _COLUMNS] for header in headers]
    if len(names) < 2 or len(columns) != len(names) or not all(columns) or any("name" in header for header in headers):
        return [], 0
    first = columns[0][0].start
    below = list(takewhile(lambda line: len(line) > 1 and _MOMENT.search(line[0].text), lines[down + 1 :]))
    if not below:
        return [], 0
    rows: list[Line] = []
    for name, heads, (start, end) in zip(names, columns, pairwise([first, *panel_edges(headers), inf]), strict=True):
        unit = _parts(name)[1:]
        place = heads[-1].end + 2 * max(box.end - box.start for box in heads)  # 单位一列另放
        head = [name.moved(0.0, text="项目"), *heads, *(box.moved(place, text="单位") for box in unit)]
        rows.append(head)
        for line in below:
            cells = [box for box in line if start <= box.middle < end]
            rows.append([_named(name, _in_words(line[0].text)), *cells, *(box.moved(place) for box in unit)])
    return rows, down + 1 + len(below)


def _turn(names: Line, below: list[Line]) -> list[Line]:
    """表头一行，和每个名称一行；同一天印着钟点的几次，各成一张表。"""
    whens = [_when([box.text for box in line if box.end <= names[0].start]) for line in below]
    newest = newest_of(list(dict.fromkeys(day for day, moment in whens if moment)))
    again = [line for line, (day, moment) in zip(below, whens, strict=True) if moment and day == newest]
    if len(again) < 2:
        return _one_table(names, below)
    rest = [line for line in below if line not in again]
    valued = [[_kind(box) for box in line if box.end > names[0].start] for line in rest]
    fasting_only = [line for line, kinds in zip(rest, valued, strict=True) if not {"range", "bound"} & {*kinds}]
    rows: list[Line] = []
    for line, (_, moment) in zip(below, whens, strict=True):
        if line in again:
            # 共用的参考范围一行说的是空腹，服糖后的不能照它看
            own = fasting_only if _AFTER_LOAD.search(moment) else rest
            rows += _one_table(names, [line, *own], moment)
    return rows


def _when(labels: list[str]) -> tuple[str, str]:
    """一行的左边印着的：哪一天（或别的说明），和那天的哪一次；没有的为空串。"""
    whole = " ".join(labels)
    moment = _MOMENT.search(whole)
    words = whole[: moment.start()].split() if moment else labels
    day = next((word for word in words if re.search(r"\d", word)), "".join(words))
    return day, _in_words(moment[0].strip()) if moment else ""


def _in_words(moment: str) -> str:
    """`120min`、`2h` 写成 120分钟、2小时：名称后面括号里的字母会当成代号。"""
    moment = re.sub(r"\s*(分|min|['′])$", "分钟", moment, flags=re.IGNORECASE)
    return re.sub(r"\s*h$", "小时", moment, flags=re.IGNORECASE)


def _one_table(names: Line, below: list[Line], moment: str = "") -> list[Line]:
    """表头一行，和每个名称一行。"""
    width = 2 * max(right.start - left.start for left, right in pairwise(names))
    head, rows = [names[0].moved(0.0, text="项目")], [[_named(name, moment)] for name in names]
    for at, line in enumerate(below, start=1):
        labels = [box.text for box in line if box.end <= names[0].start]
        cells = line[len(labels) :]
        kinds = [_kind(box) for box in cells]
        head.append(cells[0].moved(at * width, text=_when(labels)[0] or _HEADS[max(_HEADS, key=kinds.count)]))
        for box in cells:
            distances = [abs(name.middle - box.middle) for name in names]
            column = distances.index(min(distances))
            rows[column].append(box.moved(at * width + max(0.0, box.start - names[column].start)))
    last = (len(below) + 1) * width
    units = [[unit.moved(last) for unit in _parts(name)[1:]] for name in names]
    if any(units):
        head.append(names[0].moved(last, text="单位"))
    return [head, *(row + unit for row, unit in zip(rows, units, strict=True))]


def _named(name: TextBox, moment: str) -> TextBox:
    text = _parts(name)[0].text
    return name.moved(0.0, text=f"{text}({moment})" if moment else text)
