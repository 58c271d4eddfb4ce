"""训练数据的读写：一行一条对话；data.json 最后写，有它才算一份完整的数据。"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from health_assistant import artifacts, hub
from health_assistant.command_line import BadInput

SPLITS = ("train.jsonl", "val.jsonl")


def matching_form(text: str) -> str:
    """只用来比较的写法：全半角、大小写、标点、空白的不同都抹掉。训练用的文字不这样改。"""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).casefold())


def dialogue(pair: tuple[str, str]) -> dict:
    return {"messages": [{"role": "user", "content": pair[0]}, {"role": "assistant", "content": pair[1]}]}


def read_jsonl(path: Path, check: Callable[[dict], object]) -> list[dict]:
    """一行一个对象；check 对不上的行抛 KeyError 或 TypeError；坏的一行是 `BadInput`，点明哪个文件、哪一行。"""
    rows = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                check(row)
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise BadInput(f"{path}:{number}：这一行坏了（{type(error).__name__}：{error}）") from None
            rows.append(row)
    return rows


def write_train_data(folder: Path, splits: Mapping[str, Iterable[dict]], about: dict) -> None:
    """写 train.jsonl、val.jsonl，最后写 data.json（about 加上行数与 SHA-256）。"""
    counts, sha256 = {}, {}
    for name, rows in splits.items():
        lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
        artifacts.write_text(folder / name, "".join(lines))
        counts[name.removesuffix(".jsonl")] = len(lines)
        sha256[name] = hub.file_sha256(folder / name)
    artifacts.write_json(folder / "data.json", {**about, "rows": counts, "sha256": sha256})
