"""很长的截图：切在没有字的地方，一行不少，一行不多。"""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from health_assistant.images import BadImage, open_image
from health_assistant.lab_report.reading.cutting import cut_points, is_long
from health_assistant.lab_report.reading.row import NAMELESS
from health_assistant.lab_report.reading.strips import without_repeats
from health_assistant.lab_report.rendering.drawing import load_font
from health_assistant.lab_report.report import ReadRow

WIDTH, HEIGHT, ROWS = 1080, 12_000, 90
NAMES = [
    "白细胞计数", "红细胞计数", "血红蛋白", "血小板计数", "中性粒细胞计数", "淋巴细胞计数", "单核细胞计数",
    "葡萄糖", "尿素", "肌酐",
]  # fmt: skip


def screenshot(pitch: int, first: int = 160) -> tuple[Image.Image, list[str]]:
    """一张 1080x12000 的截图，与各行的结果（每行都不同）。"""
    image = Image.new("RGB", (WIDTH, HEIGHT), "white")
    draw, font = ImageDraw.Draw(image), load_font("noto_sans", 34)
    values = []
    for x, word in zip((40, 420, 600, 820), ("项目", "结果", "单位", "参考范围"), strict=True):
        draw.text((x, first - pitch), word, "black", font)
    for row in range(ROWS):
        value = f"{row // 10 + 1}.{row % 10}5"
        values.append(value)
        cells = (NAMES[row % len(NAMES)], value, "mmol/L", "1.00-20.00")
        for x, word in zip((40, 420, 600, 820), cells, strict=True):
            draw.text((x, first + pitch * row), word, "black", font)
    return image, values


def test_no_cut_goes_through_a_letter():
    for pitch in range(44, 134, 6):
        gray = np.asarray(screenshot(pitch)[0].convert("L"))
        cuts = cut_points(gray)
        assert cuts[0] == 0 and cuts[-1] == HEIGHT
        assert all(0 < below - above <= 2 * WIDTH for above, below in zip(cuts, cuts[1:], strict=False))
        assert all(np.ptp(gray[at]) == 0 for at in cuts[1:-1]), pitch


def test_cuts_avoid_text_between_ruled_lines_and_on_noise():
    image, _ = screenshot(100)
    draw = ImageDraw.Draw(image)
    for x in (20, 400, 580, 800, 1060):
        draw.line((x, 0, x, HEIGHT), "black", 3)
    pixels = np.asarray(image.convert("L")).astype(int) + np.random.default_rng(0).integers(-6, 7, (HEIGHT, WIDTH))
    text = np.asarray(screenshot(100)[0].convert("L"))
    assert all(np.ptp(text[at]) == 0 for at in cut_points(pixels.clip(0, 255).astype(np.uint8))[1:-1])


@pytest.mark.slow
@pytest.mark.parametrize("pitch", [97, 131])
def test_every_row_of_a_long_screenshot_is_read_once(reader, pitch):
    image, values = screenshot(pitch)
    assert is_long(*image.size)
    reading = reader.read(image)
    assert [item.result for item in reading.items] == values
    tops = [row.boxes["row"][1] for row in reading.items]
    assert tops == sorted(tops) and tops[-1] > HEIGHT * 0.6


@pytest.mark.parametrize(("size", "is_taken"), [((1080, 12_000), True), ((100, 1000), False), ((12_000, 1080), False)])
def test_only_upright_screens_may_be_that_long(size, is_taken, tmp_path):
    Image.new("L", size, 255).save(tmp_path / "long.png")
    data = (tmp_path / "long.png").read_bytes()
    if is_taken:
        assert open_image(data).size == size
    else:
        with pytest.raises(BadImage, match="太长"):
            open_image(data)


def read_row(text: str, confidence: float = 0.99) -> ReadRow:
    name, result, limits = text.split(" ")
    return ReadRow(name=name, code="", result=result, unit="", reference_range=limits, confidence=confidence, boxes={})


@pytest.mark.parametrize(
    ("printed", "kept"),
    [
        (["白蛋白 33.7 40-55", "尿素 6.92 3.1-8", "白蛋白 33.7 40-55", "尿素 6.92 3.1-8", "钾 6.9 3.5-5.3"], [0, 1, 4]),
        (["白蛋白 33.7 40-55", "白蛋白 33.7 40-55", "钾 6.9 3.5-5.3"], [0, 2]),
        (["白蛋白 33.7 40-55", "白蛋白 38.7 40-55"], [0, 1]),
        (["葡萄糖 5.6 3.9-6.1", "钾 6.9 3.5-5.3", "葡萄糖 5.6 3.9-6.1"], [0, 1, 2]),
        (["某某抗体 阴性 阴性", "某某抗体 阴性 阴性"], [0, 1]),
        ([f"{NAMELESS} 5.6 3.9-6.1", f"{NAMELESS} 5.6 3.9-6.1"], [0, 1]),
    ],
)
def test_rows_printed_again_at_a_seam_are_listed_once(printed, kept):
    rows = [read_row(text) for text in printed]
    assert without_repeats(rows) == [rows[at] for at in kept]


def test_of_a_row_printed_again_the_surer_one_is_kept():
    first, second = read_row("钾 6.9 3.5-5.3", 0.5), read_row("钾 6.9 3.5-5.3", 0.97)
    assert without_repeats([first, second]) == [second]
