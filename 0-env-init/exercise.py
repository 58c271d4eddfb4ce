"""阶段 0 的练习：租卡之前算一算，放不放得下。

    python 0-env-init/exercise.py

微调时显存里至少有两样（先不算激活）：
    - 冻住的基座：每个参数 bits ÷ 8 字节；但 4 位量化时，词表那部分（embedding_parameters 个）仍是 16 位；
    - 要训练的参数 trainable 个：每个 16 字节（权重与梯度各 4，Adam 的两个状态 8）。

请改 `needed_gib`，返回一共多少 GiB（1 GiB = 2**30 字节）。
现在的写法把 GB 当成了 GiB，4 位时把词表也算成 4 位，还漏了优化器。
写好之后想一想：14B 的 QLoRA 算出来 10.1 GiB，还没有算激活，为什么配方估计的峰值也只有 10.2 GiB？
（激活随 pass_tokens 与 max_length 涨。）
"""

import random
import sys

from health_assistant.exercise import grade

# ---- 你的答案 ----


def needed_gib(parameters: int, embedding_parameters: int, bits: int, trainable: int) -> float:
    """parameters 是基座全部的参数，词表的 embedding_parameters 个也在里面；bits 是 4 或 16。"""
    return parameters * bits / 8 / 10**9


# ---- 检查 ----


def check(parameters: int, embedding_parameters: int, bits: int, trainable: int, expected: float) -> None:
    """应要 expected GiB，不是就抛 AssertionError。"""
    gib = needed_gib(parameters, embedding_parameters, bits, trainable)
    sizes = [f"{count / 1e9:.2f} B" for count in (parameters, embedding_parameters, trainable)]
    case = f"参数 {sizes[0]}（词表 {sizes[1]}），{bits} 位，训练 {sizes[2]}"
    assert abs(gib - expected) < 0.01 + expected / 1000, f"{case}：应是 {expected:.2f} GiB，得到 {gib:.2f}"


def _check_sixteen_bits() -> None:
    check(2**30, 0, 16, 0, 2.0)
    check(2**30, 2**28, 16, 2**24, 2.25)


def _check_the_vocabulary_stays_at_sixteen_bits() -> None:
    check(2**31, 2**30, 4, 0, 2.5)
    check(14_770_033_664, 1_557_135_360, 4, 68_812_800, 10.08)  # Qwen2.5-14B，秩 16，全部线性层


def _check_any_model() -> None:
    shuffler = random.Random()
    for _ in range(50):
        gib = [shuffler.randint(1, 9) for _ in range(3)]
        # 每一份恰好占整数 GiB：4 位的权重、16 位的词表、优化器
        check(gib[0] * 2**31 + gib[1] * 2**29, gib[1] * 2**29, 4, gib[2] * 2**26, sum(gib))


if __name__ == "__main__":
    sys.exit(grade(__doc__, _check_sixteen_bits, _check_the_vocabulary_stays_at_sixteen_bits, _check_any_model))
