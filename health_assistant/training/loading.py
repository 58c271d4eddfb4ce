"""找到基座、载入并加上 LoRA；放不放得下由 memory.py 算。

有 CUDA 又装了 Unsloth 就用它，否则用 transformers + peft；往后的代码两边共用。
"""

import logging
import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from health_assistant.command_line import BadInput
from health_assistant.hub import HubError, download_model
from health_assistant.training import precision
from health_assistant.training.memory import (
    DoesNotFit,
    Estimate,
    embedding_in_memory,
    for_running,
    for_training,
    model_class,
)
from health_assistant.training.recipe import GrpoRecipe, Recipe, VisionRecipe, lora_targets
from health_assistant.training.tiny_models import build_tiny_llm, build_tiny_vl, use_one_thread_if_small


def find_model(name: str, vision: bool = False) -> Path:
    """基座的本地目录：tiny 现造，模型站上的名字由 hub.py 下载；得不到抛 `BadInput`。"""
    if name == "tiny":
        return build_tiny_vl() if vision else build_tiny_llm()
    if Path(name).is_dir():
        return Path(name)
    try:
        return download_model(name)
    except HubError as error:
        raise BadInput(f"{error}。先下载到本地，再把 model_name_or_path 写成它的目录") from error


def uses_unsloth(recipe: Recipe) -> bool:
    """auto：有 CUDA 又装了 Unsloth。没装也能训练，只是慢些，所以不算错。"""
    if recipe.backend != "auto":
        return recipe.backend == "unsloth"
    import torch

    return torch.cuda.is_available() and find_spec("unsloth") is not None


def prepare_base(recipe: Recipe) -> tuple[Path, Path, Any]:
    """基座的目录、训练时载入的目录（可能是量化好的一份）、分词器；还不读权重。得不到、用不了抛 `BadInput`。"""
    # Unsloth 的统计在连不上网的地方要等两分钟
    os.environ.update(UNSLOTH_DISABLE_STATISTICS="1", TOKENIZERS_PARALLELISM="false")
    if uses_unsloth(recipe):
        import unsloth  # noqa: F401  要在 transformers 与 trl 的类之前导入，它替换其中一些
    from accelerate import PartialState
    from transformers.utils import logging as transformers_logging

    transformers_logging.disable_progress_bar()  # 连同下载的：它们盖住我们自己的
    transformers_logging.set_verbosity_error()
    logging.getLogger("trl").setLevel(logging.ERROR)
    state = PartialState()
    with state.main_process_first():  # accelerate launch 时只有一个进程下载或现造基座
        base = find_model(recipe.model_name_or_path, recipe.vision)
        source = find_model(recipe.quantized_model) if recipe.quantized_model else base
    return base, source, load_tokenizer(base, recipe.vision)


def check_memory(
    base: Path, recipe: Recipe, longest: int, smaller: str = "", grpo: GrpoRecipe | None = None
) -> Estimate:
    """训练要多少内存，说出来；放不下抛 DoesNotFit。比读权重早。

    longest 是最长的一行（grpo 时是提问）有多少词元；smaller 是放不下时还可以换什么。
    """
    from accelerate import PartialState

    needed = for_training(base, recipe, longest, grpo)
    engine = "Unsloth" if uses_unsloth(recipe) else "transformers + peft"
    dtype = str(precision.training_dtype(recipe.bf16)).removeprefix("torch.")
    sizes = f"参数 {needed.parameters / 1e6:,.1f} M，要训练的 {needed.trainable / 1e6:,.2f} M"
    how = f"{recipe.model_name_or_path}，用 {engine}，{dtype}"
    PartialState().print(f"配方 {(grpo or recipe).run_name}：{how}，{sizes}；{needed}")
    if needed.shortage:
        raise DoesNotFit(needed.shortage, grpo_remedy(grpo) if grpo else remedy(recipe, smaller))
    return needed


