"""几页一份：选几张照片与 PDF，再拍、挪、拿掉；一行在哪一页上，就看哪一页。"""

import io
import json
import re
import threading
from functools import partial

import pytest
from pdf_files import jpeg, picture, scanned_pdf
from PIL import Image
from web_app import ANALYZE, NORMAL, FakeService, answer, sse
from web_steps import DONE, is_inside, open_answer, press, read

pytestmark = pytest.mark.browser
expect = pytest.importorskip("playwright.sync_api").expect
expect.set_options(timeout=15_000)

BLOOD = [("白细胞计数", "WBC", "6.10", "10^9/L", "3.5-9.5"), ("血红蛋白", "HGB", "107", "g/L", "115-150")]
SALTS = [
    ("钾", "K", "4.1", "mmol/L", "3.5-5.3"),
    ("钠", "Na", "140", "mmol/L", "137-147"),
    ("氯", "Cl", "103", "mmol/L", "99-110"),
]
KIDNEY = [("尿素", "UREA", "5.1", "mmol/L", "2.6-7.5"), ("尿酸", "UA", "480", "μmol/L", "155-357")]
COLOURS = {"红": (200, 30, 30), "绿": (30, 160, 30), "蓝": (30, 30, 200)}
READING_MS = 90_000


def photo(colour: str, size: tuple[int, int] = (600, 800)) -> dict:
    return file_of(f"{colour}.jpg", jpeg(Image.new("RGB", size, COLOURS[colour])))


def file_of(name: str, data: bytes) -> dict:
    kind = "application/pdf" if name.endswith(".pdf") else "image/jpeg"
    return {"name": name, "mimeType": kind, "buffer": data}


def received(service: FakeService) -> list[bytes]:
    """最后一个请求里的各个文件，按次序。"""
    body = service.bodies[-1]
    boundary = body.split(b"\r\n")[0]
    parts = [part.partition(b"\r\n\r\n") for part in body.split(boundary)[1:-1]]
    assert all(b'name="image"' in head for head, _, _ in parts)
    return [data.removesuffix(b"\r\n") for _, _, data in parts]


def colours(service: FakeService) -> list[str]:
    found = []
    for data in received(service):
        pixel = Image.open(io.BytesIO(data)).convert("RGB").getpixel((200, 200))
        found.append(min(COLOURS, key=lambda name: sum(abs(a - b) for a, b in zip(COLOURS[name], pixel, strict=True))))
    return found


def wait_for_pages(page, count: int) -> None:
    expect(page.locator("#page-list li")).to_have_count(count)


def open_with_two(page, service: FakeService) -> None:
    """打开网页，选好红、绿两张。"""
    page.goto(service.url)
    page.set_input_files("#album-input", [photo("红"), photo("绿")])
    wait_for_pages(page, 2)


def test_several_photos_are_sent_in_the_order_they_stand(page, service):
    open_with_two(page, service)
    page.set_input_files("#more-input", photo("蓝"))
    wait_for_pages(page, 3)
    expect(page.locator("#page-list canvas")).to_have_count(3)  # 加的一页也有小图
    page.click("#page-list li:nth-child(3) button")
    page.click("#earlier-button")
    page.click("#earlier-button")
    assert page.locator("#earlier-button").is_disabled()
    read(page)
    assert colours(service) == ["蓝", "红", "绿"]


def test_a_page_can_be_removed_and_another_photo_taken_on_the_phone(phone, service):
    phone.goto(service.url)
    phone.set_input_files("#camera-input", photo("红"))
    phone.wait_for_selector("#check:not([hidden])")
    assert not phone.locator("#remove-button").is_visible()
    with phone.expect_file_chooser() as chooser:
        phone.tap(".add-page.camera")
    chooser.value.set_files(photo("绿"))
    wait_for_pages(phone, 2)
    assert is_inside(phone, "#read-button") and is_inside(phone, "#page-list") and is_inside(phone, "#remove-button")
    phone.tap("#page-list li:nth-child(1) button")
    phone.tap("#remove-button")
    expect(phone.locator("#page-list")).to_be_hidden()
    read(phone)
    assert colours(service) == ["绿"]


