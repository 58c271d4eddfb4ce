"""产物：写一半不留痕迹，配方或输入变了就要重跑。"""

import pytest

from health_assistant import artifacts
from health_assistant.artifacts import (
    artifacts_dir,
    atomic_path,
    fingerprint,
    is_finished,
    mark_finished,
    write_json,
    write_text,
)
from health_assistant.command_line import BadInput


def test_the_root_can_be_moved(tmp_path, monkeypatch):
    monkeypatch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path))
    assert artifacts_dir() == tmp_path


def test_an_interrupted_write_keeps_the_old_file_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "deep" / "answer.txt"
    write_text(path, "旧的")
    with pytest.raises(RuntimeError), atomic_path(path) as partial:
        partial.write_text("写到一半", encoding="utf-8")
        raise RuntimeError
    assert path.read_text(encoding="utf-8") == "旧的"
    assert list(path.parent.iterdir()) == [path]


def test_finished_means_same_recipe_same_inputs_and_files_still_there(tmp_path):
    source, output = tmp_path / "in.txt", tmp_path / "out" / "result.json"
    source.write_text("一")
    wanted = fingerprint({"steps": 3}, [source])
    assert not is_finished(output.parent, wanted)
    write_json(output, {"好": 1})
    mark_finished(output.parent, wanted, [output])
    assert is_finished(output.parent, wanted)
    assert not is_finished(output.parent, fingerprint({"steps": 4}, [source]))
    source.write_text("二")
    assert not is_finished(output.parent, fingerprint({"steps": 3}, [source]))
    output.unlink()
    assert not is_finished(output.parent, wanted)


def test_a_damaged_record_means_not_finished(tmp_path):
    write_text(tmp_path / "finished.json", "{")
    assert not is_finished(tmp_path, "x")


@pytest.mark.parametrize("name", ["..", "../../x", "/etc", "a\\b"])
@pytest.mark.parametrize(
    "place", [artifacts.llm_dir, artifacts.train_data_dir, artifacts.vl_dir, artifacts.vl_import_dir]
)
def test_a_name_from_the_command_line_stays_inside_the_artifacts(place, name):
    with pytest.raises(BadInput, match="一层文件夹"):
        place(name)
