"""单位的 UCUM 代码、项目的 LOINC 代码：写得出的照公布的，分不清的不写。"""

import re
from pathlib import Path

import pytest
import yaml
from ucumvert import get_ucum_parser

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.coding import quantity_unit, to_loinc, to_ucum
from health_assistant.lab_report.reference_range import parse_result

CATALOGUE = {analyte.code: analyte for analyte in load_catalogue()}
NAMES = load_yaml(Path(__file__).with_name("loinc_names.yaml"))
"""LOINC 公布的长名，核对用的。"""
TABLE = Path(__file__).parents[2] / "health_assistant/lab_report/loinc.yaml"
# LOINC 长名里的量 -> (印的单位, 印的结果)
PRINTED = {
    "[Mass/volume]": [("g/L", "4.2"), ("mg/dL", "4.2"), ("ng/mL", "4.2")],
    "[Moles/volume]": [("mmol/L", "4.2"), ("μmol/L", "4.2"), ("pmol/L", "4.2")],
    "[Enzymatic activity/volume]": [("U/L", "42")],
    "[Units/volume]": [("mIU/mL", "4.2"), ("IU/mL", "4.2")],
    "[#/volume]": [("10^9/L", "4.2"), ("×10⁹/L", "4.2"), ("K/uL", "4.2")],
    "% of": [("%", "42")],
    "[Presence]": [("", "阴性")],
}
ALIKE = ("[Enzymatic activity/volume]", "[Units/volume]")
"""印成 U 还是 IU 分不出是哪一种，看指标。"""


@pytest.mark.parametrize("code", NAMES)
def test_a_code_is_given_for_what_its_published_name_speaks_of(code):
    table = load_yaml(TABLE)
    analyte = next(CATALOGUE[name] for name, codes in table.items() if code in codes.values())
    name = re.sub(r"/(?=100|Hemoglobin)", " % of ", NAMES[code])
    for words, printed in PRINTED.items():
        given = {to_loinc(analyte, unit, parse_result(result)) for unit, result in printed}
        if words in name:
            assert given == {code}
        elif words not in ALIKE:
            assert code not in given


ABSTENTIONS = [
    ("D-D", "mg/L", "0.3"),  # 没有印 FEU 还是 DDU，差一倍
    ("EGFR", "mL/min/1.73m2", "92"),  # 没有印用的是哪个公式
    ("GLU-2H", "mmol/L", "7.1"),  # 餐后还是服糖后
    ("LAC", "mmol/L", "1.2"),  # 全血还是血浆
    ("ICA", "mmol/L", "1.18"),  # 全血还是血清
    ("COOMBS", "", "阴性"),  # 直接还是间接
    ("HIVAB", "", "阴性"),  # 只查抗体，还是抗原抗体一起
    ("GLU-R", "mmol/L", "7.1"),  # 静脉血还是手指血
    ("HBSAG", "S/CO", "0.02"),  # 比值不是浓度
    ("ALT", "", "23"),  # 没有印单位
    ("CREA", "U/L", "88"),  # 单位不是这一项的
    ("TC", "mmol/L", ""),  # 没有结果
    ("U-ACR", "mg/mmol", "2.1"),  # 质量比物质的量
    ("AT3", "%", "98"),  # 活性还是抗原
]


@pytest.mark.parametrize(("code", "unit", "result"), ABSTENTIONS)
def test_what_the_paper_does_not_decide_gets_no_code(code, unit, result):
    assert to_loinc(CATALOGUE[code], unit, parse_result(result)) is None


def test_an_unknown_item_gets_no_code():
    assert to_loinc(None, "mmol/L", parse_result("4.2")) is None


def test_every_coded_unit_of_the_catalogue_is_ucum():
    parse = get_ucum_parser().parse
    units = {
        unit for one in CATALOGUE.values() for unit in (one.unit, *one.other_units, *one.more_units, *one.conversions)
    }
    codes = {code for unit in units if (code := to_ucum(unit))}
    assert len(codes) > 50
    for code in codes:
        parse(code)


@pytest.mark.parametrize(
    ("printed", "code"),
    [
        ("×10⁹/L", "10*9/L"), ("10^12/L", "10*12/L"), ("个/μL", "10*6/L"), ("/μL", "10*6/L"), ("μmol/L", "umol/L"),
        ("umol/L", "umol/L"), ("mIU/mL", "m[IU]/mL"), ("uIU/mL", "u[IU]/mL"), ("g/24h", "g/(24.h)"),
        ("mg/L FEU", "mg/L{FEU}"), ("/HP", "/[HPF]"), ("个/低倍视野", "/[LPF]"), ("毫摩尔/升", "mmol/L"),
        ("秒", "s"), ("mmHg", "mm[Hg]"), ("", None), ("S/CO", None), ("级", None),
    ],
)  # fmt: skip
def test_printed_units(printed, code):
    assert to_ucum(printed) == code


def test_a_unit_is_read_with_its_analyte():
    """没有印单位不等于没有单位；G/L 对细胞数是 10^9/L，对蛋白是大写的 g/L。"""
    assert to_ucum("", CATALOGUE["INR"]) == "1" and to_ucum("", CATALOGUE["K"]) is None
    assert to_ucum("G/L", CATALOGUE["WBC"]) == "10*9/L" and to_ucum("G/L", CATALOGUE["ALB"]) == "g/L"
    assert to_loinc(CATALOGUE["WBC"], "G/L", parse_result("6.5")) == "26464-8"


@pytest.mark.parametrize(
    ("analyte", "printed", "code"),
    [
        ("ALT", "IU/L", "U/L"),  # 酶的国际单位就是酶活性单位
        ("CA125", "U/mL", "[arb'U]/mL"),  # 肿瘤标志物的 U 不是
        ("TSH", "mIU/L", "m[IU]/L"),
        ("TSH", "μU/mL", None),  # 任意单位不能带 μ
        ("HBSAG", "U/mL", None),  # 不知道是哪一种
    ],
)
def test_u_is_two_units(analyte, printed, code):
    loinc = to_loinc(CATALOGUE[analyte], printed, parse_result("3.1"))
    assert quantity_unit(printed, loinc) == code


def test_a_key_written_twice_in_a_table_is_an_error(tmp_path):
    """不是后写的盖过先写的。"""
    (tmp_path / "twice.yaml").write_text("HGB: {a: 1}\nHGB: {b: 2}\n", encoding="utf-8")
    with pytest.raises(yaml.YAMLError, match="HGB"):
        load_yaml(tmp_path / "twice.yaml")
