"""测试共用的：阶段的脚本，当模块装进来、像用户那样在子进程里或就在本进程里运行，或一次导入、fork 出许多个。"""

import importlib.util
import io
import json
import os
import runpy
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent


def load(script: str) -> ModuleType:
    """脚本（如 "6-fine-tuning-vl/eval_vl.py"）作为模块；它同一阶段的别的模块也导入得到。"""
    path = ROOT / script
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module  # dataclass 要从这里查注解
    spec.loader.exec_module(module)
    return module


def fake_command(path: Path, body: str) -> None:
    """一个假命令：body 是一段 shell。"""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # 可能是指向真命令的链接
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(0o755)


def environment(home: Path, **more: str) -> dict[str, str]:
    """子进程的环境变量：产物在 home，不联网，一个线程，导入的是这一份课程。"""
    course = {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    return os.environ | course | {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"} | more


def run(home: Path, script: str | Path, *arguments, timeout: float = 300, **env: str) -> subprocess.CompletedProcess:
    """在子进程里运行脚本，产物在 home；script 从课程的根目录写起。"""
    command = [sys.executable, *map(str, (ROOT / script, *arguments))]
    settings = {"cwd": ROOT, "env": environment(home, **env), "timeout": timeout, "check": False}
    return subprocess.run(command, capture_output=True, text=True, **settings)


def run_here(home: Path, script: str | Path, *arguments, **env: str) -> subprocess.CompletedProcess:
    """同 run，但在本进程里：重的库只导入一次，省下每次几秒、十几秒。"""
    path, shown, said = ROOT / script, io.StringIO(), io.StringIO()
    settings = {"HEALTH_ASSISTANT_ARTIFACTS": str(home), "HF_HUB_OFFLINE": "1"} | env
    code = 0
    with (
        mock.patch.dict(os.environ, settings),
        mock.patch.object(sys, "argv", [str(path), *map(str, arguments)]),
        mock.patch.object(sys, "path", [str(path.parent), *sys.path]),
        redirect_stdout(shown),
        redirect_stderr(said),
    ):
        try:
            runpy.run_path(str(path), run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
    return subprocess.CompletedProcess([script, *arguments], code, shown.getvalue(), said.getvalue())


def run_well(home: Path, script: str | Path, *arguments, timeout: float = 900, here: bool = False) -> str:
    """同 run（here 时同 run_here），要成功；返回标准输出。"""
    done = run_here(home, script, *arguments) if here else run(home, script, *arguments, timeout=timeout)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    return done.stdout


def run_killed(script: ModuleType, home: Path, *arguments, at_write: int = 0) -> int:
    """fork 出一个进程运行脚本的 main，产物在 home，第 at_write 次落盘之前 kill -9（0 是不杀）；返回退出码。"""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    replace, writes = os.replace, 0

    def replace_or_die(*names):
        nonlocal writes
        writes += 1
        if writes == at_write:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(*names)

    os.environ["HEALTH_ASSISTANT_ARTIFACTS"] = str(home)
    os.replace, sys.argv = replace_or_die, [script.__name__, *map(str, arguments)]
    try:
        os._exit(script.main())
    finally:
        os._exit(99)


def run_forked(home: Path, runs: list[tuple[str, list, list | None]]) -> list[tuple[int, str]]:
    """依次的几次训练，在一个进程里 fork 出来：各次的退出码与输出。

    一次是（脚本，参数，怎样坏掉）；怎样坏掉见 forked_runs.py，None 是好好的。
    """
    logs = [home / f"forked-{number}.log" for number in range(len(runs))]
    given = [
        {"script": str(ROOT / script), "arguments": [*map(str, arguments)], "damage": damage, "log": str(log)}
        for (script, arguments, damage), log in zip(runs, logs, strict=True)
    ]
    codes = run_well(home, "tests/forked_runs.py", json.dumps(given)).split()
    return [(int(code), log.read_text(encoding="utf-8")) for code, log in zip(codes, logs, strict=True)]
