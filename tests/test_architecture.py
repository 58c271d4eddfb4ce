"""几条规则：阶段不导入别的阶段，包不导入阶段；读的不导入判的；产物的位置只在 artifacts.py 命名；重的库用到时才导入。"""

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


def test_the_package_imports_no_stage():
    of_stages = set().union(*map(modules_of, [*STAGES, ROOT / "tools"]))
    assert {name(file): found for file in PACKAGE_FILES if (found := imported_modules(file) & of_stages)} == {}


@pytest.mark.parametrize("stage", STAGES, ids=name)
def test_a_stage_imports_no_other_stage(stage):
    of_others = set().union(*(modules_of(one) for one in [*STAGES, ROOT / "tools"] if one != stage)) - modules_of(stage)
    own = [file for file in STAGE_FILES if stage in file.parents]
    assert own and {name(file): found for file in own if (found := imported_modules(file) & of_others)} == {}


def test_no_path_tricks_and_no_artifact_paths_of_its_own():
    """产物的位置由 health_assistant/artifacts.py 命名。"""
    texts = {file: file.read_text(encoding="utf-8") for file in PACKAGE_FILES + STAGE_FILES + TOOL_FILES}
    assert [name(file) for file, text in texts.items() if "sys.path" in text] == []
    naming = [file for file, text in texts.items() if re.search(r"""["']artifacts(/|["'])""", text)]
    assert [name(file) for file in naming if file.name != "artifacts.py"] == []


REPORT_FILES = [file for file in PACKAGE_FILES if "lab_report" in file.parts]
JUDGING = "judgement|marks|alarms|derived|patterns|assessment|subjects|advice"


def test_the_reader_only_reads():
    """读者只抄录，高低由代码判断：reading 里用不到判断的任何东西。"""
    reading = {file: file.read_text(encoding="utf-8") for file in REPORT_FILES if file.parent.name == "reading"}
    judging = [name(file) for file, text in reading.items() if re.search(rf"lab_report\.({JUDGING})\b", text)]
    assert reading and judging == []


def test_what_a_report_says_is_not_remembered_without_end():
    """@cache 从不忘；收文字的要用有上限的 lru_cache，不然服务把读过的每一段字都记着。"""
    for file in REPORT_FILES:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and "cache" in map(ast.unparse, node.decorator_list):
                assert not node.args.args, (name(file), node.name)


HELP = """
import os, runpy, sys
from health_assistant import recipe_files
from health_assistant.lab_report import assessment, scoring
from health_assistant.training import vision

for script in sys.argv[2:]:
    print(f"\\0{script}", flush=True)
    child = os.fork()
    if child:
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        print("CODE", code, flush=True)
        continue
    folder = os.path.dirname(script)
    os.chdir(folder)
    sys.path[0] = folder
    heavy, sys.argv = sys.argv[1].split(), [script, "--help"]
    try:
        runpy.run_path(script, run_name="__main__")
    except SystemExit as end:
        code = end.code or 0
    print("HEAVY", [library for library in heavy if library in sys.modules], flush=True)
    os._exit(code)
"""
"""轻的库导入一次，再为每个脚本 fork 一个：各起一个解释器，四十多个脚本要一分多钟。"""


@pytest.fixture(scope="module")
def shown() -> dict[str, str]:
    """各脚本的 --help 印的话，末尾是导入了的重的库与退出码。"""
    command = [sys.executable, "-c", HELP, " ".join(HEAVY), *map(str, SCRIPTS)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return dict(part.split("\n", 1) for part in done.stdout.split("\0")[1:])


@pytest.mark.parametrize("script", SCRIPTS, ids=name)
def test_help_is_chinese_and_imports_nothing_heavy(script, shown):
    assert shown[str(script)].endswith("HEAVY []\nCODE 0\n"), shown[str(script)]
    assert re.search(r"[一-鿿]", shown[str(script)]), "说明要是中文的"
