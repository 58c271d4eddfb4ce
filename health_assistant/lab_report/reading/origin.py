"""页眉页脚里说标本从哪里来的：什么时候采的、收的、报告的，哪家医院，什么标本。别的个人信息一概不读。"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.report import OriginField, contradicting

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
# 段与段之间是 |，段里的空白是一个空格（见 _joined）。日子与几点之间没有空白的，两个都要是两位数才分得开
_GAP = r"(?:[ |]+|T|,|(?<=\d\d)(?=\d\d[:时]))"
_HOUR = r"(?P<hour>\d{1,2})[:时点](?P<minute>\d\d)分?(?::?\d\d秒?)?"
_CLOCK = rf"(?:{_GAP} ?(?:上午|(?P<pm>下午|晚上))? ?{_HOUR} ?(?P<half>[ap]m)?| (?P<digits>\d{{4}})(?:\d\d)?)(?![\d:])"
_YEAR = r"(?P<year>20\d\d)"
_END = r"(?![\d:时点])"
_DATES = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"{_YEAR}年(?P<month>\d{{1,2}})月(?P<day>\d{{1,2}})日 ?(?:上午|(?P<pm>下午|晚上))? ?{_HOUR}",
        rf"{_YEAR} ?[-/.年] ?(?P<month>\d{{1,2}}) ?[-/.月] ?(?P<day>\d{{1,2}}) ?日?(?:{_CLOCK}|{_END})",
        rf"{_YEAR}(?P<month>\d\d)(?P<day>\d\d)(?:{_CLOCK}|(?P<together>\d{{4}})(?:\d\d)?(?!\d)|{_END})",
        rf"(?P<day>\d{{1,2}})[-/. ]?(?P<name>[a-z]{{3}})[a-z]*[-/., ]*{_YEAR}(?:{_CLOCK}|{_END})",
        rf"(?P<name>[a-z]{{3}})[a-z]*[-/. ]?(?P<day>\d{{1,2}}), ?{_YEAR}(?:{_CLOCK}|{_END})",
        # 日与月谁在先各国不同：有一个是 13 以上的才分得清
        rf"(?P<first>\d{{1,2}})[-/.](?P<second>\d{{1,2}})[-/.]{_YEAR}(?:{_CLOCK}|{_END})",
    )
]
_ANOTHER_DATE = re.compile(r"[ |~-]*20\d\d[-/.年]")
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_HOSPITAL = re.compile(
    r"[一-鿿·]{2,30}?(?:医院|卫生院|卫生服务(?:中心|站)|保健院|医学检验(?:所|中心|实验室)|检验所|健康体检中心)"
    r"(?:[(（][一-鿿]{1,8}(?:院区|分院)[)）])?"
    r"|(?:[A-Z][A-Za-z.&']+ ){1,6}(?:Hospital|Laborator(?:y|ies)|Diagnostics|Medical Cent(?:er|re))\b"
)
_NOT_ITS_OWN = re.compile(
    r"送检|申请|委托|转诊|诊断|[:：]|本院|我院|贵院|外院|为准|地址|患者|病人|姓名|受检|医[师生]|主任|科室|科别|单位|就诊|住院|采样|采集"
    r"|合作|关注|前往|请|欢迎|refer|patient|name|\bdr\b|doctor|outpatient",
    re.IGNORECASE,
)
_SPECIMEN_LABEL = re.compile(
    r"(?:标本|样本|样品)(?:种类|类型|类别|名称)? ?:?[ |]*|(?:specimen|sample)(?: ?type)? ?:[ |]*", re.IGNORECASE
)
_SPECIMEN = re.compile(
    r"(?:(?:静脉|动脉|末梢|指尖|(?:EDTA|枸橼酸钠|肝素)?抗凝)?(?:全血|血清|血浆|血)|(?:随机|晨|中段|24小时)?尿液?|粪便?|大便|脑脊液|胸腹?水|腹水"
    r"|痰液?|精液|脓液|白带|阴道分泌物|宫颈(?:分泌物|脱落细胞)|(?:鼻|口)?咽拭子|关节液|骨髓"
    r"|(?:whole ?)?blood|serum|plasma|urine|stool|csf)"
    r"(?=$|[ |(])",
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
    for one in contradicting({field: time.value for field, time in found.items()}):
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
    for label in re.finditer(rf"{word}{_WHEN}[ |]*[:;]?[ |]*", text, re.IGNORECASE):
        if _ANOTHER_TIME.search(text[: label.start()]):
            continue
        for pattern in _DATES:
            match = pattern.match(text, label.end())
            if match and (value := _iso(match)) and not _ANOTHER_DATE.match(text, match.end()):
                boxes = tuple(dict.fromkeys(box for box in owners[match.start() : match.end()] if box))
                yield Printed(value, min(box.score for box in boxes), boxes)
                break


def _joined(line: list[TextBox]) -> tuple[str, list[TextBox | None]]:
    """一行连成的文字，与每个字属于哪一段。段与段之间是 |；没有认清的一段是 ?，它的字不算，也不能当作没有。"""
    text, owners = "", []
    for box in line:
        words = " ".join(map(normalize, box.text.split())) if box.score >= _MIN_SCORE else "?"
        text += words + "|"
        owners += [box] * len(words) + [None]
    return text.removesuffix("|"), owners


def _iso(match: re.Match) -> str | None:
    """日期（与时刻）写成 ISO 8601；没有这一天、还没有到、分不清日月的为 None。"""
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
        if date > datetime.now() + timedelta(days=1):
            return None
        digits = part.get("digits") or part.get("together")
        if digits:
            return date.replace(hour=int(digits[:2]), minute=int(digits[2:])).strftime("%Y-%m-%dT%H:%M")
        hour, half = part.get("hour"), (part.get("half") or "").lower()
        if hour is None:
            return date.strftime("%Y-%m-%d")
        hour = int(hour)
        if hour == 12 and part.get("pm") == "晚上":
            return None  # 是半夜还是中午
        if half == "am":
            hour %= 12
        elif (half == "pm" or part.get("pm")) and hour < 12:
            hour += 12
        return date.replace(hour=hour, minute=int(part["minute"])).strftime("%Y-%m-%dT%H:%M")
    except ValueError:
        return None


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
            boxes = tuple(dict.fromkeys(box for box in owners[value.start() : value.end()] if box))
            return Printed(value[0], min(box.score for box in boxes), boxes)
    return None
