"""医院单子上的各种内容，带真值：真值从怎样写下这一行而来，不经过判断的代码。

每个函数收一个随机数发生器，给一张 `Sheet`；项目与用词在 paper_words.yaml 里。
"""

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import numpy as np

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.rendering.sampling import Style, pick, sample_report

Rng = np.random.Generator
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


@dataclass(frozen=True)
class Row:
    """一行的真值（flag 用 `LabItem.flag` 的词）；printed 里的字段印得与真值不同，extra 是别的格子。"""

    name: str
    code: str = ""
    result: str = ""
    unit: str = ""
    range: str = ""
    flag: str = "unknown"
    printed: dict[str, str] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    is_note: bool = False


@dataclass(frozen=True)
class Sheet:
    """一张单子：标题、各行、病人。"""

    title: str
    rows: list[Row]
    sex: str | None = None
    age: str | None = None
    english: bool = False


@cache
def words() -> dict[str, list[str]]:
    return load_yaml(Path(__file__).with_name("paper_words.yaml"))


def row(line: str) -> Row:
    """`名称|代号|结果|单位|范围|判断` -> 一行。"""
    name, code, result, unit, limits, flag = line.split("|")
    return Row(name, code, result, unit, limits, flag)


def some(rng: Rng, key: str, fewest: int, most: int) -> list[list[str]]:
    """抽 paper_words.yaml 里 key 的几行，次序照原来的，各栏分开。"""
    lines = words()[key]
    count = min(len(lines), int(rng.integers(fewest, most + 1)))
    return [lines[at].split("|") for at in sorted(rng.permutation(len(lines))[:count])]


def value_on(rng: Rng, side: str, low: float, high: float) -> float:
    """在范围的这一边、离界不太近的一个数。"""
    width = high - low
    spans = {"normal": (low + width * 0.08, high - width * 0.08), "high": (high * 1.1, high * 1.7),
             "low": (low * 0.5, low * 0.9)}  # fmt: skip
    return rng.uniform(*spans[side])


def numeric(rng: Rng, kinds: tuple[str, ...] = (), items: tuple[int, int] = (5, 14), codes: bool = True,
            english: bool = False, rate: float = 0.4) -> Sheet:  # fmt: skip
    """渲染器抽的数值项目，只留真值能定的行。"""
    style = Style(kinds=kinds, items=items, codes=codes, groups=False, english=english, marks=("none",))
    sample = sample_report(rng, style, rate)
    pairs = zip(sample.report.items, sample.flags, strict=True)
    rows = [Row(one.name, one.code, one.result, one.unit, one.reference_range, flag) for one, flag in pairs if flag]
    return Sheet(sample.report.report_type, rows, sample.report.sex, sample.report.age, english)


def plain_numbers(rng: Rng, **options) -> Sheet:
    """只要结果是数、范围有两端的行：箭头与小数点的花样画在这样的行上。"""
    while True:
        sheet = numeric(rng, kinds=("blood", "chemistry", "kidney", "thyroid", "blood_crp"), items=(14, 24), **options)
        rows = [one for one in sheet.rows if one.result.replace(".", "").isdigit() and one.range[:1].isdigit()]
        if len(rows) >= 5:
            return replace(sheet, rows=rows[: int(rng.integers(5, 13))])


def decimals(rng: Rng, **options) -> Sheet:
    """结果都有小数的行。"""
    while True:
        sheet = plain_numbers(rng, **options)
        rows = [one for one in sheet.rows if "." in one.result]
        if len(rows) >= 4:
            return replace(sheet, rows=rows)


def scientific(rng: Rng, raised: bool = False) -> Sheet:
    """结果与范围都是科学记数；raised 时指数是上标。"""
    written = pick(rng, ("{}×10^{}", "{}x10^{}", "{}*10^{}", "{}×10^{}") + (() if raised else ("{}E+0{}",)))
    limit, rows = int(pick(rng, (2, 3))), []
    for name, code in some(rng, "viruses", 3, 6):
        power = int(rng.integers(1, 8))
        limits = pick(rng, ("<", "<", "≤")) + written.format("1.00", limit)
        result, flag = written.format(f"{rng.uniform(1.05, 9.8):.2f}", power), "high" if power >= limit else "normal"
        if rng.random() < 0.25:
            result, flag = limits.replace("≤", "<"), "normal"
        printed = {"result": _raise(result), "range": _raise(limits)} if raised else {}
        rows.append(Row(name, code, result, pick(rng, words()["virus_units"]), limits, flag, printed))
    return Sheet("病毒核酸定量", rows, "男", "45岁")


def _raise(text: str) -> str:
    head, _, power = text.partition("^")
    return head + power.translate(_RAISED)


