"""一张照片从读到建议。JSON 与 SSE 两种回答用的是同一串事件。

视觉模型读、内置读者核对、代码判断、建议模型挑、代码检查；哪一个外部的模型没有答好，就换成内置的，并且说出来。
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from flask import Flask

from health_assistant.lab_report import advice
from health_assistant.lab_report.assessment import add_notices, assess
from health_assistant.lab_report.judgement import MIN_CONFIDENCE
from health_assistant.lab_report.report import (
    DISCLAIMER,
    LabReport,
    Reading,
    ReadReport,
    RowEvidence,
    UnreadableReport,
    read_report_schema,
)
from health_assistant.lab_report.vl import data_url, parse_answer, read_messages
from medical_report.advice_request import advice_messages, choice_format, parse_choice
from medical_report.intake import Photo
from medical_report.metrics import DEGRADED, GUARDED, STEP_SECONDS
from medical_report.rendering import describe, to_html
from medical_report.settings import Settings
from medical_report.upstreams import Upstream, UpstreamError
from medical_report.verification import assess_verified

log = logging.getLogger(__name__)
Event = tuple[str, dict[str, Any]]
"""事件名与内容：accepted、report、advice、done；出错时由视图发 error。"""

READ_TOKENS, ADVICE_TOKENS = 4096, 512
MAX_ROWS, MAX_CELL = 300, 200
"""一张报告最多几行、一格最多几个字；真的报告远到不了。"""

VISION_FAILED = "视觉模型没有答上来，这张单子由内置程序识别。"
NOT_VERIFIED = "这张单子没有经过第二个读者核对，请对照原件看一遍。"
ADVICE_FAILED = "建议模型没有答上来，下面的建议由内置程序给出。"
ADVICE_REFUSED = "建议模型答的没有通过检查，下面的建议由内置程序给出。"

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
        from health_assistant.lab_report.reading.reader import ReportReader

        return ReportReader()

    def asking_for(self, response_format: dict) -> dict | None:
        """请上游按格式写；设置里说不用的为 None，只靠提示词。"""
        return response_format if self.settings.structured_output == "json_schema" else None

    def start_reading(self, photo: Photo) -> "Future[Reading]":
        """内置读者开始读（或排队）；没有空位时抛 `Busy`。"""
        if not self._slots.acquire(blocking=False):
            raise Busy
        future = self.reader.start(photo.upright)
        future.add_done_callback(lambda _: self._slots.release())
        return future


def get_analyst(app: Flask) -> Analyst:
    return app.extensions["analyst"]


class _Clock:
    """一个请求的时限与各步的用时。"""

    def __init__(self, total_seconds: float) -> None:
        self._started = time.monotonic()
        self.end = self._started + total_seconds
        self.timings_ms: dict[str, int] = {}

    def deadline(self, seconds: float) -> float:
        """从现在起一步的时限，`time.monotonic` 的时刻；不超过总时限。"""
        return min(time.monotonic() + seconds, self.end)

    def note(self, step: str, started: float | None = None) -> None:
        seconds = time.monotonic() - (self._started if started is None else started)
        STEP_SECONDS.labels(step).observe(seconds)
        self.timings_ms[step] = round(seconds * 1000)


@dataclass
class _Answer:
    """到目前为止的结果。"""

    report: LabReport
    engines: dict[str, str]


def analyse_photo(analyst: Analyst, photo: Photo, request_id: str, trace: list | None = None) -> Iterator[Event]:
    """照片 -> 事件。trace 给了就记下与上游的来往，给操作的人看。

    读不出时抛 `UnreadableReport`，图片损坏时抛 `BadImage`，排不上时抛 `Busy`。
    """
    clock = _Clock(analyst.settings.total_seconds)
    if analyst.vision is None:
        reading = analyst.start_reading(photo)
        yield "accepted", {"request_id": request_id}
        answer = _read_alone(reading, clock)
    else:
        yield "accepted", {"request_id": request_id}
        answer = _read_with_vision(analyst, photo, clock, trace)
    yield from _explain(analyst, answer, request_id, clock, trace)


def analyse_rows(analyst: Analyst, rows: ReadReport, doubts: list[RowEvidence], request_id: str) -> Iterator[Event]:
    """人核对、改正过的各行 -> 事件；判断与建议重新做，不信传来的判断。还有疑问的行（doubts）不作判断。"""
    answer = _Answer(assess(rows, doubts), {"vision": "人工核对"})
    yield from _explain(analyst, answer, request_id, _Clock(analyst.settings.total_seconds), None)


# ---- 读 ----


def _read_alone(reading: "Future[Reading]", clock: _Clock, notice: str | None = None) -> _Answer:
    """只有内置读者。"""
    started = time.monotonic()
    read = _wait(reading, clock.end)
    clock.note("read", started)
    report = assess(read.report, read.evidence)
    add_notices(report, read.notices)
    if notice:
        report.notices.append(notice)
    return _Answer(report, {"vision": read.engine})


def _read_with_vision(analyst: Analyst, photo: Photo, clock: _Clock, trace: list | None) -> _Answer:
    """视觉模型读；同时内置读者也读，用来核对，或在它没有答好时顶上。"""
    checking = _start_checking(analyst, photo) if analyst.settings.verify else None
    started = time.monotonic()
    step_end = clock.deadline(analyst.settings.vision_seconds)
    try:
        vision = ask_vision(analyst, photo, step_end, trace)
    except UpstreamError as error:
        log.warning("视觉模型%s", error)
        DEGRADED.labels("vision").inc()
        return _read_alone(checking or analyst.start_reading(photo), clock, VISION_FAILED)
    finally:
        clock.note("vision", started)
    if analyst.settings.verify and (embedded := _checked(checking, step_end, clock)):
        engines = {"vision": vision.engine, "verified_by": embedded.engine}
        return _Answer(assess_verified(vision, embedded), engines)
    report = assess(vision.report, vision.evidence)
    if analyst.settings.verify:
        report.notices.append(NOT_VERIFIED)
    return _Answer(report, {"vision": vision.engine})


def ask_vision(analyst: Analyst, photo: Photo, deadline: float, trace: list | None) -> Reading:
    """请视觉模型读；没有答好、看不清、读不成、大得离谱，都抛 `UpstreamError`。

    它说的把握与疑问只用来少下判断，它说的位置是缩小的图上的，不用。
    """
    messages = read_messages(data_url(photo.for_model()))
    answer = parse_answer(analyst.vision.ask(messages, READ_TOKENS, deadline, trace, analyst.asking_for(_READ_FORMAT)))
    report = answer.report
    if trace:
        trace[-1] |= {"parsed": answer.how, "rows": [item.model_dump() for item in report.items] if report else []}
    if report is None or not report.items or not is_plausible(report):
        raise UpstreamError("broken")
    doubtful = [_is_doubtful(proof) for proof in answer.evidence] or [False] * len(report.items)
    evidence = [RowEvidence(doubt="视觉模型自己说这一行没有把握" if doubts else None) for doubts in doubtful]
    return Reading(report=report, evidence=evidence, engine=analyst.vision.model)


def is_plausible(report: ReadReport) -> bool:
    """行数与每一格的长度像一张真的报告。"""
    cells = [report.report_type, report.age, *(value for item in report.items for _, value in item)]
    return 1 <= len(report.items) <= MAX_ROWS and all(len(cell or "") <= MAX_CELL for cell in cells)


def _is_doubtful(proof: RowEvidence) -> bool:
    return bool(proof.doubt) or (proof.confidence is not None and not proof.confidence >= MIN_CONFIDENCE)


def _start_checking(analyst: Analyst, photo: Photo) -> "Future[Reading] | None":
    try:
        return analyst.start_reading(photo)
    except Busy:
        return None


def _checked(checking: "Future[Reading] | None", deadline: float, clock: _Clock) -> Reading | None:
    """用来核对的读数；排不上、看不清、没有在时限内读完的为 None。

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


