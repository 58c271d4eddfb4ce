"""密钥：能不能写进 HTTP 头，请求带的对不对，错得太多就先不看。阶段 5 与阶段 7 的服务共用。"""

import hmac
import math
from typing import TYPE_CHECKING

from health_assistant.command_line import BadInput

if TYPE_CHECKING:
    from throttled import Throttled
    from werkzeug import Request

WRONG_KEYS = "10/minute"
"""一个地址可以试错多少次密钥。"""
MAX_CLIENTS = 100_000
"""记住多少个地址；再多就忘掉最久没来的。"""
WRONG_KEYS_SAID = "密钥错了太多次，先不看了。请向开这个服务的人核对密钥，过一会儿再试。"


def key_problem(key: str, name: str) -> str:
    """密钥写不进 HTTP 头时说哪里不对，能用的为空串；name 是它的选项或环境变量。说明里没有密钥本身。"""
    if key.isascii() and key.isprintable() and key == key.strip():
        return ""
    return f"{name} 里有汉字、换行或两头的空格，HTTP 头里写不了：密钥只用英文字母、数字与符号"


def check_key(key: str, name: str) -> None:
    """密钥写不进 HTTP 头时抛 BadInput；name 是它的选项或环境变量。"""
    problem = key_problem(key, name)
    if problem:
        raise BadInput(problem)


def limiter(quota: str) -> "Throttled":
    """令牌桶，一个地址一只；一下子用完了就一个一个地补。quota 如 10/minute。"""
    from throttled import Throttled, store

    return Throttled(quota=quota, store=store.MemoryStore(options={"MAX_SIZE": MAX_CLIENTS}))


class KeyGuard:
    """看守一个密钥。"""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._guesses = limiter(WRONG_KEYS)

    def refuse_seconds(self, request: "Request") -> int | None:
        """放行为 None；0 是没有带密钥或不对；大于 0 是这个地址错得太多，这么多秒之后再看。

        锁着的时候对的也不放行：不然答 200 还是 429，就告诉了他猜对没有。没有带密钥的不算猜。
        """
        sent, client = sent_key(request), request.remote_addr or ""
        if not sent:
            return 0
        state = self._guesses.peek(client)
        if state.remaining < 1:
            return max(math.ceil(state.reset_after / state.limit), 1)
        if hmac.compare_digest(sent.encode(), self._key):
            return None
        self._guesses.limit(client)
        return 0


def sent_key(request: "Request") -> str:
    """请求带的密钥，没有为空串：X-API-Key，或 Authorization 的 Bearer、Basic 的密码。

    有 X-API-Key 就不看 Authorization：那是给前面要登录的反向代理的。
    """
    given = request.authorization
    in_authorization = (given.token or given.get("password") or "") if given else ""
    return request.headers.get("X-API-Key") or in_authorization
