"""标本、采样的钟点印在报告名以外的（页眉、一行“标本”）：添到各行的报告名后面，认项目、分轻重、说的话都用它。"""

import re
from collections import defaultdict
from collections.abc import Sequence

from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.report import PrintedRow, Reading, ReadReport, ReadRow
from health_assistant.lab_report.specimen import OTHER_SPECIMENS, possible_specimens
from health_assistant.lab_report.units import is_only_for_blood

_LABEL = re.compile(
    r"标本(?:种?类[型别]?|名称|来源)?|样[本品](?:种?类[型别]?|名称)?|specimen(?: ?type)?|sample(?: ?type)?", re.I
)
_NOT_A_FLUID = re.compile("拭子|精|白带|阴道|宫颈|前列腺|骨髓|羊水|唾液|汗")
"""说了也不用添的：这样的单子上也印血里的项目（咽拭子查的流感、骨髓与血一起送的）。"""
_BLOOD = re.compile(r"(?<![一-鿿])(?:静脉|动脉|外周|末梢|抗凝)*全?血液?(?![一-鿿])|(?<![a-z])blood(?![a-z])", re.I)
_SAYS_BLOOD = re.compile(r"血(?!性)|serum|plasma|blood", re.I)
_CHANGES_BY_HOUR = re.compile("皮质醇|cortisol", re.I)
"""下午、夜里本来就低的：只有一行、自己没有说是几点钟的，也看页眉里的采样时间。"""
_HOUR = re.compile(
    r"\d\s*(?:[:：]\d|[ap]\.?m|点|时|h(?!s))|[晨早晚夜午]|(?<![a-z])[ap]\.?m\b|morn|even|noon|night|(?:醇|sol)\W*\d",
    re.I,
)
_CULTURE = re.compile(r"^(?!.*(?:染色体|核型|干扰素|细胞培养)).*(?:培养|culture)", re.I)


def with_stated_specimens(report: ReadReport) -> ReadReport:
    """各行的报告名添上印在别处的标本：脑脊液一类的，和培养的血。没有要添的就是原来的 report。"""
    stated = _stated_in_rows(report.items)
    rows = [_with_specimen(row, words, report) for row, words in zip(report.items, stated, strict=True)]
    return report.model_copy(update={"items": rows}) if rows != report.items else report


def _with_specimen(row: PrintedRow, stated: list[str], report: ReadReport) -> PrintedRow:
    title = getattr(row, "report_type", None) or report.report_type
    # 页眉里的，读页眉时已经添了
    words = [text for text in stated if is_fluid(text) and not _is_of_blood(row)]
    if _CULTURE.search(title + row.name) and not words and possible_specimens("", row.name, "") == ("blood",):
        origin = report.origin.get("specimen") if isinstance(report, Reading) else None
        in_head = [origin.value] if origin and origin.page == getattr(row, "page", 1) else []
        words = ["血培养"] if any(map(_BLOOD.search, [title, *stated, *in_head])) else []
    drawn = report.origin.get("collected") if isinstance(report, Reading) else None
    if drawn and "T" in drawn.value and drawn.page == getattr(row, "page", 1) and _needs_hour(row, report):
        words.append(f"采样时间 {drawn.value[11:]}")
    words = [text for text in words if text not in title]
    if not words:
        return row
    read = row if isinstance(row, ReadRow) else ReadRow.of(row)
    return read.model_copy(update={"report_type": " ".join([title, *words])})


def _needs_hour(row: PrintedRow, report: ReadReport) -> bool:
    """一天里会变、整张只有这一行，又哪里都没有说几点钟抽的。"""
    same = [other for other in report.items if _CHANGES_BY_HOUR.search(other.name)]
    return same == [row] and not _HOUR.search(f"{row.name} {row.code or ''} {report.report_type}")


def _is_of_blood(row: PrintedRow) -> bool:
    """10^9/L 的细胞数，范围又不从 0 起：是血的，不论夹在什么标本中间；脑脊液的白细胞范围从 0 起，也常不印。"""
    interval = parse_range(row.reference_range) if is_only_for_blood(row.unit) else None
    return isinstance(interval, Interval) and bool(interval.low)


def is_fluid(text: str) -> bool:
    """写着的标本 `text` 是脑脊液、积液、脓液、痰这样的：里面的数不能当作血的。写着血的（静脉穿刺血、血清和痰）不算。"""
    return bool(OTHER_SPECIMENS.search(text)) and not _NOT_A_FLUID.search(text) and not _SAYS_BLOOD.search(text)


def _stated_in_rows(rows: Sequence[PrintedRow]) -> list[list[str]]:
    """管各行的“标本”一行写着的，没有的为空：同一页里它前面最近的一行；写在这一页最后的，管整页。"""
    stated: list[list[str]] = [[] for _ in rows]
    pages: defaultdict[int, list[int]] = defaultdict(list)
    for at, row in enumerate(rows):
        pages[getattr(row, "page", 1)].append(at)
    for places in pages.values():
        labels = {at: rows[at].result for at in places if _LABEL.fullmatch(rows[at].name.strip(" :："))}
        nearest = [*labels.values()] if [*labels] == places[-1:] else []
        for at in places:
            stated[at] = nearest
            nearest = [labels[at]] if at in labels else nearest
    return stated
