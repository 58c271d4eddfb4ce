"""阶段 3 第二步：训练数据里有没有评测的病例与答案（字符 n 元组重合）。有就失败，--drop 把它们去掉。

查过、没有的，在 data.json 里记一笔；没有这一笔，train_llm.py 会说。

python 3-fine-tuning-llm/check_contamination.py --name medical-o1 [--drop]
"""

import json
import sys
from collections import Counter, defaultdict
from pathlib import Path

from tqdm import tqdm
from train_data import SPLITS, matching_form, read_rows, write_train_data

from health_assistant import artifacts, hub
from health_assistant.command_line import BadInput, command, fail, new_parser
from health_assistant.evaluation.evaluate import read_questions

SHOWN = 20


@command
def main() -> int:
    """数重合的对话；返回退出码：1 是多于容许的，2 是没有数据、选项不对。"""
    parser = new_parser(__doc__)
    parser.add_argument("--name", default="tiny", help="查 train-data 下的哪一份（默认 tiny）")
    parser.add_argument("--n", type=int, default=13, help="连续多少字相同算重合，标点与全半角不计（默认 13）")
    parser.add_argument("--limit", type=int, default=0, help="容许多少条重合（默认 0）")
    parser.add_argument("--drop", action="store_true", help="把重合的从训练数据里去掉")
    args = parser.parse_args()
    if args.n < 4:
        raise BadInput(f"--n 至少是 4，不是 {args.n}")

    # 1. 两份数据
    folder, eval_file = artifacts.train_data_dir(args.name), artifacts.eval_data_dir() / "cmb-clin.jsonl"
    if not (folder / "data.json").is_file():
        raise BadInput(f"没有 {folder / 'data.json'}：先运行 python 3-fine-tuning-llm/prepare_train_data.py")

    texts = eval_texts(eval_file)
    splits = {name: read_rows(folder / name) for name in SPLITS}

    # 2. 逐条比对
    index, hits = index_of(texts, args.n), {}
    total = sum(map(len, splits.values()))
    with tqdm(total=total, desc="比对", unit="条") as bar:
        for name, rows in splits.items():
            for number, row in enumerate(rows, 1):
                hit = overlap([matching_form(message["content"]) for message in row["messages"]], index, args.n)
                if hit:
                    hits[name, number] = hit
                bar.update()

    # 3. 说出来；去掉它们，或记下查过了
    print(f"{folder.name} 的 {total} 条对 {eval_file.name} 的 {len(texts)} 段：连续 {args.n} 字相同的有 {len(hits)} 条")
    about = eval_file.with_name("data.json")
    if about.is_file() and json.loads(about.read_text(encoding="utf-8")).get("is_sample"):
        print("!! 评测数据是自带的样例：没有与 CMB-Clin 比过")
    show(hits, texts)
    if len(hits) > args.limit and not args.drop:
        return fail(f"多于容许的 {args.limit} 条。去掉它们：加 --drop", 1)
    checked = {"n": args.n, "eval_sha256": hub.file_sha256(eval_file)}
    if args.drop:
        drop(folder, splits, hits, checked)
    else:
        data = json.loads((folder / "data.json").read_text(encoding="utf-8"))
        artifacts.write_json(folder / "data.json", data | {"contamination_check": checked})
    return 0


def eval_texts(path: Path) -> list[tuple[str, str]]:
    """评测的每段文字只留一次：（出处，用来比较的写法）。病例在每一问里都重复出现。"""
    sources: dict[str, str] = {}
    for question in read_questions(path):
        for message in [*question.messages, {"role": "assistant", "content": question.reference}]:
            role = "参考答案" if message["role"] == "assistant" else "病例与提问"
            sources.setdefault(matching_form(message["content"]), f"{question.id} {role}")
    return [(source, text) for text, source in sources.items()]


def index_of(texts: list[tuple[str, str]], n: int) -> dict[str, list[int]]:
    """每个 n 元组出现在哪几段里。"""
    index = defaultdict(list)
    for number, (_, text) in enumerate(texts):
        for at in range(len(text) - n + 1):
            index[text[at : at + n]].append(number)
    return dict(index)


def overlap(texts: list[str], index: dict[str, list[int]], n: int) -> tuple[int, str, float] | None:
    """一条的几段文字与哪一段评测重合最多：（第几段，最长的相同一段，几成的字相同）；没有连续 n 字相同的是 None。"""
    # 每条里从每个字起的 n 个字，在哪几段评测文字里也有
    shared = [[index.get(text[at : at + n], ()) for at in range(len(text) - n + 1)] for text in texts]
    counts = Counter(number for places in shared for numbers in places for number in set(numbers))
    if not counts:
        return None
    best = counts.most_common(1)[0][0]
    covered, longest = 0, ""
    for text, places in zip(texts, shared, strict=True):
        start = end = 0
        for at, numbers in enumerate(places):
            if best in numbers:
                if at == 0 or best not in places[at - 1]:
                    start = at
                covered += at + n - max(end, at)
                end = at + n
                longest = max(longest, text[start:end], key=len)
    return best, longest, covered / sum(map(len, texts))


def show(hits: dict[tuple[str, int], tuple[int, str, float]], texts: list[tuple[str, str]]) -> None:
    """重合多的在前。"""
    if not hits:
        return
    print("  占这条  相同字数  训练数据 ← 评测：相同的一段（不计标点）")
    ranked = sorted(hits.items(), key=lambda hit: -hit[1][2])
    for (name, number), (at, span, share) in ranked[:SHOWN]:
        cut = span if len(span) <= 40 else span[:40] + "…"
        print(f"  {share:>6.1%}  {len(span):>8}  {name}:{number} ← {texts[at][0]}：{cut}")
    if len(ranked) > SHOWN:
        print(f"  … 还有 {len(ranked) - SHOWN} 条")


def drop(folder: Path, splits: dict[str, list[dict]], hits: dict, check: dict) -> None:
    """写去掉 hits 之后的数据；去空了抛 `BadInput`。丢掉的条数由 data.json 的行数算出，被杀掉后重跑照样对。"""
    kept = {
        name: [row for number, row in enumerate(rows, 1) if (name, number) not in hits] for name, rows in splits.items()
    }
    if not all(kept.values()):
        raise BadInput(f"{folder.name} 去掉重合的以后训练集或验证集就空了，没有写；换一份数据")
    about = json.loads((folder / "data.json").read_text(encoding="utf-8"))
    gone = sum(about["rows"].values()) - sum(map(len, kept.values()))
    about["dropped"]["contaminated"] = about["dropped"].get("contaminated", 0) + gone
    write_train_data(folder, kept, about | {"contamination_check": check})
    print(f"✓ 去掉了 {gone} 条，余下训练 {len(kept[SPLITS[0]])}、验证 {len(kept[SPLITS[1]])} 条")


if __name__ == "__main__":
    sys.exit(main())
