"""范围没有印在项目的一行里：另成一张清单（血气仪的纸条），另起一行写在下面，或只印在色条的两头。都搬回那一行。"""

import re
from dataclasses import replace
from itertools import pairwise
from statistics import median

from health_assistant.lab_report.printed_text import fold_code
from health_assistant.lab_report.reading.cells import split_cells
from health_assistant.lab_report.reading.header_dates import DATE
from health_assistant.lab_report.reading.header_words import role_beside_others, words_in
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import Line, TextBox, join_boxes
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.units import fold_unit

_HEADING = re.compile(
    r"(?:生物)?(?:参考|正常)(?:范围|区间|值)(?:一览|列表)?|(?:bio(?:logical)?\.?\s*)?(?:normal|ref(?:erence)?)\.?\s*(?:ranges?|intervals?|values?)",
    re.IGNORECASE,
)
_RANGES = ("range", "bound")
_OVER = re.compile(r"参考|正常|范围|区间|ref|normal|range|interval", re.IGNORECASE)
_MOST_TIERS = 6
"""一项的范围至多折成几行。"""
_LONGEST = 60
"""再长的一行是说明。"""
_MIN_ENDS = 5
"""少于这么多行，碰巧都是左小右大的也许是前两次的结果。"""
_MIN_BARS = 3
"""少于这么多项，两个数也许是别的（上两次的结果）。"""


def seat_apart_ranges(lines: list[Line]) -> list[Line]:
    """范围搬回各项的一行（放在最右边），清单、色条的行去掉；不是这样印的原样返回 lines。"""
    return (
        _from_list(lines) or _from_below(lines) or _from_bars(lines) or _from_ends(lines) or _from_one(lines) or lines
    )


def _is_heading(text: str) -> bool:
    """单独的一句“参考范围：”，后面没有范围。"""
    return _HEADING.fullmatch(text.rstrip(".:：- ")) is not None


def _from_list(lines: list[Line]) -> list[Line]:
    """单独一行“参考范围”以下的 `Na 138-146 mmol/L`，名称在上面印过、那一行没有范围的。"""
    at = next((at for at, line in enumerate(lines) if _is_heading(" ".join(box.text for box in line))), None)
    if at is None:
        return []
    above = {fold_code(line[0].text): line for line in lines[:at] if _has_value(line)}
    moved: dict[int, TextBox] = {}
    used = {at}
    for below, line in enumerate(lines[at + 1 :], at + 1):
        cells = [cell for box in line for cell in split_cells(box)]
        host = above.get(fold_code(cells[0].text)) if cells else None
        ranges = [cell.box for cell in cells if cell.kind in _RANGES]
        if host and len(ranges) == 1 and id(host) not in moved:
            moved[id(host)] = ranges[0]
            used.add(below)
    return _seated(lines, moved, used) if moved else []


def _from_below(lines: list[Line]) -> list[Line]:
    """一项下面另起一行“参考范围：”，再下面才是它的范围，一行或几行（分男女、分档）：接成一段，看不懂的也搬，不能当作没有印。"""
    moved: dict[int, TextBox] = {}
    used: set[int] = set()
    for at, (host, heading) in enumerate(pairwise(lines), 1):
        if len(heading) > 1 or not _is_heading(heading[0].text) or not _has_value(host):
            continue
        printed: list[str] = []
        for line in lines[at + 1 : at + 1 + _MOST_TIERS]:
            text = " ".join(box.text for box in line)
            is_item = _has_value(line) or is_known(split_cells(line[0])[0].text)
            has_date = DATE.search(text)  # 页脚：`Reported: 2024-02-20 13:30`
            if is_item or has_date or not re.search(r"\d", text) or len(text) > _LONGEST:
                break
            printed.append(text)
        if printed:
            score = min(box.score for line in lines[at + 1 : at + 1 + len(printed)] for box in line)
            last = host[-1]
            text = f"Ref. range: {','.join(printed)}"  # 有这句话的，落在哪一列都是范围
            moved[id(host)] = replace(last, text=text, score=score, start=last.end, end=last.end + 1)
            used |= {*range(at, at + 1 + len(printed))}
    kept = [line for at, line in enumerate(lines) if at not in used]
    return [[*line, *([moved[id(line)]] if id(line) in moved else [])] for line in kept] if moved else []


