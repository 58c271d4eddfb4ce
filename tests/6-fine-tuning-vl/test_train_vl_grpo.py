"""train_vl_grpo.py：从 SFT 的 adapter 开始，断了接着练与没断过一样；半会的微型模型在没见过的页上得到的奖励真的涨了。"""

import json
import signal
import statistics

import pytest
from stage_scripts import ROOT, load, run_forked, run_here, run_well

NAME = "6-fine-tuning-vl"
STAGE, GRPO = ROOT / NAME, f"{NAME}/train_vl_grpo.py"
CONFIGS = sorted((STAGE / "configs/grpo").glob("*.yaml"))


@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: one.stem)
def test_every_recipe_reads_and_starts_from_an_sft_recipe(config):
    from health_assistant.checked_yaml import read_yaml
    from health_assistant.training.recipe import GrpoRecipe, VisionRecipe

    recipe = read_yaml(GrpoRecipe, config)
    sft = read_yaml(VisionRecipe, STAGE / f"configs/{recipe.sft_run_name}.yaml")
    assert config.stem != recipe.sft_run_name, "会盖掉 SFT 的 adapter"
    if sft.model_name_or_path != "tiny":
        assert recipe.max_completion_length >= 40 * 60, "40 行的回答"
        assert recipe.gradient_checkpointing


def test_a_batch_that_splits_a_group_is_refused():
    from health_assistant.checked_yaml import BadYaml, check_yaml
    from health_assistant.training.recipe import GrpoRecipe

    with pytest.raises(BadYaml, match="per_device_train_batch_size 要是 num_generations（8）的倍数"):
        check_yaml(GrpoRecipe, "per_device_train_batch_size: 12", "x.yaml")


def test_the_processor_pads_where_grpo_pads(tmp_path):
    """图的位置（mm_token_type_ids）要与左边补齐的提问对齐；词元与训练、评测时的提问一样。"""
    from PIL import Image
    from small_vl import build_small_base

    from health_assistant.lab_report.vl_protocol import READ_PROMPT
    from health_assistant.training import loading, vision

    base = build_small_base(tmp_path / "base")
    sizes = [(280, 28), (280, 84)]
    for at, size in enumerate(sizes):
        Image.new("RGB", size, "white").save(tmp_path / f"{at}.png")
    pages = [tmp_path / f"{at}.png" for at in range(2)]
    processor = vision.page_processor(base, 78400)
    messages = [
        [
            {
                "role": "user",
                "content": [{"type": "image", "image": Image.open(page)}, {"type": "text", "text": READ_PROMPT}],
            }
        ]
        for page in pages
    ]
    options = {"tokenize": True, "return_dict": True, "return_tensors": "pt", "padding": True}
    given = processor.apply_chat_template(messages, add_generation_prompt=True, **options)
    tokenizer, images = loading.load_tokenizer(base, vision=True), vision.load_image_processor(base, 78400)
    ours = vision.generation_inputs(pages, READ_PROMPT, images, tokenizer, 78400)
    assert {name: value.tolist() for name, value in ours.items()} == {name: given[name].tolist() for name in ours}
    assert int(given["mm_token_type_ids"].sum()) == 10 + 30


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """极小的基座在 14 张噪点图上微调一下，再三次 GRPO：calm 从头到尾；killed 第 4 步被杀，再接着；broken 第 3 步坏掉。

    返回产物目录，前两次的输出，broken 的输出。
    """
    from small_vl import build_small_base, write_pages

    home = tmp_path_factory.mktemp("artifacts")
    base = build_small_base(home / "base")
    write_pages(home / "vl/dataset/small")
    full = ["--lora_modules_to_save", "visual", "embed_tokens", "lm_head", "--max_length", 700, "--min_text_height", 1]
    sft = ["--model_name_or_path", base, "--dataset_name", "small", "--max_pixels", 15680, "--lora_r", 4, *full]
    sft += ["--num_train_epochs", 2, "--unreadable_share", 0, "--learning_rate", 0.01]
    short = ["--sft_run_name", "sft", "--unreadable_share", "0", "--num_generations", "2", "--max_steps", "6"]
    short += ["--per_device_train_batch_size", "4", "--eval_steps", "2", "--max_completion_length", "12"]
    killed = [*short, "--run_name", "killed"]
    runs = [(f"{NAME}/train_vl.py", ["--run_name", "sft", *sft], None), (GRPO, [*short, "--run_name", "calm"], None)]
    runs += [(GRPO, killed, ["step", 4])] + [(GRPO, killed, None)] * 2
    runs.append((GRPO, [*short, "--run_name", "broken"], ["nan-step", 3]))
    codes, outputs = zip(*run_forked(home, runs), strict=True)
    assert codes == (0, 0, -signal.SIGKILL, 0, 0, 1), outputs[-1][-3000:]
    return home, "".join(outputs[1:5]), outputs[5]


@pytest.mark.slow
def test_killed_the_adapter_is_the_undisturbed_one(small):
    from safetensors.torch import load_file

    home, said, _ = small
    assert said.count("从头训练") == 2 and said.count("接着训练") == 1 and said.count("训练过了") == 1
    sft, calm, killed = (
        load_file(home / f"vl/{name}/adapter/adapter_model.safetensors") for name in ("sft", "calm", "killed")
    )
    assert sft.keys() == calm.keys() == killed.keys()
    assert max(float((calm[name] - killed[name]).abs().max()) for name in calm) <= 1e-5
    records = [json.loads((home / f"vl/{name}/training.json").read_text()) for name in ("calm", "killed")]
    assert records[0]["train"] == records[1]["train"] and records[0]["held_out"] == records[1]["held_out"]
    assert [one["step"] for one in records[0]["train"]] == list(range(1, 7))
    for one in records[0]["train"] + records[0]["held_out"]:
        parts = sum(weight * one[name] for name, weight in records[0]["weights"].items())
        assert one["reward"] == pytest.approx(parts, abs=1e-4)


