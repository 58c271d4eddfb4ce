"""阶段 6 第一步：画一套化验单作训练数据。标签就是画的时候印上去的内容，所以一字不差。

    python 6-fine-tuning-vl/render_reports.py                                                   # 微型，几秒
    python 6-fine-tuning-vl/render_reports.py --config 6-fine-tuning-vl/configs/dataset-full.yaml

读：一份 YAML 配方（多少张、哪些版式与项目、异常率、怎样破坏、长边多少像素）。
写：artifacts/vl/dataset/<配方>/ 的 train、val、test（HF imagefolder：图与 metadata.jsonl）、
    样张 contact-sheet.png、说明 README.md。
同样的配方画出同样的字节；中断了再运行一次就接着画。
"""

import fcntl
import json
import math
import multiprocessing
import os
import shutil
import sys
import time
from collections import Counter
from importlib import resources
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt
from tqdm import tqdm

from health_assistant import artifacts, templates
from health_assistant.checked_yaml import Entry, read_yaml
from health_assistant.command_line import BadInput, command, fail, new_parser

TINY = Path(__file__).parent / "configs" / "dataset-tiny.yaml"
CARD = Path(__file__).with_name("data_card.md.jinja")
SPLITS = ("train", "val", "test")
SHEET_COLUMNS = 4  # 样张一行几张
TOKEN_SIDE = 28  # Qwen2-VL 的一个图像词元是 28×28 像素
Names = tuple[str, ...]


class Sizes(Entry):
    """训练、验证、测试各画几张。"""

    train: PositiveInt
    val: PositiveInt
    test: PositiveInt


class DatasetRecipe(Entry):
    """一套数据的配方；layouts、panels 空着就是全部，fonts 空着由版式定。"""

    size: Sizes
    layouts: Names = ()
    test_layouts: Names | None = None  # 整种留给测试的版式；不写是渲染器的 HELD_OUT_LAYOUTS，[] 是不留
    panels: Names = ()  # 报告种类，见 health_assistant/lab_report/rendering/panels.yaml 的 kinds
    items: tuple[PositiveInt, PositiveInt] | None = None  # 每张几项；不写由版式定
    abnormal_rate: Annotated[float, Field(ge=0, le=1)] = 0.25
    degradations: dict[str, Annotated[float, Field(gt=0)]] = {"clean": 1.0}  # 破坏 -> 权重
    fonts: Names = ()
    crop: Literal["page", "rows"] = "page"  # rows：只留项目行，页眉页脚裁掉
    longest_side: Annotated[int, Field(ge=TOKEN_SIDE)] = 1600
    seed: Annotated[int, Field(ge=0)] = 0


@command
def main() -> int:
    """配方 -> 画好的化验单与真值；返回退出码：2 是配方不对。"""
    parser = new_parser(__doc__)
    parser.add_argument("--config", type=Path, default=TINY, help="配方（默认 configs/dataset-tiny.yaml）")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="同时画的进程数（默认等于核数）")
    parser.add_argument("--force", action="store_true", help="画完了也重画")
    args = parser.parse_args()
    recipe = read_recipe(args.config)
    folder = artifacts.vl_dataset_dir(args.config.stem.removeprefix("dataset-"))
    folder.parent.mkdir(parents=True, exist_ok=True)
    with open(folder.parent / f".{folder.name}.lock", "w") as lock:
        # 子进程也拿着这把锁：上一次被 kill -9 时还没画完手上那张的，等它们画完
        fcntl.flock(lock, fcntl.LOCK_EX)
        return build(recipe, folder, max(1, args.processes), args.force)


def read_recipe(path: Path) -> DatasetRecipe:
    """画图的配方，没有写的版式填上默认的；有不认识的版式、字体、破坏的抛 `BadYaml`。"""
    from health_assistant.lab_report.rendering import DEGRADATIONS, FONTS, HELD_OUT_LAYOUTS, LAYOUTS
    from health_assistant.lab_report.rendering.sampling import settings

    recipe = read_yaml(DatasetRecipe, path)
    layouts = LAYOUTS | HELD_OUT_LAYOUTS
    held_out = tuple(HELD_OUT_LAYOUTS) if recipe.test_layouts is None else recipe.test_layouts
    seen = recipe.layouts or tuple(name for name in LAYOUTS if name not in held_out)
    recipe = recipe.model_copy(update={"layouts": seen, "test_layouts": held_out})
    known = {"layouts": layouts, "test_layouts": layouts, "panels": settings()["kinds"], "degradations": DEGRADATIONS,
             "fonts": FONTS}  # fmt: skip
    for key, choices in known.items():
        strange = [name for name in getattr(recipe, key) if name not in choices]
        if strange:
            raise BadInput(f"{path.name}：{key} 里没有“{strange[0]}”这一种；可用的有：{'、'.join(choices)}")
    both = set(seen) & set(held_out)
    if both:
        raise BadInput(f"{path.name}：layouts 与 test_layouts 里都有 {'、'.join(sorted(both))}，测试时就见过了")
    if recipe.items and recipe.items[0] > recipe.items[1]:
        raise BadInput(f"{path.name}：items 要写成 [最少, 最多]，写的是 {list(recipe.items)}")
    for name in (*seen, *held_out):
        if not kinds_for(recipe, layouts[name].style):
            raise BadInput(f"{path.name}：版式 {name} 印不了 panels 里的 {'、'.join(recipe.panels)}，请加上别的")
    return recipe


