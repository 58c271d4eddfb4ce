"""这一行是目录里的哪一项：名称、代号、单位、标本与印着的范围一起看，分不清的不猜。"""

import re
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from math import log
from typing import get_args

from health_assistant.lab_report.catalogue import Analyte, analytes_by_code, load_catalogue
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value
from health_assistant.lab_report.naming import Index, bare_names, build_index
from health_assistant.lab_report.printed_text import fold_code, fold_name
from health_assistant.lab_report.range_likeness import CLEARLY_NEARER, implied_unit, nearest, range_distance
from health_assistant.lab_report.specimen import (
    Specimen,
    is_daily_protein,
    is_late_cortisol,
    is_unusual,
    is_venous_gas,
    is_whole_blood_element,
    possible_specimens,
    timed_glucose,
    without_sampling_time,
)
from health_assistant.lab_report.units import fold_unit, is_only_for_blood, is_per_microlitre, kind_of_unit

_SERUM_LIKE = 1.15
"""印着的范围与血清的相差在这个倍数以内，是血清的：全血的钙约低三成，镁高近一倍，铁、锌高十倍以上。"""
_CODE = r"[\[(（]?(?P<code>[A-Za-z][\w%#+-]*?)[\])）]?"
_WITH_CODE = (
    re.compile(rf"(?P<name>.*[一-鿿)）])[-/:：_\s]*{_CODE}", re.ASCII),
    re.compile(rf"(?P<name>.*?[一-鿿].*?)[-/:：_\s]+{_CODE}", re.ASCII),
    re.compile(rf"{_CODE}[-/:：_\s]*(?P<name>[α-ω一-鿿].*)", re.ASCII),
)
_SERUM_WORD = re.compile(r"|血清|血浆|serum|plasma", re.IGNORECASE)
_SAYS_SERUM = re.compile(r"血清|血浆|总钙|total", re.IGNORECASE)
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
        return [(gap, analyte) for analyte in analytes if (gap := self.distance(analyte)) is not None]


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
    name = without_sampling_time(name, is_known_name(name))
    whole = name
    if not (_is_listed(name) or _is_listed(abbreviation) or is_known_name(name + abbreviation)):
        name = next(filter(_is_listed, bare_names(name)), name)
    is_cut = name != whole
    if not abbreviation:
        name, abbreviation = _split_code(name)
    clues = _Clues(name, abbreviation, unit, report_type, interval, has_range, value)
    said = whole if is_cut else name  # 去掉的字里也许说着标本、时刻
    specimens = possible_specimens(report_type, said, unit)
    glucose = timed_glucose(said, abbreviation, unit, report_type) if "blood" in specimens else None
    if glucose:
        analyte = _fitting_entry(glucose, unit) or _find_usual(clues, specimens)  # 单位认错了的，也还是血糖
    elif is_unusual(said, unit):
        analyte = _find_unusual(clues, specimens)
    else:
        analyte = _find_usual(clues, specimens)
        if analyte is None and specimens == ("blood",) and unit:  # 只列在尿里的“胆红素”印着血的单位
            bare = (replace(clues, name=other, abbreviation="") for other in bare_names(name))
            analyte = next(filter(None, (_find_usual(shorter, specimens) for shorter in bare)), None)
        if analyte is None and specimens == ("blood",) and not re.search("培养|血.*镜检", report_type + name):
            analyte = _find_elsewhere(name, unit)
    analyte = _of_other_specimen(analyte, clues, specimens) or analyte
    if analyte and analyte.twins:
        analyte = _right_twin(analyte, clues)
    if analyte and analyte.code in ("UREA", "BUN") and fold_unit(unit) == "mg/dl":
        analyte = analytes_by_code()["BUN" if _is_nitrogen(clues) else "UREA"]
    number = clues.number(analyte) if analyte else None
    if analyte is None or is_venous_gas(report_type, said, analyte.code, number):
        return None
    bounds = analyte.bounds(clues.interval, unit) if isinstance(clues.interval, Interval) else (None, None)
    is_late = is_late_cortisol(analyte.code, report_type, said, bounds, number)
    return None if is_late or _is_another_kind(analyte, clues) else analyte


