"""一份报告的几页、几张照片，各读各的，再合成一份：重复的行对照着看，对不上的不作判断，没有读成的页说出来。"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from typing import get_args

from health_assistant.lab_report.alignment import describe_reading, same_range, same_result, units_agree
from health_assistant.lab_report.assessment import severity_if_right
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.observation import Observation, observe
from health_assistant.lab_report.person import Person, parse_age
from health_assistant.lab_report.printed_text import fold_name
from health_assistant.lab_report.report import (
    NAMELESS,
    Origin,
    OriginField,
    Reading,
    ReadRow,
    Severity,
    consistent,
    worst,
)

MAX_NAMES = 8
"""一句话里至多说几项的名称。"""


def join_pages(pages: Sequence[tuple[int, Reading]]) -> tuple[Reading, Severity | None]:
    """各页的读数（页码与读数，按先后，至少一页）-> 一份读数，每行的依据说在第几页，整份的疑问在 notices 里。

    同一项在几页上都有（两张照片拍重了）的，读得一样的留一行，不一样的留要紧的那一行，作为疑问；
    另外给出这些行里要紧的那个读数有多要紧，见 `severity_if_right`。
    """
    head, doubts = _join_heads(pages)
    if len(pages) == 1:
        number, reading = pages[0]
        rows = [row.model_copy(update={"page": number}) for row in reading.items]
        return reading.model_copy(update={"items": rows, "origin": join_origins(pages)}), None
    titles = _titles(pages)
    kept: list[Observation] = []
    disputed: set[int] = set()
    floor: Severity | None = None
    conflicts: list[str] = []
    for (number, reading), title in zip(pages, titles, strict=True):
        count = len(kept)  # 同一页上的两行不是拍重的
        for row in reading.items:
            seen = observe(row.model_copy(update={"page": number, "report_type": title}), title, Person())
            at = next((at for at, before in enumerate(kept[:count]) if _is_same_test(before, seen)), None)
            if at is None:
                kept.append(seen)
            elif not _is_same_reading(kept[at].row, seen.row):
                kept[at], severity = _graver(kept[at], seen, head)
                floor = worst([floor, severity])
                disputed.add(at)
                conflicts.append(row.name)
            elif at not in disputed:
                kept[at] = _clearer(kept[at], seen)
    doubts += [f"第 {number} 页：{notice}" for number, reading in pages for notice in reading.notices]
    if names := list(dict.fromkeys(conflicts)):
        named = "、".join(names[:MAX_NAMES]) + ("等" if len(names) > MAX_NAMES else "")
        doubts.append(
            f"有 {len(names)} 项在几页上都有，读得不一样，没有判断：{named}。"
            "请核对原件；如果是不同日期、不同人的单子，请分开读。"
        )
    if len(set(titles)) == 1:
        for seen in kept:
            seen.row.report_type = None
    engine = "、".join(dict.fromkeys(reading.engine for _, reading in pages))
    rows = [seen.row for seen in kept]
    return Reading(items=rows, origin=join_origins(pages), notices=doubts, engine=engine, **head), floor


# ---- 页眉 ----


def _titles(pages: Sequence[tuple[int, Reading]]) -> list[str]:
    """各页的报告名；没有印的接着前一页，第一页没有印的用后面第一个印着的。"""
    printed = [reading.report_type for _, reading in pages]
    first = next(filter(None, printed), "")
    return list(accumulate(printed, lambda last, title: title or last, initial=first))[1:]


def _join_heads(pages: Sequence[tuple[int, Reading]]) -> tuple[dict[str, str | None], list[str]]:
    """报告名、性别、年龄，和要说的话。性别不一样的当作没有印；年龄不一样的都写上，不都是成人的从不当作成人。"""
    sexes = {report.sex: number for number, report in reversed(pages) if report.sex}
    # 写法不同而一样大的（3月、3个月）只算一个；看不懂的照写法
    understood = [(parse_age(report.age), number, report.age) for number, report in reversed(pages) if report.age]
    ages = {text if years is None else years: (number, text) for years, number, text in understood}
    doubts = [
        f"各页印的{what}不一样（{'，'.join(f'第 {number} 页 {word}' for number, word in sorted(printed))}）："
        "可能不是同一个人的单子，请分开读。"
        for what, printed in (("性别", [(number, sex) for sex, number in sexes.items()]), ("年龄", list(ages.values())))
        if len(printed) > 1
    ]
    head = {
        "report_type": "、".join(dict.fromkeys(report.report_type for _, report in pages if report.report_type)),
        "sex": next(iter(sexes)) if len(sexes) == 1 else None,
        "age": " 或 ".join(age for _, age in sorted(ages.values())) or None,
    }
    return head, doubts


def join_origins(pages: Sequence[tuple[int, Reading]]) -> Origin:
    """各页的时间、医院、标本；几页印得不一样的（几份单子一起读）不要：不知道哪一行是哪一份的。"""
    joined: Origin = {}
    for name in get_args(OriginField):
        printed = [(number, reading.origin[name]) for number, reading in pages if name in reading.origin]
        if len({field.value for _, field in printed}) == 1:
            number, first = printed[0]
            joined[name] = first.model_copy(update={"page": number})
    return consistent(joined)


# ---- 重复的行 ----


def _is_same_test(first: Observation, second: Observation) -> bool:
    """是不是同一项检验：目录里是同一个指标，或名称相同；单位、写法都不同的（血与尿的葡萄糖）不是。"""
    here, there = first.row, second.row
    if _test_of(first) != _test_of(second) or here.name == NAMELESS:
        return False
    if same_result(here.result, there.result) or same_range(here.reference_range, there.reference_range):
        return True
    are_numbers = isinstance(first.value, Interval), isinstance(second.value, Interval)
    return are_numbers[0] == are_numbers[1] and units_agree(here.unit, there.unit)


def _test_of(seen: Observation) -> str:
    return seen.analyte.code if seen.analyte else fold_name(seen.row.name or seen.row.code)


def _is_same_reading(first: ReadRow, second: ReadRow) -> bool:
    ranges = first.reference_range, second.reference_range
    flags = first.mark, second.mark
    return (
        same_result(first.result, second.result)
        and (same_range(*ranges) or not all(ranges))
        and units_agree(first.unit, second.unit)
        and (flags[0] == flags[1] or not all(flags))
    )


def _clearer(first: Observation, second: Observation) -> Observation:
    """读得一样的：留没有疑问、把握大的那一行；一边没有读到的单位、范围、标记，由另一边补。"""

    def clearness(row: ReadRow) -> tuple[bool, float]:
        return not row.doubt, row.confidence or 0.0

    better, worse = (second, first) if clearness(second.row) > clearness(first.row) else (first, second)
    filled = {name: text or getattr(worse.row, name) for name, text in better.row.printed().items()}
    row = better.row.model_copy(update=filled)
    return observe(row, row.report_type or "", Person()) if row != better.row else better


def _graver(
    first: Observation, second: Observation, head: dict[str, str | None]
) -> tuple[Observation, Severity | None]:
    """读得不一样的：留要紧的那一行，存疑，说出另一个读数；和它有多要紧。"""
    weights = [severity_if_right([side.row], head | {"report_type": side.row.report_type}) for side in (first, second)]
    graver = worst(weights)
    chosen, left = (second, first) if graver and graver != weights[0] else (first, second)
    page, other_reading = left.row.page, describe_reading(left.row)
    doubt = f"第 {chosen.row.page} 页与第 {page} 页读得不一样，第 {page} 页是 {other_reading}，请核对原件"
    doubtful = replace(chosen, row=chosen.row.model_copy(update={"doubt": doubt}))
    return doubtful, graver
