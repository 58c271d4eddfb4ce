"""没有 GPU 时用几位：CPU 有 bf16 指令、权重存的是 bf16（或配方要）才用 bf16，别的照旧 32 位。"""

from types import SimpleNamespace

import pytest
import torch
from small_llm import build_small_base, small_dialogues
from transformers import AutoTokenizer, Qwen2Config

from health_assistant.training import loading, precision, sft
from health_assistant.training.recipe import Recipe


@pytest.fixture(params=[True, False], ids=["有 bf16 指令", "没有"])
def can(request, monkeypatch) -> bool:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": request.param})
    return request.param


@pytest.mark.parametrize("stored", [torch.bfloat16, torch.float32, torch.float16, None])
def test_a_model_runs_in_bf16_only_where_it_is_stored_so_and_the_cpu_computes_it(stored, can):
    in_bf16 = can and stored in (torch.bfloat16, None)
    assert precision.running_dtype(Qwen2Config(dtype=stored)) == (torch.bfloat16 if in_bf16 else torch.float32)


ARM = {"architecture": "aarch64", "neon": True, "bf16": True, "sve_bf16": True}


@pytest.mark.parametrize("can", [dict, lambda: ARM, None], ids=["什么也没有说", "ARM", "torch 2.10 没有这一问"])
def test_a_processor_not_known_to_be_faster_in_bf16_computes_in_32_bits(can, monkeypatch):
    if can:
        monkeypatch.setattr(torch.cpu, "get_capabilities", can)
    else:
        monkeypatch.delattr(torch.cpu, "get_capabilities")
    assert precision.training_dtype(bf16=True) == torch.float32


@pytest.fixture(params=[(7, torch.float16), (8, torch.bfloat16)], ids=["T4", "A100"])
def expected(request, monkeypatch) -> torch.dtype:
    """一张卡，与它该用的精度。T4 造得出 bf16 的张量，torch 默认就说它支持：只换掉卡的型号，问法是真的。"""
    major, dtype = request.param
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(major=major))
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda device: True)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (80 * 2**30, 80 * 2**30))
    assert torch.cuda.is_bf16_supported()
    return dtype


def test_a_card_without_bf16_uses_fp16_though_it_emulates_bf16(expected):
    """评测、对话、服务与训练一样；存着别的精度的照旧。"""
    assert precision.training_dtype() == expected
    for stored in (torch.bfloat16, None):
        assert precision.running_dtype(Qwen2Config(dtype=stored)) == expected
    for stored in (torch.float32, torch.float16):
        assert precision.running_dtype(Qwen2Config(dtype=stored)) == stored


@pytest.mark.parametrize("if_short", ["offload", "four_bits", "refuse"], ids=["评测", "对话", "服务"])
@pytest.mark.parametrize("in_4bit", [False, True], ids=["16 位", "存的 4 位"])
def test_every_way_to_run_a_model_takes_that_precision(in_4bit, if_short, expected, tmp_path):
    stored = {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_compute_dtype": "bfloat16"}
    config = Qwen2Config(dtype=torch.bfloat16, hidden_size=32, num_hidden_layers=1, vocab_size=100)
    if in_4bit:
        config.quantization_config = stored
    config.save_pretrained(tmp_path)
    options = loading.how_to_run(tmp_path, if_short=if_short)
    assert options["dtype"] == expected
    if in_4bit:
        assert options["config"].quantization_config["bnb_4bit_compute_dtype"] == str(expected).removeprefix("torch.")


def train(base, folder, bf16: bool) -> list[float]:
    """四次更新各自的损失。"""
    tokenizer = AutoTokenizer.from_pretrained(base)
    recipe = Recipe(model_name_or_path=str(base), lora_r=4, max_steps=4, learning_rate=1e-2, bf16=bf16)
    rows = [sft.encode(messages, tokenizer) for messages in small_dialogues()[:8]]
    model = loading.load_with_lora(base, recipe)
    expected = precision.training_dtype(bf16)
    for name, value in model.named_parameters():
        assert value.dtype == (torch.float32 if "lora_" in name else expected), name
    trainer = sft.build_trainer(recipe, model, tokenizer, rows, rows[:2], folder)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


def test_training_in_bf16_follows_training_in_32_bits(tmp_path, can):
    """bf16 的尾数只有 8 位，损失差千分之几；没有这种指令就是同一个算法，一点不差。"""
    base = build_small_base(tmp_path / "base")
    whole, half = (train(base, tmp_path / str(bf16), bf16) for bf16 in (False, True))
    assert half == pytest.approx(whole, rel=0.02 if can else 1e-6)
    assert (half != whole) == can and whole[-1] < whole[0]


def test_a_checkpoint_in_16_bits_is_loaded_so_and_answers(tmp_path, can):
    base = build_small_base(tmp_path / "base")
    loading.load_to_run(base).to(torch.bfloat16).save_pretrained(base)
    model = loading.load_to_run(base)
    assert model.dtype == (torch.bfloat16 if can else torch.float32)
    answer = model.generate(torch.tensor([[1, 7, 9]]), max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert answer.shape == (1, 6)
