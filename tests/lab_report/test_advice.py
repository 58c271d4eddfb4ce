"""建议者与组合：每个组合有成立的、有不成立的；最要紧的在前；没有药名剂量；照片上的文字不会变成标记。"""

import re
from importlib import resources

import pytest
from markdown_it import MarkdownIt

from health_assistant.checked_yaml import BadYaml
from health_assistant.lab_report.advice import advice_sections, compose_advice
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.catalogue import find_indicator, load_catalogue
from health_assistant.lab_report.patterns import TIERS, find_patterns, load_patterns, parse_patterns
from health_assistant.lab_report.report import LabItem, LabReport, ReadItem, ReadReport, Scale, escape_markdown

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
EMPTY_TALK = re.compile(r"保持良好|保持心情|心态|注意休息|多休息|祝您")


def item(code: str, state: str, **changes) -> LabItem:
    one = CATALOGUE[code]
    values = {"name": one.name, "code": "", "result": "1", "unit": one.unit, "applied_range": "0-1"} | changes
    return LabItem(flag=FLAGS.get(state, state), **values)


def rows_of(pattern) -> dict[str, str]:
    """刚好使组合成立的行。"""
    first = dict([next(iter(pattern.any.items()))]) if pattern.any else {}
    return {**pattern.all, **first}


def report(*items: LabItem, **about) -> LabReport:
    return LabReport(items=list(items), triage=about.pop("triage", "soon"), **about)


def found(one: LabReport) -> list[str]:
    rows = [(each, find_indicator(each.name, each.code, each.unit, one.report_type)) for each in one.items]
    return [match.pattern.id for match in find_patterns(one, rows)]


def judged(*rows: tuple[str, str, str, str], **about) -> LabReport:
    items = [
        ReadItem(name=name, result=result, unit=unit, reference_range=limits) for name, result, unit, limits in rows
    ]
    return assess(ReadReport(items=items, **about))


# ---- 组合 ----


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pattern_fires_when_every_row_agrees(pattern):
    one = report(*(item(code, state) for code, state in rows_of(pattern).items()))
    assert pattern.id in found(one)
    advice = compose_advice(one)
    assert f"### 一起看：{pattern.title}" in advice
    assert f"这几项放在一起，常见于{pattern.common}，不能据此确诊。" in advice


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pattern_is_silent_when_any_row_differs_is_unknown_or_missing(pattern):
    wanted = rows_of(pattern)
    for code, state in wanted.items():
        for changed in (OTHER[state], "unknown", None):
            rows = {**wanted, code: changed}
            one = report(*(item(each, how) for each, how in rows.items() if how))
            assert pattern.id not in found(one), (code, changed)
    for code, state in pattern.unless.items():
        for against in (state, "unknown"):
            one = report(*(item(each, how) for each, how in {**wanted, code: against}.items()))
            assert pattern.id not in found(one), (code, against)


@pytest.mark.parametrize("pattern", PATTERNS.values(), ids=PATTERNS)
def test_pattern_claims_nothing_for_minors_or_other_specimens(pattern):
    rows = [item(code, state) for code, state in rows_of(pattern).items()]
    for about in ({"age": "8岁"}, {"age": "10天"}, {"age": "看不清"}, {"report_type": "儿童血常规"}):
        assert found(report(*rows, **about)) == []
    assert found(report(*rows, report_type="胸水生化")) == []
    assert pattern.id in found(report(*rows, age="45岁"))


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
    assert found(report(*(item(*row) for row in low.items()))) == ["anaemia_microcytic", "iron_deficiency_anaemia"]
    rows = [item("PT", "high"), item("APTT", "high"), item("PLT", "low"), item("FIB", "low"), item("D-D", "high")]
    assert found(report(*rows)) == ["clotting_used_up"], "急的在前，已经解释了的不再重复"


def test_patterns_are_plenty_and_known():
    assert len(PATTERNS) >= 80
    assert all(pattern.tier in TIERS for pattern in PATTERNS.values())


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
        parse_patterns(TEXT.replace(right, wrong, 1))


# ---- 次序与措辞 ----


def test_the_most_urgent_comes_first():
    one = judged(
        ("钾", "7.2", "mmol/L", "3.5-5.3"), ("谷丙转氨酶", "90", "U/L", "9-50"), ("谷草转氨酶", "80", "U/L", "15-40"),
        ("尿酸", "600", "μmol/L", "208-428"), ("白细胞计数", "", "10^9/L", "3.5-9.5"),
    )  # fmt: skip
    headings = [section.splitlines()[0] for section in advice_sections(one)]
    assert headings == [
        "### 尽快就医", "### 尽快急诊", "### 一起看：两种转氨酶都高", "### 钾 7.2 mmol/L ↑ 偏高",
        "### 尿酸 600 μmol/L ↑ 偏高",
        "### 可以挂的科室", "### 没有判断的项目", "### 出现这些情况，不要等复查，马上就医",
        "就诊时告诉医生：最近的不适、正在用的药、以前的病和检查结果，女性还有是否怀孕。",
    ]  # fmt: skip
    assert "\n\n".join(advice_sections(one)) == compose_advice(one)