def scientific_units(rng: Rng) -> Sheet:
    """单位里有 10 的几次方，上标或 ×10^ 或 ×10*。"""
    sheet = numeric(rng, kinds=("blood",), items=(10, 20))
    power = pick(rng, ("×10⁹/L", "10⁹/L", "×10^9/L", "*10^9/L", "×10*9/L", "x10E9/L", "10^9/L", "G/L"))
    big = power.replace("9", "12").replace("⁹", "¹²").replace("G/", "T/")
    rows = [
        replace(one, unit=power if "9/L" in one.unit else big) if "10" in one.unit and "/L" in one.unit else one
        for one in sheet.rows
    ]
    return replace(sheet, rows=rows)


def thousands(rng: Rng) -> Sheet:
    """千位分隔：`12,500`。"""
    rows = []
    for name, unit, low, high in some(rng, "thousands", 4, 6):
        side, dash = pick(rng, ("normal", "high", "low")), pick(rng, ("-", " - "))
        value = round(value_on(rng, side, int(low), int(high)), -1)
        rows.append(Row(name, "", f"{value:,.0f}", unit, f"{int(low):,}{dash}{int(high):,}", side))
    return Sheet("Haematology", rows, "男", "52", True)


def comma(rng: Rng, german: bool = True) -> Sheet:
    """小数写成逗号。"""
    rows = []
    for name, unit, low, high, places in some(rng, "german" if german else "chinese", 5, 10):
        side = pick(rng, ("normal", "normal", "high", "low" if float(low) else "high"))
        text = f"{value_on(rng, side, float(low), float(high)):.{places}f}".replace(".", ",")
        rows.append(Row(name, "", text, unit, f"{low}-{high}".replace(".", ","), side))
    return Sheet("Laborbericht" if german else "生化", rows, "男", "45" if german else "45岁", german)


def counts(rng: Rng, stool: bool = False) -> Sheet:
    """镜检：结果是范围、偶见、满视野，按范围比；跨在界上的不能判断。"""
    kind, dash = "stool" if stool else "urine", pick(rng, ("-", "-", "~", "--"))
    rows = [row("|".join(line)) for line in some(rng, f"{kind}_head", 0, 2)]
    for name in words()[f"{kind}_cells"]:
        top, step = int(pick(rng, (2, 3, 5, 5))), int(rng.integers(0, 2))
        choices = (
            (f"{step}-{step + 1}", "normal"), (f"{step}-{step + 1}", "normal"), ("偶见", "normal"), ("0", "normal"),
            (f"{top + 2 + step * 5}-{top + 5 + step * 8}", "high"), ("满视野", "high"),
            (f"{top - 1}-{top + 2}", "unknown"),
        )  # fmt: skip
        result, flag = pick(rng, choices)
        rows.append(Row(name, "", result, "/LP" if "管型" in name else "/HP", f"0{dash}{top}", flag))
    rows += [row("|".join(line)) for line in some(rng, f"{kind}_tail", 1, 4)]
    return Sheet("粪便常规" if stool else "尿沉渣镜检", rows, "女", "41岁")


def number_and_word(rng: Rng) -> Sheet:
    """一格里有数也有词：`0.02(阴性)`、`8.30 阳性`、`阳性(12.5)`、`1:320 阳性`。"""
    written, (negative, positive) = pick(rng, (
        ("{n}({w})", ("阴性", "阳性")), ("{n}（{w}）", ("阴性", "阳性")), ("{n} {w}", ("阴性", "阳性")),
        ("{w}({n})", ("阴性", "阳性")), ("{w} {n}", ("阴性", "阳性")), ("{n}({w})", ("-", "+")),
        ("{n} {w}", ("阴性(-)", "阳性(+)")),
    ))  # fmt: skip
    rows = []
    for name, code in some(rng, "serology", 4, 7):
        is_high = bool(rng.random() < 0.35)
        number = f"{rng.uniform(1.3, 18):.2f}" if is_high else f"{rng.uniform(0.01, 0.85):.2f}"
        limits, unit = pick(rng, ("阴性", "<1.0", "0-1.0", "<1.00")), pick(rng, ("S/CO", "COI", ""))
        flag = "normal" if not is_high else "abnormal" if limits == "阴性" else "high"
        rows.append(Row(name, code, written.format(n=number, w=positive if is_high else negative), unit, limits, flag))
    if rng.random() < 0.5:
        text = pick(rng, ("阳性 {}", "{} 阳性", "阳性({})", "{}阳性")).format(pick(rng, ("1:8", "1:16", "1:320")))
        rows.append(Row("梅毒甲苯胺红试验", "TRUST", text, "", "阴性", "abnormal"))
    return Sheet("感染性疾病筛查", rows, "男", "33岁")


