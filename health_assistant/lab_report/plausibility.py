"""一行读数自己露出的破绽：丢了的小数点、当成数字的箭头、对不上的单位。文字识别常错在这些地方。

印着的标记与判断一致时，数值离谱也是真的；只有没有标记佐证时才怀疑小数点。
"""

import re
from dataclasses import replace
from decimal import Decimal

from health_assistant.lab_report.catalogue import Analyte, Direction
from health_assistant.lab_report.interval import Interval, PartitionedInterval, ReferenceRange, Value, compare
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.printed_interval import DECIMAL_THOUSANDTHS, PAIR, exponent
from health_assistant.lab_report.printed_text import clean, normalize
from health_assistant.lab_report.reference_range import parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, UNREAD_MARK, Flag, PrintedRow
from health_assistant.lab_report.severity import is_impossible, load_severity
from health_assistant.lab_report.units import fold_unit

_FEW_MARKS = 2
_MIN_DECIMAL = 3
"""别的行至少这么多行印着范围，才看得出这张单子的范围都印小数。"""
_MIN_ALIKE, _FEW_LOST = 6, 2
"""这么多行的结果与范围小数一样多，只有一两行没有小数，才看得出这张单子的结果都印全小数。"""
_NEARLY_NONE = 20
"""常见范围的下限不到上限的这么多分之一，就近于没有下限：嗜酸性粒细胞的 0.02 印成 0.002 差不了多少。"""
_PERCENTAGE = re.compile("百分[比数率]|percentage", re.IGNORECASE)
_TENFOLD_IN_NEWBORNS = {"TBIL", "IBIL"}
"""新生儿头几天的黄疸正常也有成人的十倍：印着 0-221 不是读漏了小数点。"""


def value_doubt(
    observed: Observation,
    limits: ReferenceRange | None,
    flag: Flag,
    has_agreeing_flag: bool,
    others_have_flags: bool,
    others_are_finer: bool,
) -> str | None:
    """数本身可能读错的理由；没有破绽时为 None。`limits` 是判断用的范围，`flag` 是与它比出来的。

    `has_agreeing_flag`：印着的标记说得通；`others_have_flags`：同一张报告的别的行印着箭头一类的标记；
    `others_are_finer`：别的行的小数也比范围多一位（见 `is_finer`），或整张单子不印标记（见 `is_plainly_out`），
    末位的 1 就是这张单子的印法。
    """
    row, result, analyte = observed.row, observed.value, observed.analyte
    has_agreeing_flag &= row.mark != UNREAD_MARK  # 没有认出的标记也可能朝另一边
    is_odd = analyte is not None and is_impossible(result, observed.unit, analyte)
    if is_odd and not has_agreeing_flag and not misprints_unit(result, limits, observed.unit, analyte):
        return "这样的数值几乎不可能，可能读漏了小数点"
    if not isinstance(result, Interval) or not isinstance(limits, Interval):
        return None
    if _is_misplaced_power(observed, limits):
        return "不能确定结果里的 10 的几次方是数还是单位"
    if limits.low is not None and limits.low >= 0 and result.low is not None and result.low < 0:
        return "参考范围没有负数而结果是负数，可能多读了一横"
    if has_agreeing_flag:
        return None
    reaches_far = analyte is not None and analyte.code in load_severity().wide
    if _lost_decimal_point(result, limits) and not reaches_far:
        return "结果与参考范围相差十倍以上而没有标记，可能读漏了小数点"
    if row.mark or row.copied or flag not in ABNORMAL_FLAGS:
        return None
    if not others_are_finer and _has_extra_one(row.result, row.reference_range):
        return "小数比参考范围多一位，末位的 1 可能是箭头"
    if others_have_flags and _may_contain_arrow(row.result, result, limits):
        return "超出参考范围而没有标记，数里的 1 可能是箭头"
    return None


