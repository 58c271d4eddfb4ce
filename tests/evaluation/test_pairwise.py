"""成对评审：两种次序各问一遍；不一致的算平、数出来；坏的答复重问、不算分；问过的不再问；结论进比较。"""

import json
import re

import comparison_report
import paired_difference
import pairwise
import pytest
from evaluation import fake_endpoint
from evaluation.eval_scripts import AFTER, BEFORE, compare, run
from evaluation.test_paired_difference import make_run, questions

from health_assistant.evaluation.judge import ATTEMPTS, Judge

DIALOGUES = {f"{number}-1": [{"role": "user", "content": f"第{number}问"}] for number in range(4)}


def rows(text: str, **changes: str) -> dict[str, dict]:
    return {name: {"prediction": changes.get(name, text), "reference": "参考"} for name in DIALOGUES}


def ask(endpoint, cache, before, after):
    return pairwise.judge_pairs(Judge(endpoint.url, "fake", "EMPTY", cache), before, after, DIALOGUES)


NEW_FIRST = "【回答一】\n新的"  # 只有第二遍里，之后的回答摆在前面


def test_the_better_answer_wins_in_both_orders_and_is_cached(tmp_path):
    before, after = rows("旧的", **{"3-1": ""}), rows("新的", **{"3-1": ""})
    with fake_endpoint.scripted({"": '{"better": 2}', NEW_FIRST: '想想 {x} ```{"better": 1}```'}) as endpoint:
        found = ask(endpoint, tmp_path / "cache", before, after)
        assert found["outcomes"] == {"0-1": 1, "1-1": 1, "2-1": 1, "3-1": 0}
        assert (found["inconsistent"], found["invalid"], found["problems"]) == (0, 0, {})
        assert (found["first"], found["chosen"]) == (3, 6)
        assert len(endpoint.asked) == 6, "三题各两种次序，空的不问"
        ask(endpoint, tmp_path / "cache", before, after)
        assert len(endpoint.asked) == 6, "问过的又问了"


def test_a_judge_that_likes_the_first_place_gives_ties_that_are_counted(tmp_path):
    with fake_endpoint.scripted({"": '{"better": 1}'}) as endpoint:
        found = ask(endpoint, tmp_path / "cache", rows("旧的"), rows("新的"))
    assert set(found["outcomes"].values()) == {0}
    assert (found["inconsistent"], found["first"], found["chosen"]) == (4, 8, 8)
    said = pairwise.describe(found)
    assert "算平的 4 题" in said and "选摆在前面的 8 次" in said


def test_empty_answers_lose_without_asking(tmp_path):
    with fake_endpoint.scripted({"": '{"better": 0}'}) as endpoint:
        found = ask(endpoint, tmp_path / "cache", rows("旧的", **{"0-1": ""}), rows("新的", **{"1-1": ""}))
        assert found["outcomes"] == {"0-1": 1, "1-1": -1, "2-1": 0, "3-1": 0}
        assert len(endpoint.asked) == 4


def test_bad_replies_are_asked_again_counted_and_never_a_tie(tmp_path):
    script = {"": '{"better": 2}', "第0问": "我不能比较。", "第1问": '{"better": 3}', "第2问": '{"better": '}
    with fake_endpoint.scripted(script) as endpoint:
        found = ask(endpoint, tmp_path / "cache", rows("旧的"), rows("新的"))
    assert found["problems"] == {"拒答": 2 * ATTEMPTS, "坏的 JSON": 4 * ATTEMPTS}
    assert (found["outcomes"], found["invalid"]) == ({"3-1": 0}, 3)
    assert f"拒答 {2 * ATTEMPTS} 次" in pairwise.describe(found)
    assert len(list(tmp_path.glob("cache/pairwise-*"))) == 2, "不合格的不存"


def judged(before: list[float], after: list[float], name: str) -> list[paired_difference.Run]:
    """两次评测，裁判的 name 分与 ROUGE-L 一个涨一个跌。"""
    runs = [make_run([20.0] * 20), make_run([30.0 + number % 3 for number in range(20)])]
    for made, values in zip(runs, (before, after), strict=True):
        for row, value in zip(made.rows.values(), values, strict=True):
            row["scores"][name] = value
        made.scores["metrics"][name] = {"value": sum(values) / 20, "shuffled": None}
    return runs


