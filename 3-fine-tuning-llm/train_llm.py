"""阶段 3：按一份配方做 LoRA 微调。断了再运行一次，从最后一个完整的检查点接着训练，结果与没断过的一样。

python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/tiny.yaml --learning_rate 1e-3
"""

import json
import sys
import time
from pathlib import Path

from health_assistant import artifacts
from health_assistant.command_line import fail
from health_assistant.training import loading, recipe, run, saving

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/tiny.yaml"
LEFT_OUT = {"too_long": "太长", "control_tokens": "有控制标记"}


def main() -> int:
    # 1. 配方与数据
    try:
        wanted, force = recipe.from_command_line(__doc__, DEFAULT_CONFIG, recipe.Recipe)
        data = artifacts.train_data_dir(wanted.train_data)
        train_rows, val_rows = read_rows(data / "train.jsonl"), read_rows(data / "val.jsonl")
    except ValueError as error:
        return fail(error)

    # 2. 这样的配方与数据训练过就不再训练；改过就从头来
    folder = artifacts.llm_dir(wanted.name)
    key = artifacts.fingerprint(wanted.what_shapes_the_result(), [data / "train.jsonl", data / "val.jsonl"])
    if artifacts.is_finished(folder, key) and not force:
        print(f"配方 {wanted.name} 训练过了，结果在 {folder}；要重新训练加 --force。")
        return 0

    # 3. 基座的分词器把对话变成标记
    try:
        base, source, tokenizer = loading.prepare_base(wanted)
    except (OSError, ValueError) as error:
        return fail(error)
    train_set, train_left = run.encode_all(train_rows, tokenizer, wanted.max_length)
    val_set, val_left = run.encode_all(val_rows, tokenizer, wanted.max_length)
    if not train_set or not val_set:
        why = f"训练：{left_words(train_left)}；验证：{left_words(val_left)}"
        return fail(
            f"{data} 里没有 {wanted.max_length} 个标记以内、没有控制标记的对话（{why}）：把 max_length 调大，或换数据"
        )
    from accelerate import PartialState

    said = f"训练 {len(train_set)} 条（没用的：{left_words(train_left)}），验证 {len(val_set)} 条"
    PartialState().print(f"{said}（没用的：{left_words(val_left)}）")  # 多卡时只有一个进程说

    # 4. 放不放得下：先算再读权重
    estimate = loading.estimate(base, wanted, train_set + val_set)
    if estimate.shortage:
        return fail(estimate.shortage, 1, loading.remedy(wanted, "换小一号的基座，例如配方 qwen2.5-0.5b"))

    # 5. 载入模型并训练；有完整的检查点就从它接着来
    checkpoints = folder / "checkpoints" / key[:12]
    resume = saving.prune_and_find_checkpoint(checkpoints, from_scratch=force)
    started = time.monotonic()
    model = loading.load_with_lora(source, wanted)
    trainer = run.build_trainer(wanted, model, tokenizer, train_set, val_set, checkpoints)
    try:
        trainer.train(resume_from_checkpoint=resume)
    except run.BadTraining as error:
        return fail(error, 1, error.remedy)

    # 6. 写下 adapter（验证损失最低的一个）、training.json 与曲线
    about = {
        "data": {"train": len(train_set), "held_out": len(val_set)}
        | {name: train_left[why] + val_left[why] for name, why in LEFT_OUT.items()},
        "parameters": estimate.parameters,
        "estimated_gib": round(estimate.needed, 2),
    }
    run.write_results(folder, key, wanted, trainer, tokenizer, about, time.monotonic() - started)
    return 0


def left_words(left: dict[str, int]) -> str:
    return "，".join(f"{why} {count}" for why, count in left.items() if count) or "0"


def read_rows(path: Path) -> list[dict]:
    """训练数据的一个文件；缺了或坏了抛出 ValueError，指出位置。"""
    if not path.is_file():
        option = " --source sample" if path.parent.name == "tiny" else ""
        raise ValueError(f"没有训练数据 {path}：先运行 python 3-fine-tuning-llm/prepare_train_data.py{option}")
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if not line:
            continue
        try:
            row = json.loads(line)
            roles = [message["role"] for message in row["messages"]]
            good = roles[-1:] == ["assistant"] and all(message["content"].strip() for message in row["messages"])
        except (ValueError, TypeError, KeyError, AttributeError):
            good = False
        if not good:
            raise ValueError(f"{path} 第 {number} 行不是以助手的回答结尾的对话")
        rows.append(row)
    return rows


if __name__ == "__main__":
    sys.exit(main())
