"""阶段 6：视觉模型读化验单读得怎样，逐字段打分；微调前、微调后、内置引擎并排。

    python 6-fine-tuning-vl/eval_vl.py                                             # 微型模型，三个读者
    python 6-fine-tuning-vl/eval_vl.py --dataset ../shared/data/reports --reader embedded
    python 6-fine-tuning-vl/eval_vl.py --reader endpoint --api-base http://127.0.0.1:8001/v1 --model qwen2-vl-7b-lora
    python 6-fine-tuning-vl/eval_vl.py --dataset medrepbench --reader embedded --rival qwen3-vl=模型名@http://127.0.0.1:8001/v1

读：图与真值（render_reports.py、import_reports.py 写的，或下载好的 MedRepBench），配方的基座与 merged，OpenAI 接口。
做：每页问一次 READ_PROMPT，贪心解码；回答先严格、再宽松地读成 JSON，由代码判断高低，与真值逐行对照。
写：artifacts/vl/<配方>/eval/<数据>/ 的 compare.json、.png、.html，各读者目录里的 predictions.jsonl、scores.json。
"""

import argparse
import re
import shutil
import sys
from collections import Counter
from pathlib import Path

from vl_compare import READERS, draw, page_html, table
from vl_medrepbench import is_medrepbench, official_score, read_medrepbench
from vl_paddleocr import TABLE_PROMPT, is_paddleocr_vl, report_answer
from vl_tasks import make_unreadable, read_dataset

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, fail, new_parser
from health_assistant.evaluation.endpoint import endpoint_task
from health_assistant.evaluation.targets import Target, listing, shown
from health_assistant.lab_report.assessment import assess
from health_assistant.lab_report.person import person_of
from health_assistant.lab_report.scoring import ReportScore, score_report
from health_assistant.lab_report.vl_protocol import READ_PROMPT, parse_answer
from health_assistant.recipe_files import read_recipe
from health_assistant.training.recipe import VisionRecipe

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/tiny.yaml"


@command
def main() -> int:
    """选项 -> `run`；返回退出码：2 是选项、数据或接口不对。"""
    parser = new_parser(__doc__)
    add = parser.add_argument
    add("--config", type=Path, default=DEFAULT_CONFIG, help="训练配方：基座、像素预算、数据都照它（默认 tiny）")
    usual = ["before", "after", "embedded"]
    add("--reader", nargs="+", choices=READERS, default=usual, help=f"比哪几个（默认 {' '.join(usual)}）")
    add("--grpo", default="tiny-grpo", help="--reader grpo 是 train_vl_grpo.py 的哪个配方（默认 tiny-grpo）")
    add("--rival", nargs="+", default=[], help="同一张表里的对手：名字=模型名@接口，或 名字=本地目录")
    add("--dataset", type=Path, help="图与真值的文件夹（默认配方那份数据的 test），或下载好的 MedRepBench")
    add("--limit", type=int, default=0, help="只量前几页（默认全部）")
    add("--unreadable", type=float, default=0.2, help="另把这么大比例的页破坏到读不出（默认 0.2；真实照片不做）")
    add("--api-base", help="--reader endpoint 的 OpenAI 兼容接口；密钥放环境变量 OPENAI_API_KEY")
    add("--model", help="before、after 之外的本地目录，或接口里的模型名")
    add("--batch-size", type=int, default=16, help="本地模型一批几页，或同时问接口几页（默认 16）")
    add("--force", action="store_true", help="问过的也重问")
    args = parser.parse_args()
    try:
        return run(args)
    except (ValueError, OSError) as error:
        return fail(error)


