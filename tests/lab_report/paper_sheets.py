"""从 paper_rows.py 的内容变出来的单子：添格子、换单位、折行、夹说明。"""

import re
from collections.abc import Callable
from dataclasses import replace

from lab_report.paper_rows import Rng, Row, Sheet, numeric, plain_numbers, row, some, words

from health_assistant.lab_report.rendering.sampling import pick

_UNIT_WORDS = {
    "10^9/L": "10^9个/升", "10^12/L": "10^12个/升", "mmol/L": "毫摩尔/升", "μmol/L": "微摩尔/升", "pmol/L": "皮摩尔/升",
    "g/L": "克/升", "mg/L": "毫克/升", "U/L": "单位/升", "fL": "飞升", "pg": "皮克",
}  # fmt: skip
_NOTES = ("注：标本轻度溶血", "-- 镜检 --", "以下为生化项目", "备注：已复查", "【电解质】")
_RAISED = ("¹", "²", "³", "¹", "²", "³", "¹⁾", "²⁾")
_LONG_NAMES = (
    "25-OH VITAMIN D (TOTAL)||{}|ng/mL|30-100|", "VITAMIN B-12||{}|pg/mL|211-911|",
    "TOTAL TRIIODOTHYRONINE (T3)||{}|ng/dL|60-200|", "HIGH SENSITIVITY C-REACTIVE PROTEIN (HS-CRP)||{}|mg/L|< 3.00|",
    "HIGH SENSITIVITY C-REACTIVE PROTEIN (HS-CRP)||{}|mg/L|< 1.00 Low Risk; 1.00 - 3.00 Average; > 3.00 High|",
)  # fmt: skip


def with_cells(sheet: Sheet, **fields: Callable[[Row, int], str]) -> Sheet:
    """给每行添格子：`with_cells(sheet, number=lambda row, at: str(at))`。"""
    rows = [
        replace(one, extra=one.extra | {key: make(one, at) for key, make in fields.items()})
        for at, one in enumerate(sheet.rows)
    ]
    return replace(sheet, rows=rows)


def previous(rng: Rng) -> Sheet:
    """以前两次的结果，与这次相近。"""

    def near(one: Row, at: int) -> str:
        places = len(one.result.partition(".")[2])
        return f"{float(one.result) * rng.uniform(0.8, 1.2):.{places}f}"

    return with_cells(plain_numbers(rng), old=near, older=near)


def flagged(rng: Rng) -> Sheet:
    """结果后面写着 High、Low、Normal，另有一列以前的结果与日期。"""
    words = {"high": "High", "low": "Low", "normal": "Normal"}
    sheet = plain_numbers(rng, english=True, codes=False)
    return with_cells(sheet, word=lambda one, at: words[one.flag], old=lambda one, at: f"{one.result} (05/01/2025)")


def superscripts(rng: Rng) -> Sheet:
    """一半的行带脚注的上标。"""
    return with_cells(plain_numbers(rng), note=lambda one, at: pick(rng, _RAISED) if rng.random() < 0.5 else "")


def numbered(rng: Rng) -> Sheet:
    """四位数的编号。"""
    start = int(rng.integers(1000, 9000))
    return with_cells(plain_numbers(rng), number=lambda one, at: str(start + at))


def units_in_words(rng: Rng) -> Sheet:
    """汉字的单位。"""
    sheet = plain_numbers(rng)
    plain = [one.unit.lstrip("×x").replace("10*", "10^").replace("um", "μm") for one in sheet.rows]
    rows = [replace(one, unit=_UNIT_WORDS.get(unit, one.unit)) for one, unit in zip(sheet.rows, plain, strict=True)]
    for name, most, top in (("上皮细胞(镜检)", 12, 5), ("透明管型", 3, 1)):
        number = int(rng.integers(0, most))
        flag = "high" if number > top else "normal"
        rows.append(Row(name, "", str(number), "个/微升", f"0--{top}", flag))
    return replace(sheet, rows=rows)


def powers(rng: Rng) -> Sheet:
    """单位粘在数后面时，以 10 开头的前面有乘号，人才分得开。"""
    sheet = plain_numbers(rng)
    rows = [replace(one, unit="×" + one.unit.lstrip("×x*")) if "10" in one.unit else one for one in sheet.rows]
    return replace(sheet, rows=rows)


def wrapped(rng: Rng) -> Sheet:
    """名称长的折成两行。"""
    sheet, at = plain_numbers(rng), int(rng.integers(4, 7))
    rows = [
        replace(one, printed={"name": one.name[:at] + "\n" + one.name[at:]}) if len(one.name) > at + 1 else one
        for one in sheet.rows
    ]
    return replace(sheet, rows=rows)


def long_english(rng: Rng) -> Sheet:
    """一页一项，名称长。"""
    line, flag = pick(rng, _LONG_NAMES), pick(rng, ("normal", "high"))
    limits = line.split("|")[4]
    high = 3.0 if ";" in limits else float(limits.split("-")[-1].strip("< "))
    value = high * (rng.uniform(0.55, 0.9) if flag == "normal" else rng.uniform(1.1, 2))
    # 分几档的风险没有一个正常的范围
    one = row(line.format(f"{value:.2f}") + ("unknown" if ";" in limits else flag))
    one = replace(one, printed={"range": limits.replace("; ", "\n")})
    return Sheet("Report", [one], "男", f"{rng.integers(20, 80)} Y", True)


