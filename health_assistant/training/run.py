"""训练一次：对话成为标记，按长度分批，能续训的 Trainer，training.json 与曲线。Unsloth 与 transformers 共用。"""

import json
import math
import os
import platform
import random
import sys
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from health_assistant import artifacts
from health_assistant.training.recipe import Recipe
from health_assistant.training.saving import atomic_folder, last_complete_checkpoint, mark_complete

IGNORED = -100  # 交叉熵不计这个标签
TURN_END = "<|im_end|>"
IMAGE_PAD = "<|image_pad|>"
MEGA_BATCH = 50  # 每 50 批一起按长度排：填充已很少，批的组成仍然随机


def encode_prompt(asked: list[dict], tokenizer, *image_tokens: int, add_generation_prompt: bool = True) -> list[int]:
    """提问的标记。image_tokens 是各图的标记数：模板里第几张图的占位，就展开成第几个数那么多。"""
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=add_generation_prompt)
    if image_tokens:
        start, *rest = prompt.split(IMAGE_PAD)
        prompt = start + "".join(IMAGE_PAD * count + text for count, text in zip(image_tokens, rest, strict=True))
    return tokenizer(prompt, add_special_tokens=False).input_ids


def encode(messages: list[dict], tokenizer, *image_tokens: int) -> dict:
    """一段对话的 input_ids 与 labels：只有最后的回答和它的结束标记有标签，其余不计损失。

    提问部分单独渲染、单独切词，和推理时看到的一字不差；回答后模板另加的换行不要模型学。
    """
    *asked, answer = messages
    asked_ids = encode_prompt(asked, tokenizer, *image_tokens)
    answer_ids = tokenizer(answer["content"].strip() + TURN_END, add_special_tokens=False).input_ids
    return {"input_ids": asked_ids + answer_ids, "labels": [IGNORED] * len(asked_ids) + answer_ids}


def encode_all(rows: list[dict], tokenizer, max_length: int) -> tuple[list[dict], int]:
    """全部对话；太长的不要，返回它们的个数。"""
    encoded = [encode(row["messages"], tokenizer) for row in rows]
    kept = [row for row in encoded if len(row["input_ids"]) <= max_length]
    return kept, len(encoded) - len(kept)