def run(args: argparse.Namespace) -> int:
    """请各读者读测试集，写下读数、得分与报告；返回退出码，选项不对时抛 BadInput。"""
    # 1. 配方、读者、数据
    recipe = read_recipe(VisionRecipe, args)
    args.rivals = dict(read_rival(text) for text in args.rival)
    if ("endpoint" in args.reader) != bool(args.api_base) or (args.api_base and not args.model):
        raise BadInput("--reader endpoint、--api-base、--model 要一起给")
    source = args.dataset or artifacts.vl_dataset_dir(recipe.dataset_name) / "test"
    public = is_medrepbench(source)
    pages = (read_public if public else read_dataset)(source)[: args.limit or None]
    label = source.resolve().name if args.dataset else "test"
    folder = artifacts.vl_dir(recipe.run_name) / "eval" / label
    ruined = make_unreadable(pages, args.unreadable, folder / "unreadable")
    images = [page["image"].resolve() for page in pages + ruined]

    # 2. 每个读者读一遍，打分
    reads, scores = {}, {}
    for name in dict.fromkeys([*args.reader, *args.rivals]):
        target = make_reader(name, recipe, args, images, pages)
        print(f"{READERS.get(name, name)}（{target.name}）：{len(pages)} 页，另有 {len(ruined)} 页读不出的 …")
        answers = ask(target, images, folder / name, args.force)
        if not answers:
            return fail(f"一页也没有答上来，原因在 {folder / name}/evalscope/logs/eval_log.log", 1)
        about = {"reader": READERS.get(name, name), "model": target.name}
        reads[name], scores[name] = score_reader(about, answers, pages, images, folder / name, public)

    # 3. 并排
    tiny = recipe.model_name_or_path == "tiny" and not args.model and {"before", "after", "grpo"} & {*args.reader}
    note = "微调前后的是微型模型，只用来走通全过程，不代表真实水平" if tiny else ""
    summary = {
        "recipe": recipe.run_name,
        "dataset": label,
        "pages": len(pages),
        "unreadable_pages": len(ruined),
        "note": note,
        "readers": scores,
    }
    write_comparison(folder, summary, pages, reads)
    return 0


def score_reader(
    about: dict, answers: dict[str, str], pages: list[dict], images: list[Path], folder: Path, public: bool
) -> tuple[list[dict], dict]:
    """一个读者的回答（第几页 -> 回答）打分，写下 predictions.jsonl 与 scores.json；返回各页读到的、得分。"""
    said = [answers.get(str(at), "") for at in range(len(images))]
    reads, scores = score_all(pages, said)
    scores |= about | {"not_answered": len(images) - len(answers)}
    if public:
        items_read = [page["report"].items if page["report"] else [] for page in reads]
        scores["official"] = official_score(items_read, pages)
    rows = [{"image": image.name, "answer": answer} for image, answer in zip(images, said, strict=True)]
    artifacts.write_jsonl(folder / "predictions.jsonl", rows)
    artifacts.write_json(folder / "scores.json", scores)
    return reads, scores


def write_comparison(folder: Path, summary: dict, pages: list[dict], reads: dict[str, list[dict]]) -> None:
    """几个读者并排：写 compare.json、.png、.html，打印表。"""
    from health_assistant.plotting import save_png

    artifacts.write_json(folder / "compare.json", summary)
    save_png(draw(summary), folder / "compare.png")
    artifacts.write_text(folder / "compare.html", page_html(summary, pages, reads))
    print("\n".join(table(summary)), *filter(None, [summary["note"]]), sep="\n")
    print(f"写了：{folder} 的 compare.json、compare.png、compare.html")


def read_public(folder: Path) -> list[dict]:
    """下载好的 MedRepBench 的各页；没有量的各有几张，说出来。"""
    pages, skipped = read_medrepbench(folder)
    print(f"MedRepBench（CC BY-NC 4.0，只用来评测）：{len(pages)} 张化验单；没有量的：{dict(skipped) or '没有'}")
    return pages


def ask(target: Target, images: list[Path], folder: Path, again: bool) -> dict[str, str]:
    """每页问 target 一次：第几页 -> 回答，没有答上来的不在里面。问过的存在 folder，不再问，除非 again。"""
    from vl_benchmark import NAME, SUBSET

    from health_assistant.evaluation import benchmark

    if again:
        shutil.rmtree(folder / "evalscope", ignore_errors=True)
    in_tables = is_paddleocr_vl(target.name)
    prompt = {"prompt": TABLE_PROMPT} if in_tables else {}
    questions = folder / "pages.jsonl"
    artifacts.write_jsonl(questions, [{"id": str(at), "image": str(image)} | prompt for at, image in enumerate(images)])
    fingerprint = artifacts.fingerprint([READ_PROMPT, target.identity], [questions, *images])
    answers = benchmark.ask(questions, folder / "evalscope", fingerprint, target.task(), NAME, SUBSET)
    said = {page: answer.get("prediction", "") for page, answer in answers.items()}
    return {page: report_answer(text) for page, text in said.items()} if in_tables else said


