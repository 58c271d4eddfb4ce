"""一张读出的报告对照真值：行、数值、单位、范围、异常，以及最要紧的“无声的错”。

异常指 high、low、abnormal 之一。真值的判断是 None 的行（无从比较）不计判断的对错。
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from difflib import SequenceMatcher

from health_assistant.lab_report.catalogue import fold_code, fold_name, fold_unit
from health_assistant.lab_report.reference_range import normalize
from health_assistant.lab_report.report import ABNORMAL_FLAGS, Flag, LabItem, LabReport, ReadItem

MIN_SIMILARITY = 0.6
"""名称与代号的相似度（0 到 1）不到它，就不当作同一行。"""


class TrueItem(ReadItem):
    """一行真值。"""

    flag: Flag | None = None


@dataclass
class ReportScore:
    """计数；几张报告的可以相加。"""

    rows: int = 0
    found: int = 0
    invented: int = 0
    """读出来而真值里没有的行。"""
    result_right: int = 0
    unit_right: int = 0
    range_right: int = 0
    abnormal: int = 0
    abnormal_found: int = 0
    abnormal_false: int = 0
    """判为异常而真值不是异常的行。"""
    undecided: int = 0
    """真值有判断而我们说 unknown 的行：不是错，是没帮上忙。"""
    silent_errors: list[str] = field(default_factory=list)
    """没有表示怀疑（不是 unknown）而数值或判断错了的行，和无中生有又下了判断的行。"""

    def __add__(self, other: "ReportScore") -> "ReportScore":
        return ReportScore(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def abnormal_f1(self) -> float:
        """异常行的 F1，0 到 1；真值与读数都没有异常行时为 1。"""
        relevant = self.abnormal + self.abnormal_found + self.abnormal_false
        return 2 * self.abnormal_found / relevant if relevant else 1.0

    def __str__(self) -> str:
        return (
            f"行 {self.found}/{self.rows}（多出 {self.invented}）  结果 {self.result_right}  单位 {self.unit_right}  "
            f"范围 {self.range_right}  异常 {self.abnormal_found}/{self.abnormal}（误报 {self.abnormal_false}，"
            f"F1 {self.abnormal_f1:.3f}）  未判断 {self.undecided}  无声的错 {len(self.silent_errors)}"
        )


def score_report(read: LabReport, truth: list[TrueItem]) -> ReportScore:
    """对照一张报告。"""
    pairs = align(read.items, truth)
    score = ReportScore(rows=len(truth), found=len(pairs), invented=len(read.items) - len(pairs))
    score.abnormal = sum(item.flag in ABNORMAL_FLAGS for item in truth)
    for item, true in pairs:
        _score_row(score, item, true)
    paired = {id(item) for item, _ in pairs}
    for item in read.items:
        if id(item) not in paired and item.flag != "unknown":
            score.silent_errors.append(f"{item.name}：多出的一行，判为 {item.flag}")
    return score


def _score_row(score: ReportScore, item: LabItem, true: TrueItem) -> None:
    result_right = normalize(item.result) == normalize(true.result)
    score.result_right += result_right
    score.unit_right += fold_unit(item.unit) == fold_unit(true.unit)
    score.range_right += normalize(item.reference_range) == normalize(true.reference_range)
    if item.flag == "unknown":
        score.undecided += true.flag is not None
        return
    if not result_right:
        score.silent_errors.append(f"{true.name}：结果 {true.result} 读成 {item.result}，判为 {item.flag}")
    if true.flag is None:
        return
    is_abnormal, was_abnormal = item.flag in ABNORMAL_FLAGS, true.flag in ABNORMAL_FLAGS
    score.abnormal_found += is_abnormal and was_abnormal
    score.abnormal_false += is_abnormal and not was_abnormal
    # 定性的异常不分方向
    same_but_undirected = is_abnormal and was_abnormal and "abnormal" in (item.flag, true.flag)
    if item.flag != true.flag and not same_but_undirected:
        score.silent_errors.append(f"{true.name}：应为 {true.flag}，判为 {item.flag}")


def align(items: Iterable[LabItem], truth: Iterable[TrueItem]) -> list[tuple[LabItem, TrueItem]]:
    """把读出的行与真值配对：从最相似的一对开始，各用一次；同样相似时取位置相近的。"""
    items, truth = list(items), list(truth)
    candidates = [
        (_similarity(item, true), -abs(i - j), i, j) for i, item in enumerate(items) for j, true in enumerate(truth)
    ]
    pairs: dict[int, int] = {}
    for similarity, _, i, j in sorted(candidates, reverse=True):
        if similarity >= MIN_SIMILARITY and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return [(items[i], truth[j]) for i, j in sorted(pairs.items())]


def _similarity(item: ReadItem, true: ReadItem) -> float:
    """名称的相似度；代号相同时不低于 0.9，代号与名称粘在一起也认得。"""
    same_code = 0.9 if item.code and fold_code(item.code) == fold_code(true.code) else 0.0
    names = (fold_name(item.name), fold_name(true.name))
    glued = (fold_name(item.name), fold_name(true.name + true.code))
    return max(same_code, *(SequenceMatcher(None, *pair, autojunk=False).ratio() for pair in (names, glued)))
