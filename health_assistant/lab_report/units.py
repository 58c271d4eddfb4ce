"""单位的写法：同一个单位的种种写法归为一个，量的是哪一类东西。表在 units.yaml，由人编辑。"""

import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.printed_text import normalize

_TABLE = load_yaml(Path(__file__).with_name("units.yaml"))
UCUM_CODES: dict[str, str] = _TABLE["ucum"]
"""整个单位（比较用的写法）-> UCUM。"""
UCUM_PROPERTIES: dict[str, list[str]] = _TABLE["properties"]
"""UCUM 的形状 -> 可能是哪几种量。"""
_UNIT_KINDS = {kind: re.compile(pattern) for kind, pattern in _TABLE["kinds"].items()}
_METRIC = re.compile(r"([pnμmd]?)(mol|g)/([μmd]?)l")
_PREFIXES = {"p": -12, "n": -9, "μ": -6, "m": -3, "d": -1, "": 0}
_ACTIVITY = re.compile(r"[fpnμmdk]?(i?u|kat)/[dmμ]?l")
_COUNT_UNIT = re.compile(
    r"(?:(?P<word>k|m|mil|mill|million|milyon|bin|thou|thousands?|lakhs?|lacs?|1000|千|百?万|百)\.?|10(?:[\^~*-]|e)?(?P<power>[1-9]\d?))?"
    r"(?:个|#|cells?|细胞)?/(?P<volume>[uμnp]l|mm\^?3|cu\.?mm|cmm|ml|l)"
)
"""细胞数的单位：10 的几次方每升、每微升，或 K、万、个每微升。"""
_COUNT_WORDS: dict[str, int] = _TABLE["count_words"]
_COUNT_VOLUMES: dict[str, int] = _TABLE["count_volumes"]
_UNIT_AND_FLAG = re.compile(r"(?P<unit>\S*[/%‰fgLl]\S*?)(?<!/[1|l])\s*[(\[]?(?P<flag>HH?|LL?)[)\]]?\s*")
_FLAG_AND_UNIT = re.compile(r"\*\s*(?P<unit>(?![1lI|][0Oo])[^*]+)")
"""`* %`、`*mm/hour`；`*10^9/L` 的星号是乘号。"""
_CHINESE: dict[str, str] = _TABLE["chinese"] | {
    prefix + quantity: short + unit
    for prefix, short in _TABLE["chinese_prefixes"].items()
    for quantity, unit in _TABLE["chinese_quantities"].items()
}


@lru_cache(maxsize=1 << 12)
def fold_unit(unit: str) -> str:
    """单位的比较形式：`×10^9/L`、`10~9/L`、`109/L`、`10*9/l` 都是 `10^9/l`，`umol/L` 是 `μmol/l`。"""
    folded = spell_unit(unit)
    folded = re.sub(r"^10?[\^~*\-]?(9|12)/[l1i|]$", r"10^\1/l", folded)
    folded = re.sub(r"/[1|i]$", "/l", re.sub(r"(?<=mo)[1|i](?=/|$)|(?<=/m)[1|i]$", "l", folded))
    folded = re.sub(r"[·.*]?l(-|\^-)1$", "/l", folded)  # mmol·L⁻¹
    folded = re.sub(r"^([mμnp]?(?:mol|g|iu))([mdμ]?l)$", r"\1/\2", folded)  # 一斜没有读出来的 mmolL
    folded = f"{folded[0]}mol/l" if re.fullmatch(r"[mμnp]M", unit.strip()) else folded
    folded = re.sub(r"/(24小时|24hrs?|d|day|[天日])$", "/24h", folded)
    folded = _fold_count(folded) or folded
    return _TABLE["spellings"].get(folded, folded)


def spell_unit(unit: str) -> str:
    """单位的拼法统一：小写，中文写成字母，μ 只有一种；数值相同的不同单位（mIU/mL 与 U/L）还分得开。"""
    spelled = (
        normalize(unit)
        .lower()
        .replace("umo", "μmo")
        .replace("uiu", "μiu")
        .replace("microiu/", "μiu/")
        .replace("microlu/", "μiu/")
        .replace("mcg/", "μg/")
        .replace("ug/", "μg/")
        .replace("/mcl", "/μl")
    )
    spelled = re.sub("|".join(_CHINESE), lambda word: _CHINESE[word[0]], spelled)
    return re.sub(r"^[x×*]", "", re.sub(r"^\((.*)\)$", r"\1", spelled))


def _fold_count(unit: str) -> str | None:
    """细胞数的单位一律写成 10 的几次方每升：`k/μl` 是 `10^9/l`，`/μl` 是 `10^6/l`；不是细胞数为 None。"""
    parts = _COUNT_UNIT.fullmatch(unit)
    if not parts:
        return None
    power, volume = parts["power"] or _COUNT_WORDS.get(parts["word"]), _COUNT_VOLUMES[parts["volume"]]
    # 没有几次方的每毫升多是拷贝数，`k/l` 不是单位
    is_count = parts["power"] or volume >= 6 or (parts["word"] and volume)
    return f"10^{int(power or 0) + volume}/l" if is_count else None


def kind_of_unit(unit: str) -> str:
    """单位量的是哪一类东西；认不出的为空串。"""
    folded = fold_unit(unit)
    return next((kind for kind, pattern in _UNIT_KINDS.items() if pattern.fullmatch(folded)), "")


def dimension_of(unit: str) -> str:
    """同 `kind_of_unit`，酶与效价的活性（U/L）同物质的浓度再分开：一项不会两样都用，除非目录里写着。"""
    return "活性" if _ACTIVITY.fullmatch(fold_unit(unit)) else kind_of_unit(unit)


def split_flag(unit: str) -> tuple[str, str]:
    """单位与紧跟在后面的标记：`mmol/L H`，空白没有读出来的是 `g/LL`；前面的 `*` 也是；没有标记的第二个是空串。"""
    starred = _FLAG_AND_UNIT.fullmatch(unit)
    if starred and kind_of_unit(starred["unit"]):
        return starred["unit"], "*"
    match = _UNIT_AND_FLAG.fullmatch(unit)
    if not match or not kind_of_unit(match["unit"]) or kind_of_unit(unit):
        return unit, ""
    return match["unit"], match["flag"]


def metric_factor(unit: str, other: str) -> Decimal | None:
    """以 unit 计的数乘以多少是以 other 计的，两个只差词头的浓度（mmol/L 与 μmol/L 是 1000）；不是的为 None。"""
    ours, theirs = _METRIC.fullmatch(fold_unit(unit)), _METRIC.fullmatch(fold_unit(other))
    if not ours or not theirs or ours[2] != theirs[2]:
        return None
    powers = [_PREFIXES[parts[1]] - _PREFIXES[parts[3]] for parts in (ours, theirs)]
    return Decimal(10) ** (powers[0] - powers[1])


def is_only_for_blood(unit: str) -> bool:
    """只用于血液的单位：血细胞数、红细胞的体积、血沉。"""
    return bool(re.fullmatch(r"10\^(9|1[0-2])/l|fl|mm/h", fold_unit(unit)))


def is_per_field(unit: str) -> bool:
    """显微镜下每个视野的个数。"""
    return kind_of_unit(unit) == "视野"


def is_per_microlitre(unit: str) -> bool:
    """每微升的个数：血细胞与尿沉渣都这样印。"""
    return fold_unit(unit) == "10^6/l"
