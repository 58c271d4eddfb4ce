"""成对比较：不能比的拒绝；区间、胜负算得对；网页不联网、不让回答里的标签生效。"""

import copy
import re

import comparison_report
import pytest
from evaluation.eval_scripts import scores_of
from paired_difference import Run, check_comparable, compare, interval

from health_assistant.evaluation.evaluate import BadInput, Question

NASTY = "</script><img src=x onerror=\"document.title='坏了'\"><b>粗</b> ${data} $1"


def make_run(values: list[float], text: str = "答") -> Run:
    rows = {
        f"{number}-1": {
            "id": f"{number}-1",
            "case_id": str(number // 2),
            "turn": 1,
            "prediction": text,
            "reference": "参考",
            "scores": {"rouge_l": value},
        }
        for number, value in enumerate(values)
    }
    mean = sum(values) / len(values)
    metrics = {
        "rouge_l": {"value": mean, "shuffled": 10.0},
        "bleu_corpus": {"value": mean / 2, "shuffled": 1.0},
    }
    return Run(scores_of(rows, metrics, model="一个<b>模型</b>", data_sha256="0" * 64), rows)


def questions(run: Run) -> list[Question]:
    message = {"role": "user", "content": f"病例|\n{NASTY}"}
    return [
        Question(**{key: row[key] for key in ("id", "case_id", "turn", "reference")}, title="病例", messages=[message])
        for row in run.rows.values()
    ]


BEFORE = make_run([20.0] * 20)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("base_model", "llama-3-8b", "基座模型"),
        ("data_sha256", "f" * 64, "评测数据"),
        ("prompt_version", "p2", "提问方式"),
        ("generation", {"max_new_tokens": 512, "greedy": True}, "生成设置"),
        ("n", 58, "题数"),
    ],
)
def test_runs_measured_differently_are_refused(key, value, said):
    other = copy.deepcopy(BEFORE)
    other.scores[key] = value
    with pytest.raises(BadInput, match=said):
        check_comparable(BEFORE, other)


def test_runs_of_other_questions_are_refused():
    other = copy.deepcopy(BEFORE)
    other.rows["x-1"] = other.rows.pop("0-1")
    with pytest.raises(BadInput, match="同样的题"):
        check_comparable(BEFORE, other)


def test_wins_ties_and_losses_are_counted_per_question():
    after = make_run([20.0 + gap for gap in [5, 5, -3, 0.4, -0.4, 0] + [1] * 14])
    change = compare(BEFORE, after)[0]
    assert (change.win, change.tie, change.loss, change.n) == (16, 3, 1, 20)
    assert change.difference == pytest.approx(1.05)


@pytest.mark.parametrize(("gap", "verdict"), [(3, "提高"), (-3, "下降"), (0, "分不出")])
def test_the_verdict_follows_the_interval(gap, verdict):
    after = make_run([20.0 + gap + (1 if number % 4 < 2 else -1) for number in range(20)])
    change = compare(BEFORE, after)[0]
    assert change.verdict == verdict
    assert change.low <= change.difference <= change.high


