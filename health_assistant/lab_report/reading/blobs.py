"""把一行字分成一块块墨迹，每块缩成一样大的小图：认箭头时看它，学认箭头时也看它。墨迹是与底色之差，深底浅字、红蓝也一样。"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

SIDE = 20
"""小图的边长，像素。"""
_HEIGHT = 64
"""小图至少放大到这么高再分墨迹块。"""
LEVELS = (0.2, 0.32, 0.45, 0.58, 0.7)
"""墨迹的几个浓淡界限，占最浓的多少：高的分得开挨着的字，低的连得起细的笔画。"""
FAINTEST = 16
"""与底色差不到这么多灰度级的不看。"""


@dataclass(frozen=True)
class Blob:
    """一块墨迹：在小图里的外接矩形，像素；多浓，灰度级；它的 SIDE x SIDE 小图（浓淡 0 到 1，居中，长边撑满）。"""

    x0: float
    y0: float
    x1: float
    y1: float
    ink: float
    patch: np.ndarray


def find_blobs(pixels: np.ndarray, levels: Sequence[float] = LEVELS) -> list[Blob]:
    """pixels（BGR、uint8，一行字）里可能是箭头的墨迹块；levels 里的每个界限各找一遍，同一处可能有几块。"""
    zoom = -(-_HEIGHT // pixels.shape[0])
    background = np.median(pixels.reshape(-1, 3), axis=0)
    ink = np.abs(pixels - background.astype(np.float32)).max(axis=2)
    blobs: list[Blob] = []
    for x0, y0, x1, y1 in _dark_blocks(ink):
        inside = find_blobs(pixels[y0:y1, x0:x1], levels) if min(x1 - x0, y1 - y0) > 4 else []
        if x1 - x0 > 1.2 * (y1 - y0):
            return [replace(b, x0=b.x0 + x0, x1=b.x1 + x0, y0=b.y0 + y0, y1=b.y1 + y0) for b in inside]
        # 小方块里的箭头：占着整个方块
        blobs += [replace(b, x0=x0 - 1, x1=x1 + 1, y0=y0 - 1, y1=y1 + 1) for b in inside]
    ink = cv2.resize(ink, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    height = ink.shape[0]
    darkest = min(ink.size, max(1, height * height // 50))
    peak = float(np.partition(ink, ink.size - darkest, axis=None)[-darkest:].mean())
    if peak < FAINTEST:
        return blobs
    for level in levels:
        count, labels, stats, _ = cv2.connectedComponentsWithStats((ink > level * peak).astype(np.uint8))
        for label in range(1, count):
            x, y, w, h = stats[label, :4]
            if h < 0.25 * height or not 0.7 <= h / w <= 7:
                continue
            mask, own = labels[y : y + h, x : x + w] == label, ink[y : y + h, x : x + w]
            place = x / zoom, y / zoom, (x + w) / zoom, (y + h) / zoom
            shades = own[mask]
            darkness = float(np.partition(shades, at := len(shades) * 9 // 10)[at])
            blobs.append(Blob(*place, darkness, _patch(np.where(mask, own, 0) / darkness)))
    return blobs


def _dark_blocks(ink: np.ndarray) -> list[tuple[int, int, int, int]]:
    """深底浅字的格子：一整块墨迹占了大半，或是一个小方块（手机页面上的箭头），字是里面的空。各块的左、上、右、下。"""
    _, _, stats, _ = cv2.connectedComponentsWithStats((ink > 0.5 * ink.max()).astype(np.uint8))
    height, width = ink.shape
    return [
        (x + 1, y + 1, x + w - 1, y + h - 1)
        for x, y, w, h, area in stats[1:]
        if h > 0.4 * height
        and (w > 0.5 * width and w > 1.2 * h and area > 0.5 * w * h or 0.7 < w / h <= 1.2 and area > 0.7 * w * h)
    ]


def _patch(ink: np.ndarray) -> np.ndarray:
    scale = SIDE / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    patch = np.zeros((SIDE, SIDE), np.float32)
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    small = cv2.resize(np.minimum(ink, 1).astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
    patch[top : top + height, left : left + width] = small
    return patch
