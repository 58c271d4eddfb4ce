"""阶段 3 的真脚本从训练到对话走 20 步：在 GPU 上用 0.5B 的尺寸，两个后端；同一份代码在 CPU 上用极小的尺寸走一遍。"""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from gpu import bases
from small_llm import write_train_data
from stage_scripts import run_well

RECIPE = "qwen2.5-0.5b"
SETTINGS = ["--dataset_name", "small", "--max_steps", "20", "--update_rows", "4", "--eval_steps", "10"]
SETTINGS += ["--warmup_steps", "2", "--learning_rate", "2e-3"]


def train_merge_and_chat(home: Path, size: str, backend: str) -> dict:
    """训练、合并、对话都要成功；返回 training.json。"""
    bases.build_llm(size, home / "base")
    write_train_data(home / "train-data/small")
    config = ["--config", f"3-fine-tuning-llm/configs/{RECIPE}.yaml", "--model_name_or_path", home / "base"]
    run_well(home, "3-fine-tuning-llm/train_llm.py", *config, "--backend", backend, *SETTINGS)
    assert "logits 最大差" in run_well(home, "3-fine-tuning-llm/merge_llm.py", "--recipe", RECIPE)
    ask = ["--recipe", RECIPE, "--compare", "--ask", "头痛怎么办？", "--max-new-tokens", "8"]
    assert "微调后：" in run_well(home, "3-fine-tuning-llm/chat.py", *ask)
    record = json.loads((home / f"llm/{RECIPE}/training.json").read_text(encoding="utf-8"))
    assert (record["backend"], record["steps"]) == (backend, 20)
    assert record["held_out_loss"] < record["held_out_loss_before"] and record["tokens_per_second"] > 0
    return record


@pytest.mark.slow
def test_the_scripts_in_small_on_a_cpu(tmp_path):
    train_merge_and_chat(tmp_path, "small", "transformers")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="没有 CUDA GPU")
@pytest.mark.parametrize("backend", ["transformers", "unsloth"])
def test_the_scripts_at_full_size_on_a_gpu(tmp_path, backend):
    """还没有在 GPU 上运行过。"""
    if backend == "unsloth" and not find_spec("unsloth"):
        pytest.skip("没有装 0-env-init/requirements-gpu.txt")
    record = train_merge_and_chat(tmp_path, RECIPE, backend)
    assert record["estimated_gib"] == pytest.approx(record["peak_memory_gib"], rel=0.15)
