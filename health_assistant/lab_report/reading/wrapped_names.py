"""一项的名称占了几行：换行印的，代号、英文名另起一行的，方法印在下面的。问的是上下两行是不是一项。"""

import re
from dataclasses import replace
from itertools import pairwise
from statistics import median

from health_assistant.lab_report.matching import is_known_name
from health_assistant.lab_report.reading.items import NOT_AN_ITEM, has_item_name
from health_assistant.lab_report.reading.names import is_known, known_as, split_name
from health_assistant.lab_report.reading.orphans import merge
from health_assistant.lab_report.reading.row import Row, is_subline, joins
from health_assistant.lab_report.reading.text import has_chinese, join_boxes

METHOD = re.compile(r"end-?point|oxidation|oxidase|kinetic|photometr|immuno-?(?:assay|turbid)", re.IGNORECASE)
"""印在名称下面一行的方法。"""
_SHORT = 4
_LARGER, _CLEARLY, _CENTRED = 1.07, 1.2, 0.25
"""格与格的行距是格内的这么多倍，才是大些、大得明显；结果离名称正中不到格内行距的这么多倍，才是正中。"""


def is_title_of(above: Row, below: Row) -> bool:
    """above 只有中文名称；结果在下面一行，跟着代号，或跟着名称换行印的下半截。"""
    if not (above.name and below.name) or above.has_value() or not below.has_value() or _have_results(above, below):
        return False
    near = below.anchor.line - above.anchor.line < 2.2 * above.anchor.height
    is_aligned = near and abs(above.name.start - below.name.start) < 2 * above.name.height
    if not is_aligned or not has_chinese(above.name.text):
        return False
    is_second_half = is_known(above.name.text + below.name.text) and not is_known(below.name.text)
    return is_second_half or not has_chinese(below.name.text)


def _have_results(above: Row, below: Row) -> bool:
    """两行各有结果（`核型 均质型` 与 `ASO 1:400`）：是两项，合成一项会丢一个。"""
    return above.result is not None and below.result is not None


def with_whole_names(lines: list[Row]) -> list[Row]:
    """窄列里的名称折成几行、结果印一次在它们正中的：格内的行距小于格与格的，各格的几行并成一项。

    只要有一格的结果不在正中（下面是方法，上面是小标题）或不止一个（排得密的几项），就不是这样印的，都不动；
    行距差得不多的，还要每一格都有结果、不止一格折了行。
    """
    named = sorted((row for row in lines if row.name), key=lambda row: row.name.line)
    gaps = sorted(below.name.line - above.name.line for above, below in pairwise(named))
    inside, between = next((two for two in pairwise(gaps) if two[1] > _LARGER * two[0] > 0), (0.0, 0.0))
    cells: list[list[Row]] = []
    for row in named:
        last = cells[-1][-1].name if cells else row.name
        if cells and row.name.line - last.line <= inside and abs(row.name.start - last.start) < 2 * last.height:
            cells[-1].append(row)
        else:
            cells.append([row])
    wholes: dict[int, list[Row]] = {}
    unvalued = 0
    for cell in cells:
        top, end = cell[0].name.line, cell[-1].name.line
        parts = [row for row in lines if row in cell or not row.name and top < row.anchor.line < end]
        hosts = [row for row in parts if row.result] or [row for row in parts if row.has_value()]
        unvalued += not hosts
        if len(cell) == 1 or not hosts:
            continue
        at = median(box.line for box in (hosts[0].result, hosts[0].unit, *hosts[0].limits) if box)
        if len(hosts) > 1 or abs(at - (top + end) / 2) > _CENTRED * inside:
            return lines
        wholes[id(hosts[0])] = parts
    is_clear = between > _CLEARLY * inside or len(wholes) > 1 and not unvalued
    return _joined(lines, wholes) if is_clear else lines


def _joined(lines: list[Row], wholes: dict[int, list[Row]]) -> list[Row]:
    """wholes 是各格里有结果的那一行（id）与格里的各行；合起来不认得、单独一行却认得的，也许另一行是小标题，不动。"""
    gone: set[int] = set()
    for row in lines:
        parts = wholes.get(id(row), [])
        names = sorted((part.name for part in parts if part.name), key=lambda box: box.line)
        if not names:
            continue
        whole = names[0]
        for name in names[1:]:
            is_tight = has_chinese(name.text) or not whole.text[-1:].isalnum() and whole.text[-1:] not in ",)"
            whole = join_boxes(whole, name, "" if is_tight else " ")
        if known_as(whole.text) is None and any(known_as(name.text) for name in names):
            continue
        row.name = row.anchor = replace(whole, line=(row.result or row.limits[0]).line)
        for part in parts:
            if part is not row:
                merge(row, part)
                gone.add(id(part))
    return [row for row in lines if id(row) not in gone]


def with_codes_below(lines: list[Row]) -> list[Row]:
    """名称、结果、代号各占一行的（手机上）：结果与代号都归上面的名称。"""
    kept: list[Row] = []
    for row in lines:
        host, values = kept[-2:] if len(kept) > 1 else (row, row)
        # IgM 是名称换行印的下半截
        is_code = row.name and not row.has_value() and not re.search("[一-鿿]|^Ig[A-Z]$", row.name.text)
        is_between = host.name and not host.has_value() and not values.name and values.has_value()
        near = row.anchor.line - host.anchor.line < 3 * row.anchor.height
        if is_code and is_between and near and abs(row.name.start - host.name.start) < row.name.height:
            host.code = row.name
            merge(host, kept.pop())
        else:
            kept.append(row)
    return kept


