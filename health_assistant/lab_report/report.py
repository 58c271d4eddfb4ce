"""化验单的几种 JSON，全课程通用：请模型抄录的、读者交来的、判断完毕的。

一行从纸到网页是同一行，每一步只添不拆：`PrintedRow` 是印着的字，`ReadRow` 添上读数的依据，
`Observation`（observation.py）添上解析出的数、范围与指标，`Finding`（judgement.py）添上判断；
`LabItem` 是 `Finding` 给人看的字段。
判断从不由模型作出。
"""

import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Protocol, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, Field

from health_assistant.lab_report.origin import understand
from health_assistant.lab_report.printed_text import SIMPLIFIED

Sex = Literal["男", "女"]
Flag = Literal["normal", "high", "low", "abnormal", "unknown"]
NAMELESS = "（名称没有读出）"
"""没有读出名称的一行写的名称。"""
UNREAD_MARK = "?"
"""标记一栏里有墨而没有读出来的标记：不知道说的是什么，只知道这一项不会是正常。"""
RangeSource = Literal["printed", "catalogue", "none"]
Triage = Literal["none", "routine", "soon", "urgent"]
Severity = Literal["slight", "moderate", "marked", "severe", "grave"]
When = Literal["now", "today", "days", "weeks"]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1，单位是摆正后原图（PDF 是画出来的那一页）的像素。"""

ABNORMAL_FLAGS: tuple[Flag, ...] = ("high", "low", "abnormal")
FLAG_WORDS: dict[str, str] = {"normal": "正常", "high": "偏高", "low": "偏低", "abnormal": "异常", "unknown": "未判断"}
FLAG_ARROWS: dict[str, str] = {"normal": "", "high": "↑", "low": "↓", "abnormal": "!", "unknown": "?"}
TRIAGE_WORDS: dict[str, str] = {"none": "未见异常", "routine": "居家观察", "soon": "近期门诊", "urgent": "尽快急诊"}

SEVERITIES: tuple[Severity, ...] = ("slight", "moderate", "marked", "severe", "grave")
"""由轻到重。"""
SEVERITY_WORDS: dict[str, str] = {
    "slight": "轻微", "moderate": "中等", "marked": "明显", "severe": "严重", "grave": "危急",
}  # fmt: skip
TRIAGE_OF: dict[Severity, Triage] = {
    "slight": "routine", "moderate": "soon", "marked": "soon", "severe": "soon", "grave": "urgent",
}  # fmt: skip
WHEN_OF: dict[Severity, When] = {"moderate": "weeks", "marked": "days", "severe": "today", "grave": "now"}
"""轻重决定多快去看：分级与时间从不各说各的。"""
WHEN_WORDS: dict[When, str] = {"now": "现在就去", "today": "今天", "days": "几天内", "weeks": "几周内"}


def rank(severity: Severity | None) -> int:
    """第几级，1 是最轻的；None 是 0。"""
    return SEVERITIES.index(severity) + 1 if severity else 0


def worst(severities: Iterable[Severity | None]) -> Severity | None:
    """最重的一级；一级也没有则为 None。"""
    return max(severities, key=rank, default=None)


def at_least(severity: Severity | None, floor: Severity) -> bool:
    """至少有 floor 这样重；None 不是。"""
    return rank(severity) >= rank(floor)


DISCLAIMER = (
    "本结果由程序自动识别和生成，可能有误，仅供参考，不能代替医生的诊断和治疗。"
    "请以原始报告单和医生意见为准；身体不适或病情紧急时请立即就医。"
)


class PrintedRow(BaseModel):
    """一行检验项目，照印刷内容抄录；读不出的字段是空串。"""

    name: str = Field(description="项目中文名称，不含代号")
    code: str = Field("", description="英文代号，如 WBC；没有则为空串")
    result: str = Field(description="结果，照原样抄写，如 4.84、阴性(-)、<0.01")
    unit: str = Field("", description="单位，如 10^9/L；没有则为空串")
    reference_range: str = Field("", description="参考范围，照原样抄写，如 3.5-9.5；没有则为空串")
    mark: str | None = Field(None, description="印在旁边的异常标记，如 ↑、↓、H、L、*、偏高；没有则为 null")

    def printed(self) -> dict[str, Any]:
        """只是印着的几个字段，不论这一行后来添了什么。"""
        return {name: getattr(self, name) for name in PrintedRow.model_fields}


class PrintedOrigin(BaseModel):
    """标本从哪里来，照原样抄写；没有印的是 null。别的个人信息不问，也不留。"""

    collected: str | None = Field(None, description="采样（采集、采血）时间；送检时间不是")
    received: str | None = Field(None, description="接收（签收、核收）时间")
    reported: str | None = Field(None, description="报告时间；打印时间不是")
    performer: str | None = Field(None, description="做检验的医院；送检的不是")
    specimen: str | None = Field(None, description="标本，如 血清")


class ReadReport(BaseModel):
    """一张化验单上印着的内容。"""

    report_type: str = Field("", description="报告类型，如 血细胞分析")
    sex: Sex | None = Field(None, description="性别；没有印则为 null")
    age: str | None = Field(None, description="年龄，照原样抄写，如 45岁、3月；没有印则为 null")
    origin: PrintedOrigin | None = Field(None, description="标本从哪里来；一栏也没有印则为 null")
    items: list[PrintedRow]


CUT_SHORT = "…"
"""参考范围末尾的它：后面的被照片的边切掉了，不作数。"""
MIN_CONFIDENCE = 0.8
"""识别把握低于它的字不算认清，行不作判断。

