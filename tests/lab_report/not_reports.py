"""不是化验单的图片：白纸、药方、小票、成绩单……读者应当说“不是”，而不是读出几行来。"""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from health_assistant.checked_yaml import load_yaml

UNREADABLE = {"report_unreadable"}
NOT_LAB = {"not_a_lab_report", "other_paper"}
EITHER = UNREADABLE | NOT_LAB


@dataclass(frozen=True)
class Page:
    """一页文字的样子。"""

    text: str
    width: int = 1000
    size: int = 28
    ruled: bool = False
    serif: bool = False
    screen: bool = False
    ink: str = "#26262a"
    paper: str = "#fdfdfb"


_PATIENT = "姓名：何某某　性别：女　年龄：<30-70>岁　住院号：<200000-299999>"
_DOCTORS = "报告医师：陈某　审核医师：吴某　报告时间：2024-05-<10-28> 09:<10-59>"


def _paper(entry: dict) -> Page:
    """医院的一张单子：整页的字，或题目与一段话、一张表，上下各有病人与医师的一行。"""
    if "text" in entry:
        return Page(**entry)
    head = f"# {entry.pop('title')}\n{_PATIENT}\n"
    if "body" in entry:
        return Page(f"{head}---\n{entry.pop('body').strip()}\n---\n{_DOCTORS}", **entry)
    table = f"{entry.pop('table').strip()}\n{entry.pop('below', '').strip()}"
    return Page(f"{head}{table}\n{_DOCTORS}", **{"ruled": True} | entry)


_WRITTEN = load_yaml(Path(__file__).with_name("not_reports.yaml"))
PAGES = {name: Page(**entry) for name, entry in _WRITTEN["pages"].items()}
MEDICAL = {name: (entry.pop("is"), _paper(entry)) for name, entry in _WRITTEN["medical"].items()}
"""名字 -> （拒绝时应当说到的词，单子）。"""
MIXED = {name: (entry.pop("rows"), entry.pop("unread"), Page(**entry)) for name, entry in _WRITTEN["mixed"].items()}
"""名字 -> （要读全的行，要说没有读的，既有化验又有别的内容的一页）。"""
LAB_HEADS = _WRITTEN["lab_heads"]


@lru_cache(maxsize=64)
def font_of(size: int, serif: bool = False) -> ImageFont.FreeTypeFont:
    name = "NotoSerifSC-Regular.otf" if serif else "NotoSansSC-Regular.otf"
    return ImageFont.truetype(str(resources.files("pylopdf_fonts_zh_cn") / name), size)


def fill_numbers(text: str, rng: random.Random) -> str:
    """把 `<低-高>` 换成随机数，小数位数照样；`<<` 是一个小于号。"""

    def number(match: re.Match) -> str:
        places = len(match[1].partition(".")[2])
        return f"{rng.uniform(float(match[1]), float(match[2])):.{places}f}"

    return re.sub(r"<(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)>", number, text).replace("<<", "<")


def _wrap(text: str, font: ImageFont.FreeTypeFont, width: float) -> list[str]:
    lines = [""]
    for char in text:
        if font.getlength(lines[-1] + char) > width:
            lines.append("")
        lines[-1] += char
    return lines


def _draw_table(draw: ImageDraw.ImageDraw, rows: list[list[str]], top: int, page: Page, font) -> int:
    """画一张表，列宽按内容分，返回下一行的位置。"""
    natural = [max(font.getlength(cell) for cell in column) for column in zip(*rows, strict=True)]
    margin, step = 40, int(page.size * 1.75)
    spare = (page.width - 2 * margin - sum(natural)) / len(natural)
    lefts = [margin]
    for width in natural:
        lefts.append(lefts[-1] + width + spare)
    for index, row in enumerate(rows):
        for left, cell in zip(lefts, row, strict=False):
            draw.text((left + max(0, spare) * 0.2, top + index * step + step * 0.12), cell, page.ink, font)
    bottom = top + len(rows) * step
    if page.ruled:
        for index in range(len(rows) + 1):
            draw.line([(margin, top + index * step), (lefts[-1], top + index * step)], page.ink)
        for left in lefts:
            draw.line([(left, top), (left, bottom)], page.ink)
    return bottom + page.size // 2


