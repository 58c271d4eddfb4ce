"""一张读出的报告对照真值：行、数值、单位、范围、异常、危急值，以及最要紧的“无声的错”。

异常指 high、low、abnormal 之一。真值的判断是 None 的行（无从比较）不计判断的对错。
"""

import re
from dataclasses import dataclass, field, fields

from scipy.special import betaincinv

from health_assistant.lab_report.alignment import align, same_range
from health_assistant.lab_report.person import Person, person_of
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    Flag,
    LabItem,
    LabReport,
    Origin,
    PrintedField,
    PrintedRow,
)
from health_assistant.lab_report.sheet_observation import possible_grave
from health_assistant.lab_report.units import fold_unit


class TrueItem(PrintedRow):
    """一行真值；判断 unknown 是不该判断的，None 是不知道。"""

    flag: Flag | None = None


@dataclass
class ReportScore:
    """计数；几张报告的可以相加。各种率在 0 到 1 之间，分母为 0 时算作没有错。"""

    rows: int = 0
    found: int = 0
    invented: int = 0
    """读出来而真值里没有的行。"""
    result_right: int = 0
    unit_right: int = 0
    range_right: int = 0
    normal: int = 0
    abnormal: int = 0
    abnormal_found: int = 0
    abnormal_false: int = 0
    """判为异常而真值不是异常的行，包括多出的行。"""
    critical: int = 0
    """真值达到目录危急值的行。"""
    critical_found: int = 0
    decided: int = 0
    """没有表示怀疑（不是 unknown）的行。"""
    undecided: int = 0
    """真值有判断而我们说 unknown 的行：不是错，是没帮上忙。"""
    refused: int = 0
    """拒读的整页里的行。"""
    origin: int = 0
    """真值印着、看得懂的栏：时间、医院、标本。"""
    origin_right: int = 0
    origin_wrong: int = 0
    """读出来而与真值不同、或真值没有印的栏。"""
    silent_errors: list[str] = field(default_factory=list)
    """没有表示怀疑而数值或判断错了的行，和无中生有又下了判断的行；一行一条。"""

    def __add__(self, other: "ReportScore") -> "ReportScore":
        return ReportScore(*(getattr(self, count.name) + getattr(other, count.name) for count in fields(self)))

    @property
    def abnormal_f1(self) -> float:
        """异常行的 F1；真值与读数都没有异常行时为 1。"""
        relevant = self.abnormal + self.abnormal_found + self.abnormal_false
        return 2 * self.abnormal_found / relevant if relevant else 1.0

    @property
    def silent_error_bound(self) -> float:
        """无声错误率的单侧 95% 上限（Clopper-Pearson）；没有下过判断时为 1。"""
        errors, rest = len(self.silent_errors), self.decided - len(self.silent_errors)
        return float(betaincinv(errors + 1, rest, 0.95)) if rest else 1.0

    def rates(self) -> dict[str, float]:
        """各种率：行、结果、单位、范围与异常的 recall 和 precision，F1，以及各种错的率。"""
        given = self.found + self.invented
        parts = {"item": self.found, "result": self.result_right, "unit": self.unit_right, "range": self.range_right}
        good = {f"{name}_recall": (right, self.rows) for name, right in parts.items()}
        good |= {f"{name}_precision": (right, given) for name, right in parts.items()}
        good["abnormal_recall"] = (self.abnormal_found, self.abnormal)
        good["abnormal_precision"] = (self.abnormal_found, self.abnormal_found + self.abnormal_false)
        bad = {
            "false_abnormal_rate": (self.abnormal_false, self.normal),
            "critical_miss_rate": (self.critical - self.critical_found, self.critical),
            "silent_error_rate": (len(self.silent_errors), self.decided),
            "not_judged_share": (self.undecided + self.refused, self.rows),
        }
        rates = {name: part / whole if whole else 1.0 for name, (part, whole) in good.items()}
        rates |= {name: part / whole if whole else 0.0 for name, (part, whole) in bad.items()}
        return rates | {"abnormal_f1": self.abnormal_f1, "silent_error_bound": self.silent_error_bound}

    def as_dict(self) -> dict[str, float]:
        """制表用：各个计数与各种率。"""
        return vars(self) | {"silent_errors": len(self.silent_errors)} | self.rates()

    def __str__(self) -> str:
        return (
            f"行 {self.found}/{self.rows}（多出 {self.invented}）  结果 {self.result_right}  单位 {self.unit_right}  "
            f"范围 {self.range_right}  异常 {self.abnormal_found}/{self.abnormal}（误报 {self.abnormal_false}，"
            f"F1 {self.abnormal_f1:.3f}）  危急 {self.critical_found}/{self.critical}  未判断 {self.undecided}  "
            f"拒读 {self.refused}  无声的错 {len(self.silent_errors)}/{self.decided}"
            f"（上限 {self.silent_error_bound:.2%}）"
        )


