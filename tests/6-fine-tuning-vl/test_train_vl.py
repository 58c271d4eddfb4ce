"""train_vl.py：监督的词元正好是回答，图的词元数与预算算的一样，装不下就拒绝，kill -9 之后接着训练与没断过一样。"""

import json
import re
import signal
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from stage_scripts import ROOT, load, run_forked, run_here

from health_assistant import artifacts

TRAIN = "6-fine-tuning-vl/train_vl.py"
CONFIGS = [
    one for one in sorted((ROOT / "6-fine-tuning-vl/configs").glob("*.yaml")) if not one.stem.startswith("dataset-")
]
# 两遍，每遍几步；有 dropout，续训时随机数也要复原
FAST = ["--dataset_name", "small", "--num_train_epochs", "2", "--update_rows", "4", "--eval_steps", "4"]
FAST += ["--lora_dropout", "0.1", "--lora_r", "4", "--max_length", "700", "--unreadable_share", "0"]
FAST += ["--abnormal_share", "0.2", "--question_share", "0.2"]


@pytest.fixture(scope="module")
def tasks():
    return load("6-fine-tuning-vl/vl_tasks.py")


def write_dataset(folder: Path, train: int, val: int) -> None:
    """render_reports.py 的写法，小图；render_reports 自己有测试，这里不走它。"""
    from health_assistant.lab_report.rendering import render

    for split, count, first in (("train", train, 0), ("val", val, 900)):
        (folder / split).mkdir(parents=True)
        lines = []
        for seed in range(first, first + count):
            page = render("analyser_slip", seed=seed)
            size = (336, round(page.image.height * 336 / page.image.width))
            page.image.resize(size).save(folder / split / f"{seed:06}.jpg", quality=90)
            report = page.report.model_copy(update={"items": page.report.items[:2]})
            row = {"file_name": f"{seed:06}.jpg", "report": report.model_dump_json(), "flags": page.flags[:2]}
            row |= {"boxes": json.dumps(page.boxes[:2]), "layout": "analyser_slip", "degradation": "clean"}
            lines.append(json.dumps(row, ensure_ascii=False) + "\n")
        (folder / split / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    from small_vl import build_small_base

    home = tmp_path_factory.mktemp("artifacts")
    build_small_base(home / "base")
    write_dataset(home / "vl/dataset/small", train=12, val=3)
    return home


@pytest.fixture(scope="module")
def tokenizer(home):
    from health_assistant.training.loading import load_tokenizer

    return load_tokenizer(home / "base", vision=True)


def test_a_phone_photo_is_ten_thousand_tokens_and_the_budget_brings_it_to_2490():
    from health_assistant.training.vision import image_tokens

    assert image_tokens((2448, 3264), 10**9) > 10_000
    assert 2400 <= image_tokens((2448, 3264), 2560 * 784) <= 2560


def test_the_supervised_tokens_are_exactly_the_answer(home, tokenizer, tasks):
    from health_assistant.lab_report.vl_protocol import READ_PROMPT
    from health_assistant.training.batching import IGNORED
    from health_assistant.training.recipe import VisionRecipe
    from health_assistant.training.sft import IMAGE_PAD, TURN_END
    from health_assistant.training.vision import encode_pages, image_tokens, load_image_processor, page_collator

    recipe = VisionRecipe(max_pixels=40 * 784, min_text_height=1.0, max_length=2000)
    pages = tasks.read_pages(home / "vl/dataset/small/train")
    rows = tasks.make_tasks(pages, abnormal_share=1.0, question_share=1.0)
    rows += tasks.make_unreadable(pages, 0.5, home / "ruined")
    assert len(rows) == 3 * 12 + 6
    encoded = encode_pages(rows, tokenizer, recipe)
    image_token = tokenizer.convert_tokens_to_ids(IMAGE_PAD)
    for row, one in zip(rows, encoded, strict=True):
        learnt = [label for label in one["labels"] if label != IGNORED]
        assert tokenizer.decode(learnt) == row["answer"] + TURN_END
        assert one["labels"][-len(learnt) :] == learnt == one["input_ids"][-len(learnt) :]
        with Image.open(row["image"]) as image:
            assert one["input_ids"].count(image_token) == image_tokens(image.size, 40 * 784) == one["image_tokens"]
        assert row["prompt"] in tokenizer.decode(one["input_ids"])

    # 图像处理器给出的小块数正好是词元数的四倍，一批里各条的监督不变
    batch = page_collator(load_image_processor(home / "base", 40 * 784), tokenizer)(encoded[:6])
    assert batch["pixel_values"].shape[0] == 4 * sum(one["image_tokens"] for one in encoded[:6])
    assert int(batch["mm_token_type_ids"].sum()) == sum(one["image_tokens"] for one in encoded[:6])
    for labels, row in zip(batch["labels"], rows, strict=False):
        assert tokenizer.decode(labels[labels != IGNORED]) == row["answer"] + TURN_END
    assert rows[0]["prompt"] == READ_PROMPT


@pytest.mark.parametrize("field", ["answer", "prompt"])
def test_a_label_with_a_control_token_names_its_page(home, tokenizer, tasks, field):
    """自己导入的标签里混进 <|image_pad|>，就会多出一个图的占位。"""
    from health_assistant.command_line import BadInput
    from health_assistant.training.recipe import VisionRecipe
    from health_assistant.training.vision import encode_pages

    recipe = VisionRecipe(max_pixels=40 * 784, min_text_height=1.0, max_length=2000)
    rows = tasks.make_tasks(tasks.read_pages(home / "vl/dataset/small/train"), 0, 0)
    rows[1][field] += "<|image_pad|>"
    with pytest.raises(BadInput, match=rf"{rows[1]['image'].name} 的.*<\|image_pad\|>"):
        encode_pages(rows, tokenizer, recipe)


def test_the_prompt_is_the_one_the_endpoint_is_asked(tokenizer):
    """训练的提问与接口上的消息（模板里 image_url 也是图）渲染出来一字不差。"""
    from health_assistant.lab_report.vl_protocol import read_messages
    from health_assistant.training.vision import question

    (asked,) = read_messages("data:image/jpeg;base64,AA==")
    served = tokenizer.apply_chat_template([asked], tokenize=False, add_generation_prompt=True)
    trained = question(asked["content"][1]["text"])
    assert served == tokenizer.apply_chat_template(trained, tokenize=False, add_generation_prompt=True)


def test_the_sentence_and_the_questions_are_composed_from_the_truth(home, tasks):
    from health_assistant.lab_report.report import PrintedRow

    items = [PrintedRow(name="钾", result="6.1", reference_range="3.5-5.5"), PrintedRow(name="钠", result="1")]
    said = tasks.abnormal_sentence(items, ["high", None])
    assert said == "超出参考范围的有：钾 6.1（偏高）。钠没有可比的参考范围。"
    assert tasks.abnormal_sentence(items[:1], ["normal"]) == "没有发现超出参考范围的项目。"
    pages = tasks.read_pages(home / "vl/dataset/small/train")
    asked = [task for task in tasks.make_tasks(pages, 0, 1.0) if "结果是多少" in task["prompt"]]
    absent = [task for task in asked if "没有" in task["answer"]]
    assert 0 < len(absent) < len(asked) == len(pages)
    assert tasks.make_tasks(pages, 0.3, 0.3) == tasks.make_tasks(pages, 0.3, 0.3)


@pytest.fixture
def in_process(home):
    def call(script: str, *arguments) -> tuple[int, str]:
        done = run_here(home, f"6-fine-tuning-vl/{script}.py", *arguments)
        return done.returncode, done.stderr if done.returncode else done.stdout

    return call


def test_a_changed_picture_asks_for_training_again(tmp_path, tasks):
    write_dataset(tmp_path, 2, 1)
    pages = {split: tasks.read_pages(tmp_path / split) for split in ("train", "val")}
    before = artifacts.fingerprint({}, tasks.files_of(tmp_path, pages))
    pages["val"][0]["image"].write_bytes(b"another picture")
    assert artifacts.fingerprint({}, tasks.files_of(tmp_path, pages)) != before


def test_what_does_not_fit_is_refused_with_the_sample_and_the_remedy(home, in_process):
    base = ["--model_name_or_path", home / "base", "--run_name", "refused", *FAST]
    code, error = in_process("train_vl", *base, "--max_pixels", 78400, "--min_text_height", 1, "--max_length", 100)
    assert code == 2 and "放不下" in error and ".jpg" in error and "max_length" in error and "图与提问" in error
    code, error = in_process("train_vl", *base, "--max_pixels", 78400, "--min_text_height", 1, "--max_length", 240)
    assert code == 2 and "回答的末尾会被切掉" in error
    code, error = in_process("train_vl", *base, "--max_pixels", 20000, "--min_text_height", 10)
    assert code == 2 and "像素高" in error and "max_pixels" in error
    assert not (home / "vl/refused").exists() or not (home / "vl/refused/adapter").exists()


@pytest.mark.parametrize("line", ["{", "{}", '{"file_name": "000000.jpg", "report": "{}"}'])
def test_a_bad_row_is_named_by_file_and_line(home, in_process, line):
    folder = home / "vl/dataset/broken/train"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metadata.jsonl").write_text(line + "\n")
    code, error = in_process("train_vl", "--dataset_name", "broken")
    assert code == 2 and "metadata.jsonl 第 1 行" in error
    code, error = in_process("train_vl", "--dataset_name", "absent")
    assert code == 2 and "render_reports.py" in error


@pytest.fixture(scope="module")
def trained(home):
    """calm 从头到尾；killed 死在第 6 步，再接着训练。"""
    base = ["--model_name_or_path", str(home / "base"), *FAST, "--max_pixels", "15680", "--min_text_height", "1"]
    base += ["--lora_modules_to_save", "visual", "embed_tokens", "lm_head"]
    killed = [*base, "--run_name", "killed"]
    runs = [(TRAIN, [*base, "--run_name", "calm"], None), (TRAIN, killed, ["step", 6]), (TRAIN, killed, None)]
    codes, outputs = zip(*run_forked(home, runs), strict=True)
    assert codes == (0, -signal.SIGKILL, 0), outputs[-1][-3000:]
    return "".join(outputs)


@pytest.mark.slow
def test_killed_the_adapter_is_the_undisturbed_one(home, trained):
    assert trained.count("从头训练") == 2 and trained.count("接着训练") == 1
    calm, killed = (load_file(home / f"vl/{name}/adapter/adapter_model.safetensors") for name in ("calm", "killed"))
    assert calm.keys() == killed.keys()
    assert max(float((calm[name] - killed[name]).abs().max()) for name in calm) <= 1e-5
    records = [json.loads((home / f"vl/{name}/training.json").read_text()) for name in ("calm", "killed")]
    assert records[0]["held_out_loss"] < records[0]["held_out_loss_before"]
    assert records[0]["held_out_loss"] == pytest.approx(records[1]["held_out_loss"], abs=1e-5)
    assert records[0]["image_tokens"]["train"] > 0 and records[0]["tokens"] == records[1]["tokens"]


@pytest.mark.slow
def test_merging_changes_vision_and_language_and_an_empty_adapter_is_refused(home, trained, in_process):
    code, out = in_process("merge_vl", "--recipe", "calm")
    assert code == 0 and "logits 最大差" in out
    merged, base = (load_file(home / one / "model.safetensors") for one in ("vl/calm/merged", "base"))
    changed = {name for name in base if not torch.equal(merged[name], base[name])}
    assert any("visual" in name for name in changed) and any("q_proj" in name for name in changed)
    settings = json.loads((home / "vl/calm/merged/preprocessor_config.json").read_text())
    assert settings["max_pixels"] == 15680, "部署时的像素预算与训练时相同"
    assert "合并过了" in in_process("merge_vl", "--recipe", "calm")[1]

    folder = home / "vl/empty"
    (folder / "adapter").mkdir(parents=True)
    for file in ("training.json", "adapter/adapter_config.json"):
        text = (home / "vl/calm" / file).read_text()
        (folder / file).write_text(text.replace('"visual",', "").replace('"visual"', '"lm_head"'))
    config = json.loads((folder / "adapter/adapter_config.json").read_text())
    (folder / "adapter/adapter_config.json").write_text(json.dumps(config | {"modules_to_save": None}))
    trained_adapter = load_file(home / "vl/calm/adapter/adapter_model.safetensors")
    zeros = {name: torch.zeros_like(value) for name, value in trained_adapter.items() if "lora" in name}
    save_file(zeros, folder / "adapter/adapter_model.safetensors", metadata={"format": "pt"})
    code, error = in_process("merge_vl", "--recipe", "empty")
    assert code == 1 and "没有差别" in error


@pytest.mark.parametrize("architecture", ["Qwen2VL", "Qwen2_5_VL"])
def test_lora_goes_where_the_recipe_says(architecture):
    """两种结构里有同名的层（Qwen2.5-VL 看图的部分也有 gate_proj）；不训练看图的层时一个也不碰。"""
    import transformers

    from health_assistant.training.recipe import VisionRecipe, lora_targets

    config = getattr(transformers, f"{architecture}Config")(text_config={"num_hidden_layers": 2})
    config.vision_config.depth = 3
    with torch.device("meta"):
        model = getattr(transformers, f"{architecture}ForConditionalGeneration")(config)
    linear = [name for name, part in model.named_modules() if isinstance(part, torch.nn.Linear)]
    language = [name for name in linear if re.fullmatch(lora_targets(VisionRecipe()), name)]
    both = [name for name in linear if re.fullmatch(lora_targets(VisionRecipe(vision_layers=True)), name)]
    assert len(language) == 2 * 7 and not any("visual" in name for name in language)
    assert len(both) == 2 * 7 + 3 * (4 if architecture == "Qwen2VL" else 5)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: one.stem)
def test_every_recipe_reads_and_holds_its_pages(config):
    """正式的配方：1600 像素的一页不会缩到看不清，max_length 装得下满额的图、提问和 40 行的回答。"""
    from health_assistant.checked_yaml import read_yaml
    from health_assistant.training.recipe import VisionRecipe

    recipe = read_yaml(VisionRecipe, config)
    if recipe.model_name_or_path != "tiny":
        assert recipe.max_length >= recipe.max_pixels // 784 + 200 + 40 * 60
        assert recipe.max_pixels >= 2_000_000
        assert recipe.load_in_4bit == ("qlora" in config.stem)
    assert {one.stem for one in CONFIGS} >= {"tiny", "qwen2-vl-7b-lora", "qwen2-vl-7b-qlora", "qwen2-vl-2b-qlora"}
