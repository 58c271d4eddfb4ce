"""留出的版式：调读者时从不看，只用来量它在没见过的版式上读得怎样。写法见 `layouts.py`。"""

from health_assistant.lab_report.rendering.layouts import Layout

HELD_OUT_LAYOUTS: dict[str, Layout] = {}
