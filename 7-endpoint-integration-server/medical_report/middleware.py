"""运行这个服务要的，与读报告无关：请求号、密钥、限流、同时处理的上限、跨源、安全头、计量、日志。"""

import logging
import math
import threading
import time
import uuid
from collections import deque

from flask import Flask, Response, g, request
from flask_cors import CORS
from pythonjsonlogger.json import JsonFormatter
from throttled import Throttled
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import TooManyRequests, Unauthorized
from werkzeug.middleware.proxy_fix import ProxyFix

from health_assistant.api_keys import WRONG_KEYS_SAID, KeyGuard, limiter
from medical_report import counters
from medical_report.errors import TooFrequent, handle_error
from medical_report.settings import Settings

log = logging.getLogger(__name__)

_SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_PUBLIC = {"medical_report.index", "medical_report.health", "operator.ready", "operator.openapi", "static"}
"""有密钥时，不带密钥也能看的：网页自己，和给监控、编程的人看的。"""


def install(app: Flask, settings: Settings) -> None:
    """把这些装到应用上。检查的先后就是下面的先后，都在读请求体之前。"""
    app.extensions["recent_errors"] = deque(maxlen=20)
    app.register_error_handler(Exception, handle_error)
    app.before_request(_number_request)
    if settings.trusted_proxies:
        hops = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops, x_host=hops)  # type: ignore[method-assign]
    if settings.allowed_origins:
        exposed = ["X-Request-ID", "Retry-After"]
        CORS(app, origins=list(settings.allowed_origins), methods=["GET", "POST"], expose_headers=exposed)
    key = settings.api_key.get_secret_value()
    if key:
        guard = KeyGuard(key)
        app.before_request(lambda: _check_key(guard))
    rate = limiter(settings.rate_limit)
    app.before_request(lambda: _check_rate(rate))
    slots = threading.BoundedSemaphore(settings.max_concurrent)
    app.before_request(lambda: _take_slot(slots))
    app.after_request(_finish)


def _number_request() -> None:
    g.request_id, g.started, g.facts = uuid.uuid4().hex[:16], time.perf_counter(), {}


def _check_key(guard: KeyGuard) -> None:
    if request.method == "OPTIONS" or request.endpoint in _PUBLIC or request.endpoint is None:
        return
    seconds = guard.refuse_seconds(request)
    if seconds:
        raise TooFrequent(WRONG_KEYS_SAID, retry_after=seconds)
    if seconds == 0:
        # 页面让浏览器问；网页发的 POST 不让，它自己有地方填
        ask = WWWAuthenticate("basic", {"realm": "health-assistant"}) if request.method == "GET" else None
        raise Unauthorized(www_authenticate=ask)


def _check_rate(rate: Throttled) -> None:
    """一个地址来的请求不能太密。"""
    if request.method == "POST":
        result = rate.limit(request.remote_addr or "")
        if result.limited:
            raise TooFrequent(retry_after=math.ceil(result.state.retry_after))


def _take_slot(slots: threading.BoundedSemaphore) -> None:
    """占一个位子；没有空位就请人过几秒再来：排着队的连接会占满线程，/health 也答不了话。"""
    if request.method != "POST":
        return
    if not slots.acquire(blocking=False):
        raise TooManyRequests(retry_after=3)
    g.slot = slots
    counters.IN_PROGRESS.inc()


def _finish(response: Response) -> Response:
    response.headers.update(_SECURITY_HEADERS)
    response.headers["X-Request-ID"] = g.request_id
    # 结果是个人的健康信息，不许缓存；网页文件每次核对是否有新的
    is_page = request.method in ("GET", "HEAD") and response.status_code in (200, 304)
    response.headers["Cache-Control"] = "no-cache" if is_page else "no-store"
    if not is_page:  # 网页的文件哪种语言都一样；写了，断网时浏览器就不肯用存的
        response.vary.add("Accept-Language")

    request_id, started, facts, slot = g.request_id, g.started, g.facts, g.pop("slot", None)
    method, route = request.method, request.url_rule.rule if request.url_rule else "（没有这个地址）"

    def close() -> None:
        """回答发完了（事件流可能要几十秒），或者对方走了。"""
        if slot:
            slot.release()
            counters.IN_PROGRESS.dec()
        counters.REQUESTS.labels(route, response.status_code).inc()
        if method == "POST":
            ms = round((time.perf_counter() - started) * 1000)
            known = {"request_id": request_id, "route": route, "status": response.status_code, "ms": ms}
            log.info("答了", extra=known | facts)

    response.call_on_close(close)
    return response


def log_as_json() -> None:
    """日志一行一个 JSON，写到标准错误；Python 的警告也是。"""
    handler = logging.StreamHandler()
    names = {"asctime": "time", "levelname": "level"}
    handler.setFormatter(
        JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", rename_fields=names, json_ensure_ascii=False)
    )
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.captureWarnings(True)  # 警告也成一行 JSON，不夹在中间
