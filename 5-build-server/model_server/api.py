"""OpenAI 的 chat completions 协议：校验请求，把后端给的文字包成整块或流式的回答。"""

import hmac
import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from flask import Flask, Response, jsonify, request
from flask_cors import CORS
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from werkzeug.exceptions import HTTPException
from werkzeug.routing import PathConverter

from health_assistant.serving import ChineseJson
from model_server.data_url import check_data_url, decode_data_url

log = logging.getLogger(__name__)

MAX_BODY_MB = 32
MAX_MESSAGES = 2000
MAX_STOP_LENGTH = 256
RETRY_AFTER_SECONDS = 2

_HTTP_ERRORS = {
    404: ("unknown_url", "没有这个地址。能用的是 /v1/models、/v1/chat/completions、/tokenize 和 /health。"),
    405: ("method_not_allowed", "这个地址不接受这种请求方法。"),
    413: ("request_too_large", f"请求体超过 {MAX_BODY_MB} MB。请把照片缩小后再试。"),
}
_INVALID = {
    "json_invalid": "请求体不是合法的 JSON",
    "missing": "缺少这个字段",
    "too_short": "不能为空",
    "string_too_short": "不能为空",
    "too_long": "最多 {max_length} 个",
    "string_too_long": "最多 {max_length} 个字",
    "literal_error": "只能是 {expected}",
    "greater_than": "要大于 {gt}",
    "greater_than_equal": "不能小于 {ge}",
    "less_than": "要小于 {lt}",
    "less_than_equal": "不能大于 {le}",
}
_ERROR_TYPES = {429: "rate_limit_error", 500: "server_error"}


class RequestError(Exception):
    """请求不能照办。`status` 是 HTTP 状态码，其余按 OpenAI 的错误格式告诉对方。"""

    def __init__(self, status: int, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param


class _Strict(BaseModel):
    """ "5" 不当作 5，true 不当作 1：写错的参数要说出来。不认识的字段照收，不起作用。"""

    model_config = ConfigDict(strict=True)


class ImageUrl(_Strict):
    url: str

    @field_validator("url")
    @classmethod
    def _is_data_url(cls, url: str) -> str:
        check_data_url(url)
        return url

    def data(self) -> bytes:
        """图片的字节；base64 不对时抛 `RequestError`。"""
        try:
            return decode_data_url(self.url)
        except ValueError as error:
            raise RequestError(400, "invalid_base64", "图片的 base64 编码不对。", "image_url") from error


class Part(_Strict):
    """消息的一段：文字或图片。"""

    type: Literal["text", "image_url"]
    text: str | None = None
    image_url: ImageUrl | None = None

    @model_validator(mode="after")
    def _has_its_field(self) -> "Part":
        if getattr(self, self.type) is None:
            raise ValueError(f"缺少 {self.type} 字段")
        return self


class Message(_Strict):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: list[Part] = Field([], max_length=MAX_MESSAGES, fail_fast=True)

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


class StreamOptions(_Strict):
    include_usage: bool = False


class Conversation(_Strict):
    model: str
    # 几百万条错的消息，只报第一条：全报要好几 GB 内存
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)


class ResponseFormat(_Strict):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class TokenizeRequest(Conversation):
    add_generation_prompt: bool = True


class ChatRequest(Conversation):
    """没有列出的参数照收，不起作用，日志里说一次。列出而做不到的由 `_refuse_unsupported` 与后端拒绝。"""

    model_config = ConfigDict(extra="allow")

    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: int | None = Field(1, ge=1, le=1)
    max_tokens: int | None = Field(None, ge=1)
    max_completion_tokens: int | None = Field(None, ge=1)
    temperature: float | None = Field(None, ge=0, le=2)
    top_p: float | None = Field(None, gt=0, le=1)
    seed: int | None = Field(None, ge=-(2**63), lt=2**63)
    response_format: ResponseFormat | None = None
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    logprobs: bool | None = None
    modalities: list[str] | None = None
    stop: list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_LENGTH)]] = Field([], max_length=4)

    @field_validator("stop", mode="before")
    @classmethod
    def _as_list(cls, stop: Any) -> Any:
        if isinstance(stop, str):
            return [stop]
        return [] if stop is None else stop

    @property
    def most_tokens(self) -> int | None:
        """回答最多多少个标记；没有说为 None。"""
        return self.max_completion_tokens or self.max_tokens


