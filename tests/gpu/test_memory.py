"""显存的估计对着在卡上量到的（results/gpu.jsonl）：只看尺寸，没有 GPU 也能比。"""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from gpu import bases, speed_table
from stage_scripts import ROOT, load
from transformers import Qwen2Config, Qwen2VLConfig

from health_assistant.checked_yaml import read_yaml
from health_assistant.training import loading, memory, merging, recipe

GIB = 2**30
MEASURED = [(stage, one) for stage in speed_table.STAGES for one in speed_table.records(stage)]
# plain PEFT 在 H200 上是把词表转成 32 位的旧代码量的，现在的代码不这样
COMPARED = [one for one in MEASURED if one[1]["way"] != "earlier" or one[1]["backend"] == "unsloth"]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory) -> Path:
    """各尺寸的 config.json，没有权重。"""
    folder = tmp_path_factory.mktemp("shapes")
    for size, text in bases.SIZES.items():
        config = Qwen2Config(**text)
        if "-vl-" in size:
            vision = bases.VISION | {"hidden_size": text["hidden_size"]}
            tied = text.get("tie_word_embeddings", False)
            config = Qwen2VLConfig(text_config=text, vision_config=vision, tie_word_embeddings=tied)
        config.save_pretrained(folder / size)
    return folder


@pytest.fixture
def card(monkeypatch):
    """假装有一张空着这么多 GiB 的卡。"""

    def fit(gib: float) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (gib * GIB, gib * GIB))
        monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: True)

    return fit


def read(stage: str, name: str) -> recipe.Recipe:
    path = ROOT / stage / f"configs/{name}.yaml"
    kind = recipe.VisionRecipe if "-vl-" in name else recipe.Recipe
    return read_yaml(kind, path, {"backend": "auto"})


@pytest.mark.parametrize(
    ("stage", "one"), COMPARED, ids=lambda one: "-".join(map(str, one.values()))[:90] if isinstance(one, dict) else ""
)
def test_the_estimate_is_within_15_percent_of_what_was_measured(stage, one, shapes, card, monkeypatch):
    card(80)
    wanted = read(stage, one["recipe"])
    if one["way"] in ("today", "earlier"):  # 从前一次前向是两行，视觉是一页
        longest_pass = one.get("longest_pass") or one["row_tokens"] * (1 if wanted.vision else 2)
        wanted = wanted.model_copy(update={"pass_tokens": longest_pass})
    if one["way"] not in ("filled", "fp16"):  # 词表那时在卡上
        monkeypatch.setattr(memory, "embedding_in_memory", lambda model, recipe: False)
    if one["way"] not in ("filled", "fp16", "table_on_card") and one["backend"] == "transformers":
        wanted = wanted.model_copy(update={"activation_offloading": False})  # 各层的输入也在
    longest = min(round(one["row_tokens"] * 1.4), 2050) if not wanted.vision else one["row_tokens"] + 100
    found = memory.for_training(shapes / one["size"], wanted, longest).needed
    assert found == pytest.approx(one["peak_memory_gib"], rel=0.15)


def test_there_is_something_to_compare_for_each_backend_and_stage():
    kinds = {(stage, one["backend"]) for stage, one in COMPARED}
    assert len(kinds) == 4 and len(COMPARED) >= 14


@pytest.mark.parametrize("name", ["qwen2.5-14b-qlora", "qwen2.5-0.5b"])
def test_the_inputs_of_the_layers_wait_in_memory_where_the_recipe_says_so(name, shapes, card):
    card(80)
    wanted, base = read("3-fine-tuning-llm", name), shapes / name.removesuffix("-qlora")
    away = memory.for_training(base, wanted).needed
    on_card = wanted.model_copy(update={"activation_offloading": False})
    kept = wanted.pass_tokens * 2 * {"qwen2.5-14b-qlora": 48 * 5120, "qwen2.5-0.5b": 24 * 896}[name] / GIB
    assert memory.for_training(base, on_card).needed - away == pytest.approx(kept, rel=0.01)


