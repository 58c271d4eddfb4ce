"""两个人读同一张报告：哪一行对哪一行，读得一样不一样。"""

from collections.abc import Iterable
from difflib import SequenceMatcher
from typing import TypeVar

from health_assistant.lab_report.printed_text import fold_code, fold_name, normalize
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.report import PrintedRow
from health_assistant.lab_report.units import fold_unit

MIN_SIMILARITY = 0.6
"""名称与代号的相似度（0 到 1）不到它，就不当作同一行。"""

One = TypeVar("One", bound=PrintedRow)
Other = TypeVar("Other", bound=PrintedRow)


def align(items: Iterable[One], others: Iterable[Other]) -> list[tuple[One, Other]]:
    """把两边的行配对：从最相似的一对开始，各用一次；同样相似时取位置相近的。"""
    items, others = list(items), list(others)
    candidates = [
        (_similarity(item, other), -abs(i - j), i, j) for i, item in enumerate(items) for j, other in enumerate(others)
    ]
    pairs: dict[int, int] = {}
    taken: set[int] = set()
    for similarity, _, i, j in sorted(candidates, reverse=True):
        if similarity >= MIN_SIMILARITY and i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return [(items[i], others[j]) for i, j in sorted(pairs.items())]


def same_result(result: str, other: str) -> bool:
    """写法相同，或意思相同：4.0 与 4.00，阴性与 (-)。"""
    if normalize(result) == normalize(other):
        return True
    parsed = parse_result(result)
    return parsed is not None and parsed == parse_result(other)


def same_range(limits: str, other: str) -> bool:
    """写法相同，或意思相同；空着与印着一串横线都是没有范围。"""
    if normalize(limits).strip("-/*") == normalize(other).strip("-/*"):
        return True
    parsed = parse_range(limits)
    return parsed is not None and parsed == parse_range(other)


def describe_reading(row: PrintedRow) -> str:
    """另一个读数，写给核对的人看：结果、单位，括号里是范围。"""
    limits = f"（{row.reference_range}）" if row.reference_range else ""
    return f"{row.result or '（空）'} {row.unit}".rstrip() + limits


def units_agree(unit: str, other: str) -> bool:
    """同一个单位，或有一边没有读到。"""
    return not (unit and other) or fold_unit(unit) == fold_unit(other)


def _similarity(item: PrintedRow, other: PrintedRow) -> float:
    """名称的相似度；代号相同时不低于 0.9，代号与名称粘在一起也认得。"""
    same_code = 0.9 if item.code and fold_code(item.code) == fold_code(other.code) else 0.0
    name, names = fold_name(item.name), {fold_name(other.name), fold_name(other.name + other.code)}
    if name in names:
        return 1.0
    return max(same_code, *(SequenceMatcher(None, name, spelled, autojunk=False).ratio() for spelled in names))
