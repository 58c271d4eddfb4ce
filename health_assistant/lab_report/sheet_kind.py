"""报告名没有说是什么标本的一页，由各行合起来看：是尿，是大便，是全血的微量元素，还是看不出。一行自己分不清的，几行一起分得清。"""

import re
from collections.abc import Sequence
from decimal import Decimal
from math import log, log10
from typing import Literal

from health_assistant.lab_report.catalogue import analytes_by_code
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.marks import flag_says
from health_assistant.lab_report.matching import find_analyte, specimens_with
from health_assistant.lab_report.observation import Observation
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.range_likeness import range_distance
from health_assistant.lab_report.reference_range import is_blank
from health_assistant.lab_report.report import PrintedRow, ReadRow
from health_assistant.lab_report.severity import is_impossible
from health_assistant.lab_report.specimen import Specimen, possible_specimens, says_specimen
from health_assistant.lab_report.units import is_per_microlitre

_FITS, _FAR = log(1.2), log(8)
"""印着的范围与血的相差不到两成是血的，八倍以上不是血的（也可能是丢了小数点，见 `_is_slipped`）。"""
_ELEMENT = re.compile(r"(全血)?[锌铜铁钙镁铅镉锰硒碘锂铬](?![一-鿿])", re.ASCII)
_RARE_ELEMENT = re.compile(r"[锌铜铅镉锰]")
_FEW_WHITE_CELLS = 50
"""每微升；血里少到这样的（0.05 10^9/L）只见于移植、化疗后，那样的单子不会只有这一行。"""
_NUMBER = re.compile(r"\D?\s*\d+(\.\d+)?\s*\D?")
_STRIP = re.compile(r"酮体|葡萄糖|胆原|胆红素|比重|亚硝酸盐")
"""尿条上的项目，大便里没有。"""
_ON_GAS_ANALYSER = re.compile("K|NA|CL|CA|GLU|HGB|HCT|AG|TCO2|OSM")
"""血气仪也量的；还有别的项目（肌酐、镁）的一页也许是合印的急诊生化，上面的钙可以是总钙。"""
_BESIDE_GAS = re.compile(r"Fi?O2|T(emp.*)?$|体温|吸氧|p50|p?A-?aD?O2|c?t?O2|F?HHb|大气压|pAtm|Baro", re.IGNORECASE)
"""血气纸条上目录里没有的行。"""
_SAYS_NOTHING = re.compile(
    r"([一-鿿]*医院|急诊|床[旁边]|检验科?|检[测查]|化验|报告|结果|单|(arterial )?blood gas(es)?( analysis)?|ABG|\s)*",
    re.IGNORECASE,
)
"""没有说查的是什么、或只说是血气的报告名；中文的“血气”名称就说得出是离子钙。"""
_BARE_CALCIUM = re.compile(
    r"(c?Ca|钙|Calcium)([(（]?(2\+?|\+[+2]?|离子|Ca)[)）]?)?([(（]?7\.4\d?[)）]?)?", re.IGNORECASE
)
"""没有说是总钙（`血钙`、`Total calcium`）还是离子钙的名称。"""
_MOST_IONISED = Decimal("1.9")
"""mmol/L；再高的是总钙：离子钙到这样高的活不了多久，而 1.58 已经危急。"""
_SURELY_IONISED = Decimal("1.34")
"""目录里离子钙的上限：血气纸条上到它为止的是离子钙，再高的也许是低得危急的总钙。"""
_URINE_TITLE = re.compile(r"尿液$|粪便$|微量元素$")
_LABELLED = re.compile(r"尿(?!胆)")
"""自己写着尿的行：旁边没有写的，也许正是血的。"""


def title_for_specimen(report_type: str, observations: Sequence[Observation]) -> str:
    """分辨标本用的报告名：印着的说得出标本就是它；说不出、而这一页的各行说得出的，是“尿液”“粪便”“血液”或“微量元素”。

    是尿，要有一半以上的行、至少两行是只有尿才有的，而没有一行是血的：漏掉血里的急症比认不出是尿更糟。是大便，要至少两行
    是只有大便才有的，比尿的多，也没有一行是血的。
    """
    if says_specimen(report_type) or not observations:
        return report_type
    rows = [seen.row for seen in observations]
    if all(_ELEMENT.match(row.name) for row in rows) and any(_RARE_ELEMENT.search(row.name) for row in rows):
        return "微量元素"
    votes = [_vote(seen) for seen in observations if not _LABELLED.search(seen.row.name)]
    for_urine, for_stool = votes.count("urine"), votes.count("stool")
    if "other" not in votes and not for_stool and for_urine >= 2 and for_urine * 2 >= len(votes):
        return f"{report_type} 尿液".strip()
    has_strip = any(_STRIP.search(row.name) for row in rows)
    if "other" not in votes and for_stool >= 2 and for_stool > for_urine and not has_strip:
        return f"{report_type} 粪便".strip()
    # 血常规可以都印每微升：旁边有只在血里的，就是血
    is_blood = "urine" not in votes and any(is_per_microlitre(row.unit) for row in rows) and any(map(_is_blood, rows))
    return f"{report_type} 血液".strip() if is_blood else report_type


