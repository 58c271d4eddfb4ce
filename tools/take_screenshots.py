"""给真的网页截图：8-frontend-apps/ 下选照片、等、结果与英文共六张，阶段 7 的 screenshots/ 下状态页两张。

    python tools/take_screenshots.py [web|status]

起真的服务，照片是画出来的示例化验单。要 Chromium。
"""

import io
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
from draw_sample_report import OUTPUT as EXAMPLE
from draw_sample_report import draw_sample
from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from health_assistant.command_line import new_parser
from health_assistant.images import encoded

ROOT = Path(__file__).resolve().parent.parent
MODEL = "embedded-report-reader"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
ENGLISH_VIEWS = {"phone": (390, 844), "tablet": (820, 1180), "desktop": (1280, 900)}
STATUS_VIEWS = {"status": (1180, 900), "status-phone": (390, 844)}
START_SECONDS, READING_MS, SEED = 90, 180_000, 1


def main() -> int:
    """起服务、截图，写到阶段 7、8 的文件夹；返回退出码：2 是没有截成。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="?", choices=("web", "status"), help="截哪一种（不给就都截）")
    chosen = parser.parse_args().pages
    try:
        with sync_playwright() as playwright:
            options = ["--no-sandbox", "--lang=zh-CN"]
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=options)
            if chosen in (None, "web"):
                with running("7-endpoint-integration-server/medical_report_server.py") as server:
                    shoot_web_app(browser, server, ROOT / "8-frontend-apps")
                    shoot_english(browser, server, ROOT / "8-frontend-apps")
            if chosen in (None, "status"):
                with running("5-build-server/serve.py", "--backend", "embedded") as models:
                    # 上游就是内置的读者，再用它自己核对没有意义
                    upstream = {"VISION_API_BASE": f"{models}/v1", "VISION_MODEL": MODEL, "VERIFY": "false"}
                    with running("7-endpoint-integration-server/medical_report_server.py", **upstream) as server:
                        shoot_status_page(browser, server, ROOT / "7-endpoint-integration-server/screenshots")
            browser.close()
    except (Error, RuntimeError) as error:
        print(f"没有截成：{error}", file=sys.stderr)
        return 2
    return 0


def shoot_web_app(browser: Browser, url: str, output: Path) -> None:
    """手机与桌面上的中文网页，截成 output 里的几张图。"""
    page = open_with_photo(browser, url, **PHONE)
    save(page, output / "screenshot1.png")
    page.tap("#read-button")
    page.get_by_text("正在读单子上的字").wait_for()
    save(page, output / "screenshot2.png")

    page = open_with_photo(browser, url, **DESKTOP)
    page.click("#read-button")
    page.wait_for_selector("#engines:not(:empty)", timeout=READING_MS)
    page.locator(".row-head").first.click()  # 照片上圈出这一项，旁边放大
    page.mouse.move(0, 0)
    page.evaluate("scrollTo(0, 0)")
    save(page, output / "screenshot3.png")


def shoot_english(browser: Browser, url: str, output: Path) -> None:
    """英文的网页，各种大小各一张。"""
    page = browser.new_context(locale="en-GB").new_page()
    page.goto(url)
    page.click("#example-button")
    page.wait_for_selector("#engines:not(:empty)", timeout=READING_MS)
    for name, (width, height) in ENGLISH_VIEWS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.evaluate("scrollTo(0, 0)")
        save(page, output / f"english-{name}.png")


def open_with_photo(browser: Browser, url: str, **view) -> Page:
    """打开网页，选好一张“手机拍的”示例化验单。"""
    from health_assistant.lab_report.rendering import degrade

    photo = encoded(degrade(draw_sample(), "photo", seed=SEED).image, "JPEG", quality=90)
    page = browser.new_context(**view, locale="zh-CN").new_page()
    page.goto(url)
    page.set_input_files("#album-input", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": photo})
    page.wait_for_selector("#check:not([hidden])")
    return page


def shoot_status_page(browser: Browser, url: str, output: Path) -> None:
    """状态页，各种大小各一张。"""
    for name, (width, height) in STATUS_VIEWS.items():
        page = browser.new_context(viewport={"width": width, "height": height}, locale="zh-CN").new_page()
        page.goto(f"{url}/status")
        page.set_input_files("#photo", EXAMPLE)
        page.click("#try button")
        page.wait_for_selector("#outcome details", timeout=READING_MS)
        page.locator("#outcome summary").first.click()
        page.wait_for_timeout(1500)  # 数据也跟着更新一次
        save(page, output / f"{name}.png", full_page=True)


def save(page: Page, path: Path, full_page: bool = False) -> None:
    """等动画停下，截成 256 色的 PNG。"""
    page.wait_for_timeout(600)  # 等动画停下
    shot = Image.open(io.BytesIO(page.screenshot(full_page=full_page)))
    shot.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)  # 文件小一大半
    print(f"写了 {path.name}（{path.stat().st_size // 1024} KB）")


@contextmanager
def running(script: str, *options: str, **settings: str) -> Iterator[str]:
    """启动一个阶段的服务（settings 是它的环境变量），给出地址，结束时停掉；起不来抛 RuntimeError。"""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, command = f"http://127.0.0.1:{port}", [sys.executable, str(ROOT / script), *options, "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **settings})
    try:
        deadline = time.monotonic() + START_SECONDS
        while not answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{script} 没有启动，原因见上面它的输出。")
            time.sleep(0.3)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=20)


def answers(url: str) -> bool:
    """url 有没有程序答话。"""
    try:
        requests.get(url, timeout=2, proxies={"http": ""})
    except requests.RequestException:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
