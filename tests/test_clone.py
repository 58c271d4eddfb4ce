"""Windows 上的 git 默认 core.autocrlf=true：那样克隆出来的，在 WSL 里也要能跑。"""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def git(*arguments: str | Path, cwd: Path = ROOT) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True, timeout=60).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    if not (ROOT / ".git").exists():
        pytest.skip("不是从 git 来的，没有东西可克隆")
    place = tmp_path_factory.mktemp("windows") / "我的 课程"
    git("clone", "--quiet", "-c", "core.autocrlf=true", ROOT, place)
    return place


def test_no_file_has_crlf(clone):
    listed = git("ls-files", "--eol", cwd=clone).splitlines()
    assert len(listed) > 300
    assert [line for line in listed if line.split()[1] in ("w/crlf", "w/mixed")] == []
    assert [line for line in listed if line.endswith(".png") and "w/-text" not in line] == [], "图片原样不动"


def test_every_shell_script_shows_its_help(clone):
    scripts = [
        name for name in git("ls-files", "*.sh", cwd=clone).splitlines() if (clone / name).stat().st_mode & 0o100
    ]
    assert {"run.sh", "test.sh"} <= {*scripts}
    for script in scripts:
        done = subprocess.run(["bash", script, "--help"], cwd=clone, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), f"{script}：{done.stderr}"
        assert "用法" in done.stdout
