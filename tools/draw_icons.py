"""把手写的 icon.svg 画成 8-frontend-apps/HealthAssistantWebApp/icons/ 里的各个 PNG。要 Chromium。"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from health_assistant.command_line import new_parser

ICONS = Path(__file__).resolve().parent.parent / "8-frontend-apps/HealthAssistantWebApp/icons"
# 名字 -> 边长（像素），图形占几成，底色。maskable 的底色铺满，图形缩到正中：系统会把它裁成圆的、方的
SIZES = {"192": (192, 100, ""), "512": (512, 100, ""), "maskable-512": (512, 70, "#0b5c66")}


def main() -> int:
    new_parser(__doc__).parse_args()
    svg = (ICONS / "icon.svg").read_text(encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (side, share, ground) in SIZES.items():
            page = browser.new_page(viewport={"width": side, "height": side})
            body = f"<body style='margin: 0; height: 100vh; display: grid; place-items: center; background: {ground}'>"
            page.set_content(f"{body}<div style='width: {share}%; line-height: 0'>{svg}</div>")
            page.screenshot(path=ICONS / f"icon-{name}.png", omit_background=True)
            print(f"写了 icon-{name}.png")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
