"""画一张张小化验单，专难像素这一层：箭头粘着数、粘着范围，数字挤得紧，糊、淡、压缩过、深底浅字。"""

import random
from dataclasses import dataclass

from lab_report.drawn_lines import COLORS, SHAPES, polygon_arrow, spoil
from PIL import Image, ImageDraw

from health_assistant.lab_report.rendering.drawing import FONTS, has_glyph, load_font
from health_assistant.lab_report.scoring import TrueItem

ITEMS = {
    "总胆固醇": ("mmol/L", "2.80-5.17", 2), "甘油三酯": ("mmol/L", "0.45-1.70", 2), "尿酸": ("μmol/L", "208-428", 0),
    "葡萄糖": ("mmol/L", "3.90-6.10", 2), "尿素": ("mmol/L", "3.1-8.0", 1), "肌酐": ("μmol/L", "57-111", 0),
    "白细胞计数": ("10^9/L", "3.5-9.5", 1), "血小板计数": ("10^9/L", "125-350", 0), "血红蛋白": ("g/L", "115-150", 0),
    "总胆红素": ("μmol/L", "3.4-21.0", 1), "白蛋白": ("g/L", "40.0-55.0", 1), "钾": ("mmol/L", "3.50-5.30", 2),
    "钙": ("mmol/L", "2.11-2.52", 2), "谷丙转氨酶": ("U/L", "9-50", 0), "淋巴细胞计数": ("10^9/L", "1.10-3.20", 2),
}  # fmt: skip


@dataclass(frozen=True)
class Style:
    """place 是箭头粘在哪里：before、after（结果）、range（范围）或空串（没有箭头）。

    spacing 是字间距，像素；inks 是墨的灰度。
    """

    place: str
    spacing: float = 0
    sizes: tuple[int, int] = (16, 30)
    inks: tuple[int, ...] = (0, 30, 80, 110)


@dataclass(frozen=True)
class PrintedCell:
    """画在哪里的一格：左右两端与基线，像素；is_hard 是难认的一格，要真的看像素。"""

    text: str
    x0: float
    x1: float
    y: float
    is_hard: bool = False


@dataclass(frozen=True)
class Sheet:
    """画好的一页、各行的真值、画着的各格。"""

    image: Image.Image
    rows: list[TrueItem]
    cells: list[PrintedCell]
    size: int


def draw_rows(rng: random.Random) -> list[TrueItem]:
    """十五项，约一半超出范围；超出的不太多，好让多读一个 1 的数也像真的。"""
    rows = []
    for name, (unit, limits, digits) in ITEMS.items():
        low, high = map(float, limits.split("-"))
        value = round(rng.uniform(low * 0.6, high * 1.35), digits)
        flag = "low" if value < low else "high" if value > high else "normal"
        row = {"name": name, "result": f"{value:.{digits}f}", "unit": unit, "reference_range": limits}
        rows.append(TrueItem(**row, flag=flag))
    rng.shuffle(rows)
    return rows


def draw_sheet(rng: random.Random, style: Style) -> Sheet:
    rows = draw_rows(rng)
    font_name, size = rng.choice([*FONTS]), rng.randint(*style.sizes)
    font = load_font(font_name, size)
    paper, ink = rng.choice([(255,) * 3, (250, 250, 245), (200,) * 3]), (rng.choice(style.inks),) * 3
    if rng.random() < 0.1:
        paper, ink = (20,) * 3, (235,) * 3
    pitch, columns = round(1.9 * size), [round(at * size) for at in (1, 9, 15, 21)]
    image = Image.new("RGB", (30 * size, pitch * (len(rows) + 4)), paper)
    draw = ImageDraw.Draw(image)
    cells: list[PrintedCell] = []
    arrow = _Arrow(rng, style, size, ink, font_name)
    gap = rng.choice([0, 1, 2, 0.15 * size, 0.3 * size])
    head = dict(zip(columns, ("项目名称", "结果", "单位", "参考范围"), strict=True))
    for y, line in ((pitch, {10 * size: "检验报告单"}), (round(2.2 * pitch), head)):
        for x, text in line.items():
            cells.append(PrintedCell(text, x, _write(draw, x, y, text, font, ink, 0), y))
    hard = "range" if style.place == "range" else "result"
    for at, row in enumerate(rows):
        y = round((3.3 + at) * pitch)
        mark = {"high": "↑", "low": "↓"}.get(row.flag) if style.place else None
        texts = {"name": row.name, "result": row.result, "unit": row.unit, "range": row.reference_range}
        for start, (name, text) in zip(columns, texts.items(), strict=True):
            is_marked = mark and name == hard
            end = _write(draw, start, y, text, font, ink, style.spacing if name == "result" else 0)
            if is_marked and style.place == "after":
                arrow.put(image, end + gap, y, mark)
                end += gap + arrow.width(mark)
            elif is_marked:
                start -= gap + arrow.width(mark)
                arrow.put(image, start, y, mark)
            cells.append(PrintedCell(text, start, end, y, name == hard))
    return Sheet(Image.fromarray(spoil(rng, image, size)[:, :, ::-1]), rows, cells, size)


def _write(draw: ImageDraw.ImageDraw, x: float, y: float, text: str, font, ink, spacing: float) -> float:
    for one in text:
        draw.text((x, y), one, font=font, fill=ink, anchor="ls")
        x += font.getlength(one) + spacing
    return x - spacing


class _Arrow:
    """一页里的箭头都一个样子：字体里的一种，或同一种多边形。"""

    def __init__(self, rng: random.Random, style: Style, size: int, ink, font_name: str) -> None:
        self.size, self.color = size, ink if rng.random() < 0.6 else rng.choice(COLORS)
        self.bold = int(rng.random() < 0.3)
        shape = rng.randrange(len(SHAPES["↑"]))
        usable = [name for name in FONTS if has_glyph(name, SHAPES["↑"][shape])]
        self.font = load_font(rng.choice(usable), round(size * rng.uniform(0.9, 1.1)))
        self.shapes = {arrow: SHAPES[arrow][shape] for arrow in "↑↓"}
        self.mask = polygon_arrow(rng, size * rng.uniform(0.65, 0.95), True) if rng.random() < 0.4 else None

    def width(self, arrow: str) -> float:
        return self.mask.width if self.mask else self.font.getlength(self.shapes[arrow])

    def put(self, image: Image.Image, x: float, y: float, arrow: str) -> None:
        if self.mask is None:
            draw = ImageDraw.Draw(image)
            draw.text((x, y), self.shapes[arrow], font=self.font, fill=self.color, anchor="ls", stroke_width=self.bold)
            return
        mask = self.mask if arrow == "↑" else self.mask.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        image.paste(
            Image.new("RGB", mask.size, self.color), (round(x), round(y - 0.37 * self.size - mask.height / 2)), mask
        )
