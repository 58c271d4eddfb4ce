"""照片 -> 摆正的页面：四个方向转正，倾斜转平；透视与弯曲只在坐标里拉平，不改像素。"""

from dataclasses import dataclass

import cv2
import numpy as np

from health_assistant.lab_report.reading.ocr import COARSE_SIDE, TextReader
from health_assistant.lab_report.reading.seals import fade_seals
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.watermarks import fade_watermarks
from health_assistant.lab_report.report import Box

MAX_TILT = 3.0
"""倾斜超过这么多度才把像素也转平、重新找文字；以内只在坐标里拉平，省一次检测。"""
TEXT_CONTRAST = 80
_DARK = 110
"""整页的灰度中位数低于它，是深底浅字。"""
_FAINT = 0.25
"""明暗之差不到平常文字的这么多，是水印或透过来的背面。"""
_PALE, _WHITE = 40, 200
"""文字与纸的明暗之差的中位数不到 40、纸比 200 亮，是印得很淡的页。"""
_LONG = 2.5
"""宽高比超过它的文字段才看得出方向。"""
_SPARE = 0.05
"""转平时四边多留长边的这么多：61 张歪的照片上，仔细找到的字都在粗看的范围里。"""
_MOST_TILT, _SAME_WAY, _MOST = 25.0, 10.0, 0.9
"""粗看的方向信得过：斜得不到 25 度，九成的文字段与它相差不到 10 度（斜的水印会把方向带偏）。"""
_NO_TEXT = np.empty((0, 4, 2), np.float32)


@dataclass
class Page:
    """摆正的页面：`pixels` 是 BGR，`quads` 是文字段（见 `TextReader.detect`）。

    `to_photo` 是 3x3 矩阵，把页面的坐标变回照片的坐标。
    """

    pixels: np.ndarray
    quads: np.ndarray
    to_photo: np.ndarray

    @property
    def is_turned(self) -> bool:
        """摆正时转过、拉过没有。"""
        return not np.array_equal(self.to_photo, np.eye(3))

    def text_height(self) -> float:
        """文字段多高，像素，中位数；没有文字时为 0。"""
        return float(np.median(_sides(self.quads)[1])) if len(self.quads) else 0.0

    def gray(self) -> np.ndarray:
        """灰度图，文字与纸的明暗之差调到 `TEXT_CONTRAST`：同一个阈值对深浅不同的照片都合适。"""
        gray = cv2.cvtColor(self.pixels, cv2.COLOR_BGR2GRAY)
        if np.median(gray) < _DARK:
            gray = 255 - gray  # 深色模式：一律浅底深字
        contrast = float(np.median(contrasts_of(gray, self.quads))) if len(self.quads) else TEXT_CONTRAST
        return cv2.convertScaleAbs(gray, alpha=TEXT_CONTRAST / max(contrast, TEXT_CONTRAST / 4))

    def photo_box(self, x0: float, y0: float, x1: float, y1: float) -> Box:
        """页面上的矩形在照片里的外接矩形。"""
        corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]]) @ self.to_photo.T
        (left, top), (right, bottom) = corners[:, :2].min(axis=0), corners[:, :2].max(axis=0)
        return round(left), round(top), round(right), round(bottom)


def find_page(photo: np.ndarray, reader: TextReader, turns: bool = True) -> Page:
    """photo 是 BGR；褪掉红章与斜的水印（就地），找出文字的方向，把页面摆正（turns 为假时不转），去掉水印。

    没有文字时 `quads` 是空的。
    """
    fade_seals(photo)
    page = _level(photo, reader) if turns else Page(photo, _detect(photo, reader), np.eye(3))
    contrasts = contrasts_of(cv2.cvtColor(page.pixels, cv2.COLOR_BGR2GRAY), page.quads)
    if len(contrasts):
        contrast = np.median(contrasts)
        page.quads = page.quads[contrasts >= _FAINT * contrast]
        paper = np.median(page.pixels)
        if contrast < _PALE and paper > _WHITE:  # 白底淡字：拉开明暗，箭头才找得到；拍得暗的不动，噪点也会拉开
            levels = paper + (np.arange(256) - paper) * (TEXT_CONTRAST / max(contrast, 1))
            page.pixels = cv2.LUT(page.pixels, levels.clip(0, 255).astype(np.uint8))
    return page


def contrasts_of(gray: np.ndarray, quads: np.ndarray, outer: int = 2) -> np.ndarray:
    """每段文字的明暗之差，灰度级；最暗、最亮的各百分之 outer 不算，在图外的是 0。"""
    contrasts = []
    for quad in quads:
        (x0, y0), (x1, y1) = quad.min(axis=0).astype(int), np.ceil(quad.max(axis=0)).astype(int)
        crop = gray[max(y0, 0) : max(y1, 0), max(x0, 0) : max(x1, 0)]
        contrasts.append(np.ptp(np.percentile(crop, (outer, 100 - outer))) if crop.size else 0.0)
    return np.array(contrasts)


