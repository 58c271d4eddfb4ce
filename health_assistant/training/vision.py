"""图成为词元：Qwen2-VL 怎样缩图、一页多少个词元、放不放得下，以及带图的一批。"""

import json
import math
import shutil
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from health_assistant.command_line import BadInput
from health_assistant.images import upright_rgb
from health_assistant.training.batching import IGNORED, pad_batch
from health_assistant.training.checks import ControlToken
from health_assistant.training.recipe import VisionRecipe
from health_assistant.training.sft import IMAGE_PAD, encode, encode_prompt

TOKEN_SIDE = 28  # 14 像素的小块 2×2 合成一个词元
MIN_PIXELS = 56 * 56


def resized(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """（宽，高）-> Qwen2-VL 缩放后的（宽，高）：两边是 28 的倍数，总像素在 MIN_PIXELS 与 max_pixels 之间。

    一边是另一边的 200 倍以上抛 ValueError：模型也拒绝。
    """
    from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import smart_resize

    height, width = smart_resize(size[1], size[0], TOKEN_SIDE, MIN_PIXELS, max_pixels)
    return width, height


def image_tokens(size: tuple[int, int], max_pixels: int) -> int:
    """（宽，高）的图缩到 max_pixels 以内以后，占几个词元。"""
    return math.prod(resized(size, max_pixels)) // TOKEN_SIDE**2


def page_size(page: Path) -> tuple[int, int]:
    """一页的图摆正之后的（宽，高）。"""
    from PIL import Image, ImageOps

    with Image.open(page) as image:
        return ImageOps.exif_transpose(image).size


def longest_prompt(pages: Iterable[Path], prompt: str, tokenizer, max_pixels: int) -> int:
    """对各页问 prompt，最长的提问（连同图）有多少个词元。"""
    most = max(image_tokens(page_size(page), max_pixels) for page in {*pages})
    return len(encode_prompt(question(prompt), tokenizer, most))


def question(prompt: str) -> list[dict]:
    """模板认的提问；与接口上的 `lab_report.vl_protocol.read_messages` 渲染出来相同。"""
    return [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": prompt}]}]


def encode_pages(rows: list[dict], tokenizer, recipe: VisionRecipe) -> list[dict]:
    """{"image", "prompt", "answer", "text_height"} 的各行 -> 词元与图的位置。

    有一行放不下、文字里有控制词元，抛 `BadInput`，说是哪一页。
    """
    encoded, sizes = [], {}
    for row in rows:
        if row["image"] not in sizes:
            sizes[row["image"]] = page_size(row["image"])
        tokens = image_tokens(sizes[row["image"]], recipe.max_pixels)
        messages = [*question(row["prompt"]), {"role": "assistant", "content": row["answer"]}]
        try:
            ids_and_labels = encode(messages, tokenizer, tokens)
        except ControlToken as error:
            raise BadInput(f"{row['image']} 的{error}：在它的标签里去掉") from None
        encoded.append(ids_and_labels | {"page": str(row["image"]), "image_tokens": tokens})
    check_length(encoded, recipe)
    check_text_height(rows, sizes, recipe)
    return encoded


def check_length(encoded: list[dict], recipe: VisionRecipe) -> None:
    """最长的一条要装得下，从来不截断；装不下抛 `BadInput`，指出哪一条、该设成多少。"""
    longest = max(encoded, key=lambda row: len(row["input_ids"]))
    needed, tokens, limit = len(longest["input_ids"]), longest["image_tokens"], recipe.max_length
    if needed <= limit:
        return
    prompt = longest["labels"].count(IGNORED)
    part = "这一页（图与提问）" if prompt > limit else "回答的末尾"
    room = (limit - needed + tokens) * TOKEN_SIDE**2
    smaller = f"，或 max_pixels 减到 {room}（字会更小）" if room > MIN_PIXELS else ""
    raise BadInput(
        f"{longest['page']} 放不下，{part}会被切掉：图 {tokens} 个词元，提问 {prompt - tokens}，"
        f"回答 {needed - prompt}，共 {needed}，而 max_length 是 {limit}。把 max_length 设成 {needed} 以上{smaller}"
    )


def check_text_height(rows: list[dict], sizes: dict, recipe: VisionRecipe) -> None:
    """缩小之后，数字最矮的一页也要认得出；不知道字高的页不查。认不出抛 `BadInput`。"""
    shown = []
    for row in rows:
        scale = resized(sizes[row["image"]], recipe.max_pixels)[0] / sizes[row["image"]][0]
        if row["text_height"]:
            shown.append((row["text_height"] * scale, scale, str(row["image"]), sizes[row["image"]]))
    height, scale, page, size = min(shown, default=(math.inf, 1.0, "", (1, 1)))
    if height < recipe.min_text_height:
        enough = math.ceil(math.prod(size) * (scale * recipe.min_text_height / height) ** 2 * 1.05)
        raise BadInput(
            f"{page} 会缩到原来的 {scale:.2f} 倍，字只有 {height:.1f} 像素高，认不出来。"
            f"把 max_pixels 设成 {enough} 以上（max_length 也要跟上），或把 min_text_height 调低"
        )


def load_image_processor(folder: Path, max_pixels: int | None = None):
    """不给 max_pixels 就用 folder 里写的。没有 torchvision（课程的 CPU 环境）时用 PIL 写的一份，结果相同。"""
    if find_spec("torchvision"):
        from transformers import Qwen2VLImageProcessor as ImageProcessor
    else:
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
            Qwen2VLImageProcessorPil as ImageProcessor,
        )
    budget = {"max_pixels": max_pixels} if max_pixels else {}
    return ImageProcessor.from_pretrained(folder, min_pixels=MIN_PIXELS, **budget)


def open_page(page: Path):
    """一页的图，摆正了的 RGB。"""
    from PIL import Image

    with Image.open(page) as image:
        return upright_rgb(image)


def with_pixels(batch: dict, images: list, image_processor, tokenizer) -> dict:
    """一批词元（input_ids [条数, 长]）加上摆正的图；mm_token_type_ids 说哪些词元是图，位置编码由此而来。"""
    pixels = image_processor(images=images, return_tensors="pt")
    batch["mm_token_type_ids"] = (batch["input_ids"] == tokenizer.convert_tokens_to_ids(IMAGE_PAD)).int()
    return batch | {"pixel_values": pixels["pixel_values"], "image_grid_thw": pixels["image_grid_thw"]}


def page_collator(image_processor, tokenizer):
    """返回把几行训练数据变成一批张量的函数：补齐的词元（B, L）与各页的像素。"""

    def collate(rows: list[dict]) -> dict:
        batch = pad_batch(rows, tokenizer.pad_token_id)
        return with_pixels(batch, [open_page(row["page"]) for row in rows], image_processor, tokenizer)

    return collate


def page_processor(base: Path, max_pixels: int):
    """base 的图像处理与分词器合成 transformers 的 Processor，GRPOTrainer 要它；没有视频的一份，那要 torchvision。

    左边补齐：GRPOTrainer 的提问在左边补，图的位置（mm_token_type_ids）却照分词器补，不一样就悄悄错开。
    """
    from transformers import AutoTokenizer, ProcessorMixin, Qwen2VLProcessor

    class PageProcessor(Qwen2VLProcessor):
        def __init__(self, image_processor=None, tokenizer=None, chat_template=None):
            for kind in ("image", "video"):
                token = f"<|{kind}_pad|>"
                setattr(self, f"{kind}_token", token)
                setattr(self, f"{kind}_token_id", tokenizer.convert_tokens_to_ids(token))
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    tokenizer = AutoTokenizer.from_pretrained(base, padding_side="left")
    return PageProcessor(load_image_processor(base, max_pixels), tokenizer, tokenizer.chat_template)


def generation_inputs(pages: list, prompt: str, image_processor, tokenizer, max_pixels: int) -> dict:
    """对几页各问一句的输入，左边补齐：input_ids、attention_mask 各 [页数, 最长的一页]，另有图的几项。"""
    images = [open_page(page) for page in pages]
    sizes = [image_tokens(image.size, max_pixels) for image in images]
    prompts = [encode_prompt(question(prompt), tokenizer, size) for size in sizes]
    batch = tokenizer.pad({"input_ids": prompts}, padding_side="left", return_tensors="pt")
    return with_pixels(dict(batch), images, image_processor, tokenizer)


def save_processor(base: Path, target: Path, max_pixels: int) -> None:
    """基座的图像处理与模板抄到 target，像素预算写进去：部署时与训练时看到的一样大。"""
    for name in ("preprocessor_config.json", "video_preprocessor_config.json", "chat_template.json"):
        if (base / name).is_file() and not (target / name).exists():
            shutil.copyfile(base / name, target / name)
    file = target / "preprocessor_config.json"
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings |= {"min_pixels": MIN_PIXELS, "max_pixels": max_pixels}
    settings["size"] = {"shortest_edge": MIN_PIXELS, "longest_edge": max_pixels}
    file.write_text(json.dumps(settings, indent=2), encoding="utf-8")
