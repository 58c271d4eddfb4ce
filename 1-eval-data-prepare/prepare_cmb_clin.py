"""阶段 1：CMB-Clin 的病例 -> 评测数据。

    python 1-eval-data-prepare/prepare_cmb_clin.py                           # 从模型站下载，没有网就用内置的示例
    python 1-eval-data-prepare/prepare_cmb_clin.py --file CMB-Clin-qa.json   # 用下载好的文件

进来的是病例与问答，出去的是一问一行的对话：第 k 问看得到前面各问的参考答案（标准历史），答案另放。
"""

import json
import statistics
import sys
from collections import Counter
from pathlib import Path

from health_assistant import artifacts, hub
from health_assistant.command_line import command, new_parser
from health_assistant.evaluation.cases import SAMPLE_FILE, Case, question_rows, read_cases

REPO, FILE = "FreedomIntelligence/CMB", "CMB-Clin/CMB-Clin-qa.json"
SHA256 = "35cefc7cd46af080ebbd662e0b8e4babd4803205a5f0bec038acf4cdf33021af"
SOURCE, SAMPLE = "CMB-Clin", "bundled-sample"
SAMPLE_LABEL = "内置示例，不是 CMB-Clin"
FORMAT_VERSION = 1  # 输出的格式变了就加一，旧的产物会重做


