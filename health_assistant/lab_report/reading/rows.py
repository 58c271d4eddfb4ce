"""子表的格子 -> 一行行检验项目。确凿的格子（范围、单位）凭写法入座，其余凭所在的列；说不准的记下疑问。"""

import re
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

from health_assistant.lab_report.matching import find_indicator, is_known_code, is_known_name
from health_assistant.lab_report.reading.cells import (
    ARROW_LIKE,
    Cell,
    classify,
    is_bare_label,
    is_known,
    repair_unit,
    says_normal,
    split_mark,
    split_maybe_arrow,
    split_name,
)
from health_assistant.lab_report.reading.tables import Columns, Table, join_boxes
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reference_range import ByGroup, Interval, parse_range

_TWO_RESULTS = "这一行有两个数，不能确定哪个是这次的结果"
_TWO_RANGES = "这一行有两个参考范围，可能是相邻两行或并排两栏混在一起"
_NO_COLUMNS = "没有表头，不能确定哪个是结果、哪个是范围"
_ODD_PLACE = "结果的位置或字的大小与别的行不一样，可能不是结果"
_NAMELESS = "没有读出这一行的项目名称"
NAMELESS = "（名称没有读出）"
_NOT_AN_ITEM = re.compile(
    r"[:：]$|姓\s*名|性\s*别|年\s*龄|科室|科别|床号|标本|样本|样品|送检|采样|采集|接收|日期|门诊|住院|病历|病人|审核|检验者|核对|体温"
    r"|(检验|检测|测试|报告|操作|复核|批准|录入|签发|主管|医师|技师|打印)(者|人|员|师)?\s*[:：]"
    # “凝血酶原时间”是项目，“报告时间”不是
    r"|(报告|检验|打印|申请|收标|签收|核收|登记|审定|执行)时间|时间\s*[:：]"
    r"|开单|电话|地址|医生|医师|诊断|备注|条码|序号|签名|说明|声明|危[机急]值?|第\s*\d*\s*页|共\s*\d*\s*页|仅对|小结|建议|结论"
    r"|(?i:reported|verified|collected|received|printed|specimen|doctor|\b(name|sex|age)\s*:)"
)

_SENTENCE = re.compile(r"[。；;!?！？]|[:：].{4}|(?:\S+\s+){6}")
"""成句的话不是项目名称。"""


@dataclass
class Row:
    """一行检验项目的各个格子；没有的是 None。"""

    name: TextBox | None
    anchor: TextBox
    """定这一行高低的格子，通常就是名称。"""
    code: TextBox | None = None
    result: TextBox | None = None
    unit: TextBox | None = None
    limits: list[TextBox] = field(default_factory=list)
    low: TextBox | None = None
    high: TextBox | None = None
    """下限与上限各印一列时的两格。"""
    mark: TextBox | None = None
    maybe_arrows: list[TextBox] = field(default_factory=list)
    doubt: str | None = None
    """这一行读得没有把握的原因。"""

    def boxes(self) -> list[TextBox]:
        single = [self.name, self.code, self.result, self.unit, self.low, self.high, self.mark]
        return [box for box in [*single, *self.limits, *self.maybe_arrows] if box] or [self.anchor]

    def set_name(self, box: TextBox) -> None:
        """放入名称；紧挨着的两段是同一个名称被识别成了两段。"""
        if self.name is None:
            self.name = box
        elif box.start - self.name.end < 1.2 * box.height:
            self.name = join_boxes(self.name, box)
        elif self.code is None and box.text.isascii():
            self.code = box

    def set_result(self, box: TextBox) -> None:
        """放入结果。箭头常被识别成数字 1：已有一个“结果”时，后来的才是真结果，先前的是箭头的候选。"""
        if self.result and self.result.text in ARROW_LIKE:
            self.maybe_arrows.append(self.result)
            self.result = box
        elif self.result is None or classify(self.result.text) == "text" != classify(box.text):
            self.result = box
        elif box.text in ARROW_LIKE:
            self.maybe_arrows.append(box)
        elif classify(box.text) != "text" or classify(self.result.text) == "text":
            # 数旁边的文字是备注或印章，不是另一个结果
            self.doubt = _TWO_RESULTS

    def add_limits(self, box: TextBox) -> None:
        """放入参考范围；第二段只能是分组范围的另一半。"""
        if self.limits and not _joins(self.limits, box):
            self.doubt = _TWO_RANGES
        limits = [*self.limits, box]
        top = min(one.line for one in limits)
        self.limits = sorted(limits, key=lambda one: (int((one.line - top) / (0.6 * one.height)), one.start))

    def set_unit(self, box: TextBox) -> None:
        """放入单位；先前的一个若是代号（镁的 Mg 也像单位），就归还给代号。"""
        if self.unit is None:
            self.unit = box
        elif self.code is None and is_known_code(self.unit.text):
            self.code, self.unit = self.unit, box

    def add_mark(self, box: TextBox) -> None:
        """放入标记；`正常`、`N` 这样的标记说这一项正常。"""
        if says_normal(box.text):
            self.mark = self.mark or box
            return
        self.maybe_arrows.append(box)
        if classify(box.text) == "mark":
            self.mark = box


