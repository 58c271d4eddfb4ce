"""indicators.yaml 本身：范围与危急值自洽，写错了会说在哪里，不出现用药建议，名称不会认错，查得快。"""

import gc
import json
import re
import time
from collections import defaultdict
from decimal import Decimal
from importlib import resources
from itertools import pairwise

import pytest
from real_reports import FOLDER, load_truth, needs_real_reports

from health_assistant.checked_yaml import BadYaml, check_yaml
from health_assistant.lab_report.catalogue import Analyte, CatalogueFile, load_catalogue
from health_assistant.lab_report.interval import PartitionedInterval
from health_assistant.lab_report.matching import find_analyte, implied_unit, is_known_code, is_known_name
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.printed_text import fold_code
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.units import fold_unit

CATALOGUE = {one.code: one for one in load_catalogue()}
TEXT = resources.files("health_assistant.lab_report").joinpath("indicators.yaml").read_text("utf-8")
DRUG_ADVICE = re.compile(r"\d\s*(mg|毫克|片|粒|丸|次|支)|服用|口服|吃药|用药|注射|剂量|胶囊|西林|头孢|他汀|沙星|洛尔")


# ---- 内容 ----


def test_the_catalogue_is_whole():
    assert len(CATALOGUE) == len(load_catalogue()) >= 300
    assert len(TEXT.encode()) < 400_000
    assert {one.specimen for one in CATALOGUE.values()} == {"blood", "urine", "stool"}


@pytest.mark.parametrize("one", CATALOGUE.values(), ids=CATALOGUE)
def test_entry_is_consistent(one):
    assert one.panel and one.department and one.measures
    assert one.is_authoritative == (one.reference is not None and one.confidence in ("A", "B"))
    assert one.reference is None or one.source
    assert one.meanings or "血型" in one.name, "除了血型，每一项都可能异常"
    for text in (one.measures, *one.meanings.values(), *one.advice.values(), *one.red_flags.values()):
        assert len(text) <= 70 and not DRUG_ADVICE.search(text)
    for text in one.red_flags.values():
        assert re.search("马上|立即|尽快|尽早|当天", text)


@pytest.mark.parametrize(
    ("code", "sex", "expected"),
    [
        ("WBC", None, "3.5 9.5 A"), ("HGB", "女", "115 150 A"), ("PLT", None, "125 350 A"), ("K", None, "3.5 5.3 A"),
        ("NA", None, "137 147 A"), ("CREA", "男", "57 97 A"), ("GLU", None, "3.9 6.1 B"), ("PH", None, "7.35 7.45 B"),
        ("ALT", "男", "9 50 A"), ("FE", "男", "10.6 36.7 A"), ("PCT", None, "None 0.05 C"),
    ],
)  # fmt: skip
def test_known_figures(code, sex, expected):
    one = CATALOGUE[code]
    reference = (
        one.reference.for_person(sex, 30)[0] if isinstance(one.reference, PartitionedInterval) else one.reference
    )
    assert f"{reference.low} {reference.high} {one.confidence}" == expected


@pytest.mark.parametrize(
    ("code", "person", "expected"),
    [
        ("HGB", Person("男", 7), "118-156"), ("HGB", Person("女", 1.5), "107-141"),
        ("HGB", Person("男", 15), "男 129-172"),
        ("CREA", Person("男", 70), "男 57-111"), ("CREA", Person("男", 40), "男 57-97，女 41-73"),
        ("ALP", Person("女", 65), "女 50-135"), ("HGB", Person("女", 29, pregnant=True, trimester=3), "110-150"),
        ("TSH", Person("女", 29, pregnant=True), "None"), ("UA", Person("男", 5), "None"),
        ("HGB", Person(age_unclear=True), "None"),
    ],
)  # fmt: skip
def test_the_range_is_that_of_the_person_and_never_borrowed(code, person, expected):
    assert str(CATALOGUE[code].for_person(person).reference) == expected


def test_groups_of_an_entry_do_not_overlap():
    for one in CATALOGUE.values():
        for sex in ("男", "女"):
            spans = sorted((g.start, g.below) for g in one.groups if g.sex in (None, sex) and not g.trimester)
            assert all(first[1] <= second[0] for first, second in pairwise(spans)), one.code


