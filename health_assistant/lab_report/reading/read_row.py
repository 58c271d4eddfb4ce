"""一行的格子，连同旁边的像素 -> `ReadRow`：结果与范围、标记、可疑的地方、把握。"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from health_assistant.lab_report.interval import Interval, compare
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reading.cells import classify
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.small_marks import (
    find_mark,
    find_signs_in,
    flag_of,
    has_dash,
    has_doubtful_arrow,
    may_drop_digit,
    settle_values,
)
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.upright import TEXT_CONTRAST, Page
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.report import CUT_SHORT, UNREAD_MARK, ReadRow

_WIDE_PLUS = 1.2
"""单独一个加号的框至多这样扁：实测 0.77 到 1.0；`+-` 只认出加号的是 1.37。"""


@dataclass(frozen=True)
class Surroundings:
    """一行以外要知道的：整页的像素与文字框，这张表的列。"""

    page: Page
    gray: np.ndarray
    """见 `Page.gray`。"""
    boxes: list[TextBox]
    columns: Columns
    marks: float | None
    """见 `mark_column`。"""
    prints_signs: bool
    """见 `rows.prints_signs`。"""
    common_range: str
    """表外印着的、各行共用的范围。"""
    start: float | None = None
    """见 `plain_start`。"""


def read_row(row: Row, around: Surroundings) -> ReadRow:
    """row 里没有认好的数照像素改正，改的是 row 自己。"""
    mark = find_mark(row, around.page, around.gray, around.boxes, around.marks)
    settle_values(row, around.gray, mark, around.marks is not None, around.start)
    name, code, result, unit, limits = row_text(row)
    result, limits = _with_small_signs(row, around, name, result, limits)
    result, mark = _without_sign(row, result, limits, mark)
    if not limits and around.common_range and classify(result) == "term":
        limits = around.common_range
    if row.limits and row.limits[-1].x1 > row.anchor.x1 and _is_cut(row.limits[-1], around.gray):
        limits += CUT_SHORT
    values = [row.result, *row.limits] if row.result else []
    return ReadRow(
        name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark,
        confidence=round(_confidence(row, name, limits, mark), 3),
        boxes={"row": around.page.photo_box(*outline(row.boxes()))},
        doubt=_doubt(row, around, result, limits, mark),
        copied=bool(values) and all(box.is_printed for box in values),
    )  # fmt: skip


def _with_small_signs(row: Row, around: Surroundings, name: str, result: str, limits: str) -> tuple[str, str]:
    """结果与范围，补上文字识别常读不到、读不准的一横、加号、±；看像素看得清的，把握改为 1（改 row）。"""

    def signs_in(column: str) -> str:
        return find_signs_in(row, around.columns, around.gray, around.boxes, column)

    if not result:
        result = signs_in("result")
        is_lone = result == "-" and not limits and is_known(name)
        if is_lone and signs_in("range") == "-":
            limits = "-"
        # 单独一横、加号只在范围是定性词时、在没有范围而印着加号的尿条上，才算结果
        is_sign = isinstance(parse_range(limits), QualitativeResult) or around.prints_signs and not limits
        if result != "-----" and not is_sign:
            result = ""
    elif re.fullmatch(r"[-—一二_~]", result) and has_dash(row.result, around.gray):
        # 单独一横文字识别总是没有把握，像素看得清楚
        result, row.result = "-", replace(row.result, score=1.0)
    elif result in ("土", "士") and isinstance(parse_range(limits), QualitativeResult):
        # 定性的结果里没有这两个字：是 ±，字形认得准，把握低只因为它不是那个字
        result, row.result = "±", replace(row.result, score=1.0)
    elif re.fullmatch(r"[+十]+", result):
        result = "+" * len(result)
    if not limits and re.fullmatch(r"\d?[-+±]+\d?", result) and signs_in("range") == "-":
        limits = "-"  # 与结果一样，单独一横文字识别常常读不到
    return result, limits


def _without_sign(row: Row, result: str, limits: str, mark: str | None) -> tuple[str, str | None]:
    """结果与标记；数后面的 `-`、`+`（`9 -`，也许另成一格）与比出来的高低相合的，是标记；`2+` 说的是几级。"""
    signs = [box.text for box in row.maybe_arrows if box.text in ("-", "+")]
    signed = re.fullmatch(r"(\d[\d.,]*(?=\s*-)|\d[\d.,]+(?=\s*\+))\s*([-+])", result + "".join(signs[:1]))
    if signed is None or mark is not None:
        return result, mark
    is_mark = flag_of(signed[1], limits) == {"-": "low", "+": "high"}[signed[2]]
    return (signed[1], signed[2]) if is_mark else (result, mark)


def _doubt(row: Row, around: Surroundings, result: str, limits: str, mark: str | None) -> str | None:
    """这一行哪里可疑；没有为 None。"""
    if result == "1" and re.search(r"\.\d", limits) and mark not in ("↑", "↓"):  # 箭头另有，就是数
        return "结果只读到一个 1，可能是箭头，不是数"
    if may_drop_digit(row, mark, around.page, around.boxes) and (mark is None or _may_be_longer(result, limits)):
        return "结果旁边有个 1，不能确定是箭头还是数"
    if row.doubt:
        return row.doubt
    if not limits.endswith(CUT_SHORT) and any(
        _touches_edge(box, around.gray) for box in [row.result, *row.limits] if box
    ):
        return "结果或参考范围到了照片的边上，可能没有拍全"
    if has_doubtful_arrow(row):
        return "另有箭头，挨着数的可能是 1"
    if result == "+" and row.result and row.result.x1 - row.result.x0 > _WIDE_PLUS * row.result.height:
        return "加号后面可能还有一横"
    if row.word and _contradicts(row.word.text, result, limits):
        return "数与另一列的阳性、阴性不符"
    return None


def _may_be_longer(result: str, limits: str) -> bool:
    """结果后面再有个 1，与范围比也还是一样：标记说不出哪个对。有小数的差得不多，不算。"""
    reference = parse_range(limits)
    short, longer = parse_result(result), parse_result(result + "1")
    if "." in result or reference is None or short is None or longer is None:
        return False
    return compare(short, reference) == compare(longer, reference)


def _confidence(row: Row, name: str, limits: str, mark: str | None) -> float:
    """判断所凭的几段文字里最低的把握。"""
    decisive = [box for box in (row.result, *row.limits) if box]
    if row.mark and mark != UNREAD_MARK and not limits:  # 没有范围的，高低要看标记
        decisive.append(row.mark)
    if not is_known(name):
        decisive.append(row.anchor)
    return min((box.score for box in decisive), default=row.anchor.score)


def outline(boxes: Sequence[TextBox]) -> tuple[float, float, float, float]:
    """几段文字合在一起的外接矩形，页面像素。"""
    return min(b.x0 for b in boxes), min(b.y0 for b in boxes), max(b.x1 for b in boxes), max(b.y1 for b in boxes)


def _contradicts(word: str, result: str, limits: str) -> bool:
    """数在范围之内而另一列印着阳性，或在范围之外而印着阴性。"""
    number, reference, said = parse_result(result), parse_range(limits), parse_result(word)
    if not (isinstance(number, Interval) and reference and isinstance(said, QualitativeResult)):
        return False
    flag = compare(number, reference)
    return flag != "unknown" and (flag == "normal") != (said.words[0] == "阴性")


def _is_cut(limits: TextBox, gray: np.ndarray) -> bool:
    """范围的末尾在照片的右边以外：墨迹碰到边，或离边不到一个字、两头的小数位数不一样（`3.5-5`）或没有写完（`3.5-`）。"""
    if limits.x1 < gray.shape[1] - limits.height or limits.text[-1] in ")）]】":
        return False
    ends = re.fullmatch(r"\D*\d+(\.\d+)?\s*[-~—–]*(?:\d+(\.\d*)?)?", limits.text)
    is_short = bool(ends) and bool(ends[1]) and len(ends[2] or "") < len(ends[1])
    return is_short or bool(re.search(r"\d[-~—–.]$", limits.text)) or _touches_edge(limits, gray)


def _touches_edge(box: TextBox, gray: np.ndarray) -> bool:
    """字的墨迹碰到图的左边或右边：后面可能还有字没有拍进来。gray 的字与纸相差 `TEXT_CONTRAST`。"""
    line = gray[max(0, round(box.y0)) : round(box.y1)]
    near = max(2, round(0.15 * box.height))
    edges = [line[:, :near]] * (box.x0 <= 1) + [line[:, -near:]] * (box.x1 >= gray.shape[1] - 1)
    return any(edge.size and edge.min() < np.median(line) - TEXT_CONTRAST / 2 for edge in edges)
