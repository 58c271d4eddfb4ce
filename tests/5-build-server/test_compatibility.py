"""阶段 5 与真的客户端：模型名、跨域、各种写法的 data: URL、用量；做不到的说出来，无害的照收。"""

import base64
import json
import logging

import openai
import pytest
import requests
from model_server.api import create_app
from model_server.data_url import check_data_url, decode_data_url
from model_server.protocol import Answer

from health_assistant.lab_report.report import Reading, ReadRow
from health_assistant.lab_report.vl_protocol import read_report_schema

READER, ADVISOR = "embedded-report-reader", "embedded-health-advisor"
POTASSIUM = {"name": "钾", "code": "K", "result": "4.2", "unit": "mmol/L", "reference_range": "3.5-5.3"}
QUESTION = [{"role": "user", "content": json.dumps({"items": [POTASSIUM]})}]


class Echo:
    models = ("base", "/模型/merged", "org/qwen")

    def answer(self, chat):
        return Answer(iter(["好"]))


@pytest.fixture
def http():
    return create_app(Echo(), "sk-1", ["https://app.example"]).test_client()


KEY = {"Authorization": "Bearer sk-1"}
HELLO = {"model": "base", "messages": [{"role": "user", "content": "你好"}]}


@pytest.fixture
def servers(embedded_server, llm_server, vl_server):
    return {"embedded": embedded_server, "llm": llm_server, "vl": vl_server}


# ---- 密钥 ----


def test_keys_cannot_be_guessed_one_after_another(http):
    """错得太多的先不看，对的也一样；另一个地址不受影响。"""

    def ask(key: str, address: str = "203.0.113.7") -> tuple[int, dict]:
        answer = http.get("/v1/models", headers={"X-API-Key": key}, environ_base={"REMOTE_ADDR": address})
        return answer.status_code, answer

    assert ask("sk-1")[0] == 200
    assert [ask(f"wrong-{number}")[0] for number in range(11)] == [401] * 10 + [429]
    status, refused = ask("sk-1")
    assert (status, refused.json["error"]["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert ask("sk-1", "203.0.113.8")[0] == 200


# ---- 模型 ----


@pytest.mark.parametrize("name", ["embedded", "llm", "vl"])
def test_every_listed_model_can_be_retrieved(servers, name):
    """vl 的第一个模型名是个目录，开头是 /。"""
    with servers[name].client() as client:
        for listed in client.models.list().data:
            assert client.models.retrieve(listed.id) == listed
        with pytest.raises(openai.NotFoundError) as caught:
            client.models.retrieve("gpt-0")
        assert caught.value.code == "model_not_found"


@pytest.mark.parametrize("path", ["base", "%2F模型%2Fmerged", "/模型/merged", "org/qwen", "org%2Fqwen"])
def test_names_with_slashes_are_found_however_they_are_quoted(http, path):
    assert http.get(f"/v1/models/{path}", headers=KEY).status_code == 200


# ---- 跨域 ----


def test_only_allowed_origins_may_ask(http):
    allow = "Access-Control-Allow-Origin"
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    for origin, allowed in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
        asked = http.options("/v1/chat/completions", headers={"Origin": origin} | preflight)
        assert (asked.status_code, asked.headers.get(allow)) == (200, allowed), "预检不带密钥"
        whole = http.post("/v1/chat/completions", headers=KEY | {"Origin": origin}, json=HELLO)
        stream = http.post("/v1/chat/completions", headers=KEY | {"Origin": origin}, json=HELLO | {"stream": True})
        error = http.post("/v1/chat/completions", headers={"Origin": origin}, json=HELLO)
        for answer, status in ((whole, 200), (stream, 200), (error, 401)):
            assert (answer.status_code, answer.headers.get(allow)) == (status, allowed)
    assert "authorization" in asked.headers.get("Access-Control-Allow-Headers", "authorization")


def test_nobody_may_by_default():
    answer = create_app(Echo()).test_client().post("/v1/chat/completions", headers={"Origin": "null"}, json=HELLO)
    assert (answer.status_code, answer.headers.get("Access-Control-Allow-Origin")) == (200, None)


# ---- data: URL ----

BYTES = bytes(range(256)) * 3 + b"~?>"  # 编成 base64 有 + 与 /，末尾要补 =
PLAIN = base64.b64encode(BYTES + b"!").decode()


@pytest.mark.parametrize(
    "url",
    [
        f"data:image/png;base64,{PLAIN}",
        f"DATA:IMAGE/JPEG;BASE64,{PLAIN}",
        f"data:image/jpeg;charset=utf-8;base64,{PLAIN}",
        f"data:image/jpeg; name=a.jpg ;base64,{PLAIN}",
        f"data:image/heic;base64,{PLAIN}",
        f"data:image/heif;base64,{PLAIN}",
        f"data:application/octet-stream;base64,{PLAIN}",
        f"data:;base64,{PLAIN}",
        f" data:image/png;base64,{PLAIN}\n",
        "data:image/png;base64," + base64.encodebytes(BYTES + b"!").decode(),
        "data:image/png;base64," + base64.encodebytes(BYTES + b"!").decode().replace("\n", "\r\n"),
        f"data:image/png;base64,{PLAIN.rstrip('=')}",
        "data:image/png;base64," + base64.urlsafe_b64encode(BYTES + b"!").decode(),
        "data:image/png;base64," + PLAIN.replace("+", "%2B").replace("/", "%2F").replace("=", "%3D"),
        "data:image/png," + "".join(f"%{byte:02x}" for byte in BYTES + b"!"),
    ],
)
def test_every_way_to_write_a_data_url(url):
    assert PLAIN.endswith("=") and "+" in PLAIN and "/" in PLAIN
    check_data_url(url)
    assert decode_data_url(url) == BYTES + b"!"


@pytest.mark.parametrize("data", ["AA!A", "AAAAA", "AA=A", "数据"])
def test_broken_base64_is_said(data):
    with pytest.raises(ValueError):
        decode_data_url(f"data:image/png;base64,{data}")


@pytest.mark.parametrize(
    "url", ["data:text/html;base64,AAAA", "data:image/png;base64", "image/png;base64,AAAA", " HTTPS://a/b.png", ""]
)
def test_what_is_no_data_url_of_an_image_is_refused(url):
    with pytest.raises(ValueError, match="data:"):
        check_data_url(url)


# ---- 用量 ----


def test_the_embedded_engine_counts_characters(embedded_server):
    body = {
        "model": ADVISOR,
        "messages": [{"role": "system", "content": "你好"}, *QUESTION],
        "max_completion_tokens": 5,
    }
    whole = embedded_server.post(body).json()
    asked, answered = 2 + len(QUESTION[0]["content"]), len(whole["choices"][0]["message"]["content"])
    wanted = {"prompt_tokens": asked, "completion_tokens": answered, "total_tokens": asked + answered}
    assert whole["usage"] == wanted
    stream = embedded_server.post(body | {"stream": True, "stream_options": {"include_usage": True}}).text
    *_, last, done, _ = stream.split("\n\n")
    assert (json.loads(last.removeprefix("data: "))["usage"], done) == (wanted, "data: [DONE]")


# ---- 做不到的 ----


SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
TOOL = {"type": "function", "function": {"name": "look", "parameters": {}}}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"response_format": SCHEMA}, "response_format"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}}}, "tool_choice"),
        ({"functions": [], "function_call": {"name": "look"}}, "function_call"),
        ({"logprobs": True}, "logprobs"),
        ({"modalities": ["text", "audio"]}, "modalities"),
    ],
)
@pytest.mark.parametrize("name", ["embedded", "llm"])
@pytest.mark.parametrize("stream", [False, True])
def test_what_cannot_be_honoured_is_refused(servers, name, change, param, stream):
    server, model = servers[name], ADVISOR if name == "embedded" else "base"
    answer = server.post({"model": model, "messages": QUESTION, "max_tokens": 3, "stream": stream} | change)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("unsupported_parameter", param)
    assert "做不到" in error["message"] and "去掉它" in error["message"]


