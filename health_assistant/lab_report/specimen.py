"""这一行是什么标本、什么时候抽的：看报告类型、项目名与单位。"""

import re
from decimal import Decimal
from math import inf
from typing import Literal

from health_assistant.lab_report.units import (
    fold_unit,
    is_only_for_blood,
    is_per_field,
    is_per_microlitre,
    kind_of_unit,
)
from health_assistant.lab_report.word_lists import any_of

Specimen = Literal["blood", "urine", "stool", "other"]

OTHER_SPECIMENS = any_of("other_specimens")
_CULTURE_BESIDE = re.compile(r"[^+＋、/\s]*培养[^+＋、/\s]*[+＋、/]|[+＋、/][^+＋、/\s]*培养[^+＋、/\s]*")
"""合印在一张上的培养（`脓液培养+生化`）：别的项目是血的。"""
_NOT_URINE = any_of("not_urine", flags=0)
"""含有“尿”“便”字而不是那种标本。"""
_URINE = re.compile(r"尿|小便|24小时|24h|urin", re.IGNORECASE)
_STOOL = re.compile(r"(?<![小方])便(?![携民利])|粪|stool|faec|fecal", re.IGNORECASE)
_BLOOD_TITLE = any_of("blood_title")
_PLAIN_BLOOD_TITLE = re.compile(r"血常规|外周血|血细胞|血气|血生化|血清|凝血|静脉血|CBC", re.IGNORECASE)
_BLOOD_NAME = re.compile(r"^(血清|血浆|全血|静脉血|血(?=[糖钾钠氯钙磷镁铁氨酮尿肌葡乳胆总淀]))")

# 不是通常条件下的结果，不能和目录比，除非目录里正有这一种（餐后血糖）
_NOT_THE_USUAL = re.compile(r"餐后|饭后|负荷|服糖|糖耐量|小时|分钟|\d+\s*(h(?!b)|min)", re.IGNORECASE)
_FOLLOWED = re.compile(r"肌钙|肌红|乳酸(?!脱氢)|c?Tn[IT](?![a-z])|troponin|CK-?MB|lactate", re.IGNORECASE)
_SAMPLED = re.compile(
    r"(?:[\s(（\[]*\d+\s*(?:小时|hr?s?|分钟|min)(?:\s*复查|后)?[)）\]]?|(?:\s+|[(（\[])(?:本次|首次|复查|今[天日晨]|昨[天日])[)）\]]?)$",
    re.IGNORECASE,
)
"""隔几小时再抽一回的项目写着是哪一回，量的还是同一样东西；别的项目几小时后的是负荷后的，不能这样看。"""
_EARLIER = re.compile(r"(?i)[\s(（\[-]*([上前]一?次|previous)(结果|值|result)*([\s\d年月日/.-]*([)）\]]|$)|[\s:：-]*)")
"""名称里说这是上一回的：`钾（上次 2026-01-02）`。"""
_GLUCOSE = any_of("glucose")
_MEASURED_AT = re.compile(r"^(?:急[诊查]|床[旁边]|POCT|即时|快速)[\s:：_-]*(?=.)", re.IGNORECASE)
_TIMED_GLUCOSE = (
    (re.compile(r"随机|RBG|random|[(（](?:急[诊查]?|床[旁边]|POCT)[)）]", re.IGNORECASE), "GLU-R"),
    (re.compile(r"(?<![\d.])(2|二|两)[\s-]*个?(小?时|h)|(?<!\d)120(?!\d)", re.IGNORECASE), "GLU-2H"),
    (re.compile(r"(?<![\d.])(1|一)[\s-]*个?(小?时|h)|(?<!\d)60(?!\d)", re.IGNORECASE), "GLU-1H"),
    (re.compile(r"空腹|(?<![\d.])0\s*(小?时|h|分|min)|^(?!.*[餐饭]后).*(?<!\d)0?[5-8][:：]\d\d", re.IGNORECASE), "GLU"),
    # 别的时刻、没有写时刻的指尖血糖，只能按随机的看
    (re.compile(r"\d\s*(小?时|h|分|min|点|am|pm|[:：]\d\d)|半小?时|三小?时|睡前|凌晨|血糖仪", re.IGNORECASE), "GLU-R"),
    (re.compile(r"餐后|饭后|post[\s-]*prandial|PBG|PPG", re.IGNORECASE), "GLU-2H"),
)
"""血糖的测定时刻 -> 目录里的代号，从上到下第一个说到的算。"""
_ONLY_A_TIME = re.compile(r"(空腹|随机|服糖后|餐后)?[\d.半一二两三]*\s*(个?小?时|h|分钟?|min)?", re.IGNORECASE)
_DAY_PROTEIN = re.compile(r"尿(总|液)?蛋白|^(总?蛋白|蛋白质)|UPRO|UTP", re.IGNORECASE)
_VENOUS_GAS = re.compile(r"静脉|脐|venous|VBG", re.IGNORECASE)
_CAPILLARY = re.compile(r"末梢(?!血?氧)|足跟|毛细|耳垂|capillary", re.IGNORECASE)
"""足跟、指尖的末梢血：二氧化碳与动脉血差不多，氧不是；末梢血氧饱和度是指夹测的，就是动脉血的。"""
_ELEMENT_TITLE = re.compile(r"元素")
_WHOLE_BLOOD_TITLE = re.compile(r"元素|全血(?!细胞|常规)")
_UNDER_MICROSCOPE = re.compile(r"[红白脓]细胞\s*[(（]\s*镜[检下]|镜[检下]\s*[:：]?\s*[红白脓]细胞")
"""沉渣里数的细胞：`红细胞(镜检)`。"""
_NOT_WHOLE_BLOOD = re.compile(r"血清|血浆|血气|生化|电解质")
_ELEMENTS = {"CA": (0.9, 2.6), "MG": (0.7, 2.6), "FE": (1000, inf), "LITH": (0, 0.1)}
"""目录里是血清的（锂是药的浓度）、也常测全血的元素 -> 全血的可能有多少，用目录的单位。

常见的全血范围：钙、镁 1.12-2.06 mmol/L，铁 7.5-11.8 mmol/L，锂不到 10 μg/L。钙几乎都在血浆里，红细胞里的镁约 2.5：
全血的钙 0.9、2.6，血清要到 1.7、4；全血的镁 2.6，血清要到 2.7。再往外的，不论是哪一种都不对了，照血清的看。
"""
_ARTERIAL_ONLY = {"PO2", "PCO2", "SAO2"}
_VENOUS_PCO2 = 20, 90
"""静脉血平均比动脉血高 6.2 mmHg，一致性界限约 ±20（1966–2012 年各研究的综述，
http://globalauthorid.com/WebPortal/ArticleView?wd=FA07B4B65EA61D1932D2AAFC34703A41F92D80D8A061A6493CBB66D1009BF4B5）。
"""

