"""有表头的表：一个视觉行的格子按列入座，成为一行检验项目。列决定一格是什么，写法只分得出同一格里的数、单位、标记与范围。"""

import re
from dataclasses import replace

from health_assistant.lab_report.observation import observe
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.reading.cells import ARROW_LIKE, Cell, split_maybe_arrow
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.row import WORD_MARK, Row, without_stars
from health_assistant.lab_report.reading.text import TextBox, has_chinese, join_boxes
from health_assistant.lab_report.report import PrintedRow
from health_assistant.lab_report.severity import is_impossible
from health_assistant.lab_report.units import fold_unit

_OUT_OF_PLACE = "结果没有落在结果一列，不能确定是哪一项的"
_UNEXPLAINED = "没有参考范围一列，另有一列数不知道是什么"
_LIMITS = ("range", "bound")
_OWN_SIGN = re.compile(r"\s*[<>≤≥＜＞]\s*=?\s*")
_TIMED = {"GLU", "INS", "CP", "CORT"}
_MINUTES = {"30", "60", "90", "120", "180"}
"""葡萄糖、胰岛素、C 肽、皮质醇一天里抽几回，名称后面印着第几分钟。"""
Seated = tuple[Cell, str | None]
"""一格，和它归的列。"""


def seat_line(line: list[Cell], columns: Columns) -> Row:
    """把一个视觉行的格子按列入座。"""
    line = without_stars(line)
    row = Row(name=None, anchor=line[0].box)
    start, _, end = columns.spans.get("name", (0.0, 0.0, 0.0))
    whole = list(zip(line, columns.assign(line), strict=True))
    whole = _with_tier_names(_range_apart(whole, columns))
    seated = _without_words(whole)
    for cell, column in whole:
        if cell.kind == "term" and (cell, column) not in seated and column.split()[0] == "result":
            row.word = cell.box
    for cell, column in seated:
        box = cell.box
        # 与名称一列没有对齐的是别的文字：页脚、切掉半边的另一栏
        reach = start - 4 * box.height, max(end, start + 6 * box.height)
        is_stray = column == "name" and not (reach[0] <= box.start <= reach[1] and box.end >= start)
        is_below_name = cell.kind == "range" or cell.kind == "bound" and column in ("name", None)
        if is_below_name and line == [cell] and not columns.printed & {"range", "low"}:
            row.add_limits(box)  # 没有范围一列的单子，范围印在名称下面
        elif cell.labelled and cell.kind == "unit" and (is_stray or column is None):
            row.set_unit(box)  # `参考值:200--430mg/L` 的单位，不在任何一列里
        elif is_stray and re.fullmatch("[HL]|[↑↓]{1,2}", box.text):
            row.add_mark(box)  # 标记印在名称的左边，没有表头
        elif cell.kind == "mark" and column and _may_be_mark_column(column, seated):
            is_mutual = box.end <= start and not re.search(r"[A-Za-z↑↓]", box.text)
            if not is_mutual:  # 名称左边的 ★ 是各院互认的项目
                row.add_mark(box)
        elif column and not is_stray:
            if re.match(r"range [^\d\s]", column):  # 男女的范围各一列
                cell = replace(cell, box=replace(box, text=f"{column[6:]}:{box.text}"))
            _seat(cell, column.split()[0], row, "unit" in columns.printed)
    _keep_unit_of_range(row, seated)
    # 紧跟着不认得的名称的数是名称的一部分（小标题 `Health Screen - 3`）
    gap = 0.0 if row.name is None or is_known(row.name.text) else row.name.height
    # 粘着名称的（`钾6.9`）范围另有；离得远的也许是上一回的数
    near = [cell.box for cell, at in seated if cell.kind == "number" and at == "name" and _is_behind(cell.box, row)]
    beside = [number for number in near if not _is_of_name(number, row)]
    stray = [cell.box for cell in line if cell.kind == "number" and row.name and row.name.end + gap <= cell.box.start]
    stray = [number for number in stray if number not in near]
    numbers = beside or ([] if row.limits or row.low else stray)
    if row.name and row.result is None and len(numbers) == 1:
        row.result, row.doubt = numbers[0], _OUT_OF_PLACE
    if not columns.printed & {"range", "low", "high"} and any(_is_unexplained(seat) for seat in seated):
        row.doubt = row.doubt or _UNEXPLAINED
    if row.low or row.high:
        row.limits.extend(_joined_limits(row.low, row.high))
    row.anchor = row.name or row.result or row.anchor
    return row


