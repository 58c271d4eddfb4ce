"""判断过的化验单 -> HL7 FHIR R4 的 Bundle，别的健康软件认得的形式（https://hl7.org/fhir/R4）。

一份 DiagnosticReport，一行一个 Observation，一份 Provenance：软件从照片上读的，或人照原件改正的。没有人的姓名；
印着性别才有 Patient。没有把握的不写代码；没有判断的不写高低；读不出的写明为什么没有值。

数本身可能读错的，不写成值：别的软件会把值画进曲线，而不看旁边的说明。这样的行写 dataAbsentReason（R4 的 obs-6：它与值
不能都有），读到的字和疑在哪里写在 note；没有范围、看不懂范围的，值照写，只是没有高低。status 一律是 preliminary：
纸上的结果是 final，而这里的是从纸上读来的，没有检验科核对过；entered-in-error 说的是确知错了，也不是。
"""

import json
import re
import uuid
from datetime import datetime
from typing import Any

from health_assistant.lab_report.assessment import Assessment
from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.coding import quantity_unit, to_loinc
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value, compare
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.report import DISCLAIMER, FLAG_WORDS, TRIAGE_WORDS, UNREAD_MARK, OriginField
from health_assistant.lab_report.specimen import possible_specimens

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_INTERPRETATIONS = {"normal": "N", "high": "H", "low": "L", "abnormal": "A"}
_CRITICAL = {"high": "HH", "low": "LL", "abnormal": "AA"}
# LOINC 的答案表：阳性、阴性。弱阳性、加号没有放之各处都对的代码，只写文字
_ANSWERS = {"阳性": ("LA6576-8", "Positive"), "阴性": ("LA6577-6", "Negative")}
_THROUGH_SKIN = re.compile(r"经皮|TcB")
"""隔着皮肤照的（经皮胆红素）没有标本，也不是血清的代码。"""
_SEXES = {"男": "male", "女": "female"}
Resource = dict[str, Any]


def to_bundle(report: Assessment, recorded: datetime) -> Resource:
    """判断过的一份报告成为 collection 型的 Bundle；recorded 是何时导出的，要带时区。"""
    # 印着性别才有这个人；用的人填的没有人核对，不往外写
    is_printed = report.sex and "sex" not in report.told
    patient = _resource("Patient", gender=_SEXES[report.sex]) if is_printed else None
    subject = {"subject": _reference(patient)} if patient else {}
    taken = _effective(report)
    specimen = _specimen(report)
    sampled = {"specimen": _reference(specimen)} if specimen else {}
    drawn = _printed(report, "specimen")
    observations = []
    for finding in report.items:
        fits = _is_of(finding.analyte, drawn) and not _THROUGH_SKIN.search(finding.name)
        observations.append(_observation(finding, fits) | subject | taken | (sampled if fits else {}))
    device = _resource("Device", deviceName=[{"name": "健康助手", "type": "user-friendly-name"}])
    summary = _resource(
        "DiagnosticReport",
        status="preliminary",  # 软件读的，没有人核对过
        category=[_concept("v2-0074", "LAB", "检验")],
        code={"coding": [{"system": LOINC, "code": "11502-2"}], "text": _plain(report.report_type) or "化验单"},
        result=[_reference(observation) for observation in observations],
        conclusion="\n".join(map(_plain, [TRIAGE_WORDS[report.triage], *report.notices, DISCLAIMER])),
        **taken,
        **subject,
        **({"specimen": [_reference(specimen)]} if specimen else {}),
        **({"performer": [{"display": _printed(report, "performer")}]} if "performer" in report.origin else {}),
    )
    provenance = [
        _provenance(observation, finding, device, recorded)
        for observation, finding in zip(observations, report.items, strict=True)
    ]
    resources = [summary, *filter(None, (patient, specimen)), *observations, device, *provenance]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": recorded.isoformat(timespec="seconds"),
        "entry": [{"fullUrl": f"urn:uuid:{resource['id']}", "resource": resource} for resource in resources],
    }


