"""弯的、折过的、卷着的纸：同一行的各段归在一起，从不与邻行混。只算坐标，不认字。"""

from collections.abc import Callable

import numpy as np
import pytest

from health_assistant.lab_report.reading.page import to_text_boxes
from health_assistant.lab_report.reading.tables import group_lines

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
