"""一次更新的 16 条对话：两条一次前向（today，装满之前的做法）、按词元装满（filled）、装满又用 bf16，各快多少。

    OMP_NUM_THREADS=1 python tests/benchmarks/packing.py 对话.csv

CSV 要有 ask、answer 两列。基座是现造的 Qwen2，五千多万参数，权重随机，pass_overhead 与 CPU 的配方一样。各种轮流跑，
按进程用的 CPU 时间算，机器忙闲不相干。CPU 的时间多半在每个词元的乘加里，省几次前向省不出多少，要快只有让乘加自己快：
CPU 有 bf16 指令时用它。退出码 1 是没有快到 SLOWEST。
"""

import argparse
import csv
import random
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from health_assistant.training import batching, loading, precision, sft
from health_assistant.training.recipe import Recipe
from health_assistant.training.tiny_models import train_tokenizer

ROWS = 16
SLOWEST = {"filled": 0.95, "bf16": 1.5}  # 至少是 today 的几倍；filled 一样快，留一点量不准的余地
SHAPE = {"hidden_size": 768, "intermediate_size": 2304, "num_hidden_layers": 7, "num_attention_heads": 12}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--updates", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    with open(args.csv, encoding="utf-8", newline="") as file:
        pairs = [(row["ask"].strip(), row["answer"].strip()) for row in csv.DictReader(file)]
    pairs = random.Random(0).sample([pair for pair in pairs if all(pair)], ROWS * args.updates)
    with tempfile.TemporaryDirectory() as folder:
        base = build_base([text for pair in pairs for text in pair], Path(folder) / "base")
        tokenizer = loading.load_tokenizer(base)
        asked = [[{"role": "user", "content": one}, {"role": "assistant", "content": two}] for one, two in pairs]
        rows, _ = sft.encode_all([{"messages": one} for one in asked], tokenizer, 512)
        ways = ["today", *SLOWEST] if precision.cpu_computes_bf16() else ["today", "filled"]
        real, spent, computed = batching.tokens(rows), dict.fromkeys(ways, 0.0), {}
        for at in range(args.rounds):
            for way in ways[:: -1 if at % 2 else 1]:
                seconds, computed[way] = epoch(way, base, tokenizer, rows, Path(folder))
                spent[way] += seconds
    for way, seconds in spent.items():
        speed = args.rounds * real / seconds
        print(f"{way:<7}每 CPU 秒 {speed:5.0f} 个真词元，算的词元是真词元的 {computed[way] / real:.2f} 倍")
    print(f"{len(rows)} 条对话，{real} 个真词元")
    if "bf16" not in ways:
        print("这颗 CPU 没有 bf16 指令，没有量 bf16")
    faster = {way: spent["today"] / spent[way] for way in ways[1:]}
    for way, times in faster.items():
        print(f"{way} 是 today 的 {times:.2f} 倍（至少要 {SLOWEST[way]}）")
    return 0 if all(times >= SLOWEST[way] for way, times in faster.items()) else 1


def build_base(texts: list[str], folder: Path) -> Path:
    from transformers import Qwen2Config, Qwen2ForCausalLM

    tokenizer = train_tokenizer(texts)
    model = Qwen2ForCausalLM(Qwen2Config(**SHAPE, num_key_value_heads=4, vocab_size=len(tokenizer)))
    print(f"基座 {model.num_parameters() / 1e6:.0f} M 参数")
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def pairs_of_rows(lengths: list[int], *_) -> list[list[int]]:
    order = batching.by_length(lengths)
    return [order[at : at + 2] for at in range(0, len(order), 2)]


def epoch(way: str, base: Path, tokenizer, rows: list[dict], folder: Path) -> tuple[float, int]:
    """全部对话训练一遍的 CPU 秒数，和实际算的词元数（含填充）；不测验证集，不存检查点。"""
    precise = {"pass_overhead": 64, "bf16": way == "bf16"}
    recipe = Recipe(update_rows=ROWS, num_train_epochs=1.0, early_stopping_patience=0, **precise)
    with mock.patch.object(batching, "cut", pairs_of_rows if way == "today" else batching.cut):
        trainer = sft.build_trainer(
            recipe, loading.load_with_lora(base, recipe), tokenizer, rows, rows[:1], folder / "checkpoints"
        )
        trainer.args.load_best_model_at_end = trainer.args.eval_on_start = False
        trainer.evaluate = lambda *args, **kwargs: {"eval_loss": 0.0}
        trainer._save_checkpoint = lambda *args: None
        started = time.process_time()
        trainer.train()
    return time.process_time() - started, trainer.speed.counted["padded_tokens"]


if __name__ == "__main__":
    sys.exit(main())
