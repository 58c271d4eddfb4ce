"""阶段 3：把 LoRA 并进基座，存成完整的模型（精度随基座：Qwen2.5 是 16 位，微型的是 32 位），并验证并对了。

python 3-fine-tuning-llm/merge_llm.py --recipe tiny
"""

import argparse
import json
import sys

from health_assistant import artifacts
from health_assistant.training import loading, merging, saving

PROBE = "我最近头痛，血压150/95mmHg，要去医院吗？"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], add_help=False)
    parser.add_argument("-h", "--help", action="help", help="显示这段说明")
    parser.add_argument("--recipe", default="tiny", help="配方名（默认 tiny）")
    parser.add_argument("--force", action="store_true", help="合并过了也重新合并")
    args = parser.parse_args()

    folder = artifacts.llm_dir(args.recipe)
    adapter, merged = folder / "adapter", folder / "merged"
    if not (folder / "training.json").is_file() or not adapter.is_dir():
        print(f"✗ {folder} 里没有训练好的 adapter：先运行 train_llm.py", file=sys.stderr)
        return 2
    record = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    key = artifacts.fingerprint(record["base_model"], [adapter / "adapter_model.safetensors"])
    if artifacts.is_finished(merged, key) and not args.force:
        print(f"配方 {args.recipe} 合并过了，结果在 {merged}；要重新合并加 --force。")
        return 0

    from transformers import AutoModelForCausalLM

    base_folder = loading.find_model(record["base_model"])
    tokenizer = loading.load_tokenizer(base_folder)
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROBE}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    print(f"载入 {record['base_model']}，并入 {adapter} …")
    try:
        model = merging.merge_adapter(AutoModelForCausalLM, base_folder, adapter, asked)
    except merging.BadMerge as error:
        print(f"✗ {error}", file=sys.stderr)
        return 1
    with saving.atomic_folder(merged) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        artifacts.mark_finished(partial, key, list(partial.iterdir()))
    print(f"写了：{merged}（{str(model.dtype).removeprefix('torch.')}）")
    return 0


if __name__ == "__main__":
    sys.exit(main())