def names_under_codes(lines: list[Row]) -> list[Row]:
    """只有中文名称、印在代号与结果下面的那些行；第一项的上面没有这样的一行，多半的项下面都有，离得也不比下一项远。"""
    coded = [row for row in lines if row.name and row.has_value() and not (row.code or has_chinese(row.name.text))]
    under = [
        row
        for above, row, below in zip(lines, lines[1:], [*lines[2:], None], strict=False)
        if above in coded
        and row.name
        and not row.has_value()
        and has_chinese(row.name.text)
        and not NOT_AN_ITEM.search(row.name.text)
        and abs(row.name.start - above.name.start) < 2 * row.name.height
        and row.anchor.line - above.anchor.line < 2.2 * row.anchor.height
        and (below is None or row.anchor.line - above.anchor.line < 1.2 * (below.anchor.line - row.anchor.line))
    ]
    return under if coded and 2 * len(under) > len(coded) and coded[0] is lines[0] else []


def is_subline_of(row: Row, above: Row) -> bool:
    """名称下面的代号、英文名；同一行上也许接着印上面那一项的范围（分期、分男女的）。"""
    if not (row.name and above.name) or row.result or not is_subline(row.name, above.name):
        return False
    return all(above.limits and joins(above.limits, box) for box in row.limits)


def is_lower_line_of(row: Row, above: Row) -> bool:
    """换行印的名称的下半截，旁边接着印上面那一项的范围（分档、分男女的），没有结果。"""
    if not (row.name and above.name and above.result and row.limits) or row.result or row.unit:
        return False
    if not has_item_name(row):
        return False  # 页脚的“送检日期”
    is_aligned = abs(row.name.start - above.name.start) < row.name.height
    is_near = row.anchor.line - above.anchor.line < 2.2 * row.name.height
    is_rest = not is_known(row.name.text) or not is_known(above.name.text) or row.name.text[0] in "(（"
    return is_aligned and is_near and is_rest and all(joins(above.limits, box) for box in row.limits)


def is_rest_of_name(row: Row, above: Row, pitch: float) -> bool:
    """名称太长，换行印的后半截：上半截的括号没有合上，或者离得比平常的行距近得多。"""
    if above.name is None or abs(row.name.start - above.name.start) > 2 * row.name.height:
        return False
    gap = row.anchor.line - above.anchor.line
    is_open = len(re.findall(r"[(（]", above.name.text)) > len(re.findall(r"[)）]", above.name.text))
    if is_open and gap < 2.2 * above.anchor.height:
        return True
    is_continued = has_chinese(row.name.text) and not is_known(row.name.text) and not is_known(above.name.text)
    return is_continued and gap < min(0.75 * pitch, 1.8 * above.anchor.height)


def is_first_line_of(above: Row, row: Row) -> bool:
    """above 是名称的头一行，结果在 row 旁边：两行挨得紧，合起来才认得（HIGH SENSITIVITY / C-REACTIVE PROTEIN），

    或 above 认得，row 的左边印的是方法（BILIRUBIN, TOTAL / Vanadate Oxidation）。
    """
    if above.name is None or above.has_value() or not row.has_value() or _have_results(above, row):
        return False
    is_tight = row.anchor.line - above.anchor.line < 1.2 * row.name.height
    if not is_tight or abs(row.name.start - above.name.start) >= row.name.height:
        return False
    if re.fullmatch(r"[(（][^()（）]+[)）]", row.name.text):
        return True  # 25-OH VITAMIN D / (TOTAL)
    if is_known(above.name.text) and METHOD.search(row.name.text):
        return not is_known(row.name.text)
    if has_chinese(above.name.text) and has_chinese(row.name.text):
        # 甲状腺球蛋白 / 抗体(TgAb)：后半截自己不是一项
        return not is_known_name(split_name(row.name.text)[0]) and is_known_name(
            split_name(above.name.text + row.name.text)[0]
        )
    # 合起来还是下面那一项的，上面的是组名：Complete Blood Count (CBC) / Haemoglobin
    own, whole = row.name.text, f"{above.name.text} {row.name.text}"
    is_title = known_as(own) is not None and known_as(own) is known_as(whole)
    return not is_known(above.name.text) and is_known(whole) and not is_title


def is_upper_half(row: Row, above: Row, below: Row | None) -> bool:
    """名称换行印在结果的上下两边时的上半截：下一行有结果而没有名称，离它比上一项近。"""
    if below is None or below.name or not below.has_value() or not above.has_value():
        return False
    return below.anchor.line - row.anchor.line < 0.8 * (row.anchor.line - above.anchor.line)


def is_lower_half(row: Row, above: Row) -> bool:
    """名称换行印在结果的上下两边时的下半截，短的字母也是（抗体 / IgM）；长的是英文名。"""
    is_english = not has_chinese(row.name.text) and len(row.name.text) > _SHORT
    if above.name is None or above.result is None or is_english:
        return False
    drop, height = above.result.line - above.name.line, above.name.height
    is_aligned = abs(row.name.start - above.name.start) < height
    return drop > 0.35 * height and is_aligned and 0 < row.name.line - above.result.line < 1.5 * drop
