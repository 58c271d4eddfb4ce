"""这一行是目录里的哪一项：名称、代号、单位、标本与印着的范围一起看，分不清的不猜。"""

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import log
from typing import get_args

from health_assistant.lab_report.catalogue import Analyte, Index, build_index, fold_code, fold_name, load_catalogue
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value, intervals_of
from health_assistant.lab_report.specimen import (
    Specimen,
    is_daily_protein,
    is_unusual,
    is_venous_gas,
    is_whole_blood_element,
    may_be_whole_blood,
    possible_specimens,
    says_element,
    timed_glucose,
)
from health_assistant.lab_report.units import fold_unit, is_only_for_blood, is_per_microlitre, kind_of_unit

_CLEARLY_NEARER = 1.5
"""印着的范围与另一个同名指标的相近到这个倍数以上，才当作那一个。"""
_SERUM_LIKE = 1.15
"""印着的范围与血清的相差在这个倍数以内，是血清的：全血的钙约低三成，镁高近一倍，铁、锌高十倍以上。"""
_CODE = r"[\[(（]?(?P<code>[A-Za-z][\w%#+-]*?)[\])）]?"
_WITH_CODE = (
    re.compile(rf"(?P<name>.*[一-鿿)）])[-/:：_\s]*{_CODE}", re.ASCII),
    re.compile(rf"(?P<name>.*?[一-鿿].*?)[-/:：_\s]+{_CODE}", re.ASCII),
    re.compile(rf"{_CODE}[-/:：_\s]*(?P<name>[α-ω一-鿿].*)", re.ASCII),
)
_SAYS_SERUM = re.compile(r"血清|血浆|总钙")
_INFECTION_TITLE = re.compile(r"传染|梅毒|术前|免疫|输血前|性病|感染|病毒|抗体|优生|TORCH", re.IGNORECASE)


@dataclass(frozen=True)
class _Clues:
    """一行里看得出是哪一项的：名称、代号、单位、报告名，和解析过的参考范围（没有、看不懂为 None）。"""

    name: str
    abbreviation: str
    unit: str
    report_type: str
    interval: ReferenceRange | None
    has_range: bool
    value: Value | None = None

    def number(self, analyte: Analyte) -> Decimal | None:
        """结果换成这一项的单位；不是数、换不了为 None。"""
        low = self.value.low if isinstance(self.value, Interval) else None
        return None if low is None else analyte.convert(low, self.unit or analyte.unit)

    def distance(self, analyte: Analyte) -> float | None:
        """印着的范围与这一项的相差几倍（取对数）；比不了为 None。"""
        return range_distance(analyte, self.unit, self.interval)

    def distances(self, analytes: list[Analyte]) -> list[tuple[float, Analyte]]:
        """比得了的几项，每一项相差多少；不排序。"""
        return [(gap, one) for one in analytes if (gap := self.distance(one)) is not None]


def find_analyte(
    name: str,
    abbreviation: str,
    unit: str,
    report_type: str = "",
    interval: ReferenceRange | None = None,
    has_range: bool = False,
    value: Value | None = None,
) -> Analyte | None:
    """在目录里找这一行对应的指标；名称优先，名称不认识时代号与单位都对上才算。

    `report_type` 用来分辨标本：尿液里的“葡萄糖”不是血糖，脑脊液等目录里没有的标本一律返回 None。
    名称、单位都相同的几项（总钙与离子钙）由印着的范围分辨：`interval` 是解析过的，`has_range` 是印了而也许没有看懂。
    `value` 是解析过的结果，只用来看一个数会不会是全血的。分不清的返回 None。
    """
    if not abbreviation:
        name, abbreviation = _split_code(name)
    clues = _Clues(name, abbreviation, unit, report_type, interval, has_range, value)
    specimens = possible_specimens(report_type, name, unit)
    if glucose := timed_glucose(name, abbreviation, unit, report_type) if "blood" in specimens else None:
        analyte = _fitting_entry(glucose, unit)
    elif is_unusual(name, unit):
        analyte = _find_unusual(clues, specimens)
    else:
        analyte = _find_usual(clues, specimens)
        if analyte is None and specimens == ("blood",) and "培养" not in report_type:
            analyte = _find_elsewhere(name, unit)
    analyte = _of_other_specimen(analyte, clues, specimens) or analyte
    if analyte and analyte.twins:
        analyte = _right_twin(analyte, clues)
    if analyte and analyte.code in ("UREA", "BUN") and fold_unit(unit) == "mg/dl":
        analyte = _by_code()["BUN" if _is_nitrogen(clues) else "UREA"]
    if analyte is None or is_venous_gas(report_type, name, analyte.code, clues.number(analyte)):
        return None
    return None if _is_another_kind(analyte, clues) else analyte


