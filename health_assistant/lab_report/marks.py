"""印在旁边的标记（↑、H、偏低）说的是什么。"""

import re

from health_assistant.lab_report.interval import Interval, compare
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.printed_text import ARROW_FORMS
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.reference_range import is_blank
from health_assistant.lab_report.report import ABNORMAL_FLAGS, CUT_SHORT, UNREAD_MARK, Flag, PrintedRow
from health_assistant.lab_report.severity import grade_value, span_of

_PRINTED_FLAGS: dict[str, tuple[Flag, ...]] = {
    "↑H高+": ("high", "abnormal"),
    "↓L低▼▽": ("low", "abnormal"),
    f"*#※★☆◆▲△!异危阳{UNREAD_MARK}": ABNORMAL_FLAGS,
}
_SAYS_NORMAL = re.compile(
    r"N|NORMAL|正常|[未无]见?异常|[未不][升偏降]?[高低]|NOT(?:ELEVATED|RAISED|INCREASED|DECREASED|REDUCED|HIGH|LOW|ABNORMAL)"
)
_DASHES = ("-", "—", "–")
_WORD = re.compile(r"[A-Z]{3,}")
_SIDES = {"HIGH": "H", "ELEVATED": "H", "RAISED": "H", "INCREASED": "H", "LOW": "L", "DECREASED": "L", "REDUCED": "L"}
_NO_SIDES = re.compile(r"血型|Rh|ABO|IgG", re.IGNORECASE)
_SAYS_ABNORMAL = re.compile(r"[+阳]+|异常|危急值?")
"""星号不在其中：它也可以是脚注、认可的项目。箭头多半是认错的字，结果自己是阳性才算。"""


def plain_flag(row: PrintedRow) -> str:
    """印着的标记，去掉空白与括号，大写；没有、只说在边上的（`Borderline`）为空串：两边都说得通，不作证。"""
    plain = re.sub(r"[\s()（）\[\]]", "", row.mark or "").upper().translate(ARROW_FORMS)
    return "" if plain in ("BORDERLINE", "临界", "边缘") else plain


def flag_says(row: PrintedRow) -> list[tuple[Flag, ...]]:
    """印着的标记各个符号容许的判断；`正常`、`N` 说的是正常，一横也可能是偏低（血球仪）。没有标记、看不懂的为空。"""
    plain = _WORD.sub(_sign_of, plain_flag(row))
    if _SAYS_NORMAL.fullmatch(plain):
        return [("normal",)]
    if plain in _DASHES:
        return [("normal", "low")]
    return [said for characters, said in _PRINTED_FLAGS.items() if set(plain) & set(characters)]


def _sign_of(word: re.Match[str]) -> str:
    """英文词说的高低：`CRITICALHIGH` 是 H，`PANIC` 是 !；别的词（`NORMAL`）照旧，里面的字母不是标记的不算。"""
    text = word[0]
    if set(text) <= {"H"} or set(text) <= {"L"} or _SAYS_NORMAL.fullmatch(text):
        return text
    sides = [_SIDES[side] for side in re.findall("|".join(_SIDES), text)]
    return "".join(sides) or ("!" if re.search("CRIT|PANIC|ABN|ALERT", text) else "")


def word_flag_by_mark(observed: Observation) -> Flag | None:
    """文字的结果没有范围可比，旁边印着 +、↑、异常的，是实验室说它异常；别的为 None。把握同 `flag_by_mark`。"""
    row, value, analyte = observed.row, observed.value, observed.analyte
    if row.confidence is None or not isinstance(value, QualitativeResult) or _NO_SIDES.search(row.name):
        return None
    if analyte and (not analyte.meanings or analyte.is_harmless("abnormal")):
        return None  # 抗体阳性是打过疫苗
    is_positive = value.words[0] in ("弱阳性", "阳性")
    if not is_positive and is_blank(row.reference_range):
        return None  # 颜色、形状旁边的 +
    is_said = _SAYS_ABNORMAL.fullmatch(plain_flag(row)) or is_positive and set(plain_flag(row)) & set("↑↓H高")
    return "abnormal" if is_said else None


def flag_by_mark(observed: Observation, person: Person) -> Flag | None:
    """没有印范围、没有拍全，目录里也没有可用的：印着的 ↑、L 就是实验室的判断。看不出方向、与数自己说的相反的为 None。

    读的人没有说把握的（视觉模型）也为 None：标记可能是它自己的判断，不是印着的。
    """
    row, value, analyte = observed.row, observed.value, observed.analyte
    says = [() if "normal" in said else said for said in flag_says(row)]  # 一横多半说的是正常
    ways: list[Flag] = [way for way in ("high", "low") if says and all(way in said for said in says)]
    has_none = is_blank(row.reference_range) or row.reference_range.endswith(CUT_SHORT)
    if len(ways) != 1 or row.confidence is None or not isinstance(value, Interval) or not has_none:
        return None
    if (value.low if ways[0] == "high" else value.high) is None:
        return None  # `<10` 不会偏高
    own: list[str | None] = []
    if analyte:
        unit, usual = observed.unit or analyte.unit, analyte.reference or analyte.general
        if usual is None and (not analyte.meanings or (ways[0] == "low" and analyte.is_harmless("low"))):
            return None  # Rh(D) 的 + 不是偏高；甲胎蛋白低没有坏处：3000 旁边的 ↓ 多半是 ↑，没有别的可以对照
        is_comparable = usual and analyte.same_unit(unit)
        own.append(grade_value(value, unit, analyte, person, span_of(usual) if is_comparable else None)[1])
        if is_comparable:
            own.append(compare(value, usual, person.sex, person.age_years))
    return None if {"high": "low", "low": "high"}[ways[0]] in own else ways[0]
