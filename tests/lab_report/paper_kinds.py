"""医院单子的各种难处：每一种抽得出许多张，带真值。

page = draw("arrow_after_value", seed=3)      # 一张图与真值
dump("arrow_after_value", range(6), folder)    # 存成图片与 truth.jsonl
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from lab_report import paper_rows as rows
from lab_report.paper_pages import (
    ARROWS,
    LETTERS,
    WORDS,
    Kind,
    PaperPage,
    draw_kind,
    footnotes,
    marked,
    staff,
    staff_table,
    with_notes,
)
from lab_report.paper_rows import Rng, Row, Sheet

from health_assistant.lab_report.rendering.drawing import Habits
from health_assistant.lab_report.rendering.layouts import _one_test, _phone_plain
from health_assistant.lab_report.rendering.sampling import pick

_THIN, _BLOCK = Habits(arrow="thin"), Habits(arrow="block")
_TIGHT = tuple(Habits(tracking=by) for by in (-0.03, -0.05, -0.08))
_SOFT = ("blur", "blur", "faint", "forwarded", "clean", "jpeg_20")
_USUAL = ["{name}", "{result}", "{unit}", "{reference_range}"]
_ORDERS = (
    ["{name}", "{reference_range}", "{result}", "{unit}"], ["{name}", "{unit}", "{result}", "{reference_range}"],
    ["{name}", "{unit}", "{reference_range}", "{result}"], ["{name}", "{reference_range}", "{unit}", "{result}"],
    ["{name}", "{result}", "{reference_range}", "{unit}"], ["{result}", "{name}", "{unit}", "{reference_range}"],
)  # fmt: skip
_CODED = (["{serial}", "{name}", "{code}", "{result}", "{unit}", "{reference_range}"],
          ["{code}", "{name}", "{result}", "{reference_range}", "{unit}"], ["{name}({code})", "{result}", "{reference_range}", "{unit}"],
          ["{code}", "{name}", "{unit}", "{reference_range}", ">{result}"])  # fmt: skip
_ENGLISH = (["{name}=Test", "{result}=Result", "{unit}=Units", "{reference_range}=Reference Interval"],
            ["{name}=Investigation", "{result}=Observed Value", "{unit}=Unit", "{reference_range}=Biological Reference Interval"],
            ["{name}=TEST NAME", "{reference_range}=REF. RANGE", "{unit}=UNITS", "{result}=VALUE"])  # fmt: skip


def _columns(*orders: str) -> tuple[list[str], ...]:
    return tuple(order.split(" | ") for order in orders)


def _previous(rng: Rng) -> Sheet:
    def near(row: Row, at: int) -> str:
        places = len(row.result.partition(".")[2])
        return f"{float(row.result) * rng.uniform(0.8, 1.2):.{places}f}"

    return marked(rows.plain_numbers(rng), old=near, older=near)


def _flagged(rng: Rng) -> Sheet:
    words = {"high": "High", "low": "Low", "normal": "Normal"}
    sheet = rows.plain_numbers(rng, english=True, codes=False)
    return marked(sheet, word=lambda row, at: words[row.flag], old=lambda row, at: f"{row.result} (05/01/2025)")


def _laboratory(rng: Rng, english: bool = True) -> Sheet:
    sheet = rows.plain_numbers(rng, english=english, codes=not english)
    return marked(sheet, lab=lambda row, at: pick(rng, ("01", "01", "02")), method=lambda row, at: "化学发光法")


def _units_in_words(rng: Rng) -> Sheet:
    words = {"10^9/L": "10^9个/升", "mmol/L": "毫摩尔/升", "μmol/L": "微摩尔/升", "g/L": "克/升", "U/L": "单位/升", "/HP": "个/高倍视野",
             "mg/L": "毫克/升", "fL": "飞升", "pg": "皮克", "10^12/L": "10^12个/升", "pmol/L": "皮摩尔/升", "/μL": "个/微升"}  # fmt: skip
    sheet = rows.plain_numbers(rng)
    changed = [replace(one, unit=words.get(_bare(one.unit), one.unit)) for one in sheet.rows]
    extra = [Row(name, "", str(n), "个/微升", f"0--{top}", "high" if n > top else "normal")
             for name, n, top in (("上皮细胞(镜检)", int(rng.integers(0, 12)), 5), ("透明管型", int(rng.integers(0, 3)), 1))]  # fmt: skip
    return replace(sheet, rows=changed + extra)


def _bare(unit: str) -> str:
    unit = unit.lstrip("×x").replace("10*", "10^").replace("u", "μ")
    return unit if unit.startswith("/") or "^" not in unit else unit


def _superscripts(rng: Rng) -> Sheet:
    return marked(rows.plain_numbers(rng), note=lambda row, at: "¹²³"[rng.integers(3)] if rng.random() < 0.5 else "")


def _wrapped(rng: Rng) -> Sheet:
    sheet, at = rows.plain_numbers(rng), int(rng.integers(4, 7))
    wrap = [replace(one, printed={"name": one.name[:at] + "\n" + one.name[at:]} if len(one.name) > at + 1 else {})
            for one in sheet.rows]  # fmt: skip
    return replace(sheet, rows=wrap)


def _long_english(rng: Rng) -> Sheet:
    lines = ("HIGH SENSITIVITY C-REACTIVE PROTEIN (HS-CRP)||{}|mg/L|< 3.00|", "25-OH VITAMIN D (TOTAL)||{}|ng/mL|30-100|",
             "VITAMIN B-12||{}|pg/mL|211-911|", "TOTAL TRIIODOTHYRONINE (T3)||{}|ng/dL|60-200|")  # fmt: skip
    line, side = pick(rng, lines), pick(rng, ("normal", "high"))
    high = float(line.split("|")[4].split("-")[-1].strip("< "))
    value = high * (rng.uniform(0.55, 0.9) if side == "normal" else rng.uniform(1.1, 2))
    return Sheet("Report", [rows.row(line.format(f"{value:.2f}") + side)], "男", f"{rng.integers(20, 80)} Y", True)


def _blocks(rng: Rng) -> Sheet:
    sheet = rows.numeric(rng, kinds=("blood", "chemistry", "kidney"), items=(10, 24))
    return replace(sheet, rows=[one for one in sheet.rows if len(one.name) < 11])


def _noted(rng: Rng) -> Sheet:
    return with_notes(rows.plain_numbers(rng), rng, ("注：标本轻度溶血", "-- 镜检 --", "以下为生化项目", "备注：已复查", "【电解质】"))


def _age_head(rng: Rng) -> Sheet:
    sheet = rows.grouped_english(rng)
    return replace(sheet, sex=None, age=f"{sheet.age} Y / {'Male' if sheet.sex == '男' else 'Female'}")


def _powers(rng: Rng) -> Sheet:
    """单位粘在数后面时，以 10 开头的前面有乘号，人才分得开。"""
    sheet = rows.plain_numbers(rng)
    changed = [replace(one, unit="×" + one.unit.lstrip("×x*")) if "10" in one.unit else one for one in sheet.rows]
    return replace(sheet, rows=changed)


_ARROW_PAGES = {"marks": (ARROWS,), "finishes": _SOFT}
_AFTER = _columns("{name} | {result}{mark} | {unit} | {reference_range}", "{name} | {code} | {result}{mark} | {reference_range} | {unit}",
                  "{serial} | {name} | {result} {mark} | {reference_range} | {unit}")  # fmt: skip
KINDS: dict[str, Kind] = {
    "arrow_after_value": Kind(rows.plain_numbers, _AFTER, habits=(_THIN, _BLOCK, Habits()), **_ARROW_PAGES),
    "arrow_before_value": Kind(rows.plain_numbers, _columns(
        "{name} | {mark}{result} | {unit} | {reference_range}", "{name}({code}) | {mark}{result} | {reference_range} | {unit}",
    ), habits=(_THIN, _BLOCK, Habits()), **_ARROW_PAGES),
    "arrow_before_range": Kind(rows.plain_numbers, _columns(
        "{name} | {result} | {mark}{reference_range}=参考范围 | {unit}", "{name} | {code} | {result} | {mark} {reference_range}=参考值 | {unit}",
    ), habits=(_THIN, _BLOCK, Habits()), **_ARROW_PAGES),
    "arrow_at_name": Kind(rows.plain_numbers, _columns(
        "{mark}{name}=检验项目 | {result} | {unit} | {reference_range}", "{name}{mark} | {result} | {reference_range} | {unit}",
    ), habits=(_THIN, _BLOCK, Habits()), **_ARROW_PAGES),
    "arrow_alone": Kind(rows.plain_numbers, _columns(
        "{name} | {result} | {mark}=提示 | {unit} | {reference_range}", "{name} | {mark}= | {result} | {reference_range} | {unit}",
        "{name} | {result} | {unit} | {reference_range} | {mark}=", "{mark}= | {name} | {result} | {unit} | {reference_range}",
    ), habits=(_THIN, _BLOCK, Habits()), **_ARROW_PAGES),
    "arrow_faint": Kind(rows.plain_numbers, _AFTER, marks=(ARROWS,), habits=(_THIN, Habits()), finishes=("faint", "faint", "copied")),
    "arrow_reversed": Kind(rows.plain_numbers, _AFTER, marks=(ARROWS,), habits=(
        Habits(is_reversed=True), Habits(arrow="block", is_reversed=True), Habits(arrow="thin", is_reversed=True))),
    "tight_decimals": Kind(rows.decimals, (_USUAL, *_ORDERS[:3]), habits=_TIGHT, size=(16, 24), fonts=("micro_hei", "noto_sans", "stix")),
    "scientific": Kind(rows.scientific, (*_CODED, _USUAL), marks=({}, ARROWS)),
    "scientific_raised": Kind(partial(rows.scientific, raised=True), (*_CODED, _USUAL), marks=({}, ARROWS)),
    "scientific_units": Kind(rows.scientific_units, (*_CODED, _USUAL, ["{name}", "{result} {unit}", "{reference_range}"])),
    "thousands": Kind(rows.thousands, _ENGLISH),
    "comma_german": Kind(rows.comma, _columns("{name}=Analyse | {result}=Ergebnis | {unit}=Einheit | {reference_range}=Referenzbereich",
                                              "{name}=Parameter | {result}=Wert | {reference_range}=Normbereich | {unit}=Einheit")),
    "comma_chinese": Kind(partial(rows.comma, german=False), (_USUAL, *_ORDERS)),
    "urine_sediment": Kind(rows.counts, (_USUAL, *_ORDERS)),
    "stool": Kind(partial(rows.counts, stool=True), (_USUAL, *_ORDERS)),
    "column_orders": Kind(rows.plain_numbers, _ORDERS, marks=({}, ARROWS)),
    "number_and_word": Kind(rows.number_and_word, (_USUAL, *_CODED)),
    "urine_strip": Kind(rows.urine_strip, (_USUAL, ["{name}", "{code}", "{result}", "{reference_range}{unit}"], *_CODED[:2])),
    "word_and_limit": Kind(rows.word_and_limit, (_USUAL, *_CODED)),
    "qualitative": Kind(rows.qualitative, _columns("{name} | {result} | {reference_range} | {method}=方法", "{name} | {code} | {result} | {reference_range}",
                                                   "{name} | {reference_range} | {result}")),
    "qualitative_english": Kind(partial(rows.qualitative, english=True), _columns("{name}=Test | {result}=Result | {reference_range}=Reference")),
    "normal_marks": Kind(rows.plain_numbers, _columns("{name} | {result} | {mark}=提示 | {unit} | {reference_range}", "{name} | {result} {mark} | {unit} | {reference_range}"),
                         marks=(WORDS | {"normal": "正常"}, LETTERS | {"normal": "N"}, LETTERS | {"normal": "-"}, {"high": "High", "low": "Low", "normal": "Normal"})),
    "superscript_notes": Kind(_superscripts, _columns("{name} | {result}{note} | {unit} | {reference_range}", "{name}{note} | {result} | {unit} | {reference_range}"), after=(footnotes,)),
    "units_in_words": Kind(_units_in_words, (_USUAL, *_ORDERS[:3], ["{name}", "{result}", "{unit}=", "{reference_range}"])),
    "unit_glued_to_range": Kind(_powers, _columns("{name} | {code} | {result} | {reference_range}{unit}", "{name} | {result} | {reference_range} {unit}",
                                                             "{name} | {result} | ({reference_range}){unit}", "{name} | {result}{unit} | {reference_range}{unit}")),
    "methods": Kind(rows.plain_numbers, _columns("{name} | {method}=方法 | {result} | {unit} | {reference_range}", "{name} | {result} | {unit} | {reference_range} | {method}=检测方法",
                                                 "{name}({method}) | {result} | {unit} | {reference_range}", "{name} | {result} | {unit} {method}=单位 | {reference_range}")),
    "limits_in_two_columns": Kind(rows.plain_numbers, _columns("{name} | {result}{mark} | {unit} | {low}=参考下限 | {high}=参考上限", "{name} | {low}=下限 | {high}=上限 | {result} | {unit}",
                                                               "{name} | {result} | {low}=低值 | {high}=高值 | {unit}"), marks=({}, ARROWS)),
    "earlier_results": Kind(_previous, _columns("{name} | {result}=2025-03-01 | {old}=2024-11-20 | {older}=2024-06-02 | {unit} | {reference_range}",
                                                "{name} | {result}=本次结果 | {old}=上次结果 | {unit} | {reference_range}", "{name} | {unit} | {reference_range} | {result}=结果 | {old}=前次 | {older}=再前次")),
    "current_and_flag": Kind(_flagged, _columns("{name}=Test | {result} ({word})=Current Result & Flag | {old}=Previous Result & Date | {unit}=Units | {reference_range}=Reference Interval",
                                                "{name}=Test | {result} {word}=Result | {unit}=Units | {reference_range}=Reference Range")),
    "lab_column": Kind(_laboratory, _columns("{name}=TESTS | {result}=RESULT | {mark}=FLAG | {unit}=UNITS | {reference_range}=REFERENCE INTERVAL | {lab}=LAB",
                                             "{name}=TESTS | {result}=RESULT | {mark}=FLAG | {reference_range}=REFERENCE INTERVAL | {unit}=UNITS | {lab}=LAB"), marks=({"high": "High", "low": "Low"}, {"high": "H", "low": "L"})),
    "blocks_run_together": Kind(_blocks, _columns("{serial} | {name} | {result}{mark} | {reference_range} | >{unit}", "{serial} | {name} | {result} | {mark}= | {reference_range} | >{unit}"),
                                marks=({}, ARROWS), width=(1500, 1800), size=(22, 26), options={"body": "two_panels", "gap": [-0.8, -0.6, -0.4], "rules": ["ends", "none"]}),
    "cut_at_right": Kind(_blocks, _columns("{name} | {result}{mark} | {unit} | {reference_range}", "{serial} | {name} | {result} | {reference_range} | {unit}"), marks=({}, ARROWS), cut="left",
                         width=(1700, 2200), options={"body": "two_panels", "rules": ["ends", "grid", "rows"]}),
    "cut_at_left": Kind(_blocks, _columns("{name} | {result}{mark} | {unit} | {reference_range}", "{name} | {result} | {reference_range} | {unit}"), marks=({}, ARROWS), cut="right",
                        width=(1700, 2200), options={"body": "two_panels", "rules": ["ends", "grid", "rows"]}),
    "name_touches_value": Kind(rows.plain_numbers, _columns("{name} | {result}       =结果 | {reference_range}     =参考范围 | {unit}", "{serial}    =序号 | {name} | {result}     =结 果 | {unit}      =单位 | {reference_range}"),
                               options={"between": [0.05, 0.1, 0.15], "spread": False, "rules": ["ends", "none"]}),
    "name_wraps": Kind(_wrapped, (_USUAL, *_ORDERS[:3]), marks=({}, ARROWS)),
    "merged_heads": Kind(rows.plain_numbers, _columns("{name} | {code}=英缩 | {result} | {mark} {unit}=提示单位 | {reference_range}", "{name} | {result} {unit}=结果单位 | {reference_range}",
                                                      "{name}=检验项目（英文缩写） | {result} | {mark}=提示 | {unit}=单位 | {reference_range}", "{name} | {code}=缩略语 | {result}{mark}=结果提示 | {reference_range} {unit}=参考范围单位"), marks=(ARROWS,)),
    "one_test": Kind(_long_english, draw=_one_test),
    "no_range": Kind(rows.without_ranges, _columns("{name} | {code}=英缩 | {result} | {unit}", "{name} | {result} | {unit} | {reference_range}", "{name} | {code} | {result} {unit}=结果")),
    "phone_one_cell": Kind(partial(rows.plain_numbers, codes=False), draw=_phone_plain, width=(1080, 1080), size=(36, 36), fonts=("noto_sans", "micro_hei"), finishes=("clean", "jpeg_20", "forwarded")),
    "dark_mode": Kind(rows.plain_numbers, (_USUAL, *_AFTER), marks=({}, ARROWS), finishes=("dark_mode",), habits=(Habits(), _THIN, _BLOCK)),
    "dark_phone": Kind(partial(rows.plain_numbers, codes=False), draw=_phone_plain, width=(1080, 1080), size=(36, 36), fonts=("noto_sans", "micro_hei"), finishes=("dark_mode",)),
    "transparent": Kind(rows.plain_numbers, (_USUAL, *_AFTER), marks=({}, ARROWS), transparent="#000000"),
    "transparent_dark": Kind(rows.plain_numbers, (_USUAL, *_AFTER), marks=({}, ARROWS), transparent="#f0f0f0"),
    "long_serials": Kind(lambda rng: marked(rows.plain_numbers(rng), number=partial(_number, start=int(rng.integers(1000, 9000)))),
                         _columns("{number}=编号 | {name} | {result} | {unit} | {reference_range}", "{number}=序号 | {code} | {name} | {result} | {reference_range} | {unit}",
                                  "{number}=项目编号 | {name} | {code} | {result} | {unit} | {reference_range}")),
    "age_and_sex_in_one": Kind(_age_head, _ENGLISH),
    "grouped_ranges": Kind(rows.grouped_english, _ENGLISH),
    "english": Kind(partial(rows.numeric, english=True, codes=False), _ENGLISH, marks=({}, {"high": "H", "low": "L"})),
    "no_header": Kind(rows.plain_numbers, (_USUAL, *_AFTER), marks=({}, ARROWS), options={"header": False}),
    "staff_below": Kind(rows.plain_numbers, (_USUAL, *_AFTER), marks=({}, ARROWS), after=(staff,)),
    "staff_table_below": Kind(rows.plain_numbers, (_USUAL, *_AFTER), marks=({}, ARROWS), after=(staff_table,)),
    "notes_in_table": Kind(_noted, (_USUAL, *_ORDERS[:3])),
}  # fmt: skip


def _number(row: Row, at: int, start: int) -> str:
    return str(start + at)


def draw(kind: str, seed: int) -> PaperPage:
    """画一种的一张；同样的参数同样的字节。"""
    return draw_kind(KINDS[kind], np.random.default_rng([seed, zlib.crc32(kind.encode())]))


def dump(kind: str, seeds: Iterable[int], folder: Path) -> None:
    """把几张存进 folder：`<种子>.png` 与 truth.jsonl，每行是 file、kind、items。"""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for seed in seeds:
        page, name = draw(kind, seed), f"{seed:03d}.png"
        page.image.save(folder / name)
        lines.append(json.dumps({"file": name, "kind": kind, "items": page.items}, ensure_ascii=False))
    (folder / "truth.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
