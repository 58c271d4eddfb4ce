"""一个数用几位：训练、评测、对话、服务都照这里。

合并照存着的精度（dtype="auto"）：写下来的要与基座一样，只算一遍，模拟的也不碍事。
vLLM 的 auto 自己会在没有 bf16 的卡上改用 fp16。
"""

from collections.abc import Mapping


def training_dtype(bf16: bool = False):
    """训练的精度。GPU 上 bf16，老卡（T4 等）fp16；CPU 上 32 位，配方要 bf16 而 CPU 有这种指令的 bf16。"""
    import torch

    if torch.cuda.is_available():
        # 默认连模拟的也算：T4 上也说有，却慢好几倍
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    return torch.bfloat16 if bf16 and cpu_computes_bf16() else torch.float32


def running_dtype(config):
    """推理的精度，config 是模型的。

    存的是 bf16 的同训练：老卡 fp16，没有这种指令的 CPU 32 位。存的是别的，GPU 上照存着的，CPU 上 32 位。
    """
    import torch

    stored = config.dtype or config.get_text_config().dtype or torch.bfloat16  # 没有写的，权重多半是 16 位
    if stored == torch.bfloat16:
        return training_dtype(bf16=True)
    return stored if torch.cuda.is_available() else torch.float32


def cpu_computes_bf16() -> bool:
    """CPU 有没有 bf16 的乘加指令。有的比 32 位快一倍（3-fine-tuning-llm/laptop.md）；没有的要先换算，反而慢。

    ARM（苹果的也是）一律当作没有：快不快没有量过。torch 2.10（驱动旧的机器）问不出，也当作没有。
    """
    import torch

    can: Mapping = getattr(torch.cpu, "get_capabilities", dict)()
    return can.get("avx512_bf16", False) or can.get("amx_bf16", False)