def _is_listed(text: str) -> bool:
    return is_known_name(text) or is_known_code(text)


def _split_code(name: str) -> tuple[str, str]:
    """名称、代号印在一起的（`钾 K`、`WBC白细胞计数`）：分开以后说的是同一项才分，不然原样与空串。"""
    for parts in () if is_known_name(name) else filter(None, (pattern.fullmatch(name) for pattern in _WITH_CODE)):
        coded = {analyte.code for analyte in _coded(parts["code"])}
        if any(analyte.code in coded for analyte in _named(parts["name"])):
            return parts["name"], parts["code"]
    names = [part.strip() for part in name.split("/") if not _SERUM_WORD.fullmatch(part.strip())]
    codes = [{analyte.code for analyte in (*_named(part), *_coded(part))} for part in names]
    if "/" in name and not is_known_name(name) and codes and set.intersection(*codes):
        return names[0], names[-1]  # `SGPT/ALT`、`钾/K+/血清` 是一项的几个名称，`AST/ALT` 是两项之比
    return name, ""


def _is_another_kind(analyte: Analyte, clues: _Clues) -> bool:
    """不是目录里的这一项：全血的微量元素（目录里是血清的），或以 mg/L 计的白蛋白、总蛋白（是尿、脑脊液的）。"""
    gap = clues.distance(analyte)
    is_like_serum = None if gap is None else gap <= log(_SERUM_LIKE)
    is_whole_blood = is_whole_blood_element(
        analyte.code, clues.report_type, clues.unit, clues.number(analyte), is_like_serum
    )
    if is_whole_blood and not _SAYS_SERUM.search(clues.name):
        return True
    in_urine = _named(clues.name, ("urine",)) if analyte.code in ("ALB", "TP") else []
    return not analyte.knows_unit(clues.unit) and any(other.knows_unit(clues.unit) for other in in_urine)


def _is_nitrogen(clues: _Clues) -> bool:
    """mg/dL 的尿素与尿素氮相差一倍多，名称常混着印：上限尿素氮 20 左右、尿素 45；没有印范围的看有没有“氮”、BUN。"""
    high = clues.interval.high if isinstance(clues.interval, Interval) else None
    if high is not None and high <= 60:  # 更大的不像哪一个的
        return high < 32
    return bool(re.search(r"氮|BUN|nitrogen", clues.name + clues.abbreviation, re.IGNORECASE))


def _of_other_specimen(analyte: Analyte | None, clues: _Clues, specimens: tuple[Specimen, ...]) -> Analyte | None:
    """报告名说是尿，而印着的范围分明是血的（或反过来）：是另一种标本的那一项；不是则为 None。"""
    if specimens not in (("blood",), ("urine",)) or clues.interval is None or "尿" in clues.name:
        return None
    other = _find_usual(clues, ("urine",) if specimens == ("blood",) else ("blood",))
    gap = clues.distance(other) if other else None
    low = clues.interval.low if isinstance(clues.interval, Interval) else None
    low_gap = range_distance(other, clues.unit, Interval(low, None)) if other and low else None
    if gap is None or gap > log(1.3) or (low_gap or 0) > log(2):  # 尿钠 40-220 的中间正是血钠
        return None
    own = clues.distance(analyte) if analyte else None
    return other if own is None or own - gap > log(3) else None


