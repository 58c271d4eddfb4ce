"""名称不全认识的一行也许是哪一项：多了几个字（`钾-急诊`）、在纸边少了一个字（`红蛋白`）、糊了认错了字、没有读出。

只用来提醒，不用来判断。
"""

import re
from math import inf, prod

from health_assistant.lab_report.catalogue import Analyte, load_catalogue
from health_assistant.lab_report.interval import Interval, ReferenceRange
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.matching import is_known_code, is_known_name
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.printed_text import fold_name
from health_assistant.lab_report.report import MIN_CONFIDENCE, NAMELESS, Severity, at_least, rank
from health_assistant.lab_report.severity import grade_value, is_impossible, told
from health_assistant.lab_report.specimen import possible_specimens
from health_assistant.lab_report.word_lists import any_of

_NEAR = 1.25
"""范围的两端都与目录的相差不到这个倍数。"""
_AS_NEAR = 1.05
"""范围与目录的相差倍数，至多是最像的一项的这么多倍，算一样像。"""
_NOT_ORDINARY = any_of("not_ordinary_blood")
"""不是平常抽的血，或者不是一个浓度：说的不是那一项，危急的界限用不上。"""
_IONS = set("钾钠钙氯")
"""名称只有一个字，别的名称里有它也算的；乳糖、果糖不是血糖。"""
_MIN_LETTERS = 3
"""英文的名称这么多个字母以上，才看别的名称里有没有这个词。"""


def alarming_if_likely(finding: Finding, person: Person, report_type: str) -> tuple[Severity, str, str] | None:
    """名称不全认识的一行，如果就是看着像的那一项，便达到了危急值（grave），或今天就要看医生（severe）：

    有多重、那一项的名称与要说的话；不是这样为 None。
    """
    if finding.analyte:
        return None
    worst: tuple[Severity, str, str] | None = None
    is_unread = finding.name == NAMELESS or finding.confidence is not None and finding.confidence < MIN_CONFIDENCE
    for likely in likely_analytes(finding.name, finding.unit, finding.interval, report_type, is_unread):
        if is_impossible(finding.value, finding.unit, likely):
            continue
        severity, way = grade_value(finding.value, finding.unit, likely, person)
        if severity and at_least(severity, "severe") and (worst is None or rank(severity) > rank(worst[0])):
            words, first_aid = told(likely.code, way, person)
            worst = severity, likely.name, first_aid + words
    return worst


def likely_analytes(
    name: str, unit: str, interval: ReferenceRange | None, report_type: str, is_unread: bool = False
) -> list[Analyte]:
    """单位与范围都一样的血液项目里，名称是 name 的一部分（或只比它多头一个字）的一项；没有的，只差一个字的几项。

    is_unread：名称没有读出、没有把握，单位与范围都一样的里面范围最像的（与一样像的）才算。名称全认识的，是因为标本不同
    （静脉血气的氧分压）才没有认作那一项，不猜。
    """
    if is_known_name(name) or is_known_code(name) or _NOT_ORDINARY.search(name):
        return []
    if not isinstance(interval, Interval) or possible_specimens(report_type, name, unit) != ("blood",):
        return []
    alike = [
        analyte
        for analyte in load_catalogue()
        if analyte.specimen == "blood"
        and analyte.knows_unit(unit)
        and any(max(_ratios(interval, usual, analyte, unit)) < _NEAR for usual in analyte.intervals)
    ]
    if is_unread:
        gaps = [
            (min(_gap(interval, usual, analyte, unit) for usual in analyte.intervals), analyte) for analyte in alike
        ]
        least = min((gap for gap, _ in gaps), default=1.0)
        return [analyte for gap, analyte in sorted(gaps, key=lambda pair: pair[0]) if gap <= least * _AS_NEAR]
    within = [analyte for analyte in alike if any(_is_within(word, name) for word in (analyte.name, *analyte.aliases))]
    if within:
        return within if len(within) == 1 else []
    return [analyte for analyte in alike if any(_is_near(word, name) for word in (analyte.name, *analyte.aliases))]


def _is_near(known: str, name: str) -> bool:
    """只差一个字的中文名称：糊了的 `血红蛋自`；果糖、血糖这样两个字的不算。"""
    known, name = fold_name(known), fold_name(name)
    wrong = sum(letter != other for letter, other in zip(known, name, strict=False))
    return not known.isascii() and len(known) == len(name) > 2 and wrong == 1


def _is_within(known: str, name: str) -> bool:
    if known.isascii():
        pattern = rf"(?<![A-Za-z]){re.escape(known)}(?![A-Za-z])"
        return len(known) >= _MIN_LETTERS and bool(re.search(pattern, name, re.IGNORECASE))
    known, name = fold_name(known), fold_name(name)
    if len(known) == 1 and known not in _IONS:
        return False
    return known in name or len(name) > 1 and known[1:] == name


def _gap(printed: Interval, usual: Interval, analyte: Analyte, unit: str) -> float:
    """两端相差的倍数相乘，一样的是 1。"""
    return prod(_ratios(printed, usual, analyte, unit))


def _ratios(printed: Interval, usual: Interval, analyte: Analyte, unit: str) -> list[float]:
    """印着的低端、高端与 usual 的相差几倍（1 以上）；有一端没有印的是无穷。"""
    ends = zip(analyte.bounds(printed, unit), (usual.low, usual.high), strict=True)
    return [float(max(own / other, other / own)) if own and other and own * other > 0 else inf for own, other in ends]
