"""阶段 5 的服务在 GPU 上压一遍：transformers 与 vLLM，并发 1 与 16，写成 results/gpu.md。

写这些测试的机器没有 GPU，它们还没有真正运行过；transformers 的一半在 CPU 上用极小的尺寸跑过（test_measuring.py）。
vLLM 装在另一个虚拟环境里：把它的 bin 放进 PATH 再运行，装法写在 0-env-init/requirements-vllm.txt。
"""

import shutil

import pytest
import torch
from gpu import bases, measuring
from gpu.measuring import SERVER_STAGE

GIB = 2**30
NEEDED = {"qwen2.5-14b": 36, "qwen2.5-7b": 20, "qwen2.5-0.5b": 6}  # 空着这么多显存（GiB）才用这个尺寸
ANSWER_TOKENS = 128
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="没有 CUDA GPU"),
]


@pytest.fixture(scope="module")
def size() -> str:
    free = torch.cuda.mem_get_info()[0] / GIB
    fitting = [size for size, needed in NEEDED.items() if needed <= free]
    if not fitting:
        pytest.skip(f"显存只空着 {free:.1f} GiB")
    return fitting[0]


@pytest.fixture(scope="module")
def base(tmp_path_factory, size):
    folder = tmp_path_factory.mktemp("served")
    bases.build_llm(size, folder)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def records():
    """量到的，按后端；模块结束时写成表，有一个后端没有量到也写。"""
    records: dict[str, list[dict]] = {}
    yield records
    if records:
        rows = [one for measured in records.values() for one in measured]
        measuring.write_table(measuring.ROOT / SERVER_STAGE / "results/gpu.md", rows)


@pytest.mark.parametrize("backend", ["transformers", "vllm"])
def test_a_server_at_full_size(tmp_path, size, base, records, backend):
    if backend == "vllm" and not shutil.which("vllm"):
        pytest.skip("PATH 里没有 vllm：装法写在 0-env-init/requirements-vllm.txt")
    records[backend] = measuring.measure_server(tmp_path, size, base, backend, answer_tokens=ANSWER_TOKENS)
    assert all(one["Avg Output Tokens"] == ANSWER_TOKENS for one in records[backend]), "每个回答都要写满"
    weights = sum(file.stat().st_size for file in base.glob("*.safetensors")) / GIB
    assert all(one["peak_gib"] > weights for one in records[backend]), "显存至少放得下权重"


def test_vllm_answers_together_what_transformers_queues(records):
    if records.keys() != {"transformers", "vllm"}:
        pytest.skip("两个后端没有都量到")
    queued, together = (records[backend][-1] for backend in ("transformers", "vllm"))
    assert together["Output Throughput (tok/s)"] > 2 * queued["Output Throughput (tok/s)"]
    assert together["Avg TTFT (ms)"] < queued["Avg TTFT (ms)"]
