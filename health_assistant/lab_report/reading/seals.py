"""红色、蓝色的印章：盖在数上时，字找不全、认不准；按颜色把它褪掉，底下黑色的字留着。"""

import cv2
import numpy as np

_SIDE = 800
"""找印章时长边的像素。"""
_MIN_SIDE = 50
"""印章的边长至少是长边的 1/16：A4 纸上 1.9 厘米，公章、专用章是 3.8 到 4.5 厘米，小的方章 2 厘米。"""
_MAX_SIDE = 400
"""至多是长边的一半：窄条的单子上也没有更大的；褪色要展开成浮点数，大了内存受不了。"""
_SQUARE = 1.7
"""长边至多是短边的几倍：椭圆的章是 45 比 30 毫米，拍斜了还会扁一点。"""
_MAX_FILL = 0.5
"""印章是圈与字，空的多；占满一半以上的是有颜色的底。"""
_TINGED, _PALE = 0.1, 0.75
"""比纸红（蓝）这么多就褪；印泥自己的那一路有纸的这么亮，就当是纸（印泥是 0.8 到 0.95，黑字不到 0.5）。"""
_MOSTLY = 0.8
"""页面上这种颜色至少有这么多在印章里：另有红字的（红色标异常），分不清哪是印章，不动。"""
_BLUE, _RED = 0, 2
"""BGR 里的第几路。"""
_DARK, _TOUCHES = 0.6, 0.01
"""墨在印泥自己的那一路里暗到纸的 0.6 以下；印章的笔划旁边墨不到百分之一的，没有压着字。"""
_CUT = 0.6
"""蓝章的笔划里墨的疏密不到旁边的这么多，就是盖住了字：画的透的章是 0.70 到 0.97，不透的是 0 到 0.42。

红章不看：真照片上的都是透的，只压着一两个字时疏密作不得准（0.40）。
"""


def fade_seals(photo: np.ndarray) -> None:
    """褪掉红章、蓝章，就地改动。photo 是 BGR、uint8、(高, 宽, 3)。"""
    scale = min(1.0, _SIDE / max(photo.shape[:2]))
    small = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for ink in (_RED, _BLUE):
        tinged = _is_tinged(small, ink).astype(np.uint8)
        seals = _find_seals(tinged)
        inside = np.zeros_like(tinged)
        for x, y, width, height in seals:
            inside[y : y + height, x : x + width] = 1
        if not seals or (tinged * inside).sum() < _MOSTLY * tinged.sum():
            continue
        for x, y, width, height in seals:
            top, left = max(0, int((y - 3) / scale)), max(0, int((x - 3) / scale))
            pixels = photo[top : int((y + height + 3) / scale), left : int((x + width + 3) / scale)]
            if ink == _RED or not _hides_text(pixels):
                _fade(pixels, ink)


def _find_seals(tinged: np.ndarray) -> list[tuple[int, int, int, int]]:
    """像印章的有颜色的块的外框（左、上、宽、高）；tinged 是 0 与 1。"""
    closed = cv2.morphologyEx(tinged, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    _, _, stats, _ = cv2.connectedComponentsWithStats(closed)
    return [
        (x, y, width, height)
        for x, y, width, height, area in stats[1:].tolist()
        if min(width, height) >= _MIN_SIDE
        and max(width, height) <= _MAX_SIDE
        and max(width, height) < _SQUARE * min(width, height)
        and area < _MAX_FILL * width * height
    ]


def _is_tinged(pixels: np.ndarray, ink: int) -> np.ndarray:
    """印泥的红、蓝（ink 那一路）：另两路都比它暗两成以上，而且差不多；木纹、暖光下的纸是橙的，不算。"""
    own, *others = (pixels[..., at].astype(np.int16) for at in sorted(range(3), key=lambda at: at != ink))
    dark, light = np.minimum(*others), np.maximum(*others)
    return ((own - light) * 5 > own) & ((light - dark) * 3 < own - dark)


def _hides_text(pixels: np.ndarray) -> bool:
    """不透的蓝章（贴上去的电子章）把字切断了：褪掉以后剩下的半个数会认成别的数，留着才会说没有把握。"""
    paper, is_tinged = _tinged_beside(pixels, _BLUE)
    dark = pixels[..., _BLUE] < _DARK * paper[_BLUE]
    strokes = cv2.morphologyEx(is_tinged.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    beside = cv2.dilate(strokes, np.ones((7, 7), np.uint8)) > strokes
    if not is_tinged.any() or dark[beside].mean() < _TOUCHES:
        return False
    return bool(dark[strokes > 0].mean() < _CUT * dark[beside].mean())


def _tinged_beside(pixels: np.ndarray, ink: int) -> tuple[np.ndarray, np.ndarray]:
    """纸的颜色（BGR），和哪些像素比纸红（蓝）一成以上：印得淡的字、淡的边也算。"""
    paper = np.maximum(np.median(pixels.reshape(-1, 3), axis=0), 1.0)
    balanced = pixels / paper.astype(np.float32)
    others = [at for at in range(3) if at != ink]
    return paper, balanced[..., ink] - balanced[..., others].max(axis=2) > _TINGED


def _fade(pixels: np.ndarray, ink: int) -> None:
    """有颜色的像素与紧挨着的一圈换成纸的颜色，明暗照印泥自己的那一路：章在那里几乎与纸一样亮，黑字照样暗。就地改动。"""
    paper, is_tinged = _tinged_beside(pixels, ink)
    is_tinged = cv2.dilate(is_tinged.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)
    brightness = pixels[is_tinged][:, ink : ink + 1].astype(np.float32) / paper[ink]
    pixels[is_tinged] = ((brightness / _PALE).clip(0, 1) * paper).astype(np.uint8)
