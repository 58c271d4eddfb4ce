"""折成几行印的参考范围：下半截归它接着的那一格，不归碰巧更近的下一项；说不准时两项都起疑。文字框是造的。"""

import pytest
from lab_report.text_boxes import at_lines, headed, page

from health_assistant.lab_report.reading.row import Row, row_text
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables

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


def test_a_range_between_two_items_that_may_be_of_either_doubts_both():
    item = (2, {50: "游离前列腺特异抗原", 400: "1.69", 550: "0-0.93", 800: "ng/mL"})
    rows = read(item, (2.5, {550: "0.27-0.83"}), (3.1, LAST[1]))
    assert rows["游离前列腺特异抗原"].doubt and rows["fPSA/PSA"].doubt


def test_a_range_a_little_above_its_own_item_is_its_own():
    item = (2, {50: "游离前列腺特异抗原", 400: "1.69", 550: "0-0.93", 800: "ng/mL"})
    rows = read(item, (2.7, {550: "0.27-0.83"}), (3.1, LAST[1]))
    assert [box.text for box in rows["fPSA/PSA"].limits] == ["0.27-0.83"]
    assert not any(row.doubt for row in rows.values())


def test_the_last_phase_of_a_range_nearer_the_next_item_which_has_its_own_stays_above():
    """范围以名称为中，上下各印两行。"""
    phases = ["卵泡期 2.4-12.6", "排卵期 14.0-95.6", "黄体期 1.0-11.4", "绝经期 7.7-58.5"]
    lines = [(2 + at / 2, {550: phase}) for at, phase in enumerate(phases)]
    named = (2.75, {50: "黄体生成素", 400: "7.2", 800: "IU/L"})
    after = (4.1, {50: "泌乳素", 400: "986", 550: "102-496", 800: "uIU/mL"})
    rows = read(*lines[:2], named, *lines[2:], after)
    assert len(rows["黄体生成素"].limits) == 4
    assert [box.text for box in rows["泌乳素"].limits] == ["102-496"]
    assert not any(row.doubt for row in rows.values())


def test_a_range_of_three_lines_around_each_name_is_counted_off_line_by_line():
    """头一行离上一项的末一行更近的也是：每两项之间都是一样多的行。"""
    items = [
        ("维生素D", "23.8", ("<20 缺乏", "20-30 不足", "30-100 充足")),
        ("叶酸", "1.5", ("<3 缺乏", "3-4 不足", "4-20 充足")),
        ("维生素A", "389", ("<200 缺乏", "200-300 不足", "300-700 充足")),
    ]
    lines = []
    for at, (name, result, tiers) in enumerate(items):
        ahead, beside, behind = ({550: tier} for tier in tiers)
        top = 2 + 1.8 * at
        lines += [(top, ahead), (top + 0.6, {50: name, 400: result} | beside), (top + 1.2, behind)]
    rows = {row_text(row)[0]: row for row in find_rows(headed(at_lines(HEAD, *lines)))}
    assert {name: row_text(row)[4] for name, row in rows.items()} == {
        "维生素D": "<20 缺乏,20-30 不足,30-100 充足",
        "叶酸": "<3 缺乏,3-4 不足,4-20 充足",
        "维生素A": "<200 缺乏,200-300 不足,300-700 充足",
    }
    assert not any(row.doubt for row in rows.values())


def test_a_second_line_in_brackets_is_part_of_the_name():
    name = (3, {50: "25-OH VITAMIN D"})
    rows = read(
        (2, {50: "FERRITIN", 400: "88", 550: "30-400", 800: "ng/mL"}),
        name,
        (3.55, {50: "(TOTAL)", 400: "62.15", 550: "30-100"}),
    )
    assert list(rows)[-1].startswith("25-OH VITAMIN D") and rows[list(rows)[-1]].result.text == "62.15"


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


@pytest.mark.parametrize("gap", ["", " "])
def test_a_serial_of_the_next_block_glued_to_a_range_is_no_part_of_it(gap):
    names = [("白细胞", "中性粒细胞%"), ("红细胞", "淋巴细胞%"), ("血红蛋白", "单核细胞%"), ("血小板", "嗜酸性粒细胞%")]
    heads = {50: "项目", 300: "结果", 420: "参考值", 560: "项目", 800: "结果", 920: "参考值"}
    lines = [
        {50: left, 300: "4.5", 420: f"3.5-9.5{gap}{at}", 560: right, 800: "4.5", 920: "3.5-9.5"}
        for at, (left, right) in enumerate(names, start=8)
    ]
    limits = [row_text(row)[4] for table in find_tables(page(heads, *lines)) for row in find_rows(table)]
    assert limits == ["3.5-9.5"] * 8
