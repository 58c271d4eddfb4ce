"""阶段 6：按一份配方微调视觉模型，教它把化验单抄成 JSON。断了再运行一次就接着训练，结果与没断过的一样。

    python 6-fine-tuning-vl/train_vl.py --config 6-fine-tuning-vl/configs/tiny.yaml --learning_rate 1e-3

读：artifacts/vl/dataset/<train_data>/ 的 train 与 val（render_reports.py 或 import_reports.py 写的）。
写：artifacts/vl/<配方>/ 的 adapter、training.json、loss.png、checkpoints。
"""

import logging
import os
import sys
import time
from pathlib import Path

from vl_tasks import BadRow, make_tasks, make_unreadable, read_pages

from health_assistant import artifacts
from health_assistant.training import loading, recipe, run, saving, vision
from health_assistant.training.tiny_models import tiny_vl_identity, use_one_thread_if_small

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/tiny.yaml"
OPTIONS = """
选项：
  --config YAML             配方（默认 configs/tiny.yaml）
  --force                   同样的配方与数据训练过了也从头重来
  -h, --help                显示这段说明

配方里的每一项，写在 YAML 里，或在命令行上改：
"""


def main() -> int:
    arguments = sys.argv[1:]
    if {"-h", "--help"} & {*arguments}:
        print(__doc__ + OPTIONS + recipe.settings_help(recipe.VisionRecipe))
        return 0
    force = "--force" in arguments
    # Unsloth 的统计在连不上网的地方要等两分钟；下载的进度条盖住我们自己的
    os.environ.update(UNSLOTH_DISABLE_STATISTICS="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")

    # 1. 配方与数据
    try:
        given = [one for one in arguments if one != "--force"]
        wanted = recipe.read_recipe(given, DEFAULT_CONFIG, recipe.VisionRecipe)
        data = artifacts.vl_dataset_dir(wanted.train_data)
        pages = {split: read_pages(data / split) for split in ("train", "val")}
    except (ValueError, BadRow) as error:
        return fail(2, str(error))

    # 2. 这样的配方与数据训练过就不再训练；改过就从头来
    folder = artifacts.vl_dir(wanted.name)
    identity = tiny_vl_identity() if wanted.base_model == "tiny" else wanted.base_model
    shape = wanted.what_shapes_the_result() | {"base_model": identity}
    sources = [data / split / "metadata.jsonl" for split in pages]
    key = artifacts.fingerprint(shape, [*sources, *(page["image"] for part in pages.values() for page in part)])
    checkpoints = folder / "checkpoints" / key[:12]
    if artifacts.is_finished(folder, key) and not force:
        print(f"配方 {wanted.name} 训练过了，结果在 {folder}；要重新训练加 --force。")
        return 0

    # 3. 基座放不放得下：先算再读权重
    if loading.uses_unsloth(wanted):
        import unsloth  # noqa: F401  要在 transformers 与 trl 的类之前导入，它替换其中一些
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)
    try:
        base = loading.find_model(wanted.base_model, vision=True)
        source = loading.find_model(wanted.quantized_model) if wanted.quantized_model else base
        tokenizer = loading.load_tokenizer(base, vision=True)
        estimate = loading.estimate(base, wanted)
    except (OSError, ValueError) as error:
        return fail(2, str(error))
    engine = "Unsloth" if loading.uses_unsloth(wanted) else "transformers + peft"
    print(f"配方 {wanted.name}：{wanted.base_model}，用 {engine}，{estimate}")
    if estimate.needed > estimate.free:
        shortage = f"放不下：要 {estimate.needed:.1f} GiB，{estimate.where}只空着 {estimate.free:.1f} GiB"
        return fail(
            1, shortage, loading.remedy(wanted, "减小 max_pixels，或换小一号的基座，例如配方 qwen2-vl-2b-qlora")
        )

    # 4. 每一页出题，题成为标记；有一条装不下就不开始
    tasks = {split: make_tasks(part, wanted.abnormal_share, wanted.question_share) for split, part in pages.items()}
    for split, part in pages.items():
        tasks[split] += make_unreadable(part, wanted.unreadable_share, folder / "unreadable" / key[:12] / split)
    try:
        sets = {split: vision.encode_pages(part, tokenizer, wanted) for split, part in tasks.items()}
    except vision.OverBudget as error:
        return fail(2, str(error))
    print(*(f"{split}：{len(pages[split])} 页，{budget(sets[split])}" for split in sets), sep="\n")

    # 5. 载入模型并训练；有完整的检查点就从它接着来
    saving.clear_checkpoints(checkpoints, all_of_them=force)
    resume = saving.last_complete_checkpoint(checkpoints)
    print(f"从检查点 {resume.name} 接着训练" if resume else "从头训练")
    started = time.monotonic()
    model = loading.load_with_lora(source, wanted)
    use_one_thread_if_small(model)
    collate = vision.page_collator(vision.load_image_processor(base, wanted.max_pixels), tokenizer)
    trainer = run.build_trainer(wanted, model, tokenizer, sets["train"], sets["val"], checkpoints, collate)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)

    # 6. 写下 adapter（验证损失最低的一个）、training.json 与曲线
    about = {
        "base_identity": identity,
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


def fail(code: int, reason: str, solution: str = "") -> int:
    print(f"✗ {reason}", file=sys.stderr)
    if solution:
        print(f"  解决：{solution}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
