"""参考范围与结果：印着的文字 -> 区间或定性词（interval.py）。

有两种读法的文字（`3.5-`、`05-10`、`-5--3`）不猜，返回 None。
"""

import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from health_assistant.lab_report.groups import find_groups
from health_assistant.lab_report.interval import Interval, PartitionedInterval, ReferenceRange, Value
from health_assistant.lab_report.printed_interval import (
    NUMBER,
    SINGLE,
    TAIL,
    TITRE,
    UNIT_BEHIND,
    UNIT_WITHIN,
    interval_between,
    parse_interval,
    parse_one_sided,
    without_myriads,
)
from health_assistant.lab_report.printed_text import MAX_LENGTH, clean
from health_assistant.lab_report.qualitative import GRADED, QualitativeResult, parse_grade, parse_term
from health_assistant.lab_report.word_lists import any_of

_POSITIVE = r"(?:弱?阳性?(?:\(\+{1,4}\))?|\+{1,4}|pos(?:itive)?)"
_TITRE_RESULT = re.compile(
    rf"(?:(?P<before>{_POSITIVE})[:,;]?(?:[一-鿿/]{{1,12}}型[,;:]?)?(?:滴度:?)?)?(?:\((?P<in_brackets>{TITRE})\)|(?P<bare>{TITRE}))"
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
_NEGATIVE_TITRE = re.compile(rf"阴性?[(:,;]?<?=?{TITRE}\)?", re.ASCII)
_LABEL = re.compile(
    r"(?:[(\[]?(?:(?:生物)?(?:参考|正常|标准)(?:参考|值)?(?:范围|区间|值)?|healthy"
    r"|(?:bio(?:logical)?\.?)?ref(?:erence)?\.?(?:ranges?|intervals?|values?)?|n(?:\.?v\.?|ormal)?(?:ranges?|values?)?"
    r"|therapeutic(?:range|window)?|(?:治疗|有效)(?:血药)?(?:浓度)?(?:范围|窗)?|(?:cut-?off(?:value)?|临界值|coi|s/co)[:=]?(?=<))"
    r"(?:[:,]|(?=[\d<>男女成])|(?<=healthy)(?=men|women|adults)))+",
    re.IGNORECASE,
)

_GOOD_TIER = any_of("good_tier")
_NEGATIVE_TIER = re.compile("阴性?|neg(?:ative)?|non-?reactive|notdetected", re.IGNORECASE)
_POSITIVE_TIER = any_of("positive_tier")
_TIER_SPAN = re.compile(rf"(?:[<>]=?)?{NUMBER}{TAIL}(?:(?:[-~至到]|to){NUMBER}{TAIL}|及?以[上下])?", re.IGNORECASE)
_BESIDE_TIER = ":-,;、()[]/|。为"
"""一档的名称与界限之间、两档之间的标点。"""
_MEAN_AND_SD = re.compile(rf"(?P<mean>\d+(?:\.\d+)?)±(?P<sd>\d+(?:\.\d+)?){TAIL}", re.IGNORECASE)
_AFTERWORD = re.compile(r"(?<=[\d%秒a-zA-Z])\s*[;；,，(（。\s]\s*(?:以(?![上下内])|详?见|参见|仅?供)[^\d]*$")
"""范围后面的一句话：`11-14.5 秒；以 INR 为准`、`3.5-5.3（见备注）`。"""
_PROTECTIVE = re.compile(r"^(\s*[>≥＞].*[\d%a-zA-Z])\s*[;；,，(（]?[为具有]{0,2}(?:保护|免疫)(?:力|性|作用)?[)）]?$")
"""`≥10 有保护力` 是够了；`0-10 有保护力` 自己就说不通，不猜。"""
_RISK_GROUP = re.compile("(健康|一般|普通|低危|中危|高危|极高危|超高危)(人群?|患者|者)?")
_RISK_TIERS = ("low-?risk", "(average|moderate|medium)(-?risk)?", "high(-?risk)?")
"""低的一档要写着风险：只写 `Low` 的是偏低，不是合适。"""
_LOW_TIER = re.compile(r"降低|减低|偏低|low", re.IGNORECASE)
_HIGH_TIER = re.compile(r"升高|增高|偏高|high|高风险", re.IGNORECASE)
_CLASS = re.compile(r"(?<![\d.])([0-6])级|class-?([0-6])(?![\d.])|(?<=G)([1-5])(?=[ab]?期?[:<>(])", re.IGNORECASE)
"""过敏原的级别、肾功能的分期，数字不是界限：`0级:<0.35`、`G1:≥90`。"""
_MEANINGLESS = any_of("meaningless")
"""范围前后不改变它的：`0-0.5mg/L(FEU)`、`<100(排除心衰)`。"""
_SPAN = r"\d+(?:\.\d+)?\s*[-–—~～至]+\s*\d+(?:\.\d+)?"
_ON_TREATMENT = r"(?<![未没无非不])(?:口服|服用|正在)?(?:抗凝|华法林|warfarin|(?:on |oral )?anti-?coagula)"
OF_TREATED = re.compile(
    rf"[;；,，、(（\s]*(?:{_ON_TREATMENT}[^\d;；,，]{{0,12}}(?P<before>{_SPAN})"
    rf"|(?P<behind>{_SPAN})\s*[(（]?{_ON_TREATMENT}[^\d;；,，)）]{{0,12}}(?=$|[;；,，)）]))[)）]?",
    re.IGNORECASE,
)
"""范围旁边另印着的、给在用抗凝药的人的目标：`0.8-1.2 抗凝治疗:2.0-3.0`。"""
_EITHER_SIDE = re.compile(rf"{_SPAN}\s*{_ON_TREATMENT}[^\d:：;；,，()（）]{{0,12}}{_SPAN}", re.IGNORECASE)
OF_USUAL = re.compile(rf"^(?:正常人?|未抗凝|normal)?[:：\s]*(?:{_SPAN})", re.IGNORECASE)
_SPACED_THOUSANDS = re.compile(
    r"(?<![\d.])(?:(?:\d{1,3}(?: \d{3})* \d00|\d{3,}|0)\s*[-–—~至]+|[<≤])\s*\d{1,3}(?: \d{3})* \d00(?![\d.])"
)
"""千分位用空格的：`150 000 - 400 000`；`4-10 100` 的 100 是别的数。"""


def parse_range(text: str) -> ReferenceRange | None:
    """把印刷的参考范围变成可比较的形式；看不懂就返回 None，从不猜测，从不抛异常。"""
    if len(text) > MAX_LENGTH:
        return None
    text = _PROTECTIVE.sub(r"\1", _AFTERWORD.sub("", text))
    text = _usual_part(text)
    text = _SPACED_THOUSANDS.sub(lambda number: number[0].replace(" ", ""), text.strip())
    text = re.sub(r"/?\s*1[.,]73\s*m\^?[2²]", "", text)  # 肾小球滤过率按体表面积
    # `0.0~-12.0`：前面一端不是负数时，后面的一横是波浪线的另一截
    text = re.sub(r"^(\d[\d.]*)~-+(?=\d)", r"\1~", _MEANINGLESS.sub("", clean(text)))
    text = re.sub(r"10e(?=\d{1,2}/)", "10^", text, flags=re.IGNORECASE)
    text = re.sub(r"^([\d.]+):1([-~])([\d.]+):1$", r"\1\2\3", text)  # 两项之比：`9:1-23:1`
    if not re.search(r"[\w±+]|^\(?-\)?$", text):
        return None
    # 碱剩余的 `(-3.0)-3.0`、`(-2)-(+3)`：括起来的是带负号的数
    whole = text
    text = re.sub(r"^\((-\d[\d.]*)\)[-~]\(?([+-]?\d[\d.]*)\)?", r"\1~\2", _without_label(text))
    if re.fullmatch(r"0(?:\.0+)?(?:%|个?/[hl]pf?)?", text, re.IGNORECASE):
        # 不该有的东西（原始细胞）的范围就是 0
        return Interval(Decimal(0), Decimal(0))
    return (
        _parse_mean(text)
        or _parse_grouped(text)
        or parse_interval(text)
        or _parse_worded(text)
        or _parse_risks(whole)
        or _parse_tiers(whole)
        or _parse_terms(text)
    )


def _parse_mean(text: str) -> PartitionedInterval | None:
    """`4.5±1.2`：老单子上是均值与标准差，也有当作两头的；各家取一倍或两倍，两种都超出、都在里面才下判断。"""
    printed = _MEAN_AND_SD.fullmatch(text)
    if not printed:
        return None
    mean, deviation = Decimal(printed["mean"]), Decimal(printed["sd"])
    spans = (("均值±1倍", deviation), ("均值±2倍", 2 * deviation))
    return PartitionedInterval(tuple((who, Interval(mean - wide, mean + wide)) for who, wide in spans))


def _usual_part(text: str) -> str:
    """不在用药的人的范围；没有印在用药的人的，照原样，说不准的为空。"""
    if not (OF_TREATED.search(text) and OF_USUAL.search(text)):
        return text
    if _EITHER_SIDE.search(text):
        return ""  # `2.0-3.0 抗凝治疗 0.8-1.2`：说不准抗凝的是哪一个
    return OF_TREATED.sub(" ", text).strip(" ;；,，、")


def _parse_tiers(text: str) -> Interval | None:
    """分几档印的，取名称说是好的那几档：`Desirable:<200,High:>=240` 是 <200，`缺乏<20;充足30-100` 是 30-100。

    名称印在界限前面、后面都认（`<200 Desirable`）。好的不止一档又挨着时合起来：`理想:<2.6,合适:<3.4` 是 <3.4。
    只印了不合适的一档（`降低:<1.00`）时是它以外的；别的分法不猜。
    """
    tiers = _split_tiers(text)
    if tiers and all(_NEGATIVE_TIER.fullmatch(label) or _POSITIVE_TIER.fullmatch(label) for label, _ in tiers):
        negative = [interval for label, interval in tiers if _NEGATIVE_TIER.fullmatch(label)]
        if len(tiers) == 1 and not negative and tiers[0][1].high is None:
            return replace(_below(tiers[0][1]), word="阴性")  # `≥1.0为阳性`
        return replace(negative[0], word="阴性") if len(negative) == 1 else None
    good = [at for at, (label, _) in enumerate(tiers) if _GOOD_TIER.fullmatch(label)]
    if good:
        is_in_a_row = good == list(range(good[0], good[-1] + 1))
        others = [limits for at, (_, limits) in enumerate(tiers) if at not in good]
        return _bounded_by(_joined([tiers[at][1] for at in good]), others) if is_in_a_row else None
    if len(tiers) == 2 and (between := _between(*tiers)):
        return between
    if len(tiers) != 1 or not text.startswith(tiers[0][0]):
        return None  # 单独一句 `>3.00 High` 是几档里的一档
    label, only = tiers[0]
    if _LOW_TIER.fullmatch(label) and only.low is None:
        return Interval(only.high, None, low_open=not only.high_open)
    if _HIGH_TIER.fullmatch(label) and only.high is None:
        return _below(only)
    return None


def _between(low: tuple[str, Interval], high: tuple[str, Interval]) -> Interval | None:
    """只印了偏低、偏高两档时它们之间的：`<40 Low ≥60 High` 是 40-60；不是这样的为 None。"""
    (low_word, below), (high_word, above) = low, high
    is_named = _LOW_TIER.fullmatch(low_word) and _HIGH_TIER.fullmatch(high_word)
    if not is_named or below.low is not None or above.high is not None or below.high >= above.low:
        return None
    return Interval(below.high, above.low, not below.high_open, not above.low_open)


def _below(interval: Interval) -> Interval:
    """只有下限的区间以外的：`≥6.20` 是 <6.20。"""
    return replace(interval, low=None, low_open=False, high=interval.low, high_open=not interval.low_open)


def _split_tiers(text: str) -> list[tuple[str, Interval]]:
    """各档的名称与界限；有一档没有名称、界限看不懂的为空列表。"""
    text = _CLASS.sub(lambda named: "零一二三四五六"[int(named[named.lastindex])] + "级", text)
    spans = list(_TIER_SPAN.finditer(text))
    edges = [0, *(edge for span in spans for edge in span.span()), len(text)]
    labels = [text[start:end].strip(_BESIDE_TIER) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    intervals = [
        parse_interval(re.sub(r"^>(?=[\d.]+[-~])", "", span[0])) for span in spans
    ]  # `>3-10` 是 3 到 10 的一档
    labels = labels[1:] if not labels[0] else labels[:-1] if not labels[-1] else []
    is_whole = len(labels) == len(intervals) and all(labels) and all(intervals)
    return list(zip(labels, intervals, strict=True)) if is_whole else []


def _joined(intervals: list[Interval]) -> Interval:
    """挨着的几档合起来：一头没有界限的，合起来也没有。"""
    lowest, highest = min(intervals, key=lambda part: part.lower), max(intervals, key=lambda part: part.upper)
    return replace(lowest, high=highest.high, high_open=highest.high_open)


def _bounded_by(good: Interval, others: list[Interval]) -> Interval | None:
    """好的一档只印了一头的（`充足>30`），到另一档（`中毒>150`）为止；两头都没有的为 None。"""
    above = [tier for tier in others if good.high is None and tier.low is not None and good.low < tier.low]
    below = [tier for tier in others if good.low is None and tier.high is not None and tier.high < good.high]
    if good.low is None and good.high is None:
        return None
    if above:
        worse = min(above, key=lambda tier: tier.low)
        return replace(good, high=worse.low, high_open=not worse.low_open)
    worse = max(below, key=lambda tier: tier.high, default=None)
    return replace(good, low=worse.high, low_open=not worse.high_open) if worse else good


def _parse_risks(text: str) -> PartitionedInterval | None:
    """按风险高低分人的上限：`健康人群:<3.4,高危人群:<2.59`；不知道这个人是哪一群，都超出才是高。

    `<1.0 low risk,1.0-3.0 average,>3.0 high`：平均的一档不算高也不算正常，低的里面才正常，高的里面才是高。
    """
    tiers = _split_tiers(text)
    labels = [label.lower() for label, _ in tiers]
    if len(tiers) in (3, 4) and all(map(re.fullmatch, _RISK_TIERS, labels)) and tiers[-1][1].high is None:
        low, average = tiers[:2]  # 高的上面可能还有一档：`>10 非心血管的炎症`
        return PartitionedInterval((low, (average[0], _joined([low[1], average[1]]))))
    is_risk = all(_RISK_GROUP.fullmatch(label) and limit.low is None for label, limit in tiers)
    return PartitionedInterval(tuple(tiers)) if len(tiers) > 1 and is_risk else None


def is_tiered(text: str) -> bool:
    """范围是分几档印的，看得懂。"""
    return len(_split_tiers(clean(text))) > 1 and _parse_tiers(clean(text)) is not None


def is_tier_run(text: str) -> bool:
    """一档接一档、都有名称、一路往上（往下）的几档；哪一档是好的也许还没有印到。"""
    tiers = _split_tiers(clean(text))
    ends = [(tier.lower[0], tier.upper[0]) for _, tier in tiers]
    is_rising, is_falling = (
        all(above[0] < below[0] and above[1] < below[1] for above, below in pairwise(order))
        for order in (ends, ends[::-1])
    )
    return len(tiers) > 1 and len({label for label, _ in tiers}) == len(tiers) and (is_rising or is_falling)


def _parse_worded(text: str) -> Interval | None:
    """一个词加一个界限：`阴性<1`、`<1.0(阴性)`；词说的是界限以内是什么。"""
    parts = _WORD_AND_LIMIT.fullmatch(text) or _QUALIFIED.fullmatch(text)
    interval = parse_interval(parts["number"]) if parts else None
    return replace(interval, word="阴性") if interval and _word_of(parts) == "阴性" else None


def parse_result(text: str) -> Value | None:
    """把印刷的结果变成可比较的形式；空白、横线串（未做）与看不懂的返回 None，从不抛异常。"""
    text = re.sub(r"(?<=\d)(?:\(\d级\)|[;,]\d级)$", "", clean(text))  # 过敏原的分级：68.40(5级)
    # 结果后面印着的不确定度：6.81±0.12
    text = without_myriads(re.sub(r"^(\d[\d.]*)±\d[\d.]*(?![\d.])", r"\1", text))
    single = SINGLE.fullmatch(text)
    if single and not re.fullmatch(r"\+\d", text):
        return interval_between(single[1], single[1])
    titre = _TITRE_RESULT.fullmatch(text)
    if titre:
        printed = titre["in_brackets"] or titre["bare"]
        interval = interval_between(printed, printed)
        return interval and replace(interval, word="阳性" if titre["before"] or titre["after"] else None)
    if _NEGATIVE_TITRE.fullmatch(text):
        return QualitativeResult(("阴性",))
    if re.fullmatch(r"[-*/.]{2,}", text):
        return None
    return parse_one_sided(text) or _parse_qualified(text) or _parse_counted(text) or parse_term(text)


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
    bounds = re.fullmatch(rf"[(\[]?(\d{{1,4}})(?:-{{1,2}}|~)(\d{{1,4}})[)\]]?{TAIL}", text, re.IGNORECASE)
    return interval_between(bounds[1], bounds[2]) if bounds and int(bounds[1]) < int(bounds[2]) else None


def is_blank(text: str) -> bool:
    """没有印：空着，或只有横线、星号、斜线。"""
    return not re.search(r"[^\s\-—*/]", text)


def _without_label(text: str) -> str:
    label = _LABEL.match(text)
    return text[label.end() :] if label else text


def attached_unit(text: str) -> str:
    """粘在结果或范围上的单位，如 `<5.2mmol/L` 里的 `mmol/L`；没有则为空串。"""
    text = _without_label(_MEANINGLESS.sub("", clean(text)))
    for pattern in UNIT_BEHIND:
        parts = pattern.fullmatch(text)
        if parts:
            return (parts.groups()[-1] or "").lstrip(";(")
    return ""


def unit_of_range(text: str) -> str:
    """范围的单位，粘在末尾的，或分人群、分档、界限写成词的各个数后面那一种；没有、不止一种为空串。"""
    units = {unit.lower(): unit for unit in UNIT_WITHIN.findall(clean(text))}
    return attached_unit(text) or (units.popitem()[1].lstrip(";(") if len(units) == 1 else "")


def _parse_grouped(text: str) -> PartitionedInterval | None:
    groups = [(who, parse_interval(body.strip("[]()@:,;、/|。"))) for who, body in find_groups(text)]
    return PartitionedInterval(tuple(groups)) if groups and all(interval for _, interval in groups) else None


def _parse_terms(text: str) -> QualitativeResult | None:
    """可接受的定性词，一个或几个（`阴性或弱阳性`）；`阴性~1+`、`norm-1+` 包括中间的。"""
    text = re.sub(r"(?<=[一-鿿])/[hl]pf?$", "", text, flags=re.IGNORECASE)  # `少见/HPF` 的单位
    text = re.sub(r"^(neg(ative)?|norm(al)?|正常)-(?=(trace|±|\++|\d\+)$)", "阴性~", text, flags=re.IGNORECASE)
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
