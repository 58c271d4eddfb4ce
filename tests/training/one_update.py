"""第一次更新的梯度（裁剪之前）：同样的 16 行，逐行算、按词元装满算、装满又像 GPU 上那样分块算损失，语言模型与视觉模型。

参数：JSON {"home": 产物目录, "out": 写到哪里}。torchrun 起两个进程时，就是 DDP 平均之后的梯度。
"""

import contextlib
import json
import sys
from pathlib import Path
from unittest import mock

import torch
from accelerate import PartialState
from small_llm import small_dialogues, small_texts
from transformers import Trainer, set_seed

from health_assistant.training import batching, loading, sft, vision
from health_assistant.training.recipe import Recipe, VisionRecipe

ROWS = 16
SETTINGS = {"update_rows": ROWS, "max_steps": 1, "lora_r": 4, "early_stopping_patience": 0}


sft_settings = sft.sft_settings


class Stop(Exception):
    """梯度到手了，不必更新。"""


def text_rows(tokenizer) -> list[dict]:
    return [sft.encode(messages, tokenizer) for messages in small_dialogues()[:ROWS]]


def page_rows(home: Path, tokenizer, recipe: VisionRecipe) -> list[dict]:
    pages = sorted((home / "pages").glob("*.png"))
    texts = small_texts()
    rows = [
        {"image": page, "prompt": "读。", "answer": texts[at][: 5 + 4 * at], "text_height": None}
        for at, page in enumerate(pages)
    ]
    return vision.encode_pages(rows, tokenizer, recipe)


def chunked(*given):
    """trl 的 chunked_nll：它自己挑出要学的词元，与 compute_loss 挑的不相干。"""
    settings = sft_settings(*given)
    settings.loss_type = "chunked_nll"
    return settings


def gradients(recipe: Recipe, base: Path, rows: list[dict], tokenizer, out: Path, collate) -> tuple[dict, float, int]:
    """梯度、这次更新的损失、做了几次前向。"""
    model, found, forwards = loading.load_with_lora(base, recipe), {}, 0
    set_seed(1)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)  # 全零的 B 让 A 没有梯度
    trainer = sft.build_trainer(recipe, model, tokenizer, rows, rows, out / "checkpoints", collate)
    original = Trainer.training_step

    def counting(self, *args, **kwargs):
        nonlocal forwards
        forwards += 1
        return original(self, *args, **kwargs)

    def stop(self, model):
        found.update({n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.requires_grad})
        raise Stop

    with (
        mock.patch.object(Trainer, "training_step", counting),
        mock.patch.object(Trainer, "_clip_grad_norm", stop),
        contextlib.suppress(Stop),
    ):
        trainer.train()
    return found, trainer.state.log_history[0]["eval_loss"], forwards


def main() -> None:
    given = json.loads(sys.argv[1])
    home, out, state, results = Path(given["home"]), Path(given["out"]), PartialState(cpu=True), {}
    for kind in ("llm", "vl"):
        base = home / kind
        tokenizer = loading.load_tokenizer(base, vision=kind == "vl")
        for way, tokens in (("rows", 1), ("filled", 1200), ("chunked", 1200)):
            more = {"max_pixels": 40 * 784, "min_text_height": 1.0} if kind == "vl" else {}
            recipe = (VisionRecipe if kind == "vl" else Recipe)(pass_tokens=tokens, max_length=600, **SETTINGS, **more)
            rows, collate = text_rows(tokenizer), None
            if isinstance(recipe, VisionRecipe):
                rows = page_rows(home, tokenizer, recipe)
                collate = vision.page_collator(vision.load_image_processor(base, recipe.max_pixels), tokenizer)
            assert len(rows) == ROWS and len({batching.supervised([row]) for row in rows}) > 4
            with mock.patch.object(sft, "sft_settings", chunked if way == "chunked" else sft.sft_settings):
                results[kind, way] = gradients(recipe, base, rows, tokenizer, out.parent, collate)
    if state.is_main_process:
        torch.save(results, out)


if __name__ == "__main__":
    main()
