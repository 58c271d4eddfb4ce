"""阶段 7 的测试共用的：起一个真的服务进程，用完停掉；传照片，读它的事件流。"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import requests
from model_servers import ROOT, came_up, free_port

SERVER = ROOT / "7-endpoint-integration-server/medical_report_server.py"
START_SECONDS = 60


@contextmanager
def running(log: Path, **settings: str) -> Iterator[tuple[str, subprocess.Popen]]:
    """服务的地址与主进程；settings 是另设的环境变量，输出写进 log。用完杀掉整个进程组：它什么也不存，不必等它收拾。"""
    port = free_port()
    settings = {"RATE_LIMIT": "100000/minute"} | settings  # 测试都来自同一个地址
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, SERVER, "--port", str(port)],
            cwd=ROOT,
            env=os.environ | settings,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        assert came_up(f"{url}/health", START_SECONDS, process), f"阶段 7 的服务没有启动：{log.read_text()[-2000:]}"
        yield url, process
    finally:
        with suppress(ProcessLookupError):  # 已经自己结束了
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def upload(
    server: str,
    photo: bytes,
    field: str = "image",
    stream: bool = False,
    form: dict | None = None,
    timeout: float = 120,
) -> requests.Response:
    """传一张照片；stream 时要事件流，form 是表单里别的字段。"""
    url, files = f"{server}/analyze_medical_report", {field: ("report.jpg", photo)}
    headers = {"Accept": "text/event-stream"} if stream else {}
    return requests.post(url, files=files, data=form, headers=headers, timeout=timeout)


def events(stream: bytes) -> list[tuple[str, dict]]:
    """一次回答的各个事件：名字与内容。"""
    blocks = stream.decode().strip().split("\n\n")
    pairs = [block.split("\ndata: ") for block in blocks if not block.startswith(":")]  # 冒号开头的是心跳
    return [(name.removeprefix("event: "), json.loads(data)) for name, data in pairs]