def _detect(pixels: np.ndarray, reader: TextReader) -> np.ndarray:
    """文字段；有斜的水印的，褪掉（就地）再找。"""
    quads = reader.detect(pixels)
    return reader.detect(pixels) if fade_watermarks(pixels, quads) else quads


def _level(photo: np.ndarray, reader: TextReader) -> Page:
    """摆正了的页面。先缩小了粗看一遍，转过来才仔细找字：转着的只仔细找一次。

    粗看时各段朝着几个方向（斜的水印）、斜得多的，仔细找了再转。
    """
    page = Page(photo, reader.detect(photo, COARSE_SIDE), np.eye(3))
    if _is_one_way(page.quads):
        page = _turned(page, _degrees(page, reader))
    page.quads = _detect(page.pixels, reader)
    if degrees := _degrees(page, reader):
        page = _turned(page, degrees)
        page.quads = _detect(page.pixels, reader)
    return page


def _is_one_way(quads: np.ndarray) -> bool:
    """长的各段（照长短计）几乎都朝着一个方向，离横平竖直不远。"""
    angle = _text_angle(quads)
    if angle is None or abs((angle + 45) % 90 - 45) > _MOST_TILT:
        return False
    angles, weights = _angles(_long(quads))
    apart = np.abs((angles - angle + 90) % 180 - 90)
    return bool(weights[apart < _SAME_WAY].sum() > _MOST * weights.sum())


def _degrees(page: Page, reader: TextReader) -> float:
    """文字（水印不算）与水平线成多少度，顺时针为正，-45 到 315；差得不多（`MAX_TILT`）、看不出时为 0。"""
    contrasts = contrasts_of(cv2.cvtColor(page.pixels, cv2.COLOR_BGR2GRAY), page.quads)
    quads = page.quads[contrasts >= _FAINT * np.median(contrasts)] if len(contrasts) else page.quads
    angle = _text_angle(quads)
    if angle is None:
        return 0.0
    is_vertical = angle > 45
    tilt = angle - 90 * is_vertical
    # 文字竖着时，每段自己的左上角是它外框的右上角
    along_text = np.roll(quads, -1, axis=1) if is_vertical else quads
    degrees = 90 * is_vertical + 180 * reader.is_upside_down(page.pixels, _long(along_text))
    return float(degrees + tilt if abs(tilt) > MAX_TILT else degrees)


