"""阶段 0：真脚本跑一遍，再用假机器看每种判断。"""

import json
import os
import socket
import subprocess
import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import SimpleNamespace

import pytest
from local_servers import LocalServer
from stage_scripts import ROOT, fake_command, load

SCRIPT = ROOT / "0-env-init/check_env.py"


@pytest.fixture(scope="module")
def check_env():
    return load("0-env-init/check_env.py")


@pytest.fixture
def machine(check_env):
    """一台什么都合适、没有 GPU 的机器；各测试改坏一处。"""
    return check_env.Machine(
        python=(3, 11, 7),
        cpu="某 CPU",
        cores=2,
        memory_gb=8.0,
        disk_gb=100.0,
        pins=[check_env.Pin("flask", "3.1.3", "3.1.3")],
        hubs={"ModelScope": 50, "Hugging Face": 80, "HF 镜像": 60},
    )


def with_gpu(check_env, machine, memory_gb, driver_cuda="13.0", torch_cuda="13.0"):
    machine.gpus = [check_env.Gpu("某 GPU", "580.65.06", memory_gb)]
    machine.driver_cuda, machine.torch_cuda = driver_cuda, torch_cuda
    return machine


def fatal_rows(check_env, machine):
    return [finding.row for finding in check_env.judge(machine) if finding.fatal]


# ---- 真脚本 ----


def test_the_real_script_prints_the_table_and_its_json_says_the_same():
    table, report = (
        subprocess.run([sys.executable, SCRIPT, *options], capture_output=True, text=True, timeout=120)
        for options in ([], ["--json"])
    )
    rows = "Python CPU 内存 磁盘剩余 GPU 驱动 CUDA 显存 依赖 ModelScope 微调视觉模型"
    assert [row for row in rows.split() if row not in table.stdout] == []
    assert table.returncode == report.returncode == (1 if "✗" in table.stdout else 0), table.stdout
    shown = json.loads(report.stdout)
    assert shown["ready"] == (report.returncode == 0)
    assert shown["machine"]["python"][:2] == list(sys.version_info[:2])
    assert "torch" in [pin["name"] for pin in shown["machine"]["pins"]]


# ---- 不能跑的情形 ----


def test_a_sound_machine_without_gpu_can_run(check_env, machine):
    findings = check_env.judge(machine)
    assert [finding.row for finding in findings] == ["GPU"]
    assert not findings[0].fatal
    assert all(recipe.config.endswith("/tiny.yaml") for recipe in check_env.choose_recipes(machine).values())


@pytest.mark.parametrize(
    ("change", "rows"),
    [
        ({"python": (3, 10, 14)}, ["Python"]),
        ({"python": (3, 12, 1)}, []),
        ({"python": (3, 13, 0)}, ["Python"]),
        ({"disk_gb": 1.0, "memory_gb": 2.0}, ["内存", "磁盘剩余"]),
    ],
)
def test_what_the_course_cannot_do_without(check_env, machine, change, rows):
    vars(machine).update(change)
    assert fatal_rows(check_env, machine) == rows


@pytest.mark.parametrize("installed", ["3.1.2", None])
def test_mismatched_pin_is_shown_with_its_remedy(check_env, machine, capsys, installed):
    machine.pins.append(check_env.Pin("peft", "0.21.2", installed))
    findings = check_env.judge(machine)
    check_env.print_table(machine, findings)
    shown = capsys.readouterr().out
    assert fatal_rows(check_env, machine) == ["依赖"]
    assert "✗ 依赖" in shown
    assert "pip install -r requirements.txt" in shown
    assert f"要 0.21.2，现在 {installed or '没有装'}" in shown
    assert "flask" not in shown


def test_pins_are_read_from_the_file(check_env, tmp_path):
    requirements = tmp_path / "requirements.txt"
    requirements.write_text(f"# 说明\npytest[dev]=={pytest.__version__}\nno-such-package==1.0\n", encoding="utf-8")
    assert check_env.wanted_pins(requirements) == {"pytest": pytest.__version__, "no-such-package": "1.0"}
    assert check_env.installed_version("pytest") == pytest.__version__
    assert check_env.installed_version("no-such-package") is None


