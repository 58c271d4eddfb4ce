"""画 pixels.png：同一张化验单，像素预算不同时模型看到的字。

    python 6-fine-tuning-vl/figures/draw.py

图由渲染器画（内容虚构），按 Qwen2-VL 的规则缩小，再放大回来给人看。
"""

from pathlib import Path

from health_assistant.command_line import new_parser

BUDGETS = {"课程的预算": 2560, "三分之一的预算": 850, "长边缩到 512 左右": 250}  # 名字 -> 至多多少个词元


def main() -> None:
    new_parser(__doc__).parse_args()

    from PIL import Image

    from health_assistant.lab_report.rendering import render
    from health_assistant.plotting import new_figure
    from health_assistant.training.vision import image_tokens, resized

    drawn = render("sub_tables", seed=3)
    rows = [boxes["row"] for boxes in drawn.boxes[:3]]
    left, top, bottom = rows[0][0] - 6, rows[0][1] - 6, rows[-1][3] + 6
    crop = (left, top, rows[0][2], bottom)
    figure, axes = new_figure(8, 3.6, rows=len(BUDGETS))
    for axis, (name, tokens) in zip(axes, BUDGETS.items(), strict=True):
        size = resized(drawn.image.size, tokens * 784)
        seen = drawn.image.convert("L").resize(size, Image.Resampling.BICUBIC)
        height = drawn.text_height * size[1] / drawn.image.size[1]
        axis.imshow(seen.resize(drawn.image.size, Image.Resampling.NEAREST).crop(crop), cmap="gray", vmin=0, vmax=255)
        found = image_tokens(drawn.image.size, tokens * 784)
        title = f"{name}：{size[0]}×{size[1]}，{found} 个词元，字高 {height:.0f} 像素"
        axis.set_title(title, fontsize=9)
        axis.axis("off")
        print(title)
    path = Path(__file__).with_name("pixels.png")
    figure.savefig(path, dpi=100)
    Image.open(path).convert("L").quantize(16).save(path, optimize=True)  # 十六级灰度够看，文件小一半


if __name__ == "__main__":
    main()
