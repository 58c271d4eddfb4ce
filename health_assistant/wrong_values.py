"""pydantic 的一条错误 -> 一句中文。人写的 YAML、病例、设置，阶段 5 与 7 收到的请求都用它。"""

from collections.abc import Mapping
from typing import Any

_WORDS = {
    "missing": "没有写",
    "extra_forbidden": "是不认识的键",
    "json_invalid": "不是 JSON",
    "string_type": "要写成字符串",
    "string_too_long": "至多 {max_length} 个字",
    "string_too_short": "至少 {min_length} 个字，不能是空白",
    "string_pattern_mismatch": "要符合 {pattern}",
    "too_long": "至多 {max_length} 个",
    "too_short": "至少 {min_length} 个",
    "list_type": "要写成数组",
    "tuple_type": "要写成数组",
    "dict_type": "要写成对象",
    "model_type": "要写成对象",
    "bool_type": "要写成 true 或 false",
    "bool_parsing": "要写成 true 或 false",
    "int_type": "要写成整数",
    "int_from_float": "要写成整数",
    "int_parsing": "要写成整数",
    "float_type": "要写成数",
    "float_parsing": "要写成数",
    "finite_number": "要是有限的数，不能是无穷或 nan",
    "greater_than": "要大于 {gt}",
    "greater_than_equal": "至少是 {ge}",
    "less_than": "要小于 {lt}",
    "less_than_equal": "至多是 {le}",
    "literal_error": "只能是 {expected}",
}
_NOT_BLANK = r"\S"


def what_is_wrong(problem: Mapping[str, Any]) -> str:
    """problem 是 `ValidationError.errors()` 的一条；自己抛的 ValueError 照它说的，不认得的种类是“不对”。

    不说出写的是什么：它可能是密钥。
    """
    context = problem.get("ctx", {})
    if "error" in context and problem["type"] == "value_error":
        return str(context["error"])
    if context.get("pattern") == _NOT_BLANK:
        return "不能是空白"
    limits = {name: str(value).replace(" or ", "、") for name, value in context.items()}
    return _WORDS.get(problem["type"], "不对").format(**limits)
