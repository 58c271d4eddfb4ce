"""阶段 5：上线前的关卡——服务里的，是不是训练出来的。

python 5-build-server/verify_deployment.py                                       # 只核对阶段 3 微型配方的文件
python 5-build-server/verify_deployment.py --base-url http://127.0.0.1:8001/v1   # 再核对服务
python 5-build-server/verify_deployment.py --kind vl --base-url http://127.0.0.1:8001/v1
"""

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

import merged_weights
from served_model import Checkpoint, ModelClient, page_message, png

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, new_parser

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
    name: str
    passed: bool | None
    """None 是没有核对。"""
    detail: str


@dataclass
class Trained:
    """一次训练留下的：目录、基座、图的像素预算（语言模型没有）。"""

    folder: Path
    base: Path
    max_pixels: int | None

    @property
    def adapter(self) -> Path:
        return self.folder / "adapter"

    @property
    def merged(self) -> Path:
        return self.folder / "merged"

    @cached_property
    def tokenizer(self):
        """训练时存下的分词器，带对话模板。"""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.adapter)


@command
def main() -> int:
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
    add("--max-tokens", type=int, default=48, help="每题比多少个标记（默认 48）")
    args = parser.parse_args()
    trained = find_training(args.kind, args.recipe)
    print(f"核对 {trained.merged}，基座 {trained.base}", flush=True)
    checks = [*check_weights(trained), check_tokens(trained, "合并后的文件", merged_tokenizer(trained))]
    if trained.max_pixels:
        checks.append(check_resize_settings(trained))
    if args.base_url:
        server = ModelClient(args.base_url, args.api_key, args.model)
        print(f"与 {args.base_url} 上的 {server.model}", flush=True)
        checks.append(check_tokens(trained, "服务", server.tokenize))
        if trained.max_pixels:
            checks.append(check_image_tokens(trained, server))
        checks.append(check_answers(trained, server, args.max_tokens))
    else:
        checks.append(Check("服务", None, "没有写 --base-url，只核对了文件"))
    print("\n| 检查 | 结果 | 比了什么 |\n|---|---|---|")
    for name, passed, detail in checks:
        print(f"| {name} | {MARKS[passed]} | {detail} |")
    failed = [check.name for check in checks if check.passed is False]
    print(f"\n✗ 不要上线：{'、'.join(failed)}。" if failed else "\n✓ 核对过的都一致。")
    return 1 if failed else 0


def find_training(kind: str, recipe: str) -> Trained:
    from health_assistant.training import loading

    folder = (artifacts.llm_dir if kind == "llm" else artifacts.vl_dir)(recipe)
    stage = "3-fine-tuning-llm" if kind == "llm" else "6-fine-tuning-vl"
    for part, script in (("training.json", "train"), ("adapter", "train"), ("merged", "merge")):
        if not (folder / part).exists():
            raise BadInput(f"{folder} 里没有 {part}：先运行 {stage}/{script}_{kind}.py")
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    try:
        base = loading.find_model(record["base_model"], vision=kind == "vl")
    except OSError as error:
        raise BadInput(str(error)) from None
    return Trained(folder, base, record["recipe"].get("max_pixels"))


# ---- 文件 ----


def check_weights(trained: Trained) -> Iterator[Check]:
    found = merged_weights.compare(trained.base, trained.adapter, trained.merged)
    counted = f"{found.tensors} 个张量，LoRA 该改 {found.lora} 个"
    counted += f"，整个换掉 {found.replaced} 个" if found.replaced else ""
    wrong = []
    if found.unchanged:
        wrong.append(f"{len(found.unchanged)} 个没有改（如 {found.unchanged[0]}）")
    if found.touched:
        wrong.append(f"{len(found.touched)} 个不该变的变了（如 {found.touched[0]}）")
    yield Check("合并改了该改的，没改别的", not wrong and found.lora > 0, "；".join([counted, *wrong]))
    distance, tensor = found.worst
    detail = f"改动与 adapter 算出的相差最多 {distance:.1e}（{tensor}）"
    detail += f"；{len(found.wrong)} 个超出容许" if found.wrong else ""
    yield Check("合并 = 基座 + LoRA", not found.wrong, detail)