def _turned(page: Page, degrees: float) -> Page:
    """把与水平线成 degrees 度（顺时针为正）的文字转平，只留有文字的部分；0 度的不动。文字段要重新找。"""
    if not degrees:
        return page
    matrix = cv2.getRotationMatrix2D((0, 0), degrees, 1)
    height, width = page.pixels.shape[:2]
    text = page.quads.reshape(-1, 2) @ matrix[:, :2].T
    # 粗看会漏字：四边多留一些
    margin = 3 * np.median(_sides(page.quads), axis=1).min() + _SPARE * np.ptp(text, axis=0).max()
    whole = np.array([[0, 0], [width, 0], [width, height], [0, height]]) @ matrix[:, :2].T
    start = np.maximum(text.min(axis=0) - margin, whole.min(axis=0))
    size = np.ceil(np.minimum(text.max(axis=0) + margin, whole.max(axis=0)) - start).astype(int)
    matrix[:, 2] = -start
    pixels = cv2.warpAffine(
        page.pixels, matrix, tuple(map(int, size)), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return Page(pixels, _NO_TEXT, page.to_photo @ np.linalg.inv(np.vstack([matrix, [0, 0, 1]])))


def _long(quads: np.ndarray) -> np.ndarray:
    wide, tall = _sides(quads)
    long = quads[np.maximum(wide, tall) > _LONG * np.minimum(wide, tall)]
    return long if len(long) else quads


def _sides(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """每段的宽与高，像素。"""
    return np.linalg.norm(quads[:, 1] - quads[:, 0], axis=1), np.linalg.norm(quads[:, 3] - quads[:, 0], axis=1)


def _text_angle(quads: np.ndarray) -> float | None:
    """多数文字行与水平线的夹角，度，顺时针为正，-45 到 135；看不出时为 None。"""
    if not len(quads):
        return None
    angles, weights = _angles(_long(quads))
    is_flat = angles < 45
    side = is_flat if weights[is_flat].sum() >= weights.sum() / 2 else ~is_flat
    order = np.argsort(angles[side])
    cumulative = np.cumsum(weights[side][order])
    return float(angles[side][order][np.searchsorted(cumulative, cumulative[-1] / 2)])


def _angles(quads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """每段的长边与水平线的夹角（度，顺时针为正，-45 到 135）与长，像素。"""
    wide, tall = _sides(quads)
    along = np.where((wide >= tall)[:, None], quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0])
    return (np.degrees(np.arctan2(along[:, 1], along[:, 0])) + 45) % 180 - 45, np.maximum(wide, tall)


def to_text_boxes(quads: np.ndarray, texts: list[tuple[str, float]]) -> list[TextBox]:
    """文字段与识别出的文字 -> 文字框；没有字的丢掉。"""
    if not len(quads):
        return []
    lines = _flat_lines(quads)
    starts, ends = _flat_columns(quads, lines)
    return [
        TextBox(text, score, *map(float, (*quad.min(axis=0), *quad.max(axis=0), line, start, end)))
        for quad, (text, score), line, start, end in zip(quads, texts, lines, starts, ends, strict=True)
        if text
    ]


def _flat_lines(quads: np.ndarray) -> np.ndarray:
    """每段文字拉平以后的纵坐标，(段数,)，像素：同一行的各段（几乎）相等。

    设 v(x, y) = y + Σ c·φ(x, y)，φ 是多项式，容得下倾斜、透视、折过和卷着的纸。先只凭各段自己的斜率求 v，
    再把邻近而同行的段两两相连，凭它们的高低差重求：跨度大，比单段的斜率准得多。
    头一次就用 9 项：只用 2 项时，弯纸上的邻行会连成一行，以后再也分不开；同行的，头一次放宽些，以后只差 0.3 个字高。
    """
    left, right = (quads[:, 0] + quads[:, 3]) / 2, (quads[:, 1] + quads[:, 2]) / 2
    middle = (left + right) / 2
    wide, tall = _sides(quads)
    long = wide > _LONG * tall
    start, end = left[long], right[long]
    flat = middle[:, 1]
    for apart in (0.4, 0.3, 0.3, 0.3):
        flat = middle[:, 1] + _warp(middle, _fit(start, end, middle, 9), middle)
        near = np.abs(flat[:, None] - flat[None]) < apart * np.minimum(tall[:, None], tall[None])
        gap = middle[None, :, 0] - middle[:, None, 0]
        first, second = _nearest(np.where(near & (gap > 0), gap, np.inf))
        start, end = np.concatenate([left[long], middle[first]]), np.concatenate([right[long], middle[second]])
    return flat


def _flat_columns(quads: np.ndarray, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """每段文字左右两端拉平以后的横坐标：透视使各列像扇子一样张开，凭上下对齐的段求出来。"""
    left, right = (quads[:, 0] + quads[:, 3]) / 2, (quads[:, 1] + quads[:, 2]) / 2
    middle, tall = (left + right) / 2, _sides(quads)[1]
    starts, ends = [], []
    for edge in (left, middle, right):
        gap = (lines[None] - lines[:, None]) / tall[:, None]
        aligned = np.abs(edge[None, :, 0] - edge[:, None, 0]) < 0.6 * tall[:, None]
        first, second = _nearest(np.where(aligned & (gap > 0.5) & (gap < 4), gap, np.inf))
        starts.append(edge[first][:, ::-1])
        ends.append(edge[second][:, ::-1])
    swapped = middle[:, ::-1]
    coefficients = _fit(np.concatenate(starts), np.concatenate(ends), swapped, 2)
    return tuple(edge[:, 0] + _warp(edge[:, ::-1], coefficients, swapped) for edge in (left, right))


def _basis(points: np.ndarray, around: np.ndarray, terms: int) -> np.ndarray:
    x, y = ((points - around.mean(axis=0)) / max(np.ptp(around, axis=0).max(), 1.0) * 2).T
    return np.stack([x, x * y, x**2, x**2 * y, x**3, x * y**2, x**4, x**3 * y, x**2 * y**2][:terms], axis=1)


def _warp(points: np.ndarray, coefficients: np.ndarray, around: np.ndarray) -> np.ndarray:
    return _basis(points, around, len(coefficients)) @ coefficients


def _fit(start: np.ndarray, end: np.ndarray, around: np.ndarray, terms: int) -> np.ndarray:
    """使每一对 start、end 的第二个坐标拉平以后相等的系数；偏离大的对（不在同一行）逐轮减轻。"""
    coefficients = np.zeros(terms)
    if not len(start):
        return coefficients
    matrix = _basis(end, around, terms) - _basis(start, around, terms)
    target = start[:, 1] - end[:, 1]
    weights = np.ones(len(target))
    for _ in range(6):
        weighted = matrix * weights[:, None]
        coefficients = np.linalg.solve(weighted.T @ matrix + 0.01 * np.eye(terms), weighted.T @ target)
        weights = 1 / (1 + ((target - matrix @ coefficients) / 3) ** 2)
    return coefficients


def _nearest(gaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """每一段与离它最近的另一段的序号；gaps 里 inf 是不相干的。"""
    first = np.flatnonzero(np.isfinite(gaps.min(axis=1)))
    return first, gaps.argmin(axis=1)[first]
