"""像素这一层：箭头不是数字，挤在一起的数里小数点不丢。"""

import json
import random
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from lab_report.drawn_lines import draw_line, draw_noted, draw_number
from lab_report.pixel_sheets import PrintedCell, Sheet, Style, draw_sheet
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.reading.arrows import find_arrow, find_arrows, take_out_arrows
from health_assistant.lab_report.reading.glyphs import count_raised, may_hide_point
from health_assistant.lab_report.reading.misreadings import repair_signs
from health_assistant.lab_report.reading.ocr import TextReader
from health_assistant.lab_report.reading.reader import ReportReader, read_page
from health_assistant.lab_report.reading.recognition import read_texts
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.rendering.drawing import load_font
from health_assistant.lab_report.report import MIN_CONFIDENCE, LabItem
from health_assistant.lab_report.scoring import ReportScore, score_report

SHEETS = 250
PAGES = Path(__file__).parent / "pixel_pages"
TRUTHS = {page["file"]: page["items"] for page in map(json.loads, (PAGES / "truth.jsonl").open(encoding="utf-8"))}


def read(reader: ReportReader, image: Image.Image) -> list[LabItem]:
    reading = reader.read(image)
    return assess(reading).items


@pytest.mark.parametrize("file", TRUTHS)
def test_pages_that_were_once_read_wrongly(reader, file):
    items = read(reader, Image.open(PAGES / file))
    found = [(item.name, item.result, item.reference_range.replace("--", "-"), item.flag) for item in items]
    assert found == [(true["name"], true["result"], true["range"], true["flag"]) for true in TRUTHS[file]]


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("arrow", "↑↓")
def test_an_arrow_beside_a_number_is_seen_and_points_the_right_way(arrow, before):
    rng = random.Random(f"{arrow} {before}")
    seen = Counter()
    for _ in range(100):
        pixels, (start, end) = draw_line(rng, draw_number(rng), arrow, before)
        sure = [one for one in find_arrows(pixels) if one.likelihood >= 0.6]
        seen[next((one.direction for one in sure if start <= (one.x0 + one.x1) / 2 <= end), None)] += 1
    assert seen[arrow] >= 90 and sum(seen.values()) - seen[arrow] - seen[None] <= 1, seen


@pytest.mark.slow
def test_a_number_without_an_arrow_seldom_shows_one():
    rng = random.Random(3)
    lines = [draw_line(rng, draw_number(rng), None, False)[0] for _ in range(400)]
    assert sum(any(one.likelihood >= 0.6 for one in find_arrows(line)) for line in lines) <= 4


@pytest.mark.slow
def test_a_footnote_behind_a_number_is_no_digit():
    """右上角的脚注号：不要了，或这个数没有把握；没有脚注号的数一位不少，也不疑。"""
    rng, reader, counts = random.Random(3), TextReader(2), Counter()
    for _ in range(120):
        text, note = f"{rng.uniform(1, 200):.{rng.randint(0, 2)}f}", rng.choice(["", "1", "2", "3", "1)", "2)"])
        pixels = draw_noted(rng, text, note)
        height, width = pixels.shape[:2]
        whole = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
        ((read, score),) = read_texts(Page(np.ascontiguousarray(pixels), whole, np.eye(3)), reader)
        is_number = re.fullmatch(r"[\d.]+", read := repair_signs(read)) is not None
        known = score >= MIN_CONFIDENCE and is_number
        counts[bool(note), "right" if read == text and known else "wrong" if known else "unsure"] += 1
    assert counts[True, "wrong"] == counts[False, "wrong"] == 0, counts
    assert counts[True, "right"] >= 60 and counts[False, "unsure"] <= 1, counts


