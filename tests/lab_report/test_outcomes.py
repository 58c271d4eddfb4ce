"""没有看过规则的人写的单子：急症一个不漏，小事不吓人，该说的说到。"""

from collections import Counter

import pytest
from outcome_sheets import load_sheets, many, problems

SHEETS = {sheet["id"]: sheet for sheet in load_sheets()}


@pytest.mark.parametrize("name", SHEETS)
def test_what_a_careful_physician_would_say(name):
    wrong = problems(SHEETS[name])
    assert wrong == [], SHEETS[name].get("why")


def test_there_are_enough_of_every_kind():
    tiers = Counter(many(sheet["triage"])[0] for sheet in SHEETS.values())
    assert len(SHEETS) >= 156 + 150
    assert all(tiers[tier] >= 40 for tier in ("none", "routine", "soon", "urgent"))
