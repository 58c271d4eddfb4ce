"""整页读一遍：画出来的化验单，转、歪、透视、阴影之后，读数、判断与位置都要对。

全部版式与破坏见 tests/benchmarks/reading.py。
"""

import cv2
import numpy as np
import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.reading.upright import find_page
from health_assistant.lab_report.rendering import DEGRADATIONS, HELD_OUT_LAYOUTS, LAYOUTS, RenderedReport, render
from health_assistant.lab_report.report import Box, LabReport, Reading, UnreadableReport
from health_assistant.lab_report.scoring import ReportScore, TrueItem, align, score_report

SEED = 7002
QUICK = [("classic", "rotate_90"), ("previous_results", "shadow"), ("half_sheet", "photo")]
OTHERS = [
    ("two_panels_grid", "skew"),
    ("english_sheet", "rotate_180"),
    ("sub_tables", "keystone"),
    ("phone_cards", "jpeg_20"),
]
EVERY = [*LAYOUTS, *HELD_OUT_LAYOUTS]


def truth_of(page: RenderedReport) -> list[TrueItem]:
    return [TrueItem(**row.model_dump(), flag=flag) for row, flag in zip(page.report.items, page.flags, strict=True)]


def read(reader: ReportReader, page: RenderedReport) -> LabReport | None:
    try:
        reading = reader.read(page.image)
    except UnreadableReport:
        return None
    return assess(reading)


@pytest.mark.parametrize(
    ("layout", "degradation"), [*QUICK, *(pytest.param(*one, marks=pytest.mark.slow) for one in OTHERS)]
)
def test_a_page_is_read_right_and_located(reader, layout, degradation):
    page = render(layout, degradation, SEED)
    report = read(reader, page)
    origin = Reading.model_validate(page.report.model_dump()).origin
    score = score_report(report, truth_of(page), page.report.report_type, origin, person_of(page.report))
    assert (score.found, score.invented, score.silent_errors) == (score.rows, 0, [])
    assert (score.origin_right, score.origin_wrong) == (score.origin, 0)
    assert score.result_right >= 0.9 * score.rows and score.abnormal_f1 >= 0.9
    places = {id(row): boxes["row"] for row, boxes in zip(page.report.items, page.boxes, strict=True)}
    for item, true in align(report.items, page.report.items):
        assert overlap(item.boxes["row"], places[id(true)]) > 0.5, item.name


def overlap(one: Box, other: Box) -> float:
    """相交的面积占小的那个的比例。"""
    corner = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return float(np.prod(np.maximum(corner, 0))) / min(areas)


@pytest.mark.parametrize("degrees", [180, -20, *(pytest.param(one, marks=pytest.mark.slow) for one in (0, 270))])
def test_a_photo_is_searched_closely_once_however_it_is_turned(reader, monkeypatch, degrees):
    """仔细找字最费时间：转着的照片先缩小了看方向，转过来再找；转过来的，字一段也不少。"""
    photo = render("half_sheet", "clean", SEED).image.rotate(degrees, expand=True, fillcolor="gray")
    sizes, detect = [], reader._text_reader.detect

    def count(pixels, *side):
        sizes.append(side)
        return detect(pixels, *side)

    monkeypatch.setattr(reader._text_reader, "detect", count)
    names = [item.name for item in reader.read(photo).items]
    assert names == [row.name for row in render("half_sheet", "clean", SEED).report.items]
    assert sizes.count(()) == 1 and len(sizes) == 2


def test_a_tilted_photo_is_turned_by_its_text_not_by_its_watermark():
    """水印的字长，照长短计比正文的还多，可是淡：朝着 15 度的才是正文。"""
    photo = np.full((1000, 1000, 3), 255, np.uint8)
    text = [_bar(photo, (200, y), 120, 15, 0) for y in range(150, 900, 60)]
    marks = [_bar(photo, (700, y), 400, -40, 225) for y in range(200, 900, 120)]

    class Detector:
        def detect(self, pixels, *side):
            return np.array([*text, *marks] if pixels.shape == photo.shape else [], np.float32).reshape(-1, 4, 2)

        def is_upside_down(self, pixels, quads):
            return False

    to_photo = find_page(photo, Detector()).to_photo
    assert np.degrees(np.arctan2(to_photo[1, 0], to_photo[0, 0])) == pytest.approx(15, abs=1)


def _bar(photo: np.ndarray, center: tuple[int, int], width: int, degrees: float, gray: int) -> np.ndarray:
    """在 photo 上画一条，高 20 像素，当作一段文字；返回四个角，从左上角起顺时针。"""
    along = np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    down = np.array([-along[1], along[0]])
    corners = [center + x * width / 2 * along + y * 10 * down for x, y in [(-1, -1), (1, -1), (1, 1), (-1, 1)]]
    quad = np.array(corners, np.float32)
    cv2.fillPoly(photo, [quad.astype(np.int32)], (gray, gray, gray))
    return quad


@pytest.mark.parametrize("degradation", ["tiny_text", "dark"])
def test_what_is_beyond_reading_is_refused_or_doubted_never_wrong(reader, degradation):
    page = render("borderless_words", degradation, SEED)
    assert score_report(read(reader, page), truth_of(page)).silent_errors == []


@pytest.mark.slow
def test_every_layout_with_a_degradation_each(reader):
    names = [*DEGRADATIONS]
    total = ReportScore()
    for at, layout in enumerate(EVERY):
        page = render(layout, names[at % len(names)], SEED + 1)
        total += score_report(
            read(reader, page), truth_of(page), page.report.report_type, person=person_of(page.report)
        )
    rates = total.rates()
    assert total.silent_errors == []
    assert rates["abnormal_f1"] >= 0.95 and rates["not_judged_share"] <= 0.07, str(total)
