"""几项放在一起看的组合：贫血的类型、肝损伤、乙肝两对半……内容在 patterns.yaml，由人编辑。

组合只看代码已经判断的高低，不自己比数值；要用的行没有判断，组合就不成立。只用于成人。
"""

import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Literal

from pydantic import Field, model_validator

from health_assistant.checked_yaml import Entry, check_yaml, repeated_values
from health_assistant.lab_report.catalogue import Indicator, Phrase, Sentence, load_catalogue
from health_assistant.lab_report.reference_range import ADULT_AGE_YEARS, Interval, Terms, parse_age, parse_range
from health_assistant.lab_report.report import ABNORMAL_FLAGS, LabItem, LabReport, Triage

State = Literal["high", "low", "abnormal", "normal", "positive", "negative"]
TIERS: tuple[Triage, ...] = ("none", "routine", "soon", "urgent")
"""由缓到急。"""

ReportRow = tuple[LabItem, Indicator | None]


class Pattern(Entry):
    """一个组合：什么条件下成立，说什么。"""

    id: str
    title: Phrase
    all: dict[str, State]
    any: dict[str, State] = {}
    unless: dict[str, State] = {}
    explains: dict[str, State] = {}
    common: Phrase = Field(description="填进“常见于……”，不带句号")
    says: Sentence | None = None
    action: Sentence
    red_flag: Sentence | None = None
    department: str
    tier: Triage

    @model_validator(mode="after")
    def _check(self) -> "Pattern":
        if len(self.all) + bool(self.any) < 2:
            raise ValueError("至少要有两个条件，单独一项写在指标目录里")
        if self.common.endswith("。"):
            raise ValueError("common 填在句子中间，不带句号")
        codes = {one.code for one in load_catalogue()}
        if strange := sorted({*self.all, *self.any, *self.unless, *self.explains} - codes):
            raise ValueError(f"目录里没有这些指标：{'、'.join(strange)}")
        return self

    @cached_property
    def needed(self) -> frozenset[str]:
        """缺一不可的代号。"""
        return frozenset(self.all)

    def matching(self, rows: dict[str, list[LabItem]]) -> list[LabItem] | None:
        """成立时是它解释的行（含条件里正常的行），不成立则为 None。"""
        if not all(_holds(rows, code, state) for code, state in self.all.items()):
            return None
        if self.any and not any(_holds(rows, code, state) for code, state in self.any.items()):
            return None
        for code, state in self.unless.items():
            if any(item.flag == "unknown" for item in rows.get(code, [])) or _holds(rows, code, state):
                return None
        explained = {code: state for code, state in {**self.any, **self.explains}.items() if _holds(rows, code, state)}
        return [item for code in {**self.all, **explained} for item in rows[code]]


class PatternFile(Entry):
    """patterns.yaml 的内容。"""

    version: int
    patterns: tuple[Pattern, ...]

    @model_validator(mode="after")
    def _check(self) -> "PatternFile":
        if repeated := repeated_values(one.id for one in self.patterns):
            raise ValueError(f"id 重复：{'、'.join(repeated)}")
        return self


@dataclass(frozen=True)
class Match:
    """在一张报告上成立的组合，和它解释的行。"""

    pattern: Pattern
    items: list[LabItem]


@cache
def load_patterns() -> tuple[Pattern, ...]:
    """读入 patterns.yaml。"""
    return parse_patterns(resources.files(__package__).joinpath("patterns.yaml").read_text("utf-8"))


def parse_patterns(text: str) -> tuple[Pattern, ...]:
    """文字 -> 核对过的组合；有错则 BadYaml。"""
    return check_yaml(PatternFile, text, "patterns.yaml").patterns


def find_patterns(report: LabReport, rows: list[ReportRow]) -> list[Match]:
    """成立的组合，急的在前。异常行都已被前面的解释了的，不再重复。"""
    if not _is_adult(report):
        return []
    by_code: dict[str, list[LabItem]] = {}
    for item, indicator in rows:
        if indicator:
            by_code.setdefault(indicator.code, []).append(item)
    present = set(by_code)
    possible = [one for one in load_patterns() if one.needed <= present]
    found = [Match(one, items) for one in possible if (items := one.matching(by_code)) is not None]
    chosen: list[Match] = []
    explained: set[int] = set()
    for match in sorted(found, key=lambda one: -TIERS.index(one.pattern.tier)):
        abnormal = {id(item) for item in match.items if item.flag in ABNORMAL_FLAGS}
        if not abnormal or abnormal - explained:
            chosen.append(match)
            explained |= abnormal
    return chosen


def _is_adult(report: LabReport) -> bool:
    """没有印年龄的当作成人；印了而看不懂的不当作成人。"""
    if re.search(r"儿童|新生儿|小儿|婴|儿科", report.report_type):
        return False
    years = parse_age(report.age)
    return years >= ADULT_AGE_YEARS if years is not None else not (report.age or "").strip()


def _holds(rows: dict[str, list[LabItem]], code: str, state: State) -> bool:
    """这一项的每一行（可能重复印）都是这个状态。"""
    items = rows.get(code, [])
    return bool(items) and all(_is_in(item, state) for item in items)


def _is_in(item: LabItem, state: State) -> bool:
    if state not in ("positive", "negative"):
        return item.flag == state
    limits = parse_range(item.applied_range)
    # 只有“阴性为正常”的范围才能从高低看出阴阳：表面抗体印 ≥10、竞争法印 >1 时，方向是反的
    from_zero = isinstance(limits, Interval) and limits.high is not None and limits.low in (None, 0)
    if not (from_zero or (isinstance(limits, Terms) and "阴性" in limits.words)):
        return False
    return item.flag == "normal" if state == "negative" else item.flag in ("high", "abnormal")
