"""画 padding.png：随意放的一批与长度相近的一批，各有多少是填充。

    python 3-fine-tuning-llm/figures/draw.py

400 条对话的长度是随机的（对数正态，像医学问答那样长短悬殊），分批用训练时的 LengthGroupedSampler。
"""

import random
from pathlib import Path

from health_assistant.command_line import new_parser
from health_assistant.plotting import new_figure
from health_assistant.training.run import LengthGroupedSampler

BATCH, SHOWN = 8, 5


def main() -> None:
    new_parser(__doc__).parse_args()

    shuffler = random.Random(0)
    lengths = [min(2048, round(shuffler.lognormvariate(5.8, 0.7))) for _ in range(400)]
    figure, axes = new_figure(8, 3, columns=2)
    for axis, grouped, name in zip(
        axes, (False, True), ("随意放（padded）", "长度相近的放一批（grouped）"), strict=True
    ):
        order = list(LengthGroupedSampler(lengths, BATCH, 0, grouped))
        batches = [[lengths[at] for at in order[start : start + BATCH]] for start in range(0, len(order), BATCH)]
        computed = sum(BATCH * max(batch) for batch in batches)
        for number, batch in enumerate(batches[:SHOWN]):
            places = [number * (BATCH + 2) + row for row in range(BATCH)]
            axis.barh(places, [max(batch)] * BATCH, height=1, color="#e2c4b3", label="" if number else "填充")
            axis.barh(places, batch, height=1, color="tab:blue", label="" if number else "对话")
        axis.set(title=f"{name}：要算 {computed / sum(lengths):.2f} 倍", xlabel="标记", yticks=[])
        axis.set_ylabel(f"前 {SHOWN} 批，一行一条")
        axis.invert_yaxis()
        print(f"{name}：算的标记是真标记的 {computed / sum(lengths):.2f} 倍")
    axes[0].legend()
    figure.savefig(Path(__file__).with_name("padding.png"), dpi=90)


if __name__ == "__main__":
    main()
