"""不是化验单的单子：影像、病理、心电图、处方、账单、病历……是哪一种，结论该到哪里看。"""

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from health_assistant.checked_yaml import Entry, read_yaml
from health_assistant.lab_report.reading.names import is_known
from health_assistant.lab_report.reading.row import Row
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.report import UnreadableReport
from health_assistant.lab_report.word_lists import any_of


class Paper(Entry):
    """一种单子：叫什么；标题里的词；正文里才有的词；结论到哪里看。"""

    what: str
    title: Annotated[re.Pattern[str], BeforeValidator("(?i){}".format)]
    """不分大小写。"""
    words: re.Pattern[str]
    advice: str


class Papers(Entry):
    """other_papers.yaml 的内容；worded 是结论为文字的检验。"""

    papers: tuple[Paper, ...]
    worded: tuple[Paper, ...]


@cache
def load_papers() -> Papers:
    """读入 other_papers.yaml；有错则 BadYaml。"""
    return read_yaml(Papers, Path(__file__).parents[1] / "other_papers.yaml")


_LAB_TITLE = re.compile(r"检验(报告|结果|单|科)|化验(单|报告|结果)|检验诊断|LABORATORY|LAB ?REPORT", re.IGNORECASE)
_INSTITUTION = re.compile(r"^.*(中心|医院|卫生院|实验室|公司)")
_HEAD_LINES = 5
_TITLE_LENGTH = 30
_ENOUGH_WORDS, _SURE_WORDS = 2, 3
"""没有标题时，正文里要有几个不同的词，才说像是什么、才不读像行的字：一个词（超声、口服）哪里都可能出现。"""
_MEASURED = any_of("measured_name")
_VITAL_SIGN = re.compile("体温|脉搏|脉率|心率|呼吸(?:频率)?|血压")
_NOTHING = "没有找到检验项目。请确认这是化验单，并让“项目、结果、参考范围”各列都在画面里、方向摆正。"

_ENOUGH_BLANK = 2
_NO_RESULTS = (
    "认得出项目与参考范围，没有读到一个结果：是空白的单子，或名称压着结果，或结果一列没有拍到。"
    "有结果的，请把单子放平、对准、靠近一些重拍一张，让结果一列清楚。"
)


def other_papers(lines: list[list[TextBox]]) -> list[Paper]:
    """标题里说到、正文也像的各种单子，从上到下。"""
    page = _page(lines)
    return [paper for paper in _titled(lines) if _count(paper, page)]


def has_lab_title(lines: list[list[TextBox]]) -> bool:
    """页眉里写着检验报告、化验单。"""
    return any(
        _LAB_TITLE.search(box.text) and box.text[-1] not in ":：" for line in lines[:_HEAD_LINES] for box in line
    )


def reads_like_another(lines: list[list[TextBox]]) -> bool:
    """没有标题（没有拍进来），正文却是别的单子的。"""
    return not has_lab_title(lines) and _likely(lines, _SURE_WORDS) is not None


def is_measurement(name: str) -> bool:
    """身高、血压、射血分数一类：量出来的，不是化验；照化验的办法判断轻重会错。"""
    return bool(_MEASURED.search(name))


def is_other_row(name: str) -> bool:
    """量出来的，或别的单子的标题（“腹部彩超检查”）：像一行，不是化验。"""
    return is_measurement(name) or _paper_titled(name) is not None


def refusal(lines: list[list[TextBox]], rows: Sequence[Row] = ()) -> UnreadableReport:
    """没有检验项目的一页：说得出是什么单子的 `other_paper`，说不出的 `not_a_lab_report`。

    没有标题的，正文要像；写着检验报告的，多半是没有读成的化验单。结论是文字的检验（`worded`）说清楚为什么没有读；
    rows 里有项目、范围而没有结果的，说出来：也许是没有读成，也许是空白的单子。
    """
    if papers := other_papers(lines):
        return UnreadableReport("other_paper", f"这是{papers[0].what}，不是化验单。{papers[0].advice}")
    if (paper := next(iter(_titled(lines)), None) or _likely(lines, _ENOUGH_WORDS)) and not has_lab_title(lines):
        return UnreadableReport("other_paper", f"这像是{paper.what}，不是化验单。{paper.advice}")
    page = _page(lines)
    worded = (paper for paper in load_papers().worded if paper.title.search(page) and _count(paper, page))
    if paper := next(worded, None):
        return UnreadableReport("other_paper", f"这像是{paper.what}，结果不是能与范围比的数，没有读。{paper.advice}")
    is_blank = sum(map(_lacks_result, rows)) >= _ENOUGH_BLANK
    return UnreadableReport("not_a_lab_report", _NO_RESULTS if is_blank else _NOTHING)


def _lacks_result(row: Row) -> bool:
    has_range = any(box.kind in ("range", "bound") for box in row.limits)
    return has_range and not row.result and bool(row.unit or row.name and is_known(row.name.text))


def left_out(lines: list[list[TextBox]], names: list[str]) -> list[str]:
    """化验之外没有读的，写进 notices：同一页上别的单子，和量出来的几行。names 是 `is_other_row` 的各行的名称。"""
    notices = [f"这一页还有{paper.what}的内容，没有读。{paper.advice}" for paper in other_papers(lines)]
    if measurements := list(dict.fromkeys([*filter(is_measurement, names), *_signs_beside_numbers(lines)])):
        notices.append(f"{'、'.join(measurements)}不是化验，没有读。这些数怎么看，请以医生写的结论为准。")
    return notices


def _signs_beside_numbers(lines: list[list[TextBox]]) -> list[str]:
    """旁边印着数的体温、脉搏（`脉搏  46 次/分`）：单位不是化验的，不成一行；化验单页眉里的不算。"""
    beside = [line for line in lines if any(re.match(r"\d", box.text) for box in line[1:])]
    return [] if has_lab_title(lines) else [line[0].text for line in beside if _VITAL_SIGN.fullmatch(line[0].text)]


def _page(lines: list[list[TextBox]]) -> str:
    return " ".join(box.text for line in lines for box in line)


def _titled(lines: list[list[TextBox]]) -> list[Paper]:
    """标题里说到的各种单子。标题是一段不长的、没有句读的文字；写着检验报告的不算。"""
    papers = [_paper_titled(box.text) for line in lines for box in line]
    return list(dict.fromkeys(filter(None, papers)))


def _paper_titled(text: str) -> Paper | None:
    """这一段是哪种单子的标题；机构的名称（“检验病理诊断中心”）不算在内。"""
    title = _INSTITUTION.sub("", re.split("[:：]", text)[0])
    if len(title) > _TITLE_LENGTH or re.search("[，。；、,;]", title) or _LAB_TITLE.search(title):
        return None
    return next((paper for paper in load_papers().papers if paper.title.search(title)), None)


def _likely(lines: list[list[TextBox]], enough: int) -> Paper | None:
    """正文最像的单子，至少要有 enough 个它的词。"""
    page = _page(lines)
    likely = max(load_papers().papers, key=lambda paper: _count(paper, page))
    return likely if _count(likely, page) >= enough else None


def _count(paper: Paper, page: str) -> int:
    """正文里这种单子的词有几个不同的。"""
    return len({match[0] for match in paper.words.finditer(page)})
