"""没有名称的一视觉行（换行印的范围、结果）归上下哪一项。"""

import re
from itertools import pairwise
from statistics import median

from health_assistant.lab_report.reading.items import has_item_name
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.row import TWO_RANGES, Row, joins

_BETWEEN = "参考范围印在两行之间，不能确定是哪一项的"
_OPEN_END = re.compile(r"([-~,，;；:：(（<>≤≥]|[男女岁])$")
"""范围印到这里还没有完：下一行是它的下半截。"""


def nearest(orphan: Row, named: list[Row], hangs: bool) -> list[Row]:
    """没有名称的一行可能属于上下哪几行，最可能的在先：不远于平常的行距的，近的在先；hangs 时上面的在先。

    带着结果的要近得多才算：它也可能是名称没有读出来的另一行。
    """
    height = orphan.anchor.height
    gaps = [abs(below.anchor.line - above.anchor.line) for above, below in pairwise(named)]
    reach = 0.75 * height if orphan.result else 0.95 * min(median(gaps) if gaps else 3 * height, 3.5 * height)
    if not orphan.result and sum(map(Row.has_value, named)) == 1:
        reach = 6 * height  # 一页只有一项：下面一段里的范围只会是它的
    above = [row for row in named if row.has_value() and row.anchor.line < orphan.anchor.line]
    named = [row for row in named if not any(row is other for other in above[:-1])]  # 隔着一项的不是它的

    def distance(row: Row) -> float:
        # 名称折成两行的，结果对着下半行，范围挂在结果下面
        hung = [*row.limits, row.result or row.anchor] if hangs else []
        return min(abs(box.line - orphan.anchor.line) for box in (row.anchor, *hung))

    def order(row: Row) -> tuple[bool, bool, float]:
        # 没有值、也不认得的名称多半是说明
        is_note = not (row.has_value() or is_known(row.name.text))
        # 只有范围的才会是上面一项折下来的；单独一个标记属于最近的
        may_hang = hangs and orphan.limits and row.limits and not orphan.result and row.anchor.line < orphan.anchor.line
        return is_note, not may_hang, distance(row)

    def is_near(row: Row) -> bool:
        # 行距相等的单子上，`Male: 13-18` 下面的 `Female: 12-16` 离它整整一行
        is_rest = bool(row.limits) and row.anchor.line < orphan.anchor.line and _lacks(row, orphan)
        return distance(row) < reach * (1.3 if is_rest and not orphan.result else 1)

    return sorted(filter(is_near, named), key=order)


def find_host(orphan: Row, near: list[Row]) -> Row | None:
    """near（最可能的在先）里 orphan 归哪一行，都不缺它的为 None。

    上面的范围没有印完的归上面；不然归上归下两可的，两行都起疑。
    """
    if orphan.limits and not orphan.result and near and _is_unfinished(near[0], orphan):
        return near[0]
    host = next((row for row in near if _lacks(row, orphan)), None)
    above = near[0] if near and near[0].limits and near[0] is not host else None
    if host and above and orphan.limits and not orphan.result:
        gap = min(abs(box.line - orphan.anchor.line) for box in above.limits)
        drop = host.anchor.line - orphan.anchor.line
        is_nearer, is_between = gap < drop, above.anchor.line < orphan.anchor.line < host.anchor.line
        if is_between and (is_nearer or above.doubt == TWO_RANGES):
            above.doubt = above.doubt or _BETWEEN
            host.doubt = host.doubt or _BETWEEN
            return above if is_nearer else host
    return host


def _is_unfinished(row: Row, orphan: Row) -> bool:
    """row 的范围没有印完，orphan 紧接在它下面。"""
    if not row.limits or not _OPEN_END.search(row.limits[-1].text):
        return False
    last = row.limits[-1]
    return 0 < orphan.anchor.line - last.line < 1.6 * last.height


def _lacks(row: Row, orphan: Row) -> bool:
    """orphan 有的，row 都还没有；范围可以是已有的另一半。"""
    if orphan.result and row.result or orphan.unit and row.unit and orphan.unit.text != row.unit.text:
        return False
    return all(not row.limits or joins(row.limits, box) for box in orphan.limits)


def merge(row: Row, orphan: Row) -> None:
    """把 orphan 的格子并入 row；它的疑问也跟着来。"""
    row.doubt = row.doubt or orphan.doubt
    row.result = row.result or orphan.result
    row.unit = row.unit or orphan.unit
    row.code = row.code or orphan.code
    row.mark = row.mark or orphan.mark
    row.maybe_arrows.extend(orphan.maybe_arrows)
    for box in orphan.limits:
        row.add_limits(box)


def regular_hosts(lines: list[Row]) -> dict[int, Row]:
    """范围都折成一样多的几行、名称齐着其中同一行的单子：各段范围（`id(row)`）归哪一行；不是这样印的为空。

    头一项的上面有几段，是名称上面的几段；看每两项之间的段数是不是都等于上面的与下面的之和。
    """
    named = [at for at, row in enumerate(lines) if row.name and row.limits and has_item_name(row)]
    inside = lines[: named[-1]] if named else []
    if len(named) < 2 or any(not row.limits or row.result for row in inside if not row.name):
        return {}
    ahead = named[0] - next((at for at in range(named[0], 0, -1) if lines[at - 1].name), 0)
    between = {below - above - 1 for above, below in pairwise(named)}
    if ahead == 0 or between != {max(between)} or max(between) < ahead:
        return {}
    behind = max(between) - ahead
    return {
        id(lines[at]): lines[host]
        for host in named
        for at in range(host - ahead, min(host + behind + 1, len(lines)))
        if at != host and not lines[at].name
    }
