"""画 padding.png：同一次更新的 16 条对话，两条一次前向与按词元装满，各要几次前向、算多少填充。

    python 3-fine-tuning-llm/figures/draw.py

对话的长度是随机的（对数正态，像医学问答那样长短悬殊），装满用训练时的 passes.cut。
"""

import random
from pathlib import Path

from health_assistant.command_line import new_parser
from health_assistant.plotting import new_figure
from health_assistant.training import passes

ROWS, MOST_TOKENS = 16, 4096


def main() -> None:
    new_parser(__doc__).parse_args()

    dice = random.Random(0)
    lengths = [min(2048, round(dice.lognormvariate(5.8, 0.7))) for _ in range(ROWS)]
    ways = {
        "两条一次": [[at, at + 1] for at in range(0, ROWS, 2)],
        f"装满 {MOST_TOKENS} 个词元": passes.cut(lengths, MOST_TOKENS),
    }
    figure, axes = new_figure(8, 3, columns=2)
    for axis, (name, groups) in zip(axes, ways.items(), strict=True):
        computed, place, shown = 0, 0, set()
        for group in groups:
            longest = max(lengths[at] for at in group)
            computed += len(group) * longest
            for at in group:
                for width, color, label in ((longest, "#e2c4b3", "填充"), (lengths[at], "tab:blue", "对话")):
                    axis.barh(place, width, height=1, color=color, label="" if label in shown else label)
                    shown.add(label)
                place += 1
            place += 1
        axis.set(title=f"{name}：{len(groups)} 次前向，算 {computed} 个词元", xlabel="词元", yticks=[])
        axis.set_ylabel("一行一条，隔开的是各次前向")
        axis.invert_yaxis()
        print(f"{name}：{len(groups)} 次前向，算的词元是真词元的 {computed / sum(lengths):.2f} 倍")
    axes[0].legend()
    figure.savefig(Path(__file__).with_name("padding.png"), dpi=90)


if __name__ == "__main__":
    main()
