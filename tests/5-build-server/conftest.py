"""两个 transformers 服务：极小的语言模型带两个 LoRA，极小的视觉模型带一个。整个目录共用。"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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
def servers(llm, vl):
    """两个一起起，省时间：（语言模型的，视觉模型的）。"""
    adapters = [part for name, path in llm.adapters.items() for part in ("--adapter", f"{name}={path}")]
    llm_options = ["--model", llm.folder, "--served-model-name", "base", *adapters]
    vl_options = ["--model", vl.folder, "--adapter", f"tuned={vl.adapter}"]
    wanted = [
        model_servers.running("--backend", "transformers", *llm_options, api_key="sk-test"),
        model_servers.running("--backend", "transformers", *vl_options),
    ]
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        yield list(pool.map(stack.enter_context, wanted))


@pytest.fixture(scope="session")
def llm_server(servers):
    return servers[0]


@pytest.fixture(scope="session")
def vl_server(servers):
    return servers[1]


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
def embedded_server():
    with model_servers.running("--backend", "embedded") as server:
        yield server