def misprints_unit(result: Value | None, limits: ReferenceRange | None, unit: str, analyte: Analyte) -> bool:
    """140 mmol/L 的血红蛋白对 130-175，39.2 L/L 的压积对 42-49：照印着的单位谁也不会有，照常用的单位正常或只差一点。"""
    if not isinstance(result, Interval) or not isinstance(limits, Interval) or limits.high is None:
        return False
    both = (result, Interval(limits.high, limits.high))
    is_unreal = all(is_impossible(one, unit, analyte) and not is_impossible(one, analyte.unit, analyte) for one in both)
    # 范围自己也读错了的（130-170 读成 30-170），50 不能当作正常
    is_usual = any(
        _is_near(limits.low, usual.low, 4) and _is_near(limits.high, usual.high, 4)
        for usual in (*analyte.known_intervals, *analyte.general_intervals)
    )
    is_slightly_out = _is_near(result.low, limits.low) or _is_near(result.high, limits.high)
    return is_unreal and is_usual and (result.inside(limits) or is_slightly_out)


def misread_doubt(observed: Observation, limits: ReferenceRange, is_newborn: bool = False) -> str | None:
    """单位或参考范围可能读错的理由；没有破绽时为 None。"""
    if _units_conflict(observed):
        return "结果或参考范围上的单位与单位一栏不符"
    if isinstance(limits, Interval) and limits.is_bounded and exponent(limits.high) <= exponent(limits.low) - 2 < -2:
        return "参考范围两端的小数差了两位，末尾可能粘着别的字"  # 1.003-1.030 后面的序号 26
    unit, analyte = observed.power_unit or observed.row.unit, observed.analyte
    if not observed.unit and analyte and analyte.unit == "%":
        unit = "%"  # 没有印单位的百分数，只会是百分数或小数
    is_percentage = unit in ("", "%") and _PERCENTAGE.search(observed.row.name)
    if is_percentage and isinstance(limits, Interval) and limits.high and limits.high > 100:
        return "百分数的参考范围到了 100 以上，可能读漏了小数点"
    is_far = analyte and analyte.same_unit(unit) and is_far_from_known(limits, analyte, unit)
    is_far = is_far and not (is_newborn and analyte.code in _TENFOLD_IN_NEWBORNS)
    if is_far and not is_fraction(limits, analyte, unit):
        return "印着的参考范围与常见的相差几倍，可能读错了小数点"
    return None


def _units_conflict(observed: Observation) -> bool:
    """粘在结果、范围上的单位与单位一栏，凡印了的都应当相同（或都是目录认识的同一单位）。"""
    units = {fold_unit(unit) for unit in (observed.row.unit, observed.value_unit, observed.interval_unit)} - {""}
    analyte = observed.analyte
    return len(units) > 1 and not (analyte and all(analyte.same_unit(unit) for unit in units))


# ---- 印着的范围像不像目录的；`unit` 是印着的范围的单位，没有把握的目录范围不作证 ----


def is_far_from_known(limits: ReferenceRange, analyte: Analyte, unit: str) -> bool:
    """以 unit 计的范围 limits 的一端与目录里各种人的都相差 8 倍以上：同一单位、两边都有界时不会有这样的差别。"""
    known = [usual for usual in analyte.known_intervals if usual.is_bounded]
    if not (isinstance(limits, Interval) and limits.is_bounded and known and analyte.same_unit(unit)):
        return False
    return all(
        _is_times_off(limits.low, usual.low)
        and not (limits.low < usual.low and usual.low * _NEARLY_NONE < usual.high)
        or _is_times_off(limits.high, usual.high)
        for usual in known
    )


def _is_times_off(printed: Decimal | None, usual: Decimal | None) -> bool:
    return bool(printed and usual) and not Decimal("0.125") < printed / usual < 8


def is_unlike_known(limits: Interval, analyte: Analyte, unit: str, way: Direction) -> bool:
    """范围在这一边的界限，与目录里的都差四分之一以上，或者差出一个范围的宽度（钠窄，107 不像 137）。"""
    low, high = analyte.bounds(limits, unit)
    bound = high if way == "high" else low
    return bound is None or all(_is_quarter_off(bound, usual, way) for usual in analyte.known_intervals)