# ---- 建议 ----


def _explain(analyst: Analyst, answer: _Answer, request_id: str, clock: _Clock, trace: list | None) -> Iterator[Event]:
    report = answer.report
    yield "report", report.model_dump(mode="json")
    started = time.monotonic()
    chosen = _ask_advice(analyst, report, clock, trace)
    answer.engines["advice"] = analyst.advice.model if chosen else advice.ENGINE_NAME
    sections, advice_html = [], ""
    for section in advice.advice_sections(report, chosen or ()):
        sections.append(section)
        advice_html += to_html(section)
        yield "advice", {"advice_html": advice_html}
    clock.note("advice", started)
    clock.note("total")
    analysis = describe(report)
    yield (
        "done",
        {
            "request_id": request_id,
            "analysis_result": analysis,
            "health_recommendations": "\n\n".join(sections),
            "analysis_html": to_html(analysis),
            "advice_html": advice_html,
            "report": report.model_dump(mode="json"),
            "triage": report.triage,
            "notices": report.notices,
            "engines": answer.engines,
            "timings_ms": clock.timings_ms,
            "disclaimer": DISCLAIMER,
        },
    )


def _ask_advice(analyst: Analyst, report: LabReport, clock: _Clock, trace: list | None) -> list[str] | None:
    """建议模型挑的话的编号；没有设、没有可挑的、没有答好、没有通过检查的为 None，后两种在 notices 里说出来。"""
    offered = advice.choices(report) if analyst.advice else {}
    if not offered:
        return None
    deadline = clock.deadline(analyst.settings.advice_seconds)
    try:
        response_format = analyst.asking_for(choice_format(offered))
        written = analyst.advice.ask(advice_messages(report, offered), ADVICE_TOKENS, deadline, trace, response_format)
    except UpstreamError as error:
        log.warning("建议模型%s", error)
        DEGRADED.labels("advice").inc()
        report.notices.append(ADVICE_FAILED)
        return None
    chosen = parse_choice(written, offered)
    if trace:
        trace[-1]["problems"] = [] if chosen else ["不是约定的 JSON，或挑了没有给它的话"]
    if chosen is None:
        log.warning("建议没有通过检查")
        GUARDED.inc()
        DEGRADED.labels("advice").inc()
        report.notices.append(ADVICE_REFUSED)
    return chosen
