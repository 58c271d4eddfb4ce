"""阶段 6：把 LoRA 并进视觉模型的基座，存成完整的模型（精度随基座：Qwen2-VL 是 16 位），并验证并对了。

python 6-fine-tuning-vl/merge_vl.py --recipe tiny
"""

import sys

from vl_tasks import read_pages

from health_assistant import artifacts
from health_assistant.command_line import command, fail
from health_assistant.lab_report.report import READ_PROMPT
from health_assistant.training import loading, memory, merging, run, vision


@command
def main() -> int:
    args = merging.parse_arguments(__doc__.splitlines()[0])

    # 1. 训练好的 adapter 与它的基座；并过的不必再并
    folder = artifacts.vl_dir(args.recipe)
    record = run.read_training(folder, "train_vl.py")
    if merging.is_merged(folder, record) and not args.force:
        print(f"配方 {args.recipe} 合并过了，结果在 {folder / 'merged'}；要重新合并加 --force。")
        return 0
    page = read_pages(artifacts.vl_dataset_dir(record["recipe"]["dataset_name"]) / "val")[0]
    base = loading.find_model(record["base_model"], vision=True)
    tokenizer = loading.load_tokenizer(base, vision=True)

    # 2. 并进去；拿验证集的一页比合并前后的 logits：图要真的经过看图的层
    budget = record["recipe"]["max_pixels"]
    processor = vision.load_image_processor(base, budget)
    probe = vision.generation_inputs([page["image"]], READ_PROMPT, processor, tokenizer, budget)
    print(f"载入 {record['base_model']}，并入 {folder / 'adapter'} …")
    try:
        model = merging.merge_adapter(base, folder / "adapter", probe, vision=True)
    except (merging.BadMerge, memory.DoesNotFit) as error:
        return fail(error, 1)
    merging.save_merged(folder, record, model, tokenizer, lambda target: vision.save_processor(base, target, budget))
    return 0


if __name__ == "__main__":
    sys.exit(main())
