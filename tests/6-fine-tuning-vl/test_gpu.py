"""Qwen2-VL-7B 在 GPU 上经 Unsloth 与经 transformers + peft 各跑 20 步，每页约 2,490 个图像标记：速度与显存。

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
STAGE = ROOT / "6-fine-tuning-vl"
STEPS = 20
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="没有 CUDA GPU"),
]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Qwen2-VL-7B 的形状、随机的 bf16 权重（约 16 GB 磁盘）、微型分词器，和 24 张 1600 像素的整页。"""
    import yaml
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    from health_assistant import artifacts
    from health_assistant.training import tiny_models

    home = tmp_path_factory.mktemp("gpu")
    tokenizer = tiny_models.train_tokenizer(
        tiny_models.report_texts(), 2560, tiny_models.VISION_TEMPLATE, tiny_models.VISION_SYSTEM
    )
    tokenizer.save_pretrained(home / "base")
    token = tokenizer.convert_tokens_to_ids
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28}
    text |= {"num_key_value_heads": 4, "vocab_size": 152064, "max_position_embeddings": 32768, **ends}
    rope = {"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6}
    config = Qwen2VLConfig(
        text_config=text | {"rope_parameters": rope, "tie_word_embeddings": False},
        vision_config={"depth": 32, "embed_dim": 1280, "hidden_size": 3584, "num_heads": 16, "mlp_ratio": 4},
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=False,
    )
    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda"):  # 在 GPU 上造随机数快得多；存盘后显存归还
            model = Qwen2VLForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(previous)
    model.save_pretrained(home / "base")
    del model
    torch.cuda.empty_cache()
    settings = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2}
    artifacts.write_json(home / "base/preprocessor_config.json", settings | {"temporal_patch_size": 2})
    data = {
        "size": {"train": 24, "val": 2, "test": 2},
        "layouts": ["methods"],
        "test_layouts": [],
        "longest_side": 2263,
    }
    (home / "dataset-pages.yaml").write_text(yaml.safe_dump(data))
    run(home, "render_reports.py", "--config", home / "dataset-pages.yaml")
    return home


def run(home: Path, script: str, *arguments) -> None:
    done = subprocess.run(
        [sys.executable, *map(str, (STAGE / script, *arguments))],
        cwd=ROOT,
        env=os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=3000,
    )
    assert done.returncode == 0, done.stdout + done.stderr[-5000:]


def train(home: Path, backend: str) -> dict:
    """在子进程里训练：Unsloth 一导入就改写 trl，两种后端不能同在一个进程。"""
    more = ["--backend", backend, "--name", backend, "--train_data", "pages", "--base_model", home / "base"]
    more += ["--max_steps", STEPS, "--eval_steps", STEPS, "--warmup_steps", 2, "--gradient_accumulation", 1]
    run(home, "train_vl.py", "--config", STAGE / "configs/qwen2-vl-7b-lora.yaml", *more)
    return json.loads((home / f"vl/{backend}/training.json").read_text())


def test_20_steps_of_the_7b_recipe_through_unsloth_and_plain(home):
    records = {backend: train(home, backend) for backend in ("unsloth", "transformers")}
    for backend, record in records.items():
        assert record["backend"] == backend and record["steps"] == STEPS
        assert record["image_tokens"]["train"] / record["data"]["tasks"]["train"] > 2300
        assert all(one["loss"] == one["loss"] for one in record["train"]), "损失不能是 NaN"
        assert record["peak_memory_gib"] < record["estimated_gib"] * 1.25, "估计得太少"
    names = ("tokens_per_second", "peak_memory_gib", "estimated_gib", "machine", "image_tokens")
    shown = {backend: {name: record[name] for name in names} for backend, record in records.items()}
    print(json.dumps(shown, ensure_ascii=False, indent=2))
    assert records["unsloth"]["peak_memory_gib"] < records["transformers"]["peak_memory_gib"]
