"""训练一次：对话成为标记，能续训的 Trainer，training.json 与曲线。Unsloth 与 transformers 共用。"""

import itertools
import json
import math
import os
import platform
import sys
import time
from contextlib import nullcontext
from importlib.metadata import version
from pathlib import Path

from health_assistant import artifacts
from health_assistant.training.passes import (
    EVALUATED_TOGETHER,
    IGNORED,
    PassSampler,
    by_length,
    pad_batch,
    pass_loader,
    shuffled,
    supervised,
)
from health_assistant.training.recipe import Recipe
from health_assistant.training.saving import atomic_folder, last_complete_checkpoint, mark_complete

TURN_END = "<|im_end|>"
IMAGE_PAD = "<|image_pad|>"
WARM_UP_UPDATES = 3  # 每次启动后的头几次更新单独计时：GPU 在编译，内存在热身
COUNTED = ("tokens", "padded_tokens", "step_seconds", "steady_tokens", "steady_seconds")


def encode_prompt(asked: list[dict], tokenizer, *image_tokens: int, add_generation_prompt: bool = True) -> list[int]:
    """提问的标记。image_tokens 是各图的标记数：模板里第几张图的占位，就展开成第几个数那么多。"""
    prompt = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=add_generation_prompt)
    if image_tokens:
        start, *rest = prompt.split(IMAGE_PAD)
        prompt = start + "".join(IMAGE_PAD * count + text for count, text in zip(image_tokens, rest, strict=True))
    return tokenizer(prompt, add_special_tokens=False).input_ids


class ControlToken(ValueError):
    """对话的文字里有分词器的控制标记；消息说是哪一个。"""


def check_text(messages: list[dict], tokenizer) -> None:
    """文字里的 <|im_end|> 一类会被切成真的控制标记：一条答案变成几轮，一句话变成图的占位。有就抛 ControlToken。

    Qwen3 的 <think> 也在词表里，但它本来就写在回答里，要不要由 prepare_train_data.py 的 --think 定。
    """
    control = [token for token in tokenizer.get_added_vocab() if token not in ("<think>", "</think>")]
    for message in messages:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        if found := [token for token in control for text in texts if token in text]:
            who = {"assistant": "回答", "user": "提问"}.get(message["role"], message["role"])
            raise ControlToken(f"{who}里有控制标记 {found[0]}")


def encode(messages: list[dict], tokenizer, *image_tokens: int) -> dict:
    """一段对话的 input_ids 与 labels：只有最后的回答和它的结束标记有标签，其余不计损失。

    提问部分单独渲染、单独切词，和推理时看到的一字不差；回答后模板另加的换行不要模型学。
    文字里有控制标记的抛 ControlToken。
    """
    check_text(messages, tokenizer)
    *asked, answer = messages
    asked_ids = encode_prompt(asked, tokenizer, *image_tokens)
    answer_ids = tokenizer(answer["content"].strip() + TURN_END, add_special_tokens=False).input_ids
    return {"input_ids": asked_ids + answer_ids, "labels": [IGNORED] * len(asked_ids) + answer_ids}


def encode_all(rows: list[dict], tokenizer, max_length: int) -> tuple[list[dict], dict[str, int]]:
    """全部对话；太长的、有控制标记的不要，返回它们的个数（为什么 -> 几条）。"""
    kept, left_out = [], {"太长": 0, "有控制标记": 0}
    for row in rows:
        try:
            encoded = encode(row["messages"], tokenizer)
        except ControlToken:
            left_out["有控制标记"] += 1
            continue
        if len(encoded["input_ids"]) <= max_length:
            kept.append(encoded)
        else:
            left_out["太长"] += 1
    return kept, left_out


class BadTraining(RuntimeError):
    """损失或梯度不成样子，训练停在那里，什么也没有写；remedy 是可以试什么。"""

    def __init__(self, what: str, value: float, recipe: Recipe):
        super().__init__(f"{what}是 {value:g}：再训练下去也学不到东西，停在这里，没有写 adapter")
        ways = [f"learning_rate 从 {recipe.learning_rate:g} 减到十分之一", "warmup_steps 加大"]
        self.remedy = "；".join([*ways, "核对基座的权重是完好的、训练数据的回答不是空话；改了配方会从头训练"])


