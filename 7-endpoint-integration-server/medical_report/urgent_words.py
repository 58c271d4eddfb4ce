"""问的话里有没有说到等不得的事：急的不舒服、轻生的念头。说法在 urgent_words.yaml；有多急，由医生判断。

认得的说法总有漏的，所以没有认出的回答后面也有打哪个电话（`errors.IF_IT_IS_NOW`）。
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import chain, pairwise, product
from pathlib import Path

from pydantic import model_validator

from health_assistant.checked_yaml import Entry, read_yaml, refuse
from health_assistant.lab_report.printed_text import SIMPLIFIED
from medical_report.wordings import wordings


class Aside(Entry):
    """说到了，可不是现在的事（问一个词、说从前、说会不会）：紧挨着有 before 或 after，整句里没有 unless。

    of 是哪些说法，空的是任何一样。
    """

    of: str = ""
    before: str = r"(?!)"
    after: str = r"(?!)"
    unless: str = r"(?!)"


class Kind(Entry):
    """一类急事：要说的话，认得的说法，不算的；milder 是常与它们并列着否认、自己不急的。

    words 是词表（名字 -> 空白隔开的词，可以写正则）；near 的一行是几个词表的名字（“甲/乙”是两个表合起来）：
    各有一个词在一句里挨近，先后不论，就是说到了。signs 是挨近说不清的，整条写成正则。
    """

    says: str
    words: dict[str, str] = {}
    near: tuple[str, ...] = ()
    signs: tuple[str, ...]
    milder: str = r"(?!)"
    asides: tuple[Aside, ...] = ()

    @model_validator(mode="after")
    def _knows_its_words(self) -> "Kind":
        named = {name for line in self.near for name in re.split(r"[ /]+", line)}
        refuse("near 里有词表没有的名字", named - self.words.keys())
        return self


class Emergencies(Entry):
    """urgent_words.yaml 的全部。"""

    emergency: Kind
    self_harm: Kind
    unwell: Kind
    ordinary: str
    traditional: str
    sounds: str
    misheard: str


_DENIED = re.compile(
    r"(?<!不是)(?<!并非)(?<!没说)(?<!能说)(没有|没|无|未|否认)(过|任何|什么|出现|觉得|感到)?$"
    r"|\b(no|not|without|denies|never had|(don'?t|doesn'?t) have)( an?| any)? $",
    re.I,
)
_BEGAN = re.compile(
    r"(现在|今天|刚[才刚]?|最近|这[两几]天|后来).{0,3}((?<!没)有|开始|出现)|\bnow (i|he|she|we|they) (do|have|has)"
    r"|(现在|今天|今早|刚[才刚]?|后来|这[次回])(?!没有?.?[痛疼闷喘晕抽吐]).{0,3}([痛疼闷喘晕抽吐]|发作)"
    r"|(但|可|不过|其实).{0,6}((觉得|感觉|确实|明明|其实)有|有)[了的。！!]*$|有没有.{0,20}[我他她][说讲答]?有"
    r"|\bnever\b.*\b(like this|such|this (bad|severe)|first time|until|but (just|now|today|this))\b"
    r"|从来?没.{0,12}(这么|这样|如此)",
    re.I,
)
"""从前没有、现在有了，别人说没有、自己觉得有，医生问有没有、答了有：前面的否认不算。"""
_HALF = str.maketrans({"，": ",", "；": ";", "！": "!", "：": ":", "？": r"\?"})
_BREAK = re.compile(r"[，。；！？,;!?]|(?<=[一-鿿])\s")
"""一句话的停顿：否认的管不到它后面。"""
_JOINED = re.compile(r"\s*(、|/|[和或及]|或者|以及|,? ?\b(or|nor)\b)\s*")
_JOINED_NOUNS = re.compile(r"\s*")
_JOINED_TO_THE_END = re.compile(r"[，,]\s*")
"""否认的几样并列着：顿号、或；没有标点连着的只算名词（胸痛胸闷心慌）；逗号要有“等不适”“or”收尾。"""
_NOUN = re.compile(r"([痛疼闷短慌血便药]|困难)$")
_LIST_ENDS = re.compile(r"[^。；]{0,12}等(不适|不舒服|症状|情况)|[\w ]{0,24},? or\b", re.I)
_NEGATIVE = re.compile(r"[不没]|无(?=尿)|n'?t\b|\bnot\b|\bcannot\b", re.I)
"""自己带着否定的说法（叫不醒、can't breathe）是一句话，不是并列着否认的一样。"""
_HAPPENED = re.compile(r"(了|过去|起来|[一两三几半\d]+(次|口|回|阵|大|天|个|分|小时))")


