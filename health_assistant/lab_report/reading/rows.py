"""文字框 -> 行 -> 检验项目。先按写法给单元格定种类，种类有歧义时才看它离哪一列近。

列的位置从页面上来：有表头用表头，没有就用各行里确凿的数与范围的中位数。不依赖某一种表头。
"""

import re
from dataclasses import dataclass, field, replace
from statistics import median

from health_assistant.lab_report.catalogue import is_known_name
from health_assistant.lab_report.reading.cells import (
    ARROW_LIKE,
    classify,
    repair_unit,
    split_mark,
    split_name,
)
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reference_range import Terms, parse_range

_HEADER_WORDS = {
    # 上次的结果、危急值、日期都是数，却不是这次的结果
    "ignored": r"上次|前次|历史|既往|危急|日期|时间",
    "code": r"代号|代码|缩写|英文|^code$|^abbr",
    "name": r"项目|检验名称|指标|^item|^test",
    "result": r"结果|测定值|检测值|测量值|^result|^value",
    "unit": r"单位|^units?$",
    "range": r"参考|正常值|范围|^ref|^normal|range$",
    "mark": r"提示|标志|标记|状态|^flag$",
    "method": r"方法|^method$",
}
_TWO_RESULTS = "这一行有两个数，不能确定哪个是这次的结果"
_TWO_RANGES = "这一行有两个参考范围，可能是并排的两栏，请核对旁边的项目有没有读到"
_NOT_AN_ITEM = re.compile(
    r"[:：]$|姓名|性别|年龄|科室|床号|标本|样本|送检|采样|采集|接收|日期|门诊|住院|病历|病人|审核|检验者|核对"
    # “凝血酶原时间”是项目，“报告时间”不是
    r"|(报告|检验|打印|申请|收标|签收|核收|登记|审定|执行)时间|时间\s*[:：]"
    r"|开单|电话|地址|医生|医师|临床诊断|备注|条码|序号|签名|说明|声明|危[机急]值?|第\s*\d*\s*页|共\s*\d*\s*页"
)


@dataclass
class Row:
    """一行检验项目的各个单元格；没有的是 None。"""

    name: TextBox
    code: TextBox | None = None
    result: TextBox | None = None
    unit: TextBox | None = None
    limits: list[TextBox] = field(default_factory=list)
    mark: TextBox | None = None
    maybe_arrows: list[TextBox] = field(default_factory=list)
    doubt: str | None = None
    """这一行读得没有把握的原因。"""

    def boxes(self) -> list[TextBox]:
        single = [self.name, self.code, self.result, self.unit, self.mark]
        return [box for box in [*single, *self.limits, *self.maybe_arrows] if box]

    def set_result(self, box: TextBox) -> None:
        """放入结果。箭头常被识别成数字 1：已有一个“结果”时，后来的才是真结果，先前的是箭头的候选。"""
        if self.result and self.result.text in ARROW_LIKE:
            self.maybe_arrows.append(self.result)
            self.result = box
        elif self.result is None:
            self.result = box
        elif box.text in ARROW_LIKE:
            self.maybe_arrows.append(box)
        else:
            self.doubt = _TWO_RESULTS

    def add_limits(self, box: TextBox) -> None:
        """放入参考范围；同一行里出现第二个就可疑。"""
        if self.limits:
            self.doubt = _TWO_RANGES
        self.limits.append(box)


@dataclass
class Columns:
    """各列的横坐标；不知道的不在其中。"""

    centers: dict[str, float]
    first_line: int = 0
    """表头之后第一行的序号；没有表头时为 0。"""

    @property
    def from_header(self) -> bool:
        return self.first_line > 0

    def nearest(self, box: TextBox, among: tuple[str, ...]) -> str | None:
        """离 box 最近的列，只在 among 都知道时才有意义。"""
        known = {name: x for name, x in self.centers.items() if name in among}
        return min(known, key=lambda name: abs(known[name] - box.center_x)) if known else None

    def ignores(self, box: TextBox) -> bool:
        """box 在“上次结果”这样不读的列里。"""
        nearest = self.nearest(box, tuple(self.centers))
        return nearest is not None and nearest.startswith("ignored")


def group_lines(boxes: list[TextBox]) -> list[list[TextBox]]:
    """按视觉上的行归拢，从上到下；每行从左到右。顺着页面的斜率逐框相接，容得下轻微的弯曲。"""
    slopes = [box.slope for box in boxes if box.x1 - box.x0 > 3 * box.height]
    slope = median(slopes) if slopes else 0.0
    lines: list[list[TextBox]] = []
    for box in sorted(boxes, key=lambda one: one.x0):

        def distance(line: list[TextBox], box: TextBox = box) -> float:
            last = line[-1]
            expected = last.center_y + slope * (box.center_x - last.center_x)
            return abs(box.center_y - expected) / min(box.height, last.height)

        near = min(lines, key=distance, default=None)
        if near is not None and distance(near) < 0.5 and box.x0 > near[-1].x0:
            near.append(box)
        else:
            lines.append([box])
    return sorted(lines, key=lambda line: line[0].center_y - slope * line[0].center_x)


def find_columns(lines: list[list[TextBox]]) -> Columns:
    """列的位置：有表头看表头，没有就看各行里确凿的数、范围与单位。"""
    for index, line in enumerate(lines):
        centers = {}
        for box in line:
            if column := _header_column(box):
                # 不读的列可以有几个
                centers.setdefault(f"ignored {box.x0:.0f}" if column == "ignored" else column, box.center_x)
        if "result" in centers and len(centers) >= 2:
            return Columns(centers, first_line=index + 1)
    cells = [(classify(box.text), box) for line in lines for box in line[1:]]
    centers = {
        column: median(box.center_x for one, box in cells if one == kind)
        for column, kind in (("result", "number"), ("range", "range"), ("unit", "unit"))
        if any(one == kind for one, _ in cells)
    }
    return Columns(centers)


