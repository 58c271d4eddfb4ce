"""参考范围与结果：文字 -> 区间或定性词，再精确比较。

结果也当作区间：`4.84` 是 [4.84, 4.84]，`<0.01` 是 (-∞, 0.01)。两个区间的位置关系就是高低判断，
部分重叠就是“不能判断”。全部用 Decimal，不用浮点数：5.2 与 5.20 相等，0.1 就是 0.1。
"""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal

from health_assistant.lab_report.report import Flag

ADULT_AGE_YEARS = 18


@dataclass(frozen=True)
class Interval:
    """数轴上的一段；None 表示那一边没有界，*_open 表示不含端点。"""

    low: Decimal | None
    high: Decimal | None
    low_open: bool = False
    high_open: bool = False

    def __str__(self) -> str:
        if self.low is not None and self.high is not None:
            return str(self.low) if self.low == self.high else f"{self.low}-{self.high}"
        if self.high is not None:
            return f"{'<' if self.high_open else '≤'}{self.high}"
        return f"{'>' if self.low_open else '≥'}{self.low}"

    def below(self, other: "Interval") -> bool:
        """整段都在 other 之下。"""
        if self.high is None or other.low is None:
            return False
        return self.high < other.low or (self.high == other.low and (self.high_open or other.low_open))

    def inside(self, other: "Interval") -> bool:
        """整段都在 other 之内。"""
        return _bound_inside(self.low, self.low_open, other.low, other.low_open, sign=1) and _bound_inside(
            self.high, self.high_open, other.high, other.high_open, sign=-1
        )


def _bound_inside(inner: Decimal | None, inner_open: bool, outer: Decimal | None, outer_open: bool, sign: int) -> bool:
    if outer is None:
        return True
    if inner is None:
        return False
    return sign * inner > sign * outer or (inner == outer and (inner_open or not outer_open))


@dataclass(frozen=True)
class Terms:
    """定性的结果，或可接受的几种定性结果。阴性、弱阳性、阳性的各种写法归为同一个词，其余照原样。"""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return "/".join(self.words)


@dataclass(frozen=True)
class ByGroup:
    """按性别或年龄分开的几个范围。"""

    groups: tuple[tuple[str, Interval | Terms], ...]

    def __str__(self) -> str:
        return "，".join(f"{who} {limits}" for who, limits in self.groups)

    def for_person(self, sex: str | None, age_years: float | None) -> list[Interval | Terms]:
        """可能适用于这个人的范围；性别、年龄未知时不排除任何一个。"""
        return [limits for who, limits in self.groups if _may_apply(who, sex, age_years)]


ReferenceRange = Interval | Terms | ByGroup

_NUMBER = r"-?\d+(?:\.\d+)?"
_BOUND = r"(<=|>=|<|>)"
# 只认得确凿的单位：`1l.2`、`1Z` 里的字母是读错的数字，不是单位
_UNIT_TAIL = (
    r"(?:%|‰|(?i:fl|pg|mmhg|kpa|秒"
    r"|(?:[numpkμ]?(?:mol|g|iu|u|eq|osm)|cells?|个|[×x*]?10[\^~*]?\d{1,2})?/(?:[munμ]?l|1|hpf?|lpf?|d|24h)))?"
)
_GROUP = r"(男性?|女性?|成年?人|新生儿|婴幼?儿|儿童|小儿|老年人?|孕妇)"
_NEGATIVE = {"阴性", "-", "(-)", "neg", "negative", "未检出", "未见", "未查见", "未检见"}
_WEAK = {"弱阳性", "±", "+-", "-+", "+/-", "(±)", "(+-)", "可疑", "微量", "trace"}
_GRADED = {"阴性", "弱阳性", "阳性"}
_POSITIVE = {"阳性", "pos", "positive", "检出"}


def normalize(text: str) -> str:
    """全角转半角，各种横线、波浪线与比较符统一，去掉空白。"""
    text = unicodedata.normalize("NFKC", text.replace("±", "\x00")).replace("\x00", "±")
    text = re.sub(r"[—–−‐‑‒~〜∼]+", "-", text)
    for old, new in (("≤", "<="), ("≥", ">="), ("⩽", "<="), ("⩾", ">="), ("小于", "<"), ("大于", ">"), ("至", "-")):
        text = text.replace(old, new)
    return re.sub(r"\s+", "", text).replace("µ", "μ")


def parse_range(text: str) -> ReferenceRange | None:
    """把印刷的参考范围变成可比较的形式；看不懂就返回 None，从不猜测，从不抛异常。"""
    text = normalize(text)
    if not re.search(r"\w|^[(（]?[-±+][)）]?$", text):
        return None
    return _parse_grouped(text) or _parse_interval(text) or _parse_terms(text)


