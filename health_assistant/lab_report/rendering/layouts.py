"""版式。一种版式是一个 `Layout`：画页面的函数，加上它对内容的要求（`Style`）。

写一种新版式：
    def draw(page):
        x0, x1 = sides(page)                                               # 版心的左右边
        y = head(page, x0, x1, 60)                                         # 页头，返回下边的 y
        y = page.table([Column("{name}({code})"), Column("{result}{mark}"), ...], everything(page), x0, x1, y, "grid")
        return foot(page, x0, x1, y)                                       # 返回画到的最低处，之下的纸裁掉
    LAYOUTS["新的名字"] = Layout(draw, Style(marks=("arrows",), codes=True))
`page.report.items` 每一项的每个字段都要画一次（空的除外），用 `page.table` 或 `page.pieces`，框才会记下。
版式印不印代号、标记、范围、病人信息，写在 Style 里，真值随之而变。左右至少留 40 像素空白，手指只挡得到那里。
"""

from collections.abc import Callable
from dataclasses import dataclass

from health_assistant.lab_report.rendering.drawing import FONTS, Column, Page
from health_assistant.lab_report.rendering.furniture import foot, head, patient
from health_assistant.lab_report.rendering.sampling import Style, pick


@dataclass(frozen=True)
class Layout:
    """draw 在 page 上画，返回最低处的 y；width、size 是页宽与字号的范围（像素），height 为 None 时按内容裁。"""

    draw: Callable[[Page], int]
    style: Style = Style()
    width: tuple[int, int] = (1240, 1600)
    size: tuple[int, int] = (24, 30)
    height: int | None = None
    fonts: tuple[str, ...] = tuple(FONTS)


NAME, CODE, RESULT, UNIT = Column("{name}"), Column("{code}"), Column("{result}"), Column("{unit}")
RANGE, MARK, SERIAL = Column("{reference_range}"), Column("{mark}"), Column("{serial}")
GREY = "#8a8f98"


def sides(page: Page) -> tuple[int, int]:
    margin = int(page.rng.integers(60, 100))
    return margin, page.image.width - margin


def everything(page: Page) -> range:
    return range(len(page.report.items))


