"""笔记本开头的一格，由 tools/make_notebooks.py 抄进去：进项目，装环境，起服务，换一个 %%bash。只用标准库与 IPython。

命令都在项目自己的 .venv 里运行，笔记本的内核是哪个 Python、装了什么都不要紧，也不会去动它。
"""

import atexit
import codecs
import os
import shlex
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from IPython.core.magic import register_cell_magic
from IPython.display import Image  # noqa: F401  后面的格子用它显示图

DATA_DISKS = ("/content", "/mnt/workspace", "/root/autodl-tmp", "/workspace")  # Colab、ModelScope、AutoDL、Cloud Studio
START_SECONDS = 120
running: dict[int, subprocess.Popen] = {}


def start(repository: str, recipe: str = "tiny") -> None:
    """到项目的根目录（没有就从 repository 克隆），没有装过就装 .venv；recipe 是后面各格的 $RECIPE。

    找不到项目又没有写 repository、有一步没有成功：抛 `RuntimeError`。
    """
    here = Path.cwd()
    places = (here / "course", here, *here.parents)
    root = next((place for place in places if (place / "run.sh").is_file()), places[0])
    if not (root / "run.sh").is_file():
        if not repository:
            raise RuntimeError("这里没有项目：把 REPOSITORY 写成项目的 git 地址，或在项目里打开这个笔记本")
        run(f"git clone --depth 1 {shlex.quote(repository)} course")
    os.chdir(root)
    path = f"{root}/.venv/bin:{os.environ['PATH']}"
    # 内核把 MPLBACKEND 设成笔记本自己的画图后端，.venv 里没有它
    os.environ.update(RECIPE=recipe, PATH=path, PYTHONUNBUFFERED="1", COLUMNS="100", MPLBACKEND="Agg")
    if not Path(".venv/installed-requirements.txt").exists():
        disk = next((folder for folder in DATA_DISKS if os.access(folder, os.W_OK)), None)
        rented = f"DATA_DISK={disk} bash 0-env-init/cloudstudio.sh"
        run(rented if disk else "source 0-env-init/setup_venv.sh; make_venv")
    print(f"在 {root}，RECIPE={recipe}")


def run(command: str) -> None:
    """用 bash 运行几条命令，边运行边显示；有一条不成功就停在那里，抛 `RuntimeError`。"""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    bash = ["bash", "-e", "-o", "pipefail", "-c", command]
    with subprocess.Popen(bash, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while chunk := os.read(process.stdout.fileno(), 65536):
            print(decoder.decode(chunk), end="", flush=True)
    if process.returncode:
        raise RuntimeError(f"没有成功（退出码 {process.returncode}），原因见上面")


@register_cell_magic
def bash(line: str, cell: str) -> None:
    """代替自带的 %%bash：Colab 的要等运行完才显示。"""
    run(cell)


def serve(command: str, port: int) -> None:
    """在后台起服务，等到它答 /health；这个笔记本先前在同一端口上起的先停。端口被占着、起不来：抛 `RuntimeError`。"""
    if port in running:
        stop(running.pop(port))
    if listening(port):
        raise RuntimeError(f"端口 {port} 被别的程序占着：先停掉它（另一个笔记本起的，关掉那个笔记本的内核）")
    log = Path(f"/tmp/notebook-server-{port}.log")
    with log.open("w") as out:
        running[port] = subprocess.Popen(  # 自己的会话：按“停止”只停正在运行的一格
            shlex.split(command), stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
        )
    atexit.register(stop, running[port])
    deadline = time.monotonic() + START_SECONDS
    while not answers(port):  # 端口先听着，模型后装好
        if running[port].poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"服务没有起来：\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.2)
    address = f"http://127.0.0.1:{port}"
    if "google.colab" in sys.modules:  # 浏览器不在 Colab 的机器上，要经它的代理；我们的网页不许放进 iframe
        from google.colab import output

        address = output.eval_js(f"google.colab.kernel.proxyPort({port})")
    print(f"服务在 {address}，日志在 {log}")


def stop(server: subprocess.Popen) -> None:
    """停掉服务，等它退出。"""
    server.terminate()
    server.wait(timeout=60)  # gunicorn 等手上的请求做完，至多 30 秒


def answers(port: int) -> bool:
    """这个端口上的服务答不答 /health。"""
    try:
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return no_proxy.open(f"http://127.0.0.1:{port}/health", timeout=5).status == 200
    except OSError:
        return False


def listening(port: int) -> bool:
    """有没有程序占着这个端口。"""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
