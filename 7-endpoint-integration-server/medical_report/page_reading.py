"""读者与建议者；读一页：视觉模型读，内置读者同时也读，用来核对，或在视觉模型没有答好时顶上。"""

import logging
import threading
import time
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

from health_assistant.images import BadImage
from health_assistant.lab_report.joining import join_origins
from health_assistant.lab_report.language import Language
from health_assistant.lab_report.report import MIN_CONFIDENCE, Reading, ReadRow, UnreadableReport
from health_assistant.lab_report.vl_protocol import data_url, parse_answer, read_messages, read_report_schema
from medical_report.counters import DEGRADED, STEP_SECONDS
from medical_report.settings import Settings
from medical_report.upload import Page
from medical_report.upstreams import Upstream, UpstreamError

log = logging.getLogger(__name__)

READ_TOKENS = 4096
MAX_ROWS, MAX_CELL = 300, 200
"""一页最多几行、一格最多几个字；真的报告远到不了。"""
MAX_REPORT_ROWS = 1500
"""一份报告各页合起来最多几行：判断一行约 1.5 毫秒，合并几页要两两比。"""

NOTHING_TO_VERIFY = "内置程序在这张图上没有读到化验单，各行都只是视觉模型说的，没有判断。请核对原件。"

_READ_FORMAT = {"type": "json_schema", "json_schema": {"name": "read_report", "schema": read_report_schema()}}


class Busy(RuntimeError):
    """排队的照片太多，或排到了时限。"""


class Analyst:
    """读者与建议者：内置的总在，外部的按设置。多个线程共用；这里没有任何一张报告的内容。"""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.vision = self.advice = None
        if settings.vision_api_base:
            self.vision = Upstream("vision", settings.vision_api_base, settings.vision_api_key, settings.vision_model)
        if settings.advice_api_base:
            self.advice = Upstream(
                "advice", settings.advice_api_base, settings.advice_api_key, settings.advice_model,
                settings.advice_extra_body,
            )  # fmt: skip
        self._slots = threading.BoundedSemaphore(settings.max_waiting)

    @cached_property
    def reader(self):
        """内置的读者，第一次用时装入。"""
        from health_assistant.lab_report.reading.reader import ReportReader

        return ReportReader()

    def asking_for(self, response_format: dict) -> dict | None:
        """请上游按格式写；设置里说不用的为 None，只靠提示词。"""
        return response_format if self.settings.structured_output == "json_schema" else None

    def start_reading(self, page: Page, wait_until: float | None = None) -> Future[Reading]:
        """内置读者开始读（或排队）；没有空位时抛 `Busy`，给了 wait_until（`time.monotonic` 的时刻）的等到那时。"""
        seconds = max(wait_until - time.monotonic(), 0) if wait_until else 0
        if not self._slots.acquire(timeout=seconds):
            raise Busy
        future = self.reader.start(page.page_for_reader)
        future.add_done_callback(lambda _: self._slots.release())
        return future


class Job:
    """一个请求：编号、语言、时限、各步的用时（读几页的，各页的加在一起），trace 给了就记下与上游的来往。"""

    def __init__(
        self, request_id: str, total_seconds: float, trace: list[dict] | None = None, language: Language = "zh"
    ) -> None:
        self.request_id = request_id
        self.language = language
        self.trace = trace
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
    """第 number 页的两份读数，没有的为 None；都没有时 `error` 是为什么。"""

    number: int
    vision: Reading | None = None
    embedded: Reading | None = None
    error: Exception | None = None
    vision_failed: bool = False

    @property
    def row_count(self) -> int:
        """读多的那一份有几行。"""
        return max(len(reading.items) if reading else 0 for reading in (self.vision, self.embedded))

    @property
    def problem(self) -> str | None:
        """为什么没有读成；至少有一份读数的为 None。"""
        is_read = self.vision or self.embedded
        return None if is_read else str(self.error) or "排队的照片太多，没有来得及读。"


