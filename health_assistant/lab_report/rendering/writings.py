"""同一份内容在别的医院的写法：只换印的字，高低仍是抽样时定的。

版式在 `Style.writings` 里点名，每页从中抽一种，空串是照旧。
"""

import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import partial

import numpy as np

from health_assistant.lab_report.report import Flag, PrintedRow

Writing = Callable[[PrintedRow, Flag | None, np.random.Generator], dict[str, str]]
"""(一项, 真值, rng) -> 印得不同的各栏；不用换的是空的。"""

_NEGATIVE, _POSITIVE = r"阴性(\(-\))?|-", r"弱?阳性(\(\++\))?|±|\d?\++"
_NUMBER = r"\d+(?:\.\d+)?"
_UPPER_LIMIT = re.compile(rf"\(?(?:0\D+|([<≤]=?))({_NUMBER})\)?")
_UNIT_WORDS = {"/μL": "个/微升", "/HP": "个/高倍视野", "mmol/L": "毫摩尔/升",
               "μmol/L": "微摩尔/升", "umol/L": "微摩尔/升",
               "g/L": "克/升", "U/L": "单位/升", "mg/L": "毫克/升"}  # fmt: skip


def _worded_limit(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> dict[str, str]:
    """范围里有词也有界：`阴性<1.00`。"""
    limits = item.reference_range
    return {"reference_range": f"阴性{limits}"} if re.match("[<>]", limits) else {}


def _worded(negative: str, positive: str, item: PrintedRow, flag: Flag | None,
            rng: np.random.Generator) -> dict[str, str]:  # fmt: skip
    """定性的结果换一套词。"""
    is_negative, is_positive = (re.fullmatch(words, item.result) for words in (_NEGATIVE, _POSITIVE))
    if not re.fullmatch(_NEGATIVE, item.reference_range) or not (is_negative or is_positive):
        return {}
    return {"result": negative if is_negative else positive, "reference_range": negative}


def _unit_words(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> dict[str, str]:
    """单位写成汉字。"""
    return {"unit": _UNIT_WORDS.get(item.unit, item.unit)}


def _number_and_word(shape: str, normal: str, abnormal: str, item: PrintedRow, flag: Flag | None,
                     rng: np.random.Generator) -> dict[str, str]:  # fmt: skip
    """定量的结果后面跟着定性的话，正常的是阴性。"""
    if flag is None or not re.fullmatch(_NUMBER, item.result):
        return {}
    return {"result": shape.format(item.result, normal if flag == "normal" else abnormal)}


def _counts(dash: str, item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> dict[str, str]:
    """镜下数细胞：结果是一段，范围是从 0 起的整数；每微升多少的改成每高倍视野多少。"""
    limit = _UPPER_LIMIT.fullmatch(item.reference_range)
    if not limit or not item.unit.startswith("/") or flag not in ("normal", "high"):
        return {}
    high = int(rng.integers(2, 9)) if item.unit.endswith("L") else int(limit[2])
    if flag == "high":
        low = high + int(rng.integers(1, 12))
        result = f"{low}{dash}{low + int(rng.integers(2, 6))}"
    else:
        result = f"0{dash}{rng.integers(1, high + 1)}" if high else "0"
    return {"result": result, "reference_range": f"0-{high}", "unit": "/HP"}


def _scientific(template: str, item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> dict[str, str]:
    """结果与上限都是科学记数；没有测到的写成小于上限。"""

    def write(number: Decimal) -> str:
        return template.format(number.scaleb(-number.adjusted()), number.adjusted())

    limit, value = _UPPER_LIMIT.fullmatch(item.reference_range), re.search(_NUMBER, item.result)
    if flag is None or not limit or not value:
        return {}
    high = write(Decimal(limit[2]))
    copies = Decimal(value[0]) * 10 ** int(rng.integers(0, 5))
    return {"result": write(copies) if flag == "high" else f"<{high}", "reference_range": f"{limit[1] or '<'}{high}"}


def _european(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> dict[str, str]:
    """小数点是逗号。结果至多两位小数，三位的像千分位；舍入时不越过界限。"""
    result = item.result
    if re.fullmatch(r"\d+\.\d{3,}", result):
        result = f"{Decimal(result).quantize(Decimal('0.01'), ROUND_CEILING if flag == 'high' else ROUND_FLOOR)}"
    return {"result": result.replace(".", ","), "reference_range": item.reference_range.replace(".", ",")}


def _thousands(item: PrintedRow, flag: Flag | None, rng: np.random.Generator) -> dict[str, str]:
    """四位以上的数写千分位：`4,000-12,600`。"""
    texts = {"result": item.result, "reference_range": item.reference_range}
    return {
        field: re.sub(r"(?<![\d.])\d{4,}(?!\d)", lambda number: f"{int(number[0]):,}", text)
        for field, text in texts.items()
    }


WRITINGS: dict[str, Writing] = {
    "worded_limit": _worded_limit,
    "unit_words": _unit_words,
    "reactive": partial(_worded, "无反应性", "有反应性"),
    "detected": partial(_worded, "未检出", "检出"),
    "with_word": partial(_number_and_word, "{}({})", "阴性", "阳性"),
    "word_in_brackets": partial(_number_and_word, "{}（{}）", "阴性", "阳性"),
    "word_after": partial(_number_and_word, "{} {}", "阴性", "阳性"),
    "sign_in_brackets": partial(_number_and_word, "{} ({})", "-", "+"),
    "counts": partial(_counts, "-"),
    "counts_tilde": partial(_counts, "~"),
    "powers": partial(_scientific, "{:.2f}×10^{}"),
    "exponents": partial(_scientific, "{:.2f}E+{:02}"),
    "european": _european,
    "thousands": _thousands,
}  # fmt: skip
