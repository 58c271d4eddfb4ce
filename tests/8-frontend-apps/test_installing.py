"""装到手机：清单、图标、service worker 只存网页自己的文件，断网时打得开；放在别的静态主机上也能用；大小。"""

import gzip
import json
import re
import shutil
from pathlib import Path

import pytest
from PIL import Image
from web_app import ANALYZE, APP, NORMAL, FakeService
from web_steps import FAILED, open_result, press, save, wait_until_installed

pytestmark = pytest.mark.browser

SOURCES = [file for file in APP.rglob("*") if file.suffix in (".html", ".css", ".js")]
MAX_GZIPPED, MAX_LINES = 75 * 1024, 3250


def gzipped(files: list[Path]) -> int:
    return sum(len(gzip.compress(file.read_bytes())) for file in files)


def test_the_page_is_small_with_the_words_of_both_languages():
    assert gzipped(SOURCES) <= MAX_GZIPPED
    code = [file for file in SOURCES if file.name != "en.js"]
    assert sum(len(file.read_text("utf-8").splitlines()) for file in code) <= MAX_LINES


def test_html_enters_the_page_through_one_inert_parser_only():
    scripts = "".join(file.read_text("utf-8") for file in APP.glob("js/*.js"))
    assert len(re.findall(r"parseFromString", scripts)) == 1
    assert not re.search(r"innerHTML|insertAdjacentHTML|outerHTML|document\.write|setHTML|\beval\b", scripts)


def test_nothing_inline_and_nothing_from_elsewhere():
    page = (APP / "index.html").read_text("utf-8")
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", page)
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page)
    assert not re.search(r"https?://(?!www\.w3\.org)", "".join(file.read_text("utf-8") for file in SOURCES))


def test_the_manifest_and_its_icons():
    manifest = json.loads((APP / "manifest.webmanifest").read_text("utf-8"))
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        if icon["type"] == "image/png":
            assert "x".join(map(str, Image.open(APP / icon["src"]).size)) == icon["sizes"]
    assert {"192x192", "512x512"} <= {icon["sizes"] for icon in manifest["icons"]}
    assert any(icon.get("purpose") == "maskable" for icon in manifest["icons"])


SHELL_OF = """source => new Function("self", `${source}; return SHELL`)(
    { registration: { scope: "http://page/" }, addEventListener() {} }
).map((url) => new URL(url).pathname.slice(1))"""
"""sw.js 要存的各个文件；运行的是真的 sw.js，只是不登记。"""


def test_the_shell_lists_every_script_and_style_and_nothing_that_is_not_there(page):
    listed = set(page.evaluate(SHELL_OF, (APP / "sw.js").read_text("utf-8"))) - {""}
    files = {str(file.relative_to(APP)) for file in APP.rglob("*") if file.is_file()}
    needed = {str(file.relative_to(APP)) for file in SOURCES} - {"index.html", "sw.js"}
    assert {"sw.js 里没有写的": needed - listed, "sw.js 里写了而没有的": listed - files} == {
        "sw.js 里没有写的": set(),
        "sw.js 里写了而没有的": set(),
    }


def test_only_the_shell_is_cached_and_offline_it_opens_and_shows_what_was_kept(installed_page, report_server):
    page = installed_page
    page.goto(report_server)
    wait_until_installed(page)
    open_result(page, report_server, [NORMAL])
    save(page)
    kept = page.evaluate(
        """async () => (await Promise.all((await caches.keys()).map(async (name) =>
            (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname.slice(1))))).flat()"""
    )
    files = {str(file.relative_to(APP)) for file in APP.rglob("*") if file.is_file()}
    needed = {str(file.relative_to(APP)) for file in SOURCES} - {"index.html", "sw.js"}
    assert set(kept) - {""} <= files
    assert needed <= set(kept)
    assert "" in kept
    page.unroute(ANALYZE)
    page.context.set_offline(True)
    page.reload()
    assert page.inner_text("#offline").startswith("现在没有网络")
    press(page, ".record")
    assert page.inner_text("#summary") == "本次 1 项，没有看到异常"
    page.locator("#result .restart").click()
    press(page, "#example-button", FAILED)
    assert page.inner_text("#error-message") == "连不上服务器。"
    page.context.set_offline(False)


def test_from_another_static_host_with_the_address_of_the_service(page, service, tmp_path):
    """网页在一处，服务在另一处：改 index.html 里的两行。"""
    copy = shutil.copytree(APP, tmp_path / "site")
    html = (copy / "index.html").read_text("utf-8")
    html = html.replace("connect-src 'self'", f"connect-src 'self' {service.url}")
    html = html.replace('name="api-base" content=""', f'name="api-base" content="{service.url}"')
    (copy / "index.html").write_text(html, "utf-8")
    with FakeService(copy) as host:
        page.goto(host.url)
        press(page, "#example-button")
        assert host.bodies == []
        assert len(service.bodies) == 1
