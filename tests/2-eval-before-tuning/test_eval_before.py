"""阶段 2：一次真的评测（接口是假的），它写的东西；坏输入；被杀掉后续跑；失败的题；本地模型。"""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from evaluation import fake_endpoint
from evaluation.eval_scripts import CONFIG, results, run, start

from health_assistant.evaluation.metrics import PER_QUESTION


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """39 题问完一遍的目录与接口；每题 0.1 秒，第 7 例的三题答空。"""
    folder = tmp_path_factory.mktemp("evaluated")
    fake_endpoint.write_questions(folder / "eval-data")
    with fake_endpoint.Endpoint(latency=0.1, empty="第7例") as endpoint:
        done = run(folder, "--api-base", endpoint.url, "--model", "fake")
        assert done.returncode == 0, done.stderr
        yield folder, endpoint, done


def test_every_question_is_asked_once_and_scored(evaluated):
    folder, endpoint, done = evaluated
    rows, scores = results(folder)
    given = [json.loads(line) for line in (folder / "eval-data/cmb-clin.jsonl").read_text("utf-8").splitlines()]
    assert [row["id"] for row in rows] == [row["id"] for row in given]
    assert sorted(json.dumps(one["messages"]) for one in endpoint.asked) == sorted(
        json.dumps(row["messages"]) for row in given
    ), "问的就是阶段 1 写的对话，每题一次"
    assert scores["n"] == len(rows) == 39
    assert (scores["empty"], scores["failed"]) == (3, 0)
    for row in rows:
        assert set(row["scores"]) == set(PER_QUESTION)
        assert (row["prediction"] == "") == (row["case_id"] == "7")
        if not row["prediction"]:
            assert set(row["scores"].values()) == {0.0}
    for name in PER_QUESTION:
        assert scores["metrics"][name]["value"] == pytest.approx(sum(row["scores"][name] for row in rows) / 39)
    assert all(score["shuffled"] is not None for score in scores["metrics"].values())
    assert "39 题" in done.stdout
    assert "示例数据，不代表真实水平" in done.stdout
    assert "Evaluating" in done.stderr, "没有进度条"


def test_questions_are_asked_concurrently(evaluated):
    _, endpoint, _ = evaluated
    asked = endpoint.asked
    span = max(one["ended"] for one in asked) - min(one["began"] for one in asked)
    one_by_one = sum(one["ended"] - one["began"] for one in asked)
    assert one_by_one / span > 3


def test_a_finished_evaluation_is_not_run_again(evaluated):
    folder, endpoint, _ = evaluated
    before = len(endpoint.asked)
    again = run(folder, "--api-base", endpoint.url, "--model", "fake")
    assert again.returncode == 0
    assert "评测过了" in again.stdout
    assert len(endpoint.asked) == before


