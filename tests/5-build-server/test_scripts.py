"""阶段 5 的脚本：serve.py 的选项，ask_server.py 从头跑到尾。"""

import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import serve
import stage_scripts
import torch
from model_servers import ROOT, SERVE, free_port
from PIL import Image
from stage_scripts import fake_command, run_here

from health_assistant.lab_report.report import DISCLAIMER, ReadReport
from health_assistant.training import precision

STAGE = ROOT / "5-build-server"
ASK = "5-build-server/ask_server.py"
TRANSFORMERS = ("--backend", "transformers")


# ---- ask_server.py ----


def test_ask_server_writes_its_answers_once(embedded_server, photo, tmp_path):
    done = run_here(tmp_path, ASK, "--base-url", embedded_server.url, "--photo", photo.path)
    assert done.returncode == 0, done.stderr
    assert "embedded-report-reader" in done.stdout
    folder = tmp_path / "5-build-server"
    assert len(ReadReport.model_validate_json((folder / "read-report.json").read_text()).items) == len(photo.rows)
    advice = (folder / "advice.md").read_text()
    assert advice.strip().endswith(DISCLAIMER)
    assert advice.strip() in done.stdout

    again = run_here(tmp_path, ASK, "--base-url", embedded_server.url, "--photo", photo.path)
    assert (again.returncode, "问过了" in again.stdout) == (0, True)
    nobody = f"http://127.0.0.1:{free_port()}/v1"
    elsewhere = run_here(tmp_path, ASK, "--base-url", nobody, "--photo", photo.path)
    assert elsewhere.returncode == 1, "换一个服务就要重问"
    assert "连不上模型服务" in elsewhere.stderr
    assert "python 5-build-server/serve.py" in elsewhere.stderr
    assert (folder / "advice.md").read_text() == advice


def test_ask_server_passes_on_why_the_server_refused(embedded_server, tmp_path):
    blank = tmp_path / "blank.png"
    Image.new("1", (400, 400), 1).save(blank)
    done = run_here(tmp_path, ASK, "--base-url", embedded_server.url, "--photo", blank)
    assert done.returncode == 1
    assert "没有看清文字" in done.stderr
    assert not (tmp_path / "5-build-server").exists()


def test_ask_server_without_a_photo(tmp_path):
    done = run_here(tmp_path, ASK, "--photo", tmp_path / "none.jpg")
    assert (done.returncode, "没有这个文件" in done.stderr) == (2, True)


# ---- bench.sh ----


