"""名称不全认识的一行也许是哪一项：多了几个字（`钾-急诊`）、在纸边少了一个字（`红蛋白`）。只用来提醒，不用来判断。"""

import re

from health_assistant.lab_report.catalogue import Analyte, load_catalogue
from health_assistant.lab_report.interval import Interval, ReferenceRange
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.matching import is_known_code, is_known_name
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.printed_text import fold_name
from health_assistant.lab_report.severity import grade_value, told
from health_assistant.lab_report.specimen import possible_specimens
from health_assistant.lab_report.word_lists import any_of

_NEAR = 1.25
"""范围的两端都与目录的相差不到这个倍数。"""
_NOT_ORDINARY = any_of("not_ordinary_blood")
"""不是平常抽的血，或者不是一个浓度：说的不是那一项，危急的界限用不上。"""
_IONS = set("钾钠钙氯")
"""名称只有一个字，别的名称里有它也算的；乳糖、果糖不是血糖。"""
_MIN_LETTERS = 3
"""英文的名称这么多个字母以上，才看别的名称里有没有这个词。"""


def critical_if_likely(finding: Finding, person: Person, report_type: str) -> tuple[str, str] | None:
    """名称不全认识的一行，如果就是看着像的那一项，便达到了危急值：那一项的名称与要说的话；不是这样为 None。"""
    if finding.analyte:
        return None
    likely = likely_analyte(finding.name, finding.unit, finding.interval, report_type)
    severity, way = grade_value(finding.value, finding.unit, likely, person) if likely else (None, None)
    if severity != "grave":
        return None
    words, first_aid = told(likely.code, way, person)
    return likely.name, first_aid + words


def likely_analyte(name: str, unit: str, interval: ReferenceRange | None, report_type: str) -> Analyte | None:
    """目录里名称是 name 的一部分（或只比它多头一个字）、单位与范围都一样的血液项目；没有、不止一项为 None。

    名称全认识的，是因为标本不同（静脉血气的氧分压）才没有认作那一项，也为 None。
    """
    if is_known_name(name) or is_known_code(name) or _NOT_ORDINARY.search(name):
        return None
    if not isinstance(interval, Interval) or possible_specimens(report_type, name, unit) != ("blood",):
        return None
    found = [
        analyte
        for analyte in load_catalogue()
        if analyte.specimen == "blood"
        and analyte.knows_unit(unit)
        and any(_is_alike(interval, usual, analyte, unit) for usual in analyte.intervals)  # 比名称快得多，所以在先
        and any(_is_within(spelling, name) for spelling in (analyte.name, *analyte.aliases))
    ]
    return found[0] if len(found) == 1 else None


def _is_within(known: str, name: str) -> bool:
    if known.isascii():
        pattern = rf"(?<![A-Za-z]){re.escape(known)}(?![A-Za-z])"
        return len(known) >= _MIN_LETTERS and bool(re.search(pattern, name, re.IGNORECASE))
    known, name = fold_name(known), fold_name(name)
    if len(known) == 1 and known not in _IONS:
        return False
    return known in name or len(name) > 1 and known[1:] == name


def _is_alike(printed: Interval, usual: Interval, analyte: Analyte, unit: str) -> bool:
    """印着的两端都与 usual 的相近；有一端没有印的不算。"""
    ends = zip(analyte.bounds(printed, unit), (usual.low, usual.high), strict=True)
    return all(own and other and 1 / _NEAR < float(own / other) < _NEAR for own, other in ends)
