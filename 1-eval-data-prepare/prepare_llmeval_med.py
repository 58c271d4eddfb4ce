"""阶段 1：LLMEval-Med 的题与医生写的清单 -> 评测数据。

    python 1-eval-data-prepare/prepare_llmeval_med.py --file dataset.json

读：自己下载的 dataset.json（GitHub 上 llmeval/LLMEval-Med 的 dataset/dataset.json，2026 年 11 月核对过它的样子）：
一个对象，键是五个大类，值是记录的列表，每条有
    category2、problem（问题）、sanswer（参考答案）、groupCode（第几组）、round（组里第几轮）、checklist（清单，可以没有）
没有值的地方写着 NaN；清单是“核心需求：\\n1. …\\n次要需求：\\n1. …”的文字。别的样子一概不收。
写：artifacts/eval-data/llmeval-med/ 里的 questions.jsonl、checklist.yaml、data.json。
它只用来评测。清单里核心与次要的各条一样重，分数不是论文的 1 到 5 分，不能与论文的相比。
"""

import re
import sys
from itertools import takewhile
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, PositiveInt

from health_assistant import artifacts
from health_assistant.command_line import BadInput, command, new_parser
from health_assistant.evaluation.cases import question_rows, read_form

HEADING = re.compile(r"(?:[一二]、)?(?:核心|次要)需求[：:]?")
NUMBER = re.compile(r"^\d+\s*[.、．)）]\s*")


def _text(value: object) -> object:
    """NaN（没有值）是空的文字；数是它的写法。"""
    if value != value or value is None:
        return ""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Text = Annotated[str, BeforeValidator(_text)]


class Record(BaseModel):
    """一条记录；别的键不管。"""

    category2: Text
    problem: Text
    sanswer: Text
    groupCode: int
    round: PositiveInt
    checklist: Text = ""

    @property
    def points(self) -> list[str]:
        """清单的各条：去掉“核心需求”一类的标题与编号；没有清单是空列表。"""
        lines = (NUMBER.sub("", line.strip()) for line in self.checklist.splitlines())
        return [line for line in lines if line and line != "无" and not HEADING.fullmatch(line)]


@command
def main() -> int:
    """LLMEval-Med -> 评测题与清单；返回退出码：2 是文件读不了、不合格式。"""
    parser = new_parser(__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, required=True, help="下载好的 LLMEval-Med 的 dataset.json")
    args = parser.parse_args()
    groups = read_groups(args.file)
    rows, checklist = questions_of(groups)
    folder = artifacts.eval_data_dir() / "llmeval-med"
    artifacts.write_jsonl(folder / "questions.jsonl", rows)
    artifacts.write_json(folder / "checklist.yaml", {"points": checklist})
    artifacts.write_json(folder / "data.json", {"source": f"LLMEval-Med:{args.file.name}", "is_sample": False})
    left_out = sum(map(len, groups.values())) - len(rows)
    print(f"写了 {len(rows)} 题，其中 {len(checklist)} 题有清单，在 {folder}")
    print(f"没有写的 {left_out} 条：它或前面的一轮没有参考答案，评不了分、接不上历史")
    return 0


def read_groups(path: Path) -> dict[tuple[str, int], list[Record]]:
    """（大类、组号）-> 这一组的各轮，按轮次。不是说好的样子就抛 BadInput，说是哪一类的第几条、哪一项。"""
    by_category = read_form(path, dict[str, list[Record]], "条", "LLMEval-Med 的 dataset.json")
    groups: dict[tuple[str, int], list[Record]] = {}
    for category, records in by_category.items():
        for record in records:
            groups.setdefault((category, record.groupCode), []).append(record)
    for (category, code), records in groups.items():
        records.sort(key=lambda record: record.round)
        rounds = [record.round for record in records]
        if rounds != [*range(1, len(records) + 1)]:
            raise BadInput(f"{path}：{category} 的第 {code} 组各轮是 {rounds}；应从 1 起，不缺不重")
    if not groups:
        raise BadInput(f"{path}：一条记录也没有")
    return groups


def questions_of(groups: dict[tuple[str, int], list[Record]]) -> tuple[list[dict], dict[str, dict]]:
    """各组 -> 一问一行的评测题（前面各轮用参考答案作历史），与题号 -> 清单。"""
    rows: list[dict] = []
    checklist: dict[str, dict] = {}
    for (category, code), records in groups.items():
        case = f"{category}-{code}"
        usable = list(takewhile(lambda record: record.problem.strip() and record.sanswer.strip(), records))
        rows += question_rows(case, [(record.category2, record.problem, record.sanswer) for record in usable])
        checklist |= {f"{case}-{record.round}": {"must": record.points} for record in usable if record.points}
    return rows, checklist


if __name__ == "__main__":
    sys.exit(main())
