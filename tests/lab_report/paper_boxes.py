"""画一页时记下每段字写在哪里，当作文字识别的结果：不画也不认，几毫秒一页，好看分行分列与判断的逻辑。

文字识别常有的出入都有：挨得近的几段连成一段，框比字大一圈、略有高低，全角半角、各种横线与乘号，上标成了平常的字。
"""

import re
from dataclasses import dataclass

import numpy as np
from lab_report.paper_pages import Laid
from lab_report.paper_rows import Rng

from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.upright import Page, to_text_boxes
from health_assistant.lab_report.rendering.drawing import Page as DrawnPage
from health_assistant.lab_report.rendering.sampling import pick

_JOINS = (0.15, 0.35, 0.6, 0.9)
"""隔开不到字高的几倍的两段，文字识别连成一段；每页抽一个。"""
_SPACE = 0.2
"""隔开字高的这么多以上，连起来时中间有空格。"""
_ALIKE = ("（(", "）)", "：:", "～~", "-—–", "<＜", ">＞", "%％")
"""文字识别分不清的字；每页各抽一个。"""


@dataclass(frozen=True)
class _Piece:
    text: str
    x0: float
    x1: float
    y: float
    size: int


class BoxedPage(DrawnPage):
    """不画，只记下每段字的 `pieces`。"""

    def __init__(self, *args) -> None:
        super().__init__(*args)
        self.drawing = _NoDrawing()
        self.written: list[_Piece] = []

    def text(self, x, y, text, size=None, fill=None, anchor="l", bold=False):
        size = size or self.size
        x -= self.measure(text, size) * {"l": 0, "m": 0.5, "r": 1}[anchor]
        for found in re.finditer(r"\S+(?: \S+)*", text):
            start, end = (x + self.measure(text[:at], size) for at in found.span())
            self.written.append(_Piece(found[0], start, end, y, size))
        return (round(x), round(y - size / 2), round(x + self.measure(text, size)), round(y + size / 2))

    def stamp(self, *args, **options) -> None:
        pass


class _NoDrawing:
    def __getattr__(self, name):
        return lambda *args, **options: None


def as_read(laid: Laid, rng: Rng) -> tuple[Page, list[TextBox]]:
    """排在 `BoxedPage` 上的一页 -> 文字识别会给的页与文字框；没有拍进来的不要，切在边上的只剩半截。"""
    page, left, right = laid.page, laid.left, laid.right
    times, power = pick(rng, "×x*"), bool(rng.random() < 0.5)
    join, alike = pick(rng, _JOINS), {ord(one): pick(rng, same) for same in _ALIKE for one in same}
    shown = [part for one in page.written if (part := _inside(one, left, right))]
    quads, texts = [], []
    for one in _joined(sorted(shown, key=lambda piece: (piece.y, piece.x0)), join):
        text = re.sub("×(?=10)", times, one.text.translate(alike))
        if power:
            text = re.sub("(?<=10)[⁰¹²³⁴-⁹]+", lambda raised: raised[0].translate(_PLAIN), text)
        x0, x1 = (
            one.x0 - left + rng.uniform(-0.15, 0.05) * one.size,
            one.x1 - left + rng.uniform(-0.05, 0.15) * one.size,
        )
        y, half = one.y + rng.uniform(-0.06, 0.06) * one.size, one.size * rng.uniform(0.62, 0.72)
        x0, x1 = max(0.0, x0), min(right - left, x1)
        quads.append([[x0, y - half], [x1, y - half], [x1, y + half], [x0, y + half]])
        texts.append((text, 0.99))
    height = round(max(quad[2][1] for quad in quads)) + page.size
    pixels = np.full((height, round(right - left), 3), 255, np.uint8)
    whole = Page(pixels, np.array(quads, np.float32), np.eye(3))
    return whole, to_text_boxes(whole.quads, texts)


_PLAIN = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def _inside(one: _Piece, left: float, right: float) -> _Piece | None:
    """拍进来的一截；半个字不认。"""
    wide = (one.x1 - one.x0) / len(one.text)
    start = max(0, int(np.ceil((left - one.x0) / wide)))
    end = min(len(one.text), int((right - one.x0) / wide))
    if start >= end:
        return None
    return _Piece(one.text[start:end], one.x0 + start * wide, one.x0 + end * wide, one.y, one.size)


def _joined(pieces: list[_Piece], join: float) -> list[_Piece]:
    lines: list[_Piece] = []
    for one in pieces:
        last = lines[-1] if lines and lines[-1].y == one.y else None
        gap = (one.x0 - last.x1) / one.size if last else np.inf
        if gap < join:
            text = last.text + (" " if gap > _SPACE else "") + one.text
            lines[-1] = _Piece(text, last.x0, one.x1, one.y, one.size)
        else:
            lines.append(one)
    return lines
