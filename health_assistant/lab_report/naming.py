"""目录里没有的名称，去掉不说是哪一项的字以后可能有：引线、截断的省略号、`Serum`、`Level`、`血清`、`含量`。"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.printed_text import fold_code, fold_name

if TYPE_CHECKING:
    from health_assistant.lab_report.catalogue import Analyte

Index = dict[str, list["Analyte"]]

_LEADERS = re.compile(r"^[\s.·…_|│:：]+|[\s.·…_|│:：]+$|(?<=[a-z]{3}|[一-鿿]{3})-+$|(?<=[^\s\d+-])-{2,}$")
"""名称与结果之间的引线 `Potassium......`，和栏线；单独一横不算，`Cl-` 的是电荷。"""
_CUT = re.compile(
    r"(?:(?<=[测检][定测])[(（](?:离|酶|化学|电|免疫|比色|速率|干化|荧光|发光|检验|审核)[^()（）]*|(?<=[一-鿿]{3})[测计检])?(?:…+|\.{2,})?$"
)
"""名称太长、末尾换成了省略号：`血清钾测定(离…`、`血小板计…`；省略号也许没有认出来。

“测定”后面括号里写着方法的才去；别的不能丢：`钙(离子`、`胆固醇(HDL`、`睾酮测定(游离` 是另一项。
"""
_NOTED = re.compile(
    r"(?:[①-⑳†‡§ᵃ-ᶻ¹²³]|\[\d\]|(?<=\D)\d[)）]|[*#]\d)+$"
    r"|\s*\[[A-Za-z#/ ]+\] in (?:serum|plasma|blood)(?: or (?:serum|plasma|blood))*(?: by .+)?$|[,，]\s*serum/plasma$"
    r"|[,，]?\s+serum\s+by\s+\S.*$|\s*[(（]?(?:(?<!\d)[0-2]?\d[:：][0-5]\d|第[1-5一二三四五]次)[)）]?$",
    re.IGNORECASE,
)
"""末尾的脚注号（`钾②`、`钾[1]`），LOINC 全名里的量与标本（`Potassium [Moles/volume] in Serum or Plasma`），
标本后面的方法（`Creatinine, Serum by Jaffe kinetic`），和几点钟、第几次抽的（`皮质醇 08:00`）。"""
_FILLERS = frozenset(
    ("serum", "plasma", "arterial", "poc", "level", "levels", "lvl", "auto", "count", "counts", "total", "quantitative")
    + ("estimation", "assay", "test", "value", "measurement", "determination")
)
"""英文里说标本、说“测了多少”的词，去掉哪几个都可能是目录里的写法（Total Platelets、Serum K）。

