"""几项放在一起看的组合：贫血的类型、肝损伤、乙肝两对半……内容在 patterns.yaml，由人编辑。

组合只看代码已经判断的高低与轻重，写着“low 109”的才看数；要用的行没有判断，组合就不成立。
"""

import re
from collections.abc import Set
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BeforeValidator, Field, InstanceOf, model_validator

from health_assistant.checked_yaml import Entry, read_yaml, refuse, repeated_values
from health_assistant.lab_report.catalogue import Phrase, Sentence, analytes_by_code
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.person import Person, Spoken, SpokenTo
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.report import ABNORMAL_FLAGS, SEVERITIES, Severity, at_least, rank, worst
from health_assistant.lab_report.specimen import is_earlier
from health_assistant.lab_report.word_lists import any_of

State = Literal["high", "low", "abnormal", "normal", "present", "positive", "negative"]

_COMPLAINT = re.compile("主诉|症状|病情|(?:临床|初步|入院)诊断")
_NOT_NOW = any_of("not_now")
"""不是现在哪里不好：别的东西的名字、从前的、从否认的词起的一句。"""


@dataclass(frozen=True)
class Condition:
    """一行要怎样：高低，和至少多重（不写就不问轻重），或至多是多少（目录的单位）。"""

    state: State
    floor: Severity | None = None
    most: Decimal | None = None

    def holds(self, findings: list[Finding], is_urgent: bool = False) -> bool:
        """这一项的每一行（可能重复印）都是这样；没有这一项则不是。今天就要看的，先后抽了几回的有一回异常就算。"""
        rows = [_is_in(finding, self.state) and self._is_grave_enough(finding) for finding in findings]
        return any(rows) if is_urgent and self.state not in ("normal", "negative") else bool(rows) and all(rows)

    def _is_grave_enough(self, finding: Finding) -> bool:
        if self.most is not None:
            value = finding.converted()
            return value is not None and value.high is not None and value.high <= self.most
        return self.floor is None or at_least(finding.severity, self.floor)


def _condition(raw: Any) -> Condition:
    state, _, floor = raw.partition(" ") if isinstance(raw, str) else ("", "", "")
    if state == "low" and re.fullmatch(r"\d+(\.\d+)?", floor):
        return Condition("low", most=Decimal(floor))
    if state not in get_args(State) or floor not in ("", *SEVERITIES):
        raise ValueError(f"条件要写成 high、low 一类，或加上至少多重，如 “high moderate”，而不是 {raw!r}")
    return Condition(cast(State, state), cast(Severity, floor) or None)


Conditions = dict[str, Annotated[InstanceOf[Condition], BeforeValidator(_condition)]]


class PatternTexts(Entry):
    """对一部分人另说的话；没有写的照一般的。"""

    who: SpokenTo
    common: Phrase | None = None
    says: Sentence | None = None
    action: Sentence | None = None
    red_flag: Sentence | None = None
    department: str | None = None


