"""阶段 5 的回答，逐个字段对照 OpenAI 公布的接口：类型用 openai 包里的，必有的字段照它的接口说明。"""

import json

import pytest
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

# openai 包里可以是 null 的字段都有默认值，而接口说明要求它们必须在
REQUIRED = {
    "ChatCompletion": {"id", "object", "created", "model", "choices"},
    "Choice": {"index", "message", "finish_reason", "logprobs"},
    "ChatCompletionMessage": {"role", "content", "refusal"},
    "CompletionUsage": {"prompt_tokens", "completion_tokens", "total_tokens"},
    "ChatCompletionChunk": {"id", "object", "created", "model", "choices"},
    "ChunkChoice": {"index", "delta", "finish_reason"},
    "ChoiceDelta": set(),
    "Model": {"id", "object", "created", "owned_by"},
}
REPORT = '{"items": [{"name": "钾", "result": "5.6", "unit": "mmol/L", "reference_range": "3.5-5.3"}]}'


def check(kind: type[BaseModel], sent: dict) -> BaseModel:
    """sent 严格地是 kind：类型不用转换，没有多的字段，必有的都在。"""
    parsed = kind.model_validate_json(json.dumps(sent), strict=True)
    check_fields(parsed)
    return parsed


def check_fields(part: BaseModel) -> None:
    name = type(part).__name__
    if name == "Choice" and "delta" in type(part).model_fields:
        name = "ChunkChoice"
    assert not part.model_extra, f"{name} 里没有这些字段"
    assert part.model_fields_set >= REQUIRED[name]
    for field in part.model_fields_set:
        value = getattr(part, field)
        for inner in value if isinstance(value, list) else [value]:
            if isinstance(inner, BaseModel):
                check_fields(inner)


def test_the_check_itself_catches_a_wrong_answer():
    right = {"id": "m", "object": "model", "created": 1, "owned_by": "x"}
    check(Model, right)
    for change in ({"created": "1"}, {"more": 1}, {"object": "mode"}):
        with pytest.raises((ValueError, AssertionError)):
            check(Model, right | change)


@pytest.fixture(params=["embedded_server", "llm_server"])
def served(request):
    """（服务，一个可以照办的请求）。"""
    server = request.getfixturevalue(request.param)
    if request.param == "embedded_server":
        return server, {"model": "embedded-health-advisor", "messages": [{"role": "user", "content": REPORT}]}
    return server, {"model": "base", "messages": [{"role": "user", "content": "你好"}], "max_tokens": 20}


def test_models_list(served):
    server, _ = served
    with server.client() as client:
        listed = client.models.with_raw_response.list().http_response.json()
    assert set(listed) == {"object", "data"}
    assert listed["object"] == "list"
    for model in listed["data"]:
        check(Model, model)


def test_a_whole_answer(served):
    server, body = served
    completion = check(ChatCompletion, server.post(body).json())
    assert completion.choices[0].message.content
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens


@pytest.mark.parametrize("with_usage", [False, True])
def test_every_chunk_of_a_stream(served, with_usage):
    server, body = served
    options = {"stream": True} | ({"stream_options": {"include_usage": True}} if with_usage else {})
    response = server.post(body | options)
    assert response.headers["Content-Type"].split(";")[0] == "text/event-stream"
    events = [line for line in response.content.decode().split("\n\n") if line and not line.startswith(":")]
    assert events.pop() == "data: [DONE]"
    chunks = [json.loads(event.removeprefix("data: ")) for event in events]
    assert all(("usage" in chunk) == with_usage for chunk in chunks)
    parsed = [check(ChatCompletionChunk, chunk) for chunk in chunks]
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in parsed}) == 1
    if with_usage:
        assert parsed.pop().choices == []
    assert parsed[0].choices[0].delta.role == "assistant"
    assert parsed[-1].choices[0].finish_reason in ("stop", "length")
