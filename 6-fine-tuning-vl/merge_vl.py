"""阶段 6：把 LoRA 并进视觉模型的基座，存成完整的模型（精度随基座：Qwen2-VL 是 16 位），并验证并对了。

python 6-fine-tuning-vl/merge_vl.py --recipe tiny
"""

import sys
from functools import partial

from vl_tasks import read_pages

from health_assistant import artifacts
from health_assistant.command_line import command
from health_assistant.lab_report.vl_protocol import READ_PROMPT
from health_assistant.training import loading, merging, run, vision


@command
def main() -> int:
    """LoRA 并进基座，logits 对了才写；返回退出码：1 是没有并好、放不下，2 是没有训练过。"""
    args = merging.parse_arguments(__doc__.splitlines()[0])

    # 1. 训练好的 adapter 与它的基座；并过的不必再并
    folder = artifacts.vl_dir(args.recipe)
    record = run.read_training(folder, "train_vl.py")
    if merging.is_merged(folder, record, args.force):
        return 0
    page = read_pages(artifacts.vl_dataset_dir(record["recipe"]["dataset_name"]) / "val")[0]
    base = loading.find_model(record["base_model"], vision=True)
    tokenizer = loading.load_tokenizer(base, vision=True)

    # 2. 并进去；拿验证集的一页比合并前后的 logits：图要真的经过看图的层
    budget = record["recipe"]["max_pixels"]
    processor = vision.load_image_processor(base, budget)
    probe = vision.generation_inputs([page["image"]], READ_PROMPT, processor, tokenizer, budget)
    save_processor = partial(vision.save_processor, base, max_pixels=budget)
    merging.merge(folder, record, base, tokenizer, probe, save_processor)
    return 0


if __name__ == "__main__":
    sys.exit(main())