def parse_result(text: str) -> Interval | Terms | None:
    """把印刷的结果变成可比较的形式；空白、横线串（未做）与看不懂的返回 None。"""
    text = normalize(text)
    if single := re.fullmatch(rf"({_NUMBER}){_UNIT_TAIL}", text):
        value = Decimal(single[1])
        return Interval(value, value)
    if re.fullmatch(r"[-*/.]{2,}", text):
        return None
    if one_sided := _parse_one_sided(text):
        return one_sided
    word = _term(text)
    return Terms((word,)) if word else None


def compare(
    result: Interval | Terms, reference: ReferenceRange, sex: str | None = None, age_years: float | None = None
) -> Flag:
    """结果相对参考范围的位置。范围因人而异而人的信息不全时，只有各种可能都一致才下判断。"""
    candidates = reference.for_person(sex, age_years) if isinstance(reference, ByGroup) else [reference]
    flags = {_compare_one(result, limits) for limits in candidates}
    return flags.pop() if len(flags) == 1 else "unknown"


def _compare_one(result: Interval | Terms, limits: Interval | Terms) -> Flag:
    if isinstance(result, Interval) and isinstance(limits, Interval):
        if limits.low == 0 and result.low is None:
            # 范围从 0 起的量没有负数：`<0.01` 在 `0-0.04` 之内
            result = Interval(Decimal(0), result.high, high_open=result.high_open)
        if result.inside(limits):
            return "normal"
        if result.below(limits):
            return "low"
        return "high" if limits.below(result) else "unknown"
    if isinstance(result, Terms) and isinstance(limits, Terms):
        word = result.words[0]
        if word in limits.words:
            return "normal"
        if word in _GRADED and _GRADED.issuperset(limits.words):
            return "abnormal"
    return "unknown"


def _parse_interval(text: str) -> Interval | None:
    if two_sided := re.fullmatch(rf"[(\[]?({_NUMBER})-({_NUMBER})[)\]]?{_UNIT_TAIL}", text):
        low, high = Decimal(two_sided[1]), Decimal(two_sided[2])
        return Interval(low, high) if low <= high else None
    return _parse_one_sided(text)


def _parse_one_sided(text: str) -> Interval | None:
    found = re.fullmatch(rf"{_BOUND}({_NUMBER}){_UNIT_TAIL}", text)
    if not found:
        return None
    bound, is_open = Decimal(found[2]), len(found[1]) == 1
    if found[1].startswith("<"):
        return Interval(None, bound, high_open=is_open)
    return Interval(bound, None, low_open=is_open)


def _parse_grouped(text: str) -> ByGroup | None:
    starts = list(re.finditer(_GROUP, text))
    if not starts or text[: starts[0].start()].strip("[("):
        return None
    ends = [m.start() for m in starts[1:]] + [len(text)]
    groups = []
    for start, end in zip(starts, ends, strict=True):
        limits = _parse_interval(text[start.end() : end].strip("[]()@:,;，；、/"))
        if limits is None:
            return None
        groups.append((start[1], limits))
    return ByGroup(tuple(groups))


def _parse_terms(text: str) -> Terms | None:
    """可接受的定性词，一个或几个（`阴性或弱阳性`）。"""
    word = _term(text)
    if word in _GRADED:
        return Terms((word,))
    words = [_term(part) for part in re.split(r"[/、,，;；或]", text)]
    if all(words):
        return Terms(tuple(words))
    return Terms((word,)) if word else None


def _term(text: str) -> str | None:
    """一个定性词；含有数字的（除 2+ 这样的加号分级外）不算。"""
    plain = text.lower()
    without_sign = re.sub(r"\([-+±\d]*\)$", "", plain)
    for word, spellings in (("阴性", _NEGATIVE), ("弱阳性", _WEAK), ("阳性", _POSITIVE)):
        if plain in spellings or without_sign in spellings:
            return word
    if re.fullmatch(r"\(?(?:\d\+|\+\d|\++)\)?", plain):
        return "阳性"
    return text if re.search(r"[A-Za-z一-鿿]", text) and not re.search(r"\d", text) else None


def _may_apply(group: str, sex: str | None, age_years: float | None) -> bool:
    if group[0] in "男女":
        return sex is None or group[0] == sex
    if age_years is None:
        return True
    if group.startswith("成"):
        return age_years >= ADULT_AGE_YEARS
    if group == "新生儿":
        return age_years < 0.08
    if group.startswith(("婴", "儿", "小")):
        return age_years < ADULT_AGE_YEARS
    if group.startswith("老"):
        return age_years >= 60
    return sex != "男"


def parse_age(text: str | None) -> float | None:
    """`45岁`、`3月`、`12天` -> 以年为单位的年龄；没有或看不懂为 None。"""
    found = re.fullmatch(r"(\d{1,3})(岁|周岁|个?月|天|日)?龄?", normalize(text or ""))
    if not found:
        return None
    per_year = {"月": 12, "天": 365, "日": 365}.get((found[2] or "岁")[-1], 1)
    return int(found[1]) / per_year
