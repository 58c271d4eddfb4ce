"""文字框 -> 视觉行 -> 子表：认出表头，一页可以有几张表，一张表可以有并排的几栏，各有自己的列。"""

import re
from dataclasses import dataclass, replace
from itertools import groupby
from statistics import median

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.reading.cells import Cell, split_cells, split_named
from health_assistant.lab_report.reading.columns import Columns, span_of
from health_assistant.lab_report.reading.header import (
    add_subheads,
    find_header,
    fit_header,
    panel_edges,
    without_legend,
)
from health_assistant.lab_report.reading.header_dates import days_in
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.percent_and_count import split_shares
from health_assistant.lab_report.reading.text import TextBox, cut_at, has_chinese, part_of, place_of
from health_assistant.lab_report.reading.torn_ranges import with_whole_ranges, without_next_serials


@dataclass
class Table:
    """一张表的一栏：列，和表头以下各行的格子（从上到下，从左到右）。"""

    columns: Columns
    lines: list[list[Cell]]


def find_tables(lines: list[list[TextBox]]) -> list[Table]:
    """页面上的子表。第一个表头之前、或整页没有表头时，归为没有表头的表。"""
    tables: list[Table] = []
    headers: list[dict[str, TextBox]] = []
    body: list[list[TextBox]] = []
    texts = [" ".join(box.text for box in line) for line in lines if not find_header(line)]
    days = {day for text in texts for day in days_in(text, only_own=True)}
    for line in [*lines, None]:
        heads = find_header(line) if line is not None else []
        if not heads and line is not None:
            body.append(line)
            continue
        if heads and headers and not body and _are_subheads(headers, heads):
            add_subheads(headers, heads)
            continue
        tables.extend(_headed(headers, body, days) if headers else _headless(body))
        headers, body = heads, []
    return tables


def _headed(headers: list[dict[str, TextBox]], body: list[list[TextBox]], days: set[tuple[int, int]]) -> list[Table]:
    """表头与下面各行 -> 各栏的表。days：表头以外印着的这一次的日子，（月，日）。"""
    edges = _edges_over(headers, body)
    body = without_next_serials(body, edges) if edges else with_whole_ranges(body, headers[0])
    lines = _split_at([[cell for box in line for cell in _cells(box, headers, edges)] for line in body], edges)
    for at in range(len(headers) - 1, 0, -1):
        if not _has_own_names(headers[at], lines[at]):
            left, right = headers[at - 1 : at + 1]
            moved = {f"{key} {box.start:.0f}" if key in left else key: box for key, box in right.items()}
            return _headed([*headers[: at - 1], moved | left, *headers[at + 1 :]], body, days)
    tables = []
    panels = zip(headers, map(without_legend, lines), strict=True)
    for header, panel in (half for whole in panels for half in split_shares(*whole)):
        fit_header(header, panel, days)
        roles = frozenset("range" if name.startswith("range") else name for name in header)
        columns = Columns({name: (box.start, box.middle, box.end) for name, box in header.items()}, roles)
        columns.fit(panel)
        columns.name_unknown(panel)
        columns.find_results(panel)
        _fit_names(columns, panel)
        tables.append(Table(columns, panel))
    return tables


def _has_own_names(header: dict[str, TextBox], lines: list[list[Cell]]) -> bool:
    """这一栏印着名称、代号的表头，或至少一半的行在结果左边有名称。

    没有的（`血常规 | 结果 | 复查血常规 | 结果`）不是另一栏：并到左边去，两列结果使各行起疑。
    """
    edge = header["result"].start if "result" in header else 0.0
    named = [line for line in lines if any(cell.kind in ("text", "unit") and cell.box.middle < edge for cell in line)]
    return bool({"name", "code", "serial"} & header.keys()) or not lines or 2 * len(named) >= len(lines)


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
    every: list[Cell] = []
    for piece in pieces:
        header = headers[sum(piece.middle > edge for edge in edges)]
        if "unit" in header and piece.start > header["unit"].start - piece.height:
            piece = replace(piece, text=re.sub(r"^[1lI|] ?(?=U/m?L$)", "I", piece.text))  # 单位一列里的 IU 常认成 1U
        starts = sorted(word.start for role, word in header.items() if role not in ("name", "code", "serial"))
        whole, cells = piece, split_cells(piece)
        # 成句的话不断开；每一格都认得清的也不用断
        for start in starts if len({cell.kind == "text" for cell in cells}) == 2 else ():
            *done, last = cut_at(piece, start, only_at_space=True)
            every.extend(cell for part in done for cell in split_cells(part))
            piece = last
        for cell in cells if piece is whole else split_cells(piece):
            every.extend(_cut_glued_value(cell, header.get("result")))
    return every


def _cut_glued_value(cell: Cell, result: TextBox | None) -> list[Cell]:
    """名称碰到了数、识别成一段时分开：数要落在结果一列。"""
    box = cell.box
    if result is None or cell.kind != "text" or not box.start < result.start - box.height:
        return [cell]
    glued = re.fullmatch(r"(?P<name>.*[^\d.<>≤≥\s])\s*(?P<value>[<>≤≥]?\d+(?P<part>\.\d+)?|弱?[阴阳]性)\s*", box.text)
    # 名称也有数字结尾的（糖类抗原125），没有带小数的
    is_name = glued and glued["part"] is None and glued["value"].isdigit() and is_known(box.text)
    if not glued or is_name or place_of(box, len(box.text)) < result.start:
        return [cell]
    at = glued.start("value")
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
    named = [names for line in texts if (names := [box for box in line if box.start < end and box.end > start])]
    coded = [line for line in named if len(line) > 1 and is_known_code(line[0].text) and has_chinese(line[1].text)]
    if "name" not in columns.spans and 2 * len(coded) > len(named):
        columns.spans["code"] = span_of([line[0] for line in coded])  # 代号一列也没有印表头，在名称的左边
        named = [line[1:] for line in coded]
    boxes = [line[0] for line in named]
    if len(boxes) >= 2 or boxes and "name" not in columns.spans:
        columns.spans["name"] = span_of(boxes)
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
