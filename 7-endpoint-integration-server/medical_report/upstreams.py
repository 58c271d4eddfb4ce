"""外部的模型：任何 OpenAI 兼容的接口。

回答有时限、有大小；失败的再试一两次，连着失败的歇一会儿再问，不让每个人都等一个死掉的上游。
出了什么错都是一种 `UpstreamError`，由调用的人换成内置引擎。
"""

import json
import logging
import re
import threading
import time
from typing import Any
from urllib.request import getproxies, proxy_bypass

import urllib3
from pybreaker import CircuitBreaker, CircuitBreakerError
from pydantic import SecretStr
from tenacity import (
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
    wait_exception,
    wait_exponential_jitter,
)

from medical_report.metrics import UPSTREAM_FAILURES

log = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""一个回答最多多少字节：四千来个 token 的事件流约 1 MB。"""
ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.2
FAILURES_TO_OPEN = 5
REST_SECONDS = 30
"""连着失败这么多次，就歇这么久；之后放一个请求去试。"""
CONNECT_SECONDS = 5
MAX_CONNECTIONS = 64

_MESSAGES = {
    "timeout": "没有在时限内答完",
    "unreachable": "连不上，或中途断了",
    "misconfigured": "不认密钥、模型名或地址，请检查设置",
    "busy": "说太忙",
    "rejected": "不接受这个请求",
    "server_error": "自己出错了",
    "too_large": f"回答超过 {MAX_ANSWER_BYTES >> 20} MB",
    "broken": "回答不完整，或不是约定的格式",
    "resting": "连着失败了几次，先不问它",
}
_STATUS_KINDS = {400: "rejected", 413: "rejected", 422: "rejected", 429: "busy"}
_STATUS_KINDS |= dict.fromkeys((401, 402, 403, 404, 405), "misconfigured")
_WORTH_RETRYING = ("unreachable", "busy", "server_error", "broken")
# 上游活着，只是不接受这一个请求
_NOT_ITS_FAULT = ("busy", "rejected")


class UpstreamError(RuntimeError):
    """上游没有答好。`kind` 是 `_MESSAGES` 的键；`retry_after` 是它要我们等的秒数。"""

    def __init__(self, kind: str, detail: str = "", retry_after: float = 0) -> None:
        super().__init__(_MESSAGES[kind])
        self.kind = kind
        self.detail = detail
        """对方说的话；只给操作的人看，不进日志。"""
        self.retry_after = retry_after


class Upstream:
    """一个上游。多个线程共用一个实例；记住的只有它的死活，没有任何请求的内容。"""

    def __init__(
        self, name: str, api_base: str, api_key: SecretStr, model: str, extra_body: dict | None = None
    ) -> None:
        self.name = name
        self.api_base = api_base
        self.model = model
        self.last_success: float | None = None
        """最近一次答好的时刻，Unix 秒。"""
        self.last_error: str | None = None
        self._extra_body = extra_body
        self._takes_schema = True
        self._told_misconfigured = False
        # 不用 openai 的客户端：它给每个字段核对类型，比收发本身还费时间
        self._connections = _connections(api_base)
        self._headers = {
            "Authorization": f"Bearer {api_key.get_secret_value() or 'none'}",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        self._breaker = CircuitBreaker(
            fail_max=FAILURES_TO_OPEN,
            reset_timeout=REST_SECONDS,
            exclude=[lambda error: error.kind in _NOT_ITS_FAULT],
            throw_new_error_on_trip=False,
        )
        self._probe = threading.Lock()

    @property
    def state(self) -> str:
        """closed 正常，open 在歇，half-open 在试。"""
        return self._breaker.current_state

    def ask(self, messages: list[dict], max_tokens: int, deadline: float, trace: list | None = None,
            response_format: dict | None = None) -> str:  # fmt: skip
        """问一次，返回回答的文字，去掉了思考。deadline 是 `time.monotonic` 的时刻。答不好抛 `UpstreamError`。

        trace 给了就记下这一次来往：问的（没有图片与密钥）、答的、用时。
        """
        request = {"messages": messages, "max_tokens": max_tokens, "temperature": 0}
        if response_format and self._takes_schema:
            try:
                return self._ask_and_note(request | {"response_format": response_format}, deadline, trace)
            except UpstreamError as error:
                if error.kind != "rejected" or not re.search("response_format|schema|structured", error.detail):
                    raise
                self._takes_schema = False
        return self._ask_and_note(request, deadline, trace)

    def _ask_and_note(self, request: dict[str, Any], deadline: float, trace: list | None) -> str:
        started = time.monotonic()
        answered: dict[str, Any] = {}
        try:
            answer = self._ask_patiently(request, deadline)
            answered = {"response": answer}
        except UpstreamError as error:
            answered = {"error": str(error), "response": error.detail}
            self._note(error)
            raise
        finally:
            if trace is not None:
                asked = {"upstream": self.name, "model": self.model, "request": _without_images(request)}
                trace.append({**asked, **answered, "ms": round((time.monotonic() - started) * 1000)})
        return _without_thinking(answer)

    def _note(self, error: UpstreamError) -> None:
        UPSTREAM_FAILURES.labels(self.name, error.kind).inc()
        self.last_error = str(error)
        if error.kind == "misconfigured" and not self._told_misconfigured:
            self._told_misconfigured = True
            log.error("上游 %s（%s，模型 %s）%s", self.name, self.api_base, self.model, error)

    def _ask_patiently(self, request: dict[str, Any], deadline: float) -> str:
        """失败了等一等再试，对方要我们等多久就等多久，总之不过时限。"""
        attempts = Retrying(
            retry=retry_if_exception(lambda error: isinstance(error, UpstreamError) and error.kind in _WORTH_RETRYING),
            stop=stop_after_attempt(ATTEMPTS) | stop_before_delay(max(deadline - time.monotonic(), 0)),
            wait=wait_exponential_jitter(multiplier=FIRST_WAIT_SECONDS, max=2, jitter=FIRST_WAIT_SECONDS)
            + wait_exception(lambda error: getattr(error, "retry_after", 0)),
            reraise=True,
        )
        return attempts(self._ask_unless_resting, request, deadline)

    def _ask_unless_resting(self, request: dict[str, Any], deadline: float) -> str:
        # 歇着的时候，一次只放一个去试
        is_probe = self._breaker.current_state != "closed"
        if is_probe and not self._probe.acquire(blocking=False):
            raise UpstreamError("resting")
        try:
            with self._breaker.calling():
                return self._ask_once(request, deadline)
        except CircuitBreakerError as error:
            raise UpstreamError("resting") from error
        finally:
            if is_probe:
                self._probe.release()

    def _ask_once(self, request: dict[str, Any], deadline: float) -> str:
        """发一次，读到 deadline 为止；查域名、一个地址一个地址地试连接不受它管，连一个地址至多 `CONNECT_SECONDS`。"""
        seconds = max(deadline - time.monotonic(), 0.001)
        body = {"model": self.model, "stream": True, **request, **(self._extra_body or {})}
        try:
            response = self._connections.request(
                "POST",
                f"{self.api_base.rstrip('/')}/chat/completions",
                body=json.dumps(body).encode(),
                headers=self._headers,
                timeout=urllib3.Timeout(connect=min(seconds, CONNECT_SECONDS), read=seconds),
                retries=False,  # 也不跟着转向：照片只发给设置里写的地址
                preload_content=False,
            )
            with response:
                answer = _read(response, deadline)
        except urllib3.exceptions.TimeoutError as error:
            raise UpstreamError("timeout") from error
        except urllib3.exceptions.HTTPError as error:
            raise UpstreamError("unreachable") from error
        if response.status != 200:
            kind = _STATUS_KINDS.get(response.status, "server_error")
            wait = response.headers.get("Retry-After", "")
            detail = answer.decode(errors="replace")[:500]
            raise UpstreamError(kind, detail, float(wait) if re.fullmatch(r"\d{1,4}", wait) else 0)
        text = _join(answer)
        self.last_success, self.last_error = time.time(), None
        return text


def _connections(api_base: str) -> urllib3.PoolManager:
    """与上游的连接，用过的留着；环境变量里设了代理的，经过代理。"""
    url = urllib3.util.parse_url(api_base)
    proxy = getproxies().get(url.scheme or "")
    if proxy and not proxy_bypass(url.host or ""):
        return urllib3.ProxyManager(proxy, maxsize=MAX_CONNECTIONS)
    return urllib3.PoolManager(maxsize=MAX_CONNECTIONS)


def _read(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """回答的正文；太多、太久就不读了，一个换行也没有的也一样。压缩的不解开：解开之后有多大，无从限制。"""
    parts, size = [], 0
    while part := _next_part(response, deadline):
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            raise UpstreamError("too_large")
    return b"".join(parts)


def _next_part(response: urllib3.BaseHTTPResponse, deadline: float) -> bytes:
    """等到有就读。套接字的时限从每一段重新算起，所以每次改成剩下的；读完了连接已经还回去，不能再碰。"""
    if (left := deadline - time.monotonic()) <= 0:
        raise UpstreamError("timeout")
    if sock := getattr(response.connection, "sock", None):
        sock.settimeout(left)
    return response.read1(1 << 16, decode_content=False)


def _join(stream: bytes) -> str:
    """事件流 -> 全文。断在半路的、写到长度上限的，后面的行就没有了：不能当作全部。"""
    parts, end = [], None
    try:
        for line in stream.decode().splitlines():
            data = line.removeprefix("data:").strip()
            if line.startswith("data:") and data != "[DONE]":
                for choice in json.loads(data)["choices"][:1]:
                    parts.append(choice["delta"].get("content") or "")
                    end = choice.get("finish_reason") or end
        answer = "".join(parts)
    except (
        ValueError,
        TypeError,
        LookupError,
        AttributeError,
        RecursionError,
    ) as error:  # 对面是别人的程序，什么样的都有
        raise UpstreamError("broken") from error
    if end != "stop" or not answer.strip():
        raise UpstreamError("broken", answer)
    return answer


def _without_thinking(answer: str) -> str:
    """去掉 <think>…</think>：有的只有后一半，有的没有写完。"""
    return re.sub(r"<think>.*", "", re.sub(r"^.*</think>", "", answer, flags=re.DOTALL), flags=re.DOTALL).strip()


def _without_images(request: dict[str, Any]) -> dict[str, Any]:
    """请求的副本，图片换成一句话。"""

    def plain(content: Any) -> Any:
        if isinstance(content, str):
            return content
        return [part if part["type"] == "text" else {"type": part["type"], "image": "（略）"} for part in content]

    messages = [{**message, "content": plain(message["content"])} for message in request["messages"]]
    return {**request, "messages": messages}
