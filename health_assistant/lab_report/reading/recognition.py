"""认一页上各段的文字：粘着数的箭头另成一段，挤得紧的小数点再看一遍。"""

import re

import numpy as np

from health_assistant.lab_report.reading.arrows import ARROWS, take_out_arrows
from health_assistant.lab_report.reading.glyphs import count_raised, ends_raised, may_hide_point, spread_at_point
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.ocr import TextReader, crop
from health_assistant.lab_report.reading.upright import Page

MIN_POINT_SCORE = 0.9995
"""垫开以后认出小数点的把握不到它就不信：画的 2089 个整数里 73 个垫开后也认出了点，把握最高 0.998；真的点多是 0.99998。

挤得最紧的真的点有低到 0.91 的（12.0 读成 120）：在 `_MAYBE_POINT` 与它之间，而同一行还印着
小数（多半是参考范围）的，这个数就没有把握；同一行都是整数的（125 对 130-175）不疑。"""
_MAYBE_POINT = 0.8


def read_texts(page: Page, reader: TextReader) -> list[tuple[str, float]]:
    """页面上各段的文字与把握，与 page.quads 一一对应；粘着数的箭头另成一段（会改 page.quads）。"""
    texts = take_out_arrows(page, _without_stacks(page, reader.recognize(page.pixels, page.quads), reader), reader)
    texts = [_with_point(page, at, read, reader, texts) for at, read in enumerate(texts)]
    return [_without_footnote(page, at, read, _has_arrow(page.quads, at, texts)) for at, read in enumerate(texts)]


def _without_stacks(page: Page, texts: list[tuple[str, float]], reader: TextReader) -> list[tuple[str, float]]:
    """上下一摞单字（钠、氯、钙，有、无）会找成一段：照旁边行数最多的一列切开再认，都认得才算；会改 page.quads。"""
    tall, wide = (np.linalg.norm(page.quads[:, corner] - page.quads[:, 0], axis=1) for corner in (3, 1))
    starts, middles = page.quads[:, :, 0].min(axis=1), page.quads[:, :, 1].mean(axis=1)
    height = np.median(tall) if len(tall) else 0.0
    for at in np.flatnonzero((tall > 1.7 * height) & (wide < 0.65 * tall)):
        (left, top), (right, bottom) = page.quads[at].min(axis=0), page.quads[at].max(axis=0)
        beside = (middles > top) & (middles < bottom) & (tall < 2 * height) & (abs(starts - left) > height)
        columns = [beside & (abs(starts - start) < height) for start in starts[beside]]
        column = max(columns, key=np.sum, default=beside)
        rows = [(y - height / 2, y + height / 2) for y in sorted(middles[column])]
        parts = np.array([[[left, y0], [right, y0], [right, y1], [left, y1]] for y0, y1 in rows], np.float32)
        read = reader.recognize(page.pixels, parts) if len(rows) > 1 else []
        if read and all(text in ("有", "无") or is_known(text) for text, _ in read):
            page.quads = np.concatenate([page.quads, parts])
            texts = [*texts[:at], ("", 0.0), *texts[at + 1 :], *read]
    return texts


def _has_arrow(quads: np.ndarray, at: int, texts: list[tuple[str, float]]) -> bool:
    """下一段是从这一段里分出来的箭头：框叠着。"""
    is_arrow = at + 1 < len(texts) and texts[at + 1][0] in tuple(ARROWS)
    return is_arrow and bool(quads[at + 1][0][0] < quads[at][1][0])


def _without_footnote(page: Page, at: int, read: tuple[str, float], has_arrow: bool = False) -> tuple[str, float]:
    """数右上角的脚注号会读成末一位（`97¹` 成了 971，`97¹⁾` 成了 971)）：末一个字小而高的不要。

    数后面没有开头的半个括号只会是脚注号的。像有脚注号、又不能确定是哪一位的，这个数没有把握：
    宁可不判断，也不少读一位数（`167.1¹⁾` 读成 167.1)，1 就是数里的；笔划细的 2.32 只有一种看法说末一个是上标）。
    has_arrow：后面粘着另成一段的箭头，框里还有它的边，像上标而不是。
    """
    text, score = read
    number = re.fullmatch(r"([<>]?\d[\d.]*\d)(\)?)", text.replace("）", ")"))
    if not number:
        return read
    value, closing = number.groups()
    pixels = crop(page.pixels, page.quads[at])
    raised, characters = count_raised(pixels, len(text))
    is_whole_note = raised == 2 and characters == len(text)
    is_small = not closing and ends_raised(pixels, sum(map(str.isdigit, value)))
    if is_whole_note if closing else is_small and raised:
        return value[:-1].rstrip("."), score
    return (text, min(score, 1 - score)) if closing or is_small or raised and not has_arrow else read


def _with_point(
    page: Page, at: int, read: tuple[str, float], reader: TextReader, texts: list[tuple[str, float]]
) -> tuple[str, float]:
    """挤得紧的 `2.0` 会读成 20：像素里像有点的整数，把点两边垫开再认一次；笔迹划过底线的，点看不见，没有把握。"""
    text, sure = read
    if not re.fullmatch(r"\d{2,4}", text):
        return read
    pixels = crop(page.pixels, page.quads[at])
    if may_hide_point(pixels):
        return text, min(sure, 1 - sure)
    spread = spread_at_point(pixels)
    if spread is None:
        return read
    ((again, score),) = reader.recognize_crops([spread])
    if "." not in again[1:-1] or again.replace(".", "", 1) != text:
        return read
    if score >= MIN_POINT_SCORE:
        return again, score
    if score > _MAYBE_POINT and _has_decimals_beside(page.quads, at, texts):
        return text, 1 - score
    return read


def _has_decimals_beside(quads: np.ndarray, at: int, texts: list[tuple[str, float]]) -> bool:
    """同一行别的段里有没有小数；行照这一段自己的斜率。"""
    along, down = quads[at][1] - quads[at][0], quads[at][3] - quads[at][0]
    height = float(np.linalg.norm(down))
    across = np.array([-along[1], along[0]]) / max(float(np.linalg.norm(along)), 1e-6)
    apart = np.abs((quads.mean(axis=1) - quads[at].mean(axis=0)) @ across)
    return any(
        apart[other] < 0.6 * height and re.search(r"\d\.\d", text)
        for other, (text, _) in enumerate(texts)
        if other != at
    )
