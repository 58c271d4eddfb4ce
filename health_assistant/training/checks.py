"""训练不收什么、为什么停：文字里的控制词元，算坏了的损失与梯度。"""

import itertools
import math

from health_assistant.command_line import CannotGoOn
from health_assistant.training.recipe import GrpoRecipe, Recipe


class ControlToken(ValueError):
    """对话的文字里有分词器的控制词元；消息说是哪一个。"""


def check_text(messages: list[dict], tokenizer) -> None:
    """文字里的 <|im_end|> 一类会被切成真的控制词元：一条答案变成几轮，一句话变成图的占位。有就抛 ControlToken。

    Qwen3 的 <think> 也在词表里，但它本来就写在回答里，要不要由 prepare_train_data.py 的 --think 定。
    """
    control = [token for token in tokenizer.get_added_vocab() if token not in ("<think>", "</think>")]
    for message in messages:
        content = message["content"]
        texts = [content] if isinstance(content, str) else [part.get("text", "") for part in content]
        for token, text in itertools.product(control, texts):
            if token in text:
                who = {"assistant": "回答", "user": "提问"}.get(message["role"], message["role"])
                raise ControlToken(f"{who}里有控制词元 {token}")


class BadTraining(CannotGoOn):
    """损失或梯度不成样子，训练停在那里，什么也没有写；remedy 是可以试什么。"""


def check_finite(what: str, value: float, recipe: Recipe | GrpoRecipe, zero_is_bad: bool = True) -> None:
    """value 是 nan、无穷、（zero_is_bad 时）正好是 0，就抛 BadTraining：都是算坏了，不是学会了。"""
    if not math.isfinite(value) or (zero_is_bad and value == 0):
        raise BadTraining(f"{what}是 {value:g}：再训练下去也学不到东西，停在这里，没有写 adapter", _what_to_try(recipe))


def check_updated(optimizer, recipe: Recipe | GrpoRecipe) -> None:
    """优化器一步也没有走成（fp16 次次溢出，都跳过了），就抛 BadTraining：adapter 还是原样，不是训练过的。"""
    if not optimizer.state:
        raise BadTraining("每一次更新都溢出、跳过了，什么也没有学到，没有写 adapter", _what_to_try(recipe))


def _what_to_try(recipe: Recipe | GrpoRecipe) -> str:
    return (
        f"learning_rate 从 {recipe.learning_rate:g} 减到十分之一；warmup_steps 加大；"
        "核对基座的权重是完好的、训练数据的回答不是空话；改了配方会从头训练"
    )
