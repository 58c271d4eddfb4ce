"""安全地存目录：要么整个在，要么不在。训练随时可能被 kill -9。"""

import os
import shlex
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

COMPLETE_MARK = "complete"


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """给出同一目录里的临时文件夹供写入；正常结束才改名为 folder（旧的换掉），中途出错则不留痕迹。"""
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    for leftover in folder.parent.glob(f".{folder.name}.*.partial"):
        if not psutil.pid_exists(int(leftover.name.split(".")[-2])):  # 写它的进程被 kill 了
            shutil.rmtree(leftover)
    partial.mkdir(parents=True)
    try:
        yield partial
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(partial, folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def mark_complete(checkpoint: Path) -> None:
    """检查点的全部文件都写好之后才调用：没有这个标记的检查点是写了一半的。"""
    (checkpoint / COMPLETE_MARK).touch()


def last_complete_checkpoint(folder: Path) -> Path | None:
    """folder 里最新的完整检查点；别的文件与目录一概不管。

    不用 transformers 的 get_last_checkpoint：kill -9 留下的半个，它也当成最新的。
    """
    complete = [step for step, checkpoint in _checkpoints(folder).items() if (checkpoint / COMPLETE_MARK).exists()]
    return _checkpoints(folder)[max(complete)] if complete else None


def drop_half_written(folder: Path) -> None:
    """删掉写了一半的检查点，免得以后被当成好的；别的文件与目录一概不管。"""
    for checkpoint in _checkpoints(folder).values():
        if not (checkpoint / COMPLETE_MARK).exists():
            shutil.rmtree(checkpoint)


def _checkpoints(folder: Path) -> dict[int, Path]:
    """第几步 -> 检查点；checkpoint-50-copy 这样的不是。"""
    named = {path.name.removeprefix("checkpoint-"): path for path in folder.glob("checkpoint-*") if path.is_dir()}
    return {int(step): path for step, path in named.items() if step.isdecimal()}


def prepare_to_resume(checkpoints: Path, from_scratch: bool) -> str | None:
    """接着哪个检查点训练，没有就是 None；删掉接不得的，说接着哪个、别的训练留着哪些、怎样删。

    checkpoints 的名字是配方与数据的指纹：改了哪一样就是另一个文件夹，别的一个也不动。
    自己的，写了一半的总删；from_scratch（--force）全删。
    """
    from accelerate import PartialState

    state = PartialState()
    with state.main_process_first():  # 多卡时只有一个进程删，别的等它删完
        if state.is_main_process and from_scratch:
            shutil.rmtree(checkpoints, ignore_errors=True)
        elif state.is_main_process:
            drop_half_written(checkpoints)
    last = last_complete_checkpoint(checkpoints)
    state.print(f"从检查点 {last.relative_to(checkpoints.parent)} 接着训练" if last else "从头训练")
    others = [folder for folder in sorted(checkpoints.parent.glob("*")) if folder.is_dir() and folder != checkpoints]
    if others:
        size = sum(file.stat().st_size for folder in others for file in folder.rglob("*") if file.is_file())
        state.print(
            f"同名的另外 {len(others)} 次训练（别的设置或数据）的检查点还在，共 {size / 1e6:,.1f} MB，没有动；"
            "要接着其中一次，把设置与数据改回去；不要了就删：\n"
            + "\n".join(f"  rm -r {shlex.quote(str(folder))}" for folder in others)
        )
    return str(last) if last else None