# ---- 单位 ----


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [
        ("GLU", "126", "mg/dL", "6.99"), ("CREA", "1.2", "mg/dl", "106.08"), ("HGB", "12.0", "g/dL", "120"),
        ("TBIL", "1.0", "mg/dL", "17.1"), ("UREA", "60.06", "mg/dL", "10"), ("TC", "200", "mg/dL", "5.17"),
        ("TG", "150", "mg/dL", "1.69"), ("UA", "7", "mg/dL", "416.36"), ("CA", "10", "mg/dL", "2.50"),
        ("K", "4.0", "mEq/L", "4.0"), ("PO2", "10", "kPa", "75.01"), ("FT4", "1", "ng/dL", "12.87"),
        ("WBC", "6.1", "×10^9/L", "6.1"), ("WBC", "6100", "个/μL", "6.1"), ("CRP", "1", "mg/dL", "10"),
    ],
)  # fmt: skip
def test_convert(code, value, unit, expected):
    assert CATALOGUE[code].convert(Decimal(value), unit).quantize(Decimal("0.01")) == Decimal(expected).quantize(
        Decimal("0.01")
    )


def test_convert_never_guesses():
    assert CATALOGUE["GLU"].convert(Decimal(5), "U/L") is None
    assert CATALOGUE["GLU"].convert(Decimal(5), "") is None
    assert not CATALOGUE["GLU"].same_unit("mg/dL")
    # 各家抗体的单位之间没有固定的倍数：认得，但不换算
    assert CATALOGUE["HBSAG"].knows_unit("IU/mL") and CATALOGUE["HBSAG"].convert(Decimal(5), "IU/mL") is None
    # 尿素氮的 mg/dL 与尿素的 mg/dL 相差一倍多，是两个条目
    assert find_analyte("尿素氮", "BUN", "mg/dL").code == "BUN"
    # 名称写“尿素”而代号、范围是尿素氮的：100 mg/dL 的尿素氮是危急的，尿素的不是
    assert find_analyte("尿素", "BUN", "mg/dL").code == "BUN"
    assert find_analyte("尿素", "BUN", "mg/dL", interval=parse_range("7-20"), has_range=True).code == "BUN"
    assert find_analyte("尿素", "UREA", "mg/dL", interval=parse_range("7-20"), has_range=True).code == "BUN"
    assert find_analyte("尿素", "BUN", "mg/dL", interval=parse_range("15-45"), has_range=True).code == "UREA"
    assert find_analyte("尿素", "UREA", "mg/dL").code == "UREA"


# ---- 名称 ----


def test_confusable_codes_have_one_spelling():
    """改正识别错误的代号时，每个易混的代号只能有一种写法。"""
    spellings = defaultdict(set)
    for one in CATALOGUE.values():
        for code in {one.code.removeprefix("U-"), *one.aliases}:
            if code.isascii() and set(fold_code(code)) & set("OLSB"):
                spellings[fold_code(code)].add(code)
    assert [codes for codes in spellings.values() if len(codes) > 1] == []


def test_every_name_leads_back_to_its_entry():
    types = {"blood": "", "urine": "尿液分析", "stool": "便常规"}
    lost = [
        (one.code, name)
        for one in CATALOGUE.values()
        for name in (one.name, one.code.removeprefix("U-").removeprefix("F-"), *one.aliases)
        if (found := _find_by(name, one, types[one.specimen])) is not one
        # 没有单位的 TP 不会是梅毒，除非报告类型说是传染病
        and not (found is None and _find_by(name, one, "输血前检查") is one)
        and not (found and one.code in found.twins)
    ]
    assert lost == []


def _find_by(name: str, one: Analyte, report_type: str) -> Analyte | None:
    return find_analyte("" if name.isascii() else name, name if name.isascii() else "", one.unit, report_type)