def to_json(bundle: Resource) -> str:
    """Bundle 的文字。FHIR 的小数要照印着的位数（5.10 不是 5.1），json 自己只会写浮点数。"""
    # 文字都经过 _plain，里面没有控制字符，不会与数混淆
    text = json.dumps(bundle, ensure_ascii=False, default=lambda number: f"\0{number:f}\0")
    return re.sub(r'"\\u0000([-0-9.]+)\\u0000"', r"\1", text)


def _resource(resource_type: str, **fields: Any) -> Resource:
    return {"resourceType": resource_type, "id": str(uuid.uuid4()), **fields}


def _reference(resource: Resource) -> Resource:
    return {"reference": f"urn:uuid:{resource['id']}"}


def _plain(text: str) -> str:
    """FHIR 的文字里不能有的控制字符、两头的空白都去掉。"""
    return re.sub(r"[\x00-\x1f\x7f]", " ", text).strip()


def _concept(system: str, code: str, text: str) -> Resource:
    return {"coding": [{"system": f"{TERMINOLOGY}/{system}", "code": code}], "text": text}


def _printed(report: Assessment, field: OriginField) -> str:
    """页眉里的一栏；没有印为空串。"""
    return _plain(report.origin[field].value) if field in report.origin else ""


def _effective(report: Assessment) -> Resource:
    """采样的日子。只写日期：带几点的要写时区，纸上没有印。没有读到的写明不知道。"""
    if "collected" in report.origin:
        return {"effectiveDateTime": _printed(report, "collected")[:10]}
    return {"_effectiveDateTime": {"extension": [{"url": ABSENT, "valueCode": "unknown"}]}}


def _specimen(report: Assessment) -> Resource | None:
    kind = {"type": {"text": _printed(report, "specimen")}} if "specimen" in report.origin else {}
    received = {"receivedTime": _printed(report, "received")[:10]} if "received" in report.origin else {}
    return _resource("Specimen", **kind, **received) if kind or received else None


def _is_of(analyte: Analyte | None, specimen: str) -> bool:
    """印着的标本与指标的对得上；没有印、目录不认识的不算对不上。一张单子上几种标本的，只印着一种。"""
    return not (specimen and analyte) or analyte.specimen in possible_specimens(specimen, "", "")


def _observation(item: Finding, fits_specimen: bool) -> Resource:
    printed_unit = item.observation.unit
    loinc = to_loinc(item.analyte, printed_unit, item.value) if fits_specimen else None
    names = [_plain(item.name), _plain(item.code)]
    code: Resource = {"text": f"{names[0]}（{names[1]}）" if all(names) else "".join(names) or "（没有读出名称）"}
    if loinc:
        code["coding"] = [{"system": LOINC, "code": loinc}]
    unit = _unit(printed_unit, loinc, item.analyte)
    observation = _resource(
        "Observation",
        status="preliminary",
        category=[_concept("observation-category", "laboratory", "检验")],
        code=code,
        **(_absent("读数没有把握，见说明") if _is_doubted(item) else _value(item.result, item.value, unit)),
    )
    if item.reference_range.strip():
        observation["referenceRange"] = [_reference_range(item.reference_range, item.observation.interval, unit)]
    if item.flag != "unknown":
        is_grave = item.severity == "grave"  # 医院自己标了危急的也算
        meaning = _CRITICAL.get(item.flag, "AA") if is_grave else _INTERPRETATIONS[item.flag]
        observation["interpretation"] = [_concept("v3-ObservationInterpretation", meaning, FLAG_WORDS[item.flag])]
    notes = _notes(item)
    if notes:
        observation["note"] = [{"text": note} for note in notes]
    return observation


def _is_doubted(item: Finding) -> bool:
    """读懂了，而读到的可能不对：疑的是数，或本来比得出高低、因为标记、单位、别的行不符才没有判断。"""
    if item.value is None or item.severity:
        return False
    is_comparable = item.interval is not None and compare(item.value, item.interval) != "unknown"
    return item.doubts_value or (item.flag == "unknown" and is_comparable)


def _absent(why: str) -> Resource:
    return {"dataAbsentReason": _concept("data-absent-reason", "unknown", why)}


