"""阶段 6：GRPO——微调过的视觉模型每页答几遍，代码打分，比自己平均好的多说，差的少说。断了再运行就接着练。

    python 6-fine-tuning-vl/train_vl_grpo.py --config 6-fine-tuning-vl/configs/grpo/tiny-grpo.yaml --max_steps 20

读：artifacts/vl/<sft_run_name>/ 的 adapter（train_vl.py 写的），和它那份数据的 train、val。
写：artifacts/vl/<配方>/ 的 adapter（验证集奖励最高的一个）、training.json、rewards.png、checkpoints。
奖励见 vl_rewards.py；一步怎样走是 TRL 的 GRPOTrainer；合并用 merge_vl.py --recipe 配方。
"""

import sys
from pathlib import Path
from statistics import median

from vl_rewards import WEIGHTS, draw_curves, reward_curves, reward_functions
from vl_tasks import files_of, make_unreadable, read_pages

from health_assistant import artifacts, recipe_files
from health_assistant.command_line import command
from health_assistant.lab_report.vl_protocol import READ_PROMPT
from health_assistant.training import loading, run, saving, vision
from health_assistant.training.checks import check_finite
from health_assistant.training.precision import training_dtype
from health_assistant.training.progress import Speed, progress_bar
from health_assistant.training.recipe import GrpoRecipe, VisionRecipe
from health_assistant.training.trainer_settings import shared_settings

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/grpo/tiny-grpo.yaml"


@command
def main() -> int:
    """SFT 的 adapter -> 再练过的；返回退出码：1 是放不下、损失坏了，2 是没有 SFT、配方不对。"""
    # 1. 配方，和起点：SFT 的 adapter 与它的设置
    parser = recipe_files.recipe_parser(__doc__, GrpoRecipe, DEFAULT_CONFIG)
    parser.add_argument("--force", action="store_true", help="同样的配方与数据训练过了也从头重来")
    args = parser.parse_args()
    recipe = recipe_files.read_recipe(GrpoRecipe, args)
    start, folder = artifacts.vl_dir(recipe.sft_run_name), artifacts.vl_dir(recipe.run_name)
    record = run.read_training(start, "train_vl.py")
    tuned = VisionRecipe(**record["recipe"])

    # 2. 页与真值；这样训练过就不再训练
    data = artifacts.vl_dataset_dir(tuned.dataset_name)
    pages = {split: read_pages(data / split) for split in ("train", "val")}
    sources = [start / "adapter/adapter_model.safetensors", *files_of(data, pages)]
    fingerprint = artifacts.fingerprint([recipe.of_trl(), recipe.unreadable_share, WEIGHTS], sources)
    if artifacts.is_finished(folder, fingerprint) and not args.force:
        print(f"配方 {recipe.run_name} 训练过了，结果在 {folder}；要重新训练加 --force。")
        return 0
    rows, unreadable = {}, folder / "unreadable" / fingerprint[:12]
    for split, part in pages.items():
        ruined = make_unreadable(part, recipe.unreadable_share, unreadable / split)
        rows[split] = [{"image": page["image"], "truth": page["report"].model_dump_json()} for page in part]
        rows[split] += [{"image": page["image"], "truth": ""} for page in ruined]

    # 3. 放不放得下：先算再读权重
    base, source, tokenizer = loading.prepare_base(tuned)
    images = [row["image"] for part in rows.values() for row in part]
    longest = vision.longest_prompt(images, READ_PROMPT, tokenizer, tuned.max_pixels)
    estimate = loading.check_memory(base, tuned, longest, grpo=recipe)

    # 4. 训练
    checkpoints = folder / "checkpoints" / fingerprint[:12]
    resume = saving.prepare_to_resume(checkpoints, from_scratch=args.force)
    model = load_tuned(source, start / "adapter", tuned)
    trainer = build_trainer(recipe, model, vision.page_processor(base, tuned.max_pixels), rows, checkpoints)
    trainer.train(resume_from_checkpoint=resume)

    # 5. 写下 adapter、training.json、曲线
    if trainer.is_world_process_zero():
        about = {"recipe": record["recipe"] | {"run_name": recipe.run_name}, "grpo": recipe.model_dump()}
        about["estimated_gib"] = round(estimate.needed, 2)
        about |= {name: record.get(name) for name in ("base_model", "base_identity", "read_prompt_version")}
        write_results(trainer, tokenizer, folder, fingerprint, about)
    return 0


