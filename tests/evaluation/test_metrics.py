"""得分：F 值不是召回，空回答 0 分，打乱的参考答案绝不来自同一病例。"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from health_assistant.evaluation.metrics import PER_QUESTION, score_answer, shuffle_references, summarise

REFERENCE = "初步诊断为急性阑尾炎，血钾4.84mmol/L，建议尽快手术治疗。"


def test_the_reference_itself_scores_full_marks():
    assert score_answer(REFERENCE, REFERENCE) == pytest.approx(dict.fromkeys(PER_QUESTION, 100), abs=0.01)


@pytest.mark.parametrize(
    ("answer", "most"), [("", 0), ("  \n", 0), ("。，！", 5), ("Acute appendicitis. See a doctor.", 10)]
)
def test_an_answer_without_a_word_of_it_scores_next_to_nothing(answer, most):
    scores = score_answer(answer, REFERENCE)
    assert [*scores] == [*PER_QUESTION] and all(0 <= value <= most for value in scores.values())


def test_length_does_not_pay():
    """把参考答案原样包在一大段别的话里：召回仍是满分，F 值要掉下来。"""
    padded = REFERENCE + "另外要注意休息，多喝水，清淡饮食，定期复查，保持心情愉快，避免劳累。" * 5
    assert score_answer(padded, REFERENCE)["rouge_l"] < 40


def test_rouge_l_is_the_f_of_the_longest_common_subsequence_of_words():
    # 结巴分成：患者 / 发热 / 三天；患者 / 咳嗽 / 三天。共同子序列 2，精确 2/3，召回 2/3
    assert score_answer("患者发热三天", "患者咳嗽三天")["rouge_l"] == pytest.approx(200 / 3, abs=0.01)


def test_a_decimal_point_is_not_a_full_stop():
    assert score_answer("血钾4.84", "血钾4.84")["rouge_l"] == pytest.approx(100, abs=0.01)
    assert score_answer("血钾4.84", "血钾4.90")["rouge_l"] < score_answer("血钾4.84", "血钾4.84")["rouge_l"]


@given(st.lists(st.integers(1, 4), min_size=2, max_size=20), st.integers(0, 5))
def test_shuffled_references_come_from_other_cases(sizes, seed):
    case_ids = [str(case) for case, size in enumerate(sizes) for _ in range(size)]
    references = [f"{case}/{position}" for position, case in enumerate(case_ids)]
    shuffled = shuffle_references(case_ids, references, seed)
    if max(sizes) * 2 > sum(sizes):
        assert shuffled is None
        return
    assert sorted(shuffled) == sorted(references)
    assert all(reference.split("/")[0] != case for reference, case in zip(shuffled, case_ids, strict=True))
    assert shuffled == shuffle_references(case_ids, references, seed)


def test_right_answers_beat_their_shuffled_score_and_empty_ones_count():
    references = [f"诊断为第{number}型肺炎，用药后第{number}天复查胸片。" for number in "一二三四五六"]
    found = summarise(list("abcdef"), ["", *references[1:]], references)
    assert found["rouge_l"]["value"] == pytest.approx(100 * 5 / 6, abs=0.01)
    for score in found.values():
        assert score["value"] > score["shuffled"]
