"""阶段 0：真脚本跑一遍，再用假机器看每种判断。"""

import importlib.util
import json
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "0-env-init" / "check_env.py"


@pytest.fixture(scope="module")
def check_env():
    spec = importlib.util.spec_from_file_location("check_env", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_env"] = module  # dataclass 要从这里查注解
    spec.loader.exec_module(module)
    yield module
    del sys.modules["check_env"]


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


def test_real_script_prints_the_table_and_its_exit_code_agrees():
    done = subprocess.run([sys.executable, SCRIPT], capture_output=True, text=True, timeout=30)
    for row in ("Python", "CPU", "内存", "磁盘剩余", "GPU", "驱动", "CUDA", "显存", "依赖", "ModelScope", "配方"):
        assert row in done.stdout
    assert done.returncode == (1 if "✗" in done.stdout else 0), done.stdout


def test_json_says_the_same():
    done = subprocess.run([sys.executable, SCRIPT, "--json"], capture_output=True, text=True, timeout=30)
    report = json.loads(done.stdout)
    assert report["ready"] == (done.returncode == 0)
    assert report["machine"]["python"][:2] == list(sys.version_info[:2])
    assert "torch" in [pin["name"] for pin in report["machine"]["pins"]]


# ---- 不能跑的情形 ----


def test_a_sound_machine_without_gpu_can_run(check_env, machine):
    findings = check_env.judge(machine)
    assert [finding.row for finding in findings] == ["GPU"]
    assert not findings[0].fatal
    assert check_env.choose_recipe(machine) is check_env.TINY


@pytest.mark.parametrize(("version", "fits"), [((3, 10, 14), False), ((3, 12, 1), True), ((3, 13, 0), False)])
def test_python_version(check_env, machine, version, fits):
    machine.python = version
    assert fatal_rows(check_env, machine) == ([] if fits else ["Python"])


def test_too_little_disk_or_memory(check_env, machine):
    machine.disk_gb, machine.memory_gb = 1.0, 2.0
    assert fatal_rows(check_env, machine) == ["内存", "磁盘剩余"]


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
    pins = {pin.name: pin for pin in check_env.read_pins(requirements)}
    assert pins["pytest"].installed == pins["pytest"].wanted
    assert pins["no-such-package"].installed is None


# ---- GPU 与配方 ----


@pytest.mark.parametrize(
    ("memory_gb", "words"),
    [(8, "tiny"), (12, "7B，QLoRA"), (15, "7B，QLoRA"), (24, "14B，QLoRA"), (80, "14B，LoRA")],
)
def test_recipe_by_vram(check_env, machine, memory_gb, words):
    assert words in check_env.choose_recipe(with_gpu(check_env, machine, memory_gb)).name


def test_recipe_disk_is_a_notice_only(check_env, machine):
    with_gpu(check_env, machine, 24).disk_gb = 30.0
    findings = check_env.judge(machine)
    assert [(finding.row, finding.fatal) for finding in findings] == [("磁盘剩余", False)]


@pytest.mark.parametrize(
    ("driver_cuda", "torch_cuda", "words"),
    [("13.0", "13.0", None), ("12.8", "13.0", "驱动只到 12.8"), ("13.0", None, "不是 CUDA 版"), ("13.1", "12.8", None)],
)
def test_unusable_gpu_is_said(check_env, machine, driver_cuda, torch_cuda, words):
    findings = check_env.judge(with_gpu(check_env, machine, 24, driver_cuda, torch_cuda))
    assert [finding.row for finding in findings] == (["CUDA"] if words else [])
    assert not words or words in findings[0].text


def test_nvidia_smi_output_is_parsed(check_env):
    gpus = check_env.parse_gpus("NVIDIA GeForce RTX 4090, 570.124.04, 24564\nNVIDIA GB10, 580.65.06, [N/A]\n")
    assert gpus == [
        check_env.Gpu("NVIDIA GeForce RTX 4090", "570.124.04", 24),
        check_env.Gpu("NVIDIA GB10", "580.65.06", 0),
    ]
    assert check_env.parse_gpus("") == []


# ---- 模型站 ----


@pytest.mark.parametrize(
    ("silent", "row", "words"),
    [
        (["ModelScope", "Hugging Face", "HF 镜像"], "模型站", "不受影响"),
        (["Hugging Face"], "Hugging Face", "ModelScope"),
        (["ModelScope", "Hugging Face"], "ModelScope", "HF_ENDPOINT"),
        (["ModelScope"], "ModelScope", "Hugging Face"),
        (["HF 镜像"], None, None),
    ],
)
def test_silent_hubs_are_notices_with_what_follows(check_env, machine, silent, row, words):
    machine.hubs.update(dict.fromkeys(silent))
    about_hubs = [finding for finding in check_env.judge(machine) if finding.row != "GPU"]
    assert [finding.row for finding in about_hubs] == ([row] if row else [])
    assert not row or (words in about_hubs[0].remedy and not about_hubs[0].fatal)


def test_hubs_are_asked_together_and_never_for_longer(check_env, monkeypatch):
    """两个接了电话不说话的站一起问，不超过一个的时限；拒绝连接的也算没有答话。"""
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        closed.bind(("127.0.0.1", 0))  # 没有 listen
        urls = [f"http://127.0.0.1:{server.getsockname()[1]}" for server in (silent, silent, closed)]
        started = time.monotonic()
        answers = check_env.ask_hubs(dict(zip("甲乙丙", urls, strict=True)), 0.5)
        assert time.monotonic() - started < 0.9
    assert answers == {"甲": None, "乙": None, "丙": None}


def test_any_answer_below_500_counts(check_env, monkeypatch):
    monkeypatch.setenv("no_proxy", "*")

    class Refuses(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.send_response(403 if self.path == "/403" else 502)
            self.end_headers()

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuses) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        answers = check_env.ask_hubs({"甲": f"{url}/403", "乙": f"{url}/502"}, 2)
        server.shutdown()
    assert answers["甲"] is not None
    assert answers["乙"] is None


def test_chinese_is_padded_by_display_width(check_env):
    assert check_env.pad("内存", 6) == "内存  "
    assert check_env.pad("CPU", 6) == "CPU   "
