"""没有 GPU 也能守住 vLLM 的命令：每个配方拼出的命令行，由钉住的那一版 vLLM 自己的参数解析器来读。"""

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml
from model_server.vllm_command import VllmRecipe, vllm_command
from model_servers import ROOT, SERVE
from stage_scripts import run_well

from health_assistant import artifacts
from health_assistant.checked_yaml import load_yaml
from health_assistant.command_line import BadInput

CONFIGS = sorted((ROOT / "5-build-server/configs").glob("*.yaml"))
REQUIREMENTS = ROOT / "0-env-init/requirements-vllm.txt"
VLLM = re.search(r"^vllm==(\S+)", REQUIREMENTS.read_text(encoding="utf-8"), re.M)[0]

# vLLM 的解析器导入时要的小包；大的（torch、transformers、numpy）用课程环境里的
SMALL_PACKAGES = ["apache-tvm-ffi", "blake3", "cachetools", "cbor2", "cloudpickle", "llguidance", "msgspec"]
SMALL_PACKAGES += ["oss-harmony", "partial-json-parser", "py-cpuinfo", "pybase64", "pyzmq", "xgrammar"]

# 没有 GPU 时 vLLM 猜不出平台；告诉它是 CPU，解析器与 GPU 上是同一份代码
PARSE = """
import dataclasses, json, sys
import vllm.platforms
from vllm.platforms.cpu import CpuPlatform
vllm.platforms._current_platform = CpuPlatform()
from vllm.entrypoints.launchers.cli_args import make_arg_parser, validate_parsed_serve_args
from vllm.utils.argparse_utils import FlexibleArgumentParser
parser = make_arg_parser(FlexibleArgumentParser())
parsed = []
for command in json.load(sys.stdin):
    args = parser.parse_args(command)
    validate_parsed_serve_args(args)
    parsed.append(vars(args))
plain = lambda one: dataclasses.asdict(one) if dataclasses.is_dataclass(one) else str(one)
json.dump(parsed, sys.stdout, default=plain)
"""


def command_of(config: Path, **changes) -> list[str]:
    given = {"model": None, "adapters": {}, "host": "127.0.0.1", "port": 8001, "served_model_name": None}
    return vllm_command(config, **given | changes)


def written(folder: Path, **settings) -> Path:
    config = folder / "recipe.yaml"
    config.write_text(yaml.safe_dump({"model": "m", "max_model_len": 512} | settings), encoding="utf-8")
    return config


# ---- 配方 ----


def test_the_command_line_wins_over_the_recipe(tmp_path):
    config = written(tmp_path, served_model_name="name", adapters={"mine": "llm/r"}, max_lora_rank=64)
    command = command_of(config, model="/other", adapters={"second": "/b,c"}, port=9, served_model_name="new")
    assert command[:3] == ["vllm", "serve", "/other"]
    assert command[command.index("--port") + 1] == "9"
    assert command[command.index("--served-model-name") + 1] == "new"
    modules = [json.loads(one) for one in command[command.index("--lora-modules") + 1 :]]
    assert modules == [
        {"name": "mine", "path": str(artifacts.llm_dir("r") / "adapter")},
        {"name": "second", "path": "/b,c"},
    ]
    assert command[command.index("--max-loras") + 1] == "2"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"max_len": 5}, "max_len 是不认识的键"),
        ({"max_model_len": "很长"}, "max_model_len 写的是 '很长'，要写成整数"),
        ({"max_model_len": True}, "要写成整数"),
        ({"dtype": "int4"}, "只能是 'auto'"),
        ({"tensor_parallel_size": 0}, "至少是 1"),
        ({"gpu_memory_utilization": 1.5}, "至多是 1"),
        ({"model": None}, "没有写 model 或 merged"),
        ({"merged": "../x"}, "要符合"),
        ({"adapters": {"a": "somewhere"}}, "要符合"),
        ({"max_pixels": 99999}, "images_per_prompt"),
    ],
)
def test_a_wrong_recipe_is_explained(tmp_path, settings, words):
    with pytest.raises(BadInput, match=re.escape(words)):
        command_of(written(tmp_path, **settings))


@pytest.mark.parametrize(
    ("text", "words"), [("- 1", "一行一项"), ("a: [", "不是 YAML"), (None, "读不了.*recipe.yaml：没有这个文件")]
)
def test_a_file_that_is_no_recipe_is_explained(tmp_path, text, words):
    config = tmp_path / "recipe.yaml"
    if text is not None:
        config.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=words):
        command_of(config)


def test_the_page_budget_is_the_one_of_training():
    """服务时缩图的大小与训练时不同，读出来的就不一样。"""
    served = [VllmRecipe.model_validate(load_yaml(one)) for one in CONFIGS]
    seen = [one for one in served if (one.merged or "").startswith("vl/")]
    assert seen
    for one in seen:
        training = ROOT / f"6-fine-tuning-vl/configs/{one.merged.removeprefix('vl/')}.yaml"
        settings = load_yaml(training)
        assert one.max_pixels == settings["max_pixels"]
        assert one.max_model_len >= settings["max_length"]


