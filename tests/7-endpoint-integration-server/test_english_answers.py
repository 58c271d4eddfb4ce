"""Accept-Language 要英文的，回答与错误都是英文；交回来的英文照样认得；一个请求的语言从不串给另一个。"""

import io
import json
import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from fake_upstreams import FakeUpstream
from hostile_files import drawing, encode
from medical_report import create_app
from medical_report.settings import Settings

HAN = re.compile("[一-鿿]")
ROWS = [
    {"name": "钾", "code": "K", "result": "7.1", "unit": "mmol/L", "reference_range": "3.5-5.3", "mark": "↑"},
    {"name": "血红蛋白", "code": "HGB", "result": "98", "unit": "g/L", "reference_range": "115-150"},
    {"name": "肌酐", "code": "CREA", "result": "60", "unit": "μmol/L", "doubt": "字迹不清，读数没有把握"},
    {"name": "钠", "code": "Na", "result": "140", "unit": "mmol/L"},
    {"name": "某项", "result": "12", "unit": "U/L"},
]
REPORT = {
    "report_type": "生化",
    "sex": "女",
    "items": ROWS,
    "doubts": ["第 2 页没有读成：图片太小，字看不清。请用原图，不要用缩略图。"],
}
PRINTED = {"生化", "女", *(row["name"] for row in ROWS)}


@pytest.fixture(scope="module")
def app():
    return create_app(Settings(rate_limit="100000/minute"))


@pytest.fixture
def client(app):
    return app.test_client()


def ask(client, report=REPORT, language: str | None = "en", **headers):
    if language is not None:
        headers["Accept-Language"] = language
    return client.post("/advice", data=json.dumps({"report": report}), headers=headers, buffered=True)


def words(part: object) -> list[str]:
    """一个回答里的全部文字，去掉印着的。"""
    if isinstance(part, dict):
        return [text for value in part.values() for text in words(value)]
    if isinstance(part, list):
        return [text for value in part for text in words(value)]
    text = part if isinstance(part, str) else ""
    for printed in sorted(PRINTED, key=len, reverse=True):
        text = text.replace(printed, "")
    return [text]


def test_the_whole_answer_is_in_english(client):
    answer = ask(client)
    body = answer.json
    assert [text for text in words(body) if HAN.search(text)] == []
    assert body["notices"][0].startswith(
        "Seek medical care now: Potassium (钾) 7.1 mmol/L has reached a critical value."
    )
    assert "Page 2 could not be read: The image is too small to read." in body["notices"][1]
    assert body["advice_html"].startswith("<h3>Emergency care now: go now</h3>")
    assert "does not replace a doctor's diagnosis" in " ".join(body["disclaimer"].split())
    assert [row["name"] for row in body["report"]["items"]] == [row["name"] for row in ROWS]
    assert body["report"]["items"][0]["tracked"]["name"] == "Potassium"
    assert body["engines"]["vision"] == "checked by a person"
    assert "Accept-Language" in answer.headers["Vary"]


@pytest.mark.parametrize(("printed", "english"), [("葡萄糖", "Glucose"), ("血糖", "Glucose"), ("胰岛素", "Insulin")])
def test_a_result_is_not_called_fasting_where_the_sheet_does_not_say_so(client, printed, english):
    row = {"name": printed, "result": "9.8", "unit": "mmol/L", "reference_range": "3.9-6.1"}
    assert ask(client, {"items": [row]}).json["report"]["items"][0]["tracked"]["name"] == english


def test_the_judgement_does_not_depend_on_the_language(client):
    def judged(body):
        fields = ("flag", "severity", "critical", "range_source", "scale", "result", "confidence")
        return body["triage"], body["report"]["when"], [[row[one] for one in fields] for row in body["report"]["items"]]

    assert judged(ask(client).json) == judged(ask(client, language="zh").json)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, "zh"), ("", "zh"), ("zh-CN", "zh"), ("zh-TW,zh;q=0.9,en;q=0.8", "zh"), ("zh-CN,en;q=0.9", "zh"),
        ("en", "en"), ("en-GB,en;q=0.9,zh-CN;q=0.8", "en"), ("EN-us", "en"), ("zh;q=0.3,en;q=0.7", "en"),
        ("fr-FR,fr;q=0.9,en;q=0.5", "en"), ("de", "zh"), ("*", "zh"), ("en;q=0", "zh"), ("en;q=0,zh", "zh"),
        ("english", "zh"), ("en;q=abc,zh", "zh"), (";;,,q=", "zh"), ("../../etc", "zh"), ("en" * 4000, "zh"),
    ],
)  # fmt: skip
def test_the_language_wanted_most_is_spoken(client, header, expected):
    disclaimer = ask(client, language=header).json["disclaimer"]
    assert bool(HAN.search(disclaimer)) == (expected == "zh")


