"""阶段 7 的测试共用的。"""

import pytest

from health_assistant.lab_report.reading.reader import ReportReader


@pytest.fixture(scope="session")
def reader() -> ReportReader:
    """本进程里的应用共用的内置读者：模型装一次就够。"""
    return ReportReader()
