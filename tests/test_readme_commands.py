"""照着各阶段的 README（与由它写成的笔记本），在一份干净的副本里从上到下做一遍：条条成功，印出来的与 README 写的相同。

README 的约定：
- ```bash 块是给人照抄的命令；```console 块里 `$ ` 开头的是命令，后面是它印出的话。一页里同一条命令只运行一次。
- 印出的话按行、按次序对照，中间可以有别的行（进度条等）。数只要求是个数；… 可以是任何文字。
- 写着 ✗ 的，退出码不能是 0；其余的要是 0。
- 起服务的命令放在后台，到这一页结束；跳过的命令都在 readme_pages.SKIPPED 里，说得出理由。

    python -m pytest -m slow -s tests/test_readme_commands.py
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from make_notebooks import STAGES
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from readme_pages import FILES, ROOT, SERVERS, Command, commands_of, fences, whole_lines, why_skipped

from health_assistant import artifacts

READMES = [ROOT / "README.md", *sorted(ROOT.glob("[0-9]-*/README.md"))]
NUMBER = re.compile(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?")
START_SECONDS = 120


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def matches(expected: str, printed: str) -> bool:
    """一行 README 与一行输出：数对数，… 对任何文字，空白不计较多少。"""
    parts = re.split(rf"(…|\s+|{NUMBER.pattern})", expected.strip())

    def pattern(part: str) -> str:
        if part == "…":
            return ".*"
        if part.isspace():
            return r"\s+"
        return NUMBER.pattern if NUMBER.fullmatch(part) else re.escape(part)

    return re.fullmatch("".join(map(pattern, parts)), printed.strip()) is not None


def first_missing(expected: tuple[str, ...], printed: str) -> str | None:
    """README 写了、输出里（按次序）没有的第一行。"""
    lines = iter(printed.splitlines())
    return next((one for one in expected if not any(matches(one, line) for line in lines)), None)


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """仓库的一份干净副本，没有产物；.venv 借用正在跑测试的这个环境。"""
    folder = tmp_path_factory.mktemp("course")
    for file in FILES:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    (folder / ".venv").symlink_to(sys.prefix, target_is_directory=True)
    (folder / ".curlrc").write_text("fail-with-body\n")  # 回答是 4xx、5xx 时 curl 也算失败
    return folder


@pytest.fixture(scope="module")
def environment(course):
    changed = {
        "PATH": f"{course / '.venv/bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(course),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",  # 有没有网，输出都一样
        "COLUMNS": "100",
        "CURL_HOME": str(course),
        "NO_PROXY": "127.0.0.1",
    }
    return {key: value for key, value in os.environ.items() if key != "HEALTH_ASSISTANT_ARTIFACTS"} | changed


@pytest.fixture
def start_server(course, environment):
    """起一个服务，等到它听着端口；同一端口上的前一个先停掉，像按了 Ctrl-C。这一页结束时全停。"""
    running: dict[int, subprocess.Popen] = {}

    def start(command: Command) -> None:
        given = re.search(r"--port (\d+)", command.line)
        port = int(given[1]) if given else SERVERS[command.script]
        if port in running:
            stop(running.pop(port))
        if listening(port):
            pytest.skip(f"端口 {port} 被别的程序占着")
        log = course / f"server-{port}.log"
        with log.open("w") as out:
            shell = ["bash", "-c", command.line]
            server = subprocess.Popen(
                shell, cwd=course, env=environment, stdout=out, stderr=out, start_new_session=True
            )
        running[port] = server
        deadline = time.monotonic() + START_SECONDS
        while not listening(port):
            assert server.poll() is None and time.monotonic() < deadline, f"{command.line}\n{log.read_text()[-2000:]}"
            time.sleep(0.2)

    yield start
    for server in running.values():
        stop(server)


def stop(server: subprocess.Popen) -> None:
    if server.poll() is None:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def run(line: str, folder: Path, environment: dict) -> tuple[int, str]:
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
    )
    return done.returncode, re.sub(r".*\r", "", done.stdout)  # 进度条只留最后一次


@pytest.mark.slow
@pytest.mark.parametrize("page", READMES, ids=name)
def test_the_readme_can_be_followed_to_the_letter(page, course, environment, start_server):
    outputs: dict[str, tuple[int, str]] = {}
    for command in commands_of(page):
        line = command.line.split("  #")[0].strip()
        if reason := why_skipped(command):
            assert not command.expected, f"{line} 写了输出，却因为“{reason}”不运行"
            print(f"跳过（{reason}）：{line}")
            continue
        if command.script in SERVERS and "--dry-run" not in command.words:
            print(f"起服务：{line}")
            start_server(command)
            continue
        assert command.script or command.words[0] == "curl", f"不知道怎样对待，也不在 SKIPPED 里：{line}"
        if line not in outputs:
            print(f"运行：{line}", flush=True)
            outputs[line] = run(line, course, environment)
        code, printed = outputs[line]
        should_fail = any("✗" in one for one in command.expected)
        assert (code != 0) == should_fail, f"{line} 的退出码是 {code}：\n{printed[-3000:]}"
        missing = first_missing(command.expected, printed)
        assert missing is None, f"{line} 没有印出这一行：\n{missing}\n印出的是：\n{printed[-3000:]}"


@pytest.mark.slow
def test_the_laptop_page_can_be_followed_with_the_tiny_base(course, environment, tmp_path):
    """3-fine-tuning-llm/laptop.md 的每条命令照抄；0.5B 换成微型的基座，放在缓存里，像已经下载过。"""
    build = "from health_assistant.training.tiny_models import build_tiny_llm; print(build_tiny_llm())"
    code, printed = run(f'python -c "{build}"', course, environment)
    assert code == 0, printed
    downloaded = tmp_path / "models--Qwen--Qwen2.5-0.5B-Instruct"
    shutil.copytree(printed.splitlines()[-1], downloaded / "snapshots/tiny")
    artifacts.write_text(downloaded / "refs/main", "tiny")
    page = ROOT / "3-fine-tuning-llm/laptop.md"
    for line in whole_lines(fences(page)[0][1]):
        print(f"运行：{line}", flush=True)
        code, printed = run(line, course, environment | {"HF_HUB_CACHE": str(tmp_path)})
        assert code == 0, f"{line}\n{printed[-3000:]}"
    trained = json.loads((course / "artifacts/llm/qwen2.5-0.5b/training.json").read_text(encoding="utf-8"))
    assert trained["data"]["train"] == 234 and trained["held_out_loss"] < trained["held_out_loss_before"]
    compared = (course / "artifacts/eval/qwen2.5-0.5b/compare-first-12/compare.md").read_text(encoding="utf-8")
    assert "只有前 12 题" in compared


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_notebook_runs_from_top_to_bottom(stage, course, environment):
    """由 README 写成的笔记本，用这个环境的内核；README 的命令在前面运行过的，这里多半不重做。"""
    notebook = nbformat.read(course / stage.name / f"{stage.name}.ipynb", as_version=4)
    run_notebook(notebook, course / stage.name, environment)
    assert not any(listening(port) for port in SERVERS.values()), "内核关了，它起的服务也要停"


@pytest.mark.slow
def test_a_notebook_stops_at_a_command_that_fails(course, environment):
    notebook = nbformat.read(course / "0-env-init/0-env-init.ipynb", as_version=4)
    notebook.cells = notebook.cells[:4] + [nbformat.v4.new_code_cell("%%bash\necho 到了这里\nfalse\necho 不该到这里")]
    with pytest.raises(CellExecutionError, match="退出码 1"):
        run_notebook(notebook, course / "0-env-init", environment)
    assert notebook.cells[-1].outputs[0].text == "到了这里\n"


def run_notebook(notebook, folder: Path, environment: dict) -> None:
    """在 folder 里从上到下运行，像打开笔记本按“全部运行”；有一格出错抛 `CellExecutionError`。"""
    if any(listening(port) for port in SERVERS.values()):
        pytest.skip("课程用的端口被别的程序占着")
    client = NotebookClient(notebook, timeout=900, kernel_name="python3", resources={"metadata": {"path": folder}})
    client.execute(env=environment)


def test_a_readme_line_matches_only_what_it_says():
    assert matches("验证损失 6.554 → 5.454（第 100 步）", "验证损失 6.1 → 5.02（第 75 步）")
    assert matches("写了：…/tiny/merged（float32）", "写了：/any/where/tiny/merged（float32）")
    assert not matches("验证损失 6.554 → 5.454", "训练损失 6.554 → 5.454")
    assert not matches("写了：…/merged", "写了：/any/adapter")
    assert first_missing(("一", "二"), "二\n一\n") == "二"
    assert first_missing(("一", "二"), "一\n进度\n二\n") is None