_NOT_MORNING = any_of("not_morning")
_MORNING = any_of("morning")
_EVENING = re.compile(r"下午|午后|傍晚|晚上|p\.?m(?![a-z])|evening|afternoon|bedtime", re.IGNORECASE)
_MORNING_HOUR = re.compile(r"(?<![\d.:：])(?:0?[5-9]|10)(?:[点时]|[:：]\d\d)")
_AFTERNOON = re.compile(
    r"(?<!\d)1[4-8](?:[点时]|[:：]\d\d)|下午|午后|(?<!\d)[2-6](?:[:：]\d\d)?\s*p\.?m|afternoon", re.IGNORECASE
)
_SUPPRESSED = re.compile(
    r"^(?!.*(?:停|[未没]|长期|前|基础|withdraw|stop|before))"
    r".*(?:(?:地塞米松|dexamethasone).*(?:抑制|试验|后|suppress|test)|(?:抑制|suppress|after|post).*(?:地塞米松|dexamethasone))",
    re.IGNORECASE,
)
"""抑制试验、服地塞米松以后的；停了的、长期吃的、没有吃的，低就是肾上腺功能不够。"""
_COLLECTED = re.compile(
    r"(?:采[样集血]|抽血)(?:时间|日期)?[:：\s]*(?![^,，;；。]{0,20}(?<![\d:：])00?[:：]00)([^,，;；。]{0,20}\d[:：]\d\d)"
)
"""采集的钟点；`00:00` 是只知道日期的，不是半夜。"""
_LATE_CORTISOL = 400
"""皮质醇（nmol/L）从 0 起的范围，上限不到它的是晚上的、抑制后的：早晨的上限多在 500 以上（凭记忆）。"""
_NIGHT_CORTISOL = 250
"""上限不到它（nmol/L）的范围是半夜的、抑制后的，再少也不奇怪；更大的也许是下午的（凭记忆）。"""
_LEAST_CORTISOL = 50
"""下午四点的皮质醇（nmol/L）低于范围、又不到它的，什么时候抽都太少（凭记忆）。"""


