"""文字识别常常读错或读不到的小符号：箭头与单独的横线。直接看像素里的连通块。

文字识别会把 ↓ 读成 1、↑ 或 →，所以箭头的方向一律以像素为准。
"""

from dataclasses import dataclass

import cv2
import numpy as np

_MEASURED_HEIGHT = 120
"""量形状时字高放大到多少像素。"""


@dataclass(frozen=True)
class _Blob:
    x: float
    y: float
    width: float
    height: float
    mask: np.ndarray


def find_arrow(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> str | None:
    """zone（x0, y0, x1, y1，像素）里的箭头：↑、↓ 或 None。有几个而方向不一时为 None。

    箭头要在 zone 的上下正中：偏了的是邻行的。
    """
    middle = (zone[3] - zone[1]) / 2
    centered = [
        blob for blob in _blobs(gray, zone, text_height) if abs(blob.y + blob.height / 2 - middle) < 0.3 * text_height
    ]
    arrows = {arrow for blob in centered if (arrow := _arrow(blob, text_height))}
    return arrows.pop() if len(arrows) == 1 else None


def find_glued_arrow(gray: np.ndarray, box: tuple[float, float, float, float], text_height: float) -> str | None:
    """box 里的箭头，它可能紧挨着数字：看宽一些，只认中心在 box 里的墨迹。"""
    x0, y0, x1, y1 = box
    wide = (x0 - 0.9 * text_height, y0 - 0.2 * text_height, x1 + 0.9 * text_height, y1 + 0.2 * text_height)
    left, right = x0 - max(0.0, wide[0]) - 0.1 * text_height, x1 - max(0.0, wide[0]) + 0.1 * text_height
    for closes_gaps in (True, False):
        blobs = _blobs(gray, wide, text_height, closes_gaps)
        inside = [blob for blob in blobs if left <= blob.x + blob.width / 2 <= right]
        arrows = {arrow for blob in inside if (arrow := _arrow(blob, text_height))}
        if arrows:
            return arrows.pop() if len(arrows) == 1 else None
    return None


def find_dashes(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> str:
    """zone 里印着的横线：`-`（阴性）、`-----`（未做）或空串；还有别的墨迹时也是空串。"""
    blobs = _blobs(gray, zone, text_height)
    if not blobs or not all(_is_dash(blob, text_height) for blob in blobs):
        return ""
    ink_width = sum(blob.width for blob in blobs)
    return "-" if len(blobs) == 1 and ink_width <= text_height else "-----"


def _arrow(blob: _Blob, text_height: float) -> str | None:
    if not (0.4 * text_height <= blob.height <= 1.3 * text_height and 1.1 <= blob.height / blob.width <= 5):
        return None
    # 4 有封口的洞，箭头没有
    if cv2.connectedComponents((~np.pad(blob.mask, 1)).astype(np.uint8), connectivity=4)[0] > 2:
        return None
    if _points_up(blob.mask):
        return "↑"
    return "↓" if _points_up(blob.mask[::-1]) else None


def _points_up(mask: np.ndarray) -> bool:
    """像不像 ↑：上有尖、两翼对称，下面只有一根直杆。1、4、7、T、L 各缺其中一样。"""
    rows = [np.flatnonzero(row) for row in mask]
    if not all(len(row) for row in rows):
        return False
    first, last = (np.array([row[edge] for row in rows], float) for edge in (0, -1))
    extents, centers = last - first + 1, (first + last) / 2
    height, lower, upper = len(rows), slice(round(0.65 * len(rows)), None), slice(0, round(0.6 * len(rows)))
    shaft, shaft_x, head = np.median(extents[lower]), np.median(centers[lower]), extents[upper].max()
    left, right = shaft_x - first[upper].min(), last[upper].max() - shaft_x
    has_head = head >= 1.5 * shaft and head >= 0.2 * height
    is_bare_below = extents[lower].max() <= 0.7 * head and np.ptp(centers[lower]) <= 0.3 * head
    is_pointed = extents[: max(1, round(0.08 * height))].max() <= 0.7 * head and abs(centers[0] - shaft_x) <= 0.3 * head
    return bool(has_head and is_bare_below and is_pointed and min(left, right) >= 0.62 * max(left, right))


def _is_dash(blob: _Blob, text_height: float) -> bool:
    return blob.height <= 0.25 * text_height and blob.width >= 1.4 * blob.height and blob.width >= 0.13 * text_height


def _blobs(
    gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float, closes_gaps: bool = True
) -> list[_Blob]:
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
    if closes_gaps:
        ink = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((2 * zoom + 1, 2 * zoom + 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    height, width = ink.shape
    blobs = []
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        if area < 0.008 * (text_height * zoom) ** 2 or x == 0 or y == 0 or x + w == width or y + h == height:
            continue
        blobs.append(_Blob(x / zoom, y / zoom, w / zoom, h / zoom, labels[y : y + h, x : x + w] == label))
    return blobs
