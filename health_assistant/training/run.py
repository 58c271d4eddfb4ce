"""一次训练，从放不放得下到写下结果；中间的一圈在 sft.py。阶段 3 与 6 共用。"""

import json
import math
import platform
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from health_assistant import artifacts
from health_assistant.command_line import BadInput
from health_assistant.training import loading, sft
from health_assistant.training.recipe import Recipe
from health_assistant.training.saving import atomic_folder, prepare_to_resume


class Training:
    """按 recipe 训练一次，产物放在 folder；sources 是数据的各个文件，force 是训练过了也从头重来。"""

    def __init__(self, recipe: Recipe, folder: Path, sources: list[Path], force: bool):
        self.recipe, self.folder, self.force = recipe, folder, force
        self.fingerprint = artifacts.fingerprint(recipe.what_shapes_the_result(), sources)

    def is_finished(self) -> bool:
        """这样的配方与数据训练过没有；训练过就说一声。改过配方或数据就是没有。"""
        finished = artifacts.is_finished(self.folder, self.fingerprint) and not self.force
        if finished:
            print(f"配方 {self.recipe.run_name} 训练过了，结果在 {self.folder}；要重新训练加 --force。")
        return finished

    def prepare_base(self):
        """找到（或下载）基座，返回它的分词器；还不读权重。得不到、用不了抛 `BadInput`。"""
        self.base, self.source, self.tokenizer = loading.prepare_base(self.recipe)
        return self.tokenizer

    def fit(
        self, train_rows: list[dict], val_rows: list[dict], about: dict, smaller: str, collate: Callable | None = None
    ) -> None:
        """训练，写下 adapter、training.json 与曲线；放不下抛 DoesNotFit，算坏了抛 BadTraining。

        train_rows、val_rows 是 encode 过的；about 另写进 training.json；smaller 是放不下时可以换什么；
        collate 把几条变成一批（视觉模型的带图）。
        """
        # 放不放得下：先算再读权重
        longest = max(len(row["input_ids"]) for row in train_rows + val_rows)
        estimate = loading.check_memory(self.base, self.recipe, longest, smaller)

        # 载入模型并训练；有完整的检查点就从它接着来
        checkpoints = self.folder / "checkpoints" / self.fingerprint[:12]
        resume = prepare_to_resume(checkpoints, from_scratch=self.force)
        started = time.monotonic()
        model = loading.load_with_lora(self.source, self.recipe)
        trainer = sft.build_trainer(self.recipe, model, self.tokenizer, train_rows, val_rows, checkpoints, collate)
        trainer.train(resume_from_checkpoint=resume)

        # 写下验证损失最低的一个；多卡时只有一个进程写
        if trainer.is_world_process_zero():
            about |= {"parameters": estimate.parameters, "estimated_gib": round(estimate.needed, 2)}
            self.write_results(trainer, about, time.monotonic() - started)

    def write_results(self, trainer, about: dict, seconds: float) -> None:
        """写下 adapter、training.json 与曲线，记为训练完了，打印一句结果。"""
        recipe = self.recipe
        with atomic_folder(self.folder / "adapter") as partial:
            trainer.model.save_pretrained(partial)
            self.tokenizer.save_pretrained(partial)
        record = {
            "recipe": recipe.model_dump(),
            "recipe_sha256": self.fingerprint,
            "base_model": recipe.model_name_or_path,
            "base_identity": recipe.base_identity,
            **about,
            "trainable": sum(part.numel() for part in trainer.model.parameters() if part.requires_grad),
        } | summary(trainer, seconds)
        written = [self.folder / name for name in ("adapter", "training.json", "loss.png")]
        artifacts.write_json(written[1], record)
        draw_curves(record, written[2])
        artifacts.mark_finished(self.folder, self.fingerprint, written)
        steady = record["tokens_per_second"]
        speed = f"稳定后每秒 {steady:.0f} 个词元" if steady else "更新太少，不知道多快"
        print(
            f"验证损失 {record['held_out_loss_before']:.3f} → {record['held_out_loss']:.3f}"
            f"（第 {record['best_step']} 步）；"
            f"{speed}，{record['seconds_this_run']:.0f} 秒（预热 {record['warm_up_seconds']:.0f} 秒），"
            f"峰值 {record['peak_memory_gib']} GiB\n写了：{'、'.join(map(str, written))}"
        )


def summary(trainer, seconds: float) -> dict:
    """training.json 的内容：每一次的损失、速度（tokens_per_second 不算预热，太短就是 None）、峰值内存、版本、机器。"""
    import torch

    history, counted = trainer.state.log_history, trainer.speed.counted
    steady = counted["steady_seconds"]
    evaluations = [{"step": logs["step"], "loss": logs["eval_loss"]} for logs in history if "eval_loss" in logs]
    best = min(evaluations[1:], key=lambda evaluation: evaluation["loss"])  # 第一次是训练之前测的
    steps = [{name: logs[name] for name in ("step", "loss", "learning_rate")} for logs in history if "loss" in logs]
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


def read_training(folder: Path, script: str) -> dict:
    """folder 的 training.json；没有训练好就抛 `BadInput`，说要先运行哪个脚本。"""
    if not (folder / "training.json").is_file() or not (folder / "adapter").is_dir():
        raise BadInput(f"{folder} 里没有训练好的 adapter：先运行 {script}")
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
    import pandas as pd

    from health_assistant.plotting import new_figure, save_png

    figure, (axis,) = new_figure()
    train, held_out = pd.DataFrame(record["train"]), pd.DataFrame(record["held_out"])
    width = math.ceil(len(train) / 30)
    smooth = train.loss.rolling(width, min_periods=1).mean()
    axis.plot(train.step, train.loss, color="tab:blue", alpha=0.25, label="训练损失")
    axis.plot(train.step, smooth, color="tab:blue", label=f"训练损失（{width} 步平均）")
    axis.plot(held_out.step, held_out.loss, "o-", color="tab:red", label="验证损失")
    title = f"配方 {record['recipe']['run_name']}，基座 {record['base_model']}"
    axis.set(title=title, xlabel="步", ylabel="每个词元的损失")
    axis.legend()
    axis.grid(alpha=0.3)
    save_png(figure, path)
