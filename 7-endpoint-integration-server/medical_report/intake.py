"""收照片：只在内存里，不落盘；解码的活一次只做几份。"""

import io
import math
import threading
from typing import IO

from flask import Request
from PIL import Image

from health_assistant.images import BadImage, open_image, upright_rgb

MODEL_PIXELS = 2560 * 784
"""给视觉模型的图最多多少像素：Qwen2-VL 每 28×28 像素一个 token，这是 2560 个。"""
_DECODERS = threading.BoundedSemaphore(2)
"""同时解码的照片数。一张 5000 万像素的要 150 MB，不能来多少解多少。"""


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


class Photo:
    """一张上传的照片；建立时只看文件头，不能用时抛 `BadImage`。"""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.size = open_image(data).size
        """宽与高，像素，按 EXIF 摆正之前。"""

    def upright(self) -> Image.Image:
        """给内置读者的原图：还没有解码，轮到它时读者自己解码、摆正。"""
        return open_image(self._data)

    def for_model(self) -> bytes:
        """给视觉模型的 JPEG：摆正了，至多 `MODEL_PIXELS` 像素，重新编码，不带任何元数据。损坏时抛 `BadImage`。"""
        with _DECODERS:
            image = open_image(self._data)
            if (scale := _scale_for_model(image)) < 1:
                # JPEG 可以直接解成几分之一大，快得多；小不到一成就不再往大里解
                image.draft(None, _scaled(image, 0.9 * scale))
            image = upright_rgb(image)
            if (scale := _scale_for_model(image)) < 1:
                image = image.resize(_scaled(image, scale), Image.Resampling.BICUBIC, reducing_gap=2.0)
            image.info.clear()  # 位置、设备、注释，都不带出去
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=90)
        return buffer.getvalue()


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return int(scale * image.width), int(scale * image.height)


def _scale_for_model(image: Image.Image) -> float:
    return math.sqrt(MODEL_PIXELS / (image.width * image.height))


def uploaded_photo(request: Request) -> Photo:
    """表单字段 image 里的照片；没有这个字段或不能用时抛 `BadImage`。"""
    file = request.files.get("image")
    if file is None:
        raise BadImage(400, "missing_image", "没有收到图片。请用表单字段 image 上传一张化验单照片。")
    return Photo(file.read())
