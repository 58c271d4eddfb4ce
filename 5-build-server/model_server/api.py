"""OpenAI 的 chat completions 协议：校验请求，把后端给的文字包成整块或流式的回答。

usage 一律是 0：内置引擎不是语言模型，没有 token。
"""

import base64
import json
import logging
import re
import time
import uuid
from collections.abc import Iterator
from itertools import chain
from typing import Any, Literal, Protocol

from flask import Flask, Response, jsonify, request
from pydantic import BaseModel, Field, ValidationError, field_validator, model_validator
from werkzeug.exceptions import HTTPException

log = logging.getLogger(__name__)

MAX_BODY_MB = 32
USAGE = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}

_HTTP_ERRORS = {
    404: ("unknown_url", "没有这个地址。能用的是 /v1/models 和 /v1/chat/completions。"),
    405: ("method_not_allowed", "这个地址不接受这种请求方法。"),
    413: ("request_too_large", f"请求体超过 {MAX_BODY_MB} MB。请把照片缩小后再试。"),
}
_INVALID = {
    "json_invalid": "请求体不是合法的 JSON",
    "missing": "缺少这个字段",
    "too_short": "不能为空",
    "literal_error": "不支持这个值",
}


class RequestError(Exception):
    """请求不能照办。`status` 是 HTTP 状态码，其余按 OpenAI 的错误格式告诉对方。"""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


class ImageUrl(BaseModel):
    url: str

    @field_validator("url")
    @classmethod
    def _is_data_url(cls, url: str) -> str:
        if re.match("https?:", url, re.IGNORECASE):
            raise ValueError("不接受网址：服务不替人下载图片。请把图片内容放进 data: URL")
        if not re.match("data:image/(jpe?g|png|webp);base64,", url):
            raise ValueError("要写成 data:image/jpeg;base64,…（或 png、webp）")
        return url

    def data(self) -> bytes:
        """图片的字节；base64 不对时抛 `RequestError`。"""
        try:
            return base64.b64decode(self.url.partition(",")[2], validate=True)
        except ValueError as error:
            raise RequestError(400, "invalid_base64", "图片的 base64 编码不对。", "image_url") from error


class Part(BaseModel):
    """消息的一段：文字或图片。"""

    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None

    @model_validator(mode="after")
    def _has_its_field(self) -> "Part":
        if getattr(self, self.type) is None:
            raise ValueError(f"缺少 {self.type} 字段")
        return self


class Message(BaseModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: list[Part] = []

    @field_validator("content", mode="before")
    @classmethod
    def _as_parts(cls, content: Any) -> Any:
        """协议里的纯文字与 null 也归为段的列表，后端只见一种写法。"""
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        return [] if content is None else content

    @property
    def text(self) -> str:
        return "\n".join(part.text for part in self.content if part.type == "text")

    @property
    def images(self) -> list[ImageUrl]:
        return [part.image_url for part in self.content if part.type == "image_url"]


class StreamOptions(BaseModel):
    include_usage: bool = False


class ChatRequest(BaseModel):
    """没有列出的参数（temperature、max_tokens、response_format 等）照收，不起作用。"""

    model: str
    messages: list[Message] = Field(min_length=1)
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = 1

    @field_validator("n")
    @classmethod
    def _is_one(cls, n: int | None) -> int | None:
        if n not in (None, 1):
            raise ValueError("一次只给一个回答，n 只能是 1")
        return n


class Backend(Protocol):
    """会回答的东西。"""

    models: tuple[str, ...]

    def answer(self, chat: ChatRequest) -> Iterator[str]:
        """逐段给出回答，连起来就是全文。不能照办时，在给出第一段之前抛 `RequestError`。"""


def create_app(backend: Backend) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_MB * 1024 * 1024
    app.json.ensure_ascii = False
    app.json.sort_keys = False
    app.register_error_handler(Exception, _answer_error)
    started = int(time.time())

    @app.get("/v1/models")
    def list_models() -> dict:
        models = [
            {"id": name, "object": "model", "created": started, "owned_by": "health-assistant"}
            for name in backend.models
        ]
        return {"object": "list", "data": models}

    @app.post("/v1/chat/completions")
    def chat_completions() -> Response:
        chat = ChatRequest.model_validate_json(request.get_data())
        if chat.model not in backend.models:
            known = "、".join(backend.models)
            raise RequestError(404, "model_not_found", f"没有叫 {chat.model} 的模型。现有：{known}。", "model")
        pieces = backend.answer(chat)
        # 等到第一段再答：流一开始，状态码就改不了了
        pieces = chain([next(pieces)], pieces)
        if chat.stream:
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return Response(_stream(chat, pieces), mimetype="text/event-stream", headers=headers)
        message = {"role": "assistant", "content": "".join(pieces)}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return jsonify({**_head(chat, "chat.completion"), "choices": [choice], "usage": USAGE})

    return app


def _head(chat: ChatRequest, kind: str) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": kind,
        "created": int(time.time()),
        "model": chat.model,
    }


def _stream(chat: ChatRequest, pieces: Iterator[str]) -> Iterator[str]:
    head = _head(chat, "chat.completion.chunk")
    with_usage = chat.stream_options is not None and chat.stream_options.include_usage

    def event(choices: list[dict], usage: dict | None = None) -> str:
        chunk = {**head, "choices": choices, **({"usage": usage} if with_usage else {})}
        return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"

    def delta(part: dict[str, str], finish_reason: str | None = None) -> str:
        return event([{"index": 0, "delta": part, "logprobs": None, "finish_reason": finish_reason}])

    yield delta({"role": "assistant", "content": ""})
    for piece in pieces:
        yield delta({"content": piece})
    yield delta({}, "stop")
    if with_usage:
        yield event([], USAGE)
    yield "data: [DONE]\n\n"


def _answer_error(error: Exception) -> Response:
    """每个错误都是 OpenAI 的格式，中文说明。"""
    param = None
    response = Response(status=500)
    if isinstance(error, RequestError):
        response.status_code, code, message, param = error.status, error.code, str(error), error.param
    elif isinstance(error, ValidationError):
        response.status_code = 400
        code, message, param = _explain_invalid(error)
    elif isinstance(error, HTTPException):
        # 留下 405 的 Allow 之类的头
        response = error.get_response()
        code, message = _HTTP_ERRORS.get(error.code, ("bad_request", "请求的写法不对，服务器看不懂。"))
    else:
        log.error("回答时出错", exc_info=error)
        code, message = "internal_error", "服务器出了问题，没有答成。请看服务的日志。"
    kind = "server_error" if response.status_code >= 500 else "invalid_request_error"
    body = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    response.data = json.dumps(body, ensure_ascii=False)
    response.mimetype = "application/json"
    return response


def _explain_invalid(error: ValidationError) -> tuple[str, str, str | None]:
    """第一处不合格：代码、说明、是哪个参数。"""
    first = error.errors(include_url=False, include_input=False)[0]
    param = ".".join(map(str, first["loc"])) or None
    reason = str(first["ctx"]["error"]) if first["type"] == "value_error" else _INVALID.get(first["type"], "类型不对")
    return first["type"], f"{param}：{reason}。" if param else f"{reason}。", param