@pytest.mark.parametrize(("torch_cuda", "torch"), [("13.0", "2.13.0"), ("12.8", "2.10.0"), (None, "2.13.0")])
def test_torch_for_an_older_driver_is_another_pin(check_env, monkeypatch, torch_cuda, torch):
    monkeypatch.setattr(check_env, "read_torch_cuda", lambda: torch_cuda)
    monkeypatch.setattr(check_env, "ask_hubs", lambda *_: {})
    wanted = {pin.name: pin.wanted for pin in check_env.look_at_machine().pins}
    assert wanted["torch"] == torch
    assert "torchvision" not in wanted
    assert "transformers" in wanted


def test_disk_is_that_of_the_environment(check_env, tmp_path, monkeypatch):
    """.venv 链接到数据盘时，看的是数据盘。"""
    (tmp_path / "data").mkdir()
    (tmp_path / ".venv").symlink_to(tmp_path / "data")
    sizes = {"data": 50, tmp_path.name: 2}
    monkeypatch.setattr(check_env.shutil, "disk_usage", lambda path: SimpleNamespace(free=sizes[path.resolve().name]))
    assert check_env.free_disk(tmp_path) == 50
    (tmp_path / ".venv").unlink()
    assert check_env.free_disk(tmp_path) == 2


# ---- GPU 与配方 ----


@pytest.mark.parametrize(
    ("memory_gb", "llm", "vl"),
    [
        (2, "tiny", "tiny"),
        (4, "qwen2.5-0.5b", "tiny"),
        (8, "qwen2.5-7b-qlora", "qwen2-vl-2b-qlora"),
        (12, "qwen2.5-14b-qlora", "qwen2-vl-7b-qlora"),
        (16, "qwen2.5-14b-qlora", "qwen2-vl-7b-qlora"),
        (24, "qwen2.5-14b-qlora", "qwen2-vl-7b-lora"),
        (80, "qwen2.5-14b-lora", "qwen2-vl-7b-lora"),
    ],
)
def test_recipe_by_vram(check_env, machine, memory_gb, llm, vl):
    with_gpu(check_env, machine, memory_gb)
    chosen = check_env.choose_recipes(machine)
    assert {kind: Path(recipe.config).stem for kind, recipe in chosen.items()} == {"llm": llm, "vl": vl}


@pytest.mark.parametrize(
    ("compute", "torch_cuda", "words", "remedy"),
    [
        (8.9, "13.0", "", ""),
        (7.5, "13.0", "没有 bf16", "--max_steps 20"),
        (7.0, "13.0", "用不了它", "按 CUDA 12 编译的一组"),
        (7.0, "12.8", "没有 bf16", "--max_steps 20"),
        (6.1, "13.0", "用不了它", "换一张卡"),
        (6.1, "12.8", "用不了它", "换一张卡"),
    ],
    ids=["RTX 4090", "T4", "V100", "V100，CUDA 12", "GTX 1080", "GTX 1080，CUDA 12"],
)
def test_a_card_too_old_for_torch_or_without_bf16_is_told(check_env, machine, compute, torch_cuda, words, remedy):
    with_gpu(check_env, machine, 16, torch_cuda=torch_cuda).gpus[0].compute = compute
    findings = check_env.judge(machine)
    assert [finding.row for finding in findings] == (["GPU"] if words else [])
    assert not words or (words in findings[0].text and remedy in findings[0].remedy and not findings[0].fatal)


def test_suggested_recipes_exist_and_the_rest_are_for_special_cases(check_env):
    for stage, recipes in (("3-fine-tuning-llm", check_env.LLM_RECIPES), ("6-fine-tuning-vl", check_env.VL_RECIPES)):
        files = {f"{stage}/configs/{path.name}" for path in (ROOT / stage / "configs").glob("*.yaml")}
        suggested = {recipe.config for recipe in recipes}
        assert suggested <= files
        others = {Path(name).stem for name in files - suggested if "/dataset-" not in name}
        assert others <= {"qwen2.5-14b-lora-multi-gpu", "qwen2.5-vl-7b-lora", "qwen2.5-0.5b-laptop"}


def test_recipe_disk_is_a_notice_only(check_env, machine):
    with_gpu(check_env, machine, 24).disk_gb = 30.0
    findings = check_env.judge(machine)
    assert [(finding.row, finding.fatal) for finding in findings] == [("磁盘剩余", False)]
    assert "qwen2.5-14b-qlora.yaml 估计要 70 GB" in findings[0].text


