"""存下的结果写成一个文件，再读回来：一样、不重复、坏的不收；加密；全部清除以后什么也不剩。"""

import base64
import json
from pathlib import Path

import pytest
from web_app import APP, CRITICAL, HIGH, MIXED, NORMAL
from web_steps import DONE, add_person, fill_in_person, go_home, keep, press, wait_until_installed

pytestmark = pytest.mark.browser

PASSPHRASE = "正确的口令ABC１２３"
EVERYTHING = """async () => {
    const found = { localStorage: { ...localStorage }, sessionStorage: { ...sessionStorage }, stores: {} };
    for (const { name } of await indexedDB.databases()) {
        const database = await new Promise((resolve) => {
            indexedDB.open(name).onsuccess = ({ target }) => resolve(target.result);
        });
        for (const store of database.objectStoreNames) {
            const all = database.transaction(store).objectStore(store).getAll();
            found.stores[store] = await new Promise((resolve) => { all.onsuccess = () => resolve(all.result); });
        }
        database.close();
    }
    found.cached = (await Promise.all((await caches.keys()).map(async (name) =>
        (await (await caches.open(name)).keys()).map(({ url }) => new URL(url).pathname)))).flat();
    return found;
}"""


def export(page, passphrase: str = "") -> bytes:
    """导出的文件。"""
    open_backup(page)
    page.fill("#export-form [name=passphrase]", passphrase)
    return export_plainly(page)


def export_plainly(page) -> bytes:
    with page.expect_download() as download:
        page.click("#export-form button")
    return Path(download.value.path()).read_bytes()


def open_backup(page) -> None:
    page.evaluate("document.getElementById('backup').open = true")


def give(page, content: bytes) -> None:
    open_backup(page)
    page.set_input_files("#import-input", {"name": "备份.json", "mimeType": "application/json", "buffer": content})


def told(page, words: str) -> None:
    page.locator("#backup-words", has_text=words).wait_for()


def clear(page) -> None:
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#clear-history-button")
    page.wait_for_selector("#history", state="hidden")


def shown(page) -> list[str]:
    """首页的各条，与每一条打开以后的整页文字。"""
    texts = [page.inner_text("#history-list")]
    for at in range(page.locator(".record").count()):
        page.locator(".record").nth(at).click()
        page.wait_for_selector(DONE)
        page.evaluate("document.querySelectorAll('#result details').forEach((one) => { one.open = true; })")
        texts.append(page.inner_text("#result"))
        go_home(page)
    return texts


def test_exported_deleted_and_read_back_shows_the_same(page, report_server):
    keep(page, report_server, MIXED, [CRITICAL])
    before = shown(page)
    assert len(before) == 3
    content = export(page, PASSPHRASE)
    clear(page)
    give(page, content)
    told(page, "加了密")
    try_passphrase(page, PASSPHRASE)
    told(page, "读回了 2 份结果。")
    assert shown(page) == before


def try_passphrase(page, passphrase: str) -> None:
    page.fill("#import-form [name=passphrase]", passphrase)
    page.click("#import-form button")


