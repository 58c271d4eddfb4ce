"""阶段 6：查标签。错的标签教出错的模型，所以训练前先查：哪些标签自相矛盾，或与图对不上。

    python 6-fine-tuning-vl/lint_labels.py 标签.jsonl [--images 图的文件夹] [--max-rate 0.01]

读：一行一个标签的 JSONL：`ReadReport`（render_reports.py 的 metadata.jsonl），或中文句子
    （“钾（K）偏低（4.42 mmol/L，参考范围3.5-5.3 mmol/L）”）。不给文件就查微型数据集的训练集。
查：数与写着的范围、与说的高低或标记是否相符；单位是不是这一项可能有的；写法读不读得懂；
    给了 --images 时，每一项的名称与结果在不在图上（内置引擎识别，一张几秒）。
写：每个问题一行，artifacts/vl/lint/ 里一份 JSON；有问题的标签超过 --max-rate 时退出码 1。
"""

import json
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, fail, new_parser
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.catalogue import fold_code, fold_name
from health_assistant.lab_report.interval import compare
from health_assistant.lab_report.matching import find_analyte
from health_assistant.lab_report.printed_text import normalize
from health_assistant.lab_report.reference_range import parse_range, parse_result
from health_assistant.lab_report.report import FLAG_WORDS, PrintedRow, ReadReport
from health_assistant.lab_report.units import fold_unit

KINDS = {"direction": "高低与数不符", "mark": "标记与数不符", "flag": "判断与数不符", "unit": "单位不对",
         "unparsable": "看不懂", "not_on_page": "图上没有"}  # fmt: skip
QUANTITIES = {
    "比例": "[%‰]", "体积": "fl", "质量": "pg", "时间": "s|min", "压力": "mmhg|kpa", "沉降": "mm/h",
    "计数": r"(10\^\d+|个|cells?)?/([μun]?l|[hl]pf?)", "浓度": r"[numpkμ]?(mo?l|g|iu|u|eq)/[dmunμ]?l",
}  # fmt: skip
LABEL_KEYS = ("report", "label", "answer", "output", "response", "additional_feature", "text")


@command
def main() -> int:
    parser = new_parser(__doc__)
    parser.add_argument("file", type=Path, nargs="?", metavar="FILE", help="标签文件（默认微型数据集的训练集）")
    parser.add_argument("--field", help=f"标签在哪个键里（默认依次找 {'、'.join(LABEL_KEYS)}）")
    parser.add_argument("--images", type=Path, help="图的文件夹，按 file_name 找；给了才与图核对")
    parser.add_argument("--max-rate", type=float, default=0.0, help="容许几成标签有问题（默认 0）")
    parser.add_argument("--report", type=Path, help="报告写到哪里（默认 artifacts/vl/lint/ 里）")
    args = parser.parse_args()
    path = args.file or artifacts.vl_dataset_dir("tiny") / "train" / "metadata.jsonl"
    try:
        lines = [line for line in enumerate(path.read_text(encoding="utf-8-sig").splitlines(), 1) if line[1].strip()]
    except (OSError, UnicodeDecodeError) as error:
        hint = "" if args.file else "；先运行 python 6-fine-tuning-vl/render_reports.py"
        raise BadInput(f"读不了 {path}：{error}{hint}") from None
    if not lines:
        raise BadInput(f"{path} 是空的")
    if args.images and not args.images.is_dir():
        raise BadInput(f"没有文件夹 {args.images}")
    on_page = PageText(args.images) if args.images else None
    findings, checked = [], 0
    for number, line in tqdm(lines, unit="条", disable=None, leave=False):
        problems, count = lint(line, args.field, on_page)
        findings += [{"line": number, "kind": kind, "what": what, "piece": piece} for kind, what, piece in problems]
        checked += count
    result: dict[str, Any] = {
        "file": str(path),
        "labels": len(lines),
        "checked": checked,
        "bad_labels": len({one["line"] for one in findings}),
        "counts": Counter(one["kind"] for one in findings),
        "images_not_read": on_page.not_read if on_page else [],
        "findings": findings,
    }
    report = args.report or artifacts.label_lint_file("-".join([*path.absolute().parts[-3:-1], path.stem]))
    artifacts.write_json(report, result)
    show(result, report)
    share = result["bad_labels"] / len(lines)
    if share > args.max_rate:
        return fail(f"有问题的标签占 {share:.1%}，超过 --max-rate {args.max_rate:.1%}", 1)
    return 0


