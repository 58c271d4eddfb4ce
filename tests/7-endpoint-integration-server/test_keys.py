"""密钥不能一个接一个地猜。"""

import pytest
from medical_report import create_app
from medical_report.settings import Settings

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
