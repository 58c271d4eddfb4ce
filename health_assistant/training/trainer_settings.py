"""配方成为 trl 的设置：SFTConfig（监督微调），与 GRPOConfig 一样的各项。"""

from pathlib import Path

from health_assistant.training import precision
from health_assistant.training.loading import uses_unsloth
from health_assistant.training.recipe import GrpoRecipe, Recipe
from health_assistant.training.saving import last_complete_checkpoint

SAME_NAMES = {  # 配方里与 SFTConfig 同名、原样传过去的各项
    *("run_name", "report_to", "seed", "max_length", "gradient_checkpointing", "num_train_epochs", "max_steps"),
    *("learning_rate", "warmup_steps", "weight_decay", "eval_steps", "save_total_limit"),
}


def shared_settings(recipe: Recipe | GrpoRecipe, checkpoints: Path) -> dict:
    """SFTConfig 与 GRPOConfig 一样的各项：精度，每 eval_steps 步验证、存检查点，最后留最好的一个；进度条用我们的。"""
    import torch

    dtype = precision.training_dtype(getattr(recipe, "bf16", False))
    return {
        "output_dir": str(checkpoints),
        "lr_scheduler_type": "cosine",
        "use_cpu": not torch.cuda.is_available(),
        "bf16": dtype == torch.bfloat16,
        "fp16": dtype == torch.float16,
        "eval_strategy": "steps",
        "eval_on_start": not last_complete_checkpoint(checkpoints),
        "save_strategy": "steps",
        "save_steps": recipe.eval_steps,
        "load_best_model_at_end": True,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
    }


def sft_settings(recipe: Recipe, checkpoints: Path):
    """配方成为 trl 的 SFTConfig。"""
    import torch
    from trl import SFTConfig

    unsloth, in_16_bits = uses_unsloth(recipe), precision.training_dtype(recipe.bf16) != torch.float32
    offload = torch.cuda.is_available() and recipe.activation_offloading  # 重算要的各层输入放在内存；Unsloth 自己会
    return SFTConfig(
        **recipe.model_dump(include=SAME_NAMES),
        **shared_settings(recipe, checkpoints),
        per_device_train_batch_size=recipe.update_rows,  # 一项就是一次更新，由 training_step 切开
        gradient_accumulation_steps=1,
        optim="adamw_torch",
        gradient_checkpointing_kwargs=None if unsloth else {"use_reentrant": False, "offload": offload},
        # 词表 15 万，整块的 logits 要几 GB：分块算，只算计损失的词元；32 位的 CPU 上不快，Unsloth 有自己的一套
        loss_type="chunked_nll" if in_16_bits and not unsloth else "nll",
        packing=False,
        padding_free=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        metric_for_best_model="eval_loss",
        greater_is_better=False,
        restore_callback_states_from_checkpoint=True,
        ddp_find_unused_parameters=False,
    )
