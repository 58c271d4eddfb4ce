"""抽好的一项再换一种写法：数后面跟着字、结果本身是一段、科学记数……真值跟着改。

一种写法是一个函数：收随机数发生器，定下这一页的习惯，返回改一项的函数；名字写在 `Style.rewrites` 里。
"""

import re
from collections.abc import Callable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import numpy as np

from health_assistant.lab_report.report import Flag, ReadItem

Pair = tuple[ReadItem, Flag | None]
Rewrite = Callable[[ReadItem, Flag | None], Pair]

_NUMBER = r"\d+(?:\.\d+)?"


def _number_and_word(rng: np.random.Generator) -> Rewrite:
    """`0.02(阴性)`、`8.30 阳性`：定量的结果后面跟着定性的话，正常的是阴性。"""
    shapes = ("{}({})", "{}（{}）", "{} {}", "{} ({})")
    shape, is_short = shapes[rng.integers(len(shapes))], bool(rng.random() < 0.3)

    def rewrite(item: ReadItem, flag: Flag | None) -> Pair:
        if flag is None or not re.fullmatch(_NUMBER, item.result):
            return item, flag
        word = "阴性" if flag == "normal" else "阳性"
        if is_short and "(" in shape:
            word = "-" if flag == "normal" else "+"
        return item.model_copy(update={"result": shape.format(item.result, word)}), flag

    return rewrite


def _counts(rng: np.random.Generator) -> Rewrite:
    """镜下数细胞：结果是一段，如 `0-1`、`8-10`，范围是从 0 起的整数；每微升多少的改成每高倍视野多少。"""
    dash = ("-", "-", "~")[rng.integers(3)]

    def rewrite(item: ReadItem, flag: Flag | None) -> Pair:
        limit = re.fullmatch(r"\(?(?:0\D+|[<≤]=?)(\d+)\)?", item.reference_range)
        if not limit or not item.unit.startswith("/") or flag not in ("normal", "high"):
            return item, flag
        high = int(rng.integers(2, 9)) if item.unit.endswith("L") else int(limit[1])
        if flag == "high":
            low = high + int(rng.integers(1, 12))
            result = f"{low}{dash}{low + int(rng.integers(2, 6))}"
        else:
            result = f"0{dash}{rng.integers(1, high + 1)}" if high else "0"
        return item.model_copy(update={"result": result, "reference_range": f"0-{high}", "unit": "/HP"}), flag

    return rewrite


def _scientific(rng: np.random.Generator) -> Rewrite:
    """`3.28×10^4`，上限也是；没有测到的写成小于检测下限。"""
    times = ("×10^", "×10^", "x10^", "E+")[rng.integers(4)]

    def write(number: Decimal) -> str:
        return f"{number.scaleb(-number.adjusted()):.2f}{times}{number.adjusted():0{2 if times == 'E+' else 1}}"

    def rewrite(item: ReadItem, flag: Flag | None) -> Pair:
        limit = re.fullmatch(rf"\(?(?:0\D+|([<≤]=?))({_NUMBER})\)?", item.reference_range)
        value = re.search(_NUMBER, item.result)
        if flag is None or not limit or not value:
            return item, flag
        high = f"{limit[1] or '<'}{write(Decimal(limit[2]))}"
        copies = Decimal(value[0]) * 10 ** int(rng.integers(0, 5))
        result = write(copies) if flag == "high" else f"<{write(Decimal(limit[2]))}"
        return item.model_copy(update={"result": result, "reference_range": high}), flag

    return rewrite


def _no_ranges(rng: np.random.Generator) -> Rewrite:
    """整张没有参考范围，也就没有标记，无从比较。"""

    def rewrite(item: ReadItem, flag: Flag | None) -> Pair:
        return item.model_copy(update={"reference_range": "", "mark": None}), None

    return rewrite


def _decimal_comma(rng: np.random.Generator) -> Rewrite:
    """欧洲的写法：小数点是逗号。结果至多两位小数，三位的像千分位；舍入时不越过界限。"""

    def rewrite(item: ReadItem, flag: Flag | None) -> Pair:
        result = item.result
        if re.fullmatch(r"\d+\.\d{3,}", result):
            result = f"{Decimal(result).quantize(Decimal('0.01'), ROUND_CEILING if flag == 'high' else ROUND_FLOOR)}"
        texts = {"result": result, "reference_range": item.reference_range}
        return item.model_copy(update={key: text.replace(".", ",") for key, text in texts.items()}), flag

    return rewrite


def _thousands(rng: np.random.Generator) -> Rewrite:
    """四位以上的数写千分位：`4,000-12,600`。"""

    def rewrite(item: ReadItem, flag: Flag | None) -> Pair:
        changed = {key: re.sub(r"(?<![\d.])\d{4,}(?!\d)", lambda found: f"{int(found[0]):,}", getattr(item, key))
                   for key in ("result", "reference_range")}  # fmt: skip
        return item.model_copy(update=changed), flag

    return rewrite


REWRITES: dict[str, Callable[[np.random.Generator], Rewrite]] = {
    "number_and_word": _number_and_word,
    "counts": _counts,
    "scientific": _scientific,
    "no_ranges": _no_ranges,
    "decimal_comma": _decimal_comma,
    "thousands": _thousands,
}
