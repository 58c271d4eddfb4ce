"""阶段 3：按一份配方做 LoRA 微调。断了再运行一次，从最后一个完整的检查点接着训练，结果与没断过的一样。

python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/tiny.yaml --learning_rate 1e-3
"""

import json
import logging
import os
import sys
import time
from pathlib import Path

from health_assistant import artifacts
from health_assistant.training import loading, recipe, run, saving
from health_assistant.training.tiny_models import tiny_llm_identity, use_one_thread_if_small

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
        print(__doc__ + OPTIONS + recipe.settings_help())
        return 0
    force = "--force" in arguments
    # Unsloth 的统计在连不上网的地方要等两分钟；下载的进度条盖住我们自己的
    os.environ.update(UNSLOTH_DISABLE_STATISTICS="1", HF_HUB_DISABLE_PROGRESS_BARS="1", TOKENIZERS_PARALLELISM="false")

    # 1. 配方与数据
    try:
        given = [one for one in arguments if one != "--force"]
        wanted = recipe.read_recipe(given, DEFAULT_CONFIG, recipe.Recipe)
        data = artifacts.train_data_dir(wanted.train_data)
        train_rows, val_rows = read_rows(data / "train.jsonl"), read_rows(data / "val.jsonl")
    except ValueError as error:
        return fail(2, str(error))

    # 2. 这样的配方与数据训练过就不再训练；改过就从头来
    folder = artifacts.llm_dir(wanted.name)
    identity = tiny_llm_identity() if wanted.base_model == "tiny" else wanted.base_model
    shape = wanted.what_shapes_the_result() | {"base_model": identity}
    key = artifacts.fingerprint(shape, [data / "train.jsonl", data / "val.jsonl"])
    checkpoints = folder / "checkpoints" / key[:12]
    if artifacts.is_finished(folder, key) and not force:
        print(f"配方 {wanted.name} 训练过了，结果在 {folder}；要重新训练加 --force。")
        return 0

    # 3. 基座放不放得下：先算再读权重
    if loading.uses_unsloth(wanted):
        import unsloth  # noqa: F401  要在 transformers 与 trl 的类之前导入，它替换其中一些
    from accelerate import PartialState
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)
    state = PartialState()
    try:
        with state.main_process_first():  # accelerate launch 时只有一个进程下载或现造基座
            base = loading.find_model(wanted.base_model)
            source = loading.find_model(wanted.quantized_model) if wanted.quantized_model else base
        tokenizer = loading.load_tokenizer(base)
        estimate = loading.estimate(base, wanted)
    except (OSError, ValueError) as error:
        return fail(2, str(error))
    if state.is_main_process:
        engine = "Unsloth" if loading.uses_unsloth(wanted) else "transformers + peft"
        print(f"配方 {wanted.name}：{wanted.base_model}，用 {engine}，{estimate}")
        saving.clear_checkpoints(checkpoints, all_of_them=force)
    if estimate.needed > estimate.free:
        shortage = f"放不下：要 {estimate.needed:.1f} GiB，{estimate.where}只空着 {estimate.free:.1f} GiB"
        return fail(1, shortage, loading.remedy(wanted, "换小一号的基座，例如配方 qwen2.5-0.5b"))

    # 4. 对话成为标记
    train_set, train_long = run.encode_all(train_rows, tokenizer, wanted.max_length)
    val_set, val_long = run.encode_all(val_rows, tokenizer, wanted.max_length)
    if not train_set or not val_set:
        return fail(2, f"{data} 里没有 {wanted.max_length} 个标记以内的对话：把 max_length 调大")
    state.wait_for_everyone()

    # 5. 载入模型并训练；有完整的检查点就从它接着来
    resume = saving.last_complete_checkpoint(checkpoints)
    if state.is_main_process:
        print(f"训练 {len(train_set)} 条（另有 {train_long} 条太长没用），验证 {len(val_set)} 条（{val_long} 条太长）")
        print(f"从检查点 {resume.name} 接着训练" if resume else "从头训练")
    started = time.monotonic()
    model = loading.load_with_lora(source, wanted)
    use_one_thread_if_small(model)
    trainer = run.build_trainer(wanted, model, tokenizer, train_set, val_set, checkpoints)
    trainer.train(resume_from_checkpoint=str(resume) if resume else None)
    if not trainer.is_world_process_zero():
        return 0

    # 6. 写下 adapter（验证损失最低的一个）、training.json 与曲线
    about = {
        "base_identity": identity,
        "data": {"train": len(train_set), "held_out": len(val_set), "too_long": train_long + val_long},
        "parameters": estimate.parameters,
        "estimated_gib": round(estimate.needed, 2),
    }
    run.write_results(folder, key, wanted, trainer, tokenizer, about, time.monotonic() - started)
    return 0


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


def fail(code: int, reason: str, solution: str = "") -> int:
    print(f"✗ {reason}", file=sys.stderr)
    if solution:
        print(f"  解决：{solution}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
