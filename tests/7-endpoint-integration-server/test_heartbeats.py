"""读得久的时候，事件流里一直有动静；出错、人走了，位子都还回来。"""

import io
import threading

import pytest
from medical_report import create_app, views
from medical_report.settings import Settings

PATHS = {
    "/analyze_medical_report": ("analyse_pages", {"data": {"image": (b"x", "x.png")}}),
    "/advice": ("analyse_rows", {"json": {"report": {"items": [{"name": "钾", "result": "4.2"}]}}}),
}
DONE = ("done", {"report": {"items": []}, "timings_ms": {}})


@pytest.fixture(autouse=True)
def hurry(monkeypatch):
    assert views.EVERY_SECONDS <= 15
    monkeypatch.setattr(views, "EVERY_SECONDS", 0.05)
    monkeypatch.setattr(views, "uploaded_pages", lambda request: [])


def stream(path: str, monkeypatch, work, app=None):
    """事件流的回答；work 是做完 accepted 以后做的事，给出别的事件。"""
    name, options = PATHS[path]

    def analyse(*_):
        yield "accepted", {"request_id": "1"}
        yield from work()

    monkeypatch.setattr(views, name, analyse)
    if "data" in options:
        options = {"data": {"image": (io.BytesIO(b"x"), "x.png")}}
    client = (app or create_app(Settings())).test_client()
    return client.post(path, headers={"Accept": "text/event-stream"}, buffered=False, **options)


@pytest.mark.parametrize("path", PATHS)
def test_a_silent_stream_carries_comments_and_then_the_result(path, monkeypatch):
    go_on = threading.Event()

    def silent():
        assert go_on.wait(10)
        yield DONE

    chunks = stream(path, monkeypatch, silent).iter_encoded()
    assert next(chunks).startswith(b"event: accepted")
    assert all(next(chunks) == views.HEARTBEAT.encode() for _ in range(3))
    go_on.set()
    rest = [chunk for chunk in chunks if not chunk.startswith(b":")]
    assert len(rest) == 1 and rest[0].startswith(b"event: done")


@pytest.mark.parametrize("path", PATHS)
def test_an_error_after_a_silence_is_still_an_error_event(path, monkeypatch):
    def failing():
        threading.Event().wait(0.2)
        raise TimeoutError
        yield

    chunks = list(stream(path, monkeypatch, failing).iter_encoded())
    assert views.HEARTBEAT.encode() in chunks
    assert chunks[-1].startswith(b"event: error")
    assert b"internal_error" in chunks[-1]


def test_who_leaves_in_a_silence_gives_the_place_back(monkeypatch):
    app, asked, left = create_app(Settings(max_concurrent=1)), [], threading.Event()

    def slow():
        for number in range(100):
            asked.append(number)
            assert left.wait(10)
            yield "advice", {}

    for _ in range(3):
        left.clear()
        answer = stream("/advice", monkeypatch, slow, app)
        chunks = answer.iter_encoded()
        assert [next(chunks)[:5] for _ in range(2)] == [b"event", views.HEARTBEAT.encode()[:5]]
        left.set()
        answer.close()
    assert len(asked) == 3, "人走了还在做下一件"
