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
strange = st.sampled_from(
    [-1, 0, 10**400, -(10**30), 1e308, float("nan"), float("inf"), "", "\ud800", "\x00", "<|im_end|>", "长" * 100_000]
    + [[], {}, [[]], [{}], [None], [""], ["a"] * 100, {"url": "data:image/png;base64,AAAA"}, "data:image/png;base64,"]
)
junk = nested | strange
part = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "image_url", "input_audio"]) | junk},
    optional={"text": junk, "image_url": junk | st.fixed_dictionaries({"url": junk})},
)
message = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "system", "tool", "robot"]) | junk},
    optional={"content": junk | st.lists(part | junk, max_size=3), "name": junk, "tool_calls": junk},
)
field = st.sampled_from([*GOOD, "max_tokens", "response_format", "tools", "logit_bias", "unknown"])
changes = st.dictionaries(field, junk, min_size=1, max_size=3)
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


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/tokenize"])
def test_no_request_breaks_the_server_or_hangs(llm_server, path):
    seen = []

    @settings(max_examples=100, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(bodies, hows, types)
    def send(body, how, content_type):
        headers = {"Authorization": f"Bearer {llm_server.api_key}", "Content-Type": content_type}
        url = llm_server.root + path
        response = requests.post(url, data=broken(body, how), headers=headers, timeout=SECONDS)
        seen.append(response.status_code)
        assert response.status_code < 500, response.text
        if response.status_code >= 400:
            error = response.json()["error"]
            assert set(error) == {"message", "type", "param", "code"}
            assert isinstance(error["message"], str)
            assert isinstance(error["code"], str)
            assert not error["message"].isascii(), "说明是中文的"

    send()
    assert len(seen) >= 100
    assert sum(status >= 400 for status in seen) / len(seen) > 0.5, "大多数应当是坏的"
    assert requests.get(llm_server.root + "/health", timeout=SECONDS).status_code == 200
