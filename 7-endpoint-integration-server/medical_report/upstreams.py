"""外部的模型：任何 OpenAI 兼容的接口。

回答有时限、有大小；失败的再试一两次，连着失败的歇一会儿再问，不让每个人都等一个死掉的上游。
出了什么错都是一种 `UpstreamError`，由调用的人换成内置引擎。回答怎样拆见 upstream_dialects.py。
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

from health_assistant.addresses import is_this_machine
from health_assistant.evaluation.answers import without_thinking
from medical_report.counters import UPSTREAM_FAILURES
from medical_report.upstream_dialects import (
    MAX_ANSWER_BYTES,
    NEW_LIMIT,
    STATUS_KINDS,
    UpstreamError,
    adapt,
    read_answer,
    refused_field,
)

log = logging.getLogger(__name__)

ATTEMPTS = 3
FIRST_WAIT_SECONDS = 0.2
FAILURES_TO_OPEN = 5
REST_SECONDS = 30
"""连着失败这么多次，就歇这么久；之后放一个请求去试。"""
CONNECT_SECONDS = 5
MAX_CONNECTIONS = 64

_WORTH_RETRYING = ("unreachable", "busy", "server_error", "broken")
# 上游活着，只是不接受这一个请求
_NOT_ITS_FAULT = ("busy", "rejected")


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
        self.left_out: dict[str, str | None] = {}
        """它不接受的字段，和改用的字段（没有改用的为 None）。"""
        self._extra_body = extra_body or {}
        self._told_misconfigured = False
        # 不用 openai 的客户端：一张 1 MB 的照片每次多 6 毫秒（两个上游加服务自己的开销才 4），也不限回答的大小
        self._connections = _connections(api_base)
        self._headers = {
            "Authorization": f"Bearer {api_key.get_secret_value() or 'none'}",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        self._breaker = CircuitBreaker(
            fail_max=FAILURES_TO_OPEN,
            reset_timeout=REST_SECONDS,
            exclude=[lambda error: getattr(error, "kind", None) in _NOT_ITS_FAULT],
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

        对方不接受哪个可有可无的字段，就不带它再问，以后也不带（`left_out`）。
        trace 给了就记下每一次来往：问的（没有图片与密钥）、答的、用时。
        """
        optional = {"stream": True, "max_tokens": max_tokens, "temperature": 0, "response_format": response_format}
        optional = {name: value for name, value in optional.items() if value is not None} | self._extra_body
        while True:
            asked_with = adapt(optional, self.left_out)
            try:
                return self._ask_and_note({"messages": messages, **asked_with}, deadline, trace)
            except UpstreamError as error:
                name = refused_field(error.detail, asked_with) if error.kind == "rejected" else None
                if name is None:
                    raise
                self._leave_out(name, error.detail)

    def _leave_out(self, name: str, detail: str) -> None:
        renamed = name == "max_tokens" and NEW_LIMIT in detail
        self.left_out[name] = NEW_LIMIT if renamed else None
        how = f"改用 {NEW_LIMIT}" if renamed else "以后不带它问"
        log.warning("上游 %s（%s，模型 %s）不接受 %s，%s", self.name, self.api_base, self.model, name, how)

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
                exchange = {"upstream": self.name, "model": self.model, "request": _without_images(request)}
                trace.append({**exchange, **answered, "ms": round((time.monotonic() - started) * 1000)})
        return without_thinking(answer)[0]

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
        body = {"model": self.model, **request}
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
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:  # 写不进头的字等也算：总要有人顶上
            raise UpstreamError("unreachable") from error
        if response.status != 200:
            kind = STATUS_KINDS.get(response.status, "server_error")
            wait = response.headers.get("Retry-After", "")
            detail = answer.decode(errors="replace")[:500]
            raise UpstreamError(kind, detail, float(wait) if re.fullmatch(r"\d{1,4}", wait) else 0)
        text = read_answer(answer)
        self.last_success, self.last_error = time.time(), None
        return text


def _connections(api_base: str) -> urllib3.PoolManager:
    """与上游的连接，用过的留着；环境变量里设了代理的，经过代理，这台机器自己的除外。"""
    url = urllib3.util.parse_url(api_base)
    proxy = getproxies().get(url.scheme or "")
    if proxy and not is_this_machine(api_base) and not proxy_bypass(url.host or ""):
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
    left = deadline - time.monotonic()
    if left <= 0:
        raise UpstreamError("timeout")
    sock = getattr(response.connection, "sock", None)
    if sock:
        sock.settimeout(left)
    return response.read1(1 << 16, decode_content=False)


def _without_images(request: dict[str, Any]) -> dict[str, Any]:
    """请求的副本，图片换成一句话。"""

    def plain(content: Any) -> Any:
        if isinstance(content, str):
            return content
        return [part if part["type"] == "text" else {"type": part["type"], "image": "（略）"} for part in content]

    messages = [{**message, "content": plain(message["content"])} for message in request["messages"]]
    return {**request, "messages": messages}
