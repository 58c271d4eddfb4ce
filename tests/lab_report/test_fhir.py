"""导出的 FHIR：别人的 R4 模型认得；没有判断的不写高低，读不出的说没有，没有姓名。"""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from fhir.resources.R4B.bundle import Bundle
from outcome_sheets import load_sheets, read_sheet
from ucumvert import get_ucum_parser

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.fhir import LOINC, UCUM, to_bundle, to_json
from health_assistant.lab_report.report import PrintedField, PrintedRow, Reading, ReadReport, ReadRow

NOW = datetime(2026, 11, 26, 8, 0, tzinfo=UTC)


def bundle_of(read: ReadReport) -> dict:
    return json.loads(to_json(to_bundle(assess(read), NOW)))


def resources(bundle: dict, kind: str) -> list[dict]:
    found = [entry["resource"] for entry in bundle["entry"]]
    return [one for one in found if one["resourceType"] == kind]


def observed(doubt: str | None = None, **item: str) -> dict:
    return resources(bundle_of(Reading(items=[ReadRow(**item, doubt=doubt)])), "Observation")[0]


def codes_in(part) -> set[str]:
    """各处写着的 UCUM 代码。"""
    if isinstance(part, list):
        return set().union(*map(codes_in, part))
    if not isinstance(part, dict):
        return set()
    own = {part["code"]} if part.get("system") == UCUM else set()
    return own.union(*map(codes_in, part.values()))


@pytest.mark.slow
def test_every_outcome_sheet_is_a_valid_bundle():
    parse = get_ucum_parser().parse
    sheets, codes = load_sheets(), set()
    for sheet in sheets:
        bundle = bundle_of(read_sheet(sheet))
        Bundle.model_validate(bundle)
        assert len(resources(bundle, "Observation")) == len(sheet["rows"])
        codes |= codes_in(bundle)
    assert len(sheets) > 100 and len(codes) > 15
    for code in codes:
        parse(code)


def test_every_reference_points_into_the_bundle():
    bundle = bundle_of(ReadReport(sex="男", items=[PrintedRow(name="钾", result="4.1", unit="mmol/L")]))
    places = {entry["fullUrl"] for entry in bundle["entry"]}
    report = resources(bundle, "DiagnosticReport")[0]
    provenance = resources(bundle, "Provenance")[0]
    for one in (*report["result"], report["subject"], *provenance["target"], provenance["agent"][0]["who"]):
        assert one["reference"] in places


def test_a_number_with_its_printed_range():
    item = observed(name="钾", code="K", result="6.9", unit="mmol/L", reference_range="3.5-5.3", mark="↑")
    assert item["code"]["text"] == "钾（K）"
    assert item["code"]["coding"] == [{"system": LOINC, "code": "2823-3"}]
    unit = {"unit": "mmol/L", "system": UCUM, "code": "mmol/L"}
    assert item["valueQuantity"] == {"value": 6.9, **unit}
    printed = {"text": "3.5-5.3", "low": {"value": 3.5, **unit}, "high": {"value": 5.3, **unit}}
    assert item["referenceRange"] == [printed]
    assert item["interpretation"][0]["coding"][0]["code"] == "HH"  # 危急
    assert item["status"] == "preliminary"


@pytest.mark.parametrize(
    ("result", "value"),
    [
        ("<0.5", {"valueQuantity": {"value": 0.5, "comparator": "<"}}),
        ("≥1000", {"valueQuantity": {"value": 1000.0, "comparator": ">="}}),
        ("1:320", {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 320.0}}}),
        ("3-5", {"valueRange": {"low": {"value": 3.0}, "high": {"value": 5.0}}}),
        ("0.02(阴性)", {"valueString": "0.02(阴性)"}),
        ("??", {"valueString": "??"}),
        ("2+", {"valueCodeableConcept": {"text": "2+"}}),
    ],
)
def test_other_results(result, value):
    item = observed(name="某项", result=result)
    written = {name: part for name, part in item.items() if name.startswith("value")}
    assert written == value


def test_negative_is_a_coded_answer():
    item = observed(name="乙肝表面抗原", code="HBsAg", result="阴性(-)", reference_range="阴性")
    assert item["code"]["coding"][0]["code"] == "5195-3"
    assert item["valueCodeableConcept"]["coding"][0]["code"] == "LA6577-6"
    assert item["valueCodeableConcept"]["text"] == "阴性(-)"
    assert item["interpretation"][0]["coding"][0]["code"] == "N"


