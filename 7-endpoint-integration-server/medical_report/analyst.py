"""读者与建议者：内置的，和设置里接的外部的模型。"""

import threading
import time
from concurrent.futures import Future
from functools import cached_property

from health_assistant.lab_report.report import Reading
from medical_report.settings import Settings
from medical_report.upload import Page
from medical_report.upstreams import Upstream


class Busy(RuntimeError):
    """排队的照片太多，或排到了时限。"""


class Analyst:
    """读者与建议者：内置的总在，外部的按设置。多个线程共用；这里没有任何一张报告的内容。"""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.vision = self.advice = None
        if settings.vision_api_base:
            self.vision = Upstream("vision", settings.vision_api_base, settings.vision_api_key, settings.vision_model)
        if settings.advice_api_base:
            self.advice = Upstream(
                "advice", settings.advice_api_base, settings.advice_api_key, settings.advice_model,
                settings.advice_extra_body,
            )  # fmt: skip
        self._slots = threading.BoundedSemaphore(settings.max_waiting)

    @cached_property
    def reader(self):
        """内置的读者，第一次用时装入。"""
        from health_assistant.lab_report.reading.reader import ReportReader

        return ReportReader()

    def asking_for(self, response_format: dict) -> dict | None:
        """请上游按格式写；设置里说不用的为 None，只靠提示词。"""
        return response_format if self.settings.structured_output == "json_schema" else None

    def start_reading(self, page: Page, wait_until: float | None = None) -> Future[Reading]:
        """内置读者开始读（或排队）；没有空位时抛 `Busy`，给了 wait_until（`time.monotonic` 的时刻）的等到那时。"""
        seconds = max(wait_until - time.monotonic(), 0) if wait_until else 0
        if not self._slots.acquire(timeout=seconds):
            raise Busy
        future = self.reader.start(page.upright)
        future.add_done_callback(lambda _: self._slots.release())
        return future
