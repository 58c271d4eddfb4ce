"""图片里的文字：RapidOCR，模型在安装包里，不联网。先找文字在哪里（detect），再逐段识别（recognize）。"""

import ctypes
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import cv2
import numpy as np

DETECTION_SIDE = 1600
"""找文字时长边的像素。2 核实测：1600 与原尺寸找到的一样多，快一半；960 会漏。识别则用原图的像素。"""
COARSE_SIDE = 800
"""只看文字朝哪边时长边的像素：时间是 1600 的四分之一，会漏字，方向够看了。"""
_SHORT = 0.46
"""找文字时短边不到 `side` 的这么多倍就放大：1600 时是 736，RapidOCR 原来的数。"""
_MAX_BOXES_TO_CLASSIFY = 12
_ARENA_BYTES = 600 << 20
"""运算的内存先划出这么大的地址，用到才真的占：找文字最多用 340 MB。"""
_M_MMAP_THRESHOLD = -3  # malloc.h
_BATCH, _BATCH_ASPECT = 6, 200
"""一次认几段，和它们的宽高比一共至多多少。每段每 8 个像素宽（高 48）要给 18710 个字各打一次分，太宽的放不下。"""
_MIN_WIDTH, _MARGIN = 96, 32
"""一段至少补成这么宽（高 48），右边再留这么多空白。RapidOCR 至少补成 320，而化验单上的格子一半不到 140，
时间多是认空白：这样认 1348 段（29 张画的化验单）用 0.63 倍的时间，带数字的 1 段不同。不留空白的，末一个字有时认错。"""
_WEAK = 0.9
"""识别把握低于它的段再认一次。"""
DOUBTED_SCORE = 0.49
"""不能确定的数，识别把握降到它：低于判断要的 `MIN_CONFIDENCE`。"""


