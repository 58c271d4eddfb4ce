"""参考范围与结果：印着的文字 -> 区间或定性词（interval.py）。

有两种读法的文字（`3.5-`、`05-10`、`-5--3`）不猜，返回 None。
"""

import re
from dataclasses import replace
from decimal import Decimal

from health_assistant.lab_report.groups import find_groups
from health_assistant.lab_report.interval import Interval, PartitionedInterval, ReferenceRange
from health_assistant.lab_report.printed_text import clean
from health_assistant.lab_report.qualitative import GRADED, QualitativeResult, parse_grade, parse_term

# 开头多余的 0 是丢了小数点：05-10 多半是 0.5-1.0
# 逗号后面三位是千分位，一两位是小数；没有印开头的 0（.42）还是少读了一位，见 plausibility 的 point_doubts
_DIGITS = (
    r"(?:(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d?(?:,\d\d)+,\d{3}|[1-9]\d{0,20}|0)(?:\.\d{1,20})?|00(?![\d.,])|(?:[1-9]\d{0,20}|0),\d{1,2}(?!\d)|0,\d{3}(?!\d)"
    r"|(?<![\d.,])\.\d{1,4}(?![\d.]))"
)
# 后面紧接斜线的 ×10^9 是单位的一部分，不是科学计数法
_UNSIGNED = rf"(?:{_DIGITS}(?:(?:E[+-]?\d{{1,2}}|[×x*]10\^[+-]?\d{{1,2}})(?![\d/]))?|10\^[+-]?\d{{1,2}}(?![\d/]))"
_TITRE = r"1:[1-9](?:\d{0,6}|\d{0,2}(?:,\d{3})+)"
_NUMBER = rf"(?:{_TITRE}|[+-]?{_UNSIGNED})"
# 只认得确凿的单位：`1l.2`、`1Z` 里的字母是读错的数字，不是单位
_UNIT = (
    r"(?:m?g?%|gm/dl|/cu?\.?mm|‰|fl|pg|mmhg|kpa|秒|s/co|coi|ms/cm|/?[hl]pf|/[hl]p|/[uμ]l"
    r"|(?:[×x*;(]10[\^~*-]?|10[\^~*])(?:(?:6|9|12)/[l1]|5/ml|[36]/(?:[uμ]l|mm3))"
    r"|(?<=\d)10\^(?:9|12)$|[km千万]/[uμ]l|/mm3"
    r"|(?:[numpkμ]?(?:mo[lm]|g|iu|u|eq|osm|l)|mm|cells?|copies|拷贝|个)"
    r"/(?:[dmunμ]?l|1|[hl]pf?|k?g|m?mol|min|h|d|24h))"
)
_TAIL = rf"(?:[.,;(\[]?({_UNIT})[)\]]?)?"
_POSITIVE = r"(?:弱?阳性?(?:\(\+{1,4}\))?|\+{1,4}|pos(?:itive)?)"
_TITRE_RESULT = re.compile(
    rf"(?:(?P<before>{_POSITIVE})[:,;]?(?:[一-鿿/]{{1,12}}型[,;:]?)?(?:滴度:?)?)?(?:\((?P<in_brackets>{_TITRE})\)|(?P<bare>{_TITRE}))"
    rf"(?P<after>[,;]?(?:{_POSITIVE}|\({_POSITIVE}\)))?(?:[,;、]?(?:[一-鿿/]{{1,12}}型|\([一-鿿/]{{1,12}}型\)))?",
    re.IGNORECASE | re.ASCII,
)
"""滴度，旁边可能印着阳性与荧光的样子：`阳性(1:32)`、`1:320 核均质型`。"""
_QUALITY = (
    r"(?:弱?阳性?(?:\([+±]{1,4}\))?|阴性?(?:\(-\))?|neg(?:ative)?|pos(?:itive)?|(?:non-?)?reactive|(?:not)?detected"
    r"|[未无]?(?:检出|反应性?)|\+-|[-+±]|[1-4]\+|\+[1-4]|\+{2,4})"
)
_QUALIFIED = re.compile(
    rf"(?P<number>[^()]*\d[^()]*?)(?:\((?P<in_brackets>{_QUALITY})\)|[,;:]?(?P<bare>(?![-+±]){_QUALITY}|\+{{2,4}}))",
    re.IGNORECASE,
)
"""数后面印着阴性、阳性：`0.02(阴性)`、`100(2+)`、`500 +++`、`6.25阳性`。"""
_WORD_FIRST = re.compile(rf"(?P<word>(?![-+±]){_QUALITY})[,;:]?(?P<number>(?:[<>]=?)?\d[^()]*)", re.IGNORECASE)
_WORD_AND_LIMIT = re.compile(rf"(?P<word>(?![-+±]){_QUALITY})[:,;(]?(?P<number>(?:[<>]=?)?\d[^()]*)\)?", re.IGNORECASE)
"""范围是一个词加一个界限：`阴性<1`、`阴性(0-0.9)`。"""
_NEGATIVE_TITRE = re.compile(rf"阴性?[(:,;]?<?=?{_TITRE}\)?", re.ASCII)
_SINGLE = re.compile(rf"({_NUMBER}){_TAIL}", re.IGNORECASE | re.ASCII)
_BOUNDED = re.compile(rf"[(\[]?([<>]=?|=)({_NUMBER})[)\]]?{_TAIL}", re.IGNORECASE | re.ASCII)
_AND_UP_OR_DOWN = re.compile(rf"({_NUMBER}){_TAIL}及?以([上下内])", re.IGNORECASE | re.ASCII)
_TWO_SIDED = re.compile(
    rf"[(\[]?({_NUMBER}){_TAIL}(?:(-{{1,3}})({_TITRE}|\+?{_UNSIGNED})|(?:~|至|到|to|thru|through|→|\.{{3}})({_NUMBER}))[)\]]?{_TAIL}",
    re.IGNORECASE | re.ASCII,
)
_AROUND_X = re.compile(
    rf"(?:(?P<low>{_NUMBER})<(?P<from>=?)[X×]<(?P<to>=?)(?P<high>{_NUMBER})"
    rf"|(?P<top>{_NUMBER})>(?P<till>=?)[X×]>(?P<since>=?)(?P<bottom>{_NUMBER})){_TAIL}",
    re.IGNORECASE | re.ASCII,
)
"""`3.9≤X≤6.1`、`6.1≥X≥3.9`。"""
PAIR = re.compile(rf"[(\[]({_UNSIGNED}),({_UNSIGNED})[)\]]", re.ASCII)
"""数学里区间的写法：`(0.15,0.45)`。"""
DECIMAL_THOUSANDTHS = re.compile(r"(?<![\d,.])0,\d{3}(?![\d,])")
"""`0,270-4,200`：千分位前面不会只有 0，所以两个逗号都是小数点。"""
_LABEL = re.compile(
    r"(?:[(\[]?(?:(?:生物)?(?:参考|正常|标准)(?:参考)?(?:范围|区间|值)?|ref(?:erence)?\.?(?:range|interval)?|normal(?:range)?|healthy)"
    r"(?:[:,]|(?=[\d<>男女成])|(?<=healthy)(?=men|women|adults)))+",
    re.IGNORECASE,
)

