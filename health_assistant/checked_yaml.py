"""人编辑的 YAML（指标目录、组合解读、配方）怎样读入和核对：错误用中文说明是哪个文件、哪一项、哪个键。"""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from health_assistant.command_line import BadInput, why_unreadable
from health_assistant.wrong_values import what_is_wrong

_YAML_WORDS = {
    "string_type": "应当是文字",
    "tuple_type": "应当是列表",
    "dict_type": "应当是键和值",
    "model_type": "要写成“键: 值”，一行一项",
}
_SAID_ALONE = ("missing", "extra_forbidden", "finite_number", "value_error")
"""不说写的是什么的几种：没有写，或话里已经有了。"""


class BadYaml(BadInput):
    """人编辑的 YAML 有错。消息说明是哪个文件、哪一项、哪个键。"""


class Entry(BaseModel):
    """YAML 里人写的一项；不认识的键和不对的类型都是错。"""

    model_config = ConfigDict(extra="forbid", frozen=True)


EntryType = TypeVar("EntryType", bound=Entry)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # 有 C 的一份就用它
    """重复的键是错，不是后写的覆盖先写的。"""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        repeated = repeated_values(str(key.value) for key, _ in node.value)
        if repeated:
            raise yaml.YAMLError(f"第 {node.start_mark.line + 1} 行起的一项里，键“{repeated[0]}”写了不止一遍")
        return super().construct_mapping(node, deep)


def repeated_values(values: Iterable[str]) -> list[str]:
    """出现不止一次的值。"""
    return [value for value, times in Counter(values).items() if times > 1]


def refuse(problem: str, names: Iterable[str]) -> None:
    """有不该有的 names 就抛 ValueError：`problem：甲、乙`。"""
    listed = "、".join(sorted(names))
    if listed:
        raise ValueError(f"{problem}：{listed}")


def load_yaml(file: Path) -> Any:
    """随代码带着的一张表，不核对有哪些键；不是 YAML，或同一个键写了两遍，抛 `yaml.YAMLError`。"""
    return yaml.load(file.read_text(encoding="utf-8"), _Loader)


def read_yaml(model: type[EntryType], file: Path, changes: dict[str, Any] | None = None) -> EntryType:
    """读一个文件并核对；changes 是命令行上改的几项，盖过文件里写的。读不了、写错了都是 `BadYaml`。"""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadYaml(f"读不了 {file}：{why_unreadable(error)}") from None
    return check_yaml(model, text, f"{file.name} 与命令行" if changes else file.name, changes or {})


def check_yaml(model: type[EntryType], text: str, file: str, changes: dict[str, Any] | None = None) -> EntryType:
    """核对一个文件的文字，连同 changes；`file` 只用来说错误在哪里。写错了是 `BadYaml`。"""
    try:
        raw = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise BadYaml(f"{file} 不是 YAML：{' '.join(str(error).split())}") from None
    if isinstance(raw, dict) or raw is None:  # 空的文件：每一项都按默认
        raw = {**(raw or {}), **(changes or {})}
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = [f"{_place(raw, each['loc'])} {_problem(each)}".strip() for each in error.errors()]
        raise BadYaml(f"{file}：{'；'.join(problems)}") from None


def _place(raw: Any, path: tuple[Any, ...]) -> str:
    """错在哪里：一串项里的一项用它的代号称呼，没有代号才说第几项。"""
    names = []
    for step in path:
        try:
            raw = raw[step]
        except (TypeError, LookupError):  # 没有写的键，或 pydantic 自己加的一段
            raw = None
        if isinstance(step, int):
            step = (isinstance(raw, dict) and (raw.get("code") or raw.get("id"))) or f"第 {step + 1} 项"
        names.append(str(step))
    return ".".join(names)


def _problem(error: Any) -> str:
    """pydantic 的一条错误 -> 一句中文。"""
    if error["type"] in _YAML_WORDS:
        return _YAML_WORDS[error["type"]]
    said = what_is_wrong(error)
    return said if error["type"] in _SAID_ALONE else f"写的是 {error['input']!r}，{said}"