def _joins(limits: list[TextBox], box: TextBox) -> bool:
    """两段合起来是分男女、分年龄的范围，或一段断成两截的范围。"""
    each_is_whole = all(isinstance(parse_range(one.text), Interval) for one in [*limits, box])
    both = parse_range(join_limits([*limits, box]))
    return isinstance(both, ByGroup) or (isinstance(both, Interval) and not each_is_whole)


def join_limits(boxes: list[TextBox]) -> str:
    """范围的几段连成一个：断开处原来有标点的直接相连。"""
    text = ""
    for box in boxes:
        is_joined = re.search(r"[,，;；、/~\-—\])】]$", text) or re.match(r"[,，;；、/~\-—\[(【\])】]", box.text)
        text += ("" if is_joined or not text else ",") + box.text
    return text


def find_rows(table: Table) -> list[Row]:
    """一张子表里的检验项目，从上到下。"""
    if not table.columns.has_header:
        return [row for row in _headless_rows(table) if _is_item(row, False)]
    rows = _headed_rows(table)
    items = [row for row in rows if _is_item(row, True)]
    end = max((row.anchor.line for row in items), default=0.0)
    # 表的中间，没有范围的文字结果（B型）也是结果；表的下面是人名、备注
    return [row for row in rows if row in items or row.anchor.line < end and row.result and _has_item_name(row)]


def count_unread(table: Table, rows: list[Row]) -> int:
    """表里夹在各项之间、有数或范围而没有读成项目的，有几行。rows 是这张子表的项目。"""
    if not rows:
        return 0
    used = [box for row in rows for box in row.boxes()]
    top, bottom = min(box.line for box in used), max(box.line for box in used)
    unread = 0
    for line in table.lines:
        places = table.columns.assign(line) if table.columns.has_header else [None] * len(line)
        values = [
            cell.box
            for cell, place in zip(line, places, strict=True)
            if cell.kind in ("number", "range", "bound")
            and (place or "result").split()[0] not in ("ignored", "unknown", "method", "serial", "name")
        ]
        is_footer = any(_NOT_AN_ITEM.search(cell.text) for cell in line)
        if not values or is_footer or not top < values[0].line < bottom:
            continue
        unread += all(abs(box.line - values[0].line) > 0.6 * box.height for box in used)
    return unread


def _headed_rows(table: Table) -> list[Row]:
    """有表头：每个视觉行各自成行；没有名称的视觉行（换行印的范围等）并入上下最近的一行。"""
    lines = [_fill(line, table.columns) for line in table.lines]
    named = [row for row in lines if row.name]
    pitch = _pitch([row for row in named if row.result or row.limits])
    rows: list[Row] = []
    for row in lines:
        is_bare = row.name and not (row.result or row.limits or row.low or row.high)
        if is_bare and rows and _is_rest_of_name(row, rows[-1], pitch):
            rows[-1].name = join_boxes(rows[-1].name, row.name)
        elif is_bare and rows and _is_subline(row, rows[-1]):
            rows[-1].code, rows[-1].unit = rows[-1].code or row.name, rows[-1].unit or row.unit
        elif row.name:
            rows.append(row)
        elif host := _host(row, named):
            _merge(host, row)
        elif row.result and (row.limits or row.unit) and classify(row.result.text) in ("number", "bound", "term"):
            row.doubt = _NAMELESS
            rows.append(row)
    return rows


def _pitch(rows: list[Row]) -> float:
    """相邻两项的名称平常隔多远，像素；不到两项时为 0。"""
    return median([below.anchor.line - above.anchor.line for above, below in pairwise(rows)] or [0.0])


def _is_rest_of_name(row: Row, above: Row, pitch: float) -> bool:
    """名称太长，换行印的后半截：上半截的括号没有合上，或者离得比平常的行距近得多。"""
    if above.name is None or abs(row.name.start - above.name.start) > 2 * row.name.height:
        return False
    gap = row.anchor.line - above.anchor.line
    is_open = above.name.text.count("(") + above.name.text.count("（") > above.name.text.count(")") + above.name.text.count("）")
    if is_open and gap < 2.2 * above.anchor.height:
        return True
    is_continued = _has_chinese(row.name.text) and not is_known(row.name.text) and not is_known(above.name.text)
    return is_continued and gap < min(0.75 * pitch, 1.8 * above.anchor.height)