@dataclass
class Answer:
    """一个回答。逐段取完 `pieces` 之后，其余几项才是准的。"""

    pieces: Iterator[str]
    """各段连起来就是全文；空串表示还没有字，让连接保持着。"""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    finish_reason: Literal["stop", "length"] = "stop"
    close: Callable[[], None] = lambda: None
    """不要了：客户端挂断，或已经取完。可以多次调用，`pieces` 没有取过也要调用。"""

    @property
    def usage(self) -> dict[str, int]:
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class Backend(Protocol):
    """会回答的东西。"""

    models: tuple[str, ...]

    def answer(self, chat: ChatRequest) -> Answer:
        """不能照办时抛 `RequestError`：流一开始，状态码就改不了了。`response_format` 做不做得到也由后端说。"""

    def tokenize(self, asked: TokenizeRequest) -> tuple[list[int], int]:
        """模型看到的标记，与上下文最多多少个标记。没有标记的后端抛 `RequestError`。"""


class _AnyName(PathConverter):
    """模型名：可以是目录，开头也可以是 /。"""

    regex = ".+"
    part_isolating = False


def create_app(backend: Backend, api_key: str | None = None, allowed_origins: Sequence[str] = ()) -> Flask:
    """api_key 不为空时，除了 /health 都要带着它（Authorization: Bearer …）。

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
    started = int(time.time())

    @app.before_request
    def check_key() -> None:
        if not api_key or request.path == "/health" or request.method == "OPTIONS":  # 浏览器的预检不带密钥
            return
        # WSGI 的头是按 latin-1 解码的字节
        given = request.headers.get("Authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, f"Bearer {api_key}".encode()):
            raise RequestError(401, "invalid_api_key", "密钥不对。请在 Authorization 头里写 Bearer 加服务的密钥。")

    @app.get("/health")
    def health() -> dict:
        return {"status": "ok"}

    def describe_model(name: str) -> dict:
        return {"id": name, "object": "model", "created": started, "owned_by": "health-assistant"}

    @app.get("/v1/models")
    def list_models() -> dict:
        return {"object": "list", "data": [describe_model(name) for name in backend.models]}

    @app.get("/v1/models/<any_name:name>")
    def retrieve_model(name: str) -> dict:
        _check_model(name, backend)
        return describe_model(name)

    @app.post("/tokenize")
    def tokenize() -> dict:
        """和 vLLM 的同名接口一样：部署前后拿它核对模板与分词。"""
        asked = TokenizeRequest.model_validate_json(request.get_data())
        _check_model(asked.model, backend)
        tokens, max_model_len = backend.tokenize(asked)
        return {"count": len(tokens), "max_model_len": max_model_len, "tokens": tokens}

    @app.post("/v1/chat/completions")
    def chat_completions() -> Response:
        chat = ChatRequest.model_validate_json(request.get_data())
        _check_model(chat.model, backend)
        _refuse_unsupported(chat)
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

    return app


def _check_model(name: str, backend: Backend) -> None:
    if name not in backend.models:
        known = "、".join(backend.models)
        raise RequestError(404, "model_not_found", f"没有叫 {name[:100]} 的模型。现有：{known}。", "model")


def unsupported(param: str, wanted: str, remedy: str) -> RequestError:
    """做不到的参数：悄悄忽略，对方会把得到的当成照办了的。"""
    return RequestError(400, "unsupported_parameter", f"{param}：这里做不到 {wanted}。{remedy}。", param)


def _refuse_unsupported(chat: ChatRequest) -> None:
    """改变回答的形式、哪个后端都做不到的。只影响措辞的（logit_bias、frequency_penalty 等）不在内。"""
    for param, choice in (("tool_choice", chat.tool_choice), ("function_call", chat.function_call)):
        if choice not in (None, "auto", "none"):
            remedy = "这里的模型不会调用工具，只会回文字；去掉它，或写 auto、none"
            raise unsupported(param, "一定要调用工具", remedy)
    if chat.logprobs:
        raise unsupported("logprobs", "给出各标记的概率", "去掉它，或写 false")
    if others := {*(chat.modalities or [])} - {"text"}:
        raise unsupported("modalities", f"{'、'.join(sorted(others))[:50]} 的回答", "去掉它，这里只回文字")


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
    if status == 429:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
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
    context = first.get("ctx", {})
    reason = _INVALID.get(first["type"], "类型不对").format(**context)
    if first["type"] == "value_error":
        reason = str(context["error"])
    return first["type"], f"{param}：{reason}。" if param else f"{reason}。", param
