"""内置引擎作为两个模型：看图抄录化验单的，和据化验单给建议的。不用 GPU，不下载模型。"""

import json
from collections.abc import Iterator

from pydantic import ValidationError

from health_assistant.images import BadImage, open_image
from health_assistant.lab_report import advice
from health_assistant.lab_report.assessment import Assessment, assess
from health_assistant.lab_report.reading import reader
from health_assistant.lab_report.report import Reading, UnreadableReport, escape_markdown
from health_assistant.lab_report.vl_protocol import answer_of, find_object, read_report_schema
from model_server.protocol import Answer, ChatRequest, RequestError, TokenizeRequest, unsupported

READER = reader.ENGINE_NAME
ADVISOR = advice.ENGINE_NAME


class EmbeddedBackend:
    """内置引擎的两个“模型”：读化验单的，给建议的；没有词元，也不下载。"""

    models = (READER, ADVISOR)

    def __init__(self) -> None:
        self._reader = reader.ReportReader()
        self._reader.load(warm=False).result()

    def answer(self, chat: ChatRequest) -> Answer:
        """采样的参数都不起作用。没有词元，usage 按字数：提问里的文字（图不算），与回答。"""
        _check_format(chat)
        pieces = [self._read(chat)] if chat.model == READER else _advise(chat)
        prompt_characters = sum(len(message.text) for message in chat.messages)
        return Answer(iter(pieces), prompt_tokens=prompt_characters, completion_tokens=sum(map(len, pieces)))

    def tokenize(self, conversation: TokenizeRequest) -> tuple[list[int], int]:
        """总是拒绝。"""
        raise RequestError(404, "not_a_language_model", f"{conversation.model} 不是语言模型，没有词元。", "model")

    def _read(self, chat: ChatRequest) -> str:
        """最后一条带图片的用户消息 -> `answer_of` 的 JSON。"""
        images = next((m.images for m in reversed(chat.messages) if m.role == "user" and m.images), [])
        if len(images) != 1:
            count = f"有 {len(images)} 张图片" if images else "没有图片"
            raise RequestError(400, "one_image_needed", f"消息里{count}。请放一张化验单照片（image_url）。", "messages")
        try:
            reading = self._reader.read(open_image(images[0].data()))
        except BadImage as error:
            raise RequestError(400, error.code, str(error), "image_url") from error
        except UnreadableReport as error:
            raise RequestError(422, error.code, str(error), "image_url") from error
        return answer_of(reading)


def _check_format(chat: ChatRequest) -> None:
    """读者的回答总是 `ReadReport` 的 JSON，别的形式写不成；建议者的总是 Markdown。"""
    form = chat.response_format
    if form is None or form.type == "text" or (chat.model == READER and form.type == "json_object"):
        return
    if chat.model == READER and (form.json_schema or {}).get("schema") == read_report_schema():
        return
    gives = "总是 ReadReport 的 JSON" if chat.model == READER else "总是 Markdown"
    raise unsupported("response_format", form.type, f"{chat.model} 的回答{gives}；去掉它")


def _advise(chat: ChatRequest) -> list[str]:
    """最后一条用户消息里的化验单 -> 建议（Markdown），逐段。"""
    text = next((message.text for message in reversed(chat.messages) if message.role == "user"), "")
    first, *rest = _sections(_judge(text))
    return [first, *(f"\n\n{section}" for section in rest)]


def _judge(text: str) -> Assessment:
    """只取传来的抄录与依据，判断一律重做：高低不能由请求的人说了算。断了的 JSON 不补：缺了几行谁也不知道。"""
    report_json = json.dumps(find_object(text, mend=False))  # 变回 JSON 再核对：写不成 UTF-8 的字也是错
    try:
        report = Reading.model_validate_json(report_json)
    except ValidationError as error:
        raise RequestError(
            400,
            "report_needed",
            f"最后一条用户消息里没有化验单的 JSON。请放入 {READER} 的回答：一个有 items 的对象，"
            "每一项有 name、code、result、unit、reference_range、mark。",
            "messages",
        ) from error
    if not report.items:
        raise RequestError(400, "empty_report", "化验单里一个检验项目也没有，给不出建议。", "messages")
    return assess(report)


def _sections(report: Assessment) -> Iterator[str]:
    """先说 `notices`：这里没有页面另外显示它们，而存疑的危急值只写在那里。"""
    if report.notices:
        yield "### 请先看\n\n" + "\n".join(f"- {escape_markdown(notice)}" for notice in report.notices)
    yield from advice.advice_sections(report)
