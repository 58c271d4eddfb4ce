"""页眉里的时间、医院、标本：各种印法；没有把握的没有；视觉模型照抄来的一样看待。"""

from dataclasses import replace

import pytest
from lab_report.text_boxes import spread

from health_assistant.lab_report.reading.origin import read_origin
from health_assistant.lab_report.report import PrintedField, PrintedOrigin, PrintedRow, Reading, ReadReport
from health_assistant.lab_report.vl_protocol import answer_of, parse_answer


def origin_of(*lines: list[str]) -> dict[str, str]:
    read = read_origin([spread(*texts, line=30 * at) for at, texts in enumerate(lines)])
    return {field: printed.value for field, printed in read.items()}


@pytest.mark.parametrize(
    ("texts", "value"),
    [
        (["采样时间：2024-11-26 08:30:15"], "2024-11-26T08:30"),
        (["采集时间:", "2024/11/26", "8:05"], "2024-11-26T08:05"),
        (["标本采集日期：2024.11.26"], "2024-11-26"),
        (["采血时间 2024年11月26日 8时30分"], "2024-11-26T08:30"),
        (["采样时间:2024年11月26日下午2:30"], "2024-11-26T14:30"),
        (["采样时间:2024-11-2608:30"], "2024-11-26T08:30"),  # 空格没有认出来
        (["采集时间：20241126 0830"], "2024-11-26T08:30"),
        (["Collected: 26 Nov 2024 08:30"], "2024-11-26T08:30"),
        (["Date Collected:", "26/11/2024 2:30 PM"], "2024-11-26T14:30"),
        (["Sample Collected On : Nov 26, 2024"], "2024-11-26"),
        (["Collection Date: 11/26/2024"], "2024-11-26"),
        (["抽血时间：2024-11-26T08:30"], "2024-11-26T08:30"),
        (["Date Collected: 11/26/2024 0830 Local"], "2024-11-26T08:30"),
        (["采样时间:2024-11-1 08:30"], "2024-11-01T08:30"),  # 一位的日子，几点不能并进去
        (["采样时间:2024/7/2", "16:40"], "2024-07-02T16:40"),
        (["采样时间:2024-7-1 10:05"], "2024-07-01T10:05"),
        (["采样时间:2024-11-2", "6床"], "2024-11-02"),  # 旁边的一段是别的
        (["采样时间:2024-11-12", "1234567"], "2024-11-12"),
        (["采样时间:2024-11-12", "1234"], "2024-11-12"),
        (["Collected: 26 Nov 2024 12:30 AM"], "2024-11-26T00:30"),
    ],
)
def test_printed_forms(texts, value):
    assert origin_of(texts) == {"collected": value}


@pytest.mark.parametrize(
    "texts",
    [
        ["Collected: 03/04/2024"],  # 三月四日还是四月三日
        ["采样时间：2024-13-26 08:30"],
        ["采样时间：2024-02-30"],
        ["采样时间：11-26 08:30"],  # 没有年
        ["采样时间：26-11-03"],
        ["采样时间：", "报告时间："],
        ["送检时间：2024-11-26 08:30"],  # 送检不是采样
        ["出生日期：2006-11-26"],
        ["打印时间：2024-11-26 10:00"],
        ["采样时间:2024-11-108:30"],  # 一号八点还是十号八点
        ["采样时间:2024/1/18:30"],
        ["采样日期", "2025-05-01", "2024-11-26"],  # 上次与这次的
        ["上次采样时间:2024-11-01 08:30"],
        ["预约采样日期:2024-11-01"],
        ["Previous report: 12 Jan 2025"],
        ["采样时间:2096-11-26"],
    ],
)
def test_what_is_not_understood_is_nothing(texts):
    assert origin_of(texts) == {}


def test_a_time_that_was_not_made_out_is_not_taken_from_the_next_field():
    blurred = [replace(box, score=score) for box, score in zip(
        spread("采样时间:", "2024-11-25 08:00", "报告时间:", "2024-11-26 10:00"), (0.98, 0.7, 0.75, 0.98), strict=True
    )]  # fmt: skip
    assert read_origin([blurred]) == {}


def test_each_time_on_a_busy_line():
    line = ["采样:2024-11-26 07:10", "接收时间:2024-11-26 08:02", "报告时间:2024-11-26 10:40", "打印:2024-11-27 09:00"]
    assert origin_of(line) == {
        "collected": "2024-11-26T07:10", "received": "2024-11-26T08:02", "reported": "2024-11-26T10:40",
    }  # fmt: skip


def test_two_that_cannot_both_be_right_are_both_left_out():
    assert origin_of(["采样时间:2024-11-26 09:00", "报告时间:2024-11-26 08:00"]) == {}
    assert origin_of(["采样时间:2020-11-26", "报告时间:2024-11-26"]) == {}
    assert origin_of(["采样时间:2024-11-26 07:00"], ["采样时间:2024-11-26 07:30"]) == {}


