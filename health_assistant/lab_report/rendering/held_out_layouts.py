"""留出的版式：调读者时从不看，只用来量它在没见过的版式上读得怎样。

名字、样式与画法写在 held_out_layouts.yaml；这里与 held_out_drawing.py 是画它们的函数，写法见 `layouts.py`。
"""

import re
from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import pairwise

from PIL import Image, ImageFont

from health_assistant.lab_report.rendering.drawing import FIELDS, Page, Pieces, union
from health_assistant.lab_report.rendering.furniture import HOSPITALS, foot, patient
from health_assistant.lab_report.rendering.held_out_drawing import (
    edges_of,
    ledger,
    night_list,
    paired_cards,
    put,
    single_test,
)
from health_assistant.lab_report.rendering.layouts import Layout, load_sheets
from health_assistant.lab_report.rendering.sampling import panels, pick

_HIGH_INK, _LOW_INK, _GREY = "#e5484d", "#2f6fd6", "#8a9099"


def _day(page: Page) -> str:
    return f"2024-0{page.rng.integers(1, 10)}-{page.rng.integers(10, 29)}"


@cache
def _typewriter(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(resources.files("matplotlib") / "mpl-data/fonts/ttf/DejaVuSansMono.ttf"), size)


def _cells(text: str) -> int:
    return sum(1 + (ord(character) > 127) for character in text)


def _typed(page: Page, x: float, y: float, pieces: Pieces | str, index: int = -1,
           size: int | None = None, limit: float = 0) -> None:  # fmt: skip
    """像针式打印机那样等宽地写：汉字两格，其余一格。limit 是最宽多少像素，超过就缩小。"""
    pieces, size = [(None, pieces)] if isinstance(pieces, str) else pieces, size or page.size
    need = size * 0.53 * sum(_cells(text) for _, text in pieces)
    size = max(13, int(size * limit / need)) if 0 < limit < need else size
    cell, font = size * 0.53, _typewriter(round(size * 0.88))
    for field, text in pieces:
        for character in text:
            if ord(character) > 127:
                box, x = page.text(x + cell, y, character, size, anchor="m"), x + 2 * cell
            else:
                place, x = (round(x + cell / 2), round(y + size * 0.34)), x + cell
                page.drawing.text(place, character, page.ink, font, anchor="ms")
                left, top, right, bottom = font.getbbox(character, anchor="ms")
                box = (int(place[0] + left), int(place[1] + top), int(place[0] + right) + 1, int(place[1] + bottom) + 1)
            if field in FIELDS and box and character.strip():
                page.boxes[index][field] = union(page.boxes[index].get(field), box)


