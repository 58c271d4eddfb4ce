"""版式的名册。一种版式是一个 `Layout`：画页面的函数，加上它对内容的要求（`Style`），都写在 layouts.yaml 里。

每一项的每个字段都要画一次（空的除外），用 `page.table` 或 `page.pieces`，框才会记下。
版式印不印代号、标记、范围、病人信息，写在 Style 里，真值随之而变。左右至少留 40 像素空白，手指只挡得到那里。
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from health_assistant.lab_report.rendering import phones, sheets
from health_assistant.lab_report.rendering.drawing import FONTS, Habits, Page
from health_assistant.lab_report.rendering.sampling import Style, read_yaml


@dataclass(frozen=True)
class Layout:
    """draw 在 page 上画，返回最低处的 y；width、size 是页宽与字号的范围（像素），height 为 None 时按内容裁。

    habits 每页抽一个，空的是没有毛病。held_out 的留给测试，调读的规则时不看。
    """

    draw: Callable[[Page], int]
    style: Style = Style()
    width: tuple[int, int] = (1240, 1600)
    size: tuple[int, int] = (24, 30)
    height: int | None = None
    fonts: tuple[str, ...] = tuple(FONTS)
    habits: tuple[Habits, ...] = ()
    held_out: bool = False


_DRAWS: dict[str, Callable[..., int]] = {
    draw.__name__: draw
    for draw in (sheets.draw_sheet, phones.phone_cards, phones.phone_list, phones.phone_plain, phones.app_cards)
}


def _load() -> dict[str, Layout]:
    """layouts.yaml -> 版式：`draw` 是画法，不写是 `draw_sheet`；`Layout` 没有的键是给画法的参数。"""
    layouts = {}
    for name, entry in read_yaml("layouts.yaml").items():
        style, draw = Style(**entry.pop("style", {})), _DRAWS[entry.pop("draw", "draw_sheet")]
        habits = tuple(Habits(**settings) for settings in entry.pop("habits", []))
        page: dict[str, Any] = {key: tuple(entry.pop(key)) for key in ("width", "size", "fonts") if key in entry}
        page |= {key: entry.pop(key) for key in ("height", "held_out") if key in entry}
        if draw is sheets.draw_sheet:
            entry["english"] = style.english
        layouts[name] = Layout(partial(draw, **entry), style, habits=habits, **page)
    return layouts


_ALL = _load()
LAYOUTS = {name: layout for name, layout in _ALL.items() if not layout.held_out}
"""名字 -> 版式，调读者时可以看。"""
HELD_OUT_LAYOUTS = {name: layout for name, layout in _ALL.items() if layout.held_out}
"""名字 -> 留出的版式：调读者时从不看，只用来量它在没见过的版式上读得怎样。"""
