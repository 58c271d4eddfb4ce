"""阶段 6：按一份配方微调视觉模型，教它把化验单抄成 JSON。断了再运行一次就接着训练，结果与没断过的一样。

    python 6-fine-tuning-vl/train_vl.py --config 6-fine-tuning-vl/configs/tiny.yaml --learning_rate 1e-3

读：artifacts/vl/dataset/<dataset_name>/ 的 train 与 val（render_reports.py 或 import_reports.py 写的）。
写：artifacts/vl/<配方>/ 的 adapter、training.json、loss.png、checkpoints。
"""

import sys
from pathlib import Path

from vl_tasks import files_of, make_tasks, make_unreadable, read_pages

from health_assistant import artifacts
from health_assistant.command_line import command
from health_assistant.lab_report.vl_protocol import READ_PROMPT_VERSION
from health_assistant.recipe_files import read_recipe, recipe_parser
from health_assistant.training import run, vision
from health_assistant.training.recipe import VisionRecipe

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/tiny.yaml"


@command
def main() -> int:
    """画好的页 -> adapter 与 training.json；返回退出码：1 是放不下、损失坏了，2 是配方、数据不对。"""
    # 1. 配方与数据
    parser = recipe_parser(__doc__, VisionRecipe, DEFAULT_CONFIG)
    parser.add_argument("--force", action="store_true", help="同样的配方与数据训练过了也从头重来")
    args = parser.parse_args()
    recipe = read_recipe(VisionRecipe, args)
    data = artifacts.vl_dataset_dir(recipe.dataset_name)
    pages = {split: read_pages(data / split) for split in ("train", "val")}

    # 2. 这样的配方与数据训练过就不再训练；改过就从头来
    training = run.Training(recipe, artifacts.vl_dir(recipe.run_name), files_of(data, pages), args.force)
    if training.is_finished():
        return 0

    # 3. 每一页出题，题成为词元；有一条装不下就不开始
    tokenizer = training.prepare_base()
    unreadable = training.folder / "unreadable" / training.fingerprint[:12]
    rows = {}
    for split, part in pages.items():
        tasks = make_tasks(part, recipe.abnormal_share, recipe.question_share)
        tasks += make_unreadable(part, recipe.unreadable_share, unreadable / split)
        rows[split] = vision.encode_pages(tasks, tokenizer, recipe)
        print(f"{split}：{len(part)} 页，{budget(rows[split])}")

    # 4. 训练，写下 adapter（验证损失最低的一个）、training.json 与曲线；一步怎样走在 health_assistant/training/sft.py
    about = {
        "read_prompt_version": READ_PROMPT_VERSION,
        "data": {"pages": {split: len(part) for split, part in pages.items()}}
        | {"tasks": {split: len(part) for split, part in rows.items()}},
        "image_tokens": {split: sum(row["image_tokens"] for row in part) for split, part in rows.items()},
    }
    collate = vision.page_collator(vision.load_image_processor(training.base, recipe.max_pixels), tokenizer)
    smaller = "减小 max_pixels，或换小一号的基座，例如配方 qwen2-vl-2b-qlora"
    training.fit(rows["train"], rows["val"], about, smaller, collate)
    return 0


def budget(rows: list[dict]) -> str:
    """多少道题，图、回答与全长最多多少个词元。"""
    answers = max(sum(label >= 0 for label in row["labels"]) for row in rows)
    longest = max(len(row["input_ids"]) for row in rows)
    images = max(row["image_tokens"] for row in rows)
    return f"{len(rows)} 道题；最多：图 {images} 个词元，回答 {answers}，全长 {longest}"


if __name__ == "__main__":
    sys.exit(main())
