"""提示一栏里的词：`CH`、`Panic`、`HH *C*`、几个箭头认成的 `I↑`，都是标记；不是标记的话不算。"""

import random

import numpy as np
import pytest
from lab_report.drawn_lines import draw_line
from lab_report.text_boxes import page

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.arrangement import arrange
from health_assistant.lab_report.reading.arrows import take_out_arrows
from health_assistant.lab_report.reading.glyphs import has_character
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.report import Reading, ReadRow

HEAD = {50: "Test", 400: "Result", 550: "Flag", 700: "Units", 900: "Reference"}


def row_with(mark: dict[float, str]):
    lines = page(HEAD, {50: "White Blood Cells", 400: "118", **mark, 700: "10^9/L", 900: "3.5-9.5"},
                 {50: "Potassium", 400: "5.0", 700: "mmol/L", 900: "3.5-5.3"})  # fmt: skip
    rows_of = arrange([box for line in lines for box in line]).rows_of
    return next(row for rows in rows_of for row in rows)


@pytest.mark.parametrize(
    "word",
    ["CH", "HC", "AH", "HH *C*", "Panic", "Critical High", "ALERT", "Elevated", "Borderline", "I↑", "↑II", "I↑↑"],
)
def test_a_word_under_the_heading_of_marks_is_a_mark(word):
    row = row_with({550: word})
    assert (row.mark.text, row.result.text, row.doubt) == (word, "118", None)


@pytest.mark.parametrize("word", ["C", "Final", "See note", "ok"])
def test_other_words_under_the_heading_of_marks_are_none(word):
    row = row_with({550: word})
    assert (row.mark, row.result.text) == (None, "118")


def test_ones_read_right_behind_an_arrow_are_arrows():
    row = row_with({550: "↑", 561: "11"})
    assert (row.mark.text, row.result.text, row.doubt) == ("↑", "118", None)


@pytest.mark.parametrize(
    ("mark", "flag"),
    [("CH", "high"), ("CL", "unknown"), ("Critical High", "high"), ("CRITICAL LOW", "unknown"), ("Panic", "high"),
     ("Abnormal", "high"), ("Normal", "unknown"), ("Elevated", "high"), ("Decreased", "unknown"),
     ("Borderline", "high")],
)  # fmt: skip
def test_what_a_word_says_is_weighed_against_the_range(mark, flag):
    rows = [
        ReadRow(name=name, result=result, unit=unit, reference_range=limits, mark=said, confidence=0.99)
        for name, result, unit, limits, said in [
            ("White Blood Cells", "118", "10^9/L", "3.5-9.5", mark),
            ("Uric Acid", "780", "umol/L", "208-428", "H"),
        ]
    ]
    assert assess(Reading(items=rows)).items[0].flag == flag


def test_a_small_triangle_is_ink_and_a_speck_is_none():
    def gray(size: int) -> np.ndarray:
        paper = np.full((40, 60), 255, np.uint8)
        paper[20 - size // 2 : 20 + size // 2, 26 : 26 + size] = 0
        return paper

    assert has_character(gray(10), (0, 0, 60, 40), 40)
    assert not has_character(gray(6), (0, 0, 60, 40), 40)


def test_a_letter_of_the_name_is_no_arrow():
    """肌钙蛋白T 的 T 糊了像 ↑：名称本来就有的不动；别的名称后面的还是箭头。"""
    pixels, _ = draw_line(random.Random(1), "8", "↑", False)
    height, width = pixels.shape[:2]
    quad = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
    texts = [take_out_arrows(Page(pixels, quad, np.eye(3)), [(name, 0.9)], None) for name in ("肌钙蛋白T", "白细胞T")]
    assert [one[0][0] for one in texts] == ["肌钙蛋白T", "白细胞↑"]
