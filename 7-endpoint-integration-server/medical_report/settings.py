"""服务的设置，来自环境变量。"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

from health_assistant.artifacts import ROOT

_UPSTREAM_VARIABLES = ("VISION_API_BASE", "ADVICE_API_BASE")


@dataclass(frozen=True)
class Settings:
    max_upload_mb: int = 20
    max_waiting: int = 6
    """同时在读和排队的照片数，再多就答 503；要小于服务的线程数，好让 /health 总能答话。"""
    web_app: Path = ROOT / "8-frontend-apps" / "HealthAssistantWebApp"

    @classmethod
    def from_environment(cls) -> "Settings":
        """MAX_UPLOAD_MB、MAX_WAITING；没有设的用默认值。"""
        given = {name: os.environ.get(name.upper()) for name in ("max_upload_mb", "max_waiting")}
        return cls(**{name: int(value) for name, value in given.items() if value})


def warn_about_unused_variables() -> None:
    """外部的视觉模型与建议模型还没有接上；设了变量的人要知道。"""
    for name in _UPSTREAM_VARIABLES:
        if os.environ.get(name):
            logging.getLogger(__name__).warning("设了 %s，但现在还不会调用外部模型，仍用内置引擎。", name)