def test_questions_of_one_case_are_not_independent():
    """同一病例的题同升同降时，区间要比把它们当作独立的宽。"""
    gaps = [10.0 if case % 2 else -8.0 for case in range(20) for _ in range(4)]
    together = interval([str(number // 4) for number in range(80)], gaps)
    apart = interval([str(number) for number in range(80)], gaps)
    assert together[1] - together[0] > 1.6 * (apart[1] - apart[0])


def test_one_case_is_too_few():
    with pytest.raises(BadInput, match="一个病例"):
        interval(["1", "1"], [1.0, 2.0])


def test_corpus_scores_have_no_interval():
    corpus = compare(BEFORE, make_run([30.0] * 20))[1]
    assert (corpus.name, corpus.low, corpus.verdict) == ("bleu_corpus", None, "")


def test_different_judges_are_not_compared():
    runs = [make_run([20.0] * 4), make_run([20.0] * 4)]
    for run, model in zip(runs, "ab", strict=True):
        run.scores["metrics"]["judge_fluency"] = {"value": 3.0, "shuffled": None}
        run.scores["judge"] = {"model": model, "prompt_version": "1", "n": 4, "invalid": 0}
        for row in run.rows.values():
            row["scores"]["judge_fluency"] = 3
    assert "judge_fluency" not in [one.name for one in compare(*runs)]
    runs[1].scores["judge"]["model"] = "a"
    del runs[1].rows["0-1"]["scores"]["judge_fluency"]
    assert [one.n for one in compare(*runs) if one.name == "judge_fluency"] == [3]


def test_a_gain_that_shuffled_references_share_is_called_out():
    after = make_run([30.0 + number % 2 for number in range(20)])
    assert "看不出" not in comparison_report.headline(compare(BEFORE, after))[1]
    after.scores["metrics"]["rouge_l"]["shuffled"] = 30.3
    assert "看不出" in comparison_report.headline(compare(BEFORE, after))[1]


def with_safety(run: Run, passed: dict[str, list[int]], version: str = "1") -> Run:
    """passed：类 -> 各题通过没有（1 或 0）；“急症”排在最前，与真的题一样。"""
    rows = {
        f"{title}-{number}": {"id": f"{title}-{number}", "question": NASTY, "prediction": NASTY, "passed": bool(one)}
        for title, each in passed.items()
        for number, one in enumerate(each)
    }
    summary = {"version": version, "n": len(rows), "passed": sum(map(sum, passed.values())), "shuffled": 0}
    summary["categories"] = {title: {"n": len(each), "passed": sum(each)} for title, each in passed.items()}
    return Run(run.scores | {"safety": summary}, run.rows, rows)


def safety_of(before: Run, after: Run) -> comparison_report.SafetyReport:
    return comparison_report.safety_report(before, after, compare(before, after))


SAFE = with_safety(BEFORE, {"急症": [1] * 10, "剂量": [1] * 10 + [0] * 10})
UNSAFE = with_safety(BEFORE, {"急症": [1] * 10, "剂量": [0] * 20})


def test_tuning_that_costs_safety_is_said_with_its_interval_and_its_questions():
    report = safety_of(SAFE, UNSAFE)
    assert report.costs and "损害了安全" in report.message and "确实下降" in report.message
    assert "20/30（67%） → 10/30（33%）" in report.message
    assert [old["id"] for old, _ in report.lost] == [f"剂量-{number}" for number in range(10)]
    assert report.rows == (("急症", 10, 10, 10), ("剂量", 20, 10, 0))
    change = compare(SAFE, UNSAFE)[-1]
    assert (change.name, change.n, change.win, change.tie, change.loss) == ("safety", 30, 0, 20, 10)
    assert change.difference == pytest.approx(-100 / 3)
    assert change.low < change.difference < change.high < 0


def test_a_missed_emergency_is_not_paid_by_other_gains():
    report = safety_of(SAFE, with_safety(BEFORE, {"急症": [1] * 9 + [0], "剂量": [1] * 20}))
    assert report.costs and "“急症”从 10 题通过到 9 题" in report.message


def test_one_question_less_is_said_to_be_unsure():
    report = safety_of(SAFE, with_safety(BEFORE, {"急症": [1] * 10, "剂量": [1] * 9 + [0] * 11}))
    assert report.costs and "分不出" in report.message


def test_safety_that_holds_is_not_red():
    report = safety_of(UNSAFE, SAFE)
    assert not report.costs and "没有看出" in report.message and report.lost == ()


def test_safety_measured_once_or_by_other_rules_is_not_compared():
    other = with_safety(BEFORE, {"急症": [1] * 10, "剂量": [1] * 20}, version="2")
    assert "不是同一版" in safety_of(SAFE, other).message
    assert "不是两次都问了" in safety_of(SAFE, BEFORE).message
    assert all(one.name != "safety" for after in (other, BEFORE) for one in compare(SAFE, after))


@pytest.mark.browser
def test_the_page_says_lost_safety_in_red(tmp_path, page):
    after = Run(make_run([25.0] * 20).scores | {"safety": UNSAFE.scores["safety"]}, BEFORE.rows, UNSAFE.safety)
    comparison_report.write_reports(tmp_path, SAFE, after, compare(SAFE, after), questions(BEFORE))
    page.goto((tmp_path / "compare.html").as_uri())
    red, green, blue = page.locator("#safety").evaluate("one => getComputedStyle(one).color.match(/\\d+/g).map(Number)")
    assert red > 2 * max(green, blue)
    assert page.locator("tr.loss").inner_text().split() == ["剂量", "20", "10", "0"]
    page.locator("summary", has_text="10 题").click()
    assert NASTY in page.locator("details article").first.inner_text()
    assert "**微调损害了安全" in (tmp_path / "compare.md").read_text(encoding="utf-8")


@pytest.fixture
def report(tmp_path):
    after = make_run([25.0 + number for number in range(20)], NASTY)
    comparison_report.write_reports(tmp_path, BEFORE, after, compare(BEFORE, after), questions(BEFORE))
    return tmp_path


def test_reports_are_written_labelled_and_self_contained(report):
    page = (report / "compare.html").read_text(encoding="utf-8")
    assert not re.findall(r"(?:src|href)=|https?:|@import|url\(", page.replace("img src=x", ""))
    text = (report / "compare.md").read_text(encoding="utf-8")
    for said in ("微型模型、示例数据，不代表真实水平", "一个<b>模型</b>", "2 核 CPU", "| 20 | 20 |", "提高最多的 5 题"):
        assert said in text
    assert "19-1" in text.split("提高最多")[1].split("下降最多")[0]
    assert (report / "compare.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.browser
def test_the_page_filters_sorts_and_shows_markup_as_text(report, page):
    page.goto((report / "compare.html").as_uri())
    assert page.title() == "微调前后的比较"
    assert page.locator("main img, main b, dd b").count() == 0
    assert NASTY in page.locator("article").first.inner_text()
    assert page.locator("#count").inner_text() == "20 / 20 题"
    page.select_option("#order", "gain")
    assert page.locator("article h3").first.inner_text().startswith("19-1")
    page.select_option("#outcome", "loss")
    assert page.locator("article").count() == 0
    page.select_option("#outcome", "win")
    page.fill("#words", "7-1")
    assert page.locator("#count").inner_text() == "2 / 20 题"
