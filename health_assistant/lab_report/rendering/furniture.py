"""报告单表格以外的内容：医院名、标题、病人信息、页脚、水印。用词在 wording.yaml 里。"""

import math
import re

from health_assistant.lab_report.rendering.drawing import Page
from health_assistant.lab_report.rendering.sampling import pick, settings

HOSPITALS = tuple(settings()["hospitals"])


def _pairs(page: Page, key: str) -> list[tuple[str, str]]:
    """wording.yaml 里的一张表 ->（标签，内容）的若干对；送检在上午，出报告在下午，同一天。"""
    rng, report, is_english = page.rng, page.report, key.endswith("english")
    kind = report.report_type
    blood = ("静脉血", "全血") if "血" in kind else ("静脉血", "血清", "血清")
    fill = {
        "sex": {"男": "Male", "女": "Female"}.get(report.sex, "") if is_english else report.sex or "",
        "age": report.age or "",
        "specimen": "尿液" if "尿" in kind else "粪便" if "便" in kind else pick(rng, blood),
        "date": page.date,
        "morning": f"{page.date} {rng.integers(7, 12):02d}:{rng.integers(60):02d}",
        "afternoon": f"{page.date} {rng.integers(13, 18)}:{rng.integers(60):02d}:{rng.integers(60):02d}",
    }
    pairs = [[pick(rng, words.split("/")).format(**fill) for words in pair] for pair in settings()[key]]
    return [(label, re.sub("#", lambda _: str(rng.integers(1, 10)), value)) for label, value in pairs]


def record_origin(page: Page, label: str, value: str) -> None:
    """印了这一栏：是时间、医院、标本的（wording.yaml 的 origin），照印的记作真值；同一栏印了两次的是第一次。"""
    for field, labels in settings()["origin"].items():
        if label in labels:
            page.origin.setdefault(field, value)


def patient(page: Page, english: bool = False) -> list[tuple[str, str]]:
    """（标签，内容）的若干对，有的医院有、有的没有；性别、年龄在报告里有才写。"""
    rng, pairs = page.rng, _pairs(page, "patient_english" if english else "patient")
    who, rest = pairs[:3], [pair for pair in pairs[3:] if rng.random() < 0.75]
    if rng.random() < 0.2:
        who[1:1], rest = rest[:1], rest[1:]
    return [(label, value) for label, value in who + rest if value]


def patient_line(page: Page) -> str:
    """姓名、性别、年龄，有哪几样写哪几样。"""
    return "  ".join(value for label, value in patient(page) if label in ("姓名", "性别", "年龄"))


def head(page: Page, x0: int, x1: int, y: int, columns: int = 4, titles: str = "two", english: bool = False) -> int:
    """画页头，返回下边的 y。titles：two 医院一行、标题一行，one 合成一行，left 靠左。"""
    rng, size = page.rng, page.size
    hospital = "Example General Hospital" if english else pick(rng, HOSPITALS)
    title = page.report.report_type + (" Report" if english else pick(rng, settings()["titles"]))
    record_origin(page, "医院", hospital)
    big = round(size * pick(rng, (1.4, 1.6, 1.8)))
    for text in (hospital, title) if titles == "two" else (f"{hospital} {title}",):
        fitting = min(big, int(big * (x1 - x0) * 0.95 / page.measure(text, big)))
        x, anchor = (x0, "l") if titles == "left" else ((x0 + x1) // 2, "m")
        page.text(x, y + big * 0.6, text, fitting, anchor=anchor, bold=bool(rng.random() < 0.5))
        y += round(big * 1.5)
    colon = ": " if english else pick(rng, ("：", "：", ":", "： "))
    cell, pitch, at = (x1 - x0) / columns, round(size * pick(rng, (1.5, 1.7))), 0
    for label, value in patient(page, english):
        record_origin(page, label, value)
        text = f"{label}{colon}{value}"
        takes = min(columns, math.ceil((page.measure(text) + size * 0.6) / cell))
        if at % columns + takes > columns:
            at += columns - at % columns
        page.text(x0 + at % columns * cell, y + (at // columns + 0.5) * pitch, text)
        at += takes
    return y + math.ceil(at / columns) * pitch + round(size * 0.5)


def foot(page: Page, x0: int, x1: int, y: int, english: bool = False) -> int:
    """画页脚，返回下边的 y；有的医院没有。"""
    rng, size, x = page.rng, page.size, x0
    for label, value in _pairs(page, "foot_english" if english else "foot"):
        text = f"{label}{': ' if english else '：'}{value}"
        if rng.random() < 0.8:
            if x > x0 and x + page.measure(text) > x1:
                x, y = x0, y + round(size * 1.6)
            record_origin(page, label, value)
            page.text(x, y + size, text)
            x += page.measure(text) + size * 2
    y += round(size * 2)
    note = "" if english else pick(rng, settings()["notes"])
    if note:
        page.text(x0, y + size * 0.7, note, round(size * 0.85))
        y += round(size * 1.5)
    return y


def overlay(page: Page, bottom: int) -> None:
    """偶尔叠一层淡水印，或在页脚附近盖一个淡印章。"""
    rng, width, chance = page.rng, page.image.width, page.rng.random()
    if chance < 0.12:
        text = pick(rng, ("仅供参考", "检验科", "复印无效"))
        for k in range(1, 3):
            page.stamp(width / 2, bottom * k / 3, text, width // 12, "#7a8a9a", 25, 0.16)
    elif chance < 0.27:
        x, y, size = width * rng.uniform(0.6, 0.85), bottom - page.size * 2, round(page.size * 1.3)
        text, angle = pick(rng, ("检验专用章", "已审核")), rng.uniform(-12, 12)
        page.stamp(x, y, text, size, "#c0392b", angle, 0.45, framed=True)
