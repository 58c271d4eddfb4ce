"""收照片与 PDF：有敌意的、坏的文件各有各的说法，服务不出 500、内存不涨、什么都不落盘；好的照片给模型的样子是对的。"""

import io
import json
import re
import sys
from pathlib import Path

import pytest
import requests
from flask import Flask, request
from hostile_files import HOSTILE, RARE, content, drawing, encode, sixteen_bits
from hostile_pdfs import HOSTILE_PDFS, QUICK_PDFS
from hostile_uploads import MAX_GROWTH_MB, ask, idle_memory, peak_memory, processes
from medical_report.upload import MODEL_PIXELS, Photo
from PIL import Image

from health_assistant.images import upright_rgb

REACH_THE_READER = [name for name, (_, status, code) in HOSTILE.items() if code == "report_unreadable"]
ALL = HOSTILE | HOSTILE_PDFS
BATCHES = {
    "refused": [name for name in HOSTILE if name not in REACH_THE_READER],
    "read": REACH_THE_READER,
    "quick PDFs": QUICK_PDFS,
    "slow PDFs": [name for name in HOSTILE_PDFS if name not in QUICK_PDFS],
}


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=[pytest.mark.slow] * (name in ("read", "slow PDFs"))) for name in BATCHES],
)
def answers(report_server, request):
    """不解码、或解不开就拒绝的文件；解得开、只好去读的；PDF：回答，和比闲着时多用的内存（连同子进程）。"""
    names, idle = BATCHES[request.param], idle_memory(report_server)
    found, peak = peak_memory(report_server, [content(ALL[name]) for name in names])
    return dict(zip(names, found, strict=True)), peak - idle


def test_a_hostile_file_gets_its_own_answer(answers):
    assert (len(HOSTILE) >= 60, len(QUICK_PDFS) >= 12) == (True, True)
    for name, answer in answers[0].items():
        _, status, code = ALL[name]
        body = answer.json()
        assert answer.status_code in ([status] if status else [400, 413, 415, 422]), name
        assert body["code"] == (code or body["code"]), name
        assert body["request_id"] == answer.headers["X-Request-ID"], name
        assert any("一" <= char <= "鿿" for char in body["error"]), name


@pytest.mark.slow
@pytest.mark.parametrize("name", RARE)
def test_a_rare_but_whole_file_is_read(report_server, name):
    data, status, code = RARE[name]
    answer = ask(report_server, data)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_hostile_files_do_not_eat_the_memory(answers, report_server, capsys):
    with capsys.disabled():
        print(f"\n比闲着时多用 {answers[1]} MB")
    assert answers[1] <= MAX_GROWTH_MB
    assert requests.get(f"{report_server}/health", timeout=30).status_code == 200


def test_no_child_process_is_left_behind(answers, report_server):
    left = [
        one for server in processes(report_server) for one in server.children() if "pdf_worker.py" in str(one.cmdline())
    ]
    assert left == []


# ---- 内存以外什么也不碰 ----

_watching: set[str] = set()
_written: list[str] = []


def _watch_writes(event: str, args: tuple) -> None:
    """审计钩子：记下被打开来写的文件与临时文件。装上就卸不掉，所以另有开关。"""
    if not _watching:
        return
    if event == "open" and isinstance(args[2], int) and args[2] & 3 or event.startswith("tempfile."):
        _written.append(f"{event} {args[0]}")


sys.addaudithook(_watch_writes)


def upload_in_process(app: Flask, data: bytes) -> list[str]:
    """在本进程里上传，返回期间写过的文件。"""
    # 请求体自己拼：Flask 的测试客户端拼大的表单时，它自己会写临时文件
    form = requests.Request("POST", "http://localhost", files={"image": ("report.jpg", data)}).prepare()
    client = app.test_client()
    _written.clear()
    _watching.add("on")
    try:
        client.post("/analyze_medical_report", data=form.body, content_type=form.headers["Content-Type"])
    finally:
        _watching.clear()
    return list(_written)


def noisy_jpeg(size: tuple[int, int]) -> bytes:
    return encode("JPEG", Image.effect_noise(size, 60).convert("RGB"), quality=95)


