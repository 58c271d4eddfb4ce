"""依赖清单在软件源上解得开：每份清单、两个 Python，Linux x86_64。

用 uv 解析：它只取各包的元数据（torch 有几百 MB，元数据几十 KB），不安装。Python 3.12 的解析不需要有 Python 3.12。
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LISTS = ["requirements.txt", *(f"0-env-init/{path.name}" for path in (ROOT / "0-env-init").glob("requirements-*.txt"))]
NO_SOLUTION = 1  # uv 的退出码；连不上软件源等是 2

pytestmark = pytest.mark.slow


def resolve(pins: str, python: str) -> dict[str, str]:
    """清单的内容 -> 解出来的 {名字: 版本}。连不上软件源就跳过。"""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header"]
    command += ["--system-certs", "--python", sys.executable, "--python-version", python]
    command += ["--python-platform", "x86_64-manylinux_2_28", "-"]
    index = {"UV_DEFAULT_INDEX": url} if (url := os.environ.get("PIP_INDEX_URL")) else {}
    done = subprocess.run(
        command, cwd=ROOT, input=pins, env=os.environ | index, capture_output=True, text=True, timeout=300, check=False
    )
    if done.returncode not in (0, NO_SOLUTION):
        pytest.skip(f"没有核对：{done.stderr.strip()[-300:]}")
    assert done.returncode == 0, done.stderr
    return dict(line.split("==") for line in done.stdout.splitlines() if "==" in line)


def pins_of(file: str) -> str:
    if file.endswith("cu12.txt"):  # 它只写不同的几个，整份由 cloud_setup.sh 合成
        code = "source 0-env-init/cloud_setup.sh && pins_for_cuda_12"
        return subprocess.run(["bash", "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return f"-r {file}"


@pytest.mark.parametrize("python", ["3.11", "3.12"])
@pytest.mark.parametrize("file", LISTS)
def test_every_list_resolves_against_the_registry(file, python):
    pins = pins_of(file)
    found = resolve(pins, python)
    text = (ROOT / file).read_text(encoding="utf-8") if pins.startswith("-r") else pins
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", text, re.M):
        assert found[name.lower().replace("_", "-")] == version


@pytest.mark.parametrize(("file", "cuda"), [("requirements-gpu.txt", "13"), ("requirements-gpu-cu12.txt", "12")])
def test_training_and_evaluation_share_one_environment_of_one_cuda(file, cuda):
    found = resolve(pins_of(f"0-env-init/{file}"), "3.12")
    assert {"unsloth", "evalscope", "torch", "bitsandbytes", "xformers"} <= set(found)
    (runtime,) = (version for name, version in found.items() if name.startswith("nvidia-cuda-runtime"))
    assert runtime.startswith(f"{cuda}.")
