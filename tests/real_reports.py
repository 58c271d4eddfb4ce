"""仓库旁边的真实化验单（不在仓库里）：图片、真值，和没有时跳过的标记。"""

import json
from pathlib import Path

import pytest

from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.reference_range import parse_result
from health_assistant.lab_report.scoring import TrueItem

FOLDER = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "reports"
needs_real_reports = pytest.mark.skipif(
    not (FOLDER / "truth.jsonl").exists(), reason="没有真实化验单：../shared/data/reports 不在"
)
_FLAGS = {"H": "high", "L": "low", "N": "normal", None: None}


def load_truth() -> dict[str, list[TrueItem]]:
    """文件名 -> 逐行真值；定性结果的 H 是“异常”。"""
    lines = (FOLDER / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    return {report["file"]: [_true_item(row) for row in report["items"]] for report in map(json.loads, lines)}


def _true_item(row: dict) -> TrueItem:
    flag = _FLAGS[row["flag"]]
    if flag == "high" and not isinstance(parse_result(row["result"]), Interval):
        flag = "abnormal"
    return TrueItem(
        name=row["name"],
        code=row["code"],
        result=row["result"],
        unit=row["unit"],
        reference_range=row["range"],
        flag=flag,
    )
