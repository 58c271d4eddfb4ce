"""没有 GPU 时，0.5B 的尺寸用 bf16 与用 32 位：训练与生成各多快，训练最多占多少内存。

    OMP_NUM_THREADS=2 PYTHONPATH=tests python tests/benchmarks/bf16_on_cpu.py

权重随机，配方是 qwen2.5-0.5b-laptop.yaml，24 条 90 到 200 个词元的对话，更新三次。
一种精度一个进程，才各有各的内存峰值。退出码 1 是 bf16 哪一样没有快到 1.5 倍；CPU 没有 bf16 指令时什么也不量，退出码 0。
"""

import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from health_assistant.checked_yaml import read_yaml
from health_assistant.training import batching, loading, precision, sft
from health_assistant.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
SIZE = "qwen2.5-0.5b"
FASTER = 1.5
SHOWN = {"training": "训练，每秒词元", "one": "生成一条，每秒词元", "eight": "八条一起生成，每秒词元"}
SHOWN |= {"peak": "训练的内存峰值，GiB"}


def main() -> int:
    if len(sys.argv) > 1:
        print(json.dumps(measure(Path(sys.argv[1]), bf16=sys.argv[2] == "bf16")))
        return 0
    if not precision.cpu_computes_bf16():
        print("这颗 CPU 没有 bf16 指令，没有什么可量的")
        return 0
    from gpu import bases

    with tempfile.TemporaryDirectory() as folder:
        bases.build_llm(SIZE, Path(folder))
        measured = {}
        for precise in ("float32", "bf16"):
            command = [sys.executable, __file__, folder, precise]
            output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
            measured[precise] = json.loads(output.splitlines()[-1])
    for key, title in SHOWN.items():
        print(f"{title}：32 位 {measured['float32'][key]:.1f}，bf16 {measured['bf16'][key]:.1f}")
    speeds = [key for key in SHOWN if key != "peak"]
    return 0 if all(measured["bf16"][key] >= FASTER * measured["float32"][key] for key in speeds) else 1


def measure(base: Path, bf16: bool) -> dict[str, float]:
    import torch

    settings = {"model_name_or_path": str(base), "bf16": bf16, "max_steps": 3, "eval_steps": 100}
    recipe = read_yaml(Recipe, ROOT / "3-fine-tuning-llm/configs/qwen2.5-0.5b-laptop.yaml", settings)
    _, source, tokenizer = loading.prepare_base(recipe)
    chance, rows = random.Random(0), []
    for _ in range(24):
        ids = [chance.randrange(1000, 150_000) for _ in range(chance.randint(90, 200))]
        asked = len(ids) // 3
        rows.append({"input_ids": ids, "labels": [batching.IGNORED] * asked + ids[asked:]})
    model = loading.load_with_lora(source, recipe)
    trainer = sft.build_trainer(recipe, model, tokenizer, rows, rows[:1], base / "checkpoints")
    trainer.args.load_best_model_at_end = trainer.args.eval_on_start = False
    trainer.evaluate = lambda *args, **kwargs: {"eval_loss": 0.0}
    trainer._save_checkpoint = lambda *args: None
    started = time.perf_counter()
    trainer.train()
    measured = {"training": batching.tokens(rows) / (time.perf_counter() - started)}
    measured["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    running = loading.load_to_run(base).to(torch.bfloat16 if bf16 else torch.float32)
    for key, together in (("one", 1), ("eight", 8)):
        prompt = torch.randint(1000, 150_000, (together, 200))
        started = time.perf_counter()
        running.generate(prompt, max_new_tokens=40, min_new_tokens=40, do_sample=False)
        measured[key] = together * 40 / (time.perf_counter() - started)
    return measured


if __name__ == "__main__":
    sys.exit(main())
