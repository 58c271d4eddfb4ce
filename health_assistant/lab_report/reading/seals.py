"""红色的印章：盖在数上时，字找不全、认不准；按颜色把它褪掉，底下黑色的字留着。"""

import cv2
import numpy as np

_SIDE = 800
"""找印章时长边的像素。"""
_MIN_SIDE = 50
"""印章的边长至少是长边的 1/16：A4 纸上 1.9 厘米，公章、专用章是 3.8 到 4.5 厘米，小的方章 2 厘米。"""
_MAX_SIDE = 400
"""至多是长边的一半：窄条的单子上也没有更大的；褪色要展开成浮点数，大了内存受不了。"""
_SQUARE = 1.5
_MAX_FILL = 0.5
"""印章是圈与字，空的多；占满一半以上的是红色的底。"""
_TINGED, _PALE = 0.1, 0.75
"""比纸红这么多就褪；红的那一路有纸的这么亮，就当是纸（印泥是 0.8 到 0.95，黑字不到 0.5）。"""
_MOSTLY = 0.8
"""页面上的红色至少有这么多在印章里：另有红字的（红色标异常），分不清哪是印章，不动。"""


def fade_seals(photo: np.ndarray) -> None:
    """褪掉红章，就地改动。photo 是 BGR、uint8、(高, 宽, 3)。"""
    scale = min(1.0, _SIDE / max(photo.shape[:2]))
    red = _is_red(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)).astype(np.uint8)
    seals = _find_seals(red)
    inside = np.zeros_like(red)
    for x, y, width, height in seals:
        inside[y : y + height, x : x + width] = 1
    if not seals or (red * inside).sum() < _MOSTLY * red.sum():
        return
    for x, y, width, height in seals:
        top, left = max(0, int((y - 3) / scale)), max(0, int((x - 3) / scale))
        _fade(photo[top : int((y + height + 3) / scale), left : int((x + width + 3) / scale)])


def _find_seals(red: np.ndarray) -> list[tuple[int, int, int, int]]:
    """像印章的红色块的外框（左、上、宽、高）；red 是 0 与 1。"""
    _, _, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(red, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8)))
    return [
        (x, y, width, height)
        for x, y, width, height, area in stats[1:].tolist()
        if min(width, height) >= _MIN_SIDE
        and max(width, height) <= _MAX_SIDE
        and max(width, height) < _SQUARE * min(width, height)
        and area < _MAX_FILL * width * height
    ]


def _is_red(pixels: np.ndarray) -> np.ndarray:
    """印泥的红：绿与蓝都比红暗两成以上，而且差不多；木纹、暖光下的纸是橙的，不算。"""
    blue, green, red = (pixels[..., at].astype(np.int16) for at in range(3))
    return ((red - np.maximum(blue, green)) * 5 > red) & (np.abs(green - blue) * 3 < red - np.minimum(blue, green))


def _fade(pixels: np.ndarray) -> None:
    """红色的像素换成纸的颜色，明暗照红的那一路：红章在那里几乎与纸一样亮，黑字照样暗。就地改动。"""
    paper = np.maximum(np.median(pixels.reshape(-1, 3), axis=0), 1.0)
    # 与纸相比红一成就算：印得淡的字、淡的边也要褪；再加紧挨着的一圈
    balanced = pixels / paper.astype(np.float32)
    is_red = balanced[..., 2] - balanced[..., :2].max(axis=2) > _TINGED
    is_red = cv2.dilate(is_red.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    brightness = pixels[is_red][:, 2:].astype(np.float32) / paper[2]
    pixels[is_red] = ((brightness / _PALE).clip(0, 1) * paper).astype(np.uint8)
