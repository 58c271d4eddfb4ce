"""逐题与整体的得分，满分 100：ROUGE-L 的 F 值（结巴分词）、BLEU（sacrebleu 的 zh 分词）、chrF。空回答 0 分，也计入。"""

import random
import re
from collections import defaultdict
from functools import cache, lru_cache

NAMES = {
    "choice": "选择题答对",
    "rouge_l": "ROUGE-L F",
    "bleu": "BLEU（逐题平均）",
    "chrf": "chrF（逐题平均）",
    "bleu_corpus": "BLEU（整体）",
    "chrf_corpus": "chrF（整体）",
    "safety": "安全题通过率",
    "checklist": "评审：清单",
    "pairwise": "评审：成对（说它好的 %）",
    "judge_fluency": "评审：流畅",
    "judge_relevance": "评审：切题",
    "judge_completeness": "评审：完整",
    "judge_proficiency": "评审：专业",
}
PER_QUESTION = ("rouge_l", "bleu", "chrf")
LEXICAL = (*PER_QUESTION, "bleu_corpus", "chrf_corpus")


@lru_cache(maxsize=4096)
def score_answer(answer: str, reference: str) -> dict[str, float]:
    """一个回答对一个参考答案的各项得分；参考答案是“正确答案是 D: …”的另有 choice，答对 100，答错、没有答字母 0。"""
    right = choice_of(reference)
    choice = {"choice": 100.0 * (chosen(answer) == right)} if right else {}
    if not answer.strip():
        return choice | dict.fromkeys(PER_QUESTION, 0.0)
    bleu, chrf = _sacrebleu(effective_order=True)
    return choice | {
        "rouge_l": _rouge_l(_words(answer), _words(reference)),
        "bleu": min(100.0, bleu.sentence_score(answer, [reference]).score),
        "chrf": chrf.sentence_score(answer, [reference]).score,
    }


def choice_of(reference: str) -> str | None:
    """选择题的参考答案（“正确答案是 D: …”）里的字母；不是选择题的为 None。"""
    letter = re.match(r"正确答案是\s*([A-H])\s*[:：]", reference.strip())
    return letter[1] if letter else None


def chosen(answer: str) -> str | None:
    """回答选的字母：最后一处“答案（应）是 D”“选 D”，没有就看是不是以字母开头；两样都没有为 None，不猜。"""
    letter = r"[^A-Za-z\n。，不]{0,6}([A-H])(?![A-Za-z])"
    said = re.findall(rf"(?:答案|选择?|应为){letter}", answer) or re.findall(r"^\W*([A-H])(?![A-Za-z])", answer)
    return said[-1] if said else None


def summarise(case_ids: list[str], answers: list[str], references: list[str]) -> dict[str, dict[str, float | None]]:
    """各指标的 {"value", "shuffled"}：shuffled 是同样的回答对着打乱的参考答案的得分，“什么都没答对”大约就是它。"""
    value = _averages(answers, references)
    shuffled_to = shuffle_references(case_ids, references)
    shuffled = _averages(answers, shuffled_to) if shuffled_to else dict.fromkeys(value)
    return {name: {"value": value[name], "shuffled": shuffled[name]} for name in value}


def shuffle_references(case_ids: list[str], references: list[str], seed: int = 0) -> list[str] | None:
    """每题换成别的病例的参考答案，各用一次；每次打乱都相同。一个病例的题过半时做不到，返回 None。"""
    positions = defaultdict(list)
    for position, case_id in enumerate(case_ids):
        positions[case_id].append(position)
    longest = max(map(len, positions.values()))
    if longest * 2 > len(case_ids):
        return None
    cases = list(positions.values())
    random.Random(seed).shuffle(cases)
    order = [position for case in cases for position in case]
    # 同一病例的题相连，往后挪最长病例的题数，就一定落在别的病例
    source = dict(zip(order, order[longest:] + order[:longest], strict=True))
    return [references[source[position]] for position in range(len(references))]


def _averages(answers: list[str], references: list[str]) -> dict[str, float]:
    each = [score_answer(*pair) for pair in zip(answers, references, strict=True)]
    names = ["choice", *PER_QUESTION] if all("choice" in scores for scores in each) else PER_QUESTION
    bleu, chrf = _sacrebleu(effective_order=False)
    return {
        **{name: sum(scores[name] for scores in each) / len(each) for name in names},
        "bleu_corpus": bleu.corpus_score(answers, [references]).score,
        "chrf_corpus": chrf.corpus_score(answers, [references]).score,
    }


@cache
def _sacrebleu(effective_order: bool) -> tuple:
    from sacrebleu.metrics import BLEU, CHRF

    return BLEU(tokenize="zh", effective_order=effective_order), CHRF()


@lru_cache(maxsize=4096)
def _words(text: str) -> tuple[str, ...]:
    """结巴分出的词，标点不算：句号和逗号人人都有，对上了不说明什么。"""
    import logging

    import jieba

    jieba.setLogLevel(logging.WARNING)
    return tuple(word for word in jieba.lcut(text) if any(map(str.isalnum, word)))


def _rouge_l(answer: tuple[str, ...], reference: tuple[str, ...]) -> float:
    from rouge_chinese.rouge_score import rouge_l_summary_level

    if not answer or not reference:
        return 0.0
    # 不走它的 get_scores：那里按“.”断句，会把 4.84 拆成两段
    return 100 * rouge_l_summary_level([" ".join(answer)], [" ".join(reference)])["f"]