def test_a_doubtful_row_is_not_interpreted_and_says_why():
    item = observed("小数点看不清", name="钾", code="K", result="4.1", unit="mmol/L", reference_range="3.5-5.3")
    assert "interpretation" not in item
    assert "小数点看不清" in item["note"][0]["text"]
    # 可能读错的数不当作值：别的软件会画进曲线。读到的字在说明里
    assert item["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not any(name.startswith("value") for name in item)
    assert any("4.1 mmol/L" in note["text"] for note in item["note"])


@pytest.mark.parametrize(
    ("item", "is_kept"),
    [
        ({"reference_range": ""}, True),  # 没有印范围，数没有疑问
        ({"reference_range": "见说明"}, True),
        ({"reference_range": "3.5-5.3"}, True),
        ({"reference_range": "3.5-5.3", "mark": "↑"}, False),  # 标记与数有一个读错了
        ({"reference_range": "3.5-5.3", "doubt": "看不清"}, False),
        ({"reference_range": "", "doubt": "看不清"}, False),
    ],
)
def test_only_a_value_without_doubt_is_exported_as_one(item, is_kept):
    assert ("valueQuantity" in observed(name="某项", result="4.1", unit="mmol/L", **item)) == is_kept


def test_a_doubted_emergency_is_still_said():
    read = Reading(items=[ReadRow(name="钾", result="7.1", unit="mmol/L", reference_range="3.5-5.3", doubt="看不清")])
    bundle = bundle_of(read)
    assert "7.1" in resources(bundle, "DiagnosticReport")[0]["conclusion"]
    assert any("尽快就医" in note["text"] for note in resources(bundle, "Observation")[0]["note"])


def test_decimals_keep_their_trailing_zeros():
    row = PrintedRow(name="钾", code="K", result="5.10", unit="mmol/L", reference_range="3.50-5.30")
    text = to_json(to_bundle(assess(ReadReport(items=[row])), NOW))
    observation = next(
        entry["resource"]
        for entry in json.loads(text, parse_float=Decimal)["entry"]
        if entry["resource"]["resourceType"] == "Observation"
    )
    limits = observation["referenceRange"][0]
    numbers = (observation["valueQuantity"]["value"], limits["low"]["value"], limits["high"]["value"])
    assert [str(one) for one in numbers] == ["5.10", "3.50", "5.30"]


def test_a_row_corrected_by_hand_is_not_said_to_be_read_by_software():
    rows = [ReadRow(name="钾", result="4.1"), ReadRow(name="钠", result="140", corrected=True)]
    bundle = bundle_of(Reading(items=rows))
    Bundle.model_validate(bundle)
    agents = [one["agent"][0] for one in resources(bundle, "Provenance")]
    assert [one["type"]["text"] for one in agents] == ["软件识别", "人工改正"]
    assert ["reference" in one["who"] for one in agents] == [True, False]
    assert any("由人" in note["text"] for note in resources(bundle, "Observation")[1]["note"])


def test_what_was_not_read_says_so():
    item = observed(name="钾", code="K", result="", unit="mmol/L", reference_range="3.5-5.3")
    assert item["dataAbsentReason"]["coding"][0]["code"] == "unknown"
    assert not any(name.startswith("value") for name in item)
    assert "interpretation" not in item


def test_a_catalogue_range_is_never_passed_off_as_printed():
    item = observed(name="钠", code="Na", result="128", unit="mmol/L")
    assert "referenceRange" not in item
    assert item["interpretation"][0]["coding"][0]["code"] in ("L", "LL")
    assert any("目录" in note["text"] for note in item["note"])


def test_each_row_says_where_on_the_photo_it_was_read():
    boxes = {"result": (120, 40, 180, 60)}
    row = ReadRow(name="钾", result="4.1", unit="mmol/L", reference_range="3.5-5.3", boxes=boxes, page=2)
    provenance = resources(bundle_of(Reading(items=[row])), "Provenance")[0]
    place = provenance["entity"][0]["what"]["identifier"]["value"]
    assert place == "page=2&xywh=pixel:120,40,60,20"


def test_no_name_only_a_printed_sex():
    assert resources(bundle_of(ReadReport(items=[PrintedRow(name="钾", result="4.1")])), "Patient") == []
    patient = resources(bundle_of(ReadReport(sex="女", items=[PrintedRow(name="钾", result="4.1")])), "Patient")[0]
    assert patient.keys() == {"resourceType", "id", "gender"} and patient["gender"] == "female"


def test_when_and_where_as_printed():
    """带几点的时间在 FHIR 里要写时区，纸上没有印，所以只写日子。"""
    values = {"collected": "2026-11-26T07:10", "received": "2026-11-26", "performer": "仁和医院", "specimen": "血清"}
    origin = {field: PrintedField(value=value) for field, value in values.items()}
    bundle = bundle_of(Reading(items=[ReadRow(name="钾", result="4.1")], origin=origin))
    Bundle.model_validate(bundle)
    observation, report = resources(bundle, "Observation")[0], resources(bundle, "DiagnosticReport")[0]
    assert observation["effectiveDateTime"] == report["effectiveDateTime"] == "2026-11-26"
    assert report["performer"] == [{"display": "仁和医院"}]
    specimen = resources(bundle, "Specimen")[0]
    assert (specimen["type"]["text"], specimen["receivedTime"]) == ("血清", "2026-11-26")
    assert observation["specimen"]["reference"] == f"urn:uuid:{specimen['id']}"


def test_an_unknown_time_is_said_to_be_unknown():
    item = observed(name="钾", result="4.1")
    assert "effectiveDateTime" not in item
    assert item["_effectiveDateTime"]["extension"][0]["valueCode"] == "unknown"


def test_a_value_the_laboratory_marked_critical_is_critical():
    item = observed(name="铁蛋白", code="FER", result="3000", unit="ng/mL", reference_range="30-400", mark="危")
    assert item["interpretation"][0]["coding"][0]["code"] == "HH"


def test_a_specimen_that_does_not_fit_gets_no_code():
    """单子上印着标本是脑脊液，血糖的代码就不对。"""
    row = ReadRow(name="葡萄糖", code="GLU", result="3.1", unit="mmol/L", reference_range="2.5-4.5")
    origin = {"specimen": PrintedField(value="脑脊液")}
    item = resources(bundle_of(Reading(items=[row], origin=origin)), "Observation")[0]
    assert "coding" not in item["code"] and "specimen" not in item


def test_odd_texts_are_still_valid():
    rows = [PrintedRow(name="", result="1"), PrintedRow(name=" ", result="4.1\x01", unit="\x00", reference_range=" ")]
    Bundle.model_validate(bundle_of(ReadReport(report_type=" ", items=rows)))
