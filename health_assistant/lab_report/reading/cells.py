"""单元格：一段文字是什么（数、范围、单位、标记、名称），只看它自己的写法，不看它在哪一列。"""

import re
from dataclasses import dataclass
from typing import Literal

from health_assistant.lab_report.interval import Interval, ReferenceRange
from health_assistant.lab_report.printed_text import MAX_LENGTH, normalize
from health_assistant.lab_report.qualitative import GRADED, QualitativeResult
from health_assistant.lab_report.reading.misreadings import end_of_value
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.text import TextBox, part_of
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.units import kind_of_unit, split_flag
from health_assistant.lab_report.word_lists import any_of

Kind = Literal["number", "range", "bound", "term", "unit", "mark", "text"]
"""number 是数；range 是两边的或分组的范围；bound 是 `<0.01` 这样的单边界；term 是阴性、+ 这样的分级；
bound 与 term 可能是结果也可能是范围，由列去定。text 是其余：名称、方法、文字结果。"""


@dataclass(frozen=True)
class Cell:
    """一个单元格。labelled 表示它前面印着“参考范围：”这样的话，不必看列就知道是范围。"""

    kind: Kind
    box: TextBox
    labelled: bool = False

    @property
    def text(self) -> str:
        """照着印的字。"""
        return self.box.text


ARROW_LIKE = set("↑↓→←⬆⬇14tTfiIl|!丨个一+-")
"""文字识别对一个箭头可能给出的读法。"""

