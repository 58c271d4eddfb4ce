"""data: URL -> 字节。RFC 2397 许的写法都认，也认各家客户端常见的几种走样：网址安全的 base64、没有补 =、夹着换行。"""

import base64
import re
from urllib.parse import unquote_to_bytes

_FORM = re.compile(r"\s*data:([^,;]*)((?:;[^,;]*)*),", re.IGNORECASE)
_IMAGE = re.compile(r"(image/[\w.+-]+|application/octet-stream)?", re.IGNORECASE)


def check_data_url(url: str) -> None:
    """不是装着图片的 data: URL 时抛 ValueError，消息说要怎样写。只看开头，不解码。"""
    if re.match(r"\s*https?:", url, re.IGNORECASE):
        raise ValueError("不接受网址：服务不替人下载图片。请把图片内容放进 data: URL")
    head = _FORM.match(url)
    if not head or not _IMAGE.fullmatch(head[1].strip()):
        raise ValueError("要写成 data:image/jpeg;base64,…（或 png、webp、heic）")


def decode_data_url(url: str) -> bytes:
    """`check_data_url` 认可的 -> 内容的字节；base64 不对时抛 ValueError。图是什么格式看内容，不看写的类型。"""
    head = _FORM.match(url)
    data = unquote_to_bytes(url[head.end() :])
    if "base64" not in [part.strip().lower() for part in head[2].split(";")]:
        return data  # 没有写 base64 的，内容就是 % 转义的
    data = re.sub(rb"\s+", b"", data).translate(bytes.maketrans(b"-_", b"+/")).rstrip(b"=")
    return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