@command
def main() -> int:
    """病例 -> artifacts/eval-data/ 的评测题；返回退出码：2 是文件读不了、不合格式。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, help="CMB-Clin-qa.json，或同样格式的文件；不给就从模型站下载")
    parser.add_argument("--force", action="store_true", help="做好了也重做")
    args = parser.parse_args()

    folder = artifacts.eval_data_dir()
    path = args.file or from_hub()
    kept = None if path else prepared_before(folder)
    if kept:
        print(f"沿用上次准备好的 {kept}。要改用内置示例：--file {SAMPLE_FILE}")
        return 0
    path = path or SAMPLE_FILE

    cases, notes = read_cases(path)
    source = source_of(path)
    print_label(source)
    fingerprint = artifacts.fingerprint({"format": FORMAT_VERSION, "source": source}, [path])
    if artifacts.is_finished(folder, fingerprint) and not args.force:
        print(f"做好了，在 {folder}；要重做加 --force。")
        return 0

    report = statistics_report(cases, notes, source)
    print(report)
    write_all(folder, fingerprint, cases, source, report)
    print(f"写了 {sum(len(case.pairs) for case in cases)} 问，在 {folder}")
    print_label(source)
    return 0


# ---- 从哪里来 ----


def from_hub() -> Path | None:
    """模型站上的 CMB-Clin；拿不到时说清原因，返回 None。"""
    print(f"从模型站取 {REPO} …", flush=True)
    try:
        return hub.download(REPO, FILE, SHA256)
    except (hub.HubError, OSError) as error:
        print(f"! {error}；或用 --file 指定它。", file=sys.stderr)
        return None


def source_of(path: Path) -> str:
    """按内容认来源，不看文件名：官方的、内置的、别的。"""
    known = {SHA256: SOURCE, hub.file_sha256(SAMPLE_FILE): SAMPLE}
    return known.get(hub.file_sha256(path), f"file:{path.name}")


def prepared_before(folder: Path) -> str | None:
    """上次用真数据做好的还在，就不让断网时的示例盖掉它；返回它的来源。"""
    try:
        data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        record = json.loads((folder / artifacts.FINISHED_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    complete = artifacts.is_finished(folder, record["fingerprint"])
    return data["source"] if complete and not data["is_sample"] else None


def print_label(source: str) -> None:
    """数据不是官方的 CMB-Clin（source 说的另一种），打印一句醒目的话。"""
    if source == SAMPLE:
        print(f"!!!!!! {SAMPLE_LABEL}：用它看流程，分数不能与 CMB-Clin 的相比 !!!!!!", flush=True)
    elif source != SOURCE:
        print(f"! {source} 与官方的 CMB-Clin 内容不同，分数不能与 CMB-Clin 的相比。", flush=True)


# ---- 官方的形式 ----


def questions_of(case: Case) -> list[dict]:
    """一个病例的各问；第一问带着病历。"""
    (first, answer), *others = case.pairs
    opening = f"以下是一位病人的病例：\n{case.description}\n{first}"
    return question_rows(case.id, [(case.title, *pair) for pair in [(opening, answer), *others]])


def write_all(folder: Path, fingerprint: str, cases: list[Case], source: str, report: str) -> None:
    """先撤下“做好了”的记号，最后才放上：中途被杀，下一次从头做，结果一样。"""
    (folder / artifacts.FINISHED_FILE).unlink(missing_ok=True)
    for leftover in folder.rglob(".*.partial"):  # 上次被杀时写了一半的
        leftover.unlink()
    rows = [row for case in cases for row in questions_of(case)]
    files = [folder / name for name in ("cmb-clin.jsonl", "statistics.md", "statistics.png", "data.json")]
    artifacts.write_jsonl(files[0], rows)
    artifacts.write_text(files[1], report)
    draw(cases, source, files[2])
    data = {"source": source, "is_sample": source == SAMPLE, "cases": len(cases), "questions": len(rows)}
    artifacts.write_json(files[3], data | {"sha256": hub.file_sha256(files[0])})
    artifacts.mark_finished(folder, fingerprint, files)


# ---- 统计 ----


def lengths(cases: list[Case]) -> dict[str, list[int]]:
    """各样文字的长度，字符。"""
    rows = [row for case in cases for row in questions_of(case)]
    return {
        "病例描述": [len(case.description) for case in cases],
        "问题": [len(question) for case in cases for question, _ in case.pairs],
        "参考答案": [len(row["reference"]) for row in rows],
        "发给模型的全文": [sum(len(message["content"]) for message in row["messages"]) for row in rows],
    }


def name_of(source: str) -> str:
    """source 给人看的名字。"""
    return SAMPLE_LABEL if source == SAMPLE else source


def statistics_report(cases: list[Case], notes: list[str], source: str) -> str:
    """病例与清洗的话 -> 统计的 Markdown，长度都按字符。"""
    counts = Counter(len(case.pairs) for case in cases)
    per_case = "，".join(f"{count} 问的 {counts[count]} 例" for count in sorted(counts))
    lines = [
        f"# 评测数据的统计（{name_of(source)}）",
        "",
        f"{len(cases)} 个病例，{sum(len(case.pairs) for case in cases)} 个问题：{per_case}。",
        *(f"清洗：{note}。" for note in notes),
        "",
        f"| {'长度（字符）':　<7} |   最少 |   中位 |   平均 |   最多 |",
        f"|{'-' * 16}|-------:|-------:|-------:|-------:|",
    ]
    for name, values in lengths(cases).items():
        numbers = (min(values), statistics.median(values), statistics.mean(values), max(values))
        lines.append(f"| {name:　<7} |" + "|".join(f" {number:6.0f} " for number in numbers) + "|")
    return "\n".join(lines) + "\n"


def draw(cases: list[Case], source: str, path: Path) -> None:
    """每例几问、各样文字多长（字符），画成四格的 PNG 存在 path。"""
    from health_assistant.plotting import new_figure, save_png

    figure, axes = new_figure(10, 6.5, rows=2, columns=2)
    questions = sum(len(case.pairs) for case in cases)
    figure.suptitle(f"{name_of(source)}：{len(cases)} 个病例，{questions} 个问题")
    counts = Counter(len(case.pairs) for case in cases)
    bars = axes[0].bar([str(count) for count in sorted(counts)], [counts[count] for count in sorted(counts)])
    axes[0].bar_label(bars)
    axes[0].margins(y=0.15)
    axes[0].set(title="每例的问题数", xlabel="问题", ylabel="病例")
    of_all = lengths(cases)
    for axis, name, unit in zip(axes[1:], ("病例描述", "问题", "参考答案"), ("病例", "问题", "问题"), strict=True):
        values = of_all[name]
        axis.hist(values, bins=20)
        middle = statistics.median(values)
        axis.axvline(middle, color="tab:red", linestyle="--", label=f"中位 {middle:.0f}")
        axis.yaxis.get_major_locator().set_params(integer=True)
        axis.legend()
        axis.set(title=f"{name}的长度", xlabel="字符", ylabel=unit)
    save_png(figure, path)


if __name__ == "__main__":
    sys.exit(main())
