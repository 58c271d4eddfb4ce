"""以日期为列名的表头：认出日期，看哪一天最近。"""

import re
from contextlib import suppress
from datetime import date, timedelta

from health_assistant.lab_report.origin import MONTHS
from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.text import TextBox

DATE = re.compile(
    r"(?:20)?\d{2}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]20\d{2}|[01]\d[-/][0-3]\d|1[01]\d/[01]\d"
    rf"|\d{{1,2}}[-\s]?(?:{'|'.join(MONTHS)})[a-z]*[-\s,]*(?:20)?\d{{2}}|(?:{'|'.join(MONTHS)})[a-z]*\.?\s*\d{{1,2}},?\s*(?:20)?\d{{2}}",
    re.IGNORECASE,
)
"""日期；`113/10` 是民国年月。"""
_DAYS = re.compile(rf"{DATE.pattern}|\d{{1,2}}月\d{{1,2}}日", re.IGNORECASE)
_OWN = re.compile(
    r"(?<!上次)(?<!前次)(?<!末次)(?<!last )(?<!previous )"
    r"(?:采样|采集|采血|抽血|取样|接收|收样|签收|核收|送检|检验|报告|审核|collect(?:ed|ion)|received|report(?:ed)?|drawn)"
    r" ?(?:时间|日期|日|date|time|on)?[ :：]*$",
    re.IGNORECASE,
)
"""写在这一次的日子前面的。"""
CLOCK = re.compile(r"(?<=\d)\s+\d\d:\d\d(:\d\d)?$")
_YEARS_BACK = 8
"""两位的年份至多是多少年前的；`14/01/25` 因此不是 2014 年。"""


def split_date(head: str) -> tuple[str, str]:
    """列名（`结果(06-12)`）-> 里面的日期，与日期之外的词；没有日期的是空串。"""
    found = DATE.search(head)
    return found[0] if found else "", re.sub(r"[\W_]", "", DATE.sub("", head))


def days_in(text: str, only_own: bool = False) -> set[tuple[int, int]]:
    """text 里的各个日期 -> （月，日）；`2024-06-12`、`12-Jun-2024` 与 `06-12` 是同一天，日月分不清先后的两种都算。

    only_own：只算写明是采样、接收、检验、报告的日子，不算出生、上次的。
    """
    found = [day[0] for day in _DAYS.finditer(text) if not only_own or _OWN.search(text[: day.start()])]
    read = [_day(day, order, date.today().year) for day in found for order in ("ymd", "dmy", "mdy", "md")]
    return {(day.month, day.day) for day in read if day}


def drop_former_results(header: dict[str, TextBox], lines: list[list[Cell]], days: set[tuple[int, int]]) -> None:
    """改 header：以日期为名的另几列结果是从前的，不看。

    没有日期的一列里一个数也没有的除外；那一天表外也印着的（days，见 `days_in`）除外：也许正是这次采样、报告的日子。
    """
    numbers = [cell.box.middle for line in lines for cell in line if cell.kind in ("number", "bound")]
    heads = [min(header.values(), key=lambda box: abs(box.middle - middle)) for middle in numbers]
    for key in [key for key, box in header.items() if key.startswith("result ") and DATE.fullmatch(box.text)]:
        if header["result"] in heads and not days_in(header[key].text) & days:
            header[f"ignored {key}"] = header.pop(key)


def seat_dates(panel: dict[str, TextBox], dates: list[TextBox]) -> None:
    """改 panel：以日期 dates 为名的几列，最近的是结果，看不出哪个最近的都当结果，其余的不看。"""
    newest = newest_of([box.text.strip() for box in dates])
    last = [box for box in dates if newest in (None, box.text.strip()) and "result" not in panel]
    for box in dates:
        role = "result" if box in last else "ignored"
        panel["result" if last == [box] else f"{role} {box.start:.0f}"] = box


def newest_of(dates: list[str]) -> str | None:
    """最近的日期；日月的先后各国写法不同，几种读法不一致时为 None。"""
    if len(dates) < 2:
        return dates[0] if dates else None
    this_year = date.today().year
    newest: set[str] = set()
    for order in ("ymd", "dmy", "mdy", "md", "ym"):
        days = [_day(CLOCK.sub("", date), order, this_year) for date in dates]
        if all(days):
            newest.add(dates[days.index(max(days))])
            is_close = order != "md" or max(days) - min(days) < timedelta(183)
            is_told = is_close and days.count(max(days)) == 1
            newest |= set() if is_told else set(dates)  # 没有印年份：可能跨了年；同一天的几次，早的一次也许要命
    return newest.pop() if len(newest) == 1 else None


def _day(text: str, order: str, this_year: int) -> date | None:
    """text 按 order（年月日的次序）读出的日期；不成日期、年份不近的为 None。"""
    parts = re.findall(r"\d+|[a-z]+", text.lower())
    if len(parts) != len(order):
        return None
    months = [part[:3] in MONTHS for part in parts]
    if any(months):
        order = "mdy" if months[0] else "dmy"
    numbers = [MONTHS.index(part[:3]) + 1 if part[:3] in MONTHS else int(part) for part in parts]
    values = dict(zip(order, numbers, strict=True))
    year = values.get("y", this_year)
    if year < 100 and not this_year - _YEARS_BACK <= year + 2000 <= this_year + 1:
        return None
    year += 2000 if year < 100 else 1911 if year < 200 else 0
    with suppress(ValueError):
        return date(year, values["m"], values.get("d", 1))
    return None
