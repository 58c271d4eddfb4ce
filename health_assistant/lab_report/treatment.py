"""报告单上写着正在用的治疗（抗凝、升白针、硫酸镁）：它本来要让这一项到的数，不当作异常去吓人；过了的照旧。"""

import re
from decimal import Decimal

from health_assistant.lab_report.alarms import is_marked_critical
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.presence import presence
from health_assistant.lab_report.reference_range import OF_TREATED, parse_range
from health_assistant.lab_report.report import Severity, worst
from health_assistant.lab_report.severity import span_of
from health_assistant.lab_report.word_lists import any_of

_ANTICOAGULATED = {"INR": Decimal("3.5"), "PT": Decimal(42)}
_TREATMENTS: tuple[tuple[re.Pattern[str], dict[str, Decimal]], ...] = (
    (
        re.compile("(?<![停未])(?<!停[用服])(?:抗凝(?:门诊|治疗|监测|药|中)|华法林|warfarin)", re.IGNORECASE),
        _ANTICOAGULATED,
    ),
    (
        re.compile("G-?CSF|升白|集落刺激因子", re.IGNORECASE),
        {"WBC": Decimal(60), "NEUT#": Decimal(50), "NEUT%": Decimal(98), "BAND%": Decimal(40), "IG%": Decimal(20)},
    ),
    (re.compile("硫酸镁|MgSO4", re.IGNORECASE), {"MG": Decimal("3.5")}),
)
"""报告名、名称里的治疗 -> 各项本来会高到多少（目录的单位）。

抗凝的 INR 多在 2.0–3.0，二尖瓣的机械瓣 2.5–3.5（AHA/ACC 1998，见 https://heart.bmj.com/highwire/markup/97723/expansion），
PT 跟着长（凭记忆）；硫酸镁治子痫前期要到 1.8–3.5 mmol/L，再高膝反射先没有（https://doi.org/10.1186/s12884-020-03277-0）；打升白针的
白细胞到 70 才要减（Blood，1997;90:903），这里取 60，中性粒细胞一类的跟着取，凭记忆。
"""
_WARFARIN = re.compile("华法林|warfarin|抗凝门诊", re.IGNORECASE)
_NOT_ON_WARFARIN = any_of("not_on_warfarin")
"""没有在吃、停了的，用的是别的抗凝药（它们不看 INR）。"""
_HURTS_NEUTROPHILS = any_of("hurts_neutrophils")
_HURTS_LIVER = any_of("hurts_liver")
_NOT_TAKEN = any_of("not_taken")
_CLOZAPINE = re.compile("氯氮平|clozapine|CLZ", re.IGNORECASE)
_HURTS_PLATELETS = any_of("hurts_platelets")
_FEWEST = {
    "WBC": (_HURTS_NEUTROPHILS, Decimal(3)),
    "NEUT#": (_HURTS_NEUTROPHILS, Decimal("1.5")),
    "PLT": (_HURTS_PLATELETS, Decimal(100)),
}
"""用着哪一类药，白细胞、中性粒细胞、血小板少到（目录的单位）这些数，不等几周。

用着肝素的，血小板少要当天排除肝素诱导的血小板减少（ASH 2018 的 4Ts 评分，界限凭记忆）。
氯氮平的 ANC 不到 1.5 要在 24 小时内再查（FDA 说明书，https://pmc.ncbi.nlm.nih.gov/articles/PMC9243911/table/Tab6），
白细胞不到 3.0 同样（欧洲说明书，凭记忆）；别的药几天内问，凭记忆。
"""
_USUAL_ENZYMES = {"ALT": Decimal(40), "AST": Decimal(40)}
_TIMES_INJURED = 3
"""用着伤肝的药，转氨酶到上限的三倍，不等几周；上限取印着的与常见的 40 U/L 里低的一个。

来氟米特说明书：高于三倍要停药；甲氨蝶呤同样；都凭记忆。
"""
_ASK_LOWERED = "单子上有会让它变少的药，请{when}问开药的医生：能不能再用、多久再查；发热、嗓子痛的马上去急诊。"
_ASK_HEPARIN = (
    "单子上有肝素，它偶尔会让血小板变少、又长血栓，请{when}问开药的医生：能不能再用、要不要查抗体；"
    "一侧手脚肿痛、胸痛、气短的马上去急诊。"
)
_ASK_LIVER = "单子上有会伤肝的药，请{when}问开药的医生：能不能再用、多久再查；眼睛发黄、尿色深、恶心呕吐的当天就看。"
_CLUMPED, _NOT_CLUMPED, _NOT_IN_EDTA = any_of("clumped"), any_of("not_clumped"), any_of("not_in_edta")
_THYROID_CANCER = re.compile("甲状腺(?:乳头状|滤泡状|髓样)?癌|甲癌", re.IGNORECASE)
_USUAL_TSH, _HIGH_TSH = 2, 10
"""TSH（mIU/L）范围的上限不到 2 的是抑制治疗的目标；到 10 的不论目标是多少都照常（凭记忆）。"""
_ON_TARGET = Decimal("1.5")
"""INR 的范围印着 2.0-3.0 的（下限在它以上），是在抗凝的人的目标。"""
_FAR_BELOW_TARGET = Decimal("0.5")
"""低于目标不到 0.5 的照旧吃、1–2 周内再查，更低的防不住血栓，几天内问（ACCP 2012，凭记忆）。"""
BELOW_TARGET = (
    "没有用抗凝药的人这个数是正常的；正在吃华法林的没有到目标，防不住血栓：这几天联系开药的医生，不要自己加药"
)