def blocks(rng: Rng) -> Sheet:
    """排成两栏的内容，名称不太长。"""
    sheet = numeric(rng, kinds=("blood", "chemistry", "kidney"), items=(10, 24))
    return replace(sheet, rows=[one for one in sheet.rows if len(one.name) < 11])


def noted(rng: Rng) -> Sheet:
    """表中间夹一两行不是项目的字。"""
    sheet = plain_numbers(rng)
    rows = list(sheet.rows)
    for text in (_NOTES[at] for at in rng.permutation(len(_NOTES))[: rng.integers(1, 3)]):
        rows.insert(int(rng.integers(1, len(rows) + 1)), Row(text, is_note=True))
    return replace(sheet, rows=rows)


def renamed(rng: Rng, forms: list[str]) -> Sheet:
    """名称前后印着别的：引线、冒号、星号；一张单子一种。"""
    sheet, form = plain_numbers(rng), pick(rng, forms)
    return replace(sheet, rows=[replace(one, printed={"name": form.format(one.name)}) for one in sheet.rows])


def around_x(rng: Rng) -> Sheet:
    """范围写成不等式：`3.9≤X≤6.1`。"""
    sheet, form = plain_numbers(rng), pick(rng, ("{}≤X≤{}", "{}≤x≤{}", "{}<=X<={}", "{1}≥X≥{0}"))
    rows = [
        replace(one, printed={"range": form.format(*ends)}) if len(ends := re.split("[-~—–]+", one.range)) == 2 else one
        for one in sheet.rows
    ]
    return replace(sheet, rows=rows)


def garbled_units(rng: Rng) -> Sheet:
    """单位印糊了，或者照别的写法。"""
    wrong = {"mmol/L": "mmoI/L", "μmol/L": "umo1/L", "U/L": "IU/1", "g/L": "g/1", "10^9/L": "10~9/L", "fL": "f1"}
    sheet = plain_numbers(rng)
    rows = [replace(one, printed={"unit": wrong[one.unit]}) if one.unit in wrong else one for one in sheet.rows]
    return replace(sheet, rows=rows)


def corrected(rng: Rng) -> Sheet:
    """原来的结果旁边印着更正后的，差得远。"""
    return with_cells(plain_numbers(rng), old=lambda one, at: f"{float(one.result) * rng.uniform(2, 4):.1f}")


def sufficient(rng: Rng) -> Sheet:
    """范围分缺乏、不足、充足几档，名称在界限前面或者后面。"""
    rows = []
    form = pick(rng, words()["sufficient_forms"])
    for name, code, unit, poor, enough, most in some(rng, "sufficient", 2, 4):
        low, high = float(enough), float(most)
        flag = pick(rng, ("normal", "low", "low"))
        value = rng.uniform(low * 1.05, high * 0.95) if flag == "normal" else rng.uniform(float(poor) * 0.5, low * 0.95)
        text = form.format(poor, enough, most)
        printed = {"range": text}
        rows.append(Row(name, code, f"{value:.1f}", unit, text.replace("\n", ";"), flag, printed))
    return Sheet("维生素检测", rows, "女", "44岁")


def kinds_found(rng: Rng) -> Sheet:
    """阳性旁边写着是哪一型。"""
    rows = []
    for name, code, kind in some(rng, "kinds_found", 4, 7):
        is_found = bool(rng.random() < 0.5)
        found = pick(rng, ("阳性({})", "{}阳性", "阳性 {}", "阳性，{}", "{}(+)", "检出{}")).format(kind)
        rows.append(Row(name, code, found if is_found else pick(rng, ("阴性", "未检出")), "", "阴性",
                        "abnormal" if is_found else "normal"))  # fmt: skip
    return Sheet("病原体核酸检测", rows, "女", "31岁")


def beside_range(rng: Rng) -> Sheet:
    """参考范围旁边另有一列，宽些或窄些：警戒的、最佳的、别的人群的；病人是一位三十多岁的女士。"""
    below, above = pick(rng, ((0.7, 1.4), (0.85, 1.2), (1.04, 0.97), (1.3, 1.5)))

    def scaled(one: Row, at: int) -> str:
        low, high = re.findall(r"\d+(?:\.\d+)?", one.range)
        places = len(high.partition(".")[2])
        return f"{float(low) * below:.{places}f}-{float(high) * above:.{places}f}"

    return with_cells(replace(plain_numbers(rng), sex="女", age="35岁"), other=scaled)


def repeated(rng: Rng) -> Sheet:
    """测了两次，结果是平均值。"""

    def near(one: Row, at: int) -> str:
        return f"{float(one.result) * rng.uniform(0.7, 1.3):.{len(one.result.partition('.')[2])}f}"

    return with_cells(plain_numbers(rng), first=near, second=near)


def tiers_apart(rng: Rng) -> Sheet:
    """合适、边缘、升高各印一列。"""
    rows = []
    for name, code, best, worst in some(rng, "tiers", 2, 4):
        flag = pick(rng, ("normal", "high", "high"))
        value = float(best) * (rng.uniform(0.5, 0.95) if flag == "normal" else rng.uniform(1.05, 1.6))
        extra = {"middle": f"{best}-{worst}", "worst": f"≥{worst}"}
        rows.append(Row(name, code, f"{value:.2f}", "mmol/L", f"<{best}", flag, extra=extra))
    return Sheet("血脂", rows, "男", "51岁")
