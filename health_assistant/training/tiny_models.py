"""微型基座：没有 GPU、没有下载也能跑完全程。从配置造一个一百多万参数的 Qwen2，用随包的问答文本训练约一分钟。"""

import json
import random
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from health_assistant import artifacts
from health_assistant.checked_yaml import load_yaml
from health_assistant.training.saving import atomic_folder

# Qwen2 分词器的特殊词元，次序与它相同
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"]
SPECIAL_TOKENS += ["<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"]
SPECIAL_TOKENS += ["<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]


def chat_template(name: str) -> str:
    """TRL 随包的对话模板，渲染与那个模型自己的相同。只读文件，不导入 TRL：那要几秒。"""
    return (Path(find_spec("trl").origin).parent / f"chat_templates/{name}.jinja").read_text(encoding="utf-8")


IMAGE_SETTINGS = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2}
IMAGE_SETTINGS |= {"temporal_patch_size": 2}
SMALL_MODEL = 50_000_000
_DATA = Path(str(resources.files("health_assistant.training") / "data"))
_RECIPES = load_yaml(_DATA / "tiny_models.yaml")
LLM_RECIPE: dict[str, Any] = _RECIPES["llm"] | {"template": chat_template("qwen2_5")}
VL_RECIPE: dict[str, Any] = _RECIPES["vl"] | {"template": chat_template("qwen2_5_vl")}


def bundled_text() -> Path:
    """随包的医学问答，每行 {"question", "answer", "department"}。评测的病例不在里面。"""
    return _DATA / "medical_qa_sample.jsonl"


def identity_of(base_model: str, vision: bool = False) -> str:
    """基座的名字；tiny 的带着配方与文本的指纹：造它的方法变了，就是另一个基座。只算名字，不造。"""
    if base_model != "tiny":
        return base_model
    kind = "vl" if vision else "llm"
    return f"tiny-{kind}-{_fingerprint(kind)[:12]}"


def _fingerprint(kind: str) -> str:
    from health_assistant.lab_report.vl_protocol import READ_PROMPT  # 分词器学过它

    recipe, inputs = {"llm": (LLM_RECIPE, [bundled_text()]), "vl": ([VL_RECIPE, READ_PROMPT], [])}[kind]
    return artifacts.fingerprint(recipe, inputs)


def build_tiny_llm() -> Path:
    """微型语言模型基座的目录；没有或配方变了才训练，随包文本约一分钟。"""
    folder, fingerprint = artifacts.tiny_model_dir("llm"), _fingerprint("llm")
    if artifacts.is_finished(folder, fingerprint):
        return folder
    rows = [json.loads(line) for line in bundled_text().read_text(encoding="utf-8").splitlines()]
    texts = [row[part] for row in rows for part in ("question", "answer")]
    # 只在一半的问答上训练：另一半留给微调，验证损失的下降才有得看
    half = [row[part] for row in rows[::2] for part in ("question", "answer")]
    with atomic_folder(folder) as partial:
        tokenizer = train_tokenizer(texts)
        tokenizer.save_pretrained(partial)
        pretrain(half, tokenizer).save_pretrained(partial)
        artifacts.mark_finished(partial, fingerprint, list(partial.iterdir()))
    return folder


def build_tiny_vl() -> Path:
    """微型视觉模型的目录：Qwen2-VL 的结构，一百多万参数，权重是随机的，什么都还不会。几秒钟。"""
    folder, fingerprint = artifacts.tiny_model_dir("vl"), _fingerprint("vl")
    if artifacts.is_finished(folder, fingerprint):
        return folder
    with atomic_folder(folder) as partial:
        tokenizer = train_tokenizer(report_texts(), VL_RECIPE)
        tokenizer.save_pretrained(partial)
        random_vision_model(tokenizer).save_pretrained(partial)
        artifacts.write_json(partial / "preprocessor_config.json", IMAGE_SETTINGS | VL_RECIPE["pixels"])
        artifacts.mark_finished(partial, fingerprint, list(partial.iterdir()))
    return folder


def report_texts() -> list[str]:
    """分词器要见过的文字：提示词，和抽出来的化验单（不画）的 JSON。"""
    import numpy as np

    from health_assistant.lab_report.rendering.sampling import Style, sample_report
    from health_assistant.lab_report.vl_protocol import READ_PROMPT

    rng = np.random.default_rng(VL_RECIPE["seed"])
    reports = [sample_report(rng, Style()).report.model_dump_json() for _ in range(VL_RECIPE["reports"])]
    return [READ_PROMPT] * len(reports) + reports


