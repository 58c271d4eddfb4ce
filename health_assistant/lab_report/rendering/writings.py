"""同一份内容在别的医院的写法：只换印的字，高低仍是抽样时定的。

版式在 `Style.writings` 里点名，每页从中抽一种，空串是照旧。
"""

import re
from collections.abc import Callable

import numpy as np

from health_assistant.lab_report.report import PrintedRow

Rewrite = Callable[[PrintedRow, str | None, np.random.Generator], PrintedRow]
"""(一项, 真值, rng) -> 换了写法的一项。"""

_NEGATIVE, _POSITIVE = r"阴性(\(-\))?|-", r"弱?阳性(\(\++\))?|±|\d?\++"
_WORDS = {
    "reactive": ("无反应性", "有反应性"), "detected": ("未检出", "检出"),
}  # fmt: skip
_UNIT_WORDS = {"/μL": "个/微升", "/HP": "个/高倍视野", "mmol/L": "毫摩尔/升",
               "μmol/L": "微摩尔/升", "umol/L": "微摩尔/升",
               "g/L": "克/升", "U/L": "单位/升", "mg/L": "毫克/升"}  # fmt: skip


def _comma(item: PrintedRow, flag: str | None, rng: np.random.Generator) -> PrintedRow:
    """小数写成逗号；三位小数的少印一位，免得像千位分隔，少印了就到界上的照旧。"""
    result = re.sub(r"(?<=\.\d\d)\d+$", "", item.result)
    if result != item.result and float(result.lstrip("<>≤")) in map(float, re.findall(r"[\d.]+", item.reference_range)):
        return item
    texts = {"result": result, "reference_range": item.reference_range}
    return item.model_copy(update={key: re.sub(r"(?<=\d)\.(?=\d)", ",", text) for key, text in texts.items()})


def _with_word(item: PrintedRow, flag: str | None, rng: np.random.Generator) -> PrintedRow:
    """数后面写着阴性、阳性，只对上限：`0.02(阴性)`。"""
    if not (re.fullmatch(r"[\d.]+", item.result) and re.match("[<≤]", item.reference_range)):
        return item
    word = "阴性" if flag == "normal" else "阳性"
    return item.model_copy(update={"result": f"{item.result}({word})"})


def _worded_limit(item: PrintedRow, flag: str | None, rng: np.random.Generator) -> PrintedRow:
    """范围里有词也有界：`阴性<1.00`。"""
    limits = item.reference_range
    return item.model_copy(update={"reference_range": f"阴性{limits}"}) if re.match("[<>]", limits) else item


def _worded(kind: str) -> Rewrite:
    def rewrite(item: PrintedRow, flag: str | None, rng: np.random.Generator) -> PrintedRow:
        """定性的结果换一套词。"""
        negative, positive = _WORDS[kind]
        if not re.fullmatch(_NEGATIVE, item.reference_range):
            return item
        is_negative = bool(re.fullmatch(_NEGATIVE, item.result))
        if not is_negative and not re.fullmatch(_POSITIVE, item.result):
            return item
        return item.model_copy(update={"result": negative if is_negative else positive, "reference_range": negative})

    return rewrite


def _unit_words(item: PrintedRow, flag: str | None, rng: np.random.Generator) -> PrintedRow:
    """单位写成汉字。"""
    return item.model_copy(update={"unit": _UNIT_WORDS.get(item.unit, item.unit)})


def _counted(item: PrintedRow, flag: str | None, rng: np.random.Generator) -> PrintedRow:
    """镜检的结果是范围：`3-5`；整个在界的一边，真值不变。"""
    limits = re.fullmatch(r"0\D+(\d+)", item.reference_range)
    if item.unit not in ("/HP", "/μL", "/uL") or not limits or flag not in ("normal", "high"):
        return item
    top = int(limits[1])
    start = int(rng.integers(0, max(1, top))) if flag == "normal" else top + int(rng.integers(1, 9))
    end = min(top, start + 2) if flag == "normal" else start + int(rng.integers(2, 6))
    return item.model_copy(update={"result": f"{start}-{end}" if end > start else str(start)})


WRITINGS: dict[str, Rewrite] = {
    "comma": _comma, "with_word": _with_word, "worded_limit": _worded_limit, "reactive": _worded("reactive"),
    "detected": _worded("detected"), "unit_words": _unit_words, "counted": _counted,
}  # fmt: skip
