"""医院单子的各种难处（paper_kinds.yaml）：每一种抽得出许多张，带真值。

page = draw("arrow_after_value", seed=3)      # 一张图与真值
"""

import zlib
from functools import partial
from pathlib import Path

import numpy as np
from lab_report import paper_pages, paper_rows, paper_sheets
from lab_report.paper_boxes import BoxedPage, as_read
from lab_report.paper_pages import Kind, PaperPage, draw_kind, lay_out

from health_assistant.checked_yaml import load_yaml
from health_assistant.images import upright_rgb
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.reading.reader import ReportReader, read_boxes
from health_assistant.lab_report.rendering import LAYOUTS
from health_assistant.lab_report.rendering.drawing import Habits
from health_assistant.lab_report.rendering.sampling import settings
from health_assistant.lab_report.report import UnreadableReport
from health_assistant.lab_report.scoring import ReportScore, TrueItem, score_report

_MARKS = settings()["marks"] | {"english": {"high": "High", "low": "Low"}}


def _load() -> dict[str, Kind]:
    entries = load_yaml(Path(__file__).with_suffix(".yaml"))
    return {name: _kind(**entry) for name, entry in entries.items()}


def _kind(make: list, columns=(), marks=("none",), habits=({},), after=(), layout="", **rest) -> Kind:
    name, *options = make
    function = getattr(paper_sheets, name, None) or getattr(paper_rows, name)
    return Kind(
        partial(function, **(options[0] if options else {})),
        tuple(one.split(" | ") for one in columns),
        tuple(_MARKS[one] for one in marks),
        tuple(Habits(**one) for one in habits),
        after=tuple(getattr(paper_pages, one) for one in after),
        draw=LAYOUTS[layout].draw if layout else None,
        **rest,
    )


KINDS: dict[str, Kind] = _load()
PIXELS = (
    *("arrow_after_value", "arrow_before_value", "arrow_before_range", "arrow_at_name", "arrow_alone", "arrow_faint"),
    *("arrow_bold", "arrow_reversed", "tight_decimals", "superscript_notes"),
    *("dark_mode", "dark_phone", "transparent", "transparent_dark"),
)
"""难在像素的。"""
WORDED = [kind for kind in KINDS if kind not in PIXELS]
"""难在分行分列与写法的，文字框就试得出。"""


def draw(kind: str, seed: int) -> PaperPage:
    """画一种的一张；同样的参数同样的字节。"""
    return draw_kind(KINDS[kind], np.random.default_rng([seed, zlib.crc32(kind.encode())]))


def score_drawn(reader: ReportReader, kind: str, seed: int) -> ReportScore:
    """画一种的一张，读出来对照真值；透明的图照上传时那样铺底。"""
    page = draw(kind, seed)
    try:
        reading = reader.read(upright_rgb(page.image.copy()))
    except UnreadableReport:
        return score_report(None, page.items)
    return score_report(assess(reading), page.items)


def lay(kind: str, seed: int) -> tuple[BoxedPage, np.random.Generator]:
    """排一种的一张而不画，和排到这里的骰子；内容与 `draw` 的一样。"""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return lay_out(KINDS[kind], rng, BoxedPage), rng


def read_laid(kind: str, seed: int) -> tuple[Assessment | None, list[TrueItem]]:
    """排一种的一张而不画，由文字框读出、判断的（拒读是 None）与真值。"""
    laid, rng = lay(kind, seed)
    try:
        reading = read_boxes(*as_read(laid, rng))
    except UnreadableReport:
        return None, laid.items
    return assess(reading), laid.items
