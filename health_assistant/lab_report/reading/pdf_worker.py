"""读一个 PDF 的子进程：标准输入是 PDF，标准输出是一行 JSON，再接像素。由 pdf.py 起，不单独用。

坏的 PDF 会让 pdfium 吃掉几 GB 内存、转个不停，或者直接崩溃；一页一个进程，限好内存与时间，死了也只死这一页。
只用标准库与 pdfium（不含 V8，PDF 里的脚本不会运行），起一个要 0.1 秒。
"""

import ctypes
import json
import math
import sys
from contextlib import suppress

MEMORY_BYTES = 208 << 20
"""地址空间的上限。实测 2500 万像素的彩色图（JPEG、PNG、带蒙版、16 位）都画得出；再小，pdfium 会不声不响地漏画图。"""
CPU_SECONDS = 6
"""2500 万像素的彩色扫描件要 1 秒上下。"""
MAX_PAGES = 20
MAX_SIDE_POINTS = 14_400
"""PDF 1.6 起页面最大的边长，200 英寸（ISO 32000-1 附录 C.2）。"""
MIN_SIDE_POINTS = 30
MAX_IMAGE_PIXELS = 25_000_000
"""一页里的图一共多少像素，与照片一样；A4 在 300 dpi 是 870 万，500 dpi 是 2420 万。"""
_JPX_WEIGHT = 5
"""JPEG 2000 解开时每个像素要 26 字节，别的 3 到 5 字节。"""
MAX_OBJECTS = 50_000
MAX_CHARS = 20_000
"""一页的字数；再多的不取文字，看图。"""
DPI = 200
MAX_DRAWN_PIXELS = 12_000_000
"""画出来的一页；A4 在 200 dpi 是 387 万。"""
_INVISIBLE = 3  # 文字的画法之一：不画出来，扫描仪附的识别结果是这样的


class Refused(Exception):
    """不能用；参数是 pdf.py 的 `PROBLEMS` 的键。"""


def limit_myself() -> None:
    """限内存、时间；崩溃时不留内存转储：里面有化验单。"""
    import resource

    for kind, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
    ):
        with suppress(ValueError, OSError):  # 有的系统（macOS）限不了地址空间
            resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    limit_myself()  # 先限好，再装 pdfium

import pypdfium2.raw as pdfium  # noqa: E402


def open_document(data: bytes):
    """打开，只看结构；要口令的、打不开的、没有页的、页太多的抛 `Refused`。"""
    document = pdfium.FPDF_LoadMemDocument64(data, len(data), None)
    if not document:
        error = pdfium.FPDF_GetLastError()
        raise Refused("encrypted" if error in (pdfium.FPDF_ERR_PASSWORD, pdfium.FPDF_ERR_SECURITY) else "broken")
    count = pdfium.FPDF_GetPageCount(document)
    if count > MAX_PAGES:
        raise Refused("too_many_pages")
    if count <= 0:
        raise Refused("no_pages")
    return document, count


def inspect(data: bytes) -> None:
    """页数；哪一页的大小不对抛 `Refused`。"""
    document, count = open_document(data)
    size = pdfium.FS_SIZEF()
    for index in range(count):
        if not pdfium.FPDF_GetPageSizeByIndexF(document, index, size):
            raise Refused("broken")
        check_size(size.width, size.height)
    write({"pages": count})


def check_size(width: float, height: float) -> None:
    """页的宽、高（点）；太小、太大的抛 `Refused`。"""
    sides = sorted((width, height))
    if not all(map(math.isfinite, sides)) or sides[0] < MIN_SIDE_POINTS:
        raise Refused("page_too_small")
    if sides[1] > MAX_SIDE_POINTS:
        raise Refused("page_too_large")


def render(data: bytes, index: int) -> None:
    """第 index 页（从 0 起）的像素（BGR）与文字层。"""
    document, _ = open_document(data)
    page = pdfium.FPDF_LoadPage(document, index)
    if not page:
        raise Refused("broken")
    width, height = pdfium.FPDF_GetPageWidthF(page), pdfium.FPDF_GetPageHeightF(page)
    check_size(width, height)
    check_objects(page)
    scale = min(DPI / 72, math.sqrt(MAX_DRAWN_PIXELS / (width * height)))
    size = max(1, int(width * scale)), max(1, int(height * scale))
    bitmap = pdfium.FPDFBitmap_CreateEx(*size, pdfium.FPDFBitmap_BGR, None, 0)
    if not bitmap:
        raise Refused("too_heavy")
    pdfium.FPDFBitmap_FillRect(bitmap, 0, 0, *size, 0xFFFFFFFF)
    pdfium.FPDF_RenderPageBitmap(bitmap, page, 0, 0, *size, 0, pdfium.FPDF_ANNOT)
    draw_fields(document, bitmap, page, size)
    stride = pdfium.FPDFBitmap_GetStride(bitmap)
    pixels = ctypes.string_at(pdfium.FPDFBitmap_GetBuffer(bitmap), stride * size[1])
    write({"width": size[0], "height": size[1], "stride": stride, "chars": read_chars(page, size)}, pixels)


