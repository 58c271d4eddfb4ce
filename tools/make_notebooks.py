"""把各阶段的 README 变成笔记本 <阶段>/<阶段>.ipynb，没有输出；README 没有变，写出的字节就不变。

到“再往前走”为止，后面的细节仍在 README 里。bash 块成为能运行的格子：起服务的放到后台；主配方的换成 $RECIPE，
是 tiny 时不运行；要换成自己的文件、要别的机器的，前面加 #。console 块里没有运行过的命令另成一格，印出的话留着对照。
"""

import re
import sys
from itertools import groupby

from readme_pages import FENCE, ROOT, SERVERS, Command, commands_in, why_skipped

from health_assistant.command_line import new_parser

STAGES = sorted(path for path in ROOT.glob("[0-9]-*") if path.is_dir())
MAIN_RECIPES = {"2": "qwen2.5-14b-qlora", "3": "qwen2.5-14b-qlora", "4": "qwen2.5-14b-qlora", "6": "qwen2-vl-7b-lora"}
MAIN_DATA = r"medical-o1|dataset-full|prepare_train_data\.py$"  # 主配方的数据
WEB_APP = "python 7-endpoint-integration-server/medical_report_server.py"  # run.sh app 先装环境再起它
TERMINAL_ONLY = re.compile(r"，Ctrl-C 结束|另开一个终端；?")
IMAGE = re.compile(r"^!\[(.+?)\]\((\S+)\)$", re.MULTILINE)
EARLIER = {  # 阶段 2 至 5 要用的前面的产物
    "1": "python 1-eval-data-prepare/prepare_cmb_clin.py\n",
    "2": "python 2-eval-before-tuning/eval_before.py\n",
    "3": "python 3-fine-tuning-llm/prepare_train_data.py --source sample\n"
    "python 3-fine-tuning-llm/train_llm.py\npython 3-fine-tuning-llm/merge_llm.py\n",
}
PAGE = """{title}

由 `tools/make_notebooks.py` 从[同一目录的 README](README.md) 写成，从上到下运行。在 Colab、ModelScope、Cloud Studio
怎样打开，见[阶段 0](../0-env-init/README.md#用笔记本)。文字里“真的输出”是写 README 时的，你的会有不同。
先运行这一格，给后面的用：

```python
{setup}```

要改的都在这一格。第一次运行要装环境，几分钟：

```python
{recipe}REPOSITORY = ""  # 不是在项目里打开的（如 Colab）：写项目的 git 地址
start(REPOSITORY{then})
```

{earlier}{body}

每一步的细节在[同一目录的 README](README.md) 里。
"""


def main() -> int:
    """各阶段的 README -> 同一文件夹的笔记本；返回退出码。"""
    new_parser(__doc__.splitlines()[0]).parse_args()
    for stage in STAGES:
        notebook = stage / f"{stage.name}.ipynb"
        notebook.write_text(make_notebook(stage.name, (stage / "README.md").read_text("utf-8")), "utf-8")
        print(f"写了 {notebook.relative_to(ROOT)}（{notebook.stat().st_size // 1024} KB）")
    return 0


def make_notebook(stage: str, readme: str) -> str:
    """阶段的文件夹名与它的 README 全文 -> 笔记本文件的全文。"""
    import jupytext
    import nbformat

    title, body = re.match(r"(#.+?)\n(.+?\n## 再往前走\n.+?)(?=\n## |\Z)", readme, re.DOTALL).groups()
    recipe = MAIN_RECIPES.get(stage[0], "")
    done: set[str] = set()
    body = IMAGE.sub(rf'```python\nImage("{stage}/\2")  # \1\n```', body.replace("下面是每一步的细节。", ""))
    earlier = "".join(lines for number, lines in EARLIER.items() if number < stage[0] <= "5")
    page = PAGE.format(
        title=title,
        setup=(ROOT / "tools/notebook_setup.py").read_text("utf-8"),
        recipe=f'RECIPE = "tiny"  # 有 GPU 时改成 "{recipe}"，或放得下的别的配方\n' if recipe else "",
        then=", RECIPE" if recipe else "",
        earlier=f"前面几个阶段的产物，在这台机器上做过的不会重做：\n\n```bash\n{earlier}```\n" if earlier else "",
        body=FENCE.sub(lambda fence: cells(fence, recipe, done), body),
    )
    notebook = jupytext.reads(page, {"extension": ".md", "split_at_heading": True})
    for number, cell in enumerate(notebook.cells):
        cell.id = f"stage-{stage[0]}-{number}"
    notebook.metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"


def cells(fence: re.Match, recipe: str, done: set[str]) -> str:
    """README 的一个代码块 -> 笔记本的格子，仍是 Markdown；命令在 done 里（前面的格子有）就不重复，除非是起服务。"""
    language, text = fence.groups()
    new = []
    for command in commands_in(language, text):
        line = command.line.split("  #")[0].strip()
        if line not in done or command.script in SERVERS:
            new.append(command)
        done.add(line)
    lines = [in_notebook(command, recipe) for command in new]
    if all(line.startswith("#") for line in lines):  # 没有能运行的：照 README 的样子
        return f"```{language.replace('bash', '')}\n{text}```"
    blocks = []
    for is_server, group in groupby(lines, lambda line: line.startswith("serve(")):
        blocks.append("\n".join([f"```{'python' if is_server else 'bash'}", *group, "```"]))
    return "\n\n".join(blocks + ([fence[0]] if language == "console" else []))


def in_notebook(command: Command, recipe: str) -> str:
    """一条命令在笔记本里的写法；不能运行的前面有 #。"""
    line = re.sub("^bash run.sh app", WEB_APP, TERMINAL_ONLY.sub("", command.line).rstrip(" #"))
    words = " ".join(command.words)
    if any("✗" in printed for printed in command.expected):
        return f"{line} || [ $? = 1 ]  # 还没有做，所以是 ✗，退出码 1"
    if recipe and re.search(rf"{recipe}\b|{MAIN_DATA}", words):
        return f"[ $RECIPE = tiny ] || {line.replace(recipe, '$RECIPE')}"
    if why_skipped(Command(line)) or "vl/tiny/merged" in line:  # 阶段 5 里要先做阶段 6 的
        return "# " + line.replace("\n", "\n# ")
    if Command(line).script in SERVERS:
        server, _, note = line.partition("  #")
        port = re.search(r"--port (\d+)", server)
        return f'serve("{" ".join(server.split())}", {port[1] if port else SERVERS[Command(line).script]})  #{note}'
    return line


if __name__ == "__main__":
    sys.exit(main())
