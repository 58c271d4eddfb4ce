"""阶段 3：把 LoRA 并进基座，存成完整的模型（精度随基座：Qwen2.5 是 16 位，微型的是 32 位），并验证并对了。

    python 3-fine-tuning-llm/merge_llm.py --recipe tiny
"""

import argparse
import json
import sys

from health_assistant import artifacts
from health_assistant.training import loading, saving

# 合并前后同一句话的 logits 差多少算一致：32 位只有舍入误差；bf16 的尾数只有 8 位，乘加的次序一变就差千分之几
TOLERANCE = {"float32": 1e-3, "bfloat16": 0.05, "float16": 0.02}
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

    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    # QLoRA 也并进 16 位的基座：并进 4 位会再损失一次精度
    base_folder = loading.find_model(record["base_model"])
    tokenizer = loading.load_tokenizer(base_folder)
    place = {"": 0} if torch.cuda.is_available() else "cpu"
    print(f"载入 {record['base_model']}，并入 {adapter} …")
    model = AutoModelForCausalLM.from_pretrained(base_folder, dtype="auto", device_map=place).eval()
    asked = tokenizer.apply_chat_template(
        [{"role": "user", "content": PROBE}], add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    with torch.no_grad():
        of_base = model(**asked).logits.float()
        model = PeftModel.from_pretrained(model, adapter).eval()
        of_adapter = model(**asked).logits.float()
        model = model.merge_and_unload(progressbar=True)
        of_merged = model(**asked).logits.float()

    # 合并悄悄漏掉 LoRA 是出过的事故：合并后须与基座不同、与 adapter 相同
    scale = of_adapter.abs().max()
    changed, apart = ((of_merged - other).abs().max() / scale for other in (of_base, of_adapter))
    allowed = TOLERANCE[str(model.dtype).removeprefix("torch.")]
    print(f"logits 最大差（相对）：与基座 {changed:.2e}，与 adapter {apart:.2e}（容许 {allowed:g}）")
    if apart > allowed or changed <= apart:
        print("✗ 合并后的模型与 adapter 不一致，或与基座没有差别；没有写下来", file=sys.stderr)
        return 1
    with saving.atomic_folder(merged) as partial:
        model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
        artifacts.mark_finished(partial, key, list(partial.iterdir()))
    print(f"写了：{merged}（{str(model.dtype).removeprefix('torch.')}）")
    return 0


if __name__ == "__main__":
    sys.exit(main())
