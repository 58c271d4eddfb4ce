"""命令行客户端：本机的服务不走代理；服务说的注释（心跳）不是事件。"""

import test_client
from web_app import NORMAL, FakeService, answer


def test_the_server_on_this_machine_is_asked_without_the_proxy(proxy, tmp_path):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    with FakeService() as service:
        service.script = [": 还在读\n\n", answer([NORMAL])]
        result = test_client.analyse([photo], service.url)
    assert result["engines"]["vision"] == "读者甲"
    assert not proxy.requests


def test_the_same_photo_is_sent_again_to_another_server(tmp_path, monkeypatch):
    """问过了的不再问，是问同一个服务。"""
    monkeypatch.setenv("HEALTH_ASSISTANT_ARTIFACTS", str(tmp_path))
    photo, asked = tmp_path / "a.jpg", []
    photo.write_bytes(b"x")
    result = {"analysis_result": "", "health_recommendations": ""}
    monkeypatch.setattr(test_client, "analyse", lambda files, server, key: asked.append(server) or result)
    monkeypatch.setattr(test_client, "show", lambda result: None)
    for server in ("http://one", "http://one", "http://other"):
        monkeypatch.setattr("sys.argv", ["test_client.py", str(photo), "--server", server])
        assert test_client.main() == 0
    assert asked == ["http://one", "http://other"]


def test_the_client_says_that_a_key_cannot_be_sent(tmp_path, monkeypatch, capsys):
    photo = tmp_path / "a.jpg"
    photo.write_bytes(b"x")
    monkeypatch.setattr("sys.argv", ["test_client.py", str(photo), "--key", "芝麻开门"])
    assert test_client.main() == 2
    assert "--key 或 API_KEY 里有汉字" in capsys.readouterr().err
