"""画留出版式的工具与几种画法；哪种版式用哪种，写在 held_out_layouts.yaml 里。"""

import re
from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise

from health_assistant.lab_report.rendering.drawing import Page, Pieces
from health_assistant.lab_report.rendering.furniture import foot, head, patient
from health_assistant.lab_report.rendering.sampling import pick


def put(page: Page, index: int, left: float, right: float, y: float, template: str, size: int | None = None,
        anchor: str = "l", ink: str = "") -> None:  # fmt: skip
    """写一格，放不下就缩小；长的分人群的范围先折成两行。ink 是颜色，不写就照 `Page.ink_of`。"""
    pieces, size, room = page.fill_template(index, template), size or page.size, right - left
    lines = [pieces] if page.width_of(pieces, size) <= room else _fold(pieces)
    need = max(page.width_of(line, size) for line in lines)
    size = size if need <= room else max(12, int(size * room / need))
    colour, bold = page.ink_of(index, template)
    x = {"l": left, "m": (left + right) / 2, "r": right}[anchor]
    for at, line in enumerate(lines):
        page.pieces(index, x, y + (at - (len(lines) - 1) / 2) * size * 1.15, line, size, ink or colour, anchor, bold)


def edges_of(x0: float, x1: float, shares: Iterable[float]) -> list[float]:
    """各列按比例分，所有的竖边。"""
    return list(accumulate((share * (x1 - x0) for share in shares), initial=float(x0)))


def _fold(pieces: Pieces) -> list[Pieces]:
    for at, (field, text) in enumerate(pieces):
        cut = re.search(r"\[?女|新生儿", text)
        if field == "reference_range" and cut and cut.start():
            return [[*pieces[:at], (field, text[: cut.start()])], [(field, text[cut.start() :]), *pieces[at + 1 :]]]
    return [pieces]


