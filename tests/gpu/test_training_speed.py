"""在 GPU 上量训练的脚本先在 CPU 上走一遍：真的配方，极小的基座；借到 GPU 的十分钟不能花在脚本的错上。"""

import json
import sys

import pytest
from gpu import speed_table, training_speed
from gpu.training_speed import LLM, ROOT, VL

ON_GPU_ONLY = {"reserved_gib"}


@pytest.fixture
def ask(tmp_path, monkeypatch):
    def call(*options: str) -> list[dict]:
        monkeypatch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'tests'}")
        monkeypatch.setattr(sys, "argv", ["training_speed.py", "--out", str(tmp_path / "out"), *options])
        assert training_speed.main() == 0
        measured = tmp_path / "out/measured.jsonl"
        return [json.loads(line) for line in measured.read_text(encoding="utf-8").splitlines()] if options else []

    return call


@pytest.mark.slow
def test_every_kind_of_measurement_runs(tmp_path, ask, monkeypatch, capsys):
    """每种做法各一次，留下的每一行 speed_table.py 都收得下；没有装的后端说出来。"""
    qlora, pages = LLM / "qwen2.5-14b-qlora.yaml", VL / "qwen2-vl-7b-lora.yaml"
    jobs = [("", qlora, "transformers", [(120, way, 4)], 300) for way in ("today", "filled")]
    jobs += [("", pages, "transformers", [(0, way, 4)], 300) for way in ("today", "filled")]
    monkeypatch.setattr(training_speed, "JOBS", [*jobs, ("", qlora, "unsloth", [(120, "filled", 4)], 300)])
    monkeypatch.setattr(training_speed, "find_spec", lambda name: None)
    measured = ask("--size", "small", "--home", str(tmp_path / "bases"))
    assert [one.get("error") for one in measured] == [None] * 4
    assert [(one["recipe"], one["way"]) for one in measured] == [(job[1].stem, job[3][0][1]) for job in jobs]
    assert all(set(speed_table.KEPT) - ON_GPU_ONLY <= one.keys() for one in measured)
    for today, filled in (measured[:2], measured[2:]):
        assert today["losses"] == pytest.approx(filled["losses"], rel=1e-3), "同一次更新"
        assert today["longest_pass"] < filled["longest_pass"]
    assert "没有装 unsloth" in (tmp_path / "out/skipped.json").read_text(encoding="utf-8")
    assert "['qwen2.5-14b-qlora', 'transformers', 120]" in (told := capsys.readouterr().out) and " 倍，峰值 " in told


def test_without_a_gpu_nothing_is_measured_and_the_reason_is_said(ask, monkeypatch, capsys):
    monkeypatch.setattr(training_speed.shutil, "which", lambda name: None)
    ask()
    assert "没有 NVIDIA GPU" in capsys.readouterr().out
