"""有表头的表 -> 一行行检验项目：一个视觉行入座以后（`seating.py`），换行的名称、范围并到它那一项。"""

import re
from itertools import pairwise, zip_longest
from statistics import median

from health_assistant.lab_report.interval import Interval, compare
from health_assistant.lab_report.reading.cells import Cell
from health_assistant.lab_report.reading.columns import Columns
from health_assistant.lab_report.reading.headless import NO_NAME, find_headless_rows
from health_assistant.lab_report.reading.items import NOT_AN_ITEM, has_item_name, is_item
from health_assistant.lab_report.reading.names import is_known, known_as
from health_assistant.lab_report.reading.orphans import find_host, merge, nearest, regular_hosts
from health_assistant.lab_report.reading.quoted import says_value
from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.seating import seat_line
from health_assistant.lab_report.reading.shifted_columns import doubt_overprinted, doubt_shifted
from health_assistant.lab_report.reading.tables import Table
from health_assistant.lab_report.reading.text import TextBox, has_chinese, join_boxes
from health_assistant.lab_report.reading.wrapped_names import (
    METHOD,
    is_first_line_of,
    is_lower_half,
    is_lower_line_of,
    is_rest_of_name,
    is_subline_of,
    is_title_of,
    is_upper_half,
    names_under_codes,
    with_codes_below,
    with_whole_names,
)
from health_assistant.lab_report.reference_range import parse_range, parse_result

_LOST_RANGE = re.compile(r"^(?!.*(20\d\d|:\d)).*([<>≤≥]\s*\d|\d\s*[-~]\s*\d)")
"""写着界限的，不是日期与时间。"""
_METHOD_LINE = re.compile(r"[(（][^()（）]*[)）]|\[[^\[\]]*\]|(?i:method)\s*[:：].*")
"""名称下面另起一行的方法：`(Chemiluminescence)`、`[电化学发光]`、`Method: Jaffe`。"""
_OTHER_TIER = re.compile(r"(deficien|insufficien|toxic)", re.IGNORECASE)
"""范围下面另起一行、说缺乏与中毒的一档：`206 - 678` 下面的 `Deficiency: < 150`。"""
_GOOD_TIER = re.compile(r"desirable|optimal|ideal|non-?diabetic", re.IGNORECASE)
"""说自己就是合适的一档；下面另起一行的是别的档：`< 200 Desirable` 下面的 `200 - 239 Borderline High`。"""
_SMALL = 0.65
_VALUES = ("number", "bound", "term")
_SHORT = 4
_FINDING = re.compile(r"[查见找]到|查见|检出|可见|发现|阳性|大量|异常|明显|生长|杆菌|球菌|真菌|病毒|细胞|核型|肿瘤")
"""表下面的文字结果里有这些字的是结果，不是人名、备注。"""
_SERIAL = re.compile(r"(\d{1,2})[.、)|\s]*(?!分钟|小时)[一-鿿]{2}")
"""与名称连成一段的序号：`24红细胞形态信息`。"""
_ABOUT_SHEET = re.compile("仅对|负责")
"""说的是整张单子。"""


def find_rows(table: Table) -> list[Row]:
    """一张子表里的检验项目，从上到下。"""
    if not table.columns.has_header or "name" not in table.columns.spans:
        headless = find_headless_rows(table)
        doubt_shifted(headless)
        return _without_bullets(headless, table.columns)
    rows = _headed_rows(table)
    if set(table.columns.spans) == {"name", "high", "low"} and not any(row.result for row in rows):
        return []  # 说明：哪一项高了、低了多半是什么病
    items = [row for row in rows if is_item(row, True)]
    # 字小得多的是图上的标注
    least = _SMALL * median([row.anchor.height for row in items] or [0.0])
    items = [row for row in items if row.anchor.height > least or row.result and row.name and is_known(row.name.text)]
    end = max((row.anchor.line for row in items if row.name), default=0.0)
    # 没有名称又没有范围的，在表的下面就是页脚里的数
    items = [row for row in items if row.name or row.limits or row.anchor.line < end]
    # 表的中间，没有范围的文字结果（B型）也是结果，认得的名称没有读到结果也是一行；表的下面是人名、备注
    kept: list[Row] = []
    for at, row in enumerate(rows):
        is_finding = row.result and _FINDING.search(row.result.text) and not _ABOUT_SHEET.search(row.result.text)
        is_last_card = row.name is not None and row.name.is_label and is_known(row.name.text)
        is_inside = row.anchor.line < end or is_finding or is_last_card or _goes_on(kept, row) and not _is_note(row)
        if row in items or _may_be_item(row) and not _is_section(row, rows[at + 1 : at + 4]) and is_inside:
            kept.append(row)
    doubt_shifted(kept)
    doubt_overprinted(kept)
    return _without_bullets(kept, table.columns)


