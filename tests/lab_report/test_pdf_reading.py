"""PDF：文字层可信就用它，不可信就看像素；画出来的总要读到，看不见的总不读。"""

import re
from dataclasses import replace

import numpy as np
import pytest
from pdf_files import COLUMNS, MINERALS, form_pdf, lying_pdf, over_scan, picture, scanned_pdf, sheet, text_pdf

from health_assistant.images import BadImage
from health_assistant.lab_report.reading import pdf
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.reading.text_layer import _essence, _is_covered, _is_within
from health_assistant.lab_report.report import Reading

RESULTS = [row[1] for row in MINERALS]
WRONG = [(name, "9.99", unit, limits) for name, _, unit, limits in MINERALS]
CHINESE = [
    ("钾", "K", "4.16", "mmol/L", "3.50-5.30"), ("钠", "Na", "149.2", "mmol/L", "137.0-147.0"),
    ("氯", "Cl", "103.7", "mmol/L", "99.0-110.0"), ("尿素", "UREA", "5.18", "mmol/L", "2.60-7.50"),
]  # fmt: skip


def read(reader: ReportReader, data: bytes, index: int = 0) -> Reading:
    return reader.start(lambda: pdf.render_page(data, index)).result()


def results(reading: Reading) -> list[str]:
    return [item.result for item in reading.items]


def uses_text_layer(reading: Reading) -> bool:
    """只有照文字层抄的才有十足的把握。"""
    return {row.confidence for row in reading.items} == {1.0}


@pytest.fixture(scope="module")
def minerals(reader) -> Reading:
    """由文字层读的一张。"""
    return read(reader, text_pdf(MINERALS))


def test_a_text_layer_is_read_as_it_is_printed(minerals):
    assert [(item.name, item.result, item.unit, item.reference_range) for item in minerals.items] == MINERALS
    assert uses_text_layer(minerals)
    assert all(item.copied for item in minerals.items)
    assert (minerals.sex, minerals.age) == ("女", "34 years")


def test_boxes_are_pixels_of_the_drawn_page(minerals):
    pixels = pdf.render_page(text_pdf(MINERALS), 0).pixels
    boxes = [row.boxes["row"] for row in minerals.items]
    assert boxes == sorted(boxes, key=lambda box: box[1])
    assert all(pixels[y0:y1, x0:x1].min() < 100 for x0, y0, x1, y1 in boxes)


def test_a_drawn_page_may_be_changed_in_place():
    """扫描的 PDF 上盖着红章：褪章就地改，页面不能是只读的。"""
    pixels = pdf.render_page(text_pdf(MINERALS), 0).pixels
    pixels[:1] = 255
    assert pixels.flags.owndata


def test_a_turned_page_is_read_upright(reader):
    data = text_pdf(MINERALS).replace(b"/Type/Page/", b"/Type/Page/Rotate 180/")
    assert results(read(reader, data)) == RESULTS


@pytest.mark.slow
def test_a_scanned_page_is_read_from_its_pixels(reader):
    data = scanned_pdf(picture(CHINESE), picture(CHINESE[:3]).rotate(180))
    assert pdf.count_pages(data) == 2
    assert results(read(reader, data)) == [row[2] for row in CHINESE]
    assert results(read(reader, data, 1)) == [row[2] for row in CHINESE[:3]]


def test_a_font_that_lies_about_its_digits_is_not_believed(reader):
    data = lying_pdf(MINERALS)
    copied = "".join(char.text for char in pdf.render_page(data, 0).chars)
    assert "5.27" in copied and "4.16" not in copied, "钾复制出来是 5.27"
    assert results(read(reader, data)) == RESULTS


def test_values_filled_into_a_form_are_read(reader, minerals):
    filled = read(reader, form_pdf(MINERALS))
    assert results(filled) == results(minerals)
    assert [row.reference_range for row in filled.items] == [row.reference_range for row in minerals.items]