def check_tokens(trained: Trained, where: str, tokenize: Callable[[list[dict]], list[int]]) -> Check:
    """训练存下的分词器与模板，对照合并后的或服务上的。"""
    from jinja2 import TemplateError

    from health_assistant.training.sft import encode_prompt

    different, total = [], 0
    for at, messages in enumerate(CONVERSATIONS, 1):
        expected = encode_prompt(messages, trained.tokenizer)
        total += len(expected)
        try:
            found = tokenize(messages)
        except (ValueError, TemplateError) as error:
            different.append(f"第 {at} 段渲染不了：{error}")
            continue
        if found != expected:
            different.append(f"第 {at} 段不同：{first_difference(expected, found, trained.tokenizer)}")
    detail = join(f"{len(CONVERSATIONS)} 段对话，{total} 个标记", different)
    return Check(f"模板与分词：训练 ↔ {where}", not different, detail)


def merged_tokenizer(trained: Trained) -> Callable[[list[dict]], list[int]]:
    from transformers import AutoTokenizer

    from health_assistant.training.sft import encode_prompt

    return partial(encode_prompt, tokenizer=AutoTokenizer.from_pretrained(trained.merged))


def first_difference(expected: list[int], found: list[int], tokenizer) -> str:
    at = len(os.path.commonprefix([expected, found]))
    ours, theirs = (tokenizer.decode(ids[at : at + 6]) for ids in (expected, found))
    return f"从第 {at + 1} 个标记起，训练 {ours!r}，这里 {theirs!r}"


def join(compared: str, different: list[str]) -> str:
    """比了什么，加上第一处不同；竖线会断开表格。"""
    shown = [compared, *different[:1]] + ([f"不同的共 {len(different)} 处"] if len(different) > 1 else [])
    return "；".join(shown).replace("|", "\\|")


def check_resize_settings(trained: Trained) -> Check:
    from health_assistant.training.vision import MIN_PIXELS, load_image_processor

    expected = {"shortest_edge": MIN_PIXELS, "longest_edge": trained.max_pixels}
    size = dict(load_image_processor(trained.merged).size)
    detail = f"一页最少、最多的像素：训练 {expected['shortest_edge']}、{expected['longest_edge']}"
    detail += f"，合并后的文件 {size['shortest_edge']}、{size['longest_edge']}"
    return Check("图的缩放：训练 ↔ 合并后的文件", size == expected, detail)


# ---- 服务 ----


def check_image_tokens(trained: Trained, server: ModelClient) -> Check:
    """各种大小的白纸：提问的标记数要与训练时一样，也就是图缩得一样大。"""
    from PIL import Image

    from health_assistant.lab_report.report import READ_PROMPT
    from health_assistant.training.sft import encode_prompt
    from health_assistant.training.vision import image_tokens, question

    different, counts = [], []
    for width, height in SIZES:
        tokens = image_tokens((width, height), trained.max_pixels)
        expected = len(encode_prompt(question(READ_PROMPT), trained.tokenizer, tokens))
        _, found = server.answer(page_message(png(Image.new("RGB", (width, height), "white"))), 1)
        counts.append(f"{width}×{height} {tokens}")
        if found != expected:
            different.append(f"{width}×{height} 的提问该有 {expected} 个标记，服务数到 {found}")
    return Check("图的标记数：训练 ↔ 服务", not different, join("、".join(counts), different))


def check_answers(trained: Trained, server: ModelClient, max_tokens: int) -> Check:
    """同样的题，本地的检查点与服务各贪心地答。"""
    local = Checkpoint(trained.merged, trained.adapter, trained.base, trained.max_pixels)
    if trained.max_pixels:
        from health_assistant.lab_report.rendering import render

        pages = [png(render(layout, seed=seed).image) for layout, seed in PAGES]
        questions = [(page_message(page), local.page_inputs(page)) for page in pages]
    else:
        questions = [(messages, local.inputs(messages)) for messages in CONVERSATIONS]
    same, ties, different = 0, 0, []
    for at, (messages, inputs) in enumerate(questions, 1):
        expected = local.answer(inputs, max_tokens)
        found, _ = server.answer(messages, max_tokens)
        if found == expected.text:
            same += 1
        elif local.nearly_tied(expected, found):
            ties += 1
        else:
            different.append(f"第 {at} 题检查点答 {expected.text[:20]!r}，服务答 {found[:20]!r}")
    detail = f"{len(questions)} 题，各最多 {max_tokens} 个标记，{same} 题一字不差"
    detail += f"，{ties} 题在两个标记几乎一样可能的地方分岔" if ties else ""
    return Check("贪心的回答：检查点 ↔ 服务", not different, join(detail, different))


if __name__ == "__main__":
    sys.exit(main())
