"""CMB-Clin 的病例：读、检查、清洗。读不懂的地方说清是哪条记录、哪个字段、应该是什么。

文件是一个 JSON 列表，每条记录：
    {"id": "0", "title": "…", "description": "…", "QA_pairs": [{"question": "…", "answer": "…"}, …]}
"""

import json
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, TypeAdapter, ValidationError, ValidationInfo, model_validator

from health_assistant.command_line import BadInput

SAMPLE_FILE = Path(__file__).parent / "data" / "cmb-clin-sample.json"
MAX_BYTES = 20_000_000  # CMB-Clin 是 0.26 MB；大得离谱的文件不读进内存

JSON_REASONS = {  # json 的说法的开头 -> 中文
    "Expecting ','": "这里应是逗号，或该有的括号没有收上",
    "Expecting ':'": "键的后面应是冒号",
    "Expecting property name": "这里应是双引号括起来的键（也许多了一个逗号）",
    "Expecting value": "这里应是一个值（也许多了一个逗号）",
    "Invalid control character": "字符串里有没转义的控制字符或换行",
    "Invalid \\": "反斜杠后面的写法不对",
    "Extra data": "列表收尾之后还有内容",
}
KINDS = {dict: "对象", list: "列表", str: "文字", bool: "true/false", int: "数", float: "数", type(None): "null"}


class CaseError(BadInput):
    """文件不能用；消息是一行，写明文件、记录、字段、错在哪里、应该是什么。"""


def _clean(text: str, info: ValidationInfo) -> str:
    """换行留下（统一成 \\n）；制表符和 Word 的手动换行 \\x0b 成空格；其余控制字符去掉；私有区的 U+F07E 是“~”。"""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"第 {error.start + 1} 个字符是半个代理对；应是文字") from None
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
    question: Text
    answer: Text

    @model_validator(mode="before")
    @classmethod
    def _check(cls, value: Any, info: ValidationInfo) -> dict:
        pair = _object(value, "question、answer")
        if "answer" not in pair and "solution" in pair:  # 论文的代码用这个名字，数据里是 answer
            info.context["solution"] += 1
            return pair | {"answer": pair["solution"]}
        return pair


