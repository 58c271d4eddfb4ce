"""反向代理：自己写的一层（放在一个路径下面、要先登录），和真的 nginx（默认设置）。"""

import http.client
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from local_servers import Handler, LocalServer
from model_servers import came_up, free_port

LOGIN = b"<!doctype html><title>login</title><form method=post>login first</form>"
SESSION = "session=good"


class ReverseProxy(LocalServer):
    """with 里是一个活着的代理，转给 upstream；网址里去掉 prefix 再转。

    needs_login 为真时，没有 `SESSION` 这个 cookie 的都转到登录页（200 的 HTML）；`refused` 记下被拦的路径。
    """

    def __init__(self, upstream: str, prefix: str = "", needs_login: bool = False) -> None:
        super().__init__(_Forwarder)
        self.upstream, self.prefix, self.needs_login = urlsplit(upstream).netloc, prefix, needs_login
        self.seen: list[str] = []
        self.refused: list[str] = []
        self.origin, self.url = self.url, f"{self.url}{prefix}/"


class _Forwarder(Handler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        proxy = self.server
        proxy.seen.append(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        body = self.rfile.read(length)
        if proxy.needs_login and SESSION not in (self.headers.get("Cookie") or ""):
            return self._ask_to_log_in()
        if not self.path.startswith(f"{proxy.prefix}/"):
            return self.send_error(404)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        upstream = http.client.HTTPConnection(proxy.upstream, timeout=60)
        upstream.request(self.command, self.path.removeprefix(proxy.prefix), body, headers)
        answer = upstream.getresponse()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "connection"):
                self.send_header(name, value)
        self.end_headers()
        while part := answer.read1(65536):
            self.wfile.write(part)
            self.wfile.flush()
        upstream.close()
        return None

    do_POST = do_HEAD = do_GET

    def _ask_to_log_in(self) -> None:
        if self.path == "/login":
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(LOGIN)
            return
        self.server.refused.append(self.path)
        self.send_response(302)
        self.send_header("Location", "/login")
        self.end_headers()


@contextmanager
def nginx(upstream: str, folder: Path, read_seconds: int) -> Iterator[str]:
    """nginx 的默认设置，只写转到哪里、几秒没有动静就断开（临时文件与日志的位置除外）；给出它的地址。"""
    port = free_port()
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    # 由 root 起的，工作进程会换成别的用户，写不了 folder
    user = "user root root;" if os.geteuid() == 0 else ""
    config = folder / "nginx.conf"
    config.write_text(
        f"""{user} pid {folder}/pid; error_log {folder}/error.log; daemon off;
        events {{}}
        http {{
            access_log off; {temporary}
            proxy_read_timeout {read_seconds}s;
            server {{ listen 127.0.0.1:{port}; location / {{ proxy_pass {upstream}; }} }}
        }}"""
    )
    process = subprocess.Popen([shutil.which("nginx", path="/usr/sbin:/usr/bin"), "-c", config, "-p", folder])
    url = f"http://127.0.0.1:{port}"
    try:
        assert came_up(f"{url}/health", 10, process), "nginx 没有起来"
        yield url
    finally:
        process.terminate()
        process.wait(10)
