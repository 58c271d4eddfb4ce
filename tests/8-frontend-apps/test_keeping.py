"""留下结果：人点了才存，只在这台设备里，一按全清；打印、分享、复制。"""

import csv
import io
import json
from pathlib import Path

import pytest
from web_app import ADVISE, ANALYZE, CALCIUM, CRITICAL, EXAMPLE, HIGH, MIXED, NORMAL, UNKNOWN_RANGE
from web_steps import correct, go_home, keep, open_result, press, save

from health_assistant.lab_report.report import PrintedRow

pytestmark = pytest.mark.browser


def test_a_saved_result_is_there_after_closing_the_page_without_the_photo(page, report_server):
    keep(page, report_server, [HIGH, NORMAL])
    press(page, ".record")
    assert page.inner_text("#summary") == "本次 2 项，1 项异常"
    assert page.inner_text(".row[data-name=总胆固醇] .flag") == "↑ 偏高"
    assert "总胆固醇" in page.inner_text("#advice")
    assert "读者甲" in page.inner_text("#engines")
    assert page.locator("#photo-pane").is_hidden()
    kept = page.evaluate(
        """() => new Promise((resolve) => {
            indexedDB.open("health-assistant").onsuccess = ({ target }) => {
                const all = target.result.transaction("results").objectStore("results").getAll();
                all.onsuccess = () => resolve(all.result.map(Object.keys));
            };
        })"""
    )
    parts = ["advice_html", "disclaimer", "engines", "example", "person", "report", "savedAt"]
    assert [sorted(one) for one in kept] == [parts]


def tap_and_answer(page, button, is_yes: bool) -> None:
    """点会问一句的按钮，答好了才往下。"""
    page.once("dialog", lambda dialog: dialog.accept() if is_yes else dialog.dismiss())
    with page.expect_event("dialog"):
        button.tap()


def test_one_result_is_deleted_alone_and_all_at_once_after_asking(phone, report_server):
    keep(phone, report_server, [HIGH], [NORMAL], [CRITICAL])
    entries = phone.locator("#history-list li")
    assert "本次 1 项，1 项异常" in entries.first.inner_text()  # 新的在前
    tap_and_answer(phone, entries.nth(1).get_by_role("button", name="删除"), False)
    phone.wait_for_timeout(300)
    assert entries.count() == 3
    tap_and_answer(phone, entries.nth(1).get_by_role("button", name="删除"), True)
    entries.nth(2).wait_for(state="detached")
    assert "没有看到异常" not in phone.inner_text("#history-list")
    # 接着的一条
    phone.wait_for_function("() => document.activeElement === document.querySelectorAll('.record')[1]")
    tap_and_answer(phone, phone.locator("#clear-history-button"), False)
    assert entries.count() == 2
    tap_and_answer(phone, phone.locator("#clear-history-button"), True)
    phone.wait_for_selector("#history", state="hidden")
    phone.wait_for_function("document.activeElement.id === 'start-title'")
    phone.reload()
    assert phone.locator("#history").is_hidden()


def test_the_list_goes_by_the_day_of_the_test_not_of_keeping(page, report_server):
    """今天补存去年的一份：它在去年，不在最上面；同一天的，后存的在前。"""
    same = [("2026-06-15", row) for row in (NORMAL, HIGH, CRITICAL)]
    for day, row in [("2026-11-20", NORMAL), ("2025-03-02", NORMAL), *same]:
        open_result(page, report_server, [row], origin={"collected": day})
        save(page)
        page.unroute(ANALYZE)
    page.goto(report_server)
    page.wait_for_selector(".record")
    listed = [words.split(" · ")[0] for words in page.locator(".record .muted").all_inner_texts()]
    assert listed == ["2026 年 11 月 20 日", *["2026 年 6 月 15 日"] * 3, "2025 年 3 月 2 日"]
    assert page.locator(".record b").all_inner_texts() == ["未见异常", "尽快急诊", "几周内去", "未见异常", "未见异常"]


def test_the_list_says_how_soon_to_see_a_doctor(page, report_server):
    """危急的一份，不能只写着有几项异常；一项也没能判断的，不能写着没有看到异常。"""
    mild = CALCIUM.model_copy(update={"result": "3.05"})
    keep(page, report_server, [CRITICAL], [mild], [UNKNOWN_RANGE], [NORMAL])
    said = [text.split(" · ")[1:] for text in page.locator(".record").all_inner_texts()]
    assert said == [
        ["未见异常", "本次 1 项，没有看到异常"],
        ["几周内去", "本次 1 项，没能判断，1 项请核对原件"],
        ["今天就去", "本次 1 项，1 项异常"],
        ["尽快急诊", "本次 1 项，1 项异常"],
    ]


def test_a_result_left_without_keeping_may_be_opened_again(page, report_server):
    """手机上碰到“返回”，不用重新拍；存了的、刷新以后的不提。"""
    open_result(page, report_server, [HIGH])
    page.get_by_role("button", name="填上采样时间").click()
    page.fill("[name=performer]", "甲医院")
    page.get_by_role("button", name="填好了").click()
    assert page.inner_text("#done-words") == "改好了，还没有存。"
    page.go_back()
    page.wait_for_selector("#start:not([hidden])")
    assert page.locator("#history").is_hidden()  # 没有点存，就没有留下
    page.click("#left-button")
    assert "甲医院" in page.inner_text("#origin")
    assert page.inner_text(".row[data-name=总胆固醇] .flag") == "↑ 偏高"
    save(page)
    go_home(page)
    assert page.locator("#left-button").is_hidden()
    page.reload()
    assert page.locator("#left-button").is_hidden()