def _is_quarter_off(bound: Decimal, usual: Interval, way: Direction) -> bool:
    usual_bound = usual.high if way == "high" else usual.low
    if usual_bound is None:
        return True
    width = usual.high - usual.low if usual.is_bounded else abs(usual_bound)
    return abs(bound - usual_bound) > min(abs(usual_bound) / 4, width)


def is_general_range(limits: Interval, analyte: Analyte, unit: str) -> bool:
    """以 unit 计的范围 limits 就是一般成人的：两端各差不到一成。"""
    low, high = analyte.bounds(limits, unit)
    return any(_is_near(low, usual.low) and _is_near(high, usual.high) for usual in analyte.general_intervals)


def _is_near(printed: Decimal | None, usual: Decimal | None, part: int = 10) -> bool:
    """相差不到 usual 的几（`part`）分之一。"""
    if printed is None or usual is None:
        return not printed and not usual
    return abs(printed - usual) <= abs(usual) / part


def is_fraction(limits: ReferenceRange | None, analyte: Analyte, unit: str) -> bool:
    """单位印着 %，数却是小数：范围 0.2-0.4 就是 20%-40%。"""
    if fold_unit(unit) != "%" or not (isinstance(limits, Interval) and limits.is_bounded and limits.high <= 1):
        return False
    as_percent = replace(limits, low=limits.low * 100, high=limits.high * 100)
    return is_far_from_known(limits, analyte, unit) and not is_far_from_known(as_percent, analyte, unit)


def _is_misplaced_power(observed: Observation, limits: Interval) -> bool:
    """`6.1×10^3` 对 `3.5-9.5`：多半是 6.1 与单位 10^3/μL 印在了一起；`10²` 对 `9-50`，2 多半是脚注号。"""
    row = observed.row
    if "10^" not in normalize(row.result) or observed.value_unit or "10^" in normalize(row.reference_range):
        return False
    is_bare = normalize(row.result).startswith("10^")
    return is_bare or "10" in row.unit or (not row.unit and bool(limits.low))


def _lost_decimal_point(result: Interval, limits: Interval) -> bool:
    """没有小数点的一方比有小数点的一方大十倍以上。"""
    if not result.is_bounded:
        return False
    if limits.high and _is_whole(result.low) and not _is_whole(limits.high):
        return result.low > 10 * limits.high > 0
    if limits.is_bounded and limits.low and _is_whole(limits.low) and not _is_whole(result.high):
        return 0 < 10 * result.high < limits.low
    return False


def _is_whole(value: Decimal) -> bool:
    return "." not in format(value, "f")


def is_finer(row: PrintedRow) -> bool:
    """小数比范围多一位，末位不是 1（也许是箭头）。"""
    return not row.result.strip().endswith("1") and _has_extra_one(row.result.strip()[:-1] + "1", row.reference_range)


def is_plainly_out(observed: Observation) -> bool:
    """超出印着的范围，没有标记，数里也没有可能是箭头的 1：一张没有标记的单子上有这样的一行，就是不印标记的。"""
    row, result, limits = observed.row, observed.value, observed.interval
    if row.mark or not (isinstance(result, Interval) and isinstance(limits, Interval)):
        return False
    if compare(result, limits) not in ABNORMAL_FLAGS:
        return False
    return not (_has_extra_one(row.result, row.reference_range) or _may_contain_arrow(row.result, result, limits))


def _has_extra_one(result: str, limits: str) -> bool:
    """比范围多一位小数，末位是 1：`6.65↑` 读成 6.651。"""
    places = [len(digits) for digits in re.findall(r"\d\.(\d+)", limits)]
    decimals = re.fullmatch(r"\d+\.(\d+)1", result.strip())
    return bool(decimals and places) and len(decimals[1]) == max(places)