def titles_of_rows(report_type: str, observations: Sequence[Observation]) -> list[str]:
    """一页各行分辨标本用的报告名：多是 `title_for_specimen` 说的；没有印范围、每微升的红、白细胞看这一页别的行。

    `生化`、`免疫`、`体检` 说的不是细胞。红细胞少得不会是血里的，有尿的项目而没有血常规、血常规用别的单位的，
    是尿沉渣；看不出的当作血，不漏掉急症。与各行的先后无关。
    """
    title = title_for_specimen(report_type, observations)
    if _URINE_TITLE.search(title):
        return [title] * len(observations)
    others = [seen for seen in observations if not _is_bare_count(seen, report_type)]
    counts = [seen for seen in others if seen.analyte and seen.analyte.panel == "血细胞分析"]
    is_sediment = any(_is_too_few(seen) for seen in observations if _is_bare_count(seen, report_type))
    has_other_counts = any(seen.analyte.code in ("WBC", "PLT") and not is_per_microlitre(seen.unit) for seen in counts)
    has_urine = any(_places(seen) == {"urine"} for seen in others)  # 尿蛋白、上皮细胞这样只有尿里才有的
    is_urine = is_sediment or has_urine and (has_other_counts or not counts)
    kind = f"{report_type} {'尿液' if is_urine else '血液'}".strip()
    titles = [kind if _is_bare_count(seen, report_type) else title for seen in observations]
    if not _SAYS_NOTHING.fullmatch(title):
        return titles
    calcium = [_calcium_kind(seen, observations) for seen in observations]
    return [f"{heading} {word}".strip() if word else heading for heading, word in zip(titles, calcium, strict=True)]


def _calcium_kind(seen: Observation, observations: Sequence[Observation]) -> Literal["血气", "生化", ""]:
    """没有印范围、也没有说是哪一种的钙：血气纸条上的是离子钙（血气）；两种都可能的照总钙看而有疑问（生化）；别的照旧。

    血气纸条有气体的分压，没有血气仪量不了的；`cCa2+` 只有血气仪这样印。
    """
    row, total, value = seen.row, seen.analyte, seen.value
    is_bare = is_blank(row.reference_range) and _BARE_CALCIUM.fullmatch(normalize(row.name or row.code))
    if not (is_bare and total and total.code == "CA" and isinstance(value, Interval) and value.low is not None):
        return ""
    number = total.convert(value.low, seen.unit or total.unit)
    known = [other for other in observations if other.analyte]
    has_gas = any(other.analyte.code in ("PCO2", "PO2") and other.value is not None for other in known)
    others = [other for other in known if other.analyte.panel != "血气"]
    unknown = [other.row for other in observations if not other.analyte and not _BESIDE_GAS.match(other.row.name)]
    is_slip = has_gas and all(_ON_GAS_ANALYSER.fullmatch(other.analyte.code) for other in others)
    is_slip &= all(is_blank(other.reference_range) for other in unknown)
    if number is None or number >= _MOST_IONISED or not (is_slip or normalize(row.name).startswith("cCa2+")):
        return ""
    if is_impossible(value, seen.unit, total):
        return "血气"  # 活着的人不会有这样低的总钙
    is_plain = not unknown and all(is_blank(other.row.reference_range) for other in observations)
    is_plain &= all(other.analyte.code != "ICA" for other in known) and row.name.strip() != "cCa"
    is_plain &= number <= _SURELY_IONISED and total.same_unit(seen.unit)
    # 单子自己说低的，也许是低得危急的总钙
    is_plain &= all("normal" in said for said in flag_says(row))
    return "血气" if is_slip and is_plain else "生化"


def _places(seen: Observation) -> set[Specimen]:
    """哪几种标本有这一项。"""
    return {seen.analyte.specimen} if seen.analyte else specimens_with(seen.row.name, seen.row.code)


def _is_too_few(seen: Observation) -> bool:
    """红细胞少得活人的血里不会有：是尿沉渣。"""
    is_red = bool(re.search("红细胞|RBC|red", seen.row.name + seen.row.code, re.IGNORECASE))
    return is_red and is_impossible(seen.value, seen.row.unit, analytes_by_code()["RBC"])


