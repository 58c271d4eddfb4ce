"""参考范围与结果：文字 -> 区间或定性词，再精确比较。

结果也当作区间：`4.84` 是 [4.84, 4.84]，`<0.01` 是 (-∞, 0.01)。两个区间的位置关系就是高低判断，
部分重叠就是“不能判断”。全部用 Decimal，不用浮点数：5.2 与 5.20 相等，0.1 就是 0.1。
有两种读法的文字（`3.5-`、`05-10`、`-5--3`）不猜，返回 None。
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import lru_cache
from itertools import takewhile

from health_assistant.lab_report.groups import ADULT_AGE_YEARS, find_groups, may_all_apply
from health_assistant.lab_report.person import parse_age
from health_assistant.lab_report.printed_text import clean
from health_assistant.lab_report.qualitative import GRADED, QualitativeResult, parse_grade, parse_term
from health_assistant.lab_report.report import Flag

__all__ = [
    "ADULT_AGE_YEARS",
    "PartitionedInterval",
    "Interval",
    "ReferenceRange",
    "QualitativeResult",
    "attached_unit",
    "compare",
]
__all__ += ["parse_age", "parse_range", "parse_result"]


@dataclass(frozen=True)
class Interval:
    """数轴上的一段；None 表示那一边没有界，*_open 表示不含端点。滴度 1:40 记作 40，只与滴度比较。

    `word` 是旁边印着的阴性、弱阳性或阳性：`0.02(阴性)`、`阳性(1:32)`，范围则如 `阴性<1`。
    """

    low: Decimal | None
    high: Decimal | None
    low_open: bool = False
    high_open: bool = False
    is_titre: bool = False
    word: str | None = None

    def __str__(self) -> str:
        if self.word:
            return f"{self.word}({str(replace(self, word=None)).removeprefix('=')})"
        low, high = (
            None if bound is None else ("1:" if self.is_titre else "") + format(bound, "f")
            for bound in (self.low, self.high)
        )
        if low is not None and high is not None:
            # 单独一个数不是范围；两个减号连着有歧义
            return f"={low}" if self.low == self.high else f"{low}{'~' if high.startswith('-') else '-'}{high}"
        if high is not None:
            return f"{'<' if self.high_open else '≤'}{high}"
        return f"{'>' if self.low_open else '≥'}{low}"

    @property
    def lower(self) -> tuple[Decimal, int]:
        """下端的次序：不含端点的 `>3` 排在 `≥3` 之后，没有界是负无穷。"""
        return (Decimal("-Infinity"), 0) if self.low is None else (self.low, int(self.low_open))

    @property
    def upper(self) -> tuple[Decimal, int]:
        """上端的次序：不含端点的 `<5` 排在 `≤5` 之前，没有界是正无穷。"""
        return (Decimal("Infinity"), 0) if self.high is None else (self.high, -int(self.high_open))

    @property
    def is_point(self) -> bool:
        """是单个的数。"""
        return self.low is not None and self.low == self.high

    @property
    def is_bounded(self) -> bool:
        """两边都有界。"""
        return self.low is not None and self.high is not None

    def below(self, other: "Interval") -> bool:
        """整段都在 other 之下。"""
        return self.upper < other.lower

    def inside(self, other: "Interval") -> bool:
        """整段都在 other 之内。"""
        return self.lower >= other.lower and self.upper <= other.upper


@dataclass(frozen=True)
class PartitionedInterval:
    """按性别、年龄或生理期分开的几个范围；每一组是（人群，范围），人群如 `男`、`女卵泡期`、`0-3岁`。"""

    groups: tuple[tuple[str, Interval | QualitativeResult], ...]

    def __str__(self) -> str:
        return "，".join(f"{who} {limits}" for who, limits in self.groups)

    def for_person(self, sex: str | None, age_years: float | None) -> list[Interval | QualitativeResult]:
        """可能适用于这个人的范围；性别、年龄未知时不排除任何一个。只印了一种性别而性别未知时为空。"""
        applies = may_all_apply([who for who, _ in self.groups], sex, age_years)
        return [limits for (_, limits), may_apply in zip(self.groups, applies, strict=True) if may_apply]


ReferenceRange = Interval | QualitativeResult | PartitionedInterval

# 开头多余的 0 是丢了小数点：05-10 多半是 0.5-1.0
# 逗号后面三位是千分位，一两位是小数
_DIGITS = (
    r"(?:(?:[1-9]\d{0,2}(?:,\d{3})+|[1-9]\d{0,20}|0)(?:\.\d{1,20})?|(?:[1-9]\d{0,20}|0),\d{1,2}(?!\d)|0,\d{3}(?!\d))"
)
# 后面紧接斜线的 ×10^9 是单位的一部分，不是科学计数法
_UNSIGNED = rf"(?:{_DIGITS}(?:(?:E[+-]?\d{{1,2}}|[×x*]10\^[+-]?\d{{1,2}})(?![\d/]))?|10\^[+-]?\d{{1,2}}(?![\d/]))"
_TITRE = r"1:[1-9](?:\d{0,6}|\d{0,2}(?:,\d{3})+)"
_NUMBER = rf"(?:{_TITRE}|[+-]?{_UNSIGNED})"
# 只认得确凿的单位：`1l.2`、`1Z` 里的字母是读错的数字，不是单位
_UNIT = (
    r"(?:%|‰|fl|pg|mmhg|kpa|秒|s/co|coi|/[hl]pf?|/[uμ]l"
    r"|(?:[×x*;(]10[\^~*-]?|10[\^~*])(?:(?:6|9|12)/[l1]|[36]/(?:[uμ]l|mm3))|[km千万]/[uμ]l|/mm3"
    r"|(?:[numpkμ]?(?:mo[lm]|g|iu|u|eq|osm|l)|mm|cells?|copies|拷贝|个)"
    r"/(?:[dmunμ]?l|1|[hl]pf?|k?g|m?mol|min|h|d|24h))"
)
_TAIL = rf"(?:[;(\[]?({_UNIT})[)\]]?)?"
_POSITIVE = r"(?:弱?阳性?(?:\(\+{1,4}\))?|\+{1,4}|pos(?:itive)?)"
_TITRE_RESULT = re.compile(
    rf"(?:(?P<before>{_POSITIVE})[:,;]?(?:滴度:?)?)?(?:\((?P<in_brackets>{_TITRE})\)|(?P<bare>{_TITRE}))"
    rf"(?P<after>[,;]?(?:{_POSITIVE}|\({_POSITIVE}\)))?(?:[,;、]?(?:[一-鿿/]{{1,12}}型|\([一-鿿/]{{1,12}}型\)))?",
    re.IGNORECASE | re.ASCII,
)
"""滴度，旁边可能印着阳性与荧光的样子：`阳性(1:32)`、`1:320 核均质型`。"""
_QUALITY = (
    r"(?:弱?阳性?(?:\([+±]{1,4}\))?|阴性?(?:\(-\))?|neg(?:ative)?|pos(?:itive)?|(?:non-?)?reactive|(?:not)?detected"
    r"|[未无]?(?:检出|反应性?)|[-+±]|[1-4]\+|\+{2,4})"
)
_QUALIFIED = re.compile(
    rf"(?P<number>[^()]*\d[^()]*?)(?:\((?P<in_brackets>{_QUALITY})\)|[,;:]?(?P<bare>(?![-+±]){_QUALITY}))",
    re.IGNORECASE,
)
"""数后面印着阴性、阳性：`0.02(阴性)`、`100(2+)`、`6.25阳性`。"""
_WORD_FIRST = re.compile(rf"(?P<word>(?![-+±]){_QUALITY})[,;:]?(?P<number>[<>]?=?\d[\d.,]*)", re.IGNORECASE)
_WORD_AND_LIMIT = re.compile(rf"(?P<word>(?![-+±]){_QUALITY})[:,;(]?(?P<limit>(?:[<>]=?)?\d[^()]*)\)?", re.IGNORECASE)
"""范围是一个词加一个界限：`阴性<1`、`阴性(0-0.9)`。"""
_NEGATIVE_TITRE = re.compile(rf"阴性?[(:,;]?<?=?{_TITRE}\)?", re.ASCII)
_SINGLE = re.compile(rf"({_NUMBER}){_TAIL}", re.IGNORECASE | re.ASCII)
_BOUNDED = re.compile(rf"[(\[]?([<>]=?|=)({_NUMBER})[)\]]?{_TAIL}", re.IGNORECASE | re.ASCII)
_AND_UP_OR_DOWN = re.compile(rf"({_NUMBER}){_TAIL}及?以([上下内])", re.IGNORECASE | re.ASCII)
_TWO_SIDED = re.compile(
    rf"[(\[]?({_NUMBER}){_TAIL}(?:(-{{1,3}})({_TITRE}|\+?{_UNSIGNED})|(?:~|至|到|to)({_NUMBER}))[)\]]?{_TAIL}",
    re.IGNORECASE | re.ASCII,
)
PAIR = re.compile(rf"[(\[]({_UNSIGNED}),({_UNSIGNED})[)\]]", re.ASCII)
"""数学里区间的写法：`(0.15,0.45)`。"""
_LABEL = re.compile(
    r"(?:[(\[]?(?:(?:生物)?(?:参考|正常|标准)(?:参考)?(?:范围|区间|值)?|ref(?:erence)?\.?(?:range|interval)?|normal(?:range)?)"
    r"(?::|(?=[\d<>男女成])))+",
    re.IGNORECASE,
)

_TIER = re.compile(r"([A-Za-z一-鿿][A-Za-z一-鿿-]*:?)([^A-Za-z一-鿿]+)")
_GOOD_TIER = re.compile(r"desirable|optimal|ideal|(?:合适|理想|适宜|正常)(?:水平|范围|值)?", re.IGNORECASE)
_LOW_TIER = re.compile(r"降低|减低|偏低|low", re.IGNORECASE)
_HIGH_TIER = re.compile(r"升高|增高|偏高|high", re.IGNORECASE)


@lru_cache(4096)  # 同一行要问好几遍
def parse_range(text: str) -> ReferenceRange | None:
    """把印刷的参考范围变成可比较的形式；看不懂就返回 None，从不猜测，从不抛异常。"""
    text = clean(text)
    if not re.search(r"[\w±+]|^\(?-\)?$", text):
        return None
    text = _without_label(text)
    if re.fullmatch(r"0(?:\.0+)?(?:%|个?/[hl]pf?)?", text, re.IGNORECASE):
        # 不该有的东西（原始细胞）的范围就是 0
        return Interval(Decimal(0), Decimal(0))
    return (
        _parse_grouped(text) or _parse_interval(text) or _parse_worded(text) or _parse_tiers(text) or _parse_terms(text)
    )


def _parse_tiers(text: str) -> Interval | None:
    """分几档印的：`Desirable:<200,Borderline:200-239,High:>=240` 就是 <200；`理想:<2.6,合适:<3.4` 是合适的。

    只印了不合适的一档（`降低:<1.00`）时是它以外的；别的分法不猜。
    """
    tiers = _TIER.findall(text)
    intervals = [_parse_interval(body.strip("-,;、")) for _, body in tiers]
    if "".join(label + body for label, body in tiers) != text or not tiers or not all(intervals):
        return None
    labels = [label.strip(":-,;、") for label, _ in tiers]
    if good := len(list(takewhile(_GOOD_TIER.fullmatch, labels))):
        return intervals[good - 1]
    only = intervals[0]
    if len(tiers) == 1 and _LOW_TIER.fullmatch(labels[0]) and only.low is None:
        return Interval(only.high, None, low_open=not only.high_open)
    if len(tiers) == 1 and _HIGH_TIER.fullmatch(labels[0]) and only.high is None:
        return Interval(None, only.low, high_open=not only.low_open)
    return None


def _parse_worded(text: str) -> Interval | None:
    """一个词加一个界限：`阴性<1`、`<1.0(阴性)`；词说的是界限以内是什么。"""
    found = _WORD_AND_LIMIT.fullmatch(text)
    if found:
        word, limit = found["word"], found["limit"]
    elif found := _QUALIFIED.fullmatch(text):
        word, limit = found["in_brackets"] or found["bare"], found["number"]
    else:
        return None
    interval, word = _parse_interval(limit), parse_grade(word.lower().partition("(")[0])[0]
    return replace(interval, word=word) if interval and word == "阴性" else None


@lru_cache(4096)
def parse_result(text: str) -> Interval | QualitativeResult | None:
    """把印刷的结果变成可比较的形式；空白、横线串（未做）与看不懂的返回 None，从不抛异常。"""
    text = re.sub(r"(?<=\d)\(\d级\)$", "", clean(text))  # 过敏原的分级：68.40(5级)
    if (single := _SINGLE.fullmatch(text)) and not re.fullmatch(r"\+\d", text):
        return _interval(single[1], single[1])
    if titre := _TITRE_RESULT.fullmatch(text):
        printed = titre["in_brackets"] or titre["bare"]
        found = _interval(printed, printed)
        return found and replace(found, word="阳性" if titre["before"] or titre["after"] else None)
    if _NEGATIVE_TITRE.fullmatch(text):
        return QualitativeResult(("阴性",))
    if re.fullmatch(r"[-*/.]{2,}", text):
        return None
    return _parse_one_sided(text) or _parse_qualified(text) or _parse_counted(text) or parse_term(text)


def _parse_qualified(text: str) -> Interval | None:
    """数与词印在一格：`0.02(阴性)`；也认 `<0.05(阴性)`。"""
    if found := _QUALIFIED.fullmatch(text):
        printed = found["in_brackets"] or found["bare"]
    elif found := _WORD_FIRST.fullmatch(text):
        printed = found["word"]
    else:
        return None
    number, word = parse_result(found["number"]), parse_grade(printed.lower().partition("(")[0])[0]
    return replace(number, word=word) if isinstance(number, Interval) and not number.word and word else None


def _parse_counted(text: str) -> Interval | None:
    """镜检的结果本身是个数的范围：`3-5/HP`、`0~1`；只认整数，带小数的多是串了列的参考范围。"""
    found = re.fullmatch(rf"[(\[]?(\d{{1,4}})(?:-{{1,2}}|~)(\d{{1,4}})[)\]]?{_TAIL}", text, re.IGNORECASE)
    return _interval(found[1], found[2]) if found and int(found[1]) < int(found[2]) else None


def _without_label(text: str) -> str:
    label = _LABEL.match(text)
    return text[label.end() :] if label else text


def attached_unit(text: str) -> str:
    """粘在结果或范围上的单位，如 `<5.2mmol/L` 里的 `mmol/L`；没有则为空串。"""
    text = _without_label(clean(text))
    found = next((found for one in (_SINGLE, _BOUNDED, _TWO_SIDED) if (found := one.fullmatch(text))), None)
    return (found.groups()[-1] or "").lstrip(";(") if found else ""


def compare(
    result: Interval | QualitativeResult,
    reference: ReferenceRange,
    sex: str | None = None,
    age_years: float | None = None,
) -> Flag:
    """结果相对参考范围的位置。范围因人而异而人的信息不全时，只有各种可能都一致才下判断。"""
    candidates = reference.for_person(sex, age_years) if isinstance(reference, PartitionedInterval) else [reference]
    flags = {_compare_one(result, limits) for limits in candidates}
    return flags.pop() if len(flags) == 1 else "unknown"


def _compare_one(result: Interval | QualitativeResult, limits: Interval | QualitativeResult) -> Flag:
    if isinstance(result, Interval) and isinstance(limits, Interval) and result.is_titre == limits.is_titre:
        if limits.low == 0 and result.low is None:
            # 范围从 0 起的量没有负数：`<0.01` 在 `0-0.04` 之内
            result = Interval(Decimal(0), result.high, high_open=result.high_open)
        flag = _compare_numbers(result, limits)
        # 数在范围之内而印着阳性、在范围之外而印着阴性，自相矛盾；抑制法的抗体（`>1`）越低越是阳性
        says_positive = result.word in ("弱阳性", "阳性")
        return "unknown" if result.word and flag != "unknown" and says_positive == (flag == "normal") else flag
    if isinstance(limits, QualitativeResult):
        return (
            _compare_terms(result, limits)
            if isinstance(result, QualitativeResult)
            else _compare_with_negative(result, limits)
        )
    return _compare_with_cutoff(result, limits) if isinstance(result, QualitativeResult) else "unknown"


def _compare_numbers(result: Interval, limits: Interval) -> Flag:
    if result.inside(limits):
        return "normal"
    if result.below(limits):
        return "low"
    return "high" if limits.below(result) else "unknown"


def _compare_with_negative(result: Interval, limits: QualitativeResult) -> Flag:
    """滴度、个数对“阴性”“未见”：有滴度就是阳性，0 个就是没有；别的数与文字不能比。"""
    if result.word:
        return _compare_terms(QualitativeResult((result.word,)), limits)
    if set(limits.words) != {"阴性"}:
        return "unknown"
    if result.is_titre and result.low is not None:
        return "abnormal"
    is_none = result.low == result.high == 0 or (result.is_titre and result.low is None)
    return "normal" if is_none else "unknown"


def _compare_with_cutoff(result: QualitativeResult, limits: Interval) -> Flag:
    """阴性、阳性对一个界限：`未见` 对 `0`，`阳性` 对 `<1:100`，`阴性` 对 `<25`、`0-25`、`阴性>1`。"""
    is_cutoff = limits.word == "阴性" or limits.low is None or limits.low == 0
    if not is_cutoff or not result.is_graded or result.grade == 0:
        return "unknown"
    return "normal" if result.words[0] == "阴性" else "abnormal"


def _compare_terms(result: QualitativeResult, limits: QualitativeResult) -> Flag:
    word = result.words[0]
    if word == "阳性" and word in limits.words and limits.grade is not None and result.grade != limits.grade:
        if result.grade is None:
            return "unknown"
        if result.grade > limits.grade:
            return "abnormal"
        return "normal" if "阴性" in limits.words else "unknown"
    if _bare_word(word) in map(_bare_word, limits.words):
        return "normal"
    if word == "浑浊" and limits.words == ("透明",):
        return "abnormal"
    return "abnormal" if word in GRADED and set(limits.words) <= set(GRADED) else "unknown"


def _bare_word(word: str) -> str:
    """比较用的词：不分大小写，“色”可有可无；淡黄、浅黄都是黄。"""
    return re.sub("^[淡浅草](?=黄)", "", word.casefold().removesuffix("色"))


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
    plain = re.sub(r",(?=\d{1,2}(?!\d)|(?<=^0,)\d{3})", ".", text.removeprefix("1:")).replace(",", "")
    return Decimal(re.sub(r"[×x*]10\^", "E", re.sub(r"^10\^", "1E", plain), flags=re.IGNORECASE))


def _parse_interval(text: str) -> Interval | None:
    if (pair := PAIR.fullmatch(text)) and _number(pair[1]) < _number(pair[2]):
        return _interval(pair[1], pair[2])
    if re.search(r"\d\.\d", text) and re.search(r"\d,\d{1,2}(?!\d)", text):
        return None  # 点与逗号不会都是小数点
    found = _TWO_SIDED.fullmatch(text)
    if not found:
        return _parse_one_sided(text)
    low, low_unit, dashes, high, signed_high, high_unit = found.groups()
    high = high or signed_high
    limits = _interval(low, high)
    has_two_units = bool(low_unit and high_unit) and low_unit.lower() != high_unit.lower()
    # `1.1-2.5×10^3` 的指数也许管两边；`-5--3` 的第二横也许是负号
    shares_power = "10^" in high and "10^" not in low and _number(low) != 0
    is_unclear_sign = dashes == "--" and low.startswith("-") and not high.startswith("+")
    return None if has_two_units or shares_power or is_unclear_sign else limits


def _parse_one_sided(text: str) -> Interval | None:
    if found := _AND_UP_OR_DOWN.fullmatch(text):
        return _interval(found[1], None) if found[3] == "上" else _interval(None, found[1])
    if not (found := _BOUNDED.fullmatch(text)):
        return None
    is_open = len(found[1]) == 1
    if found[1] == "=":
        return _interval(found[2], found[2])
    if found[1].startswith("<"):
        return _interval(None, found[2], high_open=is_open)
    return _interval(found[2], None, low_open=is_open)


def _parse_grouped(text: str) -> PartitionedInterval | None:
    groups = [(who, _parse_interval(body.strip("[]()@:,;、/|。"))) for who, body in find_groups(text)]
    return PartitionedInterval(tuple(groups)) if groups and all(limits for _, limits in groups) else None


def _parse_terms(text: str) -> QualitativeResult | None:
    """可接受的定性词，一个或几个（`阴性或弱阳性`）；`阴性~1+` 包括中间的。"""
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
