"""阶段 6：查标签。错的标签教出错的模型，所以训练前先查：哪些标签自相矛盾，或与图对不上。

    python 6-fine-tuning-vl/lint_labels.py 标签.jsonl [--images 图的文件夹] [--max-rate 0.01]

读：一行一个标签的 JSONL，标签是 `ReadReport`（render_reports.py、import_reports.py 的 metadata.jsonl，
    或聊天格式里的 JSON 回答）。不给文件就查微型数据集的训练集。
查：数与写着的范围、标记、flags 是否相符；单位是不是这一项可能有的；写法（连同时间、医院、标本的）读不读得懂；
    给了 --images 时，每一项的名称与结果在不在图上（内置引擎识别，一张几秒）。
写：每个问题一行，artifacts/vl/lint/ 里一份 JSON；有问题的标签超过 --max-rate 时退出码 1。
"""

import json
import re
import sys
from collections import Counter
from collections.abc import Iterator
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, fail, new_parser, why_unreadable
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.interval import compare
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.origin import understand
from health_assistant.lab_report.printed_text import fold_code, fold_name, normalize
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.report import (
    FLAG_WORDS,
    ORIGIN_WORDS,
    PrintedOrigin,
    PrintedRow,
    ReadReport,
)
from health_assistant.lab_report.units import kind_of_unit

KINDS = {"mark": "标记与数不符", "flag": "判断与数不符", "unit": "单位不对",
         "unparsable": "看不懂", "not_on_page": "图上没有"}  # fmt: skip


@command
def main() -> int:
    """一份标签 -> 各处问题；返回退出码：1 是有问题的多于容许的，2 是读不了。"""
    parser = new_parser(__doc__)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="标签文件（默认微型数据集的训练集）")
    parser.add_argument("--images", type=Path, help="图的文件夹，按 file_name 找；给了才与图核对")
    parser.add_argument("--max-rate", type=float, default=0.0, help="容许几成标签有问题（默认 0）")
    args = parser.parse_args()
    path = args.file or artifacts.vl_dataset_dir("tiny") / "train" / "metadata.jsonl"
    try:
        lines = [line for line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1) if line[1].strip()]
    except (OSError, UnicodeDecodeError) as error:
        hint = "" if args.file else "；先运行 python 6-fine-tuning-vl/render_reports.py"
        raise BadInput(f"读不了 {path}：{why_unreadable(error)}{hint}") from None
    if not lines:
        raise BadInput(f"{path} 是空的")
    if args.images and not args.images.is_dir():
        raise BadInput(f"没有文件夹 {args.images}")
    on_page = PageText(args.images) if args.images else None
    findings, checked = [], 0
    for number, line in tqdm(lines, unit="条", disable=None, leave=False):
        problems, count = lint(line, on_page)
        findings += [{"line": number, "kind": kind, "what": what, "piece": piece} for kind, what, piece in problems]
        checked += count
    result: dict[str, Any] = {
        "file": str(path),
        "labels": len(lines),
        "checked": checked,
        "bad_labels": len({finding["line"] for finding in findings}),
        "counts": Counter(finding["kind"] for finding in findings),
        "images_not_read": on_page.not_read if on_page else [],
        "findings": findings,
    }
    report = artifacts.label_lint_file("-".join([*path.absolute().parts[-3:-1], path.stem]))
    artifacts.write_json(report, result)
    show(result, report)
    share = result["bad_labels"] / len(lines)
    if share > args.max_rate:
        return fail(f"有问题的标签占 {share:.1%}，超过 --max-rate {args.max_rate:.1%}", 1)
    return 0


def show(result: dict, report: Path) -> None:
    """打印各处问题与总数；report 是写下的报告。"""
    for finding in result["findings"]:
        print(f"{finding['line']:>6}  {KINDS[finding['kind']]}  {finding['what']}  |  {finding['piece']}")
    not_read = result["images_not_read"]
    if not_read:
        print(f"有 {len(not_read)} 张图没有或读不出，没有与图核对：{'、'.join(not_read[:5])}")
    listed = "、".join(f"{KINDS[kind]} {count}" for kind, count in result["counts"].items()) or "没有"
    print(f"{result['labels']} 条标签，核对了 {result['checked']} 项；", end="")
    print(f"问题 {len(result['findings'])} 处（{listed}），在 {result['bad_labels']} 条里\n报告：{report}")


Problem = tuple[str, str, str]
"""（种类，哪里不对，原文的一段）。"""


def lint(line: str, page: "PageText | None") -> tuple[list[Problem], int]:
    """一行标签的问题，与核对了几项。"""
    try:
        row = json.loads(line)
        label = row["messages"][-1]["content"] if "messages" in row else row.get("report", row)
        if isinstance(label, str):
            label = json.loads(label)
        read = ReadReport.model_validate(label)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        what = "不是 ReadReport" if isinstance(error, ValidationError) else f"不是带标签的一行 JSON：{error}"
        return [("unparsable", what, line[:60])], 1
    flags = row.get("flags") or [None] * len(read.items)
    origin = (read.origin or PrintedOrigin()).model_dump()
    problems = [
        ("unparsable", f"看不懂{words}", origin[name])
        for name, words in ORIGIN_WORDS.items()
        if origin[name] and not understand(name, origin[name])
    ]
    for item, flag in zip(read.items, flags, strict=False):
        problems += check_item(read, item, flag)
    return problems + (page.missing(row.get("file_name", ""), read.items) if page else []), len(read.items)