def kinds_for(recipe: DatasetRecipe, style) -> Names:
    """这种版式能印的报告种类里，配方要的那些。"""
    return tuple(kind for kind in style.usable_kinds if not recipe.panels or kind in recipe.panels)


def build(recipe: DatasetRecipe, folder: Path, processes: int, force: bool) -> int:
    """照配方画数据集，断了的接着画；返回退出码，是自己的照片时抛 BadInput。"""
    package = resources.files("health_assistant.lab_report")
    sources = [package / "indicators.yaml", *sorted((package / "rendering").iterdir(), key=lambda file: file.name)]
    fingerprint = artifacts.fingerprint(
        recipe.model_dump(mode="json"), [Path(__file__), CARD, *(Path(str(file)) for file in sources if file.is_file())]
    )
    if (folder / "own-photos").exists():  # import_reports.py 写的，改过、标过的都在里面
        raise BadInput(f"{folder} 是自己的照片，不覆盖；给配方换个名字（YAML 的文件名）")
    parts = folder / "parts"  # 画好一张，这里就有一个同名的 .json，是它在 metadata.jsonl 里的一行
    if artifacts.is_finished(folder, fingerprint) and not force:
        shutil.rmtree(parts, ignore_errors=True)
        print(f"画过了，在 {folder}；要重画加 --force。")
        return 0
    begun = parts / "fingerprint"
    if force or not begun.exists() or begun.read_text() != fingerprint:
        shutil.rmtree(folder, ignore_errors=True)
        artifacts.write_text(begun, fingerprint)
    jobs = [(split, number) for split in SPLITS for number in range(getattr(recipe.size, split))]
    todo = [job for job in jobs if not part_file(parts, *job).exists()]
    started = time.monotonic()
    if not render_all(recipe, folder, todo, len(jobs), processes):
        return fail("有画图的进程中途退出，原因见上面；再运行一次会接着画。", 1)
    records: dict[str, list[dict]] = {split: [] for split in SPLITS}
    for split, number in jobs:
        records[split].append(json.loads(part_file(parts, split, number).read_text(encoding="utf-8")))
    for split, rows in records.items():
        artifacts.write_jsonl(folder / split / "metadata.jsonl", rows)
    contact_sheet(folder, records)
    artifacts.write_text(folder / "README.md", data_card(folder.name, recipe, records))
    for leftover in folder.rglob(".*.partial"):  # 写到一半被杀掉的
        leftover.unlink()
    written = [folder / split / "metadata.jsonl" for split in SPLITS]
    artifacts.mark_finished(folder, fingerprint, [*written, folder / "contact-sheet.png", folder / "README.md"])
    shutil.rmtree(parts)
    print(f"画了 {len(todo)} 张（另有 {len(jobs) - len(todo)} 张上次画好了），{time.monotonic() - started:.0f} 秒。")
    print(f"写好了：{folder}（先看看 contact-sheet.png）")
    return 0


def part_file(parts: Path, split: str, number: int) -> Path:
    """一张画好的记号：它在 metadata.jsonl 里的那一行。"""
    return parts / f"{split}-{number:06}.json"


def render_all(recipe: DatasetRecipe, folder: Path, todo: list, total: int, processes: int) -> bool:
    """分给几个进程画，带进度条；都正常结束为 True。"""
    context = multiprocessing.get_context("fork")
    done = context.Value("i", 0)
    workers = [
        context.Process(target=render_share, args=(recipe, folder, todo[at::processes], done), daemon=True)
        for at in range(min(processes, len(todo)))
    ]
    for worker in workers:
        worker.start()
    with tqdm(total=total, initial=total - len(todo), unit="张", disable=None) as bar:
        while any(worker.is_alive() for worker in workers):
            time.sleep(0.1)
            bar.update(total - len(todo) + done.value - bar.n)
    return not any(worker.exitcode for worker in workers)


def render_share(recipe: DatasetRecipe, folder: Path, share: list, done) -> None:
    """在子进程里画 share 的各张（哪一份，第几张），画好一张放一个进 done；父进程不在了就停。"""
    import cv2

    cv2.setNumThreads(1)
    for split, number in share:
        if not multiprocessing.parent_process().is_alive():
            os._exit(1)
        image, record = render_one(recipe, split, number)
        with artifacts.atomic_path(folder / split / record["file_name"]) as partial:
            image.save(partial, "JPEG", quality=95, subsampling=0)
        artifacts.write_json(part_file(folder / "parts", split, number), record)
        with done.get_lock():
            done.value += 1


