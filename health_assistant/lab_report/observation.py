"""ReadRow -> Observation：一行的结果与参考范围各解析一次，指标在目录里查一次；后面各步都用它，不再看文字。"""

import re
from dataclasses import dataclass, replace
from decimal import Context, Decimal
from functools import partial
from math import log

from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.groups import of_condition
from health_assistant.lab_report.interval import (
    Interval,
    PartitionedInterval,
    ReferenceRange,
    Value,
    compare,
    intervals_of,
)
from health_assistant.lab_report.matching import find_analyte, is_known_code, is_known_name
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.presence import presence
from health_assistant.lab_report.printed_text import ARROW_FORMS, clean, normalize
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.range_likeness import misprinted_unit, range_distance
from health_assistant.lab_report.reference_range import (
    attached_unit,
    is_blank,
    parse_range,
    parse_result,
    unit_of_range,
)
from health_assistant.lab_report.report import PrintedRow, ReadRow
from health_assistant.lab_report.specimen import possible_specimens
from health_assistant.lab_report.units import fold_unit, kind_of_unit, split_flag

_SOUGHT = re.compile(r"培养|涂片|[查找].{1,6}[菌虫卵]|墨汁|抗酸|细菌|真菌|culture|smear", re.IGNORECASE)
"""目录里没有、而结果说的是有没有找到的项目。"""
_WORD_FLAG = (
    r"(?i:(?<![A-Za-z/])(?:[HL]{1,2}|(?:critical(?:ly)?|very|above|below)?\s*(?:high|low)|abnormal|panic)(?![A-Za-z]))"
)
_FLAG = rf"(?:[(（\[]?(?:[↑↓]{{1,2}}|{_WORD_FLAG}|偏?[高低]|(?:临床)?危急?值?)[)）\]]?|[*★☆◆!▲△▼]+)"
_GLUED_FLAG = re.compile(
    rf"(?P<ahead>[↑↓]{{1,2}}|(?i:[HL]{{1,2}}|high|low)|[*★▲▼]|危急?值?(?=[:：\s]*\d))?[:：]?\s*"
    rf"(?P<bare>(?(ahead)[-<>\d.].*?|.*?(?:[\d+)）性]|[性。.]|\d\s*[A-Za-zμ%][A-Za-z/%\d^]*)))\s*(?P<mark>(?:{_FLAG}\s*)*)[,，;；]?"
)
"""粘在结果前后的标记：`7.1↑`、`*7.1`、`1.8 ↓危急值`。"""
_SPACED = re.compile(r"\d{1,3}(?: \d{3})+")
"""千分位用空格的。"""
_POWER = re.compile(r"(?:[×x*]10\^|E\+?0?)(9|12)(?=-|~|$)", re.IGNORECASE)
_SAME_RANGE = log(1.2)
"""印着的范围与目录的相差不到两成，才说得出是哪一项。"""
_FOUR_DIGITS = Context(prec=4)
_MOST_WITHOUT_POWER = 1000
"""范围的数不到它，才可能是少印了 10 的几次方。"""
_LAKHS = re.compile(r"(\d{1,2}(?:\.\d+)?)\s*(la(?:kh|c)s?)", re.IGNORECASE)
"""`2.1 lakh`，单位一列是 `/cumm`：十万是单位的。`71,000 lakh` 是印重了的，不当真。"""
_PLATELETS = re.compile("血小板|platelet|plt|thrombocyte", re.IGNORECASE)
"""只有它的范围也常以十万计；别的（`ANC 0.004 lakh` 对 2000-7000）是范围没有跟着换。"""
_EARLIER_BESIDE = re.compile(
    r"(?i)(?<=[\d↑↓HL])\s*[(（\[]\s*(?:[上前]一?次|既往|prev(?:ious)?\b|last\b)[^()（）\[\]]*[)）\]]$"
)
"""同一格里括着的上一回的数：`6.8 (上次4.1)`；上一回是阳性的（`阴性(上次阳性)`）要紧，不去掉。"""
_RECHECKED = re.compile(r"[,，;；(（\s]*已?经?(?:复[查核检测](?:[过后]|结果)?|电话(?:报告|通知))[)）]?$")


