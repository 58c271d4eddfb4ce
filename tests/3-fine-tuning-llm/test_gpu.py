"""14B 主配方在 GPU 上经 Unsloth 与经 transformers + peft 各跑 20 步：每秒多少标记、峰值多少显存。

权重是随机的（只按配置造，不下载）。写这个测试的机器没有 GPU，它还没有真正运行过。加 -s 就把两边的数字打印出来供抄录。
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
STAGE = ROOT / "3-fine-tuning-llm"
STEPS = 20
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="没有 CUDA GPU"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Qwen2.5-14B 的形状、随机的 bf16 权重（约 28 GB 磁盘）、微型分词器，和几百条对话。"""
    from small_llm import small_texts, write_train_data
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from health_assistant.training.tiny_models import train_tokenizer

    home = tmp_path_factory.mktemp("gpu")
    tokenizer = train_tokenizer(small_texts())
    tokenizer.save_pretrained(home / "base")
    config = Qwen2Config(
        vocab_size=152064,
        hidden_size=5120,
        intermediate_size=13824,
        num_hidden_layers=48,
        num_attention_heads=40,
        num_key_value_heads=8,
        max_position_embeddings=32768,
        tie_word_embeddings=False,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):  # 在 GPU 上造随机数快得多；存盘后显存归还
            model = Qwen2ForCausalLM(config)
    finally:
        torch.set_default_dtype(previous)
    model.save_pretrained(home / "base")
    del model
    torch.cuda.empty_cache()
    write_train_data(home / "train-data/small", train=220, val=8)
    return home


def train(home: Path, backend: str) -> dict:
    """在子进程里训练：Unsloth 一导入就改写 trl，两种后端不能同在一个进程。"""
    command = [sys.executable, STAGE / "train_llm.py", "--config", STAGE / "configs/qwen2.5-14b-qlora.yaml"]
    command += ["--backend", backend, "--name", backend, "--train_data", "small", "--base_model", home / "base"]
    command += ["--quantized_model", "", "--max_steps", STEPS, "--eval_steps", STEPS, "--warmup_steps", 2]
    done = subprocess.run(
        [*map(str, command)],
        cwd=ROOT,
        env=os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]
    return json.loads((home / f"llm/{backend}/training.json").read_text())


def test_20_steps_of_the_14b_recipe_through_unsloth_and_plain(home):
    records = {backend: train(home, backend) for backend in ("unsloth", "transformers")}
    for backend, record in records.items():
        assert record["backend"] == backend and record["steps"] == STEPS
        assert all(one["loss"] == one["loss"] for one in record["train"]), "损失不能是 NaN"
        assert record["train"][-1]["loss"] < record["train"][0]["loss"]
        assert record["peak_memory_gib"] < record["estimated_gib"] * 1.25, "估计得太少"
    shown = {
        backend: {name: record[name] for name in ("tokens_per_second", "peak_memory_gib", "estimated_gib", "machine")}
        for backend, record in records.items()
    }
    print(json.dumps(shown, ensure_ascii=False, indent=2))
    assert records["unsloth"]["tokens_per_second"] > records["transformers"]["tokens_per_second"]
    assert records["unsloth"]["peak_memory_gib"] < records["transformers"]["peak_memory_gib"]