@pytest.mark.parametrize(
    "change",
    [
        {"response_format": {"type": "text"}},
        {"response_format": None, "tools": None, "tool_choice": None, "logprobs": None, "modalities": None},
        {"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
        {"tools": [TOOL]},
        {"tool_choice": "none", "logprobs": False, "top_logprobs": None, "modalities": ["text"]},
        {
            "frequency_penalty": 0.5,
            "presence_penalty": 0,
            "logit_bias": {},
            "user": "u",
            "metadata": {},
            "store": False,
        },
        {"chat_template_kwargs": {"enable_thinking": False}, "reasoning_effort": "low", "service_tier": "auto"},
    ],
)
@pytest.mark.parametrize("name", ["embedded", "llm"])
def test_what_is_harmless_is_accepted(servers, name, change):
    server, model = servers[name], ADVISOR if name == "embedded" else "base"
    answer = server.post({"model": model, "messages": QUESTION, "max_tokens": 3} | change)
    assert answer.status_code == 200, answer.text


def test_the_reader_gives_json_of_its_own_schema_only(embedded_server):
    body = {"model": READER, "messages": QUESTION, "response_format": SCHEMA}
    assert embedded_server.post(body).json()["error"]["param"] == "response_format"
    own = {"type": "json_schema", "json_schema": {"name": "read_report", "schema": read_report_schema()}}
    for wanted in (own, {"type": "json_object"}):
        error = embedded_server.post(body | {"response_format": wanted}).json()["error"]
        assert error["code"] == "one_image_needed", "格式可以，只是没有图"


def test_ignored_fields_are_logged_once_without_their_values(http, caplog):
    body = HELLO | {"some_field": "秘密", "another\nfield": 1, "tools": [TOOL]}
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            assert http.post("/v1/chat/completions", headers=KEY, json=body).status_code == 200
    (line,) = [record.getMessage() for record in caplog.records if "some_field" in record.getMessage()]
    assert "tools" in line and "秘密" not in line and "\n" not in line


# ---- 整张单子上要说的话 ----


def test_what_was_not_read_is_carried_to_the_advice(embedded_server):
    """读者说有一部分没有读：经过接口也要说出来，而且不能是未见异常。"""
    notice = "超声、血压没有读，请看原件。"
    sent = Reading(items=[ReadRow(**POTASSIUM, confidence=0.99)], engine="x", notices=[notice])
    advice = {}
    for name, one in (("with", sent), ("without", sent.model_copy(update={"notices": []}))):
        body = {"model": ADVISOR, "messages": [{"role": "user", "content": one.model_dump_json()}]}
        answer = requests.post(f"{embedded_server.url}/chat/completions", json=body, timeout=30).json()
        advice[name] = answer["choices"][0]["message"]["content"]
    assert notice in advice["with"] and notice not in advice["without"]
    assert advice["with"].startswith("### 请先看")