def read_page(analyst: Analyst, page: Page, number: int, job: Job, pending: Future[Reading] | None = None) -> PageRead:
    """读第 number 页；读不出、打不开、来不及都记在结果里，不抛。pending 是内置读者已经开始的读。"""
    read = PageRead(number)
    try:
        if analyst.vision:
            _read_with_vision(analyst, page, job, read)
        else:
            read.embedded = _wait(pending or analyst.start_reading(page, job.end), job.end, job, "read")
    except (UnreadableReport, BadImage, Busy) as error:
        read = PageRead(number, error=error)  # 视觉模型从别的单子里“读出”的行也不要
    return read


def _read_with_vision(analyst: Analyst, page: Page, job: Job, read: PageRead) -> None:
    """两个读者同时读，读数填进 read；视觉模型没有答好的，由内置读者顶上。"""
    pending = None
    if analyst.settings.verify:
        with suppress(Busy):
            pending = analyst.start_reading(page)
    started = time.monotonic()
    deadline = job.deadline(analyst.settings.vision_seconds)
    try:
        read.vision = _ask_vision(analyst, page, deadline, job.trace)
    except UpstreamError as error:
        log.warning("视觉模型%s", error)
        DEGRADED.labels("vision").inc()
        read.vision_failed = True
    job.note("vision", started)
    if read.vision_failed:
        read.embedded = _wait(pending or analyst.start_reading(page), job.end, job, "read")
    elif analyst.settings.verify:
        read.embedded = _read_again(pending, deadline, job)


def _ask_vision(analyst: Analyst, page: Page, deadline: float, trace: list[dict] | None) -> Reading:
    """请视觉模型读；没有答好、看不清、读不成、大得离谱，都抛 `UpstreamError`。长截图切成几张，一张一张问。

    它说的把握与疑问只用来少下判断，它说的位置是缩小的图上的，不用。
    """
    head: dict = {}
    parts = []
    for image in page.parts_for_model():
        messages = read_messages(data_url(image))
        answer = parse_answer(
            analyst.vision.ask(messages, READ_TOKENS, deadline, trace, analyst.asking_for(_READ_FORMAT))
        )
        report = answer.report
        if trace:
            shown = [row.printed() for row in report.items] if report else []
            trace[-1] |= {"parsed": answer.how, "rows": shown}
        if report is None:
            raise UpstreamError("broken")
        head = {name: head.get(name) or getattr(report, name) for name in ("report_type", "sex", "age")}
        parts.append((1, report))
    rows = [row for _, report in parts for row in report.items]
    reading = Reading(items=rows, origin=join_origins(parts), engine=analyst.vision.model, **head)
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


def _read_again(pending: Future[Reading] | None, deadline: float, job: Job) -> Reading | None:
    """用来核对的读数；排不上、没有在时限内读完的为 None。

    读不出的是一份空的：视觉模型读的每一行都没有着落（也许是手写的，也许是空白的图上编出来的），都存疑。
    是别的单子、不会读的语言时照抛 `UnreadableReport`：视觉模型从影像报告里“读出”的行不可信。
    """
    try:
        return _wait(pending, deadline, job, "verify") if pending else None
    except Busy:
        return None
    except UnreadableReport as error:
        if error.code in ("other_paper", "unsupported_language"):
            raise
        from health_assistant.lab_report.reading.reader import ENGINE_NAME  # 它要装 OpenCV，这时已经装了

        return Reading(report_type="", items=[], notices=[NOTHING_TO_VERIFY], engine=ENGINE_NAME)


def _wait(pending: Future[Reading], deadline: float, job: Job, step: str) -> Reading:
    """等内置读者读完，用时记在 step；到 deadline 还没有读完的抛 `Busy`，读不出的照抛。"""
    started = time.monotonic()
    try:
        return pending.result(max(deadline - time.monotonic(), 0))
    except TimeoutError as error:
        pending.cancel()
        raise Busy from error
    finally:
        job.note(step, started)
