"""弯得拉不平的照片：一列与另一列渐渐错开一行。看得出来的，中间的各行都没有把握。"""

import numpy as np

from health_assistant.lab_report.reading.row import TWO_RANGES, Row
from health_assistant.lab_report.reading.text import TextBox

_SHIFTED = "名称与结果上下没有对齐，可能错开了一行"
_SHIFTED_RANGE = "结果与参考范围上下没有对齐，可能错开了一行"
_MIN_APART = 2
_MIN_SLIDING, _STEP = 4, (0.02, 0.25)
"""接连这么多项，一项比一项多偏行距的这么多，是滑下去的。"""
_HALFWAY = 0.3


def doubt_shifted(rows: list[Row]) -> None:
    """照片弯了，一列渐渐比另一列低半行：上面一项缺一格，下面一项多一格，中间对不齐的可能都是邻行的。"""
    empty = [at for at, row in enumerate(rows) if row.name and not row.has_value()]
    nameless = [at for at, row in enumerate(rows) if row.result and not row.name]
    for row in rows[empty[0] : nameless[-1]] if empty and nameless else ():
        if row.name and row.result and _is_apart(row.result, row.name):
            row.doubt = row.doubt or _SHIFTED
    _doubt_ranges(rows)


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


def _is_apart(one: TextBox, other: TextBox) -> bool:
    """同一行的两格没有对齐。"""
    return abs(one.line - other.line) > 0.15 * other.height
