"""医院单子上的各种内容，带真值：真值从怎样写下这一行而来，不经过判断的代码。

每个函数收一个随机数发生器，给一张 `Sheet`。
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from health_assistant.lab_report.rendering.sampling import Style, pick, sample_report

Rng = np.random.Generator


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


def row(line: str) -> Row:
    """`名称|代号|结果|单位|范围|判断` -> 一行。"""
    name, code, result, unit, limits, flag = line.split("|")
    return Row(name, code, result, unit, limits, flag)


def some(rng: Rng, lines: Sequence[str], fewest: int, most: int) -> list[Row]:
    """抽几行，次序照原来的；以 / 隔开的几种写法不在这里选。"""
    count = min(len(lines), int(rng.integers(fewest, most + 1)))
    return [row(lines[at]) for at in sorted(rng.permutation(len(lines))[:count])]


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
    """小数多的行：钾、钙、肌酐。"""
    while True:
        sheet = plain_numbers(rng, **options)
        rows = [one for one in sheet.rows if "." in one.result]
        if len(rows) >= 4:
            return replace(sheet, rows=rows)


_VIRUSES = ("乙型肝炎DNA|HBV-DNA", "丙型肝炎RNA|HCV-RNA", "EB病毒DNA|EBV-DNA", "巨细胞病毒DNA|CMV-DNA",
            "人乳头瘤病毒DNA|HPV-DNA", "结核分枝杆菌DNA|TB-DNA")  # fmt: skip
_UNITS = ("IU/mL", "copies/mL", "拷贝/mL")


def scientific(rng: Rng, raised: bool = False) -> Sheet:
    """结果与范围都是科学记数；raised 时指数是上标。"""
    written = pick(rng, ("{}×10^{}", "{}x10^{}", "{}*10^{}", "{}E+0{}", "{}×10^{}"))
    limit, rows = int(pick(rng, (2, 3))), []
    for at in rng.permutation(len(_VIRUSES))[: rng.integers(3, 7)]:
        name, code = _VIRUSES[at].split("|")
        head, power = f"{rng.uniform(1.05, 9.8):.2f}", int(rng.integers(1, 8))
        limits = pick(rng, ("<", "<", "≤")) + written.format("1.00", limit)
        result = written.format(head, power)
        one = Row(name, code, result, pick(rng, _UNITS), limits, "high" if power >= limit else "normal")
        if rng.random() < 0.25:
            one = replace(one, result=limits.replace("≤", "<"), flag="normal")
        if raised and "^" in written:
            printed = {"result": _raise(one.result), "range": _raise(one.range)}
            one = replace(one, printed=printed)
        rows.append(one)
    return Sheet("病毒核酸定量", rows, "男", "45岁")


def _raise(text: str) -> str:
    head, _, power = text.partition("^")
    return head + power.translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))


def scientific_units(rng: Rng) -> Sheet:
    """单位里有 10 的几次方，上标或 ×10^ 或 ×10*。"""
    sheet = numeric(rng, kinds=("blood",), items=(10, 20))
    power = pick(rng, ("×10⁹/L", "10⁹/L", "×10^9/L", "*10^9/L", "×10*9/L", "x10E9/L", "10^9/L", "G/L"))
    rows = []
    for one in sheet.rows:
        unit = power if "9/L" in one.unit else power.replace("9", "12").replace("⁹", "¹²").replace("G/", "T/")
        rows.append(replace(one, unit=unit if "/L" in one.unit and "10" in one.unit else one.unit))
    return replace(sheet, rows=rows)


def thousands(rng: Rng) -> Sheet:
    """千位分隔：`12,500`。"""
    rows = []
    for name, unit, low, high in (("WBC Count", "/cumm", 4000, 11000), ("Platelet Count", "/cumm", 150000, 450000),
                                  ("Absolute Neutrophils", "/cumm", 2000, 7000), ("CHE", "U/L", 4000, 12600),
                                  ("Absolute Lymphocytes", "/cumm", 1000, 3000), ("Vitamin B12", "pg/mL", 200, 1100)):  # fmt: skip
        side = pick(rng, ("normal", "high", "low"))
        value = {"normal": rng.uniform(low, high), "high": high * rng.uniform(1.1, 2), "low": low * rng.uniform(0.3, 0.9)}
        rows.append(Row(name, "", f"{round(value[side], -1):,.0f}", unit, f"{low:,}{pick(rng, ('-', ' - '))}{high:,}", side))
    return Sheet("Haematology", rows, "男", "52", True)


_GERMAN = ("Leukozyten|/nl|3.6|10.0|1", "Hämoglobin|g/dl|13.5|17.2|1", "Hämatokrit|%|39.5|50.5|1", "MCV|fl|80.0|99.0|1",
           "Erythrozyten|/pl|4.30|5.75|2", "Thrombozyten|/nl|150|370|0", "Kalium|mmol/l|3.5|5.1|1", "Natrium|mmol/l|135|145|0",
           "Calcium|mmol/l|2.15|2.58|2", "Harnstoff|mg/dl|17|43|0", "Kreatinin|mg/dl|0.70|1.20|2", "CRP|mg/l|0.0|5.0|1",
           "TSH|mU/l|0.27|4.20|2", "GPT (ALT)|U/l|10|50|0", "Glukose|mg/dl|70|99|0")  # fmt: skip
_CHINESE = ("钾|mmol/L|3.5|5.3|1", "钙|mmol/L|2.11|2.52|2", "葡萄糖|mmol/L|3.9|6.1|1", "总胆红素|μmol/L|5.1|28.0|1",
            "白细胞计数|10^9/L|3.5|9.5|1", "白蛋白|g/L|40.0|55.0|1", "甘油三酯|mmol/L|0.40|1.70|2", "血红蛋白|g/L|130|175|0",
            "肌酐|μmol/L|57|97|0", "尿素|mmol/L|3.1|8.0|1")  # fmt: skip


def comma(rng: Rng, german: bool = True) -> Sheet:
    """小数写成逗号。"""
    lines, rows = _GERMAN if german else _CHINESE, []
    for line in (lines[at] for at in sorted(rng.permutation(len(lines))[: rng.integers(5, 11)])):
        name, unit, low, high, places = line.split("|")
        side, (bottom, top) = pick(rng, ("normal", "normal", "high", "low")), (float(low), float(high))
        if side == "low" and bottom == 0:
            side = "high"
        span = {"normal": (bottom, top), "high": (top * 1.1, top * 1.7), "low": (bottom * 0.5, bottom * 0.9)}[side]
        middle = span[0] + (span[1] - span[0]) * rng.uniform(0.1, 0.9)
        text = f"{middle:.{places}f}".replace(".", ",")
        rows.append(Row(name, "", text, unit, f"{low}-{high}".replace(".", ","), side))
    return Sheet("Laborbericht" if german else "生化", rows, "男", "45" if german else "45岁", german)


def counts(rng: Rng, stool: bool = False) -> Sheet:
    """镜检：结果是范围、偶见、满视野，按范围比；跨在界上的不能判断。"""
    names = ("白细胞", "红细胞", "脓细胞", "吞噬细胞") if stool else ("白细胞", "红细胞", "上皮细胞", "小圆上皮细胞", "透明管型")
    rows = some(rng, ("颜色||黄色||黄色|normal", "性状||软便||软便|normal") if stool else ("颜色||淡黄色||淡黄色|normal",), 0, 2)
    dash = pick(rng, ("-", "-", "~", "--"))
    for name in names:
        top = int(pick(rng, (2, 3, 5, 5)))
        kind, start = pick(rng, ("inside", "inside", "above", "word", "across")), int(rng.integers(0, 2))
        ends = {"inside": (start, start + 1), "above": (top + 2 + start * 5, top + 5 + start * 8), "across": (top - 1, top + 2)}
        if kind == "word":
            result, flag = (("偶见", "normal"), ("少许", "unknown"), ("满视野", "high"), ("0", "normal"))[rng.integers(4)]
        else:
            result = "{}-{}".format(*ends[kind])
            flag = {"inside": "normal", "above": "high", "across": "unknown"}[kind]
        # “少许”是多是少没有公认的数，不画
        result, flag = ("0-1", "normal") if result == "少许" else (result, flag)
        rows.append(Row(name, "", result, "/LP" if "管型" in name else "/HP", f"0{dash}{top}", flag))
    rows += some(rng, ("隐血试验||阳性(+)||阴性|abnormal", "虫卵||未查见||未查见|normal", "脂肪球||未检出||未检出|normal",
                       "霉菌||未见||未见|normal", "寄生虫||未找到||未找到|normal") if stool else
                 ("真菌||阴性||阴性|normal", "结晶||未见||未见|normal", "滴虫||未见||未见|normal", "粘液丝||+||阴性|abnormal",
                  "细菌||阴性||阴性|normal"), 1, 4)  # fmt: skip
    return Sheet("粪便常规" if stool else "尿沉渣镜检", rows, "女", "41岁")


_SEROLOGY = ("乙肝表面抗原|HBsAg", "乙肝e抗原|HBeAg", "丙肝抗体|HCV", "艾滋病毒抗体|HIV", "梅毒特异性抗体|TP", "戊肝抗体|HEV",
             "甲肝抗体IgM|HAV", "风疹病毒IgM|RV", "弓形虫IgM|TOX", "EB病毒衣壳抗体IgM|EBV")  # fmt: skip


def number_and_word(rng: Rng) -> Sheet:
    """一格里有数也有词：`0.02(阴性)`、`8.30 阳性`、`阳性(12.5)`、`1:320 阳性`。"""
    written = pick(rng, ("{n}({w})", "{n}（{w}）", "{n} {w}", "{w}({n})", "{w} {n}", "{n}({w})"))
    words = pick(rng, (("阴性", "阳性"), ("阴性", "阳性"), ("-", "+"), ("阴性(-)", "阳性(+)")))
    words = words if "(" not in words[0] or "(" not in written else ("阴性", "阳性")
    words = words if words[0] != "-" or written.startswith("{n}(") else ("阴性", "阳性")
    rows = []
    for at in rng.permutation(len(_SEROLOGY))[: rng.integers(4, 8)]:
        name, code = _SEROLOGY[at].split("|")
        is_high = bool(rng.random() < 0.35)
        number = f"{rng.uniform(1.3, 18):.2f}" if is_high else f"{rng.uniform(0.01, 0.85):.2f}"
        limits = pick(rng, ("阴性", "<1.0", "0-1.0", "<1.00"))
        flag = "normal" if not is_high else "abnormal" if limits == "阴性" else "high"
        rows.append(Row(name, code, written.format(n=number, w=words[is_high]), pick(rng, ("S/CO", "COI", "")), limits, flag))
    if rng.random() < 0.5:
        titre = pick(rng, ("1:8", "1:16", "1:320"))
        text = pick(rng, ("阳性 {}", "{} 阳性", "阳性({})", "{}阳性")).format(titre)
        rows.append(Row("梅毒甲苯胺红试验", "TRUST", text, "", "阴性", "abnormal"))
    return Sheet("感染性疾病筛查", rows, "男", "33岁")


def urine_strip(rng: Rng) -> Sheet:
    """尿干化学：加号与数同在一格，定性对上限。"""
    marks, rows = (("-", ""), ("+-", ""), ("1+", "30"), ("2+", "100"), ("3+", "300")), []
    for name, code, unit, top in (("尿白细胞", "LEU", "/μL", "25"), ("尿蛋白", "PRO", "g/L", "0.25"), ("尿糖", "GLU", "mmol/L", "3"),
                                  ("尿潜血", "BLD", "/μL", "10"), ("尿酮体", "KET", "mmol/L", "0.5"), ("尿胆红素", "BIL", "μmol/L", "3.3")):  # fmt: skip
        at = int(pick(rng, (0, 0, 0, 2, 3, 4)))
        sign, number = marks[at]
        style = pick(rng, ("limit", "limit", "word"))
        if style == "limit":
            result = "阴性" if at == 0 else f"阳性({sign})"
            rows.append(Row(name, code, result, unit, f"<{top}", "normal" if at == 0 else "abnormal"))
        else:
            result = "阴性(-)" if at == 0 else f"{number} ({sign})"
            rows.append(Row(name, code, result, "", "阴性", "normal" if at == 0 else "abnormal"))
    rows.append(Row("尿比重", "SG", f"1.0{rng.integers(10, 26)}", "", "1.003-1.030", "normal"))
    rows.append(Row("酸碱度", "PH", f"{rng.uniform(5, 7.5):.1f}", "", "4.5-8.0", "normal"))
    return Sheet("尿常规", rows, "女", "40岁")


def word_and_limit(rng: Rng) -> Sheet:
    """范围有词也有界：`阴性<1`、`<0.9 阴性`；`阴性>1` 是大于 1 才正常。"""
    form, rows = pick(rng, ("阴性{s}{n}", "阴性{s}{n}", "{s}{n} 阴性", "阴性:{s}{n}", "阴性({s}{n})", "{s}{n}(阴性)")), []
    for name, code, sign in (("乙型肝炎表面抗原", "HBsAg", "<"), ("乙型肝炎表面抗体", "HBs-Ab", "<"), ("乙型肝炎e抗原", "HBeAg", "<"),
                             ("乙型肝炎e抗体", "HBe-Ab", ">"), ("乙型肝炎核心抗体", "HBc-Ab", ">"), ("丙型肝炎抗体", "HCV-Ab", "<")):  # fmt: skip
        limit = pick(rng, ("1", "0.9", "1.0", "0.05"))
        is_negative, in_words = bool(rng.random() < 0.6), bool(rng.random() < 0.35)
        far = float(limit) * (rng.uniform(0.1, 0.8) if is_negative == (sign == "<") else rng.uniform(1.4, 9))
        result = ("阴性" if is_negative else "阳性") if in_words else f"{far:.3f}" if limit == "0.05" else f"{far:.2f}"
        flag = "normal" if is_negative else "abnormal"
        rows.append(Row(name, code, result, "", form.format(s=sign, n=limit), flag))
    return Sheet("乙肝两对半定量", rows, "女", "36岁")


_PAIRS = (("无反应性", "有反应性"), ("非反应性", "反应性"), ("未检出", "检出"), ("阴性(-)", "阳性(+)"), ("阴性", "弱阳性"),
          ("未检测到", "检测到"), ("阴性", "阳性"))  # fmt: skip
_ENGLISH_PAIRS = (("Non-reactive", "Reactive"), ("Not detected", "Detected"), ("Negative", "Positive"),
                  ("Non Reactive", "Reactive"), ("NEGATIVE", "POSITIVE"), ("Nonreactive", "Reactive"))  # fmt: skip
_ENGLISH_TESTS = ("HBsAg", "Anti-HCV", "HIV 1/2 Antibody", "Treponemal Antibody", "SARS-CoV-2 RNA", "Rubella IgM", "Dengue NS1 Antigen")


def qualitative(rng: Rng, english: bool = False) -> Sheet:
    """有反应性、检出、Reactive 与它们的否定。"""
    names = [(name, "") for name in _ENGLISH_TESTS] if english else [one.split("|") for one in _SEROLOGY]
    usual, rows = pick(rng, _ENGLISH_PAIRS if english else _PAIRS), []
    for at in rng.permutation(len(names))[: rng.integers(4, 8)]:
        pair = usual if rng.random() < 0.7 else pick(rng, _ENGLISH_PAIRS if english else _PAIRS)
        is_high = bool(rng.random() < 0.4)
        rows.append(Row(names[at][0], names[at][1], pair[is_high], "", pair[0], "abnormal" if is_high else "normal"))
    return Sheet("Infectious Disease Screen" if english else "输血前检查", rows, "男", "33" if english else "33岁", english)


_GROUPED = (("Haemoglobin", "g/dL", (13.0, 17.0), (12.0, 15.0), 1), ("Serum Uric Acid", "mg/dL", (3.5, 7.2), (2.6, 6.0), 1),
            ("Serum Creatinine", "mg/dL", (0.7, 1.3), (0.6, 1.1), 2), ("Ferritin", "ng/mL", (30, 400), (13, 150), 0),
            ("ESR", "mm/hr", (0, 15), (0, 20), 0), ("Packed Cell Volume", "%", (40.0, 50.0), (36.0, 46.0), 1))  # fmt: skip


def grouped_english(rng: Rng) -> Sheet:
    """Men / Women 的范围，Desirable、Child 的范围。"""
    sex, rows = pick(rng, ("男", "女")), []
    style = pick(rng, ("Male : {} Female : {}", "Men {} Women {}", "M: {}, F: {}", "Male: {}\nFemale: {}", "Men: {};\nWomen: {}", "Child: {2} Male: {0} Female: {1}"))
    for name, unit, men, women, places in _GROUPED:
        low, high = men if sex == "男" else women
        side = pick(rng, ("normal", "high", "low")) if low else pick(rng, ("normal", "high"))
        span = {"normal": (low + (high - low) * 0.1, high - (high - low) * 0.1), "high": (high * 1.15, high * 1.5),
                "low": (low * 0.5, low * 0.85)}[side]  # fmt: skip
        child = (round(women[0] * 0.8, 1), round(women[1] * 0.8, 1))
        text = style.format(*(f"{a}-{b}" for a, b in (men, women, child)))
        one = Row(name, "", f"{rng.uniform(*span):.{places}f}", unit, text.replace("\n", " "), side, {"range": text})
        rows.append(one)
    for line in ("Total Cholesterol|mg/dL|Desirable : <200|200|<", "HDL Cholesterol|mg/dL|>40|40|>",
                 "Triglycerides|mg/dL|Desirable: <150|150|<", "LDL Cholesterol|mg/dL|Optimal : <100|100|<"):  # fmt: skip
        name, unit, text, limit, sign = line.split("|")
        value = int(int(limit) * rng.uniform(0.55, 1.6))
        is_in = value < int(limit) if sign == "<" else value > int(limit)
        flag = "normal" if is_in else "high" if sign == "<" else "low"
        if abs(value - int(limit)) > 3:
            rows.append(Row(name, "", str(value), unit, text, flag))
    chosen = sorted(rng.permutation(len(rows))[: rng.integers(5, 9)])
    return Sheet("Biochemistry", [rows[at] for at in chosen], sex, f"{rng.integers(20, 80)}", True)


def without_ranges(rng: Rng) -> Sheet:
    """没有参考范围的单子：目录里也没有的项目，判断不了。"""
    lines = ("体液白细胞|WBC|{a}|10^6/L||unknown", "体液红细胞|RBC|{b}|10^6/L||unknown", "体液单个核细胞|MN%|{c}|%||unknown",
             "体液多个核细胞|PMN|{d}|%||unknown", "体液有核细胞总数|TNC|{b}|10^6/L||unknown", "体液嗜酸性粒细胞|EO-BF|{d}|10^6/L||unknown")  # fmt: skip
    values = {"a": f"{rng.integers(20, 900)}.0", "b": f"{rng.integers(1, 60)}.0", "c": f"{rng.integers(40, 98)}.0",
              "d": f"{rng.integers(2, 40)}.0"}  # fmt: skip
    return Sheet("胸腹水常规", some(rng, [line.format(**values) for line in lines], 3, 6), "女", "40岁")