def _find_usual(clues: _Clues, specimens: tuple[Specimen, ...]) -> Analyte | None:
    name, abbreviation, unit = clues.name, clues.abbreviation, clues.unit
    by_code = _coded(abbreviation, specimens) or _coded(name, specimens)  # 医院自己的编号 1023 不认识，名称 K 认识
    # 有的名称含字母，读的人可能把字母当成了代号：总 + T3，ABO + 血型
    spellings = (name or abbreviation, name + abbreviation, abbreviation + name)
    by_name = next(filter(None, (_named(spelling, specimens) for spelling in spellings)), [])
    if is_per_microlitre(unit):
        is_named = bool(by_name)
        by_name, by_code = (_blood_or_sediment(pool, clues, specimens) for pool in (by_name, by_code))
        if is_named and not (by_name or abbreviation):
            by_code = []  # 名称分不清是血是尿的，不因为尿的代号里也写着它就是尿
    if len(by_name) == 1 and not _is_foreign(by_name[0], unit):
        return by_name[0]
    alike = None if unit else nearest(clues.distances(by_name or by_code))
    if alike:
        return alike
    if len(by_name) > 1:
        # 同名的指标（中性粒细胞的绝对值与百分比）由单位分辨，代号也对得上的在先，单位没印时只由代号
        with_code = [analyte for analyte in by_name if analyte in by_code]
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
    fitting = [analyte for analyte in _named(name, ("urine", "stool")) if not unit or analyte.knows_unit(unit)]
    return fitting[0] if len(fitting) == 1 else None


def _choose(matches: list[Analyte], clues: _Clues) -> Analyte | None:
    """名称与单位都合的几项里的一项；分不清为 None。"""
    # 写着 twins 的那一项在先，是不是另一项后面再看
    main = [match for match in matches if all(other is match or other.code in match.twins for other in matches)]
    if len(matches) < 2 or main:
        return next(iter(main or matches), None)
    gaps = clues.distances(matches)
    specimens = [match.specimen for match in matches]
    if len({*specimens}) < len(specimens) or {"urine", "stool"} <= {*specimens} and not gaps:
        return nearest(gaps)
    # 一张单子上有几种标本：范围最像的，没有范围的按先后
    if gaps:
        return min(gaps, key=lambda pair: pair[0])[1]
    is_gas = "血气" in clues.report_type
    return next((match for match in matches if is_gas and match.specimen == "blood"), matches[0])


def _find_unusual(clues: _Clues, specimens: tuple[Specimen, ...]) -> Analyte | None:
    """24 小时尿、负荷后的结果：只认目录里正有这个名称的，和 24 小时尿蛋白。"""
    name, abbreviation, unit = clues.name, clues.abbreviation, clues.unit
    exact = _named(re.sub(r"[()（）\[\]【】]", "", name), specimens)
    if not exact and abbreviation and fold_unit(unit).endswith("/24h"):
        exact = _coded(abbreviation, specimens)
    exact = [analyte for analyte in exact if analyte.knows_unit(unit) or not unit]
    if len(exact) != 1 and is_daily_protein(name, unit):
        return _fitting_entry("U-PRO24", unit)
    return exact[0] if len(exact) == 1 else None


def _fitting_entry(code: str, unit: str) -> Analyte | None:
    analyte = analytes_by_code()[code]
    return analyte if not unit or analyte.knows_unit(unit) else None


def _fitting(candidates: list[Analyte], unit: str) -> list[Analyte]:
    same = [analyte for analyte in candidates if analyte.same_unit(unit)]
    return same or [analyte for analyte in candidates if analyte.knows_unit(unit)]


def _is_foreign(analyte: Analyte, unit: str) -> bool:
    """印着的单位量的是另一类东西，这一项从来不用：单凭名称不能算。"""
    if analyte.specimen != "blood" and is_only_for_blood(unit):
        return True
    kind = kind_of_unit(unit)
    if not kind or analyte.knows_unit(unit):
        return False
    kinds = set(map(kind_of_unit, analyte.spelled_units)) - {""}
    return bool(kinds) and kind not in kinds


