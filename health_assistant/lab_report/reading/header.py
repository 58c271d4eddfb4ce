"""表头：一行里的词各是哪一列的名字。印着的表头决定一列是什么，格子的写法只能使人起疑。"""

import re
from dataclasses import replace
from itertools import pairwise, zip_longest
from statistics import median
from typing import NamedTuple

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.reading.cells import Cell, split_cells
from health_assistant.lab_report.reading.header_dates import CLOCK, DATE, drop_former_results, seat_dates, split_date
from health_assistant.lab_report.reading.header_words import (
    HEAD_WORD,
    Role,
    columns_in,
    group_of,
    is_best,
    is_panel_title,
    role_at_temperature,
    role_beside_others,
    words_in,
)
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import TextBox, has_chinese

_STARTS_PANEL = ("serial", "code", "name")
_SEVERAL = ("ignored", "unknown", "mean", "replicate")
_LIMITS = ("range", "low", "high")
_LEGEND = re.compile(r"(级别|等级|分级|class)\W*([0-6]级?\s+){3}", re.IGNORECASE)
"""分级说明的头一行：`级别 0 1 2 3 …`。"""
_STAGE = re.compile(r"(CKD\s*)?G[1-5][ab]?期?(\s*[一-鿿]{2,}|\s[A-Za-z ]+)?", re.IGNORECASE)
"""肾功能分期说明的一行打头的词；细胞周期的 `G1期` 后面有结果。"""
_MIN_CODES = 3
_DATES_WITHIN = 3
"""各列的日期至多印在表头下面第几行。"""
_HEAD_UNIT = re.compile(r"[(（\[][^()（）\[\]/]+/[^()（）\[\]/]+[)）\]]|\bSI\b|\bConv", re.IGNORECASE)


def join_stacked_heads(boxes: list[TextBox]) -> list[TextBox]:
    """窄栏的表头一行一个字：上下相接、合起来是表头词的两个字（结、果）接成一段，高低在两个字的中间。

    相邻两行的标记高、低不是表头。
    """
    lone = [box for box in boxes if re.fullmatch(r"(?![高低])[一-鿿]", box.text)]
    for top in lone:
        under = [
            box
            for box in lone
            if 0 < box.line - top.line < 1.3 * top.height and abs(box.middle - top.middle) < 0.4 * top.height
        ]
        if len(under) != 1 or not HEAD_WORD.fullmatch(top.text + under[0].text):
            continue
        below, down = under[0], (under[0].y1 - top.y1) / 2
        word = replace(
            top, text=top.text + below.text, score=min(top.score, below.score),
            line=(top.line + below.line) / 2, y0=top.y0 + down, y1=top.y1 + down,
        )  # fmt: skip
        boxes = [word if box is top else box for box in boxes if box is not below]
    return boxes


def find_header(line: list[TextBox]) -> list[dict[str, TextBox]]:
    """这一行是表头时，各栏的“列 -> 表头格”，从左到右；不是表头时为空。

    列是什么见 `header_words.Role`；可以有几列的（ignored、unknown，和第二列结果、范围）后面加上位置。
    名称、代号、序号一类又出现时是下一栏的开始。以日期为列名的：最近的是这次的结果，其余是从前的；
    看不出哪个最近的（`12-28` 与 `01-05`）都当作结果，使这一行起疑。
    """
    words = _head_words(_without_side_panel(line))
    is_of_multiples = any(word.role == "range" and "MoM" in word.whole for word in words)
    panels = _panels(words) if words else []
    for panel, dates in panels:
        if len(panel) >= 2 and any(role.split()[0] not in ("ignored", "unknown") for role in panel):
            seat_dates(panel, dates + _dated_results(panel, words))  # `标本:血清 申请:消化科 2024-09-09` 不是表头
        if is_of_multiples:
            _take_multiples(panel)
        _settle(panel)
        merged = [role for role in ("mark", "unit") if role in panel and panel[role].text.startswith("结果")]
        if merged and "result" not in panel:
            panel["result"] = panel.pop(merged[0])  # `结果提示`、`结果单位`：除非另有结果一列
    return [panel for panel, _ in panels if _is_header(panel)]


class _HeadWord(NamedTuple):
    """一行里的一个表头词：说的是哪一列，它自己，它所在的整段文字。"""

    role: Role
    box: TextBox
    whole: str