class Case(BaseModel):
    """一个病例；字段名与文件里的相同，QA_pairs 按问的顺序。"""

    id: Text
    title: Text
    description: Text
    QA_pairs: Annotated[list[QuestionAnswer], Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _check(cls, value: Any) -> dict:
        return _object(value, "id、title、description、QA_pairs")

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """问题与参考答案，按问的顺序。"""
        return [(pair.question, pair.answer) for pair in self.QA_pairs]


def read_cases(path: Path) -> tuple[list[Case], list[str]]:
    """读一个文件：病例，和读的时候替人做了什么的说明（清掉的字符、别名）。有任何不对就抛出 CaseError。"""
    try:
        records, counts = parse(read_text(path)), Counter[str]()
        try:
            cases = TypeAdapter(list[Case]).validate_python(records, context=counts)
        except ValidationError as error:
            raise CaseError(_explain(error.errors()[0], records)) from None
        places: dict[str, int] = {}
        for number, case in enumerate(cases, 1):
            if (first := places.setdefault(case.id, number)) != number:
                raise CaseError(f"第 {number} 条记录的 id：{shown(case.id)} 与第 {first} 条重复；应各不相同")
        notes = {
            "control": f"控制字符 {counts['control']} 个，去掉或换成了空格",
            "tilde": f"私有区字符 U+F07E {counts['tilde']} 个，换成了“~”",
            "solution": f"{counts['solution']} 问的参考答案叫 solution，当作 answer",
        }
        return cases, [note for name, note in notes.items() if counts[name]]
    except CaseError as error:
        raise CaseError(f"{path}：{error}") from None
    except RecursionError:
        raise CaseError(f"{path}：括号嵌套得太深；应是记录的列表") from None


def read_text(path: Path) -> str:
    """整个文件的文字；不是 UTF-8 的普通文件，或大得离谱，就抛 CaseError（不带文件名）。"""
    try:
        if path.is_dir():
            raise CaseError("是一个目录；应是 JSON 文件")
        if path.exists() and not path.is_file():
            raise CaseError("不是普通文件；应是 JSON 文件")
        if (size := path.stat().st_size) > MAX_BYTES:
            raise CaseError(f"有 {size / 1e6:.0f} MB，没有读；应不超过 {MAX_BYTES / 1e6:.0f} MB（CMB-Clin 是 0.26 MB）")
        data = path.read_bytes()
    except FileNotFoundError:
        raise CaseError("没有这个文件；应是 CMB-Clin-qa.json 这样的文件") from None
    except OSError as error:
        raise CaseError(f"读不了（{error.strerror}）；应是可读的 JSON 文件") from None
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise CaseError("是 UTF-16 编码；应是 UTF-8。转换：iconv -f UTF-16 -t UTF-8 原文件 > 新文件")
    try:
        return data.decode("utf-8-sig")  # 文件开头的 BOM 无害，直接去掉
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        try:
            data.decode("gb18030")
        except UnicodeDecodeError:
            raise CaseError(f"第 {line} 行有不是 UTF-8 的字节；应是 UTF-8，文件也许坏了") from None
        raise CaseError(
            f"第 {line} 行不是 UTF-8，像是 GB18030（GBK）编码；应是 UTF-8。"
            "转换：iconv -f GB18030 -t UTF-8 原文件 > 新文件"
        ) from None


class _Object(dict):
    """JSON 对象；记下出现两次的键，不让后一个悄悄盖住前一个。"""

    def __init__(self, pairs: list[tuple[str, Any]]):
        super().__init__(pairs)
        self.repeated = next((key for key, count in Counter(key for key, _ in pairs).items() if count > 1), None)


def parse(text: str) -> list:
    """JSON 文本 -> 记录的列表。"""
    if not text.strip():
        raise CaseError("是空的；应是一个 JSON 列表")
    try:
        value = json.loads(text, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        place = f"第 {error.lineno} 行第 {error.colno} 列"
        if error.msg == "Extra data" and text.lstrip().startswith("{"):
            raise CaseError(f"{place}：像是 JSONL（一行一个对象）；应是一个 JSON 列表 […]") from None
        rest = text[error.pos :].strip()
        if not rest or error.msg.startswith("Unterminated") or (error.msg.startswith("Invalid \\") and '"' not in rest):
            raise CaseError(f"{place}：文件在这之后断了，也许没有下载完；应是完整的 JSON 列表") from None
        reason = next((word for start, word in JSON_REASONS.items() if error.msg.startswith(start)), error.msg)
        raise CaseError(f"{place}：{reason}；应是合法的 JSON") from None
    except ValueError:
        raise CaseError("有长得离谱的数；应是记录的列表") from None
    if not isinstance(value, list):
        raise CaseError(f"最外层是{kind_of(value)}；应是记录的列表 […]")
    if not value:
        raise CaseError("列表是空的；应至少有一条记录")
    return value


def _object(value: Any, keys: str) -> dict:
    if not isinstance(value, _Object):
        raise ValueError(f"是{kind_of(value)} {shown(value)}；应是有 {keys} 的对象")
    if value.repeated is not None:
        raise ValueError(f"键 {shown(value.repeated)} 出现了不止一次；应只有一次")
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ValueError("有 NaN 或 Infinity，那不是 JSON；应是文字") from None
    return value


def _explain(error: Any, records: list) -> str:
    """pydantic 的一条错误 -> 哪条记录、哪个字段、错在哪里、应该是什么。"""
    (number, *path), value, record = error["loc"], error["input"], records[error["loc"][0]]
    place = f"第 {number + 1} 条记录"
    if path and path != ["id"] and isinstance(record.get("id"), str):
        place += f"（id {shown(record['id'])}）"
    place += "".join(f" 第 {step + 1} 问" if isinstance(step, int) else f"的 {step}" for step in path)
    if error["type"] == "missing":
        present = "、".join(shown(name) for name in list(value)[:8]) or "什么也没有"
        return f"{place}：没有这个键（有的是 {present}）；应有它"
    if error["type"] == "value_error":
        return f"{place}：{error['ctx']['error']}"
    if path == ["QA_pairs"]:
        found = "是空的" if value == [] else f"是{kind_of(value)} {shown(value)}"
        return f"{place}：{found}；应是至少有一问的列表"
    return f"{place}：是{kind_of(value)} {shown(value)}；应是文字"


def kind_of(value: Any) -> str:
    """JSON 值的种类，中文。"""
    return next(word for kind, word in KINDS.items() if isinstance(value, kind))


def shown(value: Any) -> str:
    """错误里给人看的值：一行，不长。"""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"
