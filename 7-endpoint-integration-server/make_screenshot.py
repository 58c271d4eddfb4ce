"""给状态页截图：接上阶段 5 的服务作视觉模型，试一张示例化验单，写 screenshots/status.png 与 status-phone.png。

python 7-endpoint-integration-server/make_screenshot.py
"""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from health_assistant.command_line import new_parser

ROOT = Path(__file__).resolve().parent.parent
OUTPUT = Path(__file__).resolve().parent / "screenshots"
EXAMPLE = ROOT / "8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png"
MODEL = "embedded-report-reader"
VIEWS = {"status": (1180, 900), "status-phone": (390, 844)}
START_SECONDS, READING_MS = 90, 180_000


def main() -> int:
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help="写到哪个目录（默认 screenshots）")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    with running("5-build-server/serve.py", {}, "--backend", "embedded") as models:
        # 上游就是内置的读者，再用它自己核对没有意义
        env = {"VISION_API_BASE": f"{models}/v1", "VISION_MODEL": MODEL, "VERIFY": "false"}
        with running("7-endpoint-integration-server/medical_report_server.py", env) as server:
            take_screenshots(server, args.output)
    return 0


def take_screenshots(url: str, output: Path) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--lang=zh-CN"]
        )
        for name, size in VIEWS.items():
            width, height = size
            page = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN").new_page()
            page.goto(f"{url}/status")
            page.set_input_files("#photo", EXAMPLE)
            page.click("#try button")
            page.wait_for_selector("#outcome details", timeout=READING_MS)
            page.locator("#outcome summary").first.click()
            page.wait_for_timeout(1500)  # 数据也跟着更新一次
            path = output / f"{name}.png"
            page.screenshot(path=path, full_page=True)
            print(f"写了 {path}（{path.stat().st_size // 1024} KB）")
        browser.close()


@contextmanager
def running(script: str, env: dict[str, str], *options: str) -> Iterator[str]:
    """启动一个阶段的服务，给出地址，结束时停掉。"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, str(ROOT / script), *options, "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **env})
    try:
        wait_until_up(f"http://127.0.0.1:{port}", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def wait_until_up(url: str, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            requests.get(url, timeout=2, proxies={"http": ""})
            return
        except requests.RequestException:
            time.sleep(0.3)
    raise RuntimeError("服务没有启动，原因见上面它的输出。")


if __name__ == "__main__":
    sys.exit(main())