def read_rival(text: str) -> tuple[str, tuple[str, str]]:
    """--rival 的一个 -> （名字，（模型名或本地目录，接口；没有接口是空串））；写法不对抛 `BadInput`。"""
    parts = re.fullmatch(r"([^=]+)=(.+?)(?:@(https?://\S+))?", text)
    if not parts or parts[1] in READERS:
        raise BadInput(
            f"--rival 写成 名字=模型名@http://…/v1 或 名字=本地目录，名字不能是 {'、'.join(READERS)}：{text}"
        )
    return artifacts.folder_name(parts[1]), (parts[2], parts[3] or "")


def make_reader(name: str, recipe: VisionRecipe, args, images: list[Path], pages: list[dict]) -> Target:
    """一个读者；没有训练、合并好的抛 `BadInput`，说先运行什么。"""
    # 没学会停的模型会一直写：回答最多这么多词元。最长的真值有几个字就给几个，绰绰有余
    most = max([256, *(len(page["report"].model_dump_json()) for page in pages)])
    if name == "embedded":
        from vl_benchmark import EmbeddedReader

        return Target("embedded-report-reader", name, lambda: {"model": EmbeddedReader(), "eval_batch_size": 1})
    given, api_base = args.rivals.get(name, (args.model, args.api_base if name == "endpoint" else ""))
    if api_base:
        task = endpoint_task(api_base, given, most, args.batch_size)
        return Target(given, [api_base, given, most], lambda: task)

    from vl_benchmark import LocalVisionModel

    from health_assistant.training.loading import find_model

    if given:
        model = Path(given)
    else:
        tuned = {"after": recipe.run_name, "grpo": args.grpo}
        merged = artifacts.vl_dir(tuned.get(name, "")) / "merged"
        model = merged if name in tuned else find_model(recipe.model_name_or_path, True)
    if not (model / "config.json").is_file():
        train = "train_vl_grpo.py" if name == "grpo" else f"train_vl.py --config {args.config}"
        script = f"python 6-fine-tuning-vl/{train}，再运行 merge_vl.py --recipe {model.parent.name}"
        raise BadInput(f"没有模型 {model}：先运行 {script}")

    def local_task() -> dict:
        reader = LocalVisionModel(model, [*map(str, images)], args.batch_size, most, recipe.max_pixels)
        return {"model": reader, "eval_batch_size": args.batch_size}

    return Target(shown(model), [listing(model), most, recipe.max_pixels, args.batch_size], local_task)


def score_all(pages: list[dict], answers: list[str]) -> tuple[list[dict], dict]:
    """各页读到的；各页的得分之和，按版式与破坏分开的，回答读成 JSON 的几种情形，和读不出的页答看不清的有几页。"""
    reads, total = [], ReportScore()
    parts: dict[str, dict[str, ReportScore]] = {"layout": {}, "degradation": {}}
    for page, answer in zip(pages, answers, strict=False):
        said = parse_answer(answer)
        report = assess(said.report) if said.report else None
        true = page["report"]
        score = score_report(report, page["truth"], true.report_type or None, page.get("origin"), person_of(true))
        total += score
        for group, scores in parts.items():
            scores[page[group]] = scores.get(page[group], ReportScore()) + score
        reads.append({"how": said.how, "report": report, "answer": answer, "score": score})
    by_group = {}
    for group, scores in parts.items():
        by_group[f"by_{group}"] = {name: score.as_dict() for name, score in scores.items()}
    how = Counter(read["how"] for read in reads)
    refused = [parse_answer(answer).how for answer in answers[len(pages) :]]
    return reads, {
        "answers": {name: how[name] for name in ("strict", "lenient", "unreadable", "failed")},
        "refused_unreadable": refused.count("unreadable"),
        "total": total.as_dict(),
        "silent_errors": total.silent_errors[:20],
        **by_group,
    }


if __name__ == "__main__":
    sys.exit(main())