@pytest.mark.slow
def test_it_starts_from_the_tuned_adapter(small):
    """载入的就是 SFT 的 adapter，一个数不差；不是刚加上、还没练的 LoRA。"""
    from peft import get_peft_model_state_dict, load_peft_weights

    from health_assistant.training.recipe import VisionRecipe

    home, *_ = small
    record = json.loads((home / "vl/sft/training.json").read_text())
    model = load(GRPO).load_tuned(home / "base", home / "vl/sft/adapter", VisionRecipe(**record["recipe"]))
    loaded, saved = get_peft_model_state_dict(model), load_peft_weights(str(home / "vl/sft/adapter"), device="cpu")
    assert loaded.keys() == saved.keys() and all(bool((loaded[name] == saved[name]).all()) for name in saved)
    assert any(name.endswith("lora_B.weight") and bool(saved[name].any()) for name in saved)


@pytest.mark.slow
def test_a_loss_that_is_not_finite_stops_it(small):
    home, _, said = small
    assert "第 3 步的损失是 nan" in said and "解决：" in said and "Traceback" not in said
    assert not (home / "vl/broken/adapter").exists() and not (home / "vl/broken/training.json").exists()
    assert {one.name for one in home.glob("vl/broken/checkpoints/*/checkpoint-*")} == {"checkpoint-2"}


def test_without_a_tuned_adapter_it_says_what_to_run(tmp_path):
    done = run_here(tmp_path, GRPO)
    assert done.returncode == 2 and "先运行 train_vl.py" in done.stderr


def test_what_does_not_fit_is_refused_before_the_weights_are_read(tmp_path):
    from small_vl import build_small_base, write_pages

    from health_assistant import artifacts
    from health_assistant.training.recipe import VisionRecipe

    base, tuned = build_small_base(tmp_path / "base"), tmp_path / "vl/sft"
    (base / "model.safetensors").unlink()
    write_pages(tmp_path / "vl/dataset/small")
    sft = VisionRecipe(run_name="sft", model_name_or_path=str(base), dataset_name="small", max_pixels=15680)
    artifacts.write_json(tuned / "training.json", {"recipe": sft.model_dump()})
    artifacts.write_text(tuned / "adapter/adapter_model.safetensors", "")
    longest = ["--max_completion_length", "9000000", "--unreadable_share", "0"]
    done = run_here(tmp_path, GRPO, "--sft_run_name", "sft", *longest)
    assert done.returncode == 1 and "配方 tiny-grpo：" in done.stdout and "估计要" in done.stdout
    assert "放不下" in done.stderr and "max_completion_length" in done.stderr


@pytest.mark.slow
def test_the_reward_on_pages_never_seen_rises(tmp_path):
    """SFT 只教五遍的微型模型，默认的配方练 GRPO：测试集每一页的奖励（贪心解码）成对比较，95% 区间在 0 之上。

    涨的是“认不出就空着”，不是会认字了：一百多万参数、几分钟学不会认字（README 写着）。CPU 空闲时约八分钟。
    """
    from scipy.stats import t

    tasks, rewards = load(f"{NAME}/vl_tasks.py"), load(f"{NAME}/vl_rewards.py")
    run_well(tmp_path, f"{NAME}/render_reports.py")
    half = ["--num_train_epochs", 5, "--warmup_steps", 10, "--eval_steps", 30]
    run_well(tmp_path, f"{NAME}/train_vl.py", *half, "--unreadable_share", 0, "--question_share", 0)
    run_well(tmp_path, GRPO, timeout=3000)
    for name in ("tiny", "tiny-grpo"):
        run_well(tmp_path, f"{NAME}/merge_vl.py", "--recipe", name, here=True)
    run_well(tmp_path, f"{NAME}/eval_vl.py", "--reader", "after", "grpo", "--unreadable", 0, here=True)

    pages = tasks.read_pages(tmp_path / "vl/dataset/tiny/test")
    truths = [page["report"].model_dump_json() for page in pages]
    of = {}
    for reader in ("after", "grpo"):
        lines = (tmp_path / f"vl/tiny/eval/test/{reader}/predictions.jsonl").read_text(encoding="utf-8").splitlines()
        answers = [json.loads(line)["answer"] for line in lines]
        parts = [rewards.reward_parts(answer, truth) for answer, truth in zip(answers, truths, strict=True)]
        of[reader] = [sum(rewards.WEIGHTS[name] * each[name] for name in each) for each in parts]
    gains = [after - before for before, after in zip(of["after"], of["grpo"], strict=True)]
    mean, error = statistics.mean(gains), statistics.stdev(gains) / len(gains) ** 0.5
    low = mean - t.ppf(0.975, len(gains) - 1) * error
    print(f"每页的奖励涨了 {mean:.3f}（95% 区间从 {low:.3f} 起），{statistics.mean(of['after']):.3f} 起")
    assert low > 0, (mean, low)
    compared = json.loads((tmp_path / "vl/tiny/eval/test/compare.json").read_text(encoding="utf-8"))["readers"]
    errors = {name: one["total"]["silent_errors"] for name, one in compared.items()}
    assert errors["grpo"] < errors["after"], "奖励涨了，无声的错也要少了，不是钻了空子"
    assert compared["grpo"]["answers"]["strict"] == 32, "乱写、要修补的 JSON 不能划算"
    record = json.loads((tmp_path / "vl/tiny-grpo/training.json").read_text(encoding="utf-8"))
    assert record["held_out"][-1]["reward"] > record["held_out"][0]["reward"]
