"""vLLM 的配方 -> `vllm serve` 的命令行。只拼命令，不导入 vLLM：它装在 GPU 机器上自己的虚拟环境里。"""

import json
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from health_assistant import artifacts
from health_assistant.checked_yaml import Entry, read_yaml
from health_assistant.command_line import BadInput

NO_DOMAIN = "no-remote-images.invalid"
"""只许从这个不存在的域名取图，等于不许：vLLM 默认会替人下载任何网址的图。data: URL 不受影响。"""
TRAINED = r"^(llm|vl)/[\w.-]+$"
SAME_NAMES = ["served_model_name", "dtype", "max_model_len", "gpu_memory_utilization", "tensor_parallel_size"]
SAME_NAMES += ["pipeline_parallel_size", "data_parallel_size", "distributed_executor_backend"]
"""配方里与 vLLM 同名、原样传过去的各项。"""


class VllmRecipe(Entry):
    """一份 YAML 一个配方。没有写的按 vLLM 自己的默认值。"""

    model_config = ConfigDict(strict=True)

    model: str | None = None
    """模型站上的名字或目录；与 merged 写一个。"""
    merged: str | None = Field(None, pattern=TRAINED)
    """合并好的模型：llm/阶段 3 的配方，或 vl/阶段 6 的配方。"""
    adapters: dict[str, Annotated[str, Field(pattern=TRAINED)]] = {}
    """请求里的名字 -> llm/配方 或 vl/配方：基座上带的 LoRA。"""
    max_lora_rank: Literal[1, 8, 16, 32, 64, 128, 256, 320, 512] = 16
    served_model_name: str | None = None
    dtype: Literal["auto", "bfloat16", "float16"] = "auto"
    max_model_len: int = Field(gt=0)
    """提问（连同图）与回答合起来最多多少个词元。"""
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1)
    """占一张卡显存的几成：权重之外都用来存 KV，越多同时答得越多。"""
    tensor_parallel_size: int = Field(1, ge=1)
    """一份模型切到几张卡上。"""
    pipeline_parallel_size: int = Field(1, ge=1)
    """一份模型的层分成几段；跨机器时一台一段。"""
    data_parallel_size: int = Field(1, ge=1)
    """整份模型有几份，各答各的。"""
    distributed_executor_backend: Literal["mp", "ray"] | None = None
    images_per_prompt: int | None = Field(None, ge=1)
    """看图的模型：一个请求最多几张图。"""
    max_pixels: int | None = Field(None, ge=3136)
    """看图的模型：一页最多多少像素，与训练的配方相同。"""
    enable_thinking: bool | None = None
    """Qwen3：默认要不要先写思考过程；请求里的 chat_template_kwargs 可以另说。"""

    @model_validator(mode="after")
    def _fits_together(self) -> "VllmRecipe":
        if self.max_pixels and not self.images_per_prompt:
            raise ValueError("写了 max_pixels 就要写 images_per_prompt")
        return self


def vllm_command(
    config: Path | None,
    model: str | None,
    adapters: dict[str, str],
    host: str,
    port: int,
    served_model_name: str | None,
) -> list[str]:
    """配方加命令行上另写的 -> argv。命令行上的模型与名字盖过配方的，LoRA（名字 -> 目录）加在配方的后面。

    配方不对时抛 BadInput。不看模型在不在本地：`--dry-run` 在别的机器上也要能用。
    """
    if config is None:
        raise BadInput("vllm 要写 --config，配方在 5-build-server/configs/")
    recipe = read_yaml(VllmRecipe, config)
    model = model or recipe.model or (recipe.merged and str(trained_dir(recipe.merged) / "merged"))
    if not model:
        raise BadInput(f"{config} 里没有写 model 或 merged，命令行上也没有 --model")
    adapters = {name: str(trained_dir(trained) / "adapter") for name, trained in recipe.adapters.items()} | adapters
    options = {"host": host, "port": port, **recipe.model_dump(include=set(SAME_NAMES))}
    if served_model_name:
        options["served_model_name"] = served_model_name
    if recipe.images_per_prompt:
        # 写明 0 个视频，vLLM 就不为视频留显存
        options["limit_mm_per_prompt"] = {"image": recipe.images_per_prompt, "video": 0}
        options["allowed_media_domains"] = NO_DOMAIN
    if recipe.max_pixels:
        options["mm_processor_kwargs"] = {"max_pixels": recipe.max_pixels}
    if recipe.enable_thinking is not None:
        options["default_chat_template_kwargs"] = {"enable_thinking": recipe.enable_thinking}
    command = ["vllm", "serve", model]
    for name, value in options.items():
        if value is not None:
            command += [f"--{name.replace('_', '-')}", json.dumps(value) if isinstance(value, dict) else str(value)]
    return command + lora_options(adapters, recipe.max_lora_rank)


def lora_options(adapters: dict[str, str], max_rank: int) -> list[str]:
    """LoRA（名字 -> 目录）-> 命令行的选项；没有 LoRA 为空。"""
    if not adapters:
        return []
    # 写成 JSON：目录里有逗号时，名字=目录 的写法 vLLM 会认错
    modules = [json.dumps({"name": name, "path": path}, ensure_ascii=False) for name, path in adapters.items()]
    ranks = ["--max-lora-rank", str(max_rank), "--max-loras", str(len(adapters))]
    return ["--enable-lora", *ranks, "--lora-modules", *modules]


def trained_dir(trained: str) -> Path:
    """llm/配方 -> 阶段 3 的产物目录；vl/配方 -> 阶段 6 的。"""
    kind, recipe = trained.split("/")
    return (artifacts.llm_dir if kind == "llm" else artifacts.vl_dir)(recipe)