def _without_bullets(rows: list[Row], columns: Columns) -> list[Row]:
    """名称旁边的 `*` 不是说它异常的，去掉：多半的名称左边都有，而其中不止一项在它的范围以内的，是列表的圆点。

    多半的名称后面都有，或别的行另印着 H、L、箭头的，在范围以内的是脚注；表头里印着标记一栏的照旧。
    """
    starred = [row for row in rows if row.mark and row.mark.text == "*" and row.name]
    left = [row for row in starred if row.mark.end <= row.name.start]
    beside = [row for row in starred if row.result and row.mark.end <= row.result.start and _is_within(row)]
    has_other_marks = sum(bool(row.mark and re.search("[HL↑↓]", row.mark.text)) for row in rows) > 1
    if len(left) * 2 > len(rows) and sum(map(_is_within, left)) > 1:
        notes = left
    elif "mark" not in columns.printed and (has_other_marks or len(starred) * 2 > len(rows) and len(beside) > 1):
        notes = beside
    else:
        notes = []
    for row in notes:
        row.mark = None
    return rows


def _is_within(row: Row) -> bool:
    value = parse_result(row.result.text) if row.result else None
    limits = parse_range(row.limits[0].text) if row.limits else None
    return value is not None and limits is not None and compare(value, limits) == "normal"


def _goes_on(above: list[Row], row: Row) -> bool:
    """表的末尾没有范围的文字结果（气味 腥味）：行距不变，名称与结果都与上一项对得齐；人名、备注不会都对齐。"""
    if len(above) < _SHORT or not row.result or not above[-1].result or not (row.name and above[-1].name):
        return False
    last, height = above[-1], row.anchor.height
    pitch = median(low.anchor.line - high.anchor.line for high, low in pairwise(above))
    is_next = 0 < row.anchor.line - last.anchor.line < 1.2 * pitch
    off = min(abs(getattr(row.result, edge) - getattr(last.result, edge)) for edge in ("start", "middle", "end"))
    return is_next and abs(row.name.start - last.name.start) < 0.4 * height and off < 0.4 * height


def _may_be_item(row: Row) -> bool:
    if row.name is None or not has_item_name(row):
        return False
    return row.result is not None or is_known(row.name.text)


def _is_note(row: Row) -> bool:
    return not is_known(row.name.text) and bool(NOT_AN_ITEM.search(row.result.text))


def _is_section(row: Row, below: list[Row]) -> bool:
    """小标题：只有名称，下面几项的名称带着它（`空腹C肽` 上面的 `C肽`），或是同一项（`葡萄糖` 上面的 `空腹血糖`）。"""
    if row.result or row.limits or row.unit:
        return False
    own = known_as(row.name.text)
    names = [row.name.text for row in below if row.name]
    title = row.name.text.casefold()
    return any(title in name.casefold() or own and own is known_as(name) for name in names)


def count_unread(table: Table, rows: list[Row]) -> int:
    """表里没有读成项目的有几行：夹在各项之间、有数或范围的，序号接着上一项的，名称、数、范围都有的（不论在哪里）。

    rows 是这张子表的项目。
    """
    if not rows:
        return 0
    used = [box for row in rows for box in row.boxes()]
    numbered = [_SERIAL.match(row.name.text) for row in rows if row.name]
    unread, serials = 0, {int(serial[1]) for serial in numbered if serial}
    for line in table.lines:
        serial = _SERIAL.match(line[0].text)
        number = int(serial[1]) if serial else 0
        if number - 1 in serials and number not in serials and not NOT_AN_ITEM.search(line[0].text):
            serials.add(number)
            unread += 1
        else:
            unread += _is_unread(line, table, rows, used)
    return unread