def random_vision_model(tokenizer):
    """随机权重的微型 Qwen2-VL，同一个种子总是一样；词表由 tokenizer 定。"""
    import torch
    from transformers import Qwen2VLForConditionalGeneration

    torch.manual_seed(VL_RECIPE["seed"])
    text = VL_RECIPE["text"] | {"vocab_size": len(tokenizer)}
    config = vision_config(tokenizer, text, VL_RECIPE["vision"], VL_RECIPE["rope"])
    return Qwen2VLForConditionalGeneration(config).eval()


def vision_config(tokenizer, text: dict, vision: dict, rope: dict):
    """Qwen2VLConfig；text、vision、rope 是它的 text_config、vision_config 与 rope_parameters。"""
    from transformers import Qwen2VLConfig

    token = tokenizer.convert_tokens_to_ids
    return Qwen2VLConfig(
        text_config={**text, **ends_of(tokenizer), "rope_parameters": rope},
        vision_config=vision,
        image_token_id=token("<|image_pad|>"),
        video_token_id=token("<|video_pad|>"),
        vision_start_token_id=token("<|vision_start|>"),
        vision_end_token_id=token("<|vision_end|>"),
        tie_word_embeddings=text["tie_word_embeddings"],
    )


def ends_of(tokenizer) -> dict:
    """config 里起止与补齐的词元，照分词器的。"""
    return {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}


def use_one_thread_if_small(model) -> None:
    """小模型在 CPU 上只用一个线程：矩阵太小，分给几个核，互相等的时间比算的还多（别的程序也在跑时慢近十倍）。"""
    import torch

    if not torch.cuda.is_available() and model.num_parameters() < SMALL_MODEL:
        torch.set_num_threads(1)


def train_tokenizer(texts: list[str], recipe: dict = LLM_RECIPE):
    """Qwen2 的分词器（字节级 BPE，切词规则相同），词表在 texts 上重新训练；recipe 定词表的大小与对话模板。"""
    from transformers import Qwen2Tokenizer

    # 模板里的英文每段对话都有，让它们各成一个词
    template_words = [f"system\nuser\nassistant\n{recipe['system']}"] * len(texts)
    tokenizer = Qwen2Tokenizer(vocab={}, merges=[]).train_new_from_iterator(
        texts + template_words, recipe["vocab_size"], new_special_tokens=SPECIAL_TOKENS, show_progress=False
    )
    tokenizer.eos_token, tokenizer.pad_token = "<|im_end|>", "<|endoftext|>"
    tokenizer.model_max_length = LLM_RECIPE["config"]["max_position_embeddings"]
    tokenizer.chat_template = recipe["template"]
    return tokenizer


def pretrain(texts: list[str], tokenizer):
    """从随机权重训练。对话由随便两段文字拼成：基座学会说话和对话的格式，怎么回答留给微调去学。"""
    import torch
    from tqdm import tqdm
    from transformers import Qwen2Config, Qwen2ForCausalLM

    recipe, shuffler = LLM_RECIPE, random.Random(LLM_RECIPE["seed"])
    torch.manual_seed(recipe["seed"])
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), **ends_of(tokenizer), **recipe["config"]))
    use_one_thread_if_small(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe["learning_rate"], weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe["learning_rate"], total_steps=recipe["steps"])
    unsaid = torch.tensor(tokenizer(recipe["system"]).input_ids)  # 每段对话都有的一句英文：看着，但不学着说
    stream: list[int] = []
    needed = recipe["batch_size"] * recipe["block_length"]
    progress = tqdm(range(recipe["steps"]), desc="训练微型基座（只有这一次）")
    for _ in progress:
        while len(stream) < needed:
            stream += random_dialogues(texts, tokenizer, shuffler)
        block, stream = torch.tensor(stream[:needed]).view(recipe["batch_size"], -1), stream[needed:]
        loss = model(input_ids=block, labels=block.masked_fill(torch.isin(block, unsaid), -100)).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        progress.set_postfix(loss=f"{loss.item():.2f}", refresh=False)
    return model.eval()


def random_dialogues(texts: list[str], tokenizer, shuffler: random.Random) -> list[int]:
    """全部文字过一遍的词元：随机的几段拼成一段多轮对话。"""
    turns, shuffled = LLM_RECIPE["turns"], shuffler.sample(texts, len(texts))
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(shuffled)]
    dialogues = [messages[at : at + 2 * turns] for at in range(0, len(messages), 2 * turns)]
    rendered = tokenizer.apply_chat_template(dialogues, tokenize=False)
    return [token for ids in tokenizer(rendered).input_ids for token in ids]
