"""杀掉正在忙的工作进程：主进程几秒内另起一个，后来的请求都对，没有半个回答。"""

import os
import signal
import threading
import time

import psutil
import pytest
import report_servers
import requests
from model_servers import came_up

ROWS = [{"name": "钾", "result": "4.2", "unit": "mmol/L", "reference_range": "3.5-5.3"}]
BACK_SECONDS = 15


@pytest.fixture
def server(tmp_path):
    with report_servers.running(tmp_path / "server.log") as running:
        yield running


@pytest.mark.slow
def test_a_killed_worker_is_replaced_and_leaves_nothing_half_done(server):
    url, process = server
    master = psutil.Process(process.pid)
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
    assert came_up(url, BACK_SECONDS, process)
    back = time.monotonic() - killed
    while len(answers) < before + 20 and time.monotonic() < killed + BACK_SECONDS:
        time.sleep(0.05)
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
