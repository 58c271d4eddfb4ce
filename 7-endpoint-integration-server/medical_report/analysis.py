"""一张照片从读到建议。JSON 与 SSE 两种回答用的是同一串事件。"""

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from flask import Flask
from PIL import Image

from health_assistant.lab_report import advice
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import DISCLAIMER, LabReport, ReadReport
from medical_report.rendering import describe, to_html

log = logging.getLogger(__name__)
Event = tuple[str, dict[str, Any]]
"""事件名与内容：accepted、report、advice、done；出错时由视图发 error。"""


class Busy(RuntimeError):
    """排队的照片太多。"""


class Analyst:
    """内置引擎：一个读者，和排队的位子。"""

    def __init__(self, max_waiting: int) -> None:
        self._slots = threading.BoundedSemaphore(max_waiting)

    @cached_property
    def reader(self):
        from health_assistant.lab_report.reading.reader import ReportReader

        return ReportReader()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """占一个位子；没有空位时抛 `Busy`。"""
        if not self._slots.acquire(blocking=False):
            raise Busy
        try:
            yield
        finally:
            self._slots.release()


def get_analyst(app: Flask) -> Analyst:
    return app.extensions["analyst"]


def analyse_photo(analyst: Analyst, image: Image.Image, request_id: str) -> Iterator[Event]:
    """照片 -> 事件。image 可以还没有解码。

    读不出时抛 `UnreadableReport`，图片损坏时抛 `BadImage`，排不上时抛 `Busy`。
    """
    started = time.perf_counter()
    with analyst.slot():
        yield "accepted", {"request_id": request_id}
        reading = analyst.reader.read(image)
    read_ms = _milliseconds_since(started)
    report = assess(reading.report, reading.evidence)
    yield from _explain(report, reading.engine, request_id, {"read": read_ms}, started)


def analyse_rows(rows: ReadReport, request_id: str) -> Iterator[Event]:
    """人核对、改正过的各行 -> 事件；判断与建议重新做，不信传来的判断。"""
    yield from _explain(assess(rows), "人工核对", request_id, {}, time.perf_counter())


def _explain(
    report: LabReport, vision_engine: str, request_id: str, timings_ms: dict[str, int], started: float
) -> Iterator[Event]:
    yield "report", report.model_dump(mode="json")
    advising = time.perf_counter()
    sections: list[str] = []
    for section in advice.advice_sections(report):
        sections.append(section)
        yield "advice", {"advice_html": to_html("\n\n".join(sections))}
    analysis, recommendations = describe(report), "\n\n".join(sections)
    timings_ms = {**timings_ms, "advise": _milliseconds_since(advising), "total": _milliseconds_since(started)}
    # 日志里只有数目与时间，没有内容
    log.info("%s 读了 %d 行，%s", request_id, len(report.items), timings_ms)
    yield (
        "done",
        {
            "request_id": request_id,
            "analysis_result": analysis,
            "health_recommendations": recommendations,
            "analysis_html": to_html(analysis),
            "advice_html": to_html(recommendations),
            "report": report.model_dump(mode="json"),
            "triage": report.triage,
            "notices": report.notices,
            "engines": {"vision": vision_engine, "advice": advice.ENGINE_NAME},
            "timings_ms": timings_ms,
            "disclaimer": DISCLAIMER,
        },
    )


def _milliseconds_since(start: float) -> int:
    return round((time.perf_counter() - start) * 1000)
