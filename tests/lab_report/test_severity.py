"""轻重：表自洽、有来源；值越坏越不会被说轻，疑问不让警报消失，换单位、换次序都一样；健康的人少被叫去看医生。"""

import random
import re
from decimal import Decimal
from importlib import resources

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from outcome_sheets import TIERS, load_sheets, read_sheet

from health_assistant.checked_yaml import BadYaml, check_yaml
from health_assistant.lab_report.alarms import CHECK, HURRY
from health_assistant.lab_report.assessment import assess, severity_of
from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.report import SEVERITIES, LabReport, PrintedRow, ReadReport, ReadRow
from health_assistant.lab_report.severity import SeverityFile, load_severity

CATALOGUE = {one.code: one for one in load_catalogue()}
TABLE = load_severity()
TEXT = resources.files("health_assistant.lab_report").joinpath("severity.yaml").read_text("utf-8")
TITLES = {"blood": "血液检查", "urine": "尿液分析", "stool": "粪便分析"}
NUMERIC = [one for one in CATALOGUE.values() if one.intervals]
BOUNDED_ABOVE = [one.code for one in NUMERIC if one.specimen == "blood" and one.intervals[0].high]


def sheet(*rows: PrintedRow, title="血液检查", **person) -> LabReport:
    return assess(ReadReport(items=list(rows), report_type=title, **person))


def row(code: str, result, limits: str | None = None, unit: str | None = None, mark: str | None = None) -> PrintedRow:
    one = CATALOGUE[code]
    text = result if isinstance(result, str) else format(result, "f")
    limits = str(one.intervals[0]) if limits is None else limits
    return PrintedRow(
        name=one.name,
        code=code,
        result=text,
        unit=one.unit if unit is None else unit,
        reference_range=limits,
        mark=mark,
    )


def rank(report: LabReport) -> tuple[int, int]:
    """(分级, 整个有多要紧)，大的更急。"""
    severity = severity_of(report)
    return TIERS.index(report.triage), SEVERITIES.index(severity) + 1 if severity else 0


# ---- 表 ----


def test_every_line_of_the_table_names_its_source_specimen_and_people():
    assert len(TABLE.grades) >= 150
    for line in TABLE.grades:
        assert line.source and line.specimen and line.who
        assert not line.grave or "memory" not in line.source, line.code
    assert not any(word in TEXT for word in ("doczj", "docduoduo", "360docs", "wenku", "scribd", "bwwdw"))


def test_what_is_said_of_a_grave_result_never_names_a_later_time():
    """什么时候去由级别说：写着“今天就去”的话，危急时就与“现在就去急诊”对不上；“口渴的当天去”那样有条件的不在内。"""
    table = load_severity()
    said = {line.say for line in table.grades if line.grave and line.say}
    said |= {
        specimen.say
        for specimen in table.specimens.values()
        if specimen.grave_words
        or "grave" in (specimen.severity, *specimen.words, *specimen.phrases, *specimen.young.values())
        or any("grave" in (*level.high, *level.low) for level in specimen.levels)
    }
    later = re.compile("(?:^|[：，；]|请|要|的人)(?:今天|当天|这几天|几天内)")
    assert not [text for text in said if later.search(text)]


def test_no_step_lies_inside_the_range_of_healthy_adults():
    for line in TABLE.grades:
        if line.who not in ("任何人", "成人") or line.way == "abnormal":
            continue
        for limits in CATALOGUE[line.code].intervals:
            first = line.steps[0][1]
            limit = limits.high if line.way == "high" else limits.low
            if limit is None or CATALOGUE[line.code].confidence == "C":
                continue
            edge = first.at if first.at is not None else limit * first.multiple
            assert edge >= limit if line.way == "high" else edge <= limit, (line.code, line.way, edge, limit)


SMALL = """
version: 1
sources: {list: 某医院危急值清单}
grades:
  - {code: K, way: high, who: 成人, specimen: 血清, unit: mmol/L, moderate: "5.5", grave: "6.2",
      source: [list], confidence: B}
variation: {K: {cvi: "4.1", source: list}}
cutoffs: [HIVAB]
wide: [CRP]
"""


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("code: K,", "code: XYZ,", "没有这些指标：XYZ"),
        ("source: [list]", "source: [book]", "没有这些来源：book"),
        ('moderate: "5.5"', "moderate: 5.5", "带引号"),
        ('moderate: "5.5"', 'moderate: "7.5"', "一级比一级重"),
        ('moderate: "5.5"', "moderate: [阳性]", "写数"),
        ("unit: mmol/L", "unit: mg/dL", "不是目录的"),
        ("confidence: B", "confidence: C", "不能是 C"),
        ("who: 成人", "who: 大人", "who"),
        ("way: high", "way: up", "way"),
        ("version: 1", "version: 1\nmore: 2", "不认识的键"),
    ],
)
def test_each_mistake_in_the_table_is_told(right, wrong, said):
    assert check_yaml(SeverityFile, SMALL, "severity.yaml")
    with pytest.raises(BadYaml, match=said):
        check_yaml(SeverityFile, SMALL.replace(right, wrong, 1), "severity.yaml")


