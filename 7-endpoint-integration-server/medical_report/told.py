"""单子上没有印性别、年龄时，用的人填的顶上；印着的总是优先。"""

from collections.abc import Sequence

from pydantic import BaseModel, Field

from health_assistant.lab_report.groups import ADULT_AGE_YEARS
from health_assistant.lab_report.person import MAX_AGE_YEARS, person_of
from health_assistant.lab_report.reference_range import is_blank
from health_assistant.lab_report.report import Reading, Sex, ToldField

CHILD = "儿童"
"""只知道出生的年份，差得出一岁：孩子的范围一岁一个样，所以按不知几岁的孩子判断，不猜。"""


class Told(BaseModel):
    """用的人填的：性别、出生的年份；没有填为 None。"""

    sex: Sex | None = None
    birth_year: int | None = Field(None, ge=1900, le=2100)


def fill_in(readings: Sequence[Reading], told: Told, this_year: int) -> list[ToldField]:
    """各页、各读者的读数里谁也没有读到的，换成填的；返回换了哪几个。

    年龄算到采样（没有印就是报告）的那一年，都没有印算到 this_year。
    与单子上的话矛盾的（儿科的单子、孕妇）不用：多半选错了人。
    """
    filled: list[ToldField] = []
    given: list[tuple[ToldField, str | None]] = [("sex", told.sex), ("age", _age(readings, told.birth_year, this_year))]
    for field, value in given:
        if value and all(is_blank(getattr(reading, field) or "") for reading in readings):
            changed = [reading.model_copy(update={field: value}) for reading in readings]
            if all(map(_agree, readings, changed)):
                filled.append(field)
                for reading in readings:
                    setattr(reading, field, value)
    return filled


def _age(readings: Sequence[Reading], birth_year: int | None, this_year: int) -> str | None:
    """写成单子上的样子；那一年还没有出生、大得不可能的为 None。"""
    if birth_year is None:
        return None
    printed = [reading.origin.get("collected") or reading.origin.get("reported") for reading in readings]
    years = next((int(time.value[:4]) for time in printed if time), this_year) - birth_year
    if not 0 <= years <= MAX_AGE_YEARS:
        return None
    if years == ADULT_AGE_YEARS:
        return None  # 也许成年了，也许还没有：不说，照成人的界限，它更早报警
    return f"{years}岁" if years > ADULT_AGE_YEARS else CHILD


def _agree(printed: Reading, filled: Reading) -> bool:
    before, after = person_of(printed), person_of(filled)
    return before.pregnant == after.pregnant and (after.is_minor or not before.is_minor)