自己定的：读对的数多在 0.97 以上（见 languages），连着箭头读错的有 0.73（见 arrows）。
"""


class Evidence(BaseModel):
    """一行读数的依据：把握、在原图里的位置、读者自己的疑问。"""

    confidence: float | None = Field(None, description="读数的把握，0 到 1；不知道则为 null")
    boxes: dict[str, Box] = {}
    doubt: str | None = Field(None, description="读的时候就有的疑问：有它就不作判断，人核对过才去掉")
    page: int = Field(1, description="在第几页，从 1 起；boxes 是这一页上的")
    report_type: str | None = Field(None, description="各页的报告名不同时，这一行那一页的；用来分辨标本")


class ReadRow(Evidence, PrintedRow):
    """一行抄录，连同依据：把握不大的行，经过接口也不会被判断。"""

    corrected: bool = Field(False, exclude=True, description="人照原件核对、改正过；读者从不写")
    copied: bool = Field(False, exclude=True, description="结果与范围是 PDF 文字层里的原字，不会把箭头认成 1")

    @classmethod
    def of(cls, row: PrintedRow, **evidence: Any) -> "ReadRow":
        """一行印着的字，加上依据；没有给的依据是不知道。判断过的行只取印着的。"""
        return cls(**row.printed(), **evidence)


OriginField = Literal["collected", "received", "reported", "performer", "specimen"]
"""采样、接收、报告的时间，做检验的医院，标本。名字照 FHIR 的 Specimen 与 DiagnosticReport。"""
ORIGIN_WORDS: dict[OriginField, str] = {
    "collected": "采样时间", "received": "接收时间", "reported": "报告时间", "performer": "医院", "specimen": "标本",
}  # fmt: skip
TIMES: tuple[OriginField, ...] = ("collected", "received", "reported")
"""由先到后。"""
LONGEST_WAIT = timedelta(days=60)
"""从采样到报告不会更久：最慢的分枝杆菌固体培养，八周才报告阴性。更久的是哪一个读错了。"""


class PrintedField(BaseModel):
    """页眉页脚里印着的一栏。"""

    value: str = Field(description="时间写成 ISO 8601，不带时区，没有印几点的只有日期；医院、标本照抄")
    confidence: float | None = Field(None, description="读数的把握，0 到 1；不知道则为 null")
    box: Box | None = None
    page: int = Field(1, description="在第几页，从 1 起")


ToldField = Literal["sex", "age"]
"""单子上没有印、由用的人填的。"""

Origin = dict[OriginField, PrintedField]
"""标本从哪里来：没有印、没有把握的栏不在里面。"""


class _HasValue(Protocol):
    @property
    def value(self) -> str: ...


Valued = TypeVar("Valued", bound=_HasValue)


def consistent(origin: dict[OriginField, Valued]) -> dict[OriginField, Valued]:
    """去掉先后不对、隔得太久的两个时间：不知道读错的是哪一个，都不要。value 是 ISO 8601。"""
    order = [(field, datetime.fromisoformat(origin[field].value)) for field in TIMES if field in origin]
    wrong: set[OriginField] = set()
    for (earlier, begun), (later, ended) in zip(order, order[1:], strict=False):
        day_only = len(origin[earlier].value) == 10 or len(origin[later].value) == 10
        is_before = ended.date() < begun.date() if day_only else ended < begun
        if is_before or ended - begun > LONGEST_WAIT:
            wrong |= {earlier, later}
    return {field: printed for field, printed in origin.items() if field not in wrong}


def _understood(printed: Any) -> Any:
    """JSON 里的 origin（视觉模型照抄的字，或读者的 `PrintedField`）-> 看得懂的各栏；别的键、看不懂的不要。"""
    if not isinstance(printed, dict):
        return {}
    known = {field: value for field, value in printed.items() if isinstance(value, PrintedField)}
    origin: Origin = {}
    for field in get_args(OriginField):
        given = printed.get(field)
        text = given.get("value") if isinstance(given, dict) else given
        value = understand(field, text) if isinstance(text, str) else None
        if value:
            page = given.get("page") if isinstance(given, dict) else None  # 标本只说它那一页的
            origin[field] = PrintedField(value=value, page=page if isinstance(page, int) else 1)
    return consistent(origin) | known


class Reading(ReadReport):
    """一个读者的答卷。notices 与各行的依据经过接口也在：少了前者，有一半没有读的单子也会像是读全了。"""

    items: list[ReadRow]  # type: ignore[assignment]  # pydantic 允许子类的字段更窄
    origin: Annotated[Origin, BeforeValidator(_understood)] = {}  # type: ignore[assignment]  # 看懂了的
    told: list[ToldField] = []
    notices: list[str] = Field([], description="整张单子上要告诉用户的话，如没有读的部分")
    engine: str = Field("", exclude=True, description="读者的名字，要告诉用户")


Read = TypeVar("Read", bound=ReadReport)
Part = TypeVar("Part", bound=BaseModel)
_PRINTED = {*PrintedRow.model_fields, "report_type", "age", "value"}


def translated(report: Read, table: dict[int, str]) -> Read:
    """印着的字按 `table` 一个字换一个字的 report；没有要换的就是原来的。

    给 `SIMPLIFIED` 就是繁体换成简体，规则里的词才认得。
    """
    rows = [_translated(row, table) for row in report.items]
    changed: dict[str, Any] = {} if rows == report.items else {"items": rows}
    if isinstance(report, Reading):
        origin = {field: _translated(printed, table) for field, printed in report.origin.items()}
        changed |= {} if origin == report.origin else {"origin": origin}
    report = _translated(report, table)
    return report.model_copy(update=changed) if changed else report


def _translated(part: Part, table: dict[int, str]) -> Part:
    printed = {name: text for name, text in part if name in _PRINTED and isinstance(text, str) and text != NAMELESS}
    texts = {name: text.translate(table) for name, text in printed.items()}
    return part if texts.items() <= dict(part).items() else part.model_copy(update=texts)


class UnreadableReport(ValueError):
    """读不出化验单，消息说明怎么办。

    `code` 是 report_unreadable（看不清）、not_a_lab_report（没有检验项目）、other_paper（是别的单子，消息说是哪一种）
    或 unsupported_language（是不会读的语言）。
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Scale(BaseModel):
    """画范围条要的三个数；单边范围的另一边是 null。"""

    value: float
    low: float | None
    high: float | None


