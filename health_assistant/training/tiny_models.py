"""微型基座：没有 GPU、没有下载也能跑完全程。从配置造一个一百多万参数的 Qwen2，用随包的问答文本训练约一分钟。"""

import json
import random
from importlib import resources
from pathlib import Path

from health_assistant import artifacts
from health_assistant.training.saving import atomic_folder

# Qwen2 分词器的特殊标记，次序与它相同
SPECIAL_TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>"]
SPECIAL_TOKENS += ["<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>"]
SPECIAL_TOKENS += ["<|vision_end|>", "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>"]

# ChatML，渲染出的文字与 Qwen2.5-Instruct 的模板相同（不含工具调用）；没有 system 时补上的一句也是它的
DEFAULT_SYSTEM = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant."
CHAT_TEMPLATE = (
    "{%- if not messages or messages[0].role != 'system' -%}"
    "{{ '<|im_start|>system\\n" + DEFAULT_SYSTEM + "<|im_end|>\\n' }}"
    "{%- endif -%}"
    "{%- for message in messages -%}"
    "{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ '<|im_start|>assistant\\n' }}{%- endif -%}"
)

SMALL_MODEL = 50_000_000
# 词表占了微型模型计算量的大半：真的 Qwen2.5 词表有 15 万个，一步慢 20 倍
LLM_RECIPE = {
    "vocab_size": 2560,
    "config": {
        "hidden_size": 160,
        "intermediate_size": 448,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": True,
    },
    "steps": 280,
    "batch_size": 4,
    "block_length": 256,
    "learning_rate": 5e-3,
    "seed": 0,
    "rows": "tokenizer: all, pretraining: every other",
    "turns": 4,
    "unsaid": DEFAULT_SYSTEM,
    "template": CHAT_TEMPLATE,
}


def bundled_text() -> Path:
    """随包的医学问答，每行 {"question", "answer", "department"}。评测的病例不在里面。"""
    return Path(str(resources.files("health_assistant.training") / "data" / "medical_qa_sample.jsonl"))


def tiny_llm_identity() -> str:
    """微型基座的名字，带着配方与文本的指纹：训练方法变了，就是另一个基座。只算名字，不训练。"""
    return f"tiny-llm-{artifacts.fingerprint(LLM_RECIPE, [bundled_text()])[:12]}"


def build_tiny_llm() -> Path:
    """微型语言模型基座的目录；没有或配方变了才训练，随包文本约一分钟。"""
    folder, source = artifacts.tiny_model_dir("llm"), bundled_text()
    wanted = artifacts.fingerprint(LLM_RECIPE, [source])
    if artifacts.is_finished(folder, wanted):
        return folder
    rows = [json.loads(line) for line in source.read_text(encoding="utf-8").splitlines()]
    texts = [row[part] for row in rows for part in ("question", "answer")]
    # 只在一半的问答上训练：另一半留给微调，验证损失的下降才有得看
    half = [row[part] for row in rows[::2] for part in ("question", "answer")]
    with atomic_folder(folder) as partial:
        tokenizer = train_tokenizer(texts)
        tokenizer.save_pretrained(partial)
        pretrain(half, tokenizer).save_pretrained(partial)
        artifacts.mark_finished(partial, wanted, list(partial.iterdir()))
    return folder


def use_one_thread_if_small(model) -> None:
    """小模型在 CPU 上只用一个线程：矩阵太小，分给几个核，互相等的时间比算的还多（别的程序也在跑时慢近十倍）。"""
    import torch

    if not torch.cuda.is_available() and model.num_parameters() < SMALL_MODEL:
        torch.set_num_threads(1)


def train_tokenizer(texts: list[str]):
    """在 texts 上训练一个小的字节级 BPE；切词规则与 Qwen2 相同，AutoTokenizer 能载入。"""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast
    from transformers.models.qwen2.tokenization_qwen2 import PRETOKENIZE_REGEX

    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.NFC()
    split = pre_tokenizers.Split(Regex(PRETOKENIZE_REGEX), "isolated")
    bpe.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
    bpe.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=LLM_RECIPE["vocab_size"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        special_tokens=SPECIAL_TOKENS,
        show_progress=False,
    )
    # 模板里的英文每段对话都有，让它们各成一个词
    template_words = [f"system\nuser\nassistant\n{DEFAULT_SYSTEM}"] * len(texts)
    bpe.train_from_iterator(texts + template_words, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        additional_special_tokens=[one for one in SPECIAL_TOKENS if one not in ("<|im_end|>", "<|endoftext|>")],
        model_max_length=LLM_RECIPE["config"]["max_position_embeddings"],
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
    )


def pretrain(texts: list[str], tokenizer):
    """从随机权重训练。对话由随便两段文字拼成：基座学会说话和对话的格式，怎么回答留给微调去学。"""
    import torch
    from tqdm import tqdm
    from transformers import Qwen2Config, Qwen2ForCausalLM

    recipe, shuffler = LLM_RECIPE, random.Random(LLM_RECIPE["seed"])
    torch.manual_seed(recipe["seed"])
    ends = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    model = Qwen2ForCausalLM(Qwen2Config(vocab_size=len(tokenizer), **ends, **recipe["config"]))
    use_one_thread_if_small(model)
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe["learning_rate"], weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe["learning_rate"], total_steps=recipe["steps"])
    unsaid = torch.tensor(tokenizer(DEFAULT_SYSTEM).input_ids)  # 每段对话都有的一句英文：看着，但不学着说
    stream, needed = [], recipe["batch_size"] * recipe["block_length"]
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
    """全部文字过一遍的标记：随机的几段拼成一段多轮对话。"""
    turns, shuffled = LLM_RECIPE["turns"], shuffler.sample(texts, len(texts))
    messages = [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(shuffled)]
    dialogues = [messages[at : at + 2 * turns] for at in range(0, len(messages), 2 * turns)]
    rendered = tokenizer.apply_chat_template(dialogues, tokenize=False)
    return [token for ids in tokenizer(rendered).input_ids for token in ids]
