"""断错了的文字：范围一列窄格里折行折在词与数的中间的，和左栏末尾粘上了右边一栏序号的。"""

import re
from dataclasses import replace
from itertools import pairwise

from health_assistant.lab_report.reading.text import TextBox, join_boxes, part_of
from health_assistant.lab_report.reference_range import parse_range

_TIGHT = 1.2
"""格里折行的行距都一样；到下一格的远得多。"""
_FEWEST = 3
_MOSTLY = 0.8
"""至少这么多行、这么大的一份的末尾是接连的数，才是序号。"""
_MAY_END_SO = re.compile(r"\d[-~<>≤≥].*\d\d$| \d+$|[A-Za-z%]\d+$")
"""末尾可能粘着序号的：范围，隔着空格的，单位（`U/L12`）。"""


def with_whole_ranges(body: list[list[TextBox]], header: dict[str, TextBox]) -> list[list[TextBox]]:
    """范围一列里折成几行、逐行看不懂、直接连起来才看得懂的（`4.79-2` 与 `3.3`）：连成一段，放在有名称的那一行。

    body 是一栏表头以下的各行；header 是“列 -> 表头格”，没有范围一列的照旧。
    """
    if not {"name", "range"} <= header.keys():
        return body
    edge = max((box.end for role, box in header.items() if box.end < header["range"].start), default=0.0)
    lone = [len(line) == 1 and line[0].start > edge for line in body]
    gaps = [low[0].line - high[0].line for high, low in pairwise(body)]
    beside = [gap for gap, pair in zip(gaps, pairwise(lone), strict=True) if any(pair)]
    blocks: list[list[int]] = []
    for at in range(len(body)):
        is_next = at and gaps[at - 1] < _TIGHT * min(beside, default=0.0) and (lone[at - 1] or lone[at])
        blocks[-1].append(at) if is_next else blocks.append([at])
    joined, dropped = dict(enumerate(body)), set()
    for block in blocks:
        named = [at for at in block if not lone[at]]
        if len(block) < 2 or len(named) != 1:
            continue
        start = next(body[at][0].start for at in block if lone[at])
        own = [box for box in body[named[0]] if abs(box.start - start) < box.height]
        pieces = [own[0] if at == named[0] else body[at][0] for at in block] if own else []
        texts = [piece.text for piece in pieces]
        if pieces and parse_range(",".join(texts)) is None and parse_range("".join(texts)) is not None:
            whole = pieces[0]
            for piece in pieces[1:]:
                whole = join_boxes(whole, piece)
            whole = replace(whole, line=own[0].line)
            joined[named[0]] = [whole if box is own[0] else box for box in body[named[0]]]
            dropped |= {*block} - {*named}
    return [line for at, line in joined.items() if at not in dropped]


def without_next_serials(body: list[list[TextBox]], edges: list[float]) -> list[list[TextBox]]:
    """右边一栏的序号粘在左栏范围、单位末尾的（`4.3-5.87` 是 4.3-5.8 与 7）：各行末尾是接连的数才断开。

    edges 是并排各栏的分界，横坐标。
    """
    for edge in edges:
        ends = [max((box for box in line if box.middle < edge), key=lambda box: box.end, default=None) for line in body]
        glued = [(at, box) for at, box in enumerate(ends) if box and _MAY_END_SO.search(box.text)]
        for first in (1, 2):
            serial = int(re.search(r"\d+$", glued[0][1].text)[0][-first:]) if glued else 0
            numbered = [(at, box, str(serial + at - glued[0][0])) for at, box in glued]
            fitting = [(at, box, number) for at, box, number in numbered if box.text.endswith(number)]
            if len(fitting) < max(_FEWEST, _MOSTLY * len(glued)):
                continue
            for at, box, number in fitting:
                cut = len(box.text) - len(number)
                parts = [part_of(box, 0, cut), replace(part_of(box, cut, len(box.text)), start=edge, end=edge + 1)]
                whole = [piece for old in body[at] for piece in (parts if old is box else [old])]
                body = [*body[:at], whole, *body[at + 1 :]]
            break
    return body