def load_tuned(source: Path, adapter: Path, recipe: VisionRecipe):
    """基座加上 SFT 练好的 LoRA，接着可以训练；怎样载入（Unsloth 或 transformers）与 SFT 时一样。"""
    from peft import load_peft_weights, set_peft_model_state_dict

    model = loading.load_with_lora(source, recipe)
    set_peft_model_state_dict(model, load_peft_weights(str(adapter), device="cpu"))
    return model


def build_trainer(recipe: GrpoRecipe, model, processor, rows: dict[str, list[dict]], checkpoints: Path):
    """TRL 的 GRPOTrainer；rows 是 train 与 val 的 {"image", "truth"}。"""
    import torch
    from datasets import Dataset, Image
    from transformers.trainer_callback import PrinterCallback, TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    watched = {"loss": "损失", "grad_norm": "梯度"}
    if training_dtype() == torch.float16:  # 溢出的一步由损失缩放跳过
        del watched["grad_norm"]

    class WatchAndMark(TrainerCallback):
        """损失、梯度算坏了就停（BadTraining）；几遍答得一样好时损失正好是 0，不算坏。写全了的检查点记一笔。"""

        def on_log(self, args, state, control, logs=None, **kwargs):
            for name, what in watched.items():
                check_finite(f"第 {state.global_step} 步的{what}", logs.get(name, 0.0), recipe, zero_is_bad=False)

        def on_save(self, args, state, control, **kwargs):
            if state.is_world_process_zero:
                saving.mark_complete(checkpoints / f"checkpoint-{state.global_step}")

    settings = GRPOConfig(
        **recipe.of_trl(),
        **shared_settings(recipe, checkpoints),
        reward_weights=list(WEIGHTS.values()),
        # 答出一个图的占位，就像多了一张图，前向会出错
        generation_kwargs={"suppress_tokens": [processor.image_token_id, processor.video_token_id]},
        per_device_eval_batch_size=recipe.per_device_train_batch_size,
        metric_for_best_model="eval_reward",
        report_to="none",
    )

    def dataset(split: str):
        prompt = {"prompt": [{"role": "user", "content": READ_PROMPT}]}
        given = [row | {"image": str(row["image"])} | prompt for row in rows[split]]
        return Dataset.from_list(given).cast_column("image", Image(mode="RGB"))

    trainer = GRPOTrainer(
        model=model,
        reward_funcs=reward_functions(),
        args=settings,
        train_dataset=dataset("train"),
        eval_dataset=dataset("val"),
        processing_class=processor,
        callbacks=[WatchAndMark(), progress_bar(Speed(), {"reward": "奖励", "eval_reward": "验证奖励"})],
    )
    trainer.remove_callback(PrinterCallback)
    return trainer


def write_results(trainer, tokenizer, folder: Path, fingerprint: str, about: dict) -> None:
    """写下 adapter、training.json（各步、各部分的奖励）与曲线，记为训练完了。"""
    written = [folder / name for name in ("adapter", "training.json", "rewards.png")]
    with saving.atomic_folder(written[0]) as partial:
        trainer.model.save_pretrained(partial, selected_adapters=["default"])  # beta 不为 0 时另有起点的一份
        tokenizer.save_pretrained(partial)
    history = trainer.state.log_history
    curves = reward_curves(history)
    before, *later = curves["held_out"]
    best = max(later, key=lambda point: point["reward"])
    seconds = round(median(logs["step_time"] for logs in history if "step_time" in logs), 2)
    about |= {"weights": WEIGHTS, "steps": trainer.state.global_step, "best_step": best["step"]}
    about |= {"seconds_per_step": seconds, "peak_memory_gib": round(run.peak_memory() / 2**30, 2)}
    artifacts.write_json(written[1], about | curves)
    draw_curves(curves, written[2])
    artifacts.mark_finished(folder, fingerprint, written)
    print(f"验证集奖励 {before['reward']:.3f} → {best['reward']:.3f}（第 {best['step']} 步）；每步 {seconds} 秒")
    print(f"写了：{'、'.join(map(str, written))}")


if __name__ == "__main__":
    sys.exit(main())