def _split_code(name: str) -> tuple[str, str]:
    """名称、代号印在一起的（`钾 K`、`WBC白细胞计数`）：分开以后说的是同一项才分，不然原样与空串。"""
    names, codes = _index()
    for found in () if is_known_name(name) else filter(None, (pattern.fullmatch(name) for pattern in _WITH_CODE)):
        bare, code = fold_name(found["name"]), fold_code(found["code"])
        named = [(place, one) for place in get_args(Specimen) for one in names.get((place, bare), [])]
        if any(one in codes.get((place, code), []) for place, one in named):
            return found["name"], found["code"]
    return name, ""


def _is_another_kind(found: Analyte, clues: _Clues) -> bool:
    """不是目录里的这一项：全血的微量元素（目录里是血清的），或以 mg/L 计的白蛋白、总蛋白（是尿、脑脊液的）。"""
    if is_whole_blood_element(found.code, clues.report_type, clues.unit) and not _SAYS_SERUM.search(clues.name):
        gap, number = clues.distance(found), clues.number(found)
        if number is not None and not may_be_whole_blood(found.code, number):
            return False
        return says_element(found.code, clues.report_type) if gap is None else gap > log(_SERUM_LIKE)
    in_urine = _index()[0].get(("urine", fold_name(clues.name)), []) if found.code in ("ALB", "TP") else []
    return not found.knows_unit(clues.unit) and any(one.knows_unit(clues.unit) for one in in_urine)


def _is_nitrogen(clues: _Clues) -> bool:
    """mg/dL 的尿素与尿素氮相差一倍多，名称常混着印：上限尿素氮 20 左右、尿素 45；没有印范围的看有没有“氮”、BUN。"""
    high = clues.interval.high if isinstance(clues.interval, Interval) else None
    if high is not None and high <= 60:  # 更大的不像哪一个的
        return high < 32
    return bool(re.search(r"氮|BUN|nitrogen", clues.name + clues.abbreviation, re.IGNORECASE))


def _of_other_specimen(found: Analyte | None, clues: _Clues, specimens: tuple[Specimen, ...]) -> Analyte | None:
    """报告名说是尿，而印着的范围分明是血的（或反过来）：是另一种标本的那一项；不是则为 None。"""
    if specimens not in (("blood",), ("urine",)) or clues.interval is None or "尿" in clues.name:
        return None
    other = _find_usual(clues, ("urine",) if specimens == ("blood",) else ("blood",))
    gap = clues.distance(other) if other else None
    if gap is None or gap > log(1.3):
        return None
    own = clues.distance(found) if found else None
    return other if own is None or own - gap > log(3) else None


def _find_usual(clues: _Clues, specimens: tuple[Specimen, ...]) -> Analyte | None:
    name, abbreviation, unit = clues.name, clues.abbreviation, clues.unit
    names, codes = _index()
    by_code = [one for specimen in specimens for one in codes.get((specimen, fold_code(abbreviation or name)), [])]
    # 有的名称含字母，读的人可能把字母当成了代号：总 + T3，ABO + 血型
    spellings = (name or abbreviation, name + abbreviation, abbreviation + name)
    pools = ([one for place in specimens for one in names.get((place, fold_name(each)), [])] for each in spellings)
    by_name = next(filter(None, pools), [])
    if is_per_microlitre(unit):
        by_name, by_code = (_blood_or_sediment(pool, clues, specimens) for pool in (by_name, by_code))
    if len(by_name) == 1 and not _is_foreign(by_name[0], unit):
        return by_name[0]
    if not unit and (nearest := _nearest(by_name or by_code, clues)):
        return nearest
    if len(by_name) > 1:
        # 同名的指标（中性粒细胞的绝对值与百分比）由单位分辨，代号也对得上的在先，单位没印时只由代号
        with_code = [one for one in by_name if one in by_code]
        agreeing = _fitting(with_code, unit) if abbreviation else []
        matches = agreeing or _fitting(by_name, unit) or with_code or _fitting(by_code, unit)
    else:
        matches = _fitting(by_code, unit)
        if not unit and len(matches) < len(by_code) and not _INFECTION_TITLE.search(clues.report_type):
            # 没有单位的缩写：TP 是总蛋白还是梅毒；只有一种意思、范围也像的才算（肌钙蛋白各家方法不同，没有可比的范围）
            only = by_code[0] if len(by_code) == 1 else None
            fits = only and (not clues.has_range or not only.known_intervals or implied_unit(only, clues.interval))
            return only if fits else None
    return _choose(matches, clues)


