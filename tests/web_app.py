"""网页测试共用的：示例化验单、各种结果，和拦下请求时给的回答（判断是真的代码写的，只是不经过识别）。

人在网页上走的几步见 web_steps.py。
"""

import json
import threading
from collections.abc import Sequence
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

from local_servers import LocalServer
from medical_report.spoken import Language, report_json, to_html
from medical_report.verification import assess_verified
from outcome_sheets import compose_advice
from sample_report import SAMPLE, STAGE, row_box

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.report import (
    DISCLAIMER,
    Evidence,
    PrintedField,
    PrintedRow,
    Reading,
    ReadRow,
    ToldField,
)

APP = STAGE / "HealthAssistantWebApp"
ANALYZE, ADVISE = "**/analyze_medical_report", "**/advice"

NORMAL = PrintedRow(name="尿素", code="UREA", result="5.1", unit="mmol/L", reference_range="2.6-7.5")
HIGH = PrintedRow(name="总胆固醇", code="TC", result="6.3", unit="mmol/L", reference_range="<5.2", mark="↑")
LOW = PrintedRow(name="高密度脂蛋白胆固醇", code="HDL-C", result="0.8", unit="mmol/L", reference_range=">1.04")
POSITIVE = PrintedRow(name="尿蛋白", code="PRO", result="2+", reference_range="阴性")
CRITICAL = PrintedRow(name="钾", code="K", result="7.1", unit="mmol/L", reference_range="3.5-5.3", mark="↑")
UNPRINTED = PrintedRow(name="钠", code="Na", result="140", unit="mmol/L")
CONTRADICTED = PrintedRow(name="氯", code="Cl", result="103", unit="mmol/L", reference_range="99-110", mark="↑")
UNKNOWN_RANGE = PrintedRow(name="某项", code="XYZ", result="12", unit="U/L")
CALCIUM = PrintedRow(name="钙", code="Ca", result="2.31", unit="mmol/L", reference_range="2.11-2.52")
TROPONIN = PrintedRow(name="肌钙蛋白I", code="cTnI", result="0.02", unit="ng/mL", reference_range="0-0.04")
"""名称里有“钙”，不是钙。"""
MIXED = [NORMAL, HIGH, LOW, POSITIVE, CRITICAL, UNPRINTED, CONTRADICTED, UNKNOWN_RANGE]
EXAMPLE = [
    PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=printed, mark=mark or None)
    for name, code, result, mark, unit, printed in SAMPLE.ROWS
]


def example_rows(count: int) -> list[Evidence]:
    """示例图上前 count 行的位置。"""
    return [Evidence(confidence=0.98, boxes={"row": row_box(number)}) for number in range(1, count + 1)]


def answer(
    items: list[PrintedRow],
    end: str = "done",
    rows: list[Evidence] | None = None,
    html: str = "",
    told: Sequence[ToldField] = (),
    origin: dict[str, str] | None = None,
    other: list[PrintedRow] | None = None,
    language: Language = "zh",
) -> str:
    """一次完整的 SSE 回答；end 之后的事件不发。

    html 代替真的建议；told 是性别、年龄里不是印着的；origin 是印着的时间、医院。
    other 是另一个读者读的；language 是报告里的话用哪种语言。
    """
    evidence = rows or example_rows(len(items))
    read_rows = [ReadRow.of(item, **dict(one)) for item, one in zip(items, evidence, strict=True)]
    printed = {field: PrintedField(value=value) for field, value in (origin or {}).items()}
    reading = Reading(report_type="血细胞分析", sex="女", age="34岁", told=list(told), items=read_rows, origin=printed)
    seconds = [ReadRow.of(item) for item in other or []]
    report = assess_verified(reading, reading.model_copy(update={"items": seconds})) if other else assess(reading)
    given = {"advice_html": html or to_html(compose_advice(report))}
    report = report_json(report, language)
    events = {
        "accepted": {"request_id": "1"},
        "report": report,
        "advice": given,
        "done": {
            **given,
            "report": report,
            "engines": {"vision": "读者甲", "advice": "顾问乙"},
            "disclaimer": DISCLAIMER,
        },
    }
    names = list(events)[: list(events).index(end) + 1]
    return "".join(sse(name, events[name]) for name in names)


def sse(name: str, data: dict) -> str:
    return f"event: {name}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"


class FakeService(LocalServer):
    """自己起的一台小服务：网页，加上按 script 一段段发的回答，记下收到的每个请求体。

    script 里是 SSE 文字；Event 是等测试点头再往下发。
    """

    def __init__(self, folder: Path = APP) -> None:
        super().__init__(partial(_Handler, directory=str(folder)))
        self.script: list[str | threading.Event] = []
        self.bodies: list[bytes] = []
        self.may_read = threading.Event()
        self.may_read.set()
        """没有设时，请求的正文先不收：像还在很慢的路上。"""

    def photo(self) -> bytes:
        """最后一个请求里的照片。"""
        headers, _, rest = self.bodies[-1].partition(b"\r\n\r\n")
        boundary = headers.split(b"\r\n")[0]
        return rest[: rest.rindex(b"\r\n" + boundary)]


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        if self.path != "/health":
            super().do_GET()
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"status": "ok", "asking": false}')

    def do_POST(self) -> None:
        self.server.may_read.wait(timeout=60)
        self.server.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for part in self.server.script:
            if isinstance(part, threading.Event):
                part.wait(timeout=30)
                continue
            self.wfile.write(part.encode())
            self.wfile.flush()

    def do_OPTIONS(self) -> None:
        self.send_response(204)
        self.end_headers()

    def end_headers(self) -> None:
        # 像配了 CORS 的服务：别处的网页也能用
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "*")
        super().end_headers()

    def log_message(self, *args) -> None:
        pass
