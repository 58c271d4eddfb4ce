"""一个上游：各家的说法不一样（断行、不是流、停的词、不接受的字段），代理、时限、再试、歇着。"""

import json
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_upstreams import FakeUpstream
from medical_report.upstreams import FAILURES_TO_OPEN, Upstream, UpstreamError
from pydantic import SecretStr

from health_assistant.addresses import is_this_machine

SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}}}
THINKING = {"chat_template_kwargs": {"enable_thinking": False}}
pytestmark = pytest.mark.usefixtures("wait_less")


@pytest.fixture
def fake():
    with FakeUpstream(lambda body: "好") as upstream:
        yield upstream


def upstream_of(fake: FakeUpstream, key: str = "secret", **options) -> Upstream:
    return Upstream("advice", fake.api_base, SecretStr(key), "llm-8b", **options)


def ask(upstream: Upstream, seconds: float = 10) -> str:
    messages = [{"role": "user", "content": "你好"}]
    return upstream.ask(messages, 100, time.monotonic() + seconds, response_format=SCHEMA)


def kind_of_failure(upstream: Upstream, seconds: float = 10) -> str:
    with pytest.raises(UpstreamError) as caught:
        ask(upstream, seconds)
    return caught.value.kind


def hear(fake: FakeUpstream, raw: str) -> str:
    """上游原样发 raw，读成什么；读不成是错误的种类。"""
    fake.behave("verbatim")
    fake.raw = raw
    try:
        return ask(upstream_of(fake))
    except UpstreamError as error:
        return error.kind


