"""画一张表：列宽按内容分，线、底色与折行。"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from health_assistant.lab_report.rendering.drawing import SHIFT, Page, Pieces
from health_assistant.lab_report.rendering.sampling import pick
from health_assistant.lab_report.report import ABNORMAL_FLAGS

# 规则 -> 画哪些线：t 表头之上，h 表头之下，r 每行之下，b 末尾，v 竖线
_LINES = {"grid": "thrbv", "rows": "thr", "dashed": "thr", "ends": "thb", "dashed_ends": "tb", "top": "t", "none": ""}
_SMALLEST = 12
"""放不下时，字号（像素）至多缩到这么小。"""


@dataclass(frozen=True)
class Column:
    """表格的一列。

    template 里的 {name} {code} {result} {unit} {reference_range} {mark} 换成这一项印的字并记下框；
    {low} {high} 是范围的两端，记作范围；{serial} {previous} {method} {specimen} {english}、wording.yaml 的 cells 与
    `Page.extras` 里的只画不记；其余照写，挨着空字段的括号与空格不写。
    heading 为 None 时从医院常用的说法里抽一个，"" 是没有表头。align 是 l、m、r。
    """

    template: str
    heading: str | None = None
    align: str = "l"


Row = tuple[int | None, list[list[Pieces]]]
"""一行：第几项（表头为 None），各格里的各行字。"""


def draw_table(page: Page, columns: Sequence[Column], indices: Sequence[int], x0: int, x1: int, y: int,
               rules: str = "ends", header: bool = True, pitch: float = 1.6, band: str = "", stripe: str = "",
               between: float = 0.9, spread: bool = True) -> int:  # fmt: skip
    """从 y（上边线）画一张表，返回下边的 y。

    rules 是 _LINES 里的名字；列宽按内容分配，放不下就整张表缩小字号；band 是表头的底色，stripe 是隔行的底色；
    pitch 是行距与字号之比，between 是两列之间的空白与字号之比；spread 为假时各列不撑满，照内容的宽挨着。
    """
    rows: list[Row] = [(index, [_cell(page, index, column) for column in columns]) for index in indices]
    if header:
        rows.insert(0, (None, [split_lines([(None, _heading(page, column))]) for column in columns]))
    size, edges, gap = _fit(page, rows, x0, x1, between, spread)
    places = [edges[at] + gap // 2 + (edges[at + 1] - edges[at] - gap) * SHIFT[column.align]
              for at, column in enumerate(columns)]  # fmt: skip
    lines, dash, top, thick = _LINES[rules], 6 if "dashed" in rules else 0, y, int(pick(page.rng, (1, 2)))
    if "t" in lines:
        page.line(x0, y, x1, y, 2, dash if "h" not in lines else 0)
    for number, row in enumerate(rows):
        is_head = row[0] is None
        tall = round(size * pitch) + round(size * 1.15) * (max(map(len, row[1])) - 1)
        ground = band if is_head else stripe * (number % 2)
        if ground:
            page.drawing.rectangle((x0, y + 1, x1, y + tall), ground)
        _write_row(page, row, columns, places, y + tall / 2, size)
        y += tall
        if ("h" if is_head else "r") in lines:
            page.line(x0, y, x1, y, thick if is_head else 1, 0 if is_head else dash)
    if "b" in lines:
        page.line(x0, y, x1, y, 2, dash)
    for edge in edges if "v" in lines else ():
        page.drawing.line((edge, top, edge, y), page.ink, thick)
    return y


def _fit(page: Page, rows: list[Row], x0: int, x1: int, between: float, spread: bool) -> tuple[int, list[float], int]:
    """放得下的字号，各列的左右边（x0 到 x1，像素），两列之间的空白；参数见 `draw_table`。"""
    size = page.size
    while True:
        widths = [max(page.width_of(line, size) for cell in column for line in cell)
                  for column in zip(*(cells for _, cells in rows), strict=True)]  # fmt: skip
        gap = round(size * between)
        spare = x1 - x0 - sum(widths) - gap * len(widths)
        if spare >= 0 or size <= _SMALLEST:
            break
        size = min(size - 1, int(size * (x1 - x0) / (x1 - x0 - spare)))
    spare = spare if spread else 0
    shares = [gap + width + spare * width // max(1, sum(widths)) for width in widths]
    return size, [x0, *(x0 + np.cumsum(shares)[:-1]).tolist(), x1], gap


def _write_row(page: Page, row: Row, columns: Sequence[Column], places: list[float], middle: float, size: int) -> None:
    """写一行的各格，middle 是这一行的中线；有的医院把异常的结果与标记印成红色、加粗或黑底白字。"""
    index, cells = row
    for column, cell, place in zip(columns, cells, places, strict=True):
        is_marked = index is not None and _is_marked(page, index, column.template)
        fill, bold = (page.abnormal_ink or None, page.bold_abnormal) if is_marked else (None, False)
        for at, line in enumerate(cell):
            y = middle + (at - (len(cell) - 1) / 2) * size * 1.2
            if page.habits.is_reversed and is_marked:
                start, fill = place - page.width_of(line, size) * SHIFT[column.align], "#ffffff"
                end = start + page.width_of(line, size)
                page.drawing.rectangle((start - 2, y - size * 0.5, end + 2, y + size * 0.5), page.ink)
            page.pieces(index, place, y, line, size, fill, column.align, bold)


def _is_marked(page: Page, index: int, template: str) -> bool:
    is_shown = page.flags[index] in ABNORMAL_FLAGS and page.report.items[index].mark is not None
    return is_shown and bool(re.search("{result}|{mark}", template))


def _heading(page: Page, column: Column) -> str:
    if column.heading is not None:
        return column.heading
    fields = re.findall(r"{(\w+)}", column.template)
    return page.headings["result" if "result" in fields else fields[0]]


def _cell(page: Page, index: int, column: Column) -> list[Pieces]:
    """一格里的各行；字里有换行就折，写着几个人群的长范围折成两行。"""
    pieces = page.fill_template(index, column.template)
    if any("\n" in text for _, text in pieces):
        return split_lines(pieces)
    text = "".join(text for _, text in pieces)
    cut = re.search(r"[;，；]|,(?!\d)|\](?=\[)", text)
    if column.template != "{reference_range}" or len(text) <= 15 or not cut:
        return [pieces]
    return [[("reference_range", text[: cut.end()])], [("reference_range", text[cut.end() :])]]


def split_lines(pieces: Pieces) -> list[Pieces]:
    """在换行处分成几行。"""
    lines: list[Pieces] = [[]]
    for field, text in pieces:
        first, *rest = text.split("\n")
        lines[-1].append((field, first))
        lines += [[(field, line)] for line in rest]
    return lines
