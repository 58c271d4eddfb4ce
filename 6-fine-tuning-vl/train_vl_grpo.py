"""阶段 6：GRPO——让微调过的视觉模型每页答几遍，由代码打分，答得比自己平均好的多说，差的少说。断了再运行一次就接着训练。

    python 6-fine-tuning-vl/train_vl_grpo.py --config 6-fine-tuning-vl/configs/grpo/tiny.yaml --max_steps 20

读：artifacts/vl/<sft_run_name>/ 的 adapter（train_vl.py 写的），和它那份数据的 train、val。
做：奖励见 vl_rewards.py；GRPO 的一圈是 TRL 的 GRPOTrainer。
写：artifacts/vl/<配方>/ 的 adapter（验证集奖励最高的一个）、training.json、rewards.png、checkpoints；合并用 merge_vl.py。
"""

import sys
from pathlib import Path

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from vl_rewards import WEIGHTS, reward_functions
from vl_tasks import make_unreadable, read_pages

from health_assistant import artifacts, recipes
from health_assistant.command_line import command
from health_assistant.lab_report.vl_protocol import READ_PROMPT
from health_assistant.training import loading, run, saving, vision
from health_assistant.training.recipe import Share, VisionRecipe

DEFAULT_CONFIG = Path(__file__).resolve().parent / "configs/grpo/tiny.yaml"
OURS = {"model_name_or_path", "sft_run_name", "unreadable_share"}


class GrpoRecipe(recipes.Recipe):
    """一次 GRPO。除了 OURS 的几项，键都是 TRL 的 GRPOConfig 自己的名字；LoRA 与图的设置随 SFT 的那一次。"""

    sft_run_name: str = Field("tiny", description="从哪一次 train_vl.py 的 adapter 开始；基座也是它的")
    unreadable_share: Share = Field(0.05, description="另有这么大比例的页破坏到读不出：说看不清才有奖励")
    num_generations: int = Field(8, ge=2, description="一页答几遍，互相比")
    per_device_train_batch_size: PositiveInt = Field(8, description="一次前向几个回答")
    gradient_accumulation_steps: PositiveInt = Field(1, description="几次前向更新一次；与上一项之积是 num_generations 的倍数")
    max_completion_length: PositiveInt = Field(256, description="一个回答最多多少个词元")
    temperature: PositiveFloat = Field(1.0, description="抽样的温度；太低，几遍答得一样，没有可比的")
    beta: NonNegativeFloat = Field(0.0, description="离开起点的代价（KL）；0 不算，省一份前向")
    learning_rate: PositiveFloat = Field(1e-6, description="峰值学习率；随后按余弦降到 0")
    warmup_steps: NonNegativeInt = Field(5, description="学习率从 0 升到峰值要的更新次数")
    max_steps: PositiveInt = Field(100, description="更新几次参数")
    eval_steps: PositiveInt = Field(20, description="每更新几次就在验证集上抽样打分、存检查点")
    save_total_limit: int = Field(3, ge=2, description="留几个检查点")
    gradient_checkpointing: bool = Field(False, description="时间换显存：反向时重算各层")
    seed: int = Field(0, description="随机种子")


@command
def main() -> int:
    # 1. 配方，和起点：SFT 的 adapter 与它的设置
    parser = recipes.recipe_parser(__doc__, GrpoRecipe, DEFAULT_CONFIG)
    parser.add_argument("--force", action="store_true", help="同样的配方与数据训练过了也从头重来")
    args = parser.parse_args()
    recipe = recipes.read_recipe(GrpoRecipe, args)
    start, folder = artifacts.vl_dir(recipe.sft_run_name), artifacts.vl_dir(recipe.run_name)
    record = run.read_training(start, f"train_vl.py（run_name 是 {recipe.sft_run_name}）")
    sft = VisionRecipe(**record["recipe"])

    # 2. 页与真值；这样训练过就不再训练
    data = artifacts.vl_dataset_dir(sft.dataset_name)
    pages = {split: read_pages(data / split) for split in ("train", "val")}
    sources = [start / "adapter/adapter_model.safetensors", *(data / split / "metadata.jsonl" for split in pages)]
    fingerprint = artifacts.fingerprint([recipe.model_dump(exclude={"run_name", "save_total_limit"}), WEIGHTS], sources)
    if artifacts.is_finished(folder, fingerprint) and not args.force:
        print(f"配方 {recipe.run_name} 训练过了，结果在 {folder}；要重新训练加 --force。")
        return 0
    rows = {}
    for split, part in pages.items():
        ruined = make_unreadable(part, recipe.unreadable_share, folder / "unreadable" / split)
        rows[split] = [{"image": page["image"], "truth": page["report"].model_dump_json()} for page in part]
        rows[split] += [{"image": one["image"], "truth": ""} for one in ruined]

    # 3. 训练
    base, source, tokenizer = loading.prepare_base(sft)
    checkpoints = folder / "checkpoints" / fingerprint[:12]
    resume = saving.prune_and_find_checkpoint(checkpoints, from_scratch=args.force)
    model = load_tuned(source, start / "adapter", sft)
    processor = vision.page_processor(vision.load_image_processor(base, sft.max_pixels), tokenizer)
    trainer = build_trainer(recipe, model, processor, rows, checkpoints)
    trainer.train(resume_from_checkpoint=resume)

    # 4. 写下 adapter、training.json、曲线
    if trainer.is_world_process_zero():
        about = {name: record[name] for name in ("base_model", "base_identity")}
        about |= {"recipe": record["recipe"] | recipe.model_dump(exclude=OURS), "sft_run_name": recipe.sft_run_name}
        write_results(trainer, tokenizer, folder, fingerprint, about)
    return 0


