"""没有 bf16 的卡（T4、V100）用 fp16 与损失缩放。Accelerate 在 CPU 上不让用 fp16，这里把它的缩放器换成 torch 真的。

在那样的卡上还没有跑过；这里看的是：溢出的一步不算坏掉，缩放减到 1 还溢出才算。
"""

import pytest
import torch
from small_llm import build_small_base, small_dialogues
from transformers import AutoTokenizer

from health_assistant.training import checks, loading, sft
from health_assistant.training.recipe import Recipe


@pytest.fixture(scope="module")
def trainer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fp16")
    base = build_small_base(folder / "base")
    tokenizer = AutoTokenizer.from_pretrained(base)
    recipe = Recipe(model_name_or_path=str(base), lora_r=4, max_steps=4, learning_rate=1e-2)
    rows = [sft.encode(messages, tokenizer) for messages in small_dialogues()[:8]]
    model = loading.load_with_lora(base, recipe)
    return sft.build_trainer(recipe, model, tokenizer, rows, rows, folder / "checkpoints")


def overflow(trainer) -> None:
    for value in trainer.model.parameters():
        if value.requires_grad:
            value.grad = torch.full_like(value, torch.inf)


@pytest.mark.parametrize(("scale", "stops"), [(2.0**16, False), (1.0, False), (0.5, True), (None, True)])
def test_an_overflow_is_the_scalers_until_its_scale_is_below_one(trainer, scale, stops):
    trainer.accelerator.scaler = scale and torch.amp.GradScaler("cpu", init_scale=scale)
    overflow(trainer)
    if stops:
        with pytest.raises(checks.BadTraining, match="梯度是 (inf|nan)"):
            trainer._clip_grad_norm(trainer.model)
    else:
        assert not torch.isfinite(torch.as_tensor(trainer._clip_grad_norm(trainer.model)))
