"""在 GPU 上压真的服务，量到的写成一张表；同一份代码在 CPU 上用极小的尺寸也走得通。训练的由 training_speed.py 量。"""

import json
import os
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import model_servers
import psutil
import requests
from gpu.speed_table import table

from health_assistant import artifacts
from health_assistant.evaluation.evaluate import machine

ROOT = Path(__file__).resolve().parents[2]
SERVER_STAGE = "5-build-server"
START_SECONDS = 1200  # 载入 28 GB 的权重，vLLM 还要编译


def environment(home: Path) -> dict:
    return os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "HF_HUB_OFFLINE": "1"}


def measure_server(
    home: Path, size: str, base: Path, backend: str, loads=((1, 8), (16, 32)), answer_tokens: int = 128
) -> list[dict]:
    """用 bench.sh 压各档（并发，请求数），每个回答 answer_tokens 个标记；返回 EvalScope 的汇总，加上峰值。"""
    before, records = memory_in_use(), []
    options = ["--backend", backend, "--model", base, "--served-model-name", "measured"]
    if backend == "vllm":
        options += ["--config", ROOT / SERVER_STAGE / "configs/qwen2.5-14b-merged.yaml"]
    with model_servers.running(*options, seconds=START_SECONDS, **environment(home)) as running:
        url, server = running.root, psutil.Process(running.process.pid)
        engine = (
            version("transformers") if backend == "transformers" else requests.get(f"{url}/version").json()["version"]
        )
        about = {"size": size, "backend": backend, "engine": f"{backend} {engine}"}
        about |= {"machine": {"device": machine()}, "versions": {"evalscope": version("evalscope")}}
        for parallel, number in loads:
            load = {"PARALLEL": str(parallel), "NUMBER": str(number), "MAX_TOKENS": str(answer_tokens)}
            load["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
            bench = subprocess.Popen(
                ["bash", ROOT / SERVER_STAGE / "bench.sh", f"{url}/v1", "measured"], env=environment(home) | load
            )
            peak = 0
            while bench.poll() is None:
                peak = max(peak, memory_in_use(server) - before)
                time.sleep(0.1)
            assert bench.returncode == 0, "压测没有成功，原因在它的输出里"
            (summary,) = (home / "bench/measured").rglob("benchmark_summary.json")
            records.append(json.loads(summary.read_text()) | about | {"peak_gib": peak / 2**30})
    return records


def memory_in_use(server: psutil.Popen | None = None) -> int:
    """整张卡用了多少显存；没有 GPU 时是服务的各个进程的内存。字节。"""
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        return total - free
    processes = [server, *server.children(recursive=True)] if server else []
    return sum(one.memory_info().rss for one in processes)


ABOUT = """# GPU 上的速度与显存

由 `python -m pytest -m gpu tests/gpu` 写成，不要手改。
模型是真实的尺寸、随机的权重：速度与显存不取决于权重的值。由 bench.sh 压，流式，时间从客户端看。\
vLLM 一开始就占住配方写的九成显存，它的峰值不是非要这么多。

"""
COLUMNS = ["模型", "后端", "并发", "词元/秒", "首字（毫秒）", "词元/回答", "峰值 GiB"]


def row(record: dict) -> list[str]:
    return [
        record["size"],
        record["engine"],
        f"{record['Concurrency']}",
        f"{record['Output Throughput (tok/s)']:.0f}",
        f"{record['Avg TTFT (ms)']:.0f}",
        f"{record['Avg Output Tokens']:.0f}",
        f"{record['peak_gib']:.1f}",
    ]


def write_table(path: Path, records: list[dict]) -> None:
    """量到的写成 Markdown；records 空着就是还没有量。"""
    machine_line = "还没有在 GPU 上量过，下面是待测。"
    if records:
        versions = "、".join(f"{name} {number}" for name, number in records[0]["versions"].items())
        machine_line = f"机器：{records[0]['machine']['device']}；{versions}"
    rows = [row(record) for record in records] or [["待测"] * len(COLUMNS)]
    artifacts.write_text(path, f"{ABOUT}{machine_line}\n\n{table(COLUMNS, rows)}")
