"""画网页的图标 8-frontend-apps/HealthAssistantWebApp/icons/*.png；SVG 的那一份是手写的，形状相同。"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from health_assistant.command_line import new_parser

ICONS = Path(__file__).resolve().parent.parent / "8-frontend-apps/HealthAssistantWebApp/icons"
ACCENT, WHITE = "#0b5c66", "#ffffff"
BARS = [(6, 15, 20), (11, 15, 20), (16, 9, 15), (21, 15, 20), (26, 17, 23)]
"""五项结果，(x, 上, 下)，单位是 32 格中的一格：一项偏高，一项偏低。"""
STROKE, CORNER, OVERSAMPLE = 2.6, 8, 4


def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("--output", type=Path, default=ICONS, help="写到哪个目录（默认网页的 icons/）")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    for name, size, maskable in (("192", 192, False), ("512", 512, False), ("maskable-512", 512, True)):
        path = args.output / f"icon-{name}.png"
        draw_icon(size, maskable).save(path, optimize=True)
        print(f"写了 {path.name}（{path.stat().st_size // 1024} KB）")
    return 0


def draw_icon(size: int, maskable: bool) -> Image.Image:
    """maskable 的底色铺满，图形缩到正中 70%：系统会把它裁成圆的、方的。"""
    side = size * OVERSAMPLE
    image = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((0, 0, side - 1, side - 1), radius=0 if maskable else side * CORNER / 32, fill=ACCENT)
    scale = side / 32 * (0.7 if maskable else 1)
    edge = (side - 32 * scale) / 2
    for x, top, bottom in BARS:
        left, right = (edge + (x + half) * scale for half in (-STROKE / 2, STROKE / 2))
        box = (left, edge + (top - STROKE / 2) * scale, right, edge + (bottom + STROKE / 2) * scale)
        draw.rounded_rectangle(box, radius=STROKE / 2 * scale, fill=WHITE)
    return image.resize((size, size), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    sys.exit(main())
