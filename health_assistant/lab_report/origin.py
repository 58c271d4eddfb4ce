"""一栏说标本从哪里来的文字是什么意思：时间写成 ISO 8601，医院与标本只留它自己；看不懂的不要。

内置读者在页上找到的、视觉模型照抄来的，都由这里看懂；别的个人信息一概留不下来。
"""

import re
from datetime import datetime, timedelta

from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.word_lists import any_of

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
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_HOSPITAL = re.compile(
    r"[一-鿿·]{2,30}?(?:医院|卫生院|卫生服务(?:中心|站)|保健院|医学检验(?:所|中心|实验室)|检验所|健康体检中心)"
    r"(?:[(（][一-鿿]{1,8}(?:院区|分院)[)）])?"
    r"|(?:[A-Z][A-Za-z.&']+ ){1,6}(?:Hospital|Laborator(?:y|ies)|Diagnostics|Medical Cent(?:er|re))\b"
)
_NOT_ITS_OWN = any_of("not_this_hospital")
_SPECIMEN = re.compile(
    r"(?:(?:静脉|动脉|末梢|指尖|(?:EDTA|枸橼酸钠|肝素)?抗凝)?(?:全血|血清|血浆|血液?)|(?:随机|晨|中段|24小时)?尿液?|粪便?|大便|(?:腰椎?穿刺?)?脑脊液|胸腹?水|腹水"
    r"|(?:胸腔?|腹腔?|心包|关节)(?:积液|穿刺液)|滑液|透析液|(?:肺泡)?灌洗液|引流液|(?:伤口|创面)(?:分泌物)?"
    r"|痰液?|精液|脓液|白带|阴道分泌物|宫颈(?:分泌物|脱落细胞)|(?:鼻|口)?咽拭子|关节液|骨髓"
    r"|(?:whole ?)?blood|serum|plasma|stool|csf"
    r"|(?:(?:24[ -]?h(?:ou)?rs?|24 ?h|random|spot|mid-?stream) )?urine(?:, ?(?:random|spot|24 ?h\w*|mid-?stream))?"
    r"|(?:cerebrospinal|synovial|pleural|ascitic|peritoneal) fluid)"
    r"(?=$|[ |(]|[一-鿿]{2,5}:)",
    re.IGNORECASE,
)


def understand(field: str, printed: str) -> str | None:
    """field（`report.OriginField`）这一栏印着的字 -> 它的值；时间要整段看得懂，看不懂的为 None。"""
    text = even(printed)
    if field == "performer":
        return hospital_in(printed)
    if field == "specimen":
        specimen = specimen_at(text)
        return specimen[0] if specimen else None
    time = time_at(text)
    return time[0] if time and time[1] == len(text) else None


def even(text: str) -> str:
    """全角半角统一，空白都是一个空格：`time_at` 与 `specimen_at` 认的写法。"""
    return " ".join(map(normalize, text.split()))


def time_at(text: str, start: int = 0) -> tuple[str, int] | None:
    """text 里从第 start 个字起印着的时间 -> （ISO 8601，没有印几点的只有日期；到第几个字为止）。

    没有这一天、还没有到、分不清日月、后面紧跟着另一个日期的为 None。
    """
    for pattern in _DATES:
        match = pattern.match(text, start)
        value = _iso(match) if match else None
        if match and value and not _ANOTHER_DATE.match(text, match.end()):
            return value, match.end()
    return None


def specimen_at(text: str, start: int = 0) -> tuple[str, int] | None:
    """text 里从第 start 个字起印着的标本 -> （标本，到第几个字为止）；不是认识的标本为 None。"""
    match = _SPECIMEN.match(text, start)
    return (match[0], match.end()) if match else None


def hospital_in(text: str) -> str | None:
    """一段文字开头的医院；写明是送检、申请单位的、像是人名的为 None。"""
    name = _HOSPITAL.match(text.strip())
    return name[0].strip() if name and not _NOT_ITS_OWN.search(text) else None


def _iso(match: re.Match) -> str | None:
    """日期（与时刻）写成 ISO 8601；没有这一天、还没有到、分不清日月的为 None。"""
    part = match.groupdict()
    if part.get("name"):
        month = MONTHS.index(part["name"].lower()) + 1 if part["name"].lower() in MONTHS else 0
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