def _dot_matrix(page: Page) -> int:
    rng, size, width = page.rng, page.size, page.image.width
    x0, x1, pitch = 100, width - 100, round(size * pick(rng, (1.45, 1.6, 1.8)))
    title, y = f"{pick(rng, HOSPITALS)}{page.report.report_type}{pick(rng, ('化验单', '报告单', '结果单'))}", 90
    _typed(page, (width - _cells(title) * size * 0.69) / 2, y, title, size=round(size * 1.3))
    y, x = y + 2 * pitch, float(x0)
    for label, value in patient(page):
        pair = f"{label}:{value}  "
        if x + _cells(pair) * size * 0.53 > x1:
            y, x = y + pitch, x0
        _typed(page, x, y, pair)
        x += max(_cells(pair), 22) * size * 0.53
    rule = pick(rng, "-=-")
    heads = pick(rng, (("序", "项目名称", "结果", "参考区间"), ("NO", "检验项目", "结 果", "参考值(单位)")))
    marked = pick(rng, ("{mark}{result}", "{mark} {result}"))
    ranged = pick(rng, ("{reference_range} {unit}", "{reference_range}({unit})", "{reference_range}  {unit}"))
    count, gutter = len(page.report.items), 46
    half, panel = (count + 1) // 2, (x1 - x0 - gutter) / 2
    stops = [panel * part for part in pick(rng, ((0, 0.065, 0.47, 0.65, 1), (0, 0.07, 0.455, 0.63, 1)))]
    full_rule = rule * int((x1 - x0) / (size * 0.53))
    y += pitch
    _typed(page, x0, y, full_rule)
    top, y = y, y + pitch * 0.9
    for left in (x0, x0 + panel + gutter):
        for stop, head in zip(stops, heads, strict=False):
            _typed(page, left + stop, y, head)
    y += pitch * 0.8
    _typed(page, x0, y, full_rule)
    for index in range(count):
        left, row = x0 + (index // half) * (panel + gutter), y + (index % half + 1) * pitch
        for stop, after, template in zip(stops, stops[1:], ("{serial}", "{name}", marked, ranged), strict=False):
            _typed(page, left + stop, row, page.fill_template(index, template), index, limit=after - stop - size * 0.5)
    y += (half + 1) * pitch
    _typed(page, x0, y, full_rule)
    if rng.random() < 0.3:
        page.line(x0 + panel + gutter / 2, top, x0 + panel + gutter / 2, y, 1)
    y += pitch
    _typed(page, x0, y, f"报告日期:{_day(page)}    检验:钱某    审核:冯某")
    _typed(page, x0, y + pitch, "注:本单只对所检标本负责")
    bottom = round(y + 2 * pitch)
    _fade(page, bottom, rng.uniform(0.1, 0.35))
    if rng.random() < 0.4:
        for hole in range(40, bottom, 62):
            for x in (24, width - 24):
                page.drawing.ellipse((x - 9, hole - 9, x + 9, hole + 9), fill="#d5d6d8")
    return bottom


def _fade(page: Page, bottom: int, strength: float) -> None:
    """每三行像素淡一行，像针头打出的点。"""
    mask = Image.new("L", (1, bottom))
    mask.putdata([round(255 * strength) * (y % 3 == 0) for y in range(bottom)])
    mask = mask.resize((page.image.width, bottom), Image.Resampling.NEAREST)
    page.image.paste(page.image.getpixel((0, 0)), (0, 0, page.image.width, bottom), mask)


def _booklet(page: Page) -> int:
    rng, size, width = page.rng, page.size, page.image.width
    x0, x1, y = 80, width - 80, 80
    theme = pick(rng, ("#1f6f78", "#35568c", "#7a4b6a", "#4f7a3a"))
    page.text(x0, y, "健康体检报告", round(size * 1.3), theme, bold=True)
    page.text(x1, y, f"{pick(rng, HOSPITALS)}体检中心", size, theme, anchor="r")
    y += round(size * 1.2)
    page.line(x0, y, x1, y, 3, fill=theme)
    who = dict(patient(page))
    people = [f"{label}：{who[label]}" for label in ("姓名", "性别", "年龄") if label in who]
    people += [f"体检编号：T{rng.integers(10**6, 10**7)}", f"示例公司{rng.integers(1, 9)}部"]
    y += size
    page.text(x0, y, "    ".join(people))
    y += round(size * 1.7)
    body = f"一般检查  身高 {rng.integers(152, 186)}cm  体重 {rng.uniform(46, 88):.1f}kg  " \
           f"血压 {rng.integers(102, 138)}/{rng.integers(62, 88)}mmHg  脉搏 {rng.integers(58, 95)}次/分"  # fmt: skip
    page.text(x0, y, body)
    order = pick(rng, (
        "name 0.31 l, result 0.17 m, unit 0.16 m, mark 0.11 m, reference_range 0.25 m",
        "name 0.32 l, result 0.16 m, mark 0.11 m, reference_range 0.25 m, unit 0.16 m",
        "name 0.30 m, mark 0.10 m, result 0.16 r, unit 0.16 l, reference_range 0.28 l",
    ))  # fmt: skip
    fields, shares, anchors = zip(*(column.split() for column in order.split(", ")), strict=True)
    words = {
        "name": pick(rng, ("检查项目", "项目名称")),
        "result": pick(rng, ("检查结果", "测量结果")),
        "unit": "单位",
        "mark": pick(rng, ("提示", "异常提示")),
        "reference_range": pick(rng, ("参考值", "正常范围")),
    }
    edges = edges_of(x0, x1, map(float, shares))
    room = float(shares[fields.index("reference_range")]) * (x1 - x0)
    pitch, grid = round(size * pick(rng, (1.7, 1.9, 2.1))), pick(rng, ("#9aa3ab", "#b9c3c9", page.ink))
    solid = bool(rng.random() < 0.6)
    y += round(size * 1.4)
    for title, indices in page.spans():
        page.drawing.rectangle((x0, y, x1 if solid else x0 + size * 0.4, y + size * 1.6), theme)
        page.text(x0 + size * 0.9, y + size * 0.8, title, round(size * 1.1), "#ffffff" if solid else theme, bold=True)
        y, top = y + round(size * 1.6), y + round(size * 1.6)
        page.drawing.rectangle((x0, y, x1, y + pitch), "#eef2f3")
        for (left, right), field in zip(pairwise(edges), fields, strict=True):
            page.text((left + right) / 2, y + pitch / 2, words[field], anchor="m")
        y += pitch
        for index in indices:
            folded = page.measure(page.report.items[index].reference_range) > room - 20
            tall = max(pitch, round(size * 2.6)) if folded else pitch
            for (left, right), field, anchor in zip(pairwise(edges), fields, anchors, strict=True):
                put(page, index, left + 10, right - 10, y + tall / 2, f"{{{field}}}", anchor=anchor)
            page.line(x0, y, x1, y, 1, fill=grid)
            y += tall
        for edge in edges:
            page.line(edge, top, edge, y, 1, fill=grid)
        page.line(x0, y, x1, y, 1, fill=grid)
        y = _summary(page, indices, x0, x1, y + size) + round(size * 0.9)
    number = f"第 {rng.integers(3, 9)} 页  共 {rng.integers(12, 20)} 页"
    page.text(width / 2, y + size, number, round(size * 0.8), anchor="m")
    return round(y + size * 2)


def _summary(page: Page, indices: Sequence[int], x0: int, x1: int, y: float) -> int:
    """一组后面的小结：成段的话，提到异常的项目。"""
    odd = [page.report.items[index] for index in indices if page.report.items[index].mark]
    shown = [pick(page.rng, ("", f"({' '.join(filter(None, (item.result, item.unit)))})")) for item in odd]
    words = "、".join(f"{item.name}{value}异常" for item, value in zip(odd, shown, strict=True))
    advice = pick(page.rng, ("建议清淡饮食，1-3个月后复查", "请结合临床，必要时专科就诊", "注意休息，两周后复查"))
    text = f"小结：{words}，{advice}。" if odd else "小结：本组检查未见明显异常。"
    lines = [""]
    for character in text:
        if page.measure(lines[-1] + character) > x1 - x0 and character not in "，。、)":
            lines.append("")
        lines[-1] += character
    for at, line in enumerate(lines):
        page.text(x0, y + at * page.size * 1.5, line)
    return round(y + len(lines) * page.size * 1.5)


def _app_cards(page: Page) -> int:
    rng, size, width = page.rng, page.size, page.image.width
    ground, theme = pick(rng, (("#f2f4f7", "#1c7c6c"), ("#eff3f8", "#2a62c9"), ("#f5f3ef", "#b0632c")))
    count = len(page.report.items)
    # 项目太多时压扁，一张截图总要放得下
    tall = min(round(size * pick(rng, (5.2, 5.8))), (page.image.height - 900) // count - 14)
    scale = min(1.0, tall / (size * 5.2))
    page.drawing.rectangle((0, 0, width, page.image.height), ground)
    page.drawing.rectangle((0, 0, width, 300), theme)
    page.text(50, 40, f"{rng.integers(7, 22)}:{rng.integers(10, 60)}", round(size * 0.8), "#ffffff")
    page.text(width - 50, 40, f"5G  {rng.integers(15, 99)}%", round(size * 0.8), "#ffffff", anchor="r")
    page.text(width / 2, 120, "报告详情", round(size * 1.15), "#ffffff", anchor="m")
    page.text(50, 120, "<", round(size * 1.2), "#ffffff")
    page.drawing.rounded_rectangle((40, 180, width - 40, 400), 20, fill="#ffffff")
    who = dict(patient(page))
    page.text(80, 235, page.report.report_type, round(size * 1.15), bold=True)
    people = "  ".join(who[label] for label in ("姓名", "性别", "年龄") if label in who)
    page.text(80, 295, f"{people}  |  {pick(rng, HOSPITALS)}", round(size * 0.82), _GREY)
    odd = sum(item.mark is not None for item in page.report.items)
    page.text(80, 352, f"共{count}项，异常{odd}项  报告时间 {_day(page)}", round(size * 0.82), _GREY)
    y, small, chip_right = 430, max(14, round(size * 0.8 * scale)), bool(rng.random() < 0.6)
    unit_inline, label = bool(rng.random() < 0.7), pick(rng, ("参考范围：", "参考值 ", "正常值 ", ""))
    for index, item in enumerate(page.report.items):
        page.drawing.rounded_rectangle((40, y, width - 40, y + tall), 16, fill="#ffffff")
        middle, left, right = width * 0.52, 76, width - 76
        name_y, value_y = y + tall * 0.24, y + tall * 0.66
        title = page.fill_template(index, "{name}  {code}")
        name_size = min(size, int(size * (middle + 80 - left) / max(1, page.width_of(title))))
        page.pieces(index, left, name_y, title[:1], round(name_size * scale))
        after = left + page.measure(item.name, round(name_size * scale)) + size * 0.5
        page.pieces(index, after, name_y, title[2:], small, _GREY)
        tint = "" if not item.mark else _LOW_INK if page.flags[index] == "low" else _HIGH_INK
        big = max(16, round(size * 1.5 * scale))
        big = min(big, int(big * (middle - left - 150) / max(1, page.measure(item.result, big))))
        page.pieces(index, left, value_y, [("result", item.result)], big, tint, bold=True)
        end = left + page.measure(item.result, big) + size * 0.35
        # 范围要折行时单位不能再跟在后面
        inline = unit_inline or bool(re.search("女|新生儿", item.reference_range))
        if inline and item.unit:
            page.pieces(index, end, value_y + big * 0.15, [("unit", item.unit)], small, _GREY)
            end += page.measure(item.unit, small) + size * 0.4
        if item.mark:
            wide = page.measure(item.mark, small) + small
            x, at = (right - wide, name_y) if chip_right else (max(end, middle - wide), value_y)
            page.drawing.rounded_rectangle((x, at - small * 0.8, x + wide, at + small * 0.8), small * 0.4, fill=tint)
            page.pieces(index, x + small / 2, at, [("mark", item.mark)], small, "#ffffff")
        _range_bar(page, index, width * 0.64, right, y + tall * 0.53, max(6, round(size * 0.28 * scale)))
        tail = label + "{reference_range}" + ("" if inline else " {unit}")
        template = tail if item.reference_range else "" if inline else "{unit}"
        if template:
            put(page, index, width * 0.56, right, y + tall * 0.78, template, small, "r")
        y += tall + 14
    page.text(width / 2, y + size, "— 已经到底了 —", small, _GREY, anchor="m")
    return round(y + size * 2)


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


@cache
def _english_names() -> dict[str, str]:
    return {name: one.english for panel in panels().values() for one in panel for name in one.names}


def _independent_lab(page: Page) -> int:
    rng, size, width = page.rng, page.size, page.image.width
    x0, x1, y, small = 90, width - 90, 90, max(15, round(size * 0.68))
    theme = pick(rng, ("#173f6b", "#5b1f3d", "#22543d", page.ink))
    page.drawing.ellipse((x0, y - 34, x0 + 68, y + 34), outline=theme, width=6)
    page.text(x0 + 34, y, "LAB", small, theme, anchor="m", bold=True)
    owner = f"{pick(rng, ('启明', '云岭', '海桐'))}医学检验实验室"
    page.text(x0 + 90, y - 16, owner, round(size * 1.25), theme, bold=True)
    page.text(x0 + 90, y + 24, "Independent Clinical Laboratory", small, theme)
    page.text(x1, y, f"{page.report.report_type}检测报告", round(size * 1.1), anchor="r")
    y += 60
    page.line(x0, y, x1, y, 3, fill=theme)
    pairs = patient(page)[:9]
    for at, (tag, value) in enumerate(pairs):
        line = f"{tag}：{value}"
        x, room = x0 + at % 3 * (x1 - x0) / 3, (x1 - x0) / 3 - size
        fit = min(size * 0.9, size * 0.9 * room / max(1, page.measure(line)))
        page.text(x + 8, y + (at // 3 + 0.8) * size * 1.5, line, int(fit))
    y += round((-(-len(pairs) // 3) + 0.7) * size * 1.5)
    name, method = ("", 0.33, "检测项目", "Test Item"), ("{method}", 0.16, "检测方法", "Method")
    result = (pick(rng, ("{result} {mark}", "{result}  {mark}")), 0.15, "检测结果", "Result")
    unit, limits = ("{unit}", 0.13, "单位", "Unit"), ("{reference_range}", 0.23, "参考区间", "Reference")
    columns = pick(rng, ((name, method, result, unit, limits), (name, result, unit, limits, method),
                         (name, result, limits, unit, method)))  # fmt: skip
    filled, tall = bool(rng.random() < 0.5), round(size * 2.35)
    if filled:
        page.drawing.rectangle((x0, y, x1, y + tall), theme)
    edges = edges_of(x0, x1, (share for _, share, _, _ in columns))
    for left, (_, _, chinese, english) in zip(edges, columns, strict=False):
        page.text(left + 8, y + tall * 0.32, chinese, fill="#ffffff" if filled else theme)
        page.text(left + 8, y + tall * 0.75, english, small, "#ffffff" if filled else theme)
    page.line(x0, y + tall, x1, y + tall, 2, fill=theme)
    y += tall
    ruled = bool(rng.random() < 0.5)
    for index, item in enumerate(page.report.items):
        for (left, right), (template, _, _, _) in zip(pairwise(edges), columns, strict=True):
            if template:
                put(page, index, left + 8, right - 8, y + tall / 2, template)
                continue
            put(page, index, left + 8, right - 8, y + tall * 0.33, "{name}")
            english = _english_names().get(item.name, "")
            known = "" if english.startswith("U-") or english.lower() == item.code.lower() else english
            put(page, index, left + 8, right - 8, y + tall * 0.75, f"{known} ({{code}})" if known else "{code}", small)
        y += tall
        if ruled:
            page.line(x0, y, x1, y, 1, fill="#c9ced4")
    page.line(x0, y, x1, y, 2, fill=theme)
    page.text(x0, y + size * 1.2, "说明：检测结果仅对送检样本负责，不作为唯一诊断依据。", small)
    page.text(x0, y + size * 2.2, "The results apply only to the sample received.", small)
    return foot(page, x0, x1, y + round(size * 2.8))


HELD_OUT_LAYOUTS: dict[str, Layout] = load_sheets("held_out_layouts.yaml", {
    "dot_matrix": _dot_matrix, "booklet": _booklet, "app_cards": _app_cards, "independent_lab": _independent_lab,
    "ledger": ledger, "paired_cards": paired_cards, "night_list": night_list, "single_test": single_test,
})  # fmt: skip
