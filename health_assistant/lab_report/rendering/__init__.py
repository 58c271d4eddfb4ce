"""化验单的画法：`ReadReport` -> 图片，带逐项真值与位置。内容全是虚构的，没有真实病人。

rendered = render("classic", "photo", seed=7)   # 抽一张、画出来、破坏
drawn = draw_report("classic", my_report)       # 画自己的数据
degrade(drawn, "shadow", seed=7)
"""

from health_assistant.lab_report.rendering.degradations import BEYOND_LIMITS, DEGRADATIONS
from health_assistant.lab_report.rendering.drawing import FONTS
from health_assistant.lab_report.rendering.layouts import HELD_OUT_LAYOUTS, LAYOUTS
from health_assistant.lab_report.rendering.rendered import RenderedReport, degrade, draw_report, render

__all__ = [
    "BEYOND_LIMITS", "DEGRADATIONS", "FONTS", "HELD_OUT_LAYOUTS", "LAYOUTS", "RenderedReport",
    "degrade", "draw_report", "render",
]  # fmt: skip
