"""真的照片再经一道：微信转发缩小、拍糊、拍斜、拍暗、反光、纸不平、切掉一边。读出来，逐行对照真值。

    PYTHONPATH=tests python tests/benchmarks/photo_conditions.py [--conditions forwarded,dark] [--files photo-03]

要 ../shared/data/reports 里的真实化验单（不在仓库里）；2 核约 10 分钟。退出码 1：有错而没有表示怀疑的行。
"""

import argparse
import io
import multiprocessing
import os
import random
import sys
from collections import defaultdict
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter, ImageOps
from real_reports import FOLDER, load_truth
from tqdm import tqdm

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.report import UnreadableReport
from health_assistant.lab_report.scoring import ReportScore, score_report

DESK = (130, 120, 110)


def fit(image: Image.Image, side: int) -> Image.Image:
    return ImageOps.contain(image, (side, side), Image.Resampling.LANCZOS) if max(image.size) > side else image


def rotated(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.rotate(rng.uniform(-6, 6), expand=True, fillcolor=DESK, resample=Image.Resampling.BICUBIC)


def keystone(image: Image.Image, rng: random.Random) -> Image.Image:
    """放在桌上斜着拍：四角各挪开边长的至多 6%。"""
    width, height = image.size
    desk = Image.new("RGB", (int(width * 1.15), int(height * 1.15)), DESK)
    desk.paste(image, (int(width * 0.075), int(height * 0.075)))
    width, height = desk.size
    corners = [(0, 0), (0, height), (width, height), (width, 0)]
    moved = [(abs(x - rng.uniform(0, 0.06) * width), abs(y - rng.uniform(0, 0.06) * height)) for x, y in corners]
    quad = [side for corner in moved for side in corner]
    return desk.transform(desk.size, Image.Transform.QUAD, quad, Image.Resampling.BICUBIC)


def without_left(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.crop((int(rng.uniform(0.05, 0.14) * image.width), 0, image.width, image.height))


def without_right(image: Image.Image, rng: random.Random) -> Image.Image:
    return image.crop((0, 0, int(rng.uniform(0.84, 0.95) * image.width), image.height))


def dark(image: Image.Image, rng: random.Random) -> Image.Image:
    """光线不到三分之一，再加噪点。"""
    pixels = np.asarray(image, float) * 0.32  # (高, 宽, 3)
    pixels += np.random.default_rng(rng.randrange(1000)).normal(0, 7, pixels.shape)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def glare(image: Image.Image, rng: random.Random) -> Image.Image:
    """纸中间一团反光，最亮处全白。"""
    pixels = np.asarray(image, float)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    along = (x - rng.uniform(0.3, 0.7) * width) / (0.18 * width)
    down = (y - rng.uniform(0.3, 0.7) * height) / (0.12 * height)
    pixels = pixels + 230 * np.exp(-(along**2 + down**2))[..., None]
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def wavy(image: Image.Image, rng: random.Random) -> Image.Image:
    """纸不平：各列上下错开，至多高的 0.8%。"""
    pixels = np.asarray(image)
    height, width = pixels.shape[:2]
    y, x = np.mgrid[:height, :width]
    shift = 0.008 * height * np.sin(7.5 * x / width + rng.uniform(0, 6))
    return Image.fromarray(pixels[(y + shift).clip(0, height - 1).astype(int), x])


CONDITIONS: dict[str, tuple[int, int, Callable[[Image.Image, random.Random], Image.Image]]] = {
    "forwarded": (1080, 40, lambda image, rng: image),
    "small": (900, 75, lambda image, rng: image),
    "blurred": (1600, 80, lambda image, rng: image.filter(ImageFilter.GaussianBlur(1.3))),
    "rotated": (1800, 80, rotated),
    "keystone": (1800, 80, keystone),
    "no left edge": (1800, 80, without_left),
    "no right edge": (1800, 80, without_right),
    "dark": (1600, 75, dark),
    "glare": (1600, 80, glare),
    "wavy": (1600, 80, wavy),
}
"""名字 -> 先缩到的长边（像素）、改好以后存成 JPEG 的质量、怎样改。"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--files", default="", help="只读名字里有它的")
    args = parser.parse_args()
    if not FOLDER.is_dir():
        parser.error(f"没有真实化验单：{FOLDER} 不在")
    files = [file for file in load_truth() if args.files in file]
    pages = [(condition, file) for condition in args.conditions.split(",") for file in files]
    scores: dict[str, ReportScore] = defaultdict(ReportScore)
    with multiprocessing.get_context("spawn").Pool(os.cpu_count(), _start_reader) as pool:
        for condition, file, score in tqdm(pool.imap_unordered(_read_photo, pages), total=len(pages), unit="张"):
            scores[condition] += score
            for error in score.silent_errors:
                tqdm.write(f"无声的错：{condition} {file} {error}")
    for condition in sorted(scores, key=list(CONDITIONS).index):
        print(f"{condition:14}{scores[condition]}")
    total = sum(scores.values(), ReportScore())
    print(f"{'合计':12}{total}")
    return int(bool(total.silent_errors))


def _start_reader() -> None:
    global _reader
    _reader = ReportReader(threads=1)


def _read_photo(page: tuple[str, str]) -> tuple[str, str, ReportScore]:
    condition, file = page
    side, quality, change = CONDITIONS[condition]
    photo = fit(ImageOps.exif_transpose(Image.open(FOLDER / file)).convert("RGB"), side)
    sent = io.BytesIO()
    change(photo, random.Random(file)).save(sent, "JPEG", quality=quality)
    try:
        report = assess(_reader.read(Image.open(sent)))
    except UnreadableReport:
        report = None
    return condition, file, score_report(report, load_truth()[file])


if __name__ == "__main__":
    sys.exit(main())
