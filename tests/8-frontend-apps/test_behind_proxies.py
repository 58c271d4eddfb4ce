"""前面有东西的时候：放在一个路径下面、要先登录、登录过期、代理自己答的错误、很慢的上传、停了很久的标签页。"""

from threading import Event

import numpy as np
import pytest
from PIL import Image
from reverse_proxies import SESSION, ReverseProxy
from web_app import ANALYZE, NORMAL, SAMPLE, answer
from web_steps import DONE, FAILED, press, wait_until_installed

from health_assistant.images import encoded

pytestmark = pytest.mark.browser
LOGIN_COOKIE = SESSION.split("=")


def log_in(page, url: str) -> None:
    page.context.add_cookies([{"name": LOGIN_COOKIE[0], "value": LOGIN_COOKIE[1], "url": url}])


def analyse(page, url: str, photo=SAMPLE.OUTPUT) -> None:
    page.goto(url)
    page.set_input_files("#album-input", photo)
    page.click("#read-button")


def big_photo() -> dict:
    """约 500 KB、不用再压的照片：2 KB/s 要四分多钟。"""
    noise = Image.fromarray(np.random.default_rng(1).normal(128, 30, (1000, 900)).astype("uint8"))
    photo = encoded(noise, "JPEG", quality=90)
    assert 450_000 < len(photo) < 600_000
    return {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": photo}


def failed(page) -> str:
    page.wait_for_selector(FAILED)
    return page.inner_text("#error-message")


def manifest(page) -> dict:
    """浏览器自己取到的清单。"""
    return page.context.new_cdp_session(page).send("Page.getAppManifest")


# ---- 路径下面 ----


def test_below_a_path_everything_comes_from_below_it(installed_page, service):
    page = installed_page
    with ReverseProxy(service.url, "/tools/health") as proxy:
        analyse(page, proxy.url)
        page.wait_for_selector(DONE)
        wait_until_installed(page)
        assert manifest(page)["url"] == f"{proxy.url}manifest.webmanifest"
        page.context.set_offline(True)
        page.reload()
        assert page.locator("#start").is_visible()
        page.context.set_offline(False)
    assert not [path for path in proxy.seen if not path.startswith("/tools/health/")]


# ---- 登录 ----


def test_the_manifest_is_asked_for_with_the_login(page, service):
    with ReverseProxy(service.url, needs_login=True) as proxy:
        log_in(page, proxy.url)
        analyse(page, proxy.url)
        page.wait_for_selector(DONE)
        assert manifest(page)["errors"] == []
        assert '"short_name": "健康助手"' in manifest(page)["data"]
    assert proxy.refused == []


def test_a_login_that_ran_out_is_said_and_logging_in_again_works(page, service):
    with ReverseProxy(service.url, needs_login=True) as proxy:
        log_in(page, proxy.url)
        page.goto(proxy.url)
        page.context.clear_cookies()
        page.set_input_files("#album-input", SAMPLE.OUTPUT)
        page.click("#read-button")
        assert "登录" in failed(page)
        assert "登录" in page.inner_text("#error-hint")
        assert service.bodies == []
        log_in(page, proxy.url)
        press(page, "#retry-button")


def test_a_login_page_is_never_kept_as_a_part_of_the_app(installed_page, service):
    page = installed_page
    with ReverseProxy(service.url, needs_login=True) as proxy:
        log_in(page, proxy.url)
        page.goto(proxy.url)
        wait_until_installed(page)
        page.context.clear_cookies()
        asked = page.evaluate("fetch('css/styles.css', { cache: 'no-store' }).then((response) => response.text())")
        assert "login first" in asked
        kept = page.evaluate("caches.match('css/styles.css').then((response) => response.text())")
        assert "--accent" in kept
        page.context.clear_cookies()


OWN_ANSWERS = [(413, "太大"), (200, "登录")]
OWN_ANSWERS += [pytest.param(*one, marks=pytest.mark.slow) for one in ((401, "登录"), (403, "登录"), (504, "504"))]


@pytest.mark.parametrize(("status", "said"), OWN_ANSWERS)
def test_what_a_proxy_answers_itself_is_said_in_words(page, service, status, said):
    page.route(ANALYZE, lambda route: route.fulfill(status=status, body="<html>x</html>", content_type="text/html"))
    analyse(page, service.url)
    assert said in failed(page)
    assert page.locator("#key-form").is_hidden()


def test_json_of_another_program_is_no_empty_error(page, service):
    page.route(ANALYZE, lambda route: route.fulfill(status=503, json={"message": "no healthy upstream"}))
    analyse(page, service.url)
    assert "503" in failed(page)


# ---- 慢的上传 ----


@pytest.fixture
def uploading(page_alone, service):
    """服务收正文之前先等：字节还在路上，浏览器却以为传完了。"""
    service.may_read.clear()
    page_alone.clock.install()
    with page_alone.expect_request(ANALYZE):
        analyse(page_alone, service.url, big_photo())
    page_alone.wait_for_function("() => document.querySelector('#upload-progress').hidden", polling=50)
    return page_alone


def test_bytes_still_on_their_way_are_waited_for(uploading, service):
    """浏览器把照片交给系统就说传完了，字节可能还要在路上走几分钟。"""
    page = uploading
    page.clock.fast_forward(200_000)
    service.may_read.set()
    page.wait_for_selector(DONE)
    assert page.locator("#error").is_hidden()


def test_a_server_that_never_answers_is_left_in_the_end(uploading, service):
    page = uploading
    page.clock.fast_forward(600_000)
    assert "动静" in failed(page)
    service.may_read.set()
    press(page, "#retry-button")


COUNT_PARTS = """const send = XMLHttpRequest.prototype.send;
XMLHttpRequest.prototype.send = function (body) {
    this.addEventListener("progress", () => { window.parts = (window.parts ?? 0) + 1; });
    send.call(this, body);
};"""
"""网页收到了几段回答。"""


def test_heartbeats_count_as_a_sign_of_life(page_alone, service):
    page = page_alone
    page.add_init_script(COUNT_PARTS)
    beats = [Event() for _ in range(4)]
    service.script = [part for beat in beats for part in (": 还在处理\n\n", beat)] + [answer([NORMAL])]
    page.clock.install()
    analyse(page, service.url)
    for number, beat in enumerate(beats, start=1):
        page.wait_for_function(f"() => window.parts >= {number}", polling=50)
        page.clock.fast_forward(150_000)
        beat.set()
    page.wait_for_selector(DONE)