_WORD_MARKS = "偏高|偏低|过高|过低|异常|高|低|危急值|危急|危"
_ARROWS = "↑↓⬆⬇▲▼"
_MARK = re.compile(
    rf"[(\[]?([{_ARROWS}]+[HLIl|]{{0,2}}|[Il|]{{1,2}}[{_ARROWS}]+|[HL]?[{_ARROWS}]+|\*?(?:HH?|LL?)!{{0,2}}|HIGH|LOW|BORDERLINE|[*※◆!]+|★+|(?:{_WORD_MARKS})[{_ARROWS}]?)[)\]]?",
    re.IGNORECASE,
)
_VALUE = r"[<>≤≥]?=?\d[\d.,]*|\d?[+]+\d?|±|(?:弱?阳性|阴性)(?:[(].{1,3}[)])?"
_GLUED_MARKS = (
    re.compile(rf"(?P<mark>[{_ARROWS}※]+)\s*(?P<bare>[<>≤≥]?\d.*)"),
    re.compile(rf"(?P<bare>{_VALUE})\s*(?P<mark>\((?:normal|正常|n)\)|(?<=\s)(?:normal|正常|n))", re.IGNORECASE),
    re.compile(rf"(?P<bare>.*?(?:[\d)）阴阳性+±]|性[。.]))\s*\(?(?P<mark>[{_ARROWS}→←★◆]+|[*!]+)\)?"),
    re.compile(rf"(?P<bare>{_VALUE})\s*[(\[]?(?P<mark>HH?|LL?|C?[HL]\*|#|(?<=阳性)A|(?<=阳性 )A|{_WORD_MARKS})[)\]]?"),
    re.compile(rf"\(?(?P<mark>[{_ARROWS}]+|\*+|HH?|LL?|{_WORD_MARKS})\)?\s*(?P<bare>{_VALUE})"),
    re.compile(r"(?P<bare>.*[一-鿿A-Za-z)）%‰#])\s*(?P<mark>[↑↓]+)"),
)
_VALUE_AND_CLASS = re.compile(r"[<>≤≥]?\d[\d.,]*\s*[(]\s*\d级\s*[)]")
"""过敏原的浓度后面印着分级：`68.40 (5级)`。"""
_SIGN_AND_UNIT = re.compile(r"(?P<value>[<>≤≥]?\d[\d.,]*)\s+[-+]\s*(?P<unit>\[[^\[\]]+\])")
"""血球仪这样印：`2.41 - [10^9/L]`，- 是偏低，+ 是偏高。判断看范围，符号不要。"""
_VALUE_MARK_UNIT = re.compile(rf"[<>≤≥]?\d[\d.,]*\s*(?:[{_ARROWS}]+|{_WORD_MARKS}|[HL](?=\s))\s*(?P<unit>\D.*)")
"""`14.00↓%`、`20.1高mmol/L`。"""
_NUMBER_AND_ARROW = re.compile(
    r"(?P<before>[个|!→←丨]?)\s*(?P<number>[<>]?\d+\.?\d*)\s*(?P<after>[个tTfiIl|!→←丨、'’]?)"
)
_GARBLED_UNIT = re.compile(r"(?P<value>[<>≤≥]?\d[\d.]*)\s*(?P<unit>[A-Za-zμ]{2,6}/[A-Za-z]{1,3})")
"""单位认错了一个字的也分开：`128 mmo/L`；连着就成了文字，没有表头的单子上这一行会不见。"""
_VALUE_AND_RANGE = re.compile(
    rf"(?P<value>[<>≤≥]?\d[\d.,]*\s*(?:[{_ARROWS}]+|(?=[(\[])))\s*[(\[]?(?P<limits>[^()]*\d[^()]*)[)\]]?"
)
"""数后面的括号里、箭头后面是参考范围：`120.5(57-104)`、`5.10↑(1.1~3.2)`、`11.2↓20-50`。"""
_TWO_TERMS = re.compile(rf"(?P<mark>[个{_ARROWS}]?)(?P<value>弱?阳性|阴性|±|\+{{2,4}}|\d\+)(?P<limits>阴性|未检出)")
"""结果与范围两列挨得太近，连成了一段：`阴性阴性`、`↑±阴性`；`+阴性` 的一个 + 会当成标记，不分。"""
# 10^9/L 丢了 ^ 就像一个数，丢了指数就像 10/L；10^12/L 的 /L 也许没有印全
_COUNT_UNIT = re.compile(r"[×xX*]?10(?:[^\d/.Uu]?(3|6|9|12)?个?/[Ll1|升]|\^(9|12)/?)")
_UNIT = any_of("unit_cell")
_LABEL = any_of("range_label")
_WRAPPED_LABEL = re.compile(r"[(（【\[]\s*(?P<inside>(?:参考|正常|ref).*?)[)）】\]]?", re.IGNORECASE)
"""整个在括号里的：`(参考值: <0.1 ng/mL)`。"""
_NAMED = re.compile(r"(?P<name>[^:：=]{1,20}?)\s*[:：=]\s*(?=[<>≤≥+\d±阴阳-])")
"""名称、冒号、数连着印：`CK-MB: 38.6 ng/mL`、`钾:6.9`、`K=6.9`。"""
_LABEL_INSIDE = any_of("inner_label", 0)
_BRACKETED_RANGE = re.compile(r"(?:(?<=[/A-Za-z][A-Za-z])|(?<=%))\s*(?=[\[(（][-\d<>])")
"""单位后面紧连着括号里的范围：`131 mmol/L[136 - 146]`。"""
_GROUP_BEHIND = re.compile(
    r"(?:.*?[一-鿿A-Za-z]\s+)?(?P<value>[<>≤≥]?\d[\d.]*\s*[A-Za-zμ/%]*)(?=[一-鿿]{2,8}:\s*[<>≤≥]?\d)"
)
"""结果后面紧挨着分组的范围：`1.260健康人:0.27-4.2`。"""
_BEHIND_BRACKET = re.compile(rf"(?<=[)）\]])\s*(?P<mark>[{_ARROWS}]+|HH?|LL?|{_WORD_MARKS})$")
"""括号里的范围后面的标记：`6.9 mmol/L（3.5-5.3）↑`、`(35-45)L`。"""
_OTHER_LABEL = re.compile(r"(检测|检验|测定)?(结果)?(结果|单位|数值|提示|状态)\s*[:：]\s*|(监测)?项目\s*[:：]\s*")
_PADDED = re.compile(r"0\d|(?:0\d|\d\d?)[-~]0\d|0\d[-~]\d{1,2}")
"""分类计数常补成两位：`07`、`01-06`。也可能是丢了小数点的 0.7，所以百分数才当作这个数（`row.without_padding`）。"""
_MANY_VALUES = re.compile(r"(?:(?:[+*×/]\s+)?[<>≤≥]?\d[\d.,^~-]*(?:\s+|$)){4}")
"""隔着空白（或 + 一类的符号）的四个数、范围不是一格：不用再试着解析。一段里有一百个数时，每处都试要几分钟。"""
Span = tuple[Kind, int, int, bool]
"""一格的种类、在整段文字里的起止、前面有没有“参考范围：”。"""