def _from_bars(lines: list[Line]) -> list[Line]:
    """每一项下面的一行只有两个数，左小右大：色条的两头。一页各项都这样、没有印别的范围才算。"""
    if any(box.kind in _RANGES for line in lines for box in line):
        return []
    valued = [at for at, line in enumerate(lines) if _has_value(line)]
    bars = [at + 1 for at in valued if at + 1 < len(lines) and _is_pair(lines[at + 1])]
    if len(bars) < max(_MIN_BARS, len(valued)):
        return []
    moved = {
        id(lines[at - 1]): replace(
            left, text=f"{left.text}-{right.text}", x1=right.x1, score=min(left.score, right.score)
        )
        for at in bars
        for left, right in [lines[at]]
    }
    return _seated(lines, moved, set(bars))


def _from_ends(lines: list[Line]) -> list[Line]:
    """各行最右边两个数，左小右大、上下对齐，上面印着“参考范围”：下限、上限各一列，中间是色条。没有一行不是这样才算。"""
    if any(box.kind in _RANGES for line in lines for box in line):
        return []
    threes = [line for line in lines if [box.kind for box in line].count("number") > 2]
    pairs = [_with_points(line[-2:]) for line in threes if line[0].kind == "text"]
    if len(pairs) < max(_MIN_ENDS, len(threes)) or not all(map(_is_pair, pairs)):
        return []
    low, high = (median(column) for column in zip(*((pair[0].start, pair[1].end) for pair in pairs), strict=True))
    height = pairs[0][0].height
    is_straight = all(max(abs(first.start - low), abs(other.end - high)) < 2 * height for first, other in pairs)
    above = [box for line in lines for box in line if box.line < min(first.line for first, _ in pairs)]
    is_headed = any(_OVER.search(box.text) and low < (box.start + box.end) / 2 < high for box in above)
    heads = {role for box in above for role, _ in words_in(box)} | {role_beside_others(box.text) for box in above}
    is_headed = is_headed and not heads & {"low", "high"}  # 下限、上限各有表头
    if not (is_straight and is_headed):
        return []
    joined = {id(line[-2]): join_boxes(pair[0], pair[1], "-") for line, pair in zip(threes, pairs, strict=True)}
    last = {id(line[-1]) for line in threes}
    for line in lines:  # 只认出上限的一头
        if line not in threes and line[-1].kind == "number" and abs(line[-1].end - high) < height and len(line) > 2:
            joined[id(line[-1])] = replace(line[-1], text=f"?-{line[-1].text}")
    return [[joined.get(id(box), box) for box in line if id(box) not in last] for line in lines]


def _with_points(pair: Line) -> Line:
    """小数点印成逗号的（`1,3`），常有一头认成点：都写成点。"""
    return [replace(box, text=re.sub(r"^(\d+),(\d\d?)$", r"\1.\2", box.text)) for box in pair]


def _from_one(lines: list[Line]) -> list[Line]:
    """一页只有一项，“Ref Range:”以下一行单位、一行范围（`Mg/L Mg/dL`、`<5.0 <0.5`）：取与结果同一个单位的。"""
    at = next((at for at, line in enumerate(lines) if len(line) == 1 and _is_heading(line[0].text)), 0)
    hosts = [line for line in lines[:at] if is_known(line[0].text) and _has_value(line)]
    units, ranges = (lines[at + 1 : at + 3] + [[], []])[:2]
    if len(hosts) != 1 or {box.kind for box in units} != {"unit"} or not {box.kind for box in ranges} <= set(_RANGES):
        return []
    of_unit = dict(zip((fold_unit(box.text) for box in units), ranges, strict=False))
    own = [of_unit[unit] for box in hosts[0][1:] if (unit := fold_unit(box.text)) in of_unit]
    return _seated(lines, {id(hosts[0]): own[0]}, {at, at + 1, at + 2}) if len(own) == 1 else []


def _has_value(line: Line) -> bool:
    """有名称，有结果，没有范围。"""
    kinds = [box.kind for box in line]
    has_number = any(re.match(r"[<>]?\d[\d.,]*(?:\s|$)", box.text) for box in line[1:])
    return kinds[0] == "text" and has_number and not set(_RANGES) & set(kinds)


def _is_pair(line: Line) -> bool:
    if [box.kind for box in line] != ["number", "number"]:
        return False
    left, right = line
    is_apart = right.start - left.end > 2 * left.height
    return is_apart and parse_range(f"{left.text}-{right.text}") is not None


def _seated(lines: list[Line], moved: dict[int, TextBox], used: set[int]) -> list[Line]:
    right = max(box.end for line in lines for box in line) + 4 * lines[0][0].height
    seated = []
    for at, line in enumerate(lines):
        limits = moved.get(id(line))
        if limits:
            line = [*line, limits.moved(right, line=line[0].line)]
        if at not in used:
            seated.append(line)
    return seated
