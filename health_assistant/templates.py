"""填 Jinja 模板：自包含的网页，或别的文字。"""

from pathlib import Path


def fill(template: Path, **values) -> str:
    """填好的文字；模板里写了而 values 没有的名字，抛 jinja2.UndefinedError。

    .html 里填进去的文字都会转义；`tojson` 写出的不会提前结束 <script>。
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=template.suffix == ".html",
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    return environment.from_string(template.read_text(encoding="utf-8")).render(**values)