@pytest.mark.parametrize("arrow", "↑↓")
def test_a_red_arrow_as_narrow_as_a_1_is_no_digit(reader_of_text, arrow):
    """细得像 1 的红箭头：另认成箭头，或这个数没有把握。"""
    font, sign = load_font("noto_sans", 26), 1 if arrow == "↑" else -1
    for text in ("25.3", "6.65", "180", "151", "38.8", "5.97"):
        image = Image.new("RGB", (200, 50), (200, 200, 200))
        brush, x = ImageDraw.Draw(image), 20 + font.getlength(text) + 6
        brush.text((20, 36), text, (20, 20, 20), font, anchor="ls")
        brush.line((x, 17, x, 36), (255, 60, 60), 4)
        brush.polygon([(x - 2, 27 - sign * 6), (x, 27 - sign * 10), (x + 2, 27 - sign * 6)], (255, 60, 60))
        quad = np.array([[[16, 12], [x + 6, 12], [x + 6, 42], [16, 42]]], np.float32)
        page = Page(np.ascontiguousarray(np.asarray(image)[:, :, ::-1]), quad, np.eye(3))
        texts = dict(read_texts(page, reader_of_text))
        assert text in texts or max(texts.values()) < 0.8, (text, texts)


@pytest.mark.parametrize("text", ["11.73", "115", "133.041", "9.331", "2871"])
def test_a_bold_1_with_feet_is_no_arrow(reader_of_text, text):
    """有衬线的粗体 1 像 ↑：认得清楚的留着，至多没有把握，不会少一位。"""
    font = ImageFont.truetype(Path(get_data_path(), "fonts/ttf/DejaVuSerif-Bold.ttf"), 26)
    for blur in (0, 0.6, 0.9):
        image = Image.new("RGB", (200, 60), (235, 235, 230))
        ImageDraw.Draw(image).text((20, 42), text, (60, 60, 60), font, anchor="ls")
        quad = np.array([[[16, 16], [font.getlength(text) + 24, 16], [font.getlength(text) + 24, 48], [16, 48]]])
        pixels = np.ascontiguousarray(np.asarray(image.filter(ImageFilter.GaussianBlur(blur)))[:, :, ::-1])
        texts = read_texts(Page(pixels, quad, np.eye(3)), reader_of_text)
        sure = [one for one, score in texts if score >= MIN_CONFIDENCE and one not in "↑↓"]
        assert sure in ([], [text]), (text, blur, texts)


@pytest.mark.parametrize("arrow", "↑↓")
def test_an_arrow_between_blurred_rules_is_no_digit(reader_of_text, arrow):
    """框里带着上下两条糊了、斜了的横线，`5↓` 的箭头仍是最右的一块墨。"""
    font, sign = load_font("noto_sans", 26), 1 if arrow == "↑" else -1
    for text in ("5", "8.3", "46"):
        x = 20 + font.getlength(text) + 14
        image = Image.new("RGB", (round(x) + 60, 60), (235, 232, 224))
        brush = ImageDraw.Draw(image)
        brush.text((20, 40), text, (50, 50, 50), font, anchor="ls")
        brush.line((x, 20, x, 40), (50, 50, 50), 2)
        brush.polygon([(x - 5, 30 - sign * 4), (x, 30 - sign * 11), (x + 5, 30 - sign * 4)], (50, 50, 50))
        for y in (13, 45):
            brush.line((0, y, image.width, y + 2), (110, 110, 110), 2)
        pixels = np.ascontiguousarray(np.asarray(image.filter(ImageFilter.GaussianBlur(1.1)))[:, :, ::-1])
        quad = np.array([[[17, 17], [x + 9, 17], [x + 9, 44], [17, 44]]], np.float32)
        found = take_out_arrows(Page(pixels, quad, np.eye(3)), [(text + "1", 0.95)], reader_of_text)
        assert arrow in [one for one, _ in found] or found[0][1] < MIN_CONFIDENCE, (text, found)


@pytest.mark.parametrize(("value", "lost", "read"), [("98", 0, "1"), ("9", 1, "1"), ("9", 1, "6"), ("9", 1, "16")])
def test_a_number_lost_beside_its_arrow_is_read_again(reader_of_text, value, lost, read):
    """`98↓`、`9↓` 挤在一段里只读成一个字：擦掉箭头再认一次，没有读出来的至少不当作数。"""
    found = Counter()
    for seed in range(10):
        pixels, _ = draw_line(random.Random(seed), value, "↓", False)
        height, width = pixels.shape[:2]
        quad = np.array([[[3, 3], [width - 3, 3], [width - 3, height - 3], [3, height - 3]]], np.float32)
        texts = take_out_arrows(Page(pixels, quad, np.eye(3)), [(read, 0.97 - len(read) / 8)], reader_of_text)
        found[tuple(text for text, _ in texts)] += 1
    assert found[value, "↓"] >= 7 and found[("↓",)] <= lost, found


