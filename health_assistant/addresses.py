"""地址：是不是这台机器自己的。"""

import ipaddress
from urllib.parse import urlsplit


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
