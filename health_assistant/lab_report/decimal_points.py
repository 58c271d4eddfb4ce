"""小数要看整张单子的印法：逗号是不是小数点，`.42` 是不是少读了一位，52 是不是丢了小数点的 5.2，0.6 是不是少了末位。"""

import re
from decimal import Decimal

from health_assistant.lab_report.interval import Interval, PartitionedInterval, compare
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.printed_interval import DECIMAL_THOUSANDTHS, PAIR, exponent
from health_assistant.lab_report.printed_text import clean
from health_assistant.lab_report.report import ABNORMAL_FLAGS, PrintedRow
from health_assistant.lab_report.severity import is_impossible

_FEW_MARKS = 2
_MIN_DECIMAL = 3
"""别的行至少这么多行印着范围，才看得出这张单子的范围都印小数。"""
_MIN_ALIKE, _FEW_LOST = 6, 2
"""这么多行的结果与范围小数一样多，只有一两行没有小数，才看得出这张单子的结果都印全小数。"""
_PLAIN_NUMBER = re.compile(r"\d+(?:\.(\d+))?")
_WHOLE = re.compile(r"\d{3,}")
"""上百的数本来就印整数（血小板 151），看不出别的印几位。"""
_MIN_PEERS = 3
"""至少这么多行单位相同、小数都比它多，才看得出它也许少了末位。"""

_DECIMAL_POINT = re.compile(r"\d\.\d")
_DECIMAL_COMMA = re.compile(r"(?<![\d,])(?:\d+,\d{1,2}|0,\d+)(?![\d,])")
_SHORT_COMMA = re.compile(r"(?<![\d,])\d+,\d{1,2}(?![\d,])")
_LONG_COMMA = re.compile(r"(?<![\d,])[1-9],\d{4}(?!\d)")
"""`1,5000` 也许是四位一节的一万五千；别处的小数点也是逗号、范围印着小数，才是小数。"""
_BETWEEN_DECIMALS = re.compile(r"\d[.,]\d{1,2}\s*[-~–—～]|[-~–—～]\s*\d+[.,]\d{1,2}(?!\d)")
_BARE_POINT = re.compile(r"(?<![\d.,])\.\d")
_ZERO_POINT = re.compile(r"(?<!\d)0\.\d")
LOST_DIGIT = "小数点前面没有数，可能少读了一位"
_LOST_IN_RANGE = "别的行的参考范围都印着小数，只有这一行没有，可能读漏了小数点"
_POINT_OR_THOUSANDS = re.compile(r"(?<![\d,])[1-9]\d{0,2},\d{3}(?![\d,])")


def _unlisted_range(observed: Observation) -> str:
    """印着的范围里可能是小数点的逗号。

    隔开两个数、几组人的范围的不算：`(0.15,0.45)`、`50岁以下≤450,50~75岁≤900`；`0,270-4,200` 的都是小数点，没有疑问。
    """
    printed = observed.row.reference_range
    is_list = PAIR.fullmatch(clean(printed)) or isinstance(observed.interval, PartitionedInterval)
    return "" if is_list else _POINT_OR_THOUSANDS.sub("", printed) if DECIMAL_THOUSANDTHS.search(printed) else printed


def doubts_only_range(row: PrintedRow, sheet_doubt: str | None) -> bool:
    """疑的只是参考范围：少读了一位而结果的小数点前面有数，或范围读漏了小数点。"""
    return sheet_doubt == _LOST_IN_RANGE or sheet_doubt == LOST_DIGIT and not _BARE_POINT.search(row.result)


