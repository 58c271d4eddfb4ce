"""Jinja 模板 -> 一页自包含的 HTML；填进去的文字都会转义。"""

from pathlib import Path


def fill(template: Path, **values) -> str:
    """填好的一页；模板里写了而 values 没有的名字，抛 jinja2.UndefinedError。`tojson` 写出的不会提前结束 <script>。"""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment.from_string(template.read_text(encoding="utf-8")).render(**values)
