"""阶段 2 与 4 共用的过程：一份 YAML 配方，一个本地模型或接口，逐题提问、评分，写 predictions.jsonl 与 scores.json。"""

import argparse
import json
import os
import platform
import shutil
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field

from health_assistant import artifacts
from health_assistant.command_line import BadInput, CannotGoOn, command
from health_assistant.evaluation import checklist, judge, metrics, safety
from health_assistant.evaluation.answers import count_endings, describe_endings, why_all_empty
from health_assistant.evaluation.targets import EvaluationRecipe, Target, endpoint_target, local_target
from health_assistant.recipe_files import read_recipe, recipe_parser
from health_assistant.training.tiny_models import identity_of

# 提问方式变了就换一个名字：不同提问方式的得分不能比较
PROMPT_VERSION = "cmb-clin-gold-history-1"
# 回答怎样收拾（去掉哪些思考）、怎样评分变了就换一个；同样的回答会重新评分，不重问
SCORING_VERSION = "any-thought-removed-2"
NOT_ASKED = "没有得到回答"  # 别的 error 是服务端拒绝回答，再问也一样


class Question(BaseModel):
    """评测的一题：messages 的末一条是问，reference 是参考答案；turn 从 1 数。"""

    id: str
    case_id: str
    turn: int
    title: str
    messages: list[dict[str, str]] = Field(min_length=1)
    reference: str = Field(min_length=1)


@command
def run_script(description: str, when: Literal["before", "after"], config: Path) -> int:
    """一个评测脚本的全过程；返回退出码。"""
    args = _parse(description, config)
    recipe = read_recipe(EvaluationRecipe, args)
    questions = read_questions(args.data, args.limit)
    target = endpoint_target(recipe, args) if args.api_base else local_target(recipe, when, args)
    return Evaluation(recipe, when, target, questions, args).run()


