"""indicators.yaml 本身：范围与危急值自洽，凡可能异常的方向都有说法，不出现用药建议，名称不会认错。"""

import re
from collections import defaultdict

import pytest

from health_assistant.lab_report.catalogue import find_indicator, fold_code, fold_name, load_catalogue
from health_assistant.lab_report.reference_range import ByGroup, Interval, Terms

CATALOGUE = {one.code: one for one in load_catalogue()}
DRUG_ADVICE = re.compile(r"\d\s*(mg|毫克|片|粒|丸|次|支)|服用|口服|吃药|用药|注射|剂量|胶囊|西林|头孢|他汀|沙星|洛尔")


def intervals(one):
    limits = one.reference.for_person(None, None) if isinstance(one.reference, ByGroup) else [one.reference]
    return [each for each in limits if isinstance(each, Interval)]


def test_all_indicators_are_there_once():
    assert len(CATALOGUE) == len(load_catalogue()) == 83


@pytest.mark.parametrize("one", CATALOGUE.values(), ids=CATALOGUE)
def test_entry_is_consistent(one):
    assert one.reference is not None and one.source and one.panel and one.department and one.measures
    assert one.decides == (one.confidence in ("A", "B"))
    for limits in intervals(one):
        assert limits.low is None or limits.high is None or limits.low < limits.high
        if one.critical:
            assert one.critical.low is None or one.critical.low < limits.low
            assert one.critical.high is None or one.critical.high > limits.high
    # 下限为 0 的量不会偏低，别的有界的一边都要有说法；没有界的一边有说法就是写错了
    low = any(limits.low not in (None, 0) for limits in intervals(one))
    high = any(limits.high is not None for limits in intervals(one))
    possible = {"low": low, "high": high, "abnormal": isinstance(one.reference, Terms)}
    assert set(one.meanings) == set(one.advice) == {way for way in possible if possible[way]}
    for text in (one.measures, *one.meanings.values(), *one.advice.values()):
        assert 15 <= len(text) <= 70 and text.endswith("。") and not DRUG_ADVICE.search(text)


def test_shared_names_are_told_apart_by_unit():
    owners, spellings = defaultdict(list), defaultdict(set)
    for one in CATALOGUE.values():
        for name in {fold_name(name) for name in (one.name, *one.aliases)}:
            owners[one.specimen, name].append(one)
        for code in {one.code.removeprefix("U-"), *one.aliases}:
            if code.isascii() and set(fold_code(code)) & set("OLSB"):
                spellings[fold_code(code)].add(code)
    for name, sharing in owners.items():
        assert sum(len(one.units) for one in sharing) == len(frozenset().union(*(one.units for one in sharing))), name
    # 改正识别错误的代号时，每个易混的代号只能有一种写法
    assert [codes for codes in spellings.values() if len(codes) > 1] == []


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


@pytest.mark.parametrize(
    ("report_type", "name", "code", "unit", "expected"),
    [
        ("血细胞分析", "白细胞", "WBC", "×10^9/L", "WBC"), ("血细胞分析", "嗜酸细胞比率", "E0%", "%", "EO%"),
        ("", "中性粒细胞", "", "10^9/L", "NEUT#"), ("", "中性粒细胞", "", "%", "NEUT%"), ("", "某项", "RBC", "%", None),
        ("", "红细胞分布宽度变异系数", "RDW-c", "%", "RDW-CV"), ("", "红细胞分布宽度", "RDW-SD", "fL", None),
        ("生化", "糖", "GLU", "mmol/L", "GLU"), ("尿液分析", "葡萄糖", "GLU", "", "U-GLU"),
        ("脑脊液生化", "葡萄糖", "GLU", "mmol/L", None), ("", "24小时尿钾", "K+", "mmol/24h", None),
        ("", "降钙素原", "PCT", "ng/mL", "PCT"), ("", "血小板比积", "PCT", "%", None),
        ("血气分析", "酸碱度", "pH", "", "PH"), ("尿液分析", "酸碱度", "PH", "", "U-PH"),
        ("尿液分析", "白细胞", "LEU", "", "U-LEU"), ("尿液分析", "白细胞", "WBC", "/HP", "U-WBC"),
        ("", "游离甲状腺激素", "FT4", "ng/dl", "FT4"), ("", "甲状腺激素", "T4", "ng/ml", None),
        ("", "钙离子", "Ca2+", "mmol/L", None), ("肾功能", "尿素氮", "UREA", "mmol/L", "UREA"),
    ],
)  # fmt: skip
def test_names_in_real_reports_resolve(report_type, name, code, unit, expected):
    found = find_indicator(name, code, unit, report_type)
    assert (found and found.code) == expected
