"""不是表的一页里写着达到危急值的数：照旧拒读，先说要尽快就医。"""

import re
from pathlib import Path

import numpy as np
import pytest
from lab_report.not_reports import font_of
from lab_report.text_boxes import PITCH, box
from PIL import Image, ImageDraw

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.language import speaking, translate
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.reading.quoted import findings_outside, grown_outside, with_grave_quotes
from health_assistant.lab_report.reading.reader import read_boxes
from health_assistant.lab_report.reading.upright import Page
from health_assistant.lab_report.report import Reading, ReadRow, UnreadableReport

CASES = load_yaml(Path(__file__).with_name("quotes.yaml"))
PLAIN = UnreadableReport("not_a_lab_report", "没有找到检验项目。")


def quoted(*texts: str) -> str:
    return str(with_grave_quotes(PLAIN, texts)).partition("，如果是")[0]


@pytest.mark.parametrize("case", CASES["危急的化验值"])
def test_a_critical_value_written_in_a_text_is_said_first(case):
    text, said = case.split(" -> ")
    assert quoted(text) == "尽快就医：图里写着" + said


@pytest.mark.parametrize("case", CASES["没有单位的条子，一行只有代号与数"])
def test_a_critical_value_on_a_slip_without_units_is_said_first(case):
    lines, said = case.split(" -> ")
    assert quoted(*lines.split(" | ")) == "尽快就医：图里写着" + said


@pytest.mark.parametrize("text", CASES["平常的值、界限、剂量、价钱"] + CASES["平常的、从前的、要达到的血压"])
def test_usual_values_limits_doses_prices_and_usual_former_and_aimed_blood_pressures_are_not(text):
    assert str(with_grave_quotes(PLAIN, text.split(" | "))) == str(PLAIN)


@pytest.mark.parametrize("case", CASES["危险的血压"])
def test_a_dangerous_blood_pressure_is_said_before_the_refusal(case):
    texts, said = case.split(" -> ")
    refused = str(with_grave_quotes(PLAIN, texts.split(" | ")))
    assert refused.startswith(said) and "如果是现在量的" in refused and refused.endswith(str(PLAIN))
    with speaking("en"):
        assert not re.search("[一-鿿]", re.sub("“.*?”", "", translate(refused.removesuffix(str(PLAIN)))))


@pytest.mark.parametrize(
    ("person", "text", "said"),
    [
        (Person(age_years=1), "血压 75/45", ""),
        (Person(age_years=1), "血压 66/40", "今天就去医院"),
        (Person(age_years=8), "血压 75/45", "今天就去医院"),
        (Person(age_years=3 / 365), "血压 64/40", ""),
        (Person(is_paediatric=True), "血压 75/45", ""),
        (Person(age_unclear=True), "血压 75/45", "今天就去医院"),
        (Person(sex="女", pregnant=True), "血压 165/112", "尽快就医"),
        (Person(), "血压 165/112", ""),
    ],
)
def test_a_blood_pressure_is_weighed_for_the_person_of_the_page(person, text, said):
    assert str(with_grave_quotes(PLAIN, [text], person)).partition("：")[0] == (said or str(PLAIN))


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ["标本种类：脑脊液 送检医生：", "鉴定结果：本标本共检出1种菌为：", "1.产酸克雷伯菌"],
            ("脑脊液", "产酸克雷伯菌"),
        ),
        (["样本类型:静脉血", "培养结果：金黄色葡萄球菌"], ("静脉血", "金黄色葡萄球菌")),
        (["血培养报告单", "检出大肠埃希菌", "氨苄西林 >=32 耐药 R"], ("血", "大肠埃希菌")),
        (["标本类型：静脉血标本号：20231", "培养结果：肺炎克雷伯菌"], ("静脉血", "肺炎克雷伯菌")),  # 两格认成一段
        (["标本:血液", "见酵母样真菌，初步为白色念珠菌"], ("血液", "白色念珠菌")),
    ],
)
def test_bacteria_grown_from_blood_or_spinal_fluid_are_said_first(texts, said):
    refused = str(with_grave_quotes(PLAIN, texts))
    assert refused.startswith(f"尽快就医：标本写着“{said[0]}”，图里写着长出了“{said[1]}”")
    with speaking("en"):
        assert translate(refused).startswith(f"Get medical care at once: the specimen is “{said[0]}”")


@pytest.mark.parametrize(
    "texts",
    [
        ["标本种类：脑脊液", "经5天培养，无细菌生长"],
        ["标本种类：血", "未检出沙门菌、链球菌"],
        ["标本种类：痰", "肺炎克雷伯菌"],
        ["标本种类：清洁中段尿 血糖", "大肠埃希菌 >10^5"],
        ["血培养", "说明：常见的有葡萄球菌", "革兰阴性杆菌药敏折点依据 CLSI"],
        ["标本种类：血清", "幽门螺杆菌抗体 阳性", "检出大肠埃希菌"],
        ["外周血培养+抗原刺激", "阳性说明经结核分枝杆菌特异抗原刺激后释放干扰素"],
    ],
)
def test_no_growth_and_other_specimens_are_not(texts):
    assert str(with_grave_quotes(PLAIN, texts)) == str(PLAIN)
    assert grown_outside(texts, []) == []


