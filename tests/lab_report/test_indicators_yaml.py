"""indicators.yaml 本身：范围与危急值自洽，写错了会说在哪里，不出现用药建议，名称不会认错，查得快。"""

import json
import re
import time
from collections import defaultdict
from decimal import Decimal
from importlib import resources

import pytest
import yaml
from real_reports import FOLDER, load_truth, needs_real_reports

from health_assistant.checked_yaml import BadYaml
from health_assistant.lab_report import catalogue
from health_assistant.lab_report.catalogue import (
    find_indicator,
    fold_code,
    is_known_code,
    is_known_name,
    load_catalogue,
    parse_catalogue,
)
from health_assistant.lab_report.reference_range import ByGroup, Interval

CATALOGUE = {one.code: one for one in load_catalogue()}
TEXT = resources.files("health_assistant.lab_report").joinpath("indicators.yaml").read_text("utf-8")
DRUG_ADVICE = re.compile(r"\d\s*(mg|毫克|片|粒|丸|次|支)|服用|口服|吃药|用药|注射|剂量|胶囊|西林|头孢|他汀|沙星|洛尔")
FROM_MEMORY = {"NEUT#", "ALT", "AST", "HCO3", "LAC"}
"""清单里没有核对到、只凭记忆的危急值，不许有。"""


# ---- 内容 ----


def test_the_catalogue_is_whole():
    assert len(CATALOGUE) == len(load_catalogue()) >= 300
    assert len(TEXT.encode()) < 400_000
    assert {one.specimen for one in CATALOGUE.values()} == {"blood", "urine", "stool"}


@pytest.mark.parametrize("one", CATALOGUE.values(), ids=CATALOGUE)
def test_entry_is_consistent(one):
    assert one.panel and one.department and one.measures
    assert one.decides == (one.reference is not None and one.confidence in ("A", "B"))
    assert one.reference is None or one.source
    assert one.meanings or "血型" in one.name, "除了血型，每一项都可能异常"
    for text in (one.measures, *one.meanings.values(), *one.advice.values(), *one.red_flags.values()):
        assert len(text) <= 70 and not DRUG_ADVICE.search(text)
    for text in one.red_flags.values():
        assert re.search("马上|立即|尽快|尽早|当天", text)


def test_critical_values_are_a_table_with_sources():
    data = yaml.load(TEXT, getattr(yaml, "CSafeLoader", yaml.SafeLoader))["critical_values"]
    assert data["version"] and data["age_group"] == "成人" and "以出报告的医院为准" in data["note"]
    with_critical = {one.code for one in CATALOGUE.values() if one.critical}
    assert with_critical == set(data["values"]) and not with_critical & FROM_MEMORY
    assert all(one.specimen == "blood" for one in CATALOGUE.values() if one.critical)
    assert all(CATALOGUE[code].critical_value.source for code in with_critical)


@pytest.mark.parametrize(
    ("code", "sex", "expected"),
    [
        ("WBC", None, "3.5 9.5 2.5 30 A"), ("HGB", "女", "115 150 50 200 A"), ("PLT", None, "125 350 50 1000 A"),
        ("K", None, "3.5 5.3 2.8 6.2 A"), ("NA", None, "137 147 120 160 A"), ("CREA", "男", "57 97 None 654 A"),
        ("GLU", None, "3.9 6.1 2.5 22.2 B"), ("PH", None, "7.35 7.45 None 7.55 B"),
        ("ALT", "男", "9 50 None None A"), ("PCT", None, "None 0.05 None None C"),
    ],
)  # fmt: skip
def test_known_figures(code, sex, expected):
    one = CATALOGUE[code]
    reference = one.reference.for_person(sex, 30)[0] if isinstance(one.reference, ByGroup) else one.reference
    critical = one.critical or Interval(None, None)
    assert f"{reference.low} {reference.high} {critical.low} {critical.high} {one.confidence}" == expected


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
    assert CATALOGUE["GLU"].convert(Decimal(5), "g/L") is None
    assert CATALOGUE["GLU"].convert(Decimal(5), "") is None
    assert not CATALOGUE["GLU"].same_unit("mg/dL")
    # 各家抗体的单位之间没有固定的倍数：认得，但不换算
    assert CATALOGUE["HBSAG"].knows_unit("IU/mL") and CATALOGUE["HBSAG"].convert(Decimal(5), "IU/mL") is None
    # 尿素氮的 mg/dL 与尿素的 mg/dL 相差一倍多，是两个条目
    assert find_indicator("尿素氮", "BUN", "mg/dL").code == "BUN"
    ratio = CATALOGUE["BUN"].critical.high / CATALOGUE["UREA"].critical.high
    assert ratio == Decimal("2.8")


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
        if find_indicator("" if name.isascii() else name, name if name.isascii() else "", one.unit, types[one.specimen])
        is not one
    ]
    assert lost == []


