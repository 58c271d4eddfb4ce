"""区间与定性词的比较：结果在参考范围的哪一边。

结果也当作区间：`4.84` 是 [4.84, 4.84]，`<0.01` 是 (-∞, 0.01)。两个区间的位置关系就是高低判断，
部分重叠就是“不能判断”。全部用 Decimal，不用浮点数：5.2 与 5.20 相等，0.1 就是 0.1。
"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal

from health_assistant.lab_report.groups import may_all_apply
from health_assistant.lab_report.qualitative import GRADED, QualitativeResult
from health_assistant.lab_report.report import Flag

_FOUND = re.compile(r"[查看]见|[查找]到|找见|检见|见到|发现")
"""说找到了；范围是阴性、未见时就是异常。"""
_RARE_IS_BELOW = 3
"""“偶见”是几个视野才见一个：上限到 3 的范围容得下；上限是 0、1 的（原始细胞、管型）不猜。"""
_OPPOSITES = (("浑浊", "透明"), ("稀便", "软便"))
"""结果与范围不是一回事的。"""


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
            return f"{str(replace(self, word=None)).removeprefix('=')}({self.word})"
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

    def as_ratio(self) -> "Interval":
        """1:n 说的是分数 1/n 而不是滴度（产前筛查的风险，n 越大越低）：变成可以比大小的区间；不是 1:n 的照旧。"""
        if not self.is_titre:
            return self
        low, high = (None if bound is None else 1 / bound for bound in (self.low, self.high))
        return Interval(low, high, self.low_open, self.high_open)

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


Value = Interval | QualitativeResult
"""一个结果的意思：数，或定性的词。"""


@dataclass(frozen=True)
class PartitionedInterval:
    """按性别、年龄或生理期分开的几个范围；每一组是（人群，范围），人群如 `男`、`女卵泡期`、`0-3岁`。"""

    groups: tuple[tuple[str, Value], ...]

    def __str__(self) -> str:
        return "，".join(f"{who} {interval}" for who, interval in self.groups)

    def for_person(self, sex: str | None, age_years: float | None) -> list[Value]:
        """可能适用于这个人的范围；性别、年龄未知时不排除任何一个。只印了一种性别而性别未知时为空。"""
        applies = may_all_apply([who for who, _ in self.groups], sex, age_years)
        return [interval for (_, interval), may_apply in zip(self.groups, applies, strict=True) if may_apply]


ReferenceRange = Value | PartitionedInterval


def intervals_of(reference: ReferenceRange | None) -> tuple[Interval, ...]:
    """范围里的区间：分人群的有几个，定性的、没有的一个也没有。"""
    each = [interval for _, interval in reference.groups] if isinstance(reference, PartitionedInterval) else [reference]
    return tuple(interval for interval in each if isinstance(interval, Interval))


def compare(
    result: Value,
    reference: ReferenceRange,
    sex: str | None = None,
    age_years: float | None = None,
) -> Flag:
    """结果相对参考范围的位置。范围因人而异而 sex（男、女）、age_years（周岁）不全时，只有各种可能都一致才下判断。"""
    candidates = reference.for_person(sex, age_years) if isinstance(reference, PartitionedInterval) else [reference]
    flags = {_compare_one(result, interval) for interval in candidates}
    return flags.pop() if len(flags) == 1 else "unknown"


def _compare_one(result: Value, reference: Value) -> Flag:
    if isinstance(result, Interval) and isinstance(reference, Interval) and result.is_titre == reference.is_titre:
        if reference.low == 0 and result.low is None:
            # 范围从 0 起的量没有负数：`<0.01` 在 `0-0.04` 之内
            result = Interval(Decimal(0), result.high, high_open=result.high_open)
        flag = _compare_numbers(result, reference)
        # 数在范围之内而印着阳性、在范围之外而印着阴性，自相矛盾；抑制法的抗体（`>1`）越低越是阳性
        says_positive = result.word in ("弱阳性", "阳性")
        return "unknown" if result.word and flag != "unknown" and says_positive == (flag == "normal") else flag
    if isinstance(reference, QualitativeResult):
        return (
            _compare_terms(result, reference)
            if isinstance(result, QualitativeResult)
            else _compare_with_negative(result, reference)
        )
    return _compare_with_cutoff(result, reference) if isinstance(result, QualitativeResult) else "unknown"


def _compare_numbers(result: Interval, reference: Interval) -> Flag:
    if result.inside(reference):
        return "normal"
    if result.below(reference):
        return "low"
    return "high" if reference.below(result) else "unknown"


def _compare_with_negative(result: Interval, reference: QualitativeResult) -> Flag:
    """滴度、个数对“阴性”“未见”：有滴度就是阳性，0 个就是没有；别的数与文字不能比。"""
    if result.word:
        return _compare_terms(QualitativeResult((result.word,)), reference)
    if reference.allows_few and result.low == result.high == 0:
        return "normal"
    if set(reference.words) != {"阴性"}:
        return "unknown"
    if result.is_titre and result.low is not None:
        return "abnormal"
    is_none = result.low == result.high == 0 or (result.is_titre and result.low is None)
    return "normal" if is_none else "unknown"


def _compare_with_cutoff(result: QualitativeResult, reference: Interval) -> Flag:
    """阴性、阳性对一个界限：`未见` 对 `0`，`阳性` 对 `<1:100`，`阴性` 对 `<25`、`0-25`、`阴性>1`。"""
    is_cutoff = reference.word == "阴性" or reference.low is None or reference.low == 0
    if is_cutoff and reference.high is not None and result.amount == "many":
        return "abnormal"
    is_roomy = not reference.word and reference.high is not None and reference.high >= _RARE_IS_BELOW
    if is_cutoff and is_roomy and result.amount == "rare":
        return "normal"
    if not is_cutoff or not result.is_graded or result.grade == 0:
        return "unknown"
    return "normal" if result.words[0] == "阴性" else "abnormal"


def _compare_terms(result: QualitativeResult, reference: QualitativeResult) -> Flag:
    word = result.words[0]
    if word == "阳性" and word in reference.words and reference.grade is not None and result.grade != reference.grade:
        if result.grade is None:
            return "unknown"
        if result.grade > reference.grade:
            return "abnormal"
        return "normal" if "阴性" in reference.words else "unknown"
    if _bare_word(word) in map(_bare_word, reference.words) or any(
        _hues(word) <= _hues(usual) for usual in reference.words
    ):
        return "normal"
    if word == "正常" and reference.words[0] in ("阴性", "弱阳性"):
        return "normal"  # 尿条的葡萄糖、尿胆原，仪器把阴性印成 NORMAL
    if word == "阴性" and reference.allows_few:
        return "normal"
    if result.amount == "many" and (reference.words == ("阴性",) or reference.amount in ("rare", "some")):
        return "abnormal"
    if _FOUND.fullmatch(word) and reference.words == ("阴性",):
        return "abnormal"
    is_denied = word[0] in "不非" and word[1:] in reference.words
    if is_denied or (word, *reference.words) in _OPPOSITES:
        return "abnormal"
    return "abnormal" if word in GRADED and set(reference.words) <= set(GRADED) else "unknown"


def _hues(word: str) -> set[str]:
    """大便的黄褐、棕黄里有哪几种颜色；不是这样的颜色，是它自己。"""
    plain = _bare_word(word).replace("棕", "褐")
    return set(plain) if re.fullmatch("[黄褐]{1,2}", plain) else {word}


def _bare_word(word: str) -> str:
    """比较用的词：不分大小写，“色”可有可无；淡黄、浅黄都是黄。"""
    return re.sub("^[淡浅草](?=黄)", "", word.casefold().removesuffix("色"))
