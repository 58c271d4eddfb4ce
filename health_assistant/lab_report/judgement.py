"""Observation -> Finding：一行的高低。印着的范围优先，有疑问的一律 unknown，并说明疑在哪里。"""

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import cached_property
from typing import NamedTuple

from pydantic import Field, InstanceOf, SkipValidation

from health_assistant.lab_report.catalogue import FRACTION, Analyte
from health_assistant.lab_report.decimal_points import doubts_only_range
from health_assistant.lab_report.groups import missing_of
from health_assistant.lab_report.interval import Interval, PartitionedInterval, ReferenceRange, Value, compare
from health_assistant.lab_report.marks import flag_by_mark, flag_says, plain_flag, word_flag_by_mark
from health_assistant.lab_report.observation import Observation, is_garbled
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.plausibility import (
    is_fraction,
    is_general_range,
    is_unlike_known,
    misread_doubt,
    name_doubt,
    value_doubt,
)
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.range_likeness import implied_unit
from health_assistant.lab_report.reference_range import is_blank, parse_range
from health_assistant.lab_report.report import (
    CUT_SHORT,
    MIN_CONFIDENCE,
    UNREAD_MARK,
    Flag,
    LabItem,
    RangeSource,
    ReadRow,
    Scale,
    Severity,
    at_least,
)
from health_assistant.lab_report.severity import can_be_grave, grade_deviation, grade_value, span_of
from health_assistant.lab_report.tracking import track


class Finding(LabItem):
    """一行的判断：给人看的字段（`LabItem`），加上一路的依据，不进 JSON。"""

    observation: InstanceOf[Observation] = Field(exclude=True)
    interval: SkipValidation[ReferenceRange | None] = Field(None, exclude=True)
    """判断用的范围。"""
    doubts_value: bool = Field(False, exclude=True)
    """疑的是读到的数本身，不只是范围、标记或单位。"""
    alarm: str | None = Field(None, exclude=True)
    """关于这一行要放在最前面的话。"""
    is_usual: bool = Field(False, exclude=True)
    """超出的是一般成人的范围，对这个年龄、孕期的人并不少见。"""
    is_by_mark: bool = Field(False, exclude=True)
    """比不出来，高低是印着的标记说的。"""
    is_treated: bool = Field(False, exclude=True)
    """报告单上写着正在用的治疗本来要它到这个数（见 treatment.py）。"""
    leaning: Flag | None = Field(None, exclude=True)
    """没有印范围，由数自己看出不轻时，在哪一边。"""
    floor: Severity | None = Field(None, exclude=True)
    """不看高低也至少要这样快去看：可能的急症，和没能核对的。"""

    @property
    def value(self) -> Value | None:
        """印着的结果；看不懂的为 None。"""
        return self.observation.value

    @property
    def analyte(self) -> Analyte | None:
        """目录里的指标，是对这个人的；不认识的为 None。"""
        return self.observation.analyte

    def withhold(self, note: str) -> None:
        """改为不作判断，说明为什么。"""
        self.flag, self.note = "unknown", note

    @cached_property
    def compared_unit(self) -> str:
        """比较用的单位：印着的；没有印的，由印着的范围看得出才有，看不出为空串。"""
        printed = self.observation.unit
        if self.analyte and is_fraction(self.interval, self.analyte, printed):
            return FRACTION
        if not self.analyte or (printed and not self.has_garbled_unit):
            return printed
        return implied_unit(self.analyte, self.observation.interval) or printed

    @property
    def with_unit(self) -> str:
        """印着的结果连同单位。"""
        return f"{self.result} {self.unit}".strip()

    @property
    def has_garbled_unit(self) -> bool:
        """印着的单位认不出，与没有印一样，要由印着的范围看。"""
        return is_garbled(self.observation.unit, self.analyte)

    @property
    def may_be_fraction(self) -> bool:
        """单位印着 %、范围不过 1，而目录里没有范围可比：不知道是百分数还是小数。"""
        is_small = isinstance(self.interval, Interval) and self.interval.high is not None and self.interval.high <= 1
        return is_small and self.compared_unit == "%" and not self.analyte.known_intervals

    @property
    def lacks_unit(self) -> bool:
        """这一项该有单位而不知道是哪个。"""
        return not self.compared_unit and bool(self.analyte and self.analyte.unit)

    def converted(self) -> Interval | None:
        """结果换成目录的单位；不是数或换不了则为 None。"""
        if not isinstance(self.value, Interval) or self.value.is_titre:
            return None
        low, high = self.analyte.bounds(self.value, self.compared_unit)
        return Interval(low, high, self.value.low_open, self.value.high_open) if (low, high) != (None, None) else None

    def to_usual(self, bound: Decimal | None) -> Decimal | None:
        """以这一行的单位计的数，换成目录的单位；没有界或换不了则为 None。"""
        return None if bound is None else self.analyte.convert(bound, self.compared_unit)

    @property
    def has_general_range(self) -> bool:
        """印着的就是一般成人的范围。"""
        if self.range_source != "printed" or not isinstance(self.interval, Interval):
            return False
        return is_general_range(self.interval, self.analyte, self.compared_unit)

    def flag_in_group(self, person: Person) -> Flag | None:
        """按目录里这个人那一群的范围的高低；目录没有、没有把握，结果换不了的为 None。"""
        result = self.converted() if self.analyte.is_authoritative else None
        return compare(result, self.analyte.reference, person.sex, person.age_years) if result else None