def urine_strip(rng: Rng) -> Sheet:
    """尿干化学：加号与数同在一格，定性对上限。"""
    rows = []
    for name, code, unit, top in some(rng, "urine_strip", 4, 6):
        sign, number = pick(rng, (("", ""), ("", ""), ("", ""), ("1+", "30"), ("2+", "100"), ("3+", "300")))
        flag = "abnormal" if sign else "normal"
        if rng.random() < 0.67:
            rows.append(Row(name, code, f"阳性({sign})" if sign else "阴性", unit, f"<{top}", flag))
        else:
            rows.append(Row(name, code, f"{number} ({sign})" if sign else "阴性(-)", "", "阴性", flag))
    rows.append(Row("尿比重", "SG", f"1.0{rng.integers(10, 26)}", "", "1.003-1.030", "normal"))
    rows.append(Row("酸碱度", "PH", f"{rng.uniform(5, 7.5):.1f}", "", "4.5-8.0", "normal"))
    return Sheet("尿常规", rows, "女", "40岁")


def word_and_limit(rng: Rng) -> Sheet:
    """范围有词也有界：`阴性<1`、`<0.9 阴性`；`阴性>1` 是大于 1 才正常。"""
    forms = ("阴性{s}{n}", "阴性{s}{n}", "{s}{n} 阴性", "阴性:{s}{n}", "阴性({s}{n})", "{s}{n}(阴性)")
    form, rows = pick(rng, forms), []
    for name, code, sign in some(rng, "hepatitis", 4, 6):
        limit = pick(rng, ("1", "0.9", "1.0", "0.05"))
        is_negative, in_words = bool(rng.random() < 0.6), bool(rng.random() < 0.35)
        number = float(limit) * (rng.uniform(0.1, 0.8) if is_negative == (sign == "<") else rng.uniform(1.4, 9))
        result = ("阴性" if is_negative else "阳性") if in_words else f"{number:.{3 if limit == '0.05' else 2}f}"
        rows.append(Row(name, code, result, "", form.format(s=sign, n=limit), "normal" if is_negative else "abnormal"))
    return Sheet("乙肝两对半定量", rows, "女", "36岁")


def qualitative(rng: Rng, english: bool = False) -> Sheet:
    """有反应性、检出、Reactive 与它们的否定。"""
    ending, rows = "_english" if english else "", []
    pairs = [one.split("|") for one in words()[f"pairs{ending}"]]
    usual = pick(rng, pairs)
    for name, code in some(rng, f"serology{ending}", 4, 7):
        pair = usual if rng.random() < 0.7 else pick(rng, pairs)
        is_high = bool(rng.random() < 0.4)
        rows.append(Row(name, code, pair[is_high], "", pair[0], "abnormal" if is_high else "normal"))
    title = "Infectious Disease Screen" if english else "输血前检查"
    return Sheet(title, rows, "男", "33" if english else "33岁", english)


def grouped_english(rng: Rng, in_age: bool = False) -> Sheet:
    """Men / Women 的范围，Desirable、Child 的范围；in_age 是性别写在年龄里：`52 Y / Male`。"""
    sex, form, rows = pick(rng, ("男", "女")), pick(rng, words()["grouped_forms"]), []
    for name, unit, *ends, places in some(rng, "grouped", 3, 6):
        men, women = ends[:2], ends[2:]
        low, high = map(float, men if sex == "男" else women)
        side = pick(rng, ("normal", "high", "low" if low else "high"))
        child = [f"{float(end) * 0.8:.1f}" for end in women]
        text = form.format(*("-".join(pair) for pair in (men, women, child)))
        printed = {"range": text}
        result = f"{value_on(rng, side, low, high):.{places}f}"
        rows.append(Row(name, "", result, unit, text.replace("\n", " "), side, printed))
    for name, unit, text, limit, sign in some(rng, "desirable", 2, 4):
        bad = "high" if sign == "<" else "low"
        flag = pick(rng, ("normal", bad))
        value = float(limit) * (rng.uniform(1.1, 1.6) if (flag == "normal") != (sign == "<") else rng.uniform(0.5, 0.9))
        rows.append(Row(name, "", f"{value:.0f}", unit, text, flag))
    age = f"{rng.integers(20, 80)}"
    if in_age:
        age, sex = f"{age} Y / {'Male' if sex == '男' else 'Female'}", None
    return Sheet("Biochemistry", rows, sex, age, True)


def tiers(rng: Rng) -> Sheet:
    """范围分几档印：合适、边缘、升高；合适以外的都是高。"""
    form, rows = pick(rng, words()["tier_forms"]), []
    for name, code, best, worst in some(rng, "tiers", 2, 4):
        flag = pick(rng, ("normal", "high", "high"))
        value = float(best) * (rng.uniform(0.5, 0.95) if flag == "normal" else rng.uniform(1.05, 1.6))
        text = form.format(best, worst)
        printed = {"range": text}
        rows.append(Row(name, code, f"{value:.2f}", "mmol/L", text.replace("\n", ","), flag, printed))
    return Sheet("血脂", rows, "男", "51岁")


def without_ranges(rng: Rng) -> Sheet:
    """没有参考范围的单子：目录里也没有的项目，判断不了。"""
    rows = [row("|".join(line).format(rng.integers(2, 98))) for line in some(rng, "body_fluid", 3, 6)]
    return Sheet("胸腹水常规", rows, "女", "40岁")
