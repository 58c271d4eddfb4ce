"""阶段 3 第一步：把医学问答整理成训练数据：清洗、去重、按问题分成训练与验证两份。

python 3-fine-tuning-llm/prepare_train_data.py                    下载 medical-o1 中文，连不上就用自带的
python 3-fine-tuning-llm/prepare_train_data.py --source sample    自带的问答，存为 tiny
python 3-fine-tuning-llm/prepare_train_data.py --source 我的.csv --map question=title+ask,answer=answer
"""

import argparse
import csv
import hashlib
import json
import re
import statistics
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm
from train_data import SPLITS, dialogue, matching_form, write_train_data

from health_assistant import artifacts, hub
from health_assistant.command_line import BadInput, command, new_parser
from health_assistant.evaluation.answers import without_thinking
from health_assistant.training.tiny_models import bundled_text

SOURCES = {
    "medical-o1": {
        "repo": "FreedomIntelligence/medical-o1-reasoning-SFT",
        "file": "medical_o1_sft_Chinese.json",
        # 思维链（Complex_CoT）不用：评测看的是答案，推理过程会把答案冲长好几倍
        "map": "question=Question,answer=Response",
        "license": "Apache-2.0",
    },
    "huatuo26m-lite": {
        "repo": "FreedomIntelligence/Huatuo26M-Lite",
        "file": "format_data.jsonl",
        "license": "Apache-2.0",
    },
    "cmedqa2": {"repo": "github.com/zhangsheng93/cMedQA2", "license": "仅限非商业研究"},
    "sample": {"license": "Apache-2.0"},
}
USUAL_MAP = "question=question,answer=answer"
ALPACA = "，Alpaca 的写法是 --map question=instruction+input,answer=output"
MIN_ANSWER, MAX_CHARS = 10, 2000  # 答案最少、问与答合起来最多多少字
UNKNOWN = {"license": "未知，用前请自己确认"}
INVISIBLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")
CONTROL = re.compile(r"<\|\w+\|>")  # ChatML 一类的控制词元：<|im_end|>、<|image_pad|>、<|endoftext|>……
REASONS = {
    "empty": "问题或答案是空的",
    "only_thought": "只有思考没有回答",
    "thought": "有思考（--think drop）",
    "control_token": "有控制词元（如 <|im_end|>）",
    "garbled": "有乱码（U+FFFD）",
    "too_short": "太短",
    "too_long": "太长",
    "duplicate_pair": "问与答都重复",
    "duplicate_question": "问题重复（留最先的答案）",
}
Record = tuple[str, dict]
Pair = tuple[str, str]


@command
def main() -> int:
    """选项 -> `prepare`；返回退出码：2 是选项或数据不对。"""
    parser = new_parser(__doc__)
    choices = "、".join(SOURCES)
    parser.add_argument("--source", default="medical-o1", help=f"{choices}，或一个文件（默认 medical-o1）")
    parser.add_argument("--file", type=Path, help="来源已经下载好的文件（cmedqa2：解压后的文件夹），给了就不下载")
    parser.add_argument("--map", help="哪一列是什么，如 question=title+ask,answer=answer（+ 把几列接起来）")
    parser.add_argument("--encoding", default="utf-8", choices=("utf-8", "gb18030"), help="文件的编码（默认 utf-8）")
    parser.add_argument("--name", help="存到 train-data 下的哪个名字（默认随来源；sample 是 tiny）")
    parser.add_argument("--val-share", type=float, default=0.1, help="验证集占几成（默认 0.1，最多 1000 条）")
    thinking = "答案里的 <think>…</think>：strip 去掉（默认）、keep 留着一起学、drop 不要这样的对话"
    parser.add_argument("--think", choices=("strip", "keep", "drop"), default="strip", help=thinking)
    parser.add_argument("--force", action="store_true", help="整理过了也重做")
    args = parser.parse_args()
    if not 0 < args.val_share < 1:
        raise BadInput(f"--val-share 要在 0 与 1 之间，不是 {args.val_share}")
    return prepare(args)


