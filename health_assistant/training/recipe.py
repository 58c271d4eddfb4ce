"""训练配方：一次训练的全部设置。一份 YAML 一个配方，命令行可以改其中任何一项。"""

import argparse
import dataclasses
import importlib.util
import sys
import typing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from health_assistant.training.tiny_models import identity_of

VISION_LINEAR_LAYERS = ["qkv", "proj", "fc1", "fc2", "gate_proj", "up_proj", "down_proj"]  # Qwen2-VL 与 Qwen2.5-VL 的
LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
AnyRecipe = typing.TypeVar("AnyRecipe", bound="Recipe")
OPTIONS = """
选项：
  --config YAML             配方（默认 configs/tiny.yaml）
  --force                   同样的配方与数据训练过了也从头重来
  -h, --help                显示这段说明

配方里的每一项，写在 YAML 里，或在命令行上改：
"""


def setting(default, help: str):
    """配方的一项：默认值与说明。"""
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata={"help": help})
    return field(default=default, metadata={"help": help})


@dataclass
class Recipe:
    name: str = setting("", "配方名，产物放在 llm/<配方名>；不写就取 YAML 的文件名")
    base_model: str = setting("tiny", "基座：tiny（现场造）、本地目录，或模型站上的名字，须带 ChatML 模板")
    quantized_model: str = setting("", "base_model 已量化成 4 位的一份，训练时少下载；合并仍用 base_model")
    train_data: str = setting("tiny", "prepare_train_data.py 备好的数据的名字")
    backend: Literal["auto", "unsloth", "transformers"] = setting("auto", "auto：有 CUDA 又装了 Unsloth 就用它")
    load_in_4bit: bool = setting(False, "基座量化成 4 位再训练（QLoRA）")
    max_length: int = setting(512, "一段对话最多多少个标记；更长的不用于训练，不截断（截断了就没有结束标记）")
    lora_rank: int = setting(16, "LoRA 的秩")
    lora_alpha: int = setting(32, "LoRA 的缩放")
    lora_dropout: float = setting(0.0, "LoRA 的 dropout；0 时 Unsloth 最快")
    lora_layers: list[str] = setting(LINEAR_LAYERS, "加 LoRA 的层；默认是全部线性层")
    gradient_checkpointing: Literal["none", "plain", "unsloth"] = setting("none", "时间换显存；unsloth 更省")
    update_rows: int = setting(8, "更新一次参数用多少条对话；几张卡也是合起来这么多")
    pass_tokens: int = setting(4096, "每张卡一次前向最多多少个标记，填充也算；显存由它与 max_length 中大的定")
    epochs: float = setting(3.0, "训练数据过几遍")
    max_steps: int = setting(-1, "最多更新几次参数；-1 由 epochs 决定")
    learning_rate: float = setting(2e-4, "峰值学习率；随后按余弦降到 0")
    warmup_steps: int = setting(10, "学习率从 0 升到峰值要的更新次数")
    weight_decay: float = setting(0.0, "权重衰减")
    eval_steps: int = setting(50, "每更新几次参数就测验证集的损失、存检查点")
    patience: int = setting(3, "验证损失连续几次不降就提前停；0 不提前停")
    keep_checkpoints: int = setting(3, "留几个检查点；至少 2 个，正在写的一个坏了还有上一个")
    seed: int = setting(0, "随机种子")
    report_to: Literal["none", "tensorboard", "swanlab"] = setting("none", "另外把曲线记到哪里")

    def __post_init__(self) -> None:
        positive = ["max_length", "lora_rank", "lora_alpha", "update_rows", "pass_tokens", "eval_steps"]
        positive += ["max_pixels"]
        kinds = typing.get_type_hints(type(self))
        for name, simple in simple_types(type(self)).items():
            value, kind = getattr(self, name), kinds[name]
            if simple is float and type(value) is int:
                setattr(self, name, float(value))
            elif type(value) is not simple:
                raise ValueError(f"{name} 要的是 {simple.__name__}，写的是 {value!r}")
            if typing.get_origin(kind) is Literal and value not in typing.get_args(kind):
                raise ValueError(f"{name} 只能是 {'、'.join(typing.get_args(kind))}，写的是 {value!r}")
            if name in (*positive, "learning_rate", "epochs") and value <= 0:
                raise ValueError(f"{name} 要大于 0，写的是 {value}")
        if self.keep_checkpoints < 2:
            raise ValueError(f"keep_checkpoints 至少是 2，写的是 {self.keep_checkpoints}")
        if not 0 <= self.lora_dropout < 1:
            raise ValueError(f"lora_dropout 要在 0 与 1 之间，写的是 {self.lora_dropout}")
        if self.backend == "unsloth" and not importlib.util.find_spec("unsloth"):
            raise ValueError("没有安装 unsloth：python -m pip install -r 0-env-init/requirements-gpu.txt")
        if self.report_to != "none" and not importlib.util.find_spec(self.report_to):
            raise ValueError(f"没有安装 {self.report_to}：python -m pip install {self.report_to}")

    def what_shapes_the_result(self) -> dict:
        """决定训练结果的设置，基座写它的身份；曲线记到哪里、留几个检查点不算。"""
        kept = {k: v for k, v in vars(self).items() if k not in ("name", "report_to", "keep_checkpoints")}
        return kept | {"base_model": self.base_identity}

    @property
    def vision(self) -> bool:
        return isinstance(self, VisionRecipe)

    @property
    def base_identity(self) -> str:
        return identity_of(self.base_model, self.vision)


