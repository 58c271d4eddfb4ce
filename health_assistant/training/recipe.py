"""训练的配方：一次训练的全部设置。读法在 health_assistant/recipe_files.py。

键是 TRL 的 SFTConfig、ModelConfig、ScriptArguments，PEFT 与 EarlyStoppingCallback 自己的名字；没有同名的才是我们的。
"""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from health_assistant import recipe_files
from health_assistant.lab_report.vl_protocol import READ_PROMPT
from health_assistant.training.tiny_models import identity_of

VISION_LINEAR_LAYERS = ["qkv", "proj", "fc1", "fc2", "gate_proj", "up_proj", "down_proj"]  # Qwen2-VL 与 Qwen2.5-VL 的
LINEAR_LAYERS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
Share = Annotated[float, Field(ge=0, le=1)]


def _installed(package: str) -> str:
    how = {"unsloth": "-r 0-env-init/requirements-gpu.txt"}.get(package, package)
    if package in ("unsloth", "tensorboard", "swanlab") and not find_spec(package):
        raise ValueError(f"没有安装 {package}：python -m pip install {how}")
    return package


class Recipe(recipe_files.Recipe):
    """语言模型的一次训练。"""

    quantized_model: str = Field("", description="基座已量化成 4 位的一份，训练时少下载；合并仍用 model_name_or_path")
    dataset_name: recipe_files.FolderName = Field("tiny", description="prepare_train_data.py 备好的数据的名字")
    backend: Annotated[Literal["auto", "unsloth", "transformers"], AfterValidator(_installed)] = Field(
        "auto", description="auto：有 CUDA 又装了 Unsloth 就用它"
    )
    load_in_4bit: bool = Field(False, description="基座量化成 4 位再训练（QLoRA）")
    bf16: bool = Field(False, description="没有 GPU 时也用 bf16：要 CPU 有这种指令，没有的照旧 32 位；GPU 上总是 16 位")
    max_length: PositiveInt = Field(512, description="一段对话最多多少个词元；更长的不用，不截断（会没有结束词元）")
    lora_r: PositiveInt = Field(16, description="LoRA 的秩")
    lora_alpha: PositiveInt = Field(32, description="LoRA 的缩放")
    lora_dropout: float = Field(0.0, ge=0, lt=1, description="LoRA 的 dropout；0 时 Unsloth 最快")
    lora_target_modules: list[str] = Field(LINEAR_LAYERS, description="加 LoRA 的层；默认是全部线性层")
    gradient_checkpointing: bool = Field(False, description="时间换显存：反向时重算各层")
    activation_offloading: bool = Field(False, description="重算要的各层的输入放在内存里，更省显存")
    # 没有同名的：per_device_train_batch_size 是一张卡一次前向的行数；这里更新的行数与卡数无关，前向的行数不定
    update_rows: PositiveInt = Field(8, description="更新一次参数用多少条对话；几张卡也是合起来这么多")
    pass_tokens: PositiveInt = Field(4096, description="每张卡一次前向最多多少个词元，填充也算；显存多半由它定")
    # 默认值由 H100 上 14B QLoRA 每次 240 词元与装满的速度算出（3-fine-tuning-llm/results/gpu.md）
    pass_overhead: NonNegativeInt = Field(2000, description="多一次前向的开销抵多少个词元；算的填充不比它多才并成一次")
    num_train_epochs: PositiveFloat = Field(3.0, description="训练数据过几遍")
    max_steps: int = Field(-1, description="最多更新几次参数；-1 由 num_train_epochs 决定")
    learning_rate: PositiveFloat = Field(2e-4, description="峰值学习率；随后按余弦降到 0")
    warmup_steps: NonNegativeInt = Field(10, description="学习率从 0 升到峰值要的更新次数")
    weight_decay: NonNegativeFloat = Field(0.0, description="权重衰减")
    eval_steps: PositiveInt = Field(50, description="每更新几次参数就测验证集的损失、存检查点")
    early_stopping_patience: NonNegativeInt = Field(3, description="验证损失连续几次不降就提前停；0 不提前停")
    save_total_limit: int = Field(3, ge=2, description="留几个检查点；至少 2 个，正在写的一个坏了还有上一个")
    seed: int = Field(0, description="随机种子")
    report_to: Annotated[Literal["none", "tensorboard", "swanlab"], AfterValidator(_installed)] = Field(
        "none", description="另外把曲线记到哪里"
    )

    def what_shapes_the_result(self) -> dict:
        """决定训练结果的设置，基座写它的身份；曲线记到哪里、留几个检查点不算。"""
        shaping = self.model_dump(exclude={"run_name", "report_to", "save_total_limit"})
        return shaping | {"model_name_or_path": self.base_identity}

    @property
    def vision(self) -> bool:
        """是视觉模型的配方。"""
        return isinstance(self, VisionRecipe)

    @property
    def base_identity(self) -> str:
        """基座的身份：改了它，产物就要重做。"""
        return identity_of(self.model_name_or_path, self.vision)