def test_text_that_is_not_drawn_is_not_read(reader):
    """扫描仪附的识别结果是看不见的字，里面的数是错的。"""
    reading = read(reader, over_scan(picture(CHINESE), WRONG))
    assert results(reading) == [row[2] for row in CHINESE]
    assert not uses_text_layer(reading)


def test_a_page_printed_twice_to_look_bold_is_read_once(reader, minerals):
    twice = f"q 1 0 0 1 0.5 0 cm\n{sheet(MINERALS)}\nQ"
    assert read(reader, text_pdf(MINERALS, twice)).items == minerals.items


def test_a_cell_whose_beginning_is_printed_twice_is_one_cell(reader, minerals):
    """连字只能另画的软件，把头几个字在原地又写了一遍：149.2 上的 149 不是另一个数。"""
    again = f"BT /F 11 Tf {COLUMNS[1]} 671 Td (149) Tj ET"
    assert read(reader, text_pdf(MINERALS, again)).items == minerals.items


def test_a_letter_of_the_text_layer_inside_a_cell_seen_whole_is_no_cell():
    quad, whole = (np.array([[x, 0], [x + 90, 0], [x + 90, 20], [x, 20]], np.float32) for x in (90, 20))
    seen = [("18.6 L", 0.97)]
    assert _is_within(("L", 1.0), quad / [2, 1], whole[None], seen)
    assert not _is_within(("H", 1.0), quad / [2, 1], whole[None], seen)
    assert not _is_within(("L", 1.0), quad + [90, 0], whole[None], seen)


def test_white_text_is_not_read(reader):
    hidden = "1 g\n" + "\n".join(f"BT /F 11 Tf 230 {300 - 20 * at} Td (99.{at}) Tj ET" for at in range(3))
    assert results(read(reader, text_pdf(MINERALS, hidden))) == RESULTS


@pytest.mark.parametrize(
    ("extra", "potassium"),
    [
        pytest.param(
            "1 g 225 689 60 16 re f 0 g BT /F 11 Tf 230 693 Td (6.90) Tj ET", "6.90", id="白框盖住，另写一个数"
        ),
        pytest.param("1 g BT /F 11 Tf 251.5 693 Td (9) Tj ET", "4.16", id="末尾接着白色的数字"),
        pytest.param("1 g BT /F 11 Tf 223.5 693 Td (<) Tj ET", "4.16", id="前面接着白色的小于号"),
    ],
)
def test_the_value_is_the_one_that_is_seen(reader, extra, potassium):
    assert results(read(reader, text_pdf(MINERALS, extra))) == [potassium, *RESULTS[1:]]


@pytest.mark.parametrize(
    ("printed", "seen", "is_same"),
    [
        ("10/HP", "80/HP", False), ("6.9 10^9/L", "6.910/L", True), ("4.2", "6.9", False), ("<0.10", "0.10", False),
        ("-12.4", "12.4", False), ("阴性(-)", "阳性(-)", False), ("±", "土", True), ("≤5", "<5", True),
        ("3.5～9.5", "3.5-9.5", True), ("5,2", "5.2", True),
        ("82.0-100.0fl", "82.0-100.0f1", True), ("115-150g/L", "115-150g/1", True), ("125fl", "1251fl", False),
    ],
)  # fmt: skip
def test_what_decides_a_value_is_compared(printed, seen, is_same):
    assert (_essence(printed, printed) == _essence(seen, printed)) == is_same


def test_a_footnote_number_is_no_digit_of_the_value(reader):
    noted = [(name, f"{result}) Tj /F 6 Tf 5 Ts (1) Tj 0 Ts (", *rest) for name, result, *rest in MINERALS]
    assert results(read(reader, text_pdf(noted))) == RESULTS


