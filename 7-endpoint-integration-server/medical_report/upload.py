"""收照片与 PDF：只在内存里，不落盘；解码的活一次只做几份。"""

import io
import math
import threading
from collections.abc import Iterator
from itertools import pairwise
from typing import IO, Any

import numpy as np
from flask import Request
from PIL import Image

from health_assistant.images import BadImage, encoded, open_image, upright_rgb
from health_assistant.lab_report.reading import pdf
from health_assistant.lab_report.reading.cutting import cut_points, is_long, most_pixels

MODEL_PIXELS = 2560 * 784
"""给视觉模型的图最多多少像素：Qwen2-VL 每 28×28 像素一个 token，这是 2560 个。"""
MAX_PAGES = pdf.MAX_PAGES
"""一次最多几页，照片与 PDF 的页合起来。"""
_DECODERS = threading.BoundedSemaphore(2)
"""同时解码的照片数。一张 5000 万像素的要 150 MB，不能来多少解多少。"""


class MemoryRequest(Request):
    """上传的文件留在内存里。Werkzeug 原来的做法是超过 500 KB 就写临时文件。"""

    def _get_file_stream(self, *_: Any, **__: Any) -> IO[bytes]:
        return io.BytesIO()


class Photo:
    """第 file 个上传的文件，一张照片；建立时只看文件头，不能用时抛 `BadImage`。"""

    preview: bytes | None = None
    """网页自己有照片，不用再给它看。"""

    def __init__(self, data: bytes, file: int = 1) -> None:
        self._data = data
        self.file = file
        open_image(data)  # 只看文件头：不是图片、太大的在这里就拒绝

    def page_for_reader(self) -> Image.Image:
        """给内置读者的原图：还没有解码，轮到它时读者自己解码、摆正。"""
        return open_image(self._data)

    def parts_for_model(self) -> list[bytes]:
        """给视觉模型的 JPEG，摆正了，重新编码，不带任何元数据；长截图切成几张。损坏时抛 `BadImage`。"""
        with _DECODERS:
            image = open_image(self._data)
            if is_long(*image.size):
                return [_jpeg(strip) for strip in _strips(upright_rgb(image, most_pixels(*image.size)))]
            scale = _scale_for_model(image)
            if scale < 1:
                # JPEG 可以直接解成几分之一大，快得多；小不到一成就不再往大里解
                image.draft(None, _scaled(image, 0.9 * scale))
            return [_jpeg(upright_rgb(image))]


class PdfPage:
    """第 file 个上传的文件，PDF，里的一页。画的时候才知道行不行：不行抛 `BadImage`，同一个 PDF 后面的页就不再试。"""

    def __init__(self, document: "_Pdf", index: int, file: int) -> None:
        self.file = file
        self._document = document
        self._index = index
        self.preview: bytes | None = None
        """读过以后，画出来的样子，JPEG；各行的位置就是它的像素。"""

    def page_for_reader(self) -> pdf.PdfPage:
        """给内置读者的：像素与文字层。"""
        page = self._document.render(self._index)
        self.preview = encoded(_as_image(page), "JPEG", quality=70)
        return page

    def parts_for_model(self) -> list[bytes]:
        """给视觉模型的 JPEG。"""
        with _DECODERS:
            return [_jpeg(strip) for strip in _strips(_as_image(self.page_for_reader()))]


Page = Photo | PdfPage


class _Pdf:
    """一个 PDF；坏到要被停掉的，一次就够：后面的页直接拒绝，不让它一页一页地占着读者。"""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._failed: str | None = None
        self.page_count = pdf.count_pages(data)

    def render(self, index: int) -> pdf.PdfPage:
        if self._failed:
            raise pdf.problem(self._failed)
        try:
            return pdf.render_page(self._data, index)
        except BadImage as error:
            if error.code == "pdf_too_heavy":
                self._failed = "too_heavy"
            raise


def _as_image(page: pdf.PdfPage) -> Image.Image:
    return Image.fromarray(page.pixels[:, :, ::-1])


def _strips(image: Image.Image) -> Iterator[Image.Image]:
    """长图切成几段，切在没有字的地方；不长的就是它自己。"""
    if not is_long(*image.size):
        yield image
        return
    cuts = cut_points(np.asarray(image.convert("L")))
    for top, bottom in pairwise(cuts):
        yield image.crop((0, top, image.width, bottom))


def _jpeg(image: Image.Image) -> bytes:
    """缩到 `MODEL_PIXELS` 以内，去掉元数据。"""
    scale = _scale_for_model(image)
    if scale < 1:
        image = image.resize(_scaled(image, scale), Image.Resampling.BICUBIC, reducing_gap=2.0)
    image.info.clear()  # 位置、设备、注释，都不带出去
    return encoded(image, "JPEG", quality=90)


def _scaled(image: Image.Image, scale: float) -> tuple[int, int]:
    return int(scale * image.width), int(scale * image.height)


def _scale_for_model(image: Image.Image) -> float:
    return math.sqrt(MODEL_PIXELS / (image.width * image.height))


def uploaded_pages(request: Request) -> list[Page]:
    """表单字段 image（可以有几个）里的照片与 PDF 的各页，按先后，各知道自己是第几个文件（从 1 起）的。

    没有这个字段、哪一个不能用、一共太多页时抛 `BadImage`；有几个文件时说是第几个。
    """
    files = request.files.getlist("image")
    if not files:
        raise BadImage(400, "missing_image", "没有收到图片。请用表单字段 image 上传一张化验单照片。")
    pages: list[Page] = []
    for number, file in enumerate(files[: MAX_PAGES + 1], 1):
        try:
            pages += _pages_of(file.read(), number)
        except BadImage as error:
            if len(files) == 1:
                raise
            raise BadImage(error.status, error.code, f"第 {number} 个文件：{error}", number) from error
        if len(pages) > MAX_PAGES:
            raise BadImage(413, "too_many_pages", f"一次最多读 {MAX_PAGES} 页。请分几次读。")
    return pages


def _pages_of(data: bytes, file: int) -> list[Page]:
    if not pdf.is_pdf(data):
        return [Photo(data, file)]
    document = _Pdf(data)
    return [PdfPage(document, index, file) for index in range(document.page_count)]
