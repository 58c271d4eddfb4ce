"""名称一格：去掉前面的序号，名称与粘着的代号分开，目录里有没有。"""

import re
from functools import lru_cache

from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.matching import find_analyte, is_known_code, is_known_name
from health_assistant.lab_report.naming import foreign_name
from health_assistant.lab_report.reading.misreadings import repair_code, repair_greek

_MOST_TEXTS = 1 << 12
"""记住多少段文字的答案；服务一直开着，读过的字不能越积越多。"""
_TRAILING_CODE = re.compile(
    r"^(?P<name>.*[一-鿿)])(?P<gap>\s*[(\[]?)(?!\d+\.\d|\d+\s*[A-Za-zμ]+/)"
    r"(?P<code>[A-Za-z0-9αβγ][A-Za-z0-9αβγ#%/+.\-*_ ]*)[)\]]?$"
)
_LEADING_CODE = re.compile(r"^(?P<code>[A-Za-z][A-Za-z0-9#%/+.\-*]*)(?P<gap>\s*\(?)(?P<name>[一-鿿].*?)\)?$")
_SERIAL = re.compile(r"^[|丨]?\s*\d{1,2}[.、)|丨\s]*(?=[^\d\s.,、)\-~|丨])(?!分钟|小时|min|h(?![A-Za-z])|号|三体)")
"""`30分钟血糖` 的 30、`21号染色体` 的 21 不是。"""


@lru_cache(maxsize=_MOST_TEXTS)
def is_known(text: str) -> bool:
    """目录里有没有这个名称或代号。"""
    name, code = split_name(repair_greek(text))  # `Y-谷氨酰转肽酶` 的 Y 是 γ
    return bool(name) and is_known_name(name) or bool(code) and is_known_code(code) or foreign_name(text) is not None


def known_as(text: str) -> Analyte | None:
    """印着的名称（与代号连成一段的也行）是目录里的哪一项，不看单位；没有则为 None。"""
    return find_analyte(*split_name(text), "")


def strip_serial(text: str) -> str:
    """去掉名称前粘着的序号、星号、LOINC：`12 白细胞`、`6690-2^白细胞` -> `白细胞`；`25羟维生素D` 的数字不动。"""
    text = re.sub(r"^([*★☆▲△#]+|\d{3,5}-\d\^)\s*", "", text.strip())
    if is_known_name(split_code(text)[0]):
        return text
    return re.sub(r"^[*★☆▲△]+\s*", "", _SERIAL.sub("", text)) or text


@lru_cache(maxsize=_MOST_TEXTS)
def code_behind(text: str) -> str:
    """不认得的名称（别国的文字）后面括着的、认得的代号：`Trombosit (PLT)` 的 PLT；没有则为空串。"""
    coded = re.search(r"\w{4}.*[(（]\s*([A-Za-z]{2,5})\s*[)）]$", text)
    return coded[1] if coded and is_known_code(coded[1]) and not is_known(text) else ""


def split_name(text: str) -> tuple[str, str]:
    """把名称与粘着的代号分开，去掉序号：`白细胞计数WBC`、`白细胞(WBC)`、`WBC 白细胞` -> (`白细胞…`, `WBC`)。"""
    return split_code(strip_serial(text))


@lru_cache(maxsize=_MOST_TEXTS)
def split_code(text: str) -> tuple[str, str]:
    """`ABO血型`、`C反应蛋白`、`总T3` 里的字母是名称的一部分，不分。"""
    text = text.replace("（", "(").replace("）", ")").replace("【", "[").replace("】", "]").strip()
    if is_known_name(text) and not re.search(r"[(\[]", text) and re.search(r"[一-鿿]", text):
        return text, ""
    # 名称与代号都认得时在它们之间分：`红细胞分布宽度CVRDW-CV`
    if re.search(r"[一-鿿].*[A-Za-z]", text) and "(" not in text:
        for at in range(2, len(text) - 1):
            if is_known_code(text[at:]) and is_known_name(text[:at]) and re.match(r"[A-Za-z]", text[at:]):
                return text[:at].strip(), repair_code(text[at:])
    # 代号自己也带括号：`脂蛋白a(Lp(a))`
    name, opened, code = text.partition("(")
    if opened and code.endswith("))") and is_known_name(name) and is_known_code(code[:-1]):
        return name.strip(), repair_code(code[:-1])
    for pattern in (_TRAILING_CODE, _LEADING_CODE):
        parts = pattern.fullmatch(text)
        code = parts["code"].replace(" ", "") if parts else ""
        if re.search(r"[A-Za-z]", code):
            is_glued_code = pattern is _TRAILING_CODE and re.search(r"[A-Za-z].*[A-Za-z]", code)
            # 查了病毒的什么，是名称的；`免疫球蛋白IgG`、`丙肝病毒HCV-RNA` 的是代号
            is_antibody = re.fullmatch("Ig[AGMED]", code) and not parts["name"].endswith("球蛋白")
            says_what = is_antibody or code.endswith(("DNA", "RNA")) and not is_known_code(code)
            if parts["gap"] or not says_what and (is_glued_code or is_known_code(code)):
                return parts["name"].strip(), repair_code(code)
    is_word = re.search(r"[a-z]{4}", text)
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9#%/+.\- ]*", text) and (is_known_code(text) or not is_word):
        return "", repair_code(text)
    return text, ""