@pytest.mark.parametrize(("after", "read"), [("↓", "2"), ("↑", "2"), ("g/L", "2 g/L"), ("7", "2")])
def test_a_cell_framed_together_with_the_digit_before_it_is_read_without_it(reader_of_text, after, read):
    """`39.2    ↓` 的箭头那一段从 2 找起，只读出了那个 2；像素里不是箭头的照原样。"""
    pixels, ends = draw_apart("39.2", after)
    quads = np.array([frame(20, ends[0] + 4), frame(ends[0] - 9, ends[1] + 6)], np.float32)
    texts = take_out_arrows(Page(pixels, quads, np.eye(3)), [("39.2", 0.99), (read, 0.94)], reader_of_text)
    assert [text for text, _ in texts] == ["39.2", "2" if after == "7" else after]


@pytest.mark.parametrize("arrow", "↑↓")
def test_an_arrow_that_was_not_read_leaves_its_number_sure(reader_of_text, arrow):
    """`0.38   ↓` 只读成 0.38：末一个 8 不是箭头，擦掉箭头以后还是这个数。"""
    pixels, ends = draw_apart("0.38", arrow)
    quad = np.array([frame(20, ends[1] + 6)], np.float32)
    texts = take_out_arrows(Page(pixels, quad, np.eye(3)), [("0.38", 0.93)], reader_of_text)
    assert [text for text, _ in texts] == ["0.38", arrow] and texts[0][1] >= MIN_CONFIDENCE


def test_a_frame_that_ends_on_the_first_digit_of_the_next_cell_holds_no_number(reader_of_text):
    """名称与 2.72 之间的空白连着那个 2 找成了一段：不是另一个数。"""
    pixels, ends = draw_apart("", "2.72 ng/ml")
    quads = np.array([frame(4, 55), frame(38, ends[1] + 6)], np.float32)
    texts = take_out_arrows(Page(pixels, quads, np.eye(3)), [("2", 0.91), ("2.72 ng/ml", 0.99)], reader_of_text)
    assert [text for text, _ in texts] == ["", "2.72 ng/ml"]


@pytest.fixture(scope="module")
def reader_of_text() -> TextReader:
    return TextReader(2)


def draw_apart(text: str, after: str) -> tuple[np.ndarray, list[float]]:
    """隔着空白的两段字，BGR；各自的右端。"""
    image, font, ends, x = Image.new("RGB", (420, 48), "white"), load_font("noto_sans", 26), [], 24.0
    for one in (text, after):
        ImageDraw.Draw(image).text((x, 34), one, "black", font, anchor="ls")
        ends.append(x + font.getlength(one))
        x = ends[-1] + 16
    return np.asarray(image)[:, :, ::-1].copy(), ends


def frame(start: float, end: float) -> list[list[float]]:
    return [[start, 8], [end, 8], [end, 40], [start, 40]]


@pytest.mark.parametrize("arrow", "↑↓")
def test_a_white_arrow_in_a_red_square_is_found(arrow):
    """手机页面上的标记：它与后面的数连成一段时，会被读成数的第一位。"""
    image = Image.new("RGB", (180, 60), "white")
    brush = ImageDraw.Draw(image)
    brush.rounded_rectangle((6, 10, 38, 50), 5, (245, 90, 90))
    brush.line((22, 18, 22, 42), "white", 4)
    tip, barb = (18, 27) if arrow == "↑" else (42, 33)
    brush.line([(14, barb), (22, tip), (30, barb)], "white", 4)
    brush.text((60, 46), "4.11", (245, 90, 90), load_font("noto_sans", 38), anchor="ls")
    found = [one for one in find_arrows(np.asarray(image)[:, :, ::-1]) if one.likelihood > 0.6]
    assert [(one.direction, one.x1 < 45) for one in found] == [(arrow, True)]


