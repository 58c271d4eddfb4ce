"""抽一张虚构的化验单：先定这家医院的写法，再定每一项的结果落在范围的哪一边，最后写成字。

高低的真值来自抽样时的数，不经过 `interval.compare`，所以能反过来检验它。
一页之内互相算得出的项（红细胞与 MCV、总蛋白与球蛋白）照仪器的算法对得上，不论印没印全。
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path

import numpy as np

from health_assistant.checked_yaml import Entry, load_yaml
from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.interval import Interval, PartitionedInterval, ReferenceRange
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.printed_text import fold_code, fold_name
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.rendering.writings import WRITINGS
from health_assistant.lab_report.report import Flag, PrintedRow, ReadReport

_CELLS = ("NEUT", "LYMPH", "MONO", "EO", "BASO")
_DERIVED: tuple[tuple[str, tuple[str, ...], Callable[..., Decimal]], ...] = (
    # 从指数与比值出发：各自独立地抽红细胞与血红蛋白，算出的 MCHC 会离谱
    ("RBC", ("HCT", "MCV"), lambda hct, mcv: hct * 10 / mcv),
    ("HGB", ("HCT", "MCHC"), lambda hct, mchc: hct * mchc / 100),
    ("MCV", ("HCT", "RBC"), lambda hct, rbc: hct * 10 / rbc),
    ("MCH", ("HGB", "RBC"), lambda hgb, rbc: hgb / rbc),
    ("MCHC", ("HGB", "HCT"), lambda hgb, hct: hgb * 100 / hct),
    ("NEUT%", tuple(f"{cell}%" for cell in _CELLS[1:]), lambda *others: 100 - sum(others)),
    *((f"{cell}#", ("WBC", f"{cell}%"), lambda wbc, share: wbc * share / 100) for cell in _CELLS),
    ("PCT", ("PLT", "MPV"), lambda plt, mpv: plt * mpv / 10000),
    ("A/G", ("A/G",), lambda ratio: min(ratio, Decimal(3))),
    ("GLB", ("TP", "A/G"), lambda tp, ratio: tp / (1 + ratio)),
    ("ALB", ("TP", "GLB"), lambda tp, glb: tp - glb),
    ("A/G", ("ALB", "GLB"), lambda alb, glb: alb / glb),
    ("TBIL", ("DBIL", "IBIL"), lambda direct, indirect: direct + indirect),
    ("TC", ("HDL-C", "LDL-C", "TG"), lambda hdl, ldl, tg: hdl + ldl + tg / Decimal("2.2")),
)
"""（代号，由哪几项算出，算法），依次算；算不出的那些是抽的。"""


class Style(Entry):
    """一种版式对内容的要求；空的 kinds 表示什么报告都行，marks 与 writings（见 writings.py）从中抽一种。"""

    kinds: tuple[str, ...] = ()
    items: tuple[int, int] = (8, 26)
    marks: tuple[str, ...] = ("arrows",)
    codes: bool = True
    head: bool = True
    groups: bool = True
    english: bool = False
    ranges: bool = True
    writings: tuple[str, ...] = ()

    @property
    def usable_kinds(self) -> tuple[str, ...]:
        """能印的报告种类，panels.yaml 里 kinds 的键；`on_request` 的要点名。"""
        usual = tuple(name for name, kind in settings()["kinds"].items() if not kind.get("on_request"))
        return self.kinds or (tuple(settings()["english_kinds"]) if self.english else usual)


@dataclass(frozen=True)
class Sample:
    """抽出的一张：报告、每项的真值、各分组的标题与第一项的序号。"""

    report: ReadReport
    flags: list[Flag | None]
    sections: list[tuple[str, int]]


@dataclass(frozen=True)
class SampledAnalyte:
    """一个项目；没有 reference 的，结果是 words 里的一个。"""

    code: str
    names: tuple[str, ...]
    english: str
    unit: str
    reference: ReferenceRange | None
    words: tuple[str, ...] = ()


@dataclass
class _Drawn:
    """抽出的一个数与它的范围；`text` 是范围的印法，`extreme` 是离范围远。"""

    interval: Interval
    text: str
    number: Decimal
    extreme: bool


def pick(rng: np.random.Generator, choices):
    """从序列里等概率取一个。"""
    return choices[int(rng.integers(len(choices)))]


def read_yaml(name: str) -> dict:
    """旁边叫 name 的 YAML 文件的内容。"""
    return load_yaml(Path(__file__).with_name(name))


@cache
def settings() -> dict:
    """panels.yaml 与 wording.yaml 的内容。"""
    return read_yaml("panels.yaml") | read_yaml("wording.yaml")


@cache
def panels() -> dict[str, list[SampledAnalyte]]:
    """面板名 -> 项目，目录里有范围的在前。名称只取不与别的指标重名的中文别名；同一面板里另写了的照另写的。"""
    known, by_panel = settings(), defaultdict(list)
    extra = {panel: {fold_name(line.split("|")[1]) for line in lines} for panel, lines in known["extra"].items()}
    uses = Counter(fold_name(name) for analyte in load_catalogue() for name in {analyte.name, *analyte.aliases})
    for analyte in load_catalogue():
        written = {fold_name(name) for name in (analyte.name, *analyte.aliases)}
        if analyte.reference is None or written & extra.get(analyte.panel, set()):
            continue
        aliases = (name for name in analyte.aliases if re.search("[一-鿿]{2}", name) and uses[fold_name(name)] == 1)
        code = known["printed_codes"].get(analyte.code, analyte.code.removeprefix("U-"))
        names, english = (analyte.name, *aliases), known["english"].get(analyte.code, analyte.code)
        by_panel[analyte.panel].append(SampledAnalyte(code, names, english, analyte.unit, analyte.reference))
    for panel, lines in known["extra"].items():
        for code, name, unit, limits, english in (line.split("|") for line in lines):
            words = tuple(limits[1:].split("/")) if limits.startswith("=") else ()
            numeric = parse_range(limits) if re.search(r"\d", limits) else None
            reference = None if words else numeric or QualitativeResult((limits,))
            by_panel[panel].append(SampledAnalyte(code, (name,), english, unit, reference, words))
    return dict(by_panel)


@cache
def english_names() -> dict[str, str]:
    """中文名称 -> 英文名称；只有缩写的不在里面。"""
    analytes = [analyte for panel in panels().values() for analyte in panel if re.search("[a-z]{3}", analyte.english)]
    return {name: analyte.english for analyte in analytes for name in analyte.names}


def sample_report(rng: np.random.Generator, style: Style, abnormal_rate: float = 0.25) -> Sample:
    """按版式的要求抽一张化验单；`abnormal_rate` 是每一项落在范围外的概率，由别的项算出的除外。"""
    known, kinds = settings()["kinds"], style.usable_kinds
    sizes = np.array([sum(len(panels()[panel]) for panel in known[kind]["panels"]) for kind in kinds])
    # 项目多的报告更常见：血常规、生化、尿常规
    weights = sizes * (sizes >= min(style.items[0], sizes.max()))
    kind = known[pick(rng, np.repeat(kinds, weights))]
    pool = [(panel, analyte) for panel in kind["panels"] for analyte in panels()[panel]]
    fewest, most = (min(limit, len(pool)) for limit in style.items)
    chosen = sorted(rng.permutation(len(pool))[: rng.integers(fewest, most + 1)])

    hospital = _Hospital(rng, style)
    hospital.relate([analyte for _, analyte in pool], abnormal_rate)
    flags: list[Flag | None] = []
    items: list[PrintedRow] = []
    sections: list[tuple[str, int]] = []
    seen: set[str] = set()
    for panel, analyte in (pool[i] for i in chosen):
        keys = {fold_code(analyte.code), fold_name(analyte.names[0])}
        if seen & keys:
            continue
        seen |= keys
        if not sections or sections[-1][0] != panel:
            sections.append((panel, len(items)))
        item, flag = hospital.item(analyte, bool(rng.random() < abnormal_rate))
        items.append(item)
        flags.append(flag)
    report_type = kind["titles"][-1] if style.english else pick(rng, kind["titles"][:-1])
    who = {"sex": hospital.sex, "age": hospital.age} if style.head else {}
    report = ReadReport(report_type=report_type, items=items, **who)
    name = pick(rng, style.writings) if style.writings else ""
    if name:
        for item, flag in zip(items, flags, strict=True):
            for field, text in WRITINGS[name](item, flag, rng).items():
                setattr(item, field, text)
    return Sample(report, flags, sections)


class _Hospital:
    """一家医院的写法与一位病人，一页之内不变。"""

    def __init__(self, rng: np.random.Generator, style: Style) -> None:
        self.rng, self.style = rng, style
        self.says = {key: pick(rng, choices) for key, choices in settings()["habits"].items()}
        self.sex, self.is_adult = pick(rng, ("男", "女")), bool(rng.random() < 0.93)
        years = f"{rng.integers(18, 92)}" if self.is_adult else pick(rng, ("5", "9", "14"))
        self.age = years if style.english else years + "岁"
        if not self.is_adult and not style.english and rng.random() < 0.4:
            self.age = pick(rng, ("8月", "11个月", "20天"))
        self.prints_groups = style.groups and style.head and not style.english and bool(rng.random() < 0.4)
        kind = pick(rng, style.marks)
        self.marks, self.doubles_arrows = settings()["marks"][kind], kind == "arrows" and rng.random() < 0.15
        self.related: dict[str, _Drawn] = {}

    def relate(self, pool: list[SampledAnalyte], abnormal_rate: float) -> None:
        """先定互相算得出的各项；没印的也算，免得印了的几项之间接不上。"""
        known = {analyte.code: analyte for analyte in reversed(pool)}
        steps = [step for step in _DERIVED if known.keys() >= {step[0], *step[1]}]
        for code in dict.fromkeys(code for target, inputs, _ in steps for code in (target, *inputs)):
            decimals = settings()["decimals"].get(code, 0)
            self.related[code] = self._draw(known[code], bool(self.rng.random() < abnormal_rate), decimals)
        shares = [self.related[f"{cell}%"] for cell in _CELLS if f"{cell}%" in self.related]
        total = sum(share.number for share in shares)
        for share in shares:
            share.number = _round(share.number * 100 / total, _decimals(share.number))
        for target, inputs, derive in steps:
            number = derive(*(self.related[code].number for code in inputs))
            self.related[target].number = _round(number, _decimals(self.related[target].number))

    def item(self, analyte: SampledAnalyte, abnormal: bool) -> tuple[PrintedRow, Flag | None]:
        """印一项，连同真值。"""
        rng, style, reference, extreme = self.rng, self.style, analyte.reference, False
        if reference is None:
            result, limits, flag = pick(rng, analyte.words), self.says["no_range"], None
        elif isinstance(reference, QualitativeResult) or (isinstance(reference, Interval) and reference.is_titre):
            result, limits, flag = self._in_words(reference, abnormal)
        else:
            result, limits, flag, extreme = self._numeric(analyte, abnormal)
        if rng.random() < 0.02:
            limits, flag = self.says["no_range"], None
        if not style.ranges:
            limits, flag = "", None
        mark = self.marks.get(flag)
        mark = mark * 2 if mark and extreme and self.doubles_arrows else mark
        unit, name, code = analyte.unit, analyte.english, analyte.code if style.codes else ""
        if not style.english:
            name = pick(rng, analyte.names) if rng.random() < self.says["alias_rate"] else analyte.names[0]
            unit = unit.replace("10^", self.says["power"]).replace("μ", self.says["micro"])
            unit = self.says["seconds"] if unit == "s" else unit
        return PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=limits, mark=mark), flag

    def _in_words(self, expected: QualitativeResult | Interval, abnormal: bool) -> tuple[str, str, Flag]:
        """定性的结果与滴度：（结果，范围，真值）。"""
        negative, weak, positive, limits = self.says["terms"]
        if isinstance(expected, Interval):
            limits = negative = "阴性" if self.rng.random() < 0.4 else str(expected)
            weak, *positive = (f"1:{expected.high * 2**step}" for step in range(4))
        elif "正常" in expected.words:
            return "正常", "正常", "normal"
        elif expected.words[0] == "未检出":
            negative, weak, positive, limits = "未检出", "检出", ("检出",), "未检出"
        elif self.style.english and expected.words[0] == "阴性":
            negative, weak, positive, limits = "Negative", "Trace", ("Positive", "1+", "2+"), "Negative"
        if not abnormal:
            return negative, limits, "normal"
        return pick(self.rng, (weak, *positive)), limits, "high" if limits.startswith("<") else "abnormal"

    def _numeric(self, analyte: SampledAnalyte, abnormal: bool) -> tuple[str, str, Flag, bool]:
        drawn = self.related.get(analyte.code) or self._draw(analyte, abnormal)
        number, interval, flag = drawn.number, drawn.interval, _side(drawn.number, drawn.interval)
        text, extreme = f"{number:f}", drawn.extreme and flag != "normal"
        if analyte.code not in self.related:
            # 仪器测不出的写成 >最大 或 <最小
            digit = Decimal(10) ** number.adjusted()
            floor = _round((interval.high or Decimal(0)) / 10, _decimals(number))
            if flag == "high" and extreme and analyte.unit != "%" and self.rng.random() < 0.25:
                text = f">{(number // digit + 1) * digit:f}"
            elif flag == "normal" and not interval.low and floor > 0 and self.rng.random() < 0.12:
                text = f"<{floor}"
        return text, drawn.text, flag, extreme

    def _draw(self, analyte: SampledAnalyte, abnormal: bool, decimals: int = 0) -> _Drawn:
        interval, text = self._range(analyte.reference)
        places = max(decimals, *(_decimals(side) for side in (interval.low, interval.high) if side is not None))
        places = max(places, min(places + self.says["more_decimals"], 3))
        value, extreme = self._value(interval, analyte.unit, abnormal)
        return _Drawn(interval, text, _round(Decimal(value), places), extreme)

    def _range(self, reference: ReferenceRange) -> tuple[Interval, str]:
        """（这位病人的范围，印法）；文字的不到这里。"""
        if isinstance(reference, PartitionedInterval):
            sides = [self._printed_bounds(interval) for _, interval in reference.groups]
            mine = sides[0 if self.sex == "男" else 1]
            if not self.prints_groups:
                return mine, self._write(mine)
            return mine, self.says["by_sex"].format(*(self._write(side, dash="-") for side in sides))
        mine = self._printed_bounds(reference)
        if self.prints_groups and self.is_adult and mine.low and mine.high and self.rng.random() < 0.06:
            low, high = (_round(side * Decimal("0.6"), _decimals(side)) for side in (mine.low, mine.high))
            newborn = Interval(low, high)
            return mine, f"成人{self._write(mine, dash='-')},新生儿{self._write(newborn, dash='-')}"
        is_plain = mine.low is None or mine.low < 0
        return mine, self._write(mine) if is_plain else self.says["wrap"].format(self._write(mine))

    def _printed_bounds(self, interval: Interval | QualitativeResult) -> Interval:
        """各医院的界限略有出入；单边的写成 `<`、`≤` 或从 0 起。"""
        assert isinstance(interval, Interval)
        low, high = interval.low, interval.high
        if self.rng.random() < 0.3 and (low is None or low >= 0):
            scales = self.rng.uniform(0.95, 1.05, 2)
            near = [side and _round(side * Decimal(scales[at]), _decimals(side)) for at, side in enumerate((low, high))]
            if (near[0] == 0) == (low == 0) and near[1] != 0 and (None in near or near[0] <= near[1]):
                low, high = near
        if low is None and self.says["at_most"] == "0" and not self.style.english:
            return Interval(Decimal(0), high)
        low_open, high_open = high is None and self.says["at_least"] == ">", low is None and self.says["at_most"] == "<"
        return Interval(low, high, low_open, high_open)

    def _write(self, interval: Interval, dash: str = "") -> str:
        if interval.low is None:
            return f"{'<' if interval.high_open else self.says['at_most'].replace('0', '≤')}{interval.high}"
        if interval.high is None:
            return f"{self.says['at_least']}{interval.low}"
        # 负数的界限前再来两道横线就没人看得懂了
        dash = dash or ("-" if interval.low < 0 and "-" in self.says["dash"] else self.says["dash"])
        return f"{interval.low}{dash}{interval.high}"

    def _value(self, interval: Interval, unit: str, abnormal: bool) -> tuple[float, bool]:
        """（数，是否离范围很远）。"""
        rng, extreme = self.rng, bool(self.rng.random() < 0.2)
        low, high = (None if side is None else float(side) for side in (interval.low, interval.high))
        width = (low if high is None else high) - (low or 0) or 1
        is_tight = bool(low and high) and 0 < width < 0.4 * low
        if is_tight and width < 0.05 * low:
            # 比重、pH 这样的量，再异常也离不远
            width *= 0.5
        if not abnormal:
            bottom, top = 0.1 * high if low is None else low, 2 * low if high is None else high
            if rng.random() < 0.03:
                return bottom if interval.high_open else top, extreme
            return bottom + (top - bottom) * rng.uniform(0.02, 0.98), extreme
        if high is None or (low and rng.random() < 0.45):
            if low > 0 and not is_tight:
                return low * (rng.uniform(0.15, 0.6) if extreme else rng.uniform(0.65, 0.98)), extreme
            return low - width * (rng.uniform(0.5, 1.2) if extreme and is_tight else rng.uniform(0.03, 0.4)), extreme
        reach = rng.uniform(0.03, 0.6)
        if extreme:
            reach = rng.uniform(0.6, 1.4) if is_tight else rng.uniform(1.5, 6)
        ceiling = high + (99.5 - high) * rng.uniform(0.3, 0.9) if unit == "%" and high < 100 else np.inf
        return min(high + width * reach, ceiling), extreme


def _decimals(number: Decimal) -> int:
    return max(0, -exponent(number))


def _round(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places))


def _side(number: Decimal, interval: Interval) -> Flag:
    if interval.low is not None and (number < interval.low or (interval.low_open and number == interval.low)):
        return "low"
    if interval.high is not None and (number > interval.high or (interval.high_open and number == interval.high)):
        return "high"
    return "normal"
