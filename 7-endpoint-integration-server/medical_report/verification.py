"""两个读者对照：视觉模型读的每一行，由内置读者再读一遍。读得不一样的不下判断。"""

from typing import Any

from health_assistant.lab_report.alignment import align, describe_reading, same_range, same_result, units_agree
from health_assistant.lab_report.assessment import Assessment, assess, raise_to, severity_if_right
from health_assistant.lab_report.groups import ADULT_AGE_YEARS
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.marks import flag_says
from health_assistant.lab_report.observation import observe
from health_assistant.lab_report.person import Person, parse_age
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.report import (
    MIN_CONFIDENCE,
    Origin,
    OriginField,
    PrintedRow,
    Reading,
    ReadRow,
    consistent,
)
from health_assistant.lab_report.sheet_observation import possible_grave
from health_assistant.lab_report.specimen import is_earlier

DIFFERENT = "两个读者读得不一样，请核对原件"
ONLY_VISION = "内置程序在单子上没有找到这一行，请核对原件"
ONLY_EMBEDDED = "视觉模型没有读到这一行，请核对原件"
_OPPOSITE = {("high", "abnormal"), ("low", "abnormal")}
"""一边印着偏高、一边印着偏低的标记容许的判断（见 `flag_says`）。"""


_Row = tuple[ReadRow, ReadRow | None]
"""用的一行，和读得不一样时另一个读者读的这一行。"""


def assess_verified(vision: Reading, embedded: Reading) -> Assessment:
    """两份读数 -> 判断过的报告，每行的 `verified` 是 True 或 False。

    行的次序是视觉模型的，内置读者多读出的插在它前一行之后。位置、把握与来处来自内置读者：只有它看得见原图的像素。
    """
    rows = _compare(vision, embedded)
    head, doubts = _compare_heads(vision, embedded)
    origin = _compare_origins(vision.origin, embedded.origin)
    notices = list(dict.fromkeys(vision.notices + embedded.notices))
    assessed = assess(Reading(items=[read for read, _ in rows], notices=notices, origin=origin, **head))
    for (read, other), finding in zip(rows, assessed.items, strict=True):
        finding.verified = read.doubt not in (DIFFERENT, ONLY_VISION, ONLY_EMBEDDED)
        finding.other_reading = _describe(read, other, assessed.report_type) if other else None
    others = [other for _, other in rows if other]
    said = [_alarm(read, other, assessed.report_type, assessed.person) for read, other in rows if other]
    lost = _lost_by_head(embedded, assessed, others)
    alarms = [alarm for alarm in said if alarm] + [_different(row.name, describe_reading(row)) for row in lost]
    assessed.notices = alarms + doubts + assessed.notices
    assessed.doubts = alarms + assessed.doubts  # 改正别的行、导出的时候也要在
    # 两份读数里更要紧的那一份也许才是对的；内置读者没有读出的，也许正是危急的
    raise_to(assessed, severity_if_right(others, head, counts_unread=True))
    raise_to(assessed, "severe" if lost else None)
    assessed.notices.sort(key=lambda notice: not notice.startswith("尽快就医"))
    return assessed


def _compare(vision: Reading, embedded: Reading) -> list[_Row]:
    theirs, ours = vision.items, embedded.items
    title = embedded.report_type or vision.report_type
    their_place, our_place = ({id(row): at for at, row in enumerate(rows)} for rows in (theirs, ours))
    partners = {our_place[id(our)]: their_place[id(their)] for their, our in align(theirs, ours)}
    rows: dict[tuple[int, int], _Row] = {}
    before = -1
    for at, our in enumerate(ours):
        if at in partners:
            before = partners[at]
            rows[before, -1] = _pair(theirs[before], our, title)
        else:
            rows[before, at] = our.model_copy(update={"doubt": ONLY_EMBEDDED}), None
    for at, their in enumerate(theirs):
        rows.setdefault((at, -1), (their.model_copy(update={"doubt": ONLY_VISION}), None))
    return [rows[place] for place in sorted(rows)]


def _pair(their: ReadRow, our: ReadRow, title: str) -> _Row:
    # 标记常有一边没看见；危急的写法（↑↑）比一般的长
    printed_flag = max([flag for flag in (their.mark, our.mark) if flag], key=len, default=None)
    printed = their.printed() | {"mark": printed_flag}
    if not (_same(their, our) and _same_test(their, our, title)):
        return our.model_copy(update=printed | {"doubt": DIFFERENT}), our
    agreed: dict[str, Any] = {"unit": our.unit or their.unit, "doubt": our.doubt or their.doubt}
    if printed_flag != our.mark and (our.confidence or 0) >= MIN_CONFIDENCE:
        agreed["confidence"] = None  # 标记是视觉模型说的：没有印范围时，不能凭它断高低（见 flag_by_mark）
    return our.model_copy(update=printed | agreed), None


