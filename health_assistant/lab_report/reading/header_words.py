"""表头的词：一段文字是哪一列的名字。词在 header_words.yaml 里，由人编辑。"""

import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Literal

from health_assistant.checked_yaml import Entry, read_yaml
from health_assistant.lab_report.groups import find_groups
from health_assistant.lab_report.reading.header_dates import DATE
from health_assistant.lab_report.reading.text import TextBox, part_of

Role = Literal[
    "name", "code", "serial", "result", "unit", "range", "low", "high", "mark", "method", "mean", "replicate", "date",
    "percent", "absolute", "ignored", "unknown",
]  # fmt: skip
"""一列是什么。ignored 是不必看的：上次的结果、危急值；unknown 是认不得的；mean、replicate 是测了几次的平均、每一次；
percent、absolute 是同一项的百分数与绝对数。"""


class _Column(Entry):
    """说一列的各个词，正则。"""

    column: Role
    words: tuple[str, ...]


class _HeadWords(Entry):
    """header_words.yaml 的内容。"""

    alone: tuple[_Column, ...]
    beside_others: tuple[_Column, ...]
    panel_titles: tuple[str, ...]


_FILE = read_yaml(_HeadWords, Path(__file__).parents[1] / "header_words.yaml")
_WORDS = [(entry.column, "|".join(entry.words)) for entry in _FILE.alone]
_BESIDE_OTHERS = [(entry.column, "|".join(entry.words)) for entry in _FILE.beside_others]
_PANEL_TITLE = re.compile(rf"[一-鿿]{{0,6}}(?:{'|'.join(_FILE.panel_titles)})(?:检[查验])?")
_AT_TEMPERATURE = re.compile(
    r"(?:(?:检测|测定)?(?:结果|值))?\s*[(（]?\s*((?:3\d|4[0-3])(?:\.\d)?)\s*(?:[°º]\s*C?|℃)?\s*[)）]?(?:结果|值)?"
)
"""℃ 常认不出来：`结果(37`。"""
_CORRECTED = re.compile(
    r"(?:结果|值)?\s*[(（]?(?:病人|患者)?(?:体温|温度|T)\s*[校矫]正(?:后|值|结果)*[)）]?"
    r"|(?:temp(?:erature)?\.?|T)[- ]?corrected.*",
    re.IGNORECASE,
)
_AS_HEAD_WORD = str.maketrans("杲呆课孝単", "果果果考单")
"""文字识别常认错的：`结杲`、`参孝值`。只用来认表头词，印着的字不改。"""
HEAD_WORD = re.compile("|".join(f"({words})" for _, words in _WORDS), re.IGNORECASE)
_RANGE_WORD = re.compile(dict(_WORDS)["range"], re.IGNORECASE)
_BEST = re.compile(
    r"\b(?:optimal|desirable|ideal|functional|low\s+risk)\b|合适|适宜|理想|最佳|低风险|低危", re.IGNORECASE
)
_WHOSE = re.compile(r"男|女|\b(?:fe)?male\b", re.IGNORECASE)
"""`参考值(男)`：这一列是谁的范围。"""
_AROUND_MEAN = re.compile(r"(?:均[值数]|\bmean|[Xx]̄?)\s*(?:±|\+/?-)\s*[12]?\s*SD?", re.IGNORECASE)
"""`正常值(均值±2SD)`：说的是范围怎样写。"""
_MAX_WIDTH = 12
"""表头一格里认不得的字至多占多少；“检验结果仅对本次标本负责”这样的句子不是表头。"""


def group_of(head: str) -> str:
    """表头说这一列是一群人的范围（`男性`、`参考值(男)`、`Adult`）时，那一群；不是的为空串。"""
    bare = re.sub(r"[\s()（）:：]", "", _RANGE_WORD.sub("", head.translate(_AS_HEAD_WORD)))
    groups = find_groups(f"{bare}:1-2")
    return bare if len(groups) == 1 and groups[0][1] == ":1-2" else ""


