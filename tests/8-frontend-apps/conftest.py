"""阶段 8 的测试共用的。"""

import pytest
from web_app import HIGH, NORMAL, FakeService, answer


@pytest.fixture
def service():
    """自己起的一台小服务：网页，与两行的结果。"""
    with FakeService() as fake:
        fake.script = [answer([HIGH, NORMAL])]
        yield fake
