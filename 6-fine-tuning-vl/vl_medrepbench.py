"""MedRepBench（arXiv 2508.16674）：一千九百多张去了标识的中文报告，每行五个字段。CC BY-NC 4.0，只用来评测，不能训练。

自己下载：hf download MedRepBench/MedRepBench --repo-type dataset --local-dir medrepbench。认的只有公布的样子：
datasets-meta-zhCN.csv 的三列 image、meta、items 与 images/ 里的图。样子与官方的打分办法是照用过它的公开项目的说明写的，
没有对着数据本身与官方的脚本核对过。
"""

import csv
import json
import re
import sys
from collections import Counter
from pathlib import Path

from health_assistant.artifacts import folder_name
from health_assistant.command_line import BadInput
from health_assistant.lab_report.report import ABNORMAL_FLAGS, Flag, LabItem, ReadReport
from health_assistant.lab_report.scoring import TrueItem

LABELS = "datasets-meta-zhCN.csv"
COLUMNS = ["image", "meta", "items"]
FIELDS = {
    "item_name": "名称", "item_value": "结果", "item_unit": "单位", "item_range": "范围", "is_abnormal": "标记",
}  # fmt: skip
FLAGS: dict[str, Flag | None] = {"0": "normal", "1": "abnormal", "": None}  # 空的是无法判定
MARK = re.compile(r"\s*([↑↓]+)\s*$")  # 有的标注把箭头留在结果里
SAME = str.maketrans("：－—–~～", ":-----")


def is_medrepbench(folder: Path) -> bool:
    """folder 是不是 MedRepBench 原来的样子。"""
    return (folder / LABELS).is_file()


def read_medrepbench(folder: Path) -> tuple[list[dict], Counter]:
    """下载好的文件夹 -> （`read_dataset` 那样的各页，另有官方真值 official；没有量的各有几张）。

    只要化验单（meta 的 type 是 Laboratory）。列名、字段与公布的不同，图一张也没有：抛 `BadInput`，说哪一张、应是什么。
    """
    csv.field_size_limit(sys.maxsize)
    pages: list[dict] = []
    skipped: Counter[str] = Counter()
    with open(folder / LABELS, encoding="utf-8-sig", newline="") as file:
        rows = csv.DictReader(file)
        if rows.fieldnames != COLUMNS:
            raise BadInput(f"{folder / LABELS} 的列是 {rows.fieldnames}，应是 {COLUMNS}：只认公布的样子")
        for number, row in enumerate(rows, 1):
            try:
                items, image = _items(row["items"]), folder / "images" / folder_name(row["image"])
                kind = json.loads(row["meta"])["type"]
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                reason = f"{type(error).__name__} {error}"[:200]
                raise BadInput(f"{folder / LABELS} 第 {number} 张（{row['image']}）不是公布的样子：{reason}") from None
            if kind != "Laboratory" or not items:
                skipped["不是化验单或没有条目"] += 1
            elif not image.is_file() or not image.stat().st_size:
                skipped["图没有或是空的"] += 1
            else:
                pages.append(_page(image, items))
    if not pages:
        raise BadInput(
            f"{folder} 里没有能量的化验单（{dict(skipped)}）：图要在 images/ 里，化验单的 type 是 Laboratory"
        )
    return pages, skipped


def _items(text: str) -> list[dict[str, str]]:
    items = json.loads(text or "[]")
    for item in items:
        if set(item) != set(FIELDS) or item["is_abnormal"] not in FLAGS:
            raise ValueError(f"每项应是 {'、'.join(FIELDS)}，is_abnormal 是 0、1 或空，而不是 {item}")
    return items


def _page(image: Path, items: list[dict[str, str]]) -> dict:
    truth = []
    for item in items:
        marked = MARK.search(item["item_value"])
        truth.append(
            TrueItem(
                name=item["item_name"].strip(),
                result=MARK.sub("", item["item_value"]).strip(),
                unit=item["item_unit"],
                reference_range=item["item_range"],
                mark=marked[1] if marked else None,
                flag=FLAGS[item["is_abnormal"]],
            )
        )
    page = {"image": image, "file_name": image.name, "official": items, "truth": truth, "boxes": [{}] * len(items)}
    return page | {"report": ReadReport(items=truth), "layout": "MedRepBench", "degradation": "photo"}


def official_score(reads: list[list[LabItem]], pages: list[dict]) -> dict[str, float]:
    """官方的逐字段召回（0 到 1）：各页读到的行、各页 -> 五个字段与平均。

    官方的办法：读到的只留前几行，与真值一样多；名称一字不差（不计空白、大小写、横线的写法）才算这一行，算了再比其余四个字段。
    所以多读一行会挤掉对的，名称带不带代号也算错；照抄得对不对看我们自己的那张表。
    """
    right: Counter[str] = Counter()
    rows = 0
    for items, page in zip(reads, pages, strict=True):
        truth, left = page["official"], [_as_official(item) for item in items][: len(page["official"])]
        rows += len(truth)
        for true in truth:
            mine = next((item for item in left if _same(item["item_name"], true["item_name"])), None)
            if mine:
                left.remove(mine)
                right.update(name for name in FIELDS if _same(mine[name], true[name]))
    recalls = {shown: right[name] / rows for name, shown in FIELDS.items()}
    return recalls | {"平均": sum(recalls.values()) / len(recalls)}


def _as_official(item: LabItem) -> dict[str, str]:
    flag = "1" if item.flag in ABNORMAL_FLAGS else "0" if item.flag == "normal" else ""
    return dict(zip(FIELDS, (item.name, item.result, item.unit, item.reference_range, flag), strict=True))


def _same(text: str, other: str) -> bool:
    """官方说的相同：不计空白、大小写、冒号与横线的写法，12.0 与 12 相同。"""
    folded = [re.sub(r"\s", "", each).lower().translate(SAME) for each in (text, other)]
    without_zeros = {re.sub(r"(?<=\d)\.0+(?!\d)", "", each) for each in folded}
    return len(without_zeros) == 1