def show(result: dict, report: Path) -> None:
    for one in result["findings"]:
        print(f"{one['line']:>6}  {KINDS[one['kind']]}  {one['what']}  |  {one['piece']}")
    if not_read := result["images_not_read"]:
        print(f"有 {len(not_read)} 张图没有或读不出，没有与图核对：{'、'.join(not_read[:5])}")
    listed = "、".join(f"{KINDS[kind]} {count}" for kind, count in result["counts"].items()) or "没有"
    print(f"{result['labels']} 条标签，核对了 {result['checked']} 项；", end="")
    print(f"问题 {len(result['findings'])} 处（{listed}），在 {result['bad_labels']} 条里\n报告：{report}")


Problem = tuple[str, str, str]
"""（种类，哪里不对，原文的一段）。"""


def lint(line: str, field: str | None, page: "PageText | None") -> tuple[list[Problem], int]:
    """一行标签的问题，与核对了几句。"""
    try:
        row = json.loads(line)
        label = find_label(row, field)
        if isinstance(label, str) and label.lstrip().startswith("{"):
            label = json.loads(label)
        read = label if isinstance(label, str) else ReadReport.model_validate(label)
    except (ValueError, TypeError, KeyError) as error:
        what = "不是 ReadReport" if isinstance(error, ValidationError) else f"不是带标签的一行 JSON：{error}"
        return [("unparsable", what, line[:60])], 1
    if isinstance(read, str):
        claims = [claim for sentence in re.split("[。;\n]", plain(read)) for claim in claims_of(sentence)]
        problems = [problem for claim in claims for problem in claim.problems()]
        items = [PrintedRow(name=claim.name, code=claim.code, result=claim.value) for claim in claims]
    else:
        flags = row.get("flags") or [None] * len(read.items)
        problems = [one for item, flag in zip(read.items, flags, strict=False) for one in check_item(read, item, flag)]
        items = read.items
    return problems + (page.missing(row.get("file_name", ""), items) if page else []), len(items)


def find_label(row: dict, field: str | None):
    if "items" in row:
        return row
    if "messages" in row:
        return row["messages"][-1]["content"]
    if not (key := field or next((key for key in LABEL_KEYS if key in row), None)):
        raise ValueError(f"没有 {'、'.join(LABEL_KEYS)} 里的任何一个键，用 --field 指明")
    return row[key]


def check_item(report: ReadReport, item: PrintedRow, flag: str | None) -> Iterator[Problem]:
    """`ReadReport` 的一行。没有标记时判得出、有了标记就判不出，是标记矛盾。"""
    piece = " ".join(filter(None, (item.name, item.result, item.unit, item.reference_range, item.mark)))
    if not item.name.strip() or (re.search(r"\w", item.result) and parse_result(item.result) is None):
        yield "unparsable", "没有名称" if not item.name.strip() else f"看不懂结果 {item.result}", piece
    if re.search(r"\d", item.reference_range) and parse_range(item.reference_range) is None:
        yield "unparsable", f"看不懂范围 {item.reference_range}", piece
    if item.mark:
        both = (item, item.model_copy(update={"mark": None}))
        marked, unmarked = (assess(report.model_copy(update={"items": [one]})).items[0].flag for one in both)
        if marked == "unknown" != unmarked:
            yield "mark", f"标记 {item.mark}，按数是{FLAG_WORDS[unmarked]}", piece
    result, limits = parse_result(item.result), parse_range(item.reference_range)
    if flag and result and limits and compare(result, limits) not in (flag, "unknown"):
        yield "flag", f"判断是{FLAG_WORDS.get(flag, flag)}，按数是{FLAG_WORDS[compare(result, limits)]}", piece
    yield from check_unit(item.name, item.code, item.unit, report.report_type, piece)


