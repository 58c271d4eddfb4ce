"""几个人共用一台设备：各存各的；单子上没有印性别、年龄的，用人填的，并且说出来。"""

from datetime import date

import pytest
from web_app import ADVISE, ANALYZE, CRITICAL, HIGH, NORMAL, answer
from web_steps import add_person, correct, fill_in_person, keep, open_result, read_photo, reply_with, save

pytestmark = pytest.mark.browser

THIS_YEAR = date.today().year


def choose(page, name: str) -> None:
    page.locator("#people .chip", has_text=name).click()
    page.locator("#people .chip[aria-pressed=true]", has_text=name).wait_for()


def listed(page) -> str:
    return page.inner_text("#history-list")


@pytest.mark.slow
def test_the_chooser_is_there_when_something_is_kept_and_a_name_is_only_text(page, report_server):
    page.goto(report_server)
    assert page.locator("#people").is_hidden()
    keep(page, report_server, [HIGH])
    assert page.locator("#people .chip").all_inner_texts() == ["没写名字的"]
    assert page.locator("#for-whom").is_hidden()
    page.get_by_role("button", name="改没写名字的").click()
    fill_in_person(page, "<b>爸爸</b>", "男")
    assert page.locator("#people b, #for-whom b").count() == 0
    assert page.inner_text("#people .chip") == "<b>爸爸</b>"
    open_result(page, report_server, [HIGH])
    assert page.inner_text("#save-button") == "存在这台设备上：<b>爸爸</b>"


def test_people_are_kept_apart(page, report_server):
    keep(page, report_server, [HIGH])
    add_person(page, "妈妈", "女", "1968")
    assert listed(page) == "还没有存下的结果。"
    assert "“妈妈”" in page.inner_text("#for-whom")
    keep(page, report_server, [NORMAL])
    assert page.locator(".record").count() == 1
    assert "没有看到异常" in listed(page)
    choose(page, "没写名字的")
    assert "1 项异常" in listed(page)
    assert page.locator(".record").count() == 1
    page.reload()
    page.wait_for_selector(".record")
    assert "1 项异常" in listed(page)


@pytest.mark.slow
def test_deleting_a_person_takes_the_results_along_and_leaves_the_others(page, report_server):
    keep(page, report_server, [HIGH])
    add_person(page, "妈妈")
    keep(page, report_server, [CRITICAL])
    page.get_by_role("button", name="改妈妈").click()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="删除这个人").click()
    assert page.locator("#people form").is_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="删除这个人").click()
    page.wait_for_selector("#people .chip")  # 名字回来了才是删完了：.record 删之前也有
    assert page.locator("#people .chip").all_inner_texts() == ["没写名字的"]
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="删除 ").click()
    page.wait_for_selector("#history", state="hidden")
    page.reload()
    assert page.locator("#history").is_hidden()


def sent_with(page, url: str, told: list) -> bytes:
    """读一张照片，服务器说用了填的 told；发去的正文。"""
    page.goto(url)
    page.wait_for_selector("#history:not([hidden])")
    reply_with(page, answer([HIGH, NORMAL], told=told))
    with page.expect_request(ANALYZE) as request:
        read_photo(page)
    return request.value.post_data_buffer


def test_what_the_person_filled_in_is_sent_and_what_was_used_is_said(page, report_server):
    keep(page, report_server, [HIGH])
    assert b"birth_year" not in sent_with(page, report_server, [])
    assert page.inner_text("#person") == "女 · 34岁"
    page.goto(report_server)
    add_person(page, "妈妈", "女", "1968")
    body = sent_with(page, report_server, ["sex", "age"])
    assert 'name="sex"\r\n\r\n女\r\n'.encode() in body
    assert b'name="birth_year"\r\n\r\n1968\r\n' in body
    assert "妈妈".encode() not in body  # 名字哪里也不去
    assert page.inner_text("#person") == "按您填的：女，34 岁"
    sent_with(page, report_server, ["age"])
    assert page.inner_text("#person") == "女 · 按您填的：34 岁"


@pytest.mark.slow
def test_a_correction_is_judged_by_what_was_filled_in_too(page, report_server):
    """重新判断用的是真的服务。"""
    keep(page, report_server, [HIGH])
    sent_with(page, report_server, ["sex", "age"])
    with page.expect_response(ADVISE):
        correct(page, "总胆固醇", result="4.3")
    page.wait_for_selector("#done-words:has-text('改好了')")
    assert page.inner_text("#person") == "按您填的：女，34 岁"


@pytest.mark.slow
def test_a_paper_of_someone_else_is_noticed(page, report_server):
    """单子印着女、34 岁；移到各人名下，对不上的说出来。"""
    keep(page, report_server, [HIGH])
    people = {
        "男": ("男", None, "印的是女，与“男”"),
        "老": ("女", 1950, "印的是34 岁"),
        "老男": ("男", 1950, "印的是女、34 岁"),
        "女": ("女", None, ""),
    }
    for name, (sex, year, _) in people.items():
        fields = {"name": name, "sex": sex, "birthYear": year, "chosenAt": 0}
        page.evaluate("(fields) => import('./js/storage.js').then(({ savePerson }) => savePerson(fields))", fields)
    sent_with(page, report_server, [])
    for name, (_, _, words) in people.items():
        page.select_option("#owner-select", label=name)
        said = page.locator("#mismatch", has_text=words) if words else page.locator("#mismatch:empty")
        said.wait_for(state="attached")
    # 照一个人填的判断的，移到别人名下就不一定对
    page.goto(report_server)
    add_person(page, "妈妈", "女", str(THIS_YEAR - 34))
    sent_with(page, report_server, ["sex", "age"])
    assert page.inner_text("#mismatch") == ""
    page.select_option("#owner-select", label="没写名字的")
    page.get_by_text("高低是按女、34 岁判断的，与“没写名字的”填的对不上，不一定对").wait_for()


def test_the_example_is_not_taken_for_a_paper_of_someone_else(page, report_server):
    """示例印着女、34 岁：不提醒选错了人，也不把填的发去。"""
    keep(page, report_server, [HIGH])
    add_person(page, "爸爸", "男", "1950")
    with page.expect_request(ANALYZE) as request:
        open_result(page, report_server, [HIGH])
    assert b"birth_year" not in request.value.post_data_buffer
    assert page.inner_text("#mismatch") == ""
    save(page)
    page.goto(report_server)
    page.locator(".record").click()
    assert page.inner_text("#mismatch") == ""
