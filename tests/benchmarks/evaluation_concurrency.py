"""208 题问一个每题 0.2 秒的接口，从第一问发出到最后一答回来：并发 16 至少比并发 1 快 8 倍。达不到时退出码 1。

PYTHONPATH=tests python tests/benchmarks/evaluation_concurrency.py
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from evaluation import fake_endpoint

ROOT = Path(__file__).resolve().parent.parent.parent
LATENCY, WANTED = 0.2, 8.0


def seconds(folder: Path, concurrency: int) -> float:
    """接口那一头看到的时间。"""
    with fake_endpoint.running(folder, latency=LATENCY) as endpoint:
        command = [sys.executable, ROOT / "2-eval-before-tuning/eval_before.py", "--config", folder / "run.yaml"]
        command += ["--api-base", endpoint.url, "--model", "fake", "--concurrency", str(concurrency), "--force"]
        environment = os.environ | {"HEALTH_ASSISTANT_ARTIFACTS": str(folder)}
        subprocess.run(command, env=environment, check=True, capture_output=True)
        asked = endpoint.asked()
    assert len(asked) == 208
    return max(one["ended"] for one in asked) - min(one["began"] for one in asked)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fake_endpoint.write_questions(folder / "eval-data", cases=52, turns=4)
        (folder / "run.yaml").write_text("model_name_or_path: some/base\n", encoding="utf-8")
        one, sixteen = seconds(folder, 1), seconds(folder, 16)
    print(f"208 题：并发 1 用 {one:.1f} 秒，并发 16 用 {sixteen:.2f} 秒，快 {one / sixteen:.1f} 倍，要 {WANTED:.0f} 倍")
    return 0 if one / sixteen >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
