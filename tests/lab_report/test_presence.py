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
