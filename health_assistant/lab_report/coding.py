"""印着的单位与项目 -> 别的软件认得的代码：单位是 UCUM，项目是 LOINC。没有把握的没有代码。

UCUM：https://ucum.org；LOINC：https://loinc.org，代码表在 units.yaml 与 loinc.yaml。
"""

import re
from functools import cache
from pathlib import Path

from health_assistant.checked_yaml import load_yaml
from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.interval import Value
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.units import UCUM_CODES, UCUM_PROPERTIES, fold_unit, spell_unit

_BASES = {"mol": "mol", "g": "g", "u": "U", "iu": "[IU]", "eq": "eq", "l": "L", "au": "[arb'U]", "ru": "{RU}"}
_QUOTIENT = re.compile(
    r"(?P<prefix>[mμunpfdk]?)(?P<base>mol|g|iu|ru|au|u|eq|l)/(?P<per_prefix>[mμudk]?)(?P<per>24h|24小时|24hr|d|l|g|mol)"
    r"[( ]*(?P<kind>feu|ddu)?\)?"
)
_PER_FIELD = re.compile(r"个?/(?:(?P<field>[hl])pf?|(?P<word>[高低])倍视野?)")


def to_ucum(unit: str, analyte: Analyte | None = None) -> str | None:
    """印着的单位的 UCUM 代码；认不出、UCUM 里没有的（S/CO、级）为 None，从不猜。

    没有印单位的，目录里本来就没有单位的项目才是 `1`；`G/L` 对细胞数是 10^9/L，对别的是大写的 g/L。
    """
    if not unit.strip():
        return "1" if analyte and not analyte.unit else None
    if unit.strip() == "G/L" and analyte and analyte.unit == "10^9/L":
        return "10*9/L"
    folded = fold_unit(unit)
    if folded in UCUM_CODES:
        return UCUM_CODES[folded]
    # fold_unit 把数值相同的归成一个（mIU/mL 归成 U/L），代码要照印着的写
    spelled = spell_unit(unit)
    field = _PER_FIELD.fullmatch(spelled)
    if field:
        return "/[HPF]" if (field["field"] or field["word"]) in ("h", "高") else "/[LPF]"
    quotient = _QUOTIENT.fullmatch(spelled)
    if not quotient:
        return None
    above = quotient["prefix"].replace("μ", "u") + _BASES[quotient["base"]]
    if quotient["per"].startswith(("24", "d")):
        return None if quotient["per_prefix"] else f"{above}/(24.h)"
    below = quotient["per_prefix"].replace("μ", "u") + _BASES[quotient["per"]]
    kind = f"{{{quotient['kind'].upper()}}}" if quotient["kind"] else ""
    if quotient["prefix"] and quotient["base"] == "au":
        return None
    return f"{above}/{below}{kind}"


def to_loinc(analyte: Analyte | None, unit: str, result: Value | None) -> str | None:
    """这个指标、这个单位、这样的结果的 LOINC 代码；对得上的不正好是一个，就没有。"""
    codes = _loinc_table().get(analyte.code, {}) if analyte and result else {}
    fitting = {codes[name] for name in _possible_properties(to_ucum(unit, analyte), result) if name in codes}
    return fitting.pop() if len(fitting) == 1 else None


def quantity_unit(unit: str, loinc: str | None, analyte: Analyte | None = None) -> str | None:
    """一个数的单位的 UCUM 代码。“U”有酶活性单位与任意单位（激素、抗体）两种，LOINC 代码说是哪一种；没有代码的不写。"""
    code = to_ucum(unit, analyte)
    if code is None or not re.search(r"U\]?/", code) or "{" in code:
        return code
    is_activity = loinc is not None and any(codes.get("CCnc") == loinc for codes in _loinc_table().values())
    if is_activity:
        return code.replace("[IU]", "U")
    if "[" in code:
        return code
    # UCUM 的任意单位不能带 m、μ
    return f"[arb'U]{code[1:]}" if loinc and code.startswith("U/") else None


def _possible_properties(ucum: str | None, result: Value | None) -> tuple[str, ...]:
    if isinstance(result, QualitativeResult):
        return ("PrThr", "Type") if result.is_graded else ("Type",)
    if result and result.is_titre:
        return ("Titr",)
    code = ucum or ""
    kinds = next((kinds for shape, kinds in UCUM_PROPERTIES.items() if re.fullmatch(shape, code)), ())
    kind = re.search(r"\{(FEU|DDU)\}", code)
    return (*kinds, *(f"{name} {kind[1]}" for name in kinds if kind))


@cache
def _loinc_table() -> dict[str, dict[str, str]]:
    return load_yaml(Path(__file__).with_name("loinc.yaml"))
