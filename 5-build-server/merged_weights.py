"""合并好的权重对照基座与 adapter：改了该改的，没改别的，改的正好是 LoRA。

一次只取一个张量，14B 也只要几百 MB 内存；不信训练与合并用的库，从三份 safetensors 重新算。
"""

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from health_assistant.command_line import BadInput

# 实际的改动与应有的差多少算一致（差的范数比应有的范数）。32 位只有舍入误差；16 位时改动小，舍入差一格就差不少。
# 不相干的 adapter 差 1 以上，没有合并的正好差 1，系数差一倍的差 0.5 或 1
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.2, "float16": 0.2}


@dataclass
class Comparison:
    tensors: int = 0
    lora: int = 0
    """LoRA 的张量有几个。"""
    replaced: int = 0
    """adapter 里整个换掉的（modules_to_save）有几个。"""
    unchanged: list[str] = field(default_factory=list)
    """LoRA 该改、合并后却与基座一样的。"""
    touched: list[str] = field(default_factory=list)
    """不该改、合并后却变了的，包括形状变了、多了、少了的。"""
    wrong: list[str] = field(default_factory=list)
    """改动与应有的不一致的。"""
    worst: tuple[float, str] = (0.0, "")
    """实际改动与应有改动相差最多的：相对的差，张量名。"""


def compare(base: Path, adapter: Path, merged: Path) -> Comparison:
    """三个目录 -> 比较的结果。文件缺了、LoRA 的种类不认得时抛 BadInput。"""
    from tqdm import tqdm

    scale = lora_scale(adapter)
    with ExitStack() as opened:
        ours, theirs, changes = (open_tensors(folder, opened) for folder in (merged, base, adapter))
        lora = {name.removesuffix(".lora_A.weight") for name in changes if name.endswith(".lora_A.weight")}
        found = Comparison(tensors=len(theirs), lora=len(lora))
        found.touched += sorted((theirs.keys() ^ ours.keys()) - tied_names(base))
        found.unchanged += sorted(lora - {name.removesuffix(".weight") for name in theirs})
        for name in tqdm(sorted(theirs.keys() & ours.keys()), desc="逐个张量比较", disable=None):
            check(name, theirs[name](), ours[name](), changes, scale, found)
    return found


def check(name: str, before, after, changes: dict[str, Callable], scale: float, found: Comparison) -> None:
    import torch

    layer = name.removesuffix(".weight")
    if after.shape != before.shape or after.dtype != before.dtype:
        found.touched.append(name)
    elif f"{layer}.lora_A.weight" in changes:
        delta = scale * (changes[f"{layer}.lora_B.weight"]().float() @ changes[f"{layer}.lora_A.weight"]().float())
        if delta.shape != before.shape:
            raise BadInput(
                f"adapter 里 {layer} 的形状是 {tuple(delta.shape)}，基座是 {tuple(before.shape)}：不是同一个基座"
            )
        if torch.equal(after, before):
            found.unchanged.append(name)
        record(name, before, after, before + delta.to(before.dtype), found)
    elif name in changes:
        found.replaced += 1
        record(name, before, after, changes[name]().to(before.dtype), found)
    elif not torch.equal(after, before):
        found.touched.append(name)


def record(name: str, before, after, expected, found: Comparison) -> None:
    """应有的改动是 expected - before；实际的差它多少。"""
    tolerance = TOLERANCE.get(str(before.dtype).removeprefix("torch."), 0.0)
    before, after, expected = before.float(), after.float(), expected.float()
    wanted, apart = (expected - before).norm().item(), (after - expected).norm().item()
    relative = apart / wanted if wanted else float(apart > 0)
    found.worst = max(found.worst, (relative, name))
    if relative > tolerance:
        found.wrong.append(name)


def lora_scale(adapter: Path) -> float:
    """alpha / r。"""
    try:
        config = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"读不了 {adapter}/adapter_config.json：{error}") from None
    special = ("use_dora", "use_rslora", "fan_in_fan_out", "rank_pattern", "alpha_pattern")
    if found := [name for name in special if config.get(name)]:
        raise BadInput(f"{adapter} 用了 {'、'.join(found)}，这里只会核对普通的 LoRA")
    return config["lora_alpha"] / config["r"]


def tied_names(base: Path) -> set[str]:
    """输入与输出的词表是同一份时，lm_head 写不写都行。"""
    tied = json.loads((base / "config.json").read_text(encoding="utf-8")).get("tie_word_embeddings")
    return {"lm_head.weight"} if tied else set()


def open_tensors(folder: Path, opened: ExitStack) -> dict[str, Callable]:
    """一个目录里的全部 safetensors：统一的名字 -> 取这个张量的函数，用到才读。"""
    from safetensors import safe_open

    tensors: dict[str, Callable] = {}
    for file in sorted(folder.glob("*.safetensors")):
        stored = opened.enter_context(safe_open(file, framework="pt"))
        tensors |= {plain_name(name): partial(stored.get_tensor, name) for name in stored.keys()}  # noqa: SIM118
    if not tensors:
        raise BadInput(f"{folder} 里没有 safetensors 权重")
    return tensors


def plain_name(name: str) -> str:
    """同一个张量在检查点、模型与 PEFT 里前缀不同：model.layers.0…、model.language_model.layers.0…。"""
    return re.sub(r"^(base_model\.model\.)?(model\.)*(language_model\.)?(model\.)*", "", name)
