"""同一份内容在别的医院的写法：只换印的字，高低仍是抽样时定的。

版式在 `Style.writings` 里点名，每页从中抽一种，空串是照旧。
"""

import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial

import numpy as np

from health_assistant.lab_report.report import Flag, PrintedRow

Rewrite = Callable[[PrintedRow, Flag | None, np.random.Generator], PrintedRow]
"""(一项, 真值, rng) -> 换了写法的一项。"""

_NEGATIVE, _POSITIVE = r"阴性(\(-\))?|-", r"弱?阳性(\(\++\))?|±|\d?\++"
_NUMBER = r"\d+(?:\.\d+)?"
_UPPER_LIMIT = re.compile(rf"\(?(?:0\D+|([<≤]=?))({_NUMBER})\)?")
_WORDS = {
    "reactive": ("无反应性", "有反应性"), "detected": ("未检出", "检出"),
}  # fmt: skip
_UNIT_WORDS = {"/μL": "个/微升", "/HP": "个/高倍视野", "mmol/L": "毫摩尔/升",
               "μmol/L": "微摩尔/升", "umol/L": "微摩尔/升",
               "g/L": "克/升", "U/L": "单位/升", "mg/L": "毫克/升"}  # fmt: skip


def _comma(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """小数写成逗号；三位小数的少印一位，免得像千位分隔，少印了就到界上的照旧。"""
    result = re.sub(r"(?<=\.\d\d)\d+$", "", item.result)
    if result != item.result and float(result.lstrip("<>≤")) in map(float, re.findall(r"[\d.]+", item.reference_range)):
        return item
    texts = {"result": result, "reference_range": item.reference_range}
    return item.model_copy(update={key: re.sub(r"(?<=\d)\.(?=\d)", ",", text) for key, text in texts.items()})


def _with_word(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """数后面写着阴性、阳性，只对上限：`0.02(阴性)`。"""
    if not (re.fullmatch(r"[\d.]+", item.result) and re.match("[<≤]", item.reference_range)):
        return item
    word = "阴性" if flag == "normal" else "阳性"
    return item.model_copy(update={"result": f"{item.result}({word})"})


def _worded_limit(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """范围里有词也有界：`阴性<1.00`。"""
    limits = item.reference_range
    return item.model_copy(update={"reference_range": f"阴性{limits}"}) if re.match("[<>]", limits) else item


def _worded(kind: str) -> Rewrite:
    def rewrite(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
        """定性的结果换一套词。"""
        negative, positive = _WORDS[kind]
        if not re.fullmatch(_NEGATIVE, item.reference_range):
            return item
        is_negative = bool(re.fullmatch(_NEGATIVE, item.result))
        if not is_negative and not re.fullmatch(_POSITIVE, item.result):
            return item
        return item.model_copy(update={"result": negative if is_negative else positive, "reference_range": negative})

    return rewrite


def _unit_words(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """单位写成汉字。"""
    return item.model_copy(update={"unit": _UNIT_WORDS.get(item.unit, item.unit)})


def _counted(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """镜检的结果是范围：`3-5`；整个在界的一边，真值不变。"""
    limits = re.fullmatch(r"0\D+(\d+)", item.reference_range)
    if item.unit not in ("/HP", "/μL", "/uL") or not limits or flag not in ("normal", "high"):
        return item
    top = int(limits[1])
    start = int(rng.integers(0, max(1, top))) if flag == "normal" else top + int(rng.integers(1, 9))
    end = min(top, start + 2) if flag == "normal" else start + int(rng.integers(2, 6))
    return item.model_copy(update={"result": f"{start}-{end}" if end > start else str(start)})


def _number_and_word(shape: str, words: tuple[str, str], item: PrintedRow, flag: Flag | None,
                     rng: np.random.Generator) -> PrintedRow:  # fmt: skip
    """定量的结果后面跟着定性的话，正常的是阴性；words 是正常与异常的。"""
    if flag is None or not re.fullmatch(_NUMBER, item.result):
        return item
    return item.model_copy(update={"result": shape.format(item.result, words[flag != "normal"])})


def _counts(dash: str, item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """镜下数细胞：结果是一段，范围是从 0 起的整数；每微升多少的改成每高倍视野多少。"""
    limit = _UPPER_LIMIT.fullmatch(item.reference_range)
    if not limit or not item.unit.startswith("/") or flag not in ("normal", "high"):
        return item
    high = int(rng.integers(2, 9)) if item.unit.endswith("L") else int(limit[2])
    if flag == "high":
        low = high + int(rng.integers(1, 12))
        result = f"{low}{dash}{low + int(rng.integers(2, 6))}"
    else:
        result = f"0{dash}{rng.integers(1, high + 1)}" if high else "0"
    return item.model_copy(update={"result": result, "reference_range": f"0-{high}", "unit": "/HP"})


def _scientific(template: str, item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """结果与上限都是科学记数；没有测到的写成小于上限。"""

    def write(number: Decimal) -> str:
        return template.format(number.scaleb(-number.adjusted()), number.adjusted())

    limit, value = _UPPER_LIMIT.fullmatch(item.reference_range), re.search(_NUMBER, item.result)
    if flag is None or not limit or not value:
        return item
    high = write(Decimal(limit[2]))
    copies = Decimal(value[0]) * 10 ** int(rng.integers(0, 5))
    result = write(copies) if flag == "high" else f"<{high}"
    return item.model_copy(update={"result": result, "reference_range": f"{limit[1] or '<'}{high}"})


def _european(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """小数点是逗号。结果至多两位小数，三位的像千分位；舍入时不越过界限。"""
    result = item.result
    if re.fullmatch(r"\d+\.\d{3,}", result):
        result = f"{Decimal(result).quantize(Decimal('0.01'), ROUND_CEILING if flag == 'high' else ROUND_FLOOR)}"
    texts = {"result": result, "reference_range": item.reference_range}
    return item.model_copy(update={key: text.replace(".", ",") for key, text in texts.items()})


def _thousands(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> PrintedRow:
    """四位以上的数写千分位：`4,000-12,600`。"""

    def write(text: str) -> str:
        return re.sub(r"(?<![\d.])\d{4,}(?!\d)", lambda number: f"{int(number[0]):,}", text)

    texts = {"result": item.result, "reference_range": item.reference_range}
    return item.model_copy(update={key: write(text) for key, text in texts.items()})


WRITINGS: dict[str, Rewrite] = {
    "comma": _comma, "with_word": _with_word, "worded_limit": _worded_limit, "reactive": _worded("reactive"),
    "detected": _worded("detected"), "unit_words": _unit_words, "counted": _counted,
    "word_in_brackets": partial(_number_and_word, "{}（{}）", ("阴性", "阳性")),
    "word_after": partial(_number_and_word, "{} {}", ("阴性", "阳性")),
    "sign_in_brackets": partial(_number_and_word, "{} ({})", ("-", "+")),
    "counts": partial(_counts, "-"),
    "counts_tilde": partial(_counts, "~"),
    "powers": partial(_scientific, "{:.2f}×10^{}"),
    "exponents": partial(_scientific, "{:.2f}E+{:02}"),
    "european": _european,
    "thousands": _thousands,
}  # fmt: skip
