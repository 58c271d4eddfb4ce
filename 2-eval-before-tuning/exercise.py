"""阶段 2 的练习：为什么不用召回。

    python 2-eval-before-tuning/exercise.py

ROUGE-L 看回答与参考答案的**最长公共子序列**（词的次序相同，中间可以隔着别的词），设它有 L 个词：

    召回 = L ÷ 参考答案的词数        精确 = L ÷ 回答的词数        F = 2 × 召回 × 精确 ÷（召回 + 精确）

请改 `rouge_l`，返回（召回，F），都在 0 与 1 之间；有一边没有词，或没有公共的词，两样都是 0。
现在的写法有两处不对：它数的是“出现过的词”，不管次序；F 直接用了召回。
检查的最后一项会往回答后面添废话：召回不会降，F 会。所以课程报 F，不报召回。
"""

import random
import sys

from health_assistant.evaluation.metrics import score_answer
from health_assistant.exercise import grade

# ---- 你的答案 ----


def rouge_l(answer: list[str], reference: list[str]) -> tuple[float, float]:
    """两边的词 -> （召回，F），都在 0 与 1 之间。"""
    if not answer or not reference:
        return 0.0, 0.0
    common = len(set(answer) & set(reference))
    return common / len(reference), common / len(reference)


# ---- 检查 ----

# 一个字母一个词，共有的最长一段次序相同的词数出来放在后面
CASES = [("ab", "ab", 2), ("ba", "ab", 1), ("axbyc", "abc", 3), ("cab", "abc", 2), ("aaa", "ab", 1), ("xy", "ab", 0)]


def _check_the_common_subsequence() -> None:
    for answer, reference, common in CASES:
        recall, _ = rouge_l(list(answer), list(reference))
        expected = common / len(reference)
        assert abs(recall - expected) < 1e-9, (
            f"回答 {answer}、参考 {reference} 的召回应是 {expected:.3f}，得到 {recall:.3f}"
        )
    assert rouge_l([], ["a"]) == rouge_l(["a"], []) == (0.0, 0.0), "有一边没有词时，两样都应是 0"


def _check_f_is_what_the_course_reports() -> None:
    shuffler = random.Random()
    for _ in range(50):
        # 课程用结巴分词；英文单词之间有空格，它不会再切，所以两边的词相同
        answer, reference = (
            shuffler.choices(["fever", "cough", "pain", "rash"], k=shuffler.randint(1, 9)) for _ in "ab"
        )
        expected = score_answer(" ".join(answer), " ".join(reference))["rouge_l"] / 100
        _, f = rouge_l(answer, reference)
        assert abs(f - expected) < 1e-6, f"回答 {answer}、参考 {reference} 的 F 应是 {expected:.3f}，得到 {f:.3f}"


def _check_length_pays_in_recall_only() -> None:
    reference = ["诊断", "为", "急性", "阑尾炎", "建议", "手术"]
    answer = ["诊断", "为", "阑尾炎"]
    padded = answer + ["注意", "休息", "多", "喝水", "定期", "复查"] * 5
    (recall, f), (padded_recall, padded_f) = rouge_l(answer, reference), rouge_l(padded, reference)
    assert padded_recall >= recall, "添废话不会让召回下降"
    assert padded_f < f / 2, f"添了 30 个词的废话，F 应降到一半以下，得到 {f:.3f} → {padded_f:.3f}"


if __name__ == "__main__":
    checks = (_check_the_common_subsequence, _check_f_is_what_the_course_reports, _check_length_pays_in_recall_only)
    sys.exit(grade(__doc__, *checks))
