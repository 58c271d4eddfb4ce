"""没有表头的表（续页、手机截图的卡片）-> 一行行检验项目：名称开一行，后面的格子归它，直到下一个名称。"""

import re
from dataclasses import replace
from itertools import pairwise
from statistics import median

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.reading.cells import (
    ARROW_LIKE,
    Cell,
    classify,
    says_normal,
    split_mark,
    split_maybe_arrow,
)
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.items import NOT_AN_ITEM, TIER, is_item
from health_assistant.lab_report.reading.names import is_known, known_as
from health_assistant.lab_report.reading.row import Row, is_subline, without_days, without_stars
from health_assistant.lab_report.reading.tables import Table
from health_assistant.lab_report.reading.text import TextBox, join_boxes
from health_assistant.lab_report.units import is_per_field

_NO_COLUMNS = "没有表头，不能确定哪个是结果、哪个是范围"
_PLUSES = re.compile(r"\+[1-4]|[1-4]\+|\+-|±")
"""加号单独一个不算：有的血球仪用它说偏高，后面的数才是结果。"""
_IN_BRACKETS = re.compile(r"[(（](0|\D*([无未清软]|正常|透明|阴性|色)\D*)[)）]")
"""结果后面括号里说没有事的词、0 是参考范围：`浑浊 (清晰透明)`、`40 ×10^6/L (0)`；`阳性 (定性)`、别的数说不准是什么。"""
_CUT = 0.7
"""不认得的名称不到别的名称的这么高，是拼接、滚动时切掉了一截。"""
NO_NAME = "没有读出这一行的项目名称"
_ODD_PLACE = "结果的位置或字的大小与别的行不一样，可能不是结果"


def find_headless_rows(table: Table) -> list[Row]:
    """没有表头（续页、手机截图的卡片）：名称开一行，后面的格子归它，直到下一个名称。"""
    rows: list[Row] = []
    is_labelled = any(cell.labelled and cell.kind == "range" for line in table.lines for cell in line)
    undated = without_days([without_stars(line) for line in table.lines])
    table = replace(table, lines=_whole_names(_names_first(undated)))
    for at, line in enumerate(table.lines):
        has_value = any(cell.kind in ("number", "bound", "term") for cell in line) or _has_values_below(table, at)
        follows = rows[-1] if rows else None
        ahead: list[TextBox] = []
        ends = _ends_of_scale(line)
        for cell in line:
            if cell.kind == "number" and table.columns.nearest(cell.box, ("serial", "result", "range")) == "serial":
                continue
            if ends and follows and not follows.limits:
                follows.limits.append(ends)
                break
            if cell.kind == "mark" and cell is line[0]:
                ahead.append(cell.box)  # 印在名称前面的箭头是这一行的，不是上一行的
            elif follows and cell.kind == "text" and _goes_on(cell.box, follows, has_value):
                is_latin = follows.name.text.isascii() and cell.text.isascii()
                follows.name = join_boxes(follows.name, cell.box, " " if is_latin else "")
            elif cell.kind == "text" and not cell.labelled and _starts_row(cell, line, follows, has_value):
                follows = Row(name=cell.box, anchor=cell.box)
                rows.append(follows)
            elif follows and not _takes(follows, cell, table.columns, is_labelled):
                break
        # 单独一行的三角是范围条上的指针，不是标记
        for mark in ahead if follows and follows.anchor in [cell.box for cell in line] else ():
            follows.add_mark(mark)
    for row in rows:
        if row.result is None and row.mark and says_normal(row.mark.text):
            row.result, row.mark = row.mark, None  # 没有别的结果，`正常` 就是结果
    doubt_odd_places(rows)
    return _with_blank_rows(rows)


