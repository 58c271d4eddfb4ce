"""网页的示例化验单：画它的脚本，里面有各行的真值和表格的尺寸。"""

import importlib.util
from pathlib import Path

STAGE = Path(__file__).resolve().parent.parent / "8-frontend-apps"


def _load():
    spec = importlib.util.spec_from_file_location("make_sample_report", STAGE / "make_sample_report.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SAMPLE = _load()
