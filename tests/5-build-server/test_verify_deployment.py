"""上线前的关卡：好的部署通过；没有合并的 LoRA、换了的模板、不同的缩放、错的 adapter，各自被它抓住。

真的文件、真的服务进程，模型极小。没有写服务的地址时只核对文件。
"""

import json
import shutil
import sys
from pathlib import Path

import model_servers
import pytest
import verify_deployment
from served_model import Trained

from health_assistant import artifacts
from health_assistant.training import merging, vision

SUM, FILE_TOKENS = "合并 = 基座 + LoRA", "模板与分词：训练 ↔ 合并后的文件"
SERVED_TOKENS, ANSWERS = "模板与分词：训练 ↔ 服务", "贪心的回答：检查点 ↔ 服务"
FEW_TOKENS = ("--max-tokens", "8")  # 错的几个词元就看得出
RESIZE, IMAGE_TOKENS = "图的缩放：训练 ↔ 合并后的文件", "图的词元数：训练 ↔ 服务"


def deploy(folder: Path, kind: str, base: Path, adapter: Path, max_pixels: int | None = None) -> Path:
    """阶段 3 或 6 训练、合并之后的目录：真的合并，分词器与缩放照训练存。"""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    shutil.copytree(adapter, folder / "adapter")
    tokenizer.save_pretrained(folder / "adapter")
    probe = tokenizer("血压150/95mmHg", return_tensors="pt")
    merging.merge_adapter(base, adapter, dict(probe), vision=kind == "vl").save_pretrained(folder / "merged")
    tokenizer.save_pretrained(folder / "merged")
    if max_pixels:
        vision.save_processor(base, folder / "merged", max_pixels)
    record = {"base_model": str(base), "recipe": {"max_pixels": max_pixels} if max_pixels else {}}
    artifacts.write_json(folder / "training.json", record)
    return folder


@pytest.fixture(scope="module")
def good_llm(llm, tmp_path_factory):
    return deploy(tmp_path_factory.mktemp("good") / "llm", "llm", llm.folder, llm.adapters["tuned-1.5"])


@pytest.fixture(scope="module")
def good_vl(vl, tmp_path_factory):
    return deploy(tmp_path_factory.mktemp("good") / "vl", "vl", vl.folder, vl.adapter, 50 * 784)


@pytest.fixture
def home(tmp_path, good_llm, good_vl, monkeypatch):
    """可以弄坏的一份产物：llm/r 与 vl/r。"""
    monkeypatch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path))
    monkeypatch.delenv("MODEL_SERVER_API_KEY", raising=False)
    shutil.copytree(good_llm, artifacts.llm_dir("r"))
    shutil.copytree(good_vl, artifacts.vl_dir("r"))
    return tmp_path


@pytest.fixture
def gate(home, monkeypatch, capsys):
    """运行关卡：退出码，没有通过的检查（名字 -> 说明），通过的名字。没有表时，第二项是标准错误。"""

    def run(*options: str) -> tuple[int, dict[str, str] | str, list[str]]:
        monkeypatch.setattr(sys, "argv", ["verify_deployment.py", "--recipe", "r", *options])
        code = verify_deployment.main()
        shown = capsys.readouterr()
        rows = [line.strip("| ").split(" | ") for line in shown.out.splitlines() if line.startswith("| ")][1:]
        failed = {row[0]: row[2] for row in rows if row[1] == "✗"}
        return code, failed if rows else shown.err, [row[0] for row in rows if row[1] == "✓"]

    return run


def change_json(file: Path, **changes) -> None:
    artifacts.write_json(file, json.loads(file.read_text(encoding="utf-8")) | changes)


def change_tensor(file: Path, name: str, change) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(file)
    tensors[name] = change(tensors[name])
    save_file(tensors, file, metadata={"format": "pt"})


# ---- 只有文件 ----


def test_good_files_pass_and_the_missing_server_is_said(gate):
    code, failed, passed = gate()
    assert (code, passed) == (0, [SUM, FILE_TOKENS]), failed
    assert gate("--kind", "vl")[2] == [SUM, FILE_TOKENS, RESIZE]


