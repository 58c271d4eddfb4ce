"""一次更新的 16 条对话，在 CPU 上：从前的配方（before）、两条一次（pairs）、按词元装满（filled）、装满又用 bf16 。

    OMP_NUM_THREADS=1 python tests/benchmarks/packing.py 对话.csv

before 是装满之前 qwen2.5-0.5b.yaml 的做法：两条一次前向，反向时重算各层，全部 logits 都算。pairs 只是两条一次，
别的与现在一样：它与 filled 之差才是装满的。前三种更新相同（损失印出来）。CSV 要有 ask、answer 两列。基座是现造的
Qwen2，五千多万参数（--size 0.5b 是 0.5B 的尺寸，先用 --updates 1），权重随机，pass_overhead 与 CPU 的配方一样。
各种轮流跑，按进程用的 CPU 时间算，机器忙闲不相干。退出码 1 是没有快到 FASTER。
"""

import argparse
import csv
import random
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

from health_assistant.training import batching, loading, precision, sft
from health_assistant.training.recipe import Recipe
from health_assistant.training.tiny_models import train_tokenizer

ROWS = 16
FASTER = {"filled": 1.5, "bf16": 1.5}  # 至少是 before 的几倍
SHAPES = {
    "50m": {"hidden_size": 768, "intermediate_size": 2304, "num_hidden_layers": 7}
    | {"num_attention_heads": 12, "num_key_value_heads": 4},
    "0.5b": {"hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24, "num_attention_heads": 14}
    | {"num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--size", choices=SHAPES, default="50m")
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with open(args.csv, encoding="utf-8", newline="") as file:
        pairs = [(row["ask"].strip(), row["answer"].strip()) for row in csv.DictReader(file)]
    pairs = random.Random(0).sample([pair for pair in pairs if all(pair)], ROWS * args.updates)
    with tempfile.TemporaryDirectory() as folder:
        base = build_base([text for pair in pairs for text in pair], SHAPES[args.size], Path(folder) / "base")
        tokenizer = loading.load_tokenizer(base)
        asked = [[{"role": "user", "content": one}, {"role": "assistant", "content": two}] for one, two in pairs]
        rows, _ = sft.encode_all([{"messages": one} for one in asked], tokenizer, 512)
        ways = ["before", "pairs", "filled"] + ["bf16"] * precision.cpu_computes_bf16()
        real, spent, computed, losses = batching.tokens(rows), dict.fromkeys(ways, 0.0), {}, {}
        for at in range(args.rounds):
            for way in ways[:: -1 if at % 2 else 1]:
                seconds, computed[way], losses[way] = epoch(way, base, tokenizer, rows, Path(folder))
                spent[way] += seconds
    for way, seconds in spent.items():
        speed = args.rounds * real / seconds
        padded = f"算的词元是真词元的 {computed[way] / real:.2f} 倍"
        print(f"{way:<7}每 CPU 秒 {speed:5.0f} 个真词元，{padded}；损失 {losses[way]}")
    print(f"{len(rows)} 条对话，{real} 个真词元")
    if "bf16" not in ways:
        print("这颗 CPU 没有 bf16 指令，没有量 bf16")
    faster = {way: spent["before"] / spent[way] for way in ways[1:]}
    for way, times in faster.items():
        print(f"{way} 是 before 的 {times:.2f} 倍" + (f"（至少要 {FASTER[way]}）" if way in FASTER else ""))
    return 0 if all(faster[way] >= FASTER[way] for way in faster.keys() & FASTER.keys()) else 1


def build_base(texts: list[str], shape: dict, folder: Path) -> Path:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = train_tokenizer(texts)
    model = Qwen2ForCausalLM(Qwen2Config(**{"vocab_size": len(tokenizer)} | shape))
    print(f"基座 {model.num_parameters() / 1e6:.0f} M 参数")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pairs_of_rows(lengths: list[int], *_) -> list[list[int]]:
    order = batching.by_length(lengths)
    return [order[at : at + 2] for at in range(0, len(order), 2)]


def whole_loss(self, model, inputs, *_, **__):
    """从前的：提问的 logits 也算，还有 trl 的熵与准确率。"""
    share = inputs.pop("supervised") / self.supervised
    inputs.pop("tokens")
    return super(sft.PassTrainer, self).compute_loss(model, inputs) * share


def epoch(way: str, base: Path, tokenizer, rows: list[dict], folder: Path) -> tuple[float, int, list[float]]:
    """全部对话训练一遍的 CPU 秒数，实际算的词元数（含填充），每次更新的损失；不测验证集，不存检查点。"""
    settings = {"update_rows": ROWS, "num_train_epochs": 1.0, "early_stopping_patience": 0, "pass_overhead": 32}
    recipe = Recipe(**settings, bf16=way == "bf16", gradient_checkpointing=way == "before")
    with ExitStack() as patches:
        if way in ("before", "pairs"):
            patches.enter_context(mock.patch.object(batching, "cut", pairs_of_rows))
        if way == "before":
            patches.enter_context(mock.patch.object(sft.PassTrainer, "compute_loss", whole_loss))
        trainer = sft.build_trainer(
            recipe, loading.load_with_lora(base, recipe), tokenizer, rows, rows[:1], folder / "checkpoints"
        )
        trainer.args.load_best_model_at_end = trainer.args.eval_on_start = False
        trainer.evaluate = lambda *args, **kwargs: {"eval_loss": 0.0}
        trainer._save_checkpoint = lambda *args: None
        started = time.process_time()
        trainer.train()
    spent = time.process_time() - started
    losses = [round(logs["loss"], 5) for logs in trainer.state.log_history if "loss" in logs]
    return spent, trainer.speed.counted["padded_tokens"], losses


if __name__ == "__main__":
    sys.exit(main())
