"""用 transformers 回答：语言模型或 Qwen2-VL、Qwen2.5-VL，可以带几个 LoRA；CPU 或一张 GPU。

一次生成一个回答，其余的排队：同时服务很多人是 vLLM 的事。
"""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from jinja2 import TemplateError

from health_assistant import artifacts
from health_assistant.images import BadImage, open_image, upright_rgb
from health_assistant.training import precision
from health_assistant.training.loading import find_model, load_to_run, load_tokenizer
from health_assistant.training.sft import TURN_END, encode_prompt
from health_assistant.training.vision import image_tokens, load_image_processor, with_pixels
from model_server.protocol import Answer, ChatRequest, Message, RequestError, TokenizeRequest, unsupported
from model_server.streamer import AnswerStreamer

WAITING = 16
"""最多几个请求排队；再来的立刻答 429。"""
MAX_TOKENS = 2048
"""没有说 max_tokens 时的上限：没学会停的模型会一直写下去，后面排队的都要等它。"""
MAX_IMAGES = 4
COLDEST = 0.01
"""比它还低的 temperature 当作 0：除出来的数会溢出。"""
MOST_CHARACTERS = 16
"""一个词元平均不会超过这么多字。再长的必定放不下，不去切词：切几十兆的文字要几分钟。"""
VISION_MODELS = ("qwen2_vl", "qwen2_5_vl")


