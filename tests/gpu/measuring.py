"""GPU 测试共用的：真实尺寸、随机权重的基座，跑真的训练脚本与服务，服务量到的写成一张表。

速度与显存不取决于权重的值，所以不必下载；损失没有意义。同一份代码在 CPU 上用极小的尺寸也走得通。
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import psutil
import requests
from model_servers import free_port

from health_assistant import artifacts
from health_assistant.evaluation.evaluate import machine

ROOT = Path(__file__).resolve().parents[2]
LLM_STAGE, SERVER_STAGE, VL_STAGE = "3-fine-tuning-llm", "5-build-server", "6-fine-tuning-vl"
START_SECONDS = 1200  # 载入 28 GB 的权重，vLLM 还要编译


class TooBig(Exception):
    """这张卡放不下；消息是训练脚本的话。"""


def write_dialogues(home: Path, train: int) -> None:
    from small_llm import write_train_data

    write_train_data(home / "train-data/measured", train=train, val=8)


def write_pages(home: Path, train: int, longest_side: int) -> None:
    """整页的化验单；长边 2263 像素时约 2,490 个图像标记，正好用足配方的像素预算。"""
    import yaml

    recipe = {"size": {"train": train, "val": 2, "test": 2}, "layouts": ["methods"], "test_layouts": []}
    config = home / "dataset-measured.yaml"
    config.write_text(yaml.safe_dump(recipe | {"longest_side": longest_side}))
    run(home, VL_STAGE, "render_reports.py", "--config", config)


def environment(home: Path) -> dict:
    return os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "HF_HUB_OFFLINE": "1"}


def run(home: Path, stage: str, script: str, *arguments) -> None:
    """在子进程里跑真的脚本：Unsloth 一导入就改写 trl，两种后端不能同在一个进程。"""
    done = subprocess.run(
        [sys.executable, *map(str, (ROOT / stage / script, *arguments))],
        cwd=ROOT,
        env=environment(home),
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
    )
    if "放不下：" in done.stderr:
        raise TooBig(done.stderr.strip().splitlines()[0])
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]


def measure(home: Path, stage: str, recipe: str, base: Path, backend: str, steps: int, *more: object) -> dict:
    """按配方训练 steps 步，返回 training.json；more 是另外改的设置。"""
    name = f"{recipe}-{backend}"
    script, place = {LLM_STAGE: ("train_llm.py", "llm"), VL_STAGE: ("train_vl.py", "vl")}[stage]
    given = ["--config", ROOT / stage / f"configs/{recipe}.yaml", "--run_name", name, "--dataset_name", "measured"]
    given += ["--model_name_or_path", base, "--quantized_model", "", "--backend", backend]
    given += ["--max_steps", steps, "--eval_steps", steps, "--warmup_steps", 1, *more]
    run(home, stage, script, *given)
    return json.loads((home / place / name / "training.json").read_text())


@contextmanager
def serving(home: Path, backend: str, base: Path) -> Iterator[tuple[str, psutil.Popen]]:
    """阶段 5 真的服务，模型名是 measured；给出它的地址与进程，用完停掉。"""
    port = free_port()
    options = ["--backend", backend, "--model", base, "--served-model-name", "measured", "--port", port]
    if backend == "vllm":
        options += ["--config", ROOT / SERVER_STAGE / "configs/qwen2.5-14b-merged.yaml"]
    command = [sys.executable, *map(str, (ROOT / SERVER_STAGE / "serve.py", *options))]
    server = psutil.Popen(command, cwd=ROOT, env=environment(home), start_new_session=True)
    try:
        url, until = f"http://127.0.0.1:{port}", time.monotonic() + START_SECONDS
        while not answers(f"{url}/health"):
            assert server.poll() is None and time.monotonic() < until, "服务没有起来，原因在它的输出里"
            time.sleep(0.2)
        yield url, server
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(60)


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def measure_server(
    home: Path, size: str, base: Path, backend: str, loads=((1, 8), (16, 32)), answer_tokens: int = 128
) -> list[dict]:
    """用 bench.sh 压各档（并发，请求数），每个回答 answer_tokens 个标记；返回 EvalScope 的汇总，加上峰值。"""
    before, records = memory_in_use(), []
    with serving(home, backend, base) as (url, server):
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


@dataclass
class Table:
    """一种表：开头的说明，各列，一条记录怎样成为一行。"""

    about: str
    columns: list[str]
    row: Callable[[dict], list[str]]


def serving_row(record: dict) -> list[str]:
    return [
        record["size"],
        record["engine"],
        f"{record['Concurrency']}",
        f"{record['Output Throughput (tok/s)']:.0f}",
        f"{record['Avg TTFT (ms)']:.0f}",
        f"{record['Avg Output Tokens']:.0f}",
        f"{record['peak_gib']:.1f}",
    ]


SERVING = Table(
    "由 bench.sh 压，流式，时间从客户端看。vLLM 一开始就占住配方写的九成显存，它的峰值不是非要这么多。",
    ["模型", "后端", "并发", "标记/秒", "首字（毫秒）", "标记/回答", "峰值 GiB"],
    serving_row,
)


def write_table(path: Path, table: Table, records: list[dict]) -> None:
    """量到的写成 Markdown；records 空着就是还没有量。"""
    lines = ["# GPU 上的速度与显存", "", "由 `python -m pytest -m gpu tests/gpu` 写成，不要手改。"]
    lines += [f"模型是真实的尺寸、随机的权重：速度与显存不取决于权重的值。{table.about}", ""]
    if records:
        first = records[0]
        versions = "、".join(f"{name} {number}" for name, number in first["versions"].items())
        lines += [f"机器：{first['machine']['device']}；{versions}", ""]
    else:
        lines += ["还没有在 GPU 上量过，下面是待测。", ""]
    lines += [f"| {' | '.join(table.columns)} |", f"|{'---|' * len(table.columns)}"]
    rows = [table.row(record) for record in records] or [["待测"] * len(table.columns)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    artifacts.write_text(path, "\n".join(lines) + "\n")
