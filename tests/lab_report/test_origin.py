"""页眉里的时间、医院、标本：各种印法；没有把握的没有；视觉模型照抄来的一样看待。"""

from dataclasses import replace
from pathlib import Path

import pytest
from lab_report.text_boxes import spread

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.reading.origin import read_origin
from health_assistant.lab_report.report import PrintedField, PrintedOrigin, PrintedRow, Reading, ReadReport
from health_assistant.lab_report.vl_protocol import answer_of, parse_answer

CASES = load_yaml(Path(__file__).with_name("origins.yaml"))
COPIED = "视觉模型照抄的"


def origin_of(*lines: list[str]) -> dict[str, str]:
    read = read_origin([spread(*texts, line=30 * at) for at, texts in enumerate(lines)])
    return {field: printed.value for field, printed in read.items()}


@pytest.mark.parametrize("case", [case for group, cases in CASES.items() if group != COPIED for case in cases])
def test_what_a_line_says(case):
    printed, read = case.split(" -> ")
    assert origin_of(printed.split(" | ")) == (dict([read.split(": ")]) if read else {})


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


# ---- 视觉模型照抄的 ----

POTASSIUM = PrintedRow(name="钾", result="4.1")


def origin_answered(**printed: str | None) -> dict[str, str]:
    answer = ReadReport(origin=PrintedOrigin(**printed), items=[POTASSIUM]).model_dump_json()
    read = parse_answer(answer)
    assert read.how == "strict"
    return {field: one.value for field, one in read.report.origin.items()}


@pytest.mark.parametrize("case", CASES[COPIED])
def test_what_a_model_copied_is_understood_as_the_embedded_reader_understands_it(case):
    copied, value = case.split(" -> ")
    field, _, printed = copied.partition(": ")
    assert origin_answered(**{field: printed if ":" in copied else None}) == ({field: value} if value else {})


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
