"""阶段 7 在压力下：200 个客户端，上游每个答 300 毫秒、同时至多 16 个，照片 1200×1600，不核对。

    PYTHONPATH=tests python tests/benchmarks/integration_load.py [--seconds 60]

一份报告问上游两次，所以至多 16 / 0.6 = 26.7 份一秒。退出码 1：不到它的八成；有 429 以外的错；
后一半时间里内存的峰值比前一半多出 10% 以上。
"""

import argparse
import sys
import threading
import time

import psutil
from http_load import ROOT, check_not_degraded, measure, running_server, running_upstream, upload
from integration_overhead import settings, stage_7
from PIL import Image

from health_assistant.images import encoded

CLIENTS, DELAY, AT_ONCE = 200, 0.3, 16
BOUND = AT_ONCE / (2 * DELAY)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="量几秒（默认 60）")
    args = parser.parse_args()
    request = upload(phone_photo((1200, 1600)))
    with running_upstream(DELAY, AT_ONCE) as upstream:
        env = settings(upstream) | {"MAX_CONCURRENT": "24", "THREADS": "40"}
        with running_server(stage_7(), "/ready", env) as port:
            measure(port, [request], 8, 5)  # 热身
            watch = _MemoryWatch(port)
            load = measure(port, [request], CLIENTS, args.seconds)
            memory = watch.stop()
            check_not_degraded(port)
    half = len(memory) // 2
    early, late = max(memory[:half]), max(memory[half:])
    others = {status: count for status, count in load.statuses.items() if status not in (200, 429)}
    print(f"{load.statuses[200]} 份，{load.statuses[429]} 次 429，其余 {others or '没有'}；中位数 {load.median:.1f} 秒")
    share, growth = load.per_second / BOUND, late / early - 1
    checks = [
        (f"每秒 {load.per_second:.1f} 份，是上限 {BOUND:.1f} 的 {share:.0%}", share >= 0.8),
        ("没有 429 以外的错", not others),
        (f"内存峰值：前一半 {early >> 20} MB，后一半 {late >> 20} MB", growth <= 0.1),
    ]
    for text, passed in checks:
        print(f"{'✓' if passed else '✗'} {text}")
    return int(not all(passed for _, passed in checks))


def phone_photo(size: tuple[int, int]) -> bytes:
    """示例化验单放大，加上照片才有的噪点。"""
    page = (
        Image.open(ROOT / "8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png").convert("RGB").resize(size)
    )
    noise = Image.effect_noise(size, 24).convert("RGB")
    return encoded(Image.blend(page, noise, 0.15), "JPEG", quality=88)


class _MemoryWatch:
    """每秒记一次服务（主进程与工作进程）占的内存。"""

    def __init__(self, port: int) -> None:
        children = psutil.Process().children(recursive=True)
        self._processes = [one for one in children if str(port) in one.cmdline()]
        self._samples: list[int] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        while not self._stopped.wait(0.5):
            self._samples.append(sum(one.memory_info().rss for one in self._processes))

    def stop(self) -> list[int]:
        self._stopped.set()
        self._thread.join()
        return self._samples


if __name__ == "__main__":
    started = time.monotonic()
    status = main()
    print(f"用时 {time.monotonic() - started:.0f} 秒")
    sys.exit(status)
