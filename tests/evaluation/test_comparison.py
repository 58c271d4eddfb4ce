"""成对比较：不能比的拒绝；区间、胜负算得对；网页不联网、不让回答里的标签生效。"""

import copy
import re

import pytest

from health_assistant.evaluation import comparison
from health_assistant.evaluation.comparison import Run, check_comparable, compare, interval
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
    scores = {
        "base_model": "tiny-llm-abc",
        "model": "一个<b>模型</b>",
        "data_sha256": "0" * 64,
        "data_source": "bundled-sample",
        "is_sample": True,
        "prompt_version": "p1",
        "generation": {"max_new_tokens": 64, "greedy": True},
        "n": len(values),
        "empty": 0,
        "failed": 0,
        "metrics": {
            "rouge_l": {"value": mean, "shuffled": 10.0},
            "bleu_corpus": {"value": mean / 2, "shuffled": 1.0},
        },
        "seconds": 1.0,
        "machine": "2 核 CPU",
    }
    return Run(scores, rows)


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
    assert "看不出" not in comparison.headline(compare(BEFORE, after))
    after.scores["metrics"]["rouge_l"]["shuffled"] = 30.3
    assert "看不出" in comparison.headline(compare(BEFORE, after))


@pytest.fixture
def report(tmp_path):
    after = make_run([25.0 + number for number in range(20)], NASTY)
    comparison.write_reports(tmp_path, BEFORE, after, compare(BEFORE, after), questions(BEFORE))
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
