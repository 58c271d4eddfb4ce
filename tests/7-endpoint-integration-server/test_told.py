"""单子上没有印性别、年龄时用人填的：印着的优先，与单子矛盾的不用，不猜孩子的岁数。"""

import pytest
import requests
from medical_report.analysis import Told, fill_in, judge_pages
from medical_report.page_reading import PageRead
from report_servers import upload

from health_assistant.lab_report.report import PrintedField, Reading, ReadRow

THIS_YEAR = 2026
HAEMOGLOBIN = ReadRow(name="血红蛋白", code="HGB", result="125", unit="g/L")
"""成年男子偏低，女子正常。"""


def reading(title: str = "血常规", sex: str | None = None, age: str | None = None, **dates: str) -> Reading:
    origin = {field: PrintedField(value=value) for field, value in dates.items()}
    return Reading(report_type=title, sex=sex, age=age, origin=origin, items=[HAEMOGLOBIN.model_copy()])


def filled(*pages: Reading, sex: str | None = None, year: int | None = None) -> tuple[list, str | None, str | None]:
    fields = fill_in(pages, Told(sex=sex, birth_year=year), THIS_YEAR)
    return fields, pages[0].sex, pages[0].age


def test_what_is_not_printed_is_filled_in():
    assert filled(reading(), sex="女", year=1968) == (["sex", "age"], "女", "58岁")
    assert filled(reading()) == ([], None, None)


def test_the_age_is_that_of_the_day_the_sample_was_taken():
    assert filled(reading(collected="2010-03-01T08:00"), year=1968)[2] == "42岁"
    assert filled(reading(reported="2011-03-01"), year=1968)[2] == "43岁"
    assert filled(reading(collected="1960-03-01"), year=1968) == ([], None, None)


def test_what_is_printed_wins():
    assert filled(reading(sex="男"), sex="女", year=1968) == (["age"], "男", "58岁")
    assert filled(reading(age="7岁"), sex="女", year=1968) == (["sex"], "女", "7岁")
    assert filled(reading(), reading(sex="男", age="30岁"), sex="女", year=1968) == ([], None, None)


@pytest.mark.parametrize("dash", ["-", "—", " ", "/"])
def test_a_dash_is_nothing_printed(dash):
    assert filled(reading(age=dash), year=2024) == (["age"], None, "儿童")


def test_eighteen_by_the_year_may_be_either_and_is_not_said():
    assert filled(reading(), year=2008)[2] is None


@pytest.mark.parametrize("year", [2026, 2019, 2009])
def test_a_birth_year_does_not_give_a_childs_age(year):
    assert filled(reading(), year=year)[2] == "儿童"


@pytest.mark.parametrize(
    ("title", "sex", "year"), [("儿童血常规", None, 1968), ("产科 孕28周", "男", None), ("产科", None, 1940)]
)
def test_what_contradicts_the_paper_is_not_used(title, sex, year):
    assert filled(reading(title), sex=sex, year=year) == ([], None, None)


@pytest.mark.parametrize(("sex", "flag"), [("男", "low"), ("女", "normal")])
def test_the_range_is_that_of_the_person(sex, flag):
    report, _ = judge_pages([PageRead(1, embedded=reading())], True, Told(sex=sex, birth_year=1980))
    assert (report.items[0].flag, report.sex, report.told) == (flag, sex, ["sex", "age"])


def test_both_readers_are_filled_in_alike():
    page = PageRead(1, vision=reading(), embedded=reading())
    report, _ = judge_pages([page], True, Told(sex="女", birth_year=1980))
    assert (report.sex, report.items[0].flag, report.doubts) == ("女", "normal", [])
    page = PageRead(1, vision=reading(sex="男"), embedded=reading())
    assert judge_pages([page], True, Told(sex="女"))[0].told == []


def test_what_only_the_model_read_does_not_overrule_what_was_filled_in():
    """单子上没有印的，视觉模型说女、填的是男：哪个也不用，说出来。"""
    page = PageRead(1, vision=reading(sex="女"), embedded=reading())
    report, _ = judge_pages([page], True, Told(sex="男", birth_year=1980))
    assert (report.sex, report.items[0].flag, report.told) == (None, "unknown", ["age"])
    assert "填的性别" in report.notices[0]


@pytest.mark.parametrize(("age", "year", "is_disputed"), [("45岁", 2020, True), ("45岁", 1980, False)])
def test_an_age_only_the_model_read_is_no_adults_where_a_child_was_filled_in(age, year, is_disputed):
    page = PageRead(1, vision=reading(age=age), embedded=reading())
    report, _ = judge_pages([page], True, Told(birth_year=year))
    assert report.person.is_adult != is_disputed
    assert any("填的年龄" in notice for notice in report.notices) == is_disputed


def test_over_http_it_is_used_and_said_and_kept_through_a_correction(report_server, photo):
    answer = upload(report_server, photo, form={"sex": "女", "birth_year": "1968"}).json()
    report = answer["report"]
    assert report["sex"] == "女"
    assert report["told"] == ["sex", "age"]
    items = [{"name": "血红蛋白", "code": "HGB", "result": "125", "unit": "g/L"}]
    sent = {"report_type": "血常规", "sex": "女", "age": "58岁", "told": ["sex", "age"], "items": items}
    again = requests.post(f"{report_server}/advice", json={"report": sent}, timeout=60).json()["report"]
    assert (again["told"], again["items"][0]["flag"]) == (["sex", "age"], "normal")
    bundle = requests.post(f"{report_server}/fhir", json={"report": sent}, timeout=60).json()
    assert "Patient" not in [entry["resource"]["resourceType"] for entry in bundle["entry"]]


@pytest.mark.parametrize("told", [{"sex": "x"}, {"birth_year": "很久以前"}, {"birth_year": "1700"}])
def test_what_is_not_a_sex_or_a_year_is_refused(report_server, photo, told):
    answer = upload(report_server, photo, form=told)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_report")
    assert answer.json()["error"].startswith("表单的字段不对：") and "JSON" not in answer.json()["error"]
