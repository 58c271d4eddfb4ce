"""假的上游：真的 HTTP 服务，OpenAI 的样子，各种坏法。还有认得出编号的照片。"""

import base64
import io
import itertools
import json
import threading
from collections.abc import Callable, Iterable

from local_servers import Handler, LocalServer
from PIL import Image, ImageDraw

from health_assistant.images import encoded
from health_assistant.lab_report.rendering.rendered import draw_report
from health_assistant.lab_report.report import PrintedRow, ReadReport

BITS, SQUARE = 10, 24
SHORT = {
    "limit": (429, {"error": {"message": "slow down"}}, {"Retry-After": "1"}),
    "crash": (500, {"error": {"message": "boom"}}),
    "unauthorized": (401, {"error": {"message": "bad key"}}),
    "redirect": (307, {}, {"Location": "/v1/chat/completions"}),
    "squeezed": (200, {}, {"Content-Encoding": "gzip"}),
}
"""一句话的坏法：状态码、正文、另加的头。别的在 _Handler 里，一种一个方法。"""


class FakeUpstream(LocalServer):
    """with 里是一个活着的上游。`answer` 由请求得出要答的话；`behaviours` 依次轮流，每个请求一种。"""

    def __init__(self, answer: Callable[[dict], str], behaviours: Iterable[str] = ("ok",)) -> None:
        super().__init__(_Handler)
        self.answer = answer
        self.requests: list[dict] = []
        self.refused: dict[str, str] = {}
        self.refused_with = 400
        """`picky` 不接受的字段与它说的话；用哪个状态码说。"""
        self.completed: list[str] = []
        """说完了的各个请求的坏法；还在说、对方先断了的不在内。"""
        self.raw = ""
        """`verbatim` 原样发的正文。"""
        self._behaviours = itertools.cycle(behaviours)
        self._lock = threading.Lock()
        self.stopping = threading.Event()

    @property
    def api_base(self) -> str:
        return f"{self.url}/v1"

    def behave(self, *behaviours: str) -> None:
        self._behaviours = itertools.cycle(behaviours)

    def take(self, body: dict) -> str:
        with self._lock:
            self.requests.append(body)
            return next(self._behaviours)

    def __exit__(self, *_) -> None:
        self.stopping.set()
        super().__exit__()

    def handle_error(self, request, client_address) -> None:
        """服务等不及、断开了，是意料之中的。"""


class _Handler(Handler):
    server: FakeUpstream

    def do_GET(self) -> None:
        self.send(200, {"object": "list", "data": [{"id": "fake", "object": "model", "created": 0, "owned_by": "x"}]})

    def do_POST(self) -> None:
        body = self.body()
        behaviour = self.server.take(body)
        if behaviour in SHORT:
            self.send(*SHORT[behaviour])
        else:
            getattr(self, f"_{behaviour}")(body, self.server)
        self.server.completed.append(behaviour)

    # ---- 好的 ----

    def _ok(self, body: dict, upstream: FakeUpstream) -> None:
        if body.get("stream"):
            self._stream(upstream.answer(body))
            return
        message = {"role": "assistant", "content": upstream.answer(body)}
        choices = [{"index": 0, "finish_reason": "stop", "message": message}]
        self.send(200, {"id": "1", "object": "chat.completion", "created": 1, "model": "fake", "choices": choices})

    def _verbatim(self, body: dict, upstream: FakeUpstream) -> None:
        self._say(upstream.raw, "application/json" if upstream.raw.lstrip().startswith("{") else "text/event-stream")

    def _late(self, body: dict, upstream: FakeUpstream) -> None:
        upstream.stopping.wait(0.3)
        self._stream(upstream.answer(body))

    # ---- 坏的 ----

    def _slow(self, body: dict, upstream: FakeUpstream) -> None:
        upstream.stopping.wait(30)

    def _refuse(self, body: dict, upstream: FakeUpstream) -> None:
        self.close_connection = True

    def _picky(self, body: dict, upstream: FakeUpstream) -> None:
        """不接受 upstream.refused 里的字段，一次说一个。"""
        named = next((name for name in upstream.refused if name in body), None)
        if named:
            self.send(upstream.refused_with, {"error": {"message": upstream.refused[named], "param": named}})
        else:
            self._ok(body, upstream)

    def _broken_json(self, body: dict, upstream: FakeUpstream) -> None:
        self._say("data: {not json at all\n\n")

    def _strange(self, body: dict, upstream: FakeUpstream) -> None:
        self._say('data: {"choices": [{"delta": 7}]}\n\ndata: {"choices": "x"}\n\n')

    def _half(self, body: dict, upstream: FakeUpstream) -> None:
        """说到一半就断了。"""
        self._start()
        self._write(_chunk(upstream.answer(body)[:40]))
        self.close_connection = True

    def _cut(self, body: dict, upstream: FakeUpstream) -> None:
        """写到长度上限：后面的行没有了。"""
        self._stream(upstream.answer(body)[:-20], end="length")

    def _stalled(self, body: dict, upstream: FakeUpstream) -> None:
        """说到一半就不动了，连接还在。"""
        self._start()
        self._write(_chunk(upstream.answer(body)[:40]))
        upstream.stopping.wait(30)

    def _endless(self, body: dict, upstream: FakeUpstream) -> None:
        """没完没了，一个换行也没有。"""
        self._start()
        self._write("data: ")
        while not upstream.stopping.wait(0.02):
            self._write("x" * 1000)

    def _huge(self, body: dict, upstream: FakeUpstream) -> None:
        self._start()
        for _ in range(800):
            self._write("data: " + "x" * 65536)

    # ---- 写 ----

    def _stream(self, text: str, end: str = "stop") -> None:
        self._say(_chunk(text) + _chunk("", end) + "data: [DONE]\n\n")

    def _say(self, text: str, kind: str = "text/event-stream") -> None:
        self._start(kind)
        self._write(text)
        self._write("")

    def _start(self, kind: str = "text/event-stream") -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _write(self, text: str) -> None:
        """一段；空的一段表示写完了。"""
        data = text.encode()
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))


