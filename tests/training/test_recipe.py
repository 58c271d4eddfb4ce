"""配方：键是 TRL、PEFT、transformers 自己的名字；命令行盖过 YAML。"""

import argparse
import dataclasses
import inspect
import sys

import pytest

from health_assistant.checked_yaml import BadYaml
from health_assistant.evaluation.targets import EvaluationRecipe
from health_assistant.recipe_files import read_recipe, recipe_parser
from health_assistant.training.recipe import Recipe, VisionRecipe

# 没有同名的：基座的另一份、用哪个后端、按词元分批、看图与出题
OUR_OWN = {"quantized_model", "backend", "update_rows", "pass_tokens", "pass_overhead"}
OUR_OWN |= {"min_text_height", "vision_layers", "abnormal_share", "unreadable_share", "question_share"}


def test_the_keys_are_the_ecosystems_names():
    from transformers import EarlyStoppingCallback, GenerationConfig
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize
    from trl import ModelConfig, ScriptArguments, SFTConfig

    names = {field.name for kind in (SFTConfig, ModelConfig, ScriptArguments) for field in dataclasses.fields(kind)}
    names |= {*inspect.signature(EarlyStoppingCallback).parameters, *inspect.signature(smart_resize).parameters}
    assert {*VisionRecipe.model_fields} - OUR_OWN <= names
    assert not OUR_OWN & names
    generation = {*vars(GenerationConfig())}
    assert {*EvaluationRecipe.model_fields} - names - generation == {"tuned", "batch_size", "concurrency", "safety"}


def read(kind, tmp_path, monkeypatch, text: str, *arguments: str):
    config = tmp_path / "mine.yaml"
    config.write_text(text, encoding="utf-8")
    monkeypatch.setattr(sys, "argv", ["script", "--config", str(config), *arguments])
    return read_recipe(kind, recipe_parser("说明", kind, config).parse_args())


def test_the_command_line_wins_and_the_file_gives_the_name(tmp_path, monkeypatch):
    text = "learning_rate: 1.0e-3\nlora_r: 8\nload_in_4bit: false\nlora_target_modules: [q_proj]"
    changes = ["--learning-rate", "2e-4", "--load_in_4bit", "true", "--lora_target_modules", "k_proj", "v_proj"]
    recipe = read(Recipe, tmp_path, monkeypatch, text, *changes)
    assert (recipe.run_name, recipe.lora_r, recipe.learning_rate) == ("mine", 8, 2e-4)
    assert recipe.load_in_4bit and recipe.lora_target_modules == ["k_proj", "v_proj"]


@pytest.mark.parametrize("kind", [Recipe, VisionRecipe, EvaluationRecipe])
def test_help_says_what_each_setting_is_and_its_default(kind, tmp_path):
    told = recipe_parser("说明", kind, tmp_path / "tiny.yaml").format_help()
    unbroken = "".join(told.split())
    for name, field in kind.model_fields.items():
        assert f"--{name} " in told and "".join(field.description.split()) in unbroken
        if isinstance(field.default, int | float):
            assert f"（默认{field.default}）" in unbroken
    assert argparse.SUPPRESS not in told


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("run_name: ../../x", "run_name.*一层文件夹"),
        ("run_name: ..", "run_name.*一层文件夹"),
        ("dataset_name: /etc", "dataset_name.*一层文件夹"),
        ("learning_rate: .inf", "learning_rate 要是有限的数"),
        ("min_text_height: .nan", "min_text_height 要是有限的数"),
        ("max_steps: .inf", "max_steps 要是有限的数"),
    ],
)
def test_a_name_stays_inside_its_folder_and_a_number_is_finite(line, words, tmp_path, monkeypatch):
    with pytest.raises(BadYaml, match=words):
        read(VisionRecipe, tmp_path, monkeypatch, line)


def test_a_chinese_name_is_a_name(tmp_path, monkeypatch):
    assert read(VisionRecipe, tmp_path, monkeypatch, "run_name: 我的-1.5b").run_name == "我的-1.5b"
