"""一行里印着百分比与绝对值两个结果、各有自己的参考范围的表（白细胞分类）：拆成两张表，一张一种结果。"""

from dataclasses import replace
from itertools import pairwise

from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.text import TextBox, has_chinese

Header = dict[str, TextBox]
_VALUES, _LIMITS = ("number", "bound"), ("range", "bound")


def split_shares(header: Header, lines: list[list[Cell]]) -> list[tuple[Header, list[list[Cell]]]]:
    """表头与各行；两种结果各有一列范围的，是两份，不然原样一份，那两列当作不认得的。

    header 的 `percent`、`absolute` 是这两列的表头；lines 是表头以下各行的格子，从左到右。
    范围跟在各自的结果后面，或两列结果之后照样的次序是两列范围。
    """
    words = [header.pop(role) for role in ("percent", "absolute") if role in header]
    ranges = [box for role, box in header.items() if role.split()[0] == "range"]
    columns = sorted([*words, *ranges], key=lambda box: box.start)
    order = [any(box is word for word in words) for box in columns]
    whole = [({**header, **{f"unknown {word.start:.0f}": word for word in words}}, lines)]
    if len(words) < 2 or order not in ([True, False, True, False], [True, True, False, False]):
        return whole
    owners = [0, 0, 1, 1] if order[1] is False else [0, 1, 0, 1]
    # 表头与格子未必左边对齐：以两列之间空着的地方为界
    edges = [
        _gap_before(box.start, before.start, lines, _VALUES if is_result else _LIMITS)
        for (before, box), is_result in zip(pairwise(columns), order[1:], strict=True)
    ]

    def owner(at: float) -> int:
        """横坐标 at 归左边的还是右边的结果。"""
        return owners[sum(at > edge for edge in edges)]

    first = columns[0].start
    common = {role: box for role, box in header.items() if box.start < first}
    halves = []
    for word in words:
        side = owners[next(at for at, box in enumerate(columns) if box is word)]
        own = {
            role.split()[0]: box for role, box in header.items() if first < box.start and owner(box.start + 1) == side
        }
        kept = []
        for line in lines:
            name = [cell for cell in line[:1] if cell.kind == "text" and cell.box.start < first]
            values: tuple[list[Cell], list[Cell]] = ([], [])
            for cell in line[len(name) :]:
                values[owner(cell.box.middle)].append(cell)
            if name and any(cell.kind in _VALUES for cell in values[side]):
                has_both = any(cell.kind in _VALUES for cell in values[1 - side])
                kept.append(_half(name[0], values[side], word is words[0], has_both))
        halves.append(({**common, **own, "result": word}, kept))
    return halves if all(kept for _, kept in halves) else whole  # 一边一行也没有：没有对齐，不能少读一半


def _gap_before(start: float, after: float, lines: list[list[Cell]], kinds: tuple[str, ...]) -> float:
    """一列的左边：各行里在上一列与它之间的格子，离它近的归它。"""
    starts = [cell.box.start for line in lines for cell in line if cell.kind in kinds]
    near = [at for at in starts if abs(at - start) < abs(at - after) and at > after]
    return min(near, default=start) - 1


def _half(name: Cell, values: list[Cell], is_percent: bool, has_both: bool) -> list[Cell]:
    """名称与这一种结果的格子：没有印单位的百分比添上 %；两种都印了的，绝对值的名称写明是绝对值。"""
    if is_percent and not any(cell.kind == "unit" for cell in values):
        at = next(at for at, cell in enumerate(values) if cell.kind in _VALUES)
        behind = replace(values[at].box, text="%", start=values[at].box.end, x0=values[at].box.x1)
        values.insert(at + 1, Cell("unit", behind))
    text = name.text
    if not is_percent and has_both and "%" not in text:
        name = replace(name, box=replace(name.box, text=f"{text}绝对值" if has_chinese(text) else f"Absolute {text}"))
    return [name, *values]
