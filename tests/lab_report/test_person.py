"""报告是谁的：年龄的各种写法，孕妇，孩子，以及不能确定的。各种写法在 people.yaml。"""

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab_report.text_boxes import box

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.person import MAX_AGE_YEARS, Person, parse_age, person_of, pregnancy_words
from health_assistant.lab_report.reading.page_head import read_head
from health_assistant.lab_report.report import LabReport, ReadReport

TABLE = load_yaml(Path(__file__).with_name("people.yaml"))
AGE_LIKE = st.lists(
    st.sampled_from(
        [*"0123456789", *"岁月周天半十零YMD /男?O.孕²٣①"]
        + ["12", "周岁", "个月", "小时", "四十五", "years", "Male", "新生儿", "年龄："]
    ),
    max_size=6,
).map("".join)


def who(report_type: str = "血常规", sex: str | None = None, age: str | None = None) -> Person:
    return person_of(ReadReport(report_type=report_type, sex=sex, age=age, items=[]))


@pytest.mark.parametrize(("years", "text"), [(years, text) for years, texts in TABLE["ages"].items() for text in texts])
def test_every_printed_age(years, text):
    assert parse_age(text) == pytest.approx(float(Fraction(years)), abs=1e-12)


@pytest.mark.parametrize("text", [None, "", *TABLE["not_ages"]])
def test_ages_that_are_not_understood(text):
    assert parse_age(text) is None


def test_long_texts_are_given_up():
    """回溯得越来越慢的正则，在这里停不下来。"""
    for text in ("岁" * 10**5, "1岁" * 1000, "十" * 10**5, "男" * 60, " " * 10**6, "孕" * 10**5, "孕1" * 10**4):
        assert who(text, None, text).age_years is parse_age(text) is None


@given(st.text(max_size=30) | AGE_LIKE)
def test_any_text_gives_an_age_of_a_human_or_none(text):
    years = parse_age(text)
    assert years is None or 0 <= years <= MAX_AGE_YEARS
    person = who(text, None, text)
    assert not (person.is_adult and person.is_minor)
    assert not (person.age_unclear and person.is_adult)
    assert person.fits("任何人") and person.is_minor == (person.is_newborn or person.fits("儿童"))
    assert person.trimester is None or person.pregnant
    assert not (person.pregnant and (person.is_newborn or person.sex == "男"))


GROUPS = "任何人 成人 儿童 新生儿 孕妇 产后 男 女 老人"


@pytest.mark.parametrize("line", TABLE["groups"])
def test_groups_of_a_person(line):
    printed, groups = line.split(" -> ")
    report_type, sex, age = (cell.strip() or None for cell in f"{printed} ".split("|"))
    person = who(report_type, sex, age)
    assert [group for group in GROUPS.split() if person.fits(group)] == groups.split()


def test_a_group_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        Person().fits("青年")


@pytest.mark.parametrize(
    ("trimester", "title"), [(at, title) for at, titles in TABLE["pregnant"].items() for title in titles]
)
def test_pregnant(trimester, title):
    person = who(title)
    assert (person.pregnant, person.trimester or 0) == (True, trimester)


@pytest.mark.parametrize("title", TABLE["not_pregnant"])
def test_not_pregnant(title):
    assert not who(title, "女").pregnant


@pytest.mark.parametrize(("text", "words"), TABLE["words"].items())
def test_words_about_pregnancy(text, words):
    assert pregnancy_words(text) == words
    assert bool(words) == who(f"血常规 {words}").pregnant


def test_a_judged_report_gives_the_same_person():
    assert person_of(LabReport(report_type="血常规 孕12周", sex="女", age="28岁", items=[])) == who(
        "血常规 孕12周", "女", "28岁"
    )


@pytest.mark.parametrize("line", TABLE["heads"])
def test_the_sex_and_age_of_a_head(line):
    printed, _, expected = line.partition(" -> ")
    head = read_head([[box(printed, 50, 100)]])
    assert f"{head['sex']} {head['age']}" == expected