def halves(page: Page) -> tuple[range, range]:
    """左栏与右栏：先排满左栏。"""
    count = len(page.report.items)
    return range((count + 1) // 2), range((count + 1) // 2, count)


def _classic(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60)
    mark = Column("{mark}", pick(page.rng, ("", None)), pick(page.rng, "lm"))
    y = page.table([SERIAL, NAME, CODE, RESULT, mark, UNIT, RANGE], everything(page), x0, x1, y)
    return foot(page, x0, x1, y)


def _two_panels(page: Page, columns: list[Column], rules: str, gap: int = 16) -> int:
    x0, x1 = sides(page)
    y = top = head(page, x0, x1, 60)
    middle = (x0 + x1) // 2
    for indices, left, right in zip(halves(page), (x0, middle + gap // 2), (middle - gap // 2, x1), strict=True):
        y = max(y, page.table(columns, indices, left, right, top, rules, pitch=1.5))
    if rules == "none":
        page.line(middle, top, middle, y, 1)
        page.line(x0, top, x1, top, 2)
        page.line(x0, y, x1, y, 2)
    return foot(page, x0, x1, y)


def _two_panels_grid(page: Page) -> int:
    return _two_panels(page, [Column("{name}({code})"), Column("{result}{mark}"), UNIT, RANGE], "grid")


def _two_panels_plain(page: Page) -> int:
    apart = [Column("{mark}", "", "r"), RESULT]
    columns = [NAME, *(apart if page.rng.random() < 0.5 else [Column("{mark}{result}", page.headings["result"])])]
    return _two_panels(page, [*columns, RANGE, UNIT], "none", 30)


def _dashed_letters(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, titles="one")
    columns = [CODE, NAME, UNIT, RANGE, Column("{result}", None, "r"), MARK]
    y = page.table(columns, everything(page), x0, x1, y, "dashed")
    return foot(page, x0, x1, y)


def _borderless_words(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, columns=3)
    y = page.table([NAME, RESULT, MARK, RANGE, UNIT], everything(page), x0, x1, y, "none", pitch=1.75)
    return foot(page, x0, x1, y)


def _english_sheet(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, columns=3, titles="left", english=True)
    headings = (("{name}", "Test"), ("{result}", "Result"), ("{mark}", "Flag"), ("{unit}", "Units"))
    columns = [Column(template, heading) for template, heading in headings]
    columns.append(Column("{reference_range}", pick(page.rng, ("Reference Interval", "Reference Range"))))
    rules = pick(page.rng, ("ends", "rows", "none"))
    y = page.table(columns, everything(page), x0, x1, y, rules, band=pick(page.rng, ("", "#dfe7f2")))
    return foot(page, x0, x1, y, english=True)


def _continuation(page: Page) -> int:
    """接上页的第二页：没有页头，也没有表头。"""
    x0, x1 = sides(page)
    page.serial_start = int(page.rng.integers(18, 32))
    first = [SERIAL] if page.rng.random() < 0.6 else []
    columns = [*first, Column("{name}({code})"), RESULT, MARK, UNIT, RANGE]
    y = page.table(columns, everything(page), x0, x1, 70, pick(page.rng, ("ends", "none", "dashed")), header=False)
    page.text(x1, y + page.size * 1.2, pick(page.rng, ("第2页 共2页", "第 2 页/共 3 页", "2/2")), anchor="r")
    return foot(page, x0, x1, y + page.size * 2)


def _sub_tables(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60)
    mark = [MARK] if page.rng.random() < 0.5 else []
    result = RESULT if mark else Column("{result} {mark}", page.headings["result"])
    rules, bullet = pick(page.rng, ("grid", "ends", "rows")), pick(page.rng, ("【{}】", "■ {}", "{}：", "{}"))
    for title, indices in page.spans():
        page.text(x0, y + page.size * 0.8, bullet.format(title), round(page.size * 1.1), bold=True)
        y = page.table([NAME, CODE, result, *mark, RANGE, UNIT], indices, x0, x1, y + round(page.size * 1.7), rules)
        y += page.size
    return foot(page, x0, x1, y)


def _previous_results(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, columns=5)
    mark = Column("{mark}", None, "m")
    columns = [SERIAL, Column("{name}（{code}）"), RESULT, mark, Column("{previous}"), UNIT, RANGE]
    y = page.table(columns, everything(page), x0, x1, y, "grid")
    return foot(page, x0, x1, y)


def _methods(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, titles="one")
    extra = [Column("{specimen}")] if page.rng.random() < 0.4 else []
    columns = [CODE, NAME, *extra, RESULT, UNIT, MARK, RANGE, Column("{method}")]
    y = page.table(columns, everything(page), x0, x1, y, pick(page.rng, ("ends", "rows")))
    return foot(page, x0, x1, y)


def _value_with_unit(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, titles="left")
    columns = [Column("{name} {code}"), Column("{result} {unit}"), Column("{mark}", "", "m"), RANGE]
    y = page.table(columns, everything(page), x0, x1, y, "rows", pitch=1.8)
    return foot(page, x0, x1, y)


def _unmarked(page: Page) -> int:
    x0, x1 = sides(page)
    y = head(page, x0, x1, 60, columns=3, titles="one")
    columns = [SERIAL, Column("{name}{code}"), RANGE, Column("{result}", None, pick(page.rng, "lr")), UNIT]
    y = page.table(columns, everything(page), x0, x1, y, "ends", stripe="#efefef")
    return foot(page, x0, x1, y)


def _half_sheet(page: Page) -> int:
    """半张纸（A5 横放）：行距紧，标记隔几个空格跟在结果后面，括号里是范围。"""
    x0, x1 = sides(page)
    y = head(page, x0, x1, 50, columns=5, titles="one")
    page.line(x0, y - 6, x1, y - 6, 1)
    columns = [Column("{serial}", ""), Column("{name}[{code}]"), Column("{result}   {mark}"), UNIT, RANGE]
    y = page.table(columns, everything(page), x0, x1, y, pick(page.rng, ("ends", "none")), pitch=1.35)
    return foot(page, x0, x1, y)


def _analyser_slip(page: Page) -> int:
    """仪器自带的窄条热敏纸：只有英文缩写。"""
    x0, x1 = 44, page.image.width - 44
    y = head(page, x0, x1, 40, columns=2, titles=pick(page.rng, ("two", "left")), english=True)
    page.line(x0, y, x1, y, 2, dash=8)
    columns = [Column("{name}"), Column("{mark}", "", "m"), Column("{result}", "", "r"), Column("{unit}")]
    columns.append(RANGE)
    y = page.table(columns, everything(page), x0, x1, y + 8, "none", header=False, pitch=1.5)
    page.line(x0, y + 8, x1, y + 8, 2, dash=8)
    return foot(page, x0, x1, y + 8, english=True)


def _web_portal(page: Page) -> int:
    """医院网站上的报告，整页截图。"""
    theme, (x0, x1) = pick(page.rng, ("#1f6fb2", "#1a8f7a", "#3b5b92")), (48, page.image.width - 48)
    page.drawing.rectangle((0, 0, page.image.width, 84), theme)
    page.text(x0, 42, "示例医院 网上查询", 34, "#ffffff", bold=True)
    page.text(x1, 42, "首页  |  我的报告  |  退出", 24, "#ffffff", anchor="r")
    y = head(page, x0, x1, 120, titles="left")
    result = Column("{result} {mark}", page.headings["result"])
    columns = [NAME, CODE, result, UNIT, RANGE]
    y = page.table(columns, everything(page), x0, x1, y, "rows", band="#e6eef6", stripe="#f7f9fb", pitch=2)
    return foot(page, x0, x1, y)


def _app_bar(page: Page, title: str) -> tuple[str, int]:
    """手机的状态栏与应用的标题栏；返回（主题色，下边的 y）。"""
    theme, width = pick(page.rng, ("#2a7de1", "#18a58c", "#4a6cf7", "#ffffff", "#e8573f")), page.image.width
    page.drawing.rectangle((0, 0, width, page.image.height), "#f3f5f8")
    page.drawing.rectangle((0, 0, width, 196), theme)
    ink = "#222222" if theme == "#ffffff" else "#ffffff"
    page.text(60, 40, f"{page.rng.integers(7, 23)}:{page.rng.integers(60):02d}", 34, ink, bold=True)
    page.text(width - 130, 40, pick(page.rng, ("5G", "4G", "WiFi")), 28, ink, anchor="r")
    page.drawing.rounded_rectangle((width - 112, 26, width - 56, 54), 7, outline=ink, width=3)
    page.drawing.rectangle((width - 106, 32, width - 62 - int(page.rng.integers(0, 34)), 48), ink)
    page.line(66, 132, 48, 150, 4, fill=ink)
    page.line(48, 150, 66, 168, 4, fill=ink)
    page.text(width / 2, 150, title, 42, ink, anchor="m", bold=True)
    return theme if theme != "#ffffff" else "#2a7de1", 196


def _person_card(page: Page, y: int, width: int) -> int:
    page.drawing.rectangle((0, y, width, y + 150), "#ffffff")
    pairs = patient(page)
    page.text(48, y + 46, page.report.report_type, 42, "#222222", bold=True)
    page.text(48, y + 108, "  ".join(value for label, value in pairs if label in ("姓名", "性别", "年龄")), 32, GREY)
    page.text(width - 48, y + 108, pick(page.rng, ("已审核", "报告已出", "")), 32, GREY, anchor="r")
    return y + 170


def _alarm(page: Page, index: int) -> str:
    """应用里结果的颜色：偏高红，偏低蓝或红，正常黑。"""
    colours = {"high": "#e5484d", "abnormal": "#e5484d", "low": "#e5484d" if page.abnormal_ink else "#2f6fde"}
    return colours.get(page.flags[index] or "", "#222222") if page.report.items[index].mark else "#222222"


def _phone_cards(page: Page) -> int:
    """医院公众号里的卡片：名称在左，结果在右，参考范围在下面一行小字。"""
    width = page.image.width
    _, y = _app_bar(page, pick(page.rng, ("报告详情", "检验报告", "检查检验结果")))
    y = _person_card(page, y, width)
    name = pick(page.rng, ("{name}({code})", "{name} {code}", "{name}（{code}）"))
    label = pick(page.rng, ("参考范围", "参考值", "参考区间"))
    value = pick(page.rng, ("{result}{mark}", "{mark} {result}", "{result} {unit} {mark}"))
    tail = "" if "{unit}" in value else " {unit}"
    gap, space = int(pick(page.rng, (0, 14, 20))), int(page.rng.integers(150, 164))
    for index in everything(page):
        page.drawing.rounded_rectangle((24, y, width - 24, y + space - max(gap, 2)), gap, "#ffffff")
        page.pieces(index, 56, y + 48, page.fill_template(index, name), 38, "#222222")
        page.pieces(index, width - 56, y + 48, page.fill_template(index, value), 40, _alarm(page, index), "r", True)
        page.pieces(index, 56, y + 106, page.fill_template(index, f"{label}：{{reference_range}}{tail}"), 30, GREY)
        y += space
    return y


def _phone_list(page: Page) -> int:
    """应用里的三栏列表：项目（下面是代号与单位）、结果、参考范围。"""
    width = page.image.width
    theme, y = _app_bar(page, pick(page.rng, ("检验结果", "化验单", "报告查询")))
    y = _person_card(page, y, width)
    page.drawing.rectangle((0, y, width, y + 76), "#e9eef6")
    columns = ((48, "l", "项目"), (700, "m", "结果"), (width - 48, "r", "参考范围"))
    for x, anchor, words in columns:
        page.text(x, y + 38, words, 32, theme, anchor)
    y += 76
    for index in everything(page):
        page.drawing.rectangle((0, y, width, y + 118), "#ffffff")
        page.pieces(index, 48, y + 42, page.fill_template(index, "{name}"), 36, "#222222")
        page.pieces(index, 48, y + 88, page.fill_template(index, "{code}  {unit}"), 28, GREY)
        page.pieces(index, 700, y + 59, page.fill_template(index, "{result} {mark}"), 36, _alarm(page, index), "m")
        page.pieces(index, width - 48, y + 59, page.fill_template(index, "{reference_range}"), 32, GREY, "r")
        page.line(48, y + 118, width, y + 118, 1, fill="#e3e6ea")
        y += 119
    return y


_PHONE = {"width": (1080, 1080), "size": (36, 36), "height": 2340, "fonts": ("noto_sans", "micro_hei")}
_GROUPED = ("chemistry", "kidney", "surgery", "emergency", "blood_crp", "immune", "lipid")
_SLIPS = ("gas", "blood", "clotting")
LAYOUTS: dict[str, Layout] = {
    "classic": Layout(_classic),
    "two_panels_grid": Layout(_two_panels_grid, Style(items=(14, 30)), (1500, 1700), (22, 26)),
    "two_panels_plain": Layout(_two_panels_plain, Style(items=(14, 30), codes=False), (1500, 1700), (22, 26)),
    "dashed_letters": Layout(_dashed_letters, Style(marks=("letters",))),
    "borderless_words": Layout(_borderless_words, Style(marks=("words", "short"), codes=False)),
    "english_sheet": Layout(_english_sheet, Style(marks=("letters",), codes=False, english=True)),
    "continuation": Layout(_continuation, Style(items=(3, 20), head=False)),
    "sub_tables": Layout(_sub_tables, Style(kinds=_GROUPED, items=(8, 30), marks=("arrows", "letters"))),
    "previous_results": Layout(_previous_results, Style(marks=("arrows", "words")), (1400, 1700)),
    "methods": Layout(_methods, Style(marks=("arrows", "letters", "words")), (1500, 1700), fonts=("noto_serif",)),
    "value_with_unit": Layout(_value_with_unit, Style(marks=("stars",), items=(4, 20))),
    "unmarked": Layout(_unmarked, Style(marks=("none",))),
    "half_sheet": Layout(_half_sheet, Style(items=(4, 14), marks=("arrows", "short")), (1400, 1600)),
    "analyser_slip": Layout(_analyser_slip, Style(kinds=_SLIPS, items=(5, 22), codes=False, english=True), (660, 780)),
    "web_portal": Layout(_web_portal, Style(marks=("arrows", "words")), (1500, 1700)),
    "phone_cards": Layout(_phone_cards, Style(items=(1, 11), marks=("arrows", "words", "short")), **_PHONE),
    "phone_list": Layout(_phone_list, Style(items=(4, 15), groups=False), **_PHONE),
}
"""名字 -> 版式。调读者时可以看；量它时另有 HELD_OUT_LAYOUTS。"""
