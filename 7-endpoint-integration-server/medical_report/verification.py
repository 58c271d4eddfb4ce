"""两个读者对照：视觉模型读的每一行，由内置读者再读一遍。读得不一样的不下判断。"""

from collections.abc import Sequence
from dataclasses import dataclass

from health_assistant.lab_report.alignment import align, same_range, same_result
from health_assistant.lab_report.assessment import assess, possible_grave, raise_to, severity_of
from health_assistant.lab_report.person import parse_age, person_of
from health_assistant.lab_report.report import SEVERITIES, LabReport, Reading, ReadItem, ReadReport, RowEvidence
from health_assistant.lab_report.units import fold_unit

DIFFERENT = "两个读者读得不一样，请核对原件"
ONLY_VISION = "内置程序在单子上没有找到这一行，请核对原件"
ONLY_EMBEDDED = "视觉模型没有读到这一行，请核对原件"


@dataclass
class _Row:
    item: ReadItem
    proof: RowEvidence
    other: ReadItem | None = None
    """读得不一样时，另一个读者读的这一行。"""


def assess_verified(vision: Reading, embedded: Reading, open_doubts: Sequence[str] = ()) -> LabReport:
    """两份读数 -> 判断过的报告，每行的 `verified` 是 True 或 False。open_doubts 见 `assess` 的 doubts。

    行的次序是视觉模型的，内置读者多读出的插在它前一行之后。位置与把握来自内置读者：只有它看得见原图的像素。
    """
    rows = _compare(vision, embedded)
    head, doubts = _compare_heads(vision.report, embedded.report)
    report = ReadReport(items=[row.item for row in rows], **head)
    assessed = assess(report, [row.proof for row in rows], open_doubts)
    for row, item in zip(rows, assessed.items, strict=True):
        item.verified = row.proof.doubt not in (DIFFERENT, ONLY_VISION, ONLY_EMBEDDED)
        item.other_reading = _describe(row.other) if row.other else None
    alarms = [alarm for row in rows if row.other and (alarm := _alarm(row, report))]
    assessed.notices = alarms + doubts + assessed.notices
    others = report.model_copy(update={"items": [row.other for row in rows if row.other]})
    if others.items and (severity := severity_of(assess(others))):
        # 两份读数里更要紧的那一份也许才是对的；读得不一样，至多说到今天就去
        raise_to(assessed, min(severity, "severe", key=SEVERITIES.index))
    assessed.notices.sort(key=lambda notice: not notice.startswith("尽快就医"))
    return assessed


def _compare(vision: Reading, embedded: Reading) -> list[_Row]:
    theirs, ours = vision.report.items, embedded.report.items
    their_place, our_place = ({id(item): at for at, item in enumerate(items)} for items in (theirs, ours))
    partners = {our_place[id(our)]: their_place[id(their)] for their, our in align(theirs, ours)}
    rows: dict[tuple[int, int], _Row] = {}
    before = -1
    for at, (our, proof) in enumerate(zip(ours, embedded.evidence, strict=True)):
        if at in partners:
            before = partners[at]
            rows[before, -1] = _pair(theirs[before], vision.evidence[before], our, proof)
        else:
            rows[before, at] = _Row(our, proof.model_copy(update={"doubt": ONLY_EMBEDDED}))
    for at, their in enumerate(theirs):
        rows.setdefault((at, -1), _Row(their, vision.evidence[at].model_copy(update={"doubt": ONLY_VISION})))
    return [rows[place] for place in sorted(rows)]


def _pair(their: ReadItem, doubts: RowEvidence, our: ReadItem, proof: RowEvidence) -> _Row:
    # 标记常有一边没看见；危急的写法（↑↑）比一般的长
    mark = max([mark for mark in (their.mark, our.mark) if mark], key=len, default=None)
    if not _same(their, our):
        return _Row(their.model_copy(update={"mark": mark}), proof.model_copy(update={"doubt": DIFFERENT}), our)
    merged = their.model_copy(update={"mark": mark, "unit": our.unit or their.unit})
    return _Row(merged, proof.model_copy(update={"doubt": proof.doubt or doubts.doubt}))


def _same(one: ReadItem, other: ReadItem) -> bool:
    units = fold_unit(one.unit), fold_unit(other.unit)
    return (
        same_result(one.result, other.result)
        and same_range(one.reference_range, other.reference_range)
        and (units[0] == units[1] or not all(units))
        and not {_direction(one.mark), _direction(other.mark)} >= {"up", "down"}
    )


def _direction(mark: str | None) -> str | None:
    return "up" if set(mark or "") & set("↑Hh高") else "down" if set(mark or "") & set("↓Ll低") else None


def _compare_heads(theirs: ReadReport, ours: ReadReport) -> tuple[dict[str, str | None], list[str]]:
    """报告名、性别、年龄，和要说的话。性别读得不一样的当作没有读到，按性别分的范围就不用；年龄写上两个，就是看不懂的年龄，从不当作成人。"""
    sex, age, doubts = ours.sex or theirs.sex, ours.age or theirs.age, []
    if theirs.sex and theirs.sex != sex:
        sex = None
        doubts.append("两个读者读出的性别不一样，按性别分的参考范围没有用。请核对原件。")
    if theirs.age and parse_age(theirs.age) != parse_age(age):
        age = f"{theirs.age} 或 {age}"
    return {"report_type": ours.report_type or theirs.report_type, "sex": sex, "age": age}, doubts


def _alarm(row: _Row, report: ReadReport) -> str | None:
    """视觉模型读的没有到危急值，另一个读者读的到了：同样要说。"""
    item, other = row.item, row.other
    read = other.model_copy(update={"name": item.name, "code": item.code, "unit": other.unit or item.unit})
    if not possible_grave(read, row.proof.report_type or report.report_type, person_of(report)):
        return None
    return (
        f"请马上核对原件：{item.name} 两个读者读得不一样，其中一个读成 {_describe(other)}；"
        "如果它没有读错，就达到了危急值，要尽快就医。"
    )


def _describe(item: ReadItem) -> str:
    limits = f"（{item.reference_range}）" if item.reference_range else ""
    return f"{item.result or '（空）'} {item.unit}".strip() + limits