_NEAR = 12
"""near 的几个词，挨着的两个之间至多隔几个字（英文几个词）：受惊的人一口气里说的一件事；再远常是两件事。"""
_UNIT = re.compile(r"[a-z']+|\d+|[^\sa-z\d]", re.I)
_SENTENCE = re.compile(r"[。;!?\n]|\.(?!\d)")


@dataclass(frozen=True)
class Mention:
    """说到的一处：在话里的起止；parts 是几截的起止，否认可以在任一截的前面；mild 的只帮着连起否认。"""

    text: str
    start: int
    end: int
    parts: tuple[tuple[int, int], ...]
    mild: bool = False
    near: bool = False

    @property
    def words(self) -> str:
        """整个说法的原话。"""
        return self.text[self.start : self.end]


@cache
def load_emergencies() -> Emergencies:
    """读入 urgent_words.yaml；有错则 BadYaml。"""
    return read_yaml(Emergencies, Path(__file__).with_name("urgent_words.yaml"))


def said_emergencies(question: str) -> list[str]:
    """问的话（中文或英文） -> 要放在最前的话（中文，用 `language.say` 说）；没有说到的为空。"""
    known = load_emergencies()
    return [kind.says for kind in (known.emergency, known.self_harm) if _says(kind, question)]


def said_unwell(question: str) -> str:
    """没有认出急事的问的话 -> 回答前要添的一句（中文，用 `language.say` 说）；不用添的为空。

    添的：说到现在身上不舒服的，和不像寻常的问、只在说一件事的（受惊的人多半不问，只说）。
    """
    known = load_emergencies()
    asides = (*known.emergency.asides, *known.unwell.asides)
    unwell = known.unwell.model_copy(update={"asides": asides})
    is_ordinary = _compiled(known.ordinary.replace(" ", "")).search(
        unicodedata.normalize("NFKC", question).translate(SIMPLIFIED)
    )
    return unwell.says if not is_ordinary or _says(unwell, question) else ""


def _says(kind: Kind, question: str) -> bool:
    known = load_emergencies()
    texts = wordings(question, known.traditional, known.sounds, known.misheard)
    return any(_is_said(kind, text) for text in texts)


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """问的话折成了半角，说法里的全角标点也跟着折，写哪一种都一样。"""
    return re.compile(pattern.translate(_HALF), re.IGNORECASE)


def _is_said(kind: Kind, question: str) -> bool:
    """有一处没有被否认、说的是现在的，就是说到了。"""
    may_deny = not _BEGAN.search(question)
    denied_until = covered_from = covered_until = -1
    for mention in _find(kind, question):
        if mention.mild:
            denied_until = mention.end if _denied(mention, denied_until) else denied_until
            continue
        inside = covered_from <= mention.start < covered_until
        if inside and mention.end <= covered_until and not _NEGATIVE.search(mention.words):
            continue
        denied = _denied(mention, denied_until) if may_deny else None
        if denied:
            # 没喝酒，打农药：否认管不到停顿后面
            pause = _BREAK.search(question, *denied)
            denied_until = max(denied_until, pause.start() if pause else denied[1])
        elif not any(_fits(aside, mention) for aside in kind.asides):
            return True
        if inside:
            continue
        if denied and mention.near:  # 挨近的几样，否认的只是其中一样：没有头痛 呕血了，没有胸闷
            covered_from, covered_until = denied[0], max(covered_until, denied[1])
            continue
        stop = _BREAK.search(question, denied[0] if denied else mention.start, mention.end)
        covered_from = mention.start
        covered_until = max(covered_until, stop.start() if stop else mention.end)
    return False


