"""组合：每个组合有成立的、有不成立的；写错了会说在哪里。"""

import re
from importlib import resources

import pytest
from outcome_sheets import compose_advice

from health_assistant.checked_yaml import BadYaml, check_yaml
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.catalogue import load_catalogue
from health_assistant.lab_report.judgement import Finding
from health_assistant.lab_report.observation import observe
from health_assistant.lab_report.patterns import PatternFile, find_patterns, load_patterns
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.reference_range import parse_range
from health_assistant.lab_report.report import (
    LabItem,
    PrintedRow,
    ReadReport,
)

CATALOGUE = {one.code: one for one in load_catalogue()}
PATTERNS = {one.id: one for one in load_patterns()}
TEXT = resources.files("health_assistant.lab_report").joinpath("patterns.yaml").read_text("utf-8")
OTHER = {
    "high": "normal", "low": "normal", "abnormal": "normal", "normal": "high", "positive": "negative",
    "negative": "positive",
}  # fmt: skip
FLAGS = {"positive": "high", "negative": "normal"}
DOSE = re.compile(
    r"\d\s*(mg|毫克|微克|片|粒|丸|次|支)|每[日天].{0,3}次|服用|口服|注射|剂量|胶囊|头孢|他汀|沙星|西林|布洛芬"
)


def item(code: str, condition, usual: str = "moderate", **changes) -> LabItem:
    """一行，正好是这样：condition 是 Condition 或 “high”一类的词；没有说多重的是 usual。"""
    one = CATALOGUE[code]
    state = getattr(condition, "state", condition)
    severity = getattr(condition, "floor", None) or (usual if FLAGS.get(state, state) != "normal" else None)
    values = {"name": one.name, "code": "", "result": "1", "unit": one.unit, "applied_range": "0-1"} | changes
    return LabItem(flag=FLAGS.get(state, state), severity=values.pop("severity", severity), **values)


def rows_of(pattern) -> dict:
    """刚好使组合成立的行要怎样。"""
    first = dict([next(iter(pattern.any.items()))]) if pattern.any else {}
    return {key.split("|")[0]: condition for key, condition in pattern.all.items()} | first


def items_of(pattern, rows: dict | None = None) -> list[LabItem]:
    """刚好使组合成立的行；没有大碍的组合，行也只是轻微。"""
    usual = "slight" if pattern.severity in ("none", "slight") else "moderate"
    return [item(code, condition, usual) for code, condition in (rows or rows_of(pattern)).items() if condition]


PEOPLE = {
    "成人": {"age": "45岁", "sex": "女"},
    "不在孕期的成人": {"age": "45岁", "sex": "女"},
    "儿童": {"age": "8岁"}, "新生儿": {"age": "3天"},
    "孕妇": {"age": "30岁", "sex": "女", "report_type": "孕30周"},
    "产后": {"age": "30岁", "sex": "女", "report_type": "产后2天"},
}  # fmt: skip


def about(pattern) -> dict:
    """这个组合用得上的人与报告名。"""
    person = dict(PEOPLE[pattern.people[0]])
    if pattern.report_type:
        person["report_type"] = person.get("report_type", "") + pattern.report_type[0]
    return person


def report(*items: LabItem, triage="soon", when=None, **about) -> Assessment:
    """已经判断成这样的一份报告，不经过判断。"""
    read = ReadReport(items=list(items), **about)
    person, title = person_of(read), read.report_type
    findings = [
        Finding(
            **dict(one),
            observation=observe(one, title, person),
            interval=parse_range(one.applied_range),
        )
        for one in items
    ]
    matches = find_patterns(person, findings, title)
    judged = {"items": findings, "triage": triage, "when": when, "person": person, "matches": matches}
    return Assessment(**about, **judged)


def found(one: Assessment) -> list[str]:
    return [match.pattern.id for match in one.matches]


