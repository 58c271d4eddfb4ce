"""各家 OpenAI 兼容接口的说法：回答怎样拆成文字，出错说的是什么，哪些字段它不接受。"""

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""一个回答最多多少字节：四千来个 token 的事件流约 1 MB。"""
NEW_LIMIT = "max_completion_tokens"
"""OpenAI 的新模型用它代替 max_tokens。"""

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
STATUS_KINDS = {400: "rejected", 413: "rejected", 422: "rejected", 501: "rejected", 429: "busy"}
STATUS_KINDS |= dict.fromkeys((401, 402, 403, 404, 405), "misconfigured")

# 不写字段名、只说意思的
_OTHER_NAMES = {
    "response_format": ("json_schema", "schema", "structured", "guided", "grammar"),
    "stream": ("streaming",),
}
# 写到上限、被拦下、出了错而停的，各家的词：后面没有了，不能当作全部
_CUT_OFF = re.compile(r"length|max|limit|filter|safety|block|recitation|error|abort|cancel|timeout|tool|function", re.I)


class UpstreamError(RuntimeError):
    """上游没有答好。`kind` 是 `_MESSAGES` 的键；`retry_after` 是它要我们等的秒数。"""

    def __init__(self, kind: str, detail: str = "", retry_after: float = 0) -> None:
        super().__init__(_MESSAGES[kind])
        self.kind = kind
        self.detail = detail
        """对方说的话；只给操作的人看，不进日志。"""
        self.retry_after = retry_after


# ---- 不接受的字段 ----


def adapt(optional: dict[str, Any], left_out: dict[str, str | None]) -> dict[str, Any]:
    """可有可无的字段，去掉、换掉它不接受的；left_out 是字段名 -> 改用的名字，没有改用的为 None。"""
    adapted = {}
    for name, value in optional.items():
        used = left_out.get(name, name)
        if used and (used == name or used not in left_out):
            adapted[used] = value
    return adapted


def refused_field(detail: str, asked_with: dict[str, Any]) -> str | None:
    """对方的话里说的是哪一个字段（asked_with 里的名字）；没有说到的为 None。

    说了字段名的，先提到的算；没有说的，看嵌在里面的名字（如 chat_template_kwargs 里的 enable_thinking）与别的叫法。
    """
    other_names = {
        name: _OTHER_NAMES.get(name) or (list(value) if isinstance(value, dict) else [])
        for name, value in asked_with.items()
    }
    for names in ({name: [name] for name in asked_with}, other_names):
        places = {name: _where(detail, words) for name, words in names.items()}
        named = {name: place for name, place in places.items() if place is not None}
        if named:
            return min(named, key=named.__getitem__)
    return None


def _where(detail: str, words: Iterable[str]) -> int | None:
    """这些词（整个的词）里有一个在哪里第一次提到；都没有提到的为 None。"""
    places = [re.search(rf"(?<![a-z_-]){re.escape(word)}(?![a-z_])", detail, re.I) for word in words]
    return min((place.start() for place in places if place), default=None)


# ---- 回答 ----


def read_answer(body: bytes) -> str:
    """回答的正文（事件流，或一个 JSON）-> 全文。断在半路的、写到长度上限的、说出错了的，抛 `UpstreamError`。"""
    parts, end, is_whole = [], None, False
    try:
        for message in _messages(body.decode("utf-8-sig")):
            if message == "[DONE]":
                is_whole = True
                continue
            said = json.loads(message)
            problem = said.get("error")
            if problem:
                raise _told_problem(problem)
            for choice in said["choices"][:1]:
                parts.append(_text_of(choice))
                end = choice.get("finish_reason") or end
        answer = "".join(parts)
        # 说了为什么停的，看它的词；没有说的，要有 [DONE]
        is_cut = bool(_CUT_OFF.search(end)) if end else not is_whole
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise UpstreamError("broken") from error  # 对面是别人的程序，什么样的都有
    if is_cut or not answer.strip():
        raise UpstreamError("broken", answer)
    return answer


def _messages(body: str) -> Iterator[str]:
    """事件流里的各条 data；不是事件流，整个就是一条。

    只按 \\n 与 \\r\\n 断行：JSON 的字符串里可以有 U+2028 等别的“换行”。
    """
    if body.lstrip()[:1] == "{":
        yield body
        return
    for line in body.split("\n"):
        if line.startswith("data:"):
            yield line.removeprefix("data:").strip(" \r")


def _text_of(choice: dict) -> str:
    """一个 choice 的文字：流里是 delta，一次答完的是 message；最后一个可以只有 finish_reason。文字也可以分成几段。"""
    content = (choice.get("delta") or choice.get("message") or {}).get("content") or ""
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content)


def _told_problem(problem: Any) -> UpstreamError:
    """状态码 200，正文里却说出错了：照它写的状态码算。"""
    code = problem.get("code") if isinstance(problem, dict) else None
    kind = STATUS_KINDS.get(code, "broken") if isinstance(code, int) else "broken"
    return UpstreamError(kind, json.dumps(problem, ensure_ascii=False)[:500])
