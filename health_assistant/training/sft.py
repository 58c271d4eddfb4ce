"""监督微调（SFT）的一圈，按次序：对话成为词元 → 遮住提问 → 装成几次前向 → 一步 → 检查点。

    messages ──encode──▶ input_ids、labels，各 [这一条的长度]
             ──batching.cut、collate──▶ 一次更新 = 几次前向，每次 [行数, 其中最长的一行]
             ──training_step──▶ 各次前向的损失按计损失的词元数加权、反向，梯度相加；裁剪，AdamW 走一步
             ──_save_checkpoint──▶ checkpoint-N，写全了才算数

别的（余弦的学习率，优化器、混合精度、存取状态、提前停、留最好的一个）是 transformers 的 Trainer 与 trl 的
SFTTrainer 做的，照 trainer_settings.py 里由配方写成的设置。
"""

import itertools
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from health_assistant.training.batching import (
    EVALUATED_TOGETHER,
    IGNORED,
    PassSampler,
    by_length,
    pad_batch,
    pass_loader,
    shuffled,
    supervised,
)
from health_assistant.training.checks import ControlToken, check_finite, check_text, check_updated
from health_assistant.training.progress import Speed, progress_bar
from health_assistant.training.recipe import Recipe
from health_assistant.training.saving import mark_complete
from health_assistant.training.trainer_settings import sft_settings

if TYPE_CHECKING:
    from trl import SFTTrainer
else:
    SFTTrainer = object  # Unsloth 要在 trl 之前导入：build_trainer 里才把 PassTrainer 与真的 SFTTrainer 合在一起

TURN_END = "<|im_end|>"
IMAGE_PAD = "<|image_pad|>"


# ---- 1. 对话成为词元，遮住提问 ----
def encode_prompt(prompt: list[dict], tokenizer, *image_tokens: int, add_generation_prompt: bool = True) -> list[int]:
    """提问的词元 [提问的长度]。image_tokens 是各图的词元数：模板里第几张图的占位，就展开成第几个数那么多。"""
    rendered = tokenizer.apply_chat_template(prompt, tokenize=False, add_generation_prompt=add_generation_prompt)
    if image_tokens:
        start, *rest = rendered.split(IMAGE_PAD)
        rendered = start + "".join(IMAGE_PAD * count + text for count, text in zip(image_tokens, rest, strict=True))
    return tokenizer(rendered, add_special_tokens=False).input_ids


def encode(messages: list[dict], tokenizer, *image_tokens: int) -> dict:
    """一段对话的 input_ids 与 labels，都是 [提问的长度 + 回答的长度]；提问的 labels 是 -100，不计损失。

    提问单独渲染、单独切词，和推理时看到的一字不差。不用 trl 的 completion_only_loss：它连模板在 <|im_end|> 之后加的换行
    也要模型学（test_run.py 核对要学的恰是回答与 <|im_end|>）。文字里有控制词元的抛 ControlToken。
    """
    check_text(messages, tokenizer)
    *prompt, answer = messages
    prompt_ids = encode_prompt(prompt, tokenizer, *image_tokens)
    answer_ids = tokenizer(answer["content"].strip() + TURN_END, add_special_tokens=False).input_ids
    return {"input_ids": prompt_ids + answer_ids, "labels": [IGNORED] * len(prompt_ids) + answer_ids}


def encode_all(rows: list[dict], tokenizer, max_length: int) -> tuple[list[dict], dict[str, int]]:
    """各行的 messages -> 词元与标签；多过 max_length 个词元的、有控制词元的不要，另给它们的个数（为什么 -> 几条）。"""
    encoded, left_out = [], {"太长": 0, "有控制词元": 0}
    for row in rows:
        try:
            encoded.append(encode(row["messages"], tokenizer))
        except ControlToken:
            left_out["有控制词元"] += 1
    kept = [row for row in encoded if len(row["input_ids"]) <= max_length]
    return kept, left_out | {"太长": len(encoded) - len(kept)}


# ---- 2. 一步 ----


