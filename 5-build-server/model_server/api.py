"""OpenAI 兼容的 HTTP 接口：密钥、各个地址、整块或流式的回答、错误。请求的校验在 protocol.py。"""

import json
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from typing import Any

from flask import Flask, Response, jsonify, request
from flask_cors import CORS
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from health_assistant.api_keys import WRONG_KEYS_SAID, KeyGuard
from health_assistant.serving import ChineseJson
from health_assistant.wrong_values import what_is_wrong
from model_server.protocol import Answer, Backend, ChatRequest, RequestError, TokenizeRequest, refuse_unsupported

log = logging.getLogger(__name__)

MAX_BODY_MB = 32

_HTTP_ERRORS = {
    404: ("unknown_url", "没有这个地址。能用的是 /v1/models、/v1/chat/completions、/tokenize 和 /health。"),
    405: ("method_not_allowed", "这个地址不接受这种请求方法。"),
    413: ("request_too_large", f"请求体超过 {MAX_BODY_MB} MB。请把照片缩小后再试。"),
}
_ERROR_TYPES = {429: "rate_limit_error", 500: "server_error"}


class _AnyName(PathConverter):
    """模型名：可以是目录，开头也可以是 /。"""

    regex = ".+"
    part_isolating = False


def create_app(backend: Backend, api_key: str | None = None, allowed_origins: Sequence[str] = ()) -> Flask:
    """api_key 不为空时，除了 /health 都要带着它（Authorization: Bearer … 或 X-API-Key: …），错得太多的先不看。

    allowed_origins 是许可跨域访问的网页来源，如 https://app.example；["*"] 是谁都行，空的是都不行。
    """
    app = Flask(__name__, static_folder=None)
    app.url_map.merge_slashes = False  # 模型名 /目录/… 开头的斜杠不能并掉
    app.url_map.converters["any_name"] = _AnyName
    if allowed_origins:
        CORS(app, origins=list(allowed_origins), methods=["GET", "POST"], expose_headers=["Retry-After"])
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_MB * 1024 * 1024
    app.json = ChineseJson(app)
    app.register_error_handler(Exception, _answer_error)
    if api_key:
        app.before_request(partial(_check_key, KeyGuard(api_key)))
    app.get("/health")(lambda: {"status": "ok"})
    _add_models(app, backend)
    _add_answers(app, backend)
    return app


def _check_key(guard: KeyGuard) -> None:
    """密钥不对抛 `RequestError`。"""
    if request.path == "/health" or request.method == "OPTIONS":  # 浏览器的预检不带密钥
        return
    seconds = guard.refuse_seconds(request)
    if seconds:
        raise RequestError(429, "rate_limited", WRONG_KEYS_SAID, retry_after=seconds)
    if seconds == 0:
        raise RequestError(401, "invalid_api_key", "密钥不对。请在 Authorization 头里写 Bearer 加服务的密钥。")


def _add_models(app: Flask, backend: Backend) -> None:
    """有哪些模型。"""
    started = int(time.time())

    def describe_model(name: str) -> dict:
        return {"id": name, "object": "model", "created": started, "owned_by": "health-assistant"}

    @app.get("/v1/models")
    def list_models() -> dict:
        return {"object": "list", "data": [describe_model(name) for name in backend.models]}

    @app.get("/v1/models/<any_name:name>")
    def retrieve_model(name: str) -> dict:
        _check_model(name, backend)
        return describe_model(name)


def _add_answers(app: Flask, backend: Backend) -> None:
    """切词与对话。"""

    @app.post("/tokenize")
    def tokenize() -> dict:
        """和 vLLM 的同名接口一样：部署前后拿它核对模板与分词。"""
        conversation = TokenizeRequest.model_validate_json(request.get_data())
        _check_model(conversation.model, backend)
        tokens, max_model_len = backend.tokenize(conversation)
        return {"count": len(tokens), "max_model_len": max_model_len, "tokens": tokens}

    @app.post("/v1/chat/completions")
    def chat_completions() -> Response:
        chat = ChatRequest.model_validate_json(request.get_data())
        _check_model(chat.model, backend)
        refuse_unsupported(chat)
        _mention_ignored(chat)
        answer = backend.answer(chat)
        if chat.stream:
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            response = Response(_stream(chat, answer), mimetype="text/event-stream", headers=headers)
            response.call_on_close(answer.close)
            return response
        with closing(answer):
            message = {"role": "assistant", "content": "".join(answer.pieces), "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": answer.finish_reason}
        return jsonify({**_head(chat, "chat.completion"), "choices": [choice], "usage": answer.usage})


