"""报告是谁的：性别、年龄、是不是孕妇。只在这里从文字读一次，参考范围、分级与要说的话都用同一个人。"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, Self

from health_assistant.checked_yaml import Entry
from health_assistant.lab_report.groups import ADULT_AGE_YEARS
from health_assistant.lab_report.printed_text import SIMPLIFIED
from health_assistant.lab_report.report import LabReport, ReadReport, Sex
from health_assistant.lab_report.word_lists import any_of

Trimester = Literal[1, 2, 3]

OLD_AGE_YEARS = 60
NEWBORN_AGE_YEARS = 28 / 365
MAX_AGE_YEARS = 130
MAX_PREGNANCY_WEEKS = 44
PREGNANCY_AGES_YEARS = (10, 60)
"""这个年龄之外的，单子上的“产科”“孕”说的是别人（新生儿的母亲）。"""

_UNITS: tuple[tuple[str, Fraction, str, int], ...] = (
    ("years", Fraction(1), r"周?岁|years?|yrs?|y", 999),
    ("months", Fraction(1, 12), r"个?月龄?|months?|mths?|mos?|m", 12),
    ("weeks", Fraction(7, 365), r"周龄?|weeks?|wks?|w", 6),
    ("days", Fraction(1, 365), r"天龄?|日龄?|days?|d", 31),
    ("hours", Fraction(1, 365 * 24), r"个?小?时|hours?|hrs?|h", 24),
    ("minutes", Fraction(1, 365 * 24 * 60), r"分钟?|minutes?|mins?", 60),
)
"""年龄的单位，从大到小：名字、合多少年、写法、至多几个（前面还有更大的单位时）。"""
_AGE = re.compile(
    "".join(
        rf"(?:(?:零|又|and|,)?(?P<{name}>\d{{1,4}}(?:\.\d{{1,2}})?|半)(?P<half_{name}>个半)?(?:{unit})(?P<and_half_{name}>半)?)?"
        for name, _, unit, _ in _UNITS
    )
    + r"(?:龄|大|old|整)?",
    re.IGNORECASE,
)
_AROUND_AGE = any_of("around_age")
"""年龄一栏里与年龄印在一起的别的字。"""
_NEWBORN = re.compile(r"新生儿|新生婴儿|早产儿|neonat|newborn", re.IGNORECASE)
_CHILD = any_of("child")
_NOT_A_CHILD = re.compile(r"妇女与?儿童|妇儿|妇幼|试管婴儿|母婴|胎儿")
_ADULT = re.compile(r"成人|成年|老年|老人|adult", re.IGNORECASE)

_CHINESE_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2}
_CHINESE_NUMBER = re.compile(r"[一二两三四五六七八九十百][零一二两三四五六七八九十百]*|零(?=岁)")

_WEEKS = re.compile(r"(?:孕|妊娠)(?:龄|周数?|期)?:?(?P<weeks>\d{1,2})(?![\d.]|个?月|[年次产岁天P])", re.IGNORECASE)
_MONTHS = re.compile(r"(?:孕|妊娠)(?P<months>\d{1,2})个?月")
_STAGES: tuple[tuple[re.Pattern[str], Trimester], ...] = (
    (re.compile(r"早孕|孕早期|早期妊娠|妊娠早期|异位妊娠|宫外孕|孕\d+天"), 1),
    (re.compile(r"中孕|孕中期|中期妊娠|妊娠中期"), 2),
    (re.compile(r"晚孕|孕晚期|晚期妊娠|妊娠晚期|待产|临产|足月妊娠"), 3),
)
_STAGE_WORDS: dict[Trimester, str] = {1: "孕早期", 2: "孕中期", 3: "孕晚期"}
_PREGNANT = any_of("pregnant")
_OBSTETRICS = re.compile(r"(?<!妇)产科|obstetric", re.IGNORECASE)
_NOT_PREGNANT = any_of("not_pregnant")
_AFTERWARDS = re.compile(r"产后|产褥|流产后|人流|引产后")
_LATER = r"(?!第?(?:[4-9]\d|\d{3})[天日]|第?(?:[6-9]|[1-9]\d)周|[\d一二三四五六七八九两半]+个?[月年])"
_GAVE_BIRTH = re.compile(rf"(?<!流)产后{_LATER}|产褥|剖[宫腹]产术?后{_LATER}|分娩后{_LATER}")
"""生完六周以内；42 天复查的不算。"""
_JUST_DELIVERED = re.compile(rf"{_GAVE_BIRTH.pattern}|(?<!孕)产妇(?!科)")
"""单写“产妇”的也许还没有生：写着产科的仍当作孕妇。"""
_ON_DIALYSIS = re.compile(
    r"(?<![未非无拟])(?<![未无拟]行)(?:血透|腹透|洗肾|(?:血液|腹膜)透析|(?<![液膜])透析)(?!液|用?水|室)"
)
_HOPING = re.compile(r"不孕|未孕|备孕|孕前|孕育")


@dataclass(frozen=True)
class Person:
    """报告是谁的。`age_years` 没有印、没看懂为 None；`age_unclear` 是印了而没看懂，从不当作成人。

    `postpartum` 是刚生完的：孕期的范围不再用，子痫前期一类的急症还会来。
    `is_paediatric` 是没有可用的年龄而单子上的话（儿童血常规、儿科、年龄一栏写“婴儿”）说是孩子。
    """

    sex: Sex | None = None
    age_years: float | None = None
    age_unclear: bool = False
    pregnant: bool = False
    trimester: Trimester | None = None
    postpartum: bool = False
    is_paediatric: bool = False
    on_dialysis: bool = False

    @property
    def is_adult(self) -> bool:
        """18 岁起；没有印年龄、也没有儿童字样的当作成人。"""
        if self.age_years is None:
            return not self.age_unclear and not self.is_paediatric
        return self.age_years >= ADULT_AGE_YEARS

    @property
    def is_minor(self) -> bool:
        """确知不满 18 岁；年龄看不懂的既不是成人，也不是未成年人。"""
        return self.is_paediatric if self.age_years is None else self.age_years < ADULT_AGE_YEARS

    @property
    def may_be_pregnant(self) -> bool:
        """要不要请人告诉医生是否怀孕：不是男的、年龄说得通、单子上也没有说。"""
        low, high = PREGNANCY_AGES_YEARS
        is_of_age = not self.is_paediatric if self.age_years is None else low <= self.age_years <= high
        return self.sex != "男" and is_of_age and not self.pregnant

    @property
    def is_newborn(self) -> bool:
        """不满 28 天。"""
        return self.age_years is not None and self.age_years < NEWBORN_AGE_YEARS

    def fits(self, who: str) -> bool:
        """这个人属不属于 `who` 这一群；年龄看不懂的只属于任何人与自己的性别。"""
        return _GROUPS[who](self)


_GROUPS: dict[str, Callable[[Person], bool]] = {
    "任何人": lambda person: True,
    "成人": lambda person: person.is_adult,
    "不在孕期的成人": lambda person: person.is_adult and not person.pregnant,
    "儿童": lambda person: person.is_minor and not person.is_newborn,  # 不知几岁的孩子也算
    "新生儿": lambda person: person.is_newborn,
    "孕妇": lambda person: person.pregnant,
    "产后": lambda person: person.postpartum,
    "透析病人": lambda person: person.on_dialysis and person.is_adult,
    "成年男": lambda person: person.sex == "男" and not person.is_minor,
    "男": lambda person: person.sex == "男",
    "女": lambda person: person.sex == "女",
    "老人": lambda person: person.age_years is not None and person.age_years >= OLD_AGE_YEARS,
}


SpokenTo = Literal["孕妇", "男", "女", "儿童", "新生儿", "老人"]
"""有的话对这一部分人另说。"""


class Spoken(Entry):
    """目录、组合里的一项：有的话对一部分人另说，写在 `texts`，没有写的照一般的。"""

    texts: tuple[Any, ...] = ()

    def spoken_to(self, person: Person, **changes: Any) -> Self:
        """话是对这个人说的副本；changes 是另外要换的字段。新生儿先听对孩子说的，再听对自己说的。"""
        as_a_child = [texts for texts in self.texts if person.is_newborn and texts.who == "儿童"]
        for texts in (*as_a_child, *(texts for texts in self.texts if person.fits(texts.who))):
            changes |= texts.model_dump(exclude={"who"}, exclude_none=True)
        fields = {name: getattr(self, name) for name in type(self).model_fields}
        # 不用 model_copy：它会把算过的 cached_property 一起抄走
        return type(self).model_construct(**fields | changes)  # type: ignore[return-value]  # pydantic 写的是父类


def parse_age(text: str | None) -> float | None:
    """印着的年龄 -> 以年为单位的数；没有、含糊（成人、婴儿）、看不懂或大得不可能为 None。

    认得 45岁、45、3个月、1岁6月5天、1岁半、5周、12日龄、36小时、新生儿、四十五岁、18M（月）、3Y2M、6 years。
    """
    plain = _plain_age(text)
    if re.fullmatch(r"(?:新生儿|newborn|neonate)", plain, re.IGNORECASE):
        return 0.0
    if re.fullmatch(r"\d{1,3}(?:\.\d{1,2})?", plain):
        plain += "岁"
    parts = _AGE.fullmatch(plain)
    years = _sum_up(parts) if parts else None
    return float(years) if years is not None and years <= MAX_AGE_YEARS else None


def _plain_age(text: str | None) -> str:
    """去掉空白、前后的性别与“年龄：”，中文数字换成阿拉伯数字；太长的不是年龄。"""
    if not text or len(text) > 60:
        return ""
    plain = re.sub(r"\s+|。$", "", unicodedata.normalize("NFKC", text).translate(SIMPLIFIED))
    plain = re.sub(r"y[./]?o\.?$|y\.", "y", plain, flags=re.IGNORECASE)
    previous = None
    while plain != previous:
        previous, plain = plain, _AROUND_AGE.sub("", plain)
    return _CHINESE_NUMBER.sub(lambda number: str(_chinese_number(number[0])), plain)


def _chinese_number(text: str) -> int | str:
    """`四十五` -> 45，`一百零二` -> 102；不成数的照原样。"""
    digits = "[一二两三四五六七八九]"
    parts = re.fullmatch(rf"(?:({digits})百)?(零)?(?:({digits})?(十))?({digits})?", text)
    if not parts:
        return text
    hundreds, _, tens, has_tens, ones = parts.groups()
    value = 100 * _CHINESE_DIGITS[hundreds] if hundreds else 0
    value += 10 * (_CHINESE_DIGITS[tens] if tens else 1) if has_tens else 0
    return value + (_CHINESE_DIGITS[ones] if ones else 0)


def _sum_up(parts: re.Match[str]) -> Fraction | None:
    """各单位的数合起来；前面有更大的单位时，后面的不能多到够一个更大的单位。"""
    total, has_larger = Fraction(0), False
    for name, per_year, _, most in _UNITS:
        number = parts[name]
        if not number:
            continue
        halves = [parts[f"half_{name}"], parts[f"and_half_{name}"]]
        if number == "半" and any(halves) or (has_larger and (number == "半" or Fraction(number) > most)):
            return None
        value = Fraction(1, 2) if number == "半" else Fraction(number)
        total += (value + Fraction(1, 2) * any(halves)) * per_year
        has_larger = True
    return total if has_larger else None


def person_of(report: ReadReport | LabReport) -> Person:
    """从报告名、性别、年龄看是谁的；没有印的就是不知道。"""
    sex = report.sex
    title = re.sub(r"\s+", "", unicodedata.normalize("NFKC", report.report_type))
    printed = (report.age or "").strip(" —*/　")
    printed = printed if re.match(r"-\s*\d", printed) else printed.strip(" -—*/　")  # “-5”不是 5 岁
    words = _NOT_A_CHILD.sub("", title) + ";" + printed
    years, says_newborn = parse_age(printed), bool(_NEWBORN.search(words))
    says_child = says_newborn or bool(_CHILD.search(words))
    if says_newborn and (years is None or re.fullmatch(r"\d{1,2}", printed)):
        # 新生儿的单子上没有单位的数是天数，不是岁数
        years = 0.0
    elif re.fullmatch(r"0+(?:\.0+)?(?:周?岁|Y)?", _plain_age(printed), re.IGNORECASE):
        # “0 岁”是不满周岁，不知几个月
        years, says_child = None, True
    # 几页的年龄不一样（“46岁 或 40岁”），都是成人的是成人，都是孩子的是孩子
    each = [parse_age(age) or 0 for age in printed.split(" 或 ")]
    says_child = says_child or (len(each) > 1 and min(each) > 0 and max(each) < ADULT_AGE_YEARS)
    is_paediatric = years is None and says_child
    weeks_text = title + ";" + re.sub(r"\s+", "", unicodedata.normalize("NFKC", printed))
    could_be = sex != "男" and not is_paediatric
    could_be = could_be and (years is None or PREGNANCY_AGES_YEARS[0] <= years < PREGNANCY_AGES_YEARS[1])
    pregnant, trimester = _pregnancy(weeks_text) if could_be else (False, None)
    # 年龄一栏只印着孕周的，是成人
    says_adult = _ADULT.search(printed) and not re.search(r"\d", printed)
    says_adult = says_adult or (pregnant and _pregnancy(printed[:60])[0])
    says_adult = says_adult or (len(each) > 1 and min(each) >= ADULT_AGE_YEARS)
    age_unclear = bool(printed) and years is None and not is_paediatric and not says_adult
    return Person(
        sex="女" if pregnant else sex,
        age_years=years,
        age_unclear=age_unclear,
        pregnant=pregnant,
        trimester=trimester,
        postpartum=could_be and not pregnant and bool(_JUST_DELIVERED.search(weeks_text)),
        is_paediatric=is_paediatric,
        on_dialysis=bool(_ON_DIALYSIS.search(title)),
    )


def pregnancy_words(text: str) -> str:
    """科别、诊断、孕周这些话里说到的孕期，写成报告名里的一个词：孕28周、孕早期、产科、孕妇；没有说到为空串。"""
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text))
    pregnant, trimester = _pregnancy(plain)
    if not pregnant:
        return ""
    weeks = next((said["weeks"] for said in _WEEKS.finditer(_NOT_PREGNANT.sub("", plain))), "")
    if weeks and trimester:
        return f"孕{int(weeks)}周"
    return _STAGE_WORDS[trimester] if trimester else "产科" if _OBSTETRICS.search(plain) else "孕妇"


def _pregnancy(text: str) -> tuple[bool, Trimester | None]:
    """是不是孕妇、在第几个三个月；不孕、孕酮、孕前检查、妊娠试验、产后不是。"""
    plain = _NOT_PREGNANT.sub("", text)
    weeks = [int(said["weeks"]) for said in _WEEKS.finditer(plain)]
    weeks += [round(int(said["months"]) * 52 / 12) for said in _MONTHS.finditer(plain)]
    if any(weeks):
        # “孕周 0”是没有填
        is_possible = 2 <= weeks[0] <= MAX_PREGNANCY_WEEKS
        return True, (1 if weeks[0] < 14 else 2 if weeks[0] < 28 else 3) if is_possible else None
    if _AFTERWARDS.search(plain):
        return False, None
    stage = next((number for pattern, number in _STAGES if pattern.search(plain)), None)
    by_ward = bool(_OBSTETRICS.search(plain)) and not (_HOPING.search(text) or _GAVE_BIRTH.search(plain))
    return bool(stage or by_ward or _PREGNANT.search(plain)), stage
