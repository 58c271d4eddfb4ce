"""手机上的卡片：名称一行，结果、单位、范围在它下面，旁边有 `正常` 一类的小字。"""

import pytest
from lab_report.text_boxes import at_lines

from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables

THYROTROPIN = ("促甲状腺激素", "3.11 mIU/L", "参考范围:0.05-3.30")
TRIGLYCERIDE = ("甘油三酯", "3.12 mmol/L", "参考范围:0-4.50")
GLUCOSE = ("空腹血糖", "4.62 mmol/L", "参考范围:<5.10")


def rows_of(*lines: tuple[float, dict[float, str]]) -> list[Row]:
    return [row for table in find_tables(at_lines(*lines)) for row in find_rows(table)]


def values_of(row: Row) -> list[str]:
    return [box.text for box in (row.name, row.result, row.unit, *row.limits) if box]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("word", ["正常", "未见异常", "达标", "偏高"])
def test_a_word_beside_the_value_takes_no_range_away(word, place):
    lines: list[tuple[float, dict[float, str]]] = []
    for at, card in enumerate((THYROTROPIN, TRIGLYCERIDE, GLUCOSE)):
        lines += [
            (4 * at + down, {50: text} | ({800: word} if down == place else {})) for down, text in enumerate(card)
        ]
    assert [values_of(row) for row in rows_of(*lines)] == [
        ["促甲状腺激素", "3.11", "mIU/L", "0.05-3.30"],
        ["甘油三酯", "3.12", "mmol/L", "0-4.50"],
        ["空腹血糖", "4.62", "mmol/L", "<5.10"],
    ]


@pytest.mark.parametrize("word", ["正常", "未见异常"])
def test_a_word_that_says_normal_beside_the_value_is_its_mark(word):
    lines: list[tuple[float, dict[float, str]]] = []
    for at, card in enumerate((THYROTROPIN, TRIGLYCERIDE)):
        lines += [(4 * at + down, {50: text} | ({800: word} if down == 1 else {})) for down, text in enumerate(card)]
    assert [row.mark.text for row in rows_of(*lines)] == [word, word]
