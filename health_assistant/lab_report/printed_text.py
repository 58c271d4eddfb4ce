"""印刷的文字：全角半角、繁体简体、各种横线与比较符统一成一种写法，再去解析；名称与代号统一成一种写法，再去比较。"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from functools import lru_cache

from opencc import OpenCC

MAX_LENGTH = 200
"""更长的文字不是一个结果或范围。"""
_SAME_SIGNS = (
    *((sign, "<=") for sign in ("≤", "≦", "⩽", "=<", "</=", "小于或等于", "小于等于", "不大于", "不高于", "不超过")),
    *((sign, ">=") for sign in ("≥", "≧", "⩾", "=>", ">/=", "大于或等于", "大于等于", "不小于", "不低于")),
    *((sign, "<") for sign in ("小于", "低于", "少于")),
    *((sign, ">") for sign in ("大于", "高于", "超过")),
    *(("∶", ":"), ("【", "["), ("】", "]"), ("〔", "["), ("〕", "]"), ("黃", "黄"), ("陰", "阴"), ("陽", "阳")),
)
_ENGLISH_SIGN = re.compile(
    r"(?<![A-Za-z])(?:(?P<at_most>up ?to|less than or equal to|not more than)"
    r"|(?P<at_least>at least|(?:more|greater) than or equal to|not less than)"
    r"|(?P<under>(?:less|lower) ?than|below|under)|(?P<over>(?:more|greater|higher) ?than|above|over))\s*(?=\.?\d)",
    re.IGNORECASE,
)
"""英文把比较符写成词；后面是数才算，名称里的不动。"""
_SIGN_OF = {"at_most": "<=", "at_least": ">=", "under": "<", "over": ">"}
_MINUTES_AND_SECONDS = re.compile(
    r"(?P<minutes>\d{1,2})\s*(?:分钟?|mins?\.?|['’′])\s*(?P<seconds>[0-5]?\d)\s*(?:秒钟?|secs?\.?|s|[\"”″]|['’′]{2})(?![A-Za-z])",
    re.IGNORECASE,
)
"""出血、凝血时间：`2分30秒`、`2'30"`、`2 min 30 sec`。"""
_SUPERSCRIPT = re.compile(r"(?<=10)[⁺⁻]?[⁰¹²³⁴-⁹]+")
ARROW_FORMS = str.maketrans("⬆⇧⇑🔼⬇⇩⇓🔽▴🔺▾🔻", "↑↑↑↑↓↓↓↓▲▲▼▼")
"""同一个箭头的几种字形 -> 认得的那一种。"""
_TO_SIMPLIFIED = OpenCC("t2s")
SIMPLIFIED = {
    ord(letter): simple
    for letter in map(chr, range(0x4E00, 0xA000))
    if (simple := _TO_SIMPLIFIED.convert(letter)) != letter
} | {ord("醯"): "酰"}
"""繁体字 -> 简体字，一个字换一个字，长短不变：`鉀` 与 `钾` 是一项。只用来比较，印着的字不改。"""
_WIDE_SPACED = re.compile(r"(?<![０-９．.\d])[０-９](?:[ \u3000][０-９．]){2,}(?![０-９．.\d]|[ \u3000]\d)")
"""`１ ３ ９`：全角的数字一个个隔开，是一个数；只有两个的也许是两个数。"""
_CONFUSABLE = str.maketrans({"0": "O", "1": "L", "I": "L", "|": "L", "5": "S", "8": "B"})
"""文字识别分不清的字符。"""
_LINES = re.compile("[—–−‐‑‒―─~〜∼]+")
_PLAIN_LINES = str.maketrans("—–−‐‑‒―─〜∼", "--------~~")
_BETWEEN_DIGITS = re.compile(r"(?<=\d)\s+(?=\d)")
_FORMS = (
    (re.compile(r"^\s*(\d{1,2})['’′]\s*([-~])\s*(\d{1,2})['’′]\s*$"), r"\1\2\3分钟"),  # `1'-3'`
    (re.compile(r"(?<=\d)\s*(?:minutes?|mins)", re.IGNORECASE), "分钟"),
    (re.compile(r"(?<=[<>])\s*[o0]r\s*(?==)", re.IGNORECASE), ""),
    (re.compile(r"^(\W*)1/(?=\d{2,}$)"), r"\g<1>1:"),  # 风险 1/270 就是 1:270
)
"""写法 -> 解析认得的一种，按先后。"""


def normalize(text: str) -> str:
    """全角转半角，繁体转简体，各种横线、波浪线与比较符统一，去掉空白。"""
    text = _LINES.sub("-", _unify(text))
    return "".join(text.split()).replace("至", "-")


def _unify(text: str) -> str:
    # 上标会被 NFKC 变成普通数字：10⁹ 变成 109
    text = _SUPERSCRIPT.sub(lambda power: "^" + power[0], text)
    text = unicodedata.normalize("NFKC", text).translate(SIMPLIFIED)
    for old, new in _SAME_SIGNS:
        text = text.replace(old, new)
    return _ENGLISH_SIGN.sub(lambda words: _SIGN_OF[words.lastgroup], text)


def printed_letters(texts: Iterable[str]) -> dict[int, str]:
    """texts 里的繁体字：简体 -> 印着的繁体；同一个简体字印着两种写法的（`后` 与 `後`）不在里面。"""
    printed: defaultdict[int, set[str]] = defaultdict(set)
    for letter in set("".join(texts)):
        printed[ord(SIMPLIFIED.get(ord(letter), letter))].add(letter)
    return {simple: letter for simple, (letter, *others) in printed.items() if ord(letter) != simple and not others}


def join_wide_digits(text: str) -> str:
    """一个个隔开的全角数字接成一个数：`１ ３ ９` -> `１３９`；别的不动。"""
    return _WIDE_SPACED.sub(lambda digits: re.sub(r"\s", "", digits[0]), text)


def clean(text: str) -> str:
    """解析前的形式：在 `normalize` 之外还分得清 `~` 与 `-`、一横与几横，数字之间的空白变成分号。"""
    if len(text) > MAX_LENGTH:
        return ""
    previous, text = None, join_wide_digits(text)
    while text != previous:
        # ①、½ 与孤立的上标会变成普通数字
        if any(unicodedata.category(character) == "No" for character in _SUPERSCRIPT.sub("", text)):
            return ""
        previous, text = text, _unify(text)
        text = _MINUTES_AND_SECONDS.sub(_in_minutes, text)
        for pattern, form in _FORMS:
            text = pattern.sub(form, text)
        text = _BETWEEN_DIGITS.sub(";", text.translate(_PLAIN_LINES))
        text = "".join(text.split())
    return text


def _in_minutes(time: re.Match[str]) -> str:
    return f"{int(time['minutes']) + int(time['seconds']) / 60:.2f}分钟"


@lru_cache(maxsize=1 << 13)
def fold_name(name: str) -> str:
    """名称与代号的比较形式：全角转半角，繁体转简体，大写，去掉空白、星号、末尾的“测定”与括号里的说明。"""
    name = normalize(name).upper().strip()
    name = re.sub(r"^(?:[A-Z]\.){2,}[A-Z]?(?![A-Z])", lambda letters: letters[0].replace(".", ""), name)  # M.C.V.
    name = re.sub(r"RH\s*\(D\)$", "RHD", name.replace("PT(INR)", "PT-INR"))
    name = re.sub(r"(?<=[A-Z]{3})[-(](TOTAL|DIRECT|INDIRECT|FREE)\)?$", r",\1", name)  # Bilirubin (Total)
    folded = re.sub(r"\([^)%#]*\)", "", name)
    folded = re.sub(r"[*★☆\s_]|(测定|检测|LEVEL)$", "", folded).replace("Α", "α")
    # Creatinine, Serum 与 Cholesterol, Total、Troponin I, High Sensitivity；S. Creatinine 与 T. Protein
    folded = re.sub(
        r"^(SERUM|PLASMA|SR?\.(?!TYPHI|PARAT|AUREUS|IG[AEGM]))(?=[A-Z]{3})|,(SERUM|PLASMA|BLOOD|VENOUS|QUANT(ITATIVE)?)$|(?:[-·]|(?<=[A-Z]{5}))(SERUM|PLASMA)$",
        "",
        folded,
    )
    folded = re.sub(r"^T\.(?=BILI|PROT|CHOL)", "TOTAL", folded)
    folded = re.sub(r"^(BILIRUBIN|PROTEINS?|CHOLESTEROL|GLUCOSE)(TOTAL|DIRECT|INDIRECT|FASTING)$", r"\1,\2", folded)
    return re.sub(
        r"^([A-Z][A-Z\d]+),(TOTAL|DIRECT|INDIRECT|FASTING|FREE|IONI[SZ]ED|ABSOLUTE|HIGHSENSITIVITY)$", r"\2\1", folded
    )


def fold_code(code: str) -> str:
    """代号的比较形式：在 `fold_name` 之上把 OCR 易混的字符归一，`E0%` 与 `EO%`、`C1-` 与 `Cl-` 相同。"""
    return fold_name(code).translate(_CONFUSABLE)