_GLUED_NAME = re.compile(r"(?P<name>.*[^\d\s.<>-])\s*(?P<result>[<>]?\d+(?:\.\d+)?)\s*(?P<unit>[A-Za-zμ%][\w/^%]*)?")
_BEFORE_OWN_DIGIT = re.compile("[A-Za-z]$|皮质醇$")
"""后面的整数是名称的、几点钟抽的：`维生素D3`、`皮质醇8`。"""
_TIME_OF_BLOOD = re.compile(r"(?:出血|凝血|溶解)时间|(?:bleeding|clotting|coagulation) time", re.IGNORECASE)
"""量到几分几秒的：`2:30` 是 2 分 30 秒，不是滴度。"""


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
    power_unit: str = ""
    """单位只印着 /L 时，连同结果里 10 的几次方的单位（`10^9/L`）；单位印错了的，范围用的那个。"""

    @property
    def unit(self) -> str:
        """印着的单位，也许粘在结果后面；没有则为空串。"""
        return self.power_unit or self.row.unit or self.value_unit


_STRIP_NAMES = {"白细胞": "尿白细胞酯酶", "尿白细胞": "尿白细胞酯酶", "红细胞": "尿潜血", "尿红细胞": "尿潜血"}
"""试纸上的名称 -> 目录里的名称。"""
_COUNTED = re.compile(r"%|fL|pg|10\^\d+/L", re.IGNORECASE)
"""血球仪的单位。"""
_USUALLY_ABSENT = re.compile(
    "幼|原始|异[型常形]|变形|有核红|[疟菌虫霉]|管型|结晶|NRBC|blast|atypical|abnormal", re.IGNORECASE
)
"""本来就没有的细胞：旁边的一横是没有见到。"""


def _with_result_of_name(row: ReadRow) -> ReadRow:
    """结果空着、数粘在认得的名称后面的（`钾6.9`、`葡萄糖120mg/dL`）：当作结果，只为了不漏掉警报。

    几小时、几点钟的照旧（`肌钙蛋白I 3h`、`葡萄糖 120`）：印着的单位要是这一项自己的，整数一定要印着单位。
    """
    parts = _GLUED_NAME.fullmatch(row.name.strip()) if not row.result.strip() else None
    if not parts or is_known_name(row.name) or not is_known_name(parts["name"]):
        return row
    unit, is_whole = parts["unit"] or row.unit, "." not in parts["result"]
    may_be_of_name = is_whole and _BEFORE_OWN_DIGIT.search(parts["name"]) or find_analyte(row.name, "", unit)
    analyte = find_analyte(parts["name"], "", unit)
    is_own_unit = bool(analyte and analyte.knows_unit(unit)) if unit else not is_whole
    if not is_own_unit or may_be_of_name and not parts["unit"]:
        return row
    doubt = row.doubt or "结果印在名称一格，没有把握"
    return row.model_copy(update={**parts.groupdict(), "unit": unit, "doubt": doubt})


