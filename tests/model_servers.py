"""阶段 5 的测试共用的：起一个真的服务进程，用完停掉；造一个随机的 LoRA。"""

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import requests
from flask import Flask
from werkzeug.serving import make_server

ROOT = Path(__file__).resolve().parent.parent
SERVE = ROOT / "5-build-server/serve.py"


@dataclass
class Server:
    url: str
    """到 /v1 为止。"""
    process: subprocess.Popen | None = None
    """None 是在本进程里。"""
    api_key: str = "none"

    @property
    def root(self) -> str:
        return self.url.removesuffix("/v1")

    @property
    def worker(self) -> psutil.Process:
        """装着模型的工作进程。"""
        return psutil.Process(self.process.pid).children()[0]

    def client(self):
        """官方的 openai 客户端。"""
        import openai

        return openai.OpenAI(base_url=self.url, api_key=self.api_key, max_retries=0, timeout=60)

    def post(self, body, path: str = "/v1/chat/completions", **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.api_key}"}
        return requests.post(self.root + path, json=body, headers=headers, timeout=60, **options)


def free_port() -> int:
    """本机一个没有人用的端口；不在系统随手分给别人的那一段里（32768 起），服务起来以前不会被占去。"""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", secrets.choice(range(20_000, 32_000))))
            return probe.getsockname()[1]


def came_up(url: str, seconds: float, process: subprocess.Popen | None = None) -> bool:
    """几秒之内 url 有没有答话；给了进程的，它结束了就不再等。"""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # 本机的服务不走代理
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not (process and process.poll() is not None):
        try:
            opener.open(url, timeout=2).close()
            return True
        except OSError:
            time.sleep(0.1)
    return False


@contextmanager
def running(*options: str | Path, api_key: str = "", seconds: float = 60, **env: str) -> Iterator[Server]:
    """serve.py 加上这些选项，最多等 seconds 秒；用完停掉它的整个进程组，并且它要自己停得下来（vLLM 除外）。"""
    port = free_port()
    command = [sys.executable, SERVE, "--port", str(port), *options]
    environment = os.environ | {"MODEL_SERVER_API_KEY": api_key} | env
    process = subprocess.Popen(command, start_new_session=True, env=environment)
    try:
        assert came_up(f"http://127.0.0.1:{port}/health", seconds, process), "服务没有起来"
        yield Server(f"http://127.0.0.1:{port}/v1", process, api_key or "none")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=60) == 0 or "vllm" in options
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def serving(app: Flask) -> Iterator[Server]:
    """在本进程里服务这个应用，也是真的 HTTP。"""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield Server(f"http://127.0.0.1:{server.server_port}/v1")
    server.shutdown()


def write_random_lora(model, folder: Path, seed: int, targets: list[str] | str) -> Path:
    """没有训练过的 LoRA，权重不是零，所以回答会变。"""
    import torch
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(seed)
    settings = LoraConfig(r=8, lora_alpha=64, target_modules=targets, init_lora_weights=False, task_type="CAUSAL_LM")
    get_peft_model(model, settings).save_pretrained(folder)
    return folder