@pytest.mark.parametrize(
    ("stage", "name", "size", "gib"),
    [
        ("3-fine-tuning-llm", "qwen2.5-14b-qlora", "qwen2.5-14b", 152064 * 5120 * 2 / GIB),
        ("6-fine-tuning-vl", "qwen2-vl-2b-qlora", "qwen2-vl-2b", 0),
        ("6-fine-tuning-vl", "qwen2-vl-7b-lora", "qwen2-vl-7b", 0),
    ],
    ids=["14B QLoRA", "两头共用一份", "不是 QLoRA"],
)
def test_the_vocabulary_of_a_qlora_waits_in_memory(stage, name, size, gib, shapes, card, monkeypatch):
    """几个进程的不挪：DDP 不认跨着设备的模型。"""
    card(80)
    wanted = read(stage, name)
    alone = memory.for_training(shapes / size, wanted).weights
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert memory.for_training(shapes / size, wanted).weights - alone == pytest.approx(gib)


def test_short_rows_need_less_than_the_recipe_allows(shapes, card):
    card(80)
    wanted, base = read("3-fine-tuning-llm", "qwen2.5-14b-qlora"), shapes / "qwen2.5-14b"
    short, most = (memory.for_training(base, wanted, longest).needed for longest in (60, 0))
    assert short < most - 0.3


def test_a_full_card_is_refused_with_its_fragments(shapes, card):
    """刚好放得下峰值还不够：分配器要多占一点。"""
    wanted, base = read("3-fine-tuning-llm", "qwen2.5-14b-qlora"), shapes / "qwen2.5-14b"
    card(80)
    needed = memory.for_training(base, wanted).needed
    card(needed * 1.02)
    assert "放不下" in memory.for_training(base, wanted).shortage
    card(needed * 1.1)
    assert not memory.for_training(base, wanted).shortage


@pytest.mark.parametrize(("size", "vision", "gib"), [("qwen2.5-14b", False, 28), ("qwen2-vl-2b", True, 4.2)])
def test_running_a_model_takes_its_weights_and_a_little(size, vision, gib, shapes, card):
    card(80)
    found = memory.for_running(shapes / size, vision).needed
    assert gib * 0.95 < found < gib * 1.2


@pytest.mark.parametrize(
    ("gib", "four_bits"), [(80, False), (24, True), (12, True)], ids=["16 位", "24 GB 只能 4 位", "12 GB 也能 4 位"]
)
def test_chatting_with_14b_says_what_it_needs_and_takes_4_bits_on_small_cards(
    gib, four_bits, shapes, card, monkeypatch, capsys
):
    card(gib)
    monkeypatch.setattr(loading, "find_spec", lambda name: True)
    options = loading.how_to_run(shapes / "qwen2.5-14b", if_short="four_bits")
    assert ("quantization_config" in options) == four_bits and options["device_map"] == {"": 0}
    assert ("4 位" in (told := capsys.readouterr().err)) == four_bits and "估计要" in told


def test_chatting_where_nothing_fits_is_refused(shapes, card):
    card(8)
    with pytest.raises(memory.DoesNotFit, match="放不下.*换小一号"):
        loading.how_to_run(shapes / "qwen2.5-14b", if_short="four_bits")


@pytest.mark.parametrize(("size", "vision"), [("qwen2.5-14b", False), ("qwen2-vl-7b", True)])
def test_evaluating_only_warns_and_serving_is_refused(size, vision, shapes, card, capsys):
    """评测时 transformers 会把放不下的层放到内存里；服务不会，载入到一半才爆。"""
    card(80)
    assert loading.how_to_run(shapes / size, vision, "refuse")["device_map"] == {"": 0}
    assert "估计要" in (said := capsys.readouterr().err) and "放不下" not in said
    card(12)
    assert loading.how_to_run(shapes / size, vision)["device_map"] == "auto"
    assert "! 放不下" in capsys.readouterr().err
    with pytest.raises(memory.DoesNotFit, match="4 位"):
        loading.how_to_run(shapes / size, vision, "refuse")


@pytest.mark.parametrize(("size", "vision"), [("qwen2.5-14b", False), ("qwen2-vl-7b", True)])
@pytest.mark.parametrize(("gib", "ram", "place"), [(80, 8, {"": 0}), (12, 64, "cpu"), (12, 8, None)])
def test_merging_goes_to_memory_when_the_card_is_small(
    size, vision, gib, ram, place, shapes, card, monkeypatch, capsys
):
    card(gib)
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=ram * GIB))
    if not place:
        with pytest.raises(memory.DoesNotFit, match="内存只空着 8.0 GiB.*adapter"):
            merging.where_to_merge(shapes / size, vision)
        return
    assert merging.where_to_merge(shapes / size, vision) == place
    assert ("改在内存里合并" in (told := capsys.readouterr().out)) == (place == "cpu") and "合并估计要" in told


