"""阶段 7 的测试共用的。"""

import pytest
from fake_upstreams import numbered_report, photo_of


@pytest.fixture(scope="session")
def photo() -> bytes:
    """仪器打的小条，只有四行，读得快：`numbered_report` 的 37 号，血红蛋白 107 偏低。"""
    return photo_of(numbered_report(37), 37, "analyser_slip")
