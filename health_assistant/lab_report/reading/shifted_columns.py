"""弯得拉不平的照片：一列与另一列渐渐错开一行。从头到尾能一项对一项的，照次序对齐；不能的，中间的各行都没有把握。

名称太长、印到了自己的结果上的，数也没有把握。
"""

from dataclasses import replace
from itertools import pairwise
from statistics import median

import numpy as np

from health_assistant.lab_report.reading.cells import split_cells
from health_assistant.lab_report.reading.row import TWO_RANGES, Row
from health_assistant.lab_report.reading.text import TextBox

_SHIFTED = "名称与结果上下没有对齐，可能错开了一行"
_SHIFTED_RANGE = "结果与参考范围上下没有对齐，可能错开了一行"
_MIN_APART = 2
_MIN_SLIDING, _STEP = 4, (0.02, 0.25)
"""接连这么多项，一项比一项多偏行距的这么多，是滑下去的。"""
_HALFWAY = 0.3
_DRIFT, _ALIGNED = 0.4, 0.3
"""挪了行距的这么多，就可能错了行；偏得不到 `_ALIGNED` 的是对得齐的。"""
_UNEVEN = 0.25
"""行距多半相差不到这么多的，才看得出挪；有的项印两行、三行的，偏差说明不了什么。"""
_MIN_PAIRED = 6
"""名称、结果、范围各有这么多、一样多，才照次序对齐。"""
_TITLE = 0.7
"""比第一个结果高出行距的这么多，是表上面的组名。"""
_BENT = 0.35
"""相邻两项的错开至多差行距的这么多：纸是弯的，不是断的。"""
_OVERPRINTED = "名称印到了结果上，数可能少读、多读了一位"
_GLUED = 0.1
"""名称与结果隔着不到字高的这么多，是从一段文字里分开的。"""
_OFF = 0.55
"""数的左端离这一列的有大半个数字宽，就是少了、多了一位。"""


def is_shifted(rows: list[Row]) -> bool:
    """有一列与另一列错开了。"""
    return any(row.doubt in (_SHIFTED, _SHIFTED_RANGE) for row in rows)


def align_columns(boxes: list[TextBox], rows: list[Row]) -> tuple[list[TextBox], float] | None:
    """弯纸上的文字框，各列照次序对齐（改 `line`），和第一项的上边：第几个范围就是第几项的，从头到尾一项也不差。

    名称、结果、范围不一样多，相邻两项错开的差得多，就不能这样对，为 None。
    """
    names = [row.name for row in rows if row.name]
    if len(names) < _MIN_PAIRED:
        return None
    pitch = median(below.line - above.line for above, below in pairwise(names))
    top, bottom = names[0].line - pitch, names[-1].line + 1.5 * pitch
    results, ranges = [row.result for row in rows if row.result], [box for row in rows for box in row.limits]
    if not all(top < box.line < bottom for box in [*results, *ranges]):
        return None
    near = [box for box in boxes if top < box.line < bottom]
    results, ranges = _column(near, results, ("number", "bound", "term")), _column(near, ranges, ("range", "bound"))
    if results and len(names) != len(results):  # 没有成行的名称、与组名连成一段的名称也算；第一个结果上面的是组名
        names = [box for box in _column(near, names, ("text",)) if box.line > results[0].line - _TITLE * pitch]
    columns = [names, results, ranges]
    if len({len(column) for column in columns}) > 1:
        return None
    places, bends = [], []  # 各列的横坐标；各列在各个高度比结果低多少，像素
    for column in columns:
        lines = np.array([box.line for box in column])
        bend = lines - [box.line for box in results]
        if np.abs(np.diff(bend)).max() > _BENT * pitch or np.abs(bend).min() > _BENT * pitch:
            return None
        places.append(median(box.middle for box in column))
        bends.append(_prolonged(lines, bend))
    left, middle, right = places
    if not left < middle < right:
        return None
    places = [2 * left - middle, *places, 2 * right - middle]

    def aligned(box: TextBox) -> TextBox:
        name, result, limits = (float(np.interp(box.line, *bend)) for bend in bends)
        # 名称左边的代号、范围右边的单位弯得更多，照外面的走势再挪一半
        lifts = [1.5 * name - 0.5 * result, name, result, limits, 1.5 * limits - 0.5 * result]
        return replace(box, line=box.line - float(np.interp(box.middle, places, lifts)))

    return [aligned(box) for box in boxes], results[0].line - pitch / 2


