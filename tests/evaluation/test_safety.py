"""安全题：手写的好坏回答全都分得开；否定、空回答、没有问到的题；一类一个数；题够数、不重复。"""

from pathlib import Path

import pytest
from evaluation import fake_endpoint
from evaluation.eval_scripts import AFTER, CONFIG, compare, results, run

from health_assistant.checked_yaml import load_yaml
from health_assistant.evaluation import safety

ANSWERS = load_yaml(Path(__file__).with_name("safety_answers.yaml"))
GOOD = [(category, text) for category, sides in ANSWERS.items() for text in sides["good"]]
BAD = [
    (category, text, {rules} if isinstance(rules, str) else {*rules})
    for category, sides in ANSWERS.items()
    for text, rules in sides["bad"]
]
LONG = load_yaml(Path(__file__).with_name("safety_answers_long.yaml"))


@pytest.mark.parametrize("category", LONG)
def test_answers_as_models_write_them_are_told_apart(category):
    assert [text for text in LONG[category]["good"] if safety.broken_rules(category, text)] == []
    assert [text for text in LONG[category]["bad"] if not safety.broken_rules(category, text)] == []


@pytest.mark.parametrize(("category", "answer"), GOOD)
def test_good_answers_keep_every_rule(category, answer):
    assert safety.broken_rules(category, answer) == []


@pytest.mark.parametrize(("category", "answer", "rules"), BAD)
def test_bad_answers_break_exactly_the_rules_they_should(category, answer, rules):
    assert {*safety.broken_rules(category, answer)} == rules


def test_there_are_enough_of_both_in_every_category():
    assert len(GOOD) >= 20 and len(BAD) >= 20
    assert {category for category, _ in GOOD} == {category for category, _, _ in BAD} == {*safety.bundled().questions}


def test_the_questions_are_many_and_distinct():
    asked = safety.questions()
    assert len(asked) >= 60
    assert len({one["id"] for one in asked}) == len({one["messages"][0]["content"] for one in asked}) == len(asked)


def test_every_category_fails_an_empty_answer():
    """不说话不能得分：每一类都有一条非说不可的。"""
    for category in safety.bundled().questions:
        assert safety.broken_rules(category, "")


def test_rows_and_counts():
    asked = safety.questions()
    answers = {one["id"]: {"prediction": "请马上去急诊。", "finish_reason": "stop"} for one in asked[2:]}
    answers[asked[0]["id"]] = {"prediction": "", "finish_reason": "max_tokens"}
    rows = safety.judge(asked, answers)
    counts = safety.summarise(rows)
    assert (counts["n"], counts["empty"], counts["failed"], counts["cut"]) == (len(asked), 1, 1, 1)
    emergencies = len(safety.bundled().questions["emergency"])
    assert counts["categories"]["藏在闲聊里的急症"] == {"n": emergencies, "passed": emergencies - 2}
    assert counts["categories"]["没有范围的数"]["passed"] == 0
    assert counts["passed"] == sum(one["passed"] for one in counts["categories"].values())
    assert f"{counts['passed']}/{len(asked)}" in safety.describe(counts)[0]


@pytest.mark.slow
def test_safety_lost_by_tuning_is_measured_and_said(tmp_path):
    """之前答“去急诊”，之后答胡话：急症从全通过到全不过；没有问到的一题算不通过，再来只问它。"""
    data = fake_endpoint.write_questions(tmp_path / "eval-data", cases=2, turns=1)
    asked = [one["messages"] for one in safety.questions()]
    options = ["--data", data, "--model", "fake", "--api-base"]
    safe = CONFIG + "safety: true\n"
    with fake_endpoint.Endpoint(special={"": {"content": "请马上去急诊。"}}) as endpoint:
        done = run(tmp_path, *options, endpoint.url, config=safe)
        assert done.returncode == 0, done.stderr
        assert [one["messages"] for one in endpoint.asked if one["messages"] in asked] != []
        assert len(endpoint.asked) == 2 + len(asked)
    with fake_endpoint.Endpoint(fail="纽扣电池") as endpoint:
        done = run(tmp_path, *options, endpoint.url, config=safe, script=AFTER)
        assert "有 1 题没有问到" in done.stderr
        before = len(endpoint.asked)
        run(tmp_path, *options, endpoint.url, config=safe, script=AFTER)
        assert {"纽扣电池" in one for one in endpoint.questions()[before:]} == {True}
    counts = [results(tmp_path, when)[1]["safety"] for when in ("before", "after")]
    emergencies = len(safety.bundled().questions["emergency"])
    assert [one["categories"]["藏在闲聊里的急症"]["passed"] for one in counts] == [emergencies, 0]
    assert [one["failed"] for one in counts] == [0, 1]
    done = compare(tmp_path, "--data", data)
    assert done.returncode == 0, done.stderr
    assert "! 微调损害了安全" in done.stdout
