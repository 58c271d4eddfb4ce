"""阶段 6：按一份配方微调视觉模型，教它把化验单抄成 JSON。断了再运行一次就接着训练，结果与没断过的一样。

    python 6-fine-tuning-vl/train_vl.py --config 6-fine-tuning-vl/configs/tiny.yaml --learning_rate 1e-3

读：artifacts/vl/dataset/<train_data>/ 的 train 与 val（render_reports.py 或 import_reports.py 写的）。
写：artifacts/vl/<配方>/ 的 adapter、training.json、loss.png、checkpoints。
"""

import sys
import time
from pathlib import Path

from vl_tasks import make_tasks, make_unreadable, read_pages

from health_assistant import artifacts
from health_assistant.command_line import fail
from health_assistant.training import loading, recipe, run, saving, vision

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/tiny.yaml"


def main() -> int:
    # 1. 配方与数据
    try:
        wanted, force = recipe.from_command_line(__doc__, DEFAULT_CONFIG, recipe.VisionRecipe)
        data = artifacts.vl_dataset_dir(wanted.train_data)
        pages = {split: read_pages(data / split) for split in ("train", "val")}
    except ValueError as error:
        return fail(error)

    # 2. 这样的配方与数据训练过就不再训练；改过就从头来
    folder = artifacts.vl_dir(wanted.name)
    sources = [data / split / "metadata.jsonl" for split in pages]
    sources += [page["image"] for part in pages.values() for page in part]
    key = artifacts.fingerprint(wanted.what_shapes_the_result(), sources)
    if artifacts.is_finished(folder, key) and not force:
        print(f"配方 {wanted.name} 训练过了，结果在 {folder}；要重新训练加 --force。")
        return 0

    # 3. 每一页出题，题成为标记；有一条装不下就不开始
    try:
        base, source, tokenizer = loading.prepare_base(wanted)
    except (OSError, ValueError) as error:
        return fail(error)
    tasks = {split: make_tasks(part, wanted.abnormal_share, wanted.question_share) for split, part in pages.items()}
    for split, part in pages.items():
        tasks[split] += make_unreadable(part, wanted.unreadable_share, folder / "unreadable" / key[:12] / split)
    try:
        sets = {split: vision.encode_pages(part, tokenizer, wanted) for split, part in tasks.items()}
    except (vision.OverBudget, run.ControlToken) as error:
        return fail(error)
    print(*(f"{split}：{len(pages[split])} 页，{budget(sets[split])}" for split in sets), sep="\n")

    # 4. 放不放得下：先算再读权重
    estimate = loading.estimate(base, wanted, sets["train"] + sets["val"])
    if estimate.shortage:
        smaller = "减小 max_pixels，或换小一号的基座，例如配方 qwen2-vl-2b-qlora"
        return fail(estimate.shortage, 1, loading.remedy(wanted, smaller))

    # 5. 载入模型并训练；有完整的检查点就从它接着来
    checkpoints = folder / "checkpoints" / key[:12]
    resume = saving.prune_and_find_checkpoint(checkpoints, from_scratch=force)
    started = time.monotonic()
    model = loading.load_with_lora(source, wanted)
    collate = vision.page_collator(vision.load_image_processor(base, wanted.max_pixels), tokenizer)
    trainer = run.build_trainer(wanted, model, tokenizer, sets["train"], sets["val"], checkpoints, collate)
    try:
        trainer.train(resume_from_checkpoint=resume)
    except run.BadTraining as error:
        return fail(error, 1, error.remedy)

    # 6. 写下 adapter（验证损失最低的一个）、training.json 与曲线
    about = {
        "data": {"pages": {split: len(part) for split, part in pages.items()}}
        | {"tasks": {split: len(part) for split, part in sets.items()}},
        "image_tokens": {split: sum(one["image_tokens"] for one in part) for split, part in sets.items()},
        "parameters": estimate.parameters,
        "estimated_gib": round(estimate.needed, 2),
    }
    run.write_results(folder, key, wanted, trainer, tokenizer, about, time.monotonic() - started)
    return 0


def budget(rows: list[dict]) -> str:
    """多少道题，图、回答与全长最多多少个标记。"""
    answers = max(sum(label >= 0 for label in row["labels"]) for row in rows)
    longest = max(len(row["input_ids"]) for row in rows)
    images = max(row["image_tokens"] for row in rows)
    return f"{len(rows)} 道题；最多：图 {images} 个标记，回答 {answers}，全长 {longest}"


if __name__ == "__main__":
    sys.exit(main())
