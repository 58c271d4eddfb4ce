"""ReadRow -> Observation：一行的结果与参考范围各解析一次，指标在目录里查一次；后面各步都用它，不再看文字。"""

import re
from dataclasses import dataclass, replace
from functools import partial
from math import log

from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value
from health_assistant.lab_report.matching import find_analyte, range_distance
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.presence import presence
from health_assistant.lab_report.printed_text import clean
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reference_range import attached_unit, is_blank, parse_range, parse_result
from health_assistant.lab_report.report import PrintedRow, ReadRow
from health_assistant.lab_report.units import fold_unit, kind_of_unit, split_flag

_SOUGHT = re.compile(r"培养|涂片|[查找].{1,6}[菌虫卵]|墨汁|抗酸|细菌|真菌")
"""目录里没有、而结果说的是有没有找到的项目。"""
_FLAG = r"(?:[(（\[]?(?:[↑↓]{1,2}|[HL]{1,2}|偏?[高低]|危急?值?)[)）\]]?|[*★◆!▲△]+)"
_GLUED_FLAG = re.compile(
    rf"(?P<ahead>[↑↓]{{1,2}}|[HL]{{1,2}}|[*★▲]|危急?值?(?=[:：\s]*\d))?[:：]?\s*(?P<bare>(?(ahead)[-<>\d.].*?|.*?(?:[\d+)）性]|性[。.])))\s*(?P<mark>(?:{_FLAG}\s*)*)"
)
"""粘在结果前后的标记：`7.1↑`、`*7.1`、`1.8 ↓危急值`。"""
_POWER = re.compile(r"(?:[×x*]10\^|E\+?0?)(9|12)(?=\D|$)", re.IGNORECASE)
_SAME_RANGE = log(1.2)
"""印着的范围与目录的相差不到两成，才说得出是哪一项。"""
_MOST_WITHOUT_POWER = 10_000
"""范围的数不到它，才可能是少印了 10 的几次方。"""
_EARLIER_BESIDE = re.compile(r"(?i)\s*[(（\[]\s*(?:[上前]一?次|既往|prev(?:ious)?\b|last\b)[^()（）\[\]]*[)）\]]$")
"""同一格里括着的上一回：`6.8 (上次4.1)`。"""
_RECHECKED = re.compile(r"[,，;；(（\s]*已?经?(?:复[查核检测](?:[过后]|结果)?|电话(?:报告|通知))[)）]?$")


@dataclass(frozen=True)
class Observation:
    """一行读数的意思。看不懂的结果、范围与目录不认识的指标为 None。"""

    row: ReadRow
    value: Value | None
    interval: ReferenceRange | None
    """印着的参考范围。"""
    value_unit: str
    interval_unit: str
    """粘在结果、范围上的单位；没有则为空串。"""
    analyte: Analyte | None
    """目录里的指标，参考范围与话是对这个人的。"""

    @property
    def unit(self) -> str:
        """印着的单位，也许粘在结果后面；没有则为空串。"""
        return self.row.unit or self.value_unit


def observe(row: PrintedRow, report_type: str, person: Person) -> Observation:
    """解析一行；report_type 是这一行那一页的报告名。不抛异常。"""
    read = row if isinstance(row, ReadRow) else ReadRow.of(row)
    unit, flag = split_flag(read.unit)
    if flag:
        read = read.model_copy(update={"unit": unit, "mark": read.mark or flag})
    read, value = _parse_value(read)
    interval = parse_range(read.reference_range) if read.reference_range else None
    interval = _in_powers(read, interval)
    value_unit = attached_unit(read.result)
    if "视野" in read.result and "细胞" in read.name and not read.unit:
        value_unit = "/HP"  # 满视野：不印单位也是镜检
    find = partial(
        find_analyte, read.name, read.code, report_type=report_type, interval=interval,
        has_range=not is_blank(read.reference_range), value=value,
    )  # fmt: skip
    analyte = find(unit=read.unit or value_unit)
    if analyte is None and len(read.code) > 1 and read.unit and not kind_of_unit(read.unit):
        coded = find(unit="")  # 名称、单位都糊了，代号与范围还说得出是哪一项
        gap = range_distance(coded, coded.unit, interval) if coded else None
        analyte = coded if gap is not None and gap < _SAME_RANGE else None
    if analyte and analyte.code == "PH" and _is_of_urine_ph(interval) and "气" not in report_type:
        analyte = find_analyte("尿pH", "", "")  # 活人血的 pH 在 6.8 到 7.8 之间，范围没有这么宽的
    if analyte.sought if analyte else _SOUGHT.search(read.name + report_type):
        value = _found(value, read.result + (read.unit if analyte else ""), counts=bool(analyte)) or value
        interval = _found(interval, read.reference_range) or interval
    own = analyte and analyte.for_person(person)
    return Observation(read, value, interval, value_unit, attached_unit(read.reference_range), own)


def _in_powers(row: ReadRow, interval: ReferenceRange | None) -> ReferenceRange | None:
    """单位只印着 /L、10 的几次方印在结果里的（`9×10^9`）：范围没有印、只印在后一头的，也是这个几次方。"""
    power = _POWER.search(clean(row.result))
    printed = clean(row.reference_range)
    if not power or fold_unit(row.unit) not in ("/l", "个/l") or len(_POWER.findall(printed)) > 1:
        return interval
    bare = parse_range(_POWER.sub("", printed))
    if not isinstance(bare, Interval) or (bare.high or bare.low) > _MOST_WITHOUT_POWER:
        return interval
    low, high = (None if end is None else end.scaleb(int(power[1])) for end in (bare.low, bare.high))
    return replace(bare, low=low, high=high)


def _is_of_urine_ph(interval: ReferenceRange | None) -> bool:
    """像尿的 pH 的范围，多是 4.5-8.0；7.35 读成 1.35 的不像。"""
    if not isinstance(interval, Interval) or not interval.is_bounded:
        return False
    return 4 <= interval.low <= interval.high - 1 and interval.high <= 9


def _found(parsed: Value | ReferenceRange | None, text: str, counts: bool = False) -> QualitativeResult | None:
    """有没有找到；已经是阴性、阳性的，和不是这样说的，为 None。"""
    if isinstance(parsed, QualitativeResult) and parsed.is_graded:
        return None
    word = presence(text, counts)
    return QualitativeResult((word,)) if word else None


def _parse_value(row: ReadRow) -> tuple[ReadRow, Value | None]:
    """结果的意思。`7.1↑`、`1.8(已复查)` 这样粘着标记的、`7·1` 这样写小数点的，行里的字也拆开；本来就看得懂的照旧。"""
    # 圆点是彩色的灯，绿的也有，不说高低
    result = re.sub(r"(?<=[\d)])\s*[•●⬤○]$", "", _EARLIER_BESIDE.sub("", row.result.strip()))
    result = re.sub(r"(?<=\d)[·。](?=\d)", ".", result)
    value = parse_result(result)
    is_sure = isinstance(value, Interval) or (isinstance(value, QualitativeResult) and value.is_graded)
    glued = None if is_sure else _GLUED_FLAG.fullmatch(_RECHECKED.sub("", result))
    if glued:
        mark = (glued["ahead"] or "") + glued["mark"].strip()
        bare = parse_result(glued["bare"])
        # `阳性↑` 也看得懂，是别的文字；去掉标记才是阳性
        if bare is not None and (value is None or (mark and getattr(bare, "is_graded", False))):
            return row.model_copy(update={"result": glued["bare"], "mark": row.mark or mark or None}), bare
    return (row.model_copy(update={"result": result}) if result != row.result.strip() else row), value