def observe(row: PrintedRow, report_type: str, person: Person) -> Observation:
    """解析一行；report_type 是这一行那一页的报告名。不抛异常。"""
    read = _with_result_of_name(row if isinstance(row, ReadRow) else ReadRow.of(row))
    read, value, interval = _parsed(read, person)
    shared = _share_power(read, interval)
    value, interval, power_unit = shared or (value, interval, "")
    value_unit, range_unit = attached_unit(read.result), unit_of_range(read.reference_range)
    if "视野" in read.result and "细胞" in read.name and not read.unit:
        value_unit = "/HP"  # 满视野：不印单位也是镜检
    has_two_units = bool(range_unit and read.unit) and fold_unit(range_unit) != fold_unit(read.unit)
    find_unit = power_unit or (range_unit if has_two_units else read.unit or value_unit)
    analyte = _find(read, report_type, value, interval, find_unit, trusts_unit=bool(power_unit))
    if analyte.sought if analyte else _SOUGHT.search(read.name + report_type):
        value = _presence_of(value, read.result + (read.unit if analyte else ""), counts=bool(analyte)) or value
        interval = _presence_of(interval, read.reference_range) or interval
    if analyte and not (power_unit or has_two_units):
        power_unit = misprinted_unit(analyte, read.unit or value_unit, interval, value)
    converted = _in_unit_of_value(interval, range_unit, power_unit or read.unit or value_unit, analyte)
    if converted:
        # 范围是 FEU 而结果没有说的，也许是 DDU，相差一倍
        is_of_feu = re.search("FEU|DDU", read.reference_range) and not re.search("FEU|DDU", read.unit + read.result)
        interval, range_unit = None if is_of_feu else converted, ""
    own = analyte and analyte.for_person(person)
    return Observation(read, value, interval, value_unit, range_unit, own, power_unit)


def _parsed(row: ReadRow, person: Person) -> tuple[ReadRow, Value | None, ReferenceRange | None]:
    """结果与范围的意思，和这一行：粘在结果、单位上的标记拆到了标记一栏。"""
    read, value = _parse_value(row)
    interval = _of_condition(parse_range(read.reference_range), read.name, person) if read.reference_range else None
    if interval is None and re.fullmatch(r"\d级", read.result):
        value = None  # 没有范围的不知道是什么的级别（电导率），不当作阳性
    if value is None and interval and _SPACED.fullmatch(read.result):
        spaced = parse_result(read.result.replace(" ", ""))
        # `8 000` 与 4000-10000 比才是八千；与 4-10 比的是两个数
        is_alike = any(end and end >= 1000 for part in intervals_of(interval) for end in (part.low, part.high))
        value = spaced if is_alike else None
    if is_blank(read.result) and is_blank(read.reference_range) and _COUNTED.search(read.unit):
        # 百分数、体积旁边的两横：没有测；尿试纸的、本来就没有的细胞只印一横的才是阴性
        value = value if len(read.result.strip()) == 1 and _USUALLY_ABSENT.search(read.name) else None
    unit, flag = split_flag(read.unit)
    if flag:
        # 空白没有读出来的 `mmol/LL` 也许只是多读了一个 L：数正常的不当作标记
        is_doubled = not re.search(r"\s", read.unit) and value and interval and compare(value, interval) == "normal"
        read = read.model_copy(update={"unit": unit, "mark": read.mark or (None if is_doubled else flag)})
    return read, value, interval


def _find(
    row: ReadRow, report_type: str, value: Value | None, interval: ReferenceRange | None, unit: str, trusts_unit: bool
) -> Analyte | None:
    """这一行是目录里的哪一项；unit 是认项目用的单位，trusts_unit：它由 10 的几次方而来，不会是糊的。"""
    find = partial(
        find_analyte, row.name, row.code, report_type=report_type, interval=interval,
        has_range=not is_blank(row.reference_range), value=value,
    )  # fmt: skip
    analyte = find(unit=unit)
    if not trusts_unit and is_garbled(row.unit, analyte):
        analyte = _find_without_unit(analyte, row, find(unit=""), interval)
    if analyte and analyte.code == "PH" and _is_of_urine_ph(interval) and "气" not in report_type:
        analyte = find_analyte("尿pH", "", "")  # 活人血的 pH 在 6.8 到 7.8 之间，范围没有这么宽的
    if analyte and analyte.code == "GLU" and "血" not in row.name and _is_graded(value):
        analyte = find_analyte("尿葡萄糖", "", "")  # 只有尿条上的糖才用加号、阴阳性说
    return analyte or _find_on_strip(row, report_type, value)


