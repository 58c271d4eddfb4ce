"""读化验单的时间与内存，与直接用 RapidOCR 识别同一张图（长边 1600）相比，同一次运行里交替着量。

    python tests/benchmarks/reading_speed.py [--folder ../shared/data/reports]

没有那个目录时用画出来的化验单。退出码 1：摆正的或要转正的图超过 0.8 倍、内存超过 650 MB，
或四个线程一起读比一张一张读慢、内存多出 300 MB。
"""

import argparse
import multiprocessing
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.rendering import LAYOUTS, render

SIDE = 1600
TURNS = (90, 180, 270, 8, -13)
"""要转正的：逆时针度数，轮流用。"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path(__file__).parents[3] / "shared/data/reports")
    parser.add_argument("--images", type=int, default=24)
    args = parser.parse_args()
    run = multiprocessing.get_context("spawn").Pool
    # 各在新的进程里：内存的峰值只属于它
    with run(1, maxtasksperchild=1) as pool:
        upright, turned = pool.apply(time_ratios, (args.folder, args.images))
        alone, alone_memory = pool.apply(read_all, (args.folder, args.images, 1))
        together, together_memory = pool.apply(read_all, (args.folder, args.images, 4))
    checks = [
        ("摆正的图，时间是 RapidOCR 的倍数", upright, 0.8),
        ("要转正的图，时间是 RapidOCR 的倍数", turned, 0.8),
        ("内存峰值，MB", alone_memory, 650),
        ("四个线程一起读，时间是一张一张读的倍数", together / alone, 1.05),
        ("四个线程一起读，内存多出，MB", together_memory - alone_memory, 300),
    ]
    print(f"一张一张读 {alone:.1f} 秒，四个线程一起读 {together:.1f} 秒")
    for name, value, limit in checks:
        print(f"{'✓' if value <= limit else '✗'} {name} {value:.2f}（界限 {limit}）")
    return int(any(value > limit for _, value, limit in checks))


def find_images(folder: Path, count: int) -> list[Callable[[], Image.Image]]:
    """打开每张图的函数：用到才打开，免得图都在内存里。"""
    if folder.is_dir():
        return [partial(_open, file) for file in sorted(folder.glob("*.jpg"))[:count]]
    return [lambda layout=layout: render(layout, "photo", 1).image for layout in [*LAYOUTS][:count]]


def _open(file: Path) -> Image.Image:
    return ImageOps.exif_transpose(Image.open(file)).convert("RGB")


def time_ratios(folder: Path, count: int) -> tuple[float, float]:
    """读者的时间 ÷ RapidOCR 的时间：摆正的图，与转过的图。"""
    from rapidocr import RapidOCR

    engine, reader = RapidOCR(params={"Global.log_level": "error"}), ReportReader()
    images = find_images(folder, count)
    spent = dict.fromkeys(("plain", "upright", "turned"), 0.0)
    for at, open_image in enumerate(tqdm([images[0], *images], desc="计时", unit="张")):
        image = open_image()
        scale = min(1.0, SIDE / max(image.size))
        small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
        tilted = image.rotate(TURNS[at % len(TURNS)], expand=True, fillcolor=(90, 90, 90))
        tasks = {
            "plain": lambda small=small: engine(np.asarray(small)[:, :, ::-1]),
            "upright": lambda image=image: reader.read(image),
            "turned": lambda tilted=tilted: reader.read(tilted),
        }
        names = [*tasks]
        for name in names[at % 3 :] + names[: at % 3]:
            started = time.perf_counter()
            tasks[name]()
            # 第一张是热身
            spent[name] += (time.perf_counter() - started) * (at > 0)
    return spent["upright"] / spent["plain"], spent["turned"] / spent["plain"]


def read_all(folder: Path, count: int, threads: int) -> tuple[float, float]:
    """用几个线程读完全部图：秒数，内存峰值 MB。"""
    reader = ReportReader()
    images = find_images(folder, count)
    reader.read(images[0]())
    started = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda open_image: reader.read(open_image()), images))
    return time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
