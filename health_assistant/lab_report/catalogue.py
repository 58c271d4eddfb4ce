"""指标目录：每个检验指标叫什么、量什么、通常范围和危急值。内容在 indicators.yaml，由人编辑。

目录的范围只在报告没有印范围时使用；置信度 C 的条目从不参与判断。
"""

import re
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from functools import cache, cached_property, lru_cache
from importlib import resources
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, InstanceOf, model_validator

from health_assistant.checked_yaml import Entry, check_yaml, repeated_values
from health_assistant.lab_report.reference_range import ByGroup, Interval, Terms, normalize

Specimen = Literal["blood", "urine", "stool", "other"]
Direction = Literal["high", "low", "abnormal"]

# 不是通常条件下的结果，不能和目录比
_NOT_THE_USUAL = re.compile(r"餐后|负荷|服糖|小时|分钟|\d+\s*(h|min)", re.IGNORECASE)
_OTHER_SPECIMENS = re.compile(
    r"静脉血气|脐血|脑脊液|胸水|腹水|积液|穿刺|引流|关节液|灌洗|精液|白带|分泌物|痰|汗液|羊水"
)
# 看似不同、实为同一个单位的写法；左边是去掉空白并转为小写之后的
_UNIT_SPELLINGS = {
    "秒": "s",
    "sec": "s",
    "mm/1h": "mm/h",
    "miu/ml": "u/l",
    "μiu/ml": "miu/l",
    "ng/l": "pg/ml",
    "μg/l": "ng/ml",
    "iu/l": "u/l",
    # 有的医院就这样印错；10^0 是 10^9 的误读，没有用它作单位的指标
    "μmom/l": "μmol/l",
    "10^0/l": "10^9/l",
}


_DRUG_OR_DOSE = re.compile(
    r"\d\s*(mg|毫克|[uμ]g|微克|克|ml|毫升|片|粒|丸|支|袋|次)|[半一二两三四]\s*(片|粒|丸)|每[日天][^，。；]{0,4}次|次每"
    r"|服用|口服|吃药|用药|注射|剂量|胶囊|西林|头孢|他汀|沙星|洛尔|地平|阿司匹林|布洛芬|华法林|双胍|胰岛素治疗"
)


def _phrase(text: str) -> str:
    if found := _DRUG_OR_DOSE.search(text):
        raise ValueError(f"不能出现药名或剂量：“{found[0]}”")
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


def _reference(raw: Any) -> Interval | Terms | ByGroup:
    if isinstance(raw, str):
        return Terms(tuple(raw.split("/")))
    if not (isinstance(raw, dict) and set(raw) in ({"any"}, {"male", "female"})):
        raise ValueError("要写成 {any: […]}、{male: […], female: […]} 或定性词")
    if "any" in raw:
        return _interval(raw["any"])
    return ByGroup((("男", _interval(raw["male"])), ("女", _interval(raw["female"]))))


Phrase = Annotated[str, AfterValidator(_phrase)]
Sentence = Annotated[Phrase, AfterValidator(_sentence)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Factor = Annotated[InstanceOf[Fraction], BeforeValidator(_factor)]
Reference = Annotated[InstanceOf[Interval] | InstanceOf[Terms] | InstanceOf[ByGroup], BeforeValidator(_reference)]


class CriticalValue(Entry):
    """一个指标的危急值。置信度 C（只凭记忆）的不许存在。"""

    low: Number | None = None
    high: Number | None = None
    specimen: str
    source: str
    confidence: Literal["A", "B"]

    @model_validator(mode="after")
    def _check(self) -> "CriticalValue":
        if self.low is None and self.high is None:
            raise ValueError("低、高两个界限至少写一个")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"低的界限 {self.low} 不小于高的界限 {self.high}")
        return self


class CriticalTable(Entry):
    """危急值表；`values` 的键是指标的 code，界限用该指标的单位。"""

    version: str
    age_group: Literal["成人"]
    note: str
    values: dict[str, CriticalValue]


