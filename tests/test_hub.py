"""下载：真的 HTTP 服务器扮三个站；校验、换站、断点、离线、等待的上限。"""

import hashlib
import json
import re
import socket
import time
from urllib.parse import unquote

import pytest
from huggingface_hub import constants
from local_servers import Handler, LocalServer

from health_assistant import hub

CONTENT = bytes(range(256)) * 2000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
REPO, FILE = "some/data-set", "目录/a.parquet"
PATHS = {
    "modelscope": "/modelscope/api/v1/datasets/some/data-set/repo?Revision=master&FilePath=",
    "huggingface": "/huggingface/datasets/some/data-set/resolve/main/",
    "mirror": "/mirror/datasets/some/data-set/resolve/main/",
}


class Hubs(LocalServer):
    """三个站在一个服务器上，各是一个路径前缀；behaviour[站] 决定怎么答，可以是逐次的列表。"""

    def __init__(self):
        self.behaviour = {}
        self.requests = []  # (站, Range)
        hubs = self

        class OfHub(Handler):
            protocol_version = "HTTP/1.0"

            def do_HEAD(self):
                self.do_GET()

            def do_GET(self):
                name = self.path.split("/")[1]
                if "/api/models/" in self.path and name != "modelscope":
                    hubs.answer(self, "tree" if "/tree/" in self.path else "model")
                    return
                if FILE not in unquote(self.path):  # 通不通；modelscope 另问的它自己在哪
                    hubs.answer(self, 405)
                    return
                if self.command == "GET":
                    hubs.requests.append((name, self.headers.get("Range")))
                    hubs.paths[name] = unquote(self.path)
                answer = hubs.behaviour.get(name, 404)
                if isinstance(answer, list):
                    answer = answer.pop(0) if self.command == "GET" else answer[0]
                hubs.answer(self, answer)

        self.paths = {}
        super().__init__(OfHub)

    def answer(self, handler, what):
        if isinstance(what, int):
            handler.send_response(what)
            handler.end_headers()
            return
        body, status, kind = CONTENT, 200, "application/octet-stream"
        if what in ("model", "tree"):
            listing = {"id": REPO, "sha": "c" * 40, "siblings": [{"rfilename": FILE}]}
            if what == "tree":
                listing = [{"type": "file", "path": FILE, "size": len(CONTENT), "oid": "1"}]
            body, kind = json.dumps(listing).encode(), "application/json"
        elif what == "wrong":
            body = b"x" * len(CONTENT)
        elif what == "html":
            body, kind = b"<html>login</html>", "text/html; charset=utf-8"
        wanted = re.match(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        if wanted and what != "no-range":
            status, body = 206, body[int(wanted[1]) :]
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        if status == 206:
            start = len(CONTENT) - len(body)
            handler.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        # huggingface_hub 要这两个
        handler.send_header("ETag", '"one"')
        handler.send_header("X-Repo-Commit", "c" * 40)
        handler.end_headers()
        if handler.command == "GET":
            handler.wfile.write(body[: len(body) // 2] if what == "cut" else body)


@pytest.fixture
def hubs(tmp_path, monkeypatch):
    monkeypatch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path))
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    # 两个库重试前的等待
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr("modelscope_hub._download.DOWNLOAD_RETRY_MAX_DELAY_SECONDS", 0)
    with Hubs() as hubs:
        for name in PATHS:
            monkeypatch.setenv(f"HUB_{name.upper()}", f"{hubs.url}/{name}/")
        yield hubs


def leftovers(folder):
    return [file for file in folder.rglob("*") if file.is_file()]


def test_the_first_hub_that_has_it_and_only_once(hubs, tmp_path):
    hubs.behaviour = {"modelscope": "ok", "huggingface": "ok"}
    path = hub.download(REPO, FILE, SHA256)
    assert path.read_bytes() == CONTENT
    assert path.is_relative_to(tmp_path / "downloads")
    assert hub.download(REPO, FILE) == path
    assert hubs.requests == [("modelscope", None)]


@pytest.mark.parametrize("name", PATHS)
def test_the_addresses_are_those_of_the_hubs(hubs, name):
    hubs.behaviour = {name: "ok"}
    hub.download(REPO, FILE)
    assert hubs.paths[name] == PATHS[name] + FILE


@pytest.mark.parametrize("bad", [404, 403, "wrong", "html", [500, 503, 500, 500], ["cut", "wrong"]])
def test_a_hub_that_fails_is_followed_by_the_next(hubs, tmp_path, bad):
    hubs.behaviour = {"modelscope": bad, "huggingface": "ok"}
    path = hub.download(REPO, FILE, SHA256)
    assert path.read_bytes() == CONTENT
    assert leftovers(tmp_path) == [path]


def test_a_broken_transfer_goes_on_where_it_stopped(hubs):
    hubs.behaviour = {"modelscope": ["cut", "cut", "ok"]}
    assert hub.download(REPO, FILE, SHA256).read_bytes() == CONTENT
    (_, first), (_, second), (_, third) = hubs.requests
    assert first is None
    assert 0 < int(second[6:-1]) < int(third[6:-1]) < len(CONTENT)


def test_a_hub_that_cannot_resume_starts_over(hubs):
    hubs.behaviour = {"modelscope": ["cut", "no-range"]}
    assert hub.download(REPO, FILE, SHA256).read_bytes() == CONTENT


def test_every_failure_is_in_one_message_with_the_offline_way(hubs, tmp_path):
    hubs.behaviour = {"modelscope": "wrong", "huggingface": 404, "mirror": "cut"}
    with pytest.raises(hub.HubError) as caught:
        hub.download(REPO, FILE, SHA256)
    message = str(caught.value)
    for words in ("ModelScope 给的文件校验和不对", "Hugging Face 答 HTTP 404", "HF 镜像 连不上，或传到一半断开"):
        assert words in message
    where = tmp_path / "downloads/datasets" / REPO / FILE
    assert f"放到 {where}" in message
    assert "\n" not in message
    assert leftovers(tmp_path) == []
    # 照着说的做，就不用网了
    where.write_bytes(CONTENT)
    count = len(hubs.requests)
    assert hub.download(REPO, FILE, SHA256) == where
    assert len(hubs.requests) == count


def test_a_damaged_cached_file_is_fetched_again(hubs):
    hubs.behaviour = {"modelscope": "ok"}
    path = hub.download(REPO, FILE, SHA256)
    path.write_bytes(b"damaged")
    assert hub.download(REPO, FILE, SHA256).read_bytes() == CONTENT
    path.write_bytes(b"damaged")
    hubs.behaviour = {}
    with pytest.raises(hub.HubError, match="已经有了，但校验和不对"):
        hub.download(REPO, FILE, SHA256)


def test_hf_hub_offline_means_no_request(hubs, monkeypatch):
    hubs.behaviour = {"modelscope": "ok"}
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(hub.HubError, match="HF_HUB_OFFLINE"):
        hub.download(REPO, FILE)
    assert hubs.requests == []


def test_a_model_comes_from_the_next_hub_and_then_from_the_cache(hubs, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("MODELSCOPE_CACHE", str(tmp_path / "modelscope"))
    hubs.behaviour = {"mirror": "ok"}
    folder = hub.download_model(REPO)
    assert (folder / FILE).read_bytes() == CONTENT
    hubs.behaviour = {}
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert hub.download_model(REPO) == folder
    with pytest.raises(hub.HubError, match=r"other/model（环境变量 HF_HUB_OFFLINE 说不联网；本机没有下载过）"):
        hub.download_model("other/model")


def test_silent_hubs_are_given_up(hubs, monkeypatch):
    """两个接了电话不说话，一个拒绝连接；第一个不说话不耽误后面的。"""
    monkeypatch.setattr(hub, "PROBE_SECONDS", 0.5)
    with socket.socket() as silent, socket.socket() as closed:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HUB_MODELSCOPE", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("HUB_HUGGINGFACE", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setenv("HUB_MIRROR", f"http://127.0.0.1:{closed.getsockname()[1]}")
        with pytest.raises(hub.HubError, match=r"ModelScope 没有答话；Hugging Face 没有答话；HF 镜像 连不上"):
            hub.download(REPO, FILE)
        monkeypatch.setenv("HUB_MIRROR", f"{hubs.url}/mirror")
        hubs.behaviour = {"mirror": "ok"}
        assert hub.download(REPO, FILE, SHA256).read_bytes() == CONTENT
    assert hub.PROBE_SECONDS < 6
