"""错误：哪一种、说什么、什么状态码。每个错误都是 JSON，说中文或请求要的语言，编程的错也不例外。"""

import logging
import time
import traceback
from typing import Any

from flask import Response, current_app, g, jsonify, request
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException, NotFound, TooManyRequests

from health_assistant.images import BadImage
from health_assistant.lab_report.language import join_sentences, say, speaking, translate
from health_assistant.lab_report.report import UnreadableReport
from health_assistant.wrong_values import what_is_wrong
from medical_report import counters
from medical_report.page_reading import Busy
from medical_report.spoken import asked_language

log = logging.getLogger(__name__)

_HTTP_MESSAGES = {
    400: ("bad_request", "请求的写法不对，服务器看不懂。"),
    401: ("key_needed", "这个服务要密钥。请在请求头里写 X-API-Key: 密钥；浏览器问时，密码填密钥，用户名随意。"),
    404: ("not_found", "没有这个地址。"),
    405: ("method_not_allowed", "这个地址不接受这种请求方法。"),
    413: ("image_too_large", "上传的内容太大。请把照片缩小到 {limit} MB 以内再试。"),
    415: ("unsupported_media_type", "请求的 Content-Type 不对。"),
    429: ("too_busy", "现在用的人太多，请过几秒再试。"),
}

_FORM_TOO_LARGE = ("form_too_large", "表单里的字段太多，或有一个字段的字太多；整个没有超过 {limit} MB。")


IF_IT_IS_NOW = "现在就喘不上气、胸痛、血止不住、叫不醒、想伤害自己的，马上打 120；心里难受、想不开的打 12356。"
"""问一句，没有认出急事的回答与错误后面都有它：认得的说法总有漏的。"""


class TooFrequent(TooManyRequests):
    """一个地址来的请求（或错的密钥）太密；不是用的人太多。"""

    name_in_answer = "rate_limited"
    description = "请求得太频繁了，请过一会儿再试。"


class NoAdviceModel(NotFound):
    """没有接建议模型，不能提问。"""

    name_in_answer = "no_advice_model"
    description = "这个服务没有接建议模型，不能提问。"


def describe_error(error: Exception) -> tuple[int, dict[str, Any]]:
    """异常 -> HTTP 状态码与给人看的说明；几个文件里有一个不能用的，`file` 是第几个。"""
    which = {"file": error.file} if isinstance(error, BadImage) and error.file else {}
    if isinstance(error, BadImage):
        status, code, message = error.status, error.code, str(error)
    elif isinstance(error, UnreadableReport):
        status, code, message = 422, error.code, str(error)
    elif isinstance(error, Busy):
        status, code, message = 503, "busy", "现在排队的照片太多，请过半分钟再试。"
    elif isinstance(error, ValidationError):
        status, code, message = 400, "invalid_report", _what_is_expected(error)
    elif isinstance(error, TooFrequent | NoAdviceModel):
        status, code, message = error.code, error.name_in_answer, str(error.description)
    elif isinstance(error, HTTPException) and error.code in _HTTP_MESSAGES:
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        is_small = error.code == 413 and (request.content_length or limit + 1) <= limit
        status, (code, message) = error.code, _FORM_TOO_LARGE if is_small else _HTTP_MESSAGES[error.code]
        message = message.format(limit=limit // 1024**2)
    else:
        # 异常的消息里可能有报告的内容，日志里只记种类与位置
        where = "".join(traceback.format_tb(error.__traceback__)[-4:])
        log.error("出错", extra={"request_id": g.request_id, "error": type(error).__name__, "where": where})
        status, code, message = 500, "internal_error", "服务器出了问题，这张照片没有处理成。请再试一次。"
    counters.ERRORS.labels(code).inc()
    if request.method == "POST":
        seen = {"time": time.time(), "code": code, "request_id": g.request_id}
        current_app.extensions["recent_errors"].append(seen)
    with speaking(asked_language(request)):
        words = join_sentences(translate(message), say(IF_IT_IS_NOW) if request.path == "/ask" else "")
        return status, {"error": words, "code": code, "request_id": g.request_id} | which


def _what_is_expected(error: ValidationError) -> str:
    """第一处不合约定的：在哪里，该是什么样。"""
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"])) or "整个请求体"
    expected = ("不对：" if first["type"] == "value_error" else "") + what_is_wrong(first)
    opening = "表单的字段不对" if request.files else "请求体不是约定的 JSON"
    return f"{opening}：{where} {expected}。"


def handle_error(error: Exception) -> Response:
    """异常 -> 中文说明、状态码与该带的头。"""
    # 留下 405 的 Allow、429 的 Retry-After、401 的 WWW-Authenticate
    headers = dict(error.get_headers()) if isinstance(error, HTTPException) else {}
    headers["Content-Type"] = "application/json"
    if isinstance(error, Busy):
        headers["Retry-After"] = "30"
    status, body = describe_error(error)
    response = jsonify(body)
    response.status_code = status
    response.headers.update(headers)
    return response
