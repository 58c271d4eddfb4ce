"""量 HTTP 服务用的：很轻的假上游，很轻的客户端，起停被量的服务。只在本机上来往。"""

import asyncio
import json
import multiprocessing
import os
import re
import subprocess
import time
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from model_servers import ROOT, came_up, free_port

START_SECONDS = 90
ROWS = [
    {"name": "白细胞", "code": "WBC", "result": "6.1", "unit": "10^9/L", "reference_range": "3.5-9.5", "mark": None},
    {"name": "血红蛋白", "code": "HGB", "result": "98", "unit": "g/L", "reference_range": "115-150", "mark": "↓"},
]
READ = json.dumps({"report_type": "血细胞分析", "sex": "女", "age": "35岁", "items": ROWS}, ensure_ascii=False)
ADVICE = '{"chosen": ["HGB.why", "HGB.do"]}'
"""能通过检查的建议：要量的是平常的路，不是换成内置建议的路。"""


# ---- 上游 ----


@contextmanager
def running_upstream(delay: float = 0, at_once: int = 1000) -> Iterator[str]:
    """OpenAI 样子的上游：模型 vision 答 READ，别的答 ADVICE；每个答 delay 秒，同时至多 at_once 个，多的等着。"""
    port = free_port()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(port, delay, at_once), daemon=True)
    process.start()
    assert came_up(f"http://127.0.0.1:{port}/v1/models", START_SECONDS), "上游没有起来"
    yield f"http://127.0.0.1:{port}/v1"
    process.terminate()
    process.join()


def _serve(port: int, delay: float, at_once: int) -> None:
    async def main() -> None:
        places = asyncio.Semaphore(at_once)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    body = await reader.readexactly(_content_length(head))
                    if body:
                        async with places:
                            await asyncio.sleep(delay)
                    writer.write(_answer_to(body))
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", port, limit=1 << 20, backlog=1024)
        await server.serve_forever()

    asyncio.run(main())


def _answer_to(body: bytes) -> bytes:
    """不解析请求：只看里面有没有这几个字，上游要尽量不占 CPU。"""
    if not body:
        return _response("application/json", json.dumps({"object": "list", "data": []}))
    text = READ if re.search(rb'"model": ?"vision"', body) else ADVICE
    head = {"id": "x", "created": 0, "model": "fake"}
    if not re.search(rb'"stream": ?true', body):
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        whole = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return _response("application/json", json.dumps(whole))
    deltas = [({"role": "assistant", "content": text}, None), ({}, "stop")]
    choices = [{"index": 0, "delta": delta, "finish_reason": end} for delta, end in deltas]
    chunks = [{**head, "object": "chat.completion.chunk", "choices": [choice]} for choice in choices]
    events = "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)
    return _response("text/event-stream", events + "data: [DONE]\n\n")


def _response(kind: str, text: str) -> bytes:
    body = text.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (kind.encode(), len(body)) + body


def _content_length(head: bytes) -> int:
    line = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
    return int(line.split(b":")[1])


# ---- 被量的服务 ----


@contextmanager
def running_server(
    command: list, health: str, env: dict[str, str] | None = None, log: Path | None = None
) -> Iterator[int]:
    """起一个服务，命令里的 PORT 换成端口；给出端口，结束时停掉。"""
    port = free_port()
    command = [str(part).replace("PORT", str(port)) for part in command]
    with open(log or os.devnull, "w") as output:
        process = subprocess.Popen(command, env={**os.environ, **(env or {})}, stdout=output, stderr=output, cwd=ROOT)
        try:
            url = f"http://127.0.0.1:{port}{health}"
            assert came_up(url, START_SECONDS, process), f"{url} 没有答话"
            yield port
        finally:
            process.terminate()
            process.wait(timeout=20)


def check_not_degraded(port: int) -> None:
    """假上游的回答都用上了；没有用上，量的就不是平常的路。"""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status/data", timeout=10) as answer:
        degraded = json.load(answer)["degraded"]
    if degraded:
        raise RuntimeError(f"有的回答改用了内置引擎：{degraded}")


# ---- 客户端 ----


@dataclass
class Load:
    """一次测量：各状态码几个，答了 200 的各用了几秒。"""

    seconds: float
    statuses: Counter = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def per_second(self) -> float:
        return self.statuses[200] / self.seconds

    @property
    def median(self) -> float:
        return sorted(self.latencies)[len(self.latencies) // 2]


def upload(photo: bytes) -> bytes:
    """POST /analyze_medical_report 的整个请求。"""
    boundary = uuid.uuid4().hex
    body = b'--%s\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n\r\n' % boundary.encode()
    body += photo + b"\r\n--%s--\r\n" % boundary.encode()
    return post("/analyze_medical_report", f"multipart/form-data; boundary={boundary}", body)


def post(path: str, kind: str, body: bytes) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: application/json\r\nAuthorization: Bearer x\r\n"
    return f"{head}Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def measure(port: int, requests: list[bytes], clients: int, seconds: float) -> Load:
    """clients 个客户端各自一遍遍地依次发 requests（算一次），到时间为止；429 的按 Retry-After 等。"""
    return asyncio.run(_measure(port, requests, clients, seconds))


async def _measure(port: int, requests: list[bytes], clients: int, seconds: float) -> Load:
    load, end = Load(seconds), time.monotonic() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.monotonic()) < end:
            try:
                for request in requests:
                    writer.write(request)
                    status, wait = await _read_answer(reader)
            except (ConnectionError, asyncio.IncompleteReadError):
                status, wait = "断开", 0.1
            load.statuses[status] += 1
            if status == 200:
                load.latencies.append(time.monotonic() - started)
            else:
                # 等的时候服务器会关掉闲着的连接，再来时另开一条
                writer.close()
                await asyncio.sleep(min(wait, max(0, end - time.monotonic())))
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return load


async def _read_answer(reader: asyncio.StreamReader) -> tuple[int, float]:
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(_content_length(head))
    lines = head.lower().split(b"\r\n")
    wait = next((float(line.split(b":")[1]) for line in lines if line.startswith(b"retry-after:")), 0.0)
    return int(lines[0].split()[1]), wait
