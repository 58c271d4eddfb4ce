"""PaddleOCR-VL 作对手：它只认几句固定的话，答的是表格标记（OTSL）；照内置引擎分行分列的办法变成一行行检验项目。

标记：<fcel> 后面是一格的字，<ecel> 空格，<lcel>、<ucel>、<xcel> 与左边、上面、两边的合并，<nl> 换行。
提问与标记照 vLLM 的用法页和几个公开项目核对过（2026 年 11 月）；模型本身没有跑过。
"""

import re

from health_assistant.lab_report.report import UnreadableReport
from health_assistant.lab_report.vl_protocol import answer_of

TABLE_PROMPT = "Table Recognition:"
_TAG = re.compile(r"<(fcel|ecel|lcel|ucel|xcel|nl)>")
_LETTER, _TEXT, _LINE = 24, 30, 60
"""排成一页时一个字多宽、多高，一行多高，像素。"""


def is_paddleocr_vl(model: str) -> bool:
    """接口里的模型名是不是它的。"""
    return "paddleocr-vl" in model.lower()


def report_answer(answer: str) -> str:
    """它的回答 -> 与别的视觉模型一样的 JSON；没有表、表里没有检验项目的，照原样。"""
    import numpy as np

    from health_assistant.lab_report.reading.reader import read_boxes
    from health_assistant.lab_report.reading.upright import Page, to_text_boxes

    rows = table_cells(answer)
    if not any(map(any, rows)):
        return answer
    # 各列按最长的一格排开，就和拍正了的一页一样
    columns = max(map(len, rows))
    lengths = [max(len(row[at]) if at < len(row) else 0 for row in rows) for at in range(columns)]
    starts = np.cumsum([_LETTER, *((length + 3) * _LETTER for length in lengths)])
    quads, texts = [], []
    for number, row in enumerate(rows):
        for x0, text in zip(starts, row, strict=False):
            if text:
                x1, y0 = x0 + len(text) * _LETTER, (number + 1) * _LINE
                quads.append([[x0, y0], [x1, y0], [x1, y0 + _TEXT], [x0, y0 + _TEXT]])
                texts.append((text, 1.0))
    pixels = np.full((_LINE * (len(rows) + 2), int(starts[-1]), 3), 255, np.uint8)
    page = Page(pixels, np.array(quads, np.float32), np.eye(3))
    try:
        return answer_of(read_boxes(page, to_text_boxes(page.quads, texts)))
    except UnreadableReport:
        return answer


def table_cells(answer: str) -> list[list[str]]:
    """表格标记 -> 各行各格的字；合并的、空的格是空串，没有标记的为空。"""
    rows: list[list[str]] = [[]]
    parts = _TAG.split(answer)
    for tag, text in zip(parts[1::2], parts[2::2], strict=True):
        if tag == "nl":
            rows.append([])
        else:
            rows[-1].append(text.strip() if tag == "fcel" else "")
    return [row for row in rows if row]