def load_tuned(source: Path, adapter: Path, sft: VisionRecipe):
    """基座加上 SFT 练好的 LoRA，接着可以训练；怎样载入（Unsloth 或 transformers）与 SFT 时一样。"""
    from peft import load_peft_weights, set_peft_model_state_dict

    model = loading.load_with_lora(source, sft)
    set_peft_model_state_dict(model, load_peft_weights(str(adapter), device="cpu"))
    return model


def build_trainer(recipe: GrpoRecipe, model, processor, rows: dict[str, list[dict]], checkpoints: Path):
    """TRL 的 GRPOTrainer；rows 是 train 与 val 的 {"image", "truth"}。"""
    import torch
    from datasets import Dataset, Image
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    class MarkComplete(TrainerCallback):
        def on_save(self, args, state, control, **kwargs):
            if state.is_world_process_zero:
                saving.mark_complete(checkpoints / f"checkpoint-{state.global_step}")

    dtype = loading.training_dtype()
    settings = GRPOConfig(
        **recipe.model_dump(exclude=OURS),
        output_dir=str(checkpoints),
        reward_weights=list(WEIGHTS.values()),
        generation_kwargs={"suppress_tokens": [processor.image_token_id, processor.video_token_id]},  # 答出一个就多一张图
        per_device_eval_batch_size=recipe.per_device_train_batch_size,
        lr_scheduler_type="cosine",
        use_cpu=not torch.cuda.is_available(),
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16,
        eval_strategy="steps",
        eval_on_start=not saving.last_complete_checkpoint(checkpoints),
        save_strategy="steps",
        save_steps=recipe.eval_steps,
        load_best_model_at_end=True,
        metric_for_best_model="eval_reward",
        greater_is_better=True,
        logging_steps=1,
        report_to="none",
    )
    prompt = [{"role": "user", "content": READ_PROMPT}]

    def dataset(part: list[dict]):
        given = [row | {"image": str(row["image"]), "prompt": prompt} for row in part]
        return Dataset.from_list(given).cast_column("image", Image(mode="RGB"))

    return GRPOTrainer(
        model=model,
        reward_funcs=reward_functions(),
        args=settings,
        train_dataset=dataset(rows["train"]),
        eval_dataset=dataset(rows["val"]),
        processing_class=processor,
        callbacks=[MarkComplete()],
    )


def write_results(trainer, tokenizer, folder: Path, fingerprint: str, about: dict) -> None:
    """写下 adapter、training.json（各步、各部分的奖励）与曲线，记为训练完了。"""
    from health_assistant.plotting import new_figure

    names = {"reward": "reward"} | {name: f"rewards/{name}/mean" for name in WEIGHTS}
    curves: dict[str, list[dict]] = {"train": [], "held_out": []}
    for logs in trainer.state.log_history:
        for split, prefix in (("train", ""), ("held_out", "eval_")):
            if f"{prefix}reward" in logs:
                values = {name: logs[prefix + key] for name, key in names.items()}
                curves[split].append({"step": logs["step"]} | values)
    with saving.atomic_folder(folder / "adapter") as partial:
        trainer.model.save_pretrained(partial)
        tokenizer.save_pretrained(partial)
    best = max(curves["held_out"], key=lambda one: one["reward"])
    record = about | {"weights": WEIGHTS, "steps": trainer.state.global_step, "best_step": best["step"]} | curves
    artifacts.write_json(folder / "training.json", record)
    figure, axes = new_figure(12, 5, 2, 4)
    for axis, name in zip(axes, names, strict=True):
        for split, label in (("train", "训练"), ("held_out", "验证")):
            axis.plot(*zip(*((one["step"], one[name]) for one in curves[split]), strict=True), label=label)
        axis.set(title=name)
    axes[0].legend()
    with artifacts.atomic_path(folder / "rewards.png") as partial:
        figure.savefig(partial, format="png", dpi=100)
    written = [folder / name for name in ("adapter", "training.json", "rewards.png")]
    artifacts.mark_finished(folder, fingerprint, written)
    before, after = curves["held_out"][0]["reward"], best["reward"]
    print(f"验证集奖励 {before:.3f} → {after:.3f}（第 {best['step']} 步）\n写了：{'、'.join(map(str, written))}")


if __name__ == "__main__":
    sys.exit(main())
