"""一份结果是谁的：存错了人的移得走；两个标签页开着，另一页删了、改了、清了，这一页不存到别人名下。"""

import pytest
from web_app import HIGH, LOW, NORMAL, answer
from web_steps import (
    LISTED,
    SAVED,
    add_person,
    check_with_axe,
    go_home,
    keep,
    open_home,
    open_result,
    read_photo,
    reply_with,
    save,
)

pytestmark = pytest.mark.browser


def chip(page, name: str):
    return page.locator("#people .chip", has_text=name)


def owner(page) -> str:
    return page.locator("#owner-select option:checked").inner_text()


def said(page, words: str) -> None:
    page.locator("#done-words", has_text=words).wait_for()


@pytest.fixture
def other(page, report_server):
    """同一个浏览器里的第二个标签页。"""
    second = page.context.new_page()
    open_home(second, report_server)
    yield second
    second.close()


HOSPITAL = """async () => {
    const { allResults } = await import("./js/storage.js");
    return (await allResults())[0].report.origin.performer.value;
}"""


def test_a_kept_result_is_moved_to_another_person(page_without_csp, report_server):
    page = page_without_csp
    keep(page, report_server, [HIGH], [NORMAL])
    add_person(page, "妈妈")
    chip(page, "没写名字的").click()
    page.locator(".record", has_text="1 项异常").click()
    assert owner(page) == "没写名字的"
    page.get_by_label("这份是谁的？选别人，就移到他名下").select_option(label="妈妈")
    said(page, "移到“妈妈”名下了")
    assert (owner(page), page.locator(SAVED).count()) == ("妈妈", 1)
    check_with_axe(page)
    go_home(page)
    assert page.locator(".record").all_inner_texts()[0].endswith("没有看到异常")
    chip(page, "妈妈").click()
    page.locator(".record", has_text="1 项异常").wait_for()
    assert page.locator(".record").count() == 1


@pytest.mark.slow
def test_it_may_go_to_somebody_new_before_keeping_too_and_giving_no_name_changes_nothing(page, other, report_server):
    keep(page, report_server, [HIGH])
    page.locator(".record").click()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.select_option("#owner-select", label="别的人…")
    assert owner(page) == "没写名字的"
    page.once("dialog", lambda dialog: dialog.accept(" 外婆 "))
    page.select_option("#owner-select", label="别的人…")
    said(page, "移到“外婆”名下了")
    chip(other, "外婆").wait_for()  # 另一页的首页跟着变
    go_home(page)
    assert page.locator("#people .chip").all_inner_texts() == ["外婆"]  # 没有名字、没有结果的人不必留着
    page.evaluate("import('./js/storage.js').then(({ savePerson }) => savePerson({ sex: '女', chosenAt: 0 }))")
    page.evaluate("import('./js/storage.js').then(({ savePerson }) => savePerson({ sex: '男', chosenAt: 0 }))")
    page.reload()
    page.wait_for_selector(LISTED)
    reply_with(page, answer([NORMAL]))
    read_photo(page)
    assert page.locator("#owner-select option").all_inner_texts()[1:3] == ["没写名字的 1", "没写名字的 2"]
    page.select_option("#owner-select", label="没写名字的 2")
    page.wait_for_selector("#save-button:text-is('存在这台设备上')")
    save(page)
    other.get_by_role("button", name="没写名字的 2", exact=True).click()
    other.locator(".record", has_text="没有看到异常").wait_for()


@pytest.mark.slow
def test_a_result_of_somebody_deleted_in_another_tab_is_not_kept_under_another(page, other, report_server):
    keep(page, report_server, [HIGH])
    add_person(page, "妈妈")
    open_result(page, report_server, [NORMAL])
    chip(other, "妈妈").wait_for()
    other.get_by_role("button", name="改妈妈").click()
    other.once("dialog", lambda dialog: dialog.accept())
    other.get_by_role("button", name="删除这个人").click()
    chip(other, "妈妈").wait_for(state="detached")
    page.wait_for_function("() => document.getElementById('owner-select').value === ''")
    page.click("#save-button")
    said(page, "没有存：原来的人在别的页面里删掉了。请在上面选这份是谁的，再存。")
    assert owner(page) == "请选"
    assert page.evaluate("document.activeElement.id") == "owner-select"
    other.reload()
    other.locator(".record").wait_for()
    assert other.locator(".record").count() == 1
    page.select_option("#owner-select", label="没写名字的")
    save(page)
    other.locator(".record").nth(1).wait_for()


@pytest.mark.slow
def test_when_all_is_cleared_in_another_tab_this_one_says_it_is_not_kept_any_more(page, other, report_server):
    keep(page, report_server, [HIGH])
    add_person(page, "妈妈")
    open_result(page, report_server, [LOW])
    save(page)
    chip(other, "妈妈").wait_for()
    other.once("dialog", lambda dialog: dialog.accept())
    other.click("#clear-history-button")
    said(page, "这一份在别的页面里删掉了。要留着，就再存一次。")
    page.click("#save-button")
    said(page, "没有存：原来的人在别的页面里删掉了。要留着，就再按一次。")
    save(page)
    other.locator(".record").wait_for()
    assert other.locator("#people .chip").all_inner_texts() == ["没写名字的"]


@pytest.mark.slow
def test_somebody_deleted_in_another_tab_does_not_come_back_by_being_edited(page, other, report_server):
    keep(page, report_server, [HIGH])
    add_person(page, "妈妈")
    page.get_by_role("button", name="改妈妈").click()
    page.fill("#people [name=name]", "老妈")
    chip(other, "妈妈").wait_for()
    other.get_by_role("button", name="改妈妈").click()
    other.once("dialog", lambda dialog: dialog.accept())
    other.get_by_role("button", name="删除这个人").click()
    chip(other, "妈妈").wait_for(state="detached")
    assert page.input_value("#people [name=name]") == "老妈"  # 正填着的不打断
    told: list[str] = []
    page.once("dialog", lambda dialog: (told.append(dialog.message), dialog.accept()))
    page.get_by_role("button", name="存好").click()
    chip(page, "没写名字的").wait_for()
    assert page.locator("#people .chip").count() == 1
    assert told == ["没有存：“妈妈”在别的页面里删掉了。"]


@pytest.mark.slow
def test_a_result_changed_in_two_tabs_is_not_silently_overwritten(page, other, report_server):
    keep(page, report_server, [HIGH])
    other.goto(report_server)
    for one, hospital in ((page, "甲医院"), (other, "乙医院")):
        one.locator(".record").click()
        one.get_by_role("button", name="填上采样时间").click()
        one.fill("[name=performer]", hospital)
        one.get_by_role("button", name="填好了").click()
    save(page)
    asked: list[str] = []
    other.once("dialog", lambda one: asked.append(one.message) or one.dismiss())
    with other.expect_event("dialog"):
        other.click("#save-button")
    assert other.evaluate(HOSPITAL) == "甲医院"
    other.once("dialog", lambda one: asked.append(one.message) or one.accept())
    save(other)
    assert other.evaluate(HOSPITAL) == "乙医院"
    assert len(asked) == 2 and all("别的页面里改过" in words for words in asked)
    said(page, "这里是改之前的")
    assert page.locator("#save-button").is_enabled()