def _head_words(line: list[TextBox]) -> list[_HeadWord]:
    """这一行当作表头时，各段是什么词；里面有数、有医生的名字的，不是表头，为空。"""
    words: list[_HeadWord] = []
    shares = {role for box in line if (role := role_beside_others(box.text)) in ("percent", "absolute")}
    is_head = sum(any(words_in(box)) for box in line) > 1 or len(shares) == 2
    has_names = any(role in ("name", "range") for box in line for role, _ in words_in(box))
    for box in line:
        if re.fullmatch(r"final|interim|preliminary", box.text.strip(), re.IGNORECASE):
            continue  # `Test Report Status  Final`
        if re.search(r"^dr\b|\bhospital\b", box.text.strip(), re.IGNORECASE):
            return []  # `Ref. | Dr. Rao | Reporting Date | 22/04/2025`
        pairs = [] if len(shares) == 2 and role_beside_others(box.text) in shares else columns_in(box, line)
        if len(shares) == 2 and len(pairs) == 1:
            pairs = [(pairs[0][0], box)]  # `参考范围%` 的 % 说的是谁的范围
        if has_names and (at_temperature := role_at_temperature(box.text)):
            pairs = [(at_temperature, box)]
        role = role_beside_others(box.text)
        if not is_head and role not in ("low", "high"):
            role = "unknown"  # `神经管缺陷风险  低风险  低风险` 是一行结果
        if DATE.fullmatch(CLOCK.sub("", box.text.strip())):
            pairs = [("date", box)]
        elif re.search(r"\d", box.text) and (not pairs and role == "unknown" or _is_labelled_range(box)):
            return []  # 表头里没有数
        words += [_HeadWord(role, word, box.text) for role, word in pairs or [(role, box)]]
    if {"normal", "abnormal"} <= {word.whole.strip().lower() for word in words}:
        # 正常的、异常的结果各印一列
        are_results = [re.fullmatch("(?i)(ab)?normal", word.box.text) for word in words]
        words = [w._replace(role="result") if is_one else w for w, is_one in zip(words, are_results, strict=True)]
    return words


def _without_side_panel(line: list[TextBox]) -> list[TextBox]:
    """表头左边是屏幕上的树（`▾ 2024-06-03`），不看。"""
    at = next((at for at, box in enumerate(line) if any(words_in(box))), 0)
    roles = {role for box in line[at:] for role, _ in words_in(box)}
    is_head = {"name", "result"} <= roles and roles & {*_LIMITS}
    return [box for box in line if box in line[at:] or not (is_head and DATE.search(box.text))]


def _panels(words: list[_HeadWord]) -> list[tuple[dict[str, TextBox], list[TextBox]]]:
    """表头词分成并排的几栏：各栏的“列 -> 表头格”，与作列名的日期。"""
    roles = [word.role for word in words]
    again = _repeated(roles)
    panels: list[tuple[dict[str, TextBox], list[TextBox]]] = [({}, [])]
    for at, (role, word, whole) in enumerate(words):
        panel, dates = panels[-1]
        if role == "date":
            dates.append(word)
            continue
        is_first = word.text == next((other.text for other in panel.values()), None)
        is_again = role in _STARTS_PANEL and role in panel or is_first  # 又印了这一栏的第一个词
        is_titled = is_panel_title(whole) and roles[at : at + 2] == roles[:2] == ["unknown", "result"]
        is_titled = is_titled and bool({*_LIMITS} & {*roles[at:]})  # 没有范围的也许只是又一列结果
        if again and at % again == 0 and at or (is_again or is_titled) and len(panel) >= 2:
            panel = {}
            panels.append((panel, []))
        if role == "serial" and "serial" in panel:
            role = "code"  # 序号之外又有编号
        # 两列结果、两列范围都要看：不知道哪一列是这个人这一次的，就要起疑
        is_second = role in ("result", "range") and role in panel
        if is_second and _is_in_other_unit(whole, panel[role], words):
            role = "ignored"  # 同一个数换了单位又印一遍
        key = f"{role} {word.start:.0f}" if role in _SEVERAL or is_second else role
        if role == "range" and (whose := group_of(whole)):
            key = f"range {whose}"  # 男女的范围各印一列
        panel.setdefault(key, word)
    return panels


def _dated_results(panel: dict[str, TextBox], words: list[_HeadWord]) -> list[TextBox]:
    """一栏里几列结果的列名只差日期的，以日期为列名，移出 panel；左边另有没有日期的一列，它们也许是从前的。"""
    wholes = {id(word.box): word.whole for word in words}
    heads = {key: split_date(wholes[id(box)]) for key, box in panel.items() if key.split()[0] == "result"}
    date, bare = heads.get("result", ("", ""))
    dated = [key for key, head in heads.items() if head[0] and head[1] == bare]  # `复查结果(06-12)`、`结果描述` 不是
    boxes = {key: replace(panel[key], text=heads[key][0]) for key in dated}
    if date and len(dated) == len(heads) > 1:
        return [box for key, box in boxes.items() if panel.pop(key)]
    panel.update({key: box for key, box in boxes.items() if not date})  # 见 `drop_former_results`
    return []


