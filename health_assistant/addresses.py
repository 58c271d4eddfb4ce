"""地址：是不是这台机器自己的；许可哪些网页跨域访问。"""

import ipaddress
import os
import re
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"\*|https?://[^/\s]+")


def read_origins(text: str) -> tuple[str, ...]:
    """逗号隔开的网页来源，如 "https://a.example, *"（* 是谁都行）。

    写法不对抛 ValueError：对不上的来源，要到浏览器里才看得出来。
    """
    origins = tuple(origin.strip().rstrip("/") for origin in text.split(",") if origin.strip())
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise ValueError(f"{origin} 不是网页的来源，要写成 https://app.example 这样，后面没有路径")
    return origins


def is_this_machine(url: str) -> bool:
    """url 指的是不是这台机器自己（localhost、127.0.0.1、::1、0.0.0.0）：问它不该经过环境变量里的代理。"""
    host = (urlsplit(url).hostname or "").rstrip(".")
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def bypass_proxy(url: str) -> None:
    """url 在这台机器上时，这个进程问它不经过代理（写进 NO_PROXY）；在建立客户端以前调用。"""
    host = urlsplit(url).hostname
    if not is_this_machine(url):
        return
    for name in ("NO_PROXY", "no_proxy"):
        listed = os.environ.get(name, "").split(",")
        if host not in listed:
            os.environ[name] = ",".join(filter(None, [host, *listed]))