def test_adapters_fit_the_rank_they_were_trained_with():
    for config in CONFIGS:
        recipe = VllmRecipe.model_validate(load_yaml(config))
        for which in recipe.adapters.values():
            training = ROOT / f"3-fine-tuning-llm/configs/{which.removeprefix('llm/')}.yaml"
            assert load_yaml(training)["lora_r"] <= recipe.max_lora_rank


# ---- vLLM 自己的解析器 ----


@pytest.fixture(scope="module")
def parsed(tmp_path_factory) -> dict[str, dict]:
    """配方名 -> vLLM 读出来的参数。命令由 serve.py --dry-run 给。"""
    folder = tmp_path_factory.mktemp("vllm")
    pip = [sys.executable, "-m", "pip"]
    download = [*pip, "download", "-q", "--no-deps", "--only-binary=:all:", "-d", folder, VLLM]
    done = subprocess.run(download, capture_output=True, text=True, timeout=900)
    wheels = [*folder.glob("vllm-*.whl")]
    if not wheels:
        pytest.skip(f"下载不到 {VLLM}（326 MB），配方没有核对：{done.stderr.strip()[-200:]}")
    with zipfile.ZipFile(wheels[0]) as wheel:
        wheel.extractall(folder / "code", [name for name in wheel.namelist() if not name.endswith(".so")])
    wheels[0].unlink()
    install = [*pip, "install", "-q", "--no-deps", "--target", folder / "small", *SMALL_PACKAGES]
    subprocess.run(install, check=True, timeout=300)

    commands = []
    for config in CONFIGS:
        options = ["--backend", "vllm", "--config", config, "--dry-run"]
        command = shlex.split(run_well(artifacts.artifacts_dir(), SERVE, *options, here=True))
        assert command[:2] == ["vllm", "serve"]
        commands.append(command[2:])
    paths = os.pathsep.join([str(folder / "code"), str(folder / "small"), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", PARSE],
        input=json.dumps(commands),
        env=os.environ | {"PYTHONPATH": paths, "VLLM_NO_USAGE_STATS": "1", "VLLM_LOGGING_LEVEL": "ERROR"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(zip([config.stem for config in CONFIGS], json.loads(done.stdout), strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("config", CONFIGS, ids=lambda one: one.stem)
def test_vllm_reads_what_the_recipe_says(parsed, config):
    """名字写错、值不在范围里、JSON 不成，vLLM 的解析器都会退出；读出来的还要与配方相同。"""
    recipe = VllmRecipe.model_validate(load_yaml(config))
    read = parsed[config.stem]
    same = ["dtype", "max_model_len", "gpu_memory_utilization", "distributed_executor_backend"]
    same += ["tensor_parallel_size", "pipeline_parallel_size", "data_parallel_size"]
    for name in same:
        assert read[name] == getattr(recipe, name)
    assert read["served_model_name"] == [recipe.served_model_name]
    assert read["model_tag"] == (recipe.model or str(artifacts.artifacts_dir() / recipe.merged / "merged"))
    assert (read["host"], read["port"]) == ("127.0.0.1", 8001)
    assert read["allowed_origins"] == [], "默认谁也不许可跨域"
    assert {one["name"] for one in read["lora_modules"] or []} == set(recipe.adapters)
    assert bool(read["enable_lora"]) == bool(recipe.adapters)
    if recipe.images_per_prompt:
        assert read["limit_mm_per_prompt"] == {"image": recipe.images_per_prompt, "video": 0}
        assert read["mm_processor_kwargs"] == {"max_pixels": recipe.max_pixels}
        assert len(read["allowed_media_domains"]) == 1
    thinking = None if recipe.enable_thinking is None else {"enable_thinking": recipe.enable_thinking}
    assert read["default_chat_template_kwargs"] == thinking


@pytest.mark.slow
def test_json_schema_answers_work_without_an_option(parsed):
    """阶段 7 请求里的 response_format 不用另开；模板、请求日志都是默认的：模板用检查点的，不记内容。"""
    for read in parsed.values():
        assert read["structured_outputs_config"]["backend"] == "auto"
        assert read["chat_template"] is None
        assert read["enable_log_requests"] is False


@pytest.mark.slow
def test_every_kind_of_recipe_is_there(parsed):
    assert any(read["lora_modules"] for read in parsed.values())
    assert any(read["tensor_parallel_size"] * read["data_parallel_size"] > 1 for read in parsed.values())
    assert any(read["distributed_executor_backend"] == "ray" for read in parsed.values())
    assert any(read["limit_mm_per_prompt"] for read in parsed.values())