def _is_behind(number: TextBox, row: Row) -> bool:
    """紧跟在认得的名称后面；只有一位的也许是脚注（`葡萄糖 2`），不算。"""
    if not re.search(r"\d\D?\d", number.text):
        return False
    gap = number.start - row.name.end if row.name and is_known(row.name.text) else -number.height
    return -0.1 * number.height < gap < number.height


def _is_of_name(number: TextBox, row: Row) -> bool:
    """这个数是名称的一部分：第几分钟抽的血（`葡萄糖 120`），或活着的人不会有的数（`钠 12`）。"""
    unit = row.unit.text if row.unit else ""
    seen = observe(PrintedRow(name=row.name.text, result=number.text, unit=unit), "", Person())
    if seen.analyte is None:
        return False
    is_minutes = seen.analyte.code.split("-")[0] in _TIMED and number.text in _MINUTES
    units = [unit] if unit else [seen.analyte.unit, *seen.analyte.conversions]
    return is_minutes or all(is_impossible(seen.value, each, seen.analyte) for each in units)


def _keep_unit_of_range(row: Row, seated: list[Seated]) -> None:
    """范围后面印着另一个单位（结果 mg/dL，范围 2.11-2.52 mmol/L）：留在范围里，不能当作结果的单位比。"""
    units, of_range = (
        [cell.box for cell, column in seated if cell.kind == "unit" and column == place] for place in ("unit", "range")
    )
    if len(units) == len(of_range) == 1 and row.limits and fold_unit(units[0].text) != fold_unit(of_range[0].text):
        row.unit = units[0]
        row.limits[-1] = join_boxes(row.limits[-1], of_range[0], " ")


def _is_unexplained(seated: Seated) -> bool:
    cell, column = seated
    return bool(column and column.startswith("unknown")) and cell.kind in ("number", "range", "bound")


def _may_be_mark_column(column: str, seated: list[Seated]) -> bool:
    """表头没有认得的一栏，这一行里只有这一格。"""
    return column.split()[0] in ("unknown", "method") and sum(other == column for _, other in seated) == 1


def _range_apart(seated: list[Seated], columns: Columns) -> list[Seated]:
    """续表与上面的表没有对齐，一个数、一个范围落在同一列、另一列空着：写法说得清哪个是哪个。"""
    own = [
        seat
        for seat in seated
        if (seat[1] or "").split(" ")[0] in ("result", "range") and seat[0].kind not in ("unit", "mark")
    ]
    is_pair = sorted(cell.kind for cell, _ in own) == ["number", "range"] and {"result", "range"} <= columns.printed
    if not is_pair or len({column for _, column in own}) == 2:
        return seated
    return [
        (cell, "result" if cell.kind == "number" else "range") if (cell, at) in own else (cell, at)
        for cell, at in seated
    ]


def _with_tier_names(seated: list[Seated]) -> list[Seated]:
    """范围分几档、一行一档印的：紧挨着界限的词是那一档的名称，不是标记，与界限接在一起。

    `Borderline High`、`轻度升高` 跟在界限后面，`Near optimal 100-129`、`High 160-189` 在前面。
    """
    is_below = not any(column == "result" for _, column in seated)
    kept: list[Seated] = []
    for cell, column in seated:
        last = kept[-1] if kept else None
        is_near = last is not None and cell.box.start - last[0].box.end < cell.box.height
        is_range = is_near and "range" in (last[1], column) and {last[1], column} <= {"range", None}
        is_behind = (
            is_range and last[0].kind in _LIMITS and _is_tier_word(cell) and (is_below or last[0].kind == "bound")
        )
        is_ahead = is_range and cell.kind in _LIMITS and _is_tier_word(last[0]) and (is_below or last[0].kind == "text")
        if is_behind or is_ahead:
            limits = last[0] if is_behind else cell
            kept[-1] = replace(limits, box=join_boxes(last[0].box, cell.box, " ")), "range"
        else:
            kept.append((cell, column))
    return kept


def _is_tier_word(cell: Cell) -> bool:
    """可能是一档的名称；印章上的字不是。"""
    if cell.kind == "mark":
        return bool(re.fullmatch("[A-Za-z一-鿿]{2,}", cell.text))
    return (
        cell.kind == "text"
        and bool(re.search("[A-Za-z一-鿿]{2}|^G[1-5]", cell.text))
        and not re.search("[章院科]$", cell.text)
    )


