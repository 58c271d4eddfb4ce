"""造文字框：不画图、不认字，直接给读的规则一页文字。"""

from collections.abc import Iterable

from health_assistant.lab_report.reading.tables import Table, find_tables
from health_assistant.lab_report.reading.text import TextBox

HEIGHT = 20
PITCH = 40


def box(text: str, start: float, line: float) -> TextBox:
    width = sum(20 if ord(character) > 0x2E80 else 11 for character in text)
    return TextBox(text, 0.99, start, line - HEIGHT / 2, start + width, line + HEIGHT / 2, line, start, start + width)


def spread(*texts: str, gap: float = 60, line: float = 100) -> list[TextBox]:
    """一行里从左到右隔开的几格。"""
    boxes: list[TextBox] = []
    for text in texts:
        boxes.append(box(text, boxes[-1].end + gap if boxes else 50, line))
    return boxes


def placed(line: str) -> dict[float, str]:
    """`50 钾 | 300 4.1` -> “横坐标 -> 文字”。"""
    cells = (cell.split(" ", 1) for cell in line.split(" | "))
    return {float(x): text for x, text in cells}


def page(*lines: dict[float, str]) -> list[list[TextBox]]:
    """每一行是“横坐标 -> 文字”。"""
    return [[box(text, x, 100 + PITCH * at) for x, text in sorted(line.items())] for at, line in enumerate(lines)]


def at_lines(*lines: tuple[float, dict[float, str]]) -> list[list[TextBox]]:
    """每一行是（行数，“横坐标 -> 文字”）；行数可以是半行。"""
    return [[box(text, x, 100 + PITCH * at) for x, text in sorted(line.items())] for at, line in lines]


def grid(lines: Iterable[Iterable[str]], step: float = 200) -> list[TextBox]:
    """几行，一行里隔 step 一格；空着的一格没有文字框。"""
    return [
        box(text, 50 + step * at, 100 + PITCH * down)
        for down, line in enumerate(lines)
        for at, text in enumerate(line)
        if text.strip()
    ]


def headed(lines: list[list[TextBox]]) -> Table:
    """页面上唯一的一张有表头的表。"""
    (table,) = [table for table in find_tables(lines) if table.columns.has_header]
    return table
