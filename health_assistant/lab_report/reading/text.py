"""图片里的文字：RapidOCR，模型在安装包里，不联网。先找文字在哪里（detect），再逐段识别（recognize）。"""

import os
from dataclasses import dataclass

import cv2
import numpy as np

DETECTION_SIDE = 1600
"""找文字时长边的像素。2 核实测：1600 与原尺寸找到的一样多，快一半；960 会漏。识别则用原图的像素。"""
_MAX_BOXES_TO_CLASSIFY = 12
_WEAK = 0.9
"""识别把握低于它的段再认一次。"""


@dataclass(frozen=True)
class TextBox:
    """一段文字和它的外接矩形，单位是页面像素；score 是识别把握，0 到 1。

    line 是拉平以后的纵坐标，start 与 end 是拉平以后左右两端的横坐标：同一行、同一列由它们定。
    """

    text: str
    score: float
    x0: float
    y0: float
    x1: float
    y1: float
    line: float
    start: float
    end: float

    @property
    def middle(self) -> float:
        return (self.start + self.end) / 2

    @property
    def height(self) -> float:
        return self.y1 - self.y0


class TextReader:
    """找文字、辨正反、识别文字。线程安全由调用者保证。图都是 BGR、uint8、(高, 宽, 3)。"""

    def __init__(self, threads: int | None = None) -> None:
        from rapidocr import RapidOCR

        threads = threads or min(4, os.cpu_count() or 1)
        self._engine = RapidOCR(
            params={"Global.log_level": "error", "EngineConfig.onnxruntime.intra_op_num_threads": threads}
        )

    def detect(self, image: np.ndarray) -> np.ndarray:
        """文字段的四个角，(段数, 4, 2)，单位是 image 的像素，从左上角起顺时针；没有文字时段数为 0。"""
        scale = min(1.0, DETECTION_SIDE / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        found = self._engine(small, use_det=True, use_cls=False, use_rec=False).boxes
        return np.empty((0, 4, 2), np.float32) if found is None else (found / scale).astype(np.float32)

    def is_upside_down(self, image: np.ndarray, quads: np.ndarray) -> bool:
        """这些文字段是不是多半倒着。只看最长的几段：短的（数、单位）倒过来也像字。"""
        longest = sorted(quads, key=lambda quad: -np.linalg.norm(quad[1] - quad[0]))[:_MAX_BOXES_TO_CLASSIFY]
        _, classified = self._engine.cls_and_rotate([crop(image, quad) for quad in longest])
        votes = [score if "180" in label else -score for label, score in classified.cls_res]
        return sum(votes) > 0

    def recognize(self, image: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
        """逐段的文字与把握，与 quads 一一对应；没有认出字的是空串。"""
        read = self._recognize(image, quads)
        weak = [i for i, (_, score) in enumerate(read) if score < _WEAK]
        # 框得太紧会切掉字边：没有把握的放宽一点再认一次，取把握大的
        for i, again in zip(weak, self._recognize(image, _widened(quads[weak])), strict=True):
            read[i] = max(read[i], again, key=lambda one: one[1])
        return read

    def _recognize(self, image: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
        if not len(quads):
            return []
        found = self._engine.recognize_txt([crop(image, quad) for quad in quads])
        return [(text.strip(), float(score)) for text, score in zip(found.txts, found.scores, strict=True)]


def _widened(quads: np.ndarray) -> np.ndarray:
    """四边各放宽字高的六分之一。"""
    along, down = quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0]
    height = np.linalg.norm(down, axis=1, keepdims=True)
    along, down = (height / 6 * side / np.linalg.norm(side, axis=1, keepdims=True) for side in (along, down))
    return quads + np.stack([-along - down, along - down, along + down, down - along], axis=1)


def crop(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """把一段文字拉成水平的小图。不像 RapidOCR 那样转窄高的段：那会把单独的 1 转成一横，读作 → 或一。"""
    width = max(1, round(max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[3] - quad[2]))))
    height = max(1, round(max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), corners)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
