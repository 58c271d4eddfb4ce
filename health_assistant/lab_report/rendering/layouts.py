"""版式。一种版式是一个 `Layout`：画页面的函数，加上它对内容的要求（`Style`）。

多数版式是页头、一张表、页脚，写在 layouts.yaml 里；别的各写一个函数，返回画到的最低处的 y，之下的纸裁掉。
每一项的每个字段都要画一次（空的除外），用 `page.table` 或 `page.pieces`，框才会记下。
版式印不印代号、标记、范围、病人信息，写在 Style 里，真值随之而变。左右至少留 40 像素空白，手指只挡得到那里。
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from health_assistant.lab_report.rendering.drawing import FONTS, Column, Habits, Page, Pieces, split_lines
from health_assistant.lab_report.rendering.furniture import foot, head, patient
from health_assistant.lab_report.rendering.sampling import Style, pick, read_yaml

_GREY, _BLACK = "#8a8f98", "#222222"


@dataclass(frozen=True)
class Layout:
    """draw 在 page 上画，返回最低处的 y；width、size 是页宽与字号的范围（像素），height 为 None 时按内容裁。

    habits 每页抽一个，空的是没有毛病。
    """

    draw: Callable[[Page], int]
    style: Style = Style()
    width: tuple[int, int] = (1240, 1600)
    size: tuple[int, int] = (24, 30)
    height: int | None = None
    fonts: tuple[str, ...] = tuple(FONTS)
    habits: tuple[Habits, ...] = ()


def draw_sheet(page: Page, columns: list[str | list[str]], decorate: Callable[[Page], None] | None = None,
               body: str = "one_table", margin=(60, 99), top: int = 60, fields: int = 4, titles="two",
               rules="ends", band="", neighbour="", english: bool = False, **table) -> int:  # fmt: skip
    """页头、表、页脚；各参数见 layouts.yaml 的开头，`decorate` 先画别的。"""

    def choose(option):
        return pick(page.rng, option) if isinstance(option, list) else option

    if decorate:
        decorate(page)
    texts = " | ".join(filter(None, map(choose, columns))).split(" | ")
    parts = [re.fullmatch("([>^]?)(.*?)(=.*)?", text).groups() for text in texts]
    aligns = {">": "r", "^": "m", "": "l"}
    chosen = [Column(template, words and words[1:], aligns[align]) for align, template, words in parts]
    x0 = int(page.rng.integers(margin[0], margin[1] + 1))
    x1 = page.image.width - x0
    y = head(page, x0, x1, top, fields, choose(titles), english) if fields else top
    table |= {"rules": choose(rules), "band": choose(band)}
    y = _BODIES[body](page, chosen, x0, x1, y, **table)
    if neighbour:
        _cut_neighbour(page, choose(neighbour))
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


def _app_head(page: Page, *titles: str) -> tuple[str, int]:
    """手机的状态栏、应用的标题栏、病人的卡片；返回（主题色，下边的 y）。"""
    theme, width = pick(page.rng, ("#2a7de1", "#18a58c", "#4a6cf7", "#ffffff", "#e8573f")), page.image.width
    page.drawing.rectangle((0, 0, width, page.image.height), "#f3f5f8")
    page.drawing.rectangle((0, 0, width, 196), theme)
    ink = _BLACK if theme == "#ffffff" else "#ffffff"
    page.text(60, 40, f"{page.rng.integers(7, 23)}:{page.rng.integers(60):02d}", 34, ink, bold=True)
    page.text(width - 130, 40, pick(page.rng, ("5G", "4G", "WiFi")), 28, ink, anchor="r")
    page.drawing.rounded_rectangle((width - 112, 26, width - 56, 54), 7, outline=ink, width=3)
    page.drawing.rectangle((width - 106, 32, width - 62 - int(page.rng.integers(0, 34)), 48), ink)
    page.drawing.line((66, 132, 48, 150, 66, 168), ink, 4)
    page.text(width / 2, 150, pick(page.rng, titles), 42, ink, anchor="m", bold=True)
    page.drawing.rectangle((0, 196, width, 346), "#ffffff")
    page.text(48, 242, page.report.report_type, 42, _BLACK, bold=True)
    who = [value for label, value in patient(page) if label in ("姓名", "性别", "年龄")]
    page.text(48, 304, "  ".join(who), 32, _GREY)
    page.text(width - 48, 304, pick(page.rng, ("已审核", "报告已出", "")), 32, _GREY, anchor="r")
    return theme if theme != "#ffffff" else "#2a7de1", 366


def _write_item(page: Page, index: int, y: int, *cells: tuple[int, int, str, int, str, str]) -> None:
    """手机上的一项；每段是（x，往下多少，模板，字号，颜色，对齐），没写颜色的照高低：偏高红，偏低蓝或红，正常黑。"""
    is_blue = page.flags[index] == "low" and not page.abnormal_ink
    alarm = _BLACK if not page.report.items[index].mark else "#2f6fde" if is_blue else "#e5484d"
    for x, down, template, size, ink, anchor in cells:
        page.pieces(index, x, y + down, page.fill_template(index, template), size, ink or alarm, anchor, bold=not ink)


def _phone_cards(page: Page) -> int:
    """医院公众号里的卡片：名称在左，结果在右，参考范围在下面一行小字。"""
    right, (_, y) = page.image.width - 56, _app_head(page, "报告详情", "检验报告", "检查检验结果")
    name = pick(page.rng, ("{name}({code})", "{name} {code}", "{name}（{code}）"))
    value = pick(page.rng, ("{result}{mark}", "{mark} {result}", "{result} {unit} {mark}"))
    limits = pick(page.rng, ("参考范围", "参考值", "参考区间")) + "：{reference_range}"
    limits += "" if "{unit}" in value else " {unit}"
    gap, space = int(pick(page.rng, (2, 14, 20))), int(page.rng.integers(150, 164))
    for index in range(len(page.report.items)):
        page.drawing.rounded_rectangle((24, y, right + 32, y + space - gap), gap, "#ffffff")
        cells = (56, 48, name, 38, _BLACK, "l"), (right, 48, value, 40, "", "r"), (56, 106, limits, 30, _GREY, "l")
        _write_item(page, index, y, *cells)
        y += space
    return y


def _phone_list(page: Page) -> int:
    """应用里的三栏列表：项目（下面是代号与单位）、结果、参考范围。"""
    width, (theme, y) = page.image.width, _app_head(page, "检验结果", "化验单", "报告查询")
    page.drawing.rectangle((0, y, width, y + 76), "#e9eef6")
    for x, anchor, words in ((48, "l", "项目"), (700, "m", "结果"), (width - 48, "r", "参考范围")):
        page.text(x, y + 38, words, 32, theme, anchor)
    for index in range(len(page.report.items)):
        top = y + 76 + 119 * index
        page.drawing.rectangle((0, top, width, top + 118), "#ffffff")
        left = (48, 42, "{name}", 36, _BLACK, "l"), (48, 88, "{code}  {unit}", 28, _GREY, "l")
        right = (700, 59, "{result} {mark}", 36, "", "m"), (width - 48, 59, "{reference_range}", 32, _GREY, "r")
        _write_item(page, index, top, *left, *right)
        page.line(48, top + 118, width, top + 118, 1, fill="#e3e6ea")
    return y + 76 + 119 * len(page.report.items)


def _phone_plain(page: Page) -> int:
    """白底的网页：名称下面一行单位，结果与参考范围在右边同一格。"""
    width, y = page.image.width, 60
    page.text(width / 2, y + 40, pick(page.rng, ("体检报告", "报告详情", "检验报告")), 44, anchor="m")
    page.text(48, y + 130, f"{page.report.report_type}({len(page.report.items)}项)", 38)
    y, space = y + 190, int(page.rng.integers(150, 190))
    forms = (
        "{result}{mark}({reference_range})",
        "{result} ({reference_range}){mark}",
        "{mark}{result}({reference_range})",
    )
    value = pick(page.rng, forms)
    unit = pick(page.rng, ("单位：{unit}", "{unit}", "({unit})"))
    for index in range(len(page.report.items)):
        cells = (
            (48, 44, "{name}", 38, _BLACK, "l"),
            (48, 102, unit, 36, _GREY, "l"),
            (width - 48, 44, value, 36, _BLACK, "r"),
        )
        _write_item(page, index, y, *cells)
        page.line(48, y + space - 24, width - 48, y + space - 24, 2, fill="#c9c9c9")
        y += space
    return y


def _write_lines(page: Page, index: int, x: float, y: int, pieces: Pieces) -> int:
    """一格里的几行，返回下一行的 y。"""
    for line in split_lines(pieces):
        page.pieces(index, x, y, line)
        y += round(page.size * 1.5)
    return y


def _one_test(page: Page) -> int:
    """一页只有一项，名称与方法都长，参考范围在下面一段里。"""
    size, y, x = page.size, 60, 48
    for label, value in patient(page, english=True):
        page.text(x, y + size, f"{label.upper()} : {value}")
        y += round(size * 1.6)
    places = [x, round(page.image.width * 0.5), round(page.image.width * 0.74), round(page.image.width * 0.87)]
    for at, words in zip(places, ("TEST NAME", "TECHNOLOGY", "VALUE", "UNITS"), strict=True):
        page.text(at, y + size * 2, words)
    y += round(size * 4)
    technology = pick(page.rng, ("IMMUNOTURBIDIMETRY", "C.L.I.A", "E.C.L.I.A", "PHOTOMETRY"))
    for index, item in enumerate(page.report.items):
        pieces: list[Pieces] = [[("name", page.wrap(item.name, places[1] - x - size))], [(None, technology)]]
        pieces += [page.fill_template(index, template) for template in ("{result}{mark}", "{unit}")]
        down = max(_write_lines(page, index, at, y, one) for at, one in zip(places, pieces, strict=True))
        page.text(x, down + size * 0.8, pick(page.rng, ("Bio. Ref. Interval. :-", "Reference Range :-")))
        y = _write_lines(page, index, x + size, down + round(size * 2.4), [("reference_range", item.reference_range)])
    y += round(size * 1.5)
    page.text(x, y, "Please correlate with clinical conditions.")
    return y + size * 3


def load_sheets(file: str, draws: dict[str, Callable[..., int]]) -> dict[str, Layout]:
    """读一个写着版式的 YAML 文件：`draw` 是 draws 里的名字，不写是 `draw_sheet`，其余的键是给它的参数。"""
    sheets: dict[str, Layout] = {}
    decorations = {"continuation": _page_number, "web_portal": _site_bar, "long_serials": _long_serials}
    for name, entry in read_yaml(file).items():
        style = Style(**entry.pop("style", {}))
        page: dict[str, Any] = {key: tuple(entry.pop(key)) for key in ("width", "size", "fonts") if key in entry}
        page["habits"] = tuple(Habits(**one) for one in entry.pop("habits", []))
        draw = draws[entry.pop("draw")] if "draw" in entry else draw_sheet
        if draw is draw_sheet:
            entry |= {"decorate": decorations.get(name), "english": style.english}
        sheets[name] = Layout(partial(draw, **entry), style, **page)
    return sheets


_PHONE: dict[str, Any] = {"width": (1080, 1080), "size": (36, 36), "height": 2340, "fonts": ("noto_sans", "micro_hei")}
LAYOUTS: dict[str, Layout] = load_sheets("layouts.yaml", {}) | {
    "phone_cards": Layout(_phone_cards, Style(items=(1, 11), marks=("arrows", "words", "short")), **_PHONE),
    "phone_one_cell": Layout(_phone_plain, Style(items=(3, 11), codes=False, groups=False), **_PHONE),
    "one_test": Layout(_one_test, Style(items=(1, 1), codes=False, english=True, marks=("none",))),
    "phone_list": Layout(_phone_list, Style(items=(4, 15), groups=False), **_PHONE),
}
"""名字 -> 版式。调读者时可以看；量它时另有 HELD_OUT_LAYOUTS。"""
