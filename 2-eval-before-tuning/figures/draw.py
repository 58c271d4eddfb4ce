"""画 recall_and_length.png：同一个回答，后面接的废话越多，召回越高，F 值越低。

    python 2-eval-before-tuning/figures/draw.py

用内置的示例病例：每题的回答是参考答案的前一半，后面接上别的病例的参考答案（对这一题全是废话）。
"""

from pathlib import Path

import jieba
from rouge_chinese.rouge_score import rouge_l_summary_level

from health_assistant.command_line import new_parser
from health_assistant.evaluation.cases import SAMPLE_FILE, read_cases
from health_assistant.plotting import new_figure

MOST = 5  # 最多接几段废话


def main() -> None:
    new_parser(__doc__).parse_args()

    cases, _ = read_cases(SAMPLE_FILE)
    references = [[jieba.lcut(answer) for _, answer in case.pairs] for case in cases]
    recalls, scores = [], []
    for padding in range(MOST + 1):
        found = []
        for at, of_case in enumerate(references):
            others = [references[(at + step) % len(references)][0] for step in range(1, padding + 1)]
            found += [score(reference[: len(reference) // 2] + sum(others, []), reference) for reference in of_case]
        recalls.append(100 * sum(one["r"] for one in found) / len(found))
        scores.append(100 * sum(one["f"] for one in found) / len(found))

    figure, (axis,) = new_figure(6.4, 3.2)
    axis.plot(range(MOST + 1), recalls, "o-", label="召回")
    axis.plot(range(MOST + 1), scores, "o-", label="F 值（课程用的）")
    axis.set(xlabel="回答后面接了几段别的病例的答案", ylabel="ROUGE-L（满分 100）", ylim=(0, 100))
    axis.set_title("回答的内容没有变，只是变长")
    axis.legend()
    axis.grid(alpha=0.3)
    figure.savefig(Path(__file__).with_name("recall_and_length.png"), dpi=90)
    print(f"召回 {recalls[0]:.0f} → {recalls[-1]:.0f}，F {scores[0]:.0f} → {scores[-1]:.0f}")


def score(answer: list[str], reference: list[str]) -> dict:
    return rouge_l_summary_level([" ".join(answer)], [" ".join(reference)])


if __name__ == "__main__":
    main()
