"""文字识别常常读不到的小符号：单独的横线、加号，挤在数字之间的小数点。直接看像素里的连通块。箭头见 `arrows.py`。"""

from dataclasses import dataclass

import cv2
import numpy as np

from health_assistant.lab_report.reading.upright import TEXT_CONTRAST

_MEASURED_HEIGHT = 120
"""量形状时字高放大到多少像素。"""


@dataclass(frozen=True)
class _Blob:
    width: float
    height: float
    is_cross: bool


def find_signs(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> str:
    """zone 里印着的横线或加号：`-`（阴性）、`-----`（未做）、`+` 到 `++++`，或空串；还有别的墨迹时也是空串。"""
    blobs = _blobs(gray, zone, text_height)
    if 0 < len(blobs) <= 4 and all(blob.is_cross for blob in blobs):
        return "+" * len(blobs)
    if not blobs or not all(_is_dash(blob, text_height) for blob in blobs):
        return ""
    ink_width = sum(blob.width for blob in blobs)
    return "-" if len(blobs) == 1 and ink_width <= text_height else "-----"


def has_character(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> bool:
    """zone 的上下正中有没有整个的、像字那么高那么浓的墨迹；gray 的字与纸相差 `TEXT_CONTRAST`。"""
    (x0, x1), (y0, y1) = (np.clip(np.round(zone[at::2]).astype(int), 0, gray.shape[1 - at]) for at in (0, 1))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return False
    crop = gray[y0:y1, x0:x1].astype(np.int16)
    ink = np.abs(crop - int(np.median(crop))) > 0.4 * TEXT_CONTRAST
    stats = cv2.connectedComponentsWithStats(ink.astype(np.uint8))[2][1:]
    return any(
        x > 0 and y > 0 and x + w < x1 - x0 and y + h < y1 - y0
        and abs(y + h / 2 - (y1 - y0) / 2) < 0.25 * text_height
        and max(h, w) <= text_height
        and (h >= 0.3 * text_height and w >= 0.06 * text_height or min(h, w) >= 0.22 * text_height)  # 小的三角
        for x, y, w, h, _ in stats
    )  # fmt: skip


def _is_dash(blob: _Blob, text_height: float) -> bool:
    return blob.height <= 0.25 * text_height and blob.width >= 1.4 * blob.height and blob.width >= 0.13 * text_height


def _blobs(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> list[_Blob]:
    """zone 里完整的墨迹块，去掉噪点和碰到边的（那是邻字或表格线的一部分）。"""
    height, width = gray.shape
    x0, y0 = max(0, round(zone[0])), max(0, round(zone[1]))
    x1, y1 = min(width, round(zone[2])), min(height, round(zone[3]))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return []
    # 小箭头只有六七个像素宽，放大了才量得准
    zoom = max(1, round(_MEASURED_HEIGHT / text_height))
    crop = cv2.resize(gray[y0:y1, x0:x1], None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    # 局部阈值：照片的明暗不匀，不能用一个全局阈值；窗口取字高的两倍
    block = max(3, int(text_height * zoom) * 2 | 1)
    ink = cv2.adaptiveThreshold(
        cv2.GaussianBlur(crop, (3, 3), 0), 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 12
    )
    ink = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((2 * zoom + 1, 2 * zoom + 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    height, width = ink.shape
    blobs = []
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        if area < 0.008 * (text_height * zoom) ** 2 or x == 0 or y == 0 or x + w == width or y + h == height:
            continue
        blobs.append(_Blob(w / zoom, h / zoom, _is_cross(labels[y : y + h, x : x + w] == label)))
    return blobs


def _is_cross(inked: np.ndarray) -> bool:
    """一横一竖在正中相交，四角空着：+。inked（高, 宽）是一块墨迹。"""
    height, width = inked.shape
    across, down = inked.mean(axis=1), inked.mean(axis=0)
    is_crossed = min(across.max(), down.max()) > 0.85 and 0.6 < width / height < 1.6
    is_centered = abs(across.argmax() / height - 0.5) < 0.2 and abs(down.argmax() / width - 0.5) < 0.2
    ends = (slice(height // 3), slice(-(height // 3), None)), (slice(width // 3), slice(-(width // 3), None))
    return is_crossed and is_centered and all(inked[y, x].mean() < 0.1 for y in ends[0] for x in ends[1])


def spread_at_point(pixels: np.ndarray) -> np.ndarray | None:
    """像小数点的墨迹两边各垫开一点的小图；没有这样的墨迹时为 None。pixels 是一个数（BGR、uint8）。

    点是两个数字之间、落在底线上的小块；与数字粘着时只在最浓处分得开，所以从淡到浓逐个界限找。
    数字底下的弯也会像点，所以垫开以后要再认一次，认出点来才算。
    """
    zoom = -(-96 // pixels.shape[0])
    background = np.median(pixels.reshape(-1, 3), axis=0)
    ink = np.abs(pixels - background.astype(np.float32)).max(axis=2)
    ink = cv2.resize(ink, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    peak = np.percentile(ink, 97)
    rows = np.flatnonzero((ink > 0.5 * peak).any(axis=1))
    if not len(rows):
        return None
    top, bottom = rows[0], rows[-1] + 1
    height = bottom - top
    for level in (0.3, 0.45, 0.6, 0.7, 0.8, 0.9):
        stats = cv2.connectedComponentsWithStats((ink > level * peak).astype(np.uint8))[2]
        for x, y, w, h, area in stats[1:]:
            is_low = y >= top + 0.7 * height and abs(y + h - bottom) < 0.1 * height
            if not is_low or max(w, h) > 0.25 * height or area < 0.003 * height * height:
                continue
            if all(
                (side > 0.5 * peak).any() for side in (ink[top:bottom, : max(x - 2, 0)], ink[top:bottom, x + w + 2 :])
            ):
                return _spread(pixels, round(x / zoom), max(round(x / zoom) + 1, round((x + w) / zoom)), background)
    return None


_TINTED = 60
"""纸最亮与最暗的一路相差到这么多灰度级，是彩色的底；拍得偏黄的纸不到 40。"""
_ONE_TINT = 0.6


def may_hide_point(pixels: np.ndarray) -> bool:
    """一个数（BGR、uint8）的下半截上有没有划过一道彩色的、与字一样浓的墨（钢笔的圈、勾）：小数点可能在它底下。"""
    paper = np.median(pixels.reshape(-1, 3), axis=0)
    if np.ptp(paper) > _TINTED:
        return False  # 选中的一行，底是彩色的
    shares = (pixels - paper) / 255  # 深底浅字的也一样
    ink, colour = np.abs(shares).max(axis=2), np.ptp(shares, axis=2)
    strong = ink > 0.6 * np.percentile(ink, 98)
    plain = strong & (colour < 0.25 * ink)
    plain[plain.mean(axis=1) > 0.7] = False  # 横的、竖的表格线不是字
    plain[:, plain.mean(axis=0) > 0.95] = False
    if not plain.any() or plain.sum() < 0.2 * strong.sum():
        return False  # 数自己就是彩色的
    if _is_many_coloured(shares[(ink > 0.25 * np.percentile(ink, 98)) & (colour > 0.4 * ink)]):
        return False  # 屏幕按三种颜色的小格画字：左边橙、右边蓝
    rows = np.flatnonzero(plain.any(axis=1))
    # 镜头的色散、图片的压缩给字镶上的彩边，紧挨着字
    fringe = cv2.dilate(plain.astype(np.uint8), np.ones((1, 2 * max(3, len(rows) // 8) + 1), np.uint8)) > 0
    struck = (strong & (colour > 0.4 * ink) & ~fringe)[rows[0] + 6 * len(rows) // 10 : rows[-1] + 1]
    return bool(struck.any(axis=0).sum() > 0.1 * len(rows))


def _is_many_coloured(shares: np.ndarray) -> bool:
    """shares（像素数, 3）与纸的色差不是同一种颜色；一支笔的是同一种。

    实测 3 个屏幕截图的数，平均的色差只有各自的 0.16 到 0.36；同一种颜色的近于 1。
    """
    tints = shares - shares.mean(axis=1, keepdims=True)
    strength = np.linalg.norm(tints, axis=1).mean() if len(tints) else 0.0
    return strength > 0 and bool(np.linalg.norm(tints.mean(axis=0)) < _ONE_TINT * strength)


def _spread(pixels: np.ndarray, x0: int, x1: int, background: np.ndarray) -> np.ndarray:
    pad = np.full((len(pixels), max(2, round(0.12 * len(pixels))), 3), background, np.uint8)
    return np.hstack([pixels[:, :x0], pad, pixels[:, x0:x1], pad, pixels[:, x1:]])


_SPECK, _EDGE_LINE = 0.08, 0.12
_RAISED_HEIGHT, _RAISED_BOTTOM = 0.72, 0.2
"""末一个字比别的数字矮到这么多、底边高出这么多（以数字高计），是上标。三套字体的上标是 0.55 到 0.65 高。"""


def ends_raised(pixels: np.ndarray, digits: int) -> bool:
    """一个数（BGR、uint8，读出 digits 个数字）的末一个字是不是上标：比别的数字小，底边也高。

    墨迹块与数字的个数不一样（淡的断了、挤的连了）时看不准，为假。
    """
    zoom = max(1, round(_MEASURED_HEIGHT / 2 / pixels.shape[0]))
    gray = cv2.resize(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    ink = np.abs(gray.astype(np.int16) - int(np.median(gray)))
    count, _, stats, _ = cv2.connectedComponentsWithStats((ink > 0.45 * ink.max()).astype(np.uint8))
    tall = sorted((x, y, y + h, w) for x, y, w, h, _ in stats[1:count] if h > 0.2 * gray.shape[0] and h > 0.8 * w)
    if len(tall) != digits:
        return False
    usual = np.median([bottom - top for _, top, bottom, _ in tall[:-1]])
    baseline = np.median([bottom for _, _, bottom, _ in tall[:-1]])
    left, top, bottom, wide = tall[-1]
    # 淡的 2 会断成两截，上截像上标：下面还有墨迹的不是
    below = ink[round(bottom + 0.12 * usual) : round(baseline), left + wide // 4 : left + 3 * wide // 4 + 1]
    is_narrow = wide < 0.85 * max(w for *_, w in tall[:-1])
    is_alone = not below.size or below.max() < 0.2 * ink.max()
    return (
        is_narrow and is_alone and bottom - top < _RAISED_HEIGHT * usual and bottom < baseline - _RAISED_BOTTOM * usual
    )


def count_raised(pixels: np.ndarray, characters: int) -> tuple[int, int]:
    """一个数（BGR、uint8，读出 characters 个字）的末尾连着几个字的底边高出底线，像上标；又一共看出几个字。

    有墨的列连成的一段算一个字，上下断开的仍是一个，所以比 `ends_raised` 粗；左右挤着的，界限高一点再分一次。
    画的 603 个读成了数字的脚注号漏 3 个；3861 个没有脚注号的数没有一个看着像有。
    """
    gray = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    ink = np.abs(gray.astype(np.int16) - int(np.median(gray)))
    raised, counted = _raised_at_end(ink > 0.35 * ink.max(), characters)
    if not raised and counted < characters:
        raised, counted = _raised_at_end(ink > 0.5 * ink.max(), characters)
    return raised, counted


def _raised_at_end(inked: np.ndarray, characters: int) -> tuple[int, int]:
    inked = inked & (inked.mean(axis=1, keepdims=True) < 0.9)  # 表格的横线占满一行，不是字
    for from_edge in (inked, inked[::-1]):  # 歪着拍的横线只裁进来一角，是贴着上下边的薄薄一层
        depth = np.argmin(from_edge, axis=0)  # 从边上起连着有墨的几行
        is_line = depth <= _EDGE_LINE * len(inked)
        from_edge &= np.arange(len(inked))[:, None] >= np.where(is_line, depth, 0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], inked.any(axis=0).astype(np.int8), [0]])))
    runs = edges.reshape(-1, 2)
    if len(runs) > characters and runs[-1][1] == inked.shape[1]:
        runs = runs[:-1]  # 读出来的字都有了，碰着右边的是旁边的箭头裁进来的一角
    rows = [np.flatnonzero(inked[:, start:end].any(axis=1)) for start, end in runs]
    baseline = np.median([row[-1] for row in rows])
    height = baseline - min(row[0] for row in rows)
    # 只在数字顶上的一线是污点、格线，不是上标
    rows = [row for row in rows if row[-1] > baseline - (1 - _SPECK) * height]
    raised = [row[-1] < baseline - _RAISED_BOTTOM * height for row in rows]
    return next((at for at, is_raised in enumerate(reversed(raised)) if not is_raised), len(raised)), len(rows)
