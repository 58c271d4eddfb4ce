"""训练数据的读写：一行一条对话；data.json 最后写，有它才算一份完整的数据。"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from health_assistant import artifacts, hub

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
