"""服务的设置：来自环境变量，或 `.env` 文件。字段名的大写就是变量名。"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as BadValue

from health_assistant.addresses import read_origins
from health_assistant.api_keys import key_problem
from health_assistant.artifacts import ROOT
from health_assistant.wrong_values import what_is_wrong


class SettingsError(ValueError):
    """设置写得不对。消息逐条说明是哪个变量。"""


_EXAMPLES = {"API_BASE": "http://127.0.0.1:8001/v1", "RATE_LIMIT": "30/minute"}
"""照样式写的设置，各举一个例子：变量名的结尾 -> 例子。"""


ApiBase = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(gt=0)]
Origins = Annotated[
    tuple[str, ...], NoDecode, BeforeValidator(lambda text: read_origins(text) if isinstance(text, str) else text)
]


class Settings(BaseSettings):
    """没有设 VISION_API_BASE 的用内置读者，没有设 ADVICE_API_BASE 的用内置建议者。"""

    model_config = SettingsConfigDict(env_ignore_empty=True, extra="ignore", frozen=True)

    # 上游：任何 OpenAI 兼容的接口。本机的常常不要密钥
    vision_api_base: ApiBase | None = None
    vision_api_key: SecretStr = SecretStr("")
    vision_model: str = ""
    advice_api_base: ApiBase | None = None
    advice_api_key: SecretStr = SecretStr("")
    advice_model: str = ""
    advice_extra_body: dict[str, Any] = {"chat_template_kwargs": {"enable_thinking": False}}
    """随建议的请求一起发的字段，JSON；默认关掉 Qwen3 的思考。不认识它的接口设为 {}。"""
    structured_output: Literal["json_schema", "none"] = "json_schema"

    # 每一步与全程的时限
    vision_seconds: Seconds = 60
    advice_seconds: Seconds = 60
    total_seconds: Seconds = 120

    verify: bool = True
    """视觉模型读的每一行，要不要内置读者再读一遍来核对。"""
    max_waiting: Count = 6
    """内置读者同时在读和排队的照片数；它一张一张读。"""
    max_concurrent: Count = 16
    """同时在分析的照片数，再多就答 429；要小于 threads，好让 /health 总能答话。"""
    threads: Count = 24
    max_upload_mb: Count = 20

    # 谁能用
    api_key: SecretStr = SecretStr("")
    rate_limit: Annotated[str, Field(pattern=r"^[1-9]\d*/(second|minute|hour|day)$")] = "30/minute"
    """一个地址来的请求，多少次每 second、minute、hour、day。"""
    allowed_origins: Origins = ()
    trusted_proxies: Annotated[int, Field(ge=0)] = 0

    web_app: Path = ROOT / "8-frontend-apps" / "HealthAssistantWebApp"

    @model_validator(mode="after")
    def _fits_together(self) -> "Settings":
        for name in ("vision", "advice"):
            if getattr(self, f"{name}_api_base") and not getattr(self, f"{name}_model"):
                raise ValueError(f"设了 {name.upper()}_API_BASE，还要设 {name.upper()}_MODEL：用哪个模型")
        for name in ("api_key", "vision_api_key", "advice_api_key"):
            problem = key_problem(getattr(self, name).get_secret_value(), name.upper())
            if problem:
                raise ValueError(problem)
        if self.threads <= self.max_concurrent:
            raise ValueError(
                f"THREADS（{self.threads}）要大于 MAX_CONCURRENT（{self.max_concurrent}）：/health 也要线程答"
            )
        return self


def load_settings(env_file: str | Path | None = None) -> Settings:
    """环境变量优先，其次是 env_file（不给则看 HEALTH_ASSISTANT_ENV）；有错抛 `SettingsError`。"""
    env_file = env_file or os.environ.get("HEALTH_ASSISTANT_ENV")
    if env_file and not Path(env_file).is_file():
        raise SettingsError(f"没有这个设置文件：{env_file}")
    try:
        return Settings(_env_file=env_file)
    except ValidationError as error:
        raise SettingsError("\n".join(map(_describe, error.errors()))) from error
    except BadValue as error:
        raise SettingsError("ADVICE_EXTRA_BODY 应当是一个 JSON 对象，如 {}") from error


def _describe(problem: Mapping[str, Any]) -> str:
    """一条错误；不印出值，它可能是密钥。"""
    name = str(problem["loc"][0]).upper() if problem["loc"] else ""
    example = next((sample for end, sample in _EXAMPLES.items() if name.endswith(end)), None)
    is_of_form = problem["type"] == "string_pattern_mismatch"
    return f"{name} 要写成 {example} 这样" if example and is_of_form else f"{name} {what_is_wrong(problem)}".strip()
