"""建议下面的“问一句”：接了建议模型才有；真的服务答，假的模型挑。"""

import json
import re

import pytest
import report_servers
from fake_upstreams import FakeUpstream
from web_app import CRITICAL, HIGH, NORMAL
from web_steps import open_result, press, save

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def model():
    with FakeUpstream(lambda body: json.dumps({"chosen": ["row1"]})) as model:
        yield model


@pytest.fixture(scope="module")
def asking_server(model, tmp_path_factory):
    settings = {"ADVICE_API_BASE": model.api_base, "ADVICE_MODEL": "model"}
    with report_servers.running(tmp_path_factory.mktemp("asking") / "log", **settings) as (url, _):
        yield url


def ask(page, question: str) -> str:
    """问一句，等回答（或错误）。"""
    page.fill("#ask-form [name=question]", question)
    page.press("#ask-form [name=question]", "Enter")
    page.wait_for_selector("#ask-answer :is(.small-print, .problem)")
    return page.inner_text("#ask-answer")


def test_without_an_advice_model_the_box_is_not_shown(page, report_server):
    with page.expect_response("**/health"):
        open_result(page, report_server, [HIGH])
    assert page.locator("#ask").is_hidden()


@pytest.mark.slow
def test_a_question_is_answered_below_the_advice_and_kept_nowhere(page, asking_server, model):
    model.answer = lambda body: json.dumps({"chosen": ["row1", "TC.why"]})
    open_result(page, asking_server, [HIGH, NORMAL])
    page.wait_for_selector("#ask:not([hidden])")
    words = ask(page, "总胆固醇高要紧吗？")
    assert "总胆固醇 6.3 mmol/L ↑" in words and "AI 生成，仅供参考" in words and "不能代替医生" in words
    assert page.get_attribute("#ask-answer", "role") == "status"
    save(page)
    kept = """async () => {
        const { allResults } = await import("./js/storage.js");
        return JSON.stringify([await allResults(), localStorage]);
    }"""
    assert "总胆固醇" in page.evaluate(kept) and "要紧吗" not in page.evaluate(kept)
    page.locator("#result .restart").click()
    press(page, ".record", "#ask:not([hidden])")
    assert page.input_value("#ask-form [name=question]") == page.inner_text("#ask-answer") == ""


@pytest.mark.slow
def test_what_the_model_makes_up_is_refused_and_what_is_urgent_is_said(page, asking_server, model):
    open_result(page, asking_server, [CRITICAL])
    page.wait_for_selector("#ask:not([hidden])")
    model.answer = lambda body: "<b>一切正常</b>，补钾片一天三次，一次 2 片。"
    words = ask(page, "要吃什么药，几片？")
    assert words.startswith("尽快就医") and "没有通过检查" in words and "片。" not in words and "正常" not in words
    asked = len(model.requests)
    assert "请马上打 120" in ask(page, "我现在胸痛，喘不上气")
    assert len(model.requests) == asked
    model.behave("crash")
    assert "没有答上来" in ask(page, "这个要紧吗？")
    model.behave("ok")


@pytest.mark.slow
def test_offline_is_said_and_in_english_too(english_page, asking_server, model):
    page = english_page
    model.answer = lambda body: json.dumps({"chosen": ["row1"]})
    open_result(page, asking_server, [HIGH])
    page.wait_for_selector("#ask:not([hidden])")
    assert "Total cholesterol" in ask(page, "Is my cholesterol high?")
    assert re.search("[一-鿿]", page.inner_text("#ask-form")) is None
    page.evaluate("Object.defineProperty(navigator, 'onLine', { value: false })")
    page.route("**/ask", lambda route: route.fulfill(status=200, content_type="text/html", body="not ours"))
    assert "no network" in ask(page, "Is it serious?")