_GOOD_TIER = re.compile(
    r"desirable(?:/lowrisk)?|optimal|ideal|normal|sufficien(?:t|cy)|adequate|non-?diabetics?"
    r"|(?:合适|理想|适宜|正常|充足|充分|足够)(?:水平|范围|值|人群?)?|健康人?群?",
    re.IGNORECASE,
)
_TIER_SPAN = re.compile(rf"(?:[<>]=?)?{_NUMBER}{_TAIL}(?:(?:[-~至到]|to){_NUMBER}{_TAIL}|及?以[上下])?", re.IGNORECASE)
_BESIDE_TIER = ":-,;、()[]/|。"
"""一档的名称与界限之间、两档之间的标点。"""
_AFTERWORD = re.compile(r"(?<=[\d%秒a-zA-Z])\s*[;；,，(（。\s]\s*(?:以(?![上下内])|详?见|参见|仅?供)[^\d]*$")
"""范围后面的一句话：`11-14.5 秒；以 INR 为准`、`3.5-5.3（见备注）`。"""
_PROTECTIVE = re.compile(r"^(\s*[>≥＞].*[\d%a-zA-Z])\s*[;；,，(（]?[为具有]{0,2}(?:保护|免疫)(?:力|性|作用)?[)）]?$")
"""`≥10 有保护力` 是够了；`0-10 有保护力` 自己就说不通，不猜。"""
_RISK_GROUP = re.compile("(健康|一般|普通|低危|中危|高危|极高危|超高危)(人群?|患者|者)?")
_LOW_TIER = re.compile(r"降低|减低|偏低|low", re.IGNORECASE)
_HIGH_TIER = re.compile(r"升高|增高|偏高|high", re.IGNORECASE)