def _find_elsewhere(name: str, unit: str) -> Analyte | None:
    """报告类型没有读到时，血里没有的名称（比重、虫卵）：只有一种标本有它，就是那一种。"""
    named = [one for place in ("urine", "stool") for one in _index()[0].get((place, fold_name(name)), [])]
    found = [one for one in named if not unit or one.knows_unit(unit)]
    return found[0] if len(found) == 1 else None


def _choose(matches: list[Analyte], clues: _Clues) -> Analyte | None:
    """名称与单位都合的几项里的一项；分不清为 None。"""
    # 写着 twins 的那一项在先，是不是另一项后面再看
    main = [one for one in matches if all(other is one or other.code in one.twins for other in matches)]
    if len(matches) < 2 or main:
        return next(iter(main or matches), None)
    gaps = clues.distances(matches)
    specimens = [one.specimen for one in matches]
    if len({*specimens}) < len(specimens) or {"urine", "stool"} <= {*specimens} and not gaps:
        return _nearest(matches, clues)
    # 一张单子上有几种标本：范围最像的，没有范围的按先后
    if gaps:
        return min(gaps, key=lambda pair: pair[0])[1]
    return next((one for one in matches if "血气" in clues.report_type and one.specimen == "blood"), matches[0])


def _find_unusual(clues: _Clues, specimens: tuple[Specimen, ...]) -> Analyte | None:
    """24 小时尿、负荷后的结果：只认目录里正有这个名称的，和 24 小时尿蛋白。"""
    name, abbreviation, unit = clues.name, clues.abbreviation, clues.unit
    names, codes = _index()
    whole = fold_name(re.sub(r"[()（）\[\]【】]", "", name))
    exact = [one for specimen in specimens for one in names.get((specimen, whole), [])]
    if not exact and abbreviation and fold_unit(unit).endswith("/24h"):
        exact = [one for specimen in specimens for one in codes.get((specimen, fold_code(abbreviation)), [])]
    exact = [one for one in exact if one.knows_unit(unit) or not unit]
    if len(exact) != 1 and is_daily_protein(name, unit):
        return _fitting_entry("U-PRO24", unit)
    return exact[0] if len(exact) == 1 else None


def _fitting_entry(code: str, unit: str) -> Analyte | None:
    one = _by_code().get(code)
    return one if one and (not unit or one.knows_unit(unit)) else None


def _fitting(candidates: list[Analyte], unit: str) -> list[Analyte]:
    same = [one for one in candidates if one.same_unit(unit)]
    return same or [one for one in candidates if one.knows_unit(unit)]


def _is_foreign(one: Analyte, unit: str) -> bool:
    """印着的单位量的是另一类东西，这一项从来不用：单凭名称不能算。"""
    if one.specimen != "blood" and is_only_for_blood(unit):
        return True
    kind = kind_of_unit(unit)
    if not kind or one.knows_unit(unit):
        return False
    kinds = {kind_of_unit(own) for own in (one.unit, *one.other_units, *one.conversions, *one.more_units)} - {""}
    return bool(kinds) and kind not in kinds


def _blood_or_sediment(pool: list[Analyte], clues: _Clues, specimens: tuple[Specimen, ...]) -> list[Analyte]:
    """每微升的红、白细胞是血里的还是尿沉渣的，相差千倍，看范围；没有范围、报告类型也没有说，就不知道。"""
    blood = [one for one in pool if one.specimen == "blood"]
    others = [one for one in pool if one.specimen != "blood"]
    if not (blood and others):
        return pool
    gaps = [gap for gap, _ in clues.distances(blood)]
    if gaps:
        return blood if min(gaps) < log(5) else others
    return others if specimens[0] != "blood" else []


def range_distance(analyte: Analyte, unit: str, printed: ReferenceRange | None) -> float | None:
    """以 unit 计的范围与目录里这一项的相差几倍（取对数），各种人的范围里最近的；比不了为 None。"""
    intervals = [limits for limits in intervals_of(printed) if not limits.is_titre]
    usual = (*analyte.intervals, *(group.range for group in analyte.groups))
    gaps = [_gap(limits, other, analyte, unit) for limits in intervals for other in usual]
    return min((gap for gap in gaps if gap is not None), default=None)


def _gap(printed: Interval, usual: Interval, analyte: Analyte, unit: str) -> float | None:
    """两边都有界的比中点，否则比共有的一边。"""
    bounds = (printed.low, printed.high)
    low, high = (None if one is None else analyte.convert(one, unit or analyte.unit) for one in bounds)
    if None not in (low, high, usual.low, usual.high):
        pairs = [(low + high, usual.low + usual.high)]
    else:
        pairs = [(high, usual.high), (low, usual.low)]
    one, other = next(((one, other) for one, other in pairs if one and other), (None, None))
    return abs(log(one / other)) if one and other and min(one, other) > 0 else None


