"""文字框：一段文字和它在哪里；切开、接起、挪动。"""

import re
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from health_assistant.lab_report.interval import ReferenceRange
from health_assistant.lab_report.reference_range import parse_range

if TYPE_CHECKING:
    from health_assistant.lab_report.reading.cells import Kind


@dataclass(frozen=True)
class TextBox:
    """一段文字和它的外接矩形，单位是页面像素；score 是识别把握，0 到 1。

    line 是拉平以后的纵坐标，start 与 end 是拉平以后左右两端的横坐标：同一行、同一列由它们定。
    """

    text: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float
    line: float
    start: float
    end: float
    is_label: bool = field(default=False, kw_only=True)
    """后面印着冒号的名称（名称都印着冒号的单子上）。"""
    is_printed: bool = field(default=False, kw_only=True)
    """PDF 文字层里的原字，像素也这样看。"""

    @cached_property
    def kind(self) -> "Kind":
        """这段文字的种类，判一次。"""
        from health_assistant.lab_report.reading.cells import kind_of  # cells 要用 TextBox

        return kind_of(self.text, self.interval)

    @cached_property
    def interval(self) -> ReferenceRange | None:
        """这段文字当作参考范围的意思，解析一次；看不懂的为 None。"""
        return parse_range(self.text)

    @property
    def middle(self) -> float:
        """正中的横坐标（拉平以后）。"""
        return (self.start + self.end) / 2

    @property
    def height(self) -> float:
        """高，像素。"""
        return self.y1 - self.y0

    def moved(self, start: float, **changes: Any) -> "TextBox":
        """左端挪到拉平以后的横坐标 start，宽不变，像素里的位置还是原来的；changes 是另外要换的字段。"""
        return replace(self, start=start, end=start + self.end - self.start, **changes)


Line = list[TextBox]
"""一个视觉行的各段，从左到右。"""


def has_chinese(text: str) -> bool:
    """有没有汉字。"""
    return bool(re.search(r"[一-鿿]", text))


def part_of(box: TextBox, start: int, end: int) -> TextBox:
    """整段里第 start 到 end 个字符的部分。"""
    wide, flat_wide = box.x1 - box.x0, box.end - box.start
    left, right = _share(box.text, start), _share(box.text, end)
    return replace(
        box,
        text=box.text[start:end].strip(),
        x0=box.x0 + wide * left,
        x1=box.x0 + wide * right,
        start=box.start + flat_wide * left,
        end=box.start + flat_wide * right,
    )


def place_of(box: TextBox, index: int) -> float:
    """第 index 个字符的左边在哪里，拉平以后的横坐标。"""
    return box.start + (box.end - box.start) * _share(box.text, index)


def _share(text: str, index: int) -> float:
    """前 index 个字符占多宽；汉字按两个字母宽。"""
    widths = [2 if ord(character) > 0x2E80 else 1 for character in text]
    return sum(widths[:index]) / sum(widths)


def join_boxes(left: TextBox, right: TextBox, between: str = "") -> TextBox:
    """左右或上下相连的两段文字合成一段。"""
    return replace(
        left,
        text=left.text + between + right.text,
        score=min(left.score, right.score),
        is_printed=left.is_printed and right.is_printed,
        **{edge: min(getattr(left, edge), getattr(right, edge)) for edge in ("x0", "y0", "start")},
        **{edge: max(getattr(left, edge), getattr(right, edge)) for edge in ("x1", "y1", "end")},
    )


def cut_at(box: TextBox, edge: float, only_at_space: bool = False) -> list[TextBox]:
    """在横坐标 edge 附近断开：最好在近处的空白，其次在汉字与别的字之间；edge 不在这一段里的不断。"""
    if not box.start + box.height < edge < box.end - box.height:
        return [box]
    places = range(1, len(box.text))
    spaces = [at for at in places if box.text[at - 1] == " "]
    turns = [at for at in places if has_chinese(box.text[at]) and not has_chinese(box.text[at - 1])]
    # `10^9/L14红细胞`：14 是右边一栏的序号
    turns = [at - len(re.search(r"(?<=[A-Za-z%])\d{1,2}$|$", box.text[:at])[0]) for at in turns]
    for candidates, reach in ((spaces, 1.5), ([] if only_at_space else turns, 2.5), (spaces, 2.5)):
        near = [at for at in candidates if abs(place_of(box, at) - edge) < reach * box.height]
        if near:
            at = min(near, key=lambda place: abs(place_of(box, place) - edge))
            return [part_of(box, 0, at), part_of(box, at, len(box.text))]
    return [box]