def test_an_unmerged_lora_is_caught(gate, llm):
    shutil.copy(llm.folder / "model.safetensors", artifacts.llm_dir("r") / "merged/model.safetensors")
    code, failed, _ = gate()
    assert (code, set(failed)) == (1, {SUM})
    assert "与基座 0.00e+00" in failed[SUM]


@pytest.mark.parametrize("damage", ["另一次训练的 adapter", "缩放不对"])
def test_a_merge_of_something_else_is_caught(gate, llm, damage):
    adapter = artifacts.llm_dir("r") / "adapter"
    if damage == "缩放不对":
        change_json(adapter / "adapter_config.json", lora_alpha=32)
    else:
        shutil.copy(llm.adapters["other"] / "adapter_model.safetensors", adapter)
    code, failed, _ = gate()
    assert (code, set(failed)) == (1, {SUM})


@pytest.mark.parametrize("kind", ["llm", "vl"])
def test_a_single_layer_left_unmerged_is_caught(gate, kind, llm, vl):
    from safetensors.torch import load_file

    name = "model.layers.1.mlp.down_proj.weight"
    base = load_file({"llm": llm, "vl": vl}[kind].folder / "model.safetensors")[name]
    change_tensor(artifacts.artifacts_dir() / kind / "r/merged/model.safetensors", name, lambda _: base)
    code, failed, _ = gate("--kind", kind)
    assert (code, set(failed)) == (1, {SUM})


def test_sixteen_bit_merges_pass_and_wrong_ones_do_not(gate, llm):
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    folder, base = artifacts.llm_dir("r"), artifacts.llm_dir("r") / "base16"
    AutoModelForCausalLM.from_pretrained(llm.folder, dtype=torch.bfloat16).save_pretrained(base)
    change_json(folder / "training.json", base_model=str(base))
    for adapter, expected in ((folder / "adapter", set()), (llm.adapters["other"], {SUM})):
        model = AutoModelForCausalLM.from_pretrained(base, dtype="auto")
        PeftModel.from_pretrained(model, adapter).merge_and_unload().save_pretrained(folder / "merged")
        code, failed, _ = gate()
        assert (code, set(failed)) == (len(expected), expected), failed


def test_a_swapped_template_in_the_files_is_caught(gate):
    template = artifacts.llm_dir("r") / "merged/chat_template.jinja"
    template.write_text(template.read_text(encoding="utf-8").replace("Alibaba Cloud", "Nobody"), encoding="utf-8")
    code, failed, _ = gate()
    assert (code, set(failed)) == (1, {FILE_TOKENS})
    assert "不同的共 3 处" in failed[FILE_TOKENS], "有一段自带 system，不受影响"


def test_a_different_resize_in_the_files_is_caught(gate):
    settings = artifacts.vl_dir("r") / "merged/preprocessor_config.json"
    change_json(settings, max_pixels=100 * 784, size={"shortest_edge": 3136, "longest_edge": 100 * 784})
    code, failed, _ = gate("--kind", "vl")
    assert (code, set(failed)) == (1, {RESIZE})
    assert "训练 3136、39200，合并后的文件 3136、78400" in failed[RESIZE]


def test_what_cannot_be_checked_is_bad_input(gate):
    code, said, _ = gate("--recipe", "none")
    assert (code, "先运行 3-fine-tuning-llm/train_llm.py" in said) == (2, True)
    shutil.rmtree(artifacts.vl_dir("r") / "merged")
    code, said, _ = gate("--kind", "vl")
    assert (code, "先运行 6-fine-tuning-vl/merge_vl.py" in said) == (2, True)
    change_json(artifacts.llm_dir("r") / "training.json", base_model=str(artifacts.llm_dir("r") / "adapter"))
    code, said, _ = gate()
    assert (code, said.startswith("✗")) == (2, True)


# ---- 文件与服务 ----


@pytest.fixture
def served_llm(gate, llm_server):
    """基座与两个 LoRA 都在这个服务上，训练的是 tuned-1.5。"""
    return lambda *options: gate("--base-url", llm_server.url, "--api-key", llm_server.api_key, *options)


