"""文字框 -> 视觉行 -> 子表：认出表头，一页可以有几张表，一张表可以有并排的几栏，各有自己的列。"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median

from health_assistant.lab_report.reading.cells import ARROW_LIKE, Cell, is_known, split_cells
from health_assistant.lab_report.reading.text import TextBox

_HEADER_WORDS = {
    # 上次的结果、危急值、日期都是数，却不是这次的结果
    "ignored": r"上次|前次|历史|既往|危急|日期|时间|标本|样本|仪器|^\d{2,4}[-/.]\d{1,2}|^previous|^last",
    "serial": r"^(序号?|编号|行号|no\.?|#)$",
    "method": r"方法|^method",
    "code": r"代号|代码|缩写|英文|简称|^code$|^abbr",
    "mark": r"提示|标志|标记|状态|异常|高低|^flag$|^h/l$",
    "range": r"参考|正常|范围|^ref|^normal|range|interval",
    "unit": r"单位|^units?$",
    "result": r"结果|测定值|检测值|测量值|检验值|^数值|^result|^value$|^本次$",
    "name": r"项目|名称|指标|检验内容|^items?$|^tests?$|^test ?name|^analyte|^component|^name$|^parameter",
}
_MAX_HEADER_LENGTH = {True: 22, False: 9}
"""表头一格的字数上限，按是不是纯英文；更长的是句子。"""


@dataclass
class Columns:
    """各列左、中、右的横坐标（拉平以后）；不知道的列不在其中。"""

    spans: dict[str, tuple[float, float, float]]
    printed: frozenset[str] = frozenset()
    """表头里印着的列；没有表头时为空。"""

    @property
    def has_header(self) -> bool:
        return bool(self.printed)

    def nearest(self, box: TextBox, among: Iterable[str] | None = None) -> str | None:
        """与 box 最对齐的列：左对齐、居中、右对齐都算对齐。among 是候选列的名字，默认所有的列。"""
        known = [name for name in self.spans if among is None or name.split()[0] in among]
        return min(known, key=lambda name: self._distance(name, box)).split()[0] if known else None

    def _distance(self, name: str, box: TextBox) -> float:
        start, middle, end = self.spans[name]
        off = min(abs(box.start - start), abs(box.middle - middle), abs(box.end - end))
        # 隔着空白的比有重叠的更远
        return off + max(0.0, start - box.end, box.start - end)

    def refine(self, cells: list[Cell]) -> None:
        """以表里确凿的格子代替表头的位置（表头常与内容不对齐），并认出没有表头的序号列与箭头列。"""
        units = [cell.box for cell in cells if cell.kind == "unit"]
        units = [box for box in units if self.nearest(box, ("unit", "ignored", "code")) in ("unit", None)]
        if len(units) >= 2 or units and "unit" not in self.spans:
            self.spans["unit"] = _span(units)
        results, ranges = [], []
        for stack in _stacks([cell for cell in cells if cell.kind in ("number", "bound", "term", "range")]):
            kinds, boxes = [cell.kind for cell in stack], [cell.box for cell in stack]
            if _is_serial(boxes):
                self.spans["serial"] = _span(boxes)
            elif all(box.text in ARROW_LIKE for box in boxes) and kinds.count("number"):
                self.spans.setdefault("mark", _span(boxes))
            elif kinds.count("range") > kinds.count("number"):
                if self.nearest(boxes[0], ("range", "ignored")) != "ignored":
                    ranges.append([cell.box for cell in stack if cell.kind == "range"])
            elif ("number" in kinds or not self.has_header) and (
                self.nearest(boxes[0], ("result", "ignored")) != "ignored"
            ):
                results.append(boxes)
        if not self.has_header and len(results) > 1 and (bounds := [one for one in results if not _has_number(one)]):
            # 没有表头：有数的一摞是结果；都是定性词时，左边的是结果
            moved = bounds if len(bounds) < len(results) else bounds[1:]
            ranges.extend(moved)
            results = [one for one in results if one not in moved]
        for name, stacks in (("result", results), ("range", ranges)):
            if stacks and (len(most := max(stacks, key=len)) >= 2 or name not in self.spans):
                self.spans[name] = _span(most)

    def refine_names(self, lines: list[list[Cell]]) -> None:
        """名称一列以各行里最靠左、与表头的名称有重叠的文字为准：名称有长有短，只有左端对齐。

        表头的“项目”没有认出来时，是结果与范围左边的文字。
        """
        if "name" in self.spans:
            start, _, end = self.spans["name"]
        else:
            start, end = 0.0, min(self.spans[name][0] for name in ("result", "range") if name in self.spans)
        texts = [[cell.box for cell in line if cell.kind == "text"] for line in lines]
        boxes = [found[0] for line in texts if (found := [box for box in line if box.start < end and box.end > start])]
        if len(boxes) >= 2 or boxes and "name" not in self.spans:
            self.spans["name"] = _span(boxes)
            self.printed |= {"name"}


def _stacks(cells: list[Cell]) -> list[list[Cell]]:
    """上下对齐（横向有重叠）的数与范围各成一摞。"""
    stacks: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda one: one.box.start):
        if stacks and cell.box.start < max(one.box.end for one in stacks[-1]):
            stacks[-1].append(cell)
        else:
            stacks.append([cell])
    return stacks


def _has_number(boxes: list[TextBox]) -> bool:
    return any(re.fullmatch(r"[\d.]+", box.text) for box in boxes)


def _is_serial(boxes: list[TextBox]) -> bool:
    """从上到下逐一加一的整数是序号。"""
    values = [int(box.text) for box in sorted(boxes, key=lambda one: one.line) if re.fullmatch(r"\d{1,2}", box.text)]
    steps = sum(below - above == 1 for above, below in pairwise(values))
    return len(values) >= 2 and values[0] <= 60 and steps >= 0.6 * (len(boxes) - 1) and steps >= 1


@dataclass
class Table:
    """一张表的一栏：列，和表头以下各行的格子（从上到下，从左到右）。"""

    columns: Columns
    lines: list[list[Cell]]


def _span(boxes: list[TextBox]) -> tuple[float, float, float]:
    return tuple(median(getattr(box, edge) for box in boxes) for edge in ("start", "middle", "end"))


def group_lines(boxes: list[TextBox]) -> list[list[TextBox]]:
    """按视觉上的行归拢，从上到下；每行从左到右。"""
    lines: list[list[TextBox]] = []
    for box in sorted(boxes, key=lambda one: one.start):

        def distance(line: list[TextBox], box: TextBox = box) -> float:
            return abs(box.line - line[-1].line) / min(box.height, line[-1].height)

        near = min(lines, key=distance, default=None)
        if near is not None and distance(near) < 0.5 and box.start > near[-1].start:
            near.append(box)
        else:
            lines.append([box])
    return sorted((_join_characters(line) for line in lines), key=lambda line: line[0].line)


def _join_characters(line: list[TextBox]) -> list[TextBox]:
    """拉开印的两个字（`项　目`、`姓　名：`）会被识别成两段，接起来。"""
    joined: list[TextBox] = []
    for box in line:
        last = joined[-1] if joined else None
        is_pair = last and re.fullmatch(r"[一-鿿]", last.text) and re.fullmatch(r"[一-鿿][:：]?", box.text)
        if is_pair and box.start - last.end < 5 * box.height:
            joined[-1] = join_boxes(last, box)
        else:
            joined.append(box)
    return joined


def join_boxes(left: TextBox, right: TextBox, between: str = "") -> TextBox:
    """左右或上下相连的两段文字合成一段。"""
    return replace(
        left,
        text=left.text + between + right.text,
        score=min(left.score, right.score),
        **{edge: min(getattr(left, edge), getattr(right, edge)) for edge in ("x0", "y0", "start")},
        **{edge: max(getattr(left, edge), getattr(right, edge)) for edge in ("x1", "y1", "end")},
    )


def find_tables(lines: list[list[TextBox]]) -> list[Table]:
    """页面上的子表。第一个表头之前、或整页没有表头时，归为没有表头的表。"""
    tables: list[Table] = []
    headers: list[dict[str, TextBox]] = []
    body: list[list[TextBox]] = []
    for line in [*lines, None]:
        found = _header_panels(line) if line is not None else []
        if not found and line is not None:
            body.append(line)
            continue
        tables.extend(_headed(headers, body) if headers else _headless(body))
        headers, body = found, []
    return tables


def _header_panels(line: list[TextBox]) -> list[dict[str, TextBox]]:
    """这一行是表头时，各栏的“列 -> 表头格”；某一列又出现时是下一栏的开始。不是表头时为空。"""
    panels: list[dict[str, TextBox]] = [{}]
    if any(cell.kind in ("number", "bound", "range") for box in line for cell in split_cells(box)):
        return []
    for box in line:
        for word in _header_words(box):
            if (column := header_column(word.text)) is None:
                continue
            if column == "ignored":
                column = f"ignored {word.start:.0f}"
            elif column in panels[-1] and column in ("serial", "name", "code"):
                panels.append({})
            panels[-1].setdefault(column, word)
    return [panel for panel in panels if len(panel) >= 2 and panel.keys() & {"result", "range"}]


def _header_words(box: TextBox) -> list[TextBox]:
    """表头里连成一段的几格按空格分开。"""
    words = box.text.split()
    if len(words) < 2 or header_column(box.text) and box.text.isascii():
        return [box]
    width = (box.end - box.start) / len(box.text)
    starts = [found.start() for found in re.finditer(r"\S+", box.text)]
    return [
        replace(box, text=word, start=box.start + width * at, end=box.start + width * (at + len(word)))
        for word, at in zip(words, starts, strict=True)
    ]


def header_column(text: str) -> str | None:
    """表头的一格是哪一列。"""
    text = re.sub(r"[()（）:：*]", "", text).strip()
    text = text if text.isascii() else text.replace(" ", "")
    if not text or len(text) > _MAX_HEADER_LENGTH[text.isascii()]:
        return None
    return next((name for name, words in _HEADER_WORDS.items() if re.search(words, text, re.IGNORECASE)), None)


def _headed(headers: list[dict[str, TextBox]], body: list[list[TextBox]]) -> list[Table]:
    edges = []
    for left, right in zip(headers, headers[1:], strict=False):
        edges.append((max(box.end for box in left.values()) + min(box.start for box in right.values())) / 2)
    lines = _split_at([[cell for box in line for cell in split_cells(box)] for line in body], edges)
    tables = []
    for header, panel in zip(headers, lines, strict=True):
        columns = Columns({name: (box.start, box.middle, box.end) for name, box in header.items()}, frozenset(header))
        columns.refine([cell for line in panel for cell in line])
        columns.refine_names(panel)
        tables.append(Table(columns, panel))
    return tables


def _split_at(lines: list[list[Cell]], edges: list[float]) -> list[list[list[Cell]]]:
    """各栏各行的格子；edges 是栏与栏的分界。"""
    panels: list[list[list[Cell]]] = [[] for _ in range(len(edges) + 1)]
    for line in lines:
        for panel, cells in groupby(line, key=lambda cell: sum(cell.box.middle > edge for edge in edges)):
            panels[panel].append(list(cells))
    return panels


def _headless(body: list[list[TextBox]]) -> list[Table]:
    """没有表头：栏由认得的名称的左端分，列由各行里确凿的数、范围与单位的位置定。"""
    lines = [[cell for box in line for cell in split_cells(box)] for line in body]
    names = sorted((cell.box for line in lines for cell in line if cell.kind == "text" and is_known(cell.text)),
                   key=lambda box: box.start)  # fmt: skip
    groups: list[list[TextBox]] = []
    for box in names:
        if groups and box.start - groups[-1][-1].start < 6 * box.height:
            groups[-1].append(box)
        else:
            groups.append([box])
    groups = [group for group in groups if len(group) >= 2 and len(group) * 4 >= len(names)]
    edges = [min(box.start for box in group) - group[0].height for group in groups[1:]]
    # 代号在名称旁边另成一列时不是另一栏：两列之间要有数
    numbers = [cell.box.middle for line in lines for cell in line if cell.kind in ("number", "range", "bound", "term")]
    starts = [group[0].end for group in groups]
    edges = [edge for edge, start in zip(edges, starts, strict=False) if sum(start < x < edge for x in numbers) >= 2]
    tables = []
    for panel in _split_at(lines, edges):
        columns = Columns({})
        columns.refine([cell for line in panel for cell in line])
        tables.append(Table(columns, panel))
    return tables