class Tracked(BaseModel):
    """一行与别的报告里同一项相比时用的。数写成十进制的字，位数是有意义的。"""

    analyte: str = Field(description="目录里的代号；同一项不论印作什么名称都一样")
    name: str = Field(description="目录里的名称")
    unit: str = Field(description="value、low、high 的单位：目录的；换不成的是印着的。单位相同才能比")
    value: str | None = Field(None, description="不是单独一个数（如 <0.01）、不知道单位的为 null")
    low: str | None = Field(None, description="印着的范围的下限；没有印、没有界的为 null")
    high: str | None = Field(None, description="印着的范围的上限")
    change_percent: float | None = Field(
        None, description="参考变化值，%：化验与身体本来的波动两次之间少有超过它的；没有查到的为 null"
    )


class LabItem(Evidence, PrintedRow):
    """一行抄录与依据，加上代码的判断。"""

    flag: Flag = "unknown"
    severity: Severity | None = Field(None, description="异常到什么程度；正常、没有大碍的偏离与不能判断的为 null")
    critical: bool = Field(
        False, description="结果自己到了危急值，而且这一行没有疑问；只是印着危急标记的，severity 是 grave，这里是 false"
    )
    range_source: RangeSource = "none"
    applied_range: str = Field("", description="判断时实际使用的范围；range_source 为 catalogue 时来自指标目录")
    note: str | None = Field(None, description="为什么不作判断，或判断时的说明")
    scale: Scale | None = None
    verified: bool | None = Field(None, description="第二个读者是否读到同样的结果；没有第二个读者则为 null")
    other_reading: str | None = None
    tracked: Tracked | None = Field(None, description="与别的报告里同一项相比时用的；目录不认识的为 null")

    def show_as_printed(self, row: PrintedRow) -> None:
        """换成简体去判断过的各栏，照 `row` 印着的繁体给人看；判断时改过的不动。"""
        for field, text in row.printed().items():
            if text and text.translate(SIMPLIFIED) == getattr(self, field):
                setattr(self, field, text)
        if row.reference_range.translate(SIMPLIFIED) == self.applied_range:
            self.applied_range = row.reference_range


class LabReport(ReadReport):
    """判断完毕的化验单。"""

    origin: Origin = Field({}, description="什么时候采的、收的、报告的，哪家医院，什么标本；没有把握的不在里面")  # type: ignore[assignment]  # 看懂了的
    told: list[ToldField] = Field([], description="sex、age 里，不是印着的、是用的人填的")
    items: list[LabItem]  # type: ignore[assignment]  # pydantic 允许子类的字段更窄
    triage: Triage = "none"
    when: When | None = Field(None, description="多快去看：now、today、days、weeks；可以在家观察的为 null")
    notices: list[str] = Field([], description="要放在最前面告诉用户的话，危急值在先")
    doubts: list[str] = Field([], description="整张报告的疑问，如有一页没有读成；有它就不会是未见异常。也在 notices 里")


def escape_markdown(text: str) -> str:
    """从照片上读来的文字放进 Markdown 之前：转义标点，换行变空格。"""
    return re.sub(r"([\\`*_\[\]#|<>~])", r"\\\1", " ".join(text.split()))