@pytest.mark.parametrize(
    ("config", "options", "said"),
    [
        (CONFIG + "batch: 3\n", [], "batch"),
        ("[1, 2]\n", [], "run.yaml"),
        ("model_name_or_path: [\n", [], "YAML"),
        (CONFIG + "max_new_tokens: 0\n", [], "max_new_tokens"),
        (CONFIG, ["--api-base", "http://127.0.0.1:9/v1", "--model", "m"], "连不上接口"),
        (CONFIG, ["--data", "没有.jsonl"], "prepare_cmb_clin.py"),
        (CONFIG, ["--data", "BROKEN"], "第 2 行"),
        (CONFIG, ["--model", "没有的模型"], "没有的模型"),
        (CONFIG, ["--api-base", "http://127.0.0.1:9/v1"], "--model"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(tmp_path, config, options, said):
    data = fake_endpoint.write_questions(tmp_path / "eval-data")
    broken = tmp_path / "broken.jsonl"
    broken.write_text(data.read_text("utf-8").split("\n")[0] + '\n{"id": "x"}\n', encoding="utf-8")
    done = run(tmp_path, *(broken if option == "BROKEN" else option for option in options), config=config)
    assert done.returncode == 2
    assert said in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "eval").exists()


def kill_when(process: subprocess.Popen, ready) -> None:
    deadline = time.monotonic() + 120
    while not ready() and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.02)
    assert process.poll() is None, "还没来得及杀就结束了"
    process.send_signal(signal.SIGKILL)
    process.communicate()


def stored(folder: Path) -> Path:
    return folder / "eval/run/before/evalscope/predictions/model/cmb_clin_questions.jsonl"


@pytest.mark.slow
def test_killed_and_rerun_equals_undisturbed_and_asks_nothing_twice(tmp_path, evaluated):
    calm, killed = evaluated[0], tmp_path / "killed"
    fake_endpoint.write_questions(killed / "eval-data")
    with fake_endpoint.Endpoint(latency=0.2, empty="第7例") as endpoint:
        options = ["--api-base", endpoint.url, "--model", "fake", "--concurrency", "4"]
        kill_when(start(killed, *options), lambda: len(endpoint.asked) >= 18)
        time.sleep(0.5)
        kept = stored(killed).read_text(encoding="utf-8").splitlines()
        assert len(kept) >= 14
        answered = {json.loads(line)["messages"][-2]["content"] for line in kept}
        first = endpoint.questions()
        done = run(killed, *options)
        assert done.returncode == 0, done.stderr
        second = endpoint.questions()[len(first) :]
    assert not answered & {*second}, "答过并存下的题又问了"
    assert len({*first} & {*second}) <= 4, "只有被杀时正在路上的才重问"
    assert len(second) == 39 - len(answered)
    assert results(killed)[0] == results(calm)[0]
    assert results(killed)[1]["metrics"] == results(calm)[1]["metrics"]


@pytest.mark.slow
def test_failed_questions_score_zero_count_and_are_asked_again_next_time(tmp_path):
    data = fake_endpoint.write_questions(tmp_path / "eval-data", cases=3, turns=2)
    options = ["--data", data, "--model", "fake", "--api-base"]
    with fake_endpoint.Endpoint(fail="第1例第2问") as endpoint:
        done = run(tmp_path, *options, endpoint.url)
        assert done.returncode == 0, done.stderr
        rows, scores = results(tmp_path)
        assert (scores["n"], scores["failed"], len(rows)) == (6, 1, 6)
        (failed,) = (row for row in rows if "error" in row)
        assert (failed["id"], failed["prediction"], {*failed["scores"].values()}) == ("1-2", "", {0.0})
        assert "有 1 题没有问到" in done.stderr
        assert "Traceback" not in done.stderr
        before = len(endpoint.asked)
        assert run(tmp_path, *options, endpoint.url).returncode == 0
        assert {*endpoint.questions()[before:]} == {failed_question(data)}


def failed_question(data: Path) -> str:
    rows = map(json.loads, data.read_text("utf-8").splitlines())
    return next(row["messages"][-1]["content"] for row in rows if row["id"] == "1-2")


@pytest.mark.slow
def test_an_endpoint_that_answers_nothing_gives_no_scores(tmp_path):
    data = fake_endpoint.write_questions(tmp_path / "eval-data", cases=2, turns=1)
    with fake_endpoint.Endpoint(fail="第") as endpoint:
        done = run(tmp_path, "--data", data, "--model", "fake", "--api-base", endpoint.url)
    assert done.returncode == 1
    assert "一题也没有答上来" in done.stderr
    assert not (tmp_path / "eval/run/before/scores.json").exists()


@pytest.fixture(scope="module")
def random_model(tmp_path_factory) -> Path:
    """没有训练过的极小 Qwen2：说的是胡话，但贪心解码每次一样。"""
    import torch
    from transformers import Qwen2Config, Qwen2ForCausalLM

    from health_assistant.training import tiny_models

    folder = tmp_path_factory.mktemp("random-model")
    data = fake_endpoint.write_questions(folder / "eval-data")
    tokenizer = tiny_models.train_tokenizer(data.read_text("utf-8").splitlines())
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    config = Qwen2Config(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes, **ends)
    Qwen2ForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.slow
def test_a_local_model_killed_half_way_resumes_to_the_same_answers(tmp_path, random_model):
    config = CONFIG + "max_new_tokens: 120\nbatch_size: 4\n"
    options = ["--data", random_model / "eval-data/cmb-clin.jsonl", "--model", random_model]
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    done = run(calm, *options, config=config)
    assert done.returncode == 0, done.stderr
    file = stored(killed)
    process = start(killed, *options, config=config)
    kill_when(process, lambda: file.exists() and file.read_bytes().count(b"\n") >= 9)
    assert file.read_bytes().count(b"\n") < 39
    with open(file, "r+b") as broken:  # 像写到一半断电那样
        broken.truncate(file.stat().st_size - 20)
    done = run(killed, *options, config=config)
    assert done.returncode == 0, done.stderr
    rows, scores = results(killed)
    assert (rows, scores["metrics"]) == (results(calm)[0], results(calm)[1]["metrics"])
    assert any(row["finish_reason"] == "max_tokens" for row in rows)
    assert len({row["prediction"] for row in rows}) > 5


@pytest.mark.slow
def test_batching_does_not_change_the_answers(tmp_path, random_model):
    """左填充：一批几题与一题一题来，回答要一样。"""
    options = ["--data", random_model / "eval-data/cmb-clin.jsonl", "--model", random_model]
    for size in (1, 8):
        done = run(tmp_path / str(size), *options, "--batch-size", size, config=CONFIG + "max_new_tokens: 12\n")
        assert done.returncode == 0, done.stderr
    one, eight = ([row["prediction"] for row in results(tmp_path / size)[0]] for size in "18")
    assert sum(a == b for a, b in zip(one, eight, strict=True)) >= 38