def _takes(row: Row, cell: Cell, columns: Columns, is_labelled: bool) -> bool:
    """名称后面的一格归 row，离得太远的不要；另起一行的文字不是它的，后面的数也不是，为假。

    is_labelled：范围前面都印着“参考范围”。
    """
    if cell.box.line - row.anchor.line >= 4.5 * row.anchor.height:
        return True
    same_line = abs(cell.box.line - row.anchor.line) < 0.6 * row.anchor.height
    if says_normal(cell.text) and _is_behind(cell.box, row.result, row.unit, *row.limits):
        row.add_mark(cell.box)
    elif cell.kind == "text" and not row.code and is_subline(cell.box, row.name):
        row.code = cell.box
    elif cell.kind == "text" and not same_line and not cell.labelled and cell.text not in ARROW_LIKE:
        return False
    elif cell.kind == "bound" and is_labelled and not cell.labelled and row.result is None:
        row.set_result(cell.box)  # 没有印“参考范围”的是结果
    else:
        _seat_headless(cell, row, columns, same_line)
    return True


def _ends_of_scale(line: list[Cell]) -> TextBox | None:
    """范围条底下的一行，两个数各在一头：`偏低 0.27 正常 4.20 偏高`，是范围 0.27-4.20；不是的为 None。"""
    numbers = [cell.box for cell in line if cell.kind == "number"]
    words = [cell.text for cell in line if cell.kind != "number"]
    is_scale = len(numbers) == 2 and words and all(re.fullmatch("偏低|正常|偏高", word) for word in words)
    joined = join_boxes(numbers[0], numbers[1], "-") if is_scale else None
    return joined if joined and joined.kind == "range" else None


def _with_blank_rows(rows: list[Row]) -> list[Row]:
    """检验项目，和夹在它们中间、紧挨在前后而没有读到结果的（尿条上的 `NIT  -`）、结果是文字的：名称左边对齐。"""
    items = [row for row in rows if is_item(row, False)]
    if len(items) < 2:
        return items
    start = median(row.anchor.start for row in items)
    pitch = median(below.anchor.line - above.anchor.line for above, below in pairwise(rows))
    kept = {id(row) for row in items}
    for order in (rows, rows[::-1]):
        last = None
        for row in order:
            is_blank = row.result is None and not row.limits and row.unit is None and is_known(row.name.text)
            is_blank = is_blank and not _is_title_of(row, items)
            is_worded = row.name.is_label and row.result is not None and order is rows  # 上面的是页眉
            is_aligned = abs(row.anchor.start - start) < row.anchor.height
            is_next = last is not None and 0 < abs(row.anchor.line - last.anchor.line) < 1.6 * pitch
            if id(row) in kept or ((is_blank or is_worded) and is_aligned and is_next):
                kept.add(id(row))
                last = row
    return [row for row in rows if id(row) in kept]


def _is_title_of(row: Row, items: list[Row]) -> bool:
    """小标题：下面紧接着的一项与它是同一项。"""
    below = next((item for item in items if item.anchor.line > row.anchor.line), None)
    own = known_as(row.name.text)
    return below is not None and own is not None and own is known_as(below.name.text)


def _names_first(lines: list[list[Cell]]) -> list[list[Cell]]:
    """手机上结果比名称高、“参考区间：”印在结果正下方的：名称挪到结果前面，结果才不会归了上一项。"""
    ordered = [list(line) for line in lines]
    for at, values in enumerate(ordered):
        below = [cell for line in ordered[at + 1 : at + 3] for cell in line]
        limits = [cell.box for cell in below if cell.labelled and cell.kind in ("range", "bound", "term", "unit")]
        at_name = next((at for at, cell in enumerate(below) if cell.kind == "text" and not cell.labelled), None)
        name = below[at_name] if at_name is not None else None
        kinds = [cell.kind for cell in values]
        is_value = kinds[:1] != ["unit"] and {*kinds} <= {"number", "bound", "term", "mark", "unit"}
        if not (values and limits and name and is_value):
            continue
        first, drop = values[0].box, limits[0].line - values[0].box.line
        # 上一行更近的是上一项的结果，比参考区间低的是下一项的名称
        is_apart = at == 0 or first.line - lines[at - 1][-1].box.line > drop
        end = values[-1].box.end + 4 * limits[0].height  # 左边还有“参考值：”
        is_over = limits[0].start < end and first.start < limits[-1].end and drop < 2 * limits[0].height
        is_beside = name.box.end < first.start and name.box.line < limits[0].line + 0.5 * limits[0].height
        if is_apart and is_over and is_beside:
            line = next(line for line in ordered[at + 1 :] if name in line)
            line.remove(name)
            box, behind = name.box, below[at_name + 1 : at_name + 2]
            if [cell.kind for cell in behind] == ["number"] and behind[0].box.start - box.end < box.height:
                line.remove(behind[0])  # `BETA 1` 的 1 是名称里的
                box = join_boxes(box, behind[0].box, " ")
            values.insert(0, replace(name, box=replace(box, is_label=True)))  # 只有一个希腊字母的也是名称
    return [line for line in ordered if line]


