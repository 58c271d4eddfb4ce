"""把收到的字节变成摆正的 RGB 图片。先看文件头再解码，全程在内存里。"""

import io
import re
import struct
import warnings

import pillow_heif
from PIL import Image, ImageOps, UnidentifiedImageError

pillow_heif.register_heif_opener()
# 像素数由下面自己的限制管。装一次就好：catch_warnings 换的是全进程的规则，几个线程一起用，
# 会把别的线程（例如正在装模型的）刚设的规则退回去
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)

MAX_PIXELS = 25_000_000
"""最大像素数，2500 万像素解码后 75 到 100 MB；A4 纸扫成 300 dpi 是 870 万。"""
MAX_JPEG_PIXELS = 50_000_000
"""JPEG 可以只解成一半大，所以许它大些：手机照片多是 1200 万到 5000 万。"""
MAX_WEBP_PIXELS = 12_500_000
"""WebP 解码时同时有几整张在内存里，所以许它小些。"""
MIN_SIDE = 100
MAX_ASPECT = 8
"""长边与短边之比的上限。再长的长条缩到能识别的大小就看不清了，文字识别还会把短边放大，吃掉几 GB 内存。"""
MAX_SCREENSHOT_ASPECT, MIN_SCREENSHOT_WIDTH = 30, 300
"""竖着的长截图逐段读，许它长些；窄得不像一屏的不算。"""
MAX_SCANS = 100
"""一张 JPEG 最多分几遍写；渐进式的通常 10 遍左右，写上百万遍的要解几个小时。"""
FORMATS = ("JPEG", "PNG", "WEBP", "HEIF")
"""苹果手机的照片是 HEIF（HEIC）。JPEG 也包括一个文件里有几张的 MPO，那是不少手机的“动态照片”。"""
_JPEG = b"\xff\xd8"
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error)
"""损坏的文件让 Pillow 抛出的，不止一种。"""


class BadImage(ValueError):
    """收到的不是能用的图片。`code` 给程序看，`status` 是合适的 HTTP 状态码，消息说明怎么办。

    收到几个文件的，`file` 是第几个不行，从 1 起。
    """

    def __init__(self, status: int, code: str, message: str, file: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.file = file


def open_image(data: bytes) -> Image.Image:
    """只读文件头，查格式与大小，不解码；不能用时抛 `BadImage`。

    格式看内容，不看文件名。有几帧的（动图、动态照片）只会解码第一帧。
    """
    if not data:
        raise BadImage(400, "empty_image", "收到的图片是空的。请重新选择照片。")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except UnidentifiedImageError as error:
        raise BadImage(
            415, "unsupported_format", "这不是 JPEG、PNG、WebP 或 HEIC 图片，也不是 PDF。请换成照片、截图或 PDF 再试。"
        ) from error
    except _DECODING_ERRORS as error:
        raise _broken() from error
    most = MAX_JPEG_PIXELS if data.startswith(_JPEG) else MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS
    if image.width * image.height > most:
        raise _too_many_pixels()
    if min(image.size) < MIN_SIDE:
        raise BadImage(422, "image_too_small", "图片太小，字看不清。请用原图，不要用缩略图。")
    is_screenshot = image.height > image.width >= MIN_SCREENSHOT_WIDTH
    if max(image.size) > (MAX_SCREENSHOT_ASPECT if is_screenshot else MAX_ASPECT) * min(image.size):
        raise BadImage(422, "image_too_long", "图片太长了。请一次只截一屏，或一张单子拍一张。")
    if data.startswith(_JPEG) and _count_scans(data) > MAX_SCANS:
        raise _broken()
    return image


def _count_scans(jpeg: bytes) -> int:
    """JPEG 分几遍写的，数到 `MAX_SCANS` 以上为止；EXIF 里的缩略图与文件后面附的视频不算。"""
    at, scans = 2, 0
    pattern = re.compile(rb"\xff[^\x00\xff\xd0-\xd8]")
    while scans <= MAX_SCANS:
        marker = pattern.search(jpeg, at)
        if marker is None or marker[0] == b"\xff\xd9":
            break
        scans += marker[0] == b"\xff\xda"
        at = marker.end() + int.from_bytes(jpeg[marker.end() : marker.end() + 2], "big")
    return scans


def upright_rgb(image: Image.Image, max_pixels: int | None = None) -> Image.Image:
    """解码，按 EXIF 摆正，透明处填白；数据不完整时抛 `BadImage`。

    超过 max_pixels 的缩成一半宽、一半高。为了省内存就地转，不另留一份原来的。
    """
    try:
        if max_pixels and image.width * image.height > max_pixels:
            image.draft(None, (image.width // 2, image.height // 2))  # 只对 JPEG 有用
        if max_pixels and image.width * image.height > max_pixels:
            image = _halved(image)
        ImageOps.exif_transpose(image, in_place=True)
        return _rgb(image)
    except _DECODING_ERRORS as error:
        raise _broken() from error


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    """图片变回字节；options 是 Pillow 存这种格式的选项。"""
    data = io.BytesIO()
    image.save(data, kind, **options)
    return data.getvalue()


def _halved(image: Image.Image) -> Image.Image:
    """缩成一半的 RGB。一条一条地转：2500 万像素的 RGBA 峰值 136 MB，整张转是 311 MB（原来的、转了的同时在内存里）。"""
    half = Image.new("RGB", ((image.width + 1) // 2, (image.height + 1) // 2))
    half.info = image.info  # 摆正要看 EXIF
    for top in range(0, image.height, 256):
        band = image.crop((0, top, image.width, min(top + 256, image.height)))
        half.paste(_rgb(band).reduce(2), (0, top // 2))
    return half


def _rgb(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        image = image.convert("RGBA")
        canvas = Image.new("RGB", image.size, "white")
        canvas.paste(image, mask=image.getchannel("A"))
        return canvas
    if image.mode.startswith("I"):
        # 16 位灰度；直接转成 RGB 会截成一片白
        image = image.convert("I").point([value >> 8 for value in range(1 << 16)], "L")
    return image if image.mode == "RGB" else image.convert("RGB")


def _too_many_pixels() -> BadImage:
    jpeg, webp, others = (most // 10_000 for most in (MAX_JPEG_PIXELS, MAX_WEBP_PIXELS, MAX_PIXELS))
    limits = f"JPEG 上限 {jpeg} 万，WebP {webp} 万，别的 {others} 万"
    return BadImage(413, "image_too_many_pixels", f"图片的像素太多（{limits}）。请缩小后再试。")


def _broken() -> BadImage:
    return BadImage(400, "broken_image", "图片不完整或已损坏，打不开。请重新拍照或重新选择。")
