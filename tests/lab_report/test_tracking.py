"""同一项在别的报告里印成什么名称、什么单位都连得起来；换不成的、不是单独一个数的不比。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import PrintedRow, ReadReport


def tracked(name: str, result: str, unit: str = "", printed_range: str = ""):
    row = PrintedRow(name=name, result=result, unit=unit, reference_range=printed_range)
    return assess(ReadReport(items=[row])).items[0].tracked


@pytest.mark.parametrize(
    ("name", "result", "unit", "printed_range", "expected"),
    [
        ("总胆固醇", "6.3", "mmol/L", "<5.2", ("TC", "mmol/L", "6.3", None, "5.2")),
        ("胆固醇", "238", "mg/dL", "<200", ("TC", "mmol/L", "6.15", None, "5.17")),
        ("Total Cholesterol", "238", "mg/dL", "", ("TC", "mmol/L", "6.15", None, None)),
        ("葡萄糖", "100", "mg/dL", "70-110", ("GLU", "mmol/L", "5.55", "3.89", "6.11")),
        ("血红蛋白", "13.5", "g/dL", "11.5-15.0", ("HGB", "g/L", "135", "115", "150")),
        ("白细胞", "6500", "/μL", "3500-9500", ("WBC", "10^9/L", "6.500", "3.500", "9.500")),
        ("肌酐", "0.8", "mg/dL", "0.5-1.2", ("CREA", "μmol/L", "71", "44", "106")),
        # 目录换不成的照印着的，单位不同就是两条线
        ("胰岛素", "10", "μIU/mL", "2.6-24.9", ("INS", "μIU/mL", "10", "2.6", "24.9")),
        ("胰岛素", "60", "pmol/L", "17.8-173", ("INS", "pmol/l", "60", "17.8", "173")),
        # 不是单独一个数的、不知道单位的
        ("C反应蛋白", "<0.01", "mg/L", "0-10", ("CRP", "mg/L", None, None, None)),
        ("尿蛋白", "2+", "", "阴性", ("U-PRO", "", None, None, None)),
        ("红细胞压积", "0.41", "", "0.35-0.45", ("HCT", "%", None, None, None)),
    ],
)
def test_one_analyte_one_unit(name, result, unit, printed_range, expected):
    found = tracked(name, result, unit, printed_range)
    assert (found.analyte, found.unit, found.value, found.low, found.high) == expected


def test_an_unknown_name_is_never_linked():
    assert tracked("某项", "12", "U/L", "0-40") is None


def test_a_fraction_printed_under_a_percent_sign_is_the_percentage():
    printed = [("0.41", "0.35-0.45"), ("41", "35-45")]
    assert [tracked("红细胞压积", result, "%", limits).value for result, limits in printed] == ["41", "41"]


def test_how_much_varies_anyway_comes_with_the_row():
    """Fraser 2001：2.77 × √(CVi² + (CVi/2)²)；钾的 CVi 是 4.1%；地高辛没有这样的数。"""
    assert tracked("钾", "4.2", "mmol/L", "3.5-5.3").change_percent == 12.7
    assert tracked("地高辛", "1.1", "ng/mL", "0.8-2.0").change_percent is None
