"""autodl.sh 与 cloudstudio.sh：真脚本，假的机器（数据盘、Python、conda、nvidia-smi、df 都是替身）。

替身 Python 建 .venv 时把自己复制进去，pip 只记下要装什么，所以不下载、不安装。
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
from stage_scripts import fake_command

ROOT = Path(__file__).resolve().parents[2]
COPIED = ["requirements.txt", "pyproject.toml", "0-env-init/requirements-gpu.txt"]
COPIED += ["0-env-init/requirements-gpu-cu12.txt", "0-env-init/setup_venv.sh", "0-env-init/cloud_setup.sh"]
SCRIPTS = ["autodl.sh", "cloudstudio.sh"]

FAKE_PYTHON = """case "$*" in
  *version_info* | *ensurepip* | "-m pip --version" | *cuda.is_available*) exit 0 ;;
  --version) echo "Python 3.12.0" ;;
  "-m venv --clear "*) [ ! -L "$4" ] && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
  "-m pip install "*)
    for pins in "$@"; do :; done
    echo "$pins" >>"$HOME/installed"
    [ -z "$PIP_FAILS" ] || { echo "替身 pip：连不上软件源" >&2; exit 1; }
    [ -z "$PIP_HANGS" ] || { touch "$HOME/pip-started"; sleep 60; }
    ;;
  *check_env.py) echo "替身 check_env" && exit ${CHECK_EXIT:-0} ;;
  *) echo "替身不认识：$*" >&2; exit 9 ;;
