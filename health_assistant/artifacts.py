"""各阶段产物的位置与读写。位置只在这里命名；写入是原子的；“跑完了”记作配方与输入的哈希。"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from health_assistant.command_line import BadInput

ROOT = Path(__file__).resolve().parent.parent
FINISHED_FILE = "finished.json"
Parsed = TypeVar("Parsed")


def folder_name(name: str) -> str:
    """能作一层文件夹的名字就照旧；`..`、带斜线的会写到产物之外，抛 `BadInput`。"""
    if name in (".", "..") or re.search(r"[/\\\x00-\x1f]", name):
        raise BadInput(f"名字要能作一层文件夹的名字，不能是 . 或 ..，也不能有斜线，而不是 {name!r}")
    return name


def artifacts_dir() -> Path:
    """产物的根目录：环境变量 HEALTH_ASSISTANT_ARTIFACTS，没有设时是仓库里的 artifacts/（git 不收）。"""
    return Path(os.environ.get("HEALTH_ASSISTANT_ARTIFACTS") or ROOT / "artifacts")


def eval_data_dir() -> Path:
    """阶段 1：评测数据，cmb-clin.jsonl 等。"""
    return artifacts_dir() / "eval-data"


def downloads_dir() -> Path:
    """从模型站下载的文件，见 health_assistant/hub.py。"""
    return artifacts_dir() / "downloads"


def tiny_model_dir(kind: str) -> Path:
    """微型基座：kind 是 llm 或 vl。首次用到时现场训练，见 health_assistant/training/tiny_models.py。"""
    return artifacts_dir() / "models" / f"tiny-{kind}"


def evaluation_dir(recipe: str, when: str, limit: int | None = None) -> Path:
    """阶段 2、4：配方 recipe 的评测；when 是 before、after 或 compare。只评前 limit 题的另放一处，不与全部题的混。"""
    return artifacts_dir() / "eval" / folder_name(recipe) / (f"{when}-first-{limit}" if limit else when)


def train_data_dir(name: str) -> Path:
    """阶段 3：训练数据 name 的 train.jsonl、val.jsonl 与说明。"""
    return artifacts_dir() / "train-data" / folder_name(name)


def llm_dir(recipe: str) -> Path:
    """阶段 3：配方 recipe 的 adapter、merged、checkpoints、training.json、曲线。"""
    return artifacts_dir() / "llm" / folder_name(recipe)


def vl_dataset_dir(recipe: str) -> Path:
    """阶段 6：配方 recipe 的化验单图与标签：train、val、test 三个 HF imagefolder。"""
    return artifacts_dir() / "vl" / "dataset" / folder_name(recipe)


def vl_dir(recipe: str) -> Path:
    """阶段 6：配方 recipe 的 adapter、merged、checkpoints、training.json、曲线、评测（eval）。"""
    return artifacts_dir() / "vl" / folder_name(recipe)


def vl_import_dir(name: str) -> Path:
    """阶段 6：自己的照片 name：去掉隐私的图与待人核对的 rows.csv。"""
    return artifacts_dir() / "vl" / "import" / folder_name(name)


def label_lint_file(name: str) -> Path:
    """阶段 6：标签文件 name 的检查报告。"""
    return artifacts_dir() / "vl" / "lint" / f"{name}.json"


def model_server_dir() -> Path:
    """阶段 5：问模型服务得到的回答。"""
    return artifacts_dir() / "5-build-server"


def bench_dir(model: str) -> Path:
    """阶段 5：对服务上的模型 model 的压测；model 是目录时取最后三级作名字，如 llm-tiny-merged。"""
    return artifacts_dir() / "bench" / "-".join(part for part in Path(model).parts[-3:] if part != "/")


def report_server_dir() -> Path:
    """阶段 7：一张化验单经接口服务得到的结果。"""
    return artifacts_dir() / "7-endpoint-integration-server"


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """给出同一目录里的临时路径供写入；正常结束才改名为 path，中途出错则不留痕迹，旧文件不动。"""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """原子地写一个 UTF-8 文本文件。"""
    with atomic_path(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """原子地写一个 JSON 文件，中文不转义。"""
    write_text(path, json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def read_jsonl(path: Path, check: Callable[[dict], Parsed]) -> list[Parsed]:
    """一行一个 JSON 对象，经 check 成为要的样子；空行跳过。坏的一行、check 不收的一行抛 `BadInput`，说第几行、为什么。

    按字节的换行断行：回答里的 U+2028 不是换行。
    """
    rows = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                if line.strip():
                    rows.append(check(json.loads(line.removeprefix(b"\xef\xbb\xbf"))))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                reason = " ".join(f"{type(error).__name__} {error}".split())[:200]
                raise BadInput(f"{path} 第 {number} 行用不了：{reason}") from None
    return rows


def write_jsonl(path: Path, rows: Iterable[dict]) -> None:
    """原子地写一个 JSONL 文件：一行一个，中文不转义。"""
    write_text(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def fingerprint(recipe: Any, inputs: Iterable[Path]) -> str:
    """配方（可转为 JSON 的值）与输入文件内容的 SHA-256；换了任何一样，阶段就要重跑。"""
    digest = hashlib.sha256(json.dumps(recipe, ensure_ascii=False, sort_keys=True).encode())
    for path in inputs:
        with open(path, "rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def is_finished(folder: Path, expected: str) -> bool:
    """folder 里的产物是否由指纹为 expected 的配方与输入跑出来，而且还在。"""
    try:
        record = json.loads((folder / FINISHED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return record["fingerprint"] == expected and all((folder / name).exists() for name in record["files"])


def mark_finished(folder: Path, expected: str, files: Iterable[Path]) -> None:
    """记下 folder 里的 files 已由指纹为 expected 的配方与输入跑完；最后一步才调用。"""
    names = [str(file.relative_to(folder)) for file in files]
    write_json(folder / FINISHED_FILE, {"fingerprint": expected, "files": names})
