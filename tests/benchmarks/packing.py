"""分批的三种做法，同样的对话各训练一遍：随意放（padded）、长度相近的放一批（grouped）、拼成长行（packed，trl 的）。

    OMP_NUM_THREADS=1 python tests/benchmarks/packing.py ../shared/data/chinese-medical-dialogue-sample.csv

CSV 要有 ask、answer 两列。三种轮流跑几轮，机器忙闲对它们是一样的。
退出码 1：grouped 的速度没有达到 padded 的 0.9 ×（padded 算的标记数 / 真标记数）倍。
"""

import argparse
import csv
import random
import sys
import tempfile
import time
from pathlib import Path

import torch
from datasets import Dataset
from tqdm import tqdm
from transformers.trainer_callback import PrinterCallback
from trl import SFTConfig, SFTTrainer

from health_assistant.training import loading, run
from health_assistant.training.recipe import Recipe
from health_assistant.training.tiny_models import build_tiny_llm


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("csv", type=Path)
    parser.add_argument("--examples", type=int, default=320)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args()
    base = build_tiny_llm()
    tokenizer = loading.load_tokenizer(base)
    with open(args.csv, encoding="utf-8", newline="") as file:
        pairs = [(row["ask"].strip(), row["answer"].strip()) for row in csv.DictReader(file)]
    pairs = random.Random(0).sample([pair for pair in pairs if all(pair)], args.examples)
    rows = [
        {"messages": [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]}
        for asked, answer in pairs
    ]
    examples, _ = run.encode_all(rows, tokenizer, Recipe().max_length)
    real = sum(len(one["input_ids"]) for one in examples)

    spent = dict.fromkeys(("padded", "grouped", "packed"), 0.0)
    computed = dict.fromkeys(spent, 0)
    for at in tqdm(range(args.rounds), desc="轮"):
        modes = [*spent]
        for mode in modes[at % 3 :] + modes[: at % 3]:
            seconds, tokens = epoch(mode, base, tokenizer, examples)
            spent[mode] += seconds
            computed[mode] = tokens

    speed = {mode: args.rounds * real / seconds for mode, seconds in spent.items()}
    ideal = computed["padded"] / real
    print(f"{len(examples)} 条对话，{real} 个真标记，{torch.get_num_threads()} 个线程，{args.rounds} 轮")
    for mode in spent:
        print(
            f"{mode:<8}算了 {computed[mode]:>7} 个标记（真标记的 {computed[mode] / real:.3f} 倍），"
            f"每秒 {speed[mode]:6.0f} 个真标记，是 padded 的 {speed[mode] / speed['padded']:.3f} 倍"
        )
    reached = speed["grouped"] / speed["padded"]
    print(f"grouped 要达到 0.9 × {ideal:.3f} = {0.9 * ideal:.3f} 倍：{reached:.3f}")
    return 0 if reached >= 0.9 * ideal else 1


def epoch(mode: str, base: Path, tokenizer, examples: list[dict]) -> tuple[float, int]:
    """全部例子训练一遍的秒数，和实际算的标记数（含填充）。"""
    recipe = Recipe(batching="padded" if mode == "packed" else mode, epochs=1.0, patience=0)
    model, computed = loading.load_with_lora(base, recipe), 0
    with tempfile.TemporaryDirectory() as folder:
        if mode == "packed":
            trainer = packed_trainer(model, tokenizer, examples, recipe, folder)
        else:
            trainer = run.build_trainer(recipe, model, tokenizer, examples, examples[:1], Path(folder))
        trainer.args.eval_strategy = trainer.args.save_strategy = "no"
        trainer.args.eval_on_start = trainer.args.load_best_model_at_end = False
        forward = trainer.training_step

        def counting(model, inputs, *rest, **options):
            nonlocal computed
            computed += inputs["input_ids"].numel()
            return forward(model, inputs, *rest, **options)

        trainer.training_step = counting
        started = time.perf_counter()
        trainer.train()
        return time.perf_counter() - started, computed


def packed_trainer(model, tokenizer, examples: list[dict], recipe: Recipe, folder: str):
    """trl 的 packing：装箱成 max_length 的长行，再去掉填充连成一行；一步的标记数与 grouped 相当。"""
    mean = sum(len(one["input_ids"]) for one in examples) / len(examples)
    settings = SFTConfig(
        output_dir=folder,
        packing=True,
        max_length=recipe.max_length,
        per_device_train_batch_size=max(1, round(recipe.batch_size * mean / recipe.max_length)),
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        loss_type="nll",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        report_to="none",
    )
    dataset = Dataset.from_list(examples)
    trainer = SFTTrainer(model=model, args=settings, train_dataset=dataset, processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    return trainer


if __name__ == "__main__":
    sys.exit(main())
