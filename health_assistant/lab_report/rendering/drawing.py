"""画布：放字，同时记下每一项每个字段印在哪里。版式都用这里的工具写，写法见 `layouts.py` 开头。

坐标是像素，y 是一行字的中线；字号就是字高。框是墨迹的外接框，右、下不含。
"""

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from string import Formatter

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from health_assistant.lab_report.rendering.sampling import english_names, pick, settings
from health_assistant.lab_report.report import Box, Flag, ReadReport

FONTS: dict[str, tuple[str, str]] = {
    "noto_sans": ("pylopdf_fonts_zh_cn", "NotoSansSC-Regular.otf"),
    "noto_serif": ("pylopdf_fonts_zh_cn", "NotoSerifSC-Regular.otf"),
    "micro_hei": ("paperang_p2_fonts_cjk", "fonts/wqy-microhei.ttc"),
}
"""字体名 -> （pip 包，包里的文件），都在 requirements.txt 里。"""
LATIN_FONTS: dict[str, tuple[str, str]] = {
    "stix": ("matplotlib", "mpl-data/fonts/ttf/STIXGeneral.ttf"),
    "dejavu_sans": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSans.ttf"),
}
"""只有西文的字体，汉字换 FONTS 里的：许多医院的数字与汉字不是一套。版式点了名才用。"""

TYPEWRITER_FONTS: dict[str, tuple[str, str]] = {"dejavu_mono": ("matplotlib", "mpl-data/fonts/ttf/DejaVuSansMono.ttf")}
"""等宽的西文字体，像针式打印机。"""

FIELDS = ("name", "code", "result", "unit", "reference_range", "mark")
# 三套字体都没有上标数字的字形，一律把普通数字缩小抬高
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁾", "0123456789)")
SHIFT = {"l": 0, "m": 0.5, "r": 1}
"""l、m、r：写的字从哪里算起，是宽的几成。"""

Pieces = list[tuple[str | None, str]]
"""连着写的几段：（字段名，文字），不是字段的为 None。"""


@lru_cache(maxsize=128)
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """名为 name 的字体，字高 size 像素。"""
    package, file = (FONTS | LATIN_FONTS | TYPEWRITER_FONTS)[name]
    return ImageFont.truetype(str(resources.files(package) / file), size, layout_engine=ImageFont.Layout.BASIC)


@lru_cache(maxsize=8192)
def has_glyph(font: str, character: str) -> bool:
    """字体里有没有这个字：画出来与“缺字”的方框不同，也不是空白。"""
    drawn, missing = (bytes(load_font(font, 32).getmask(shown)) for shown in (character, "\U0010ffff"))
    return character == " " or (any(drawn) and drawn != missing)


@lru_cache(maxsize=8192)
def split_runs(font: str, text: str, superscript: bool) -> tuple[tuple[str, str, bool], ...]:
    """文字 -> （字体，文字，是否上标）的几段；缺的字换一种字体，哪种都没有就抛 ValueError。"""
    runs: list[tuple[str, str, bool]] = []
    pattern = r"([⁰¹²³⁴⁵⁶⁷⁸⁹⁾]+|\^\d+)" if superscript else "([⁰¹²³⁴⁵⁶⁷⁸⁹⁾]+)"
    for number, piece in enumerate(re.split(pattern, text)):
        raised = bool(number % 2)
        for character in piece.translate(_RAISED).removeprefix("^" if raised else "\x00"):
            usable = next((name for name in (font, *FONTS) if has_glyph(name, character)), None)
            if usable is None:
                raise ValueError(f"没有一种字体有“{character}”（U+{ord(character):04X}）这个字。请换一种写法。")
            if runs and (runs[-1][0], runs[-1][2]) == (usable, raised):
                character = runs.pop()[1] + character
            runs.append((usable, character, raised))
    return tuple(runs)


def union(first: Box | None, second: Box) -> Box:
    """盖住两个框的框；第一个可以是 None。"""
    if first is None:
        return second
    left, top = map(min, first[:2], second[:2])
    right, bottom = map(max, first[2:], second[2:])
    return left, top, right, bottom


@dataclass(frozen=True)
class Habits:
    """打印的毛病与习惯。

    tracking 是数字之间多空多少（字高的倍数，负的是挤在一起）；arrow 是箭头的形状：glyph 是字体里的，
    thin、block 是细的、实心的窄箭头，贴着前后的字；is_reversed 是异常的结果印成黑底白字；
    normal 是正常的项印在标记那里的字，不算标记。
    """

    tracking: float = 0.0
    arrow: str = "glyph"
    is_reversed: bool = False
    normal: str = ""