def judged(*rows: tuple[str, str, str, str], **about) -> Assessment:
    items = [
        PrintedRow(name=name, result=result, unit=unit, reference_range=limits) for name, result, unit, limits in rows
    ]
    return assess(ReadReport(items=items, **about))


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pattern_fires_when_every_row_agrees(pattern):
    one = report(*items_of(pattern), **about(pattern))
    assert pattern.id in found(one)
    assert f"{pattern.title}（" in compose_advice(one)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pattern_is_silent_when_any_row_differs_is_unknown_or_missing(pattern):
    wanted = rows_of(pattern)

    def fires(rows: dict) -> bool:
        return pattern.id in found(report(*items_of(pattern, rows), **about(pattern)))

    for code, condition in wanted.items():
        for changed in (OTHER[condition.state], "unknown", None):
            assert not fires({**wanted, code: changed}), (code, changed)
    for code, condition in pattern.unless.items():
        for against in (condition, "unknown"):
            if code not in wanted:
                assert not fires({**wanted, code: against}), (code, against)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pattern_claims_nothing_for_other_people_or_specimens(pattern):
    rows = items_of(pattern)
    meant = about(pattern)
    for who, person in PEOPLE.items():
        is_meant = who in pattern.people or ("成人" in who and "成人" in "".join(pattern.people))
        is_meant = is_meant or (who == "孕妇" and "成人" in pattern.people)
        is_meant = is_meant or (who == "产后" and "成人" in "".join(pattern.people))
        if not is_meant and not pattern.report_type:
            assert pattern.id not in found(report(*rows, **person))
    says_age = {"孕妇", "产后"} & set(pattern.people)  # 报告名就说了是成人
    assert pattern.id not in found(report(*rows, **meant | {"age": "看不清"})) or says_age
    if all(CATALOGUE[code].specimen == "blood" for code in rows_of(pattern)):
        assert found(report(*rows, **meant | {"report_type": "胸水生化"})) == []


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_what_to_do_is_not_slower_than_the_severity(pattern):
    """要几天内看的，不说几个月后再查；今天、现在就要看的，不说几周。"""
    if pattern.severity in ("marked", "severe", "grave"):
        assert not re.search(r"\d+ ?[–-]?\d* ?个月|半年|一年", pattern.action), pattern.action
    if pattern.severity in ("severe", "grave"):
        assert not re.search(r"周后|周内|几周|几天内", pattern.action), pattern.action
    if pattern.severity == "grave":
        assert re.search("急诊|马上|现在|立即|120|今天", pattern.action), pattern.action


def test_patterns_of_blood_are_not_found_in_urine():
    rows = [item("GLU", "high", name="葡萄糖"), item("TG", "high")]
    assert found(report(*rows, report_type="生化")) == ["glucose_lipids"]
    assert "glucose_lipids" not in found(report(*rows, report_type="尿液分析"))


def test_a_row_printed_twice_must_agree_with_itself():
    rows = [item("ALT", "high"), item("AST", "high")]
    assert found(report(*rows)) == ["liver_cells"]
    assert found(report(*rows, item("ALT", "normal"))) == []


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("+-+-+", "hbv_e_positive"), ("+--++", "hbv_e_negative"), ("+---+", "hbv_two_positive"),
        ("-+---", "hbv_vaccine"), ("-+--+", "hbv_recovered"), ("-+-++", "hbv_recovered"),
        ("----+", "hbv_core_only"), ("---++", "hbv_core_only"), ("-----", "hbv_susceptible"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["words", "numbers"])
def test_hepatitis_b(states, expected, kind):
    names = ["乙肝表面抗原", "乙肝表面抗体", "乙肝e抗原", "乙肝e抗体", "乙肝核心抗体"]
    rows = [
        (name, "阳性(+)" if state == "+" else "阴性(-)", "", "阴性")
        if kind == "words"
        else (name, "5.0" if state == "+" else "0.01", "S/CO", "0-1")
        for name, state in zip(names, states, strict=True)
    ]
    assert found(judged(*rows)) == [expected]


