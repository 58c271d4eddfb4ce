"""有敌意的、坏的 PDF：各有各的说法，没有 500，内存不比照片多，什么都不落盘，也不拖住别人。"""

import os
import signal
import sys
import threading
import time

import psutil
import pytest
import requests
from hostile_files import content
from hostile_pdfs import HOSTILE_PDFS
from hostile_uploads import MAX_GROWTH_MB, idle_memory, peak_memory, processes

from health_assistant.images import BadImage
from health_assistant.lab_report.reading import pdf

# 各要一两秒的；别的或要去读，或要等到叫停
SHORT = ("只有头", "没有页的目录", "里面有 JPEG，不成 PDF", "零页", "一万页", "页树绕圈", "页面一百万点宽")
SHORT += ("页面一点宽", "自称 40000×40000 的图", "内容解开有 300 MB", "套了十二层的图样", "脚本", "加密")
QUICK = [name for name in HOSTILE_PDFS if name.removeprefix("PDF：") in SHORT]
OTHERS = [name for name in HOSTILE_PDFS if name not in QUICK]


@pytest.fixture(scope="module", params=[QUICK, pytest.param(OTHERS, marks=pytest.mark.slow)], ids=["quick", "others"])
def answers(report_server, request):
    """回答，和比闲着时多用的内存（连同子进程）。"""
    idle = idle_memory(report_server)
    found, peak = peak_memory(report_server, [content(HOSTILE_PDFS[name]) for name in request.param])
    return dict(zip(request.param, found, strict=True)), peak - idle


def test_a_hostile_pdf_gets_its_own_answer(answers):
    assert len(answers[0]) >= 12
    for name, answer in answers[0].items():
        _, status, code = HOSTILE_PDFS[name]
        body = answer.json()
        assert answer.status_code in ([status] if status else [400, 413, 422]), name
        assert body["code"] == (code or body["code"]), name
        assert any("一" <= char <= "鿿" for char in body["error"]), name


def test_hostile_pdfs_do_not_eat_the_memory(answers, report_server, capsys):
    with capsys.disabled():
        print(f"\n比闲着时多用：{answers[1]} MB")
    assert answers[1] <= MAX_GROWTH_MB
    assert requests.get(f"{report_server}/health", timeout=5).status_code == 200


def test_no_child_process_is_left_behind(answers, report_server):
    left = [
        one for server in processes(report_server) for one in server.children() if "pdf_worker.py" in str(one.cmdline())
    ]
    assert left == []


def workers() -> list[psutil.Process]:
    """这个进程起的、正在读 PDF 的子进程。"""
    return [one for one in psutil.Process().children() if any("pdf_worker" in part for part in one.cmdline())]


@pytest.mark.skipif(sys.platform != "linux", reason="别的进程的限制，只有 Linux 看得到")
def test_a_worker_is_limited_and_when_it_dies_that_is_a_pdf_that_could_not_be_read():
    """子进程有内存与时间的限制，不留内存转储；读到一半被杀是一个说得清的错误，不连累服务。"""
    data = content(HOSTILE_PDFS["PDF：百万分之一点的花纹"])
    caught = []

    def render() -> None:
        with pytest.raises(BadImage) as error:
            pdf.render_page(data, 0)
        caught.append(error.value.code)

    thread = threading.Thread(target=render)
    thread.start()
    while not (found := workers()) and thread.is_alive():
        time.sleep(0.02)
    while found[0].rlimit(psutil.RLIMIT_AS)[0] < 0 and thread.is_alive():
        time.sleep(0.02)  # 它先限自己，再读
    limits = [found[0].rlimit(kind)[1] for kind in (psutil.RLIMIT_AS, psutil.RLIMIT_CPU, psutil.RLIMIT_CORE)]
    os.kill(found[0].pid, signal.SIGSEGV)
    thread.join()
    assert caught == ["pdf_too_heavy"]
    assert limits[0] <= 208 << 20
    assert limits[1:] == [6, 0]
    assert workers() == []


def test_a_worker_that_hangs_is_stopped(monkeypatch, tmp_path):
    """不用 CPU 地挂着，CPU 的限制管不到，由墙上的时间管。"""
    asleep = tmp_path / "pdf_worker.py"
    asleep.write_text("import time\ntime.sleep(60)\n")
    monkeypatch.setattr(pdf, "_WORKER", asleep)
    monkeypatch.setattr(pdf, "_WALL_SECONDS", 0.5)
    with pytest.raises(BadImage, match="太复杂"):
        pdf.count_pages(b"%PDF-1.7")
    assert workers() == []