class LengthGroupedSampler:
    """训练数据的次序。只由种子与第几遍决定，从断点续训时与没断过的一样。"""

    def __init__(self, lengths: list[int], batch_size: int, seed: int, grouped: bool, epoch=lambda: 0):
        self.lengths, self.batch_size, self.seed, self.grouped, self.epoch = lengths, batch_size, seed, grouped, epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        shuffler = random.Random(f"{self.seed}-{self.epoch()}")
        order = list(range(len(self.lengths)))
        shuffler.shuffle(order)
        if self.grouped:
            step = self.batch_size * MEGA_BATCH
            megas = (order[start : start + step] for start in range(0, len(order), step))
            order = [index for mega in megas for index in sorted(mega, key=self.lengths.__getitem__, reverse=True)]
        batches = [order[start : start + self.batch_size] for start in range(0, len(order), self.batch_size)]
        whole, short = batches[: len(order) // self.batch_size], batches[len(order) // self.batch_size :]
        shuffler.shuffle(whole)
        for batch in [*whole, *short]:  # 不满的一批放在最后，别的批才不会错位
            yield from batch


def pad_batch(rows: list[dict], pad_id: int) -> dict:
    """右边补齐到这一批最长的一条。每条对话自成一行，行与行互相看不见。"""
    import torch

    longest = max(len(row["input_ids"]) for row in rows)

    def padded(values: list[list[int]], filler: int):
        return torch.tensor([value + [filler] * (longest - len(value)) for value in values])

    return {
        "input_ids": padded([row["input_ids"] for row in rows], pad_id),
        "labels": padded([row["labels"] for row in rows], IGNORED),
        "attention_mask": padded([[1] * len(row["input_ids"]) for row in rows], 0),
    }


def build_trainer(
    recipe: Recipe, model, tokenizer, train_rows: list[dict], val_rows: list[dict], checkpoints: Path, collate=None
):
    """配方要的 Trainer。train_rows、val_rows 是 encode 过的；collate 把几行变成一批，默认 pad_batch。"""
    import torch
    from datasets import Dataset
    from transformers import EarlyStoppingCallback, TrainerCallback
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from health_assistant.training.loading import training_dtype, uses_unsloth

    on_gpu, unsloth = torch.cuda.is_available(), uses_unsloth(recipe)
    if recipe.report_to == "tensorboard":
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(checkpoints.parent.parent / "tensorboard"))

    class ResumableTrainer(SFTTrainer):
        tokens = padded_tokens = 0
        seconds = 0.0

        def _get_train_sampler(self, train_dataset=None):
            return LengthGroupedSampler(
                [len(row["input_ids"]) for row in train_rows],
                recipe.batch_size * self.accelerator.num_processes,
                recipe.seed,
                recipe.batching == "grouped",
                epoch=lambda: int((self.state.epoch or 0) + 1e-6),
            )

        def training_step(self, model, inputs, *args, **kwargs):
            started = time.perf_counter()
            loss = super().training_step(model, inputs, *args, **kwargs)
            processes = self.accelerator.num_processes
            self.tokens += int(inputs["attention_mask"].sum()) * processes
            self.padded_tokens += inputs["attention_mask"].numel() * processes
            self.seconds += time.perf_counter() - started
            return loss

        def log(self, logs, start_time=None):
            counted = {"tokens": self.tokens, "padded_tokens": self.padded_tokens, "step_seconds": self.seconds}
            super().log(logs | counted, start_time)

        def _save_checkpoint(self, model, trial):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                mark_complete(checkpoints / f"checkpoint-{self.state.global_step}")

    class Progress(TrainerCallback):
        """进度条；最后一步也测验证集。"""

        bar, shown = None, {}

        def on_train_begin(self, args, state, control, **kwargs):
            from tqdm import tqdm

            # 断点之前的标记数与用时接着算
            for counted in state.log_history[-1:]:
                trainer.tokens, trainer.padded_tokens = counted["tokens"], counted["padded_tokens"]
                trainer.seconds = counted["step_seconds"]
            silent = not state.is_world_process_zero
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="训练", unit="步", disable=silent)

        def on_log(self, args, state, control, logs, **kwargs):
            shown = {"损失": logs.get("loss"), "验证损失": logs.get("eval_loss")}
            self.shown |= {name: f"{one:.3f}" for name, one in shown.items() if one}
            self.bar.set_postfix(self.shown, refresh=False)

        def on_step_end(self, args, state, control, **kwargs):
            self.bar.update()
            if state.global_step >= state.max_steps:
                control.should_evaluate = control.should_save = True

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.close()

    checkpointing = recipe.gradient_checkpointing != "none"
    settings = SFTConfig(
        output_dir=str(checkpoints),
        per_device_train_batch_size=recipe.batch_size,
        per_device_eval_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.gradient_accumulation,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.max_steps,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup_steps,
        weight_decay=recipe.weight_decay,
        optim="adamw_torch",
        use_cpu=not on_gpu,
        bf16=training_dtype() == torch.bfloat16,
        fp16=training_dtype() == torch.float16,
        gradient_checkpointing=checkpointing,
        gradient_checkpointing_kwargs={"use_reentrant": False} if checkpointing and not unsloth else None,
        # 词表 15 万，整块的 logits 要几 GB 显存：GPU 上分块算损失；Unsloth 有自己的一套
        loss_type="chunked_nll" if on_gpu and not unsloth else "nll",
        max_length=recipe.max_length,
        packing=False,
        padding_free=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        eval_strategy="steps",
        eval_steps=recipe.eval_steps,
        eval_on_start=not last_complete_checkpoint(checkpoints),
        save_strategy="steps",
        save_steps=recipe.eval_steps,
        save_total_limit=recipe.keep_checkpoints,
        load_best_model_at_end=True,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        logging_steps=1,
        disable_tqdm=True,
        report_to=recipe.report_to,
        run_name=recipe.name,
        seed=recipe.seed,
        dataloader_pin_memory=on_gpu,
        dataloader_num_workers=4 if on_gpu and collate else 0,  # 缩图占 CPU，别让 GPU 等
        ddp_find_unused_parameters=False,
    )
    trainer = ResumableTrainer(
        model=model,
        args=settings,
        data_collator=collate or (lambda rows: pad_batch(rows, tokenizer.pad_token_id)),
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(sorted(val_rows, key=lambda row: len(row["input_ids"]))),
        processing_class=tokenizer,
        callbacks=[Progress(), *([EarlyStoppingCallback(recipe.patience)] if recipe.patience else [])],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def summary(recipe: Recipe, trainer, seconds: float) -> dict:
    """training.json 的内容：每一次的损失、速度、峰值内存、版本、机器。"""
    import torch

    history = trainer.state.log_history
    evaluations = [{"step": one["step"], "loss": one["eval_loss"]} for one in history if "eval_loss" in one]
    best = min(evaluations[1:], key=lambda one: one["loss"])  # 第一次是训练之前测的
    steps = [
        {"step": one["step"], "loss": one["loss"], "learning_rate": one["learning_rate"]}
        for one in history
        if "loss" in one
    ]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    packages = ("torch", "transformers", "trl", "peft", "accelerate")
    return {
        "steps": trainer.state.global_step,
        "held_out_loss_before": evaluations[0]["loss"],
        "held_out_loss": best["loss"],
        "best_step": best["step"],
        "stopped_early": trainer.state.global_step < trainer.state.max_steps,
        "tokens": trainer.tokens,
        "padded_tokens": trainer.padded_tokens,
        "tokens_per_second": round(trainer.tokens / max(trainer.seconds, 1e-9), 1),
        "step_seconds": round(trainer.seconds, 2),
        "seconds_this_run": round(seconds, 2),
        "peak_memory_gib": round(peak_memory() / 2**30, 2),
        "processes": trainer.accelerator.num_processes,
        "machine": {"device": device, "threads": torch.get_num_threads(), "python": platform.python_version()},
        "versions": {name: version(name) for name in packages},
        "backend": "unsloth" if "unsloth" in sys.modules else "transformers",
        "train": steps,
        "held_out": evaluations,
    }


def write_results(folder: Path, key: str, recipe: Recipe, trainer, tokenizer, about: dict, seconds: float) -> None:
    """写下 adapter（验证损失最低的一个）、training.json 与曲线，记为训练完了，打印一句结果。多卡时只有一个进程写。"""
    if not trainer.is_world_process_zero():
        return
    with atomic_folder(folder / "adapter") as partial:
        trainer.model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
    record = {
        "recipe": vars(recipe),
        "recipe_sha256": key,
        "base_model": recipe.base_model,
        "base_identity": recipe.base_identity,
        **about,
        "trainable": sum(part.numel() for part in trainer.model.parameters() if part.requires_grad),
    } | summary(recipe, trainer, seconds)
    artifacts.write_json(folder / "training.json", record)
    draw_curves(record, folder / "loss.png")
    written = [folder / "adapter", folder / "training.json", folder / "loss.png"]
    artifacts.mark_finished(folder, key, written)
    print(
        f"验证损失 {record['held_out_loss_before']:.3f} → {record['held_out_loss']:.3f}"
        f"（第 {record['best_step']} 步）；"
        f"每秒 {record['tokens_per_second']:.0f} 个标记，{record['seconds_this_run']:.0f} 秒，"
        f"峰值 {record['peak_memory_gib']} GiB\n写了：{'、'.join(map(str, written))}"
    )


def read_training(folder: Path, script: str) -> dict:
    """folder 的 training.json；没有训练好就抛 FileNotFoundError，说要先运行哪个脚本。"""
    if not (folder / "training.json").is_file() or not (folder / "adapter").is_dir():
        raise FileNotFoundError(f"{folder} 里没有训练好的 adapter：先运行 {script}")
    return json.loads((folder / "training.json").read_text(encoding="utf-8"))


def peak_memory() -> int:
    """这个进程用过的最多显存；没有 GPU 时是内存，字节。"""
    import resource

    import torch

    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def draw_curves(record: dict, path: Path) -> None:
    """训练损失（每步，另画滑动平均）与验证损失。"""
    from health_assistant.plotting import new_figure

    figure, (axis,) = new_figure()
    steps, losses = [one["step"] for one in record["train"]], [one["loss"] for one in record["train"]]
    width = max(1, math.ceil(len(losses) / 30))
    windows = [losses[max(0, end - width) : end] for end in range(1, len(losses) + 1)]
    smooth = [sum(window) / len(window) for window in windows]
    axis.plot(steps, losses, color="tab:blue", alpha=0.25, label="训练损失")
    axis.plot(steps, smooth, color="tab:blue", label=f"训练损失（{width} 步平均）")
    held_out = record["held_out"]
    axis.plot([o["step"] for o in held_out], [o["loss"] for o in held_out], "o-", color="tab:red", label="验证损失")
    title = f"配方 {record['recipe']['name']}，基座 {record['base_model']}"
    axis.set(title=title, xlabel="步", ylabel="每个标记的损失")
    axis.legend()
    axis.grid(alpha=0.3)
    with artifacts.atomic_path(path) as partial:
        figure.savefig(partial, format="png", dpi=120)
