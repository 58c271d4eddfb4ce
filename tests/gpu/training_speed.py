"""在一张 GPU 上量训练：Unsloth 与 transformers + peft，同一次运行里先后跑。

    PYTHONPATH=tests python tests/gpu/training_speed.py --out /tmp/measured --seconds 560

一项一个进程（Unsloth 一导入就改写 trl），基座只载入一次，每种行长之前 LoRA 都恢复原样，所以损失应当一样。
量到的随时写进 --out 的 measured.jsonl，一行一种；时间不够的不跑，写在 skipped 里。写成表由 speed_table.py。
没有 GPU 时什么也不量，退出码 0；加 --size small 在 CPU 上用极小的基座走一遍（test_training_speed.py）。
"""

import argparse
import gc
import json
import os
import random
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

from health_assistant.checked_yaml import read_yaml
from health_assistant.training import batching, loading, memory, precision, recipe, run, sft, vision

ROOT = Path(__file__).resolve().parents[2]
LLM, VL = ROOT / "3-fine-tuning-llm/configs", ROOT / "6-fine-tuning-vl/configs"
# 每一种：行有多长、怎样算、步数（头三步是预热）。today 是从前的做法：两行（视觉是一页）一次前向，什么都在卡上
TODAY = [(120, "today", 5), (500, "today", 4)]
LLM_WAYS = [(120, "filled", 9), (500, "filled", 7), (2000, "filled", 4)]
VL_WAYS = [(0, "filled", 6)]
FILLED = [(120, "filled", 7), (500, "filled", 6)]
JOBS = [  # 基座、配方、后端、各种行、最多多少秒；最要紧的在前
    ("qwen2.5-14b", LLM / "qwen2.5-14b-qlora.yaml", "unsloth", TODAY, 200),
    ("qwen2.5-14b", LLM / "qwen2.5-14b-qlora.yaml", "unsloth", LLM_WAYS, 200),
    ("qwen2.5-14b", LLM / "qwen2.5-14b-qlora.yaml", "transformers", TODAY, 180),
    ("qwen2.5-14b", LLM / "qwen2.5-14b-qlora.yaml", "transformers", LLM_WAYS, 180),
    ("qwen2-vl-7b", VL / "qwen2-vl-7b-lora.yaml", "unsloth", VL_WAYS, 200),
    ("qwen2-vl-7b", VL / "qwen2-vl-7b-lora.yaml", "transformers", VL_WAYS, 120),
    ("qwen2.5-0.5b", LLM / "qwen2.5-0.5b.yaml", "transformers", [(120, "filled", 8)], 60),
    ("qwen2.5-0.5b", LLM / "qwen2.5-0.5b.yaml", "transformers", [(120, "fp16", 8)], 60),
    ("qwen2.5-0.5b", LLM / "qwen2.5-0.5b.yaml", "unsloth", [(120, "filled", 8)], 60),
    ("qwen2.5-7b", LLM / "qwen2.5-7b-qlora.yaml", "unsloth", FILLED, 90),
    ("qwen2.5-7b", LLM / "qwen2.5-7b-qlora.yaml", "transformers", FILLED, 90),
    ("qwen2-vl-2b", VL / "qwen2-vl-2b-qlora.yaml", "transformers", [(0, "filled", 5)], 60),
    ("qwen2-vl-2b", VL / "qwen2-vl-2b-qlora.yaml", "unsloth", [(0, "filled", 5)], 150),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path("/tmp/measured-bases"))
    parser.add_argument("--seconds", type=float, default=560)
    parser.add_argument("--size", default="", help="换成这个尺寸的基座：small 在 CPU 上走一遍")
    parser.add_argument("--worker", default="", help="内部用")
    args = parser.parse_args()
    if args.worker:
        return work(json.loads(args.worker), args.out, args.home)
    if not args.size and not shutil.which("nvidia-smi"):
        print("没有 NVIDIA GPU，什么也没有量；在 CPU 上走一遍：--size small")
        return 0
    args.out.mkdir(parents=True, exist_ok=True)
    started, skipped = time.monotonic(), []
    jobs = [(args.size or job[0], *job[1:]) for job in JOBS]
    if not find_spec("unsloth"):
        skipped += [f"{job[:3]} 没有装 unsloth" for job in jobs if job[2] == "unsloth"]
        jobs = [job for job in jobs if job[2] != "unsloth"]
    waiting = [start(jobs[0], args)]
    for at, job in enumerate(jobs):
        worker = waiting[at]
        if at + 1 < len(jobs):
            waiting.append(start(jobs[at + 1], args))  # 先把库导入好，等轮到它
        left = args.seconds - (time.monotonic() - started)
        if left < 25:
            skipped.append(str(job[:3]))
            worker.kill()
            continue
        begun = time.monotonic()
        try:
            worker.communicate("go\n", timeout=min(left, job[-1]))
        except subprocess.TimeoutExpired:
            worker.kill()
            skipped.append(f"{job[:3]} 没有跑完")
        print(f"{job[0]} {job[2]}：退出码 {worker.wait()}，{time.monotonic() - begun:.0f} 秒", flush=True)
    (args.out / "skipped.json").write_text(json.dumps(skipped, ensure_ascii=False))
    compare([json.loads(line) for line in (args.out / "measured.jsonl").read_text(encoding="utf-8").splitlines()])
    return 0


