"""阶段 5 的内置引擎：真的服务进程，用官方 openai 客户端和裸 HTTP 问它；接口怎样说错。"""

import json

import openai
import pytest
import requests
from model_server.api import create_app
from model_server.protocol import Answer
from PIL import Image

from health_assistant.images import encoded
from health_assistant.lab_report.report import ReadReport
from health_assistant.lab_report.vl_protocol import READ_PROMPT, data_url

READER, ADVISOR = "embedded-report-reader", "embedded-health-advisor"

POTASSIUM = {"name": "钾", "code": "K", "result": "7.2", "unit": "mmol/L", "reference_range": "3.5-5.3"}


@pytest.fixture(scope="module")
def server(embedded_server) -> str:
    return embedded_server.url


@pytest.fixture(scope="module")
def client(server):
    with openai.OpenAI(base_url=server, api_key="none", max_retries=0) as client:
        yield client


def drawn(size: tuple[int, int]) -> bytes:
    return encoded(Image.new("1", size, 1))


def ask_reader(client, *urls: str):
    images = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    content = [{"type": "text", "text": READ_PROMPT}, *images]
    return client.chat.completions.create(model=READER, messages=[{"role": "user", "content": content}])


def ask_advisor(client, text: str) -> str:
    answer = client.chat.completions.create(model=ADVISOR, messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content


def as_report(*items: dict, **fields: str) -> str:
    return json.dumps({"items": items, **fields}, ensure_ascii=False)


def post(server: str, **body) -> requests.Response:
    return requests.post(f"{server}/chat/completions", json=body, timeout=30)


# ---- 读 ----


def test_reader_copies_the_rows_of_a_photo(client, photo):
    completion = ask_reader(client, data_url(photo.path.read_bytes()))
    content = completion.choices[0].message.content
    report = ReadReport.model_validate_json(content)
    read = [(item.name, item.code, item.result, item.unit, item.reference_range) for item in report.items]
    assert read == [(name, code, result, unit, limits) for name, code, result, _, unit, limits in photo.rows]
    assert (report.sex, report.age) == ("女", "34岁")
    assert "白细胞" in content, "中文被转义了"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.completion_tokens == len(content)

    width, height = Image.open(photo.path).size
    for row in json.loads(content)["items"]:
        assert 0.5 < row["confidence"] <= 1
        left, top, right, bottom = row["boxes"]["row"]
        assert 0 <= left < right <= width
        assert 0 <= top < bottom <= height
        assert "flag" not in row, "读者不判断高低"


def test_page_without_text_is_unprocessable(client):
    with pytest.raises(openai.UnprocessableEntityError) as caught:
        ask_reader(client, data_url(drawn((400, 400))))
    assert caught.value.code == "report_unreadable"
    assert "重拍" in caught.value.body["message"]


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("https://example.org/report.jpg", "value_error", "不替人下载"),
        ("file:///etc/hostname", "value_error", "data:image/jpeg"),
        ("data:text/html;base64,AAAA", "value_error", "data:image/jpeg"),
        ("data:image/png;base64,AA!A", "invalid_base64", "base64"),
        ("data:image/png;base64,", "empty_image", "空"),
        (data_url(b"GIF89a not a picture"), "unsupported_format", "JPEG"),
        (data_url(drawn((400, 400))[:-30]), "broken_image", "损坏"),
        (data_url(drawn((8000, 7000))), "image_too_many_pixels", "像素"),
    ],
)
def test_unusable_images_are_refused(client, url, code, words):
    with pytest.raises(openai.BadRequestError) as caught:
        ask_reader(client, url)
    assert caught.value.code == code
    assert words in caught.value.body["message"]


def test_reader_wants_exactly_one_image(client):
    for urls, words in [((), "没有图片"), ((data_url(drawn((400, 400))),) * 2, "2 张图片")]:
        with pytest.raises(openai.BadRequestError) as caught:
            ask_reader(client, *urls)
        assert words in caught.value.body["message"]


# ---- 建议 ----


@pytest.mark.parametrize("text", ["@", "报告 @ 完", "请看：\n```json\n@\n```\n谢谢", "集合 {1}：\n```json\n@\n```"])
def test_advisor_finds_the_report_in_the_message(client, text):
    advice = ask_advisor(client, text.replace("@", as_report(POTASSIUM)))
    assert "尽快就医：钾 7.2 mmol/L 达到危急值" in advice and "**钾 7.2 mmol/L ↑ 偏高（危急值）**" in advice


def test_flags_of_the_client_are_not_trusted(client):
    lie = {**POTASSIUM, "flag": "normal", "critical": False}
    honest = as_report(POTASSIUM)
    assert ask_advisor(client, as_report(lie, triage="none")) == ask_advisor(client, honest)
    alarm = {**POTASSIUM, "result": "4.0", "flag": "high", "critical": True}
    assert "危急值" not in ask_advisor(client, as_report(alarm, triage="urgent"))


def test_doubtful_critical_value_is_said_first(client):
    """把握不足的行不判断高低；可能是危急值时，这句话在最前面。"""
    advice = ask_advisor(client, as_report({**POTASSIUM, "confidence": 0.5}))
    assert advice.startswith("### 请先看\n\n- 请马上核对原件：钾 7.2 mmol/L")
    assert "字迹不清" in advice


