"""把 Flask 应用放到 gunicorn 上。阶段 5 与阶段 7 的服务都这样起。

一个工作进程、多个线程：模型在内存里只有一份。应用在工作进程里才创建，因为 onnxruntime 的线程池不能跨过 fork。
"""

import socket
import sys
from collections.abc import Callable

from flask import Flask
from gunicorn.app.base import BaseApplication


class _Server(BaseApplication):
    def __init__(self, make_app: Callable[[], Flask], options: dict) -> None:
        self._make_app = make_app
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        return self._make_app()


def serve(make_app: Callable[[], Flask], host: str, port: int, threads: int = 8, **options) -> None:
    """在 host:port 上运行，直到收到 SIGINT 或 SIGTERM；端口不能用时说明原因，以退出码 2 结束。

    options 是 gunicorn 的其他设置，如 certfile、keyfile。
    """
    _check_port(host, port)
    defaults = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": threads,
        # 读一张图要几秒，慢的机器几十秒；工作进程卡死时两分钟后重起
        "timeout": 120,
        "graceful_timeout": 3,
        "loglevel": "warning",
        "control_socket_disable": True,
    }
    _Server(make_app, defaults | options).run()


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or "端口要在 0 到 65535 之间"
            print(f"✗ {host}:{port} 不能用：{reason}。换一个端口，如 --port 8010", file=sys.stderr)
            sys.exit(2)
