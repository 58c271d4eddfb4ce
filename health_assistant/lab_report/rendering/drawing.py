"""画布：放字，同时记下每一项每个字段印在哪里。版式都用这里的工具写，写法见 `layouts.py` 开头。

坐标是像素，y 是一行字的中线；字号就是字高。盒子是墨迹的外接框，右、下不含。
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from string import Formatter

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from health_assistant.lab_report.rendering.sampling import pick
from health_assistant.lab_report.report import ABNORMAL_FLAGS, Box, Flag, ReadReport

FONTS: dict[str, tuple[str, str]] = {
    "noto_sans": ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
    "noto_serif": ("pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf"),
    "micro_hei": ("paperang_p2_fonts_cjk", "fonts/wqy-microhei.ttc"),
}
"""字体名 -> （pip 包，包里的文件），都在 requirements.txt 里。"""

FIELDS = ("name", "code", "result", "unit", "reference_range", "mark")
# 三套字体都没有上标数字的字形，一律把普通数字缩小抬高
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_METHODS = ("仪器法", "速率法", "比色法", "酶法", "离子选择电极法", "化学发光法", "免疫比浊法")
_BLOOD_METHODS = ("仪器法", "电阻抗法", "流式细胞法")
_HEADINGS = {
    "name": ("项目", "检验项目", "项目名称", "中文名称", "检测项目"),
    "code": ("代号", "英文缩写", "简称", "缩写", "英文"),
    "result": ("结果", "测定值", "检测结果", "检验结果", "测定结果"),
    "unit": ("单位",),
    "reference_range": ("参考范围", "参考值", "参考区间", "正常参考值", "生物参考区间"),
    "mark": ("提示", "标志", "异常", "状态"),
    "serial": ("序号", "NO", "No.", "序"),
    "previous": ("上次结果", "前次结果", "历史结果"),
    "method": ("检测方法", "方法", "测定方法"),
    "specimen": ("标本", "标本类型"),
}


@lru_cache(maxsize=128)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    package, file = FONTS[name]
    return ImageFont.truetype(str(resources.files(package) / file), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8192)
def has_glyph(font: str, character: str) -> bool:
    """字体里有没有这个字：画出来与“缺字”的方框不同，也不是空白。"""
    drawn = bytes(load_font(font, 32).getmask(character))
    return character == " " or (any(drawn) and drawn != bytes(load_font(font, 32).getmask("\U0010ffff")))


@lru_cache(maxsize=8192)
def split_runs(font: str, text: str, superscript: bool) -> tuple[tuple[str, str, bool], ...]:
    """文字 -> （字体，文字，是否上标）的几段；缺的字换一种字体，哪种都没有就抛 ValueError。"""
    runs: list[tuple[str, str, bool]] = []
    pieces = re.split(r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+|\^\d+)" if superscript else r"([⁰¹²³⁴⁵⁶⁷⁸⁹]+)", text)
    for number, piece in enumerate(pieces):
        for character in piece.translate(_RAISED).removeprefix("^" if number % 2 else "\x00"):
            usable = next((name for name in (font, *FONTS) if has_glyph(name, character)), None)
            if usable is None:
                raise ValueError(f"没有一种字体有“{character}”（U+{ord(character):04X}）这个字。请换一种写法。")
            if runs and runs[-1][0] == usable and runs[-1][2] == bool(number % 2):
                runs[-1] = (usable, runs[-1][1] + character, runs[-1][2])
            else:
                runs.append((usable, character, bool(number % 2)))
    return tuple(runs)


def union(first: Box | None, second: Box) -> Box:
    if first is None:
        return second
    return (*map(min, first[:2], second[:2]), *map(max, first[2:], second[2:]))


class Canvas:
    """一张白纸。`boxes[i]` 是第 i 项各字段的框，由 `pieces` 记下。"""

    def __init__(self, width: int, height: int, font: str, size: int, paper: str, ink: str, superscript: bool) -> None:
        self.image = Image.new("RGB", (width, height), paper)
        self.drawing = ImageDraw.Draw(self.image)
        self.font, self.size, self.ink, self.superscript = font, size, ink, superscript
        self.boxes: dict[int, dict[str, Box]] = {}

    def measure(self, text: str, size: int | None = None) -> int:
        """这段字的宽度。"""
        size = size or self.size
        return round(sum(load_font(font, _run_size(size, raised)).getlength(part)
                         for font, part, raised in split_runs(self.font, text, self.superscript)))  # fmt: skip

    def text(self, x: float, y: float, text: str, size: int | None = None, fill: str | None = None,
             anchor: str = "l", bold: bool = False) -> Box | None:  # fmt: skip
        """在中线 y 上写一行字，anchor 是 l、m、r；返回墨迹的框，没有墨迹则为 None。"""
        size = size or self.size
        x = round(x - self.measure(text, size) * {"l": 0, "m": 0.5, "r": 1}[anchor])
        box = None
        for font, part, raised in split_runs(self.font, text, self.superscript):
            face = load_font(font, _run_size(size, raised))
            place = (x, round(y + size * (0.02 if raised else 0.36)))
            self.drawing.text(place, part, fill or self.ink, face, anchor="ls", stroke_width=0.5 * bold)
            if part.strip():
                left, top, right, bottom = face.getbbox(part, anchor="ls")
                corner = (place[0] + int(right) + 1, place[1] + int(bottom) + 1)
                box = union(box, (place[0] + int(left), place[1] + int(top), *corner))
            x += round(face.getlength(part))
        return box

    def pieces(self, index: int, x: float, y: float, pieces: Sequence[tuple[str | None, str]], size: int | None = None,
               fill: str | None = None, anchor: str = "l", bold: bool = False) -> None:  # fmt: skip
        """连着写几段（字段名或 None，文字），给第 index 项记下有名字的各段的框。"""
        x -= sum(self.measure(text, size) for _, text in pieces) * {"l": 0, "m": 0.5, "r": 1}[anchor]
        for field, text in pieces:
            box = self.text(x, y, text, size, fill, bold=bold)
            x += self.measure(text, size)
            if field in FIELDS and box:
                boxes = self.boxes.setdefault(index, {})
                boxes[field] = union(boxes.get(field), box)

    def line(self, x0: float, y0: float, x1: float, y1: float, width: int = 2, dash: int = 0, fill: str = "") -> None:
        """横线或竖线；dash 大于 0 时是虚线，一段长 dash。"""
        if not dash:
            self.drawing.line((x0, y0, x1, y1), fill or self.ink, width)
            return
        for start in range(int(x0), int(x1), 2 * dash):
            self.drawing.line((start, y0, min(start + dash, x1), y1), fill or self.ink, width)

    def stamp(self, x: float, y: float, text: str, size: int, colour: str, angle: float, opacity: float,
              framed: bool = False) -> None:  # fmt: skip
        """斜着叠一层半透明的字：水印，或加框的印章；(x, y) 是中心。墨迹留在字下面看得清。"""
        width, height = self.measure(text, size) + size, size * 2
        layer = Image.new("L", (width, height), 0)
        brush = ImageDraw.Draw(layer)
        brush.text((width // 2, height // 2), text, 255, load_font(self.font, size), anchor="mm")
        if framed:
            brush.rounded_rectangle((2, 2, width - 3, height - 3), size // 4, outline=255, width=max(2, size // 12))
        layer = layer.rotate(angle, expand=True, resample=Image.Resampling.BILINEAR).point(lambda v: int(v * opacity))
        self.image.paste(colour, (round(x - layer.width / 2), round(y - layer.height / 2)), layer)


def _run_size(size: int, raised: bool) -> int:
    return max(6, round(size * 0.62)) if raised else size


@dataclass(frozen=True)
class Column:
    """表格的一列。

    template 里的 {name} {code} {result} {unit} {reference_range} {mark} 换成这一项印的字并记下框，
    {serial} {previous} {method} {specimen} 只画不记；其余照写，挨着空字段的括号与空格不写。
    heading 为 None 时从医院常用的说法里抽一个，"" 是没有表头。align 是 l、m、r。
    """

    template: str
    heading: str | None = None
    align: str = "l"


class Page(Canvas):
    """画着一张报告的画布，带着要画的内容和这一页的习惯（颜色、表头用词）。"""

    def __init__(self, report: ReadReport, flags: list[Flag | None], sections: list[tuple[str, int]],
                 rng: np.random.Generator, font: str, width: int, height: int, size: int) -> None:  # fmt: skip
        paper = pick(rng, ("#ffffff", "#ffffff", "#fdfdfb", "#f8f8f4"))
        ink = pick(rng, ("#000000", "#1c1c1c", "#2a2a30"))
        super().__init__(width, height, font, size, paper, ink, superscript=bool(rng.random() < 0.4))
        self.report, self.flags, self.sections, self.rng = report, flags, sections, rng
        self.abnormal_ink = pick(rng, ("", "", "#c81e1e"))
        self.bold_abnormal = bool(rng.random() < 0.2)
        self.headings = {key: pick(rng, words) for key, words in _HEADINGS.items()}
        self.serial_start = 1
        self.date = f"20{rng.integers(20, 26)}-{rng.integers(1, 13):02d}-{rng.integers(1, 28):02d}"

    def spans(self) -> list[tuple[str, range]]:
        """各分组的标题与其中各项的序号。"""
        ends = [start for _, start in self.sections[1:]] + [len(self.report.items)]
        return [(title, range(start, end)) for (title, start), end in zip(self.sections, ends, strict=True)]

    def fill_template(self, index: int, template: str) -> list[tuple[str | None, str]]:
        """模板 -> `pieces` 要的几段。"""
        pieces: list[tuple[str | None, str]] = []
        dropped = False
        for literal, field, _, _ in Formatter().parse(template):
            if dropped and literal:
                literal = literal.lstrip(")）]】 ")
            text = self._value(index, field) if field else ""
            dropped = bool(field) and not text
            if dropped:
                literal = literal.rstrip("(（[【 ：:")
            if field == "code" and text and not literal and pieces and re.search("[A-Za-z0-9]$", pieces[-1][1]):
                # `肌钙蛋白I` 后面粘着 `cTnI`，人也分不开
                literal = " "
            pieces += [(None, literal)] * bool(literal) + [(field, text)] * bool(text)
        return pieces

    def _value(self, index: int, field: str) -> str:
        item = self.report.items[index]
        if field == "serial":
            return str(self.serial_start + index)
        if field == "previous":
            number = re.fullmatch(r"\d+(\.\d+)?", item.result)
            if self.rng.random() < 0.15:
                return ""
            places = len((number[1] or ".")[1:]) if number else 0
            return f"{float(item.result) * self.rng.uniform(0.9, 1.1):.{places}f}" if number else item.result
        if field == "method":
            numeric = _BLOOD_METHODS if re.search("血常规|血细胞", self.report.report_type) else _METHODS
            return pick(self.rng, numeric if re.match(r"[<>]?\d", item.result) else ("胶体金法", "干化学法"))
        if field == "specimen":
            return "尿液" if "尿" in self.report.report_type else "血清"
        return getattr(item, field) or ""

    def ink_of(self, index: int, template: str) -> tuple[str | None, bool]:
        """（颜色，是否加粗）：有的医院把异常的结果与标记印成红色或加粗。"""
        shown = self.flags[index] in ABNORMAL_FLAGS and self.report.items[index].mark is not None
        shown = shown and ("{result}" in template or "{mark}" in template)
        return (self.abnormal_ink or None, self.bold_abnormal) if shown else (None, False)

    def table(self, columns: Sequence[Column], indices: Sequence[int], x0: int, x1: int, y: int, rules: str = "ends",
              header: bool = True, pitch: float = 1.6, band: str = "", stripe: str = "") -> int:  # fmt: skip
        """从 y（上边线）画一张表，返回下边的 y。

        rules：grid 全框线，rows 每行一线，dashed 每行虚线，ends 只有表头上下和末尾，none 没有。
        列宽按内容分配，放不下就整张表缩小字号；band 是表头的底色，stripe 是隔行的底色；pitch 是行距与字号之比。
        """
        heads = [self._heading(column) if header else "" for column in columns]
        cells = [[self._cell(index, column) for column in columns] for index in indices]
        size = self.size
        while True:
            widths = [max([self.measure(head, size)] + [self._width(row[c], size) for row in cells])
                      for c, head in enumerate(heads)]  # fmt: skip
            gap = round(size * 0.9)
            spare = x1 - x0 - sum(widths) - gap * len(columns)
            if spare >= 0 or size <= 12:
                break
            size = min(size - 1, int(size * (x1 - x0) / (x1 - x0 - spare)))
        edges = [x0]
        for width in widths:
            edges.append(edges[-1] + gap + width + spare * width // max(1, sum(widths)))
        edges[-1] = x1
        height, dash = round(size * pitch), {"dashed": 6}.get(rules, 0)
        places = [(edge + gap // 2, (edge + after) // 2, after - gap // 2) for edge, after in zip(edges, edges[1:])]  # noqa: B905
        top, line_width = y, int(pick(self.rng, (1, 2)))
        if header:
            if band:
                self.drawing.rectangle((x0, y, x1, y + height), band)
            for column, head, place in zip(columns, heads, places, strict=True):
                self.text(place["lmr".index(column.align)], y + height / 2, head, size, anchor=column.align)
            if rules != "none":
                self.line(x0, y, x1, y, 2)
                self.line(x0, y + height, x1, y + height, line_width)
            y += height
        for number, (index, row) in enumerate(zip(indices, cells, strict=True)):
            lines = max(len(cell) for cell in row)
            tall = height if lines == 1 else round(height + size * 1.15)
            if stripe and number % 2:
                self.drawing.rectangle((x0, y + 1, x1, y + tall), stripe)
            for column, cell, place in zip(columns, row, places, strict=True):
                fill, bold = self.ink_of(index, column.template)
                for at, pieces in enumerate(cell):
                    middle = y + tall / 2 + (at - (len(cell) - 1) / 2) * size * 1.2
                    self.pieces(index, place["lmr".index(column.align)], middle, pieces, size, fill, column.align, bold)
            y += tall
            if rules in ("grid", "rows", "dashed"):
                self.line(x0, y, x1, y, 1, dash)
        if rules == "grid":
            for edge in edges:
                self.drawing.line((edge, top, edge, y), self.ink, line_width)
            self.line(x0, top, x1, top, line_width)
        elif rules == "ends":
            self.line(x0, y, x1, y, 2)
        return y

    def _heading(self, column: Column) -> str:
        if column.heading is not None:
            return column.heading
        return self.headings[next(field for _, field, _, _ in Formatter().parse(column.template) if field)]

    def _cell(self, index: int, column: Column) -> list[list[tuple[str | None, str]]]:
        """一格里的各行；写着几个人群的长范围折成两行。"""
        pieces = self.fill_template(index, column.template)
        text = "".join(text for _, text in pieces)
        if column.template == "{reference_range}" and len(text) > 15:
            cuts = [found.end() for found in re.finditer(r"[,;，；]|\](?=\[)", text)]
            if cuts:
                return [[("reference_range", text[: cuts[0]])], [("reference_range", text[cuts[0] :])]]
        return [pieces]

    def _width(self, cell: list[list[tuple[str | None, str]]], size: int) -> int:
        return max(sum(self.measure(text, size) for _, text in pieces) for pieces in cell)
