"""练习：发给学生的起点通不过自己的检查，参考答案（solutions.md）通得过；都作为真的脚本运行。"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from stage_scripts import ROOT, run_here

EXERCISES = sorted(ROOT.glob("[0-9]-*/exercise.py"))
PART = re.compile(r"(?<=# ---- 你的答案 ----\n).*?(?=# ---- 检查 ----)", re.DOTALL)


def stage(exercise: Path) -> str:
    return exercise.parent.name


# 阶段 6 的要十几秒
RUN = [pytest.param(one, id=stage(one), marks=[pytest.mark.slow] * stage(one).startswith("6")) for one in EXERCISES]


def run(exercise: Path) -> subprocess.CompletedProcess:
    return run_here(exercise.parent, exercise)


def solution(exercise: Path) -> str:
    text = Path(__file__).with_name("solutions.md").read_text(encoding="utf-8")
    (code,) = re.findall(rf"^## 阶段 {stage(exercise)[0]}\n\n```python\n(.*?)```$", text, re.DOTALL | re.MULTILINE)
    return code


@pytest.fixture
def with_answer(tmp_path):
    """阶段目录的副本里的 exercise.py，“你的答案”一段换成 answer；检查的一段不动。"""

    def write(exercise: Path, answer: str) -> Path:
        ignored = shutil.ignore_patterns("results", "figures", "configs", "__pycache__", "HealthAssistantWebApp")
        copy = shutil.copytree(exercise.parent, tmp_path / stage(exercise), ignore=ignored) / exercise.name
        text, count = PART.subn(lambda _: f"\n\n{answer}\n\n", exercise.read_text(encoding="utf-8"))
        assert count == 1, "练习里要有且只有一段“你的答案”"
        copy.write_text(text, encoding="utf-8")
        return copy

    return write


@pytest.mark.parametrize("exercise", RUN)
def test_the_starting_point_is_not_solved_and_says_why(exercise):
    done = run(exercise)
    assert done.returncode == 1
    assert re.fullmatch(r"✗ 还没有做对。第 \d 项检查（共 \d 项）：.{8,}\n", done.stderr), done.stderr


@pytest.mark.parametrize("exercise", RUN)
def test_the_reference_solution_passes(exercise, with_answer):
    done = run(with_answer(exercise, solution(exercise)))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("✓ 做对了")


def test_an_answer_that_crashes_is_reported_with_its_place(with_answer):
    exercise = ROOT / "1-eval-data-prepare/exercise.py"
    done = run(with_answer(exercise, "def messages_for(case, turn):\n    return 1 / 0\n"))
    assert done.returncode == 1
    assert re.search(r"exercise\.py 第 \d+ 行出了错，ZeroDivisionError", done.stderr)
    assert "Traceback" not in done.stderr


def test_every_exercise_has_a_solution_and_a_place_in_its_readme():
    assert EXERCISES
    for exercise in EXERCISES:
        assert solution(exercise)
        readme = exercise.with_name("README.md").read_text(encoding="utf-8")
        assert f"python {stage(exercise)}/exercise.py" in readme
