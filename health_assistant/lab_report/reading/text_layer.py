"""PDF 的文字层 -> 文字框。它是印着的原字，不会认错；但也可能是乱的、藏着的、只有一部分，所以与画出来的样子对着看。

人看见的是画出来的样子：图盖着字、白框改过的数、透明的字，文字层里的不是看见的，所以每个数都由像素再认一遍。
"""

import re
from dataclasses import replace

import cv2
import numpy as np

from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.reading.ocr import DOUBTED_SCORE, TextReader
from health_assistant.lab_report.reading.pdf import PdfPage, PrintedText
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.upright import Page, contrasts_of, to_text_boxes

MIN_CHARS = 20
MAX_SEGMENTS = 1500
"""拉平各行要比较每两段；更多的没有这样的化验单。"""
MAX_GARBAGE = 0.02
"""没有说是哪个字的（私用区、替换符、控制符）占到这么多，整层不用。"""
MAX_HIDDEN = 0.2
"""不画出来的、斜着竖着的占到这么多，整层不用：多半是扫描仪附的识别结果。"""
_CLEARLY = 0.9
"""由像素认得这样有把握而与文字层不同的，信像素；没有这样的把握，就不能确定。"""
_ONE_CHARACTER = 0.45
"""一个数字的宽，字高（含行距）的几倍。"""
_LONG_NUMBER = re.compile(r"\d{6}|\d{4}[-/.年]\d|\d:\d\d")
"""编号、电话、日期、时间，不是结果。"""
_POWER_UNIT = re.compile(r"[x×*]10|10[\^*]\d|(?<!\d)10(?:9|12)/[Ll]|1\.73m")
_UNIT_NUMBERS = re.compile(r"[x×*]?10[\^*]?\d{0,2}个?/\S+|/?1\.73m\S*", re.IGNORECASE)
"""单位里的数印得小，像素常认不全：印着这样的单位（`_POWER_UNIT`）才略去，`10/HP` 的 10 是结果。"""
_SAME_SIGNS = str.maketrans("≤≥十土士", "<>+±±")
"""由像素认时分不清的。"""
_LETTER_L = re.compile(r"(?<=[A-Za-zμ/])1(?![\d.])")
"""单位末尾的 l 由像素认常是 1：`82.0-100.0fl`、`g/l`。"""
_UNKNOWN = "\ufffd"
"""文字层没有说是哪个字的，由像素认。"""
_GAP = 0.5
"""同一段里字与字的间隔，至多是字高（含行距，约 1.2 到 1.4 个字）的几倍。"""
_SPACE = 0.15
_FAINT = 0.25
"""与 upright.py 的水印同一个意思：明暗之差不到平常的这么多，就是没有画出来。"""
_COVERED = 0.4
"""像素里找到的一段，有这么多被文字层盖着，就不用再认。"""
_BLANK = 0.2
"""找到的框四周的白是框高的几成。"""


def read_text_layer(page: PdfPage, reader: TextReader) -> tuple[Page, list[TextBox]] | None:
    """文字层的各段；画出来了而文字层里没有的（图、章、手写）由像素认。文字层不可信的为 None，整页由像素认。"""
    segments = _segments(page.chars)
    if segments is None:
        return None
    quads = np.array([_quad(segment) for segment in segments], np.float32)
    drawn = _is_drawn(page.pixels, quads)
    segments, quads = [segment for segment, is_drawn in zip(segments, drawn, strict=True) if is_drawn], quads[drawn]
    texts = _checked(page.pixels, segments, quads, reader)
    if texts is None:
        return None
    detected = reader.detect(page.pixels)
    extra = detected[[not _is_covered(quad, quads) for quad in detected]] if len(detected) else detected
    seen = reader.recognize(page.pixels, extra)
    # 一段里只有几个字在文字层里（连字另画的 `18.6 L`），像素认的是整个的
    whole_only = [not _is_within(text, quad, extra, seen) for text, quad in zip(texts, quads, strict=True)]
    quads, texts = quads[whole_only], [text for text, is_kept in zip(texts, whole_only, strict=True) if is_kept] + seen
    whole = Page(page.pixels, np.concatenate([quads, extra]), np.eye(3))
    boxes = to_text_boxes(whole.quads, texts)
    is_sure = [at < len(quads) and box.score == 1 for at, box in enumerate(boxes)]
    return whole, [replace(box, is_printed=sure) for box, sure in zip(boxes, is_sure, strict=True)]