def test_more_photos_than_can_be_read_are_said_to_be_left_out(phone, service):
    """第 21 张没有加：要看得见，不能只念给读屏的人。加、拿、重选以后就不再说。"""
    phone.goto(service.url)
    phone.set_input_files("#album-input", [photo("红", (60, 80))] * 21)
    wait_for_pages(phone, 20)
    words = phone.locator("#page-words")
    assert words.inner_text() == "一份报告最多 20 页，多的没有加。"
    assert words.bounding_box()["height"] > 15 and is_inside(phone, "#page-words") and is_inside(phone, "#read-button")
    phone.tap("#remove-button")
    wait_for_pages(phone, 19)
    assert "多的没有加" not in words.inner_text()
    phone.tap("#back-button")
    phone.set_input_files("#album-input", [photo("红"), photo("绿")])
    wait_for_pages(phone, 2)
    assert words.inner_text() == ""


def test_each_page_is_turned_on_its_own(page, service):
    open_with_two(page, service)
    press(page, "#page-list li:nth-child(2) button", "#page-list li:nth-child(2) [aria-current]")
    page.click("#turn-button")
    page.click("#page-list li:nth-child(1) button")
    read(page)
    assert [Image.open(io.BytesIO(data)).size for data in received(service)] == [(600, 800), (800, 600)]


def test_a_pdf_is_sent_as_it_is(page, service):
    data = scanned_pdf(picture(SALTS))
    page.goto(service.url)
    page.set_input_files("#album-input", file_of("报告.pdf", data))
    page.wait_for_selector("#no-preview:not([hidden])")
    assert "报告.pdf" in page.inner_text("#no-preview")
    assert not page.locator("#turn-button").is_visible()
    read(page)
    assert received(service) == [data]


def test_a_long_screenshot_keeps_its_width(page, service):
    tall = jpeg(Image.linear_gradient("L").resize((1440, 9333)))
    page.goto(service.url)
    page.set_input_files("#album-input", file_of("长.jpg", tall))
    page.wait_for_selector("#check:not([hidden])")
    read(page)
    (sent,) = received(service)
    assert Image.open(io.BytesIO(sent)).width == pytest.approx(1290, abs=2)


def test_everything_can_be_reached_by_keyboard(page, service):
    open_with_two(page, service)
    page.focus("#page-list li:nth-child(2) button")
    page.keyboard.press("Enter")
    page.wait_for_selector("#page-list li:nth-child(2) [aria-current]")
    page.focus("#earlier-button")
    page.keyboard.press("Enter")
    page.focus("#read-button")
    page.keyboard.press("Enter")
    page.wait_for_selector(DONE)
    assert colours(service) == ["绿", "红"]


def test_progress_says_which_page(page, service):
    go_on = threading.Event()
    told = {"page": 1, "pages": 3, "file": 1, "problem": None, "preview": None}
    service.script = [sse("accepted", {}) + sse("page", told), go_on, answer([NORMAL])]
    open_with_two(page, service)
    page.click("#read-button")
    expect(page.locator("#progress-text")).to_contain_text("在读第 2 页，共 3 页")
    go_on.set()
    page.wait_for_selector(DONE)


def test_an_unread_page_is_said_with_the_sentence_and_goes_back_with_a_correction(page, service):
    body = json.loads(re.search(r"event: report\ndata: (.*)", answer([NORMAL]))[1])
    words = "第 2 页没有读成：没有看清文字。"
    body |= {"doubts": [words], "notices": [words], "triage": "routine"}
    done = {"report": body, "advice_html": "", "engines": {"vision": "甲", "advice": "乙"}, "disclaimer": ""}
    open_answer(page, service.url, sse("report", body) + sse("done", done))
    assert "没有读全" in page.inner_text("#summary")
    assert words in page.inner_text("#notices")
    sent = []
    page.route("**/advice", lambda route: (sent.append(route.request.post_data_json), route.abort()))
    page.click(".row-head")
    page.click("text=读错了，改正")
    page.click("text=按原件重新判断")
    expect(page.locator(".problem")).not_to_be_empty()
    assert sent[0]["report"]["doubts"] == [words]
    assert sent[0]["report"]["items"][0]["page"] == 1


