"""指标目录：每个检验指标叫什么、量什么、各种人通常的范围。内容在 indicators.yaml，由人编辑。

目录的范围只在报告没有印范围时使用；置信度 C 的条目从不参与判断。
"""

import re
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, InstanceOf, model_validator

from health_assistant.checked_yaml import Entry, read_yaml, refuse, repeated_values
from health_assistant.lab_report.interval import Interval, PartitionedInterval, ReferenceRange, intervals_of
from health_assistant.lab_report.naming import build_index
from health_assistant.lab_report.person import Person, Spoken, SpokenTo, parse_age
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.specimen import Specimen
from health_assistant.lab_report.units import fold_unit
from health_assistant.lab_report.word_lists import any_of

Direction = Literal["high", "low", "abnormal"]

FRACTION = "1"
"""百分数印成小数（0.343 就是 34.3%）时的单位，UCUM 的写法。"""
_DRUG_OR_DOSE = any_of("drug_or_dose", flags=0)


def _phrase(text: str) -> str:
    drug = _DRUG_OR_DOSE.search(text)
    if drug:
        raise ValueError(f"不能出现药名或剂量：“{drug[0]}”")
    if not text.strip():
        raise ValueError("是空的")
    return text


def _sentence(text: str) -> str:
    if not (6 <= len(text) <= 90 and text.endswith("。")):
        raise ValueError("应当是 6 到 90 个字、以句号结尾的话")
    return text


def _number(raw: Any) -> Decimal:
    if not (isinstance(raw, str) and re.fullmatch(r"-?\d+(\.\d+)?", raw)):
        raise ValueError(f"数要写成带引号的小数，而不是 {raw!r}")
    return Decimal(raw)


def _factor(raw: Any) -> Fraction:
    parts = [_number(part) for part in (raw.split("/") if isinstance(raw, str) else [raw])]
    if len(parts) > 2 or any(part <= 0 for part in parts):
        raise ValueError(f'倍数要大于 0，写成 "10" 或 "1/18.016"，而不是 {raw!r}')
    return Fraction(parts[0]) / Fraction(parts[1] if len(parts) == 2 else 1)


def _interval(bounds: Any) -> Interval:
    if not (isinstance(bounds, list) and len(bounds) == 2 and bounds != [None, None]):
        raise ValueError(f"范围要写成 [下限, 上限]，而不是 {bounds!r}")
    low, high = (None if bound is None else _number(bound) for bound in bounds)
    if low is not None and high is not None and low >= high:
        raise ValueError(f"下限 {low} 不小于上限 {high}")
    return Interval(low, high)


def _reference(raw: Any) -> ReferenceRange:
    if isinstance(raw, str):
        return QualitativeResult(tuple(raw.split("/")))
    if not (isinstance(raw, dict) and set(raw) in ({"any"}, {"male", "female"})):
        raise ValueError("要写成 {any: […]}、{male: […], female: […]} 或定性词")
    if "any" in raw:
        return _interval(raw["any"])
    return PartitionedInterval((("男", _interval(raw["male"])), ("女", _interval(raw["female"]))))