def delta(text: str, end: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": end}
    return f"data: {json.dumps({'choices': [choice]}, ensure_ascii=False)}\n\n"


# ---- 怎样说完 ----


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_real_newlines_end_a_line_of_the_stream(fake, odd):
    line = 'data: {"choices": [{"delta": {"content": "前' + odd + '后"}, "finish_reason": "stop"}]}'
    line = line.replace(odd, json.dumps(odd)[1:-1]) if odd < " " else line  # 控制字符在 JSON 里要转义
    assert hear(fake, f"{line}\n\ndata: [DONE]\n\n") == f"前{odd}后"


def test_windows_newlines_comments_and_a_byte_order_mark_are_understood(fake):
    raw = "\ufeff: 在排队\r\n\r\n" + (delta("好") + delta("", "stop")).replace("\n", "\r\n") + "data: [DONE]\r\n\r\n"
    assert hear(fake, raw) == "好"


def whole(message: dict, end: str | None = "stop") -> str:
    return json.dumps({"choices": [{"index": 0, "message": message, "finish_reason": end}]}, ensure_ascii=False)


PARTS = [{"type": "text", "text": "前"}, {"type": "text", "text": "后"}]
WHOLE_ANSWERS = {
    "one JSON": (whole({"role": "assistant", "content": "前后"}), "前后"),
    "one JSON after a newline": ("\n" + whole({"content": "前后"}), "前后"),
    "content in parts": (whole({"content": PARTS}), "前后"),
    "an odd end": (delta("前后") + delta("", "eos_token"), "前后"),
    "an end in capitals": (delta("前后", "STOP"), "前后"),
    "no delta at the end": (delta("前后") + 'data: {"choices": [{"finish_reason": "stop"}]}\n\n', "前后"),
    "a null delta at the end": (
        delta("前后") + 'data: {"choices": [{"delta": null, "finish_reason": "stop"}]}\n\n',
        "前后",
    ),
    "no end but DONE": (delta("前后") + "data: [DONE]\n\n", "前后"),
    "usage last": (delta("前后", "stop") + 'data: {"choices": [], "usage": {"total_tokens": 3}}\n\n', "前后"),
    "the last line without a newline": (delta("前后", "stop").rstrip("\n"), "前后"),
}
CUT_ANSWERS = {
    "one JSON cut at the limit": whole({"content": "前后"}, "length"),
    "one JSON without an end": whole({"content": "前后"}, None),
    "another word for the limit": delta("前后", "MAX_TOKENS") + "data: [DONE]\n\n",
    "a filter": delta("前后", "content_filter") + "data: [DONE]\n\n",
    "neither end nor DONE": delta("前后"),
    "an error in the middle": delta("前后") + 'data: {"error": {"message": "CUDA out of memory"}}\n\n',
    "a page of a login": "<html>请登录</html>",
}


@pytest.mark.parametrize(("raw", "read"), WHOLE_ANSWERS.values(), ids=WHOLE_ANSWERS)
def test_a_whole_answer_is_understood_however_it_is_said(fake, raw, read):
    assert hear(fake, raw) == read


@pytest.mark.parametrize("raw", CUT_ANSWERS.values(), ids=CUT_ANSWERS)
def test_a_cut_answer_is_never_taken_for_a_whole_one(fake, raw):
    assert hear(fake, raw) == "broken"


@pytest.mark.parametrize(
    ("text", "left"),
    [("<think>还没想完", ""), ("想\n</think>好", "好"), ("好<think>又想", "好"), ("[THINK]想[/THINK]好", "好")],
)
def test_thinking_is_stripped_as_in_the_evaluation(text, left, fake):
    fake.answer = lambda body: text
    assert ask(upstream_of(fake)) == left


# ---- 不接受的字段 ----

REFUSALS = {
    "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model.",
    "response_format": "This model does not support structured outputs",
    "chat_template_kwargs": "[{'type': 'extra_forbidden', 'loc': ('body', 'chat_template_kwargs')}]",
    "temperature": "Unsupported value: 'temperature' does not support 0 with this model",
    "stream": "Streaming is not supported",
}


@pytest.mark.parametrize("status", [400, 422, 501])
@pytest.mark.parametrize("field", REFUSALS)
def test_a_refused_field_is_left_out_from_then_on_and_said(fake, field, status, caplog):
    fake.behave("picky")
    fake.refused, fake.refused_with = {field: REFUSALS[field]}, status
    upstream = upstream_of(fake, extra_body=THINKING)
    with caplog.at_level(logging.WARNING):
        assert [ask(upstream), ask(upstream)] == ["好", "好"]
    assert [field in body for body in fake.requests] == [True, False, False]
    everything = {*REFUSALS, "model", "messages"}
    assert fake.requests[-1].keys() == everything - {field}
    assert upstream.left_out == {field: None}
    assert field in caplog.text


def test_several_refused_fields_are_left_out_one_after_another(fake):
    fake.behave("picky")
    fake.refused = dict(REFUSALS)
    upstream = upstream_of(fake, extra_body=THINKING)
    assert [ask(upstream), ask(upstream)] == ["好", "好"]
    assert len(fake.requests) == len(REFUSALS) + 2
    assert fake.requests[-1].keys() == {"model", "messages"}


def test_a_new_name_for_the_limit_is_used(fake):
    fake.behave("picky")
    fake.refused = {"max_tokens": "'max_tokens' is not supported. Use 'max_completion_tokens' instead."}
    upstream = upstream_of(fake)
    assert ask(upstream) == "好"
    assert fake.requests[-1]["max_completion_tokens"] == 100
    fake.refused["max_completion_tokens"] = "max_completion_tokens: extra field"
    assert ask(upstream) == "好"
    assert not {"max_tokens", "max_completion_tokens"} & fake.requests[-1].keys()


def test_a_field_inside_another_is_found(fake):
    fake.behave("picky")
    fake.refused = {"chat_template_kwargs": "parameter.enable_thinking is invalid"}
    upstream = upstream_of(fake, extra_body=THINKING)
    assert ask(upstream) == "好"
    assert upstream.left_out == {"chat_template_kwargs": None}


def test_a_refusal_told_with_status_200_is_understood(fake):
    fake.behave("verbatim", "ok")
    fake.raw = '{"error": {"message": "response_format is not supported", "code": 400}}'
    upstream = upstream_of(fake)
    assert ask(upstream) == "好"
    assert upstream.left_out == {"response_format": None}


def test_a_refusal_that_names_no_field_is_not_asked_again(fake):
    fake.behave("picky")
    fake.refused = {"model": "the input contains inappropriate content"}
    with pytest.raises(UpstreamError) as caught:
        ask(upstream_of(fake))
    assert (caught.value.kind, len(fake.requests)) == ("rejected", 1)


# ---- 代理 ----


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "LOCALHOST", "127.1.2.3", "[::1]", "0.0.0.0", "a.localhost."]
)
def test_this_machine_has_many_names(host):
    assert is_this_machine(f"http://{host}:8001/v1")