def score_report(
    read: LabReport | None,
    truth: list[TrueItem],
    report_type: str | None = None,
    origin: Origin | None = None,
    person: Person | None = None,
) -> ReportScore:
    """对照一张报告；read 为 None 是整页拒读。report_type、person 是真的报告类型与病人，不知道时用读到的。

    origin 是真值的时间、医院、标本，没有抄过（空的）不计这几栏的对错。
    """
    items = read.items if read else []
    report_type = report_type if report_type is not None else read.report_type if read else ""
    pairs = align(items, truth)
    score = ReportScore(rows=len(truth), found=len(pairs), invented=len(items) - len(pairs))
    score.refused = 0 if read else len(truth)
    score.normal = sum(true.flag == "normal" for true in truth)
    score.abnormal = sum(true.flag in ABNORMAL_FLAGS for true in truth)
    score.decided = sum(item.flag != "unknown" for item in items)
    # 危急的界限因人而异：孩子的肌酐 400 是危急值
    person = person or (person_of(read) if read else Person())
    score.critical = sum(possible_grave(true, report_type, person) for true in truth)
    for item, true in pairs:
        score.critical_found += item.critical and possible_grave(true, report_type, person)
        _score_row(score, item, true)
    if origin:
        given = read.origin if read else {}
        score.origin = len(origin)
        score.origin_right = sum(_same_field(given.get(name), true) for name, true in origin.items())
        score.origin_wrong = sum(not _same_field(origin.get(name), read) for name, read in given.items())
    paired = {id(item) for item, _ in pairs}
    for item in items:
        if id(item) not in paired and item.flag != "unknown":
            score.abnormal_false += item.flag in ABNORMAL_FLAGS
            score.silent_errors.append(f"{item.name}：多出的一行，判为 {item.flag}")
    return score


def _same_field(field: PrintedField | None, other: PrintedField) -> bool:
    return field is not None and normalize(field.value) == normalize(other.value)


def _fold(result: str) -> str:
    """10 的幂前面的乘号写法不一，是同一个数。"""
    return re.sub("[x×*](?=10)", "x", normalize(result))


def _score_row(score: ReportScore, item: LabItem, true: TrueItem) -> None:
    result_right = _fold(item.result) == _fold(true.result)
    score.result_right += result_right
    score.unit_right += fold_unit(item.unit) == fold_unit(true.unit)
    score.range_right += same_range(item.reference_range, true.reference_range)
    if item.flag == "unknown":
        score.undecided += true.flag not in (None, "unknown")
        return
    errors = [] if result_right else [f"结果 {true.result} 读成 {item.result}，判为 {item.flag}"]
    if true.flag is not None:
        is_abnormal, was_abnormal = item.flag in ABNORMAL_FLAGS, true.flag in ABNORMAL_FLAGS
        score.abnormal_found += is_abnormal and was_abnormal
        score.abnormal_false += is_abnormal and not was_abnormal
        # 定性的异常不分方向
        same_but_undirected = is_abnormal and was_abnormal and "abnormal" in (item.flag, true.flag)
        if item.flag != true.flag and not same_but_undirected:
            errors.append(f"应为 {true.flag}，判为 {item.flag}")
    if errors:
        score.silent_errors.append(f"{true.name}：{'；'.join(errors)}")
