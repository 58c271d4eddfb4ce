"""给网页截图：screenshot1.png 选好照片，screenshot2.png 等，screenshot3.png 结果。

用的是真的网页、真的服务，照片是画出来的（示例化验单的数据，画成手机拍的样子）。要 Chromium。
"""

import io
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from make_sample_report import ROWS
from PIL import Image
from playwright.sync_api import Browser, Error, Page, sync_playwright

from health_assistant.command_line import new_parser
from health_assistant.lab_report.report import PrintedRow, ReadReport

HERE = Path(__file__).resolve().parent
SERVER = HERE.parent / "7-endpoint-integration-server/medical_report_server.py"
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True, "device_scale_factor": 2}
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
START_SECONDS, READING_MS, SEED = 60, 120_000, 1


def main() -> int:
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--url", help="已经在运行的网页地址；不给就自己启动阶段 7 的服务")
    parser.add_argument("--output", type=Path, default=HERE, help="写到哪个目录（默认 8-frontend-apps）")
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
        browser.close()


def open_with_photo(browser: Browser, url: str, **view) -> Page:
    page = browser.new_context(**view, locale="zh-CN").new_page()
    page.goto(url)
    page.set_input_files("#album-input", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": sample_photo()})
    page.wait_for_selector("#check:not([hidden])")
    return page


def sample_photo() -> bytes:
    """示例化验单的数据画成手机拍的照片，JPEG。"""
    from health_assistant.lab_report.rendering import degrade, draw_report

    items = [
        PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=printed, mark=mark or None)
        for name, code, result, mark, unit, printed in ROWS
    ]
    drawn = draw_report("classic", ReadReport(report_type="血细胞分析", sex="女", age="34岁", items=items))
    jpeg = io.BytesIO()
    degrade(drawn, "photo", seed=SEED).image.save(jpeg, "JPEG", quality=90)
    return jpeg.getvalue()


def save(page: Page, path: Path) -> None:
    page.wait_for_timeout(600)  # 等动画停下
    shot = Image.open(io.BytesIO(page.screenshot()))
    shot.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)  # 文件小一大半
    print(f"写了 {path.name}（{path.stat().st_size // 1024} KB）")


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
