"""全部 Markdown：链接、锚点、图、文件名、命令的选项、配方名、环境变量都要是真的。不联网，也不运行命令。"""

import io
import re
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from unittest import mock
from urllib.parse import unquote

import pytest
from readme_pages import FENCE, FILES, PAGES, ROOT, commands_of, fences

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
INLINE = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?<![\w-])--[a-z][\w-]*")
FILE_NAME = re.compile(r"(?<![\w/.*…<>{}-])(?:[\w.-]+/)*[\w.-]+\.(?:py|sh|yaml)(?![\w*])")
VARIABLE = re.compile(r"\b[A-Z]{2,}[A-Z0-9]*_[A-Z0-9_]{2,}\b")
CODE = [
    name
    for name in FILES
    if name.endswith((".py", ".sh", ".yaml", ".toml", ".js", ".ci/run")) and not name.startswith("tests/")
]

# 别的项目的东西，不在这个仓库里
OTHERS_SCRIPTS = {"convert_hf_to_gguf.py"}
OTHERS_VARIABLES = {"HF_ENDPOINT", "PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL", "OMP_NUM_THREADS", "PIP_INDEX_URL"}
DIAGRAMS = ("flowchart", "sequenceDiagram", "graph", "stateDiagram", "classDiagram", "gantt")


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


each_page = pytest.mark.parametrize("page", PAGES, ids=name)


def prose(page: Path) -> str:
    """去掉代码块的正文。"""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """各标题在 GitHub 上的锚点；同名的第二个加 -1。"""
    found: set[str] = set()
    for title in re.findall(r"^#{1,6} +(.+?)\s*$", prose(page), re.MULTILINE):
        slug = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        repeats = sum(one == slug or re.fullmatch(rf"{re.escape(slug)}-\d+", one) is not None for one in found)
        found.add(f"{slug}-{repeats}" if repeats else slug)
    return found


@cache
def help_of(script: str) -> str:
    """--help 印的；Python 的脚本在本进程里运行，省下每次一两秒的启动。"""
    if script.endswith(".sh"):
        done = subprocess.run(["bash", script, "--help"], cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, f"{script} --help：{done.stderr}"
        return done.stdout
    shown, path = io.StringIO(), ROOT / script
    with (
        mock.patch.object(sys, "argv", [script, "--help"]),
        mock.patch.object(sys, "path", [str(path.parent), *sys.path]),
        redirect_stdout(shown),
        pytest.raises(SystemExit) as end,
    ):
        runpy.run_path(str(path), run_name="__main__")
    assert not end.value.code, script
    return shown.getvalue()


@cache
def code() -> str:
    return "\n".join((ROOT / one).read_text(encoding="utf-8") for one in CODE)


@each_page
def test_links_and_images_lead_somewhere(page):
    wrong = []
    for target in LINK.findall(prose(page)):
        path, _, anchor = unquote(target).partition("#")
        if re.match(r"https?:|mailto:", target):
            continue
        linked = (page.parent / path).resolve() if path else page
        if not linked.exists():
            wrong.append(f"没有 {target}")
        elif anchor and linked.suffix == ".md" and anchor not in anchors(linked):
            wrong.append(f"{target}：没有这个标题")
    assert not wrong


@each_page
def test_scripts_and_recipes_named_exist(page):
    named = {*FILE_NAME.findall(page.read_text(encoding="utf-8"))} - OTHERS_SCRIPTS
    assert not [one for one in named if not (page.parent / one).exists() and not known(one)]


def known(path: str) -> bool:
    """相对仓库根目录的，或只写了末尾一段的，如 `lab_report/scoring.py`。"""
    return any(one == path or one.endswith(f"/{path}") for one in FILES)


@each_page
def test_options_in_commands_are_in_the_scripts_help(page):
    inline = [text for text in INLINE.findall(prose(page)) if OPTION.search(text)]
    lines = [(one.script, one.line) for one in commands_of(page)]
    lines += [
        (script, text) for text in inline for script in FILES if re.match(rf"(python|bash) {re.escape(script)}\b", text)
    ]
    wrong = []
    for script, line in lines:
        for option in OPTION.findall(line.split(" #")[0]) if script else []:
            if not re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", help_of(script)):
                wrong.append(f"{script} 没有 {option}")
    assert not wrong


@each_page
def test_options_in_prose_belong_to_a_script_of_the_page(page):
    """正文里单独写着的 `--选项`，要是这一页的目录里某个脚本的，或 run.sh、test.sh 的。"""
    options = {
        option for text in INLINE.findall(prose(page)) if text.startswith("--") for option in OPTION.findall(text)
    }
    if not options:
        return
    folder = name(page).rpartition("/")[0]
    scripts = [one for one in FILES if one.endswith(".py") and one.rpartition("/")[0] == folder]
    scripts = [one for one in scripts if '"__main__"' in (ROOT / one).read_text(encoding="utf-8")]
    known = set().union(*(OPTION.findall(help_of(one)) for one in [*scripts, "run.sh", "test.sh"]))
    assert options <= known


@each_page
def test_recipes_named_on_the_command_line_exist(page):
    wrong = []
    for command in commands_of(page):
        for option, value in zip(command.words, command.words[1:], strict=False):
            if option == "--config" and "…" not in value and value not in FILES:
                wrong.append(value)
            if option == "--recipe" and not any(
                re.search(rf"/configs/(\w+/)?{re.escape(value)}\.yaml$", one) for one in FILES
            ):
                wrong.append(value)
    assert not wrong


@each_page
def test_recipes_named_in_prose_exist(page):
    stems = {Path(one).stem for one in FILES if "/configs/" in one}
    named = {text for text in INLINE.findall(prose(page)) if re.fullmatch(r"(qwen|dataset-)[\w.-]+", text)}
    assert named <= stems


@each_page
def test_variables_named_are_read_by_the_code(page):
    text = "\n".join([*INLINE.findall(prose(page)), *(one.line for one in commands_of(page))])
    # 阶段 7 的设置由 pydantic-settings 读，字段名是小写的
    missing = {one for one in VARIABLE.findall(text) if not re.search(rf"\b{one}\b|^    {one.lower()}: ", code(), re.M)}
    assert missing <= OTHERS_VARIABLES


@each_page
def test_fences_are_closed_and_diagrams_balanced(page):
    text = page.read_text(encoding="utf-8")
    assert len(re.findall(r"^```", text, re.MULTILINE)) == 2 * len(fences(page)), "有没收上的代码块"
    for language, body in fences(page):
        if language != "mermaid":
            continue
        assert body.strip().startswith(DIAGRAMS), body.splitlines()[0]
        assert len(re.findall(r"^\s*subgraph\b", body, re.MULTILINE)) == len(
            re.findall(r"^\s*end$", body, re.MULTILINE)
        )
        unquoted = re.sub(r"\|[^|\n]*\|", "", body)  # 线上的字不算括号
        assert all(unquoted.count(left) == unquoted.count(right) for left, right in ("[]", "()", "{}"))


def test_every_figure_is_small_and_shown():
    shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    figures = [one for one in FILES if re.search(r"/figures/.*\.png$", one)]
    assert figures
    for figure in figures:
        assert (ROOT / figure).stat().st_size <= 60_000, figure
        assert f"figures/{Path(figure).name})" in shown, f"没有一页用到 {figure}"