def test_a_normal_report_is_short():
    advice = compose_advice(judged(("白细胞计数", "6.0", "10^9/L", "3.5-9.5")))
    assert advice.startswith("### 未见异常") and len(advice) < 60


def test_a_slight_isolated_deviation_is_called_common_with_a_time():
    slight = compose_advice(judged(("单核细胞绝对值", "0.62", "10^9/L", "0.1-0.6")))
    assert slight.startswith("### 居家观察") and "很常见" in slight and "复查" in slight
    assert "很常见" not in compose_advice(judged(("单核细胞绝对值", "1.9", "10^9/L", "0.1-0.6")))
    not_alone = judged(("单核细胞绝对值", "0.62", "10^9/L", "0.1-0.6"), ("血小板计数", "400", "10^9/L", "125-350"))
    assert "很常见" not in compose_advice(not_alone)


def test_red_flags_are_those_of_the_present_items():
    advice = compose_advice(judged(("血小板计数", "90", "10^9/L", "125-350")))
    assert "血小板计数偏低：皮肤瘀点、牙龈或鼻出血不止时马上去医院。" in advice
    assert "一侧手脚无力" not in advice
    assert "一侧手脚无力" in compose_advice(judged(("某指标", "9", "", "1-2")))


def test_a_pattern_may_make_it_more_urgent_and_says_which():
    one = judged(("尿糖", "2+", "", "阴性"), ("尿酮体", "2+", "", "阴性"))
    assert one.triage == "urgent"
    assert compose_advice(one).startswith("### 尽快急诊\n\n按几项放在一起看的结果：“尿糖和尿酮体都阳性”。")


def test_a_pattern_with_a_critical_value_never_says_wait():
    one = judged(("肌酐", "800", "μmol/L", "57-97"), ("尿素", "20", "mmol/L", "3.1-8.0"))
    advice = compose_advice(one)
    assert one.items[0].critical and "其中有危急值，不要等复查" in advice and "1 周内看肾内科" not in advice


def test_what_is_harmless_is_said_briefly():
    advice = compose_advice(judged(("肌酸激酶", "20", "U/L", "50-310")))
    assert "### 一般没有大碍的偏离" in advice and "### 肌酸激酶" not in advice and "可以挂的科室" not in advice


def test_blood_types_are_not_doubtful():
    advice = compose_advice(judged(("ABO血型", "A型", "", ""), ("RH血型(D)抗原鉴定", "阳性", "", "")))
    assert "### 不分高低的项目" in advice and "没有判断" not in advice and "马上就医" not in advice


def test_unknown_items_and_directions_are_admitted():
    assert "目录里还没有说明的异常项目" in compose_advice(judged(("某指标", "9", "", "1-2")))
    assert "没有这个方向的说明" in compose_advice(judged(("癌胚抗原", "1", "ng/mL", "2-5")))


def test_no_text_advises_drugs_or_talks_emptily():
    texts = [text for one in CATALOGUE.values() for text in (*one.meanings.values(), *one.advice.values())]
    texts += [f"{one.title}{one.common}{one.says}{one.action}{one.red_flag}" for one in PATTERNS.values()]
    texts += [text for one in CATALOGUE.values() for text in one.red_flags.values()]
    assert [text for text in texts if DOSE.search(text) or EMPTY_TALK.search(text)] == []


@pytest.mark.parametrize("way", ["high", "low", "abnormal"])
def test_every_abnormal_item_gets_advice_without_a_dose(way):
    for one in CATALOGUE.values():
        type_ = {"urine": "尿液分析", "stool": "粪便分析"}.get(one.specimen, "")
        scale = Scale(value=1.05, low=0, high=1)
        advice = compose_advice(report(item(one.code, way, scale=scale, unit=""), report_type=type_))
        assert not DOSE.search(advice.replace(one.name, "")) and "None" not in advice


# ---- 照片上的文字 ----

EVIL = "<img src=x onerror=alert(1)>[点](javascript:alert(1)) **粗** `码` ![图](http://x/y)\n# 标题\n- 项\n<b>"


@pytest.mark.parametrize(
    "rows",
    [
        [LabItem(name=EVIL, result=EVIL, unit=EVIL, flag="high", applied_range=EVIL)],
        [LabItem(name=EVIL, result=EVIL, flag="unknown", note=EVIL)],
        [LabItem(name=EVIL, code="K", result=EVIL, unit="mmol/L", flag="high", critical=True, applied_range=EVIL)],
        [LabItem(name=EVIL, code=code, result=EVIL, unit="U/L", flag="high") for code in ("ALT", "AST")],
        [LabItem(name=EVIL, code="CK", result=EVIL, unit="U/L", flag="low", applied_range=EVIL)],
    ],
    ids=["strange", "unknown", "critical", "pattern", "harmless"],
)  # fmt: skip
def test_what_was_read_never_becomes_markup(rows):
    advice = compose_advice(report(*rows, report_type=""))
    assert escape_markdown(EVIL) in advice
    html = MarkdownIt("commonmark", {"html": True}).render(advice)
    assert not re.search(r"<(img|a|b|h1|h2|code|em|script)\b", html)
    assert html.count("<strong>") == sum(one.critical for one in rows)
