"""版式。一种版式是一个 `Layout`：画页面的函数，加上它对内容的要求（`Style`）。

写一种新版式：
    def draw(page):
        y = head(page, 70, page.image.width - 70, 60)                      # 页头，返回下边的 y
        y = page.table([Column("{name}({code})"), Column("{result}{mark}"), ...], indices, x0, x1, y, rules="grid")
        return foot(page, 70, page.image.width - 70, y + 20)               # 画到的最低处；之下的纸裁掉
    LAYOUTS["新的名字"] = Layout(draw, Style(marks=("arrows",), codes=True))
`page.report.items` 每一项的每个字段都要画一次（空的除外），用 `page.table` 或 `page.pieces`，框才会记下。
版式印不印代号、标记、范围、病人信息，写在 Style 里，真值随之而变。左右至少留 40 像素空白，手指只挡得到那里。
"""

from collections.abc import Callable
from dataclasses import dataclass

from health_assistant.lab_report.rendering.drawing import FONTS, Column, Page
from health_assistant.lab_report.rendering.furniture import foot, head
from health_assistant.lab_report.rendering.sampling import Style


@dataclass(frozen=True)
class Layout:
    """draw 在 page 上画，返回最低处的 y；width、size 是页宽与字号的范围（像素）。"""

    draw: Callable[[Page], int]
    style: Style = Style()
    width: tuple[int, int] = (1240, 1600)
    size: tuple[int, int] = (24, 30)
    height: int | None = None
    fonts: tuple[str, ...] = tuple(FONTS)


NAME, CODE, RESULT = Column("{name}"), Column("{code}"), Column("{result}")
UNIT, RANGE, MARK, SERIAL = Column("{unit}"), Column("{reference_range}"), Column("{mark}"), Column("{serial}")


def _sides(page: Page) -> tuple[int, int]:
    margin = int(page.rng.integers(60, 100))
    return margin, page.image.width - margin


def _classic(page: Page) -> int:
    x0, x1 = _sides(page)
    y = head(page, x0, x1, 60)
    mark = Column("{mark}", None, "m")
    y = page.table([SERIAL, NAME, CODE, RESULT, mark, UNIT, RANGE], range(len(page.report.items)), x0, x1, y)
    return foot(page, x0, x1, y)


def _halves(page: Page) -> tuple[range, range]:
    count = len(page.report.items)
    half = (count + 1) // 2
    return range(half), range(half, count)


def _two_panels_grid(page: Page) -> int:
    x0, x1 = _sides(page)
    y = head(page, x0, x1, 60)
    columns = [Column("{name}({code})"), Column("{result}{mark}"), UNIT, RANGE]
    middle = (x0 + x1) // 2
    left, right = _halves(page)
    bottom = page.table(columns, left, x0, middle - 8, y, "grid")
    bottom = max(bottom, page.table(columns, right, middle + 8, x1, y, "grid"))
    return foot(page, x0, x1, bottom)


def _dashed_letters(page: Page) -> int:
    x0, x1 = _sides(page)
    y = head(page, x0, x1, 60, titles="one")
    columns = [CODE, NAME, UNIT, RANGE, Column("{result}", None, "r"), MARK]
    y = page.table(columns, range(len(page.report.items)), x0, x1, y, "dashed")
    return foot(page, x0, x1, y)


LAYOUTS: dict[str, Layout] = {
    "classic": Layout(_classic),
    "two_panels_grid": Layout(_two_panels_grid, Style(items=(14, 30)), width=(1500, 1700), size=(22, 26)),
    "dashed_letters": Layout(_dashed_letters, Style(marks=("letters",))),
}
