"""阶段 3、6 的 results/gpu.jsonl（量到的，一行一种）写成 results/gpu.md。

python tests/gpu/speed_table.py /tmp/measured/measured.jsonl    # 收下 training_speed.py 新量的，再写两张表
python tests/gpu/speed_table.py                                 # 只重写表
"""

import json
import sys
from pathlib import Path

from health_assistant import artifacts

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("3-fine-tuning-llm", "6-fine-tuning-vl")
KEPT = ["measured", "card", "recipe", "size", "backend", "row_tokens", "way", "steps", "tokens", "padded_tokens"]
KEPT += ["tokens_per_second", "warm_up_seconds", "longest_pass", "peak_memory_gib", "reserved_gib", "versions"]
BACKENDS = {"unsloth": "Unsloth", "transformers": "transformers + peft"}
WAYS = {"filled": "装满", "today": "从前", "fp16": "装满，fp16", "on_card": "装满，都在卡上"}
WAYS |= {"fp16_on_card": "装满，都在卡上，fp16", "table_on_card": "装满，词表在卡上"}
COLUMNS = ["配方", "后端", "每行约多少词元", "分批", "词元/秒", "预热（秒）", "峰值 GiB", "占住 GiB"]
OLD_COLUMNS = ["配方", "后端", "每行约多少词元", "整次词元/秒", "稳定后一步（秒）", "峰值 GiB"]
ABOUT = """# GPU 上训练的速度与显存

由 `python tests/gpu/speed_table.py` 从 [gpu.jsonl](gpu.jsonl) 写成，不要手改；数是 `tests/gpu/training_speed.py` 量的。
模型是真实的尺寸、随机的权重：速度与显存不取决于权重的值，损失没有意义。词元/秒只数真的词元（不数填充），不算开头三次更新的预热。
“从前”是按行数分批：一次前向两行（视觉是一页）；“装满”是配方现在的做法，同一次更新、同样的结果。同一张卡的在一次租用里先后量。
各层的输入（重算要用）与 QLoRA 输入一侧的词表，现在留在内存里；“从前”与“都在卡上”的在卡上（Unsloth 的各层输入除外），
“词表在卡上”的只有词表还在卡上：这两种是途中的两版代码量的。
峰值是程序用过的最多，占住的是分配器向卡要的；nvidia-smi 看到的还要多几百 MB 的 CUDA 上下文。
"""
OLD = """
## 从前的代码，一张 NVIDIA H200，2026-11-26

20 步，当时的分批与当时的代码；整次词元/秒连编译的第一步也算在内，不能与上面的比。
plain PEFT 那时还把词表转成 32 位，多占约 3 GiB。
"""


def records(stage: str) -> list[dict]:
    lines = (ROOT / stage / "results/gpu.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def table(columns: list[str], rows: list[list[str]]) -> str:
    head = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)]) + "\n"


def page(measured: list[dict]) -> str:
    """一个阶段的 gpu.md：每张卡一张表，从前的代码量的另放。"""
    text, machines = ABOUT, {}
    for one in measured:
        if one["way"] in WAYS:
            versions = "、".join(f"{name} {number}" for name, number in one["versions"].items())
            machines.setdefault((one["card"], one["measured"], versions), []).append(one)
    for (card, day, versions), ones in machines.items():
        text += f"\n## {card}，{day}\n\n{versions}\n\n{table(COLUMNS, [row(one) for one in ones])}"
    old = [one for one in measured if one["way"] == "earlier"]
    return text + (OLD + "\n" + table(OLD_COLUMNS, [old_row(one) for one in old]) if old else "")


def row(one: dict) -> list[str]:
    numbers = [f"{one['tokens_per_second']:,.0f}", f"{one['warm_up_seconds']:.0f}"]
    memory = [f"{one['peak_memory_gib']:.2f}", f"{one['reserved_gib']:.2f}"]
    return [one["recipe"], BACKENDS[one["backend"]], f"{one['row_tokens']:,}", WAYS[one["way"]], *numbers, *memory]


def old_row(one: dict) -> list[str]:
    numbers = [f"{one['whole_run_tokens_per_second']:,.0f}", f"{one['steady_seconds_a_step']:.2f}"]
    peak = f"{one['peak_memory_gib']:.2f}"
    return [one["recipe"], BACKENDS[one["backend"]], f"{one['row_tokens']:,}", *numbers, peak]


def stage_of(one: dict) -> str:
    return STAGES["-vl-" in one["recipe"]]


def keep(new: list[dict]) -> None:
    """新量的加到各阶段的 gpu.jsonl；同一张卡同一天同一种的换掉。坏了的（有 error）不要。"""
    same = ("measured", "card", "recipe", "backend", "row_tokens", "way")
    for stage in STAGES:
        chosen = [{name: one[name] for name in KEPT} for one in new if stage_of(one) == stage and "error" not in one]
        replaced = [[one[name] for name in same] for one in chosen]
        lines = [one for one in records(stage) if [one[name] for name in same] not in replaced] + chosen
        text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in lines)
        artifacts.write_text(ROOT / stage / "results/gpu.jsonl", text)


def main() -> int:
    for path in sys.argv[1:]:
        keep([json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()])
    for stage in STAGES:
        artifacts.write_text(ROOT / stage / "results/gpu.md", page(records(stage)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
