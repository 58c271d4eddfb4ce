"""很长的截图：在没有字的地方切成几段，逐段找字、认字，文字框拼回整张；表怎样分行分列，仍看整张。"""

from dataclasses import replace
from itertools import pairwise

import cv2
import numpy as np

from health_assistant.lab_report.reading.cutting import cut_points
from health_assistant.lab_report.reading.recognition import read_texts
from health_assistant.lab_report.reading.text import TextBox, TextReader
from health_assistant.lab_report.reading.upright import Page, find_page, to_text_boxes


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