def _take_multiples(panel: dict[str, TextBox]) -> None:
    """范围说的是中位数的倍数（MoM）：倍数一列是结果，浓度不看；改 panel。"""
    for key in [key for key in panel if key.startswith("unknown") and "MoM" in panel[key].text]:
        for measured in {"result", "unit"} & panel.keys():
            _rename(panel, measured, "ignored")
        panel["result"] = panel.pop(key)


def _is_in_other_unit(whole: str, first: TextBox, words: list[_HeadWord]) -> bool:
    """两列的表头各写着单位，不是同一种：`结果(mmol/L)` 与 `结果(mg/dL)`，`SI Result` 与 `Conv. Result`。"""
    own = next((word.whole for word in words if word.box is first), "")
    units = [_HEAD_UNIT.search(text) for text in (own, whole)]
    return all(units) and units[0][0].lower() != units[1][0].lower()


def _settle(panel: dict[str, TextBox]) -> None:
    """几列合起来才知道是什么的：改 panel。"""
    if len(shares := {"percent", "absolute"} & panel.keys()) == 1 or "result" in panel:
        for key in shares:
            _rename(panel, key, "unknown")
    means, tries = ([key for key in panel if key.startswith(role)] for role in ("mean", "replicate"))
    is_measured = bool(means and tries) and "result" not in panel  # 测了几次的，结果是平均值
    for key in means + tries:
        if is_measured and key == means[0]:
            panel["result"] = panel.pop(key)
        else:
            _rename(panel, key, "ignored" if is_measured else "unknown")
    is_pair = {"low", "high"} <= panel.keys() and ("result" in panel or len(panel) == 2)
    for key in ("low", "high"):
        if key in panel and not (is_pair or any(words_in(panel[key]))):
            _rename(panel, key, "unknown")  # 单有 `High` 的是一档，或印结果的一列
    ranges = [key for key in panel if key.startswith("range")]
    best = [key for key in ranges if is_best(panel[key].text)]
    for key in best if len(best) < len(ranges) else ():
        _rename(panel, key, "ignored")  # 另有参考范围
        if "range" not in panel and (others := [key for key in panel if re.fullmatch(r"range \d+", key)]):
            panel["range"] = panel.pop(others[0])


def _rename(panel: dict[str, TextBox], key: str, role: Role) -> None:
    """panel 里叫 key 的一列改称 role；可以有几列的，后面加上位置。"""
    box = panel.pop(key)
    panel[f"{role} {box.start:.0f}"] = box


def head_role(box: TextBox) -> str:
    """整段就是一个表头词（后面也许有冒号）时，它说的是哪一列；不是的为空串。"""
    words = list(words_in(box))
    return words[0][0] if len(words) == 1 and words[0][1].text == box.text.strip(" :") else ""


def _is_labelled_range(box: TextBox) -> bool:
    """`参考范围:0.05-3.30`：里面像日期的是范围。"""
    return any(cell.labelled and cell.kind in ("range", "bound") for cell in split_cells(box))


