"""在 WebKit 里走一遍：Debian 的 webkit2gtk，不是 iPhone 上的 Safari，但引擎是一个。慢；没有装就跳过并说明。"""

import pytest
import webkit_driver
from web_app import SAMPLE

pytestmark = pytest.mark.slow
IS_DONE = "document.querySelector('#engines').textContent"
SHOWN = "document.querySelector('{}:not([hidden])')"


@pytest.fixture(scope="module")
def webkit(tmp_path_factory):
    if lacking := webkit_driver.missing():
        pytest.skip(f"!!! 没有 {'、'.join(lacking)}，WebKit 没有试：apt-get install webkit2gtk-driver xvfb")
    with webkit_driver.running(tmp_path_factory.mktemp("webkit")) as browser:
        yield browser


def test_a_photo_becomes_a_result_with_colours_and_range_bars(webkit, service):
    webkit.open(service.url)
    webkit.choose("#album-input", SAMPLE.OUTPUT)
    webkit.wait(SHOWN.format("#check"))
    webkit.wait("document.querySelector('#crop-area').clientWidth > 100")
    webkit.press("#read-button")
    webkit.wait(IS_DONE)
    assert len(service.bodies) == 1
    style = webkit.run(
        """const style = (selector) => getComputedStyle(document.querySelector(selector));
        return [style("body").backgroundColor, style(".card").borderRadius, style(".row[data-flag=high] .number").color,
            style(".row[data-flag=high] .bar .dot").backgroundColor];"""
    )
    assert style == ["rgb(245, 246, 243)", "14px", "rgb(143, 68, 5)", "rgb(143, 68, 5)"]


def test_two_presses_start_one_analysis(webkit, service):
    webkit.open(service.url)
    webkit.press("#example-button", times=2, gap_ms=30)
    webkit.wait(IS_DONE)
    assert len(service.bodies) == 1


def test_back_and_reload_lead_home(webkit, service):
    webkit.open(service.url)
    webkit.press("#example-button")
    webkit.wait(IS_DONE)
    webkit.run("history.back();")
    webkit.wait(SHOWN.format("#start"))
    webkit.press("#example-button")
    webkit.wait(IS_DONE)
    webkit.run("location.reload();")
    webkit.wait(SHOWN.format("#reopened"))
    webkit.press("#example-button")
    webkit.wait(IS_DONE)
    assert len(service.bodies) == 3


def test_what_is_kept_goes_out_encrypted_and_comes_back(webkit, service, tmp_path):
    webkit.open(service.url)
    webkit.run("localStorage.setItem('language', 'zh');")  # 这个浏览器要的是英文
    webkit.open(service.url)
    webkit.press("#example-button")
    webkit.wait(IS_DONE)
    webkit.press("#save-button")
    webkit.wait("document.querySelector('#save-button:disabled')")
    webkit.run(
        "import('./js/backup.js').then((one) => one.writeBackup('正确的口令八个字')).then((text) => { made = text; });"
    )
    file = tmp_path / "备份.json"
    file.write_text(webkit.wait("window.made"), "utf-8")
    webkit.run("location.href = './';")
    webkit.wait(SHOWN.format("#history"))
    webkit.run("window.confirm = () => true; document.querySelector('#clear-history-button').click();")
    webkit.wait("document.querySelector('#history[hidden]')")
    webkit.run("document.querySelector('#backup').open = true;")
    webkit.choose("#import-input", file)
    webkit.wait(SHOWN.format("#import-passphrase"))
    webkit.run("document.querySelector('#import-form [name=passphrase]').value = '正确的口令八个字';")
    webkit.press("#import-form button")
    webkit.wait("document.querySelector('#backup-words').textContent.startsWith('读回了 1 份')")
    assert webkit.run("return document.querySelectorAll('.record').length;") == 1