def test_saving_again_after_a_correction_replaces_the_record(page, report_server):
    open_result(page, report_server, [HIGH, NORMAL])
    save(page)
    with page.expect_response(ADVISE):
        correct(page, "总胆固醇", result="4.3", mark="")
    page.wait_for_selector("#save-button:enabled")
    save(page)
    go_home(page)
    assert page.locator("#history-list li").count() == 1
    page.locator(".record").click()
    assert "人工核对" in page.inner_text(".row[data-name=总胆固醇]")


def test_printing_keeps_the_result_and_drops_the_rest(page, report_server):
    open_result(page, report_server, MIXED)
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")
    for part in ("#notices", "#summary", "#tier", "#advice", ".trust", ".row[data-name=尿素]"):
        assert page.locator(part).is_visible(), part
    for part in (".site", "#photo-pane", "#origin button", "#owner", "#print-button", ".row[data-name=氯] .more"):
        assert not page.locator(part).is_visible(), part
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not page.locator("#rows details").evaluate("({ open }) => open")


def test_the_printed_pdf_is_short(page, report_server):
    open_result(page, report_server, EXAMPLE)
    pdf = page.pdf(format="A4")
    assert pdf.count(b"/Type /Page\n") <= 4


def saved(page, button: str) -> tuple[str, str]:
    """点了按钮，存下的文件：名字与内容。"""
    with page.expect_download() as download:
        page.click(button)
    return download.value.suggested_filename, Path(download.value.path()).read_text("utf-8")


def test_every_row_leaves_as_words_as_a_table_and_as_a_bundle(page, report_server):
    """复制的文字，给电子表格的 CSV，给别的健康软件的 FHIR（真的服务写的）。"""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    rows = [*MIXED, CRITICAL.model_copy(update={"name": "=HYPERLINK(1)"})]
    open_result(page, report_server, rows)
    press(page, "#copy-button", "#done-words:has-text('已经复制')")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.splitlines()[0] == "血细胞分析：本次 9 项，5 项异常，2 项请核对原件"
    assert text.splitlines()[1].startswith("尽快急诊：")
    assert "尽快就医：钾 7.1" in text
    assert all(f"{item.name} {item.result}" in text for item in rows)
    assert "总胆固醇 6.3 mmol/L，↑偏高，参考 <5.2" in text
    assert "不能代替医生" in text

    name, text = saved(page, "#csv-button")
    assert name == "化验结果.csv"
    assert text.startswith("\ufeff")
    first, second, head, *cells = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    assert first[0].startswith("尽快就医：钾 7.1") and second[0].startswith("尽快就医：")  # 急的话不在最后
    assert head[:6] == ["项目", "代号", "结果", "单位", "参考范围", "判断"]
    for item, row in zip(MIXED, cells, strict=False):
        range_text = item.reference_range.replace("-", "~")  # 3-5 会被表格软件当成日期
        assert row[:5] == [item.name, item.code, item.result, item.unit, range_text]
    assert cells[1][5] == "↑偏高"
    assert cells[len(MIXED)][0] == "'=HYPERLINK(1)"  # 读错的字不能变成公式
    assert not any(line and "尽快就医：" in line[0] for line in cells)
    assert "AI 生成" in cells[-1][0] and "不能代替医生" in cells[-1][0]

    name, text = saved(page, "#fhir-button")
    assert name == "化验结果.fhir.json"
    resources = [entry["resource"] for entry in json.loads(text)["entry"]]
    observations = [one for one in resources if one["resourceType"] == "Observation"]
    assert [one["code"]["text"] for one in observations] == [f"{item.name}（{item.code}）" for item in rows]
    assert "没有姓名" in page.inner_text("#done-words")
    page.route("**/fhir", lambda route: route.abort())
    press(page, "#fhir-button", "#done-words:has-text('没有导出：连不上服务器')")


def test_copying_works_without_the_clipboard_interface(page, report_server):
    """局域网里的手机用 http 打开，没有 navigator.clipboard。"""
    page.context.grant_permissions(["clipboard-read"])
    page.add_init_script("Object.defineProperty(navigator, 'clipboard', { value: undefined, configurable: true })")
    open_result(page, report_server, [HIGH])
    page.evaluate("document.addEventListener('copy', () => { window.copied = getSelection().toString(); })")
    page.click("#copy-button")
    assert "总胆固醇 6.3" in page.evaluate("window.copied")


@pytest.mark.parametrize("is_shareable", [True, False])
def test_sharing_uses_the_phones_own_panel_or_else_copies(phone, report_server, is_shareable):
    panel = "async (data) => { window.shared = data; }" if is_shareable else "undefined"
    phone.add_init_script(f"navigator.share = {panel}")
    open_result(phone, report_server, [HIGH])
    phone.tap("#share-button")
    if is_shareable:
        phone.wait_for_function("() => window.shared?.text.includes('总胆固醇 6.3')")
    else:
        phone.wait_for_selector("#done-words:has-text('已经复制')")


def test_the_copied_text_has_the_order_of_the_page(page, report_server):
    """低得厉害的血红蛋白在稍高的胆固醇前面，分享出去也一样。"""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    anaemia = PrintedRow(name="血红蛋白", code="HGB", result="62", unit="g/L", reference_range="115-150")
    open_result(page, report_server, [NORMAL, UNKNOWN_RANGE, HIGH, anaemia])
    press(page, "#copy-button", "#done-words:has-text('已经复制')")
    text = page.evaluate("navigator.clipboard.readText()")
    names = [line.split()[0] for line in text.splitlines() if line.startswith(("血红蛋白 ", "总胆", "某项 ", "尿素 "))]
    assert names == ["血红蛋白", "总胆固醇", "某项", "尿素"]
    shown = page.locator(".row[data-flag]").all()
    assert [row.get_attribute("data-name") for row in shown][:2] == names[:2]