def possible_specimens(report_type: str, name: str, unit: str) -> tuple[Specimen, ...]:
    """这一行可能是什么标本，最可能的在先。

    行自己说的（尿…、血…、只用于血的单位、每视野）最要紧，报告类型在后；几种标本合印一张的，有单位的先当作血。
    """
    title, bare = _NOT_URINE.sub("", report_type), _NOT_URINE.sub("", name)
    title = _CULTURE_BESIDE.sub("", title)
    if OTHER_SPECIMENS.search(name):
        return ("other",)
    if _STOOL.search(bare):
        return ("stool",)
    if _URINE.search(bare):
        return ("urine",)
    if _BLOOD_NAME.search(name):
        return ("blood",)
    is_hemoglobin = fold_unit(unit) in ("g/l", "g/dl") and bool(re.search(r"血红蛋白|血色素|^HGB$|^Hb$", name))
    only_in_blood = is_only_for_blood(unit) or is_hemoglobin
    if OTHER_SPECIMENS.search(title):
        return ("blood",) if only_in_blood and _PLAIN_BLOOD_TITLE.search(title) else ("other",)
    if only_in_blood:
        return ("blood",)
    says_stool, says_urine = bool(_STOOL.search(title)), bool(_URINE.search(title))
    says_blood = bool(_BLOOD_TITLE.search(re.sub(r"尿液?(?:生化|电解质|离子|免疫|激素)", "尿", title)))
    says_cells = bool(re.search("血|CBC", title, re.IGNORECASE))
    excreta: list[Specimen] = ["stool"] if says_stool else []
    excreta += ["urine"] if says_urine else []
    if is_per_field(unit) or _UNDER_MICROSCOPE.search(name) and not says_cells:
        return tuple(excreta) or ("urine",)
    if not excreta:
        # 每微升的红、白细胞多是尿沉渣，除非报告类型或范围说是血：`免疫`、`肿瘤标志物` 说的不是细胞
        return ("blood",) if says_cells or not is_per_microlitre(unit) else ("blood", "urine")
    if excreta == ["stool"] and kind_of_unit(unit) == "浓度":
        return ("stool", "blood")
    if not says_blood:
        return tuple(excreta)
    return ("blood", *excreta) if unit and not is_per_microlitre(unit) else (*excreta, "blood")


def timed_glucose(name: str, abbreviation: str, unit: str = "", report_type: str = "") -> str | None:
    """血糖是什么时候抽的，写成目录的代号；不是血糖、没有写时刻的为 None。糖耐量的单子上可能只印着时刻。"""
    text = f"{name} {abbreviation}"
    is_glucose = bool(_GLUCOSE.search(text)) and not re.search(r"糖化|尿|胰岛素|C肽", text)
    in_series = re.search(r"糖耐量|OGTT|血糖", report_type, re.IGNORECASE) and fold_unit(unit) in ("mmol/l", "mg/dl")
    if not is_glucose and not (in_series and _ONLY_A_TIME.fullmatch(name)):
        return None
    return next((glucose for pattern, glucose in _TIMED_GLUCOSE if pattern.search(text)), None)


def without_sampling_time(name: str, is_known: bool = False) -> str:
    """去掉名称里说的是第几回抽的：`高敏肌钙蛋白T（3小时）`、`上次血钾`；糖耐量那样几小时说的是另一种结果的照旧。

    开头说在哪里测的（`急诊钾`）也去掉，目录里正有这个名称的（`is_known`）照旧；这样测的血糖不是空腹的，当作随机的。
    """
    name = _EARLIER.sub("", name) or name
    if not is_known:
        name = _MEASURED_AT.sub("随机" if _GLUCOSE.search(name) else "", name)
    return _SAMPLED.sub("", name) if _FOLLOWED.search(name) else name


def is_earlier(name: str) -> bool:
    """名称说这是上一回的结果。肌钙蛋白、乳酸几小时里抽几回，前一回的同样要紧，不算。"""
    return bool(_EARLIER.search(name)) and not _FOLLOWED.search(name)