def test_reporting_comes_before_checking():
    assert origin_of(["审核时间:2024-11-26 09:30", "报告时间:2024-11-26 10:00"]) == {"reported": "2024-11-26T10:00"}


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("仁和市第一人民医院检验报告单", "仁和市第一人民医院"),
        ("××大学附属第二医院（东院区）", None),
        ("安康医学检验实验室", "安康医学检验实验室"),
        ("Riverside General Hospital", "Riverside General Hospital"),
        ("送检医院：仁和医院", None),
        ("结果以医院报告为准", None),
        ("仁和医院（东院区）", "仁和医院（东院区）"),
        ("仁和医院(张三丰)", "仁和医院"),
        ("患者张三就诊医院", None),
        ("(张三)仁和医院", None),
        ("王小明体检中心", None),
        ("Patient John Smith Riverside Hospital", None),
        ("Dr. Smith Clinic", None),
        ("请立即前往医院", None),
    ],
)
def test_the_hospital_of_the_letterhead(text, name):
    assert origin_of([text]).get("performer") == name


@pytest.mark.parametrize(
    ("texts", "specimen"),
    [
        (["标本种类：血清"], "血清"),
        (["样本类型:", "静脉血", "床号:3"], "静脉血"),
        (["标本类型：血液"], "血液"),
        (["标本类型：血检验项目：需氧菌培养"], "血"),
        (["送检物：腰穿脑脊液"], "腰穿脑脊液"),
        (["标本类型：伤口分泌物"], "伤口分泌物"),
        (["标本：胸腔积液"], "胸腔积液"),
        (["标本：随机尿"], "随机尿"),
        (["Specimen: Serum"], "Serum"),
        (["标本", "血清", "标本状态轻度黄疸"], "血清"),
        (["标本:枸橼酸钠抗凝血浆"], "枸橼酸钠抗凝血浆"),
        (["本结果仅对本标本负责"], None),
        (["标本溶血"], None),
        (["标本:尿道分泌物"], None),
        (["标本:血性胸水"], None),
        (["标本:血清/尿液"], None),
        (["标本号：20241126001"], None),
        (["标本状态：合格"], None),
    ],
)
def test_specimen(texts, specimen):
    assert origin_of(texts).get("specimen") == specimen


# ---- 视觉模型照抄的 ----

POTASSIUM = PrintedRow(name="钾", result="4.1")


def origin_answered(**printed: str | None) -> dict[str, str]:
    answer = ReadReport(origin=PrintedOrigin(**printed), items=[POTASSIUM]).model_dump_json()
    read = parse_answer(answer)
    assert read.how == "strict"
    return {field: one.value for field, one in read.report.origin.items()}


@pytest.mark.parametrize(
    ("field", "printed", "value"),
    [
        ("collected", "2024-11-26 08:30:15", "2024-11-26T08:30"),
        ("received", "2024年11月26日 8时30分", "2024-11-26T08:30"),
        ("reported", "26 Nov 2024", "2024-11-26"),
        ("collected", "2024-11-26T08:30", "2024-11-26T08:30"),
        ("collected", "03/04/2024", None),
        ("collected", "昨天", None),
        ("collected", "2024-11-26 08:30 张三", None),
        ("collected", "2024-11-26 至 2024-11-27", None),
        ("collected", "", None),
        ("performer", "仁和医院（东院区）", "仁和医院（东院区）"),
        ("performer", "仁和医院 张三 13800000000", "仁和医院"),
        ("performer", "送检医院：仁和医院", None),
        ("specimen", "静脉血", "静脉血"),
        ("specimen", "血清 张三", "血清"),
        ("specimen", "Urine, random", "Urine, random"),
        ("specimen", "24 h urine", "24 h urine"),
        ("specimen", "Urine, serum", None),
        ("specimen", "张三", None),
        ("specimen", "血清/尿液", None),
        ("specimen", None, None),
    ],
)
def test_what_a_model_copied_is_understood_as_the_embedded_reader_understands_it(field, printed, value):
    assert origin_answered(**{field: printed}) == ({field: value} if value else {})


def test_times_a_model_copied_that_cannot_both_be_right_are_left_out():
    times = {"collected": "2024-11-26 09:00", "reported": "2024-11-26 08:00"}
    assert origin_answered(**times, specimen="血清") == {"specimen": "血清"}


@pytest.mark.parametrize(
    ("origin", "how"),
    [
        ("null", "strict"),  # 什么也没有印
        ('{"specimen": "血清", "patient": "张三"}', "strict"),
        ('"2024-11-26"', "strict"),
        ('{"collected": 20241126, "received": {"value": 7}, "reported": ["2024"]}', "strict"),
        (None, "strict"),  # 照第 1 版的提问训练的模型
    ],
)
def test_an_origin_of_another_shape_never_costs_the_rows(origin, how):
    """也从不留下别的个人信息。"""
    rest = '"items": [{"name": "钾", "result": "4.1"}]}'
    read = parse_answer((f'{{"origin": {origin}, ' if origin else "{") + rest)
    assert (read.how, read.report.items[0].result) == (how, "4.1")
    assert read.report.origin.keys() <= {"specimen"} and "张三" not in read.report.model_dump_json()


def test_the_embedded_reader_answers_as_a_model_is_asked_to():
    fields = {"collected": PrintedField(value="2024-11-26T08:30", confidence=0.9, box=(1, 2, 3, 4))}
    read = Reading(items=[POTASSIUM.model_dump()], origin=fields)
    answer = ReadReport.model_validate_json(answer_of(read))
    assert answer.origin == PrintedOrigin(collected="2024-11-26T08:30")
    assert parse_answer(answer_of(read)).report.origin["collected"].value == "2024-11-26T08:30"
    assert ReadReport.model_validate_json(answer_of(Reading(items=read.items))).origin is None