class PassTrainer(SFTTrainer):
    """trl 的 SFTTrainer，改了三处：怎样分批、一步怎样算、检查点怎样算写全。

    Trainer 按行数分批，也会按长度成组（train_sampling_strategy="group_by_length"），但一次前向的词元数不定。
    按词元装满在显卡上快 2 到 8 倍（3-fine-tuning-llm/README.md），更新与逐行算的一样（test_batching.py）。
    """

    recipe: Recipe
    rows: dict[str, list[dict]]  # train、val：encode 过的各条
    # 几条 -> input_ids、labels、attention_mask，各 [行数, 最长的一行]；带图的另有几项
    collate: Callable[[list[dict]], dict]
    supervised = 0  # 这次更新（各个进程合起来）计损失的词元数
    speed: Speed

    def batches(self, rows: list[dict], together: int, order: Callable[[list[int]], list[int]]):
        """DataLoader：一项是一次更新（together 条）在这个进程里的各次前向。"""
        lengths = [len(row["input_ids"]) for row in rows]
        process, processes = self.accelerator.process_index, self.accelerator.num_processes
        recipe = self.recipe
        sampler = PassSampler(
            lengths, together, recipe.pass_tokens, recipe.pass_overhead, lambda: order(lengths), process, processes
        )
        workers = 4 if "page" in rows[0] and not self.args.use_cpu else 0  # 缩图占 CPU，别让 GPU 等
        return pass_loader(rows, sampler, self.collate, pin_memory=not self.args.use_cpu, num_workers=workers)

    def get_train_dataloader(self):
        """次序只由种子与第几遍决定，断点续训才与没断过的一样。"""

        def order(lengths: list[int]) -> list[int]:
            return shuffled(lengths, self.recipe.seed, int((self.state.epoch or 0) + 1e-6))

        return self.batches(self.rows["train"], self.recipe.update_rows, order)

    def get_batch_samples(self, epoch_iterator, num_batches, device):
        """取一次更新；先数好计损失的词元，后面才能加权。"""
        import torch

        self.speed.start()
        updates = list(itertools.islice(epoch_iterator, num_batches))  # num_batches 总是 1
        batches = itertools.chain.from_iterable(updates)
        sizes = [[batch["supervised"], batch["tokens"], batch["input_ids"].numel()] for batch in batches]
        total = torch.tensor(sizes, device=device).sum(0)  # [前向, 3] -> [3]
        self.supervised, *self.speed.sizes = self.accelerator.reduce(total, "sum").tolist()
        return updates, None

    def training_step(self, model, update: list[dict], *args, **kwargs):
        """一次更新：几次前向与反向，梯度相加；返回损失，一个数。"""
        losses = []
        for number, batch in enumerate(update, 1):
            # 最后一次反向才同步各卡的梯度
            with nullcontext() if number == len(update) else self.accelerator.no_sync(model):
                losses.append(super().training_step(model, batch, *args, **kwargs))
        loss = sum(losses)
        of_all_cards = float(self.accelerator.reduce(loss, "mean"))
        check_finite(f"第 {self.state.global_step + 1} 步的损失", of_all_cards, self.recipe)
        return loss

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        """这次前向的平均损失 × 它占全部计损失的词元的几分之几；乘进程数，因为 DDP 把梯度平均。"""
        share = inputs.pop("supervised") * self.accelerator.num_processes / self.supervised
        inputs.pop("tokens")
        if self.args.use_cpu and self.args.loss_type == "nll":
            # 提问的 logits 没有用；trl 另算的熵与准确率没有人看，词表 15 万时要扫几遍
            from transformers import Trainer

            first = int((inputs["labels"] != IGNORED).any(0).int().argmax())  # 有一行要学的第一列，由前一列猜
            labels = inputs["labels"][:, max(first - 1, 0) :]
            inputs |= {"labels": labels, "logits_to_keep": labels.shape[1], "use_cache": False}
            return Trainer.compute_loss(self, model, inputs) * share
        return super().compute_loss(model, inputs) * share

    def _clip_grad_norm(self, model):
        norm = super()._clip_grad_norm(model)
        scaler = self.accelerator.scaler
        if scaler is None or scaler.get_scale() < 1:  # fp16 溢出的一步由它跳过，缩放减半再来；减到 1 还溢出就是真的
            check_finite(f"第 {self.state.global_step + 1} 步的梯度", float(norm), self.recipe, zero_is_bad=False)
        return norm

    def train(self, *args, **kwargs):
        """照 transformers 的训练；练完核对权重真的变了，没有变抛 `checks` 的错。"""
        trained = super().train(*args, **kwargs)
        check_updated(self.optimizer, self.recipe)
        return trained

    def evaluate(self, *args, **kwargs) -> dict[str, float]:
        """验证集的损失，也按计损失的词元数加权；transformers 的按行平均，装得不一样多就不一样。"""
        import torch

        self.model.eval()
        self.supervised, total = supervised(self.rows["val"]), torch.zeros((), device=self.args.device)
        for update in self.batches(self.rows["val"], EVALUATED_TOGETHER, by_length):
            for batch in update:
                with torch.no_grad(), self.compute_loss_context_manager():
                    total += self.compute_loss(self.model, self._prepare_inputs(batch))
        metrics = {"eval_loss": float(self.accelerator.reduce(total, "mean"))}
        check_finite(f"第 {self.state.global_step} 步之后的验证损失", metrics["eval_loss"], self.recipe)
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)  # type: ignore
        return metrics

    def log(self, logs: dict, start_time: float | None = None) -> None:
        """记下 transformers 的各项，连同每秒几个词元。"""
        super().log(logs | self.speed.counted, start_time)

    # ---- 3. 检查点 ----

    def _save_checkpoint(self, model, trial) -> None:
        """adapter、优化器、随机数、第几步都由 Trainer 写；写全了再记一笔，kill -9 留下的半个才认得出。"""
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            mark_complete(Path(self.args.output_dir) / f"checkpoint-{self.state.global_step}")


# ---- 4. 合在一起 ----


def build_trainer(
    recipe: Recipe, model, tokenizer, train_rows: list[dict], val_rows: list[dict], checkpoints: Path, collate=None
):
    """配方要的 Trainer。train_rows、val_rows 是 encode 过的；collate 把几条变成一批，默认是 trl 的右边补齐。

    它的 train() 在损失或梯度坏掉时抛 BadTraining。
    """
    from datasets import Dataset
    from transformers import EarlyStoppingCallback
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTTrainer

    if recipe.report_to == "tensorboard":
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(checkpoints.parent.parent / "tensorboard"))
    collate = collate or (lambda rows: pad_batch(rows, tokenizer.pad_token_id))
    speed, patience = Speed(), recipe.early_stopping_patience
    trainer = type("PassTrainer", (PassTrainer, SFTTrainer), {})(
        model=model,
        args=sft_settings(recipe, checkpoints),
        data_collator=collate,
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(val_rows[:1]),
        processing_class=tokenizer,
        callbacks=[progress_bar(speed), *([EarlyStoppingCallback(patience)] if patience else [])],
    )
    trainer.recipe, trainer.rows = recipe, {"train": train_rows, "val": val_rows}
    trainer.collate, trainer.speed = collate, speed
    trainer.remove_callback(PrinterCallback)
    return trainer
