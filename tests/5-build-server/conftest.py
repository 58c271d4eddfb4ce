"""两个 transformers 服务：极小的语言模型带两个 LoRA，极小的视觉模型带一个。整个目录共用。"""

from types import SimpleNamespace

import model_servers
import pytest
import small_llm
import small_vl


@pytest.fixture(scope="session")
def llm(tmp_path_factory):
    """极小的语言模型：folder、adapters。随机的权重，几乎不会自己停。"""
    from transformers import AutoModelForCausalLM

    home = tmp_path_factory.mktemp("llm")
    folder = small_llm.build_small_base(home / "base")
    adapters = {}
    for seed, name in enumerate(("tuned-1.5", "other")):
        model = AutoModelForCausalLM.from_pretrained(folder)
        adapters[name] = model_servers.write_random_lora(model, home / name, seed, ["q_proj", "v_proj", "down_proj"])
    return SimpleNamespace(folder=folder, adapters=adapters)


@pytest.fixture(scope="session")
def llm_server(llm):
    adapters = [part for name, path in llm.adapters.items() for part in ("--adapter", f"{name}={path}")]
    options = ["--backend", "transformers", "--model", llm.folder, "--served-model-name", "base", *adapters]
    with model_servers.running(*options, api_key="sk-test") as server:
        yield server


@pytest.fixture(scope="session")
def vl(tmp_path_factory):
    """极小的视觉模型：folder（一页最多 100 个标记）、adapter（训练时一页最多 50 个）。"""
    from transformers import AutoModelForImageTextToText

    from health_assistant import artifacts
    from health_assistant.training.vision import save_processor

    home = tmp_path_factory.mktemp("vl")
    base = small_vl.build_small_base(home / "base")
    save_processor(base, base, 100 * 784)
    model = AutoModelForImageTextToText.from_pretrained(base)
    targets = r".*language_model.*\.(q_proj|v_proj|down_proj)"
    adapter = model_servers.write_random_lora(model, home / "trained" / "adapter", 0, targets)
    artifacts.write_json(home / "trained" / "training.json", {"recipe": {"max_pixels": 50 * 784}})
    return SimpleNamespace(folder=base, adapter=adapter)


@pytest.fixture(scope="session")
def vl_server(vl):
    options = ["--backend", "transformers", "--model", vl.folder, "--adapter", f"tuned={vl.adapter}"]
    with model_servers.running(*options) as server:
        yield server


@pytest.fixture(scope="session")
def embedded_server():
    with model_servers.running("--backend", "embedded") as server:
        yield server