def check_unit(name: str, code: str, unit: str, report_type: str, piece: str) -> Iterator[Problem]:
    """量的种类不对才算：白细胞没有 mmol/L。同一种量换个写法、换个大小，各医院都有。"""
    exact = find_analyte(name, code, unit, report_type)
    analyte = exact if exact and exact.knows_unit(unit) else find_analyte(name, code, "", report_type)
    if analyte is None or analyte.knows_unit(unit):
        return
    units = (analyte.unit, *analyte.other_units, *analyte.more_units)
    usual = {quantity(one) for one in units if one not in ("G/L", "T/L")}  # 10^9/L 的另一种写法，不是克
    if quantity(unit) and quantity(analyte.unit) and quantity(unit) not in usual:
        yield "unit", f"{analyte.name}不会用 {unit} 作单位（常用 {analyte.unit}）", piece


def quantity(unit: str) -> str | None:
    """单位量的是什么；不认识的为 None。浓度与活性不细分：同一项激素，有的印质量，有的印国际单位。"""
    folded = fold_unit(unit)
    return next((kind for kind, pattern in QUANTITIES.items() if re.fullmatch(pattern, folded)), None)


# ---- 中文句子：“名称（代号）…数 单位…参考范围 范围”，高低写在前、中、后都有 ----
NUMBER = r"[<>]?-?\d+(?:\.\d+)?"
UNIT = r"%|‰|秒|(?:[×x]\s*)?10\^?\d+/[A-Za-zμ]+|[A-Za-zμ]+(?:/[A-Za-z0-9.]+)*"
BOUND = r"-?\d+(?:\.\d+)?"
RANGE = rf"(?:(?:成人|儿童|男性?|女性?):?\s*)?(?:{BOUND}\s*(?:{UNIT})?\s*[-~—–至]+\s*{BOUND}|[<>≤≥]=?\s*{BOUND})"
PAIR = re.compile(
    rf"(?P<value>{NUMBER})\s*(?P<unit>{UNIT})?(?P<between>[^\d。;<>]{{0,20}}?)(?:正常)?(?:参考)?(?:范围|区间|值)的?(?P<inside>之?内)?"
    rf"(?:(?:上限|下限)?\s*[(::为是]*\s*(?P<range>{RANGE})\s*(?P<range_unit>{UNIT})?"
    rf"|(?P<side>上限|下限)\s*[(::为是]*\s*(?P<bound>{NUMBER})\s*(?P<bound_unit>{UNIT})?)"
)
WORDS = {
    "normal": r"[未不没]\s*(?:高于|低于|超出|超过)|正常(?!参考|范围)|在参考范围内",
    "high": r"升高|偏高|增高|过高|高于|高值|延长|增多",
    "low": r"降低|偏低|减低|过低|低于|低值|缩短|减少",
    "abnormal": r"超出|超过|异常",
}
DIRECTION = re.compile("|".join(f"(?P<{claim}>{words})" for claim, words in WORDS.items()))
# 高低之后到数之间只能是这些字：隔着别的项目就不是说它
LEAD = re.compile(
    rf"({DIRECTION.pattern})(?:参考范围)?[\s(,:]*(?:其?(?:检测)?(?:结果|水平|数值)?(?P<each>分别)?[为是达])?[\s(]*$"
)
AFTER = re.compile(rf"(?P<comma>[\s)]*,?\s*)(?P<all>均|都)?(?:明显|显著|略|轻度)?({DIRECTION.pattern})")


