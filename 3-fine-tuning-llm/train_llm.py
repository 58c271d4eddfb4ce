"""阶段 3：按一份配方做 LoRA 微调。断了再运行一次，从最后一个完整的检查点接着训练，结果与没断过的一样。

python 3-fine-tuning-llm/train_llm.py --config 3-fine-tuning-llm/configs/tiny.yaml --learning_rate 1e-3
"""

import json
import sys
from pathlib import Path

from train_data import read_rows

from health_assistant import artifacts, hub
from health_assistant.command_line import BadInput, command
from health_assistant.recipe_files import read_recipe, recipe_parser
from health_assistant.training import run, sft
from health_assistant.training.recipe import Recipe

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/tiny.yaml"
LEFT_OUT = {"too_long": "太长", "control_tokens": "有控制词元"}


@command
def main() -> int:
    """训练数据 -> adapter 与 training.json；返回退出码：1 是放不下、损失坏了，2 是配方、数据不对。"""
    # 1. 配方与数据
    parser = recipe_parser(__doc__, Recipe, DEFAULT_CONFIG)
    parser.add_argument("--force", action="store_true", help="同样的配方与数据训练过了也从头重来")
    args = parser.parse_args()
    recipe = read_recipe(Recipe, args)
    files = [artifacts.train_data_dir(recipe.dataset_name) / f"{split}.jsonl" for split in ("train", "val")]
    train_rows, val_rows = map(read_rows, files)

    # 2. 这样的配方与数据训练过就不再训练；改过就从头来
    training = run.Training(recipe, artifacts.llm_dir(recipe.run_name), files, args.force)
    if training.is_finished():
        return 0

    # 3. 基座的分词器把对话变成词元，遮住提问
    tokenizer = training.prepare_base()
    train_set, train_left = sft.encode_all(train_rows, tokenizer, recipe.max_length)
    val_set, val_left = sft.encode_all(val_rows, tokenizer, recipe.max_length)
    if not train_set or not val_set:
        why = f"训练：{left_words(train_left)}；验证：{left_words(val_left)}"
        usable = f"{recipe.max_length} 个词元以内、没有控制词元的对话"
        raise BadInput(f"{files[0].parent} 里没有 {usable}（{why}）：把 max_length 调大，或换数据")
    from accelerate import PartialState

    if not checked_for_leaks(files[0].with_name("data.json")):
        how = f"python 3-fine-tuning-llm/check_contamination.py --name {recipe.dataset_name}"
        PartialState().print(f"! 没有查过这份数据里有没有评测题，训练后的分数不能信。先查：{how}")
    counted = f"训练 {len(train_set)} 条（没用的：{left_words(train_left)}），验证 {len(val_set)} 条"
    PartialState().print(f"{counted}（没用的：{left_words(val_left)}）")  # 多卡时只有一个进程说

    # 4. 训练，写下 adapter（验证损失最低的一个）、training.json 与曲线；一步怎样走在 health_assistant/training/sft.py
    left_out = {name: train_left[why] + val_left[why] for name, why in LEFT_OUT.items()}
    about = {"data": {"train": len(train_set), "held_out": len(val_set)} | left_out}
    training.fit(train_set, val_set, about, smaller="换小一号的基座，例如配方 qwen2.5-0.5b")
    return 0


def checked_for_leaks(data: Path) -> bool:
    """备数据时写的 data.json 里，有没有 check_contamination.py 对着现在的评测题通过了的一笔。"""
    questions = artifacts.eval_data_dir() / "cmb-clin.jsonl"
    if not data.is_file() or not questions.is_file():
        return False
    checked = json.loads(data.read_text(encoding="utf-8")).get("contamination_check", {})
    return checked.get("eval_sha256") == hub.file_sha256(questions)


def left_words(left: dict[str, int]) -> str:
    """没有用上的对话：原因 -> 条数，说成一句。"""
    return "，".join(f"{why} {count}" for why, count in left.items() if count) or "0"


if __name__ == "__main__":
    sys.exit(main())