@pytest.mark.parametrize("instead", ["", "\ue000"], ids=["文字层里少一个字", "没有说是哪个字"])
@pytest.mark.parametrize("lost", [0, 4], ids=["头一个", "末一个"])
def test_a_digit_that_the_text_layer_lacks_is_read_from_the_page(reader, minerals, lost, instead):
    page = pdf.render_page(text_pdf(MINERALS), 0)
    at = "".join(char.text for char in page.chars).index("149.2") + lost
    page.chars[at] = replace(page.chars[at], text=instead or " ")
    assert results(reader.start(lambda: page).result()) == RESULTS


def test_what_is_drawn_but_not_in_the_text_layer_is_read_too(reader, minerals):
    """最后一行是描出来的线条，不是文字。"""
    page = pdf.render_page(text_pdf(MINERALS), 0)
    _, y0, _, y1 = minerals.items[-1].boxes["row"]
    page.chars = [char for char in page.chars if not y0 <= (char.y0 + char.y1) / 2 <= y1]
    reading = reader.start(lambda: page).result()
    assert results(reading) == RESULTS
    assert reading.items[0].confidence == 1.0


def test_private_characters_are_no_text(reader):
    page = pdf.render_page(text_pdf(MINERALS), 0)
    scrambled = [pdf.PrintedText(chr(0xE000 + at), c.x0, c.y0, c.x1, c.y1) for at, c in enumerate(page.chars)]
    assert results(reader.start(lambda: pdf.PdfPage(page.pixels, scrambled)).result()) == RESULTS


def test_an_arrow_drawn_in_the_pdf_is_a_mark(reader):
    middle = 715 - 22 * 2 + 4
    arrow = f"1.2 w 285 {middle - 5} m 285 {middle + 5} l S 281 {middle + 1} m 285 {middle + 6} l 289 {middle + 1} l S"
    items = read(reader, text_pdf(MINERALS, arrow)).items
    assert [item.mark for item in items] == [None, "↑", None, None]


@pytest.mark.browser
def test_what_a_browser_prints_is_read_with_and_without_its_font_maps(reader, page):
    rows = "".join(f"<tr><td>{name}<td>{result}<td>{unit}<td>{limits}" for name, _, result, unit, limits in CHINESE)
    head = "<h2>生化检验报告单</h2><table cellpadding=18><tr><th>项目<th>结果<th>单位<th>参考范围"
    page.set_content(
        f"<meta charset=utf-8><style>body{{font:13px sans-serif}}th{{text-align:left}}</style>{head}{rows}</table>"
    )
    data = page.pdf(format="A4")
    reading = read(reader, data)
    assert uses_text_layer(reading)
    assert results(reading) == [row[2] for row in CHINESE]
    unmapped = re.sub(b"/ToUnicode", b"/ToNothing", data)
    assert results(read(reader, unmapped)) == [row[2] for row in CHINESE]


def test_a_password_is_asked_for_in_chinese():
    with pytest.raises(BadImage, match="口令"):
        pdf.count_pages(text_pdf(MINERALS).replace(b"trailer<<", b"trailer<</Encrypt<</Filter/Standard/V 9/R 9>>"))


def test_a_page_is_drawn_within_its_pixel_limit():
    huge = text_pdf(MINERALS).replace(b"[0 0 595 842]", b"[0 0 9000 9000]")
    pixels = pdf.render_page(huge, 0).pixels
    assert np.prod(pixels.shape[:2]) <= 12_000_000


def test_a_short_number_of_the_text_layer_is_not_read_again_from_the_pixels():
    """实测的一格：像素里找到的框四周留着白，比 4.1 宽一半。"""
    layer = np.array([[[806, 300], [846, 300], [846, 330], [806, 330]]], np.float32)
    found = np.array([[789, 292], [862, 292], [862, 338], [789, 338]], np.float32)
    assert _is_covered(found, layer)
    assert not _is_covered(found + np.float32([0, 40]), layer)
    assert not _is_covered(found + np.float32([45, 0]), layer)
