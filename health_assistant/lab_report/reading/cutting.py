"""很长的截图在哪里切：没有字的地方。"""

import numpy as np

LONG_ASPECT = 4
"""高是宽的这么多倍以上，就是长图：整张缩到能找字的大小，字就太小了。"""
_MAX_PIXELS = 13_000_000
"""识别只用到长边 1600 左右；4000x3000 的照片是 1200 万。"""
_MAX_LONG_PIXELS = 16_000_000
"""长图逐段读，不缩到 1600，所以许它大些，再大的缩成一半；1290x12000 的是 1550 万。"""
_STRIP_ASPECT = 1.5
"""每一段的高约是宽的几倍，与一屏、一页纸差不多。"""
_SLACK = 0.3
"""切的地方可以上下挪这么多个宽，好避开字。"""


def is_long(width: int, height: int) -> bool:
    """是不是很长的截图，要一段段读；宽与高是像素。"""
    return height > LONG_ASPECT * width


def most_pixels(width: int, height: int) -> int:
    """超过这么多像素的图缩成一半大来读，省内存。"""
    return _MAX_LONG_PIXELS if is_long(width, height) else _MAX_PIXELS


def cut_points(gray: np.ndarray) -> list[int]:
    """在哪几行切，纵坐标，从上到下，含 0 与高；gray 是灰度图。切在左右最平静的一行：两行字之间。"""
    height, width = gray.shape
    busy = np.empty(height, np.float32)
    for top in range(0, height, 1024):
        band = gray[top : top + 1024].astype(np.int16)
        busy[top : top + 1024] = np.abs(np.diff(band, axis=1)).mean(axis=1)
    step, slack = round(_STRIP_ASPECT * width), round(_SLACK * width)
    cuts = [0]
    while height - cuts[-1] > step + slack:
        start = cuts[-1] + step - slack
        cuts.append(start + _calmest(busy[start : start + 2 * slack]))
    return [*cuts, height]


def _calmest(busy: np.ndarray) -> int:
    """最平静的几行里，连得最长的一段的正中。"""
    calm = busy <= busy.min() + 0.05 * (busy.mean() - busy.min())
    edges = np.flatnonzero(np.diff(np.concatenate([[0], calm.astype(np.int8), [0]])))
    starts, ends = edges[::2], edges[1::2]
    longest = int(np.argmax(ends - starts))
    return int(starts[longest] + ends[longest]) // 2