def _check_model(name: str, backend: Backend) -> None:
    if name not in backend.models:
        known = "、".join(backend.models)
        raise RequestError(404, "model_not_found", f"没有叫 {name[:100]} 的模型。现有：{known}。", "model")


_mentioned: set[str] = set()
_MOST_MENTIONED = 200


def _mention_ignored(chat: ChatRequest) -> None:
    """不起作用的字段，每个名字在日志里说一次；值不写。"""
    given = {*(chat.model_extra or {}), *(name for name in ("tools", "functions") if getattr(chat, name))}
    new = sorted(given - _mentioned)[:_MOST_MENTIONED]
    if new and len(_mentioned) < _MOST_MENTIONED:
        _mentioned.update(new)
        log.warning("请求里的 %s 不起作用，照收了（同一个名字只说这一次）", "、".join(repr(name[:40]) for name in new))


def _head(chat: ChatRequest, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": chat.model}


def _stream(chat: ChatRequest, answer: Answer) -> Iterator[str]:
    head = _head(chat, "chat.completion.chunk")
    with_usage = chat.stream_options is not None and chat.stream_options.include_usage

    def event(choices: list[dict], usage: dict | None = None) -> str:
        chunk = {**head, "choices": choices, **({"usage": usage} if with_usage else {})}
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"

    def delta(part: dict[str, str], finish_reason: str | None = None) -> str:
        return event([{"index": 0, "delta": part, "logprobs": None, "finish_reason": finish_reason}])

    yield delta({"role": "assistant", "content": ""})
    try:
        for piece in answer.pieces:
            # 客户端跳过注释行；写一写才知道它还在不在
            yield delta({"content": piece}) if piece else ": waiting\n\n"
    except Exception as error:
        # 状态码早已发出，只能在流里说；没有 [DONE]，客户端就知道没有答完
        yield f"data: {json.dumps(_describe(error)[1], ensure_ascii=False)}\n\n"
        return
    yield delta({}, answer.finish_reason)
    if with_usage:
        yield event([], answer.usage)
    yield "data: [DONE]\n\n"


def _answer_error(error: Exception) -> Response:
    status, body = _describe(error)
    # 留下 405 的 Allow 之类的头
    response = Response(status=status)
    if isinstance(error, HTTPException):
        response.headers.update(error.get_headers())
    if isinstance(error, RequestError) and status == 429:
        response.headers["Retry-After"] = str(error.retry_after)
    response.data = json.dumps(body, ensure_ascii=False)
    response.mimetype = "application/json"
    return response


def _describe(error: Exception) -> tuple[int, dict]:
    """错误 -> 状态码，与 OpenAI 格式的中文说明。"""
    status, code, message, param = 500, "internal_error", "服务器出了问题，没有答成。请看服务的日志。", None
    if isinstance(error, RequestError):
        status, code, message, param = error.status, error.code, str(error), error.param
    elif isinstance(error, ValidationError):
        status, (code, message, param) = 400, _explain_invalid(error)
    elif isinstance(error, HTTPException):
        status = error.code
        code, message = _HTTP_ERRORS.get(status, ("bad_request", "请求的写法不对，服务器看不懂。"))
    else:
        log.error("回答时出错", exc_info=error)
    kind = _ERROR_TYPES.get(status, "invalid_request_error")
    return status, {"error": {"message": message, "type": kind, "param": param, "code": code}}


def _explain_invalid(error: ValidationError) -> tuple[str, str, str | None]:
    """第一处不合格：代码、说明、是哪个参数。"""
    first = error.errors(include_url=False, include_input=False)[0]
    param = ".".join(map(str, first["loc"])) or None
    return first["type"], f"{param or '请求体'}：{what_is_wrong(first)}。", param
