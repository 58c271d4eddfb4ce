"""打开收到的图：坏的、太大太小的说明白，各种像素都变成 RGB。"""

import warnings

import pytest
from PIL import Image

from health_assistant.images import BadImage, encoded, open_image, upright_rgb


def png(mode: str, size: tuple[int, int], color) -> bytes:
    return encoded(Image.new(mode, size, color))


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_image"),
        (b"GIF89a" + b"\0" * 100, "unsupported_format"),
        (png("L", (100, 40_000), 255), "image_too_long"),
        (png("L", (90, 200), 255), "image_too_small"),
    ],
)
def test_bad_images(data, code):
    with pytest.raises(BadImage) as error:
        open_image(data)
    assert error.value.code == code


@pytest.mark.parametrize(("mode", "color"), [("I;16", 0x8000), ("L", 128), ("LA", (0, 127)), ("RGBA", (0, 0, 0, 127))])
def test_every_kind_of_picture_becomes_rgb(mode, color):
    image = upright_rgb(open_image(png(mode, (200, 200), color)))
    assert image.mode == "RGB"
    assert image.getpixel((5, 5)) == pytest.approx((128, 128, 128), abs=1)


@pytest.mark.parametrize("mode", ["I;16", "L", "P", "1", "LA", "RGBA"])
def test_a_halved_picture_looks_the_same(mode):
    """缩小时一条一条地转，与整张转的一样，也按 EXIF 摆正。"""
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient = Image.linear_gradient("L").resize((301, 601))
    image = gradient.convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else gradient
    data = encoded(image.convert(mode), exif=exif)
    half = upright_rgb(open_image(data), max_pixels=100_000)
    whole = upright_rgb(open_image(data))
    assert half.size == (301, 151)
    whole = whole.rotate(90, expand=True).reduce(2).rotate(-90, expand=True)  # 在摆正以前缩的
    assert half.tobytes() == whole.tobytes()


def test_opening_a_picture_leaves_the_warning_rules_of_other_threads(monkeypatch):
    """别的线程正在这时装库，设了一条规则：打开图片不把它退回去，服务的日志里才不会冒出库的警告。"""

    class OfTheLibrary(UserWarning):
        pass

    def opened(*args, whole=Image.open, **kwargs):
        warnings.simplefilter("ignore", OfTheLibrary)
        return whole(*args, **kwargs)

    monkeypatch.setattr(Image, "open", opened)
    with warnings.catch_warnings():
        open_image(png("L", (200, 200), 255))
        assert any(rule[2] is OfTheLibrary for rule in warnings.filters)