def _nearest(candidates: list[Analyte], clues: _Clues) -> Analyte | None:
    """印着的范围明显只像其中一项的：那一项；看不出的为 None。"""
    gaps = sorted(clues.distances(candidates), key=lambda pair: pair[0])
    if not gaps or gaps[0][0] > log(2):
        return None
    is_alone = len(gaps) == 1 or gaps[1][0] - gaps[0][0] > log(_CLEARLY_NEARER)
    return gaps[0][1] if is_alone else None


def _right_twin(one: Analyte, clues: _Clues) -> Analyte | None:
    """名称、单位都相同的另一项：印着的范围明显更像它时就是它。

    没有印范围，血气里的钙是离子钙；两项共用的名称（载脂蛋白a）与单位分不清的为 None。
    """
    twins = [twin for code in one.twins if (twin := _by_code().get(code))]
    own, gaps = clues.distance(one), clues.distances(twins)
    if own is None or not gaps:
        sharing = [twin for twin in twins if twin in _index()[0].get((twin.specimen, fold_name(clues.name)), [])]
        is_said = one.same_unit(clues.unit) or one in _index()[1].get((one.specimen, fold_code(clues.abbreviation)), [])
        if not is_said and any(twin.knows_unit(clues.unit) for twin in sharing):
            return None
        is_gas = "血气" in clues.report_type and not clues.has_range and not _SAYS_SERUM.search(clues.name)
        return next((twin for twin in twins if is_gas and twin.code == "ICA"), one)
    nearest, twin = min(gaps, key=lambda pair: pair[0])
    if _shares_a_bound(one, clues):
        return one  # 另一端多半读错了一位
    return twin if own - nearest > log(_CLEARLY_NEARER) else one


def _shares_a_bound(one: Analyte, clues: _Clues) -> bool:
    """印着的范围有一端与目录的差不到 5%。"""
    printed = clues.interval
    if not isinstance(printed, Interval):
        return False
    ends = [None if end is None else one.convert(end, clues.unit or one.unit) for end in (printed.low, printed.high)]
    return any(
        end and other and abs(end - other) <= other / 20
        for usual in one.intervals
        for end, other in zip(ends, (usual.low, usual.high), strict=True)
    )


def implied_unit(analyte: Analyte, interval: ReferenceRange | None) -> str:
    """没有印单位时，从印着的范围看这一项用的是哪个单位（压积 0.40-0.50 是 L/L）；看不出为空串。"""
    # 换算的倍数相同的（g/dL 与 g%）是一回事
    units = {analyte.convert(Decimal(1), unit): unit for unit in (*reversed(analyte.conversions), analyte.unit)}
    in_units = [(range_distance(analyte, unit, interval), unit) for unit in units.values()]
    gaps = sorted((gap, unit) for gap, unit in in_units if gap is not None)
    is_clear = gaps and gaps[0][0] < log(2) and all(gap - gaps[0][0] > log(_CLEARLY_NEARER) for gap, _ in gaps[1:])
    return gaps[0][1] if is_clear else ""


def specimens_with(name: str, abbreviation: str) -> set[Specimen]:
    """目录里哪几种标本有叫这个名称或代号的项目。"""
    names, codes = _index()
    by_name, by_code = fold_name(name), fold_code(abbreviation or name)
    return {place for place in get_args(Specimen) if (place, by_name) in names or (place, by_code) in codes}


def is_known_code(code: str) -> bool:
    """目录里有没有这个代号，不论标本。"""
    return fold_code(code) in _known()[1]


def is_known_name(name: str) -> bool:
    """目录里有没有这个名称，不论标本。"""
    return fold_name(name) in _known()[0]


@cache
def _by_code() -> dict[str, Analyte]:
    return {one.code: one for one in load_catalogue()}


@cache
def _index() -> tuple[Index, Index]:
    return build_index(load_catalogue())


@cache
def _known() -> tuple[frozenset[str], frozenset[str]]:
    names = frozenset(name for _, name in _index()[0])
    # 总T3、补体C3、免疫球蛋白G 末尾的字母是名称的一部分，单凭它不能当作代号拆开
    ends = (re.search(r"(?<=[^\x00-\x7f])[A-Z]\d*$", name) for name in names)
    tails = {fold_code(end[0]) for end in ends if end}
    return names, frozenset(code for _, code in _index()[1]) - tails
