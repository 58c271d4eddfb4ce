"""没有 GPU 也能守住 Unsloth 分支：它传的每一个关键字，钉住的那一版 wheel 的源码里都要有。"""

import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from unittest import mock

import pytest

from health_assistant.training import loading, sft
from health_assistant.training.recipe import Recipe, VisionRecipe

ROOT = Path(__file__).resolve().parents[2]
PIN = re.search(r"^unsloth==(\S+)", (ROOT / "0-env-init/requirements-gpu.txt").read_text(encoding="utf-8"), re.M)[1]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, f"unsloth=={PIN}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    wheels = [*folder.glob("*.whl")]
    if not wheels:
        pytest.skip(f"下载不到 unsloth=={PIN}，它的关键字没有核对：{done.stderr.strip()[-200:]}")
    return zipfile.ZipFile(wheels[0])


def classes(wheel: zipfile.ZipFile, file: str) -> dict[str, ast.ClassDef]:
    tree = ast.parse(wheel.read(f"unsloth/models/{file}.py"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def parameters(owner: ast.ClassDef, function: str) -> set[str]:
    """类 owner 的方法 function 写明的参数名，**kwargs 不算。"""
    (method,) = (node for node in owner.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return {argument.arg for argument in (*method.args.args, *method.args.kwonlyargs)}


def keywords_we_pass(owner: str, recipe: Recipe) -> tuple[set[str], set[str]]:
    """载入这个配方时，传给 owner 的 from_pretrained 与 get_peft_model 的关键字；别的类不许碰。"""
    fast = mock.Mock(**{"from_pretrained.return_value": (None, None)})
    unsloth = mock.Mock(**{"FastLanguageModel": None, "FastVisionModel": None, owner: fast})
    with mock.patch.dict(sys.modules, unsloth=unsloth):
        loading._load_with_unsloth(Path("base"), recipe)
    return set(fast.from_pretrained.call_args.kwargs), set(fast.get_peft_model.call_args.kwargs)


@pytest.mark.parametrize(
    ("owner", "recipe", "loader", "adapts", "parent"),
    [
        # FastLanguageModel 继承 FastLlamaModel，后者给 Qwen2 也用
        ("FastLanguageModel", Recipe(), "FastLanguageModel", ("llama", "FastLlamaModel"), "FastLlamaModel"),
        # FastVisionModel 继承 FastModel；它的 get_peft_model 原样转给 FastBaseModel
        ("FastVisionModel", VisionRecipe(), "FastModel", ("vision", "FastBaseModel"), "FastModel"),
    ],
)
def test_unsloth_has_every_keyword_we_pass(wheel, owner, recipe, loader, adapts, parent):
    load, adapt = keywords_we_pass(owner, recipe)
    assert len(load) >= 5 and len(adapt) >= 6
    assert ({"finetune_vision_layers", "modules_to_save"} <= adapt) == recipe.vision
    loaders, (file, adapter) = classes(wheel, "loader"), adapts
    assert load <= parameters(loaders[loader], "from_pretrained")
    assert adapt <= parameters(classes(wheel, file)[adapter], "get_peft_model")
    assert [ast.unparse(base) for base in loaders[owner].bases] == [parent]


def test_unsloth_leaves_our_batches_alone(tmp_path):
    """Unsloth 会自动把批改成去填充的长行，除非 padding_free 明写为 False：我们写了。"""

    class Seen(Exception):
        pass

    with mock.patch("trl.SFTConfig", side_effect=Seen) as settings, pytest.raises(Seen):
        sft.build_trainer(Recipe(), None, None, [], [], tmp_path)
    assert settings.call_args.kwargs["padding_free"] is False


def test_the_statistics_switch_we_set_is_the_one_it_reads(wheel):
    assert any(b"UNSLOTH_DISABLE_STATISTICS" in wheel.read(name) for name in wheel.namelist() if name.endswith(".py"))


def test_the_pins_it_wants_are_the_ones_we_have(wheel):
    from importlib.metadata import version

    from packaging.requirements import Requirement

    (name,) = (one for one in wheel.namelist() if one.endswith(".dist-info/METADATA"))
    wanted = [line.removeprefix("Requires-Dist: ") for line in wheel.read(name).decode().splitlines()]
    checked = set()
    for line in wanted:
        if re.match(r"(transformers|trl|peft|datasets|accelerate)\b", line):
            requirement = Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": "huggingface"}):
                assert requirement.specifier.contains(version(requirement.name)), line
                checked.add(requirement.name)
    assert checked >= {"transformers", "trl"}
