"""用字符画的表（`│白细胞│23.61│`）、HL7 与 ASTM 的报文：竖线不是格子里的字，去掉；可能是竖线的 1 起疑。"""

import re
from dataclasses import replace
from itertools import pairwise

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.reading.cells import classify
from health_assistant.lab_report.reading.header import find_header
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import TextBox, part_of

_BAR = re.compile(r"[|│┃丨¦]+")
_RULE = re.compile(r"[-—=_+|]{6,}")
_BAR_LAST = re.compile(rf"(?<!^){_BAR.pattern}$")
_LIKE_BAR = re.compile(r"[1IilJ\[\]!]")
"""竖线会认成这样的字。"""
_FLAG_OR_PERCENT = re.compile("HH?|LL?|%")
_MESSAGE = re.compile(
    r"(?:[O0]BX[|1Il]\d{1,3}[|1Il][A-Z]{2}\|(?P<id>[^|]+)(?P<gap>\|(?:\d{0,2}\|)?)|R\W?\d{1,3}\W*(?P<test>\^[^|]+)\|)"
    r"(?P<result>[<>]?\d[\d.]*|[A-Za-z]{3,12}|[一-鿿]{2,4})\|(?P<unit>[^|\d]*|[^|]*/[^|]*)\|(?P<limits>[^|]*)(?:\|(?P<mark>HH?|LL?)?(?![^\W_]))?"
)
"""报文里一项一行：`OBX|3|NM|2823-3^Potassium||6.9|mmol/L|3.5-5.1|HH`、`R|1|^^^K|6.9|mmol/L|3.5-5.1|HH`。"""
_MESSAGE_HEAD = re.compile(r"(?:MSH|PID|PV1|[O0]BR|[O0]RC|NTE|[HPOQL0])\W|\W?[O0]RU\^")
_MIN_BARS = 3
_UNSURE = 0.5


def without_dividers(boxes: list[TextBox]) -> list[TextBox]:
    """去掉竖线、在竖线处断开的文字框；不是用竖线画的表，原样返回。"""
    if not any(_BAR.search(box.text) for box in boxes):
        return boxes
    barred = [box for box in boxes if _is_led(box.text) or _BAR.search(box.text)]
    if len(barred) < _MIN_BARS:
        return boxes
    if any(map(_message_parts, boxes)):
        boxes = [box for box in boxes if not _MESSAGE_HEAD.match(box.text)]
    return [part for box in _without_drawn_notes(boxes) for part in _parts(box, barred)]


def _without_drawn_notes(boxes: list[TextBox]) -> list[TextBox]:
    """文字层里，结果印在没有竖线的表头底下，再下面用竖线画的是说明（各档、各孕期的范围），不是结果。"""
    lines = group_lines([box for box in boxes if box.is_printed])
    drawn = [line for line in lines if _BAR.match(line[0].text) or _RULE.fullmatch(line[0].text)]
    first = min((line[0].line for line in drawn), default=0.0)
    bare = [[replace(box, text=_BAR.sub("", box.text)) for box in line] for line in drawn]
    is_ruled = any(_RULE.fullmatch(box.text) for line in drawn for box in line)
    above = [line for line in lines if line[0].line < first]
    has_results = any({"number"} < {box.kind for box in line} & {"number", "range", "bound"} for line in above)
    is_headed = is_ruled and has_results and any(map(find_header, above))
    notes = {id(box) for line in drawn for box in line} if is_headed and not any(map(find_header, bare)) else set()
    return [box for box in boxes if id(box) not in notes]


def _is_led(text: str) -> bool:
    return bool(_BAR.match(text)) or _is_glued(text)


def _is_glued(text: str) -> bool:
    """竖线认成了字，连在标记、单位、代号前面：`IH`、`1%`、`ICRP`。"""
    rest = text[1:]
    if not _LIKE_BAR.match(text) or not rest:
        return False
    if _FLAG_OR_PERCENT.fullmatch(rest):
        return True
    is_own = is_known_code(text) or classify(text) in ("unit", "mark")
    is_code = is_known_code(rest) and not rest.isdigit()
    return not is_own and (classify(rest) in ("unit", "mark") or is_code)


def _message_parts(box: TextBox) -> list[TextBox]:
    """报文的一行里的名称、结果、单位、范围、标记；不是的为空。`||6.9` 的竖线也会认成 1（`|16.9`）：没有把握。"""
    message = _MESSAGE.match(box.text)
    if not message:
        return []
    group = "id" if message["id"] else "test"
    names = [name for name in re.finditer(r"[^^]+", message[group]) if not re.fullmatch(r"[\d-]+", name[0])]
    if not names:
        return []
    name = next((name for name in names if is_known(name[0])), names[0])
    spans = [tuple(message.start(group) + at for at in name.span())]
    spans += [message.span(field) for field in ("result", "unit", "limits", "mark") if message[field]]
    parts = [part_of(box, *span) for span in spans]
    is_cut = message.end() == len(box.text) == message.end("limits")  # 折到下一行的，范围没有印全
    if is_cut or message["gap"] == "|" and message["result"].startswith("1"):
        parts[1] = replace(parts[1], score=min(box.score, _UNSURE))
    return parts


def _parts(box: TextBox, barred: list[TextBox]) -> list[TextBox]:
    if message := _message_parts(box):
        return message
    beside = [other for other in barred if other is not box]
    is_under_bar = any(abs(other.start - box.start) < box.height for other in beside if _is_led(other.text))
    ends_at_bar = any(abs(other.end - box.end) < box.height for other in beside if _BAR_LAST.search(other.text))
    if box.is_printed:  # 文字层的字不会认错：1 就是 1
        is_under_bar = ends_at_bar = False
    if is_under_bar and (_LIKE_BAR.fullmatch(box.text) or _is_glued(box.text)):
        return [part_of(box, 1, len(box.text))] if len(box.text) > 1 else []
    edges = [0, *(at for bar in _BAR.finditer(box.text) for at in bar.span()), len(box.text)]
    parts = [part_of(box, *ends) for ends in pairwise(edges)]
    # 也许是竖线与旁边的数
    if is_under_bar and re.match(r"1\d", box.text) or ends_at_bar and re.search(r"\d1$", box.text):
        parts[0] = replace(parts[0], score=min(box.score, _UNSURE))
    return [part for part in parts if part.text and not (_BAR.fullmatch(part.text) or _RULE.fullmatch(part.text))]