def compare(measured: list[dict]) -> None:
    """同样的配方、后端、行长，装满比从前快几倍，峰值差多少。"""
    kinds = {
        (one["recipe"], one["backend"], one["row_tokens"], one["way"]): one for one in measured if "error" not in one
    }
    for (*kind, way), before in kinds.items():
        after = kinds.get((*kind, "filled"))
        if way == "today" and after:
            times = after["tokens_per_second"] / before["tokens_per_second"]
            print(kind, f"{times:.1f} 倍，峰值 {before['peak_memory_gib']} → {after['peak_memory_gib']} GiB")


def start(job: tuple, args: argparse.Namespace) -> subprocess.Popen:
    given = json.dumps(job, default=str)
    command = [sys.executable, __file__, "--out", args.out, "--home", args.home, "--worker", given]
    offline = {"HF_HUB_OFFLINE": "1", "UNSLOTH_DISABLE_STATISTICS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return subprocess.Popen([*map(str, command)], stdin=subprocess.PIPE, text=True, env=os.environ | offline)


def work(job: list, out: Path, home: Path) -> int:
    size, config, backend, ways, _ = job
    kind = recipe.VisionRecipe if "6-fine" in config else recipe.Recipe
    place = f"{size}-vl" if size == "small" and kind is recipe.VisionRecipe else size
    given = {"backend": backend, "quantized_model": "", "model_name_or_path": str(home / place)}
    if size == "small":
        given |= {"load_in_4bit": False}
    if kind is recipe.VisionRecipe:
        given |= {"update_rows": 4} | ({"max_pixels": 78400} if size == "small" else {})
    wanted = read_yaml(kind, Path(config), given)
    how = ways[0][1]
    if how == "today" and backend == "transformers":  # Unsloth 从前也把各层的输入放在内存里
        wanted = wanted.model_copy(update={"activation_offloading": False})
    if backend == "unsloth":
        import unsloth  # noqa: F401
    import peft  # noqa: F401
    import torch
    import trl  # noqa: F401

    sys.stdin.readline()
    build(size, home / place, wanted.vision)
    with ExitStack() as patches:
        for change in changes(how, wanted):
            patches.enter_context(change)
        begun = time.monotonic()
        _, source, tokenizer = loading.prepare_base(wanted)
        model = loading.load_with_lora(source, wanted)
        print(f"载入 {time.monotonic() - begun:.0f} 秒", flush=True)
        lora = {name: value.detach().cpu().clone() for name, value in model.named_parameters() if value.requires_grad}
        for length, way, steps in ways:
            with torch.no_grad():
                for name, value in model.named_parameters():
                    if name in lora:
                        value.copy_(lora[name])
            record = {"measured": time.strftime("%Y-%m-%d"), "recipe": Path(config).stem, "size": size}
            record |= {"backend": backend, "row_tokens": length, "way": way, "steps": steps}
            try:
                record |= measure(wanted, model, tokenizer, source, home, (length, way, steps))
            except Exception as error:  # 一种坏了，别的照样量
                record["error"] = f"{type(error).__name__}: {error}"[:2000]
            with open(out / "measured.jsonl", "a") as file:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
            print(json.dumps(record, ensure_ascii=False)[:700], flush=True)
    return 0


def changes(how: str, wanted: recipe.Recipe) -> list:
    """how 与现在的做法哪里不同，各是一个 mock.patch。"""
    import torch

    if how == "fp16":
        return [mock.patch.object(precision, "training_dtype", lambda *_: torch.float16)]
    if how == "filled":
        return []
    together = 1 if wanted.vision else 2

    def in_rows(lengths, *_):
        order = batching.by_length(lengths)
        return [order[at : at + together] for at in range(0, len(order), together)]

    on_card = {"return_value": False}  # 词表
    patches = [mock.patch.object(module, "embedding_in_memory", **on_card) for module in (memory, loading)]
    if wanted.backend == "unsloth":
        from unsloth import FastLanguageModel, FastVisionModel

        fast = FastVisionModel if wanted.vision else FastLanguageModel
        load = fast.from_pretrained
        whole = lambda **given: load(**given | {"offload_embedding": False})  # noqa: E731
        patches.append(mock.patch.object(fast, "from_pretrained", whole))
    return [*patches, mock.patch.object(batching, "cut", in_rows)]


def build(size: str, folder: Path, vision_too: bool) -> None:
    from gpu import bases
    from small_llm import small_texts

    if (folder / "config.json").is_file():
        return
    begun = time.monotonic()
    if vision_too:
        bases.build_vl(size, folder, small_texts())
    else:
        bases.build_llm(size, folder)
    print(f"造 {size}：{time.monotonic() - begun:.0f} 秒", flush=True)


def measure(wanted, model, tokenizer, source: Path, home: Path, how: tuple) -> dict:
    import torch

    length, way, steps = how
    changed = {"max_steps": steps, "eval_steps": 1000, "early_stopping_patience": 0, "warmup_steps": 1}
    if length == 2000:
        changed["update_rows"] = 4  # 只看装得最满时的峰值，不必多跑
    wanted = wanted.model_copy(update=changed)
    rows, collate = text_rows(tokenizer, length, wanted.update_rows * 10), None
    if isinstance(wanted, recipe.VisionRecipe):
        rows = page_rows(tokenizer, wanted, home / "pages")
        collate = vision.page_collator(vision.load_image_processor(source, wanted.max_pixels), tokenizer)
    on_gpu = torch.cuda.is_available()
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    trainer = sft.build_trainer(wanted, model, tokenizer, rows, rows[:1], home / "checkpoints", collate)
    trainer.args.load_best_model_at_end = False
    trainer._save_checkpoint = lambda *args: None
    longest_pass = max(
        len(one_pass) * max(len(rows[at]["input_ids"]) for at in one_pass)
        for update in trainer.get_train_dataloader().batch_sampler
        for one_pass in update
    )
    trainer.train()
    summary = run.summary(trainer, 0.0)
    spent = [logs["step_seconds"] for logs in trainer.state.log_history if "learning_rate" in logs]
    kept = ("tokens", "padded_tokens", "tokens_per_second", "warm_up_seconds", "peak_memory_gib", "versions", "machine")
    result = {name: summary[name] for name in kept} | {"card": summary["machine"]["device"]}
    if wanted.vision:
        result["row_tokens"] = round(sum(len(row["input_ids"]) for row in rows) / len(rows))
    result |= {"losses": [step["loss"] for step in summary["train"]]}
    result["held_out"] = [evaluation["loss"] for evaluation in summary["held_out"]]
    result["seconds"] = [round(now - before, 3) for before, now in zip([0, *spent], spent, strict=False)]
    result["longest_pass"] = longest_pass
    longest = max(len(row["input_ids"]) for row in rows)
    result["estimated_gib"] = round(memory.for_training(source, wanted, longest).needed, 2)
    if on_gpu:
        result["reserved_gib"] = round(torch.cuda.max_memory_reserved() / 2**30, 2)
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)
    trainer.accelerator.free_memory()
    return result


