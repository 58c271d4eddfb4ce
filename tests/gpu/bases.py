"""GPU 测试的基座：真实的尺寸，随机的权重。"""

from pathlib import Path

from health_assistant import artifacts
from health_assistant.training import tiny_models

SIZES = {  # 各模型 config.json 里的尺寸
    "qwen2.5-14b": {"hidden_size": 5120, "intermediate_size": 13824, "num_hidden_layers": 48}
    | {"num_attention_heads": 40, "num_key_value_heads": 8, "vocab_size": 152064},
    "qwen2.5-7b": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28}
    | {"num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064},
    "qwen2.5-0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24}
    | {"num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
    "qwen2-vl-7b": {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28}
    | {"num_attention_heads": 28, "num_key_value_heads": 4, "vocab_size": 152064},
    "qwen2-vl-2b": {"hidden_size": 1536, "intermediate_size": 8960, "num_hidden_layers": 28}
    | {"num_attention_heads": 12, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
    "small": {"hidden_size": 64, "intermediate_size": 64, "num_hidden_layers": 2}
    | {"num_attention_heads": 2, "num_key_value_heads": 1, "vocab_size": 2600},
}
VISION = {"depth": 32, "embed_dim": 1280, "num_heads": 16, "mlp_ratio": 4}
LONGEST = 32768
SMALL_VISION = {"depth": 1, "embed_dim": 32, "num_heads": 2, "mlp_ratio": 2}


def build_llm(size: str, folder: Path) -> None:
    from small_llm import small_texts
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = tiny_models.train_tokenizer(small_texts())
    config = Qwen2Config(**SIZES[size], max_position_embeddings=LONGEST, **tiny_models.ends_of(tokenizer))
    save_base(Qwen2ForCausalLM, config, tokenizer, folder)


def build_vl(size: str, folder: Path, texts: list[str] | None = None) -> None:
    """texts 是分词器要见过的文字，不给就是化验单的。"""
    from transformers import Qwen2VLForConditionalGeneration

    tokenizer = tiny_models.train_tokenizer(
        texts or tiny_models.report_texts(), tiny_models.VL_RECIPE | {"vocab_size": 2560}
    )
    text = {"tie_word_embeddings": False, "max_position_embeddings": LONGEST} | SIZES[size]
    pairs = text["hidden_size"] // text["num_attention_heads"] // 2
    sections = [pairs // 4, pairs * 3 // 8, pairs * 3 // 8]
    rope = {"rope_type": "default", "mrope_section": sections, "rope_theta": 1e6}
    vision = (SMALL_VISION if size == "small" else VISION) | {"hidden_size": text["hidden_size"]}
    config = tiny_models.vision_config(tokenizer, text, vision, rope)
    save_base(Qwen2VLForConditionalGeneration, config, tokenizer, folder)
    artifacts.write_json(folder / "preprocessor_config.json", tiny_models.IMAGE_SETTINGS)


def save_base(model_class, config, tokenizer, folder: Path) -> None:
    """随机的 bf16 权重与分词器写到 folder；有 GPU 就在上面造随机数，快得多，存盘后显存归还。"""
    import torch

    previous = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
            model = model_class(config)
    finally:
        torch.set_default_dtype(previous)
    # 随机的模型随时会停下，也会写看不见的标记（首字就量晚了）。它们在输出层的行减到四分之一，贪心时就选不到，每个回答
    # 正好写满。不能清零：词表两头共用的小模型里，全零的词过了各层还是零，梯度溢出，训练全是 NaN
    shown = tokenizer.batch_decode([[one] for one in range(len(tokenizer))], skip_special_tokens=True)
    words = [one for one, text in enumerate(shown) if text and "\ufffd" not in text]
    head = model.get_output_embeddings().weight.data
    head[[one for one in range(len(head)) if one not in {*words}]] /= 4
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    del model, head
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