def _header_column(box: TextBox) -> str | None:
    """表头的一格是哪一列。"""
    text = box.text.replace(" ", "")
    if len(text) > (16 if text.isascii() else 8):
        return None
    matches = (column for column, words in _HEADER_WORDS.items() if re.search(words, text, re.IGNORECASE))
    return next(matches, None)


def split_panels(boxes: list[TextBox]) -> list[list[TextBox]]:
    """并排的几栏各自的文字框：表头里“项目”与“结果”都重复时，在两栏表头之间的空白处分开。"""
    for line in group_lines(boxes):
        heads = [(column, box) for box in line if (column := _header_column(box))]
        names = [box for column, box in heads if column == "name"]
        if len(names) < 2 or sum(column == "result" for column, _ in heads) < 2:
            continue
        edges = []
        for name in names[1:]:
            left_neighbour = max(box.x1 for _, box in heads if box.x0 < name.x0)
            edges.append((left_neighbour + name.x0) / 2)
        panels: list[list[TextBox]] = [[] for _ in names]
        for box in boxes:
            panels[sum(box.center_x > edge for edge in edges)].append(box)
        return panels
    return [boxes]


def find_rows(lines: list[list[TextBox]]) -> tuple[list[Row], Columns]:
    """一栏里的检验项目，与列的位置。"""
    columns = find_columns(lines)
    rows: list[Row] = []
    for line in lines[columns.first_line :]:
        found = _rows_in_line(line, columns)
        if not found and rows and (wrapped := _wrapped_range(line, rows[-1])):
            rows[-1].limits.append(wrapped)
        rows.extend(found)
    return [row for row in rows if _is_item(row, columns.from_header)], columns


def _rows_in_line(line: list[TextBox], columns: Columns) -> list[Row]:
    """一条视觉行里的项目；名称之后又出现名称，就是并排的第二栏。"""
    rows: list[Row] = []
    for box in line:
        kind = classify(box.text)
        row = rows[-1] if rows else None
        if row is None:
            if kind == "text":
                rows.append(Row(name=box))
            continue
        if columns.ignores(box):
            continue
        if kind in ("bound", "term"):
            place = columns.nearest(box, ("result", "range"))
            if place is None:
                place = "range" if row.result else "result"
            if place == "range":
                row.add_limits(box)
            else:
                row.set_result(box)
        elif kind == "number":
            row.set_result(box)
        elif kind == "range":
            row.add_limits(box)
        elif kind == "unit":
            row.unit = row.unit or box
        elif kind == "mark" or box.text in ARROW_LIKE:
            row.maybe_arrows.append(box)
            row.mark = box if kind == "mark" else row.mark
        else:
            _place_text(box, row, rows, columns)
    return rows


def _place_text(box: TextBox, row: Row, rows: list[Row], columns: Columns) -> None:
    """名称之后的文字：粘着箭头的数、代号、文字结果（偶见）、文字范围（黄棕）、方法，或下一栏的名称。"""
    bare, mark = split_mark(box.text)
    place = columns.nearest(box, ("name", "code", "result", "unit", "range", "mark", "method"))
    if (row.result or row.limits or row.unit) and is_known_name(split_name(bare)[0]):
        rows.append(Row(name=box))
    elif mark and classify(bare) in ("number", "bound"):
        row.set_result(replace(box, text=bare))
        if mark in "↑↓→←":
            row.maybe_arrows.append(box)
        else:
            row.mark = replace(box, text=mark)
    elif box.text.isascii() and not (row.code or row.result) and (place == "code" or not split_name(row.name.text)[1]):
        row.code = box
    elif place == "result" and row.result is None:
        row.result = box
    elif place == "range" and not row.limits:
        row.add_limits(box)
    elif (row.result or row.limits) and place not in ("unit", "range", "method"):
        rows.append(Row(name=box))


def _wrapped_range(line: list[TextBox], above: Row) -> TextBox | None:
    """换行印的范围的下半截，如“新生儿0.5-2.0”：整行只有它，且在上一行范围的正下方。"""
    if len(line) != 1 or not above.limits:
        return None
    box, upper = line[0], above.limits[-1]
    is_near = box.center_y - upper.center_y < 2.5 * upper.height and box.x0 < upper.x1 and upper.x0 < box.x1
    limits = parse_range(box.text)
    return box if is_near and limits is not None and not isinstance(limits, Terms) else None


def _is_item(row: Row, has_header: bool) -> bool:
    """是检验项目，而不是页眉、页脚或别的文字。"""
    name, code = split_name(row.name.text)
    if _NOT_AN_ITEM.search(row.name.text) or not (name or code):
        return False
    if row.limits and (row.result or row.unit or has_header or is_known_name(name)):
        return True
    return bool(row.result) and (has_header or row.unit is not None)


def row_text(row: Row) -> tuple[str, str, str, str, str]:
    """一行的名称、代号、结果、单位、参考范围，固定的误读已改正。"""
    bare, _ = split_mark(row.name.text)
    name, code = split_name(bare)
    if row.code and (printed := split_name(row.code.text)[1]):
        # 代号另有一格时，名称里的字母（红细胞分布宽度CV）是名称的一部分
        name, code = bare.lstrip("*★☆ "), printed
    result = row.result.text if row.result else ""
    unit = repair_unit(row.unit.text) if row.unit else ""
    return name or code, code, result, unit, ",".join(box.text for box in row.limits)
