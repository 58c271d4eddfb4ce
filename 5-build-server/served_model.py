"""关卡的两头：服务上的模型（经 OpenAI 接口），与本地的检查点（直接生成）。"""

import io
from dataclasses import dataclass
from pathlib import Path

from model_server.transformers_backend import turn_ends

from health_assistant.addresses import bypass_proxy
from health_assistant.command_line import BadInput
from health_assistant.lab_report.report import READ_PROMPT
from health_assistant.lab_report.vl_protocol import data_url, read_messages

# 16 位的模型在不同的程序里舍入不同，最可能的两个标记的 logits 相差在这以内，会选到另一个
NEAR_TIE = {"bfloat16": 0.5, "float16": 0.1}


class ModelClient:
    """用官方客户端问服务；连不上、密钥不对、没有这个模型都成为 BadInput。"""

    def __init__(self, base_url: str, api_key: str, model: str | None) -> None:
        import openai

        bypass_proxy(base_url)
        self._client = openai.OpenAI(base_url=base_url, api_key=api_key, max_retries=0, timeout=600)
        names = [one.id for one in self._ask(self._client.models.list)]
        self.model = model or names[0]
        if self.model not in names:
            raise BadInput(f"{base_url} 上没有 {self.model}，有 {'、'.join(names)}")

    def tokenize(self, messages: list[dict]) -> list[int]:
        root = str(self._client.base_url).removesuffix("/").removesuffix("/v1")
        body = {"model": self.model, "messages": messages, "add_generation_prompt": True}
        return self._ask(self._client.post, f"{root}/tokenize", body=body, cast_to=dict)["tokens"]

    def answer(self, messages: list[dict], max_tokens: int):
        """贪心的回答：文字，与提问的标记数。"""
        settings = {"temperature": 0, "max_tokens": max_tokens}
        done = self._ask(self._client.chat.completions.create, model=self.model, messages=messages, **settings)
        return done.choices[0].message.content or "", done.usage.prompt_tokens

    def _ask(self, method, *args, **kwargs):
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


def png(image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format="PNG")
    return stream.getvalue()


def page_message(page: bytes) -> list[dict]:
    return read_messages(data_url(page, "image/png"))


@dataclass
class Generated:
    tokens: list[int]
    text: str
    logits: list
    """每一步的 [词表] 个数。"""


class Checkpoint:
    """合并好的检查点，分词、模板与缩图用训练时的那一份。在 CPU 上算：显存被服务占着。"""

    def __init__(self, merged: Path, adapter: Path, base: Path, max_pixels: int | None) -> None:
        from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoTokenizer

        from health_assistant.training.tiny_models import use_one_thread_if_small
        from health_assistant.training.vision import load_image_processor

        loader = AutoModelForImageTextToText if max_pixels else AutoModelForCausalLM
        self._model = loader.from_pretrained(merged, dtype="auto", device_map="cpu").eval()
        use_one_thread_if_small(self._model)
        self._tokenizer = AutoTokenizer.from_pretrained(adapter)
        self._max_pixels = max_pixels
        self._processor = load_image_processor(base, max_pixels) if max_pixels else None

    def inputs(self, messages: list[dict]) -> dict:
        import torch

        from health_assistant.training.sft import encode_prompt

        ids = torch.tensor([encode_prompt(messages, self._tokenizer)])
        return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}

    def page_inputs(self, page: bytes) -> dict:
        from health_assistant.training.vision import generation_inputs

        return generation_inputs([io.BytesIO(page)], READ_PROMPT, self._processor, self._tokenizer, self._max_pixels)

    def answer(self, inputs: dict, max_tokens: int) -> Generated:
        """贪心地生成；结束标记与服务认的相同。"""
        output = self._model.generate(
            **inputs,
            do_sample=False,
            temperature=None,
            top_p=None,
            top_k=None,
            max_new_tokens=max_tokens,
            eos_token_id=turn_ends(self._model, self._tokenizer),
            pad_token_id=self._tokenizer.pad_token_id,
            return_dict_in_generate=True,
            output_scores=True,
        )
        tokens = output.sequences[0, inputs["input_ids"].shape[1] :].tolist()
        text = self._tokenizer.decode(tokens, skip_special_tokens=True)
        return Generated(tokens, text, [step[0] for step in output.scores])

    def nearly_tied(self, generated: Generated, other: str) -> bool:
        """other 与 generated 分岔的那一步，两个标记是不是几乎一样可能。32 位的不算，要一字不差。"""
        margin = NEAR_TIE.get(str(self._model.dtype).removeprefix("torch."))
        found = self._tokenizer(other, add_special_tokens=False).input_ids
        pairs = zip(generated.tokens, found, generated.logits, strict=False)
        fork = next(((ours, theirs, logits) for ours, theirs, logits in pairs if ours != theirs), None)
        if margin is None or fork is None:
            return False
        ours, theirs, logits = fork
        return (logits[ours] - logits[theirs]).item() <= margin