@pytest.mark.parametrize(
    ("report_type", "name", "code", "unit", "expected"),
    [
        ("血细胞分析", "白细胞", "WBC", "×10^9/L", "WBC"), ("血细胞分析", "嗜酸细胞比率", "E0%", "%", "EO%"),
        ("", "中性粒细胞", "", "10^9/L", "NEUT#"), ("", "中性粒细胞", "", "%", "NEUT%"), ("", "某项", "RBC", "%", None),
        ("", "红细胞分布宽度变异系数", "RDW-c", "%", "RDW-CV"), ("", "红细胞分布宽度", "RDW-SD", "fL", "RDW-SD"),
        ("", "红细胞分布宽度", "", "fL", None), ("生化", "糖", "GLU", "mmol/L", "GLU"),
        ("尿液分析", "葡萄糖", "GLU", "", "U-GLU"), ("脑脊液生化", "葡萄糖", "GLU", "mmol/L", None),
        ("", "24小时尿钾", "K+", "mmol/24h", None), ("", "胰岛素(2小时)", "INS", "μIU/mL", None),
        ("", "降钙素原", "PCT", "ng/mL", "PCT"), ("", "血小板比积", "PCT", "%", "PLTCRIT"),
        ("", "", "PCT", "%", "PLTCRIT"), ("", "", "PCT", "ng/mL", "PCT"), ("", "", "PCT", "", None),
        ("血气分析", "酸碱度", "pH", "", "PH"), ("尿液分析", "酸碱度", "PH", "", "U-PH"),
        ("尿液分析", "白细胞", "LEU", "", "U-LEU"), ("尿液分析", "白细胞", "WBC", "/HP", "U-WBC"),
        ("尿液分析", "白细胞", "WBC", "/μL", "U-WBC-UL"),
        ("", "游离甲状腺激素", "FT4", "ng/dl", "FT4"), ("", "甲状腺激素", "T4", "ng/ml", "T4"),
        ("肾功能", "尿素氮", "UREA", "mmol/L", "UREA"),
        ("便常规", "颜色", "", "", "F-COLOR"), ("尿常规", "颜色", "", "", "U-COLOR"),
        ("小便常规", "蛋白", "", "", "U-PRO"),
        ("", "便潜血", "", "", "F-OB"), ("", "总", "T3", "nmol/L", "T3"), ("", "免疫球蛋白", "G", "g/L", "IGG"),
        ("", "Hemoglobin", "", "", "HGB"), ("", "", "White Blood Cell Count", "10^3/uL", "WBC"),
        ("", "Alanine Aminotransferase", "", "U/L", "ALT"), ("", "Glucose", "", "mg/dL", "GLU"),
        ("", "甘油三酯", "TG", "mmol/L", "TG"), ("", "", "TG", "ng/mL", "TG-AG"), ("", "", "P", "ng/mL", "PROG"),
        ("", "肌酸激酶同工酶", "CK-MB", "ng/mL", "CKMB-MASS"), ("", "肌酸激酶同工酶", "CK-MB", "U/L", "CK-MB"),
    ],
)  # fmt: skip
def test_names_resolve(report_type, name, code, unit, expected):
    found = find_analyte(name, code, unit, report_type)
    assert (found and found.code) == expected