def _segments(chars: list[PrintedText]) -> list[PrintedText] | None:
    """各字连成的段；字太少、太多、乱的、藏着的为 None。"""
    printed = [char for char in chars if not char.text.isspace()]
    if len(printed) < MIN_CHARS:
        return None
    garbage = sum(char.trouble == "unmapped" or _is_garbage(char.text) for char in printed)
    hidden = sum(char.trouble in ("hidden", "turned") for char in printed)
    if garbage > MAX_GARBAGE * len(printed) or hidden > MAX_HIDDEN * len(printed):
        return None
    usable = [char for char in printed if char.trouble not in ("hidden", "turned") and char.y1 > char.y0]
    segments: list[PrintedText] = []
    for char in usable:
        text = _UNKNOWN if char.trouble or _is_garbage(char.text) else char.text
        char = replace(char, text=text, trouble="")
        if segments and _is_footnote(segments[-1], char):
            continue
        if segments and _follows(segments[-1], char, _GAP):
            segments[-1] = _joined(segments[-1], char)
        else:
            segments.append(char)
    mended = _mended(segments)
    segments = _without_doubles(mended) if len(mended) <= 2 * MAX_SEGMENTS else mended
    return segments if len(segments) <= MAX_SEGMENTS else None


def _without_doubles(segments: list[PrintedText]) -> list[PrintedText]:
    """整页挪一点再印一遍、当作粗体的，只留一遍；只又印了一段的（`Ref. Interval` 上的 `Ref`），留整个的。"""
    kept: list[PrintedText] = []
    for segment in sorted(segments, key=lambda segment: -len(segment.text)):
        near = 0.2 * segment.height
        if not any(
            abs(segment.y0 - other.y0) < near
            and other.x0 - near < segment.x0
            and segment.x1 < other.x1 + near
            and segment.text in other.text
            for other in kept
        ):
            kept.append(segment)
    return [segment for segment in segments if any(segment is other for other in kept)]


def _is_garbage(char: str) -> bool:
    code = ord(char)
    return code < 0x20 or 0x7F <= code < 0xA0 or 0xE000 <= code < 0xF900 or 0xFFF0 <= code < 0x10000 or code >= 0xF0000


def _mended(segments: list[PrintedText]) -> list[PrintedText]:
    """有的软件不按次序写字：写在别处、其实紧挨着的段接起来。"""
    mended: list[PrintedText] = []
    for segment in sorted(segments, key=lambda segment: (round((segment.y0 + segment.y1) / 8), segment.x0)):
        if mended and _follows(mended[-1], segment, _SPACE):
            mended[-1] = _joined(mended[-1], segment)
        else:
            mended.append(segment)
    return mended


def _follows(left: PrintedText, right: PrintedText, most: float) -> bool:
    """right 接在 left 后面，同一行，中间的空白不到字高的 most 倍。"""
    overlap = min(left.y1, right.y1) - max(left.y0, right.y0)
    gap = right.x0 - left.x1
    return overlap > 0.4 * min(left.height, right.height) and -0.3 * left.height < gap < most * left.height


def _is_raised(left: PrintedText, right: PrintedText) -> bool:
    """right 是 left 的上标。"""
    return right.height < 0.85 * left.height and right.y1 < left.y1 - 0.1 * left.height


def _is_footnote(left: PrintedText, right: PrintedText) -> bool:
    """数、名称后面的注号：`13¹` 是 13 与第 1 条注，不是 131；10 后面的是几次方。"""
    is_noted = re.search(r"[\d)）一-鿿]$", left.text) and not re.search(r"10(\^\d*)?$", left.text)
    return bool(is_noted) and right.text.isdigit() and _follows(left, right, _GAP) and _is_raised(left, right)


def _joined(left: PrintedText, right: PrintedText) -> PrintedText:
    raised = _is_raised(left, right)
    space = right.x0 - left.x1 > _SPACE * left.height and left.text[-1].isascii() and right.text[0].isascii()
    between = "^" if raised and re.search(r"10$", left.text) and right.text.isdigit() else " " if space else ""
    box = {edge: min(getattr(left, edge), getattr(right, edge)) for edge in ("x0", "y0")}
    box |= {edge: max(getattr(left, edge), getattr(right, edge)) for edge in ("x1", "y1")}
    return replace(left, text=left.text + between + right.text, **box)