def wait_for_letters(page, selector: str) -> None:
    """等画布上有字：不在眼前的一页，要再解开才画。"""
    page.wait_for_function(
        """(selector) => {
            const canvas = document.querySelector(selector);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
            return data.some((value, at) => at % 4 === 0 && value < 90);
        }""",
        arg=selector,
    )


@pytest.mark.slow
def test_a_three_page_report_on_the_phone_one_page_upside_down(phone, report_server):
    files = [
        file_of("1.jpg", jpeg(picture(BLOOD, "血细胞分析"))),
        file_of("2.jpg", jpeg(picture(SALTS).rotate(180))),
        file_of("3.pdf", scanned_pdf(picture(KIDNEY))),
    ]
    phone.goto(report_server)
    phone.set_input_files("#album-input", files)
    wait_for_pages(phone, 3)
    with phone.expect_request(ANALYZE):
        phone.tap("#read-button")
    phone.wait_for_selector(DONE, timeout=READING_MS)
    flags = {row.get_attribute("data-name"): row.get_attribute("data-flag") for row in phone.locator(".row").all()}
    normal = dict.fromkeys(("白细胞计数", "钾", "钠", "氯", "尿素"), "normal")
    assert flags == normal | {"血红蛋白": "low", "尿酸": "high"}
    for name, number in (("尿酸", 3), ("血红蛋白", 1)):
        row = f".row[data-name={name}]"
        phone.tap(f"{row} .row-head")
        expect(phone.locator(f"{row} .more")).to_contain_text(f"在第 {number} 页")
        expect(phone.locator("#photo-page")).to_have_text(f"第 {number} 页")
        phone.wait_for_selector(
            f"#boxes .box[data-index='{phone.get_attribute(row, 'data-index')}'][data-active]", state="attached"
        )
        wait_for_letters(phone, f"{row} .crop canvas")
    phone.tap("#next-page")
    expect(phone.locator("#photo-page")).to_have_text("第 2 页")
    tops = phone.evaluate("[...document.querySelectorAll('#boxes .box')].map((box) => box.getBoundingClientRect().top)")
    assert len(tops) == 3 and tops == sorted(tops), "倒着拍的一页转正了"


def refuse(refusal: dict, route) -> None:
    route.fulfill(status=415, json=refusal)


@pytest.mark.parametrize(
    ("browser_page", "problem", "words"),
    [
        ("page", "第 {} 个文件：这不是图片。", "去掉第 {} 个，读其余的"),
        ("english_page", "File {}: this is not a picture.", "Leave out file {}, read the rest"),
    ],
)
def test_unreadable_files_do_not_cost_the_others_and_are_counted_as_the_person_sees_them(
    request, service, browser_page, problem, words
):
    page = request.getfixturevalue(browser_page)
    page.goto(service.url)
    broken = [file_of(f"{name}.pdf", b"not a pdf") for name in ("说明", "附件")]
    page.set_input_files("#album-input", [photo("红"), broken[0], photo("蓝"), broken[1]])
    wait_for_pages(page, 4)
    button = "#read-button"
    for seen, sent in ((2, 2), (4, 3)):  # 去掉一个以后，送去的第 3 个是人看到的第 4 个
        refusal = {"error": problem.format(sent), "code": "unsupported_format", "request_id": "1", "file": sent}
        page.route(ANALYZE, partial(refuse, refusal))
        press(page, button, "#error:not([hidden])")
        assert page.inner_text("#error-message") == problem.format(seen)
        button = "#retry-button"
        expect(page.locator(button)).to_be_focused()
        assert page.inner_text(button) == words.format(seen)
        page.unroute(ANALYZE)
    press(page, button)
    assert colours(service) == ["红", "蓝"]


def test_a_lone_unreadable_file_is_not_tried_again(page, service):
    page.goto(service.url)
    page.set_input_files("#album-input", photo("红"))
    page.wait_for_selector("#check:not([hidden])")
    refusal = {"error": "这不是图片。", "code": "unsupported_format", "request_id": "1"}
    page.route(ANALYZE, lambda route: route.fulfill(status=415, json=refusal))
    press(page, "#read-button", "#error:not([hidden])")
    assert page.locator("#retry-button").is_hidden()
    expect(page.locator("#other-button")).to_be_focused()