def test_nothing_touches_the_disk(make_client):
    big = noisy_jpeg((2000, 1500))
    assert len(big) > 500 * 1024
    app = make_client().application  # 读者是装好了的：装模型时会碰硬盘
    assert upload_in_process(app, big) == []
    broken = [content(file) for file in HOSTILE.values() if file[1] != 422]
    assert [upload_in_process(app, data) for data in broken] == [[]] * len(broken)


def test_the_watch_itself_works():
    """换回 Werkzeug 原来的请求类，就看得到临时文件：上一个测试不是摆设。"""

    app = Flask(__name__)

    @app.post("/analyze_medical_report")
    def receive():
        return str(len(request.files["image"].read()))

    assert upload_in_process(app, noisy_jpeg((2000, 1500)))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="日志在哪里要从 /proc 看")
def test_the_log_says_nothing_of_the_photos(answers, report_server):
    lines = Path(f"/proc/{processes(report_server)[0].pid}/fd/2").read_text().splitlines()[1:]
    allowed = {"time", "level", "name", "message", "request_id", "route", "status", "ms", "rows", "timings_ms"}
    # gunicorn 自己说的：别的测试发过坏的请求头
    lines = [
        line for line in lines if not re.match(r"\[[\d -:+]+\] \[\d+\] \[WARNING\] Invalid request from ip=", line)
    ]
    assert len(lines) >= len(answers[0])
    assert all(json.loads(line).keys() <= allowed for line in lines)
    assert all(len(line) < 300 for line in lines)


# ---- 给模型的样子 ----


def for_model(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(Photo(data).parts_for_model()[0]))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_model_gets_a_small_upright_baseline_jpeg(kind):
    exif = Image.Exif()
    exif[0x0112] = 6  # 要顺时针转 90 度
    exif[0x010E] = "秘密的说明"
    data = encode(kind, drawing(size=(3000, 2000)), exif=exif.tobytes())
    image = for_model(data)
    assert (image.format, image.info.get("progressive")) == ("JPEG", None)
    assert image.width * image.height <= MODEL_PIXELS
    assert image.width / image.height == pytest.approx(2 / 3, abs=0.01)
    red, green, blue = image.getpixel((image.width * 3 // 4, image.height // 4))
    assert blue > red + 50, "左上角的深色转到了右上角"


@pytest.mark.parametrize("mode", ["CMYK", "L", "P", "1", "I;16", "RGBA", "LA"])
def test_rare_pixels_look_the_same_to_the_reader_and_to_the_model(mode):
    image = sixteen_bits() if mode == "I;16" else drawing(mode)
    data = encode("JPEG" if mode == "CMYK" else "PNG", image)
    for seen in (upright_rgb(Photo(data).page_for_reader()), for_model(data)):
        assert sum(seen.getpixel((50, 50))) < 400
        assert sum(seen.getpixel((350, 250))) > 700


def test_transparent_means_white():
    assert for_model(encode("PNG", Image.new("RGBA", (300, 300)))).getpixel((150, 150)) == (255, 255, 255)


def test_only_the_first_frame_is_looked_at():
    frames = [drawing(), Image.new("RGB", (400, 300), "red")]
    for kind in ("WEBP", "PNG", "MPO"):
        image = for_model(encode(kind, frames[0], save_all=True, append_images=frames[1:]))
        assert sum(image.getpixel((350, 250))) > 700


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_no_metadata_goes_on_to_the_model(kind):
    exif = Image.Exif()
    exif[0x010E] = "SECRET"
    more = {"comment": b"SECRET"} if kind == "JPEG" else {}
    data = encode(kind, exif=exif.tobytes(), xmp=b"<x>SECRET</x>", icc_profile=b"SECRET" * 30, **more)
    assert b"SECRET" in data
    sent = Photo(data).parts_for_model()[0]
    assert b"SECRET" not in sent
    assert b"Exif" not in sent


def test_a_phone_photo_is_never_decoded_in_full(monkeypatch):
    """1200 万像素的 JPEG 直接解成一半大。"""
    sizes = []
    monkeypatch.setattr(
        "medical_report.upload.upright_rgb", lambda image: sizes.append(image.size) or upright_rgb(image)
    )
    for_model(encode("JPEG", drawing(size=(3024, 4032))))
    assert sizes == [(1512, 2016)]
