"""建议模型写的，先由代码检查，才给人看：结构、药与剂量、分级、说每一项是高是低、数。宁可错拦，换成内置的建议。"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cache
from itertools import groupby

from health_assistant.lab_report.catalogue import fold_name, load_catalogue
from health_assistant.lab_report.patterns import TIERS
from health_assistant.lab_report.reference_range import Terms, parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, TRIAGE_WORDS, LabItem, LabReport
from medical_report import advice_words as words
from medical_report.advice_request import HEADINGS, known_rows

MIN_LENGTH, MAX_LENGTH = 60, 3000

_HEADING = re.compile(r"^#+\s*(.*?)\s*:?$", re.MULTILINE)
_LIST_MARKER = re.compile(r"^\s*(?:\d+[.、)]|[-+*])\s*")
_AGREEING: dict[str, tuple[str, ...]] = {
    "high": ("high", "abnormal"),
    "low": ("low",),
    "normal": ("normal",),
    "abnormal": ABNORMAL_FLAGS,
    "unsound": ABNORMAL_FLAGS,
    "not_high": ("low", "normal"),
    "not_low": ("high", "normal", "abnormal"),
    "positive": ("high", "abnormal"),
    "negative": ("normal",),
}
"""一个说法容许的判断；没有判断的项目，什么都不许说。"""


def find_problems(written: str, report: LabReport) -> list[str]:
    """建议里不能给人看的地方，一条一句；没有则为空。"""
    text = _plain(written)
    return [
        *_structure_problems(written, text),
        *_medicine_problems(text),
        *_triage_problems(text, report),
        *_finding_problems(text, report),
    ]


def _plain(written: str) -> str:
    """便于检查的形式：全角转半角，去掉看不见的字符、强调符号与汉字之间的空格。"""
    superscripts = {"⁹": "^9", "⁶": "^6", "³": "^3", "¹²": "^12"}
    text = re.sub("(?<=10)(¹²|[⁹⁶³])", lambda found: superscripts[found[0]], written)
    text = unicodedata.normalize("NFKC", text)
    text = "".join(one for one in text if unicodedata.category(one) != "Cf")
    text = re.sub(r"\*\*|__|(?<!^)\*", "", text)
    return re.sub(r"(?<=[一-鿿])[ \t]+(?=[一-鿿])", "", text)


def _structure_problems(written: str, text: str) -> Iterator[str]:
    if not MIN_LENGTH <= len(written) <= MAX_LENGTH:
        yield f"有 {len(written)} 个字，应当是 {MIN_LENGTH} 到 {MAX_LENGTH} 个"
    if tuple(_HEADING.findall(text)) != HEADINGS:
        yield f"标题不是约定的{len(HEADINGS)}个"
    letters = re.findall(r"[^\W\d_]", text)
    if sum("一" <= one <= "鿿" for one in letters) < 0.7 * len(letters):
        yield "多半不是中文"
    if found := re.search(words.FOREIGN, text, re.IGNORECASE):
        yield f"有不该有的写法“{found[0]}”"


def _medicine_problems(text: str) -> Iterator[str]:
    # 104 g/L 不是用量
    unmeasured = _measured().sub(lambda found: "" if re.search("[/%]", found[0]) else found[0], text)
    for pattern, what in ((words.DOSE, "用量"), (words.DRUG, "药名"), (words.DIAGNOSIS, "诊断")):
        if found := re.search(pattern, unmeasured, re.IGNORECASE):
            yield f"有{what}“{found[0]}”"
    for clause in re.split(r"[,。;!?\n]", text):
        for found in re.finditer(words.MEDICATE, clause):
            if not (re.search(words.NOT_MEDICATING, clause[: found.start()]) or re.search(words.UP_TO_DOCTOR, clause)):
                yield f"劝人用药或停药“{found[0]}”"


def _triage_problems(text: str, report: LabReport) -> Iterator[str]:
    conclusion = _section(text, HEADINGS[0])
    tier = TIERS.index(report.triage)
    said = [word for one in TIERS if (word := TRIAGE_WORDS[one]) in conclusion]
    if TRIAGE_WORDS[report.triage] not in said:
        yield f"“{HEADINGS[0]}”里没有分级“{TRIAGE_WORDS[report.triage]}”"
    if lower := [TRIAGE_WORDS[one] for one in TIERS[1:tier] if TRIAGE_WORDS[one] in text]:
        yield f"说成了更缓的“{lower[0]}”"
    if report.triage == "urgent":
        if not re.search(words.URGED, re.split(r"[。!?;\n]", conclusion.strip())[0]):
            yield "第一句没有请人就医"
        if found := re.search(words.NO_WORRY, text):
            yield f"急的时候说“{found[0]}”"
    if report.triage == "none":
        return
    if found := re.search(words.NO_DOCTOR, text):
        yield f"说“{found[0]}”"
    if found := re.search(words.ALL_FINE, text):
        yield f"说“{found[0]}”，而有项目不正常或没有判断"


# ---- 逐项 ----


@dataclass
class _Mention:
    """文字里提到的一个指标，和报告里对应的行；报告里没有的，行是空的。"""

    word: str
    items: list[LabItem] = field(default_factory=list)

    def numbers(self) -> set[Decimal]:
        return {number for item in self.items for number in _numbers_of(item)}


def _finding_problems(text: str, report: LabReport) -> Iterator[str]:
    rows: dict[str, list[LabItem]] = {}
    for item, indicator in known_rows(report):
        rows.setdefault(indicator.code, []).append(item)
    has_unknown = any(item.flag == "unknown" for item in report.items)
    listener = _Listener(rows)
    for sentence in re.split(r"[。;!?\n]", _HEADING.sub("", text)):
        sentence = _LIST_MARKER.sub("", sentence)
        yield from listener.problems(sentence)
        if (found := re.search(words.REST_FINE, sentence)) and report.triage != "none":
            names = [one for one in _tokens().finditer(sentence) if one.lastgroup == "name"]
            if has_unknown if re.match(words.REST, found[0]) else not names:
                yield f"说“{found[0]}”，而有项目不正常或没有判断"
    yield from _misplaced(_section(text, HEADINGS[1]), rows)


def _misplaced(section: str, rows: dict[str, list[LabItem]]) -> Iterator[str]:
    """列在“异常项目”里、又没有说它正常的正常项目。"""
    for line in re.findall(r"^\s*(?:\d+[.、)]|[-+*])\s*(.+)", section, re.MULTILINE):
        tokens = list(_tokens().finditer(line))
        items = _find_items(tokens[0][0], rows) if tokens and tokens[0].lastgroup == "name" else []
        says_so = any(token.lastgroup in ("normal", "negative", "not_high", "not_low") for token in tokens)
        if items and not says_so and all(item.flag == "normal" for item in items):
            yield f"把正常的 {tokens[0][0]} 列为异常"


class _Listener:
    """从左到右一句一句地听：提到谁，说它怎样，给了什么数。"""

    def __init__(self, rows: dict[str, list[LabItem]]) -> None:
        self._rows = rows
        self._every_number = {number for items in rows.values() for item in items for number in _numbers_of(item)}
        self._last: list[_Mention] = []
        """最近提到的一个：下一句、下一行可以省略名称。"""

    def problems(self, sentence: str) -> Iterator[str]:
        subjects: list[_Mention] = []
        """这一句里提到过的。"""
        for clause in sentence.split(","):
            here: list[_Mention] = []
            """这个分句里、上一个说法之后提到的。"""
            is_told, pending = False, None
            for token in _tokens().finditer(clause):
                kind, before = token.lastgroup, clause[: token.start()]
                if kind == "name":
                    self._last = [_Mention(token[0], _find_items(token[0], self._rows))]
                    here = self._last if is_told else here + self._last
                    subjects, is_told = subjects + self._last, False
                    if pending:
                        yield from _check(pending, self._last, clause)
                elif kind == "number":
                    yield from self._check_number(token[0], here or self._last)
                elif kind in words.CLAIMS and not _is_supposed(kind, before, clause):
                    about = subjects if re.search(r"[均都全]\w{0,2}$", before) else here
                    if about or _omits_its_subject(token[0], before):
                        yield from _check(kind, about or self._last, clause)
                    elif re.match(r"的?(?:项目|指标|结果)?(?:有|是|为|包括|:|的)", clause[token.end() :]):
                        pending = kind
                    is_told = True

    def _check_number(self, text: str, about: list[_Mention]) -> Iterator[str]:
        number = Decimal(re.match(r"\d+(?:\.\d+)?", text)[0])
        if number not in self._every_number:
            yield f"单子上没有的数 {number}"
        elif about and not any(number in mention.numbers() for mention in about):
            yield f"{about[-1].word} 的数不对：{number}"


def _omits_its_subject(claim: str, before: str) -> bool:
    """承前省略：分句一开头就是“偏高”“结果正常”。"""
    said = _measured().sub("", before)
    return bool(re.search(words.CARRIED, claim) and re.fullmatch(words.LINKING, said))


def _check(kind: str, about: list[_Mention], clause: str) -> Iterator[str]:
    for mention in about:
        if not mention.items:
            yield f"单子上没有 {mention.word}，却说了它的结果"
        elif not any(_agrees(kind, item) for item in mention.items):
            yield f"把 {mention.word} 说错了：“{clause.strip()}”"
        elif any(item.critical for item in mention.items) and re.search(words.MILD, clause):
            yield f"{mention.word} 达到危急值，却说得很轻"


def _agrees(kind: str, item: LabItem) -> bool:
    result = parse_result(item.result)
    printed = result.words if isinstance(result, Terms) else ()
    is_printed = {"positive": "阳性", "negative": "阴性"}.get(kind) in (word.removeprefix("弱") for word in printed)
    return is_printed or item.flag in _AGREEING[kind]


def _is_supposed(kind: str, before: str, clause: str) -> bool:
    """“如果继续降低”“看是否升高”是假设，不是说结果；假设它正常的，要说的是以后才算。"""
    return bool(re.search(words.SUPPOSED, before)) and (kind != "normal" or bool(re.search(words.LATER, clause)))


def _find_items(word: str, rows: dict[str, list[LabItem]]) -> list[LabItem]:
    return [item for code in _names().get(fold_name(word), ()) for item in rows.get(code, [])]


def _numbers_of(item: LabItem) -> set[Decimal]:
    return {Decimal(one) for text in (item.result, item.applied_range) for one in re.findall(r"\d+(?:\.\d+)?", text)}


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^#+\s*{heading}\s*:?$(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return found[1] if found else ""


@cache
def _names() -> dict[str, tuple[str, ...]]:
    """名称的比较形式 -> 指标的代号。两个字的只取“血钾”这样的：别的太像平常的话；代号至少两个字符。"""
    names: dict[str, set[str]] = {}
    for indicator in load_catalogue():
        for word in (indicator.name, *indicator.aliases, indicator.code):
            is_clear = re.fullmatch(r"[A-Za-z].+|.{3,}|[血尿](?!液).|肌酐|[钾钠氯钙磷镁铁]", word)
            if is_clear and (len(word) > 1 or word == indicator.name):
                names.setdefault(fold_name(word), set()).add(indicator.code)
    return {name: tuple(sorted(codes)) for name, codes in names.items() if name}


@cache
def _number() -> str:
    """一个数，连同后面的检验单位。"""
    units = {
        unit for one in load_catalogue() for unit in (one.unit, *one.other_units, *one.more_units, *one.conversions)
    }
    spelled = _any_of({unicodedata.normalize("NFKC", unit) for unit in units if unit})
    return rf"\d+(?:\.\d+)?(?:\s*[×x*]?\s*(?:{spelled})(?![A-Za-z]))?"


@cache
def _measured() -> re.Pattern:
    return re.compile(_number(), re.IGNORECASE)


@cache
def _tokens() -> re.Pattern:
    """一句话里的零件：跳过的、名称、说法、数；哪一种是 `lastgroup`。"""
    words_of = (word for one in load_catalogue() for word in (one.name, *one.aliases, one.code))
    names = {unicodedata.normalize("NFKC", word) for word in words_of if len(word) > 1 and fold_name(word) in _names()}
    latin, others = (_any_of({name for name in names if name.isascii() is is_ascii}) for is_ascii in (True, False))
    # 一个字的名称只在不是“补铁”“低钾饮食”这样的词里才算
    single = "(?<![补含缺低高排保富限吃])[钾钠氯钙磷镁铁](?![性剂盐的]|[一-鿿]?(?:食|饮|蛋白|丰富))"
    name = rf"(?<![A-Za-z0-9])(?:{latin})(?![A-Za-z0-9])|{others}|{single}"
    claims = "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in words.CLAIMS.items())
    return re.compile(rf"(?P<skip>{words.SKIPPED})|(?P<name>{name})|{claims}|(?P<number>{_number()})", re.IGNORECASE)


def _any_of(words: set[str]) -> str:
    """几千个词之一，长的优先；按第一个字分组，不用每个位置都把几千个词试一遍。"""
    ordered = sorted(words, key=lambda word: (word[0], -len(word)))
    groups = groupby(ordered, key=lambda word: word[0])
    return "|".join(f"{re.escape(first)}(?:{'|'.join(re.escape(word[1:]) for word in same)})" for first, same in groups)
