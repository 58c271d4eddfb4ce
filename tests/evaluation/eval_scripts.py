"""阶段 2、4 的测试共用的：像用户那样运行脚本，读它写下的结果。"""

import json
import subprocess
import sys
from pathlib import Path

from stage_scripts import ROOT, environment, run_here

from health_assistant.evaluation.evaluate import PROMPT_VERSION

BEFORE, AFTER = "2-eval-before-tuning/eval_before.py", "4-eval-after-tuning/eval_after.py"
CONFIG = "model_name_or_path: some/base\n"


def with_config(folder: Path, config: str, *options) -> list:
    """配方写成 run.yaml；命令行的选项。"""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.yaml").write_text(config, encoding="utf-8")
    return ["--config", folder / "run.yaml", *options]


def start(folder: Path, *options, script: str = BEFORE, config: str = CONFIG) -> subprocess.Popen:
    """另一个进程里的评测，可以杀掉。"""
    command = [sys.executable, ROOT / script, *with_config(folder, config, *options)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([*map(str, command)], env=environment(folder), **pipes)


def run(folder: Path, *options, script: str = BEFORE, config: str = CONFIG) -> subprocess.CompletedProcess:
    return run_here(folder, script, *with_config(folder, config, *options))


def compare(folder: Path, *options) -> subprocess.CompletedProcess:
    return run_here(folder, "4-eval-after-tuning/compare.py", "--recipe", "run", *options)


def scores_of(rows: list | dict, metrics: dict, **more) -> dict:
    """一次评测的 scores.json。"""
    return {
        "base_model": "tiny-llm-abc",
        "data_source": "bundled-sample",
        "is_sample": True,
        "prompt_version": PROMPT_VERSION,
        "generation": {"max_new_tokens": 64, "greedy": True},
        "n": len(rows),
        **dict.fromkeys(("empty", "failed", "thinking", "only_thinking", "cut", "looping"), 0),
        "metrics": metrics,
        "seconds": 1.0,
        "machine": "2 核 CPU",
    } | more


def results(folder: Path, when: str = "before") -> tuple[list[dict], dict]:
    place = folder / "eval/run" / when
    rows = [json.loads(line) for line in (place / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    return rows, json.loads((place / "scores.json").read_text(encoding="utf-8"))
