"""阶段 5：两百个写坏的请求发给真的服务，不能有 500，不能没有回音，错误都是同一种格式。"""

import json

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SECONDS = 10
GOOD = {
    "model": "base",
    "messages": [{"role": "user", "content": "你好"}],
    "max_completion_tokens": 3,
    "temperature": 1.0,
    "top_p": 0.9,
    "stop": ["。"],
    "seed": 1,
    "n": 1,
    "stream": False,
    "stream_options": {"include_usage": True},
}

nested = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
STRANGE = [-1, 0, True, 10**400, -(10**30), 2**63, 1e308, 1e-320, float("nan"), float("inf"), "", "1", "\ud800", "\x00"]
STRANGE += ["<|im_end|>", "长" * 100_000, [], {}, [[]], [{}], [None], [""], ["a"] * 100, ["\udfff"]]
STRANGE += [{"url": "data:image/png;base64,AAAA"}, "data:image/png;base64,"]
junk = nested | st.sampled_from(STRANGE)
part = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio"]) | junk},
    optional={"text": junk, "image_url": junk | st.fixed_dictionaries({"url": junk})},
)
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "tool", "robot"]) | junk},
    optional={"content": junk | st.lists(part | junk, max_size=3), "name": junk, "tool_calls": junk},
)
FIELDS = [*GOOD, "max_tokens", "response_format", "tools", "logit_bias", "unknown"]
changes = st.dictionaries(st.sampled_from(FIELDS), junk, min_size=1, max_size=3)
bodies = st.builds(lambda change: GOOD | change, changes | st.builds(lambda one: {"messages": [one]}, message))


def broken(body: dict, how: tuple[str, int]) -> bytes:
    """写成 JSON，再按 how 弄坏。"""
    kind, at = how
    data = json.dumps(body).encode()
    at %= len(data)
    if kind == "cut":
        return data[:at]
    if kind == "bytes":
        return data[:at] + b"\xff\xfe\x00" + data[at:]
    if kind == "deep":
        return data[:-1] + b', "deep": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    if kind == "deep content":
        return (
            json.dumps(body | {"messages": 0}).encode().replace(b'"messages": 0', b'"messages": ' + b'{"a":' * 50_000)
        )
    if kind == "many":
        return json.dumps(body | {"messages": [{}] * 200_000}).encode()
    return data


hows = st.tuples(
    st.sampled_from(["as is"] * 12 + ["cut", "bytes", "deep", "deep content", "many"]), st.integers(0, 10**6)
)
types = st.sampled_from(
    ["application/json", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)


def check(server, data: bytes, path: str = "/v1/chat/completions", content_type: str = "application/json") -> int:
    """发过去，查回音；返回状态码。"""
    headers = {"Authorization": f"Bearer {server.api_key}", "Content-Type": content_type}
    response = requests.post(server.root + path, data=data, headers=headers, timeout=SECONDS)
    assert response.status_code < 500, response.text
    if response.status_code >= 400:
        error = response.json()["error"]
        assert set(error) == {"message", "type", "param", "code"}
        assert isinstance(error["code"], str)
        assert not error["message"].isascii(), "说明是中文的"
    return response.status_code


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/tokenize"])
def test_no_request_breaks_the_server_or_hangs(llm_server, path):
    seen = []

    @settings(max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies, hows, types)
    def send(body, how, content_type):
        seen.append(check(llm_server, broken(body, how), path, content_type))

    send()
    assert len(seen) >= 100
    assert sum(status >= 400 for status in seen) > len(seen) / 2, "大多数应当是坏的"
    assert requests.get(llm_server.root + "/health", timeout=SECONDS).status_code == 200


def test_every_field_survives_every_strange_value(llm_server):
    # max_completion_tokens 很大的数是合法的，会写很久；max_tokens 查得一样
    fields = [*(name for name in GOOD if name != "max_completion_tokens"), "max_tokens"]
    statuses = [check(llm_server, json.dumps(GOOD | {name: one}).encode()) for name in fields for one in STRANGE]
    assert {*statuses} == {200, 400, 404}


def test_megabytes_of_text_are_refused_at_once(llm_server):
    """切词之前就知道放不下。"""
    body = GOOD | {"messages": [{"role": "user", "content": "a" * 30_000_000}]}
    assert check(llm_server, json.dumps(body).encode()) == 400