@pytest.mark.parametrize(
    ("report_type", "name", "code", "unit", "expected"),
    [
        # 有“尿”字而不是尿
        ("糖尿病检查", "葡萄糖", "GLU", "mmol/L", "GLU"), ("糖尿病检查", "钾", "K", "mmol/L", "K"),
        ("糖尿病足门诊 血常规", "白细胞", "WBC", "10^9/L", "WBC"), ("尿毒症复查", "肌酐", "Cr", "μmol/L", "CREA"),
        ("服利尿剂后复查 电解质", "钠", "Na", "mmol/L", "NA"), ("泌尿外科", "甲胎蛋白", "AFP", "ng/mL", "AFP"),
        ("", "B型利尿钠肽", "BNP", "pg/mL", "BNP"),
        ("", "血尿酸", "", "μmol/L", "UA"), ("", "血尿素", "", "mmol/L", "UREA"),
        ("自身抗体+血尿", "补体C3", "C3", "g/L", "C3"), ("便秘门诊 电解质", "钾", "K", "mmol/L", "K"),
        ("", "尿尿酸", "", "mmol/L", "U-UA"), ("尿常规", "尿酸碱度", "", "", "U-PH"),
        ("尿生化", "钠", "Na", "mmol/L", "U-NA"),
        # 几种标本印在一张上：看名称、单位、是不是定性
        ("血常规+生化+尿常规", "钾", "K", "mmol/L", "K"), ("血常规+生化+尿常规", "白细胞", "WBC", "10^9/L", "WBC"),
        ("血常规+生化+尿常规", "白细胞", "WBC", "/HP", "U-WBC"), ("血常规+生化+尿常规", "总蛋白", "TP", "g/L", "TP"),
        ("血常规+生化+尿常规", "葡萄糖", "GLU", "", "U-GLU"), ("血常规+生化+尿常规", "葡萄糖", "GLU", "mmol/L", "GLU"),
        ("血常规+生化+尿常规", "尿蛋白", "PRO", "", "U-PRO"),
        ("急诊 血常规+肾功能+便潜血", "血红蛋白", "HGB", "g/L", "HGB"),
        ("尿常规+生化", "肌酐", "CREA", "μmol/L", "CREA"), ("尿便常规", "隐血", "", "", None),
        # 单位只用于血的，与只用于血的单位不合的
        ("尿液分析", "白细胞", "WBC", "10^9/L", "WBC"), ("尿液分析", "血红蛋白", "HGB", "g/L", "HGB"),
        ("尿沉渣", "尿白细胞", "", "10^9/L", None), ("", "血小板", "PLT", "%", None),
        ("", "白细胞", "", "/HP", "U-WBC"),
        # 静脉血、脐血的 pH 与电解质照样比，氧与二氧化碳不比
        ("静脉血气分析", "酸碱度", "pH", "", "PH"), ("静脉血气分析", "钾", "K+", "mmol/L", "K"),
        ("静脉血气", "乳酸", "Lac", "mmol/L", "LAC"), ("静脉血气", "氧分压", "PO2", "mmHg", None),
        ("脐血血气分析", "剩余碱", "BE", "mmol/L", "BE"), ("脐血血气分析", "二氧化碳分压", "PCO2", "mmHg", None),
        ("动脉血气", "氧分压", "PO2", "mmHg", "PO2"),
        # 体液不与血比
        ("脑脊液常规生化", "葡萄糖", "GLU", "mmol/L", None), ("胸腔积液", "乳酸脱氢酶", "LDH", "U/L", None),
        ("骨髓象", "中性粒细胞", "", "%", None), ("多发性骨髓瘤 血常规", "中性粒细胞", "", "%", "NEUT%"),
        ("脑脊液常规+血常规", "白细胞", "WBC", "10^9/L", "WBC"), ("脑脊液常规+血常规", "葡萄糖", "", "mmol/L", None),
        # 什么时候抽的血糖
        ("", "餐后2小时血糖", "", "mmol/L", "GLU-2H"), ("", "葡萄糖(餐后2小时)", "GLU", "mmol/L", "GLU-2H"),
        ("糖耐量试验", "葡萄糖(120分钟)", "GLU120", "mmol/L", "GLU-2H"), ("", "", "2hPG", "mmol/L", "GLU-2H"),
        ("糖耐量试验", "服糖后1小时血糖", "GLU60", "mmol/L", "GLU-1H"), ("", "随机血糖", "GLU", "mmol/L", "GLU-R"),
        ("糖耐量试验", "葡萄糖(0分钟)", "GLU0", "mmol/L", "GLU"), ("", "服糖后3小时血糖", "", "mmol/L", "GLU-R"),
        ("", "C肽2h", "", "ng/mL", None), ("", "血沉(1小时)", "ESR", "mm/h", "ESR"),
        # 24 小时尿蛋白
        ("", "24小时尿蛋白定量", "", "g/24h", "U-PRO24"), ("尿液", "尿蛋白", "", "g/24h", "U-PRO24"),
        ("", "24小时尿蛋白", "", "mg/L", None), ("", "24小时尿量", "", "mL", None),
        # 缩写要有合适的单位
        ("生化", "", "TP", "g/L", "TP"), ("生化", "", "TP", "", None), ("", "", "TP", "S/CO", "TPAB"),
        ("输血前检查", "", "TP", "", "TPAB"),
        ("CBC", "WBC", "WBC", "K/uL", "WBC"), ("", "Glucose, Serum", "", "mg/dL", "GLU"),
        ("", "Cholesterol, Total", "", "mg/dL", "TC"),
    ],
)  # fmt: skip
def test_specimen_and_unit_row_by_row(report_type, name, code, unit, expected):
    found = find_analyte(name, code, unit, report_type)
    assert (found and found.code) == expected