# ---- 性质 ----


@pytest.mark.parametrize("one", NUMERIC, ids=lambda one: one.code)
def test_a_worse_value_is_never_said_to_be_milder(one):
    """由界限起一步一步走远，轻重与分级都不倒退；没有箭头，也没有第二行。"""
    limits = one.intervals[0]
    title = TITLES[one.specimen]
    for way, limit in (("high", limits.high), ("low", limits.low)):
        if not limit or limit <= 0:
            continue
        factors = [Decimal(n) / 100 for n in (101, 105, 110, 120, 135, 150, 200, 250, 300, 500, 800, 1500, 3000, 10000)]
        before = (0, 0)
        for factor in factors:
            value = (limit * factor if way == "high" else limit / factor).quantize(Decimal("0.0001"))
            mark = "↑" if way == "high" else "↓"
            now = rank(sheet(row(one.code, value, str(limits), mark=mark), title=title))
            assert now >= before, (one.code, way, value, now, before)
            before = now


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_worse_value_beside_others_never_lowers_the_triage(data):
    codes = data.draw(st.lists(st.sampled_from(BOUNDED_ABOVE), min_size=2, max_size=5, unique=True))
    factors = data.draw(st.lists(st.sampled_from([1, 2, 4, 10]), min_size=len(codes), max_size=len(codes)))
    worse = data.draw(st.integers(0, len(codes) - 1))
    if CATALOGUE[codes[worse]].is_harmless("high"):
        return

    def rows(extra: Decimal) -> list[PrintedRow]:
        built = []
        for at, (one, factor) in enumerate(zip(codes, factors, strict=True)):
            top = CATALOGUE[one].intervals[0].high
            value = top * Decimal(factor) * Decimal("0.99") * (extra if at == worse else 1)
            mark = "↑" if value > top else None
            built.append(row(one, value.quantize(Decimal("0.0001")), mark=mark))
        return built

    near, far = sheet(*rows(Decimal("1.02"))), sheet(*rows(Decimal(8)))
    if "unknown" in {near.items[worse].flag, far.items[worse].flag}:
        return  # 行与行对不上
    assert TIERS.index(far.triage) >= TIERS.index(near.triage), (near.items[worse], far.items[worse])


GRAVE = [
    (line.code, line.way, line.grave.at)
    for line in TABLE.grades
    if line.grave and line.grave.at is not None and line.who in ("任何人", "成人")
    if CATALOGUE[line.code].specimen == "blood"
]


@pytest.mark.parametrize(("code", "way", "edge"), GRAVE, ids=lambda part: str(part))
def test_no_doubt_silences_an_alarm(code, way, edge):
    """危急的值：加上任何疑问，都还在最前面说，至少今天就去。"""
    limits = str(CATALOGUE[code].intervals[0]) if CATALOGUE[code].intervals else ""
    clear = sheet(ReadRow.of(row(code, edge, limits, mark="↑" if way == "high" else "↓"), confidence=0.99))
    assert clear.triage == "urgent" and clear.notices[0].startswith((HURRY, CHECK)), clear
    low, high = min(edge, Decimal(0)) - 1, edge * 2 + 1
    swallowing = f"{low}~{high}" if low < 0 else f"0-{high}"
    doubts = {
        "读者的疑问": ReadRow.of(row(code, edge, limits), doubt="这一行有两个数"),
        "字迹不清": ReadRow.of(row(code, edge, limits), confidence=0.3),
        "标记相反": row(code, edge, limits, mark="↓" if way == "high" else "↑"),
        "看不懂范围": row(code, edge, "1-2-3"),
        "没有范围": row(code, edge, ""),
        "范围容得下它": row(code, edge, swallowing),
        "没有单位": row(code, edge, "", unit=""),
    }
    if find_analyte(CATALOGUE[code].name, code, "") is None:
        del doubts["没有单位"]  # 这一项凭单位才认得（mg/dL 计的尿素氮）
    for what, doubtful in doubts.items():
        report = sheet(doubtful)
        assert report.notices and report.notices[0].startswith((HURRY, CHECK)), (what, report)
        assert report.triage == "urgent" or (report.triage, report.when) == ("soon", "today"), (what, report)
        if what in ("标记相反", "看不懂范围", "没有范围", "范围容得下它"):
            assert report.triage == "urgent", (what, report)


