"""阶段 1：MedS-Bench 里中文的选择题 -> 评测数据。

    python 1-eval-data-prepare/prepare_meds_bench.py --file task58_medqa_question_answering_zh.jsonl

读：自己下载的 MCQA/task58_medqa_question_answering_zh.jsonl（Hugging Face 上的 Henrychur/MedS-Bench）。名字是 .jsonl，
其实整个文件是一个 JSON 对象，`Instances` 是题的列表，每题有
    input（“问题: …\\n选项: A: …\\tB: …”）、output（“正确答案是 D: …”，或只有这一句的列表）
别的键不管，别的样子一概不收：别的任务是英文的，或不是选择题。
写：artifacts/eval-data/meds-bench/ 里的 questions.jsonl、data.json。
"""

import re
import sys
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, new_parser
from health_assistant.evaluation.cases import read_form
from health_assistant.evaluation.metrics import choice_of

INPUT = re.compile(r"问题[:：].*\n选项[:：]\s*(A[:：].*)", re.DOTALL)
ASK = "请只答正确选项的字母。"


def _only(value: object) -> object:
    return value[0] if isinstance(value, list) and len(value) == 1 else value


class Instance(BaseModel):
    """一题：题与选项，和写着正确答案的一句。"""

    input: str
    output: Annotated[str, BeforeValidator(_only)]

    def problem(self) -> str | None:
        """哪里不是说好的样子；都对的是 None。"""
        parts = INPUT.fullmatch(self.input.strip())
        if not parts:
            return "input 不是“问题: …”一段、“选项: A: …”一行"
        options = [option.strip() for option in parts[1].split("\t") if option.strip()]
        if [option[:1] for option in options] != list("ABCDEFGH"[: len(options)]) or len(options) < 2:
            return "选项不是从 A 起、用制表符隔开的"
        right = choice_of(self.output)
        if not right or self.output.strip().partition("正确答案是")[2].strip() not in options:
            return f"output 不是“正确答案是 字母: 选项的原文”：{self.output[:40]}"
        return None


class Task(BaseModel):
    """整个文件；别的键不管。"""

    Instances: list[Instance] = Field(min_length=1)


@command
def main() -> int:
    """MedS-Bench 的一项任务 -> 评测题；返回退出码：2 是文件读不了、不合格式。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="下载好的 task58_medqa_question_answering_zh.jsonl")
    args = parser.parse_args()
    rows = []
    for number, question in enumerate(read_task(args.file).Instances, 1):
        name = f"meds-58-{number}"
        messages = [{"role": "user", "content": f"{question.input.strip()}\n{ASK}"}]
        row = {"id": name, "case_id": name, "turn": 1, "title": "MedQA 中文", "messages": messages}
        rows.append(row | {"reference": question.output.strip()})
    folder = artifacts.eval_data_dir() / "meds-bench"
    artifacts.write_jsonl(folder / "questions.jsonl", rows)
    artifacts.write_json(folder / "data.json", {"source": f"MedS-Bench:{args.file.name}", "is_sample": False})
    print(f"写了 {len(rows)} 题，在 {folder}")
    return 0


def read_task(path: Path) -> Task:
    """文件 -> 题；不是公布的样子就抛 BadInput，说是第几题、哪里不对。"""
    task = read_form(path, Task, "题", "MedS-Bench 的 task58")
    for number, question in enumerate(task.Instances, 1):
        problem = question.problem()
        if problem:
            raise BadInput(f"{path}：第 {number} 题{problem}；只收 MedS-Bench 中文的选择题（task58）")
    return task


if __name__ == "__main__":
    sys.exit(main())