def parse_range(text: str) -> ReferenceRange | None:
    """把印刷的参考范围变成可比较的形式；看不懂就返回 None，从不猜测，从不抛异常。"""
    text = _PROTECTIVE.sub(r"\1", _AFTERWORD.sub("", text))
    # `0.0~-12.0`：前面一端不是负数时，后面的一横是波浪线的另一截
    text = re.sub(r"^(\d[\d.]*)~-+(?=\d)", r"\1~", clean(text))
    if not re.search(r"[\w±+]|^\(?-\)?$", text):
        return None
    # 碱剩余的 `(-3.0)-3.0`、`(-2)-(+3)`：括起来的是带负号的数
    whole = text
    text = re.sub(r"^\((-\d[\d.]*)\)[-~]\(?([+-]?\d[\d.]*)\)?", r"\1~\2", _without_label(text))
    if re.fullmatch(r"0(?:\.0+)?(?:%|个?/[hl]pf?)?", text, re.IGNORECASE):
        # 不该有的东西（原始细胞）的范围就是 0
        return Interval(Decimal(0), Decimal(0))
    return (
        _parse_grouped(text)
        or _parse_interval(text)
        or _parse_worded(text)
        or _parse_risks(whole)
        or _parse_tiers(whole)
        or _parse_terms(text)
    )


def _parse_tiers(text: str) -> Interval | None:
    """分几档印的，取名称说是好的那几档：`Desirable:<200,High:>=240` 是 <200，`缺乏<20;充足30-100` 是 30-100。

    名称印在界限前面、后面都认（`<200 Desirable`）。好的不止一档又挨着时合起来：`理想:<2.6,合适:<3.4` 是 <3.4。
    只印了不合适的一档（`降低:<1.00`）时是它以外的；别的分法不猜。
    """
    tiers = _split_tiers(text)
    good = [at for at, (label, _) in enumerate(tiers) if _GOOD_TIER.fullmatch(label)]
    if good:
        is_in_a_row = good == list(range(good[0], good[-1] + 1))
        others = [limits for at, (_, limits) in enumerate(tiers) if at not in good]
        return _bounded_by(_joined([tiers[at][1] for at in good]), others) if is_in_a_row else None
    if len(tiers) != 1 or not text.startswith(tiers[0][0]):
        return None  # 单独一句 `>3.00 High` 是几档里的一档
    label, only = tiers[0]
    if _LOW_TIER.fullmatch(label) and only.low is None:
        return Interval(only.high, None, low_open=not only.high_open)
    if _HIGH_TIER.fullmatch(label) and only.high is None:
        return Interval(None, only.low, high_open=not only.low_open)
    return None