@pytest.mark.slow
def test_an_encrypted_file_shows_nothing_and_opens_only_whole_and_with_the_passphrase(page, report_server):
    keep(page, report_server, [HIGH])
    content = export(page, PASSPHRASE)
    file, again = json.loads(content), json.loads(export(page, PASSPHRASE))
    data = bytearray(base64.b64decode(file["data"]))
    assert "总胆固醇" not in json.dumps(file, ensure_ascii=False) and "总胆固醇".encode() not in data
    how = file["encryption"]
    assert (how["cipher"], how["key"]) == ("AES-GCM", "PBKDF2-SHA256")
    assert how["iterations"] >= 600_000
    assert [len(base64.b64decode(how[part])) for part in ("salt", "iv")] == [16, 12]
    assert all(how[part] != again["encryption"][part] for part in ("salt", "iv"))
    clear(page)
    data[len(data) // 2] ^= 1
    tampered = json.dumps(file | {"data": base64.b64encode(data).decode()}).encode()
    refused = "口令不对，或文件被改过。什么也没有读回。"
    give(page, content)
    told(page, "加了密")
    try_passphrase(page, "错误的口令")
    told(page, refused)
    give(page, tampered)
    try_passphrase(page, "正确的口令ABC123")  # 半角与全角是同一个
    page.wait_for_selector("#import-form button:enabled")
    told(page, refused)
    assert page.locator("#history").is_hidden()
    give(page, content)  # 填着的口令还在，是对的
    told(page, "读回了 1 份结果。")
    assert page.locator("#import-passphrase").is_hidden()


@pytest.mark.slow
def test_the_same_record_is_kept_once_and_a_changed_one_beside_it(page, report_server):
    keep(page, report_server, [HIGH], [NORMAL])
    content = export(page)
    give(page, content)
    told(page, "读回了 0 份结果，2 份本来就有。")
    assert page.locator("#history-list li").count() == 2
    changed = json.loads(content)
    changed["results"][0]["report"]["report_type"] = "另一台设备上改过的"
    for words in (
        "读回了 1 份结果，1 份本来就有，1 份与这里的同一份不一样，两份都留着。",
        "读回了 0 份结果，2 份本来就有。",
    ):
        give(page, json.dumps(changed).encode())
        told(page, words)
        assert page.locator("#history-list li").count() == 3
    page.locator(".record").first.click()
    page.once("dialog", lambda dialog: dialog.accept("妈妈"))
    page.select_option("#owner-select", label="别的人…")
    page.locator("#done-words", has_text="移到“妈妈”名下了").wait_for()
    go_home(page)
    give(page, content)
    told(page, "读回了 0 份结果，2 份本来就有。")  # 移到别人名下的，还是同一份，也留在那里
    assert page.locator("#people .chip").all_inner_texts() == ["没写名字的", "妈妈"]
    assert page.locator(".record").count() == 2


def broken(file: dict) -> dict[str, tuple[bytes, str]]:
    """怎么坏的 -> 内容与要说的话。"""

    def changed(change) -> bytes:
        copy = json.loads(json.dumps(file))
        change(copy)
        return json.dumps(copy).encode()

    def row(copy: dict) -> dict:
        return copy["results"][0]["report"]["items"][0]

    return {
        "断了一半": (json.dumps(file).encode()[:-40], "文件坏了，或没有存完整"),
        "不是 JSON": (b"\x89PNG\r\n", "文件坏了，或没有存完整"),
        "别的 JSON": (b'{"entry": []}', "不是从这里导出的文件"),
        "只有 null": (b"null", "不是从这里导出的文件"),
        "别的版本": (changed(lambda copy: copy.update(version=2)), "第 2 版，这里读第 1 版"),
        "没有结果": (changed(lambda copy: copy.pop("results")), "没有人与结果"),
        "判断不认得": (changed(lambda copy: row(copy).update(flag="fine")), "第 1 份结果"),
        "结果不是字": (changed(lambda copy: row(copy).update(result=[6.3])), "第 1 份结果"),
        "相比用的数不是数": (changed(lambda copy: row(copy)["tracked"].update(value="六点三")), "第 1 份结果"),
        "日期不是日期": (
            changed(lambda copy: copy["results"][0]["report"].update(origin={"collected": {"value": "昨天"}})),
            "第 1 份结果",
        ),
        "没有这个人": (changed(lambda copy: copy["results"][0].update(person="?")), "第 1 份结果"),
        "没有的日子": (
            changed(lambda copy: copy["results"][0]["report"].update(origin={"collected": {"value": "2026-02-30"}})),
            "第 1 份结果（血细胞分析）",
        ),
        "没有的时刻": (
            changed(
                lambda copy: copy["results"][0]["report"].update(origin={"reported": {"value": "2026-02-03T24:00"}})
            ),
            "第 1 份结果",
        ),
        "一栏太长": (changed(lambda copy: row(copy).update(name="长" * 20_000)), "第 1 份结果"),
        "行太多": (changed(lambda copy: copy["results"][0]["report"]["items"].extend([row(copy)] * 6_000)), "第 1 份"),
        "位置不是四个数": (changed(lambda copy: row(copy).update(boxes={"row": [1]})), "第 1 份结果"),
        "存的时刻不可能": (changed(lambda copy: copy["results"][0].update(savedAt=9e15)), "第 1 份结果"),
        "全是别的": (changed(lambda copy: copy.update(people=[None, 1], results=[None, [], "x"])), "第 3 份结果"),
        "加密的方法不认得": (changed(lambda copy: copy.update(encryption={"cipher": "ROT13"})), "加密方法，这里不认得"),
    }


def test_a_broken_file_is_refused_whole(page, report_server, tmp_path):
    keep(page, report_server, [HIGH])
    file = json.loads(export(page))
    clear(page)
    for kind, (content, words) in broken(file).items():
        give(page, content)
        told(page, words)
        told(page, "什么也没有读回")
        assert page.locator("#history").is_hidden(), kind
    with (tmp_path / "视频.json").open("wb") as big:
        big.truncate(100_000_000)
    page.set_input_files("#import-input", tmp_path / "视频.json")
    told(page, "文件有 100 MB，太大了：不像从这里导出的。什么也没有读回。")
    give(page, json.dumps(file).encode())
    told(page, "读回了 1 份结果。")


def test_what_is_good_is_read_and_what_is_bad_is_named(page, report_server):
    """坏了一份，好的照读；人填的坏了，名字和结果都在，也不会总是现在的人；读几次都一样。写了两次的人用先写的。"""
    keep(page, report_server, [HIGH], [NORMAL], [CRITICAL])
    page.evaluate("document.querySelector('#people .link').click()")
    fill_in_person(page, "妈妈")
    file = json.loads(export(page))
    clear(page)
    file["results"][1]["report"]["origin"] = {"collected": {"value": "2026-02-30"}}
    file["people"][0].update(sex="x", chosenAt=9_000_000_000_000_000)
    future = file["people"][0] | {"id": "1-a", "name": "外婆", "sex": "女", "chosenAt": 9_000_000_000_000_000}
    file["people"] += [future, future | {"name": "重复的"}]
    content = json.dumps(file).encode()
    words = "有 2 处不对，没有读：第 1 个人填的内容、第 2 份结果（血细胞分析）。这个文件请留着。"
    for count in ("读回了 2 份结果。", "读回了 0 份结果，2 份本来就有。"):
        give(page, content)
        told(page, count + words)
    page.locator("#people .chip", has_text="妈妈").click()
    page.locator("#people .chip[aria-pressed=true]", has_text="妈妈").wait_for()
    assert page.locator(".record").count() == 2
    assert sorted(page.locator("#people .chip").all_inner_texts()) == ["外婆", "妈妈"]
    add_person(page, "爸爸")


@pytest.mark.slow
def test_a_hostile_file_runs_nothing_and_changes_nothing_else(page_without_csp, report_server):
    """HTML、脚本、原型：读回来的一律是字。"""
    page = page_without_csp
    keep(page, report_server, [HIGH])
    file = json.loads(export(page))
    clear(page)
    evil = "<img src=x onerror='window.hacked=1'><script>window.hacked=1</script>"
    record = file["results"][0]
    record["report"].update(report_type=evil, notices=[evil], doubts=[evil], origin={"performer": {"value": evil}})
    record["report"]["items"][0].update(name=evil, result=evil, unit=evil, note=evil, other_reading=evil)
    record.update(advice_html=f"<p onclick='window.hacked=1'>{evil}</p><a href='javascript:window.hacked=1'>看</a>")
    file["people"][0]["name"] = evil
    text = json.dumps(file).replace('"savedAt"', '"__proto__": {"polluted": 1, "flag": "high"}, "savedAt"')
    give(page, text.encode())
    told(page, "读回了 1 份结果。")
    press(page, ".record")
    page.locator(".row-head").first.click()
    page.wait_for_timeout(300)
    assert page.evaluate("[window.hacked, ({}).polluted]") == [None, None]
    assert page.locator("main img, main script, main a, main [onclick]").count() == 0
    assert "<img src=x" in page.inner_text("#result-title")


def test_deleting_all_leaves_nothing_but_the_offline_shell(installed_page, report_server):
    page = installed_page
    page.goto(report_server)
    wait_until_installed(page)
    page.click("#text-button")
    keep(page, report_server, [HIGH])
    before = page.evaluate(EVERYTHING)
    assert len(before["stores"]["results"]) == 1
    assert before["localStorage"] == {"text": "large"}
    clear(page)
    after = page.evaluate(EVERYTHING)
    assert [one for kept in after["stores"].values() for one in kept] == []
    assert (after["localStorage"], after["sessionStorage"]) == ({}, {})
    files = {f"/{file.relative_to(APP)}" for file in APP.rglob("*") if file.is_file()}
    assert set(after["cached"]) - {"/"} <= files


@pytest.mark.slow
def test_over_plain_http_encrypting_is_not_offered_and_says_why(page, report_server):
    """局域网里用 http 打开的不是安全上下文，浏览器真的不给 crypto.subtle。"""
    keep(page, report_server, [HIGH])
    encrypted, plain = export(page, PASSPHRASE), export(page)
    lan = "http://192.168.1.20:8000/"
    page.route(
        f"{lan}**", lambda route: route.fulfill(path=APP / (route.request.url.removeprefix(lan) or "index.html"))
    )
    page.goto(lan)
    assert not page.evaluate("isSecureContext")
    give(page, encrypted)
    told(page, "要用 https 的地址打开网页才解得开。什么也没有读回。")
    give(page, plain)
    told(page, "读回了 1 份结果。")
    assert page.locator("#export-passphrase").is_hidden()
    assert "不是 https" in page.inner_text("#no-encryption")
    assert json.loads(export_plainly(page)) == json.loads(plain)


@pytest.mark.slow
def test_records_of_the_first_version_are_still_there(page, report_server):
    """第 1 版的库没有人：升级以后，以前存下的都在。"""
    keep(page, report_server, [HIGH], [NORMAL])
    page.evaluate(
        """async () => {
            const settle = (request) => new Promise((resolve) => {
                request.onsuccess = () => resolve(request.result);
            });
            const now = await settle(indexedDB.open("health-assistant"));
            const records = await settle(now.transaction("results").objectStore("results").getAll());
            now.close();
            await settle(indexedDB.deleteDatabase("health-assistant"));
            const opening = indexedDB.open("health-assistant", 1);
            opening.onupgradeneeded = () => opening.result.createObjectStore("results", { keyPath: "savedAt" });
            const old = await settle(opening);
            const transaction = old.transaction("results", "readwrite");
            for (const { person, ...record } of records) transaction.objectStore("results").put(record);
            await new Promise((resolve) => { transaction.oncomplete = resolve; });
            old.close();
        }"""
    )
    page.reload()
    page.wait_for_selector("#history:not([hidden])")
    assert page.locator(".record").count() == 2
    stores = page.evaluate(EVERYTHING)["stores"]
    assert {record["person"] for record in stores["results"]} == {person["id"] for person in stores["people"]}
    assert len(stores["people"]) == 1
