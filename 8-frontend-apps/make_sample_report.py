"""画网页用的示例化验单 HealthAssistantWebApp/examples/blood-count.png。

一位不存在的“示例”女士的血常规：轻度小细胞低色素性贫血的样子，数值相互一致（如 MCV = HCT ÷ RBC）。
参考范围取自 WS/T 405-2012（成年女性）；标准没有的四项（RDW-CV、MPV、PDW、PCT）用常见的仪器范围。
"""

import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from health_assistant.command_line import new_parser

OUTPUT = Path(__file__).parent / "HealthAssistantWebApp/examples/blood-count.png"

# 项目，代号，结果，标记，单位，参考范围
ROWS = [
    ("白细胞计数", "WBC", "6.12", "", "10^9/L", "3.5-9.5"),
    ("中性粒细胞百分比", "NEUT%", "58.2", "", "%", "40-75"),
    ("淋巴细胞百分比", "LYMPH%", "32.5", "", "%", "20-50"),
    ("单核细胞百分比", "MONO%", "6.4", "", "%", "3-10"),
    ("嗜酸性粒细胞百分比", "EO%", "2.4", "", "%", "0.4-8.0"),
    ("嗜碱性粒细胞百分比", "BASO%", "0.5", "", "%", "0-1"),
    ("中性粒细胞绝对值", "NEUT#", "3.56", "", "10^9/L", "1.8-6.3"),
    ("淋巴细胞绝对值", "LYMPH#", "1.99", "", "10^9/L", "1.1-3.2"),
    ("单核细胞绝对值", "MONO#", "0.39", "", "10^9/L", "0.1-0.6"),
    ("嗜酸性粒细胞绝对值", "EO#", "0.15", "", "10^9/L", "0.02-0.52"),
    ("嗜碱性粒细胞绝对值", "BASO#", "0.03", "", "10^9/L", "0-0.06"),
    ("红细胞计数", "RBC", "4.28", "", "10^12/L", "3.8-5.1"),
    ("血红蛋白", "HGB", "104", "↓", "g/L", "115-150"),
    ("红细胞压积", "HCT", "32.6", "↓", "%", "35-45"),
    ("平均红细胞体积", "MCV", "76.2", "↓", "fL", "82-100"),
    ("平均红细胞血红蛋白量", "MCH", "24.3", "↓", "pg", "27-34"),
    ("平均红细胞血红蛋白浓度", "MCHC", "319", "", "g/L", "316-354"),
    ("红细胞分布宽度CV", "RDW-CV", "16.8", "↑", "%", "11.5-14.5"),
    ("血小板计数", "PLT", "286", "", "10^9/L", "125-350"),
    ("平均血小板体积", "MPV", "10.1", "", "fL", "9-13"),
    ("血小板体积分布宽度", "PDW", "12.4", "", "fL", "9-17"),
    ("血小板压积", "PCT", "0.29", "", "%", "0.13-0.35"),
]
HEADINGS = ("序号", "项目", "代号", "结果", "标记", "单位", "参考范围")
COLUMNS = (80, 160, 500, 690, 800, 895, 1030)

WIDTH, MARGIN, ROW_HEIGHT, TABLE_TOP = 1240, 70, 46, 330
PAPER, INK, GREY, STAMP = "#fdfdfb", "#1c1c1c", "#8a8a86", "#b0483f"


def main() -> int:
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--font", type=Path, help="中文字体文件；不给就在系统里找")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="写到哪里（默认：网页的 examples/blood-count.png）")
    args = parser.parse_args()
    font = args.font or find_chinese_font()
    if font is None or not font.is_file():
        print("没有找到中文字体。", file=sys.stderr)
        print("解决：apt-get install fonts-wqy-microhei，或用 --font 指定字体文件。", file=sys.stderr)
        return 2
    # 纯色的扫描件用 16 级调色板，文件小一大半
    draw_report(font).quantize(16).save(args.output, optimize=True)
    print(f"写了 {args.output}（{args.output.stat().st_size // 1024} KB）")
    return 0


def find_chinese_font() -> Path | None:
    try:
        found = subprocess.run(["fc-list", ":lang=zh-cn", "--format=%{file}\n"], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return Path(min(found.stdout.splitlines())) if found.stdout else None


def row_middle(number: int) -> int:
    """第几行（从 1 数）的中线在图上的高度。"""
    return TABLE_TOP + ROW_HEIGHT * number + 8


def draw_report(font: Path) -> Image.Image:
    table_bottom = TABLE_TOP + ROW_HEIGHT * (len(ROWS) + 1)
    image = Image.new("RGB", (WIDTH, table_bottom + 190), PAPER)
    draw = ImageDraw.Draw(image)

    def text(x: int, y: int, words: str, size: int = 25, fill: str = INK, anchor: str = "lm") -> None:
        draw.text((x, y), words, font=ImageFont.truetype(str(font), size), fill=fill, anchor=anchor)

    def line(y: int, width: int = 2) -> None:
        draw.line((MARGIN, y, WIDTH - MARGIN, y), fill=INK, width=width)

    text(WIDTH // 2, 70, "示例医院", 34, anchor="mm")
    text(WIDTH // 2, 122, "血细胞分析 报告单", 42, anchor="mm")
    draw.rounded_rectangle((900, 48, WIDTH - MARGIN, 102), radius=8, outline=STAMP, width=3)
    text(1035, 75, "示例，非真实病人", 28, STAMP, anchor="mm")
    for x, y, words in (
        (80, 200, "姓名：示例"),
        (360, 200, "性别：女"),
        (600, 200, "年龄：34岁"),
        (860, 200, "样本号：SL-0001"),
        (80, 250, "科室：示例门诊"),
        (360, 250, "标本：静脉血"),
        (600, 250, "送检：2026-01-05"),
    ):
        text(x, y, words)

    line(TABLE_TOP - 34, 3)
    for x, words in zip(COLUMNS, HEADINGS, strict=True):
        text(x, TABLE_TOP, words)
    line(TABLE_TOP + 28)
    for number, row in enumerate(ROWS, start=1):
        y = row_middle(number)
        for x, words in zip(COLUMNS, (str(number), *row), strict=True):
            text(x, y, words)
    line(table_bottom + 8, 3)
    text(80, table_bottom + 60, "检验者：示例    审核者：示例    报告时间：2026-01-05 10:20")
    text(80, table_bottom + 115, "本页由程序绘制，仅用于演示。", 22, GREY)
    return image


if __name__ == "__main__":
    sys.exit(main())
