"""微型基座：AutoTokenizer 载得入，对话模板与 Qwen2.5 的渲染相同，配方不变就不重造。"""

from unittest import mock

import pytest
from small_llm import in_small

from health_assistant import artifacts
from health_assistant.training import tiny_models


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """按 build_tiny_llm 的全过程造一个极小的；再要一次时不许重训。"""
    with pytest.MonkeyPatch.context() as patch, in_small():
        patch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path_factory.mktemp("artifacts")))
        folder = tiny_models.build_tiny_llm()
        with mock.patch.object(tiny_models, "pretrain", side_effect=AssertionError("不该重训")):
            assert tiny_models.build_tiny_llm() == folder == artifacts.tiny_model_dir("llm")
        with (
            mock.patch.dict(tiny_models.LLM_RECIPE, {"seed": 1}),
            mock.patch.object(tiny_models, "pretrain", side_effect=RuntimeError("断电")),
            pytest.raises(RuntimeError),
        ):
            tiny_models.build_tiny_llm()
        assert [one.name for one in folder.parent.iterdir()] == ["tiny-llm"], "中途出错：旧的还在，没有留下半个"
        return folder


@pytest.fixture(scope="module")
def tokenizer(built):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(built)


SYSTEM, ASK, ANSWER = (
    {"role": role, "content": content}
    for role, content in (("system", "你是医生。"), ("user", "头痛\n怎么办？"), ("assistant", "先量血压。"))
)


@pytest.mark.parametrize("messages", [[ASK], [SYSTEM, ASK], [ASK, ANSWER, ASK], [SYSTEM, ASK, ANSWER]])
@pytest.mark.parametrize("prompting", [True, False])
def test_the_template_renders_what_qwen2_5_renders(tokenizer, messages, prompting):
    from trl.chat_template_utils import qwen2_5_chat_template

    ours, theirs = (
        tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompting, chat_template=template)
        for template in (None, qwen2_5_chat_template)
    )
    assert ours == theirs


def test_special_tokens_are_one_token_and_text_survives(tokenizer):
    assert tokenizer.eos_token == "<|im_end|>" and tokenizer.pad_token == "<|endoftext|>"
    for token in tiny_models.SPECIAL_TOKENS:
        assert len(tokenizer(token).input_ids) == 1
    text = "血压150/95 mmHg，🙂 龘 \n\n ALT 偏高"
    assert tokenizer.decode(tokenizer(text).input_ids) == text


def test_the_model_loads_and_has_the_vocabulary(built, tokenizer):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(built)
    assert model.config.vocab_size == len(tokenizer)
    assert model.config.eos_token_id == tokenizer.eos_token_id