def _notes(item: Finding) -> list[str]:
    notes = [item.note] if item.note else []
    if _is_doubted(item):
        notes.append(f"读到的是 {item.result} {item.unit}".strip() + "，请核对原件")
    if item.alarm:
        notes.append(item.alarm)
    if item.observation.row.corrected:
        notes.append("这一行由人照原件核对、改正过")
    if item.range_source == "catalogue" and item.flag != "unknown":
        notes.append(f"报告没有印参考范围，按指标目录的 {item.applied_range} 判断")
    if item.mark and item.mark != UNREAD_MARK:
        notes.append(f"报告上印的标记：{item.mark}")
    if item.other_reading:
        notes.append(f"另一个读者读到：{item.other_reading}")
    return [plain for note in notes if (plain := _plain(note))]


def _unit(printed: str, loinc: str | None, analyte: Analyte | None) -> Resource:
    """Quantity 里的单位：印着的照写；有 UCUM 代码的另给代码。"""
    code = quantity_unit(printed, loinc, analyte)
    coded = {"system": UCUM, "code": code} if code else {}
    return ({"unit": _plain(printed)} if printed.strip() else {}) | coded


def _value(printed: str, result: Value | None, unit: Resource) -> Resource:
    """结果 -> value[x]：一个数、一段、滴度、定性的词；解析不了的照抄文字；没有读到的说没有。"""
    if not printed.strip():
        return _absent("没有读到结果")
    if isinstance(result, QualitativeResult):
        answer = _ANSWERS.get(result.words[0]) if len(result.words) == 1 and not result.grade else None
        coding = {"coding": [{"system": LOINC, "code": answer[0], "display": answer[1]}]} if answer else {}
        return {"valueCodeableConcept": coding | {"text": _plain(printed)}}
    if result is None or result.word or (result.is_titre and not result.is_point):
        return {"valueString": _plain(printed)}
    low, high = result.low, result.high
    if result.is_titre:
        return {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": low}}}
    if result.is_point:
        return {"valueQuantity": {"value": low} | unit}
    if result.is_bounded:
        return {"valueRange": {"low": {"value": low} | unit, "high": {"value": high} | unit}}
    comparator = ("<" if result.high_open else "<=") if low is None else (">" if result.low_open else ">=")
    return {"valueQuantity": {"value": high if low is None else low, "comparator": comparator} | unit}


def _reference_range(printed: str, interval: ReferenceRange | None, unit: Resource) -> Resource:
    """印着的参考范围；两端都不含糊的一段另写成数。"""
    written: Resource = {"text": _plain(printed)}
    if isinstance(interval, Interval) and not (interval.is_titre or interval.word):
        if interval.low is not None and not interval.low_open:
            written["low"] = {"value": interval.low} | unit
        if interval.high is not None and not interval.high_open:
            written["high"] = {"value": interval.high} | unit
    return written


def _provenance(observation: Resource, item: Finding, device: Resource, recorded: datetime) -> Resource:
    """这一行从哪里来：软件从照片的哪一块读的，或人照着哪一块改正的。

    位置用 W3C Media Fragments 的写法；图片没有保存，不能再取。
    """
    places = [
        f"page={item.page}&xywh=pixel:{x0},{y0},{max(0, x1 - x0)},{max(0, y1 - y0)}"
        for x0, y0, x1, y1 in item.boxes.values()
    ]
    places = places or [f"page={item.page}"]
    return _resource(
        "Provenance",
        target=[_reference(observation)],
        recorded=recorded.isoformat(timespec="seconds"),
        agent=[_agent(item, device)],
        entity=[
            {
                "role": "source",
                "what": {
                    "identifier": {"system": "https://www.w3.org/TR/media-frags/", "value": place},
                    "display": "化验单的照片（没有保存）",
                },
            }
            for place in places
        ],
    )


def _agent(item: Finding, device: Resource) -> Resource:
    """谁写下这一行：人改正过的就是人，从不说是软件识别的。没有记录是谁。"""
    if item.observation.row.corrected:
        who = {"display": "核对这份结果的人（没有记录姓名）"}
        return {"type": _concept("provenance-participant-type", "enterer", "人工改正"), "who": who}
    return {"type": _concept("provenance-participant-type", "assembler", "软件识别"), "who": _reference(device)}
