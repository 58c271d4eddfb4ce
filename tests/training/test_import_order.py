"""Unsloth 在 trl、transformers、peft 之前导入：它替换其中的类，晚了就慢、费显存，还有警告。"""

import pytest
import small_llm
import small_vl
from stage_scripts import ROOT, run

from health_assistant import artifacts
from health_assistant.training.recipe import VisionRecipe

FAKE = """
import sys
early = {"trl", "transformers", "peft", "accelerate"} & {*sys.modules}
print("导入 unsloth 时已有：" + (" ".join(sorted(early)) or "一个也没有"))
sys.exit(7)
"""


@pytest.mark.parametrize("stage", ["3-fine-tuning-llm/train_llm.py", "6-fine-tuning-vl/train_vl.py", "grpo"])
def test_unsloth_comes_first(tmp_path, stage):
    """真的脚本走到导入 Unsloth 为止；这里没有 GPU，Unsloth 换成一个只报告的替身。"""
    (tmp_path / "unsloth").mkdir()
    (tmp_path / "unsloth/__init__.py").write_text(FAKE, encoding="utf-8")
    small_llm.write_train_data(tmp_path / "train-data/small", train=2, val=2)
    small_vl.write_pages(tmp_path / "vl/dataset/small")
    options = ["--backend", "unsloth", "--dataset_name", "small"]
    if stage == "grpo":  # 基座与数据随 SFT 的那一次
        (tmp_path / "vl/tuned/adapter").mkdir(parents=True)
        (tmp_path / "vl/tuned/adapter/adapter_model.safetensors").touch()
        recipe = VisionRecipe(dataset_name="small").model_dump() | {"backend": "unsloth"}
        artifacts.write_json(tmp_path / "vl/tuned/training.json", {"recipe": recipe})
        stage, options = "6-fine-tuning-vl/train_vl_grpo.py", ["--sft_run_name", "tuned"]
    done = run(tmp_path, stage, *options, PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert done.returncode == 7, done.stderr[-2000:]
    assert "导入 unsloth 时已有：一个也没有" in done.stdout