def _whole_names(lines: list[list[Cell]]) -> list[list[Cell]]:
    """名称换行印在结果的上下两边、结果对着正中的（`平均血红蛋白浓 / 328 (316-354) / 度`）：三行并成一行。

    合起来认得的，结果前面可以有代号（`红细胞分布宽度-变异系 / RDW-CV 13.2 / 数`）。
    """
    whole = _halves_apart(lines)
    for at in range(len(whole) - 3, -1, -1):
        above, values, below = whole[at : at + 3]
        if not (len(above) == len(below) == 1 and above[0].kind == "text"):
            continue
        first, last, middle = above[0].box, below[0].box, values[0].box
        words = [cell.text for cell in values if cell.kind == "text"]
        if words and not (len(values) > len(words) == 1 and _is_one(first, last, words[0])):
            continue
        is_centered = abs(2 * middle.line - first.line - last.line) < 0.4 * first.height < middle.line - first.line
        is_aligned = abs(first.start - last.start) < 0.5 * first.height and first.end < middle.start
        is_one = is_known(first.text + last.text) or not (is_known(first.text) or is_known(last.text))
        is_name = is_one and not NOT_AN_ITEM.search(first.text + last.text)
        if is_centered and is_aligned and last.line - first.line < 2 * first.height and is_name:
            name = replace(above[0], box=replace(join_boxes(first, last), line=middle.line, is_label=True))
            whole[at : at + 3] = [[name, *values]]
    return whole


def _halves_apart(lines: list[list[Cell]]) -> list[list[Cell]]:
    """名称的下半截与结果排成了一行的，分开：它低一些，上一行只有上半截，两截合起来才认得。"""
    apart: list[list[Cell]] = []
    for line in lines:
        first, above = line[0].box, apart[-1] if apart else []
        is_lower = len(line) > 1 and first.line - line[1].box.line > 0.3 * first.height
        is_half = is_lower and len(above) == 1 and above[0].kind == line[0].kind == "text"
        is_half = is_half and abs(above[0].box.start - first.start) < first.height
        code = line[1].text if is_half and line[1].kind == "text" else ""
        apart += [line[1:], line[:1]] if is_half and _is_one(above[0].box, first, code) else [line]
    return apart


def _is_one(first: TextBox, last: TextBox, code: str) -> bool:
    """名称的两截合起来（连同代号）才认得。"""
    return code.isascii() and is_known(first.text + last.text + code) and not is_known(last.text)


def _has_values_below(table: Table, at: int) -> bool:
    """名称单独一行的单子（手机上）：下一行是数；没有表头的，再下一行印着“参考值”。"""
    below, then = (table.lines[at + 1 : at + 3] + [[], []])[:2]
    is_card = table.columns.has_header or any(cell.labelled for cell in then)
    return is_card and bool(below) and below[0].kind in ("number", "bound", "term")


