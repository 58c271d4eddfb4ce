"""弯的、折过的、卷着的纸：同一行的各段归在一起，从不与邻行混。只算坐标，不认字。"""

from collections.abc import Callable

import numpy as np
import pytest

from health_assistant.lab_report.reading.arrangement import arrange
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.upright import to_text_boxes

HEIGHT, WIDTH = 24, 1400
COLUMNS = [(0.0, 3, 9), (0.28, 1.5, 3.5), (0.42, 1, 2.5), (0.58, 2, 4), (0.75, 2, 5), (0.88, 0.8, 4)]
"""各列在页宽的哪里，里面的字至少、至多几个字高宽。"""
Bend = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
BENDS: dict[str, tuple[Bend, float]] = {
    "平": (lambda u, v, rng: 0 * u, 1),
    "弯一次": (lambda u, v, rng: np.sin(rng.uniform(0.5, 1.2) * np.pi * u + rng.uniform(0, 6.28)), 3),
    "弯两次": (lambda u, v, rng: np.sin(rng.uniform(1, 2.2) * np.pi * u + rng.uniform(0, 6.28)), 1.2),
    "折过": (lambda u, v, rng: np.abs(u - rng.uniform(0.3, 0.7)) * (0.5 + v), 2),
    "越往下越弯": (lambda u, v, rng: np.sin(rng.uniform(0.5, 1.2) * np.pi * u + rng.uniform(0, 6.28)) * (0.2 + v), 2),
    "皱": (lambda u, v, rng: 0.5 * np.sin(np.pi * u + rng.uniform(0, 6.28)) + 0.3 * np.sin(7 * u + 3 * v), 1),
}
"""弯法：横、纵坐标占页宽、页高的几分之几 -> 上下挪几倍；乘上后面这么多个字高。"""


def draw_quads(bend: str, seed: int) -> list[tuple[int, np.ndarray]]:
    """弯纸上各段文字的（第几行，四角）；四角各偏 0.06 个字高，像找文字时那样。"""
    rng = np.random.default_rng(seed)
    pitch, count, (lift, reach) = rng.uniform(1.5, 2.2) * HEIGHT, rng.integers(8, 30), BENDS[bend]
    cells = []
    for row in range(count):
        for place, narrowest, widest in COLUMNS:
            if place == 0 or rng.random() > 0.12:
                left, top = place * WIDTH, row * pitch
                right = left + rng.uniform(narrowest, widest) * HEIGHT
                flat = np.array([(left, top), (right, top), (right, top + HEIGHT), (left, top + HEIGHT)])
                cells.append((row, flat + rng.normal(0, 0.06 * HEIGHT, (4, 2)), top))
    u = np.stack([quad[:, 0] / WIDTH for _, quad, _ in cells])  # (段数, 4)
    v = np.array([[top / (count * pitch)] * 4 for *_, top in cells])
    lifts = reach * HEIGHT * lift(u, v, rng)
    return [(row, quad + np.stack([0 * up, up], axis=1)) for (row, quad, _), up in zip(cells, lifts, strict=True)]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("bend", BENDS)
def test_cells_of_a_row_stay_together_on_bent_paper(bend, seed):
    cells = draw_quads(bend, seed)
    boxes = to_text_boxes(np.stack([quad for _, quad in cells]), [(f"{row}.5", 1.0) for row, _ in cells])
    lines = [{box.text for box in line} for line in group_lines(boxes)]
    mixed = [line for line in lines if len(line) > 1]
    split = len(lines) - len({row for row, _ in cells})
    assert (mixed, split) == ([], 0)


NAMES = ["白细胞", "中性粒细胞计数", "淋巴细胞计数", "单核细胞计数", "嗜酸性粒细胞计数"]
NAMES += ["嗜碱性粒细胞计数", "红细胞", "血红蛋白", "血小板"]