def prepare(args: argparse.Namespace) -> int:
    """取数据、清洗、去重、分成训练与验证、写下；返回退出码，命令行或数据不对时抛 BadInput。"""
    files, source = find_files(args.source, args.file)
    known = SOURCES.get(source, UNKNOWN)
    if source == "sample":  # 也可能是下载不了才换成它的：给别的来源写的选项不适用
        args.map, args.encoding = None, "utf-8"
    columns = parse_map(args.map or known.get("map", USUAL_MAP))
    name = args.name or {"sample": "tiny"}.get(source, Path(source).stem)
    if not re.fullmatch(r"[\w-][\w.-]*", name):
        raise BadInput(f"--name {name}：只能用字母、数字、汉字、_、-、.")
    folder = artifacts.train_data_dir(name)
    settings = {key: getattr(args, key) for key in ("encoding", "val_share", "think")}
    settings |= {"min_answer": MIN_ANSWER, "max_chars": MAX_CHARS}
    fingerprint = artifacts.fingerprint({"source": Path(source).name, "columns": columns, **settings}, files)
    if artifacts.is_finished(folder, fingerprint) and not args.force:
        print(f"整理过了，在 {folder}；要重做加 --force。")
        return 0

    read = read_cmedqa2 if source == "cmedqa2" else read_records
    kept, dropped, thoughts = clean(read(files, args.encoding), columns, args)
    if len(kept) < 10:
        raise BadInput(f"{files[0]}：清洗后只剩 {len(kept)} 条（{dropped_words(dropped)}），不够训练")
    train, val = split(kept, args.val_share)

    for name in (artifacts.FINISHED_FILE, "data.json", *SPLITS):  # 写到一半被杀掉，新的训练集不会配上旧的验证集
        (folder / name).unlink(missing_ok=True)
    about = {
        "name": folder.name,
        "source": "bundled-sample" if source == "sample" else Path(source).name,
        "is_sample": source == "sample",
        "repo": known.get("repo"),
        "license": known["license"],
        "columns": columns,
        **settings,
        "dropped": dict(dropped),
        "thoughts": thoughts,
        "source_sha256": {file.name: hub.file_sha256(file) for file in files},
    }
    write_train_data(folder, {SPLITS[0]: map(dialogue, train), SPLITS[1]: map(dialogue, val)}, about)
    artifacts.mark_finished(folder, fingerprint, [folder / name for name in (*SPLITS, "data.json")])
    show(folder, about, train, val)
    return 0


def find_files(source: str, local: Path | None) -> tuple[list[Path], str]:
    """来源的文件与来源的名字；下载不了时换成自带的问答，并且说清楚。要自己下载而没有给的抛 `BadInput`。"""
    if source == "sample":
        return [bundled_text()], source
    if source == "cmedqa2":
        files = [local / name for name in ("question.csv", "answer.csv")] if local else []
        if not files or not all(file.is_file() for file in files):
            raise BadInput(
                f"cmedqa2 不在模型站上：从 {SOURCES[source]['repo']} 下载 question.zip 与 answer.zip，"
                "解压到一个文件夹，用 --file 文件夹 给出（它仅限非商业研究）"
            )
        return files, source
    if local or source not in SOURCES:
        local = local or Path(source)
        if not local.is_file():
            raise BadInput(f"没有这个文件：{local}；--source 可以是 {'、'.join(SOURCES)} 或一个文件")
        return [local], source
    try:
        return [hub.download(SOURCES[source]["repo"], SOURCES[source]["file"])], source
    except hub.HubError as error:
        print(f"!! {error}")
        print("!! 改用自带的问答（两百多条，只够走通流程，训不出好模型），存为 tiny，不是 " + source)
        print(f"!! 也可以把下载好的文件用 --source {source} --file 文件 给出")
        return find_files("sample", None)


def parse_map(text: str) -> dict[str, list[str]]:
    """`question=列名+列名,answer=列名` -> {"question": [列名, …], "answer": […]}；不是这样写的抛 `BadInput`。"""
    columns = {}
    for part in text.split(","):
        field, _, names = part.partition("=")
        columns[field.strip()] = [name.strip() for name in names.split("+")]
    if set(columns) != {"question", "answer"} or not all(map(all, columns.values())):
        raise BadInput(f"--map {text}：要写成 question=列名,answer=列名，几列用 + 接起来")
    return columns


def lines_of(path: Path, encoding: str) -> Iterator[str]:
    """逐行解码，带进度条；哪一行解不了就抛 `BadInput`，说是哪一行。"""
    with open(path, "rb") as file, tqdm(total=path.stat().st_size, unit="B", unit_scale=True, desc=path.name) as bar:
        for number, raw in enumerate(file, 1):
            bar.update(len(raw))
            try:
                yield raw.decode("utf-8-sig" if encoding == "utf-8" and number == 1 else encoding)
            except UnicodeDecodeError:
                other = "gb18030" if encoding == "utf-8" else "utf-8"
                raise BadInput(f"{path}:{number}：不是 {encoding} 编码；试试 --encoding {other}") from None


