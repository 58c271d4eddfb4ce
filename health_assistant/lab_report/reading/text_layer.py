"""PDF 的文字层 -> 文字框。它是印着的原字，不会认错；但也可能是乱的、藏着的、只有一部分，所以与画出来的样子对着看。"""

import re
from dataclasses import dataclass, replace

import cv2
import numpy as np

from health_assistant.lab_report.reading.page import Page, to_text_boxes
from health_assistant.lab_report.reading.pdf import PdfPage, PrintedChar
from health_assistant.lab_report.reading.text import TextBox, TextReader

MIN_CHARS = 20
MAX_SEGMENTS = 1500
"""拉平各行要比较每两段；更多的没有这样的化验单。"""
MAX_GARBAGE = 0.02
"""没有说是哪个字的（私用区、替换符、控制符）占到这么多，整层不用。"""
MAX_HIDDEN = 0.2
"""不画出来的、斜着竖着的占到这么多，整层不用：多半是扫描仪附的识别结果。"""
_SAMPLES, _AGREEING = 6, 0.7
"""每种字体抽几段带数字的，由像素再认一遍；一样的不到这么多，就是字与样子对不上。"""
_GAP = 0.5
"""同一段里字与字的间隔，至多是字高（含行距，约 1.2 到 1.4 个字）的几倍。"""
_SPACE = 0.15
_FAINT = 0.25
"""与 page.py 的水印同一个意思：明暗之差不到平常的这么多，就是没有画出来。"""
_COVERED = 0.4
"""像素里找到的一段，有这么多被文字层盖着，就不用再认。"""
_BLANK = 0.2
"""找到的框四周的白是框高的几成。"""


@dataclass(frozen=True)
class _Segment:
    text: str
    x0: float
    y0: float
    x1: float
    y1: float
    font: int

    @property
    def height(self) -> float:
        return self.y1 - self.y0


def read_text_layer(page: PdfPage, reader: TextReader) -> tuple[Page, list[TextBox]] | None:
    """文字层的各段；画出来了而文字层里没有的（图、章、手写）由像素认。文字层不可信的为 None，整页由像素认。"""
    segments = _segments(page.chars)
    if segments is None:
        return None
    quads = np.array([_quad(one) for one in segments], np.float32)
    drawn = _is_drawn(page.pixels, quads)
    segments, quads = [one for one, is_drawn in zip(segments, drawn, strict=True) if is_drawn], quads[drawn]
    if not segments or not _agrees(page.pixels, segments, quads, reader):
        return None
    found = reader.detect(page.pixels)
    extra = found[[not _is_covered(quad, quads) for quad in found]] if len(found) else found
    texts = [(one.text, 1.0) for one in segments] + reader.recognize(page.pixels, extra)
    whole = Page(page.pixels, np.concatenate([quads, extra]), np.eye(3))
    return whole, to_text_boxes(whole.quads, texts)


def _segments(chars: list[PrintedChar]) -> list[_Segment] | None:
    """各字连成的段；字太少、太多、乱的、藏着的为 None。"""
    printed = [one for one in chars if not one.text.isspace()]
    if len(printed) < MIN_CHARS:
        return None
    garbage = sum(one.trouble == "unmapped" or _is_garbage(one.text) for one in printed)
    hidden = sum(one.trouble in ("hidden", "turned") for one in printed)
    if garbage > MAX_GARBAGE * len(printed) or hidden > MAX_HIDDEN * len(printed):
        return None
    usable = [one for one in printed if not one.trouble and not _is_garbage(one.text) and one.y1 > one.y0]
    segments: list[_Segment] = []
    for one in usable:
        char = _Segment(one.text, one.x0, one.y0, one.x1, one.y1, one.font)
        if segments and _follows(segments[-1], char, _GAP):
            segments[-1] = _joined(segments[-1], char)
        else:
            segments.append(char)
    segments = _mended(segments)
    return segments if len(segments) <= MAX_SEGMENTS else None


def _is_garbage(char: str) -> bool:
    code = ord(char)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xE000 <= code < 0xF900 or 0xFFF0 <= code < 0x10000 or code >= 0xF0000


def _mended(segments: list[_Segment]) -> list[_Segment]:
    """有的软件不按次序写字：写在别处、其实紧挨着的段接起来。"""
    mended: list[_Segment] = []
    for one in sorted(segments, key=lambda segment: (round((segment.y0 + segment.y1) / 8), segment.x0)):
        if mended and _follows(mended[-1], one, _SPACE):
            mended[-1] = _joined(mended[-1], one)
        else:
            mended.append(one)
    return mended


def _follows(left: _Segment, right: _Segment, most: float) -> bool:
    """right 接在 left 后面，同一行，中间的空白不到字高的 most 倍。"""
    overlap = min(left.y1, right.y1) - max(left.y0, right.y0)
    gap = right.x0 - left.x1
    return overlap > 0.4 * min(left.height, right.height) and -0.3 * left.height < gap < most * left.height


def _joined(left: _Segment, right: _Segment) -> _Segment:
    raised = right.height < 0.85 * left.height and right.y1 < left.y1 - 0.1 * left.height
    space = right.x0 - left.x1 > _SPACE * left.height and left.text[-1].isascii() and right.text[0].isascii()
    between = "^" if raised and re.search(r"10$", left.text) and right.text.isdigit() else " " if space else ""
    box = {edge: min(getattr(left, edge), getattr(right, edge)) for edge in ("x0", "y0")}
    box |= {edge: max(getattr(left, edge), getattr(right, edge)) for edge in ("x1", "y1")}
    return replace(left, text=left.text + between + right.text, **box)


def _quad(one: _Segment) -> list[list[float]]:
    return [[one.x0, one.y0], [one.x1, one.y0], [one.x1, one.y1], [one.x0, one.y1]]


def _is_drawn(pixels: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """各段在画出来的页上看不看得见：白字、被盖住的字、裁在页外的字看不见。"""
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    contrasts = []
    for (x0, y0), _, (x1, y1), _ in quads.astype(int):
        crop = gray[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        contrasts.append(np.ptp(np.percentile(crop, (1, 99))) if crop.size else 0.0)
    return np.array(contrasts) >= max(_FAINT * np.median(contrasts), 8)


def _agrees(pixels: np.ndarray, segments: list[_Segment], quads: np.ndarray, reader: TextReader) -> bool:
    """每种字体的数字，由像素认出来的是不是一样：字体可以把 5 说成 8。没有带数字的段，就不像化验单。"""
    by_font: dict[int, list[int]] = {}
    for at, one in enumerate(segments):
        if re.search(r"\d", one.text):
            by_font.setdefault(one.font, []).append(at)
    for places in by_font.values():
        sample = places[:: max(1, len(places) // _SAMPLES)][:_SAMPLES]
        seen = reader.recognize(pixels, quads[sample])
        same = sum(_digits(segments[at].text) == _digits(text) for at, (text, _) in zip(sample, seen, strict=True))
        if same < _AGREEING * len(sample):
            return False
    return bool(by_font)


def _digits(text: str) -> str:
    return re.sub(r"[^\d]", "", text)


def _is_covered(quad: np.ndarray, quads: np.ndarray) -> bool:
    low, high = quad.min(axis=0), quad.max(axis=0)
    # 找文字的框四周留着白，短的字（4.1）一半是白
    blank = _BLANK * (high[1] - low[1])
    low, high = low + blank, high - blank
    shared = np.minimum(high, quads.max(axis=1)) - np.maximum(low, quads.min(axis=1))
    area = np.prod(np.maximum(shared, 0), axis=1).sum()
    return bool(area >= _COVERED * np.prod(high - low))
