"""没有看过规则的人写的单子：急症一个不漏，小事不吓人，该说的说到。"""

import re
from collections import Counter
from functools import cache

import pytest
from outcome_sheets import compose_advice, load_sheets, many, problems, read_sheet

from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.language import speaking, translate

SHEETS = {sheet["id"]: sheet for sheet in load_sheets()}


@cache
def assessed(name: str) -> Assessment:
    return assess(read_sheet(SHEETS[name]))


@pytest.mark.parametrize("name", SHEETS)
def test_what_a_careful_physician_would_say(name):
    wrong = problems(SHEETS[name], assessed(name))
    assert wrong == [], SHEETS[name].get("why")


def test_there_are_enough_of_every_kind():
    tiers = Counter(many(sheet["triage"])[0] for sheet in SHEETS.values())
    assert len(SHEETS) >= 156 + 150
    assert all(tiers[tier] >= 40 for tier in ("none", "routine", "soon", "urgent"))


def test_a_sheet_that_is_urgent_now_names_no_later_time():
    """一边说现在就去急诊、一边说今天去问的，人会照晚的那个做；“发热的今天就去”那样有条件的不在内。"""
    later = {
        "zh": r"(?:^|[：，；。\n])(?:请)?(?:今天|几天内)(?:就?去看|就?去医院|就问|就要看)",
        "en": r"See a doctor today:|doctor today\.|who ordered it today|See a doctor within days",
    }
    urgent = [report for name in SHEETS if (report := assessed(name)).when == "now"]
    assert len(urgent) > 200
    for language, words in later.items():
        with speaking(language):
            told = ["\n".join([*map(translate, report.notices), compose_advice(report)]) for report in urgent]
        assert not [text for text in told if re.search(words, text)]


def test_a_row_is_told_as_the_sheet_is():
    """一行的警报（FHIR 的备注用它）与整张要先说的是同一句；现在就要去的，整张只去掉晚一些的时间，问药的一句没有。"""
    for name in SHEETS:
        report = assessed(name)
        told = [
            item.alarm for item in report.items if item.alarm and (report.when != "now" or "问开药的" in item.alarm)
        ]
        assert set(told) <= set(report.notices), name
