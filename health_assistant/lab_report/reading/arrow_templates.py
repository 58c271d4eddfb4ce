"""一块墨迹像不像箭头：装入时画一批箭头与别的字，糊、拉扁、加噪点，用读者自己的分块，在内存里配出来；种子固定，次次一样。

配的是核岭回归：每块小图与抽出来的几百块样子比远近，远近的加权和就是三种（不是、↑、↓）各有多像。
"""

from collections.abc import Iterator
from functools import cache

import cv2
import numpy as np
from PIL import Image, ImageDraw

from health_assistant.lab_report.reading.blobs import LEVELS, Blob, find_blobs
from health_assistant.lab_report.rendering.drawing import FONTS, has_glyph, load_font

ARROWS = "↑↓"
_SHAPES = "↑↑↑⬆▲⇧⇧⇧"
"""只画朝上的，朝下的翻过来。空心的容易漏，多画。"""
_OTHERS = "0123456789.%" * 2 + "1147" * 8 + "lI|TYtfi!/()[]^~-+*AVMWJKLPR个千下小丨十丁了卜不平干工王主上中"
_SIZES = (13, 15, 17, 20, 24, 28, 33)
"""字号，像素。字体一种字号装一次，所以只取几种。"""
_STRIPS, _PER_STRIP, _LEVELS_PER_STRIP = 320, 10, 2
"""画几条（三条里一条是箭头）、每条几个字、每条用几个浓淡界限。"""
_EXAMPLES, _REACH, _RIDGE = 1000, 3.0, 0.06
"""抽几块样子来比；多远算远（小图之差的模）；岭回归的正则。"""
_EVEN, _STEEPNESS = 0.51, 9.0
"""回归值 -> 概率的逻辑曲线：一半处与陡峭。"""
_AGAINST = 0.3
"""反方向的像，要扣掉多少。不扣时，1116 个看得见的单独箭头里有 1 个方向反了；扣了没有。"""
_AT_ONCE = 1000

Example = tuple[np.ndarray, int]
"""一块小图，和它是什么：0 不是箭头，1 ↑，2 ↓。"""


@cache
def _model() -> tuple[np.ndarray, np.ndarray]:
    """(样子数, SIDE²) 的样子，与 (样子数 + 1, 3) 的权重。"""
    rng = np.random.default_rng(0)
    examples = [example for strip in range(_STRIPS) for example in _drawn_examples(rng, strip % 3 == 0)]
    load_font.cache_clear()  # 几种字号的中文字体占着 23 MB
    patches, kinds = np.stack([patch for patch, _ in examples]), np.array([kind for _, kind in examples])
    patches = patches.reshape(len(patches), -1)
    order = rng.permutation(len(kinds))
    anchors = patches[order[:_EXAMPLES]]
    squares, products = _RIDGE * np.eye(_EXAMPLES + 1), np.zeros((_EXAMPLES + 1, 3))
    for start in range(0, len(order), _AT_ONCE):  # 分批，内存才小
        batch = order[start : start + _AT_ONCE]
        nearness = _nearness(patches[batch], anchors)
        squares += nearness.T @ nearness
        products += nearness.T @ np.eye(3, dtype=np.float32)[kinds[batch]]
    return anchors, np.linalg.solve(squares, products).astype(np.float32)


def _nearness(patches: np.ndarray, anchors: np.ndarray) -> np.ndarray:
    """(块数, SIDE²) -> (块数, 样子数 + 1)：与每块样子多近，0 到 1，末尾添 1。"""
    apart = (patches**2).sum(axis=1)[:, None] + (anchors**2).sum(axis=1) - 2 * patches @ anchors.T
    near = np.exp(apart / (-2 * _REACH**2))
    return np.concatenate([near, np.ones((len(near), 1), np.float32)], axis=1)


def warm_up() -> None:
    """现在就画、就配，单核约 1.5 秒；不先叫它，第一次用时也会做。"""
    _model()


def arrow_likelihoods(patches: np.ndarray) -> np.ndarray:
    """(块数, SIDE, SIDE) -> (块数, 2)：像 ↑、像 ↓ 的程度，0 到 1。"""
    anchors, weights = _model()
    scores = (_nearness(patches.reshape(len(patches), -1), anchors) @ weights)[:, 1:]
    # 也像反方向的，多半只是糊成的一团
    scores -= _AGAINST * np.maximum(scores[:, ::-1], 0)
    return 1 / (1 + np.exp(_STEEPNESS * (_EVEN - scores)))


def _drawn_examples(rng: np.random.Generator, is_arrows: bool) -> Iterator[Example]:
    """画一条，分块。每块箭头另给左右翻的，和上下翻的（↓）。"""
    size = int(rng.choice(_SIZES))
    image, places = _arrows(rng, size) if is_arrows else (_others(rng, size), [])
    pixels, stretch = _spoiled(rng, image, size)
    for blob in find_blobs(pixels, list(rng.choice(LEVELS, _LEVELS_PER_STRIP, replace=False))):
        if not is_arrows:
            yield blob.patch, 0
        elif any(_is_whole(blob, start * stretch, end * stretch) for start, end in places):
            yield from ((blob.patch, 1), (blob.patch[:, ::-1], 1), (blob.patch[::-1], 2))


