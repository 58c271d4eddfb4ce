"""有敌意的、坏的、少见的文件：内容，以及服务应当给的状态码与代号。

造起来慢的，内容是造它的函数，用到（`content`）才造：收集测试时不必等。
"""

import io
import struct
import zipfile
import zlib
from functools import cache, partial

from PIL import Image, ImageDraw, PngImagePlugin

from health_assistant.images import encoded

NOT_AN_IMAGE = (415, "unsupported_format")
BROKEN = (400, "broken_image")
TOO_MANY_PIXELS = (413, "image_too_many_pixels")
BLANK = (422, "report_unreadable")
SIZE = (400, 300)


def content(file: tuple) -> bytes:
    """HOSTILE、HOSTILE_PDFS 里一项的内容。"""
    return file[0]() if callable(file[0]) else file[0]


def drawing(mode: str = "RGB", size: tuple[int, int] = SIZE) -> Image.Image:
    """一张不是化验单的小画：左上角深，其余浅。"""
    image = Image.new("RGB", size, "white")
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 2, size[1] // 2), fill=(40, 60, 160))
    return image.convert(mode)


def sixteen_bits() -> Image.Image:
    return drawing("L").convert("I").point(lambda value: value * 257).convert("I;16")


def encode(kind: str, image: Image.Image | None = None, **options) -> bytes:
    return encoded(image or drawing(), kind, **options)


@cache
def noise(kind: str) -> bytes:
    return encode(kind, Image.effect_noise(SIZE, 90).convert("RGB"))


def cut(kind: str, share: float) -> bytes:
    """只传上来了开头一部分的。"""
    data = noise(kind)
    return data[: int(share * len(data))]


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, data: bytes = b"", extra: bytes = b"") -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    pixels = png_chunk(b"IDAT", data or zlib.compress(b"\0" * 1000))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + png_chunk(b"IEND", b"")


