"""收照片：只在内存里，不落盘。"""

import io
from typing import IO

from flask import Request

from health_assistant.images import BadImage


class MemoryRequest(Request):
    """上传的文件留在内存里。Werkzeug 原来的做法是超过 500 KB 就写临时文件。"""

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


def uploaded_image(request: Request) -> bytes:
    """表单字段 image 里的字节；没有这个字段时抛 `BadImage`。"""
    file = request.files.get("image")
    if file is None:
        raise BadImage(400, "missing_image", "没有收到图片。请用表单字段 image 上传一张化验单照片。")
    return file.read()