def test_bench_takes_prompts_from_where_the_command_was_typed(tmp_path):
    """python 换成替身：模型名与结果的目录照答，EvalScope 那一次把参数记下来。"""
    body = f'case "$*" in *evalscope.cli*) echo "$*" ;; *" model "*) echo m ;; *) echo "{tmp_path}/结 果" ;; esac'
    fake_command(tmp_path / "bin/python", body)
    environment = os.environ | {"PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}", "PROMPTS": "我的 提问.txt"}
    done = subprocess.run(["bash", STAGE / "bench.sh"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    asked = (tmp_path / "结 果/evalscope.log").read_text(encoding="utf-8")
    assert f"--dataset-path {tmp_path}/我的 提问.txt --parallel" in asked


# ---- serve.py ----


def test_busy_port_is_said(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_here(tmp_path, SERVE, "--port", port)
    assert done.returncode == 2
    assert f"127.0.0.1:{port} 不能用" in done.stderr


@pytest.fixture
def run_serve(monkeypatch, capsys):
    """在本进程里运行 serve.py，省得再装一遍 torch：退出码，标准输出，标准错误。"""

    def run(*options: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["serve.py", *map(str, options)])
        return serve.main(), *capsys.readouterr()

    return run


@pytest.fixture
def dry_run(run_serve):
    return partial(run_serve, "--dry-run")


@pytest.fixture
def without_vllm(monkeypatch, tmp_path):
    """没有装 vllm 的机器。"""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("VLLM_API_KEY", "")  # serve.py 会写它；测试完了恢复


def test_dry_run_starts_nothing(dry_run):
    code, said, problem = dry_run("--host", "0.0.0.0", "--port", "8123")
    assert (code, problem) == (0, "")
    assert "内置引擎" in said
    assert "http://127.0.0.1:8123/v1" in said


def test_dry_run_says_what_will_run(dry_run, llm):
    name, path = next(iter(llm.adapters.items()))
    code, said, problem = dry_run(*TRANSFORMERS, "--model", llm.folder, "--adapter", f"{name}={path}", "--port", "8123")
    assert code == 0, problem
    for word in (str(llm.folder), "MiB", "LoRA", name, "http://127.0.0.1:8123/v1"):
        assert word in said


def test_dry_run_says_the_precision_it_will_use(dry_run, llm, monkeypatch):
    monkeypatch.setattr(precision, "running_dtype", lambda config: torch.float16)
    assert "，精度 float16；" in dry_run(*TRANSFORMERS, "--model", llm.folder)[1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--model", "tiny"], "--model"),
        (["--allowed-origins", "app.example"], "app.example 不是网页的来源"),
        ([*TRANSFORMERS, "--model", "/没有/这个目录"], "没有模型 /没有/这个目录"),
        ([*TRANSFORMERS, "--adapter", "没有等号"], "名字=目录"),
        ([*TRANSFORMERS, "--adapter", "a=/没有"], "adapter_config.json"),
        ([*TRANSFORMERS, "--config", "a.yaml"], "--config 只给 vllm 用"),
        (["--api-key", "芝麻开门"], "--api-key 或 MODEL_SERVER_API_KEY 里有汉字"),
    ],
)
def test_bad_options_are_explained(dry_run, options, words):
    code, _, problem = dry_run(*options)
    assert (code, words in problem) == (2, True), problem


def test_vllm_is_replaced_by_its_own_command_and_the_key_is_not_shown(run_serve, without_vllm, tmp_path):
    """没有装 vllm 的：说会运行什么、装好以后怎样用、去哪里装。"""
    config = STAGE / "configs/qwen2.5-14b-merged.yaml"
    options = ["--backend", "vllm", "--config", config, "--model", tmp_path, "--served-model-name", "mine"]
    code, said, problem = run_serve(*options, "--api-key", "sk-secret")
    assert code == 2
    assert said.startswith(f"vllm serve {tmp_path} ")
    assert "model='mine'" in said
    assert "sk-secret" not in said + problem
    assert "没有 vllm" in problem


@pytest.mark.parametrize(("width", "code", "words"), [(64, 2, "没有 vllm"), (2**27, 1, "放不下：一张卡要")])
def test_what_vllm_needs_is_said_before_it_starts(run_serve, without_vllm, tmp_path, width, code, words):
    """小的哪台机器都放得下，大的（十几 TiB）哪台都放不下。"""
    from transformers import Qwen2Config

    shape = {"hidden_size": 8192, "intermediate_size": width, "num_attention_heads": 64, "num_key_value_heads": 8}
    Qwen2Config(**shape, num_hidden_layers=2, vocab_size=1000).save_pretrained(tmp_path)
    options = ["--config", STAGE / "configs/qwen2.5-14b-merged.yaml", "--model", tmp_path]
    ended, said, problem = run_serve("--backend", "vllm", *options)
    assert "估计要" in said
    assert (ended, words in problem) == (code, True), problem


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded_is_explained(llm, tmp_path):
    """工作进程里才发现的，也以退出码 2 结束，不反复重来。"""
    for file in llm.folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "chat_template.jinja").write_text("{{ messages[0].content }}")
    done = stage_scripts.run(tmp_path, SERVE, *TRANSFORMERS, "--model", tmp_path, "--port", "0", timeout=60)
    assert done.returncode == 2
    assert "不是 ChatML" in done.stderr
    assert "Traceback" not in done.stderr