class VisionRecipe(Recipe):
    """视觉模型的一次训练：多了像素预算、训练哪些部分、题目的比例。"""

    dataset_name: recipe_files.FolderName = Field("tiny", description="render_reports.py 画好的数据的名字")
    max_length: PositiveInt = Field(4096, description="图、提问、回答合起来最多多少个词元；有一条放不下就不开始训练")
    max_pixels: PositiveInt = Field(2560 * 784, description="一页最多多少像素，784 像素一个词元；更大的图先缩小")
    min_text_height: float = Field(10.0, description="缩小之后数字至少几像素高；再小就认不出，不开始训练")
    vision_layers: bool = Field(False, description="看图的层也加 LoRA；有的推理框架不认，要合并之后再用")
    lora_modules_to_save: list[str] = Field([], description="不用 LoRA、整个训练的部分，随机权重的基座才需要")
    abnormal_share: Share = Field(0.1, description="每张报告另出一道“哪些项目异常”的概率")
    unreadable_share: Share = Field(0.05, description="另有这么大比例的页破坏到读不出，教模型答“看不清”")
    question_share: Share = Field(0.2, description="每张报告另出一道“某一项是多少”的概率")

    def what_shapes_the_result(self) -> dict:
        """同 `Recipe`，另有读化验单的提问：换了问法要重练。"""
        return super().what_shapes_the_result() | {"read_prompt": READ_PROMPT}


class GrpoRecipe(recipe_files.Recipe):
    """一次 GRPO。除了头两项，键都是 TRL 的 GRPOConfig 自己的名字；LoRA 与图的设置随 SFT 的那一次。"""

    sft_run_name: str = Field("tiny", description="从哪一次 train_vl.py 的 adapter 开始；基座也是它的")
    unreadable_share: Share = Field(0.05, description="另有这么大比例的页破坏到读不出：说看不清才有奖励")
    num_generations: int = Field(8, ge=2, description="一页答几遍，互相比")
    per_device_train_batch_size: PositiveInt = Field(8, description="一次前向几个回答")
    gradient_accumulation_steps: PositiveInt = Field(1, description="几次前向更新一次参数")
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

    @model_validator(mode="after")
    def _whole_groups(self) -> "GrpoRecipe":
        if self.per_device_train_batch_size % self.num_generations:
            raise ValueError(f"per_device_train_batch_size 要是 num_generations（{self.num_generations}）的倍数")
        return self

    def of_trl(self) -> dict:
        """照原样传给 GRPOConfig 的各项。"""
        return self.model_dump(exclude={"model_name_or_path", "sft_run_name", "unreadable_share"})


def lora_targets(recipe: Recipe) -> list[str] | str:
    """PEFT 的 target_modules。视觉模型里两边有同名的层，要写成正则才分得开。"""
    if not isinstance(recipe, VisionRecipe):
        return recipe.lora_target_modules
    language = rf".*language_model.*\.({'|'.join(recipe.lora_target_modules)})"
    vision = rf".*visual\.blocks.*\.({'|'.join(VISION_LINEAR_LAYERS)})"
    return f"{language}|{vision}" if recipe.vision_layers else language
