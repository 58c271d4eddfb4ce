"""什么样的一行才是检验项目；页脚、说明、分档的图例不是。"""

import re

from health_assistant.lab_report.groups import is_group
from health_assistant.lab_report.matching import is_known_name
from health_assistant.lab_report.reading.names import is_known, split_name
from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.word_lists import any_of

NOT_AN_ITEM = any_of("not_an_item", flags=0)

_SENTENCE = re.compile(r"[。；;!?！？]|[:：].{4}|(?:\S+\s+){6}")
"""成句的话不是项目名称。"""
TIER = any_of("tier")
_GROUPS = re.compile(r":\s*\d[\d.]*\s*[-~]\s*\d.*,.*:?")
"""各年龄的范围写成一行话：`Cord Blood: 2.3 - 13.2, 1 - 2 days: 3.2 - 34.6`，断成几格也不是项目。"""
_WORDS = re.compile(r"[a-z][a-z'(),./-]+(\s[a-z'(),./-]+)*")
"""英文说明里的词，不是单位。"""
_NOT_LIMITS = re.compile(r"20\d\d[-/.年]\d{1,2}[-/.月]\d|^\d{9,}")
"""页脚里的日期、电话；皮质醇的范围也印着钟点，不算。"""


def has_item_name(row: Row) -> bool:
    """名称可能是检验项目的，而不是页眉、页脚或别的文字。"""
    if row.is_criterion and (row.result is None or row.result.kind == "text"):
        return False
    name, code = split_name(row.name.text)
    said = re.sub("^镜[检下][:：]", "", row.name.text)
    return not (NOT_AN_ITEM.search(said) or _SENTENCE.search(said) or _is_prose(row)) and bool(name or code)


def is_complete(row: Row) -> bool:
    """结果与范围都是数或定性词，而且有名称。"""
    typed = [box for box in (row.result, *row.limits[:1]) if box and box.kind not in ("text", "unit", "mark")]
    return row.name is not None and len(typed) == 2


def _is_prose(row: Row) -> bool:
    """级别、只有编号（`2. Friedewald equation…`）、一档（`Deficient < 50`），单位一列也是词，或用竖线画。"""
    if re.fullmatch("级别|分级|等级|(?i:class|parameters?)", row.name.text):
        return True  # 过敏原的级别说明：一行 `2级`、`5级`
    if _GROUPS.search(row.name.text):
        return True
    if row.result is not None and row.result.kind == "number":
        return False
    is_numbered = not re.search(r"[A-Za-z一-鿿α-ωΑ-Ω]", row.name.text) and (row.result or row.name).kind == "text"
    words = [box for box in (row.result, row.unit) if box and box.kind == "text" and not re.search(r"\d", box.text)]
    is_sentence = len(words) == 2 and bool(_WORDS.fullmatch(words[1].text))
    is_limits = row.result is None or row.result.kind in ("bound", "range") or row.name.text == "Risk Level"
    is_numbered |= is_limits and bool(TIER.match(row.name.text) or is_group(row.name.text)) or _heads_legend(row)
    # 两端对齐的英文，词与词隔得远，会断成几格
    apart = [box for box in row.limits if box.kind == "text" and _WORDS.fullmatch(box.text.lower())]
    is_numbered |= (
        len(apart) > 2
        or sum(box.text.islower() for box in apart) > 1
        or bool(row.result and re.search(r"[a-z]+ .*[a-z]+ .*[a-z]\.$", row.result.text))
    )
    return is_numbered or is_sentence or row.name.is_printed and row.name.text.startswith("|")


def _heads_legend(row: Row) -> bool:
    """说明的表头：`期别 FSH 雌二醇 LH`，名称不认得，别的格都是认得的名称。"""
    others = [re.sub(r"\s*[(（].*", "", box.text) for box in (row.result, row.unit, *row.limits) if box]
    return len(others) > 1 and not is_known(row.name.text) and all(map(is_known, others))


def is_item(row: Row, has_header: bool) -> bool:
    """是检验项目，凭它自己就看得出来。"""
    if row.name is None:  # 说明里分档的界限（`<70` `<100`）没有名称，也没有单位
        kinds = [box.kind for box in (row.result, *row.limits) if box]
        return bool(row.unit) or kinds.count("bound") < 2 or {*kinds} != {"bound"}
    if _is_prose(row):
        return False
    if any(_NOT_LIMITS.search(box.text) for box in row.limits):
        return False
    if is_complete(row) and not re.fullmatch("[-—]", row.limits[0].text):  # 地址里的一横不是范围
        # 数与范围各在自己的列：不论叫什么（样本溶血指数）；没有单位的长数是住院号、条码
        return bool(row.unit) or not re.fullmatch(r"\d{7,}", row.result.text)
    if not has_item_name(row) or (row.result and NOT_AN_ITEM.search(row.result.text)):
        return False
    if row.unit and re.match(r"page\s*\d|end\s*of", row.unit.text, re.IGNORECASE):
        return False  # 页码、`End of Report` 落在单位一列
    # 页脚的人名、备注也会落在结果与范围两列：文字结果要有看得懂的范围、有单位，或者是认得的项目
    is_typed = row.result is not None and row.result.kind != "text"
    if not is_typed and len(row.name.text) == 1 and not is_known(row.name.text):
        return False
    has_unit = row.unit is not None and (is_typed or row.unit.kind == "unit")
    has_limits = any(is_typed or has_unit or _may_be_limits(box, row.result) for box in row.limits)
    if has_limits and (row.result or has_unit or has_header or is_known_name(split_name(row.name.text)[0])):
        return True
    is_number = is_typed and not re.fullmatch(r"[-–]?\d{6,}", row.result.text)  # 邮编、电话：`New Delhi -110085`
    is_own = (is_number and has_header) or has_unit or is_known(row.name.text)
    return bool(row.result) and is_own


def _may_be_limits(box: TextBox, result: TextBox | None) -> bool:
    """像参考范围：写法是数或定性词，或者结果也是文字的词（黄色）。"""
    return box.kind != "text" or (result is not None and not re.search(r"\d", box.text) and len(box.text) < 12)
