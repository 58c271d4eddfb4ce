"""评测的是哪个模型：一份 YAML 配方，加上命令行换的模型、适配器或接口。"""

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt

from health_assistant import artifacts, recipe_files
from health_assistant.command_line import BadInput
from health_assistant.evaluation.endpoint import check_endpoint, endpoint_task
from health_assistant.training.tiny_models import identity_of


class EvaluationRecipe(recipe_files.Recipe):
    """一次评测的配方；微调前后是同一份。生成的设置是 transformers 的 GenerationConfig 的名字。"""

    model_name_or_path: str = Field(description="基座：tiny、本地目录，或模型站上的名字")
    tuned: Literal["merged", "adapter"] = Field(
        "merged", description="微调之后评测阶段 3 的合并好的模型，还是基座加适配器"
    )
    max_new_tokens: PositiveInt = Field(512, description="一个回答最多多少个词元")
    # 没有同名的：SFTConfig 的 per_device_eval_batch_size 是训练中测损失的一批
    batch_size: PositiveInt = Field(8, description="本地模型一批几题")
    concurrency: PositiveInt = Field(16, description="同时问接口几题")
    safety: bool = Field(False, description="再问 64 道安全题，用规则看回答；--limit 时不问")


@dataclass
class Target:
    """要评测的模型：写进结果的名字；变了就要重问的几项；怎样交给 EvalScope（TaskConfig 的几项）。"""

    name: str
    identity: Any
    task: Callable[..., dict]


def endpoint_target(recipe: EvaluationRecipe, args: argparse.Namespace) -> Target:
    """一个 OpenAI 兼容接口。答得上才开始。"""
    check_endpoint(args.api_base, args.model)
    task = endpoint_task(args.api_base, args.model, recipe.max_new_tokens, recipe.concurrency)
    identity = {"api_base": args.api_base, "model": args.model}
    return Target(args.model, identity, lambda dialogues: task)


def local_target(recipe: EvaluationRecipe, when: str, args: argparse.Namespace) -> Target:
    """本地的模型，可以加适配器。"""
    base, adapter, name = find_model(recipe, when, args)

    def task(dialogues: list[list[dict]]) -> dict:
        from health_assistant.evaluation.benchmark import LocalModel

        model = LocalModel(base, adapter, dialogues, recipe.batch_size, recipe.max_new_tokens)
        return {"model": model, "eval_batch_size": recipe.batch_size}

    identity = {"model": name, "files": [listing(base), listing(adapter)], "batch_size": recipe.batch_size}
    return Target(name, identity, task)


def find_model(recipe: EvaluationRecipe, when: str, args: argparse.Namespace) -> tuple[Path, Path | None, str]:
    """本地模型的目录、加在上面的适配器（没有是 None）、给人看的名字；还没有训练、合并的抛 `BadInput`，说先运行什么。"""
    from health_assistant.training.loading import find_model as find_base

    tuned, adapter = artifacts.llm_dir(recipe.run_name), args.adapter
    if when == "after" and not args.model and not adapter:
        check_trained_from(tuned / "training.json", recipe.model_name_or_path)
        script = f"python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/{recipe.run_name}.yaml"
        if recipe.tuned == "merged":
            script += f"，再运行 python 3-fine-tuning-llm/merge_llm.py --recipe {recipe.run_name}"
            return _made_by(tuned / "merged", script), None, shown(tuned / "merged")
        adapter = _made_by(tuned / "adapter", script)
    if adapter and not (adapter / "adapter_config.json").is_file():
        raise BadInput(f"{adapter} 不是适配器：没有 adapter_config.json")
    base = find_base(args.model or recipe.model_name_or_path)
    name = shown(args.model or identity_of(recipe.model_name_or_path))
    return base, adapter, f"{name} + {shown(adapter)}" if adapter else name


def check_trained_from(record: Path, base_model: str) -> None:
    """微调的记录 record 写的基座与配方的要是同一个，不然比的就不只是微调：抛 `BadInput`。"""
    if record.is_file():
        training = json.loads(record.read_text(encoding="utf-8"))
        evaluated = identity_of(base_model)
        if evaluated not in (training["base_identity"], training["recipe"]["quantized_model"]):
            raise BadInput(f"{record} 的基座是 {training['base_identity']}，这次评测的是 {evaluated}。请重新训练、合并")


def listing(path: Path | None) -> list:
    """模型目录里各文件的名字、大小、修改时间，代替读几十 GB 算哈希。"""
    files = sorted(path.rglob("*")) if path else []
    return [[str(file.relative_to(path)), file.stat().st_size, file.stat().st_mtime_ns] for file in files]


def _made_by(folder: Path, script: str) -> Path:
    if not folder.is_dir():
        raise BadInput(f"没有微调好的模型 {folder}。先运行 {script}")
    return folder


def shown(path: str | Path) -> str:
    """产物目录里的东西写相对的位置，结果换一台机器看也明白。"""
    return str(path).removeprefix(f"{artifacts.artifacts_dir()}/")
