"""由页头、一张表、页脚组成的版式，列宽照内容分；写法见 layouts.yaml 的开头。"""

import re
from collections.abc import Callable, Iterable
from itertools import accumulate

from health_assistant.lab_report.rendering.drawing import Column, Page, Pieces
from health_assistant.lab_report.rendering.furniture import foot, head
from health_assistant.lab_report.rendering.sampling import pick


def draw_sheet(page: Page, columns: list[str | list[str]], decorate: str = "",
               body: str = "one_table", margin=(60, 99), top: int = 60, fields: int = 4, titles="two",
               rules="ends", band="", neighbour="", english: bool = False, **table) -> int:  # fmt: skip
    """页头、表、页脚；各参数见 layouts.yaml 的开头。"""

    def choose(option):
        return pick(page.rng, option) if isinstance(option, list) else option

    if decorate:
        DECORATIONS[decorate](page)
    texts = " | ".join(filter(None, map(choose, columns))).split(" | ")
    parts = [re.fullmatch("([>^]?)(.*?)(=.*)?", text).groups() for text in texts]
    aligns = {">": "r", "^": "m", "": "l"}
    chosen = [Column(template, words and words[1:], aligns[align]) for align, template, words in parts]
    x0 = int(page.rng.integers(margin[0], margin[1] + 1))
    x1 = page.image.width - x0
    y = head(page, x0, x1, top, fields, choose(titles), english) if fields else top
    table |= {"rules": choose(rules), "band": choose(band)}
    y = _BODIES[body](page, chosen, x0, x1, y, **table)
    sides = choose(neighbour)
    for side in ("left", "right") if sides == "both" else filter(None, [sides]):
        _cut_neighbour(page, side)
    return foot(page, x0, x1, y, english)


def _one_table(page: Page, columns: list[Column], x0: int, x1: int, y: int, **table) -> int:
    return page.table(columns, range(len(page.report.items)), x0, x1, y, **table)


def _two_panels(page: Page, columns: list[Column], x0: int, x1: int, y: int, rules: str, gap: float | None = None,
                **table) -> int:  # fmt: skip
    """左右两栏，先排满左栏；没有表格线的中间一道竖线。gap 是两栏之间的空白与字号之比，负的是字快连上了。"""
    middle, count = (x0 + x1) // 2, len(page.report.items)
    half = (8 if rules == "grid" else 15) if gap is None else round(gap * page.size / 2)
    table = {"pitch": 1.5} | table
    left = page.table(columns, range((count + 1) // 2), x0, middle - half, y, rules, **table)
    right = page.table(columns, range((count + 1) // 2, count), middle + half, x1, y, rules, **table)
    if rules == "none":
        page.line(middle, y, middle, left, 1)
        page.line(x0, y, x1, y)
        page.line(x0, left, x1, left)
    return max(left, right)


def _sections(page: Page, columns: list[Column], x0: int, x1: int, y: int, **table) -> int:
    """每个面板一张小表，各有标题。"""
    bullet = pick(page.rng, ("【{}】", "■ {}", "{}：", "{}"))
    for title, indices in page.spans():
        page.text(x0, y + page.size * 0.8, bullet.format(title), round(page.size * 1.1), bold=True)
        y = page.table(columns, indices, x0, x1, y + round(page.size * 1.7), **table) + page.size
    return y


_BODIES: dict[str, Callable[..., int]] = {"one_table": _one_table, "two_panels": _two_panels, "sections": _sections}


def _cut_neighbour(page: Page, side: str) -> None:
    """旁边一栏只拍到边上（side：left、right）的几个字，与每一行齐。"""
    for boxes in list(page.boxes.values()):
        y = (boxes["name"][1] + boxes["name"][3]) / 2
        if side == "left":
            page.text(page.size * 1.1, y, pick(page.rng, ("mmol/L", "3.5-9.5", "10^9/L", "U/L", "0", "")), anchor="r")
        else:
            page.text(page.image.width - page.size * 1.6, y, pick(page.rng, ("总蛋白", "血小板计数", "单核细胞", "")))


def _long_serials(page: Page) -> None:
    page.serial_start = int(page.rng.integers(1000, 9000))


def _page_number(page: Page) -> None:
    page.serial_start = int(page.rng.integers(18, 32))
    page.text(page.image.width - 80, 50, pick(page.rng, ("第2页 共2页", "第 2 页/共 3 页", "2/2")), anchor="r")


def _site_bar(page: Page) -> None:
    page.drawing.rectangle((0, 0, page.image.width, 84), pick(page.rng, ("#1f6fb2", "#1a8f7a", "#3b5b92")))
    page.text(48, 42, "示例医院 网上查询", 34, "#ffffff", bold=True)
    page.text(page.image.width - 48, 42, "首页  |  我的报告  |  退出", 24, "#ffffff", anchor="r")


DECORATIONS: dict[str, Callable[[Page], None]] = {
    "long_serials": _long_serials, "page_number": _page_number, "site_bar": _site_bar,
}  # fmt: skip
"""layouts.yaml 里 `decorate` 的名字 -> 先画上的东西。"""


def put(page: Page, index: int, left: float, right: float, y: float, template: str, size: int | None = None,
        anchor: str = "l") -> None:  # fmt: skip
    """写一格，放不下就缩小；长的分人群的范围先折成两行。"""
    pieces, size, room = page.fill_template(index, template), size or page.size, right - left
    lines = [pieces] if page.width_of(pieces, size) <= room else _fold(pieces)
    need = max(page.width_of(line, size) for line in lines)
    size = size if need <= room else max(12, int(size * room / need))
    colour, bold = page.ink_of(index, template)
    x = {"l": left, "m": (left + right) / 2, "r": right}[anchor]
    for at, line in enumerate(lines):
        page.pieces(index, x, y + (at - (len(lines) - 1) / 2) * size * 1.15, line, size, colour, anchor, bold)


def edges_of(x0: float, x1: float, shares: Iterable[float]) -> list[float]:
    """各列按比例分，所有的竖边。"""
    return list(accumulate((share * (x1 - x0) for share in shares), initial=float(x0)))


def _fold(pieces: Pieces) -> list[Pieces]:
    for at, (field, text) in enumerate(pieces):
        cut = re.search(r"\[?女|新生儿", text)
        if field == "reference_range" and cut and cut.start():
            return [[*pieces[:at], (field, text[: cut.start()])], [(field, text[cut.start() :]), *pieces[at + 1 :]]]
    return [pieces]