def classify(text: str) -> Kind:
    """一段文字的种类；整个文字框的用 `TextBox.kind`。"""
    return kind_of(text, parse_range(text))


def kind_of(text: str, limits: ReferenceRange | None) -> Kind:
    """一段文字的种类；limits 是它当作参考范围的意思。"""
    plain = normalize(text)
    if _MARK.fullmatch(plain):
        return "mark"
    if _COUNT_UNIT.fullmatch(plain) and not re.match(r"\s*10\s+g/", text):
        return "unit"  # `10g/L` 是 10⁹/L 认错的，`10 g/L` 是数与单位
    if re.fullmatch(r"1000/cu\.?mm", text.strip(), re.IGNORECASE):
        return "unit"  # 千个每立方毫米；数与单位的是 `1000 /cumm`
    if _PADDED.fullmatch(plain):
        return "range" if re.search("[-~]", plain) else "number"
    if _UNIT.fullmatch(plain) and "/" in plain and not re.search(r"\d", plain):
        return "unit"  # `个/微升` 也像两个定性词
    result = parse_result(text)
    if isinstance(result, Interval) and not (result.is_bounded and not result.is_point):
        return "number" if result.is_point else "bound"
    if limits is not None and not isinstance(limits, QualitativeResult):
        return "bound" if isinstance(limits, Interval) and (limits.low is None or limits.high is None) else "range"
    if re.fullmatch(r"[-—–*/]{2,}", plain):
        return "range"
    if isinstance(result, QualitativeResult) and result.words[0] in GRADED or re.fullmatch(r"[+十]+", plain):
        return "term"
    if isinstance(limits, QualitativeResult) and (
        set(limits.words) <= set(GRADED) or "/" in plain and limits.allows_few
    ):
        return "term"  # `少见/HPF` 也是
    return "unit" if _UNIT.fullmatch(plain) or kind_of_unit(plain) else "text"


def split_cells(box: TextBox) -> list[Cell]:
    """一段文字里的单元格，从左到右；文字识别常把靠得近的几格连成一段。横坐标按字的宽度估计。

    长过 `MAX_LENGTH` 的先在空白处切短：每个空白处都要试着分，整段一起试会试很久。
    """
    if len(box.text) > MAX_LENGTH:
        at = max(box.text.rfind(" ", 0, MAX_LENGTH), 0) or MAX_LENGTH
        return [*split_cells(part_of(box, 0, at)), *split_cells(part_of(box, at, len(box.text)))]
    spans = _split(box.text, 0, box)
    if [span[1:3] for span in spans] == [(0, len(box.text))]:
        return [Cell(spans[0][0], box, spans[0][3])]
    return [Cell(kind, part_of(box, start, end), labelled) for kind, start, end, labelled in spans]


def split_named(box: TextBox) -> list[Cell]:
    """没有表头时的 `split_cells`：名称后面是冒号与数的也分开；不认得的名称，还要有范围，才不是编号、日期。"""
    named = _NAMED.match(box.text)
    if not named:
        return split_cells(box)
    name, rest = part_of(box, 0, named.end("name")), part_of(box, named.end(), len(box.text))
    values = split_cells(rest)
    kinds = [cell.kind for cell in values]
    is_row = kinds[0] == "number" and bool({"range", "bound"} & {*kinds[1:]})
    return [Cell("text", name), *values] if is_row or is_known(named["name"]) else split_cells(box)