@dataclass
class VisionRecipe(Recipe):
    """视觉模型的配方：多了像素预算、训练哪些部分、题目的比例。"""

    name: str = setting("", "配方名，产物放在 vl/<配方名>；不写就取 YAML 的文件名")
    train_data: str = setting("tiny", "render_reports.py 画好的数据的名字")
    max_length: int = setting(4096, "图、提问、回答合起来最多多少个标记；有一条放不下就不开始训练")
    max_pixels: int = setting(2560 * 784, "一页最多多少像素，784 像素一个标记；更大的图先缩小")
    min_text_height: float = setting(10.0, "缩小之后数字至少多高（像素，按真值里的框算）；再小就认不出，不开始训练")
    vision_layers: bool = setting(False, "看图的层也加 LoRA；有的推理框架不认，要合并之后再用")
    full_layers: list[str] = setting([], "不用 LoRA、整个训练的部分（PEFT 的 modules_to_save），随机权重的基座才需要")
    abnormal_share: float = setting(0.1, "每张报告另出一道“哪些项目异常”的概率")
    unreadable_share: float = setting(0.05, "另有这么大比例的页破坏到读不出，教模型答“看不清”")
    question_share: float = setting(0.2, "每张报告另出一道“某一项是多少”的概率")


def lora_targets(recipe: Recipe) -> list[str] | str:
    """PEFT 的 target_modules。视觉模型里两边有同名的层，要写成正则才分得开。"""
    if not isinstance(recipe, VisionRecipe):
        return recipe.lora_layers
    language = rf".*language_model.*\.({'|'.join(recipe.lora_layers)})"
    vision = rf".*visual\.blocks.*\.({'|'.join(VISION_LINEAR_LAYERS)})"
    return f"{language}|{vision}" if recipe.vision_layers else language


def from_command_line(doc: str, default_config: Path, kind: type[AnyRecipe]) -> tuple[AnyRecipe, bool]:
    """训练脚本的命令行：配方，和有没有写 --force。--help 打印 doc 与各项设置就结束；写错了抛出 ValueError。"""
    arguments = sys.argv[1:]
    if {"-h", "--help"} & {*arguments}:
        print(doc + OPTIONS + settings_help(kind))
        sys.exit(0)
    given = [one for one in arguments if one != "--force"]
    return read_recipe(given, default_config, kind), "--force" in arguments


class OneLineErrors(argparse.ArgumentParser):
    def error(self, message):
        raise ValueError(message)


def read_recipe(arguments: list[str], default_config: Path, kind: type[AnyRecipe]) -> AnyRecipe:
    """命令行参数（可含 --config YAML）成为 kind 这种配方。写错了抛出 ValueError，一句话说明。

    不用 trl 的 TrlParser：读了配方才知道用不用 Unsloth，而 Unsloth 要在 trl 与 transformers 之前导入。
    """
    parser = OneLineErrors(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=default_config)
    for name, one in simple_types(kind).items():
        nargs = "*" if one is list else None
        parser.add_argument(f"--{name}", type=CONVERTERS.get(one, one), nargs=nargs, default=argparse.SUPPRESS)
    try:
        given = vars(parser.parse_args(arguments))
    except ValueError as error:
        raise ValueError(f"命令行：{error}") from None
    config = given.pop("config")
    try:
        recipe = kind(**{**read_yaml(config, kind), **given})
    except (ValueError, TypeError) as error:
        raise ValueError(f"{config} 或命令行：{error}") from None
    recipe.name = recipe.name or config.stem
    return recipe


def read_yaml(config: Path, kind: type[Recipe]) -> dict:
    """一份配方文件里写的各项；读不了、不是映射、有不认识的项，抛出 ValueError。"""
    import yaml

    try:
        written = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"不是 YAML：{' '.join(str(error).split())}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"读不了：{error}") from None
    if not isinstance(written, dict):
        raise ValueError("要写成“设置: 值”的映射")
    if unknown := sorted(map(str, written.keys() - simple_types(kind).keys())):
        raise ValueError(f"没有 {'、'.join(unknown)} 这样的设置")
    return written


def simple_types(kind: type[Recipe]) -> dict[str, type]:
    """各项设置的类型；选项之一的是 str，列表的是 list。"""
    return {
        name: str if typing.get_origin(one) is Literal else typing.get_origin(one) or one
        for name, one in typing.get_type_hints(kind).items()
    }


def true_or_false(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


CONVERTERS: dict[type, typing.Callable] = {bool: true_or_false, list: str}


def settings_help(kind: type[Recipe]) -> str:
    """各项设置的说明，给 --help 用；不导入任何重的库。"""
    lines = []
    for one in dataclasses.fields(kind):
        default = " ".join(one.default_factory()) if callable(one.default_factory) else one.default
        lines.append(f"  --{one.name:<24}{one.metadata['help']}（默认 {default!s}）".replace("（默认 ）", ""))
    return "\n".join(lines)
