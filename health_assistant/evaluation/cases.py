"""CMB-Clin 的病例：读、检查、清洗。读不懂的地方说清是哪条记录、哪个字段、应该是什么。

文件是一个 JSON 列表，每条记录：
    {"id": "0", "title": "…", "description": "…", "QA_pairs": [{"question": "…", "answer": "…"}, …]}
"""

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, AliasChoices, BaseModel, Field, TypeAdapter, ValidationError, ValidationInfo

from health_assistant.checked_yaml import repeated_values
from health_assistant.command_line import BadInput
from health_assistant.wrong_values import what_is_wrong

SAMPLE_FILE = Path(__file__).parent / "data" / "cmb-clin-sample.json"
MOST_MEGABYTES = 20  # CMB-Clin 是 0.26 MB；大得离谱的文件不读进内存


def _clean(text: str, info: ValidationInfo) -> str:
    """换行留下（统一成 \\n）；制表符和 Word 的手动换行 \\x0b 成空格；其余控制字符去掉；私有区的 U+F07E 是“~”。"""
    if re.search(r"[\ud800-\udfff]", text):
        raise ValueError("里有半个代理对；应是文字")
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    info.context["tilde"] += text.count("\uf07e")
    info.context["control"] += sum(unicodedata.category(char) == "Cc" and char != "\n" for char in text)
    text = re.sub(r"[\t\x0b]", " ", text).replace("\uf07e", "~")
    text = "".join(char for char in text if char == "\n" or unicodedata.category(char) != "Cc")
    if not text.strip():
        raise ValueError("是空的或只有空白；应是非空的文字")
    return text


Text = Annotated[str, AfterValidator(_clean)]


class QuestionAnswer(BaseModel):
    """一问与它的参考答案。"""

    question: Text
    answer: Text = Field(validation_alias=AliasChoices("answer", "solution"))  # 论文的代码用后一个，数据里是前一个


class Case(BaseModel):
    """一个病例；字段名与文件里的相同，QA_pairs 按问的顺序。"""

    id: Text
    title: Text
    description: Text
    QA_pairs: Annotated[list[QuestionAnswer], Field(min_length=1)]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """问题与参考答案，按问的顺序。"""
        return [(pair.question, pair.answer) for pair in self.QA_pairs]


_CASES = TypeAdapter(Annotated[list[Case], Field(min_length=1)])


def read_cases(path: Path) -> tuple[list[Case], list[str]]:
    """读一个文件：病例，和读的时候替人做了什么的说明（清掉的字符、别名）。有任何不对就抛出 BadInput，一行说清。"""
    counts = Counter[str]()
    try:
        records = json.loads(read_text(path), object_pairs_hook=_without_repeats)
        cases = _CASES.validate_python(records, context=counts)
    except json.JSONDecodeError as error:
        place = f"第 {error.lineno} 行第 {error.colno} 列"
        raise BadInput(f"{path}：{place}不是合法的 JSON；应是一个完整的 JSON 列表，文件也许没有下载完") from None
    except ValidationError as error:
        raise BadInput(f"{path}：{_explain(error.errors()[0], records)}") from None
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}：读不懂（{str(error)[:80]}）；应是记录的列表") from None
    repeated = repeated_values(case.id for case in cases)
    if repeated:
        raise BadInput(f"{path}：id “{repeated[0]}” 有不止一条记录；应各不相同")
    pairs = [pair for record in records for pair in record["QA_pairs"]]
    counts["solution"] = sum("answer" not in pair for pair in pairs)
    notes = {
        "control": f"控制字符 {counts['control']} 个，去掉或换成了空格",
        "tilde": f"私有区字符 U+F07E {counts['tilde']} 个，换成了“~”",
        "solution": f"{counts['solution']} 问的参考答案叫 solution，当作 answer",
    }
    return cases, [note for name, note in notes.items() if counts[name]]


def question_rows(case_id: str, turns: Iterable[tuple[str, str, str]]) -> list[dict]:
    """一个病例的各问（标题、问题、参考答案）-> 一问一行的评测题；前面各问的问题与参考答案是历史。"""
    rows: list[dict] = []
    history: list[dict] = []
    for turn, (title, question, reference) in enumerate(turns, 1):
        history = [*history, {"role": "user", "content": question}]
        row = {"id": f"{case_id}-{turn}", "case_id": case_id, "turn": turn, "title": title}
        rows.append(row | {"messages": history, "reference": reference})
        history = [*history, {"role": "assistant", "content": reference}]
    return rows


def read_text(path: Path) -> str:
    """整个文件的文字；不是 UTF-8 的普通文件，或大得离谱，就抛 BadInput。"""
    try:
        if not path.is_file():
            raise BadInput(f"{path}：没有这个文件，或不是普通文件；应是 JSON 文件")
        megabytes = path.stat().st_size / 1e6
        if megabytes > MOST_MEGABYTES:
            raise BadInput(f"{path}：有 {megabytes:.0f} MB，没有读；应不超过 {MOST_MEGABYTES} MB")
        data = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}：读不了（{error.strerror}）；应是可读的 JSON 文件") from None
    try:
        return data.decode("utf-8-sig")  # 文件开头的 BOM 无害，直接去掉
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadInput(
            f"{path}：第 {line} 行不是 UTF-8，像是 GB18030（GBK）编码，或文件坏了；应是 UTF-8。"
            "转换：iconv -f GB18030 -t UTF-8 原文件 > 新文件"
        ) from None


def read_form(path: Path, form: Any, piece: str, published: str) -> Any:
    """整个文件读成 form（pydantic 认的类型）；不合就抛 BadInput，说第几条（piece 是量词）、哪一项，应像 published。"""
    try:
        return TypeAdapter(form).validate_json(read_text(path))
    except ValidationError as error:
        loc, reason = error.errors()[0]["loc"], what_is_wrong(error.errors()[0])
        place = "的".join(f"第 {step + 1} {piece}" if isinstance(step, int) else str(step) for step in loc) or "最外层"
        raise BadInput(f"{path}：{place}不对（{reason}）；应是 {published} 那样的") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict:
    """JSON 的一个对象；重复的键是错，不让后一个悄悄盖住前一个。"""
    repeated = repeated_values(name for name, _ in pairs)
    if repeated:
        raise ValueError(f"键 {repeated[0]} 在一个对象里出现了不止一次")
    return dict(pairs)


def _explain(error: Any, records: list) -> str:
    """pydantic 的一条错误 -> 哪条记录、哪个字段、错在哪里、应该是什么。"""
    if not error["loc"]:
        return f"最外层{what_is_wrong(error)}"
    number, *path = error["loc"]
    place, record = f"第 {number + 1} 条记录", records[number]
    if path and path != ["id"] and isinstance(record.get("id"), str):
        place += f"（id {json.dumps(record['id'], ensure_ascii=False)[:40]}）"
    place += "".join(f" 第 {step + 1} 问" if isinstance(step, int) else f"的 {step}" for step in path)
    return f"{place}：{what_is_wrong(error)}"
