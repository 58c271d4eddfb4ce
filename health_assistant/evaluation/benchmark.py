"""在 EvalScope 登记的评测 cmb_clin，和向模型提问的过程：并发、续跑、进度条是 EvalScope 的。导入很慢，用到时才导入。"""

import json
import logging
import shutil
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evalscope import TaskConfig, run_task
from evalscope.api.benchmark import BenchmarkMeta, DefaultDataAdapter
from evalscope.api.dataset import DatasetDict, MemoryDataset, Sample
from evalscope.api.messages import dict_to_chat_message
from evalscope.api.metric import Score
from evalscope.api.model import ModelAPI, ModelOutput
from evalscope.api.registry import register_benchmark
from evalscope.constants import Tags
from evalscope.utils.logger import get_logger

from health_assistant.evaluation.answers import ends_in_loop, without_thinking

NAME, SUBSET = "cmb_clin", "questions"
# 服务端拒绝回答时，EvalScope 把错误说明当作回答存下来，靠这两个结束原因认出来
REFUSED = ("model_length", "content_filter")


def register(name: str, subset: str, tag: str, pretty_name: str, description: str):
    """类装饰器：在 EvalScope 登记一个评测。指标要是它认得的名字，值见 `JsonlBenchmark.match_score`。"""
    about = {"name": name, "pretty_name": pretty_name, "description": description, "tags": [tag, Tags.CUSTOM]}
    about |= {"dataset_id": "", "subset_list": [subset]}
    return register_benchmark(BenchmarkMeta(**about, metric_list=["exact_match"], primary_metric="exact_match"))


class JsonlBenchmark(DefaultDataAdapter):
    """dataset_id 是一份 jsonl，一行一题，按 order 排好；一行怎样成为题由子类说。"""

    order: Callable[[dict], int] = staticmethod(lambda record: 0)

    def load_from_disk(self, **_):
        """JSONL 的各题，按 `order` 排。"""
        with open(self.dataset_id, encoding="utf-8-sig") as file:
            records = sorted(map(json.loads, file), key=self.order)
        dataset = MemoryDataset([self.record_to_sample(record) for record in records])
        dataset.reindex()
        return DatasetDict({self.subset_list[0]: dataset}), None

    def match_score(self, original_prediction, filtered_prediction, reference, task_state) -> Score:
        """EvalScope 每题非要一个分：给它与参考一字不差的。真的得分由 evaluate.py、eval_vl.py 照 `ask` 的回答算。"""
        return Score(prediction=original_prediction, value={"exact_match": float(original_prediction == reference)})


@register(NAME, SUBSET, Tags.QA, "CMB-Clin", "CMB-Clin 病例问答，前几轮用参考答案作历史")
class CMBClin(JsonlBenchmark):
    """阶段 1 写的评测题。"""

    order = staticmethod(lambda record: length(record["messages"]))

    def record_to_sample(self, record: dict) -> Sample:
        """数据里的一行 -> EvalScope 的一题：前面各问是历史，参考答案是目标。"""
        messages = [dict_to_chat_message(message) for message in record["messages"]]
        return Sample(input=messages, target=record["reference"], metadata={"id": record["id"]})


def length(dialogue: list[dict]) -> int:
    """题目按这个排序：长短相近的在一批，少算填充。"""
    return sum(len(message["content"]) for message in dialogue)