def ledger(page: Page, columns: list[str], english: bool = False, blocks: int = 1, gutter: float = 1.0,
           pad: float = 0.25, fields: int = 4, pitch: float = 1.6, neighbour: bool = False) -> int:  # fmt: skip
    """页头、按比例分列的表、页脚。

    columns 的每列是 `模板 | 占几成 | l、m 或 r | 表头`；blocks 是并排几块，gutter 是两块之间的空白，
    pad 是格子里的留白，都是字号的倍数；neighbour 是左右两边各露出旁边一张纸的一截，被照片的边切断。
    """
    size, x0, x1 = page.size, 96, page.image.width - 96
    y = head(page, x0, x1, 60, fields, pick(page.rng, ("two", "one")), english)
    templates, shares, anchors, heads = zip(
        *([part.strip() for part in one.split("|")] for one in columns), strict=True
    )
    count, top, tall, gap = len(page.report.items), y, round(size * pitch), gutter * size
    length, wide = -(-count // blocks), (x1 - x0 - gap * (blocks - 1)) / blocks
    page.line(x0, y, x1, y)
    for block in range(blocks):
        left = x0 + block * (wide + gap)
        edges = edges_of(left, left + wide, map(float, shares))
        cells = list(zip(pairwise(edges), templates, anchors, heads, strict=True))
        for (start, end), _, anchor, words in cells:
            x = {"l": start + pad * size, "m": (start + end) / 2, "r": end - pad * size}[anchor]
            page.text(
                x,
                y + tall / 2,
                words,
                min(size, round(size * (end - start) / max(1, page.measure(words)))),
                anchor=anchor,
            )
        for index in range(block * length, min(count, (block + 1) * length)):
            middle = y + tall * (index - block * length + 1.5)
            for (start, end), template, anchor, _ in cells:
                put(page, index, start + pad * size, end - pad * size, middle, template, anchor=anchor)
    page.line(x0, y + tall, x1, y + tall, 1)
    y += tall * (length + 1)
    page.line(x0, y, x1, y)
    if neighbour:
        _neighbour(page, top, y, tall)
    return foot(page, x0, x1, y, english)


def _neighbour(page: Page, top: int, bottom: int, tall: int) -> None:
    """左边露出单位与范围的尾巴，右边露出序号与名称的头；两张纸之间有一道影子。"""
    rng, width, size = page.rng, page.image.width, page.size
    tails = ("5.20", "mol/L", "U/L", "-40", "1.02", "↑", "g/L", "性", "")
    names = ("1 谷草", "2 尿素", "3 肌酐", "4 葡萄", "5 甘油", "6 总胆", "7 白蛋", "8 钾", "9 尿酸")
    shift = int(rng.integers(0, tall))
    for at, y in enumerate(range(top + shift, bottom, tall)):
        page.text(58, y, pick(rng, tails), size, anchor="r")
        page.text(width - 52, y, names[at % len(names)], size)
    for x in (72, width - 72):
        page.line(x, top - tall, x, bottom + tall, 4, fill="#b9bcc2")


def paired_cards(page: Page) -> int:
    """手机上两张卡片一排：名称，下面一行大字是结果连着括号里的范围，再下面是单位与标记。"""
    rng, size, width = page.rng, page.size, page.image.width
    theme = pick(rng, ("#0f8a6c", "#3557c4", "#8a4bb0"))
    page.drawing.rectangle((0, 0, width, page.image.height), "#eef1f5")
    page.drawing.rectangle((0, 0, width, 150), theme)
    page.text(
        width / 2, 96, pick(rng, ("检验详情", "我的化验", "健康档案")), round(size * 1.2), "#ffffff", "m", bold=True
    )
    who = dict(patient(page))
    line = "  ".join(who[label] for label in ("姓名", "性别", "年龄") if label in who)
    page.text(48, 200, f"{page.report.report_type}   {line}", size)
    joined = pick(
        rng, ("{result}({reference_range})", "{result} ({reference_range})", "{result}{mark}[{reference_range}]")
    )
    wide, tall = (width - 72) // 2, round(size * 5.4)
    for index in range(len(page.report.items)):
        left, y = 24 + index % 2 * (wide + 24), 250 + index // 2 * (tall + 24)
        page.drawing.rounded_rectangle((left, y, left + wide, y + tall), 18, fill="#ffffff")
        inside, end = left + 24, left + wide - 24
        put(page, index, inside, end, y + size * 1.0, "{name}", ink="#555b66")
        put(page, index, inside, end, y + size * 2.7, joined, round(size * 1.15))
        put(
            page,
            index,
            inside,
            end,
            y + size * 4.3,
            "{unit}" if "{mark}" in joined else "{unit}  {mark}",
            ink="#777d88",
        )
    return 250 + -(-len(page.report.items) // 2) * (tall + 24)


def night_list(page: Page) -> int:
    """夜间模式的列表：名称与代号在左，结果在右，下面一行灰字是范围与单位，标记是色块里的字。"""
    rng, size, width = page.rng, page.size, page.image.width
    ground, raised, plain, dim = pick(
        rng, (("#000000", "#1c1c1e", "#f2f2f7", "#8e8e93"), ("#15181d", "#20252c", "#dfe3ea", "#8b93a1"))
    )
    page.drawing.rectangle((0, 0, width, page.image.height), ground)
    page.text(48, 44, f"{rng.integers(0, 24)}:{rng.integers(10, 60)}", round(size * 0.8), plain, bold=True)
    page.text(width / 2, 120, pick(rng, ("报告单", "检查结果", "检验报告")), round(size * 1.15), plain, "m", bold=True)
    page.text(48, 200, page.report.report_type, size, dim)
    y, tall = 250, round(size * 3.7)
    limits = pick(
        rng, ("参考 {reference_range} {unit}", "{reference_range}  {unit}", "正常范围:{reference_range}{unit}")
    )
    for index, item in enumerate(page.report.items):
        page.drawing.rounded_rectangle((24, y, width - 24, y + tall - 10), 14, fill=raised)
        tint = "#ff7b72" if page.flags[index] in ("high", "abnormal") else "#79b8ff"
        put(page, index, 56, width * 0.62, y + size * 1.1, "{name} {code}", ink=plain)
        put(page, index, 56, width - 200, y + size * 2.55, limits, round(size * 0.85), ink=dim)
        put(
            page,
            index,
            width * 0.64,
            width - 56,
            y + size * 1.1,
            "{result}",
            anchor="r",
            ink=tint if item.mark else plain,
        )
        if item.mark:
            reach = page.measure(item.mark, round(size * 0.8)) / 2 + 14
            middle, at = width - 56 - reach, y + size * 2.55
            page.drawing.rounded_rectangle(
                (middle - reach, at - size * 0.6, middle + reach, at + size * 0.6), 10, fill=tint
            )
            page.pieces(index, middle, at, [("mark", item.mark)], round(size * 0.8), ground, "m")
        y += tall
    return y + size


_REMARKS: Sequence[str] = (
    "本项目采用化学发光法测定，线性范围 0.1-1000，批内变异小于 5%。",
    "采血前请空腹 8-12 小时，避免剧烈运动；溶血、脂血会影响结果。",
    "结果应结合病史与其他检查综合判断，2 周后可复查。",
    "样本在 2-8 度可保存 7 天，报告时间为收到后 24 小时内。",
)


def single_test(page: Page) -> int:
    """一页只有一项：每个内容一行，标签在前，下面是成段的说明，里面也有数。"""
    rng, size, x0, x1 = page.rng, page.size, 100, page.image.width - 100
    y = head(page, x0, x1, 60, 3, "two")
    colon = pick(rng, ("：", "： ", ":"))
    lines = pick(rng, (
        ("项目名称|{name}", "英文缩写|{code}", "检测结果|{result} {mark}", "单位|{unit}", "参考区间|{reference_range}"),
        ("检测项目|{name}({code})", "参考值|{reference_range} {unit}", "结果|{result}", "结果提示|{mark}"),
        ("检验项目|{name}", "检验结果|{result} {unit} {mark}", "正常参考范围|{reference_range}"),
    ))  # fmt: skip
    printed = " ".join(lines)
    for index in range(len(page.report.items)):
        page.line(x0, y, x1, y, 2)
        for line in lines:
            label, template = line.split("|")
            y += round(size * 1.9)
            page.text(x0, y, label + colon, bold=True)
            put(page, index, x0 + size * 7, x1, y, template)
        if "{code}" not in printed:
            put(page, index, x1 - size * 9, x1, y, "{code}", anchor="r")
        y += round(size * 1.6)
    page.line(x0, y, x1, y, 2)
    for remark in rng.permutation(_REMARKS)[: rng.integers(2, 5)]:
        y += round(size * 1.8)
        page.text(x0, y, str(remark), round(size * 0.9))
    return foot(page, x0, x1, y + size)
