"""阶段 5：上线前的关卡——服务里的，是不是训练出来的。

python 5-build-server/verify_deployment.py                                       # 只核对阶段 3 微型配方的文件
python 5-build-server/verify_deployment.py --base-url http://127.0.0.1:8001/v1   # 再核对服务
python 5-build-server/verify_deployment.py --kind vl --base-url http://127.0.0.1:8001/v1
"""

import argparse
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

from served_model import Checkpoint, ModelClient, Trained

from health_assistant import artifacts
from health_assistant.addresses import is_this_machine
from health_assistant.command_line import BadInput, command, new_parser
from health_assistant.images import encoded
from health_assistant.lab_report.vl_protocol import data_url, read_messages
from health_assistant.training.merging import compare_logits

CONVERSATIONS = [
    [{"role": "user", "content": "我最近头痛，血压150/95mmHg，要去医院吗？"}],
    [{"role": "system", "content": "你是一名医生，用一句话回答。"}, {"role": "user", "content": "发烧38.5℃怎么办？"}],
    [
        {"role": "user", "content": "孩子咳嗽三天了。"},
        {"role": "assistant", "content": "有没有发烧？"},
        {"role": "user", "content": "没有，夜里重一些。"},
    ],
    [{"role": "user", "content": "白细胞 3.2×10⁹/L（3.5～9.5）↓\n\tCRP<0.5 mg/L；αβ-μ？ “引号” {'a': 1} 🙂  "}],
]
PAGES = [("analyser_slip", 1), ("half_sheet", 2)]
SIZES = [(100, 100), (300, 120), (800, 600), (1080, 1920), (2448, 3264), (3000, 700)]
MARKS = {True: "✓", False: "✗", None: "—"}


class Check(NamedTuple):
    """核对的一项与它的结论。"""

    name: str
    passed: bool | None
    """None 是没有核对。"""
    detail: str


@command
def main() -> int:
    """各项核对印成表；返回退出码：1 是有一项不一致，2 是没有训练、合并过。"""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--recipe", default="tiny", help="训练的配方名（默认 tiny）")
    add("--kind", choices=["llm", "vl"], default="llm", help="llm 是阶段 3 的（默认），vl 是阶段 6 的")
    add("--base-url", help="服务的地址，到 /v1 为止；不写就只核对文件")
    add("--model", help="服务上的模型名（默认 /v1/models 里的第一个）")
    add(
        "--api-key",
        default=os.environ.get("MODEL_SERVER_API_KEY", "none"),
        help="服务的密钥；也可以放环境变量 MODEL_SERVER_API_KEY",
    )
    add("--max-tokens", type=int, default=48, help="每题比多少个词元（默认 48）")
    add("--recall", action="store_true", help="不核对，只看上次通过以后有没有变：退出码 0 没有变，1 要核对")
    args = parser.parse_args()
    folder = (artifacts.llm_dir if args.kind == "llm" else artifacts.vl_dir)(args.recipe)
    if args.recall:
        unchanged = artifacts.is_finished(folder / "verified", fingerprint(folder))
        print(f"核对过了，什么也没有变，结果在 {folder / 'verified'}。" if unchanged else f"{folder} 要核对。")
        return 0 if unchanged else 1

    trained = find_training(args.kind, folder)
    print(f"核对 {trained.merged}，基座 {trained.base}", flush=True)
    checks = verify(trained, args)
    table = ["| 检查 | 结果 | 比了什么 |", "|---|---|---|"]
    table += [f"| {check.name} | {MARKS[check.passed]} | {check.detail} |" for check in checks]
    print("\n" + "\n".join(table))
    failed = [check.name for check in checks if check.passed is False]
    print(f"\n✗ 不要上线：{'、'.join(failed)}。" if failed else "\n✓ 核对过的都一致。")
    if not failed and args.base_url and is_this_machine(args.base_url):
        report = folder / "verified" / "report.md"
        artifacts.write_text(report, "\n".join(table) + "\n")
        artifacts.mark_finished(report.parent, fingerprint(folder), [report])
    return 1 if failed else 0


