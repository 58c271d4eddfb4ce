"""一行有多要紧，和关于它要放在最前面的话。疑问从不让警报消失：一个值如果没有读错就是危急的，不论别的有什么疑问，都要说。"""

import re
from decimal import Decimal

from health_assistant.lab_report.catalogue import Analyte, Direction
from health_assistant.lab_report.interval import Interval, ReferenceRange, Value
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.likely_analyte import alarming_if_likely
from health_assistant.lab_report.marks import flag_says, plain_flag
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.plausibility import misprints_unit
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.range_likeness import can_count_times, implied_unit
from health_assistant.lab_report.reference_range import parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, Severity, at_least, rank, worst
from health_assistant.lab_report.severity import (
    can_be_grave,
    grade_deviation,
    grade_value,
    is_impossible,
    lines_for,
    load_severity,
    measured_as,
    span_of,
    special_specimen,
    told,
)
from health_assistant.lab_report.units import metric_factor
from health_assistant.lab_report.unlisted import Measured, Specimen, counts_none

HURRY = "尽快就医"
CHECK = "请马上核对原件"
_CRITICAL_FLAG = re.compile(r"危|!!|CRIT|PANIC|警")
_OFF_THE_SCALE = re.compile(r"hi|lo|不凝|未凝|测不出|无法(检|测)|超出|溢出|[<>]+$|\D*检[测出][上下]?限", re.IGNORECASE)
_NUMBER = r"\d+(?:\.\d+)?"
_AGAIN = r"(?:更正|复[查核测]|重测)"
_ONLY_NUMBERS = re.compile(
    rf"[^\d<>≤≥＜＞-]{{0,6}}{_NUMBER}(?:(?:\s*[/／、;；→]\s*|\s+)(?:{_AGAIN}[:：]?)?\s*{_NUMBER}|\s*{_AGAIN}[:：]?\s*{_NUMBER}){{0,2}}"
    rf"(?:[^\d<>≤≥＜＞-]{{0,12}}|\s*[(（][^()（）]{{0,24}}[)）])"
)
"""看不懂的结果里，括号以外只有一个数：`6.9(溶血)`、`6.9(第2次)`，或测了两次的几个数：`6.9/6.8`、`4.2 更正:6.9`。"""
_IN_BRACKETS = re.compile(rf"[(（]\s*(?:{_AGAIN}[:：]?)?\s*({_NUMBER})\s*[)）]")
_LOST_DIGIT = re.compile(r"\D*\.\d")
_IS_NO_RESULT = re.compile(r"标本|送检|采[样集]|培养(时间|天数|周期|瓶)|(阳性)?报警|临床诊断|备注")
_NEVER_CLOTS = re.compile(r"血?液?(?:不|未|无)(?:能|会)?凝固?(?:[(（,，>＞].*)?|.*不凝固?", re.IGNORECASE)
_TOO_LITTLE = re.compile(r"测不[出到]|未[检测]出|[<＜低于]*\s*最?低?检[测出]下?限")
_DOUBLED_FLAG = re.compile(r"HH|LL|↑↑|↓↓")
"""有的医院表示危急，有的只表示超出得多。"""


def grade(finding: Finding, person: Person, report_type: str) -> None:
    """写下 finding 的 severity 与 critical：有把握的异常行有多要紧；没有印范围而目录认得的只看数值。"""
    analyte = finding.analyte
    if finding.flag in ABNORMAL_FLAGS:
        _grade_deviating(finding, person)
    elif finding.flag == "unknown" and finding.range_source == "none" and analyte and not finding.doubts_value:
        _grade_without_range(finding, analyte, person)
    if person.is_newborn and finding.severity == "moderate" and not (analyte and finding.has_general_range):
        finding.severity = "marked"  # 新生儿的不等几周；印着成人范围的不算
    if finding.flag == "unknown" and (way := _is_beyond_clotting(finding)):
        finding.severity, finding.leaning = "severe" if analyte.code == "TT" else "grave", way
    title, name, printed = finding.report_type or report_type, finding.name or finding.code, finding.with_unit
    specimen = special_specimen(title, name, finding.value, finding.flag, printed) if analyte is None else None
    measured = measured_as(finding.name, person) if analyte is None else []
    if specimen:
        _weigh_specimen(finding, specimen.for_age(person.age_years))
    elif analyte is None and finding.value is None and not finding.doubt and counts_none(finding.result):
        finding.flag, finding.note, finding.doubts_value = "normal", "没有找到", False
    elif measured:
        _weigh_measured(finding, measured)
    is_sure = finding.flag in ABNORMAL_FLAGS or not isinstance(finding.value, Interval) or not finding.lacks_unit
    finding.critical = finding.severity == "grave" and is_sure
    # 医院印着危急标记的同样要紧；critical 说的只是结果自己到了危急值，界限各医院不同
    if finding.flag in ABNORMAL_FLAGS and is_marked_critical(finding):
        finding.severity = "grave"


