"""一行检验项目的各个格子，和它印着的文字。"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from health_assistant.lab_report.catalogue import Analyte
from health_assistant.lab_report.interval import Interval, PartitionedInterval
from health_assistant.lab_report.matching import find_analyte, is_known_code
from health_assistant.lab_report.qualitative import QualitativeResult
from health_assistant.lab_report.range_likeness import UNLIKE, range_distance
from health_assistant.lab_report.reading.cells import ARROW_LIKE, Cell, says_normal, split_mark
from health_assistant.lab_report.reading.header_dates import DATE
from health_assistant.lab_report.reading.misreadings import repair_greek, repair_letters, repair_unit
from health_assistant.lab_report.reading.names import code_behind, split_name, strip_serial
from health_assistant.lab_report.reading.text import TextBox, has_chinese, join_boxes
from health_assistant.lab_report.reference_range import is_tier_run, is_tiered, parse_range, parse_result
from health_assistant.lab_report.report import MIN_CONFIDENCE, NAMELESS, UNREAD_MARK

_TWO_RESULTS = "这一行有两个数，不能确定哪个是这次的结果"
WORD_MARK = re.compile(
    r"\W{0,2}[ACP]?(HH?|LL?)[AC]?(\W{0,2}[AC])?\W{0,2}"
    r"|(?i:.*(high|low|panic|crit|abn|alert|elevated|raised|increased|decreased|reduced).*)"
)
"""标记一栏里的词：`CH`、`PL`（危急地低）、`Panic`、`HH *C*`；别的话（`Final`）不是。"""
_POSITIVE = ("阳性", "弱阳性", "可疑")
_ILLEGIBLE, _APART = 0.6, 3.0
"""范围的右边、离这一行这么远（字高的倍数），把握又不到它的，是旁边的图上认出来的。"""
_STAMPED = re.compile(r"[<>]?(?:\d+\.\d+|\d{3,})(?=[一-鿿]{0,4}专用章)")
"""压着印章的结果：后面也许还盖着几位，有小数、有三位的少了一位也看得出危不危急；`6检验专用章` 可能是 6.9，照旧。"""
_IN_BRACKETS = re.compile(r"[(（]\s*[\d.]+\s*[-~—–]\s*[\d.]+\s*[)）]")
TWO_RANGES = "这一行有两个参考范围，可能是相邻两行或并排两栏混在一起"
_CLOCK = r"[012]?\d(?::\d\d){1,2}"
_WHEN = re.compile(rf"(?:{DATE.pattern})(?:\s*{_CLOCK})?|{_CLOCK}|[-–—]+", re.IGNORECASE)
"""日期、钟点，或两样都有；一横是同上。"""
_MIN_DAYS = 3


@dataclass
class Row:
    """一行检验项目的各个格子；没有的是 None。"""

    name: TextBox | None
    anchor: TextBox
    """定这一行高低的格子，通常就是名称。"""
    code: TextBox | None = None
    result: TextBox | None = None
    unit: TextBox | None = None
    limits: list[TextBox] = field(default_factory=list)
    low: TextBox | None = None
    high: TextBox | None = None
    """下限与上限各印一列时的两格。"""
    mark: TextBox | None = None
    word: TextBox | None = None
    """另一列里的阳性、阴性：判断看数，与它不符的起疑。"""
    maybe_arrows: list[TextBox] = field(default_factory=list)
    is_criterion: bool = False
    """名称后面紧跟着界限（`HbA1c 6.5以上`）：多半是说明。"""
    doubt: str | None = None
    """这一行读得没有把握的原因。"""

    def boxes(self) -> list[TextBox]:
        """这一行用到的各段文字；一段也没有的，是定下这一行的那一段。"""
        single = [self.name, self.code, self.result, self.unit, self.low, self.high, self.mark]
        return [box for box in [*single, *self.limits, *self.maybe_arrows] if box] or [self.anchor]

    def set_name(self, box: TextBox) -> None:
        """放入名称；紧挨着的两段是同一个名称被识别成了两段。"""
        if self.name is None:
            self.name = box
        elif box.start - self.name.end < 1.2 * box.height:
            is_latin = self.name.text[-1:].isascii() and box.text[:1].isascii()
            self.name = join_boxes(self.name, box, " " if is_latin and box.text[:1].isalpha() else "")
        elif self.code is None and box.text.isascii():
            self.code = box

    def is_graph(self, box: TextBox) -> bool:
        """这个数是旁边的直方图、曲线上的，不是这一行的。"""
        end = max(box.end for box in self.boxes())
        return bool(self.limits) and box.score < _ILLEGIBLE and box.start - end > _APART * box.height

    def has_value(self) -> bool:
        """有结果或范围；只有文字的结果也可能是盖在上面的印章。"""
        is_typed = self.result is not None and self.result.kind != "text"
        return is_typed or bool(self.limits or self.low or self.high)

    def set_result(self, box: TextBox) -> None:
        """放入结果。箭头常被识别成数字 1：已有一个“结果”时，后来的才是真结果，先前的是箭头的候选。"""
        if box.kind == "number" and [limit.text for limit in self.limits] in (["+"], ["十"]):
            # 血球仪印在数前面的加号说偏高；认得没有把握的，只知道有个标记
            sign = self.limits.pop()
            self.mark = replace(sign, text="+" if sign.score >= MIN_CONFIDENCE else UNREAD_MARK)
        if stamped := _STAMPED.match(box.text):
            box = replace(box, text=stamped[0])
            self.doubt = "结果旁边压着印章，可能没有读全"
        if re.fullmatch("1{2,3}", box.text) and self._goes_on_from_arrow(box):
            return
        if self.result and self.result.text in ARROW_LIKE:
            self.maybe_arrows.append(self.result)
            self.result = box
        elif box.kind == "text" and self.result and re.fullmatch(r"已?复[核查检]|已审核?", box.text):
            return  # 盖在旁边的话
        elif self.result is None or self.result.kind == "text" != box.kind and self.doubt != _TWO_RESULTS:
            self.result = box
        elif self.result.kind == "number" and re.fullmatch(r"\+{2,4}|\+[1-4]|[1-4]\+", box.text):
            self.result = join_boxes(self.result, box, " ")  # `500 +++`
        elif box.text in ARROW_LIKE or box.text == "±" and self.result.kind == "number":
            self.maybe_arrows.append(box)
        elif box.kind != "text" or self.result.kind == "text" or _is_positive(box.text):
            # 数旁边的文字是备注或印章，不是另一个结果；说阳性的除外
            self.doubt = _TWO_RESULTS
            numbers = self.result.text.split()
            if box.kind == "number" and box.text not in numbers and all(map(re.compile(r"\d").match, numbers)):
                self.result = join_boxes(self.result, box, " ")  # 照印着的写出来，哪个危险都要说

    def _goes_on_from_arrow(self, box: TextBox) -> bool:
        """紧接在一个箭头的右边：`↓↓↓` 的后两个会认成 11。"""
        arrows = [arrow for arrow in self.maybe_arrows if set(arrow.text) & set("↑↓")]
        return any(abs(box.start - arrow.end) < 0.3 * box.height for arrow in arrows)

    def add_limits(self, box: TextBox) -> None:
        """放入参考范围；第二段只能是分组范围的另一半。数旁边的 `-`、`+` 说偏低、偏高（血球仪），不是范围。"""
        is_sign = box.text in ("-", "+") and self.result is not None and self.result.kind == "number"
        if is_sign and box.end < self.result.end + 6 * box.height:
            return
        if stamped := re.search(r"(?<=\d)[一-鿿]?专用章$", box.text):
            box = replace(box, text=box.text[: stamped.start()])
        if self.limits and box.text in _POSITIVE:
            self.word = box  # 窄列里的阳性说的是结果，范围另有
            return
        if len(self.limits) == 1 and self.limits[0].text in _POSITIVE:
            self.word = self.limits.pop()
        if self.limits and self.limits[-1].kind != "text" and re.fullmatch("[一-鿿]*[章院科]", box.text):
            return  # 印章上的字
        if self.limits and "%" in self.limits[0].text and _IN_BRACKETS.fullmatch(box.text):
            return  # `40%-80% (2.0-7.0)`：括号里是绝对值的
        if self.limits and not joins(self.limits, box):
            self.doubt = TWO_RANGES
        self.limits = _in_order([*self.limits, box])
        whole = join_limits(self.limits)
        if self.doubt == TWO_RANGES and (is_tiered(whole) or isinstance(parse_range(whole), PartitionedInterval)):
            self.doubt = None  # `适宜<4.10 增高` 的数、`<50岁 0.11-` 的另一头在下一行

    def set_unit(self, box: TextBox) -> None:
        """放入单位；先前的一个若是代号（镁的 Mg 也像单位），就归还给代号。"""
        if self.unit is None:
            self.unit = box
        elif self.code is None and is_known_code(self.unit.text):
            self.code, self.unit = self.unit, box

    def add_mark(self, box: TextBox) -> None:
        """放入标记；`正常`、`N` 这样的标记说这一项正常。"""
        if box.text == "工":
            box = replace(box, text="H")  # 粗体的 H 会读成“工”
        if box.text in ("l.", "I.", "1."):
            box = replace(box, text="L")  # 淡的 L 会读成 l 与一点
        if says_normal(box.text):
            self.mark = self.mark or box
            return
        if box.text == "十":
            box = replace(box, text="+")
        self.maybe_arrows.append(box)
        if box.kind == "mark" or box.text in ("+", "#") or WORD_MARK.fullmatch(box.text):
            is_phrase = (
                self.mark and re.match("(?i)crit|panic", self.mark.text) and box.start - self.mark.end < box.height
            )
            self.mark = join_boxes(self.mark, box, " ") if is_phrase else box


def without_stars(line: list[Cell]) -> list[Cell]:
    """去掉紧挨在名称左边、把名称往右推了一点的 ★：是自费、各院互认的项目，不是说它异常。

    英文名称左边的 `丰`、`米` 是认错的 `*`。
    """
    return [box for box, then in zip(line, [*line[1:], None], strict=True) if not _is_star_of(box, then)]


def without_days(lines: list[list[Cell]]) -> list[list[Cell]]:
    """没有表头的各行去掉最左一列采样的日期、钟点：它们不是名称。日期后面还有文字、这样的有几行，才是一列。"""
    leading = [line for line in lines if len(line) > 2 and _WHEN.fullmatch(line[0].text) and line[1].kind == "text"]
    dated = [line for line in leading if line[0].text[0].isdigit()]
    if len(dated) < _MIN_DAYS:
        return lines
    end = max(line[0].box.end for line in dated)
    rest = [[cell for cell in line if cell.box.middle > end or not _WHEN.fullmatch(cell.text)] for line in lines]
    return [line for line in rest if line]


def _is_star_of(star: Cell, name: Cell | None) -> bool:
    if name is None or name.kind != "text":
        return False
    gap = (name.box.start - star.box.end) / star.box.height
    if star.kind == "mark" and re.fullmatch("[★☆]+", star.text):
        return has_chinese(name.text) and -1 < gap < 0.5
    return star.text in ("丰", "米") and not has_chinese(name.text) and -1 < gap < 1.5


def _is_positive(text: str) -> bool:
    result = parse_result(text)
    return isinstance(result, QualitativeResult) and result.words[0] in ("弱阳性", "阳性")


def _in_order(boxes: list[TextBox]) -> list[TextBox]:
    """从上到下、从左到右。"""
    top = min(box.line for box in boxes)
    return sorted(boxes, key=lambda box: (int((box.line - top) / (0.6 * box.height)), box.start))


def joins(limits: list[TextBox], box: TextBox) -> bool:
    """两段合起来是分男女、分年龄、分档的范围，或一段断成两截的范围。"""
    if _label(box) and _label(box) in map(_label, limits):
        return False  # 又一个“卵泡期”是另一项的
    each_is_whole = all(isinstance(part.interval, Interval) for part in [*limits, box])
    text = join_limits(_in_order([*limits, box]))
    both = parse_range(text)
    are_tiers = all(re.match(r"[A-Za-z一-鿿]{2,}\s*[:：<>≤≥\d]", part.text) for part in [*limits, box])
    is_one = isinstance(both, Interval) and (are_tiers or not each_is_whole)
    return isinstance(both, PartitionedInterval) or is_one or is_tier_run(text)


def _label(limits: TextBox) -> str:
    """一段范围说的是谁、哪一档：`卵泡期1.80-11.78`、`升高:≥6.20` 前面的字；没有则为空串。"""
    return re.match(r"(.*(?=:)|[A-Za-z一-鿿]*)", limits.text)[0]


def join_limits(boxes: list[TextBox]) -> str:
    """范围的几段连成一个：断开处原来有标点的直接相连；一档的名称与它的界限之间是空白。"""
    text = ""
    for above, box in zip([None, *boxes], boxes, strict=False):
        is_joined = re.search(r"[,，:;；、/~\-—\[(【\])】]$", text) or re.match(r"[,，;；、/~\-—\[(【\])】]", box.text)
        is_beside = above is not None and abs(box.line - above.line) < 0.5 * box.height
        is_label = is_beside and re.match(r"[<>≤≥\d]", above.text) and box.kind == "text"
        text += ("" if is_joined or not text else " " if is_label else ",") + box.text
    return text


def is_subline(box: TextBox, name: TextBox) -> bool:
    """紧挨在中文名称下面、左边对齐的代号、英文名。"""
    is_below = 0 < box.line - name.line < 2.2 * name.height and abs(box.start - name.start) < 2 * name.height
    return is_below and has_chinese(name.text) and not re.search(r"[一-鿿=:]", box.text)


def row_text(row: Row) -> tuple[str, str, str, str, str]:
    """一行的名称、代号、结果、单位、参考范围，固定的误读已改正。"""
    name, code = NAMELESS, ""
    if row.name:
        bare, _ = split_mark(row.name.text)
        name, code = split_name(bare)
        if row.code:
            printed = row.code.text.strip("()（）[]")
            # 代号另有一格时，名称里的字母（红细胞分布宽度CV）是名称的一部分
            name = name + code if not name else strip_serial(bare).strip("*★☆ ")
            code = split_name(printed)[1] or printed
    if name == "抗":
        name += code  # `抗U1RNP` 的代号是 U1RNP，名称还要带着它
    name, code = repair_letters(repair_greek(name)), code_behind(name) or repair_letters(code)
    result = row.result.text if row.result else ""
    unit = repair_unit(row.unit.text, lambda: find_analyte(name, code, "")) if row.unit else ""
    limits = join_limits(row.limits)
    if limits and re.fullmatch("[一-鿿]+章", unit):
        unit = ""  # 章盖住了单位；没有范围可看时照抄：没有单位的数，危急值说得轻
    if unit == "%" or not unit and "%" in limits:
        result, limits = without_padding(result), without_padding(limits, lambda: find_analyte(name, code, unit))
    return name or code, code if name else "", repair_number(result, limits), unit, limits


def without_padding(text: str, find: Callable[[], Analyte | None] = lambda: None) -> str:
    """补成两位的整数去掉前面的 0：`01 - 06` -> `1 - 6`；小数不动。

    `00-13` 也许是 0.0-1.3：照 0-13 看像这一项（find 找）常见的范围才改（相差不到一半，丢了小数点的差十倍）。
    """
    if re.match(r"\s*00\s*[-~—–]+\s*[1-9]\d", text):
        analyte = find()
        gap = range_distance(analyte, "%", parse_range(re.sub(r"^\s*00", "0", text))) if analyte else None
        if gap is None or gap > UNLIKE:
            return text
    return re.sub(r"(?<![\d.,])0(?=\d(?![\d.,]))", "", text)


def repair_number(result: str, limits: str) -> str:
    """数里的 0 读成了字母 O（`OH`、`O.5`）、点读成了冒号（`2:11`）的结果；参考范围是数才改，没有的 O 可能是血型。"""
    if re.fullmatch(r"([2-9]|\d\d):\d{1,2}", result) and re.search(r"\d\.\d", limits):
        return result.replace(":", ".")  # 滴度是 1: 开头的
    is_number = re.fullmatch(r"[<>]?[\dOo.]*[Oo][\dOo.]*(HH?|LL?|\s*[↑↓]{1,2})?", result)
    if is_number and isinstance(parse_range(limits), Interval):
        return result.replace("O", "0").replace("o", "0")
    return result
