"""化验单的画法：同样的种子同样的字节，真值与框都对得上，破坏的映射准。"""

import re
from decimal import Decimal

import numpy as np
import pytest
from PIL import Image, ImageDraw

from health_assistant.lab_report.consistency import RELATIONS, find_conflicts
from health_assistant.lab_report.interval import Interval, compare
from health_assistant.lab_report.person import parse_age
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.rendering import (
    BEYOND_LIMITS,
    DEGRADATIONS,
    FONTS,
    HELD_OUT_LAYOUTS,
    LAYOUTS,
    degrade,
    draw_report,
    render,
)
from health_assistant.lab_report.rendering.drawing import FIELDS, has_glyph, split_runs
from health_assistant.lab_report.rendering.sampling import Style, sample_report
from health_assistant.lab_report.report import PrintedRow, ReadReport

EVERY_LAYOUT = LAYOUTS | HELD_OUT_LAYOUTS


ONE_OF_EACH_KIND = ["classic", "two_panels_grid", "sub_tables", "checkup_booklet", "one_test", "dot_matrix",
                    "phone_cards", "phone_list", "phone_one_cell", "app_cards"]  # fmt: skip
"""画法各不相同的几种；别的只是数据不同。"""


@pytest.mark.parametrize("layout", ONE_OF_EACH_KIND)
def test_the_same_arguments_give_the_same_bytes(layout):
    first, again = render(layout, seed=7), render(layout, seed=7)
    assert first.image.tobytes() == again.image.tobytes()
    assert (first.report, first.flags, first.boxes) == (again.report, again.flags, again.boxes)


def test_seeds_and_layouts_differ_but_a_degradation_keeps_the_content():
    one = render("half_sheet", seed=7)
    assert one.report != render("half_sheet", seed=8).report != render("classic", seed=8).report
    assert one.report == render("half_sheet", "blur", seed=7).report


@pytest.mark.parametrize("degradation", [*DEGRADATIONS, *BEYOND_LIMITS])
def test_a_degradation_repeats_itself_and_keeps_boxes_inside(degradation):
    drawn = render("half_sheet", seed=5)
    first, again = degrade(drawn, degradation, 1), degrade(drawn, degradation, 1)
    assert first.image.tobytes() == again.image.tobytes()
    assert first.boxes == again.boxes and first.report == drawn.report
    for boxes in first.boxes:
        for x0, y0, x1, y1 in boxes.values():
            assert 0 <= x0 < x1 <= first.image.width and 0 <= y0 < y1 <= first.image.height


@pytest.mark.parametrize("layout", EVERY_LAYOUT)
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_every_printed_field_has_a_box_with_ink(layout, seed):
    drawn = render(layout, "clean", seed)
    grey = np.asarray(drawn.image.convert("L")).astype(int)
    assert len(drawn.report.items) == len(drawn.flags) == len(drawn.boxes)
    for item, boxes in zip(drawn.report.items, drawn.boxes, strict=True):
        assert set(boxes) == {"row"} | {field for field in FIELDS if getattr(item, field)}
        for field, (x0, y0, x1, y1) in boxes.items():
            assert 0 <= x0 < x1 <= drawn.image.width and 0 <= y0 < y1 <= drawn.image.height, (field, item)
            assert np.ptp(grey[y0:y1, x0:x1]) > 60, f"{item.name} 的 {field} 框里没有字"
        fields = [box for field, box in boxes.items() if field != "row"]
        for k, (x0, y0, x1, y1) in enumerate(fields):
            for u0, v0, u1, v1 in fields[:k]:
                # 粘着印的两段，墨迹的外接框会碰到一两个像素
                assert min(x1, u1) - max(x0, u0) <= 3 or min(y1, v1) - max(y0, v0) <= 3, f"{item.name} 的字压着字"


def test_the_truth_agrees_with_compare():
    compared = total = 0
    for seed in range(20):
        for name, layout in EVERY_LAYOUT.items():
            drawn = sample_report(np.random.default_rng(seed), layout.style)
            sex, age = drawn.report.sex, parse_age(drawn.report.age)
            for item, flag in zip(drawn.report.items, drawn.flags, strict=True):
                result, reference = parse_result(item.result), parse_range(item.reference_range)
                total += 1
                assert flag is not None or reference is None, item
                assert (item.mark is None) or flag in ("high", "low", "abnormal"), item
                if result and reference and (judged := compare(result, reference, sex, age)) != "unknown":
                    compared += 1
                    assert judged == flag, (name, seed, item, sex, age)
    assert compared > 0.8 * total


SHAPES = {
    "word_in_brackets": r"[\d.]+（(阴性|阳性)）",
    "word_after": r"[\d.]+ (阴性|阳性)",
    "sign_in_brackets": r"[\d.]+ \([-+]\)",
    "counts": r"\d+-\d+",
    "counts_tilde": r"\d+~\d+",
    "powers": r"<?\d\.\d\d×10\^\d+",
    "exponents": r"<?\d\.\d\dE\+\d\d",
    "european": r"\d+,\d{1,2}",
    "thousands": r"\d{1,3},\d{3}",
}


def _numbers(text, comma):
    found = re.findall(r"(\d[\d.,]*)(?:[×x]10\^(\d+)|E\+(\d+))?", text)
    return [
        Decimal(number.replace(",", comma)).scaleb(int(power or exponent or 0)) for number, power, exponent in found
    ]


