"""杀掉正在忙的工作进程：主进程几秒内另起一个，后来的请求都对，没有半个回答。"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import requests

ROOT = Path(__file__).resolve().parent.parent.parent
SERVER = ROOT / "7-endpoint-integration-server/medical_report_server.py"
ROWS = [{"name": "钾", "result": "4.2", "unit": "mmol/L", "reference_range": "3.5-5.3"}]
BACK_SECONDS = 15


@pytest.fixture
def server(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, SERVER, "--port", str(port)],
            env={**os.environ, "RATE_LIMIT": "100000/minute"},
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    assert came_up(url, 60)
    yield url, psutil.Process(process.pid)
    process.terminate()
    process.wait(timeout=20)


def came_up(url: str, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            return requests.get(f"{url}/health", timeout=1).status_code == 200
        except requests.RequestException:
            time.sleep(0.1)
    return False


def test_a_killed_worker_is_replaced_and_leaves_nothing_half_done(server):
    url, master = server
    stop, answers, dropped = threading.Event(), [], []

    def keep_asking(number: int) -> None:
        while not stop.is_set():
            result = f"{3 + number / 10:.1f}"
            rows = [{**ROWS[0], "result": result}]
            try:
                answer = requests.post(f"{url}/advice", json={"report": {"items": rows}}, timeout=BACK_SECONDS)
                answers.append((result, answer))
            except requests.RequestException:
                dropped.append(time.monotonic())
                time.sleep(0.05)

    askers = [threading.Thread(target=keep_asking, args=(number,)) for number in range(6)]
    for asker in askers:
        asker.start()
    while len(answers) < 20 and not dropped:
        time.sleep(0.05)
    (worker,) = master.children()
    before = len(answers)
    os.kill(worker.pid, signal.SIGKILL)
    killed = time.monotonic()
    assert came_up(url, BACK_SECONDS)
    back = time.monotonic() - killed
    time.sleep(1)
    stop.set()
    for asker in askers:
        asker.join()

    assert len(answers) > before, "又在答了"
    assert back < BACK_SECONDS
    assert [one.pid for one in master.children()] != [worker.pid]
    for result, answer in answers:
        assert answer.status_code == 200
        (item,) = answer.json()["report"]["items"]
        assert item["result"] == result, "答的是自己问的那一张"
        assert item["flag"] == ("low" if float(result) < 3.5 else "normal")
    assert all(moment >= killed - 0.5 for moment in dropped), "杀之前一个也没有断"
