"""横着排的表（一列是一个项目）转成一行一个项目；平常的表一格也不动。文字框是造的。"""

import pytest
from lab_report.text_boxes import grid

from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.transposed import turn_transposed

UPRIGHT = [["白细胞", "红细胞", "血小板"], ["项目", "结果", "单位"], ["钾", "4.1", "mmol/L"], ["钠", "139", "mmol/L"]]


def lines_of(texts):
    return group_lines(grid(texts, 240))


@pytest.mark.parametrize("scale", [["0 100 200", "0 100 200", "0 10 20"], ["0", "200", "0", "200", "0", "20"]])
def test_the_scales_of_histograms_are_no_results(scale):
    lines = lines_of([["WBC", "RBC", "PLT"], scale])
    assert turn_transposed(lines) is lines


def test_an_ordinary_table_is_left_alone():
    lines = lines_of(UPRIGHT)
    assert turn_transposed(lines) is lines
