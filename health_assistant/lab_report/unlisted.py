"""目录里没有的：别的标本（脑脊液），和量出来的数（血压、体温、身高）。severity.yaml 里写着各有多要紧。"""

import re
from decimal import Decimal
from typing import Literal

from pydantic import model_validator

from health_assistant.checked_yaml import Entry
from health_assistant.lab_report.catalogue import Number, Sentence
from health_assistant.lab_report.presence import asserts
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.report import SEVERITIES, Severity
from health_assistant.lab_report.units import fold_unit


class Specimen(Entry):
    """目录里没有的标本：报告名里有这个字样的，异常的行至少多要紧，和要说的一句话。"""

    severity: Severity
    say: Sentence
    department: str = "急诊科"
    source: str
    grave_words: tuple[str, ...] = ()
    """结果里有这些词的是危急的，如脓性。"""
    at_most: bool = False
    """反过来：至多这么要紧。静脉血的氧本来就低。"""

    def weigh(self, own: Severity | None, result_text: str) -> Severity | None:
        """这种标本的一行有多要紧；own 是异常的行按一般规则的。文字没法与范围比的，也看有没有 grave_words。"""
        if any(asserts(result_text, word) for word in self.grave_words):
            return "grave"
        if own is None:
            return None
        return (min if self.at_most else max)(own, self.severity, key=SEVERITIES.index)


_AROUND_NAME = re.compile(r"\([^()]*\)|[*★:：\s]|测量值?|平均值?|(?:左|右)?(?:上臂|侧)|次数?$")
_PRESSURES = re.compile(r"(\d{2,3})/(\d{2,3})")


class Measured(Entry):
    """一种量出来的数：到了（含）哪一步就是哪一级；一步也没有写的，怎样都至多是轻微。"""

    name: str
    """整个名称的正则。"""
    who: Literal["任何人", "成人", "孕妇"] = "任何人"
    part: Literal[1, 2] | None = None
    """`血压 152/95` 一格里的第几个数。"""
    unit: str = ""
    high: dict[Severity, Number] = {}
    low: dict[Severity, Number] = {}
    department: str = "全科"
    say: Sentence | None = None
    source: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _check(self) -> "Measured":
        if (self.high or self.low) and not (self.say and self.source and self.unit):
            raise ValueError("写了界限的，要写 unit、say 与 source")
        return self

    def names(self, name: str) -> bool:
        """印着的名称 `name` 说的是不是它。"""
        return bool(re.fullmatch(self.name, _AROUND_NAME.sub("", normalize(name)), re.IGNORECASE))

    def weigh(self, result: str, unit: str) -> Severity | None:
        """印着的 `result` 有多要紧；一步也没有到、单位不同的为 None。没有印单位的只看高的一边：24 也许是 kPa。"""
        text = normalize(result)
        if pair := _PRESSURES.search(text):
            number = Decimal(pair[self.part]) if self.part else None
        else:
            found = re.match(r"[<>]?=?(\d+(?:\.\d+)?)", text)
            number = Decimal(found[1]) if found else None
        if number is None or (unit and fold_unit(unit) != fold_unit(self.unit)):
            return None
        reached = [name for name, edge in self.high.items() if number >= edge]
        reached += [name for name, edge in self.low.items() if unit and number <= edge]
        return max(reached, key=SEVERITIES.index, default=None)
