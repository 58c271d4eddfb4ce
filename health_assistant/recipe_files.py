"""配方：一份 YAML 一个，命令行可以改其中任何一项。训练与评测用同一个读法，键是 TRL、PEFT、transformers 自己的名字。

不用 trl 的 TrlParser、transformers 的 HfArgumentParser：导入要两三秒，--help 也要等；读了配方才知道用不用 Unsloth，
而 Unsloth 要在 trl 与 transformers 之前导入。
"""

import argparse
import typing
from pathlib import Path

from pydantic import AfterValidator, ConfigDict, Field
from pydantic.fields import FieldInfo

from health_assistant.artifacts import folder_name
from health_assistant.checked_yaml import Entry, read_yaml
from health_assistant.command_line import BadInput, OneLineErrors, new_parser


def _folder(name: str) -> str:
    try:
        return folder_name(name)
    except BadInput as error:
        raise ValueError(str(error)) from None


FolderName = typing.Annotated[str, AfterValidator(_folder)]
"""产物放在以它为名的文件夹：一层，不能走到外面去。"""


class Recipe(Entry):
    """训练与评测的配方都有的两项。"""

    model_config = ConfigDict(allow_inf_nan=False)

    run_name: FolderName = Field("", description="配方名，产物放在以它为名的目录；不写就取 YAML 的文件名")
    model_name_or_path: str = Field(
        "tiny", description="基座：tiny（现场造）、本地目录，或模型站上的名字，须带 ChatML 模板"
    )


AnyRecipe = typing.TypeVar("AnyRecipe", bound=Recipe)


def recipe_parser(description: str, kind: type[Recipe], default_config: Path) -> argparse.ArgumentParser:
    """kind 的每一项是一个选项的命令行，另有 --config；用法不对抛 `BadInput`。脚本可以再加自己的选项。"""
    parser = new_parser(description, OneLineErrors, allow_abbrev=False)
    parser.add_argument("--config", type=Path, default=default_config, help=f"配方（默认 {default_config.name}）")
    settings = parser.add_argument_group("配方里的每一项，写在 YAML 里，或在命令行上改")
    hidden: dict[str, typing.Any] = {"default": argparse.SUPPRESS, "help": argparse.SUPPRESS}
    for name, field in kind.model_fields.items():
        several = "*" if typing.get_origin(field.annotation) is list else None
        settings.add_argument(
            f"--{name}", nargs=several, metavar=_values(field), default=argparse.SUPPRESS, help=_help(field)
        )
        if "_" in name:  # 写成连字符也行
            settings.add_argument(f"--{name.replace('_', '-')}", dest=name, nargs=several, **hidden)
    return parser


def read_recipe(kind: type[AnyRecipe], args: argparse.Namespace) -> AnyRecipe:
    """args 是 `recipe_parser` 读到的：--config 的 YAML，加上命令行改的几项。写错了抛 `BadYaml`，一句话说明。"""
    changes = {name: value for name, value in vars(args).items() if name in kind.model_fields}
    recipe = read_yaml(kind, args.config, changes)
    return recipe if recipe.run_name else recipe.model_copy(update={"run_name": args.config.stem})


def _values(field: FieldInfo) -> str:
    """--help 里写可以填什么。"""
    if typing.get_origin(field.annotation) is typing.Literal:
        return "|".join(typing.get_args(field.annotation))
    return "true|false" if field.annotation is bool else "值"


def _help(field: FieldInfo) -> str:
    """--help 里的说明与默认值。"""
    default = " ".join(field.default) if isinstance(field.default, list) else field.default
    shown = "必须写" if field.is_required() else f"默认 {default}"
    return f"{field.description}（{shown}）".replace("（默认 ）", "").replace("%", "%%")