class Evaluation:
    """一次评测：把 questions 问 target，评分，写下来；args 是命令行。跑完过的不再跑，答过的题不再问。"""

    def __init__(
        self, recipe: EvaluationRecipe, when: str, target: Target, questions: list[Question], args: argparse.Namespace
    ):
        self.target, self.questions, self.args = target, questions, args
        self.folder = artifacts.evaluation_dir(recipe.run_name, when, args.limit)
        self.data = self.folder / "questions.jsonl" if args.limit else args.data
        self.judges = find_judges(recipe.run_name, args, questions)
        self.safety_questions = safety.questions() if recipe.safety and not args.limit else []
        self.base_model = identity_of(recipe.model_name_or_path)
        self.most_tokens = recipe.max_new_tokens
        self.generation = {"max_new_tokens": recipe.max_new_tokens, "greedy": True}
        self.asked_with = [PROMPT_VERSION, self.generation, target.identity]

    def run(self) -> int:
        """从头到尾，返回退出码。一题也没有答上来的抛 `CannotGoOn`。"""
        # 1. 跑完过没有
        if self.args.limit:
            artifacts.write_text(self.data, "".join(question.model_dump_json() + "\n" for question in self.questions))
        of_answers, of_scores = self.fingerprints()
        if self.args.force:  # 答过的也不要了
            (self.folder / artifacts.FINISHED_FILE).unlink(missing_ok=True)
            for answered in ("evalscope", "evalscope-safety"):
                shutil.rmtree(self.folder / answered, ignore_errors=True)
        if artifacts.is_finished(self.folder, of_scores):
            print(f"这个模型在这份数据上评测过了，结果在 {self.folder}；要重跑加 --force。")
            show(json.loads((self.folder / "scores.json").read_text(encoding="utf-8")))
            return 0

        # 2. 逐题提问；安全题与评测题一起交给模型：基座只读进内存一次
        print(f"评测 {self.target.name}：{len(self.questions)} 题（{self.args.data}）…")
        began = time.monotonic()
        dialogues = [question.messages for question in self.questions]
        task = self.target.task(dialogues + [question["messages"] for question in self.safety_questions])
        rows = self.ask(of_answers, task)

        # 3. 评分
        scores = self.score(rows, dialogues)
        tables = {"predictions.jsonl": rows}
        if self.safety_questions:
            tables["safety.jsonl"] = self.ask_safety(task)
            scores["safety"] = safety.summarise(tables["safety.jsonl"])
        scores["seconds"] = round(time.monotonic() - began, 1)
        scores |= {"note": label(scores)} if label(scores) else {}

        # 4. 写下来
        self.write(tables, scores, of_scores)
        return 0

    def fingerprints(self) -> tuple[str, str]:
        """回答的（模型、问法、数据变了就重问）与得分的（评分、裁判、安全题的规则变了就重新评分）。"""
        of_answers = artifacts.fingerprint(self.asked_with, [self.data])
        judged_by = [safety.version() if self.safety_questions else None]
        judged_by += [reviewer.identity for reviewer in self.judges.values()]
        return of_answers, artifacts.fingerprint([of_answers, SCORING_VERSION, self.base_model, *judged_by], [])

    def ask(self, fingerprint: str, task: dict) -> list[dict]:
        """把题逐题问一遍 -> predictions.jsonl 的各行；没有问到的一题，行里有 error。

        一题也没有答上来、答的全是空的，抛 `CannotGoOn`，说为什么。
        """
        from health_assistant.evaluation import benchmark

        folder = self.folder / "evalscope"
        answers = benchmark.ask(self.data, folder, fingerprint, task)
        if not answers:
            log = folder / "logs/eval_log.log"
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.is_file() else ["没有记下"]
            last = lines[-1].split("failed: ")[-1]
            raise CannotGoOn(f"一题也没有答上来。最后一个错误：{last}（全部在 {log}）")
        rows = [_row(question, answers.get(question.id)) for question in self.questions]
        if not any(row["prediction"] for row in rows):
            shutil.rmtree(folder)  # 改好了服务再来，要重问
            reason = why_all_empty(rows, self.most_tokens)
            raise CannotGoOn(f"{len(rows)} 题没有一题有回答，不给分。{self.target.name} {reason}。再运行一次会重问。")
        return rows

    def ask_safety(self, task: dict) -> list[dict]:
        """问安全题，返回 `safety.judge` 的各行；答过的不再问，除非问法、生成设置或模型变了。"""
        from health_assistant.evaluation import benchmark

        data = self.folder / "safety-questions.jsonl"
        artifacts.write_jsonl(data, self.safety_questions)
        fingerprint = artifacts.fingerprint(self.asked_with, [data])
        answers = benchmark.ask(data, self.folder / "evalscope-safety", fingerprint, task)
        return safety.judge(self.safety_questions, answers)

    def score(self, rows: list[dict], dialogues: list[list[dict]]) -> dict:
        """各行 -> scores.json 的内容，安全题与用时以外的；裁判的分也写进各行。"""
        case_ids = [row["case_id"] for row in rows]
        answers, references = [row["prediction"] for row in rows], [row["reference"] for row in rows]
        scores = {
            "base_model": self.base_model,
            "model": self.target.name,
            "data_sha256": sha256(self.args.data.read_bytes()).hexdigest(),
            **_source(self.args.data),
            "prompt_version": PROMPT_VERSION,
            "scoring_version": SCORING_VERSION,
            "generation": self.generation,
            "n": len(rows),
            "limit": self.args.limit,
            "empty": sum(not row["prediction"] and "error" not in row for row in rows),
            "failed": sum("error" in row for row in rows),
            **count_endings(rows),
            "metrics": metrics.summarise(case_ids, answers, references),
            "machine": "接口" if self.args.api_base else machine(),
        }
        for name, reviewer in self.judges.items():
            scores[name], means = reviewer.judge_all(rows, dialogues)
            scores["metrics"] |= {metric: {"value": mean, "shuffled": None} for metric, mean in means.items()}
        return scores

    def write(self, tables: dict[str, list[dict]], scores: dict, fingerprint: str) -> None:
        """写下各表与得分，打印得分；都问到、裁判的结论都有效，才记为跑完了。"""
        for name, table in tables.items():
            artifacts.write_jsonl(self.folder / name, table)
        artifacts.write_json(self.folder / "scores.json", scores)
        show(scores)
        print(f"结果在 {self.folder}（用时 {scores['seconds']:.0f} 秒）")
        unasked = sum(row.get("error") == NOT_ASKED for row in tables["predictions.jsonl"])
        unasked += scores.get("safety", {}).get("failed", 0)
        if unasked:
            print(f"! 有 {unasked} 题没有问到，按 0 分计；再运行一次只问这些题。", file=sys.stderr)
        elif any(scores[name]["invalid"] for name in self.judges):
            print("! 有的评审结论无效；再运行一次只重审这些题。", file=sys.stderr)
        else:
            artifacts.mark_finished(self.folder, fingerprint, [self.folder / name for name in [*tables, "scores.json"]])


def find_judges(run_name: str, args: argparse.Namespace, questions: list[Question]) -> dict[str, Any]:
    """命令行请的评审：在 scores.json 里的名字 -> 打分的（judge）、照清单的（checklist）；没有请的不在里面。"""
    grader = judge.find_judge(run_name, args)
    judges: dict[str, Any] = {"judge": grader} if grader else {}
    if args.checklist:
        points = checklist.read_checklist(args.checklist, [question.id for question in questions])
        second = judge.find_judge(run_name, args, args.second_judge_model)
        judges["checklist"] = checklist.ChecklistJudge((grader, second), points)
    return judges


