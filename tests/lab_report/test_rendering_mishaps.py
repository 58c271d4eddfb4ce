"""打印的毛病与别的写法：画得出来，真值不变。"""

import numpy as np
import pytest

from health_assistant.lab_report.rendering import degrade, draw_report, render
from health_assistant.lab_report.rendering.drawing import Habits, Page
from health_assistant.lab_report.rendering.ruled_table import Column, draw_table
from health_assistant.lab_report.rendering.sampling import Style, sample_report
from health_assistant.lab_report.rendering.writings import WRITINGS
from health_assistant.lab_report.report import PrintedRow, ReadReport


def a_page(mark: str | None = "↑", flag: str = "high", **habits) -> Page:
    item = PrintedRow(name="钾", result="5.91", unit="mmol/L", reference_range="3.5-5.3", mark=mark)
    page = Page(ReadReport(items=[item]), [flag], [("", 0)], np.random.default_rng(1), "noto_sans", 800, 200, 30)
    page.habits = Habits(**habits)
    return page


def test_tight_digits_are_narrower_and_words_are_not():
    plain, tight = a_page(), a_page(tracking=-0.06)
    assert tight.measure("5.91") < plain.measure("5.91") - 4
    assert tight.measure("钾离子") == plain.measure("钾离子")


@pytest.mark.parametrize("arrow", ["thin", "block"])
@pytest.mark.parametrize("mark", ["↑", "↓"])
def test_a_narrow_arrow_touches_the_value_and_points_the_right_way(arrow, mark):
    page = a_page(mark, arrow=arrow)
    page.pieces(0, 100, 100, page.fill_template(0, "{result}{mark}"))
    result, box = page.boxes[0]["result"], page.boxes[0]["mark"]
    assert box[0] - result[2] <= 6 and box[2] - box[0] < 0.5 * page.size
    ink = np.asarray(page.image.convert("L").crop(box)) < 128
    assert ink.any(axis=1).all()
    top, bottom = np.array_split(ink, 2)
    assert (top.sum() > bottom.sum()) == (mark == "↑")


def test_white_on_black_is_dark_around_the_value():
    page = a_page(is_reversed=True)
    draw_table(page, [Column("{name}"), Column("{result}{mark}"), Column("{unit}")], [0], 40, 760, 40)
    x0, y0, x1, y1 = page.boxes[0]["result"]
    grey = np.asarray(page.image.convert("L"))[y0:y1, x0:x1]
    assert (grey < 100).mean() > 0.4 and (grey > 200).any()


def test_words_on_normal_rows_are_no_marks():
    page = a_page(mark=None, flag="normal", normal="正常")
    pieces = page.fill_template(0, "{result} {mark}")
    assert pieces[-1] == (None, "正常") and ("mark", "正常") not in pieces
    drawn = render("normal_words", seed=1)
    normal = [at for at, flag in enumerate(drawn.flags) if flag == "normal"]
    assert normal and all(drawn.report.items[at].mark is None and "mark" not in drawn.boxes[at] for at in normal)


def test_two_limit_columns_are_one_range():
    item = PrintedRow(name="钾", result="5.91", reference_range="3.5-5.3", mark=None)
    drawn = draw_report("limit_columns", ReadReport(report_type="电解质", items=[item]), ["high"], seed=2)
    plain = draw_report("range_first", ReadReport(report_type="电解质", items=[item]), ["high"], seed=2)
    width = {name: one.boxes[0]["reference_range"][2] - one.boxes[0]["reference_range"][0]
             for name, one in (("limits", drawn), ("range", plain))}  # fmt: skip
    assert width["limits"] > 1.5 * width["range"]


@pytest.mark.parametrize("seed", range(4))
def test_a_cut_neighbour_leaves_ink_at_the_edge_only(seed):
    drawn = render("cut_neighbour", seed=seed)
    dark = np.asarray(drawn.image.convert("L")) < 128
    rows = slice(drawn.boxes[0]["row"][1], drawn.boxes[-1]["row"][3])
    sides = dark[rows, :25].any(), dark[rows, -40:].any()
    assert sum(sides) == 1


@pytest.mark.parametrize(
    ("name", "low", "high"), [("faint", 40, 160), ("dark_mode", 120, 256), ("copied", 200, 256), ("forwarded", 60, 256)]
)
def test_new_degradations_keep_the_text_visible(name, low, high):
    drawn = render("classic", seed=3)
    worn = degrade(drawn, name, seed=3)
    assert worn.boxes == drawn.boxes
    grey = np.asarray(worn.image.convert("L")).astype(int)
    spans = [np.ptp(grey[y0:y1, x0:x1]) for boxes in worn.boxes for x0, y0, x1, y1 in [boxes["name"]]]
    assert low < np.median(spans) < high
    assert (np.median(grey) < 80) == (name == "dark_mode")


@pytest.mark.parametrize("writing", WRITINGS)
def test_another_writing_changes_words_not_truth(writing):
    kinds = ("hepatitis", "infection", "urine", "kidney", "tumour", "liver", "viral_load")
    changed = 0
    for seed in range(40):
        plain, other = (
            sample_report(np.random.default_rng(seed), Style(kinds=kinds, items=(3, 30), writings=names))
            for names in (("",), (writing,))
        )
        assert plain.flags == other.flags
        pairs = zip(plain.report.items, other.report.items, strict=True)
        changed += sum(one != two for one, two in pairs)
        assert [one.name for one in plain.report.items] == [two.name for two in other.report.items]
    assert changed > 10
