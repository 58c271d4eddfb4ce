"""内置的读者：图片 -> `ReadReport`，每行附把握与位置。不用 GPU，不联网，图片只在内存里。"""

import re
from concurrent.futures import Future, ThreadPoolExecutor

import cv2
import numpy as np
from PIL import Image

from health_assistant.images import upright_rgb
from health_assistant.lab_report.catalogue import find_indicator
from health_assistant.lab_report.reading.cells import split_mark
from health_assistant.lab_report.reading.glyphs import find_arrow, find_dashes
from health_assistant.lab_report.reading.rows import Columns, Row, find_rows, group_lines, row_text, split_panels
from health_assistant.lab_report.reading.text import TextBox, TextReader
from health_assistant.lab_report.reference_range import Terms, parse_range
from health_assistant.lab_report.report import Reading, ReadItem, ReadReport, RowEvidence, UnreadableReport

ENGINE_NAME = "embedded-report-reader"


class ReportReader:
    """读化验单。多个线程共用一个实例，逐张读。

    读都在同一个线程里做：glibc 给每个线程各留一份用过的内存，8 个线程轮流读时峰值是 1.9 GB，这样是 0.8 GB。
    """

    def __init__(self) -> None:
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="report-reader")
        self._text_reader: TextReader | None = None

    @property
    def is_loaded(self) -> bool:
        return self._text_reader is not None

    def load(self) -> Future:
        """开始装入模型（约 1 秒），不等它装完；不调用则在第一次 `read` 时装入。"""
        return self._worker.submit(self._load)

    def read(self, image: Image.Image) -> Reading:
        """读一张图；图可以还没有解码，轮到它时才解码、按 EXIF 摆正。

        读不出时抛 `UnreadableReport`，图片损坏时抛 `BadImage`。
        """
        return self._worker.submit(self._read, image).result()

    def _load(self) -> None:
        self._text_reader = self._text_reader or TextReader()

    def _read(self, image: Image.Image) -> Reading:
        self._load()
        image = upright_rgb(image)
        boxes = self._text_reader.read(image)
        if len(boxes) < 4:
            raise UnreadableReport(
                "report_unreadable", "没有看清文字。请把报告单放平、对准、光线充足，靠近一些重拍一张。"
            )
        panels = [find_rows(group_lines(panel)) for panel in split_panels(boxes)]
        if not any(rows and _looks_like_lab_report(rows, columns) for rows, columns in panels):
            raise UnreadableReport(
                "not_a_lab_report",
                "没有找到检验项目。请确认这是化验单，并让“项目、结果、参考范围”各列都在画面里、方向摆正。",
            )
        gray = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2GRAY)
        read = [_read_row(row, columns, gray, boxes) for rows, columns in panels for row in rows]
        items, evidence = zip(*read, strict=True)
        report = ReadReport(items=list(items), **_read_head(group_lines(boxes)))
        return Reading(report=report, evidence=list(evidence), engine=ENGINE_NAME)


def _read_row(row: Row, columns: Columns, gray: np.ndarray, boxes: list[TextBox]) -> tuple[ReadItem, RowEvidence]:
    name, code, result, unit, limits = row_text(row)
    if not result:
        result = _find_dash_result(row, columns, gray, limits)
    mark = _find_mark(row, gray, boxes)
    item = ReadItem(name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark)
    doubt = row.doubt
    if mark is None and any(box.text == "1" for box in row.maybe_arrows):
        doubt = "结果旁边有个 1，不能确定是箭头还是数"
    parts = row.boxes()
    outline = (min(b.x0 for b in parts), min(b.y0 for b in parts), max(b.x1 for b in parts), max(b.y1 for b in parts))
    scores = [box.score for box in [row.name, row.result, *row.limits] if box]
    box = tuple(round(edge) for edge in outline)
    return item, RowEvidence(confidence=round(min(scores), 3), boxes={"row": box}, doubt=doubt)


def _find_mark(row: Row, gray: np.ndarray, boxes: list[TextBox]) -> str | None:
    """这一行的异常标记。文字标记（H、偏高）信文字识别；箭头信像素。"""
    if row.mark and not set(row.mark.text) & set("↑↓"):
        return row.mark.text
    height = row.name.height
    zones = [(box.x0 - 2, box.y0 - 2, box.x1 + 2, box.y1 + 2) for box in row.maybe_arrows]
    if row.result:
        # 结果左右两边的空白，到最近的文字为止：字母 L、P 的形状也像箭头
        beside = [box for box in boxes if abs(box.center_y - row.result.center_y) < height and box != row.result]
        words = [box for box in beside if box not in row.maybe_arrows]
        start = max((box.x1 for box in words if box.center_x < row.result.x0), default=row.name.x1)
        start -= height if split_mark(row.name.text)[1] else 0
        zones.append((start, row.result.y0, row.result.x0, row.result.y1))
        end = min((box.x0 for box in words if box.x0 > row.result.x1), default=row.result.x1)
        zones.append((row.result.x1, row.result.y0, end, row.result.y1))
    found = {arrow for zone in zones if (arrow := find_arrow(gray, zone, height))}
    return found.pop() if len(found) == 1 else None


def _find_dash_result(row: Row, columns: Columns, gray: np.ndarray, limits: str) -> str:
    """结果列里没有识别出文字时，看像素里有没有横线。单独一横只在范围是定性词时才算“阴性”。"""
    if "result" not in columns.centers:
        return ""
    height, center = row.name.height, columns.centers["result"]
    right = min((box.x0 for box in [row.unit, *row.limits] if box), default=center + 4 * height)
    left = max(row.name.x1, center - 4 * height)
    middle = (row.limits[0] if row.limits else row.name).center_y
    middle = (middle + row.name.center_y) / 2
    zone = (left, middle - 0.6 * height, min(right, center + 4 * height), middle + 0.6 * height)
    dashes = find_dashes(gray, zone, height)
    return dashes if dashes != "-" or isinstance(parse_range(limits), Terms) else ""


def _looks_like_lab_report(rows: list[Row], columns: Columns) -> bool:
    """小票、处方也有“名称 数字”：要有化验单的表头，或有一行带参考范围，或有目录认识的项目。"""
    if columns.from_header and "range" in columns.centers or any(row.result and row.limits for row in rows):
        return True
    return any(find_indicator(name, code, unit) for name, code, _, unit, _ in map(row_text, rows))


def _read_head(lines: list[list[TextBox]]) -> dict[str, str | None]:
    """页眉里的报告类型、性别、年龄；没有印的为空。"""
    texts = [" ".join(box.text for box in line) for line in lines]
    page = "\n".join(texts)
    person = next((text for text in texts if "姓名" in text), "")
    sex = re.search(r"性\s*别\s*[:：]?\s*(男|女)", page) or re.search(r"(?<![一-鿿])(男|女)(?![一-鿿])", person)
    age = re.search(r"年\s*龄\s*[:：]?\s*(\d{1,3}\s*(?:岁|周岁|个?月|天|日)?)", page) or re.search(
        r"(?<!\d)(\d{1,3}\s*(?:岁|周岁|个月|月龄|天))", person
    )
    named = re.search(r"(?:报告类型|检验类型|检验目的|检验项目)\s*[:：]\s*(\S+)", page)
    title = next((text for text in texts[:4] if text.endswith(("报告", "报告单", "检验单")) and len(text) < 30), "")
    return {
        "report_type": named[1] if named else title.replace(" ", ""),
        "sex": sex[1] if sex else None,
        "age": age[1].replace(" ", "") if age else None,
    }