def _is_subline(row: Row, above: Row) -> bool:
    """名称下面另起一行的代号、英文名与单位。"""
    near = row.anchor.line - above.anchor.line < 2.2 * above.anchor.height
    return near and above.name is not None and _has_chinese(above.name.text) and not _has_chinese(row.name.text)


def _is_subline_box(box: TextBox, name: TextBox) -> bool:
    """紧挨在中文名称下面、左边对齐的字母。"""
    is_below = 0 < box.line - name.line < 2.2 * name.height and abs(box.start - name.start) < name.height
    return is_below and _has_chinese(name.text) and not _has_chinese(box.text)


def _has_chinese(text: str) -> bool:
    return bool(re.search(r"[一-鿿]", text))


def _fill(line: list[Cell], columns: Columns) -> Row:
    """把一个视觉行的格子按列入座。"""
    row = Row(name=None, anchor=line[0].box)
    name_start, _, name_end = columns.spans.get("name", (0.0, 0.0, 0.0))
    for cell, column in zip(line, columns.assign(line), strict=True):
        off = max(name_start - 4 * cell.box.height - cell.box.start, cell.box.start - name_end)
        if column and not (column == "name" and off > 0):  # 与名称一列没有对齐的是别的文字
            _seat(cell, column.split()[0], row, "unit" in columns.printed)
    if row.low or row.high:
        row.limits.extend(_joined_limits(row.low, row.high))
    row.anchor = row.name or row.result or row.anchor
    return row


def _joined_limits(low: TextBox | None, high: TextBox | None) -> list[TextBox]:
    """下限、上限两格 -> 一个范围；划了横线的一边没有界。"""
    bounds = [box if box and re.search(r"\d", box.text) else None for box in (low, high)]
    if all(bounds):
        return [join_boxes(bounds[0], bounds[1], "-")]
    printed = [replace(box, text=sign + box.text) for sign, box in zip("≥≤", bounds, strict=True) if box]
    return printed


def _seat(cell: Cell, place: str, row: Row, has_unit_column: bool) -> None:
    """一个格子入座；place 是它所在的列。列决定它是什么，写法只分得出同一格里的数、单位、标记与范围。"""
    kind, box = cell.kind, cell.box
    if place in ("ignored", "unknown", "method"):
        return
    if cell.labelled and kind != "unit":
        row.add_limits(box)
    elif place == "serial":
        if kind == "text" and row.name is None and re.match(r"\d", box.text):
            row.set_name(box)  # 序号与名称连成了一段
    elif place in ("code", "name"):
        _seat_name(cell, place, row)
    elif kind == "mark" or place == "mark":
        row.add_mark(box)
    elif place in ("low", "high"):
        setattr(row, place, box)
    elif kind == "unit":
        _seat_unit(box, place, row, has_unit_column)
    elif place == "unit":
        # 认不准的单位；单位一列里的范围是串了列的
        row.add_limits(box) if kind in ("range", "bound") else row.set_unit(box)
    elif place == "range":
        # 单独一个字是认错的星号、箭头之类
        is_sign = kind == "text" and len(box.text) == 1
        row.add_mark(box) if is_sign else row.add_limits(box)
    else:
        _seat_result(cell, row)


def _seat_name(cell: Cell, place: str, row: Row) -> None:
    kind, box = cell.kind, cell.box
    if place == "code" and row.code is None and (row.name or not _has_chinese(box.text)):
        row.code = box
    elif kind in ("number", "bound", "range"):
        return  # 名称左边的数是序号
    elif kind == "mark" and row.name:
        row.add_mark(box)
    elif kind == "unit" and not (row.name and box.start - row.name.end < 0.5 * box.height):
        row.set_unit(box)
    else:
        row.set_name(box)


def _seat_unit(box: TextBox, place: str, row: Row, has_unit_column: bool) -> None:
    is_glued = row.result is not None and abs(box.start - row.result.end) < 0.05 * box.height
    if place == "result" and is_glued and has_unit_column:
        # 单位另有一列，结果格里又紧挨着印了单位：照抄在结果里
        row.result = join_boxes(row.result, box)
    else:
        row.set_unit(box)