def _blood_or_sediment(pool: list[Analyte], clues: _Clues, specimens: tuple[Specimen, ...]) -> list[Analyte]:
    """每微升的红、白细胞是血里的还是尿沉渣的，相差千倍，看范围；没有范围、报告类型也没有说，就不知道。"""
    blood = [analyte for analyte in pool if analyte.specimen == "blood"]
    others = [analyte for analyte in pool if analyte.specimen != "blood"]
    if not (blood and others):
        return pool
    gaps = [gap for gap, _ in clues.distances(blood)]
    if gaps:
        return blood if min(gaps) < log(5) else others
    return others if specimens[0] != "blood" else []


def _right_twin(analyte: Analyte, clues: _Clues) -> Analyte | None:
    """名称、单位都相同的另一项：印着的范围明显更像它时就是它。

    没有印范围，血气里的钙是离子钙；两项共用的名称（载脂蛋白a）与单位分不清的为 None。
    """
    twins = [analytes_by_code()[code] for code in analyte.twins]
    own, gaps = clues.distance(analyte), clues.distances(twins)
    if own is None or not gaps:
        named, coded = _named(clues.name), _coded(clues.abbreviation)
        sharing = [twin for twin in twins if twin in named]
        is_said = analyte.same_unit(clues.unit) or analyte in coded
        if not is_said and any(twin.knows_unit(clues.unit) for twin in sharing):
            return None
        is_gas = "血气" in clues.report_type and not clues.has_range and not _SAYS_SERUM.search(clues.name)
        return next((twin for twin in twins if is_gas and twin.code == "ICA"), analyte)
    gap, twin = min(gaps, key=lambda pair: pair[0])
    if _shares_a_bound(analyte, clues):
        return analyte  # 另一端多半读错了一位
    return twin if own - gap > log(CLEARLY_NEARER) else analyte


def _shares_a_bound(analyte: Analyte, clues: _Clues) -> bool:
    """印着的范围有一端与目录的差不到 5%。"""
    if not isinstance(clues.interval, Interval):
        return False
    low, high = analyte.bounds(clues.interval, clues.unit or analyte.unit)
    ends = [pair for usual in analyte.intervals for pair in ((low, usual.low), (high, usual.high))]
    return any(printed and usual and abs(printed - usual) <= usual / 20 for printed, usual in ends)


def specimens_with(name: str, abbreviation: str) -> set[Specimen]:
    """目录里哪几种标本有叫这个名称或代号的项目。"""
    return {analyte.specimen for analyte in (*_named(name), *_coded(abbreviation or name))}


def is_known_code(code: str) -> bool:
    """目录里有没有这个代号，不论标本。"""
    return fold_code(code) in _known_codes()


def is_known_name(name: str) -> bool:
    """目录里有没有这个名称，不论标本。"""
    return fold_name(name) in _index()[0]


def _named(name: str, specimens: tuple[Specimen, ...] = get_args(Specimen)) -> list[Analyte]:
    """目录里叫这个名称的，按标本的先后。"""
    named = _index()[0].get(fold_name(name), [])
    return [analyte for specimen in specimens for analyte in named if analyte.specimen == specimen]


def _coded(code: str, specimens: tuple[Specimen, ...] = get_args(Specimen)) -> list[Analyte]:
    """目录里有这个代号、缩写的，按标本的先后。"""
    coded = _index()[1].get(fold_code(code), [])
    return [analyte for specimen in specimens for analyte in coded if analyte.specimen == specimen]


@cache
def _index() -> tuple[Index, Index]:
    return build_index(load_catalogue())


@cache
def _known_codes() -> frozenset[str]:
    names, codes = _index()
    # 总T3、补体C3、免疫球蛋白G 末尾的字母是名称的一部分，单凭它不能当作代号拆开
    ends = (re.search(r"(?<=[^\x00-\x7f])[A-Z]\d*$", name) for name in names)
    return frozenset(codes) - {fold_code(end[0]) for end in ends if end}
