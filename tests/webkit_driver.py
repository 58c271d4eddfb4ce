"""WebKit（Safari 的引擎）：Debian 的 webkit2gtk-driver，用 WebDriver 的 HTTP 接口，在 Xvfb 里开。"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from model_servers import free_port

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def missing() -> list[str]:
    """还缺哪些程序。"""
    return [name for name in ("WebKitWebDriver", "Xvfb") if not shutil.which(name)] + (
        [] if _browser() else ["MiniBrowser"]
    )


def _browser() -> Path | None:
    return next(iter(sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))), None)


class WebKit:
    """一个开着的 MiniBrowser。"""

    def __init__(self, driver: str) -> None:
        self._http = requests.Session()
        self._http.trust_env = False
        self._driver = driver
        options = {"binary": str(_browser()), "args": ["--automation"]}
        wanted = {"capabilities": {"alwaysMatch": {"webkitgtk:browserOptions": options}}}
        made = self._call("session", wanted)
        self._session = f"session/{made['sessionId']}"
        self.version = made["capabilities"]["browserVersion"]

    def _call(self, path: str, body: dict) -> Any:
        answer = self._http.post(f"{self._driver}/{path}", json=body, timeout=60).json()["value"]
        assert not (isinstance(answer, dict) and "error" in answer), answer
        return answer

    def open(self, url: str) -> None:
        self._call(f"{self._session}/url", {"url": url})
        self.wait("document.readyState === 'complete' && document.hasFocus()")
        time.sleep(0.3)  # 换了网站就换了进程，它的窗口还要一会儿才收得到鼠标

    def run(self, script: str, *args: Any) -> Any:
        return self._call(f"{self._session}/execute/sync", {"script": script, "args": args})

    def choose(self, selector: str, *files: Path) -> None:
        found = self._call(f"{self._session}/element", {"using": "css selector", "value": selector})
        self._call(f"{self._session}/element/{found[ELEMENT]}/value", {"text": "\n".join(map(str, files))})

    def press(self, selector: str, times: int = 1, gap_ms: int = 0) -> None:
        """用鼠标按按钮的中间，连按几下。"""
        middle = """const node = document.querySelector(arguments[0]); node.scrollIntoView({ block: "center" });
            const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2];"""
        x, y = map(round, self.run(middle, selector))
        moves: list[dict] = [{"type": "pointerMove", "x": x, "y": y}]
        for _ in range(times):
            moves += [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
            moves += [{"type": "pause", "duration": gap_ms}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": moves}
        self._call(f"{self._session}/actions", {"actions": [mouse]})

    def wait(self, script: str, seconds: float = 30) -> Any:
        """等到 script（一个表达式）为真。"""
        deadline = time.monotonic() + seconds
        while not (value := self.run(f"return {script};")):
            assert time.monotonic() < deadline, script
            time.sleep(0.1)
        return value

    def close(self) -> None:
        self._http.delete(f"{self._driver}/{self._session}", timeout=30)


@contextmanager
def running(folder: Path) -> Iterator[WebKit]:
    """起 Xvfb 与 WebKitWebDriver，开一个浏览器；用完都停掉。"""
    port, screen = free_port(), f":{os.getpid() % 50000 + 100}"
    environment = os.environ | {"DISPLAY": screen, "HOME": str(folder), "WEBKIT_DISABLE_COMPOSITING_MODE": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    display = subprocess.Popen(["Xvfb", screen, "-screen", "0", "1000x1400x24"], **quiet)
    driver = subprocess.Popen(["WebKitWebDriver", f"--port={port}"], env=environment, **quiet)
    try:
        browser = _until_it_answers(lambda: WebKit(f"http://127.0.0.1:{port}"))
        yield browser
        browser.close()
    finally:
        for process in (driver, display):
            process.terminate()
            process.wait(10)


def _until_it_answers(make: Callable[[], WebKit]) -> WebKit:
    deadline = time.monotonic() + 30
    while True:
        try:
            return make()
        except requests.ConnectionError:
            assert time.monotonic() < deadline, "WebKitWebDriver 没有起来"
            time.sleep(0.2)