class Indicator(Entry):
    """目录里的一个指标。`reference` 与 `critical` 都用 `unit` 作单位。"""

    code: str
    name: str
    aliases: tuple[str, ...] = ()
    specimen: Specimen
    unit: str = ""
    other_units: tuple[str, ...] = ()
    more_units: tuple[str, ...] = ()
    conversions: dict[str, Factor] = {}
    reference: Reference | None = None
    source: str = ""
    confidence: Literal["A", "B", "C"] = "C"
    panel: str
    department: str
    measures: Sentence
    high: Sentence | None = None
    low: Sentence | None = None
    abnormal: Sentence | None = None
    advice_high: Sentence | None = None
    advice_low: Sentence | None = None
    advice_abnormal: Sentence | None = None
    red_flags: dict[Direction, Sentence] = {}
    harmless: tuple[Direction, ...] = ()
    note: str = ""
    critical_value: CriticalValue | None = None
    """由危急值表填，不写在这一项里。"""

    @property
    def decides(self) -> bool:
        """目录范围可否用来下判断。"""
        return self.confidence != "C" and self.reference is not None

    @cached_property
    def intervals(self) -> tuple[Interval, ...]:
        """参考范围里的区间：分男女的有两个，定性的没有。"""
        groups = self.reference.groups if isinstance(self.reference, ByGroup) else [("", self.reference)]
        return tuple(limits for _, limits in groups if isinstance(limits, Interval))

    @property
    def typical(self) -> Interval | None:
        """看数量级用的范围：分男女的取其一；不是数的为 None。"""
        return self.intervals[0] if self.intervals else None

    @cached_property
    def units(self) -> frozenset[str]:
        return frozenset(fold_unit(one) for one in (self.unit, *self.other_units))

    @cached_property
    def meanings(self) -> dict[str, str]:
        return {way: text for way in ("high", "low", "abnormal") if (text := getattr(self, way))}

    @cached_property
    def advice(self) -> dict[str, str]:
        return {way: text for way in ("high", "low", "abnormal") if (text := getattr(self, f"advice_{way}"))}

    @cached_property
    def _factors(self) -> dict[str, Fraction]:
        return {fold_unit(unit): factor for unit, factor in self.conversions.items()}

    @property
    def critical(self) -> Interval | None:
        return Interval(self.critical_value.low, self.critical_value.high) if self.critical_value else None

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

    @model_validator(mode="after")
    def _check(self) -> "Indicator":
        if self.reference is not None and not self.source:
            raise ValueError("有参考范围而没有写来源 source")
        if self.meanings.keys() != self.advice.keys():
            raise ValueError("high、low、abnormal 与 advice_ 开头的要成对")
        if missing := {*self.red_flags, *self.harmless, *self._possible()} - self.meanings.keys():
            raise ValueError(f"可能出现而没有说法的方向：{'、'.join(sorted(missing))}")
        if both := self.units & self._factors.keys():
            raise ValueError(f"conversions 里的单位已经是它自己的单位：{'、'.join(both)}")
        return self

    def _possible(self) -> set[str]:
        """参考范围有界的一边都可能超出；下限为 0 的量不会偏低。"""
        limits = self.intervals
        ways = {"low": any(one.low not in (None, 0) for one in limits), "high": any(one.high for one in limits)}
        return {way for way in ways if ways[way]} | ({"abnormal"} if isinstance(self.reference, Terms) else set())


class CatalogueFile(Entry):
    """indicators.yaml 的内容。"""

    version: int
    critical_values: CriticalTable
    indicators: tuple[Indicator, ...]

    @model_validator(mode="after")
    def _check(self) -> "CatalogueFile":
        if repeated := repeated_values(one.code for one in self.indicators):
            raise ValueError(f"code 重复：{'、'.join(repeated)}")
        by_code = {one.code: one for one in self.indicators}
        if strange := sorted(self.critical_values.values.keys() - by_code.keys()):
            raise ValueError(f"critical_values：目录里没有这些指标：{'、'.join(strange)}")
        for code, value in self.critical_values.values.items():
            for usual in by_code[code].intervals:
                if (value.low and usual.low and value.low >= usual.low) or (
                    value.high and usual.high and value.high <= usual.high
                ):
                    raise ValueError(f"“{code}”的危急值落在参考范围 {usual} 之内")
        for (_, name), sharing in [entry for index in _build_index(self.indicators) for entry in index.items()]:
            if shared := repeated_values(unit for one in sharing for unit in one.units):
                who = "、".join(one.code for one in sharing)
                raise ValueError(f"“{who}”：名称“{name}”与单位“{shared[0]}”都相同，分不清")
        return self


@lru_cache(maxsize=1 << 12)
def fold_unit(unit: str) -> str:
    """单位的比较形式：`×10^9/L`、`10~9/L`、`109/L`、`10*9/l` 都是 `10^9/l`，`umol/L` 是 `μmol/l`。"""
    folded = normalize(unit).lower().replace("umo", "μmo").replace("uiu", "μiu").replace("ug/", "μg/")
    folded = re.sub(r"^[x×*]", "", folded)
    folded = re.sub(r"^10?[\^~*\-]?(9|12)/[l1i|]$", r"10^\1/l", folded)
    folded = re.sub(r"/[1|i]$", "/l", folded)
    return _UNIT_SPELLINGS.get(folded, folded)