def bent_boxes(drift: float, header: str, lost: int | None = None) -> list[TextBox]:
    """九项的一张，第 n 项的结果是 n.5，范围是 n.0-n+1.0，在上面比结果低 drift 行，往下渐渐对上；第 lost 项没有范围。"""
    cells = [(x, 0.0, text) for x, text in zip((0, 400, 700), header.split(), strict=False)]
    for at, name in enumerate(NAMES):
        line = 60.0 * (at + 1)
        cells += [(0, line, name), (400, line, f"{at + 1}.5")]
        if at != lost:
            slid = 60 * drift * (1 - at / (len(NAMES) - 1))
            cells.append((700, line + slid, f"{at + 1}.0-{at + 2}.0"))
    return [TextBox(text, 0.99, x, y, x + 150, y + 24, y + 12, x, x + 150) for x, y, text in cells]


def not_their_own(rows: list[Row]) -> list[Row]:
    """配上了别人的范围的行。"""
    return [row for row in rows if row.result and row.limits and row.limits[0].text[0] != row.result.text[0]]


@pytest.mark.parametrize("header", ["项目 结果 参考范围", ""])
@pytest.mark.parametrize("drift", [1, -1])
def test_ranges_that_slide_by_a_row_are_doubted(header, drift):
    """范围一列在上面错开了一整行，往下渐渐对上。"""
    lines = group_lines(bent_boxes(drift, header))
    wrong = not_their_own([row for table in find_tables(lines) for row in find_rows(table)])
    assert wrong and all(row.doubt for row in wrong)


def bent_rows(drift: float, header: str, lost: int | None = None) -> list[Row]:
    rows_of = arrange(bent_boxes(drift, header, lost)).rows_of
    return [row for rows in rows_of for row in rows if row.name and row.result]


@pytest.mark.parametrize("header", ["项目 结果 参考范围", ""])
@pytest.mark.parametrize("drift", [-0.9, -0.7, -0.5, 0.5, 0.7, 0.9])
def test_columns_of_which_no_cell_is_lost_are_matched_in_order(drift, header):
    """一项对一项，一项也不差：弯得再多，第几个范围也是第几项的。"""
    rows = bent_rows(drift, header)
    read = [(row.name.text, row.result.text, row.limits[0].text, row.doubt) for row in rows]
    assert read == [(name, f"{at}.5", f"{at}.0-{at + 1}.0", None) for at, name in enumerate(NAMES, 1)]


def test_a_group_title_over_bent_columns_and_padded_percents_are_no_gap():
    """组名不是头一项的名称；`05 %` 是数；末一项的名称比结果低了一行。"""
    names = ["Haemoglobin", "White Cell Count", "Neutrophils", "Lymphocytes", "Monocytes", "Eosinophils", "RBC Count"]
    results = ["13.9 g/dL", "5.9", "57 %", "34 %", "05 %", "04 %", "4.91"]
    limits = ["14 - 17", "4 - 11", "50 - 70", "20 - 45", "2 - 10", "1 - 6", "4.50 - 6.50"]
    cells = [(0, 20.0, "Complete Blood Count (CBC)"), (420, 200.0, ",")]
    for at, texts in enumerate(zip(names, results, limits, strict=True)):
        slide = 9.0 * at
        cells += [
            (x, 60.0 * at + 80 - slide * share, text)
            for x, share, text in zip((0, 400, 700), (0, 1, 1.2), texts, strict=True)
        ]
    boxes = [TextBox(text, 0.99, x, y, x + 150, y + 24, y + 12, x, x + 150) for x, y, text in cells]
    rows = [row for rows in arrange(boxes).rows_of for row in rows]
    read = [(row.name.text, row.result.text, row.limits[0].text, row.doubt) for row in rows if row.result]
    assert read == [
        (name, result.split()[0], one, None) for name, result, one in zip(names, results, limits, strict=True)
    ]


@pytest.mark.parametrize("lost", [0, 4, 8])
@pytest.mark.parametrize("drift", [-0.9, -0.7, -0.5, 0.5, 0.7, 0.9])
def test_a_lost_range_leaves_no_neighbours_range_undoubted(drift, lost):
    rows = bent_rows(drift, "项目 结果 参考范围", lost)
    assert all(row.doubt for row in not_their_own(rows))