@pytest.mark.parametrize(("layout", "writing"), [
    (layout, writing) for layout, one in HELD_OUT_LAYOUTS.items() for writing in one.style.writings
])  # fmt: skip
def test_a_row_is_written_so_and_keeps_its_truth(layout, writing):
    written = compared = 0
    style = HELD_OUT_LAYOUTS[layout].style.model_copy(update={"writings": (writing,)})
    for seed in range(60):
        drawn = sample_report(np.random.default_rng(seed), style)
        for item, flag in zip(drawn.report.items, drawn.flags, strict=True):
            written += re.fullmatch(SHAPES[writing], item.result) is not None
            comma = "." if writing == "european" else ""
            limits, values = _numbers(item.reference_range, comma), _numbers(item.result, comma)
            if not limits or not values or flag not in ("normal", "high", "low"):
                continue
            compared += 1
            at_least, at_most = (re.match(rf"\(?[{signs}]", item.reference_range) for signs in (">≥", "<≤"))
            low, high = None if at_most else limits[0], None if at_least else limits[-1]
            assert flag != "low" or max(values) <= low, item
            assert flag != "high" or min(values) >= high, item
            assert flag != "normal" or low is None or low <= min(values), item
            assert flag != "normal" or high is None or max(values) <= high, item
    assert written >= 15 and compared >= 60


def test_a_sheet_without_ranges_has_nothing_to_compare():
    drawn = sample_report(np.random.default_rng(1), HELD_OUT_LAYOUTS["no_ranges"].style)
    assert {(item.reference_range, item.mark) for item in drawn.report.items} == {("", None)}
    assert set(drawn.flags) == {None}


@pytest.mark.parametrize("kind", ["blood", "chemistry", "liver", "lipid"])
def test_rows_of_one_page_agree_with_each_other(kind):
    checked = set()
    for seed in range(30):
        drawn = sample_report(np.random.default_rng(seed), Style(kinds=(kind,), items=(12, 40)), abnormal_rate=0.4)
        numbers = {}
        for item in drawn.report.items:
            result = parse_result(item.result)
            if item.code and isinstance(result, Interval) and result.low == result.high is not None:
                step = Decimal(1).scaleb(exponent(result.low))
                numbers[item.code] = Interval(result.low - step, result.low + step)
                assert result.low >= 0, item
        assert find_conflicts(numbers) == {}, numbers
        checked |= {one.text for one in RELATIONS if all(code in numbers for code in one.codes)}
    assert len(checked) == {"blood": 9, "chemistry": 4, "liver": 3, "lipid": 1}[kind]


@pytest.mark.parametrize("name", [*DEGRADATIONS, *sorted(BEYOND_LIMITS.keys() - {"dark"})])
def test_a_dot_lands_where_the_mapping_says(name):
    rng = np.random.default_rng(3)
    points = np.array([(150, 160), (640, 240), (420, 700), (180, 1000), (700, 1050)], float)
    page = Image.new("RGB", (820, 1200), "white")
    for x, y in points:
        ImageDraw.Draw(page).ellipse((x - 9, y - 9, x + 8, y + 8), fill="black")
    image, mapping = (DEGRADATIONS | BEYOND_LIMITS)[name](page, rng, 28.0)
    grey, reach = np.asarray(image.convert("L")).astype(float), 8 if name == "tiny_text" else 16
    for x, y in mapping(points):
        x0, y0 = int(x) - reach, int(y) - reach
        assert x0 >= 0 and y0 >= 0 and x0 + 2 * reach < image.width and y0 + 2 * reach < image.height
        window = grey[y0 : y0 + 2 * reach, x0 : x0 + 2 * reach]
        rows, columns = np.nonzero(window < (window.min() + window.max()) / 2)
        assert abs(columns.mean() + 0.5 + x0 - x) < 2 and abs(rows.mean() + 0.5 + y0 - y) < 2


def test_a_finger_never_covers_a_cell():
    for seed, layout in enumerate([*EVERY_LAYOUT][::4]):
        clean, held = render(layout, "clean", seed), render(layout, "finger", seed)
        for before, after in zip(clean.boxes, held.boxes, strict=True):
            assert clean.image.crop(before["row"]).tobytes() == held.image.crop(after["row"]).tobytes()


@pytest.mark.parametrize("font", FONTS)
def test_every_font_draws_every_printed_character(font):
    for seed, layout in enumerate([*EVERY_LAYOUT][[*FONTS].index(font) :: len(FONTS)]):
        for item in render(layout, font=font, seed=seed).report.items:
            for text in (item.name, item.code, item.result, item.unit, item.reference_range, item.mark or ""):
                for used, part, _ in split_runs(font, text, True):
                    assert all(has_glyph(used, character) for character in part)


def test_special_characters_have_glyphs_somewhere_and_nonsense_is_refused():
    for font in FONTS:
        split_runs(font, "↑↓μ⁹≤≥±~～—×γβα【】■（）", superscript=True)
        with pytest.raises(ValueError, match="没有一种字体"):
            split_runs(font, "\U000e0fff", superscript=False)


def test_own_data_can_be_drawn_and_superscripts_keep_their_truth():
    item = PrintedRow(name="白细胞计数", code="WBC", result="12.4", unit="10^9/L", reference_range="3.5-9.5", mark="↑")
    plain = item.model_copy(update={"mark": None})
    report = ReadReport(report_type="血常规", sex="女", age="30岁", items=[item, plain])
    for seed in range(4):
        drawn = draw_report("two_panels_grid", report, ["high", None], seed=seed)
        assert drawn.report.model_copy(update={"origin": None}) == report
        assert [set(FIELDS) - set(boxes) for boxes in drawn.boxes] == [set(), {"mark"}]
    with pytest.raises(ValueError, match="一一对应"):
        draw_report("classic", report, ["high"])
    with pytest.raises(ValueError, match="可用的有"):
        degrade(drawn, "nonsense")
    with pytest.raises(ValueError, match="可用的有"):
        render("nonsense")
