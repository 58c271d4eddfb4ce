"""一个区间：印着的数与界限 -> Interval（interval.py）。分人群、分几档的与文字在 reference_range.py。"""

import re
from decimal import Decimal

from health_assistant.lab_report.interval import Interval

# 开头多余的 0 是丢了小数点：05-10 多半是 0.5-1.0
# 逗号后面三位是千分位，一两位、四位以上是小数；没有印开头的 0（.42）还是少读了一位，见 decimal_points
_DIGITS = (
    r"(?:(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3}|[1-9]\d{0,20}|0)(?:\.\d{1,20})?|00(?![\d.,])|(?:[1-9]\d{0,20}|0),\d{1,2}(?!\d)|0,\d{3}(?!\d)"
    r"|(?<!\d)\d,\d{4,6}(?!\d)"
    r"|(?<![\d.,])\.\d{1,4}(?![\d.]))"
)
# 后面紧接斜线的 ×10^9 是单位的一部分，不是科学计数法
_UNSIGNED = rf"(?:{_DIGITS}(?:(?:E[+-]?\d{{1,2}}|[×x*]10\^[+-]?\d{{1,2}})(?![\d/]))?|10\^[+-]?\d{{1,2}}(?![\d/]))"
TITRE = r"1:[1-9](?:\d{0,6}|\d{0,2}(?:,\d{3})+)"
NUMBER = rf"(?:{TITRE}|[+-]?{_UNSIGNED})"
# 只认得确凿的单位：`1l.2`、`1Z` 里的字母是读错的数字，不是单位
_UNIT = (
    r"(?:m?g?%|gm/dl|/cu?\.?mm|‰|fl|pg|mmhg|kpa|秒|分钟|s/co|coi|ms/cm|/?[hl]pf|/[hl]p|/[uμ]l"
    r"|(?:[×x*;(]10[\^~*-]?|10[\^~*])(?:(?:6|9|12)/[l1]|5/ml|[36]/(?:[uμ]l|mm3))"
    r"|(?<=\d)10\^(?:9|12)$|[km千万]/[uμ]l|/mm3|mm?/(?:1(?:st)?)?h(?:r|our)|micro[il]u/ml|(?:lac|lakh)s(?:/cu?\.?mm)?"
    r"|(?:[numpkμ]?(?:mo[lm]|g|iu|u|eq|osm|l)|mm|cells?|copies|拷贝|个)"
    r"/(?:[dmunμ]?l|1|[hl]pf?|k?g|m?mol|min|h|d|24h))"
)
TAIL = rf"(?:[.,;(\[]?({_UNIT})[)\]]?)?"
SINGLE = re.compile(rf"({NUMBER}){TAIL}", re.IGNORECASE | re.ASCII)
_BOUNDED = re.compile(rf"[(\[]?([<>]=?|=)({NUMBER})[)\]]?{TAIL}", re.IGNORECASE | re.ASCII)
_AND_UP_OR_DOWN = re.compile(rf"({NUMBER}){TAIL}及?以([上下内])", re.IGNORECASE | re.ASCII)
_TWO_SIDED = re.compile(
    rf"[(\[]?({NUMBER}){TAIL}(?:(-{{1,3}})({TITRE}|\+?{_UNSIGNED})|(?:~|至|到|to|thru|through|→|\.{{3}})({NUMBER}))[)\]]?{TAIL}",
    re.IGNORECASE | re.ASCII,
)
_AROUND_X = re.compile(
    rf"(?:(?P<low>{NUMBER})<(?P<from>=?)[a-z×]{{1,6}}<(?P<to>=?)(?P<high>{NUMBER})"
    rf"|(?P<top>{NUMBER})>(?P<till>=?)[a-z×]{{1,6}}>(?P<since>=?)(?P<bottom>{NUMBER})"
    rf"|>(?P<over>=?)(?P<least>{NUMBER})(?:[,;&、]|且|并且|and)?<(?P<under>=?)(?P<most>{NUMBER})){TAIL}",
    re.IGNORECASE | re.ASCII,
)
"""`3.9≤X≤6.1`、`6.1≥X≥3.9`、`≥3.9且≤6.1`。"""
_NAMED_ENDS = re.compile(
    rf"(?:(?:下限|最低值?|min(?:imum)?\.?|low(?:er)?(?:limit)?|l)[:=]?(?P<low>{NUMBER}))?"
    rf"[,;/、-]?(?:(?:上限|最高值?|max(?:imum)?\.?|high(?:er)?(?:limit)?|upper(?:limit)?|h)[:=]?(?P<high>{NUMBER}))?{TAIL}",
    re.IGNORECASE | re.ASCII,
)
"""界限前面写着是哪一头：`下限3.5 上限5.3`、`L 3.5 H 5.3`、`Max 5.2`。"""
_OR_LESS = re.compile(
    rf"({NUMBER}){TAIL}(?:max(?:imum)?\.?|or(?P<less>less|lower|below)|or(?P<more>more|higher|above))",
    re.IGNORECASE | re.ASCII,
)
_BETWEEN = re.compile(rf"(?:from|between)({NUMBER}{TAIL})(?:-|to|and)({NUMBER}{TAIL})", re.IGNORECASE | re.ASCII)
_COLON_PAIR = re.compile(rf"\[({_UNSIGNED}):({_UNSIGNED})\]", re.ASCII)
"""`[3.5:5.3]`；1 开头的与滴度分不清。"""
_MYRIADS = re.compile(
    r"(?P<sign>[<>]=?)?(?:(?P<low>\d[\d.]{0,9})万?(?P<dash>[-~至到]))?(?P<high>\d[\d.]{0,9})万", re.ASCII
)
UNIT_BEHIND = (SINGLE, _BOUNDED, _TWO_SIDED)
"""最后一组是粘在后面的单位。"""
UNIT_WITHIN = re.compile(rf"(?<=\d)[.,;(\[]?({_UNIT})(?![A-Za-z\d])", re.IGNORECASE | re.ASCII)
PAIR = re.compile(rf"[(\[]({_UNSIGNED}),({_UNSIGNED})[)\]]", re.ASCII)
"""数学里区间的写法：`(0.15,0.45)`。"""
DECIMAL_THOUSANDTHS = re.compile(r"(?<![\d,.])0,\d{3}(?![\d,])")
"""`0,270-4,200`：千分位前面不会只有 0，所以两个逗号都是小数点。"""