def check_item(report: ReadReport, item: PrintedRow, flag: str | None) -> Iterator[Problem]:
    """`ReadReport` 的一行。没有标记时判得出、有了标记就判不出，是标记矛盾。"""
    piece = " ".join(filter(None, (item.name, item.result, item.unit, item.reference_range, item.mark)))
    if not item.name.strip() or (re.search(r"\w", item.result) and parse_result(item.result) is None):
        yield "unparsable", "没有名称" if not item.name.strip() else f"看不懂结果 {item.result}", piece
    if re.search(r"\d", item.reference_range) and parse_range(item.reference_range) is None:
        yield "unparsable", f"看不懂范围 {item.reference_range}", piece
    if item.mark:
        both = (item, item.model_copy(update={"mark": None}))
        marked, unmarked = (assess(report.model_copy(update={"items": [row]})).items[0].flag for row in both)
        if marked == "unknown" != unmarked:
            yield "mark", f"标记 {item.mark}，按数是{FLAG_WORDS[unmarked]}", piece
    result, interval = parse_result(item.result), parse_range(item.reference_range)
    if flag and result and interval and compare(result, interval) not in (flag, "unknown"):
        yield "flag", f"判断是{FLAG_WORDS.get(flag, flag)}，按数是{FLAG_WORDS[compare(result, interval)]}", piece
    yield from check_unit(item.name, item.code, item.unit, report.report_type, piece)


def check_unit(name: str, code: str, unit: str, report_type: str, piece: str) -> Iterator[Problem]:
    """量的种类不对才算：白细胞没有 mmol/L。同一种量换个写法、换个大小，各医院都有。"""
    exact = find_analyte(name, code, unit, report_type)
    analyte = exact if exact and exact.knows_unit(unit) else find_analyte(name, code, "", report_type)
    if analyte is None or analyte.knows_unit(unit):
        return
    units = (analyte.unit, *analyte.other_units, *analyte.more_units)
    usual = {quantity(known) for known in units if known not in ("G/L", "T/L")}  # 10^9/L 的另一种写法，不是克
    if quantity(unit) and quantity(analyte.unit) and quantity(unit) not in usual:
        yield "unit", f"{analyte.name}不会用 {unit} 作单位（常用 {analyte.unit}）", piece


def quantity(unit: str) -> str:
    """单位量的是什么，不认识的为空串；同一种细胞，有的医院数一升里的，有的数一个视野里的。"""
    return kind_of_unit(unit).replace("视野", "数目")


class PageText:
    """图上的文字；连着几条标签说同一张图时，图只读一次。"""

    def __init__(self, folder: Path) -> None:
        from health_assistant.lab_report.reading.ocr import TextReader

        self.folder, self.reader = folder, TextReader()
        self.texts_of = lru_cache(maxsize=1)(self.read)
        self.not_read: list[str] = []

    def missing(self, file_name: str, items: list[PrintedRow]) -> list[Problem]:
        """标签里有、图上读不到的各行；图读不出的记在 not_read。"""
        texts = self.texts_of(file_name)
        if not texts:
            self.not_read.append(file_name or "（没有 file_name）")
            return []
        problems = []
        for item in items:
            number = re.search(r"\d[\d.]*", normalize(item.result))
            if not (item.name or item.code) or not any(is_similar(item, text) for text in texts):
                problems.append(("not_on_page", "图上没有这一项", f"{item.name} {item.code}".strip()))
            elif number and not any(number[0] in normalize(text) for text in texts):
                problems.append(("not_on_page", "图上没有这个结果", f"{item.name} {item.result}"))
        return problems

    def read(self, file_name: str) -> list[str]:
        """图上的各段文字；没有这张图或打不开则为空。"""
        import cv2
        import numpy as np

        from health_assistant.images import BadImage, open_image, upright_rgb
        from health_assistant.lab_report.reading.upright import find_page

        try:
            image = upright_rgb(open_image((self.folder / file_name).read_bytes()))
        except (OSError, BadImage):
            return []
        page = find_page(cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR), self.reader)
        return [text for text, _ in self.reader.recognize(page.pixels, page.quads) if text]


def is_similar(item: PrintedRow, text: str) -> bool:
    """这段文字里有没有这一项：代号相同，或名称有六成的字连着相同。"""
    if item.code and fold_code(item.code) in fold_code(text):
        return True
    name, seen = fold_name(item.name), fold_name(text)
    blocks = SequenceMatcher(None, name, seen, autojunk=False).get_matching_blocks()
    return bool(name) and sum(block.size for block in blocks) >= 0.6 * len(name)


if __name__ == "__main__":
    sys.exit(main())