def doubt_odd_places(rows: list[Row]) -> None:
    """同一页里，结果与名称的相对位置、字的大小都一样；不一样的可能是别的数。与箭头找成一段的，有箭头那么高。"""
    filled = [row for row in rows if row.result and is_item(row, False)]
    if len(filled) < 2:
        return
    height = median(row.anchor.height for row in filled)
    plain = [row.result.height for row in filled if not _is_stretched(row)]
    size = median(plain if len(plain) > 1 else [row.result.height for row in filled])
    drops = [row.result.line - row.anchor.line for row in filled]
    # 左对齐、居中、右对齐，取这一页里最整齐的一种
    edges = min(
        ([edge(row.result) for row in filled] for edge in (lambda b: b.start, lambda b: b.middle, lambda b: b.end)),
        key=lambda places: median(abs(place - median(places)) for place in places),
    )
    values = [[box.line for box in (row.result, row.unit, *row.limits) if box] for row in filled]
    centered = [row.anchor.line - (min(at) + max(at)) / 2 for row, at in zip(filled, values, strict=True)]
    for row, drop, edge, off in zip(filled, drops, edges, centered, strict=True):
        # 范围换了行的，名称仍对着结果与范围的正中
        is_lower = abs(drop - median(drops)) > 0.6 * height < abs(off - median(centered)) + 0.35 * height
        is_off = is_lower or abs(edge - median(edges)) > 6 * height
        if row.anchor.height < _CUT * height and not is_known(row.name.text):
            row.doubt = row.doubt or "名称比别的矮，可能没有拍全"
        if re.fullmatch(r"[(（][^()（）]*[)）]", row.name.text) and not is_known(row.name.text):
            row.doubt = row.doubt or NO_NAME  # 上一行的名称没有当成名称，括号里的是它的方法
        if is_off or not 0.65 * size < row.result.height < max(1.6 * size, 1.1 * row.mark.height if row.mark else 0):
            row.doubt = row.doubt or _ODD_PLACE


def _is_stretched(row: Row) -> bool:
    """结果的框与高大的箭头一样高：两样找成了一段，看不出数有多大。"""
    return row.mark is not None and 1.4 * row.anchor.height < row.result.height < 1.1 * row.mark.height


def _goes_on(box: TextBox, row: Row, has_value: bool) -> bool:
    """换行印的名称的后半截：紧挨在还没有结果与范围的名称下面，左边对齐，两截都不是认得的名称。

    头一截旁边有了结果的，后半截要在括号里：`结核杆菌干扰素释放实验 0.566` 下面的 `(TB2-N)`，或头一截的括号没有合上；
    或者两截合起来才认得：`促肾上腺皮质激 128.0` 下面的 `素`。
    """
    is_near = 0 < box.line - row.name.line < 1.5 * row.name.height and abs(box.start - row.name.start) < box.height
    if is_near and not (has_value and row.result) and is_known(row.name.text + box.text):
        return not is_known(row.name.text)
    is_open = bool(re.search(r"[(（][^()（）]*$", row.name.text))
    if is_near and is_open and not has_value and re.fullmatch(r"[^()（）]+[)）]", box.text):
        return True  # 印在结果旁边的上半截开了括号：ESR (Modified / Westergren)
    is_in_brackets = not row.limits and (is_open or bool(re.fullmatch(r"[(（].*[)）]", box.text)))
    is_bare = is_in_brackets or not (row.result or row.limits or row.unit)
    is_tight = is_bare and 0 < box.line - row.name.line < (2.5 if is_in_brackets else 1.5) * row.name.height
    is_aligned = has_value and is_tight and abs(box.start - row.name.start) < 0.5 * row.name.height
    return is_aligned and not (is_known(box.text) or is_known(row.name.text) or NOT_AN_ITEM.search(row.name.text))


