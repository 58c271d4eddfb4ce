"""人编辑的 YAML（指标目录、组合解读）怎样读入和核对：错误用中文说明是哪个文件、哪一项、哪个键。"""

import re
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, InstanceOf, ValidationError

from health_assistant.lab_report.reference_range import ByGroup, Interval, Terms

_DRUG_OR_DOSE = re.compile(
    r"\d\s*(mg|毫克|[uμ]g|微克|克|ml|毫升|片|粒|丸|支|袋|次)|[半一二两三四]\s*(片|粒|丸)|每[日天][^，。；]{0,4}次|次每"
    r"|服用|口服|吃药|用药|注射|剂量|胶囊|西林|头孢|他汀|沙星|洛尔|地平|阿司匹林|布洛芬|华法林|双胍|胰岛素治疗"
)
_PROBLEMS = {
    "extra_forbidden": "是不认识的键",
    "missing": "没有写",
    "string_type": "应当是文字",
    "tuple_type": "应当是列表",
    "dict_type": "应当是键和值",
    "model_type": "应当是键和值",
}


class CatalogueError(ValueError):
    """人编辑的 YAML 有错。消息说明是哪个文件、哪一项、哪个键。"""


def _phrase(text: str) -> str:
    if found := _DRUG_OR_DOSE.search(text):
        raise ValueError(f"不能出现药名或剂量：“{found[0]}”")
    if not text.strip():
        raise ValueError("是空的")
    return text


def _sentence(text: str) -> str:
    if not (6 <= len(text) <= 90 and text.endswith("。")):
        raise ValueError("应当是 6 到 90 个字、以句号结尾的话")
    return text


def _number(raw: Any) -> Decimal:
    if not (isinstance(raw, str) and re.fullmatch(r"-?\d+(\.\d+)?", raw)):
        raise ValueError(f"数要写成带引号的小数，而不是 {raw!r}")
    return Decimal(raw)


def _factor(raw: Any) -> Fraction:
    parts = [_number(part) for part in (raw.split("/") if isinstance(raw, str) else [raw])]
    if len(parts) > 2 or any(part <= 0 for part in parts):
        raise ValueError(f'倍数要大于 0，写成 "10" 或 "1/18.016"，而不是 {raw!r}')
    return Fraction(parts[0]) / Fraction(parts[1] if len(parts) == 2 else 1)


def _interval(bounds: Any) -> Interval:
    if not (isinstance(bounds, list) and len(bounds) == 2 and bounds != [None, None]):
        raise ValueError(f"范围要写成 [下限, 上限]，而不是 {bounds!r}")
    low, high = (None if bound is None else _number(bound) for bound in bounds)
    if low is not None and high is not None and low >= high:
        raise ValueError(f"下限 {low} 不小于上限 {high}")
    return Interval(low, high)


def _reference(raw: Any) -> Interval | Terms | ByGroup:
    if isinstance(raw, str):
        return Terms(tuple(raw.split("/")))
    if not (isinstance(raw, dict) and set(raw) in ({"any"}, {"male", "female"})):
        raise ValueError("要写成 {any: […]}、{male: […], female: […]} 或定性词")
    if "any" in raw:
        return _interval(raw["any"])
    return ByGroup((("男", _interval(raw["male"])), ("女", _interval(raw["female"]))))


Phrase = Annotated[str, AfterValidator(_phrase)]
Sentence = Annotated[Phrase, AfterValidator(_sentence)]
Number = Annotated[InstanceOf[Decimal], BeforeValidator(_number)]
Factor = Annotated[InstanceOf[Fraction], BeforeValidator(_factor)]
Reference = Annotated[InstanceOf[Interval] | InstanceOf[Terms] | InstanceOf[ByGroup], BeforeValidator(_reference)]


class Entry(BaseModel):
    """YAML 里人写的一项；不认识的键和不对的类型都是错。"""

    model_config = ConfigDict(extra="forbid", frozen=True)


def repeated_values(values: Iterable[str]) -> list[str]:
    """出现不止一次的值。"""
    return [one for one, times in Counter(values).items() if times > 1]


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # 有 C 的一份就用它
    """重复的键是错，不是后写的覆盖先写的。"""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        if repeated := repeated_values(str(key.value) for key, _ in node.value):
            raise CatalogueError(f"第 {node.start_mark.line + 1} 行起的一项里，键“{repeated[0]}”写了不止一遍")
        return super().construct_mapping(node, deep)


def read_yaml(text: str, file: str, keys: set[str]) -> dict[str, Any]:
    """读一个顶层只有 `keys` 这些键的 YAML。"""
    try:
        data = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise CatalogueError(f"{file} 不是合格的 YAML：{error}") from error
    if not (isinstance(data, dict) and data.keys() == keys):
        raise CatalogueError(f"{file} 的顶层应当是 {'、'.join(sorted(keys))}")
    return data


EntryType = TypeVar("EntryType", bound=Entry)


def check_entry(model: type[EntryType], raw: Any, where: str) -> EntryType:
    """核对人写的一项；错误用中文说明在哪里。"""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        problems = []
        for one in error.errors():
            own = one.get("ctx", {}).get("error")
            what = own or _PROBLEMS.get(one["type"]) or f"不对：{one['input']!r}，应当是 {one['msg']}"
            problems.append(f"{'.'.join(map(str, one['loc']))} {what}".strip())
        raise CatalogueError(f"{where}：{'；'.join(problems)}") from error


def check_entries(model: type[EntryType], raw: Any, file: str, key: str) -> tuple[EntryType, ...]:
    """核对一串项；`key` 是每一项的名字所在的键，不许重复。"""
    if not isinstance(raw, list):
        raise CatalogueError(f"{file}：应当是一串各以 - 开头的项")
    labels = [one.get(key) if isinstance(one, dict) else None for one in raw]
    if repeated := repeated_values(str(label) for label in labels if label):
        raise CatalogueError(f"{file}：{key} 重复：{'、'.join(repeated)}")
    return tuple(
        check_entry(model, one, f"{file} 的“{label or f'第 {at} 项'}”")
        for at, (one, label) in enumerate(zip(raw, labels, strict=True), 1)
    )
