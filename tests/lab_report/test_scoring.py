"""对照真值：每一种错都算得到，怀疑不算错，无声的错不漏。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import LabReport, ReadItem, ReadReport
from health_assistant.lab_report.scoring import ReportScore, TrueItem, score_report

ROWS = [
    ReadItem(name="白细胞计数", code="WBC", result="12.1", unit="10^9/L", reference_range="3.5-9.5"),
    ReadItem(name="血红蛋白", code="HGB", result="140", unit="g/L", reference_range="115-150"),
    ReadItem(name="尿蛋白", result="2+", reference_range="阴性"),
]
TRUTH = [TrueItem(**row.model_dump(), flag=flag) for row, flag in zip(ROWS, ("high", "normal", "high"), strict=True)]


def read(*rows: ReadItem) -> LabReport:
    return assess(ReadReport(items=list(rows)))


def changed(row: ReadItem, **fields) -> ReadItem:
    return row.model_copy(update=fields)


def test_a_perfect_reading():
    score = score_report(read(*ROWS), TRUTH)
    assert (score.found, score.result_right, score.unit_right, score.range_right) == (3, 3, 3, 3)
    assert (score.abnormal, score.abnormal_found, score.abnormal_false) == (2, 2, 0)
    assert score.abnormal_f1 == 1
    assert (score.silent_errors, score.undecided, score.invented) == ([], 0, 0)


def test_a_missing_row_is_not_found():
    score = score_report(read(*ROWS[1:]), TRUTH)
    assert (score.found, score.abnormal_found) == (2, 1)
    assert score.abnormal_f1 == pytest.approx(2 / 3)


def test_a_wrong_value_is_a_silent_error_even_when_the_flag_is_right():
    score = score_report(read(changed(ROWS[0], result="21.1"), *ROWS[1:]), TRUTH)
    assert score.abnormal_found == 2
    assert len(score.silent_errors) == 1


def test_a_wrong_flag_is_a_silent_error():
    score = score_report(read(changed(ROWS[0], reference_range="3.5-19.5"), *ROWS[1:]), TRUTH)
    assert (score.range_right, score.abnormal_found) == (2, 1)
    assert score.silent_errors == ["白细胞计数：应为 high，判为 normal"]


def test_doubt_is_no_error():
    score = score_report(read(changed(ROWS[0], result="1Z.1"), *ROWS[1:]), TRUTH)
    assert (score.silent_errors, score.undecided, score.abnormal_found) == ([], 1, 1)


def test_an_invented_row_with_a_verdict_is_a_silent_error():
    extra = changed(ROWS[1], name="完全不同的项目", code="", result="300")
    score = score_report(read(*ROWS, extra), TRUTH)
    assert (score.invented, len(score.silent_errors)) == (1, 1)


def test_rows_without_a_true_flag_are_not_scored_for_it():
    truth = [TrueItem(**ROWS[0].model_dump(), flag=None)]
    score = score_report(read(ROWS[0]), truth)
    assert (score.abnormal, score.abnormal_false, score.silent_errors) == (0, 0, [])


def test_rows_are_paired_by_likeness_not_by_order():
    glued = changed(ROWS[0], name="白细胞计数WBC", code="")
    score = score_report(read(ROWS[2], ROWS[1], glued), TRUTH)
    assert (score.found, score.result_right) == (3, 3)


def test_scores_add_up():
    total = sum([score_report(read(*ROWS), TRUTH)] * 2, ReportScore())
    assert (total.rows, total.abnormal_found) == (6, 4)
    assert "异常 4/4" in str(total)
