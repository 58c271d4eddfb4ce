"""手机与网页上的版式：一项一张卡片，或一项一行的列表。返回画到的最低处的 y。"""

import re

from health_assistant.lab_report.rendering.drawing import Page
from health_assistant.lab_report.rendering.furniture import patient_line
from health_assistant.lab_report.rendering.sampling import pick

_GREY, _BLACK, _HIGH, _LOW = "#8a8f98", "#222222", "#e5484d", "#2f6fd6"


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
    page.text(48, 304, patient_line(page), 32, _GREY)
    page.text(width - 48, 304, pick(page.rng, ("已审核", "报告已出", "")), 32, _GREY, anchor="r")
    return theme if theme != "#ffffff" else "#2a7de1", 366


def _write_item(page: Page, index: int, y: int, *cells: tuple[int, int, str, int, str, str]) -> None:
    """手机上的一项；每段是（x，往下多少，模板，字号，颜色，对齐），没写颜色的照高低：偏高红，偏低蓝或红，正常黑。"""
    is_blue = page.flags[index] == "low" and not page.abnormal_ink
    alarm = _BLACK if not page.report.items[index].mark else "#2f6fde" if is_blue else _HIGH
    for x, down, template, size, ink, anchor in cells:
        page.pieces(index, x, y + down, page.fill_template(index, template), size, ink or alarm, anchor, bold=not ink)


def phone_cards(page: Page) -> int:
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


def phone_list(page: Page) -> int:
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


def phone_plain(page: Page) -> int:
    """白底的网页：名称下面一行单位，结果与参考范围在右边同一格。"""
    width, y = page.image.width, 60
    page.text(width / 2, y + 40, pick(page.rng, ("体检报告", "报告详情", "检验报告")), 44, anchor="m")
    page.text(48, y + 130, f"{page.report.report_type}({len(page.report.items)}项)", 38)
    y, space = y + 190, int(page.rng.integers(150, 190))
    limits = "({reference_range})"
    value = pick(page.rng, ("{result}{mark}" + limits, "{result} " + limits + "{mark}", "{mark}{result}" + limits))
    unit = pick(page.rng, ("单位：{unit}", "{unit}", "({unit})"))
    for index in range(len(page.report.items)):
        left = (48, 44, "{name}", 38, _BLACK, "l"), (48, 102, unit, 36, _GREY, "l")
        _write_item(page, index, y, *left, (width - 48, 44, value, 36, _BLACK, "r"))
        page.line(48, y + space - 24, width - 48, y + space - 24, 2, fill="#c9c9c9")
        y += space
    return y


def app_cards(page: Page) -> int:
    """应用里的卡片：结果是大字，标记是色块里的白字，右边一条低、正常、高的色条与范围。"""
    size, right, (_, y) = page.size, page.image.width - 76, _app_head(page, "报告详情", "化验结果")
    label, small = pick(page.rng, ("参考范围：", "参考值 ", "正常值 ", "")), round(size * 0.8)
    tall = round(size * pick(page.rng, (4.6, 5.2)))
    for index, item in enumerate(page.report.items):
        page.drawing.rounded_rectangle((40, y, right + 36, y + tall), 16, "#ffffff")
        if item.mark:
            tint, left = _LOW if page.flags[index] == "low" else _HIGH, right - page.measure(item.mark, small) - small
            page.drawing.rounded_rectangle((left, y + size * 0.4, right, y + size * 1.8), small * 0.4, tint)
        _range_bar(page, index, right * 0.64, right, y + tall * 0.56, max(6, round(size * 0.28)))
        name = (76, round(size * 1.1), "{name}  {code}", size, _BLACK, "l")
        value = (76, round(tall * 0.66), "{result} {unit}", round(size * 1.4), "", "l")
        mark = (right - small // 2, round(size * 1.1), "{mark}", small, "#ffffff", "r")
        limits = (right, round(tall * 0.8), label + "{reference_range}", small, _GREY, "r")
        _write_item(page, index, y, name, value, mark, limits)
        y += tall + 14
    return y


def _range_bar(page: Page, index: int, x0: float, x1: float, y: float, thick: int) -> None:
    """低、正常、高三段的色条，和指着结果的小三角；范围不是两个数就不画。"""
    item = page.report.items[index]
    limits = re.fullmatch(r"\(?(\d+\.?\d*)\s*[^\d.]+\s*(\d+\.?\d*)\)?", item.reference_range)
    value = re.fullmatch(r"\d+\.?\d*", item.result)
    if not limits or not value or float(limits[1]) >= float(limits[2]):
        return
    third, low, high = (x1 - x0) / 3, float(limits[1]), float(limits[2])
    for part, colour in enumerate(("#9dbdf0", "#93d3a8", "#f1a7a5")):
        page.drawing.rectangle((x0 + part * third, y - thick / 2, x0 + (part + 1) * third, y + thick / 2), colour)
    at = x0 + third + (float(value[0]) - low) / (high - low) * third
    at = min(max(at, x0 + thick), x1 - thick)
    top = y - thick * 1.9
    page.drawing.polygon([(at - thick, top), (at + thick, top), (at, y - thick * 0.6)], "#444a52")
