"""报告是谁的：年龄的各种写法，孕妇，孩子，以及不能确定的。"""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health_assistant.lab_report.person import MAX_AGE_YEARS, Person, parse_age, person_of, pregnancy_words
from health_assistant.lab_report.report import LabReport, ReadReport

AGE_LIKE = st.lists(
    st.sampled_from(
        [
            *"0123456789",
            "12",
            "3",
            "岁",
            "周岁",
            "个月",
            "月",
            "周",
            "天",
            "小时",
            "半",
            "四十五",
            "十",
            "零",
            "Y",
            "M",
            "D",
        ]
        + ["years", " ", "/", "男", "Male", "新生儿", "年龄：", "?", "O", ".", "孕", "²", "٣", "①"]
    ),
    max_size=6,
).map("".join)


def who(report_type: str = "血常规", sex: str | None = None, age: str | None = None) -> Person:
    return person_of(ReadReport(report_type=report_type, sex=sex, age=age, items=[]))


def days(number: float) -> float:
    return number / 365


@pytest.mark.parametrize(
    ("text", "years"),
    [
        *(
            (text, 45)
            for text in ("45岁", "45周岁", "45", " 45 岁 ", "４５岁", "45Y", "45 Years", "45yo", "45 y.o.", "045Y")
        ),
        *(
            (text, 45)
            for text in ("四十五岁", "45岁 女", "男 45岁", "45/M", "45 F", "45岁/女", "年龄：45岁", "45歲", "45.0岁")
        ),
        *((text, 52) for text in ("52 Y / Male", "52Y/M", "52Y M", "五十二周岁", "Age: 52 years old")),
        *((text, 0.25) for text in ("3月", "3个月", "3 mos", "3 months", "3M", "三个月", "3月龄", "3 個月")),
        *(
            (text, 1.5)
            for text in (
                "1岁6个月",
                "1岁6月",
                "1岁半",
                "一岁半",
                "1.5岁",
                "18M",
                "18月",
                "1Y6M",
                "1岁零6个月",
                "1 y 6 m",
            )
        ),
        *((text, 0.5) for text in ("半岁", "0.5岁", "6月", "六个月")),
        *((text, days(35)) for text in ("5周", "5W", "5 weeks", "35天", "35D")),
        *((text, days(12)) for text in ("12天", "12日龄", "12 days", "十二天", "出生后12天")),
        *((text, days(1.5)) for text in ("36h", "36小时", "36 hours", "生后36小时", "1天12小时")),
        *(("20周", days(140)), ("7日龄", days(7)), ("3岁2月", 3 + 2 / 12), ("3Y2M", 3 + 2 / 12), ("6 yrs", 6)),
        *(("3岁2月5天", 3 + 2 / 12 + days(5)), ("1个半月", 0.125), ("一百零二岁", 102), ("130岁", 130)),
        *(("新生儿", 0), ("0岁", 0), ("0天", 0), ("28天", days(28)), ("4周", days(28))),
    ],
)
def test_every_printed_age(text, years):
    assert parse_age(text) == pytest.approx(years, abs=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        *(
            None,
            "",
            "-",
            "岁",
            "M",
            "男",
            "成人",
            "成年",
            "婴儿",
            "儿童",
            "看不清",
            "4?岁",
            "O岁",
            "l2岁",
            "1天6月",
            "1岁13月",
        ),
        *(
            "131岁",
            "999岁",
            "2024",
            "1990年5月",
            "1980-01-01",
            "40-50岁",
            ">60岁",
            "60岁以上",
            "七十多岁",
            "-3岁",
            "9" * 10**5,
        ),
    ],
)
def test_ages_that_are_not_understood(text):
    assert parse_age(text) is None


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


@pytest.mark.parametrize(
    "text", ["岁" * 10**5, "1岁" * 1000, "十" * 10**5, "男" * 60, " " * 10**6, "孕" * 10**5, "孕1" * 10**4]
)
def test_reading_is_fast(text):
    started = time.process_time()
    parse_age(text), who(text, None, text)
    assert time.process_time() - started < 0.2


GROUPS = "任何人 成人 儿童 新生儿 孕妇 男 女 老人"


