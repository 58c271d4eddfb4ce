"""抽一张虚构的化验单：先定这家医院的写法，再定每一项的结果落在范围的哪一边，最后写成字。

高低的真值来自抽样时的数，不经过 `reference_range.compare`，所以能反过来检验它。
一页之内互相算得出的项（红细胞与 MCV、总蛋白与球蛋白）照仪器的算法对得上，不论印没印全。
指标目录里没有的项目与报告的种类在 panels.yaml 里，由人编辑。
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from importlib import resources

import numpy as np
import yaml

from health_assistant.lab_report.catalogue import fold_code, fold_name, load_catalogue
from health_assistant.lab_report.reference_range import ByGroup, Interval, ReferenceRange, Terms, parse_range
from health_assistant.lab_report.report import Flag, ReadItem, ReadReport

MARKS: dict[str, dict[str, str]] = {
    "arrows": {"high": "↑", "low": "↓", "abnormal": "↑"},
    "letters": {"high": "H", "low": "L", "abnormal": "*"},
    "words": {"high": "偏高", "low": "偏低", "abnormal": "异常"},
    "short": {"high": "高", "low": "低", "abnormal": "异常"},
    "stars": {"high": "*", "low": "*", "abnormal": "*"},
    "none": {},
}

# 目录里的代号 -> 医院印的大小写
_CASE = "Fe Na Cl Ca Mg HbA1c hs-cTnI NT-proBNP pH:PH pCO2 pO2 cHCO3:HCO3 iCa sO2:SAO2 pH:U-PH"
_PRINTED_CODES = {(pair.split(":")[-1]).upper(): pair.split(":")[0] for pair in _CASE.split()}
ENGLISH_KINDS = (
    "blood", "blood_crp", "chemistry", "liver", "kidney", "lipid", "clotting", "thyroid", "tumour", "immune",
)  # fmt: skip
WORDS = {  # 定性结果的几种写法：阴性、弱阳性、阳性（各级）、阴性的范围
    "words": ("阴性", "弱阳性", ("阳性",), "阴性"),
    "both": ("阴性(-)", "弱阳性(±)", ("阳性(+)", "阳性(++)"), "阴性(-)"),
    "mixed": ("阴性", "±", ("+", "++", "+++"), "阴性"),
    "signs": ("-", "±", ("+", "++", "2+", "1+"), "阴性"),
}
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
    ("A/G", ("A/G",), lambda ratio: min(ratio, Decimal(3))),
    ("GLB", ("TP", "A/G"), lambda tp, ratio: tp / (1 + ratio)),
    ("ALB", ("TP", "GLB"), lambda tp, glb: tp - glb),
    ("A/G", ("ALB", "GLB"), lambda alb, glb: alb / glb),
    ("TBIL", ("DBIL", "IBIL"), lambda direct, indirect: direct + indirect),
    ("TC", ("HDL-C", "LDL-C", "TG"), lambda hdl, ldl, tg: hdl + ldl + tg / Decimal("2.2")),
)
"""（代号，由哪几项算出，算法），依次算；算不出的那些是抽的。"""


@dataclass(frozen=True)
class Style:
    """一种版式对内容的要求；空的 kinds 表示什么报告都行，marks 从中抽一种。"""

    kinds: tuple[str, ...] = ()
    items: tuple[int, int] = (8, 26)
    marks: tuple[str, ...] = ("arrows",)
    codes: bool = True
    ranges: bool = True
    head: bool = True
    groups: bool = True
    english: bool = False


@dataclass(frozen=True)
class Sample:
    """抽出的一张：报告、每项的真值、各分组的标题与第一项的序号。"""

    report: ReadReport
    flags: list[Flag | None]
    sections: list[tuple[str, int]]


@dataclass(frozen=True)
class Analyte:
    code: str
    names: tuple[str, ...]
    english: str
    unit: str
    reference: ReferenceRange | None = None
    words: tuple[str, ...] = ()
    titre: int = 0


@dataclass
class _Drawn:
    """抽出的一个数与它的范围：`text` 是范围的印法，`extreme` 是离范围远的。"""

    limits: Interval
    text: str
    number: Decimal
    extreme: bool


def pick(rng: np.random.Generator, choices):
    """从序列里等概率取一个。"""
    return choices[int(rng.integers(len(choices)))]


@cache
def _settings() -> dict:
    return yaml.safe_load(resources.files(__package__).joinpath("panels.yaml").read_text("utf-8"))


@cache
def panels() -> dict[str, list[Analyte]]:
    """面板名 -> 项目，目录里有范围的在前。名称只取不与别的指标重名的中文别名。"""
    uses = Counter(fold_name(name) for one in load_catalogue() for name in {one.name, *one.aliases})
    found: dict[str, list[Analyte]] = {}
    for one in load_catalogue():
        if one.reference is None:
            continue
        chinese = [name for name in one.aliases if re.search(r"[一-鿿]{2}", name) and uses[fold_name(name)] == 1]
        code = _PRINTED_CODES.get(one.code, one.code.removeprefix("U-"))
        english = _settings()["english"].get(one.code, one.code)
        analyte = Analyte(code, (one.name, *chinese), english, one.unit, one.reference)
        found.setdefault(one.panel, []).append(analyte)
    for panel, lines in _settings()["extra"].items():
        for line in lines:
            code, name, unit, limits, english = line.split("|")
            analyte = Analyte(code, (name,), english, unit)
            if limits.startswith("="):
                analyte = replace(analyte, words=tuple(limits[1:].split("/")))
            elif limits.startswith("1:"):
                analyte = replace(analyte, titre=int(limits[2:]))
            else:
                numeric = re.match(r"[<>]?\d", limits)
                analyte = replace(analyte, reference=parse_range(limits) if numeric else Terms((limits,)))
            found.setdefault(panel, []).append(analyte)
    return found


def sample_report(rng: np.random.Generator, style: Style, abnormal_rate: float = 0.25) -> Sample:
    """按版式的要求抽一张化验单；`abnormal_rate` 是每一项落在范围外的概率，由别的项算出的除外。"""
    known = _settings()["kinds"]
    kinds = style.kinds or (ENGLISH_KINDS if style.english else tuple(known))
    pools = np.array([sum(len(panels()[panel]) for panel in known[kind]["panels"]) for kind in kinds])
    # 项目多的报告更常见：血常规、生化、尿常规
    weights = pools * (pools >= min(style.items[0], pools.max()))
    kind = known[kinds[int(rng.choice(len(kinds), p=weights / weights.sum()))]]
    titles, pool = kind["titles"], [(panel, analyte) for panel in kind["panels"] for analyte in panels()[panel]]
    count = int(rng.integers(min(style.items[0], len(pool)), min(style.items[1], len(pool)) + 1))
    chosen = [pool[i] for i in sorted(rng.permutation(len(pool))[:count])]

    habits = _Habits(rng, style)
    habits.relate([analyte for _, analyte in pool], abnormal_rate)
    flags, items, sections, seen = [], [], [], set()
    for panel, analyte in chosen:
        if seen & {fold_code(analyte.code), fold_name(analyte.names[0])}:
            continue
        seen |= {fold_code(analyte.code), fold_name(analyte.names[0])}
        if not sections or sections[-1][0] != panel:
            sections.append((panel, len(items)))
        item, flag = habits.item(analyte, bool(rng.random() < abnormal_rate))
        items.append(item)
        flags.append(flag)
    report = ReadReport(
        report_type=titles[-1] if style.english else pick(rng, titles[:-1]),
        sex=habits.sex if style.head else None,
        age=habits.age if style.head else None,
        items=items,
    )
    return Sample(report, flags, sections)


class _Habits:
    """一家医院的写法与一位病人，一页之内不变。"""

    def __init__(self, rng: np.random.Generator, style: Style) -> None:
        self.rng, self.style = rng, style
        self.sex = pick(rng, ("男", "女"))
        self.adult = bool(rng.random() < 0.93)
        years = f"{int(rng.integers(18, 92))}" if self.adult else pick(rng, ("5", "9", "14"))
        self.age = years if style.english else years + "岁"
        if not self.adult and not style.english and rng.random() < 0.4:
            self.age = pick(rng, ("8月", "11个月", "20天"))
        self.dash = pick(rng, ("-", "-", "-", "~", "~", "--", "—", " - ", "～"))
        self.wrap = "({})" if rng.random() < 0.12 else "{}"
        self.at_most = pick(rng, ("<", "<", "≤", "<=", "0"))
        self.at_least = pick(rng, (">", ">", "≥", ">="))
        grouped = style.groups and style.head and not style.english and rng.random() < 0.4
        self.by_sex = pick(rng, ("[男:{}][女:{}]", "男:{} 女:{}", "男{},女{}", "男:{};女:{}")) if grouped else ""
        self.by_age = grouped and self.adult
        self.words = WORDS[pick(rng, tuple(WORDS))]
        self.no_range = pick(rng, ("", "", "-----"))
        self.more_decimals = int(pick(rng, (0, 0, 0, 1, 2)))
        self.power = pick(rng, ("10^", "10^", "×10^", "10*", "x10^"))
        self.micro = pick(rng, ("μ", "μ", "u"))
        self.seconds = pick(rng, ("s", "秒", "S", "sec"))
        self.litre_case = bool(rng.random() < 0.9)
        self.marks = MARKS[pick(rng, style.marks)]
        self.double_arrow = self.marks is MARKS["arrows"] and rng.random() < 0.15
        self.alias_rate = pick(rng, (0.0, 0.2, 0.5))
        self.related: dict[str, _Drawn] = {}

    def relate(self, pool: list[Analyte], abnormal_rate: float) -> None:
        """先定互相算得出的各项；没印的也算，免得印了的几项之间接不上。"""
        known = {analyte.code: analyte for analyte in reversed(pool)}
        steps = [step for step in _DERIVED if known.keys() >= {step[0], *step[1]}]
        for code in dict.fromkeys(code for target, inputs, _ in steps for code in (target, *inputs)):
            self.related[code] = self._draw(known[code], bool(self.rng.random() < abnormal_rate),
                                            _settings()["decimals"].get(code, 0))  # fmt: skip
        shares = [self.related[f"{cell}%"] for cell in _CELLS if f"{cell}%" in self.related]
        total = sum(share.number for share in shares)
        for share in shares:
            share.number = _quantize(share.number * 100 / total, _decimals(share.number))
        for target, inputs, derive in steps:
            number = derive(*(self.related[code].number for code in inputs))
            self.related[target].number = _quantize(number, _decimals(self.related[target].number))

    def item(self, analyte: Analyte, abnormal: bool) -> tuple[ReadItem, Flag | None]:
        name = analyte.names[0] if self.rng.random() > self.alias_rate else pick(self.rng, analyte.names)
        limits, extreme = self.no_range, False
        if analyte.words:
            result, flag = pick(self.rng, analyte.words), None
        elif analyte.titre:
            result, limits, flag = self._titre(analyte.titre, abnormal)
        elif isinstance(analyte.reference, Terms):
            result, limits, flag = self._qualitative(analyte.reference, abnormal)
        else:
            result, limits, flag, extreme = self._numeric(analyte, abnormal)
        if not self.style.ranges or self.rng.random() < 0.02:
            limits, flag = "" if not self.style.ranges else self.no_range, None
        mark = self.marks.get(flag or "")
        if mark and extreme and self.double_arrow:
            mark *= 2
        return ReadItem(
            name=analyte.english if self.style.english else name,
            code=analyte.code if self.style.codes else "",
            result=result,
            unit=self._unit(analyte.unit),
            reference_range=limits,
            mark=mark,
        ), flag

    def _titre(self, cutoff: int, abnormal: bool) -> tuple[str, str, Flag]:
        step = int(self.rng.integers(0, 4))
        in_words = self.rng.random() < 0.4
        if not abnormal:
            return ("阴性" if in_words else f"<1:{cutoff}"), ("阴性" if in_words else f"<1:{cutoff}"), "normal"
        return f"1:{cutoff * 2**step}", ("阴性" if in_words else f"<1:{cutoff}"), "abnormal" if in_words else "high"

    def _qualitative(self, expected: Terms, abnormal: bool) -> tuple[str, str, Flag]:
        negative, weak, positive, limits = self.words
        if expected.words[0] == "阴性" and self.style.english:
            negative, weak, positive, limits = "Negative", "Trace", ("Positive", "1+", "2+"), "Negative"
        if "正常" in expected.words:
            return "正常", "正常", "normal"
        if expected.words[0] == "未检出":
            negative, positive, limits = "未检出", ("检出",), "未检出"
            weak = "检出"
        if not abnormal:
            return negative, limits, "normal"
        return (weak if self.rng.random() < 0.25 else pick(self.rng, positive)), limits, "abnormal"

    def _numeric(self, analyte: Analyte, abnormal: bool) -> tuple[str, str, Flag, bool]:
        is_related = analyte.code in self.related
        drawn = self.related[analyte.code] if is_related else self._draw(analyte, abnormal)
        number, limits = drawn.number, drawn.limits
        flag = _side(number, limits)
        if not is_related and flag == "high" and drawn.extreme and analyte.unit != "%" and self.rng.random() < 0.25:
            digits = Decimal(10) ** (number.adjusted())
            return f">{(number // digits + 1) * digits:f}", drawn.text, "high", True
        if not is_related and flag == "normal" and limits.low in (None, 0) and self.rng.random() < 0.12:
            ceiling = _quantize(limits.high * Decimal("0.1"), _decimals(number))
            if ceiling > 0:
                return f"<{ceiling}", drawn.text, "normal", False
        return f"{number:f}", drawn.text, flag, drawn.extreme and flag != "normal"

    def _draw(self, analyte: Analyte, abnormal: bool, decimals: int = 0) -> _Drawn:
        mine, text = self._range(analyte.reference)
        number, extreme = self._value(mine, analyte.unit, abnormal, decimals)
        return _Drawn(mine, text, number, extreme)

    def _range(self, reference: Interval | ByGroup) -> tuple[Interval, str]:
        """（这位病人的范围，印法）。"""
        if isinstance(reference, ByGroup):
            sides = [self._printed_bounds(limits) for _, limits in reference.groups]
            mine = sides[0 if self.sex == "男" else 1]
            if self.by_sex:
                return mine, self.by_sex.format(*(self._write(side, plain=True) for side in sides))
            return mine, self._write(mine)
        mine = self._printed_bounds(reference)
        text = self.wrap.format(self._write(mine)) if mine.low is not None and mine.low >= 0 else self._write(mine)
        two_sided = mine.low is not None and mine.high is not None and mine.low > 0
        if self.by_age and two_sided and self.rng.random() < 0.06:
            sides = (mine.low, mine.high)
            newborn = Interval(*(_quantize(side * Decimal("0.6"), _decimals(side)) for side in sides))
            text = f"成人{self._write(mine, plain=True)},新生儿{self._write(newborn, plain=True)}"
        return mine, text

    def _printed_bounds(self, limits: Interval) -> Interval:
        """各医院的界限略有出入；单边的写成 `<`、`≤` 或从 0 起。"""
        low, high = limits.low, limits.high
        if self.rng.random() < 0.3 and (low is None or low >= 0):
            low, high = (side and _quantize(side * Decimal(f"{self.rng.uniform(0.95, 1.05):.3f}"), _decimals(side))
                         for side in (low, high))
            if low is not None and high is not None and low > high or 0 in (high, low) and limits.low != 0:
                low, high = limits.low, limits.high
        if low is None:
            if self.at_most == "0" and not self.style.english:
                return Interval(Decimal(0), high)
            return Interval(None, high, high_open=self.at_most == "<")
        return Interval(low, high, low_open=high is None and self.at_least == ">")

    def _write(self, limits: Interval, plain: bool = False) -> str:
        if limits.low is not None and limits.high is not None:
            # 负数的界限前再来两道横线就没人看得懂了
            dash = "-" if plain or (limits.low < 0 and "-" in self.dash) else self.dash
            return f"{limits.low}{dash}{limits.high}"
        if limits.low is None:
            return f"{'<' if limits.high_open else '≤' if self.at_most in '≤0' else '<='}{limits.high}"
        return f"{'>' if limits.low_open else self.at_least}{limits.low}"

    def _value(self, limits: Interval, unit: str, abnormal: bool, decimals: int) -> tuple[Decimal, bool]:
        rng = self.rng
        low = float(limits.low) if limits.low is not None else None
        high = float(limits.high) if limits.high is not None else None
        places = max(decimals, *(_decimals(side) for side in (limits.low, limits.high) if side is not None))
        places = max(places, min(places + self.more_decimals, 3))
        extreme = bool(rng.random() < 0.2)
        tight = low is not None and high is not None and low > 0 and (high - low) < 0.4 * low
        width = (high if high is not None else low) - (low or 0) or 1
        if tight and width < 0.05 * low:
            # 比重、pH 这样的量，再异常也离不远
            width *= 0.5
        if not abnormal:
            bottom, top = (low if low is not None else 0.1 * high), (high if high is not None else 2 * low)
            value = (bottom + top) / 2 + (top - bottom) * rng.uniform(-0.48, 0.48)
            if rng.random() < 0.03:
                value = top if not limits.high_open else bottom
        elif high is None or (low is not None and low != 0 and rng.random() < 0.45):
            value = low - width * rng.uniform(0.5, 1.2) if tight and extreme else low - width * rng.uniform(0.03, 0.4)
            if low > 0 and not tight:
                value = low * (rng.uniform(0.15, 0.6) if extreme else rng.uniform(0.65, 0.98))
        else:
            reach = rng.uniform(0.6, 1.4) if tight else rng.uniform(1.5, 6)
            value = high + width * (reach if extreme else rng.uniform(0.03, 0.6))
            if unit == "%" and high < 100:
                value = min(value, high + (99.5 - high) * rng.uniform(0.3, 0.9))
        return _quantize(Decimal(repr(value)), places), extreme

    def _unit(self, unit: str) -> str:
        if self.style.english:
            return unit
        unit = unit.replace("10^", self.power).replace("μ", self.micro)
        return self.seconds if unit == "s" else unit


def _decimals(number: Decimal) -> int:
    return max(0, -number.as_tuple().exponent)


def _quantize(number: Decimal, places: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-places))


def _side(number: Decimal, limits: Interval) -> Flag:
    if limits.low is not None and (number < limits.low or (limits.low_open and number == limits.low)):
        return "low"
    if limits.high is not None and (number > limits.high or (limits.high_open and number == limits.high)):
        return "high"
    return "normal"
