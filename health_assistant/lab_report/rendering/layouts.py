"""版式的名册。一种版式是一个 `Layout`：画页面的函数，加上它对内容的要求（`Style`），都写在 layouts.yaml 里。

每一项的每个字段都要画一次（空的除外），用 `draw_table` 或 `page.pieces`，框才会记下。
版式印不印代号、标记、范围、病人信息，写在 Style 里，真值随之而变。左右至少留 40 像素空白，手指只挡得到那里。
"""

from collections.abc import Callable

from pydantic import BaseModel, ConfigDict, Field

from health_assistant.lab_report.rendering import phones, sheets
from health_assistant.lab_report.rendering.drawing import FONTS, Habits, Page
from health_assistant.lab_report.rendering.sampling import Style, read_yaml

_DRAWS: dict[str, Callable[..., int]] = {
    draw.__name__: draw
    for draw in (sheets.draw_sheet, phones.phone_cards, phones.phone_list, phones.phone_plain, phones.app_cards)
}


class Layout(BaseModel):
    """layouts.yaml 里的一种版式；这里没有的键是给画法的参数。

    width、size 是页宽与字号的范围（像素），height 为 None 时按内容裁。
    habits 每页抽一个，空的是没有毛病。held_out 的留给测试，调读的规则时不看。
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    drawn_by: str = Field("draw_sheet", alias="draw")
    style: Style = Style()
    width: tuple[int, int] = (1240, 1600)
    size: tuple[int, int] = (24, 30)
    height: int | None = None
    fonts: tuple[str, ...] = tuple(FONTS)
    habits: tuple[Habits, ...] = ()
    held_out: bool = False

    def draw(self, page: Page) -> int:
        """在 page 上画，返回最低处的 y。"""
        language = {"english": self.style.english} if self.drawn_by == "draw_sheet" else {}
        return _DRAWS[self.drawn_by](page, **self.model_extra, **language)


_ALL = {name: Layout(**entry) for name, entry in read_yaml("layouts.yaml").items()}
LAYOUTS = {name: layout for name, layout in _ALL.items() if not layout.held_out}
"""名字 -> 版式，调读者时可以看。"""
HELD_OUT_LAYOUTS = {name: layout for name, layout in _ALL.items() if layout.held_out}
"""名字 -> 留出的版式：调读者时从不看，只用来量它在没见过的版式上读得怎样。"""
