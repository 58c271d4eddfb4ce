"""笔记本：提交的就是 tools/make_notebooks.py 写的；README 的命令成为哪些格子。运行它们的在 test_readme_commands.py。"""

import os
import re
import subprocess
from pathlib import Path

import nbformat
import pytest
from make_notebooks import STAGES, make_notebook
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

README = """# 题目

开头。

![一张图](figures/pixels.png)

```bash
python 7-endpoint-integration-server/medical_report_server.py     # http://127.0.0.1:8000，Ctrl-C 结束
python 3-fine-tuning-llm/train_llm.py       # 微型
python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/qwen2.5-14b-qlora.yaml
python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/qwen2.5-7b-qlora.yaml
python 3-fine-tuning-llm/prepare_train_data.py --source \\
    我的.csv
```

```bash
ray stop
```

```console
$ python 3-fine-tuning-llm/train_llm.py
印出来的
$ python 3-fine-tuning-llm/exercise.py
✗ 还没有做对
```

## 再往前走

- 想一想。下面是每一步的细节。

## 细节

```bash
python 3-fine-tuning-llm/merge_llm.py
```
"""


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_committed_notebook_is_what_the_script_makes(stage):
    written = (stage / f"{stage.name}.ipynb").read_text(encoding="utf-8")
    made = make_notebook(stage.name, (stage / "README.md").read_text(encoding="utf-8"))
    assert written == made, "README 或 notebook_setup.py 改过了：运行 python tools/make_notebooks.py"
    cells = nbformat.reads(written, as_version=4).cells
    assert len({cell.id for cell in cells}) == len(cells)
    assert len(written.encode()) < 100_000


@pytest.fixture(scope="module")
def code() -> list[str]:
    cells = nbformat.reads(make_notebook("3-fine-tuning-llm", README), as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_the_recipe_is_the_one_thing_to_change(code):
    start = code[1]
    assert re.match(r'RECIPE = "tiny"  # 有 GPU 时改成 "qwen2.5-14b-qlora"', start)
    assert start.endswith("start(REPOSITORY, RECIPE)")


def test_earlier_stages_are_made_first(code):
    assert "1-eval-data-prepare/prepare_cmb_clin.py" in code[2]
    assert "3-fine-tuning-llm" not in code[2]


def test_commands_become_cells_that_run_anywhere(code):
    *_, image, server, block, exercise = code
    assert image == 'Image("3-fine-tuning-llm/figures/pixels.png")  # 一张图'
    assert server == (
        'serve("python 7-endpoint-integration-server/medical_report_server.py", 8000)  # http://127.0.0.1:8000'
    )
    assert block.splitlines() == [
        "%%bash",
        "python 3-fine-tuning-llm/train_llm.py       # 微型",
        "[ $RECIPE = tiny ] || python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/$RECIPE.yaml",
        "# python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/qwen2.5-7b-qlora.yaml",
        "# python 3-fine-tuning-llm/prepare_train_data.py --source      我的.csv",
    ]
    assert exercise.splitlines()[1].startswith("python 3-fine-tuning-llm/exercise.py || [ $? = 1 ]")


def test_what_cannot_run_and_what_was_printed_stay_text(code):
    text = "\n".join(
        cell.source
        for cell in nbformat.reads(make_notebook("3-fine-tuning-llm", README), as_version=4).cells
        if cell.cell_type == "markdown"
    )
    assert "```\nray stop\n```" in text
    assert "$ python 3-fine-tuning-llm/train_llm.py\n印出来的" in text
    assert "细节\n" not in text and not any("merge_llm" in source for source in code)


@pytest.fixture
def elsewhere(tmp_path):
    """一个没有项目的文件夹，像 Colab；和一个能克隆的项目，装环境的那一步是替身。"""
    if any(Path(disk).exists() for disk in ("/content", "/mnt/workspace", "/root/autodl-tmp", "/workspace")):
        pytest.skip("这台机器像租来的，会去运行租来的机器的脚本")
    project = tmp_path / "我的 项目"
    (project / "0-env-init").mkdir(parents=True)
    (project / "run.sh").touch()
    install = "make_venv() { mkdir .venv && touch .venv/installed-requirements.txt && echo 装了; }\n"
    (project / "0-env-init/setup_venv.sh").write_text(install, encoding="utf-8")
    author = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "."], [*author, "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=project, check=True)
    (tmp_path / "alone").mkdir()
    return tmp_path / "alone", project


@pytest.mark.slow
def test_a_notebook_opened_alone_fetches_the_project_and_installs_it_once(elsewhere):
    alone, project = elsewhere
    notebook = nbformat.reads(make_notebook("3-fine-tuning-llm", README), as_version=4)
    setup, start = (cell for cell in notebook.cells[:4] if cell.cell_type == "code")
    where = nbformat.v4.new_code_cell("%%bash\npwd\necho $RECIPE")
    client = NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": alone}})
    notebook.cells = [setup, start]
    with pytest.raises(CellExecutionError, match="REPOSITORY"):
        client.execute()
    start.source = start.source.replace('REPOSITORY = ""', f'REPOSITORY = "{project}"').replace('"tiny"', '"大的"')
    again = nbformat.v4.new_code_cell(start.source)
    notebook.cells = [setup, start, where, again]
    client.execute(env={**os.environ, "GIT_TERMINAL_PROMPT": "0"})
    first, second, third = ("".join(one.get("text", "") for one in cell.outputs) for cell in notebook.cells[1:])
    assert "装了" in first and "装了" not in third
    assert second == f"{alone / 'course'}\n大的\n"