def fingerprint(folder: Path) -> str:
    """核对的是什么：adapter 与合并好的文件，课程的代码，算它的几个包的版本。"""
    from importlib.metadata import version

    versions = {name: version(name) for name in ("torch", "transformers", "peft", "tokenizers", "safetensors")}
    code = [*artifacts.ROOT.glob("health_assistant/**/*.py"), *artifacts.ROOT.glob("5-build-server/**/*.py")]
    models = [path for part in ("adapter", "merged") for path in (folder / part).glob("*") if path.is_file()]
    return artifacts.fingerprint(versions, sorted(code + models))


def verify(trained: Trained, args: argparse.Namespace) -> list[Check]:
    """文件的检查，写了 --base-url 的再加服务的。"""
    merge, merged = check_merge(trained)
    checks = [merge, check_tokens(trained, "合并后的文件", merged_tokenizer(trained))]
    if trained.max_pixels:
        checks.append(check_resize_settings(trained))
    if not args.base_url:
        return [*checks, Check("服务", None, "没有写 --base-url，只核对了文件")]
    server = ModelClient(args.base_url, args.api_key, args.model)
    print(f"与 {args.base_url} 上的 {server.model}", flush=True)
    checks.append(check_tokens(trained, "服务", server.tokenize))
    if trained.max_pixels:
        checks.append(check_image_tokens(trained, server))
    return [*checks, check_answers(trained, merged, server, args.max_tokens)]


def find_training(kind: str, folder: Path) -> Trained:
    """阶段 3、6 的产物目录 -> 训练留下的；缺什么、得不到基座时抛 BadInput，说先运行什么。"""
    from health_assistant.training import loading, run

    stage = "3-fine-tuning-llm" if kind == "llm" else "6-fine-tuning-vl"
    record = run.read_training(folder, f"{stage}/train_{kind}.py")
    if not (folder / "merged").exists():
        raise BadInput(f"{folder} 里没有合并好的模型：先运行 {stage}/merge_{kind}.py")
    base = loading.find_model(record["base_model"], vision=kind == "vl")
    return Trained(folder, base, record["recipe"].get("max_pixels"))


def questions(trained: Trained) -> list[list[dict] | bytes]:
    """问什么：对话；看图的模型是现画的化验单（PNG）。"""
    if not trained.max_pixels:
        return list(CONVERSATIONS)
    from health_assistant.lab_report.rendering import render

    return [encoded(render(layout, seed=seed).image) for layout, seed in PAGES]


# ---- 文件 ----


def check_merge(trained: Trained) -> tuple[Check, Checkpoint]:
    """同一个提问的 logits：合并好的要与“基座 + adapter”一样，与基座不一样。另返回装好的合并后的模型，下面还要用。"""
    inputs = trained.inputs(questions(trained)[0])
    tuned = Checkpoint(trained, merged=False)
    of_adapter = tuned.logits(inputs)
    with tuned.model.disable_adapter():
        of_base = tuned.logits(inputs)
    del tuned  # 14B 的一份 16 位要 30 GB 内存，先放掉
    merged = Checkpoint(trained, merged=True)
    of_merged = merged.logits(inputs)
    agrees, compared = compare_logits(of_merged, of_base, of_adapter, merged.dtype)
    return Check("合并 = 基座 + LoRA", agrees, compared), merged


def check_tokens(trained: Trained, where: str, tokenize: Callable[[list[dict]], list[int]]) -> Check:
    """训练存下的分词器与模板，对照合并后的或服务上的（tokenize：消息 -> 词元）。"""
    from jinja2 import TemplateError

    from health_assistant.training.sft import encode_prompt

    different, total = [], 0
    for number, messages in enumerate(CONVERSATIONS, 1):
        expected = encode_prompt(messages, trained.tokenizer)
        total += len(expected)
        try:
            actual = tokenize(messages)
        except (ValueError, TemplateError) as error:
            different.append(f"第 {number} 段渲染不了：{error}")
            continue
        if actual != expected:
            different.append(f"第 {number} 段不同：{first_difference(expected, actual, trained.tokenizer)}")
    detail = join(f"{len(CONVERSATIONS)} 段对话，{total} 个词元", different)
    return Check(f"模板与分词：训练 ↔ {where}", not different, detail)


