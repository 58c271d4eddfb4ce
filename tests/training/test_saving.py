"""检查点按指纹分开放：换了设置或数据，别的一次训练的不删，说清接着哪个、留着哪些。"""

from pathlib import Path

import pytest

from health_assistant.training import saving


def checkpoint(folder: Path, step: int) -> Path:
    written = folder / f"checkpoint-{step}"
    written.mkdir(parents=True)
    (written / "weights").write_bytes(b"x" * 1000)
    saving.mark_complete(written)
    return written


@pytest.mark.parametrize("from_scratch", [False, True], ids=["接着", "--force"])
def test_other_trainings_keep_their_checkpoints(tmp_path, capsys, from_scratch):
    other = checkpoint(tmp_path / "有 空格", 8)
    own = checkpoint(tmp_path / "own", 4)
    found = saving.prune_and_find_checkpoint(tmp_path / "own", from_scratch)
    said = capsys.readouterr().out
    assert other.is_dir() and f"rm -r '{tmp_path / '有 空格'}'" in said and "另外 1 次训练" in said
    assert own.is_dir() != from_scratch
    assert found == (None if from_scratch else str(own))
    assert ("从头训练" if from_scratch else "从检查点 own/checkpoint-4 接着训练") in said
