"""阶段 4：缺了微调好的模型要说明；前后两次的比较，n 相同，报告写得出；不能比的拒绝。"""

import hashlib
import json
import shutil
from pathlib import Path

import pytest
from evaluation import fake_endpoint
from evaluation.eval_scripts import AFTER, scores_of
from stage_scripts import run_here

from health_assistant.evaluation import metrics

COMPARE = "4-eval-after-tuning/compare.py"


def write_run(folder: Path, when: str, data: Path, answer) -> None:
    """一次评测的产物，回答由 answer(行) 给出。"""
    rows = []
    for line in data.read_text("utf-8").splitlines():
        given = json.loads(line)
        row = {key: given[key] for key in ("id", "case_id", "turn", "reference")}
        row |= {"prediction": answer(given), "finish_reason": "stop"}
        rows.append(row | {"scores": metrics.score_answer(row["prediction"], row["reference"])})
    columns = [[row[key] for row in rows] for key in ("case_id", "prediction", "reference")]
    digest = hashlib.sha256(data.read_bytes()).hexdigest()
    scores = scores_of(rows, metrics.summarise(*columns), model=when, data_sha256=digest)
    place = folder / "eval/tiny" / when
    place.mkdir(parents=True)
    (place / "scores.json").write_text(json.dumps(scores), encoding="utf-8")
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (place / "predictions.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    """208 题；之后的一次多答对了每个病例的第一问。"""
    folder = tmp_path_factory.mktemp("two-runs")
    data = fake_endpoint.write_questions(folder / "eval-data", cases=52, turns=4)
    write_run(folder, "before", data, lambda row: "建议多休息\u2028多喝水。")
    write_run(folder, "after", data, lambda row: row["reference"] if row["turn"] == 1 else "建议多休息\u2028多喝水。")
    return folder


def test_both_columns_have_every_question(two_runs):
    done = run_here(two_runs, COMPARE)
    assert done.returncode == 0, done.stderr
    assert "n = 208 与 208" in done.stdout
    assert "提高" in done.stdout
    assert "微型模型、示例数据，不代表真实水平" in done.stdout
    place = two_runs / "eval/tiny/compare"
    for change in json.loads((place / "compare.json").read_text("utf-8")):
        assert change["n"] == 208
        if change["name"] == "rouge_l":
            assert (change["win"], change["tie"], change["loss"]) == (52, 156, 0)
            assert 0 < change["low"] < change["difference"] < change["high"]
    assert (place / "compare.html").exists()
    assert "比较过了" in run_here(two_runs, COMPARE).stdout


def test_runs_that_cannot_be_compared_are_refused(two_runs, tmp_path):
    shutil.copytree(two_runs, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("compare"))
    other = tmp_path / "eval/tiny/after/scores.json"
    scores = json.loads(other.read_text("utf-8"))
    other.write_text(json.dumps(scores | {"base_model": "llama-3-8b"}), encoding="utf-8")
    done = run_here(tmp_path, COMPARE)
    assert (done.returncode, "基座模型不同" in done.stderr) == (2, True), done.stderr
    assert not (tmp_path / "eval/tiny/compare").exists()


@pytest.mark.parametrize(("script", "said"), [(COMPARE, "eval_before.py"), (AFTER, "3-fine-tuning-llm/train_llm.py")])
def test_what_is_missing_names_the_script_that_makes_it(tmp_path, script, said):
    fake_endpoint.write_questions(tmp_path / "eval-data")
    done = run_here(tmp_path, script)
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr


def test_a_model_tuned_from_another_base_is_refused(tmp_path):
    fake_endpoint.write_questions(tmp_path / "eval-data")
    tuned = tmp_path / "llm/tiny"
    (tuned / "merged").mkdir(parents=True)
    for other in ("llama-3-8b", "tiny-llm-000000000000"):
        record = {"base_identity": other, "recipe": {"quantized_model": ""}}
        (tuned / "training.json").write_text(json.dumps(record), encoding="utf-8")
        done = run_here(tmp_path, AFTER)
        assert (done.returncode, other in done.stderr) == (2, True), done.stderr