def _grade_deviating(finding: Finding, person: Person) -> None:
    """超出范围的一行有多要紧。"""
    analyte = finding.analyte
    finding.severity = grade_deviation(
        finding.value, finding.interval, finding.flag, finding.compared_unit, analyte, person
    )
    own = _severity_for_person(finding, person) if analyte else None
    # 孩子自己的范围只是略过；新生儿的不等
    is_child = person.is_minor and not person.is_newborn
    is_slight = is_child and (finding.severity, own) == ("moderate", "slight")
    finding.severity = own if is_slight else worst([finding.severity, own])
    if analyte and analyte.is_harmless(finding.flag) and not at_least(finding.severity, "marked"):
        finding.severity = None
    elif not at_least(finding.severity, "severe") and _is_usual_for(finding, person):
        finding.severity, finding.is_usual = "slight", finding.has_general_range
        finding.note = "按这个人的年龄或孕期，这个值并不少见；印着的范围未必是给这样的人的"


def _grade_without_range(finding: Finding, analyte: Analyte, person: Person) -> None:
    """没有范围可比、目录认得的一行，只看数值有多要紧。"""
    severity, way = grade_value(finding.value, finding.compared_unit, analyte, person)
    is_harmless = way is not None and analyte.is_harmless(way) and not at_least(severity, "marked")
    speaks = way != "abnormal" or severity == "grave" or analyte.code == "U-HCG"  # 妊娠试验的阳性不用范围
    finding.severity = severity if speaks and not is_harmless else None
    finding.leaning = way if finding.severity else None


def _weigh_specimen(finding: Finding, specimen: Specimen) -> None:
    """目录里没有的一行，照分级表里它那种标本、毒物、传染病定轻重；specimen 是用于这个年龄的。"""
    own = None if specimen.only_high and finding.flag == "low" else finding.severity
    if own is None and finding.flag == "low" and finding.interval is None:
        finding.severity = None  # 毒物没有偏低的：只凭一个 ↓ 不能说没事
        finding.withhold(f"没有印参考范围；报告单上印着标记 {finding.mark}")
    finding.severity = specimen.weigh(own, finding.name, finding.result, finding.unit)
    reached = specimen.weigh(None, finding.name, finding.result, finding.unit)
    if specimen.at_most and reached == "slight" and not finding.doubt:
        finding.doubts_value = False  # 写的是什么看懂了：`*1/*2 中间代谢型`
    if finding.severity == "grave" and reached != "grave" and finding.interval is None and not specimen.only_high:
        finding.severity = "severe"  # 脑脊液的白细胞印着 ↓ 而没有范围：今天就问，不说危急
    if finding.flag == "unknown" and finding.severity is None:
        if specimen.denies(finding.result) and not finding.doubts_value and not finding.floor:
            finding.flag, finding.note = "normal", "没有找到"
        else:
            _weigh_without_range(finding, specimen)


def is_marked_critical(finding: Finding) -> bool:
    """印着危急标记；目录认得的一项，HH、↑↑ 只算超出得多。"""
    printed = plain_flag(finding)
    return bool(_CRITICAL_FLAG.search(printed) or (_DOUBLED_FLAG.search(printed) and not finding.analyte))


def _is_beyond_clotting(finding: Finding) -> Direction | None:
    """凝血时间写着不凝、纤维蛋白原写着测不出：不是读不懂，是危急值。在哪一边；不是的为 None。"""
    code, result = finding.analyte and finding.analyte.code, finding.result.strip()
    if code in ("PT", "APTT", "INR", "TT") and _NEVER_CLOTS.fullmatch(result):
        return "high"
    return "low" if code == "FIB" and (_NEVER_CLOTS.fullmatch(result) or _TOO_LITTLE.fullmatch(result)) else None


