"""读 PDF 的子进程：有限制，死了、挂住了都是说得清的错误。传给服务的样子与照片一起，在 test_upload.py。"""

import os
import signal
import sys
import threading
import time

import psutil
import pytest
from hostile_files import content
from hostile_pdfs import HOSTILE_PDFS

from health_assistant.images import BadImage
from health_assistant.lab_report.reading import pdf


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