class Pattern(Spoken):
    """一个组合：什么条件下成立，说什么。"""

    id: str
    title: Phrase
    people: tuple[Literal["成人", "不在孕期的成人", "儿童", "新生儿", "孕妇", "产后"], ...] = ("成人",)
    report_type: tuple[str, ...] = ()
    """报告名里要有这些词之一；不写就不看。"""
    all: Conditions = {}
    """键写着 `CK-MB|CKMB-MASS` 的，有一项成立就算。"""
    any: Conditions = {}
    unless: Conditions = {}
    explains: Conditions = {}
    common: Phrase = Field(description="填进“常见于……”，不带句号")
    says: Sentence | None = None
    action: Sentence
    red_flag: Sentence | None = None
    department: str
    severity: Literal["none", "slight", "moderate", "marked", "severe", "grave"]
    source: str = ""
    texts: tuple[PatternTexts, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "Pattern":
        if len(self.all) + bool(self.any) + bool(self.report_type) < 2:
            raise ValueError("至少要有两个条件，单独一项写在指标目录里")
        if self.common.endswith("。"):
            raise ValueError("common 填在句子中间，不带句号")
        codes = {*"|".join(self.all).split("|"), *self.any, *self.unless, *self.explains} - {""}
        refuse("目录里没有这些指标", codes - analytes_by_code().keys())
        return self

    def may_apply(self, person: Person, report_type: str, present: Set[str]) -> bool:
        """人、报告名与有的项目合不合；项目怎样还没有看。"""
        fits_title = not self.report_type or any(word in report_type for word in self.report_type)
        is_printed = all(present & {*key.split("|")} for key in self.all)
        return is_printed and fits_title and any(map(person.fits, self.people))

    def matching(self, findings: dict[str, list[Finding]]) -> list[Finding] | None:
        """成立时是它解释的行（含条件里正常的行），不成立则为 None。"""

        def holding(conditions: Conditions, is_urgent: bool = False) -> list[str]:
            return [code for code, rule in conditions.items() if rule.holds(findings.get(code, []), is_urgent)]

        is_urgent = self.severity in ("severe", "grave")
        reached = holding(self.any, is_urgent)
        needed = [holding(dict.fromkeys(key.split("|"), rule), is_urgent) for key, rule in self.all.items()]
        if not all(needed) or (self.any and not reached):
            return None
        doubtful = any(finding.flag == "unknown" for code in self.unless for finding in findings.get(code, []))
        if holding(self.unless) or doubtful:
            return None
        if any("|" in key and met == reached for key, met in zip(self.all, needed, strict=True)):
            return None  # 几项里有一项就算的，那一项不能又是 any 的
        explained = dict.fromkeys([*chain(*needed), *reached, *holding(self.explains)])
        return [finding for code in explained for finding in findings[code]]


class PatternFile(Entry):
    """patterns.yaml 的内容。"""

    version: int
    patterns: tuple[Pattern, ...]

    @model_validator(mode="after")
    def _check(self) -> "PatternFile":
        refuse("id 重复", repeated_values(pattern.id for pattern in self.patterns))
        return self


@dataclass(frozen=True)
class Match:
    """在一张报告上成立的组合，和它解释的行。"""

    pattern: Pattern
    findings: list[Finding]

    @property
    def severity(self) -> Severity | None:
        """有多要紧：组合自己的；异常的行都只是轻微时，几周、几天内看的组合也只是轻微（两件小事还是小事）。"""
        own = None if self.pattern.severity == "none" else self.pattern.severity
        abnormal = [finding.severity for finding in self.findings if finding.flag in ABNORMAL_FLAGS]
        only_trifles = bool(abnormal) and not at_least(worst(abnormal), "moderate")
        return "slight" if own in ("moderate", "marked") and only_trifles else own

    @property
    def lowers(self) -> bool:
        """说明它解释的行没有看上去要紧。"""
        return self.pattern.severity in ("none", "slight")


@cache
def load_patterns() -> tuple[Pattern, ...]:
    """读入 patterns.yaml；有错则 BadYaml。"""
    return read_yaml(PatternFile, Path(__file__).with_name("patterns.yaml")).patterns


def find_patterns(person: Person, findings: list[Finding], report_type: str = "") -> list[Match]:
    """成立的组合，重的在前。异常行都已被前面的解释了的，不再重复。"""
    by_code: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.analyte:
            by_code.setdefault(finding.analyte.code, []).append(finding)
    said = stated(findings, report_type)
    if person.pregnant:
        said = said.replace("急诊", "")  # 抬头（门急诊检验报告单）不说明哪里不好，孕妇的 HCG 本来就高
    matches = []
    for pattern in load_patterns():
        rows = pattern.matching(by_code) if pattern.may_apply(person, said, by_code.keys()) else None
        if rows is not None:
            matches.append(Match(pattern.spoken_to(person), rows))
    chosen: list[Match] = []
    explained: set[int] = set()
    for match in sorted(matches, key=lambda match: rank(match.severity), reverse=True):
        abnormal = {id(finding) for finding in match.findings if finding.flag in ABNORMAL_FLAGS}
        if not abnormal or abnormal - explained:
            chosen.append(match)
            explained |= abnormal
    return chosen


def stated(findings: list[Finding], report_type: str) -> str:
    """报告名，连同各行里说的哪里不好；否认的、从前的不在里面。"""
    return _NOT_NOW.sub(" ", "；".join([report_type, *filter(None, map(_complaint, findings))]))


def _complaint(finding: Finding) -> str:
    """一行说的是哪里不好（主诉、诊断、大便的样子）；别的是空串。"""
    is_stool = finding.analyte is not None and finding.analyte.code in ("F-COLOR", "F-FORM")
    return f"{finding.name} {finding.result}" if is_stool or _COMPLAINT.search(finding.name) else ""


def _is_in(finding: Finding, state: State) -> bool:
    if state == "present":
        measured = finding.value if isinstance(finding.value, Interval) else None
        return bool(measured and measured.low) and not is_earlier(finding.name)
    if state not in ("positive", "negative"):
        return state in (finding.flag, finding.leaning)
    interval, value = finding.interval, finding.value
    if interval is None and isinstance(value, QualitativeResult) and not finding.doubts_value:  # 妊娠试验
        return value.words == ({"positive": "阳性", "negative": "阴性"}[state],)
    if isinstance(interval, Interval) and interval.high is None:
        # 表面抗体印 ≥10、竞争法印 >1：够高才是正常的一边。前者高是阳性，后者高是阴性，只有前者分得清
        return interval.low == 10 and finding.flag == {"positive": "normal", "negative": "low"}[state]
    # “阴性为正常”的范围才能从高低看出阴阳
    from_zero = isinstance(interval, Interval) and interval.low in (None, 0)
    if not (from_zero or (isinstance(interval, QualitativeResult) and "阴性" in interval.words)):
        return False
    return finding.flag == "normal" if state == "negative" else finding.flag in ("high", "abnormal")
