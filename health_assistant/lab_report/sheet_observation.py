"""ReadReport -> 各行的 Observation：一行是什么标本的，要看页眉、报告名和同一页的别的行。"""

import re
from collections import defaultdict

from health_assistant.lab_report.observation import Observation, observe
from health_assistant.lab_report.person import Person
from health_assistant.lab_report.reference_range import is_blank
from health_assistant.lab_report.report import PrintedRow, Reading, ReadReport
from health_assistant.lab_report.severity import grade_value, is_impossible, span_of
from health_assistant.lab_report.sheet_kind import doubt_guess, guess_notices, titles_of_rows

_NOT_BLOOD = re.compile("尿|粪|大便")
_ONLY_IN_BLOOD = ("心肌标志物", "凝血")
"""尿、大便里从不测的几类：页眉的标本写着尿，多半是读错了，或说的是别的行。"""


def observe_all(report: ReadReport, person: Person) -> tuple[list[Observation], list[str]]:
    """各行印着什么，和因为猜了标本要说的话。

    标本先看页眉、报告名；没有说的，同一页的各行一起看是不是尿、大便（见 sheet_kind），猜过的行再解析一次。
    """
    pages: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    observations: list[Observation] = []
    specimen = report.origin.get("specimen") if isinstance(report, Reading) else None
    for at, row in enumerate(report.items):
        title = getattr(row, "report_type", None) or report.report_type
        if specimen and specimen.page == getattr(row, "page", 1) and _NOT_BLOOD.search(specimen.value):
            # 报告名没有说是尿，页眉里的标本说了
            observed, title = _observe_stated(row, title, specimen.value, person), f"{title} {specimen.value}"
        else:
            observed = observe(row, title, person)
        pages[getattr(row, "page", 1), title].append(at)
        observations.append(observed)
    guessed = []
    for (_, title), places in pages.items():
        kinds = titles_of_rows(title, [observations[at] for at in places])
        for at, kind in zip(places, kinds, strict=True):
            if kind != title:
                row = doubt_guess(observations[at].row, kind, len(report.items) == 1)
                observations[at] = observe(row, kind, person)
                guessed.append(at)
    return observations, guess_notices([observations[at] for at in sorted(guessed)])


def _observe_stated(row: PrintedRow, title: str, specimen: str, person: Person) -> Observation:
    """页眉的标本写着尿、大便的一行。只在血里测的仍是血的；可能是血里的危急值的钾，疑问说出来。"""
    observed = observe(row, f"{title} {specimen}", person)
    code = observed.analyte and observed.analyte.code
    if code not in (None, "U-K"):
        return observed
    plain = observe(row, title, person)
    if plain.analyte is None or is_impossible(plain.value, plain.unit, plain.analyte):
        return observed
    if code is None:
        return plain if plain.analyte.panel in _ONLY_IN_BLOOD else observed
    # 随机尿的钾多在 20 以上，血里危急的至多 12；钠、钙、肌酐在尿里本来就有血里危急的数，看不出
    if is_blank(row.reference_range) and possible_grave(row, title, person):
        doubt = observed.row.doubt or "标本写着是尿，而这个数像是血的"
        return observe(observed.row.model_copy(update={"doubt": doubt}), title, person)
    return observed


def possible_grave(row: PrintedRow, report_type: str, person: Person) -> bool:
    """这一行的数，如果没有读错，是不是危急的；用来看两个读者读得不一样时另一个读数。"""
    observed = observe(row, report_type, person)
    if observed.analyte is None:
        return False
    unit, span = row.unit or observed.analyte.unit, span_of(observed.interval)
    return grade_value(observed.value, unit, observed.analyte, person, span)[0] == "grave"
