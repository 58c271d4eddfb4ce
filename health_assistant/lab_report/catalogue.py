"""指标目录：每个检验指标叫什么、量什么、通常范围和危急值。内容在 indicators.yaml，由人编辑。

目录的范围只在报告没有印范围时使用；置信度 C 的条目从不参与判断。
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib import resources
from typing import Literal

import yaml

from health_assistant.lab_report.reference_range import (
    ByGroup,
    Interval,
    ReferenceRange,
    Terms,
    normalize,
)

Specimen = Literal["blood", "urine", "other"]

# 不是通常条件下的结果，不能和目录比
_NOT_THE_USUAL = re.compile(r"餐后|负荷|服糖|小时|分钟|\d+\s*(h|min)", re.IGNORECASE)
_OTHER_SPECIMENS = re.compile(
    r"静脉血气|脐血|脑脊液|胸水|腹水|积液|穿刺|引流|关节液|灌洗|便|粪|精液|白带|分泌物|痰|汗液|羊水"
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


@dataclass(frozen=True)
class Indicator:
    """目录里的一个指标。`reference` 与 `critical` 都用 `unit` 作单位。"""

    code: str
    name: str
    aliases: tuple[str, ...]
    specimen: Specimen
    unit: str
    units: frozenset[str]
    reference: ReferenceRange | None
    critical: Interval | None
    source: str
    confidence: Literal["A", "B", "C"]
    panel: str
    department: str
    measures: str
    meanings: dict[str, str]
    advice: dict[str, str]

    @property
    def decides(self) -> bool:
        """目录范围可否用来下判断。"""
        return self.confidence != "C" and self.reference is not None

    def same_unit(self, unit: str) -> bool:
        return fold_unit(unit) in self.units


def fold_unit(unit: str) -> str:
    """单位的比较形式：`×10^9/L`、`10~9/L`、`109/L`、`10*9/l` 都是 `10^9/l`，`umol/L` 是 `μmol/l`。"""
    folded = normalize(unit).lower().replace("umo", "μmo").replace("uiu", "μiu").replace("ug/", "μg/")
    folded = re.sub(r"^[x×*]", "", folded)
    folded = re.sub(r"^10?[\^~*\-]?(9|12)/[l1i|]$", r"10^\1/l", folded)
    folded = re.sub(r"/[1|i]$", "/l", folded)
    return _UNIT_SPELLINGS.get(folded, folded)


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
    text = resources.files(__package__).joinpath("indicators.yaml").read_text("utf-8")
    return tuple(_indicator(entry) for entry in yaml.safe_load(text)["indicators"])


def find_indicator(name: str, code: str, unit: str, report_type: str = "") -> Indicator | None:
    """在目录里找这一行对应的指标；名称优先，名称不认识时代号与单位都对上才算。

    `report_type` 用来分辨标本：尿液里的“葡萄糖”不是血糖，脑脊液等目录里没有的标本一律返回 None。
    """
    if _NOT_THE_USUAL.search(name) or unit.lower().endswith(("/24h", "/d")):
        return None
    specimen = guess_specimen(report_type, name)
    by_name = _by_name().get((specimen, fold_name(name)), [])
    by_code = _by_code().get((specimen, fold_code(code)), []) if code else []
    if not by_name:
        matches = [one for one in by_code if one.same_unit(unit)]
    elif len(by_name) > 1:
        # 同名的指标（中性粒细胞的绝对值与百分比）由单位分辨，单位没印时由代号
        matches = [one for one in by_name if one.same_unit(unit)] or [one for one in by_name if one in by_code]
    else:
        matches = by_name
    return matches[0] if len(matches) == 1 else None


def is_known_code(code: str) -> bool:
    """目录里有没有这个代号，不论标本。"""
    return any(known == fold_code(code) for _, known in _by_code())


def is_known_name(name: str) -> bool:
    """目录里有没有这个名称，不论标本。"""
    return any(known == fold_name(name) for _, known in _by_name())


def guess_specimen(report_type: str, name: str) -> Specimen:
    """从报告类型与项目名看标本。血最常见，没有相反的字样就当作血。"""
    text = report_type + name
    if _OTHER_SPECIMENS.search(text):
        return "other"
    return "urine" if re.search(r"尿(?!素|酸)|24小时|24h", text) else "blood"


@cache
def _by_name() -> dict[tuple[Specimen, str], list[Indicator]]:
    index: dict[tuple[Specimen, str], list[Indicator]] = {}
    for one in load_catalogue():
        for name in {fold_name(name) for name in (one.name, *one.aliases)}:
            index.setdefault((one.specimen, name), []).append(one)
    return index


@cache
def _by_code() -> dict[tuple[Specimen, str], list[Indicator]]:
    index: dict[tuple[Specimen, str], list[Indicator]] = {}
    for one in load_catalogue():
        for code in {fold_code(code) for code in (one.code.removeprefix("U-"), one.code, *one.aliases)}:
            index.setdefault((one.specimen, code), []).append(one)
    return index


def _indicator(entry: dict) -> Indicator:
    directions = ("high", "low", "abnormal")
    unit = entry.get("unit", "")
    return Indicator(
        code=entry["code"],
        name=entry["name"],
        aliases=tuple(entry.get("aliases", ())),
        specimen=entry["specimen"],
        unit=unit,
        units=frozenset(fold_unit(one) for one in (unit, *entry.get("other_units", ()))),
        reference=_reference(entry),
        critical=_interval([entry["critical"].get("low"), entry["critical"].get("high")])
        if "critical" in entry
        else None,
        source=entry["source"],
        confidence=entry["confidence"],
        panel=entry["panel"],
        department=entry.get("department", ""),
        measures=entry["measures"],
        meanings={way: entry[way] for way in directions if way in entry},
        advice={way: entry[f"advice_{way}"] for way in directions if f"advice_{way}" in entry},
    )


def _reference(entry: dict) -> ReferenceRange | None:
    if "expected" in entry:
        return Terms(tuple(entry["expected"].split("/")))
    reference = entry.get("reference")
    if not reference:
        return None
    if "any" in reference:
        return _interval(reference["any"])
    return ByGroup((("男", _interval(reference["male"])), ("女", _interval(reference["female"]))))


def _interval(bounds: list[str | None]) -> Interval:
    low, high = (None if bound is None else Decimal(bound) for bound in bounds)
    return Interval(low, high)
