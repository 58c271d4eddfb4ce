"""一行的高低：印着的范围优先，有疑问的一律 unknown，并说明疑在哪里。"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from health_assistant.lab_report.catalogue import FRACTION, Analyte
from health_assistant.lab_report.matching import implied_unit
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.plausibility import is_fraction, misread_doubt, value_doubt
from health_assistant.lab_report.reference_range import (
    Interval,
    PartitionedInterval,
    QualitativeResult,
    ReferenceRange,
    attached_unit,
    compare,
    parse_range,
    parse_result,
)
from health_assistant.lab_report.report import (
    ABNORMAL_FLAGS,
    Flag,
    LabItem,
    RangeSource,
    ReadItem,
    RowEvidence,
    Scale,
    Severity,
)
from health_assistant.lab_report.severity import Way, at_least, grade_deviation, grade_value, span_of

MIN_CONFIDENCE = 0.8
"""识别把握低于它的行不作判断。"""

_MARK_FLAGS: dict[str, tuple[Flag, ...]] = {
    "↑H高": ("high", "abnormal"),
    "↓L低": ("low", "abnormal"),
    "*※★▲!异危阳": ABNORMAL_FLAGS,
}
_SAYS_NORMAL = re.compile(r"N|NORMAL|正常|[-—–]")


@dataclass
class Row:
    """一行在判断途中的样子。"""

    item: LabItem
    analyte: Analyte | None
    result: Interval | QualitativeResult | None
    limits: ReferenceRange | None
    doubts_value: bool = False
    """疑的是读到的数本身，不只是范围、标记或单位。"""
    alarm: str | None = None
    floor: Severity | None = None
    """不看高低也至少要这样快去看：可能的急症，和没能核对的。"""

    def doubt(self, note: str) -> None:
        """改为不作判断，说明为什么。"""
        self.item.flag, self.item.note = "unknown", note

    @property
    def printed_unit(self) -> str:
        """印着的单位，也许粘在结果后面；没有则为空串。"""
        return self.item.unit or attached_unit(self.item.result)

    @cached_property
    def unit(self) -> str:
        """比较用的单位：印着的；没有印的，由印着的范围看得出才有，看不出为空串。"""
        if self.analyte and is_fraction(self.limits, self.analyte, self.printed_unit):
            return FRACTION
        if self.printed_unit or not self.analyte:
            return self.printed_unit
        return implied_unit(self.analyte, self.item.reference_range)

    @property
    def may_be_fraction(self) -> bool:
        """单位印着 %、范围不过 1，而目录里没有范围可比：不知道是百分数还是小数。"""
        is_small = isinstance(self.limits, Interval) and self.limits.high is not None and self.limits.high <= 1
        return is_small and self.unit == "%" and not self.analyte.known_intervals

    @property
    def lacks_unit(self) -> bool:
        """这一项该有单位而不知道是哪个。"""
        return not self.unit and bool(self.analyte and self.analyte.unit)

    def converted(self) -> Interval | None:
        """结果换成目录的单位；不是数或换不了则为 None。"""
        if not isinstance(self.result, Interval) or self.result.is_titre:
            return None
        low, high = (self.to_usual(bound) for bound in (self.result.low, self.result.high))
        return Interval(low, high, self.result.low_open, self.result.high_open) if (low, high) != (None, None) else None

    def to_usual(self, bound: Decimal | None) -> Decimal | None:
        """以这一行的单位计的数，换成目录的单位；没有界或换不了则为 None。"""
        return None if bound is None else self.analyte.convert(bound, self.unit)


_GLUED_MARK = re.compile(r"(.*?[\d+)）])\s*([↑↓]{1,2}|[HL]{1,2}|[*★!]+|[(（]?危急?值?[)）]?)")


def unglue(read: ReadItem) -> ReadItem:
    """`7.1↑`、`1.8(危急)` 这样粘着标记、`7·1` 这样写小数点的结果，拆开；本来就看得懂的照旧。"""
    result = re.sub(r"(?<=\d)[·。](?=\d)", ".", read.result.strip())
    found = _GLUED_MARK.fullmatch(result)
    if parse_result(result) is None and found and parse_result(found[1]) is not None:
        return read.model_copy(update={"result": found[1], "mark": read.mark or found[2]})
    return read.model_copy(update={"result": result}) if result != read.result.strip() else read


_RISK = re.compile(r"风险|三体|神经管缺陷|\brisk\b|trisomy", re.IGNORECASE)
"""产前筛查的风险；别的 1:n 是滴度，分母越大越高。"""


def _as_ratio(interval: Interval) -> Interval:
    """产前筛查的风险 `<1:270` 是分数 1/270，分母越大越低：变成可以比大小的区间；不是 1:n 的照旧。"""
    if not interval.is_titre:
        return interval
    low, high = (None if bound is None else 1 / bound for bound in (interval.low, interval.high))
    return Interval(low, high, interval.low_open, interval.high_open)


def judge(read: ReadItem, proof: RowEvidence, analyte: Analyte | None, person: Person, others_have_marks: bool) -> Row:
    result = parse_result(read.result)
    limits, source = _applicable_range(read, analyte)
    if isinstance(limits, PartitionedInterval) and len(fitting := limits.for_person(person.sex, person.age_years)) == 1:
        limits = fitting[0]
    flag: Flag = "unknown"
    if _RISK.search(read.name) and isinstance(result, Interval) and isinstance(limits, Interval):
        flag = compare(_as_ratio(result), _as_ratio(limits))
    elif result and limits:
        flag = compare(result, limits, person.sex, person.age_years)
    if (
        flag == "unknown"
        and analyte
        and isinstance(result, QualitativeResult)
        and isinstance(limits, QualitativeResult)
    ):
        # 粘液脓血便对软便：文字没法比，而表里写着它是异常的
        flag = "abnormal" if grade_value(result, "", analyte, person)[0] else "unknown"
    item = LabItem(
        # 只取读到的字段：传进来的也可能是判断过的行
        **{name: getattr(read, name) for name in ReadItem.model_fields},
        flag=flag,
        range_source=source,
        applied_range=_range_text(read, limits, source),
        scale=_scale(result, limits),
        confidence=proof.confidence,
        boxes=proof.boxes,
    )
    row = Row(item, analyte, result, limits)
    is_unsure = proof.confidence is not None and proof.confidence < MIN_CONFIDENCE
    says = mark_says(read)
    if isinstance(result, Interval) and result == limits and result.is_bounded and not result.is_point:
        row.doubt("结果与参考范围一模一样，可能串了列")
        row.doubts_value = True
        return row
    looks_wrong = value_doubt(read, limits, flag, analyte, bool(says), others_have_marks)
    row.doubts_value = bool(proof.doubt) or is_unsure or result is None or bool(looks_wrong)
    # 依次问：读的人疑不疑，数看不看得懂，范围、标记合不合
    note = proof.doubt or _no_result(read, result) or ("字迹不清，读数没有把握" if is_unsure else None)
    note = note or _no_range(read, result, limits) or _mark_doubt(read, flag, says) or looks_wrong
    note = note or misread_doubt(read, limits, analyte) or _range_doubt(row, person)
    if note:
        row.doubt(note)
    elif severity := _severity_by_own_range(row, person):
        row.doubt("印着的范围没有管到这个人的年龄或孕期：按他那一群的范围已经超出，请医生看")
        item.severity = row.floor = severity
    return row


def _no_result(read: ReadItem, result: Interval | QualitativeResult | None) -> str | None:
    if result is not None:
        return None
    return "没有印结果，或没有读出来" if not re.search(r"\w", read.result) else "看不懂结果的写法"


def _no_range(read: ReadItem, result: Interval | QualitativeResult, limits: ReferenceRange | None) -> str | None:
    if limits is not None:
        return None
    has_mark = read.mark and ("normal",) not in mark_says(read)
    printed_mark = f"；报告单上印着标记 {read.mark}" if has_mark else ""
    if read.reference_range.strip(" -—*/"):
        return "看不懂参考范围的写法" + printed_mark
    return ("没有印参考范围" if isinstance(result, Interval) else "文字结果，没有印参考范围") + printed_mark


def _mark_doubt(read: ReadItem, flag: Flag, mark_says: list[tuple[Flag, ...]]) -> str | None:
    if flag == "unknown":
        return "结果与参考范围不能确定地比较"
    if plain_mark(read) and not mark_says:
        return f"看不懂报告单上的标记 {read.mark}"
    if not all(flag in said for said in mark_says):
        return f"报告单上印着标记 {read.mark}，与数值和参考范围不符，可能有一处读错了"
    return None


def _range_doubt(row: Row, person: Person) -> str | None:
    """印着的范围把危急的值当作正常，或当作另一边：多半是范围读错了。"""
    if not row.analyte or row.item.range_source != "printed":
        return None
    severity, way = grade_value(row.result, row.unit, row.analyte, person)
    if not at_least(severity, "severe") or row.item.flag in (way, "abnormal"):
        return None
    if severity == "severe" and not _is_unlike_known(row, way):
        return None
    return "数值本身要马上处理，而印着的参考范围不是这样说，范围可能读错了"


def _is_unlike_known(row: Row, way: Way) -> bool:
    """印着的范围在这一边的界限，与目录里的都差四分之一以上，或者差出一个范围的宽度（钠窄，107 不像 137）。"""
    span = span_of(row.limits)
    bound = row.to_usual(span.high if way == "high" else span.low) if span else None
    return bound is None or all(_is_far(bound, usual, way) for usual in row.analyte.known_intervals)


def _is_far(bound: Decimal, usual: Interval, way: Way) -> bool:
    other = usual.high if way == "high" else usual.low
    if other is None:
        return True
    width = usual.high - usual.low if usual.is_bounded else abs(other)
    return abs(bound - other) > min(abs(other) / 4, width)


def _severity_by_own_range(row: Row, person: Person) -> Severity | None:
    """印着的范围说正常，而那不是给这个人的范围：按他那一群（孩子、孕妇）已经超出得不算轻微，有多要紧。"""
    analyte = row.analyte
    if row.item.flag != "normal" or not analyte or not (person.pregnant or person.is_minor):
        return None
    by_line, _ = grade_value(row.result, row.unit, analyte, person, of_special_people=True)
    if by_line and (person.is_newborn or is_general_range(row)):
        return by_line
    result = row.converted() if analyte.is_authoritative and is_general_range(row) else None
    own = result and compare(result, analyte.reference, person.sex, person.age_years)
    if own not in ("high", "low"):
        return None
    severity = grade_deviation(result, analyte.intervals[0], own, analyte.unit, analyte, person)
    return severity if at_least(severity, "moderate") else None


def is_general_range(row: Row) -> bool:
    """印着的范围就是一般成人的（两端各差不到一成）。"""
    if not isinstance(row.limits, Interval) or row.item.range_source != "printed":
        return False
    printed = [row.to_usual(bound) for bound in (row.limits.low, row.limits.high)]
    return any(
        all(_is_near(one, other) for one, other in zip(printed, (usual.low, usual.high), strict=True))
        for usual in row.analyte.general_intervals
    )


def _is_near(one: Decimal | None, other: Decimal | None) -> bool:
    if one is None or other is None:
        return not one and not other
    return abs(one - other) <= abs(other) / 10


def _applicable_range(read: ReadItem, analyte: Analyte | None) -> tuple[ReferenceRange | None, RangeSource]:
    """印着的范围；没有印、目录又有把握时是目录里这一群人的范围。"""
    printed = parse_range(read.reference_range)
    if printed or re.search(r"[^\s\-—*/]", read.reference_range):
        return printed, "printed"
    # 糖耐量别的时刻（180 分钟）没有公认的范围，随机血糖的只用来看危不危急
    is_timed = analyte is not None and analyte.code == "GLU-R" and re.search(r"分钟|小时", read.name)
    usable = analyte is not None and analyte.is_authoritative and not is_timed
    if usable and analyte.same_unit(read.unit or attached_unit(read.result)):
        return analyte.reference, "catalogue"
    return None, "none"


def plain_mark(read: ReadItem) -> str:
    return re.sub(r"[\s()（）\[\]]", "", read.mark or "").upper()


def mark_says(read: ReadItem) -> list[tuple[Flag, ...]]:
    """印着的标记各个符号容许的判断；`正常`、`N` 与一横说的是正常。"""
    if _SAYS_NORMAL.fullmatch(plain_mark(read)):
        return [("normal",)]
    return [said for characters, said in _MARK_FLAGS.items() if set(plain_mark(read)) & set(characters)]


def _range_text(read: ReadItem, limits: ReferenceRange | None, source: RangeSource) -> str:
    is_chosen = limits != parse_range(read.reference_range)
    return str(limits) if limits and (source == "catalogue" or is_chosen) else read.reference_range


def _scale(result: Interval | QualitativeResult | None, limits: ReferenceRange | None) -> Scale | None:
    """画范围条用的数；只有单个数值对单个区间才画。"""
    if not (isinstance(result, Interval) and isinstance(limits, Interval) and result.is_point):
        return None
    low, high = (None if bound is None else float(bound) for bound in (limits.low, limits.high))
    return Scale(value=float(result.low), low=low, high=high)