def _quad(segment: PrintedText) -> list[list[float]]:
    return [[segment.x0, segment.y0], [segment.x1, segment.y0], [segment.x1, segment.y1], [segment.x0, segment.y1]]


def _is_drawn(pixels: np.ndarray, quads: np.ndarray) -> np.ndarray:
    """各段在画出来的页上看不看得见：白字、被盖住的字、裁在页外的字看不见。"""
    contrasts = contrasts_of(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), quads, outer=1)
    return contrasts >= max(_FAINT * np.median(contrasts), 8)


def _checked(
    pixels: np.ndarray, segments: list[PrintedText], quads: np.ndarray, reader: TextReader
) -> list[tuple[str, float]] | None:
    """各段的文字与把握，带数字、阴性阳性的都由像素认一遍对过；看见的分明是另一个的，为 None：整页由像素认。

    没有带数字的段，就不像化验单，也为 None。
    """
    places = [at for at, segment in enumerate(segments) if _is_value(segment.text)]
    seen = dict(zip(places, reader.recognize(pixels, _with_neighbours(quads, places)), strict=True)) if places else {}
    if not any(re.search(r"\d", segment.text) for segment in segments):
        return None
    texts = []
    for at, segment in enumerate(segments):
        text, score = seen.get(at, (segment.text, 1.0))
        if _UNKNOWN in segment.text:
            texts.append((text, score))
        elif _essence(text, segment.text) == _essence(segment.text, segment.text):
            texts.append((segment.text, 1.0))
        elif score >= _CLEARLY:
            return None
        else:
            texts.append((segment.text, DOUBTED_SCORE))
    return texts


def _with_neighbours(quads: np.ndarray, places: list[int]) -> np.ndarray:
    """places 那几段的四角，左右各放宽一个字，不到邻段：文字层是 71 而图里是 710 的，只看 71 的框看不出来。"""
    wider = quads[places].copy()
    x0, y0, x1, y1 = quads[:, 0, 0], quads[:, 0, 1], quads[:, 2, 0], quads[:, 2, 1]
    for quad, at in zip(wider, places, strict=True):
        room = _ONE_CHARACTER * (y1[at] - y0[at])
        is_beside = (np.minimum(y1, y1[at]) > np.maximum(y0, y0[at])) & (np.arange(len(quads)) != at)
        left = min([room, *(x0[at] - x1)[is_beside & (x1 <= x0[at])]])
        right = min([room, *(x0 - x1[at])[is_beside & (x0 >= x1[at])]])
        quad[[0, 3], 0] -= left
        quad[[1, 2], 0] += right
    return wider


def _is_value(text: str) -> bool:
    return _UNKNOWN in text or bool(_essence(text, text)) and not _LONG_NUMBER.search(text)


def _essence(text: str, printed: str) -> str:
    """一段里定高低的字：数、小数点、比较符、负号与阴阳；printed 是文字层的这一段，它的单位里的数不算。"""
    plain = normalize(text)
    if _POWER_UNIT.search(normalize(printed)):
        plain = _UNIT_NUMBERS.sub("", plain)
    plain = plain.translate(_SAME_SIGNS)
    plain = re.sub(r"(?<=\d),(?=\d)", ".", plain)
    plain = _LETTER_L.sub("", plain)
    minus = "-" if re.match(r"-\d", plain) else ""
    return minus + re.sub(r"[^\d.<>+±阴阳]", "", plain).strip(".")


def _is_within(line: tuple[str, float], quad: np.ndarray, extra: np.ndarray, seen: list[tuple[str, float]]) -> bool:
    """文字层的这一段只是由像素认的某一段里的几个字。"""
    middle = quad.mean(axis=0)
    inside = (extra.min(axis=1) < middle).all(axis=1) & (middle < extra.max(axis=1)).all(axis=1)
    return any(line[0] in text for (text, _), is_around in zip(seen, inside, strict=True) if is_around)


def _is_covered(quad: np.ndarray, quads: np.ndarray) -> bool:
    low, high = quad.min(axis=0), quad.max(axis=0)
    # 找文字的框四周留着白，短的字（4.1）一半是白
    blank = _BLANK * (high[1] - low[1])
    low, high = low + blank, high - blank
    shared = np.minimum(high, quads.max(axis=1)) - np.maximum(low, quads.min(axis=1))
    area = np.prod(np.maximum(shared, 0), axis=1).sum()
    return bool(area >= _COVERED * np.prod(high - low))