def _is_unread(line: list[Cell], table: Table, rows: list[Row], used: list[TextBox]) -> bool:
    """line 有值，而哪一项也没有用它；rows 是这张子表的项目，used 是它们的格子。"""
    places = table.columns.assign(line) if table.columns.has_header else [None] * len(line)
    unseated = {cell.kind for cell, place in zip(line, places, strict=True) if place is None}
    if table.columns.has_header and "number" in unseated and unseated & {"range", "bound", "unit"}:
        return True  # 不在任何一列里的数与范围：旁边另有一栏
    values = [
        cell.box
        for cell, place in zip(line, places, strict=True)
        if cell.kind in ("number", "range", "bound")
        and (place or "result").split()[0] not in ("ignored", "unknown", "method", "serial", "name")
    ]
    is_footer = any(NOT_AN_ITEM.search(cell.text) for cell in line)
    if is_footer or not values:
        # 连成一段、没有分开的 `血小板 8×10^9/L…`
        return not is_footer and len(line) == 1 and line[0].box not in used and says_value(line[0].text)
    is_whole = {"number", "range"} <= {box.kind for box in values} and line[0].kind == "text"
    if not is_whole and not min(box.line for box in used) < values[0].line < max(box.line for box in used):
        return False
    above = [row for row in rows if row.anchor.line < values[0].line]
    if above and "result" not in places and _has_good_tier(above[-1]):
        return False  # 同一项的别的档
    return all(abs(box.line - values[0].line) > 0.6 * box.height for box in used)


def _headed_rows(table: Table) -> list[Row]:
    """有表头：每个视觉行各自成行；一项占了几行的（换行印的名称、范围，下面的代号）并成一行。"""
    lines = with_codes_below(with_whole_names([seat_line(line, table.columns) for line in table.lines]))
    for row in lines:
        is_method = row.name and _METHOD_LINE.fullmatch(row.name.text) and not is_known(row.name.text)
        if is_method and not (row.result and (row.limits or row.unit)):
            row.name = None  # 旁边的范围是上面那一项折下来的
    named = [row for row in lines if row.name]
    valued = [row for row in named if row.has_value()]
    pitch = median([below.anchor.line - above.anchor.line for above, below in pairwise(valued)] or [0.0])
    under = names_under_codes(lines)
    titles = _stacked_titles(lines, valued, under)
    # 范围折成几行的，头一行与名称齐，还是正中与名称齐：看头一项的上面有没有
    hangs = not any(row.limits and not row.name and row.anchor.line < named[0].anchor.line for row in lines if named)
    regular = regular_hosts(lines)
    rows: list[Row] = []
    for row, below in zip_longest(lines, lines[1:]):
        above = rows[-1] if rows else None
        is_bare = row.name and has_item_name(row) and not row.has_value()  # 页脚的“检验者”不接在名称后面
        is_second = above is not None and above in titles and is_title_of(above, row)
        if above and row in under:
            above.code, above.name = above.name, row.name
        elif not row.name:
            near = nearest(row, [*filter(has_item_name, named)], hangs)  # 页脚不是谁的名称
            _add_nameless(row, rows, near, regular.get(id(row)))
        elif not is_second and (row in titles or is_bare and above and is_upper_half(row, above, below)):
            rows.append(row)
        elif not is_second and is_bare and above and (is_rest_of_name(row, above, pitch) or is_lower_half(row, above)):
            above.name = join_boxes(above.name, row.name)
        elif above and _takes_in(above, row, is_second):
            named = [other for other in named if other is not row]
        else:
            rows.append(row)
    return rows


