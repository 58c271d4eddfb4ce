"""一行里文字识别常常读不到的小东西：箭头、单独一横、标记一栏里没有认出来的字。看像素。"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from health_assistant.lab_report.interval import Interval, compare
from health_assistant.lab_report.reading.arrows import ARROWS, COLOURED_MAYBE, MAYBE_ARROW, find_arrow
from health_assistant.lab_report.reading.cells import split_mark
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.glyphs import find_signs, has_character
from health_assistant.lab_report.reading.items import has_item_name
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.row import TWO_RANGES, Row
from health_assistant.lab_report.reading.seating import seat_line
from health_assistant.lab_report.reading.tables import Table
from health_assistant.lab_report.reading.text import TextBox, join_boxes
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.report import MIN_CONFIDENCE, UNREAD_MARK

_MIN_MARKS = 2
_SURELY_ARROW = 0.5
"""像箭头不到这样的，也可能是 1：实测 0.21 的 1 有 0.27。"""
_LEVEL = 0.2
"""左端相差不到这么多个字高的，是对齐的。"""
_SAYS = {"↑": "high", "↓": "low"}

Zone = tuple[float, float, float, float]


def mark_column(rows: list[Row], columns: Columns) -> float | None:
    """标记一栏的正中，拉平以后的横坐标：表头印着的，或读到的标记都对齐的地方；没有这一栏为 None。"""
    if "mark" in columns.spans:
        return columns.spans["mark"][1]
    marks = [row.mark for row in rows if row.mark]
    middles = [box.middle for box in marks]
    is_column = len(marks) >= _MIN_MARKS and max(middles) - min(middles) < marks[0].height
    return median(middles) if is_column else None


def find_mark(row: Row, page: Page, gray: np.ndarray, boxes: list[TextBox], column: float | None) -> str | None:
    """这一行的异常标记。文字标记（H、偏高）信文字识别；箭头信像素。

    column 是标记一栏的正中（见 `mark_column`）：那里有墨而没有读出来的，是 `UNREAD_MARK`。
    """
    if row.mark and not set(row.mark.text) & {*ARROWS, "+"}:  # + 也可能是认错的箭头
        return row.mark.text
    height = row.anchor.height
    zones = []
    if row.result:
        # 结果左右两边的空白，到最近的文字为止；结果与别的格子连成一段时，从整段的两头算起
        line = [box for box in boxes if abs(box.line - row.result.line) < 0.6 * height]
        beside = [box for box in line if box not in row.maybe_arrows]
        whole = [box for box in beside if box.x0 < row.result.x1 and box.x1 > row.result.x0] or [row.result]
        left, right = min(box.x0 for box in whole), max(box.x1 for box in whole)
        start = max((box.x1 for box in beside if box.x1 <= left), default=row.anchor.x1)
        start -= height if row.name and split_mark(row.name.text)[1] else 0
        end = min((box.x0 for box in beside if box.x0 >= right), default=right)
        for x0, x1 in ((start, left), (right, end)):
            middle = _line_height_at((x0 + x1) / 2, beside)
            zones.append((x0, middle - 0.65 * height, x1, middle + 0.65 * height))
    own = None
    if column is not None and row.name and not row.mark and not row.maybe_arrows:
        own = _zone_at(column + row.name.x0 - row.name.start, row, boxes, reach=1.5)
        zones += [own] if own else []
    marks = {find_arrow(page.pixels, zone, height) for zone in zones}
    marks |= {_arrow_at(box, height, page, boxes) for box in row.maybe_arrows}
    marks -= {None}
    if len(marks) == 1 and row.mark and re.fullmatch(r"[↑↓]{2}", row.mark.text):
        return 2 * marks.pop()
    if not marks and own and has_character(gray, own, height):
        return UNREAD_MARK
    # 标记一栏里像箭头的字（`4`），也是没有读出来的标记；1 也许是结果的一位（见 `may_drop_digit`）
    is_there = column is not None and any(
        box.text != "1" and len(box.text) == 1 and abs(box.middle - column) < height for box in row.maybe_arrows
    )
    if not marks and is_there and not row.mark:
        return UNREAD_MARK
    if not marks and row.mark:
        return "+" if row.mark.text == "+" else UNREAD_MARK  # 文字识别说是箭头，像素里看不清朝哪边
    return marks.pop() if len(marks) == 1 else None


def _arrow_at(box: TextBox, height: float, page: Page, boxes: list[TextBox]) -> str | None:
    """像箭头的一段，像素里朝哪边；不是箭头的为 None。"""
    around = (box.x0 - 0.9 * height, box.y0 - 0.2 * height, box.x1 + 0.9 * height, box.y1 + 0.2 * height)
    # 连成一段的，箭头在哪里是按字数估的
    is_own = box in boxes
    slack = (0.1 if is_own else 0.7) * height
    return find_arrow(page.pixels, around, height, (box.x0 - slack, box.x1 + slack), is_own)


def may_drop_digit(row: Row, mark: str | None, page: Page, boxes: list[TextBox]) -> bool:
    """结果旁边当作箭头略去的 1 也许是它的一位：没有标记，或标记是另印的词，而像素里那里不是箭头（全角的 `９１`）。"""
    ones = [box for box in row.maybe_arrows if box.text == "1"]
    is_word = row.mark is not None and mark == row.mark.text
    return bool(ones) and (
        mark is None or is_word and not all(_arrow_at(box, row.anchor.height, page, boxes) for box in ones)
    )


def _zone_at(
    center: float, row: Row, boxes: list[TextBox], halfway: Sequence[float] = (), reach: float = 4
) -> Zone | None:
    """这一行在横坐标 center 处的空白：左右至多 reach 个字高，到最近的文字为止，也不过 halfway（与邻列的中间）。

    那里有文字的为 None。
    """
    height = row.anchor.height
    beside = [box for box in boxes if abs(box.line - row.anchor.line) < 0.6 * height]
    if any(box.x0 <= center <= box.x1 for box in beside):
        return None
    right = min([center + reach * height, *(x for x in (*halfway, *(box.x0 for box in beside)) if x > center)])
    left = max([center - reach * height, *(x for x in (*halfway, *(box.x1 for box in beside)) if x < center)])
    middle = _line_height_at((left + right) / 2, beside)
    return left, middle - 0.6 * height, right, middle + 0.6 * height


def find_signs_in(row: Row, columns: Columns, gray: np.ndarray, boxes: list[TextBox], column: str = "result") -> str:
    """一列里没有识别出文字时，像素里的横线或加号，见 `find_signs`；没有就是空串。"""
    if column not in columns.spans or row.name is None:
        return ""
    shift = row.name.x0 - row.name.start
    center = columns.spans[column][1] + shift
    halfway = [(center + span[1] + shift) / 2 for name, span in columns.spans.items() if name != column]
    zone = _zone_at(center, row, boxes, halfway)
    return find_signs(gray, zone, row.anchor.height) if zone else ""


def count_dashed(table: Table, rows: list[Row], gray: np.ndarray, boxes: list[TextBox]) -> int:
    """没有读成项目的名称旁边、结果一列里印着一横的有几行：它们是项目，小标题旁边没有。rows 是这张表的项目。"""
    top, names = min((row.anchor.line for row in rows), default=np.inf), {id(row.name) for row in rows}
    lines = table.lines if table.columns.has_header else []
    seated = [seat_line(line, table.columns) for line in lines if line[0].box.line > top]
    bare = [row for row in seated if row.name and not row.result and id(row.name) not in names and has_item_name(row)]
    unknown = [row for row in bare if not is_known(row.name.text)]
    return sum(find_signs_in(row, table.columns, gray, boxes) == "-" for row in unknown)


def plain_start(rows: list[Row], mark_of: Callable[[Row], str | None]) -> float | None:
    """不印箭头的表，各行结果的左端（拉平以后的横坐标）：不止一行明明异常，哪一行旁边都没有箭头，左端又都对齐。

    rows 是一张表的各行，mark_of 见 `find_mark`；没有要疑的数、印箭头、看不出来的为 None。
    """
    results = [row.result for row in rows if row.result and row.result.kind == "number"]
    if not any(box.score in MAYBE_ARROW.values() for box in results):
        return None
    pairs = [(row.result, row.limits[0]) for row in rows if row.name and row.result and len(row.limits) == 1]
    sure = [pair for pair in pairs if all(box.score >= MIN_CONFIDENCE for box in pair)]
    abnormal = [pair for pair in sure if flag_of(pair[0].text, pair[1].text) in _SAYS.values()]
    if len(abnormal) < _MIN_MARKS or any(set(mark_of(row) or "") & {*ARROWS, UNREAD_MARK} for row in rows):
        return None
    start = median(box.start for box in results)
    is_even = median(abs(box.start - start) for box in results) < _LEVEL * results[0].height
    return start if is_even else None


def settle_values(
    row: Row, gray: np.ndarray, mark: str | None, has_marks: bool = False, start: float | None = None
) -> None:
    """看像素、看结果与范围合不合，改正一行里没有认好的数。

    gray 见 `Page.gray`，mark 见 `find_mark`；has_marks：别的行印着标记；start 见 `plain_start`。
    """
    _join_split_range(row, gray)
    _settle_ones(row, mark, has_marks, start)


def _join_split_range(row: Row, gray: np.ndarray) -> None:
    """范围的两头各读成一个数、中间的一横没有读出来的（`120  -  160`）：像素里看得见那一横，就接起来。"""
    if row.doubt != TWO_RANGES or [box.kind for box in row.limits] != ["number", "number"]:
        return
    low, high = row.limits
    zone = (low.x1, min(low.y0, high.y0), high.x0, max(low.y1, high.y1))
    whole = join_boxes(low, high, "-")
    is_level = abs(high.line - low.line) < 0.5 * low.height
    if is_level and whole.kind == "range" and find_signs(gray, zone, low.height) == "-":
        row.limits, row.doubt = [whole], None


def _settle_ones(row: Row, mark: str | None, has_marks: bool, start: float | None) -> None:
    """数的头尾像 1 又像箭头（`MAYBE_ARROW`）：去掉它，结果在范围之内，或在箭头的另一边的，不会印那个箭头，它是数字 1。

    箭头另外印在旁边、与比出来的相合的，数里不会再有一个。
    也可能是表格的竖线：有它就异常的，旁边另要有标记；没有它才异常的（`|39`），别的行要有标记，这一行才会也有。
    整张表不印箭头（`plain_start`），又与别的结果左端对齐、一个颜色的，开头的是数字：竖线会靠左一些。
    """
    ways = {score: way for maybe in (MAYBE_ARROW, COLOURED_MAYBE) for way, score in maybe.items()}
    doubted = [box for box in (row.result, *row.limits) if box and box.score in ways]
    if row.result is None or len(row.limits) != 1 or len(doubted) != 1:
        return
    text, (direction, is_last) = doubted[0].text, ways[doubted[0].score]
    if text[-1 if is_last else 0] != "1":
        return
    without = text[:-1] if is_last else text[1:]
    is_result = doubted[0] is row.result
    flag = flag_of(without, row.limits[0].text) if is_result else flag_of(row.result.text, without)
    needs_mark = flag_of(row.result.text, row.limits[0].text) != "normal" and mark in (None, UNREAD_MARK)
    said = _SAYS[direction]
    has_own = is_result and flag == said == _SAYS.get(mark)
    is_digit = has_own or flag == "normal" or has_marks and flag in ("high", "low") and flag != said
    is_plain = start is not None and is_result and not is_last and mark is None
    is_plain = is_plain and abs(row.result.start - start) < _LEVEL * row.result.height
    is_plain = is_plain and row.result.score in MAYBE_ARROW.values()
    if is_plain or is_digit and not needs_mark:
        sure = replace(doubted[0], score=MIN_CONFIDENCE)
        row.result, row.limits = (sure, row.limits) if is_result else (row.result, [sure])


def flag_of(result: str, limits: str) -> str | None:
    """两段文字比出来的高低；不是数与区间的为 None。"""
    value, interval = parse_result(result), parse_range(limits)
    is_comparable = isinstance(value, Interval) and isinstance(interval, Interval)
    return compare(value, interval) if is_comparable else None


def has_doubtful_arrow(row: Row) -> bool:
    """一行里有两个箭头，而紧挨着数的那个不够像：它可能是数字 1。"""
    if row.result is None or len(row.maybe_arrows) < 2:
        return False
    left, right, gap = row.result.x0, row.result.x1, 0.3 * row.result.height
    near = [box for box in row.maybe_arrows if box.x0 < right + gap and box.x1 > left - gap]
    return any(box.score < _SURELY_ARROW for box in near)


def _line_height_at(x: float, line: list[TextBox]) -> float:
    """这一行在横坐标 x 处的纵坐标（像素）：页面可能微微倾斜或弯曲，凭最近的几个格子估计。"""
    near = sorted(line, key=lambda box: abs((box.x0 + box.x1) / 2 - x))[:4]
    xs, ys = [(box.x0 + box.x1) / 2 for box in near], [(box.y0 + box.y1) / 2 for box in near]
    if len(near) < 2 or max(xs) - min(xs) < 2 * near[0].height:
        return ys[0]
    return float(np.polyval(np.polyfit(xs, ys, 1), x))


def has_dash(box: TextBox, gray: np.ndarray) -> bool:
    """box 那里印着的是不是一横（负号、减号）；gray 是摆正的页的灰度图。"""
    margin = 0.2 * box.height
    return find_signs(gray, (box.x0 - margin, box.y0, box.x1 + margin, box.y1), box.height) == "-"
