"""阶段 1 的练习：第 k 问发给模型的是什么。

    python 1-eval-data-prepare/exercise.py

CMB-Clin 一个病例有几问，后一问常常接着前一问。官方的做法叫“标准历史”：问第 k 问时，前面各问用**参考答案**
作助手说过的话，所以模型前一问答错，不会连累后一问；它自己的答案和这一问的参考答案都不在里面。

请改 `messages_for`，给出第 turn 问（从 1 数起）的消息列表，每条是 {"role": "user" 或 "assistant", "content": 文字}：
    - 病历只在第一条用户消息里，写法是 FIRST；后面的用户消息只有问题；
    - 前面每一问之后跟着它的参考答案；
    - 最后一条是这一问的问题。
现在的写法每一问都从头来，第一问是对的，后面的都不对。
"""

import sys

from prepare_cmb_clin import questions_of

from health_assistant.evaluation.cases import SAMPLE_FILE, Case, read_cases
from health_assistant.exercise import grade

FIRST = "以下是一位病人的病例：\n{description}\n{question}"


# ---- 你的答案 ----


def messages_for(case: Case, turn: int) -> list[dict]:
    """case.description 是病历，case.pairs 是（问题，参考答案）的列表。"""
    question, _ = case.pairs[turn - 1]
    return [{"role": "user", "content": FIRST.format(description=case.description, question=question)}]


# ---- 检查 ----

CASES, _ = read_cases(SAMPLE_FILE)


def _check_first_turn() -> None:
    for case in CASES:
        messages = messages_for(case, 1)
        assert len(messages) == 1, f"病例 {case.id} 的第 1 问应只有一条消息，得到 {len(messages)} 条"
        assert case.description in messages[0]["content"], f"病例 {case.id} 的第 1 问里没有病历"


def _check_roles_and_history() -> None:
    for case in CASES:
        for turn in range(2, len(case.pairs) + 1):
            messages, place = messages_for(case, turn), f"病例 {case.id} 的第 {turn} 问"
            roles = [message["role"] for message in messages]
            expected = ["user", "assistant"] * (turn - 1) + ["user"]
            assert roles == expected, f"{place}：角色应依次是 {'、'.join(expected)}，得到 {'、'.join(roles)}"
            told = sum(case.description in message["content"] for message in messages)
            assert told == 1, f"{place}：病历应只出现一次，得到 {told} 次"
            answer = case.pairs[turn - 1][1]
            assert all(answer not in message["content"] for message in messages), f"{place}：这一问的参考答案漏给模型了"


def _check_same_as_the_course() -> None:
    for case in CASES:
        for row in questions_of(case):
            same = messages_for(case, row["turn"]) == row["messages"]
            assert same, f"{row['id']} 的内容与评测数据里的不同：比较 artifacts/eval-data/cmb-clin.jsonl 的这一行"


if __name__ == "__main__":
    sys.exit(grade(__doc__, _check_first_turn, _check_roles_and_history, _check_same_as_the_course))