def _stacked_titles(lines: list[Row], valued: list[Row], under: list[Row]) -> list[Row]:
    """名称单独一行、代号与结果在下一行的单子上，只有名称的那些行；只是偶尔一个小标题的为空。

    valued 是有名称又有值的行；under 见 `names_under_codes`。
    """
    titles = [above for above, below in pairwise(lines) if is_title_of(above, below) and above not in under]
    # 名称与英文名上下两行、结果印在正中的，结果有的归上一行，有的归下一行
    sublines = [row for above, row in pairwise(lines) if not row.has_value() and is_subline_of(row, above)]
    is_stacked = 2 * len(titles + sublines) >= len(valued) or any(
        is_known(above.name.text + below.name.text) and not is_known(below.name.text)
        for above, below in pairwise(lines)
        if above in titles
    )
    return titles if is_stacked else []


def _takes_in(above: Row, row: Row, is_second: bool) -> bool:
    """row 是 above 那一项的下一行（名称的下半截、代号、方法，旁边是值）的，并进 above；不是的不动，为假。

    is_second：above 是单独一行的名称（见 `_stacked_titles`），row 是它的第二行。
    """
    whole = join_boxes(above.name, row.name, "" if has_chinese(row.name.text) else " ") if above.name else None
    if is_second:
        if has_chinese(row.name.text):
            above.name = whole  # 换行印的名称，结果在下半截旁边
        else:
            above.code = above.code or row.name
    elif is_first_line_of(above, row):
        if not (is_known(above.name.text) and METHOD.search(row.name.text)):
            above.name = whole
    elif is_lower_line_of(row, above):
        above.name = whole
    elif is_subline_of(row, above):
        above.code = above.code or row.name
    else:
        return False
    merge(above, row)
    return True


def _add_nameless(row: Row, rows: list[Row], near: list[Row], regular: Row | None) -> None:
    """没有名称的一行（换行印的范围等）并入它那一项；都不缺它的，像一项的自成一行，像范围的使最近的一项起疑。

    near 见 `orphans.nearest`；regular 是照整张单子的印法它归哪一行，看不出的为 None。
    """
    kinds = [box.kind for box in (row.result, *row.limits) if box]
    valued = [host for host in near if host.has_value()]
    if valued and not row.result and all(_is_other_tier(host, row) for host in valued):
        return  # 上下两项的范围都印全了
    if host := regular or find_host(row, near):
        merge(host, row)
    elif row.result and (row.limits or row.unit) and kinds[0] in _VALUES and "text" not in kinds:
        if row.code and is_known(row.code.text):
            row.name, row.code = row.code, None  # 名称没有读出，代号（K）还在
        else:
            row.doubt = NO_NAME
        rows.append(row)
    elif near and not row.result and any(_LOST_RANGE.search(box.text) for box in row.limits):
        # 看不懂也并进去，使那一行起疑；已经有几行的更可能
        host = max(near, key=lambda row: len(row.limits))
        if not (_has_good_tier(host) or _is_other_tier(host, row)):
            host.add_limits(row.limits[0])


def _is_other_tier(host: Row, row: Row) -> bool:
    """host 的范围两头都有了，row 是说缺乏、中毒的一档。"""
    whole = host.limits[0].interval if len(host.limits) == 1 else None
    is_whole = isinstance(whole, Interval) and whole.is_bounded
    return is_whole and bool(row.limits and _OTHER_TIER.match(row.limits[0].text))


def _has_good_tier(row: Row) -> bool:
    """范围只有一段，它说自己是合适的一档，看得懂。"""
    limits = row.limits[0] if len(row.limits) == 1 else None
    return limits is not None and isinstance(limits.interval, Interval) and bool(_GOOD_TIER.search(limits.text))


def prints_signs(rows: list[Row]) -> bool:
    """尿条：没有一行印着范围，有的结果是加号。"""
    signs = [row.result for row in rows if row.result and re.fullmatch(r"\+-|±|\d\+|\+{1,4}\d?", row.result.text)]
    return bool(signs) and not any(row.limits for row in rows)


def common_range(rows: list[Row], boxes: list[TextBox]) -> str:
    """表里一行也没有印范围，表外印着一个管各行的（`参考值：阴性`）：是阴性才算，没有则为空串。"""
    if any(row.limits for row in rows):
        return ""
    return "阴性" if any(re.fullmatch(r"参考(范围|值|区间)?\s*:\s*阴性", box.text) for box in boxes) else ""
