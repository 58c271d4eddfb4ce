"""阶段 3、6 的配方用真的脚本在 GPU 上各跑 20 步：Unsloth 与 transformers + peft，峰值与估计相符。

results/gpu.md 的数由 training_speed.py 量，一次几分钟，见它的说明。

这些测试本身还没有在 GPU 上运行过；同一份代码在 CPU 上用极小的尺寸跑过（test_measuring.py）。
最大的基座 28 GB，写在 pytest 的临时目录里：系统盘小就先运行阶段 0 的平台脚本，它把 TMPDIR 放到数据盘。
"""

import shutil
from pathlib import Path

import pytest
import torch
from gpu import bases, measuring
from gpu.measuring import LLM_STAGE, VL_STAGE

STEPS = 20
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="没有 CUDA GPU"),
]
RUNS = [  # 阶段、基座、配方、后端
    (LLM_STAGE, "qwen2.5-14b", "qwen2.5-14b-qlora", "unsloth"),
    (LLM_STAGE, "qwen2.5-14b", "qwen2.5-14b-qlora", "transformers"),
    (LLM_STAGE, "qwen2.5-14b", "qwen2.5-14b-lora", "unsloth"),
    (LLM_STAGE, "qwen2.5-7b", "qwen2.5-7b-qlora", "unsloth"),
    (VL_STAGE, "qwen2-vl-7b", "qwen2-vl-7b-lora", "unsloth"),
    (VL_STAGE, "qwen2-vl-7b", "qwen2-vl-7b-lora", "transformers"),
    (VL_STAGE, "qwen2-vl-7b", "qwen2-vl-7b-qlora", "unsloth"),
    (VL_STAGE, "qwen2-vl-2b", "qwen2-vl-2b-qlora", "unsloth"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    home = tmp_path_factory.mktemp("gpu")
    measuring.write_dialogues(home, train=220)
    measuring.write_pages(home, train=24, longest_side=2263)
    return home


@pytest.fixture(scope="module")
def base(home, request):
    """一个尺寸的基座；用完就删，盘上同时只有一个。"""
    build = bases.build_vl if "-vl-" in request.param else bases.build_llm
    build(request.param, home / "base")
    yield home / "base"
    shutil.rmtree(home / "base")


@pytest.fixture(scope="module")
def records() -> dict[str, dict]:
    """量到的，按阶段。"""
    return {LLM_STAGE: {}, VL_STAGE: {}}


@pytest.mark.parametrize(("stage", "base", "recipe", "backend"), RUNS, indirect=["base"])
def test_20_steps_at_full_size(home, records, stage, base, recipe, backend):
    if backend == "unsloth":
        pytest.importorskip("unsloth", reason="没有装 0-env-init/requirements-gpu.txt")
    more = ["--update_rows", 2] if stage == VL_STAGE else []
    try:
        record = measuring.measure(home, stage, recipe, base, backend, STEPS, *more)
    except measuring.TooBig as reason:
        pytest.skip(str(reason))
    records[stage][recipe, backend] = record
    assert record["backend"] == backend and record["steps"] == STEPS
    assert all(one["loss"] == one["loss"] for one in record["train"]), "损失不能是 NaN"
    assert record["peak_memory_gib"] == pytest.approx(record["estimated_gib"], rel=0.15), "估计要准到 15%"
    if stage == VL_STAGE:
        assert record["image_tokens"]["train"] / record["data"]["tasks"]["train"] > 2300


@pytest.mark.parametrize(
    ("stage", "recipe"), [(LLM_STAGE, "qwen2.5-14b-qlora"), (VL_STAGE, "qwen2-vl-7b-lora")], ids=["llm", "vl"]
)
def test_unsloth_is_faster_than_plain_peft(records, stage, recipe):
    unsloth, plain = (measured_one(records[stage], (recipe, one)) for one in ("unsloth", "transformers"))
    assert unsloth["tokens_per_second"] > plain["tokens_per_second"]


def measured_one(measured: dict, key: tuple) -> dict:
    if key not in measured:
        pytest.skip(f"{'、'.join(key)} 没有量到")
    return measured[key]
