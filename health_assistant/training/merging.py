"""把 LoRA 并进未量化的基座，并验证并对了。合并悄悄漏掉 LoRA 是出过的事故。"""

import argparse
from collections.abc import Callable
from pathlib import Path

from health_assistant import artifacts
from health_assistant.command_line import CannotGoOn, new_parser
from health_assistant.training.memory import DoesNotFit, for_running, model_class
from health_assistant.training.saving import atomic_folder

# 合并前后同一个输入的 logits 差多少算一致：32 位只有舍入误差；bf16 的尾数只有 8 位，乘加的次序一变就差千分之几
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05, "float16": 0.02}


class BadMerge(CannotGoOn):
    """合并后的模型与 adapter 不一致，或与基座没有差别。"""


def parse_arguments(description: str) -> argparse.Namespace:
    """合并脚本的选项；写错时抛 BadInput。"""
    parser = new_parser(description)
    parser.add_argument("--recipe", default="tiny", help="配方名（默认 tiny）")
    parser.add_argument("--force", action="store_true", help="合并过了也重新合并")
    return parser.parse_args()


def is_merged(folder: Path, record: dict, force: bool) -> bool:
    """folder 里的 adapter 并过没有，并过就说一声；record 是它的 training.json，force 时当作没有。"""
    merged = artifacts.is_finished(folder / "merged", _fingerprint(folder, record)) and not force
    if merged:
        print(f"配方 {folder.name} 合并过了，结果在 {folder / 'merged'}；要重新合并加 --force。")
    return merged


def _fingerprint(folder: Path, record: dict) -> str:
    return artifacts.fingerprint(record["base_model"], [folder / "adapter/adapter_model.safetensors"])


def merge(
    folder: Path, record: dict, base: Path, tokenizer, probe: dict, also: Callable[[Path], None] | None = None
) -> None:
    """folder/adapter 并进 base，核对了才存成 folder/merged，连同 also 写的。没有并好抛 BadMerge，放不下抛 DoesNotFit。

    probe 是拿来比合并前后的 logits 的输入；有 pixel_values 的是视觉模型。
    """
    print(f"载入 {record['base_model']}，并入 {folder / 'adapter'} …")
    model = merge_adapter(base, folder / "adapter", probe, vision="pixel_values" in probe)
    merged = folder / "merged"
    with atomic_folder(merged) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        if also:
            also(partial)
        artifacts.mark_finished(partial, _fingerprint(folder, record), list(partial.iterdir()))
    print(f"写了：{merged}（{str(model.dtype).removeprefix('torch.')}）")


def where_to_merge(base: Path, vision: bool) -> dict | str:
    """device_map：显存放得下就在 GPU 上，放不下就在内存里（慢几分钟，结果一样）；都放不下抛 DoesNotFit。先说要多少。"""
    import torch

    for on_gpu in (True, False) if torch.cuda.is_available() else (False,):
        needed = for_running(base, vision, on_gpu=on_gpu)
        print(f"合并{needed}")
        if not needed.shortage:
            return {"": 0} if on_gpu else "cpu"
        if on_gpu:
            print(f"{needed.shortage}：改在内存里合并")
    raise DoesNotFit(f"{needed.shortage}。合并要载入整个 16 位的基座：换内存大的机器，或不合并，服务时直接加 adapter")


def merge_adapter(base: Path, adapter: Path, probe: dict, vision: bool = False):
    """返回合并好的模型；probe 是拿来比 logits 的输入。不对就抛 BadMerge，放不下抛 DoesNotFit。"""
    import torch
    from peft import PeftModel

    # QLoRA 也并进 16 位的基座：并进 4 位会再损失一次精度
    place = where_to_merge(base, vision)
    model = model_class(vision).from_pretrained(base, dtype="auto", device_map=place).eval()
    probe = {name: value.to(model.device) for name, value in probe.items()}
    with torch.no_grad():
        of_base = model(**probe).logits.float()
        model = PeftModel.from_pretrained(model, adapter).eval()
        of_adapter = model(**probe).logits.float()
        model = model.merge_and_unload(progressbar=True)
        of_merged = model(**probe).logits.float()
    agrees, compared = compare_logits(of_merged, of_base, of_adapter, model.dtype)
    print(compared)
    if not agrees:
        raise BadMerge("合并后的模型与 adapter 不一致，或与基座没有差别；没有写下来")
    return model


def compare_logits(of_merged, of_base, of_adapter, dtype) -> tuple[bool, str]:
    """同一个输入的三份 logits（形状相同，32 位）：合并好的要与 adapter 一样、与基座不一样；另给出差多少的一句话。

    dtype 是合并好的权重的精度，容许的差由它定。
    """
    scale = of_adapter.abs().max()
    changed, apart = (float((of_merged - other).abs().max() / scale) for other in (of_base, of_adapter))
    allowed = TOLERANCE[str(dtype).removeprefix("torch.")]
    compared = f"logits 最大差（相对）：与基座 {changed:.2e}，与 adapter {apart:.2e}（容许 {allowed:g}）"
    return apart <= allowed and changed > apart, compared