def test_reversed_ranges_of_antibodies_say_nothing():
    """表面抗体印 ≥10 时“正常”才是阳性，竞争法印 >1 时“正常”才是阴性：方向是反的，不能套用。"""
    rows = [
        ("乙肝表面抗原", "阴性", "", "阴性"),
        ("乙肝核心抗体", "0.01", "", ">1"),
        ("乙肝表面抗体", "0", "mIU/mL", "≥10"),
    ]
    assert found(judged(*rows)) == []


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("血红蛋白", "81", "g/L", "130-175"), ("平均红细胞体积", "72", "fL", "82-100")], "anaemia_microcytic"),
        ([("血红蛋白", "81", "g/L", "130-175"), ("平均红细胞体积", "112", "fL", "82-100")], "anaemia_macrocytic"),
        ([("血红蛋白", "81", "g/L", "130-175"), ("平均红细胞体积", "90", "fL", "82-100")], "anaemia_normocytic"),
        ([("促甲状腺激素", "0.01", "mIU/L", "0.27-4.2"), ("游离T4", "40", "pmol/L", "12-22")], "hyperthyroid"),
        ([("促甲状腺激素", "9", "mIU/L", "0.27-4.2"), ("游离T4", "15", "pmol/L", "12-22")], "hypothyroid_subclinical"),
        ([("谷丙转氨酶", "90", "U/L", "9-50"), ("谷草转氨酶", "80", "U/L", "15-40")], "liver_cells"),
        ([("ALP", "300", "U/L", "45-125"), ("谷氨酰转肽酶", "300", "U/L", "10-60")], "cholestasis"),
        ([("尿糖", "2+", "", "阴性"), ("尿酮体", "2+", "", "阴性")], "ketosis_urine"),
        ([("便潜血", "阳性", "", "阴性"), ("血红蛋白", "90", "g/L", "130-175")], "stool_bleeding"),
    ],
)
def test_patterns_from_real_rows(rows, expected):
    assert found(judged(*rows)) == [expected]


def test_what_an_earlier_pattern_explained_is_not_explained_again():
    low = {"HGB": "low", "MCV": "low", "FER": "low", "RBC": "low", "HCT": "low"}
    assert found(report(*(item(*row) for row in low.items()))) == ["iron_deficiency_anaemia"], "有铁蛋白的说得更准"
    rows = [item("PT", "high"), item("APTT", "high"), item("PLT", "low"), item("FIB", "low"), item("D-D", "high")]
    assert found(report(*rows)) == ["clotting_used_up"], "急的在前，已经解释了的不再重复"


@pytest.mark.parametrize(
    ("glucose", "ketones", "may_be"), [("12.6", "4+", True), ("12.6", "阴性", False), ("4.6", "4+", False)]
)
def test_a_doubted_number_still_completes_a_grave_pattern(glucose, ketones, may_be):
    rows = [
        PrintedRow(name="葡萄糖", result=glucose, unit="mmol/L"),  # 别的行有标记，它没有印范围也没有标记：1 可能是箭头
        PrintedRow(name="尿酮体", result=ketones, reference_range="阴性", mark="↑" if "+" in ketones else ""),
        PrintedRow(name="尿蛋白", result="2+", reference_range="阴性", mark="↑"),
    ]
    report = assess(ReadReport(report_type="检验报告", sex="男", age="40岁", items=rows))
    alarms = [notice for notice in report.notices if notice.startswith("请马上核对原件：血糖")]
    assert bool(alarms) == (report.when == "today") == may_be, (report.when, report.notices)


def test_patterns_are_plenty_and_known():
    assert 100 <= len(PATTERNS) <= 200, "多了没有人读"


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("all: {HGB: low, MCV: low}", "all: {HGB: low, MCX: low}", "anaemia_microcytic.*没有这些指标：MCX"),
        ("all: {HGB: low, MCV: low}", "all: {HGB: low, MCV: lower}", "anaemia_microcytic.*all.MCV"),
        ("all: {HGB: low, MCV: low}", "all: {HGB: low}", "anaemia_microcytic.*两个条件"),
        ("id: anaemia_macrocytic", "id: anaemia_microcytic", "id 重复：anaemia_microcytic"),
        ("title: 贫血，红细胞偏小", "titel: 贫血，红细胞偏小", "anaemia_microcytic.*titel.*不认识的键"),
        ("先不要自己长期补铁。", "先每天吃铁剂 2 片。", "anaemia_microcytic.*action.*剂量"),
        ("先不要自己长期补铁。", "先不要自己补铁", "anaemia_microcytic.*action.*句号"),
        ("其次是地中海贫血基因携带和慢性病", "其次是地中海贫血。", "anaemia_microcytic.*common.*句号"),
    ],
)
def test_each_mistake_is_told_in_chinese(right, wrong, said):
    assert right in TEXT
    with pytest.raises(BadYaml, match=said):
        check_yaml(PatternFile, TEXT.replace(right, wrong, 1), "patterns.yaml")
