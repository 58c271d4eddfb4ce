"""从像素到得分整条路是通的：微型视觉模型背得下 32 张小图。画、训练、合并、EvalScope 提问、读 JSON、打分都走真的脚本。

约三分钟；背下来不等于会读，这里只证明路通。
"""

import json
import shutil

import pytest
import yaml
from stage_scripts import ROOT, run_well

from health_assistant.checked_yaml import load_yaml

pytestmark = pytest.mark.slow


def test_the_tiny_model_overfits_32_small_renders(tmp_path):
    def run(script: str, *arguments, here: bool = False) -> str:
        return run_well(tmp_path, f"6-fine-tuning-vl/{script}", *arguments, here=here)

    recipe = load_yaml(ROOT / "6-fine-tuning-vl/configs/dataset-tiny.yaml")
    (tmp_path / "dataset-small.yaml").write_text(yaml.safe_dump(recipe | {"size": {"train": 32, "val": 1, "test": 1}}))
    run("render_reports.py", "--config", tmp_path / "dataset-small.yaml")
    data = tmp_path / "vl/dataset/small"
    shutil.rmtree(data / "val")
    shutil.copytree(data / "train", data / "val")  # 留下的是背得最熟的一份

    shares = [part for name in ("abnormal", "question", "unreadable") for part in (f"--{name}_share", "0")]
    steps = ["--num_train_epochs", 75, "--eval_steps", 150]
    run("train_vl.py", "--run_name", "tiny", "--dataset_name", "small", *steps, *shares)
    run("merge_vl.py", "--recipe", "tiny", here=True)
    readers = ["--reader", "before", "after", "--dataset", data / "train", "--unreadable", "0"]
    out = run("eval_vl.py", *readers, here=True)
    readers = json.loads((tmp_path / "vl/tiny/eval/train/compare.json").read_text())["readers"]
    print(out)
    assert readers["before"]["total"]["result_recall"] < 0.1
    assert readers["after"]["total"]["result_recall"] >= 0.9, out
    assert readers["after"]["total"]["range_recall"] >= 0.9
    assert readers["after"]["answers"]["strict"] == 32
