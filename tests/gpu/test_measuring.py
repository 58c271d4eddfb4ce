"""GPU 测试用的代码在 CPU 上走一遍：极小的基座、真的脚本与配方、写出来的表。"""

import psutil
import pytest
from gpu import bases, measuring, speed_table
from gpu.measuring import ROOT, SERVER_STAGE
from safetensors.torch import load_file


@pytest.mark.slow
def test_a_server_is_loaded_and_every_answer_is_full(tmp_path):
    from transformers import AutoTokenizer  # 导入要几秒，别的测试不用

    bases.build_llm("small", tmp_path / "base")
    loads = ((1, 2), (4, 8))
    records = measuring.measure_server(tmp_path, "small", tmp_path / "base", "transformers", loads, answer_tokens=24)
    measuring.write_table(tmp_path / "gpu.md", records)
    rows = [line.strip("| ").split(" | ") for line in (tmp_path / "gpu.md").read_text().splitlines()[-2:]]
    assert [row[0] for row in rows] == ["small", "small"] and all("transformers" in row[1] for row in rows)
    assert [row[2] for row in rows] == ["1", "4"]
    assert [row[5] for row in rows] == ["24", "24"], "随机的模型也要正好写满"
    assert all(float(row[at]) > 0 for row in rows for at in (3, 4, 6))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "base")
    spread = load_file(tmp_path / "base/model.safetensors")["lm_head.weight"].float().std(dim=1)
    chosen = (spread > spread.max() / 2).nonzero().flatten().tolist()
    words = tokenizer.batch_decode([[one] for one in chosen], skip_special_tokens=True)
    assert len(words) > 2000 and all(word and "\ufffd" not in word for word in words), "选得到的都是看得见的字"
    assert not [one for one in psutil.process_iter(["cmdline"]) if str(tmp_path) in " ".join(one.info["cmdline"] or [])]


def test_the_shipped_table_of_servers_is_measured_or_says_it_is_pending(tmp_path):
    shown = (ROOT / SERVER_STAGE / "results/gpu.md").read_text(encoding="utf-8")
    measuring.write_table(tmp_path / "pending.md", [])
    assert shown == (tmp_path / "pending.md").read_text(encoding="utf-8") or "机器：NVIDIA" in shown


def test_new_measurements_replace_those_of_the_same_kind(tmp_path, monkeypatch):
    old = speed_table.records(speed_table.STAGES[0])
    for stage in speed_table.STAGES:
        (tmp_path / stage / "results").mkdir(parents=True)
        text = (ROOT / stage / "results/gpu.jsonl").read_text(encoding="utf-8")
        (tmp_path / stage / "results/gpu.jsonl").write_text(text, encoding="utf-8")
    monkeypatch.setattr(speed_table, "ROOT", tmp_path)
    again = old[0] | {"tokens_per_second": 1.0, "losses": [1.0]}
    speed_table.keep([again, old[1] | {"card": "别的卡"}, old[2] | {"card": "别的卡", "error": "OutOfMemoryError"}])
    new = speed_table.records(speed_table.STAGES[0])
    assert len(new) == len(old) + 1 and "losses" not in new[-2]
    assert [one["tokens_per_second"] for one in new if one["card"] == "别的卡"] == [old[1]["tokens_per_second"]]
    assert "## 别的卡" in speed_table.page(new) and "| 1 |" in speed_table.page(new)


@pytest.mark.parametrize("stage", speed_table.STAGES)
def test_the_shipped_table_of_trainings_is_what_was_measured(stage):
    shown = (ROOT / stage / "results/gpu.md").read_text(encoding="utf-8")
    assert shown == speed_table.page(speed_table.records(stage))
