"""评测一个 OpenAI 兼容的接口：先看它答不答这个模型，再交给 EvalScope。"""

import os

from health_assistant.addresses import bypass_proxy
from health_assistant.api_keys import check_key
from health_assistant.command_line import BadInput

CONNECT_SECONDS, ANSWER_SECONDS = 10, 600


def check_endpoint(api_base: str, model: str) -> None:
    """连不上、密钥不对、没有这个模型时抛 BadInput，免得每一题都等到重试用完。

    接口列出了这个模型就不多问；没有列出（有的只列一部分，有的不列）才试问一句，错了把它的话和它有的模型说出来。
    """
    import openai

    bypass_proxy(api_base)
    client = openai.OpenAI(base_url=api_base, api_key=_key(), max_retries=0, timeout=ANSWER_SECONDS)
    names = []
    try:
        names = [model_info.id for model_info in client.with_options(timeout=CONNECT_SECONDS).models.list()]
    except openai.APIConnectionError as error:
        raise BadInput(
            f"连不上接口 {api_base}：{type(error.__cause__ or error).__name__}。先起服务，或改 --api-base"
        ) from None
    except (openai.APIError, AttributeError):  # 不列模型；或回的是网页
        pass
    if model in names:
        return
    try:
        client.chat.completions.create(model=model, messages=[{"role": "user", "content": "你好"}], max_tokens=1)
    except openai.APIStatusError as error:
        if error.status_code < 500 and error.status_code != 429:  # 那些是一时的，问的时候会重试
            raise BadInput(_refusal(api_base, model, error, names)) from None
    except openai.APIError:
        pass


def _refusal(api_base: str, model: str, error, names: list[str]) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = f"接口 {api_base} 不答模型 {model}：{error.status_code} {body.get('message') or ''}".strip()
    if error.status_code in (401, 403):
        return f"{said}。密钥放在环境变量 OPENAI_API_KEY"
    return f"{said}。" + (f"它有的模型：{'、'.join(names[:10])}" if names else "看看 --api-base 是不是写到 /v1 为止")


def endpoint_task(api_base: str, model: str, max_tokens: int, concurrency: int) -> dict:
    """一个 OpenAI 兼容接口怎样交给 EvalScope：贪心解码，同时问 concurrency 题，一个回答最多 max_tokens 个词元。"""
    bypass_proxy(api_base)
    return {
        "eval_type": "openai_api",
        "model": model,
        "api_url": api_base,
        "api_key": _key(),
        # 重试交给 openai 的客户端：它会逐次延长等待，也听服务端的 Retry-After
        "model_args": {"max_retries": 4},
        "generation_config": {"max_tokens": max_tokens, "temperature": 0.0, "timeout": ANSWER_SECONDS, "retries": 1},
        "eval_batch_size": concurrency,
    }


def _key() -> str:
    key = os.environ.get("OPENAI_API_KEY") or "EMPTY"
    check_key(key, "OPENAI_API_KEY")
    return key
