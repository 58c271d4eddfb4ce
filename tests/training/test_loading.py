"""输入一侧的词表留在内存里：别的部分搬到哪里，它都不动，查到的也一样。"""

import torch
from transformers import Qwen2Config, Qwen2ForCausalLM

from health_assistant.training import loading

SHAPE = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "vocab_size": 40}
SHAPE |= {"num_attention_heads": 2, "num_key_value_heads": 1, "tie_word_embeddings": False}


def test_moving_the_model_leaves_its_vocabulary_in_memory():
    """Trainer 开始训练时 accelerate 会把整个模型搬到卡上；这里搬到 meta。"""
    model, words = Qwen2ForCausalLM(Qwen2Config(**SHAPE)).eval(), torch.tensor([[1, 7, 39]])
    before = model(words).logits
    loading.keep_embedding_in_memory(model)
    assert torch.equal(model(words).logits, before)
    model.to("meta")
    places = {name: part.device.type for name, part in model.named_parameters()}
    assert places.pop("model.embed_tokens.weight") == "cpu" and {*places.values()} == {"meta"}