def check_finite(what: str, value: float, recipe: Recipe, zero_is_bad: bool = True) -> None:
    """value 是 nan、无穷、（zero_is_bad 时）正好是 0，就抛 BadTraining：都是算坏了，不是学会了。"""
    if not math.isfinite(value) or (zero_is_bad and value == 0):
        raise BadTraining(what, value, recipe)


def build_trainer(
    recipe: Recipe, model, tokenizer, train_rows: list[dict], val_rows: list[dict], checkpoints: Path, collate=None
):
    """配方要的 Trainer。train_rows、val_rows 是 encode 过的；collate 把几行变成一批，默认 pad_batch。

    它的 train() 在损失或梯度坏掉时抛 BadTraining。
    """
    import torch
    from datasets import Dataset
    from transformers import EarlyStoppingCallback, TrainerCallback
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from health_assistant.training.loading import training_dtype, uses_unsloth

    on_gpu, unsloth = torch.cuda.is_available(), uses_unsloth(recipe)
    if recipe.report_to == "tensorboard":
        os.environ.setdefault("TENSORBOARD_LOGGING_DIR", str(checkpoints.parent.parent / "tensorboard"))
    make_batch = collate or (lambda rows: pad_batch(rows, tokenizer.pad_token_id))

    class ResumableTrainer(SFTTrainer):
        """一批就是一次更新：几次前向，损失按计损失的标记数加权，等于逐行算的。"""

        supervised, sizes, updates, started = 0, [0, 0], 0, 0.0
        counted = dict.fromkeys(COUNTED, 0)

        def _loader(self, rows: list[dict], together: int, order):
            lengths = [len(row["input_ids"]) for row in rows]
            sampler = PassSampler(
                lengths,
                together,
                recipe.pass_tokens,
                lambda: order(lengths),
                self.accelerator.process_index,
                self.accelerator.num_processes,
            )
            workers = 4 if on_gpu and collate else 0  # 缩图占 CPU，别让 GPU 等
            return pass_loader(rows, sampler, make_batch, pin_memory=on_gpu, num_workers=workers)

        def get_train_dataloader(self):
            def order(lengths):
                return shuffled(lengths, recipe.seed, int((self.state.epoch or 0) + 1e-6))

            return self._loader(train_rows, recipe.update_rows, order)

        def get_batch_samples(self, epoch_iterator, num_batches, device):
            self.started = time.perf_counter()
            batches = [*itertools.islice(epoch_iterator, num_batches)]
            passes = [one for batch in batches for one in batch]
            sizes = [[one["supervised"], one["tokens"], one["input_ids"].numel()] for one in passes]
            total = self.accelerator.reduce(torch.tensor(sizes, device=device).sum(0), "sum").tolist()
            self.supervised, *self.sizes = total
            return batches, None

        def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
            """这次前向的平均损失 × 它占全部计损失的标记的几分之几；乘进程数，因为 DDP 把梯度平均。"""
            share = inputs.pop("supervised") * self.accelerator.num_processes / self.supervised
            inputs.pop("tokens")
            return super().compute_loss(model, inputs) * share

        def training_step(self, model, passes, *args, **kwargs):
            losses = []
            for at, one in enumerate(passes, 1):
                with nullcontext() if at == len(passes) else self.accelerator.no_sync(model):  # 最后一次才同步梯度
                    losses.append(super().training_step(model, one, *args, **kwargs))
            loss = torch.stack(losses).sum()
            mean = float(self.accelerator.reduce(loss, "mean"))
            check_finite(f"第 {self.state.global_step + 1} 步的损失", mean, recipe)
            return loss

        def _clip_grad_norm(self, model):
            norm = super()._clip_grad_norm(model)
            scaler = self.accelerator.scaler
            if scaler is None or scaler.get_scale() < 1:  # fp16 溢出的一步由它跳过，缩放减半再来；减到 1 还溢出就是真的
                check_finite(f"第 {self.state.global_step + 1} 步的梯度", float(norm), recipe, zero_is_bad=False)
            return norm

        def evaluate(self, *args, **kwargs):
            self.model.eval()
            self.supervised, total = supervised(val_rows), torch.zeros((), device=self.args.device)
            for passes in self._loader(val_rows, EVALUATED_TOGETHER, by_length):
                for one in passes:
                    with torch.no_grad(), self.compute_loss_context_manager():
                        total += self.compute_loss(self.model, self._prepare_inputs(one))
            metrics = {"eval_loss": float(self.accelerator.reduce(total, "mean"))}
            check_finite(f"第 {self.state.global_step} 步之后的验证损失", metrics["eval_loss"], recipe)
            self.log(metrics)
            self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
            return metrics

        def count_update(self):
            """这次更新的标记数与用时记下来；开头几次单独算。"""
            if on_gpu:
                torch.cuda.synchronize()
            self.updates += 1
            spent = [*self.sizes, time.perf_counter() - self.started]
            steady = [self.sizes[0], spent[-1]] if self.updates > WARM_UP_UPDATES else [0, 0.0]
            for name, more in zip(COUNTED, spent + steady, strict=True):
                self.counted[name] += more

        def log(self, logs, start_time=None):
            super().log(logs | self.counted, start_time)

        def _save_checkpoint(self, model, trial):
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                mark_complete(checkpoints / f"checkpoint-{self.state.global_step}")

    class Progress(TrainerCallback):
        """进度条与用时；最后一步也测验证集。"""

        bar, shown = None, {}

        def on_train_begin(self, args, state, control, **kwargs):
            from tqdm import tqdm

            # 断点之前的标记数与用时接着算
            last = state.log_history[-1] if state.log_history else {}
            trainer.counted = {name: last.get(name, 0) for name in COUNTED}
            silent = not state.is_world_process_zero
            self.bar = tqdm(total=state.max_steps, initial=state.global_step, desc="训练", unit="步", disable=silent)

        def on_log(self, args, state, control, logs, **kwargs):
            shown = {"损失": logs.get("loss"), "验证损失": logs.get("eval_loss")}
            self.shown |= {name: f"{one:.3f}" for name, one in shown.items() if one}
            self.bar.set_postfix(self.shown, refresh=False)

        def on_step_end(self, args, state, control, **kwargs):
            trainer.count_update()
            self.bar.update()
            if state.global_step >= state.max_steps:
                control.should_evaluate = control.should_save = True

        def on_train_end(self, args, state, control, **kwargs):
            self.bar.close()

    checkpointing = recipe.gradient_checkpointing != "none"
    offload = on_gpu and recipe.gradient_checkpointing == "unsloth"  # 各层的输入挪到内存；Unsloth 自己会
    settings = SFTConfig(
        output_dir=str(checkpoints),
        per_device_train_batch_size=recipe.update_rows,
        gradient_accumulation_steps=1,  # 一次更新切成几次前向，由我们的 training_step 一起算
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
        gradient_checkpointing_kwargs=None if unsloth else {"use_reentrant": False, "offload": offload},
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
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to=recipe.report_to,
        run_name=recipe.name,
        seed=recipe.seed,
        ddp_find_unused_parameters=False,
    )
    trainer = ResumableTrainer(
        model=model,
        args=settings,
        data_collator=make_batch,
        train_dataset=Dataset.from_list(train_rows),
        eval_dataset=Dataset.from_list(val_rows[:1]),
        processing_class=tokenizer,
        callbacks=[Progress(), *([EarlyStoppingCallback(recipe.patience)] if recipe.patience else [])],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def summary(recipe: Recipe, trainer, seconds: float) -> dict:
    """training.json 的内容：每一次的损失、速度（tokens_per_second 不算预热，太短就是 None）、峰值内存、版本、机器。"""
    import torch

    history, counted = trainer.state.log_history, trainer.counted
    steady = counted["steady_seconds"]
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
        "tokens": counted["tokens"],
        "padded_tokens": counted["padded_tokens"],
        "tokens_per_second": round(counted["steady_tokens"] / steady, 1) if steady else None,
        "warm_up_seconds": round(counted["step_seconds"] - steady, 2),
        "step_seconds": round(counted["step_seconds"], 2),
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
    steady = record["tokens_per_second"]
    speed = f"稳定后每秒 {steady:.0f} 个标记" if steady else "更新太少，不知道多快"
    print(
        f"验证损失 {record['held_out_loss_before']:.3f} → {record['held_out_loss']:.3f}"
        f"（第 {record['best_step']} 步）；"
        f"{speed}，{record['seconds_this_run']:.0f} 秒（预热 {record['warm_up_seconds']:.0f} 秒），"
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