def _seat_result(cell: Cell, row: Row) -> None:
    """结果一列里的格子：已经有了数，后面的范围就是参考范围；箭头认成的字不是结果。"""
    box = cell.box
    if cell.kind == "range" and row.result:
        row.add_limits(box)
    elif cell.kind == "text" and box.text in ARROW_LIKE:
        row.add_mark(box)
    elif cell.kind == "text" and (number := split_maybe_arrow(box.text)):
        row.maybe_arrows.append(box)
        row.set_result(replace(box, text=number))
    else:
        row.set_result(box)


def _host(orphan: Row, named: list[Row]) -> Row | None:
    """没有名称的一行属于上下哪一行：最近的，缺它有的，而且不远于平常的行距。

    带着结果的要近得多才算：它也可能是名称没有读出来的另一行。
    """
    height = orphan.anchor.height
    gaps = [abs(below.anchor.line - above.anchor.line) for above, below in pairwise(named)]
    reach = 0.75 * height if orphan.result else 0.95 * min(median(gaps) if gaps else 3 * height, 3.5 * height)
    near = [row for row in named if abs(row.anchor.line - orphan.anchor.line) < reach]
    wanting = [row for row in near if _lacks(row, orphan)]
    return min(wanting, key=lambda row: abs(row.anchor.line - orphan.anchor.line), default=None)


def _lacks(row: Row, orphan: Row) -> bool:
    """orphan 有的，row 都还没有；范围可以是已有的另一半。"""
    if orphan.result and row.result or orphan.unit and row.unit and orphan.unit.text != row.unit.text:
        return False
    return all(not row.limits or _joins(row.limits, box) for box in orphan.limits)


def _merge(row: Row, orphan: Row) -> None:
    row.result = row.result or orphan.result
    row.unit = row.unit or orphan.unit
    row.code = row.code or orphan.code
    row.mark = row.mark or orphan.mark
    row.maybe_arrows.extend(orphan.maybe_arrows)
    for box in orphan.limits:
        row.add_limits(box)


def _headless_rows(table: Table) -> list[Row]:
    """没有表头（续页、手机截图的卡片）：名称开一行，后面的格子归它，直到下一个名称。"""
    rows: list[Row] = []
    for line in table.lines:
        has_value = any(cell.kind in ("number", "bound", "term") for cell in line)
        follows = rows[-1] if rows else None
        ahead: list[TextBox] = []
        for cell in line:
            if cell.kind == "number" and table.columns.nearest(cell.box, ("serial", "result", "range")) == "serial":
                continue
            if cell.kind == "mark" and cell is line[0]:
                ahead.append(cell.box)  # 印在名称前面的箭头是这一行的，不是上一行的
            elif cell.kind == "text" and not cell.labelled and _starts_row(cell, line, follows, has_value):
                follows = Row(name=cell.box, anchor=cell.box)
                rows.append(follows)
            elif follows and _within(cell.box, follows):
                same_line = abs(cell.box.line - follows.anchor.line) < 0.6 * follows.anchor.height
                if cell.kind == "text" and not follows.code and _is_subline_box(cell.box, follows.name):
                    follows.code = cell.box
                    continue
                if cell.kind == "text" and not same_line and not cell.labelled and cell.text not in ARROW_LIKE:
                    # 另起一行的文字不是上一项的，它后面的数也不是
                    break
                _seat_headless(cell, follows, table.columns, same_line)
        for mark in ahead if follows else ():
            follows.add_mark(mark)
    _doubt_odd_places(rows)
    return rows


def _doubt_odd_places(rows: list[Row]) -> None:
    """同一页里，结果与名称的相对位置、字的大小都一样；不一样的可能是别的数。"""
    filled = [row for row in rows if row.result and _is_item(row, False)]
    if len(filled) < 2:
        return
    height = median(row.anchor.height for row in filled)
    size = median(row.result.height for row in filled)
    drops = [row.result.line - row.anchor.line for row in filled]
    # 左对齐、居中、右对齐，取这一页里最整齐的一种
    edges = min(
        ([edge(row.result) for row in filled] for edge in (lambda b: b.start, lambda b: b.middle, lambda b: b.end)),
        key=lambda places: median(abs(place - median(places)) for place in places),
    )
    for row, drop, edge in zip(filled, drops, edges, strict=True):
        is_off = abs(drop - median(drops)) > 0.6 * height or abs(edge - median(edges)) > 6 * height
        if is_off or not 0.7 < row.result.height / size < 1.4:
            row.doubt = row.doubt or _ODD_PLACE


