"""真的脚本，两个阶段：算坏了的训练停下来（NaN、无穷、正好是 0 的损失，装不下的梯度）；给 GPU 写的配方也走得完。"""

import json

import pytest
import small_llm
import small_vl
from stage_scripts import ROOT, run_forked

pytestmark = pytest.mark.slow  # 十一次训练
SCRIPTS = {"llm": "3-fine-tuning-llm/train_llm.py", "vl": "6-fine-tuning-vl/train_vl.py"}
BROKEN = {"nan": "第 3 步的损失是 nan", "inf": "第 3 步的损失是 inf", "zero": "第 3 步的损失是 0"}
BROKEN |= {"exploding": "第 3 步的梯度是 "}
BIG = {"llm": "3-fine-tuning-llm/configs/qwen2.5-0.5b.yaml", "vl": "6-fine-tuning-vl/configs/qwen2-vl-7b-lora.yaml"}
SETTINGS = ["--dataset_name", "small", "--update_rows", "2", "--eval_steps", "2", "--max_length", "400"]
SETTINGS += ["--max_steps", "5", "--lora_r", "4"]
VL_ONLY = ["--min_text_height", "1", "--unreadable_share", "0", "--abnormal_share", "0", "--question_share", "0"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """各次训练的（退出码，输出，产物目录）；一个进程里先后 fork 出来。"""
    home = tmp_path_factory.mktemp("artifacts")
    small_llm.build_small_base(home / "llm-base")
    small_vl.build_small_base(home / "vl-base")
    small_llm.write_train_data(home / "train-data/small", train=12, val=2)
    small_vl.write_pages(home / "vl/dataset/small")
    wanted = [(kind, how) for kind in SCRIPTS for how in BROKEN] + [("llm", "too-fast")]
    wanted += [(kind, "big") for kind in BIG]
    given = []
    for kind, how in wanted:
        arguments = ["--model_name_or_path", home / f"{kind}-base", "--run_name", how, *SETTINGS]
        arguments += VL_ONLY if kind == "vl" else []
        arguments += ["--learning_rate", "1e30", "--warmup_steps", "0"] if how == "too-fast" else []
        arguments += ["--config", ROOT / BIG[kind], "--backend", "transformers"] if how == "big" else []
        given.append((SCRIPTS[kind], arguments, [how, 3] if how in BROKEN else None))
    done = zip(wanted, run_forked(home, given), strict=True)
    return {(kind, how): (code, shown, home / kind / how) for (kind, how), (code, shown) in done}


@pytest.mark.parametrize("kind", SCRIPTS)
@pytest.mark.parametrize("how", BROKEN)
def test_a_broken_update_stops_the_training(runs, kind, how):
    code, shown, folder = runs[kind, how]
    assert code == 1, shown[-2000:]
    assert BROKEN[how] in shown and "解决：" in shown and "learning_rate" in shown
    assert "Traceback" not in shown
    assert not (folder / "adapter").exists() and not (folder / "training.json").exists()
    assert {one.name for one in folder.glob("checkpoints/*/checkpoint-*")} == {"checkpoint-2"}, "坏的一步没有存成检查点"


def test_a_learning_rate_out_of_this_world_is_told(runs):
    code, shown, folder = runs["llm", "too-fast"]
    assert code == 1 and "步" in shown and "1e+30" in shown
    assert not (folder / "adapter").exists()


@pytest.mark.parametrize("kind", BIG)
def test_a_recipe_for_a_gpu_runs_on_a_small_base(runs, kind):
    code, shown, folder = runs[kind, "big"]
    assert code == 0, shown[-2000:]
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert (record["backend"], record["steps"]) == ("transformers", 5)
    assert record["tokens_per_second"] > 0 and 1 <= record["padded_tokens"] / record["tokens"] < 2