Concentration（浓度）不在其中：MCH 与 MCHC、精子与精子浓度是两项。"""
_VAGUE, _SHORT = {"total", "value", "test"}, 3
"""缩写只有这么短的，去了这几个词也许是另一项：血栓弹力图的 K Value，24 小时尿的 Total K。"""
_AHEAD = r"(?:(?:血清|血浆|外周血|晨起)(?!血红蛋白|酮体|脂?蛋白$)|末梢血(?=血?葡萄糖|血糖))"
"""血浆里的血红蛋白是溶血放出来的；静脉血的氧、全血与末梢血的微量元素与平常的范围不同，这几个词不去。"""
_BEHIND = (
    r"(?:测定|检测|定性|(?<!尿蛋白)(?<!尿糖)(?<!白蛋白)定量|(?<!蛋白质)(?<!二氧化碳)含量|水平|(?<!精子)数目"
    r"|(?<=[/白酶钙]肌酐)比值|(?<![A-Za-z])值|(?<=p[Hh])值|(?<=[a-z]{3})值)"
)
"""`Ct值` 是核酸扩增的循环数，不是降钙素。"""
_MAX_FILLERS = 3
_OF_MACHINE = (
    (re.compile(r"^ct?(?=(?:K|Na|Cl|Ca|Mg|Glu|Lac|Crea|Urea|t?Hb|t?CO2)(?![a-z]{2}))|^(?:ISE-|Accu(?=Tn))"), ""),
    (re.compile(r"-Ultra$|\((?:P|B|7\.40?)\)$"), ""),
    (re.compile(r"^(PLT|WBC|RBC|HGB)-[A-Z]$"), r"\1"),
    (re.compile("百分[率数]$"), "百分比"),
    (re.compile("^(?:梅毒|乙肝|丙肝|艾滋病?)(?=[A-Z])"), ""),
)
"""仪器在项目前后加的字母：浓度的 c（`cCa2+(7.4)`），离子电极的 ISE，血细胞计数的哪一个通道（`PLT-F`）；
写在缩写前面的病名（`梅毒TRUST`）。"""


@lru_cache(maxsize=1 << 12)
def bare_names(name: str) -> tuple[str, ...]:
    """name 的种种简写，去掉得少的在前；不含它自己。尿、大便、胸水这些字不去，去了就成了血的。"""
    plain = name.strip()
    for pattern, shorter in _OF_MACHINE:
        plain = pattern.sub(shorter, plain)
    plain = _LEADERS.sub("", _CUT.sub("", _NOTED.sub("", plain)))
    bare = [
        plain,
        *filter(None, [foreign_name(plain)]),
        *(listed for pattern, listed in _OF_NEWBORN if pattern.fullmatch(plain)),
        *(_shorter_chinese(plain) if re.search(r"[一-鿿]", plain) else _shorter_english(plain)),
    ]
    return tuple(dict.fromkeys(other for other in bare if other and other != name))


@cache
def _foreign_names() -> dict[str, str]:
    """西欧语言里会危急的几项、仪器与台湾香港的单子印的名称（小写，不带重音） -> 目录认得的名称。"""
    written = load_yaml(Path(__file__).with_name("foreign_names.yaml"))
    return {word: english for english, words in written.items() for word in words.split(", ")}


def foreign_name(name: str) -> str | None:
    """foreign_names.yaml 里的名称 -> 目录认得的；不认识的为 None。"""
    without_accents = re.sub("[\u0300-\u036f]", "", unicodedata.normalize("NFD", name))
    return _foreign_names().get(without_accents.lower())


_NEWBORN = r"(?:新生儿|足[跟底]血?|微量血?|末梢血?|毛细血管血?|经皮测?|血清?|血浆)?"
_OF_NEWBORN = (
    (re.compile(rf"{_NEWBORN}(?:总?胆红素|黄疸)(?:值|指数|测定|检测)?"), "总胆红素"),
    (re.compile(rf"{_NEWBORN}(?:血糖|糖|葡萄糖)(?:值|测定|检测)?"), "血糖"),
    (re.compile(r"(?i:TSBR?|TcBili|(?:transcutaneous|serum|skin) bilirubin)"), "总胆红素"),
)
"""新生儿科的写法：在哪里抽的、怎样测的写在前面，量的是同一样东西；后面的是目录里的名称。"""


def _shorter_chinese(name: str) -> Iterator[str]:
    for pattern in (rf"{_BEHIND}$", rf"^{_AHEAD}", rf"^{_AHEAD}|{_BEHIND}$"):
        yield re.sub(pattern, "", name)


def _shorter_english(name: str) -> Iterator[str]:
    """`Calcium, Adjusted` 是 Adjusted Calcium，`Glucose Fasting` 是 Fasting Glucose；再去掉几个不要紧的词、复数。"""
    head, _, tail = name.partition(",")
    words = [*tail.split(), *head.split()]
    yield " ".join([*words[-1:], *words[:-1]])
    fillers = [at for at, word in enumerate(words) if word.strip(".()").lower() in _FILLERS]
    for count in range(min(len(fillers), _MAX_FILLERS) + 1):
        for dropped in combinations(fillers, count):
            rest = " ".join(word for at, word in enumerate(words) if at not in dropped)
            if {words[at].lower() for at in dropped} & _VAGUE and len(rest) <= _SHORT or rest.lower() == "blood":
                continue
            yield rest
            yield re.sub(r"(?<=[a-z]{4})s$", "", rest)


def build_index(indicators: Iterable["Analyte"]) -> tuple[Index, Index]:
    """名称 -> 指标，代号 -> 指标，各种标本的在一起；名称、代号是比较用的写法。

    只有英文全名算名称：缩写太短，要连同单位才能认。锂（Li）与 L1 分不清，只算名称。
    """
    names: Index = {}
    codes: Index = {}
    for analyte in indicators:
        spelled = (alias for alias in analyte.aliases if not alias.isascii() or re.search(r"[a-z]{4}|^Li$", alias))
        for name in {fold_name(word) for word in (analyte.name, *spelled)}:
            names.setdefault(name, []).append(analyte)
        abbreviations = (re.sub(r"^[UF]-", "", analyte.code), analyte.code, *analyte.aliases)
        for code in {fold_code(abbreviation) for abbreviation in abbreviations} - {"LL"}:
            codes.setdefault(code, []).append(analyte)
    return names, codes
