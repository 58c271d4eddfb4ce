"""画网页用的示例化验单 8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png。

一位不存在的女士的血常规：轻度小细胞低色素性贫血的样子，数值相互一致（如 MCV = HCT ÷ RBC）。
参考范围取自 WS/T 405-2012（成年女性）；标准没有的四项（RDW-CV、MPV、PDW、PCT）用常见的仪器范围。
"""

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from health_assistant.command_line import new_parser

if TYPE_CHECKING:
    from PIL import Image

    from health_assistant.lab_report.rendering import RenderedReport

OUTPUT = Path(__file__).resolve().parent.parent / "8-frontend-apps/HealthAssistantWebApp/examples/blood-count.png"
SEED, STAMP, RED = 0, "示例，非真实病人", "#b0483f"

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


def main() -> int:
    """画示例化验单，写成 PNG；返回退出码。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=OUTPUT, help="写到哪里（默认：网页的 examples/blood-count.png）")
    output = parser.parse_args().output
    image = draw_sample().image.copy()
    stamp(image)
    # 纯色的扫描件用 16 级调色板，文件小一大半
    image.quantize(16).save(output, optimize=True)
    print(f"写了 {output}（{output.stat().st_size // 1024} KB）")
    return 0


@cache
def draw_sample() -> "RenderedReport":
    """示例化验单，连同每一行印在哪里。"""
    from health_assistant.lab_report.rendering import draw_report
    from health_assistant.lab_report.report import PrintedRow, ReadReport

    items = [
        PrintedRow(name=name, code=code, result=result, unit=unit, reference_range=printed, mark=mark or None)
        for name, code, result, mark, unit, printed in ROWS
    ]
    report = ReadReport(report_type="血细胞分析", sex="女", age="34岁", items=items)
    return draw_report("classic", report, seed=SEED)


def stamp(image: "Image.Image") -> None:
    """右上角盖一个印：不是真实病人。"""
    from PIL import ImageDraw

    from health_assistant.lab_report.rendering.drawing import load_font

    draw, right = ImageDraw.Draw(image), image.width - 40
    draw.rounded_rectangle((right - 250, 24, right, 72), radius=8, outline=RED, width=3)
    draw.text((right - 125, 48), STAMP, RED, load_font("noto_sans", 28), anchor="mm")


if __name__ == "__main__":
    sys.exit(main())