@lru_cache(maxsize=1 << 12)
def role_beside_others(head: str) -> Role:
    """与别的表头词印在一行的这一段说的是哪一列；不认得的是 unknown。"""
    if group_of(head) and not re.search(r"\d", head):  # `46岁` 是病人的年龄
        return "range"
    text = head.strip().translate(_AS_HEAD_WORD)
    return next((role for role, words in _BESIDE_OTHERS if re.fullmatch(words, text, re.IGNORECASE)), "unknown")


def role_at_temperature(head: str) -> Role | None:
    """血气的结果按体温分列的：`37℃`、`结果(37℃)` 是结果（范围说的是它），别的体温、`体温校正` 不看；不是的为 None。"""
    at = _AT_TEMPERATURE.fullmatch(head.strip())
    if at:
        return "result" if float(at[1]) == 37 else "ignored"
    return "ignored" if _CORRECTED.fullmatch(head.strip()) else None


def is_panel_title(head: str) -> bool:
    """表头的“项目”处印的是这一栏的标题：`血常规 | 结果 | 参考值 | 单位 | 尿常规 | 结果 | 参考值`。"""
    return bool(_PANEL_TITLE.fullmatch(head.strip().translate(_AS_HEAD_WORD)))


def is_best(head: str) -> bool:
    """表头说这一列是合适的一档，不是参考范围。"""
    return bool(_BEST.search(head))


def _blank(match: re.Match[str]) -> str:
    return " " * len(match[0])


HEAD_UNIT = re.compile(r"(?<=\S)\s*[(（\[][^()（）\[\]/]{1,8}/[^()（）\[\]/]{1,8}[)）\]]$")
"""表头词后面括着的单位：`结果(mmol/L)`。"""


def words_in(box: TextBox) -> Iterator[tuple[Role, TextBox]]:
    """一段文字里的各个表头词（`提示单位` 是两个）；不像表头的没有。"""
    return ((role, part_of(box, *span)) for role, span in _spans_in(box.text))


@lru_cache(maxsize=1 << 12)
def _spans_in(printed: str) -> tuple[tuple[Role, tuple[int, int]], ...]:
    """各个表头词说的是哪一列，从第几个字到第几个字；同一段文字看是不是表头的有好几处，只找一次。"""
    text = HEAD_UNIT.sub(_blank, _AROUND_MEAN.sub(_blank, printed.translate(_AS_HEAD_WORD)))
    words = [word for word in HEAD_WORD.finditer(text) if word[0].strip()]
    rest = re.sub(r"[\s()（）:：*/&·.,，、|☑口]", "", DATE.sub("", _WHOSE.sub("", HEAD_WORD.sub("", text))))
    # `WHO第5版参考值` 末了才说是什么列，前面可以多几个字
    spare = 6 if words and words[-1].end() == len(text.strip()) else 3
    if not words or len(rest) > max(spare, sum(len(word[0]) for word in words) // 2) or len(rest) > _MAX_WIDTH:
        return ()
    if len(words) > 1:  # `浓度(分级)` 是浓度一列
        words = [word for word in words if text[: word.start()][-1:] not in ("(", "（")] or words
    roles = [_WORDS[word.lastindex - 1][0] for word in words]
    if "range" in roles:  # `检测下限/参考值` 是一列
        words = [word for word, role in zip(words, roles, strict=True) if role not in ("low", "high")]
    return tuple((_WORDS[word.lastindex - 1][0], word.span()) for word in words)


def columns_in(box: TextBox, line: list[TextBox]) -> list[tuple[Role, TextBox]]:
    """表头 line 里 box 这一段说的各列。

    `项目结果`、`项目单位`、`英文项目`：每一列结果都另有自己的名称一列时，里面的“项目”说的不是又一列名称。
    """
    words = list(words_in(box))
    heads = [[role for role, _ in _spans_in(other.text)] for other in line]
    if [role for role, _ in words] == ["range"] and not _RANGE_WORD.search(box.text):  # 检测下限
        if any("high" in roles for roles in heads):
            return [("low", box)]
        if any(_RANGE_WORD.search(other.text) for other in line):
            return [("ignored", box)]
    names, results = sum(roles == ["name"] for roles in heads), sum("result" in roles for roles in heads)
    others = [role for role, _ in words if role != "name"]
    return [(others[0], box)] if len(words) == 2 and len(others) == 1 and names >= results > 0 else words