def _split(text: str, offset: int, whole: TextBox | None = None) -> list[Span]:
    """text 里的各格；offset 是 text 在整段里的起点，整段就是 text 的给出 whole。"""
    bare = re.sub(r"^[\s,，;；]*(?:[:：]\s*(?=[<>≤≥+±-]?\d))?", "", text)  # 名称后面的冒号认在了数的前面
    offset += len(text) - len(bare)
    text = bare.rstrip(" ,，;；")
    if not text:
        return []
    labelled = _split_at_label(text, offset)
    if labelled is not None:
        return labelled
    if (group := _GROUP_BEHIND.match(text)) and classify(group["value"].rstrip()) != "text":
        return _split(group[0], offset) + _split(text[group.end() :], offset + group.end())
    if (bracket := _BRACKETED_RANGE.search(text)) and classify(text[bracket.end() :]) in ("range", "bound"):
        return _split(text[: bracket.start()], offset) + _split(text[bracket.end() :], offset + bracket.end())
    behind = _BEHIND_BRACKET.search(text)
    inside = _split(text[: behind.start()], offset) if behind else []
    if inside and inside[-1][0] in ("range", "bound"):
        return [*inside, ("mark", offset + behind.start("mark"), offset + len(text), False)]
    if typed := _typed(text, offset, whole.kind if whole and whole.text == text else None):
        return typed
    if at := end_of_value(text):
        return _typed(text[:at], offset) + _typed(text[at:], offset + at)
    if at := _leading_unit(text):
        return [("unit", offset, offset + at, False), *_split(text[at:], offset + at)]
    between = re.search(rf"(?<=[A-Za-z%])\s*(?P<mark>[{_ARROWS}]+)\s*(?=[(（\[<>≤≥\d])", text)
    if between and classify(text[between.end() :]) in ("range", "bound"):
        mark: Span = ("mark", offset + between.start("mark"), offset + between.end("mark"), False)
        rest = _split(text[between.end() :], offset + between.end())
        return [*_split(text[: between.start()], offset), mark, *rest]  # `8×10^9/L↓(125-350)`
    if (arrow := re.match(rf"[{_ARROWS}]+\s*", text)) and arrow.end() < len(text):
        return [("mark", offset, offset + arrow.end(), False), *_split(text[arrow.end() :], offset + arrow.end())]
    if (garbled := _GARBLED_UNIT.fullmatch(text)) and classify(garbled["value"]) in ("number", "bound"):
        unit: Span = ("unit", offset + garbled.start("unit"), offset + len(text), False)
        return [*_split(garbled["value"], offset), unit]
    # 公式的年份、伤寒的鞭毛抗原 H 是名称里的
    is_name = is_known(text) or bool(re.search(r"EPI\)? 20\d\d$|(?i:typhi) [A-C]?H$", text))
    first = text.split()[0]  # `U/L 钾` 的 U/L 是左栏的单位
    is_name = is_name and not ("/" in first and first != text and _spells_unit(normalize(first)))
    parts = [] if is_name else _split_at_space(text, offset) or _split_glued_number(text, offset)
    return parts or [("text", offset, offset + len(text), False)]


def _split_at_label(text: str, offset: int) -> list[Span] | None:
    """前面、中间印着“参考范围：”“单位：”这样的话的，在那里分开；没有这样的话为 None。"""
    if wrapped := _WRAPPED_LABEL.fullmatch(text):
        return _split(wrapped["inside"], offset + wrapped.start("inside"))
    if label := _LABEL.match(text):
        return [(*span[:3], True) for span in _split(text[label.end() :], offset + label.end())]
    if label := _OTHER_LABEL.match(text):
        return _split(text[label.end() :], offset + label.end())
    if label := _LABEL_INSIDE.search(text):
        return _split(text[: label.start()], offset) + _split(text[label.start() :], offset + label.start())
    return None


