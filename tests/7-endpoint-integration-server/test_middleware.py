"""服务的运行：密钥、限流、同时的上限、跨源、代理、计量、日志、设置写错时的话。"""

import io
import json
import logging
import subprocess
import sys
import threading
from pathlib import Path

import medical_report_server
import pytest
from medical_report import counters, create_app, views
from medical_report.middleware import log_as_json
from medical_report.settings import Settings

ROWS = {
    "report": {"items": [{"name": "钾", "code": "K", "result": "4.2", "unit": "mmol/L", "reference_range": "3.5-5.3"}]}
}


def client(**settings):
    return create_app(Settings(**settings)).test_client()


def advice(client, **options):
    return client.post("/advice", json=ROWS, buffered=True, **options)


# ---- 密钥 ----


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/advice"), ("POST", "/analyze_medical_report"), ("GET", "/status"), ("GET", "/status/data"),
     ("GET", "/status/status.js"), ("GET", "/metrics")],
)  # fmt: skip
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic OnNlY3JldDE="}])
def test_without_the_key_nothing_private_answers(method, path, headers):
    answer = client(api_key="secret").open(path, method=method, headers=headers)
    assert (answer.status_code, answer.json["code"]) == (401, "key_needed")
    assert ("WWW-Authenticate" in answer.headers) == (method == "GET"), "网页发的 POST 不该弹出浏览器的登录框"


@pytest.mark.parametrize("path", ["/", "/css/styles.css", "/health", "/openapi.json"])
def test_the_web_app_stays_readable_without_the_key(path):
    assert client(api_key="secret").get(path).status_code == 200


def test_the_key_opens_as_bearer_in_its_own_header_and_as_the_password_a_browser_asks_for():
    locked = client(api_key="secret")
    assert advice(locked, headers={"Authorization": "Bearer secret"}).status_code == 200
    assert advice(locked, auth=("anyone", "secret")).status_code == 200
    assert locked.get("/status", auth=("", "secret")).status_code == 200
    assert advice(locked, headers={"X-API-Key": "secret"}, auth=("for", "the-proxy")).status_code == 200
    assert advice(locked, headers={"X-API-Key": "wrong"}, auth=("for", "secret")).status_code == 401


def test_the_key_is_asked_for_before_the_body_is_read():
    answer = client(api_key="secret", max_upload_mb=1).post("/analyze_medical_report", data=b"x" * 3_000_000)
    assert answer.status_code == 401


def test_wrong_keys_are_slowed_down_and_then_even_the_right_one_waits():
    locked = client(api_key="secret", trusted_proxies=1)
    mine, other = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    guesses = [advice(locked, headers=mine | {"Authorization": f"Bearer {n}"}) for n in range(12)]
    assert [answer.status_code for answer in guesses] == [401] * 10 + [429] * 2
    assert guesses[-1].json["code"] == "rate_limited"
    assert "密钥" in guesses[-1].json["error"]
    assert 1 <= int(guesses[-1].headers["Retry-After"]) <= 60
    right = {"Authorization": "Bearer secret"}
    assert advice(locked, headers=mine | right).status_code == 429
    assert advice(locked, headers=other | right).status_code == 200


def test_asking_without_a_key_is_not_a_guess():
    locked = client(api_key="secret")
    assert {advice(locked).status_code for _ in range(15)} == {401}
    assert advice(locked, headers={"Authorization": "Bearer secret"}).status_code == 200


# ---- 太多 ----