_NORMAL = QualitativeResult(("正常",))
_RISK = re.compile(r"风险|三体|神经管缺陷|\brisk\b|trisomy", re.IGNORECASE)
"""产前筛查的风险；别的 1:n 是滴度，分母越大越高。"""


class Others(NamedTuple):
    """同一张报告的别的行说的：这一行自己看不出。"""

    have_flags: bool = False
    """印着看得懂的标记。"""
    are_finer: bool = False
    """小数也比范围多一位。"""
    doubt: str | None = None
    """由它们看出的这一行的疑问。"""


_ALONE = Others()


def judge(observed: Observation, person: Person, others: Others = _ALONE) -> Finding:
    """一行的高低。有疑问的 flag 是 unknown，note 说明疑在哪里；轻重还没有定（见 alarms.grade）。"""
    finding = _compared(observed, person)
    says, interval = flag_says(observed.row), finding.interval
    looks_wrong = value_doubt(observed, interval, finding.flag, bool(says), others.have_flags, others.are_finer)
    finding.doubts_value = bool(looks_wrong) or _doubts_value(finding, others.doubt)
    reasons = _reasons(finding, person, says, looks_wrong, others)
    if reason := next(filter(None, reasons), None):
        finding.withhold(reason)
    elif finding.is_by_mark:
        is_cut = observed.row.reference_range.endswith(CUT_SHORT)
        why = "文字与印着的范围比不出来" if interval else "参考范围没有拍全" if is_cut else "没有印参考范围"
        finding.note = f"{why}，高低是报告单上印的标记 {finding.mark} 说的"
    elif severity := _severity_by_own_range(finding, person):
        finding.withhold("印着的范围没有管到这个人的年龄或孕期：按他那一群的范围已经超出，请医生看")
        finding.severity = finding.floor = severity
    return finding


def _compared(observed: Observation, person: Person) -> Finding:
    """与这个人的范围比出来的高低，比不出的由标记说；还没有问有没有疑问。"""
    row, result = observed.row, observed.value
    interval, source = _applicable_range(observed)
    if isinstance(interval, PartitionedInterval):
        fitting = interval.for_person(person.sex, person.age_years)
        interval = fitting[0] if len(fitting) == 1 else interval
    flag = _compare(observed, interval, person)
    by_mark = flag_by_mark(observed, person) if interval is None else None
    by_mark = by_mark or (word_flag_by_mark(observed) if flag == "unknown" else None)
    finding = Finding(
        **row.model_dump() | {"doubt": row.doubt or _unsure(row)},
        observation=observed,
        interval=interval,
        flag=by_mark or flag,
        is_by_mark=bool(by_mark),
        range_source=source,
        applied_range=str(interval) if source != "none" and interval != observed.interval else row.reference_range,
        scale=_scale(result, interval),
    )
    finding.tracked = track(observed, finding.compared_unit, interval if source == "printed" else None)
    return finding


