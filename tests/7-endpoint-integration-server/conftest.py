"""阶段 7 的测试共用的。"""

import pytest
from fake_upstreams import FakeUpstream, number_of, numbered_report, photo_of
from medical_report import create_app, upstreams
from medical_report.analysis import get_analyst
from medical_report.settings import Settings


@pytest.fixture(scope="session")
def photo() -> bytes:
    """仪器打的小条，只有四行，读得快：`numbered_report` 的 37 号，血红蛋白 107 偏低。"""
    return photo_of(numbered_report(37), 37, "analyser_slip")


@pytest.fixture
def wait_less(monkeypatch):
    """再试之前少等一会儿，测试快些；次序与次数不变。"""
    monkeypatch.setattr(upstreams, "FIRST_WAIT_SECONDS", 0.01)


@pytest.fixture
def vision():
    """认得出编号的视觉模型。"""
    with FakeUpstream(lambda body: numbered_report(number_of(body)).model_dump_json()) as upstream:
        yield upstream


@pytest.fixture
def make_client(reader):
    """在本进程里的服务，接着哪几个上游、另有什么设置由测试说；返回 Flask 的测试客户端。"""

    def make(vision=None, advisor=None, **settings):
        if vision:
            settings |= {"vision_api_base": vision.api_base, "vision_model": "vl-7b", "vision_api_key": "vision-secret"}
        if advisor:
            settings |= {"advice_api_base": advisor.api_base, "advice_model": "llm-8b"}
        app = create_app(Settings(rate_limit="10000/minute", **settings))
        get_analyst(app).reader = reader
        return app.test_client()

    return make


@pytest.fixture
def proxy(monkeypatch):
    """环境变量里设着的代理：去问它，它就记下来。"""
    with FakeUpstream(lambda body: "经过代理") as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.api_base.removesuffix("/v1"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "")
        yield proxy