def settle_treated(findings: list[Finding], report_type: str) -> list[tuple[list[Finding], str]]:
    """在治疗要到的范围里的高，不算轻重、不急，说明为什么；`report_type` 是整张的报告名。读数有疑问的不改。

    返回要问开药的医生的几行与各自的话：多快去问要等整张的轻重，见 `ask_prescriber`。
    """
    inr = [finding for finding in findings if finding.analyte and finding.analyte.code == "INR"]
    on_target = any(finding.flag == "normal" and _low_of(finding) > _ON_TARGET for finding in inr)
    hurt = _hurt_by_drugs(findings, report_type)
    is_clumped = _says_clumped(findings, report_type)
    is_pt_usual = any(row.analyte and row.analyte.code == "PT" and row.flag == "normal" for row in findings)
    for finding in findings:
        _note_target(finding)
        said = f"{finding.report_type or report_type} {finding.name}"
        most = _ANTICOAGULATED if on_target else {}
        for treatment, expected in _TREATMENTS:
            most = most | expected if treatment.search(said) else most
        missed = _missed_target(finding)
        if missed and finding.flag == "low":
            is_treated = not _NOT_ON_WARFARIN.search(said) and (_WARFARIN.search(said) or not is_pt_usual)
            is_far = is_treated and missed >= _FAR_BELOW_TARGET
            finding.severity = worst([finding.severity, "marked" if is_far else "moderate"])
        if finding.severity == "moderate" and _is_over_suppression(finding, said):
            finding.severity = "slight"
        if is_marked_critical(finding):
            continue  # 医院自己说是危急值
        is_few = finding.analyte is not None and finding.analyte.code == "PLT" and finding.flag == "low"
        if is_clumped and is_few and finding.severity != "grave" and not finding.floor:
            finding.severity = "marked" if finding.severity == "severe" else finding.severity
            finding.note = (
                "单子上写着血小板聚集：多半是采血管里的抗凝剂（EDTA）让它聚成团、数少了；"
                "这几天换枸橼酸钠的管（或手指血）重抽，正常就没有事"
            )
        is_on_warfarin = _WARFARIN.search(said) and not _NOT_ON_WARFARIN.search(said)
        if is_on_warfarin and not on_target and _is_untreated(finding):
            finding.withhold(BELOW_TARGET)
            finding.floor = "marked"
        if finding.flag in ("high", "unknown") and finding.severity and _is_within(finding, most):
            finding.severity, finding.critical = None, False  # 连“轻微超出”也不是：治疗就是要它到这里
            finding.is_usual = finding.is_treated = True
            finding.floor = finding.alarm = None
            finding.note = "报告单上写着正在用的治疗，它本来就要到这个数；合不合目标由开药的医生看"
    return hurt


def ask_prescriber(hurt: list[tuple[list[Finding], str]], severity: Severity | None) -> None:
    """请人问开药的医生，同一种药只在还没有警报的头一行说一次；`hurt` 见 `settle_treated`。

    问药不比整张（severity）慢，现在就要去的不另说时间。
    """
    when = {"grave": "", "severe": "今天就"}.get(severity, "这几天")
    for findings, sentence in hurt:
        unsaid = [finding for finding in findings if not finding.alarm]
        for finding in unsaid[:1]:
            finding.alarm = f"{finding.name} {finding.result}：{sentence.format(when=when)}"


def _says_clumped(findings: list[Finding], report_type: str) -> bool:
    """单子上说血小板聚集，没有否认；也在别的管里数过的不算：那一管也少，就是真的少。"""
    said = [f"{row.report_type or report_type} {row.name} {row.result}" for row in findings]
    if any(map(_NOT_IN_EDTA.search, said)):
        return False
    clauses = re.split(r"[，,。;；\n](?!\s*[已经]*(?:排除|除外|纠正))", "。".join(said))
    return any(_CLUMPED.search(clause) and not _NOT_CLUMPED.search(clause) for clause in clauses)


def _note_target(finding: Finding) -> None:
    """范围里也印着抗凝的人的目标：是不是在用药由人看，在目标里的、没有到目标的，两种人各怎么办都说。"""
    target = OF_TREATED.search(finding.reference_range)
    if not (target and finding.analyte and finding.analyte.code == "INR" and finding.flag in ("high", "normal")):
        return
    interval, value = parse_range(target["before"] or target["behind"]), finding.value
    if not (isinstance(interval, Interval) and isinstance(value, Interval)):
        return
    if value.inside(interval):
        finding.note = (
            "单子上也印着抗凝的人的目标，这个数在目标里：正在抗凝的按医生约的日子复查，没有抗凝的这几天看医生"
        )
    elif finding.flag == "normal":
        finding.note = BELOW_TARGET  # 没有用药的人（术前检查）多得多：只说，不算事


