"""很长的截图：在没有字的地方切成几段，逐段找字、认字，文字框拼回整张；表怎样分行分列，仍看整张。

拼接的截图在接缝两边常有同样的几行，只列一遍。
"""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from health_assistant.lab_report.reading.cutting import cut_points
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.ocr import TextReader
from health_assistant.lab_report.reading.recognition import read_texts
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reading.upright import Page, find_page, to_text_boxes
from health_assistant.lab_report.report import NAMELESS, ReadRow


def read_strips(photo: np.ndarray, reader: TextReader) -> tuple[Page, list[TextBox]]:
    """长图（BGR）的文字框，坐标是整张的。"""
    quads, boxes = [np.empty((0, 4, 2), np.float32)], []
    cuts = cut_points(cv2.cvtColor(photo, cv2.COLOR_BGR2GRAY))
    for top, bottom in pairwise(cuts):
        strip = find_page(photo[top:bottom], reader, turns=False)
        texts = read_texts(strip, reader)
        for box in to_text_boxes(strip.quads, texts):
            boxes.append(replace(box, y0=box.y0 + top, y1=box.y1 + top, line=box.line + top))
        quads.append(strip.quads + np.array([0, top], np.float32))
    return Page(photo, np.concatenate(quads), np.eye(3)), boxes


def without_repeats(rows: list[ReadRow]) -> list[ReadRow]:
    """紧接着又印了一遍的几行只留一遍，留没有疑问、把握大的；有一格不同就都留着。

    只重复一行而名称不认得的也留着：名称可能没有读全，是两项。
    """
    kept: list[ReadRow] = []
    at = 0
    while at < len(rows):
        sizes = range(1, min(len(kept), len(rows) - at) + 1)
        again = next((size for size in sizes if _are_same(kept[-size:], rows[at : at + size])), 0)
        if again:
            pairs = zip(kept[-again:], rows[at : at + again], strict=True)
            kept[-again:] = [min(pair, key=lambda row: (bool(row.doubt), -(row.confidence or 0.0))) for pair in pairs]
        else:
            kept.append(rows[at])
        at += again or 1
    return kept


def _are_same(above: list[ReadRow], below: list[ReadRow]) -> bool:
    are_same = all(
        first.result and first.name != NAMELESS and first.printed() == second.printed()
        for first, second in zip(above, below, strict=True)
    )
    return are_same and (len(above) > 1 or is_known(above[0].name))
