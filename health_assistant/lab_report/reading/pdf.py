"""PDF -> 一页一页的图与文字层。都在受限的子进程（pdf_worker.py）里做；PDF 只经过管道，不落盘。

pdfium 是 C++ 写的：坏的 PDF 可以让它崩溃、不停地转、要几 GB 内存，这些在同一个进程里拦不住。
一页起一个进程最简单：限制由系统管，死了只是这一页没有读成，也没有要看管的常驻进程。
"""

import json
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from health_assistant.images import BadImage
from health_assistant.lab_report.reading.pdf_worker import MAX_IMAGE_PIXELS, MAX_PAGES, MAX_SIDE_POINTS

_WORKER = Path(__file__).with_name("pdf_worker.py")
_WALL_SECONDS = 30
"""子进程自己只许用 6 秒 CPU；机器忙时，墙上的时间长些。"""
_ONE_AT_A_TIME = threading.Lock()
"""一个子进程至多 208 MB 地址空间，所以一次只起一个。"""
_HEADER_BYTES = 1024
"""文件头可以不在最前面（ISO 32000-1 附录 H.3.4.1）。"""

_SPLIT = "请把要看的几页另存成一个 PDF，或截图上传。"
_SHOOT = "请打开它，截图或拍照上传。"
PROBLEMS = {
    "encrypted": (422, f"这个 PDF 加了密，要口令才打得开。{_SHOOT}"),
    "broken": (400, "这个 PDF 不完整或已损坏，打不开。请重新下载，或截图上传。"),
    "no_pages": (422, "这个 PDF 里一页也没有。请重新下载，或截图上传。"),
    "too_many_pages": (413, f"这个 PDF 超过 {MAX_PAGES} 页。{_SPLIT}"),
    "page_too_small": (422, f"这个 PDF 的页面太小，看不清字。{_SHOOT}"),
    "page_too_large": (413, f"这个 PDF 的页面太大（边长上限 {MAX_SIDE_POINTS // 72} 英寸）。{_SHOOT}"),
    "image_too_large": (413, f"这个 PDF 里的图太大（一页上限 {MAX_IMAGE_PIXELS // 10_000} 万像素）。{_SHOOT}"),
    "too_heavy": (422, f"这个 PDF 太复杂，打开它要的时间或内存太多。{_SHOOT}"),
}
"""问题 -> HTTP 状态码与给人看的话；代号是 `pdf_` 加上问题。"""


@dataclass(frozen=True)
class PrintedText:
    """文字层的一个字，或连起来的一段，与它的外框，像素。

    trouble 是 hidden、turned、unmapped 或空串，见 `pdf_worker.read_chars`。
    """

    text: str
    x0: int
    y0: int
    x1: int
    y1: int
    trouble: str = ""

    @property
    def height(self) -> int:
        """字高，像素。"""
        return self.y1 - self.y0


@dataclass
class PdfPage:
    """画好的一页：`pixels` 是 BGR，(高, 宽, 3)；`chars` 是文字层，没有的是空的。"""

    pixels: np.ndarray
    chars: list[PrintedText]


def is_pdf(data: bytes) -> bool:
    """看内容，不看名字；注释里写着 %PDF- 的照片不是。"""
    return b"%PDF-" in data[:_HEADER_BYTES] and not data.startswith((b"\xff\xd8", b"\x89PNG", b"RIFF"))


def count_pages(data: bytes) -> int:
    """这个 PDF 有几页；加了密的、坏的、太大的抛 `BadImage`。只看结构，什么也不画。"""
    return _ask(data, "inspect")[0]["pages"]


def render_page(data: bytes, index: int) -> PdfPage:
    """画第 index 页（从 0 起），取它的文字层；画不成的抛 `BadImage`。"""
    header, pixels = _ask(data, "render", str(index))
    height, width, stride = header["height"], header["width"], header["stride"]
    rows = np.frombuffer(pixels, np.uint8).reshape(height, stride)
    bgr = rows[:, : 3 * width].reshape(height, width, 3)
    # 另抄一份：子进程给的那一份是只读的，褪红章要就地改
    return PdfPage(np.array(bgr), [PrintedText(*char) for char in header["chars"] or ()])


def _ask(data: bytes, *order: str) -> tuple[dict, memoryview]:
    """让子进程做一件事：它答的 JSON 与后面的像素。"""
    # -I：不看环境变量与当前目录；参数里没有任何来自 PDF 的东西
    command = [sys.executable, "-I", str(_WORKER), *order]
    with _ONE_AT_A_TIME:
        try:
            done = subprocess.run(
                command, input=data, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=_WALL_SECONDS,
                check=False, cwd="/",
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise problem("too_heavy") from None  # 原来的异常里有整个 PDF
    first, _, rest = done.stdout.partition(b"\n")
    if done.returncode != 0 or not first:
        raise problem("too_heavy")  # 被系统停掉的，或自己崩溃的
    header = json.loads(first)
    if "problem" in header:
        raise problem(header["problem"])
    return header, memoryview(rest)


def problem(name: str) -> BadImage:
    """`PROBLEMS` 里的一种，作为异常。"""
    status, message = PROBLEMS[name]
    return BadImage(status, f"pdf_{name}", message)