@pytest.fixture
def served_vl(gate, vl_server):
    return lambda *options: gate("--kind", "vl", "--base-url", vl_server.url, *options)


def test_a_good_deployment_passes(served_llm, served_vl):
    code, failed, passed = served_llm("--model", "tuned-1.5")
    assert (code, passed) == (0, [SUM, FILE_TOKENS, SERVED_TOKENS, ANSWERS]), failed
    code, failed, passed = served_vl("--model", "tuned")
    assert (code, passed[3:]) == (0, [SERVED_TOKENS, IMAGE_TOKENS, ANSWERS]), failed


@pytest.mark.parametrize("name", ["base", "other"])
def test_a_served_base_or_a_wrong_adapter_is_caught(served_llm, name):
    code, failed, _ = served_llm("--model", name, *FEW_TOKENS)
    assert (code, set(failed)) == (1, {ANSWERS})
    assert "检查点答" in failed[ANSWERS]


def test_a_template_unlike_that_of_training_is_caught(served_llm):
    folder = artifacts.llm_dir("r")
    for part in ("adapter", "merged"):
        template = folder / part / "chat_template.jinja"
        template.write_text(template.read_text(encoding="utf-8").replace("helpful", "careful"), encoding="utf-8")
    code, failed, _ = served_llm("--model", "tuned-1.5", *FEW_TOKENS)
    assert code == 1
    assert SERVED_TOKENS in failed


def test_a_page_seen_in_another_size_is_caught(served_vl):
    """服务按 50 个词元缩，训练时是 60 个。"""
    change_json(artifacts.vl_dir("r") / "training.json", recipe={"max_pixels": 60 * 784})
    merged = artifacts.vl_dir("r") / "merged"
    vision.save_processor(merged, merged, 60 * 784)
    code, failed, _ = served_vl("--model", "tuned", *FEW_TOKENS)
    assert code == 1
    assert IMAGE_TOKENS in failed
    assert "服务数到" in failed[IMAGE_TOKENS]


def test_a_server_that_does_not_answer_is_bad_input(gate, llm_server):
    nobody = f"http://127.0.0.1:{model_servers.free_port()}/v1"
    for options, words in (
        (["--base-url", nobody], "连不上服务"),
        (["--base-url", llm_server.url, "--api-key", "wrong"], "密钥不对"),
        (["--base-url", llm_server.url, "--api-key", "sk-test", "--model", "gpt-0"], "没有 gpt-0，有 base、tuned-1.5"),
    ):
        code, said, _ = gate(*options)
        assert (code, words in said) == (2, True), said


@pytest.mark.parametrize(
    ("dtype", "same", "passed"), [("bfloat16", 2, True), ("bfloat16", 1, False), ("float32", 3, False)]
)
def test_only_sixteen_bit_answers_may_differ_and_only_half_of_them(home, dtype, same, passed):
    """16 位在不同的程序里舍入不同，有的题会从两个几乎一样可能的词元起分岔。"""

    class Merged:
        def __init__(self):
            self.dtype = dtype

        def answer(self, inputs, max_tokens):
            return "好"

    class Server:
        answers = iter(["好"] * same + ["坏"] * 4)

        def answer(self, messages, max_tokens):
            return next(self.answers), 0

    folder = artifacts.llm_dir("r")
    trained = Trained(folder, folder, None)
    assert verify_deployment.check_answers(trained, Merged(), Server(), 8).passed is passed


def test_a_passed_check_is_remembered_until_something_changes(served_llm, gate):
    assert gate("--recall")[0] == 1
    assert served_llm("--model", "tuned-1.5", *FEW_TOKENS)[0] == 0
    assert gate("--recall")[0] == 0
    merged = artifacts.llm_dir("r") / "merged/generation_config.json"
    merged.write_text(merged.read_text(encoding="utf-8") + " ", encoding="utf-8")
    assert gate("--recall")[0] == 1


def test_only_files_or_a_failed_check_are_not_remembered(served_llm, gate):
    gate()
    served_llm("--model", "base", *FEW_TOKENS)
    assert gate("--recall")[0] == 1
