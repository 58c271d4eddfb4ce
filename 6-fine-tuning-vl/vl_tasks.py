"""一张化验单出几道题：抄成 JSON（主要的）、哪些异常、某一项是多少、看不清。答案全部由代码从真值写出。"""

import hashlib
import json
import random
from collections import Counter
from pathlib import Path
from statistics import median

from health_assistant.artifacts import atomic_path, read_jsonl
from health_assistant.command_line import BadInput
from health_assistant.lab_report.interval import Interval
from health_assistant.lab_report.reference_range import parse_result
from health_assistant.lab_report.report import ABNORMAL_FLAGS, FLAG_WORDS, Flag, PrintedRow, Reading, ReadReport
from health_assistant.lab_report.scoring import TrueItem
from health_assistant.lab_report.vl_protocol import READ_PROMPT, UNREADABLE_ANSWER
from health_assistant.training.vision import open_page

ABNORMAL_PROMPT = "这张化验单上哪些项目的结果超出了参考范围？用一句话回答。"
QUESTION_PROMPT = "这张化验单上“{}”的结果是多少？"
NOT_ON_PAGE = ("甲胎蛋白", "游离三碘甲状腺原氨酸", "尿微量白蛋白", "降钙素原")


def read_pages(folder: Path) -> list[dict]:
    """metadata.jsonl 的各行，report 与 boxes 已解开，image 是图的位置。坏的一行抛 `BadInput`，点明哪个文件、哪一行。"""
    file = folder / "metadata.jsonl"
    if not file.is_file():
        raise BadInput(f"没有数据 {file}：先运行 python 6-fine-tuning-vl/render_reports.py（或 import_reports.py）")

    def page(row: dict) -> dict:
        row["report"] = ReadReport.model_validate_json(row["report"])
        row["boxes"] = json.loads(row.get("boxes") or "null") or [{}] * len(row["report"].items)
        row["flags"] = row.get("flags") or [None] * len(row["report"].items)
        row["image"] = folder / row["file_name"]
        if not row["image"].is_file() or not len(row["flags"]) == len(row["report"].items) == len(row["boxes"]):
            raise ValueError("图不在，或 flags、boxes 与项目数不同")
        return row

    return read_jsonl(file, page)


def files_of(data: Path, pages: dict[str, list[dict]]) -> list[Path]:
    """各部分的清单与每一张图：换了其中一个，就要重新训练。"""
    return [
        *(data / split / "metadata.jsonl" for split in pages),
        *(page["image"] for part in pages.values() for page in part),
    ]


def read_dataset(folder: Path) -> list[dict]:
    """评测用的各页，同 `read_pages`，另有逐行真值 truth；印着的时间、医院、标本看懂了的在 origin。"""
    pages = read_pages(folder)
    for page in pages:
        marked = zip(page["report"].items, page["flags"], strict=True)
        page["truth"] = [TrueItem(**item.model_dump(), flag=_directed(item, flag)) for item, flag in marked]
        page["origin"] = Reading.model_validate(page["report"].model_dump()).origin
    return pages


def _directed(item: PrintedRow, flag: Flag | None) -> Flag | None:
    """定性的结果没有高低，只有异常。"""
    is_number = isinstance(parse_result(item.result), Interval)
    return "abnormal" if flag in ("high", "low") and not is_number else flag


def text_height(page: dict) -> float | None:
    """这一页的数字多高（像素，各项的中位数；单独一横不算）；不知道框时为 None。"""
    pairs = zip(page["report"].items, page["boxes"], strict=True)
    boxes = [box["result"] for item, box in pairs if "result" in box and any(map(str.isdigit, item.result))]
    boxes = boxes or [box["name"] for box in page["boxes"] if "name" in box]
    return median(box[3] - box[1] for box in boxes) if boxes else None


def make_tasks(pages: list[dict], abnormal_share: float, question_share: float) -> list[dict]:
    """各页的题：{"image", "prompt", "answer", "text_height"}。抽哪些题由图的名字与标签决定，不随次序变。"""
    tasks = []
    for page in pages:
        chance = random.Random(hashlib.sha256(f"{page['file_name']}{page['report']}".encode()).digest())
        questions = [(READ_PROMPT, page["report"].model_dump_json())]
        if chance.random() < abnormal_share:
            questions.append((ABNORMAL_PROMPT, abnormal_sentence(page["report"].items, page["flags"])))
        if chance.random() < question_share:
            questions.append(one_question(page["report"].items, chance))
        for prompt, answer in questions:
            about = {"image": page["image"], "text_height": text_height(page)}
            tasks.append(about | {"prompt": prompt, "answer": answer})
    return tasks


def abnormal_sentence(items: list[PrintedRow], flags: list[str | None]) -> str:
    """高低来自真值里代码算出的 flags，句子照格式拼：没有一个字是模型写的。"""
    pairs = list(zip(items, flags, strict=True))
    named = [f"{item.name} {item.result}（{FLAG_WORDS[flag]}）" for item, flag in pairs if flag in ABNORMAL_FLAGS]
    unknown = "，".join(item.name for item, flag in pairs if flag in (None, "unknown"))
    rest = f"{unknown}没有可比的参考范围。" if unknown else ""
    return (f"超出参考范围的有：{'、'.join(named)}。" if named else "没有发现超出参考范围的项目。") + rest


def one_question(items: list[PrintedRow], chance: random.Random) -> tuple[str, str]:
    """问一项；四次里有一次问纸上没有的，答没有。"""
    names = {item.name for item in items}
    absent = [name for name in NOT_ON_PAGE if name not in names]
    if chance.random() < 0.25 and absent:
        name = chance.choice(absent)
        return QUESTION_PROMPT.format(name), f"这张化验单上没有{name}。"
    times = Counter(item.name for item in items)
    item = chance.choice([item for item in items if times[item.name] == 1] or items[:1])
    limits = f"，参考范围 {item.reference_range}" if item.reference_range else ""
    return QUESTION_PROMPT.format(item.name), f"{item.name} {item.result} {item.unit}".strip() + limits + "。"


def make_unreadable(pages: list[dict], share: float, folder: Path) -> list[dict]:
    """均匀挑出 share 这么多页，破坏到谁也读不出，存在 folder；答案是固定的一句话。不知道字高的页不挑。"""
    import numpy as np

    from health_assistant.lab_report.rendering import BEYOND_LIMITS

    known, names, tasks = [page for page in pages if text_height(page)], list(BEYOND_LIMITS), []
    count = round(len(known) * share)
    for number in range(count):
        page, ruin = known[number * len(known) // count], names[number % len(names)]
        target = folder / f"{page['image'].stem}-{ruin}.jpg"
        if not target.exists() or target.stat().st_mtime < page["image"].stat().st_mtime:
            chance = np.random.default_rng(number)
            ruined, _ = BEYOND_LIMITS[ruin](open_page(page["image"]), chance, text_height(page))
            with atomic_path(target) as partial:
                ruined.save(partial, "JPEG", quality=90)
        tasks.append({"image": target, "prompt": READ_PROMPT, "answer": UNREADABLE_ANSWER, "text_height": None})
    return tasks