@pytest.mark.parametrize(
    ("report_type", "name", "code", "unit", "expected"),
    [
        ("血细胞分析", "白细胞", "WBC", "×10^9/L", "WBC"), ("血细胞分析", "嗜酸细胞比率", "E0%", "%", "EO%"),
        ("", "中性粒细胞", "", "10^9/L", "NEUT#"), ("", "中性粒细胞", "", "%", "NEUT%"), ("", "某项", "RBC", "%", None),
        ("", "红细胞分布宽度变异系数", "RDW-c", "%", "RDW-CV"), ("", "红细胞分布宽度", "RDW-SD", "fL", "RDW-SD"),
        ("", "红细胞分布宽度", "", "fL", None), ("生化", "糖", "GLU", "mmol/L", "GLU"),
        ("尿液分析", "葡萄糖", "GLU", "", "U-GLU"), ("脑脊液生化", "葡萄糖", "GLU", "mmol/L", None),
        ("", "24小时尿钾", "K+", "mmol/24h", None), ("", "餐后2小时血糖", "", "mmol/L", None),
        ("", "降钙素原", "PCT", "ng/mL", "PCT"), ("", "血小板比积", "PCT", "%", "PLTCRIT"),
        ("", "", "PCT", "%", "PLTCRIT"), ("", "", "PCT", "ng/mL", "PCT"), ("", "", "PCT", "", None),
        ("血气分析", "酸碱度", "pH", "", "PH"), ("尿液分析", "酸碱度", "PH", "", "U-PH"),
        ("尿液分析", "白细胞", "LEU", "", "U-LEU"), ("尿液分析", "白细胞", "WBC", "/HP", "U-WBC"),
        ("尿液分析", "白细胞", "WBC", "/μL", "U-WBC-UL"), ("尿液分析", "白细胞", "", "", None),
        ("", "游离甲状腺激素", "FT4", "ng/dl", "FT4"), ("", "甲状腺激素", "T4", "ng/ml", "T4"),
        ("", "钙离子", "Ca2+", "mmol/L", None), ("肾功能", "尿素氮", "UREA", "mmol/L", "UREA"),
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
    found = find_indicator(name, code, unit, report_type)
    assert (found and found.code) == expected


@needs_real_reports
def test_every_name_of_the_real_reports_resolves():
    types = {one["file"]: one["report_type"] for one in map(json.loads, (FOLDER / "truth.jsonl").open("rb"))}
    lost = [
        (types[file], row.name, row.code)
        for file, rows in load_truth().items()
        for row in rows
        if find_indicator(row.name, row.code, row.unit, types[file]) is None
    ]
    assert lost == []


def test_letters_of_a_name_are_not_a_code():
    assert not any(map(is_known_code, ("T3", "C3", "ABO", "D", "")))
    assert all(map(is_known_code, ("K", "WBC", "NEUT%", "E0%", "PH", "GPT")))
    assert is_known_name("总T3") and is_known_name("白细胞计数测定") and not is_known_name("审核者")


def test_looking_up_is_fast():
    catalogue._known()
    started = time.perf_counter()
    for number in range(2000):
        is_known_name(f"没有的名称{number}")
        is_known_code(f"XX{number}")
    assert time.perf_counter() - started < 0.5


def test_loading_is_fast():
    started = time.process_time()
    parse_catalogue(TEXT)
    assert time.process_time() - started < 1


# ---- 写错了要说在哪里 ----

SMALL = """
version: 1
critical_values:
  version: "1"
  age_group: 成人
  note: 以出报告的医院为准。
  values:
    HGB: {low: "50", high: "200", specimen: 静脉血, confidence: B, source: 某清单}
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
    assert [one.code for one in parse_catalogue(SMALL)] == ["HGB", "ABO"]


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
        ("confidence: B, source: 某清单", "confidence: C, source: 某清单", "critical_values.*confidence"),
        (", source: 某清单", "", "critical_values.*source.*没有写"),
        ('low: "50", high: "200"', 'low: "200", high: "50"', "critical_values.*低的界限"),
        ('low: "50"', 'low: "120"', "HGB.*危急值落在参考范围"),
        ("    HGB: {low", "    XYZ: {low", "没有这些指标：XYZ"),
        ("age_group: 成人", "age_group: 儿童", "critical_values.*age_group"),
        ("version: 1\n", "version: 1\nother: 2\n", "other 是不认识的键"),
        ("indicators:\n", "indicators: [\n", "不是 YAML"),
    ],
)  # fmt: skip
def test_each_mistake_is_told_in_chinese(right, wrong, said):
    assert right in SMALL
    with pytest.raises(BadYaml, match=said):
        parse_catalogue(SMALL.replace(right, wrong, 1))