def _split_at_space(text: str, offset: int) -> list[Span]:
    """一边分得出数、单位、标记的空白处分开；没有这样的空白为空。"""
    spaces = [gap.start() for gap in re.finditer(r"\s+", text)]
    for space in spaces:
        value = text[space:].lstrip()
        if is_known(text[:space]) and re.match(r"[<>≤≥]?\d[\d.]*\s*[×xX*↑↓]", value):
            name: Span = ("text", offset, offset + space, False)  # `血小板 8×10^9/L ↓(125-350)`
            return [name, *_split(value, offset + len(text) - len(value))]
        if right := _typed(value, offset + len(text) - len(value)):
            return _split(text[:space], offset) + right
    for space in reversed(spaces):
        # 开头的数、字母后面是文字时是名称的一部分（25 羟维生素D、T 细胞），除非那文字自己就是名称
        left = _typed(text[:space], offset)
        is_mark = left and left[0][0] == "mark" and space > 1 and not re.fullmatch("[A-Za-z]+", text[:space])
        is_own = is_mark or left and left[0][0] in ("range", "bound", "term")  # HIGH SENSITIVITY 是名称
        if left and (len(left) > 1 or is_own or is_known(text[space:])):
            return left + _split(text[space:], offset + space)
    return []


def _split_glued_number(text: str, offset: int) -> list[Span]:
    """名称与数连着印的（`血红蛋白132g/L`）分开，数后面要是标记、单位（不是 `钾3.5-5.3`、日期）；分不清的为空。

    载脂蛋白A10.85 是 A1 与 0.85：名称取认得的最长的；CA12535、CD4523 在哪里断开说不准。
    """
    before = re.sub(r"[(（\[][^()（）\[\]]*\d[^()（）\[\]]*[)）\]]?$", "", text)  # 末尾括号里的是范围
    for digits in (3, 2, 1, 0):
        glued = re.fullmatch(
            rf"(?P<name>.*[一-鿿)）A-Za-z%#+-]\d{{{digits}}})[:：]?\s*(?P<value>[<>]?\d+(?:\.\d+)?)(?![-~—.,/\d]).*",
            before,
        )
        if glued and is_known(glued["name"]) and not re.fullmatch(r"[A-Z]\d", text):  # P2 不是磷 2
            if digits and "." not in glued["value"]:
                break
            at = offset + glued.start("value")
            values = _typed(text[at - offset :], at) or _split(text[at - offset :], at)
            if values[0][0] in ("number", "bound") and "text" not in [value[0] for value in values]:
                return [("text", offset, offset + glued.end("name"), False), *values]
    return []


def _typed(text: str, offset: int, kind: Kind | None = None) -> list[Span]:
    """一格，或紧连着的“数与单位”“数与标记”；是文字时为空。kind 是已经知道的整段的种类。"""
    if _MANY_VALUES.match(text):
        return []
    end = offset + len(text)
    unit = _unit_spans(text, offset)
    if len(unit) == 2:
        return unit
    if _VALUE_AND_CLASS.fullmatch(text):
        return [("number", offset, end, False)]
    if match := _TWO_TERMS.fullmatch(text):
        parts: list[tuple[str, Kind]] = [("mark", "mark"), ("value", "term"), ("limits", "term")]
        return [
            (kind, offset + match.start(part), offset + match.end(part), False) for part, kind in parts if match[part]
        ]
    if match := _SIGN_AND_UNIT.fullmatch(text):
        return [*_typed(match["value"], offset), ("unit", offset + match.start("unit"), end, False)]
    if (match := _VALUE_MARK_UNIT.fullmatch(text)) and classify(match["unit"]) == "unit":
        at = match.start("unit")
        return [*_typed(text[:at].rstrip(), offset), ("unit", offset + at, end, False)]
    match = _VALUE_AND_RANGE.fullmatch(text)
    if match and classify(match["limits"]) in ("range", "bound"):
        limits: Span = ("range", offset + match.start("limits"), offset + match.end("limits"), False)
        return [*_typed(match["value"].rstrip(), offset), limits]
    # `1.00×10^2` 是一个数，不是 1.00 与单位 ×10^2
    kind = kind or classify(text)
    is_power = re.search(r"10\^\d+$", normalize(text)) and kind in ("number", "bound", "range")
    if kind != "unit" and not is_power and (at := _unit_start(text)):
        return [*_typed(text[:at].rstrip(), offset), *_unit_spans(text[at:], offset + at)]
    if kind != "text":
        return [(kind, offset, end, False)]
    bare, mark = split_mark(text)
    if mark and (_is_value(bare) or _unit_start(bare) or "/" in bare and classify(bare) == "unit"):
        start = offset + text.index(bare)
        if start > offset:
            return [("mark", offset, start, False), *_typed(bare, start)]
        return [*_typed(bare, start), ("mark", start + len(bare), end, False)]
    return []