def _without_words(seated: list[Seated]) -> list[Seated]:
    """又有一列数、又有一列词的结果（定量与定性、风险值与高低风险）或范围：数与范围比得出高低，词不看。

    只有词的范围（阴性）时，看的是词的结果。
    """
    for role in ("range", "result"):
        own = [
            seat
            for seat in seated
            if seat[1] in (role, *_seconds(role, seated)) and seat[0].kind not in ("mark", "unit")
        ]
        words = [seat for seat in own if seat[0].kind in ("text", "term")]
        if len({column for _, column in own}) == 2 and 0 < len(words) < len(own):
            is_worded = role == "result" and any(column == "range" and cell.kind == "term" for cell, column in seated)
            seated = [seat for seat in seated if seat not in own or (seat in words) == is_worded]
    return seated


def _seconds(role: str, seated: list[Seated]) -> list[str]:
    """又一列同一种的：`result 827`；男女的范围各一列（`range 男`）不算。"""
    return [column for _, column in seated if column and re.fullmatch(rf"{role} \d+", column)]


def _joined_limits(low: TextBox | None, high: TextBox | None) -> list[TextBox]:
    """下限、上限两格 -> 一个范围；划了横线的一边没有界。格子里自己印着 `<=7.5` 的，照印着的。"""
    bounds = [box if box and re.search(r"\d", box.text) else None for box in (low, high)]
    if all(bounds):
        low, high = (replace(box, text=_OWN_SIGN.sub("", box.text)) for box in bounds)
        return [join_boxes(low, high, "-")]
    signed = [(sign, box) for sign, box in zip("≥≤", bounds, strict=True) if box]
    return [box if _OWN_SIGN.match(box.text) else replace(box, text=sign + box.text) for sign, box in signed]


def _seat(cell: Cell, place: str, row: Row, has_unit_column: bool) -> None:
    """一个格子入座；place 是它所在的列。列决定它是什么，写法只分得出同一格里的数、单位、标记与范围。"""
    kind, box = cell.kind, cell.box
    if place in ("ignored", "unknown", "method") or _is_graph(cell, place, row):
        return
    if cell.labelled and kind != "unit":
        row.add_limits(box)
    elif place == "serial":
        if kind == "text" and row.name is None and re.match(r"\d+[.、)]?\s*[^\d.、)\s]", box.text):
            row.set_name(box)  # 序号与名称连成了一段
    elif place in ("code", "name"):
        _seat_name(cell, place, row)
    elif kind == "mark" or place == "mark" and (kind != "unit" or WORD_MARK.fullmatch(box.text)):
        row.add_mark(box)  # 单位没有表头的，会落在提示一列；`PL` 也像皮升
    elif place in ("low", "high"):
        setattr(row, place, box)
    elif kind == "unit":
        _seat_unit(box, place, row, has_unit_column)
    elif place == "unit":
        # 认不准的单位；单位一列里的范围是串了列的
        row.add_limits(box) if kind in ("range", "bound") else row.set_unit(box)
    elif place == "range":
        # 单独一个字是认错的星号、箭头，或印章上的字
        is_character = kind == "text" and len(box.text) == 1 and box.text not in "清黄无阴软褐棕"
        is_arrow = bool(row.limits) and box.text in ARROW_LIKE
        row.add_mark(box) if is_character or is_arrow else row.add_limits(box)
    else:
        _seat_result(cell, row)


def _is_graph(cell: Cell, place: str, row: Row) -> bool:
    """旁边的图上的数；结果印在范围右边的，还没有结果时不是。"""
    is_first_result = place == "result" and row.result is None
    return cell.kind == "number" and not is_first_result and row.is_graph(cell.box)


def _seat_name(cell: Cell, place: str, row: Row) -> None:
    kind, box = cell.kind, cell.box
    is_before_code = row.code is not None and (row.code.text.isdigit() or row.code.kind == "mark")
    if place == "code" and is_before_code and not has_chinese(box.text):
        if not row.code.text.isdigit():
            row.add_mark(row.code)
        row.code = box
    elif place == "code" and row.code is None and (row.name or not has_chinese(box.text)):
        row.code = box
    elif kind in ("number", "bound", "range"):
        row.is_criterion |= kind != "number" and row.name is not None  # 名称左边的数是序号
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
    elif cell.kind == "text" and box.text.endswith("*"):
        row.set_result(replace(box, text=box.text.rstrip("* ")))
        row.add_mark(replace(box, text="*"))
    else:
        row.set_result(box)