def render_one(recipe: DatasetRecipe, split: str, number: int):
    """抽一张、画出来、破坏、缩小；返回图与 metadata.jsonl 里的一行。"""
    import numpy as np

    from health_assistant.lab_report.rendering import HELD_OUT_LAYOUTS, LAYOUTS, degrade, draw_report
    from health_assistant.lab_report.rendering.sampling import pick, sample_report

    rng = np.random.default_rng([recipe.seed, SPLITS.index(split), number])
    seed = int(rng.integers(2**31))
    layouts = recipe.test_layouts if split == "test" and recipe.test_layouts else recipe.layouts
    layout, weights = pick(rng, layouts), np.array(list(recipe.degradations.values()))
    degradation = str(rng.choice(list(recipe.degradations), p=weights / weights.sum()))
    style = (LAYOUTS | HELD_OUT_LAYOUTS)[layout].style
    style = style.model_copy(update={"kinds": kinds_for(recipe, style), "items": recipe.items or style.items})
    sample = sample_report(rng, style, recipe.abnormal_rate)
    font = pick(rng, recipe.fonts) if recipe.fonts else None
    drawn = draw_report(layout, sample.report, sample.flags, sample.sections, seed, font)
    drawn = degrade(drawn, degradation, seed)
    image, boxes = fit(drawn, recipe)
    # 裁掉了页眉，标签里也就没有它
    head = {"report_type": "", "sex": None, "age": None, "origin": None} if recipe.crop == "rows" else {}
    # 嵌套的两项存成 JSON 文字：整列都是 null 的字段，各部分的类型会对不上
    return image, {
        "file_name": f"{number:06}.jpg",
        "report": drawn.report.model_copy(update=head).model_dump_json(),
        "flags": drawn.flags,
        "boxes": json.dumps(boxes),
        "layout": layout,
        "degradation": degradation,
        "seed": seed,
    }


def fit(drawn, recipe: DatasetRecipe):
    """按配方裁剪、缩小；返回图与跟着走的框。只留项目行的，边上补白到整数个图像词元，喂给模型时就不再缩放。"""
    from PIL import Image

    image, top = drawn.image, 0
    if recipe.crop == "rows":
        rows, space = [boxes["row"] for boxes in drawn.boxes], round(drawn.text_height * 0.4)
        top, bottom = max(0, min(row[1] for row in rows) - space), max(row[3] for row in rows) + space
        image = image.crop((0, top, image.width, min(bottom, image.height)))
    scale = min(1.0, recipe.longest_side / max(image.size))
    image = image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.LANCZOS)
    if recipe.crop == "rows":
        size = [math.ceil(side / TOKEN_SIDE) * TOKEN_SIDE for side in image.size]
        paper = Image.new("RGB", size, drawn.image.getpixel((0, 0)))
        paper.paste(image)
        image = paper

    def moved(box: tuple[int, int, int, int]) -> list[int]:
        x0, y0, x1, y1 = box
        return [round(at * scale) for at in (x0, y0 - top, x1, y1 - top)]

    return image, [{field: moved(box) for field, box in boxes.items()} for boxes in drawn.boxes]


def contact_sheet(folder: Path, records: dict[str, list[dict]]) -> None:
    """样张：每种版式一张，训练的在前，测试的在后，上面写着哪一份、版式与破坏。"""
    from PIL import Image

    from health_assistant.plotting import new_figure, save_png

    everything = [(split, row) for split, rows in records.items() for row in rows]
    firsts: dict[tuple[bool, str], tuple[str, dict]] = {}
    for split, row in everything:
        firsts.setdefault((split == "test", row["layout"]), (split, row))
    shown = list(firsts.values())
    shown += [pair for pair in everything if pair not in shown][: max(0, 24 - len(shown))]
    rows = math.ceil(len(shown) / SHEET_COLUMNS)
    figure, axes = new_figure(3.5 * SHEET_COLUMNS, 3.5 * rows, rows, SHEET_COLUMNS)
    for axis in axes:
        axis.axis("off")
    for axis, (split, row) in zip(axes, shown, strict=False):
        axis.imshow(Image.open(folder / split / row["file_name"]))
        axis.set_title(f"{split}  {row['layout']}  {row['degradation']}", fontsize=8)
    save_png(figure, folder / "contact-sheet.png")


def data_card(name: str, recipe: DatasetRecipe, records: dict[str, list[dict]]) -> str:
    """填 data_card.md.jinja。"""
    splits, flags, damage = {}, Counter[str](), Counter[str]()
    for split, rows in records.items():
        of_split = [flag or "没有可比的" for row in rows for flag in row["flags"]]
        splits[split] = {
            "reports": len(rows),
            "rows": len(of_split),
            "layouts": sorted({row["layout"] for row in rows}),
        }
        flags.update(of_split)
        damage.update(row["degradation"] for row in rows)
    settings = json.dumps(recipe.model_dump(mode="json"), ensure_ascii=False, indent=2)
    counted = {"splits": splits, "damage": tally(damage), "flags": tally(flags)}
    return templates.fill(CARD, name=name, recipe=recipe, settings=settings, **counted)


def tally(counts: Counter[str]) -> str:
    """各有几个，多的在前：“clean 20、photo 12”。"""
    return "、".join(f"{name} {count}" for name, count in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
