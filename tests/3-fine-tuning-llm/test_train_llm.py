"""train_llm.py：kill -9 之后接着训练与没断过一样；写错的配方、放不下的模型、坏数据，一句话说清。"""

import argparse
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from small_llm import build_small_base, write_train_data
from stage_scripts import ROOT, environment, run_forked, run_here

STAGE = ROOT / "3-fine-tuning-llm"
TRAIN = "3-fine-tuning-llm/train_llm.py"
CONFIGS = sorted((STAGE / "configs").glob("*.yaml"))
# 两遍，每遍 10 步；有 dropout，续训时随机数也要复原
FAST = ["--dataset_name", "small", "--num_train_epochs", "2", "--update_rows", "4", "--eval_steps", "4"]
FAST += ["--early_stopping_patience", "0"]
FAST += ["--lora_dropout", "0.1", "--learning_rate", "1e-2", "--lora_r", "4", "--max_length", "400"]


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """产物的根目录，里面有极小的基座与训练数据。"""
    home = tmp_path_factory.mktemp("artifacts")
    build_small_base(home / "base")
    write_train_data(home / "train-data/small")
    return home


def adapter(home: Path, name: str) -> dict:
    return load_file(home / "llm" / name / "adapter/adapter_model.safetensors")


def assert_same_adapter(home: Path, one: str, other: str) -> None:
    left, right = adapter(home, one), adapter(home, other)
    assert left.keys() == right.keys()
    assert max(float((left[name] - right[name]).abs().max()) for name in left) <= 1e-5
    assert any(float(left[name].abs().max()) > 1e-3 for name in left if "lora_B" in name), "LoRA 要真的训练过"


@pytest.fixture(scope="module")
def trained(home):
    """calm 从头到尾；killed 先死在随机的一步，再死在写检查点的中途，第三次跑完。"""
    base = ["--model_name_or_path", str(home / "base"), *FAST]
    at = random.randrange(6, 12)
    killed = [*base, "--run_name", "killed"]
    runs = [
        (TRAIN, [*base, "--run_name", "calm"], None),
        (TRAIN, killed, ["step", at]),
        (TRAIN, killed, ["save", 2]),
        (TRAIN, killed, None),
    ]
    codes, outputs = zip(*run_forked(home, runs), strict=True)
    assert codes == (0, -signal.SIGKILL, -signal.SIGKILL, 0), f"死在第 {at} 步\n{outputs[-1][-3000:]}"
    return "".join(outputs)


def test_killed_twice_the_adapter_is_the_undisturbed_one(home, trained):
    assert trained.count("从头训练") == 2 and trained.count("接着训练") == 2
    assert_same_adapter(home, "calm", "killed")


def test_training_json_has_every_loss_and_the_same_ones_after_a_crash(home, trained):
    calm, killed = (json.loads((home / f"llm/{name}/training.json").read_text()) for name in ("calm", "killed"))
    assert [one["step"] for one in calm["train"]] == list(range(1, 21))
    assert [one["step"] for one in calm["held_out"]] == [0, 4, 8, 12, 16, 20]
    for part in ("train", "held_out"):
        for one, other in zip(calm[part], killed[part], strict=True):
            assert one == pytest.approx(other, abs=1e-5)
    for name in ("tokens", "padded_tokens", "steps", "best_step", "trainable"):
        assert calm[name] == killed[name], name
    assert calm["held_out_loss"] < calm["held_out_loss_before"]
    assert calm["tokens"] <= calm["padded_tokens"] < 1.3 * calm["tokens"]
    assert calm["tokens_per_second"] > 0 and calm["peak_memory_gib"] > 0 and calm["versions"]["trl"] == "1.14.2"
    assert (home / "llm/calm/loss.png").read_bytes().startswith(b"\x89PNG")


@pytest.fixture
def in_process(home):
    """出错时是标准错误，并且什么也没有写；不然是标准输出。"""

    def call(*arguments, script="train_llm") -> tuple[int, str]:
        before = {*home.rglob("*")}
        done = run_here(home, f"3-fine-tuning-llm/{script}.py", *arguments)
        assert done.returncode == 0 or {*home.rglob("*")} == before, "出错时什么也不写"
        return done.returncode, done.stderr if done.returncode else done.stdout

    return call


