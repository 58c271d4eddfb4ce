"""读化验单的考卷：每种版式 × 每种破坏画几张，读出来，逐行对照真值。

    python tests/benchmarks/reading.py                    # 约 5000 行，2 核半小时
    python tests/benchmarks/reading.py --pages 1 --layouts classic --degradations clean,photo

测试版式（HELD_OUT_LAYOUTS）由写规则以外的人画，调规则时不看；两组分开报告。
“超出范围”的破坏应当拒读或说没有把握，只看有没有无声的错。
退出码 1：限度以内没有达到 F1 0.97、无声的错 0.2%、没有判断的 5%。
"""

import argparse
import json
import multiprocessing
import os
import sys
from collections import defaultdict
from pathlib import Path

from tqdm import tqdm

from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.rendering import BEYOND_LIMITS, DEGRADATIONS, HELD_OUT_LAYOUTS, LAYOUTS, render
from health_assistant.lab_report.report import UnreadableReport
from health_assistant.lab_report.scoring import ReportScore, TrueItem, score_report

FIRST_SEED = 7000
"""调规则时用过的种子在它以下。"""
LIMITS = {"abnormal_f1": 0.97, "silent_error_rate": 0.002, "not_judged_share": 0.05}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, default=1, help="每种版式 × 每种破坏几张（默认 1）")
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--layouts", default=",".join([*LAYOUTS, *HELD_OUT_LAYOUTS]))
    parser.add_argument("--degradations", default=",".join([*DEGRADATIONS, *BEYOND_LIMITS]))
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="把各种率写到这个文件")
    args = parser.parse_args()
    seeds = range(args.seed, args.seed + args.pages)
    layouts, degradations = args.layouts.split(","), args.degradations.split(",")
    pages = [(layout, name, seed) for layout in layouts for name in degradations for seed in seeds]

    scores: dict[tuple[str, str], ReportScore] = defaultdict(ReportScore)
    # 一个进程一个读者；spawn，因为 onnxruntime 的线程池不能跨过 fork
    with multiprocessing.get_context("spawn").Pool(args.workers, _start_reader) as pool:
        for (layout, name, seed), score in tqdm(pool.imap_unordered(_read_page, pages), total=len(pages), unit="页"):
            scores[layout, name] += score
            for error in score.silent_errors:
                tqdm.write(f"无声的错：{layout} {name} {seed} {error}")

    groups = {
        "练习版式": {key: one for key, one in scores.items() if key[0] in LAYOUTS and key[1] in DEGRADATIONS},
        "测试版式": {key: one for key, one in scores.items() if key[0] in HELD_OUT_LAYOUTS and key[1] in DEGRADATIONS},
        "超出范围": {key: one for key, one in scores.items() if key[1] in BEYOND_LIMITS},
    }
    for title, cells in groups.items():
        if cells:
            print(f"\n== {title}：每格是读对的行 / 全部行，括号里是没有判断的 ==")
            _print_grid(cells)
            print(f"合计  {_total(cells)}")
    if args.json:
        totals = {title: _total(cells).as_dict() for title, cells in groups.items() if cells}
        args.json.write_text(json.dumps(totals, ensure_ascii=False, indent=1), encoding="utf-8")
    return _verdict({title: _total(cells) for title, cells in groups.items() if cells and title != "超出范围"})


def _start_reader() -> None:
    global _reader
    os.sched_setaffinity(0, {multiprocessing.current_process()._identity[0] % os.cpu_count()})
    _reader = ReportReader(threads=1)


def _read_page(page: tuple[str, str, int]) -> tuple[tuple[str, str, int], ReportScore]:
    rendered = render(page[0], page[1], page[2])
    truth = [
        TrueItem(**item.model_dump(), flag=flag)
        for item, flag in zip(rendered.report.items, rendered.flags, strict=True)
    ]
    try:
        reading = _reader.read(rendered.image)
    except UnreadableReport:
        read = None
    else:
        read = assess(reading)
    return page, score_report(read, truth, rendered.report.report_type, person=person_of(rendered.report))


def _total(cells: dict[tuple[str, str], ReportScore]) -> ReportScore:
    return sum(cells.values(), ReportScore())


def _print_grid(cells: dict[tuple[str, str], ReportScore]) -> None:
    columns = list(dict.fromkeys(name for _, name in sorted(cells)))
    for layout in dict.fromkeys(layout for layout, _ in sorted(cells)):
        row = [cells[layout, name] for name in columns if (layout, name) in cells]
        print(f"{layout:18}", *(f"{_brief(one):>13}" for one in row), f"| {_brief(sum(row, ReportScore()))}")
    print(f"{'':18}", *(f"{name[:13]:>13}" for name in columns))


def _brief(score: ReportScore) -> str:
    wrong = f"!{len(score.silent_errors)}" if score.silent_errors else ""
    return f"{score.result_right}/{score.rows}({score.undecided + score.refused}){wrong}"


def _verdict(totals: dict[str, ReportScore]) -> int:
    status = 0
    for title, score in totals.items():
        rates = score.rates()
        print(f"\n{title}：{score.rows} 行")
        for name, limit in LIMITS.items():
            passed = rates[name] >= limit if name == "abnormal_f1" else rates[name] <= limit
            status |= not passed
            print(f"  {'✓' if passed else '✗'} {name} {rates[name]:.4f}（界限 {limit}）")
        for name in ("silent_error_bound", "item_recall", "item_precision", "result_recall", "unit_recall",
                     "range_recall", "false_abnormal_rate", "critical_miss_rate"):  # fmt: skip
            print(f"    {name} {rates[name]:.4f}")
    return int(status)


if __name__ == "__main__":
    sys.exit(main())
