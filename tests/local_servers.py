"""测试自己起的小服务：本机的一个端口。"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class LocalServer(ThreadingHTTPServer):
    """with 里在另一个线程里收请求；一个请求由一个 handler 答，它的 server 就是这个对象。"""

    request_queue_size = 256

    def __init__(self, handler) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    """答一个请求；不写日志。"""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def body(self) -> dict:
        """请求的正文，一个 JSON。"""
        return json.loads(self.rfile.read(int(self.headers["Content-Length"])))

    def send(self, status: int, body: dict, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": len(data), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_) -> None:
        pass
