"""一页印着什么，读成、判断成什么：printed_pages.yaml 里的一页页，写法见它的开头。文字框是造的，不经文字识别。"""

from pathlib import Path

import numpy as np
import pytest
import yaml
from lab_report.text_boxes import PITCH, box

from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.reading.reader import read_boxes
from health_assistant.lab_report.reading.upright import Page

TABLE = yaml.safe_load(Path(__file__).with_name("printed_pages.yaml").read_text("utf-8"))
WIDTH = 2000


def read(case: dict) -> Assessment:
    """各行的格子照 `at` 排开，空着的一格没有文字框。"""
    lines = [
        [(x, text.strip()) for x, text in zip(case["at"], line.split("|"), strict=False)] for line in case["lines"]
    ]
    boxes = [box(text, x, 100 + PITCH * at) for at, line in enumerate(lines) for x, text in line if text]
    quads = np.array([[[b.x0, b.y0], [b.x1, b.y0], [b.x1, b.y1], [b.x0, b.y1]] for b in boxes], np.float32)
    pixels = np.full((200 + PITCH * len(lines), WIDTH, 3), 255, np.uint8)
    return assess(read_boxes(Page(pixels, quads, np.eye(3)), boxes))


@pytest.mark.parametrize("case", [pytest.param(case, id=kind) for kind, case in TABLE.items()])
def test_a_page_is_read_so(case):
    report = read(case)
    rows = [
        " | ".join(
            (f"{one.name}[{one.code}]" if one.code else one.name, one.result, one.unit, one.reference_range, one.flag)
        )
        for one in report.items
    ]
    assert rows == case["rows"]
    assert [report.sex, report.age] == case.get("person", [report.sex, report.age])
    assert any(one.alarm for one in report.items) == case.get("alarm", False)
