"""医院单子的各种难处（paper_kinds.yaml），每一种画许多张来读，一种一行：读到、读对、未判断的行，无声的错与它的上限。

    export PYTHONPATH=tests
    python tests/benchmarks/reading_kinds.py --pages 300          # 文字框：只难在分行分列与写法的，一页 0.1 秒
    python tests/benchmarks/reading_kinds.py --pixels --pages 3   # 像素：真的画、真的认，一页 2 到 4 秒
    python tests/benchmarks/reading_kinds.py --pixels --kinds arrow_alone,tight_decimals

文字框的行多，上限靠它：各段字排好就当作认出来了，不画也不认。像素的是抽样，而箭头、小数点、脚注号、深底只有它算数。
列的次序、行距、字体、字距、糊、淡、位置都随种子变。上限是单侧 95% 的 Clopper-Pearson，3000 行没有错时是 0.1%。
退出码 1：无声的错多于 0.1%。
"""

import argparse
import sys
from functools import partial

from lab_report.paper_kinds import KINDS, WORDED, read_laid, score_drawn

from health_assistant.lab_report.reading.reader import ReportReader
from health_assistant.lab_report.scoring import ReportScore, score_report

FIRST_SEED = 9000
"""调规则时用过的种子在它以下。"""
MOST_SILENT = 0.001


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pixels", action="store_true", help="真的画、真的认")
    parser.add_argument("--pages", type=int, default=10, help="每一种几张（默认 10）")
    parser.add_argument("--seed", type=int, default=FIRST_SEED)
    parser.add_argument("--kinds", help="只要这几种，逗号隔开；不写就是全部")
    args = parser.parse_args()
    kinds = args.kinds.split(",") if args.kinds else KINDS if args.pixels else WORDED
    score_page = partial(score_drawn, ReportReader()) if args.pixels else _score_boxes

    total = ReportScore()
    for kind in kinds:
        score = sum((score_page(kind, args.seed + at) for at in range(args.pages)), ReportScore())
        total += score
        print(f"{kind:24}{score}", *(f"    无声的错：{one}" for one in score.silent_errors), sep="\n", flush=True)
    print(f"{'合计':24}{total}")
    return int(len(total.silent_errors) > MOST_SILENT * total.decided)


def _score_boxes(kind: str, seed: int) -> ReportScore:
    return score_report(*read_laid(kind, seed))


if __name__ == "__main__":
    sys.exit(main())
