"""一行里印着百分比与绝对值两个结果、各有自己的参考范围的表（白细胞分类）：拆成两张表，一张一种结果。"""

from dataclasses import replace

from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.text import TextBox, has_chinese

Header = dict[str, TextBox]


def split_shares(header: Header, lines: list[list[Cell]]) -> list[tuple[Header, list[list[Cell]]]]:
    """表头与各行；两种结果后面各有一列范围的，是两份，不然原样一份，那两列当作不认得的。

    header 的 `percent`、`absolute` 是这两列的表头；lines 是表头以下各行的格子，从左到右。
    """
    words = [header.pop(role) for role in ("percent", "absolute") if role in header]
    ranges = sorted(box.start for role, box in header.items() if role.split()[0] == "range")
    edges = sorted(box.start for box in words)
    if len(words) < 2 or len(ranges) != 2 or not edges[0] < ranges[0] < edges[1] < ranges[1]:
        return [({**header, **{f"unknown {word.start:.0f}": word for word in words}}, lines)]
    # 第二列的表头与格子未必左边对齐：以两栏之间空着的地方为界
    edge = _gap_before(edges[1], ranges[0], lines)
    is_common = {role: box for role, box in header.items() if box.start < edges[0]}
    halves = []
    for word, is_left in ((words[0], words[0].start == edges[0]), (words[1], words[1].start == edges[0])):
        own = {
            role.split()[0]: box
            for role, box in header.items()
            if edges[0] < box.start and (box.start < edge) == is_left
        }
        kept = [_half(line, edges[0], edge, is_left, word is words[0]) for line in lines]
        halves.append(({**is_common, **own, "result": word}, [line for line in kept if line]))
    return halves


def _gap_before(start: float, after: float, lines: list[list[Cell]]) -> float:
    """第二个结果的左边：各行里在第一列范围与它之间的格子，离它近的归它。"""
    starts = [cell.box.start for line in lines for cell in line if cell.kind in ("number", "bound")]
    near = [at for at in starts if abs(at - start) < abs(at - after) and at > after]
    return min(near, default=start) - 1


def _half(line: list[Cell], first: float, edge: float, is_left: bool, is_percent: bool) -> list[Cell]:
    """一行里归这一种结果的格子：名称，与这一边的；没有印单位的百分比添上 %，绝对值的名称写明是绝对值。"""
    name = [cell for cell in line[:1] if cell.kind == "text" and cell.box.start < first]
    values = [cell for cell in line[len(name) :] if (cell.box.middle < edge) == is_left]
    if not name or not any(cell.kind in ("number", "bound") for cell in values):
        return []
    box = name[0].box
    if not any(cell.kind == "unit" for cell in values):
        result = next(at for at, cell in enumerate(values) if cell.kind in ("number", "bound"))
        if is_percent:
            behind = replace(values[result].box, text="%", start=values[result].box.end, x0=values[result].box.x1)
            values.insert(result + 1, Cell("unit", behind))
    if not is_percent and "%" not in box.text:
        box = replace(box, text=f"{box.text}绝对值" if has_chinese(box.text) else f"Absolute {box.text}")
    return [replace(name[0], box=box), *values]