def _of_condition(interval: ReferenceRange | None, name: str, person: Person) -> ReferenceRange | None:
    """按采样条件、孕期分的几个范围里，名称与单子说的那一个：空腹血糖的 `空腹3.9-6.1;餐后<7.8` 是前一个；别的照旧。"""
    if not isinstance(interval, PartitionedInterval):
        return interval
    words = f"{name};孕{'早中晚'[person.trimester - 1]}" if person.trimester else name
    is_said = of_condition([who for who, _ in interval.groups], words)
    return PartitionedInterval(tuple(group for group, holds in zip(interval.groups, is_said, strict=True) if holds))


def _in_unit_of_value(
    interval: ReferenceRange | None, range_unit: str, unit: str, analyte: Analyte | None
) -> ReferenceRange | None:
    """范围后面另印着单位的（结果 9.4 mg/dL，范围 2.11-2.52 mmol/L），换成结果的单位；单位相同、换不了的为 None。"""
    if analyte is None or not (range_unit and unit) or analyte.code in ("UREA", "BUN"):
        return None  # mg/dL 的是尿素还是尿素氮，相差一倍多
    own, other = analyte.convert(Decimal(1), unit), analyte.convert(Decimal(1), range_unit)
    if own is None or other is None or own == other:
        return None
    if isinstance(interval, PartitionedInterval):
        groups = [(who, _scaled(part, other / own)) for who, part in interval.groups if isinstance(part, Interval)]
        return PartitionedInterval(tuple(groups)) if len(groups) == len(interval.groups) else None
    return _scaled(interval, other / own) if isinstance(interval, Interval) else None


def _scaled(interval: Interval, factor: Decimal) -> Interval:
    low, high = (None if end is None else _FOUR_DIGITS.plus(end * factor) for end in (interval.low, interval.high))
    return replace(interval, low=low, high=high)


def _find_on_strip(row: ReadRow, report_type: str, value: Value | None) -> Analyte | None:
    """尿试纸上不印代号的 `白细胞 3+`、`红细胞 2+`：没有单位、用加号说的，是酯酶与潜血；不是这样的为 None。"""
    name = _STRIP_NAMES.get(clean(row.name))
    is_urine = name and not row.unit and possible_specimens(report_type, row.name, row.unit)[0] == "urine"
    return find_analyte(name, "", "", report_type=report_type) if name and is_urine and _is_graded(value) else None


def _is_graded(value: Value | None) -> bool:
    """用阴性、阳性、加号说的。"""
    return isinstance(value, QualitativeResult) and value.is_graded


def is_garbled(unit: str, analyte: Analyte | None) -> bool:
    """印着的单位认不出（糊成 `mmel/L`）：不是哪一类的单位，这一项也不用它；没有印的不算。"""
    return bool(unit) and not (kind_of_unit(unit) or analyte and analyte.knows_unit(unit))


def _find_without_unit(
    printed: Analyte | None, row: ReadRow, without: Analyte | None, interval: ReferenceRange | None
) -> Analyte | None:
    """单位糊了的一行是哪一项：printed 是照印着的单位找到的，without 是不看单位找到的。"""
    if printed:
        return without or printed  # 总钙还是离子钙，看范围
    # 名称也不认识，代号（也许就印在名称一格）与范围还说得出是哪一项
    is_coded = len(row.code) > 1 or row.name.isascii() and is_known_code(row.name)
    if not (without and is_coded and isinstance(interval, Interval)):
        return None
    # 尿里的白细胞 0-19 与新生儿血的只差上面一头：目录里有下限的，印着的也要有
    lacks_low = not interval.low and any(usual.low for usual in without.intervals)
    gap = range_distance(without, without.unit, interval)
    return without if gap is not None and gap < _SAME_RANGE and not lacks_low else None