def interval_between(
    low: str | None, high: str | None, low_open: bool = False, high_open: bool = False
) -> Interval | None:
    """两端的文字 -> 区间；滴度与数混在一起、上下颠倒、大得离谱的为 None。"""
    texts = [text for text in (low, high) if text is not None]
    titres = {text.startswith("1:") for text in texts}
    bounds = [None if text is None else _number(text) for text in (low, high)]
    is_absurd = any(bound.adjusted() > 20 or not -20 <= exponent(bound) <= 20 for bound in bounds if bound)
    if is_absurd or len(titres) != 1 or (len(texts) == 2 and bounds[0] > bounds[1]):
        return None
    return Interval(bounds[0], bounds[1], low_open, high_open, is_titre=titres.pop())


def exponent(number: Decimal) -> int:
    """末位是 10 的几次方，如 2.50 是 -2；number 不是无穷或 NaN。"""
    return int(number.as_tuple().exponent)


def _number(text: str) -> Decimal:
    text = re.sub(r",(?=(?:\d\d,)*\d{3}(?:\D|$))(?!(?<=^0,))", "", text.removeprefix("1:"))  # 千分位，印度写 1,50,000
    plain = re.sub(r",(?=\d{1,2}(?!\d)|\d{4}|(?<=^0,)\d{3})", ".", text).replace(",", "")
    return Decimal(re.sub(r"[×x*]10\^", "E", re.sub(r"^10\^", "1E", plain), flags=re.IGNORECASE))


