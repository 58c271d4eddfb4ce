"""自成一格的纸：针式打印、体检的册子、独立的检验所、一页一项。返回画到的最低处的 y，之下的裁掉。"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from itertools import pairwise

from PIL import Image, ImageFont

from health_assistant.lab_report.rendering.drawing import FIELDS, Page, Pieces, split_lines, union
from health_assistant.lab_report.rendering.furniture import HOSPITALS, day, foot, patient, record_origin
from health_assistant.lab_report.rendering.sampling import panels, pick
from health_assistant.lab_report.rendering.sheets import edges_of, put


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


def dot_matrix(page: Page) -> int:
    """针式打印：等宽的字，左右两栏，字是淡淡的点，两边可能有走纸孔。"""
    rng, size, width = page.rng, page.size, page.image.width
    x0, x1, pitch = 100, width - 100, round(size * pick(rng, (1.45, 1.6, 1.8)))
    hospital, y = pick(rng, HOSPITALS), 90
    record_origin(page, "医院", hospital)
    title = f"{hospital}{page.report.report_type}{pick(rng, ('化验单', '报告单', '结果单'))}"
    _typed(page, (width - _cells(title) * size * 0.69) / 2, y, title, size=round(size * 1.3))
    y, x = y + 2 * pitch, float(x0)
    for label, value in patient(page):
        record_origin(page, label, value)
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
        for stop, words in zip(stops, heads, strict=False):
            _typed(page, left + stop, y, words)
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
    _typed(page, x0, y, f"报告日期:{day(page)}    检验:钱某    审核:冯某")
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


def booklet(page: Page) -> int:
    """体检的册子：每个面板一张小表，后面一段小结。"""
    rng, size, width = page.rng, page.size, page.image.width
    x0, x1, y = 80, width - 80, 80
    theme = pick(rng, ("#1f6f78", "#35568c", "#7a4b6a", "#4f7a3a"))
    page.text(x0, y, "健康体检报告", round(size * 1.3), theme, bold=True)
    centre = f"{pick(rng, HOSPITALS)}体检中心"
    record_origin(page, "医院", centre)
    page.text(x1, y, centre, size, theme, anchor="r")
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


def independent_lab(page: Page) -> int:
    """独立的检验所：一项两行，中文在上，英文与代号在下；有方法一列。"""
    rng, size, width = page.rng, page.size, page.image.width
    x0, x1, y, small = 90, width - 90, 90, max(15, round(size * 0.68))
    theme = pick(rng, ("#173f6b", "#5b1f3d", "#22543d", page.ink))
    page.drawing.ellipse((x0, y - 34, x0 + 68, y + 34), outline=theme, width=6)
    page.text(x0 + 34, y, "LAB", small, theme, anchor="m", bold=True)
    owner = f"{pick(rng, ('启明', '云岭', '海桐'))}医学检验实验室"
    record_origin(page, "医院", owner)
    page.text(x0 + 90, y - 16, owner, round(size * 1.25), theme, bold=True)
    page.text(x0 + 90, y + 24, "Independent Clinical Laboratory", small, theme)
    page.text(x1, y, f"{page.report.report_type}检测报告", round(size * 1.1), anchor="r")
    y += 60
    page.line(x0, y, x1, y, 3, fill=theme)
    pairs = patient(page)[:9]
    for at, (tag, value) in enumerate(pairs):
        record_origin(page, tag, value)
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
    english_of = {name: analyte.english for panel in panels().values() for analyte in panel for name in analyte.names}
    for index, item in enumerate(page.report.items):
        for (left, right), (template, _, _, _) in zip(pairwise(edges), columns, strict=True):
            if template:
                put(page, index, left + 8, right - 8, y + tall / 2, template)
                continue
            put(page, index, left + 8, right - 8, y + tall * 0.33, "{name}")
            english = english_of.get(item.name, "")
            known = "" if english.startswith("U-") or english.lower() == item.code.lower() else english
            put(page, index, left + 8, right - 8, y + tall * 0.75, f"{known} ({{code}})" if known else "{code}", small)
        y += tall
        if ruled:
            page.line(x0, y, x1, y, 1, fill="#c9ced4")
    page.line(x0, y, x1, y, 2, fill=theme)
    page.text(x0, y + size * 1.2, "说明：检测结果仅对送检样本负责，不作为唯一诊断依据。", small)
    page.text(x0, y + size * 2.2, "The results apply only to the sample received.", small)
    return foot(page, x0, x1, y + round(size * 2.8))


def _write_lines(page: Page, index: int, x: float, y: int, pieces: Pieces) -> int:
    """一格里的几行，返回下一行的 y。"""
    for line in split_lines(pieces):
        page.pieces(index, x, y, line)
        y += round(page.size * 1.5)
    return y


def one_test(page: Page) -> int:
    """一页只有一项，名称与方法都长，参考范围在下面一段里。"""
    size, y, x = page.size, 60, 48
    for label, value in patient(page, english=True):
        record_origin(page, label, value)
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
        down = max(_write_lines(page, index, at, y, lines) for at, lines in zip(places, pieces, strict=True))
        page.text(x, down + size * 0.8, pick(page.rng, ("Bio. Ref. Interval. :-", "Reference Range :-")))
        y = _write_lines(page, index, x + size, down + round(size * 2.4), [("reference_range", item.reference_range)])
    y += round(size * 1.5)
    page.text(x, y, "Please correlate with clinical conditions.")
    return y + size * 3
