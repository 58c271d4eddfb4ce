"""一行是目录里的哪一项：名称、代号、单位、标本与印着的范围一起看，分不清的不猜。表在 lookups.yaml。"""

import json
from pathlib import Path

import pytest
from real_reports import FOLDER, load_truth, needs_real_reports

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.catalogue import Analyte, load_catalogue
from health_assistant.lab_report.matching import find_analyte, is_known_code, is_known_name
from health_assistant.lab_report.range_likeness import implied_unit
from health_assistant.lab_report.reference_range import parse_range

CATALOGUE = {one.code: one for one in load_catalogue()}
TABLE = load_yaml(Path(__file__).with_name("lookups.yaml"))


@pytest.mark.parametrize("line", [line for lines in TABLE.values() for line in lines])
def test_which_analyte_a_row_is(line):
    printed, expected = line.split(" -> ")
    report_type, name, code, unit, limits = (cell.strip() for cell in f"{printed} ".split("|"))
    found = find_analyte(name, code, unit, report_type, parse_range(limits), has_range=bool(limits))
    assert (found.code if found else "-") == expected


def test_every_name_leads_back_to_its_entry():
    types = {"blood": "", "urine": "尿液分析", "stool": "便常规"}
    lost = [
        (one.code, name)
        for one in CATALOGUE.values()
        for name in (one.name, one.code.removeprefix("U-").removeprefix("F-"), *one.aliases)
        if (found := _find_by(name, one, types[one.specimen])) is not one
        # 没有单位的 TP 不会是梅毒，除非报告类型说是传染病
        and not (found is None and _find_by(name, one, "输血前检查") is one)
        and not (found and one.code in found.twins)
    ]
    assert lost == []


def _find_by(name: str, one: Analyte, report_type: str) -> Analyte | None:
    return find_analyte("" if name.isascii() else name, name if name.isascii() else "", one.unit, report_type)


@pytest.mark.parametrize(
    ("code", "reference_range", "unit"),
    [
        ("HCT", "0.40-0.50", "L/L"), ("HCT", "40-50", "%"), ("HGB", "13-17.5", "g/dL"), ("HGB", "130-175", "g/L"),
        ("K", "3.5-5.3", "mmol/L"), ("K", "35-53", ""), ("K", "", ""), ("CREA", "0.6-1.2", "mg/dL"),
    ],
)  # fmt: skip
def test_the_printed_range_tells_the_unit(code, reference_range, unit):
    assert implied_unit(CATALOGUE[code], parse_range(reference_range)) == unit


@needs_real_reports
def test_every_name_of_the_real_reports_resolves():
    types = {one["file"]: one["report_type"] for one in map(json.loads, (FOLDER / "truth.jsonl").open("rb"))}
    lost = [
        (types[file], row.name, row.code)
        for file, rows in load_truth().items()
        for row in rows
        if find_analyte(row.name, row.code, row.unit, types[file]) is None
    ]
    assert lost == []


def test_letters_of_a_name_are_not_a_code():
    assert not any(map(is_known_code, ("T3", "C3", "ABO", "D", "")))
    assert all(map(is_known_code, ("K", "WBC", "NEUT%", "E0%", "PH", "GPT")))
    assert is_known_name("总T3") and is_known_name("白细胞计数测定") and not is_known_name("审核者")
