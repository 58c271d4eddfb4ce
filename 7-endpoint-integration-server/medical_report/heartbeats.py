"""事件流里的心跳：两个事件之间隔得久了，发一行注释，路上的代理与浏览器才知道连接还活着。"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

T = TypeVar("T")

EVERY_SECONDS = 10
"""隔多久一次。常见的代理、负载均衡 30 到 60 秒没有动静就断开。"""
HEARTBEAT = ": 还在处理\n\n"
"""SSE 里冒号开头的是注释，读事件的程序都会跳过。"""


def with_heartbeats(events: Iterator[T]) -> Iterator[T | None]:
    """原样给出 events；每等 `EVERY_SECONDS` 秒还没有下一个，就给一个 None。events 抛的照抛。

    下一个事件在另一个线程里等。读的人走了（生成器被关掉），等手头的一个做完就不再要。
    """
    with ThreadPoolExecutor(1) as worker:
        while True:
            step = worker.submit(next, events, None)
            while not wait([step], EVERY_SECONDS).done:
                yield None
            event = step.result()
            if event is None:
                return
            yield event
