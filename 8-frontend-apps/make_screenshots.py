"""给网页截图：打开网页，分析示例化验单，写 screenshots/desktop.png 与 phone.png。"""

import argparse
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Error, sync_playwright

HERE = Path(__file__).resolve().parent
SERVER = HERE.parent / "7-endpoint-integration-server/medical_report_server.py"
OUTPUT = HERE / "screenshots"
PHONE = {"is_mobile": True, "has_touch": True, "device_scale_factor": 2}
VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, **PHONE},
}
START_SECONDS, READING_MS = 60, 120_000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, add_help=False)
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    parser.add_argument("--url", help="已经在运行的网页地址；不给就自己启动阶段 7 的服务")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="写到哪个目录（默认 8-frontend-apps/screenshots）")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    try:
        if args.url:
            take_screenshots(args.url, args.output)
        else:
            with running_server() as url:
                take_screenshots(url, args.output)
    except (Error, RuntimeError) as error:
        print(f"没有截成：{error}", file=sys.stderr)
        return 2
    return 0


def take_screenshots(url: str, output: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, view in VIEWS.items():
            page = browser.new_context(**view, locale="zh-CN").new_page()
            page.goto(url)
            page.click("#example-button")
            page.wait_for_selector("#engines:not(:empty)", timeout=READING_MS)
            page.locator(".row").first.hover()  # 照片上圈出这一项
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(500)  # 等圈的动画停下
            path = output / f"{name}.png"
            page.screenshot(path=path)
            print(f"写了 {path}（{path.stat().st_size // 1024} KB）")
        browser.close()


@contextmanager
def running_server() -> Iterator[str]:
    """启动阶段 7 的服务，给出地址，结束时停掉。"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, SERVER, "--port", str(port)])
    try:
        wait_until_up(f"http://127.0.0.1:{port}/health", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_up(url: str, process: subprocess.Popen) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # 本机的服务不走代理
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            opener.open(url, timeout=2)
            return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError("阶段 7 的服务没有启动，原因见上面它的输出。")


if __name__ == "__main__":
    sys.exit(main())
