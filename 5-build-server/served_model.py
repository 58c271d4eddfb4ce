"""关卡的两头：服务上的模型（经 OpenAI 接口），与本地的检查点（直接生成）。"""

import io
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model_server.transformers_backend import turn_ends

from health_assistant.addresses import bypass_proxy
from health_assistant.api_keys import check_key
from health_assistant.command_line import BadInput


class ModelClient:
    """用官方客户端问服务；连不上、密钥不对、没有这个模型都成为 BadInput。"""

    def __init__(self, base_url: str, api_key: str, model: str | None) -> None:
        """base_url 到 /v1 为止；model 不给就用服务列出的第一个。"""
        import openai

        check_key(api_key, "密钥")
        bypass_proxy(base_url)
        self._client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=600)
        names = [listed.id for listed in self._call(self._client.models.list)]
        self.model = model or names[0]
        if self.model not in names:
            raise BadInput(f"{base_url} 上没有 {self.model}，有 {'、'.join(names)}")

    def tokenize(self, messages: list[dict]) -> list[int]:
        """服务看到的词元。"""
        root = str(self._client.base_url).removesuffix("/").removesuffix("/v1")
        body = {"model": self.model, "messages": messages, "add_generation_prompt": True}
        return self._call(self._client.post, f"{root}/tokenize", body=body, cast_to=dict)["tokens"]

    def answer(self, messages: list[dict], max_tokens: int) -> tuple[str, int]:
        """贪心的回答：文字，与提问的词元数。"""
        settings = {"temperature": 0, "max_tokens": max_tokens}
        completion = self._call(self._client.chat.completions.create, model=self.model, messages=messages, **settings)
        return completion.choices[0].message.content or "", completion.usage.prompt_tokens

    def _call(self, method, *args, **kwargs):
        import openai

        try:
            return method(*args, **kwargs)
        except openai.APIConnectionError:
            raise BadInput(
                f"连不上服务 {self._client.base_url}。先运行 5-build-server/serve.py，或改 --base-url"
            ) from None
        except openai.APIError as error:
            reason = error.body.get("message") if isinstance(error.body, dict) else None
            raise BadInput(f"服务不答：{reason or error}") from None


@dataclass
class Trained:
    """一次训练留下的：目录、基座、图的像素预算（语言模型没有）。"""

    folder: Path
    base: Path
    max_pixels: int | None

    @property
    def adapter(self) -> Path:
        """PEFT 的目录。"""
        return self.folder / "adapter"

    @property
    def merged(self) -> Path:
        """合并好的 16 位模型的目录。"""
        return self.folder / "merged"

    @cached_property
    def tokenizer(self):
        """训练时存下的分词器，带对话模板。"""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.adapter)

    def inputs(self, question: list[dict] | bytes) -> dict:
        """提问的消息，或一页化验单的 PNG -> 模型的输入，与训练时一样。"""
        import torch

        from health_assistant.lab_report.vl_protocol import READ_PROMPT
        from health_assistant.training.sft import encode_prompt
        from health_assistant.training.vision import generation_inputs, load_image_processor

        if isinstance(question, bytes):
            processor = load_image_processor(self.base, self.max_pixels)
            return generation_inputs([io.BytesIO(question)], READ_PROMPT, processor, self.tokenizer, self.max_pixels)
        ids = torch.tensor([encode_prompt(question, self.tokenizer)])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


class Checkpoint:
    """合并好的，或基座加 adapter。在 CPU 上算：显存被服务占着。"""

    def __init__(self, trained: Trained, merged: bool) -> None:
        """内存放不下，或 adapter 与基座不配时抛 BadInput；先说要多少内存。"""
        from peft import PeftModel

        from health_assistant.training.memory import for_running, model_class
        from health_assistant.training.tiny_models import use_one_thread_if_small

        folder, vision = trained.merged if merged else trained.base, bool(trained.max_pixels)
        try:
            needed = for_running(folder, vision, on_gpu=False)
            print(f"载入{'合并好的' if merged else '基座与 adapter'}，{needed}", flush=True)
            if needed.shortage:
                raise BadInput(f"{needed.shortage}。请在内存大的机器上核对")
            model = model_class(vision).from_pretrained(folder, dtype="auto", device_map="cpu")
            self.model = (model if merged else PeftModel.from_pretrained(model, trained.adapter)).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise BadInput(f"{trained.folder} 里的装不起来，adapter 与基座是一起的吗？{error}") from None
        use_one_thread_if_small(model)
        self.dtype = str(model.dtype).removeprefix("torch.")
        self._trained, self._ends = trained, turn_ends(model, trained.tokenizer)

    def logits(self, inputs: dict):
        """[1, 词元数, 词表]，32 位。"""
        import torch

        with torch.no_grad():
            return self.model(**inputs).logits.float()

    def answer(self, inputs: dict, max_tokens: int) -> str:
        """贪心地生成；结束的词元与服务认的相同。"""
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
        ends = {"eos_token_id": self._ends, "pad_token_id": self._trained.tokenizer.pad_token_id}
        output = self.model.generate(**inputs, **greedy, **ends, max_new_tokens=max_tokens)
        return self._trained.tokenizer.decode(output[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
