"""查一样东西（疟原虫、细菌）的结果：一句话说的是找到了，还是没有找到。分句看，有一句说找到了就是找到了。"""

import re
from typing import Literal

from health_assistant.lab_report.printed_text import clean

Presence = Literal["阴性", "弱阳性", "阳性"]

_CLAUSE_END = re.compile(r"[,，;；。]|(?<=[一-鿿)）])\s+|\s+(?=[一-鿿(（])|但")
_SEEN = r"(?:检[出见到测获]|[查看][到出]|[查看]?见|找[到见]|发现|观察到|培养[出到]|分离[出到]|长出?|生长)"
_LABEL = re.compile(
    r"^[血液需厌氧普通一般细真菌及和与经+、/]*(?:[\d一二三五七]+[天日])?培养(?:[及+]鉴定|结果)?(?![出到])|见[报附备另]"
)
"""`细菌培养：`、`经5天培养`、`详见附页`：说的是做了什么、写在哪里，里面的“菌”“见”不是结果。"""
_SUSPECTED = re.compile(r"[不未](?:能|可|完全)*(?:排除|除外)|无法(?:排除|除外)|疑")
_SPECIES = r"(?!乳链|色杆|芽[胞孢]|绿藻|动力|荚膜|数)"
"""无乳链球菌、无色杆菌是菌名，无数是很多。"""
_DENIED = re.compile(
    rf"(?:[未不]|没有?|无)(?:能|再|曾|镜下|明显|明确|有|任何)*{_SEEN}"
    rf"|(?:未有|没有?|无{_SPECIES})[^,]{{0,20}}?(?:[菌虫卵疟](?![落])|生长|发现|异常)"
    r"|正常[口腔咽部上呼吸道肠]*菌群|^(?:均|都)?(?:未|无)$|^no(?!cardia)|not(?:detected|seen|isolated|found)|sterile",
    re.IGNORECASE,
)
_NEGATIVE = re.compile(
    r"(?<!革兰)(?<!革兰氏)(?<!染色法)(?<!G)(?<!酶)(?<!ESBL)(?<!ESBLs)(?<!MRSA)(?<!试验)"
    r"(?:(?<!革兰染色)(?<!革兰氏染色)阴性?|[(:]-\)?|(?<!gram)neg(?:ative)?)(?=(?:\([^()]*\))?[)]?$)",
    re.IGNORECASE,
)
"""句末的阴性；革兰阴性、凝固酶阴性说的是哪一种菌。"""
_COUNT = re.compile(
    r"每\D{0,8}(\d[\d.]*)(?!\d*个?(?:油镜|视野))|(\d[\d.]*)(?:[-~]\d+)?[个条]?/|密度\D{0,3}(\d+)|^(\d+)[个条]$"
)
_SAID = re.compile(
    r"检出(?![限率下结])|[查可偶]见|查[到出]|找[到见]|检见|[菌虫体]见|发现|培养出|分离出|长出|(?<!G)\+|(?<![兰氏])(?<!兰染色)阳性"
)
"""同一句里另说的找到了。"""
_FOUND = re.compile(
    rf"{_SEEN}|阳|\+|报警|菌|霉|酵母|念珠|球|孢子|奈瑟|埃希|克雷伯|单胞|螺旋体|疟|伤寒|藻|[虫卵蚴]|[支衣]原体|环状体|配子体|滋养体|裂殖体|G-"
    r"|P\.?[fv]|MRSA|positive|growth|cocc|bacter|bacill|ella|monas|candida|coli|philus|neisseria|proteus|serratia|clostridium|rods|fung|yeast|listeria|plasmodium",
    re.IGNORECASE,
)


def presence(text: str, counts: bool = False) -> Presence | None:
    """印着的结果 -> 阳性、弱阳性（疑似、不能排除）、阴性；看不出为 None。`counts` 时每视野、每微升几个也算。"""
    said = {_clause_says(clean(clause), counts) for clause in _CLAUSE_END.split(text)}
    return next((word for word in ("阳性", "弱阳性", "阴性") if word in said), None)


def _clause_says(clause: str, counts: bool) -> Presence | None:
    clause = _LABEL.sub("", clause)
    if _SUSPECTED.search(clause):
        return "弱阳性"
    denied = _DENIED.search(clause) or _NEGATIVE.search(clause)
    if denied:
        # 一句里先后说了两样：`查见环状体未见配子体`
        rest = clause[: denied.start()], clause[denied.end() :]
        return "阳性" if any(map(_SAID.search, rest)) else "阴性"
    counted = _COUNT.search(clause) if counts else None
    if counted:
        return "阳性" if re.search("[1-9]", counted[0]) else "阴性"
    return "阳性" if _FOUND.search(clause) else None


def asserts(text: str, word: str) -> bool:
    """`text` 里有没有 `word`，而且不是说没有它：`黄软便，未见鲜血` 没有鲜血，`未消化，鲜血` 有。"""
    clauses = _CLAUSE_END.split(text)
    denied = re.compile(
        rf"(?:[不未](?={re.escape(word)})|[未不](?:见|检出|查见|发现|含|带|是|伴有?|有)|没有?|无|非)[^,]{{0,6}}?{re.escape(word)}"
    )
    return any(word in clause and not denied.search(clause) for clause in clauses)
