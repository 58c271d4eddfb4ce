"""行与行之间的恒等式：真的报告都成立，读错一位数常常就不成立。"""

import json
from decimal import Decimal

import pytest
from real_reports import FOLDER, needs_real_reports

from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.consistency import RELATIONS, find_conflicts, measure
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.printed_interval import exponent
from health_assistant.lab_report.reference_range import parse_result

RED = {"RBC": "5.36", "HGB": "161", "HCT": "46.2", "MCV": "86.2", "MCH": "30.0", "MCHC": "348"}
COUNTS = {"WBC": "6.72", "NEUT#": "4.53", "LYMPH#": "1.51", "MONO#": "0.56", "EO#": "0.12", "BASO#": "0.00"}
SHARES = {"NEUT%": "67.4", "LYMPH%": "22.5", "MONO%": "8.3", "EO%": "1.8", "BASO%": "0.0"}
BLOOD_COUNT = RED | COUNTS | SHARES


def within(value: Decimal, step: Decimal) -> Interval:
    return Interval(value - step, value + step)


def numbers(**texts: str) -> dict[str, Interval]:
    return {code: within(Decimal(text), Decimal(1).scaleb(exponent(Decimal(text)))) for code, text in texts.items()}


def test_every_code_is_in_the_catalogue():
    assert {code for relation in RELATIONS for code in relation.codes} <= {one.code for one in load_catalogue()}


def test_a_true_blood_count_agrees():
    assert find_conflicts(numbers(**BLOOD_COUNT)) == {}


@pytest.mark.parametrize(
    ("code", "misread"),
    [("RBC", "3.36"), ("HGB", "16.1"), ("MCV", "862"), ("WBC", "16.72"), ("NEUT%", "61.4"), ("EO#", "1.12")],
)
def test_a_misread_digit_is_caught_with_the_rows_beside_it(code, misread):
    conflicts = find_conflicts(numbers(**BLOOD_COUNT | {code: misread}))
    assert code in conflicts
    assert all("对不上，可能有一处读错" in note for note in conflicts.values())


SIX_KINDS = {"WBC": "10.00"} | {
    f"{code}{sign}": text
    for code, *texts in (
        ("NEUT", "30.0", "3.00"), ("LYMPH", "40.0", "4.00"), ("MONO", "6.0", "0.60"), ("EO", "2.0", "0.20"),
        ("BASO", "1.0", "0.10"),
    )
    for sign, text in zip("%#", texts, strict=True)
}  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "agrees"),
    [
        ({"TP": "70.1", "ALB": "45.0", "GLB": "25.1"}, True),
        ({"TP": "70.1", "ALB": "45.0", "GLB": "35.1"}, False),
        ({"A/G": "1.8", "ALB": "45.0", "GLB": "25.1"}, True),
        ({"A/G": "18", "ALB": "45.0", "GLB": "25.1"}, False),
        ({"TBIL": "15.2", "DBIL": "5.1", "IBIL": "10.1"}, True),
        ({"TBIL": "15.2", "DBIL": "5.1", "IBIL": "1.1"}, False),
        ({"TC": "5.00", "HDL-C": "1.20", "LDL-C": "3.10"}, True),
        ({"TC": "5.00", "HDL-C": "1.60", "LDL-C": "3.60"}, True),
        ({"TC": "5.00", "HDL-C": "1.20", "LDL-C": "31.0"}, False),
        # INR 高而 PT 正常，不会是同一管血
        ({"PT": "11.8", "INR": "1.03"}, True),
        ({"PT": "26.0", "INR": "2.3"}, True),
        ({"PT": "15.4", "INR": "2.0"}, True),
        ({"PT": "11.8", "INR": "2.5"}, False),
        ({"PT": "26.0", "INR": "0.0"}, True),
        # 缺一行就无从说起；末位的舍入与零不算错
        ({"TP": "70.1", "ALB": "45.0"}, True),
        ({"EO#": "0.0", "WBC": "1.2", "EO%": "0.4"}, True),
        ({"MCV": "90", "HCT": "0.0", "RBC": "0.00"}, True),
        # 有的仪器另有第六类细胞
        ({"NEUT%": "60.0", "LYMPH%": "25.0", "MONO%": "8.0", "EO%": "3.0", "BASO%": "1.0"}, True),
        ({"NEUT%": "60.0", "LYMPH%": "25.0", "MONO%": "8.0", "EO%": "3.0", "BASO%": "12.0"}, False),
        # 白血病时占得更多：每个百分比都与自己的绝对值对得上才算
        (SIX_KINDS, True),
        (SIX_KINDS | {"LYMPH#": "2.00"}, False),
        ({code: text for code, text in SIX_KINDS.items() if code != "LYMPH#"}, False),
    ],
)
def test_relations(rows, agrees):
    assert (find_conflicts(numbers(**rows)) == {}) == agrees


def test_a_plateletcrit_with_a_wrong_unit_still_agrees():
    plateletcrit = find_analyte("血小板压积", "PCT", "%")
    assert measure(parse_result("0.20"), "L/L", plateletcrit) == within(Decimal("0.20"), Decimal("0.01"))


def test_numbers_are_measured_in_the_unit_of_the_catalogue():
    hemoglobin = find_analyte("血红蛋白", "HGB", "g/L")
    assert measure(parse_result("161"), "g/L", hemoglobin) == within(Decimal(161), Decimal(1))
    assert measure(parse_result("16.1"), "g/dL", hemoglobin) == within(Decimal(161), Decimal(1))
    assert [
        measure(parse_result(text), unit, hemoglobin) for text, unit in (("<5", "g/L"), ("阴性", "g/L"), ("5", "个/HP"))
    ] == [None] * 3


def true_numbers() -> list[dict[str, tuple[str, Interval]]]:
    """每张真报告：目录代号 -> （印刷的结果，数）。"""
    reports = map(json.loads, (FOLDER / "truth.jsonl").read_text(encoding="utf-8").splitlines())
    found = []
    for report in reports:
        known = {}
        for row in report["items"]:
            analyte = find_analyte(row["name"], row["code"], row["unit"], report["report_type"])
            if analyte and (number := measure(parse_result(row["result"]), row["unit"], analyte)):
                known[analyte.code] = (row["result"], number)
        found.append(known)
    return found


@needs_real_reports
def test_no_true_report_breaks_a_relation_and_most_misread_digits_do():
    tried = caught = 0
    for known in true_numbers():
        right = {code: number for code, (_, number) in known.items()}
        assert find_conflicts(right) == {}
        bound = {code for one in RELATIONS if all(code in right for code in one.codes) for code in one.codes}
        for code in bound:
            text, number = known[code]
            for at, old in enumerate(text):
                for new in "0123456789".replace(old, "") if old.isdigit() else "":
                    wrong = within(Decimal(text[:at] + new + text[at + 1 :]), (number.high - number.low) / 2)
                    tried += 1
                    caught += code in find_conflicts(right | {code: wrong})
    print(f"改动一位数 {tried} 次，{caught / tried:.1%} 对不上")
    assert tried > 1000
    assert caught / tried > 0.6
