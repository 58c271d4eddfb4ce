"""画 by_case.png：一题一题地重抽与一个病例一个病例地重抽，区间盖住真值的次数。

    python 4-eval-after-tuning/figures/draw.py

模拟：74 例 208 题，每例几问与 CMB-Clin 相同；微调其实没有用（真的平均差是 0），但同一病例的几问一起好、一起坏。
"""

from pathlib import Path

import numpy as np

from health_assistant.command_line import new_parser
from health_assistant.plotting import new_figure

SIZES = np.repeat([1, 2, 3, 4], [2, 14, 54, 4])  # 每例的问题数
TRIALS, RESAMPLES, SHOWN = 400, 1000, 40


def main() -> None:
    new_parser(__doc__).parse_args()

    rng = np.random.default_rng(0)
    experiments = [
        np.repeat(rng.normal(0, 4, len(SIZES)), SIZES) + rng.normal(0, 3, SIZES.sum()) for _ in range(TRIALS)
    ]
    figure, axes = new_figure(8, 3.6, columns=2)
    for axis, name, resample in zip(axes, ("按题重抽", "按病例重抽"), (by_question, by_case), strict=True):
        intervals = np.array([np.percentile(resample(one, rng), [2.5, 97.5]) for one in experiments])
        holds = (intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)
        for at, ((low, high), good) in enumerate(zip(intervals[:SHOWN], holds, strict=False)):
            axis.plot([low, high], [at, at], color="tab:blue" if good else "tab:red", linewidth=2)
        axis.axvline(0, color="#52606d", linewidth=1)
        axis.set(title=f"{name}：{TRIALS} 次里有 {holds.mean():.0%} 盖住真值", xlabel="平均差的 95% 区间", yticks=[])
        axis.set_xlim(-3, 3)
        print(f"{name}：{holds.mean():.1%} 盖住真值，平均宽 {np.diff(intervals).mean():.2f}")
    axes[0].set_ylabel(f"前 {SHOWN} 次模拟（红：漏掉真值 0）")
    figure.savefig(Path(__file__).with_name("by_case.png"), dpi=90)


def by_question(differences: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return differences[rng.integers(len(differences), size=(RESAMPLES, len(differences)))].mean(axis=1)


def by_case(differences: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    sums = np.add.reduceat(differences, np.cumsum(SIZES) - SIZES)
    drawn = rng.integers(len(SIZES), size=(RESAMPLES, len(SIZES)))
    return sums[drawn].sum(axis=1) / SIZES[drawn].sum(axis=1)


if __name__ == "__main__":
    main()