def _may_contain_arrow(text: str, result: Interval, limits: Interval) -> bool:
    """去掉头上或尾上的 1（↑ 也读作 4），剩下的也超出范围：`↓3.2` 读成 13.2，`5.66↑` 读成 5.661。

    剩下的正常、而多一个 1 就大出四倍以上（`|25.4` 读成 125.4）也可疑：没有标记与正常更合。
    """
    text = text.strip()
    leftovers = [(text[0], text[1:])] if re.match(r"[14][^.]", text) else []
    leftovers += [(text[-1], text[:-1])] if text.endswith(("1", "4")) and "." in text else []
    bare = parse_result(text[:-1]) if re.fullmatch(r"\d+1", text) else None
    if bare and compare(bare, limits) == "high":
        return True  # `130↑` 读成 1301
    values = [(arrow, parse_result(left)) for arrow, left in leftovers] if result.is_point else []
    points = [(arrow, value) for arrow, value in values if isinstance(value, Interval) and value.is_point]
    own = compare(result, limits)
    flags = [(arrow, compare(value, limits), 4 * value.low <= result.low) for arrow, value in points]
    return any(
        flag in ABNORMAL_FLAGS and not (arrow == "4" and flag == own == "low")  # 像 4 的是 ↑，偏低的旁边不会有
        or (flag == "normal" and is_far)
        for arrow, flag, is_far in flags
    )  # fmt: skip


_DECIMAL_POINT = re.compile(r"\d\.\d")
_DECIMAL_COMMA = re.compile(r"(?<![\d,])(?:\d+,\d{1,2}|0,\d+)(?![\d,])")
_BARE_POINT = re.compile(r"(?<![\d.,])\.\d")
_ZERO_POINT = re.compile(r"(?<!\d)0\.\d")
LOST_DIGIT = "小数点前面没有数，可能少读了一位"
_LOST_IN_RANGE = "别的行的参考范围都印着小数，只有这一行没有，可能读漏了小数点"
_POINT_OR_THOUSANDS = re.compile(r"(?<![\d,])[1-9]\d{0,2},\d{3}(?![\d,])")


def _unlisted_range(observed: Observation) -> str:
    """印着的范围里可能是小数点的逗号。

    隔开两个数、几组人的范围的不算：`(0.15,0.45)`、`50岁以下≤450,50~75岁≤900`；`0,270-4,200` 的都是小数点，没有疑问。
    """
    printed = observed.row.reference_range
    is_list = PAIR.fullmatch(clean(printed)) or isinstance(observed.interval, PartitionedInterval)
    return "" if is_list else _POINT_OR_THOUSANDS.sub("", printed) if DECIMAL_THOUSANDTHS.search(printed) else printed


def doubts_only_range(row: PrintedRow, sheet_doubt: str | None) -> bool:
    """疑的只是参考范围：少读了一位而结果的小数点前面有数，或范围读漏了小数点。"""
    return sheet_doubt == _LOST_IN_RANGE or sheet_doubt == LOST_DIGIT and not _BARE_POINT.search(row.result)


def point_doubts(observations: list[Observation]) -> list[str | None]:
    """每一行的小数点有没有两种可能：整张单子用哪一种写法，一行里就是哪一种。

    `.42` 是没有印 0，还是 3.42 少读了一位：别处印着 `0.`、或范围里从不这样印的，是少读了。

    别处用点作小数点的单子上，`2,6` 可能是读错的点；用逗号作小数点的单子上，`1,234` 不知道是不是千分位。
    """
    texts = [f"{seen.row.result} {_unlisted_range(seen)}" for seen in observations]
    doubtful = []
    if any(map(_DECIMAL_POINT.search, texts)):
        doubtful.append(_DECIMAL_COMMA)
    if any(map(_DECIMAL_COMMA.search, texts)):
        doubtful.append(_POINT_OR_THOUSANDS)
    note = "不能确定逗号是小数点、千分位，还是读错的小数点"
    commas = [note if any(comma.search(text) for comma in doubtful) else None for text in texts]
    bare = [bool(_BARE_POINT.search(text)) for text in texts]
    in_ranges = any(_BARE_POINT.search(seen.row.reference_range) for seen in observations)
    is_style = in_ranges and not any(map(_ZERO_POINT.search, texts))
    is_style = is_style and sum(len(_BARE_POINT.findall(text)) for text in texts) > 1
    lost = [
        of_result or of_range
        for of_result, of_range in zip(_lost_points(observations), _lost_in_ranges(observations), strict=True)
    ]
    doubts = zip(bare, commas, lost, strict=True)
    return [LOST_DIGIT if is_bare and not is_style else comma or whole for is_bare, comma, whole in doubts]


