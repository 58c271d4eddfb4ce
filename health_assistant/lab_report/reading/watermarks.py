"""斜着印的水印：比字淡，斜穿各行，文字会与它连成一段；把它褪成纸的颜色，字留着。"""

import cv2
import numpy as np

_LEAST, _MOST = 12.0, 78.0
"""水印与平的文字至少、至多差这么多度：弯的纸、拍斜的照片不到 12 度，竖着印的字近 90 度。"""
_FEWEST = 3
"""斜着的长段至少这么多，才是水印。"""
_LONG = 2.5
_DARKEST = 0.7
"""水印比字淡：它与纸的明暗之差不到最黑的字的七成，才分得开。"""


def fade_watermarks(photo: np.ndarray, quads: np.ndarray) -> bool:
    """褪掉斜的水印，就地改动；没有水印、与字一样黑而分不开的不动，返回假。

    photo 是 BGR、uint8、(高, 宽, 3)；quads 是找到的文字段，见 `TextReader.detect`。
    """
    long, is_tilted = _long_and_tilted(quads)
    tilted, level_text = quads[long & is_tilted], quads[long & ~is_tilted]
    if min(len(tilted), len(level_text)) < _FEWEST:
        return False  # 整张拍斜了的，各段都斜
    gray = cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY)
    paper, ink = float(np.median(gray)), float(np.percentile(gray, 0.5))
    marks = np.zeros_like(gray)
    cv2.fillPoly(marks, list(tilted.astype(np.int32)), 1)
    inside = gray[marks.astype(bool)]
    darker = inside[inside < paper - 0.08 * (paper - ink)]
    if paper <= ink or not len(darker):
        return False
    # 斜段里多数像素是水印，少数是它压着的字
    level = float(np.percentile(darker, 25))
    if paper - level > _DARKEST * (paper - ink):
        return False
    top = level - 0.04 * (paper - ink)
    shades = np.arange(256, dtype=np.float32)
    faded = np.where(shades >= top, paper, ink + (shades - ink) * (paper - ink) / max(top - ink, 1))
    cv2.LUT(photo, faded.clip(0, 255).astype(np.uint8), dst=photo)
    return True


def _long_and_tilted(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """各段是不是长的、是不是斜的（与水平、竖直都差得多）。"""
    along, down = quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0]
    wide, tall = np.linalg.norm(along, axis=1), np.linalg.norm(down, axis=1)
    degrees = np.abs(np.degrees(np.arctan2(along[:, 1], along[:, 0])))
    return np.maximum(wide, tall) > _LONG * np.minimum(wide, tall), (degrees > _LEAST) & (degrees < _MOST)