class TransformersBackend:
    """transformers 的模型，一次答一个，别的排队；几个 LoRA 共用一个基座。"""

    def __init__(self, model: str, adapters: dict[str, Path], served_name: str) -> None:
        """装好模型；装不了抛 BadInput、OSError、ValueError，放不下抛 DoesNotFit。adapters 是名字与 PEFT 目录。"""
        from transformers import AutoConfig

        folder = find_model(model)
        config = AutoConfig.from_pretrained(folder)
        self._sees = config.model_type in VISION_MODELS
        if hasattr(config, "vision_config") and not self._sees:
            raise ValueError(f"{model} 是 {config.model_type}：看图的模型只支持 {'、'.join(VISION_MODELS)}")
        self._model = load_to_run(folder, self._sees, if_short="refuse")
        self._tokenizer = load_tokenizer(folder, vision=self._sees)
        self._context = config.get_text_config().max_position_embeddings

        self.models = (served_name, *adapters)
        self._lora = _add_adapters(self._model, list(adapters.values()))
        self._image_processors = {}
        if self._sees:
            budgets = {served_name: None} | {name: pixel_budget(path) for name, path in adapters.items()}
            self._image_processors = {name: load_image_processor(folder, most) for name, most in budgets.items()}

        self._ends = turn_ends(self._model, self._tokenizer)
        special = self._tokenizer.added_tokens_decoder.values()
        self._special_tokens = [token.content for token in special if token.special]

        self._preparing = threading.Lock()  # 大照片解开有 150 MB，一次只解一个请求的
        self._places = threading.BoundedSemaphore(1 + WAITING)
        self._worker = ThreadPoolExecutor(max_workers=1)  # 先来先答

    def answer(self, chat: ChatRequest) -> Answer:
        """开始答 chat；排满了、做不到、太长的抛 RequestError。"""
        if chat.response_format and chat.response_format.type != "text":
            remedy = "去掉它，在提问里说清要的 JSON；要按格式约束输出，用 vLLM 后端"
            raise unsupported("response_format", chat.response_format.type, remedy)
        if not self._places.acquire(blocking=False):
            raise RequestError(429, "server_busy", "排队的人满了。请过几秒再试。")
        try:
            inputs, settings = self._prepare(chat)
        except BaseException:
            self._places.release()
            raise
        streamer = AnswerStreamer(self._tokenizer, chat.stop)
        prompt_tokens = inputs["input_ids"].shape[1]
        running = self._worker.submit(self._generate, chat.model, chat.seed, inputs, settings, streamer)
        running.add_done_callback(lambda _: self._places.release())

        def give_up() -> None:
            streamer.cancelled.set()
            if running.cancel():
                inputs.clear()  # 轮到它之前，执行器还留着这个任务；图别留着

        answer = Answer(iter(()), prompt_tokens=prompt_tokens, close=give_up)
        answer.pieces = self._pieces(answer, streamer, running)
        return answer

    def _pieces(self, answer: Answer, streamer: AnswerStreamer, running: Future) -> Iterator[str]:
        yield from streamer
        running.result()  # 生成时出了错，在这里抛
        answer.completion_tokens = streamer.tokens
        ended = streamer.stopped or streamer.last_token in self._ends
        answer.finish_reason = "stop" if ended else "length"

    def tokenize(self, conversation: TokenizeRequest) -> tuple[list[int], int]:
        """见 `Backend.tokenize`。"""
        with self._preparing:
            messages, images = self._render(conversation.messages)
            tokens = self._encode(conversation.model, messages, images, conversation.add_generation_prompt)
            return tokens, self._context

    # ---- 请求 -> 模型的输入 ----

    def _prepare(self, chat: ChatRequest) -> tuple[dict, dict]:
        """generate 的输入与设置。放不下、看不了时抛 `RequestError`。"""
        import torch

        with self._preparing:
            messages, images = self._render(chat.messages)
            ids = self._encode(chat.model, messages, images)
            room = self._context - len(ids)
            if room < 1:
                raise self._too_long(f"{len(ids)} 个词元")
            inputs = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
            if images:
                inputs = with_pixels(inputs, images, self._image_processors[chat.model], self._tokenizer)
        return inputs, self._settings(chat, room)

    def _render(self, messages: list[Message]) -> tuple[list[dict], list]:
        """接口的消息 -> 模板认的消息，与依次的图（摆正的 PIL 图片）。"""
        urls = [part.image_url for message in messages for part in message.content if part.type == "image_url"]
        if urls and not self._sees:
            raise RequestError(400, "images_not_supported", "这个模型不看图，只收文字。", "messages")
        if len(urls) > MAX_IMAGES:
            raise RequestError(400, "too_many_images", f"一次最多 {MAX_IMAGES} 张图，收到 {len(urls)} 张。", "messages")
        length = sum(len(message.text) for message in messages)
        if length > self._context * MOST_CHARACTERS:
            raise self._too_long(f"{length} 个字")
        rendered = []
        for at, message in enumerate(messages):
            self._refuse_special_tokens(message, f"messages.{at}.content")
            parts = [
                {"type": "text", "text": part.text} if part.type == "text" else {"type": "image"}
                for part in message.content
            ]
            role = "system" if message.role == "developer" else message.role
            rendered.append({"role": role, "content": parts if self._sees else message.text})
        try:
            return rendered, [upright_rgb(open_image(url.data())) for url in urls]
        except BadImage as error:
            raise RequestError(400, error.code, str(error), "image_url") from error

    def _too_long(self, length: str) -> RequestError:
        words = f"对话有 {length}，模型最多 {self._context} 个词元，还要留出回答的。请删短，或换小一些的图。"
        return RequestError(400, "context_length_exceeded", words, "messages")

    def _refuse_special_tokens(self, message: Message, where: str) -> None:
        """模板渲染成一整段文字才切词（训练时也是），混进来的 <|im_end|> 就成了真的：能冒充一轮对话、一张图。

        拒绝而不是悄悄去掉：去掉之后模型看到的就不是对方写的了。各段挨着渲染，所以连起来查。
        """
        text = "".join(part.text for part in message.content if part.type == "text")
        token = next((token for token in self._special_tokens if token in text), None)
        if token:
            reason = f"{where}：里面有 {token}，它是模型的控制词元，不能出现在文字里。请去掉或改个写法。"
            raise RequestError(400, "special_token_in_text", reason, where)

    def _encode(self, name: str, messages: list[dict], images: list, add_generation_prompt: bool = True) -> list[int]:
        """和训练时用的同一个 `encode_prompt`。"""
        counts = [image_tokens(image.size, self._image_processors[name].size["longest_edge"]) for image in images]
        try:
            return encode_prompt(messages, self._tokenizer, *counts, add_generation_prompt=add_generation_prompt)
        except TemplateError as error:
            raise RequestError(
                400, "invalid_messages", f"模型的对话模板不接受这些消息：{error}。", "messages"
            ) from error

    def _settings(self, chat: ChatRequest, room: int) -> dict:
        """没有说的按模型自带的 generation_config（和 vLLM 一样），它也没有说的按 OpenAI 的默认值。"""
        own = self._model.generation_config
        temperature = next(value for value in (chat.temperature, own.temperature, 1.0) if value is not None)
        sampling: dict[str, float | None] = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        if temperature >= COLDEST:
            top_p = chat.top_p or own.top_p or 1.0
            sampling = {"do_sample": True, "temperature": temperature, "top_p": top_p, "top_k": own.top_k or 0}
        most = min(chat.most_tokens or MAX_TOKENS, room)
        ends = {"eos_token_id": self._ends, "pad_token_id": self._tokenizer.pad_token_id}
        return sampling | ends | {"max_new_tokens": most}

    # ---- 生成 ----

    def _generate(self, name: str, seed: int | None, inputs: dict, settings: dict, streamer: AnswerStreamer) -> None:
        """在唯一的工作线程里：一个提问的输入与 generate 的设置 -> 词元，一个一个地给 streamer。"""
        import torch

        try:
            torch.seed() if seed is None else torch.manual_seed(seed)
            tensors = {part: value.to(self._model.device) for part, value in inputs.items()}
            with self._using(name):
                self._model.generate(**tensors, **settings, streamer=streamer, stopping_criteria=[streamer.should_stop])
        finally:
            streamer.close()

    @contextmanager
    def _using(self, name: str) -> Iterator[None]:
        if self._lora is None:
            yield
        elif name == self.models[0]:
            with self._lora.disable_adapter():
                yield
        else:
            self._lora.set_adapter(_slot(self.models.index(name) - 1))
            yield