@pytest.mark.parametrize(
    ("name", "code", "unit", "reference_range", "expected"),
    [
        ("钙", "Ca", "mmol/L", "2.11-2.52", "CA"), ("钙", "Ca", "mmol/L", "1.15-1.29", "ICA"),
        ("钙", "Ca", "mg/dL", "8.4-10.2", "CA"), ("钙", "Ca", "mmol/L", "", "CA"), ("钙", "Ca", "mmol/L", "阴性", "CA"),
        ("", "TP", "", "65-85", "TP"), ("", "TP", "", "", None),
        ("中性粒细胞", "", "", "50-70", "NEUT%"), ("中性粒细胞", "", "", "1.8-6.3", "NEUT#"),
        ("中性粒细胞", "", "", "", None),
        ("白细胞", "WBC", "/μL", "3500-9500", "WBC"), ("白细胞", "WBC", "/μL", "0-10", "U-WBC-UL"),
        ("红细胞", "", "个/μL", "0-17", "U-RBC-UL"), ("白细胞", "WBC", "/μL", "", None),
    ],
)  # fmt: skip
def test_the_printed_range_tells_which(name, code, unit, reference_range, expected):
    found = find_analyte(name, code, unit, "", parse_range(reference_range), has_range=bool(reference_range))
    assert (found and found.code) == expected


def test_calcium_of_blood_gas_is_ionised():
    assert find_analyte("钙", "Ca", "mmol/L", "血气分析").code == "ICA"
    assert find_analyte("钙", "Ca", "mmol/L", "血气分析", parse_range("2.11-2.52"), has_range=True).code == "CA"


@pytest.mark.parametrize(
    ("code", "value", "unit", "expected"),
    [
        *(("WBC", "0.9", unit, "0.9") for unit in ("K/μL", "K/uL", "10^3/uL", "10^3/mm3", "10*3/ul", "x10e3/µL")),
        *(("WBC", "0.9", unit, "0.9") for unit in ("G/L", "/nL", "千/μL", "×10^9/L", "109/L")),
        *(("RBC", "4.5", unit, "4.5") for unit in ("M/uL", "10^6/uL", "T/L", "10^12/L", "百万/μL")),
        *(("PLT", "9000", unit, "9") for unit in ("/μL", "/mm3", "个/μL", "cells/cumm", "个/微升")),
        ("PLT", "15", "万/μL", "150"), ("RBC", "450", "万/μL", "4.5"), ("HCT", "0.40", "L/L", "40"),
    ],
)  # fmt: skip
def test_cell_counts_convert_whatever_the_spelling(code, value, unit, expected):
    assert CATALOGUE[code].convert(Decimal(value), unit) == Decimal(expected)


@pytest.mark.parametrize("unit", ["10/L", "K/L", "/mL", "copies/mL", "mmol/L", "g/L", "/HP"])
def test_what_is_not_a_cell_count_is_left_alone(unit):
    assert not re.fullmatch(r"10\^\d+/l", fold_unit(unit))


@pytest.mark.parametrize(
    ("code", "reference_range", "unit"),
    [
        ("HCT", "0.40-0.50", "L/L"), ("HCT", "40-50", "%"), ("HGB", "13-17.5", "g/dL"), ("HGB", "130-175", "g/L"),
        ("K", "3.5-5.3", "mmol/L"), ("K", "35-53", ""), ("K", "", ""), ("CREA", "0.6-1.2", "mg/dL"),
    ],
)  # fmt: skip
def test_the_printed_range_tells_the_unit(code, reference_range, unit):
    assert implied_unit(CATALOGUE[code], parse_range(reference_range)) == unit


@needs_real_reports
def test_every_name_of_the_real_reports_resolves():
    types = {one["file"]: one["report_type"] for one in map(json.loads, (FOLDER / "truth.jsonl").open("rb"))}
    lost = [
        (types[file], row.name, row.code)
        for file, rows in load_truth().items()
        for row in rows
        if find_analyte(row.name, row.code, row.unit, types[file]) is None
    ]
    assert lost == []


def test_letters_of_a_name_are_not_a_code():
    assert not any(map(is_known_code, ("T3", "C3", "ABO", "D", "")))
    assert all(map(is_known_code, ("K", "WBC", "NEUT%", "E0%", "PH", "GPT")))
    assert is_known_name("总T3") and is_known_name("白细胞计数测定") and not is_known_name("审核者")


def test_looking_up_is_fast():
    is_known_code("WBC")  # 第一次要建索引
    started = time.process_time()
    for number in range(2000):
        is_known_name(f"没有的名称{number}")
        is_known_code(f"XX{number}")
    assert time.process_time() - started < 0.5