def test_the_judge_is_the_headline_and_lexical_scores_carry_the_warning(tmp_path):
    runs = judged([4.0] * 20, [3.0 - number % 2 for number in range(20)], "judge_proficiency")
    changes = paired_difference.compare(*runs)
    first, second = comparison_report.headline(changes)
    assert first.startswith("评审：专业 从 4.00 到 2.50") and "下降" in first and re.search(r"95% 区间 -\d", first)
    assert second.startswith("ROUGE-L F 从 20.00") and "提高" in second and "2603.00314" in second
    assert [row[0] for row in comparison_report.table(changes)][:2] == ["评审：专业", "ROUGE-L F"], "裁判的在前"
    comparison_report.write_reports(tmp_path, *runs, changes, questions(runs[0]))
    page = (tmp_path / "compare.html").read_text(encoding="utf-8")
    assert page.index("评审：专业 从") < page.index("ROUGE-L F 从")
    assert "下降最多的 5 题（评审：专业）" in (tmp_path / "compare.md").read_text(encoding="utf-8")


def test_no_judge_is_said():
    changes = paired_difference.compare(make_run([20.0] * 20), make_run([30.0] * 20))
    assert "没有请裁判" in comparison_report.headline(changes)[0]


def test_pairs_become_a_paired_difference_in_the_report(tmp_path):
    before, after = make_run([20.0] * 20), make_run([30.0] * 20)
    names = list(before.rows)
    outcomes = dict.fromkeys(names[:12], 1) | dict.fromkeys(names[12:16], 0) | dict.fromkeys(names[16:19], -1)
    about = {"model": "裁判甲", "inconsistent": 4, "invalid": 1, "first": 20, "chosen": 34, "problems": {"拒答": 3}}
    pairwise.add_scores(about | {"outcomes": outcomes}, before, after)
    (change, *_) = changes = paired_difference.compare(before, after)
    assert (change.name, change.n, change.win, change.tie, change.loss) == ("pairwise", 19, 12, 4, 3)
    assert (change.before, change.after) == pytest.approx((300 / 19, 1200 / 19))
    assert 0 <= change.low < change.difference < change.high
    assert comparison_report.headline(changes)[0].startswith("评审：成对")
    comparison_report.write_reports(tmp_path, before, after, changes, questions(before))
    for kind in ("md", "html"):
        assert "算平的 4 题；没有判成 1 题" in (tmp_path / f"compare.{kind}").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_script_asks_nothing_twice_and_asks_invalid_pairs_again(tmp_path):
    data = fake_endpoint.write_questions(tmp_path / "eval-data", cases=4, turns=1)
    for script, suffix in ((BEFORE, ""), (AFTER, "新")):
        with fake_endpoint.Endpoint(suffix=suffix) as endpoint:
            options = ["--data", data, "--model", "fake", "--api-base", endpoint.url]
            assert run(tmp_path, *options, script=script).returncode == 0

    def compared(endpoint):
        return compare(tmp_path, "--data", data, "--judge-api-base", endpoint.url, "--judge-model", "fake")

    half = {"": {"content": '{"better": 2}'}, "第2例": {"content": "不知道"}}
    with fake_endpoint.Endpoint(special=half) as endpoint:
        done = compared(endpoint)
        assert done.returncode == 0 and "有 1 题裁判的结论无效" in done.stderr, done.stderr
    fixed = half | {"第2例": {"content": '{"better": 0}'}}
    with fake_endpoint.Endpoint(special=fixed) as endpoint:
        done = compared(endpoint)
        assert done.returncode == 0 and not done.stderr.count("无效"), done.stderr
        assert ["第2例" in one for one in endpoint.questions()] == [True, True]
        assert "比较过了" in compared(endpoint).stdout
    found = json.loads((tmp_path / "eval/run/compare/pairwise.json").read_text(encoding="utf-8"))
    assert (found["inconsistent"], found["invalid"], len(found["outcomes"])) == (3, 0, 4)
