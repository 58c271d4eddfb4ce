"""表以外写着的急事：短信、信、病历的一段话里的“血钾 6.9mmol/L”，血与脑脊液里长出的菌，高得危险的血压。

拒读时先说；表里只有药敏的，菌也是一行。
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.observation import observe
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.presence import presence
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.report import PrintedRow, ReadRow, Severity, UnreadableReport, at_least, worst
from health_assistant.lab_report.severity import grade_value, is_impossible, is_measured, measured_as
from health_assistant.lab_report.unlisted import without_denied

_NUMBER_AND_UNIT = re.compile(
    r"(?P<value>(?<![\d.~<>/-])\d{1,6}(?:\.\d+)?)(?![\d.])\s*(?P<unit>[×xX*]\s*10[\^*]?\d{0,2}/[Ll]|10[\^*]\d{1,2}/[Ll]|[A-Za-zμµ]+/[A-Za-zμµ]+)?"
    r"(?!\s*(?:[-~]\s*\d|及?以[上下]|[\d.]))"
)
"""百分数不在其中：睡眠监测、心功能里的血氧、射血分数不是化验。"""
_LONGEST_NAME = 16
_BETWEEN = re.compile(r"(?:为|是|约|达|(?<=\s)(?:is|was|of|at)(?=\s)|[:：=\s])*$")
_NEEDS_NO_UNIT = "PH"
_FEWEST_PAIRS = 3
_GAS = re.compile(r"\s*p[av]?CO2\b", re.IGNORECASE)
"""这么多行只有代号与数的（`K 6.8`），又有二氧化碳分压，是不印单位的血气条子；食品、矿泉水上也印着 Na、K、pH。"""
_CONTROL = re.compile(r"(?:质控|(?<![A-Za-z])QC(?![A-Za-z]))(?!\W*(?:OK|pass|通过|合格|正常|在控))", re.IGNORECASE)
"""也许是仪器自己的质控条，没有印单位的不抄；病人的条子上印的是质控通过了。"""
_STERILE = re.compile(
    r"(?:标本|样[本品])[^:：\s]{0,4}\s*[:：]\s*(脑脊液|(?:静脉|动脉|外周|导管|全)?血液?)(?![清浆管性透糖型斑红白小])|(脑脊液|血液?)(?=(?:细菌|真菌)?培养)"
)
"""本来没有细菌的标本：血、脑脊液。"""
_ORGANISM = re.compile(
    r"[一-鿿]{0,6}(?:埃希|克雷伯|单胞|不动杆?|葡萄球|链球|肠球|肠杆|沙雷|变形杆?|沙门|嗜血杆?|奈瑟|李斯特|隐球|念珠|假丝酵母|[杆球])菌"
)
_FINDING = re.compile(
    r"\W{0,2}(?P<name>(?:(?:外周)?血?(?:涂片|细胞)?(?:形态(?:学)?|镜检|镜下)|涂片)(?:描述|所见|结果|检查)?)\s*[:：]\s*(?P<said>[^:：]*[一-鿿]{2}[^:：]*?)[。\s]*$"
)
_OF_NOTE = re.compile("[可偶多易查检]见|见到|幼|原[始粒单淋]|异型|异形|疟|虫|菌|碎|裂|聚集|毒性|大小不|[靶镰泪球]形")
"""镜下看到了什么，不是形态正常、要另开单、做镜检的人的姓名。"""
_ABOUT_METHOD = re.compile(r"抗原|抗体|刺激|折点|CLSI|EUCAST|依据|说明|范围|试剂|常见|建议")
_SAYS_PRESSURE = re.compile(
    r"血压|[收舒][缩张]压|mmHg|毫米汞柱|blood ?pressure|(?<![A-Za-z])BP(?![A-Za-z])", re.IGNORECASE
)
_PRESSURES = re.compile(r"(?<![\d./<>≤≥~-])(\d{2,3}) ?/ ?(\d{2,3})(?![\d/.]|\s*(?:[-~]|及?以[上下]))")
_ONE_PRESSURE = re.compile(
    r"(?P<name>收缩压|舒张压|高压|低压|(?<![A-Za-z])[SD]BP)\s*[:：]?\s*(?P<value>\d{2,3})(?![\d/.]|\s*(?:[-~]|及?以[上下]|kPa))"
)
_CLAUSE = re.compile(r"[，,。；;]|(?<!发)现(?!病史)|目前|本次|入院")
_NOT_NOW = re.compile(
    r"(?:(?:最高|既往|(?<!现病)史|目标|宜|应[为在]|控制[在于到]|高压氧)\D*|(?:正常|参考)[^\d\s]*|(?:[高低大小]于|超过|不到|[≥≤])\s*"
    r"|(?:肺动脉|[左右]心?[房室]|门静?脉|颅内|眼内?)(?:收缩|舒张|高)?压?\W*|(?:[床编单院]号|[样标]本号?|日期|滴度)\W*)$"
)
"""数前面说的是从前的、该有的血压，界限，别处的压力，或不是血压。"""
_OUTSIDE = "写在表外，也许不是现在量的"
_LIKELY = range(60, 301)
"""像收缩压的数（mmHg）；不到的一对数是日期、分数。"""


def with_grave_quotes(
    refused: UnreadableReport, texts: Iterable[str], person: Person | None = None
) -> UnreadableReport:
    """拒读的理由；texts（一行一段）里写着达到危急值的数、血与脑脊液里长了细菌时，把它放在理由前面。"""
    texts = list(texts)
    refused = UnreadableReport(refused.code, "".join([*pressure_warning(texts, person or Person()), str(refused)]))
    if grown := _grown(texts):
        site, organism = grown
        warning = (
            f"尽快就医：标本写着“{site}”，图里写着长出了“{organism}”；血、脑脊液里本来没有细菌。"
            "请现在就去急诊，或马上联系开单的医生。"
        )
        return UnreadableReport(refused.code, warning + str(refused))
    is_slip = any(map(_GAS.match, texts)) and sum(map(_is_pair, texts)) >= _FEWEST_PAIRS
    is_slip = is_slip and not any(map(_CONTROL.search, texts))
    quotes = list(dict.fromkeys(quote for text in texts for quote in _grave(text, is_slip and _is_pair(text))))
    if not quotes:
        return refused
    warning = (
        f"尽快就医：图里写着{'、'.join(quotes)}，如果是现在的化验结果，就达到了危急值。请现在就去急诊，或马上联系医生。"
    )
    return UnreadableReport(refused.code, warning + str(refused))


def pressure_warning(texts: Sequence[str], person: Person) -> list[str]:
    """拒读时：texts（一行一段）里写着的危险的血压，要说的一句；没有的为空。"""
    reached = _dangerous_pressures(texts, person)
    if not reached:
        return []
    head, when = ("尽快就医", "现在就去急诊") if "grave" in reached.values() else ("今天就去医院", "今天就去")
    said = "、".join(f"“{name} {value} mmHg”" for name, value in reached)
    return [
        f"{head}：图里写着{said}，如果是现在量的，血压太高或太低了。先坐下歇几分钟再量一次，还是这样{when}；"
        "头痛得厉害、胸痛、气短、看不清、说话不清、手脚没力气、站不住的马上打 120。"
    ]


def pressures_outside(texts: Sequence[str], rows: Sequence[PrintedRow], person: Person) -> list[ReadRow]:
    """表以外写着的危险的血压：也是一行，整张的急缓才算上它；表里有量出来的数的，不另算。"""
    if any(is_measured(row.name) for row in rows):
        return []
    reached = _dangerous_pressures(texts, person)
    return [ReadRow(name=name, result=value, unit="mmHg", doubt=_OUTSIDE) for name, value in reached]


def _dangerous_pressures(texts: Sequence[str], person: Person) -> dict[tuple[str, str], Severity]:
    """texts 里写着的血压（名称、数），对这个人到了今天就要看、现在就要去的（分级表） -> 有多重。"""
    return {
        (name, value): severity
        for name, value in _pressures(texts)
        if (severity := worst([line.weigh(value, "mmHg") for line in measured_as(name, person)]))
        and at_least(severity, "severe")
    }


def _pressures(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """写着的血压：一对数（`186/122`），一个（`收缩压 188`），或表头的收缩压、舒张压下面的数。"""
    if not any(map(_SAYS_PRESSURE.search, texts)):
        return
    heads: list[str] = []
    for text in texts:
        words = text.split()
        if {"收缩压", "舒张压"} <= {*words} or {"高压", "低压"} <= {*words}:
            heads = words
        elif len(words) == len(heads):
            under = zip(heads, words, strict=True)
            listed = [(name, value) for name, value in under if _ONE_PRESSURE.fullmatch(name + value)]
            yield from [] if _NOT_NOW.search(words[0]) else listed
        for clause in _CLAUSE.split(text):
            for match in (*_PRESSURES.finditer(clause), *_ONE_PRESSURE.finditer(clause)):
                first, second = match.groups()
                is_pair = first.isdecimal()
                if is_pair and (int(first) not in _LIKELY or int(second) >= int(first)):
                    continue
                if not _NOT_NOW.search(_ONE_PRESSURE.sub("", clause[: match.start()])):
                    yield ("血压", f"{first}/{second}") if is_pair else (first, second)


def _grown(texts: list[str]) -> tuple[str, str] | None:
    """texts（一行一段）里写着的本来没有细菌的标本（血、脑脊液），和在里面长出来的菌；没有长的、说不准的为 None。"""
    site = next((match[1] or match[2] for text in texts if (match := _STERILE.search(text))), None)
    if site is None:
        return None
    for text in texts:
        organism = _ORGANISM.search(text)
        if organism and not _ABOUT_METHOD.search(text) and presence(text) == "阳性":
            return site, re.sub("^.*[为见出是]", "", organism[0])
    return None


def grown_outside(texts: list[str], rows: Sequence[PrintedRow]) -> list[ReadRow]:
    """表里只有药敏、长的是什么菌印在表外的（`检出菌：金黄色葡萄球菌`）：它也是一行；rows 里有它的、没有长的为空。"""
    site, organism = _grown(texts) or ("", "")
    is_outside = organism and not any(organism in row.result for row in rows)
    return [ReadRow(name=f"{site}培养", result=organism)] if is_outside else []


def findings_outside(texts: Iterable[str], rows: Sequence[PrintedRow]) -> list[ReadRow]:
    """表下面写成一句话的镜下所见（`形态描述：可见幼稚细胞约12%`）：也是一行；rows 里有它的、没有看到什么的不算。"""
    findings = filter(None, map(_FINDING.match, texts))
    return [
        ReadRow(name=finding["name"], result=finding["said"])
        for finding in findings
        if _OF_NOTE.search(without_denied(finding["said"]))
        and not any(finding["name"] in row.name or row.result and row.result in finding["said"] for row in rows)
    ]


def says_value(text: str) -> bool:
    """写着认得的名称与它的数、单位。"""
    return any(match["unit"] and _name_before(text[: match.start()]) for match in _NUMBER_AND_UNIT.finditer(text))


def _is_pair(text: str) -> bool:
    """一行只有认得的代号与一个数（`K 6.8`、`K+: 6.8 H`）。"""
    pair = re.fullmatch(r"(.*[^\d.\s<>:：])\s*[:：\s]\s*\d{1,3}(?:\.\d+)?\s*(?:[HL]|[↑↓]{1,2})?", text.strip())
    return bool(pair) and is_known_code(pair[1])


def _grave(text: str, is_on_slip: bool = False) -> Iterator[str]:
    """一段文字里写着的、达到危急值（成人的界限）的“名称 数 单位”；is_on_slip：只有一种单位的不用印单位。"""
    for match in _NUMBER_AND_UNIT.finditer(text):
        name = _name_before(text[: match.start()])
        unit = match["unit"] or ""
        if not name or not (unit or is_on_slip or name.upper() == _NEEDS_NO_UNIT):
            continue
        seen = observe(PrintedRow(name=name, result=match["value"], unit=unit), "", Person())
        if seen.analyte is None or is_on_slip and not unit and seen.analyte.conversions:
            continue
        own = unit or seen.analyte.unit
        if is_impossible(seen.value, own, seen.analyte):
            continue
        if grade_value(seen.value, own, seen.analyte, Person())[0] == "grave":
            yield f"“{name} {match['value']} {unit}”".replace(" ”", "”")


def _name_before(text: str) -> str:
    """数前面紧挨着的名称，认得的里面最长的；没有则为空串。"""
    before = _BETWEEN.sub("", text[-2 * _LONGEST_NAME :])
    places = range(max(0, len(before) - _LONGEST_NAME), len(before))
    starts = [at for at in places if not re.match(r"[A-Za-z]{2}", before[max(0, at - 1) :]) or at == 0]
    return next((before[at:] for at in starts if is_known(before[at:].strip())), "").strip()
