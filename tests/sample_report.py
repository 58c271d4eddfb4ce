"""网页的示例化验单：画它的脚本，里面有各行的真值与位置。"""

from pathlib import Path

import draw_sample_report as SAMPLE

STAGE = Path(__file__).resolve().parent.parent / "8-frontend-apps"


def row_box(number: int) -> tuple[int, int, int, int]:
    """第几行（从 1 数）在图上的框。"""
    return SAMPLE.draw_sample().boxes[number - 1]["row"]


def row_middle(number: int) -> float:
    _, top, _, bottom = row_box(number)
    return (top + bottom) / 2
