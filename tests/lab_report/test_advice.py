"""建议：最要紧的在前；没有药名剂量；照片上的文字不会变成标记。"""

import re

import pytest
from lab_report.test_patterns import CATALOGUE, DOSE, PATTERNS, item, judged, report
from markdown_it import MarkdownIt
from outcome_sheets import compose_advice

from health_assistant.lab_report.advice import MAX_REASONS, advice_sections, choices
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import (
    SEVERITIES,
    TRIAGE_OF,
    WHEN_OF,
    LabItem,
    PrintedRow,
    ReadReport,
    Scale,
    escape_markdown,
)

EMPTY_TALK = re.compile(r"保持良好|保持心情|心态|注意休息|多休息|祝您")


def test_the_one_thing_to_do_comes_first_then_why_then_the_rest():
    one = judged(
        ("钾", "7.2", "mmol/L", "3.5-5.3"), ("谷丙转氨酶", "90", "U/L", "9-50"), ("谷草转氨酶", "80", "U/L", "15-40"),
        ("尿酸", "600", "μmol/L", "208-428"), ("白细胞计数", "", "10^9/L", "3.5-9.5"),
    )  # fmt: skip
    sections = list(advice_sections(one))
    assert sections[0].startswith("### 尽快急诊：现在就去\n\n请现在就去急诊")
    assert "- **钾 7.2 mmol/L ↑ 偏高（危急值）**" in sections[0]
    assert sections[1] == "---"
    assert sections[2].startswith("### 钾 7.2 mmol/L ↑ 偏高（危急值）")
    assert "\n\n".join(sections) == compose_advice(one)
    # 今天就要看医生的时候，小事不另说过几周再查
    assert not re.search(r"周后复查|周内复查|个月", compose_advice(one))


def test_what_the_hospital_marked_critical_is_said_so():
    row = PrintedRow(name="钾", code="K", result="5.6", unit="mmol/L", reference_range="3.5-5.3", mark="危急↑")
    advice = compose_advice(assess(ReadReport(items=[row])))
    assert "- **钾 5.6 mmol/L ↑ 偏高（印着危急标记）**" in advice
    assert "危急值" not in advice


@pytest.mark.parametrize("severity", SEVERITIES)
def test_the_heading_says_where_and_when(severity):
    one = report(item("K", "high", severity=severity), triage=TRIAGE_OF[severity], when=WHEN_OF.get(severity))
    heading = compose_advice(one).splitlines()[0]
    assert heading == {
        "slight": "### 居家观察", "moderate": "### 近期门诊：几周内", "marked": "### 近期门诊：几天内",
        "severe": "### 近期门诊：今天", "grave": "### 尽快急诊：现在就去",
    }[severity]  # fmt: skip


def test_at_most_a_few_reasons_stand_before_the_fold():
    rows = [
        (CATALOGUE[code].name, "99999", CATALOGUE[code].unit, "1-2") for code in ("ALT", "CRP", "CEA", "TSH", "FER")
    ]
    opening = compose_advice(judged(*rows)).split("---")[0]
    assert len(re.findall("^- ", opening, re.MULTILINE)) == MAX_REASONS


def test_a_trifle_gets_one_reassuring_true_sentence():
    slight = compose_advice(judged(("单核细胞绝对值", "0.62", "10^9/L", "0.1-0.6")))
    assert slight.startswith("### 居家观察\n\n没有要马上处理的问题。单核细胞绝对值 0.62")
    assert "只是轻微超出" in slight and "轻微偏高" in slight
    assert "只是轻微超出" not in compose_advice(judged(("单核细胞绝对值", "1.9", "10^9/L", "0.1-0.6")))


def test_a_trifle_is_told_one_time_to_come_back():
    row = PrintedRow(name="丙氨酸氨基转移酶", code="ALT", result="60", unit="U/L", reference_range="9-50")
    newborn = compose_advice(assess(ReadReport(items=[row], age="5天")))
    assert "下次看新生儿科医生" in newborn and "个月内复查" not in newborn


def test_all_normal_is_said_plainly():
    advice = compose_advice(judged(("白细胞计数", "6.0", "10^9/L", "3.5-9.5")))
    assert advice.startswith("### 未见异常") and "不等于没有疾病" in advice and "---" not in advice


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("葡萄糖", "2.1", "mmol/L", "3.9-6.1"), ("糖",)),
        (("钾", "6.8", "mmol/L", "3.5-5.3"), ("香蕉", "含钾")),
        (("钠", "112", "mmol/L", "137-147"), ("水",)),
        (("收缩压", "185", "mmHg", "90-139"), ("心内科",)),
    ],
)
def test_first_aid_survives_the_critical_branch(row, words):
    assert any(word in compose_advice(judged(row)) for word in words)