def _weigh_without_range(finding: Finding, specimen: Specimen) -> None:
    """脑脊液、血培养、毒物这样的，没有范围可比的行：说找到了就是这么要紧，说没有的不是；危急的一类，别的也要今天问。"""
    value = finding.value
    word = value.words[0] if isinstance(value, QualitativeResult) else ""
    # `<10`、0：没有测到；`<500` 的水杨酸不知道有没有
    is_below = isinstance(value, Interval) and (value.low is None or value.high == 0)
    is_below = is_below and not specimen.weigh(None, finding.name, finding.result.lstrip("<≤＜= "), finding.unit)
    # 报告名里有那种毒物的，不等于这一行说的是它：有机磷中毒查的胆碱酯酶，低才要紧
    named = special_specimen("", finding.name, value, finding.flag) if specimen.only_high else None
    is_named = named is not None and named.say == specimen.say
    is_marked = bool(finding.mark) and ("normal",) not in flag_says(finding)
    # 没有单位的 `<5` 也许是 mg/L
    is_absent = is_below and is_named and not is_marked and bool(finding.unit or finding.result.strip() == "0")
    # 范围印着“未检出”而结果是个数：测到了
    is_found = isinstance(value, Interval) and not is_below and isinstance(finding.interval, QualitativeResult)
    if (word in ("阳性", "弱阳性") or is_found) and (specimen.at_most or at_least(specimen.severity, "marked")):
        finding.severity = specimen.severity
    elif is_absent and not isinstance(finding.interval, Interval) and not finding.doubts_value:
        finding.flag, finding.note = "normal", "没有测到"
    elif at_least(specimen.severity, "marked") and _is_above(value, finding.interval):
        finding.floor = min(specimen.severity, "severe", key=rank)  # 高出许多而没有标记：疑问不让它变得不要紧
    elif specimen.severity != "grave" or is_below or _IS_NO_RESULT.match(finding.name):
        return
    elif word not in ("阴性", "正常", "透明", "无色"):
        finding.floor = "severe"


def _is_above(value: Value | None, interval: ReferenceRange | None) -> bool:
    """数在印着的范围的上限以上。"""
    if not (isinstance(value, Interval) and isinstance(interval, Interval)):
        return False
    return value.low is not None and interval.high is not None and value.low > interval.high


def _weigh_measured(finding: Finding, measured: list[Measured]) -> None:
    """量出来的数：写了界限的照界限，没有到的至多轻微；没有把握的不断言，但也不让它变得不要紧。"""
    reached = worst(line.weigh(finding.result, finding.unit) for line in measured)
    if finding.doubts_value and finding.value is not None:
        finding.severity, finding.floor = None, reached
    else:
        finding.severity = reached or ("slight" if finding.severity else None)


def _severity_for_person(finding: Finding, person: Person) -> Severity | None:
    """孩子、孕妇的单子上印着一般成人的范围：按他那一群的范围又有多要紧。"""
    is_special = (person.pregnant or person.is_minor) and finding.has_general_range
    if not is_special or finding.flag_in_group(person) != finding.flag:
        return None
    analyte = finding.analyte
    return grade_deviation(finding.converted(), analyte.reference, finding.flag, analyte.unit, analyte, person)


def _is_usual_for(finding: Finding, person: Person) -> bool:
    """印着的是一般成人的范围，而目录里这个人那一群的范围容得下这个值。"""
    if not finding.analyte or finding.range_source != "printed":
        return False
    has_own_group = any(group.fits(person) for group in finding.analyte.groups)
    return has_own_group and finding.flag_in_group(person) == "normal"