class TextReader:
    """找文字、辨正反、识别文字。线程安全由调用者保证。图都是 BGR、uint8、(高, 宽, 3)。"""

    def __init__(self, threads: int | None = None) -> None:
        import rapidocr
        from omegaconf import OmegaConf
        from rapidocr.ch_ppocr_cls import TextClassifier
        from rapidocr.ch_ppocr_det import TextDetector
        from rapidocr.ch_ppocr_rec import TextRecognizer

        class NarrowRecognizer(TextRecognizer):
            def resize_norm_img(self, img: np.ndarray, max_wh_ratio: float) -> np.ndarray:
                return np.pad(super().resize_norm_img(img, max_wh_ratio), ((0, 0), (0, 0), (0, _MARGIN)))

        settings = rapidocr.RapidOCR(params={"Global.log_level": "error"}).cfg
        models = Path(rapidocr.__file__).parent / "models"
        threads = threads or min(4, os.cpu_count() or 1)

        def build(part, settings, model: str):
            own = {**settings, "session": _session(models / model, threads), "font_path": None}
            return part(OmegaConf.create(own, flags={"allow_objects": True}))

        self._detector = build(TextDetector, settings.Det, "PP-OCRv6_det_small.onnx")
        self._classifier = build(TextClassifier, settings.Cls, "ch_ppocr_mobile_v2.0_cls_mobile.onnx")
        settings.Rec.rec_img_shape = [3, 48, _MIN_WIDTH]
        self._recognizer = build(NarrowRecognizer, settings.Rec, "PP-OCRv6_rec_small.onnx")
        # 原来是 64 位的，归一化时整张图会有几份 64 位的
        self._detector.mean, self._detector.std = np.float32(self._detector.mean), np.float32(self._detector.std)

    def warm_up(self) -> None:
        """空读一张最大的图：识别要的内存一开始就占下，不会等到有人传来大图才涨。"""
        blank = np.full((DETECTION_SIDE, DETECTION_SIDE, 3), 255, np.uint8)
        self.detect(blank)
        whole = np.array([[[0, 0], [DETECTION_SIDE, 0], [DETECTION_SIDE, 32], [0, 32]]], np.float32)
        self.is_upside_down(blank, whole)
        self._recognize(blank, whole)

    def detect(self, image: np.ndarray, side: int = DETECTION_SIDE) -> np.ndarray:
        """文字段的四个角，(段数, 4, 2)，单位是 image 的像素，从左上角起顺时针；没有文字时段数为 0。

        side：长边先缩到这么多像素，不放大。
        """
        scale = min(1.0, side / max(image.shape[:2]))
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else image
        height, width = small.shape[:2]
        # RapidOCR 把短边放大到 limit_side_len：长条补成 4:1，不然会放大到五六千像素长
        self._detector.limit_side_len = round(_SHORT * side)
        below, beside = max(0, width // 4 - height), max(0, height // 4 - width)
        if below or beside:
            small = cv2.copyMakeBorder(small, 0, below, 0, beside, cv2.BORDER_REPLICATE)
        quads = self._detector(small).boxes
        return np.empty((0, 4, 2), np.float32) if quads is None else (quads / scale).astype(np.float32)

    def is_upside_down(self, image: np.ndarray, quads: np.ndarray) -> bool:
        """这些文字段是不是多半倒着。只看最长的几段：短的（数、单位）倒过来也像字。"""
        longest = sorted(quads, key=lambda quad: -np.linalg.norm(quad[1] - quad[0]))[:_MAX_BOXES_TO_CLASSIFY]
        classified = self._classifier([crop(image, quad) for quad in longest])
        votes = [score if "180" in label else -score for label, score in classified.cls_res]
        return sum(votes) > 0

    def recognize(self, image: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
        """逐段的文字与把握，与 quads 一一对应；没有认出字的是空串。"""
        read = self._recognize(image, quads)
        weak = [i for i, (_, score) in enumerate(read) if score < _WEAK]
        # 框得太紧会切掉字边：没有把握的放宽一点再认一次，取把握大的
        for i, again in zip(weak, self._recognize(image, widened(quads[weak])), strict=True):
            read[i] = max(read[i], again, key=lambda scored: scored[1])
        return read

    def recognize_crops(self, crops: list[np.ndarray]) -> list[tuple[str, float]]:
        """几张小图（BGR，各一段水平的文字）的文字与把握；一起认，宽窄应当相近。"""
        from rapidocr.ch_ppocr_rec import TextRecInput

        lines = self._recognizer(TextRecInput(img=crops))
        return [(text.strip(), float(score)) for text, score in zip(lines.txts, lines.scores, strict=True)]

    def _recognize(self, image: np.ndarray, quads: np.ndarray) -> list[tuple[str, float]]:
        read = [("", 0.0)] * len(quads)
        for batch in _batches(quads):
            for at, reading in zip(batch, self.recognize_crops([crop(image, quads[at]) for at in batch]), strict=True):
                read[at] = reading
        return read


@cache
def _share_memory() -> None:
    """三个模型的运算共用一块内存，用过的留着再用。

    不然每种大小的图、每种长短的段都另留一份，会越用越多；每次要、每次还又慢一半。
    """
    import onnxruntime as ort

    place = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(place, ort.OrtArenaCfg(0, 0, _ARENA_BYTES, -1))
    with suppress(AttributeError, OSError, TypeError):  # 只有 glibc 有
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, 4 << 20)  # 图这样的大块用完就还，不留着


def _session(model: Path, threads: int):
    """一个 ONNX 模型，用共用的内存。"""
    import onnxruntime as ort

    _share_memory()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = threads
    options.enable_mem_pattern = False  # 它按每种形状另要一整块
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # 空转着等也占核；不空转，省一成多的核
    options.add_session_config_entry("session.use_env_allocators", "1")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _batches(quads: np.ndarray) -> Iterator[np.ndarray]:
    """一起认的各段的序号，从窄到宽：一批补成一样宽，宽窄相近的才好放在一起。"""
    aspects = np.array([width / height for width, height in map(_size, quads)])
    order = np.argsort(aspects)
    while len(order):
        most = aspects[order[:_BATCH]] * np.arange(1, len(order[:_BATCH]) + 1)
        count = max(1, int(np.sum(most <= _BATCH_ASPECT)))
        yield order[:count]
        order = order[count:]


def widened(quads: np.ndarray) -> np.ndarray:
    """四边各放宽字高的六分之一。"""
    along, down = quads[:, 1] - quads[:, 0], quads[:, 3] - quads[:, 0]
    height = np.linalg.norm(down, axis=1, keepdims=True)
    along, down = (height / 6 * side / np.linalg.norm(side, axis=1, keepdims=True) for side in (along, down))
    return quads + np.stack([-along - down, along - down, along + down, down - along], axis=1)


def crop(image: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """把一段文字拉成水平的小图。不像 RapidOCR 那样转窄高的段：那会把单独的 1 转成一横，读作 → 或一。"""
    width, height = _size(quad)
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    matrix = cv2.getPerspectiveTransform(quad.astype(np.float32), corners)
    return cv2.warpPerspective(image, matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def _size(quad: np.ndarray) -> tuple[int, int]:
    """拉平以后的宽与高，像素；太长的不是文字，压短。"""
    width = max(1, round(max(np.linalg.norm(quad[0] - quad[1]), np.linalg.norm(quad[3] - quad[2]))))
    height = max(1, round(max(np.linalg.norm(quad[0] - quad[3]), np.linalg.norm(quad[1] - quad[2]))))
    return min(width, _BATCH_ASPECT * height), height
