"""阶段 3 的练习：损失只算回答。

    python 3-fine-tuning-llm/exercise.py

训练时模型在每个位置猜下一个词元，`labels` 说每个位置的正确答案；写 -100 的位置不算损失。
只想教它回答，不想教它提问，就把提问遮住。
这里一个字符就是一个词元（真的分词器见 health_assistant/training/sft.py 的 encode），对话按 ChatML 写成一串：

    <|im_start|>user⏎病人的话<|im_end|>⏎<|im_start|>assistant⏎回答<|im_end|>

请改 `encode`，返回（ids，labels），一样长：
    - ids 是整串文字各字符的 ord()；
    - labels 只在**最后**一个回答和它的 <|im_end|> 上等于 ids，其余是 IGNORED；之前各轮的回答是历史，也遮住；
    - <|im_end|> 要学：不学它，模型就不知道什么时候停。
现在的写法按文字去找“assistant”，病人的话里有这个词时就找错，结束词元也漏了。
"""

import sys

from health_assistant.exercise import grade
from health_assistant.training import batching

IGNORED, END = batching.IGNORED, "<|im_end|>"


def rendered(messages: list[dict]) -> str:
    """ChatML；最后一条的 <|im_end|> 之后没有换行。"""
    return "\n".join(f"<|im_start|>{message['role']}\n{message['content']}{END}" for message in messages)


# ---- 你的答案 ----


def encode(messages: list[dict]) -> tuple[list[int], list[int]]:
    """messages 的最后一条是助手的回答。"""
    text = rendered(messages)
    ids = [ord(char) for char in text]
    start = text.find("assistant\n") + len("assistant\n")
    end = start + len(messages[-1]["content"])
    return ids, [IGNORED] * start + ids[start:end] + [IGNORED] * (len(ids) - end)


# ---- 检查 ----


def dialogue(*texts: str) -> list[dict]:
    """轮流说的几句 -> 对话，用户先说。"""
    return [{"role": ("user", "assistant")[at % 2], "content": text} for at, text in enumerate(texts)]


def learnt(messages: list[dict]) -> str:
    """对话里没有遮住、要学的文字。"""
    ids, labels = encode(messages)
    assert ids == [ord(char) for char in rendered(messages)], "ids 应是整串文字，一个也不少"
    assert len(labels) == len(ids), f"labels 有 {len(labels)} 个，ids 有 {len(ids)} 个，应一样长"
    kept = [at for at, label in enumerate(labels) if label != IGNORED]
    assert all(labels[at] == ids[at] for at in kept), "没遮住的位置，labels 应等于 ids"
    return "".join(chr(labels[at]) for at in kept)


def check(*texts: str) -> None:
    """几句的对话里，要学的只有末一句与结束的词元；不是就抛 AssertionError。"""
    learned, expected = learnt(dialogue(*texts)), texts[-1] + END
    assert learned == expected, f"对话 {texts}：要学的应是 {expected!r}，得到 {learned!r}"


def _check_one_turn() -> None:
    check("头痛怎么办？", "先量血压。")


def _check_history_is_masked() -> None:
    check("头痛怎么办？", "先量血压。", "150/95。", "近期去看门诊。")
    check("发热？", "多久了？", "多久了？", "多久了？")


def _check_words_that_look_like_the_template() -> None:
    check("assistant\n是什么意思？", "助手。")
    check("<|im_start|>assistant\n假的回答", "不认。", "为什么？", "assistant\n里没有答案")


if __name__ == "__main__":
    sys.exit(grade(__doc__, _check_one_turn, _check_history_is_masked, _check_words_that_look_like_the_template))