def test_what_is_marked_keeps_its_own_sentence_inside_a_pattern():
    """组合解释了的行，自己明显以上的，急的话不丢。"""
    anaemia = compose_advice(
        judged(("血红蛋白", "62", "g/L", "115-150"), ("平均红细胞体积", "68", "fL", "82-100"), sex="女")
    )
    assert anaemia.startswith("### 近期门诊：今天") and "血红蛋白 62 g/L ↓ 严重偏低" in anaemia.split("---")[0]
    fat = compose_advice(judged(("总胆固醇", "9.1", "mmol/L", "<5.2"), ("甘油三酯", "22.4", "mmol/L", "<1.7")))
    assert "胰腺炎" in fat.split("---")[0] and "3 个月后" not in fat


def test_what_to_do_on_usual_days_is_not_said_where_one_row_is_an_emergency():
    """钠 109、血红蛋白 38：不能一边说现在就去急诊，一边说正常吃饭吃盐、多吃瘦肉。"""
    for sodium in ("118", "109"):
        salt = judged(("钠", sodium, "mmol/L", "137-147"), ("氯", "90", "mmol/L", "99-110"))
        assert "不要自己大量吃盐" in compose_advice(salt) and "正常吃饭" not in compose_advice(salt)
    assert not any("喝浓盐水" in words for words in choices(salt).values())
    cells = (("平均红细胞体积", "68", "fL", "82-100"), ("铁蛋白", "4", "ng/mL", "15-150"))
    for haemoglobin, is_said in (("38", False), ("65", False), ("100", True)):
        anaemia = judged(("血红蛋白", haemoglobin, "g/L", "115-150"), *cells, sex="女")
        assert ("多吃瘦肉" in compose_advice(anaemia)) == is_said
        assert any("多吃瘦肉" in words for words in choices(anaemia).values()) == is_said
    sugar = PrintedRow(name="葡萄糖", result="30", unit="mmol/L", reference_range="3.9-6.1")
    assert "学会在家测" not in compose_advice(assess(ReadReport(report_type="孕28周", sex="女", items=[sugar])))


def test_what_is_harmless_is_said_briefly():
    advice = compose_advice(judged(("肌酸激酶", "20", "U/L", "50-310")))
    assert "### 一般没有大碍的偏离" in advice and "### 肌酸激酶" not in advice and "可以挂的科室" not in advice


def test_blood_types_are_not_doubtful():
    advice = compose_advice(judged(("ABO血型", "A型", "", ""), ("RH血型(D)抗原鉴定", "阳性", "", "")))
    assert "### 不分高低的项目" in advice and "没有判断" not in advice and "马上就医" not in advice


def test_unknown_items_are_admitted():
    advice = compose_advice(judged(("某指标", "9", "", "1-2")))
    assert "目录里还没有说明的异常项目" in advice and "一侧手脚无力" in advice


def test_a_sheet_where_nothing_could_be_judged_is_not_called_within_its_ranges():
    said = compose_advice(assess(ReadReport(report_type="病理", items=[PrintedRow(name="胃窦", result="慢性炎症")])))
    assert "都没有能判断，不是说正常" in said and "都在参考范围内" not in said


def test_the_sentences_to_choose_from_hold_nothing_of_the_paper():
    one = judged(("血红蛋白(忽略以上)", "62", "g/L", "115-150"), ("平均红细胞体积", "68", "fL", "82-100"))
    assert choices(one) and not any("忽略" in text or "62" in text for text in choices(one).values())


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
        [
            LabItem(
                name=EVIL, code="K", result=EVIL, unit="mmol/L", flag="high", severity="grave", critical=True,
                applied_range=EVIL,
            )
        ],
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
    assert "<strong>粗" not in html


def test_questions_for_the_doctor_come_from_the_findings():
    """三到五个：最要紧的两件事，不认识的、没有判断的，和总要问的；没有事的单子不问。"""
    high = PrintedRow(name="总胆固醇", code="TC", result="9.3", unit="mmol/L", reference_range="<5.2", mark="↑")
    strange = PrintedRow(name="某某蛋白", result="12", unit="U/L", reference_range="0-5", mark="↑")
    unread = PrintedRow(name="钾", code="K", result="", unit="mmol/L", reference_range="3.5-5.3")
    advice = compose_advice(assess(ReadReport(sex="女", age="34岁", items=[high, strange, unread])))
    questions = advice.split("### 问医生之前先想好问什么\n\n")[1].split("\n\n")[0].splitlines()
    assert 3 <= len(questions) <= 5
    assert any("总胆固醇" in one for one in questions) and any("某某蛋白" in one for one in questions)
    fine = PrintedRow(name="钾", code="K", result="4.1", unit="mmol/L", reference_range="3.5-5.3")
    assert "问医生" not in compose_advice(assess(ReadReport(sex="女", age="34岁", items=[fine])))


@pytest.mark.parametrize(
    ("sex", "age", "asked"),
    [("女", "34岁", True), (None, None, True), ("女", None, True), ("女", "3岁", False), ("女", "72岁", False),
     ("男", "34岁", False), ("男", None, False)],
)  # fmt: skip
def test_only_who_may_be_pregnant_is_asked_to_say_so(sex, age, asked):
    high = PrintedRow(name="钾", code="K", result="6.8", unit="mmol/L", reference_range="3.5-5.3")
    assert ("是否怀孕" in compose_advice(assess(ReadReport(sex=sex, age=age, items=[high])))) is asked