def lone(rng: random.Random, shape: str) -> str | None:
    is_arrow = shape in "↑↓"
    pixels = draw_line(rng, " " if is_arrow else f" {shape} ", shape if is_arrow else None, True)[0]
    height, width = pixels.shape[:2]
    paper = np.full((height, width + 40, 3), np.median(pixels.reshape(-1, 3), axis=0), np.uint8)
    paper[:, 20:-20] = pixels
    return find_arrow(paper, (0, 0, width + 40, height), text_height=height / 1.3)


@pytest.mark.parametrize(
    ("ink", "at", "hides"), [("black", 34, True), ("black", 4, False), ("navy", 34, False), ("white", 4, False)]
)
def test_a_stroke_of_a_pen_along_the_foot_of_a_number_may_hide_its_point(ink, at, hides):
    image = Image.new("RGB", (110, 40), "white")
    brush = ImageDraw.Draw(image)
    brush.text((8, 36), "1423", ink, load_font("noto_sans", 32), anchor="ls")
    brush.line((50, at - 4, 105, at), "navy", 4)
    assert may_hide_point(np.asarray(image)[:, :, ::-1]) == hides


def test_a_red_number_between_black_rules_is_no_pen():
    image = Image.new("RGB", (110, 60), "white")
    brush = ImageDraw.Draw(image)
    brush.text((20, 46), "374", "red", load_font("noto_sans", 32), anchor="ls")
    for line in [(0, 4, 110, 4), (0, 56, 110, 56), (4, 0, 4, 60)]:
        brush.line(line, "black", 2)
    assert not may_hide_point(np.asarray(image)[:, :, ::-1])


def test_the_coloured_fringe_of_a_lens_hides_no_point():
    image = Image.new("RGB", (110, 40), "white")
    ImageDraw.Draw(image).text((8, 36), "1423", "black", load_font("noto_sans", 32), anchor="ls")
    pixels = np.asarray(image).astype(float)
    right, left = np.roll(pixels, 1, axis=1), np.roll(pixels, -1, axis=1)
    fringed = np.stack([(pixels + right)[..., 0], 2 * pixels[..., 1], (pixels + left)[..., 2]], axis=2) / 2
    assert not may_hide_point(fringed[:, :, ::-1].astype(np.uint8))


@pytest.mark.parametrize("number", ["15", "79", "42", "374"])
@pytest.mark.parametrize("size", [14, 17, 20])
def test_the_subpixels_of_a_screen_hide_no_point(number, size):
    """屏幕截图的字按红、绿、蓝三格画，左右镶着橙与蓝。"""
    image = Image.new("L", (3 * 60, 30), "white")
    wide = Image.new("L", (60, 30), "white")
    ImageDraw.Draw(wide).text((8, 24), number, "black", load_font("noto_sans", size), anchor="ls")
    image = np.asarray(wide.resize(image.size, Image.Resampling.BICUBIC)).astype(float)
    image = (image + np.roll(image, 1, axis=1) + np.roll(image, -1, axis=1)) / 3
    assert not may_hide_point(image.reshape(30, 60, 3)[:, :, ::-1].astype(np.uint8))


def test_a_speck_above_a_number_is_no_footnote():
    image = Image.new("L", (90, 34), "white")
    brush = ImageDraw.Draw(image)
    brush.text((8, 28), "21.810", "black", load_font("noto_sans", 22), anchor="ls")
    top = np.flatnonzero((np.asarray(image) < 128).any(axis=1))[0]
    brush.line((80, top, 83, top), "black")
    pixels = np.asarray(image.convert("RGB"))
    assert count_raised(pixels, 6)[0] == 0


def test_the_wing_of_an_arrow_cut_by_the_frame_is_no_footnote():
    image = Image.new("L", (96, 50), "white")
    brush = ImageDraw.Draw(image)
    brush.text((6, 40), "55.4", "black", load_font("noto_sans", 34), anchor="ls")
    brush.polygon([(86, 22), (99, 34), (112, 22)], "black")
    pixels = np.asarray(image.convert("RGB"))
    assert count_raised(pixels, 4)[0] == 0 and count_raised(pixels, 5)[0] == 1


