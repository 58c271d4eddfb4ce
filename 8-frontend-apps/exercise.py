"""阶段 8 的练习：看不看得清。

    python 8-frontend-apps/exercise.py

“偏高”写成浅红色好看，老人在太阳底下却看不见。WCAG 用对比度说这件事：正文至少 4.5，大字至少 3。

    每个颜色的 r、g、b 除以 255 得 c；c ≤ 0.04045 时变成 c ÷ 12.92，否则 ((c + 0.055) ÷ 1.055) 的 2.4 次方
    亮度 L = 0.2126 × r + 0.7152 × g + 0.0722 × b（用变过的）
    对比度 = （亮的 L + 0.05）÷（暗的 L + 0.05），在 1 与 21 之间，与哪个是字、哪个是底无关

请改 `contrast`，颜色写成 "#rrggbb"。现在的写法把三个颜色平均了：眼睛对绿最敏感、对蓝最迟钝，平均不得。
写好之后，拿 HealthAssistantWebApp/css/styles.css 里的字色与底色算一算，浅色、深色两套都要够。
"""

import random
import sys

from health_assistant.exercise import grade

# ---- 你的答案 ----


def contrast(color: str, other: str) -> float:
    """两种颜色（#rrggbb）的对比度，1 到 21。"""
    lights = [sum(bytes.fromhex(color[1:])) / 3 / 255 for color in (color, other)]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


# ---- 检查 ----

KNOWN = [
    ("#000000", "#ffffff", 21.0), ("#ffffff", "#ffffff", 1.0), ("#767676", "#ffffff", 4.54),
    ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0), ("#00ff00", "#ffffff", 1.37),
    ("#0000ff", "#ffffff", 8.59), ("#0a0a0a", "#000000", 1.06),
]  # fmt: skip


def check(color: str, other: str, expected: float) -> None:
    """差到 0.01 就抛 AssertionError。"""
    ratio = contrast(color, other)
    assert abs(ratio - expected) < 0.01, f"{color} 与 {other} 的对比度应是 {expected:.2f}，得到 {ratio:.2f}"


def _check_known_pairs() -> None:
    for row in KNOWN:
        check(*row)


def _check_order_does_not_matter() -> None:
    shuffler = random.Random()
    for _ in range(50):
        color, other = (f"#{shuffler.randrange(2**24):06x}" for _ in range(2))
        check(color, other, contrast(other, color))
        assert 1 <= contrast(color, other) <= 21.001, f"{color} 与 {other}：对比度应在 1 与 21 之间"


def _check_green_is_brighter_than_blue() -> None:
    for light in (64, 128, 200):
        colors = f"#00{light:02x}00", f"#{light:02x}0000", f"#0000{light:02x}"
        green, red, blue = (contrast(color, "#000000") for color in colors)
        assert green > red > blue, "绿应比红亮，红应比蓝亮"


if __name__ == "__main__":
    sys.exit(grade(__doc__, _check_known_pairs, _check_order_does_not_matter, _check_green_is_brighter_than_blue))