class Page:
    """画着一张报告的纸，带着要画的内容和这一页的习惯（颜色、表头用词）。`boxes[i]` 是第 i 项各字段的框。"""

    def __init__(self, report: ReadReport, flags: list[Flag | None], sections: list[tuple[str, int]],
                 rng: np.random.Generator, font: str, width: int, height: int, size: int) -> None:  # fmt: skip
        paper = pick(rng, ("#ffffff", "#ffffff", "#fdfdfb", "#f8f8f4"))
        self.ink, self.superscript = pick(rng, ("#000000", "#1c1c1c", "#2a2a30")), bool(rng.random() < 0.4)
        self.image = Image.new("RGB", (width, height), paper)
        self.drawing = ImageDraw.Draw(self.image)
        self.boxes: defaultdict[int, dict[str, Box]] = defaultdict(dict)
        self.report, self.flags, self.sections = report, flags, sections
        self.rng, self.font, self.size = rng, font, size
        self.abnormal_ink, self.bold_abnormal = pick(rng, ("", "", "#c81e1e")), bool(rng.random() < 0.2)
        self.headings = {field: pick(rng, words) for field, words in settings()["headings"].items()}
        self.serial_start = 1
        self.origin: dict[str, str] = {}  # 印了的时间、医院、标本
        self.extras: dict[int, dict[str, str]] = {}  # 第几项 -> 这一项别的格子里的字
        self.habits = Habits()
        self.date = f"20{rng.integers(20, 26)}-{rng.integers(1, 13):02d}-{rng.integers(1, 28):02d}"

    def _runs(self, text: str, size: int) -> list[tuple[ImageFont.FreeTypeFont, str, bool]]:
        runs = split_runs(self.font, text, self.superscript)
        sized = [(load_font(font, max(6, round(size * 0.62)) if up else size), part, up) for font, part, up in runs]
        if self.habits == Habits():
            return sized
        # 要单独摆的字各成一段：挤着的数字，窄箭头
        alone = r"([↑↓])" if not self.habits.tracking else r"([\d.,↑↓])"
        return [(face, piece, up) for face, part, up in sized for piece in re.split(alone, part) if piece]

    def _advance(self, face: ImageFont.FreeTypeFont, part: str, size: int) -> float:
        if part in "↑↓" and self.habits.arrow != "glyph":
            return size * 0.36
        # 小数点两边挤得更紧
        squeeze = {".": 1.3, ",": 1.3}.get(part, 1.0 if part.isdigit() and len(part) == 1 else 0.0)
        return face.getlength(part) + squeeze * self.habits.tracking * size

    def measure(self, text: str, size: int | None = None) -> int:
        """这段字的宽度。"""
        size = size or self.size
        return round(sum(self._advance(face, part, size) for face, part, _ in self._runs(text, size)))

    def text(self, x: float, y: float, text: str, size: int | None = None, fill: str | None = None,
             anchor: str = "l", bold: bool = False) -> Box | None:  # fmt: skip
        """在中线 y 上写一行字，anchor 是 l、m、r；返回墨迹的框，没有墨迹则为 None。"""
        size, box = size or self.size, None
        x = round(x - self.measure(text, size) * SHIFT[anchor])
        for face, part, raised in self._runs(text, size):
            place = (x, round(y + size * (0.02 if raised else 0.36)))
            if part in "↑↓" and self.habits.arrow != "glyph":
                box = union(box, self._arrow(x, y, part == "↑", size, fill or self.ink, bold))
            elif part.strip():
                self.drawing.text(place, part, fill or self.ink, face, anchor="ls", stroke_width=0.5 * bold)
                left, top, right, bottom = map(int, face.getbbox(part, anchor="ls"))
                box = union(box, (x + left, place[1] + top, x + right + 1, place[1] + bottom + 1))
            x += round(self._advance(face, part, size))
        return box

    def _arrow(self, x: float, y: float, is_up: bool, size: int, fill: str, bold: bool) -> Box:
        """窄箭头，与数字一样高；有的报告软件自己画箭头，粘着数字就像一个 1。"""
        half, middle, sign = max(2, round(size * 0.12)), round(x + size * 0.18), -1 if is_up else 1
        tip, tail = round(y + sign * size * 0.36), round(y - sign * size * 0.36)
        is_block = self.habits.arrow == "block"
        neck = tip - sign * (half * 2 if is_block else half)
        head = [(middle - half, neck), (middle, tip), (middle + half, neck)]
        thick = max(1, round(size * (0.1 if is_block else 0.05))) + bold
        self.drawing.line((middle, tip - sign * thick, middle, tail), fill, thick)
        self.drawing.polygon(head, fill) if is_block else self.drawing.line(head, fill, thick)
        return middle - half, min(tip, tail), middle + half + 1, max(tip, tail) + 1

    def pieces(self, index: int, x: float, y: float, pieces: Pieces, size: int | None = None,
               fill: str | None = None, anchor: str = "l", bold: bool = False) -> None:  # fmt: skip
        """连着写几段，给第 index 项记下各字段的框。"""
        x -= self.width_of(pieces, size) * SHIFT[anchor]
        for field, text in pieces:
            box = self.text(x, y, text, size, fill, bold=bold)
            x += self.measure(text, size)
            if field in FIELDS and box:
                self.boxes[index][field] = union(self.boxes[index].get(field), box)

    def width_of(self, pieces: Pieces, size: int | None = None) -> int:
        """几段字一共多宽，像素。"""
        return sum(self.measure(text, size) for _, text in pieces)

    def line(self, x0: float, y0: float, x1: float, y1: float, width: int = 2, dash: int = 0, fill: str = "") -> None:
        """横线或竖线；dash 大于 0 时是虚线，一段长 dash。"""
        for start in range(int(x0), int(x1), 2 * dash) if dash else (x0,):
            self.drawing.line((start, y0, min(start + dash, x1) if dash else x1, y1), fill or self.ink, width)

    def stamp(self, x: float, y: float, text: str, size: int, colour: str, angle: float, opacity: float,
              framed: bool = False) -> None:  # fmt: skip
        """斜着叠一层半透明的字：水印，或加框的印章；(x, y) 是中心。墨迹留在字下面看得清。"""
        width, height = self.measure(text, size) + size, size * 2
        layer = Image.new("L", (width, height), 0)
        brush = ImageDraw.Draw(layer)
        font = self.font if has_glyph(self.font, text[0]) else next(iter(FONTS))
        brush.text((width // 2, height // 2), text, 255, load_font(font, size), anchor="mm")
        if framed:
            brush.rounded_rectangle((2, 2, width - 3, height - 3), size // 4, outline=255, width=max(2, size // 12))
        layer = layer.rotate(angle, expand=True, resample=Image.Resampling.BILINEAR).point(lambda v: int(v * opacity))
        self.image.paste(colour, (round(x - layer.width / 2), round(y - layer.height / 2)), layer)

    def spans(self) -> list[tuple[str, range]]:
        """各分组的标题与其中各项的序号。"""
        ends = [start for _, start in self.sections[1:]] + [len(self.report.items)]
        return [(title, range(start, end)) for (title, start), end in zip(self.sections, ends, strict=True)]

    def fill_template(self, index: int, template: str) -> Pieces:
        """模板 -> `pieces` 要的几段。"""
        pieces: Pieces = []
        is_dropped = False
        for literal, field, _, _ in Formatter().parse(template):
            literal = literal.lstrip(")）]】 ") if is_dropped else literal
            text, label = self._value(index, field) if field else "", field
            if field == "mark" and not text and self.flags[index] == "normal":
                text, label = self.habits.normal, None
            is_dropped = bool(field) and not text
            literal = literal.rstrip("(（[【 ：:") if is_dropped else literal
            if field == "code" and text and not literal and pieces and re.search("[A-Za-z0-9]$", pieces[-1][1]):
                # `肌钙蛋白I` 后面粘着 `cTnI`，人也分不开
                literal = " "
            label = "reference_range" if field in ("low", "high") else label
            pieces += [piece for piece in ((None, literal), (label, text)) if piece[1]]
        return pieces

    def _value(self, index: int, field: str) -> str:
        item = self.report.items[index]
        if field in self.extras.get(index, {}):
            return self.extras[index][field]
        if field in settings()["cells"]:
            return pick(self.rng, settings()["cells"][field])
        if field == "serial":
            return str(self.serial_start + index)
        if field == "previous":
            number, factor = re.fullmatch(r"\d+\.?(\d*)", item.result), self.rng.uniform(0.9, 1.1)
            old = f"{float(item.result) * factor:.{len(number[1])}f}" if number else item.result
            return old if self.rng.random() < 0.85 else ""
        if field == "method":
            is_number, is_blood = re.match(r"[<>]?\d", item.result), re.search("血常规|血细胞", self.report.report_type)
            kind = "other_methods" if not is_number else "blood_methods" if is_blood else "methods"
            return pick(self.rng, settings()[kind])
        if field in ("low", "high"):
            sides = re.fullmatch(r"\(?(-?[\d.]+) ?[-~—～]+ ?([\d.]+)\)?", item.reference_range)
            return sides[1 if field == "low" else 2] if sides else item.reference_range if field == "high" else ""
        if field == "english":
            return english_names().get(item.name, "")
        if field == "specimen":
            return "尿液" if "尿" in self.report.report_type else "血清"
        return getattr(item, field, "") or ""