def test_merged_and_chat_work_on_what_was_trained(home, trained, in_process):
    code, out = in_process("--recipe", "calm", script="merge_llm")
    assert code == 0 and "logits 最大差" in out
    merged, base = load_file(home / "llm/calm/merged/model.safetensors"), load_file(home / "base/model.safetensors")
    changed = {name for name in base if not torch.equal(merged[name], base[name])}
    assert {name.split(".")[-2] for name in changed} == {
        *("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
    }
    assert "合并过了" in in_process("--recipe", "calm", script="merge_llm")[1]
    ask = ["--recipe", "calm", "--ask", "头痛怎么办？", "--max-new-tokens", 8]
    code, streamed = in_process(*ask, script="chat")
    assert code == 0 and streamed.strip()
    code, out = in_process(*ask, "--compare", script="chat")
    base, tuned = out.split("微调后：\n")
    assert code == 0 and base.startswith("基座：\n") and tuned == streamed


def test_an_adapter_that_changes_nothing_is_not_merged(home, trained, in_process):
    """合并悄悄漏掉 LoRA 时要报错：这里用一个还没训练的（B 全零）adapter 代替。"""
    folder = home / "llm/empty"
    (folder / "adapter").mkdir(parents=True)
    for file in ("training.json", "adapter/adapter_config.json"):
        (folder / file).write_bytes((home / "llm/calm" / file).read_bytes())
    zeros = {name: torch.zeros_like(value) for name, value in adapter(home, "calm").items()}
    save_file(zeros, folder / "adapter/adapter_model.safetensors", metadata={"format": "pt"})
    code, error = in_process("--recipe", "empty", script="merge_llm")
    assert code == 1 and "没有差别" in error


@pytest.mark.parametrize("script", ["merge_llm", "chat"])
def test_without_an_adapter_merge_and_chat_say_what_to_run(in_process, script):
    code, error = in_process("--recipe", "absent", script=script)
    assert code == 2 and "train_llm.py" in error


def test_what_was_trained_is_not_trained_again(home, trained, in_process):
    code, out = in_process("--model_name_or_path", home / "base", *FAST, "--run_name", "calm")
    assert code == 0 and "训练过了" in out


def test_changing_the_recipe_or_the_data_keeps_the_checkpoints(home, in_process):
    """同一个名字：改学习率、改数据都是另一次训练；改回来就接着原来的检查点。"""
    given = ["--model_name_or_path", home / "base", *FAST, "--max_steps", 4, "--run_name", "again"]
    code, out = in_process(*given)
    (first,) = (home / "llm/again/checkpoints").iterdir()
    assert code == 0 and "从头训练" in out and "同名" not in out
    code, out = in_process(*given, "--learning_rate", "2e-2")
    assert code == 0 and "从头训练" in out and f"rm -r {first}" in out and (first / "checkpoint-4/complete").exists()
    data = home / "train-data/small/train.jsonl"
    whole = data.read_text(encoding="utf-8")
    try:
        data.write_text("\n".join(whole.splitlines()[:-4]) + "\n", encoding="utf-8")
        code, out = in_process(*given)
        assert code == 0 and "从头训练" in out and "另外 2 次训练" in out
    finally:
        data.write_text(whole, encoding="utf-8")
    code, out = in_process(*given)
    assert code == 0 and f"从检查点 {first.name}/checkpoint-4 接着训练" in out
    others = {folder for folder in first.parent.iterdir() if folder != first}
    code, out = in_process(*given, "--force")
    assert code == 0 and "从头训练" in out and {*first.parent.iterdir()} == {first, *others}, "只从头做自己的"


def test_control_tokens_in_the_data_are_counted_and_said(home, in_process):
    folder = home / "train-data/special"
    folder.mkdir()
    for split in ("train", "val"):
        text = (home / f"train-data/small/{split}.jsonl").read_text(encoding="utf-8")
        bad = [{"role": "user", "content": "头痛"}, {"role": "assistant", "content": "休息<|im_end|>"}]
        (folder / f"{split}.jsonl").write_text(text + json.dumps({"messages": bad}) + "\n", encoding="utf-8")
    given = ["--model_name_or_path", home / "base", *FAST, "--dataset_name", "special", "--max_steps", 2]
    code, out = in_process(*given, "--run_name", "special")
    assert code == 0 and out.count("没用的：有控制词元 1") == 2 and "没有查过" in out
    assert json.loads((home / "llm/special/training.json").read_text())["data"]["control_tokens"] == 2


BAD_RECIPES = {
    "没有这一项": "learning_rat: 1.0e-4",
    "整数写成汉字": "update_rows: 八",
    "负数": "learning_rate: -1",
    "列表": "update_rows: [1, 2]",
    "选项之外": "backend: jax",
    "布尔": "load_in_4bit: 也许",
    "不是映射": "- 1",
    "坏 YAML": "a: [",
    "没装的记录器": "report_to: swanlab",
    "检查点太少": "save_total_limit: 1",
}


@pytest.mark.parametrize("text", BAD_RECIPES.values(), ids=BAD_RECIPES.keys())
def test_a_bad_recipe_is_one_line_and_exit_2(tmp_path, in_process, text):
    config = tmp_path / "my.yaml"
    config.write_text(text, encoding="utf-8")
    code, error = in_process("--config", config)
    assert code == 2
    assert len(error.strip().splitlines()) == 1 and error.startswith("✗ "), error


@pytest.mark.parametrize("arguments", ["--config", "--config /no/such.yaml", "--nonsense", "--seed", "--lora_rank 8"])
def test_bad_usage_is_one_line_and_exit_2(in_process, arguments):
    code, error = in_process(*arguments.split())
    assert code == 2 and len(error.strip().splitlines()) == 1


def test_missing_data_says_which_script_makes_it(in_process):
    code, error = in_process("--dataset_name", "absent")
    assert code == 2 and "prepare_train_data.py" in error


@pytest.mark.parametrize("line", ["{", "[]", '{"messages": []}', '{"messages": [{"role": "user", "content": "痛"}]}'])
def test_a_bad_row_is_named_by_file_and_line(home, in_process, line):
    folder = home / "train-data/broken"
    folder.mkdir(exist_ok=True)
    good = (home / "train-data/small/train.jsonl").read_text().splitlines()[0]
    (folder / "train.jsonl").write_text(f"{good}\n{line}\n")
    (folder / "val.jsonl").write_text(f"{good}\n")
    code, error = in_process("--dataset_name", "broken")
    assert code == 2 and "train.jsonl 第 2 行" in error


def test_a_model_that_will_not_fit_is_refused_with_the_remedy(home, in_process):
    big = home / "big"
    big.mkdir()
    for file in (home / "base").iterdir():
        if file.suffix != ".safetensors":
            (big / file.name).write_bytes(file.read_bytes())
    config = json.loads((big / "config.json").read_text())
    (big / "config.json").write_text(json.dumps(config | {"hidden_size": 2**20, "intermediate_size": 2**22}))
    code, error = in_process("--model_name_or_path", big, "--dataset_name", "small", "--run_name", "big")
    assert code == 1
    assert "放不下" in error and "解决：" in error and "pass_tokens" in error


@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: one.stem)
def test_every_recipe_reads_and_is_the_one_it_says(config):
    from health_assistant.recipe_files import read_recipe
    from health_assistant.training.recipe import LINEAR_LAYERS, Recipe

    recipe = read_recipe(Recipe, argparse.Namespace(config=config))
    assert recipe.run_name == config.stem.removesuffix("-laptop"), "阶段 2、4 用的是没有 -laptop 的名字"
    assert recipe.load_in_4bit == ("qlora" in config.stem)
    assert recipe.lora_target_modules == LINEAR_LAYERS
    assert recipe.lora_r == (64 if recipe.run_name == "tiny" else 16)
    if "14b-qlora" in config.stem:
        assert recipe.activation_offloading and recipe.model_name_or_path == "Qwen/Qwen2.5-14B-Instruct"


@pytest.mark.slow
def test_two_processes_share_the_work(home):
    """多卡的配方在 CPU 上用两个进程走一遍 DDP。accelerate launch 在多卡上就是起 torchrun；CPU 上它只起一个进程。"""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    command += [STAGE / "train_llm.py"]
    command += ["--config", STAGE / "configs/qwen2.5-14b-lora-multi-gpu.yaml", "--model_name_or_path", home / "base"]
    command += [*FAST, "--run_name", "two"]
    env = environment(home, ACCELERATE_USE_CPU="true")
    done = subprocess.run([*map(str, command)], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    record = json.loads((home / "llm/two/training.json").read_text())
    assert record["processes"] == 2 and record["steps"] == 20
    assert record["held_out_loss"] < record["held_out_loss_before"]
