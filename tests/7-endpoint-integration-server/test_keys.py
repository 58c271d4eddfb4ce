"""密钥不能一个接一个地猜；写不进 HTTP 头的密钥不会让人顶不上。"""

import time

import pytest
import test_client
from fake_upstreams import FakeUpstream
from medical_report import create_app
from medical_report.settings import Settings
from medical_report.upstreams import Upstream, UpstreamError
from pydantic import SecretStr

ROWS = {"report": {"items": [{"name": "钾", "code": "K", "result": "4.2", "unit": "mmol/L"}]}}


def client(**settings):
    return create_app(Settings(**settings)).test_client()


def advice(client, **options):
    return client.post("/advice", json=ROWS, buffered=True, **options)


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


@pytest.mark.parametrize("path", ["/status", "/status/data", "/metrics"])
def test_keys_are_not_guessed_on_the_operators_pages_either(path):
    locked = client(api_key="secret")
    codes = [locked.get(path, auth=("anyone", f"wrong-{n}")).status_code for n in range(11)]
    assert codes == [401] * 10 + [429]


def test_asking_without_a_key_is_not_a_guess():
    locked = client(api_key="secret")
    assert {advice(locked).status_code for _ in range(15)} == {401}
    assert advice(locked, headers={"Authorization": "Bearer secret"}).status_code == 200


def test_a_key_that_cannot_be_sent_is_a_failure_of_the_upstream_like_any_other():
    """设置会拦住它；万一没有拦住，也是 UpstreamError，由内置的顶上。"""
    with FakeUpstream(lambda body: "好") as fake, pytest.raises(UpstreamError):
        Upstream("vision", fake.api_base, SecretStr("密钥"), "vl").ask([], 9, time.monotonic() + 5)


def test_the_client_says_that_a_key_cannot_be_sent(tmp_path, monkeypatch, capsys):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    monkeypatch.setattr("sys.argv", ["test_client.py", str(photo), "--key", "芝麻开门"])
    assert test_client.main() == 2
    assert "--key 或 API_KEY 里有汉字" in capsys.readouterr().err
