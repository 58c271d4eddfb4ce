"""给人与程序用的接口：照片进，结果出；改正过的各行进，结果出；以及网页。"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Annotated, Any

from flask import Blueprint, Response, current_app, g, jsonify, request, stream_with_context
from pydantic import AfterValidator, BaseModel, Field, StrictBool, StringConstraints, field_validator, model_validator

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.fhir import to_bundle, to_json
from health_assistant.lab_report.language import original
from health_assistant.lab_report.report import (
    TIMES,
    Box,
    OriginField,
    PrintedField,
    PrintedRow,
    Reading,
    ReadReport,
    ReadRow,
    ToldField,
)
from medical_report.analysis import Event, Told, analyse_pages, analyse_rows, get_analyst
from medical_report.errors import describe_error
from medical_report.page_reading import MAX_CELL, MAX_REPORT_ROWS, MAX_ROWS, Job
from medical_report.question import answer_question
from medical_report.spoken import asked_language
from medical_report.upload import MAX_PAGES, uploaded_pages

blueprint = Blueprint("medical_report", __name__)

Cell = Annotated[str, Field(max_length=MAX_CELL)]

Doubt = Annotated[str, Field(max_length=2000), AfterValidator(original)]
"""照原样交回来的话，也许是英文的；判断只看中文。"""


class CorrectedRow(PrintedRow):
    """人核对过的一行；传来的判断、把握与位置不算数。"""

    name: Cell
    code: Cell = ""
    result: Cell
    unit: Cell = ""
    reference_range: Cell = ""
    mark: Cell | None = None
    doubt: Doubt | None = Field(None, description="读的时候就有、还没有人核对过的疑问，照原样交回；有疑问的行不作判断")
    corrected: StrictBool = Field(False, description="人照原件改正过这一行；导出时不说是软件识别的")
    page: int = Field(1, ge=1, le=MAX_PAGES, description="在第几页")
    report_type: Cell | None = Field(None, description="各页的报告名不同时，这一行那一页的")
    boxes: dict[Cell, Box] = Field({}, max_length=10, description="在照片上的位置；导出时写明从哪里读的")


class CorrectedField(PrintedField):
    """人核对过的一个抬头字段（时间、医院）。"""

    value: Annotated[str, Field(min_length=1, max_length=MAX_CELL, pattern=r"\S")]
    confidence: float | None = Field(None, ge=0, le=1)
    page: int = Field(1, ge=1, le=MAX_PAGES)


class CorrectedReport(ReadReport):
    """人核对过的整张。"""

    report_type: Cell = ""
    age: Cell | None = None
    # 不是照抄的字，是看懂了的；没有的可以是 null，像视觉模型答的
    origin: dict[OriginField, CorrectedField] | None = None  # type: ignore[assignment]
    told: list[ToldField] = Field([], max_length=2, description="sex、age 里，不是印着的、是用的人填的")
    doubts: list[Doubt] = Field([], max_length=2 * MAX_PAGES, description="整张报告的疑问，照原样交回来")
    items: list[CorrectedRow] = Field(min_length=1, max_length=MAX_REPORT_ROWS)  # type: ignore[assignment]  # 子类的字段更窄

    @model_validator(mode="after")
    def _pages_are_not_too_long(self) -> "CorrectedReport":
        if max(Counter(row.page for row in self.items).values()) > MAX_ROWS:
            raise ValueError(f"一页最多 {MAX_ROWS} 行")
        return self

    @field_validator("origin")
    @classmethod
    def _times_are_times(
        cls, origin: dict[OriginField, CorrectedField] | None
    ) -> dict[OriginField, CorrectedField] | None:
        for field in TIMES:
            if not origin or field not in origin:
                continue
            time = origin[field].value
            if not re.fullmatch(r"\d{4}-\d\d-\d\d(T\d\d:\d\d)?", time):
                raise ValueError(f"{field} 要写成 2026-11-26 或 2026-11-26T08:30")
            try:
                datetime.fromisoformat(time)
            except ValueError as error:
                raise ValueError(f"没有 {time} 这个时间") from error
        return origin


class AdviceRequest(BaseModel):
    """`POST /advice` 的正文。"""

    report: CorrectedReport


class AskRequest(AdviceRequest):
    """`POST /ask` 的正文。"""

    question: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)] = Field(
        description="关于这份报告的一个问题；哪里也不存"
    )


@blueprint.get("/")
def index() -> Response:
    """网页。"""
    return current_app.send_static_file("index.html")


@blueprint.get("/health")
def health() -> dict:
    """进程活着；asking 是接了建议模型，可以 `POST /ask`。"""
    return {"status": "ok", "asking": get_analyst(current_app).advice is not None}


@blueprint.post("/analyze_medical_report")
def analyze_medical_report() -> Response:
    """照片或 PDF -> 读数、判断与建议；读不成的答错误。"""
    pages = uploaded_pages(request)
    told = Told.model_validate(request.form.to_dict())
    trace: list[dict] | None = [] if request.args.get("trace") == "1" else None
    return _answer(
        analyse_pages(get_analyst(current_app), pages, told, g.request_id, trace, asked_language(request)), trace
    )


@blueprint.post("/advice")
def advise() -> Response:
    """人核对过的各行 -> 重新判断与建议。"""
    report = AdviceRequest.model_validate_json(request.get_data()).report
    language = asked_language(request)
    return _answer(analyse_rows(get_analyst(current_app), _reading_of(report), g.request_id, language))


@blueprint.post("/ask")
def ask() -> dict:
    """改正过的各行与一个问题 -> 写好的话里与它有关的几句；没有接建议模型的，不是急的事答 404。"""
    analyst = get_analyst(current_app)
    sent = AskRequest.model_validate_json(request.get_data())
    report = assess(_reading_of(sent.report))
    job = Job(g.request_id, analyst.settings.total_seconds, language=asked_language(request))
    answer = answer_question(analyst, report, sent.question, job)
    g.facts |= {"rows": len(report.items), "outcome": answer["outcome"]}
    return answer


@blueprint.post("/fhir")
def export_fhir() -> Response:
    """改正过的各行 -> FHIR R4 的 Bundle；判断重新做，不信传来的。"""
    report = AdviceRequest.model_validate_json(request.get_data()).report
    bundle = to_bundle(assess(_reading_of(report)), datetime.now(UTC))
    return Response(to_json(bundle), mimetype="application/fhir+json")


def _reading_of(report: CorrectedReport) -> Reading:
    """人核对过的各行，和还没有核对的疑问。"""
    kept = ("doubt", "page", "report_type", "boxes", "corrected")
    rows = [ReadRow.of(row, **{name: getattr(row, name) for name in kept}) for row in report.items]
    return Reading(
        report_type=report.report_type, sex=report.sex, age=report.age, origin=report.origin, told=report.told,
        items=rows, notices=report.doubts,
    )  # fmt: skip


def _answer(events: Iterator[Event], trace: list[dict[str, Any]] | None = None) -> Response:
    """要 SSE 的给事件流，否则只给最后的完整回答；有 trace 时附上与上游的往来。"""
    if request.accept_mimetypes.best_match(["application/json", "text/event-stream"]) == "text/event-stream":
        first = next(events)  # 排不上队要答 503，得在开始发流之前知道
        stream = stream_with_context(_stream(first, events))
        return Response(stream, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    *_, (_, response) = events
    _log_counts(response)
    return jsonify(response if trace is None else {**response, "exchanges": trace})


def _stream(first: Event, rest: Iterator[Event]) -> Iterator[str]:
    yield _sse(*first)
    try:
        for event in with_heartbeats(rest):
            if event is None:
                yield HEARTBEAT
                continue
            name, data = event
            yield _sse(name, data)
        _log_counts(data)
    except Exception as error:  # 流已经开始，错误也只能作为事件发出去
        _, body = describe_error(error)
        yield _sse("error", body)


EVERY_SECONDS = 10
"""隔多久一次。常见的代理、负载均衡 30 到 60 秒没有动静就断开。"""
HEARTBEAT = ": 还在处理\n\n"
"""SSE 里冒号开头的是注释，读事件的程序都会跳过。"""


def with_heartbeats(events: Iterator[Event]) -> Iterator[Event | None]:
    """原样给出 events；每等 `EVERY_SECONDS` 秒还没有下一个，就给一个 None。events 抛的照抛。

    下一个事件在另一个线程里等。读的人走了（生成器被关掉），等手头的一个做完就不再要。
    """
    with ThreadPoolExecutor(1) as worker:
        while True:
            step = worker.submit(next, events, None)
            while not wait([step], EVERY_SECONDS).done:
                yield None
            event = step.result()
            if event is None:
                return
            yield event


def _log_counts(response: dict) -> None:
    """要进日志的：只有数目与时间，没有内容。"""
    g.facts |= {"rows": len(response["report"]["items"]), "timings_ms": response["timings_ms"]}


def _sse(name: str, data: dict) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