def jpeg_claiming(width: int, height: int) -> bytes:
    data = encode("JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def webp_claiming(width: int, height: int) -> bytes:
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\0\0\0\0" + size + encode("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def heic_claiming(width: int, height: int) -> bytes:
    data = encode("HEIF")
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def scan_bomb(scans: int) -> bytes:
    """渐进式 JPEG，最后一遍空的扫描重复很多次：文件小，解起来很久。"""
    data = encode("JPEG", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    empty = last[: 2 + int.from_bytes(last[2:4], "big")] + b"\0"
    return data[:-2] + empty * scans + b"\xff\xd9"


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb", b"\0" * 1_000_000)
    return buffer.getvalue()


def flip(data: bytes, every: int) -> bytes:
    """头 200 字节以后，每隔一段改一个字节。"""
    damaged = bytearray(data)
    for at in range(200, len(damaged), every):
        damaged[at] ^= 0x5A
    return bytes(damaged)


def blank(side: int, mode: str, kind: str = "PNG") -> bytes:
    """一片空白：几十 KB，解开几十上百 MB。"""
    return encode(kind, Image.new(mode, (side, side)))


def bomb(kind: bytes) -> bytes:
    """解开有 80 MB 的 PNG 块。"""
    return png_chunk(kind, b"a\0\0" + zlib.compress(b"\0" * 80_000_000))


def truncated() -> dict:
    files = {}
    for kind in ("JPEG", "PNG", "WEBP", "HEIF"):
        for share in (0.3, 0.6, 0.95):
            files[f"{kind} 只有 {share:.0%}"] = (partial(cut, kind, share), *BROKEN)
        files[f"{kind} 只有开头 24 字节"] = (encode(kind)[:24], None, None)
    return files


def not_images() -> dict:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    files = {
        "文字": "这不是图片".encode() * 100,
        "网页": b"<!doctype html><script>alert(1)</script>",
        "SVG": svg,
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 500 500\nshowpage\n",
        "ZIP": zipped(),
        "ELF": b"\x7fELF" + b"\2\1\1" + b"\0" * 500,
        "零": b"\0" * 5000,
        "MP4": b"\0\0\0\x18ftypmp42" + b"\0" * 500,
        "GIF": encode("GIF", drawing("P")),
        "GIF 后面接 JPEG": encode("GIF", drawing("P")) + encode("JPEG"),
        "TIFF": encode("TIFF"),
        "BMP": encode("BMP"),
        "ICO": encode("ICO"),
        "TGA": encode("TGA"),
        "PPM": encode("PPM"),
        "JPEG 2000": encode("JPEG2000"),
        "AVIF": encode("AVIF"),
    }
    return {name: (data, *NOT_AN_IMAGE) for name, data in files.items()}


def lying_headers() -> dict:
    return {
        "自称 40000×40000 的 PNG": (png(40_000, 40_000), *TOO_MANY_PIXELS),
        "自称 2^31 宽的 PNG": (png(2**31 - 1, 2**31 - 1), *TOO_MANY_PIXELS),
        "自称 65000×65000 的 JPEG": (jpeg_claiming(65_000, 65_000), *TOO_MANY_PIXELS),
        "自称 16384×16384 的 WebP": (webp_claiming(16_384, 16_384), 413, None),
        "自称 60000×60000 的 HEIC": (heic_claiming(60_000, 60_000), 413, None),
        "自称 4900×4900、没有数据的 PNG": (png(4900, 4900), *BROKEN),
        "自称 7000×7000 的 JPEG": (jpeg_claiming(7000, 7000), *BLANK),
        "2500 万像素、不到 100 KB 的 PNG": (lambda: blank(4990, "RGBA"), *BLANK),
        "4900 万像素、不到 100 KB 的 PNG": (lambda: blank(7000, "1"), *TOO_MANY_PIXELS),
        "1250 万像素以内、不到 100 KB 的 WebP": (lambda: blank(3500, "RGBA", "WEBP"), *BLANK),
        "1300 万像素的 WebP": (lambda: blank(3606, "RGB", "WEBP"), *TOO_MANY_PIXELS),
        "宽为 0 的 PNG": (png(0, 500), None, None),
        "宽为 0 的 JPEG": (jpeg_claiming(0, 500), None, None),
        "1 像素宽": (encode("PNG", drawing(size=(1, 4000))), 422, "image_too_small"),
        "缩略图": (encode("JPEG", drawing(size=(60, 80))), 422, "image_too_small"),
        "长条": (encode("PNG", drawing(size=(100, 1000))), 422, "image_too_long"),
        "不算太长的长条": (encode("PNG", Image.effect_noise((1600, 200), 90).convert("RGB")), *BLANK),
    }


def damaged() -> dict:
    whole = noise("PNG")
    bad_header = whole[:17] + bytes([whole[17] ^ 1]) + whole[18:]
    pixels = zlib.compress(b"".join(b"\0" + bytes(3 * SIZE[0]) for _ in range(SIZE[1])))
    endless_exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0"
    return {
        "空文件": (b"", 400, "empty_image"),
        "只有 JPEG 的头": (b"\xff\xd8\xff\xe0" + b"\0" * 300, None, None),
        "只有 PNG 的头": (b"\x89PNG\r\n\x1a\n", None, None),
        "只有 WebP 的头": (b"RIFF\x10\0\0\0WEBPVP8 ", None, None),
        "只有 HEIC 的头": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", None, None),
        "头的校验和不对的 PNG": (bad_header, None, None),
        "数据改坏的 PNG": (flip(whole, 5000), *BROKEN),
        "数据改坏的 JPEG": (lambda: flip(noise("JPEG"), 3000), None, None),
        "数据改坏的 WebP": (lambda: flip(noise("WEBP"), 3000), *BLANK),
        "数据改坏的 HEIC": (lambda: flip(noise("HEIF"), 3000), *BLANK),
        "文字块解开有 80 MB 的 PNG": (lambda: png(*SIZE, pixels, bomb(b"zTXt")), None, None),
        "色彩描述解开有 80 MB 的 PNG": (lambda: png(*SIZE, pixels, bomb(b"iCCP")), None, None),
        "像素解开有 80 MB 的 PNG": (lambda: png(*SIZE, zlib.compress(b"\0" * 80_000_000)), *BLANK),
        "写了一万遍的 JPEG": (scan_bomb(10_000), *BROKEN),
        "EXIF 是乱的": (encode("JPEG", exif=b"Exif\0\0" + bytes(range(256)) * 8), *BLANK),
        "EXIF 绕圈": (encode("JPEG", exif=endless_exif), *BLANK),
        "色彩描述是乱的": (encode("JPEG", icc_profile=b"\xff" * 3000), *BLANK),
        "后面接 ZIP 的 JPEG": (encode("JPEG") + zipped(), *BLANK),
    }


def rare_but_whole() -> dict:
    frames = [drawing(size=SIZE) for _ in range(3)]
    frames[1].putpixel((0, 0), (255, 0, 0))
    more = {"save_all": True, "append_images": frames[1:]}
    note = PngImagePlugin.PngInfo()
    note.add_text("Comment", "<script>alert(1)</script>")
    files = {
        "会动的 WebP": encode("WEBP", frames[0], **more),
        "会动的 PNG": encode("PNG", frames[0], **more),
        "几张一个文件的 MPO": encode("MPO", frames[0], **more),
        "CMYK 的 JPEG": encode("JPEG", drawing("CMYK")),
        "16 位灰度的 PNG": encode("PNG", sixteen_bits()),
        "调色板的 PNG": encode("PNG", drawing("P")),
        "黑白的 PNG": encode("PNG", drawing("1")),
        "透明的 PNG": encode("PNG", Image.new("RGBA", SIZE)),
        "带注释的 PNG": encode("PNG", pnginfo=note),
        "HEIC": encode("HEIF"),
    }
    return {name: (data, *BLANK) for name, data in files.items()}


HOSTILE = truncated() | not_images() | lying_headers() | damaged()
"""名字 -> (内容或造它的函数, 状态码, 代号)；None 是拒绝就行。"""
RARE = rare_but_whole()
"""少见但完好的：读得了，只是没有化验单。"""