def _starts_row(cell: Cell, line: list[Cell], row: Row | None, has_value: bool) -> bool:
    """这段文字是不是一个新项目的名称。"""
    if _NOT_AN_ITEM.search(cell.text) or classify(split_mark(cell.text)[0]) != "text":
        return False
    same_line = row is not None and row.anchor is not None and any(one.box is row.anchor for one in line)
    if is_known(cell.text):
        # 名称旁边、名称下面的代号不是新的一行
        if row and not same_line and not row.limits and not row.code and _is_subline_box(cell.box, row.name):
            return False
        return not (same_line and not (row.result or row.limits) and _is_code_of(cell, row))
    return has_value and not same_line and bool(re.search(r"[一-鿿A-Za-z]{2}", cell.text))


def _is_code_of(cell: Cell, row: Row) -> bool:
    return row.code is None and (cell.text.isascii() or row.name.text.isascii())


def _within(box: TextBox, row: Row) -> bool:
    """格子离名称不远，还可能是这一项的。"""
    return box.line - row.anchor.line < 4.5 * row.anchor.height


def _seat_headless(cell: Cell, row: Row, columns: Columns, same_line: bool) -> None:
    kind, box = cell.kind, cell.box
    if is_bare_label(box.text):
        return  # 只印了“参考值”，后面没有范围
    if kind == "range" and not cell.labelled and row.result is None and same_line:
        # 结果本身是个数的范围（20-25）：它在结果一列
        if columns.nearest(box, ("result", "range")) == "result" and "range" in columns.spans:
            row.set_result(box)
            return
    if kind == "range" or cell.labelled and kind != "unit":
        if box.text and classify(box.text) != "text" or kind == "text" and parse_range(box.text):
            row.add_limits(box)
    elif kind == "unit":
        row.unit = row.unit or box
    elif kind == "mark":
        row.add_mark(box)
    elif kind == "number":
        if same_line or row.result is None or row.result.text in ARROW_LIKE:
            row.set_result(box)
    elif kind in ("bound", "term"):
        if row.result is None and columns.nearest(box, ("result", "range")) in ("result", None):
            row.set_result(box)
        elif not row.limits:
            row.add_limits(box)
            row.doubt = row.doubt or (None if "range" in columns.spans or box.text == row.result.text else _NO_COLUMNS)
    elif box.text in ARROW_LIKE:
        row.add_mark(box)
    elif same_line and not row.result and _is_code_of(cell, row):
        if row.name.text.isascii() and not box.text.isascii():
            row.name, row.code = box, row.name
        else:
            row.code = box
    elif number := split_maybe_arrow(box.text):
        row.maybe_arrows.append(box)
        row.set_result(replace(box, text=number))
    elif same_line and row.result is None and not is_known(box.text):
        row.set_result(box)  # 颜色、性状这样的文字结果


def _has_item_name(row: Row) -> bool:
    """名称可能是检验项目的，而不是页眉、页脚或别的文字。"""
    name, code = split_name(row.name.text)
    return not (_NOT_AN_ITEM.search(row.name.text) or _SENTENCE.search(row.name.text)) and bool(name or code)


def _is_item(row: Row, has_header: bool) -> bool:
    """是检验项目，凭它自己就看得出来。"""
    if row.name is None:
        return True
    if not _has_item_name(row):
        return False
    # 页脚的人名、备注也会落在结果与范围两列：文字结果要有看得懂的范围、有单位，或者是认得的项目
    is_typed = row.result is not None and classify(row.result.text) != "text"
    if row.limits and (is_typed or row.unit or any(_may_be_limits(box.text, row.result) for box in row.limits)):
        if row.result or row.unit or has_header or is_known_name(split_name(row.name.text)[0]):
            return True
    is_typed = is_typed and has_header
    return bool(row.result) and (is_typed or row.unit is not None or is_known(row.name.text))


def _may_be_limits(text: str, result: TextBox | None) -> bool:
    """像参考范围：写法是数或定性词，或者结果也是文字的词（黄色）。"""
    return classify(text) != "text" or (result is not None and not re.search(r"\d", text) and len(text) < 12)


def row_text(row: Row) -> tuple[str, str, str, str, str]:
    """一行的名称、代号、结果、单位、参考范围，固定的误读已改正。"""
    name, code = NAMELESS, ""
    if row.name:
        bare, _ = split_mark(row.name.text)
        name, code = split_name(bare)
        if row.code:
            printed = row.code.text.strip("()（）[]")
            # 代号另有一格时，名称里的字母（红细胞分布宽度CV）是名称的一部分
            name, code = (name + code if not name else bare.strip("*★☆ ")), split_name(printed)[1] or printed
    result = row.result.text if row.result else ""
    unit = repair_unit(row.unit.text, find_indicator(name, code, "")) if row.unit else ""
    return name or code, code if name else "", result, unit, join_limits(row.limits)
