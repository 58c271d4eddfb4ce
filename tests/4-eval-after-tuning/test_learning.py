"""整条路真的学得到东西吗：真实的问诊对话，微型模型，备数据 → 训练 → 合并 → 前后评测 → 比较。约 5 分钟。"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DIALOGUES = ROOT.parent / "shared/data/chinese-medical-dialogue-sample.csv"
HELD_OUT = 200

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not DIALOGUES.exists(), reason="没有 ../shared/data 里的问诊对话")]


def run(script: str, home: Path, *arguments) -> float:
    """运行一个阶段的脚本，返回秒数。"""
    began = time.monotonic()
    environment = os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, ROOT / script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    return time.monotonic() - began


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
    mapping = ["--map", "question=title+ask,answer=answer", "--name", "dialogues"]
    seconds = run("3-fine-tuning-llm/prepare_train_data.py", tmp_path, "--source", DIALOGUES, *mapping)
    questions = held_out_questions(tmp_path / "train-data/dialogues/val.jsonl", tmp_path / "held-out.jsonl")
    # 批小一半，更新的次数多一倍：只看一遍数据时，微型模型要靠它学会照着问题答，而不只是学会写法
    recipe = ["--dataset_name", "dialogues", "--num_train_epochs", 1, "--max_length", 256]
    recipe += ["--update_rows", 4, "--eval_steps", 600]
    seconds += run("3-fine-tuning-llm/train_llm.py", tmp_path, *recipe)
    seconds += run("3-fine-tuning-llm/merge_llm.py", tmp_path)
    seconds += run("2-eval-before-tuning/eval_before.py", tmp_path, "--data", questions)
    seconds += run("4-eval-after-tuning/eval_after.py", tmp_path, "--data", questions)
    seconds += run("4-eval-after-tuning/compare.py", tmp_path, "--data", questions)

    training = json.loads((tmp_path / "llm/tiny/training.json").read_text(encoding="utf-8"))
    (rouge,) = [
        row
        for row in json.loads((tmp_path / "eval/tiny/compare/compare.json").read_text(encoding="utf-8"))
        if row["name"] == "rouge_l"
    ]
    with capsys.disabled():
        losses = f"{training['held_out_loss_before']:.3f} → {training['held_out_loss']:.3f}"
        print(f"\n{seconds:.0f} 秒；验证损失 {losses}；ROUGE-L F：{rouge}")
    assert training["held_out_loss"] < training["held_out_loss_before"]
    assert rouge["n"] == HELD_OUT
    assert rouge["low"] > 0
    assert rouge["after"] > rouge["shuffled_after"]