def read_questions(path: Path, limit: int | None = None) -> list[Question]:
    """阶段 1 写的评测题，或它的前 limit 题；没有文件、是空的、id 重复的，limit 不比全部少的，抛 `BadInput`。"""
    if not path.is_file():
        raise BadInput(f"没有评测数据 {path}。先运行 python 1-eval-data-prepare/prepare_cmb_clin.py")
    questions = artifacts.read_jsonl(path, Question.model_validate)
    if not questions or len({question.id for question in questions}) < len(questions):
        raise BadInput(f"{path} 是空的，或者有重复的 id")
    if limit is not None and not 0 < limit < len(questions):  # 不比全部少，也会记成“只有前几题”
        raise BadInput(f"--limit {limit} 要大于 0，少于数据的题数（{len(questions)}）：要评全部，就不写 --limit")
    return questions[:limit]


def label(scores: dict) -> str:
    """微型模型、示例数据、只评了前几题的得分要带上的一句话；都不是时为空。"""
    kinds = []
    if scores["base_model"].startswith("tiny-llm"):
        kinds.append("微型模型")
    if scores["is_sample"]:
        kinds.append("示例数据")
    if scores.get("limit"):
        kinds.append(f"只有前 {scores['n']} 题")
    return "、".join(kinds) + "，不代表真实水平" if kinds else ""


def show(scores: dict) -> None:
    """打印得分；旁边是对着打乱的参考答案的得分。"""
    print(f"\n{scores['n']} 题，其中空回答 {scores['empty']}，失败 {scores['failed']}（都按 0 分计）")
    print(describe_endings(scores))
    print("  得分（满分 100）   打乱后")
    for name, score in scores["metrics"].items():
        value, shuffled = (f"{part:6.2f}" if part is not None else "     –" for part in score.values())
        print(f"      {value}       {shuffled}   {metrics.NAMES[name]}")
    describers = {"safety": safety.describe, "judge": judge.describe, "checklist": checklist.describe}
    for part, describe in describers.items():
        if part in scores:
            print(*(f"  {line}" for line in describe(scores[part])), sep="\n")
    if label(scores):
        print(f"  {label(scores)}")


def machine() -> str:
    """在什么机器上：显卡的名字，没有就是几核的 CPU。"""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name()
    return f"{os.cpu_count()} 核 CPU（{platform.machine()}）"


def _row(question: Question, answer: dict | None) -> dict:
    row = {"id": question.id, "case_id": question.case_id, "turn": question.turn}
    row |= {"prediction": "", "reference": question.reference}
    row |= {"finish_reason": None, "thought": False, "loop": False}
    row |= answer or {"error": NOT_ASKED}
    return row | {"scores": dict(metrics.score_answer(row["prediction"], row["reference"]))}


def _source(data: Path) -> dict:
    """数据的来历，阶段 1 记在旁边的 data.json。"""
    try:
        about = json.loads((data.parent / "data.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        about = {"source": data.name, "is_sample": False}
    return {"data_source": about["source"], "is_sample": about["is_sample"]}


def _parse(description: str, config: Path) -> argparse.Namespace:
    parser = recipe_parser(description.splitlines()[0], EvaluationRecipe, config)
    add = parser.add_argument
    data = artifacts.eval_data_dir() / "cmb-clin.jsonl"
    add("--data", type=Path, default=data, help="评测数据，阶段 1 写的 cmb-clin.jsonl")
    add("--limit", type=int, help="只评数据里的前几题（默认全部）；结果另放一个目录，写明只有前几题")
    add("--model", help="换一个模型：本地目录、hub 上的名字；有 --api-base 时是接口里的模型名")
    add("--adapter", type=Path, help="加在模型上的 LoRA 适配器目录")
    add("--api-base", help="评测 OpenAI 兼容接口，如 http://127.0.0.1:8001/v1；密钥放环境变量 OPENAI_API_KEY")
    judge.add_judge_options(parser)
    add("--checklist", type=Path, nargs="?", const=checklist.BUNDLED, help="再照清单逐条核对；不写文件是示例的清单")
    add("--second-judge-model", help="清单的第二遍换一个评审（同一个接口）；不写就是同一个判两遍")
    add("--force", action="store_true", help="跑完过的也重跑，答过的题也重问")
    args = parser.parse_args()
    if args.checklist and not args.judge_api_base:
        parser.error("--checklist 要和 --judge-api-base、--judge-model 一起给")
    if args.api_base and not args.model:
        parser.error("--api-base 要和 --model（接口里的模型名）一起给")
    if args.api_base and args.adapter:
        parser.error("--adapter 只用于本地模型")
    return args