def remedy(recipe: Recipe, smaller: str) -> str:
    """放不下时可以怎么办。"""
    ways = ["关掉占着显存或内存的程序"]
    if recipe.pass_tokens > recipe.max_length:
        ways.append(f"pass_tokens 减到 {recipe.max_length}（结果一样，只是慢些）")
    if not recipe.gradient_checkpointing:
        ways.append("gradient_checkpointing: true 与 activation_offloading: true")
    if not recipe.load_in_4bit:
        ways.append("load_in_4bit: true（或换 -qlora 的配方）")
    return "；".join([*ways, f"max_length 从 {recipe.max_length} 调小", smaller])


def grpo_remedy(recipe: GrpoRecipe) -> str:
    """同 `remedy`，放不下的是 GRPO。"""
    ways = ["关掉占着显存或内存的程序"]
    if not recipe.gradient_checkpointing:
        ways.append("gradient_checkpointing: true")
    ways.append("per_device_train_batch_size 与 num_generations 一起调小，gradient_accumulation_steps 相应加大")
    return "；".join([*ways, "max_completion_length 调小（要装得下最长的回答）"])


def load_tokenizer(folder: Path, vision: bool = False):
    """folder 的分词器；对话模板不是 ChatML、（vision 时）没有图的位置，抛 `BadInput`。"""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    probe = [{"role": "user", "content": "问"}]
    as_text = {"tokenize": False, "add_generation_prompt": True}
    rendered = tokenizer.chat_template and tokenizer.apply_chat_template(probe, **as_text)
    if not rendered or not rendered.endswith("<|im_start|>user\n问<|im_end|>\n<|im_start|>assistant\n"):
        raise BadInput(f"{folder} 的对话模板不是 ChatML：基座请用 Qwen2.5-Instruct 一类的模型")
    if vision:
        shown = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "问"}]}]
        if "<|vision_start|><|image_pad|><|vision_end|>问" not in tokenizer.apply_chat_template(shown, tokenize=False):
            raise BadInput(f"{folder} 的对话模板里没有图的位置：基座请用 Qwen2-VL-Instruct 一类的模型")
    return tokenizer


def load_with_lora(folder: Path, recipe: Recipe):
    """载入基座，加上还没训练的 LoRA。随机数由 recipe.seed 定，断点续训才能复原。"""
    from transformers import set_seed

    set_seed(recipe.seed)
    model = (_load_with_unsloth if uses_unsloth(recipe) else _load_with_transformers)(folder, recipe)
    use_one_thread_if_small(model)
    return model


def _load_with_unsloth(folder: Path, recipe: Recipe):
    from unsloth import FastLanguageModel, FastVisionModel

    fast = FastVisionModel if recipe.vision else FastLanguageModel
    # "unsloth" 是它自己的一种：重算，各层的输入挪到内存
    checkpointing = recipe.gradient_checkpointing and ("unsloth" if recipe.activation_offloading else True)
    model, _ = fast.from_pretrained(
        model_name=str(folder),
        max_seq_length=recipe.max_length,
        load_in_4bit=recipe.load_in_4bit,
        load_in_16bit=not recipe.load_in_4bit,
        use_gradient_checkpointing=checkpointing,
        # 默认看空着多少再定；定下来，估计才说得准。几个进程的不行，DDP 不认跨着设备的模型
        offload_embedding=recipe.load_in_4bit and int(os.environ.get("WORLD_SIZE", 1)) == 1,
        random_state=recipe.seed,
    )
    where: dict[str, Any] = {"target_modules": recipe.lora_target_modules}
    if isinstance(recipe, VisionRecipe):  # 不写层的名字，写哪些部分
        where = {f"finetune_{part}": True for part in ("language_layers", "attention_modules", "mlp_modules")}
        where["finetune_vision_layers"] = recipe.vision_layers
        where["modules_to_save"] = recipe.lora_modules_to_save or None
    return fast.get_peft_model(
        model,
        r=recipe.lora_r,
        lora_alpha=recipe.lora_alpha,
        lora_dropout=recipe.lora_dropout,
        bias="none",
        use_gradient_checkpointing=checkpointing,
        random_state=recipe.seed,
        **where,
    )