def _hurt_by_drugs(findings: list[Finding], report_type: str) -> list[tuple[list[Finding], str]]:
    """单子上量着、写着会压低中性粒细胞、伤肝的药，而已经少了、高了：不等几周。返回的见 `settle_treated`。"""
    said = [report_type, *(finding.report_type or "" for finding in findings)]
    said += [f"{finding.name} {finding.result}" for finding in findings if not _is_absent(finding)]
    parts = re.split(r"[，,;；。\n](?!\s*(?:declin|refus|stop|held))", "，".join(said))
    taken = [part for part in parts if not _NOT_TAKEN.search(part)]
    few = [finding for finding in findings if finding.flag == "low" and _is_few(finding, taken)]
    is_clozapine = any(_CLOZAPINE.search(part) for part in taken)
    clotting = [finding for finding in few if finding.analyte.code == "PLT"]
    for finding in few:
        finding.severity = worst([finding.severity, "marked"])
        finding.floor = worst([finding.floor, "severe" if is_clozapine or finding in clotting else None])
    is_liver_at_risk = any(_HURTS_LIVER.search(part) for part in taken)
    injured = [finding for finding in findings if is_liver_at_risk and finding.flag == "high" and _is_injured(finding)]
    for finding in injured:
        finding.severity = worst([finding.severity, "marked"])
    lowered = [finding for finding in few if finding not in clotting]
    return [(lowered, _ASK_LOWERED), (clotting, _ASK_HEPARIN), (injured, _ASK_LIVER)]


def _is_absent(finding: Finding) -> bool:
    """没有测到：0、`<20`、阴性、未检出。"""
    if isinstance(finding.value, Interval):
        return finding.value.low is None or finding.value.high == 0
    return presence(finding.result) == "阴性"


def _is_few(finding: Finding, taken: list[str]) -> bool:
    """血细胞少到要问药还能不能用；taken 是单子上说的各种在用的药。"""
    drugs, limit = _FEWEST.get(finding.analyte.code, (None, None)) if finding.analyte else (None, None)
    value = finding.converted() if drugs and any(map(drugs.search, taken)) else None
    return value is not None and value.high is not None and value.high < limit


def _is_injured(finding: Finding) -> bool:
    """转氨酶高到要问药还能不能用。"""
    usual = _USUAL_ENZYMES.get(finding.analyte.code) if finding.analyte else None
    value = finding.converted() if usual is not None else None
    if value is None or value.low is None:
        return False
    span = span_of(finding.interval)
    printed = finding.analyte.bounds(span, finding.compared_unit)[1] if span else None
    return value.low >= _TIMES_INJURED * min(printed or usual, usual)


def _is_untreated(finding: Finding) -> bool:
    """写着正在吃华法林，INR 却与没有用药的人一样：药没有起作用，防不住血栓。读数有疑问的不算。"""
    is_inr = finding.analyte is not None and finding.analyte.code == "INR"
    return is_inr and finding.flag == "normal" and not finding.doubts_value and _low_of(finding) < _ON_TARGET


def _missed_target(finding: Finding) -> Decimal:
    """INR 印的范围就是在抗凝的人的目标时，低于下限多少；不低、读数有疑问、印的不是目标的为 0。"""
    is_inr, low = finding.analyte is not None and finding.analyte.code == "INR", _low_of(finding)
    value = finding.value if is_inr and low > _ON_TARGET and not finding.doubts_value else None
    if not isinstance(value, Interval) or value.high is None:
        return Decimal(0)
    return max(low - value.high, Decimal(0))


def _is_over_suppression(finding: Finding, said: str) -> bool:
    """TSH 高过的是抑制治疗的目标（甲状腺癌术后，上限不到 2）：不是甲减，没有到 10 的不看高了几倍。"""
    if finding.analyte is None or finding.analyte.code != "TSH" or finding.flag != "high":
        return False
    high, value = finding.interval.high if isinstance(finding.interval, Interval) else None, finding.converted()
    is_target = high is not None and high < _USUAL_TSH or bool(_THYROID_CANCER.search(said))
    return is_target and value is not None and value.high is not None and value.high < _HIGH_TSH


def _low_of(finding: Finding) -> Decimal:
    """印着的范围的下限；没有的为 0。"""
    return (finding.interval.low or Decimal(0)) if isinstance(finding.interval, Interval) else Decimal(0)


def _is_within(finding: Finding, most: dict[str, Decimal]) -> bool:
    """比常见范围高、没有高过治疗要到的；不是数、单位换不了、读数有疑问的，范围印的就是目标的不是。"""
    limit = most.get(finding.analyte.code) if finding.analyte else None
    value = finding.converted() if limit is not None and not finding.doubts_value else None
    usual = finding.analyte.known_intervals if value else ()
    is_target = finding.analyte is not None and finding.analyte.code == "INR" and _low_of(finding) > _ON_TARGET
    if limit is None or value is None or value.low is None or not value.is_point or is_target:
        return False
    return value.low <= limit and all(interval.high is None or value.low > interval.high for interval in usual)