@dataclass
class Claim:
    """句子里的一项：数、范围、说的高低（没说为 None）。"""

    name: str
    code: str
    value: str
    unit: str
    limits: str
    says: str | None
    piece: str

    def problems(self) -> Iterator[Problem]:
        result, limits = parse_result(self.value), parse_range(self.limits)
        flag = compare(result, limits) if result and limits else "unknown"
        if limits is None:
            yield "unparsable", f"看不懂范围 {self.limits}", self.piece
        agrees = flag == self.says or (self.says == "abnormal" and flag in ("high", "low"))
        if self.says and flag != "unknown" and not agrees:
            where = {"normal": "在范围内", "high": "高于范围", "low": "低于范围"}[flag]
            yield "direction", f"说是{FLAG_WORDS[self.says]}，{self.value} 对 {self.limits} 却是{where}", self.piece
        yield from check_unit(self.name, self.code, self.unit, "", self.piece)


def plain(text: str) -> str:
    """去掉 LaTeX 与 Markdown 的记号，全角标点换成半角。"""
    text = re.sub(r"\\(?:mathrm|text)\s*|\\[()\[\],]|[{}*_$]", "", text.replace("\\times", "×"))
    return unicodedata.normalize("NFKC", re.sub(r"(10)([⁰¹²³⁴-⁹]+)", r"\1^\2", text))


def claims_of(sentence: str) -> list[Claim]:
    """一句里的各项。依次看中间、紧跟在后、前面、逗号之后写的高低；“均……”管前面没说的，“分别为”管后面接着的。"""
    claims, start, each = [], 0, None
    for pair in PAIR.finditer(sentence):
        before, after = sentence[start : pair.start()], AFTER.match(sentence, pair.end())
        between, lead = DIRECTION.search(pair["between"]), LEAD.search(before)
        is_listed = re.fullmatch(r"[\s)、,和及与以]*", before)
        each = claim_of(lead) if lead and lead["each"] else each if is_listed else None
        tight = after and not after["all"] and "," not in after["comma"]
        chosen = between or (after if tight else None) or lead or (after if after and not after["all"] else None)
        says = claim_of(chosen) if chosen else each
        if pair["inside"]:
            says = "abnormal" if re.search("[不未没]在$", pair["between"]) else "normal"
        limits = pair["range"] or ("≥" if pair["side"] == "下限" else "≤") + (pair["bound"] or "")
        name, code = name_of(before)
        units = [fold_unit(unit) for unit in (pair["unit"], pair["range_unit"] or pair["bound_unit"]) if unit]
        end = after.end() if after and (tight or chosen is after or after["all"]) else pair.end()
        piece = sentence[max(start, pair.start() - 24) : end].lstrip("),、 ")
        if len(set(units)) < 2:
            claims.append(Claim(name, code, pair["value"], pair["unit"] or "", limits, says, piece))
        if after and after["all"]:
            for earlier in claims:
                earlier.says = earlier.says or claim_of(after)
        start = end
    if re.search(r"异常(?:的)?(?:指标|项目|结果)(?:包括|有|为|是)", sentence):
        for claim in claims:
            claim.says = claim.says or "abnormal"
    return claims


def claim_of(match: re.Match) -> str:
    return next(claim for claim in WORDS if match[claim])


def name_of(before: str) -> tuple[str, str]:
    """数之前的文字 -> （名称，代号）。"""
    text = re.sub(rf"{DIRECTION.pattern}|检测结果|结果|水平|指标|测定|[为是达]\s*|参考范围|该?报告中", " ", before)
    found = re.search(r"([^\s,、:()]+)\s*(?:\(([A-Za-z][\w#%+\-]*)\))?[\s(,]*$", text)
    return (found[1], found[2] or "") if found else ("", "")


class PageText:
    """图上的文字；连着几条标签说同一张图时，图只读一次。"""

    def __init__(self, folder: Path) -> None:
        from health_assistant.lab_report.reading.text import TextReader

        self.folder, self.reader = folder, TextReader()
        self.texts_of = lru_cache(maxsize=1)(self.read)
        self.not_read: list[str] = []

    def missing(self, file_name: str, items: list[PrintedRow]) -> list[Problem]:
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
        from health_assistant.lab_report.reading.page import find_page

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