def _load_with_transformers(folder: Path, recipe: Recipe):
    import torch
    from peft import LoraConfig, get_peft_model

    options = {"dtype": precision.training_dtype(recipe.bf16)}
    if torch.cuda.is_available():
        options["device_map"] = {"": int(os.environ.get("LOCAL_RANK", 0))}  # accelerate launch：一个进程一张卡
    if recipe.load_in_4bit:
        options["quantization_config"] = four_bits(options["dtype"])
    model = model_class(recipe.vision).from_pretrained(folder, **options)
    if embedding_in_memory(model, recipe):
        keep_embedding_in_memory(model)
    return get_peft_model(
        model,
        LoraConfig(
            r=recipe.lora_r,
            lora_alpha=recipe.lora_alpha,
            lora_dropout=recipe.lora_dropout,
            target_modules=lora_targets(recipe),
            modules_to_save=getattr(recipe, "lora_modules_to_save", None) or None,
            task_type="CAUSAL_LM",
        ),
    )


def keep_embedding_in_memory(model) -> None:
    """把输入一侧的词表挪到内存，在那里查；查到的几千行再送回卡上。Unsloth 的 offload_embedding 就是这样。"""
    table, place = model.get_input_embeddings().to("cpu"), model.get_output_embeddings().weight.device
    table.register_forward_pre_hook(lambda module, given: (given[0].to(module.weight.device),))
    table.register_forward_hook(lambda module, given, rows: rows.to(place))
    table._apply = lambda *args: table  # accelerate 准备模型时整个 model.to(卡)，会把它带回去


def four_bits(dtype):
    """QLoRA 的量化：NF4，缩放系数再量化一次；还原成 dtype 再算。"""
    from transformers import BitsAndBytesConfig

    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )


IfShort = Literal["offload", "four_bits", "refuse"]


def how_to_run(folder: Path, vision: bool = False, if_short: IfShort = "offload") -> dict[str, Any]:
    """推理时 from_pretrained 的选项；精度见 `running_dtype`。要多少先说（在标准错误上）。

    放不下时照 if_short：offload（评测）提醒一声，有的层放到内存里；four_bits（对话）在 GPU 上载入时量化到 4 位；
    refuse（服务）不载入。还是放不下的抛 DoesNotFit。
    """
    import torch
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(folder)
    on_gpu, dtype = torch.cuda.is_available(), precision.running_dtype(config)
    options: dict[str, Any] = {"dtype": dtype} | ({"device_map": {"": 0}} if on_gpu else {})
    if "bnb_4bit_compute_dtype" in getattr(config, "quantization_config", {}):  # 多半写着还原成 bf16 再算，老卡上不要
        config.quantization_config["bnb_4bit_compute_dtype"] = str(dtype).removeprefix("torch.")
        options["config"] = config
    needed = for_running(folder, vision, width=dtype.itemsize)
    if needed.shortage and if_short == "four_bits" and on_gpu and find_spec("bitsandbytes"):
        print(f"16 位{needed.shortage}。改成载入时量化到 4 位，回答会略有不同", file=sys.stderr)
        needed = for_running(folder, vision, in_4bit=True)
        options["quantization_config"] = four_bits(precision.training_dtype())
    print(f"载入 {folder.name}，{needed}", file=sys.stderr)
    if needed.shortage and if_short != "offload":
        remedy = "关掉占着它的程序，换成 4 位的一份（名字里有 bnb-4bit）加 adapter，或换小一号的配方"
        raise DoesNotFit(f"{needed.shortage}。{remedy}")
    if needed.shortage:
        print(f"! {needed.shortage}：有的层要放到别处（显存放不下的放内存），慢很多", file=sys.stderr)
    if on_gpu and if_short == "offload":
        options["device_map"] = "auto"
    return options


def load_to_run(folder: Path, vision: bool = False, if_short: IfShort = "offload", adapter: Path | None = None):
    """评测、服务、对话用的模型，加上 adapter；选项见 `how_to_run`。"""
    model = model_class(vision).from_pretrained(folder, **how_to_run(folder, vision, if_short))
    use_one_thread_if_small(model)
    if adapter:
        from peft import PeftModel

        model = PeftModel.from_pretrained(model, adapter)
    return model.eval()
