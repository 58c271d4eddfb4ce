"""阶段 2、4 的测试共用的：像用户那样运行脚本，读它写下的结果。"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "2-eval-before-tuning/eval_before.py"
CONFIG = "model_name_or_path: some/base\n"


def environment(folder: Path) -> dict:
    return os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(folder), "HF_HUB_OFFLINE": "1"}


def start(folder: Path, *options, script: Path = SCRIPT, config: str = CONFIG) -> subprocess.Popen:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "run.yaml").write_text(config, encoding="utf-8")
    command = [sys.executable, script, "--config", folder / "run.yaml", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([str(one) for one in command], env=environment(folder), **pipes)


def run(folder: Path, *options, **settings) -> subprocess.CompletedProcess:
    process = start(folder, *options, **settings)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def results(folder: Path, when: str = "before") -> tuple[list[dict], dict]:
    place = folder / "eval/run" / when
    rows = [json.loads(line) for line in (place / "predictions.jsonl").read_text(encoding="utf-8").splitlines()]
    return rows, json.loads((place / "scores.json").read_text(encoding="utf-8"))