def test_markup_in_a_name_is_escaped(client):
    advice = ask_advisor(client, as_report({**POTASSIUM, "name": "钾<img src=x>", "confidence": 0.1}))
    assert "<img" not in advice.replace("\\<", "")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("我最近很累", "report_needed"),
        ('{"items": [', "report_needed"),
        ('{"items": "很多"}', "report_needed"),
        ('{"items": ' + "[" * 5000, "report_needed"),
        (r'{"items": [{"name": "\ud800", "result": "1"}]}', "report_needed"),
        ('{"items": []}', "empty_report"),
    ],
)
def test_advisor_says_what_to_send(client, text, code):
    with pytest.raises(openai.BadRequestError) as caught:
        ask_advisor(client, text)
    assert caught.value.code == code


# ---- 流 ----


def test_stream_is_the_same_answer_in_sections(client):
    sodium = {**POTASSIUM, "name": "钠", "code": "Na", "result": "150", "reference_range": "137-147"}
    report = as_report(POTASSIUM, sodium)
    stream = client.chat.completions.create(model=ADVISOR, messages=[{"role": "user", "content": report}], stream=True)
    pieces = [chunk.choices[0].delta.content for chunk in stream]
    assert len([piece for piece in pieces if piece]) > 3
    assert "".join(piece or "" for piece in pieces) == ask_advisor(client, report)


def test_error_before_the_stream_keeps_its_status(server):
    response = post(server, model=ADVISOR, messages=[{"role": "user", "content": "你好"}], stream=True)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "report_needed"


# ---- 请求的写法 ----


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": None}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "robot", "content": "你好"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "input_audio"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.content.0"),
        ({"n": 2}, "n"),
        ({"stream": "也许"}, "stream"),
        ({"temperature": 2.1}, "temperature"),
        ({"temperature": "0.5"}, "temperature"),
        ({"top_p": 0}, "top_p"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_completion_tokens": True}, "max_completion_tokens"),
        ({"seed": 2**63}, "seed"),
        ({"stop": ["1", "2", "3", "4", "5"]}, "stop"),
        ({"stop": ""}, "stop.0"),
        ({"stop": ["好", "长" * 257]}, "stop.1"),
    ],
)
def test_invalid_requests_name_the_parameter(server, change, param):
    good = {"model": ADVISOR, "messages": [{"role": "user", "content": as_report(POTASSIUM)}]}
    assert post(server, **good).status_code == 200
    response = post(server, **good | change)
    assert response.status_code == 400
    error = response.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert error["param"] == param
    assert param in error["message"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nothing", None, 404, "unknown_url"),
        ("GET", "/chat/completions", None, 405, "method_not_allowed"),
        ("POST", "/chat/completions", b"{", 400, "json_invalid"),
        ("POST", "/chat/completions", b"\xff\xfe", 400, "json_invalid"),
        ("POST", "/chat/completions", b"[]", 400, "model_type"),
        ("POST", "/chat/completions", b" " * (33 * 1024 * 1024), 413, "request_too_large"),
    ],
)
def test_every_error_has_the_same_shape(server, method, path, body, status, code):
    response = requests.request(method, server + path, data=body, timeout=30)
    assert response.status_code == status
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert not error["message"].isascii()


class Broken:
    """给出 pieces 里的几段之后就坏。"""

    models = ("broken",)

    def __init__(self, *pieces: str):
        self.pieces = pieces

    def answer(self, chat):
        return Answer(self._answer())

    def _answer(self):
        yield from self.pieces
        raise RuntimeError("内部的秘密")


GREETING = {"model": "broken", "messages": [{"role": "user", "content": "你好"}]}


def test_a_broken_backend_is_a_server_error_without_details():
    response = create_app(Broken("半句")).test_client().post("/v1/chat/completions", json=GREETING)
    assert response.status_code == 500
    assert response.json["error"]["type"] == "server_error"
    assert "秘密" not in response.text


def test_an_error_in_the_middle_of_a_stream_is_said_in_it():
    http = create_app(Broken("半", "", "句")).test_client()
    text = http.post("/v1/chat/completions", json=GREETING | {"stream": True}).text
    _, first, waiting, second, last, end = text.split("\n\n")
    assert ('"半"' in first, waiting, '"句"' in second, end) == (True, ": waiting", True, "")
    error = json.loads(last.removeprefix("data: "))["error"]
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    assert "秘密" not in text
    assert "[DONE]" not in text


@pytest.mark.parametrize("key", [None, "", "Bearer 错的", "sk-1", "Bearer sk-12", "Basic sk-1"])
def test_without_the_key_only_health_answers(key):
    http = create_app(Broken(), api_key="sk-1").test_client()
    headers = {"Authorization": key.encode().decode("latin-1")} if key is not None else {}
    for response in (http.get("/v1/models", headers=headers), http.post("/tokenize", headers=headers)):
        assert (response.status_code, response.json["error"]["code"]) == (401, "invalid_api_key")
    assert http.get("/health", headers=headers).json == {"status": "ok"}
    assert http.get("/v1/models", headers={"Authorization": "Bearer sk-1"}).status_code == 200


def test_embedded_engine_has_no_tokens(server):
    body = {"model": READER, "messages": [{"role": "user", "content": "你好"}]}
    response = requests.post(server.removesuffix("/v1") + "/tokenize", json=body, timeout=10)
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_a_language_model")


def test_embedded_engine_needs_no_torch(embedded_server):
    assert not [one.path for one in embedded_server.worker.memory_maps() if "torch" in one.path]
