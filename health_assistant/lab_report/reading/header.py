"""表头：一行里的词各是哪一列的名字。印着的表头决定一列是什么，格子的写法只能使人起疑。"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise, zip_longest
from statistics import median

from health_assistant.lab_report.matching import is_known_code
from health_assistant.lab_report.reading.cells import Cell, is_known, split_cells
from health_assistant.lab_report.reading.text import TextBox, has_chinese, part_of

_WORDS: tuple[tuple[str, str], ...] = (
    # 先长后短：“上次结果”不是结果，“项目代码”不是项目，“参考下限”不是参考范围。
    # 上次的结果、危急值、日期都是数，却不是这次的结果
    (
        "ignored",
        r"(?:上一?次|前次|前前次|历史|既往|历次|previous|prior|last)\s*(?:检测|检验)?\s*(?:结果|数?值|results?|values?)?"
        r"(?:\s*(?:[&＆/]|and)\s*(?:date|日期))?|危[急机]界?限?值?(?:范围)?|critical\s*(?:values?|range)?"
        r"|(?:采样|检测|报告|检验|审核|collected|report)?\s*(?:日期|时间|\bdate\b)|(?:标本|样[本品]|\bspecimen\b|\bsample\b)\s*(?:类型|种类|名称|编?号|type)?"
        r"|原(?:报告|结果|值)|[更修]正前|\boriginal\b|级别|等级|分级|敏感[度性]|仪器(?:名称|设备)?|设备|实验室|\binstrument\b|\blab\b|备注|说明|(?:结果)?解[释读]|临床意义|收费|\bremarks?\b|\bcomments?\b",
    ),
    ("result", r"\b(?:in|out\s*of|within)\s*(?:the\s*)?range\b"),
    ("method", r"(?:检测|检验|测定|分析|实验|试验)?方\s*法(?:学|名称)?|\b(?:test )?method(?:ology)?\b|\btechnology\b"),
    ("low", r"(?:参考|正常)?(?:范围|值)?(?:下限|最低值?|最小值?|低值)|\b(?:lower|min(?:imum)?\.?)\s*(?:limit)?\b"),
    ("high", r"(?:参考|正常)?(?:范围|值)?(?:上限|最高值?|最大值?|高值)|\b(?:upper|max(?:imum)?\.?)\s*(?:limit)?\b"),
    (
        "range",
        # 单独的“正常”是结果
        r"(?:生物|正常|标准|定[性量])?参\s*[考照比]\s*(?:参考)?\s*(?:区间值?|范围值?|值?范围|结果|值|数值|区域)?"
        r"|(?:正常|标准|健康|允许|推荐|适宜|理想)\s*(?:区间值?|范围值?|值?范围|结果|值|数值|区域)|(?:\(|^)范\s*围|(?:有效|治疗|目标)(?:血药)?(?:浓度)?范围|折点|截断值|临界值|\bcut-?off\b"
        r"|\w*referenz\w*|(?:bio(?:logical)?\.?\s*)?\bref(?:erence|\.)?\s*(?:intervals?|ranges?|values?)?"
        r"|(?:normal|standard|expected|healthy|desirable)\s*(?:ranges?|values?|intervals?|limits?)|\b(?:intervals?|ranges?)\b|normbereich|normwerte?",
    ),
    ("unit", r"(?:计量|结果)?单\s*位|\bunits?\b|\beinheit\b|\bunité\b|\bunidad(?:es)?\b"),
    (
        "mark",
        r"(?:结果|异常)?(?:提\s*示|标\s*[志识记](?!物)|状态|判断|判定|评价|报警|警示|高低|异常)(?:标[志识])?|↑↓|\bflags?\b"
        r"|\bh/l\b|\babn(?:ormal)?\b|\bstatus\b",
    ),
    (
        "code",
        r"(?:项目|英文|检验)?(?:代号|代码|缩写|简称|编码)|缩略语|英\s*缩|英文(?:名称?|缩写|简称|代号)?|\bcode\b|\babbr(?:eviation)?\b\.?",
    ),
    ("serial", r"序\s*号|编号|行号|\bno\b\.?|^#$|№|^[序行]$"),
    (
        "result",
        r"(?:本次|检测|检验|测定|测量|化验|测试|实验|定量|定性|检查)?\s*结\s*果(?:值|数值)?|(?:测定|检测|测量|检验|实测|观测|测试)数?值"
        r"|数\s*值|本次|[更修]正后(?:结果)?|\b(?:corrected|amended|revised)\b|^\s*定[性量]\s*$|风险[值率]|(?:测定|检测)?浓度(?!范围)|含量|效价|\bmic\b|抑菌圈(?:直径)?|(?:(?:current|observed|your|test)\s*)?(?:results?|values?)(?:\s*(?:[&＆/]|and)\s*flags?)?|\bergebnis(?:se)?\b|\bwert\b"
        r"|\brésultats?\b|\bresultados?\b",
    ),
    (
        "name",
        r"\btest\s+report\s+status\b|(?:检验|检测|检查|化验|测试|分析|中文|收费|试验)?\s*项\s*目\s*(?:名称?|内容)?|(?:检验|检测|检查|中文|指标|分析物)\s*(?:名称|内容|指标|参数)"
        r"|名\s*称|指标|参\s*数|基因型|型别|亚型|标[志记]物|过敏原|变应原|\b(?:tests?|investigations?|analytes?|components?|parameters?|items?|examinations?|assay)\b"
        r"\s*(?:\bnames?|description)?|\bname\b|\banalysen?\b|\buntersuchung\b",
    ),
)
_SIMPLIFIED = str.maketrans(
    "檢結單參項數異標範圍測驗編號稱儀備註歷區間級實", "检结单参项数异标范围测验编号称仪备注历区间级实"
)
"""繁体的表头词。"""
_HEADER = re.compile("|".join(f"({words})" for _, words in _WORDS), re.IGNORECASE)
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DATE = re.compile(
    r"(?:20)?\d{2}[-/.年]\d{1,2}[-/.月]\d{1,2}日?|\d{1,2}[-/.]\d{1,2}[-/.]20\d{2}|[01]\d[-/][0-3]\d|1[01]\d/[01]\d"
    rf"|\d{{1,2}}[-\s]?(?:{'|'.join(_MONTHS)})[a-z]*[-\s,]*(?:20)?\d{{2}}|(?:{'|'.join(_MONTHS)})[a-z]*\.?\s*\d{{1,2}},?\s*(?:20)?\d{{2}}",
    re.IGNORECASE,
)
"""日期；`113/10` 是民国年月。"""
_CLOCK = re.compile(r"(?<=\d)\s+\d\d:\d\d(:\d\d)?$")
_YEARS_BACK = 8
"""两位的年份至多是多少年前的；`14/01/25` 因此不是 2014 年。"""
_WHOSE = re.compile(r"男|女|\b(?:fe)?male\b", re.IGNORECASE)
"""`参考值(男)`：这一列是谁的范围。"""
_STARTS_PANEL = ("serial", "code", "name")
_LEGEND = re.compile(r"(级别|等级|分级|class)\W*([0-6]级?\s+){3}", re.IGNORECASE)
"""分级说明的头一行：`级别 0 1 2 3 …`。"""
_STAGE = re.compile(r"(CKD\s*)?G[1-5][ab]?期?", re.IGNORECASE)
"""肾功能分期说明的一行打头的词；细胞周期的 `G1期` 后面有结果。"""
_MIN_CODES = 3
_MAX_WIDTH = 12
"""表头一格里认不得的字至多占多少；“检验结果仅对本次标本负责”这样的句子不是表头。"""


def join_stacked_heads(boxes: list[TextBox]) -> list[TextBox]:
    """窄栏的表头一行一个字：上下相接、合起来是表头词的两个字（结、果）接成一段，高低在两个字的中间。"""
    lone = [box for box in boxes if re.fullmatch(r"[一-鿿]", box.text)]
    for top in lone:
        under = [
            box
            for box in lone
            if 0 < box.line - top.line < 1.3 * top.height and abs(box.middle - top.middle) < 0.4 * top.height
        ]
        if len(under) != 1 or not _HEADER.fullmatch(top.text + under[0].text):
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

    列的名字是 `_WORDS` 里的；不必看的列（ignored：上次结果、危急值、日期）
    与认不得的词（unknown）可以有几个，后面加上位置。
    名称、代号、序号一类又出现时是下一栏的开始。以日期为列名的：最近的是这次的结果，其余是从前的；
    看不出哪个最近的（`12-28` 与 `01-05`）都当作结果，使这一行起疑。
    """
    words: list[tuple[str, TextBox, str]] = []
    for box in line:
        if re.fullmatch(r"final|interim|preliminary", box.text.strip(), re.IGNORECASE):
            continue  # `Test Report Status  Final`
        if re.search(r"^dr\b|\bhospital\b", box.text.strip(), re.IGNORECASE):
            return []  # `Ref. | Dr. Rao | Reporting Date | 22/04/2025`
        found = list(_words(box))
        if _DATE.fullmatch(_CLOCK.sub("", box.text.strip())):
            found = [("date", box)]
        elif re.search(r"\d", box.text) and (not found or _is_labelled_range(box)):
            return []  # 表头里没有数
        words += [(role, word, box.text) for role, word in found or [("unknown", box)]]
    again = _repeated([role for role, *_ in words])
    is_of_multiples = any(role == "range" and "MoM" in whole for role, _, whole in words)
    panels: list[dict[str, TextBox]] = [{}]
    dates: list[list[TextBox]] = [[]]
    for at, (role, word, whole) in enumerate(words):
        if role == "date":
            dates[-1].append(word)
            continue
        is_first = word.text == next((one.text for one in panels[-1].values()), None)
        is_again = role in _STARTS_PANEL and role in panels[-1] or is_first  # 又印了这一栏的第一个词
        if again and at % again == 0 and at or is_again and len(panels[-1]) >= 2:
            panels.append({})
            dates.append([])
        if role == "serial" and "serial" in panels[-1]:
            role = "code"  # 序号之外又有编号
        # 两列结果、两列范围都要看：不知道哪一列是这个人这一次的，就要起疑
        is_second = role in ("result", "range") and role in panels[-1]
        key = f"{role} {word.start:.0f}" if role in ("ignored", "unknown") or is_second else role
        if role == "range" and (whose := _WHOSE.search(whole)):
            key = f"range {whose[0]}"  # 男女的范围各印一列
        panels[-1].setdefault(key, word)
    for panel, printed in zip(panels, dates, strict=True):
        if len(panel) >= 2:
            _seat_dates(panel, printed)
        multiples = [key for key in panel if key.startswith("unknown") and "MoM" in panel[key].text]
        for key in multiples if is_of_multiples else ():
            for role in {"result", "unit"} & panel.keys():  # 范围说的是中位数的倍数，不是浓度
                box = panel.pop(role)
                panel[f"ignored {box.start:.0f}"] = box
            panel["result"] = panel.pop(key)
        merged = [role for role in ("mark", "unit") if role in panel and panel[role].text.startswith("结果")]
        if merged and "result" not in panel:
            panel["result"] = panel.pop(merged[0])  # `结果提示`、`结果单位`：除非另有结果一列
    return [panel for panel in panels if _is_header(panel)]


