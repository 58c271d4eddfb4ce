"""和视觉模型说话：怎样问，回答怎样变回 `Reading`。训练、评测和服务用同一份。"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from health_assistant.lab_report.report import Evidence, PrintedOrigin, PrintedRow, Reading, ReadReport, ReadRow

READ_PROMPT = (
    "请读出这张化验单上的每一行检验项目，只抄写印着的内容，不要判断高低，不要补充没有印的内容。"
    "只输出一个 JSON 对象，字段为 report_type、sex、age、origin、items；"
    "origin 含 collected、received、reported（采样、接收、报告的时间）、performer（医院）、specimen（标本），"
    "没有印的是 null；"
    "items 的每一项含 name、code、result、unit、reference_range、mark。看不清的字段留空串。"
)
"""请视觉模型读化验单的提示词；训练、评测和服务用同一句。"""

READ_PROMPT_VERSION = 2
"""提问的第几版，改了 READ_PROMPT 就加一。第 1 版不问 origin：照它训练的模型照样读得成，只是没有那几栏。"""

UNREADABLE_ANSWER = "看不清这张图片，请把报告单放平、对准、光线充足，靠近一些重拍一张。"
"""看不清或不是化验单时，模型要答的一句话；训练教的就是它。"""


@dataclass
class ReadAnswer:
    """一个回答读成了什么。how：strict 整段是合格的 JSON，lenient 修补之后才是，unreadable 说看不清，failed 读不成。"""

    how: str
    report: Reading | None = None


def read_messages(image_url: str, prompt: str = READ_PROMPT) -> list[dict]:
    """问视觉模型的消息：图在前，话在后，与训练时一样。image_url 可以是 `data_url` 给的。"""
    content = [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": prompt}]
    return [{"role": "user", "content": content}]


def read_report_schema() -> dict:
    """`ReadReport` 的 JSON Schema，给支持结构化输出的接口用。"""
    return ReadReport.model_json_schema()


def data_url(image: bytes, kind: str = "image/jpeg") -> str:
    """图片的字节 -> 可以放进消息的 data: 地址。"""
    return f"data:{kind};base64,{base64.b64encode(image).decode()}"


def parse_answer(text: str) -> ReadAnswer:
    """模型的回答 -> 读到的报告。先严格，再宽松：代码块、前后的话、断在半截、数没加引号都认。"""
    text = text.strip()
    try:
        return ReadAnswer("strict", Reading.model_validate_json(text, strict=True))
    except ValidationError:
        pass
    if "{" not in text and re.match("[^。]{0,20}(看不清|无法识别|不是化验单)", text):
        return ReadAnswer("unreadable")
    mended = _mended(find_object(text))
    return ReadAnswer("lenient", mended) if mended else ReadAnswer("failed")


def find_object(text: str, mend: bool = True) -> Any:
    """文字里的第一个 JSON 对象（优先看 ```json 代码块）；没有则为 None。mend：多余的逗号去掉，断了的补齐括号。"""
    start = text.find("{", max(text.find("```json"), 0))
    if start < 0:
        return None
    body = re.sub(r",(\s*[\]}])", r"\1", text[start:]) if mend else text[start:]
    try:
        return json.JSONDecoder(strict=not mend).raw_decode(body)[0]
    except (ValueError, RecursionError):
        return _close(body) if mend else None


def _close(body: str) -> Any:
    """断在半截：退到最后一项写完的地方，补上括号。"""
    for end in [len(body), *[at.end() for at in re.finditer("}", body)][::-1][:2]]:
        for tail in ("", "}", "]}", "}]}"):
            try:
                return json.loads(body[:end] + tail, strict=False)
            except (ValueError, RecursionError):
                continue
    return None


def _mended(answer: Any) -> Reading | None:
    """字段的类型不对就改对：数变成字，null 变成空串；没有名称的行不要。"""
    if not isinstance(answer, dict) or not isinstance(answer.get("items"), list):
        return None
    rows = []
    for row in answer["items"]:
        if not isinstance(row, dict) or not row.get("name"):
            continue
        printed = {name: _text(row.get(name)) for name in PrintedRow.model_fields}
        printed["mark"] = printed["mark"] or None
        given = {name: row[name] for name in Evidence.model_fields if name in row}
        try:
            rows.append(ReadRow.model_validate(given | printed))
        except ValidationError:
            rows.append(ReadRow.model_validate(printed))
    sex, age = answer.get("sex"), _text(answer.get("age")) or None
    head = {"report_type": _text(answer.get("report_type")), "sex": sex if sex in ("男", "女") else None, "age": age}
    return Reading(items=rows, origin=answer.get("origin"), **head)


def answer_of(reading: Reading) -> str:
    """内置读者的读数写成视觉模型的回答：合格的 `ReadReport`，另带各行的依据；origin 只有值，时间是 ISO 8601。"""
    printed = {field: printed.value for field, printed in reading.origin.items()}
    report = reading.model_dump(mode="json") | {"origin": PrintedOrigin(**printed).model_dump() if printed else None}
    return json.dumps(report, ensure_ascii=False)


def _text(value: Any) -> str:
    """一格的文字；孤立的代理字符换成问号，否则写不成 UTF-8。"""
    text = "" if value is None or isinstance(value, dict | list) else str(value)
    return text.encode(errors="replace").decode().strip()
