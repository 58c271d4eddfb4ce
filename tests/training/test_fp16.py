"""没有 bf16 的卡（T4、V100）用 fp16 与损失缩放。Accelerate 在 CPU 上不让用 fp16，这里给它 torch 真的缩放器与 autocast。

在那样的卡上还没有跑过；这里看的是：fp16 学得与 32 位一样；溢出的一步跳过、缩放减半；减到 1 还溢出才算坏掉。
"""

from unittest import mock

import pytest
import torch
from small_llm import build_small_base, small_dialogues
from transformers import AutoTokenizer

from health_assistant.training import checks, loading, precision, sft
from health_assistant.training.recipe import Recipe

UPDATES = 12


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_small_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def trainer(base, tmp_path):
    return build(base, tmp_path, torch.float32)


def build(base, folder, dtype):
    tokenizer = AutoTokenizer.from_pretrained(base)
    settings = {"lora_r": 4, "update_rows": 4, "max_steps": UPDATES, "warmup_steps": 1, "learning_rate": 1e-2}
    recipe = Recipe(model_name_or_path=str(base), early_stopping_patience=0, **settings)
    rows = [sft.encode(messages, tokenizer) for messages in small_dialogues()[:8]]
    with mock.patch.object(precision, "training_dtype", lambda *_: dtype):
        model = loading.load_with_lora(base, recipe)
    assert {value.dtype for name, value in model.named_parameters() if "lora_" not in name} == {dtype}
    return sft.build_trainer(recipe, model, tokenizer, rows, rows, folder / "checkpoints")


def train_in_fp16(base, folder, scale: float):
    """训练好的 Trainer，与跳过了几次更新；scale 是缩放从多大开始。"""
    trainer = build(base, folder, torch.float16)
    trainer.accelerator.scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    trainer.compute_loss_context_manager = lambda: torch.autocast("cpu", torch.float16)
    trainer.train()
    (updates,) = {int(state["step"]) for state in trainer.optimizer.state.values()}
    return trainer, UPDATES - updates


def losses(trainer) -> list[float]:
    return [logs["loss"] for logs in trainer.state.log_history if "loss" in logs]


def test_fp16_learns_what_32_bits_learn(base, tmp_path, trainer):
    trainer.train()
    half, skipped = train_in_fp16(base, tmp_path / "half", scale=2.0**10)
    assert skipped == 0
    assert losses(half) == pytest.approx(losses(trainer), rel=0.02) and losses(half) != losses(trainer)


def test_overflows_are_skipped_and_the_training_goes_on(base, tmp_path):
    half, skipped = train_in_fp16(base, tmp_path, scale=2.0**26)
    assert 0 < skipped < UPDATES - 2, "这么大的缩放要减半几次才装得下"
    assert half.accelerator.scaler.get_scale() == 2.0 ** (26 - skipped)
    before, *_, after = [logs["eval_loss"] for logs in half.state.log_history if "eval_loss" in logs]
    assert after < before


def test_a_training_whose_every_update_overflowed_is_no_training(base, tmp_path):
    """12 次更新减半 12 次，缩放还远不到 1：一次也没有学，不能当作训练好了。"""
    with pytest.raises(checks.BadTraining, match="每一次更新都溢出"):
        train_in_fp16(base, tmp_path, scale=2.0**60)


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