def _share_power(row: ReadRow, interval: ReferenceRange | None) -> tuple[Value, Interval, str] | None:
    """10 的几次方印在结果里、单位只有 /L 的（`9×10^9`）：去掉它的结果与范围，和带着它的单位；不是这样印的为 None。

    范围没有印、只印在后一头的也是这个几次方；印着别的几次方、大得不像少印了它的，不猜。
    """
    power = _POWER.search(clean(row.result))
    if not power or fold_unit(row.unit) != "/l" or not isinstance(interval, Interval | None):
        return None
    printed = clean(row.reference_range)
    value, limits = parse_result(clean(row.result)[: power.start()]), parse_range(_POWER.sub("", printed))
    if not (isinstance(value, Interval) and isinstance(limits, Interval) and limits.is_bounded):
        return None
    is_same = set(_POWER.findall(printed)) <= {power[1]} and "10^" not in _POWER.sub("", printed)
    unit = f"10^{power[1]}/L"
    analyte = find_analyte(row.name, row.code, unit)
    is_usual = analyte is None or analyte.same_unit(unit)  # 红细胞是 10^12，印成 10^9 的多半认错了
    return (value, limits, unit) if is_same and is_usual and limits.high <= _MOST_WITHOUT_POWER else None


def _is_of_urine_ph(interval: ReferenceRange | None) -> bool:
    """像尿的 pH 的范围，多是 4.5-8.0；7.35 读成 1.35 的不像。"""
    if not isinstance(interval, Interval) or not interval.is_bounded:
        return False
    return 4 <= interval.low <= interval.high - 1 and interval.high <= 9


def _presence_of(parsed: Value | ReferenceRange | None, text: str, counts: bool = False) -> QualitativeResult | None:
    """有没有找到；已经是阴性、阳性的，和不是这样说的，为 None。`未检出厌氧菌、检出大肠埃希菌` 是找到了。"""
    word = presence(text, counts)
    if isinstance(parsed, QualitativeResult) and parsed.is_graded:
        is_both = parsed.words == ("阴性",) and word == "阳性" and bool(re.search(r"[、/]\s*[检查找]", text))
        return QualitativeResult(("阳性",)) if is_both else None
    return QualitativeResult((word,)) if word else None


def _parse_value(row: ReadRow) -> tuple[ReadRow, Value | None]:
    """结果的意思。`7.1↑`、`1.8(已复查)` 这样粘着标记的、`7·1` 这样写小数点的，行里的字也拆开；本来就看得懂的照旧。"""
    lakhs = _LAKHS.fullmatch(normalize(row.result))
    is_in_lakhs = _PLATELETS.search(row.name) and not re.search(r"\d{3}", row.reference_range)
    if lakhs and is_in_lakhs and row.unit.startswith("/"):
        row = row.model_copy(update={"result": lakhs[1], "unit": lakhs[2] + row.unit})
    result = row.result.strip().translate(ARROW_FORMS)
    # 圆点是彩色的灯，绿的也有，不说高低
    result = re.sub(r"(?<=[\d)])\s*[•●⬤○]$", "", _EARLIER_BESIDE.sub("", result))
    result = re.sub(r"(?<=\d)[·。](?=\d)", ".", result)
    if _TIME_OF_BLOOD.search(row.name):
        result = re.sub(r"^(\d{1,2})[:：]([0-5]\d)$", r"\1分\2秒", result)
    value = parse_result(result)
    is_sure = isinstance(value, Interval) or _is_graded(value)
    glued = None if is_sure else _GLUED_FLAG.fullmatch(_RECHECKED.sub("", result))
    if glued:
        mark = (glued["ahead"] or "") + glued["mark"].strip()
        bare = parse_result(glued["bare"])
        # `阳性↑` 也看得懂，是别的文字；去掉标记才是阳性
        if bare is not None and (value is None or (mark and getattr(bare, "is_graded", False))):
            return row.model_copy(update={"result": glued["bare"], "mark": row.mark or mark or None}), bare
    return (row.model_copy(update={"result": result}) if result != row.result.strip() else row), value