def _doubts_value(finding: Finding, doubt_by_others: str | None) -> bool:
    """疑的是读到的数本身。"""
    row = finding.observation.row
    by_others = doubt_by_others and not doubts_only_range(row, doubt_by_others)
    return bool(row.doubt or by_others or _unsure(row) or _same_as_range(finding)) or finding.value is None


def _reasons(
    finding: Finding, person: Person, says: list[tuple[Flag, ...]], looks_wrong: str | None, others: Others
) -> Iterator[str | None]:
    """不作判断的理由，先有的一个算数：先问读的人疑不疑，再问数看不看得懂，末了才问范围、标记合不合。"""
    observed = finding.observation
    yield _same_as_range(finding)
    yield observed.row.doubt or others.doubt
    if finding.value is None:
        yield "看不懂结果的写法" if re.search(r"\w", observed.row.result) else "没有印结果，或没有读出来"
    yield _unsure(observed.row)
    yield _no_range(finding)
    yield _flag_doubt(finding, person, says)
    yield looks_wrong
    yield misread_doubt(observed, finding.interval, person.is_newborn)
    yield _range_doubt(finding, person)
    yield name_doubt(observed, finding.flag)
    if others.have_flags:
        yield _not_marked(finding, person)


def _same_as_range(finding: Finding) -> str | None:
    result = finding.value
    is_span = isinstance(result, Interval) and result.is_bounded and not result.is_point
    return "结果与参考范围一模一样，可能串了列" if is_span and result == finding.interval else None


def _unsure(row: ReadRow) -> str | None:
    return "字迹不清，读数没有把握" if row.confidence is not None and row.confidence < MIN_CONFIDENCE else None


def _compare(observed: Observation, interval: ReferenceRange | None, person: Person) -> Flag:
    """结果在范围的哪一边；没有结果、没有范围、不能比的是 unknown。"""
    result = observed.value
    if result is None or interval is None:
        return "unknown"
    if _RISK.search(observed.row.name) and isinstance(result, Interval) and isinstance(interval, Interval):
        return compare(result.as_ratio(), interval.as_ratio())
    flag = compare(result, interval, person.sex, person.age_years)
    are_words = isinstance(result, QualitativeResult) and isinstance(interval, QualitativeResult)
    if flag == "unknown" and observed.analyte and are_words and grade_value(result, "", observed.analyte, person)[0]:
        return "abnormal"  # 粘液脓血便对软便：文字没法比，而表里写着它是异常的
    is_beside = isinstance(interval, Interval) or observed.row.reference_range.endswith(CUT_SHORT)
    may_hide = observed.analyte and can_be_grave(observed.analyte, person)
    if flag == "unknown" and result == _NORMAL and is_beside and not may_hide:
        return "normal"  # 结果自己就说正常，范围是数、没有拍全的词；会危急的项目也许是数没有读到
    return flag


def _no_range(finding: Finding) -> str | None:
    row = finding.observation.row
    if finding.interval is not None or finding.is_by_mark:
        return None
    has_flag = row.mark and not any("normal" in said for said in flag_says(row))
    printed_flag = f"；报告单上印着标记 {row.mark}" if has_flag else ""
    if row.mark == UNREAD_MARK:
        printed_flag = "；旁边印着的标记没有认出来"
    if row.reference_range.endswith(CUT_SHORT):
        return "参考范围没有拍全" + printed_flag
    if not is_blank(row.reference_range):
        return "看不懂参考范围的写法" + printed_flag
    return ("没有印参考范围" if isinstance(finding.value, Interval) else "文字结果，没有印参考范围") + printed_flag


def _flag_doubt(finding: Finding, person: Person, says: list[tuple[Flag, ...]]) -> str | None:
    row, flag, interval = finding.observation.row, finding.flag, finding.interval
    if flag == "unknown":
        groups = [who for who, _ in interval.groups] if isinstance(interval, PartitionedInterval) else []
        missing = "、".join(missing_of(groups, person.sex, person.age_years))
        return f"没有读到，或没有看懂{missing}，而印着的范围是按它分的" if missing else "结果与参考范围不能确定地比较"
    if plain_flag(row) and not says:
        return f"看不懂报告单上的标记 {row.mark}"
    if not all(flag in said for said in says):
        if row.mark == UNREAD_MARK:
            return "旁边印着的标记没有认出来，而按数值和参考范围是正常的"
        if finding.range_source == "catalogue" and flag == "normal":
            return f"报告单上印着标记 {row.mark}，没有印参考范围；照常见的范围不是这样，请以医院的范围为准"
        return f"报告单上印着标记 {row.mark}，与数值和参考范围不符，可能有一处读错了"
    return None