def is_unusual(name: str, unit: str) -> bool:
    """不是通常条件下的结果（餐后、负荷后、24 小时尿）：目录里没有正好这一种的，不能拿别的比。血沉本来就是一小时的。"""
    return bool(_NOT_THE_USUAL.search(name) and not re.search(r"血沉|沉降", name)) or fold_unit(unit).endswith("/24h")


def is_daily_protein(name: str, unit: str) -> bool:
    """24 小时尿蛋白。"""
    is_daily = re.search(r"24\s*(小时|h)", name, re.IGNORECASE) or fold_unit(unit).endswith("/24h")
    return bool(is_daily and _DAY_PROTEIN.search(name)) and not re.search(r"白蛋白|微球|微量", name)


def is_venous_gas(report_type: str, name: str, code: str, value: Decimal | None = None) -> bool:
    """静脉血、脐血的氧、二氧化碳分压与氧饱和度，末梢血的氧，和动脉血的不是一回事；别的（pH、电解质、乳酸）差不多。

    二氧化碳分压 `value`（mmHg）高得、低得动脉血也一定危急的，照动脉血的看。
    """
    if code == "PO2" and _CAPILLARY.search(report_type + name) or code == "SAO2" and _CAPILLARY.search(report_type):
        return True
    if code not in _ARTERIAL_ONLY or not _VENOUS_GAS.search(report_type + name):
        return False
    return code != "PCO2" or value is None or _VENOUS_PCO2[0] < value < _VENOUS_PCO2[1]


def is_whole_blood_element(
    code: str, report_type: str, unit: str, value: Decimal | None, is_like_serum: bool | None
) -> bool:
    """微量元素、全血的单子上的钙、镁、铁：多是消解了全血测的，血清的范围与危急值用不上；以 μg/L 计的锂多不是药。

    `value` 用目录的单位：全血里不会有这么多的不是，急症不能因为猜错标本而不说。`is_like_serum` 是印着的范围像血清的；
    没有印范围的为 None，只写着“全血”的不够，报告名要说是元素。
    """
    is_whole = _WHOLE_BLOOD_TITLE.search(report_type) and not _NOT_WHOLE_BLOOD.search(report_type)
    is_lithium = code == "LITH" and fold_unit(unit) == "ng/ml"
    if code not in _ELEMENTS or not (is_whole or is_lithium):
        return False
    low, high = _ELEMENTS[code]
    if value is not None and not low <= value <= high:
        return False
    says_element = code == "LITH" or bool(_ELEMENT_TITLE.search(report_type))
    return says_element if is_like_serum is None else not is_like_serum


def is_late_cortisol(
    code: str,
    report_type: str,
    name: str,
    bounds: tuple[Decimal | None, Decimal | None],
    value: Decimal | None,
) -> bool:
    """下午、夜里、服地塞米松以后的皮质醇，本来就低，早晨的界限用不上；下午也太少的照用。

    `bounds` 是印着的范围的两端（nmol/L）：没有写时刻的看它是不是晚上的；`value` 是结果（nmol/L）。
    """
    if code != "CORT" or _SUPPRESSED.search(f"{report_type} {name}"):
        return code == "CORT"
    low, high = bounds
    is_least = value is not None and value < _LEAST_CORTISOL and (not low or value < low)
    collected = _COLLECTED.search(report_type)
    said = f"{name} {collected[1]}" if collected and not _says_morning(name) else name
    if _NOT_MORNING.search(said) and not _says_morning(said):
        return not (is_least and _AFTERNOON.search(said))
    most = _NIGHT_CORTISOL if is_least else _LATE_CORTISOL
    return not low and high is not None and high < most


def _says_morning(name: str) -> bool:
    """名称里也说着早晨：`8:00–16:00`；`晚上 8:00` 不是。"""
    return bool(_MORNING.search(name) or _MORNING_HOUR.search(name) and not _EVENING.search(name))


def says_specimen(report_type: str) -> bool:
    """报告名看得出是什么标本；没有读到的、“检验报告单”这样的看不出。"""
    bare = _NOT_URINE.sub("", report_type)
    patterns = (OTHER_SPECIMENS, _URINE, _STOOL, _BLOOD_TITLE, _ELEMENT_TITLE)
    return any(pattern.search(bare) for pattern in patterns)
