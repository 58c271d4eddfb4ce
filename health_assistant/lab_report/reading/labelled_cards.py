"""一项一张卡片、各格都印着是什么：排成平常的表，一项一行，后面照表读。

或一行一格（`检验结果 6.81`，名称也这样印，或自己一行），或一排 `结果 单位 参考值` 印在各格的上面、下面。
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from health_assistant.lab_report.reading.cells import says_normal
from health_assistant.lab_report.reading.header import head_role
from health_assistant.lab_report.reading.header_dates import CLOCK, DATE
from health_assistant.lab_report.reading.items import NOT_AN_ITEM
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import Line, TextBox, part_of

_VALUES = ("number", "range", "bound", "term", "unit")
_MOST_NAME_LINES = 2
_NEXT_WORD = re.compile(r"(?<=[^一-鿿:(])(?=[一-鿿]{2,6}:)")
"""一段里连着印的下一格：`6.81↑ 单位:mmol/L` 的 `单位:`。"""
_FIRST = re.compile(r"[初首]次(?:检测|检验)?(?:结果|数?值)\s*:?\s*")
"""卡片里第一回的数，`本次结果` 另印着。只在卡片里这样看：整列只有首次结果的表，那一列就是结果。"""
_FIELDS = {"range", "unit", "low"}
"""结果之外还印着其中一格的才是卡片。"""

_Field = tuple[str, TextBox, Line]


@dataclass(frozen=True)
class _Card:
    """一项：占去哪几行，各格的种类与文字；`name` 是其中一格。"""

    used: range
    fields: dict[str, Line]
    labels: dict[str, TextBox]

    @property
    def name(self) -> str:
        return self.fields["name"][0].text if "name" in self.fields else ""


def lay_out_cards(lines: list[Line]) -> list[Line]:
    """卡片排成表，每项的高低是它最下面一行的；别的行不动。没有这样的卡片时原样返回 lines。"""
    sure = _cards_of_lines(lines)
    cards = sure or _cards_of_strips(lines)
    names = [card.name for card in cards]
    if not cards or len(cards) == 1 and not is_known(names[0]) or any(map(NOT_AN_ITEM.search, names)):
        return lines
    if sure:
        # 已经知道是卡片了，缺了、多了几格的也成一行，由后面说没有读出；留在卡片外面就没有人看见了
        odd = _cards_of_lines(lines, takes_odd=True)
        cards = [card for card in odd if not NOT_AN_ITEM.search(card.name)] or sure
        below = lines[cards[-1].used.stop : cards[-1].used.stop + 1]
        first = cards[0].name
        if not is_known(first) and any(_is_name(line) and (not first or is_known(line[0].text)) for line in below):
            for card in cards:
                card.fields.pop("name", None)  # 名称像是印在各格的下面：上面一行是别的卡片的
    used = {at for card in cards for at in card.used}
    kept = [line for at, line in enumerate(lines) if at not in used]
    return sorted([*kept, *_table(cards, lines)], key=lambda line: line[0].line)


def _table(cards: list[_Card], lines: list[Line]) -> list[Line]:
    labels: dict[str, TextBox] = {}
    for card in cards:
        labels = {**card.labels, **labels}
    widest = max(
        boxes[-1].end - boxes[0].start for card in cards for boxes in [*card.fields.values(), [*labels.values()][:1]]
    )
    step = widest + 4 * max(label.height for label in labels.values())
    places = {role: step * at for at, role in enumerate(labels)}
    top = lines[cards[0].used[0]][0].line
    table = [[_moved([label], places[role], top)[0] for role, label in labels.items()]]
    for card in cards:
        line = lines[card.used[-1]][0].line
        placed = {role: _moved(boxes, places[role], line) for role, boxes in card.fields.items()}
        table.append([box for role in labels for box in placed.get(role, [])])
    return table


def _moved(boxes: Line, start: float, line: float) -> Line:
    by = start - boxes[0].start
    return [replace(box, start=box.start + by, end=box.end + by, line=line) for box in boxes]


# ---- 一行一格 ----


def _fields(line: Line, takes_odd: bool) -> list[_Field]:
    """`检验结果 6.81`、`结果:6.81 单位:mmol/L`：各格的种类、左边的词、右边的一格（可以带着标记）；不是的为空。

    takes_odd：右边不止一格的、词与数连着的（`结果6.81`）也算。
    """
    fields: list[_Field] = []
    for box in (part for whole in line for part in _cut_at_words(whole)):
        glued = re.match(r"[一-鿿]{2,}(?=[<>≤≥↑↓]?\d)", box.text) if takes_odd else None
        word = glued or re.match(r"[^:\s]+(?::\s*|\s+)(?=\S)", box.text)
        at = word.end() if word else len(box.text)
        label = part_of(box, 0, at)
        role = head_role(label)
        if _FIRST.fullmatch(label.text):
            fields.append(("first", label, [box]))
        elif role:
            fields.append((role, label, [part_of(box, at, len(box.text))] if at < len(box.text) else []))
        elif fields:
            fields[-1][2].append(box)
        else:
            return []
    # 没有冒号的一行几个词是表头；有一个词后面跟着别的（数、`见说明`）的不是
    is_head = len(fields) > 1 and all(":" not in label.text and _are_words(values) for _, label, values in fields)
    is_full = any(sum(box.kind != "mark" for box in values) > 1 for _, _, values in fields)
    return [] if is_head or is_full and not takes_odd else fields


def _are_words(boxes: Line) -> bool:
    """都是表头的词、列名的日期；没有也算。"""
    return all(head_role(box) or DATE.fullmatch(CLOCK.sub("", box.text.strip())) for box in boxes)


def _has_value(boxes: Line) -> bool:
    return any(box.kind in _VALUES for box in boxes)


def _cut_at_words(box: TextBox) -> Line:
    edges = [0, *(word.start() for word in _NEXT_WORD.finditer(box.text)), len(box.text)]
    return [part_of(box, *ends) for ends in pairwise(edges)]


def _cards_of_lines(lines: list[Line], takes_odd: bool = False) -> list[_Card]:
    of_lines = [_fields(line, takes_odd) for line in lines]
    cards: list[_Card] = []
    at = 0
    while at < len(lines):
        start = at
        labels: dict[str, TextBox] = {}
        fields: dict[str, Line] = {}
        while at < len(lines) and of_lines[at]:
            if labels and any(role in labels or role == "name" for role, _, _ in of_lines[at]):
                break
            labels |= {role: label for role, label, _ in of_lines[at]}
            fields |= {role: values for role, _, values in of_lines[at] if values}
            at += 1
        if labels and "name" not in labels and start and not of_lines[start - 1] and _is_name(lines[start - 1]):
            start -= 1
            labels = {"name": replace(lines[start][0], text="项目"), **labels}
            fields["name"] = lines[start]
        first = labels.pop("first", None), fields.pop("first", [])
        if first[0] and "result" not in labels:
            # 本次的没有印，或没有读出来：连词照抄成不能再拆开的一格，说没有把握，而不是不提
            said = re.sub(r"\s+", "", "".join(box.text for box in first[1]))
            whole = replace(first[1][0], text=said, end=first[1][-1].end)
            labels["result"], fields["result"] = replace(first[0], text="结果"), [whole]
        is_whole = {"name", "result"} <= labels.keys() and "name" in fields and _FIELDS & labels.keys()
        has_number = any(re.search(r"\d", box.text) for box in fields.get("result", []))
        if is_whole or takes_odd and has_number:
            cards.append(_Card(range(start, at), fields, labels))
        at += not labels
    return cards


def _is_name(line: Line) -> bool:
    """只有名称，旁边也许有标记。"""
    return line[0].kind == "text" and not _has_value(line)


# ---- 一排词印在各格的上面、下面 ----


def _cards_of_strips(lines: list[Line]) -> list[_Card]:
    strips = [at for at, line in enumerate(lines) if _is_strip(line)]
    if not strips:
        return []
    gaps = [_gaps(lines, at) for at in strips]
    down = 1 if 2 * sum(below < above for above, below in gaps) > len(strips) else -1
    # 空着的一张只有词，没有各格
    filled = [0 <= at + down < len(lines) and _has_value(lines[at + down]) for at in strips]
    starts = [at - (is_filled and down < 0) for at, is_filled in zip(strips, filled, strict=True)]
    ends = [at + 1 + (is_filled and down > 0) for at, is_filled in zip(strips, filled, strict=True)]
    between = [below - end for end, below in zip(ends, starts[1:], strict=False)] or [1]
    if (
        not 1 <= min(between) <= max(between) <= _MOST_NAME_LINES
        or starts[0] < between[0]
        or 2 * sum(filled) < len(strips)
    ):
        return []
    cards = []
    for at, start, end, count, is_filled in zip(strips, starts, ends, [between[0], *between], filled, strict=False):
        name, values = lines[start - count : start], lines[at + down] if is_filled else []
        label = lines[at][0]
        has_name = is_filled and values[0].end <= label.start - label.height  # 左边多出一格：是名称
        if not _is_name(name[0]) or has_name:
            return []
        cards.append(_card(range(start - count, end), name, lines[at], values))
    return cards


def _is_strip(line: Line) -> bool:
    roles = [head_role(box) for box in line]
    return all(roles) and "result" in roles and bool(_FIELDS & {*roles}) and "name" not in roles


def _gaps(lines: list[Line], at: int) -> tuple[float, float]:
    """离上一行、下一行多远；没有的是无穷。"""
    own = lines[at][0].line
    above = own - lines[at - 1][0].line if at else float("inf")
    return above, lines[at + 1][0].line - own if at + 1 < len(lines) else float("inf")


def _card(used: range, name: Sequence[Line], labels: Line, values: Line) -> _Card:
    fields: dict[str, Line] = {"name": []}
    for box in (box for line in name for box in line):
        last = fields["name"][-1:]
        if box.kind == "mark" or says_normal(box.text):
            fields.setdefault("mark", []).append(box)
        elif last and box.start < last[0].end:  # 名称下面的代号，挪到名称的右边
            fields["name"] += _moved([box], last[0].end + 2 * box.height, box.line)
        else:
            fields["name"].append(box)
    for box in values:
        label = min(labels, key=lambda label: abs(label.middle - box.middle))
        fields.setdefault(head_role(label), []).append(box)
    printed = {head_role(label): label for label in labels}
    first = fields["name"][0]
    return _Card(
        used,
        fields,
        {
            "name": replace(first, text="项目"),
            **printed,
            **({} if "mark" in printed else {"mark": replace(first, text="提示")}),
        },
    )
