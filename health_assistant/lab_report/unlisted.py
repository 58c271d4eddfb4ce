"""目录里没有的：别的标本（脑脊液）、毒物、传染病，和量出来的数（血压、体温、身高）。severity.yaml 里写着各有多要紧。"""

import re
from decimal import Decimal
from functools import lru_cache
from math import inf
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from health_assistant.checked_yaml import Entry
from health_assistant.lab_report.catalogue import Age, Number, Sentence
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.presence import asserts, presence
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.report import Flag, Severity, rank, worst
from health_assistant.lab_report.units import fold_unit, metric_factor
from health_assistant.lab_report.word_lists import any_of

_LEVEL = re.compile(r"(?![<＜≤]|0+(?:\.0+)?\s)\S+\s+(?P<unit>.+)")
"""测到了的数连同单位。"""


class Specimen(Entry):
    """目录里没有的标本、毒物、传染病：报告名或项目名里有这个字样的，异常的行至少多要紧，和要说的一句话。"""

    severity: Severity
    say: Sentence
    department: str = "急诊科"
    source: str
    grave_words: tuple[str, ...] = ()
    """结果里有这些词的是危急的，如脓性。"""
    words: dict[Severity, tuple[str, ...]] = {}
    """结果里有这些词、又不是说没有的，至少是这一级：病理里的癌、筛查里的高风险。没有印范围也看。"""
    phrases: dict[Severity, str] = {}
    """名称连同结果合这个正则的，至少是这一级：没有才要紧的（未见精子、绒毛），写在一句话里的数（原始细胞占 46%）。"""
    at_most: bool = False
    """反过来：至多这么要紧。静脉血的氧本来就低。"""
    rows: str = ""
    """只管名称里有这些字（正则）的行；at_most 的都写：报告名里有那个词，不等于每一行说的都是它。"""
    found_in: str = ""
    """名称合它（正则）、而结果里真有 words 的行也管：病理的一行可以写着部位（左乳肿物）。"""
    only_high: bool = False
    """毒物、药：低于印着的范围不算什么。"""
    only_low: bool = False
    """凝血因子：高了说的不是它。"""
    only_levels: bool = False
    """药的浓度：不是抑菌圈的 mm、不是拷贝数，也不是没有用药的 0、`<0.5`。"""
    when: Literal["high", "low"] | None = None
    """只管高了（低了）的行：脑脊液的糖高是血糖高，低才是脑膜炎。"""
    young: dict[Age, Severity] = {}
    """不满这个年龄的，异常的行至少这么要紧，at_most 也不管：小孩查出安眠药是误服。"""
    to_child: Sentence | None = None
    """对孩子（家长）另说的一句，看儿科：不说性伴、停酒。"""
    levels: tuple["Level", ...] = ()
    """这种标本里的一行，数到了多少有多要紧：印没有印范围都看。"""

    @model_validator(mode="after")
    def _check(self) -> "Specimen":
        if self.at_most and not self.rows:
            raise ValueError("写了 at_most 的，要写 rows")
        return self

    def for_age(self, years: float | None) -> "Specimen":
        """用于这个年龄的。"""
        own = [severity for age, severity in self.young.items() if years is not None and years < age]
        if not own:
            return self
        raised: dict[Severity, tuple[str, ...]] = {}
        for severity, words in self.words.items():
            name = max(severity, *own, key=rank)
            raised[name] = raised.get(name, ()) + words
        return self.model_copy(
            update={"severity": max(self.severity, *own, key=rank), "at_most": False, "words": raised}
        )

    def speaks_of(self, flag: Flag, is_negative: bool) -> bool:
        """高低是 flag 的一行，它说不说；“至多这么要紧”的说的是查出来的，阴性的用不上。"""
        is_other_side = self.when not in (None, flag) or self.only_low and flag == "high"
        return not is_other_side and not (self.at_most and is_negative and not self.phrases)

    def told_to(self, person: Person) -> tuple[str, str]:
        """要说的一句，与科室。"""
        return (self.to_child, "儿科") if self.to_child and person.is_minor else (self.say, self.department)

    def covers(self, name: str, result: str) -> bool:
        """报告名或项目名说到它的一行，是不是它管的，`result` 连同单位。只写了 found_in 的，别的行都不管。"""
        level = _LEVEL.match(result)
        if self.only_levels and not (level and metric_factor(level["unit"], level["unit"])):
            return False
        if (self.rows or not self.found_in) and re.search(self.rows, name, re.IGNORECASE):
            return True
        is_said = any(self._says(result, words) for words in self.words.values())
        is_said = is_said or any(re.search(phrase, f"{name} {result}") for phrase in self.phrases.values())
        return bool(self.found_in) and is_said and bool(re.search(self.found_in, name, re.IGNORECASE))

    def weigh(self, own: Severity | None, name: str, result: str, unit: str) -> Severity | None:
        """这一行有多要紧；own 是异常的行按一般规则的。没法与范围比的，也看有没有 grave_words，数到没到 levels。"""
        if any(asserts(result.lower(), word) for word in self.grave_words):
            return "grave"
        reached = [level.weigh(result, unit) for level in self.levels if level.names(name)]
        reached += [severity for severity, words in self.words.items() if self._says(result, words)]
        reached += [severity for severity, phrase in self.phrases.items() if re.search(phrase, f"{name} {result}")]
        if own:
            reached.append((min if self.at_most else max)(own, self.severity, key=rank))
        return worst(reached)

    @staticmethod
    def _says(result: str, words: tuple[str, ...]) -> bool:
        left = _DENIED.sub("", result.lower())
        parts = (re.escape(word.lower()) for word in words)
        return any(re.search(rf"(?:(?<![\d.])|(?!\d)){part}", left) for part in parts)  # `10拷贝` 不是 `0拷贝`

    def denies(self, result: str) -> bool:
        """查 `words` 的，通篇只说没有找到：`未见上皮内病变或恶性病变（NILM）`；没有做成的（未检出有效细胞）不是。"""
        return bool(self.words) and _denies(result)