def read_records(files: list[Path], encoding: str) -> Iterator[Record]:
    """逐条给出（位置，记录）。不用 pandas 或 datasets 读：它们说不出坏的是哪个文件的哪一行。"""
    readers = {".csv": read_csv, ".jsonl": read_json_lines, ".json": read_json}
    for path in files:
        if path.suffix.lower() not in readers:
            raise BadInput(f"{path}：只读 {'、'.join(readers)}")
        yield from readers[path.suffix.lower()](path, encoding)


def read_csv(path: Path, encoding: str) -> Iterator[Record]:
    """逐条给出 CSV 的（文件:行号，记录），第一行是表头；列数不对时抛 BadInput。"""
    table = csv.reader(lines_of(path, encoding), strict=True)
    try:
        header = next(table, [])
        for row in table:
            if len(row) not in (0, len(header)):
                raise BadInput(f"{path}:{table.line_num}：有 {len(row)} 列，表头是 {len(header)} 列")
            if row:
                yield f"{path}:{table.line_num}", dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise BadInput(f"{path}:{table.line_num}：CSV 坏了：{error}") from None


def read_json_lines(path: Path, encoding: str) -> Iterator[Record]:
    """逐条给出 JSONL 的（文件:行号，记录）；不是一个对象时抛 BadInput。"""
    for number, line in enumerate(lines_of(path, encoding), 1):
        if line.strip():
            place = f"{path}:{number}"
            yield place, checked(place, parse(place, line), dict)


def read_json(path: Path, encoding: str) -> Iterator[Record]:
    """.json 是一个数组；有的来源把一行一个对象也叫 .json，那就按行读。"""
    text = "".join(lines_of(path, encoding))
    if text.lstrip().startswith("{"):
        yield from read_json_lines(path, encoding)
        return
    for number, record in enumerate(checked(path, parse(path, text), list), 1):
        yield f"{path} 第 {number} 条", checked(f"{path} 第 {number} 条", record, dict)


def parse(place: str | Path, text: str) -> object:
    """一段 JSON 的内容；不合法时抛 BadInput，place 是它在哪里。"""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{place}：不是合法的 JSON：{error}") from None


def checked(place: str | Path, value: object, kind: type) -> Any:
    """原样返回 kind 类型的 value；不是时抛 BadInput，place 是它在哪里。"""
    if not isinstance(value, kind):
        raise BadInput(f"{place}：要是一个{'对象' if kind is dict else '数组'}，不是 {type(value).__name__}")
    return value


def read_cmedqa2(files: list[Path], encoding: str) -> Iterator[Record]:
    """把问题、答案两张表按 question_id 接起来，逐条给出（位置，{"question", "answer"}）；接不上的抛 `BadInput`。"""
    questions = {}
    for place, record in read_csv(files[0], encoding):
        questions[field_of(record, "question_id", place)] = field_of(record, "content", place)
    for place, record in read_csv(files[1], encoding):
        question = questions.get(field_of(record, "question_id", place))
        if question is None:
            raise BadInput(f"{place}：question_id 在 {files[0].name} 里没有")
        yield place, {"question": question, "answer": field_of(record, "content", place)}


def field_of(record: dict, name: str, place: str) -> str:
    """记录里 name 一列的文字，null 是空串；没有这一列、不是文字的抛 `BadInput`，说在 place。"""
    if name not in record:
        ways = ALPACA if {"instruction", "output"} <= record.keys() else ""
        raise BadInput(f"{place}：没有列 {name}（有 {'、'.join(map(str, record))}）；用 --map 指明{ways}")
    value = record[name]
    if value is not None and not isinstance(value, str):
        raise BadInput(f"{place}：列 {name} 要是文字，不是 {type(value).__name__}")
    return value or ""


def clean_text(text: str) -> str:
    """去掉控制字符与零宽字符，理好空白。

    不做 NFKC：它会把 10⁹/L 变成 109/L，把中文标点换成英文的；只在比较时用它（matching_form）。
    """
    text = re.sub(r"\r\n?|[\v\f\u2028\u2029]", "\n", text)
    text = INVISIBLE.sub("", re.sub(r"[^\S\n]+", " ", text))
    return re.sub(r" ?\n ?", "\n", re.sub(r"\n\s*\n", "\n\n", text)).strip()


