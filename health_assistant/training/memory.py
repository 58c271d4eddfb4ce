"""要多少显存（没有 GPU 时是内存）：只看 config.json 与配方，不读权重。每一步开始之前都先算，放不下就不开始。

训练的估计与量到的对过（H100、H200，`results/gpu.jsonl`）：每一种基座与后端都在 15% 以内，见 test_memory.py。
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from health_assistant.command_line import CannotGoOn
from health_assistant.training import precision
from health_assistant.training.recipe import GrpoRecipe, Recipe, lora_targets

GIB = 2**30
NF4_BYTES = 0.516  # 每个参数：4 位，另有两级量化的缩放系数 8 ÷ 64 + 32 ÷ (64 × 256) 位
LOSS_CHUNK = 256  # trl 的 chunked_nll 一次算这么多个词元的 logits；Unsloth 的也是一小块
RUN_TOKENS = 2048  # 推理时提问与回答合起来按这么多算
WORKSPACE = {True: 0.15, False: 0.6}  # GiB。GPU：cuBLAS 等的工作区；CPU：Python 与各个库
FRAGMENTS = 0.05  # 分配器多占的一份：H100 上 reserved 比峰值多 4% 到 8%，卡满时它会先还再要


class DoesNotFit(CannotGoOn):
    """显存与内存都放不下；消息说要多少、空着多少、怎么办。"""


@dataclass
class Estimate:
    """一步要多少内存，单位 GiB；needed 对应量到的峰值。parameters、trainable 是个数。"""

    parameters: int
    trainable: int
    weights: float
    lora: float
    activations: float
    free: float
    where: str

    @property
    def needed(self) -> float:
        """一步一共要多少内存，GiB。"""
        return self.weights + self.lora + self.activations

    @property
    def shortage(self) -> str:
        """放不下时的一句话；放得下是空的。"""
        with_fragments = self.needed * (1 + FRAGMENTS)
        if with_fragments <= self.free:
            return ""
        return f"放不下：要 {with_fragments:.1f} GiB（含碎片），{self.where}只空着 {self.free:.1f} GiB"

    def __str__(self) -> str:
        parts = {"基座": self.weights, "LoRA 与优化器": self.lora, "激活": self.activations}
        shown = "，".join(f"{name} {size:.1f}" for name, size in parts.items() if size)
        return f"估计要 {self.needed:.1f} GiB（{shown}），{self.where}空着 {self.free:.1f} GiB"


def model_class(vision: bool):
    """载入模型的类：语言模型的，或带图的（vision）。"""
    from transformers import AutoModelForCausalLM, AutoModelForImageTextToText

    return AutoModelForImageTextToText if vision else AutoModelForCausalLM


def embedding_in_memory(model, recipe: Recipe) -> bool:
    """QLoRA 把输入一侧的词表（14B 的有 1.45 GiB）留在内存里：不训练它，一次前向也只查几千行。

    两头共用一份词表的省不下；几个进程的不行，DDP 不认跨着设备的模型。Unsloth 的也照这样。
    """
    import torch

    shared = model.get_input_embeddings().weight is model.get_output_embeddings().weight
    alone = int(os.environ.get("WORLD_SIZE", 1)) == 1
    return recipe.load_in_4bit and torch.cuda.is_available() and alone and not shared


def _skeleton(folder: Path, vision: bool):
    """没有权重的模型与它的 config：只用来数参数。"""
    import torch
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    config._attn_implementation = "eager"  # 只数参数，不挑注意力的实现
    with torch.device("meta"):
        return model_class(vision).from_config(config), config


def _linear(model) -> dict:
    import torch

    return {name: part for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)}


def _weights(model, width: int, in_4bit: bool) -> float:
    """权重的字节数：4 位量化只压各层的矩阵，词表仍是 width 字节一个。"""
    parameters = sum(part.numel() for part in model.parameters())
    body = sum(part.weight.numel() for name, part in _linear(model).items() if not name.endswith("lm_head"))
    return (parameters - body) * width + body * (NF4_BYTES if in_4bit else width)


def _estimate(model, weights: float, activations: float, on_gpu: bool, trainable: int = 0) -> Estimate:
    """各项字节数与这台机器空着的合成一份；要训练的每个 16 字节：32 位的权重、梯度和 Adam 的两个矩。"""
    import psutil
    import torch

    free = torch.cuda.mem_get_info()[0] if on_gpu else psutil.virtual_memory().available
    return Estimate(
        parameters=sum(part.numel() for part in model.parameters()),
        trainable=trainable,
        weights=weights / GIB,
        lora=trainable * 16 / GIB,
        activations=activations / GIB + WORKSPACE[on_gpu],
        free=free / GIB,
        where="显存" if on_gpu else "内存",
    )


@dataclass
class Pass:
    """一次前向与反向：多少个词元，填充也算；其中最多几个是图，几个的 logits 一起算；各层重不重算，输入留不留在卡上。"""

    tokens: int
    images: int
    scored: int
    recomputed: bool
    kept: bool


def _one_pass(recipe: Recipe, grpo: GrpoRecipe | None, longest: int, on_gpu: bool, width: int) -> Pass:
    if grpo:  # 几个回答一起前向，回答的 logits 也一起算：TRL 没有 liger 时不分块
        answers = grpo.per_device_train_batch_size
        prompts, written = answers * longest, answers * grpo.max_completion_length
        return Pass(prompts + written, prompts, written, grpo.gradient_checkpointing, kept=True)
    tokens = max(longest, min(recipe.pass_tokens, recipe.update_rows * longest))
    scored = min(tokens, LOSS_CHUNK if width == 2 else tokens)
    kept = not (on_gpu and recipe.activation_offloading)
    return Pass(tokens, tokens, scored, recipe.gradient_checkpointing, kept)


def for_training(folder: Path, recipe: Recipe, longest_row: int = 0, grpo: GrpoRecipe | None = None) -> Estimate:
    """按 recipe 训练 folder 里的基座，用不用 Unsloth 都一样：各层的输入、QLoRA 的词表放在哪里，两边的做法相同。

    longest_row 是数据里最长的一行有多少词元，知道了才算得准：短的对话装不满一次前向。0 是还不知道，按配方的上限。
    接着做 GRPO 时给 grpo，longest_row 是最长的提问；抽样时的 KV 比反向的峰值小，不另算。
    峰值在反向：各层留下的输入，加上正在重算的一层，或一块 logits，两者取大的。
    """
    import torch

    model, config = _skeleton(folder, recipe.vision)
    on_gpu = torch.cuda.is_available()
    width = 2 if on_gpu else precision.training_dtype(recipe.bf16).itemsize
    one_pass = _one_pass(recipe, grpo, longest_row or recipe.max_length, on_gpu, width)
    kept, layer = _activations(config, one_pass, recipe.vision, width)
    logits = one_pass.scored * config.get_text_config().vocab_size * 4 * 3  # 32 位：logits、概率、梯度
    packed = [part.weight.numel() for name, part in _linear(model).items() if not name.endswith("lm_head")]
    unpacked = max(packed) * width if recipe.load_in_4bit else 0
    weights = _weights(model, width, recipe.load_in_4bit)
    if embedding_in_memory(model, recipe):
        weights -= model.get_input_embeddings().weight.numel() * width
    return _estimate(model, weights, kept + max(layer + unpacked, logits), on_gpu, _trainable(model, recipe))


def _trainable(model, recipe: Recipe) -> int:
    """要训练的参数个数：LoRA 的，加上整个训练的部分。"""
    targets, linear = lora_targets(recipe), _linear(model)
    chosen = [
        part
        for name, part in linear.items()
        if (re.fullmatch(targets, name) if isinstance(targets, str) else name.rpartition(".")[2] in targets)
    ]
    fully = getattr(recipe, "lora_modules_to_save", [])
    full = [part for name, part in model.named_modules() if name.rpartition(".")[2] in fully]
    lora = sum(recipe.lora_r * (part.in_features + part.out_features) for part in chosen)
    return lora + sum(weights.numel() for part in full for weights in part.parameters())


def _activations(whole, one_pass: Pass, vision: bool, width: int) -> tuple[int, int]:
    """反向之前一直留着的，与重算最大的一层时另要的，字节；width 是一个数几字节。"""
    config, tokens = whole.get_text_config(), one_pass.tokens
    hidden, layers = config.hidden_size, config.num_hidden_layers
    layer = tokens * (16 * hidden + 4 * config.intermediate_size) * width
    if not one_pass.recomputed:
        kept = layers * tokens * (16 * hidden + 8 * config.intermediate_size) * width  # 0.5B 在 CPU 上量过，差 1%
    else:
        kept = layers * tokens * hidden * width * one_pass.kept
    if vision:
        tower = whole.vision_config
        wide = getattr(tower, "embed_dim", None) or tower.hidden_size
        patches = one_pass.images * 4  # 最多这么多词元是图，一个词元是 4 小块
        block = patches * 24 * wide * width
        every = patches * wide * width if one_pass.recomputed else block
        kept += tower.depth * every  # 视觉层不训练也留：重算要它们的输入
        layer = max(layer, block)
    return kept, layer


def for_running(
    folder: Path, vision: bool = False, *, on_gpu: bool | None = None, in_4bit: bool = False, width: int = 0
) -> Estimate:
    """载入 folder 里的模型推理或合并，提问与回答合起来 RUN_TOKENS 个词元。

    on_gpu 是放在显存还是内存，不给就看有没有 GPU；in_4bit 是载入时量化（已量化的检查点不用写）；width 是一个数几字节，
    不给就按存着的精度。
    """
    import torch

    model, whole = _skeleton(folder, vision)
    config = whole.get_text_config()
    on_gpu = torch.cuda.is_available() if on_gpu is None else on_gpu
    width = width or (4 if "32" in str(whole.dtype or config.dtype) else 2)
    in_4bit = in_4bit or hasattr(whole, "quantization_config")
    heads = config.num_key_value_heads * (config.hidden_size // config.num_attention_heads)
    cache = 2 * config.num_hidden_layers * RUN_TOKENS * heads * width
    layer = RUN_TOKENS * (8 * config.hidden_size + 3 * config.intermediate_size) * width
    return _estimate(model, _weights(model, width, in_4bit), cache + layer, on_gpu)