@pytest.mark.parametrize("one", [one for one in NUMERIC if one.conversions], ids=lambda one: one.code)
def test_units_that_convert_give_the_same_severity(one):
    limits = one.intervals[0]
    for factor in ("1.05", "1.4", "2.2", "6", "40"):
        if not limits.high:
            continue
        value = limits.high * Decimal(factor)
        own = sheet(row(one.code, value, str(limits), mark="↑"), title=TITLES[one.specimen])
        for unit, ratio in one.conversions.items():
            scale = Decimal(ratio.denominator) / Decimal(ratio.numerator)
            ends = [None if bound is None else bound * scale for bound in (limits.low, limits.high)]
            other = row(one.code, value * scale, str(Interval(*ends)), unit, mark="↑")
            there = sheet(other, title=TITLES[one.specimen])
            if there.items[0].flag == "unknown":
                continue  # 同一个代号、这个单位是别的项目
            assert there.items[0].severity == own.items[0].severity, (unit, factor, there.items[0])


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_the_order_of_the_rows_changes_nothing(every):
    mixer = random.Random(7)
    for one in load_sheets()[::every]:
        report = read_sheet(one)
        if len(report.items) < 3:
            continue
        plain = assess(report)
        shuffled = report.model_copy(update={"items": mixer.sample(report.items, len(report.items))})
        mixed = assess(shuffled)
        assert (mixed.triage, mixed.when) == (plain.triage, plain.when), one["id"]
        assert sorted(str(item.severity) for item in mixed.items) == sorted(str(item.severity) for item in plain.items)


# ---- 健康的人 ----

MAN = {
    "ALT": "9 50", "ALP": "45 125", "GGT": "10 60", "TP": "65.0 85.0", "UREA": "3.1 8.0", "CREA": "57 97",
    "UA": "208 428", "K": "3.50 5.30", "NA": "137.0 147.0", "CL": "99 110", "CA": "2.11 2.52", "P": "0.85 1.51",
    "MG": "0.75 1.02", "GLU": "3.9 6.1", "LDH": "120 250",
    "CK": "50 310", "WBC": "3.50 9.50", "HGB": "130 175", "PLT": "125 350",
    "TSH": "0.27 4.20",
}  # fmt: skip
WOMAN = MAN | {
    "ALT": "7 40", "ALP": "35 100", "GGT": "7 45", "UREA": "2.6 7.5", "CREA": "41 73", "UA": "155 357", "CK": "40 200",
    "HGB": "115 150",
}  # fmt: skip
OLD_MAN = MAN | {"CREA": "57 111", "UREA": "3.6 9.5"}
CHILD = MAN | {
    "ALT": "7 30", "ALP": "141 460", "GGT": "5 19", "CREA": "27 66", "UREA": "2.7 7.0", "WBC": "4.30 11.30",
    "HGB": "118 156", "PLT": "167 453", "P": "1.16 1.87",
}  # fmt: skip
HEALTHY = {
    "40 岁男": (MAN, "男", "40岁"),
    "30 岁女": (WOMAN, "女", "30岁"),
    "75 岁男": (OLD_MAN, "男", "75岁"),
    "8 岁": (CHILD, "男", "8岁"),
}


@pytest.mark.parametrize(
    ("who", "people"), [("40 岁男", 200), *(pytest.param(who, 400, marks=pytest.mark.slow) for who in HEALTHY)]
)
def test_few_healthy_people_are_sent_to_a_doctor(who, people):
    """二十项各自独立、范围是中间 95% 的健康人（真的各项相关，实际更少）：至多 8% 去门诊，没有人去急诊。"""
    panel, sex, age = HEALTHY[who]
    dice, sent = random.Random(1), dict.fromkeys(TIERS, 0)
    for _ in range(people):
        rows = []
        for code, limits in panel.items():
            low, high = map(Decimal, limits.split())
            drawn = max(dice.gauss(float(low + high) / 2, float(high - low) / 3.92), 0.01)
            value = Decimal(drawn).quantize(high)
            mark = "↑" if value > high else "↓" if value < low else None
            rows.append(row(code, value, f"{low}-{high}", mark=mark))
        sent[sheet(*rows, title="体检生化", sex=sex, age=age).triage] += 1
    assert sent["urgent"] == 0
    assert sent["soon"] <= 0.08 * people, sent