def test_grpo_adds_the_answers_and_their_logits(shapes, card):
    """一页答几遍一起前向：词元是提问与回答之和，logits 是全部回答的，不分块。"""
    card(80)
    tuned, grpo = read("6-fine-tuning-vl", "qwen2-vl-7b-lora"), ROOT / "6-fine-tuning-vl/configs/grpo"
    wanted = read_yaml(recipe.GrpoRecipe, grpo / "qwen2-vl-7b-grpo.yaml")
    half = wanted.model_copy(update={"max_completion_length": wanted.max_completion_length // 2})
    whole, shorter = (memory.for_training(shapes / "qwen2-vl-7b", tuned, 2850, one).needed for one in (wanted, half))
    fewer = wanted.per_device_train_batch_size * wanted.max_completion_length // 2
    assert whole - shorter == pytest.approx(fewer * (152064 * 12 + 28 * 3584 * 2) / GIB, rel=0.01)
    assert whole > memory.for_training(shapes / "qwen2-vl-7b", tuned, 2850 + wanted.max_completion_length).needed
    twice = wanted.model_copy(update={"per_device_train_batch_size": 2, "num_generations": 2})
    fewer = memory.for_training(shapes / "qwen2-vl-7b", tuned, 2850, twice).needed
    page = (ROOT / "6-fine-tuning-vl/README.md").read_text(encoding="utf-8")
    assert f"估计 {whole:.1f} GiB（每页 2 遍 {fewer:.1f}）" in page


SMALL_CARDS = {  # 步骤 -> 0-env-init/README.md 的表里那一行的各个数：基座，放在哪里，4 位不
    "合并": [("qwen2.5-7b", "卡"), ("qwen2-vl-7b", "卡"), ("qwen2.5-7b", "内存"), ("qwen2-vl-7b", "内存")]
    + [("qwen2.5-14b", "内存")],
    "对话（`chat.py`）": [("qwen2.5-7b", "4 位"), ("qwen2.5-14b", "4 位")],
    "评测（阶段 2、4）": [("qwen2.5-7b", "4 位"), ("qwen2.5-14b", "4 位")],
    "评测（阶段 6）": [("qwen2-vl-2b", "卡"), ("qwen2-vl-7b", "卡")],
}


@pytest.mark.parametrize("step", SMALL_CARDS)
def test_the_table_of_small_cards_says_what_the_estimate_says(step, shapes, card):
    """内存里合并的写的是要空着多少，连 5% 的碎片；其余是峰值。"""
    card(24)
    lines = (ROOT / "0-env-init/README.md").read_text(encoding="utf-8").splitlines()
    row = next(line for line in lines if line.startswith(f"| {step} |"))
    for size, where in SMALL_CARDS[step]:
        how = {"卡": {"width": 2}, "内存": {"on_gpu": False}, "4 位": {"in_4bit": True}}[where]
        needed = memory.for_running(shapes / size, "-vl-" in size, **how).needed
        shown = needed * (1 + memory.FRAGMENTS) if where == "内存" else needed
        assert f"{shown:.1f}" in row, (size, where, shown)


def test_remedies_name_what_the_recipe_can_still_change():
    wanted = read("3-fine-tuning-llm", "qwen2.5-14b-qlora")
    assert "pass_tokens 减到 2048" in loading.remedy(wanted, "换小一号")
    assert "pass_tokens" not in loading.remedy(wanted.model_copy(update={"pass_tokens": 2048}), "换小一号")


def test_check_env_recommends_by_the_estimate(shapes, card):
    """阶段 0 只用标准库，数抄在表里：两边要一样，配方改了就会发现。"""
    card(80)
    check_env, checked = load("0-env-init/check_env.py"), 0
    for suggested in check_env.LLM_RECIPES + check_env.VL_RECIPES:
        stage, _, name = suggested.config.split("/")
        size = next((one for one in bases.SIZES if name.startswith(one)), None)
        if not size:
            continue
        wanted = read(stage, name.removesuffix(".yaml"))
        found = memory.for_training(shapes / size, wanted).needed
        assert found == pytest.approx(suggested.peak_gib, abs=0.06), suggested
        checked += 1
    assert checked == 7
