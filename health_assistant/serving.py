"""把 Flask 应用放到 gunicorn 上。阶段 5 与阶段 7 的服务都这样起。

一个工作进程、多个线程：模型在内存里只有一份。应用在工作进程里才创建，因为 onnxruntime 的线程池不能跨过 fork。
"""

import errno
import os
import socket
import sys
from collections.abc import Callable

from flask import Flask
from flask.json.provider import DefaultJSONProvider
from gunicorn.app.base import BaseApplication
from gunicorn.arbiter import Arbiter
from gunicorn.errors import AppImportError


class ChineseJson(DefaultJSONProvider):
    """中文不转义，字段照写的次序；用法：app.json = ChineseJson(app)。"""

    ensure_ascii = False
    sort_keys = False


class CannotStart(AppImportError):
    """make_app 装不好应用时抛它：消息给人看，服务以退出码 2 结束。"""


_CANNOT_BIND = {
    errno.EADDRINUSE: "端口被别的程序占着。换一个，如 --port 8010",
    errno.EACCES: "1024 以下的端口要管理员的权限。换一个，如 --port 8010",
    None: "端口要在 0 到 65535 之间",
}
_NO_SUCH_ADDRESS = "这台机器没有这个地址。--host 写 127.0.0.1，或 0.0.0.0（别的机器也能访问）"


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

    一个请求占一个线程，threads 是同时答几个。options 是 gunicorn 的其他设置，如 certfile、timeout。
    """
    _check_port(host, port)
    defaults = {
        "bind": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
        "workers": 1,
        "worker_class": "gthread",
        "threads": threads,
        # 工作进程卡死这么多秒就重起，装应用的时间也算在内；答得慢不算卡死
        "timeout": 120,
        "graceful_timeout": 3,
        "loglevel": "warning",
        "control_socket_disable": True,
    }
    main_process = os.getpid()
    try:
        _Server(make_app, defaults | options).run()
    except SystemExit as end:
        # 工作进程说装不好，gunicorn 的主进程就用这个退出码结束；工作进程自己也经过这里，要原样退出
        if end.code == Arbiter.APP_LOAD_ERROR and os.getpid() == main_process:
            sys.exit(2)
        raise


def _check_port(host: str, port: int) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            number = error.errno if isinstance(error, OSError) else None
            reason = _CANNOT_BIND.get(number, _NO_SUCH_ADDRESS)
            print(f"✗ {host}:{port} 不能用：{reason}", file=sys.stderr)
            sys.exit(2)