def describe(model: str, adapters: dict[str, Path]) -> list[str]:
    """会装什么，一行一句；不装，也不下载。"""
    import torch
    from transformers import AutoConfig

    place = f"GPU {torch.cuda.get_device_name()}" if torch.cuda.is_available() else "CPU"
    folder = artifacts.tiny_model_dir("llm") if model == "tiny" else Path(model)
    if (folder / "config.json").is_file():
        place += f"，精度 {precision.running_dtype(AutoConfig.from_pretrained(folder))}".replace("torch.", "")
    files = [*folder.glob("*.safetensors")]
    size = f"{sum(file.stat().st_size for file in files) / 2**20:,.1f} MiB" if files else "本地没有，用到时下载或现造"
    lines = [f"模型：{model}（权重 {size}）", f"设备：{place}；一次一个回答，最多 {WAITING} 个排队"]
    return lines + [f"LoRA：{name} = {path}" for name, path in adapters.items()]


def turn_ends(model, tokenizer) -> list[int]:
    """生成到哪些词元为止：检查点自己写的，加上训练教的那个。"""
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    return list({*ends, tokenizer.convert_tokens_to_ids(TURN_END)} - {None})


def pixel_budget(adapter: Path) -> int | None:
    """训练这个 LoRA 时一页最多多少像素（在它旁边的 training.json 里）；没有记下为 None，用检查点自带的。"""
    record = adapter.parent / "training.json"
    if not record.is_file():
        return None
    return json.loads(record.read_text(encoding="utf-8"))["recipe"].get("max_pixels")


def _add_adapters(model, adapters: list[Path]):
    """把各个 LoRA 就地装进 model 的层里，返回管切换的 PeftModel；一个也没有则为 None。"""
    if not adapters:
        return None
    from peft import PeftModel

    first, *rest = adapters
    lora = PeftModel.from_pretrained(model, first, adapter_name=_slot(0))
    for at, path in enumerate(rest, 1):
        lora.load_adapter(path, adapter_name=_slot(at))
    return lora.eval()


def _slot(at: int) -> str:
    """第几个 LoRA 在 PEFT 里的名字：给人用的名字里可能有点号，PyTorch 的模块名里不能有。"""
    return f"lora{at}"