def _is_whole(blob: Blob, start: float, end: float) -> bool:
    """这一块是不是印在 start 到 end 的整个箭头：断下来的不是。"""
    wide, middle = end - start, (blob.x0 + blob.x1) / 2
    return start - 1 <= middle <= end + 1 and 0.55 * wide <= blob.x1 - blob.x0 <= 1.3 * wide + 2


def _others(rng: np.random.Generator, size: int) -> Image.Image:
    font, gap = load_font(str(rng.choice([*FONTS])), size), rng.choice([-1, 0, 0, 1, 2])
    image, x = Image.new("L", ((_PER_STRIP + 2) * (size + 2), int(1.3 * size))), 0.5 * size
    for character in rng.choice([*_OTHERS], _PER_STRIP):
        ImageDraw.Draw(image).text((x, size), character, font=font, fill=255, anchor="ls")
        x += font.getlength(character) + gap
    return image.crop((0, 0, int(x + 0.5 * size), image.height))


def _arrows(rng: np.random.Generator, size: int) -> tuple[Image.Image, list[tuple[float, float]]]:
    """一条 ↑，与每个的左右两端。"""
    image, x, places = Image.new("L", (_PER_STRIP * 2 * size, int(1.3 * size))), 0.5 * size, []
    for _ in range(_PER_STRIP):
        mask = _polygon(rng, size * rng.uniform(0.62, 1.0)) if rng.random() < 0.4 else _glyph(rng, size)
        image.paste(255, (int(x), (image.height - mask.height) // 2), mask)
        places.append((x, x + mask.width))
        x += mask.width + 0.4 * size
    return image.crop((0, 0, int(x), image.height)), places


def _glyph(rng: np.random.Generator, size: int) -> Image.Image:
    shape = str(rng.choice([*_SHAPES]))
    font = load_font(str(rng.choice([name for name in FONTS if has_glyph(name, shape)])), size)
    left, top, right, bottom = font.getbbox(shape, anchor="ls", stroke_width=(bold := int(rng.random() < 0.2)))
    mask = Image.new("L", (int(right - left) + 1, int(bottom - top) + 1))
    ImageDraw.Draw(mask).text((-left, -top), shape, font=font, fill=255, anchor="ls", stroke_width=bold)
    return mask


def _polygon(rng: np.random.Generator, height: float) -> Image.Image:
    """随手画的 ↑：头的宽窄、长短与杆的粗细不一，实心或三笔画成。画大四倍再缩小，边才平滑。"""
    tall = int(4 * height)
    half, head = rng.uniform(0.15, 0.45) * tall, rng.uniform(0.15, 0.5) * tall
    shaft = min(rng.uniform(0.05, 0.24) * tall, 1.2 * half) / 2
    mask = Image.new("L", (int(2 * half) + 8, tall))
    draw, x = ImageDraw.Draw(mask), mask.width / 2
    if rng.random() < 0.5:
        tip = [(x - half, head), (x, 0), (x + half, head)]
        draw.polygon([*tip, (x + shaft, head), (x + shaft, tall), (x - shaft, tall), (x - shaft, head)], fill=255)
    else:
        thick = int(max(2 * shaft, 4))
        draw.line([(x, 0), (x, tall)], fill=255, width=thick)
        draw.line([(x - half, head), (x, thick / 2), (x + half, head)], fill=255, width=thick, joint="curve")
    return mask.resize((max(2, mask.width // 4), max(4, tall // 4)), Image.Resampling.LANCZOS)


def _spoiled(rng: np.random.Generator, image: Image.Image, size: int) -> tuple[np.ndarray, float]:
    """淡、糊、噪点、拉扁、斜、JPEG，各有各的机会；返回 BGR，与横着拉了多少倍。"""
    ink = np.asarray(image, np.float32) * rng.uniform(0.45, 1)
    if rng.random() < 0.6:
        ink = cv2.GaussianBlur(ink, (0, 0), rng.uniform(0.3, min(1.3, size / 16)))
    if rng.random() < 0.5:
        ink = ink + rng.normal(0, rng.uniform(1, 8), ink.shape).astype(np.float32)
    stretch = rng.uniform(0.55, 1.25) if rng.random() < 0.5 else 1.0
    ink = cv2.resize(ink, None, fx=stretch, fy=1, interpolation=cv2.INTER_AREA)
    if rng.random() < 0.25:
        ink = cv2.warpAffine(ink, np.array([[1, rng.uniform(-0.08, 0.08), 0], [0, 1, 0]]), ink.shape[1::-1])
    pixels = (255 - ink).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(40, 96))]
        pixels = cv2.imdecode(cv2.imencode(".jpg", pixels, quality)[1], cv2.IMREAD_GRAYSCALE)
    return cv2.cvtColor(pixels, cv2.COLOR_GRAY2BGR), stretch
