"""拍照与传输造成的破坏：每种是 (图, rng, 字高) -> (图, 点的映射)。映射是解析的，所以框能精确地跟着走。

DEGRADATIONS 是人还读得出、程序也该读出的；BEYOND_LIMITS 是该拒绝的。
"""

import io
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


def _light(low: float, high: float, contrast: float = 3.0) -> Degradation:
    """光照不均：由亮变暗，再压一道软边的影子；最暗处的亮度在 low 到 high 之间，最亮处不超过它的 contrast 倍。"""

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
        light = darkest + (light - light.min()) / (light.max() - light.min()) * (min(1.0, darkest * contrast) - darkest)
        full = cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        shaded = cv2.multiply(np.asarray(image), cv2.merge([full] * 3), dtype=cv2.CV_8U)
        return Image.fromarray(shaded), _same

    return degrade


def _curl(image, rng, text_height=28.0):
    """纸面轻微弯曲：每一列上下错开一段正弦，明暗随坡度变化。"""
    import cv2

    width, height = image.size
    reach = rng.uniform(0.6, 2) * text_height
    waves, phase = rng.uniform(0.5, 1.2), rng.uniform(0, 2 * np.pi)

    def lift(x):
        return reach * (1 + np.sin(np.pi * waves * x / width + phase))

    tall = height + int(np.ceil(2 * reach))
    x = np.arange(width, dtype=np.float32)
    map_y = np.arange(tall, dtype=np.float32)[:, None] - lift(x + 0.5).astype(np.float32)
    page = np.asarray(image)
    border = [float(v) for v in np.median(page[:8].reshape(-1, 3), axis=0)]
    bent = cv2.remap(page, np.broadcast_to(x, map_y.shape).copy(), map_y, cv2.INTER_LINEAR, None,
                     cv2.BORDER_CONSTANT, border)  # fmt: skip
    shade = 1 - rng.uniform(0.05, 0.25) * (1 + np.cos(np.pi * waves * x / width + phase)) / 2
    bent = cv2.multiply(bent, np.broadcast_to(shade[None, :, None], bent.shape).astype(np.float32), dtype=cv2.CV_8U)

    def mapped(points):
        px, py = np.asarray(points, float).T
        return np.stack([px, py + lift(px)], axis=1)

    return Image.fromarray(bent), mapped


def _noise(low: float, high: float) -> Degradation:
    """高感光度的噪声：明暗为主，略有杂色，标准差在 low 到 high 个灰阶之间。"""

    def degrade(image, rng, text_height=28.0):
        import cv2

        strength = rng.uniform(low, high)
        grain = rng.standard_normal((image.height, image.width), np.float32) * strength
        channels = [cv2.add(np.asarray(image)[..., c].astype(np.float32), np.roll(grain, 7 * c, 1) if c else grain)
                    for c in range(3)]  # fmt: skip
        return Image.fromarray(np.clip(cv2.merge(channels), 0, 255).astype(np.uint8)), _same

    return degrade


def _blur(low: float, high: float) -> Degradation:
    """失焦，或手抖成一个方向；标准差是字高的 low 到 high 倍。"""

    def degrade(image, rng, text_height=28.0):
        import cv2

        sigma = rng.uniform(low, high) * text_height
        across = sigma * (1 if rng.random() < 0.6 else 0.3)
        blurred = cv2.GaussianBlur(np.asarray(image), (0, 0), sigmaX=sigma, sigmaY=across)
        return Image.fromarray(blurred), _same

    return degrade


def _jpeg(quality: int) -> Degradation:
    def degrade(image, rng, text_height=28.0):
        data = io.BytesIO()
        image.save(data, "JPEG", quality=quality)
        return Image.open(data).convert("RGB"), _same

    return degrade


def _shrink(target: float) -> Degradation:
    """缩到字高约 target 像素。"""

    def degrade(image, rng, text_height=28.0):
        wanted = target * rng.uniform(0.95, 1.05) / text_height
        small = image.resize([max(1, round(side * wanted)) for side in image.size], Image.Resampling.LANCZOS)
        scale = np.array(small.size) / image.size
        return small, lambda points: np.asarray(points, float) * scale

    return degrade