def _same(row: PrintedRow, other: PrintedRow) -> bool:
    return (
        same_result(row.result, other.result)
        and same_range(row.reference_range, other.reference_range)
        and units_agree(row.unit, other.unit)
        and not {*flag_says(row), *flag_says(other)} >= _OPPOSITE
    )


def _same_test(read: ReadRow, other: ReadRow, title: str) -> bool:
    """两边的名称与代号说的是同一项：目录里同一个指标，也都不是（或都是）上一次的。写法不同不要紧。"""
    if (read.name, read.code) == (other.name, other.code):
        return True
    # 只换名称与代号：结果、单位、范围不同的另有 `_same` 说
    renamed = other.model_copy(update={"name": read.name, "code": read.code})
    analytes = [observe(row, other.report_type or title, Person()).analyte for row in (renamed, other)]
    known = [analyte.code if analyte else None for analyte in analytes]
    return known[0] == known[1] and is_earlier(read.name) == is_earlier(other.name)


def _describe(read: ReadRow, other: ReadRow, title: str) -> str:
    """另一个读者读的；连名称也不是一项的，名称也说。"""
    reading = describe_reading(other)
    return reading if _same_test(read, other, title) else f"{other.name or other.code} {reading}"


def _compare_heads(theirs: Reading, ours: Reading) -> tuple[dict[str, str | None], list[str]]:
    """报告名、性别、年龄，和要说的话。性别读得不一样的当作没有读到，按性别分的范围就不用；年龄写上两个，就是看不懂的年龄，从不当作成人。"""
    sex, age, doubts = ours.sex or theirs.sex, ours.age or theirs.age, []
    if theirs.sex and theirs.sex != sex:
        sex = None
        doubts.append("两个读者读出的性别不一样，按性别分的参考范围没有用。请核对原件。")
    if theirs.age and parse_age(theirs.age) != parse_age(age):
        age = f"{theirs.age} 或 {age}"
    years = parse_age(theirs.age) if theirs.age else None
    if not ours.age and years is not None and years < ADULT_AGE_YEARS:
        age = f"{theirs.age} 或 没有印"  # 孩子的界限更宽：只有视觉模型说是孩子，不能凭它少报一个危急值
    return {"report_type": ours.report_type or theirs.report_type, "sex": sex, "age": age}, doubts


def _compare_origins(theirs: Origin, ours: Origin) -> Origin:
    """时间、医院、标本：读得不一样的不要；一边多读了几点、院区的，都是血的，算一样，用内置读者的，它看得见位置。"""

    def agree(name: OriginField) -> bool:
        short, long = sorted((normalize(side[name].value) for side in (theirs, ours)), key=len)
        return short in long or (name == "specimen" and "血" in short and "血" in long)

    agreed = {name: field for name, field in ours.items() if name not in theirs or agree(name)}
    return consistent({name: field for name, field in theirs.items() if name not in ours} | agreed)


def _alarm(read: ReadRow, other: ReadRow, report_type: str, person: Person) -> str | None:
    """视觉模型读的没有到危急值，另一个读者读的到了：同样要说。"""
    update = {"unit": other.unit or read.unit}
    if _same_test(read, other, report_type):
        update |= {"name": read.name, "code": read.code}
    theirs = other.model_copy(update=update)
    if not possible_grave(theirs, read.report_type or report_type, person):
        return None
    return _different(read.name, _describe(read, other, report_type))


def _different(name: str, reading: str) -> str:
    return (
        f"请马上核对原件：{name} 两个读者读得不一样，其中一个读成 {reading}；"
        "如果它没有读错，就达到了危急值，要尽快就医。"
    )


def _lost_by_head(embedded: Reading, assessed: Assessment, others: list[ReadRow]) -> list[Finding]:
    """内置读者照自己读的一张算出来危急，合起来却不是的行：只有视觉模型读到的报告名（胸水）、年龄把它说轻了。

    两边读得不一样的行（others）另有话说。
    """
    critical = [finding.result for finding in assessed.items if finding.critical]
    apart = {(row.name, row.result) for row in others}
    return [
        finding
        for finding in assess(embedded).items
        if finding.critical
        and (finding.name, finding.result) not in apart
        and not any(same_result(finding.result, result) for result in critical)
    ]