def draw_page(page: Page, rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (page.width, 2400), page.paper)
    draw = ImageDraw.Draw(image)
    font, title_font = font_of(page.size, page.serif), font_of(int(page.size * 1.5), page.serif)
    top, rows = 40, []
    for line in [*fill_numbers(page.text, rng).strip("\n").split("\n"), ""]:
        if "|" in line:
            rows.append(line.split("|"))
            continue
        if rows:
            top, rows = _draw_table(draw, rows, top, page, font), []
        if line == "---":
            draw.line([(40, top + 8), (page.width - 40, top + 8)], page.ink)
            top += 24
        elif line.startswith("# "):
            draw.text((page.width // 2, top), line[2:], page.ink, title_font, anchor="ma")
            top += int(page.size * 2.3)
        else:
            for part in _wrap(line, font, page.width - 80):
                draw.text((40, top), part, page.ink, font)
                top += int(page.size * 1.6)
    image = image.crop((0, 0, page.width, top + 30))
    return image if page.screen else _photograph(image, rng)


def _photograph(image: Image.Image, rng: random.Random) -> Image.Image:
    """像随手拍的：放在桌上，有点斜，光线不匀，不太清晰。"""
    desk = rng.choice(["#6b5a48", "#8d8f94", "#3c4046", "#b49a78"])
    border = rng.randint(15, 60)
    canvas = Image.new("RGB", (image.width + 2 * border, image.height + 2 * border), desk)
    canvas.paste(image, (border, border))
    canvas = canvas.rotate(rng.uniform(-1.5, 1.5), Image.Resampling.BICUBIC, fillcolor=desk)
    canvas = canvas.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8)))
    return ImageChops.multiply(canvas, _shade(canvas.size, rng.randint(190, 225), rng))


