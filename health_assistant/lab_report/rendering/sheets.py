"""纸上的版式：页头、一张表、页脚，写法见 layouts.yaml 的开头。返回画到的最低处的 y，之下的裁掉。"""

import re
import textwrap
from collections.abc import Callable, Sequence

from PIL import Image

from health_assistant.lab_report.rendering.drawing import Page
from health_assistant.lab_report.rendering.furniture import foot, head
from health_assistant.lab_report.rendering.ruled_table import Column, draw_table, split_lines
from health_assistant.lab_report.rendering.sampling import pick


def draw_sheet(page: Page, columns: list[str | list[str]], decorate: str = "",
               body: str = "one_table", margin=(60, 99), top: int = 60, fields: int = 4, titles="two", rules="ends",
               band="", neighbour="", dotted: bool = False, english: bool = False, **table) -> int:  # fmt: skip
    """页头、表、页脚；各参数见 layouts.yaml 的开头。"""

    def choose(option):
        return pick(page.rng, option) if isinstance(option, list) else option

    if decorate:
        DECORATIONS[decorate](page)
    texts = " | ".join(filter(None, map(choose, columns))).split(" | ")
    parts = [re.fullmatch("(?s)([>^]?)(.*?)(=.*)?", text).groups() for text in texts]
    aligns = {">": "r", "^": "m", "": "l"}
    chosen = [Column(template, words and words[1:], aligns[align]) for align, template, words in parts]
    x0 = int(page.rng.integers(margin[0], margin[1] + 1))
    x1 = page.image.width - x0
    y = head(page, x0, x1, top, fields, choose(titles), english) if fields else top
    table |= {"rules": choose(rules), "band": choose(band)}
    y = _BODIES[body](page, chosen, x0, x1, y, **table)
    if neighbour:
        _cut_neighbour(page, choose(neighbour))
    bottom = foot(page, x0, x1, y, english)
    if dotted:
        _fade(page, bottom, page.rng.uniform(0.1, 0.35))
    return bottom


def _one_table(page: Page, columns: list[Column], x0: int, x1: int, y: int, **table) -> int:
    return draw_table(page, columns, range(len(page.report.items)), x0, x1, y, **table)


def _two_panels(page: Page, columns: list[Column], x0: int, x1: int, y: int, rules: str, gap: float | None = None,
                **table) -> int:  # fmt: skip
    """左右两栏，先排满左栏；没有表格线的中间一道竖线。gap 是两栏之间的空白与字号之比，负的是字快连上了。"""
    middle, count = (x0 + x1) // 2, len(page.report.items)
    half = (8 if rules == "grid" else 15) if gap is None else round(gap * page.size / 2)
    table = {"pitch": 1.5} | table
    left = draw_table(page, columns, range((count + 1) // 2), x0, middle - half, y, rules, **table)
    right = draw_table(page, columns, range((count + 1) // 2, count), middle + half, x1, y, rules, **table)
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
        y = draw_table(page, columns, indices, x0, x1, y + round(page.size * 1.7), **table) + page.size
    return y


def _range_below(page: Page, columns: list[Column], x0: int, x1: int, y: int, **table) -> int:
    """一页一项：名称长的折行，参考范围在表下面的一段里。"""
    size = page.size
    for index, item in enumerate(page.report.items):
        page.extras[index] = {"name": textwrap.fill(item.name, 18)}
        y = draw_table(page, columns, [index], x0, x1, y, **table)
        page.text(x0, y + size, pick(page.rng, ("Bio. Ref. Interval. :-", "Reference Range :-")))
        y += round(size * 2.6)
        for line in split_lines([("reference_range", item.reference_range)]):
            page.pieces(index, x0 + size, y, line)
            y += round(size * 1.4)
    return y


def _checkup(page: Page, columns: list[Column], x0: int, x1: int, y: int, **table) -> int:
    """体检的册子：一行一般检查，每个面板一张小表，后面一段小结。"""
    rng, size = page.rng, page.size
    measured = (
        f"身高 {rng.integers(152, 186)}cm  体重 {rng.uniform(46, 88):.1f}kg  "
        f"血压 {rng.integers(102, 138)}/{rng.integers(62, 88)}mmHg  脉搏 {rng.integers(58, 95)}次/分"
    )
    page.text(x0, y + size * 0.8, f"一般检查  {measured}")
    y, theme = y + round(size * 2.2), pick(rng, ("#1f6f78", "#35568c", "#7a4b6a", "#4f7a3a"))
    for title, indices in page.spans():
        page.drawing.rectangle((x0, y, x1, y + size * 1.6), theme)
        page.text(x0 + size, y + size * 0.8, title, round(size * 1.1), "#ffffff", bold=True)
        y = draw_table(page, columns, indices, x0, x1, y + round(size * 1.6), **table)
        y = _summary(page, indices, x0, x1, y + size) + round(size * 0.9)
    return y


def _summary(page: Page, indices: Sequence[int], x0: int, x1: int, y: float) -> int:
    """一组后面的小结：成段的话，提到异常的项目。"""
    odd = [page.report.items[index] for index in indices if page.report.items[index].mark]
    shown = [pick(page.rng, ("", f"({' '.join(filter(None, (item.result, item.unit)))})")) for item in odd]
    words = "、".join(f"{item.name}{value}异常" for item, value in zip(odd, shown, strict=True))
    advice = pick(page.rng, ("建议清淡饮食，1-3个月后复查", "请结合临床，必要时专科就诊", "注意休息，两周后复查"))
    text = f"小结：{words}，{advice}。" if odd else "小结：本组检查未见明显异常。"
    lines = textwrap.wrap(text, int((x1 - x0) / page.size))
    for at, line in enumerate(lines):
        page.text(x0, y + at * page.size * 1.5, line)
    return round(y + len(lines) * page.size * 1.5)


_BODIES: dict[str, Callable[..., int]] = {
    "one_table": _one_table, "two_panels": _two_panels, "sections": _sections, "checkup": _checkup,
    "range_below": _range_below,
}  # fmt: skip


def _cut_neighbour(page: Page, side: str) -> None:
    """旁边一栏只拍到边上（side：left、right、both）的几个字，与每一行齐。"""
    for boxes in list(page.boxes.values()):
        y = (boxes["name"][1] + boxes["name"][3]) / 2
        if side != "right":
            page.text(page.size * 1.1, y, pick(page.rng, ("mmol/L", "3.5-9.5", "10^9/L", "U/L", "0", "")), anchor="r")
        if side != "left":
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


def _fade(page: Page, bottom: int, strength: float) -> None:
    """每三行像素淡一行，像针头打出的点。"""
    mask = Image.new("L", (1, bottom))
    mask.putdata([round(255 * strength) * (y % 3 == 0) for y in range(bottom)])
    mask = mask.resize((page.image.width, bottom), Image.Resampling.NEAREST)
    page.image.paste(page.image.getpixel((0, 0)), (0, 0, page.image.width, bottom), mask)
