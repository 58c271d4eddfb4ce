"""对照真值：每一种错都算得到，怀疑不算错，无声的错不漏。"""

import pytest

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.report import LabReport, PrintedRow, ReadReport
from health_assistant.lab_report.scoring import ReportScore, TrueItem, score_report

ROWS = [
    PrintedRow(name="白细胞计数", code="WBC", result="12.1", unit="10^9/L", reference_range="3.5-9.5"),
    PrintedRow(name="血红蛋白", code="HGB", result="140", unit="g/L", reference_range="115-150"),
    PrintedRow(name="尿蛋白", result="2+", reference_range="阴性"),
]
TRUTH = [TrueItem(**row.model_dump(), flag=flag) for row, flag in zip(ROWS, ("high", "normal", "high"), strict=True)]


def read(*rows: PrintedRow) -> LabReport:
    return assess(ReadReport(items=list(rows)))


def changed(row: PrintedRow, **fields) -> PrintedRow:
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


def test_a_row_nobody_can_judge_is_right_only_where_it_is_not_judged():
    truth = [TrueItem(**ROWS[0].model_dump(), flag="unknown")]
    assert score_report(read(ROWS[0]), truth).silent_errors == ["白细胞计数：应为 unknown，判为 high"]
    doubted = score_report(read(changed(ROWS[0], result="1Z.1")), truth)
    assert (doubted.undecided, doubted.silent_errors) == (0, [])


def test_equal_in_writing_is_right():
    row, true = changed(ROWS[0], result="１２.1", unit="×10⁹/L", reference_range="3.5～9.50"), TRUTH[:1]
    score = score_report(read(row), true)
    assert (score.result_right, score.unit_right, score.range_right) == (1, 1, 1)
    power = changed(TRUTH[0], result="1.2×10⁴")
    assert score_report(read(changed(ROWS[0], result="1.2*10^4")), [power]).result_right == 1
    other = score_report(read(changed(row, result="12.10", unit="g/L", reference_range="3.5-9.51")), true)
    assert (other.result_right, other.unit_right, other.range_right) == (0, 0, 0)


def test_recall_and_precision():
    extra = changed(ROWS[1], name="完全不同的项目", code="", result="300")
    rates = score_report(read(*ROWS[:2], extra), TRUTH).rates()
    assert (rates["item_recall"], rates["item_precision"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
    assert (rates["abnormal_recall"], rates["abnormal_precision"]) == (0.5, 0.5)
    assert rates["false_abnormal_rate"] == 1
    assert (rates["silent_error_rate"], rates["not_judged_share"]) == (pytest.approx(1 / 3), 0)


def test_nothing_read_and_nothing_true_is_no_error():
    rates = ReportScore().rates()
    assert (rates["item_recall"], rates["abnormal_f1"], rates["silent_error_rate"]) == (1, 1, 0)
    assert rates["silent_error_bound"] == 1


def test_a_wrong_value_and_a_wrong_flag_of_one_row_are_one_silent_error():
    score = score_report(read(changed(ROWS[0], result="5.0"), *ROWS[1:]), TRUTH)
    assert score.silent_errors == ["白细胞计数：结果 12.1 读成 5.0，判为 normal；应为 high，判为 normal"]


@pytest.mark.parametrize(("errors", "decided"), [(0, 10), (0, 300), (3, 100), (10, 10), (9, 10)])
def test_the_bound_is_that_of_clopper_and_pearson(errors, decided):
    from scipy.stats import binomtest  # 导入要一两秒，别的测试不用

    bound = ReportScore(decided=decided, silent_errors=["错"] * errors).silent_error_bound
    exact = binomtest(errors, decided, alternative="less").proportion_ci(0.95, method="exact").high
    assert bound == pytest.approx(exact)


def test_a_refused_page_is_refused_not_wrong():
    score = score_report(None, TRUTH)
    assert (score.rows, score.refused, score.found, score.decided) == (3, 3, 0, 0)
    assert (score.rates()["not_judged_share"], score.rates()["abnormal_recall"]) == (1, 0)
    both = score + score_report(read(*ROWS[:2], changed(ROWS[2], result="2Z")), TRUTH)
    assert both.rates()["not_judged_share"] == pytest.approx(4 / 6)


POTASSIUM = PrintedRow(name="钾", code="K", result="6.9", unit="mmol/L", reference_range="3.5-5.3")


@pytest.mark.parametrize(("result", "found"), [("6.9", 1), ("5.9", 0), ("6.Z", 0), ("9.6", 1)])
def test_critical_rows_missed(result, found):
    truth = [TrueItem(**POTASSIUM.model_dump(), flag="high"), TRUTH[1]]
    score = score_report(read(changed(POTASSIUM, result=result), ROWS[1]), truth)
    assert (score.critical, score.critical_found) == (1, found)
    assert score.rates()["critical_miss_rate"] == 1 - found
    assert score_report(None, truth).rates()["critical_miss_rate"] == 1


CREATININE = PrintedRow(name="肌酐", code="CREA", result="400", unit="μmol/L", reference_range="20-60")
NEWBORN_POTASSIUM = changed(POTASSIUM, result="6.7")


@pytest.mark.parametrize(
    ("age", "row", "misread", "critical"),
    [("5岁", CREATININE, "40.0", 1), ("2天", NEWBORN_POTASSIUM, "4.7", 0), ("45岁", NEWBORN_POTASSIUM, "4.7", 1)],
)
def test_critical_is_what_is_critical_for_this_person(age, row, misread, critical):
    truth = [TrueItem(**row.model_dump(), flag="high")]
    sheet = ReadReport(sex="男", age=age, items=[row])
    right = score_report(assess(sheet), truth)
    assert (right.critical, right.critical_found) == (critical, critical)
    wrong = score_report(assess(sheet.model_copy(update={"items": [changed(row, result=misread)]})), truth)
    assert (wrong.critical, wrong.critical_found) == (critical, 0)
    assert score_report(None, truth, person=person_of(sheet)).critical == critical
    unread_age = assess(sheet.model_copy(update={"age": None}))
    assert score_report(unread_age, truth, person=person_of(sheet)).critical == critical


def test_what_is_not_blood_is_not_critical():
    urine = [TrueItem(**POTASSIUM.model_dump() | {"result": "135", "reference_range": "25-125"}, flag="high")]
    assert score_report(None, urine, report_type="24小时尿电解质").critical == 0


def test_a_table_gets_plain_numbers():
    row = score_report(read(*ROWS), TRUTH).as_dict()
    assert all(isinstance(value, int | float) for value in row.values())
    assert (row["rows"], row["silent_errors"], row["unit_recall"]) == (3, 0, 1)


def test_rows_are_paired_by_likeness_not_by_order():
    glued = changed(ROWS[0], name="白细胞计数WBC", code="")
    score = score_report(read(ROWS[2], ROWS[1], glued), TRUTH)
    assert (score.found, score.result_right) == (3, 3)


def test_scores_add_up():
    total = sum([score_report(read(*ROWS), TRUTH)] * 2, ReportScore())
    assert (total.rows, total.abnormal_found) == (6, 4)
    assert "异常 4/4" in str(total)
    assert "无声的错 0/6（上限 39.30%）" in str(total)