def _lost_points(observations: list[Observation]) -> list[str | None]:
    """`5.2` 读成 52 的行的疑问：别的行印着标记，只有它没有；范围印着小数，添上小数点就正常。

    别的结果的小数都与范围一样多的单子上，添上小数点不正常的也算（22 对 3.0-10.0 是偏低的 2.2）。
    """
    if sum(bool(seen.row.mark) for seen in observations) < _FEW_MARKS:
        return [None] * len(observations)  # 不印标记的单子，几位有效数字的仪器本来就印 812
    lost = set()
    decimals = [(at, seen) for seen in observations if (at := _places(seen))]
    whole = [(at, seen) for at, seen in decimals if "." not in seen.row.result]
    alike = sum(len(seen.row.result.strip().partition(".")[2]) == at for at, seen in decimals)
    is_habit = alike >= _MIN_ALIKE and len(decimals) - alike == len(whole) <= _FEW_LOST
    for at, seen in whole:
        is_out = compare(seen.value, seen.interval) in ABNORMAL_FLAGS and not seen.row.mark
        if _is_usual_with_point(seen, at) or (is_habit and is_out):
            lost.add(id(seen))
    return ["范围印着小数而结果没有，可能读漏了小数点" if id(seen) in lost else None for seen in observations]


def _places(seen: Observation) -> int:
    """范围两端一样多的小数位数；不一样多、没有小数的，结果不是单个数的，为 0。"""
    limits, value = seen.interval, seen.value
    is_point = isinstance(value, Interval) and value.is_point and not value.is_titre
    if not (is_point and isinstance(limits, Interval) and limits.is_bounded and limits.low > 0):
        return 0
    places = {-exponent(limits.low), -exponent(limits.high)}
    return max(0, places.pop()) if len(places) == 1 else 0


def _is_usual_with_point(seen: Observation, places: int) -> bool:
    value, limits = seen.value, seen.interval
    if seen.row.mark or not isinstance(value, Interval) or not isinstance(limits, Interval):
        return False
    moved = Interval(value.low and value.low.scaleb(-places), value.high and value.high.scaleb(-places))
    return compare(value, limits) == "high" and moved.inside(limits)


def _lost_in_ranges(observations: list[Observation]) -> list[str | None]:
    """`3.0-10.0` 读成 30-100 的行的疑问：别的行的范围都印着小数，只有它没有；添上小数点，结果就正常。

    目录里有范围可比的不用这样猜，见 `misread_doubt`。
    """
    printed = [re.search(r"\d", seen.row.reference_range) for seen in observations]
    bare = [seen for seen, is_printed in zip(observations, printed, strict=True) if is_printed]
    bare = [seen for seen in bare if not _DECIMAL_POINT.search(seen.row.reference_range)]
    is_alone = len(bare) == 1 and sum(map(bool, printed)) > _MIN_DECIMAL
    return [_LOST_IN_RANGE if is_alone and seen is bare[0] and _fits_shrunk(seen) else None for seen in observations]


def _fits_shrunk(seen: Observation) -> bool:
    """范围两端各添上与结果一样多位的小数，结果就在里面；没有标记，目录也说不出范围对不对。"""
    value, limits = seen.value, seen.interval
    if seen.row.mark or not (isinstance(value, Interval) and isinstance(limits, Interval) and limits.is_bounded):
        return False
    if not value.is_point or exponent(value.low) >= 0 or seen.analyte and seen.analyte.known_intervals:
        return False
    shrunk = Interval(limits.low.scaleb(exponent(value.low)), limits.high.scaleb(exponent(value.low)))
    return compare(value, limits) == "low" and value.inside(shrunk)
