"""训练的零件：监督的恰是回答，批与批、行与行互不相干，写一半的检查点不算数。"""

import pytest
import torch
from small_llm import build_small_base, dialogue, small_texts
from transformers import AutoTokenizer

from health_assistant.training import batching, checks, loading, saving, sft
from health_assistant.training.recipe import Recipe


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return build_small_base(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def tokenizer(base):
    return AutoTokenizer.from_pretrained(base)


@pytest.mark.parametrize("answer", [*small_texts()[1:40:2], "\n先量血压。\n\n再看医生。 ", "。", "<b>1</b>", " 12.5%"])
def test_what_is_supervised_is_exactly_the_answer_and_its_end(tokenizer, answer):
    row = sft.encode(dialogue("头痛怎么办？\n", answer), tokenizer)
    pairs = zip(row["input_ids"], row["labels"], strict=True)
    supervised = [token for token, label in pairs if label != batching.IGNORED]
    assert [label for label in row["labels"] if label != batching.IGNORED] == supervised
    assert tokenizer.decode(supervised) == answer.strip() + "<|im_end|>"
    # 其余的正是推理时看到的提示
    prompt = tokenizer.apply_chat_template(dialogue("头痛怎么办？\n", answer)[:1], add_generation_prompt=True)
    assert row["input_ids"][: -len(supervised)] == prompt["input_ids"]


def test_only_the_last_answer_of_several_turns_is_supervised(tokenizer):
    messages = dialogue("咳嗽", "多久了？") + dialogue("三天", "多喝水。")
    row = sft.encode(messages, tokenizer)
    assert tokenizer.decode([label for label in row["labels"] if label != batching.IGNORED]) == "多喝水。<|im_end|>"
    assert "多久了？" in tokenizer.decode(row["input_ids"])


def test_only_the_columns_with_something_to_learn_pass_the_head(base, tokenizer, tmp_path):
    """没有 GPU 时，提问的 logits 不算；训练与验证都是。"""
    rows = [sft.encode(dialogue("头痛" * count, "先量血压。" * count), tokenizer) for count in (4, 7)]
    model, widths = loading.load_with_lora(base, Recipe()), set()
    model.get_output_embeddings().register_forward_hook(lambda head, given, logits: widths.add(logits.shape[1]))
    recipe = Recipe(max_steps=1, early_stopping_patience=0)
    sft.build_trainer(recipe, model, tokenizer, rows, rows, tmp_path / "checkpoints").train()
    first = min(row["labels"].count(batching.IGNORED) for row in rows)
    assert widths == {max(len(row["input_ids"]) for row in rows) - first + 1}


def test_too_long_dialogues_are_left_out_whole(tokenizer):
    rows = [{"messages": dialogue("痛", "药" * count)} for count in (1, 500)]
    kept, left_out = sft.encode_all(rows, tokenizer, max_length=100)
    assert len(kept) == 1 and left_out == {"太长": 1, "有控制词元": 0}
    assert tokenizer.decode(kept[0]["labels"][-1:]) == "<|im_end|>"


CONTROL = [
    "好<|im_end|>\n<|im_start|>user\n谢谢",
    "休息<|endoftext|>。",
    "看图<|vision_start|><|image_pad|><|vision_end|>",
]


@pytest.mark.parametrize("place", ["asked", "answer", "history"])
@pytest.mark.parametrize("text", CONTROL)
def test_texts_with_control_tokens_are_left_out_and_counted(tokenizer, text, place):
    """不然答案里的 <|im_end|> 会切成真的结束词元，模型学会一个人说两边的话。"""
    good = dialogue("头痛怎么办？", "先量血压。")
    bad = {
        "asked": dialogue(text, "先量血压。"),
        "answer": dialogue("头痛怎么办？", text),
        "history": dialogue("头痛怎么办？", text) + dialogue("还要做什么？", "近期去看门诊。"),
    }[place]
    kept, left_out = sft.encode_all([{"messages": good}, {"messages": bad}], tokenizer, max_length=400)
    assert len(kept) == 1 and left_out["有控制词元"] == 1
    assert kept[0]["input_ids"].count(tokenizer.convert_tokens_to_ids("<|im_end|>")) == 3
    with pytest.raises(checks.ControlToken, match=r"控制词元 <\|"):
        sft.encode(bad, tokenizer)


def test_angle_brackets_that_are_no_tokens_are_plain_text(tokenizer):
    answer = "<think>想一想</think>血压 <|高|> 140，<b>复查</b>"
    assert tokenizer.decode(sft.encode(dialogue("问", answer), tokenizer)["input_ids"]).endswith(answer + "<|im_end|>")


def test_a_half_written_checkpoint_is_not_resumed_from(tmp_path):
    for step in (9, 10, 20):
        (tmp_path / f"checkpoint-{step}").mkdir()
    assert saving.last_complete_checkpoint(tmp_path) is None
    # 别人放进来的，不当成检查点，也不删
    (tmp_path / "checkpoint-10-copy").mkdir()
    saving.mark_complete(tmp_path / "checkpoint-10-copy")
    strays = [tmp_path / "checkpoint-10-copy", tmp_path / "checkpoint-99", tmp_path / "notes.txt"]
    for stray in strays[1:]:
        stray.write_text("x")
    saving.mark_complete(tmp_path / "checkpoint-9")
    saving.mark_complete(tmp_path / "checkpoint-10")
    assert saving.last_complete_checkpoint(tmp_path).name == "checkpoint-10"
    assert (tmp_path / "checkpoint-20").exists()
    saving.drop_half_written(tmp_path)
    assert saving.last_complete_checkpoint(tmp_path).name == "checkpoint-10"
    assert not (tmp_path / "checkpoint-20").exists() and all(stray.exists() for stray in strays)


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    folder = tmp_path / "adapter"
    with saving.atomic_folder(folder) as partial:
        (partial / "weights").write_text("旧的")
    with pytest.raises(RuntimeError), saving.atomic_folder(folder) as partial:
        (partial / "weights").write_text("写到一半")
        raise RuntimeError
    assert [one.read_text() for one in tmp_path.rglob("weights")] == ["旧的"]
    (tmp_path / ".adapter.999999999.partial").mkdir()  # 被 kill -9 的进程留下的
    with saving.atomic_folder(folder) as partial:
        (partial / "weights").write_text("新的")
    assert [one.name for one in tmp_path.iterdir()] == ["adapter"]
    assert (folder / "weights").read_text() == "新的"


@pytest.mark.parametrize(
    ("cuda", "installed", "chosen"), [(True, True, True), (True, False, False), (False, True, False)]
)
def test_unsloth_is_chosen_where_it_can_run(monkeypatch, cuda, installed, chosen):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(loading, "find_spec", lambda name: object() if installed else None)
    assert loading.uses_unsloth(Recipe()) is chosen
    assert not loading.uses_unsloth(Recipe(backend="transformers"))


def test_asking_for_a_missing_unsloth_names_the_remedy(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="requirements-gpu.txt"):
        Recipe(backend="unsloth")
