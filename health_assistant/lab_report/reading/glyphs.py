"""文字识别常常读错或读不到的小符号：箭头与单独的横线。直接看像素里的连通块。

文字识别会把 ↓ 读成 1、↑ 或 →，所以箭头的方向一律以像素为准。
"""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class _Blob:
    x: int
    y: int
    width: int
    height: int
    mask: np.ndarray


def find_arrow(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> str | None:
    """zone（x0, y0, x1, y1，像素）里的箭头：↑、↓ 或 None。有几个而方向不一时为 None。"""
    arrows = {arrow for blob in _blobs(gray, zone, text_height) if (arrow := _arrow(blob, text_height))}
    return arrows.pop() if len(arrows) == 1 else None


def find_dashes(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> str:
    """zone 里印着的横线：`-`（阴性）、`-----`（未做）或空串；还有别的墨迹时也是空串。"""
    blobs = _blobs(gray, zone, text_height)
    if not blobs or not all(_is_dash(blob, text_height) for blob in blobs):
        return ""
    ink_width = sum(blob.width for blob in blobs)
    return "-" if len(blobs) == 1 and ink_width <= text_height else "-----"


def _arrow(blob: _Blob, text_height: float) -> str | None:
    if not (0.4 * text_height <= blob.height <= 1.2 * text_height and 1.1 <= blob.height / blob.width <= 5):
        return None
    widths = blob.mask.sum(axis=1).astype(float)
    third = max(1, blob.height // 3)
    top, bottom, shaft = widths[:third].max(), widths[-third:].max(), np.median(widths)
    # 箭头那一头比箭杆宽；两头差不多宽的是数字 1 或字母
    if max(top, bottom) < 1.4 * shaft or max(top, bottom) < 1.3 * min(top, bottom):
        return None
    return "↑" if top > bottom else "↓"


def _is_dash(blob: _Blob, text_height: float) -> bool:
    return blob.height <= 0.25 * text_height and blob.width >= 1.5 * blob.height and blob.width >= 0.2 * text_height


def _blobs(gray: np.ndarray, zone: tuple[float, float, float, float], text_height: float) -> list[_Blob]:
    """zone 里完整的墨迹块，去掉噪点和碰到左右边的（那是邻字的一部分）。"""
    height, width = gray.shape
    x0, y0 = max(0, round(zone[0])), max(0, round(zone[1]))
    x1, y1 = min(width, round(zone[2])), min(height, round(zone[3]))
    if x1 - x0 < 4 or y1 - y0 < 4:
        return []
    # 局部阈值：照片的明暗不匀，不能用一个全局阈值；窗口取字高的两倍
    block = max(3, int(text_height) * 2 | 1)
    crop = cv2.GaussianBlur(gray[y0:y1, x0:x1], (3, 3), 0)
    ink = cv2.adaptiveThreshold(crop, 1, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY_INV, block, 12)
    ink = cv2.morphologyEx(ink, cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
    blobs = []
    for label in range(1, count):
        x, y, w, h, area = stats[label]
        if area < 0.02 * text_height**2 or x == 0 or x + w == x1 - x0:
            continue
        blobs.append(_Blob(int(x), int(y), int(w), int(h), labels[y : y + h, x : x + w] == label))
    return blobs