def raise_alarm(finding: Finding, person: Person, report_type: str) -> None:
    """关于这一行要放在最前面的话，写在 finding.alarm；没有可说的不写。"""
    said = _describe(finding)
    possible, way = _possible_severity(finding, person)
    grave_unit = _grave_if_in(finding, possible, person)
    if finding.critical:
        reached = "达到危急值" if finding.analyte and isinstance(finding.value, Interval) else "要马上处理"
        finding.alarm = (
            f"{HURRY}：{said} {reached}。请现在就去急诊，或马上联系开单的医生，带上这张报告单。"
            "危急值的界限各医院标准不同，以本院为准；长期透析、抗凝、化疗的人按自己医生给的界限。"
        )
    elif finding.flag in ABNORMAL_FLAGS and is_marked_critical(finding):
        finding.alarm = f"{HURRY}：{said} 印着危急标记 {finding.mark}。请现在就联系开单的医生或去急诊，带上这张报告单。"
    elif possible == "grave" and misprints_unit(finding.value, finding.interval, finding.unit, finding.analyte):
        return  # 单位印错了，不是危急值
    elif grave_unit:
        finding.floor = "severe"
        why = "没有读到单位" if finding.lacks_unit else "单位与参考范围对不上"
        finding.alarm = f"{CHECK}：{said} {why}；单位若是 {grave_unit}，就要马上就医。请看清原件上的单位。"
    elif possible == "grave":
        finding.floor = "severe" if finding.doubts_value else "grave"
        finding.alarm = f"{CHECK}：{said} 这一行没有把握；如果没有读错，就达到了危急值，要尽快就医。"
        words, first_aid = told(finding.analyte.code, way, person)
        finding.alarm += first_aid + words
    elif possible == "severe" and not at_least(finding.severity, "severe"):
        finding.floor = "severe"
        finding.alarm = f"{CHECK}：{said} 这一行没有把握；如果没有读错，今天就要看医生。"
        finding.alarm += told(finding.analyte.code, way, person)[0]
    elif finding.flag == "unknown" and (is_marked_critical(finding) or _DOUBLED_FLAG.search(plain_flag(finding))):
        finding.floor = "severe"
        finding.alarm = f"{CHECK}：{said} 印着危急标记 {finding.mark}，这一行没有把握；如果没有读错，要尽快就医。"
    elif _is_unchecked(finding, person) and _OFF_THE_SCALE.match(finding.result.strip()):
        finding.floor = "severe"
        finding.alarm = f"{CHECK}：{said}，不是一个数，可能高得、低得测不出；请今天就问出报告的检验科或医生。"
    elif _is_unchecked(finding, person):
        finding.floor = "marked"
        finding.alarm = f"没能核对 {said} 是否达到危急值：没读出结果或单位对不上。请对照原件，这几天问医生。"
    elif possible and (finding.flag == "unknown" or finding.interval is None):
        finding.floor = possible  # 疑问不让它变得不要紧
    elif likely := alarming_if_likely(finding, person, finding.report_type or report_type):
        finding.floor, name, words = likely
        reached = "就达到了危急值，要尽快就医" if finding.floor == "grave" else "今天就要看医生"
        finding.alarm = f"{CHECK}：{said} 的名称、范围像是{name}；如果是，{reached}。{words}"


def _possible_severity(finding: Finding, person: Person) -> tuple[Severity | None, Direction | None]:
    """不论有什么疑问，如果数没有读错，它自己有多要紧、在哪一边（单位没有印的当作目录的）。已经断言了的不算。

    “几倍上限”照印着的范围算；没有印、没有读懂、与目录的相差太多的，照目录的算。
    """
    analyte = finding.analyte
    if not analyte or finding.severity == "grave":
        return None, None
    span, usual = span_of(finding.interval), span_of(analyte.reference or analyte.general)
    believes = span is not None and can_count_times(span, usual, finding.to_usual)
    values = [finding.value] if finding.value is not None else _numbers_in(finding.result) or [None]
    if believes:
        grades = [grade_value(value, finding.compared_unit or analyte.unit, analyte, person, span) for value in values]
    else:
        own = finding.converted() if finding.compared_unit else None
        grades = [grade_value(own or value, analyte.unit, analyte, person, usual) for value in values]
    guess = grade_value(_by_prefix(finding, analyte), analyte.unit, analyte, person, usual)
    # 单位是猜的，没有范围印证的只请今天核对原件；新生儿的黄疸不等
    is_bare_guess = guess[0] == "grave" and finding.interval is None and not person.is_newborn
    grades.append(("severe", guess[1]) if is_bare_guess else guess)
    severity, way = next((grade for grade in grades if grade[0] == worst(each for each, _ in grades)), grades[0])
    doubtful = finding.lacks_unit or finding.interval is None or (span and not believes)
    says = severity == "grave" or finding.flag == "unknown" or (finding.flag in ABNORMAL_FLAGS and doubtful)
    return (severity, way) if says else (None, None)


def _by_prefix(finding: Finding, analyte: Analyte) -> Value | None:
    """单位目录不认识、与目录的只差词头的，在目录的单位里可能是多少；猜不出为 None。

    没有范围的照印着的单位（0.36 mmol/L 的胆红素）；超出范围而照它谁也不会有的，是单位印错了（350 mmol/L 对 0-205）。
    """
    factor, value = metric_factor(finding.compared_unit, analyte.unit), finding.value
    is_unknown = analyte.code in load_severity().possible and analyte.convert(Decimal(1), finding.compared_unit) is None
    if factor is None or not is_unknown or not isinstance(value, Interval) or not value.is_point or value.low is None:
        return None
    scaled = Interval(value.low * factor, value.low * factor)
    is_unreal = is_impossible(scaled, analyte.unit, analyte)
    if finding.interval is None:
        return None if is_unreal else scaled
    is_misprint = is_unreal and finding.flag in ABNORMAL_FLAGS and not implied_unit(analyte, finding.interval)
    return value if is_misprint else None


