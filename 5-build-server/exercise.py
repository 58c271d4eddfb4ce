"""阶段 5 的练习：把流拼回来。

    python 5-build-server/exercise.py

流式的回答是 SSE：一个事件一段，以空行结束，`data: ` 后面是 JSON，最后一个是 `data: [DONE]`。
冒号开头的行是注释（保持连接用的），不理它：

    data: {"choices": [{"delta": {"content": "多"}}]}⏎⏎
    : 还在⏎⏎
    data: {"choices": [{"delta": {"content": "喝水"}}]}⏎⏎
    data: [DONE]⏎⏎

网络可不管事件与汉字的边界：收到的一块可能是半个事件，一个汉字（三个字节）也可能劈成两块。
请改 `pieces`，逐段给出 content（没有 content 的事件不给）；收到 [DONE] 就停；流断在 [DONE] 之前就抛 ConnectionError，
不能让人以为说完了。现在的写法当每一块都正好是几个完整的事件。
"""

import json
import random
import sys
from collections.abc import Iterable, Iterator

from health_assistant.exercise import grade

# ---- 你的答案 ----


def pieces(chunks: Iterable[bytes]) -> Iterator[str]:
    """chunks 是依次收到的字节块。"""
    for chunk in chunks:
        for event in chunk.decode().split("\n\n"):
            data = event.removeprefix("data: ")
            if data.startswith("{"):
                yield json.loads(data)["choices"][0]["delta"].get("content", "")


# ---- 检查 ----


def stream(*texts: str, done: bool = True) -> bytes:
    """几段文字的一个流；done：末了有没有 [DONE]。"""
    events = [{"choices": [{"delta": {"role": "assistant"}}]}]
    events += [{"choices": [{"delta": {"content": text}}]} for text in texts]
    lines = [f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events]
    return "".join([*lines[:2], ": 还在\n\n", *lines[2:], "data: [DONE]\n\n" if done else ""]).encode()


def cut(data: bytes, size: int) -> list[bytes]:
    """每 size 个字节切成一块。"""
    return [data[at : at + size] for at in range(0, len(data), size)]


def _check_whole_stream_at_once() -> None:
    got = list(pieces([stream("多", "喝水", "。")]))
    assert got == ["多", "喝水", "。"], f"一整块收到时应给出 多、喝水、。，得到 {got}"


def _check_any_boundary() -> None:
    shuffler = random.Random()
    for size in (1, 2, 3, 5, 7, 64):
        texts = [shuffler.choice(["血钾偏高", "请", "\n\n", "data: ", "尽快就医。"]) for _ in range(6)]
        got = list(pieces(cut(stream(*texts), size)))
        assert got == texts, f"每块 {size} 个字节时，应给出 {texts}，得到 {got}"


def _check_each_piece_comes_as_soon_as_it_is_whole() -> None:
    whole = stream("先", "后")
    left = iter(cut(whole, 1))
    next(pieces(left))
    assert len([*left]) > len(whole) * 0.2, "第一段要马上给出，不能等整个流收完"


def _check_a_broken_stream_is_an_error() -> None:
    try:
        list(pieces([stream("血钾", done=False)]))
    except ConnectionError:
        return
    raise AssertionError("流断在 [DONE] 之前，应抛 ConnectionError")


if __name__ == "__main__":
    checks = (_check_whole_stream_at_once, _check_any_boundary, _check_each_piece_comes_as_soon_as_it_is_whole)
    sys.exit(grade(__doc__, *checks, _check_a_broken_stream_is_an_error))