@pytest.mark.parametrize("number", ["39", "26.4", "480", "7.55"])
@pytest.mark.parametrize("side", ["foot", "top"])
def test_a_corner_of_a_slanted_rule_makes_the_last_digit_no_footnote(number, side):
    image = Image.new("L", (20 + 20 * len(number), 50), "white")
    brush = ImageDraw.Draw(image)
    brush.text((12, 38), number, "black", load_font("noto_sans", 32), anchor="ls")
    edge = {"foot": (0, 47, image.width // 2, 51), "top": (image.width // 2, -2, image.width, 2)}[side]
    brush.line(edge, "black", 3)
    assert count_raised(np.asarray(image.convert("RGB")), len(number))[0] == 0


@pytest.mark.parametrize("shape", "↑↓")
def test_a_lone_arrow_is_found_between_the_cells(shape):
    found = Counter(lone(random.Random(seed), shape) for seed in range(30))
    assert found[shape] >= 27 and found["↓" if shape == "↑" else "↑"] == 0


# 糊了的 T 与“个”真的像箭头
@pytest.mark.parametrize(("shape", "most"), [*((shape, 0) for shape in "|-1 47VA千"), ("Y", 0), ("T", 12), ("个", 0)])
def test_what_only_looks_like_an_arrow_is_none(shape, most):
    found = [lone(random.Random(seed), shape) for seed in range(30)]
    assert len(found) - found.count(None) <= most


def read_hard_cells(reader: TextReader, sheet: Sheet, rng: random.Random) -> Assessment:
    """只认难的各格，别的格照画着的：一页不到平常读的十分之一的时间。各格的框比字大一圈，大多少不一。"""
    quads = []
    for cell in sheet.cells:
        left, right, top, bottom = (sheet.size * rng.uniform(0.08, 0.25) for _ in range(4))
        x0, x1, y0, y1 = (
            cell.x0 - left,
            cell.x1 + right,
            cell.y - 0.8 * sheet.size - top,
            cell.y + 0.1 * sheet.size + bottom,
        )
        quads.append([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
    page = Page(np.ascontiguousarray(np.asarray(sheet.image)[:, :, ::-1]), np.array(quads, np.float32), np.eye(3))
    texts = read_texts(page, _Knowing(reader, sheet.cells))
    return assess(read_page(page, texts))


class _Knowing:
    """难的格由 reader 认，别的是画着的字。"""

    def __init__(self, reader: TextReader, cells: list[PrintedCell]) -> None:
        self.reader, self.cells, self.recognize_crops = reader, cells, reader.recognize_crops

    def recognize(self, pixels: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
        seen = iter(self.reader.recognize(pixels, quads[[cell.is_hard for cell in self.cells]]))
        return [next(seen) if cell.is_hard else (cell.text, 0.99) for cell in self.cells]


ARROWED = [Style("before"), Style("after"), Style("range")]
TIGHT = [Style("", spacing, sizes=(14, 30)) for spacing in (0, -0.5, -1)]
FAINT = [Style(place, inks=(130, 145, 160)) for place in ("", "before", "after", "range")]
KINDS = {"arrows": ARROWED, "tight": TIGHT, "faint": FAINT}


@pytest.mark.parametrize("styles", KINDS.values(), ids=KINDS)
def test_a_hard_sheet_has_no_silent_error(reader_of_text, styles):
    rng = random.Random(100)
    sheet = draw_sheet(rng, styles[0])
    score = score_report(read_hard_cells(reader_of_text, sheet, rng), sheet.rows)
    assert score.silent_errors == [] and score.decided >= 13, score


@pytest.mark.slow
@pytest.mark.parametrize("styles", KINDS.values(), ids=KINDS)
def test_many_hard_sheets_have_almost_no_silent_error(styles, capsys):
    reader, score = TextReader(2), ReportScore()
    for at in range(SHEETS):
        rng = random.Random(1000 + at)
        sheet = draw_sheet(rng, styles[at % len(styles)])
        score += score_report(read_hard_cells(reader, sheet, rng), sheet.rows)
    with capsys.disabled():
        print(f"\n{score}")
    silent = len(score.silent_errors)
    assert silent <= 0.001 * score.rows and score.decided - silent >= 0.95 * score.rows
