"""是哪一种单子：各种单子按文字认，化验单的页眉不许认错；既有化验又有别的内容的，化验照读。"""

import random

import pytest
from lab_report.not_reports import LAB_HEADS, MEDICAL, MIXED, draw_page, fill_numbers
from lab_report.text_boxes import grid

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.lines import group_lines
from health_assistant.lab_report.reading.other_papers import is_other_row, left_out, other_papers, refusal
from health_assistant.lab_report.reading.page_head import is_lab_report
from health_assistant.lab_report.reading.rows import find_rows
from health_assistant.lab_report.reading.tables import find_tables
from health_assistant.lab_report.reading.text import TextBox

LAB_ROWS = "白细胞计数|6.2|10^9/L|3.5-9.5\n血红蛋白|128|g/L|115-150\n罕见抗体甲|12|U/mL|0-20"
HEADER = "项目|结果|单位|参考范围\n"


def lines_of(text: str) -> list[list[TextBox]]:
    """文字按行、按格排成文字框，像认得一字不差的一页；`|` 与空白分开各格。"""
    lines = [line.removeprefix("# ").replace("---", "") for line in text.strip().split("\n")]
    return group_lines(grid((line.split("|" if "|" in line else "　") for line in lines), 240))


def is_lab(lines: list[list[TextBox]]) -> bool:
    tables = find_tables(lines)
    rows = [row for table in tables for row in find_rows(table)]
    lab_rows = [row for row in rows if not (row.name and is_other_row(row.name.text))]
    return is_lab_report(lines, lab_rows, any(table.columns.is_complete for table in tables))


@pytest.mark.parametrize("kind", MEDICAL)
def test_each_paper_is_named_whatever_its_numbers(kind):
    word, page = MEDICAL[kind]
    for seed in range(5):
        error = refusal(lines_of(fill_numbers(page.text, random.Random(seed))))
        assert error.code == "other_paper"
        assert word in str(error)[:20] and "不是化验单" in str(error)


@pytest.mark.parametrize("kind", sorted(MEDICAL.keys() - {"phq9"}))
def test_no_rows_are_invented_where_the_title_is_cut_off(kind):
    text = fill_numbers(MEDICAL[kind][1].text, random.Random(1)).strip()
    assert not is_lab(lines_of(text.partition("\n")[2]))


@pytest.mark.parametrize("head", LAB_HEADS)
def test_a_lab_report_is_not_taken_for_another_paper(head):
    lines = lines_of(f"{head}\n{HEADER}{LAB_ROWS}")
    assert other_papers(lines) == []
    assert is_lab(lines)


@pytest.mark.parametrize("head", LAB_HEADS)
def test_a_lab_report_whose_rows_were_not_found_is_not_called_another_paper_for_sure(head):
    assert not str(refusal(lines_of(head))).startswith("这是")


def test_quoted_values_are_no_rows_but_a_table_with_ranges_is():
    quoted = "# 出院记录\n入院诊断：肾病\n肌酐|210|μmol/L\n钾|4.6|mmol/L\n出院医嘱：复查"
    table = f"# 出院记录\n入院诊断：肾病\n{HEADER}{LAB_ROWS}\n出院医嘱：复查"
    assert not is_lab(lines_of(quoted))
    assert is_lab(lines_of(table))


def test_vital_signs_beside_numbers_are_said_to_be_left_out():
    """手机上的 `脉搏  46 次/分`；化验单页眉里的体温、没有数的不说。"""
    page = "脉搏|46 次/分\n体温|39.6|℃\n心率|\n空腹血糖|18.2|mmol/L"
    assert [notice.partition("不是")[0] for notice in left_out(lines_of(page), [])] == ["脉搏、体温"]
    assert left_out(lines_of("某医院检验报告单\n" + page), []) == []


@pytest.mark.parametrize("kind", MIXED)
def test_the_lab_rows_of_a_mixed_page_are_read_and_the_rest_is_said(reader, kind):
    names, word, page = MIXED[kind]
    reading = reader.read(draw_page(page, random.Random(3)))
    assert {item.name for item in reading.items} == set(names)
    assert any(word in notice and "没有读" in notice for notice in reading.notices)
    report = assess(reading)
    assert report.triage != "none" and set(reading.notices) <= set(report.notices)
