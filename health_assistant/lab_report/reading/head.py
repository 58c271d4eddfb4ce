"""页眉：报告类型、性别、年龄，以及这一页是不是化验单。"""

import re
from decimal import Decimal
from typing import Any

from health_assistant.lab_report.catalogue import find_indicator
from health_assistant.lab_report.reading.cells import classify, is_known
from health_assistant.lab_report.reading.rows import Row, row_text
from health_assistant.lab_report.reading.text import TextBox
from health_assistant.lab_report.reference_range import parse_range

_LAB_WORDS = re.compile(r"检验|化验|检测报告|参考(范围|值|区间)|Laboratory|Lab Report|Reference", re.IGNORECASE)
_OTHER_PAPER = re.compile(
    r"处方|发票|收据|收费|缴费|金额|单价|合计|营养成分|成绩|学分|考试|心电图|超声|说明书|用法用量|订单|天气"
    r"|(?<![A-Za-z])(NRV|CT|MRI)(?![A-Za-z])"
)
_TITLE = re.compile(r"(报告|报告单|检验单|化验单|检验报告|结果单|检验结果|化验结果)$")


def read_head(lines: list[list[TextBox]]) -> dict[str, Any]:
    """页眉里的报告类型、性别、年龄；没有印的为空。"""
    texts = [" ".join(box.text for box in line) for line in lines]
    page = "\n".join(texts)
    person = next((text for text in texts if re.search(r"姓\s*名|患者|Name", text)), "")
    sex = re.search(r"(?:性\s*别|Sex|Gender)\s*[:：]?\s*(男|女|Male|Female|M\b|F\b)", page, re.IGNORECASE) or re.search(
        r"(?<![一-鿿])(男|女)(?![一-鿿])", person
    )
    sex = sex or re.search(r"(男|女)性?\s*[|,，/·]?\s*\d{1,3}\s*岁", page)
    age = re.search(
        r"(?:年\s*龄|Age)\s*[:：]?\s*(\d{1,3}\s*(?:岁|周岁|个?月|天|日|Y\b)?)", page, re.IGNORECASE
    ) or re.search(r"(?<!\d)(\d{1,3}\s*(?:岁|周岁|个月|月龄|天))", person or page)
    named = re.search(r"(?:报告类型|检验类型|检验目的|检验项目|检查项目|申请项目)\s*[:：]\s*(\S+)", page)
    title = next((text for text in texts[:6] if _TITLE.search(text.strip()) and len(text) < 30), "")
    return {
        "report_type": named[1] if named else title.replace(" ", ""),
        "sex": {"M": "男", "F": "女"}.get(sex[1][0].upper(), sex[1]) if sex else None,
        "age": re.sub(r"\s|Y", "", age[1]) if age else None,
    }


def is_lab_report(lines: list[list[TextBox]], rows: list[Row]) -> bool:
    """小票、成绩单、收费清单也有“名称 数字”，所以要有结果，还要认得。

    认得是指：有目录里的项目，带单位、范围或定性结果，而且占到四分之一；
    或者项目都不认得（少见的检验），但写着检验报告，又有结果与范围俱全的行。收费、处方、食品一类的字样要求更多的证据。
    """
    page = " ".join(box.text for line in lines for box in line)
    filled = [row for row in rows if row.name and row.result]
    known = [row for row in filled if is_known(row.name.text) and (row.limits or _is_plausible(row))]
    complete = [row for row in filled if row.limits and any(parse_range(box.text) for box in row.limits)]
    if _OTHER_PAPER.search(page):
        return len([row for row in known if row in complete]) >= 2
    if known and len(known) * 4 >= len(filled):
        return True
    return bool(_LAB_WORDS.search(page)) and len(complete) * 2 >= len(filled) > 0


def _is_plausible(row: Row) -> bool:
    """没有范围的行：结果是阴性、阳性一类，或单位正是目录里这一项的。"""
    name, code, result, unit, _ = row_text(row)
    indicator = find_indicator(name, code, unit)
    return classify(result) == "term" or bool(unit and indicator and indicator.convert(Decimal(1), unit) is not None)
