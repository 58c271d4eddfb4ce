"""读 README 的程序（变成笔记本的、测试）共用的：有哪些文件，里面的代码块与命令，哪些命令不能在哪里都运行。"""

import re
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SCRIPT = re.compile(r"^[\w./-]+\.(py|sh)$")
SERVERS = {"5-build-server/serve.py": 8001, "7-endpoint-integration-server/medical_report_server.py": 8000}
SKIPPED = {  # 理由 -> 命令的样子
    "要 GPU": r"(configs/|--recipe |--model )(qwen|Qwen)|bnb-4bit|configs/dataset-full|medical-o1"
    r"|^accelerate |\bvllm\b|^ray ",
    "要下载两万条问答": r"prepare_train_data\.py$",
    "要换成自己的文件、模型或密钥": r"照片|服务的地址|标签\.|我的|模型名|文件夹|…|\[-|CMB-Clin-qa\.json",
    "装环境，.ci/run 会做": r"\b(run|test|autodl|cloudstudio)\.sh\b|pip install|^cd |^git clone |^source ",
}


@dataclass(frozen=True)
class Command:
    """一条命令；expected 是 console 块里它印出的各行，bash 块里的没有。"""

    line: str
    expected: tuple[str, ...] = ()

    @property
    def words(self) -> list[str]:
        """各个词，去掉开头的环境变量（名字=值）。"""
        words = shlex.split(self.line, comments=True)
        while words and re.match(r"[A-Za-z_]+=", words[0]):
            words.pop(0)
        return words

    @property
    def script(self) -> str | None:
        """python 或 bash 后面的本仓库脚本；别的命令是 None。"""
        words = self.words
        runner = words and Path(words[0]).name in ("python", "bash")
        return words[1] if runner and len(words) > 1 and SCRIPT.match(words[1]) and words[1] in FILES else None


def tracked_files() -> list[str]:
    """git 收着的与将要收的文件，相对仓库根目录。"""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()})


FILES = tracked_files()
PAGES = [ROOT / name for name in FILES if name.endswith(".md")]


def fences(page: Path) -> list[tuple[str, str]]:
    """（语言，内容）。"""
    return FENCE.findall(page.read_text(encoding="utf-8"))


def whole_lines(text: str) -> list[str]:
    """一条命令一行：反斜杠续行的、引号跨行的接起来；注释与空行不要。"""
    lines, begun = [], ""
    for line in text.replace("\\\n", " ").splitlines():
        begun += line if not begun else f"\n{line}"
        try:
            words = shlex.split(begun, comments=True)
        except ValueError:  # 引号还没有收上
            continue
        if words:
            lines.append(begun.strip())
        begun = ""
    assert not begun, f"引号没有收上：{begun}"
    return lines


def commands_in(language: str, text: str) -> list[Command]:
    """一个代码块里的命令：bash 块里的每条（续行接好）；console 块里 `$ ` 开头的与它后面的各行；别的块里没有。"""
    if language == "bash":
        return [Command(line) for line in whole_lines(text)]
    in_console = []
    if language == "console":
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            line, *printed = part.splitlines()
            in_console.append(Command(line, tuple(text for text in printed if text.strip())))
    return in_console


def commands_of(page: Path) -> list[Command]:
    """一页里的命令，按写的次序。"""
    return [command for language, text in fences(page) for command in commands_in(language, text)]


def why_skipped(command: Command) -> str | None:
    """不能在哪台机器上都照抄运行的，说出 SKIPPED 里的理由；能运行的是 None。"""
    line = " ".join(command.words)
    return next((reason for reason, looks in SKIPPED.items() if re.search(looks, line)), None)