def test_english_handed_back_is_judged_like_chinese(client):
    """网页把英文的报告交回来重新判断：疑问还是那个疑问。"""
    first = {one: ask(client, language=one).json for one in ("zh", "en")}
    again = {
        one: ask(client, {**REPORT, "items": [
            {**sent, "doubt": row["doubt"]} for sent, row in zip(ROWS, body["report"]["items"], strict=True)
        ], "doubts": body["report"]["doubts"]}).json
        for one, body in first.items()
    }  # fmt: skip
    assert first["en"]["report"]["items"][2]["doubt"] == "the print is unclear and the reading uncertain"
    assert again["en"]["report"] == again["zh"]["report"] == first["en"]["report"]


def test_a_possible_emergency_handed_back_in_english_is_still_one(client):
    """两个读者里有一个读到危急值的：核对之前今天就要问，不论交回来的是哪种语言。"""
    calm = {**REPORT, "items": [ROWS[1]]}
    alarm = (
        "请马上核对原件：钾 两个读者读得不一样，其中一个读成 7.1 mmol/L；如果它没有读错，就达到了危急值，要尽快就医。"
    )
    told = ask(client, {**calm, "doubts": [alarm]}).json
    assert (told["report"]["when"], told["notices"][0][:25]) == ("today", "Check the original at onc")
    again = ask(client, {**calm, "doubts": told["report"]["doubts"]}).json
    assert again["report"] == told["report"]


@pytest.mark.parametrize(
    ("method", "path", "sent", "code"),
    [
        ("post", "/analyze_medical_report", {}, "missing_image"),
        ("post", "/analyze_medical_report", {"data": {"image": (io.BytesIO(b"hello"), "a.txt")}}, "unsupported_format"),
        ("post", "/analyze_medical_report", {"data": {"image": (io.BytesIO(b""), "a.jpg")}}, "empty_image"),
        ("post", "/advice", {"data": "{}"}, "invalid_report"),
        ("get", "/nowhere", {}, "not_found"),
        ("get", "/advice", {}, "method_not_allowed"),
    ],
)
def test_errors_speak_the_language_asked_for(client, method, path, sent, code):
    answers = {}
    for language in ("en", "zh"):
        data = {name: (io.BytesIO(one[0].getvalue()), one[1]) for name, one in sent["data"].items()} if isinstance(
            sent.get("data"), dict) else sent.get("data")  # fmt: skip
        answers[language] = getattr(client, method)(
            path, data=data, headers={"Accept-Language": language}, buffered=True
        )
    assert answers["en"].status_code == answers["zh"].status_code
    assert answers["en"].json["code"] == answers["zh"].json["code"] == code
    assert not HAN.search(answers["en"].json["error"]) and HAN.search(answers["zh"].json["error"])


@pytest.mark.slow
def test_an_error_in_the_stream_is_in_english(reader, app):
    app.extensions["analyst"].reader = reader
    headers = {"Accept": "text/event-stream", "Accept-Language": "en"}
    answer = app.test_client().post(
        "/analyze_medical_report",
        data={"image": (io.BytesIO(encode("PNG", drawing())), "a.png")},
        headers=headers,
        buffered=True,
    )
    last = answer.get_data(as_text=True).strip().split("\n\n")[-1]
    assert last.startswith("event: error") and not HAN.search(last)


def test_many_at_once_each_hear_their_own_language(app):
    def one(at: int) -> bool:
        language = ("zh", "en", "fr")[at % 3]
        stream = {"Accept": "text/event-stream"} if at % 2 else {}
        text = ask(app.test_client(), language=language, **stream).get_data(as_text=True)
        return ("Emergency care now" in text) == (language == "en") and ("尽快急诊" in text) == (language != "en")

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(48)))


def test_the_advice_model_is_asked_in_chinese_and_its_choice_said_in_english():
    with FakeUpstream(lambda _: '{"chosen": ["HGB.why"]}') as advice:
        settings = Settings(rate_limit="1000/minute", advice_api_base=advice.api_base, advice_model="m")
        body = ask(create_app(settings).test_client()).json
        assert HAN.search(json.dumps(advice.requests[0], ensure_ascii=False))
    assert [text for text in words(body) if HAN.search(text)] == []
