"""有没有找到（疟原虫、细菌）用各种话说：找到了的一个不漏，说没有的不吓人，夹着“未”“无”“不”“阴性”的菌名不当作没有。"""

from pathlib import Path

import pytest
import yaml

from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.report import PrintedField, PrintedRow, Reading, ReadReport, ReadRow

SAID = yaml.safe_load(Path(__file__).with_name("presence.yaml").read_text("utf-8"))


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


@pytest.mark.parametrize("result", ["见报告", "详见附页", "未做", "标本溶血", "待报告"])
def test_what_says_neither_is_left_open(result):
    assert report_of("血培养", result, "阴性", "血培养").items[0].flag == "unknown"


@pytest.mark.parametrize(
    ("title", "name", "result", "limits", "expected"),
    [
        ("血培养", "细菌鉴定", "大肠埃希菌", "", "grave"), ("血培养", "细菌", "大肠埃希菌", "", "grave"),
        ("血液细菌培养", "培养结果", "金黄色葡萄球菌", "", "grave"), ("尿培养", "培养结果", "大肠埃希菌", "", None),
        ("血培养", "培养结果", "培养5天无细菌生长", "", None),
        ("脑脊液检查", "墨汁染色", "找到新型隐球菌", "", "grave"),
        ("脑脊液检查", "墨汁染色", "未找到新型隐球菌", "未见", None),
        ("脑脊液检查", "潘氏试验", "阴性", "", None), ("脑脊液检查", "颜色", "无色", "", None),
        ("痰培养", "培养结果", "口腔正常菌群", "阴性", None),
        ("痰培养", "培养结果", "肺炎克雷伯菌", "阴性", "moderate"),
        ("腹水检查", "外观", "未见浑浊", "透明", None), ("腹水检查", "外观", "黄色，浑浊", "透明", "grave"),
        ("大便常规", "性状", "黄软便，未见脓血", "", None), ("大便常规", "颜色", "黄色，无鲜血", "", None),
        ("大便常规", "颜色", "非柏油样", "", None), ("大便常规", "颜色", "柏油样", "黄色", "grave"),
        ("大便常规", "虫卵", "查见蛔虫卵", "未见", "moderate"), ("大便常规", "虫卵", "未见虫卵及原虫", "阴性", None),
    ],
)  # fmt: skip
def test_other_specimens(title, name, result, limits, expected):
    seen = report_of(name, result, limits, title)
    assert (seen.items[0].severity, seen.triage == "urgent") == (expected, expected == "grave")


@pytest.mark.parametrize(
    "result",
    [
        "阳性反应", "结果呈阳性。", "【阳性】", "阳性3+", "阳性++", "阳性反应(+)", "阳性↑", "阳性*", "初筛阳性",
        "可疑阳性", "疑似阳性",
    ]
    + ["阳性，请复查", "阳性(+)，建议复查", "阳性（待复查）"],
)  # fmt: skip
def test_positive_with_words_around_it(result):
    assert report_of("肌红蛋白", result, "阴性", "尿液分析").items[0].critical


@pytest.mark.parametrize("result", ["阴性反应", "结果呈阴性。", "【阴性】", "阴性，建议复查", "均阴性"])
def test_negative_with_words_around_it(result):
    assert report_of("肌红蛋白", result, "阴性", "尿液分析").items[0].flag == "normal"


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
