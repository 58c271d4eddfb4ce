"""indicators.yaml 本身：范围与危急值自洽，写错了会说在哪里，不出现用药建议。"""

import gc
import re
import time
from collections import defaultdict
from decimal import Decimal
from importlib import resources
from itertools import pairwise

import pytest

from health_assistant.checked_yaml import BadYaml, check_yaml
from health_assistant.lab_report.catalogue import CatalogueFile, load_catalogue
from health_assistant.lab_report.interval import PartitionedInterval
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.printed_text import fold_code
from health_assistant.lab_report.severity import told
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
        ("WBC", "6.1", "×10^9/L", "6.1"), ("WBC", "6100", "个/μL", "6.1"), ("WBC", "4", "百/μL", "0.4"),
        ("CRP", "1", "mg/dL", "10"),
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


def test_confusable_codes_have_one_spelling():
    """改正识别错误的代号时，每个易混的代号只能有一种写法。"""
    spellings = defaultdict(set)
    for one in CATALOGUE.values():
        for code in {one.code.removeprefix("U-"), *one.aliases}:
            if code.isascii() and set(fold_code(code)) & set("OLSB"):
                spellings[fold_code(code)].add(code)
    assert [codes for codes in spellings.values() if len(codes) > 1] == []


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
    ("printed", "same_as"),
    [
        *(("gms/dl", "g/dL"), ("gm%", "g/dL"), ("g/100ml", "g/dL"), ("mg/100ml", "mg/dL"), ("Seconds", "s")),
        *(("micromol/L", "μmol/L"), ("Giga/L", "10^9/L"), ("mm/hour", "mm/h"), ("μm³", "fL"), ("kU/L", "U/mL")),
        *(("μg FEU/mL", "μg/mL FEU"), ("units/L", "U/L"), ("mmoI/L", "mmol/L"), ("ng/m1", "ng/mL")),
    ],
)
def test_spellings_of_one_unit(printed, same_as):
    assert fold_unit(printed) == fold_unit(same_as)


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


@pytest.mark.parametrize("years", [0.01, 5.0, 15.0])
def test_children_are_not_told_of_alcohol_sex_or_long_bed_rest(years):
    child, wrong = Person(sex="男", age_years=years), re.compile("酒|性伴|同房|性接触|卧床|久卧|刚做过手术")
    said = [
        (analyte.code, text)
        for analyte in (one.for_person(child) for one in load_catalogue())
        for text in (
            analyte.measures,
            *analyte.meanings.values(),
            *analyte.advice.values(),
            *analyte.red_flags.values(),
        )
    ]
    said += [
        (code, text) for code in CATALOGUE for way in ("high", "low", "abnormal") for text in told(code, way, child)
    ]
    assert [each for each in said if wrong.search(each[1])] == []