def counts_none(result: str) -> bool:
    """分类、镜检一格里通篇只说原始细胞、疟原虫一个也没有：`原始细胞 0%`。"""
    return bool(_COUNTED.search(result)) and _denies(result)


def without_denied(result: str) -> str:
    """去掉说没有的部分，剩下的才是找到了什么：`未见幼稚细胞，可见异型淋巴细胞` 剩后一半。"""
    return _DENIED.sub("", result)


def says_found(name: str, result: str) -> bool:
    """写着找到、长出了什么；程序不认得的，不知道要不要紧，但不是没有事。本来就有的（乳酸杆菌、皮肤上的表皮葡萄球菌）不算。"""
    if presence(result) == "阴性":
        return False  # `B族链球菌(GBS)阴性`
    told = without_denied(result)
    is_grown = bool(re.search("培养|鉴定|cultur", name, re.IGNORECASE) and _ORGANISM.search(told))
    return (is_grown or bool(_FOUND.search(told))) and not _FLORA.search(name + told)


def _denies(result: str) -> bool:
    is_told = bool(_DENIED.search(result)) and not _NO_RESULT.search(result)
    return is_told and not re.search(r"[\w一-鿿]", _DENIED.sub("", result))


_FOUND = re.compile(
    r"(?<![未不没无])(?:查[见到出]|检[见出]|找[见到]|(?:分离|培养|检测)[出到])(?!率|[下上]?限|正常|精子|上皮|化生|颈管)"
)
_ORGANISM = re.compile("(?:球|杆|弧|丝|孢子?|念珠|隐球|单胞|奈瑟|曲|[肠毛根酵])(?:霉|母)?菌(?!群|株|落|率|量|素)")
_FLORA = re.compile("乳酸?杆菌|双歧|正常|草绿色|表皮葡萄|凝固酶阴性|棒状杆菌")
_COUNTED = re.compile("原始|幼稚|早幼粒|疟|blast|malaria|plasmodium|parasite", re.IGNORECASE)


