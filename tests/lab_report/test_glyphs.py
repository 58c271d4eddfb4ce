"""像素这一层：箭头不是数字，挤在一起的数里小数点不丢。"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from lab_report.drawn_lines import draw_line, draw_number
from lab_report.pixel_sheets import PrintedRow, Style, draw_rows, draw_sheet
from PIL import Image
from scipy.stats import beta

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.arrows import find_arrow, find_arrows
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.report import LabItem

PAGES = Path(__file__).parent / "pixel_pages"
TRUTHS = {page["file"]: page["items"] for page in map(json.loads, (PAGES / "truth.jsonl").open(encoding="utf-8"))}


@pytest.fixture(scope="module")
def reader() -> ReportReader:
    return ReportReader()


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


def test_a_number_without_an_arrow_seldom_shows_one():
    rng = random.Random(3)
    lines = [draw_line(rng, draw_number(rng), None, False)[0] for _ in range(400)]
    assert sum(any(one.likelihood >= 0.6 for one in find_arrows(line)) for line in lines) <= 4


def lone(rng: random.Random, shape: str) -> str | None:
    is_arrow = shape in "↑↓"
    pixels = draw_line(rng, " " if is_arrow else f" {shape} ", shape if is_arrow else None, True)[0]
    height, width = pixels.shape[:2]
    paper = np.full((height, width + 40, 3), np.median(pixels.reshape(-1, 3), axis=0), np.uint8)
    paper[:, 20:-20] = pixels
    return find_arrow(paper, (0, 0, width + 40, height), text_height=height / 1.3)


@pytest.mark.parametrize("shape", "↑↓")
def test_a_lone_arrow_is_found_between_the_cells(shape):
    found = Counter(lone(random.Random(seed), shape) for seed in range(30))
    assert found[shape] >= 27 and found["↓" if shape == "↑" else "↑"] == 0


# 糊了的 T 与“个”真的像箭头
@pytest.mark.parametrize(("shape", "most"), [*((shape, 0) for shape in "|-1 47VA千"), ("Y", 0), ("T", 12), ("个", 0)])
def test_what_only_looks_like_an_arrow_is_none(shape, most):
    found = [lone(random.Random(seed), shape) for seed in range(30)]
    assert len(found) - found.count(None) <= most


def count_rows(reader: ReportReader, sheets: Iterator[tuple[Image.Image, list[PrintedRow]]]) -> Counter:
    """right 读对、unknown 未判断、missing 没有这一行、silent 判断了而数或判断错。"""
    counts: Counter = Counter()
    for image, rows in sheets:
        read_rows = {item.name: item for item in read(reader, image)}
        for row in rows:
            item = read_rows.get(row.name)
            if item is None or item.flag == "unknown":
                counts["unknown" if item else "missing"] += 1
            else:
                counts["right" if (item.result, item.flag) == (row.result, row.flag) else "silent"] += 1
    return counts


def sheets(styles: list[Style], count: int, seed: int) -> Iterator[tuple[Image.Image, list[PrintedRow]]]:
    for at in range(count):
        rng = random.Random(seed + at)
        rows = draw_rows(rng)
        yield draw_sheet(rng, rows, styles[at % len(styles)]), rows


ARROWED = [Style("before"), Style("after"), Style("range")]
TIGHT = [Style("", spacing, sizes=(14, 30)) for spacing in (0, -0.5, -1)]


@pytest.mark.parametrize("styles", [ARROWED, TIGHT], ids=["arrows", "tight"])
def test_a_few_hard_sheets_have_no_silent_error(reader, styles):
    counts = count_rows(reader, sheets(styles, 1, 100))
    assert counts["silent"] == 0 and counts["right"] >= 13, counts


@pytest.mark.slow
@pytest.mark.parametrize("styles", [ARROWED, TIGHT], ids=["arrows", "tight"])
def test_many_hard_sheets_have_almost_no_silent_error(reader, styles):
    counts = count_rows(reader, sheets(styles, 40, 1000))
    total, silent = sum(counts.values()), counts["silent"]
    bound = beta.ppf(0.95, silent + 1, total - silent)
    print(f"{dict(counts)}，无声错误 {silent / total:.3%}，95% 上界 {bound:.3%}")
    assert silent <= 0.001 * total and counts["right"] >= 0.95 * total
