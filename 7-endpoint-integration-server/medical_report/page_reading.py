"""读一页：视觉模型读，内置读者同时也读，用来核对，或在视觉模型没有答好时顶上。"""

import logging
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING

from health_assistant.images import BadImage
from health_assistant.lab_report.judgement import MIN_CONFIDENCE
from health_assistant.lab_report.report import Reading, ReadRow, UnreadableReport
from health_assistant.lab_report.vl_protocol import data_url, parse_answer, read_messages, read_report_schema
from medical_report.metrics import DEGRADED, STEP_SECONDS
from medical_report.upload import Page
from medical_report.upstreams import UpstreamError

if TYPE_CHECKING:
    from medical_report.analysis import Analyst

log = logging.getLogger(__name__)

READ_TOKENS = 4096
MAX_ROWS, MAX_CELL = 300, 200
"""一页最多几行、一格最多几个字；真的报告远到不了。"""

_READ_FORMAT = {"type": "json_schema", "json_schema": {"name": "read_report", "schema": read_report_schema()}}


class Busy(RuntimeError):
    """排队的照片太多，或排到了时限。"""


class Clock:
    """一个请求的时限与各步的用时；读几页的，各页的用时加在一起。"""

    def __init__(self, total_seconds: float) -> None:
        self._started = time.monotonic()
        self.end = self._started + total_seconds
        self.timings_ms: dict[str, int] = {}

    def deadline(self, seconds: float) -> float:
        """从现在起一步的时限，`time.monotonic` 的时刻；不超过总时限。"""
        return min(time.monotonic() + seconds, self.end)

    def note(self, step: str, started: float | None = None) -> None:
        """记下一步的用时（毫秒）；没有给开始的是从头算起。"""
        seconds = time.monotonic() - (self._started if started is None else started)
        STEP_SECONDS.labels(step).observe(seconds)
        self.timings_ms[step] = self.timings_ms.get(step, 0) + round(seconds * 1000)


@dataclass
class PageRead:
    """一页的两份读数，没有的为 None；都没有时 `error` 是为什么。"""

    vision: Reading | None = None
    embedded: Reading | None = None
    error: Exception | None = None
    vision_failed: bool = False

    @property
    def is_read(self) -> bool:
        """至少有一份读数。"""
        return bool(self.vision or self.embedded)

    @property
    def problem(self) -> str | None:
        """为什么没有读成；读成了的为 None。"""
        return None if self.is_read else str(self.error) or "排队的照片太多，没有来得及读。"


def read_page(
    analyst: "Analyst", page: Page, clock: Clock, trace: list | None, reading: "Future[Reading] | None" = None
) -> PageRead:
    """读一页；读不出、打不开、来不及都记在结果里，不抛。reading 是内置读者已经开始的读。"""
    try:
        if analyst.vision is None:
            return PageRead(embedded=_read_embedded(analyst, page, clock, reading))
        return _read_with_vision(analyst, page, clock, trace)
    except (UnreadableReport, BadImage, Busy) as error:
        return PageRead(error=error)


def _read_embedded(
    analyst: "Analyst", page: Page, clock: Clock, reading: "Future[Reading] | None", wait: bool = True
) -> Reading:
    reading = reading or analyst.start_reading(page, clock.end if wait else None)
    started = time.monotonic()
    read = _wait(reading, clock.end)
    clock.note("read", started)
    return read


def _read_with_vision(analyst: "Analyst", page: Page, clock: Clock, trace: list | None) -> PageRead:
    checking = _start_checking(analyst, page) if analyst.settings.verify else None
    started = time.monotonic()
    step_end = clock.deadline(analyst.settings.vision_seconds)
    vision = None
    try:
        vision = _ask_vision(analyst, page, step_end, trace)
    except UpstreamError as error:
        log.warning("视觉模型%s", error)
        DEGRADED.labels("vision").inc()
    clock.note("vision", started)
    if vision is None:
        return PageRead(embedded=_read_embedded(analyst, page, clock, checking, wait=False), vision_failed=True)
    return PageRead(vision, _checked(checking, step_end, clock) if analyst.settings.verify else None)


def _ask_vision(analyst: "Analyst", page: Page, deadline: float, trace: list | None) -> Reading:
    """请视觉模型读；没有答好、看不清、读不成、大得离谱，都抛 `UpstreamError`。长截图切成几张，一张一张问。

    它说的把握与疑问只用来少下判断，它说的位置是缩小的图上的，不用。
    """
    head: dict = {}
    rows = []
    for image in page.parts_for_model():
        messages = read_messages(data_url(image))
        said = analyst.vision.ask(messages, READ_TOKENS, deadline, trace, analyst.asking_for(_READ_FORMAT))
        answer = parse_answer(said)
        report = answer.report
        if trace:
            shown = [row.printed() for row in report.items] if report else []
            trace[-1] |= {"parsed": answer.how, "rows": shown}
        if report is None:
            raise UpstreamError("broken")
        head = {name: head.get(name) or getattr(report, name) for name in ("report_type", "sex", "age")}
        rows += report.items
    reading = Reading(items=rows, engine=analyst.vision.model, **head)
    if not is_plausible(reading):
        raise UpstreamError("broken")
    reading.items = [
        ReadRow.of(row, doubt="视觉模型自己说这一行没有把握" if _is_doubtful(row) else None) for row in rows
    ]
    return reading


def is_plausible(report: Reading) -> bool:
    """行数与每一格的长度像一张真的报告。"""
    cells = [report.report_type, report.age, *(cell for row in report.items for cell in row.printed().values())]
    return 1 <= len(report.items) <= MAX_ROWS and all(len(cell or "") <= MAX_CELL for cell in cells)


def _is_doubtful(row: ReadRow) -> bool:
    return bool(row.doubt) or (row.confidence is not None and not row.confidence >= MIN_CONFIDENCE)


def _start_checking(analyst: "Analyst", page: Page) -> "Future[Reading] | None":
    try:
        return analyst.start_reading(page)
    except Busy:
        return None


def _checked(checking: "Future[Reading] | None", deadline: float, clock: Clock) -> Reading | None:
    """用来核对的读数；排不上、读不出、没有在时限内读完的为 None。

    是别的单子、不会读的语言时照抛 `UnreadableReport`：视觉模型从影像报告里“读出”的行不可信。
    """
    started = time.monotonic()
    try:
        return _wait(checking, deadline) if checking else None
    except Busy:
        return None
    except UnreadableReport as error:
        if error.code in ("other_paper", "unsupported_language"):
            raise
        return None
    finally:
        clock.note("verify", started)


def _wait(reading: "Future[Reading]", deadline: float) -> Reading:
    try:
        return reading.result(max(deadline - time.monotonic(), 0))
    except TimeoutError as error:
        reading.cancel()
        raise Busy from error