def _starts_row(cell: Cell, line: list[Cell], row: Row | None, has_value: bool) -> bool:
    """这段文字是不是一个新项目的名称。"""
    bare, mark = split_mark(cell.text)
    if NOT_AN_ITEM.search(cell.text) or (classify(bare) if mark else cell.kind) != "text":
        return False
    if TIER.fullmatch(cell.text) and not cell.box.is_label:
        return False  # 范围条底下的 `正常`、`受损`
    same_line = row is not None and any(neighbour.box is row.anchor for neighbour in line)
    if cell.box.is_label or is_known(cell.text):
        # 名称旁边、名称下面的代号不是新的一行；旁边又有数、说的是另一项的是
        others = (
            row and row.result and any(neighbour.kind == "number" for neighbour in line) and known_as(row.name.text)
        )
        if others and known_as(cell.text) not in (None, others):
            return True
        if row and not same_line and not (row.limits and has_value) and not row.code and is_subline(cell.box, row.name):
            return False
        return not (same_line and not (row.result or row.limits) and _is_code_of(cell, row))
    # 名称在结果与范围的左边，右边的是 `正常`、`达标` 一类的话
    is_behind = row is not None and _is_behind(cell.box, row.result, row.unit, *row.limits)
    is_word = bool(re.search(r"[一-鿿A-Za-z]{2}|[A-Za-z][O0]2", cell.text))
    return has_value and not same_line and not is_behind and is_word


def _is_behind(box: TextBox, *others: TextBox | None) -> bool:
    """在 others 里哪一格的右边，同一行上。"""
    beside = [other for other in others if other and abs(box.line - other.line) < 0.5 * box.height]
    return any(box.start >= other.end - 0.5 * box.height for other in beside)


def _is_code_of(cell: Cell, row: Row) -> bool:
    is_code = cell.text.isascii() or is_known_code(cell.text)  # 有希腊字母的：γ-GT、β2-MG
    return row.code is None and (is_code or row.name.text.isascii())


def _seat_headless(cell: Cell, row: Row, columns: Columns, same_line: bool) -> None:
    kind, box = cell.kind, cell.box
    # 尿条上加号后面的数与单位（`+1 0.3 g/L`）是它约合多少
    is_amount = same_line and row.result is not None and bool(_PLUSES.fullmatch(row.result.text))
    is_in_result = "range" in columns.spans and columns.nearest(box, ("result", "range")) == "result"
    if same_line and row.result and kind in ("number", "text") and _IN_BRACKETS.fullmatch(box.text):
        row.add_limits(replace(box, text=box.text[1:-1]))
    elif kind == "range" and is_in_result and not cell.labelled and row.result is None and same_line:
        row.set_result(box)  # 结果本身是个数的范围（20-25）
    elif kind == "range" or cell.labelled and kind != "unit":
        if box.text and box.kind != "text" or kind == "text" and box.interval:
            row.add_limits(box)
    elif is_amount and (kind == "number" or kind == "unit" and not is_per_field(box.text)):
        pass
    elif kind == "unit" or row.result and box.text == "Ratio":
        row.unit = row.unit or box
    elif kind == "mark":
        # 另起一行的三角是范围条上的指针，除非就在结果、单位的旁边
        if same_line or _is_behind(box, row.result, row.unit) or not set(box.text) & set("↑↓▲▼"):
            row.add_mark(box)
    elif kind == "number" and row.is_graph(box):
        pass
    elif kind == "number":
        if same_line and row.result and row.result.kind == "text" and not (row.doubt or is_known(row.name.text)):
            row.name, row.result = join_boxes(row.name, row.result, " "), None  # 合并的格里的组名，和后面的名称
        # 名称旁边有话（`达标`）的，数在名称的正下方
        is_under = row.result is not None and row.result.kind == "text" and abs(box.start - row.name.start) < box.height
        if same_line or row.result is None or row.result.text in ARROW_LIKE or is_under:
            row.set_result(box)
    elif kind in ("bound", "term"):
        if row.result is None and columns.nearest(box, ("result", "range")) in ("result", None):
            row.set_result(box)
        elif not row.limits:
            row.add_limits(box)
            row.doubt = row.doubt or (None if "range" in columns.spans or box.text == row.result.text else _NO_COLUMNS)
    elif box.text in ARROW_LIKE or (same_line and says_normal(box.text)):
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
