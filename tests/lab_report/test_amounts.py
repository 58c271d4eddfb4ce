"""镜检用文字说有多少：满视野、大量是异常，偶见在 0-3 之内，说不准的不判断；严重的从不当作正常。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.report import PrintedRow, ReadReport


def only(name: str, result: str, unit: str, limits: str, title: str = "尿液分析") -> Finding:
    row = PrintedRow(name=name, result=result, unit=unit, reference_range=limits)
    return assess(ReadReport(report_type=title, sex="女", age="40岁", items=[row])).items[0]


@pytest.mark.parametrize(("unit", "limits"), [("/HP", "0-3"), ("", "0-3/HP"), ("", "阴性"), ("", "")])
@pytest.mark.parametrize("result", ["满视野", "满视野/HP", "布满视野", "满视野(+++)", "满布视野"])
def test_a_full_field_is_marked(result, unit, limits):
    seen = only("红细胞", result, unit, limits)
    assert (seen.analyte.code, seen.flag, seen.severity) == ("U-RBC", "abnormal", "marked")


@pytest.mark.parametrize(
    ("name", "result", "unit", "limits", "flag"),
    [
        ("红细胞", "大量", "/HP", "0-3", "abnormal"), ("白细胞", "成堆", "/HP", "0-5", "abnormal"),
        ("管型", "大量", "/LP", "0-1", "abnormal"), ("上皮细胞", "大量", "", "少量", "abnormal"),
        ("细菌", "多量", "", "未见", "abnormal"),
        ("红细胞", "偶见", "/HP", "0-3", "normal"), ("红细胞", "偶见/HP", "", "0-3/HP", "normal"),
        ("红细胞", "偶见，未见大量", "/HP", "0-3", "normal"), ("红细胞", "非大量", "/HP", "0-3", "unknown"),
        ("红细胞", "未满视野", "/HP", "0-3", "unknown"), ("红细胞", "0-1，未见大量", "/HP", "0-3", "unknown"),
        ("红细胞", "未见大量", "/HP", "0-3", "unknown"), ("红细胞", "少量", "/HP", "0-3", "unknown"),
        ("红细胞", "查见", "/HP", "0-3", "unknown"), ("管型", "偶见", "/LP", "0-1", "unknown"),
        ("红细胞", "偶见", "", "阴性", "unknown"), ("红细胞", "大量", "/HP", ">5", "unknown"),
    ],
)  # fmt: skip
def test_words_for_an_amount(name, result, unit, limits, flag):
    assert only(name, result, unit, limits).flag == flag


@pytest.mark.parametrize(
    "result",
    [
        "满布", "密布", "成片", "计数不清", "无法计数", "无数", "TNTC", "too many to count",
        "Too numerous to count", "++++", "4+/HP",
    ],
)  # fmt: skip
def test_too_many_to_count_is_a_full_field(result):
    assert only("白细胞", result, "/HP", "0-5").severity == "marked"


@pytest.mark.parametrize("result", ["偶见", "少量", "查见", "大量", "满视野"])
def test_a_parasite_that_is_seen_at_all_is_an_emergency(result):
    seen = only("疟原虫", result, "", "阴性", title="血涂片")
    assert (seen.flag, seen.critical) == ("abnormal", True)


def test_blasts_in_words_are_not_let_pass():
    for result in ("偶见", "大量"):
        seen = only("原始细胞", result, "%", "0", title="血常规")
        assert seen.flag != "normal"
        assert seen.alarm
