"""run.sh 与 test.sh：缺东西时的话，以及在一个替身课程里从头跑到尾、停得干净。

替身课程放在临时目录：真的 run.sh 和 setup_venv.sh，阶段脚本换成几行的替身，所以不装包、不加载模型。
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from model_servers import free_port
from stage_scripts import fake_command

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ["run.sh", "test.sh", ".ci/run", "0-env-init/setup_venv.sh"]

SERVER = """
import http.server, os, signal, subprocess, sys

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(worker.wait()))  # 只收尸，不杀它：杀它是 run.sh 的事
print("替身服务的日志", flush=True)
with open("pids", "a") as file:
    file.write(f"{os.getpid()} {worker.pid} ")
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""

CLIENT = """
import pathlib, sys, urllib.request

folder = pathlib.Path("artifacts", pathlib.Path(sys.argv[0]).parent.name)
if "--recall" in sys.argv:
    sys.exit(not folder.exists())
url = next(arg for arg in sys.argv if arg.startswith("http://"))
urllib.request.urlopen(url.removesuffix("/v1") + "/anything")
if "--force" in sys.argv or not folder.exists():
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "answer.json").write_text("{}")
"""

VERIFIER = """
import pathlib, sys

record = pathlib.Path(f"artifacts/verified-{sys.argv[2]}")
if "--recall" in sys.argv:
    sys.exit(not record.exists())
print("核对", sys.argv[2])
record.touch()
"""

PLAIN_STAGES = [
    "0-env-init/check_env.py",
    "1-eval-data-prepare/prepare_cmb_clin.py",
    "2-eval-before-tuning/eval_before.py",
    "3-fine-tuning-llm/prepare_train_data.py",
    "3-fine-tuning-llm/check_contamination.py",
    "3-fine-tuning-llm/train_llm.py",
    "3-fine-tuning-llm/merge_llm.py",
    "4-eval-after-tuning/eval_after.py",
    "4-eval-after-tuning/compare.py",
    "6-fine-tuning-vl/render_reports.py",
    "6-fine-tuning-vl/train_vl.py",
    "6-fine-tuning-vl/merge_vl.py",
    "6-fine-tuning-vl/eval_vl.py",
]