def test_one_client_is_slowed_down_and_others_are_not():
    limited = client(rate_limit="3/minute", trusted_proxies=1)
    mine, other = {"X-Forwarded-For": "203.0.113.7"}, {"X-Forwarded-For": "203.0.113.8"}
    answers = [advice(limited, headers=mine) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[-1].json["code"] == "rate_limited"
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 60
    assert advice(limited, headers=other).status_code == 200
    assert limited.get("/health", headers=mine).status_code == 200


def test_a_client_cannot_pretend_to_be_others_when_no_proxy_is_trusted():
    limited = client(rate_limit="2/minute")
    answers = [advice(limited, headers={"X-Forwarded-For": f"203.0.113.{n}"}) for n in range(3)]
    assert answers[-1].status_code == 429


def test_more_than_the_limit_at_once_are_told_when_to_come_back(monkeypatch):
    started, go_on = threading.Event(), threading.Event()

    def slow(*_):
        started.set()
        assert go_on.wait(10)
        yield "done", {"report": {"items": []}, "timings_ms": {}}

    monkeypatch.setattr(views, "analyse_rows", slow)
    app = create_app(Settings(max_concurrent=1))
    first = threading.Thread(target=lambda: advice(app.test_client()))
    first.start()
    assert started.wait(10)
    second = advice(app.test_client())
    assert (second.status_code, second.json["code"], second.headers["Retry-After"]) == (429, "too_busy", "3")
    assert app.test_client().get("/health").status_code == 200
    go_on.set()
    first.join()
    monkeypatch.undo()
    assert advice(app.test_client()).status_code == 200


@pytest.mark.parametrize("body", [b"not json", b"{}", b"\xff\xfe"])
def test_a_failed_request_gives_its_place_back(body):
    narrow = client(max_concurrent=1)
    codes = [narrow.post("/advice", data=body, buffered=True).status_code for _ in range(3)]
    assert codes == [400, 400, 400]


# ---- 跨源、代理、头 ----


def test_other_origins_are_let_in_only_when_named():
    origin = {"Origin": "https://app.example"}
    assert "Access-Control-Allow-Origin" not in advice(client(), headers=origin).headers
    named = client(allowed_origins="https://app.example/", api_key="secret")
    preflight = {**origin, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    answer = named.options("/advice", headers=preflight)
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, "https://app.example")
    assert "Access-Control-Allow-Origin" not in advice(named, headers={"Origin": "https://evil.example"}).headers


@pytest.mark.parametrize("path", ["/", "/health", "/nowhere", "/status", "/metrics", "/openapi.json"])
def test_every_answer_carries_the_safe_headers(path):
    headers = client().get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert len(headers["X-Request-ID"]) == 16


# ---- 计量与日志 ----


def test_requests_and_errors_are_counted():
    app = client()
    before = app.get("/status/data").json
    advice(app)
    bad = app.post("/advice", data=b"{", buffered=True)
    after = app.get("/status/data").json
    assert after["requests"]["/advice 200"] == before["requests"].get("/advice 200", 0) + 1
    assert after["errors"]["invalid_report"] == before["errors"].get("invalid_report", 0) + 1
    assert after["recent_errors"][0]["request_id"] == bad.json["request_id"]
    assert 'health_requests_total{route="/advice",status="200"}' in app.get("/metrics").text


def test_unknown_addresses_do_not_grow_the_metrics():
    app = client()
    for n in range(5):
        app.get(f"/nowhere-{n}")
    assert "nowhere" not in app.get("/metrics").text


def test_percentiles_come_from_the_buckets():
    for _ in range(10):
        counters.STEP_SECONDS.labels("test").observe(0.5)
    step = counters.summarize_steps()["test"]
    assert (step["count"], step["mean"]) == (10, 0.5)
    assert 0.2 < step["p95"] <= 0.5
    for seconds in [0.01] * 19 + [1e6]:  # 中间的格子都空着：二十次里最慢的一次不算
        counters.STEP_SECONDS.labels("rare").observe(seconds)
    assert counters.summarize_steps()["rare"]["p95"] < 1


def test_a_programming_error_is_told_in_chinese_and_logged_without_content(monkeypatch):
    def broken(_analyst, rows, *_):
        raise KeyError(rows.items[0].name)
        yield

    monkeypatch.setattr(views, "analyse_rows", broken)
    log = io.StringIO()
    root = logging.getLogger()
    kept = root.handlers[:]
    root.handlers.clear()
    try:
        log_as_json()
        root.handlers[0].setStream(log)
        answer = advice(client())
    finally:
        root.handlers[:] = kept
    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    lines = [json.loads(line) for line in log.getvalue().splitlines()]
    failed = next(line for line in lines if line["level"] == "ERROR")
    assert (failed["error"], failed["request_id"]) == ("KeyError", answer.json["request_id"])
    assert "in broken" in failed["where"]
    assert "钾" not in log.getvalue()


def test_a_library_warning_is_a_line_of_json_too():
    say = "from medical_report.middleware import log_as_json; log_as_json(); import warnings; warnings.warn('旧了')"
    answer = subprocess.run(
        [sys.executable, "-c", say], cwd=Path(views.__file__).parents[1], capture_output=True, text=True, check=True
    )
    (line,) = [json.loads(line) for line in answer.stderr.splitlines()]
    assert (line["level"], line["name"], "旧了" in line["message"]) == ("WARNING", "py.warnings", True)


# ---- 起服务 ----


@pytest.mark.parametrize(
    ("arguments", "env", "said"),
    [
        ([], {"VISION_API_BASE": "http://127.0.0.1:1/v1"}, "VISION_MODEL"),
        ([], {"MAX_CONCURRENT": "many"}, "MAX_CONCURRENT"),
        ([], {"RATE_LIMIT": "often"}, "RATE_LIMIT 要写成 30/minute 这样"),
        ([], {"VISION_API_BASE": "127.0.0.1:8001/v1"}, "VISION_API_BASE 要写成 http://127.0.0.1:8001/v1 这样"),
        ([], {"TOTAL_SECONDS": "两分钟"}, "TOTAL_SECONDS 要写成数"),
        ([], {"VISION_SECONDS": "inf"}, "VISION_SECONDS 要是有限的数"),
        ([], {"ALLOWED_ORIGINS": "https://a.example, app.example"}, "ALLOWED_ORIGINS app.example 不是网页的来源"),
        ([], {"THREADS": "16", "MAX_CONCURRENT": "16"}, "THREADS（16）要大于 MAX_CONCURRENT（16）"),
        ([], {"API_KEY": "芝麻开门"}, "API_KEY 里有汉字"),
        ([], {"VISION_API_KEY": "sk-“1”"}, "VISION_API_KEY 里有汉字"),
        ([], {"ADVICE_API_KEY": "sk-1\n"}, "ADVICE_API_KEY 里有汉字、换行"),
        (["--env-file", "nowhere.env"], {}, "nowhere.env"),
        (["--certfile", "nowhere.pem"], {}, "nowhere.pem"),
    ],
)
def test_wrong_settings_are_said_plainly(arguments, env, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["medical_report_server.py", *arguments])
    monkeypatch.setattr(medical_report_server, "serve", lambda *_, **__: pytest.fail("起来了"))
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert medical_report_server.main() == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--port", "abc"], "--port 不能是 'abc'"),
        (["--prot", "8000"], "不认识的参数：--prot 8000"),
        (["--env-file"], "--env-file 后面要写一个值"),
        (["--port", "99999"], "端口要在 0 到 65535 之间"),
        (["--host", "203.0.113.1"], "这台机器没有这个地址"),
    ],
)
def test_a_wrong_command_line_is_said_in_chinese(arguments, said, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["medical_report_server.py", *arguments])
    monkeypatch.setattr(medical_report_server, "log_as_json", lambda: None)
    with pytest.raises(SystemExit) as end:
        medical_report_server.main()
    error = capsys.readouterr().err
    assert (end.value.code, said in error, "error" in error, "usage" in error) == (2, True, False, False)
