"""一张表有哪几列，各在哪里：表头说的、各行的格子对得齐的；一行里的格子各归哪一列。"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from statistics import median

from health_assistant.lab_report.reading.cells import ARROW_LIKE, Cell
from health_assistant.lab_report.reading.text import TextBox

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
_RESULTS = {"result", "percent", "absolute", "mean", "replicate"}
"""这些列有一样的，就知道结果在哪里。"""
_MIN_RESULTS = 3
"""少于这么多行，上下对齐的数也许是碰巧。"""
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
        """有没有表头。"""
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
                    self.spans[name] = span_of(boxes)

    def name_unknown(self, lines: list[list[Cell]]) -> None:
        """表头里没有认得的“项目”“范围”或“结果”时，认不得的词下面多半是文字、范围、数的就是。

        有几列都是数、都是范围的都算：不知道哪一列是这一次的、这个人的，各行自会起疑。
        项目、范围都认得，认不得的只有夹在它们中间的一列（`项目 | 所见 | 参考`），那一列就是结果，不论写着什么。
        """
        unknown = [name for name in self.spans if name.startswith("unknown")]
        is_only = len(unknown) == 1 and {"name", "range"} <= self.spans.keys() and not _RESULTS & self.spans.keys()
        if is_only and self.spans["name"] < self.spans[unknown[0]] < self.spans["range"]:
            self.find_results(lines)  # 没有表头的另一列数才是，认不得的是单位、试管
            right = [cell for line in lines for cell in line if cell.box.start > self.spans["name"][1]]
            right = [cell for cell in right if cell.kind in ("number", "bound", "term")]
            loose = [cell for cell in right if not any(_overlaps(cell.box, span) for span in self.spans.values())]
            if not _RESULTS & self.spans.keys() and 2 * len(loose) < len(lines):
                self.spans["result"] = self.spans.pop(unknown[0])
                self.printed |= {"result"}
        values = {"name": ("text",), "range": ("range", "bound"), "result": ("number", "bound", "term")}
        for role, kinds in values.items():
            if role in self.spans:
                continue
            for name in sorted((span for span in self.spans if span.startswith("unknown")), key=self.spans.__getitem__):
                below = [cell for line in lines for cell, at in zip(line, self.assign(line), strict=True) if at == name]
                is_first = role not in self.spans
                below = [cell for cell in below if cell.kind not in ("unit", "mark")]
                if sum(cell.kind in kinds for cell in below) * 2 > len(below) and (is_first or role != "name"):
                    span = self.spans.pop(name)
                    self.spans[role if is_first else f"{role} {span[0]:.0f}"] = span
                    self.printed |= {role}

    def find_results(self, lines: list[list[Cell]]) -> None:
        """表头的“结果”盖着印章、没有认出时：别的列以外、上下对齐的一摞数是结果，至少三行，少说三分之一的行有。"""
        if "name" not in self.spans or any(name.split()[0] in _RESULTS for name in self.spans):
            return
        taken = list(self.spans.values())
        cells = [cell for line in lines for cell in line]
        free = [cell for cell in cells if not any(_overlaps(cell.box, span) for span in taken)]
        others = Columns({})
        others.guess(free)
        span = others.spans.get("result")
        if span and sum(_overlaps(cell.box, span) for cell in free) >= max(_MIN_RESULTS, len(lines) / 3):
            self.spans["result"] = span
            self.printed |= {"result"}

    def guess(self, cells: list[Cell]) -> None:
        """没有表头：列由各行里确凿的数、范围与单位的位置定，并认出序号列与箭头列。"""
        if units := [cell.box for cell in cells if cell.kind == "unit"]:
            self.spans["unit"] = span_of(units)
        results, ranges = [], []
        for stack in _stacks([cell for cell in cells if cell.kind in ("number", "bound", "term", "range")]):
            kinds, boxes = [cell.kind for cell in stack], [cell.box for cell in stack]
            if _is_serial(boxes):
                self.spans["serial"] = span_of(boxes)
            elif all(box.text in ARROW_LIKE for box in boxes) and kinds.count("number"):
                self.spans.setdefault("mark", span_of(boxes))
            elif kinds.count("range") > kinds.count("number"):
                ranges.append([cell.box for cell in stack if cell.kind == "range"])
            else:
                results.append(boxes)
        bounds = [column for column in results if not any(re.fullmatch(r"[\d.]+", box.text) for box in column)]
        if len(results) > 1 and bounds:
            # 有数的一摞是结果；都是定性词时，左边的是结果
            moved = bounds if len(bounds) < len(results) else bounds[1:]
            ranges.extend(moved)
            results = [column for column in results if column not in moved]
        for name, stacks in (("result", results), ("range", ranges)):
            if stacks:
                self.spans[name] = span_of(max(stacks, key=len))


def _overlaps(box: TextBox, span: tuple[float, float, float]) -> bool:
    """box 与一列（左、中、右）横向有重叠。"""
    return box.start < span[2] and span[0] < box.end


def _stacks(cells: list[Cell]) -> list[list[Cell]]:
    """上下对齐（横向有重叠）的数与范围各成一摞。"""
    stacks: list[list[Cell]] = []
    for cell in sorted(cells, key=lambda other: other.box.start):
        if stacks and cell.box.start < max(other.box.end for other in stacks[-1]):
            stacks[-1].append(cell)
        else:
            stacks.append([cell])
    return stacks


def _is_serial(boxes: list[TextBox]) -> bool:
    """从上到下逐一加一的整数是序号。"""
    values = [int(box.text) for box in sorted(boxes, key=lambda box: box.line) if re.fullmatch(r"\d{1,4}", box.text)]
    steps = sum(below - above == 1 for above, below in pairwise(values))
    return len(values) >= 2 and steps >= 0.6 * (len(boxes) - 1) and steps >= 1


def span_of(boxes: list[TextBox]) -> tuple[float, float, float]:
    """一列格子的左、中、右（横坐标，各取中位数）。"""
    return tuple(median(getattr(box, edge) for box in boxes) for edge in ("start", "middle", "end"))
