"""训练数据的读写：一行一条对话；data.json 最后写，有它才算一份完整的数据。"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from health_assistant import artifacts, hub
from health_assistant.command_line import BadInput

SPLITS = ("train.jsonl", "val.jsonl")


def matching_form(text: str) -> str:
    """只用来比较的写法：全半角、大小写、标点、空白的不同都抹掉。训练用的文字不这样改。"""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def dialogue(pair: tuple[str, str]) -> dict:
    """（问，答）-> 训练数据的一行：{"messages": [提问, 回答]}。"""
    return {"messages": [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]}


def write_train_data(folder: Path, splits: Mapping[str, Iterable[dict]], about: dict) -> None:
    """写 train.jsonl、val.jsonl，最后写 data.json（about 加上行数与 SHA-256）。"""
    counts, sha256 = {}, {}
    for name, rows in splits.items():
        written = list(rows)
        artifacts.write_jsonl(folder / name, written)
        counts[name.removesuffix(".jsonl")] = len(written)
        sha256[name] = hub.file_sha256(folder / name)
    artifacts.write_json(folder / "data.json", {**about, "rows": counts, "sha256": sha256})


def read_rows(path: Path) -> list[dict]:
    """训练数据的一个文件，一行一段对话；缺了或坏了抛 `BadInput`，指出位置。"""
    if not path.is_file():
        option = " --source sample" if path.parent.name == "tiny" else ""
        raise BadInput(f"没有训练数据 {path}：先运行 python 3-fine-tuning-llm/prepare_train_data.py{option}")
    return artifacts.read_jsonl(path, check_dialogue)


def check_dialogue(row: dict) -> dict:
    """训练数据的一行，原样返回；有空的话、不以助手的回答结尾的抛 ValueError。"""
    roles = [message["role"] for message in row["messages"] if message["content"].strip()]
    if len(roles) < len(row["messages"]) or roles[-1:] != ["assistant"]:
        raise ValueError("不是以助手的回答结尾的对话")
    return row
