"""文字框 -> 视觉行；撕成几段的接起来。"""

import re

from health_assistant.lab_report.reading.header import join_stacked_heads
from health_assistant.lab_report.reading.header_words import words_in
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import TextBox, join_boxes
from health_assistant.lab_report.reference_range import parse_result

_DASH = re.compile("[-~—–－～]{1,3}|至|到")
_TERM = re.compile(r"[弱强]?[阴阳]性|未见异常|未检出")
_SIGN = re.compile(r"[(（][-－—+±]{1,4}[)）]")
_NEAR = 0.8
"""范围的一横与两头隔着不到这么多个字高；隔得更远的是别的列里的一横。"""


def group_lines(boxes: list[TextBox]) -> list[list[TextBox]]:
    """按视觉上的行归拢，从上到下；每行从左到右。"""
    lines: list[list[TextBox]] = []
    for box in sorted(join_stacked_heads(boxes), key=lambda box: box.start):

        def distance(line: list[TextBox], box: TextBox = box) -> float:
            return abs(box.line - line[-1].line) / min(box.height, line[-1].height)

        near = min(lines, key=distance, default=None)
        if near is not None and distance(near) < 0.5 and box.start > near[-1].start:
            near.append(box)
        else:
            lines.append([box])
    return sorted((_join_pieces(line, boxes) for line in lines), key=lambda line: line[0].line)


def _join_pieces(line: list[TextBox], page: list[TextBox]) -> list[TextBox]:
    """接起撕开的：拉开印的两个字（`项　目`、`No项　目`）会成两段，范围的两头与一横会成三段（`4.0 -- 10.0`），
    词与括号里说得一样的符号也会断开（`阳性（＋）`、`未见异常（－）`）。

    `钾　钠` 本是两项，`无　无` 是结果与范围。
    """
    joined: list[TextBox] = []
    for box in line:
        last = joined[-1] if joined else None
        is_pair = last and re.fullmatch(r"(No\.?)?[一-鿿]", last.text) and re.fullmatch(r"[一-鿿][:：]?", box.text)
        is_word = (
            is_pair
            and last.text != box.text
            and box.start - last.end < 5 * box.height
            and not (is_known(last.text) and is_known(box.text))
        )
        if is_word or last and _says_again(last, box, page):
            joined[-1] = join_boxes(last, box)
        elif whole := _range_of(joined[-2:], box):
            joined[-2:] = [whole]
        else:
            joined.append(box)
    return joined


def _says_again(words: TextBox, sign: TextBox, page: list[TextBox]) -> bool:
    """紧跟在词后面、括号里的符号说的与词一样；`阳性` 与 `(-)` 是结果与范围，符号另有表头的也是两列。"""
    is_so = _TERM.fullmatch(words.text) and _SIGN.fullmatch(sign.text) and sign.start - words.end < sign.height
    if not is_so or parse_result(words.text + sign.text) is None:
        return False
    heads = [head for box in page for _, head in words_in(box)]
    return not any(words.middle < head.start < sign.end and sign.start < head.end for head in heads)


def _range_of(before: list[TextBox], box: TextBox) -> TextBox | None:
    """前面紧挨着的一个数与一横，同 box 合成的范围；不是的为 None。"""
    if len(before) < 2:
        return None
    low, dash = before
    is_near = all(right.start - left.end < _NEAR * box.height for left, right in ((low, dash), (dash, box)))
    if not (is_near and _DASH.fullmatch(dash.text) and low.kind == box.kind == "number"):
        return None
    whole = join_boxes(join_boxes(low, dash), box)
    return whole if whole.kind == "range" else None