esac
"""
TOOLS = ["awk", "bash", "cat", "cksum", "cp", "df", "dirname", "env", "find", "grep", "head", "id", "ln", "mkdir"]
TOOLS += ["paste", "rm", "sed", "sh", "sleep", "touch"]


@pytest.fixture
def box(tmp_path):
    """一台空机器：repo 在“系统盘”，data 是“数据盘”，bin 里只有基本命令和一个合适的 Python。"""
    for name in ["repo/0-env-init", "data", "home", "bin"]:
        (tmp_path / name).mkdir(parents=True)
    for name in [*COPIED, *(f"0-env-init/{script}" for script in SCRIPTS)]:
        shutil.copy(ROOT / name, tmp_path / "repo" / name)
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
    fake_command(tmp_path / "bin/python3", FAKE_PYTHON)
    return tmp_path


def with_driver(box: Path, version: str, compute: str = "9.0") -> None:
    answers = f'case "$1" in *compute_cap) echo "{compute}" ;; *) echo "{version}" ;; esac'
    fake_command(box / "bin/nvidia-smi", answers)


def with_conda(box: Path, prefix: str = "home/miniconda3/bin") -> None:
    """自带的 Python 是 3.10；conda create 在 -p 后面的目录里放一个合适的。"""
    fake_command(box / "bin/python3", "exit 1")
    fake_command(box / "home/good-python", FAKE_PYTHON)
    create = f'echo "conda $*" >>"$HOME/conda-log"; mkdir -p "$5/bin"; cp {box}/home/good-python "$5/bin/python"'
    fake_command(box / prefix / "conda", create)


def environment(box: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": str(box / "bin"),
        "HOME": str(box / "home"),
        "DATA_DISK": str(box / "data"),
        "NETWORK_TURBO": str(box / "network_turbo"),
        "CONDA_HOME": str(box / "home/miniconda3"),
        "LANG": "C.UTF-8",
    } | more


def set_up(box: Path, script: str = "autodl.sh", *arguments: str, **more: str) -> subprocess.CompletedProcess:
    command = [shutil.which("bash"), f"repo/0-env-init/{script}", *arguments]
    return subprocess.run(
        command, cwd=box, env=environment(box, **more), capture_output=True, text=True, timeout=60, check=False
    )


def installed(box: Path) -> list[str]:
    """pip 依次装了哪些清单。"""
    log = box / "home/installed"
    return log.read_text().split() if log.exists() else []


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_bare_box_is_ready_after_one_command_and_a_second_does_nothing(box, script):
    done = set_up(box, script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "替身 check_env" in done.stdout
    assert installed(box) == ["requirements.txt"]
    for name, place in {".venv": "venv", "artifacts": "artifacts"}.items():
        assert (box / "repo" / name).resolve() == (box / "data/health-assistant" / place)
    assert ("6006" if script == "autodl.sh" else "PORT=8000") in done.stdout

    before = sorted(str(path) for path in box.rglob("*"))
    again = set_up(box, script)
    assert again.returncode == 0, again.stderr
    assert installed(box) == ["requirements.txt"]
    assert sorted(str(path) for path in box.rglob("*")) == before
    assert (box / "home/.bashrc").read_text().count("activate") == 1


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_and_unknown_options_change_nothing(box, script):
    shown, refused = set_up(box, script, "--help"), set_up(box, script, "--fast")
    assert shown.returncode == 0
    assert "DATA_DISK" in shown.stdout
    assert refused.returncode == 2
    assert "不认识的参数：--fast" in refused.stderr
    assert not (box / "repo/.venv").is_symlink()


def test_the_environment_file_moves_every_cache_to_the_data_disk(box):
    set_up(box).check_returncode()
    shown = subprocess.run(
        [shutil.which("bash"), "-c", "source ~/.bashrc && env && command -v python"],
        env=environment(box),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    values = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    for name in ("PIP_CACHE_DIR", "HF_HOME", "MODELSCOPE_CACHE", "TMPDIR"):
        assert Path(values[name]).is_dir()
        assert Path(values[name]).is_relative_to(box / "data")
    assert values["UNSLOTH_USE_MODELSCOPE"] == "1"
    assert shown.splitlines()[-1] == str(box / "repo/.venv/bin/python")


def test_paths_may_have_spaces(box):
    """写进 ~/.bashrc 的几行也是：拆开了，每开一个终端就报一次错。"""
    with_conda(box, "bin")
    shutil.move(box / "repo", box / "我的 课程")
    shutil.move(box / "data", box / "数据 盘")
    (box / "network turbo").write_text("export https_proxy=http://turbo:1080\n")
    more = {"DATA_DISK": str(box / "数据 盘"), "NETWORK_TURBO": str(box / "network turbo")}
    command = [shutil.which("bash"), "我的 课程/0-env-init/autodl.sh"]
    done = subprocess.run(command, cwd=box, env=environment(box, **more), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    shell = "source ~/.bashrc && command -v python && echo $HF_HOME && with_turbo sh -c 'echo $https_proxy'"
    command = [shutil.which("bash"), "-c", shell]
    shown = subprocess.run(command, env=environment(box, **more), capture_output=True, text=True, timeout=60)
    python, cache, proxy = shown.stdout.splitlines()
    assert (python, shown.stderr) == (str(box / "我的 课程/.venv/bin/python"), "")
    assert cache == str(box / "数据 盘/health-assistant/cache/huggingface")
    assert proxy == "http://turbo:1080"


def test_a_repository_on_the_data_disk_needs_no_links(box):
    shutil.move(box / "repo", box / "data/course")
    (box / "repo").symlink_to(box / "data/course")
    set_up(box).check_returncode()
    assert not (box / "data/course/.venv").is_symlink()
    assert (box / "data/course/.venv/bin/python").exists()


def test_folders_already_on_the_system_disk_are_left_alone(box):
    (box / "repo/artifacts").mkdir()
    (box / "repo/artifacts/kept").write_text("")
    done = set_up(box)
    assert done.returncode == 0
    assert f"mv artifacts {box}/data/health-assistant/" in done.stdout
    assert (box / "repo/artifacts/kept").exists()


# ---- GPU ----


@pytest.mark.parametrize(
    ("driver", "compute", "pins", "words"),
    [
        ("580.65.06", "9.0", "0-env-init/requirements-gpu.txt", "torch 看得见 GPU"),
        ("580.65.06", "12.0", "0-env-init/requirements-gpu.txt", "torch 看得见 GPU"),
        ("580.65.06", "No devices", "0-env-init/requirements-gpu.txt", "torch 看得见 GPU"),
        ("580.65.06", "7.0", "requirements-gpu-cu12.txt", "卡是 V100"),
        ("580.65.06", "6.1", "requirements.txt", "这张卡太老"),
        ("570.124.04", "9.0", "requirements-gpu-cu12.txt", "还没有在 GPU 上跑过"),
        ("470.82.01", "9.0", "requirements.txt", "换一台驱动 580 起"),
        ("No devices were found", "No devices", "requirements.txt", "没有 NVIDIA GPU"),
    ],
)
def test_the_driver_and_the_card_choose_the_packages(box, driver, compute, pins, words):
    with_driver(box, driver, compute)
    done = set_up(box)
    assert done.returncode == 0, done.stderr
    (only,) = installed(box)
    assert only.endswith(pins)
    assert words in done.stdout
    set_up(box).check_returncode()
    assert len(installed(box)) == 1


def test_cuda_12_pins_replace_only_their_namesakes(box):
    with_driver(box, "550.54.15")
    set_up(box).check_returncode()
    lines = (box / "data/health-assistant/requirements-gpu-cu12.txt").read_text().split("\n")
    names = [line.split("==")[0] for line in lines if "==" in line]
    assert len(names) == len(set(names))
    assert {"torch==2.10.0", "torchvision==0.25.0", "-e ."} <= set(lines)
    both = (ROOT / "requirements.txt").read_text() + (ROOT / "0-env-init/requirements-gpu.txt").read_text()
    assert set(names) == {line.split("==")[0] for line in both.splitlines() if "==" in line and line[0] != "#"}


def test_a_card_that_comes_later_is_made_use_of(box):
    """AutoDL 可以先用无卡模式装好，再开有卡的。"""
    set_up(box).check_returncode()
    with_driver(box, "580.65.06")
    set_up(box).check_returncode()
    assert installed(box) == ["requirements.txt", "0-env-init/requirements-gpu.txt"]


def test_another_host_with_another_driver_gets_its_own_packages(box):
    for driver in ("550.54.15", "580.65.06", "550.54.15"):
        with_driver(box, driver)
        set_up(box).check_returncode()
    assert [Path(pins).name for pins in installed(box)] == [
        "requirements-gpu-cu12.txt",
        "requirements-gpu.txt",
        "requirements-gpu-cu12.txt",
    ]


# ---- Python ----


@pytest.mark.parametrize("prefix", ["bin", "home/miniconda3/bin"])
def test_conda_makes_a_python_on_the_data_disk(box, prefix):
    with_conda(box, prefix)
    done = set_up(box)
    assert done.returncode == 0, done.stderr
    (line,) = (box / "home/conda-log").read_text().splitlines()
    assert f"-p {box}/data/health-assistant/python python=3.12" in line
    set_up(box).check_returncode()
    assert len((box / "home/conda-log").read_text().splitlines()) == 1


def test_apt_installs_python_where_there_is_no_conda(box):
    (box / "bin/python3").unlink()
    fake_command(box / "home/good-python", FAKE_PYTHON)
    fake_command(box / "bin/id", "echo 0")
    body = (
        f'case "$*" in *python3.12*) exit 100 ;; *python3.11*) cp {box}/home/good-python {box}/bin/python3.11 ;; esac'
    )
    fake_command(box / "bin/apt-get", body)
    done = set_up(box)
    assert done.returncode == 0, done.stderr
    assert installed(box) == ["requirements.txt"]


# ---- 不顺的时候 ----


def test_killed_half_way_and_run_again(box):
    with subprocess.Popen(
        [shutil.which("bash"), "repo/0-env-init/autodl.sh"],
        cwd=box,
        env=environment(box, PIP_HANGS="1"),
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        while not (box / "home/pip-started").exists():
            assert process.poll() is None
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGKILL)
    done = set_up(box)
    assert done.returncode == 0, done.stderr
    assert installed(box) == ["requirements.txt"] * 2


def test_a_half_made_environment_is_made_anew(box):
    """停在建 .venv 的一半：有 Python，没有 pip。"""
    venv = box / "data/health-assistant/venv"
    (venv / "bin").mkdir(parents=True)
    fake_command(venv / "bin/python", FAKE_PYTHON.replace('"-m pip --version" |', "").replace("  --version)", "  -v)"))
    (venv / "leftover").write_text("")
    done = set_up(box)
    assert done.returncode == 0, done.stderr
    assert not (venv / "leftover").exists()


def without_conda_network(box: Path) -> None:
    with_conda(box, "bin")
    fake_command(box / "bin/conda", "echo 'CondaHTTPError' >&2; exit 1")


def with_full_disk(box: Path) -> None:
    fake_command(box / "bin/df", "echo Filesystem; echo /dev/sda 1 1 2097152 1% /")
    with_driver(box, "580.65.06")


@pytest.mark.parametrize(
    ("prepare", "settings", "code", "words"),
    [
        (without_conda_network, {}, 2, ["conda 没有建成 Python 3.12"]),
        (lambda box: (box / "bin/python3").unlink(), {}, 2, ["没有找到 Python 3.11 或 3.12", "Miniconda"]),
        (with_full_disk, {}, 2, ["磁盘只剩 2 GB，安装至少要 20 GB"]),
        (lambda box: None, {"DATA_DISK": "/没有/这个盘"}, 2, ["DATA_DISK="]),
        (lambda box: None, {"PIP_FAILS": "1"}, 1, ["PIP_INDEX_URL=… bash repo/0-env-init/autodl.sh"]),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_goes_on(box, prepare, settings, code, words):
    prepare(box)
    done = set_up(box, **settings)
    assert done.returncode == code
    assert [word for word in words if word not in done.stderr] == []
    assert "替身 check_env" not in done.stdout
    assert (installed(box) == []) == (code == 2), "软件源连不上才装到一半"
    if code == 1:
        assert set_up(box).returncode == 0, "网通了再来就行"


def test_a_failed_check_is_the_scripts_failure(box):
    assert set_up(box, CHECK_EXIT="1").returncode == 1


@pytest.mark.parametrize(("proxy", "kept"), [("http://turbo:1080", False), ("http://mine:3128", True)])
def test_academic_acceleration_is_off_while_installing(box, proxy, kept):
    """用户先 source 过学术加速：pip 不走它；用户自己的代理照用。"""
    (box / "network_turbo").write_text("export http_proxy=http://turbo:1080\nexport https_proxy=http://turbo:1080\n")
    seen = FAKE_PYTHON.replace('echo "$pins" >>"$HOME/installed"', 'echo "[$https_proxy]" >>"$HOME/installed"')
    fake_command(box / "bin/python3", seen)
    set_up(box, http_proxy=proxy, https_proxy=proxy).check_returncode()
    assert installed(box) == [f"[{proxy}]" if kept else "[]"]


def test_one_command_can_be_accelerated(box):
    (box / "network_turbo").write_text("export https_proxy=http://turbo:1080\n")
    set_up(box).check_returncode()
    code = "source ~/.bashrc; with_turbo sh -c 'echo in:$https_proxy'; echo after:$https_proxy"
    done = subprocess.run(
        [shutil.which("bash"), "-c", code], env=environment(box), capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["in:http://turbo:1080", "after:"]