def _numbers_in(result: str) -> list[Value | None]:
    """看不懂的结果里可能是结果的几个数，括号里另写的一个（`4.2(复查6.9)`）也是；别的字里的（日期、时间）不是。"""
    plain = _IN_BRACKETS.sub(r"/\1", result.strip())
    numbers = re.findall(_NUMBER, re.sub(r"[(（].*", "", plain)) if _ONLY_NUMBERS.fullmatch(plain) else []
    return [parse_result(number) for number in numbers]


def _grave_if_in(finding: Finding, possible: Severity | None, person: Person) -> str | None:
    """单位有疑问，照它才危急的单位；没有疑问为 None。`possible` 是照印着的、目录的单位有多要紧。

    危急的：换成另一个单位（不猜以百、万计的）正好在常见范围里（没印单位的 12.8 多半是 g/dL），印了单位的，范围也要是
    另一个单位的；活着的人不会有的（95 mmol/L 的血红蛋白），照另一个不危急就算。不危急的：都没有印，照另一个高得危急。
    """
    analyte, result = finding.analyte, finding.value
    if not analyte or not isinstance(result, Interval) or not result.is_point:
        return None
    own, known = finding.compared_unit or analyte.unit, analyte.known_intervals
    units = [unit for unit in analyte.conversions if not re.match("百|万|10|lakh", unit)]
    if not finding.lacks_unit:
        limits = finding.interval
        is_whole = isinstance(limits, Interval) and limits.is_bounded and limits.low > 0  # 只有一端的，看不出单位
        implied = implied_unit(analyte, finding.observation.interval) if is_whole else ""
        units = [implied] if implied and finding.to_usual(Decimal(1)) != analyte.convert(Decimal(1), implied) else []
        if units and possible == "grave" and is_impossible(result, own, analyte):
            return own if grade_value(result, implied, analyte, person)[0] != "grave" else None
    values = [analyte.convert(result.low, unit) for unit in units]
    fits = any(Interval(value, value).inside(limits) for value in values if value is not None for limits in known)
    if possible == "grave":
        return own if fits else None
    # 肌钙蛋白没有范围可比，有的以 ng/mL 计；宝宝经皮的胆红素以 mg/dL 计
    is_low = all(usual.low and result.high < usual.low for usual in known) if known else "CTN" in analyte.code
    is_low = is_low or analyte.code == "TBIL" and person.is_newborn
    is_bare = is_low and finding.lacks_unit and finding.interval is None
    # 只猜头一个，它最常用：没有单位的肌酐 1.1 是 mg/dL，谁也不以 mmol/L 计
    real = (unit for unit in units[:1] if is_bare and not is_impossible(result, unit, analyte))
    return next((unit for unit in real if grade_value(result, unit, analyte, person) == ("grave", "high")), None)


def _is_unchecked(finding: Finding, person: Person) -> bool:
    """可能危急的指标，没有读出数值，或异常得多而单位不能与表比。"""
    analyte = finding.analyte
    if not analyte or not can_be_grave(analyte, person):
        return False
    if finding.value is None or (finding.doubts_value and _LOST_DIGIT.match(finding.result)):
        return True
    if isinstance(finding.value, QualitativeResult) and analyte.intervals:
        # “<检测下限”归为阴性：少了也危急的（白细胞、血小板），不是没有事
        is_low_grave = any(line.grave for line in lines_for(analyte.code, "low", person))
        return not finding.value.is_graded or (is_low_grave and bool(_OFF_THE_SCALE.match(finding.result)))
    if finding.flag not in ABNORMAL_FLAGS or not isinstance(finding.value, Interval):
        return False
    return analyte.convert(Decimal(1), finding.compared_unit) is None and finding.severity != "slight"


def _describe(finding: Finding) -> str:
    """名称、结果与单位，没有转义。"""
    unit = "" if finding.unit and finding.unit in finding.result else finding.unit
    return " ".join(part for part in (finding.name or finding.code, finding.result, unit) if part)


def alarm_order(finding: Finding) -> int:
    """断言的危急值在先，其次是可能的，没能核对的在后。"""
    return {HURRY: 0, CHECK: 1}.get(finding.alarm.split("：")[0], 2)
