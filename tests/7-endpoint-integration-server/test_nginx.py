"""前面是 nginx，15 秒没有动静就断开（默认 60 秒，测试等不起），别的都是默认：上游沉默 25 秒，结果照样到。慢。"""

import shutil
import threading

import pytest
import report_servers
import requests
from fake_upstreams import FakeUpstream, number_of, numbered_report
from reverse_proxies import nginx

pytestmark = pytest.mark.slow
NGINX_WAITS, SILENT_SECONDS = 15, 25


@pytest.fixture(autouse=True)
def needs_nginx():
    if not shutil.which("nginx", path="/usr/sbin:/usr/bin"):
        pytest.skip("!!! 没有 nginx：apt-get install nginx-light")


@pytest.fixture
def silent_vision():
    def answer(body: dict) -> str:
        threading.Event().wait(SILENT_SECONDS)
        return numbered_report(number_of(body)).model_dump_json()

    with FakeUpstream(answer) as upstream:
        yield upstream


def test_the_result_arrives_after_a_silence_longer_than_nginx_waits(silent_vision, photo, tmp_path):
    settings = {"VISION_API_BASE": silent_vision.api_base, "VISION_MODEL": "vl-7b", "VERIFY": "false"}
    with (
        report_servers.running(tmp_path / "log", **settings) as (server, _),
        nginx(server, tmp_path, NGINX_WAITS) as front,
    ):
        headers, files = {"Accept": "text/event-stream"}, {"image": ("x.png", photo)}
        answer = requests.post(
            f"{front}/analyze_medical_report", files=files, headers=headers, timeout=120, proxies={"http": ""}
        )
    assert answer.status_code == 200
    assert answer.content.count(b"\n\n:") >= SILENT_SECONDS // 12
    name, body = report_servers.events(answer.content)[-1]
    assert (name, body["engines"]["vision"]) == ("done", "vl-7b")
