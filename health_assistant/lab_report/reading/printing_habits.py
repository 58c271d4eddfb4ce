"""整张单子的印法：一列结果前面都印着一横、一列范围都用冒号连着。一格看不出来，几格都这样才算。"""

import re
from collections import Counter
from dataclasses import replace

from health_assistant.lab_report.presence import presence
from health_assistant.lab_report.reading.header import find_header
from health_assistant.lab_report.reading.items import NOT_AN_ITEM
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import TextBox, part_of
from health_assistant.lab_report.reference_range import parse_range

_MIN_ALIKE = 3
_LED_BY_DASH = re.compile(r"[-–—](?:\s+(?=\S)|(?=[A-Za-z一-鿿]))")
_JOINED_BY_COLON = re.compile(r"(\d[\d.]*)\s*[:：]\s*(\d[\d.]*)")


_TILED, _ACROSS = 6, 3
"""同一句话（六个字以上）一页印了这么多遍、排成这么多列，是平着印的水印。"""


def without_habits(boxes: list[TextBox]) -> list[TextBox]:
    """`- Absent` 一列的横线是名称与结果之间的，不是阴性；`140:440` 一列是 140-440，不是滴度、钟点；水印、头像不要。"""
    many = [text for text, count in Counter(box.text for box in boxes).items() if len(text) >= 6 and count >= _TILED]
    lines = [box.line for box in boxes if box.text not in many]
    copies = {text: [box for box in boxes if box.text == text] for text in many if not is_known(text)}
    tiled = {text for text, alike in copies.items() if presence(text) is None and _is_tiled(alike, lines)}
    boxes = _without_badges([box for box in boxes if box.text not in tiled])
    dashed = [box for box in boxes if _LED_BY_DASH.match(box.text)]
    coloned = [box for box in boxes if _is_range_with_colon(box.text)]
    rest = [box for box in boxes if _JOINED_BY_COLON.fullmatch(box.text) and not _is_range_with_colon(box.text)]
    if len(_column(dashed)) >= _MIN_ALIKE:
        led = _column(dashed)
        boxes = [
            part_of(box, _LED_BY_DASH.match(box.text).end(), len(box.text)) if box in led else box for box in boxes
        ]
    if len(_column(coloned)) > max(_MIN_ALIKE, len(rest)):
        joined = _column(coloned)
        boxes = [replace(box, text=_with_dash(box.text)) if box in joined else box for box in boxes]
    return boxes


def without_name_colons(boxes: list[TextBox]) -> list[TextBox]:
    """认得的名称有几个后面印着冒号的，是名称都印着冒号的单子：冒号不要，姓名、性别一类的照旧。"""
    if sum(box.text.endswith(":") and is_known(box.text[:-1]) for box in boxes) < _MIN_ALIKE:
        return boxes
    return [
        replace(box, text=box.text[:-1], is_label=True)
        if box.text.endswith(":") and not any(map(NOT_AN_ITEM.search, (box.text[:-1], f"{box.text} ")))
        else box
        for box in boxes
    ]


def _without_badges(boxes: list[TextBox]) -> list[TextBox]:
    """手机上各项左边的圆头像里印着名称的头一个字，几项都这样的，不要；有表头的是一列简称、标本。"""
    lone = [box for box in boxes if re.fullmatch(r"(?![高低阴阳尿])[一-鿿]", box.text)]
    named = {id(box): name for box in lone for name in boxes if _is_badge_of(box, name)}
    badges = _column([box for box in lone if id(box) in named])
    # `黄 黄色` 是结果与参考值
    are_names = sum(is_known(named[id(box)].text) for box in badges) >= _MIN_ALIKE
    is_list = are_names and not any(map(find_header, group_lines(boxes)))
    return [box for box in boxes if box not in badges] if is_list else boxes


def _is_badge_of(box: TextBox, name: TextBox) -> bool:
    is_beside = 0 < name.start - box.end < 3 * box.height and abs(name.line - box.line) < 1.3 * box.height
    return is_beside and name.text.startswith(box.text)


def _is_tiled(alike: list[TextBox], lines: list[float]) -> bool:
    """铺满一页的：排成几列，每一列又有上下几行。

    lines 是别的文字的高低：多半与它们同一行、在折成两行的名称正中的，是各项的结果。
    """
    columns = {round(box.start / (4 * box.height)) for box in alike}
    is_wide = len(columns) >= _ACROSS and len({round(box.line) for box in alike}) > 1
    away = [[(line - box.line) / box.height for line in lines] for box in alike]
    in_line = [
        offsets for offsets in away if any(-0.7 < by < 0.3 for by in offsets) and any(-0.3 < by < 0.7 for by in offsets)
    ]
    return alike[0].kind == "text" and is_wide and 2 * len(in_line) < len(alike)


def _with_dash(text: str) -> str:
    return _JOINED_BY_COLON.sub(r"\1-\2", text)


def _is_range_with_colon(text: str) -> bool:
    """冒号两边一小一大，不会是钟点（`08:30`）的。"""
    pair = _JOINED_BY_COLON.fullmatch(text)
    is_clock = pair and re.fullmatch(r"[012]?\d", pair[1]) and re.fullmatch(r"[0-5]\d", pair[2])
    return bool(pair and not is_clock and parse_range(_with_dash(text)))


def _column(boxes: list[TextBox]) -> list[TextBox]:
    """左端或正中与多数对齐的。"""
    best: list[TextBox] = []
    for anchor in boxes:
        aligned = [
            box for box in boxes if min(abs(box.start - anchor.start), abs(box.middle - anchor.middle)) < anchor.height
        ]
        best = max(best, aligned, key=len)
    return best