def parse_interval(text: str) -> Interval | None:
    """一个区间，两头或只有一头；text 是 `printed_text.clean` 过的，看不懂的为 None。"""
    if around := _AROUND_X.fullmatch(text):
        low, high = (
            around["low"] or around["bottom"] or around["least"],
            around["high"] or around["top"] or around["most"],
        )
        has_low, has_high = (
            any(around[name] for name in names) for names in (("from", "since", "over"), ("to", "till", "under"))
        )
        return interval_between(low, high, low_open=not has_low, high_open=not has_high)
    text = without_myriads(re.sub(r"^[Xx×](?=[<>])", "", text))  # `X<5.2`
    pair = PAIR.fullmatch(text) or _COLON_PAIR.fullmatch(text)
    if pair and _number(pair[1]) < _number(pair[2]) and not text.startswith("[1:"):
        return interval_between(pair[1], pair[2])
    text = _in_signs(text)
    if re.search(r"\d\.\d", text) and re.search(r"\d,\d{1,2}(?!\d)", text):
        return None  # 点与逗号不会都是小数点
    if DECIMAL_THOUSANDTHS.search(text):
        text = text.replace(",", ".")
    bounds = _TWO_SIDED.fullmatch(text)
    if not bounds:
        return parse_one_sided(text)
    low, low_unit, dashes, high, signed_high, high_unit = bounds.groups()
    high = high or signed_high
    if low == "00" and re.match(r"[1-9]\d", high):
        return None  # 00-13 多半是丢了小数点的 0.0-1.3
    interval = interval_between(low, high)
    has_two_units = bool(low_unit and high_unit) and low_unit.lower() != high_unit.lower()
    # `1.1-2.5×10^3` 的指数也许管两边；`-5--3` 的第二横也许是负号
    shares_power = "10^" in high and "10^" not in low and _number(low) != 0
    is_unclear_sign = dashes == "--" and low.startswith("-") and not high.startswith("+")
    return None if has_two_units or shares_power or is_unclear_sign else interval


def without_myriads(text: str) -> str:
    """老单子上用万写的数：`0.9万` 是 9000，`10-30万` 的两头都是；别的照旧。"""
    number = _MYRIADS.fullmatch(text)
    if not number or any(end and end.count(".") > 1 for end in (number["low"], number["high"])):
        return text
    ends = [format((10000 * Decimal(end)).normalize(), "f") for end in (number["low"], number["high"]) if end]
    return (number["sign"] or "") + (number["dash"] or "").join(ends)


def _in_signs(text: str) -> str:
    """界限写成词的，换成比较的符号与一横；两头都括着的去掉括号，两头都写着的 10 的几次方去掉前面的一个。"""
    named, limit = _NAMED_ENDS.fullmatch(text), _OR_LESS.fullmatch(text)
    if named and named["low"] and named["high"]:
        return f"{named['low']}~{named['high']}"
    if named and re.match("下限|上限|m", text, re.IGNORECASE):  # 单独一头的 `H 5.3` 也许是标记
        return f">={named['low']}" if named["low"] else f"<={named['high']}"
    if limit:
        return f"{'>=' if limit['more'] else '<='}{limit[1]}"
    text = re.sub(r"^\((\d[\d.]*)\)(?=[-~])(.)\((\d[\d.]*)\)", r"\1\2\3", _BETWEEN.sub(r"\1~\3", text))
    text = re.sub(r"^>=(?=[\d.]+[-~]\d)", "", text)  # 分档的 `≥30-100`
    # `4.0×10^9-10.0×10^9/L`
    return re.sub(r"([×x*]10\^\d{1,2})(?:/L)?(?=[-~][\d.]+\1/)", "", text, flags=re.IGNORECASE)


def parse_one_sided(text: str) -> Interval | None:
    """只有一头的（`<5`、`≥3.1`、`10以上`）；不是这样写的为 None。"""
    limit = _AND_UP_OR_DOWN.fullmatch(text)
    if limit:
        return interval_between(limit[1], None) if limit[3] == "上" else interval_between(None, limit[1])
    bounded = _BOUNDED.fullmatch(text)
    if not bounded:
        return None
    sign, number = bounded[1], bounded[2]
    is_open = len(sign) == 1
    if sign == "=":
        return interval_between(number, number)
    if sign.startswith("<"):
        return interval_between(None, number, high_open=is_open)
    return interval_between(number, None, low_open=is_open)