def joined(record: dict, names: list[str], place: str, seen: set[str]) -> str:
    """一个字段的几列接起来。头一列必须有，其余的可以没有（Alpaca 的 input）；见过的列名加进 seen。"""
    first, *rest = names
    present = [first, *(name for name in rest if name in record)]
    seen.update(present)
    return clean_text("\n".join(field_of(record, name, place) for name in present))


def clean(
    records: Iterator[Record], columns: dict[str, list[str]], args: argparse.Namespace
) -> tuple[list[Pair], Counter, int]:
    """留下的（问，答）、各种原因丢掉的条数、答案里有思考的条数。一条也没有的列是写错了，抛 BadInput。"""
    kept, dropped, thoughts = [], Counter(dict.fromkeys(REASONS, 0)), 0
    pairs, questions = set(), set()  # 只存摘要：二十万条也只占几十 MB
    seen: set[str] = set()
    for place, record in records:
        question, answer = (joined(record, columns[field], place, seen) for field in ("question", "answer"))
        spoken, thought = without_thinking(answer)
        thoughts += thought
        if args.think == "strip":
            answer = clean_text(spoken)
        ask, reply = matching_form(question), matching_form(answer)
        key, pair = digest(ask), digest(f"{ask}\n{reply}")
        problems = {
            "thought": thought and args.think == "drop",
            "only_thought": thought and not matching_form(spoken),
            "empty": not ask or not reply,
            "garbled": "\ufffd" in question + answer,
            # 多半是几轮对话粘在一起；当控制词元学，模型会自问自答
            "control_token": CONTROL.search(question + answer),
            "too_short": len(answer) < MIN_ANSWER,
            "too_long": len(question) + len(answer) > MAX_CHARS,
            "duplicate_pair": pair in pairs,
            "duplicate_question": key in questions,
        }
        reason = next((reason for reason, holds in problems.items() if holds), None)
        if reason:
            dropped[reason] += 1
            continue
        kept.append((question, answer))
        questions.add(key)
        pairs.add(pair)
    absent = {name for names in columns.values() for name in names} - seen
    if seen and absent:
        raise BadInput(f"--map 里的列 {'、'.join(sorted(absent))}，一条记录也没有；写错了就改，不要它就去掉")
    return kept, dropped, thoughts


def digest(text: str) -> bytes:
    """文字的 16 字节摘要，去重时只记它。"""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def split(pairs: list[Pair], share: float) -> tuple[list[Pair], list[Pair]]:
    """按问题的摘要排名取验证集：与次序和随机数无关；问题已不重复，同一问不会两边都有。"""
    count = min(1000, max(1, round(len(pairs) * share)))
    ranked = sorted(range(len(pairs)), key=lambda at: digest(matching_form(pairs[at][0])))
    chosen = set(ranked[:count])
    return [pair for at, pair in enumerate(pairs) if at not in chosen], [pairs[at] for at in sorted(chosen)]


def dropped_words(dropped: dict[str, int]) -> str:
    """原因 -> 条数，说成一句。"""
    return "，".join(f"{REASONS[reason]} {count}" for reason, count in dropped.items() if count) or "没有丢"


def show(folder: Path, about: dict, train: list[Pair], val: list[Pair]) -> None:
    """打印来源、丢了几条、两份各有几条与多长（字符）。"""
    print(f"来源：{about['source']}（许可：{about['license']}）")
    print(f"丢掉：{dropped_words(about['dropped'])}")
    if about["thoughts"]:
        done = {"strip": "去掉了，只学回答", "keep": "留着，和回答一起学", "drop": "这样的对话不要"}[about["think"]]
        print(f"答案里有思考（<think>）的 {about['thoughts']} 条：{done}；--think 可以换一种")
    print("        条数      问的字数（中位 / 最长）   答的字数（中位 / 最长）")
    for label, part in (("训练", train), ("验证", val)):
        lengths = [[len(question) for question, _ in part], [len(answer) for _, answer in part]]
        sizes = [f"{statistics.median(sides):.0f} / {max(sides)}" for sides in lengths]
        print(f"{label}  {len(part):>8}      {sizes[0]:<22}{sizes[1]}")
    print(f"写好了：{folder}")
    print(f"接着查它与评测题有没有重合：python 3-fine-tuning-llm/check_contamination.py --name {folder.name}")


if __name__ == "__main__":
    sys.exit(main())