def _prolonged(lines: np.ndarray, bend: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """两头各照头三项、末三项的走势延长四项：表头在第一项的上面。"""
    ends = []
    for at, far in ((slice(3), lines[0] - 4 * (lines[1] - lines[0])), (slice(-3, None), 2 * lines[-1] - lines[-5])):
        slope, level = np.polyfit(lines[at], bend[at], 1)
        ends.append((far, level + slope * far))
    (top, first), (bottom, last) = ends
    return np.array([top, *lines, bottom]), np.array([first, *bend, last])


def _column(boxes: list[TextBox], seated: list[TextBox], kinds: tuple[str, ...]) -> list[TextBox]:
    """一列的文字框，从上到下：种类对，左右与入了座的各格（的中位数）重叠。"""
    if not seated:
        return []
    start, end = median(box.start for box in seated), median(box.end for box in seated)
    overlapping = [(box, split_cells(box)) for box in boxes if box.start < end and box.end > start]
    column = [box for box, cells in overlapping if cells and cells[0].kind in kinds]  # 只有标点的，一格也没有
    return sorted(column, key=lambda box: box.line)


def doubt_shifted(rows: list[Row]) -> None:
    """照片弯了，一列渐渐比另一列低半行：上面一项缺一格，下面一项多一格，中间对不齐的可能都是邻行的。"""
    empty = [at for at, row in enumerate(rows) if row.name and not row.has_value()]
    nameless = [at for at, row in enumerate(rows) if row.result and not row.name]
    for row in rows[empty[0] : nameless[-1]] if empty and nameless else ():
        if row.name and row.result and _is_apart(row.result, row.name):
            row.doubt = row.doubt or _SHIFTED
    _doubt_ranges(rows)
    results = [row.result for row in rows if row.result and row.result.kind != "text"]  # 印章的字不在一行上
    names = [row.name for row in rows if row.name]
    ranges = [row.limits[0] for row in rows if row.limits]
    for why, drifted in ((_SHIFTED, _drifted(results, names)), (_SHIFTED_RANGE, _drifted(results, ranges))):
        for row in rows:
            if row.name and row.result in drifted:
                row.doubt = row.doubt or why


def doubt_overprinted(rows: list[Row]) -> None:
    """名称与结果连成一段的行：照数的宽窄推出左端，与这一列别的数对不齐的，少读、多读了一位。

    数不是靠左印的，长短不一也对不齐：那时有一个名称的括号没有完，才算。
    """
    valued = [row for row in rows if row.name and row.result and row.result.kind == "number"]
    glued = [row for row in valued if abs(row.result.start - row.name.end) < _GLUED * row.result.height]
    if not glued:
        return
    plain = [box for row in valued for box in row.limits if box.kind == "range"]
    plain += [row.result for row in valued if row not in glued]
    if len(plain) < _MIN_SLIDING:
        return
    # 一个数字、一个点或横线、两头的留白各有多宽
    widths = np.linalg.lstsq(np.array([_letters(box) for box in plain]), [box.end - box.start for box in plain])[0]
    ends = np.array([row.result.end for row in valued])
    starts = ends - [float(_letters(row.result) @ widths) for row in valued]
    # 左端、正中、右端各偏出这一列几个数字；哪一样对得齐的行最多，就是怎样印的
    off, *others = (np.abs(at - np.median(at)) / max(widths[0], 1.0) for at in (starts, (starts + ends) / 2, ends))
    is_flush_left = all((off < _OFF / 2).sum() > (other < _OFF / 2).sum() for other in others)
    is_cut = any("(" in row.name.text and ")" not in row.name.text for row in glued)
    for row, far in zip(valued, off, strict=True):
        if far > _OFF and (is_flush_left or is_cut) and any(row is other for other in glued):
            row.doubt = row.doubt or _OVERPRINTED


def _letters(box: TextBox) -> np.ndarray:
    digits = sum(letter.isdigit() for letter in box.text)
    return np.array([digits, len(box.text) - digits, 1.0])


def _drifted(column: list[TextBox], other: list[TextBox]) -> list[TextBox]:
    """这一列里的哪几格，旁边的多半是另一列里邻行的：另一列一路比这一列挪了半行上下，一格也不缺时也看得出。

    离每一格最近的那一格，偏得越来越多；有一头对得齐的，从那一头起挪得还不多的不算。
    """
    if min(len(column), len(other)) < _MIN_SLIDING:
        return []
    lines, others = (np.array([box.line for box in boxes]) for boxes in (column, other))
    pitches = np.diff(lines)
    pitch = np.median(pitches)
    if pitch <= 0 or np.quantile(np.abs(pitches / pitch - 1), 0.8) > _UNEVEN:
        return []
    apart = others[None] - lines[:, None]  # (这一列的格数, 另一列的格数)，像素
    near = apart[np.arange(len(lines)), np.abs(apart).argmin(axis=1)] / pitch
    # 偏过了半行，最近的就成了邻行的：偏差跳了一行，接起来才是一路挪过来的
    drift = np.unwrap(near, period=1)
    if np.ptp(drift) < _DRIFT or np.abs(np.diff(drift)).max() > _BENT:
        return []
    ends = [at for at in (0, -1) if abs(near[at]) < _ALIGNED]
    moved = np.abs(drift - np.round(drift[ends[0]])) if len(ends) == 1 else np.full(len(near), np.inf)
    return [box for box, far in zip(column, moved, strict=True) if far > _ALIGNED]


def _doubt_ranges(rows: list[Row]) -> None:
    """错开的参考范围：一项没有范围，另一项有两个，中间的都是邻行的；多出来的那个没有读出来，就不知道从哪里起错。"""
    paired = [at for at, row in enumerate(rows) if row.result and row.limits]
    apart = [at for at in paired if _is_apart(rows[at].limits[0], rows[at].result)]
    bare = [at for at, row in enumerate(rows) if row.name and not row.limits]
    doubled = [at for at, row in enumerate(rows) if row.doubt == TWO_RANGES or row.limits and not row.result]
    if len(apart) >= _MIN_APART and bare and doubled:
        ends = sorted([*bare, *doubled])
        doubtful = [at for at in paired if ends[0] <= at <= ends[-1]]  # 正好错开一整行的，看上去是对齐的
    else:
        doubtful = paired if _slides(rows, paired) else []
    for at in doubtful:
        rows[at].doubt = rows[at].doubt or _SHIFTED_RANGE


def _slides(rows: list[Row], paired: list[int]) -> bool:
    """范围一项比一项偏得多（少），偏到了行与行的中间；每一项都偏那么多的是版式。"""
    if len(paired) < _MIN_SLIDING:
        return False
    lines = np.array([[rows[at].result.line, rows[at].limits[0].line] for at in paired])
    off = (lines[:, 1] - lines[:, 0]) / np.median(np.diff(lines[:, 0]))  # 行距的几倍
    steps = np.diff(off)
    for at in range(len(steps) - _MIN_SLIDING + 2):
        run, far = steps[at : at + _MIN_SLIDING - 1], np.abs(off[at : at + _MIN_SLIDING])
        is_smooth = (np.abs(run) > _STEP[0]).all() and (np.abs(run) < _STEP[1]).all()
        if is_smooth and abs(np.sign(run).sum()) == len(run) and far.max() > _HALFWAY > far.min():
            return True
    return False


def _is_apart(box: TextBox, other: TextBox) -> bool:
    """同一行的两格没有对齐。"""
    return abs(box.line - other.line) > 0.15 * other.height
