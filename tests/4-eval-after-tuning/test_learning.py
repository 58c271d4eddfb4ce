"""整条路真的学得到东西吗：真实的问诊对话，微型模型，备数据 → 训练 → 合并 → 前后评测 → 比较。约 5 分钟。"""

import json
import time
from functools import partial
from pathlib import Path

import pytest
from stage_scripts import ROOT, run_well

DIALOGUES = ROOT.parent / "shared/data/chinese-medical-dialogue-sample.csv"
HELD_OUT = 200

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DIALOGUES.exists(), reason="没有 ../shared/data 里的问诊对话")]


def held_out_questions(val: Path, path: Path) -> Path:
    """验证集的前 200 问，写成评测数据的样子。"""
    rows = []
    for number, line in enumerate(val.read_text(encoding="utf-8").split("\n")[:HELD_OUT], 1):
        *asked, answer = json.loads(line)["messages"]
        row = {"id": f"{number}-1", "case_id": str(number), "turn": 1, "title": "问诊", "messages": asked}
        rows.append(json.dumps(row | {"reference": answer["content"]}, ensure_ascii=False))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def test_tuning_on_real_dialogues_helps(tmp_path, capsys):
    began, run = time.monotonic(), partial(run_well, tmp_path, timeout=1500)
    mapping = ["--map", "question=title+ask,answer=answer", "--name", "dialogues"]
    run("3-fine-tuning-llm/prepare_train_data.py", "--source", DIALOGUES, *mapping, here=True)
    questions = held_out_questions(tmp_path / "train-data/dialogues/val.jsonl", tmp_path / "held-out.jsonl")
    # 批小一半，更新的次数多一倍：只看一遍数据时，微型模型要靠它学会照着问题答，而不只是学会写法
    recipe = ["--dataset_name", "dialogues", "--num_train_epochs", 1, "--max_length", 256]
    recipe += ["--update_rows", 4, "--eval_steps", 600]
    run("3-fine-tuning-llm/train_llm.py", *recipe)
    run("3-fine-tuning-llm/merge_llm.py", here=True)
    for script in ("2-eval-before-tuning/eval_before.py", "4-eval-after-tuning/eval_after.py"):
        run(script, "--data", questions, here=True)
    run("4-eval-after-tuning/compare.py", "--data", questions, here=True)

    training = json.loads((tmp_path / "llm/tiny/training.json").read_text(encoding="utf-8"))
    (rouge,) = [
        row
        for row in json.loads((tmp_path / "eval/tiny/compare/compare.json").read_text(encoding="utf-8"))
        if row["name"] == "rouge_l"
    ]
    with capsys.disabled():
        losses = f"{training['held_out_loss_before']:.3f} → {training['held_out_loss']:.3f}"
        print(f"\n{time.monotonic() - began:.0f} 秒；验证损失 {losses}；ROUGE-L F：{rouge}")
    assert training["held_out_loss"] < training["held_out_loss_before"]
    assert rouge["n"] == HELD_OUT
    assert rouge["low"] > 0
    assert rouge["after"] > rouge["shuffled_after"]
