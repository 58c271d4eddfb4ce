"""阶段 3：把 LoRA 并进基座，存成完整的模型（精度随基座：Qwen2.5 是 16 位，微型的是 32 位），并验证并对了。

python 3-fine-tuning-llm/merge_llm.py --recipe tiny
"""

import sys

from health_assistant import artifacts
from health_assistant.command_line import command
from health_assistant.training import loading, merging, run

PROBE = "我最近头痛，血压150/95mmHg，要去医院吗？"


@command
def main() -> int:
    """LoRA 并进基座，logits 对了才写；返回退出码：1 是没有并好、放不下，2 是没有训练过。"""
    args = merging.parse_arguments(__doc__.splitlines()[0])

    # 1. 训练好的 adapter 与它的基座；并过的不必再并
    folder = artifacts.llm_dir(args.recipe)
    record = run.read_training(folder, "train_llm.py")
    if merging.is_merged(folder, record, args.force):
        return 0
    base = loading.find_model(record["base_model"])
    tokenizer = loading.load_tokenizer(base)

    # 2. 并进去；拿一句提问比合并前后的 logits，对了才写
    probe = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROBE}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    merging.merge(folder, record, base, tokenizer, probe)
    return 0


if __name__ == "__main__":
    sys.exit(main())
