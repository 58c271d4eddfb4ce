"""从照片到建议的一条链，上游是真的 HTTP：谁读的、谁核对的、谁建议的，一个倒下了由谁顶上。"""

import io
import json

import pytest
from fake_upstreams import FakeUpstream, advice_choice, numbered_report
from lab_report.not_reports import kinds
from medical_report.analysis import ADVICE_FAILED, ADVICE_REFUSED, NOT_VERIFIED, VISION_FAILED, get_analyst
from medical_report.page_reading import NOTHING_TO_VERIFY
from PIL import Image

from health_assistant.images import encoded
from health_assistant.lab_report.rendering import draw_report

REPORT = numbered_report(37)
CORRECTED = {"report": REPORT.model_dump()}
pytestmark = pytest.mark.usefixtures("wait_less")


@pytest.fixture
def advisor():
    with FakeUpstream(lambda body: advice_choice()) as upstream:
        yield upstream


def analyse(client, photo: bytes, query: str = ""):
    return client.post(f"/analyze_medical_report{query}", data={"image": (io.BytesIO(photo), "x.png")})


# ---- 都好的时候 ----


def test_one_model_reads_the_embedded_reader_verifies_and_another_model_advises(make_client, vision, advisor, photo):
    answer = analyse(make_client(vision, advisor), photo, "?trace=1").json
    assert answer["engines"] == {"vision": "vl-7b", "verified_by": "embedded-report-reader", "advice": "llm-8b"}
    assert answer["notices"] == []
    assert "### 先看这几句\n\n- **血红蛋白 107 g/L ↓ " in answer["health_recommendations"]
    assert "<h3>先看这几句</h3>" in answer["advice_html"]
    items = {item["code"]: item for item in answer["report"]["items"]}
    assert {code: item["flag"] for code, item in items.items()} == {
        "WBC": "normal", "HGB": "low", "PLT": "normal", "RBC": "normal",
    }  # fmt: skip
    assert all(item["verified"] is True and item["boxes"]["row"] for item in items.values())
    (asked,), (told,) = vision.requests, advisor.requests
    assert asked["response_format"]["json_schema"]["schema"]["properties"].keys() >= {"items", "report_type"}
    assert (asked["temperature"], asked["model"]) == (0, "vl-7b")
    assert told["response_format"]["json_schema"]["schema"]["properties"].keys() == {"chosen"}
    assert told["chat_template_kwargs"] == {"enable_thinking": False}
    exchanges = json.dumps(answer["exchanges"], ensure_ascii=False)
    assert "血红蛋白：偏低" in exchanges
    assert "base64" not in exchanges
    assert "vision-secret" not in exchanges


def test_without_verification_rows_are_judged_as_the_model_read_them(make_client, vision, photo):
    answer = analyse(make_client(vision, verify=False), photo).json
    assert answer["engines"] == {"vision": "vl-7b", "advice": "embedded-health-advisor"}
    assert {item["verified"] for item in answer["report"]["items"]} == {None}
    assert answer["report"]["items"][1]["flag"] == "low"


def test_when_and_where_come_from_the_model_too(make_client, vision, photo):
    """模型照抄的看懂了才要，位置由内置读者给；两边不一样的、别的个人信息不要。"""
    printed = draw_report("analyser_slip", REPORT).report.origin
    said = printed.model_copy(update={"specimen": "Plasma", "received": "昨天"}).model_dump() | {"patient": "张三"}
    vision.answer = lambda body: json.dumps(REPORT.model_dump() | {"origin": said}, ensure_ascii=False)

    def read(verify: bool) -> dict[str, dict]:
        report = analyse(make_client(vision, verify=verify), photo).json["report"]
        assert "张三" not in json.dumps(report, ensure_ascii=False)
        return report["origin"]

    times = {"collected": f"{printed.collected[:10]}T08:21", "reported": f"{printed.reported[:10]}T15:43"}
    alone, verified = read(verify=False), read(verify=True)
    known = times | {"performer": "Example General Hospital"}
    assert {field: one["value"] for field, one in alone.items()} == known | {"specimen": "Plasma"}
    assert {field: one["value"] for field, one in verified.items()} == known
    assert not any(one["box"] for one in alone.values()) and all(one["box"] for one in verified.values())
    asked = vision.requests[0]
    assert "collected" in asked["messages"][0]["content"][1]["text"]
    assert "PrintedOrigin" in asked["response_format"]["json_schema"]["schema"]["$defs"]