@pytest.mark.parametrize(
    ("driver_cuda", "torch_cuda", "words", "remedy"),
    [
        ("13.0", "13.0", None, None),
        ("12.8", "13.0", "驱动只到 12.8", "按 CUDA 12 编译的一组"),
        ("11.4", "13.0", "驱动只到 11.4", "580 起"),
        ("11.4", "12.8", "驱动只到 11.4", "525 起），或租驱动支持 CUDA 12 的机器"),
        ("13.0", None, "不是 CUDA 版", "requirements-gpu.txt"),
        ("12.4", "12.8", None, None),
        ("13.1", "12.8", None, None),
    ],
)
def test_unusable_gpu_is_said(check_env, machine, driver_cuda, torch_cuda, words, remedy):
    findings = check_env.judge(with_gpu(check_env, machine, 24, driver_cuda, torch_cuda))
    assert [finding.row for finding in findings] == (["CUDA"] if words else [])
    assert not words or (words in findings[0].text and remedy in findings[0].remedy)
    assert not any(finding.fatal for finding in findings)


def test_nvidia_smi_output_is_parsed(check_env):
    lines = "NVIDIA GeForce RTX 4090, 570.124.04, 24564, 8.9\nNVIDIA GB10, 580.65.06, [N/A], [N/A]\n"
    gpus = check_env.parse_gpus(lines)
    assert gpus == [
        check_env.Gpu("NVIDIA GeForce RTX 4090", "570.124.04", 24, 8.9),
        check_env.Gpu("NVIDIA GB10", "580.65.06", 0),
    ]
    assert check_env.parse_gpus("") == []


@pytest.mark.parametrize(
    ("body", "gpus", "cuda"),
    [
        (
            """case "$1" in
  --query-gpu=*,compute_cap) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
  --query-gpu=*) echo "Tesla T4, 525.60.13, 15360" ;;
  *) echo "| NVIDIA-SMI 525.60.13    Driver Version: 525.60.13    CUDA Version: 12.0     |" ;;
esac""",
            [("Tesla T4", "525.60.13", 15)],
            "12.0",
        ),
        (
            """case "$1" in
  --query-gpu=*) echo "Tesla V100-SXM2-16GB, 580.65.06, 16384, 7.0" ;;
  *) echo "| NVIDIA-SMI 580.65.06    Driver Version: 580.65.06    CUDA Version: 13.0     |" ;;
esac""",
            [("Tesla V100-SXM2-16GB", "580.65.06", 16, 7.0)],
            "13.0",
        ),
        ("echo NVIDIA-SMI has failed; exit 9", [], None),
    ],
)
def test_the_gpu_is_asked_through_nvidia_smi(check_env, tmp_path, monkeypatch, body, gpus, cuda):
    """真的运行一个 nvidia-smi（替身）；驱动坏了就当没有 GPU。"""
    fake_command(tmp_path / "nvidia-smi", body)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert check_env.read_gpus() == ([check_env.Gpu(*one) for one in gpus], cuda)


# ---- 模型站 ----


def test_only_when_no_hub_answers_is_it_said(check_env, machine):
    machine.hubs.update(dict.fromkeys(["ModelScope", "Hugging Face"]))
    assert [finding.row for finding in check_env.judge(machine)] == ["GPU"], "下载时自己换到镜像"
    machine.hubs["HF 镜像"] = None
    about_hubs = check_env.judge(machine)[-1]
    assert about_hubs.row == "模型站" and "不受影响" in about_hubs.remedy and not about_hubs.fatal


def test_only_an_answer_below_500_counts(check_env, monkeypatch):
    """答 403 的，答 502 的，接了电话不说话的，拒绝连接的。"""
    monkeypatch.setenv("no_proxy", "*")

    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(403 if self.path == "/403" else 502)
            self.end_headers()

    with (
        LocalServer(Refuses) as server,
        socket.socket() as silent,
        socket.socket() as closed,
    ):
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        closed.bind(("127.0.0.1", 0))  # 没有 listen
        ports = [server.server_port, server.server_port, silent.getsockname()[1], closed.getsockname()[1]]
        paths = ["403", "502", "", ""]
        urls = [f"http://127.0.0.1:{port}/{path}" for port, path in zip(ports, paths, strict=True)]
        answers = check_env.ask_hubs(dict(zip("甲乙丙丁", urls, strict=True)), 1)
    assert [name for name, milliseconds in answers.items() if milliseconds is not None] == ["甲"]
