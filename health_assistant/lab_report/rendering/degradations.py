"""拍照与传输造成的破坏：(图, rng, 字高) -> (图, 点的映射)。映射是解析的，所以框能精确地跟着走。

DEGRADATIONS 是人还读得出、程序也该读出的；BEYOND_LIMITS 是该拒绝的。
"""

from collections.abc import Callable
from functools import partial, reduce

import cv2
import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

Mapping = Callable[[np.ndarray], np.ndarray]
"""(n, 2) 的 x、y 像素坐标 -> 破坏之后的坐标，同样形状。"""
Degradation = Callable[[Image.Image, np.random.Generator, float], tuple[Image.Image, Mapping]]
"""第三个参数是页面的字高（像素），模糊与缩小的程度由它定。"""

_DESKS = ((126, 92, 62), (168, 140, 104), (70, 72, 76), (204, 202, 198), (84, 98, 120), (44, 42, 42))
_SKINS = ((224, 178, 150), (198, 148, 118), (150, 104, 78))


def _chain(*steps: Degradation) -> Degradation:
    def degrade(image, rng, text_height):
        mappings = []
        for step in steps:
            image, mapping = step(image, rng, text_height)
            mappings.append(mapping)
        return image, lambda points: reduce(lambda moved, mapping: mapping(moved), mappings, points)

    return degrade


def _in_place(change: Callable[..., np.ndarray], *settings: float) -> Degradation:
    """不挪位置的破坏；change 是 (像素, rng, 字高, *settings) -> 像素。"""

    def degrade(image, rng, text_height):
        pixels = change(np.asarray(image), rng, text_height, *settings)
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), lambda points: points

    return degrade


def _projected(matrix: ArrayLike) -> Mapping:
    """3×3 的透视矩阵 -> 映射。"""

    def mapped(points):
        moved = np.column_stack([points, np.ones(len(points))]) @ np.transpose(matrix)
        return moved[:, :2] / moved[:, 2:]

    return mapped


def _turn(image, rng, text_height, quarters: int):
    """逆时针转几个 90°。"""
    width, height = image.size
    rows = {1: ((0, 1, 0), (-1, 0, width)), 2: ((-1, 0, width), (0, -1, height)), 3: ((0, -1, height), (1, 0, 0))}
    return image.rotate(90 * quarters, expand=True), _projected((*rows[quarters], (0, 0, 1)))


def _shrink(image, rng, text_height, target: float):
    """缩到字高约 target 像素。"""
    scale = target * rng.uniform(0.95, 1.05) / text_height
    small = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)
    return small, _projected(np.diag((*np.array(small.size) / image.size, 1)))


def _background(page: np.ndarray) -> np.ndarray:
    return np.median(page[:8].reshape(-1, 3), axis=0)