def point_doubts(observations: list[Observation]) -> list[str | None]:
    """每一行的小数点有没有两种可能：整张单子用哪一种写法，一行里就是哪一种。

    `.42` 是没有印 0，还是 3.42 少读了一位：别处印着 `0.`、或范围里从不这样印的，是少读了。

    别处用点作小数点的单子上，`2,6` 可能是读错的点；用逗号作小数点的单子上，`1,234` 不知道是不是千分位。
    """
    ranges = [_unlisted_range(seen) for seen in observations]
    texts = [f"{seen.row.result} {printed}" for seen, printed in zip(observations, ranges, strict=True)]
    misread = [False] * len(texts)
    has_points, is_comma_column = any(map(_DECIMAL_POINT.search, texts)), _is_comma_column(observations)
    if has_points:
        # 结果一列都印逗号的，范围一列的点是另一种印法
        misread = [bool(_DECIMAL_COMMA.search(text)) for text in (ranges if is_comma_column else texts)]
    has_commas = any(map(_DECIMAL_COMMA.search, texts))
    thousands = [has_commas and bool(_POINT_OR_THOUSANDS.search(text)) for text in texts]
    takes_long = is_comma_column or not has_points and any(map(_SHORT_COMMA.search, texts))
    long = [
        bool(_LONG_COMMA.search(text)) and not (takes_long and _BETWEEN_DECIMALS.search(seen.row.reference_range))
        for text, seen in zip(texts, observations, strict=True)
    ]
    note = "不能确定逗号是小数点、千分位，还是读错的小数点"
    commas = [note if any(doubted) else None for doubted in zip(misread, thousands, long, strict=True)]
    bare = [bool(_BARE_POINT.search(text)) for text in texts]
    in_ranges = any(_BARE_POINT.search(seen.row.reference_range) for seen in observations)
    is_style = in_ranges and not any(map(_ZERO_POINT.search, texts))
    is_style = is_style and sum(len(_BARE_POINT.findall(text)) for text in texts) > 1
    ways = (_lost_points(observations), _lost_in_ranges(observations), _lost_last_digits(observations))
    lost = [of_point or of_range or of_digit for of_point, of_range, of_digit in zip(*ways, strict=True)]
    doubts = zip(bare, commas, lost, strict=True)
    return [LOST_DIGIT if is_bare and not is_style else comma or whole for is_bare, comma, whole in doubts]


def _is_comma_column(observations: list[Observation]) -> bool:
    """结果的小数点都印成逗号：几行都是，没有一行是点。"""
    results = [seen.row.result for seen in observations]
    is_mixed = any(map(_DECIMAL_POINT.search, results))
    return not is_mixed and sum(bool(_DECIMAL_COMMA.search(result)) for result in results) >= _MIN_DECIMAL


def _lost_points(observations: list[Observation]) -> list[str | None]:
    """`5.2` 读成 52 的行的疑问：别的行印着标记，只有它没有；范围印着小数，添上小数点就正常。

    别的结果的小数都与范围一样多的单子上，添上小数点不正常的也算（22 对 3.0-10.0 是偏低的 2.2）。
    """
    lost = {id(seen) for seen in _far_out_wholes(observations)}
    decimals = [(at, seen) for seen in observations if (at := _places(seen))]
    whole = [(at, seen) for at, seen in decimals if "." not in seen.row.result]
    alike = sum(len(seen.row.result.strip().partition(".")[2]) == at for at, seen in decimals)
    is_habit = alike >= _MIN_ALIKE and len(decimals) - alike == len(whole) <= _FEW_LOST
    if sum(bool(seen.row.mark) for seen in observations) < _FEW_MARKS:
        whole, is_habit = _too_short(observations, whole), False
    for at, seen in whole:
        is_out = compare(seen.value, seen.interval) in ABNORMAL_FLAGS and not seen.row.mark
        if _is_usual_with_point(seen, at) or (is_habit and is_out):
            lost.add(id(seen))
    return ["范围印着小数而结果没有，可能读漏了小数点" if id(seen) in lost else None for seen in observations]


def _too_short(observations: list[Observation], whole: list[tuple[int, Observation]]) -> list[tuple[int, Observation]]:
    """不印标记的单子上仍可疑的整数：别的结果几乎都印小数（70.1、1.0），它只有两位；人改过的、抄来的不疑。

    几位有效数字的仪器本来就印 812、不印 60。
    """
    results = [number for seen in observations if (number := _PLAIN_NUMBER.fullmatch(seen.row.result.strip()))]
    short = [number for number in results if not number[1] and not _WHOLE.fullmatch(number[0])]
    if len(short) > _FEW_LOST or sum(bool(number[1]) for number in results) < _MIN_ALIKE:
        return []
    return [
        (at, seen)
        for at, seen in whole
        if not (seen.row.corrected or seen.row.copied or _WHOLE.match(seen.row.result.strip()))
    ]


