"""由两行合起来才看得出的：白细胞与百分比算出的中性粒细胞，先后几回变得快的，总的与直接的胆红素。各行的轻重都定了以后再看。"""

import re
from decimal import Decimal

from health_assistant.lab_report.alarms import CHECK, HURRY
from health_assistant.lab_report.catalogue import Direction, analytes_by_code
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.report import Severity, at_least, worst
from health_assistant.lab_report.severity import grade_value

_FAST: tuple[tuple[tuple[str, ...], Direction, Decimal, Severity, str], ...] = (
    (
        ("HS-CTNI", "CTNI", "CTNT"), "high", Decimal("1.5"), "grave",
        "心脏可能正在受伤。现在就去急诊做心电图并复查；胸痛、胸闷、出汗的坐下不要走动，打 120。",
    ),
    (
        ("CREA",), "high", Decimal(2), "severe",
        "肾可能正在受伤。今天就看医生，在用的药都带上；尿少、呕吐、气短的马上去急诊。",
    ),
    (
        ("HGB",), "low", Decimal("0.75"), "severe",
        "可能正在失血或溶血。今天就看医生；黑便、头晕站不住、心慌、出冷汗的打 120。",
    ),
    (
        ("PLT",), "low", Decimal("0.5"), "severe",
        "血小板降得快。今天就看医生，用过的药、抗凝针都告诉医生；出血点、黑便、一侧手脚肿痛的马上去急诊。",
    ),
)  # fmt: skip
"""哪几项、变到哪一边、到先前的几倍、多要紧、怎么办。

肌钙蛋白看一两小时的差（ESC 2023，倍数凭记忆）；肌酐两倍是急性肾损伤 2 期（KDIGO 2012）；血小板少一半是 4Ts 评分的
2 分（ASH 2018）；血红蛋白的凭记忆。
"""
_YEAR = re.compile(r"(?<!\d)20\d\d(?!\d)")
_ANOTHER_WAY = re.compile("透析|枸橼酸|EDTA|dialysis|citrate", re.IGNORECASE)
"""透析前后、换了采血管的，差的不是病情。"""


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


def weigh_fast_changes(findings: list[Finding]) -> None:
    """一张单子上先后几回的同一项变得快（见 `_FAST`），不等几天；先后看名称里的时刻、日子，没有写的照印的次序。

    不是同一年的不算；读数有疑问、单位换不了的不比。
    """
    for codes, way, times, severity, words in _FAST:
        for code in codes:
            same = [row for row in findings if row.analyte and row.analyte.code == code and not row.doubts_value]
            alike = [row for row in sorted(same, key=_when) if not _ANOTHER_WAY.search(row.name)]
            known = [(row, value.low) for row in alike if (value := row.converted()) and value.low]
            if len(known) < 2 or len({year for row, _ in known for year in _YEAR.findall(row.name)}) > 1:
                continue
            (last, now), before = known[-1], known[:-1]
            first, then = (min if way == "high" else max)(before, key=lambda pair: pair[1])
            if last.flag == way and (now >= then * times if way == "high" else now <= then * times):
                last.floor = worst([last.floor, severity])
                said = f"{last.name} {last.result} 与另一回的 {first.result} 差得多，{words}"
                last.alarm = last.alarm or (f"{HURRY}：{said}" if severity == "grave" else said)


def _when(finding: Finding) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", finding.name)]


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
