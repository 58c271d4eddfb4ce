"""阶段 4：比较微调前后的两次评测，回答“微调有没有用”。

    python 4-eval-after-tuning/compare.py                          # 微型模型
    python 4-eval-after-tuning/compare.py --recipe qwen2.5-7b-qlora
    python 4-eval-after-tuning/compare.py --judge-api-base https://…/v1 --judge-model 模型名    # 再请裁判两两比

读：artifacts/eval/<配方>/before 与 after，阶段 1 的评测数据。
做：先看两次能不能比（基座、数据、提问方式、生成设置要相同），再逐题成对比较，给出平均差的 95% 区间。
写：artifacts/eval/<配方>/compare/ 里的 compare.md、compare.png、compare.html（每题的两个回答）、compare.json。
"""

import argparse
import sys
from hashlib import sha256
from pathlib import Path

import comparison_report
import paired_difference
import pairwise
from paired_difference import MetricDelta, Run

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, new_parser
from health_assistant.evaluation.answers import describe_endings
from health_assistant.evaluation.evaluate import Question, label, read_questions
from health_assistant.evaluation.judge import add_judge_options, find_judge

LAYOUT = 2  # 报告的写法变了就加一，比较过的会重写


@command
def main() -> int:
    """两次评测 -> 比较的报告；返回退出码：2 是缺一次、两次不能比。"""
    args = parse_arguments()

    # 1. 两次评测，能不能比
    folders = [artifacts.evaluation_dir(args.recipe, when, args.limit) for when in ("before", "after")]
    before, after, questions = read_runs(args, folders)

    # 2. 比较过的不再比
    target = artifacts.evaluation_dir(args.recipe, "compare", args.limit)
    names = ("scores.json", "predictions.jsonl", "safety.jsonl")  # 没有问安全题的，没有最后一个
    inputs = [folder / name for folder in folders for name in names if (folder / name).exists()]
    judge = find_judge(args.recipe, args)
    asked_by = [judge.model, pairwise.PROMPT_VERSION] if judge else None
    fingerprint = artifacts.fingerprint({"questions": len(questions), "layout": LAYOUT, "judge": asked_by}, inputs)
    if artifacts.is_finished(target, fingerprint) and not args.force:
        print(f"这两次评测比较过了，结果在 {target}；要重新比加 --force。")
        return 0

    # 3. 请裁判两两比（说了才请），逐题成对比较
    judged = None
    if judge:
        dialogues = {question.id: question.messages for question in questions}
        judged = pairwise.judge_pairs(judge, before.rows, after.rows, dialogues)
        pairwise.add_scores(judged, before, after)
    changes = paired_difference.compare(before, after)

    # 4. 说出来，写下来
    show(before, after, changes, judged)
    files = comparison_report.write_reports(target, before, after, changes, questions)
    (target / "pairwise.json").unlink(missing_ok=True)  # 上次请的，与这一份报告不是一回事
    if judged:
        artifacts.write_json(target / "pairwise.json", judged)
    if judged and judged["invalid"]:
        print(f"! 有 {judged['invalid']} 题裁判的结论无效；再运行一次只重问这些题。", file=sys.stderr)
    else:
        artifacts.mark_finished(target, fingerprint, files)
    print(f"报告：{target / 'compare.html'}（同一目录有 Markdown 和图）")
    return 0


def parse_arguments() -> argparse.Namespace:
    """命令行的选项；写错时抛 BadInput。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="tiny", help="配方的名字（默认 tiny）")
    data = artifacts.eval_data_dir() / "cmb-clin.jsonl"
    parser.add_argument("--data", type=Path, default=data, help="两次评测用的数据")
    parser.add_argument("--force", action="store_true", help="比较过的也重新比")
    parser.add_argument("--limit", type=int, help="比较只评了前几题的两次（评测时的 --limit）")
    add_judge_options(parser)
    return parser.parse_args()


def read_runs(args: argparse.Namespace, folders: list[Path]) -> tuple[Run, Run, list[Question]]:
    """微调前、后的评测与它们的题；没有、不能比抛 `BadInput`。"""
    config = f" --config 配方 {args.recipe} 的 yaml" if args.recipe != "tiny" else ""
    config += f" --limit {args.limit}" if args.limit else ""
    scripts = ("2-eval-before-tuning/eval_before.py", "4-eval-after-tuning/eval_after.py")
    before, after = (
        paired_difference.load_run(folder, script + config) for folder, script in zip(folders, scripts, strict=True)
    )
    paired_difference.check_comparable(before, after)
    questions = [question for question in read_questions(args.data) if question.id in before.rows]
    if sha256(args.data.read_bytes()).hexdigest() != before.scores["data_sha256"]:
        raise BadInput(f"{args.data} 不是这两次评测用的数据。用 --data 指明")
    return before, after, questions


def show(before: Run, after: Run, changes: list[MetricDelta], judged: dict | None) -> None:
    """打印各指标的变化与结论；judged 是成对评审的结果，没有请是 None。"""
    print(f"比较 {before.scores['model']} 与 {after.scores['model']}：n = {len(before.rows)} 与 {len(after.rows)}")
    for when, evaluation in [("之前", before), ("之后", after)]:
        print(f"  {when}：{describe_endings(evaluation.scores)}")
    for row in comparison_report.table(changes):
        name, _, _, old, new, gap, span, record, _, verdict = row
        print(f"  {old:>6} → {new:>6}  {gap:>6}  [{span}]  {record:>9}  {name} {verdict}")
    if judged:
        print(pairwise.describe(judged))
    print(*comparison_report.headline(changes), sep="\n")
    report = comparison_report.safety_report(before, after, changes)
    print(f"{'! ' * report.costs}{report.message}")
    if label(before.scores):
        print(label(before.scores))


if __name__ == "__main__":
    sys.exit(main())