def run_script(course: Path, *args: str, **env: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", *args], cwd=course, env={**os.environ, **env}, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def course(tmp_path):
    """只有两条命令、还没有 .venv 的课程，路径里有空格与中文；df 的回答固定，免得结果随测试机的磁盘变。"""
    course = tmp_path / "我的 课程"
    (course / "0-env-init").mkdir(parents=True)
    for name in ["run.sh", "test.sh", "0-env-init/setup_venv.sh", "requirements.txt", "pyproject.toml"]:
        shutil.copy(ROOT / name, course / name)
    fake_command(course / "bin/df", "echo Filesystem; echo /dev/sda 1 1 99000000 1% /")
    return course


@pytest.fixture
def installed_course(course):
    """装好了、各阶段都是替身的课程。"""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", course / ".venv"], check=True)
    record = "source 0-env-init/setup_venv.sh && fingerprint requirements.txt >.venv/installed-requirements.txt"
    run_script(course, "-c", record).check_returncode()
    for path, code in {
        **dict.fromkeys(PLAIN_STAGES, "import sys; print('运行', sys.argv[0])"),
        "5-build-server/serve.py": SERVER,
        "5-build-server/ask_server.py": CLIENT,
        "5-build-server/verify_deployment.py": VERIFIER,
        "7-endpoint-integration-server/medical_report_server.py": SERVER,
        "7-endpoint-integration-server/test_client.py": CLIENT,
    }.items():
        (course / path).parent.mkdir(exist_ok=True)
        (course / path).write_text(code, encoding="utf-8")
    return course


def path_with_fakes(course: Path) -> str:
    return f"{course / 'bin'}:{os.environ['PATH']}"


def processes_left(course: Path) -> list[str]:
    pids = [int(pid) for pid in (course / "pids").read_text().split()]
    assert pids, "替身服务没有启动过"
    alive = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    return [str(process) for process in alive if process.status() != psutil.STATUS_ZOMBIE]


# ---- 用法 ----


@pytest.mark.parametrize("script", SCRIPTS)
def test_scripts_parse(script):
    assert run_script(ROOT, "-n", script).returncode == 0


@pytest.mark.parametrize("args", [["run.sh", "--fast"], ["test.sh", "--fast"], ["run.sh", "app", "--no-serve"]])
def test_wrong_arguments_are_refused(course, args):
    done = run_script(course, *args)
    assert done.returncode == 2
    assert "解决：" in done.stderr
    assert not (course / ".venv").exists()


# ---- 缺东西 ----


def test_missing_python_names_the_command_that_mends_it(course):
    for tool in ["bash", "dirname", "id", "cat", "awk"]:
        (course / "bin" / tool).symlink_to(shutil.which(tool))
    fake_command(course / "bin/apt-get", "exit 1")
    done = run_script(course, "run.sh", "--no-serve", PATH=str(course / "bin"), PYTHON="")
    assert done.returncode == 2
    assert "没有找到 Python 3.11 或 3.12" in done.stderr
    assert "apt-get install -y python3.11 python3.11-venv" in done.stderr


def test_unusable_chosen_python_is_named(course):
    done = run_script(course, "run.sh", "--no-serve", PYTHON="python-of-nobody")
    assert done.returncode == 2
    assert "PYTHON=python-of-nobody" in done.stderr


def test_missing_venv_module(course):
    """Debian 的 python3 没有 ensurepip：用一个导入它就失败的 Python 代替。"""
    body = f'case "$2" in *ensurepip*) exit 1 ;; esac\nexec {sys.executable} "$@"'
    fake = course / "bin/python-without-venv"
    fake_command(fake, body)
    done = run_script(course, "run.sh", "--no-serve", PATH=path_with_fakes(course), PYTHON=str(fake))
    assert done.returncode == 2
    version = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert f"apt-get install -y python{version}-venv" in done.stderr


def test_missing_pip(course):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", course / ".venv"], check=True)
    done = run_script(course, "run.sh", "--no-serve", PATH=path_with_fakes(course))
    assert done.returncode == 2
    assert ".venv/bin/python -m ensurepip" in done.stderr


def test_too_little_disk(course):
    fake_command(course / "bin/df", "echo Filesystem; echo /dev/sda 1 1 2097152 1% /")
    done = run_script(course, "run.sh", "--no-serve", PATH=path_with_fakes(course), PYTHON=sys.executable)
    assert done.returncode == 2
    assert "磁盘只剩 2 GB" in done.stderr
    assert not (course / ".venv").exists()


def test_busy_port_is_said_before_any_work(course):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_script(course, "run.sh", PORT=str(port), HOST="127.0.0.1", PYTHON=sys.executable)
    assert done.returncode == 2
    assert f"端口 {port}" in done.stderr
    assert "PORT=8010 bash run.sh app" in done.stderr
    assert not (course / ".venv").exists()


# ---- 从哪里运行 ----


def run_from(folder: Path, course: Path, *args: str) -> subprocess.CompletedProcess:
    """站在 folder 里运行 run.sh；CDPATH 里有同名的目录，cd 会先去那里。"""
    elsewhere = course.parent / "别处"
    (elsewhere / "我的 课程").mkdir(parents=True, exist_ok=True)
    command = ["bash", os.path.relpath(course / "run.sh", folder), *args]
    environment = os.environ | {"CDPATH": str(elsewhere), "PYTHON": ""}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("given", ["{parent}/带 空格/python", "带 空格/python"])
def test_chosen_python_may_have_a_space_and_be_relative_to_where_the_command_was_typed(course, given):
    (course.parent / "带 空格").mkdir()
    (course.parent / "带 空格/python").symlink_to(sys.executable)
    fake_command(course / "bin/df", "echo Filesystem; echo /dev/sda 1 1 2097152 1% /")
    environment = {"PATH": path_with_fakes(course), "PYTHON": given.format(parent=course.parent)}
    done = run_script(course.parent, f"{course.name}/run.sh", "--no-serve", **environment)
    assert "磁盘只剩 2 GB" in done.stderr, "用上了这个 Python，才走得到看磁盘的一步"


# ---- 替身课程 ----


def test_stages_run_in_order_and_end_with_a_table_from_any_folder(installed_course):
    done = run_from(installed_course.parent, installed_course, "--no-serve")
    assert done.returncode == 0, done.stderr
    places = [f"运行 {script}" for script in PLAIN_STAGES]
    places[9:9] = ["━ 阶段 5 模型服务 ━", "核对 llm"]
    places += ["核对 vl", "━ 阶段 7 接口集成 ━"]
    positions = [done.stdout.index(place) for place in places]
    assert positions == sorted(positions)
    assert "artifacts/5-build-server/answer.json" in done.stdout
    assert (installed_course / "artifacts/5-build-server/answer.json").exists()
    assert "接下来：5 模型服务" in done.stdout
    assert "合计" in done.stdout[done.stdout.index("各阶段用时") :]
    assert processes_left(installed_course) == []

    again = run_from(installed_course / "artifacts", installed_course, "--no-serve")
    assert "没有新文件，上次的结果在 artifacts/5-build-server/" in again.stdout
    assert ("启动服务" in again.stdout, "核对 llm" in again.stdout) == (False, False), "什么也没有变，不必起服务"
    forced = run_script(installed_course, "run.sh", "--no-serve", "--force")
    assert forced.stdout.count("answer.json") == 2
    assert ("核对 llm" in forced.stdout, "核对 vl" in forced.stdout) == (True, True)


def test_a_failed_stage_stops_the_run_and_shows_the_server_log(installed_course):
    (installed_course / "5-build-server/ask_server.py").write_text("raise SystemExit('替身坏了')", encoding="utf-8")
    done = run_script(installed_course, "run.sh", "--no-serve")
    assert done.returncode == 1
    assert "阶段「5 模型服务」没有成功" in done.stderr
    assert "替身服务的日志" in done.stderr
    assert "7 接口集成 ━" not in done.stdout
    assert processes_left(installed_course) == []


def test_a_server_that_does_not_start_is_not_waited_for(installed_course):
    (installed_course / "5-build-server/serve.py").write_text("raise SystemExit('缺模型')", encoding="utf-8")
    done = run_script(installed_course, "run.sh", "--no-serve")  # 等它起来要三分钟，过了一分钟就是错
    assert done.returncode == 1
    assert "缺模型" in done.stderr


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_app_serves_until_it_is_stopped_and_leaves_nothing(installed_course, sign, code):
    port = str(free_port())
    app = subprocess.Popen(
        ["bash", "run.sh", "app"],
        cwd=installed_course,
        env={**os.environ, "PORT": port, "HOST": "127.0.0.1"},
        stdout=subprocess.PIPE,
        text=True,
        # 测试自己在后台跑（bash test.sh &）时，子进程生来不理 SIGINT，按 Ctrl-C 的人不是这样
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    shown = ""
    while "按 Ctrl-C 结束" not in shown:
        line = app.stdout.readline()
        assert line, f"run.sh 提前结束：{shown}"
        shown += line
    assert f"http://127.0.0.1:{port}" in shown
    assert "阶段 0" not in shown
    assert processes_left(installed_course) != []
    app.send_signal(sign)
    assert app.wait(timeout=60) == code
    assert processes_left(installed_course) == []


def test_stopped_in_the_middle_of_a_stage(installed_course):
    slow = CLIENT + "\nimport time; print('在忙', flush=True); time.sleep(600)"
    (installed_course / "5-build-server/ask_server.py").write_text(slow, encoding="utf-8")
    run = subprocess.Popen(
        ["bash", "run.sh", "--no-serve"],
        cwd=installed_course,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while "在忙" not in run.stdout.readline():
        assert run.poll() is None
    run.terminate()
    assert run.wait(timeout=60) == 143
    assert processes_left(installed_course) == []
