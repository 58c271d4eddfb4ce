"""整个目录共用的：内置引擎的服务、它读的照片；两个 transformers 服务，极小的语言模型带两个 LoRA，视觉的带一个。"""

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import model_servers
import pytest
import small_llm
import small_vl
from model_server.api import create_app
from model_server.transformers_backend import TransformersBackend
from PIL import Image
from sample_report import SAMPLE, row_box

STARTED = {"llm", "vl", "llm_server", "vl_server"}
ROWS_READ = 3


@pytest.fixture(scope="session")
def embedded_server():
    with model_servers.running("--backend", "embedded") as server:
        yield server


@pytest.fixture(scope="session")
def photo(tmp_path_factory):
    """示例化验单的页眉与前几行，读得快：path，与印着的 rows。"""
    path = tmp_path_factory.mktemp("photo") / "report.png"
    page = Image.open(SAMPLE.OUTPUT).convert("RGB")
    page.crop((0, 0, page.width, row_box(ROWS_READ + 1)[1] - 6)).save(path)
    return SimpleNamespace(path=path, rows=SAMPLE.ROWS[:ROWS_READ])


@pytest.fixture(scope="session", autouse=True)
def started(request, tmp_path_factory):
    """造好模型、起好两个服务要十几秒：有测试要用，就一开始在后台做，别的测试照跑。没有要用的为 None。"""
    if not any(STARTED.intersection(item.fixturenames) for item in request.session.items):
        yield None
        return
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        yield pool.submit(start, tmp_path_factory.mktemp("models"), stack, pool)


def start(home: Path, stack: ExitStack, pool: ThreadPoolExecutor) -> SimpleNamespace:
    """语言模型由 serve.py 服务；它在起的时候，造视觉模型，就在本进程里服务，省得再装一遍 torch。"""
    from transformers.utils import logging

    logging.disable_progress_bar()  # 后台的进度条会串进 pytest 的输出
    llm = build_llm(home / "llm")
    adapters = [part for name, path in llm.adapters.items() for part in ("--adapter", f"{name}={path}")]
    options = ["--backend", "transformers", "--model", llm.folder, "--served-model-name", "base", *adapters]
    starting = pool.submit(stack.enter_context, model_servers.running(*options, api_key="sk-test"))
    vl = build_vl(home / "vl")
    backend = TransformersBackend(str(vl.folder), {"tuned": vl.adapter}, str(vl.folder))
    vl_server = stack.enter_context(model_servers.serving(create_app(backend)))
    return SimpleNamespace(llm=llm, vl=vl, llm_server=starting.result(), vl_server=vl_server)


def build_llm(home: Path) -> SimpleNamespace:
    """极小的语言模型：folder、adapters。随机的权重，几乎不会自己停。"""
    from transformers import AutoModelForCausalLM

    folder = small_llm.build_small_base(home / "base")
    adapters = {}
    for seed, name in enumerate(("tuned-1.5", "other")):
        model = AutoModelForCausalLM.from_pretrained(folder)
        adapters[name] = model_servers.write_random_lora(model, home / name, seed, ["q_proj", "v_proj", "down_proj"])
    return SimpleNamespace(folder=folder, adapters=adapters)


def build_vl(home: Path) -> SimpleNamespace:
    """极小的视觉模型：folder（一页最多 100 个词元）、adapter（训练时一页最多 50 个）。"""
    from transformers import AutoModelForImageTextToText

    from health_assistant import artifacts
    from health_assistant.training.vision import save_processor

    base = small_vl.build_small_base(home / "base")
    save_processor(base, base, 100 * 784)
    model = AutoModelForImageTextToText.from_pretrained(base)
    targets = r".*language_model.*\.(q_proj|v_proj|down_proj)"
    adapter = model_servers.write_random_lora(model, home / "trained" / "adapter", 0, targets)
    artifacts.write_json(home / "trained" / "training.json", {"recipe": {"max_pixels": 50 * 784}})
    return SimpleNamespace(folder=base, adapter=adapter)


@pytest.fixture(scope="session")
def llm(started: Future):
    return started.result().llm


@pytest.fixture(scope="session")
def vl(started: Future):
    return started.result().vl


@pytest.fixture(scope="session")
def llm_server(started: Future):
    return started.result().llm_server


@pytest.fixture(scope="session")
def vl_server(started: Future):
    return started.result().vl_server
