"""阶段 2、4：带思考的、被截断的、打转的回答怎样算、怎样说；全是空的说为什么；只评前几题。"""

import json
import shutil

import pytest
from evaluation import fake_endpoint
from evaluation.eval_scripts import AFTER, compare, results, run

LOOP = "忌食高热量、高脂肪的食物，"
SPECIAL = {
    "第0例": {"content": "先想想，\n</think>\n建议复查。"},
    "第1例": {"content": "<thinking>先想想</thinking>建议复查。"},
    "第2例": {"content": "", "reasoning_content": "先想想", "finish_reason": "length"},
    "第3例": {"content": "<think>想了很久，还没有想完", "finish_reason": "length"},
    "第4例": {"content": LOOP * 8, "finish_reason": "length"},
    "第5例": {"content": "建议复查。", "reasoning": "先想想"},
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """8 例各一问：六例如 SPECIAL，两例平常。环境变量里写着一个连不上的代理：本机的接口不该经过它。"""
    folder = tmp_path_factory.mktemp("endings")
    fake_endpoint.write_questions(folder / "eval-data", cases=8, turns=1)
    with fake_endpoint.Endpoint(special=SPECIAL) as endpoint, pytest.MonkeyPatch.context() as patch:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            patch.setenv(name, "http://127.0.0.1:9")
        for name in ("no_proxy", "NO_PROXY"):
            patch.delenv(name, raising=False)
        options = ["--api-base", endpoint.url, "--model", "fake"]
        done = run(folder, *options)
        assert done.returncode == 0, done.stderr
        after = run(folder, *options, "--limit", "5", script=AFTER)
        assert after.returncode == 0, after.stderr
        yield folder, done, options, endpoint


@pytest.mark.slow
def test_thoughts_are_not_scored_and_are_counted(evaluated):
    folder, done, *_ = evaluated
    rows, scores = results(folder)
    answers = {row["case_id"]: row["prediction"] for row in rows}
    assert [answers[case] for case in "015"] == ["建议复查。"] * 3
    assert [answers[case] for case in "23"] == ["", ""]
    assert [row["thought"] for row in rows] == [True] * 4 + [False, True, False, False]
    assert (scores["thinking"], scores["only_thinking"], scores["empty"]) == (5, 2, 2)
    assert "带思考 5（思考不算在回答里），其中只有思考、没有回答 2" in done.stdout


@pytest.mark.slow
def test_cut_and_looping_answers_are_counted_and_shown(evaluated):
    folder, done, *_ = evaluated
    rows, scores = results(folder)
    assert (scores["cut"], scores["looping"]) == (3, 1)
    assert [row["case_id"] for row in rows if row["loop"]] == ["4"]
    assert "写满 512 个词元被截断 3，末尾打转 1" in done.stdout


@pytest.mark.slow
def test_a_limited_result_is_apart_and_says_so(evaluated):
    folder, *_ = evaluated
    rows, scores = results(folder, "after-first-5")
    given = (folder / "eval-data/cmb-clin.jsonl").read_text("utf-8").splitlines()
    assert [row["id"] for row in rows] == [json.loads(line)["id"] for line in given[:5]]
    assert (scores["n"], scores["limit"]) == (5, 5)
    assert "只有前 5 题" in scores["note"]
    assert results(folder)[1]["limit"] is None
    assert not (folder / "eval/run/after").exists()


@pytest.mark.slow
def test_a_limited_and_a_full_result_are_not_compared(evaluated, tmp_path):
    folder, _, options, endpoint = evaluated
    asked = len(endpoint.asked)
    for place, when in (("before", "before"), ("after-first-5", "after")):
        shutil.copytree(folder / "eval/run" / place, tmp_path / "eval/run" / when)
    refused = compare(tmp_path)
    assert (refused.returncode, "题数不同：之前 8，之后 5" in refused.stderr) == (2, True), refused.stderr
    missing = compare(folder, "--limit", "5")
    assert (missing.returncode, "eval_before.py" in missing.stderr, "--limit 5" in missing.stderr) == (2, True, True)

    assert run(folder, *options, "--limit", "5").returncode == 0
    assert len(endpoint.asked) == asked + 5
    done = compare(folder, "--limit", "5")
    assert done.returncode == 0, done.stderr
    assert "只有前 5 题" in done.stdout
    report = (folder / "eval/run/compare-first-5/compare.md").read_text("utf-8")
    for said in ("只有前 5 题", "截断与打转：之前：写满 512 个词元被截断 3，末尾打转 1", "；之后：写满 512"):
        assert said in report


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["8", "100", "0", "-1"])
def test_a_limit_that_limits_nothing_is_refused(evaluated, limit):
    folder, _, options, _ = evaluated
    done = run(folder, *options, "--limit", limit)
    assert (done.returncode, "--limit" in done.stderr.strip().splitlines()[-1]) == (2, True), done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"content": None, "reasoning_content": "想", "finish_reason": "length"}, "2 题写满了 512 个词元还没想完"),
        ({"content": "<think>想"}, "max_new_tokens 调大，或让服务关掉思考"),
        ({"content": "\n" * 512, "finish_reason": "length"}, "写的全是空白，2 题写满了 512 个词元"),
        ({"content": ""}, "多半是模型名或对话模板不对"),
    ],
)
def test_all_empty_answers_give_no_scores_but_the_reason_and_are_asked_again(tmp_path, reply, said):
    fake_endpoint.write_questions(tmp_path / "eval-data", cases=2, turns=1)
    with fake_endpoint.Endpoint(special={"第": reply}) as endpoint:
        for times in (1, 2):
            done = run(tmp_path, "--api-base", endpoint.url, "--model", "fake")
            assert (done.returncode, said in done.stderr) == (1, True), done.stderr
            assert len(endpoint.asked) == 2 * times
    assert not (tmp_path / "eval/run/before/scores.json").exists()


def test_a_model_the_endpoint_does_not_have_is_named_before_any_question(tmp_path):
    fake_endpoint.write_questions(tmp_path / "eval-data", cases=2, turns=1)
    with fake_endpoint.Endpoint(lists="qwen3-8b") as endpoint:
        done = run(tmp_path, "--api-base", endpoint.url, "--model", "qwen3")
        assert done.returncode == 2
        last = done.stderr.strip().splitlines()[-1]
        assert "不答模型 qwen3：404 no such model。它有的模型：qwen3-8b" in last
        assert len(endpoint.asked) == 1, "只试问一句"
    assert not (tmp_path / "eval").exists()


@pytest.mark.slow
def test_a_file_saved_by_notepad_is_read(tmp_path):
    """记事本存的 UTF-8 开头有 BOM，换行是 CRLF。"""
    data = fake_endpoint.write_questions(tmp_path / "eval-data", cases=2, turns=1)
    data.write_bytes(b"\xef\xbb\xbf" + data.read_bytes().replace(b"\n", b"\r\n"))
    with fake_endpoint.Endpoint() as endpoint:
        done = run(tmp_path, "--api-base", endpoint.url, "--model", "fake")
    assert done.returncode == 0, done.stderr
    assert results(tmp_path)[1]["n"] == 2