@pytest.mark.parametrize(
    ("report_type", "sex", "age", "groups"),
    [
        ("血常规", "男", "45岁", "任何人 成人 男"),
        ("血常规", None, None, "任何人 成人"),
        ("血常规", None, "--", "任何人 成人"),
        ("血常规", None, "成人", "任何人 成人"),
        ("血常规", "女", "70岁", "任何人 成人 女 老人"),
        ("血常规", "女", "60岁", "任何人 成人 女 老人"),
        ("血常规", None, "18岁", "任何人 成人"),
        ("血常规", None, "17岁11月", "任何人 儿童"),
        ("血常规", None, "28天", "任何人 儿童"),
        ("血常规", None, "27天", "任何人 新生儿"),
        ("血常规", None, "36小时", "任何人 新生儿"),
        ("血常规", None, "20周", "任何人 儿童"),
        # 印了而没看懂的从不当作成人
        ("血常规", "女", "4?岁", "任何人 女"),
        ("血常规", None, "看不清", "任何人"),
        # 没有印年龄，别的字说是孩子
        ("新生儿科 血气", None, None, "任何人 新生儿"),
        ("新生儿血糖", None, "5", "任何人 新生儿"),
        ("儿童血常规", None, None, "任何人 儿童"),
        ("儿科", None, "看不清", "任何人 儿童"),
        ("血常规", None, "婴儿", "任何人 儿童"),
        ("血常规", None, "0岁", "任何人 儿童"),
        # 印了的年龄比报告名可靠
        ("儿童医院 血常规", None, "45岁", "任何人 成人"),
        ("新生儿科", "女", "28岁", "任何人 成人 女"),
        ("妇女儿童医院 血常规", None, None, "任何人 成人"),
        ("妇幼保健院", None, None, "任何人 成人"),
        ("试管婴儿 激素", None, None, "任何人 成人"),
        # 孕妇
        ("血常规 孕12周", "女", "28岁", "任何人 成人 孕妇 女"),
        ("产科 生化", None, None, "任何人 成人 孕妇 女"),
        ("产科 生化", "女", "16岁", "任何人 儿童 孕妇 女"),
        ("产科 生化", "男", "30岁", "任何人 成人 男"),
        ("产科 新生儿", "男", "2天", "任何人 新生儿 男"),
        ("产科", "女", "3天", "任何人 新生儿 女"),
        ("孕28周", "女", "9岁", "任何人 儿童 女"),
        ("孕28周", "女", "不清", "任何人 孕妇 女"),
        ("孕检", "女", "孕28周", "任何人 成人 孕妇 女"),
    ],
)
def test_groups_of_a_person(report_type, sex, age, groups):
    person = who(report_type, sex, age)
    assert [group for group in GROUPS.split() if person.fits(group)] == groups.split()


def test_a_group_that_does_not_exist_is_an_error():
    with pytest.raises(KeyError):
        Person().fits("青年")


@pytest.mark.parametrize(
    ("report_type", "trimester"),
    [
        *(
            (text, 1)
            for text in (
                "孕12周",
                "血常规 孕 8 周",
                "孕13+6周",
                "早孕",
                "孕早期",
                "妊娠早期",
                "妇产科 孕8周",
                "异位妊娠",
            )
        ),
        *((text, 2) for text in ("孕14周", "孕周：20+3", "孕27+6", "妊娠20周 唐氏筛查", "孕中期 血常规", "孕6个月")),
        *((text, 3) for text in ("孕28周", "孕32+3周", "G2P1 孕30W", "孕40周待产", "孕晚期", "晚期妊娠")),
        *(
            (text, None)
            for text in ("产科", "产科门诊", "孕妇甲功", "妊娠期糖尿病", "产前筛查", "孕检", "孕99周", "先兆流产")
        ),
    ],
)
def test_pregnant(report_type, trimester):
    person = who(report_type)
    assert (person.pregnant, person.trimester) == (True, trimester)


@pytest.mark.parametrize(
    "report_type",
    [
        *(
            "妇产科",
            "不孕不育",
            "不孕症 产科",
            "备孕",
            "未孕",
            "孕前检查",
            "孕酮",
            "孕激素六项",
            "避孕",
            "非孕期",
            "孕1产0",
            "孕周：0",
        ),
        *(
            "妊娠试验",
            "尿早孕试验",
            "早孕？",
            "排除妊娠",
            "否认妊娠",
            "产后42天 产科",
            "人流术后",
            "妊娠期糖尿病史",
            "孕周：",
            "促孕",
        ),
    ],
)
def test_not_pregnant(report_type):
    assert not who(report_type, "女").pregnant


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("诊断：孕32+3周 妊娠期糖尿病", "孕32周"),
        ("科别：产科门诊", "产科"),
        ("诊断：早孕", "孕早期"),
        ("诊断：妊娠期高血压", "孕妇"),
        ("科别：妇产科", ""),
        ("科别：产科;诊断：产后出血", ""),
    ],
)
def test_words_about_pregnancy(text, words):
    assert pregnancy_words(text) == words
    assert bool(words) == who(f"血常规 {words}").pregnant


def test_a_judged_report_gives_the_same_person():
    assert person_of(LabReport(report_type="血常规 孕12周", sex="女", age="28岁", items=[])) == who(
        "血常规 孕12周", "女", "28岁"
    )
