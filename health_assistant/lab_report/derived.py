"""由两行合起来才看得出的：算出的中性粒细胞，几小时里在升的肌钙蛋白，总的与直接的胆红素。各行的轻重都定了以后再看。"""

import re
from decimal import Decimal

from health_assistant.lab_report.alarms import CHECK, HURRY
from health_assistant.lab_report.catalogue import analytes_by_code
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.report import at_least
from health_assistant.lab_report.severity import grade_value

_RISE = Decimal("1.5")
"""肌钙蛋白升到先前的几倍是在升：看一两小时的差（ESC 2023，倍数凭记忆）。"""
_RISE_IN_HOURS, _LEAST_RISE = 12, Decimal("1.2")
"""高敏肌钙蛋白几小时升了这么多 ng/L，又升了两成，也是（ESC 2023 的 1 小时差：各家 6、12、15；
本来就高的要变 20%，见心肌梗死通用定义第四版，凭记忆）；还在范围里的只看 I，要升到 1.5 倍。"""
_NTH = "1一2二3三4四5五"
_DRAWN = re.compile(
    r"[(（]?(?:(?<![\d.:：])(?:(?P<after>\d+(?:\.\d+)?)\s*(?:(?P<hours>h|hrs?|小时)|min|分钟)(?![A-Za-z])后?"
    rf"|(?P<hour>\d{{1,2}})[:：](?P<minute>\d\d))|第(?P<nth>[{_NTH}])次)[)）]?",
    re.IGNORECASE,
)
"""名称里说的是哪一回：第几小时的、几点几分的、第几次的。"""
_DAY, _LONGEST = 24 * 60, 16 * 60
"""隔得比 16 小时还久的两个钟点，早的那个是后半夜的。"""


def weigh_together(findings: list[Finding], person: Person) -> None:
    """改写各行的轻重、警报。"""
    derive_neutrophils(findings, person)
    weigh_direct_bilirubin(findings, person)
    weigh_rising_troponin(findings)


def derive_neutrophils(findings: list[Finding], person: Person) -> None:
    """只印了百分比的，由白细胞算出中性粒细胞有多少：少到危险的照样要说。"""
    by_code = {finding.analyte.code: finding for finding in findings if finding.analyte}
    count, share = by_code.get("WBC"), by_code.get("NEUT%")
    if "NEUT#" in by_code or not count or not share or count.doubts_value or share.doubts_value:
        return
    cells, percent = count.converted(), share.converted()
    if not (cells and percent and cells.is_point and percent.is_point):
        return
    value = (cells.low * percent.low / 100).quantize(Decimal("0.01"))
    neutrophils = analytes_by_code()["NEUT#"].for_person(person)
    severity, way = grade_value(Interval(value, value), neutrophils.unit, neutrophils, person)
    if way == "low" and at_least(severity, "severe"):
        share.floor = severity
        share.alarm = (
            f"{HURRY if severity == 'grave' else CHECK}：由白细胞和中性粒细胞百分比算出，中性粒细胞只有约 "
            f"{value} 10^9/L，容易感染。发热（38℃ 以上）要马上去急诊；没有发热的今天就去血液内科或急诊。"
        )


def weigh_rising_troponin(findings: list[Finding]) -> None:
    """几小时里抽了几回的肌钙蛋白在升：现在就去急诊。只比名称相同、或只差哪一回的；读数有疑问、单位换不了的不比。"""
    for code in ("HS-CTNI", "CTNI", "CTNT"):
        same = [row for row in findings if row.analyte and row.analyte.code == code and not row.doubts_value]
        known = [(_minutes(row), row, value.low) for row in same if (value := row.converted()) and value.low]
        night = max((minutes for minutes, _, _ in known), default=0) - _LONGEST
        known = [(minutes + _DAY * (_DAY <= minutes < night), row, low) for minutes, row, low in known]
        known.sort(key=lambda draw: draw[0])
        is_alike = len({_DRAWN.sub("", row.name).strip() for _, row, _ in known}) == 1
        if not is_alike or len({minutes >= 0 for minutes, _, _ in known}) > 1:
            continue
        *before, (_, last, now) = known
        _, first, then = min(before, key=lambda draw: draw[2], default=known[-1])
        is_fast = code != "CTNI" and known[0][0] >= 0 and now - then >= _RISE_IN_HOURS and now >= then * _LEAST_RISE
        has_risen = now >= then * _RISE
        if last.flag == "high" and (has_risen or is_fast) or code == "HS-CTNI" and has_risen and is_fast:
            last.floor = "grave"
            last.alarm = last.alarm or (
                f"{HURRY}：{last.name} {last.result} 与另一回的 {first.result} 差得多，心脏可能正在受伤。"
                "现在就去急诊做心电图并复查；胸痛、胸闷、出汗的坐下不要走动，打 120。"
            )


def _minutes(finding: Finding) -> Decimal:
    """名称里说的第几分钟抽的，第几次的只有先后；几点钟的从 1440 起，没有说的为 -1。"""
    drawn = _DRAWN.search(finding.name)
    if drawn is None:
        return Decimal(-1)
    if drawn["hour"]:
        return Decimal(drawn["hour"]) * 60 + int(drawn["minute"]) + _DAY
    if drawn["nth"]:
        return Decimal(_NTH.index(drawn["nth"]))
    return Decimal(drawn["after"]) * (60 if drawn["hours"] else 1)


def weigh_direct_bilirubin(findings: list[Finding], person: Person) -> None:
    """新生儿黄得重时直接的也跟着高一点：不到 17 μmol/L（1 mg/dL，AAP 2022）又不到总的五分之一的，不是胆道的事。"""
    by_code = {finding.analyte.code: finding for finding in findings if finding.analyte and not finding.doubts_value}
    total, direct = by_code.get("TBIL"), by_code.get("DBIL")
    if not (person.is_newborn and total and direct and direct.severity):
        return
    whole, part = total.converted(), direct.converted()
    if not (whole and part and whole.is_point and part.is_point and direct.flag != "normal"):
        return
    if whole.low > 85 and part.low < min(Decimal(17), whole.low / 5):
        direct.severity, direct.floor, direct.leaning, direct.is_usual = "slight", None, None, True
        direct.note = "直接胆红素占不到总的五分之一，宝宝黄的时候它会跟着高一点"