def _shade(size: tuple[int, int], darkest: int, rng: random.Random) -> Image.Image:
    shade = Image.linear_gradient("L").rotate(rng.choice([0, 90, 180, 270])).resize(size)
    return shade.point(lambda value: darkest + value * (255 - darkest) // 255).convert("RGB")


def _noise(size: tuple[int, int], mean: int, sigma: float, rng: random.Random) -> Image.Image:
    small = Image.new("L", (size[0] // 2, size[1] // 2))
    small.putdata([round(rng.gauss(mean, sigma)) for _ in range(small.width * small.height)])
    return small.resize(size).convert("RGB")


def _blank_page(rng: random.Random) -> Image.Image:
    return Image.new("RGB", (900, 1200), rng.choice(["white", "#f7f5ef", "#f0f3f5"]))


def _shadowed_page(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (900, 1200), "#f4f2ec")
    hand = Image.new("L", image.size, 255)
    left = rng.randint(100, 500)
    ImageDraw.Draw(hand).ellipse((left, 500, left + 420, 1500), fill=130)
    return ImageChops.multiply(image, hand.filter(ImageFilter.GaussianBlur(50)).convert("RGB"))


def _covered_lens(rng: random.Random) -> Image.Image:
    return _noise((720, 960), 8, 4, rng)


def _too_dark(rng: random.Random) -> Image.Image:
    page = draw_page(PAGES["blank_lab_form"], rng).point(lambda value: value // 40)
    return ImageChops.add(page, _noise(page.size, 6, 5, rng).resize(page.size))


def _out_of_focus(rng: random.Random) -> Image.Image:
    return draw_page(PAGES["fee_list"], rng).filter(ImageFilter.GaussianBlur(rng.uniform(14, 20)))


def _ecg_strip(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (1200, 760), "#fff6f2")
    draw = ImageDraw.Draw(image)
    for at in range(0, 1200, 12):
        ink = "#e9a9a0" if at % 60 == 0 else "#f7d9d3"
        draw.line([(at, 220), (at, 760)], ink)
        draw.line([(0, 220 + at), (1200, 220 + at)], ink)
    draw.text((430, 16), "心电图检查报告", "#222", font_of(38))
    rate, beat = rng.randint(60, 95), rng.randint(140, 190)
    draw.text((30, 80), f"心率 HR {rate} 次/分　　PR 间期 {rng.randint(130, 190)} ms　　QRS {rng.randint(80, 105)} ms",
              "#222", font_of(28))  # fmt: skip
    draw.text((30, 126), f"QT/QTc {rng.randint(360, 400)}/{rng.randint(400, 430)} ms　　电轴 {rng.randint(20, 80)}°　　"
              "RV5/SV1 1.25/0.84 mV", "#222", font_of(28))  # fmt: skip
    draw.text((30, 172), "诊断：窦性心律，大致正常心电图　　25mm/s　10mm/mV", "#222", font_of(28))
    across = (0, 20, 30, 42, 58, 63, 70, 78, 84, 105, 122, 140)
    down = (0, 0, -12, 0, 0, 10, -95, 28, 0, 0, -22, 0)
    for lead, middle in zip(("Ⅱ", "V1", "V5"), (350, 520, 690), strict=True):
        shape = [(start + x, y) for start in range(0, 1200, beat) for x, y in zip(across, down, strict=True)]
        trace = [(x, middle + y + rng.uniform(-2, 2)) for x, y in shape]
        draw.line(trace, "#1c2430", 3)
        draw.text((12, middle - 60), lead, "#222", font_of(24))
    return image


def _chat_screenshot(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (750, 1180), "#ededed")
    draw = ImageDraw.Draw(image)
    draw.text((375, 20), "相亲相爱一家人(6)", "#111", font_of(32), anchor="ma")
    wbc = rng.uniform(11, 15)
    talk = [
        (0, f"昨天去查了血，白细胞 {wbc:.1f} 是不是高了？"), (1, "正常好像是 3.5-9.5 吧"), (1, "还有别的箭头吗"),
        (0, f"血红蛋白 {rng.randint(115, 140)}，血小板 {rng.randint(180, 320)}，这两个没箭头"),
        (1, "那就是有炎症，多喝水，明天再量个体温"), (0, f"刚量的 37.{rng.randint(3, 9)}℃"), (1, "[语音] 12″"),
        (0, f"转账 ￥{rng.randint(100, 500)}.00"),
    ]  # fmt: skip
    draw.text((375, 76), f"晚上 8:{rng.randint(10, 59)}", "#999", font_of(22), anchor="ma")
    top = 120
    for mine, words in talk:
        lines = _wrap(words, font_of(28), 430)
        width, height = max(font_of(28).getlength(line) for line in lines) + 40, 42 * len(lines) + 28
        left = 640 - width if mine else 110
        draw.rounded_rectangle((left, top, left + width, top + height), 12, fill="#95ec69" if mine else "white")
        draw.rounded_rectangle((660, top, 730, top + 70) if mine else (20, top, 90, top + 70), 8,
                               fill="#5b8db8" if mine else "#c98f5a")  # fmt: skip
        draw.multiline_text((left + 20, top + 10), "\n".join(lines), "#111", font_of(28), spacing=6)
        top += max(height, 70) + 30
    return image


def _cat_drawing(rng: random.Random) -> Image.Image:
    image = Image.new("RGB", (800, 800), rng.choice(["#ffe9c9", "#dcefe2", "#e6e1f2"]))
    draw = ImageDraw.Draw(image)
    fur = rng.choice(["#d98c3f", "#5a5a60", "#f4efe6"])
    draw.ellipse((230, 420, 570, 790), fill=fur)
    for ear in (((240, 250), (270, 90), (390, 200)), ((560, 250), (530, 90), (410, 200))):
        draw.polygon(ear, fill=fur, outline="#333")
    draw.ellipse((220, 150, 580, 480), fill=fur, outline="#333", width=3)
    for x in (310, 450):
        draw.ellipse((x, 260, x + 50, 330), fill="#8fbf5a")
        draw.ellipse((x + 18, 265, x + 32, 325), fill="#111")
    draw.polygon(((380, 350), (420, 350), (400, 375)), fill="#e58b8b")
    for slope in (-30, 0, 30):
        draw.line([(370, 380), (200, 380 + slope)], "#333", 3)
        draw.line([(430, 380), (600, 380 + slope)], "#333", 3)
    return image


def _landscape(rng: random.Random) -> Image.Image:
    image = Image.linear_gradient("L").resize((1000, 700)).convert("RGB")
    image = ImageChops.blend(Image.new("RGB", image.size, "#6fb1e8"), image, 0.25)
    draw = ImageDraw.Draw(image)
    draw.ellipse((700, 80, 820, 200), fill="#ffd75e")
    for depth, ink in enumerate(("#8fa6b8", "#5f8a6a", "#3f6b3d")):
        base = 380 + depth * 90
        ridge = [(x, base - rng.randint(0, 110)) for x in range(0, 1101, 100)]
        draw.polygon([(0, 700), *ridge, (1000, 700)], fill=ink)
    return image.filter(ImageFilter.GaussianBlur(1))


_DRAWN = {
    "blank_page": (_blank_page, UNREADABLE), "shadowed_page": (_shadowed_page, UNREADABLE),
    "covered_lens": (_covered_lens, UNREADABLE), "too_dark": (_too_dark, UNREADABLE),
    "out_of_focus": (_out_of_focus, UNREADABLE), "cat_drawing": (_cat_drawing, EITHER),
    "landscape": (_landscape, EITHER), "ecg_strip": (_ecg_strip, NOT_LAB),
    "chat_screenshot": (_chat_screenshot, NOT_LAB),
}  # fmt: skip


def kinds() -> dict[str, tuple[Callable[[int], Image.Image], set[str]]]:
    """每种图片的名字 -> （由种子画一张，允许的拒绝代码）。"""

    def seeded(draw: Callable[[random.Random], Image.Image]) -> Callable[[int], Image.Image]:
        return lambda seed: draw(random.Random(seed))

    drawn = {name: (seeded(draw), codes) for name, (draw, codes) in _DRAWN.items()}
    pages = {name: (seeded(lambda rng, page=page: draw_page(page, rng)), NOT_LAB) for name, page in PAGES.items()}
    medical = {
        name: (seeded(lambda rng, page=page: draw_page(page, rng)), {"other_paper"})
        for name, (_, page) in MEDICAL.items()
    }
    return drawn | pages | medical
