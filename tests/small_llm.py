"""训练测试共用的：一两秒就造好的极小基座，和几十条对话。"""

import json
from pathlib import Path
from unittest import mock

from health_assistant.artifacts import write_jsonl
from health_assistant.training import tiny_models

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}


def small_texts() -> list[str]:
    rows = [json.loads(line) for line in tiny_models.bundled_text().read_text(encoding="utf-8").splitlines()]
    return [row[part] for row in rows for part in ("question", "answer")]


def dialogue(asked: str, answer: str) -> list[dict]:
    return [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]


def small_dialogues() -> list[list[dict]]:
    texts = small_texts()
    return [dialogue(asked, answer) for asked, answer in zip(texts[::2], texts[1::2], strict=True)]


def in_small():
    """和 tiny 同样的做法，只是小得多、只训练两步。"""
    small = {"vocab_size": 600, "steps": 2, "block_length": 64}
    config = tiny_models.LLM_RECIPE["config"] | SMALL | {"num_key_value_heads": 1}
    return mock.patch.dict(tiny_models.LLM_RECIPE, small | {"config": config})


def build_small_base(folder: Path) -> Path:
    with in_small():
        texts = small_texts()
        tokenizer = tiny_models.train_tokenizer(texts)
        model = tiny_models.pretrain(texts, tokenizer)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def write_train_data(folder: Path, train: int = 40, val: int = 8) -> Path:
    folder.mkdir(parents=True)
    rows = [{"messages": messages} for messages in small_dialogues()]
    write_jsonl(folder / "train.jsonl", rows[:train])
    write_jsonl(folder / "val.jsonl", rows[train : train + val])
    return folder
