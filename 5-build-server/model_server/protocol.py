"""OpenAI 的 chat completions 协议：请求的样子与校验，一个回答，后端要会什么。"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from model_server.data_url import check_data_url, decode_data_url

MAX_MESSAGES = 2000
MAX_STOP_LENGTH = 256
RETRY_AFTER_SECONDS = 2


class RequestError(Exception):
    """请求不能照办。`status` 是 HTTP 状态码，其余按 OpenAI 的错误格式告诉对方；retry_after 是几秒后再来。"""

    def __init__(
        self, status: int, code: str, message: str, param: str | None = None, retry_after: int = RETRY_AFTER_SECONDS
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.retry_after = retry_after


class _Strict(BaseModel):
    """ "5" 不当作 5，true 不当作 1：写错的参数要说出来。不认识的字段照收，不起作用。"""

    model_config = ConfigDict(strict=True)


class ImageUrl(_Strict):
    """一张图：base64 的 data URL。"""

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
    """一条消息；content 总是段的列表。"""

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
        """各段文字，一段一行。"""
        return "\n".join(part.text for part in self.content if part.type == "text")

    @property
    def images(self) -> list[ImageUrl]:
        """各张图片，按先后。"""
        return [part.image_url for part in self.content if part.type == "image_url"]


class StreamOptions(_Strict):
    """流式的选项：末了要不要说用了多少词元。"""

    include_usage: bool = False


class Conversation(_Strict):
    """对哪个模型，说过的各条消息。"""

    model: str
    # 几百万条错的消息，只报第一条：全报要好几 GB 内存
    messages: list[Message] = Field(min_length=1, max_length=MAX_MESSAGES, fail_fast=True)


class ResponseFormat(_Strict):
    """回答要什么形式；json_schema 时另有模式。"""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, Any] | None = None


class TokenizeRequest(Conversation):
    """问各条消息是哪些词元；要不要加上回答的开头。"""

    add_generation_prompt: bool = True


class ChatRequest(Conversation):
    """没有列出的参数照收，不起作用，日志里说一次。列出而做不到的由 `refuse_unsupported` 与后端拒绝。"""

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
        """回答最多多少个词元；没有说为 None。"""
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
        """协议里的 usage：提问、回答、一共多少个词元。"""
        prompt, completion = self.prompt_tokens, self.completion_tokens
        return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


class Backend(Protocol):
    """会回答的东西。"""

    models: tuple[str, ...]

    def answer(self, chat: ChatRequest) -> Answer:
        """不能照办时抛 `RequestError`：流一开始，状态码就改不了了。`response_format` 做不做得到也由后端说。"""

    def tokenize(self, conversation: TokenizeRequest) -> tuple[list[int], int]:
        """模型看到的词元，与上下文最多多少个词元。没有词元的后端抛 `RequestError`。"""


def unsupported(param: str, feature: str, remedy: str) -> RequestError:
    """做不到的参数：悄悄忽略，对方会把得到的当成照办了的。"""
    return RequestError(400, "unsupported_parameter", f"{param}：这里做不到 {feature}。{remedy}。", param)


def refuse_unsupported(chat: ChatRequest) -> None:
    """改变回答的形式、哪个后端都做不到的。只影响措辞的（logit_bias、frequency_penalty 等）不在内。"""
    for param, choice in (("tool_choice", chat.tool_choice), ("function_call", chat.function_call)):
        if choice not in (None, "auto", "none"):
            remedy = "这里的模型不会调用工具，只会回文字；去掉它，或写 auto、none"
            raise unsupported(param, "一定要调用工具", remedy)
    if chat.logprobs:
        raise unsupported("logprobs", "给出各词元的概率", "去掉它，或写 false")
    others = {*(chat.modalities or [])} - {"text"}
    if others:
        raise unsupported("modalities", f"{'、'.join(sorted(others))[:50]} 的回答", "去掉它，这里只回文字")