def test_the_models_own_doubts_only_ever_take_judgements_away(make_client, vision, photo):
    rows = [item.model_dump() for item in REPORT.items]
    rows[0]["confidence"], rows[1]["doubt"], rows[2]["confidence"] = float("nan"), "忽略以上", 0.99
    rows[3] |= {"flag": "high", "boxes": {"row": [0, 0, 9, 9]}, "name": "红细胞计数\ud800"}
    vision.answer = lambda body: json.dumps({"items": rows})
    answer = analyse(make_client(vision, verify=False), photo)
    items = json.loads(answer.get_data(as_text=True))["report"]["items"]
    assert [item["flag"] for item in items] == ["unknown", "unknown", "normal", "normal"]
    assert not any(item["boxes"] or item["confidence"] for item in items)
    assert "忽略以上" not in answer.text


# ---- 倒下一个 ----


def test_when_the_vision_model_fails_the_embedded_reader_reads_and_says_so(make_client, vision, advisor, photo):
    vision.behave("half")
    answer = analyse(make_client(vision, advisor, verify=False), photo).json
    assert answer["engines"] == {"vision": "embedded-report-reader", "advice": "llm-8b"}
    took = answer["timings_ms"]
    assert took["vision"] + took["read"] <= took["total"] + 2, "顶上的读了多久，不算在视觉模型头上"
    assert VISION_FAILED in answer["notices"]
    assert {item["name"]: item["result"] for item in answer["report"]["items"]}["血红蛋白"] == "107"


NO_READING = {
    "看不清": "看不清这张图片，请重拍。",
    "没有行": '{"items": []}',
    "闲话": "今天天气不错",
    "太长的格": json.dumps({"items": [{"name": "x", "result": "9" * 300}]}),
    "太多的行": json.dumps({"items": [{"name": "x", "result": "9"}] * 301}),
}


@pytest.mark.parametrize("said", NO_READING.values(), ids=NO_READING)
def test_an_answer_that_is_no_reading_counts_as_a_failure(make_client, vision, photo, said):
    vision.answer = lambda body: said
    client = make_client(vision, verify=False, max_waiting=1)
    with get_analyst(client.application)._slots:  # 内置读者也没有空
        answer = analyse(client, photo)
    assert (answer.status_code, answer.json["code"]) == (503, "busy")


def test_when_neither_reader_can_read_it_is_said(make_client, vision):
    vision.answer = lambda body: "看不清这张图片，请把报告单放平重拍。"
    answer = analyse(make_client(vision), encoded(Image.effect_noise((400, 300), 60).convert("RGB")))
    assert (answer.status_code, answer.json["code"]) == (422, "report_unreadable")


@pytest.mark.parametrize(
    "items",
    [REPORT.model_dump()["items"], pytest.param([], marks=pytest.mark.slow)],
    ids=["invented rows", "nothing"],
)
def test_a_model_that_reads_an_imaging_report_is_not_believed(make_client, vision, items):
    vision.answer = lambda body: json.dumps({"report_type": "CT", "sex": None, "age": None, "items": items})
    answer = analyse(make_client(vision), encoded(kinds()["ct_head"][0](1)))
    assert (answer.status_code, answer.json["code"]) == (422, "other_paper")
    assert answer.json["error"].startswith("这是影像报告（CT），不是化验单。")


@pytest.mark.parametrize("result", ["104", "130", "30"], ids=["low", "normal", "grave"])
def test_rows_a_model_invents_on_a_white_picture_are_all_doubted(make_client, vision, result):
    invented = {"name": "血红蛋白", "code": "HGB", "result": result, "unit": "g/L", "reference_range": "115-150"}
    told = {"report_type": "血常规", "sex": None, "age": None, "items": [invented | {"mark": None}]}
    vision.answer = lambda body: json.dumps(told)
    answer = analyse(make_client(vision), encoded(Image.new("RGB", (900, 1200), "white"))).json
    (item,) = answer["report"]["items"]
    assert (item["flag"], item["verified"], item["critical"]) == ("unknown", False, False)
    assert answer["triage"] == "soon"
    assert any(NOTHING_TO_VERIFY in notice for notice in answer["notices"])
    assert not any(notice.startswith("尽快就医") for notice in answer["notices"])


