"""拍照与传输造成的破坏：每种是 (图, rng, 字高) -> (图, 点的映射)。映射是解析的，所以框能精确地跟着走。

DEGRADATIONS 是人还读得出、程序也该读出的；BEYOND_LIMITS 是该拒绝的。
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

Mapping = Callable[[np.ndarray], np.ndarray]
"""(n, 2) 的 x、y 像素坐标 -> 破坏之后的坐标，同样形状。"""
Degradation = Callable[[Image.Image, np.random.Generator, float], tuple[Image.Image, Mapping]]
"""第三个参数是页面的字高（像素），模糊与缩小的程度由它定。"""


def _same(points: np.ndarray) -> np.ndarray:
    return np.asarray(points, float)


def _chain(*steps: Degradation) -> Degradation:
    def degrade(image, rng, text_height):
        mappings = []
        for step in steps:
            image, mapping = step(image, rng, text_height)
            mappings.append(mapping)

        def mapped(points):
            for mapping in mappings:
                points = mapping(points)
            return points

        return image, mapped

    return degrade


def clean(image, rng, text_height=28.0):
    """扫描件或截图，原样。"""
    return image, _same


def _rotate(quarters: int) -> Degradation:
    """逆时针转几个 90°。"""

    def degrade(image, rng, text_height=28.0):
        width, height = image.size

        def mapped(points):
            x, y = np.asarray(points, float).T
            return np.stack([(x, y), (y, width - x), (width - x, height - y), (height - y, x)][quarters], axis=1)

        turned = Image.fromarray(np.ascontiguousarray(np.rot90(np.asarray(image), quarters)))
        return turned, mapped

    return degrade


def _desk(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """桌面：一种底色，粗的明暗起伏加横向木纹。返回 (height, width, 3) 的 uint8。"""
    import cv2

    base = [(126, 92, 62), (168, 140, 104), (70, 72, 76), (204, 202, 198), (84, 98, 120), (44, 42, 42)]
    grain = rng.integers(0, 36, (max(2, height // 6), max(2, width // 160)), dtype=np.uint8)
    texture = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    colour = base[int(rng.integers(len(base)))]
    return cv2.merge([cv2.add(texture, float(channel - 18)) for channel in colour])


def _warp(image: Image.Image, corners: np.ndarray, rng: np.random.Generator, margin: float, desk: bool):
    """把图的四角（左上起顺时针）送到 corners；画布放大到什么也不切掉，四周留 margin 像素的背景。"""
    import cv2

    width, height = image.size
    corners = np.asarray(corners, float)
    corners = corners - corners.min(axis=0) + margin
    out_width, out_height = (int(np.ceil(side)) for side in corners.max(axis=0) + margin)
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    matrix = cv2.getPerspectiveTransform(source, corners.astype(np.float32))
    page = np.asarray(image)
    ground = _desk(rng, out_width, out_height) if desk else None
    if ground is None:
        ground = np.full((out_height, out_width, 3), np.median(page[:8].reshape(-1, 3), axis=0), np.uint8)
    warped = cv2.warpPerspective(
        page, matrix, (out_width, out_height), dst=ground, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )

    def mapped(points):
        homogeneous = np.column_stack([np.asarray(points, float), np.ones(len(points))]) @ matrix.T
        return homogeneous[:, :2] / homogeneous[:, 2:]

    return Image.fromarray(warped), mapped


def _skew(limit: float, desk_rate: float = 0.5) -> Degradation:
    """转一个不超过 limit 度的角。"""

    def degrade(image, rng, text_height=28.0):
        angle = np.radians(rng.uniform(0.3, 1) * limit * (-1) ** int(rng.integers(2)))
        turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
        width, height = image.size
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) @ turn
        desk = bool(rng.random() < desk_rate)
        return _warp(image, corners, rng, text_height if desk else 0, desk)

    return degrade


def _keystone(smallest: float, largest: float) -> Degradation:
    """梯形：一条边缩短为 1 - 比例，相邻两边随之倾斜。"""

    def degrade(image, rng, text_height=28.0):
        width, height = image.size
        corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
        amount = rng.uniform(smallest, largest)
        first = int(rng.integers(4))
        second = (first + 1) % 4
        edge = (corners[second] - corners[first]) * amount
        split = rng.uniform(0.3, 0.7)
        corners[first] += edge * split
        corners[second] -= edge * (1 - split)
        return _warp(image, corners, rng, text_height, desk=bool(rng.random() < 0.7))

    return degrade


def _light(low: float, high: float) -> Degradation:
    """光照不均：一个方向上由亮变暗，再压一道软边的影子；最暗处亮度在 low 到 high 之间。"""

    def degrade(image, rng, text_height=28.0):
        import cv2

        width, height = image.size
        y, x = np.mgrid[0 : 1 : height // 16 * 1j, 0 : 1 : width // 16 * 1j]
        angle, darkest = rng.uniform(0, 2 * np.pi), rng.uniform(low, high)
        along = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
        light = 1 - (along + 0.7) / 1.4 * rng.uniform(0.2, 0.6)
        angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-0.25, 0.25)
        edge = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5) - offset
        light *= 1 - rng.uniform(0.25, 0.5) / (1 + np.exp(-edge * rng.uniform(15, 80)))
        light = darkest + (light - light.min()) / (light.max() - light.min()) * (min(1.0, darkest * 3) - darkest)
        full = cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        shaded = cv2.multiply(np.asarray(image), cv2.merge([full] * 3), dtype=cv2.CV_8U)
        return Image.fromarray(shaded), _same

    return degrade


DEGRADATIONS: dict[str, Degradation] = {
    "clean": clean,
    "rotate_90": _rotate(1),
    "rotate_180": _rotate(2),
    "rotate_270": _rotate(3),
    "skew": _skew(15),
    "slight_skew": _skew(5),
    "keystone": _keystone(0.05, 0.15),
    "shadow": _light(0.3, 0.6),
}
BEYOND_LIMITS: dict[str, Degradation] = {"keystone_35": _keystone(0.33, 0.37), "dark": _light(0.06, 0.1)}
