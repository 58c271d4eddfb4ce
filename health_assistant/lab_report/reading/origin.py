"""页眉页脚里说标本从哪里来的：什么时候采的、收的、报告的，哪家医院，什么标本。别的个人信息一概不读。"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from health_assistant.lab_report.origin import even, hospital_in, specimen_at, time_at
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.report import MIN_CONFIDENCE, OriginField, consistent

_WHEN = r" ?(?:时间|日期|日|date ?/? ?(?:time)?|time|on)?"
_LABELS: dict[OriginField, list[str]] = {  # 先写的要紧：报告时间与审核时间都印的，是报告时间
    "collected": ["采样", "采集", "采血", "抽血", "取样", "collected", "collection", "drawn", "sampled"],
    "received": ["接收", "收样", "签收", "核收", "接样", "收到", "收件", "received", "receipt"],
    "reported": ["报告", "签发", "审核", "发布", "审定", "reported", "report", "issued", "released", "verified"],
}
_ANOTHER_TIME = re.compile(
    r"(?:上次|前次|历史|预约|预计|打印|取|未|不|last|previous|print(?:ed)?|not)[ |]?(?:检验|标本)?$", re.I
)
"""写在栏名前面的：不是这一次的时间。"""
_SPECIMEN_LABEL = re.compile(
    r"(?:标本|样本|样品|送检物)(?:种类|类型|类别|名称)? ?:?[ |]*|(?:(?:specimen|sample)(?: ?type)?|\bsource) ?:[ |]*",
    re.IGNORECASE,
)
_Joined = tuple[str, list[TextBox | None]]
"""一行连成的文字，与每个字属于哪一段。"""


@dataclass(frozen=True)
class Printed:
    """页上印着的一栏：值（时间写成 ISO 8601，没有印几点的只有日期），识别把握，在哪几段文字里。"""

    value: str
    score: float
    boxes: tuple[TextBox, ...]


def read_origin(lines: list[list[TextBox]]) -> dict[OriginField, Printed]:
    """各行的文字 -> collected、received、reported（时间）、performer（医院）、specimen（标本）；没有把握的没有。"""
    joined = [_joined(line) for line in lines]
    origin: dict[OriginField, Printed] = {
        field: time for field, words in _LABELS.items() if (time := _find_time(joined, words))
    }
    origin = consistent(origin)
    if performer := _find_performer(lines):
        origin["performer"] = performer
    if specimen := _find_specimen(joined):
        origin["specimen"] = specimen
    return origin


def _find_time(lines: list[_Joined], words: list[str]) -> Printed | None:
    """第一个这样的栏后面紧跟着的时间；同样的栏印着不同的时间，都不要。"""
    for word in words:
        times = {time.value: time for line in lines for time in _times_after(line, word)}
        if len(times) == 1:
            return next(iter(times.values()))
        if times:
            return None
    return None


def _times_after(line: _Joined, word: str) -> Iterator[Printed]:
    text, owners = line
    for label in re.finditer(rf"{word}{_WHEN}[ |]*[:;]?[ |]*", text, re.IGNORECASE):
        if _ANOTHER_TIME.search(text[: label.start()]):
            continue
        time = time_at(text, label.end())
        if time:
            yield _printed(time[0], owners[label.end() : time[1]])


def _printed(value: str, owners: list[TextBox | None]) -> Printed:
    boxes = tuple(dict.fromkeys(box for box in owners if box))
    return Printed(value, min(box.score for box in boxes), boxes)


def _joined(line: list[TextBox]) -> _Joined:
    """段与段之间是 |；没有认清的一段是 ?，它的字不算，也不能当作没有。"""
    text, owners = "", []
    for box in line:
        words = even(box.text) if box.score >= MIN_CONFIDENCE else "?"
        text += words + "|"
        owners += [box] * len(words) + [None]
    return text.removesuffix("|"), owners


def _find_performer(lines: list[list[TextBox]]) -> Printed | None:
    """最上面印着的医院；写明是送检、申请单位的不是。"""
    for box in (box for line in lines[:8] for box in line if box.score >= MIN_CONFIDENCE):
        name = hospital_in(box.text)
        if name:
            return Printed(name, box.score, (box,))
    return None


def _find_specimen(lines: list[_Joined]) -> Printed | None:
    for text, owners in lines:
        label = _SPECIMEN_LABEL.search(text)
        specimen = specimen_at(text, label.end()) if label else None
        if label and specimen:
            return _printed(specimen[0], owners[label.end() : specimen[1]])
    return None