def _unit_spans(text: str, offset: int) -> list[Span]:
    """一个单位；前面粘着 `*`、隔着空白跟着 H、L 的，单位与标记。没有空白的 H、L 要看数（见 observation）。"""
    unit, mark = split_flag(text) if " " in text or text[0] == "*" else (text, "")
    start = offset + text.index(unit)
    at = offset if start > offset else offset + len(text.rstrip(")] ")) - len(mark)
    spans: list[Span] = [("unit", start, start + len(unit), False), ("mark", at, at + len(mark), False)]
    return sorted(spans, key=lambda span: span[1]) if mark else spans[:1]


def _leading_unit(text: str) -> int:
    """开头是单位、后面连着范围（`mg/dLMale:3.5-7.2`、`g/L阴性`）时，单位有几个字符；不是时为 0。"""
    places = range(2, min(10, len(text) - 3))
    units = (at for at in places if _spells_unit(normalize(text[:at])) and classify(text[:at]) == "unit")
    return next((at for at in units if classify(text[at:]) in ("range", "term")), 0)


def _spells_unit(plain: str) -> bool:
    return bool(_UNIT.fullmatch(plain) or _COUNT_UNIT.fullmatch(plain) or kind_of_unit(plain))


def _is_value(text: str) -> bool:
    return classify(text) in ("number", "bound", "term", "range")


def _unit_start(text: str) -> int | None:
    """数或范围后面连着的单位从第几个字符起；没有连着单位时为 None。"""
    for gap in re.finditer(r"(?<=[\d)\]+性])(?:\s+(?=[1l]U/)|\s*(?=\D|10))", text):
        before, after = text[: gap.start()], normalize(text[gap.end() :])
        if not gap[0] and re.match(r"10(?![\d^*~/-])", after):
            continue  # `110 U/L` 是 110；`10g/L` 是 10⁹/L 认错的，隔开了才是
        is_halved = re.fullmatch(r"\W*10\^\d+", normalize(before))  # `↑ 10^9/L` 是标记与单位
        is_unit = _spells_unit(after) and not (_MARK.fullmatch(after) or is_halved)
        if is_unit and (_is_value(before) or split_mark(before)[1]):
            return gap.end()
    return None


def split_mark(text: str) -> tuple[str, str | None]:
    """把粘在数或名称上的标记分开：`5.66↑` -> (`5.66`, `↑`)，`6.8 H` -> (`6.8`, `H`)。"""
    for pattern in _GLUED_MARKS:
        glued = pattern.fullmatch(text.strip())
        if glued:
            return glued["bare"].rstrip(" (（["), glued["mark"]
    return text, None


def says_normal(text: str) -> bool:
    """印在标记一栏、说这一项正常的：`正常`、`未见异常`、`N`、`Normal`、一横；小写的 n 多半是认错的 fl。"""
    return bool(re.fullmatch(r"\(?(?:正常|[未无]见?异常|(?i:normal)|N|-)\)?", normalize(text)))


def split_maybe_arrow(text: str) -> str | None:
    """数上粘着一个像箭头的字时（`4.84个`），那个数；否则为 None。"""
    match = _NUMBER_AND_ARROW.fullmatch(text.strip())
    return match["number"] if match and (match["before"] or match["after"]) else None
