"""说中文，还是说英文。中文是源语言：判断、疑问、提示在程序里总是中文，说给人听时才换成人要的语言。

`english_messages.yaml` 是程序自己的话，`english_catalogue.yaml` 是目录、组合与分级表里的话，都是“中文：英文”。
句子可以有 `{名字}`。没有英文的照说中文：宁可看不懂，不可不说。
"""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache, cached_property
from pathlib import Path
from string import Formatter
from typing import Literal

from pydantic import model_validator

from health_assistant.checked_yaml import Entry, read_yaml

Language = Literal["zh", "en"]
LANGUAGES: tuple[Language, ...] = ("zh", "en")
_HAN = re.compile(r"[一-鿿]")
_language: ContextVar[Language] = ContextVar("language", default="zh")
_printed_names: ContextVar[Mapping[str, str] | None] = ContextVar("printed_names", default=None)


class EnglishFile(Entry):
    """一个英文文件。`names` 是目录的代号 -> 名称，别的是中文 -> 英文；`composed` 是拼句子用的，不用来认拼好的话。"""

    names: dict[str, str] = {}
    composed: dict[str, str] = {}
    sentences: dict[str, str]

    @model_validator(mode="after")
    def _check(self) -> "EnglishFile":
        for chinese, english in (self.composed | self.sentences).items():
            if _fields(chinese) != _fields(english):
                raise ValueError(f"“{chinese}”的英文里，花括号里的名字不一样")
        for english in (*self.names.values(), *self.composed.values(), *self.sentences.values()):
            if _HAN.search(english):
                raise ValueError(f"英文里还有汉字：“{english}”")
        return self


class _Phrases:
    """一种语言 -> 另一种：整句的，与有空的（`{名字}`），短的后试。"""

    def __init__(self, pairs: Mapping[str, str]) -> None:
        self.exact = pairs

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        """认一句话的式子，与译文的模板。"""
        with_blanks = sorted(filter(_fields, self.exact), key=len, reverse=True)
        return [(re.compile(_pattern(template), re.DOTALL), self.exact[template]) for template in with_blanks]

    def find(self, text: str, translate_part: Callable[[str, str], str]) -> str | None:
        """填好的一句的译文，各空由 translate_part（空的名字，里面的字）译；不认识的为 None。"""
        if text in self.exact:
            return self.exact[text]
        for pattern, template in self._templates:
            filled = pattern.fullmatch(text)
            if filled:
                parts = {name: translate_part(name, part) for name, part in filled.groupdict().items()}
                return template.format(**parts)
        return None


def _fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def _pattern(template: str) -> str:
    parts = Formatter().parse(template)
    return "".join(re.escape(text) + (f"(?P<{name}>.*?)" if name else "") for text, name, _, _ in parts)


@cache
def load_english() -> EnglishFile:
    """读入两个英文文件，合成一份；有错则 BadYaml。"""
    own, texts = (
        read_yaml(EnglishFile, Path(__file__).with_name(name))
        for name in ("english_messages.yaml", "english_catalogue.yaml")
    )
    return EnglishFile(names=own.names, composed=own.composed, sentences=texts.sentences | own.sentences)


@cache
def _to_english() -> _Phrases:
    return _Phrases(load_english().sentences)


@cache
def _to_chinese() -> _Phrases:
    return _Phrases({english: chinese for chinese, english in load_english().sentences.items()})


@contextmanager
def speaking(language: Language, printed_names: Mapping[str, str] | None = None) -> Iterator[None]:
    """里面的 `say`、`translate` 说这种语言。printed_names 是单子上印的名称 -> 目录里的英文名，写在旁边。

    不要在生成器里跨着 yield 用：别的请求会听见。
    """
    tokens = _language.set(language), _printed_names.set(printed_names)
    try:
        yield
    finally:
        _language.reset(tokens[0])
        _printed_names.reset(tokens[1])


def say(sentence: str, **parts: object) -> str:
    """程序里写着的一句话，填上各空。各空里的文字照原样，要换语言的自己先换。"""
    if _language.get() == "en":
        english = load_english()
        sentence = english.composed.get(sentence) or english.sentences.get(sentence, sentence)
    return sentence.format(**parts) if parts else sentence


def join_sentences(*sentences: str) -> str:
    """几句话接成一段；英文的中间有空格。"""
    return ("" if _language.get() == "zh" else " ").join(filter(None, sentences))


def join_names(names: list[str]) -> str:
    """几个名称并列。"""
    return ("、" if _language.get() == "zh" else ", ").join(names)


def with_english_name(printed: str) -> str:
    """单子上印的名称；说英文时，目录认得的把英文名写在前面。"""
    english = (_printed_names.get() or {}).get(printed)
    return f"{english} ({printed})" if english and english.lower() != printed.lower() else printed


def say_range(limits: str) -> str:
    """目录里的范围，里面的词（阴性、男、女）用现在的语言；数照旧。"""
    if _language.get() == "zh":
        return limits
    return re.sub("[一-鿿]+", lambda word: say(word[0]), limits).replace("，", ", ")


def translate(text: str) -> str:
    """已经填好的一句中文（提示、疑问、错误）-> 现在的语言；不认识的照旧。

    空的名字说明里面是什么：`printed…` 是单子上的字，照旧；`said` 以印着的名称开头；`names` 是顿号隔开的名称；别的也换。
    """
    return _translate(text) if _language.get() == "en" else text


def _translate(text: str) -> str:
    phrases = _to_english()
    english = phrases.find(text, _part)
    if english:
        return english.strip()
    # 几句连着的：前面认得的一段，与后面的
    ends = [at + 1 for at, character in enumerate(text) if character == "。"]
    for end in reversed(ends[:-1]):
        if text[:end] in phrases.exact:
            return f"{phrases.exact[text[:end]]} {_translate(text[end:])}"
    return text


def _part(name: str, text: str) -> str:
    if name.startswith("printed"):
        return text
    if name == "names":
        return ", ".join(map(with_english_name, text.split("、")))
    if name == "said":
        known = [name for name in _printed_names.get() or () if name and f"{text} ".startswith(f"{name} ")]
        printed = max(known, key=len, default="")
        return with_english_name(printed) + text[len(printed) :]
    return _translate(text)


def original(text: str) -> str:
    """别人交回来的一句话 -> 中文；本来就是中文的、不认识的照旧。程序的判断只看中文。"""
    if _HAN.match(text) or not text:
        return text
    return _to_chinese().find(text, lambda _, part: original(part)) or text