def test_loading_is_fast():
    gc.freeze()  # 量的是读这份目录，不是在别的测试留下的东西里找垃圾
    started = time.process_time()
    check_yaml(CatalogueFile, TEXT, "indicators.yaml")
    took = time.process_time() - started
    gc.unfreeze()
    assert took < 1


# ---- 写错了要说在哪里 ----

SMALL = """
version: 1
indicators:
  - code: HGB
    name: 血红蛋白
    aliases: [血色素]
    specimen: blood
    unit: g/L
    conversions: {g/dL: "10"}
    reference: {male: ["130", "175"], female: ["115", "150"]}
    source: WS/T 405-2012
    confidence: A
    panel: 血细胞分析
    department: 血液内科
    measures: 携带氧气的蛋白。
    high: 常见于脱水和高原。
    low: 提示贫血，最常见是缺铁。
    advice_high: 补足水分后复查。
    advice_low: 近期就诊查原因。
    red_flags: {low: 心慌气短时马上就医。}
  - code: ABO
    name: 血型
    specimen: blood
    panel: 血型
    department: 输血科
    measures: 输血时要用的血型。
"""


def test_the_small_catalogue_is_right():
    assert [one.code for one in check_yaml(CatalogueFile, SMALL, "indicators.yaml").indicators] == ["HGB", "ABO"]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("    aliases: [血色素]", "    alias: [血色素]", "HGB.*alias.*不认识的键"),
        ("    aliases: [血色素]", "    aliases: 血色素", "HGB.*aliases.*列表"),
        ("    unit: g/L", "    unit: 5", "HGB.*unit.*文字"),
        ("    name: 血红蛋白\n", "", "HGB.*name.*没有写"),
        ("    specimen: blood\n    unit", "    specimen: 血\n    unit", "HGB.*specimen"),
        ('["130", "175"]', '["175", "130"]', "HGB.*reference.*175.*130"),
        ('["130", "175"]', "[130, 175]", "HGB.*带引号"),
        ("    source: WS/T 405-2012\n", "", "HGB.*来源"),
        ("    low: 提示贫血，最常见是缺铁。\n    advice_high", "    advice_high", "HGB.*成对"),
        (
            "    low: 提示贫血，最常见是缺铁。\n    advice_high: 补足水分后复查。\n    advice_low: 近期就诊查原因。\n",
            "    advice_high: 补足水分后复查。\n", "HGB.*没有说法的方向：low",
        ),
        ("近期就诊查原因。", "每天吃铁剂 100 mg。", "HGB.*advice_low.*剂量"),
        ("近期就诊查原因。", "铁剂每日三次。", "HGB.*advice_low.*剂量"),
        ("近期就诊查原因。", "服用铁剂。", "HGB.*advice_low.*药名"),
        ("心慌气短时马上就医。", "先吃 2 片药。", "HGB.*red_flags.low.*剂量"),
        ("    high: 常见于脱水和高原。\n", "    high: 甲。\n", "HGB.*high.*6 到 90"),
        ('{g/dL: "10"}', '{g/dL: ten}', "HGB.*conversions.*带引号"),
        ('{g/dL: "10"}', '{g/L: "10"}', "HGB.*自己的单位"),
        ("code: ABO", "code: HGB", "code 重复：HGB"),
        ("    name: 血型\n", "    name: 血色素\n    unit: g/L\n", "HGB、ABO.*名称“血色素”.*分不清"),
        ("    name: 血型\n", "    name: 血型\n    name: 血型鉴定\n", "键“name”写了不止一遍"),
        ("    confidence: A\n", "    confidence: A\n    twins: [XYZ]\n", "HGB.*没有这些指标：XYZ"),
        (
            "    confidence: A\n",
            "    confidence: A\n    groups: [{from: 小时候, range: ['1', '2'], source: 某, confidence: A}]\n",
            "HGB.*年龄要写成",
        ),
        ("    confidence: A\n", "    confidence: A\n    texts: [{who: 大人, high: 常见于脱水和高原。}]\n", "HGB.*who"),
        ("version: 1\n", "version: 1\nother: 2\n", "other 是不认识的键"),
        ("indicators:\n", "indicators: [\n", "不是 YAML"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_in_chinese(right, wrong, said):
    assert right in SMALL
    with pytest.raises(BadYaml, match=said):
        check_yaml(CatalogueFile, SMALL.replace(right, wrong, 1), "indicators.yaml")