def _far_out_wholes(observations: list[Observation]) -> list[Observation]:
    """结果没有小数、活着的人不会这样高的：范围与别的几行都印着小数，有 ↑ 也多半是 4.6 读成 46。"""
    printed = [seen for seen in observations if _DECIMAL_POINT.search(seen.row.reference_range)]
    whole = [seen for seen in printed if "." not in seen.row.result and not seen.row.copied]
    if len(printed) - len(whole) < _MIN_DECIMAL:
        return []
    odd = [seen for seen in whole if seen.analyte and is_impossible(seen.value, seen.unit, seen.analyte)]
    return [seen for seen in odd if seen.interval and compare(seen.value, seen.interval) == "high"]


def _places(seen: Observation) -> int:
    """范围两端一样多的小数位数；不一样多、没有小数的，结果不是单个数的，为 0。"""
    interval, value = seen.interval, seen.value
    is_point = isinstance(value, Interval) and value.is_point and not value.is_titre
    if not (is_point and isinstance(interval, Interval) and interval.is_bounded and interval.low > 0):
        return 0
    places = {-exponent(interval.low), -exponent(interval.high)}
    return max(0, places.pop()) if len(places) == 1 else 0


def _is_usual_with_point(seen: Observation, places: int) -> bool:
    value, interval = seen.value, seen.interval
    if seen.row.mark or not isinstance(value, Interval) or not isinstance(interval, Interval):
        return False
    moved = Interval(value.low and value.low.scaleb(-places), value.high and value.high.scaleb(-places))
    return compare(value, interval) == "high" and moved.inside(interval)


def _lost_in_ranges(observations: list[Observation]) -> list[str | None]:
    """`3.0-10.0` 读成 30-100 的行的疑问：别的行的范围都印着小数，只有它没有；添上小数点，结果就正常。

    目录里有范围可比的不用这样猜，见 `misread_doubt`。
    """
    printed = [re.search(r"\d", seen.row.reference_range) for seen in observations]
    bare = [seen for seen, is_printed in zip(observations, printed, strict=True) if is_printed]
    bare = [seen for seen in bare if not _DECIMAL_POINT.search(seen.row.reference_range)]
    is_alone = len(bare) == 1 and sum(map(bool, printed)) > _MIN_DECIMAL
    return [_LOST_IN_RANGE if is_alone and seen is bare[0] and _fits_shrunk(seen) else None for seen in observations]


def _fits_shrunk(seen: Observation) -> bool:
    """范围两端各添上与结果一样多位的小数，结果就在里面；没有标记，目录也说不出范围对不对。"""
    value, interval = seen.value, seen.interval
    if seen.row.mark or not (isinstance(value, Interval) and isinstance(interval, Interval) and interval.is_bounded):
        return False
    if not value.is_point or exponent(value.low) >= 0 or seen.analyte and seen.analyte.known_intervals:
        return False
    shrunk = Interval(interval.low.scaleb(exponent(value.low)), interval.high.scaleb(exponent(value.low)))
    return compare(value, interval) == "low" and value.inside(shrunk)


def _lost_last_digits(observations: list[Observation]) -> list[str | None]:
    """0.61 读成 0.6 的行的疑问：同单位的别的行小数都比它多，正好在范围的边上，添上末位就不正常了（0.1-0.6）。"""
    places: dict[str, list[int]] = {}
    for seen in observations:
        decimals = _PLAIN_NUMBER.fullmatch(seen.row.result.strip())
        if decimals and seen.unit and not _WHOLE.fullmatch(decimals[0]):
            places.setdefault(seen.unit, []).append(len(decimals[1] or ""))
    return [
        "同单位的别的结果小数都比它多，可能少读了末位" if _turns_with_a_digit(seen, places.get(seen.unit, [])) else None
        for seen in observations
    ]


def _turns_with_a_digit(seen: Observation, places: list[int]) -> bool:
    """没有标记的结果，在同单位的几个里小数最少，只有它这样；正常而末尾添上一位 9 就不正常。"""
    value, interval = seen.value, seen.interval
    decimals = _PLAIN_NUMBER.fullmatch(seen.row.result.strip())
    if seen.row.mark or not decimals or not (isinstance(value, Interval) and isinstance(interval, Interval)):
        return False
    own = len(decimals[1] or "")
    if len(places) <= _MIN_PEERS or sum(many > own for many in places) != len(places) - 1:
        return False
    most = value.low + Decimal(9).scaleb(-own - 1)
    return compare(value, interval) == "normal" != compare(Interval(most, most), interval)