Phrase = Annotated[str, AfterValidator(_phrase)]
Sentence = Annotated[Phrase, AfterValidator(_sentence)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Factor = Annotated[InstanceOf[Fraction], BeforeValidator(_factor)]
Reference = Annotated[
    InstanceOf[Interval] | InstanceOf[QualitativeResult] | InstanceOf[PartitionedInterval], BeforeValidator(_reference)
]


def _age(raw: Any) -> float:
    years = parse_age(raw) if isinstance(raw, str) else None
    if years is None:
        raise ValueError(f"年龄要写成 28天、6月、13岁，而不是 {raw!r}")
    return years


Age = Annotated[float, BeforeValidator(_age)]
Bounds = Annotated[InstanceOf[Interval], BeforeValidator(_interval)]


class GroupRange(Entry):
    """一群人的参考范围，代替一般成人的那一个。年龄是 [start, below)，单位为年；孕期按三个月一段。"""

    start: Age = Field(0.0, alias="from")
    below: Age = inf
    sex: Literal["男", "女"] | None = None
    trimester: Literal[1, 2, 3] | None = None
    range: Bounds
    source: str
    confidence: Literal["A", "B", "C"]

    def fits(self, person: Person) -> bool:
        """这个人在不在这一群；性别未知时两种性别的都算。"""
        if self.sex and person.sex not in (None, self.sex):
            return False
        if self.trimester:
            return person.pregnant and person.trimester == self.trimester
        return not person.pregnant and person.age_years is not None and self.start <= person.age_years < self.below


class Sayings(Entry):
    """各个方向的说明，与怎么办。"""

    high: Sentence | None = None
    low: Sentence | None = None
    abnormal: Sentence | None = None
    advice_high: Sentence | None = None
    advice_low: Sentence | None = None
    advice_abnormal: Sentence | None = None


class PersonTexts(Sayings):
    """对一部分人另说的话；没有写的照一般的。"""

    who: SpokenTo
    measures: Sentence | None = None
    red_flags: dict[Direction, Sentence] | None = None
    harmless: tuple[Direction, ...] | None = None
    department: str | None = None
    department_high: str | None = None


class Analyte(Sayings, Spoken):
    """目录里的一个指标。`reference` 与 `groups` 都用 `unit` 作单位；`reference` 是一般成人的。"""

    code: str
    name: str
    aliases: tuple[str, ...] = ()
    specimen: Specimen
    unit: str = ""
    other_units: tuple[str, ...] = ()
    more_units: tuple[str, ...] = ()
    conversions: dict[str, Factor] = {}
    rough_conversions: dict[str, Factor] = {}
    reference: Reference | None = None
    source: str = ""
    confidence: Literal["A", "B", "C"] = "C"
    panel: str
    department: str
    department_high: str | None = None
    """偏高时看的科室与偏低的不同：血红蛋白低查胃肠，高查血液。"""
    measures: Sentence
    red_flags: dict[Direction, Sentence] = {}
    harmless: tuple[Direction, ...] = ()
    groups: tuple[GroupRange, ...] = ()
    texts: tuple[PersonTexts, ...] = ()
    twins: tuple[str, ...] = ()
    sought: bool = False
    note: str = ""
    general: Reference | None = None
    """由 for_person 填：`reference` 换成这个人那一群的之前，一般成人的范围。"""

    def for_person(self, person: Person) -> "Analyte":
        """对这个人用的：参考范围是他那一群的（目录没有就没有，从不借别人的），话也是对他说的。"""
        interval, confidence = self._reference_for(person)
        return self.spoken_to(person, reference=interval, confidence=confidence, general=self.reference)

    def _reference_for(self, person: Person) -> tuple[ReferenceRange | None, str]:
        fitting = [group for group in self.groups if group.fits(person)]
        if fitting:
            by_sex = tuple((group.sex, group.range) for group in fitting if group.sex)
            confidence = max(group.confidence for group in fitting)
            return (PartitionedInterval(by_sex) if by_sex else fitting[0].range), confidence
        if isinstance(self.reference, QualitativeResult):
            return self.reference, self.confidence
        # 孕期会变的，没有说到哪一段就不比；不变的照一般成人
        changes_in_pregnancy = any(group.trimester for group in self.groups)
        is_general = person.is_adult and not (person.pregnant and changes_in_pregnancy)
        return (self.reference if is_general else None), self.confidence

    @property
    def is_authoritative(self) -> bool:
        """目录范围可否用来下判断。"""
        return self.confidence != "C" and self.reference is not None

    @cached_property
    def intervals(self) -> tuple[Interval, ...]:
        """参考范围里的区间：分男女的有两个，定性的没有。"""
        return intervals_of(self.reference)

    @cached_property
    def general_intervals(self) -> tuple[Interval, ...]:
        """一般成人的参考区间，不论这一份是对谁用的。"""
        return intervals_of(self.general or self.reference)

    @cached_property
    def known_intervals(self) -> tuple[Interval, ...]:
        """有把握的参考区间：这个人那一群的；没有就是各种人的。看印着的范围像不像这一项的。"""
        if self.is_authoritative and self.intervals:
            return self.intervals
        general = self.general_intervals if self.confidence != "C" else ()
        return (*general, *(group.range for group in self.groups if group.confidence != "C"))

    @property
    def spelled_units(self) -> tuple[str, ...]:
        """目录里写着的各个单位，自己的在先。"""
        return (self.unit, *self.other_units, *self.conversions, *self.rough_conversions, *self.more_units)

    @cached_property
    def units(self) -> frozenset[str]:
        """数值可以直接比较的几个单位，是比较用的写法。"""
        return frozenset(fold_unit(unit) for unit in (self.unit, *self.other_units))

    @cached_property
    def meanings(self) -> dict[str, str]:
        """有说法的各个方向 -> 说明。"""
        return {way: text for way in ("high", "low", "abnormal") if (text := getattr(self, way))}

    @cached_property
    def advice(self) -> dict[str, str]:
        """有说法的各个方向 -> 怎么办。"""
        return {way: text for way in ("high", "low", "abnormal") if (text := getattr(self, f"advice_{way}"))}

    @cached_property
    def _factors(self) -> dict[str, Fraction]:
        """别的单位（比较用的写法）-> 乘多少；百分数印成小数、血细胞数印成每微升的，不必在 conversions 里一一写。"""
        factors = {fold_unit(unit): factor for unit, factor in (self.conversions | self.rough_conversions).items()}
        if self.unit == "%":
            factors[FRACTION] = Fraction(100)
        power = {"10^9/l": 9, "10^12/l": 12}.get(fold_unit(self.unit))
        if power:
            # 每微升、万每微升；10^9 与 10^12 每升之间多是印错、读错，不换
            factors |= {f"10^{other}/l": Fraction(10) ** (other - power) for other in (6, 10)}
        return factors

    def direction(self, flag: str) -> Direction | None:
        """这个判断该用哪一方向的话；定性的阳性与定量的偏高说的是一回事，互相代替。"""
        ways: tuple[Any, ...] = (flag, {"high": "abnormal", "abnormal": "high"}.get(flag))
        return next((way for way in ways if way in self.meanings), None)

    def is_harmless(self, flag: str) -> bool:
        """这个判断本身不是问题，如乙肝表面抗体阳性。"""
        return self.direction(flag) in self.harmless

    def same_unit(self, unit: str) -> bool:
        """数值可以直接比较的单位。"""
        return fold_unit(unit) in self.units

    def knows_unit(self, unit: str) -> bool:
        """这一项可能用的单位，包括换不成 `unit` 的。"""
        return self.convert(Decimal(1), unit) is not None or fold_unit(unit) in map(fold_unit, self.more_units)

    def convert(self, value: Decimal, unit: str) -> Decimal | None:
        """以 `unit` 计的数值换成本指标的单位；不知道怎么换则为 None。"""
        if self.same_unit(unit):
            return value
        factor = self._factors.get(fold_unit(unit))
        return None if factor is None else value * factor.numerator / factor.denominator

    def bounds(self, interval: Interval, unit: str) -> tuple[Decimal | None, Decimal | None]:
        """以 `unit` 计的区间的两端，换成本指标的单位；没有界、不知道怎么换的一端为 None。"""
        low, high = (None if bound is None else self.convert(bound, unit) for bound in (interval.low, interval.high))
        return low, high

    @model_validator(mode="after")
    def _check(self) -> "Analyte":
        if self.reference is not None and not self.source:
            raise ValueError("有参考范围而没有写来源 source")
        if self.meanings.keys() != self.advice.keys():
            raise ValueError("high、low、abnormal 与 advice_ 开头的要成对")
        ways = {*self.red_flags, *self.harmless, *self._possible()}
        refuse("可能出现而没有说法的方向", ways - self.meanings.keys())
        refuse("conversions 里的单位已经是它自己的单位", self.units & self._factors.keys())
        return self

    def _possible(self) -> set[str]:
        """参考范围有界的一边都可能超出；下限为 0 的量不会偏低。"""
        ways = {"abnormal"} if isinstance(self.reference, QualitativeResult) else set()
        ways |= {"low" for interval in self.intervals if interval.low}
        ways |= {"high" for interval in self.intervals if interval.high}
        return ways


class CatalogueFile(Entry):
    """indicators.yaml 的内容。"""

    version: int
    indicators: tuple[Analyte, ...]

    @model_validator(mode="after")
    def _check(self) -> "CatalogueFile":
        refuse("code 重复", repeated_values(analyte.code for analyte in self.indicators))
        codes = {analyte.code for analyte in self.indicators}
        for analyte in self.indicators:
            refuse(f"“{analyte.code}”的 twins：目录里没有这些指标", {*analyte.twins} - codes)
        for name, sharing in [entry for index in build_index(self.indicators) for entry in index.items()]:
            told_apart = {code for analyte in sharing for code in analyte.twins}  # 由印着的范围分辨
            own = [analyte for analyte in sharing if analyte.code not in told_apart]
            for specimen in get_args(Specimen):
                units = [unit for analyte in own if analyte.specimen == specimen for unit in analyte.units]
                shared = repeated_values(units)
                if shared:
                    who = "、".join(analyte.code for analyte in sharing)
                    raise ValueError(f"“{who}”：名称“{name}”与单位“{shared[0]}”都相同，分不清")
        return self


class ChildhoodFile(Entry):
    """childhood_texts.yaml 的内容：代号 -> 对孩子、新生儿另说的话。"""

    version: int
    texts: dict[str, tuple[PersonTexts, ...]]


@cache
def load_catalogue() -> tuple[Analyte, ...]:
    """读入 indicators.yaml，连同 childhood_texts.yaml 里对孩子说的话；有错则 BadYaml，有不认识的代号则 ValueError。"""
    folder = Path(__file__).parent
    analytes = read_yaml(CatalogueFile, folder / "indicators.yaml").indicators
    to_children = read_yaml(ChildhoodFile, folder / "childhood_texts.yaml").texts
    refuse("childhood_texts.yaml：目录里没有这些指标", to_children.keys() - {analyte.code for analyte in analytes})
    whole = []
    for analyte in analytes:
        texts = (*analyte.texts, *to_children.get(analyte.code, ()))
        by_weight = sorted(texts, key=lambda text: text.who == "孕妇")  # 后面的盖过前面的：怀着孕的孩子先是孕妇
        whole.append(analyte.model_copy(update={"texts": tuple(by_weight)}))
    return tuple(whole)


@cache
def analytes_by_code() -> dict[str, Analyte]:
    """代号 -> 目录里的一项。"""
    return {analyte.code: analyte for analyte in load_catalogue()}