def merged_tokenizer(trained: Trained) -> Callable[[list[dict]], list[int]]:
    """合并后的文件里的分词器与模板：消息 -> 词元。"""
    from transformers import AutoTokenizer

    from health_assistant.training.sft import encode_prompt

    return partial(encode_prompt, tokenizer=AutoTokenizer.from_pretrained(trained.merged))


def check_resize_settings(trained: Trained) -> Check:
    """合并后的文件写着一页最少、最多多少像素，要与训练时一样：没有服务也看得出。"""
    from health_assistant.training.vision import MIN_PIXELS, load_image_processor

    expected = {"shortest_edge": MIN_PIXELS, "longest_edge": trained.max_pixels}
    size = dict(load_image_processor(trained.merged).size)
    detail = f"一页最少、最多的像素：训练 {expected['shortest_edge']}、{expected['longest_edge']}"
    detail += f"，合并后的文件 {size['shortest_edge']}、{size['longest_edge']}"
    return Check("图的缩放：训练 ↔ 合并后的文件", size == expected, detail)


def first_difference(expected: list[int], actual: list[int], tokenizer) -> str:
    """两串词元从哪里起不同，各是什么字。"""
    start = len(os.path.commonprefix([expected, actual]))
    ours, theirs = (tokenizer.decode(ids[start : start + 6]) for ids in (expected, actual))
    return f"从第 {start + 1} 个词元起，训练 {ours!r}，这里 {theirs!r}"


def join(compared: str, different: list[str]) -> str:
    """比了什么，加上第一处不同；竖线会断开表格。"""
    shown = [compared, *different[:1]] + ([f"不同的共 {len(different)} 处"] if len(different) > 1 else [])
    return "；".join(shown).replace("|", "\\|")


# ---- 服务 ----


def check_image_tokens(trained: Trained, server: ModelClient) -> Check:
    """各种大小的白纸：提问的词元数要与训练时一样，也就是图缩得一样大。"""
    from PIL import Image

    from health_assistant.lab_report.vl_protocol import READ_PROMPT
    from health_assistant.training.sft import encode_prompt
    from health_assistant.training.vision import image_tokens, question

    different, counts = [], []
    for width, height in SIZES:
        tokens = image_tokens((width, height), trained.max_pixels)
        expected = len(encode_prompt(question(READ_PROMPT), trained.tokenizer, tokens))
        _, actual = server.answer(as_messages(encoded(Image.new("RGB", (width, height), "white"))), 1)
        counts.append(f"{width}×{height} {tokens}")
        if actual != expected:
            different.append(f"{width}×{height} 的提问该有 {expected} 个词元，服务数到 {actual}")
    return Check("图的词元数：训练 ↔ 服务", not different, join("、".join(counts), different))


def check_answers(trained: Trained, merged: Checkpoint, server: ModelClient, max_tokens: int) -> Check:
    """同样的题，本地合并好的与服务各贪心地答，各最多 max_tokens 个词元。

    32 位要一字不差。16 位在不同的程序里舍入不同，几乎一样可能的两个词元会选到另一个：一半的题一字不差就算。
    """
    different, all_questions = [], questions(trained)
    for number, question in enumerate(all_questions, 1):
        expected = merged.answer(trained.inputs(question), max_tokens)
        actual, _ = server.answer(as_messages(question), max_tokens)
        if actual != expected:
            different.append(f"第 {number} 题检查点答 {expected[:20]!r}，服务答 {actual[:20]!r}")
    same = len(all_questions) - len(different)
    needed = len(all_questions) if merged.dtype == "float32" else len(all_questions) / 2
    detail = f"{len(all_questions)} 题，各最多 {max_tokens} 个词元，{same} 题一字不差"
    return Check("贪心的回答：检查点 ↔ 服务", same >= needed, join(detail, different))


def as_messages(question: list[dict] | bytes) -> list[dict]:
    """发给服务的消息；一页化验单配上读它的提示词。"""
    return read_messages(data_url(question, "image/png")) if isinstance(question, bytes) else question


if __name__ == "__main__":
    sys.exit(main())
