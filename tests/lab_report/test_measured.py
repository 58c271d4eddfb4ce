"""体检单上量出来的数（血压、身高）：照样是一行；血压高得危险的要说，身高、体重指数不吓人。"""

import pytest

from health_assistant.lab_report.advice import advice_sections
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.report import PrintedRow, ReadReport, ReadRow


def report_of(*rows: tuple[str, ...], age: str = "40岁") -> Assessment:
    names = ("name", "result", "unit", "reference_range")
    items = [PrintedRow(**dict(zip(names, one, strict=True))) for one in rows]
    return assess(ReadReport(report_type="健康体检报告", sex="女", age=age, items=items))


@pytest.mark.parametrize(
    ("row", "severity", "when"),
    [
        (("收缩压", "225", "mmHg", ""), "grave", "now"), (("收缩压", "225", "mmHg", "90-139"), "grave", "now"),
        (("血压", "165/142", "mmHg", ""), "grave", "now"), (("血压(左上臂)", "225/100", "", "<140/90"), "grave", "now"),
        (("收缩压", "185", "mmHg", "90-139"), "severe", "today"), (("舒张压", "122", "mmHg", ""), "severe", "today"),
        (("血压", "150/125", "mmHg", ""), "severe", "today"), (("收缩压", "75", "mmHg", ""), "severe", "today"),
        (("收缩压", "165", "mmHg", "90-139"), "marked", "days"),
        (("收缩压", "152", "mmHg", "90-139"), "moderate", "weeks"),
        (("心率", "140", "次/分", "60-100"), "severe", "today"), (("体温", "39.5", "℃", "36-37.2"), "marked", "days"),
        (("体重指数", "31.0", "kg/m2", "18.5-23.9"), "slight", None), (("腰围", "99", "cm", "<85"), "slight", None),
        (("血压", "128/80", "mmHg", ""), None, None), (("收缩压", "119", "mmHg", ""), None, None),
        (("收缩压", "16", "kPa", ""), None, None), (("收缩压", "16", "", ""), None, None),
        (("身高", "170", "cm", ""), None, None),
    ],
)  # fmt: skip
def test_how_grave_a_measurement_is(row, severity, when):
    report = report_of(row)
    assert (report.items[0].severity, report.when) == (severity, when)
    assert bool(report.items[0].alarm) == (severity == "grave")


def test_blood_pressure_in_pregnancy():
    assert report_of(("血压", "162/95", "mmHg", ""), age="30岁 孕28周").items[0].critical
    assert not report_of(("血压", "162/95", "mmHg", "")).items[0].critical


def test_measurements_do_not_make_a_healthy_sheet_look_ill():
    body = [
        ("身高", "170", "cm", ""),
        ("体重", "82", "kg", ""),
        ("脉搏", "72", "次/分", "60-100"),
        ("血压", "120/78", "mmHg", ""),
    ]
    report = report_of(*body, ("空腹血糖", "5.4", "mmol/L", "3.9-6.1"))
    assert [one.flag for one in report.items] == ["unknown", "unknown", "normal", "unknown", "normal"]
    assert report.triage == "routine"


def test_a_doubtful_reading_of_blood_pressure_is_not_let_pass():
    row = ReadRow(name="收缩压", result="225", unit="mmHg", reference_range="90-139", doubt="字迹不清")
    report = assess(ReadReport(report_type="体检", items=[row]))
    assert (report.items[0].severity, report.triage) == (None, "urgent")


def test_what_to_do_is_said():
    text = "\n".join(advice_sections(report_of(("收缩压", "185", "mmHg", "90-139"))))
    assert "今天" in text and "心内科" in text and "120" in text