def _find(kind: Kind, question: str) -> list[Mention]:
    mentions = [_matched(match) for sign in kind.signs for match in _overlapping(sign, question)]
    mentions += [_matched(match, mild=True) for match in _overlapping(kind.milder, question)]
    mentions += _find_near(kind, question)
    # 同一处起的，短的在先：它没有盖住的，长的也盖不住
    return sorted(mentions, key=lambda mention: (mention.start, mention.end))


def _overlapping(sign: str, question: str) -> Iterator[re.Match[str]]:
    """重叠的也要：长的那个被否认了，里面的未必（没有过敏史 嘴唇肿）。"""
    start = 0
    while match := _compiled(sign).search(question, start):
        yield match
        start = match.start() + 1


def _matched(match: re.Match[str], mild: bool = False) -> Mention:
    """否认可以在整个说法的前面，也可以在它最后一截的前面（大便不黑、宝宝精神好没发烧）。"""
    parts = (match.span(), (match.start(match.lastindex or 0), match.end()))
    return Mention(match.string, match.start(), match.end(), parts, mild)


def _find_near(kind: Kind, question: str) -> Iterator[Mention]:
    """near 各行的词，在同一句里挨近的每一处。

    每一处第一个词，别的词只看它左右最近的一个：再长的话也只看这么几样。
    """
    places = {name: _places(words, question) for name, words in kind.words.items()}
    for line in kind.near:
        first, *others = [
            sorted(chain.from_iterable(places[name] for name in part.split("/"))) for part in line.split()
        ]
        for place in first:
            candidates = [_nearest(place, other) for other in others]
            for spans in product([place], *candidates):
                inorder = sorted(spans)
                if all(_is_close(question, left[1], right[0]) for left, right in pairwise(inorder)):
                    yield Mention(question, inorder[0][0], inorder[-1][1], tuple(inorder), near=True)


def _places(words: str, question: str) -> list[tuple[int, int]]:
    return [match.span() for match in _compiled("|".join(words.split())).finditer(question)]


def _nearest(span: tuple[int, int], places: list[tuple[int, int]]) -> list[tuple[int, int]]:
    before = [place for place in places if place[1] <= span[0]]
    after = [place for place in places if place[0] >= span[1]]
    return [*before[-1:], *after[:1]]


def _is_close(question: str, end: int, start: int) -> bool:
    between = question[end:start]
    return start >= end and len(_UNIT.findall(between)) <= _NEAR and not _SENTENCE.search(between)


def _denied(mention: Mention, denied_until: int) -> tuple[int, int] | None:
    """被否认的一截；没有被否认为 None。挨近的几样，一样在被否认的里面（没有胸【痛 胸】闷）就没有说到。"""
    for start, end in mention.parts:
        if _DENIED.search(mention.text[:start]) or (mention.near and end <= denied_until):
            return start, end
    if denied_until < 0 or _NEGATIVE.search(mention.words) or _HAPPENED.match(mention.text, mention.end):
        return None
    # 从被否认的里面起的（胸【痛、晕】倒），看它后一截
    start = mention.start if mention.start >= denied_until else mention.parts[-1][0]
    joins = [
        (_JOINED, True),
        (_JOINED_NOUNS, _NOUN.search(mention.words)),
        (_JOINED_TO_THE_END, _LIST_ENDS.match(mention.text, mention.end)),
    ]
    goes_on = any(join.fullmatch(mention.text, denied_until, start) and fits for join, fits in joins)
    return (start, mention.end) if goes_on else None


def _fits(aside: Aside, mention: Mention) -> bool:
    if not _compiled(aside.of).search(mention.words) or _compiled(aside.unless).search(mention.text):
        return False
    if _compiled(aside.after).match(mention.text[mention.end :]):
        return True
    before = _compiled(f"({aside.before})$")
    return any(before.search(mention.text[:start]) for start, _ in mention.parts)
