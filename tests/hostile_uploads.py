"""把有敌意的文件传给真的服务：几个一起传，看回答与内存。"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psutil
import requests
from report_servers import upload

MAX_GROWTH_MB = 300
"""比装好模型、闲着时至多多用多少。"""


def processes(server: str) -> list[psutil.Process]:
    """服务的主进程与工作进程。"""
    port = server.rsplit(":", 1)[1]
    found = []
    for one in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):  # 读 PDF 的子进程转眼就没了
            found += [one] if port in one.cmdline() else []
    return found


def memory(server: str) -> int:
    """服务与它起的子进程现在占的内存，MB。"""
    servers = processes(server)
    family = {child for one in servers for child in (one, *one.children(recursive=True))}
    ids, port, total = {one.pid for one in servers}, server.rsplit(":", 1)[1], 0
    for one in family:
        with suppress(psutil.NoSuchProcess):
            # 工作进程刚分出来、还没有换成读 PDF 的程序的，与它是同一片内存，不算两遍
            is_copy = port in one.cmdline() and psutil.Process(one.ppid()).ppid() in ids
            total += 0 if is_copy else one.memory_info().rss
    return total >> 20


def ask(server: str, data: bytes) -> requests.Response:
    while (answer := upload(server, data)).status_code == 503:
        time.sleep(0.5)  # 排着队的太多，过一会儿再来
    return answer


def peak_memory(server: str, files: list[bytes]) -> tuple[list[requests.Response], int]:
    """八个一起传，回答，和期间服务的内存峰值（MB）。"""
    peak, finished = memory(server), threading.Event()

    def watch() -> None:
        nonlocal peak
        while not finished.wait(0.03):
            peak = max(peak, memory(server))

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda data: ask(server, data), files))
    finished.set()
    watcher.join()
    return answers, peak


def idle_memory(server: str) -> int:
    """装好了、闲着的服务占的内存，MB。"""
    while requests.get(f"{server}/ready", timeout=30).status_code != 200:
        time.sleep(0.1)
    return memory(server)