def test_what_grew_is_a_row_though_the_table_holds_only_drugs():
    texts, drugs = ["标本：全血", "检出菌：1. 金黄色葡萄球菌(MRSA)"], [ReadRow(name="苯唑西林", result="≥4", mark="R")]
    rows = grown_outside(texts, drugs)
    assert [(row.name, row.result) for row in rows] == [("全血培养", "金黄色葡萄球菌")]
    assert assess(Reading(report_type="血培养+药敏报告", items=[*rows, *drugs])).when == "now"
    assert grown_outside(texts, rows) == []


def test_a_message_on_a_phone_is_refused_with_the_warning_also_in_english(reader):
    picture = Image.new("RGB", (1080, 300), "white")
    write = ImageDraw.Draw(picture)
    for at, line in enumerate(("【市一医院】危急值提醒：血钾 6.9mmol/L，", "请立即到急诊科就诊。")):
        write.text((40, 60 + 80 * at), line, font=font_of(38), fill="black")
    with pytest.raises(UnreadableReport) as refused:
        reader.read(picture)
    assert str(refused.value).startswith("尽快就医：图里写着“血钾 6.9 mmol/L”")
    assert "不像一张化验单" in str(refused.value)
    with speaking("en"):
        english = translate(str(refused.value))
    assert english.startswith("Get medical care at once") and "too few for a lab report" in english


def test_what_was_seen_under_the_microscope_is_a_row_though_it_is_prose():
    """表下面的 `形态描述：…`；表里有了的、后面没有话的、说别的栏的不算。"""
    rows = [ReadRow(name="血小板形态", result="散在少见")]
    texts = [
        "形态描述：可见原始细胞约12%，红细胞大小不等。",
        "涂片所见：血小板形态 散在少见",
        "镜检结果:",
        "检验者：王某某",
    ]
    found = findings_outside(texts, rows)
    assert [(row.name, row.result) for row in found] == [("形态描述", "可见原始细胞约12%，红细胞大小不等")]
    assert assess(Reading(items=found, engine="", report_type="血常规")).when == "now"


@pytest.mark.parametrize(
    "text",
    [
        "镜检：未见异常", "形态描述：未见异常细胞", "镜检所见：各系细胞形态大致正常",
        "涂片检查：未见幼稚细胞及异型淋巴细胞",
        "镜检结果：未见管型及结晶", "涂片：未触发复检规则", "形态学检查：需另开单",
        "镜检：建议必要时复查", "镜检：李小红",
    ],
)  # fmt: skip
def test_nothing_of_note_under_the_microscope_is_no_row(text):
    """正常的单子不因为这一句变得要复查。"""
    assert findings_outside([text], []) == []


@pytest.mark.parametrize(
    "text", ["镜检：未见疟原虫，可见异型淋巴细胞", "涂片：幼稚细胞12%", "形态描述：未见原始细胞，破碎红细胞3%"]
)
def test_something_seen_beside_something_not_seen_is_a_row(text):
    assert [row.result for row in findings_outside([text], [])] == [text.split("：")[1]]


@pytest.mark.parametrize(
    ("age", "pressure", "when"),
    [("1岁", "75/45", None), ("45岁", "75/45", "today"), ("45岁", "220/130", "now"), ("45岁", "122/78", None)],
)
def test_a_pressure_beside_a_sheet_is_weighed_by_its_age(age, pressure, when):
    """危险的，整张的急缓也照它：不能上面说现在就去急诊，下面说居家观察。"""
    lines = [f"姓名：张三 | 性别：男 | 年龄：{age}", f"血压 {pressure} mmHg", "项目 | 结果 | 单位 | 参考范围"]
    lines += ["钾 | 4.1 | mmol/L | 3.5-5.3", "钠 | 140 | mmol/L | 137-147", "氯 | 103 | mmol/L | 99-110"]
    boxes = [
        box(text.strip(), at, 100.0 + PITCH * down)
        for down, line in enumerate(lines)
        for at, text in zip([50, 400, 700, 860], line.split("|"), strict=False)
    ]
    quads = np.array([[[b.x0, b.y0], [b.x1, b.y0], [b.x1, b.y1], [b.x0, b.y1]] for b in boxes], np.float32)
    page = Page(np.full((900, 2000, 3), 255, np.uint8), quads, np.eye(3))
    report = assess(read_boxes(page, boxes))
    assert report.when == when
    assert [row.result for row in report.items if row.name == "血压"] == ([pressure] if when else [])
    assert any(notice.startswith("尽快就医") for notice in report.notices) == (when == "now")