def _range_doubt(finding: Finding, person: Person) -> str | None:
    """印着的范围把危急的值当作正常，或当作另一边：多半是范围读错了。"""
    if not finding.analyte or finding.range_source != "printed":
        return None
    severity, way = grade_value(finding.value, finding.compared_unit, finding.analyte, person)
    if not at_least(severity, "severe") or finding.flag in (way, "abnormal"):
        return None
    span = span_of(finding.interval)
    if severity == "severe" and span and not is_unlike_known(span, finding.analyte, finding.compared_unit, way):
        return None
    return "数值本身要马上处理，而印着的参考范围不是这样说，范围可能读错了"


def _not_marked(finding: Finding, person: Person) -> str | None:
    """没有印范围的单子上，别的项印着标记而这一项没有：医院当作正常，照目录的范围略高、略低的不说异常。"""
    is_by_catalogue = finding.range_source == "catalogue" and finding.flag in ("high", "low")
    if not is_by_catalogue or finding.observation.row.mark:
        return None
    severity = grade_deviation(
        finding.value, finding.interval, finding.flag, finding.compared_unit, finding.analyte, person
    )
    if at_least(severity, "moderate"):
        return None  # 到了上限的几十倍，多半是标记没有读到
    return "没有印参考范围；别的项印着标记而这一项没有，医院可能当作正常"


def _severity_by_own_range(finding: Finding, person: Person) -> Severity | None:
    """印着的范围说正常，而那不是给这个人的范围：按他那一群（孩子、孕妇）已经超出得不算轻微，有多要紧。"""
    analyte = finding.analyte
    if finding.flag != "normal" or not analyte or not (person.pregnant or person.is_minor):
        return None
    by_line, _ = grade_value(finding.value, finding.compared_unit, analyte, person, of_special_people=True)
    if by_line and (person.is_newborn or finding.has_general_range):
        return by_line
    own_flag = finding.flag_in_group(person) if finding.has_general_range else None
    if own_flag not in ("high", "low"):
        return None
    severity = grade_deviation(finding.converted(), analyte.intervals[0], own_flag, analyte.unit, analyte, person)
    return severity if at_least(severity, "moderate") else None


def _applicable_range(observed: Observation) -> tuple[ReferenceRange | None, RangeSource]:
    """印着的范围；没有印、目录又有把握时是目录里这一群人的范围。筛查风险的截断值常印作 `1:270`，小于它才是低风险。"""
    if re.fullmatch(r"1[:：]\d+", observed.row.reference_range) and _RISK.search(observed.row.name):
        return parse_range(f"<{observed.row.reference_range}"), "printed"
    if observed.interval or not is_blank(observed.row.reference_range):
        return observed.interval, "printed"
    # 糖耐量别的时刻（180 分钟）没有公认的范围，随机血糖的只用来看危不危急
    analyte, name = observed.analyte, observed.row.name
    is_timed = analyte is not None and analyte.code == "GLU-R" and re.search(r"分钟|小时", name)
    if analyte and analyte.is_authoritative and not is_timed and analyte.same_unit(observed.unit):
        return analyte.reference, "catalogue"
    # 结果自己就写着正常、未见异常：是实验室的判断，没有范围也算
    return (observed.value if observed.value == _NORMAL else None), "none"


def _scale(result: Value | None, interval: ReferenceRange | None) -> Scale | None:
    """画范围条用的数；只有单个数值对单个区间才画。"""
    if not (isinstance(result, Interval) and isinstance(interval, Interval) and result.is_point):
        return None
    low, high = (None if bound is None else float(bound) for bound in (interval.low, interval.high))
    return Scale(value=float(result.low), low=low, high=high)
