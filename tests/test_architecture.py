"""三条规则：阶段不导入别的阶段，包不导入阶段；产物的位置只在 artifacts.py 命名；重的库用到时才导入。"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STAGES = sorted(path for path in ROOT.glob("[0-9]-*") if path.is_dir())
PACKAGE_FILES = sorted((ROOT / "health_assistant").rglob("*.py"))
STAGE_FILES = sorted(file for stage in STAGES for file in stage.rglob("*.py"))
TOOL_FILES = sorted((ROOT / "tools").glob("*.py"))
SCRIPTS = [file for file in STAGE_FILES + TOOL_FILES if "__main__" in file.read_text(encoding="utf-8")]
HEAVY = ("torch", "transformers", "evalscope", "rapidocr", "onnxruntime", "cv2", "datasets", "trl", "peft")


def imported_modules(file: Path) -> set[str]:
    """文件里（不论在哪一层）导入的顶层模块名。"""
    modules = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            modules |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module.split(".")[0])
    return modules


def modules_of(folder: Path) -> set[str]:
    """阶段目录里能被导入的模块与包的名字。"""
    return {file.stem for file in folder.glob("*.py")} | {file.parent.name for file in folder.glob("*/__init__.py")}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("file", PACKAGE_FILES, ids=name)
def test_the_package_imports_no_stage(file):
    of_stages = set().union(*map(modules_of, [*STAGES, ROOT / "tools"]))
    assert not imported_modules(file) & of_stages


@pytest.mark.parametrize("file", STAGE_FILES, ids=name)
def test_a_stage_imports_no_other_stage(file):
    stage = ROOT / file.relative_to(ROOT).parts[0]
    of_others = set().union(*(modules_of(one) for one in [*STAGES, ROOT / "tools"] if one != stage)) - modules_of(stage)
    assert not imported_modules(file) & of_others


@pytest.mark.parametrize("file", PACKAGE_FILES + STAGE_FILES + TOOL_FILES, ids=name)
def test_no_path_tricks_and_no_artifact_paths_of_its_own(file):
    text = file.read_text(encoding="utf-8")
    assert "sys.path" not in text
    if file.name != "artifacts.py":
        assert not re.search(r"""["']artifacts(/|["'])""", text), "产物的位置由 health_assistant/artifacts.py 命名"


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_help_is_chinese_and_imports_nothing_heavy(script):
    code = (
        "import runpy, sys\n"
        f"sys.argv = [{script.name!r}, '--help']\n"
        "try:\n"
        f"    runpy.run_path({str(script)!r}, run_name='__main__')\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        f"print('HEAVY', [one for one in {HEAVY!r} if one in sys.modules])\n"
    )
    # python -c 会把当前目录放进导入路径；脚本自己的目录要像真的运行时那样在里面
    done = subprocess.run([sys.executable, "-c", code], cwd=script.parent, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "HEAVY []" in done.stdout
    assert re.search(r"[一-鿿]", done.stdout), "说明要是中文的"