def _desk(rng: np.random.Generator, width: int, height: int) -> np.ndarray:
    """桌面：一种底色，粗的明暗起伏加横向木纹。"""
    grain = rng.integers(0, 36, (max(2, height // 6), max(2, width // 160)), dtype=np.uint8)
    texture = cv2.resize(grain, (width, height), interpolation=cv2.INTER_LINEAR)
    return cv2.merge([cv2.add(texture, float(channel - 18)) for channel in _DESKS[rng.integers(len(_DESKS))]])


def _pose(image, rng, text_height, turn=(0, 0), keystone=(0, 0), jitter=0.0, margin=(1, 1), desk_rate=0.5):
    """纸在桌上或白底上的姿态；什么也不切掉。

    转 turn 度之间的角，一条边缩短 keystone 之间的比例，四角再各挪不超过 jitter 倍；四周的空白是字高的 margin 倍。
    """
    width, height = image.size
    source = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    corners, first = source.astype(float), int(rng.integers(4))
    edge, split = (corners[(first + 1) % 4] - corners[first]) * rng.uniform(*keystone), rng.uniform(0.3, 0.7)
    corners[first] += edge * split
    corners[(first + 1) % 4] -= edge * (1 - split)
    corners += rng.uniform(-jitter, jitter, (4, 2)) * image.size
    angle = np.radians(rng.uniform(*turn) * (-1) ** int(rng.integers(2)))
    corners = corners @ [(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))]
    space = rng.uniform(*margin) * text_height
    corners += space - corners.min(axis=0)
    size = tuple(int(np.ceil(side)) for side in corners.max(axis=0) + space)
    matrix, page = cv2.getPerspectiveTransform(source, corners.astype(np.float32)), np.asarray(image)
    ground = np.full((*size[::-1], 3), _background(page), np.uint8) if rng.random() >= desk_rate else _desk(rng, *size)
    placed = cv2.warpPerspective(page, matrix, size, ground, cv2.INTER_LINEAR, cv2.BORDER_TRANSPARENT)
    return Image.fromarray(placed), _projected(matrix)


def _curl(image, rng, text_height):
    """纸面轻微弯曲：每一列上下错开一段正弦，明暗随坡度变化。"""
    reach = rng.uniform(0.6, 2) * text_height
    waves, phase = rng.uniform(0.5, 1.2) * np.pi / image.width, rng.uniform(0, 2 * np.pi)

    def lift(x):
        return reach * (1 + np.sin(waves * x + phase))

    def mapped(points):
        x, y = np.asarray(points, float).T
        return np.stack([x, y + lift(x)], axis=1)

    page, x = np.asarray(image), np.arange(image.width, dtype=np.float32)
    rows = np.arange(image.height + int(np.ceil(2 * reach)), dtype=np.float32)[:, None]
    from_y = rows - lift(x + 0.5).astype(np.float32)
    from_x = np.broadcast_to(x, from_y.shape).copy()
    bent = cv2.remap(page, from_x, from_y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT, _background(page).tolist())
    shade = 1 - rng.uniform(0.05, 0.25) * (1 + np.cos(waves * x + phase)) / 2
    return Image.fromarray((bent * shade[:, None].astype(np.float32)).astype(np.uint8)), mapped


def _finger(image, rng, text_height):
    """放在桌上，手指从一边按住纸的空白处；伸进纸面不到一个字高，挡不到字。"""
    placed, mapping = _pose(image, rng, text_height, margin=(3, 3), desk_rate=1)
    canvas, size, radius = np.array(placed), np.array(placed.size), 2.2 * text_height
    skin = np.array(_SKINS[rng.integers(len(_SKINS))], float)
    inward = np.array([(1, 0), (-1, 0), (0, -1)][rng.integers(3)])
    depth = (3 + 0.8) * text_height - radius
    tip = np.where(inward == 0, size * rng.uniform(0.2, 0.8), np.where(inward > 0, depth, size - depth))
    root = tip - (inward + inward[::-1] * rng.uniform(-0.4, 0.4)) * 8 * radius
    for thickness, shade in ((2, 0.72), (1.86, 0.9), (1.6, 1)):
        ends = tip.astype(int).tolist(), root.astype(int).tolist()
        cv2.line(canvas, *ends, tuple(skin * shade), int(radius * thickness), cv2.LINE_AA)
    nail, axes = tip + inward * radius * 0.25, np.where(inward == 0, 0.38, 0.5) * radius
    colour = tuple(np.minimum(skin * 1.1 + 8, 255))
    cv2.ellipse(canvas, nail.astype(int).tolist(), axes.astype(int).tolist(), 0, 0, 360, colour, -1, cv2.LINE_AA)
    return Image.fromarray(canvas), mapping


def _coarse_grid(page: np.ndarray) -> np.ndarray:
    """（y，x），从 0 到 1；光影变化慢，先在粗格子上算再放大。"""
    height, width = page.shape[:2]
    return np.mgrid[0 : 1 : height // 16 * 1j, 0 : 1 : width // 16 * 1j]


def _light(page, rng, text_height, low: float, high: float, contrast: float = 3.0):
    """由亮变暗，再压一道软边的影子；最暗处的亮度在 low 到 high 之间，最亮处不超过它的 contrast 倍。"""
    y, x = _coarse_grid(page) - 0.5
    angle, darkest = rng.uniform(0, 2 * np.pi, 2), rng.uniform(low, high)
    light = 1 - (np.cos(angle[0]) * x + np.sin(angle[0]) * y + 0.7) / 1.4 * rng.uniform(0.2, 0.6)
    edge = np.cos(angle[1]) * x + np.sin(angle[1]) * y - rng.uniform(-0.25, 0.25)
    light *= 1 - rng.uniform(0.25, 0.5) / (1 + np.exp(-edge * rng.uniform(15, 80)))
    light = np.interp(light, (light.min(), light.max()), (darkest, min(1.0, darkest * contrast)))
    return page * cv2.resize(light.astype(np.float32), page.shape[1::-1])[..., None]


def _noise(page, rng, text_height, low: float, high: float):
    """高感光度的噪声：明暗为主，略有杂色，标准差在 low 到 high 个灰阶之间。"""
    grain = rng.standard_normal(page.shape[:2], np.float32) * np.float32(rng.uniform(low, high))
    return page + cv2.merge([np.roll(grain, 7 * channel, 1) for channel in range(3)])


def _blur(page, rng, text_height, low: float, high: float):
    """失焦，或手抖成一个方向；标准差是字高的 low 到 high 倍。"""
    sigma = rng.uniform(low, high) * text_height
    return cv2.GaussianBlur(page, (0, 0), sigmaX=sigma, sigmaY=sigma * (1 if rng.random() < 0.6 else 0.3))


def _fade(page, rng, text_height, low: float, high: float):
    """墨淡、纸灰：墨与纸的差别只剩 low 到 high，如快没墨的打印机、复印了几次的单子。"""
    return rng.uniform(190, 250) - (255 - page.astype(np.float32)) * rng.uniform(low, high)


def _dark_mode(page, rng, text_height):
    """夜间模式：黑白颠倒，底色略带一点灰。"""
    paper = rng.uniform(0, 40)
    return paper + (255 - page.astype(np.float32)) * (rng.uniform(200, 255) - paper) / 255


def _copy(page, rng, text_height):
    """复印：只剩黑白，零星的黑点。"""
    grey = cv2.cvtColor(page, cv2.COLOR_RGB2GRAY).astype(np.float32)
    black = (grey - rng.uniform(110, 150)) * 4 + 128
    black[rng.random(grey.shape, np.float32) < rng.uniform(0, 0.0004)] = 0
    return cv2.merge([cv2.GaussianBlur(np.clip(black, 0, 255), (0, 0), 0.6)] * 3)


def _resample(page, rng, text_height, low: float, high: float):
    """聊天软件转过的图：缩到字高 low 到 high 像素，又放大回来。"""
    scale = min(1.0, rng.uniform(low, high) / text_height)
    small = cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, page.shape[1::-1], interpolation=cv2.INTER_LINEAR)


def _jpeg(page, rng, text_height, quality: int):
    data = cv2.imencode(".jpg", page[..., ::-1], (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
    return cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1]


def _stripes(page: np.ndarray, wavelength: float, angle: float, phase: float = 0.0) -> np.ndarray:
    """斜的正弦条纹；和角公式拆成两个外积，比逐点求正弦快。"""
    x, y = (2 * np.pi / wavelength * np.arange(side, dtype=np.float32) for side in page.shape[1::-1])
    x, y = x * np.float32(np.cos(angle)), y * np.float32(np.sin(angle)) + np.float32(phase)
    return np.outer(np.cos(y), np.sin(x)) + np.outer(np.sin(y), np.cos(x))


def _moire(page, rng, text_height):
    """屏幕的细栅与摩尔纹（三个颜色错开相位），加一团反光。"""
    y, x = _coarse_grid(page)
    glare = np.exp(-(((x - rng.random()) / 0.25) ** 2 + ((y - rng.random()) / 0.2) ** 2)) * rng.uniform(20, 60)
    grid = _stripes(page, rng.uniform(2.2, 3.5), rng.uniform(0, 0.1)) * np.float32(rng.uniform(3, 8))
    grid += cv2.resize(glare.astype(np.float32), page.shape[1::-1])
    wave = (rng.uniform(0.8, 3) * text_height, rng.uniform(0, np.pi))
    strength, shift = np.float32(rng.uniform(5, 14)), rng.uniform(0.3, 1.2)
    bands = [_stripes(page, *wave, channel * shift) * strength + grid for channel in range(3)]
    return page * np.float32(rng.uniform(0.78, 0.92)) + 12 + cv2.merge(bands)


DEGRADATIONS: dict[str, Degradation] = {
    "clean": _chain(),
    "rotate_90": partial(_turn, quarters=1),
    "rotate_180": partial(_turn, quarters=2),
    "rotate_270": partial(_turn, quarters=3),
    "skew": partial(_pose, turn=(4.5, 15)),
    "slight_skew": partial(_pose, turn=(1.5, 5)),
    "keystone": partial(_pose, keystone=(0.05, 0.15), desk_rate=0.7),
    "curl": _curl,
    "shadow": _in_place(_light, 0.3, 0.6),
    "noise": _in_place(_noise, 6, 18),
    "blur": _in_place(_blur, 0.03, 0.065),
    "jpeg_20": _in_place(_jpeg, 20),
    "small_text": partial(_shrink, target=14),
    "finger": _finger,
    "faint": _in_place(_fade, 0.3, 0.6),
    "dark_mode": _in_place(_dark_mode),
    "copied": _in_place(_copy),
    "forwarded": _in_place(_resample, 14, 18),
    "photographed_screen": _chain(_in_place(_moire), partial(_pose, keystone=(0.01, 0.05), desk_rate=0.7)),
    "photo": _chain(
        partial(_pose, turn=(0, 3), jitter=0.02, margin=(1, 4), desk_rate=1),
        *(_in_place(_light, 0.45, 0.8), _in_place(_noise, 2, 6), _in_place(_jpeg, 70)),
    ),
}
BEYOND_LIMITS: dict[str, Degradation] = {
    "tiny_text": partial(_shrink, target=7),
    "heavy_blur": _in_place(_blur, 0.2, 0.26),
    "keystone_35": partial(_pose, keystone=(0.33, 0.37), desk_rate=0.7),
    "dark": _chain(_in_place(_light, 0.05, 0.08, 1.3), _in_place(_noise, 4, 6)),
    "jpeg_3": _in_place(_jpeg, 3),
}
