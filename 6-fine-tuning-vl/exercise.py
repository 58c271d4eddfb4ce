"""阶段 6 的练习：一张照片是多少个图像词元。

    python 6-fine-tuning-vl/exercise.py

Qwen2-VL 每 28×28 像素成一个词元。一张宽 w、高 h 像素的图，像素预算 max_pixels，先定缩放后的两边：
    1. 两边各自四舍五入到 28 的倍数（Python 的 round）；
    2. 乘积超过 max_pixels 时不用上面的结果：令 s = √(w × h ÷ max_pixels)，两边各除以 s，**向下**取到 28 的倍数，
       至少 28。
词元数 = 缩放后的宽 × 高 ÷ 784。（很小的图还会放大，这里不考虑。）

请改 `image_tokens`。现在的写法直接用面积除，没有取整，也不管预算。
写好之后想一想：一张 3024×4032 的照片，预算 2560×784，缩成了原来的几倍？纸上 30 像素高的字还剩几像素？
"""

import math
import random
import sys

from health_assistant.exercise import grade
from health_assistant.training import vision

# ---- 你的答案 ----


def image_tokens(width: int, height: int, max_pixels: int) -> int:
    """宽、高与预算（像素）-> 一张图占几个词元。"""
    return width * height // 784


# ---- 检查 ----


def check(width: int, height: int, max_pixels: int) -> None:
    """与课程算的一样多，不是就抛 AssertionError。"""
    answered, expected = image_tokens(width, height, max_pixels), vision.image_tokens((width, height), max_pixels)
    budget = f"{width}×{height}，预算 {max_pixels}（{max_pixels // 784} 个词元）"
    assert answered == expected, f"{budget}：应是 {expected} 个词元，得到 {answered}"


def _check_sides_are_rounded() -> None:
    check(280, 280, 10**9)
    check(290, 300, 10**9)
    check(1600, 1131, 10**9)


def _check_the_budget_is_kept() -> None:
    budget = 2560 * 784
    check(3024, 4032, budget)
    check(4032, 3024, budget)
    assert image_tokens(3024, 4032, budget) * 784 <= budget, "缩过之后仍然超出预算"
    check(6000, 90, 500 * 784)


def _check_any_photo() -> None:
    shuffler = random.Random()
    for _ in range(300):
        width, height = shuffler.randint(200, 5000), shuffler.randint(200, 5000)
        check(width, height, shuffler.randint(200, 4000) * 784)
    assert math.isclose(image_tokens(2448, 3264, 2560 * 784), 2494), "2448×3264、预算 2560×784 应是 2494 个词元"


if __name__ == "__main__":
    sys.exit(grade(__doc__, _check_sides_are_rounded, _check_the_budget_is_kept, _check_any_photo))
