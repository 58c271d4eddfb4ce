"""画各阶段 README 里讲道理的图，写到各阶段的 figures/；图后面的数也打印出来。

python tools/draw_figures.py [recall_and_length|padding|by_case|pixels]
"""

import random
from pathlib import Path

import numpy as np

from health_assistant.command_line import new_parser
from health_assistant.plotting import new_figure

ROOT = Path(__file__).resolve().parent.parent


def recall_and_length(path: Path) -> None:
    """同一个回答，后面接的废话越多，召回越高，F 值越低。

    用内置的示例病例：每题的回答是参考答案的前一半，后面接上别的病例的参考答案（对这一题全是废话）。
    """
    import jieba
    from rouge_chinese.rouge_score import rouge_l_summary_level

    from health_assistant.evaluation.cases import SAMPLE_FILE, read_cases

    most = 5  # 最多接几段废话
    cases, _ = read_cases(SAMPLE_FILE)
    references = [[jieba.lcut(answer) for _, answer in case.pairs] for case in cases]
    recalls, scores = [], []
    for padding in range(most + 1):
        summaries = []
        for at, of_case in enumerate(references):
            others = (references[(at + step) % len(references)][0] for step in range(1, padding + 1))
            noise = [word for other in others for word in other]
            for reference in of_case:
                answer = reference[: len(reference) // 2] + noise
                summaries.append(rouge_l_summary_level([" ".join(answer)], [" ".join(reference)]))
        recalls.append(100 * sum(summary["r"] for summary in summaries) / len(summaries))
        scores.append(100 * sum(summary["f"] for summary in summaries) / len(summaries))

    figure, (axis,) = new_figure(6.4, 3.2)
    axis.plot(range(most + 1), recalls, "o-", label="召回")
    axis.plot(range(most + 1), scores, "o-", label="F 值（课程用的）")
    axis.set(xlabel="回答后面接了几段别的病例的答案", ylabel="ROUGE-L（满分 100）", ylim=(0, 100))
    axis.set_title("回答的内容没有变，只是变长")
    axis.legend()
    axis.grid(alpha=0.3)
    figure.savefig(path, dpi=90)
    print(f"召回 {recalls[0]:.0f} → {recalls[-1]:.0f}，F {scores[0]:.0f} → {scores[-1]:.0f}")


def padding(path: Path) -> None:
    """同一次更新的 16 条对话，两条一次前向与按词元装满，各要几次前向、算多少填充。

    对话的长度是随机的（对数正态，像医学问答那样长短悬殊），装满用训练时的 batching.cut。
    """
    from health_assistant.training import batching

    rows, most_tokens, dice = 16, 4096, random.Random(0)
    lengths = [min(2048, round(dice.lognormvariate(5.8, 0.7))) for _ in range(rows)]
    ways = {
        "两条一次": [[at, at + 1] for at in range(0, rows, 2)],
        f"装满 {most_tokens} 个词元": batching.cut(lengths, most_tokens),
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
    figure.savefig(path, dpi=90)


def by_case(path: Path) -> None:
    """一题一题地重抽与一个病例一个病例地重抽，区间盖住真值的次数。

    模拟：74 例 208 题，每例几问与 CMB-Clin 相同；微调其实没有用（真的平均差是 0），但同一病例的几问一起好、一起坏。
    """
    sizes = np.repeat([1, 2, 3, 4], [2, 14, 54, 4])  # 每例的问题数
    trials, resamples, shown, rng = 400, 1000, 40, np.random.default_rng(0)

    def resample_questions(differences: np.ndarray) -> np.ndarray:
        return differences[rng.integers(len(differences), size=(resamples, len(differences)))].mean(axis=1)

    def resample_cases(differences: np.ndarray) -> np.ndarray:
        sums = np.add.reduceat(differences, np.cumsum(sizes) - sizes)
        drawn = rng.integers(len(sizes), size=(resamples, len(sizes)))
        return sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)

    experiments = [
        np.repeat(rng.normal(0, 4, len(sizes)), sizes) + rng.normal(0, 3, sizes.sum()) for _ in range(trials)
    ]
    figure, axes = new_figure(8, 3.6, columns=2)
    ways = {"按题重抽": resample_questions, "按病例重抽": resample_cases}
    for axis, (name, resample) in zip(axes, ways.items(), strict=True):
        intervals = np.array([np.percentile(resample(differences), [2.5, 97.5]) for differences in experiments])
        holds = (intervals[:, 0] <= 0) & (intervals[:, 1] >= 0)
        for at, ((low, high), good) in enumerate(zip(intervals[:shown], holds, strict=False)):
            axis.plot([low, high], [at, at], color="tab:blue" if good else "tab:red", linewidth=2)
        axis.axvline(0, color="#52606d", linewidth=1)
        axis.set(title=f"{name}：{trials} 次里有 {holds.mean():.0%} 盖住真值", xlabel="平均差的 95% 区间", yticks=[])
        axis.set_xlim(-3, 3)
        print(f"{name}：{holds.mean():.1%} 盖住真值，平均宽 {np.diff(intervals).mean():.2f}")
    axes[0].set_ylabel(f"前 {shown} 次模拟（红：漏掉真值 0）")
    figure.savefig(path, dpi=90)


def pixels(path: Path) -> None:
    """同一张化验单（内容虚构），像素预算不同时模型看到的字：按 Qwen2-VL 的规则缩小，再放大回来给人看。"""
    from PIL import Image

    from health_assistant.lab_report.rendering import render
    from health_assistant.training.vision import image_tokens, resized

    budgets = {"课程的预算": 2560, "三分之一的预算": 850, "长边缩到 512 左右": 250}  # 名字 -> 至多多少个词元
    drawn = render("sub_tables", seed=3)
    rows = [boxes["row"] for boxes in drawn.boxes[:3]]
    crop = (rows[0][0] - 6, rows[0][1] - 6, rows[0][2], rows[-1][3] + 6)
    figure, axes = new_figure(8, 3.6, rows=len(budgets))
    for axis, (name, tokens) in zip(axes, budgets.items(), strict=True):
        size = resized(drawn.image.size, tokens * 784)
        seen = drawn.image.convert("L").resize(size, Image.Resampling.BICUBIC)
        height = drawn.text_height * size[1] / drawn.image.size[1]
        axis.imshow(seen.resize(drawn.image.size, Image.Resampling.NEAREST).crop(crop), cmap="gray", vmin=0, vmax=255)
        count = image_tokens(drawn.image.size, tokens * 784)
        title = f"{name}：{size[0]}×{size[1]}，{count} 个词元，字高 {height:.0f} 像素"
        axis.set_title(title, fontsize=9)
        axis.axis("off")
        print(title)
    figure.savefig(path, dpi=100)
    Image.open(path).convert("L").quantize(16).save(path, optimize=True)  # 十六级灰度够看，文件小一半


FIGURES = {
    recall_and_length: "2-eval-before-tuning",
    padding: "3-fine-tuning-llm",
    by_case: "4-eval-after-tuning",
    pixels: "6-fine-tuning-vl",
}
"""画法 -> 图在哪个阶段的 figures/ 里；文件名与函数同名。"""


def main() -> None:
    """画选中的一张或全部，写到各阶段的 figures/。"""
    parser = new_parser(__doc__)
    parser.add_argument("name", nargs="?", choices=[draw.__name__ for draw in FIGURES], help="画哪一张（不给就都画）")
    chosen = parser.parse_args().name
    for draw, stage in FIGURES.items():
        if chosen in (None, draw.__name__):
            draw(ROOT / stage / "figures" / f"{draw.__name__}.png")


if __name__ == "__main__":
    main()
