"""图片里的文字：RapidOCR，模型在安装包里，不联网。"""

import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

OCR_LONGEST_SIDE = 1600
"""识别时长边的像素。2 核实测：1600 与原尺寸读数相同，快一半，内存少一半多；960 会错代号。"""


@dataclass(frozen=True)
class TextBox:
    """一段文字和它的外接矩形，单位是原图像素；score 是识别把握，0 到 1；slope 是文字行的斜率。"""

    text: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float
    slope: float = 0.0

    @property
    def center_x(self) -> float:
        return (self.x0 + self.x1) / 2

    @property
    def center_y(self) -> float:
        return (self.y0 + self.y1) / 2

    @property
    def height(self) -> float:
        return self.y1 - self.y0


class TextReader:
    """识别一张图里的全部文字。线程安全由调用者保证。"""

    def __init__(self) -> None:
        from rapidocr import RapidOCR

        threads = min(4, os.cpu_count() or 1)
        self._engine = RapidOCR(
            params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": threads}
        )

    def read(self, image: Image.Image) -> list[TextBox]:
        """image 是摆正的 RGB 图；没有文字时返回空列表。"""
        scale = min(1.0, OCR_LONGEST_SIDE / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = image.resize(size, Image.Resampling.LANCZOS) if scale < 1 else image
        # 方向分类器会把 10^9/L 这样的短词倒过来读成 7/6.01，所以不用；整页的方向由上游负责
        found = self._engine(np.asarray(small)[:, :, ::-1], use_cls=False)
        if found.boxes is None:
            return []
        return [_text_box(*one, scale) for one in zip(found.txts, found.scores, found.boxes, strict=True)]


def _text_box(text: str, score: float, quad: np.ndarray, scale: float) -> TextBox:
    (left, top), (right, bottom) = quad.min(axis=0) / scale, quad.max(axis=0) / scale
    edge = quad[1] - quad[0]
    slope = float(edge[1] / edge[0]) if edge[0] > 0 else 0.0
    return TextBox(text.strip(), float(score), float(left), float(top), float(right), float(bottom), slope)