@lru_cache(maxsize=1 << 13)
def fold_name(name: str) -> str:
    """名称与代号的比较形式：全角转半角，大写，去掉空白、星号、末尾的“测定”与括号里的说明。"""
    folded = re.sub(r"\([^)%#]*\)", "", normalize(name).upper())
    return re.sub(r"[*★☆\s_]|(测定|检测)$", "", folded).replace("Α", "α")


_CONFUSABLE = str.maketrans({"0": "O", "1": "L", "I": "L", "|": "L", "5": "S", "8": "B"})


def fold_code(code: str) -> str:
    """代号的比较形式：在 `fold_name` 之上把 OCR 易混的字符归一，`E0%` 与 `EO%`、`C1-` 与 `Cl-` 相同。"""
    return fold_name(code).translate(_CONFUSABLE)


@cache
def load_catalogue() -> tuple[Indicator, ...]:
    """读入 indicators.yaml。"""
    return parse_catalogue(resources.files(__package__).joinpath("indicators.yaml").read_text("utf-8"))


def parse_catalogue(text: str) -> tuple[Indicator, ...]:
    """文字 -> 核对过的目录；有错则 BadYaml。"""
    file = check_yaml(CatalogueFile, text, "indicators.yaml")
    values = file.critical_values.values
    return tuple(one.model_copy(update={"critical_value": values.get(one.code)}) for one in file.indicators)


def find_indicator(name: str, code: str, unit: str, report_type: str = "") -> Indicator | None:
    """在目录里找这一行对应的指标；名称优先，名称不认识时代号与单位都对上才算。

    `report_type` 用来分辨标本：尿液里的“葡萄糖”不是血糖，脑脊液等目录里没有的标本一律返回 None。
    """
    if _NOT_THE_USUAL.search(name) or unit.lower().endswith(("/24h", "/d")):
        return None
    specimen = guess_specimen(report_type, name)
    names, codes = _index()
    by_code = codes.get((specimen, fold_code(code or name)), [])
    # 有的名称含字母，读的人可能把字母当成了代号：总 + T3，ABO + 血型
    spellings = (name or code, name + code, code + name)
    by_name = next((found for one in spellings if (found := names.get((specimen, fold_name(one))))), [])
    if not by_name:
        matches = _fitting(by_code, unit)
    elif len(by_name) > 1:
        # 同名的指标（中性粒细胞的绝对值与百分比）由单位分辨，单位没印时由代号
        matches = _fitting(by_name, unit) or [one for one in by_name if one in by_code]
    else:
        matches = by_name
    return matches[0] if len(matches) == 1 else None


def _fitting(candidates: list[Indicator], unit: str) -> list[Indicator]:
    same = [one for one in candidates if one.same_unit(unit)]
    return same or [one for one in candidates if one.knows_unit(unit)]


def is_known_code(code: str) -> bool:
    """目录里有没有这个代号，不论标本。"""
    return fold_code(code) in _known()[1]


def is_known_name(name: str) -> bool:
    """目录里有没有这个名称，不论标本。"""
    return fold_name(name) in _known()[0]


def guess_specimen(report_type: str, name: str) -> Specimen:
    """从报告类型与项目名看标本。血最常见，没有相反的字样就当作血。"""
    text = report_type + name
    if _OTHER_SPECIMENS.search(text):
        return "other"
    if re.search(r"(?<!小)便|粪", text):
        return "stool"
    return "urine" if re.search(r"尿(?!素|酸|肽)|小便|24小时|24h|urin", text, re.IGNORECASE) else "blood"


Index = dict[tuple[Specimen, str], list[Indicator]]


def _build_index(indicators: Iterable[Indicator]) -> tuple[Index, Index]:
    """名称 -> 指标，代号 -> 指标。只有英文全名算名称：缩写太短，要连同单位才能认。"""
    names: Index = {}
    codes: Index = {}
    for one in indicators:
        words = (one.name, *(alias for alias in one.aliases if not alias.isascii() or re.search(r"[a-z]{4}", alias)))
        for name in {fold_name(word) for word in words}:
            names.setdefault((one.specimen, name), []).append(one)
        for code in {fold_code(code) for code in (re.sub(r"^[UF]-", "", one.code), one.code, *one.aliases)}:
            codes.setdefault((one.specimen, code), []).append(one)
    return names, codes


@cache
def _index() -> tuple[Index, Index]:
    return _build_index(load_catalogue())


@cache
def _known() -> tuple[frozenset[str], frozenset[str]]:
    names = frozenset(name for _, name in _index()[0])
    # 总T3、补体C3、免疫球蛋白G 末尾的字母是名称的一部分，单凭它不能当作代号拆开
    ends = (re.search(r"(?<=[^\x00-\x7f])[A-Z]\d*$", name) for name in names)
    tails = {fold_code(end[0]) for end in ends if end}
    return names, frozenset(code for _, code in _index()[1]) - tails
