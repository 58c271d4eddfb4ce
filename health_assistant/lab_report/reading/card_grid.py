"""一页卡片排成几列，每张从上到下是名称、结果、单位、范围：一张卡片转成一行。

一行有三个以上名称的由 `transposed.py` 转；一行只有两张、末一行没有排满的，名称不够，在这里一张一张认。
结果、范围前面都印着词的（`Value : 5.00`、`Range : 0.30-1.20`），照词认：名称不认得、没有范围的也是一张。
"""

from collections import Counter
from dataclasses import replace
from itertools import permutations

from health_assistant.lab_report.reading.cells import split_cells
from health_assistant.lab_report.reading.header import head_role
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import Line, TextBox, part_of

_MIN_CARDS, _FULL_LINE = 4, 3
_DOWN, _ASIDE = 2.2, 1.0
"""一张卡片里上下两格至多隔开几倍字高，左端至多错开几倍。"""
_HEADS = {"name": "项目", "code": "代号", "result": "结果", "mark": "提示", "unit": "单位", "range": "参考范围"}

Card = dict[str, TextBox]


def turn_card_grid(lines: list[Line]) -> list[Line]:
    """lines 是一页的各行；是排成几列的卡片时，换成一张表（表头与一张卡片一行），不然原样返回。

    页上认得的名称都在卡片里才算：平常的表，名称下面是另一个名称。
    """
    boxes = [box for line in lines for box in line]
    labelled = [pair for box in boxes if (pair := _labelled_card(box, boxes))]
    are_read = 2 * sum("result" in card for card, _ in labelled) > len(labelled) >= _MIN_CARDS
    names = [card["name"] for card, _ in labelled]
    # 有两张卡片并排；一行一张的由 `labelled_cards.py` 排
    are_beside = any(abs(one.line - two.line) < 0.5 * one.height for one, two in permutations(names, 2))
    if are_read and are_beside:
        return as_table([card for card, _ in labelled], lines, [box for _, used in labelled for box in used])
    cards = [card for box in boxes if (card := _card(box, boxes))]
    used = [box for card in cards for box in card.values()]
    names = [box for box in boxes if is_known(box.text)]
    a_line = Counter(at for at, line in enumerate(lines) for card in cards if card["name"] in line).values()
    is_grid = len(cards) >= max(_MIN_CARDS, len(names)) and max(a_line, default=0) > 1 and min(a_line) < _FULL_LINE
    if not is_grid:
        return lines
    return as_table(cards, lines, used)


def as_table(cards: list[Card], lines: list[Line], used: Line) -> list[Line]:
    """一项一行的表（表头与各项），放在头一项的地方；lines 里不在 used 里的文字，上面的在它上面，别的都在它下面。"""
    width = 2 * max(box.end - box.start for card in cards for box in card.values())
    top, pitch = cards[0]["name"].line, 2 * cards[0]["name"].height
    heads = {role: text for role, text in _HEADS.items() if role != "code" or any(role in card for card in cards)}
    head = {role: replace(cards[0]["name"], text=text) for role, text in heads.items()}
    table = [
        [box.moved(width * at, line=top + pitch * down) for at, role in enumerate(heads) if (box := card.get(role))]
        for down, card in enumerate([head, *cards])
    ]
    rest = [[box for box in line if box not in used] for line in lines]
    above = [line for line in rest if line and line[0].line < top]
    shift = table[-1][0].line + pitch - top  # 卡片里没有认出的、卡片下面的，都放到表的下面
    below = [[replace(box, line=box.line + shift) for box in line] for line in rest if line and line[0].line >= top]
    return [*above, *table, *below]


def _labelled_card(label: TextBox, boxes: Line) -> tuple[Card, Line] | None:
    """label 是 `Value :`、`结果: 5.0` 时，它上面的名称、它的值、下面各格：一张卡片，与它用去的文字；不是的为 None。

    结果空着的（`结果:`）也是一张，由后面说没有读出。
    """
    role, value, used = _labelled(label, boxes)
    name = _above(label, boxes) if role == "result" else None
    if not name:
        return None
    card, used = {"name": replace(name, is_label=True)} | ({"result": value} if value else {}), [name, *used]
    last = label
    while (below := _below(last, label, boxes)) and (field := _labelled(below, boxes))[0] not in ("", "name", *card):
        if field[1]:
            card[field[0]] = field[1]
        used, last = used + field[2], below
    return card, used


def _labelled(label: TextBox, boxes: Line) -> tuple[str, TextBox | None, Line]:
    """`Range : 30-120`，或 `Value :` 与紧挨在右边的一格：哪一栏、值、用去的文字；前面没有词的，栏为空串。"""
    word, colon, rest = label.text.partition(":")
    role = head_role(part_of(label, 0, len(word))) if colon else ""
    if not role or rest.strip():
        return role, part_of(label, len(word) + 1, len(label.text)) if role else None, [label]
    beside = [box for box in boxes if abs(box.line - label.line) < 0.5 * box.height and box.start > label.middle]
    value = min(beside, key=lambda box: box.start, default=None)
    is_near = value is not None and value.start - label.end < 3 * value.height
    return (role, value, [label, value]) if is_near else (role, None, [label])


def _above(label: TextBox, boxes: Line) -> TextBox | None:
    """label 紧上面、左边对齐的名称。"""
    near = [
        box
        for box in boxes
        if 0.3 * label.height < label.line - box.line < _DOWN * box.height
        and abs(box.start - label.start) < _ASIDE * box.height
    ]
    nearest = max(near, key=lambda box: box.line, default=None)
    return nearest if nearest and nearest.kind == "text" and ":" not in nearest.text else None


def _card(name: TextBox, boxes: Line) -> Card:
    """name 打头的一张卡片的各格；不是的为空。"""
    if not is_known(name.text):
        return {}
    card: Card = {"name": name}
    last = name
    while below := _below(last, name, boxes):
        kinds = {cell.kind for cell in split_cells(below)}
        role = (
            "result" if len(card) == 1 and kinds & {"number", "term", "bound"}
            else "range" if kinds & {"range", "bound"}
            else "unit" if kinds == {"unit"} else ""
        )  # fmt: skip
        if not role or role in card:
            break
        card[role], last = below, below
    if not {"result", "range"} <= card.keys():
        return {}
    result = card["result"]
    beside = [box for box in boxes if box.kind == "mark" and -0.5 < (box.start - result.end) / result.height < 4]
    marks = [box for box in beside if abs(box.line - result.line) < 0.6 * result.height]
    return card | ({"mark": marks[0]} if marks else {})


def _below(last: TextBox, name: TextBox, boxes: Line) -> TextBox | None:
    """last 紧下面、与名称左边对齐的一格；是另一个名称的不算。"""
    reach = _DOWN * max(last.height, name.height)
    near = [
        box
        for box in boxes
        if 0.3 * last.height < box.line - last.line < reach and abs(box.start - name.start) < _ASIDE * name.height
    ]
    nearest = min(near, key=lambda box: box.line, default=None)
    return nearest if nearest and not is_known(nearest.text) else None
