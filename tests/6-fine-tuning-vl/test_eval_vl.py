"""eval_vl.py：回答怎样读成 JSON，怎样打分、并排；真的走 EvalScope，读者是一个假接口。"""

import json
from pathlib import Path

import pytest
from fake_upstreams import FakeUpstream
from PIL import Image
from stage_scripts import run_here

from health_assistant.lab_report.report import PrintedOrigin, PrintedRow, ReadReport
from health_assistant.lab_report.vl_protocol import UNREADABLE_ANSWER, parse_answer, read_messages

ITEMS = [
    PrintedRow(name="白细胞计数", code="WBC", result="12.3", unit="10^9/L", reference_range="3.5-9.5", mark="↑"),
    PrintedRow(name="血红蛋白", code="HGB", result="130", unit="g/L", reference_range="115-150"),
]
ORIGIN = PrintedOrigin(collected="2024-11-26 08:30", reported="2024年11月26日", specimen="全血", performer="仁和医院")
REPORT = ReadReport(report_type="血常规", origin=ORIGIN, items=ITEMS)
GOOD = REPORT.model_dump_json()


@pytest.mark.parametrize(
    ("answer", "how", "results"),
    {
        "整段 JSON": (GOOD, "strict", ["12.3", "130"]),
        "代码块": (f"好的：\n```json\n{GOOD}\n```\n以上。", "lenient", ["12.3", "130"]),
        "数没加引号": (GOOD.replace('"12.3"', "12.3"), "lenient", ["12.3", "130"]),
        "多一个逗号": (GOOD.replace("]}", ",]}"), "lenient", ["12.3", "130"]),
        "断在第二项": (GOOD[:-40], "lenient", ["12.3"]),
        "只差收尾": (GOOD[:-2], "lenient", ["12.3", "130"]),
        "缺字段": ('{"items": [{"name": "钾", "result": "4.1", "mark": ""}]}', "strict", ["4.1"]),
        "多字段": ('{"items": [{"name": "钾", "result": "4.1", "flag": "高"}]}', "strict", ["4.1"]),
        "没有名称的行": ('{"items": [{"result": "4.1"}, {"name": "钠", "result": null}]}', "lenient", [""]),
        "看不清": (UNREADABLE_ANSWER, "unreadable", None),
        "闲话": ("这张化验单有一些指标看不清，但白细胞偏高。" * 2, "unreadable", None),
        "空": ("", "failed", None),
        "数组": ("[]", "failed", None),
        "没有 items": ('{"a": 1}', "failed", None),
        "深的括号": ("{" * 5000, "failed", None),
    }.values(),
)
def test_answers_are_read_strictly_first_and_leniently_then(answer, how, results):
    read = parse_answer(answer)
    assert read.how == how
    assert (read.report and [item.result for item in read.report.items]) == results


def test_the_confidence_of_the_embedded_reader_comes_along():
    row = ITEMS[0].model_dump() | {"confidence": 0.5, "boxes": {"row": [1, 2, 3, 4]}, "doubt": "模糊"}
    read = parse_answer(json.dumps({"report_type": "", "sex": None, "age": None, "items": [row]}))
    assert read.how == "strict" and read.report.items[0].doubt == "模糊"
    assert read.report.items[0].boxes == {"row": (1, 2, 3, 4)}


def read_by_size(body: dict) -> str:
    """小的一页读对，大的一页裹在代码块里、错一个数，时间写法不同，标本错了，医院没有读。"""
    image = body["messages"][0]["content"][0]["image_url"]["url"]
    if len(image) < 6000:
        return GOOD
    wrong = GOOD.replace("130", "180").replace("2024年11月26日", "2024/11/26").replace("全血", "血清")
    return f"```json\n{wrong.replace('仁和医院', '')}\n```"


@pytest.fixture
def endpoint():
    with FakeUpstream(read_by_size) as upstream:
        yield upstream


def write_photos(folder: Path) -> None:
    """像 import_reports.py 写的文件夹；两张图大小不同，假接口靠它认。"""
    folder.mkdir()
    row = {"report": GOOD, "flags": ["high", "normal"], "layout": "own-photo", "degradation": "photo"}
    for number, side in ((1, 300), (2, 900)):
        Image.new("RGB", (side, side), "white").save(folder / f"photo-{number}.jpg")
    lines = [json.dumps(row | {"file_name": f"photo-{number}.jpg"}) + "\n" for number in (1, 2)]
    (folder / "metadata.jsonl").write_text("".join(lines))


def test_an_endpoint_is_asked_scored_and_compared(tmp_path, endpoint, monkeypatch):
    write_photos(tmp_path / "reports")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    def evaluate(*options) -> tuple[int, str]:
        done = run_here(tmp_path / "out", "6-fine-tuning-vl/eval_vl.py", *options)
        return done.returncode, done.stderr

    arguments = ["--reader", "endpoint", "--api-base", endpoint.api_base, "--model", "fake", "--batch-size", "1"]
    arguments += ["--dataset", str(tmp_path / "reports"), "--unreadable", "0"]
    code, error = evaluate(*arguments)
    assert code == 0, error
    asked = endpoint.requests[0]["messages"]
    sent, ours = asked[0]["content"], read_messages("")[0]["content"]
    assert [part["type"] for part in sent] == [part["type"] for part in ours] and sent[1]["text"] == ours[1]["text"]
    assert sent[0]["image_url"]["url"].startswith("data:image/jpeg;base64,")

    folder = tmp_path / "out/vl/tiny/eval/reports"
    (one,) = json.loads((folder / "compare.json").read_text())["readers"].values()
    assert one["answers"] == {"strict": 1, "lenient": 1, "unreadable": 0, "failed": 0}
    total = one["total"]
    assert (total["rows"], total["result_right"], total["abnormal_found"], total["undecided"]) == (4, 3, 2, 1)
    assert one["by_degradation"]["photo"]["rows"] == 4
    assert (total["origin"], total["origin_right"], total["origin_wrong"]) == (8, 6, 1)
    page = (folder / "compare.html").read_text(encoding="utf-8")
    assert page.count("data:image/jpeg;base64,") == 2 and "http" not in page.replace("data:image", "")
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")
    count = len(endpoint.requests)
    assert evaluate(*arguments)[0] == 0 and len(endpoint.requests) == count, "问过的不再问"
    assert evaluate(*arguments, "--force")[0] == 0 and len(endpoint.requests) == 2 * count, "--force 就重问"

    for options, words in (
        (["--reader", "endpoint"], "--api-base"),
        (["--dataset", tmp_path / "absent"], "metadata.jsonl"),
    ):
        code, error = evaluate(*options)
        assert code == 2 and words in error