def head_role(box: TextBox) -> str:
    """整段就是一个表头词（后面也许有冒号）时，它说的是哪一列；不是的为空串。"""
    words = list(_words(box))
    return words[0][0] if len(words) == 1 and words[0][1].text == box.text.strip(" :") else ""


def _is_labelled_range(box: TextBox) -> bool:
    """`参考范围:0.05-3.30`：里面像日期的是范围。"""
    return any(cell.labelled and cell.kind in ("range", "bound") for cell in split_cells(box))


def _repeated(roles: list[str]) -> int:
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
            header.pop("range", None)
            header[role] = box


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


def fit_header(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """照下面各行补上没有印表头的列，挪正与内容不对齐的结果一列；改 header。"""
    if {"name", "result"} <= header.keys():
        _add_code_column(header, lines)
        _add_group_column(header, lines)
        _move_result(header, lines)


def _add_code_column(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """代号一列没有印表头的，补上这一列：一半以上的行里，中文名称后面紧跟着认得的代号，还没有到结果。"""
    if "code" in header:
        return
    named = [line for line in lines if line[0].kind == "text" and has_chinese(line[0].text)]
    seconds = [line[1] for line in named if len(line) > 1 and line[1].box.middle < header["result"].middle]
    codes = [one.box for one in seconds if one.kind != "mark" and one.text.isascii() and is_known_code(one.text)]
    if len(codes) >= _MIN_CODES and 2 * len(codes) > len(named):
        header["code"] = codes[0]


def _add_group_column(header: dict[str, TextBox], lines: list[list[Cell]]) -> None:
    """名称左边另有一列组名（`抗体检测`，一组只印一遍），不看：有结果的行里，名称是左端都齐的末一段文字。

    每一行都有两段的，是名称与方法，或代号与名称。
    """
    word, edge = header["name"], header["result"].start
    valued = [line for line in lines if any(one.kind in ("number", "bound", "term") for one in line)]
    texts = [[one.box for one in line if one.kind == "text" and one.box.start < edge] for line in valued]
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
    values = [[one.box for one in line if one.kind in ("number", "bound", "term")] for line in lines]
    values = [[box for box in line if box.end > word.start] for line in values]
    firsts = [line[0] for line in values if len(line) > 1 and line[0].end < edge]
    is_empty = all(box.start > word.end for line in values for box in line)
    if len(firsts) >= _MIN_CODES and is_empty and not any(word.end < middle < edge for middle in others):
        header["result"] = sorted(firsts, key=lambda box: box.end)[len(firsts) // 2]


def _is_header(panel: dict[str, TextBox]) -> bool:
    known = [role for role in panel if not role.startswith("unknown")]
    return len(known) >= 2 and len(known) * 2 >= len(panel) and bool(panel.keys() & {"result", "range", "low"})


def _seat_dates(panel: dict[str, TextBox], dates: list[TextBox]) -> None:
    newest = newest_of([box.text.strip() for box in dates])
    last = [box for box in dates if newest in (None, box.text.strip()) and "result" not in panel]
    for box in dates:
        role = "result" if box in last else "ignored"
        panel["result" if last == [box] else f"{role} {box.start:.0f}"] = box


def newest_of(dates: list[str]) -> str | None:
    """最近的日期；日月的先后各国写法不同，几种读法不一致时为 None。"""
    if len(dates) < 2:
        return dates[0] if dates else None
    this_year = date.today().year
    newest: set[str] = set()
    for order in ("ymd", "dmy", "mdy", "md", "ym"):
        days = [_day(_CLOCK.sub("", one), order, this_year) for one in dates]
        if all(days):
            newest.add(dates[days.index(max(days))])
            is_close = order != "md" or max(days) - min(days) < timedelta(183)
            is_told = is_close and days.count(max(days)) == 1
            newest |= set() if is_told else set(dates)  # 没有印年份：可能跨了年；同一天的几次，早的一次也许要命
    return newest.pop() if len(newest) == 1 else None


def _day(text: str, order: str, this_year: int) -> date | None:
    """text 按 order（年月日的次序）读出的日期；不成日期、年份不近的为 None。"""
    parts = re.findall(r"\d+|[a-z]+", text.lower())
    if len(parts) != len(order):
        return None
    months = [part[:3] in _MONTHS for part in parts]
    if any(months):
        order = "mdy" if months[0] else "dmy"
    numbers = [_MONTHS.index(part[:3]) + 1 if part[:3] in _MONTHS else int(part) for part in parts]
    values = dict(zip(order, numbers, strict=True))
    year = values.get("y", this_year)
    if year < 100 and not this_year - _YEARS_BACK <= year + 2000 <= this_year + 1:
        return None
    year += 2000 if year < 100 else 1911 if year < 200 else 0
    with suppress(ValueError):
        return date(year, values["m"], values.get("d", 1))
    return None


def _words(box: TextBox) -> Iterator[tuple[str, TextBox]]:
    """一段文字里的各个表头词（`提示单位` 是两个）；不像表头的没有。"""
    text = box.text.translate(_SIMPLIFIED)
    found = [one for one in _HEADER.finditer(text) if one[0].strip()]
    rest = re.sub(r"[\s()（）:：*/&·.,，、|☑口]", "", _DATE.sub("", _WHOSE.sub("", _HEADER.sub("", text))))
    # `WHO第5版参考值` 末了才说是什么列，前面可以多几个字
    spare = 6 if found and found[-1].end() == len(text.strip()) else 3
    if not found or len(rest) > max(spare, sum(len(one[0]) for one in found) // 2) or len(rest) > _MAX_WIDTH:
        return
    if len(found) > 1:  # `浓度(分级)` 是浓度一列
        found = [one for one in found if text[: one.start()][-1:] not in ("(", "（")] or found
    roles = [_WORDS[one.lastindex - 1][0] for one in found]
    for role, one in zip(roles, found, strict=True):
        if role not in ("low", "high") or "range" not in roles:  # `检测下限/参考值` 是一列
            yield role, part_of(box, *one.span())
