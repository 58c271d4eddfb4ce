"""有没有找到（疟原虫、细菌）用各种话说：找到了的一个不漏，说没有的不吓人，夹着“未”“无”“不”“阴性”的菌名不当作没有。"""

from pathlib import Path

import pytest

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.report import PrintedField, PrintedRow, Reading, ReadReport, ReadRow

SAID = load_yaml(Path(__file__).with_name("presence.yaml"))


def report_of(name: str, result: str, limits: str, title: str) -> Assessment:
    row = PrintedRow(name=name, result=result, reference_range=limits)
    return assess(ReadReport(report_type=title, sex="女", age="40岁", items=[row]))


@pytest.mark.parametrize(("title", "limits"), [("血涂片", "阴性"), ("", ""), ("血常规", "未查见")])
@pytest.mark.parametrize("name", SAID)
def test_found_is_an_emergency_and_denied_is_none(name, title, limits):
    for result in SAID[name]["found"]:
        report = report_of(name, result, limits, title)
        assert (report.items[0].critical, report.triage) == (True, "urgent"), result
    for result in SAID[name]["denied"]:
        report = report_of(name, result, limits, title)
        assert (report.items[0].flag, report.triage) == ("normal", "none"), result


@pytest.mark.parametrize(("specimen", "is_grave"), [("静脉血", True), ("血液", True), ("中段尿", False), ("痰", False)])
def test_a_culture_whose_specimen_is_printed_elsewhere(specimen, is_grave):
    row = ReadRow(name="培养结果", result="大肠埃希菌")
    seen = assess(Reading(report_type="细菌培养及药敏", items=[row], origin={"specimen": PrintedField(value=specimen)}))
    rows = [PrintedRow(name="标本类型", result=specimen), row]
    same = assess(ReadReport(report_type="细菌培养及药敏", items=rows))
    assert seen.items[0].critical == same.items[1].critical == is_grave


def test_an_empty_culture_of_blood_is_quiet_with_all_it_prints():
    rows = [("标本类型", "静脉血"), ("培养时间", "5天"), ("培养结果", "无细菌生长")]
    report = ReadReport(report_type="细菌培养", items=[PrintedRow(name=name, result=result) for name, result in rows])
    assert assess(report).triage == "routine"


CANCER_DENIED = [
    "未见癌细胞", "癌细胞阴性", "恶性细胞：阴性", "恶性肿瘤细胞（-）", "癌细胞(-)", "不支持恶性", "除外恶性",
    "癌细胞未见", "癌细胞未检出", "恶性细胞未找到", "非恶性", "癌前病变：无", "家族癌症史：无", "宫颈癌筛查：阴性",
    "宫颈癌筛查未见异常", "未见明显异常，建议宫颈癌筛查定期进行", "未见癌，建议三年后再行宫颈癌筛查", "无高级别病变",
    "良性肿瘤，非癌", "Negative for intraepithelial lesion or malignancy", "No malignant cells seen",
]  # fmt: skip
CANCER_SAID = [
    "见癌细胞", "腺癌", "浸润性导管癌，未见脉管癌栓", "鳞状细胞癌，切缘未见癌", "鳞癌淋巴结转移未见", "未分化癌",
    "不能除外恶性", "无法排除恶性", "未能除外癌", "待除外恶性", "恶性不能除外", "非霍奇金淋巴瘤", "非小细胞肺癌",
    "非浸润性癌", "无色素性黑色素瘤", "无痛性淋巴瘤", "非特殊类型浸润性癌", "癌，无转移", "adenocarcinoma",
]  # fmt: skip


@pytest.mark.parametrize("text", [*CANCER_DENIED, *CANCER_SAID])
def test_a_pathology_text_that_denies_cancer_frightens_nobody(text):
    row = PrintedRow(name="病理诊断", result=text)
    report = assess(ReadReport(report_type="病理报告单", sex="女", age="50岁", items=[row]))
    assert (report.triage == "soon" and report.when == "days") == (text in CANCER_SAID)
