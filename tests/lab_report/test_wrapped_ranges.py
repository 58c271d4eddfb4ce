"""折成几行印的参考范围：下半截归它接着的那一格，不归碰巧更近的下一项；说不准时两项都起疑。文字框是造的。"""

import pytest
from lab_report.text_boxes import at_lines, headed

from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows

HEAD = (0, {50: "项目", 400: "结果", 550: "参考区间", 800: "单位"})
FIRST = (1, {50: "睾酮", 400: "5.69", 550: "1.93-7.40", 800: "ng/mL"})
LAST = (3.6, {50: "fPSA/PSA", 400: "0.17"})


def read(*lines: tuple[float, dict[float, str]]) -> dict[str, Row]:
    return {row_text(row)[0]: row for row in find_rows(headed(at_lines(HEAD, FIRST, *lines)))}


@pytest.mark.parametrize(("first", "is_whole"), [("<50岁 0.11-", True), ("<50岁 0.11", False)])
@pytest.mark.parametrize("method", [{}, {50: "[电化学发光]"}, {50: "(CLIA)"}])
def test_the_third_line_of_a_range_stays_with_its_item_though_the_next_item_is_nearer(first, is_whole, method):
    item = (2, {50: "游离前列腺特异抗原", 400: "1.69", 550: first, 800: "ng/mL"})
    rows = read(item, (2.5, {550: "0.52;>=50岁"} | method), (3.05, {550: "0.27-0.83"}), LAST)
    free = rows["游离前列腺特异抗原"]
    assert "".join(box.text for box in free.limits).replace(" ", "") == f"{first}0.52;>=50岁0.27-0.83".replace(" ", "")
    assert (free.doubt is None) == is_whole
    assert not rows["fPSA/PSA"].limits


@pytest.mark.parametrize(
    ("pieces", "whole"),
    [
        (("0.084-0.48", "1"), "0.084-0.481"),
        (("未孕女性:4.79-2", "3.3"), "未孕女性:4.79-23.3"),
        (("缺乏<2", "0;不足2", "0-30;充", "足30-10", "0"), "缺乏<20;不足20-30;充足30-100"),
    ],
)
@pytest.mark.parametrize("named", [0, 1])
def test_a_range_broken_inside_a_word_or_a_number_is_one(pieces, whole, named):
    """名称与头一行齐，或与第二行齐（格里上下居中）。"""
    lines = [
        (2 + 0.65 * at, {550: piece} | ({50: "泌乳素", 400: "60.1", 800: "ng/mL"} if at == named else {}))
        for at, piece in enumerate(pieces)
    ]
    rows = read(*lines, (6, {50: "钾", 400: "4.1", 550: "3.5-5.3", 800: "mmol/L"}))
    assert [[box.text for box in row.limits] for row in rows.values()] == [["1.93-7.40"], [whole], ["3.5-5.3"]]
