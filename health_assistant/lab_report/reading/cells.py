"""单元格：一段文字是什么（数、范围、单位、标记、名称），只看它自己的写法，不看它在哪一列。"""

import re
from typing import Literal

from health_assistant.lab_report.catalogue import fold_code, fold_name, is_known_code, load_catalogue
from health_assistant.lab_report.reference_range import Interval, Terms, normalize, parse_range, parse_result

Kind = Literal["number", "range", "bound", "term", "unit", "mark", "text"]
"""number 是数；range 是两边的或分组的范围；bound 是 `<0.01` 这样的单边界；term 是阴性、+ 这样的分级；
bound 与 term 可能是结果也可能是范围，由行去定。text 是其余：名称、方法、文字结果。"""

GRADED = {"阴性", "弱阳性", "阳性"}
ARROW_LIKE = {"↑", "↓", "→", "←", "1", "t", "T", "f", "i", "l", "I", "|", "个", "+", "-"}
"""文字识别对一个箭头可能给出的读法。"""

_MARKS = {"H", "L", "HH", "LL", "↑", "↓", "↑↑", "↓↓", "*", "**", "偏高", "偏低", "高", "低", "异常"}
_UNIT = re.compile(
    r"[×x*]?10[\^~*-]?\d{1,2}/[l1|]|[numpkμf]?(mol|mom|g|l|iu|u|cell|eq|m?osm)(/[a-z0-9.]+)*|%|‰|fl|pg|mmhg|kpa|秒|s|min"
    r"|mm/1?h|/[hl]pf?|个?/[hl]p|/ul|/μl|s/co|coi|g/dl|ratio|分|岁",
    re.IGNORECASE,
)
_GLUED_MARKS = (
    re.compile(r"(?P<bare>.+?)\s*(?P<mark>[↑↓→←]+)"),
    re.compile(r"(?P<bare>[<>]?\d[\d.]*)\s*(?P<mark>HH?|LL?|\*)"),
    re.compile(r"(?P<mark>[↑↓]|HH?|LL?|\*)\s*(?P<bare>[<>]?\d[\d.]*)"),
)
_TRAILING_CODE = re.compile(r"^(?P<name>.*[一-鿿)])(?P<gap>\s*\(?)(?P<code>[A-Za-z0-9][A-Za-z0-9#%/+.\- ]*)\)?$")
_LEADING_CODE = re.compile(r"^(?P<code>[A-Za-z][A-Za-z0-9#%/+.\-]*)(?P<gap>\s*\(?)(?P<name>[一-鿿].*?)\)?$")


def classify(text: str) -> Kind:
    """一段文字的种类。"""
    plain = normalize(text)
    if plain.upper() in _MARKS:
        return "mark"
    result, limits = parse_result(text), parse_range(text)
    if isinstance(result, Interval):
        return "number" if result.low == result.high else "bound"
    if limits is not None and not isinstance(limits, Terms):
        return "range"
    if isinstance(result, Terms) and result.words[0] in GRADED:
        return "term"
    return "unit" if _UNIT.fullmatch(plain) else "text"


def split_mark(text: str) -> tuple[str, str | None]:
    """把粘在数或名称上的标记分开：`5.66↑` -> (`5.66`, `↑`)，`6.8 H` -> (`6.8`, `H`)。"""
    found = next((found for pattern in _GLUED_MARKS if (found := pattern.fullmatch(text))), None)
    return (found["bare"], found["mark"]) if found else (text, None)


def split_name(text: str) -> tuple[str, str]:
    """把名称与粘着的代号分开：`白细胞计数WBC`、`白细胞(WBC)`、`WBC 白细胞` -> (`白细胞…`, `WBC`)。

    `ABO血型`、`C反应蛋白`、`总T3` 里的字母是名称的一部分，不分。
    """
    text = re.sub(r"^[*★☆]\s*", "", text.replace("（", "(").replace("）", ")").strip())
    for pattern in (_TRAILING_CODE, _LEADING_CODE):
        found = pattern.fullmatch(text)
        if found and re.search(r"[A-Za-z]", code := found["code"].replace(" ", "")):
            is_glued_code = pattern is _TRAILING_CODE and re.search(r"[A-Za-z].*[A-Za-z]", code)
            if found["gap"] or is_glued_code or is_known_code(code):
                return found["name"].strip(), repair_code(code)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9#%/+.\- ]*", text):
        return "", repair_code(text)
    return text, ""


def repair_code(code: str) -> str:
    """按目录改正易混的字符：`E0%` -> `EO%`、`PC02` -> `PCO2`；目录里没有的照原样。"""
    spellings = [one for item in load_catalogue() for one in (item.code.removeprefix("U-"), *item.aliases)]
    if fold_name(code) in map(fold_name, spellings):
        return code
    same = {one for one in spellings if one.isascii() and fold_code(one) == fold_code(code)}
    return same.pop() if len(same) == 1 else code


def repair_unit(unit: str) -> str:
    """改正单位里固定的误读：`10~9/L`、`×109/L` -> `×10^9/L`，`umol/1` -> `umol/L`。"""
    unit = re.sub(r"^([×xX]?)10?[\^~*]?(9|12)/[Ll1|]$", lambda m: f"{'×' if m[1] else ''}10^{m[2]}/L", unit)
    return re.sub(r"/[1|]$", "/L", unit)