def _chunk(text: str, end: str | None = None) -> str:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": end}
    body = {"id": "x", "object": "chat.completion.chunk", "created": 0, "model": "fake", "choices": [choice]}
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n"


# ---- 认得出编号的照片 ----


def numbered_report(number: int) -> ReadReport:
    """编号在血红蛋白与血小板的结果里，所以每一张的回答都不一样。"""
    rows = [
        ("白细胞计数", "WBC", "6.10", "10^9/L", "3.5-9.5"),
        ("血红蛋白", "HGB", str(70 + number % 40), "g/L", "115-150"),
        ("血小板计数", "PLT", str(130 + number), "10^9/L", "125-350"),
        ("红细胞计数", "RBC", "4.20", "10^12/L", "3.8-5.1"),
    ]
    items = [PrintedRow(name=a, code=b, result=c, unit=d, reference_range=e) for a, b, c, d, e in rows]
    return ReadReport(report_type="血细胞分析", items=items)


def advice_choice(*ids: str) -> str:
    """`numbered_report` 的一份好的回答：只有血红蛋白偏低，挑一句说明。"""
    return json.dumps({"chosen": list(ids or ["HGB.do"])})


def photo_of(report: ReadReport, number: int, layout: str = "classic") -> bytes:
    """画一张单子，下沿印上编号：一排黑白方块。"""
    page = draw_report(layout, report).image
    photo = Image.new("RGB", (page.width, page.height + 3 * SQUARE), "white")
    photo.paste(page)
    draw = ImageDraw.Draw(photo)
    for bit in range(BITS):
        if number >> bit & 1:
            draw.rectangle(_square(photo, bit), "black")
    return encoded(photo)


def number_of(body: dict) -> int:
    """请求里那张照片的编号。"""
    (part,) = [one for one in body["messages"][-1]["content"] if one["type"] == "image_url"]
    photo = Image.open(io.BytesIO(base64.b64decode(part["image_url"]["url"].partition(",")[2]))).convert("L")
    centers = [_square(photo, bit) for bit in range(BITS)]
    return sum(
        (photo.getpixel(((x0 + x1) // 2, (y0 + y1) // 2)) < 128) << bit for bit, (x0, y0, x1, y1) in enumerate(centers)
    )


def _square(photo: Image.Image, bit: int) -> tuple[int, int, int, int]:
    left, top = SQUARE * (2 + 2 * bit), photo.height - 2 * SQUARE
    return left, top, left + SQUARE, top + SQUARE
