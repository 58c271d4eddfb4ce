"""单位的写法：同一个单位的种种写法归为一个，量的是哪一类东西。"""

import re
from functools import lru_cache

from health_assistant.lab_report.printed_text import normalize

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
    "t/l": "10^12/l",
}
_COUNT_UNIT = re.compile(
    r"(?:(?P<word>k|m|mil|million|thou|thousand|千|万|百万)|10(?:[\^~*-]|e)?(?P<power>[1-9]\d?))?"
    r"(?:个|#|cells?|细胞)?/(?P<volume>[uμnp]l|mm\^?3|cumm|cmm|ml|l)"
)
"""细胞数的单位：10 的几次方每升、每微升，或 K、万、个每微升。"""
_COUNT_WORDS = {"k": 3, "thou": 3, "thousand": 3, "千": 3, "万": 4, "m": 6, "mil": 6, "million": 6, "百万": 6}
_COUNT_VOLUMES = {"l": 0, "ml": 3, "nl": 9, "pl": 12, "ul": 6, "μl": 6, "mm3": 6, "mm^3": 6, "cumm": 6, "cmm": 6}
_CHINESE = {"国际单位": "iu", "单位": "u", "毫米汞柱": "mmhg"} | {
    prefix + quantity: short + unit
    for prefix, short in {"毫": "m", "微": "μ", "纳": "n", "皮": "p", "分": "d", "飞": "f", "": ""}.items()
    for quantity, unit in {"摩尔": "mol", "克": "g", "升": "l"}.items()
}
_UNIT_KINDS = (
    (re.compile(r"10\^\d+/l"), "数目"),
    (re.compile(r"(个|cells?)?/([hl]pf?|(高|低)倍视野?)"), "视野"),
    (re.compile(r"[fpnμmd]?(mol|g|u|iu|eq)/[dmμ]?l( ?feu| ?ddu|\(feu\)|\(ddu\))?"), "浓度"),
    (re.compile(r"%|‰"), "百分比"),
    (re.compile(r"fl|pg"), "单个细胞"),
    (re.compile(r"s|min"), "时间"),
    (re.compile(r"mm/hr?"), "沉降"),
    (re.compile(r"mmhg|kpa"), "压力"),
)


@lru_cache(maxsize=1 << 12)
def fold_unit(unit: str) -> str:
    """单位的比较形式：`×10^9/L`、`10~9/L`、`109/L`、`10*9/l` 都是 `10^9/l`，`umol/L` 是 `μmol/l`。"""
    folded = spell_unit(unit)
    folded = re.sub(r"^10?[\^~*\-]?(9|12)/[l1i|]$", r"10^\1/l", folded)
    folded = re.sub(r"/[1|i]$", "/l", folded)
    folded = re.sub(r"/(24小时|24hrs?|d|day|[天日])$", "/24h", folded)
    folded = _fold_count(folded) or folded
    return _UNIT_SPELLINGS.get(folded, folded)


def spell_unit(unit: str) -> str:
    """单位的拼法统一：小写，中文写成字母，μ 只有一种；数值相同的不同单位（mIU/mL 与 U/L）还分得开。"""
    spelled = (
        normalize(unit).lower().replace("umo", "μmo").replace("uiu", "μiu").replace("mcg/", "μg/").replace("ug/", "μg/")
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
    return next((kind for pattern, kind in _UNIT_KINDS if pattern.fullmatch(folded)), "")


def is_only_for_blood(unit: str) -> bool:
    """只用于血液的单位：血细胞数、红细胞的体积、血沉。"""
    return bool(re.fullmatch(r"10\^(9|1[0-2])/l|fl|mm/h", fold_unit(unit)))


def is_per_field(unit: str) -> bool:
    """显微镜下每个视野的个数。"""
    return kind_of_unit(unit) == "视野"


def is_per_microlitre(unit: str) -> bool:
    """每微升的个数：血细胞与尿沉渣都这样印。"""
    return fold_unit(unit) == "10^6/l"
