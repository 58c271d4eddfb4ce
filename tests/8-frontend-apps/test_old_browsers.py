"""近五年的手机（Safari 15.4、Chrome 100 起）：用到的 CSS 与 JavaScript 不比它们新，或旧的浏览器上也好用。

慢的一半用 npm 临时装 stylelint 与 eslint 的兼容规则来查，什么也不留下；快的一半把新的函数拿掉，走一遍。
"""

import json
import shutil
import subprocess

import pytest
from web_app import ADVISE, APP, HIGH, NORMAL, answer
from web_steps import choose, correct, read, reply_with

BROWSERS = ["chrome >= 100", "safari >= 15.4", "ios_saf >= 15.4"]
STYLE_PACKAGES = ["stylelint@16", "stylelint-plugin-use-baseline@1"]
SCRIPT_PACKAGES = ["eslint@9", "eslint-plugin-compat@6", "eslint-plugin-es-x@8"]

# use-baseline 只认年份：2021 年以前各家都有的。下面是 2022 年才齐、Safari 15.4 与 Chrome 100 已经有的，
# 或不认也无妨的（写着为什么）
IGNORED = {
    "ignoreProperties": {
        "accent-color": ["/.*/"],
        "color-scheme": ["/.*/"],
        "outline": ["/.*/"],  # Safari 16.4 才跟着圆角，方的也行
        "paint-order": ["/.*/"],  # SVG 的字上 Chrome 35、Safari 8 就有；后来才有的是 HTML 的字
        "print-color-adjust": ["/.*/"],  # 前面有带 -webkit- 的
        "text-wrap": ["/.*/"],  # 不认只是断行不那么匀
        "overflow-wrap": ["anywhere"],
        "break-after": ["avoid"],  # 只在打印时，不认只是分页不那么好
    },
    "ignoreSelectors": ["focus-visible"],
    "ignoreUnits": ["svh"],  # 前面有用 vh 的一条
}
STYLELINT = {
    "plugins": ["stylelint-plugin-use-baseline"],
    "rules": {"plugin/use-baseline": [True, {"available": 2021, **IGNORED}]},
}
ESLINT = """import compat from "eslint-plugin-compat";
import esx from "eslint-plugin-es-x";
export default [
  compat.configs["flat/recommended"],
  esx.configs["flat/restrict-to-es2022"],
  { settings: { "es-x": { aggressive: true } }, rules: { "es-x/no-regexp-lookbehind-assertions": "error" } },
];
"""
NEWER = [
    "Array.prototype.toSorted", "Array.prototype.toReversed", "Array.prototype.toSpliced", "Array.prototype.with",
    "Array.prototype.findLast", "Array.prototype.group", "Object.groupBy", "Map.groupBy", "Promise.withResolvers",
    "Array.fromAsync", "AbortSignal.any", "AbortSignal.timeout", "Element.prototype.checkVisibility",
    "Set.prototype.union", "URL.canParse", "Element.prototype.setHTML",
]  # fmt: skip
"""Safari 15.4 或 Chrome 100 还没有的。"""


@pytest.fixture(scope="module")
def linters(tmp_path_factory):
    """装着检查工具与网页副本的文件夹。"""
    folder = tmp_path_factory.mktemp("linters")
    if not shutil.which("npm"):
        _cannot("没有 npm，浏览器兼容没有查：apt-get install npm")
    (folder / "package.json").write_text(json.dumps({"private": True, "type": "module", "browserslist": BROWSERS}))
    (folder / "stylelint.config.mjs").write_text(f"export default {json.dumps(STYLELINT)};")
    (folder / "eslint.config.mjs").write_text(ESLINT)
    install = ["npm", "install", "--no-audit", "--no-fund", "--no-save", *STYLE_PACKAGES, *SCRIPT_PACKAGES]
    done = subprocess.run(install, cwd=folder, capture_output=True, text=True, timeout=600)
    if done.returncode:
        _cannot(f"npm 装不上检查工具，浏览器兼容没有查：{done.stderr[-300:]}")
    shutil.copytree(APP, folder / "app")
    return folder


def _cannot(reason: str) -> None:
    pytest.skip(f"!!! {reason}")


def lint(folder, *command: str) -> subprocess.CompletedProcess:
    return subprocess.run(["npx", "--no-install", *command], cwd=folder, capture_output=True, text=True, timeout=300)


@pytest.mark.slow
def test_no_style_is_newer_than_the_browsers(linters):
    done = lint(linters, "stylelint", "app/css/*.css")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_no_script_is_newer_than_the_browsers(linters):
    done = lint(linters, "eslint", "app/js", "app/sw.js")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_the_check_sees_what_is_newer(linters):
    newer = {
        "stylelint": ("css", [":root { --a: light-dark(#fff, #000); }", "p:has(b) { overflow: clip; }"]),
        "eslint": ("js", ["export const a = [2, 1].toSorted();", "export const a = /(?<=x)y/;"]),
    }
    for tool, (ending, texts) in newer.items():
        files = [f"new-{number}.{ending}" for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            (linters / file).write_text(text)
        done = lint(linters, tool, *files)
        found = done.stdout + done.stderr
        assert all(file in found for file in files)


@pytest.mark.browser
def test_the_way_to_the_result_needs_no_newer_function(phone, service):
    missing = "".join(f"delete {name};" for name in NEWER if name.split(".")[0] not in ("Map",))
    phone.add_init_script(
        missing
        + """const open = window.createImageBitmap;
        window.createImageBitmap = (file, options) => options?.imageOrientation === "from-image"
            ? Promise.reject(new TypeError("imageOrientation")) : open.call(window, file);"""
    )
    phone.goto(service.url)
    choose(phone, 2)
    assert phone.evaluate("document.querySelector('#check-canvas').width") > 300, "浏览器打不开照片"
    read(phone)
    assert phone.locator(".row[data-name=总胆固醇] .bar .dot").is_visible()
    reply_with(phone, answer([HIGH, NORMAL]), ADVISE)
    correct(phone, "总胆固醇")
    phone.locator("#done-words").filter(has_text="改好了").wait_for()
    phone.click("#copy-button")
    phone.locator("#done-words").filter(has_text="复制").wait_for()