def guess_notices(guessed: Sequence[Observation]) -> list[str]:
    """标本是猜的那些行，血里、尿里都有的（葡萄糖、白细胞）照哪一种看了，要说出来；照血看的只说每微升的细胞。"""
    notices = []
    for specimen, word in (("urine", "尿"), ("stool", "大便")):
        rows = [seen.row for seen in guessed if seen.analyte and seen.analyte.specimen == specimen]
        names = "、".join(row.name or row.code for row in rows if "blood" in specimens_with(row.name, row.code))
        if names:
            notices.append(f"没有读到是什么标本，由各行看像是{word}：{names}照{word}的看了；如果抽的是血，请对照原件。")
    counts = [seen.row for seen in guessed if seen.analyte and seen.analyte.code in ("WBC", "RBC")]
    bare = [row for row in counts if is_per_microlitre(row.unit) and is_blank(row.reference_range)]
    if bare:
        names = "、".join(row.name or row.code for row in bare)
        notices.append(f"没有读到是什么标本：{names}照血的看了；如果查的是尿，请对照原件。")
    return notices


def doubt_guess(row: ReadRow, kind: str, is_alone: bool) -> ReadRow:
    """照猜的报告名 `kind` 再看的一行，分不清的添上疑问，别的照旧。

    分不清的是两种都可能的钙（见 `_calcium_kind`），和整页只有一行、没有印范围的每微升几个白细胞：血里几乎不会这样少。
    """
    if kind.endswith("生化"):
        return row.model_copy(update={"doubt": row.doubt or "没有读到是总钙还是离子钙"})
    number = re.fullmatch(r"\d+(?:\.\d+)?", row.result.strip())
    is_few = bool(number) and float(number[0]) <= _FEW_WHITE_CELLS
    is_white = bool(re.search("白细胞|WBC|white", row.name + row.code, re.IGNORECASE))
    doubt = "没有读到是什么标本，这样少的白细胞更像是尿的，不像血的"
    return row.model_copy(update={"doubt": doubt}) if is_alone and is_few and is_white else row


def _is_bare_count(seen: Observation, report_type: str) -> bool:
    """没有印范围、每微升的红、白细胞，名称与报告名都没有说是血是尿。"""
    row = seen.row
    is_count = seen.analyte is None and is_per_microlitre(row.unit) and is_blank(row.reference_range)
    both = {"blood", "urine"}
    return (
        is_count
        and both <= specimens_with(row.name, row.code)
        and both == {*possible_specimens(report_type, row.name, row.unit)}
    )


def _vote(seen: Observation) -> Literal["urine", "stool", "other"] | None:
    """这一行只会是尿的、大便的，还是别的标本的；都可能的为 None。"""
    row, interval, in_blood = seen.row, seen.interval, seen.analyte
    has_range = not is_blank(row.reference_range)
    in_urine = find_analyte(row.name, row.code, row.unit, "尿液", interval, has_range=has_range)
    if in_blood is None or in_blood.specimen != "blood":
        places = _places(seen)
        return "urine" if places == {"urine"} else "stool" if places == {"stool"} else None
    gap, only_blood = range_distance(in_blood, row.unit, interval), "urine" not in specimens_with(row.name, row.code)
    if gap is None:
        # 没有印范围的数，两种标本都可能的也当作血的：当成尿，血里的急症就没有人说了
        # 尿条上的 pH 也不印范围；血的 pH 旁边总有血气的别的项
        is_ph = in_urine is not None and in_urine.code == "U-PH"
        is_bare_number = not (has_range or is_ph) and bool(_NUMBER.fullmatch(row.result.strip()))
        return "other" if only_blood or is_bare_number else None
    if gap > _FAR and not _is_slipped(gap) and not only_blood:
        return "urine"
    urine_gap = range_distance(in_urine, row.unit, interval) if in_urine and in_urine.specimen == "urine" else None
    is_like_blood = gap < _FITS and (urine_gap is None or gap <= urine_gap)
    return "other" if is_like_blood or only_blood else None


def _is_blood(row: PrintedRow) -> bool:
    """只在血里的：血小板、以克计的血红蛋白、红细胞的体积。"""
    is_cell = re.search(r"血小板|PLT", row.name + row.code) and not _LABELLED.search(row.name)
    return possible_specimens("尿液", row.name, row.unit) == ("blood",) or bool(is_cell)


def _is_slipped(gap: float) -> bool:
    """正好差十倍、百倍：多半是丢了小数点的血的范围。"""
    tens = gap / log(10)
    return abs(tens - round(tens)) < log10(1.12)