def _finger(image, rng, text_height=28.0):
    """放在桌上，手指从一边按住纸的空白处；伸进纸面不到一个字高，挡不到字。"""
    import cv2

    width, height = image.size
    margin = 3 * text_height
    placed, mapping = _warp(image, np.array([(0, 0), (width, 0), (width, height), (0, height)]), rng, margin, desk=True)
    radius, reach = 2.2 * text_height, 0.8 * text_height
    skin = np.array(((224, 178, 150), (198, 148, 118), (150, 104, 78))[int(rng.integers(3))], float)
    canvas = np.array(placed)
    edge, along = int(rng.integers(3)), rng.uniform(0.2, 0.8)
    deep = margin + reach - radius
    tip = {0: (deep, along * height), 1: (canvas.shape[1] - deep, along * height),
           2: (along * width, canvas.shape[0] - deep)}[edge]  # fmt: skip
    inward = np.array([(1, 0), (-1, 0), (0, -1)][edge], float)
    aside = np.array([inward[1], inward[0]]) * rng.uniform(-0.4, 0.4)
    root = np.array(tip) - (inward + aside) * 8 * radius
    for grow, shade in ((1.0, 0.72), (0.93, 0.9), (0.8, 1.0)):
        ends = [tuple(int(round(v)) for v in point) for point in (tip, root)]
        cv2.line(canvas, *ends, tuple(skin * shade), int(2 * radius * grow), cv2.LINE_AA)
    nail = tuple(int(round(v)) for v in np.array(tip) + inward * radius * 0.25)
    axes = (int(radius * 0.5), int(radius * 0.38)) if edge < 2 else (int(radius * 0.38), int(radius * 0.5))
    cv2.ellipse(canvas, nail, axes, 0, 0, 360, tuple(np.minimum(skin * 1.1 + 8, 255)), -1, cv2.LINE_AA)
    return Image.fromarray(canvas), mapping


def _grating(width: int, height: int, wavelength: float, angle: float, phase: float) -> np.ndarray:
    """斜的正弦条纹；和角公式拆成两个外积，比逐点求正弦快。"""
    x = 2 * np.pi / wavelength * np.cos(angle) * np.arange(width, dtype=np.float32)
    y = 2 * np.pi / wavelength * np.sin(angle) * np.arange(height, dtype=np.float32) + np.float32(phase)
    return np.outer(np.cos(y), np.sin(x)) + np.outer(np.sin(y), np.cos(x))


def _moire(image, rng, text_height=28.0):
    """屏幕的细栅与摩尔纹（三个颜色错开相位），加一团反光。"""
    import cv2

    width, height = image.size
    angle, wavelength = rng.uniform(0, np.pi), rng.uniform(0.8, 3) * text_height
    fine = _grating(width, height, rng.uniform(2.2, 3.5), rng.uniform(0, 0.1), 0) * np.float32(rng.uniform(3, 8))
    y, x = np.mgrid[0 : 1 : height // 16 * 1j, 0 : 1 : width // 16 * 1j]
    glare = np.exp(-(((x - rng.uniform(0, 1)) / 0.25) ** 2 + ((y - rng.uniform(0, 1)) / 0.2) ** 2))
    fine += cv2.resize((glare * rng.uniform(20, 60)).astype(np.float32), (width, height))
    strength, shift = np.float32(rng.uniform(5, 14)), rng.uniform(0.3, 1.2)
    page = cv2.convertScaleAbs(np.asarray(image), alpha=rng.uniform(0.78, 0.92), beta=12)
    bands = [_grating(width, height, wavelength, angle, c * shift) * strength + fine for c in range(3)]
    channels = [cv2.add(page[..., c].astype(np.float32), bands[c].astype(np.float32)) for c in range(3)]
    return Image.fromarray(np.clip(cv2.merge(channels), 0, 255).astype(np.uint8)), _same


def _on_desk(image, rng, text_height=28.0):
    """放在桌上从略偏的角度拍：转不超过 3°，四角各有不超过 4% 的出入。"""
    width, height = image.size
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    angle = np.radians(rng.uniform(-3, 3))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    corners = (corners + rng.uniform(-0.02, 0.02, (4, 2)) * (width, height)) @ turn
    return _warp(image, corners, rng, rng.uniform(1, 4) * text_height, desk=True)


DEGRADATIONS: dict[str, Degradation] = {
    "clean": clean,
    "rotate_90": _rotate(1),
    "rotate_180": _rotate(2),
    "rotate_270": _rotate(3),
    "skew": _skew(15),
    "slight_skew": _skew(5),
    "keystone": _keystone(0.05, 0.15),
    "curl": _curl,
    "shadow": _light(0.3, 0.6),
    "noise": _noise(6, 18),
    "blur": _blur(0.03, 0.065),
    "jpeg_20": _jpeg(20),
    "small_text": _shrink(14),
    "finger": _finger,
    "photographed_screen": _chain(_moire, _keystone(0.01, 0.05)),
    "photo": _chain(_on_desk, _light(0.45, 0.8), _noise(2, 6), _jpeg(70)),
}
BEYOND_LIMITS: dict[str, Degradation] = {
    "tiny_text": _shrink(7),
    "heavy_blur": _blur(0.2, 0.26),
    "keystone_35": _keystone(0.33, 0.37),
    "dark": _chain(_light(0.05, 0.08, 1.3), _noise(4, 6)),
    "jpeg_3": _jpeg(3),
}
