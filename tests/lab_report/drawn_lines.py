"""画一行数，前后可以粘着箭头（字体里的，或随手画的多边形）：糊、淡、压缩、深底浅字。"""

import io
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from health_assistant.lab_report.rendering.drawing import FONTS, LATIN_FONTS, has_glyph, load_font

SHAPES = {"↑": "↑↑↑↑⬆▲⇧", "↓": "↓↓↓↓⬇▼⇩"}
AWKWARD = ["11.1", "141", "0.1", "1", "71", "4", "7", "14", "1.41", "17.1", "101", "111", "1.7", "4.11"]
COLORS = [(210, 20, 20), (20, 40, 200), (255, 60, 60)]


def draw_number(rng: random.Random) -> str:
    kinds = (
        lambda: str(rng.randint(1, 999)),
        lambda: f"{rng.uniform(0, 20):.2f}",
        lambda: f"{rng.uniform(0, 200):.1f}",
        lambda: rng.choice(AWKWARD),
    )
    return rng.choices(kinds, (25, 35, 25, 15))[0]()


def draw_line(
    rng: random.Random, text: str, arrow: str | None, before: bool
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """一行字，BGR，四周留白像找文字时的框；arrow 是 ↑、↓ 或 None，before 为真时在字的前面。另给箭头的左右两端。"""
    font_name, size = rng.choice([*FONTS]), rng.randint(13, 34)
    font, paper, ink = load_font(font_name, size), (250,) * 3, (rng.choice([0, 0, 40, 90, 130]),) * 3
    if rng.random() < 0.5:
        paper = tuple(rng.randint(215, 255) for _ in range(3))
    if rng.random() < 0.1:
        paper, ink = (rng.randint(0, 45),) * 3, (rng.randint(200, 255),) * 3
    spacing, gap = rng.choice([0, 0, 0, -1, 1, 2]), rng.choice([0, 0, 1, 2, size * 0.15, size * 0.3, size * 0.5])
    length = sum(font.getlength(one) + spacing for one in text)
    image = Image.new("RGB", (int(length) + 5 * size, int(2.4 * size)), paper)
    draw, x, baseline = ImageDraw.Draw(image), 1.5 * size, int(1.6 * size)
    place = None
    left = x
    if arrow and before:
        place = _put_arrow(rng, image, draw, x, baseline, size, ink, arrow)
        x = place[1] + gap
    for one in text:
        draw.text((x, baseline), one, font=font, fill=ink, anchor="ls")
        x += font.getlength(one) + spacing
    if arrow and not before:
        place = _put_arrow(rng, image, draw, x + gap, baseline, size, ink, arrow)
        x = place[1]
    margins = size * rng.uniform(0.1, 0.35), size * rng.uniform(0.1, 0.3)
    x0, y0 = max(0, int(left - margins[0])), max(0, int(baseline - 0.8 * size - margins[1]))
    pixels = spoil(rng, image, size)[y0 : int(baseline + 0.12 * size + margins[1]), x0 : int(x + margins[0])]
    return pixels, place and (place[0] - x0, place[1] - x0)


def draw_noted(rng: random.Random, text: str, note: str) -> np.ndarray:
    """一个数与右上角的脚注号（可以没有），BGR，四周留白像找文字时的框。"""
    name, size, ink = rng.choice([*FONTS, *LATIN_FONTS]), rng.randint(15, 34), (rng.choice([0, 0, 30, 80, 120]),) * 3
    font, small = load_font(name, size), load_font(name, max(6, round(size * rng.choice([0.55, 0.62, 0.7]))))
    middle = size + round(font.getlength(text))
    end, baseline, margin = middle + small.getlength(note), int(1.6 * size), size * rng.uniform(0.1, 0.3)
    image = Image.new("RGB", (int(end + 2 * size), int(2.4 * size)), (rng.choice([255, 250, 235]),) * 3)
    draw = ImageDraw.Draw(image)
    draw.text((size, baseline), text, font=font, fill=ink, anchor="ls")
    draw.text((middle, baseline - round(0.34 * size)), note, font=small, fill=ink, anchor="ls")
    top, bottom = int(baseline - 0.8 * size - margin), int(baseline + 0.12 * size + margin)
    return spoil(rng, image, size)[top:bottom, int(size - margin) : int(end + margin)]


def _put_arrow(rng, image, draw, x, baseline, size, ink, arrow) -> tuple[float, float]:
    color = ink if rng.random() < 0.6 else rng.choice(COLORS)
    if rng.random() < 0.4:
        mask = polygon_arrow(rng, size * rng.uniform(0.62, 1.0), arrow == "↑")
        y = int(baseline - 0.37 * size - mask.height / 2 + rng.uniform(-0.08, 0.08) * size)
        image.paste(Image.new("RGB", mask.size, color), (round(x), y), mask)
        return round(x), round(x) + mask.width
    shape = rng.choice(SHAPES[arrow])
    font = load_font(
        rng.choice([name for name in FONTS if has_glyph(name, shape)]), max(9, int(size * rng.uniform(0.85, 1.1)))
    )
    x0, _, x1, _ = font.getbbox(shape, anchor="ls")
    draw.text((x - x0, baseline), shape, font=font, fill=color, anchor="ls", stroke_width=int(rng.random() < 0.2))
    return x, x + x1 - x0


def polygon_arrow(rng: random.Random, height: float, up: bool) -> Image.Image:
    """随手画的箭头（L）：头的宽窄、长短与杆的粗细不一，实心或三笔画成。"""
    tall = int(height * 8)  # 画大八倍再缩小，边才平滑
    half, head = rng.uniform(0.15, 0.45) * tall, rng.uniform(0.15, 0.5) * tall
    shaft = min(rng.uniform(0.05, 0.24) * tall, 1.2 * half) / 2
    width = int(2 * half) + 16
    mask = Image.new("L", (width, tall), 0)
    draw, x = ImageDraw.Draw(mask), width / 2
    if rng.random() < 0.5:
        tip = [(x - half, head), (x, 0), (x + half, head)]
        draw.polygon([*tip, (x + shaft, head), (x + shaft, tall), (x - shaft, tall), (x - shaft, head)], fill=255)
    else:
        thick = int(max(2 * shaft, 8))
        draw.line([(x, 0), (x, tall)], fill=255, width=thick)
        draw.line([(x - half, head), (x, thick / 2), (x + half, head)], fill=255, width=thick, joint="curve")
    mask = mask if up else mask.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    return mask.resize((max(2, width // 8), max(4, tall // 8)), Image.Resampling.LANCZOS)


def spoil(rng: random.Random, image: Image.Image, size: int) -> np.ndarray:
    """糊、噪点、JPEG，各有各的机会；返回 BGR。"""
    if rng.random() < 0.6:
        image = image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, min(1.3, size / 16))))
    pixels = np.asarray(image)
    if rng.random() < 0.5:
        noise = np.random.default_rng(rng.randrange(1 << 30)).normal(0, rng.uniform(1, 8), pixels.shape)
        pixels = (pixels + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.6:
        data = io.BytesIO()
        Image.fromarray(pixels).save(data, "JPEG", quality=rng.randint(40, 95))
        pixels = np.asarray(Image.open(data))
    return np.ascontiguousarray(pixels[:, :, ::-1])
