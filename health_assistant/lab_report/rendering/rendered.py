"""抽样、画、破坏，合成一张带真值的化验单图。"""

import zlib
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
from PIL import Image

from health_assistant.lab_report.rendering.degradations import BEYOND_LIMITS, DEGRADATIONS, Mapping
from health_assistant.lab_report.rendering.drawing import Page, union
from health_assistant.lab_report.rendering.furniture import overlay
from health_assistant.lab_report.rendering.layouts import HELD_OUT_LAYOUTS, LAYOUTS
from health_assistant.lab_report.rendering.sampling import pick, sample_report
from health_assistant.lab_report.report import Box, Flag, PrintedOrigin, ReadReport

_TALLEST = 4000


@dataclass(frozen=True)
class RenderedReport:
    """一张图和它的真值。

    image 是 RGB；report 照印刷内容（没印的字段是空串或 None），origin 是页上印了的；flags 每项一个，没有可比的是 None；
    boxes 每项一个字典，键是 row 与印了的 name、code、result、unit、reference_range、mark，
    值是 image 里的像素框 (x0, y0, x1, y1)，右、下不含，破坏之后的外接框。
    text_height 是破坏之前的字高（像素）。
    """

    image: Image.Image
    report: ReadReport
    flags: list[Flag | None]
    boxes: list[dict[str, Box]]
    text_height: float


def render(layout: str, degradation: str = "clean", seed: int = 0, font: str | None = None) -> RenderedReport:
    """抽一张虚构的化验单，按版式画出来，再破坏。同样的参数得到同样的字节；只换破坏，内容不变。"""
    style = _find(LAYOUTS | HELD_OUT_LAYOUTS, layout, "版式").style
    sample = sample_report(_rng(seed, "sample", layout), style)
    return degrade(draw_report(layout, sample.report, sample.flags, sample.sections, seed, font), degradation, seed)


def draw_report(layout: str, report: ReadReport, flags: list[Flag | None] | None = None,
                sections: list[tuple[str, int]] | None = None, seed: int = 0,
                font: str | None = None) -> RenderedReport:  # fmt: skip
    """把给定的报告画成一种版式，不破坏。

    flags 只影响异常值的颜色；sections 是分组的（标题，第一项的序号），默认全部一组；font 是 FONTS 里的名字。
    版式不印的字段（如无代号的版式里的 code）不会画，也没有框，报告要与版式相符。
    """
    chosen, rng = _find(LAYOUTS | HELD_OUT_LAYOUTS, layout, "版式"), _rng(seed, "draw", layout)
    flags = flags if flags is not None else [None] * len(report.items)
    if len(flags) != len(report.items) or not report.items:
        raise ValueError(f"报告有 {len(report.items)} 项，flags 有 {len(flags)} 个：至少要有一项，且一一对应。")
    width, size = (int(rng.integers(low, high + 1)) for low, high in (chosen.width, chosen.size))
    sections, font = sections or [(report.report_type, 0)], font or pick(rng, chosen.fonts)
    page = Page(report, flags, sections, rng, font, width, chosen.height or _TALLEST, size)
    if chosen.habits:
        page.habits = pick(rng, chosen.habits)
    bottom, image = chosen.draw(page), page.image
    if chosen.height is None:
        # 有的照片连着半页白纸，有的裁到页脚
        overlay(page, bottom)
        height = max(bottom + int(rng.integers(40, 90)), int(width * pick(rng, (0, 0, 0.705, 1.414))))
        image = image.crop((0, 0, width, height))
    fields = [page.boxes[index] for index in range(len(report.items))]
    boxes = [{"row": reduce(union, row.values()), **row} for row in fields]
    report = report.model_copy(update={"origin": PrintedOrigin(**page.origin) if page.origin else None})
    return RenderedReport(image, report, flags, boxes, size)


def degrade(rendered: RenderedReport, degradation: str, seed: int = 0) -> RenderedReport:
    """破坏一张画好的图（degradation 是 DEGRADATIONS 里的名字），框跟着走；同一个 seed 同样地破坏。"""
    step = _find(DEGRADATIONS | BEYOND_LIMITS, degradation, "破坏")
    image, mapping = step(rendered.image, _rng(seed, "degrade", degradation), rendered.text_height)
    boxes = [{field: _map_box(box, mapping, image.size) for field, box in row.items()} for row in rendered.boxes]
    return replace(rendered, image=image, boxes=boxes)


def _find(known: dict, name: str, kind: str):
    if name not in known:
        raise ValueError(f"没有“{name}”这种{kind}。可用的有：{'、'.join(known)}。")
    return known[name]


def _map_box(box: Box, mapping: Mapping, size: tuple[int, int]) -> Box:
    """框的四边各取几点映射过去，再取外接框；弯曲的边也不会漏。"""
    along = np.linspace(box[:2], box[2:], 5)
    points = [(x, y) for x in along[:, 0] for y in box[1::2]] + [(x, y) for x in box[::2] for y in along[:, 1]]
    moved = mapping(np.array(points, float))
    low, high = np.floor(moved.min(axis=0) + 1e-6), np.ceil(moved.max(axis=0) - 1e-6)
    left, top, right, bottom = (int(v) for v in (*np.clip(low, 0, size), *np.clip(high, 0, size)))
    return left, top, right, bottom


def _rng(seed: int, *purpose: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32("/".join(purpose).encode())])
