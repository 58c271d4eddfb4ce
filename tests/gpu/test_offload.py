"""QLoRA 在 GPU 上：输入一侧的词表与各层的输入留在内存里，梯度与全放在卡上的一样。还没有在 GPU 上运行过。"""

from unittest import mock

import pytest
import torch
from gpu import bases

from health_assistant.training import loading
from health_assistant.training.recipe import Recipe

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="没有 CUDA GPU")]


def gradients(home, offloading: bool) -> tuple[dict, str]:
    """一次更新的梯度，与训练之后词表在哪里。"""
    from training import one_update  # 它带着 transformers 的 Trainer，导入要六秒；收集测试时用不到

    settings = {"gradient_checkpointing": True, "activation_offloading": offloading, "max_steps": 1}
    recipe = Recipe(load_in_4bit=True, backend="transformers", **settings)
    tokenizer, models = loading.load_tokenizer(home / "base"), []
    load = loading.load_with_lora
    with mock.patch.object(loading, "load_with_lora", lambda *given: models.append(load(*given)) or models[0]):
        found = one_update.gradients(recipe, home / "base", one_update.text_rows(tokenizer), tokenizer, home, None)[0]
    return found, models[0].get_input_embeddings().weight.device.type


def test_what_waits_in_memory_changes_no_gradient(tmp_path):
    pytest.importorskip("bitsandbytes", reason="没有装 0-env-init/requirements-gpu.txt")
    bases.build_llm("small", tmp_path / "base")
    in_memory, place = gradients(tmp_path, True)
    assert place == "cpu", "accelerate 又把词表搬到卡上了"
    with mock.patch.object(loading, "embedding_in_memory", return_value=False):
        on_card, place = gradients(tmp_path, False)
    assert place == "cuda" and in_memory.keys() == on_card.keys()
    for name, value in on_card.items():
        assert float((value - in_memory[name]).norm() / value.norm()) < 1e-5, name
