"""把 `Sheet` 画成一页：用渲染器的画布、页头与表，真值跟着走。"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lab_report.paper_rows import Rng, Row, Sheet, words
from PIL import Image

from health_assistant.lab_report.rendering.degradations import DEGRADATIONS
from health_assistant.lab_report.rendering.drawing import FONTS, LATIN_FONTS, Habits, Page
from health_assistant.lab_report.rendering.sampling import pick
from health_assistant.lab_report.rendering.sheets import draw_sheet
from health_assistant.lab_report.report import PrintedRow, ReadReport
from health_assistant.lab_report.scoring import TrueItem

PLAIN_FINISHES = ("clean", "clean", "clean", "clean", "blur", "faint", "jpeg_20", "forwarded", "noise", "slight_skew")
_TALLEST = 4000

After = Callable[[Page, int], int]
"""画完之后添的东西：（页，画到的最低处）-> 最低处。"""


@dataclass(frozen=True)
class Kind:
    """一种难处。

    make 给内容；columns 是 `draw_sheet` 的列，几套里抽一套；marks 是判断 -> 印的标记，几种里抽一种；
    habits、finishes 各抽一个；after 依次添；draw 是自己的画法；options 传给 `draw_sheet`，值是列表就抽一个。
    cut 是裁掉邻栏时留下的一边（left、right）；transparent 是透明底上墨的颜色；bold 是异常的结果都加粗。
    """

    make: Callable[[Rng], Sheet]
    columns: tuple[list, ...] = ()
    marks: tuple[dict[str, str], ...] = ({},)
    habits: tuple[Habits, ...] = (Habits(),)
    finishes: Sequence[str] = PLAIN_FINISHES
    after: tuple[After, ...] = ()
    fonts: Sequence[str] = (*FONTS, *FONTS, *LATIN_FONTS)
    width: Sequence[int] = (1100, 1700)
    size: Sequence[int] = (20, 32)
    draw: Callable[[Page], int] | None = None
    cut: str = ""
    transparent: str = ""
    bold: bool = False
    options: dict[str, Any] | None = None


@dataclass(frozen=True)
class PaperPage:
    """一页的图（RGB，透明的是 RGBA）与真值。"""

    image: Image.Image
    items: list[TrueItem]


@dataclass(frozen=True)
class Laid:
    """排好的一页：纸的左右两边拍到哪里，最低处，拍到的是哪些行的真值。"""

    page: Page
    left: int
    right: int
    bottom: int
    items: list[TrueItem]


def lay_out(kind: Kind, rng: Rng, paper: type[Page] = Page) -> Laid:
    """抽一页、画在 paper 上。"""
    sheet, marks = kind.make(rng), pick(rng, kind.marks)
    items = [_printed(row, marks) for row in sheet.rows]
    report = ReadReport(report_type=sheet.title, items=items, sex=sheet.sex, age=sheet.age)
    flags = [row.flag for row in sheet.rows]
    width, size = (int(rng.integers(low, high + 1)) for low, high in (kind.width, kind.size))
    page = paper(report, flags, [(sheet.title, 0)], rng, pick(rng, kind.fonts), width, _TALLEST, size)
    page.extras = {at: row.extra for at, row in enumerate(sheet.rows)}
    page.habits = pick(rng, kind.habits)
    page.bold_abnormal |= kind.bold
    if kind.draw:
        bottom = kind.draw(page)
    else:
        usual = {"rules": ["ends", "ends", "none", "rows", "grid"], "pitch": [1.4, 1.6, 1.8, 2.0], "fields": [3, 4, 5]}
        chosen = {key: pick(rng, value) if isinstance(value, list) else value
                  for key, value in (usual | (kind.options or {})).items()}  # fmt: skip
        margin = int(rng.integers(40, 110))
        bottom = draw_sheet(page, pick(rng, kind.columns), margin=(margin, margin), english=sheet.english, **chosen)
    for add in kind.after:
        bottom = add(page, bottom)
    left, right, shown = _cut(page, kind.cut)
    rows = [sheet.rows[at] for at in shown if not sheet.rows[at].is_note]
    return Laid(page, left, right, bottom, [TrueItem(**_fields(row), flag=row.flag) for row in rows])


def draw_kind(kind: Kind, rng: Rng) -> PaperPage:
    """抽一页、画出来、破坏。"""
    laid = lay_out(kind, rng)
    image = laid.page.image.crop((laid.left, 0, laid.right, laid.bottom + int(rng.integers(40, 90))))
    if kind.transparent:
        clear = Image.new("RGBA", image.size, kind.transparent)
        clear.putalpha(image.convert("L").point(lambda value: min(255, round((255 - value) * 1.1))))
        return PaperPage(clear, laid.items)
    image, _ = DEGRADATIONS[pick(rng, kind.finishes)](image, rng, laid.page.size)
    return PaperPage(image, laid.items)


def _fields(row: Row) -> dict[str, str]:
    return {"name": row.name, "code": row.code, "result": row.result, "unit": row.unit, "reference_range": row.range}


def _printed(row: Row, marks: dict[str, str]) -> PrintedRow:
    printed = {"reference_range" if key == "range" else key: text for key, text in row.printed.items()}
    return PrintedRow(**(_fields(row) | printed), mark=None if row.is_note else marks.get(row.flag))


def _cut(page: Page, side: str) -> tuple[int, int, range]:
    """左右两栏的单子只拍到一栏，另一栏只剩边上的几个字：拍到的左右两端与行；留下的一栏是 side，空串是都拍到。"""
    count, width = len(page.report.items), page.image.width
    half = (count + 1) // 2
    if not side:
        return 0, width, range(count)
    if side == "left":
        left, right = zip(*(page.boxes[at]["name"][::2] for at in range(half, count)), strict=True)
        return 0, round(min(left) + min(0.35 * (max(right) - min(left)), 1.6 * page.size)), range(half)
    last = max(page.boxes[0], key=lambda field: page.boxes[0][field][2])
    left, right = zip(*(page.boxes[at][last][::2] for at in range(half) if last in page.boxes[at]), strict=True)
    edge = max(min(right), max(right) - 1.2 * page.size)
    return round(min(edge, max(right) - 0.5 * page.size)), width, range(half, count)


def staff(page: Page, bottom: int) -> int:
    """签名、图例、说明。"""
    rng, size, y, lines = page.rng, page.size, bottom + page.size, words()["staff"]
    for at in rng.permutation(len(lines))[: rng.integers(2, 6)]:
        page.text(70, y, lines[at], round(size * pick(rng, (0.8, 1.0))))
        y += round(size * 1.7)
    return y


def staff_table(page: Page, bottom: int) -> int:
    """页脚排成像表格的几列：检验者、审核者，下面是名字与日期。"""
    size, y = page.size, bottom + page.size
    for at, title in enumerate(("检验者", "审核者", "报告日期", "检验仪器")):
        page.text(80 + at * page.image.width * 0.23, y, title)
    for at, value in enumerate(("赵某", "钱某某", "2024-05-06", "BC-6800")):
        page.text(80 + at * page.image.width * 0.23, y + size * 1.6, value)
    return y + size * 3


def footnotes(page: Page, bottom: int) -> int:
    page.text(70, bottom + page.size, "1 标本轻度溶血  2 已复查  3 见备注")
    return bottom + page.size * 2
