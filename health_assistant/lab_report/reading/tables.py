"""文字框 -> 视觉行 -> 子表：认出表头，一页可以有几张表，一张表可以有并排的几栏，各有自己的列。"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby, pairwise
from statistics import median

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.reading.cells import ARROW_LIKE, Cell, split_cells, split_named
from health_assistant.lab_report.reading.header import (
    add_subheads,
    find_header,
    fit_header,
    panel_edges,
    without_legend,
)
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.shares import split_shares
from health_assistant.lab_report.reading.text import TextBox, cut_at, has_chinese, part_of, place_of
from health_assistant.lab_report.reading.torn_ranges import with_whole_ranges, without_next_serials

_UNLIKELY: dict[str, dict[str, float]] = {
    "serial": {"text": 2, "unit": 4, "range": 6, "bound": 6, "term": 6, "mark": 2},
    "code": {"number": 3, "range": 6, "bound": 6, "term": 4, "unit": 0.5, "mark": 0.5},
    "name": {"number": 4, "range": 8, "bound": 8, "term": 3, "unit": 2, "mark": 2},
    "result": {"range": 0.5, "text": 1, "unit": 3, "mark": 1},
    "unit": {"number": 4, "range": 5, "bound": 5, "term": 4, "text": 1, "mark": 2},
    "range": {"number": 1.5, "text": 1, "unit": 2, "mark": 2},
    "low": {"text": 2, "unit": 3, "range": 3, "mark": 2},
    "high": {"text": 2, "unit": 3, "range": 3, "mark": 2},
    "mark": {"number": 3, "range": 5, "bound": 5, "term": 0.5, "text": 1, "unit": 3},
    "method": {"number": 4, "range": 5, "bound": 5, "term": 3, "unit": 2, "mark": 2},
    "ignored": {"unit": 1, "mark": 0.5},
    "unknown": {"unit": 1, "mark": 0.5},
}
"""表头说是哪一列的格子，写成这样有多不像，以字高计；没有写的是 0。只在位置两可时才起作用。"""
_FAR = 5.0
"""离最近的一列还隔着这么多个字高的格子，不属于这张表。"""


@dataclass
class Columns:
    """各列左、中、右的横坐标（拉平以后）；不知道的列不在其中。键是列的种类，重复的后面加上位置。"""

    spans: dict[str, tuple[float, float, float]]
    printed: frozenset[str] = frozenset()
    """表头里印着的列；没有表头时为空。"""

    @property
    def has_header(self) -> bool:
        return bool(self.printed)

    @property
    def is_complete(self) -> bool:
        """印着项目、结果，还有参考范围或单位：化验单的表头。"""
        return {"name", "result"} <= self.printed and bool(self.printed & {"range", "low", "unit"})

    def nearest(self, box: TextBox, among: Iterable[str] | None = None) -> str | None:
        """与 box 最对齐的列：左对齐、居中、右对齐都算对齐。among 是候选列的名字，默认所有的列。"""
        known = [name for name in self.spans if among is None or name.split()[0] in among]
        return min(known, key=lambda name: self._distance(name, box)).split()[0] if known else None

    def _distance(self, name: str, box: TextBox) -> float:
        start, middle, end = self.spans[name]
        off = min(abs(box.start - start), abs(box.middle - middle), abs(box.end - end))
        # 隔着空白的比有重叠的更远
        return off + max(0.0, start - box.end, box.start - end)

    def assign(self, line: list[Cell]) -> list[str | None]:
        """一行里从左到右的格子各归哪一列；太远的为 None。

        列与格子的次序必须一致，总的偏差最小：逐格动态规划，cost[j] 是到这一格为止、这一格归第 j 列的最小偏差。
        """
        names = sorted(self.spans, key=lambda name: self.spans[name][1])
        cost, steps = [0.0] * len(names), []
        for cell in line:
            best = [min(range(at + 1), key=cost.__getitem__) for at in range(len(names))]
            steps.append(best)
            cost = [cost[best[at]] + self._cost(name, cell) for at, name in enumerate(names)]
        at = min(range(len(names)), key=cost.__getitem__, default=0)
        assigned: list[str | None] = []
        for cell, best in zip(reversed(line), reversed(steps), strict=True):
            start, _, end = self.spans[names[at]]
            is_far = max(start - cell.box.end, cell.box.start - end) > _FAR * cell.box.height
            assigned.append(None if is_far else names[at])
            at = best[at]
        return assigned[::-1]

    def _cost(self, name: str, cell: Cell) -> float:
        return self._distance(name, cell.box) / cell.box.height + _UNLIKELY[name.split()[0]].get(cell.kind, 0.0)

    def fit(self, lines: list[list[Cell]]) -> None:
        """表头常与内容不对齐：以归到各列的格子代替表头的位置，再归一遍。一行里归到同一列的，取最对齐的一格。"""
        for _ in range(3):
            cells: dict[str, list[TextBox]] = {}
            for line in lines:
                best: dict[str, TextBox] = {}
                for cell, name in zip(line, self.assign(line), strict=True):
                    if name and _UNLIKELY[name.split()[0]].get(cell.kind, 0.0) <= 1:
                        best[name] = min(filter(None, (best.get(name), cell.box)), key=partial(self._distance, name))
                for name, box in best.items():
                    cells.setdefault(name, []).append(box)
            for name, boxes in cells.items():
                if len(boxes) >= 2:
                    self.spans[name] = _span(boxes)

    def name_unknown(self, lines: list[list[Cell]]) -> None:
        """表头里没有认得的“项目”“范围”或“结果”时，认不得的词下面多半是文字、范围、数的就是。

        有几列都是数、都是范围的都算：不知道哪一列是这一次的、这个人的，各行自会起疑。
        """
        values = {"name": ("text",), "range": ("range", "bound"), "result": ("number", "bound", "term")}
        for role, kinds in values.items():
            if role in self.spans:
                continue
            for name in sorted((one for one in self.spans if one.startswith("unknown")), key=self.spans.__getitem__):
                below = [cell for line in lines for cell, at in zip(line, self.assign(line), strict=True) if at == name]
                is_first = role not in self.spans
                below = [cell for cell in below if cell.kind not in ("unit", "mark")]
                if sum(cell.kind in kinds for cell in below) * 2 > len(below) and (is_first or role != "name"):
                    span = self.spans.pop(name)
                    self.spans[role if is_first else f"{role} {span[0]:.0f}"] = span
                    self.printed |= {role}

    def guess(self, cells: list[Cell]) -> None:
        """没有表头：列由各行里确凿的数、范围与单位的位置定，并认出序号列与箭头列。"""
        if units := [cell.box for cell in cells if cell.kind == "unit"]:
            self.spans["unit"] = _span(units)
        results, ranges = [], []
        for stack in _stacks([cell for cell in cells if cell.kind in ("number", "bound", "term", "range")]):
            kinds, boxes = [cell.kind for cell in stack], [cell.box for cell in stack]
            if _is_serial(boxes):
                self.spans["serial"] = _span(boxes)
            elif all(box.text in ARROW_LIKE for box in boxes) and kinds.count("number"):
                self.spans.setdefault("mark", _span(boxes))
            elif kinds.count("range") > kinds.count("number"):
                ranges.append([cell.box for cell in stack if cell.kind == "range"])
            else:
                results.append(boxes)
        bounds = [one for one in results if not any(re.fullmatch(r"[\d.]+", box.text) for box in one)]
        if len(results) > 1 and bounds:
            # 有数的一摞是结果；都是定性词时，左边的是结果
            moved = bounds if len(bounds) < len(results) else bounds[1:]
            ranges.extend(moved)
            results = [one for one in results if one not in moved]
        for name, stacks in (("result", results), ("range", ranges)):
            if stacks:
                self.spans[name] = _span(max(stacks, key=len))


def _stacks(cells: list[Cell]) -> list[list[Cell]]:
    """上下对齐（横向有重叠）的数与范围各成一摞。"""
    stacks: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda one: one.box.start):
        if stacks and cell.box.start < max(one.box.end for one in stacks[-1]):
            stacks[-1].append(cell)
        else:
            stacks.append([cell])
    return stacks


def _is_serial(boxes: list[TextBox]) -> bool:
    """从上到下逐一加一的整数是序号。"""
    values = [int(box.text) for box in sorted(boxes, key=lambda one: one.line) if re.fullmatch(r"\d{1,4}", box.text)]
    steps = sum(below - above == 1 for above, below in pairwise(values))
    return len(values) >= 2 and steps >= 0.6 * (len(boxes) - 1) and steps >= 1


@dataclass
class Table:
    """一张表的一栏：列，和表头以下各行的格子（从上到下，从左到右）。"""

    columns: Columns
    lines: list[list[Cell]]


def _span(boxes: list[TextBox]) -> tuple[float, float, float]:
    return tuple(median(getattr(box, edge) for box in boxes) for edge in ("start", "middle", "end"))


def find_tables(lines: list[list[TextBox]]) -> list[Table]:
    """页面上的子表。第一个表头之前、或整页没有表头时，归为没有表头的表。"""
    tables: list[Table] = []
    headers: list[dict[str, TextBox]] = []
    body: list[list[TextBox]] = []
    for line in [*lines, None]:
        found = find_header(line) if line is not None else []
        if not found and line is not None:
            body.append(line)
            continue
        if found and headers and not body and _are_subheads(headers, found):
            add_subheads(headers, found)
            continue
        tables.extend(_headed(headers, body) if headers else _headless(body))
        headers, body = found, []
    return tables


def _headed(headers: list[dict[str, TextBox]], body: list[list[TextBox]]) -> list[Table]:
    edges = _edges_over(headers, body)
    body = without_next_serials(body, edges) if edges else with_whole_ranges(body, headers[0])
    lines = _split_at([[cell for box in line for cell in _cells(box, headers, edges)] for line in body], edges)
    tables = []
    panels = zip(headers, map(without_legend, lines), strict=True)
    for header, panel in (half for one in panels for half in split_shares(*one)):
        fit_header(header, panel)
        roles = frozenset("range" if name.startswith("range") else name for name in header)
        columns = Columns({name: (box.start, box.middle, box.end) for name, box in header.items()}, roles)
        columns.fit(panel)
        columns.name_unknown(panel)
        _fit_names(columns, panel)
        tables.append(Table(columns, panel))
    return tables


def _edges_over(headers: list[dict[str, TextBox]], body: list[list[TextBox]]) -> list[float]:
    """并排各栏的分界，横坐标。头几列（序号、代号）没有印表头的：左栏的格子从表头左边多远起，右栏也从多远起。"""
    edges = panel_edges(headers)
    firsts = [min(header.values(), key=lambda box: box.start) for header in headers]
    starts = [line[0].start for line in body if len(line) > 2]
    lead = firsts[0].start - median(starts) if starts else 0.0
    if lead < firsts[0].height:
        return edges
    ends = [max(box.end for box in header.values()) for header in headers]
    return [
        min(edge, max(box.start - lead, end) - 0.3 * box.height)
        for edge, box, end in zip(edges, firsts[1:], ends, strict=False)
    ]


def _are_subheads(headers: list[dict[str, TextBox]], below: list[dict[str, TextBox]]) -> bool:
    """表头折成的第二行。范围印在项目正下方的不是：那是一项印两行，第二行说的是第二行的各格。"""
    names = [panel["name"] for panel in headers if "name" in panel]
    ranges = [panel[role] for panel in below for role in ("range", "low", "high") if role in panel]
    is_under_name = any(box.start < name.end and name.start < box.end for box in ranges for name in names)
    has_name = bool(names) and any("name" in panel for panel in below)
    return not is_under_name and not has_name and not any({"result", "percent"} & panel.keys() for panel in below)


def _cells(box: TextBox, headers: list[dict[str, TextBox]], edges: list[float]) -> list[Cell]:
    """一段文字里的格子；连过了栏的分界、或名称连到了下一列的，先在那里断开。"""
    pieces = [box]
    for edge in edges:
        pieces = [part for piece in pieces for part in cut_at(piece, edge)]
    found: list[Cell] = []
    for piece in pieces:
        header = headers[sum(piece.middle > edge for edge in edges)]
        if "unit" in header and piece.start > header["unit"].start - piece.height:
            piece = replace(piece, text=re.sub(r"^[1lI|] ?(?=U/m?L$)", "I", piece.text))  # 单位一列里的 IU 常认成 1U
        starts = sorted(word.start for role, word in header.items() if role not in ("name", "code", "serial"))
        whole, cells = piece, split_cells(piece)
        # 成句的话不断开；每一格都认得清的也不用断
        for start in starts if len({cell.kind == "text" for cell in cells}) == 2 else ():
            *done, last = cut_at(piece, start, only_at_space=True)
            found.extend(cell for part in done for cell in split_cells(part))
            piece = last
        for cell in cells if piece is whole else split_cells(piece):
            found.extend(_cut_glued_value(cell, header.get("result")))
    return found


def _cut_glued_value(cell: Cell, result: TextBox | None) -> list[Cell]:
    """名称碰到了数、识别成一段时分开：数要落在结果一列。"""
    box = cell.box
    if result is None or cell.kind != "text" or not box.start < result.start - box.height:
        return [cell]
    found = re.fullmatch(r"(?P<name>.*[^\d.<>≤≥\s])\s*(?P<value>[<>≤≥]?\d+(?P<part>\.\d+)?|弱?[阴阳]性)\s*", box.text)
    # 名称也有数字结尾的（糖类抗原125），没有带小数的
    is_name = found and found["part"] is None and found["value"].isdigit() and is_known(box.text)
    if not found or is_name or place_of(box, len(box.text)) < result.start:
        return [cell]
    at = found.start("value")
    value = part_of(box, at, len(box.text))
    return [Cell("text", part_of(box, 0, at)), Cell(value.kind, value)]


def _fit_names(columns: Columns, lines: list[list[Cell]]) -> None:
    """名称有长有短，只有左端对齐：以各行里最靠左、与表头的名称有重叠的文字为准。

    表头的“项目”没有认出来时，是结果与范围左边的文字。
    """
    if "name" in columns.spans:
        start, _, end = columns.spans["name"]
    else:
        start, end = 0.0, min(columns.spans[name][0] for name in ("result", "range", "low") if name in columns.spans)
    texts = [[cell.box for cell in line if cell.kind == "text"] for line in lines]
    named = [found for line in texts if (found := [box for box in line if box.start < end and box.end > start])]
    coded = [line for line in named if len(line) > 1 and is_known_code(line[0].text) and has_chinese(line[1].text)]
    if "name" not in columns.spans and 2 * len(coded) > len(named):
        columns.spans["code"] = _span([line[0] for line in coded])  # 代号一列也没有印表头，在名称的左边
        named = [line[1:] for line in coded]
    boxes = [line[0] for line in named]
    if len(boxes) >= 2 or boxes and "name" not in columns.spans:
        columns.spans["name"] = _span(boxes)
        columns.printed |= {"name"}


def _split_at(lines: list[list[Cell]], edges: list[float]) -> list[list[list[Cell]]]:
    """各栏各行的格子；edges 是栏与栏的分界。"""
    panels: list[list[list[Cell]]] = [[] for _ in range(len(edges) + 1)]
    for line in lines:
        for panel, cells in groupby(line, key=lambda cell: sum(cell.box.middle > edge for edge in edges)):
            panels[panel].append(list(cells))
    return panels


def _with_name(line: list[Cell]) -> list[Cell]:
    """行首后面跟着数的代号也像单位（镁的 Mg）：是名称。"""
    kinds = [cell.kind for cell in line[:2]]
    return [Cell("text", line[0].box), *line[1:]] if kinds == ["unit", "number"] and is_known(line[0].text) else line


def _headless(body: list[list[TextBox]]) -> list[Table]:
    """没有表头：栏由认得的名称的左端分，列由各行里确凿的数、范围与单位的位置定。"""
    lines = [_with_name([cell for box in line for cell in split_named(box)]) for line in body]
    texts = [cell.box for line in lines for cell in line if cell.kind == "text"]
    names = [box for box in texts if box.is_label or is_known(box.text)]
    groups: list[list[TextBox]] = []
    for box in sorted(names, key=lambda box: box.start):
        if groups and box.start - groups[-1][-1].start < 6 * box.height:
            groups[-1].append(box)
        else:
            groups.append([box])
    groups = [group for group in groups if len(group) >= 2 and len(group) * 4 >= len(names)]
    edges = [min(box.start for box in group) - group[0].height for group in groups[1:]]
    # 代号在名称旁边另成一列时不是另一栏：两列之间要有数
    numbers = [cell.box.middle for line in lines for cell in line if cell.kind in ("number", "range", "bound", "term")]
    ends = [group[0].end for group in groups]
    edges = [edge for edge, end in zip(edges, ends, strict=False) if sum(end < x < edge for x in numbers) >= 2]
    tables = []
    for panel in _split_at(lines, edges):
        columns = Columns({})
        columns.guess([cell for line in panel for cell in line])
        tables.append(Table(columns, panel))
    return tables
