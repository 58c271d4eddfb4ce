"""问的话里有没有说到等不得的事：急的不舒服、轻生的念头。说法在 emergencies.yaml；说的是什么、有多急，由医生判断。"""

import re
from functools import cache
from pathlib import Path

from health_assistant.checked_yaml import Entry, read_yaml


class Kind(Entry):
    """一类急事：要说的话，和认得的说法。"""

    says: str
    signs: tuple[str, ...]


class Emergencies(Entry):
    """emergencies.yaml 的全部。"""

    emergency: Kind
    self_harm: Kind


_DENIED = re.compile(
    r"((没有|没|无|否认)(过|任何|什么|出现|觉得|感到)?|\b(no|without|denies|don'?t have( any)?) )$", re.I
)
_BEGAN = re.compile(
    r"(现在|今天|刚[才刚]?|最近|这[两几]天|后来).{0,3}(有|开始|出现)|\bnow (i|he|she|we|they) (do|have|has)", re.I
)
"""从前没有、现在有了：前面的否认不算。"""
_JOINED = re.compile(r"\s*(、|，?[和或也]|,? ?(or|and|no)|,)?\s*(没有|没|无)?\s*")
"""否认的几样并列着（没有胸痛、呼吸困难）：后面的也是否认的。"""


@cache
def load_emergencies() -> Emergencies:
    """读入 emergencies.yaml；有错则 BadYaml。"""
    return read_yaml(Emergencies, Path(__file__).with_name("emergencies.yaml"))


def said_emergencies(question: str) -> list[str]:
    """问的话（中文或英文） -> 要放在最前的话（中文，用 `language.say` 说）；没有说到的为空。"""
    known = load_emergencies()
    return [kind.says for kind in (known.emergency, known.self_harm) if _is_said(kind, question)]


def _is_said(kind: Kind, question: str) -> bool:
    """有一处没有被否认的，就是说到了。"""
    denied_until = -1
    may_deny = not _BEGAN.search(question)
    for found in re.finditer("|".join(kind.signs), question, re.IGNORECASE):
        goes_on = denied_until >= 0 and _JOINED.fullmatch(question, denied_until, found.start())
        is_denied = goes_on or _DENIED.search(question[: found.start()])
        if not (may_deny and is_denied):
            return True
        denied_until = found.end()
    return False
