"""读者的各个部件：单元格的种类、名称与代号、行；真正的图片在阶段 7 的测试里读。"""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from health_assistant.images import BadImage, open_image, upright_rgb
from health_assistant.lab_report.reading.cells import classify, repair_unit, split_mark, split_name
from health_assistant.lab_report.reading.glyphs import find_arrow, find_dashes
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.reading.rows import Row, find_rows, group_lines, row_text, split_panels
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.report import UnreadableReport


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("4.84", "number"), ("-3.1", "number"), ("3.5-9.5", "range"), ("-3-3", "range"), ("<0.01", "bound"),
        (">5.31", "bound"), ("阴性(-)", "term"), ("2+", "term"), ("10^9/L", "unit"), ("×10~9/L", "unit"),
        ("mmol/L", "unit"), ("%", "unit"), ("↑", "mark"), ("偏高", "mark"), ("白细胞计数", "text"), ("黄色", "text"),
        ("男130-175女115-150", "range"),
    ],
)  # fmt: skip
def test_kinds_of_cells(text, kind):
    assert classify(text) == kind


@pytest.mark.parametrize(
    ("text", "name", "code"),
    [
        ("白细胞计数WBC", "白细胞计数", "WBC"),
        ("白细胞(WBC)", "白细胞", "WBC"),
        ("WBC 白细胞", "白细胞", "WBC"),
        ("PT凝血酶原时间", "凝血酶原时间", "PT"),
        ("★钾K+", "钾", "K+"),
        ("嗜酸性粒细胞比率E0%", "嗜酸性粒细胞比率", "EO%"),
        ("二氧化碳分压PC02", "二氧化碳分压", "PCO2"),
        ("ABO血型", "ABO血型", ""),
        ("RH血型(D)抗原鉴定", "RH血型(D)抗原鉴定", ""),
        ("C反应蛋白", "C反应蛋白", ""),
        ("总T3", "总T3", ""),
        ("D-二聚体", "D-二聚体", ""),
        ("HGB", "", "HGB"),
    ],
)
def test_names_and_codes(text, name, code):
    assert split_name(text) == (name, code)


def test_marks_and_units():
    assert split_mark("5.66↑") == ("5.66", "↑")
    assert split_mark("5.66") == ("5.66", None)
    assert [split_mark(text) for text in ("6.8H", "98 L", "↑12", "H 6.8")] == [
        ("6.8", "H"), ("98", "L"), ("12", "↑"), ("6.8", "H"),
    ]  # fmt: skip
    units = [repair_unit(unit) for unit in ("10~9/L", "×109/L", "umol/1", "g/L")]
    assert units == ["10^9/L", "×10^9/L", "umol/L", "g/L"]


def page(*lines: str) -> list[list[TextBox]]:
    """竖线分开的几列，每列宽 200 像素，空格子没有文字框。"""
    boxes = [
        TextBox(text.strip(), 0.99, 200 * column, 40 * y, 200 * column + 15 * len(text.strip()), 40 * y + 20)
        for y, line in enumerate(lines)
        for column, text in enumerate(line.split("|"))
        if text.strip()
    ]
    return group_lines(boxes)


def found(*lines: str) -> list[Row]:
    boxes = [box for line in page(*lines) for box in line]
    return [row for panel in split_panels(boxes) for row in find_rows(group_lines(panel))[0]]


def rows_of(*lines: str) -> list[tuple]:
    return [row_text(row) for row in found(*lines)]


def test_columns_may_stand_in_any_order():
    wanted = [("钾", "K", "4.1", "mmol/L", "3.5-5.3"), ("钠", "Na", "140", "mmol/L", "137-147")]
    assert rows_of(
        "项目|代号|结果|单位|参考范围", "钾|K|4.1|mmol/L|3.5-5.3", "钠|Na|140|mmol/L|137-147"
    ) == wanted
    assert rows_of(
        "项目|代号|参考范围|单位|结果", "钾|K|3.5-5.3|mmol/L|4.1", "钠|Na|137-147|mmol/L|140"
    ) == wanted


def test_rows_without_a_header():
    assert rows_of("钾|4.1|mmol/L|3.5-5.3", "钠|140|mmol/L|137-147") == [
        ("钾", "", "4.1", "mmol/L", "3.5-5.3"),
        ("钠", "", "140", "mmol/L", "137-147"),
    ]


