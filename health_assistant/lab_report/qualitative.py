"""定性的词：阴性、弱阳性、阳性的各种写法归为同一个词，其余照原样。"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.word_lists import any_of

GRADED = ("阴性", "弱阳性", "阳性")
# 初筛有反应，等着再查一次：要当作阳性去确证；单独的“待复查”不知道查出了什么
_AWAITS_CONFIRMATION = any_of("awaits_confirmation")
_PADDING = any_of("around_positive", 0)
"""阳性、阴性前后的话：`结果呈阳性。`、`阳性反应`、`阳性，请复查`；`阴性，待复查` 还不算阴性。"""
_KIND = r"(?:(?:HPV-?)?[\d、,/;]*\d|(?!.*[未非无不阴])[\w、,/;-]{1,16}?(?:[型组级]|病毒|抗原|抗体|核酸|[菌虫]))型?"
"""查出来的是哪一种：16型、HPV16、甲型流感病毒、2级。"""
_KIND_FOUND = re.compile(
    rf"(?:{_KIND}(?=(?:弱?阳性|\(\++\))$)|(?<=阳性)(?:[,;:]?{_KIND}|\({_KIND}\))$|(?<=检出){_KIND}$|(?<=检测到){_KIND}$)",
    re.IGNORECASE,
)
_CLASS = re.compile(r"(?:class)?-?([0-6])级|class-?([0-6])")
"""过敏原的级别（0 级是没有，6 级最高）。"""
_AMOUNT_FOUND = re.compile(
    r"^(?:mtb)?(阳性|检出|检测到|positive|detected)[,;:(]?"
    r"(?:极低|低|中等?|高|very ?low|low|medium|moderate|high|序列数\d+|\d+(?:\.\d+)?%)\)?$"
)
"""查出来有多少：Xpert 的 `检出(低)`、高通量测序的 `检出(序列数86)`、`阳性(38%)`。"""
_FULL = any_of("full")
"""多得数不过来，归为“满视野”。"""
_MANY = re.compile(r"满视野|大[量批]|[多极甚很许较]多|多量|成[堆团簇]|密集|numerous", re.IGNORECASE)
_NONE = re.compile(r"未|没|非|无(?![数法])|不(?![可计])")
_RARE = re.compile(r"(偶见|偶有|罕见|极少|个别)(/[hl]pf?)?", re.IGNORECASE)
_SOME = re.compile(r"(少量|少许|可见|查见|见到|找到|发现|散在|中量)(/[hl]pf?)?", re.IGNORECASE)
_FEW = re.compile(r"(极少量?|少量|少许|偶见|偶有|少见|罕见)(/[hl]pf?)?", re.IGNORECASE)
_SPELLINGS = load_yaml(Path(__file__).with_name("qualitative_words.yaml"))
_WORD = {spelling: word for word, spellings in _SPELLINGS.items() for spelling in (word, *spellings)}


@dataclass(frozen=True)
class QualitativeResult:
    """定性的结果，或可接受的几种定性结果。阴性、弱阳性、阳性的各种写法归为同一个词，其余照原样。

    `grade` 是阳性的加号个数（`2+` 是 2），没有印则为 None。
    """

    words: tuple[str, ...]
    grade: int | None = None

    @property
    def is_graded(self) -> bool:
        """是阴性、弱阳性、阳性之一。"""
        return self.words[0] in GRADED

    @property
    def amount(self) -> Literal["many", "rare", "some"] | None:
        """用文字说有多少（镜检）：满视野、大量是 many，偶见是 rare，少量、查见是 some；说的不是多少为 None。"""
        clauses = _asserted(self.words[0])
        if any(map(_MANY.search, clauses)):
            return "many"
        return "rare" if any(map(_RARE.fullmatch, clauses)) else "some" if any(map(_SOME.fullmatch, clauses)) else None

    @property
    def allows_few(self) -> bool:
        """当作范围时，说的是至多有一点：少量、偶见；可见、中量说的是本来就有。"""
        return all(_FEW.fullmatch(word) for word in self.words)

    def __str__(self) -> str:
        return "/".join(f"{self.grade}+" if word == "阳性" and self.grade else word for word in self.words)


def _asserted(text: str) -> list[str]:
    """逗号隔开的几句里，不是说没有的。"""
    return [clause for clause in re.split(r"[,;。]", text) if not _NONE.match(clause)]


def parse_term(text: str) -> QualitativeResult | None:
    """一个定性词；含有数字的（除 2+ 这样的加号分级外）不算。"""
    if _AWAITS_CONFIRMATION.fullmatch(text):
        return QualitativeResult(("阳性",))
    plain = re.sub(r"^(未见|未检出|未查见)[(:]?0\)?$", r"\1", text.lower())
    plain = re.sub(r"(?<=[+±性级])[,;(]?[0-6]级\)?$", "", plain)  # `+++(3级)`
    if level := _CLASS.fullmatch(plain):
        grade = int(level[1] or level[2])
        return QualitativeResult(("阳性",), grade) if grade else QualitativeResult(("阴性",))
    if any(map(_FULL.search, _asserted(plain))):
        return QualitativeResult(("满视野",))
    plain = re.sub(r"(?<=[+±见无性量])/[hl]pf?$|(?<=[a-z])\.$", "", plain)
    plain = _KIND_FOUND.sub("", plain)
    plain = _PADDING.sub("", plain[1:-1] if re.fullmatch(r"\([^()]*\)|\[[^\[\]]*\]", plain) else plain)
    plain = re.sub(r"^(弱?阳性|pos(?:itive)?|present|reactive|detected)([+±]+|[1-5]\+)$", r"\1(\2)", plain)
    # `阴性(胶体金法)` 的括号里是方法，`未检出(<20)` 的是检测下限
    plain = re.sub(r"(?<=.)\([^()]*法\)$", "", plain)
    plain = re.sub(r"^(正常|normal)\(\d[\d.]*\)$", r"\1", plain)
    plain = re.sub(r"^(阳性)[,;(]?ct值?[=:]?\d+(?:\.\d+)?\)?$", r"\1", plain)
    plain = re.sub(r"^(未找到)[一-鿿]{1,6}菌$", r"\1", plain)
    plain = _AMOUNT_FOUND.sub(r"\1", re.sub(r"^(阳性|检出)[,;(]?弱\)?$", "弱阳性", plain))
    plain = re.sub(r"^(阴性|未检出|未检测到|notdetected|negative)\([<≤]=?\d[\d.]*\)$", r"\1", plain)
    base, sign = re.fullmatch(r"(.*?)(?:\(([-+±\d/]+|\d+\.\d+(?:s/co|coi|m?iu/ml)?)\))?", plain, re.DOTALL).groups()
    word, grade = parse_grade(base)
    if word in GRADED:
        sign_word, sign_grade = parse_grade(sign or base)
        # `阴性(+)` 自相矛盾；`弱阳性(+)`、`3+(28)` 与 `阳性(12.5)` 不是
        if sign_word not in (None, word) and (word, sign_word) != ("弱阳性", "阳性"):
            return None
        return QualitativeResult((word,), (grade or sign_grade) if word == "阳性" else None)
    if word:
        # `未见异常(-)` 与 `正常` 一样
        return QualitativeResult((word,)) if not sign or (word, parse_grade(sign)[0]) == ("正常", "阴性") else None
    return QualitativeResult((text,)) if re.search(r"[A-Za-z一-鿿]", text) and not re.search(r"\d", text) else None


def parse_grade(text: str) -> tuple[str | None, int | None]:
    """归一后的词与加号个数；都不是则为 (None, None)。"""
    plus = re.fullmatch(r"([1-6])\+|\+([1-6])|(\+{1,5})", text)
    if plus:
        return "阳性", int(plus[1] or plus[2] or len(plus[3]))
    return _WORD.get(text), None
