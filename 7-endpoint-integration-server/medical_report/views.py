"""接口：照片进，结果出；以及网页、健康检查、中文的错误。"""

import json
import logging
import uuid
from collections.abc import Iterator

from flask import Blueprint, Flask, Response, current_app, g, jsonify, request, stream_with_context
from pydantic import BaseModel, ValidationError, field_validator
from werkzeug.exceptions import HTTPException

from health_assistant.images import BadImage, open_image
from health_assistant.lab_report.report import ReadReport, UnreadableReport
from medical_report.analysis import Busy, Event, analyse_photo, analyse_rows, get_analyst
from medical_report.intake import uploaded_image

log = logging.getLogger(__name__)
blueprint = Blueprint("medical_report", __name__)

_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_HTTP_MESSAGES = {
    400: ("bad_request", "请求的写法不对，服务器看不懂。"),
    404: ("not_found", "没有这个地址。"),
    405: ("method_not_allowed", "这个地址不接受这种请求方法。"),
    413: ("image_too_large", "上传的内容太大。请把照片缩小到 {limit} MB 以内再试。"),
    415: ("unsupported_media_type", "请求的 Content-Type 不对。"),
}


MAX_ROWS, MAX_CELL = 300, 200
"""一张报告最多几行、一格最多几个字；真的报告远到不了。"""


class AdviceRequest(BaseModel):
    report: ReadReport

    @field_validator("report")
    @classmethod
    def _has_a_plausible_size(cls, report: ReadReport) -> ReadReport:
        cells = [report.report_type, report.age, *(value for item in report.items for _, value in item)]
        if not 1 <= len(report.items) <= MAX_ROWS or any(len(cell or "") > MAX_CELL for cell in cells):
            raise ValueError("items")
        return report


@blueprint.get("/")
def index() -> Response:
    return current_app.send_static_file("index.html")


@blueprint.get("/health")
def health() -> dict:
    return {"status": "ok"}


@blueprint.get("/ready")
def ready() -> tuple[dict, int]:
    is_ready = get_analyst(current_app).reader.is_loaded
    return {"status": "ready" if is_ready else "loading"}, 200 if is_ready else 503


@blueprint.post("/analyze_medical_report")
def analyze_medical_report() -> Response:
    image = open_image(uploaded_image(request))
    return _answer(analyse_photo(get_analyst(current_app), image, g.request_id))


@blueprint.post("/advice")
def advise() -> Response:
    body = AdviceRequest.model_validate_json(request.get_data())
    return _answer(analyse_rows(body.report, g.request_id))


def _answer(events: Iterator[Event]) -> Response:
    """要 SSE 的给事件流，否则只给最后的完整回答。"""
    if request.accept_mimetypes.best_match(["application/json", "text/event-stream"]) == "text/event-stream":
        first = next(events)  # 排不上队要答 503，得在开始发流之前知道
        stream = stream_with_context(_stream(first, events))
        return Response(stream, mimetype="text/event-stream", headers={"X-Accel-Buffering": "no"})
    *_, (_, response) = events
    return jsonify(response)


def _stream(first: Event, rest: Iterator[Event]) -> Iterator[str]:
    yield _sse(*first)
    try:
        for name, data in rest:
            yield _sse(name, data)
    except Exception as error:  # 流已经开始，错误也只能作为事件发出去
        _, body = _describe_error(error)
        yield _sse("error", body)


def _sse(name: str, data: dict) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


def _describe_error(error: Exception) -> tuple[int, dict[str, str]]:
    """异常 -> HTTP 状态码与给人看的说明。"""
    if isinstance(error, BadImage):
        status, code, message = error.status, error.code, str(error)
    elif isinstance(error, UnreadableReport):
        status, code, message = 422, error.code, str(error)
    elif isinstance(error, Busy):
        status, code, message = 503, "busy", "现在排队的照片太多，请过半分钟再试。"
    elif isinstance(error, ValidationError):
        where = ".".join(map(str, error.errors()[0]["loc"])) or "整个请求体"
        status, code, message = 400, "invalid_report", f"请求体不是约定的 JSON：{where} 不对。"
    elif isinstance(error, HTTPException) and error.code in _HTTP_MESSAGES:
        status, (code, message) = error.code, _HTTP_MESSAGES[error.code]
        message = message.format(limit=current_app.config["MAX_CONTENT_LENGTH"] // 1024**2)
    else:
        log.exception("%s 出错", g.request_id)
        status, code, message = 500, "internal_error", "服务器出了问题，这张照片没有处理成。请再试一次。"
    return status, {"error": message, "code": code, "request_id": g.request_id}


def _handle_error(error: Exception) -> tuple[Response, int]:
    status, body = _describe_error(error)
    return jsonify(body), status


def register_error_handlers(app: Flask) -> None:
    """给每个请求编号；每个回答带安全头；每个错误都是中文 JSON。"""

    @app.before_request
    def number_request() -> None:
        g.request_id = uuid.uuid4().hex[:16]

    @app.after_request
    def add_headers(response: Response) -> Response:
        response.headers.update(_SECURITY_HEADERS)
        response.headers["X-Request-ID"] = g.request_id
        # 结果是个人的健康信息，不许缓存；网页文件每次核对是否有新的
        is_page = request.method in ("GET", "HEAD") and response.status_code in (200, 304)
        response.headers["Cache-Control"] = "no-cache" if is_page else "no-store"
        return response

    app.register_error_handler(Exception, _handle_error)