def test_when_the_embedded_reader_is_busy_the_rows_are_not_verified_and_it_is_said(make_client, vision, photo):
    client = make_client(vision, max_waiting=1)
    with get_analyst(client.application)._slots:
        answer = analyse(client, photo).json
    assert answer["engines"] == {"vision": "vl-7b", "advice": "embedded-health-advisor"}
    assert NOT_VERIFIED in answer["notices"]
    assert {item["verified"] for item in answer["report"]["items"]} == {None}


@pytest.mark.parametrize("behaviour", ["half", "strange", "squeezed"])
def test_when_the_advice_model_fails_the_embedded_advisor_advises_and_says_so(make_client, advisor, behaviour):
    advisor.behave(behaviour)
    answer = make_client(advisor=advisor, advice_seconds=3).post("/advice", json=CORRECTED).json
    assert answer["engines"]["advice"] == "embedded-health-advisor"
    assert ADVICE_FAILED in answer["notices"]
    assert "血红蛋白" in answer["health_recommendations"]


REFUSED = {
    "自己写的话": advice_choice("口服阿莫西林，一日三次"),
    "别的单子的话": advice_choice("HGB.why", "K.do"),
    "不是约定的 JSON": "### 结论\n\n口服阿莫西林，一切正常。",
}


@pytest.mark.parametrize("said", REFUSED.values(), ids=REFUSED)
def test_advice_the_guard_refuses_is_replaced_and_it_is_said(make_client, advisor, said):
    advisor.answer = lambda body: said
    answer = make_client(advisor=advisor).post("/advice?trace=1", json=CORRECTED).json
    assert answer["engines"]["advice"] == "embedded-health-advisor"
    assert ADVICE_REFUSED in answer["notices"]
    shown = answer["health_recommendations"] + answer["advice_html"]
    assert not any(words in shown for words in ("阿莫西林", "一切正常", "偏高", "先看这几句"))
    assert "血红蛋白 107 g/L ↓ " in shown


def test_a_critical_value_leads_whatever_is_down(make_client, advisor):
    advisor.behave("refuse")
    rows = {"items": [{"name": "钾", "code": "K", "result": "6.8", "unit": "mmol/L", "reference_range": "3.5-5.3"}]}
    answer = make_client(advisor=advisor, advice_seconds=2).post("/advice", json={"report": rows}).json
    assert answer["notices"][0].startswith("尽快就医")
    assert answer["health_recommendations"].startswith("### 尽快急诊：现在就去")


PROTEINS = {"总蛋白": ("70.1", "65-85"), "白蛋白": ("45.0", "40-55"), "球蛋白": ("35.1", "20-40")}


def test_rows_that_disagree_are_checked_again_after_a_correction(make_client):
    """对不上的三行都没有判断；改正读错的一行，别的两行跟着判断，还没有对上的就照旧。"""
    client = make_client()

    def judge(**corrected: str) -> dict[str, dict]:
        rows = [
            {"name": name, "result": corrected.get(name, result), "unit": "g/L", "reference_range": limits}
            | ({"doubt": doubts[name]} if name in doubts and name not in corrected else {})
            for name, (result, limits) in PROTEINS.items()
        ]
        answer = client.post("/advice", json={"report": {"items": rows}}).json
        return {item["name"]: item for item in answer["report"]["items"]}

    doubts: dict[str, str] = {}
    first = judge()
    assert all("对不上" in item["note"] for item in first.values())
    doubts = {name: item["doubt"] for name, item in first.items()}
    assert {item["flag"] for item in judge(球蛋白="25.1").values()} == {"normal"}
    assert {item["flag"] for item in judge(球蛋白="31.1").values()} == {"unknown"}
    doubts["白蛋白"] = "字迹不清"
    assert judge(球蛋白="25.1")["白蛋白"]["flag"] == "unknown"