def text_rows(tokenizer, length: int, count: int) -> list[dict]:
    """count 行随机的词元，长度在 length 的 0.6 到 1.4 倍之间，前四成是提问。"""
    dice, rows = random.Random(0), []
    for _ in range(count):
        size = round(length * dice.uniform(0.6, 1.4 if length < 1400 else 1.02))
        ids = [dice.randrange(len(tokenizer)) for _ in range(size)]
        asked = size * 2 // 5
        rows.append({"input_ids": ids, "labels": [batching.IGNORED] * asked + ids[asked:]})
    return rows


def page_rows(tokenizer, wanted: recipe.VisionRecipe, folder: Path) -> list[dict]:
    """24 页随机的图，用足像素预算，回答约 250 个词元。"""
    from PIL import Image
    from small_llm import small_texts

    folder.mkdir(parents=True, exist_ok=True)
    texts, rows = "".join(small_texts()), []
    scale = min(1.0, (wanted.max_pixels / (1120 * 1582)) ** 0.5)
    for at in range(24):
        page = folder / f"{at}.png"
        if not page.exists():
            Image.effect_noise((int(1120 * scale), int(1582 * scale)), 90).convert("RGB").save(page, compress_level=1)
        answer = texts[at * 400 : at * 400 + 300 + 10 * at]
        rows.append({"image": page, "prompt": "读出这张化验单。", "answer": answer, "text_height": None})
    return vision.encode_pages(rows, tokenizer, wanted)


if __name__ == "__main__":
    sys.exit(main())
