"""医院单子的各种难处（paper_kinds.yaml）：每一种抽得出许多张，带真值。

page = draw("arrow_after_value", seed=3)      # 一张图与真值
dump("arrow_after_value", range(6), folder)    # 存成图片与 truth.jsonl
"""

import json
import zlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import yaml
from lab_report import paper_pages, paper_rows, paper_sheets
from lab_report.paper_boxes import BoxedPage, as_read
from lab_report.paper_pages import Kind, PaperPage, draw_kind, lay_out

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.reader import read_boxes
from health_assistant.lab_report.rendering import LAYOUTS
from health_assistant.lab_report.rendering.drawing import Habits
from health_assistant.lab_report.rendering.sampling import settings
from health_assistant.lab_report.report import LabItem, UnreadableReport

_MARKS = settings()["marks"] | {"english": {"high": "High", "low": "Low"}}


def _load() -> dict[str, Kind]:
    entries = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8"))
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


def read_laid(kind: str, seed: int) -> tuple[list[LabItem] | None, list[dict[str, str]]]:
    """排一种的一张而不画，由文字框读出、判断的行（拒读是 None）与真值。"""
    rng = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    laid = lay_out(KINDS[kind], rng, BoxedPage)
    try:
        reading = read_boxes(*as_read(laid, rng))
    except UnreadableReport:
        return None, laid.items
    return assess(reading).items, laid.items


def dump(kind: str, seeds: Iterable[int], folder: Path) -> None:
    """把几张存进 folder：`<种子>.png` 与 truth.jsonl，每行是 file、kind、items。"""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for seed in seeds:
        page, name = draw(kind, seed), f"{seed:03d}.png"
        page.image.save(folder / name)
        lines.append(json.dumps({"file": name, "kind": kind, "items": page.items}, ensure_ascii=False))
    (folder / "truth.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
