"""红章、蓝章、水印压着的字要读得出：它们褪掉，黑字留着；红色、蓝色的字、红底、木纹，整张拍斜了的不动。"""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from health_assistant.lab_report.reading.seals import fade_seals
from health_assistant.lab_report.reading.watermarks import fade_watermarks
from health_assistant.lab_report.rendering.drawing import load_font

INK, SEAL, BLUE = (30, 30, 30), (214, 60, 66), (58, 66, 196)


def paper(colour=(250, 246, 238), value_colour=INK) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    image = Image.new("RGB", (1200, 800), colour)
    drawing = ImageDraw.Draw(image)
    for at in range(12):
        drawing.text((500, 60 + 55 * at), f"{512.7 + at:.1f}", fill=value_colour, font=load_font("noto_sans", 34))
    return image, drawing


def stamp(drawing: ImageDraw.ImageDraw, x: int, y: int, colour=SEAL, height=120) -> None:
    drawing.ellipse((x - 120, y - height, x + 120, y + height), outline=colour, width=7)
    drawing.text((x - 70, y + 40), "检验专用章", fill=colour, font=load_font("noto_sans", 28))
    drawing.regular_polygon((x, y - 10, 35), 5, fill=colour)


def bgr(image: Image.Image) -> np.ndarray:
    return cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)


@pytest.mark.parametrize(
    ("place", "colour", "height"),
    [
        ((540, 300), SEAL, 120),
        ((600, 420), SEAL, 120),
        ((460, 600), SEAL, 120),
        ((540, 300), SEAL, 78),
        ((540, 300), BLUE, 120),
        ((600, 420), BLUE, 78),
    ],
)
def test_a_seal_is_faded_and_the_black_numbers_stay(place, colour, height):
    """红的、蓝的，圆的、椭圆的。"""
    plain = bgr(paper()[0])
    over, drawing = paper()
    stamp(drawing, *place, colour, height)
    # 印泥是透的：两层里暗的那一个
    stamped = np.minimum(plain, bgr(over))
    faded = stamped.copy()
    fade_seals(faded)
    ink = 0 if colour == BLUE else 2
    assert (stamped[..., ink].astype(int) - stamped[..., 1] > 60).sum() > 2500
    assert (faded[..., ink].astype(int) - faded[..., 1] > 60).sum() < 30
    dark = plain.max(axis=2) < 80
    assert faded[dark].max() < 110
    assert faded[plain.min(axis=2) > 230].min() > 180


@pytest.mark.parametrize("kind", ["red values", "blue values", "red banner", "wood"])
def test_what_is_red_but_no_seal_is_left_alone(kind):
    if kind.endswith("values"):  # 用红字标异常的单子，印章压在上面也不动：褪掉的可能是数
        colour = (220, 30, 30) if kind == "red values" else BLUE
        image, drawing = paper(value_colour=colour)
        stamp(drawing, 540, 300, colour)
    elif kind == "red banner":
        image, drawing = paper()
        drawing.rectangle((0, 0, 1200, 50), fill=SEAL)
        drawing.rectangle((900, 200, 1100, 390), fill=SEAL)
    else:
        image, _ = paper(colour=(160, 112, 70))
    photo = bgr(image)
    faded = photo.copy()
    fade_seals(faded)
    assert np.array_equal(photo, faded)


def test_an_opaque_blue_stamp_is_left_on_the_numbers_it_cuts():
    """贴上去的电子章不透，下面的字没有了：褪掉以后剩下的半个数会认成别的数。"""
    image, drawing = paper()
    stamp(drawing, 540, 300, BLUE)
    photo = bgr(image)
    faded = photo.copy()
    fade_seals(faded)
    assert np.array_equal(photo, faded)


def quad(x: float, y: float, degrees: float) -> np.ndarray:
    """一段宽 200、高 40 的文字的四角，绕左上角转了这么多度。"""
    angle = np.radians(degrees)
    along, down = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    corner = np.array([x, y])
    return np.array([corner, corner + 200 * along, corner + 200 * along + 40 * down, corner + 40 * down], np.float32)


@pytest.mark.parametrize(
    ("shade", "tilts", "is_faded"),
    [
        (215, (0, -28), True),
        (160, (0, 30), True),
        (60, (0, -28), False),
        (215, (-28, -28), False),
        (215, (0, 5), False),
    ],
)
def test_a_tilted_watermark_lighter_than_the_text_is_faded(shade, tilts, is_faded):
    """与字一样黑的分不开；整张都斜的是拍斜了，斜得不多的是弯的纸。"""
    photo = bgr(paper(colour=(255, 255, 255))[0])
    level = [quad(480, 60 + 55 * at, tilts[0]) for at in range(12)]
    tilted = [quad(100 + 250 * at, 300, tilts[1]) for at in range(4)]
    marked = photo.copy()
    for one in tilted:
        cv2.polylines(marked, [one.astype(np.int32)], True, (shade,) * 3, 6)
    marked = np.minimum(photo, marked)
    faded = marked.copy()
    assert fade_watermarks(faded, np.array([*level, *tilted])) == is_faded
    if not is_faded:
        assert np.array_equal(faded, marked)
    else:
        assert faded[photo.min(axis=2) > 250].min() > 240
        assert faded[photo.max(axis=2) < 40].max() < 60
