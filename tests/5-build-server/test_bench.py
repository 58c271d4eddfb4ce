"""bench.sh 对真的 transformers 服务跑一遍；汇总与说明。"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from model_servers import ROOT, free_port
from PIL import Image
from stage_scripts import run_here


def bench(*args: str, home: Path, **env: str) -> subprocess.CompletedProcess:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    settings = {"PATH": path, "HEALTH_ASSISTANT_ARTIFACTS": str(home)} | env
    command = ["bash", ROOT / "5-build-server/bench.sh", *args]
    return subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_a_load_test_ends_in_a_table_and_a_plot(llm_server, tmp_path):
    small = {"PARALLEL": "1 4", "NUMBER": "2 4", "MAX_TOKENS": "8", "MODEL_SERVER_API_KEY": llm_server.api_key}
    done = bench(llm_server.url, "other", home=tmp_path, **small)
    assert done.returncode == 0, done.stderr
    head, _, *rows = (tmp_path / "bench/other/bench.md").read_text(encoding="utf-8").splitlines()[2:]
    assert head.startswith("| 并发 | 成功 | 每秒请求 |")
    assert [row.split(" | ")[:2] for row in rows] == [["| 1", "2/2"], ["| 4", "4/4"]]
    assert all(float(cell.strip(" |")) > 0 for row in rows for cell in row.split(" | ")[2:])
    assert head in done.stdout
    assert Image.open(tmp_path / "bench/other/bench.png").width > 800


@pytest.mark.slow
def test_what_is_wrong_is_said_before_any_load(tmp_path):
    done = bench(f"http://127.0.0.1:{free_port()}/v1", home=tmp_path)
    assert (done.returncode, "连不上" in done.stderr) == (2, True)
    assert not [*tmp_path.iterdir()]
    wrong = bench("--fast", home=tmp_path)
    assert (wrong.returncode, "用法" in wrong.stderr) == (2, True)


@pytest.mark.slow
def test_a_model_that_is_not_there_is_named(llm_server, tmp_path):
    done = bench(llm_server.url, "gpt-0", home=tmp_path, MODEL_SERVER_API_KEY=llm_server.api_key)
    assert (done.returncode, "没有 gpt-0，有 base、tuned-1.5、other" in done.stderr) == (2, True)


def test_results_without_records_are_refused(tmp_path):
    done = run_here(tmp_path, "5-build-server/bench_results.py", "report", "nobody")
    assert (done.returncode, "先运行 bench.sh" in done.stderr) == (2, True)