_AROUND_NAME = any_of("around_name")
_DENIED = any_of("not_said")
"""结果里说没有的部分，去掉以后才看说了什么。"""
_NO_RESULT = re.compile("有效|足够|充分|满意|意义|结果|失败|不足|胎儿(?:游离)?DNA")
_NUMBER = r"\d+(?:\.\d+)?"
_PRESSURES = re.compile(rf"({_NUMBER})/({_NUMBER})")
_LOWEST_PRESSURE = 40
"""收缩压活着的人不会低到 40 mmHg：一对血压的前一个比它小又没有印单位的，是 kPa。"""


class Level(Entry):
    """一种数：到了（含）哪一步就是哪一级。"""

    name: Annotated[re.Pattern[str], BeforeValidator("(?i){}".format)]
    """整个名称，不分大小写。"""
    units: dict[str, Number] = {}
    """印着的单位 -> 乘以多少换成界限的单位；细胞数的单位都写成 `10^6/L`。"""
    high: dict[Severity, Number] = {}
    low: dict[Severity, Number] = {}
    least: Number | None = None
    """比它还小的是用别的单位印的，不看：氧合指数 4.5 不是 4.5 mmHg。"""

    def names(self, name: str) -> bool:
        """印着的名称 `name` 说的是不是它。"""
        return any(map(self.name.fullmatch, _with_and_without_brackets(name)))

    def weigh(self, result: str, unit: str) -> Severity | None:
        """印着的 `result` 有多要紧；一步也没有到、单位不认得的为 None。没有印单位的只看高的一边：24 也许是 kPa。"""
        text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", normalize(result))  # `92,000`
        number = self._number(text, fold_unit(unit))
        if number is None or self.least and number < self.least:
            return None
        knows_unit = bool(unit) or "" in self.units  # pH 本来没有单位
        reached = [name for name, edge in self.high.items() if number >= edge and text[0] != "<"]  # `<10` 不是 10
        lowest = number * Decimal("0.99") if re.match("<(?!=)", text) else number  # `<0.5` 不到 0.5
        reached += [name for name, edge in self.low.items() if knows_unit and lowest <= edge and text[0] != ">"]
        return worst(reached)

    def _number(self, text: str, unit: str) -> Decimal | None:
        factors = {fold_unit(known): factor for known, factor in self.units.items()}
        number = re.match(rf"[<>]?=?({_NUMBER})", text)
        factor = factors.get(unit) if unit else Decimal(1)
        return Decimal(number[1]) * factor if number and factor else None


@lru_cache(maxsize=1 << 12)
def _with_and_without_brackets(name: str) -> tuple[str, str]:
    """名称统一了写法的，去掉括号里的与不去掉的：括号里的也许是要紧的（`甲氨蝶呤(72小时)`）。一项要与许多条比，只做一次。"""
    whole = normalize(name)
    return _AROUND_NAME.sub("", whole), whole


class Measured(Level):
    """一种量出来的数（血压、体温）；一步也没有写的，怎样都至多是轻微。"""

    who: Literal["任何人", "成人", "儿童", "新生儿", "孕妇", "产后"] = "任何人"
    start: Age = Field(0.0, alias="from")
    """从这个年龄起；不知道几岁的也用，除非说是孩子。"""
    below: Age = inf
    """只用于这个年龄以下；不知道几岁的不用。"""
    part: Literal[1, 2] | None = None
    """`血压 152/95` 一格里的第几个数。"""
    is_acute: bool = False
    """到了今天就要看，化验也有一项要今天看的，现在就去；血压高不算。"""
    department: str = "全科"
    say: Sentence | None = None
    source: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "Measured":
        if (self.high or self.low) and not (self.say and self.source and self.units):
            raise ValueError("写了界限的，要写 units、say 与 source")
        return self

    def fits(self, person: Person) -> bool:
        """用不用于这个人。"""
        years = person.age_years
        if years is None:
            return person.fits(self.who) and self.below == inf and not (self.start and person.is_paediatric)
        return person.fits(self.who) and self.start <= years < self.below

    def _number(self, text: str, unit: str) -> Decimal | None:
        pair = _PRESSURES.search(text)
        if pair is None:
            return super()._number(text, unit)
        likely = "kpa" if Decimal(pair[1]) < _LOWEST_PRESSURE else "mmhg"
        return super()._number(pair[self.part], unit or likely) if self.part else None
