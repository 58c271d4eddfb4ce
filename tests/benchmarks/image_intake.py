"""一张 2448×3264 的照片变成给视觉模型的 JPEG，与课程原来的写法比，同一次运行里交替着量。

    PYTHONPATH=tests:7-endpoint-integration-server python tests/benchmarks/image_intake.py

原来的写法：整张解码，Lanczos 缩到长边 1280，渐进式、optimize。退出码 1：用了它一半以上的时间。
"""

import io
import statistics
import sys
import time
from collections.abc import Callable

from http_load import ROOT
from PIL import Image

from health_assistant.images import encoded

SIZE, ROUNDS = (2448, 3264), 15


def main() -> int:
    data = phone_photo(SIZE)
    spent: dict[Callable, list[float]] = {original: [], ours: []}
    for _ in range(ROUNDS):
        for way, times in spent.items():
            started = time.perf_counter()
            way(data)
            times.append(time.perf_counter() - started)
    before, now = (1000 * statistics.median(times) for times in spent.values())
    print(
        f"原来 {before:.0f} 毫秒，{len(original(data)) // 1024} KB；现在 {now:.0f} 毫秒，{len(ours(data)) // 1024} KB"
    )
    print(f"{'✓' if now <= before / 2 else '✗'} 时间是原来的 {now / before:.2f} 倍（界限 0.5）")
    return int(now > before / 2)


def phone_photo(size: tuple[int, int]) -> bytes:
    """示例化验单放大，加上照片才有的噪点。"""
    page = (
        Image.open(ROOT / "8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png").convert("RGB").resize(size)
    )
    noise = Image.effect_noise(size, 24).convert("RGB")
    return encoded(Image.blend(page, noise, 0.15), "JPEG", quality=88)


def original(data: bytes) -> bytes:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    image.thumbnail((1280, 1280), Image.Resampling.LANCZOS)
    return encoded(image, "JPEG", quality=85, progressive=True, optimize=True)


def ours(data: bytes) -> bytes:
    from medical_report.upload import Photo  # 量压力的脚本只借 phone_photo，不在那条路径上

    return Photo(data).parts_for_model()[0]


if __name__ == "__main__":
    sys.exit(main())