class LocalModel(ModelAPI):
    """本地的模型，固定分批，贪心生成。

    批的组成会影响末位小数，偶尔就会换一个字；分批固定，被杀掉后续跑的回答才与一口气跑完的一样。
    """

    def __init__(self, model: Path, adapter: Path | None, dialogues: list, batch_size: int, max_tokens: int):
        super().__init__(model_name=model.name)
        self.sources, self.dialogues = (model, adapter), sorted(dialogues, key=self.size)
        self.batch_size, self.max_tokens = batch_size, max_tokens
        self.positions = {json.dumps(dialogue): position for position, dialogue in enumerate(self.dialogues)}
        self.loaded: tuple | None = None
        self.outputs: dict[int, ModelOutput] = {}
        self.lock = threading.Lock()

    vision = False
    size: Callable[[Any], int] = staticmethod(length)  # 子类的 dialogues 可以是别的，如图的位置

    def dialogue(self, input: list) -> Any:
        """EvalScope 传来的消息 -> dialogues 里的一个。"""
        return [{"role": message.role, "content": message.text} for message in input]

    def generate(self, input, tools, tool_choice, config) -> ModelOutput:
        """一题的回答；第一次问到时载入模型，一批一起答，多个线程共用。"""
        position = self.positions[json.dumps(self.dialogue(input))]
        with self.lock:
            self.loaded = self.loaded or self._load()
            if position not in self.outputs:
                start = position - position % self.batch_size
                outputs = self._answer(self.dialogues[start : start + self.batch_size])
                self.outputs.update(enumerate(outputs, start))
        return self.outputs[position]

    def _load(self) -> tuple:
        """模型（加上适配器）与分词器。"""
        from transformers import AutoTokenizer

        from health_assistant.training.loading import load_to_run

        source, adapter = self.sources
        model = load_to_run(source, self.vision, adapter=adapter)
        return model, AutoTokenizer.from_pretrained(source, padding_side="left")

    def _answer(self, dialogues: list) -> list[ModelOutput]:
        _, tokenizer = self.loaded
        prompts = tokenizer.apply_chat_template(dialogues, tokenize=False, add_generation_prompt=True)
        return self._write(tokenizer(prompts, return_tensors="pt", padding=True, add_special_tokens=False))

    def _write(self, batch: dict) -> list[ModelOutput]:
        """一批输入 -> 各条的回答。"""
        import torch

        model, tokenizer = self.loaded[:2]
        batch = {name: value.to(model.device) for name, value in batch.items()}
        greedy = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None, "repetition_penalty": 1.0}
        with torch.inference_mode():
            tokens = model.generate(
                **batch, **greedy, max_new_tokens=self.max_tokens, pad_token_id=tokenizer.pad_token_id
            )
        ends = model.generation_config.eos_token_id
        ends = torch.tensor(ends if isinstance(ends, list) else [ends], device=tokens.device)
        outputs = []
        for written in tokens[:, batch["input_ids"].shape[1] :]:
            reason = "stop" if torch.isin(written, ends).any() else "max_tokens"
            text = tokenizer.decode(written, skip_special_tokens=True)
            outputs.append(ModelOutput.from_content(self.model_name, text, stop_reason=reason))
        return outputs


def ask(data: Path, folder: Path, fingerprint: str, task: dict, name=NAME, subset=SUBSET) -> dict[str, dict]:
    """把 data 的题都问一遍，题号 -> 回答（predictions.jsonl 里的几项）；没问到的题不在里面。

    答过的存在 folder，再来时不再问；fingerprint 是模型与设置的，变了就从头问。task 是 TaskConfig 里指明模型的几项。
    """
    record = folder / "fingerprint.txt"
    if folder.exists() and (not record.exists() or record.read_text() != fingerprint):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    record.write_text(fingerprint)
    predictions = folder / "predictions" / "model" / f"{name}_{subset}.jsonl"
    mend(predictions)
    started = (folder / "configs" / "task_config.yaml").exists()
    # 回答能不能接着用由 fingerprint 决定；EvalScope 自己的判断把并发数也算在内，所以要它只管重新评分
    resume = {"use_cache": str(folder), "rerun_review": True} if started else {"work_dir": str(folder)}
    quiet_down()
    about = {"model_id": "model", "datasets": [name], "dataset_args": {name: {"dataset_id": str(data)}}}
    run_task(TaskConfig(**about, **resume, **task, no_timestamp=True, ignore_errors=True))  # 一题失败不影响别的题
    if not predictions.exists():
        return {}
    answers = {}
    with open(predictions, encoding="utf-8") as file:
        for row in map(json.loads, file):
            output = ModelOutput.model_validate(row["model_output"])
            answer = read_output(output)
            if output.stop_reason in REFUSED:
                answer = {"error": f"服务端拒绝回答：{output.stop_reason}"}
            answers[row["metadata"]["id"]] = answer
    return answers


def read_output(output: ModelOutput) -> dict:
    """EvalScope 存的一个回答 -> prediction（没有思考）、finish_reason、thought（有没有思考）、loop（末尾是否打转）。"""
    text, thought = without_thinking(output.completion)
    # 成对的 <think> 与 reasoning_content，EvalScope 已经另放一段
    content = output.message.content if isinstance(output.message.content, list) else []
    thoughts = "".join(part.reasoning for part in content if part.type == "reasoning")
    loop = ends_in_loop(thoughts + output.completion)
    return {
        "prediction": text,
        "finish_reason": output.stop_reason,
        "thought": thought or bool(thoughts),
        "loop": loop,
    }


def quiet_down() -> None:
    """EvalScope 的日志里只留错误；屏幕上还有进度条。"""
    get_logger().addFilter(only_errors)
    for chatty in ("httpx", "httpx2", "openai"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def only_errors(line: logging.LogRecord) -> bool:
    """只留错误，每个一行，不带调用栈：接口坏了时，一题一个。"""
    line.msg, line.args = line.getMessage().split("\n")[0], ()
    return line.levelno >= logging.ERROR


def mend(file: Path) -> None:
    """去掉被杀掉时写了一半的最后一行；留着它，续写的下一行会接在它后面，一起坏掉。"""
    if file.exists():
        whole = file.read_bytes()
        if whole and not whole.endswith(b"\n"):
            print("去掉上次没有写完的一行。", file=sys.stderr)
            with open(file, "r+b") as out:
                out.truncate(whole.rfind(b"\n") + 1)