@pytest.mark.parametrize("host", ["192.168.1.20", "127.0.0.1.example", "localhost.example", "10.0.0.1", "[fe80::1]"])
def test_other_machines_are_not_this_one(host):
    assert not is_this_machine(f"http://{host}:8001/v1")


def test_an_upstream_on_this_machine_is_never_asked_through_a_proxy(fake, proxy):
    assert ask(upstream_of(fake)) == "好"
    assert not proxy.requests


# ---- 代理、时限、再试、歇着 ----


def test_a_proxy_in_the_environment_is_used_unless_it_is_told_not_to(proxy, monkeypatch):
    def far_away() -> Upstream:
        return Upstream("advice", "http://upstream.invalid/v1", SecretStr(""), "llm-8b")

    assert ask(far_away()) == "经过代理"
    monkeypatch.setenv("no_proxy", "upstream.invalid")
    assert kind_of_failure(far_away(), 1) in ("unreachable", "timeout")
    assert len(proxy.requests) == 1


@pytest.mark.parametrize("behaviour", ["slow", "stalled", "endless"])
def test_no_upstream_is_waited_for_longer_than_its_time(fake, behaviour):
    fake.answer = lambda body: "x" * 100
    fake.behave(behaviour)
    assert kind_of_failure(upstream_of(fake), 0.4) == "timeout"
    assert (len(fake.requests), fake.completed) == (1, []), "没有等它说完"


@pytest.mark.parametrize(
    ("behaviour", "kind", "times"),
    [
        ("crash", "server_error", 3),
        ("refuse", "unreachable", 3),
        ("half", "unreachable", 3),
        ("broken_json", "broken", 3),
        ("cut", "broken", 3),
        ("huge", "too_large", 1),
        ("unauthorized", "misconfigured", 1),
        ("redirect", "server_error", 3),
    ],
)
def test_a_failure_has_its_kind_and_only_what_may_pass_is_tried_again(fake, behaviour, kind, times):
    fake.answer = lambda body: "答" * 100
    fake.behave(behaviour)
    assert kind_of_failure(upstream_of(fake)) == kind
    assert len(fake.requests) == times


def test_a_passing_failure_is_not_seen(fake):
    fake.behave("crash", "ok")
    assert ask(upstream_of(fake)) == "好"
    assert len(fake.requests) == 2


def test_retry_after_is_honoured_within_the_time(fake):
    fake.behave("limit", "ok")
    assert ask(upstream_of(fake)) == "好"
    assert kind_of_failure(upstream_of(fake), 0.9) == "busy"
    assert len(fake.requests) == 3, "等不到再问的时候，就不等了"


def test_a_dead_upstream_is_left_alone_and_then_tried_by_one(fake):
    fake.behave("crash")
    upstream = upstream_of(fake)
    for _ in range(2):
        kind_of_failure(upstream)
    assert (upstream.state, len(fake.requests)) == ("open", FAILURES_TO_OPEN)
    assert kind_of_failure(upstream) == "resting"
    assert len(fake.requests) == FAILURES_TO_OPEN
    upstream._breaker.reset_timeout = 0
    fake.behave("late")
    with ThreadPoolExecutor(8) as pool:
        outcomes = [future.exception() for future in [pool.submit(ask, upstream) for _ in range(8)]]
    assert sum(one is None for one in outcomes) >= 1
    assert len(fake.requests) == FAILURES_TO_OPEN + sum(one is None for one in outcomes)
    assert upstream.state == "closed"


def test_a_rejected_request_does_not_count_against_the_upstream(fake):
    fake.behave("limit")
    upstream = upstream_of(fake)
    for _ in range(FAILURES_TO_OPEN + 1):
        kind_of_failure(upstream, 0.5)
    assert upstream.state == "closed"


def test_a_key_that_cannot_be_sent_is_a_failure_of_the_upstream_like_any_other():
    """设置会拦住它；万一没有拦住，也是 UpstreamError，由内置的顶上。"""
    with FakeUpstream(lambda body: "好") as fake, pytest.raises(UpstreamError):
        ask(upstream_of(fake, "密钥"))


def test_calls_to_one_upstream_run_side_by_side(fake):
    """八个都问到了，上游才答。"""
    together = threading.Barrier(8)

    def answer(body: dict) -> str:
        together.wait(10)
        return "好"

    fake.answer, upstream = answer, upstream_of(fake)
    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(ask, [upstream] * 8)] == ["好"] * 8
