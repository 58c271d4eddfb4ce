"""一页印着什么，读成、判断成什么：printed_pages.yaml 里的一页页，写法见它的开头。文字框是造的，不经文字识别。"""

import re
from pathlib import Path

import numpy as np
import pytest
from lab_report.text_boxes import PITCH, box

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.reading.reader import read_boxes
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.report import UnreadableReport

TABLE = load_yaml(Path(__file__).with_name("printed_pages.yaml"))
WIDTH = 2000


def read(case: dict) -> Assessment:
    """各行的格子照 `at` 排开，空着的一格没有文字框。"""
    boxes, y = [], 100.0 - PITCH
    for line in case["lines"]:
        gap, texts = re.fullmatch(r"(?:([\d.]+)> )?(.*)", line).groups()
        y += PITCH * float(gap or 1)
        cells = zip(case["at"], texts.split("|"), strict=False)
        boxes += [box(text.strip(), x, y) for x, text in cells if text.strip()]
    quads = np.array([[[b.x0, b.y0], [b.x1, b.y0], [b.x1, b.y1], [b.x0, b.y1]] for b in boxes], np.float32)
    pixels = np.full((200 + round(y), WIDTH, 3), 255, np.uint8)
    return assess(read_boxes(Page(pixels, quads, np.eye(3)), boxes))


def written(one: Finding) -> str:
    name = f"{one.name}[{one.code}]" if one.code else one.name
    mark = [one.mark] if one.mark else []
    return " | ".join([name, one.result, one.unit, one.reference_range, one.flag, *mark])


@pytest.mark.parametrize("case", [pytest.param(case, id=kind) for kind, case in TABLE.items()])
def test_a_page_is_read_so(case):
    if "refused" in case:
        with pytest.raises(UnreadableReport) as refused:
            read(case)
        assert refused.value.code == case["refused"]
        assert case.get("says", "") in str(refused.value)
        return
    report = read(case)
    assert [written(one) for one in report.items] == case["rows"]
    unread = re.search(r"表里有 (\d+) 行没有读成", "".join(report.notices))
    assert int(unread[1] if unread else 0) == case.get("unread", 0)
    assert [report.sex, report.age] == case.get("person", [report.sex, report.age])
    assert any(one.alarm for one in report.items) == case.get("alarm", False)
