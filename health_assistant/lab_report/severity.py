"""一个异常的结果有多要紧：severity.yaml 的分级表，表里没有的用一条一般规则。

分级只看数（或定性词）、单位、这个人是谁，从不看模型怎么说。表里每一行都写着来源；不知道的不分级。
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache, cached_property
from math import inf
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from health_assistant.checked_yaml import Entry, read_yaml, refuse
from health_assistant.lab_report.catalogue import Age, Analyte, Bounds, Direction, Number, Sentence, analytes_by_code
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value, intervals_of
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.presence import asserts
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reference_range import parse_result
from health_assistant.lab_report.report import SEVERITIES, Flag, Severity, rank, worst
from health_assistant.lab_report.unlisted import Measured, Specimen

SLIGHT_WIDTH = Decimal("0.25")
"""一般规则：超出的部分不到两边有界的范围宽度的四分之一，算轻微；大人血里的低到一半以下不算（范围宽的）。

参考范围是健康人的中间 95%（宽约 3.92 个标准差）；再宽四分之一，健康人里一项只有千分之三在外，二十项的单子约百分之六。
"""
SLIGHT_ONE_SIDED = Decimal("0.1")
"""一般规则：只有一边有界（含从 0 起）的，超出界限的十分之一以内算轻微。"""
FAR_OUT = 5
"""一般规则：目录里没有的，到了上限的 5 倍、下限的五分之一，或三个加号，不等几周（CTCAE 多以上限的 5 倍为 3 级）。"""
RCV_FACTOR = Decimal("2.77")
"""参考变化值 RCV = 2.77 × √(CVi² + CVa²)，95% 双侧（Fraser 2001）；CVa 取合格的上限，CVi 的一半。"""


@dataclass(frozen=True)
class Step:
    """一级从哪里起：绝对的数、参考界限的几倍，或几个词。"""

    at: Decimal | None = None
    multiple: Decimal | None = None
    words: tuple[QualitativeResult, ...] = ()


def _step(raw: Any) -> Step:
    if isinstance(raw, list):
        parsed = [parse_result(str(text)) for text in raw]
        words = tuple(word for word in parsed if isinstance(word, QualitativeResult))
        if not raw or len(words) < len(raw):
            raise ValueError(f"定性词要写成列表，而不是 {raw!r}")
        return Step(words=words)
    parts = re.fullmatch(r"(-?\d+(?:\.\d+)?)(×?)", raw) if isinstance(raw, str) else None
    if not parts:
        raise ValueError(f'要写成带引号的数 "5.5"、倍数 "3×" 或一列词，而不是 {raw!r}')
    number = Decimal(parts[1])
    return Step(multiple=number) if parts[2] else Step(at=number)


OptionalStep = Annotated[Step | None, BeforeValidator(_step)]


class GradeLine(Entry):
    """分级表的一行：一个指标、一个方向、一群人。到了（含）哪一步就是哪一级。"""

    code: str
    way: Direction
    who: Literal["任何人", "成人", "不在孕期的成人", "儿童", "新生儿", "孕妇", "产后", "成年男", "男", "透析病人"]
    start: Age = Field(0.0, alias="from")
    below: Age = inf
    specimen: str
    unit: str = ""
    moderate: OptionalStep = None
    marked: OptionalStep = None
    severe: OptionalStep = None
    grave: OptionalStep = None
    say: Sentence | None = None
    first_aid: Sentence | None = None
    source: tuple[str, ...]
    confidence: Literal["A", "B", "C"]

    def fits(self, person: Person) -> bool:
        """用不用于这个人。年龄印了而没有看懂的人，成人与儿童的都用：漏掉急症比虚惊更坏。"""
        is_unclear = person.age_unclear and self.who in ("成人", "不在孕期的成人", "儿童")
        # 只写“新生儿”的不知道是第几天，分日龄的行不用
        is_of_age = self.below == inf or (bool(person.age_years) and self.start <= person.age_years < self.below)
        return is_of_age and (is_unclear or person.fits(self.who))

    @cached_property
    def steps(self) -> tuple[tuple[Severity, Step], ...]:
        """由轻到重。"""
        return tuple((name, step) for name in SEVERITIES if (step := getattr(self, name, None)))

    @model_validator(mode="after")
    def _check(self) -> "GradeLine":
        if not self.steps:
            raise ValueError("一级也没有写")
        if any(bool(step.words) != (self.way == "abnormal") for _, step in self.steps):
            raise ValueError("way 是 abnormal 时写词，是 high、low 时写数")
        for kind in ("at", "multiple"):
            numbers = [number for _, step in self.steps if (number := getattr(step, kind)) is not None]
            if numbers != sorted(set(numbers), reverse=self.way == "low"):
                raise ValueError(f"各级要一级比一级重：{'、'.join(map(str, numbers))}")
        if self.grave and self.confidence == "C":
            raise ValueError("危急（grave）的界限要有可核对的来源，confidence 不能是 C")
        return self


class Variation(Entry):
    """个体内的生物学变异，百分数。"""

    cvi: Number
    source: str

    @property
    def change_value(self) -> Decimal:
        """参考变化值，是界限的几分之几（如 0.3）。"""
        return RCV_FACTOR * (self.cvi**2 + (self.cvi / 2) ** 2).sqrt() / 100


class SeverityFile(Entry):
    """severity.yaml 的内容。"""

    version: int
    sources: dict[str, str]
    grades: tuple[GradeLine, ...]
    variation: dict[str, Variation]
    cutoffs: frozenset[str]
    wide: frozenset[str]
    possible: dict[str, Bounds] = {}
    """活着的人可能有的值，用目录的单位；之外的多半是读错了。"""
    specimens: dict[str, Specimen] = {}
    measured: tuple[Measured, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "SeverityFile":
        catalogue = analytes_by_code()
        named = (
            {line.code for line in self.grades} | set(self.variation) | self.cutoffs | self.wide | set(self.possible)
        )
        refuse("目录里没有这些指标", named - catalogue.keys())
        cited = {source for line in self.grades for source in line.source}
        cited |= {source for measured in self.measured for source in measured.source}
        cited |= {variation.source for variation in self.variation.values()}
        cited |= {specimen.source for specimen in self.specimens.values()}
        refuse("sources 里没有这些来源", cited - self.sources.keys())
        for line in self.grades:
            if line.way != "abnormal" and line.unit and not catalogue[line.code].same_unit(line.unit):
                raise ValueError(f"“{line.code}”的单位 {line.unit} 不是目录的 {catalogue[line.code].unit}")
        return self

    @cached_property
    def by_code(self) -> dict[str, list[GradeLine]]:
        """代号 -> 分级表里它的各行。"""
        lines: dict[str, list[GradeLine]] = {}
        for line in self.grades:
            lines.setdefault(line.code, []).append(line)
        return lines


@cache
def load_severity() -> SeverityFile:
    """读入 severity.yaml；有错则 BadYaml。"""
    return read_yaml(SeverityFile, Path(__file__).with_name("severity.yaml"))


def lines_for(code: str, way: str, person: Person) -> list[GradeLine]:
    """用于这个人的各行。没有专写新生儿的，用儿童的；也没有儿童的，用成人的：不知道界限，不等于不要紧。"""
    lines = [line for line in load_severity().by_code.get(code, ()) if line.way == way]
    fitting = [line for line in lines if line.fits(person)]
    fitting = [line for line in fitting if line.who == "透析病人"] or fitting
    if fitting or not person.is_minor:
        return fitting
    return [line for line in lines if line.who == "儿童"] or [line for line in lines if line.who == "成人"]


def span_of(interval: ReferenceRange | None) -> Interval | None:
    """算“几倍上限”用的区间；分男女而性别不知道的，取最宽的。不是数的为 None。"""
    spans = intervals_of(interval)
    if len(spans) < 2:
        return spans[0] if spans else None
    lows, highs = [span.low for span in spans], [span.high for span in spans]
    return Interval(None if None in lows else min(lows), None if None in highs else max(highs))


def can_be_grave(analyte: Analyte, person: Person) -> bool:
    """表里有没有这一项的危急的界限。"""
    return any(line.grave for way in ("high", "low") for line in lines_for(analyte.code, way, person))


def grade_value(
    result: Value | None,
    unit: str,
    analyte: Analyte,
    person: Person,
    span: Interval | None = None,
    of_special_people: bool = False,
) -> tuple[Severity | None, Direction | None]:
    """只由结果自己分级：到了表里的哪一级（moderate 起），在哪一边。都没有到，或单位换不了，为 (None, None)。

    `span` 是可信的参考范围，“几倍上限”的级要用它，单位与结果相同；没有就只看绝对的界限。
    `of_special_people` 时只看专为孕妇、某个日龄的新生儿写的行：印着的范围多半没有管到他们。
    """
    reached: list[tuple[Severity, Direction]] = []

    def lines_of(way: Direction) -> list[GradeLine]:
        lines = lines_for(analyte.code, way, person)
        return [line for line in lines if line.who == "孕妇" or line.below < inf] if of_special_people else lines

    if isinstance(result, QualitativeResult):
        for line in lines_of("abnormal"):
            reached += [(name, "abnormal") for name, step in line.steps if _says(result, step.words)]
    elif isinstance(result, Interval) and not result.is_titre:
        # “>8.0” 至少是 8.0；“<0.01” 至多是 0.01
        bounds: tuple[tuple[Direction, Decimal | None], ...] = (("high", result.low), ("low", result.high))
        for way, bound in bounds:
            for line in lines_of(way) if bound is not None else ():
                reached += [(name, way) for name, step in line.steps if _reaches(way, bound, step, unit, analyte, span)]
    return max(reached, key=lambda step: rank(step[0]), default=(None, None))


def _reaches(way: Direction, bound: Decimal, step: Step, unit: str, analyte: Analyte, span: Interval | None) -> bool:
    if step.at is not None:
        value, edge = analyte.convert(bound, unit), step.at
    else:
        limit = span and (span.high if way == "high" else span.low)
        value, edge = (bound, limit * step.multiple) if limit else (None, step.multiple)
    if value is None:
        return False
    return value >= edge if way == "high" else value <= edge


def _says(result: QualitativeResult, words: tuple[QualitativeResult, ...]) -> bool:
    """结果是不是这些词之一；`2+` 含更多的加号，阳性没有印加号的当作 1+；“柏油样便”里有“柏油样”。"""
    for word in words:
        if result.amount and word == QualitativeResult(("阳性",)):
            return True
        if word.grade and result.words == word.words:
            if (result.grade or 1) >= word.grade:
                return True
        elif result.words == word.words or (not word.is_graded and asserts(result.words[0], word.words[0])):
            return True
    return False


def grade_deviation(
    result: Value, interval: ReferenceRange | None, flag: Flag, unit: str, analyte: Analyte | None, person: Person
) -> Severity:
    """一个异常的行有多要紧。先看表；表没有说的，由离参考范围多远得出。

    输入的 `interval` 与结果单位相同；`flag` 是与它比出来的方向。返回五级之一。
    """
    if flag == "abnormal" and isinstance(result, Interval):
        result = QualitativeResult(("阳性",))  # 滴度 1:32 对阴性
    tabled = lines_for(analyte.code, flag, person) if analyte else []
    span = span_of(interval)
    by_table = None
    if analyte:
        by_table, way = grade_value(result, unit, analyte, person, span)
        by_table = by_table if way in (flag, "abnormal") or flag == "abnormal" else None
    decides_alone = any(line.moderate for line in tabled) and _is_comparable(result, unit, analyte, span, tabled)
    generic = "slight" if decides_alone else _generic(result, span, flag, analyte, person.is_minor)
    if analyte and analyte.code in load_severity().cutoffs and generic == "slight" and by_table is None:
        generic = "moderate"
    return worst([by_table, generic]) or "moderate"


def _is_comparable(result: Value, unit: str, analyte: Analyte, span: Interval | None, lines: list[GradeLine]) -> bool:
    """表里的第一级能不能与这个结果比：单位换得了，或有范围可以算倍数。"""
    if isinstance(result, QualitativeResult):
        return True
    firsts = [line.moderate for line in lines if line.moderate]
    absolute = analyte.convert(Decimal(1), unit) is not None
    way = lines[0].way
    limit = span and (span.high if way == "high" else span.low)
    return any(absolute if first.at is not None else bool(limit) for first in firsts)


def _generic(result: Value, span: Interval | None, flag: Flag, analyte: Analyte | None, is_child: bool) -> Severity:
    if result == QualitativeResult(("弱阳性",)) and analyte and analyte.specimen == "urine":
        return "slight"  # 尿干化学的 ± 多是浓缩、污染
    if not isinstance(result, Interval) or span is None or result.is_titre:
        is_strong = analyte is None and isinstance(result, QualitativeResult) and (result.grade or 0) >= 3
        return "marked" if is_strong else "moderate"
    value, limit = (result.low, span.high) if flag == "high" else (result.high, span.low)
    if value is None or limit is None:
        return "moderate"
    ratio = (value, limit) if flag == "high" else (limit, value)
    if analyte is None and limit > 0 and ratio[0] >= FAR_OUT * ratio[1]:
        return "marked"
    is_twice = limit > 0 and not (is_child or analyte and analyte.specimen != "blood") and ratio[0] >= 2 * ratio[1]
    return "slight" if not is_twice and abs(value - limit) <= _slight_excess(span, limit, analyte) else "moderate"


def _slight_excess(span: Interval, limit: Decimal, analyte: Analyte | None) -> Decimal:
    """超出多少以内算轻微，单位同 `span`：一般规则与参考变化值里宽的一个。"""
    two_sided = span.is_bounded and span.low != 0
    general = SLIGHT_WIDTH * (span.high - span.low) if two_sided else SLIGHT_ONE_SIDED * abs(limit)
    variation = load_severity().variation.get(analyte.code) if analyte else None
    return max(general, variation.change_value * abs(limit)) if variation else general


def is_impossible(result: Value | None, unit: str, analyte: Analyte) -> bool:
    """这个数活着的人不会有；不是数、单位换不了、表里没有的不知道，为 False。"""
    span = load_severity().possible.get(analyte.code)
    if span is None or not isinstance(result, Interval) or not result.is_point:
        return False
    value = analyte.convert(result.low, unit)
    return value is not None and not span.low <= value <= span.high


def special_specimen(title: str, name: str, value: Value | None, flag: Flag, printed: str = "") -> Specimen | None:
    """报告名或项目名说的，目录里没有而要紧的标本、毒物、传染病，如脑脊液。

    “至多这么要紧”的说的是查出来的（得过病留下的抗体），结果 `value` 是阴性的用不上。`printed` 是印着的结果连同单位。
    """
    return next(
        (
            specimen
            for word, specimen in load_severity().specimens.items()
            if re.search(word, f"{title} {name}", re.IGNORECASE)
            and specimen.covers(name, printed)
            and specimen.speaks_of(flag, value == QualitativeResult(("阴性",)))
        ),
        None,
    )


def measured_as(name: str, person: Person) -> list[Measured]:
    """项目名说的量出来的数（血压、体温），用于这个人的各条；不是这样的为空。"""
    return [measured for measured in load_severity().measured if measured.names(name) and measured.fits(person)]


def is_measured(name: str) -> bool:
    """项目名说的是量出来的数（血压、身高）。"""
    return any(measured.names(name) for measured in load_severity().measured)


def told(code: str, way: str | None, person: Person, value: Value | None = None) -> tuple[str, str]:
    """表里为这一项在 way 这一边写的：要说的一句，先做什么；没有写的是空串。最贴近这个人的（写在后面的）优先。"""
    lines = lines_for(code, way, person)[::-1] if way else []
    if isinstance(value, QualitativeResult):  # 大便发白说的话与便血的不同
        lines = [line for line in lines if any(_says(value, step.words) for _, step in line.steps)] or lines
    said = next((line.say for line in lines if line.say), "")
    return said, next((line.first_aid for line in lines if line.first_aid), "")
