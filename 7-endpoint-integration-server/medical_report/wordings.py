"""人打的字、说的话 -> 同一种写法：全角、繁体折过来，语音听错的字还回去，汉字的数写成数字。只用来认急事，不给人看。"""

import re
import unicodedata
from functools import cache

from health_assistant.lab_report.printed_text import SIMPLIFIED

_GAPS = re.compile(r"(?<=[一-鿿])[\s\-_·.*]+(?=[一-鿿])")
"""字与字中间的空白和记号：“胸 痛”“胸-痛”。"""
_SPACES = re.compile(r"(?<=[一-鿿])\s+(?=[一-鿿])")
_DIGITS = {digit: value for value, digit in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_DIGIT = f"[{''.join(_DIGITS)}]"
_NUMBER = re.compile(rf"(?:({_DIGIT})百零?)?(?:({_DIGIT})?(十))?({_DIGIT})?(?:点({_DIGIT}+))?")
_DEGREES = re.compile(rf"(\d)度({_DIGIT}|半|\d)(?!{_DIGIT}|[十\d])")


def wordings(question: str, traditional: str, sounds: str, misheard: str) -> set[str]:
    """问的话 -> 要一一看过的几种写法。

    traditional 是 `SIMPLIFIED` 以外的（异体、粤语），一对一对的字；sounds 是一组一组念起来一样的字，
    misheard 是常听错的词：词里的字换成同组的，就还成这个词（凶口 -> 胸口）。还错了只是多说一次急话，所以原来的也看。
    """
    # 全角、繁体、弯引号 -> 半角、简体、直引号
    folded = unicodedata.normalize("NFKC", question).replace("’", "'").translate(_pairs(traditional))
    restored = folded
    for heard, word in _heard(sounds, misheard):
        restored = heard.sub(word, restored)
    texts = {folded, _written_in_digits(restored)}
    # 去掉字间空白的也看一遍；当作停顿的仍要看：“发烧没有 胸痛”里的空白隔开的是两件事
    return {wording for text in texts for wording in (_SPACES.sub(",", text), _GAPS.sub("", text))}


@cache
def _pairs(traditional: str) -> dict[int, str]:
    return SIMPLIFIED | {ord(pair[0]): pair[1] for pair in traditional.split()}


@cache
def _heard(sounds: str, misheard: str) -> list[tuple[re.Pattern[str], str]]:
    alike = {letter: f"[{group}]" for group in sounds.split() for letter in group}
    return [(re.compile("".join(alike.get(letter, letter) for letter in word)), word) for word in misheard.split()]


def _written_in_digits(text: str) -> str:
    """二百一 -> 210，八十三 -> 83，二点一 -> 2.1，四十度二 -> 40.2度；只有一个字的（三天、十天）不动。"""
    return _DEGREES.sub(
        lambda match: f"{match[1]}.{5 if match[2] == '半' else _DIGITS.get(match[2], match[2])}度",
        _NUMBER.sub(_in_digits, text),
    )


def _in_digits(match: re.Match[str]) -> str:
    hundreds, tens, ten, ones, decimals = match.groups()
    if len(match[0]) < 2:
        return match[0]
    value = 100 * _DIGITS.get(hundreds or "零", 0) + 10 * (_DIGITS.get(tens or "一", 1) if ten else 0)
    last = _DIGITS.get(ones or "零", 0)
    value += last * 10 if hundreds and not ten and "零" not in match[0] else last  # 二百一是 210
    return f"{value}{'.' + ''.join(str(_DIGITS[digit]) for digit in decimals) if decimals else ''}"