def _split_tiers(text: str) -> list[tuple[str, Interval]]:
    """各档的名称与界限；有一档没有名称、界限看不懂的为空列表。"""
    spans = list(_TIER_SPAN.finditer(text))
    edges = [0, *(edge for span in spans for edge in span.span()), len(text)]
    labels = [text[start:end].strip(_BESIDE_TIER) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    intervals = [_parse_interval(span[0]) for span in spans]
    labels = labels[1:] if not labels[0] else labels[:-1] if not labels[-1] else []
    is_whole = len(labels) == len(intervals) and all(labels) and all(intervals)
    return list(zip(labels, intervals, strict=True)) if is_whole else []


def _joined(intervals: list[Interval]) -> Interval:
    """挨着的几档合起来：一头没有界限的，合起来也没有。"""
    lowest = min(intervals, key=lambda one: -Decimal("Infinity") if one.low is None else one.low)
    highest = max(intervals, key=lambda one: Decimal("Infinity") if one.high is None else one.high)
    return Interval(lowest.low, highest.high, lowest.low_open, highest.high_open)


def _bounded_by(good: Interval, others: list[Interval]) -> Interval | None:
    """好的一档只印了一头的（`充足>30`），到另一档（`中毒>150`）为止；两头都没有的为 None。"""
    above = [one for one in others if good.high is None and one.low is not None and good.low < one.low]
    below = [one for one in others if good.low is None and one.high is not None and one.high < good.high]
    if good.low is None and good.high is None:
        return None
    if above:
        worse = min(above, key=lambda one: one.low)
        return replace(good, high=worse.low, high_open=not worse.low_open)
    worse = max(below, key=lambda one: one.high, default=None)
    return replace(good, low=worse.high, low_open=not worse.high_open) if worse else good


def _parse_risks(text: str) -> PartitionedInterval | None:
    """按风险高低分人的上限：`健康人群:<3.4,高危人群:<2.59`；不知道这个人是哪一群，都超出才是高。"""
    tiers = _split_tiers(text)
    is_risk = all(_RISK_GROUP.fullmatch(label) and limit.low is None for label, limit in tiers)
    return PartitionedInterval(tuple(tiers)) if len(tiers) > 1 and is_risk else None


def is_tiered(text: str) -> bool:
    """范围是分几档印的，看得懂。"""
    return len(_split_tiers(clean(text))) > 1 and _parse_tiers(clean(text)) is not None


def _parse_worded(text: str) -> Interval | None:
    """一个词加一个界限：`阴性<1`、`<1.0(阴性)`；词说的是界限以内是什么。"""
    parts = _WORD_AND_LIMIT.fullmatch(text) or _QUALIFIED.fullmatch(text)
    interval = _parse_interval(parts["number"]) if parts else None
    return replace(interval, word="阴性") if interval and _word_of(parts) == "阴性" else None


def parse_result(text: str) -> Interval | QualitativeResult | None:
    """把印刷的结果变成可比较的形式；空白、横线串（未做）与看不懂的返回 None，从不抛异常。"""
    text = re.sub(r"(?<=\d)\(\d级\)$", "", clean(text))  # 过敏原的分级：68.40(5级)
    single = _SINGLE.fullmatch(text)
    if single and not re.fullmatch(r"\+\d", text):
        return _interval(single[1], single[1])
    titre = _TITRE_RESULT.fullmatch(text)
    if titre:
        printed = titre["in_brackets"] or titre["bare"]
        interval = _interval(printed, printed)
        return interval and replace(interval, word="阳性" if titre["before"] or titre["after"] else None)
    if _NEGATIVE_TITRE.fullmatch(text):
        return QualitativeResult(("阴性",))
    if re.fullmatch(r"[-*/.]{2,}", text):
        return None
    return _parse_one_sided(text) or _parse_qualified(text) or _parse_counted(text) or parse_term(text)


def _parse_qualified(text: str) -> Interval | None:
    """数与词印在一格：`0.02(阴性)`；也认 `<0.05(阴性)`。"""
    parts = _QUALIFIED.fullmatch(text) or _WORD_FIRST.fullmatch(text)
    number = parse_result(parts["number"]) if parts else None
    word = _word_of(parts) if parts else None
    return replace(number, word=word) if isinstance(number, Interval) and not number.word and word else None


def _word_of(parts: re.Match[str]) -> str | None:
    """与数印在一格里的词，归一了的；认不得的为 None。"""
    named = parts.groupdict()
    printed = named.get("word") or named.get("in_brackets") or named["bare"]
    return parse_grade(printed.lower().partition("(")[0])[0]


def _parse_counted(text: str) -> Interval | None:
    """镜检的结果本身是个数的范围：`3-5/HP`、`0~1`；只认整数，带小数的多是串了列的参考范围。"""
    bounds = re.fullmatch(rf"[(\[]?(\d{{1,4}})(?:-{{1,2}}|~)(\d{{1,4}})[)\]]?{_TAIL}", text, re.IGNORECASE)
    return _interval(bounds[1], bounds[2]) if bounds and int(bounds[1]) < int(bounds[2]) else None


def is_blank(text: str) -> bool:
    """没有印：空着，或只有横线、星号、斜线。"""
    return not re.search(r"[^\s\-—*/]", text)


def _without_label(text: str) -> str:
    label = _LABEL.match(text)
    return text[label.end() :] if label else text


def attached_unit(text: str) -> str:
    """粘在结果或范围上的单位，如 `<5.2mmol/L` 里的 `mmol/L`；没有则为空串。"""
    text = _without_label(clean(text))
    for pattern in (_SINGLE, _BOUNDED, _TWO_SIDED):
        parts = pattern.fullmatch(text)
        if parts:
            return (parts.groups()[-1] or "").lstrip(";(")
    return ""


def _interval(low: str | None, high: str | None, low_open: bool = False, high_open: bool = False) -> Interval | None:
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
    plain = re.sub(r",(?=\d{1,2}(?!\d)|(?<=^0,)\d{3})", ".", text).replace(",", "")
    return Decimal(re.sub(r"[×x*]10\^", "E", re.sub(r"^10\^", "1E", plain), flags=re.IGNORECASE))


def _parse_interval(text: str) -> Interval | None:
    if around := _AROUND_X.fullmatch(text):
        low, high = around["low"] or around["bottom"], around["high"] or around["top"]
        signs = (around["from"], around["to"]) if around["low"] else (around["since"], around["till"])
        return _interval(low, high, low_open=not signs[0], high_open=not signs[1])
    text = re.sub(r"^[Xx×](?=[<>])", "", text)  # `X<5.2`
    pair = PAIR.fullmatch(text)
    if pair and _number(pair[1]) < _number(pair[2]):
        return _interval(pair[1], pair[2])
    if re.search(r"\d\.\d", text) and re.search(r"\d,\d{1,2}(?!\d)", text):
        return None  # 点与逗号不会都是小数点
    if DECIMAL_THOUSANDTHS.search(text):
        text = text.replace(",", ".")
    bounds = _TWO_SIDED.fullmatch(text)
    if not bounds:
        return _parse_one_sided(text)
    low, low_unit, dashes, high, signed_high, high_unit = bounds.groups()
    high = high or signed_high
    limits = _interval(low, high)
    has_two_units = bool(low_unit and high_unit) and low_unit.lower() != high_unit.lower()
    # `1.1-2.5×10^3` 的指数也许管两边；`-5--3` 的第二横也许是负号
    shares_power = "10^" in high and "10^" not in low and _number(low) != 0
    is_unclear_sign = dashes == "--" and low.startswith("-") and not high.startswith("+")
    return None if has_two_units or shares_power or is_unclear_sign else limits


def _parse_one_sided(text: str) -> Interval | None:
    limit = _AND_UP_OR_DOWN.fullmatch(text)
    if limit:
        return _interval(limit[1], None) if limit[3] == "上" else _interval(None, limit[1])
    bounded = _BOUNDED.fullmatch(text)
    if not bounded:
        return None
    sign, number = bounded[1], bounded[2]
    is_open = len(sign) == 1
    if sign == "=":
        return _interval(number, number)
    if sign.startswith("<"):
        return _interval(None, number, high_open=is_open)
    return _interval(number, None, low_open=is_open)


def _parse_grouped(text: str) -> PartitionedInterval | None:
    groups = [(who, _parse_interval(body.strip("[]()@:,;、/|。"))) for who, body in find_groups(text)]
    return PartitionedInterval(tuple(groups)) if groups and all(limits for _, limits in groups) else None


def _parse_terms(text: str) -> QualitativeResult | None:
    """可接受的定性词，一个或几个（`阴性或弱阳性`）；`阴性~1+` 包括中间的。"""
    text = re.sub(r"(?<=[一-鿿])/[hl]pf?$", "", text, flags=re.IGNORECASE)  # `少见/HPF` 的单位
    whole = parse_term(text)
    if whole and whole.words[0] in GRADED:
        return whole
    parts = [parse_term(part) for part in re.split(r"[/、,;或~至到]|(?<=[一-鿿])-(?=[一-鿿])", text)]
    if not all(parts):
        return whole
    words = [part.words[0] for part in parts]
    grades = [part.grade for part in parts if part.words[0] == "阳性"]
    if len(words) == 2 and re.search("[~至到-]", text[1:]) and set(words) <= set(GRADED):
        words = list(GRADED[GRADED.index(words[0]) : GRADED.index(words[1]) + 1])
    return QualitativeResult(tuple(words), max(grades) if grades and None not in grades else None) if words else None