@pytest.mark.parametrize("header", ["项目|上次结果|结果|参考范围", "项目|前次|本次结果|参考值", "指标|历史|结果|范围"])
def test_the_previous_result_is_never_taken_for_this_one(header):
    (row,) = found(header, "血红蛋白|130|98|115-150")
    assert (row_text(row)[2], row.doubt) == ("98", None)


def test_a_blank_result_is_not_filled_with_the_previous_one():
    (row,) = found("项目|结果|上次结果|参考范围", "血红蛋白||130|115-150")
    assert row_text(row)[2] == ""


def test_two_numbers_without_a_header_are_doubted():
    (row,) = found("血小板|210|450|10^9/L|125-350")
    assert row.doubt is not None


def test_two_panels_side_by_side():
    assert rows_of(
        "项目|结果|单位|参考范围|项目|结果|单位|参考范围",
        "白细胞|12.84|10^9/L|3.5-9.5|钠|118|mmol/L|137-147",
        "红细胞||10^12/L|4.3-5.8|肌酐|700|μmol/L|41-73",
    ) == [
        ("白细胞", "", "12.84", "10^9/L", "3.5-9.5"),
        ("红细胞", "", "", "10^12/L", "4.3-5.8"),
        ("钠", "", "118", "mmol/L", "137-147"),
        ("肌酐", "", "700", "μmol/L", "41-73"),
    ]


def test_two_panels_without_a_header_never_mix():
    rows = found("血小板计数||125-350|肌酐|700|41-73", "钾||3.5-5.3|尿素|6.0|2.6-7.5")
    assert [row_text(row)[0::2] for row in rows] == [
        ("血小板计数", "", "125-350"), ("肌酐", "700", "41-73"), ("钾", "", "3.5-5.3"), ("尿素", "6.0", "2.6-7.5"),
    ]  # fmt: skip
    (mixed,) = found("某甲|1.2|3-5|某乙的范围|6-9") or [None]
    assert mixed is None or mixed.doubt


def test_head_and_foot_are_not_items():
    assert rows_of(
        "姓名：某某|性别：女|年龄：30",
        "项目|结果|单位|参考范围",
        "凝血酶原时间|12.1|秒|11-14",
        "报告时间|10:20",
        "检验者：某某|审核者：某某",
    ) == [("凝血酶原时间", "", "12.1", "秒", "11-14")]


def test_bounds_are_placed_by_their_column():
    (row,) = rows_of("项目|结果|单位|参考范围", "肌钙蛋白|<0.01|ng/ml|<0.04")
    assert row[2:] == ("<0.01", "ng/ml", "<0.04")


def drawn(shape: str) -> np.ndarray:
    image = Image.new("L", (60, 60), 250)
    draw = ImageDraw.Draw(image)
    if shape in "↑↓":
        tip, tail = (12, 44) if shape == "↑" else (44, 12)
        draw.line([(30, tip), (30, tail)], fill=20, width=3)
        inward = 8 if shape == "↑" else -8
        draw.line([(23, tip + inward), (30, tip), (37, tip + inward)], fill=20, width=3)
    if shape == "|":
        draw.line([(30, 12), (30, 44)], fill=20, width=3)
    if shape == "-":
        draw.line([(22, 30), (38, 30)], fill=20, width=3)
    return np.asarray(image)


@pytest.mark.parametrize(("shape", "arrow"), [("↑", "↑"), ("↓", "↓"), ("|", None), ("-", None), (" ", None)])
def test_arrows_are_told_by_their_pixels(shape, arrow):
    assert find_arrow(drawn(shape), (0, 0, 60, 60), text_height=34) == arrow


@pytest.mark.parametrize(("shape", "dash"), [("-", "-"), ("|", ""), (" ", "")])
def test_lone_dashes_are_seen(shape, dash):
    assert find_dashes(drawn(shape), (0, 0, 60, 60), text_height=34) == dash


def test_a_blank_page_is_unreadable_and_a_letter_is_no_report():
    reader = ReportReader()
    with pytest.raises(UnreadableReport) as blank:
        reader.read(Image.new("RGB", (800, 600), "white"))
    assert blank.value.code == "report_unreadable"

    letter = Image.new("RGB", (900, 500), "white")
    for y in range(6):
        line = "Dear friend, see you at the park at noon."
        ImageDraw.Draw(letter).text((40, 40 + 60 * y), line, "black", font_size=36)
    with pytest.raises(UnreadableReport) as other:
        reader.read(letter)
    assert other.value.code == "not_a_lab_report"


def png(mode: str, size: tuple[int, int], color) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, color).save(buffer, "PNG")
    return buffer.getvalue()


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
