"""共用的：装好了的内置读者；浏览器测试要的真的服务、真的浏览器、出错就失败的页面。"""

import hashlib
import os
import pickle
import shutil
import sys
from copy import deepcopy
from pathlib import Path

import pytest
import report_servers

# 测试里的矩阵都小，numpy 分给几个线程算，空等比算还久。导入 numpy 之前说才有用；测试起的进程也照这样
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
# 测试起几百个进程，都从同一份代码起：编译好的留着，不各编译一遍
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

SERVER_LOG = pytest.StashKey[Path]()
LONGEST = (
    *("test_readme_commands.py", "test_train_vl_grpo.py", "test_overfit.py"),
    *("test_learning.py", "test_glyphs.py", "test_paper_kinds.py"),
)
"""各要几分钟的文件，照这个次序最先做：两个进程分着做，留到最后，就只有一个在忙。"""
TOGETHER = "tests/5-build-server/"
"""共用的模型与服务要十几秒才起得来的文件夹：里面的文件都在一个进程里，不各起一遍。"""
DESKTOP = {"viewport": {"width": 1280, "height": 900}, "service_workers": "block", "locale": "zh-CN"}
PHONE = DESKTOP | {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONGEST.index(item.path.name) if item.path.name in LONGEST else len(LONGEST))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """--dist loadfile，只是 TOGETHER 里的算一个文件。"""
    from xdist.scheduler import LoadFileScheduling

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return TOGETHER if nodeid.startswith(TOGETHER) else super()._split_scope(nodeid)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def reader():
    """本进程里共用的内置读者，装好了的：模型装一次就够；同一张图要认一两秒，也只认一次。"""
    from health_assistant.lab_report.reading.reader import ReportReader

    reader = ReportReader()
    reader.load(warm=False).result()
    for name in ("detect", "is_upside_down", "recognize", "recognize_crops"):
        _do_once(reader._text_reader, name)
    return reader


def _do_once(owner, name: str) -> None:
    """owner 的方法 name 只由参数（图、框）决定：同样的参数不再算一遍。"""
    work, done = getattr(owner, name), {}

    def once(*arrays):
        key = hashlib.sha256(pickle.dumps(arrays)).digest()
        if key not in done:
            done[key] = work(*arrays)
        return deepcopy(done[key])

    setattr(owner, name, once)


@pytest.fixture(scope="session")
def report_server(tmp_path_factory, request):
    """阶段 7 的服务的地址。"""
    log = tmp_path_factory.mktemp("report-server") / "server.log"
    request.config.stash[SERVER_LOG] = log
    with report_servers.running(log) as (url, _):
        yield url


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """用到服务的测试失败时，把服务的日志附在后面。"""
    report = yield
    if report.failed and "report_server" in item.fixturenames and SERVER_LOG in item.config.stash:
        report.sections.append(("阶段 7 服务的日志", item.config.stash[SERVER_LOG].read_text()[-3000:]))
    return report


@pytest.fixture(scope="session")
def browser():
    """Chromium。没有就大声跳过；CI 里没有算失败。"""
    try:
        from playwright.sync_api import Error, sync_playwright
    except ImportError:
        _no_browser("没有安装 playwright：pip install -r tests/requirements.txt")
    with sync_playwright() as playwright:
        try:
            installed = (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))
            executable = next(filter(None, installed), None)
            chromium = playwright.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        except Error as error:
            _no_browser(f"Chromium 启动不了：{error}")
        yield chromium
        chromium.close()


def _no_browser(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(f"!!! 网页没有测试 !!! {reason}")


# 每个测试各开一个上下文，浏览器要各起一个进程、把网页从头装一遍，慢一倍。所以 page 与 phone 各共用一个上下文，
# 里面留着一页空白的，进程就不会跟着测试结束；每个测试用的是新的、空的一页。


@pytest.fixture(scope="session")
def desktop(browser):
    with browser.new_context(**DESKTOP) as context:
        context.new_page()
        yield context


@pytest.fixture(scope="session")
def mobile(browser):
    with browser.new_context(**PHONE) as context:
        context.new_page()
        yield context


@pytest.fixture
def page(desktop):
    """新的页面，电脑大小；控制台有错误（包括被 CSP 拦下的）测试就失败。"""
    yield from _open_page(desktop)


@pytest.fixture
def phone(mobile):
    """同 page，手机：390x844，用手指。"""
    yield from _open_page(mobile)


def own_page(options: dict, scope: str = "function", **more):
    """一个 fixture：同 page，但不与别的测试共用上下文；options、more 是上下文的设置。"""

    @pytest.fixture(scope=scope)
    def open_one(browser):
        with browser.new_context(**options | more) as context:
            yield from _open_page(context)

    return open_one


page_alone = own_page(DESKTOP)
"""假的时钟装上就卸不掉的测试用。"""
shared_page = own_page(DESKTOP, "module")
"""一个测试文件共用一个，给慢的结果用。"""
installed_page = own_page(DESKTOP, service_workers="allow")
"""让网页装上 service worker；别的测试不装，好拦下请求。"""
page_without_csp, phone_without_csp = own_page(DESKTOP, bypass_csp=True), own_page(PHONE, bypass_csp=True)
"""浏览器不理会 CSP：看网页自己的防备够不够。"""
english_page = own_page(DESKTOP, locale="en-GB")


def _open_page(context):
    """空的一页：上一个测试存下的、许可的、断掉的网都不在了。"""
    page = context.new_page()
    page.set_default_timeout(15_000)
    everything = {"origin": "*", "storageTypes": "all"}
    context.new_cdp_session(page).send("Storage.clearDataForOrigin", everything)
    context.clear_permissions()
    context.set_offline(False)
    errors: list[str] = []

    def keep_error(message) -> None:
        # 请求失败时浏览器自己会记一笔，那是测试要的，不是网页的错
        if message.type == "error" and not message.location["url"].endswith(
            ("/analyze_medical_report", "/advice", "/ask", "/fhir", "/health")
        ):
            errors.append(message.text)

    def keep_exception(error) -> None:
        errors.append(str(error.error))

    context.on("console", keep_error)
    context.on("weberror", keep_exception)
    yield page
    page.close()
    context.remove_listener("console", keep_error)
    context.remove_listener("weberror", keep_exception)
    assert errors == []
