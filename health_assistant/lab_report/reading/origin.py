"""页眉页脚里说标本从哪里来的：什么时候采的、收的、报告的，哪家医院，什么标本。别的个人信息一概不读。"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.report import OriginField

_WHEN = r"(?:时间|日期|日|date/?(?:time)?|time|on)?"
_LABELS: dict[OriginField, list[str]] = {  # 先写的要紧：报告时间与审核时间都印的，是报告时间
    "collected": ["采样", "采集", "采血", "抽血", "取样", "collected", "collection", "drawn", "sampled"],
    "received": ["接收", "收样", "签收", "核收", "接样", "收到", "收件", "received", "receipt"],
    "reported": ["报告", "签发", "审核", "发布", "审定", "reported", "report", "issued", "released", "verified"],
}
_HOUR = r"(?P<hour>\d{1,2}(?=[:时])|\d\d)[:时]?(?P<minute>\d\d)分?(?::?\d\d秒?)?"
_CLOCK = rf"(?:T|,|上午)?(?P<pm>下午|晚上)?{_HOUR}(?P<half>[ap]m)?"
_YEAR = r"(?P<year>20\d\d)"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}[-/.年](?P<month>\d{{1,2}})[-/.月](?P<day>\d{{1,2}})日?(?:{_CLOCK}|(?!\d))",
        rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?:(?P<hour>\d\d):?(?P<minute>\d\d)(?::?\d\d)?)?(?!\d)",
        rf"(?P<day>\d{{1,2}})[-/.]?(?P<name>[a-z]{{3}})[a-z]*[-/.,]*{_YEAR}(?:{_CLOCK}|(?!\d))",
        rf"(?P<name>[a-z]{{3}})[a-z]*[-/.]?(?P<day>\d{{1,2}}),{_YEAR}(?:{_CLOCK}|(?!\d))",
        # 日与月谁在先各国不同：有一个是 13 以上的才分得清
        rf"(?P<first>\d{{1,2}})[-/.](?P<second>\d{{1,2}})[-/.]{_YEAR}(?:{_CLOCK}|(?!\d))",
    )
]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
LONGEST_WAIT = timedelta(days=60)
"""从采样到报告不会更久：最慢的分枝杆菌固体培养，八周才报告阴性。更久的是哪一个读错了。"""
_HOSPITAL = re.compile(
    r"[一-鿿（）()·]{2,30}?(?:医院|卫生院|卫生服务(?:中心|站)|保健院|医学检验(?:所|中心|实验室)|检验所|体检中心|门诊部)"
    r"(?:[(（][一-鿿]{2,12}[)）])?"
    r"|(?:[A-Z][A-Za-z.&']+ ){1,6}(?:Hospital|Laborator(?:y|ies)|Diagnostics|Clinic|Medical Cent(?:er|re))\b"
)
_NOT_ITS_OWN = re.compile(r"送检|申请|委托|转诊|诊断|[:：]|本院|我院|贵院|为准|地址|refer", re.IGNORECASE)
_SPECIMEN_LABEL = re.compile(
    r"(?:标本|样本|样品)(?:种类|类型|类别|名称)?:?|(?:specimen|sample)(?:type)?:", re.IGNORECASE
)
_SPECIMEN = re.compile(
    r"(?:静脉|动脉|末梢|指尖|(?:EDTA|枸橼酸钠|肝素)?抗凝)?(?:全血|血清|血浆|血)|(?:随机|晨|中段|24小时)?尿液?|粪便?|大便|脑脊液|胸腹?水|腹水|痰液?"
    r"|精液|脓液|白带|阴道分泌物|宫颈(?:分泌物|脱落细胞)|(?:鼻|口)?咽拭子|关节液|骨髓|(?:whole)?blood|serum|plasma|urine|stool|csf",
    re.IGNORECASE,
)
_MIN_SCORE = 0.8


@dataclass(frozen=True)
class Printed:
    """页上印着的一栏：值（时间写成 ISO 8601，没有印几点的只有日期），识别把握，在哪几段文字里。"""

    value: str
    score: float
    boxes: tuple[TextBox, ...]


def read_origin(lines: list[list[TextBox]]) -> dict[OriginField, Printed]:
    """各行的文字 -> collected、received、reported（时间）、performer（医院）、specimen（标本）；没有把握的没有。"""
    found: dict[OriginField, Printed] = {
        field: time for field, words in _LABELS.items() if (time := _find_time(lines, words))
    }
    for one in _contradicting({field: time.value for field, time in found.items()}):
        found.pop(one)
    if performer := _find_performer(lines):
        found["performer"] = performer
    if specimen := _find_specimen(lines):
        found["specimen"] = specimen
    return found


def _find_time(lines: list[list[TextBox]], words: list[str]) -> Printed | None:
    """第一个这样的栏后面紧跟着的时间；同样的栏印着不同的时间，都不要。"""
    for word in words:
        times = {time.value: time for line in lines for time in _times_after(line, word)}
        if len(times) == 1:
            return next(iter(times.values()))
        if times:
            return None
    return None


def _times_after(line: list[TextBox], word: str) -> Iterator[Printed]:
    text, owners = _joined(line)
    for label in re.finditer(rf"{word}{_WHEN}[:;]?", text, re.IGNORECASE):
        for pattern in _DATES:
            match = pattern.match(text, label.end())
            if match and (value := _iso(match)):
                boxes = tuple(dict.fromkeys(owners[match.start() : match.end()]))
                yield Printed(value, min(box.score for box in boxes), boxes)
                break


def _joined(line: list[TextBox]) -> tuple[str, list[TextBox]]:
    """一行连成的文字（没有空白），与每个字属于哪一段。"""
    pieces = [(normalize(box.text), box) for box in line if box.score >= _MIN_SCORE]
    return "".join(text for text, _ in pieces), [box for text, box in pieces for _ in text]


def _iso(match: re.Match) -> str | None:
    """日期（与时刻）写成 ISO 8601；没有这一天、分不清日月的为 None。"""
    part = match.groupdict()
    if part.get("name"):
        month = _MONTHS.index(part["name"].lower()) + 1 if part["name"].lower() in _MONTHS else 0
        day = int(part["day"])
    elif part.get("first"):
        first, second = int(part["first"]), int(part["second"])
        if (first > 12) == (second > 12):
            return None
        day, month = (first, second) if first > 12 else (second, first)
    else:
        month, day = int(part["month"]), int(part["day"])
    try:
        date = datetime(int(part["year"]), month, day)
        if part.get("hour") is None:
            return date.strftime("%Y-%m-%d")
        hour = int(part["hour"])
        is_afternoon = part.get("pm") or (part.get("half") or "").lower() == "pm"
        hour += 12 if is_afternoon and hour < 12 else 0
        return date.replace(hour=hour, minute=int(part["minute"])).strftime("%Y-%m-%dT%H:%M")
    except ValueError:
        return None


def _contradicting(times: dict[OriginField, str]) -> set[OriginField]:
    """先后不对、隔得太久的两个：不知道读错的是哪一个，都不要。"""
    order = [(field, datetime.fromisoformat(times[field])) for field in _LABELS if field in times]
    wrong: set[OriginField] = set()
    for (earlier, begun), (later, ended) in zip(order, order[1:], strict=False):
        day_only = len(times[earlier]) == 10 or len(times[later]) == 10
        is_before = ended.date() < begun.date() if day_only else ended < begun
        if is_before or ended - begun > LONGEST_WAIT:
            wrong |= {earlier, later}
    return wrong


def _find_performer(lines: list[list[TextBox]]) -> Printed | None:
    """最上面印着的医院；写明是送检、申请单位的不是。"""
    for box in (box for line in lines[:8] for box in line if box.score >= _MIN_SCORE):
        name = _HOSPITAL.match(box.text.strip())
        if name and not _NOT_ITS_OWN.search(box.text):
            return Printed(name[0].strip(), box.score, (box,))
    return None


def _find_specimen(lines: list[list[TextBox]]) -> Printed | None:
    for line in lines:
        text, owners = _joined(line)
        label = _SPECIMEN_LABEL.search(text)
        value = _SPECIMEN.match(text, label.end()) if label else None
        if value:
            boxes = tuple(dict.fromkeys(owners[value.start() : value.end()]))
            return Printed(value[0], min(box.score for box in boxes), boxes)
    return None