def draw_fields(document, bitmap, page, size: tuple[int, int]) -> None:
    """表单里填着的值，画在这一页上面；不跑任何动作与脚本，不给可以填的格涂底色。"""
    calls = pdfium.FPDF_FORMFILLINFO(version=2)  # 一个回调也不给
    form = pdfium.FPDFDOC_InitFormFillEnvironment(document, calls)
    if form:
        pdfium.FPDF_SetFormFieldHighlightAlpha(form, 0)
        pdfium.FPDF_FFLDraw(form, bitmap, page, 0, 0, *size, 0, pdfium.FPDF_ANNOT)
        pdfium.FPDFDOC_ExitFormFillEnvironment(form)


def check_objects(page) -> None:
    """画之前看一遍页里有什么：图的像素数，东西的个数。"""
    waiting = [pdfium.FPDFPage_GetObject(page, at) for at in range(pdfium.FPDFPage_CountObjects(page))]
    width, height = ctypes.c_uint(), ctypes.c_uint()
    seen = pixels = 0
    while waiting:
        piece = waiting.pop()
        seen += 1
        kind = pdfium.FPDFPageObj_GetType(piece)
        if kind == pdfium.FPDF_PAGEOBJ_FORM:
            waiting.extend(
                pdfium.FPDFFormObj_GetObject(piece, at) for at in range(pdfium.FPDFFormObj_CountObjects(piece))
            )
        if kind == pdfium.FPDF_PAGEOBJ_IMAGE and pdfium.FPDFImageObj_GetImagePixelSize(piece, width, height):
            pixels += width.value * height.value * (_JPX_WEIGHT if is_jpeg_2000(piece) else 1)
        if pixels > MAX_IMAGE_PIXELS:
            raise Refused("image_too_large")
        if seen > MAX_OBJECTS:
            raise Refused("too_heavy")


def is_jpeg_2000(image) -> bool:
    """页里的这张图是不是 JPEG 2000。"""
    name = ctypes.create_string_buffer(32)
    count = pdfium.FPDFImageObj_GetImageFilterCount(image)
    return any(
        pdfium.FPDFImageObj_GetImageFilter(image, at, name, 32) and name.value == b"JPXDecode" for at in range(count)
    )


def read_chars(page, size: tuple[int, int]) -> list[list] | None:
    """文字层的每个字：[字, x0, y0, x1, y1, 毛病]，像素；字太多的为 None。

    毛病是 "hidden"（不画出来的）、"turned"（斜着、竖着的）、"unmapped"（字体没有说它是哪个字）或空串。
    """
    text = pdfium.FPDFText_LoadPage(page)
    count = pdfium.FPDFText_CountChars(text) if text else 0
    if count > MAX_CHARS:
        return None
    chars: list[list] = []
    box, x, y = pdfium.FS_RECTF(), ctypes.c_int(), ctypes.c_int()
    for at in range(max(count, 0)):
        code = pdfium.FPDFText_GetUnicode(text, at)
        if pdfium.FPDFText_IsGenerated(text, at) == 1:
            continue
        if not pdfium.FPDFText_GetLooseCharBox(text, at, box):
            continue
        corners = []
        for across, up in ((box.left, box.top), (box.right, box.bottom)):
            pdfium.FPDF_PageToDevice(page, 0, 0, *size, 0, across, up, x, y)
            corners.append((x.value, y.value))
        (x0, x1), (y0, y1) = map(sorted, zip(*corners, strict=True))
        char = chr(code) if code <= sys.maxunicode and not 0xD800 <= code < 0xE000 else "\ufffd"
        drawn = pdfium.FPDFText_GetTextObject(text, at)
        chars.append([char, x0, y0, x1, y1, trouble(page, text, at, drawn)])
    return chars


def trouble(page, text, at: int, drawn) -> str:
    """一个字的毛病，见 `read_chars`。"""
    if pdfium.FPDFText_HasUnicodeMapError(text, at) == 1:
        return "unmapped"
    if pdfium.FPDFTextObj_GetTextRenderMode(drawn) == _INVISIBLE:
        return "hidden"
    turned = math.degrees(pdfium.FPDFText_GetCharAngle(text, at)) + 90 * pdfium.FPDFPage_GetRotation(page)
    return "turned" if min(turned % 360, -turned % 360) > 3 else ""


def write(header: dict, pixels: bytes = b"") -> None:
    """答一行 JSON，后面跟着像素。"""
    sys.stdout.buffer.write(json.dumps(header).encode() + b"\n" + pixels)


def main() -> int:
    """标准输入的 PDF -> 标准输出：页数，或一页的像素与文字。"""
    data = sys.stdin.buffer.read()
    pdfium.FPDF_InitLibrary()
    try:
        inspect(data) if sys.argv[1] == "inspect" else render(data, int(sys.argv[2]))
    except Refused as refused:
        write({"problem": str(refused)})
    except MemoryError:
        write({"problem": "too_heavy"})
    sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