def _repeated(roles: list[Role]) -> int:
    """整个表头是同样几列印了几遍时（每一遍的头一个词可以不认得），一遍几列；不是的为 0。"""
    sizes = [size for size in range(2, len(roles) // 2 + 1) if roles == roles[:size] * (len(roles) // size)]
    return next((size for size in sizes if "result" in roles[:size]), 0)


def panel_edges(headers: list[dict[str, TextBox]]) -> list[float]:
    """并排各栏的分界，横坐标。"""
    sides = [(min(b.start for b in h.values()), max(b.end for b in h.values())) for h in headers]
    return [(left[1] + right[0]) / 2 for left, right in pairwise(sides)]


def add_subheads(headers: list[dict[str, TextBox]], below: list[dict[str, TextBox]]) -> None:
    """表头折成两行：“参考范围”下面再分下限、上限。"""
    edges = panel_edges(headers)
    for panel in below:
        for role, box in panel.items():
            header = headers[sum(box.middle > edge for edge in edges)]
            if role.split()[0] in _LIMITS:
                header.pop("range", None)
                header[role] = box
            elif not any(box.start < above.end and above.start < box.end for above in header.values()):
                header[role] = box  # 压在上面一行的词下面的是它的下半截


def without_legend(panel: list[list[Cell]]) -> list[list[Cell]]:
    """一栏里不是分级说明的各行；说明到下一个项目（认得的名称，或有数、有一个范围）为止，后面的行不能丢。"""
    kept, in_legend = [], False
    for line, below in zip_longest(panel, panel[1:]):
        kinds = [cell.kind for cell in line]
        is_row = "number" in kinds and kinds.count("range") + kinds.count("bound") == 1
        is_head = bool(below) and _is_stage(below) and not {"number", "range", "bound", "term"} & {*kinds}
        if _LEGEND.match(" ".join(cell.text for cell in line)) or is_head or _is_stage(line):
            in_legend = True
        elif is_row or any(is_known(cell.text) for cell in line[:2]):
            in_legend = False
        if not in_legend:
            kept.append(line)
    return kept


def _is_stage(line: list[Cell]) -> bool:
    """`G3a Mild to moderate 45-59`：没有结果的一行。"""
    return bool(_STAGE.fullmatch(line[0].text)) and not any(cell.kind == "number" for cell in line)


def fit_header(header: dict[str, TextBox], lines: list[list[Cell]], days: set[tuple[int, int]]) -> None:
    """照下面各行（与表外印着的日期 days）补上没有印表头的列，挪正与内容不对齐的结果一列；改 header。"""
    if {"name", "result"} <= header.keys():
        _take_dates_below(header, lines)
        drop_former_results(header, lines, days)
        _add_code_column(header, lines)
        _add_group_column(header, lines)
        _move_result(header, lines)


def _take_dates_below(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """`结果 | 历次结果` 下面才印着各列是哪一天的：最近的一天是结果，别的列不看。"""
    if sum(role.split()[0] in ("result", "ignored") for role in header) < 2:
        return  # 没有历次的列，日期说的不是列
    for line in lines[:_DATES_WITHIN]:
        if any(cell.kind in ("number", "bound") for cell in line):
            return  # 结果已经开始了：再往下的日期是表脚的采样、报告时间
        dates = [cell.box for cell in line if DATE.fullmatch(CLOCK.sub("", cell.text.strip()))]
        if len(dates) > 1 and len(dates) == len(line) and dates[0].start > header["name"].end:
            dated = {role: box for role, box in header.items() if role.split()[0] not in ("result", "ignored")}
            seat_dates(dated, dates)
            if "result" in dated:
                header.clear()
                header.update(dated)
            return


def _add_code_column(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """代号一列没有印表头的，补上这一列：一半以上的行里，中文名称后面紧跟着认得的代号，还没有到结果。"""
    if "code" in header:
        return
    named = [line for line in lines if line[0].kind == "text" and has_chinese(line[0].text)]
    seconds = [line[1] for line in named if len(line) > 1 and line[1].box.middle < header["result"].middle]
    codes = [cell.box for cell in seconds if cell.kind != "mark" and cell.text.isascii() and is_known_code(cell.text)]
    if len(codes) >= _MIN_CODES and 2 * len(codes) > len(named):
        header["code"] = codes[0]


def _add_group_column(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """名称左边另有一列组名（`抗体检测`，一组只印一遍），不看：有结果的行里，名称是左端都齐的末一段文字。

    每一行都有两段的，是名称与方法，或代号与名称；落在序号一栏里的是左边那一栏的单位（`％18`）。
    """
    word, edge = header["name"], header["result"].start
    left = header["serial"].end if "serial" in header else 0.0
    valued = [line for line in lines if any(cell.kind in ("number", "bound", "term") for cell in line)]
    texts = [[cell.box for cell in line if cell.kind == "text" and cell.box.start < edge] for line in valued]
    texts = [[box for box in line if box.middle > left] for line in texts]
    pairs = [line for line in texts if len(line) > 1]
    start = median([line[1].start for line in pairs] or [0.0])
    are_aligned = all(abs(line[-1].start - start) < 0.5 * word.height for line in texts if line)
    are_codes = 2 * sum(is_known(line[0].text) for line in pairs) > len(pairs)
    if are_aligned and not are_codes and _MIN_CODES <= len(pairs) < sum(map(bool, texts)):
        header[f"ignored {word.start:.0f}"], header["name"] = word, pairs[0][1]


def _move_result(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """结果两字下面一个数也没有、数都印在它与参考范围之间的：以那些数为准。"""
    word, edge = header["result"], header["range"].end if "range" in header else 0.0
    others = [box.middle for role, box in header.items() if role not in ("result", "range")]
    values = [[cell.box for cell in line if cell.kind in ("number", "bound", "term")] for line in lines]
    values = [[box for box in line if box.end > word.start] for line in values]
    firsts = [line[0] for line in values if len(line) > 1 and line[0].end < edge]
    is_empty = all(box.start > word.end for line in values for box in line)
    if len(firsts) >= _MIN_CODES and is_empty and not any(word.end < middle < edge for middle in others):
        header["result"] = sorted(firsts, key=lambda box: box.end)[len(firsts) // 2]


def _is_header(panel: dict[str, TextBox]) -> bool:
    known = [role for role in panel if not role.startswith("unknown")]
    return len(known) >= 2 and len(known) * 2 >= len(panel) and bool(panel.keys() & {"result", "range", "low"})
