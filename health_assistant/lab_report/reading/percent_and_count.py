"""一行里印着百分比与绝对值两个结果、各有自己的参考范围的表（白细胞分类）：拆成两张表，一张一种结果。"""

import re
from dataclasses import replace
from itertools import pairwise

from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.text import TextBox, has_chinese

Header = dict[str, TextBox]
_VALUES, _LIMITS = ("number", "bound"), ("range", "bound")
_SAYS_WHOSE = (r"%|百分|比[例率]|percent|relative", r"#|绝对|abs|/\s*[Lμu]")
"""范围的表头写明是百分比的、绝对值的。"""


def split_shares(header: Header, lines: list[list[Cell]]) -> list[tuple[Header, list[list[Cell]]]]:
    """表头与各行；两种结果各有一列范围的拆开，不然原样一份。

    header 的 `percent`、`absolute` 是这两列的表头；lines 是表头以下各行的格子，从左到右。
    只拆印着两个数的行；别的（`疟原虫 阳性`、夹在里面的血红蛋白）一行也不能少，另成一份，两列都是结果。
    """
    words = [header.pop(role) for role in ("percent", "absolute") if role in header]
    if len(words) < 2:
        return [({**header, **{f"unknown {word.start:.0f}": word for word in words}}, lines)]
    ranges = [box for role, box in header.items() if re.fullmatch(r"range( \d+)?", role)]
    columns = sorted([*words, *ranges], key=lambda box: box.start)
    owners = _owners(columns, words)
    left, right = sorted(words, key=lambda box: box.start)
    whole = {**header, "result": left, f"result {right.start:.0f}": right}
    if not owners:
        return [(whole, lines)]
    # 表头与格子未必左边对齐：以两列之间空着的地方为界
    edges = [
        _gap_before(box.start, before.start, lines, _VALUES if box in words else _LIMITS)
        for before, box in pairwise(columns)
    ]

    def owner(at: float) -> int:
        """横坐标 at 归百分比（0）还是绝对值（1）。"""
        return owners[sum(at > edge for edge in edges)]

    first = columns[0].start
    halves: tuple[list[list[Cell]], list[list[Cell]]] = ([], [])
    others = []
    for line in lines:
        name = [cell for cell in line[:1] if cell.box.start < first]  # 也许没有读出来
        values = [[cell for cell in line[len(name) :] if owner(cell.box.middle) == side] for side in (0, 1)]
        has_both = all(any(cell.kind in _VALUES for cell in half) for half in values)
        if has_both and all(cell.kind == "text" for cell in name):
            halves[0].append([*name, *_with_percent(values[0])])
            halves[1].append([*map(_absolute, name), *values[1]])
        else:
            others.append(line)
    tables = [(whole, others)] if others else []
    for side in (1, 0) if halves[0] else ():
        own = {
            role.split()[0]: box
            for role, box in header.items()
            if box.start < first or (owners[columns.index(box)] if box in columns else owner(box.start + 1)) == side
        }
        tables.insert(0, ({**own, "result": words[side]}, halves[side]))
    return tables


def _owners(columns: list[TextBox], words: list[TextBox]) -> list[int]:
    """从左到右各列是百分比的（0）还是绝对值的（1）；范围看不出是谁的，为空。

    范围跟在各自的结果后面，或两列结果之后是两列范围，次序照样，或表头各写明是谁的。
    """
    order = [words.index(box) if box in words else None for box in columns]
    results = [side for side in order if side is not None]
    said = [_said_side(box.text) for box in columns if box not in words]
    if order == [*results, None, None]:
        owners = [*results, *(said if set(said) == {0, 1} else results)]
    elif order == [results[0], None, results[1], None]:
        owners = [results[0], results[0], results[1], results[1]]
    else:
        return []
    ranges = [owner for owner, box in zip(owners, columns, strict=True) if box not in words]
    return owners if all(side in (None, owner) for side, owner in zip(said, ranges, strict=True)) else []


def _said_side(head: str) -> int | None:
    """范围的表头写明是百分比的（0）还是绝对值的（1）；没有写、两样都写的为 None。"""
    sides = [side for side in (0, 1) if re.search(_SAYS_WHOSE[side], head, re.IGNORECASE)]
    return sides[0] if len(sides) == 1 else None


def _gap_before(start: float, after: float, lines: list[list[Cell]], kinds: tuple[str, ...]) -> float:
    """一列的左边：各行里在上一列与它之间的格子，离它近的归它。"""
    starts = [cell.box.start for line in lines for cell in line if cell.kind in kinds]
    near = [at for at in starts if abs(at - start) < abs(at - after) and at > after]
    return min(near, default=start) - 1


def _with_percent(values: list[Cell]) -> list[Cell]:
    """百分比的各格；没有印单位的添上 %。"""
    if any(cell.kind == "unit" for cell in values):
        return values
    at = next(at for at, cell in enumerate(values) if cell.kind in _VALUES)
    box = values[at].box
    return [*values[: at + 1], Cell("unit", replace(box, text="%", start=box.end, x0=box.x1)), *values[at + 1 :]]


def _absolute(name: Cell) -> Cell:
    """绝对值的名称，写明是绝对值。"""
    text = name.text
    if "%" in text:
        return name
    return replace(name, box=replace(name.box, text=f"{text}绝对值" if has_chinese(text) else f"Absolute {text}"))
